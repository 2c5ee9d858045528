"""What a fit of a core level found, in plain sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from perolas.core.estimate import Estimate
from perolas.measurements.xps_levels import Level, Species
from perolas.measurements.xps_names import Naming

if TYPE_CHECKING:
    from perolas.measurements.xps_fit import Choice, Request

_NUMBER = {1: "One", 2: "Two", 3: "Three"}
_ABOVE_ONE = 1.5
_BELOW_ONE = 0.6


def story(
    estimate: Estimate, choice: Choice, naming: Naming, request: Request, charge_corrected: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return notes and warnings about a fit.

    Args:
        estimate: the final fit, the energy reference's error included.
        choice: what the evidence says.
        naming: what the lines are.
        request: the options.
        charge_corrected: whether the file says that the energies were charge-corrected.

    Returns:
        Notes and warnings, one sentence or two each.
    """
    level = request.level
    notes = [_lines(estimate, choice, naming, level), *_number(choice, level, request, estimate.n_points)]
    if choice.slope and request.background == "shirley" and "slope" not in request.free:
        notes.append("The background slopes as well as stepping, so its slope was freed too.")
    if choice.limits and choice.chosen == 1:
        parts = [
            f"less than {100 * share:.2g} % of the area is {name} ({abs(away):.1f} eV {_side(away)})"
            for (name, away), share in choice.limits.items()
            if share < 0.3
        ]
        if parts:
            notes.append(f"Beside it, at 95 % confidence, {' and '.join(parts)}.")
    notes.append(_reference(estimate, naming, request, charge_corrected))
    return tuple(n for n in notes if n), _warnings(estimate, choice, request)


def _lines(estimate: Estimate, choice: Choice, naming: Naming, level: Level) -> str:
    parts = []
    for i in range(choice.chosen):
        share = "" if choice.chosen == 1 else f", {100 * _value(estimate, f'fraction_{i + 1}'):.1f} % of the area"
        sure = f"(probability {naming.posterior[i]:.2f})"
        parts.append(f"{naming.names[i]} at {_where(estimate, level, i)} eV{share} {sure}")
    return f"{level.name}: {'; '.join(parts)}."


def _value(estimate: Estimate, name: str) -> float:
    return (estimate[name] if name in estimate.quantities else estimate.fixed[name]).value


def _where(estimate: Estimate, level: Level, index: int) -> str:
    main = f"{_value(estimate, f'position_{index + 1}'):.1f}"
    return f"{main}/{_value(estimate, f'position_partner_{index + 1}'):.1f}" if level.is_doublet else main


def _number(choice: Choice, level: Level, request: Request, points: int) -> list[str]:
    """Return why there are as many species as there are."""
    found, chosen = [], choice.chosen
    noun = level.line
    if chosen > 1:
        fewer, here = choice.outcomes[chosen - 1], choice.outcomes[chosen]
        worse = fewer.bic(points, choice.dispersion) - here.bic(points, choice.dispersion)
        verb = f"{_NUMBER[chosen - 1]} {noun}{' is' if chosen == 2 else 's are'}"
        if worse > 6:
            found.append(f"{verb} not adequate (BIC {worse:.3g} worse): {_extra(choice, level)}.")
        elif request.species:
            asked = f"{_NUMBER[chosen]} {noun}s were asked for"
            found.append(f"{asked}, but the data do not need the last (BIC {-worse:+.3g}).")
    for n, why in sorted(choice.rejected.items()):
        if n == chosen + 1:
            found.append(f"A {'second' if n == 2 else 'third'} {noun} was not taken: {why}.")
    for n, shape in choice.shapes.items():
        if n == chosen and not math.isnan(shape.chi2_reduced):
            found.append(
                f"With a free line shape (free lorentz_share) the Lorentzian's share is {shape.lorentz_share:.2f} "
                f"and the reduced chi-square {shape.chi2_reduced:.3g}."
            )
    return found


def _extra(choice: Choice, level: Level) -> str:
    """Return where the further lines lie and what they are, e.g. "a weaker doublet ... which is metallic lead"."""
    naming, start = choice.naming, choice.outcomes[choice.chosen].start
    assert naming is not None
    parts = []
    for i in range(1, choice.chosen):
        position, away = start.positions[i], start.positions[i] - start.positions[0]
        partner = f"/{position + choice.outcomes[choice.chosen].splitting:.1f}" if level.is_doublet else ""
        where = f"{position:.1f}{partner}"
        parts.append(
            f"a weaker {level.line} at {where} eV is there, {abs(away):.1f} eV {_side(away)} the main one, "
            f"which is {naming.names[i]}{_contrast(naming, level, i, away)}"
        )
    return "; ".join(parts)


def _contrast(naming: Naming, level: Level, index: int, away: float) -> str:
    """Return what the line could be mistaken for, and why it is not that."""
    own, first = naming.species[index], level.species[0]
    others = [s for s in level.species if s is not own and s is not first and s not in naming.species]
    if own is None or own is first or not others:
        return ""
    other: Species = others[0]
    gap = other.position_ev - first.position_ev
    if abs(gap - away) < 0.5:
        return ""
    short = first.name.rsplit(" ", 1)[-1]
    return f" (not {other.name}, which would lie {abs(gap):.1f} eV {_side(gap)} the {short})"


def _side(away: float) -> str:
    return "above" if away > 0 else "below"


def _reference(estimate: Estimate, naming: Naming, request: Request, charge_corrected: bool) -> str:
    text = (
        f"All positions share an uncertainty of {request.reference_std:g} eV from the energy reference, which is in "
        "their errors; distances between lines are known better."
    )
    if not charge_corrected:
        text += (
            f" Nothing says that the energies were charge-corrected, so the names rest on distances and only within "
            f"about 1 eV on positions (the table's lines are shifted by {naming.shift_ev:+.2f} eV)."
        )
    return text


def _warnings(estimate: Estimate, choice: Choice, request: Request) -> tuple[str, ...]:
    found = []
    chi2 = float(estimate.chi2_reduced)
    shift = choice.naming.shift_ev if choice.naming else 0.0
    if abs(shift) > 2.0:
        found.append(
            f"The lines lie {shift:+.2f} eV from where the table has them: charging, or an energy axis from which "
            "the work function was not taken off; calibrate the axis before you compare positions."
        )
    if chi2 > _ABOVE_ONE:
        shape = choice.shapes.get(choice.chosen)
        reason = "the line shape or the background is not quite right, or the counts were scaled before they were saved"
        if shape is not None and shape.chi2_reduced < 0.7 * chi2:
            reason = f"the line shape is not quite right: with a free lorentz_share it is {shape.chi2_reduced:.3g}"
        found.append(
            f"The reduced chi-square is {chi2:.3g}: the fit misses the data by more than counting noise, so {reason}; "
            f"the errors given are of counting alone, too small by a factor of about {math.sqrt(chi2):.2g}."
        )
    elif chi2 < _BELOW_ONE:
        found.append(
            f"The reduced chi-square is only {chi2:.2g}: these are hardly raw counts (averaged or smoothed data look "
            'like this); noise="estimated" takes the noise from the residuals.'
        )
    wide = _value(estimate, "fwhm") / request.level.fwhm_ev
    if wide > 2.0 or wide < 0.4:
        found.append(
            f"The width of {_value(estimate, 'fwhm'):.2f} eV is far from the usual "
            f"{request.level.fwhm_ev:g} eV of {request.level.name}."
        )
    if not np.isfinite(chi2) and estimate.signal.size < 30:
        found.append("There are few points to take the noise from.")
    return tuple(found)
