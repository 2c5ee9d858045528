"""The Tauc plot as what it is: a straight line through a chosen stretch of a chosen power, and how far choices differ.

It knows neither exciton nor broadening, so that its gap lies below that of a direct gap with an exciton, by an amount
that `perolas.measurements.absorption.bias` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from perolas.core.estimate import Quantity

EXPONENTS = {"direct": 2.0, "indirect": 0.5}
STRETCHES = ((0.2, 0.6), (0.3, 0.7), (0.4, 0.8), (0.5, 0.9), (0.2, 0.9))
BASELINES = ("none", "lowest")
_BENT = 0.5  # of its steepest slope: where a plot has bent, its straight part is over


def tauc_gaps(
    energy_ev: ArrayLike, absorbance: ArrayLike, fitted_baseline: ArrayLike | None = None
) -> list[dict[str, Any]]:
    """Return the gaps of Tauc plots over their usual choices.

    Args:
        energy_ev: shape (n,), rising, eV.
        absorbance: shape (n,), as measured (or K / S).
        fitted_baseline: shape (n,), scattering found by a fit; None: the choice is left out.

    Returns:
        One row for each choice: ``exponent`` (``"direct"``: (alpha E)^2, ``"indirect"``: its square root), ``baseline``
        (``"none"`` taken off, the ``"lowest"`` value, the ``"fitted"`` one), ``from`` and ``to`` (the stretch, as
        shares of the height up to where the plot bends, its slope being half the steepest) and ``gap_ev``; choices
        without three rising points, or whose line meets zero outside the spectrum, are left out.

    Source: Tauc, Grigorovici and Vancu, Phys. Status Solidi 1966, 15, 627.
    """
    energy, alpha = np.asarray(energy_ev, dtype=float), np.asarray(absorbance, dtype=float)
    width = max(1, energy.size // 80)
    box = np.ones(2 * width + 1) / (2 * width + 1)
    baselines: dict[str, Any] = {"none": 0.0, "lowest": float(np.percentile(alpha, 2))}
    if fitted_baseline is not None:
        baselines["fitted"] = np.asarray(fitted_baseline, dtype=float)
    rows = []
    for baseline, level in baselines.items():
        for name, power in EXPONENTS.items():
            plot = (np.maximum(alpha - level, 0.0) * energy) ** power
            smooth = np.convolve(np.pad(plot, width, mode="edge"), box, mode="valid")
            slopes = np.gradient(smooth, energy)
            steepest = int(np.argmax(slopes))
            end = steepest + int(np.argmax(np.append(slopes[steepest:] <= _BENT * slopes[steepest], True)))
            end = min(end, energy.size - 1)
            foot = smooth[: steepest + 1]
            bottom = float(foot.min()) if baseline != "none" else 0.0
            for low, high in STRETCHES:
                first, last = (bottom + share * (smooth[end] - bottom) for share in (low, high))
                near = (np.arange(energy.size) <= end) & (smooth >= first) & (smooth <= last)
                near &= energy > energy[steepest] - 4 * (energy[end] - energy[steepest] + 0.05)
                if near.sum() < 3:
                    continue
                slope, height = np.polyfit(energy[near], plot[near], 1)
                if slope > 0 and energy[0] < -height / slope < energy[-1]:
                    rows.append({
                        "exponent": name, "baseline": baseline, "from": low, "to": high,
                        "gap_ev": float(-height / slope),
                    })  # fmt: skip
    return rows


def summary(rows: list[dict[str, Any]], exponent: str = "direct") -> Quantity | None:
    """Return the mean of Tauc gaps of one exponent, with the spread over baseline and stretch as its error.

    Args:
        rows: of `tauc_gaps`.
        exponent: one of `EXPONENTS`.

    Returns:
        The quantity; None where fewer than two choices gave one.
    """
    gaps = np.array([r["gap_ev"] for r in rows if r["exponent"] == exponent])
    if gaps.size < 2:
        return None
    text = f"mean of {gaps.size} {exponent} Tauc plots, its error their spread over stretch and baseline; not the gap"
    return Quantity(float(gaps.mean()), float(gaps.std(ddof=1)), "eV", text)


def sentence(rows: list[dict[str, Any]], gap: Mapping[str, float]) -> str:
    """Return in words what Tauc plots would say of a gap that is known otherwise.

    Args:
        rows: of `tauc_gaps`.
        gap: ``"gap"`` and ``"exciton"``, eV.

    Returns:
        One sentence, or "" where no plot has a straight stretch.
    """
    direct = [r["gap_ev"] for r in rows if r["exponent"] == "direct"]
    if not direct:
        return ""
    other = [r["gap_ev"] for r in rows if r["exponent"] == "indirect"]
    more = f", indirect ones {min(other):.3f} to {max(other):.3f} eV" if other else ""
    return (
        f"Tauc plots (direct) give {min(direct):.3f} to {max(direct):.3f} eV by stretch and baseline{more}: a line "
        f"through a chosen stretch knows no exciton, which here lies at {gap['exciton']:.3f} eV below a gap of "
        f"{gap['gap']:.3f} eV."
    )
