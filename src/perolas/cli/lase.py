"""`perolas lase`: the threshold of a pumped nanocrystal film as a distribution, what rules it, and what it emits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.laser.threshold import Forecast, Point, Question

_SHOWN = ("centre", "lasing_wavelength", "linewidth", "linewidth_cold", "area_exponent", "ase_onset", "gain_lifetime")
_WAVES = ("salt", "maxwell")
_MOST_FILMS = 1000
_LOSSES = ("leakage", "absorption", "scattering", "edge")


@click.command()
@click.option(
    "--tier",
    default="rate",
    show_default=True,
    help="rate (one path), diffusion (light walks in the film), salt or maxwell (waves in a piece of film)",
)
@click.option("--compare", "comparing", is_flag=True, help="all tiers side by side on one piece of film")
@click.option("--side", default="4 um", show_default=True, help="of the piece that waves are followed in")
@click.option("--films", default=2, show_default=True, help="pieces of other disorder that waves are followed in")
@click.option("--fluence", help='of the pump, e.g. "250 uJ/cm^2": says how far above threshold that is')
@click.option("--fluence-is", help="what a reported fluence is: peak or mean  [default: either]")
@click.option("--spot", help='size of the spot, e.g. "30 um"  [default: not known]')
@click.option(
    "--spot-is", default="1/e2 diameter", show_default=True, help="1/e2 diameter or radius, fwhm, 1/e diameter, top hat"
)
@click.option("--area", help='of the spot instead of its size, energy over peak fluence, e.g. "700 um^2"')
@click.option("--wavelength", default="800 nm", show_default=True, help="of the pump")
@click.option("--pulse", default="50 fs", show_default=True, help="length of the pulse (full width at half maximum)")
@click.option("--gdd", help='dispersion on the way to the film, e.g. "0 fs^2"  [default: not known]')
@click.option("--temperature", default="77 K", show_default=True)
@click.option("--size", default="20 +- 2 nm", show_default=True, help="edge of the nanocrystals (CsPbBr3)")
@click.option("--cross-section", help='for the pump, e.g. "1e6 GM" or "8e-13 cm^2"  [default: the literature\'s range]')
@click.option("--thickness", help='of the film, e.g. "1 um"  [default: not known]')
@click.option("--filling", type=float, help="volume share of nanocrystals  [default: not known]")
@click.option("--transport", help='transport mean free path, e.g. "5 um"  [default: not known]')
@click.option("--film", help='width of the film, e.g. "5 mm", to check that the spot falls on it')
@click.option("--substrate", default="silicon", show_default=True, help="silicon, glass or fused silica")
@click.option(
    "--sweep",
    metavar="WHAT=VALUES",
    help="fluence, area, temperature or thickness over a:b:n or a,b,c (uJ/cm^2, um^2, K, nm)",
)
@click.option("--draws", default=512, show_default=True, help="draws of what is not known")
@click.option("--seed", default=0, show_default=True, help="of the draws")
@click.option("-o", "--output", metavar="FILE", help="picture: FILE.png, .pdf or .svg")
@click.option("--json", "as_json", is_flag=True, help="print the forecast as JSON and nothing else")
def lase(**values: Any) -> None:
    """Predict at what fluence a film of CsPbBr3 nanocrystals lases, how sure that is, and what the error is made of."""
    import numpy as np

    from perolas.core import check, units
    from perolas.core.errors import InputError
    from perolas.laser import threshold

    output = None if values["output"] is None else Path(values["output"])
    if output is not None and output.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InputError(f'"{output.name}" must end in .png, .pdf or .svg.')
    tier = check.one_of(values["tier"], (*threshold.TIERS, *_WAVES), "The tier")
    question = _question(values)
    if values["comparing"] or tier in _WAVES:
        _pieces(question, tier, values)
        return
    wanted = None if values["sweep"] is None else _sweep(values["sweep"])
    fluence = None
    if values["fluence"] is not None:
        fluence = check.positive(units.convert(values["fluence"], "uJ/cm^2", "fluence"), "fluence", "uJ/cm^2")
    found = threshold.forecast(question, tier, values["draws"], values["seed"])
    points: list[Point] = []
    if wanted is not None and wanted[0] != "fluence":
        points = threshold.sweep(question, wanted[0], wanted[1], tier, values["draws"], values["seed"])
    middle = found.band("threshold").median
    axis = (
        np.array(wanted[1]) if wanted is not None and wanted[0] == "fluence" else middle * np.geomspace(0.1, 10.0, 41)
    )
    curves = np.percentile(threshold.s_curves(found, axis), [5.0, 50.0, 95.0], axis=0)
    if values["as_json"]:
        result = found.to_json() | {"s_curve": _rows(axis, curves)}
        if points:
            assert wanted is not None
            result["sweep"] = {"what": wanted[0], "points": [p.to_json() for p in points]}
        if fluence is not None:
            result["at_fluence"] = _at(found, fluence)
        click.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        _show(found, fluence)
        if wanted is not None and wanted[0] == "fluence":
            for row in _rows(axis, curves):
                low, high = f"{row['low90']:.2g}", f"{row['high90']:.2g}"
                click.echo(f"fluence {row['fluence']:g}: {row['median']:.3g} photons in the mode ({low} to {high})")
        for point in points:
            click.echo(f"{wanted[0] if wanted else ''} {point.value:g}: {point}")
    if output is not None:
        from perolas.cli import lase_picture

        lase_picture.save(output, found, (axis, curves), None if wanted is None else wanted[0], points)


def _pieces(question: Question, tier: str, values: dict[str, Any]) -> None:
    """Follow waves in pieces of film, alone or beside the other tiers."""
    import numpy as np

    from perolas.core import check, units
    from perolas.core.errors import InputError
    from perolas.laser import patch as pieces

    for name in ("sweep", "fluence", "output"):
        if values[name] is not None:
            raise InputError(f"The {name} belongs to the tiers rate and diffusion; leave it out.")
    films = values["films"]
    if not 1 <= films <= _MOST_FILMS:
        raise InputError(f"The number of films must lie between 1 and {_MOST_FILMS}, but is {films}.")
    side = check.positive(units.convert(values["side"], "um", "side"), "side", "um")
    one = pieces.patch(question, side)
    wanted: tuple[str, ...] = (tier,) if tier in _WAVES and not values["comparing"] else ("rate", "diffusion", "salt")
    if tier == "maxwell" and values["comparing"]:
        wanted = pieces.TIERS
    seeds = [values["seed"] + i for i in range(films)]
    found = pieces.compare(one, seeds, wanted, progress=lambda said: click.echo(said, err=True))
    if values["as_json"]:
        shown = {"side_um": side, "tiers": [r.to_json() for r in found.rows], "sentences": list(found.sentences)}
        click.echo(json.dumps(shown, indent=1, ensure_ascii=False, allow_nan=False))
        return
    for row in found.rows:
        if row.lases == 0.0:
            click.echo(f"{row.tier:<10} does not lase: {row.words}")
            continue
        nm = f"{row.wavelength_nm.value:.2f} nm" if np.isfinite(row.wavelength_nm.value) else ""
        click.echo(
            f"{row.tier:<10} threshold {row.fluence_uj_cm2} uJ/cm^2, {row.excitations} excitations, "
            f"gain {row.gain_cm1} 1/cm, first at {nm}: {row.words}"
        )
    for sentence in found.sentences:
        click.echo(sentence)


def _rows(axis: Any, curves: Any) -> list[dict[str, float]]:
    return [
        {"fluence": float(x), "median": float(b), "low90": float(a), "high90": float(c)}
        for x, a, b, c in zip(axis, *curves, strict=True)
    ]


def _at(found: Forecast, fluence: float) -> dict[str, Any]:
    import numpy as np

    from perolas.laser.pump import Band

    over = fluence / found.draws["threshold"]
    excitations = Band.of(found.draws["excitations"] * over**found.question.order)
    return {
        "fluence": fluence,
        "over_threshold": Band.of(over).to_json(),
        "excitations": excitations.to_json(),
        "odds_of_lasing": float(np.mean(over >= 1.0)) * found.lasing_share,
    }


def _show(found: Forecast, fluence: float | None) -> None:
    from perolas.laser.threshold import unknowns
    from perolas.laser.threshold_names import QUANTITIES

    def line(name: str) -> None:
        unit, text = QUANTITIES[name]
        click.echo(f"  {name:<{width}}  {found.band(name)}{'' if unit == '1' else f' {unit}'}: {text}")

    width = max(map(len, QUANTITIES))
    click.echo(f"threshold  {found.band('threshold')} uJ/cm^2, tier {found.tier}")
    line("excitations")
    click.echo("what its uncertainty is made of (shares of the variance of its logarithm, with all interplay)")
    for share in found.budget:
        if share.total > 0.0:
            click.echo(f"  {share}")
    click.echo("emission")
    for name in _SHOWN:
        line(name)
    click.echo("losses")
    for name in _LOSSES:
        line(name)
    click.echo("what is not known")
    for law in unknowns(found.question).values():
        if law.first != law.second and not (law.second == 0.0 and "normal" in law.law):
            click.echo(f"  {law}")
    if fluence is not None:
        at = _at(found, fluence)
        over, n = at["over_threshold"], at["excitations"]
        ends = f"{over['low90']:.2g} to {over['high90']:.2g}"
        click.echo(
            f"{fluence:g} uJ/cm^2 is {over['median']:.2g} times threshold ({ends}), "
            f"with <N> {n['median']:.2g} ({n['low90']:.2g} to {n['high90']:.2g}); the film lases there with odds of "
            f"{at['odds_of_lasing']:.2f}"
        )
    for sentence in found.sentences:
        click.echo(sentence)


def _question(values: dict[str, Any]) -> Question:
    from perolas.core import check, units
    from perolas.laser import calculator, pump
    from perolas.laser.threshold import Question

    def read(name: str, unit: str) -> float | None:
        return None if values[name] is None else units.convert(values[name], unit, name)

    wavelength = check.positive(units.convert(values["wavelength"], "nm", "wavelength"), "wavelength", "nm")
    section = values["cross_section"]
    size, error = _size(values["size"])
    return Question(
        wavelength_nm=wavelength,
        pulse_fs=units.convert(values["pulse"], "fs", "pulse length"),
        temperature_k=units.convert(values["temperature"], "K", "temperature"),
        size_nm=size,
        size_std_nm=error,
        gdd_fs2=read("gdd", "fs^2"),
        fluence_is=values["fluence_is"],
        cross_section=None if section is None else calculator.read_cross_section(section, pump.order_of(wavelength)),
        thickness_nm=read("thickness", "nm"),
        filling=values["filling"],
        transport_um=read("transport", "um"),
        spot_um=_spot(values),
        film_um=read("film", "um"),
        substrate=values["substrate"],
    )


def _size(text: str) -> tuple[float, float]:
    """Read ``"20 nm"`` or ``"20 +- 2 nm"``."""
    from perolas.study import expression

    number = expression.read_number(text, "size").to("nm")
    return number.value, number.std


def _spot(values: dict[str, Any]) -> float | None:
    """Return the diameter of the circle with the spot's energy at its peak fluence, um."""
    from perolas.core import check, units
    from perolas.core.errors import InputError
    from perolas.laser.beams import Spot

    if values["area"] is not None:
        if values["spot"] is not None:
            raise InputError("Give either the spot or its area, not both.")
        area = check.positive(units.convert(values["area"], "um^2", "area"), "area", "um^2")
    elif values["spot"] is not None:
        spot = Spot(units.convert(values["spot"], "um", "spot"), values["spot_is"])
        area = spot.effective_area_cm2 * 1e8
        film = None if values["film"] is None else units.convert(values["film"], "um", "film")
        if film is not None and spot.lit_diameter_um > film:
            raise InputError(
                f"The spot is {spot.lit_diameter_um:.4g} um wide and the film only {film:.4g} um: part of the pulse "
                "misses the film."
            )
    else:
        return None
    return 2.0 * math.sqrt(area / math.pi)


