"""The answer to spectra: a sweep of them with widths and a verdict, a series of shots, or a single one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.noise import Gaussian
from perolas.laser.statistics import levy_index, parisi_overlap
from perolas.measurements.emission.band import Band
from perolas.measurements.emission.curve import Wishes, best_fit, check_jitter
from perolas.measurements.emission.prepare import prepare
from perolas.measurements.emission.spectra import Spectra, as_sweep, outputs, spectra_of, widths
from perolas.measurements.emission.verdict import Verdict, judge
from perolas.measurements.emission.width import baseline_of, noise_of
from perolas.measurements.emission.words import finish

_ABOVE = 1.2  # thresholds from which on spectra are judged
_FEWEST = 5


def fit_spectra(
    observation: xr.Dataset,
    options: Wishes,
    *,
    model: str = "auto",
    window: tuple[float, float] | None = None,
    saturation: float | None = None,
    resolution: float | None = None,
    gain: float | None = None,
    offset: float | None = None,
) -> Estimate:
    """Fit spectra: a sweep where each has its fluence, else a series of shots, or one spectrum.

    Args:
        observation: shape (n,) or (batch, n) on ``wavelength_nm``.
        options: of the fit of the curve.
        model: ``"auto"``, ``"spectra"`` (a sweep) or ``"shots"``.
        window: first and last wavelength to look at, nm.
        saturation: counts from which on a pixel is full.
        resolution: full width of the spectrometer's line, nm.
        gain: electrons for each count.
        offset: counts of a pixel without light.

    Returns:
        The estimate, with ``extra["linewidth"]`` and ``extra["verdict"]``.

    Raises:
        InputError: data that cannot be used.
    """
    data = spectra_of(observation, window, saturation, resolution, gain, offset)
    if data.fluence is not None and model != "shots" and len(data.signal) > 1:
        return _sweep(data, options)
    if model == "spectra" and data.fluence is None and len(data.signal) > 1:
        raise InputError(
            "The spectra of a sweep need the fluence of each: in the file names (120uJ.txt), in a listing beside them, "
            "or as a coordinate fluence_uj_cm2; without it they are a series of shots."
        )
    return _shots(data, options)


def _sweep(data: Spectra, options: Wishes) -> Estimate:
    table, used, warnings = as_sweep(data)
    sweep = dataclasses.replace(prepare(table), warnings=warnings, unit=data.unit)
    # The baseline is off already: what is left without pump is nothing.
    guess = {"background": 0.0} | dict(options.guess)
    fix = options.fix if "background" in options.free else (*options.fix, "background")
    options = dataclasses.replace(options, guess=guess, fix=fix)
    check_jitter(sweep, options)
    best, tried = best_fit(sweep, options)
    estimate = finish(best, tried, sweep, options)
    rows = widths(used)
    estimate = _with_widths(estimate, rows, used)
    assert used.fluence is not None
    threshold = estimate["threshold"].value
    above = used.fluence > _ABOVE * threshold
    if estimate.extra.get("threshold_seen") and above.sum() >= _FEWEST:
        found = _judged(used, used.signal[above], options.seed)
        estimate = _with_verdict(estimate, found, f"the {int(above.sum())} spectra above {_ABOVE:g} thresholds")
    return estimate


def _shots(data: Spectra, options: Wishes) -> Estimate:
    warnings: tuple[str, ...] = ()
    if data.full.any():
        if np.sum(~data.full) < 1:
            raise InputError("Every spectrum has saturated pixels; attenuate the light and measure again.")
        warnings = (f"{int(data.full.sum())} of {data.full.size} spectra have saturated pixels; they are left out.",)
        data = dataclasses.replace(data, signal=data.signal[~data.full], full=data.full[~data.full])
    mean = data.signal.mean(axis=0)
    average = dataclasses.replace(
        data, signal=mean[None], fluence=None, full=np.zeros(1, bool),
        gain=None if data.gain is None else data.gain * len(data.signal),
    )  # fmt: skip
    estimate = _band(average, options)
    estimate = dataclasses.replace(estimate, warnings=(*estimate.warnings, *warnings))
    estimate = _with_widths(estimate, widths(average), average)
    if len(data.signal) < _FEWEST:
        text = f"A verdict, ASE or random laser, needs at least {_FEWEST} spectra; this is {len(data.signal)}."
        return dataclasses.replace(estimate, notes=(*estimate.notes, text))
    estimate = _with_verdict(estimate, _judged(data, data.signal, options.seed), f"{len(data.signal)} shots")
    return _with_statistics(estimate, data, options.seed)


def _band(data: Spectra, options: Wishes) -> Estimate:
    """Fit one Gaussian band to a spectrum."""
    y = data.signal[0]
    ground, _ = (data.offset, 0.0) if data.offset is not None else baseline_of(y)
    light = np.maximum(y - ground, 0.0)
    if light.sum() <= 0:
        raise InputError("There is no light above the baseline of the spectrum.")
    step = (data.nm[-1] - data.nm[0]) / (data.nm.size - 1)
    weight = np.where(light > 0.3 * light.max(), light, 0.0)
    centre = float(weight @ data.nm / weight.sum())
    width = max(float(light.sum() / light.max()) * step, 3.0 * step)
    start = Band(
        area=float(light.sum() * step), position_nm=centre, width_nm=width, background=ground, wavelength=data.nm,
        resolution_nm=data.resolution, noise=Gaussian(jnp.asarray(noise_of(y, float(data.element)))), unit=data.unit,
    )  # fmt: skip
    fix = tuple(n for n in options.fix if n in ("area", "band_position", "band_width", "background"))
    found = invert(start, y, fix=fix, throw=False)
    freedom = found.n_points - found.n_free
    if float(found.chi2_reduced) > 1.0 + 5.0 * math.sqrt(2.0 / freedom):
        text = (
            f"One Gaussian band does not describe the spectrum (reduced chi-square {float(found.chi2_reduced):.3g}): "
            "its width and place are a description, and their errors too small."
        )
        found = dataclasses.replace(found, warnings=(*found.warnings, text))
    return found


def _with_widths(estimate: Estimate, rows: list[dict[str, Any]], data: Spectra) -> Estimate:
    extra = estimate.extra | {"linewidth": rows, "resolution_nm": data.resolution or None}
    seen = [r for r in rows if r.get("observed_nm") is not None]
    added, notes = dict(estimate.added), list(estimate.notes)
    if not seen:
        notes.append("No spectrum has a feature whose width could be taken.")
        return dataclasses.replace(estimate, extra=extra, notes=tuple(notes))
    narrow = min(seen, key=lambda r: r["observed_nm"])
    what = "full width of the highest feature at half maximum"
    freed = ", freed from the resolution" if data.resolution > 0 else ", with the spectrometer's own width in it"
    if narrow["resolved"]:
        added["linewidth"] = Quantity(narrow["width_nm"], narrow["std_nm"], "nm", f"narrowest {what}{freed}")
    else:
        added["linewidth_upper_bound"] = Quantity(
            narrow["upper_nm"], 0.0, "nm", f"narrowest {what} is below this at 95 %"
        )
        notes.append(
            f"The narrowest feature ({narrow['observed_nm']:.3g} nm as seen) is as narrow as the spectrometer "
            f"({data.resolution:.3g} nm): its own width is below {narrow['upper_nm']:.2g} nm, and no more is known."
        )
    if data.resolution <= 0:
        notes.append("The resolution of the spectrometer is not known (resolution=): widths hold its own width.")
    if len(seen) > 1:
        first = seen[0]
        if first["resolved"]:
            added["linewidth_at_lowest_pump"] = Quantity(
                first["width_nm"], first["std_nm"], "nm", f"{what} at the lowest fluence{freed}"
            )
        ratio = first["observed_nm"] / narrow["observed_nm"]
        std = math.hypot(*(r["observed_std_nm"] / r["observed_nm"] for r in (first, narrow)))
        added["narrowing"] = Quantity(
            ratio, ratio * std, "1", "observed width at the lowest fluence over the narrowest one"
        )
    return dataclasses.replace(estimate, extra=extra, added=added, notes=tuple(notes))


def _judged(data: Spectra, signal: np.ndarray, seed: int) -> Verdict | str:
    ground = data.offset if data.offset is not None else float(np.mean([baseline_of(y)[0] for y in signal]))
    try:
        return judge(data.nm, signal, data.element, ground, seed=seed, gain=data.gain)
    except InputError as error:
        return str(error)


def _with_verdict(estimate: Estimate, found: Verdict | str, what: str) -> Estimate:
    if isinstance(found, str):
        return dataclasses.replace(estimate, notes=(*estimate.notes, f"No verdict, ASE or random laser: {found}"))
    extra = estimate.extra | {"verdict": dataclasses.asdict(found)}
    return dataclasses.replace(estimate, extra=extra, notes=(*estimate.notes, f"From {what}: {found.sentence}"))


def _with_statistics(estimate: Estimate, data: Spectra, seed: int) -> Estimate:
    """Add the overlap of the shots' fluctuations and the Levy index of their energies."""
    light, notes = outputs(data)[0], list(estimate.notes)
    found: dict[str, Any] = {}
    try:
        overlap = parisi_overlap(np.maximum(data.signal, 0.0), min(data.element, data.nm.size // 2), seed=seed)
        found["overlap"] = {"width": overlap.width, "p_value": overlap.p_value, "verdict": overlap.verdict()}
    except InputError as error:
        notes.append(str(error))
    added = dict(estimate.added)
    if light.size >= 20:
        try:
            index = levy_index(light, seed=seed)
            found["levy"] = {"value": index.value, "std": index.std, "verdict": index.verdict}
            added["levy_index"] = Quantity(
                index.value, index.std, "1", "index of the stable law of the shots' energies"
            )
        except InputError as error:
            notes.append(str(error))
    return dataclasses.replace(estimate, notes=tuple(notes), added=added, extra=estimate.extra | {"statistics": found})
