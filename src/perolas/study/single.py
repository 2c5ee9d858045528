"""The door: read a file, fit it, simulate one; options are checked and converted here, files are read here."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from perolas.core.errors import InputError, one_line
from perolas.measurements import registry
from perolas.measurements.registry import Technique

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate

READER_HINTS = ("region", "channel", "axis")


def read(path: str | os.PathLike[str], technique: str | None = None, **hints: Any) -> xr.Dataset:
    """Read an instrument's file.

    Args:
        path: the file.
        technique: name of a technique; decides what the columns of a plain text file are.
        hints: for `perolas.io.read`: `region`, `channel`, `axis`, `units`, `columns`.

    Returns:
        The observation (see `perolas.core.observation`).

    Raises:
        InputError: the file cannot be used; one sentence.
    """
    from perolas import io

    path = Path(path)
    if technique is None:
        return io.read(path, **hints)
    chosen = registry.technique(technique)
    asked = hints.pop("axis", None)
    more = {"technique": chosen.name, "units": chosen.units, **hints}
    try:
        return io.read(path, axis=asked or chosen.axis, **more)
    except InputError as error:
        if asked or not chosen.also:
            raise
        try:
            found = io.read(path, axis=None, **more)  # the file may say itself that it has another axis
        except InputError:
            raise error from None
        if found["signal"].dims[-1] not in chosen.also:
            raise
        return found


def read_for(
    path: str | os.PathLike[str], chosen: Technique, options: Mapping[str, Any], hints: Mapping[str, Any]
) -> xr.Dataset:
    """Read a file for a technique, taking hints from its options where none are given.

    Args:
        path: the file.
        chosen: the technique.
        options: its options, converted; `level` is a hint for the region, `axis` for the first column.
        hints: for the reader; these win.

    Returns:
        The observation.

    Raises:
        InputError: the file cannot be used.
    """
    given = {k: v for k, v in hints.items() if v is not None}
    if options.get("axis"):
        given.setdefault("axis", options["axis"])
    level = options.get("level") or next((o.default for o in chosen.options if o.name == "level"), None)
    if not level or "region" in given:
        return read(path, chosen.name, **given)
    try:
        return read(path, chosen.name, **given, region=level)
    except InputError:
        # One region only, whatever its name, is no choice to make; several without the level are, and say so.
        try:
            return read(path, chosen.name, **given)
        except InputError as error:
            plain_error = error
        raise plain_error from None


def fit(observation: xr.Dataset | str | os.PathLike[str], technique: str, **options: Any) -> Estimate:
    """Fit an observation or a file.

    Args:
        observation: an observation, or the path of a file (then `region`, `channel` and `axis` help to read it).
        technique: name of the technique, such as ``"trpl"``.
        options: of the technique; quantities may be text with a unit, files may be paths or observations.

    Returns:
        The estimate; a fit that did not converge says so in `result`.

    Raises:
        InputError: an unknown option, a value that does not fit, or a file that cannot be used.
    """
    chosen = registry.technique(technique)
    own = {o.name for o in chosen.all_options()}
    hints = {k: options.pop(k) for k in READER_HINTS if k in options and k not in own}
    converted = converted_options(chosen, options)
    if isinstance(observation, xr.Dataset):
        if hints:
            raise InputError(f'"{next(iter(hints))}" helps to read a file, but an observation was given.')
        data = observation
    else:
        data = read_for(observation, chosen, converted, hints)
    return fit_converted(data, chosen, load_files(chosen, converted, data))


def fit_converted(observation: xr.Dataset, chosen: Technique, options: Mapping[str, Any]) -> Estimate:
    """Fit an observation with options that are converted and whose files are read."""
    module = chosen.load()
    taken = inspect.signature(module.fit).parameters
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    # What only a simulation needs (counts, bins) may stand among the options of one that is simulated, then fitted.
    virtual = {o.name for o in chosen.all_options() if o.simulate}
    given = {k: v for k, v in options.items() if anything or k in taken or k not in virtual}
    result: Estimate = module.fit(observation, **given)
    return result


def converted_options(chosen: Technique, options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert options; observations given for options of kind "file" are let through."""
    data = {k: v for k, v in options.items() if isinstance(v, xr.Dataset)}
    files = {o.name for o in chosen.all_options() if o.kind == "file"}
    for name in data:
        if name not in files:
            raise InputError(f'Option "{one_line(name, 40)}" of {chosen.name} takes no observation.')
    rest = {k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in options.items() if k not in data}
    return {**registry.convert_options(chosen, rest), **data}


def load_files(chosen: Technique, options: Mapping[str, Any], observation: xr.Dataset) -> dict[str, Any]:
    """Read every option of kind "file" that is still a path.

    Args:
        chosen: the technique.
        options: converted options.
        observation: the main one; a second file without a telling header is taken to be like it.

    Returns:
        The options with observations in place of paths.

    Raises:
        InputError: a file cannot be used.
    """
    axis = str(observation["signal"].dims[-1]) if "signal" in observation else chosen.axis
    loaded = dict(options)
    for option in chosen.all_options():
        value = options.get(option.name)
        if option.kind == "file" and value is not None and not isinstance(value, xr.Dataset):
            loaded[option.name] = read(Path(value), chosen.name, axis=axis)
    return loaded


def simulate(technique: str, specimen: Any = None, *, seed: int = 0, **options: Any) -> xr.Dataset:
    """Simulate an observation.

    Args:
        technique: name of the technique.
        specimen: a `perolas.Specimen`, a table of one, or None for the instrument's own parameters.
        seed: of the noise; the same seed gives the same observation.
        options: of the technique, those that simulations take; quantities may be text with a unit.

    Returns:
        The observation, with the seed among its attributes.

    Raises:
        InputError: an unknown option, one that only a fit takes, or a value that does not fit.
    """
    chosen = registry.technique(technique)
    converted = registry.convert_options(chosen, {"seed": seed, **options})
    allowed = {o.name for o in chosen.all_options() if o.simulate}
    for name in converted:
        if name not in allowed:
            raise InputError(
                f'Option "{name}" of {chosen.name} belongs to a fit; simulations take {", ".join(sorted(allowed))}.'
            )
    if isinstance(specimen, Mapping):
        from perolas.matter.specimen import Specimen

        specimen = Specimen.from_table(specimen)
    result: xr.Dataset = chosen.load().simulate(specimen, **converted)
    return result
