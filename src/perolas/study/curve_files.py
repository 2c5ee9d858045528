"""Digitised curves as people save them: CSV with or without a header, checked at the door and put into known units."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError, one_line

MAX_BYTES = 8 * 2**20
MAX_ROWS = 20_000
MAX_COLUMNS = 200
_HEAD = re.compile(r"^\s*(.*?)\s*(?:[\[(]\s*(.*?)\s*[\])])?\s*$")


def read_table(content: bytes, name: str, units: Mapping[str, str]) -> dict[str, NDArray[np.float64]] | None:
    """Read a table of digitised points.

    Args:
        content: of the file. Lines that begin with # are notes. The columns are separated by commas, semicolons, tabs
            or spaces; a header ``name [unit]`` puts them in any order, without one they come in the order of `units`.
        name: of the file, for messages.
        units: column -> unit that is wanted.

    Returns:
        Column -> values, each of shape (n_points,), in the wanted units; None where the file holds no points yet.

    Raises:
        InputError: it cannot be used; one sentence.
    """
    shown = f'"{one_line(name, 80)}"'
    rows = _rows(content, shown)
    if not rows:
        return None
    head: list[str] | None = None
    if not all(_is_number(cell) for cell in rows[0][1]):
        head = rows.pop(0)[1]
    wanted = ", ".join(f"{k} [{u}]" for k, u in units.items())
    places = {k: (i, u) for i, (k, u) in enumerate(units.items())} if head is None else {}
    width = len(head) if head is not None else len(units)
    if head is not None:
        names = [_HEAD.fullmatch(cell) for cell in head]
        for i, match in enumerate(names):
            key = match.group(1).lower() if match else ""
            own = next((k for k in units if k.lower() == key), None)
            if own is not None and own not in places:
                places[own] = (i, (match.group(2) if match else None) or units[own])
        lacking = [k for k in units if k not in places]
        if lacking:
            there = ", ".join(one_line(c, 30) or "unnamed" for c in head[:10])
            raise InputError(
                f'{shown} has no column "{lacking[0]}"; it has {there}, and should have {wanted}, with these names.'
            )
    if not rows:
        return None
    found: dict[str, list[float]] = {k: [] for k in units}
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(f"{shown}, line {line}: {len(cells)} values, but {width} columns ({wanted}).")
        for key, (i, _) in places.items():
            found[key].append(_value(cells[i], shown, line))
    return {k: _converted(np.array(found[k]), places[k][1], units[k], shown) for k in units}


def _rows(content: bytes, shown: str) -> list[tuple[int, list[str]]]:
    """Return the cells of each line that holds some, with its number."""
    if not content.strip():
        raise InputError(f"{shown} is empty.")
    if len(content) > MAX_BYTES:
        raise InputError(f"{shown} is larger than {MAX_BYTES // 2**20} MiB, more than a digitised curve may be.")
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{shown} is not UTF-8 text; save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise InputError(f"{shown} is not text.")
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"]
    if len(lines) > MAX_ROWS:
        raise InputError(f"{shown} has more than {MAX_ROWS} lines, more than a digitised curve may have.")
    if not lines:
        return []
    first = lines[0][1]
    mark = next((m for m in (";", "\t", ",") if m in first), " ")
    found = []
    for number, line in lines:
        try:
            cells = line.split() if mark == " " else next(csv.reader([line], delimiter=mark))
        except csv.Error:
            raise InputError(f"{shown}, line {number}: this is no line of a CSV file.") from None
        if len(cells) > MAX_COLUMNS:
            raise InputError(f"{shown}, line {number}: more than {MAX_COLUMNS} columns.")
        # Where the columns have another mark, a comma is a decimal point.
        found.append((number, [c.strip().replace(",", ".") if mark != "," else c.strip() for c in cells]))
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _value(cell: str, shown: str, line: int) -> float:
    if not _is_number(cell):
        raise InputError(f'{shown}, line {line}: "{one_line(cell, 30)}" is not a number.')
    value = float(cell)
    if not math.isfinite(value) or abs(value) > 1e100:
        raise InputError(f'{shown}, line {line}: "{one_line(cell, 30)}" is not a finite number.')
    return value


def _converted(values: NDArray[np.float64], unit: str, wanted: str, shown: str) -> NDArray[np.float64]:
    if unit == wanted:
        return values
    from perolas.study.expression import number

    try:
        zero, one = (number(v, {}, unit).to(wanted).value for v in (0.0, 1.0))
    except InputError:
        raise InputError(f'{shown}: a column in "{one_line(unit, 30)}" should be in "{wanted}".') from None
    return zero + (one - zero) * values
