"""`perolas transform --seen`: what times of diffraction say about the rate laws of a transformation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.matter.transformation.inference import Inferred, Sighting

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
