"""Numbers out of a curve of points: value, maximum, its position, area, ratio, onset, slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError

Points = NDArray[np.float64]
_TOP = 0.8  # the points above this share of the maximum, from the least of the window, give its position


@dataclass(frozen=True)
class Window:
    """What is asked of a curve.

    Attributes:
        at: x of a value.
        over: x of the value that a ratio is taken to.
        start, end: window in x.
        share: of the largest y, for the onset.
    """

    at: float | None = None
    over: float | None = None
    start: float | None = None
    end: float | None = None
    share: float = 0.5


def value(x: Points, y: Points, asked: Window) -> float:
    """Return y at x = `at`, on straight lines between the points.

    Args:
        x: shape (n_points,), rising.
        y: shape (n_points,).
        asked: with `at`.

    Returns:
        y.

    Raises:
        InputError: `at` lies outside the curve.
    """
    assert asked.at is not None  # the step's schema did
    return _interpolated(x, y, asked.at)


def _interpolated(x: Points, y: Points, at: float) -> float:
    slack = 1e-9 * max(abs(x[0]), abs(x[-1]))
    if not x[0] - slack <= at <= x[-1] + slack:
        raise InputError(f"the curve runs from {x[0]:.6g} to {x[-1]:.6g}, and {at:.6g} lies outside")
    return float(np.interp(at, x, y))


def ratio(x: Points, y: Points, asked: Window) -> float:
    """Return y at `at` over y at `over`; arguments as for `value`."""
    assert asked.at is not None and asked.over is not None  # noqa: PT018 - the step's schema did
    below = _interpolated(x, y, asked.over)
    if below == 0:
        raise InputError(f"the curve is zero at {asked.over:.6g}, so no ratio to it can be taken")
    return _interpolated(x, y, asked.at) / below


def maximum(x: Points, y: Points, asked: Window) -> float:
    """Return the largest y of the points in the window; arguments as for `value`."""
    return float(np.max(_inside(x, y, asked)[1]))


def position(x: Points, y: Points, asked: Window) -> float:
    """Return x of the maximum: vertex of the parabola through the points around the largest that lie near its height.

    Args:
        x: shape (n_points,), rising.
        y: shape (n_points,).
        asked: window.

    Returns:
        x; that of the largest point where fewer than three lie near it, or they do not curve down.
    """
    x, y = _inside(x, y, asked)
    top = int(np.argmax(y))
    level = y.min() + _TOP * (y[top] - y.min())
    low = high = top
    while low > 0 and y[low - 1] >= level:
        low -= 1
    while high < len(y) - 1 and y[high + 1] >= level:
        high += 1
    if high - low < 2 and 0 < top < len(y) - 1:
        low, high = top - 1, top + 1
    if high - low < 2:
        return float(x[top])
    near, scale = x[low : high + 1] - x[top], float(np.ptp(x[low : high + 1])) or 1.0
    a, b, _ = np.polyfit(near / scale, y[low : high + 1], 2)
    if a >= 0:
        return float(x[top])
    return float(np.clip(x[top] - b / (2 * a) * scale, x[low], x[high]))


def area(x: Points, y: Points, asked: Window) -> float:
    """Return the area below straight lines between the points, from `start` to `end`; arguments as for `value`."""
    start = x[0] if asked.start is None else asked.start
    end = x[-1] if asked.end is None else asked.end
    edges = [_interpolated(x, y, start), _interpolated(x, y, end)]
    inner = (x > start) & (x < end)
    return float(np.trapezoid(np.r_[edges[0], y[inner], edges[1]], np.r_[start, x[inner], end]))


def onset(x: Points, y: Points, asked: Window) -> float:
    """Return the first x at which y has risen to `share` of its largest value; arguments as for `value`.

    Raises:
        InputError: the curve begins above that.
    """
    x, y = _inside(x, y, asked)
    level = asked.share * float(np.max(y))
    above = int(np.argmax(y >= level))
    if above == 0:
        raise InputError(f"the curve begins above {asked.share:.3g} of its largest value")
    x0, x1, y0, y1 = x[above - 1], x[above], y[above - 1], y[above]
    return float(x0 + (level - y0) / (y1 - y0) * (x1 - x0))


def slope(x: Points, y: Points, asked: Window) -> float:
    """Return the slope of the straight line with least squares in y; arguments as for `value`."""
    x, y = _inside(x, y, asked, least=2)
    off = x - x.mean()
    if not np.any(off):
        raise InputError("all points have one x, so there is no slope")
    return float(off @ y / (off @ off))


def log_slope(x: Points, y: Points, asked: Window) -> float:
    """Return d ln y / d ln x, the exponent of a power law, by least squares in ln y; arguments as for `value`."""
    x, y = _inside(x, y, asked, least=2)
    if np.any(x <= 0) or np.any(y <= 0):
        raise InputError("a slope of logarithms needs points above zero")
    return slope(np.log(x), np.log(y), Window())


def _inside(x: Points, y: Points, asked: Window, least: int = 1) -> tuple[Points, Points]:
    low = -np.inf if asked.start is None else asked.start
    high = np.inf if asked.end is None else asked.end
    use = (x >= low) & (x <= high)
    if use.sum() < least:
        raise InputError(f"there are {use.sum()} points in the window, and {least} are needed")
    return x[use], y[use]


KINDS: dict[str, Callable[[Points, Points, Window], float]] = {
    "value": value,
    "ratio": ratio,
    "maximum": maximum,
    "position": position,
    "area": area,
    "onset": onset,
    "slope": slope,
    "log_slope": log_slope,
}
ANY_ORDER = ("slope", "log_slope")  # of points, not of a curve
