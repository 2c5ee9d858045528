"""What is said about an infrared spectrum: free acid and its limit, how the carboxylate holds, coverage."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from perolas.core.estimate import Estimate, Quantity
from perolas.core.tables import with_error
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.ftir.bands import band
from perolas.measurements.ftir.prepare import Spectrum

_AVOGADRO_PER_NMOL = 6.02214076e14


def with_story(estimate: Estimate, data: Spectrum, widening: float, geometry: str) -> Estimate:
    """Return the estimate with limits, the kind of carboxylate, and sentences about what it rests on."""
    notes, warnings = [*estimate.notes, *data.notes], [*estimate.warnings, *data.warnings]
    added, extra = dict(estimate.added), dict(estimate.extra)
    if estimate.result == "converged":
        if "amount_free" in estimate.names:
            limits, said = _free(estimate)
            added |= limits
            notes += said
        if "split" in estimate.names and _clear(estimate, "amount_bound"):
            extra["carboxylate"], said_so = _carboxylate(estimate["split"])
            notes.append(said_so)
        notes += _strengths(estimate)
    if widening > 1.5:
        notes.append(
            f"The residuals vary {widening:.2g} times more than the noise of single points (points that share their "
            "noise, or bands that the model does not have); errors count that."
        )
    if geometry == "atr":
        notes.append("Attenuated total reflection: amounts share an unknown factor, only ratios mean anything.")
    else:
        notes.append(
            "Amounts are for each area of the beam; a coverage needs the mass of crystals in it and their size (mass, "
            "size), ratios do not."
        )
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings), added=added, extra=extra)


def _clear(estimate: Estimate, name: str) -> bool:
    return name in estimate.names and estimate[name].value > 3.0 * estimate[name].std > 0


def _free(estimate: Estimate) -> tuple[dict[str, Quantity], list[str]]:
    """Return the limits of free acid: the strength's own error moves a value, not whether there is anything."""
    free = estimate["amount_free"]
    strength = band("carboxylic_co").strength
    relative = strength.std / strength.value
    noise = math.sqrt(max(free.std**2 - (relative * free.value) ** 2, (0.05 * free.std) ** 2))
    limit = max(free.value, 0.0) + 1.645 * free.std
    added = {
        "free_detection_limit": Quantity(
            3.29 * noise, 3.29 * noise * relative, "nmol/cm^2",
            "free acid that would be found with 95 % certainty, and not be found by chance with 95 % (Currie)",
        ),
        "free_limit": Quantity(limit, 0.0, "nmol/cm^2", "upper limit (95 %) of free acid"),
    }  # fmt: skip
    said = []
    if free.value < 1.645 * noise:
        said.append(f"No free acid stands clear of the noise; at most {limit:.3g} nmol/cm2 (95 %).")
        if "amount_bound" in estimate.names and _clear(estimate, "amount_bound"):
            bound = estimate["amount_bound"]
            least = max(bound.value - 1.645 * bound.std, 0.0) / limit
            said.append(f"Carboxylate over free acid is then at least {least:.2g}; bound_free_ratio means little here.")
    return added, said


def _carboxylate(split: Quantity) -> tuple[dict[str, float], str]:
    """Return how likely each kind of bond is, by the rule of the separation of the two stretches."""
    low, high = physical_parameter("ftir.chelating_split"), physical_parameter("ftir.monodentate_split")
    below = _below(low.value - split.value, math.hypot(low.std, split.std))
    above = 1.0 - _below(high.value - split.value, math.hypot(high.std, split.std))
    odds = {"chelating": below, "bridging or ionic": max(1.0 - below - above, 0.0), "monodentate": above}
    best = max(odds, key=lambda k: odds[k])
    return odds, (
        f"The two COO- stretches are {with_error(split.value, split.std)} cm-1 apart: {best} ({odds[best]:.0%}) by the "
        "rule of Deacon and Phillips, a rule of thumb."
    )


def _below(distance: float, spread: float) -> float:
    return 0.5 * math.erfc(-distance / (spread * math.sqrt(2.0)))


def _strengths(estimate: Estimate) -> list[str]:
    held = [n for n in estimate.names if n.startswith("correction_")]
    if not held:
        return []
    said = [
        "Amounts rest on band strengths of the library, whose errors (15-50 %) are in theirs; ratios between two "
        "spectra taken alike do not need them."
    ]
    if "heads_per_chain" in estimate.names:
        heads = estimate["heads_per_chain"]
        far = abs(heads.value - 1.0) > 3.0 * heads.std
        if far and heads.value < 1.0:
            said.append("More chains than heads are seen: solvent, neutral amine, or octadecene may be left.")
        elif far:
            said.append("There are more heads than chains: something without a long chain absorbs there, too.")
    return said


def with_coverage(estimate: Estimate, mass: str | float, size: str | float, size_spread: float, phase: str) -> Estimate:
    """Return the estimate with ligands for each nm2 of the crystals' surface.

    Args:
        estimate: the fit.
        mass: mass of crystals for each area of the beam, with its error.
        size: their mean size, with its error.
        size_spread: standard deviation of the sizes, nm.
        phase: what they are made of.

    Returns:
        The estimate with `bound_per_nm2`, `chains_per_nm2` and `coverage`.

    Raises:
        InputError: a number that cannot be read.
    """
    from perolas.core import check
    from perolas.matter.written import quantity
    from perolas.measurements.ftir.surface import surface

    weighed = quantity(mass if isinstance(mass, str) else f"{mass} mg/cm^2", ("mg/cm^2",), "mass")
    edge = quantity(size if isinstance(size, str) else f"{size} nm", ("nm",), "size")
    spread = check.positive(size_spread, "size_spread", "nm", zero=True)
    area, area_std = surface(phase, (edge.value, edge.std), spread, (weighed.value, weighed.std))
    added = dict(estimate.added)
    meanings = {"bound": "carboxylate", "chain": "chains", "ammonium": "ammonium"}
    for species, meaning in meanings.items():
        name = f"amount_{species}"
        if name not in estimate.names:
            continue
        found = estimate[name]
        scale = _AVOGADRO_PER_NMOL / area
        value = found.value * scale
        std = math.hypot(found.std * scale, value * area_std / area)
        added[f"{'chains' if species == 'chain' else species}_per_nm2"] = Quantity(
            value, std, "1/nm^2", f"{meaning} for each area of the crystals' surface"
        )
    rows = [estimate.names.index(f"amount_{n}") for n in ("bound", "ammonium") if f"amount_{n}" in estimate.names]
    if rows:
        full, scale = physical_parameter("ligand.density"), _AVOGADRO_PER_NMOL / area
        total = float(np.sum(estimate.values[rows])) * scale
        own = math.sqrt(float(np.sum(estimate.covariance[np.ix_(rows, rows)]))) * scale
        std = math.sqrt(own**2 + (total * area_std / area) ** 2 + (total * full.std / full.value) ** 2) / full.value
        added["coverage"] = Quantity(total / full.value, std, "1", "bound ligands over those of a full surface")
    notes = (
        *estimate.notes,
        f"The crystals in the beam have {area / 1e14:.3g} ± {area_std / 1e14:.2g} cm2 of surface.",
    )
    return dataclasses.replace(estimate, added=added, notes=notes)
