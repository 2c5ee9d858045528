"""What is said about a Raman spectrum: the axis, what shift and what ratio would be seen, and what shifts mean."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.raman.door import Points
from perolas.measurements.raman.drift import Prior, lines_of_phase, odds
from perolas.measurements.raman.fitting import Wishes
from perolas.measurements.raman.limits import FOUND
from perolas.measurements.raman.modes import SILICON


def told(estimate: Estimate, points: Points, wishes: Wishes) -> Estimate:
    """Return the estimate with limits, the error of its axis, and sentences about what it can say.

    Args:
        estimate: the fit, with errors from its counts alone.
        points: what was fitted.
        wishes: how.

    Returns:
        The estimate.
    """
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    names = tuple(n for n in estimate.names if n.startswith("position_"))
    count = int(estimate.fitted()[0].position_cm1.shape[-1])
    if not count:
        warnings.append("No line found: the data support a background alone, which is what was fitted.")
        return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings))
    added = dict(estimate.added)
    if estimate.result == "converged":
        limits, said = _limits(estimate, count)
        added |= limits
        notes += said
    if wishes.silicon:
        known = physical_parameter(SILICON)
        estimate = _with_error_of_silicon(estimate, names, known.std)
        line = next(i for i in range(count) if f"position_{i + 1}" not in names)
        text = "shift of the line of silicon, which the axis is calibrated to"
        added[f"position_{line + 1}"] = Quantity(known.value, known.std, "cm-1", text)
        notes.append(
            f"The axis is calibrated by the line of silicon, taken at {known.value:g} ± {known.std:g} cm-1, which is "
            "in the errors of all positions."
        )
    elif points.axis_std_cm1 > 0:
        estimate = estimate.with_shared_error(names, points.axis_std_cm1)
        notes.append(
            f"All positions share an error of the axis of {points.axis_std_cm1:.2g} cm-1 (calibration), which is in "
            "their errors; distances between lines are free of it."
        )
        silicon = physical_parameter(SILICON).value
        near = [n for n in names if abs(estimate[n].value - silicon) < 3.0 * estimate[n].std + 1.0]
        if near:
            notes.append(f"{near[0]} may be the line of silicon ({silicon:g} cm-1), which would calibrate the axis "
                         "(silicon).")  # fmt: skip
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings), added=added)


def _with_error_of_silicon(estimate: Estimate, names: tuple[str, ...], std: float) -> Estimate:
    """Return the estimate with the error of silicon's own position, which moves all positions and the offset."""
    model = estimate.fitted()[0]
    laser = float(model.laser_nm)
    per_nm = 1e7 / (1e7 / (1e7 / laser - physical_parameter(SILICON).value)) ** 2
    column = np.array([std if n in names else -std / per_nm if n == "axis_offset" else 0.0 for n in estimate.names])
    covariance = estimate.covariance + np.outer(column, column)
    return dataclasses.replace(estimate, covariance=covariance, std=np.hypot(estimate.std, column))


def _limits(estimate: Estimate, lines: int) -> tuple[dict[str, Quantity], list[str]]:
    """Return the least shift and change of ratio that a second spectrum alike would show."""
    added, shifts, ratios = {}, [], []
    for i in range(lines):
        std = estimate[f"position_{i + 1}"].std if f"position_{i + 1}" in estimate.names else math.inf
        if math.isfinite(std):
            limit = FOUND * math.sqrt(2.0) * std
            shifts.append(f"{limit:.2g}")
            added[f"shift_limit_{i + 1}"] = Quantity(
                limit, 0.0, "cm-1", "least shift that a second spectrum alike would show, the axis standing still"
            )
        if i and math.isfinite(estimate[f"area_ratio_{i + 1}"].std):
            ratio = estimate[f"area_ratio_{i + 1}"]
            limit = FOUND * math.sqrt(2.0) * ratio.std
            ratios.append(f"{limit / abs(ratio.value):.1%}" if ratio.value else "-")
            added[f"ratio_limit_{i + 1}"] = Quantity(
                limit, 0.0, "1", "least change of the ratio to the first line that a second spectrum alike would show"
            )
    drift = Prior.library().drift_nm
    model = estimate.fitted()[0]
    scattered = 1e7 / (1e7 / float(model.laser_nm) - float(np.median(model.position_cm1)))
    said = []
    if shifts:
        said.append(
            f"A second spectrum like this would show shifts from {', '.join(shifts)} cm-1 on (95 %), if the axis "
            f"stands still; an axis that drifts by {drift:g} nm between the two moves all lines by "
            f"{1e7 * drift / scattered**2:.2g} cm-1."
        )
    if ratios:
        said.append(f"It would show changes of the ratios to the first line from {', '.join(ratios)} on.")
    return added, said


