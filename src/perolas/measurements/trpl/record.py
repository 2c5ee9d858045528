"""A decay made ready for fitting: counts on equal bins, dead bins left out, the response cleaned and normalised."""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise, Poisson, UnknownGaussian


@dataclasses.dataclass(frozen=True)
class Record:
    """A decay ready to be fitted."""

    counts: np.ndarray
    seen: np.ndarray  # the bins looked at
    irf: np.ndarray  # sum one, or empty
    irf_fwhm: float | None
    irf_total: float
    start: float
    step: float
    window: tuple[int, int] | None
    live: tuple[int, int]
    period: float | None
    noise: AbstractNoise


def record_of(
    observation: xr.Dataset,
    irf: xr.Dataset | None,
    irf_fwhm: float | None,
    period: float | None,
    window: tuple[float, float] | None,
    weights: str,
) -> Record:
    """Check a decay and make it ready.

    Args:
        observation: counts on a time axis; may carry the response as ``irf``.
        irf: the measured response, or None.
        irf_fwhm: full width of a Gaussian response in ns, or None.
        period: time between pulses in ns, or None.
        window: first and last time looked at in ns, or None for all live bins.
        weights: ``"poisson"`` or ``"none"``.

    Returns:
        The record.

    Raises:
        InputError: anything that cannot be fitted, in one sentence.
    """
    if "time_ns" not in observation.coords:
        raise InputError(
            f'A decay needs a time axis in ns, but this file has "{observation["signal"].dims[-1]}"; '
            "name the axis, for example axis=time_ns."
        )
    counts = check.counts(observation["signal"].values, "counts of the decay")
    if counts.ndim != 1:
        raise InputError("This file holds several decays; choose one (channel=).")
    if weights == "poisson" and not np.all(counts == np.round(counts)):
        raise InputError(
            "The decay does not hold whole counts, so the Poisson likelihood does not apply; "
            "use the raw counts, or weights=none for unweighted least squares."
        )
    time = observation["time_ns"].values
    step = float(np.median(np.diff(time)))
    if step <= 0 or np.max(np.abs(np.diff(time) - step)) > 0.01 * abs(step):
        raise InputError("A decay needs time bins of one width that rise; rebin the file first.")
    if counts.sum() < 50:
        raise InputError(
            f"The decay holds {counts.sum():.0f} counts, too few to estimate a lifetime (50 at the least)."
        )
    response, total = _response(observation, irf, counts.size, step)
    if irf_fwhm is not None:
        check.positive(irf_fwhm, "irf_fwhm", "ns")
        if response.size:
            raise InputError("Give either a measured instrument response or irf_fwhm, not both.")
    if period is not None and check.positive(period, "period", "ns") < counts.size * step * 0.999:
        raise InputError(f"The period of {period:g} ns is shorter than the record of {counts.size * step:g} ns.")
    live = _live(counts)
    cut = None if live == (0, counts.size) else live
    if window is not None:
        first, last = np.clip(np.searchsorted(time, window), *live)
        if last - first < 16:
            raise InputError(
                f"The window from {window[0]:g} to {window[1]:g} ns holds {last - first} bins; 16 are needed."
            )
        cut = (int(first), int(last))
    noise = Poisson() if weights == "poisson" else UnknownGaussian()
    seen = counts if cut is None else counts[slice(*cut)]
    return Record(counts, seen, response, irf_fwhm, total, float(time[0]) - step / 2, step, cut, live, period, noise)


def _live(counts: np.ndarray) -> tuple[int, int]:
    """Return the bins that counted: a run of zeros at an end that chance cannot explain is dead."""
    filled = np.flatnonzero(counts)
    first, last = int(filled[0]), int(filled[-1]) + 1
    # At the rate of the neighbouring bins, exp(-15) would be the chance of so many empty ones.
    dead_before = first * float(np.mean(counts[first : first + 50])) > 15
    dead_after = (counts.size - last) * float(np.mean(counts[max(last - 50, 0) : last])) > 15
    # The bins at the edges may have been live for part of their width.
    before = first + 1 if dead_before and first < int(np.argmax(counts)) - 20 else 0
    return before, last - 1 if dead_after else counts.size


def _response(observation: xr.Dataset, irf: xr.Dataset | None, size: int, step: float) -> tuple[np.ndarray, float]:
    """Return the measured response with its dark counts taken off and sum one, and its number of counts."""
    if irf is not None:
        values = check.counts(irf["signal"].values, "counts of the instrument response")
        if values.size != size:
            raise InputError(f"The instrument response has {values.size} bins, but the decay has {size}.")
        other = float(np.median(np.diff(irf["time_ns"].values))) if "time_ns" in irf.coords else step
        if abs(other - step) > 0.01 * step:
            raise InputError(f"The instrument response has bins of {other:g} ns, but the decay of {step:g} ns.")
    elif "irf" in observation:
        values = check.counts(observation["irf"].values, "counts of the instrument response")
    else:
        return np.zeros(0), 0.0
    if values.sum() <= 0:
        raise InputError("The instrument response is empty.")
    first, last = _live(values)
    bins = np.arange(size)
    alive = (bins >= first) & (bins < last)
    quiet = alive & (np.abs(bins - int(np.argmax(values))) > max(size // 8, 20))
    dark = float(np.mean(values[quiet])) if quiet.any() else 0.0
    # Only a low, constant level is dark counts. Its mean comes off without clipping at zero, which would leave a bias.
    clean = np.where(alive, values - dark, 0.0) if dark < 0.02 * values.max() else values
    if clean.sum() <= 0:
        raise InputError("The instrument response is empty.")
    return clean / clean.sum(), float(values.sum())
