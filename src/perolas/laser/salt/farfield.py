r"""The far field of a two-dimensional cavity, against angle.

What differs from the surroundings radiates: with :math:`\kappa = k\sqrt{\varepsilon_{out}}`

.. math:: f(\theta) = k^2 \int e^{-i\kappa \hat r\cdot r}\,(\varepsilon_{tot} - \varepsilon_{out})\,\psi\,d^2r, \qquad
          \frac{dP}{d\theta} = \frac{|f|^2}{8\pi} ,

where the power is the flux :math:`\oint \mathrm{Im}(\psi^*\partial_n\psi)\,ds`. Walls that mirror or conduct are taken
into account by images, so that the angle runs all around.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike, Complex, Float

from perolas.core.errors import InputError

if TYPE_CHECKING:
    from perolas.laser.salt.cavity import Cavity


def _sources(
    cavity: Cavity, psi: Complex[np.ndarray, "ny nx"], k: float, d0: float, holes: Float[np.ndarray, "ny nx"] | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """What radiates at each cell and its images, the places x and y, and the number of images with the original."""
    if cavity.dimensions != 2:
        raise InputError("A far field against angle belongs to two dimensions.")
    gain = cavity.gamma_perp / (k - cavity.k_a + 1j * cavity.gamma_perp)
    contrast = cavity.eps + gain * d0 * cavity.pump_profile / (1.0 + holes) - cavity.outside[0]
    current = k**2 * contrast * psi * cavity.spacing**2
    x, y = cavity.places
    places, images = [x, y], 1
    for axis, pair in enumerate(cavity.boundaries):
        walls = [side for side in (0, 1) if pair[side] != "open"]
        if len(walls) == 2:
            raise InputError("Between two walls light does not spread over angles; open one of them for a far field.")
        for side in walls:
            sign = 1.0 if pair[side] == "mirror" else -1.0
            along = 1 - axis  # x is the last axis of arrays
            parts = [sign * np.flip(current, along), current]
            where = [-places[axis][::-1], places[axis]]
            if side == 1:
                where = [places[axis], 2.0 * cavity.size[axis] - places[axis][::-1]]
                parts.reverse()
            current, places[axis] = np.concatenate(parts, axis=along), np.concatenate(where)
            images *= 2
    return current, places[0], places[1], images


def radiated(
    cavity: Cavity,
    psi: Complex[np.ndarray, "ny nx"],
    k: float,
    d0: float,
    holes: Float[np.ndarray, "ny nx"] | float,
    angle_rad: ArrayLike,
) -> Float[np.ndarray, " m"]:
    """Return the power that a mode sends into each radian.

    Args:
        cavity: of two dimensions.
        psi: field at its cells, shape (ny, nx).
        k: wave number.
        d0: pump.
        holes: H at the cells, shape (ny, nx), or 0.
        angle_rad: angles from the x axis towards y, shape (m,), rad.

    Returns:
        dP / d angle, shape (m,), in the unit of `psi` squared.

    Raises:
        InputError: one dimension, or a cavity between two walls.
    """
    current, x, y, _ = _sources(cavity, psi, k, d0, holes)
    angle = np.atleast_1d(np.asarray(angle_rad, dtype=float))
    kappa = k * math.sqrt(abs(cavity.outside[0]))
    across = np.exp(-1j * kappa * np.outer(x, np.cos(angle)))
    along = np.exp(-1j * kappa * np.outer(y, np.sin(angle)))
    amplitude = np.sum(along * (current @ across), axis=0)
    return np.asarray(np.abs(amplitude) ** 2 / (8.0 * math.pi))


def radiated_power(
    cavity: Cavity, psi: Complex[np.ndarray, "ny nx"], k: float, d0: float, holes: Float[np.ndarray, "ny nx"] | float
) -> float:
    """Return the power that a mode radiates in all, not counting images; NaN between two walls.

    Args:
        cavity: of two dimensions.
        psi: field at its cells, shape (ny, nx).
        k: wave number.
        d0: pump.
        holes: H at the cells.

    Returns:
        The power, in the unit of `psi` squared.
    """
    if any("open" not in pair for pair in cavity.boundaries):
        return math.nan
    reach = k * math.sqrt(abs(cavity.outside[0])) * math.hypot(*cavity.size)
    angle = np.linspace(0.0, 2.0 * math.pi, 2 * math.ceil(2.0 * reach) + 64, endpoint=False)
    images = _sources(cavity, psi, k, d0, holes)[3]
    return float(radiated(cavity, psi, k, d0, holes, angle).mean() * 2.0 * math.pi / images)
