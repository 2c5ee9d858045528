"""The file of a recipe: TOML, checked key by key, every message with its line.

    [recipe]
    title = "Cs4PbBr6 nanocrystals"

    [[step]]
    add = "PbBr2"
    amount = "0.1 mmol"

    [[step]]
    make = "Cs4PbBr6"

A step is named by its verb: add, react, make, wash, disperse, take, dissolve or size. They are done in order.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.matter import compounds, crystal, recipe_steps, recipe_treatments, written
from perolas.matter.compounds import Compound
from perolas.matter.recipe_tables import (
    AddTable,
    DisperseTable,
    DissolveTable,
    Head,
    MakeTable,
    Own,
    ReactTable,
    SizeTable,
    Table,
    TakeTable,
    Value,
    WashTable,
)
from perolas.matter.written import AMOUNT, CONCENTRATION, MASS, VOLUME

MAX_BYTES = 1_000_000
MAX_STEPS = 1000

Known = dict[str, Compound]


def _add(t: AddTable, known: Known) -> recipe_steps.Step:
    compound = compounds.find(t.add, known)
    title = f"The amount of {compound.name}"
    allowed = (AMOUNT, MASS, VOLUME) if t.of is None else (VOLUME,)
    amount = written.quantity(t.amount, allowed, title, std=_std(t.std))
    if amount.unit == VOLUME and t.of is None:
        recipe_treatments.density_of(compound)
    stock = None if t.of is None else _stock(t.of, compound, known)
    return recipe_steps.Add(compound, amount, _share(t.purity, f"The purity of {compound.name}"), stock, t.name or "")


def _stock(text: str, solute: Compound, known: Known) -> recipe_steps.Stock:
    """Read "0.8 g in 8 mL oleic acid" or "0.1 mol/L in toluene"."""
    first, _, rest = (part.strip() for part in text.partition(" in "))
    title = f"The stock of {solute.name}"
    amount = written.quantity(first, (AMOUNT, MASS, CONCENTRATION), title)
    if amount.unit == CONCENTRATION:
        solvent = compounds.find(rest, known) if rest else None
        if solvent is not None:
            recipe_treatments.density_of(solvent)
        return recipe_steps.Stock(amount, None, solvent)
    match = re.match(r"^([-+]?[\d.][^A-Za-zµ]*[A-Za-zµ]+(?:\^3)?)(?:\s+(?:of\s+)?(.+))?$", rest)
    if not match:
        raise InputError(
            f'{title} is written as "0.8 g in 8 mL oleic acid" or "0.1 mol/L", but is "{one_line(text, 60)}".'
        )
    volume = written.quantity(match[1], (VOLUME,), f"{title}, its volume,")
    solvent = compounds.find(match[2], known) if match[2] else None
    if solvent is not None:
        recipe_treatments.density_of(solvent)
    return recipe_steps.Stock(amount, volume, solvent)


def _react(t: ReactTable, known: Known) -> recipe_steps.Step:
    """Read one reaction, or several that compete: these go on together in fixed shares, as one summed reaction does."""
    texts = [t.react] if isinstance(t.react, str) else t.react
    shares = [float(x) for x in t.shares] or [1.0] * len(texts)
    if len(shares) != len(texts) or not all(math.isfinite(x) and x > 0 for x in shares):
        raise InputError(f"{len(texts)} reactions need as many positive shares.")
    net: dict[str, float] = {}
    met: Known = {}
    for text, share in zip(texts, shares, strict=True):
        for sign, side in zip((-1.0, 1.0), _equation(text, known), strict=True):
            for n, compound in side:
                met[compound.formula] = compound
                net[compound.formula] = net.get(compound.formula, 0.0) + sign * n * share / sum(shares)
    left = tuple((-n, met[f]) for f, n in net.items() if n < -1e-12)
    right = tuple((n, met[f]) for f, n in net.items() if n > 1e-12)
    if not left:
        raise InputError(f'"{one_line(texts[0], 80)}" changes nothing.')
    conversion = _share(t.conversion, "The conversion")
    shown = "; ".join(one_line(text, 120) for text in texts)
    return recipe_steps.React(left, right, conversion, shown, t.name or "")


def _equation(text: str, known: Known) -> list[list[tuple[float, Compound]]]:
    """Return the two sides of a reaction that balances."""
    sides = re.split(r"\s*(?:->|→|=>)\s*", text.strip())
    if len(sides) != 2 or not all(sides):
        raise InputError(f'A reaction is written as "A + 2 B -> C", but is "{one_line(text, 80)}".')
    left, right = (_side(side, known, text) for side in sides)
    total: dict[str, float] = {}
    for sign, side in ((1.0, left), (-1.0, right)):
        for n, compound in side:
            for key, count in (*compound.atoms.items(), ("charge", compound.charge)):
                total[key] = total.get(key, 0.0) + sign * n * count
    for key, value in total.items():
        if abs(value) > 1e-9:
            where = "left" if value > 0 else "right"
            raise InputError(f'"{one_line(text, 80)}" is not balanced: {abs(value):g} more {key} on the {where}.')
    return [left, right]


def _side(text: str, known: Known, whole: str) -> list[tuple[float, Compound]]:
    found: list[tuple[float, Compound]] = []
    for term in re.split(r"\s+\+\s+", text.strip()):
        match = re.match(r"^(\d+(?:\.\d+)?|\.\d+)\s+(.+)$", term) or re.match(r"^(\d+)(?=[A-Z(\[])(.+)$", term)
        number, name = (float(match[1]), match[2]) if match else (1.0, term)
        compound = compounds.find(name, known)
        if not 0 < number <= 1e6 or any(c.formula == compound.formula for _, c in found):
            raise InputError(f'"{one_line(term, 40)}" cannot stand so in "{one_line(whole, 80)}".')
        found.append((number, compound))
    return found


def _make(t: MakeTable, known: Known) -> recipe_steps.Step:
    target = compounds.find(t.make, known)
    if not target.ions:
        raise InputError(f"The ions of {target.name} are not known; give them as ions in [compound].")
    return recipe_steps.Make(target, _share(t.conversion, "The conversion"), t.name or "")


def _wash(t: WashTable, known: Known) -> recipe_steps.Step:
    kept = [t.wash] if isinstance(t.wash, str) else t.wash
    recovery = _share(t.recovery, "The recovery")
    return recipe_treatments.Wash(tuple(compounds.find(k, known) for k in kept), recovery, t.name or "")


def _disperse(t: DisperseTable, known: Known) -> recipe_steps.Step:
    solvent = compounds.find(t.disperse, known)
    recipe_treatments.density_of(solvent)
    volume = written.quantity(t.volume, (VOLUME,), f"The volume of {solvent.name}", std=_std(t.std))
    return recipe_treatments.Disperse(solvent, volume, t.name or "")


def _take(t: TakeTable, known: Known) -> recipe_steps.Step:
    return recipe_treatments.Take(
        written.quantity(t.take, (VOLUME,), "The volume taken", std=_std(t.std)), t.name or ""
    )


def _dissolve(t: DissolveTable, known: Known) -> recipe_steps.Step:
    solvent = compounds.find(t.into, known)
    recipe_treatments.density_of(solvent)
    return recipe_treatments.Dissolve(compounds.find(t.dissolve, known), solvent, t.name or "")


def _size(t: SizeTable, known: Known) -> recipe_steps.Step:
    parent, product = crystal.phase(t.parent), crystal.phase(t.to)
    shared = [e for e in parent.contents if e in product.contents]
    if t.keeps is not None:
        element = check.one_of(t.keeps, shared, "The element that stays,")
    elif shared:
        element = min(shared, key=lambda e: parent.contents[e])
    else:
        raise InputError(f"{parent.name} and {product.name} share no element.")
    edge = written.quantity(t.size, ("nm",), "The size")
    wanted = edge if t.product is None else written.quantity(t.product, ("nm",), "The product's size")
    return recipe_treatments.Size(parent, product, element, edge, wanted, t.name or "")


_VERBS: dict[str, tuple[type[Table], Callable[[Any, Known], recipe_steps.Step]]] = {
    "add": (AddTable, _add),
    "react": (ReactTable, _react),
    "make": (MakeTable, _make),
    "wash": (WashTable, _wash),
    "disperse": (DisperseTable, _disperse),
    "take": (TakeTable, _take),
    "dissolve": (DissolveTable, _dissolve),
    "size": (SizeTable, _size),
}


def _std(value: Value | None) -> float | str | None:
    return None if value is None else (value if isinstance(value, str) else float(value))


def _share(value: Value, name: str) -> written.Given:
    given = written.quantity(value, ("1",), name, zero=True)
    if given.value > 1:
        raise InputError(f'{name} must lie between 0 and 1, but is "{one_line(value, 40)}".')
    return given


def read(path_or_text: str | os.PathLike[str]) -> tuple[str, str]:
    """Return name and text of a recipe.

    Args:
        path_or_text: a path, or the text itself (which has more than one line).

    Returns:
        What messages call it, and its text.

    Raises:
        InputError: it cannot be opened, is too large or not UTF-8.
    """
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        data, name = path_or_text.encode(errors="surrogatepass"), "recipe"
    else:
        path = Path(path_or_text)
        name = one_line(path.name or path, 80)
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise InputError(f'There is no recipe "{name}".') from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name cannot be used"
            raise InputError(f'"{name}" cannot be opened: {one_line(reason)}.') from None
    if len(data) > MAX_BYTES:
        raise InputError(f'"{name}" is larger than {MAX_BYTES // 1_000_000} MB, more than a recipe may be.')
    try:
        return name, data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputError(f'"{name}" is not UTF-8 text.') from None


def parse(name: str, text: str) -> tuple[Head, list[tuple[recipe_steps.Step, int]]]:
    """Read the text of a recipe.

    Args:
        name: what messages call it.
        text: TOML.

    Returns:
        Its head, and each step with the line that it begins on.

    Raises:
        InputError: the sentence names the line.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+)", str(error))
        why = one_line(re.sub(r"\s*\(at .*\)$", "", str(error)))
        raise InputError(f"{name}{f', line {where.group(1)}' if where else ''}: this is not TOML: {why}.") from None
    except RecursionError:
        raise InputError(f'"{name}" is nested too deeply.') from None
    lines = _Lines(text)
    if not raw:
        raise InputError(f'"{name}" is empty; a recipe has [recipe] and at least one [[step]].')
    for key in raw:
        _in_line(name, lines.of("", key), check.one_of, key, ("recipe", "compound", "step"), "The table")
    if not isinstance(raw.get("recipe"), dict):
        raise InputError(f"{name}: the table [recipe] with a title is missing.")
    head = _model(Head, raw["recipe"], name, lines, "recipe")
    known = _compounds(raw.get("compound", {}), name, lines)
    steps = raw.get("step", [])
    if not isinstance(steps, list) or not steps or not all(isinstance(s, dict) for s in steps):
        raise InputError(f"{name}: there is no [[step]]; a recipe needs at least one.")
    if len(steps) > MAX_STEPS:
        raise InputError(f"{name}: there are {len(steps)} steps, more than the {MAX_STEPS} that a recipe may have.")
    return head, [_step(i, table, known, name, lines) for i, table in enumerate(steps)]


