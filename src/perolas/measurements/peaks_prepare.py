"""From an observation to the points that a fit of lines may use, with a sentence for everything left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, median_filter

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise, Gaussian, Poisson, UnknownGaussian
from perolas.core.observation import AXIS_UNITS, axis_of
from perolas.core.units import raman_shift_cm1

Values = NDArray[np.float64]

FEWEST = 8  # points: fewer cannot tell a line from its background
_NOISY = 10.0  # a stretch this many times noisier than the median of the spectrum is left out
_WINDOW = 101  # points over which the local noise is judged


@dataclass(frozen=True)
class Prepared:
    """Points to fit, in the order of the file.

    Attributes:
        x, y: shape (n,), axis and signal.
        kept: shape (m,), which of the points of the observation these are.
        noise: the noise model.
        axis_name, unit, signal_unit: of x (name and unit) and y.
        span: lowest and highest value of the axis that was asked for.
        spikes, saturated: positions of spikes left out and of the points at the detector's limit.
        warnings, notes: what the reader should know.
    """

    x: Values
    y: Values
    kept: NDArray[np.intp]
    noise: AbstractNoise
    axis_name: str
    signal_unit: str
    span: tuple[float, float]
    spikes: tuple[float, ...]
    saturated: tuple[float, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """Return the unit of the axis."""
        return AXIS_UNITS[self.axis_name]


def prepare(
    observation: xr.Dataset,
    *,
    axis: str | None,
    laser: float | None,
    window: tuple[float, float] | None,
    noise: str,
    calibration_std: float,
    keep_spikes: bool = False,
) -> Prepared:
    """Choose axis, points and noise model.

    Args:
        observation: one spectrum.
        axis: what the axis is, where the observation does not say it rightly.
        laser: wavelength in nm that turns a wavelength axis into Raman shifts.
        window: lowest and highest axis value to keep, in the final axis's unit.
        noise: ``"auto"``, ``"poisson"`` or ``"estimated"``.
        calibration_std: standard uncertainty of the axis, for the sentence on the laser.
        keep_spikes: take points that stand alone for signal.

    Returns:
        The points.

    Raises:
        InputError: an axis, window or noise that cannot be used.
    """
    if observation["signal"].ndim != 1:
        raise InputError("A fit of lines takes one spectrum, but this observation is a batch; choose one of it.")
    name, x, notes = _axis(observation, axis, laser, calibration_std)
    y = np.asarray(observation["signal"].values, dtype=np.float64)
    if not np.all(np.isfinite(y)):
        raise InputError(f"The signal has {np.sum(~np.isfinite(y))} values that are not numbers; remove them first.")
    if np.ptp(y) == 0:
        raise InputError(f"The signal has one value ({y[0]:g}) at every point, so there is nothing to fit.")
    unit, signal_unit = AXIS_UNITS[name], str(observation["signal"].attrs.get("units", "arb"))
    keep = np.ones(x.size, dtype=bool)
    if window is not None:
        keep = _window(x, window, unit)
    warnings: list[str] = []
    if window is None and name == "raman_shift_cm1":
        keep &= ~_elastic(x, y, notes)
    flat = keep & _saturated(y, keep)
    if flat.any():
        warnings.append(
            f"{flat.sum()} points at {_range(x[flat])} {unit} stand at one largest value ({y[flat][0]:g}): the "
            "detector was saturated there; they are left out, and the line's height and area rest on its flanks."
        )
    keep &= ~flat
    if window is None:
        keep &= ~_noisy(x, y, keep, unit, notes)
    spikes = keep & (_spikes(x, y, keep) if not keep_spikes else False)
    if spikes.any():
        where = ", ".join(f"{v:.6g}" for v in np.sort(x[spikes])[:8])
        notes.append(
            f"{spikes.sum()} points stand alone, one or two pixels wide, as cosmic rays and bad pixels do, and are "
            f"left out: {where}{' ...' if spikes.sum() > 8 else ''} {unit}."
        )
    keep &= ~spikes
    if keep.sum() < FEWEST:
        raise InputError(f"A line and its background need at least {FEWEST} points, but only {keep.sum()} are left.")
    variance = observation["variance"].values[keep] if "variance" in observation else None
    return Prepared(
        x=x[keep],
        y=y[keep],
        kept=np.flatnonzero(keep),
        noise=_noise(noise, y[keep], signal_unit, variance),
        axis_name=name,
        signal_unit=signal_unit,
        span=(float(x.min()), float(x.max())) if window is None else window,
        spikes=tuple(x[spikes].tolist()),
        saturated=tuple(x[flat].tolist()),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _axis(
    observation: xr.Dataset, asked: str | None, laser: float | None, calibration_std: float
) -> tuple[str, Values, list[str]]:
    name, notes = axis_of(observation), []
    if name not in observation.coords:
        raise InputError(f'The axis "{name}" of the observation has no values.')
    x = np.asarray(observation[name].values, dtype=np.float64)
    if asked is not None:
        check.one_of(asked, AXIS_UNITS, "The axis")
        if laser is None or asked != "raman_shift_cm1" or name != "wavelength_nm":
            name = asked
    check.one_of(name, AXIS_UNITS, "The axis")
    if laser is not None:
        check.positive(laser, "laser", "nm")
        if name == "wavelength_nm":
            if np.any(x <= 0):
                raise InputError("The wavelength axis holds values that are not positive, so it has no Raman shifts.")
            name, x = "raman_shift_cm1", np.asarray(raman_shift_cm1(x, laser))
            notes.append(
                f"The laser is taken to be at {laser:g} nm; an error of 0.1 nm there would move every line by "
                f"{1e6 / laser**2:.2g} cm-1 together, and "
                + (
                    f"{calibration_std:g} cm-1 are allowed for it (calibration_std)."
                    if calibration_std
                    else "nothing is allowed for it: give calibration_std."
                )
            )
        elif name == "raman_shift_cm1":
            notes.append("The axis is a Raman shift already, so the laser's wavelength was not used.")
        else:
            raise InputError(f"A laser wavelength turns wavelength_nm into Raman shifts, but the axis is {name}.")
    return name, check.axis(x, name), notes


def _window(x: Values, window: tuple[float, float], unit: str) -> NDArray[np.bool_]:
    low, high = (float(v) for v in window)
    if not low < high:
        raise InputError(f"The window must run from low to high, but is {low:g} to {high:g} {unit}.")
    keep = (x >= low) & (x <= high)
    if keep.sum() < FEWEST:
        raise InputError(
            f"The window from {low:g} to {high:g} {unit} holds {keep.sum()} points of data that run from "
            f"{x.min():g} to {x.max():g} {unit}; at least {FEWEST} are needed."
        )
    return keep


def white_noise(y: Values) -> float:
    """Return the standard deviation from point to point, from second differences, robustly."""
    if y.size < 5:
        return 0.0
    return float(np.median(np.abs(np.diff(y, 2)))) / 0.6745 / np.sqrt(6.0)


def _elastic(x: Values, y: Values, notes: list[str]) -> NDArray[np.bool_]:
    """Return the points of the laser's own line, where the axis reaches it."""
    near = np.abs(x) < 50
    nothing = np.zeros(x.size, dtype=bool)
    if near.sum() < 3 or x.min() > 0 or x.max() < 100:
        return nothing
    top = int(np.flatnonzero(near)[np.argmax(y[near])])
    floor = float(np.median(y))
    height = y[top] - floor
    rest = y[np.abs(x) >= 50]
    if height < 20 * white_noise(y) or height < 0.2 * (rest.max() - floor):
        return nothing
    smooth = median_filter(y, 3, mode="nearest")
    first, last = top, top
    while first > 0 and abs(x[first]) < 200 and smooth[first] - floor > 0.003 * height and _falls(smooth, first, -1):
        first -= 1
    while (
        last < x.size - 1 and abs(x[last]) < 200 and smooth[last] - floor > 0.003 * height and _falls(smooth, last, 1)
    ):
        last += 1
    found = nothing.copy()
    low, high = sorted((x[first], x[last]))
    found[(x >= low) & (x <= high)] = True
    found[x < 0] = True
    tops = x[y >= floor + 0.5 * height]
    centre = float(np.mean(tops[np.abs(tops) < 100]))
    notes.append(
        f"The laser's own light is at {centre:.3g} cm-1 on this axis; everything below {high:.4g} cm-1 is left out "
        "(give a window to keep it). If that line is not at zero, the axis or the laser's wavelength is off by as much."
    )
    return found


