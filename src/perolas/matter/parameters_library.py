"""Every physical number of perolas, read from `matter/parameters/*.yaml`, with its uncertainty and its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.matter.parameters_tables import look_up, tables


@dataclass(frozen=True)
class PhysicalParameter:
    """One number and all that is known about it.

    Attributes:
        name: ``"CsPbBr3.radiative_rate"``: what it belongs to, then what it is.
        value, std: the number and its standard uncertainty, in `unit`.
        unit: their unit.
        meaning: one line.
        conditions: under which it holds.
        source: key of `sources`, or ``"estimated here"``.
        place: where in the source, or how it was estimated.
        status: ``"checked"`` against the source, ``"unchecked"``, or ``"estimated here"``.
        validity: range in which it may be used.
        species: for a core-level line, the species that it stands for.
    """

    name: str
    value: float
    unit: str
    std: float
    meaning: str
    conditions: str
    source: str
    status: str
    place: str = ""
    validity: str = ""
    species: str = ""


def _load(name: str) -> dict[str, Any]:
    import yaml

    text = files("perolas.matter").joinpath("parameters", name).read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {})


@cache
def library() -> dict[str, PhysicalParameter]:
    """Return every parameter by name.

    Returns:
        name -> parameter, in the order of the files.

    Raises:
        InputError: a name that stands in two files.
    """
    found: dict[str, PhysicalParameter] = {}
    for file in sorted(f.name for f in files("perolas.matter").joinpath("parameters").iterdir()):
        if not file.endswith(".yaml") or file == "sources.yaml":
            continue
        for name, entry in _load(file).items():
            if name in found:
                raise InputError(f'The parameter "{name}" stands in two files; keep one.')
            found[name] = PhysicalParameter(name=name, **{**entry, "value": float(entry["value"])})
    found.update({name: from_table(name, table.reference_nm) for name, table in tables().items()})
    return found


def from_table(name: str, wavelength_nm: float) -> PhysicalParameter:
    """Return what a table says at one wavelength, as a parameter.

    Args:
        name: of the table, see `perolas.matter.parameters_tables.tables`.
        wavelength_nm: where to read it, nm.

    Returns:
        n (and k, in the meaning) or the absorption coefficient, with the table's source.

    Raises:
        InputError: the wavelength lies outside the table.
    """
    table = tables()[name]
    low, high = table.range_nm
    if not low <= wavelength_nm <= high:
        raise InputError(
            f'The wavelength {wavelength_nm:g} nm lies outside the table "{name}", which holds {table.range_text}.'
        )
    values = look_up(table, wavelength_nm)
    meaning, beyond = table.meaning, table.extrapolated_nm
    if len(values) > 1 and values[1] > 0:
        std_k = values[1] * table.std_k_relative
        meaning += f"; this is n, and k = {values[1]:.3g}" + (f" ± {std_k:.1g}" if std_k else "")
    return PhysicalParameter(
        name=name,
        value=values[0],
        unit="cm-1" if table.is_absorption else "1",
        std=values[0] * table.relative_std if table.is_absorption else table.std_n,
        meaning=meaning,
        conditions=f"at {wavelength_nm:g} nm; {table.conditions}",
        source=table.source,
        status=table.status,
        place=table.place,
        validity=table.range_text + (f", extrapolated in {beyond[0]:g}-{beyond[1]:g} nm" if beyond else ""),
    )


def parameter_value(name: str) -> float:
    """Return the value of a parameter, in its own unit; raises InputError for an unknown name."""
    return physical_parameter(name).value


def physical_parameter(name: str) -> PhysicalParameter:
    """Return a parameter by its exact name; raises InputError for an unknown one."""
    found = library()[check.one_of(name, library(), "The parameter")]
    shift = _SHIFTS.get().get(name)
    return found if shift is None else replace(found, value=found.value + shift)


_SHIFTS: ContextVar[Mapping[str, float]] = ContextVar("shifts", default=MappingProxyType({}))


@contextmanager
def shifted(shifts: Mapping[str, float]) -> Iterator[None]:
    """Let parameters differ from the library for a while, to see how far a result moves with their uncertainty.

    Only what runs inside, in this thread, sees it; a function that jax compiled keeps the values it was compiled with.

    Args:
        shifts: name -> what to add to the value, in the parameter's own unit.

    Yields:
        Nothing.

    Raises:
        InputError: an unknown name.
    """
    for name in shifts:
        check.one_of(name, library(), "The parameter")
    token = _SHIFTS.set(dict(shifts))
    try:
        yield
    finally:
        _SHIFTS.reset(token)


@cache
def sources() -> dict[str, dict[str, str]]:
    """Return every source by key, as BibTeX fields."""
    return {key: {k: str(v) for k, v in entry.items()} for key, entry in _load("sources.yaml").items()}


def bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX entries of sources.

    Args:
        keys: keys of `sources`; "estimated here" is passed over.

    Returns:
        Entries in the order of the keys, each once.

    Raises:
        InputError: an unknown key.
    """
    from perolas.core.cite import entry

    known = sources()
    wanted = [k for k in dict.fromkeys(keys) if k != "estimated here"]
    return "\n\n".join(entry(k, known[check.one_of(k, known, "The source")]) for k in wanted)


