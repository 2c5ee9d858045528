"""Emission of a pumped film: threshold, beta and slope from a pump sweep; linewidths; area laws; what the camera sees.

`model` has the S-curve, `curve` inverts it and `words` says how it went; `lines` is the usual two-line threshold and
its bias. `camera` and `simulation` make spectra, `spectra` and `width` read them, `verdict` asks whether they are those
of a random laser. `area` ranks laws of threshold against area, `plan` finds the spots that tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.observation import AXIS_UNITS, axis_of, conditions_of
from perolas.core.parameter import table
from perolas.measurements.emission.area_words import fit_areas
from perolas.measurements.emission.curve import best_fit, check_jitter, wishes
from perolas.measurements.emission.model import PARAMETERS_USED, REFERENCES, Emission
from perolas.measurements.emission.prepare import prepare
from perolas.measurements.emission.simulation import simulate
from perolas.measurements.emission.spectra_words import fit_spectra
from perolas.measurements.emission.words import finish

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Emission", "example", "fit", "simulate"]

PARAMETERS = table(Emission)
_AXES = {"curve": "fluence_uj_cm2", "area": "area_um2", "spectra": "wavelength_nm", "shots": "wavelength_nm"}
_LONG = 300  # points from which on a table without a header is rather a spectrum


def fit(
    observation: xr.Dataset,
    *,
    model: str = "auto",
    photons: str | float = "auto",
    noise: str = "auto",
    jitter: str | float | None = "auto",
    saturation: float | None = None,
    gain: float | None = None,
    readout: float | None = None,
    offset: float | None = None,
    resolution: float | None = None,
    window: tuple[float, float] | None = None,
    area_error: float = 0.0,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
) -> Estimate:
    """Estimate threshold, beta and slope from a pump sweep, or what the other kinds of data tell.

    Args:
        observation: output on ``fluence_uj_cm2``; spectra on ``wavelength_nm`` (a sweep where each has its fluence,
            else shots); or thresholds on ``area_um2``.
        model: ``"auto"`` (by the axis), ``"curve"``, ``"spectra"``, ``"shots"`` or ``"area"``.
        photons: absorbed for each excitation: 1, 2, or ``"auto"``: chosen by evidence.
        noise: of the output: ``"auto"``, ``"poisson"``, ``"relative"`` or ``"constant"``.
        jitter: relative standard deviation of each fluence; ``"auto"``: found where counting noise does not suffice.
        saturation: counts from which on the detector (a pixel, for spectra) is full.
        gain: electrons for each count of a camera.
        readout: standard deviation of its readout, counts.
        offset: counts of a pixel without light.
        resolution: full width of the spectrometer's own line, nm.
        window: part of spectra to look at, nm.
        area_error: relative standard error of the areas.
        free: names added to what is fitted, such as ``"exponent"`` or ``"spontaneous"``.
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those, and of surrogates.

    Returns:
        The estimate.

    Raises:
        InputError: data or options that cannot be used.
    """
    kind = _kind(observation, model)
    observation = _as_axis(observation, _AXES[kind])
    if kind == "area":
        return fit_areas(observation, area_error, tuple(free), tuple(fix), dict(guess or {}))
    options = wishes(
        photons, jitter, free=tuple(free), fix=tuple(fix), guess=dict(guess or {}), starts=starts, seed=seed
    )
    if kind in ("spectra", "shots"):
        return fit_spectra(
            observation, options, model=model if model in ("spectra", "shots") else "auto", window=window,
            saturation=saturation, resolution=resolution, gain=gain, offset=offset,
        )  # fmt: skip
    sweep = prepare(observation, noise, gain, readout, saturation)
    check_jitter(sweep, options)
    best, tried = best_fit(sweep, options)
    return finish(best, tried, sweep, options)


def _kind(observation: xr.Dataset, model: str) -> str:
    check.one_of(model, ("auto", *_AXES), "The model")
    if model != "auto":
        return model
    axis = axis_of(observation)
    assumed = conditions_of(observation).get("axis_assumed", False)
    if axis == "fluence_uj_cm2" and assumed and observation.sizes[axis] >= _LONG:
        raise InputError(
            f"A table of {observation.sizes[axis]} rows without a header may be a spectrum or a sweep; say which with "
            "model=spectra or model=curve, or name its columns."
        )
    found = next((k for k, a in _AXES.items() if a == axis), None)
    if found is None:
        raise InputError(
            f"Emission takes a sweep (fluence_uj_cm2), spectra (wavelength_nm) or thresholds (area_um2), but the axis "
            f"is {axis}."
        )
    return found


def _as_axis(observation: xr.Dataset, axis: str) -> xr.Dataset:
    """Return the observation on the axis that its kind needs, where nothing said what its first column is."""
    here = axis_of(observation)
    if here == axis:
        return observation
    if not conditions_of(observation).get("axis_assumed", False):
        raise InputError(f"This model needs the axis {axis}, but the data have {here}.")
    renamed = observation.rename({here: axis})
    renamed[axis].attrs["units"] = AXIS_UNITS[axis]
    if axis == "area_um2":
        renamed["signal"].attrs["units"] = "uJ/cm^2"
    return renamed


def example() -> Emission:
    """Return a curve whose answer is known, for the inversion tests: beta = 0.03, from a tenth of threshold to four."""
    return Emission(
        threshold_uj_cm2=250.0,
        log10_beta=-1.5,
        scale=3e3,
        background=30.0,
        exponent=1.0,
        jitter=np.zeros(0),
        fluence=np.geomspace(25.0, 1000.0, 60),
    )
