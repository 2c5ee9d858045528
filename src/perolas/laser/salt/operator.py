r"""The discretised wave equation of a cavity, in one form for one and for two dimensions.

.. math:: A(k, D_0, H)\,\psi = \left[L + kE + k^2 M\,\mathrm{diag}\!\left(\varepsilon
          + g(k)\,\frac{D_0 F}{1 + H}\right)\right]\psi = 0, \quad g(k) = \frac{\gamma_\perp}{k - k_a + i\gamma_\perp} .

L is the Laplacian with its walls, E what leaves through exact open ends (in one dimension), M the mass matrix. Lengths
are measured in units of `1 / k_a` here, so that k is near 1 whatever the units outside were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Complex, Float, Int
from scipy.sparse.linalg import splu

Vector = Complex[np.ndarray, " n"]


@dataclass(frozen=True)
class Factors:
    """A factorised sparse matrix, bordered or not.

    Attributes:
        lu: of scipy, in the order of elimination.
        order: where each row of it is taken from, shape (n,).
    """

    lu: Any
    order: Int[np.ndarray, " n"]

    def solve(self, right: Complex[np.ndarray, "n ..."], transposed: bool = False) -> Complex[np.ndarray, "n ..."]:
        """Return the solution for right-hand sides of shape (n,) or (n, m); `transposed`: with the transpose."""
        solution = np.empty_like(right, dtype=complex)
        solution[self.order] = self.lu.solve(
            np.ascontiguousarray(right[self.order], dtype=complex), "T" if transposed else "N"
        )
        return solution


def factorise(matrix: sp.csc_matrix, order: Int[np.ndarray, " n"]) -> Factors:
    """Return the factors of a sparse matrix eliminated in a given order, with pivots near the diagonal."""
    permuted = matrix[order][:, order].tocsc()
    lu = splu(permuted, permc_spec="NATURAL", diag_pivot_thresh=0.01, options={"SymmetricMode": True})
    return Factors(lu, order)


@dataclass(frozen=True)
class Operator:
    """The matrices of a cavity, with `1 / k_a` as the unit of length.

    Attributes:
        laplacian: L, sparse (n, n).
        mass: M, sparse (n, n).
        ends: diagonal of E, shape (n,).
        eps: what M weighs: permittivity at each node, shape (n,) (times its weight in one dimension).
        pump: the same of the pump profile F, shape (n,).
        gamma: gain half width over k_a.
        order: elimination order, shape (n,).
        weight: length or area of each node, for integrals, shape (n,).
        inside: nodes within the cavity, not in an absorbing layer, shape (n,), bool.
    """

    laplacian: sp.csc_matrix
    mass: sp.csc_matrix
    ends: Vector
    eps: Vector
    pump: Float[np.ndarray, " n"]
    gamma: float
    order: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    inside: np.ndarray = field(repr=False)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(self.eps.size)

    def gain(self, k: complex) -> complex:
        """Return g(k) of the gain line."""
        return complex(self.gamma / (k - 1.0 + 1j * self.gamma))

    def gain_slope(self, k: complex) -> complex:
        """Return dg/dk."""
        return complex(-self.gamma / (k - 1.0 + 1j * self.gamma) ** 2)

    def lorentzian(self, k: float) -> float:
        """Return Gamma = `|g|^2`, by which a mode at k burns its hole."""
        return abs(self.gain(k)) ** 2

    @cached_property
    def _pattern(self) -> tuple[sp.csc_matrix, Vector, Vector, Vector]:
        """Both matrices and the unit matrix in one common pattern: indices and three arrays of entries."""
        n = self.size
        parts = []
        for matrix in (self.laplacian, self.mass, sp.diags_array(self.ends)):
            part = sp.coo_array(matrix)
            parts.append((np.asarray(part.row), np.asarray(part.col), part.data))
        row = np.concatenate([p[0] for p in parts])
        col = np.concatenate([p[1] for p in parts])
        keys, where = np.unique(col.astype(np.int64) * n + row, return_inverse=True)
        data, start = [], 0
        for part in parts:
            stop = start + part[0].size
            entries = np.zeros(keys.size, dtype=complex)
            np.add.at(entries, where[start:stop], part[2])
            data.append(entries)
            start = stop
        indptr = np.searchsorted(keys // n, np.arange(n + 1))
        frame = sp.csc_matrix((np.ones(keys.size), keys % n, indptr), shape=(n, n))
        return frame, data[0], data[1], data[2]

    def permittivity(self, k: complex, d0: complex, holes: Float[np.ndarray, " n"] | float = 0.0) -> Vector:
        """Return eps with the gain of the pump D_0 that the intensities H = `holes` leave, shape (n,)."""
        return np.asarray(self.eps + self.gain(k) * d0 * self.pump / (1.0 + holes))

    def matrix(self, k: complex, d0: complex = 0.0, holes: Float[np.ndarray, " n"] | float = 0.0) -> sp.csc_matrix:
        """Return A, sparse (n, n)."""
        frame, laplacian, mass, ends = self._pattern
        value = k**2 * self.permittivity(k, d0, holes)
        column = np.repeat(np.arange(self.size), np.diff(frame.indptr))
        return sp.csc_matrix((laplacian + k * ends + mass * value[column], frame.indices, frame.indptr), frame.shape)

    def apply(self, psi: Vector, k: complex, d0: complex, holes: Float[np.ndarray, " n"] | float = 0.0) -> Vector:
        """Return A psi."""
        value = k**2 * self.permittivity(k, d0, holes)
        return np.asarray(self.laplacian @ psi + k * self.ends * psi + self.mass @ (value * psi))

    def slope(self, psi: Vector, k: complex, d0: complex, holes: Float[np.ndarray, " n"] | float = 0.0) -> Vector:
        """Return dA/dk psi at held holes."""
        value = 2.0 * k * self.permittivity(k, d0, holes)
        value = value + k**2 * self.gain_slope(k) * d0 * self.pump / (1.0 + holes)
        return np.asarray(self.ends * psi + self.mass @ (value * psi))

    def by_pump(self, psi: Vector, k: complex, holes: Float[np.ndarray, " n"] | float = 0.0) -> Vector:
        """Return dA/dD_0 psi."""
        return np.asarray(self.mass @ (k**2 * self.gain(k) * self.pump / (1.0 + holes) * psi))

    def factors(self, k: complex, d0: complex = 0.0, holes: Float[np.ndarray, " n"] | float = 0.0) -> Factors:
        """Return the factors of A."""
        return factorise(self.matrix(k, d0, holes), self.order)

    def bordered(self, matrix: sp.csc_matrix, column: Vector, row: Vector) -> Factors:
        """Return the factors of A with one more column and row: regular where A is singular in one direction."""
        whole = sp.block_array([[matrix, column[:, None]], [row[None, :], None]], format="csc")
        return factorise(whole, np.append(self.order, self.size))

    def integral(self, values: np.ndarray) -> Any:
        """Return the integral over the cavity of values at the nodes."""
        return (values * self.weight)[self.inside].sum()
