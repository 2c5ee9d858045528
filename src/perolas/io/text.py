"""Text with columns of numbers, in any common dialect.

**Columns.** Two columns are axis and signal. A third column is a standard error (its square becomes the variance)
only where a header says so ("error", "sigma", "std", "uncertainty"); any other third column could as well be a fit,
a reference or a second signal, so it is refused until the caller says what to take: ``columns=(0, 1)`` for axis and
signal, ``columns=(0, 1, 2)`` for axis, signal and standard error.
"""

from __future__ import annotations

import re

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import Block
from perolas.io.columns import is_error, settle_axis, units_meaning
from perolas.io.source import Source
from perolas.io.table import lines_of, read_table

_PHOTON_ENERGY = re.compile(r"\bh\s*(?:v|nu|ν)\s*=\s*(\d+(?:\.\d+)?)\s*eV", re.IGNORECASE)

_STATED = re.compile(r"#*\s*x\s*-?\s*(?:axis)?\s*_?(?:unit|label|title)s?\s*[=:]?\s*(.{1,60})$", re.IGNORECASE)


def read_text(
    source: Source, axis: str | None = None, units: str | None = None, columns: tuple[int, ...] | None = None
) -> list[Block]:
    """Read columns of numbers.

    Args:
        source: the file.
        axis: what the first column is, where no header says it.
        units: unit of the signal, where no header says it.
        columns: which columns to take: (axis, signal) or (axis, signal, standard error), from 0.

    Returns:
        One block.

    Raises:
        InputError: no columns of numbers, or it is not plain what they are.
    """
    table = read_table(lines_of(source.text))
    names = table.column_names()
    chosen = columns if columns is not None else _columns(names)
    width = table.rows.shape[1]
    if len(chosen) not in (2, 3) or not all(isinstance(c, int) and 0 <= c < width for c in chosen):
        raise InputError(
            f"It has {width} columns, numbered from 0, of which columns={tuple(chosen)} cannot be taken; "
            "name two or three of them."
        )
    x, y = table.rows[:, chosen[0]], table.rows[:, chosen[1]]
    if not np.all(np.isfinite(x)):
        raise InputError(f"Its axis has {np.sum(~np.isfinite(x))} values that are not numbers; remove those lines.")
    header = names[chosen[0]] or _stated_unit(table.header)
    name, factor = settle_axis(header, axis, float(x.min()), float(x.max()))
    said = units_meaning(names[chosen[1]])
    energy = _PHOTON_ENERGY.search(" ".join(table.header)[:5000])
    return [
        Block(
            name="",
            axis=name,
            values=x * factor,
            signal=y,
            units=said or units,
            counted=said is None and units == "counts",
            variance=table.rows[:, chosen[2]] ** 2 if len(chosen) == 3 else None,
            conditions={"photon_energy_ev": float(energy.group(1))} if energy else {},
        )
    ]


def _columns(names: list[str]) -> tuple[int, ...]:
    if len(names) == 2:
        return (0, 1)
    if len(names) == 3 and is_error(names[2]):
        return (0, 1, 2)
    called = f" ({', '.join(one_line(n, 30) or '?' for n in names[:8])})" if any(names) else ""
    raise InputError(
        f"It has {len(names)} columns{called} and no header that calls the third an error; say which to take, "
        "columns=(0, 1) for axis and signal or columns=(0, 1, 2) for axis, signal and standard error."
    )


def _stated_unit(header: tuple[str, ...]) -> str:
    """Return what lines such as "XUnits = nm" say, and a one-line header of free words as it stands."""
    for line in header:
        found = _STATED.match(line)
        if found:
            return found.group(1)
    first = re.split(r"[,;\t]", header[-1])[0] if header else ""
    return first if len(first) <= 60 and not re.search(r"[=:]", first) else ""
