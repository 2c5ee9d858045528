"""What an estimate of sizes says in words: what was counted, how many more are needed, and what to be wary of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perolas.core.estimate import Estimate, Quantity
from perolas.measurements.tem.find import View
from perolas.measurements.tem.measure import Found
from perolas.measurements.tem.selection import Census

_SIZE = {
    "cube": "the edge of cubes",
    "hexagon": "the distance of opposite sides of hexagons",
    "sphere": "the diameter of spheres",
}


def with_numbers(estimate: Estimate, counted: int, wanted: float) -> Estimate:
    """Add how many crystals were measured and how many a wanted error needs.

    Args:
        estimate: of the size law.
        counted: crystals measured.
        wanted: relative standard error of the mean.

    Returns:
        The estimate with `counted` and `needed`, and a note.
    """
    width, error = _width(estimate)
    needed = (width / wanted) ** 2
    added = {
        "counted": Quantity(float(counted), 0.0, "1", "single whole crystals that were measured"),
        "needed": Quantity(
            needed,
            2.0 * needed * error / max(width, 1e-12),
            "1",
            f"crystals to be measured for a relative counting error of the mean of {wanted:g}",
        ),
    }
    if needed <= counted:
        text = (
            f"{counted} crystals were measured, enough for a counting error of the mean of {wanted:.2g} ({needed:.0f})."
        )
    else:
        text = f"{counted} crystals were measured; a counting error of the mean of {wanted:.2g} needs {needed:.0f}."
    evidence = estimate.extra.get("evidence", [])
    notes = [*estimate.notes, text]
    if len(evidence) > 1 and all(row["result"] == "converged" for row in evidence):
        gain = 0.5 * abs(evidence[0]["bic"] - evidence[1]["bic"])
        odds = math.exp(min(gain, 700.0))
        if odds < 20:
            notes.append(
                f"Normal and lognormal law cannot be told apart (odds {odds:.2g} for {estimate.extra['law']})."
            )
        else:
            notes.append(f"A {estimate.extra['law']} law is {min(odds, 1e6):.3g} times more likely than the other one.")
    return dataclasses.replace(estimate, added={**estimate.added, **added}, notes=tuple(notes))


def _width(estimate: Estimate) -> tuple[float, float]:
    """Return the relative width of the law and its error."""
    if "relative_std" in estimate.names:
        found = estimate["relative_std"]
        return found.value, found.std if math.isfinite(found.std) else 0.0
    measurement, _ = estimate.fitted()
    return float(measurement.std_edge_nm / measurement.mean_edge_nm), 0.0


def with_story(
    estimate: Estimate, view: View, whole: Sequence[Found], counted: Census, shape: str, wishes: Any
) -> Estimate:
    """Add the census, and what to be wary of.

    Args:
        estimate: of the size law.
        view: what the image showed.
        whole: crystals that were measured.
        counted: how many there are.
        shape: of the crystals.
        wishes: those of the caller; `wanted` and `scale_error` are used.

    Returns:
        The estimate with its notes and warnings.
    """
    estimate = with_numbers(estimate, len(whole), wishes.wanted)
    particles = Quantity(
        counted.number,
        counted.std,
        "1",
        "crystals in this image, those in clumps and cut by its edges by their density",
    )
    soft = float(np.median(np.nan_to_num([f.soft for f in whole])))
    about = {
        "shape": shape,
        "polarity": "dark" if view.dark else "bright",
        "measured": len(whole),
        "in_clumps": counted.in_clumps,
        "at_edges": counted.at_edges,
        "contrast_to_noise": view.contrast_to_noise,
        "softness": soft,
    }
    notes = (
        f"{'Dark' if view.dark else 'Bright'} crystals; the size is {_SIZE[shape]}. Of {counted.number:.0f} in the "
        f"image {len(whole)} were measured, {counted.in_clumps:.0f} are in clumps and {counted.at_edges:.0f} at the "
        "edges; how often large ones are missed is part of the model.",
        *estimate.notes,
    )
    warnings = list(estimate.warnings)
    share = len(whole) / max(counted.number, 1.0)
    if share < 0.3:
        warnings.append(f"Only {share:.0%} of the crystals are single and whole; the law rests on them being typical.")
    if soft > 0.25:
        warnings.append(f"Outlines are soft: sizes change by {soft:.0%} between 65 and 35 % of the contrast.")
    mean = estimate["mean_edge"] if "mean_edge" in estimate.names else None
    if mean is not None and wishes.scale_error * mean.value > 0.7 * mean.std:
        notes = (*notes, f"Most of the mean's error is that of the scale ({wishes.scale_error:.2g}).")
    return dataclasses.replace(
        estimate,
        notes=notes,
        warnings=tuple(warnings),
        added={"particles": particles, **estimate.added},
        extra={**estimate.extra, "image": about},
    )


def undetermined(estimate: Estimate, reasons: Sequence[str], seen: int) -> Estimate:
    """Return an estimate in which nothing about sizes is determined.

    Args:
        estimate: of the number of objects.
        reasons: parts of a sentence.
        seen: objects that were found.

    Returns:
        The estimate; only `number` has a value.
    """
    kept = np.array([n == "number" for n in estimate.names])
    values = np.where(kept, float(seen), np.nan)
    std = np.where(kept, math.sqrt(seen), np.inf)
    covariance = np.where(np.outer(kept, kept), float(seen), np.nan)
    sizes = [not n.startswith("number") for n in estimate.names[: estimate.n_free]]
    text = "; ".join(r.rstrip(".") for r in reasons)
    return dataclasses.replace(
        estimate,
        values=values,
        std=std,
        covariance=covariance,
        expected=np.full_like(estimate.expected, np.nan),  # a curve through spots would look like a law
        empty=~kept,
        null=np.eye(estimate.n_free),
        null_mask=np.array(sizes),
        result="converged",
        chi2_reduced=np.asarray(np.nan),
        warnings=(f"No size law can be stated: {text}.",),
        notes=(f"{seen} objects were found; they are counted, not measured.",),
    )
