"""The steps of a recipe that put something in or let it react: add, react, make.

Each acts on the pot, notes its numbers, and says in a sentence what it did.
"""

from __future__ import annotations

from dataclasses import dataclass

from perolas.core.errors import InputError
from perolas.matter import compounds
from perolas.matter.compounds import Compound
from perolas.matter.recipe_pot import Pot, Read, identifier, joined, mol_text
from perolas.matter.recipe_treatments import Disperse, Dissolve, Size, Take, Wash, moles
from perolas.matter.written import Given


@dataclass(frozen=True)
class Stock:
    """A solution that is added by volume: an amount in a volume (which the solvent alone makes up), or mol/L."""

    amount: Given
    volume: Given | None
    solvent: Compound | None

    def mol_per_ml(self, solute: Compound, read: Read) -> float:
        """Return its concentration in mol/mL."""
        if self.volume is None:
            return read(self.amount) / 1000.0
        return moles(read(self.amount), self.amount.unit, solute, read) / read(self.volume)


@dataclass(frozen=True)
class Add:
    """Add a compound by amount, mass or volume, or by the volume of a stock solution."""

    compound: Compound
    amount: Given
    purity: Given
    stock: Stock | None = None
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Add it."""
        amount, purity = read(self.amount), min(read(self.purity), 1.0)
        what = self.compound.name
        if self.stock is None:
            mol = moles(amount, self.amount.unit, self.compound, read) * purity
            pot.pour(self.compound, mol, amount if self.amount.unit == "mL" else 0.0)
            pot.sentences.append(f"Add {mol_text(mol)} {what}.")
            return
        mol = self.stock.mol_per_ml(self.compound, read) * amount * purity
        pot.pour(self.compound, mol)
        text = f"Add {mol_text(mol)} {what} in {amount:.4g} mL of its solution"
        if self.stock.solvent is not None:
            solvent = self.stock.solvent
            pot.pour(solvent, moles(amount, "mL", solvent, read), amount)
            text += f" in {solvent.name}"
        else:
            pot.volume_ml += amount
        pot.sentences.append(f"{text}.")


@dataclass(frozen=True)
class React:
    """A reaction with a written equation; its limiting reagent reacts to the share `conversion`."""

    reagents: tuple[tuple[float, Compound], ...]
    products: tuple[tuple[float, Compound], ...]
    conversion: Given
    text: str
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Let it go on until the limiting reagent is used up to the conversion."""
        for _, compound in self.reagents:
            if pot.amount(compound) <= 0:
                raise InputError(f"There is no {compound.name} in the pot for {self.text}.")
        reach = [pot.amount(c) / n for n, c in self.reagents]
        least = min(range(len(reach)), key=reach.__getitem__)
        share = min(max(read(self.conversion), 0.0), 1.0)
        extent = share * reach[least]
        for i, (n, compound) in enumerate(self.reagents):
            whole = i == least and share == 1.0
            pot.use(compound, pot.amount(compound) if whole else n * extent)
        prefix = f"{self.name}_" if self.name else ""
        for n, compound in self.products:
            if extent > 0:
                pot.put(compound, n * extent)
            pot.note(f"{prefix}made_{identifier(compound.formula)}", 1e3 * n * extent, "mmol", f"made in {self.text}")
        made = joined(f"{mol_text(n * extent)} {c.name}" for n, c in self.products)
        if len(self.reagents) == 1:
            pot.sentences.append(f"{self.text}: {100 * share:.3g} % of the {self.reagents[0][1].name} gives {made}.")
            return
        others = [f"{c.name} for {mol_text(reach[i])}" for i, (_, c) in enumerate(self.reagents) if i != least]
        limiting = self.reagents[least][1].name.capitalize()
        pot.sentences.append(
            f"{limiting} is limiting in {self.text}: it suffices for {mol_text(reach[least])}, {joined(others)}; "
            f"{100 * share:.3g} % of it gives {made}."
        )


