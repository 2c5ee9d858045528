"""Lines of a powder pattern and their sum on an axis: Thompson-Cox-Hastings pseudo-Voigts, in blocks of the axis.

The sum is the costly part, so it has a structure that is decided beforehand: the axis is cut into blocks, and each
block knows the lines that reach it. Its derivatives by position, area, width and Lorentz share are written out, so that
all columns of a Jacobian come from one evaluation and one batched matrix product.

Source: Thompson, Cox and Hastings 1987; Finger, Cox and Jephcoat 1994.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

BLOCK = 64  # points
_LN2 = float(np.log(2.0))
_LEAST_DEG2 = 2e-5


def tch(gauss_fwhm: Array, lorentz_fwhm: Array) -> tuple[Array, Array]:
    """Return width and Lorentz share of the pseudo-Voigt that stands for a Voigt line.

    Args:
        gauss_fwhm: full width of the Gaussian part, any unit; positive.
        lorentz_fwhm: full width of the Lorentzian part, same unit; zero or positive.

    Returns:
        The full width, and the share of the Lorentzian in the area.

    Source: Thompson, Cox and Hastings 1987, equations 5 and 6.
    """
    g, l = gauss_fwhm, lorentz_fwhm
    fifth = g**5 + 2.69269 * g**4 * l + 2.42843 * g**3 * l**2 + 4.47163 * g**2 * l**3 + 0.07842 * g * l**4 + l**5
    fwhm = fifth**0.2
    share = l / fwhm
    return fwhm, 1.36603 * share - 0.47719 * share**2 + 0.11116 * share**3


def safe_gauss(squared: Array) -> Array:
    """Return the root of a squared width that the Caglioti polynomial may have made negative: smooth, always positive.

    Far above `_LEAST_DEG2` it is the root itself; a corner there would stop a fit that runs into it.
    """
    return jnp.sqrt(0.5 * (squared + jnp.sqrt(squared**2 + _LEAST_DEG2**2)))


def axial_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes u and weights of a Gauss rule for the density 2 (1 - u) on 0 to 1 (Jacobi); one node is u = 0."""
    if count == 1:
        return np.zeros(1), np.ones(1)
    from scipy.special import roots_jacobi

    x, w = roots_jacobi(count, 1.0, 0.0)
    return (x + 1) / 2, w / w.sum()


def axial_positions(two_theta_deg: Array, opening: Array, nodes: Array, weights: Array) -> tuple[Array, Array]:
    """Return where the rays of an axially divergent beam meet the axis, and how much of the line each carries.

    With source (or sample) and detector slit of the same half height H at distance L, opening = H / L, rays at a height
    h = 2 H u have the density (1 - u) / (sin 2 phi (1 + (h / L)^2)) and arrive at cos 2 phi = cos 2 theta
    sqrt(1 + (h / L)^2). In u this is smooth, so a few nodes do.

    Args:
        two_theta_deg: shape (l,), positions without divergence.
        opening: H / L.
        nodes: shape (m,), see `axial_nodes`.
        weights: shape (m,).

    Returns:
        Positions in degrees and shares, both of shape (l, m); the shares of a line sum to one.

    Source: Finger, Cox and Jephcoat 1994, equations 7 to 13, for S = H.
    """
    angle = jnp.deg2rad(two_theta_deg)[:, None]
    stretch = 1.0 + (2.0 * opening * nodes) ** 2
    cosine = jnp.clip(jnp.cos(angle) * jnp.sqrt(stretch), -0.999999, 0.999999)
    moved = jnp.arccos(cosine)
    share = weights / (jnp.sin(moved) * stretch)
    return jnp.rad2deg(moved), share / jnp.sum(share, axis=1, keepdims=True)


def _parts(x: Array, position: Array, fwhm: Array) -> tuple[Array, Array, Array]:
    """Return u^2 and the two lines of unit area, each of shape (blocks, points, lines)."""
    inverse = 1.0 / fwhm[:, None, :]
    u = (x[:, :, None] - position[:, None, :]) * inverse
    lorentz = (2.0 / np.pi) * inverse / (1.0 + 4.0 * u**2)
    gauss = (2.0 * np.sqrt(_LN2 / np.pi)) * inverse * jnp.exp(-4.0 * _LN2 * u**2)
    return u, lorentz, gauss


@jax.custom_jvp
def blocks(
    x: Float[Array, "b p"],
    position: Float[Array, "b m"],
    area: Float[Array, "b m"],
    fwhm: Float[Array, "b m"],
    share: Float[Array, "b m"],
) -> Float[Array, "b p"]:
    """Return the sum of pseudo-Voigts in each block of an axis.

    Args:
        x: shape (b, p), the axis in blocks.
        position: shape (b, m), of the lines that reach each block.
        area: shape (b, m).
        fwhm: shape (b, m).
        share: shape (b, m), Lorentz share of the area.

    Returns:
        Shape (b, p), area per unit of x. Derivatives by x are not provided (it does not vary).
    """
    _, lorentz, gauss = _parts(x, position, fwhm)
    s = share[:, None, :]
    return jnp.einsum("bpm,bm->bp", s * lorentz + (1.0 - s) * gauss, area)


@blocks.defjvp
def _blocks_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    x, position, area, fwhm, share = primals
    u, lorentz, gauss = _parts(x, position, fwhm)
    s, inverse = share[:, None, :], 1.0 / fwhm[:, None, :]
    line = s * lorentz + (1.0 - s) * gauss
    a = area[:, None, :]
    steep = 8.0 * u / (1.0 + 4.0 * u**2)
    by_position = a * inverse * (s * lorentz * steep + (1.0 - s) * gauss * (8.0 * _LN2 * u))
    by_fwhm = u * by_position - a * inverse * line
    by_share = a * (lorentz - gauss)
    columns = jnp.concatenate([by_position, line, by_fwhm, by_share], axis=2)
    moves = jnp.concatenate(tangents[1:], axis=1)
    return jnp.einsum("bpm,bm->bp", line, area), jnp.einsum("bpm,bm->bp", columns, moves)


def block_table(axis: np.ndarray, centres: np.ndarray, reach: np.ndarray) -> Int[np.ndarray, "b m"]:
    """Return which lines reach each block.

    Args:
        axis: shape (n,), rising.
        centres: shape (l,), where the lines are about.
        reach: shape (l,), how far from its centre each is computed.

    Returns:
        Shape (b, m), indices of lines, padded with l (a line that is not there).
    """
    count = -(-axis.size // BLOCK)
    found = []
    for i in range(count):
        part = axis[i * BLOCK : (i + 1) * BLOCK]
        found.append(np.flatnonzero((centres + reach >= part[0]) & (centres - reach <= part[-1])))
    width = -(-max(1, *(f.size for f in found)) // 16) * 16  # in steps, so that like patterns share a compilation
    table = np.full((count, width), centres.size, dtype=np.int32)
    for row, lines in zip(table, found, strict=True):
        row[: lines.size] = lines
    return table


def pad_axis(axis: np.ndarray) -> np.ndarray:
    """Return the axis in blocks, shape (b, BLOCK), the last filled up with its last value."""
    count = -(-axis.size // BLOCK)
    return np.pad(axis, (0, count * BLOCK - axis.size), mode="edge").reshape(count, BLOCK)
