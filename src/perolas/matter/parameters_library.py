"""Every physical number of perolas, read from `matter/parameters/*.yaml`, with its uncertainty and its source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from perolas.core import check
from perolas.core.errors import InputError, one_line


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
    return found


def parameter_value(name: str) -> float:
    """Return the value of a parameter, in its own unit; raises InputError for an unknown name."""
    return physical_parameter(name).value


def physical_parameter(name: str) -> PhysicalParameter:
    """Return a parameter by its exact name; raises InputError for an unknown one."""
    return library()[check.one_of(name, library(), "The parameter")]


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
        query: words of the name, meaning or species, in any order.

    Returns:
        Those that hold every word; where there are none, those that hold the most.

    Raises:
        InputError: nothing fits at all.
    """
    words = [w for w in re.split(r"[\s._,]+", query.lower()) if w]
    scored = []
    for item in library().values():
        name = item.name.lower()
        text = f"{name.replace('.', ' ').replace('_', ' ')} {item.meaning.lower()} {item.species}"
        hits = sum(w in text for w in words)
        scored.append((name != query.lower(), -hits, -sum(w in name for w in words), len(name), item))
    scored.sort(key=lambda row: row[:4])
    best = scored[0]
    if not words or -best[1] == 0:
        raise InputError(f'No parameter fits "{one_line(query, 60)}"; try words such as "Pb 4f splitting".')
    return [row[4] for row in scored if row[:2] == best[:2]]


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
