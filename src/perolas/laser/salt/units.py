r"""Physical units at the door of the wave theory: wavelengths, gain widths, and gain in 1/cm.

A pump D_0 at the centre of the gain makes the permittivity :math:`\varepsilon - i D_0 F`, so that light in a medium of
index n is amplified by :math:`g = -2 k\,\mathrm{Im}\sqrt{n^2 - i D_0 F} \approx k D_0 F / n`.
"""

from __future__ import annotations

import cmath
import math

from perolas.core import check
from perolas.core.errors import InputError


def wave_number_per_nm(wavelength_nm: float) -> float:
    """Return k = 2 pi / wavelength, 1/nm.

    Args:
        wavelength_nm: vacuum wavelength, nm.

    Returns:
        k, 1/nm.

    Raises:
        InputError: a wavelength that is not positive.
    """
    return 2.0 * math.pi / check.positive(wavelength_nm, "wavelength", "nm")


def wavelength_nm(k_per_nm: float) -> float:
    """Return the vacuum wavelength of a wave number.

    Args:
        k_per_nm: wave number, 1/nm.

    Returns:
        The wavelength, nm.

    Raises:
        InputError: a wave number that is not positive.
    """
    return 2.0 * math.pi / check.positive(k_per_nm, "wave number", "1/nm")


def gamma_perp_per_nm(centre_nm: float, fwhm_nm: float) -> float:
    """Return the half width at half maximum of a gain line as a wave number.

    Args:
        centre_nm: vacuum wavelength of its centre, nm.
        fwhm_nm: full width at half maximum, nm, below the wavelength.

    Returns:
        gamma_perp, 1/nm.

    Raises:
        InputError: a width that is not between zero and the wavelength.
    """
    centre, width = check.positive(centre_nm, "wavelength", "nm"), check.positive(fwhm_nm, "gain width", "nm")
    if width >= centre:
        raise InputError(f"A gain width of {width:g} nm is not below the wavelength of {centre:g} nm.")
    return math.pi * (1.0 / (centre - 0.5 * width) - 1.0 / (centre + 0.5 * width))


def gain_cm1(d0: float, index: float, centre_nm: float) -> float:
    """Return the unsaturated gain at the centre of the line that a pump makes where its profile is 1.

    Args:
        d0: pump D_0.
        index: real index of the medium.
        centre_nm: vacuum wavelength of the centre, nm.

    Returns:
        Gain of the power, 1/cm.

    Raises:
        InputError: a value that is not positive.
    """
    n = check.positive(index, "index")
    grown = cmath.sqrt(n**2 - 1j * check.positive(d0, "D0", zero=True)).imag
    return -2.0 * wave_number_per_nm(centre_nm) * grown * 1e7


def d0_of_gain(gain_per_cm: float, index: float, centre_nm: float) -> float:
    """Return the pump that makes a gain at the centre of the line.

    Args:
        gain_per_cm: gain of the power, 1/cm.
        index: real index of the medium.
        centre_nm: vacuum wavelength of the centre, nm.

    Returns:
        D_0.

    Raises:
        InputError: a value that is not positive.
    """
    n, k = check.positive(index, "index"), wave_number_per_nm(centre_nm)
    grown = check.positive(gain_per_cm, "gain", "1/cm", zero=True) * 1e-7 / (2.0 * k)
    return 2.0 * grown * math.sqrt(n**2 + grown**2)  # Im (q - i s)^2 = -D0 with q^2 - s^2 = n^2
