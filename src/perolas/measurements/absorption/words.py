"""What an estimate of an absorption spectrum says beside its numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from perolas.core.estimate import Estimate, Quantity
from perolas.measurements.absorption import scales, tauc
from perolas.measurements.absorption.door import Points
from perolas.measurements.absorption.fitting import Budget
from perolas.measurements.absorption.start import optical_of

_EDGE = ("gap", "binding", "fwhm", "exciton", "exciton_area", "upper")
_TAUC_REACH_EV = 0.6
_SATURATED = 3.0
_LOWEST_REFLECTANCE = 0.2


def without(found: Estimate, lost: tuple[str, ...]) -> Estimate:
    """Return the estimate in which some quantities are said not to be determined.

    Args:
        found: a single estimate.
        lost: names; those that it does not have are passed over.

    Returns:
        The estimate, NaN with an infinite error there.
    """
    mask = np.array([n in lost for n in found.names])
    return dataclasses.replace(
        found, values=np.where(mask, np.nan, found.values), std=np.where(mask, np.inf, found.std),
        empty=found.empty | mask,
    )  # fmt: skip


def no_edge(flat: Estimate, points: Points, why: str) -> Estimate:
    """Return what a spectrum without an edge says: its level, and what that means.

    Args:
        flat: the fit of a background alone.
        points: the spectrum.
        why: what was seen instead, a sentence.

    Returns:
        An estimate without a gap.
    """
    signal = points.signal
    words = [f"No absorption edge is seen: {why} No gap follows from these data; the mean level is given."]
    if points.kind != "absorbance":
        beyond = float(np.mean((signal < 0) | (signal > 1.2)))
        if beyond > 0:
            words.append(f"{beyond:.0%} of the points lie outside 0 to 120 %: noise or the instrument, not the sample.")
    weight = 1.0 / points.variance
    mean = float(np.sum(weight * signal) / np.sum(weight))
    level = Quantity(mean, float(np.sum(weight) ** -0.5), "1", "mean of the signal, each point by its noise")
    lost = tuple(n for n in flat.names if n not in ("offset", "scatter", "scatter_power"))
    return dataclasses.replace(
        without(flat, lost), warnings=(*flat.warnings, *words), notes=(*flat.notes, *points.notes),
        added={"mean_signal": level},
    )  # fmt: skip


def told(found: Estimate, points: Points, budget: Budget, edge: bool, windowed: str, path_stated: bool) -> Estimate:
    """Return the estimate with its story: window, error budget, Tauc, and what these data cannot say.

    Args:
        found: with its whole errors.
        points: what was fitted.
        budget: where the errors come from.
        edge: whether the edge of CsPbBr3 (or of whatever it is) is seen.
        windowed: how the window was chosen, a sentence, or "".
        path_stated: whether the length of the path is known.

    Returns:
        The estimate with notes, warnings, `extra["errors"]`, `extra["windows"]` and `extra["tauc"]`.
    """
    model = found.fitted()[0]
    notes, warnings, added = [*found.notes, *points.notes], list(found.warnings), dict(found.added)
    extra: dict[str, Any] = {**found.extra, "errors": budget.rows, "windows": budget.windows}
    if windowed:
        notes.append(windowed)
    if not points.measured:
        notes.append("The noise was taken from how far neighbouring points lie apart.")
    if budget.factor > 1.5:
        notes.append(
            f"Errors were enlarged {math.sqrt(budget.factor):.2g} times: the residuals are larger than the noise, or "
            "neighbours agree in them, so the model is not the whole truth here."
        )
    if edge:
        notes.append(_shares(budget))
        rows = _tauc(found, points)
        extra["tauc"] = rows
        seen = tauc.summary(rows)
        if seen is not None:
            added["tauc_gap"] = seen
            where = {"gap": found["gap"].value, "exciton": found["exciton"].value}
            warnings.append(tauc.sentence(rows, where))
        if found["fwhm"].value > 3 * found["binding"].value or found["binding"].std > 0.5 * found["binding"].value:
            notes.append(
                "The broadening hides the exciton's line: binding energy and gap hang on the form of the model, and "
                "the energy of the exciton is known better than either."
            )
    else:
        found = without(found, _EDGE)
        warnings.append("No edge of CsPbBr3 is seen: its amount is a limit, at the gap that the library gives.")
    warnings += _instrument(points)
    if model.medium and points.kind != "reflectance":
        notes.append(
            f"Amounts rest on the n and k of CsPbBr3 in {model.medium}: their errors hold those of n, k and shape."
        )
    if model.medium not in ("", "film") and points.kind != "reflectance" and not path_stated:
        found = without(found, ("concentration", "second_concentration"))
        notes.append(
            "The path is not stated: column is concentration x path; give the path (path) for a concentration."
        )
    if not model.medium:
        notes.append(
            "The edge is not that of CsPbBr3, so that no amount follows from its height (medium says otherwise)."
        )
    if model.phases:
        notes.append("No n and k of Cs4PbBr6 are measured: its amount, and the ratio, are right within a factor of 2.")
    return dataclasses.replace(found, notes=tuple(notes), warnings=tuple(warnings), extra=extra, added=added)


def _shares(budget: Budget) -> str:
    rows = {r["quantity"]: r for r in budget.rows}
    parts = []
    for name in ("gap", "exciton", "binding"):
        row = rows.get(name)
        if row is not None and math.isfinite(row["total"]):
            pieces = ", ".join(f"{what} {1e3 * row[what]:.2g}" for what in ("noise", "baseline", "window"))
            parts.append(f"{name} {1e3 * row['total']:.2g} meV ({pieces})")
    return "Errors hold noise, baseline and window: " + "; ".join(parts) + "."


def _tauc(found: Estimate, points: Points) -> list[dict[str, Any]]:
    optical = optical_of(points)[0]
    model = found.fitted()[0]
    baseline = np.asarray(model.background())
    near = points.energy <= found["gap"].value + _TAUC_REACH_EV
    if near.sum() < 10:
        return []
    return tauc.tauc_gaps(points.energy[near], optical[near], baseline[near])


def _instrument(points: Points) -> list[str]:
    words = []
    if points.kind == "reflectance":
        words.append(
            "Kubelka-Munk holds for a thick, diffusing layer of weak absorbers with S constant over the edge and no "
            "mirror reflection."
        )
        least = float(np.percentile(points.signal, 2))
        if least < _LOWEST_REFLECTANCE:
            share = float(np.mean(points.signal < _LOWEST_REFLECTANCE))
            ratio = float(scales.kubelka_munk(_LOWEST_REFLECTANCE))
            words.append(
                f"Reflectance falls to {least:.2g}, {share:.0%} of the points below {_LOWEST_REFLECTANCE:g}, where "
                f"K / S = {ratio:.2g} and more is not to be trusted: dilute it."
            )
    else:
        optical = optical_of(points)[0]
        if float(np.percentile(optical, 98)) > _SATURATED:
            words.append(
                f"Absorbance above {_SATURATED:g}: stray light flattens it in most instruments (free stray, or dilute)."
            )
    return words
