r"""A film on a substrate, by transfer matrices at normal incidence: reflection, absorption, and the light inside.

Each layer has the matrix of Abeles (Born and Wolf, Principles of Optics, 1.6); the field inside follows from the two
tangential fields at its lower face. Time runs as :math:`\exp(-i\omega t)`, so that n + ik with k > 0 absorbs.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from perolas.core import check


@dataclass(frozen=True)
class FilmField:
    """The light in a film.

    Attributes:
        depth_nm: shape (n,), from the top of the film, nm.
        intensity: shape (n,); `n |E|^2` over that of the incident wave, n the real index of the film: the intensity
            that a nanocrystal sees, over the incident one.
        reflected, absorbed, transmitted: shares of the incident power (absorbed: in the film).
    """

    depth_nm: Float[np.ndarray, " n"]
    intensity: Float[np.ndarray, " n"]
    reflected: float
    absorbed: float
    transmitted: float

    def mean(self, photons: int) -> float:
        """Return the mean over the depth of the intensity to the power `photons`: the factor on excitations."""
        return float(np.trapezoid(self.intensity**photons, self.depth_nm) / np.ptp(self.depth_nm))


def film_field(
    film_index: complex, thickness_nm: float, substrate_index: complex, wavelength_nm: float, points: int = 401
) -> FilmField:
    """Return the light in a film on a substrate, lit from air at normal incidence.

    Args:
        film_index: n + ik of the film.
        thickness_nm: of the film, nm.
        substrate_index: n + ik below it.
        wavelength_nm: vacuum wavelength, nm.
        points: depths at which the light is given.

    Returns:
        The field and the shares of the power. Source: Born and Wolf, Principles of Optics, 1.6.

    Raises:
        InputError: a thickness or wavelength that is not positive.
    """
    d = check.positive(thickness_nm, "film thickness", "nm")
    nm = check.positive(wavelength_nm, "wavelength", "nm")
    k = 2.0 * math.pi / nm
    n, below = complex(film_index), complex(substrate_index)
    delta = k * n * d
    # Tangential fields (E, H) at the top for E = 1, H = n_s at the lower face.
    e0 = cmath.cos(delta) - 1j * below / n * cmath.sin(delta)
    h0 = -1j * n * cmath.sin(delta) + below * cmath.cos(delta)
    incident = 0.5 * (e0 + h0)  # E+ and E- of the air: E = E+ + E-, H = E+ - E-
    reflected = abs(0.5 * (e0 - h0) / incident) ** 2
    transmitted = below.real / abs(incident) ** 2
    depth = np.linspace(0.0, d, max(int(points), 2))
    phase = k * n * (d - depth)
    field = (np.cos(phase) - 1j * below / n * np.sin(phase)) / incident
    return FilmField(depth, n.real * np.abs(field) ** 2, reflected, 1.0 - reflected - transmitted, transmitted)


def interference_range(
    film_index: complex,
    substrate_index: complex,
    wavelength_nm: float,
    thinnest_nm: float,
    thickest_nm: float,
    photons: int,
) -> tuple[float, float, float]:
    """Return lowest, mean and highest factor of interference on the excitations in a film of unknown thickness.

    Args:
        film_index: n + ik of the film.
        substrate_index: n + ik below it.
        wavelength_nm: vacuum wavelength, nm.
        thinnest_nm: least thickness, nm.
        thickest_nm: greatest thickness, nm.
        photons: 1 or 2, the order of the absorption.

    Returns:
        Factors on what the incident light alone would excite.

    Raises:
        InputError: as for `film_field`.
    """
    low, high = sorted((thinnest_nm, thickest_nm))
    step = wavelength_nm / complex(film_index).real / 24.0  # a fringe is half a wavelength in the film
    thicknesses = np.linspace(low, high, 1 if high == low else max(2, math.ceil((high - low) / step)) + 1)
    values = [film_field(film_index, d, substrate_index, wavelength_nm).mean(photons) for d in thicknesses]
    return min(values), float(np.mean(values)), max(values)
