"""`perolas pump`: from the power on a meter to fluence and excitations in each nanocrystal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.laser.calculator import Setup


@click.command()
@click.option("--power", help='mean power at the sample, e.g. "1 mW"; needs --rep')
@click.option("--rep", help='repetition rate, e.g. "1 kHz"')
@click.option("--energy", help='energy of one pulse at the sample instead of power, e.g. "1 uJ"')
@click.option("--fluence", help='fluence instead of energy and spot, e.g. "254 uJ/cm^2"')
@click.option("--fluence-is", default="peak", show_default=True, help="what --fluence is: peak or mean over the spot")
@click.option("--spot", help='size of the spot, e.g. "30 um", or "30 um x 45 um" for an ellipse')
@click.option(
    "--spot-is",
    default="1/e2 diameter",
    show_default=True,
    help="1/e2 diameter, 1/e2 radius, fwhm, 1/e diameter or top hat",
)
@click.option("--angle", default="0 deg", show_default=True, help="angle of incidence, which stretches the spot")
@click.option("--wavelength", default="800 nm", show_default=True)
@click.option("--pulse", default="50 fs", show_default=True, help="length of the pulse (full width at half maximum)")
@click.option("--shape", default="gaussian", show_default=True, help="of the pulse: gaussian, sech2 or square")
@click.option("--gdd", default="0 fs^2", show_default=True, help="group delay dispersion before the sample")
@click.option("--glass", help='further dispersion by fused silica in the way, e.g. "6 mm"')
@click.option("--size", default="20 nm", show_default=True, help="edge of the nanocrystals (CsPbBr3)")
@click.option("--photons", type=click.Choice(["auto", "1", "2"]), default="auto", show_default=True)
@click.option("--cross-section", help='of one nanocrystal, e.g. "1e6 GM" or "8e-13 cm^2", instead of the literature\'s')
@click.option("--medium", default="toluene", show_default=True, help="around the nanocrystals, for one photon")
@click.option("--temperature", default="300 K", show_default=True, help="before a pulse")
@click.option("--film", help='width of the film, e.g. "5 mm", to check that the spot falls on it')
@click.option("--thickness", help='of the film, e.g. "800 nm": counts its interference with the substrate')
@click.option("--film-index", type=float, help="refractive index of the film  [default: the library's]")
@click.option("--substrate", default="silicon", show_default=True)
@click.option("--draws", default=4000, show_default=True, help="draws of what is not known")
@click.option("--seed", default=0, show_default=True, help="of the draws")
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def pump(**values: Any) -> None:
    """Calculate what a pulsed laser does to CsPbBr3 nanocrystals: fluence, excitations, dose and heating."""
    from perolas.laser import calculator

    answer = calculator.calculate(_setup(values))
    if values["as_json"]:
        click.echo(json.dumps(answer.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    width = max(len(name) for name in answer.quantities)
    click.echo(f"absorption of {'one photon' if answer.photons == 1 else 'two photons'}")
    for name, q in answer.quantities.items():
        unit = "" if q.unit == "1" else f" {q.unit}"
        click.echo(f"  {name:<{width}}  {q.band}{unit}: {q.definition}")
    click.echo("what else moves the excitations")
    for effect in answer.effects:
        click.echo(f"  {effect}")
    for sentence in answer.sentences:
        click.echo(sentence)


def _setup(values: dict[str, Any]) -> Setup:
    from perolas.core import check, units
    from perolas.laser import beams, calculator, pump
    from perolas.laser.calculator import Setup

    def read(name: str, unit: str, called: str | None = None) -> float | None:
        given = values[name]
        return None if given is None else units.convert(given, unit, called or name.replace("_", " "))

    def needed(name: str, unit: str, called: str | None = None) -> float:
        return units.convert(values[name], unit, called or name)

    wavelength = check.positive(needed("wavelength", "nm"), "wavelength", "nm")
    photons = pump.order_of(wavelength) if values["photons"] == "auto" else int(values["photons"])
    section = values["cross_section"]
    gdd = needed("gdd", "fs^2", "gdd")
    if values["glass"] is not None:
        gdd += beams.glass_dispersion_fs2("fused silica", wavelength, units.convert(values["glass"], "mm", "glass"))
    return Setup(
        fluence_uj_cm2=read("fluence", "uJ/cm^2"),
        fluence_is=values["fluence_is"],
        energy_uj=_energy(values),
        spot=_spot(values),
        repetition_hz=read("rep", "Hz", "repetition rate"),
        wavelength_nm=wavelength,
        duration_fs=needed("pulse", "fs", "pulse length"),
        shape=values["shape"],
        gdd_fs2=gdd,
        size_nm=needed("size", "nm"),
        photons=photons,
        cross_section=None if section is None else calculator.read_cross_section(section, photons),
        medium=values["medium"],
        temperature_k=needed("temperature", "K"),
        film_um=read("film", "um"),
        thickness_nm=read("thickness", "nm"),
        film_index=values["film_index"],
        substrate=values["substrate"],
        draws=values["draws"],
        seed=values["seed"],
    )


def _energy(values: dict[str, Any]) -> float | None:
    from perolas.core import units
    from perolas.core.errors import InputError
    from perolas.laser import calculator

    if values["energy"] is not None:
        if values["power"] is not None:
            raise InputError("Give either the power or the energy of a pulse, not both.")
        return units.convert(values["energy"], "uJ", "energy")
    if values["power"] is None:
        return None
    if values["rep"] is None:
        raise InputError('The power needs a repetition rate, e.g. --rep "1 kHz".')
    power = units.convert(values["power"], "mW", "power")
    return calculator.energy_uj(power, units.convert(values["rep"], "Hz", "repetition rate"))


def _spot(values: dict[str, Any]) -> Any:
    from perolas.core import units
    from perolas.core.errors import InputError, one_line
    from perolas.laser.beams import Spot

    if values["spot"] is None:
        return None
    parts = [part for part in values["spot"].replace("×", " x ").split(" x ") if part.strip()]
    if not 1 <= len(parts) <= 2:
        raise InputError(
            f'The spot must be such as "30 um" or "30 um x 45 um", but is "{one_line(values["spot"], 60)}".'
        )
    sizes = [units.convert(part.strip(), "um", "spot") for part in parts]
    angle = units.convert(values["angle"], "deg", "angle")
    return Spot(sizes[0], values["spot_is"], sizes[1] if len(sizes) == 2 else None, angle)
