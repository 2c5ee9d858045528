r"""Gain of many media at once: the band filling and the ladder of `perolas.laser.gain` on a grid of excitations.

For each draw the levels are filled to a row of chemical potentials, which gives the excitations N and the gain at a few
photon energies around the line; everything else interpolates in that table. In
time the excitations fall as :math:`\dot N = -N/\tau - N^2/2\tau_A`, and a spike has to grow e-fold `buildup` times:

.. math:: v \int_{N_t}^{N_0} \frac{G(N) - G(N_t)}{N/\tau + N^2/2\tau_A}\, dN = \ln(\mathrm{photons}),

where N_t is the steady threshold and N_0 what the pulse has to make.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import units

POINTS = 128  # excitations in the table
PLACES = (-2.0, -1.3, -0.7, 0.0)  # photon energies around the lowest line, in its standard deviations
HIGHER = (3.0, 6.0)  # and on the next lines, as n^2 above the lowest
_SQUARES = 150  # n^2 up to which levels are counted: 1 eV above the gap at 20 nm
MOST = 300.0  # excitations beyond which a nanocrystal of 20 nm is damaged rather than pumped


def _levels() -> tuple[np.ndarray, np.ndarray]:
    n = np.arange(1, 13) ** 2
    squares, counts = np.unique((n[:, None, None] + n[:, None] + n).ravel(), return_counts=True)
    keep = squares <= _SQUARES
    return squares[keep] - 3.0, counts[keep].astype(float)


class Table(NamedTuple):
    """Gain of one solid medium.

    Attributes:
        excitations: shape (p,), rising.
        gain_cm1: shape (e, p), cm-1, negative below transparency.
        absorption_cm1: shape (e,), of what is not pumped, cm-1.
        offset_ev: shape (e,), photon energy above the lowest line, eV.
    """

    excitations: Float[Array, " p"]
    gain_cm1: Float[Array, "e p"]
    absorption_cm1: Float[Array, " e"]
    offset_ev: Float[Array, " e"]


def table(
    size_nm: Array, carrier_k: Array, sigma_ev: Array, strength_cm1_ev: Array, ladder: Array, masses: Array
) -> Table:
    """Return the table of one draw.

    Args:
        size_nm: edge, nm.
        carrier_k: temperature of the carriers, K.
        sigma_ev: standard deviation of one line, eV.
        strength_cm1_ev: area under the absorption of one level, cm-1 eV.
        ladder: above 0.5 for the ladder of excitons.
        masses: shape (2,), of electron and hole, in electron masses.

    Returns:
        The table.
    """
    squares, counts = (jnp.asarray(x) for x in _levels())
    unit = units.HBAR2_PER_2ME_EV_NM2 * math.pi**2 / (masses * size_nm**2)
    kt = units.BOLTZMANN_EV_K * carrier_k
    rest = jnp.linspace(0.0, 1.0, POINTS - 79)[1:] ** 1.5
    highest = unit[0] * 75.0 / kt + 10.0  # fills more than 300 places
    mu = jnp.concatenate([jnp.linspace(-7.0, -1.5, 16), jnp.linspace(-1.4, 5.0, 64), 5.0 + highest * rest])

    def fill(mass_unit: Array, level: Array) -> tuple[Array, Array]:
        f = jax.nn.sigmoid(level[:, None] - mass_unit * squares / kt)
        return f, 2.0 * f @ counts

    electrons, number = fill(unit[0], mu)
    scale = unit[1] / unit[0]
    hole_mu = (
        -7.0
        - 3.0 * jnp.abs(jnp.log(scale))
        + (highest * jnp.maximum(scale, 1.0) + 20.0) * jnp.linspace(0.0, 1.0, 2 * POINTS)
    )
    _, held = fill(unit[1], hole_mu)
    same = jnp.interp(jnp.log(number), jnp.log(held), hole_mu)
    same = jnp.where(jnp.abs(scale - 1.0) < 1e-9, mu, same)
    holes, _ = fill(unit[1], same)
    lines = (unit[0] + unit[1]) * squares
    offset = jnp.concatenate([sigma_ev * jnp.asarray(PLACES), (unit[0] + unit[1]) * jnp.asarray(HIGHER)])
    shape = jnp.exp(-0.5 * ((offset[:, None] - lines) / sigma_ev) ** 2) / (sigma_ev * math.sqrt(2.0 * math.pi))
    bands = strength_cm1_ev * (shape * counts) @ (electrons + holes - 1.0).T
    dark = strength_cm1_ev * shape @ counts
    pairs = 1.0 - jnp.exp(-number) * (2.0 + number)
    rungs = strength_cm1_ev * shape[:, :1] * pairs
    gain = jnp.where(ladder > 0.5, rungs, bands)
    return Table(number, gain, jnp.where(ladder > 0.5, strength_cm1_ev * shape[:, 0], dark), offset)


def at_gain(excitations: Array, gain: Array, wanted: Array) -> Array:
    """Return the excitations at which a rising gain first reaches what is wanted; infinity where it never does."""
    rising = jax.lax.cummax(gain)
    above = rising >= wanted
    i = jnp.clip(jnp.argmax(above), 1, gain.size - 1)
    low, high = gain[i - 1], gain[i]
    share = jnp.clip((wanted - low) / jnp.where(high == low, 1.0, high - low), 0.0, 1.0)
    found = excitations[i - 1] + share * (excitations[i] - excitations[i - 1])
    return jnp.where(jnp.any(above), found, jnp.inf)


def built_up(
    excitations: Array, gain: Array, start: Array, speed_cm_ps: Array, lifetime_ps: Array, auger_ps: Array, folds: Array
) -> Array:
    """Return the excitations that a pulse has to make so that light grows `folds` e-folds before gain is used up.

    Args:
        excitations: shape (p,), rising.
        gain: shape (p,), of the mode, cm-1.
        start: excitations of the steady threshold.
        speed_cm_ps: of light, cm/ps.
        lifetime_ps: of a single excitation, ps.
        auger_ps: Auger lifetime of a pair, ps.
        folds: logarithm of the photons that one has to become.

    Returns:
        Excitations, above `start`; infinity where the table ends before.
    """
    share = jnp.linspace(0.0, 1.0, 128) ** 2
    safe = jnp.where(jnp.isfinite(start), start, 1.0)
    n = safe * (excitations[-1] / safe) ** share
    net = jnp.interp(n, excitations, gain)
    net = jnp.maximum(net - net[0], 0.0)
    used = n / lifetime_ps + 0.5 * n**2 / auger_ps
    grown = speed_cm_ps * net / used
    total = jnp.concatenate([jnp.zeros(1), jnp.cumsum(0.5 * (grown[1:] + grown[:-1]) * jnp.diff(n))])
    found = jnp.interp(folds, total, n)
    return jnp.where(jnp.isfinite(start) & (total[-1] >= folds), found, jnp.inf)
