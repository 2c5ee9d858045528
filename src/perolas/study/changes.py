"""Other values for what a study file states: by path, or by the names that a study gives to its knobs.

A path is ``item.key.subkey`` (an element of a list by its index), ``specimen.NAME.key`` or ``study.seed``. Keys in the
tables `given` and `options` may be named without these, and ``item.file.key`` leads on into a TOML file that a step
reads. What the paper claims cannot be changed: a claim is what is asked, not what is assumed.
"""

from __future__ import annotations

import copy
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from perolas.core.errors import InputError, one_line
from perolas.study.lines import Lines

Place = tuple[str | int, ...]
MOST = 100  # changes of one run
_LENGTH = 1000
# What the item is, not what it is told.
_FIXED = ("name", "kind", "technique", "uses", "assumes", "expect", "simulate")
# Tables whose keys the study itself names.
_INVENTED = ("given", "known", "quantities", "predict", "planes", "runs", "columns")
_THROUGH = ("given", "options")
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One change, and all that it changed.

    Attributes:
        name: as it was asked for: a path or a knob.
        text: the new value, as written.
        about: what the knob is, in the study's words; "" for a path.
        places: ``{"path", "before", "after"}`` of each value; `before` is None where there was none.
    """

    name: str
    text: str
    about: str
    places: tuple[dict[str, Any], ...]

    @property
    def words(self) -> str:
        """What was changed, from what to what."""
        before = list(dict.fromkeys("not stated" if p["before"] is None else _shown(p["before"]) for p in self.places))
        return f"{self.name} = {self.text} (as stated: {', '.join(before)})"


@dataclass(frozen=True)
class InFile:
    """A change in a TOML file that a step reads.

    Attributes:
        step: name of the step.
        place: in the file.
        path: the same in dots, for messages.
        text: the new value.
    """

    step: str
    place: Place
    path: str
    text: str


@dataclass(frozen=True)
class Applied:
    """A study's tables with their changes.

    Attributes:
        raw: the tables.
        changes: what was changed.
        in_files: what is to be changed in files that steps read.
    """

    raw: dict[str, Any]
    changes: tuple[Change, ...]
    in_files: tuple[InFile, ...]


def parse(asked: Iterable[str]) -> dict[str, str]:
    """Read changes as a command line gives them.

    Args:
        asked: each ``path=value``; quotes around the value are taken off.

    Returns:
        Path or knob -> value.

    Raises:
        InputError: one has no path, no value, or was given twice.
    """
    found: dict[str, str] = {}
    for text in asked:
        name, mark, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1].strip()
        if not (mark and name and value):
            raise InputError(f'A change is written path="value", not "{one_line(text, 60)}".')
        if name in found:
            raise InputError(f'"{one_line(name, 60)}" is set twice.')
        found[name] = value
    return checked(found)


def checked(changes: Mapping[str, Any]) -> dict[str, str]:
    """Return changes as text -> text; raises InputError where they are something else, too long or too many."""
    if len(changes) > MOST:
        raise InputError(f"More than {MOST} changes at once are no question that has an answer.")
    found = {}
    for name, value in changes.items():
        text = f"{value}"
        if not isinstance(name, str) or not isinstance(value, str | int | float) or not 0 < len(text) <= _LENGTH:
            raise InputError(f'The change of "{one_line(name, 60)}" must be a short text or a number.')
        if not (text.isprintable() and name.isprintable() and len(name) <= 200):
            raise InputError(f'The change of "{one_line(name, 60)}" holds characters that are not printable.')
        found[name] = text
    return found


def apply(raw: Mapping[str, Any], changes: Mapping[str, str]) -> Applied:
    """Return a study's tables with other values.

    Args:
        raw: the tables as TOML gives them, already known to be right.
        changes: path or knob -> value.

    Returns:
        The changed tables; whether the new values are allowed is not checked here.

    Raises:
        InputError: there is no such path or knob, or the value is of another kind than the one stated.
    """
    new: dict[str, Any] = copy.deepcopy(dict(raw))
    knobs: Mapping[str, Any] = raw.get("knob", {})
    found, in_files = [], []
    taken: dict[Place, str] = {}
    for name, text in changes.items():
        knob = knobs.get(name)
        rows = []
        for path in knob["sets"] if knob else [name]:
            place = locate(raw, path, knobs)
            if place in taken:
                raise InputError(f'"{name}" and "{taken[place]}" both set {path}.')
            taken[place] = name
            if place[0] == "file":
                in_files.append(InFile(str(place[1]), place[2:], path, text))
                rows.append({"path": path, "before": None, "after": text})
                continue
            before = _at(raw, place)
            after = _value(text, None if before is _ABSENT else before, path)
            _put(new, place, after)
            rows.append({"path": path, "before": None if before is _ABSENT else before, "after": after})
        found.append(Change(name, text, str(knob.get("text", "")) if knob else "", tuple(rows)))
    return Applied(new, tuple(found), tuple(in_files))


def locate(raw: Mapping[str, Any], path: str, knobs: Iterable[str] = ()) -> Place:
    """Return where a path leads in a study's tables.

    Args:
        raw: the tables.
        path: e.g. ``"transformation.runs.light365.wavelength"``.
        knobs: names of knobs, for the message.

    Returns:
        Keys and indices; ``("file", step, ...)`` for one that leads into a file.

    Raises:
        InputError: it leads nowhere, to a whole table, or to what cannot be changed.
    """
    parts = [p.strip() for p in path.split(".")]
    items = {t["name"]: (group, i) for group in ("measurement", "step") for i, t in enumerate(raw.get(group, []))}
    here: Any
    place: Place
    if parts[0] in items:
        group, index = items[parts[0]]
        here, place, rest = raw[group][index], (group, index), parts[1:]
    elif parts[0] == "specimen" and len(parts) > 1 and parts[1] in raw.get("specimen", {}):
        here, place, rest = raw["specimen"][parts[1]], ("specimen", parts[1]), parts[2:]
    elif parts[0] == "specimen" and raw.get("specimen"):
        near = get_close_matches(parts[1], raw["specimen"], n=1) if len(parts) > 1 else []
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        there = ", ".join(raw["specimen"])
        raise InputError(f'"{one_line(path, 60)}": there is no such specimen{hint}; there are: {there}.')
    elif path == "study.seed":
        return ("study", "seed")
    else:
        _unknown(raw, path, items, knobs)
    if not rest:
        raise InputError(f'"{path}" is a whole item; name one of its values: {_listed(here)}.')
    if rest[0] in _FIXED or (place[0] == "specimen" and rest[0] == "uses"):
        raise InputError(f'"{path}" says what the item is; only what it is told can be changed: {_listed(here)}.')
    if rest[0] == "file" and len(rest) > 1 and place[0] == "step":
        return ("file", parts[0], *(int(p) if p.isdecimal() else p for p in rest[1:]))
    near = get_close_matches(rest[0], [k for t in _THROUGH for k in here.get(t, {})], n=1)
    if near and rest[0] not in here and rest[0] not in [k for t in _THROUGH for k in here.get(t, {})]:
        raise InputError(f'"{path}": there is no "{one_line(rest[0], 40)}" (did you mean "{parts[0]}.{near[0]}"?).')
    through = next((k for k in _THROUGH if rest[0] not in here and rest[0] in here.get(k, {})), None)
    return (*place, *_follow(here, [through, *rest] if through else rest, path))


def _follow(here: Any, keys: list[str], path: str) -> Place:
    """Return the keys below a table; the last one may be new where the study does not name such keys itself."""
    place: list[str | int] = []
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(here, list):
            if not key.isdecimal() or int(key) >= len(here):
                raise InputError(f'In "{path}", "{one_line(key, 40)}" must be an index from 0 to {len(here) - 1}.')
            place.append(int(key))
            here = here[int(key)]
        elif isinstance(here, Mapping) and key in here:
            place.append(key)
            here = here[key]
        elif isinstance(here, Mapping) and last and (not place or place[-1] not in _INVENTED):
            near = get_close_matches(key, here, n=1)
            if near or not re.fullmatch(r"[A-Za-z]\w*", key):
                hint = f' (did you mean "{near[0]}"?)' if near else ""
                raise InputError(f'"{path}": there is no "{one_line(key, 40)}"{hint}; there are: {_listed(here)}.')
            return (*place, key)
        else:
            there = f"; there are: {_listed(here)}" if isinstance(here, Mapping) else ""
            near = get_close_matches(key, here, n=1) if isinstance(here, Mapping) else []
            hint = f' (did you mean "{near[0]}"?)' if near else ""
            raise InputError(f'"{path}": there is no "{one_line(key, 40)}"{hint}{there}.')
    if isinstance(here, Mapping) and not (set(here) == {"from"} or set(here) == {"measurement"}):
        raise InputError(f'"{path}" is a table; name one of its values: {_listed(here)}.')
    return tuple(place)


def _unknown(raw: Mapping[str, Any], path: str, items: Mapping[str, Any], knobs: Iterable[str]) -> Any:
    known = list(knobs)
    head = path.partition(".")[0]
    if path in {c["id"] for c in raw.get("claim", [])} or head == "claim":
        listed = f"; the knobs are: {', '.join(known)}" if known else ""
        raise InputError(f'"{one_line(path, 60)}" is a claim: it is what is tested, and cannot be changed{listed}.')
    near = get_close_matches(head, [*items, "specimen"], n=1, cutoff=0.7) or get_close_matches(path, known, n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    listed = f"the knobs are: {', '.join(known)}" if known else "this study declares no knobs"
    raise InputError(
        f'There is nothing called "{one_line(path, 80)}" to change{hint}; {listed}; or write a path, item.key.'
    )


def _listed(table: Mapping[str, Any]) -> str:
    keys = [k for k in table if k not in _FIXED]
    return ", ".join(keys[:12]) + (" ..." if len(keys) > 12 else "") if keys else "none"


def _shown(value: Any) -> str:
    return f"that of {value['from']}" if isinstance(value, Mapping) and "from" in value else one_line(value, 60)


def _at(raw: Any, place: Place) -> Any:
    for key in place:
        if isinstance(raw, Mapping) and key not in raw:
            return _ABSENT
        raw = raw[key]
    return raw


def _put(raw: Any, place: Place, value: Any) -> None:
    for key in place[:-1]:
        raw = raw[key]
    raw[place[-1]] = value


def _value(text: str, before: Any, path: str) -> Any:
    """Return the new value, of the kind of the one before: text stays text, and a quantity keeps its dimension."""
    if isinstance(before, str):
        return _quantity(text, before, path)
    try:
        read = tomllib.loads(f"x = {text}")
    except (ValueError, RecursionError):  # no TOML, or an integer of thousands of digits
        return text
    value = read["x"] if list(read) == ["x"] else text
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InputError(f'"{path}" is too large a number.')
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f'"{path}" must be finite, but is to be {one_line(text, 40)}.')
    if isinstance(before, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, str | int | float | list) else text


def _quantity(text: str, before: str, path: str) -> str:
    """Hold a quantity against the one before: the same dimension; an error that nobody names stays what it was."""
    from perolas.study.expression import number, read_number

    try:
        was = read_number(before, path)
    except InputError:
        return text  # a name, a file, a list of lines
    now = read_number(text, path)
    if not now.unit.is_compatible_with(was.unit):
        raise InputError(f'"{path}" is stated as "{one_line(before, 40)}", so "{one_line(text, 40)}" has another unit.')
    if was.std == 0 or now.parts or re.search(r"\+-|\+/-|±", text):
        return text
    written = re.fullmatch(r"\s*([-+\d.eE]+)\s*(.*?)\s*", text)
    if written is None:  # read_number knows the same form
        return text
    unit = written.group(2) or "1"
    one = abs(number(1.0, {}, unit).value - number(0.0, {}, unit).value)
    return f"{written.group(1)} +- {was.std / one:.12g} {written.group(2)}".strip()


def in_file(content: bytes, change: InFile) -> bytes:
    """Return a TOML file with one value changed.

    Args:
        content: of the file.
        change: what to change; the value must stand on one line of its own.

    Returns:
        The changed content.

    Raises:
        InputError: the file is no TOML, or has no such value.
    """
    text, before = _read(content, change)
    lines = text.split("\n")
    index = Lines(text).found.get(change.place, 0) - 1
    try:
        own = tomllib.loads(lines[index]) if index >= 0 else {}
    except tomllib.TOMLDecodeError:
        own = {}
    if own != {change.place[-1]: before}:
        raise InputError(f'"{change.path}" does not stand on a line of its own, so it cannot be changed.')
    value = _value(change.text, before, change.path)
    if isinstance(value, str):
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    lines[index] = f"{change.place[-1]} = {value}"
    return "\n".join(lines).encode()


def stated_in_file(content: bytes, change: InFile) -> Any:
    """Return what a file states where a change is asked for; raises InputError where it states nothing there."""
    return _read(content, change)[1]


def _read(content: bytes, change: InFile) -> tuple[str, Any]:
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        here: Any = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise InputError(f'"{change.path}" leads into a file that is not TOML.') from None
    for key in change.place:
        inside = isinstance(here, list) and isinstance(key, int) and key < len(here)
        if inside or (isinstance(here, Mapping) and key in here):
            here = here[key]
        else:
            there = _listed(here) if isinstance(here, Mapping) else "fewer of them"
            raise InputError(f'"{change.path}": there is no "{one_line(key, 40)}"; there are: {there}.')
    if not isinstance(here, str | int | float):
        raise InputError(f'"{change.path}" is not one value.')
    return text, here
