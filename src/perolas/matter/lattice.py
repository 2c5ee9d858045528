"""Where a lattice diffracts, as differentiable functions of its cell; what does not move with the cell is in `crystal`.

    1 / d^2 = h^T G^-1 h,   lambda = 2 d sin(theta),   LP = (1 + cos^2 2 theta) / (sin^2 theta cos theta)

with G the metric tensor of the cell. One formula serves all seven crystal systems.

Source: International Tables for Crystallography, volume C, sections 1.1 and 6.2.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike


def metric_tensor(cell: ArrayLike) -> Float[Array, "3 3"]:
    """Return the metric tensor of a cell.

    Args:
        cell: shape (6,), a, b, c in nm and alpha, beta, gamma in degrees.

    Returns:
        Shape (3, 3), nm^2.
    """
    cell = jnp.asarray(cell)
    lengths = cell[:3]
    cos_alpha, cos_beta, cos_gamma = jnp.cos(jnp.deg2rad(cell[3:]))
    angles = jnp.array([[1.0, cos_gamma, cos_beta], [cos_gamma, 1.0, cos_alpha], [cos_beta, cos_alpha, 1.0]])
    return angles * lengths[:, None] * lengths[None, :]


def cell_volume_nm3(cell: ArrayLike) -> Float[Array, ""]:
    """Return the volume of a cell, nm^3, from its six parameters (nm, degrees)."""
    return jnp.sqrt(jnp.linalg.det(metric_tensor(cell)))


def d_spacing_nm(hkl: ArrayLike, cell: ArrayLike, strain: ArrayLike = 0.0) -> Float[Array, "..."]:
    """Return the distance of lattice planes, differentiable in cell and strain.

    Args:
        hkl: shape (..., 3), Miller indices.
        cell: shape (6,), a, b, c in nm and alpha, beta, gamma in degrees.
        strain: isotropic linear strain, tension positive.

    Returns:
        Shape (...), nm.
    """
    hkl = jnp.asarray(hkl, dtype=float)
    inverse_squared = jnp.einsum("...i,ij,...j->...", hkl, jnp.linalg.inv(metric_tensor(cell)), hkl)
    return (1.0 + jnp.asarray(strain)) / jnp.sqrt(inverse_squared)


def two_theta_deg(d_nm: ArrayLike, wavelength_nm: ArrayLike) -> Float[Array, "..."]:
    """Return the diffraction angle by Bragg's law.

    Args:
        d_nm: distance of the planes, nm.
        wavelength_nm: wavelength, nm.

    Returns:
        2 theta in degrees; NaN where the wavelength is longer than 2 d and nothing is diffracted.
    """
    return 2.0 * jnp.rad2deg(jnp.arcsin(jnp.asarray(wavelength_nm) / (2.0 * jnp.asarray(d_nm))))


def lorentz_polarisation(two_theta: ArrayLike) -> Float[Array, "..."]:
    """Return the Lorentz-polarisation factor of a powder and an unpolarised beam.

    Args:
        two_theta: diffraction angle, degrees.

    Returns:
        (1 + cos^2 2 theta) / (sin^2 theta cos theta); no monochromator.
    """
    angle = jnp.deg2rad(jnp.asarray(two_theta))
    return (1.0 + jnp.cos(angle) ** 2) / (jnp.sin(angle / 2.0) ** 2 * jnp.cos(angle / 2.0))
