"""Powder patterns in studies and on the command line: limits that kinetics take, series as tables and files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.matter.specimen import Specimen
from perolas.measurements import xrd
from perolas.study import expression, steps, steps_xrd

PHASES = "Cs4PbBr6,CsPbBr3,CsBr"
CONVERTED = (0.0, 0.0, 0.3, 0.7, 1.0)


def series_step(numbers, **changes):
    table = {"name": "s", "kind": "series", "patterns": ["a", "b", "c", "d"], "times": ["0 h", "20 min", "2 h", "5 h"]}
    step = steps.read_step(table | changes)
    kind = steps.kind_of(step)
    return step, kind, kind.compute(step, lambda name: expression.number(*numbers(name)))


def known(name):
    """CsPbBr3 appears in the third pattern, Cs4PbBr6 is gone in the fourth."""
    item, _, quantity = name.partition(".")
    if quantity.startswith("detection_limit"):
        return 0.02, {}, "1"
    product = {"a": 0.0, "b": 0.01, "c": 0.4, "d": 0.6}[item]
    value = product if quantity.endswith("CsPbBr3") else 0.6 - product
    return value, {name: 0.005}, "1"


def test_a_series_of_fits_has_onset_and_completion():
    step, kind, found = series_step(known)
    onset, completion = found.quantities["onset"].number, found.quantities["completion"].number
    assert (onset.value, completion.value) == (pytest.approx((1 / 3 + 2) / 2), 3.5)
    assert onset.std == pytest.approx((2 - 1 / 3) / 12**0.5)  # a uniform law over the interval
    assert found.quantities["onset_after"].number.value == pytest.approx(1 / 3)
    assert found.quantities["completion_by"].number.value == 5.0
    assert found.dataset.attrs["plot"] == "curves"
    assert "c.weight_fraction_CsPbBr3" in kind.inputs(step)
    assert set(found.quantities) <= set(kind.gives(step))
    assert not found.warnings


def test_a_series_says_what_it_does_not_hold():
    _, _, found = series_step(lambda name: (0.5, {name: 0.01}, "1") if "fraction" in name else (0.02, {}, "1"))
    assert not found.quantities
    assert any("is seen no more after 5 h, if ever" in w for w in found.warnings)
    for changes, sentence in (({"times": ["0 h", "1 h"]}, "4 patterns for 2 times"), ({"times": [3, 2, 1, 0]}, "h")):
        with pytest.raises(InputError, match=sentence):
            series_step(known, **changes)


@pytest.mark.full
def test_kinetics_take_what_a_scan_can_see():
    """A step gives limits, and the transformation names it: the one that is asked is the other's quantity."""
    table = {
        "name": "t", "kind": "transformation", "draws": 20,
        "calibrate": {"dark_onset": "8 h", "light_completion": "5 h", "dark": "dark", "light": "light"},
        "runs": {"dark": {"water": "125 uL"}, "light": {"wavelength": "365 nm", "irradiance": "2 mW/cm^2"}},
        "watch": {"onset_limit": {"from": "scan.onset_limit"}, "completion_limit": {"from": "scan.completion_limit"}},
    }  # fmt: skip
    step = steps.read_step(table)
    kind = steps.kind_of(step)
    assert kind.inputs(step) == ["scan.onset_limit", "scan.completion_limit"]
    limits = {"scan.onset_limit": 0.005, "scan.completion_limit": 0.99}
    sharp = kind.compute(step, lambda n: expression.number(limits[n], {}, "1"))
    limits = {"scan.onset_limit": 0.10, "scan.completion_limit": 0.95}
    blunt = kind.compute(step, lambda n: expression.number(limits[n], {}, "1"))
    # A diffractometer that sees less sees the beginning later and the end earlier; the chemistry is the same.
    for name, sign in (("dark_onset", -1), ("dark_completion", 1)):
        assert sign * (sharp.quantities[name].number.value - blunt.quantities[name].number.value) > 0
    assert "scan_onset_limit" in kind.code(step)
    assert kind.trace(step, "dark_onset").inputs == ("scan.onset_limit", "scan.completion_limit")
    with pytest.raises(InputError, match="stripping"):
        kind.inputs(steps.read_step(table | {"watch": {"stripping_h1": 1.0}}))


