"""How much surface a mass of crystals has: what turns an amount of ligands into a coverage."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.matter.specimen import PHASES

_PER_CM3 = 1e21  # nm3


def surface_of_specimen(state: Any, mass_mg_cm2: Float[Array, ""]) -> Float[Array, ""]:
    """Return the surface of a specimen's crystals in the beam.

    Args:
        state: a `Specimen`; a cube of edge L and a sphere of diameter L both have 6/L of surface for each volume.
        mass_mg_cm2: mass of crystals for each area of the beam.

    Returns:
        nm2 of surface for each cm2 of the beam.
    """
    from perolas.matter import crystal

    volumes = np.array([crystal.phase(n).molar_volume_cm3 for n in PHASES])
    masses = np.array([crystal.phase(n).molar_mass_g_mol for n in PHASES])
    specific = jnp.sum(state.fraction * volumes) / jnp.sum(state.fraction * masses)  # cm3/g
    m, s = state.size_nm, state.size_std_nm
    square = m**2 + s**2
    cube = m**3 * (1.0 + (s / m) ** 2) ** 3 if state.size_law == "lognormal" else m**3 + 3.0 * m * s**2
    return 6.0 * square / cube * specific * mass_mg_cm2 * 1e-3 * _PER_CM3


def surface(
    phase: str, size_nm: tuple[float, float], spread_nm: float, mass_mg_cm2: tuple[float, float]
) -> tuple[float, float]:
    """Return the surface of crystals in the beam, with its standard error.

    Args:
        phase: one of `perolas.matter.specimen.PHASES`.
        size_nm: mean edge length or diameter, and its standard error.
        spread_nm: standard deviation of the sizes.
        mass_mg_cm2: mass of crystals for each area of the beam, and its standard error.

    Returns:
        nm2 of surface for each cm2 of the beam, and its standard error.
    """
    from perolas.matter.specimen import Specimen

    state = Specimen.of(phase, size_nm=size_nm[0], size_std_nm=spread_nm)
    value = float(surface_of_specimen(state, jnp.asarray(mass_mg_cm2[0])))
    relative = np.hypot(size_nm[1] / size_nm[0], mass_mg_cm2[1] / mass_mg_cm2[0])
    return value, float(value * relative)
