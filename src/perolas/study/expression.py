"""Arithmetic with units and errors: a small evaluator for the expressions that a study file writes.

A number keeps the signed contribution of each independent source of error (`parts`), so that errors which two numbers
share cancel or add as they should. Text is parsed by `ast` and walked here; nothing is ever executed as Python.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from perolas.core import check, units
from perolas.core.errors import InputError, one_line

MAX_LENGTH = 500
MAX_NODES = 200
MAX_DEPTH = 40
MAX_POWER = 100.0

_FLOAT = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"^\s*({_FLOAT})\s*(?:(?:\+-|\+/-|±)\s*({_FLOAT}))?\s*([^\d\s].*)?$")


@dataclass(frozen=True)
class Number:
    """A number with a unit and its sources of error.

    Attributes:
        value: in SI base units.
        unit: the pint unit of `value`.
        parts: source of error -> signed standard contribution, in `unit`; inf where nothing is known.
    """

    value: float
    unit: Any
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def std(self) -> float:
        """Standard error in `unit`."""
        return math.hypot(*self.parts.values()) if self.parts else 0.0

    def to(self, unit: str) -> Written:
        """Return value, error and contributions in `unit`; raises InputError where the unit does not fit."""
        try:
            quantity = units.registry().Quantity
            target = units.pint_unit(unit)
            value = quantity(self.value, self.unit).to(target).magnitude
            # The slope, not the value, carries errors over: it is the same for units with an offset (degC).
            slope = quantity(self.value + 1.0, self.unit).to(target).magnitude - value
            if quantity(0.0, self.unit).to(target).magnitude == 0.0:
                slope = quantity(1.0, self.unit).to(target).magnitude
        except InputError:
            raise
        except Exception as error:  # pint raises many types, all of them meaning "this unit does not fit"
            raise InputError(
                f'A result in "{self.unit:~}" cannot be given in "{one_line(unit, 40)}".'.replace('""', '"1"')
            ) from error
        parts = {k: _tidy(v * slope) for k, v in self.parts.items() if v != 0}
        return Written(_tidy(value), _tidy(self.std * abs(slope)), unit, parts)


@dataclass(frozen=True)
class Written:
    """A number as it is written into results.

    Attributes:
        value: in `unit`.
        std: standard error in `unit`.
        unit: as the study wrote it.
        parts: source of error -> signed contribution in `unit`.
    """

    value: float
    std: float
    unit: str
    parts: Mapping[str, float]


def _tidy(value: float) -> float:
    """Drop the last digit or two, which only the way through base units put there (4.999999999999999 eV)."""
    return float(f"{value:.14g}")


def number(value: float, parts: Mapping[str, float], unit: str) -> Number:
    """Return a number given in `unit` as a `Number` in base units.

    Args:
        value: in `unit`.
        parts: source of error -> contribution in `unit`.
        unit: a unit such as ``"ns"``.

    Returns:
        The number.

    Raises:
        InputError: the unit is not known.
    """
    quantity, own = units.registry().Quantity, units.pint_unit(unit)
    try:
        base = quantity(value, own).to_base_units()
        zero, one = quantity(0.0, own).to_base_units().magnitude, quantity(1.0, own).to_base_units().magnitude
    except Exception as error:  # same reason as above
        raise InputError(f'The unit "{one_line(unit, 40)}" cannot be used here.') from error
    return Number(float(base.magnitude), base.units, {k: v * float(one - zero) for k, v in parts.items()})


def read_number(text: str | float, name: str) -> Number:
    """Read a number as a study states it.

    Args:
        text: ``"8.6e7"``, ``"1 kHz"``, ``"5.0 +- 0.1 eV"``, or a bare number.
        name: what it is called; the source of its error.

    Returns:
        The number.

    Raises:
        InputError: it cannot be read.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise InputError(f'"{name}" must be a number with a unit, but is {one_line(text, 60)}.')
    match = _QUANTITY.match(text) if isinstance(text, str) and len(text) <= 100 else None
    if isinstance(text, str) and not match:
        raise InputError(f'"{name}" must be a number such as "5.0 +- 0.1 eV", but is "{one_line(text, 60)}".')
    value, std, unit = match.groups() if match else (str(float(text)), None, "")
    error = abs(float(std)) if std else 0.0
    if not math.isfinite(float(value)) or not math.isfinite(error):
        raise InputError(f'"{name}" must be finite, but is {one_line(text, 60)}.')
    return number(float(value), {name: error} if error else {}, (unit or "1").strip())