def _sweep(text: str) -> tuple[str, list[float]]:
    """Read ``"area=100,1000"`` or ``"thickness=300:3000:10"``; ``a:b:n`` is even on a logarithmic axis, but for K."""
    import numpy as np

    from perolas.core import check
    from perolas.core.errors import InputError, one_line
    from perolas.laser.threshold.prediction import SWEEPS

    what, mark, listed = text.partition("=")
    what = check.one_of(what.strip(), SWEEPS, "The condition to sweep")
    try:
        if ":" in listed:
            low, high, count = listed.split(":")
            if not 1 <= int(count) <= 100 or not (math.isfinite(float(low)) and math.isfinite(float(high))):
                raise ValueError
            ends = [check.positive(float(x), what, SWEEPS[what][1]) for x in (low, high)]
            values = (np.linspace if what == "temperature" else np.geomspace)(ends[0], ends[1], int(count))
        else:
            values = np.array([float(v) for v in listed.split(",")])
        if not mark or not np.all(np.isfinite(values)) or values.size > 100:
            raise ValueError
    except ValueError:
        raise InputError(
            f'A sweep is written such as "area=100,1000" or "thickness=300:3000:10", not "{one_line(text, 60)}".'
        ) from None
    return what, [check.positive(float(v), what, SWEEPS[what][1]) for v in values]
