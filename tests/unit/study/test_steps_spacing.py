"""The step "spacing": what a stated lattice spacing says about phases and planes, in a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from perolas.core.errors import InputError
from perolas.measurements.hrtem.verdict import odds
from perolas.study import schema, steps
from perolas.study.run import run

Write = Callable[..., Path]

STEP = """
[[step]]
name = "fringes"
kind = "spacing"
spacing = "0.581 nm"
calibration_std = "1 %"
candidates = ["CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic", "Cs4PbBr6", "CsBr"]
[step.planes]
claimed = { phase = "CsPbBr3_monoclinic", hkl = [1, 0, 0] }
forbidden = { phase = "Cs4PbBr6", hkl = [0, 0, 3] }
"""


def test_the_step_gives_what_the_function_gives(write: Write, tmp_path: Path) -> None:
    """Truth: the library's own odds; spacings by hand: 5.827 sin(89.65 deg) and 17.30 / 3 angstrom."""
    item = run(write(STEP), tmp_path / "out")["items"][0]
    assert item["status"] == "done", item["error"]
    found = item["quantities"]
    names = ["CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic", "Cs4PbBr6", "CsBr"]
    direct = odds(0.581, 0.01, names)
    for name in names:
        assert found[f"probability_{name}"]["value"] == pytest.approx(direct.probability(name))
    assert sum(found[f"probability_{n}"]["value"] for n in names) == pytest.approx(1.0)
    assert found["compound_CsPbBr3"]["value"] == pytest.approx(direct.compounds["CsPbBr3"][0])
    assert found["claimed"]["value"] == pytest.approx(direct.plane_probability("CsPbBr3_monoclinic", (1, 0, 0)))
    assert found["claimed_spacing"]["value"] == pytest.approx(0.58269, abs=2e-5)
    assert found["claimed_difference"]["value"] == pytest.approx(0.581 - 0.58269, abs=2e-5)
    assert found["claimed_relative"]["value"] == pytest.approx(-0.29, abs=0.01)
    assert found["claimed_relative"]["std"] == pytest.approx(1.0, rel=0.02)  # the scale's per cent
    assert found["forbidden_spacing"]["value"] == pytest.approx(1.730 / 3, abs=1e-6)
    assert direct.verdict in " ".join(item.get("warnings", [direct.verdict]))


def test_a_spacing_may_come_from_another_item(write: Write, tmp_path: Path) -> None:
    first = (
        '[[step]]\nname = "m"\nkind = "arithmetic"\ngiven = { d = "0.43 +- 0.002 nm" }\n'
        'quantities = { d2 = { expression = "d", unit = "nm" } }\n'
    )
    text = first + '[[step]]\nname = "s"\nkind = "spacing"\nspacing = { from = "m.d2" }\n'
    item = run(write(text), tmp_path / "out")["items"][1]
    assert item["status"] == "done", item["error"]
    assert item["quantities"]["none_of_these"]["value"] < 0.5
    step = schema.load(write(text)).steps["s"]
    assert set(steps.kind_of(step).gives(step) or []) == set(item["quantities"])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"CsBr"]', '"CsBrr"]', "The candidate"),
        ('"CsBr"]', '"CsPbBr3"]', "named twice"),
        ("[1, 0, 0]", "[0, 0, 0]", "0 0 0"),
        ("[1, 0, 0]", "[1, 0]", "line"),
        ("claimed =", "probability_x =", "gives anyway"),
        ('phase = "Cs4PbBr6"', 'phase = "PbBr2"', "The candidate|the candidate"),
    ],
)
def test_bad_steps_are_refused_with_their_line(write: Write, tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)line \d+.*({sentence})|({sentence})"):
        run(write(STEP.replace(old, new)), tmp_path / "out")


def test_bad_numbers_fail_alone(write: Write, tmp_path: Path) -> None:
    for wrong in ('"-0.5 nm"', '"0.5 eV"', '"abc"'):
        item = run(write(STEP.replace('"0.581 nm"', wrong)), tmp_path / f"out{len(wrong)}")["items"][0]
        assert item["status"] == "failed"
        assert item["error"].count("\n") == 0


def test_its_code_runs(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    step = schema.load(write(STEP)).steps["fringes"]
    exec(compile(steps.kind_of(step).code(step), "fringes", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert "belongs to CsPbBr3" in printed
    assert "claimed 0.1" in printed
