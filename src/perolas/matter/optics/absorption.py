r"""Absorption by small nanocrystals in a medium.

A sphere much smaller than the wavelength, of permittivity :math:`\varepsilon = (n + ik)^2` in a medium of index
:math:`n_s`, has the polarisability :math:`\alpha = 3V (\varepsilon - n_s^2) / (\varepsilon + 2 n_s^2)` and absorbs
:math:`\sigma = (2\pi n_s / \lambda) \,\mathrm{Im}\,\alpha`. With :math:`\mathrm{Im}\,\varepsilon = 2nk` this is

.. math:: \mu_i = \frac{\sigma}{V} = \frac{4\pi n k}{\lambda n_s} |f|^2, \qquad
          f = \frac{3 n_s^2}{\varepsilon + 2 n_s^2},

f being the field inside over the field outside (Bohren and Huffman, Absorption and Scattering of Light by Small
Particles, 5.2; Hens and Moreels, J. Mater. Chem. 2012, 22, 10406). A cube absorbs somewhat more than a sphere; the
stated uncertainty holds that. Confinement moves the absorption near the edge, not far above it.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter.optics import door
from perolas.matter.optics.indices import datasets, reach_nm, refractive_index
from perolas.matter.parameters_library import parameter_value, physical_parameter
from perolas.matter.specimen import PHASES

_NO_DATA = ("CsPb2Br5", "CsBr", "PbBr2")
_SHAPES = {"cube": 1.0, "sphere": math.pi / 6.0}


def local_field_factor(index: ArrayLike, medium_index: ArrayLike) -> Complex[Array, "..."]:
    """Return the field inside a small sphere over the field far from it, f = 3 ns^2 / (eps + 2 ns^2).

    Args:
        index: complex refractive index of the sphere, any shape.
        medium_index: real refractive index of the medium, broadcast against it.

    Returns:
        f, complex.
    """
    eps, medium = jnp.asarray(index) ** 2, jnp.asarray(medium_index) ** 2
    return 3.0 * medium / (eps + 2.0 * medium)


def intrinsic_absorption_cm1(phase: str, wavelength_nm: ArrayLike, medium: str = "toluene") -> Float[Array, "..."]:
    """Return the absorption coefficient per volume of nanocrystals, mu_i.

    Light falls as exp(-mu_i * volume fraction * path) in a dispersion.

    Args:
        phase: one of the seven phases. CsPb2Br5, CsBr and PbBr2 have no data: they absorb nothing well below their
            gap, and above it are refused.
        wavelength_nm: any shape, nm.
        medium: what is around the nanocrystals, a material of `refractive_index`.

    Returns:
        mu_i in cm-1, of the same shape; its uncertainty is `intrinsic_absorption_relative_std`.

    Raises:
        InputError: an unknown phase or medium, a wavelength outside their tables, or no data.
    """
    if check.one_of(phase, PHASES, "The phase") in _NO_DATA:
        return _nothing_below_the_gap(phase, wavelength_nm)
    index = refractive_index(phase, wavelength_nm)
    around = refractive_index(medium, wavelength_nm).real
    cm = door.array(wavelength_nm) * 1e-7
    field = local_field_factor(index, around)
    return 4.0 * jnp.pi * index.real * index.imag / (cm * around) * jnp.abs(field) ** 2


def intrinsic_absorption_relative_std(
    phase: str, wavelength_nm: ArrayLike, medium: str = "toluene"
) -> Float[Array, "..."]:
    """Return the relative standard uncertainty of `intrinsic_absorption_cm1`.

    It holds the error of k, of shape and n, that of a single data set below 300 nm, and the scatter of the edge from
    sample to sample, which rules near the edge, where it may exceed 1: read it as that of the logarithm there.

    Args:
        phase: as for `intrinsic_absorption_cm1`.
        wavelength_nm: any shape, nm.
        medium: as for `intrinsic_absorption_cm1`.

    Returns:
        std(mu_i) / mu_i, of the same shape; 0 where nothing is absorbed.

    Raises:
        InputError: as for `intrinsic_absorption_cm1`.
    """
    mu = intrinsic_absorption_cm1(phase, wavelength_nm, medium)
    if phase in _NO_DATA:
        return jnp.zeros_like(mu)
    table = next(iter(datasets(phase).values()))
    energy = units.ev_from_nm(door.array(wavelength_nm))
    scatter = parameter_value("CsPbBr3.edge_scatter") / 1e3
    ends = [units.nm_from_ev(energy + sign * scatter) for sign in (1.0, -1.0)]
    lows, highs = zip(reach_nm(phase), reach_nm(medium), strict=True)
    high, low = (intrinsic_absorption_cm1(phase, jnp.clip(nm, max(lows), min(highs)), medium) for nm in ends)
    edge = 0.5 * jnp.abs(jnp.log((high + 1.0) / (low + 1.0)))  # + 1 cm-1: below that it is noise of the table
    parts = [table.std_k_relative, parameter_value("CsPbBr3.absorption_shape_error"), edge]
    ultraviolet = parameter_value("CsPbBr3.absorption_ultraviolet_error")
    parts.append(jnp.where(door.array(wavelength_nm) < 300.0, ultraviolet, 0.0))
    return jnp.sqrt(sum(jnp.asarray(part) ** 2 for part in parts))


def absorption_cross_section_cm2(
    phase: str, wavelength_nm: ArrayLike, size_nm: ArrayLike, medium: str = "toluene", shape: str = "cube"
) -> Float[Array, "..."]:
    """Return the absorption cross-section of one nanocrystal, mu_i times its volume.

    Args:
        phase: as for `intrinsic_absorption_cm1`.
        wavelength_nm: any shape, nm.
        size_nm: edge length of a cube, or diameter of a sphere; broadcast against the wavelength, nm.
        medium: as for `intrinsic_absorption_cm1`.
        shape: ``"cube"`` or ``"sphere"``; it sets the volume alone.

    Returns:
        Cross-section in cm2.

    Raises:
        InputError: as for `intrinsic_absorption_cm1`, an unknown shape, or a size that is not positive.
    """
    factor = _SHAPES[check.one_of(shape, _SHAPES, "The shape")]
    volume_cm3 = factor * (door.positive(size_nm, "size", "nm") * 1e-7) ** 3
    return intrinsic_absorption_cm1(phase, wavelength_nm, medium) * volume_cm3


def excitation_rate_s1(
    phase: str,
    wavelength_nm: ArrayLike,
    size_nm: ArrayLike,
    irradiance_mw_cm2: ArrayLike,
    medium: str = "toluene",
    shape: str = "cube",
) -> Float[Array, "..."]:
    """Return how often a second light excites one nanocrystal that nothing shades: cross-section times photon flux.

    Args:
        phase: as for `intrinsic_absorption_cm1`.
        wavelength_nm: any shape, nm.
        size_nm: as for `absorption_cross_section_cm2`, nm.
        irradiance_mw_cm2: irradiance at the nanocrystal, broadcast, mW/cm2.
        medium: as for `intrinsic_absorption_cm1`.
        shape: as for `absorption_cross_section_cm2`.

    Returns:
        Excitations per second.

    Raises:
        InputError: as for `absorption_cross_section_cm2`, or a negative irradiance.
    """
    sigma = absorption_cross_section_cm2(phase, wavelength_nm, size_nm, medium, shape)
    watts = door.positive(irradiance_mw_cm2, "irradiance", "mW/cm^2", zero=True) * 1e-3
    return sigma * watts / (units.ev_from_nm(door.array(wavelength_nm)) * units.ELEMENTARY_CHARGE_C)


def _nothing_below_the_gap(phase: str, wavelength_nm: ArrayLike) -> Float[Array, "..."]:
    """Return zeros if every photon lies two standard errors below the gap; otherwise nobody knows."""
    gap = physical_parameter(f"{phase}.band_gap")
    edge_nm = units.nm_from_ev(gap.value - 2.0 * gap.std)
    nm = door.positive(wavelength_nm, "wavelength", "nm")
    dark = nm > edge_nm
    if not isinstance(nm, jax.core.Tracer) and not bool(jnp.all(dark)):
        raise InputError(
            f"What {phase} absorbs at {float(nm[~dark].ravel()[0]):g} nm is not known: it has no data here, and its "
            f"gap of {gap.value:g} eV lets it absorb nothing only above {edge_nm:.0f} nm."
        )
    return jnp.where(dark, 0.0, jnp.nan)
