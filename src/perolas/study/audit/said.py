"""Statements as numbers: value, explicit error, and how far the printed digits leave it open.

Rounding is a bound, not a standard deviation: "0.3 nm" may be anything from 0.25 to 0.35 nm. A relation is therefore
held against ranges, and explicit errors ("+- 0.1") come on top as standard deviations.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from perolas.core import units
from perolas.core.errors import InputError, one_line
from perolas.study import expression
from perolas.study.audit.kinds import KINDS, Kind
from perolas.study.expression import Number
from perolas.study.tables import Statement

Look = Callable[[str], Number]

ZEROS = 0.05  # "20 nm" may be 19 to 21: zeros at the end may be digits or not, so half a unit, but not more than this
NOMINAL = 0.02  # of a setting: "1 kHz"
OPEN = 1e12  # "more than 24 h" reaches so many times as far: a number, for infinity times zero is none

_TIMES_TEN = re.compile(r"\s*[×x·]\s*10\s*\^?\s*([-+]?\d+)")  # as papers print powers
_PRINTED = re.compile(r"^\s*[-+]?(\d*)(\.?)(\d*)(?:[eE]([-+]?\d+))?")


@dataclass(frozen=True)
class Said:
    """One number of a statement.

    Attributes:
        statement: it stands there.
        number: in base units, with explicit errors.
        half: how far rounding leaves it open to both sides, in base units.
        shown: as printed, for sentences.
        place: which of the values of the statement it is.
    """

    statement: Statement
    number: Number
    half: float
    shown: str
    place: int = 0

    @property
    def low(self) -> float:
        """The least that it may be, in base units."""
        if self.statement.relation[0] == "<":
            return -OPEN * self._size if KINDS[self.statement.kind].low < 0 else self._size / OPEN
        return self.number.value - self.half

    @property
    def high(self) -> float:
        """The most that it may be, in base units."""
        if self.statement.relation[0] == ">":
            return OPEN * self._size
        return self.number.value + self.half

    @property
    def _size(self) -> float:
        return abs(self.number.value) or 1.0


def subjects(statement: Statement) -> dict[str, str]:
    """Return what a statement is about: spelt so that two can be compared -> as written."""
    given = [statement.of] if isinstance(statement.of, str) else statement.of
    return {" ".join(s.casefold().split()): one_line(s, 80) for s in given}


def references(statement: Statement) -> list[str]:
    """Return the ``"item.quantity"`` that a statement's value is taken from: one, or none."""
    return [statement.value["from"]] if isinstance(statement.value, dict) and "from" in statement.value else []


def words(statement: Statement) -> str:
    """Return the value of a statement in words, spelt so that two can be compared."""
    return " ".join(str(statement.value).casefold().split())


def kind_of(statement: Statement) -> Kind:
    """Return the kind of a statement.

    Args:
        statement: any.

    Returns:
        Its entry in the vocabulary.

    Raises:
        InputError: there is no such kind, or a key that it needs is missing.
    """
    if statement.kind not in KINDS:
        near = get_close_matches(statement.kind, KINDS, n=1)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        raise InputError(
            f'The kind "{one_line(statement.kind, 60)}" is not known{hint}; "perolas audit --kinds" lists them.'
        )
    kind = KINDS[statement.kind]
    for key in kind.needs:
        if not getattr(statement, key):
            raise InputError(f'A statement of kind "{kind.name}" needs the key "{key}".')
    return kind


def read(statement: Statement, look: Look | None = None) -> list[Said]:
    """Return the numbers of a statement.

    Args:
        statement: of a kind that has numbers.
        look: gives the number of an ``"item.quantity"``; without it such a value cannot be read.

    Returns:
        One number, or as many as its list has.

    Raises:
        InputError: a value that is not a number, has no finite value or the wrong unit, or a list where none belongs.
    """
    kind = kind_of(statement)
    value = statement.value
    if isinstance(value, dict):
        if set(value) != {"from"}:
            raise InputError(f'The value of "{statement.name}" may be text, or {{ from = "item.quantity" }}.')
        if look is None:
            raise InputError(f'"{statement.name}" waits for "{value["from"]}" of the run.')
        number = look(value["from"])
        if not (math.isfinite(number.value) and math.isfinite(number.std)):
            raise InputError(f'The run leaves "{value["from"]}" open.')
        return [Said(statement, _fits(number, kind), 0.0, _show(number, kind))]
    if isinstance(value, list) != kind.several:
        raise InputError(f'A "{kind.name}" is {"a list of values" if kind.several else "one value"}.')
    values = value if isinstance(value, list) else [value]
    if not values:
        raise InputError(f'"{statement.name}" has an empty list.')
    return [_one(statement, kind, v, i) for i, v in enumerate(values)]


