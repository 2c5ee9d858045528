"""What is done to a product: wash, disperse, take, dissolve; and what a change of phase does to its size."""

from __future__ import annotations

from dataclasses import dataclass

from perolas.core.errors import InputError
from perolas.matter import crystal
from perolas.matter.compounds import Compound
from perolas.matter.recipe_pot import Pot, Read, identifier, joined, mol_text
from perolas.matter.written import Given


def density_of(compound: Compound) -> Given:
    """Return the density of a compound; raises InputError where it is not known."""
    if compound.density is None:
        raise InputError(
            f"The density of {compound.name} is not known; give it as density in [compound], or write a mass or mmol."
        )
    return compound.density


def moles(amount: float, unit: str, compound: Compound, read: Read) -> float:
    """Return an amount in mol, g or mL as mol."""
    if unit == "mol":
        return amount
    grams = amount if unit == "g" else amount * read(density_of(compound))
    return grams / compound.molar_mass_g_mol


@dataclass(frozen=True)
class Wash:
    """Keep some compounds, to the share `recovery`; everything else goes with the liquid."""

    kept: tuple[Compound, ...]
    recovery: Given
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Wash."""
        for compound in self.kept:
            if pot.amount(compound) <= 0:
                raise InputError(f"There is no {compound.name} in the pot to keep.")
        share = min(max(read(self.recovery), 0.0), 1.0)
        formulas = {c.formula for c in self.kept}
        for place in list(pot.contents):
            lost = 1.0 - share if place[0] in formulas and not place[1] else 1.0
            if lost > 0:
                pot.move(pot.removed, place, lost)
        pot.volume_ml = pot.water_ml = 0.0
        names = joined(c.name for c in self.kept)
        pot.sentences.append(
            f"Washing keeps {'' if share == 1 else f'{100 * share:.3g} % of the '}{names} and nothing else."
        )


@dataclass(frozen=True)
class Disperse:
    """Disperse what is in the pot in a volume of a liquid."""

    solvent: Compound
    volume: Given
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Add the liquid and note the concentration of what is neither a liquid nor an ion."""
        volume = read(self.volume)
        pot.pour(self.solvent, moles(volume, "mL", self.solvent, read), volume)
        total = pot.water_ml if self.solvent.formula == "H2O" else pot.volume_ml
        prefix, told = (f"{self.name}_" if self.name else ""), []
        for (formula, where), mol in pot.contents.items():
            if where or formula in pot.liquids or pot.compounds[formula].charge:
                continue
            value = 1e6 * mol / total
            text = f"{formula} in {self.solvent.name}, formula units; 1 mmol/L is 1 umol/mL"
            pot.note(f"{prefix}{identifier(formula)}_concentration", value, "mmol/L", text)
            told.append(f"{value:.3g} umol/mL {pot.compounds[formula].name}")
        pot.sentences.append(f"{volume:.4g} mL {self.solvent.name}{f' hold {joined(told)}' if told else ''}.")


@dataclass(frozen=True)
class Take:
    """Go on with a part of the liquid and leave the rest."""

    volume: Given
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Take it."""
        if pot.water_ml and pot.volume_ml:
            raise InputError("The pot holds water and another liquid; take the part before the water is added.")
        total, volume = pot.water_ml + pot.volume_ml, read(self.volume)
        if volume > total * (1 + 1e-12):
            raise InputError(f"{volume:.4g} mL cannot be taken from {total:.4g} mL of liquid.")
        left = max(0.0, 1.0 - volume / total)
        for place in list(pot.contents):
            if left > 0:
                pot.move(pot.aside, place, left)
        pot.volume_ml *= 1.0 - left
        pot.water_ml *= 1.0 - left
        solids = [(f, n) for (f, w), n in pot.contents.items() if not w and f not in pot.liquids]
        held = joined(f"{mol_text(n)} {pot.compounds[f].name}" for f, n in solids)
        pot.sentences.append(f"Take {volume:.4g} mL{f' with {held}' if held else ''}.")


@dataclass(frozen=True)
class Dissolve:
    """Dissolve a compound in a liquid of the pot, up to saturation where that is known."""

    compound: Compound
    solvent: Compound
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Dissolve it."""
        salt, solvent = self.compound, self.solvent
        there, liquid = pot.amount(salt), pot.amount(solvent)
        if there <= 0:
            raise InputError(f"There is no {salt.name} in the pot to dissolve.")
        if liquid <= 0:
            raise InputError(f"There is no {solvent.name} in the pot to dissolve {salt.name} in.")
        grams = liquid * solvent.molar_mass_g_mol
        litres = grams / read(density_of(solvent)) / 1000.0
        limit = read(salt.solubility) * grams / 1000.0 if salt.solubility and solvent.formula == "H2O" else None
        goes = there if limit is None else min(there, limit)
        place, prefix = f"in {solvent.name}", (f"{self.name}_" if self.name else "")
        pot.use(salt, goes)
        pot.put(salt, goes, place)
        value, tag = pot.amount(salt, place) / litres, f"{prefix}{identifier(salt.formula)}"
        text = f"{salt.formula} per volume of the {solvent.name} that was added"
        pot.note(f"{tag}_in_{identifier(solvent.name)}", value, "mol/L", text)
        said = f"{mol_text(goes)} {salt.name} in {1e6 * litres:.4g} uL {solvent.name}: {value:.2g} M"
        if limit is not None:
            share = pot.amount(salt, place) / limit
            pot.note(f"{tag}_share_of_saturation", share, "1", f"dissolved {salt.formula} over what would saturate")
            said += f", {100 * share:.2g} % of saturation"
            if goes < there:
                said += f"; {mol_text(there - goes)} stay solid"
        pot.sentences.append(f"{said}.")


@dataclass(frozen=True)
class Size:
    """What a change of phase does to a particle's edge if the atoms of one element stay with it."""

    parent: crystal.Crystal
    product: crystal.Crystal
    element: str
    edge: Given
    wanted: Given
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Note volume ratio, edge of the one-to-one product, and parents for a product of the size wanted."""

        def each(found: crystal.Crystal) -> float:
            volume, std = found.molar_volume_cm3, found.molar_volume_std_cm3
            given = Given(f"cell of {found.name}", volume, std, "cm^3/mol", f"{found.source}, {found.status}")
            return read(given) / (found.contents[self.element] / found.formula_units)

        ratio = each(self.product) / each(self.parent)
        edge, wanted = read(self.edge), read(self.wanted)
        one, many = edge * ratio ** (1 / 3), (wanted / edge) ** 3 / ratio
        prefix, e = (f"{self.name}_" if self.name else ""), self.element
        names = f"{self.product.name} over {self.parent.name}"
        pot.note(f"{prefix}volume_ratio", ratio, "1", f"volume for each {e} of {names}")
        pot.note(f"{prefix}one_to_one_size", one, "nm", f"edge of the {self.product.name} from one {self.parent.name}")
        text = f"{self.parent.name} of {edge:.4g} nm whose {e} makes one {self.product.name} of {wanted:.4g} nm"
        pot.note(f"{prefix}parents_per_product", many, "1", text)
        pot.sentences.append(
            f"A {self.parent.name} of {edge:.4g} nm that keeps its {e} becomes a {self.product.name} of {one:.1f} nm "
            f"(volume ratio {ratio:.3f}); a {self.product.name} of {wanted:.4g} nm needs {many:.2f} of them."
        )
