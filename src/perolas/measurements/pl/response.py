"""What a specimen emits: energy, width and strength of its band, from the laws of `perolas.matter`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from perolas.core.units import FWHM_PER_SIGMA
from perolas.matter import optics
from perolas.matter.ageing_specimen import ratio_of


def band_of(specimen: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return energy and full width of the band of a specimen's CsPbBr3, eV.

    The centre is that of the mean size; the spread of sizes adds |dE/dL| times its standard deviation in quadrature
    to the phonons' width, which is that of one ensemble of 20 nm crystals and so holds some of it already.

    Args:
        specimen: temperature, mean size and its spread count.

    Returns:
        Energy and full width at half maximum, eV.
    """
    energy = optics.emission_energy_ev(specimen.temperature_k, specimen.size_nm)
    slope = jax.grad(lambda size: jnp.sum(optics.confinement_ev(size)))(jnp.asarray(specimen.size_nm))
    spread = FWHM_PER_SIGMA * jnp.abs(slope) * specimen.size_std_nm
    return energy, jnp.hypot(optics.emission_fwhm_ev(specimen.temperature_k), spread)


def strength_of(specimen: Any) -> Float[Array, ""]:
    """Return what a specimen emits over what it would if all its lead were in CsPbBr3 that emits every photon.

    Light that CsPbBr3 alone absorbs, and little of it (an optically thin sample): share of the lead in CsPbBr3 times
    quantum yield 1 / (1 + r), r being the non-radiative ratio of the traps.

    Args:
        specimen: phases, `trap_ratio` and `loss_ratio` count.

    Returns:
        A share, 0 to 1.
    """
    return specimen.converted() / (1.0 + ratio_of(specimen))
