"""Raman: lines that strain moves, on an axis that may drift; what the shifts of several lines say of either.

`model` has the equation, `modes` the lines of the phases, `door` and `fitting` the way from a file to numbers, `series`
spectra of one sample over time, `drift` the odds of a drifting axis against strain, `limits` what could be seen.
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
from perolas.core.measurement import simulate as draw
from perolas.core.parameter import replace, table
from perolas.measurements.peaks_judge import with_cautions, with_honest_errors, with_units
from perolas.measurements.raman.door import Points, points_of
from perolas.measurements.raman.fitting import Wishes, fit_points, wishes_of
from perolas.measurements.raman.model import Raman, expected_of, looking_at, of_phases
from perolas.measurements.raman.modes import PARAMETERS_USED, PHASES, modes

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Raman", "example", "fit", "simulate"]

PARAMETERS = table(Raman)
REFERENCES: tuple[str, ...] = ("weideman1994", "baker1984", "olivero1977", "yang2020")


def fit(
    observation: xr.Dataset,
    *,
    lines: str | int = "auto",
    laser: float | None = None,
    window: tuple[float, float] | None = None,
    background: int = 2,
    resolution: float | None = None,
    temperature: float = 300.0,
    edge: float | None = None,
    central: bool = False,
    silicon: bool = False,
    calibration: float | None = None,
    phase: str | None = None,
    noise: str = "auto",
    compare: xr.Dataset | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate positions, widths and intensities of Raman lines, and what their places say.

    Args:
        observation: one spectrum on ``raman_shift_cm1`` or ``wavelength_nm``.
        lines: ``"auto"``, how many, or where: ``"63 77 118"``.
        laser: wavelength of the laser, nm; None: what the file says.
        window: part of the axis, cm-1.
        background: order of the polynomial background.
        resolution: full width of the spectrometer's own line, cm-1; None: one Gaussian width for all lines is fitted.
        temperature: of the sample, K.
        edge: where an edge filter lets half of the light through, cm-1; None: no filter within the spectrum.
        central: whether to fit a central peak.
        silicon: whether one of the lines is that of silicon, which then calibrates the axis.
        calibration: standard error of an axis that no line calibrates, nm; None: the library's.
        phase: ``"CsPbBr3"`` or ``"Cs4PbBr6"``: whose the lines are, for a joint fit of a specimen.
        noise: ``"auto"`` (counts are events), ``"poisson"``, or ``"estimated"`` from the residuals.
        compare: an earlier spectrum taken alike: shifts since then, and whether the axis or the sample moved.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra["evidence"]`` is the table behind the number of lines.

    Raises:
        InputError: data or options that cannot be used.
    """
    wishes = wishes_of(
        {"lines": lines, "background": background, "resolution": resolution, "temperature": temperature, "edge": edge,
         "central": central, "silicon": silicon, "phase": phase, "guess": guess, "starts": starts, "seed": seed},
        free, fix,
    )  # fmt: skip
    estimate, points = _judged(observation, wishes, laser, window, noise, calibration)
    from perolas.measurements.raman.words import compared, told

    if compare is not None:
        places = tuple(float(v) for v in estimate.fitted()[0].position)
        if not places:
            raise InputError("No line was found, so there is nothing to compare with the earlier spectrum.")
        # As the axis states them: with silicon among the lines the odds themselves see what the axis did.
        again = dataclasses.replace(wishes, lines=len(places), positions=places, guess={}, silicon=False)
        before, _ = _judged(compare, again, laser, window, noise, calibration)
        stated = _judged(observation, again, laser, window, noise, calibration)[0] if silicon else estimate
        estimate = compared(estimate, stated, before, phase)
    return told(estimate, points, wishes)