def parse(text: str) -> ast.expr:
    """Parse an expression and refuse everything but arithmetic.

    Args:
        text: e.g. ``"sqrt(a**2 + other.q) / 3"``.

    Returns:
        Its syntax tree.

    Raises:
        InputError: not an expression, too long, too deep, or more than arithmetic.
    """
    shown = one_line(text, 60)
    if len(text) > MAX_LENGTH:
        raise InputError(f'The expression "{shown}" has {len(text)} characters; at most {MAX_LENGTH} are allowed.')
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f'"{shown}" is not an expression.') from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES or _depth(tree) > MAX_DEPTH:
        raise InputError(f'The expression "{shown}" is nested too deeply or too long.')
    for _ in _names(tree, shown):
        pass
    return tree


def _depth(tree: ast.AST) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return deepest


def names(text: str) -> list[str]:
    """Return the names that an expression uses, in order, without repeats: ``["a", "other.q"]``."""
    return list(dict.fromkeys(_names(parse(text), one_line(text, 60))))


def _names(node: ast.AST, shown: str) -> Iterator[str]:
    match node:
        case ast.Constant(value=value) if type(value) in (int, float):
            if not math.isfinite(_as_float(value, shown)):
                raise InputError(f'A number in "{shown}" is too large.')
        case ast.Name(id=name):
            yield name
        case ast.Attribute(value=ast.Name(id=item), attr=name):
            yield f"{item}.{name}"
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            yield from _names(operand, shown)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow(), right=right):
            yield from _names(left, shown)
            yield from _names(right, shown)
        case ast.Call(func=ast.Name(id=function), args=args, keywords=[]):
            check.one_of(function, FUNCTIONS, f'In "{shown}", the function')
            if not args or (function not in ("min", "max") and len(args) != 1):
                raise InputError(f'In "{shown}", {function}() takes {"one value" if args else "a value"}.')
            for argument in args:
                yield from _names(argument, shown)
        case _:
            raise InputError(
                f'"{shown}" holds more than arithmetic; allowed are numbers, names, + - * / **, and '
                f"{', '.join(sorted(FUNCTIONS))}."
            )


def _as_float(value: Any, shown: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError(f'A number in "{shown}" is too large.') from None


# name -> (function, derivative) of plain numbers; None: works with units, see `_call`
FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]] | None] = {
    "exp": (math.exp, math.exp),
    "log": (math.log, lambda x: 1 / x),
    "log10": (math.log10, lambda x: 1 / (x * math.log(10))),
    "sin": (math.sin, math.cos),
    "cos": (math.cos, lambda x: -math.sin(x)),
    "tan": (math.tan, lambda x: 1 + math.tan(x) ** 2),
    "asin": (math.asin, lambda x: 1 / math.sqrt(1 - x * x)),
    "acos": (math.acos, lambda x: -1 / math.sqrt(1 - x * x)),
    "atan": (math.atan, lambda x: 1 / (1 + x * x)),
    "sqrt": None,
    "abs": None,
    "min": None,
    "max": None,
}


def evaluate(text: str, look: Callable[[str], Number]) -> Number:
    """Evaluate an expression.

    Args:
        text: the expression.
        look: gives the number that belongs to a name; may raise InputError.

    Returns:
        The result, with its error propagated linearly.

    Raises:
        InputError: units that do not fit, a division by zero, or a result that is not finite.
    """
    shown = one_line(text, 60)
    try:
        result = _walk(parse(text), look)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'"{shown}" has no finite value.') from None
    if not math.isfinite(result.value):
        raise InputError(f'"{shown}" has no finite value.')
    return result


