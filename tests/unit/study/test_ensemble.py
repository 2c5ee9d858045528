"""Ensembles: the same measurement with many seeds, in parts that are kept, and what is said of the spread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.study import schema
from perolas.study.run import run
from perolas.study.steps_ensemble import Ensemble, seed_of

Write = Callable[..., Path]
TOY = '[[measurement]]\nname = "counts"\ntechnique = "toy"\nsimulate = true\noptions = {{ mood = "{mood}" }}\n'
MANY = (
    '[[step]]\nname = "many"\nkind = "ensemble"\nmeasurement = "counts"\nquantities = ["mean", "twice"]\n'
    "repeats = {repeats}\nchunk = {chunk}\n"
)


def made(text: str, write: Write, out: Path) -> dict:
    items = {i["name"]: i for i in run(write(text), out)["items"]}
    return items["many"]


def test_mean_spread_and_the_honesty_of_the_stated_error(toy: ModuleType, write: Write, tmp_path: Path) -> None:
    """Truth: the mean of 50 Poisson counts of mean 100 has the mean 100 and the standard deviation sqrt(100 / 50)."""
    item = made(TOY.format(mood="good") + MANY.format(repeats=400, chunk=50), write, tmp_path / "out")
    assert item["status"] == "done", item["error"]
    found = item["quantities"]
    assert abs(found["mean_mean"]["value"] - 100.0) < 4 * found["mean_mean"]["std"]
    assert found["mean_mean"]["std"] == pytest.approx(np.sqrt(2.0 / 400), rel=0.1)
    assert abs(found["mean_spread"]["value"] - np.sqrt(2.0)) < 4 * found["mean_spread"]["std"]
    # The error of a standard deviation of n normal numbers is s / sqrt(2 n).
    assert found["mean_spread"]["std"] == pytest.approx(np.sqrt(2.0) / np.sqrt(800), rel=0.25)
    assert abs(found["mean_spread_over_error"]["value"] - 1.0) < 0.2
    assert found["twice_spread"]["value"] == pytest.approx(2 * found["mean_spread"]["value"], rel=1e-9)
    assert found["failed"]["value"] == 0.0


def test_chunks_change_nothing_and_a_longer_ensemble_takes_over_a_shorter_one(
    toy: ModuleType, write: Write, tmp_path: Path
) -> None:
    first = made(TOY.format(mood="good") + MANY.format(repeats=20, chunk=10), write, tmp_path / "a")
    other = made(TOY.format(mood="good") + MANY.format(repeats=20, chunk=7), write, tmp_path / "b")
    assert first["quantities"] == other["quantities"]
    kept = {p.name for p in (tmp_path / "a" / "store").glob("??/*")}
    made(TOY.format(mood="good") + MANY.format(repeats=30, chunk=10), write, tmp_path / "a")
    # Of three chunks one is new, beside the ensemble itself.
    assert len({p.name for p in (tmp_path / "a" / "store").glob("??/*")} - kept) == 2


def test_seeds_differ_and_follow_from_the_number_alone() -> None:
    given = {"name": "x", "kind": "ensemble", "measurement": "m", "quantities": ["a"]}
    step, longer = Ensemble(**given, repeats=50), Ensemble(**given, repeats=5000)
    seeds = [seed_of(step, i) for i in range(50)]
    assert len(set(seeds)) == 50
    assert seeds == [seed_of(longer, i) for i in range(50)]
    assert seeds != [seed_of(Ensemble(**given, repeats=50, seed=1), i) for i in range(50)]


def test_fits_that_fail_are_counted(toy: ModuleType, write: Write, tmp_path: Path) -> None:
    for mood in ("error", "slow"):
        item = made(TOY.format(mood=mood) + MANY.format(repeats=4, chunk=2), write, tmp_path / mood)
        assert item["status"] == "failed"
        assert "4 of 4 repetitions failed" in item["error"]


def test_what_cannot_be_repeated_is_refused(toy: ModuleType, write: Write, tmp_path: Path) -> None:
    real = '[[measurement]]\nname = "counts"\ntechnique = "toy"\nfile = "a.csv"\n'
    with pytest.raises(InputError, match="cannot be made again"):
        run(write(real + MANY.format(repeats=4, chunk=2)), tmp_path / "out", data=tmp_path)
    item = made(
        TOY.format(mood="good") + MANY.format(repeats=4, chunk=2).replace('"twice"', '"thrice"'), write, tmp_path / "x"
    )
    assert 'no quantity "thrice"; there are: mean, twice' in item["error"]
    assert schema.load(write(TOY.format(mood="good") + MANY.format(repeats=4, chunk=2))).kind_of("many") == "ensemble"
