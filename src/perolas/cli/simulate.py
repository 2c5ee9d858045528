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
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="FILE.nc; two columns: FILE.txt, FILE.csv; an image: FILE.tif, FILE.png",
)
@click.pass_context
def simulate(ctx: click.Context, **values: Any) -> None:
    """Simulate TECHNIQUE and write the observation; its options: simulate TECHNIQUE --help."""
    from perolas.core.errors import InputError
    from perolas.study import execute, single, store

    chosen = ctx.meta.get("technique")
    if chosen is None:
        raise click.UsageError("Name the technique first: perolas simulate TECHNIQUE [options] -o FILE.")
    path = Path(values["output"])
    if path.suffix.lower() not in (".nc", ".txt", ".csv", ".tif", ".png"):
        raise InputError(f'"{path.name}" must end in .nc, .txt, .csv, .tif or .png.')
    options = gathered(chosen, values)
    specimen = None if values["specimen"] is None else _specimen(Path(values["specimen"]), values["name"])
    observation = single.simulate(chosen.name, specimen, **{"seed": 0, **options})
    match path.suffix.lower():
        case ".nc":
            data = execute.netcdf(observation)
        case ".tif" | ".png" as suffix:
            data = _image(observation, suffix)
        case suffix:
            data = _columns(observation, suffix)
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


def _image(observation: xr.Dataset, suffix: str) -> bytes:
    """Return an image in 16 bits, with the size of its pixels (TIFF) where it is known."""
    import io

    import numpy as np
    from PIL import Image

    from perolas.core.errors import InputError
    from perolas.core.observation import is_image, pixel_nm

    if not is_image(observation):
        raise InputError("Only an image can be written as .tif or .png; write a .nc, .txt or .csv file.")
    signal = np.asarray(observation["signal"].values)
    # Counts stay counts where 16 bits hold them; anything else is stretched to fill them.
    whole = observation["signal"].attrs["units"] == "counts" and signal.max() < 2**16
    low, high = (0.0, 65535.0) if whole else (float(signal.min()), float(signal.max()))
    grey = np.round((signal - low) * 65535.0 / max(high - low, 1e-300)).astype(np.uint16)
    scale = pixel_nm(observation)
    kept = io.BytesIO()
    image = Image.fromarray(grey)
    if suffix == ".png":
        image.save(kept, format="PNG")
    elif scale is None:
        image.save(kept, format="TIFF")
    else:
        image.save(kept, format="TIFF", resolution_unit="cm", x_resolution=1e7 / scale, y_resolution=1e7 / scale)
    return kept.getvalue()
