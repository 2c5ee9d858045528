"""The answer to a table of thresholds against areas: exponent, ranking, and which spots to measure next."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from scipy.stats import chi2

from perolas.core.estimate import Estimate, Quantity
from perolas.measurements.emission.area import fit_law, ranked, spots
from perolas.measurements.emission.plan import plan_areas, separations

_STRONG = 10.0  # odds
_POOR = 1e-3


def fit_areas(
    observation: xr.Dataset,
    area_error: float = 0.0,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
) -> Estimate:
    """Fit thresholds against areas and rank the laws.

    Args:
        observation: thresholds on the axis ``area_um2``.
        area_error: relative standard error of the areas.
        free: names added to what is fitted, such as ``"transparency_share"``.
        fix: names taken out of it.
        guess: start values by name.

    Returns:
        The power law, with the ranking in ``extra["evidence"]`` and planned spots in ``extra["plan"]``.

    Raises:
        InputError: data that cannot be used.
    """
    data = spots(observation, area_error)
    names = ("threshold_at_reference", "exponent", *free)
    estimate = fit_law(data, names, fix, guess=guess)
    rows = ranked(data)
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    if data.std is None:
        notes.append("The thresholds have no errors: one of so many per cent is taken from the residuals.")
    best, second = rows[0], rows[1]
    odds = best["probability"] / max(second["probability"], 1e-300)
    text = f"The likeliest law is {best['model']} ({100 * best['probability']:.0f} % among five)"
    if odds < _STRONG:
        warnings.append(
            f"{text}, but {second['model']} ({100 * second['probability']:.0f} %) is not excluded: these spots do not "
            "tell them apart."
        )
    else:
        notes.append(text + ".")
    decades = float(np.log10(data.area[-1] / data.area[0]))
    if decades < 0.5:
        warnings.append(f"The areas span a factor of {10**decades:.2g} only: an exponent says little.")
    notes.append("An exponent alone does not tell a mechanism: transparency and losses make any value up to zero.")
    added = dict(estimate.added)
    estimate_of_scatter = estimate
    worth = (
        None
        if data.std is None
        else float(chi2.sf(float(estimate.chi2_reduced) * (n := max(estimate.n_points - estimate.n_free, 1)), n))
    )
    if worth is not None and worth < _POOR:
        warnings.append(
            f"A plain power law does not describe these thresholds (reduced chi-square "
            f"{float(estimate.chi2_reduced):.3g}): its exponent is a description only, and its error too small."
        )
    offset = next(r for r in rows if r["model"].startswith("P_tr"))
    if offset is best and "transparency_share" not in names:
        whole = fit_law(
            data, (*names, "transparency_share"), fix, (offset["exponent"], max(offset["transparency_share"], 0.02))
        )
        if whole.result == "converged":
            added["exponent_beside_transparency"] = dataclasses.replace(
                whole["exponent"], definition="exponent of the part that the area takes away, beside transparency"
            )
            added["transparency_beside_exponent"] = Quantity(
                whole["transparency"].value,
                whole["transparency"].std,
                "uJ/cm^2",
                "threshold of an endless spot, fitted",
            )
            estimate_of_scatter = whole
    plan, sentence = _plan(data.area, data.std, estimate_of_scatter)
    if sentence:
        notes.append(sentence)
    extra = estimate.extra | {"evidence": rows, "priors": "ln T flat, m uniform from 0 to 2, q uniform from 0 to 1"}
    if plan is not None:
        extra["plan"] = plan
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings), extra=extra, added=added)


def _plan(area: np.ndarray, std: np.ndarray | None, estimate: Estimate) -> tuple[dict[str, object] | None, str]:
    """Return the spots that would tell the laws apart best, with as many points and as good ones, in the same range."""
    error = float(np.median(std)) if std is not None else _scatter(estimate)
    if area[0] == area[-1] or not 0 < error < 1 or area.size > 12:
        return None, ""
    now, best = separations(area, error)[0], plan_areas(area.size, error, float(area[0]), float(area[-1]))
    listed = ", ".join(f"{a:.3g}" for a in best.areas)
    table = {
        "areas_um2": [float(a) for a in best.areas],
        "error": error,
        "power_now": now.power,
        "power_planned": best.weakest.power,
        "weakest": [best.weakest.holds, best.weakest.rival],
    }
    text = (
        f"{area.size} spots of {listed} um^2 would tell the laws apart best in this range: the weakest distinction "
        f"({best.weakest.holds} from {best.weakest.rival}) succeeds with probability {best.weakest.power:.2f}, here "
        f"{now.power:.2f}."
    )
    return table, text


def _scatter(estimate: Estimate) -> float:
    away = np.log(estimate.signal / estimate.expected)
    return float(np.sqrt(np.sum(away**2) / max(estimate.n_points - estimate.n_free, 1)))
