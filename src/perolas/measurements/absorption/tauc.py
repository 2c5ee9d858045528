"""The Tauc plot as what it is: a straight line through a chosen stretch of a chosen power, and how far choices differ.

It knows neither exciton nor broadening, so that its gap lies below that of a direct gap with an exciton, by an amount
that `bias_table` gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from perolas.measurements.absorption.elliott import elliott

_EXPONENTS = {"direct": 2.0, "indirect": 0.5}
_STRETCHES = ((0.2, 0.6), (0.3, 0.7), (0.4, 0.8), (0.5, 0.9), (0.2, 0.9))


def tauc_gaps(energy_ev: ArrayLike, absorbance: ArrayLike) -> list[dict[str, Any]]:
    """Return the gaps of Tauc plots over their usual choices.

    Args:
        energy_ev: shape (n,), rising, eV.
        absorbance: shape (n,), the background taken off.

    Returns:
        One row for each choice: exponent, the stretch (shares of the highest value of the plot), gap in eV; choices
        without three rising points are left out.

    Source: Tauc, Grigorovici and Vancu, Phys. Status Solidi 1966, 15, 627.
    """
    energy, alpha = np.asarray(energy_ev, dtype=float), np.maximum(np.asarray(absorbance, dtype=float), 0.0)
    rows = []
    for name, power in _EXPONENTS.items():
        plot = (alpha * energy) ** power
        steepest = int(np.argmax(np.gradient(plot, energy)))
        end = steepest + int(np.argmax(np.append(np.diff(plot[steepest:]) <= 0, True)))
        for low, high in _STRETCHES:
            near = np.arange(energy.size) <= end
            near &= (plot >= low * plot[end]) & (plot <= high * plot[end])
            if near.sum() < 3:
                continue
            slope, level = np.polyfit(energy[near], plot[near], 1)
            if slope > 0:
                rows.append({"exponent": name, "from": low, "to": high, "gap_ev": float(-level / slope)})
    return rows


def bias_table(
    binding_mev: ArrayLike = (1.0, 10.0, 33.0, 80.0), fwhm_mev: ArrayLike = (20.0, 60.0, 120.0), gap_ev: float = 2.4
) -> list[dict[str, float]]:
    """Return how far a Tauc plot of a noise-free Elliott edge lies from its gap and from its exciton.

    Args:
        binding_mev: exciton binding energies, meV.
        fwhm_mev: full widths of the broadening, meV.
        gap_ev: true gap, eV.

    Returns:
        One row for each pair: ``binding_mev``, ``fwhm_mev``, ``tauc_mev`` (mean of the direct plots less the gap),
        ``tauc_exciton_mev`` (less the exciton's energy) and ``spread_mev`` (half the range over the stretches).
    """
    energy = np.linspace(gap_ev - 0.4, gap_ev + 0.5, 901)
    rows = []
    for binding in np.asarray(binding_mev, dtype=float):
        for fwhm in np.asarray(fwhm_mev, dtype=float):
            lines, continuum = elliott(energy, gap_ev, binding / 1e3, fwhm / 1e3)
            alpha = np.asarray(lines + continuum) * gap_ev / energy
            gaps = np.array([r["gap_ev"] for r in tauc_gaps(energy, alpha) if r["exponent"] == "direct"])
            off = 1e3 * (gaps.mean() - gap_ev)
            rows.append(
                {
                    "binding_mev": float(binding),
                    "fwhm_mev": float(fwhm),
                    "tauc_mev": float(off),
                    "tauc_exciton_mev": float(off + binding),
                    "spread_mev": float(500 * np.ptp(gaps)),
                }
            )
    return rows
