"""How dark a crystal is in bright field: electrons scattered elastically beyond the objective aperture are missing.

Lenz's atom, a Wentzel potential V = Z e^2 / r exp(-r / R) with R = a_H Z^(-1/3) in the first Born approximation:
sigma = Z^(4/3) lambda^2 gamma^2 / pi in all, of which 1 / (1 + (alpha / theta_0)^2) goes beyond the semi-angle alpha,
with theta_0 = lambda Z^(1/3) / (2 pi a_H) (Lenz 1954). Electrons that lost energy are scattered less far and stay in
the image. A crystal diffracts besides, which this leaves out; it is good to some tens of per cent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import gemmi

from perolas.core import check
from perolas.core.units import HC_EV_NM
from perolas.matter import crystal
from perolas.matter.parameters_library import parameter_value

_BOHR_RADIUS_NM = 0.0529177210903  # CODATA 2018
_ELECTRON_REST_EV = 510998.95  # CODATA 2018


def wavelength_nm(voltage_kv: float) -> float:
    """Return the wavelength of an electron, hc / (E^2 + 2 E mc^2)^(1/2).

    Args:
        voltage_kv: accelerating voltage, kV.

    Returns:
        The wavelength in nm.

    Raises:
        InputError: a voltage that is not positive.
    """
    energy = 1e3 * check.positive(voltage_kv, "voltage", "kV")
    return HC_EV_NM / math.sqrt(energy**2 + 2.0 * energy * _ELECTRON_REST_EV)


def cross_section_nm2(element: str, voltage_kv: float, aperture_mrad: float) -> float:
    """Return the cross-section of an atom for elastic scattering beyond an aperture (Lenz 1954).

    Args:
        element: its symbol.
        voltage_kv: accelerating voltage, kV.
        aperture_mrad: semi-angle of the aperture, mrad.

    Returns:
        The cross-section in nm^2.

    Raises:
        InputError: a voltage that is not positive or an aperture that is negative.
    """
    z = gemmi.Element(element).atomic_number
    wave = wavelength_nm(voltage_kv)
    gamma = 1.0 + 1e3 * voltage_kv / _ELECTRON_REST_EV
    angle = check.positive(aperture_mrad, "aperture", "mrad", zero=True) * 1e-3
    screening = wave * z ** (1 / 3) / (2.0 * math.pi * _BOHR_RADIUS_NM)
    return z ** (4 / 3) * (wave * gamma) ** 2 / math.pi / (1.0 + (angle / screening) ** 2)


def mean_free_path_nm(
    phases: Mapping[str, float], voltage_kv: float | None = None, aperture_mrad: float | None = None
) -> float:
    """Return the thickness that scatters all but 1/e of the electrons beyond the aperture.

    Args:
        phases: phase -> moles of formula units, as the specimen has them.
        voltage_kv: accelerating voltage, kV; None for the library's.
        aperture_mrad: semi-angle of the aperture, mrad; None for the library's.

    Returns:
        The mean free path in nm.

    Raises:
        InputError: an unknown phase, or numbers that cannot be used.
    """
    voltage = parameter_value("bright_field.high_voltage") if voltage_kv is None else voltage_kv
    aperture = parameter_value("bright_field.aperture") if aperture_mrad is None else aperture_mrad
    area = volume = 0.0
    for name, moles in phases.items():
        if moles <= 0:
            continue
        found = crystal.phase(name)
        atoms = found.contents.items()
        area += moles * sum(n * cross_section_nm2(e, voltage, aperture) for e, n in atoms) / found.formula_units
        volume += moles * found.volume_nm3 / found.formula_units
    return volume / area
