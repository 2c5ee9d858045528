"""What the theory gives: thresholds, lasing modes and steady states, in the units of the cavity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike, Complex, Float

if TYPE_CHECKING:
    from perolas.laser.salt.cavity import Cavity


@dataclass(frozen=True, eq=False)
class Resonance:
    """A passive resonance.

    Attributes:
        k: complex wave number, its imaginary part below zero where it decays.
        psi: field of largest modulus 1, at `cavity.places`.
    """

    k: complex
    psi: Complex[np.ndarray, "..."]

    @property
    def quality(self) -> float:
        """Q = Re k / (2 `|Im k|`)."""
        return abs(self.k.real / (2.0 * self.k.imag)) if self.k.imag else np.inf


@dataclass(frozen=True, eq=False)
class Threshold:
    """A linear (non-interacting) threshold.

    Attributes:
        k: real wave number at which the mode lases.
        d0: the pump D_0 at which it does.
        psi: field of largest modulus 1, at `cavity.places`: (n,) or (ny, nx).
        residual: of the wave equation, relative.
        cavity: to which it belongs.
    """

    k: float
    d0: float
    psi: Complex[np.ndarray, "..."]
    residual: float
    cavity: Cavity = field(repr=False)

    def at(self, x: ArrayLike) -> Complex[np.ndarray, "..."]:
        """Return the field at places of a one-dimensional cavity."""
        return self.cavity.field_at(self.psi, x)

    def far_field(self, angle_rad: ArrayLike) -> Float[np.ndarray, " m"]:
        """Return the power into each radian at angles (m,), rad from the x axis; two dimensions, up to scale."""
        from perolas.laser.salt.farfield import radiated

        return radiated(self.cavity, self.psi, self.k, self.d0, 0.0, angle_rad)


@dataclass(frozen=True, eq=False)
class LasingMode:
    """A mode that lases.

    Attributes:
        k: real wave number.
        psi: field in units in which `Gamma |psi|^2` is the saturation H, at `cavity.places`: (n,) or (ny, nx).
        intensity: mean of `|psi|^2` over the pumped region, weighed by the pump profile.
        gained: power that the gain gives, `-k^2 Im(int eps_gain |psi|^2)`.
        absorbed: power that the passive material takes.
        emitted: power that leaves, from the field outside; it must be gained - absorbed.
        d0: the pump.
        holes: H of all modes together, at `cavity.places`.
        cavity: to which it belongs.
    """

    k: float
    psi: Complex[np.ndarray, "..."]
    intensity: float
    gained: float
    absorbed: float
    emitted: float
    d0: float
    holes: Float[np.ndarray, "..."] = field(repr=False)
    cavity: Cavity = field(repr=False)

    @property
    def imbalance(self) -> float:
        """How far gained - absorbed - emitted is from zero, as a share of what is gained."""
        return (self.gained - self.absorbed - self.emitted) / self.gained

    def at(self, x: ArrayLike) -> Complex[np.ndarray, "..."]:
        """Return the field at places of a one-dimensional cavity."""
        return self.cavity.field_at(self.psi, x)

    def far_field(self, angle_rad: ArrayLike) -> Float[np.ndarray, " m"]:
        """Return the power into each radian at angles (m,), rad from the x axis; only in two dimensions."""
        from perolas.laser.salt.farfield import radiated

        return radiated(self.cavity, self.psi, self.k, self.d0, self.holes, angle_rad)


@dataclass(frozen=True, eq=False)
class SteadyState:
    """Every lasing mode at one pump.

    Attributes:
        d0: the pump D_0.
        modes: that lase, by rising k; empty below threshold.
        next_k: wave number of the quiet mode nearest to lasing, NaN where none is known.
        next_d0: pump at which it would lase if the holes stayed as they are; above `d0`, and below its true threshold.
        result: `converged`, `below_threshold`, `max_steps`, `stalled`, `not_finite` or `undecided`.
        message: the same as a sentence.
        residual: largest relative residual.
    """

    d0: float
    modes: tuple[LasingMode, ...]
    next_k: float
    next_d0: float
    result: str
    message: str
    residual: float

    @property
    def emitted(self) -> float:
        """Power that leaves in all modes together."""
        return float(sum(m.emitted for m in self.modes))


@dataclass(frozen=True)
class Switch:
    """A pump at which a mode goes on or off.

    Attributes:
        d0: the pump.
        k: of the mode.
        on: whether it goes on.
        lasing: number of modes that lase just above it.
    """

    d0: float
    k: float
    on: bool
    lasing: int
