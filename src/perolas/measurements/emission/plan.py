"""Which spot sizes tell the laws of threshold against area apart: the design in which the weakest distinction is best.

For a law that holds and a rival, the separation is the weighted sum of squares that the rival cannot fit, in variances
of a measurement (the T-criterion of Atkinson and Fedorov 1975). Everything is linear in the logarithm of the threshold,
so it is a projection. A design is improved by moving one spot at a time to the best of a grid of areas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.measurements.emission.area import FIXED, shape

_GRID = 41
_MOST = 60


@dataclass(frozen=True)
class Distinction:
    """How well one law is told from a rival.

    Attributes:
        holds, rival: names of the laws.
        separation: sum of squares that the rival cannot fit, over the variance of a point.
        power: probability that the BIC prefers the law that holds.
    """

    holds: str
    rival: str
    separation: float
    power: float


@dataclass(frozen=True)
class Plan:
    """Spot sizes.

    Attributes:
        areas: shape (n,), um^2, rising; an area that comes twice is measured twice.
        distinctions: each law against each rival that does not contain it, the weakest first.
    """

    areas: np.ndarray
    distinctions: tuple[Distinction, ...]

    @property
    def weakest(self) -> Distinction:
        """The pair that is hardest to tell apart."""
        return self.distinctions[0]


def plan_areas(
    points: int, error: float, smallest_um2: float, largest_um2: float, transparency_share: float = 0.5, m: float = 1.0
) -> Plan:
    """Plan spot sizes that tell the laws apart.

    Args:
        points: number of thresholds to be measured, at least 3.
        error: relative standard error of each.
        smallest_um2: area of the smallest spot that can be made.
        largest_um2: of the largest.
        transparency_share: of the law with a threshold that no area takes away, at the geometric mean of the two.
        m: power of the area in the rest of it.

    Returns:
        The plan.

    Raises:
        InputError: numbers that cannot be used.
    """
    noise = check.positive(error, "error")
    low, high = check.positive(smallest_um2, "smallest area", "um^2"), check.positive(largest_um2, "largest area")
    if not 3 <= int(points) <= _MOST:
        raise InputError(f"A plan has 3 to {_MOST} points, but {points} were asked for.")
    if not low < high or not 0 < transparency_share < 1:
        raise InputError("The areas must run from small to large, and the share of transparency lies between 0 and 1.")
    middle = math.sqrt(low * high)
    grid = np.geomspace(low, high, _GRID)
    laws = _laws(np.log(grid / middle), transparency_share, m)
    best, value = np.zeros(int(points), dtype=int), -1.0
    for begin in (np.round(np.linspace(0, _GRID - 1, points)), np.where(np.arange(points) % 2, _GRID - 1, 0)):
        index = np.asarray(begin, dtype=int)
        found, reached = _exchanged(index, laws, np.log(grid), noise)
        if reached > value:
            best, value = found, reached
    areas = grid[np.sort(best)]
    return Plan(areas, separations(areas, noise, middle, transparency_share, m))


def separations(
    areas_um2: ArrayLike, error: float, middle_um2: float | None = None, transparency_share: float = 0.5, m: float = 1.0
) -> tuple[Distinction, ...]:
    """Return how well given spot sizes tell the laws apart.

    Args:
        areas_um2: shape (n,), um^2.
        error: relative standard error of each threshold.
        middle_um2: area at which the share of transparency is meant; None: the geometric mean.
        transparency_share: as for `plan_areas`.
        m: as for `plan_areas`.

    Returns:
        Each law against each rival that does not contain it, the weakest first.

    Raises:
        InputError: fewer than three areas, or ones that are not positive.
    """
    areas = np.asarray(areas_um2, dtype=float)
    if areas.ndim != 1 or areas.size < 3 or not np.all(areas > 0) or not np.all(np.isfinite(areas)):
        raise InputError("At least three areas are needed, all of them positive.")
    check.positive(error, "error")
    middle = float(np.exp(np.log(areas).mean())) if middle_um2 is None else middle_um2
    laws = _laws(np.log(areas / middle), transparency_share, m)
    each = _each(np.arange(areas.size), laws, np.log(areas), error)
    found = [Distinction(h, r, s, _power(h, r, s, areas.size)) for (h, r), s in each.items()]
    return tuple(sorted(found, key=lambda d: d.power))


def _laws(x: np.ndarray, share: float, m: float) -> dict[str, np.ndarray]:
    laws = {name: e * x for name, e in FIXED.items()}
    laws["P_tr + c A^-m"] = shape(x, np.array(m), np.array(share))[0]
    return laws


def _each(index: np.ndarray, laws: dict[str, np.ndarray], x: np.ndarray, error: float) -> dict[tuple[str, str], float]:
    """Return the separation of each law from each rival."""
    found = {}
    here = x[index] - x[index].mean()
    square = float(here @ here)
    for holds, values in laws.items():
        for rival in (*FIXED, "A^-m"):
            if rival == holds or (rival == "A^-m" and holds in FIXED):  # a power law that is free contains the fixed
                continue
            rest = values[index] - (laws[rival][index] if rival in FIXED else 0.0)
            rest = rest - rest.mean()
            if rival == "A^-m" and square > 0:
                rest = rest - here * (here @ rest) / square
            found[holds, rival] = float(rest @ rest) / error**2
    return found


def _power(holds: str, rival: str, separation: float, points: int) -> float:
    from scipy import stats

    if holds in FIXED:
        return float(stats.norm.cdf(0.5 * math.sqrt(separation)))
    more = 2 if rival in FIXED else 1
    return float(stats.ncx2.sf(more * math.log(points), more, max(separation, 1e-12)))


def _exchanged(index: np.ndarray, laws: dict[str, np.ndarray], x: np.ndarray, error: float) -> tuple[np.ndarray, float]:
    """Move one spot at a time while the weakest distinction gains."""

    def worth(trial: np.ndarray) -> float:
        each = _each(trial, laws, x, error)
        return min(_power(h, r, s, trial.size) + 1e-6 * math.log1p(s) for (h, r), s in each.items())

    value = worth(index)
    for _ in range(20):
        before = value
        for i in range(index.size):
            for k in range(x.size):
                trial = index.copy()
                trial[i] = k
                if (reached := worth(trial)) > value + 1e-12:
                    index, value = trial, reached
        if value <= before + 1e-9:
            break
    return index, value
