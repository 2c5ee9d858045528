"""Lines on a background: find them, fit them, say how well they are known (equations: `peaks_model`).

Quantities of an estimate, with i counted from one in the order of the axis: ``position_i``, ``area_i``,
``fwhm_gauss_i``, ``fwhm_lorentz_i`` (both the sample's own), ``background_k``; derived ``fwhm_i`` (full width of the
sample's own line), ``height_i`` (as observed), ``area_ratio_i`` (over the first line), ``total_area``.

Fit. Points that cannot be trusted (saturated, spikes, the laser's own light, hopeless noise) are left out with a
sentence each (`peaks_prepare`); lines are found and counted by evidence (`peaks_find`); `invert` gives the numbers.
Counts are Poisson; any other signal has one variance, taken from the residuals. Residuals that are correlated, or
larger at the lines than elsewhere, enlarge the errors (`peaks_judge`). The axis has one more error, common to all
positions: a Raman shift is 1e7/laser - 1e7/wavelength, so an error of the laser's wavelength moves all lines alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.noise import Gaussian, Poisson
from perolas.core.parameter import expand, replace, slots, table, write_slots
from perolas.measurements.peaks_find import MOST, search
from perolas.measurements.peaks_judge import with_cautions, with_honest_errors, with_units
from perolas.measurements.peaks_model import PARAMETERS_USED, REFERENCES, SHAPES, Peaks
from perolas.measurements.peaks_prepare import Prepared, prepare
from perolas.measurements.peaks_search import Found, Search

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Peaks", "example", "fit", "simulate"]

PARAMETERS = table(Peaks)


def fit(
    observation: xr.Dataset,
    *,
    lines: str | int = "auto",
    shape: str = "voigt",
    axis: str | None = None,
    laser: float | None = None,
    window: tuple[float, float] | None = None,
    background: int = 1,
    resolution: float = 0.0,
    calibration_std: float = 0.0,
    noise: str = "auto",
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate the lines of a spectrum.

    Args:
        observation: one spectrum, shape (n,), on any axis.
        lines: how many; ``"auto"``: as many as the evidence supports, up to eight. Where it supports none, the
            background alone is fitted and a warning says that there is no line.
        shape: ``"voigt"``, ``"gauss"`` or ``"lorentz"``.
        axis: what the axis is, where the file does not say it.
        laser: wavelength in nm; turns a wavelength axis into Raman shifts.
        window: lowest and highest value to look at, in the unit of the final axis.
        background: order of the polynomial background, 0 to 6.
        resolution: full width of the instrument's own Gaussian line, in the axis unit.
        calibration_std: standard uncertainty of the axis, in its unit, common to all lines.
        noise: ``"auto"`` (Poisson for counts), ``"poisson"``, or ``"estimated"`` from the residuals.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values, name -> value.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra["evidence"]`` is the table behind the number of lines.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge.
    """
    count = _count(lines)
    check.one_of(shape, SHAPES, "The shape")
    order = _order(background)
    check.positive(resolution, "resolution", zero=True)
    check.positive(calibration_std, "calibration_std", zero=True)
    options: dict[str, Any] = {
        "axis": axis,
        "laser": laser,
        "window": window,
        "noise": noise,
        "calibration_std": calibration_std,
    }
    points = prepare(observation, **options)
    given = dict(guess or {})
    found, evidence = search(_search(points, shape, order, resolution), count, _positions(given, count))
    start = _measurement(points, found, shape, resolution)
    known = slots(start, "measurement")
    by_name = {s.name: s for s in known}
    start = write_slots(
        start, {by_name[check.one_of(n, by_name, "The start value")]: float(v) for n, v in given.items()}
    )
    names = [s.name for s in known if s.free] + list(expand(free, known))
    estimate = _solve(start, points, names, fix, starts, seed)
    estimate = dataclasses.replace(
        estimate,
        notes=(*points.notes, *_choice(evidence, count), *estimate.notes),
        warnings=(*points.warnings, *estimate.warnings),
        extra={"evidence": evidence, "spikes": list(points.spikes), "saturated": list(points.saturated)},
    )
    if not start.position.shape[-1]:
        estimate = dataclasses.replace(
            estimate,
            warnings=(
                *estimate.warnings,
                "No line found: the data support a background alone, which is what was fitted.",
            ),
        )
    estimate = with_cautions(with_honest_errors(with_units(estimate, points.unit, points.signal_unit)), points)
    return _calibrated(estimate, calibration_std, points.unit)