def _step(i: int, table: dict[str, Any], known: Known, name: str, lines: _Lines) -> tuple[recipe_steps.Step, int]:
    place = f"step {i}"
    line = lines.of(place, "")
    verbs = [v for v in _VERBS if v in table]
    if len(verbs) != 1:
        near = [m for k in table for m in get_close_matches(k, _VERBS, n=1)] if not verbs else []
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        said = f"has {' and '.join(verbs)} at once" if verbs else f"has no verb{hint}"
        raise InputError(f"{name}, line {line}: the step {said}; give it exactly one of: {', '.join(_VERBS)}.")
    model, compile_step = _VERBS[verbs[0]]
    checked = _model(model, table, name, lines, place)
    return _in_line(name, lines.of(place, verbs[0]), compile_step, checked, known), line


def _compounds(tables: object, name: str, lines: _Lines) -> Known:
    known: Known = {}
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise InputError(f"{name}: a compound is written as [compound.NAME].")
    for key, table in tables.items():
        place = f"compound {key}"
        own = _model(Own, table, name, lines, place)
        known[" ".join(key.lower().split())] = _in_line(name, lines.of(place, "formula"), _own, key, own)
    return known


def _own(key: str, own: Own) -> Compound:
    numbers = {
        what: written.quantity(value, (unit,), f"{what} of {one_line(key, 40)}")
        for what, value, unit in (("density", own.density, "g/mL"), ("solubility", own.solubility, "mol/kg"))
        if value is not None
    }
    listed = compounds.listed().get(own.formula)
    ions = own.ions or (listed.ions if listed else {})
    return compounds.make(own.formula, one_line(key, 60), {k: float(v) for k, v in ions.items()}, **numbers)


