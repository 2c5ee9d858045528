"""The one list of techniques: name -> where its module is and which options it takes (no jax here).

A technique's module offers, at module level:

- ``fit(observation, **options) -> Estimate``: from an observation to estimates;
- ``simulate(specimen=None, *, seed=0, **options) -> xarray.Dataset``: from a specimen (or the instrument's
  own parameters alone) to an observation;
- ``PARAMETERS``: the parameter table, written once (see `perolas.core.parameter`);
- ``REFERENCES``: keys of the sources it rests on.

Third parties add a technique through the entry-point group ``perolas.techniques``, whose object is a `Technique`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from perolas.core import check, units
from perolas.core.errors import InputError, one_line
from perolas.measurements.entries import (
    absorption,
    composition,
    emission,
    ftir,
    hrtem,
    peaks,
    photocurrent,
    pl,
    raman,
    stability,
    tem,
    trpl,
    xps,
    xrd,
)
from perolas.measurements.technique import COMMON, Option, Technique

__all__ = ["COMMON", "Option", "Technique", "convert_options", "technique", "techniques"]

_BUILT_IN = tuple(
    module.ENTRY
    for module in (
        trpl,
        xps,
        peaks,
        xrd,
        emission,
        tem,
        hrtem,
        photocurrent,
        stability,
        pl,
        composition,
        ftir,
        absorption,
        raman,
    )
)


@cache
def techniques() -> dict[str, Technique]:
    """Return every technique by name: those of perolas, then those of installed third parties."""
    found = {t.name: t for t in _BUILT_IN}
    for entry in entry_points(group="perolas.techniques"):
        added = entry.load()
        if isinstance(added, Technique):
            found.setdefault(added.name, added)
    return found


def technique(name: str) -> Technique:
    """Return the technique called `name`.

    Args:
        name: such as ``"trpl"``.

    Returns:
        Its entry.

    Raises:
        InputError: there is none of that name; the message lists those that there are.
    """
    return techniques()[check.one_of(name, techniques(), "The technique")]


def convert_options(chosen: Technique, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check options as written in a study file or on the command line and convert their units.

    Args:
        chosen: the technique.
        given: name -> value as written; quantities may be text with a unit.

    Returns:
        name -> value, in the option's unit; only what was given. Files stay paths.

    Raises:
        InputError: an unknown option or a value that does not fit it.
    """
    table = {o.name: o for o in chosen.all_options()}
    check.known_options(given, table, chosen.name)
    return {name: _convert(table[name], value) for name, value in given.items() if value is not None}


def _convert(option: Option, value: Any) -> Any:
    try:
        match option.kind:
            case "integer":
                if isinstance(value, bool) or float(value) != int(float(value)):
                    raise ValueError
                return int(float(value))
            case "number":
                return units.convert(float(value), option.unit, option.name)
            case "quantity":
                return units.convert(value, option.unit, option.name)
            case "flag":
                if not isinstance(value, bool):
                    raise ValueError
                return value
            case "choice":
                return check.one_of(str(value), option.choices, f'The value of "{option.name}"')
            case "names":
                names = value.replace(",", " ").split() if isinstance(value, str) else value
                return tuple(str(v) for v in names)
            case "values":
                pairs = value if isinstance(value, Mapping) else dict(str(v).split("=", 1) for v in value)
                return {str(k): float(v) for k, v in pairs.items()}
            case "window":
                return _window(option, value)
            case _:
                return str(value)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(f'Option "{option.name}" must be a {option.kind}, but is "{one_line(value, 60)}".') from error


def _window(option: Option, value: Any) -> tuple[float, float]:
    """Read "LOW HIGH", "LOW:HIGH", "LOW-HIGH eV" is not offered: a minus may belong to a number."""
    parts = value.replace(":", " ").replace(",", " ").split() if isinstance(value, str) else list(value)
    if isinstance(value, str) and len(parts) == 3:  # "134 148 eV"
        parts = [f"{parts[0]} {parts[2]}", f"{parts[1]} {parts[2]}"]
    if len(parts) != 2:
        raise ValueError
    low, high = (units.convert(p, option.unit, option.name) for p in parts)
    if not low < high:
        raise InputError(f'Option "{option.name}" must run from low to high, but is {low:g} to {high:g}.')
    return low, high
