"""On which line of a TOML file a table or key stands; `tomllib` reads values, but gives no positions."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NEXT = re.compile(r'"""|\'\'\'|["\'#\[\]{}\n]')


class Lines:
    """Finds the line of a table or key.

    Attributes:
        found: path such as ``("measurement", 0, "technique")`` -> line, counted from one.
    """

    def __init__(self, text: str) -> None:
        self.found: dict[Path, int] = {(): 1}
        self._text = text
        self._arrays: dict[Path, int] = {}
        self._ends = [m.start() for m in re.finditer("\n", text)]
        with suppress(IndexError, ValueError):  # a place is a help, never a reason to fail
            self._scan()

    def of(self, path: Sequence[str | int]) -> int:
        """Return the line of a path, or of the innermost thing around it whose line is known."""
        for length in range(len(path), 0, -1):
            line = self.found.get(tuple(path[:length]))
            if line is not None:
                return line
        return 1

    def _scan(self) -> None:
        """Go from statement to statement: a header, or a key with its value, however many lines that has."""
        text, place, table = self._text, 0, ()  # type: str, int, Path
        while place < len(text):
            if text[place] in " \t\r\n":
                place += 1
            elif text[place] == "#":
                place = _line_end(text, place)
            elif text[place] == "[":
                double = text.startswith("[[", place)
                keys, end = _keys(text, place + (2 if double else 1))
                table = self._enter(keys, double)
                self.found.setdefault(table, bisect_left(self._ends, place) + 1)
                place = _line_end(text, end)
            else:
                keys, end = _keys(text, place)
                line = bisect_left(self._ends, place) + 1
                for length in range(1, len(keys) + 1):
                    self.found.setdefault((*table, *keys[:length]), line)
                place = _value_end(text, end)

    def _enter(self, keys: list[str], double: bool) -> Path:
        """Return the path of a header; a name that is an array of tables stands for its last element."""
        path: Path = ()
        for i, key in enumerate(keys):
            path = (*path, key)
            if double and i == len(keys) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def _keys(text: str, place: int) -> tuple[list[str], int]:
    """Read a dotted key; return its parts and the place of the character that ends it ("=" or "]")."""
    keys: list[str] = []
    while True:
        while text[place] in " \t.":
            place += 1
        if text[place] in "=]":
            return keys, place
        if text[place] in "\"'":
            end = _string_end(text, place)
            keys.append(str(_literal(text[place:end])))
        else:
            match = _BARE.match(text, place)
            if not match:
                raise ValueError
            keys.append(match.group())
            end = match.end()
        place = end


def _literal(quoted: str) -> Any:
    return tomllib.loads(f"x = {quoted}")["x"]


def _string_end(text: str, place: int) -> int:
    """Return the place after a string that begins at `place`."""
    mark = text[place : place + 3] if text[place : place + 3] in ('"""', "'''") else text[place]
    place += len(mark)
    while not text.startswith(mark, place):
        place += 2 if text[place] == "\\" and mark[0] == '"' else 1
        if place >= len(text):
            raise ValueError
    place += len(mark)
    while len(mark) == 3 and text[place : place + 1] == mark[0]:  # up to two quotes may stand before the closing three
        place += 1
    return place


def _value_end(text: str, place: int) -> int:
    """Return the end of a value: the first line end outside strings and brackets."""
    depth = 0
    while match := _NEXT.search(text, place):
        token, place = match.group(), match.start()
        if token == "\n" and depth == 0:
            return place
        if token == "#":
            place = _line_end(text, place)
        elif token[0] in "\"'":
            place = _string_end(text, place)
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
            place += 1
    return len(text)
