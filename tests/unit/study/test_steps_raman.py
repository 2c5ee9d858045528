"""The step "raman_shift": stated shifts of Raman lines, and whether they mean drift or strain, in a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from perolas.measurements.raman.drift import lines_of_phase, odds
from perolas.study import schema, steps
from perolas.study.run import run

Write = Callable[..., Path]
LINES = 'before = ["63 +- 0.29 cm-1", "77 +- 0.29 cm-1", "118 +- 0.29 cm-1"]\n'
AFTER = 'after = ["61 +- 0.29 cm-1", "75 +- 0.29 cm-1", "116 +- 0.29 cm-1"]\n'
STEP = f'[[step]]\nname = "r"\nkind = "raman_shift"\nlaser = "785 nm"\n{LINES}{AFTER}'


def test_the_step_gives_what_the_function_gives(write: Write, tmp_path: Path) -> None:
    """Truth: the paper's three shifts of -2 cm-1; 785^2 * 2e-7 / (1 - 785e-7 * 76)^2 = 0.1247 nm moves lines so far."""
    path = write(STEP)
    item = run(path, tmp_path / "out")["items"][0]
    assert item["status"] == "done", item["error"]
    found = {k: q["value"] for k, q in item["quantities"].items()}
    direct = odds([-2.0] * 3, 0.29 * 2**0.5, lines_of_phase([63.0, 77.0, 118.0]))
    assert found["drift"] == pytest.approx(-0.1247, abs=0.0005)
    assert found["probability_drift"] == pytest.approx(direct.probability["drift"])
    assert found["drift_over_strain"] == pytest.approx(direct.drift_over_strain)
    assert "do not show a strain" in " ".join(item["warnings"])
    step = schema.load(path).steps["r"]
    assert set(steps.kind_of(step).gives(step) or []) == set(found)
    assert "raman.axis_drift" in item["parameters_used"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (STEP.replace("63 +- 0.29 cm-1", "63 cm-1").replace("61 +- 0.29 cm-1", "61 cm-1"), "Line 1 needs an error"),
        (STEP.replace("63 +- 0.29 cm-1", "63 nm"), '"before 1" must be a quantity in cm-1'),
        (STEP.replace('laser = "785 nm"', 'laser = "-785 nm"'), '"laser" must be positive'),
        (STEP + 'drift = "0 nm"\n', "drift"),
    ],
)
def test_what_cannot_be_is_said(write: Write, tmp_path: Path, text: str, sentence: str) -> None:
    item = run(write(text), tmp_path / "out")["items"][0]
    assert item["status"] == "failed"
    assert sentence in item["error"]
