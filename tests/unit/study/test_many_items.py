"""A study of thousands of measurements: bounded memory, a page that can still be opened."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from perolas.core.observation import make_observation
from perolas.report.page import write as write_report
from perolas.study.run import run

Write = Callable[..., Path]


@pytest.mark.parametrize("number", [150, pytest.param(2000, marks=pytest.mark.full)])
def test_many_measurements_stay_readable(
    toy: ModuleType, write: Write, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wide(specimen: object = None, *, seed: int = 0, level: float = 100.0) -> object:
        signal = np.random.default_rng(seed).poisson(level, 2000).astype(float)
        return make_observation(signal, "time_ns", np.arange(2000.0), technique="toy", seed=seed)

    monkeypatch.setattr(toy, "simulate", wide)
    text = "".join(
        f'[[measurement]]\nname = "m{i}"\ntechnique = "toy"\nsimulate = true\n'
        + ('options = { mood = "error" }\n' if i == 140 else "")
        for i in range(number)
    )
    text += '[[claim]]\nid = "c"\ntext = "t"\nvalue = 100\nunit = "counts"\ntolerance = 2\nquantity = "m145.mean"\n'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run(write(text), tmp_path / "out", report=write_report)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    assert grown_mb < 300 + 0.1 * number  # the data of each, 0.1 MB, may not stay; its numbers do
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert len(page) < 30e6
    assert len(result["items"]) == number
    # What answers a claim and what failed have a section; everything has a place that can be linked to.
    assert 'id="plot-m145"' in page
    assert "The fit found nothing." in page
    assert all(f'id="m{i}"' in page for i in range(number))
    assert f"{number - 120} further items" in page
    assert page.count('class="plot"') <= 120
