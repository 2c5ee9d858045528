r"""The edge of a direct gap with an exciton, after Elliott, broadened by a Gaussian.

With the binding energy :math:`E_b` and :math:`\epsilon = E - E_g`, in units of the continuum's step at the gap,

.. math:: s(E) = \sum_n \frac{2 E_b}{n^3}\, \delta(\epsilon + E_b / n^2)
          + \frac{\Theta(\epsilon)}{1 - \exp(-2\pi\sqrt{E_b / \epsilon})},

the second term being the density of states times the Sommerfeld factor (Elliott, Phys. Rev. 1957, 108, 1384). The
lines above the third lie closer than any broadening here: they are taken together as a continuum of height one, which
is what their sum tends to. For :math:`E_b \to 0` the edge, times :math:`2\pi\sqrt{E_b}`, becomes the square root of
free carriers.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core.units import FWHM_PER_SIGMA
from perolas.measurements import lineshapes

_LINES = 3
_REACH = 7.0  # standard deviations; what lies outside is below 1e-11
_SECH_HALF = math.acosh(2.0)  # where cosh is two
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_THRICE = np.tile(_WEIGHTS, 3)


def sommerfeld_step(excess_ev: ArrayLike, binding_ev: ArrayLike) -> Float[Array, "..."]:
    """Return the continuum at an energy above the gap, over its height at the gap.

    Args:
        excess_ev: E - Eg, eV; below zero the height is one (bound states taken together).
        binding_ev: exciton binding energy, eV, positive.

    Returns:
        1 / (1 - exp(-2 pi sqrt(Eb / (E - Eg)))).
    """
    above = jnp.maximum(jnp.asarray(excess_ev), 1e-12)
    return jnp.where(
        jnp.asarray(excess_ev) > 0, -1.0 / jnp.expm1(-2.0 * jnp.pi * jnp.sqrt(jnp.asarray(binding_ev) / above)), 1.0
    )


def elliott(
    energy_ev: Float[Array, " n"],
    gap_ev: ArrayLike,
    binding_ev: ArrayLike,
    fwhm_ev: ArrayLike,
    lorentz_share: ArrayLike = 0.0,
    sech_share: ArrayLike = 0.0,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Return exciton lines and continuum of a broadened edge, each over the continuum's step at the gap.

    Args:
        energy_ev: shape (n,), photon energies, eV.
        gap_ev: where the continuum begins, eV.
        binding_ev: of the exciton, eV, positive.
        fwhm_ev: full width of the broadening, eV, positive.
        lorentz_share: share of the broadening's area that is Lorentzian instead of Gaussian, of one width.
        sech_share: share that is a hyperbolic secant (tails that fall exponentially), of the same width.

    Returns:
        Lines and continuum, each of shape (n,).

    Source: Elliott 1957; see the module.
    """
    energy, binding, fwhm = jnp.asarray(energy_ev), jnp.asarray(binding_ev), jnp.asarray(fwhm_ev)
    lorentz, sech = jnp.asarray(lorentz_share), jnp.asarray(sech_share)
    n = jnp.arange(1.0, _LINES + 1.0)
    away = energy[:, None] - gap_ev + binding / n**2
    shape = (1.0 - lorentz - sech) * lineshapes.gauss(away, fwhm)
    shape = shape + lorentz * lineshapes.lorentz(away, fwhm) + sech * _sech(away, fwhm)
    lines = jnp.sum(2.0 * binding / n**3 * shape, axis=1)

    # Integrals over how far away the energy is that a point is reached from, as far as the continuum has begun there.
    begin = gap_ev - binding / (_LINES + 0.5) ** 2
    above = (energy - begin)[:, None]
    sigma = fwhm / FWHM_PER_SIGMA
    half = 0.5 * (jnp.clip(above / sigma, -_REACH, _REACH) + _REACH)
    u = -_REACH + half * (1.0 + _NODES)
    gaussian = (1.0 - lorentz - sech) / jnp.sqrt(2.0 * jnp.pi) * half * jnp.exp(-0.5 * u**2)
    # The other two have long tails: in their distribution function each stretch weighs alike, and in its root the rise
    # of the continuum far above the gap is smooth. The angle is pi times that function.
    scale = fwhm / (2.0 * _SECH_HALF)
    ends = jnp.sqrt(jnp.stack([
        0.5 * jnp.pi + jnp.arctan(2.0 * above / fwhm),
        2.0 * jnp.arctan(jnp.exp(jnp.clip(above / scale, -60.0, 60.0))),
    ]))  # fmt: skip
    roots = 0.5 * ends * (1.0 + _NODES)
    angle = roots**2
    far = jnp.concatenate(
        [sigma * u, -0.5 * fwhm / jnp.tan(angle[0]), scale * jnp.log(jnp.tan(0.5 * angle[1]))], axis=1
    )
    tails = jnp.stack([lorentz, sech])[:, None, None] / jnp.pi * ends * roots
    weight = jnp.concatenate([gaussian, tails[0], tails[1]], axis=1) * jnp.asarray(_THRICE)
    return lines, jnp.sum(weight * sommerfeld_step(energy[:, None] - far - gap_ev, binding), axis=1)


def _sech(x: Array, fwhm: Array) -> Array:
    """Return a hyperbolic secant of unit area."""
    u = jnp.clip(2.0 * _SECH_HALF * jnp.abs(x) / fwhm, 0.0, 300.0)
    return 2.0 * _SECH_HALF / (jnp.pi * fwhm) / jnp.cosh(u)
