r"""One dimension: spectral elements between the steps of the permittivity, with exact open ends.

Each stretch of constant permittivity and pump is cut into elements of at most half a wavelength, and the field in each
is a polynomial through Gauss-Lobatto points, of a degree at which its error is far below every other. An open end obeys
:math:`\psi' = \pm i k n \psi` exactly, whatever k. So the steps of the cavity are where they are said to be, and the
thresholds of stepwise cavities come out to about ten digits.

Source: Canuto et al., Spectral Methods, Springer 2006, 2.3 and 5.3 (Gauss-Lobatto points and their collocation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp
from jaxtyping import Complex, Float, Int
from numpy.polynomial import legendre

from perolas.laser.salt.operator import Operator

MOST_NODES = 400_000
_EXTRA = 5  # degrees above those of the field, for the holes that intensities burn


@cache
def lobatto(degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the Gauss-Lobatto points in -1 to 1, their weights, and the matrix that differentiates, for a degree."""
    top = np.zeros(degree + 1)
    top[-1] = 1.0
    inner = np.real(legendre.legroots(legendre.legder(top))) if degree > 1 else np.empty(0)
    for _ in range(3):  # Newton on P'
        if inner.size:
            first, second = legendre.legder(top), legendre.legder(top, 2)
            inner = inner - legendre.legval(inner, first) / legendre.legval(inner, second)
    x = np.concatenate([[-1.0], np.sort(inner), [1.0]])
    p = legendre.legval(x, top)
    weights = 2.0 / (degree * (degree + 1) * p**2)
    gap = x[:, None] - x[None, :]
    np.fill_diagonal(gap, 1.0)
    matrix = p[:, None] / (p[None, :] * gap)
    np.fill_diagonal(matrix, 0.0)
    matrix[0, 0] = -0.25 * degree * (degree + 1)
    matrix[-1, -1] = 0.25 * degree * (degree + 1)
    return x, weights, matrix


def degree_for(phase: float) -> int:
    """Return the degree that carries a wave of this phase (rad) across an element to about nine digits."""
    for degree in range(1, 60):
        if (phase / 4.0) ** (degree + 1) / math.factorial(degree + 1) < 1e-9:
            break
    return degree + max(1, math.ceil(_EXTRA * min(1.0, phase / 3.0)))


@dataclass(frozen=True)
class Line:
    """The elements of a one-dimensional cavity.

    Attributes:
        edges: of the elements, shape (m + 1,), in units of `1 / k_a`.
        degrees: of the elements, shape (m,).
        first: number of the first node of each element, shape (m,), before walls are taken off.
        nodes: positions of all nodes, shape (n,).
        free: numbers of the nodes that are unknown, shape (f,).
    """

    edges: Float[np.ndarray, " m1"]
    degrees: Int[np.ndarray, " m"]
    first: Int[np.ndarray, " m"]
    nodes: Float[np.ndarray, " n"]
    free: Int[np.ndarray, " f"]

    def whole(self, psi: Complex[np.ndarray, " f"]) -> Complex[np.ndarray, " n"]:
        """Return a field with its zeros on the walls."""
        field = np.zeros(self.nodes.size, dtype=complex)
        field[self.free] = psi
        return field

    def interpolate(self, field: Complex[np.ndarray, " n"], at: Float[np.ndarray, " q"]) -> Complex[np.ndarray, " q"]:
        """Return the field at any places of the cavity, by the polynomial of each element."""
        element = np.clip(np.searchsorted(self.edges, at, side="right") - 1, 0, self.degrees.size - 1)
        out = np.empty(at.size, dtype=complex)
        for e in np.unique(element):
            here = element == e
            degree, start = int(self.degrees[e]), int(self.first[e])
            x, _, _ = lobatto(degree)
            t = 2.0 * (at[here] - self.edges[e]) / (self.edges[e + 1] - self.edges[e]) - 1.0
            values = field[start : start + degree + 1]
            basis = legendre.legvander(x, degree)
            out[here] = legendre.legvander(t, degree) @ np.linalg.solve(basis, values)
        return out


