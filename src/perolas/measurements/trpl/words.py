"""What a reader must be told about a fit of a decay: how good it is, why it may be poor, what the counts support."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from scipy import stats

from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.measurements.trpl.record import Record

_POOR = 1e-3  # a fit this improbable or more gets a warning


def lifetimes(estimate: Estimate) -> np.ndarray:
    """Return the fitted lifetimes in ns, shape (k,), in the order of the components."""
    return np.asarray(estimate.fitted()[0].tau_ns)


def with_story(estimate: Estimate, record: Record, weights: str) -> Estimate:
    """Add what a reader must know about a fit.

    Args:
        estimate: of the record.
        record: what was fitted.
        weights: ``"poisson"`` or ``"none"``.

    Returns:
        The estimate with notes, warnings and ``extra["counts"]``, ``extra["quality"]``.
    """
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    quality = _quality(estimate)
    if record.live != (0, record.counts.size):
        first, last = record.live
        notes.append(f"Bins before {first} and from {last} on were dead (no counts at all) and are left out.")
    if weights == "none":
        notes.append(
            "Unweighted least squares, as in older programs: the highest bins decide, and the errors assume one noise "
            "for all bins, which counts do not have; the Poisson likelihood (the default) uses every bin as it "
            "deserves."
        )
    if quality["p_value"] is not None and quality["p_value"] < _POOR:
        warnings.append(_poor(estimate, record, quality))
        if weights == "poisson":
            notes.append(
                "An unweighted fit of the same decay gives other lifetimes (weights=none), because it looks at the "
                "peak, where the response matters most; how far the two lie apart shows how far the model is from "
                "the data."
            )
    warnings.extend(_doubts(estimate, record))
    counts = {"total": float(record.seen.sum()), "peak": float(record.seen.max())}
    extra = estimate.extra | {"counts": counts, "quality": quality}
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings), extra=extra)


def _quality(estimate: Estimate) -> dict[str, float | None]:
    mean = np.maximum(estimate.expected, 1e-9)
    freedom = max(estimate.n_points - estimate.n_free, 1)
    # Pearson's chi-square of bins with few counts is not chi-square distributed: neighbours are merged to 10 counts.
    edges = np.unique(np.floor(np.cumsum(mean) / 10.0), return_index=True)[1]
    observed, expected = np.add.reduceat(estimate.signal, edges), np.add.reduceat(mean, edges)
    grouped, left = float(np.sum((observed - expected) ** 2 / expected)), int(edges.size - estimate.n_free)
    return {
        "chi2_reduced_poisson": float(np.sum((estimate.signal - mean) ** 2 / mean) / freedom),
        "chi2_grouped": grouped,
        "degrees_of_freedom": left,
        "p_value": float(stats.chi2.sf(grouped, left)) if left > 0 else None,
    }


def _poor(estimate: Estimate, record: Record, quality: dict[str, Any]) -> str:
    count = len(lifetimes(estimate))
    response = (
        "the instrument response is not the one of this decay (its own counts are noisy, it drifts with time and "
        "depends on colour)"
        if record.irf.size
        else "the instrument response is not a Gaussian (measure it)"
    )
    components = "one exponential is" if count == 1 else f"{count} exponentials are"
    per_bin, grouped = quality["chi2_reduced_poisson"], quality["chi2_grouped"] / quality["degrees_of_freedom"]
    return (
        f"The fit does not describe the counts (reduced chi-square {per_bin:.2f}, {grouped:.2f} in grouped bins, where "
        f"1 is expected): {response}; or {components} not enough for the true distribution of lifetimes; or scattered "
        "light or a second pulse is not in the model. The lifetimes are then a description, and their true errors are "
        "larger than those printed, which hold for counting noise alone."
    )


def _doubts(estimate: Estimate, record: Record) -> list[str]:
    tau, length, found = lifetimes(estimate), record.seen.size * record.step, []
    if record.irf.size and record.irf_total < 0.1 * record.seen.sum():
        found.append(
            f"The instrument response holds {record.irf_total:.0f} counts, few beside the decay's "
            f"{record.seen.sum():.0f}: its own noise, which is not in the errors, may dominate."
        )
    if tau.max() > length and record.period is None:
        found.append(
            f"The longest lifetime, {tau.max():.3g} ns, outlasts the record of {length:.3g} ns; it rests on the "
            "background."
        )
    if tau.min() < record.step:
        found.append(
            f"The shortest lifetime, {tau.min():.2g} ns, is less than one bin ({record.step:.2g} ns); "
            "it may be scattered light."
        )
    return found


def choice(evidence: list[dict[str, Any]]) -> str:
    """Return in a sentence which number of exponentials was chosen, and how clearly."""
    chosen = next(row for row in evidence if row["chosen"])
    near = min((r["delta_bic"] for r in evidence if not r["chosen"]), default=math.inf)
    text = f"{chosen['model'].capitalize()} chosen by BIC"
    return f"{text}; the next best is worse by {near:.1f}" + (", which is not decisive." if near < 6 else ".")


def with_trap_note(estimate: Estimate) -> Estimate:
    """Add what the trapping model can and cannot say about two exponentials."""
    if estimate["k_trapping"].value <= 0:
        text = (
            "These two exponentials need a negative trapping rate: the trapping model without loss cannot make this "
            "decay."
        )
    else:
        text = (
            "Trapping model without loss: its three rates follow one-to-one from the two exponentials, so the decay "
            "fits both equally well and cannot tell them apart; a loss of trapped carriers would need the quantum "
            "yield as well."
        )
    return dataclasses.replace(estimate, notes=(*estimate.notes, text))


def with_comparison(first: Estimate, second: Estimate) -> Estimate:
    """Add the test whether two decays differ: in shape, without a model, and in their mean lifetimes.

    Args:
        first: estimate of the one.
        second: estimate of the other, recorded on the same bins.

    Returns:
        The first with a note, the differences as quantities, and ``extra["comparison"]``, ``extra["same_shape"]``.

    Raises:
        InputError: different numbers of bins.
    """
    rows, added = [], dict(first.added)
    for name in ("tau_mean_amplitude", "tau_mean_intensity"):
        a, b = first[name], second[name]
        change, std = b.value - a.value, math.hypot(a.std, b.std)
        sigma = abs(change) / std if std > 0 else math.nan
        rows.append(
            {"quantity": name, "first": a.value, "second": b.value, "difference": change, "std": std, "sigma": sigma}
        )
        added[f"{name}_difference"] = Quantity(change, std, "ns", f"{name} of the second decay less that of the first")
    test = _homogeneity(first.signal, second.signal)
    verdict = "differ" if test["p_value"] < 0.0027 else "cannot be told apart"
    note = (
        f"The two decays {verdict}: chi-square {test['chi2']:.0f} for {test['degrees_of_freedom']} degrees of freedom "
        f"that both are drawn from one shape (p = {test['p_value']:.2g}); their mean lifetimes differ by "
        f"{rows[0]['sigma']:.1f} (amplitude) and {rows[1]['sigma']:.1f} (intensity) sigma."
    )
    extra = first.extra | {"comparison": rows, "same_shape": test}
    return dataclasses.replace(first, extra=extra, added=added, notes=(*first.notes, note))


def _homogeneity(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Test whether two histograms share one shape; bins are merged to 20 counts."""
    if first.size != second.size:
        raise InputError(f"The two decays have {first.size} and {second.size} bins; they must be recorded alike.")
    edges = np.unique(np.floor(np.cumsum(np.minimum(first, second)) / 20.0), return_index=True)[1]
    merged = np.stack([np.add.reduceat(first, edges), np.add.reduceat(second, edges)])
    test = stats.chi2_contingency(merged[:, merged.sum(axis=0) > 0], correction=False)
    return {"chi2": float(test.statistic), "degrees_of_freedom": int(test.dof), "p_value": float(test.pvalue)}
