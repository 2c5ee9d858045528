"""What a plot holds: nothing that matters is thinned out, axes as each technique has them, figures on disk."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.insert(0, str(Path(__file__).parent))
import report_samples as samples

from perolas.core.errors import InputError
from perolas.report import figures, plots


def test_decimation_keeps_every_extreme() -> None:
    rng = np.random.default_rng(1)
    series = [rng.normal(size=100_003) for _ in range(3)]
    spikes = [(17, 0), (50_001, 1), (99_999, 2)]
    for place, which in spikes:
        series[which][place] = 40.0 * (-1) ** which
    index = plots.decimate(series)
    assert len(index) <= plots.LIMIT
    assert {place for place, _ in spikes} <= set(index)
    assert index[0] == 0
    assert index[-1] == 100_002
    for values in series:
        assert values[index].min() == values.min()
        assert values[index].max() == values.max()
        for part in np.array_split(np.arange(values.size), 100):
            kept = values[index[(index >= part[0]) & (index <= part[-1])]]
            assert kept.max() >= np.sort(values[part])[-12]  # each hundredth keeps its top, if not to the point


def test_short_series_are_whole() -> None:
    assert np.array_equal(plots.decimate([np.ones(4096)]), np.arange(4096))


def test_decimation_with_gaps_and_nothing() -> None:
    values = np.full(20_000, np.nan)
    values[777] = 5.0
    values[9_000] = np.inf
    assert 777 in plots.decimate([values])
    assert plots.decimate([np.full(20_000, np.nan)]).size <= plots.LIMIT


def arrays(plot: dict) -> dict[str, np.ndarray]:
    return {k: np.frombuffer(base64.b64decode(b), dtype=f"<{kind}") for k, (kind, b) in plot["arrays"].items()}


def test_decay_is_logarithmic_with_its_response() -> None:
    data = samples.decay()
    shown = plots.panel(data)
    assert shown is not None
    plot = plots.plot(shown)
    assert plot["layout"]["yaxis"]["type"] == "log"
    assert plot["of"] == 12_500
    assert arrays(plot)["s0"].max() == data["signal"].max()
    names = [t["name"] for t in plot["data"] if "name" in t]
    assert names == ["IRF (scaled)", "Decay 1", "Decay 2", "Background", "Data", "Fit", "Residual"]
    assert {t["y"].removeprefix("@") for t in plot["data"]} | {"x"} == set(plot["arrays"])


def test_binding_energy_runs_from_right_to_left_and_parts_stand_on_the_background() -> None:
    data = samples.lead()
    shown = plots.panel(data)
    assert shown is not None
    low, high = plots.plot(shown)["layout"]["xaxis"]["range"]
    assert low > high
    top = data["component_lead_halide"] + data["component_background"]
    assert np.allclose(shown.components["lead_halide"], top)


def test_batch_shows_some() -> None:
    data = xr.Dataset(
        {"signal": (("batch", "channel"), np.random.default_rng(0).normal(size=(50, 30)), {"units": "1"})},
        coords={"channel": ("channel", np.arange(30.0), {"units": "1"})},
    )
    shown = plots.panel(data)
    assert shown is not None
    assert shown.rows == ([0, 10, 20, 29, 39, 49], 50)
    assert len(plots.plot(shown)["data"]) == 6


def test_nothing_to_draw() -> None:
    picture = xr.Dataset({"signal": (("y", "x"), np.ones((3, 3)))})
    assert plots.panel(picture) is None
    assert plots.panel(xr.Dataset()) is None
    with pytest.raises(InputError, match="nothing to draw"):
        figures.figure(picture, None)


@pytest.mark.parametrize("values", [np.zeros(20), np.full(20, np.nan), np.full(20, -3.0)])
def test_odd_signals(values: np.ndarray) -> None:
    data = samples.dataset(
        "time_ns", np.arange(20.0), "ns", {"background": np.ones(20)}, np.random.default_rng(0), technique="trpl"
    )
    data["signal"].values[:] = values
    data["residual"].values[:] = np.nan
    shown = plots.panel(data)
    assert shown is not None
    plots.plot(shown)
    figures.figure(data, {})


def test_figure_files(tmp_path: Path) -> None:
    for made, name in (
        (samples.lead(), "lead.png"),
        (samples.raman(), "raman.svg"),
        (samples.decay(4000), "decay.pdf"),
    ):
        path = figures.save(made, {"chi2_reduced": 1.02}, tmp_path / "new" / name, title="A $x_1$ <b> \\frac{")
        assert path.stat().st_size > 5000
    first = (tmp_path / "new" / "lead.png").read_bytes()
    figures.save(samples.lead(), {"chi2_reduced": 1.02}, tmp_path / "new" / "lead.png", title="A $x_1$ <b> \\frac{")
    assert (tmp_path / "new" / "lead.png").read_bytes() == first
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["decay.pdf", "lead.png", "raman.svg"]
    with pytest.raises(InputError, match=r"\.png"):
        figures.save(samples.lead(), {}, tmp_path / "x.exe")
