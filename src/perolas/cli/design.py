"""`perolas design`: which further measurement would settle a question best."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import click


@click.command()
@click.argument("study")
@click.option("--question", "-q", required=True, metavar="NAME", help='parameter of the specimen, e.g. "size"')
@click.option("--specimen", metavar="NAME", help="which specimen, where the study has several")
@click.option("--vary", multiple=True, metavar="NAME", help="a further parameter that is not known either")
@click.option("--have", multiple=True, metavar="NAME", help="a measurement that is made already")
@click.option("--prior", multiple=True, metavar="NAME=STD", help="what is known beforehand, as a standard deviation")
@click.option("--want", metavar="ERROR", help='the standard error wanted, e.g. "0.2 nm"')
@click.option("--seed", default=0, show_default=True, help="of the simulations")
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def design(study: str, question: str, **values: Any) -> None:
    """Rank the simulated measurements of STUDY by what they would say about its specimen.

    Each is simulated, fitted, and judged by its Fisher information with its own nuisances free. Write candidates with
    other counts, angles or times as further measurements of the study.
    """
    from perolas.core import units
    from perolas.core.errors import InputError
    from perolas.core.parameter import slots
    from perolas.matter.specimen import Specimen
    from perolas.study import design as planning

    prior = {}
    for entry in values["prior"]:
        name, mark, std = entry.partition("=")
        if not mark:
            raise InputError('--prior is written NAME=STD, e.g. "size=1".')
        prior[name] = units.convert(std, _unit(name, slots(Specimen.of(), "state")), name)
    unit = _unit(question, slots(Specimen.of(), "state"))
    want = None if values["want"] is None else units.convert(values["want"], unit, "want")

    def progress(name: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{done + 1} of {total}: {name}", nl=False, err=True)

    found = planning.design(
        study,
        question,
        specimen=values["specimen"],
        vary=values["vary"],
        have=values["have"],
        prior=prior,
        want=want,
        seed=values["seed"],
        progress=progress,
    )
    if values["as_json"]:
        click.echo(json.dumps(_plain(found, want), indent=1, ensure_ascii=False, allow_nan=False))
        return
    label = "" if found.unit == "1" else f" {found.unit}"
    now = "not determined" if math.isinf(found.std_now) else f"± {found.std_now:.2g}{label}"
    click.echo(f"{found.question} = {found.value:g}{label}; now {now}")
    width = max(len(p.measurement) for p in found.prospects)
    for p in found.prospects:
        error = "not determined" if math.isinf(p.std) else f"± {p.std:.2g}{label}"
        click.echo(f"  {p.measurement:<{width}}  {error}{_enough(p.times)}")
    for name, why in found.failed.items():
        click.echo(f"  {name:<{width}}  could not be judged: {why}")


def _unit(name: str, known: Any) -> str:
    from perolas.core import check

    by_name = {s.name: s.unit for s in known}
    return by_name[check.one_of(name, by_name, "The parameter")]


def _enough(times: float) -> str:
    if math.isnan(times):
        return ""
    if math.isinf(times):
        return "; no amount of it gives the error wanted"
    return f"; {times:.2g} times its data give the error wanted"


def _plain(found: Any, want: float | None) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "question": found.question,
        "unit": found.unit,
        "value": found.value,
        "std_now": number(found.std_now),
        "want": want,
        "prospects": [
            {"measurement": p.measurement, "std": number(p.std), "times": number(p.times)} for p in found.prospects
        ],
        "failed": found.failed,
    }
