"""Stability: the course of the law, what a series determines, the band of what is carried on, tables, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from perolas import io
from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.matter.ageing import emission_kept
from perolas.matter.specimen import Specimen
from perolas.measurements import stability
from perolas.measurements.stability.model import Stability
from perolas.measurements.stability.series import known_rate


def series(emission, time=None, **more):
    emission = np.asarray(emission, dtype=float)
    return make_observation(emission, "time_d", np.arange(emission.shape[-1]) if time is None else time,
                            units="arb", **more)  # fmt: skip


@pytest.fixture(scope="module")
def found():
    """A sample with many defects, followed for 45 d to 55 %, carried on to 90 d."""
    seen = stability.simulate(seed=2, ratio=1.135, true_dark_rate=0.0207, times=24, counts=1e6)
    return stability.fit(seen, until=90.0)


def test_the_course_of_a_sample_is_that_of_the_law_of_ageing():
    """Truth: r = 1.135 and k_w = 0.0207/d keep 55 % after 45 d, r = 0.060 keeps 92 % (module ageing_calibration)."""
    for ratio, kept in ((1.135, 0.55), (0.060, 0.92)):
        model = Stability(ratio=ratio, dark_rate=0.0207, scale=[1.0])
        assert abs(float(model.kept(45.0)) - kept) < 0.003
        assert abs(float(model.kept(45.0)) - float(emission_kept(ratio, 45 * 0.0207))) < 1e-12


def test_a_specimen_decides_its_ratio_alone():
    """Truth: PLQY = 1/(1 + r) of the trapping picture; 0.751 for the loss that makes 135 ns of 272 ns."""
    state = Specimen.of("CsPbBr3", trap_ratio=1.703, loss_ratio=0.0157)
    seen = Stability(dark_rate=0.05, scale=[7.0]).respond(state)
    assert abs(float(seen.derived()["quantum_yield"]) - 0.751) < 0.001
    assert float(seen.dark_rate) == 0.05
    assert float(seen.scale[0]) == 7.0


def test_a_long_series_gives_back_its_numbers(found):
    """Truth: what was simulated."""
    assert found.result == "converged"
    for name, value in (("ratio", 1.135), ("dark_rate", 0.0207), ("quantum_yield", 1 / 2.135)):
        assert abs(found[name].value - value) < 4 * found[name].std, name
    assert found["dark_rate"].std < 0.003


def test_what_is_carried_on_has_a_band_that_holds_the_truth_and_a_warning(found):
    """Truth: the law at 90 d. The band is of 68 %; three times as wide is as good as certain."""
    truth = float(Stability(ratio=1.135, dark_rate=0.0207, scale=[1.0]).kept(90.0))
    half = found["kept_until"].std
    assert found["kept_until_low"].value < found["kept_until"].value < found["kept_until_high"].value
    assert abs(found["kept_until"].value - truth) < 3 * half
    assert half < 0.05
    assert any("2 times the length" in w for w in found.warnings)


@pytest.mark.full
def test_replicates_of_unknown_errors_share_one_course():
    """Truth: what was simulated, the lamp included, which all replicates share."""
    model = Stability(ratio=1.135, dark_rate=0.0207, scale=[100.0, 90.0, 120.0], time=np.linspace(0, 60, 16))
    rng = np.random.default_rng(3)
    lamp = 0.02 * rng.standard_normal(16)
    clean = np.outer(model.scale, model.kept(model.time)) * np.exp(lamp)
    seen = series(clean * (1 + 0.005 * rng.standard_normal((3, 16))), time=np.asarray(model.time))
    with_lamp = stability.fit(seen, lamp=0.02)
    assert abs(with_lamp["kept_last"].value - float(model.kept(60.0))) < 4 * with_lamp["kept_last"].std
    # Three of its sixteen degrees of freedom look like a course and go there.
    assert np.corrcoef([with_lamp[f"lamp_{i + 1}"].value for i in range(16)], lamp)[0, 1] > 0.7
    assert abs(with_lamp["scale_3"].value / with_lamp["scale_2"].value - 120 / 90) < 0.02


@pytest.mark.parametrize(
    ("header", "factor", "count"),
    [("time (d),emission,error", 1.0, 1), ("t (min);PL;sd", 1 / 1440, 1), ("days\ta\tb", 1.0, 2)],
)
def test_tables_are_read(tmp_path, header, factor, count):
    """Truth: the numbers written."""
    mark = "," if "," in header else ";" if ";" in header else "\t"
    rows = [mark.join(f"{v:g}" for v in (10 * i, 100 - i, 2.5)) for i in range(6)]
    path = tmp_path / "series.csv"
    path.write_text(header + "\n" + "\n".join(rows) + "\n")
    seen = io.read(path, technique="stability", axis="time_d")
    np.testing.assert_allclose(seen["time_d"].values, 10 * np.arange(6) * factor)
    assert seen["signal"].ndim == count
    if count == 1:
        np.testing.assert_allclose(seen["variance"].values, 6.25)
        np.testing.assert_allclose(seen["signal"].values, 100 - np.arange(6))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time (d),a\n0,1\n1,-2\n2,1\n3,1\n", "negative"),
        ("time (d),a\n0,1\n1,2\n1,1\n3,1\n", "does not rise"),
        ("time (d),a,error\n0,1,0\n1,2,1\n2,1,1\n", "must be positive"),
        ("time (d),a,error,b\n0,1,1,2\n1,2,1,3\n2,1,1,2\n", "all or none"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        io.read(path, technique="stability", axis="time_d")


@pytest.mark.parametrize(
    ("seen", "options", "said"),
    [
        (make_observation(np.ones(8), "time_ns", np.arange(8.0)), {}, "in days"),
        (series([1.0, 0.9, 0.8]), {}, "too few"),
        (series(np.zeros(8)), {}, "no emission at all"),
        (series(np.ones(8), time=np.arange(-2.0, 6.0)), {}, "before the start"),
        (series(np.linspace(1, 0.5, 8)), {"lamp": 0.02}, "cannot be told"),
        (series(np.linspace(1, 0.5, 8)), {"drift": 2.0}, "below 1"),
        (series(np.linspace(1, 0.5, 8)), {"surroundings": "air"}, "not known"),
        (series(np.linspace(1, 0.5, 8)), {"dark_rate": "slow"}, "must be a rate"),
    ],
)
def test_series_that_cannot_be_fitted_are_refused(seen, options, said):
    with pytest.raises(InputError, match=said):
        stability.fit(seen, **options)


def test_rates_are_read_with_their_errors():
    assert known_rate("0.02 +- 0.004 1/d") == (0.02, 0.004)
    assert known_rate(0.5) == (0.5, 0.0)
    assert known_rate("1 1/h")[0] == pytest.approx(24.0)
    assert known_rate(None) is None


@pytest.mark.full
def test_light_and_water_are_parted_by_a_known_rate():
    """Truth: what was simulated; the light's efficiency is its rate over the dose of a day."""
    seen = stability.simulate(
        seed=1, surroundings="both", span=2.0, times=40, ratio=0.5, true_dark_rate=0.02, true_light_rate=2.0, counts=1e6
    )
    found = stability.fit(seen, surroundings="both", dark_rate="0.02 +- 0.002 1/d", excitations=3000.0)
    assert abs(found["light_rate"].value - 2.0) < 4 * found["light_rate"].std
    assert found["efficiency"].value == pytest.approx(found["light_rate"].value / 3000.0 / 86400.0)


@pytest.mark.full
def test_scatter_beside_counting_is_found_and_makes_errors_honest():
    """Truth: 2 % of scatter; pulls of 60 series, whose counting errors alone would be 20 times too small."""
    pulls, sizes = [], []
    for seed in range(60):
        seen = stability.simulate(
            seed=seed, ratio=1.0, true_dark_rate=0.05, times=40, counts=1e6, scatter=0.02, span=60.0
        )
        found = stability.fit(seen)
        truth = float(Stability(ratio=1.0, dark_rate=0.05, scale=[1.0]).kept(60.0))
        pulls.append((found["kept_last"].value - truth) / found["kept_last"].std)
        sizes.append(found["scatter"].value)
    assert abs(np.mean(sizes) - 0.02) < 0.002
    assert abs(np.mean(pulls)) < 4 / np.sqrt(60)
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(120)
