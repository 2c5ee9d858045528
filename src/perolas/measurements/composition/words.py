"""What is said about a composition: ratios, phases with their limits, the recipe, and what cannot be known."""

from __future__ import annotations

import dataclasses
import math
import os

import numpy as np

from perolas.core.estimate import Estimate, Quantity
from perolas.core.tables import with_error
from perolas.measurements.composition.phases import Mixture, Share, unmix
from perolas.measurements.composition.prepare import Lines


def with_story(estimate: Estimate, data: Lines) -> Estimate:
    """Return the estimate with sentences about factors, lines that disagree, and neutrality."""
    notes, warnings = [*estimate.notes, *data.notes], list(estimate.warnings)
    freedom = data.values.size - len(data.start.elements)
    chi2 = float(estimate.chi2_reduced)
    if math.isfinite(chi2) and freedom > 0:
        from scipy.stats import chi2 as law

        odds = float(law.sf(chi2 * freedom, freedom))
        if odds < 0.01:
            warnings.append(
                f"Lines of one element disagree by more than their errors and those of their factors allow "
                f"(probability {odds:.1g}); look at their backgrounds and overlaps."
            )
    elif freedom < 1:
        notes.append("Each element has one line, so nothing here tests the areas; a second line of one would.")
    if "tilt" in data.prior and "tilt" not in estimate.fixed:
        notes.append(
            f"Areas may differ from corrected ones by a power of the kinetic energy, 0 ± {data.prior['tilt'][1]:.2g} "
            "(tilt_error): an error that all lines share, and that grows with the distance between them."
        )
    if "charge_excess" in estimate.names:
        notes.append(_neutrality(estimate["charge_excess"]))
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings))


def _neutrality(excess: Quantity) -> str:
    size = with_error(excess.value, excess.std)
    if not abs(excess.value) > 2.0 * excess.std:
        return f"The charges of metals and halides agree (excess {size}): nothing but salts of them is needed."
    if excess.value > 0:
        return (
            f"More metal than the halides can hold (excess of charge {size}): another anion, such as oleate or "
            "carbonate, or halide lost in the measurement."
        )
    return f"More halide than the metals can hold (excess of charge {size}): another cation, such as an ammonium."


def with_phases(estimate: Estimate, phases: tuple[str, ...], elements: tuple[str, ...]) -> Estimate:
    """Return the estimate with a share for each phase, its limits, and what the elements cannot tell apart."""
    if not phases or estimate.result != "converged":
        return estimate
    index = [estimate.names.index(f"amount_{e}") for e in elements if f"amount_{e}" in estimate.names]
    if len(index) < len(elements):
        return dataclasses.replace(estimate, notes=(*estimate.notes, "Amounts are held, so phases are not judged."))
    used = [i for i, e in enumerate(elements) if any(_holds(p, e) for p in phases)]
    rows = [index[i] for i in used]
    found = unmix(
        estimate.values[rows], estimate.covariance[np.ix_(rows, rows)], phases, tuple(elements[i] for i in used)
    )
    added = dict(estimate.added)
    for one in found.shares:
        meaning = "share of the formula units that are this phase" + (
            "" if one.determined else "; not determined: the middle of what is possible"
        )
        value = one.best if one.determined else 0.5 * (one.low95 + one.high95)
        added[f"share_{one.name}"] = Quantity(value, one.std, "1", meaning)
        limit = "upper limit (95 %) of that share"
        added[f"share_limit_{one.name}"] = Quantity(one.high95, 0.0, "1", limit)
    extra = {**estimate.extra, "phases": [dataclasses.asdict(s) | {"determined": s.determined} for s in found.shares],
             "explanations": [{"phases": list(p), "chi2": c} for p, c in found.simplest]}  # fmt: skip
    return dataclasses.replace(
        estimate, added=added, extra=extra, notes=(*estimate.notes, *_sentences(found)),
        warnings=(*estimate.warnings, *_misfit(found)),
    )  # fmt: skip


def _holds(phase: str, element: str) -> bool:
    from perolas.matter import formula

    return element in formula.parse(phase.partition("_")[0]).atoms


def _sentences(found: Mixture) -> list[str]:
    count = len(found.shares)
    said = []
    if found.rank < count:
        said.append(
            f"These elements tell at most {found.rank} of the {count} phases apart, since each is a mixture of "
            f"{found.rank} of them as far as atoms go; which of them are there is for diffraction to say."
        )
    if found.simplest:
        ways = "; ".join(" + ".join(p) for p, _ in found.simplest[:6])
        said.append(f"The fewest phases that explain the composition: {ways}.")
    said.append("Shares of formula units (95 %): " + "; ".join(_range(s) for s in found.shares) + ".")
    return said


def _range(share: Share) -> str:
    if share.low95 <= 0 and share.high95 >= 1:
        return f"{share.name} anything"
    if share.low95 <= 0:
        return f"{share.name} at most {share.high95:.2g}"
    if share.high95 >= 1:
        return f"{share.name} at least {share.low95:.2g}"
    return f"{share.name} {share.low95:.2g} to {share.high95:.2g}"


def _misfit(found: Mixture) -> list[str]:
    from scipy.stats import chi2

    freedom = max(found.freedom, 1)
    odds = float(chi2.sf(found.chi2, freedom))
    if odds > 0.01:
        return []
    return [
        f"No mixture of these phases makes the composition (chi-square {found.chi2:.3g}, probability {odds:.1g}); "
        "another phase or other ions are there, or the factors are further off than stated."
    ]


def with_recipe(estimate: Estimate, recipe: str | os.PathLike[str], elements: tuple[str, ...]) -> Estimate:
    """Return the estimate with its ratios beside those of a recipe: of what went into the pot, and of what came out."""
    from perolas.core.errors import InputError
    from perolas.matter.recipe import load

    balance = load(recipe).balance()
    pot = {e: n for e, (n, _) in balance.elements().items()}
    out = _product(balance.contents, elements)
    added, notes = dict(estimate.added), list(estimate.notes)
    ratios = [n for n in estimate.names if n.startswith("ratio_")]
    compared = 0
    for name in ratios:
        first, second = name.split("_")[1:]
        for word, amounts in (("pot", pot), ("product", out)):
            if not amounts.get(second) or first not in amounts:
                continue
            theirs, ours = amounts[first] / amounts[second], estimate[name]
            meaning = f"atoms of {first} for each of {second} in the recipe's {word}"
            added[f"recipe_{word}_{first}_{second}"] = Quantity(theirs, 0.0, "1", meaning)
            off = Quantity(ours.value - theirs, ours.std, "1", f"measured {first}/{second} less that of the {word}")
            added[f"recipe_{word}_difference_{first}_{second}"] = off
            far = abs(off.value) / ours.std if ours.std > 0 else math.inf
            verdict = "agrees with" if far < 2 else f"lies {far:.1f} standard errors from"
            notes.append(
                f"{first}/{second} = {with_error(ours.value, ours.std)} {verdict} the recipe's {word}, {theirs:.3g}."
            )
            compared += 1
    if not compared:
        raise InputError("The recipe shares no two elements with the composition.")
    return dataclasses.replace(estimate, added=added, notes=tuple(notes))


def _product(contents: dict[tuple[str, str], float], elements: tuple[str, ...]) -> dict[str, float]:
    """Return the atoms of what is solid in the pot: what lies dissolved in a liquid is left there by drying only."""
    from perolas.matter import formula

    total: dict[str, float] = {}
    for (name, where), mol in contents.items():
        if where:
            continue
        for element, n in formula.parse(name).atoms.items():
            if element in elements:
                total[element] = total.get(element, 0.0) + n * mol
    return total
