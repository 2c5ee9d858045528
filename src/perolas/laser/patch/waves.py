"""Films of one kind but other disorder, as waves: thresholds, modes against pump, spectra against angle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from perolas.core.errors import InputError
from perolas.laser.patch.film import Patch
from perolas.laser.salt.units import gain_cm1, wavelength_nm

if TYPE_CHECKING:
    from perolas.laser.salt import SteadyState

ANGLES = 181
_GOOD = ("converged", "undecided", "below_threshold")


@dataclass(frozen=True, eq=False)
class Film:
    """One film.

    Attributes:
        seed: of its disorder.
        wavelength_nm: shape (t,), of the thresholds, lowest pump first.
        gain_cm1: shape (t,), of the packed part at each threshold.
        excitations: shape (t,), steady.
        fluence_uj_cm2: shape (t,), with what build-up within the lifetime of gain takes.
        pumps: shape (p,), pump over the first threshold.
        modes: shape (p,), number that lase, competition included; -1 where the solution did not converge.
        lines_nm: for each pump the wavelengths of the modes, and `powers` their powers, up to one scale.
        angle_deg: shape (a,), from the normal of an edge.
        patterns: shape (m, a), power of each mode of the highest pump into each radian.
    """

    seed: int
    wavelength_nm: Float[np.ndarray, " t"]
    gain_cm1: Float[np.ndarray, " t"]
    excitations: Float[np.ndarray, " t"]
    fluence_uj_cm2: Float[np.ndarray, " t"]
    pumps: Float[np.ndarray, " p"]
    modes: Float[np.ndarray, " p"]
    lines_nm: tuple[Float[np.ndarray, " m"], ...]
    powers: tuple[Float[np.ndarray, " m"], ...]
    angle_deg: Float[np.ndarray, " a"]
    patterns: Float[np.ndarray, "m a"]

    def spectrum(self, grid_nm: Float[np.ndarray, " n"], pump: int = -1, fwhm_nm: float = 0.1) -> Any:
        """Return the spectrum at one of the pumps through a spectrometer, shape (n,), up to a scale."""
        lines, powers = self.lines_nm[pump], self.powers[pump]
        shape = np.exp(-4.0 * math.log(2.0) * ((grid_nm[:, None] - lines) / fwhm_nm) ** 2)
        return shape @ powers


@dataclass(frozen=True)
class Mean:
    """A mean over films with its standard error.

    Attributes:
        value, std: of the mean; the error is that of the sample of films.
        spread: from film to film.
        count: of films.
    """

    value: float
    std: float
    spread: float
    count: int

    @staticmethod
    def of(values: Sequence[float] | Float[np.ndarray, " n"]) -> Mean:
        """Return the mean of finite values; of one value the error is not known (infinite)."""
        v = np.asarray(values, dtype=float)
        v = v[np.isfinite(v)]
        if not v.size:
            return Mean(math.nan, math.inf, math.nan, 0)
        spread = float(np.std(v, ddof=1)) if v.size > 1 else math.inf
        return Mean(float(v.mean()), spread / math.sqrt(v.size), spread, int(v.size))

    def __str__(self) -> str:
        error = f" +- {self.std:.2g}" if 0.0 < self.std < math.inf else ""
        return f"{self.value:.4g}{error}"


def solve(patch: Patch, seed: int, count: int = 6, pumps: Sequence[float] = (), angles: int = ANGLES) -> Film:
    """Find the thresholds of one film, and its lasing modes at pumps above them.

    Args:
        patch: what the film is.
        seed: of its disorder.
        count: how many thresholds.
        pumps: over the first threshold, rising, each above 1; none: no modes.
        angles: at which the emission is worked out, evenly over the half circle about each edge's normal.

    Returns:
        The film.

    Raises:
        InputError: pumps that are none, or no resonance near the gain.
    """
    from threadpoolctl import threadpool_limits

    if any(not (math.isfinite(p) and p > 1.0) for p in pumps) or list(pumps) != sorted(pumps):
        raise InputError("Pumps must rise and be above 1, the first threshold.")
    with threadpool_limits(1):
        return _solved(patch, seed, count, pumps, angles)


def _solved(patch: Patch, seed: int, count: int, pumps: Sequence[float], angles: int) -> Film:
    cavity = patch.cavity(seed)
    found = cavity.thresholds(count)[:count]
    nm = np.array([wavelength_nm(t.k) for t in found])
    gain = np.array([gain_cm1(t.d0, patch.index, patch.wavelength_nm) for t in found])
    steady = np.array([patch.steady(g) for g in gain])
    pulsed = np.array([patch.pulsed(g) for g in gain])
    fluence = np.array([patch.fluence(n) if math.isfinite(n) else math.inf for n in pulsed])
    states: tuple[SteadyState, ...] = cavity.sweep([p * found[0].d0 for p in pumps]) if len(pumps) else ()
    number = np.array([float(len(s.modes)) if s.result in _GOOD else -1.0 for s in states])
    degrees = np.linspace(-90.0, 90.0, angles)
    last = next((s for s in reversed(states) if s.result in _GOOD and s.modes), None)
    patterns = np.zeros((0, angles))
    if last is not None:
        patterns = np.stack([m.far_field(np.deg2rad(degrees)) for m in last.modes])
    return Film(
        seed, nm, gain, steady, fluence, np.asarray(pumps, dtype=float), number,
        tuple(np.array([wavelength_nm(m.k) for m in s.modes]) for s in states),
        tuple(np.array([m.emitted for m in s.modes]) for s in states), degrees, patterns,
    )  # fmt: skip


def ensemble(
    patch: Patch, seeds: Sequence[int], count: int = 6, pumps: Sequence[float] = (),
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Film, ...]:  # fmt: skip
    """Return several films that differ in their disorder alone; see `solve`."""
    made = []
    for i, seed in enumerate(seeds):
        made.append(solve(patch, int(seed), count, pumps))
        if progress is not None:
            progress(i + 1, len(seeds))
    return tuple(made)


def angle_correlation(film: Film, apart_deg: float) -> float:
    """Return how alike the spectra at two angles are, on average over the half circle.

    Args:
        film: with modes.
        apart_deg: distance of the two angles, degrees.

    Returns:
        Correlation of the modes' powers at both angles, each mode's mean over angles taken out: 1 at no distance, about
        0 where the lines at one angle say nothing of those at the other. NaN with fewer than two modes.
    """
    if film.patterns.shape[0] < 2:
        return math.nan
    step = film.angle_deg[1] - film.angle_deg[0]
    lag = round(apart_deg / step)
    if not 0 <= lag < film.angle_deg.size - 2:
        raise InputError(f"Angles {apart_deg:g} degrees apart are not among those that were worked out.")
    share = film.patterns / np.maximum(film.patterns.sum(axis=0), 1e-300)  # what a normalised spectrum shows
    away = share - share.mean(axis=1, keepdims=True)
    first, second = away[:, : away.shape[1] - lag], away[:, lag:]
    return float(np.sum(first * second) / math.sqrt(float(np.sum(first**2)) * float(np.sum(second**2))))


def area_exponent(sides_um: Sequence[float], films: Sequence[Sequence[Film]]) -> tuple[float, float]:
    """Return the exponent of the threshold fluence against the pumped area, over sizes of square.

    Args:
        sides_um: of the squares.
        films: those of each size.

    Returns:
        Exponent and its standard error, from a weighted line through the means of log threshold; each mean has the
        error that its films show.

    Raises:
        InputError: fewer than two sizes, or no film that lases in one of them.
    """
    if len(sides_um) < 2 or len(sides_um) != len(films):
        raise InputError("An exponent needs films of at least two sizes.")
    means = [Mean.of([math.log(f.fluence_uj_cm2[0]) if math.isfinite(f.fluence_uj_cm2[0]) else math.nan for f in g])
             for g in films]  # fmt: skip
    if any(m.count == 0 for m in means):
        raise InputError("The films of one size do not lase however hard they are pumped; take larger ones.")
    x = 2.0 * np.log(np.asarray(sides_um, dtype=float))
    y = np.array([m.value for m in means])
    known = [m.std for m in means if math.isfinite(m.std)]
    pooled = math.sqrt(float(np.mean(np.square(known)))) if known else math.inf
    error = np.array([max(m.std if math.isfinite(m.std) else pooled, 1e-3) for m in means])
    weight = 1.0 / error**2
    middle = np.sum(weight * x) / weight.sum()
    spread = float(np.sum(weight * (x - middle) ** 2))
    slope = float(np.sum(weight * (x - middle) * y)) / spread
    left = y - (np.sum(weight * y) / weight.sum() + slope * (x - middle))
    excess = float(np.sum(weight * left**2)) / max(len(x) - 2, 1)
    return slope, math.sqrt(max(excess, 1.0) / spread) if math.isfinite(pooled) else math.inf
