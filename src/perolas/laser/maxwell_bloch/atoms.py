r"""The gain medium: two-level atoms that obey the Bloch equations exactly, and four-level atoms.

The polarisation of each atom is an oscillator,

.. math::
   \ddot p + \Delta\omega\, \dot p + \Omega^2 p = \kappa (n_{lower} - n_{upper}) E + F(t) ,

and its work W on the populations is :math:`E \dot p / \hbar \omega_a`. Two levels: :math:`\Delta\omega = 2
\gamma_\perp`, :math:`\Omega^2 = \omega_a^2 + \gamma_\perp^2`, :math:`\kappa = 2 \omega_a \theta^2/\hbar` and
:math:`\hbar \omega_a W = E (\dot p + \gamma_\perp p)`, which is the Bloch equation without any approximation. Four
levels: :math:`\Omega = \omega_a`, :math:`\kappa = 6 \pi \epsilon_0 c^3 / \omega_a^2 \tau_{21}`.

p and the populations are for one atom and live on the nodes of the grid; the density carries them to the field. E is
averaged to the nodes and the current back to E by the same weights, so that what the field loses the atoms gain.
p and E stand at whole steps, dp/dt and the populations at half ones, and the coupling of populations and dp/dt is
solved in closed form, so that it cannot become unstable however strong the field.

Spontaneous emission is the force F, white with :math:`\langle F F' \rangle = 2 \hbar \omega_a \kappa\, n_{upper}
\Delta\omega\, \delta(t - t') / (\rho\, dV)`. Its size follows from detailed balance: a mode that exchanges light with
these atoms alone settles at :math:`n_{upper}/(n_{lower} - n_{upper})` photons.

Source: Nagra and York, IEEE Trans. Antennas Propag. 1998, 46, 334 (four levels); Andreasen and Cao, J. Lightwave
Technol. 2009, 27, 4530 (noise in FDTD); Callen and Welton, Phys. Rev. 1951, 83, 34 (its size).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch.grid import Grid
from perolas.laser.maxwell_bloch.media import Profile, around, cells_of


@dataclass(frozen=True)
class PumpPulses:
    """A pump of Gaussian pulses; the rate goes as the intensity to the power of `photons`.

    Attributes:
        width: FWHM of the intensity of a pulse.
        start: time of the first pulse's peak.
        period: between pulses; infinite for one alone.
        photons: that make one excitation: 2 for a two-photon pump.
        count: number of pulses.
    """

    width: float
    start: float
    period: float = math.inf
    photons: int = 2
    count: int = 1

    def __post_init__(self) -> None:
        check.positive(self.width, "pump pulse width")
        if self.count > 1 and not (math.isfinite(self.period) and self.period > 0):
            raise InputError("Several pump pulses need a positive period.")
        if self.photons < 1 or self.count < 1:
            raise InputError("A pump has at least one pulse, and at least one photon makes an excitation.")

    @property
    def excitations(self) -> float:
        """Integral of the schedule over one pulse: a weak pump excites peak rate times this."""
        return self.width * math.sqrt(math.pi / (4.0 * math.log(2.0) * self.photons))


@dataclass(frozen=True)
class TwoLevel:
    """Two-level atoms with the exact Bloch equations.

    Attributes:
        frequency: omega_a, angular.
        dephasing: gamma_perp.
        decay: gamma_21, of the upper level.
        density: atoms for each volume: a number, an array of the grid's shape, or a function.
        pump: rate from the lower to the upper level, likewise; with `pulses`, at a peak.
        dipole: theta.
        pulses: the pump's schedule; none: steady.
        inversion: n_upper - n_lower at the start; None: that of the steady pump without light (with pulses, -1).
        noise: spontaneous emission drives the field.
        extent: of a cell in the directions the grid lacks (a height in 2D, an area in 1D); sets the noise.
    """

    frequency: float
    dephasing: float
    decay: float
    density: Profile
    pump: Profile = 0.0
    dipole: float = 1.0
    pulses: PumpPulses | None = None
    inversion: float | None = None
    noise: bool = False
    extent: float = 1.0

    def __post_init__(self) -> None:
        for value, name in (
            (self.frequency, "frequency"), (self.dephasing, "dephasing"), (self.dipole, "dipole"),
            (self.extent, "extent"),
        ):  # fmt: skip
            check.positive(value, name)
        check.positive(self.decay, "decay", zero=True)
        if self.inversion is not None and not -1.0 <= self.inversion <= 1.0:
            raise InputError(f"The inversion lies between -1 and 1, but is {self.inversion:g}.")

    @property
    def linewidth(self) -> float:
        """gn, FWHM of the line."""
        return 2.0 * self.dephasing

    @property
    def coupling(self) -> float:
        """Kappa."""
        return 2.0 * self.frequency * self.dipole**2

    @property
    def resonance_squared(self) -> float:
        """Omega squared."""
        return self.frequency**2 + self.dephasing**2

    @property
    def shift(self) -> float:
        """Factor of p in the work on the populations."""
        return self.dephasing

    @property
    def rates(self) -> dict[str, float]:
        """Rates that the time step has to resolve, by name."""
        return {"linewidth": self.linewidth, "decay": self.decay}


@dataclass(frozen=True)
class FourLevel:
    """Four-level atoms: pumped from 0 to 3, lasing from 2 to 1.

    Attributes:
        frequency: omega_a of the transition from 2 to 1, angular.
        linewidth: FWHM of the line, 1/tau21 + 2/T2.
        tau32: lifetime of level 3.
        tau21: of level 2.
        tau10: of level 1.
        density: atoms for each volume: a number, an array of the grid's shape, or a function.
        pump: rate from 0 to 3, likewise; with `pulses`, at a peak.
        coupling: kappa; None: that of the free atom, 6 pi / (omega_a^2 tau21).
        pulses: the pump's schedule; none: steady.
        populations: shares of levels 1, 2 and 3 at the start.
        noise: spontaneous emission drives the field.
        extent: of a cell in the directions the grid lacks (a height in 2D, an area in 1D); sets the noise.
    """

    frequency: float
    linewidth: float
    tau32: float
    tau21: float
    tau10: float
    density: Profile
    pump: Profile = 0.0
    coupling: float | None = None
    pulses: PumpPulses | None = None
    populations: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: bool = False
    extent: float = 1.0

    def __post_init__(self) -> None:
        for name in ("frequency", "linewidth", "tau32", "tau21", "tau10", "extent"):
            check.positive(getattr(self, name), name)
        if self.coupling is None:
            object.__setattr__(self, "coupling", 6.0 * math.pi / (self.frequency**2 * self.tau21))
        check.positive(self.coupling or 0.0, "coupling")
        if min(self.populations) < 0 or sum(self.populations) > 1:
            raise InputError("The populations of levels 1, 2 and 3 are shares that add up to at most 1.")

    @property
    def resonance_squared(self) -> float:
        """Omega squared."""
        return self.frequency**2

    @property
    def shift(self) -> float:
        """Factor of p in the work on the populations."""
        return 0.0

    @property
    def rates(self) -> dict[str, float]:
        """Rates that the time step has to resolve, by name."""
        lifetimes = {"1/tau32": self.tau32, "1/tau21": self.tau21, "1/tau10": self.tau10}
        return {"linewidth": self.linewidth, **{name: 1.0 / tau for name, tau in lifetimes.items()}}


class Ensemble(eqx.Module):
    """Atoms on a grid, as the time step uses them: coefficients, all of the run's precision.

    Attributes:
        density: at the nodes, one number where it is the same everywhere.
        pump: rate at the nodes (times dt), likewise.
        keep: factor of the old dp/dt.
        pull: dt Omega'^2 / (1 + gn dt/2), see `discrete`.
        push: dt kappa' / (1 + gn dt/2).
        work: dt/(hbar omega_a).
        shift: of the work, see the models.
        rates: decay rates times dt: (gamma21,) or (1/tau32, 1/tau21, 1/tau10).
        schedule: (start, width, period, photons, count) of the pulses; empty for a steady pump.
        noise: amplitude of the force times its share in dp/dt, at the nodes; None without noise.
        levels: 2 or 4.
    """

    density: Float[Array, "..."]
    pump: Float[Array, "..."]
    keep: Float[Array, ""]
    pull: Float[Array, ""]
    push: Float[Array, ""]
    work: Float[Array, ""]
    shift: Float[Array, ""]
    rates: tuple[Float[Array, ""], ...]
    schedule: tuple[Float[Array, ""], ...]
    noise: Float[Array, "..."] | None
    levels: int = eqx.field(static=True)


def profiles(atoms: TwoLevel | FourLevel, grid: Grid) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Return density and pump rate of atoms at the nodes of a grid.

    The pump of a node is the mean over its atoms, so that a node at an edge of the medium is pumped as the rest.

    Raises:
        InputError: one of them is negative or has another shape.
    """
    density = cells_of(grid, atoms.density, "density of atoms", 4)
    pump = cells_of(grid, atoms.pump, "pump profile", 4)
    if np.any(density < 0) or np.any(pump < 0):
        raise InputError("Neither the density of atoms nor the pump may be negative.")
    at_nodes = around(grid, density)
    pumped = around(grid, density * pump)
    mean = np.divide(pumped, at_nodes, out=np.zeros_like(pumped), where=at_nodes > 0)
    return at_nodes, mean


