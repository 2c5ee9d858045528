"""Certified nonlinear regressions of the NIST StRD, solved through `invert` itself.

Truth: the certified values and standard deviations in the files (US Government, public domain).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core.invert import invert
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter
from perolas.core.solver import LevenbergMarquardt

EXP, PI = jnp.exp, jnp.pi
MODELS = {
    "Misra1a": lambda b, x: b[0] * (1 - EXP(-b[1] * x)),
    "BoxBOD": lambda b, x: b[0] * (1 - EXP(-b[1] * x)),
    "Chwirut1": lambda b, x: EXP(-b[0] * x) / (b[1] + b[2] * x),
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "Eckerle4": lambda b, x: b[0] / b[1] * EXP(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss1": lambda b, x: (
        b[0] * EXP(-b[1] * x) + b[2] * EXP(-(((x - b[3]) / b[4]) ** 2)) + b[5] * EXP(-(((x - b[6]) / b[7]) ** 2))
    ),
    "Hahn1": lambda b, x: (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3),
    "Kirby2": lambda b, x: (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2),
    "Lanczos1": lambda b, x: b[0] * EXP(-b[1] * x) + b[2] * EXP(-b[3] * x) + b[4] * EXP(-b[5] * x),
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * EXP(-b[2] * x[1]),
    "Thurber": lambda b, x: (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3),
}
MODELS["Gauss3"] = MODELS["Gauss1"]
# Lanczos1 is noise-free to 14 digits: its certified residuals lie below what float64 can hold of its data.
DIGITS = dict.fromkeys(MODELS, (6, 4)) | {"Lanczos1": (2, 2)}


class Regression(AbstractMeasurement):
    """A NIST model as a measurement."""

    technique: ClassVar[str] = "nist"
    axis_name: ClassVar[str] = "channel"
    response_sets: ClassVar[tuple[str, ...]] = ()
    derived_table: ClassVar[dict[str, Derived]] = {}
    b: jnp.ndarray = parameter("1", "parameter of the model", name="b", vector=True)
    x: jnp.ndarray
    noise: AbstractNoise
    model: str = eqx.field(static=True)

    @property
    def axis(self):
        return jnp.arange(self.x.shape[-1], dtype=float)

    def expected(self):
        return MODELS[self.model](self.b, self.x)

    def respond(self, state):
        return self

    def components(self):
        return {}

    def derived(self):
        return {}


def load(path: Path):
    """Return starts (2, p), certified values and deviations (p,), x and y (log y for Nelson, as its model says)."""
    text = path.read_text()
    rows = re.findall(r"^\s*b\d+ =\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", text, re.M)
    table = np.array(rows, dtype=float)
    first, last = (int(v) for v in re.search(r"Data\s+\(lines (\d+) to (\d+)\)", text).groups())
    data = np.array([line.split() for line in text.splitlines()[first - 1 : last]], dtype=float)
    y, x = data[:, 0], data[:, 1:].T
    return table[:, :2].T, table[:, 2], table[:, 3], (x if len(x) > 1 else x[0]), np.log(y) if len(x) > 1 else y


def digits(found, certified):
    """Return the number of matching digits (log relative error), at most 11, the certified ones."""
    error = np.abs(found - certified) / np.abs(certified)
    return np.minimum(-np.log10(np.maximum(error, 1e-11)), 11)


def solve(data_dir, name, start):
    starts, value, std, x, y = load(data_dir / "nist_strd" / f"{name}.dat")
    problem = Regression(b=starts[start], x=jnp.asarray(x), noise=UnknownGaussian(), model=name)
    estimate = invert(problem, y, solver=LevenbergMarquardt(max_steps=2000), throw=False)
    return estimate, digits(estimate.values, value).min(), digits(estimate.std, std).min()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_second_start_reaches_the_certified_digits(data_dir, name):
    estimate, value, std = solve(data_dir, name, 1)
    assert estimate.result == "converged"
    assert value >= DIGITS[name][0]
    assert std >= DIGITS[name][1]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_first_start_reaches_them_or_says_that_it_failed(data_dir, name, record_property):
    """From the far start a local solver may end elsewhere, but then the estimate must say so itself."""
    estimate, value, std = solve(data_dir, name, 0)
    record_property("digits", f"{name}: {estimate.result}, {value:.1f} and {std:.1f} digits")
    print(f"{name}: {estimate.result} in {int(estimate.steps)} steps, {value:.1f} and {std:.1f} digits")
    assert value >= DIGITS[name][0] - 0.5 or estimate.result != "converged" or estimate.undetermined
