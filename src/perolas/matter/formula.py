"""Chemical formulas: ``Cs4PbBr6``, ``Pb(CH3COO)2*3H2O``, ``CO3^2-``, to numbers of atoms and a charge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import gemmi

from perolas.core.errors import InputError, one_line

MAX_LENGTH = 200
MAX_DEPTH = 10
MAX_COUNT = 1e6

_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉·•⁺⁻−", "0123456789**+--")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[])|([)\]])|(\d+(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True)
class Formula:
    """What a formula means.

    Attributes:
        counts: element -> number of atoms, in the order of the formula.
        charge: in elementary charges.
    """

    counts: tuple[tuple[str, float], ...]
    charge: int = 0

    @property
    def atoms(self) -> dict[str, float]:
        """The counts as a dictionary."""
        return dict(self.counts)

    @property
    def molar_mass_g_mol(self) -> float:
        """The molar mass with gemmi's atomic weights, g/mol; electrons are not weighed."""
        return sum(n * atomic_weight_g_mol(e) for e, n in self.counts)


def atomic_weight_g_mol(element: str) -> float:
    """Return the standard atomic weight of an element, g/mol (gemmi's table); raises InputError for an unknown one."""
    found = gemmi.Element(element)
    if found.name != element or found.name == "X":
        raise InputError(f'"{one_line(element, 20)}" is not a chemical element.')
    return float(found.weight)


def parse(text: str) -> Formula:
    """Read a formula.

    Args:
        text: with brackets, hydrates after ``*`` or ``·``, and a charge as ``^2-``, ``+`` or ``²⁻``; after a single
            element (``Pb2+``) the number before the sign is the charge, after a group (``NH4+``) it is a count.

    Returns:
        Atoms and charge.

    Raises:
        InputError: an unknown element, an open bracket, or anything that can be read in two ways.
    """
    shown = one_line(text, 60)
    written = text.strip()
    if not written or len(written) > MAX_LENGTH:
        raise InputError(f'"{shown}" is not a chemical formula.')
    body, charge = _charge(written, shown)
    total: dict[str, float] = {}
    parts = body.split("*")
    for i, part in enumerate(parts):
        factor = re.match(r"\d+(?:\.\d+)?(?=[A-Z(\[])", part) if i else None
        if re.search(r"\d\.\d+H2O$", part):
            raise InputError(f'"{shown}" can be read in two ways; write a hydrate with "*", as in CuSO4*5H2O.')
        for element, n in _group(part[factor.end() :] if factor else part, shown).items():
            total[element] = total.get(element, 0.0) + n * (float(factor.group()) if factor else 1.0)
    return Formula(tuple(total.items()), charge)


def _charge(written: str, shown: str) -> tuple[str, int]:
    """Take the charge off the end."""
    raised = re.search(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]*)([⁺⁻])$", written)
    if raised:
        size, sign = raised.group(1).translate(_RAISED), raised.group(2).translate(_PLAIN)
        return written[: raised.start()].translate(_PLAIN), int(size or 1) * (1 if sign == "+" else -1)
    written = written.translate(_PLAIN)
    match = re.search(r"\^(\d*)([+-])$|\^([+-])(\d+)$", written)
    if match:
        size = int(match.group(1) or match.group(4) or 1)
        return written[: match.start()], size if (match.group(2) or match.group(3)) == "+" else -size
    if written[-1] not in "+-":
        return written, 0
    sign, body = (1 if written[-1] == "+" else -1), written[:-1]
    digits = re.search(r"\d+$", body)
    if digits is None:
        return body, sign
    if re.fullmatch(r"[A-Z][a-z]?\d", body):
        return body[:-1], sign * int(body[-1])
    if len(digits.group()) > 1:
        raise InputError(f'"{shown}" can be read in two ways; write its charge after "^", as in CO3^2-.')
    return body, sign


def _group(text: str, shown: str) -> dict[str, float]:
    """Return the atoms of a formula without charge and hydrates."""
    stack: list[dict[str, float]] = [{}]
    last: dict[str, float] | None = None  # what a number would multiply
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise InputError(f'"{shown}" is not a chemical formula: "{one_line(text[place], 5)}" has no place in it.')
        element, opens, closes, number = match.groups()
        if element:
            atomic_weight_in(element, shown)
            last = {element: 1.0}
            stack[-1][element] = stack[-1].get(element, 0.0) + 1.0
        elif opens:
            stack.append({})
            last = None
            if len(stack) > MAX_DEPTH:
                raise InputError(f'"{shown}" has too many brackets.')
        elif closes:
            if len(stack) == 1 or not stack[-1]:
                raise InputError(f'"{shown}" has a bracket that does not belong.')
            last = stack.pop()
            _add(stack[-1], last, 1.0)
        else:
            count = float(number)
            if last is None or not 0 < count <= MAX_COUNT:
                raise InputError(f'"{shown}" is not a chemical formula: the number {number} has no place in it.')
            _add(stack[-1], last, count - 1.0)
            last = None
        place = match.end()
    if len(stack) > 1 or not stack[0]:
        raise InputError(f'"{shown}" is not a chemical formula: {"a bracket is open" if len(stack) > 1 else "empty"}.')
    return {e: n for e, n in stack[0].items() if n > 0}


def atomic_weight_in(element: str, shown: str) -> float:
    """Return the weight of an element; the message names the formula that it stands in."""
    try:
        return atomic_weight_g_mol(element)
    except InputError:
        raise InputError(f'"{element}" in "{shown}" is not a chemical element.') from None


def _add(total: dict[str, float], more: Mapping[str, float], factor: float) -> None:
    for element, n in more.items():
        total[element] = total.get(element, 0.0) + n * factor
