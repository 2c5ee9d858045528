"""Two-photon absorption of CsPbBr3: of a nanocrystal against size and wavelength, and of the bulk.

Both follow one-photon absorption at half the wavelength, as Chen et al. 2017 found for nanocrystals, from a value at
800 nm that is known within a factor 5 for nanocrystals.
"""

from __future__ import annotations

from jaxtyping import Array, ArrayLike, Float

from perolas.matter.optics import door
from perolas.matter.optics.absorption import intrinsic_absorption_cm1
from perolas.matter.optics.indices import reach_nm
from perolas.matter.parameters_library import parameter_value

_REFERENCE_NM = 800.0
_CM4_S_PER_GM = 1e-50  # by definition of the Goeppert-Mayer


def two_photon_cross_section_gm(size_nm: ArrayLike, wavelength_nm: ArrayLike = _REFERENCE_NM) -> Float[Array, "..."]:
    """Return the two-photon absorption cross-section of one CsPbBr3 nanocrystal.

    Args:
        size_nm: edge length, any shape, nm; the power law was measured from 4.6 to 11.4 nm.
        wavelength_nm: of the light, broadcast, nm.

    Returns:
        Cross-section in GM (1e-50 cm4 s), known within a factor 5 (`perolas info "two photon cross section"`).

    Raises:
        InputError: a size that is not positive, or half the wavelength outside the tables.
    """
    edge = door.positive(size_nm, "size", "nm")
    scale = (edge / parameter_value("CsPbBr3.two_photon_size")) ** parameter_value("CsPbBr3.two_photon_exponent")
    return parameter_value("CsPbBr3.two_photon_cross_section") / _CM4_S_PER_GM * scale * _spectrum(wavelength_nm)


def two_photon_coefficient_cm_gw(wavelength_nm: ArrayLike = _REFERENCE_NM) -> Float[Array, "..."]:
    """Return the two-photon absorption coefficient beta of bulk CsPbBr3: dI/dx = -beta I^2.

    Args:
        wavelength_nm: of the light, any shape, nm.

    Returns:
        beta in cm/GW; 5-10 are given for 800 nm, and its change with wavelength is an estimate.

    Raises:
        InputError: half the wavelength outside the tables.
    """
    return parameter_value("CsPbBr3.two_photon_coefficient") * _spectrum(wavelength_nm)


def _spectrum(wavelength_nm: ArrayLike) -> Float[Array, "..."]:
    """Return one-photon absorption at half the wavelength, over that at half of 800 nm."""
    low, high = reach_nm("toluene")
    nm = door.wavelength(wavelength_nm, 2.0 * low, 2.0 * high, "two-photon absorption")
    return intrinsic_absorption_cm1("CsPbBr3", nm / 2.0) / intrinsic_absorption_cm1("CsPbBr3", _REFERENCE_NM / 2.0)