@dataclass(frozen=True)
class Make:
    """A target phase, made from the ions of every salt in the pot that holds one of its ions."""

    target: Compound
    conversion: Given
    name: str = ""

    def run(self, pot: Pot, read: Read) -> None:
        """Dissolve the salts into ions, take the target out, and say which ion was limiting and what stays."""
        needed = dict(self.target.ions)
        sources = self._dissolve(pot, needed)
        have = {i: pot.amount(compounds.ion(i)) for i in needed}
        for i, amount in have.items():
            if amount <= 0:
                raise InputError(f"Nothing in the pot gives {_word(i)}, which {self.target.name} needs.")
        limiting = min(needed, key=lambda i: have[i] / needed[i])
        share = min(max(read(self.conversion), 0.0), 1.0)
        extent = share * have[limiting] / needed[limiting]
        for i, n in needed.items():
            pot.use(compounds.ion(i), have[i] if i == limiting and share == 1.0 else n * extent)
        if extent > 0:
            pot.put(self.target, extent)
        self._tell(pot, needed, have, limiting, extent, sources, share)

    def _dissolve(self, pot: Pot, needed: dict[str, float]) -> dict[str, list[str]]:
        """Replace salts by their ions; return for each needed ion the salts that it came from."""
        sources: dict[str, list[str]] = {i: [] for i in needed}
        for (formula, where), mol in list(pot.contents.items()):
            salt = pot.compounds[formula]
            if where or formula == self.target.formula or not set(salt.ions) & set(needed):
                continue
            del pot.contents[formula, where]
            for i, n in salt.ions.items():
                pot.put(compounds.ion(i), n * mol)
                if i in sources:
                    sources[i].append(salt.name)
        return sources

    def _tell(
        self,
        pot: Pot,
        needed: dict[str, float],
        have: dict[str, float],
        limiting: str,
        extent: float,
        sources: dict[str, list[str]],
        share: float,
    ) -> None:
        # The ratios are taken to what the target has least of; of several, to the highest charge (lead, not caesium).
        base = min(needed, key=lambda i: (needed[i], -compounds.ion(i).charge))
        prefix, t = (f"{self.name}_" if self.name else ""), identifier(self.target.formula)
        pot.note(f"{prefix}{t}_made", 1e3 * extent, "mmol", f"{self.target.formula} that is made")
        mass = 1e3 * extent * self.target.molar_mass_g_mol
        pot.note(f"{prefix}{t}_mass", mass, "mg", f"mass of the {self.target.formula} that is made")
        for i, n in needed.items():
            short = _short(i)
            text = f"share of the {_word(i)} in the pot that goes into {self.target.formula}"
            pot.note(f"{prefix}{t}_share_of_{short}", n * extent / have[i], "1", text)
            if i != base:
                ratio, text = (
                    have[i] / have[base],
                    f"{short} : {_short(base)} in the pot; the product has {n / needed[base]:g}",
                )
                pot.note(f"{prefix}{short}_per_{_short(base)}", ratio, "1", text)
            left = 1e3 * pot.amount(compounds.ion(i))
            pot.note(f"{prefix}{short}_left", left, "mmol", f"{_word(i)} that {self.target.formula} leaves over")
        order = ":".join(_short(i) for i in needed)
        takes = ":".join(f"{n / needed[base]:g}" for n in needed.values())
        holds = ":".join(f"{have[i] / have[base]:.3g}" for i in needed)
        from_ = joined(dict.fromkeys(sources[limiting]))
        why = (
            f", and {from_} is its only source"
            if len(set(sources[limiting])) == 1
            else (f", from {from_}" if from_ else "")
        )
        other = base if base != limiting else next((i for i in needed if i != limiting), base)
        most = "at most" if share == 1.0 else f"if {100 * share:.3g} % of it is used,"
        part = needed[other] * extent / have[other]
        pot.sentences.append(
            f"{_word(limiting).capitalize()} is limiting: {self.target.formula} takes {order} = {takes}, the pot holds "
            f"{holds}{why}; {most} {100 * part:.3g} % of the {_word(other)} ({mol_text(part * have[other])} of "
            f"{mol_text(have[other])}) goes into {mol_text(extent)} {self.target.formula} ({mass:.3g} mg)."
        )
        rest = leftovers(pot)
        if rest:
            pot.sentences.append(rest)


def _short(ion: str) -> str:
    """Return the element of an ion, or its formula as part of a name."""
    atoms = compounds.ion(ion).atoms
    return next(iter(atoms)) if len(atoms) == 1 else identifier(ion)


def _word(ion: str) -> str:
    return compounds.ion(ion).name


def leftovers(pot: Pot) -> str:
    """Return a sentence about the cations in the pot and the anions that they stay with, or nothing."""
    ions = {f: mol for (f, where), mol in pot.contents.items() if not where and pot.compounds[f].charge}
    positive = [f for f in ions if pot.compounds[f].charge > 0]
    negative = [_word(f) for f in ions if pot.compounds[f].charge < 0]
    if not positive or not negative:
        return ""
    words = joined(f"{mol_text(ions[f])} {_short(f)}" for f in sorted(positive, key=lambda f: ions[f]))
    return f"{words} stay as {joined(negative)}."


Step = Add | React | Make | Wash | Disperse | Take | Dissolve | Size
