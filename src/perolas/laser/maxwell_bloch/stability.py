r"""Is the time step small enough? Said in a sentence before the run, instead of infinities in its middle.

Without damping, field and oscillators are one leapfrog, stable while :math:`\Delta t < 2/\sqrt{\lambda}`, lambda the
largest eigenvalue of the matrix of one wave: its square :math:`k^2/\epsilon` at the finest wave of the grid, bordered
by the squared frequencies of the oscillators and their couplings. An inversion enters with the size of its coupling,
since the same atoms absorb when they are empty.
"""

from __future__ import annotations

import math

import numpy as np

from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch.atoms import FourLevel, TwoLevel, profiles
from perolas.laser.maxwell_bloch.grid import Grid
from perolas.laser.maxwell_bloch.media import Medium, Sampled

_FINEST_PHASE = 0.6  # largest omega_a dt: ten steps for each period
_FINEST_RATE = 0.5  # largest rate times dt
_MARGIN = 0.999


def largest_square(grid: Grid, medium: Medium, sampled: Sampled, atoms: TwoLevel | FourLevel | None) -> float:
    """Return lambda, the largest squared frequency that the grid can carry.

    Args:
        grid: the grid.
        medium: the passive medium.
        sampled: the same on the grid.
        atoms: the gain medium.

    Returns:
        lambda in the squared unit of angular frequency; the stable time step is 2/sqrt(lambda).
    """
    eps = min(float(e.min()) for e in sampled.permittivity.values())
    wave = 4.0 * grid.dimension / grid.spacing**2 / eps
    couplings, squares = [], []
    for pole, drive in zip(medium.poles, sampled.drives, strict=True):
        ratios = [float((drive[a] / sampled.permittivity[a]).max()) for a in grid.electric]
        couplings.append(max(ratios))
        squares.append(pole.frequency**2)
    if atoms is not None:
        density, _ = profiles(atoms, grid)
        least = np.minimum.reduce(list(sampled.permittivity.values()))
        assert atoms.coupling is not None
        couplings.append(float((density / least).max()) * atoms.coupling)
        squares.append(atoms.resonance_squared)
    size = 1 + len(squares)
    matrix = np.zeros((size, size))
    matrix[0, 0] = wave + sum(couplings)
    for i, (coupling, square) in enumerate(zip(couplings, squares, strict=True), start=1):
        matrix[i, i] = square
        matrix[0, i] = matrix[i, 0] = math.sqrt(coupling * square)
    return float(np.linalg.eigvalsh(matrix)[-1])


def limits(
    grid: Grid, medium: Medium, sampled: Sampled, atoms: TwoLevel | FourLevel | None
) -> dict[str, tuple[float, str]]:
    """Return each bound on the time step, by what sets it, with the sentence's ending.

    Returns:
        The largest time step for each reason and what it means.
    """
    found = {
        "stability": (
            _MARGIN * 2.0 / math.sqrt(largest_square(grid, medium, sampled, atoms)),
            "beyond which field and oscillators grow without bound",
        )
    }
    oscillations = {"a pole": max((p.frequency for p in medium.poles), default=0.0)}
    rates = {"a pole's damping": max((p.damping for p in medium.poles), default=0.0)}
    if atoms is not None:
        oscillations["the atoms"] = atoms.frequency
        rates.update(atoms.rates)
        rates["pump"] = float(profiles(atoms, grid)[1].max())
        if atoms.pulses is not None:
            rates["pump pulse"] = 2.0 / atoms.pulses.width
    for name, omega in oscillations.items():
        if omega > 0:
            found[f"frequency of {name}"] = (_FINEST_PHASE / omega, "ten steps for each period")
    for name, rate in rates.items():
        if rate > 0:
            found[f"rate: {name}"] = (_FINEST_RATE / rate, "two steps for its decay")
    return found


def time_step(
    grid: Grid, medium: Medium, sampled: Sampled, atoms: TwoLevel | FourLevel | None, wanted: float | None
) -> float:
    """Return the time step, checked.

    Args:
        grid: the grid.
        medium: the passive medium.
        sampled: the same on the grid.
        atoms: the gain medium.
        wanted: time step; None: 95 % of the stable one, less where a rate asks for it.

    Returns:
        The time step.

    Raises:
        InputError: the wanted one is too large, naming what asks for a smaller one.
    """
    bounds = limits(grid, medium, sampled, atoms)
    if wanted is None:
        return min(0.95 * bounds["stability"][0], *(bound for bound, _ in bounds.values()))
    dt = float(wanted)
    if not math.isfinite(dt) or dt <= 0:
        raise InputError(f"The time step must be positive, but is {dt:g}.")
    for name, (bound, meaning) in bounds.items():
        if dt > bound:
            raise InputError(
                f"The time step {dt:.4g} is too large: the limit from {name} is {bound:.4g} ({meaning}); take a "
                "smaller one, or leave it out to have it chosen."
            )
    return dt


def single_suffices(atoms: TwoLevel | FourLevel, dt: float) -> None:
    """Refuse single precision where the slowest decay would be lost in rounding.

    Args:
        atoms: the gain medium.
        dt: time step.

    Raises:
        InputError: a decay changes a population by less than single precision resolves in a step.
    """
    slow = {name: rate for name, rate in atoms.rates.items() if rate > 0}
    name, rate = min(slow.items(), key=lambda item: item[1])
    if rate * dt < 1e-6:
        raise InputError(
            f"In single precision a step's change by {name} ({rate * dt:.1e} of a population) is lost in rounding; use "
            'the precision "mixed", which keeps the populations in double, or "double".'
        )