def _one(statement: Statement, kind: Kind, value: str | float, place: int) -> Said:
    if isinstance(value, int) and abs(value) > 1e300:
        raise InputError(f'"{statement.name}" is too large a number.')
    text = _TIMES_TEN.sub(r"e\1", value) if isinstance(value, str) else repr(value)
    source = statement.name if place == 0 else f"{statement.name}[{place}]"
    number = _fits(expression.read_number(text if isinstance(value, str) else value, source), kind)
    if not text.strip() or number.parts:
        return Said(statement, number, 0.0, text, place)
    unit = re.sub(_PRINTED, "", text, count=1).strip() or "1"
    half = half_width(text, nominal=kind.nominal, about=statement.relation == "~")
    scaled = expression.number(0.0, {"": half}, unit).parts[""]
    return Said(statement, number, abs(scaled), text, place)


def _fits(number: Number, kind: Kind) -> Number:
    """Return the number if its unit belongs to the kind; it is tried by converting."""
    if kind.unit is not None and units.pint_unit(kind.unit).dimensionality != number.unit.dimensionality:
        has = f'"{number.unit:~}"' if number.unit.dimensionality else "no unit"
        raise InputError(f'A "{kind.name}" is in "{kind.unit}", but this has {has}.')
    return number


def _show(number: Number, kind: Kind) -> str:
    written = number.to(kind.unit or f"{number.unit:~}")
    error = f" ± {written.std:.2g}" if written.std else ""
    return f"{written.value:.4g}{error}{'' if written.unit in ('1', '') else f' {written.unit}'}"


def half_width(text: str, *, nominal: bool = False, about: bool = False) -> float:
    """Return how far the printed digits of a number leave it open to both sides.

    Half a unit of the last digit. Zeros at the end of a whole number may be digits or not: half a unit of the last
    digit that is none, but at most 5 % of the value.

    Args:
        text: begins with the number as printed: ``"0.3 nm"``, ``"8.6e7"``.
        nominal: a setting, which is open by 2 % at most.
        about: stated as "about": twice as open.

    Returns:
        The half-width, in the unit of the text.
    """
    match = _PRINTED.match(text)
    whole, point, fraction, power = match.groups() if match else ("", "", "", None)
    scale = 10.0 ** int(power or 0)
    value = float(f"{whole or 0}.{fraction or 0}") * scale
    half = 0.5 * scale * 10.0 ** -len(fraction)
    if not point and whole.strip("0"):
        zeros = len(whole) - len(whole.rstrip("0"))
        half = max(half, min(half * 10.0**zeros, ZEROS * value))
    if nominal and value:
        half = min(half, NOMINAL * value)
    return 2.0 * half if about else half


@dataclass(frozen=True)
class Range:
    """What an expression of statements may be.

    Attributes:
        value: from the values as printed, in base units.
        low, high: from what the printed digits leave open.
        std: from explicit errors.
        unit: the pint unit.
    """

    value: float
    low: float
    high: float
    std: float
    unit: Any


def extent(text: str, given: dict[str, Said], constants: dict[str, Number]) -> Range:
    """Return the range of an expression over all that the printed digits leave open.

    Args:
        text: the expression; rises or falls with each of its names, so that its extremes lie at corners.
        given: name -> number.
        constants: further names.

    Returns:
        The range.

    Raises:
        InputError: it has no finite value.
    """
    used = [n for n in expression.names(text) if n in given]

    def at(numbers: dict[str, Number]) -> Number:
        return expression.evaluate(text, lambda name: numbers.get(name) or constants[name])

    centre = at({n: given[n].number for n in used})
    ends: list[float] = [centre.value]
    corners: list[dict[str, Number]] = [{}]
    for name in used:
        said = given[name]
        sides = {said.low, said.high}
        corners = [{**c, name: replace(said.number, value=v, parts={})} for c in corners for v in sides]
    for corner in corners:
        try:
            ends.append(at(corner).value)
        except InputError:  # at this corner it is infinite
            ends += [-math.inf, math.inf]
    return Range(centre.value, min(ends), max(ends), centre.std, centre.unit)


def place_of(statement: Statement) -> str:
    """Return a statement with its place, for a sentence."""
    shown = statement.value
    if isinstance(shown, dict):
        shown = shown.get("from", "")
    if isinstance(shown, list):
        shown = ", ".join(map(str, shown))
    sign = "" if statement.relation == "=" else {"~": "about "}.get(statement.relation, f"{statement.relation} ")
    where = f" ({one_line(statement.where, 80)})" if statement.where else ""
    return f"{sign}{one_line(shown, 80)}{where}"


def told(said: Said) -> str:
    """Return a number with its place, for a sentence; one of the run as its value."""
    used = references(said.statement)
    return f"{said.shown} (the run's {one_line(used[0], 80)})" if used else place_of(said.statement)
