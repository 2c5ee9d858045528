r"""What a spectrophotometer shows, and what it means: absorbance, transmittance, diffuse reflectance, sphere.

Kubelka and Munk: for an infinitely thick, diffusing layer :math:`F(R) = (1 - R)^2 / 2R = K / S`. It holds for diffuse
light, a layer so thick that its backing is not seen, particles smaller than the layer and weak absorption (R above
about 0.2-0.3); specular reflection must be kept out. S is taken as constant over the edge.

Integrating sphere, single beam: with wall reflectance :math:`\rho_w`, the port of the sample taking a share f of the
wall, the mean reflectance of the sphere depends on the sample, and so does its throughput (substitution error),

.. math:: R_\mathrm{read} = \frac{R}{R_0} \frac{1 - \rho_w (1 - f) - f R_0}{1 - \rho_w (1 - f) - f R},

R_0 being the reference's reflectance. Stray light, a share s of the lamp's that no sample stops, makes a transmittance
T into (T + s) / (1 + s), so that no absorbance above -log10 s is ever read.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float


def absorbance(transmittance: ArrayLike) -> Float[Array, "..."]:
    """Return -log10 of a transmittance (a share, not percent)."""
    return -jnp.log10(jnp.asarray(transmittance))


def absorbance_variance(transmittance: ArrayLike, variance: ArrayLike) -> Float[Array, "..."]:
    """Return the variance of an absorbance from that of the transmittance, to first order.

    Args:
        transmittance: shares, any shape; well above their own noise.
        variance: of them.

    Returns:
        variance / (T ln 10)^2.
    """
    return jnp.asarray(variance) / (jnp.asarray(transmittance) * math.log(10.0)) ** 2


def kubelka_munk(reflectance: ArrayLike) -> Float[Array, "..."]:
    """Return K / S of a diffuse reflectance (a share), (1 - R)^2 / 2R (Kubelka and Munk 1931)."""
    r = jnp.asarray(reflectance)
    return (1.0 - r) ** 2 / (2.0 * r)


def diffuse_reflectance(ratio: ArrayLike) -> Float[Array, "..."]:
    """Return the diffuse reflectance of a thick layer of a given K / S, the inverse of `kubelka_munk`."""
    f = jnp.asarray(ratio)
    return 1.0 / (1.0 + f + jnp.sqrt(f**2 + 2.0 * f))  # 1 + f - sqrt(f^2 + 2 f), without cancelling


def with_stray_light(transmittance: ArrayLike, share: ArrayLike) -> Float[Array, "..."]:
    """Return the transmittance read where a share s of the lamp's light passes every sample, (T + s) / (1 + s)."""
    return (jnp.asarray(transmittance) + jnp.asarray(share)) / (1.0 + jnp.asarray(share))


def sphere_reading(
    reflectance: ArrayLike, port_share: ArrayLike = 0.0, wall: ArrayLike = 0.98, reference: ArrayLike = 0.99
) -> Float[Array, "..."]:
    """Return what a single-beam integrating sphere reads for a sample; see the module for the equation.

    Args:
        reflectance: true reflectance of the sample, a share.
        port_share: share f of the sphere's wall that the sample's port takes; 0 for a double-beam instrument.
        wall: reflectance of the wall.
        reference: reflectance of the white reference that reads as one.

    Returns:
        The reading, a share.

    Source: substitution error of an integrating sphere (Jacquez and Kuppenheim, J. Opt. Soc. Am. 1955, 45, 460).
    """
    r, reference = jnp.asarray(reflectance), jnp.asarray(reference)
    lost = 1.0 - jnp.asarray(wall) * (1.0 - jnp.asarray(port_share))
    return r / reference * (lost - port_share * reference) / (lost - port_share * r)


def sphere_corrected(
    reading: ArrayLike, port_share: ArrayLike = 0.0, wall: ArrayLike = 0.98, reference: ArrayLike = 0.99
) -> Float[Array, "..."]:
    """Return the true reflectance behind a reading, the inverse of `sphere_reading`; arguments as there."""
    read = jnp.asarray(reading) * jnp.asarray(reference)
    lost = 1.0 - jnp.asarray(wall) * (1.0 - jnp.asarray(port_share))
    room = lost - port_share * jnp.asarray(reference)
    return read * lost / (room + port_share * read)
