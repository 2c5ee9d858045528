"""What light loses on its way to the nanocrystals: at the wall of a vial and in the solvent."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check
from perolas.matter import parameters_tables
from perolas.matter.optics import door
from perolas.matter.optics.indices import refractive_index
from perolas.matter.parameters_library import parameter_value

SOLVENTS = ("toluene", "water")
# "open": from above, through the surface of the liquid alone.
VIALS = ("borosilicate", "quartz", "open")


def _absorption_cm1(material: str, nm: Float[Array, "..."]) -> Float[Array, "..."]:
    table = _table(material)
    x, mu = np.array(table.rows).T
    return jnp.exp(jnp.interp(nm, x, np.log(mu)))


def _table(material: str) -> parameters_tables.Table:
    return next(t for t in parameters_tables.tables().values() if t.material == material and t.is_absorption)


def solvent_absorption_cm1(solvent: str, wavelength_nm: ArrayLike) -> Float[Array, "..."]:
    """Return the absorption coefficient of a pure solvent (Napierian).

    Args:
        solvent: ``"toluene"`` (estimated, within a factor 1.5 in the ultraviolet band) or ``"water"``.
        wavelength_nm: any shape, nm.

    Returns:
        Absorption coefficient in cm-1, interpolated in its logarithm.

    Raises:
        InputError: an unknown solvent, or a wavelength outside its table.
    """
    check.one_of(solvent, SOLVENTS, "The solvent")
    nm = door.wavelength(wavelength_nm, *_table(solvent).range_nm, f"the absorption of {solvent}")
    return _absorption_cm1(solvent, nm)


def vial_transmission(
    kind: str, wavelength_nm: ArrayLike, wall_mm: ArrayLike = 1.0, inside: str = "toluene"
) -> Float[Array, "..."]:
    """Return the share of light that gets through the wall of a vial, at normal incidence, into the liquid.

    Reflection at both faces (once each: a second reflection would add 0.01 %) and absorption in between.

    Args:
        kind: ``"borosilicate"`` (opaque in the far ultraviolet), ``"quartz"``, or ``"open"`` (the surface of the
            liquid alone, from above).
        wavelength_nm: any shape, nm.
        wall_mm: thickness of the wall, broadcast, mm.
        inside: the liquid, a material of `refractive_index`.

    Returns:
        Transmission, 0 to 1.

    Raises:
        InputError: an unknown kind or liquid, a negative thickness, or a wavelength outside the tables.
    """
    check.one_of(kind, VIALS, "The vial")
    path_cm = door.positive(wall_mm, "wall thickness", "mm", zero=True) * 0.1
    liquid = refractive_index(inside, wavelength_nm).real
    if kind == "open":
        return _through(1.0, liquid)
    if kind == "quartz":
        silica = refractive_index("fused silica", wavelength_nm).real
        return _through(1.0, silica) * _through(silica, liquid) + 0.0 * path_cm
    table = _table("borosilicate glass")
    nm = door.wavelength(wavelength_nm, *table.range_nm, "the transmission of borosilicate glass")
    glass = parameter_value("glass.refractive_index_vial")
    passed = jnp.exp(-_absorption_cm1("borosilicate glass", nm) * path_cm)
    return _through(1.0, glass) * _through(glass, liquid) * passed


def light_reaching(
    irradiance_mw_cm2: ArrayLike,
    wavelength_nm: ArrayLike,
    vial: str = "borosilicate",
    wall_mm: ArrayLike = 1.0,
    solvent: str = "toluene",
    depth_cm: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """Return what is left of an irradiance behind a wall and a depth of pure solvent.

    Args:
        irradiance_mw_cm2: outside, any shape, mW/cm2.
        wavelength_nm: broadcast, nm.
        vial: kind of vial, one of `VIALS`.
        wall_mm: thickness of its wall, broadcast, mm.
        solvent: what is in the vial, one of `SOLVENTS`.
        depth_cm: path in it, broadcast, cm.

    Returns:
        Irradiance in mW/cm2.

    Raises:
        InputError: as for `vial_transmission` and `solvent_absorption_cm1`, or a negative irradiance or depth.
    """
    outside = door.positive(irradiance_mw_cm2, "irradiance", "mW/cm^2", zero=True)
    depth = door.positive(depth_cm, "depth", "cm", zero=True)
    mu = solvent_absorption_cm1(solvent, wavelength_nm)
    return outside * vial_transmission(vial, wavelength_nm, wall_mm, solvent) * jnp.exp(-mu * depth)


def _through(n1: ArrayLike, n2: ArrayLike) -> Float[Array, "..."]:
    """Return the share that a face between two indices lets through (Fresnel, normal incidence)."""
    return 1.0 - ((jnp.asarray(n1) - jnp.asarray(n2)) / (jnp.asarray(n1) + jnp.asarray(n2))) ** 2
