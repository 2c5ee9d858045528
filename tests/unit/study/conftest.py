"""A technique that costs nothing: the mean of the counts, without jax."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from perolas.core.errors import FitError
from perolas.core.observation import make_observation
from perolas.measurements import registry
from perolas.measurements.registry import Option, Technique

HEAD = '[study]\nid = "tiny"\ntitle = "A tiny study"\ndoi = "10.1/tiny"\n'


class Mean:
    """What the tests use of an `Estimate`."""

    batch_shape = ()
    names = ("mean", "twice")

    def __init__(self, observation: xr.Dataset, result: str = "converged") -> None:
        signal = observation["signal"].values
        self.data = observation
        self.result = result
        mean, std = float(signal.mean()), float(signal.std() / np.sqrt(signal.size))
        self.std = np.array([std, 2 * std])
        self.values = np.array([mean, 2 * mean])
        self.covariance = np.outer(self.std, self.std)  # fully correlated
        self.quantities = {
            n: SimpleNamespace(value=v, std=s, unit="counts", definition="")
            for n, v, s in zip(self.names, self.values, self.std, strict=True)
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "technique": "toy",
            "quantities": {n: vars(q) for n, q in self.quantities.items()},
            "result": self.result,
            "message": "it ended.",
            "warnings": ["a warning"],
        }

    def to_dataset(self) -> xr.Dataset:
        return self.data[["signal"]].assign(expected=self.data["signal"] * 0 + self.values[0])

    def __str__(self) -> str:
        return f"mean {self.values[0]:.3f}"


def _simulate(specimen: Any = None, *, seed: int = 0, level: float = 100.0) -> xr.Dataset:
    signal = np.random.default_rng(seed).poisson(level, 50).astype(float)
    return make_observation(signal, "time_ns", np.arange(50.0), technique="toy", seed=seed)


def _fit(observation: xr.Dataset, *, mood: str = "good", other: xr.Dataset | None = None) -> Mean:
    if mood == "error":
        raise FitError("The fit found nothing.")
    if mood == "bug":
        raise ZeroDivisionError("a bug")
    if other is not None:
        assert "signal" in other
    return Mean(observation, "max_steps" if mood == "slow" else "converged")


TOY = Technique(
    "toy",
    "perolas_toy",
    "a mean",
    "time_ns",
    "counts",
    (
        Option("mood", "choice", "what happens", "good", choices=("good", "error", "bug", "slow")),
        Option("other", "file", "a second file"),
        Option("level", "quantity", "counts", 100.0, "counts", simulate=True),
    ),
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The technique "toy", in the registry for one test."""
    module = ModuleType("perolas_toy")
    module.fit, module.simulate = _fit, _simulate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "perolas_toy", module)
    monkeypatch.setattr(registry, "_BUILT_IN", (*registry._BUILT_IN, TOY))
    monkeypatch.setattr("perolas.study.store.find_spec", lambda name: None)
    registry.techniques.cache_clear()
    yield module
    registry.techniques.cache_clear()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a study file: the head and what is given."""

    def writer(text: str, head: str = HEAD) -> Path:
        path = tmp_path / "study.toml"
        path.write_text(head + text, encoding="utf-8")
        return path

    return writer
