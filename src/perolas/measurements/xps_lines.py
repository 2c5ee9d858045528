"""The lines of a core level with their derivatives written out: what a batch of fits spends its time on.

`doublets` is `lineshapes.pseudo_voigt` summed over species and partners. Its derivative rule returns one column for
each parameter that varies and combines them by a small matrix product, where differentiating the formula itself would
carry every parameter through every line: five times faster in a batch. tests/unit/test_xps_lines.py holds both against
each other. With S(x) = f(x/w)/w the derivative with respect to the width is -(S + x S')/w.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
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
    split, ratio = partner if partner is not None else (None, None)
    return _plain(energy, position, area, fwhm, lorentz_share, split, ratio)


def doublets_and_integral(
    energy: Float[Array, " n"],
    position: Float[Array, " k"],
    area: Float[Array, " k"],
    fwhm: Float[Array, ""],
    lorentz_share: Float[Array, ""],
    partner: Partner,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Return the sum of the lines and its integral from the low end of the axis; arguments as for `doublets`."""
    split, ratio = partner if partner is not None else (None, None)
    lines, integral = _active(energy, position, area, fwhm, lorentz_share, split, ratio)
    return lines, integral


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


def _shapes(energy: Array, position: Array, fwhm: Array, split: Any) -> tuple[Array, Array, Array, Array]:
    """Return x/w, 1/(1 + 4 (x/w)^2), Gaussian and Lorentzian of each line, shape (lines, n), partners behind mains."""
    centre = position if split is None else jnp.concatenate([position, position + split])
    x = (energy - centre[:, None]) / fwhm
    square = x * x
    tail = 1.0 / (1.0 + 4.0 * square)
    return x, tail, jnp.exp(-_GAUSS * square) * (_GAUSS_PEAK / fwhm), tail * (2.0 / np.pi / fwhm)


def _shares(count: int, ratio: Any) -> Array:
    """Return each line's part of its species' area, shape (lines,)."""
    if ratio is None:
        return jnp.ones(count)
    return jnp.concatenate([jnp.full(count, 1.0) / (1.0 + ratio), jnp.full(count, 1.0) * ratio / (1.0 + ratio)])


def _value(active: bool, primals: tuple[Any, ...]) -> Any:
    energy, position, area, fwhm, share, split, ratio = primals
    _, _, gauss, lorentz = _shapes(energy, position, fwhm, split)
    weight = _shares(area.shape[0], ratio) * jnp.tile(area, 1 if ratio is None else 2)
    lines = weight @ (share * lorentz + (1.0 - share) * gauss)
    return (lines, running_integrals(lines[None], energy)[0]) if active else lines


def _rule(active: bool, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    energy, position, area, fwhm, share, split, ratio = primals
    varies = [not isinstance(t, SymbolicZero) and t is not None for t in tangents]
    count, pair = area.shape[0], 1 if split is None else 2
    own = np.tile(np.eye(count), pair)  # (species, lines): which line belongs to which species
    late = np.repeat(np.arange(pair), count).astype(float)  # 1 for partners
    x, tail, gauss, lorentz = _shapes(energy, position, fwhm, split)
    shape = share * lorentz + (1.0 - share) * gauss
    # minus the width times the derivative of the shape
    slope = ((share * 8.0) * tail * lorentz + ((1.0 - share) * 2.0 * _GAUSS) * gauss) * x
    part = _shares(count, ratio)
    weight = part * jnp.tile(area, pair)
    none = jnp.zeros_like(weight)
    # Each derivative is a sum over lines: (of shapes, of slopes, of x times slopes).
    rows: list[tuple[Array, Array, Array]] = []
    if varies[1]:
        rows += [(none, own[i] * weight / fwhm, none) for i in range(count)]
    if varies[2]:
        rows += [(own[i] * part, none, none) for i in range(count)]
    if varies[3]:
        rows.append((-weight / fwhm, none, weight / fwhm))
    if varies[5]:
        rows.append((none, late * weight / fwhm, none))
    if varies[6]:
        rows.append(((2.0 * late - 1.0) * jnp.tile(area, pair) / (1.0 + ratio) ** 2, none, none))
    rows.append((weight, none, none))
    of_shape, of_slope, of_both = (jnp.stack(group) for group in zip(*rows, strict=True))
    table = of_shape @ shape + of_slope @ slope
    if varies[3]:
        table = table + of_both @ (x * slope)
    order = [i for i in (1, 2, 3, 5, 6) if varies[i]]
    if varies[4]:
        table = jnp.concatenate([(weight @ (lorentz - gauss))[None], table])
        order = [4, *order]
    value = table[-1]
    pushes = jnp.concatenate([jnp.atleast_1d(tangents[i]) for i in order]) if order else jnp.zeros(0)
    change = pushes @ table[:-1]
    axis_change = -(weight @ slope) / fwhm * tangents[0] if varies[0] else jnp.zeros_like(value)
    if not active:
        return value, change + axis_change
    sums = running_integrals(table, energy)
    moved = pushes @ sums[:-1]
    if varies[0]:
        moved = (
            moved
            + jax.jvp(lambda y, e: running_integrals(y[None], e)[0], (value, energy), (axis_change, tangents[0]))[1]
        )
    return (value, sums[-1]), (change + axis_change, moved)


def _made(active: bool) -> Any:
    def function(energy: Array, position: Array, area: Array, fwhm: Array, share: Array, split: Any, ratio: Any) -> Any:
        return _value(active, (energy, position, area, fwhm, share, split, ratio))

    made = jax.custom_jvp(function)
    made.defjvp(partial(_rule, active), symbolic_zeros=True)
    return made


_plain, _active = _made(False), _made(True)