def compared(estimate: Estimate, stated: Estimate, before: Estimate, phase: str | None) -> Estimate:
    """Return the estimate with the shifts since an earlier spectrum, and what they say.

    Args:
        estimate: the fit of the later spectrum, which gets the quantities.
        stated: its fit with places as the axis states them, with errors from its counts alone.
        before: that of the earlier one, with as many lines.
        phase: whose Grueneisen parameters count; None: CsPbBr3.

    Returns:
        The estimate with `shift_i`, odds in ``extra["drift_or_strain"]``, and the verdict.

    Raises:
        InputError: the two have not the same lines.
    """
    models = [e.fitted()[0] for e in (before, stated)]
    places = [np.asarray(m.position_cm1) for m in models]
    if places[0].size != places[1].size:
        raise InputError(
            f"The earlier spectrum shows {places[0].size} lines, this one {places[1].size}; say which lines (lines)."
        )
    shift = places[1] - places[0]
    covariance = np.zeros((shift.size, shift.size))
    for one in (before, stated):
        rows = [one.names.index(f"position_{i + 1}") for i in range(shift.size)]
        covariance += one.covariance[np.ix_(rows, rows)]
    known = lines_of_phase(places[0], phase or "CsPbBr3", float(models[1].laser_nm))
    std = np.sqrt(np.diag(covariance))
    added = dict(estimate.added)
    for i, (value, error) in enumerate(zip(shift, std, strict=True)):
        added[f"shift_{i + 1}"] = Quantity(
            float(value), float(error), "cm-1", "shift of the line since the earlier spectrum, the axis standing still"
        )
    for i in range(1, shift.size):
        first, then = (e[f"area_ratio_{i + 1}"] for e in (before, stated))
        change = then.value / first.value - 1.0 if first.value else math.nan
        error = (1.0 + change) * math.hypot(first.std / first.value, then.std / then.value) if first.value else math.inf
        added[f"ratio_change_{i + 1}"] = Quantity(
            change, abs(error), "1", "relative change of the area over that of the first line since then"
        )
    if not np.any(known.grueneisen):
        note = "How far strain moves these lines is not in the library, so it is not said whether axis or sample moved."
        return dataclasses.replace(estimate, added=added, notes=(*estimate.notes, note))
    judged = odds(shift, covariance, known)
    drift = judged.drift_best
    added["drift"] = Quantity(drift[0], drift[1], "nm", "drift of the axis that explains the shifts best")
    strain = judged.strain["strain"]
    added["strain"] = Quantity(strain[0], strain[1], "1", "linear strain that explains the shifts, without drift")
    for name in ("nothing", "drift", "strain", "both"):
        added[f"probability_{name}"] = Quantity(
            judged.probability[name], 0.0, "1", f"probability of: {name}, all four being as likely beforehand"
        )
    taken = (
        f"Lines near those of {phase or 'CsPbBr3'} are taken for its own, others for lines that strain does not move."
    )
    notes = (*estimate.notes, taken, *(t for t in (judged.verdict, judged.occam, judged.turning, judged.advice) if t))
    return dataclasses.replace(
        estimate, added=added, notes=notes, extra=estimate.extra | {"drift_or_strain": judged.rows()}
    )