def _falls(smooth: Values, i: int, step: int) -> bool:
    """Whether the signal goes on falling (or is flat at the top) within the next three points."""
    ahead = smooth[max(i - 3, 0) : i][::-1] if step < 0 else smooth[i + 1 : i + 4]
    return bool(ahead.size and ahead.min() <= smooth[i])


def _saturated(y: Values, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the points at the largest value where three or more in a row share it (two at a full 16 bits)."""
    top = y[keep].max()
    at = keep & (y == top)
    needed = 2 if top in (65535.0, 65536.0) else 3
    runs = np.flatnonzero(np.diff(np.concatenate([[0], at.astype(int), [0]])))
    longest = int(np.max(runs[1::2] - runs[::2]))
    stands_out = top - np.median(y[keep]) > 10 * white_noise(y[keep]) and np.mean(at) < 0.5
    return at if longest >= needed and stands_out and top != np.median(y[keep]) else np.zeros(y.size, dtype=bool)


def _noisy(x: Values, y: Values, keep: NDArray[np.bool_], unit: str, notes: list[str]) -> NDArray[np.bool_]:
    """Return stretches where the noise is ten times that of the spectrum as a whole and hides any line."""
    found = np.zeros(y.size, dtype=bool)
    if keep.sum() < 3 * _WINDOW:
        return found
    index = np.flatnonzero(keep)
    rough = np.abs(np.diff(y[index], 2, prepend=0, append=0)) / np.sqrt(6) / 0.6745
    rough[[0, -1]] = rough[[1, -2]]
    local = median_filter(rough, _WINDOW, mode="nearest")
    middle = median_filter(y[index], 2 * (_WINDOW // 8) + 1, mode="nearest")
    usual = float(np.median(local))
    level = median_filter(np.abs(middle - np.median(y[index])), _WINDOW, mode="nearest")
    bad = (local > _NOISY * max(usual, 1e-300)) & (local > 0.1 * level)
    if not usual or not bad.any():
        return found
    # Short stretches between bad ones, or between a bad one and the end, belong to them.
    bad = binary_closing(np.pad(bad, _WINDOW, constant_values=True), iterations=_WINDOW // 2)[_WINDOW:-_WINDOW]
    ends = np.flatnonzero(local > _NOISY * usual)
    bad[: _WINDOW // 2] &= bool(ends[0] < _WINDOW)
    bad[-(_WINDOW // 2) :] &= bool(ends[-1] >= bad.size - _WINDOW)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(int), [0]])))
    if bad.mean() > 0.5 or not bad.any() or np.max(edges[1::2] - edges[::2]) < 20:
        return found
    found[index[bad]] = True
    parts = [_range(x[index[a:b]]) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    notes.append(
        f"At {', '.join(parts[:5])} {unit} the noise is more than {_NOISY:g} times that of the rest; "
        "this is left out (give a window to fit it)."
    )
    return found


def _spikes(x: Values, y: Values, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return points that stand out alone or in pairs, their neighbours being at the level of the surroundings.

    A line two pixels wide has a tenth or more of its height beside a pair; narrower ones cannot be told from a spike.
    """
    found = np.zeros(y.size, dtype=bool)
    index = np.flatnonzero(keep)
    v = y[index]
    if v.size < 12:
        return found
    rest = v - median_filter(v, 9, mode="nearest")
    rough = np.abs(np.diff(v, 2, prepend=0, append=0))
    rough[[0, -1]] = rough[[1, -2]]
    noise = median_filter(rough, min(_WINDOW, v.size // 2 * 2 - 1), mode="nearest") / 0.6745 / np.sqrt(6)
    noise = np.maximum(noise, white_noise(v))
    noise = np.maximum(noise, 1e-12 * np.abs(v).max() + 1e-300)
    for width, height, share in ((1, 12.0, 0.10), (2, 20.0, 0.07)):
        for i in np.flatnonzero(np.abs(rest) > height * noise):
            run = slice(i, i + width)
            if i < 2 or i + width > v.size - 2:
                continue
            least = rest[run][np.argmin(np.abs(rest[run]))]
            beside = np.concatenate([rest[i - 2 : i], rest[i + width : i + width + 2]])
            same = np.all(np.sign(rest[run]) == np.sign(rest[i])) and abs(least) > 0.3 * np.abs(rest[run]).max()
            if same and np.all(np.abs(beside) < np.maximum(share * np.abs(rest[run]).max(), 2.5 * noise[i])):
                found[index[run]] = True
    return found


def _noise(kind: str, y: Values, signal_unit: str, variance: Values | None) -> AbstractNoise:
    check.one_of(kind, ("auto", "poisson", "estimated"), "The noise")
    if kind == "poisson":
        check.counts(y)
        if np.any(y != np.round(y)):
            raise InputError('The signal does not hold whole counts, so it cannot be Poisson; use noise="estimated".')
    if kind == "poisson" or (kind == "auto" and signal_unit == "counts" and variance is None):
        return Poisson()
    if kind == "auto" and variance is not None:
        return Gaussian(variance)
    return UnknownGaussian(std=max(white_noise(y), 1e-300))


def _range(x: Values) -> str:
    low, high = float(x.min()), float(x.max())
    return f"{low:.6g}" if low == high else f"{low:.6g}-{high:.6g}"
