"""The lines of a core level, and their derivatives written out: what a batch of fits spends its time on.

`doublets` is `lineshapes.pseudo_voigt` summed over species and partners; `doublets_with_columns` gives the derivatives
with it, each a sum over lines of three arrays, where differentiating the formula would carry every parameter through
every line: several times slower in a batch. tests/unit/test_xps.py holds both against each other.
With S(x) = f(x/w)/w the derivative with respect to the width is -(S + x S')/w.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.units import FWHM_PER_SIGMA

_GAUSS = 0.5 * FWHM_PER_SIGMA**2  # exponent of a Gaussian at x = fwhm
_GAUSS_PEAK = FWHM_PER_SIGMA / np.sqrt(2 * np.pi)
_BLOCK = 17

Partner = tuple[Float[Array, ""], Float[Array, ""]] | None


def doublets(
    energy: Float[Array, " n"],
    position: Float[Array, " k"],
    area: Float[Array, " k"],
    fwhm: Float[Array, ""],
    lorentz_share: Float[Array, ""],
    partner: Partner,
) -> Float[Array, " n"]:
    """Return the sum of the lines of k species.

    Args:
        energy: shape (n,), eV.
        position: shape (k,), main lines, eV.
        area: shape (k,), of main line and partner together, counts eV.
        fwhm: of every line, eV.
        lorentz_share: of the Lorentzian in every line's area.
        partner: splitting in eV and area ratio of the partner lines; None: single lines.

    Returns:
        Counts, shape (n,).
    """
    _, _, gauss, lorentz = _shapes(energy, position, fwhm, partner)
    shape = lorentz_share * lorentz + (1.0 - lorentz_share) * gauss
    return _sum(_parts(area.shape[0], partner) * _twice(area, partner), shape)


def doublets_with_columns(
    energy: Float[Array, " n"],
    position: Float[Array, " k"],
    area: Float[Array, " k"],
    fwhm: Float[Array, ""],
    lorentz_share: Float[Array, ""],
    partner: Partner,
) -> tuple[Float[Array, " n"], dict[str, list[Float[Array, " n"]]]]:
    """Return the sum of the lines with its derivatives; arguments as for `doublets`.

    Returns:
        Counts, shape (n,), and by argument its derivatives, each of shape (n,): k of them for "position" and "area",
        one for "fwhm", "lorentz_share", and for "splitting" and "area_ratio" where there are partners.
    """
    count = area.shape[0]
    x, tail, gauss, lorentz = _shapes(energy, position, fwhm, partner)
    shape = lorentz_share * lorentz + (1.0 - lorentz_share) * gauss
    # minus the width times the derivative of the shape
    slope = ((lorentz_share * 8.0) * tail * lorentz + ((1.0 - lorentz_share) * 2.0 * _GAUSS) * gauss) * x
    part = _parts(count, partner)
    weight = part * _twice(area, partner)
    moves = [weight[i] / fwhm * slope[i] for i in range(weight.shape[0])]
    lines = [part[i] * shape[i] for i in range(weight.shape[0])]
    of_species = [range(i, weight.shape[0], count) for i in range(count)]
    rows: dict[str, list[Array]] = {
        "position": [_total(moves[j] for j in own) for own in of_species],
        "area": [_total(lines[j] for j in own) for own in of_species],
        "fwhm": [_sum(weight / fwhm, x * slope - shape)],
        "lorentz_share": [_sum(weight, lorentz - gauss)],
    }
    if partner is not None:
        ratio = partner[1]
        sign = np.repeat([-1.0, 1.0], count)
        rows["splitting"] = [_total(moves[count:])]
        rows["area_ratio"] = [_sum(sign * jnp.tile(area, 2) / (1.0 + ratio) ** 2, shape)]
    return _sum(weight, shape), rows


def running_integrals(rows: Float[Array, "m n"], energy: Float[Array, " n"]) -> Float[Array, "m n"]:
    """Return `lineshapes.running_integral` of each row, by small matrix products: three times faster in a batch."""
    many, count = rows.shape
    parts = 0.5 * (rows[:, 1:] + rows[:, :-1]) * jnp.abs(energy[1:] - energy[:-1])
    blocks = -(-count // _BLOCK)
    padded = jnp.pad(parts, [(0, 0), (1, blocks * _BLOCK - count)]).reshape(many * blocks, _BLOCK)
    within = (padded @ np.triu(np.ones((_BLOCK, _BLOCK)))).reshape(many, blocks, _BLOCK)
    before = within[:, :, -1] @ np.triu(np.ones((blocks, blocks)), 1)
    rising = (within + before[:, :, None]).reshape(many, -1)[:, :count]
    return jnp.where(energy[-1] > energy[0], rising, rising[:, -1:] - rising)


def _shapes(energy: Array, position: Array, fwhm: Array, partner: Partner) -> tuple[Array, Array, Array, Array]:
    """Return x/w, 1/(1 + 4 (x/w)^2), Gaussian and Lorentzian of each line, shape (lines, n), partners behind mains."""
    centre = position if partner is None else jnp.concatenate([position, position + partner[0]])
    x = (energy - centre[:, None]) / fwhm
    square = x * x
    tail = 1.0 / (1.0 + 4.0 * square)
    return x, tail, jnp.exp(-_GAUSS * square) * (_GAUSS_PEAK / fwhm), tail * (2.0 / np.pi / fwhm)


def _parts(count: int, partner: Partner) -> Array:
    """Return each line's part of its species' area, shape (lines,)."""
    if partner is None:
        return jnp.ones(count)
    ratio = partner[1]
    return jnp.concatenate([jnp.full(count, 1.0) / (1.0 + ratio), jnp.full(count, 1.0) * ratio / (1.0 + ratio)])


def _twice(area: Array, partner: Partner) -> Array:
    return area if partner is None else jnp.tile(area, 2)


def _sum(weight: Array, rows: Array) -> Array:
    """Return the weighted sum of a few rows: written out it joins what made the rows, as a product it would not."""
    return _total(weight[i] * rows[i] for i in range(rows.shape[0]))


def _total(rows: Iterable[Array]) -> Array:
    return reduce(operator.add, rows)
