"""The tables of a recipe file, as pydantic models: which keys each step may have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=300)]
Value = Annotated[str, Field(max_length=100)] | int | float
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]


class Table(BaseModel):
    """A table of a recipe file: closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Head(Table):
    """The table [recipe].

    Attributes:
        title: what is made.
        source: where the recipe is from.
        note: anything else.
    """

    title: Text
    source: Annotated[str, Field(max_length=300)] = ""
    note: Annotated[str, Field(max_length=2000)] = ""


class Own(Table):
    """A table [compound.NAME]: a compound that the package does not list, or lists otherwise.

    Attributes:
        formula: of one formula unit.
        ions: formula of an ion -> number.
        density: with a unit, e.g. "0.9(0.01) g/mL".
        solubility: in water, e.g. "5.8 mol/kg".
    """

    formula: Text
    ions: dict[str, float | int] = {}
    density: Value | None = None
    solubility: Value | None = None


class AddTable(Table):
    """`add`: a compound, its amount (mmol, mg, g or mL), and `of`: the stock solution whose volume the amount is."""

    add: Text
    amount: Value
    of: Text | None = None
    purity: Value = 1.0
    std: Value | None = None
    name: Name | None = None


class ReactTable(Table):
    """`react`: an equation, or several that compete in `shares`; `conversion`: of the limiting reagent."""

    react: Text | Annotated[list[Text], Field(min_length=1, max_length=20)]
    shares: Annotated[list[float | int], Field(max_length=20)] = []
    conversion: Value = 1.0
    name: Name | None = None


class MakeTable(Table):
    """`make`: a target phase from the ions in the pot; `conversion`: share of the limiting ion that goes into it."""

    make: Text
    conversion: Value = 1.0
    name: Name | None = None


class WashTable(Table):
    """`wash`: what is kept; `recovery`: which share of it."""

    wash: Text | Annotated[list[Text], Field(min_length=1, max_length=50)]
    recovery: Value = 1.0
    name: Name | None = None


class DisperseTable(Table):
    """`disperse`: a liquid, and its volume."""

    disperse: Text
    volume: Value
    std: Value | None = None
    name: Name | None = None


class TakeTable(Table):
    """`take`: the volume to go on with."""

    take: Value
    std: Value | None = None
    name: Name | None = None


class DissolveTable(Table):
    """`dissolve`: a compound of the pot; `in`: a liquid of the pot."""

    dissolve: Text
    into: Annotated[Text, Field(alias="in")] = "water"
    name: Name | None = None


class SizeTable(Table):
    """`size`: edge of the parent; `from`, `to`: phases; `keeps`: element that stays; `product`: edge wanted."""

    size: Value
    parent: Annotated[Text, Field(alias="from")]
    to: Text
    keeps: Text | None = None
    product: Value | None = None
    name: Name | None = None
