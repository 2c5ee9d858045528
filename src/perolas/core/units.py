"""Units are converted here, at the door; inside, the suffix of a name is its unit."""

from __future__ import annotations

import math
import re
from functools import cache, partial
from typing import Any

from perolas.core.errors import InputError, one_line

# CODATA 2018 (the first five exact by the definition of the SI): the only place for conversion constants.
HC_EV_NM = 1239.8419843320026
BOLTZMANN_EV_K = 8.617333262145179e-5
ELEMENTARY_CHARGE_C = 1.602176634e-19
SPEED_OF_LIGHT_NM_FS = 299.792458
AVOGADRO_PER_MOL = 6.02214076e23
GAS_CONSTANT_KJ_MOL_K = BOLTZMANN_EV_K * ELEMENTARY_CHARGE_C * AVOGADRO_PER_MOL / 1e3
HBAR2_PER_2ME_EV_NM2 = 0.03809982116154859  # hbar^2 / (2 electron masses)
COULOMB_EV_NM = 1.439964547842567  # e^2 / (4 pi eps0)
FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))

_EXPONENT = re.compile(r"(?<=[A-Za-zµμ])(?=-?\d)")  # "cm-1" and "mW/cm2" as people write them
_SHOTS = re.compile(r"\bshots?\b")
_NUMBER = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@cache
def registry() -> Any:
    """Return the one pint registry, built when it is first needed (it takes a fifth of a second).

    Returns:
        A `pint.UnitRegistry` that also knows counts, `px`, `ML` and shots.
    """
    import pint

    # To pint a shot is three tablespoons, and it keeps to that when the name is defined anew.
    units: Any = pint.UnitRegistry(cache_folder=None, preprocessors=[partial(_SHOTS.sub, "laser_shot")])
    units.define("laser_shot = []")
    units.define("cps = count / second")
    return units


def convert(value: object, unit: str, name: str = "value") -> float:
    """Convert a quantity written by a person to a number in `unit`.

    Args:
        value: a number (taken to be in `unit` already) or text such as ``"254 uJ/cm^2"``.
        unit: the unit wanted, e.g. ``"ns"``, ``"cm-1"``, ``"uJ/cm^2"``.
        name: what the number is, for the message.

    Returns:
        The number in `unit`.

    Raises:
        InputError: not a number, an unknown unit, one that does not fit, or not finite.
    """
    if isinstance(value, bool) or value is None:
        raise InputError(f'Argument "{name}" must be a quantity in {unit}, but is {value}.')
    if isinstance(value, int | float):
        number = float(value)
    else:
        number = _parse(str(value), unit, name)
    if not math.isfinite(number):
        raise InputError(f'Argument "{name}" must be finite, but is {one_line(value)}.')
    return number


def _parse(text: str, unit: str, name: str) -> float:
    match = _NUMBER.match(text)
    if not match or len(text) > 100:
        raise InputError(
            f'Argument "{name}" must be a number with a unit such as "1 {unit}", but is "{one_line(text, 60)}".'
        )
    number, unit_text = float(match.group()), text[match.end() :].strip()
    if not unit_text:
        return number
    try:
        units = registry()
        return float(units.Quantity(number, pint_unit(unit_text)).to(pint_unit(unit)).magnitude)
    except InputError:
        raise
    except Exception as error:  # pint raises many types, all of them meaning "this unit does not fit"
        raise InputError(
            f'Argument "{name}" must be in {unit}, but "{one_line(text, 60)}" cannot be converted to it.'
        ) from error


def pint_unit(text: str) -> Any:
    """Return the pint unit for `text`, which may use the spectroscopist's ``cm-1``.

    Args:
        text: a unit such as ``"uJ/cm^2"``, ``"cm-1"``, ``"1"`` or ``""``.

    Returns:
        A pint unit.

    Raises:
        InputError: the unit is not known.
    """
    if len(text) > 60 or re.search(r"\*\*\s*-?\d{3}|\^\s*-?\d{3}", text):
        raise InputError(f'The unit "{one_line(text, 40)}" is not one.')
    if text.strip() in ("", "1"):
        return registry().dimensionless
    try:
        return registry().parse_units(_EXPONENT.sub("^", text.strip()))
    except Exception as error:  # same reason as above
        raise InputError(f'The unit "{one_line(text, 40)}" is not known.') from error


def ev_from_nm(wavelength_nm: Any) -> Any:
    """Return the photon energy in eV of a vacuum wavelength in nm (E = hc / lambda)."""
    return HC_EV_NM / wavelength_nm


def nm_from_ev(energy_ev: Any) -> Any:
    """Return the vacuum wavelength in nm of a photon energy in eV (lambda = hc / E)."""
    return HC_EV_NM / energy_ev


def raman_shift_cm1(wavelength_nm: Any, laser_nm: float) -> Any:
    """Return the Raman shift in cm-1 of light at `wavelength_nm` scattered from a laser at `laser_nm`."""
    return 1e7 / laser_nm - 1e7 / wavelength_nm