def _count(lines: str | int) -> int | None:
    if isinstance(lines, str) and lines.strip() == "auto":
        return None
    try:
        number = int(lines)
    except (TypeError, ValueError):
        raise InputError(f'Argument "lines" must be a number or "auto", but is "{str(lines)[:40]}".') from None
    if isinstance(lines, bool) or number != float(lines) or not 1 <= number <= 3 * MOST:
        raise InputError(f'Argument "lines" must be from 1 to {3 * MOST} or "auto", but is {lines}.')
    return number


def _order(background: int) -> int:
    if isinstance(background, bool) or int(background) != background or not 0 <= background <= 6:
        raise InputError(f'Argument "background" is the order of a polynomial, 0 to 6, but is {background}.')
    return int(background)


def _positions(guess: Mapping[str, float], count: int | None) -> tuple[float, ...]:
    """Return the positions to start from, where all of a given number of lines have one."""
    names = [f"position_{i + 1}" for i in range(count or 0)]
    return tuple(float(guess[n]) for n in names) if names and all(n in guess for n in names) else ()


def _search(points: Prepared, shape: str, order: int, resolution: float) -> Search:
    if points.x.size < order + 5:
        raise InputError(f"{points.x.size} points are too few for a line on a background of order {order}.")
    kind = (
        "poisson"
        if isinstance(points.noise, Poisson)
        else "gaussian"
        if isinstance(points.noise, Gaussian)
        else "estimated"
    )
    variance = np.asarray(points.noise.variance) if isinstance(points.noise, Gaussian) else None
    return Search(points.x, points.y, noise=kind, variance=variance, shape=shape, order=order, resolution=resolution)


def _measurement(points: Prepared, found: Found, shape: str, resolution: float) -> Peaks:
    """Return the model at what was found, lines in the order of the axis and off their bounds."""
    order = np.argsort(found.position)
    step = float(np.median(np.abs(np.diff(points.x))))
    size = np.maximum(np.maximum(found.gauss, found.lorentz)[order], 0.1 * step)
    widths = {
        "fwhm_gauss": np.maximum(found.gauss[order], 0.05 * size) if shape != "lorentz" else np.zeros(0),
        "fwhm_lorentz": np.maximum(found.lorentz[order], 0.05 * size) if shape != "gauss" else np.zeros(0),
    }
    return Peaks(
        position=found.position[order],
        area=np.maximum(found.area[order], 1e-6 * float(np.ptp(points.y)) * step + 1e-300),
        background=found.background,
        resolution=resolution,
        axis_values=points.x,
        noise=points.noise,
        axis_name=points.axis_name,
        signal_unit=points.signal_unit,
        **widths,
    )


def _solve(start: Peaks, points: Prepared, names: list[str], fix: Sequence[str], starts: int, seed: int) -> Estimate:
    """Invert; where that ends early, go on, then from more starts; where lines changed places, put them in order."""
    estimate = invert(start, points.y, free=names, fix=fix, starts=starts, seed=seed, throw=False)
    for _ in range(5):  # flat valleys, such as a wide line against the background, take many steps
        if estimate.result != "max_steps":
            break
        estimate = invert(estimate.fitted()[0], points.y, free=names, fix=fix, starts=starts, seed=seed, throw=False)
    if estimate.result != "converged":
        estimate = invert(estimate.fitted()[0], points.y, free=names, fix=fix, starts=max(starts, 4), seed=seed)
    model = estimate.fitted()[0]
    order = np.argsort(np.asarray(model.position))
    if fix or np.all(np.diff(order) > 0):
        return estimate
    fields = ("position", "area", "fwhm_gauss", "fwhm_lorentz")
    sorted_lines = {f: getattr(model, f)[order] for f in fields if getattr(model, f).shape[-1]}
    return invert(replace(model, **sorted_lines), points.y, free=names, starts=starts, seed=seed)


