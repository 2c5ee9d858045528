"""How a study file is loaded and checked; every message names the line. What it may hold: `perolas.study.tables`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError

from perolas.core.errors import InputError, one_line
from perolas.study.changes import Applied, apply, locate
from perolas.study.changes import checked as as_text
from perolas.study.lines import Lines
from perolas.study.tables import File, Step

MAX_BYTES = 2 * 2**20


class Study:
    """A loaded study.

    Attributes:
        head, specimens, measurements, steps, claims, figures: its tables.
        head, specimens, measurements, steps, claims, statements: its tables.
        head, specimens, measurements, steps, claims: its tables.
        knobs: names for what may be changed.
        path: of its file.
        changes: what is changed in it, name -> value; empty for the study as it stands.
        applied: the same as it was understood, or None.
        digitised: folder of digitised curves, resolved, or None.
    """

    def __init__(self, file: File, steps: list[Step], path: Path, lines: Lines) -> None:
        self.head = file.study
        self.specimens = file.specimen
        self.measurements = {m.name: m for m in file.measurement}
        self.steps = {s.name: s for s in steps}
        self.claims = {c.id: c for c in file.claim}
        self.figures = file.figure
        self.statements = {s.name: s for s in file.stated}
        self.knobs = file.knob
        self.path = path
        self.changes: dict[str, str] = {}
        self.applied: Applied | None = None
        self.digitised: Path | None = None
        self._lines = lines
        self._places: dict[str, tuple[str | int, ...]] = {
            **{f"measurement {m.name}": ("measurement", i) for i, m in enumerate(file.measurement)},
            **{f"step {s.name}": ("step", i) for i, s in enumerate(steps)},
            **{f"claim {c.id}": ("claim", i) for i, c in enumerate(file.claim)},
            **{f"stated {s.name}": ("stated", i) for i, s in enumerate(file.stated)},
            **{f"specimen {name}": ("specimen", name) for name in file.specimen},
            **{f"figure {f.name}": ("figure", i) for i, f in enumerate(file.figure)},
        }

    @property
    def names(self) -> list[str]:
        """The names of all items, in the order of the file: measurements first, then steps."""
        return [*self.measurements, *self.steps]

    def kind_of(self, name: str) -> str:
        """Return the technique of a measurement or the kind of a step."""
        return self.measurements[name].technique if name in self.measurements else self.steps[name].kind

    def refuse(self, what: str, message: str, *key: str | int) -> NoReturn:
        """Raise an InputError that names the file and the line of `what`, e.g. ``"claim laser.threshold"``."""
        if self.changes:  # the file as it stands was found right
            raise InputError(f"With {', '.join(f'{k} = {v}' for k, v in self.changes.items())}: {message}")
        line = self._lines.of((*self._places.get(what, ()), *key))
        raise InputError(f"{self.path.name}, line {line}: {message}")


def builtin_names() -> list[str]:
    """Return the names of the studies that come with the package."""
    root = files("perolas.study.builtin")
    return sorted(entry.name for entry in root.iterdir() if (entry / "study.toml").is_file())


def find(study: str | os.PathLike[str]) -> Path:
    """Return the file of a study.

    Args:
        study: name of a built-in study, a study file, or a folder that holds a `study.toml`.

    Returns:
        The path of the file.

    Raises:
        InputError: there is none.
    """
    text = os.fspath(study)
    if text in builtin_names():
        return Path(str(files("perolas.study.builtin") / text / "study.toml"))
    path = Path(text)
    try:
        if path.is_dir():
            path = path / "study.toml"
        if path.is_file():
            return path
    except (OSError, ValueError):
        pass
    near = get_close_matches(text, builtin_names(), n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    raise InputError(
        f'There is no study "{one_line(path.name or text, 80)}"{hint}; give a study file, '
        f"or one of those built in: {', '.join(builtin_names())}."
    )


def load(study: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Study:
    """Load and check a study file (not yet what depends on what: see `perolas.study.graph`).

    Args:
        study: see `find`.
        changes: other values for what the file states, see `perolas.study.changes`.

    Returns:
        The study.

    Raises:
        InputError: it cannot be read or breaks a rule; the sentence names the line, or the change.
    """
    path = find(study)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f'"{path.name}" cannot be opened: {one_line(error.strerror or error)}.') from None
    if len(data) > MAX_BYTES:
        raise InputError(f'"{path.name}" is larger than {MAX_BYTES // 2**20} MiB, more than a study may be.')
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        raw = tomllib.loads(text)
    except UnicodeDecodeError:
        raise InputError(f'"{path.name}" is not UTF-8 text.') from None
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+)", str(error))
        place = f", line {where.group(1)}" if where else ""
        why = one_line(re.sub(r"\s*\(at .*\)$", "", str(error)))
        raise InputError(f"{path.name}{place}: this is not TOML: {why}.") from None
    except RecursionError:
        raise InputError(f'"{path.name}" is nested too deeply.') from None
    lines = Lines(text)
    loaded = _checked(raw, path, lines)
    for name, knob in loaded.knobs.items():
        for i, place in enumerate(knob.sets):
            try:
                locate(raw, place)
            except InputError as error:
                raise InputError(f"{path.name}, line {lines.of(('knob', name, 'sets', i))}: {error}") from None
    if not changes:
        return loaded
    wanted = as_text(changes)
    applied = apply(raw, wanted)
    try:
        changed = _checked(applied.raw, path, lines)
    except InputError as error:
        # The file as it stands is right, so it is the change that is not; its line would lead astray.
        why = re.sub(rf"^{re.escape(path.name)}, line \d+: ", "", str(error))
        raise InputError(f"With {', '.join(f'{k} = {v}' for k, v in wanted.items())}: {why}") from None
    changed.changes, changed.applied = wanted, applied
    return changed


def _checked(raw: Mapping[str, Any], path: Path, lines: Lines) -> Study:
    """Return the tables of a study file as a study."""
    from perolas.study import steps

    try:
        checked = File.model_validate(raw)
    except ValidationError as error:
        raise InputError(_sentence(path, lines, error, File)) from None
    found = []
    for i, table in enumerate(checked.step):
        try:
            found.append(steps.read_step(table))
        except ValidationError as error:
            raise InputError(_sentence(path, lines, error, steps.model_of(table), ("step", i))) from None
        except InputError as error:
            raise InputError(f"{path.name}, line {lines.of(('step', i, 'kind'))}: {error}") from None
    loaded = Study(checked, found, path, lines)
    _unique(loaded, raw, lines)
    return loaded


def _unique(study: Study, raw: Mapping[str, Any], lines: Lines) -> None:
    """Refuse an item's name or a claim's id that is there twice."""
    lists = ((("measurement", "step"), "name"), (("claim",), "id"), (("figure",), "name"), (("stated",), "name"))
    for groups, key in lists:
        seen: dict[str, int] = {}
        for group in groups:
            for i, table in enumerate(raw.get(group, [])):
                line, name = lines.of((group, i, key)), table[key]
                if name in seen:
                    raise InputError(
                        f'{study.path.name}, line {line}: the {key} "{name}" was already given on line {seen[name]}.'
                    )
                seen[name] = line


def _sentence(
    path: Path,
    lines: Lines,
    error: ValidationError,
    model: type[BaseModel],
    prefix: tuple[str | int, ...] = (),
) -> str:
    """Put pydantic's first complaint into a sentence with its line."""
    # A key that is misspelled is unknown and missing at once; the first of these says more.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    place = tuple(p for p in first["loc"] if p != "[key]")
    where = f"{path.name}, line {lines.of((*prefix, *_known(place)))}"
    name = str(place[-1]) if place else ""
    match first["type"]:
        case "extra_forbidden":
            allowed = _keys_at(model, place[:-1])
            near = get_close_matches(name, allowed, n=1)
            hint = f' (did you mean "{near[0]}"?)' if near else ""
            listed = f"; there are: {', '.join(sorted(allowed))}" if allowed else ""
            return f'{where}: "{one_line(name, 60)}" is not known here{hint}{listed}.'
        case "missing":
            return f'{where}: "{name}" is missing.'
        case "value_error":
            return f"{where}: {one_line(first['ctx']['error'], 300)}."
        case "string_pattern_mismatch":
            return f'{where}: "{one_line(first["input"], 60)}" cannot be used as "{name}": {_PATTERNS}.'
    return f'{where}: "{name}" is not right: {one_line(first["msg"])[0].lower()}{one_line(first["msg"])[1:]}.'


_PATTERNS = "a name is letters, digits and underscores, and a quantity is written item.quantity"


def _known(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Drop what pydantic adds to a place for unions (names of types)."""
    return tuple(p for p in place if isinstance(p, int) or re.fullmatch(r"[\w.-]+", p))


def _keys_at(model: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the table at `place` may have."""
    here: Any = model
    for part in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        elif get_args(here):  # an element of a list, or a value of a dictionary
            here = get_args(here)[-1]
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []
