"""The door of emission spectra: which points are fitted, how they scatter, and what the file itself says against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise, Gaussian, Poisson, UnknownGaussian
from perolas.core.observation import axis_of, conditions_of
from perolas.core.units import HC_EV_NM
from perolas.measurements.peaks_prepare import prepare, white_noise
from perolas.measurements.pl.convert import convert_axis, jacobian
from perolas.measurements.pl.noise import Scaled, camera_variance

Values = NDArray[np.float64]
AXES = ("wavelength_nm", "energy_ev")
RATIO = "a ratio to a reference (a reflectance or transmittance), not emission"
NOISES = ("auto", "poisson", "estimated")


@dataclass(frozen=True)
class Points:
    """Points to fit, in the order of the file.

    Attributes:
        x, y: shape (n,), axis and signal.
        per_nm: shape (n,), the signal as it would be per nm, by which features are judged alike on either axis.
        response: shape (n,) or a scalar, sensitivity of the instrument.
        noise: of the signal.
        axis_name, signal_unit: of x and y.
        background_per: along what a background is constant.
        certain: whether that is known; False for an energy axis of unknown origin.
        warnings, notes: what the reader should know.
    """

    x: Values
    y: Values
    per_nm: Values
    response: Values
    noise: AbstractNoise
    axis_name: str
    signal_unit: str
    background_per: str
    certain: bool
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def energy_ev(self) -> Values:
        """Return photon energies, shape (n,), eV."""
        return HC_EV_NM / self.x if self.axis_name == "wavelength_nm" else self.x


def points_of(
    observation: xr.Dataset,
    window: tuple[float, float] | None,
    response: xr.Dataset | None,
    noise: str,
    view: str = "",
) -> Points:
    """Choose points and noise of an emission spectrum.

    A spectrum per eV that was made from one per nm is judged, and its noise taken, as that one: what was counted
    are pixels, which are even in wavelength.

    Args:
        observation: one spectrum on ``wavelength_nm`` or ``energy_ev``.
        window: part of the axis to keep, in its unit.
        response: sensitivity curve on either axis, or None.
        noise: one of `NOISES`.
        view: ``"nm"`` or ``"eV"`` to take an energy axis of unknown origin for made from wavelengths, or not.

    Returns:
        The points.

    Raises:
        InputError: data or options that cannot be used.
    """
    check.one_of(noise, NOISES, "The noise")
    name = axis_of(observation)
    if name not in AXES or name not in observation.coords:
        raise InputError(f"An emission spectrum lies on wavelength_nm or energy_ev, but this axis is {name}.")
    if observation["signal"].ndim != 1:
        raise InputError("This takes one spectrum, but the observation is a batch; choose one of it, or fit a series.")
    values = np.asarray(observation[name].values, dtype=np.float64)
    if np.any(values <= 0):
        raise InputError("The axis holds values that are not positive.")
    if window is not None and not 0 < float(window[0]) < float(window[1]):
        raise InputError("The window must run from low to high, above zero.")
    units = str(observation["signal"].attrs.get("units", "arb"))
    made = units.endswith("nm/eV")
    pixels = name == "wavelength_nm" or made or (view == "nm" and units != "counts")
    judged = convert_axis(observation) if name == "energy_ev" and pixels else observation
    limits = window
    if window is not None and judged is not observation:
        limits = (HC_EV_NM / float(window[1]), HC_EV_NM / float(window[0]))
    found = prepare(judged, axis=None, laser=None, window=limits, noise="estimated", calibration_std=0.0)
    kept = found.kept
    y = np.asarray(observation["signal"].values, dtype=np.float64)[kept]
    law, notes = _noise(judged, found.y, kept, noise)
    if judged is not observation:
        law = Scaled(law, jacobian(judged)[kept])
    nm = values[kept] if name == "wavelength_nm" else HC_EV_NM / values[kept]
    return Points(
        x=values[kept], y=y, per_nm=found.y if pixels else y * HC_EV_NM / nm**2,
        response=sensitivity(response, nm), noise=law, axis_name=name, signal_unit=units,
        background_per="nm" if pixels else "eV",
        certain=name == "wavelength_nm" or made or units == "counts",
        warnings=(*found.warnings, *_against(observation)), notes=(*found.notes, *notes),
    )  # fmt: skip


def _noise(judged: xr.Dataset, y: Values, kept: NDArray[np.intp], asked: str) -> tuple[AbstractNoise, list[str]]:
    """Return the noise of the spectrum as it was counted, and what is to be said about it."""
    units = str(judged["signal"].attrs.get("units", "arb"))
    if asked == "poisson" or (asked == "auto" and units == "counts" and "variance" not in judged):
        check.counts(y)
        if np.any(y != np.round(y)):
            if asked == "auto":
                return UnknownGaussian(std=max(white_noise(y), 1e-300)), []
            raise InputError('The signal does not hold whole counts, so it cannot be Poisson; use noise "estimated".')
        camera = camera_variance(y) if asked == "auto" else None
        if camera is None:
            return Poisson(), []
        said = f"{camera[1]:.2g} of the level" if camera[1] > 0 else "the same at every level"
        return Gaussian(np.asarray(camera[0])), [
            f"These counts do not scatter as counted events do; their variance, {said}, is taken from the scatter from "
            'point to point, as a camera\'s (noise "poisson" takes them for events).'
        ]
    if asked == "auto" and "variance" in judged:
        return Gaussian(np.asarray(judged["variance"].values, dtype=np.float64)[kept]), []
    return UnknownGaussian(std=max(white_noise(y), 1e-300)), []


def sensitivity(curve: xr.Dataset | None, nm: Values) -> Values:
    """Return the sensitivity at each point, relative to its largest value there."""
    if curve is None:
        return np.ones(1)[0]  # type: ignore[no-any-return]
    name = axis_of(curve)
    if name not in AXES or curve["signal"].ndim != 1:
        raise InputError(f"A sensitivity curve lies on wavelength_nm or energy_ev, but this axis is {name}.")
    at = np.asarray(curve[name].values, dtype=np.float64)
    value = np.asarray(curve["signal"].values, dtype=np.float64)
    if np.any(at <= 0) or not np.all(np.isfinite(value)) or np.any(value <= 0):
        raise InputError("A sensitivity curve needs positive values on a positive axis.")
    at = at if name == "wavelength_nm" else HC_EV_NM / at
    order = np.argsort(at)
    if nm.min() < at.min() - 1e-6 or nm.max() > at.max() + 1e-6:
        raise InputError(
            f"The sensitivity curve reaches from {at.min():.0f} to {at.max():.0f} nm, the spectrum from {nm.min():.0f} "
            f"to {nm.max():.0f} nm; give a window within the curve."
        )
    seen = np.interp(nm, at[order], value[order])
    return seen / seen.max()


def _against(observation: xr.Dataset) -> list[str]:
    """Return what the file itself says against its being an emission spectrum."""
    said = conditions_of(observation)
    units = str(observation["signal"].attrs.get("units", ""))
    ratio = str(said.get("reference_spectrum_present", "")).strip().lower().startswith("yes")
    if ratio or units == "percent" or said.get("quantity") in ("%T", "%R", "A"):
        return [
            f"The file says that this is {RATIO}: no centre, width or yield "
            "of an emission follows from it; the numbers only describe its shape."
        ]
    return []
