"""Quantities as people write them: ``"0.1 mmol"``, ``"0.6(0.02) mL"``, ``"0.60(2) mL"``, ``"0.6 ± 0.02 mL"``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from perolas.core import units
from perolas.core.errors import InputError, one_line

_FLOAT = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"^\s*({_FLOAT})\s*(?:\(\s*({_FLOAT})\s*\)|(?:±|\+-|\+/-)\s*({_FLOAT}))?\s*([^\d\s(±].*)?$")
MAX_LENGTH = 100

# What an amount can be, with the unit that it is kept in.
AMOUNT, MASS, VOLUME, CONCENTRATION = "mol", "g", "mL", "mol/L"


@dataclass(frozen=True)
class Given:
    """A number that somebody or something gives, with its standard uncertainty.

    Attributes:
        name: what it is; numbers with the same name are the same number.
        value, std: in `unit`.
        unit: of both.
        source: where a number of a substance is from, and whether it was checked; empty for what the recipe says.
    """

    name: str
    value: float
    std: float
    unit: str
    source: str = ""


def quantity(
    text: object, allowed: tuple[str, ...], name: str, *, std: float | str | None = None, zero: bool = False
) -> Given:
    """Read a quantity with a unit and, if it has one, its standard uncertainty.

    Args:
        text: such as ``"0.1 mmol"``, ``"0.6(0.02) mL"``, ``"0.60(2) mL"`` (last digits) or ``"0.6 ± 0.02 mL"``.
        allowed: units, of which the first that fits is taken, e.g. ``("mol", "g", "mL")``; "1" for a share.
        name: what it is, for messages and as the name of the number.
        std: the uncertainty, where it is written apart; in the unit of the text, or text with a unit.
        zero: whether zero is allowed.

    Returns:
        The number in the unit that fitted.

    Raises:
        InputError: no number, no unit or one that does not fit, not finite, negative, or as uncertain as it is large.
    """
    shown = one_line(text, 60)
    written = str(text).strip()
    match = _QUANTITY.match(written)
    if isinstance(text, bool) or not match or len(written) > MAX_LENGTH:
        raise InputError(f'{name} must be a number with a unit such as "1 {_example(allowed)}", but is "{shown}".')
    value, error, unit_text = float(match[1]), _error(match), (match[4] or "").strip()
    if "1" in allowed and not unit_text:
        unit, factor = "1", 1.0
    elif not unit_text:
        raise InputError(f'{name} needs a unit such as "{_example(allowed)}", but is "{shown}".')
    else:
        unit = _fitting(unit_text, allowed, name, shown)
        factor = units.convert(f"1 {unit_text}", unit, name)
    if std is not None:
        spread = units.convert(std, unit, f"std of {name}") if isinstance(std, str) else float(std) * factor
    else:
        spread = error * factor
    value *= factor
    if not (math.isfinite(value) and math.isfinite(spread)):
        raise InputError(f'{name} must be finite, but is "{shown}".')
    if value < 0 or (value == 0 and not zero):
        raise InputError(f'{name} must be {"zero or " if zero else ""}positive, but is "{shown}".')
    if value and not 1e-18 <= value <= 1e12:
        raise InputError(f'{name} is out of any range: "{shown}".')
    if spread < 0 or (spread >= value and spread > 0 and unit != "1"):
        raise InputError(f'The uncertainty of {name} ("{shown}") must be zero or more and below the value itself.')
    return Given(name, value, spread, unit)


def _example(allowed: tuple[str, ...]) -> str:
    return {"mol": "mmol", "1": ""}.get(allowed[0], allowed[0])


def _error(match: re.Match[str]) -> float:
    """Return the uncertainty in the unit of the text; without a point it counts last digits, as in 0.60(2)."""
    if match[3]:
        return float(match[3])
    if not match[2]:
        return 0.0
    if "." in match[2] or "e" in match[2].lower():
        return float(match[2])
    mantissa, _, power = match[1].lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    return float(match[2]) * 10.0 ** (int(power or 0) - digits)


def _fitting(unit_text: str, allowed: tuple[str, ...], name: str, shown: str) -> str:
    """Return the first allowed unit of the same dimension."""
    try:
        dimension = units.pint_unit(unit_text).dimensionality
    except InputError:
        raise InputError(f'{name}: the unit "{one_line(unit_text, 40)}" of "{shown}" is not known.') from None
    for unit in allowed:
        if dimension == units.pint_unit(unit).dimensionality:
            return unit
    wanted = " or ".join(u for u in allowed if u != "1") or "a plain number"
    raise InputError(f'{name} must be in {wanted}, but "{shown}" cannot be converted to it.')