@pytest.mark.full
def test_the_step_of_the_limits():
    step = steps.read_step(
        {"name": "scan", "kind": "detection_limit", "counts": 1000, "start": "11 deg", "end": "36 deg",
         "step": "0.05 deg", "march": 0.5, "rate_per_s": 100}
    )  # fmt: skip
    found = steps_xrd._limits(step, lambda name: pytest.fail(name))
    limits = {k: q.number.value for k, q in found.quantities.items()}
    assert 0 < limits["weight_limit"] < limits["onset_limit"] < 0.05 < limits["completion_limit"] < 1
    assert found.dataset["curve"].shape[0] == 2
    assert found.dataset.attrs["x_label"] == "time of the scan (min)"
    compile(steps.kind_of(step).code(step), "code", "exec")
    wrong = steps.read_step({"name": "scan", "kind": "detection_limit", "counts": 1000, "step": "1 h"})
    with pytest.raises(InputError, match='"step" must be in deg'):
        steps_xrd._limits(wrong, lambda name: pytest.fail(name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("series")
    for i, x in enumerate(CONVERTED):
        o = xrd.simulate(
            Specimen.from_conversion(x), phases=PHASES.split(","), seed=i, span=(11, 36), step=0.05, counts=2000
        )
        np.savetxt(made / f"p{i}.xy", np.c_[o["two_theta_deg"].values, o["signal"].values], fmt="%.2f %d")
    return made


@pytest.mark.full
def test_a_series_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Truth: the specimens, whose sizes shrink as they convert; then the curve goes on to the kinetics."""
    files = [str(folder / f"p{i}.xy") for i in range(len(CONVERTED))]
    asked = ["--times", "0 60 120 180 300 min", "--phases", PHASES, "--anode", "Cu"]
    curve, figure = folder / "c.csv", folder / "c.png"
    assert main(["series", *files, *asked, "--curve", str(curve), "--figure", str(figure), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["onset"], found["completion"]) == ([1.0, 2.0], [3.0, 5.0])
    for x, value, std in zip(CONVERTED[2:4], found["converted"][2:4], found["converted_std"][2:4], strict=True):
        assert abs(value - x) < 4 * std
    rows = [[float(v) for v in line.split(",")] for line in curve.read_text().splitlines()[1:]]
    assert [r[0] for r in rows] == [0, 1, 2, 3, 5]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert main(["series", *files[:2], *asked]) == 2  # five times for two patterns
    assert "rising times" in capsys.readouterr().err


@pytest.mark.full
def test_a_forecast_watched_by_a_pattern(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {f"detection_limit_{n}": {"value": v} for n, v in (("CsPbBr3", 0.05), ("Cs4PbBr6", 0.05))}
    pattern = tmp_path / "p.json"
    pattern.write_text(json.dumps({"quantities": rows}))
    assert main(["transform", "--draws", "20", "--pattern", str(pattern), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["limits"]["completion_limit"] == pytest.approx(0.95, abs=1e-3)
    pattern.write_text("{}")
    for arguments, sentence in (
        (["--pattern", str(pattern)], "holds no detection limit"),
        (["--pattern", str(tmp_path / "none.json")], "cannot be read"),
        (["--pattern", str(pattern), "--counts", "1000"], "not both"),
        (["--counts", "0.1"], "count for longer"),
    ):
        assert main(["transform", "--draws", "20", *arguments]) == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.xy", "--times", "0 1 h", "--phases", PHASES], "no file"),
        (["none.xy", "--times", "soon h", "--phases", PHASES], "Times are written"),
        (["none.xy", "--times", "0 1 h", "--phases", PHASES, "--figure", "x.bmp"], "must end in"),
        (["none.xy", "--times", "0 1 h", "--phases", PHASES, "--curve", "no/x.csv"], "does not exist"),
    ],
)
def test_bad_series_are_a_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["series", *arguments]) == 2
    assert sentence in capsys.readouterr().err
