"""`perolas fit`: one file, one technique, one estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from perolas.cli.guard import DONE, FAILED
from perolas.cli.options import TechniqueCommand, gathered


@click.command(cls=TechniqueCommand)
@click.argument("file")
@click.option("--technique", "-t", required=True, metavar="NAME", help="technique; its options: fit -t NAME --help")
@click.option("--region", metavar="NAME", help="region or block of the file to take, where it holds several")
@click.option("--channel", metavar="N", help="channel, frame or curve of the file to take")
@click.option("--axis", metavar="NAME", help="what the first column of a text file is, e.g. wavelength_nm")
@click.option("--json", "as_json", is_flag=True, help="print the estimate as JSON and nothing else")
@click.option("--figure", metavar="FILE.png", help="draw data, fit, components and residuals")
@click.option("-o", "--output", metavar="FILE.nc", help="write data, fit, components and residuals as NetCDF")
@click.pass_context
def fit(ctx: click.Context, **values: Any) -> int:
    """Fit FILE with a technique and print the estimate with its errors."""
    from perolas.study import single

    chosen = ctx.meta.get("technique")
    if chosen is None:
        raise click.UsageError("Write the technique as --technique NAME.")
    options = gathered(chosen, values)
    hints = {k: values[k] for k in single.READER_HINTS if values.get(k) is not None}
    for name in ("figure", "output"):
        _check_folder(values[name])
    estimate = single.fit(values["file"], chosen.name, **hints, **options)
    as_json = estimate.to_json()
    if values["output"]:
        from perolas.study.execute import netcdf
        from perolas.study.store import write_file

        write_file(Path(values["output"]), netcdf(estimate.to_dataset()))
    if values["figure"]:
        from perolas.report.figures import save

        save(estimate.to_dataset(), as_json, Path(values["figure"]), title=Path(values["file"]).name)
    click.echo(
        json.dumps(as_json, indent=1, ensure_ascii=False, allow_nan=False) if values["as_json"] else str(estimate)
    )
    return DONE if as_json.get("result", "converged") == "converged" else FAILED


def _check_folder(file: str | None) -> None:
    """Refuse a file in a folder that is not there, before the work and not after it."""
    if file and not Path(file).absolute().parent.is_dir():
        from perolas.core.errors import InputError, one_line

        raise InputError(f'The folder for "{one_line(Path(file).name, 80)}" does not exist.')
