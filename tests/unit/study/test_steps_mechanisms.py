"""The step "mechanisms": two lifetimes and what may lie behind them, in a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from perolas.measurements.trpl.series_power import mechanisms_for
from perolas.study import schema, steps
from perolas.study.run import run

Write = Callable[..., Path]
STEP = '[[step]]\nname = "m"\nkind = "mechanisms"\nlonger = "0.272 us"\nshorter = "135 ns"\n'


def test_the_step_gives_what_the_functions_give(write: Write, tmp_path: Path) -> None:
    """Truth: both mechanisms give the stated ratio by the stated mean; by amplitude fewer traps change nothing."""
    path = write(STEP)
    item = run(path, tmp_path / "out")["items"][0]
    assert item["status"] == "done", item["error"]
    found = {k: q["value"] for k, q in item["quantities"].items()}
    for rival in ("loss", "traps"):
        assert found[f"{rival}_intensity_ratio"] == pytest.approx(272 / 135, rel=1e-6)
    # Without loss the light that is emitted is that of 1/k_r whatever the traps do; a loss takes its share of it.
    assert found["traps_amplitude_ratio"] == pytest.approx(1.0, rel=1e-9)
    assert found["loss_amplitude_ratio"] == pytest.approx(1 / found["loss_quantum_yield"], rel=1e-6)
    direct = mechanisms_for(272.0, 135.0)
    assert found["traps_trap_ratio"] == pytest.approx(direct["traps"]["trap_ratio"])
    assert found["counts_reference_traps"] < found["counts_reference_loss"]
    step = schema.load(path).steps["m"]
    assert set(steps.kind_of(step).gives(step) or []) == set(found)
    assert "0.75" in " ".join(item["warnings"])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('longer = "100 ns"\nshorter = "135 ns"', "must be below the longer one"),
        ('longer = "272 ns"\nshorter = "5 eV"', '"shorter" must be a time'),
        ('longer = "272 ns"\nshorter = "-1 ns"', '"shorter" must be a time'),
    ],
)
def test_what_cannot_be_is_said(write: Write, tmp_path: Path, line: str, sentence: str) -> None:
    item = run(write(f'[[step]]\nname = "m"\nkind = "mechanisms"\n{line}\n'), tmp_path / "out")["items"][0]
    assert item["status"] == "failed"
    assert sentence in item["error"]