def _small(array: Float[np.ndarray, "..."], where: Float[np.ndarray, "..."], dtype: np.dtype) -> Array:
    """An array, or one number where all its values (at `where`) are the same: that saves reading it each step."""
    used = array[where > 0] if np.any(where > 0) else array
    if used.size and np.all(used == used.flat[0]):
        return jnp.asarray(used.flat[0], dtype)
    return jnp.asarray(array, dtype)


def ensemble(atoms: TwoLevel | FourLevel, grid: Grid, dt: float, dtype: np.dtype) -> Ensemble:
    """Return the atoms as the time step uses them.

    Args:
        atoms: the model.
        grid: the grid.
        dt: time step.
        dtype: of the fields.

    Returns:
        The coefficients.

    Raises:
        InputError: profiles of another shape, or negative.
    """
    density, pump = profiles(atoms, grid)
    half = 1.0 + 0.5 * atoms.linewidth * dt
    assert atoms.coupling is not None
    square, share = discrete(math.sqrt(atoms.resonance_squared), dt)
    levels = 2 if isinstance(atoms, TwoLevel) else 4
    rates = (atoms.decay,) if isinstance(atoms, TwoLevel) else (1.0 / atoms.tau32, 1.0 / atoms.tau21, 1.0 / atoms.tau10)
    pulses = atoms.pulses
    schedule: tuple[float, ...] = ()
    if pulses is not None:
        period = pulses.period if pulses.count > 1 else 1e300
        schedule = (pulses.start, pulses.width, period, float(pulses.photons), float(pulses.count))
    noise = None
    if atoms.noise:
        volume = grid.cell_volume * atoms.extent
        if np.any((density > 0) & (density * volume < 1.0)):
            raise InputError(
                "Noise needs at least one atom in each cell that has any, but there are "
                f"{float(density.max()) * volume:.2g} at most; "
                "give the extent of a cell in the directions that the grid lacks, or a coarser grid."
            )
        power = 2.0 * atoms.frequency * atoms.coupling * atoms.linewidth / (volume * dt)
        strength = np.sqrt(np.divide(power, density, out=np.zeros_like(density), where=density > 0))
        noise = _small(strength * dt / half, np.ones_like(density), dtype)

    def number(x: float) -> Array:
        return jnp.asarray(x, dtype)

    return Ensemble(
        _small(density, np.ones_like(density), dtype),
        _small(pump * dt, density, dtype),
        number((1.0 - 0.5 * atoms.linewidth * dt) / half),
        number(dt * square / half),
        number(dt * atoms.coupling * share / half),
        number(dt / atoms.frequency),
        number(atoms.shift),
        tuple(number(r * dt) for r in rates),
        tuple(jnp.asarray(s, np.float64) for s in schedule),
        noise,
        levels,
    )