def _in_line(name: str, line: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function and put the line before what it refuses."""
    try:
        return function(*arguments)
    except InputError as error:
        raise InputError(f"{name}, line {line}: {error}") from None


def _model(model: type[Any], table: dict[str, Any], name: str, lines: _Lines, place: str) -> Any:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    key = one_line(first["loc"][0], 60) if first["loc"] else ""
    where = f"{name}, line {lines.of(place, key)}"
    allowed = [f.alias or k for k, f in model.model_fields.items()]
    if first["type"] == "extra_forbidden":
        near = get_close_matches(key, allowed, n=1)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        raise InputError(f'{where}: "{key}" is not known here{hint}; there are: {", ".join(allowed)}.')
    if first["type"] == "missing":
        raise InputError(f'{where}: "{key}" is missing.')
    message = one_line(first["msg"])
    raise InputError(f'{where}: "{key}" is not right: {message[0].lower()}{message[1:]}.')


class _Lines:
    """On which line a table or a key of it stands; enough for tables whose keys each begin a line."""

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str, str], int] = {}
        table, count = "", 0
        for number, line in enumerate(text.split("\n"), 1):
            header = re.match(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$", line)
            if header:
                words = header[1].replace('"', "").replace("'", "")
                table = words.replace("compound.", "compound ", 1)
                if re.match(r"^\s*\[\[\s*step", line):
                    table, count = f"step {count}", count + 1
                self._found.setdefault((table, ""), number)
                self._found.setdefault(("", words.split(".")[0]), number)
            elif key := re.match(r"^\s*[\"']?([\w-]+)[\"']?\s*[.=]", line):
                self._found.setdefault((table, key[1]), number)

    def of(self, table: str, key: str) -> int:
        """Return the line of a key, or of its table, or the first."""
        return self._found.get((table, key), self._found.get((table, ""), 1))
