"""What comes in: energies, the signal as a share, its noise and its kind; refused with a sentence where it is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.observation import axis_of, conditions_of
from perolas.core.units import HC_EV_NM
from perolas.measurements.absorption.model import KINDS

Values = NDArray[np.float64]
FEWEST = 12
_PART = 21  # points whose scatter is one number
_UNEVEN = 3.0
SCALES = ("auto", "share", "percent")
_QUANTITIES = {"%T": "transmittance", "T": "transmittance", "%R": "reflectance", "R": "reflectance", "A": "absorbance",
               "ABS": "absorbance"}  # fmt: skip
_MOST_ABSORBANCE = 8.0  # no instrument reads more
_PER_SECOND_DIFFERENCE = 1.0 / (0.6745 * 6.0**0.5)  # of white noise, by the median of its size


@dataclass(frozen=True)
class Points:
    """A spectrum that can be fitted.

    Attributes:
        energy: shape (n,), rising, eV.
        signal: shape (n,), absorbance, or a share.
        variance: shape (n,).
        measured: whether the variance came with the data; else it is taken from the scatter of neighbours.
        kind: of signal.
        notes: what was taken for granted, in words.
    """

    energy: Values
    signal: Values
    variance: Values
    measured: bool
    kind: str
    notes: tuple[str, ...]

    def within(self, low: float, high: float) -> Points:
        """Return the points between two energies, eV."""
        at = (self.energy >= low) & (self.energy <= high)
        return Points(self.energy[at], self.signal[at], self.variance[at], self.measured, self.kind, self.notes)


def points_of(observation: xr.Dataset, kind: str = "auto", scale: str = "auto") -> Points:
    """Check an observation and return its spectrum.

    Args:
        observation: one signal on ``wavelength_nm`` or ``energy_ev``.
        kind: one of `KINDS`, or ``"auto"``: as the file says.
        scale: ``"share"``, ``"percent"``, or ``"auto"``: as the file says, or as the numbers leave no doubt.

    Returns:
        Its points, all of them.

    Raises:
        InputError: data that are no such spectrum, with what to do.
    """
    check.one_of(kind, ("auto", *KINDS), "The kind of signal")
    check.one_of(scale, SCALES, "The scale")
    name = axis_of(observation)
    if name not in ("wavelength_nm", "energy_ev") or observation["signal"].ndim != 1:
        raise InputError(f"An absorption spectrum is one signal on wavelength_nm or energy_ev, not on {name} or many.")
    x = np.asarray(observation[name].values, dtype=np.float64)
    signal = np.asarray(observation["signal"].values, dtype=np.float64)
    if np.any(~np.isfinite(x)) or np.any(x <= 0):
        raise InputError("The axis holds values that are not positive numbers.")
    if not np.all(np.isfinite(signal)):
        wrong = int(np.sum(~np.isfinite(signal)))
        raise InputError(f"The signal has {wrong} values that are not numbers; remove those points.")
    units = str(observation["signal"].attrs.get("units", "1"))
    if units == "counts":
        raise InputError("These are counts; an absorption spectrum is absorbance, transmittance or reflectance.")
    said = conditions_of(observation)
    known = str(said.get("kind", _QUANTITIES.get(str(said.get("quantity", "")).upper(), "")))
    chosen = kind if kind != "auto" else known or ("transmittance" if units == "percent" else "absorbance")
    check.one_of(chosen, KINDS, "The kind of signal")
    factor, notes = _factor(signal, chosen, units, scale)
    signal = factor * signal
    _refuse(signal, chosen)
    energy = HC_EV_NM / x if name == "wavelength_nm" else x
    order = np.argsort(energy)
    energy, signal = energy[order], signal[order]
    if energy.size < FEWEST:
        raise InputError(f"An edge and its background need at least {FEWEST} points, but there are {energy.size}.")
    if np.ptp(signal) == 0:
        raise InputError("Every value of this spectrum is the same; nothing can be read from it.")
    measured = "variance" in observation
    if measured:
        variance = factor**2 * np.asarray(observation["variance"].values, dtype=np.float64)[order]
        if not np.all(np.isfinite(variance)) or np.any(variance <= 0):
            raise InputError("The variance of the signal must be positive everywhere.")
    else:
        variance = local_noise(signal) ** 2
    return Points(energy, signal, variance, measured, chosen, notes)


def noise_of(signal: Values) -> float:
    """Return the standard deviation of the noise of a smooth spectrum from how far each point lies off its neighbours.

    Args:
        signal: shape (n,).

    Returns:
        The noise; never less than what the digits of the numbers allow, nor 1e-6 of the range.
    """
    bend = np.abs(np.diff(signal, 2))
    found = _PER_SECOND_DIFFERENCE * float(np.median(bend))
    steps = np.abs(np.diff(signal))
    digit = float(steps[steps > 1e-12].min()) / 12**0.5 if np.any(steps > 1e-12) else 0.0
    digit = digit if np.mean(steps <= 1e-12) > 0.2 else 0.0  # many equal neighbours: the numbers are rounded
    return max(found, digit, 1e-6 * float(np.ptp(signal)))


def local_noise(signal: Values) -> Values:
    """Return the noise at each point: one number, unless it differs a lot along the spectrum (`noise_of` in each part).

    Args:
        signal: shape (n,).

    Returns:
        Standard deviation, shape (n,).
    """
    from scipy.ndimage import median_filter, uniform_filter1d

    whole = noise_of(signal)
    if signal.size < 2 * _PART:
        return np.full(signal.size, whole)
    bend = np.abs(np.diff(signal, 2))
    local = _PER_SECOND_DIFFERENCE * median_filter(np.pad(bend, 1, mode="edge"), _PART, mode="nearest")
    local = np.maximum(uniform_filter1d(local, _PART // 2, mode="nearest"), 0.2 * whole)
    low, high = np.percentile(local, [10, 90])
    return local if high > _UNEVEN * low else np.full(signal.size, whole)


def _factor(signal: Values, kind: str, units: str, scale: str) -> tuple[float, tuple[str, ...]]:
    """Return by what the signal becomes a share, with a word where that was found from the numbers."""
    if kind == "absorbance":
        if units == "percent" or scale == "percent":
            raise InputError('An absorbance has no percent; say what was measured, "transmittance" or "reflectance".')
        return 1.0, ()
    if scale != "auto":
        return (0.01 if scale == "percent" else 1.0), ()
    if units == "percent":
        return 0.01, ()
    high = float(np.percentile(signal, 95))
    if high <= 1.25:
        return 1.0, ()
    if high >= 5.0:
        return 0.01, (f"The {kind} reaches {high:.3g}: it was read as percent (scale).",)
    raise InputError(
        f'A {kind} that reaches {high:.3g} may be percent or a share of one; say which: scale "percent" or "share".'
    )


def _refuse(signal: Values, kind: str) -> None:
    middle, low, high = (float(np.percentile(signal, p)) for p in (50, 5, 95))
    if kind == "absorbance":
        if high < 0 and low < -0.02:
            raise InputError(
                f"The absorbance is negative everywhere ({middle:.3g} in the middle): sample and reference may be "
                "swapped, or the baseline belongs to another cell."
            )
        if high > _MOST_ABSORBANCE:
            raise InputError(
                f"An absorbance of {high:.3g} cannot be measured; these numbers may be percent of transmittance (kind "
                '"transmittance", scale "percent") or counts.'
            )
        return
    if middle > 1.3:
        raise InputError(
            f"The {kind} is {middle:.0%} in the middle of its values, far above 100 %: the reference is wrong, or the "
            "scale is (a share was read as percent or the other way round)."
        )
    if high < 0:
        raise InputError(f"The {kind} is negative everywhere; the dark signal was taken off twice, or it is another.")
