"""`perolas series`: powder patterns of one sample against time, fitted as one batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.measurements.xrd.series import Series

_MOST_FILES = 2000


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--times", required=True, help='when each pattern was measured, e.g. "0,1,2,4 h"')
@click.option("--phases", required=True, help="phases of the library, e.g. Cs4PbBr6,CsPbBr3,CsBr")
@click.option("--cif", help="a structure file, or a folder of them: more phases")
@click.option("--instrument", metavar="FILE", help="profile of the instrument, as save_instrument wrote it")
@click.option("--anode", help='anode of the tube, e.g. "Cu", where the files do not say it')
@click.option("--window", help='part of the two-theta axis to fit, e.g. "10 50"')
@click.option("--product", default="CsPbBr3", show_default=True, help="phase whose onset is wanted")
@click.option("--parent", default="Cs4PbBr6", show_default=True, help="phase whose completion is wanted")
@click.option(
    "--curve", metavar="FILE.csv", help="write time, converted fraction, error: for perolas transform --curve"
)
@click.option("--figure", metavar="FILE.png", help="draw the weight fractions against time")
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def series(**values: Any) -> None:
    """Fit FILES, patterns on one axis (or one file that holds a batch), and print fractions against time."""
    from perolas.core.errors import InputError
    from perolas.measurements.xrd.series import fit_series

    times = _times(values["times"])
    for name in ("curve", "figure"):
        if values[name] and not Path(values[name]).absolute().parent.is_dir():
            raise InputError(f'The folder for "{Path(values[name]).name}" does not exist.')
    if values["figure"] and Path(values["figure"]).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InputError(f'"{Path(values["figure"]).name}" must end in .png, .pdf or .svg.')
    options = {k: values[k] for k in ("cif", "instrument", "anode") if values[k] is not None}
    if values["window"] is not None:
        from perolas.measurements.registry import convert_options, technique

        options |= convert_options(technique("xrd"), {"window": values["window"]})
    names = tuple(values["phases"].replace(",", " ").split())
    found = fit_series(_patterns(values["files"]), times, phases=names, **options)
    for name in ("product", "parent"):
        found.onset(values[name])  # a name that was not fitted is refused before anything is written
    if values["curve"]:
        _write(Path(values["curve"]), _csv(found))
    if values["figure"]:
        _figure(found, Path(values["figure"]))
    onset, completion = found.onset(values["product"]), found.completion(values["parent"])
    if values["as_json"]:
        result = found.to_json() | {"onset": list(onset), "completion": list(completion)}
        click.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))
        return
    click.echo(found)
    click.echo(_said(f"onset of {values['product']}", onset, "was there from the beginning", "did not come"))
    click.echo(_said(f"completion ({values['parent']} gone)", completion, "was gone at the beginning", "did not end"))


def _times(text: str) -> list[float]:
    """Read ``"0,1,2 h"`` or ``"0 20 60 min"``, in h."""
    from perolas.core import units
    from perolas.core.errors import InputError, one_line

    words = text.replace(",", " ").split()
    unit = words.pop() if words and not words[-1].replace(".", "").replace("-", "").isdigit() else "h"
    try:
        return [units.convert(f"{float(w)} {unit}", "h", "times") for w in words]
    except ValueError:
        raise InputError(f'Times are written such as "0,1,2,4 h", not "{one_line(text, 60)}".') from None


def _patterns(files: tuple[str, ...]) -> Any:
    """Return one observation with a batch: that of the only file, or all files on one axis."""
    import numpy as np

    from perolas.core.errors import InputError, one_line
    from perolas.core.observation import axis_of, conditions_of, make_observation
    from perolas.study import single

    if len(files) > _MOST_FILES:
        raise InputError(f"There are {len(files)} files, more than the {_MOST_FILES} that are read.")
    found = [single.read(f, "xrd") for f in files]
    first = found[0]
    if len(found) == 1:
        return first
    axis = axis_of(first)
    for file, one in zip(files, found, strict=True):
        same = axis_of(one) == axis and one[axis].shape == first[axis].shape
        if not same or not np.allclose(one[axis].values, first[axis].values, atol=1e-4) or one["signal"].ndim != 1:
            raise InputError(f'"{one_line(Path(file).name, 80)}" is not on the axis of the first pattern.')
        if one["signal"].attrs["units"] != first["signal"].attrs["units"]:
            raise InputError(f'"{one_line(Path(file).name, 80)}" has another unit than the first pattern.')
    variance = [o["variance"].values for o in found if "variance" in o]
    return make_observation(
        np.stack([o["signal"].values for o in found]),
        axis,
        first[axis].values,
        units=str(first["signal"].attrs["units"]),
        variance=np.stack(variance) if len(variance) == len(found) else None,
        conditions=conditions_of(first),
        technique="xrd",
    )


def _said(what: str, interval: tuple[float | None, float | None], before: str, never: str) -> str:
    low, high = interval
    if low is None:
        return f"{what}: {before} ({high:g} h)"
    return f"{what}: {never} up to {low:g} h" if high is None else f"{what}: between {low:g} and {high:g} h"


def _csv(found: Series) -> bytes:
    from perolas.core.errors import InputError

    if found.converted is None or found.converted_std is None:
        raise InputError("A converted fraction needs the phases Cs4PbBr6 and CsPbBr3; name both.")
    # An error of nothing would pin a kinetic model to a bound; no pattern knows a fraction that well.
    rows = zip(found.times, found.converted, found.converted_std, strict=True)
    lines = [f"{t:.6g}, {x:.6g}, {max(s, 1e-4):.3g}" for t, x, s in rows]
    return ("time (h), converted fraction of the lead, standard error\n" + "\n".join(lines) + "\n").encode()


def _figure(found: Series, path: Path) -> None:
    import io

    import matplotlib
    from matplotlib.figure import Figure

    from perolas.report.figures import STYLE

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(6.4, 3.8), dpi=200, layout="constrained")
        axes = figure.subplots()
        for i, name in enumerate(found.phases):
            line = axes.errorbar(
                found.times, found.fraction[:, i], found.std[:, i], fmt="o-", markersize=3, linewidth=1, label=name
            )
            axes.plot(found.times, found.limit[:, i], ":", color=line[0].get_color(), linewidth=0.8)
        axes.set_xlabel("time (h)")
        axes.set_ylabel("weight fraction (dotted: seen above)")
        axes.legend()
        figure.savefig(buffer, format=path.suffix.lower()[1:])
    _write(path, buffer.getvalue())


def _write(path: Path, data: bytes) -> None:
    from perolas.core.errors import InputError
    from perolas.study.store import write_file

    try:
        write_file(path, data)
    except OSError as error:
        raise InputError(f'"{path.name}" cannot be written: {error.strerror or error}.') from None