def discrete(omega: float, dt: float) -> tuple[float, float]:
    """Return the squared frequency and the factor of the drive with which a leapfrog oscillator is exact at resonance.

    Leapfrog puts the resonance of an oscillator too high, by (omega dt)^2/24. With Omega' = 2 sin(Omega dt/2)/dt and
    kappa' = kappa sin(Omega dt)/(Omega dt) the resonance, its width and its strength are those of the equation.

    Args:
        omega: of the undamped oscillator.
        dt: time step.

    Returns:
        Omega'^2 and kappa'/kappa.
    """
    if omega == 0:
        return 0.0, 1.0
    return (2.0 * math.sin(0.5 * omega * dt) / dt) ** 2, math.sin(omega * dt) / (omega * dt)


def resting(atoms: TwoLevel | FourLevel, grid: Grid, dtype: np.dtype) -> tuple[Array, ...]:
    """Return the populations at the start: the inversion of two levels, or levels 1, 2 and 3."""
    if isinstance(atoms, FourLevel):
        return tuple(jnp.full(grid.shape, share, dtype) for share in atoms.populations)
    if atoms.inversion is not None:
        return (jnp.full(grid.shape, atoms.inversion, dtype),)
    if atoms.pulses is not None:
        return (jnp.full(grid.shape, -1.0, dtype),)
    _, pump = profiles(atoms, grid)
    total = pump + atoms.decay
    steady = np.divide(pump - atoms.decay, total, out=np.full(grid.shape, -1.0), where=total > 0)
    return (jnp.asarray(steady, dtype),)


