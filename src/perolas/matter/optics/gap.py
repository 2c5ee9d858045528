r"""The gap of nanocrystals against temperature and size, and energy and width of what they emit.

*Temperature.* The gap of CsPbBr3 rises with temperature and flattens when cold. One effective phonon of energy
:math:`\Omega` stands for expansion and electron-phonon coupling together,

.. math:: E_g(T) = E_g(300\,\mathrm{K}) + A\,[\coth(\Omega / 2 k T) - \coth(\Omega / 2 k\,300\,\mathrm{K})],

with A from the slope at 300 K. Other phases are taken at 300 K.

*Size.* Below the Bohr diameter electron and hole are confined one by one (Brus, J. Chem. Phys. 1984, 80, 4403; here
for a cube of edge L with infinite walls), above it the exciton is confined as a whole:

.. math:: E_\mathrm{small} = \frac{3 \pi^2 \hbar^2}{2 \mu L^2} - \frac{3.047\, e^2}{4\pi\varepsilon_0 \varepsilon L}
          + E_b, \qquad
          E_\mathrm{large} = \frac{3 \pi^2 \hbar^2}{2 (m_e + m_h) L^2},

both above the bulk exciton, to which the gap of the library refers. The two are joined by the weight
:math:`1 / (1 + (L / 2 a_X)^4)`, which leaves both limits exact. In between it is an interpolation, good to some 20 meV
(4 nm: 2.77 eV, where about 2.7 eV is seen). The reduced mass is the polaron's, as measured; the exciton's mass is that
of the bare bands: polaron masses would take 4 meV off at 20 nm.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter.optics import door
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import PHASES

_CUBE_COULOMB = 3.04712  # mean of L / |r_e - r_h| over the two ground states of a cube; a test integrates it
_REFERENCE_K = 300.0
_PEROVSKITE = ("CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic")


def _value(name: str) -> float:
    return parameter_value(f"CsPbBr3.{name}")


def band_gap_ev(
    phase: str = "CsPbBr3", temperature_k: ArrayLike = _REFERENCE_K, size_nm: ArrayLike | None = None
) -> Float[Array, "..."]:
    """Return the optical gap: the energy at which the exciton absorbs and emits.

    Args:
        phase: one of the seven phases; temperature and size act on CsPbBr3 alone (the excitons of the others are
            smaller than any nanocrystal, and their shifts are not known to us).
        temperature_k: any shape, K.
        size_nm: edge length of a cube, broadcast, nm; None for the bulk.

    Returns:
        The gap in eV.

    Raises:
        InputError: an unknown phase, or a temperature or size that is not positive.
    """
    name = "CsPbBr3" if check.one_of(phase, PHASES, "The phase") in _PEROVSKITE else phase
    kelvin = door.positive(temperature_k, "temperature", "K")
    edge = None if size_nm is None else door.positive(size_nm, "size", "nm")
    gap = parameter_value(f"{name}.band_gap") + 0.0 * kelvin
    if name != "CsPbBr3":
        return gap if edge is None else gap + 0.0 * edge
    gap = gap + _temperature_shift_ev(kelvin)
    return gap if edge is None else gap + confinement_ev(edge)


def confinement_ev(size_nm: ArrayLike) -> Float[Array, "..."]:
    """Return by how much confinement lifts the exciton of a CsPbBr3 cube above that of the bulk.

    Args:
        size_nm: edge length, any shape, nm.

    Returns:
        Shift in eV; see the module for the equations, their sources and their limits.

    Raises:
        InputError: a size that is not positive.
    """
    edge = door.positive(size_nm, "size", "nm")
    kinetic = 3.0 * jnp.pi**2 * units.HBAR2_PER_2ME_EV_NM2 / edge**2
    attraction = _CUBE_COULOMB * units.COULOMB_EV_NM / (_value("dielectric_constant") * edge)
    small = kinetic / _value("reduced_mass") - attraction + _value("exciton_binding_energy") / 1e3
    large = kinetic / (_value("electron_mass") + _value("hole_mass"))
    weight = 1.0 / (1.0 + (edge / (2.0 * _value("exciton_bohr_radius"))) ** 4)
    return weight * small + (1.0 - weight) * large


def emission_energy_ev(
    temperature_k: ArrayLike = _REFERENCE_K, size_nm: ArrayLike | None = None, phase: str = "CsPbBr3"
) -> Float[Array, "..."]:
    """Return the energy of the emission maximum, taken to be that of the exciton (no Stokes shift).

    Args:
        temperature_k: any shape, K.
        size_nm: edge length of a cube, broadcast, nm; None for the bulk.
        phase: one of the three forms of CsPbBr3.

    Returns:
        Energy in eV, to 15 meV at 300 K and 20 meV at 77 K.

    Raises:
        InputError: a phase that does not emit there, or a temperature or size that is not positive.
    """
    if check.one_of(phase, PHASES, "The phase") not in _PEROVSKITE:
        raise InputError(f"{phase} has no emission of its own in the visible; only CsPbBr3 has.")
    return band_gap_ev(phase, temperature_k, size_nm)


def emission_fwhm_ev(temperature_k: ArrayLike = _REFERENCE_K) -> Float[Array, "..."]:
    """Return the full width of the emission of 20 nm nanocrystals: inhomogeneous, acoustic and LO-phonon parts.

    The form is that of Rudin, Reinecke and Segall, Phys. Rev. B 1990, 42, 11218: Gamma_0 + sigma T + Gamma_LO n(E_LO).

    Args:
        temperature_k: any shape, K.

    Returns:
        Full width at half maximum in eV.

    Raises:
        InputError: a temperature that is not positive.
    """
    kelvin = door.positive(temperature_k, "temperature", "K")
    phonons = 1.0 / jnp.expm1(_value("lo_phonon_energy") / 1e3 / (units.BOLTZMANN_EV_K * kelvin))
    acoustic = _value("linewidth_acoustic") * kelvin
    return (_value("linewidth_inhomogeneous") + acoustic + _value("linewidth_lo_coupling") * phonons) / 1e3


def _temperature_shift_ev(kelvin: Float[Array, "..."]) -> Float[Array, "..."]:
    half = _value("gap_phonon_energy") / 1e3 / (2.0 * units.BOLTZMANN_EV_K)
    # d coth(half / T) / dT = half / T^2 / sinh(half / T)^2
    rise = half / _REFERENCE_K**2 / jnp.sinh(half / _REFERENCE_K) ** 2
    amplitude = _value("gap_slope") / 1e3 / rise
    return amplitude * (1.0 / jnp.tanh(half / kelvin) - 1.0 / jnp.tanh(half / _REFERENCE_K))