def _judged(
    observation: xr.Dataset,
    wishes: Wishes,
    laser: float | None,
    window: tuple[float, float] | None,
    noise: str,
    calibration: float | None,
) -> tuple[Estimate, Points]:
    """Return the fit of a spectrum, its errors allowing for misfit, and the points that were fitted."""
    points = points_of(observation, laser=laser, window=window, noise=noise, calibration=calibration)
    estimate, evidence = fit_points(points, wishes)
    estimate = dataclasses.replace(
        estimate,
        notes=(*points.notes, *estimate.notes),
        warnings=(*points.warnings, *estimate.warnings),
        extra={"evidence": evidence},
    )
    estimate = with_units(estimate, "cm-1", points.signal_unit)
    if estimate.fitted()[0].position_cm1.shape[-1]:
        estimate = with_cautions(with_honest_errors(estimate), points.prepared)
    return estimate, points


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    counts: float = 1e4,
    laser: float | None = None,
    resolution: float | None = None,
    edge: float | None = None,
    phase: str | None = None,
    silicon: bool = False,
    drift: float = 0.0,
    central: bool = False,
    ground: float = 0.1,
    step: float = 0.5,
) -> xr.Dataset:
    """Simulate a Raman spectrum of a specimen from 20 to 180 cm-1 (to 560 with silicon).

    Args:
        specimen: a `Specimen`; None: unstrained, of `phase`.
        seed: seed of the counts.
        counts: expected in the highest pixel.
        laser: wavelength of the laser, nm; None: 785.
        resolution: full width of the spectrometer's own line, cm-1; None: 2.
        edge: where an edge filter lets half of the light through, cm-1; None: no filter.
        phase: whose lines are simulated, without a specimen; None: CsPbBr3.
        silicon: whether the line of silicon is seen as well.
        drift: what the axis shows too much, nm.
        central: whether there is a central peak as high as the highest line.
        ground: background over the highest line.
        step: distance of points, cm-1.

    Returns:
        An observation on ``raman_shift_cm1``.

    Raises:
        InputError: numbers that cannot be used.
    """
    from perolas.matter.specimen import Specimen

    check.positive(counts, "counts")
    for name, value, unit in (("ground", ground, ""), ("resolution", resolution or 0.0, "cm-1")):
        check.positive(value, name, unit, zero=True)
    if not 0.05 <= check.positive(step, "step", "cm-1") <= 5.0:
        raise InputError(f"The step must lie between 0.05 and 5 cm-1, but is {step:g}.")
    if not abs(float(drift)) <= 5.0:
        raise InputError(f"The drift must lie between -5 and 5 nm, but is {float(drift):g}.")
    if laser is not None and not 200.0 <= check.positive(laser, "laser", "nm") <= 2000.0:
        raise InputError(f"A Raman laser has 200 to 2000 nm, but {laser:g} nm was given.")
    phases = PHASES if specimen is not None else (check.one_of(phase or "CsPbBr3", PHASES, "The phase"),)
    model = of_phases(
        phases, laser_nm=785.0 if laser is None else laser, resolution_cm1=2.0 if resolution is None else resolution,
        filtered=edge is not None, edge_cm1=edge or 0.0, axis_offset_nm=drift, background=np.zeros(3),
        axis_values=np.arange(20.0, 560.0 if silicon else 180.0, step),
    )  # fmt: skip
    if silicon:
        model = _with_silicon(model)
    model = looking_at(model, Specimen.of(phases[0]) if specimen is None else specimen)
    top = float(np.max(expected_of(model)))
    if not top > 0:
        raise InputError(f"The specimen holds none of {', '.join(PHASES)}, so the library knows no lines of it.")
    model = replace(
        model, background=ground * top * np.array([1.0, -0.3, 0.05]), central=jnp.asarray(top if central else 0.0)
    )
    factor = counts / float(np.max(expected_of(model)))
    model = replace(
        model, area=model.area * factor, background=model.background * factor, central=model.central * factor
    )
    made = draw(model, seed=seed)
    import json

    conditions = {"laser_nm": float(model.laser_nm), "temperature_k": float(model.bose_temperature_k)}
    made.attrs["conditions"] = json.dumps(conditions, sort_keys=True)
    return made


def _with_silicon(model: Raman) -> Raman:
    """Return the model with the line of silicon beside those of the phases."""
    from perolas.matter.parameters_library import parameter_value
    from perolas.measurements.raman.modes import SILICON

    return dataclasses.replace(
        model,
        position_cm1=jnp.append(model.position_cm1, parameter_value(SILICON)),
        area=jnp.append(model.area, jnp.max(model.area)),
        fwhm_cm1=jnp.append(model.fwhm_cm1, 3.0),
        mode_deviation=jnp.append(model.mode_deviation, 0.0),
        grueneisen_deviation=jnp.append(model.grueneisen_deviation, 0.0),
        owner=(*model.owner, None),
    )


def example() -> Raman:
    """Return a spectrum whose answer is known, for the inversion tests: the lines of CsPbBr3, counted."""
    known = modes("CsPbBr3")
    return of_phases(
        ("CsPbBr3",), area=6e4, resolution_cm1=2.0, background=[600.0, -150.0, 40.0],
        fwhm_cm1=[m.width.value for m in known], axis_values=np.arange(20.0, 180.0, 0.5),
    )  # fmt: skip
