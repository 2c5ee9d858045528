"""What drives the field: currents on a part of the grid, and incident plane waves in scattered-field form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch.grid import AXES, Grid
from perolas.laser.maxwell_bloch.media import Sampled


class Waveform(Protocol):
    """A function of time."""

    def __call__(self, time: Array) -> Array:
        """Its value."""
        ...


class GaussianPulse(eqx.Module):
    """A carrier under a Gaussian.

    Attributes:
        frequency: of the carrier, angular.
        width: standard deviation of the envelope in time.
        delay: time of its peak; five widths keep the start smooth.
        phase: of the carrier at the peak, rad.
    """

    frequency: float
    width: float
    delay: float
    phase: float = 0.0

    def __call__(self, time: Array) -> Array:
        """Its value at a time."""
        away = time - self.delay
        return jnp.exp(-0.5 * (away / self.width) ** 2) * jnp.cos(self.frequency * away + self.phase)


class Continuous(eqx.Module):
    """A wave that is switched on smoothly and stays.

    Attributes:
        frequency: angular.
        ramp: duration of the switching on.
    """

    frequency: float
    ramp: float

    def __call__(self, time: Array) -> Array:
        """Its value at a time."""
        on = jnp.clip(time / self.ramp, 0.0, 1.0)
        return on**2 * (3.0 - 2.0 * on) * jnp.sin(self.frequency * time)


def pulse(frequency: float, width: float, delay: float | None = None) -> GaussianPulse:
    """Return a Gaussian pulse of an angular frequency and a width (standard deviation), by default five of it late."""
    check.positive(frequency, "frequency")
    check.positive(width, "pulse width")
    return GaussianPulse(float(frequency), float(width), float(5.0 * width if delay is None else delay))


@dataclass(frozen=True)
class Current:
    """A current density along an axis.

    Attributes:
        component: of E that it drives, such as "Ez".
        waveform: its course in time.
        low: coordinates of its low corner; a position, a line or a plane has the same coordinate twice.
        high: of its high corner; None: the same point.
        amplitude: a number, or an array of the shape of the region.
    """

    component: str
    waveform: Waveform
    low: tuple[float, ...] | float
    high: tuple[float, ...] | float | None = None
    amplitude: ArrayLike = 1.0


@dataclass(frozen=True)
class IncidentWave:
    """A plane wave from far away; the grid then carries the scattered field alone.

    The bodies radiate the current (eps - 1) dE/dt that the wave drives in them, so that no grid error of the wave
    itself and no surface of injection disturbs. For media without poles, atoms, loss and conductors.

    Attributes:
        waveform: E of the wave at the origin.
        angle: of its direction from the x axis in the plane, rad.
        polarization: in 3D, the axis letter of E.
    """

    waveform: Waveform
    angle: float = 0.0
    polarization: str = "z"


Source = Current | IncidentWave


class Driven(eqx.Module):
    """A source as the time step uses it: dE = factor * waveform(time - delay).

    Attributes:
        waveform: in time.
        factor: what it adds to E for each step.
        delay: of each sample, or none.
        axis: letter of the component.
        start: first index of the region.
        slope: take the waveform's derivative.
    """

    waveform: Waveform
    factor: Float[Array, "..."]
    delay: Float[Array, "..."] | None
    axis: str = eqx.field(static=True)
    start: tuple[int, ...] = eqx.field(static=True)
    slope: bool = eqx.field(static=True)

    def add(self, field: Array, time: Array) -> Array:
        """Return E with what a step centred on `time` adds."""
        at = time if self.delay is None else time - self.delay
        value = jax.jvp(self.waveform, (at,), (jnp.ones_like(at),))[1] if self.slope else self.waveform(at)
        there = tuple(slice(s, s + n) for s, n in zip(self.start, self.factor.shape, strict=True))
        return field.at[there].add(self.factor * value.astype(field.dtype))


def driven(
    source: Source, grid: Grid, medium: Sampled, response: dict[str, Float[np.ndarray, "..."]], dtype: np.dtype
) -> list[Driven]:
    """Return a source as the time step uses it.

    Args:
        source: the source.
        grid: the grid.
        medium: on the grid.
        response: what a unit of current density adds to each component of E in a step, negative.
        dtype: of the fields.

    Returns:
        One entry for each component that it drives.

    Raises:
        InputError: a region outside the grid, a component that is not there, or a medium that the source cannot light.
    """
    if isinstance(source, IncidentWave):
        return _incident(source, grid, medium, response, dtype)
    kind, axis = grid.component(source.component)
    if kind != "E":
        raise InputError(f"A current drives a component of E, not {source.component}.")
    low = grid.node(source.low, source.component)
    high = low if source.high is None else grid.node(source.high, source.component)
    shape = tuple(b - a + 1 for a, b in zip(low, high, strict=True))
    if min(shape) < 1:
        raise InputError("The low corner of a source must not lie above its high one.")
    amplitude = np.asarray(source.amplitude, float)
    if amplitude.shape not in ((), shape):
        raise InputError(f"The amplitude of a source has the shape {amplitude.shape}, but its region has {shape}.")
    there = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    factor = response[axis][there] * amplitude
    return [Driven(source.waveform, jnp.asarray(factor, dtype), None, axis, low, False)]


def _incident(
    source: IncidentWave, grid: Grid, medium: Sampled, response: dict[str, Float[np.ndarray, "..."]], dtype: np.dtype
) -> list[Driven]:
    """The current of the bodies in a wave."""
    if medium.drives or any(s.any() for s in medium.conductivity.values()):
        raise InputError(
            "An incident wave lights only media without poles, conductors and loss; use a current instead."
        )
    along = (math.cos(source.angle), math.sin(source.angle), 0.0)
    if grid.polarization == "te":
        direction = {"x": -math.sin(source.angle), "y": math.cos(source.angle)}
    else:
        check.one_of(source.polarization, grid.electric, "Polarization of the wave")
        direction = {source.polarization: 1.0}
        if abs(along[AXES.index(source.polarization)]) > 1e-12:
            raise InputError("The polarization of a plane wave stands at right angles to its direction.")
    found = []
    for axis, share in direction.items():
        contrast = medium.permittivity[axis] - 1.0
        if not contrast.any():
            continue
        touched = np.nonzero(contrast)
        low = tuple(int(t.min()) for t in touched)
        there = tuple(slice(int(t.min()), int(t.max()) + 1) for t in touched)
        lines = grid.coordinates("E" + axis)
        delay = sum(along[i] * np.asarray(x) for i, x in enumerate(np.meshgrid(*lines, indexing="ij", sparse=True)))
        delay = np.broadcast_to(delay, grid.shape)[there]
        factor = (response[axis] * contrast)[there] * share
        found.append(
            Driven(source.waveform, jnp.asarray(factor, dtype), jnp.asarray(delay, np.float64), axis, low, True)
        )
    if not found:
        raise InputError("An incident wave needs a body to scatter from; the medium is empty.")
    return found
