"""`perolas simulate`: a specimen, or an instrument's own parameters, to a file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perolas.cli.options import TechniqueCommand, gathered

if TYPE_CHECKING:
    import xarray as xr


class _Simulate(TechniqueCommand):
    """The technique is the first argument here."""

    def named(self, arguments: list[str]) -> str | None:
        """Return the first argument that is no option."""
        return arguments[0] if arguments and not arguments[0].startswith("-") else None


@click.command(cls=_Simulate, simulated=True)
@click.argument("technique")
@click.option("--specimen", metavar="FILE.toml", help="a table of a specimen, or a study with --name")
@click.option("--name", metavar="NAME", help="which specimen, where the file holds several")
@click.option("-o", "--output", required=True, metavar="FILE", help="FILE.nc, or FILE.txt or FILE.csv in two columns")
@click.pass_context
def simulate(ctx: click.Context, **values: Any) -> None:
    """Simulate TECHNIQUE and write the observation; its options: simulate TECHNIQUE --help."""
    from perolas.core.errors import InputError
    from perolas.study import execute, single, store

    chosen = ctx.meta.get("technique")
    if chosen is None:
        raise click.UsageError("Name the technique first: perolas simulate TECHNIQUE [options] -o FILE.")
    path = Path(values["output"])
    if path.suffix.lower() not in (".nc", ".txt", ".csv"):
        raise InputError(f'"{path.name}" must end in .nc, .txt or .csv.')
    options = gathered(chosen, values)
    specimen = None if values["specimen"] is None else _specimen(Path(values["specimen"]), values["name"])
    observation = single.simulate(chosen.name, specimen, **{"seed": 0, **options})
    data = execute.netcdf(observation) if path.suffix.lower() == ".nc" else _columns(observation, path.suffix.lower())
    try:
        store.write_file(path, data)
    except OSError as error:
        raise InputError(f'"{path.name}" cannot be written: {error.strerror or error}.') from None


def _specimen(path: Path, name: str | None) -> dict[str, Any]:
    """Read the table of a specimen: a whole file, or [specimen.NAME] of one."""
    from perolas.core import check
    from perolas.core.errors import InputError, one_line

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f'There is no file "{one_line(path.name, 80)}".') from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f'"{one_line(path.name, 80)}" cannot be read as TOML: {one_line(error, 120)}.') from None
    found = table.get("specimen")
    if not isinstance(found, dict):
        return table
    if name is None and len(found) != 1:
        raise InputError(f"Say which specimen with --name: {', '.join(sorted(found))}.")
    chosen = next(iter(found)) if name is None else check.one_of(name, found, "The specimen")
    return {k: v for k, v in found[chosen].items() if k != "uses"}


def _columns(observation: xr.Dataset, suffix: str) -> bytes:
    """Return axis and signal as two columns with a line that names them."""
    from perolas.core.errors import InputError
    from perolas.core.observation import axis_of

    axis, signal = axis_of(observation), observation["signal"]
    if signal.ndim != 1:
        raise InputError("Only a single signal fits into two columns; write a .nc file.")
    mark = "," if suffix == ".csv" else "\t"
    rows = [f"{axis}{mark}signal_{signal.attrs['units']}"]
    rows += [f"{float(x)!r}{mark}{float(y)!r}" for x, y in zip(observation[axis].values, signal.values, strict=True)]
    return ("\n".join(rows) + "\n").encode()
