"""Compounds by name or formula: atoms, ions, density, solubility; listed ones, and any that a formula describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from perolas.core.errors import InputError, one_line
from perolas.matter import formula as formulas
from perolas.matter.formula import Formula
from perolas.matter.written import Given

_NONE: Mapping[str, float] = {}


@dataclass(frozen=True)
class Compound:
    """A kind of molecule, salt, ion or solid.

    Attributes:
        formula: as written; two compounds are the same if this is.
        name: in words, or the formula.
        atoms: element -> number in one formula unit.
        charge: of one formula unit, elementary charges.
        molar_mass_g_mol: of one formula unit.
        ions: formula of an ion -> number; empty where it does not fall into ions.
        density: g/mL, or None where it is not known.
        solubility: mol per kg of water, or None where it is not known.
    """

    formula: str
    name: str
    atoms: Mapping[str, float] = field(compare=False)
    charge: int = 0
    molar_mass_g_mol: float = field(default=0.0, compare=False)
    ions: Mapping[str, float] = field(default_factory=dict, compare=False)
    density: Given | None = field(default=None, compare=False)
    solubility: Given | None = field(default=None, compare=False)

    def with_density(self, density: Given) -> Compound:
        """Return the compound with another density."""
        return replace(self, density=density)


@cache
def _table() -> dict[str, Any]:
    import yaml

    path = files("perolas.matter").joinpath("parameters", "structures", "compounds.yaml")
    text = path.read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@cache
def ion_names() -> dict[str, str]:
    """Return the ions that are known: formula -> name in words."""
    return dict(_table()["ions"])


@cache
def listed() -> dict[str, Compound]:
    """Return the listed compounds and the phases with a known structure, by formula."""
    from perolas.matter import crystal

    found: dict[str, Compound] = {}
    for name, entry in _table()["compounds"].items():
        numbers = {
            key: Given(f"{key} of {name}", entry[key]["value"], entry[key]["std"], unit, _origin(entry[key]))
            for key, unit in (("density", "g/mL"), ("solubility", "mol/kg"))
            if key in entry
        }
        found[entry["formula"]] = make(entry["formula"], name, entry.get("ions", {}), **numbers)
    for phase in map(crystal.phase, crystal.phases()):
        if phase.name == phase.formula:
            std = phase.density_g_cm3 * phase.molar_volume_std_cm3 / phase.molar_volume_cm3
            origin = f"cell: {phase.source}, {phase.status}"
            density = Given(f"density of {phase.name}", phase.density_g_cm3, std, "g/mL", origin)
            known = found.get(phase.formula) or make(phase.formula, phase.formula)
            found[phase.formula] = known.with_density(density)
    return found


def _origin(entry: Mapping[str, Any]) -> str:
    return ", ".join(dict.fromkeys([entry["source"], entry["status"]]))


@cache
def _names() -> dict[str, str]:
    """Return every name in lower case -> formula."""
    found = {}
    for name, entry in _table()["compounds"].items():
        for word in (name, *entry["aliases"]):
            found[word.lower()] = entry["formula"]
    return found


def make(
    formula: str,
    name: str = "",
    ions: Mapping[str, float] = _NONE,
    density: Given | None = None,
    solubility: Given | None = None,
) -> Compound:
    """Make a compound from its formula.

    Args:
        formula: see `perolas.matter.formula.parse`.
        name: in words; by default the formula.
        ions: what it falls into; by default what the known ions of single elements allow, if charges balance.
        density: g/mL.
        solubility: mol per kg of water.

    Returns:
        The compound.

    Raises:
        InputError: the formula cannot be read, or the ions are not what the formula holds.
    """
    read = formulas.parse(formula)
    if ions:
        _check_ions(formula, read, ions)
    else:
        ions = _ions_of(read)
    return Compound(
        formula, name or formula, read.atoms, read.charge, read.molar_mass_g_mol, dict(ions), density, solubility
    )


def find(text: str, own: Mapping[str, Compound] | None = None) -> Compound:
    """Return a compound by name, alias or formula.

    Args:
        text: such as ``"PbBr2"``, ``"oleic acid"`` or ``"Cs3Bi2Br9"``.
        own: further compounds by lower-case name, which come first.

    Returns:
        The compound; for a formula that is not listed, one without density and solubility.

    Raises:
        InputError: neither a known name nor a formula.
    """
    own = own or {}
    words = " ".join(text.split())
    if words.lower() in own:
        return own[words.lower()]
    for compound in own.values():
        if compound.formula == words:
            return compound
    if words.lower() in _names():
        return listed()[_names()[words.lower()]]
    if words in listed():
        return listed()[words]
    try:
        return make(words)
    except InputError as error:
        near = get_close_matches(words.lower(), [*own, *_names()], n=1, cutoff=0.75)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        raise InputError(
            f'The compound "{one_line(text, 60)}" is not known{hint}; give a formula, or its formula in '
            f"[compound]. {error}"
        ) from None


def ion(text: str) -> Compound:
    """Return an ion by its formula, with its name in words where it is known."""
    return make(text, ion_names().get(text, text))


def _check_ions(formula: str, read: Formula, ions: Mapping[str, float]) -> None:
    total: dict[str, float] = {}
    charge = 0.0
    for text, n in ions.items():
        part = formulas.parse(text)
        charge += n * part.charge
        for element, count in part.counts:
            total[element] = total.get(element, 0.0) + n * count
    atoms = read.atoms
    if any(abs(total.get(e, 0.0) - atoms.get(e, 0.0)) > 1e-9 for e in {*total, *atoms}) or charge != read.charge:
        raise InputError(f'The ions of "{one_line(formula, 60)}" do not add up to it.')


def _ions_of(read: Formula) -> dict[str, float]:
    """Return the ions of a salt of single-element ions, or nothing."""
    single = {}
    for text in ion_names():
        part = formulas.parse(text)
        if len(part.counts) == 1 and part.counts[0][1] == 1:
            single[part.counts[0][0]] = (text, part.charge)
    if read.charge or len(read.counts) < 2 or any(e not in single for e, _ in read.counts):
        return {}
    if abs(sum(n * single[e][1] for e, n in read.counts)) > 1e-9:
        return {}
    return {single[e][0]: n for e, n in read.counts}
