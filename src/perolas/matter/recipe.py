"""Recipes: what goes into the pot, what can come out of it, what is limiting, and what stays behind.

Every atom that goes in is accounted for: in the pot, washed away, or left aside. A recipe is plain bookkeeping in
moles; the standard uncertainty of a quantity follows from running it again with each uncertain number one standard
uncertainty up and down, sigma^2 = sum of ((f+ - f-) / 2)^2, which a limiting reagent (a kink) does not upset.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from perolas.core.errors import InputError
from perolas.core.tables import with_error
from perolas.matter import recipe_file
from perolas.matter.recipe_pot import Place, Pot, identifier, mol_text
from perolas.matter.recipe_steps import Step
from perolas.matter.written import Given


@dataclass(frozen=True)
class RecipeQuantity:
    """One number of a balance: value, standard uncertainty, unit of both, and what it is."""

    value: float
    std: float
    unit: str
    definition: str


@dataclass(frozen=True)
class Recipe:
    """A recipe: steps in order.

    Attributes:
        title: what is made.
        steps: see `perolas.matter.recipe_steps`.
        source: where it is from.
        note: anything else.
        name: what messages call it.
        lines: of its file, one for each step.
    """

    title: str
    steps: tuple[Step, ...]
    source: str = ""
    note: str = ""
    name: str = "recipe"
    lines: tuple[int, ...] = ()

    def balance(self) -> Balance:
        """Carry the recipe out.

        Returns:
            The balance of it.

        Raises:
            InputError: a step asks for what is not there; the sentence names the line.
        """
        pot, used = self.run({})
        return Balance(self, pot, used)

    def run(self, shift: Mapping[str, float]) -> tuple[Pot, dict[str, Given]]:
        """Carry the recipe out with some numbers shifted.

        Args:
            shift: name of a given number -> what to add to it, in its own unit.

        Returns:
            The pot at the end, and the given numbers that were read.

        Raises:
            InputError: see `balance`.
        """
        pot = Pot()
        used: dict[str, Given] = {}
        for number, step in enumerate(self.steps):

            def read(given: Given, number: int = number) -> float:
                # An amount belongs to its step; the density or cell of a substance is the same number everywhere.
                shared = bool(given.source) or given.name.startswith(("density of", "solubility of"))
                name = given.name if shared else f"{given.name} (step {number + 1})"
                used[name] = given
                return max(given.value + shift.get(name, 0.0), 0.0)

            try:
                step.run(pot, read)
            except InputError as error:
                line = f", line {self.lines[number]}" if number < len(self.lines) else f", step {number + 1}"
                raise InputError(f"{self.name}{line}: {error}") from None
            except (OverflowError, ZeroDivisionError):
                raise InputError(f"{self.name}, step {number + 1}: its numbers are out of any range.") from None
        return pot, used


class Balance:
    """What a recipe comes to.

    Attributes:
        recipe: the recipe.
        contents: what is in the pot at the end, (formula, where) -> mol.
        removed: what was washed away.
        aside: what was left behind when a part was taken.
        sentences: what each step did; they name what is limiting, and why.
        limiting: those of them that do.
    """

    def __init__(self, recipe: Recipe, pot: Pot, used: Mapping[str, Given]) -> None:
        self.recipe = recipe
        self.contents: dict[Place, float] = dict(pot.contents)
        self.removed: dict[Place, float] = dict(pot.removed)
        self.aside: dict[Place, float] = dict(pot.aside)
        self.sentences = tuple(pot.sentences)
        self.limiting = tuple(s for s in pot.sentences if " is limiting" in s)
        self._pot = pot
        self._used = dict(used)

    def elements(self) -> dict[str, tuple[float, float]]:
        """Return the atoms: element -> (mol that went in, mol accounted for)."""
        added = self._pot.elements([{(f, ""): n for f, n in self._pot.added.items()}])
        there = self._pot.elements([self.contents, self.removed, self.aside])
        return {e: (n, there.get(e, 0.0)) for e, n in added.items()}

    @property
    def conservation(self) -> float:
        """The largest relative difference between atoms that went in and atoms accounted for."""
        found = self.elements()
        there = self._pot.elements([self.contents, self.removed, self.aside])
        if set(there) - set(found):
            return math.inf
        return max((abs(b - a) / a for a, b in found.values() if a > 0), default=0.0)

    def quantities(self) -> dict[str, RecipeQuantity]:
        """Return every number of the balance.

        Returns:
            name -> quantity. Steps give theirs (docs/recipe.md lists them); `added_X` and `final_X` hold for every
            compound that went in and that is in the pot at the end, in mmol, and `added_element_X` for every element.
        """
        return dict(self._quantities)

    @cached_property
    def _quantities(self) -> dict[str, RecipeQuantity]:
        base = _numbers(self._pot)
        variance = dict.fromkeys(base, 0.0)
        for name, given in self._used.items():
            if given.std <= 0:
                continue
            ends = []
            for sign in (1, -1):
                try:
                    ends.append(_numbers(self.recipe.run({name: sign * given.std})[0]))
                except InputError:  # one side is impossible, as when all of a liquid is taken: the other must do
                    ends.append(base)
            sides = sum(end is not base for end in ends)
            for key in base if sides else ():
                up, down = (end[key][0] if key in end else 0.0 for end in ends)
                variance[key] += ((up - down) / sides) ** 2
        return {k: RecipeQuantity(v, math.sqrt(variance[k]), unit, text) for k, (v, unit, text) in base.items()}

    def rests_on(self) -> list[Given]:
        """Return the numbers of substances that were used: densities, solubilities and cells, with their sources."""
        return [g for g in self._used.values() if g.source]

    def to_json(self) -> dict[str, Any]:
        """Return the balance as JSON: quantities, species, atoms, sentences."""

        def species(ledger: Mapping[Place, float]) -> list[dict[str, Any]]:
            compounds = self._pot.compounds
            return [
                {"formula": f, "name": compounds[f].name, "where": where, "mol": mol}
                for (f, where), mol in ledger.items()
            ]

        return {
            "recipe": {"title": self.recipe.title, "source": self.recipe.source, "note": self.recipe.note},
            "quantities": {
                k: {"value": q.value, "std": q.std, "unit": q.unit, "definition": q.definition}
                for k, q in self._quantities.items()
            },
            "sentences": list(self.sentences),
            "limiting": list(self.limiting),
            "contents": species(self.contents),
            "removed": species(self.removed),
            "aside": species(self.aside),
            "elements": {e: {"added_mol": a, "accounted_mol": b} for e, (a, b) in self.elements().items()},
            "rests_on": [asdict(g) for g in self.rests_on()],
            "conservation": self.conservation,
        }

    def __str__(self) -> str:
        """Return the balance as text: the steps, the numbers, what is where."""
        lines = [self.recipe.title, ""]
        lines += [f"- {sentence}" for sentence in self.sentences]
        shown = {k: q for k, q in self._quantities.items() if not k.startswith(("added_", "final_"))}
        width = max((len(k) for k in shown), default=0)
        lines += ["", "Quantities"] if shown else []
        for name, q in shown.items():
            unit = "" if q.unit == "1" else f" {q.unit}"
            lines.append(f"  {name:<{width}}  {with_error(q.value, q.std)}{unit}")
        for title, ledger in (("In the pot", self.contents), ("Washed away", self.removed), ("Left aside", self.aside)):
            if ledger:
                lines += ["", title]
                for (f, where), mol in ledger.items():
                    compound = self._pot.compounds[f]
                    mass = 1e3 * mol * compound.molar_mass_g_mol
                    called = "" if compound.name == f else f" ({compound.name})"
                    lines.append(f"  {mol_text(mol):>10}  {mass:9.4g} mg  {f}{called} {where}".rstrip())
        if self.rests_on():
            lines += ["", "Numbers of substances that this rests on"]
            lines += [f"  {g.name}: {with_error(g.value, g.std)} {g.unit} ({g.source})" for g in self.rests_on()]
        lines += ["", f"Every atom is accounted for, to {max(self.conservation, 1e-16):.0e} of its amount."]
        return "\n".join(lines)


def _numbers(pot: Pot) -> dict[str, tuple[float, str, str]]:
    """Return every number of a finished run: name -> value, unit, definition."""
    found = {name: (n.value, n.unit, n.definition) for name, n in pot.found.items()}
    for formula, mol in pot.added.items():
        found[f"added_{identifier(formula)}"] = (1e3 * mol, "mmol", f"{formula} that went in")
    for element, mol in pot.elements([{(f, ""): n for f, n in pot.added.items()}]).items():
        found[f"added_element_{element}"] = (1e3 * mol, "mmol", f"atoms of {element} that went in")
    for (formula, where), mol in pot.contents.items():
        text = f"{formula} in the pot at the end{f', {where}' if where else ''}"
        found[identifier(f"final_{formula} {where}")] = (1e3 * mol, "mmol", text)
    return found


def load(path_or_text: str | os.PathLike[str]) -> Recipe:
    """Load a recipe.

    Args:
        path_or_text: a TOML file, or its text.

    Returns:
        The recipe, checked but not yet carried out.

    Raises:
        InputError: it cannot be read or breaks a rule; the sentence names the line.
    """
    name, text = recipe_file.read(path_or_text)
    head, steps = recipe_file.parse(name, text)
    return Recipe(
        title=head.title,
        steps=tuple(step for step, _ in steps),
        source=head.source,
        note=head.note,
        name=name,
        lines=tuple(line for _, line in steps),
    )