def find(query: str) -> list[PhysicalParameter]:
    """Return the parameters that a query such as ``"CsPbBr3 radiative rate"`` means, best first.

    Args:
        query: words of the name, meaning or species, in any order and by their beginnings; ``"at 400 nm"`` reads
            tables at that wavelength.

    Returns:
        Those that hold every word; where there are none, those that hold the most.

    Raises:
        InputError: nothing fits at all, or the wavelength lies outside every table that fits.
    """
    at = _WAVELENGTH.search(query)
    text = (query[: at.start()] + query[at.end() :] if at else query).lower()
    for short, long in _SYNONYMS.items():
        text = re.sub(rf"\b{short}\b", long, text)
    words = [w for w in _words(text) if w not in _IDLE]
    scored = []
    for item in library().values():
        if item.name.lower() == query.strip().lower():
            return [item]
        name = _words(item.name)
        hits = sum(_held(w, name) or _held(w, _words(f"{item.meaning} {item.species}")) for w in words)
        asked_of_table = bool(at) and item.name in tables()
        scored.append((-hits, not asked_of_table, -sum(_held(w, name) for w in words), len(item.name), item))
    scored.sort(key=lambda row: row[:4])
    if not words or scored[0][0] == 0:
        raise InputError(f'No parameter fits "{one_line(query, 60)}"; try words such as "Pb 4f splitting".')
    best = [row[4] for row in scored if row[0] == scored[0][0]]
    return _at_wavelength(best, float(at.group(1))) if at else best


_WAVELENGTH = re.compile(r"\b(?:at\s+)?(\d{3,4}(?:\.\d+)?)\s*nm\b")
_IDLE = {"a", "an", "at", "for", "from", "in", "is", "of", "the", "what"}
_SYNONYMS = {"bandgap": "band gap", "plqy": "quantum yield", "2pa": "two photon absorption", "pl": "emission"}


def _words(text: str) -> list[str]:
    return [w for w in re.split(r"[^a-z0-9+]+", text.lower()) if w]


def _held(word: str, words: list[str]) -> bool:
    """Tell whether a word is there, by its beginning ("lifetime" finds "lifetimes", and the other way round)."""
    return any(w.startswith(word) or (len(w) > 3 and word == w + "s") for w in words)


def _at_wavelength(items: list[PhysicalParameter], wavelength_nm: float) -> list[PhysicalParameter]:
    found: list[PhysicalParameter] = []
    refused = None
    for item in items:
        try:
            found.append(from_table(item.name, wavelength_nm) if item.name in tables() else item)
        except InputError as error:  # another table may reach that far
            refused = error
    if not found and refused:
        raise refused
    return found


def info(query: str) -> str:
    """Return what is known about the parameters that a query means, as text.

    Args:
        query: see `find`.

    Returns:
        One paragraph for each parameter: value, conditions, source, status.

    Raises:
        InputError: nothing fits.
    """
    return "\n\n".join(describe(item) for item in find(query)[:12])


def describe(item: PhysicalParameter) -> str:
    """Return one parameter as a paragraph."""
    from perolas.core.tables import with_error

    unit = "" if item.unit == "1" else f" {item.unit}"
    lines = [
        f"{item.name} = {with_error(item.value, item.std)}{unit}",
        f"  {item.meaning}",
        f"  conditions: {item.conditions}",
        f"  source: {_source_line(item)}",
    ]
    if item.validity:
        lines.append(f"  valid for: {item.validity}")
    return "\n".join(lines)


def _source_line(item: PhysicalParameter) -> str:
    where = f", {item.place}" if item.place else ""
    if item.source == "estimated here":
        return f"estimated here{where} ({item.status})" if item.status != "estimated here" else f"estimated here{where}"
    entry = sources()[item.source]
    doi = f", doi {entry['doi']}" if "doi" in entry else ""
    first = entry["author"].split(",")[0]
    return f"{first} {entry['year']}{doi}{where} ({item.status})"
