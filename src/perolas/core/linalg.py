"""Small dense linear algebra in plain jax, for matrices of a few rows by the thousand.

LAPACK is called for each matrix on its own, which costs more than the arithmetic where there are seven parameters;
and jaxlib's batched LAPACK calls wait for XLA's own threads, so that two chunks solved at the same time can wait for
each other for ever (seen with jaxlib on two cores). Here a whole batch goes through each step together.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Beyond this many rows LAPACK takes over.
_LARGEST = 24
_UNROLLED = 8  # up to so many rows loops are written out: faster to run, slower to compile
_SWEEPS, _ORTHOGONAL = 20, 1e-13  # Jacobi sweeps converge quadratically: the next one is past float64


def solve_positive(matrix: Float[Array, "p p"], right: Float[Array, " p"]) -> Float[Array, " p"]:
    """Solve a positive definite system by elimination.

    Args:
        matrix: shape (p, p), symmetric.
        right: shape (p,).

    Returns:
        The solution, shape (p,); NaN where the matrix is not positive definite.
    """
    if right.shape[-1] > _LARGEST:
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), right)
    return _eliminated(matrix, right[:, None])[:, -1]


def inverse_positive(matrix: Float[Array, "p p"]) -> Float[Array, "p p"]:
    """Return the inverse of a symmetric positive definite matrix, shape (p, p); NaN where it is not one."""
    size = matrix.shape[-1]
    if size > _LARGEST:
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), jnp.eye(size))
    return _eliminated(matrix, jnp.eye(size))[:, size:]


def _eliminated(matrix: Float[Array, "p p"], right: Float[Array, "p q"]) -> Float[Array, "p r"]:
    """Return [matrix, right] with the matrix turned into the identity by row operations."""
    size = matrix.shape[-1]
    index = np.arange(size)

    def eliminate(j: Array, both: Float[Array, "p q"]) -> Float[Array, "p q"]:
        """Clear column j above and below: on a positive definite matrix this needs no exchange of rows."""
        row = both[j] / jnp.where(both[j, j] > 0, both[j, j], jnp.nan)
        return jnp.where((index == j)[:, None], row, both - both[:, j][:, None] * row)

    both = jnp.concatenate([matrix, right], axis=1)
    return jax.lax.fori_loop(0, size, eliminate, both, unroll=size <= _UNROLLED)


def singular_values(rows: Float[Array, "n p"]) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
    """Return singular values, falling, and right singular vectors of a tall matrix.

    Householder's triangle first, then one-sided Jacobi rotations on it (Hestenes 1958), which keep the relative
    accuracy of the small singular values.

    Args:
        rows: shape (n, p) with n >= p.

    Returns:
        Singular values, shape (p,), and the vectors as columns, shape (p, p).
    """
    size = rows.shape[1]
    if size > _LARGEST:
        _, values, transposed = jnp.linalg.svd(jnp.linalg.qr(rows, mode="r"))
        return values, transposed.T
    return _jacobi(_triangle(rows))


def _triangle(rows: Float[Array, "n p"]) -> Float[Array, "p p"]:
    """Return the triangle R of rows = Q R, by Householder's reflections."""
    count, size = rows.shape
    index = np.arange(count)

    def reflect(j: Array, columns: Float[Array, "p n"]) -> Float[Array, "p n"]:
        below = jnp.where(index >= j, columns[j], 0.0)
        length = jnp.sqrt(jnp.sum(below**2))
        head = columns[j, j]
        vector = below + jnp.where(index == j, jnp.where(head >= 0, length, -length), 0.0)
        square = jnp.sum(vector**2)
        scale = jnp.where(square > 0, 2.0 / jnp.where(square > 0, square, 1.0), 0.0)
        return columns - scale * (columns @ vector)[:, None] * vector

    columns = jax.lax.fori_loop(0, min(size, count - 1), reflect, rows.T, unroll=size <= _UNROLLED)
    return jnp.where(np.tri(size, dtype=bool), columns[:, :size], 0.0).T


def _rounds(size: int) -> np.ndarray:
    """Return the pairs of a round-robin tournament, shape (rounds, size // 2, 2); an odd size has a bye (-1)."""
    players = [*range(size)] + ([-1] if size % 2 else [])
    found = []
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = zip(players[:half], reversed(players[half:]), strict=True)
        found.append([p for p in pairs if -1 not in p])
        players = [players[0], players[-1], *players[1:-1]]
    return np.array(found, dtype=int)


def _jacobi(square: Float[Array, "p p"]) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
    """Rotate columns against each other until all are orthogonal; their lengths are the singular values."""
    size = square.shape[1]
    if size == 1:
        return jnp.abs(square[:, 0]), jnp.ones((1, 1))
    rounds = jnp.asarray(_rounds(size))

    def turn(step: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        both, worst = state
        pairs = rounds[step]
        a, b = both[pairs[:, 0]], both[pairs[:, 1]]
        left, right = a[:, :size], b[:, :size]
        alpha, beta = jnp.sum(left**2, axis=1), jnp.sum(right**2, axis=1)
        gamma = jnp.sum(left * right, axis=1)
        idle = jnp.abs(gamma) <= 1e-300
        zeta = (beta - alpha) / (2 * jnp.where(idle, 1.0, gamma))
        tangent = jnp.where(zeta >= 0, 1.0, -1.0) / (jnp.abs(zeta) + jnp.sqrt(1 + zeta**2))
        tangent = jnp.where(idle, 0.0, tangent)
        cosine = (1 / jnp.sqrt(1 + tangent**2))[:, None]
        sine = cosine * tangent[:, None]
        both = both.at[pairs[:, 0]].set(cosine * a - sine * b)
        slant = jnp.max(jnp.where(idle, 0.0, jnp.abs(gamma) / jnp.sqrt(jnp.maximum(alpha * beta, 1e-300))))
        return both.at[pairs[:, 1]].set(sine * a + cosine * b), jnp.maximum(worst, slant)

    def sweep(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        both, worst = jax.lax.fori_loop(0, rounds.shape[0], turn, (state[0], jnp.zeros(())))
        return both, worst, state[2] + 1

    start = jnp.concatenate([square.T, jnp.eye(size)], axis=1)  # row i: column i of the matrix, then of V
    first = (start, jnp.asarray(1.0), jnp.asarray(0))
    end, _, _ = jax.lax.while_loop(lambda s: (s[1] > _ORTHOGONAL) & (s[2] < _SWEEPS), sweep, first)
    values = jnp.sqrt(jnp.sum(end[:, :size] ** 2, axis=1))
    order = jnp.argsort(-values)
    return values[order], end[order, size:].T
