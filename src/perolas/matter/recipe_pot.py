"""The pot of a recipe: how many moles of what it holds, what was taken from it, and what was found out on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from perolas.core.errors import InputError
from perolas.matter.compounds import Compound
from perolas.matter.written import Given

Place = tuple[str, str]  # formula, and where it is: "" or e.g. "in water"
Read = Callable[[Given], float]


@dataclass(frozen=True)
class Found:
    """A number that a step finds: value, unit, definition."""

    value: float
    unit: str
    definition: str


@dataclass
class Pot:
    """What one run through a recipe keeps account of; amounts in mol.

    Attributes:
        contents: what is in the pot.
        removed: what was washed away.
        aside: what was left behind when a part was taken.
        added: all that ever went in, formula -> mol.
        compounds: every compound met so far, by formula.
        volume_ml: of the liquids other than water, which are taken to mix without change of volume.
        water_ml: of water.
        liquids: formulas of what was poured in.
        found: numbers by name.
        sentences: for each step, what it did.
    """

    contents: dict[Place, float] = field(default_factory=dict)
    removed: dict[Place, float] = field(default_factory=dict)
    aside: dict[Place, float] = field(default_factory=dict)
    added: dict[str, float] = field(default_factory=dict)
    compounds: dict[str, Compound] = field(default_factory=dict)
    volume_ml: float = 0.0
    water_ml: float = 0.0
    liquids: set[str] = field(default_factory=set)
    found: dict[str, Found] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)

    def put(self, compound: Compound, mol: float, where: str = "") -> None:
        """Put more of a compound into the pot, as the product of a step."""
        self.compounds.setdefault(compound.formula, compound)
        place = (compound.formula, where)
        self.contents[place] = self.contents.get(place, 0.0) + mol

    def pour(self, compound: Compound, mol: float, volume_ml: float = 0.0) -> None:
        """Add a compound from outside; a volume makes it one of the liquids."""
        self.put(compound, mol)
        self.added[compound.formula] = self.added.get(compound.formula, 0.0) + mol
        if volume_ml:
            self.liquids.add(compound.formula)
            if compound.formula == "H2O":
                self.water_ml += volume_ml
            else:
                self.volume_ml += volume_ml

    def amount(self, compound: Compound, where: str = "") -> float:
        """Return how much of a compound is there, mol."""
        return self.contents.get((compound.formula, where), 0.0)

    def use(self, compound: Compound, mol: float, where: str = "") -> None:
        """Take a compound out for a reaction; what rounding leaves of nothing is nothing."""
        place = (compound.formula, where)
        before = self.contents.get(place, 0.0)
        left = before - mol
        if left <= 4e-16 * before:
            self.contents.pop(place, None)
        else:
            self.contents[place] = left

    def move(self, to: dict[Place, float], place: Place, share: float) -> None:
        """Move a share of what is at a place out of the pot."""
        mol = self.contents[place] * share
        to[place] = to.get(place, 0.0) + mol
        if share >= 1.0:
            del self.contents[place]
        else:
            self.contents[place] -= mol

    def note(self, name: str, value: float, unit: str, definition: str) -> None:
        """Keep a number; raises InputError where another step has taken its name."""
        if name in self.found:
            raise InputError(f'Two steps give "{name}"; write name = "..." in one of them.')
        self.found[name] = Found(value, unit, definition)

    def elements(self, ledgers: Iterable[Mapping[Place, float]]) -> dict[str, float]:
        """Return the atoms in some ledgers: element -> mol."""
        total: dict[str, float] = {}
        for ledger in ledgers:
            for (formula, _), mol in ledger.items():
                for element, n in self.compounds[formula].atoms.items():
                    total[element] = total.get(element, 0.0) + n * mol
        return total

    def charge(self) -> float:
        """Return the sum of the charges of everything, mol."""
        ledgers = (self.contents, self.removed, self.aside)
        return sum(self.compounds[f].charge * n for ledger in ledgers for (f, _), n in ledger.items())


def identifier(text: str) -> str:
    """Return a formula as part of a quantity's name: letters, digits and underscores."""
    return re.sub(r"\W+", "_", text.replace("^", "").replace("+", "_plus").replace("-", "_minus")).strip("_")


def mol_text(mol: float) -> str:
    """Return an amount as people say it, such as ``"66.7 umol"``."""
    for unit, size in (("mol", 1.0), ("mmol", 1e-3), ("umol", 1e-6), ("nmol", 1e-9), ("pmol", 1e-12)):
        if abs(mol) >= 0.9995 * size:  # so that rounding never writes "1e+03"
            return f"{mol / size:.3g} {unit}"
    return f"{mol:.3g} mol" if mol else "nothing"


def joined(words: Iterable[str]) -> str:
    """Return words as ``"a, b and c"``."""
    listed = list(words)
    return " and ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else "".join(listed)