def runs(
    eps: Complex[np.ndarray, " c"], pump: Float[np.ndarray, " c"], widths: Float[np.ndarray, " c"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges of stretches in which nothing changes, with their permittivity, pump and number of cells."""
    step = (eps[1:] != eps[:-1]) | (pump[1:] != pump[:-1])
    start = np.concatenate([[0], np.flatnonzero(step) + 1])
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    stop = np.append(start[1:], eps.size)
    return np.append(edges[start], edges[-1]), eps[start], pump[start], stop - start


def line_operator(
    eps: Complex[np.ndarray, " c"],
    pump: Float[np.ndarray, " c"],
    widths: Float[np.ndarray, " c"],
    gamma: float,
    boundaries: tuple[str, str],
    outside: tuple[complex, complex],
    resolution: float = 1.0,
) -> tuple[Operator, Line]:
    """Return the matrices and elements of a one-dimensional cavity.

    Args:
        eps: relative permittivity of each cell, shape (c,).
        pump: pump profile of each cell, shape (c,).
        widths: of the cells, shape (c,), times k_a.
        gamma: gain half width over k_a.
        boundaries: of both ends: open, conductor or mirror.
        outside: permittivity beyond both ends.
        resolution: factor on the number of elements.

    Returns:
        The operator and its elements.
    """
    edges, eps_run, pump_run, _ = runs(eps, pump, widths)
    k_top = 1.0 + min(3.0 * gamma, 2.0)  # beyond that a gain line amplifies little
    index = np.abs(np.sqrt(eps_run.astype(complex)))
    phase = k_top * index * np.diff(edges)
    pieces = np.maximum(1, np.ceil(resolution * phase / math.pi)).astype(int)
    of = np.repeat(np.arange(pieces.size), pieces)
    cuts = np.concatenate([np.linspace(edges[i], edges[i + 1], p + 1)[:-1] for i, p in enumerate(pieces)])
    cuts = np.append(cuts, edges[-1])
    degrees = np.array([degree_for(p) for p in (phase / pieces)])[of]
    first = np.concatenate([[0], np.cumsum(degrees)[:-1]])
    n = int(degrees.sum()) + 1
    nodes, eps_node, pump_node, weight = np.zeros(n), np.zeros(n, complex), np.zeros(n), np.zeros(n)
    row, col, data = [], [], []
    for e, (degree, start) in enumerate(zip(degrees.tolist(), first.tolist(), strict=True)):
        x, w, d = lobatto(degree)
        half = 0.5 * (cuts[e + 1] - cuts[e])
        span = slice(start, start + degree + 1)
        nodes[span] = cuts[e] + half * (x + 1.0)
        weight[span] += half * w
        eps_node[span] += half * w * eps_run[of[e]]
        pump_node[span] += half * w * pump_run[of[e]]
        number = np.arange(start, start + degree + 1)
        row.append(np.repeat(number, degree + 1))
        col.append(np.tile(number, degree + 1))
        data.append((-(d.T * w) @ d / half).ravel())
    stiffness = sp.coo_array((np.concatenate(data), (np.concatenate(row), np.concatenate(col))), (n, n)).tocsc()
    ends = np.zeros(n, dtype=complex)
    free = np.ones(n, dtype=bool)
    for at, kind, beyond in ((0, boundaries[0], outside[0]), (-1, boundaries[1], outside[1])):
        if kind == "open":
            ends[at] += 1j * np.sqrt(complex(beyond))
        elif kind == "conductor":
            free[at] = False
    keep = np.flatnonzero(free)
    operator = Operator(
        laplacian=sp.csc_matrix(stiffness[keep][:, keep].astype(complex)),
        mass=sp.csc_matrix(sp.eye_array(keep.size, dtype=complex)),
        ends=ends[keep],
        eps=eps_node[keep],
        pump=pump_node[keep],
        gamma=gamma,
        order=np.arange(keep.size),
        weight=weight[keep],
        inside=np.ones(keep.size, dtype=bool),
    )
    return operator, Line(cuts, degrees, first, nodes, keep)
