"""`perolas info`, `formats`, `techniques` and `cite`: what perolas knows, without calculating anything."""

from __future__ import annotations

import dataclasses
import json

import click


def _json(data: object) -> None:
    click.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


@click.command()
@click.argument("name", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def info(name: tuple[str, ...], as_json: bool) -> None:
    """Show the parameters that NAME means, each with value, conditions and source."""
    from perolas.matter import parameters_library

    query = " ".join(name)
    if as_json:
        _json([dataclasses.asdict(item) for item in parameters_library.find(query)])
    else:
        click.echo(parameters_library.info(query))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def formats(as_json: bool) -> None:
    """List the file formats that can be read."""
    from perolas.io.detect import formats as known

    if as_json:
        _json([dataclasses.asdict(f) for f in known()])
        return
    rows = [(f.name, " ".join(f.extensions), f.description, f.package) for f in known()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        click.echo(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}".rstrip())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def techniques(as_json: bool) -> None:
    """List the techniques; the options of one: perolas fit --technique NAME --help."""
    from perolas.measurements.registry import techniques as known

    if as_json:
        _json([dataclasses.asdict(t) for t in known().values()])
        return
    width = max(len(name) for name in known())
    for name, technique in known().items():
        click.echo(f"{name:<{width}}  {technique.summary}")


@click.command()
@click.argument("study")
def cite(study: str) -> None:
    """Print the BibTeX of the paper that STUDY is about and of every source that its results rest on."""
    from perolas.study.sources import bibtex

    click.echo(bibtex(study))
