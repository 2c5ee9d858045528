"""`perolas transform --seen` and `--curve`: what observations say about the rate laws of a transformation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.matter.transformation.inference import Inferred, Point, Sighting

_LARGEST = 1_000_000
# Where a file gives no error of the fraction: what powder diffraction usually reaches.
_USUAL_STD = 0.02
_FORM = re.compile(r"\s*(onset|completion)\s+(\S+)\s*-\s*(\S+)\s*(h|min)\s+(.+)")


def sightings(texts: Sequence[str], conditions: Callable[[str], Any]) -> list[Sighting]:
    """Read sightings such as ``"onset 1-8 h dark"`` or ``"completion 3-5 h 365 nm, 2 mW/cm^2"``.

    Args:
        texts: one for each event: what, last time without it, first time with it (or ``never``), the light.
        conditions: light as text -> the conditions of the run.

    Returns:
        The sightings.

    Raises:
        InputError: a text that cannot be read.
    """
    from perolas.core.errors import InputError, one_line
    from perolas.matter.transformation.inference import Sighting

    found = []
    for text in texts:
        match = _FORM.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            event, after, by, unit, light = match.groups()
            scale = 1.0 if unit == "h" else 1.0 / 60.0
            last = float("inf") if by == "never" else float(by) * scale
            first = float(after) * scale
        except ValueError:
            raise InputError(
                'A sighting is written such as "onset 1-8 h dark" or "completion 3-5 h 365 nm, 2 mW/cm^2", not '
                f'"{one_line(text, 60)}".'
            ) from None
        if not 0 <= first < last:
            raise InputError(f'A sighting needs its first time before its second, unlike "{one_line(text, 60)}".')
        found.append(Sighting(event, first, last, conditions(light)))
    return found


def points(texts: Sequence[str], conditions: Callable[[str], Any]) -> list[Point]:
    """Read curves such as ``"dark.csv=dark"``: files with a time in h, a fraction, and its standard error if known.

    Args:
        texts: one for each run: file, an equals sign, the light.
        conditions: light as text -> the conditions of the run.

    Returns:
        The points of all runs.

    Raises:
        InputError: a file or a text that cannot be read, or numbers that cannot be.
    """
    from perolas.core.errors import InputError, one_line

    found = []
    for text in texts:
        name, mark, light = text.partition("=")
        if not mark:
            raise InputError(f'A curve is written such as "dark.csv=dark", not "{one_line(text, 60)}".')
        run = conditions(light)
        found += [_point(row, i, Path(name).name, run) for i, row in _rows(Path(name))]
    return found


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines of a small table that begin with a number, with their place in the file."""
    from perolas.core.errors import InputError, one_line

    shown = one_line(path.name, 80)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f'"{shown}" is larger than 1 MB, which no table of fractions is.')
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f'There is no file "{shown}".') from None
    except UnicodeDecodeError:
        raise InputError(f'"{shown}" is not UTF-8 text.') from None
    except OSError as error:
        raise InputError(f'"{shown}" cannot be read: {error.strerror or error}.') from None
    split = [(i, re.split(r"[\s,;]+", line.strip())) for i, line in enumerate(lines, 1)]
    rows = [(i, row) for i, row in split if re.match(r"[-+.\d]", row[0])]
    if not rows:
        raise InputError(f'"{shown}" holds no line with a time and a fraction.')
    return rows


def _point(row: list[str], line: int, name: str, run: Any) -> Point:
    from perolas.core.errors import InputError, one_line
    from perolas.matter.transformation.inference import Point

    try:
        numbers = [float(v) for v in row if v]
        if len(numbers) not in (2, 3) or not all(math.isfinite(v) for v in numbers):
            raise ValueError
    except ValueError:
        raise InputError(
            f'Line {line} of "{one_line(name, 80)}" should hold a time in h, a fraction and perhaps its error.'
        ) from None
    std = numbers[2] if len(numbers) == 3 else _USUAL_STD
    if numbers[0] < 0 or not -0.5 < numbers[1] < 1.5 or std <= 0:
        raise InputError(
            f'Line {line} of "{one_line(name, 80)}": a time is not negative, a fraction lies between 0 and 1 (not in '
            "per cent), its error is positive."
        )
    return Point(numbers[0], numbers[1], std, run)


def show(found: Sequence[Inferred]) -> None:
    """Print the comparison of the laws and what is known of the best one."""
    from perolas.matter.transformation.inference import table

    click.echo(table(found))
    click.echo()
    click.echo(found[0])


def as_json(found: Sequence[Inferred]) -> list[dict[str, Any]]:
    """Return the comparison as JSON-like data."""
    return [
        {
            "law": one.law,
            "log_evidence": one.log_evidence,
            "log_evidence_std": one.log_evidence_std,
            "best_log_likelihood": one.best_log_likelihood,
            "undetermined": list(one.undetermined),
            "quantities": {
                name: {"value": float(draws.mean()), "std": float(draws.std()), "learnt": one.learnt[name]}
                for name, draws in one.samples.items()
            },
        }
        for one in found
    ]
