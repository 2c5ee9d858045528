"""What is said about a Raman spectrum: the axis, the widths, what shift and what ratio could have been seen."""

from __future__ import annotations

import dataclasses

from perolas.core.estimate import Estimate
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.raman.door import Points
from perolas.measurements.raman.fitting import Wishes
from perolas.measurements.raman.modes import SILICON


def told(estimate: Estimate, points: Points, wishes: Wishes) -> Estimate:
    """Return the estimate with the error of its axis and sentences about what it can say.

    Args:
        estimate: the fit.
        points: what was fitted.
        wishes: how.

    Returns:
        The estimate.
    """
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    names = tuple(n for n in estimate.names if n.startswith("position_"))
    if not names:
        warnings.append("No line found: the data support a background alone, which is what was fitted.")
        return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings))
    if wishes.silicon:
        known = physical_parameter(SILICON)
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
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings))
