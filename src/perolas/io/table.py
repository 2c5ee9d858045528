"""Columns of numbers out of text: finds the separator, the decimal mark and the lines that are data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError, one_line

MAX_LINES = 1_000_000
MAX_COLUMNS = 64
_LONGEST_LINE = 4000
_COMMENT = re.compile(r"^\s*(#|%|//|;|!)")
_TAIL = re.compile(r"\s(#|!|//).*$")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_FORTRAN = re.compile(r"(?<=\d|\.)[dD](?=[-+]?\d)")
_DIALECTS = (("\t", "."), ("\t", ","), (";", "."), (";", ","), (",", "."), (None, "."), (None, ","))


@dataclass(frozen=True)
class Table:
    """Numbers found in a text.

    Attributes:
        rows: shape (n, columns), two columns at least.
        header: the lines before them, comment marks taken off.
        separator: what parts the columns; None is white space.
        tail: the lines after them.
    """

    rows: NDArray[np.float64]
    header: tuple[str, ...]
    separator: str | None
    tail: tuple[str, ...]

    def column_names(self) -> list[str]:
        """Return the words over each column: names and units joined, ``""`` where there are none."""
        width = self.rows.shape[1]
        names = [""] * width
        for line in self.header[-3:]:
            fields = [f.strip().strip('"') for f in split(line, self.separator)]
            if len(fields) != width and self.separator is None:
                fields = [f.strip() for f in re.split(r"\t|\s{2,}|[;,]", line.strip()) if f.strip()]
            if len(fields) > width and len(self.header) == 1:
                fields = fields[:width]
            if len(fields) == width and not re.match(r"[^=:]*[=:]\s", line):
                names = [f"{n} {f}".strip() for n, f in zip(names, fields, strict=True)]
        return names


def split(line: str, separator: str | None) -> list[str]:
    """Split a line at its separator; a separator at its end parts nothing."""
    if separator is None:
        return line.split()
    return line.strip(" ").removesuffix(separator).split(separator)


def _numbers(line: str, separator: str | None, decimal: str) -> list[float] | None:
    if len(line) > _LONGEST_LINE or "_" in line:
        return None
    fields = split(line, separator)
    if decimal == ",":
        if "." in line:
            return None
        fields = [f.replace(",", ".") for f in fields]
    try:
        return [float(f) for f in fields]
    except ValueError:
        pass
    try:
        return [float(_FORTRAN.sub("e", f.replace("\u2212", "-"))) for f in fields]
    except ValueError:
        return None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with any of the three kinds of newline.

    Args:
        text: the text.

    Returns:
        Its lines, without newlines.

    Raises:
        InputError: more lines than any spectrum has.
    """
    if text.count("\n") + text.count("\r") > 2 * MAX_LINES:
        raise InputError(f"It has more than {MAX_LINES} lines; cut out the part that holds the spectrum.")
    return _NEWLINE.split(text)


def read_table(lines: Sequence[str], *, columns: int | None = None) -> Table:
    """Find the numbers in a text.

    Args:
        lines: its lines.
        columns: how many columns the format has, where that is known.

    Returns:
        The table; text before and after is allowed, text between the numbers is not.

    Raises:
        InputError: no two columns of numbers, or lines among them that are not numbers.
    """
    cleaned = [_clean(line) for line in lines]
    separator, decimal = _dialect([c for c in cleaned if c is not None])
    parsed = [None if c is None else _numbers(c, separator, decimal) for c in cleaned]
    sizes = [0 if p is None else len(p) for p in parsed]
    if columns is not None:
        first = next((i for i, s in enumerate(sizes) if s == columns), None)
        width = columns
    else:
        first, width = _start(sizes, cleaned)
    if first is None:
        raise InputError("It holds no two columns of numbers; export it as text with one line per point.")
    last = max(i for i, s in enumerate(sizes) if s == width)
    if width > MAX_COLUMNS:
        raise InputError(f"It has {width} columns; a spectrum has two or three.")
    for i in range(first, last + 1):
        if sizes[i] != width and cleaned[i]:
            found = f"{sizes[i]} numbers" if sizes[i] else "no numbers"
            raise InputError(
                f'Line {i + 1} ("{one_line(lines[i], 40)}") has {found} where the lines before it have {width}; '
                "correct or remove it."
            )
    if any(sizes[last + 1 :]):
        at = next(i for i in range(last + 1, len(sizes)) if sizes[i])
        raise InputError(
            f'Line {at + 1} ("{one_line(lines[at], 40)}") has {sizes[at]} numbers where the lines before it have '
            f"{width}; the file may be cut short."
        )
    header = tuple(_COMMENT.sub("", line, count=1).strip() for line in lines[:first])
    rows = np.asarray([p for p, s in zip(parsed[first : last + 1], sizes[first : last + 1], strict=True) if s], float)
    return Table(rows, tuple(h for h in header if h), separator, tuple(lines[last + 1 :]))


def _clean(line: str) -> str | None:
    """Return the part of a line that may be numbers, or None for a comment."""
    if _COMMENT.match(line):
        return None
    if len(line) > _LONGEST_LINE:
        return line
    return _TAIL.sub("", line.replace('"', "")).rstrip()


def _dialect(lines: list[str]) -> tuple[str | None, str]:
    if len(lines) > 1500:
        middle = len(lines) // 2
        lines = lines[middle - 400 : middle + 400] + lines[-400:]
    best: tuple[str | None, str] = _DIALECTS[0]
    most = 0
    for separator, decimal in _DIALECTS:
        found = 0
        for line in lines:
            numbers = _numbers(line, separator, decimal)
            found += numbers is not None and len(numbers) >= 2
        if found > most:
            best, most = (separator, decimal), found
    return best


def _start(sizes: list[int], cleaned: list[str | None]) -> tuple[int | None, int]:
    """Return where the longest run of equal lines of numbers begins (its width's first line) and that width."""
    best, width, run, previous = 0, 0, 0, 0
    for size, line in zip(sizes, cleaned, strict=True):
        if not line:  # blank lines and comments part nothing
            continue
        run = run + 1 if size == previous else 1
        previous = size
        if size >= 2 and run > best:
            best, width = run, size
    if not best:
        return None, 0
    return next(i for i, s in enumerate(sizes) if s == width), width
