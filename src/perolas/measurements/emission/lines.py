"""The usual threshold: two straight lines through output against fluence, and by how much they miss.

A line through the points below the kink, one through those above, the split chosen by least squares, the threshold
where they cross. The true curve bends smoothly, over a range of p of about 2 sqrt(beta), and for two photons it is no
line on either side, so that what the lines find depends on beta and on which fluences were measured. `bias` says by how
much, from the curve itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.measurements.emission.model import stimulated

_LEAST = 2  # points on each side


@dataclass(frozen=True)
class TwoLines:
    """A two-line fit.

    Attributes:
        threshold: fluence where the lines cross, in the fluence's unit; NaN where they hardly differ.
        below, above: (intercept, slope) of each line.
        split: number of points that belong to the first line.
    """

    threshold: float
    below: tuple[float, float]
    above: tuple[float, float]
    split: int


def two_lines(fluence: ArrayLike, output: ArrayLike) -> TwoLines:
    """Fit two straight lines by unweighted least squares, as is usually done.

    Args:
        fluence: shape (n,), rising, any unit.
        output: shape (n,), any unit.

    Returns:
        The lines of the best split whose crossing lies within the range and at which the slope grows.

    Raises:
        InputError: fewer than five points, or ones that are not numbers.
    """
    x, y = np.asarray(fluence, dtype=float), np.asarray(output, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or x.size < 5 or not np.all(np.isfinite([x, y])):
        raise InputError("Two lines need at least five points of fluence and output, all of them numbers.")
    best, found = np.inf, TwoLines(np.nan, (np.nan, np.nan), (np.nan, np.nan), 0)
    for split in range(_LEAST, x.size - _LEAST + 1):
        low, left = _line(x[:split], y[:split])
        high, right = _line(x[split:], y[split:])
        if not high[1] > low[1]:
            continue
        crossing = (low[0] - high[0]) / (high[1] - low[1])
        if x[0] <= crossing <= x[-1] and left + right < best:
            best, found = left + right, TwoLines(float(crossing), low, high, split)
    return found


def _line(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], float]:
    """Return (intercept, slope) and the sum of squares."""
    away = x - x.mean()
    square = float(away @ away)
    slope = float(away @ y / square) if square > 0 else 0.0
    intercept = float(y.mean() - slope * x.mean())
    return (intercept, slope), float(np.sum((y - intercept - slope * x) ** 2))


def bias(
    betas: Sequence[float] | np.ndarray,
    photons: float = 1.0,
    span: tuple[float, float] = (0.1, 3.0),
    points: int = 30,
    spontaneous: float = 0.0,
) -> np.ndarray:
    """Return the two-line threshold of noise-free curves over the true one, less one.

    Args:
        betas: shape (b,), spontaneous-emission factors, above 0 and up to 1.
        photons: absorbed for each excitation.
        span: lowest and highest fluence over that of threshold.
        points: fluences, equally spaced.
        spontaneous: collected spontaneous emission outside the mode, over the scale of the curve.

    Returns:
        Shape (b,), relative bias; NaN where there is no kink (beta = 1 with one photon is a straight line).

    Raises:
        InputError: numbers that cannot be used.
    """
    check.positive(photons, "photons")
    low, high = (check.positive(v, "span") for v in span)
    if not low < high or not 5 <= points <= 100_000:
        raise InputError("The span must run from low to high, with five points or more.")
    fluence = np.linspace(low, high, points)
    pump = jnp.asarray(fluence**photons)
    found = []
    for beta in np.atleast_1d(np.asarray(betas, dtype=float)):
        if not 0 < beta <= 1:
            raise InputError(f"beta lies above 0 and is at most 1, but is {beta:g}.")
        mode = stimulated(pump, jnp.asarray(beta))
        lines = two_lines(fluence, np.asarray(mode + spontaneous * pump / (1.0 + mode)))
        rise = lines.above[1] - lines.below[1]
        found.append(lines.threshold - 1.0 if rise > 1e-9 * abs(lines.above[1]) else np.nan)
    return np.array(found)
