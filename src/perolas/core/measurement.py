"""What a measurement is: a response (state -> sample parameters) composed with an instrument (those -> signal).

A technique is one leaf class. Its parameter fields are declared with `perolas.core.parameter.parameter`; everything
else in it (axes, responses, noise) is known. `expected` is the instrument's equation and needs no specimen: it works
for a dye or a standard as well as for a perovskite. `respond` says what the sample's parameters are for a given state.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import xarray as xr
from jaxtyping import Array, Float

from perolas.core.noise import AbstractNoise
from perolas.core.observation import make_observation


@dataclass(frozen=True)
class Derived:
    """A quantity computed from the parameters, with errors propagated through its gradient.

    Attributes:
        unit: its unit.
        definition: one line: the formula in words.
    """

    unit: str
    definition: str


class AbstractMeasurement(eqx.Module):
    """A differentiable forward model of one technique.

    Leaf classes declare `noise: AbstractNoise` and the class variables below.

    Attributes:
        technique: its name in the registry.
        axis_name: name of the signal's axis, one of `perolas.core.observation.AXIS_UNITS`.
        response_sets: names of the parameters that `respond` decides; they are not free when there is a state.
        law_priors: name -> (mean, standard deviation) of parameters that stand for what the response's own laws leave
            open; whoever fits a state varies them with this prior, unless told otherwise.
        keeps_total: fields whose sum `respond` keeps and only shares out: how much there is belongs to the instrument.
        derived_table: name -> `Derived`, for every key that `derived` may return.
    """

    technique: eqx.AbstractClassVar[str]
    axis_name: eqx.AbstractClassVar[str]
    response_sets: eqx.AbstractClassVar[tuple[str, ...]]
    derived_table: eqx.AbstractClassVar[dict[str, Derived]]
    noise: eqx.AbstractVar[AbstractNoise]

    signal_unit: ClassVar[str] = "counts"
    keeps_total: ClassVar[tuple[str, ...]] = ()
    law_priors: ClassVar[dict[str, tuple[float, float]]] = {}

    @property
    @abstractmethod
    def axis(self) -> Float[Array, " n"]:
        """The values of the axis, shape (n,), in the unit of `axis_name`."""

    @abstractmethod
    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""

    @abstractmethod
    def respond(self, state: Any) -> Self:
        """Return this measurement with the parameters in `response_sets` set from a state."""

    @abstractmethod
    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the named parts of the expected signal, each of shape (n,), for pictures."""

    @abstractmethod
    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the derived quantities as scalars; keys are in `derived_table` (vectors: `name_1`, `name_2`)."""


@runtime_checkable
class WithColumns(Protocol):
    """A measurement that writes its derivatives out, because thousands of its fits run as one batch."""

    def expected_with_columns(
        self, fields: frozenset[str]
    ) -> tuple[Float[Array, " n"], dict[str, list[Float[Array, " n"]]]]:
        """Return the expected signal, shape (n,), with its derivatives: field -> one of shape (n,) for each element.

        Args:
            fields: those that vary; others may be left out, and one that is not written out must be.
        """


def observe(measurement: AbstractMeasurement, state: Any = None) -> AbstractMeasurement:
    """Return the measurement as it looks at `state`, or as it is where there is none."""
    return measurement if state is None else measurement.respond(state)


def log_likelihood(measurement: AbstractMeasurement, signal: Float[Array, " n"], state: Any = None) -> Float[Array, ""]:
    """Return the log-likelihood of a signal.

    Args:
        measurement: the model.
        signal: shape (n,), in the signal's unit.
        state: what is looked at, or None for the instrument's own parameters.

    Returns:
        A scalar.
    """
    seen = observe(measurement, state)
    return seen.noise.log_likelihood(jnp.asarray(signal), seen.expected())


def simulate(
    measurement: AbstractMeasurement, state: Any = None, *, seed: int = 0, batch: int | None = None
) -> xr.Dataset:
    """Draw one observation, or a batch of them, from a measurement.

    Args:
        measurement: the model, with its parameters.
        state: what is looked at, or None for the instrument's own parameters.
        seed: seed of the noise; the same seed gives the same observation.
        batch: number of observations; None for a single one.

    Returns:
        An observation (see `perolas.core.observation`) with the seed among its attributes; where the
        measurement has a response `irf`, the observation carries it too.
    """
    seen = observe(measurement, state)
    keys = jax.random.split(jax.random.key(seed), batch or 1)
    mean = _expected(seen)
    signal = jax.vmap(lambda key: seen.noise.sample(key, mean))(keys)
    variance = getattr(seen.noise, "variance", None)
    shape = signal.shape if batch else signal.shape[1:]
    return make_observation(
        signal if batch else signal[0],
        seen.axis_name,
        seen.axis,
        units=seen.signal_unit,
        variance=None if variance is None else jnp.broadcast_to(variance, shape),
        technique=seen.technique,
        instrument="simulated by perolas",
        seed=seed,
    )


@eqx.filter_jit
def _expected(measurement: AbstractMeasurement) -> Float[Array, " n"]:
    """Compiled as one: step by step, each kind of step is compiled alone, and none is kept on disk."""
    return measurement.expected()