def _choice(evidence: list[dict[str, Any]], count: int | None) -> tuple[str, ...]:
    if count is not None:
        return ()
    chosen = next(r for r in evidence if r["chosen"])
    sentences = []
    rest = [r for r in evidence if r["lines"] < chosen["lines"]]
    if rest:
        sentences.append(
            f"{chosen['lines']} line{'s' * (chosen['lines'] > 1)} by evidence: BIC is {rest[-1]['delta_bic']:.0f} "
            f"lower than for {rest[-1]['lines']}."
        )
    better = [r for r in evidence if r["blended"] and r["delta_bic"] < -10]
    if better:
        sentences.append(
            f"{better[0]['lines']} lines would describe the data better, but two of them lie within 0.6 of a width, "
            "where one asymmetric line looks the same; ask for that number of lines if there is reason to."
        )
    if chosen["lines"] == MOST:
        sentences.append(f"There may be more than {MOST} lines; give their number, or a window.")
    return tuple(sentences)


def _calibrated(estimate: Estimate, std: float, unit: str) -> Estimate:
    """Return the estimate with the error of the axis, which all positions share."""
    names = tuple(n for n in estimate.names if n.startswith("position_"))
    if not std or not names:
        return estimate
    sentence = (
        f"The positions share an error of the axis of {std:g} {unit}, which is in their errors; "
        "distances between lines are free of it."
    )
    estimate = estimate.with_shared_error(names, std)
    return dataclasses.replace(estimate, notes=(*estimate.notes, sentence))


def simulate(
    specimen: Any = None,
    *,
    lines: str | int = "auto",
    shape: str = "voigt",
    background: int = 1,
    resolution: float = 0.0,
    counts: float = 1e4,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Simulate a Raman spectrum: the three modes of a specimen, or any number of plain lines.

    Args:
        specimen: a `Specimen`, whose strain places the three modes; None: plain lines.
        lines: how many; ``"auto"`` is three, the modes without strain.
        shape: ``"voigt"``, ``"gauss"`` or ``"lorentz"``.
        background: order of the polynomial background, 0 to 6.
        resolution: full width of the instrument's own line, cm-1.
        counts: expected in the highest pixel.
        seed: seed of the counts.
        parameters: values by field name of `Peaks`, e.g. ``{"position": [60.0, 80.0]}``, for any other spectrum.

    Returns:
        An observation on a raman_shift_cm1 axis.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.positive(counts, "counts")
    check.one_of(shape, SHAPES, "The shape")
    check.positive(resolution, "resolution", "cm-1", zero=True)
    count = _count(lines) or 3
    order = _order(background)
    # Widths and ground are plain choices of a simulation, not numbers about matter.
    model = Peaks(
        position=40.0 + 40.0 * np.arange(count),
        area=np.full(count, 1.0) / (1 + np.arange(count) % 3),
        fwhm_gauss=np.full(count, 5.0) if shape != "lorentz" else np.zeros(0),
        fwhm_lorentz=np.full(count, 4.0) if shape != "gauss" else np.zeros(0),
        background=[0.005] + [-0.001] * order,
        resolution=resolution,
        axis_values=np.arange(20.0, max(180.0, 80.0 + 40.0 * count), 0.5),
    )
    if specimen is not None or count == 3:
        from perolas.matter.specimen import Specimen

        model = model.respond(Specimen.of() if specimen is None else specimen)
    if parameters:
        known = {row.field for row in PARAMETERS} | {"axis_values", "axis_name"}
        check.known_options(parameters, known, "peaks")
        model = dataclasses.replace(
            model, **{k: v if k == "axis_name" else np.asarray(v, dtype=float) for k, v in parameters.items()}
        )
    factor = counts / float(jnp.max(model.expected()))
    return draw(replace(model, area=model.area * factor, background=model.background * factor), seed=seed)


def example() -> Peaks:
    """Return a spectrum whose answer is known, for the inversion tests: three Raman lines, Poisson counts."""
    return Peaks(
        position=[63.0, 77.0, 118.0],
        area=[6e4, 4e4, 3e4],
        fwhm_gauss=[5.0, 5.0, 6.0],
        fwhm_lorentz=[4.0, 5.0, 5.0],
        background=[300.0, -50.0],
        resolution=2.0,
        axis_values=np.arange(20.0, 180.0, 0.5),
    )