def schedule_at(schedule: tuple[Array, ...], time: Array) -> Array:
    """Return the pump's rate at a time as a share of its peak."""
    start, width, period, photons, count = schedule
    which = jnp.clip(jnp.round((time - start) / period), 0.0, count - 1.0)
    away = (time - start - which * period) / width
    return jnp.exp(-4.0 * jnp.log(2.0) * photons * away**2)


def _relaxed(ens: Ensemble, pops: tuple[Array, ...], pump: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """The populations after a step without light, and what each gains for each unit of W: trapezoidal in each decay."""
    if ens.levels == 2:
        (inversion,) = pops
        total = 0.5 * (pump + ens.rates[0])
        return ((inversion * (1.0 - total) + (pump - ens.rates[0])) / (1.0 + total),), (2.0 / (1.0 + total),)
    n1, n2, n3 = pops
    r3, r2, r1 = ens.rates
    ground = 1.0 - n1 - n2 - n3
    ground = ground + 0.5 * (r1 * n1 - pump * ground)
    new3 = (n3 * (1.0 - 0.5 * r3) + pump * ground) / (1.0 + 0.5 * r3)
    new2 = (n2 * (1.0 - 0.5 * r2) + 0.5 * r3 * (n3 + new3)) / (1.0 + 0.5 * r2)
    new1 = (n1 * (1.0 - 0.5 * r1) + 0.5 * r2 * (n2 + new2)) / (1.0 + 0.5 * r1)
    gain2 = 1.0 / (1.0 + 0.5 * r2)
    gain1 = (0.5 * r2 * gain2 - 1.0) / (1.0 + 0.5 * r1)
    return (new1, new2, new3), (gain1, gain2, jnp.zeros_like(gain1))


def advance(
    ens: Ensemble,
    field: tuple[Array, ...],
    p: tuple[Array, ...],
    v: tuple[Array, ...],
    pops: tuple[Array, ...],
    time: Array,
    key: Array | None,
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return dp/dt and the populations half a step after `time`.

    Args:
        ens: the atoms.
        field: E at the nodes for each direction, at `time`.
        p: polarisation of an atom for each direction, at `time`.
        v: dp/dt half a step before.
        pops: populations half a step before.
        time: of E and p.
        key: for the noise of this step; None without.

    Returns:
        dp/dt for each direction, and the populations.
    """
    pump = ens.pump
    if ens.schedule:
        pump = pump * schedule_at(ens.schedule, time).astype(pump.dtype)
    rest, gain = _relaxed(ens, pops, pump)
    if ens.levels == 2:
        old, new, slope = -pops[0], -rest[0], -gain[0]
        upper = 0.5 * (1.0 + pops[0])
    else:
        old, new, slope = pops[0] - pops[1], rest[0] - rest[1], gain[0] - gain[1]
        upper = pops[1]
    free = [ens.keep * vi - ens.pull * pi for vi, pi in zip(v, p, strict=True)]
    if ens.noise is not None and key is not None:
        size = ens.noise * jnp.sqrt(jnp.maximum(upper, 0.0)).astype(v[0].dtype)
        keys = jax.random.split(key, len(v))
        free = [f + size * jax.random.normal(k, f.shape, f.dtype) for f, k in zip(free, keys, strict=True)]
    # W = q0 + q (old + later) and later = new + slope W: two linear equations, solved.
    kind = pops[0].dtype
    q0 = sum(e * (0.5 * (f + vi) + ens.shift * pi) for e, f, vi, pi in zip(field, free, v, p, strict=True))
    q0 = (ens.work * q0).astype(kind)
    q = (0.25 * ens.work * ens.push * sum(e * e for e in field)).astype(kind)
    later = (new + slope * (q0 + q * old)) / (1.0 - slope * q)
    work = q0 + q * (old + later)
    push = (0.5 * ens.push * (old + later)).astype(v[0].dtype)
    speeds = tuple(f + push * e for f, e in zip(free, field, strict=True))
    return speeds, tuple(r + g * work for r, g in zip(rest, gain, strict=True))


def inverted(ens: Ensemble, pops: tuple[Array, ...]) -> Array:
    """Return n_upper - n_lower."""
    return pops[0] if ens.levels == 2 else pops[1] - pops[0]
