"""`perolas transform`: how Cs4PbBr6 turns into CsPbBr3 in water and light, with bands and a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.matter.transformation.forecast import Bench, Calibrated


@click.command()
@click.option("--water", default="125 uL", show_default=True, help="volume of water, or none to let it never limit")
@click.option("--light", default="dark", show_default=True, help='e.g. "365 nm, 2 mW/cm^2"')
@click.option("--hours", default=48.0, show_default=True, help="how long the run is watched")
@click.option("--temperature", default="25 degC", show_default=True)
@click.option("--lead", default="6.67 umol", show_default=True, help="lead in Cs4PbBr6 that the recipe allows")
@click.option("--volume", default="1 mL", show_default=True, help="of the dispersion in toluene")
@click.option(
    "--vial", default="open", show_default=True, help="open (lit from above), quartz or borosilicate (through the wall)"
)
@click.option("--seeds", default=0.0, show_default=True, help="share of CsPbBr3 at the beginning, e.g. 0.001")
@click.option("--transport", default="0 h", show_default=True, help="time that lead needs to come to the water")
@click.option(
    "--sweep",
    metavar="WHAT=VALUES",
    help="wavelength, irradiance, temperature or water over a:b:n or a,b,c (nm, mW/cm^2, degC, uL)",
)
@click.option(
    "--seen",
    multiple=True,
    metavar="EVENT",
    help='instead of a forecast, infer from times: "onset 1-8 h dark", "completion 3-5 h 365 nm, 2 mW/cm^2" ...',
)
@click.option(
    "--curve",
    multiple=True,
    metavar="FILE=LIGHT",
    help="instead of a forecast, fit measured fractions: columns of time in h, fraction, error; 0.02 if not given",
)
@click.option("--limits", is_flag=True, help="also the completion for several limits of detection")
@click.option(
    "--counts",
    type=float,
    help="watched by patterns with so many counts at the highest point: sets both limits of detection",
)
@click.option(
    "--pattern",
    metavar="FILE.json",
    help="the same from a measured pattern: its estimate, as written by perolas fit -t xrd --json",
)
@click.option("--draws", default=200, show_default=True, help="draws of what is not known")
@click.option("--seed", default=0, show_default=True, help="of the draws")
@click.option("-o", "--output", metavar="FILE", help="picture: FILE.png, .pdf or .svg")
@click.option("--json", "as_json", is_flag=True, help="print the forecast as JSON and nothing else")
def transform(**values: Any) -> None:
    """Forecast onset and completion of the transformation in water, as X-ray diffraction would see them."""
    from perolas.core.errors import InputError
    from perolas.matter.transformation.forecast import Unknowns, calibrate
    from perolas.matter.transformation.outlook import outlook, sweep

    output = None if values["output"] is None else Path(values["output"])
    if output is not None and output.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InputError(f'"{output.name}" must end in .png, .pdf or .svg.')
    if not 2 <= values["draws"] <= 100_000:
        raise InputError(f'Argument "draws" must lie between 2 and 100000, but is {values["draws"]}.')
    bench = _bench(values)
    if values["seen"] or values["curve"]:
        _infer(values)
        return
    wanted = None if values["sweep"] is None else _sweep(values["sweep"])
    limits = _watched(values)
    calibrated = calibrate(Unknowns.draw(values["draws"], values["seed"]))
    if limits:  # the calibration keeps those of the diffractometer that it was seen by
        calibrated = replace(calibrated, unknowns=calibrated.unknowns.fixed(**limits))
    found = outlook(calibrated, bench, values["hours"])
    rows = [] if wanted is None else sweep(calibrated, bench, *wanted)
    if values["as_json"]:
        result = found.to_json()
        if limits:
            result["limits"] = limits
        if wanted is not None:
            result["sweep"] = [
                {wanted[0]: v, "onset": onset.to_json(), "completion": completion.to_json()}
                for v, onset, completion in rows
            ]
        click.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        if limits:
            click.echo(
                f"These patterns show CsPbBr3 from {limits['onset_limit']:.2%} of the lead on, and Cs4PbBr6 up to "
                f"{limits['completion_limit']:.2%}."
            )
        click.echo(f"onset       {found.onset}")
        click.echo(f"completion  {found.completion}")
        if bench.wavelength_nm is not None and bench.irradiance_mw_cm2 > 0:
            _exponent(calibrated, bench)
        for value, onset, completion in rows:
            click.echo(f"{wanted[0] if wanted else ''} {value:g}: onset {onset}; completion {completion}")
        if values["limits"]:
            _limits(bench)
        for sentence in found.sentences:
            click.echo(sentence)
    if output is not None:
        _draw(output, found, rows, values, wanted)


def _watched(values: dict[str, Any]) -> dict[str, float]:
    """Return the limits of detection of the patterns that watch the run; empty where nothing is said."""
    from perolas.core.errors import InputError, one_line

    if values["counts"] is not None and values["pattern"] is not None:
        raise InputError('Give "--counts" or "--pattern", not both: each says what a pattern shows.')
    if values["counts"] is not None:
        from perolas.measurements.xrd.detection import conversion_limits

        return conversion_limits(values["counts"])
    if values["pattern"] is None:
        return {}
    from perolas.measurements.xrd.detection import limits_of_estimate

    shown = one_line(Path(values["pattern"]).name, 80)
    try:
        found = json.loads(Path(values["pattern"]).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f'"{shown}" cannot be read: {error.strerror or "it is no file"}.') from None
    except (ValueError, RecursionError):
        raise InputError(f'"{shown}" is no JSON; write it with perolas fit -t xrd --json.') from None
    return limits_of_estimate(found)


def _infer(values: dict[str, Any]) -> None:
    from perolas.cli import seen
    from perolas.core.errors import InputError
    from perolas.matter.transformation.curves import fit_curves
    from perolas.matter.transformation.inference import infer
    from perolas.matter.transformation.rivals import LAWS

    for name in ("output", "sweep", "counts", "pattern"):
        if values[name] is not None:
            raise InputError(f'"--{name}" belongs to a forecast, not to observations.')

    def conditions(light: str) -> Any:
        bench = _bench({**values, "light": light})
        return bench.conditions_of(1.0)

    points = seen.points(values["curve"], conditions)
    fit = fit_curves(points) if points else None
    observed: list[Any] = [*seen.sightings(values["seen"], conditions), *points]
    found = []
    for i, name in enumerate(LAWS):
        click.echo(f"{i} of {len(LAWS)} rate laws done ({name})", err=True)
        found.append(infer(name, observed, seed=values["seed"]))
    found.sort(key=lambda one: -one.log_evidence)
    if values["as_json"]:
        result = {"laws": seen.as_json(found), "curves": None if fit is None else fit.to_json()}
        click.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))
        return
    if fit is not None:
        click.echo(f"The curves alone, by the bare-surface law:\n{fit}\n")
    seen.show(found)


def _limits(bench: Bench) -> None:
    from perolas.matter.transformation.outlook import by_limits

    onsets, completions = (0.02, 0.05, 0.10), (0.95, 0.96, 0.97)
    click.echo("completion in h, if the new phase shows at ... and the old one is gone at ...")
    click.echo("      " + "".join(f"{b:>22.0%}" for b in completions))
    for a, row in zip(onsets, by_limits(bench, onsets, completions), strict=True):
        click.echo(f"{a:>6.0%}" + "".join(f"{band!s:>22s}" for band in row))


def _exponent(calibrated: Calibrated, bench: Bench) -> None:
    from perolas.matter.transformation.outlook import Band, local_exponents

    band = Band.of(local_exponents(calibrated, bench))
    click.echo(
        f"completion follows irradiance to the power {band.median:.2f} ({band.low68:.2f} to {band.high68:.2f}), "
        "between half and twice this irradiance;"
    )
    rest = []
    for factor in (1 / 256, 1 / 16, 16, 256):
        other = replace(bench, irradiance_mw_cm2=bench.irradiance_mw_cm2 * factor)
        power = Band.of(local_exponents(calibrated, other)).median
        rest.append(f"{power:.2f} at {other.irradiance_mw_cm2:.2g} mW/cm^2")
    click.echo(f"  it is {', '.join(rest)}: the dark rules at one end, stripping at the other")


def _bench(values: dict[str, Any]) -> Bench:
    from perolas.core import check, units
    from perolas.core.errors import InputError
    from perolas.matter.transformation.forecast import Bench

    wavelength, irradiance = _light(values["light"])
    water = None if values["water"].strip().lower() == "none" else units.convert(values["water"], "uL", "water")
    if water is not None and not water > 0:
        raise InputError(f'Argument "water" must be above 0 uL, but is {water:g} uL: without water nothing happens.')
    seeds = check.positive(values["seeds"], "seeds", zero=True)
    if seeds >= 0.5:
        raise InputError(f'Argument "seeds" is a share and must be below 0.5, but is {seeds:g}.')
    return Bench(
        lead_umol=check.positive(units.convert(values["lead"], "umol", "lead"), "lead", "umol"),
        volume_ml=check.positive(units.convert(values["volume"], "mL", "volume"), "volume", "mL"),
        water_ul=water,
        wavelength_nm=wavelength,
        irradiance_mw_cm2=irradiance,
        vial=values["vial"],
        temperature_k=_kelvin(units.convert(values["temperature"], "K", "temperature")),
        transport_h=check.positive(units.convert(values["transport"], "h", "transport"), "transport", "h", zero=True),
        seeds=seeds,
    )


def _kelvin(temperature_k: float) -> float:
    from perolas.core.errors import InputError

    if not 250.0 <= temperature_k <= 400.0:
        raise InputError(f"The temperature must leave water and toluene liquid, but is {temperature_k:.0f} K.")
    return temperature_k


def _light(text: str) -> tuple[float | None, float]:
    """Read ``"365 nm, 2 mW/cm^2"`` or ``"dark"``."""
    from perolas.core import check, units
    from perolas.core.errors import InputError, one_line

    if text.strip().lower() == "dark":
        return None, 0.0
    parts = text.split(",")
    if len(parts) != 2:
        raise InputError(f'The light must be "dark" or such as "365 nm, 2 mW/cm^2", but is "{one_line(text, 60)}".')
    return (
        check.positive(units.convert(parts[0].strip(), "nm", "wavelength"), "wavelength", "nm"),
        check.positive(units.convert(parts[1].strip(), "mW/cm^2", "irradiance"), "irradiance", "mW/cm^2", zero=True),
    )


def _sweep(text: str) -> tuple[str, list[float]]:
    """Read ``"wavelength=300:600:13"`` or ``"water=20,50,125"``; temperatures are given in degC and become K."""
    import numpy as np

    from perolas.core import check
    from perolas.core.errors import InputError, one_line
    from perolas.matter.transformation.outlook import SWEEPS

    what, mark, listed = text.partition("=")
    what = check.one_of(what.strip(), SWEEPS, "The condition to sweep")
    try:
        if ":" in listed:
            low, high, count = listed.split(":")
            if not 1 <= int(count) <= 500:
                raise ValueError
            values = np.linspace(float(low), float(high), int(count))
        else:
            values = np.array([float(v) for v in listed.split(",")])
        if not mark or not np.all(np.isfinite(values)):
            raise ValueError
    except ValueError:
        raise InputError(
            f'A sweep is written such as "water=20,50,125" or "wavelength=300:600:13", not "{one_line(text, 60)}".'
        ) from None
    if what == "temperature":
        return what, [_kelvin(float(v) + 273.15) for v in values]
    return what, [check.positive(float(v), what, SWEEPS[what][1], zero=what == "irradiance") for v in values]


def _draw(
    path: Path, found: Any, rows: list[Any], values: dict[str, Any], wanted: tuple[str, list[float]] | None
) -> None:
    import io

    from perolas.core.errors import InputError
    from perolas.matter.transformation.outlook import SWEEPS
    from perolas.report import kinetics
    from perolas.study import store

    label = "" if wanted is None else f"{wanted[0]} ({SWEEPS[wanted[0]][1]})"
    figure = kinetics.draw(found, rows, label=label, title=f"{values['water']} water, {values['light']}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower()[1:])
    try:
        store.write_file(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f'"{path.name}" cannot be written: {error.strerror or error}.') from None
