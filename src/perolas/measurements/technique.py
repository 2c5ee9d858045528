"""What the registry knows of a technique: its name, its module, its options (no jax here)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal


@dataclass(frozen=True)
class Option:
    """One option of a technique, for the command line, study files and docs alike.

    Attributes:
        name: as in Python (`irf_fwhm`); the command line writes it `--irf-fwhm`.
        kind: ``"quantity"`` is text with a unit converted to `unit`; ``"file"`` is a path read as an
            observation; ``"path"`` is one that the technique reads itself; ``"names"`` is a list of names;
            ``"values"`` is a table name -> number.
        help: one line.
        default: value when it is not given.
        unit: unit of a quantity.
        choices: allowed words of a ``"choice"``.
        simulate: whether `simulate` takes it too.
    """

    name: str
    kind: Literal[
        "text", "integer", "number", "flag", "choice", "quantity", "window", "file", "path", "names", "values"
    ]
    help: str
    default: Any = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    simulate: bool = False


COMMON = (
    Option("free", "names", "parameters to fit that are held by default (see the technique's table)", ()),
    Option("fix", "names", "parameters to hold at their start value", ()),
    Option("guess", "values", "start values, as NAME=VALUE in the parameter's unit", {}),
    Option("starts", "integer", "number of starting points to try; the best end is kept", 1),
    Option("seed", "integer", "seed of everything random", 0, simulate=True),
)


@dataclass(frozen=True)
class Technique:
    """A technique as the registry knows it.

    Attributes:
        name: ``"trpl"``.
        module: import string of its module.
        summary: one line.
        axis: name of the axis that a two-column text file of this technique is taken to have, or None.
        units: unit of the signal of such a file.
        options: its own options, without the common ones.
        also: further axes that its files may state themselves.
    """

    name: str
    module: str
    summary: str
    axis: str | None
    units: str
    options: tuple[Option, ...]
    also: tuple[str, ...] = ()

    def load(self) -> ModuleType:
        """Import and return the technique's module (this imports jax)."""
        return import_module(self.module)

    def all_options(self) -> tuple[Option, ...]:
        """Return the technique's options followed by those common to all techniques."""
        return self.options + COMMON
