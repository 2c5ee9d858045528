"""Passive resonances nearest to the gain, by shift and invert.

In one dimension the open ends make the problem quadratic in k; it is solved as a linear one of twice the size. In two
dimensions the absorbing layer does not depend on k, and the problem is linear in k squared.

Source: Lehoucq, Sorensen and Yang, ARPACK Users' Guide, SIAM 1998 (the iteration, in scipy).
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
from jaxtyping import Complex
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigs

from perolas.laser.salt.operator import Factors, Operator, factorise

_DENSE = 30  # nodes, up to which all are found at once


def nearest_resonances(
    operator: Operator, count: int, factors: Factors | None = None, shift: complex = 1.0
) -> tuple[Complex[np.ndarray, " m"], Complex[np.ndarray, "n m"]]:
    """Return the resonances nearest to the shift, with their fields.

    Args:
        operator: the cavity.
        count: how many are wanted.
        factors: of A at the shift without pump, where they are there already (two dimensions only).
        shift: complex k in units of k_a.

    Returns:
        k (m,) by distance from the shift, m at most `count`, and fields (n, m), each of largest modulus 1.
    """
    if np.any(operator.ends):
        k, fields = _quadratic(operator, count, shift)
    else:
        k, fields = _linear(operator, count, factors, shift)
    good = np.isfinite(k) & (np.abs(k) > 1e-9)
    k, fields = k[good], fields[:, good]
    order = np.argsort(np.abs(k - shift))[:count]
    k, fields = k[order], fields[:, order]
    peak = np.argmax(np.abs(fields), axis=0)
    return k, fields / fields[peak, np.arange(k.size)]


def _iterate(n: int, solve: LinearOperator, count: int) -> tuple[np.ndarray, np.ndarray]:
    count = min(count, n - 2)
    precision = 1e-10 if n < 20_000 else 1e-7
    start = np.random.default_rng(0).standard_normal(n) + 0j  # the same answer at each call
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, vector = eigs(
                solve, k=count, which="LM", v0=start, tol=precision, ncv=min(n - 1, max(2 * count, 20))
            )
    except ArpackNoConvergence as partial:
        value, vector = partial.eigenvalues, partial.eigenvectors
    except ArpackError:
        return np.empty(0, complex), np.empty((n, 0), complex)
    return np.asarray(value), np.asarray(vector)


def _linear(operator: Operator, count: int, factors: Factors | None, shift: complex) -> tuple[np.ndarray, np.ndarray]:
    """(-L) psi = k^2 M eps psi."""
    n = operator.size
    if n <= _DENSE:
        weighed = (operator.mass @ sp.diags_array(operator.eps)).toarray()
        value, vector = np.linalg.eig(np.linalg.solve(weighed, -operator.laplacian.toarray()))
        return _upper_root(value, shift), vector
    factors = factors or operator.factors(shift)

    def solve(x: np.ndarray) -> np.ndarray:
        return -factors.solve(operator.mass @ (operator.eps * x.ravel()))

    value, vector = _iterate(n, LinearOperator((n, n), matvec=solve, dtype=complex), count)
    return _upper_root(shift**2 + 1.0 / value, shift), vector


def _upper_root(square: np.ndarray, shift: complex) -> np.ndarray:
    with np.errstate(all="ignore"):
        root = np.sqrt(np.asarray(square, dtype=complex))
    return np.where(np.abs(root - shift) <= np.abs(root + shift), root, -root)


def _quadratic(operator: Operator, count: int, shift: complex) -> tuple[np.ndarray, np.ndarray]:
    """Solve (L + k E + k^2 M eps) psi = 0 as a linear problem for (psi, k psi)."""
    n = operator.size
    weighed = operator.mass @ sp.diags_array(operator.eps)
    if n <= _DENSE:
        eye, none = np.eye(n), np.zeros((n, n))
        left = np.block([[none, eye], [-operator.laplacian.toarray(), -np.diag(operator.ends)]])
        value, vector = np.linalg.eig(np.linalg.solve(np.block([[eye, none], [none, weighed.toarray()]]), left))
        return value, vector[:n]
    # With y = (psi, phi), phi = k psi: (left - s right) x = right b  reduces to A(s) psi = -(M eps phi_b + ...).
    factors = factorise(operator.matrix(shift), operator.order)

    def solve(both: np.ndarray) -> np.ndarray:
        first, second = both.ravel()[:n], both.ravel()[n:]
        right = -(weighed @ second) - (operator.ends * first + shift * (weighed @ first))
        psi = factors.solve(right)
        return np.concatenate([psi, first + shift * psi])

    value, vector = _iterate(2 * n, LinearOperator((2 * n, 2 * n), matvec=solve, dtype=complex), count)
    return shift + 1.0 / value, vector[:n]
