"""A current trace made ready: in nA against seconds, with the times at which the light was switched."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import xarray as xr

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise, Gaussian, UnknownGaussian
from perolas.core.observation import axis_of, conditions_of

_LEAST = 20  # readings
_CLEAR = 6.0  # an edge is a change of so many standard errors


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """A trace ready to be fitted.

    Attributes:
        time, current: shape (n,), s and nA.
        noise: of the meter.
        switches: shape (m,), s: light on, off, on ...; empty where nothing was given and nothing seen.
        found: whether the switch times were found in the trace itself.
        falling: whether light lowers the current.
        step: typical time between readings, s.
        saturated: number of readings that stand at the meter's limit.
    """

    time: np.ndarray
    current: np.ndarray
    noise: AbstractNoise
    switches: np.ndarray
    found: bool
    falling: bool
    step: float
    saturated: int


def trace_of(
    observation: xr.Dataset, switches: str = "", period: float | None = None, first: float | None = None
) -> Trace:
    """Check a trace and find when the light was switched.

    Args:
        observation: current on a time axis in seconds.
        switches: times of the switches in s, separated by blanks, the first being light on; "" where not known.
        period: time from light on to light on in s, half of it lit; None where not known.
        first: first time of light on in s, with `period`.

    Returns:
        The trace.

    Raises:
        InputError: anything that cannot be fitted, in one sentence.
    """
    axis = axis_of(observation)
    if axis != "time_s":
        raise InputError(f'A photocurrent needs a time axis in seconds (time_s), but this file has "{axis}".')
    signal = observation["signal"]
    if signal.ndim != 1:
        raise InputError("This file holds several traces; choose one (channel=).")
    unit = str(signal.attrs["units"])
    try:
        factor = units.convert(f"1 {unit}", "nA")
    except InputError:
        raise InputError(f'A photocurrent is a current (A or nA), but the signal is in "{unit}".') from None
    time, current = observation["time_s"].values.astype(float), signal.values * factor
    if time[0] > time[-1]:
        raise InputError("The time must rise; sort the readings.")
    if time.size < _LEAST:
        raise InputError(f"The trace has {time.size} readings, too few for a transient ({_LEAST} at the least).")
    if np.ptp(current) == 0:
        raise InputError("Every reading is the same; the meter was not measuring, or its range was exceeded.")
    known: AbstractNoise = UnknownGaussian()
    if "variance" in observation:
        known = Gaussian(np.asarray(observation["variance"].values) * factor**2)
    stated = _stated(observation, switches, period, first, time)
    found = stated is None
    edges, falling = _edges(time, current) if stated is None else (stated, False)
    step = float(np.median(np.diff(time)))
    at_limit = int(np.sum(current == current.max()))
    return Trace(time, current, known, edges, found, falling, step, at_limit if at_limit > 5 else 0)


def _stated(
    observation: xr.Dataset, switches: str, period: float | None, first: float | None, time: np.ndarray
) -> np.ndarray | None:
    """Return the switch times that the caller or the observation states, or None."""
    if switches:
        try:
            values = np.array([float(v) for v in str(switches).replace(",", " ").split()])
        except ValueError:
            raise InputError(f'Option "switches" must be times in seconds, but is "{str(switches)[:60]}".') from None
        return _checked(values, time)
    if period is not None:
        check.positive(period, "period", "s")
        begin = time[0] if first is None else first
        count = int((time[-1] - begin) / (0.5 * period)) + 1
        if not 2 <= count <= 2000:
            raise InputError(f"A period of {period:g} s from {begin:g} s makes {max(count, 0)} switches in this trace.")
        return _checked(begin + 0.5 * period * np.arange(count), time)
    noted = conditions_of(observation).get("switches_s")
    return _checked(np.asarray(noted, dtype=float), time) if noted else None


def _checked(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    inside = values[values < time[-1]]
    if inside.size < 2 or not np.all(np.isfinite(values)) or not np.all(np.diff(values) > 0):
        raise InputError("Switch times must rise, and at least two of them (on, off) must lie within the trace.")
    return inside


def noise_of(current: np.ndarray) -> float:
    """Return the standard deviation of the readings' noise from third differences, which a smooth course cancels."""
    third = np.diff(current, 3)
    return float(np.median(np.abs(third)) / 0.6745 / math.sqrt(20.0))


def _edges(time: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return where the current starts to change suddenly, and whether the first change is downwards.

    A step is where the means of a few readings on either side differ most; the change begins between the two readings
    that the largest single step of it parts. The wider the window, the smaller the step that can be seen.
    """
    noise = max(noise_of(current), 1e-12 * float(np.ptp(current)))
    for width in (3, 6, 12, 24, 48):
        if 4 * width > current.size:
            break
        places, sizes = _steps(current, width)
        clear = np.abs(sizes) > max(_CLEAR * noise * math.sqrt(2.0 / width), 0.2 * float(np.max(np.abs(sizes))))
        places, sizes = places[clear], sizes[clear]
        if places.size < 2:
            continue
        kept = _alternating(places, sizes)
        if len(kept) < 2 or len(kept) > max(current.size // 8, 2):
            continue
        positions = [_begin(time, current, places[k], width) for k in kept]
        return np.array(positions), bool(sizes[kept[0]] < 0)
    return np.zeros(0), False


def _steps(current: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the local extremes of the difference of means: places (index of the first reading after) and sizes."""
    total = np.concatenate([[0.0], np.cumsum(current)])
    middle = np.arange(width, current.size - width + 1)
    after = (total[middle + width] - total[middle]) / width
    before = (total[middle] - total[middle - width]) / width
    change = after - before
    size = np.abs(change)
    high = np.array([size[max(i - width, 0) : i + width + 1].max() for i in range(size.size)])
    best = np.flatnonzero(size >= high)
    return middle[best], change[best]


def _alternating(places: np.ndarray, sizes: np.ndarray) -> list[int]:
    """Return the steps with alternating signs; of several with one sign in a row the largest."""
    kept: list[int] = []
    for k in range(places.size):
        if kept and np.sign(sizes[kept[-1]]) == np.sign(sizes[k]):
            if abs(sizes[k]) > abs(sizes[kept[-1]]):
                kept[-1] = k
        else:
            kept.append(k)
    return kept


def _begin(time: np.ndarray, current: np.ndarray, place: int, width: int) -> float:
    """Return the time between the two readings near a step that differ most."""
    low, high = max(place - width, 1), min(place + width, current.size)
    jumps = np.abs(np.diff(current[low - 1 : high]))
    at = low + int(np.argmax(jumps))
    return 0.5 * float(time[at - 1] + time[at])