def _walk(node: ast.expr, look: Callable[[str], Number]) -> Number:
    plain = units.registry().dimensionless
    match node:
        case ast.Constant(value=value):
            return Number(_as_float(value, "it"), plain)
        case ast.Name(id=name):
            return look(name)
        case ast.Attribute(value=ast.Name(id=item), attr=name):
            return look(f"{item}.{name}")
        case ast.UnaryOp(op=op, operand=operand):
            inner = _walk(operand, look)
            return combine(inner.unit, -inner.value, (inner, -1.0)) if isinstance(op, ast.USub) else inner
        case ast.BinOp(left=left, op=operator, right=right):
            return _binary(operator, _walk(left, look), _walk(right, look))
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(name, [_walk(a, look) for a in args])
    raise InputError("This is not arithmetic.")


def combine(unit: Any, value: float, *terms: tuple[Number, float]) -> Number:
    """Return a number whose errors are those of `terms`, each multiplied by its derivative."""
    parts: dict[str, float] = {}
    for term, slope in terms:
        for source, part in term.parts.items():
            total = parts.get(source, 0.0) + (part * slope if slope else 0.0)  # no 0 * inf
            parts[source] = math.inf if math.isnan(total) else total  # what was unknown stays so
    return Number(value, unit, parts)


def _binary(operator: ast.operator, a: Number, b: Number) -> Number:
    match operator:
        case ast.Add() | ast.Sub():
            _same_unit(a, b)
            sign = 1.0 if isinstance(operator, ast.Add) else -1.0
            return combine(a.unit, a.value + sign * b.value, (a, 1.0), (b, sign))
        case ast.Mult():
            return combine(a.unit * b.unit, a.value * b.value, (a, b.value), (b, a.value))
        case ast.Div():
            return combine(a.unit / b.unit, a.value / b.value, (a, 1 / b.value), (b, -a.value / b.value**2))
        case _:
            return _power(a, b)


def _power(a: Number, b: Number) -> Number:
    exponent = _plain(b, "an exponent")
    if a.unit != units.registry().dimensionless and (b.parts or abs(exponent) > MAX_POWER):
        raise InputError("A power of a quantity with a unit needs a plain, small exponent.")
    value = a.value**exponent
    if isinstance(value, complex):
        raise InputError("A negative number has no such power.")
    slope = exponent * a.value ** (exponent - 1) if exponent else 0.0
    unit = a.unit**exponent if a.unit != units.registry().dimensionless else a.unit
    terms = [(a, slope)]
    if b.parts:
        terms.append((b, value * math.log(a.value)))
    return combine(unit, value, *terms)


def _call(name: str, args: list[Number]) -> Number:
    a = args[0]
    match name:
        case "min" | "max":
            for other in args[1:]:
                _same_unit(a, other)
            return (min if name == "min" else max)(args, key=lambda n: n.value)
        case "abs":
            return combine(a.unit, abs(a.value), (a, math.copysign(1.0, a.value)))
        case "sqrt":
            if a.value < 0:
                raise InputError("A negative number has no square root.")
            return _power(a, Number(0.5, units.registry().dimensionless))
    pair = FUNCTIONS[name]
    if pair is None:
        raise InputError(f"{name}() is not known.")
    x = _plain(a, f"the value of {name}()")
    slope = pair[1](x) if a.parts else 0.0
    return combine(units.registry().dimensionless, pair[0](x), (a, slope))


def _same_unit(a: Number, b: Number) -> None:
    if a.unit.dimensionality != b.unit.dimensionality:
        raise InputError(f'"{a.unit:~}" and "{b.unit:~}" cannot be added or compared.'.replace('""', '"1"'))


def _plain(a: Number, what: str) -> float:
    if a.unit.dimensionality:
        raise InputError(f'{what[0].upper()}{what[1:]} must have no unit, but has "{a.unit:~}".')
    return a.value
