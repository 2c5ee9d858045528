"""Tables of elements: areas of photoelectron lines, counts of X-ray lines, or shares in per cent.

Columns are found by their headers: an element or a line (``Element``, ``Line``, ``Name``: ``Pb``, ``Pb 4f``,
``Cs L``), a value (``Area``, ``Counts``, ``Intensity``, ``Atomic %``, ``Weight %``), its standard error, and a
sensitivity factor with its error (``RSF``, ``Factor``, ``k factor``). Values are taken in that order where a table has
several. The axis of the observation counts the lines; their names, elements and factors are in its conditions.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from perolas.core.errors import InputError, one_line
from perolas.core.observation import make_observation
from perolas.io.columns import is_error
from perolas.io.detect import detect
from perolas.io.source import open_source
from perolas.io.table import lines_of

AXES = ("line",)
_MOST_LINES = 60
_ELEMENT = re.compile(r"\s*([A-Z][a-z]?)(?![a-z])")
_LINE = re.compile(r"\s*([A-Z][a-z]?)[\s_-]*([1-7]\s*[spdf](?:\s*\d/2)?|[KLM](?:\s*(?:series|[αa](?:lpha)?\d?))?)?\b")
_VALUES = (
    ("area", re.compile(r"\barea\b|intensity", re.I)),
    ("counts", re.compile(r"\bcounts?\b|\bcts\b", re.I)),
    ("atomic percent", re.compile(r"at(om(ic)?)?\.?\s*(conc\w*\.?)?\s*(\[?%\]?|percent)|%\s*at|\bat\.?%", re.I)),
    ("weight percent", re.compile(r"(w(eigh)?t|mass)\.?\s*(conc\w*\.?)?\s*(\[?%\]?|percent)", re.I)),
)
_FACTOR = re.compile(r"\brsf\b|r\.s\.f|\bsf\b|sensitivity|factor", re.I)
_NAME = re.compile(r"^(element|line|name|peak|symbol|transition|level)\b|^el\.?$", re.I)


def read_elements(
    path: str | Path, *, technique: str | None = None, columns: Sequence[int] | None = None, max_bytes: int
) -> xr.Dataset:
    """Read a table of elements, or an observation of perolas.

    Args:
        path: the file.
        technique: recorded in the observation.
        columns: refused: the columns are found by their headers.
        max_bytes: largest file that is loaded, in bytes.

    Returns:
        Areas, counts or per cent, shape (n,), on ``line``; with ``variance`` where every line has an error.

    Raises:
        InputError: it cannot be used.
    """
    from perolas.io import reading

    source = open_source(path, max_bytes)
    kind = detect(source)
    if kind.name == "netcdf":
        return reading.read(path, technique=technique, max_bytes=max_bytes)
    if kind.name != "text":
        raise InputError(f"It holds {kind.description}, but a table of elements and their areas is needed.")
    if columns is not None:
        raise InputError("The columns of a table of elements are found by their headers; leave columns out.")
    names, rows = _table(source.text)
    return _observation(
        names, rows, {"technique": technique, "format": "text", "source": source.name, "sha256": source.sha256}
    )


def _table(text: str) -> tuple[list[str], list[list[str]]]:
    """Return the headers and the lines that begin (after numbers or blanks) with an element."""
    lines = [line for line in lines_of(text) if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) > 5000:
        raise InputError(f"It has {len(lines)} lines, which no table of elements has.")
    best: tuple[list[str], list[list[str]]] | None = None
    for mark in ("\t", ";", ",", None):
        split = [
            line.split() if mark is None else [f.strip() for f in next(csv.reader([line], delimiter=mark), [])]
            for line in lines
        ]
        for i, fields in enumerate(split):
            if not any(_NAME.search(f) for f in fields) or len(fields) < 2:
                continue
            rows = [_fitting(r, len(fields), mark) for r in split[i + 1 :]]
            good = [r for r in rows if r is not None and _has_number(r, mark)]
            if good and (best is None or len(good) > len(best[1])):  # a mark that parts more lines is the file's own
                best = fields, [[_decimal(f, mark) for f in r] for r in good]
            break
    if best is None:
        raise InputError(
            "It holds no table of elements: a line of headers with Element (or Line) and Area, Counts, Atomic % or "
            "Weight %, and a line for each element."
        )
    return best


def _fitting(row: list[str], width: int, mark: str | None) -> list[str] | None:
    if mark is None and len(row) == width + 1:  # "Pb 4f  22000": a line's name has a blank in it
        row = [f"{row[0]} {row[1]}", *row[2:]]
    return [*row, *[""] * (width - len(row))] if 2 <= len(row) <= width else None


def _has_number(row: list[str], mark: str | None) -> bool:
    return any(_number(_decimal(f, mark)) is not None for f in row)


def _decimal(text: str, mark: str | None) -> str:
    return text.replace(",", ".") if mark != "," and re.fullmatch(r"\s*-?\d+,\d+\s*", text) else text


def _number(text: str) -> float | None:
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        return None


def _observation(names: list[str], rows: list[list[str]], attrs: dict[str, Any]) -> xr.Dataset:
    at = [i for i, n in enumerate(names) if _NAME.search(n)]
    quantity, value, error = _value_column(names, at)
    factor = next((i for i, n in enumerate(names) if _FACTOR.search(n) and not is_error(n)), None)
    factor_error = next((i for i, n in enumerate(names) if _FACTOR.search(n) and is_error(n)), None)
    rows = [r for r in rows if not re.match(r"\s*(total|sum)", " ".join(r), re.I)]
    if len(rows) > _MOST_LINES:
        raise InputError(f"It has {len(rows)} lines of elements; at most {_MOST_LINES} are taken.")
    lines = [_line_of([r[i] for i in at]) for r in rows]
    taken = [name for name, _ in lines]
    twice = sorted({n for n in taken if taken.count(n) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} stands in it more than once; keep one line for each.")
    if len(lines) < 2:
        raise InputError(f"It has {len(lines)} element, but a ratio needs two.")
    signal = np.array([_value(r[value], n, names[value]) for r, n in zip(rows, taken, strict=True)])
    if np.any(signal < 0):
        raise InputError(f"{int(np.sum(signal < 0))} of its values are negative; an area or a share cannot be.")
    if quantity.endswith("percent") and signal.sum() > 101.0:
        raise InputError(f"Its shares add up to {signal.sum():.4g} %, more than the whole.")
    variance = None
    if error is not None:
        spread = np.array([_value(r[error], n, names[error]) for r, n in zip(rows, taken, strict=True)])
        if np.any(spread <= 0):
            raise InputError("Its errors must be positive numbers; correct those lines or take the column away.")
        variance = spread**2
    conditions: dict[str, Any] = {"quantity": quantity, "lines": taken, "elements": [e for _, e in lines]}
    for key, column in (("factors", factor), ("factor_errors", factor_error)):
        if column is not None:
            values = [_value(r[column], n, names[column]) for r, n in zip(rows, taken, strict=True)]
            if min(values) <= 0:
                raise InputError(f'Its "{one_line(names[column], 30)}" must be positive numbers.')
            conditions[key] = values
    whole = bool(np.all(signal == np.round(signal)))
    unit = "percent" if quantity.endswith("percent") else "counts" if quantity == "counts" and whole else "arb"
    return make_observation(
        signal, "line", np.arange(1.0, signal.size + 1.0), units=unit, variance=variance, conditions=conditions, **attrs
    )


def _value_column(names: list[str], at: list[int]) -> tuple[str, int, int | None]:
    for quantity, pattern in _VALUES:
        found = [i for i, n in enumerate(names) if i not in at and pattern.search(n)]
        plain = [i for i in found if not is_error(names[i])]
        if not plain:
            continue
        if len(plain) > 1:
            listed = ", ".join(one_line(names[i], 30) for i in plain)
            raise InputError(f"It has several columns of one kind ({listed}); keep the one that is meant.")
        after = [i for i in range(plain[0] + 1, len(names)) if is_error(names[i]) and not _FACTOR.search(names[i])]
        errors = [i for i in found if is_error(names[i])] or [i for i in after if i == plain[0] + 1]
        return quantity, plain[0], errors[0] if errors else None
    listed = ", ".join(one_line(n, 30) for n in names[:8])
    raise InputError(f"None of its columns ({listed}) is an area, counts, atomic or weight per cent.")


def _line_of(words: list[str]) -> tuple[str, str]:
    """Return a line's name, such as ``"Pb 4f"`` or ``"Cs"``, and its element."""
    from gemmi import Element

    text = " ".join(w for w in words if w)
    match = _LINE.match(text)
    element = _ELEMENT.match(text)
    if match is None or element is None or Element(match.group(1)).name != match.group(1):
        raise InputError(f'"{one_line(text, 30)}" names no element; write lines such as "Pb", "Pb 4f" or "Cs L".')
    line = re.sub(r"\s+|series|[αa](lpha)?\d?$", "", match.group(2) or "")
    return f"{match.group(1)} {line}".strip(), match.group(1)


def _value(text: str, line: str, column: str) -> float:
    number = _number(text)
    if number is None or not math.isfinite(number):
        raise InputError(
            f'The {one_line(column, 30)} of {line} is "{one_line(text, 20)}", which is no number; correct or remove it.'
        )
    return number
