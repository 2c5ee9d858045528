"""The door of an infrared spectrum: absorbance in windows, with the size of its noise."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import xarray as xr

from perolas.core.errors import InputError
from perolas.core.observation import axis_of, conditions_of
from perolas.measurements.ftir.bands import NAMES, WINDOWS, band

QUANTITIES = ("auto", "absorbance", "transmittance", "percent")
_FEWEST = 20  # points in a window
_COARSEST = 10.0  # cm-1 from point to point: half the narrowest band
_DARK = 0.003  # transmittance below which light that is not the sample's decides


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """An absorbance spectrum ready to be fitted.

    Attributes:
        wavenumber: shape (n,), cm-1, rising, within `windows`.
        absorbance: shape (n,), decadic.
        variance: shape (n,), of each point.
        windows: low and high end of each, cm-1.
        bands: names of the bands that lie in them.
        template: shape (n,), absorbance of water vapour there (zeros without one).
        stated: whether the variance came with the data.
        warnings, notes: sentences for the reader.
    """

    wavenumber: np.ndarray
    absorbance: np.ndarray
    variance: np.ndarray
    windows: tuple[tuple[float, float], ...]
    bands: tuple[str, ...]
    template: np.ndarray
    stated: bool
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def absorbance_of(
    observation: xr.Dataset, quantity: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None, list[str]]:
    """Return a spectrum as absorbance, whatever it was measured as.

    A transmittance T becomes A = -lg T, and a standard deviation s of it becomes s / (T ln 10).

    Args:
        observation: one spectrum on ``wavenumber_cm1``.
        quantity: what the signal is, one of `QUANTITIES`.

    Returns:
        Wavenumber, rising; absorbance; variance (None where it is not known); transmittance (None where it was
        absorbance); warnings.

    Raises:
        InputError: anything that cannot be used.
    """
    axis = axis_of(observation)
    if axis != "wavenumber_cm1":
        raise InputError(
            f'An infrared spectrum needs a wavenumber axis (wavenumber_cm1), but this file has "{axis}"; convert it, '
            "or say --axis wavenumber_cm1 where its first column is that."
        )
    if observation["signal"].ndim != 1:
        raise InputError("It holds several spectra; choose one.")
    wavenumber = np.asarray(observation[axis].values, dtype=float)
    signal = np.asarray(observation["signal"].values, dtype=float)
    variance = np.asarray(observation["variance"].values, dtype=float) if "variance" in observation else None
    order = np.argsort(wavenumber)
    wavenumber, signal = wavenumber[order], signal[order]
    variance = None if variance is None else variance[order]
    said = str(conditions_of(observation).get("quantity", "")).lower()
    unit = str(observation["signal"].attrs["units"])
    if quantity == "auto":
        quantity = "percent" if unit == "percent" else "transmittance" if "transmit" in said else "absorbance"
    if quantity == "absorbance":
        if np.median(signal) > 10.0:
            raise InputError(
                f"Its signal is {np.median(signal):.3g} in the middle, which no absorbance is; say what it is "
                "(quantity: percent or transmittance)."
            )
        return wavenumber, signal, variance, None, []
    factor = 0.01 if quantity == "percent" else 1.0
    through = signal * factor
    if np.median(through) > 1.5:
        raise InputError(f"Its transmittance is {np.median(through):.3g} in the middle; is it in per cent?")
    keep = through > _DARK
    if keep.sum() < _FEWEST:
        raise InputError("Next to no light came through the sample; measure less of it.")
    warnings = []
    if not keep.all():
        warnings.append(
            f"{int((~keep).sum())} points of less than {_DARK:.1%} transmittance are left out: stray light decides."
        )
    through, wavenumber = through[keep], wavenumber[keep]
    variance = None if variance is None else variance[keep] * (factor / (through * math.log(10.0))) ** 2
    return wavenumber, -np.log10(through), variance, through, warnings


def noise_of(signal: np.ndarray) -> float:
    """Return the standard deviation of a signal's noise, from its third differences, which smooth bands leave alone."""
    third = np.diff(signal, n=3)
    return float(1.4826 * np.median(np.abs(third)) / math.sqrt(20.0))


def spectrum_of(observation: xr.Dataset, quantity: str, vapour: xr.Dataset | None, wanted: tuple[str, ...]) -> Spectrum:
    """Check a spectrum and make it ready.

    Args:
        observation: one spectrum on ``wavenumber_cm1``.
        quantity: what the signal is, one of `QUANTITIES`.
        vapour: a spectrum of water vapour, or None.
        wanted: names of the bands; those outside of the spectrum are left out.

    Returns:
        The spectrum in the windows that it covers.

    Raises:
        InputError: anything that cannot be used, in one sentence.
    """
    wavenumber, absorbance, variance, through, warnings = absorbance_of(observation, quantity)
    windows = []
    for low, high in WINDOWS:
        inside = wavenumber[(wavenumber >= low) & (wavenumber <= high)]
        if inside.size < 2 or inside[0] > low + 30.0 or inside[-1] < high - 30.0:
            continue
        step = float(np.median(np.diff(inside)))
        if step > _COARSEST:
            raise InputError(f"Its points are {step:.3g} cm-1 apart, too far for bands of 20 cm-1 ({_COARSEST:g}).")
        if inside.size < _FEWEST:
            continue
        windows.append((low, high))
    if not windows:
        raise InputError(
            f"It reaches from {wavenumber[0]:.0f} to {wavenumber[-1]:.0f} cm-1, but bands of ligands need "
            + " or ".join(f"{low:.0f}-{high:.0f} cm-1" for low, high in WINDOWS) + "."
        )  # fmt: skip
    inside = np.zeros(wavenumber.size, dtype=bool)
    for low, high in windows:
        inside |= (wavenumber >= low) & (wavenumber <= high)
    stated = variance is not None
    if variance is None:
        variance = _variance(wavenumber, absorbance, through, tuple(windows))
    bands = tuple(n for n in wanted if any(low <= band(n).position.value <= high for low, high in windows))
    template = np.zeros(int(inside.sum()))
    if vapour is not None:
        there, gas, _, _, _ = absorbance_of(vapour, "auto")
        if there[0] > wavenumber[inside][0] + 1.0 or there[-1] < wavenumber[inside][-1] - 1.0:
            raise InputError("The spectrum of water vapour does not reach over the windows of the bands.")
        template = np.interp(wavenumber[inside], there, gas)
    return Spectrum(
        wavenumber[inside], absorbance[inside], variance[inside], tuple(windows), bands, template, stated,
        tuple(warnings),
    )  # fmt: skip


def _variance(
    wavenumber: np.ndarray, absorbance: np.ndarray, through: np.ndarray | None, windows: tuple[tuple[float, float], ...]
) -> np.ndarray:
    """Return the variance of the absorbance from the scatter of neighbours; of a transmittance, where it was one."""
    signal = absorbance if through is None else through
    parts = [signal[(wavenumber >= low) & (wavenumber <= high)] for low, high in windows]
    size = max(max(noise_of(p) for p in parts), 1e-7 * float(np.max(np.abs(signal))), 1e-12)
    if through is None:
        return np.full(wavenumber.size, size**2)
    return (size / (through * math.log(10.0))) ** 2


ALL_BANDS = NAMES
