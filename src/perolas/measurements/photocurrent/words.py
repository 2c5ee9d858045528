"""What a reader must be told about a fit of a photocurrent."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from perolas.core.estimate import Estimate, Quantity
from perolas.measurements.photocurrent.trace import Trace, noise_of


def odds_note(rows: list[dict[str, Any]]) -> str:
    """Return in a sentence which of several models was chosen, and how clearly."""
    chosen = next(r for r in rows if r["chosen"])
    others = [r for r in rows if not r["chosen"]]
    nearest = min(others, key=lambda r: r["delta_bic"])
    far = nearest["delta_bic"]
    decisive = "" if far >= 6 else ", which is not decisive: the trace cannot tell them apart"
    text = f"{chosen['model'].capitalize()} chosen by BIC; the next best, {nearest['model']}, is worse by {far:.1f}"
    return f"{text}{decisive}."


def nothing_seen(estimate: Estimate) -> Estimate:
    """Return the estimate of a trace in which no photocurrent is seen, with its upper limit."""
    found = estimate["amplitude"]
    limit = Quantity(
        max(found.value, 0.0) + 1.645 * found.std, 0.0, "nA", "upper limit of the steady photocurrent (95 %, one-sided)"
    )
    text = (
        f"No photocurrent is seen: {found.value:.3g} ± {found.std:.2g} nA at the stated switch times, below "
        f"{limit.value:.3g} nA with 95 % confidence; its times of rise and decay are then not determined by these data."
    )
    lost = np.array([n in ("rise_mean", "decay_mean") for n in estimate.names])
    return dataclasses.replace(
        estimate,
        values=np.where(lost, np.nan, estimate.values),
        std=np.where(lost, np.inf, estimate.std),
        empty=estimate.empty | lost,
        added={**estimate.added, "amplitude_limit": limit},
        warnings=(*estimate.warnings, text),
    )


def with_story(estimate: Estimate, trace: Trace, correlation: float) -> Estimate:
    """Add what a reader must know.

    Args:
        estimate: the fit.
        trace: its data.
        correlation: of neighbouring residuals.

    Returns:
        The estimate with notes and warnings.
    """
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    cycles = (trace.switches.size + 1) // 2
    where = "given"
    if trace.found:
        late = f"to {estimate['delay'].std:.2g} s" if "delay" in estimate.names else f"to {trace.step:.2g} s or so"
        where = f"found in the trace, {late}, which is in the errors"
    notes.append(f"{cycles} cycle{'s' * (cycles > 1)}; switch times {where}.")
    if trace.falling:
        warnings.append("The first change is downwards: taken as light that lowers the current; if the trace begins in "
                        "the light, give the switch times.")  # fmt: skip
    if trace.saturated:
        warnings.append(
            f"{trace.saturated} readings stand at one highest value: the meter's range may have been exceeded there."
        )
    if correlation > 3.0 / math.sqrt(trace.time.size):
        notes.append(
            f"Neighbouring residuals are alike (correlation {correlation:.2f}): slow noise, or a course that the model "
            "does not have; the errors are widened as for noise of that memory."
        )
    rest = estimate.signal - estimate.expected
    white = noise_of(trace.current)
    size = float(np.sqrt(np.mean(rest**2)))
    if white > 0 and size > 2.0 * white:
        warnings.append(
            f"The model misses the trace by {size:.3g} nA where its readings scatter by {white:.2g} nA: what it "
            "finds is a description, and the errors may be too small."
        )
    for edge in ("rise", "decay"):
        name = f"{edge}_fast"
        if name in estimate.names and estimate[name].value < trace.step:
            notes.append(
                f"The fast {edge} is shorter than the time between readings ({trace.step:.2g} s): an upper limit."
            )
        slow = f"{edge}_slow" if f"{edge}_slow" in estimate.names else name
        longest = float(np.max(np.diff(np.append(trace.switches, trace.time[-1]))))
        if slow in estimate.names and estimate[slow].value > longest:
            warnings.append(
                f"The slow {edge} outlasts each cycle ({longest:.3g} s): the steady current is extrapolated."
            )
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings))
