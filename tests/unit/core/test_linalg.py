"""Small linear algebra, held against LAPACK through numpy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core import invert  # noqa: F401  (sets jax to float64 before anything is traced)
from perolas.core.linalg import singular_values, solve_positive


@pytest.mark.parametrize(("rows", "columns"), [(20, 1), (14, 3), (288, 7), (60, 12), (60, 30)])
def test_singular_values_of_badly_scaled_matrices(rows, columns):
    rng = np.random.default_rng(columns)
    matrix = rng.normal(size=(rows, columns)) @ np.diag(10.0 ** -np.linspace(0, 6, columns))
    values, vectors = jax.jit(singular_values)(jnp.asarray(matrix))
    np.testing.assert_allclose(values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-8)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(columns), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(matrix @ vectors, axis=0), values, rtol=1e-8)


def test_a_direction_without_information_has_no_singular_value():
    matrix = np.random.default_rng(0).normal(size=(30, 4))
    matrix[:, 2] = 0.0
    matrix[:, 3] = matrix[:, 0] + matrix[:, 1]
    values, _ = singular_values(jnp.asarray(matrix))
    assert np.all(np.asarray(values[2:]) < 1e-13 * float(values[0]))


@pytest.mark.parametrize("size", [1, 2, 7, 13, 30])
def test_solving(size):
    rng = np.random.default_rng(size)
    half = rng.normal(size=(size, size))
    matrix, right = half @ half.T + np.eye(size), rng.normal(size=size)
    np.testing.assert_allclose(
        solve_positive(jnp.asarray(matrix), jnp.asarray(right)), np.linalg.solve(matrix, right), rtol=1e-9
    )


def test_what_is_not_positive_definite_gives_nan():
    matrix = jnp.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.all(np.isnan(solve_positive(matrix, jnp.ones(2))))


def test_two_threads_do_not_wait_for_each_other():
    """Batched LAPACK calls of jaxlib did, for ever; a hang here is that fault come back."""
    from concurrent.futures import ThreadPoolExecutor

    work = jax.jit(jax.vmap(lambda a: singular_values(a)[0] + solve_positive(a.T @ a, a[0])))
    batch = jnp.asarray(np.random.default_rng(0).normal(size=(64, 40, 7)))
    work(batch).block_until_ready()
    with ThreadPoolExecutor(2) as pool:
        assert all(np.all(np.isfinite(r)) for r in pool.map(lambda _: np.asarray(work(batch)), range(40)))
