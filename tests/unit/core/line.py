"""A straight line as a measurement: the smallest model whose every answer is known in closed form."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter


class State(eqx.Module):
    """A state with one parameter."""

    rate: Any = parameter("1", "what the slope follows", name="rate", default=1.0, bounds=(0, 10), free=False)


class Line(AbstractMeasurement):
    """signal = offset + slope * channel."""

    technique: ClassVar[str] = "line"
    axis_name: ClassVar[str] = "channel"
    response_sets: ClassVar[tuple[str, ...]] = ("slope",)
    derived_table: ClassVar[dict[str, Derived]] = {"crossing": Derived("1", "where the line crosses zero")}
    offset: Any = parameter("counts", "value at zero", name="offset", default=100.0)
    slope: Any = parameter("counts", "rise for each channel", name="slope", default=1.0)
    twin: Any = parameter("counts", "does the same as offset", name="twin", free=False)
    floor: Any = parameter(
        "counts", "a part that cannot be negative", name="floor", bounds=(0, float("inf")), free=False
    )
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    points: int = eqx.field(static=True, default=50)

    @property
    def axis(self):
        return jnp.arange(self.points, dtype=float)

    def expected(self):
        return self.offset + self.twin + self.floor + self.slope * self.axis

    def respond(self, state):
        return eqx.tree_at(lambda m: m.slope, self, 2.0 * state.rate)

    def components(self):
        return {"line": self.expected()}

    def derived(self):
        return {"crossing": -self.offset / self.slope}
