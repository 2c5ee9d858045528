r"""How thresholds move with the cavity, by implicit differentiation.

At a threshold :math:`A(k, D_0; p)\psi = 0`. With the left solution :math:`\chi` any change of the cavity obeys

.. math:: \chi^T \frac{\partial A}{\partial k}\psi\,dk + \chi^T \frac{\partial A}{\partial D_0}\psi\,dD_0
          + \chi^T \frac{\partial A}{\partial p}\psi\,dp = 0 ,

one complex equation for the two real changes. One factorisation gives the derivatives by every cell; those by places
and radii of discs follow by the chain rule through the shares of cut cells. A degenerate threshold has no single
derivative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from numpy.polynomial import legendre

from perolas.core.errors import InputError
from perolas.laser.salt.cavity import Cavity
from perolas.laser.salt.one_d import Line
from perolas.laser.salt.results import Threshold
from perolas.laser.salt.shapes import Discs, disc_share


@dataclass(frozen=True, eq=False)
class Change:
    """How a threshold moves with one kind of parameter.

    Attributes:
        d0: derivative of the pump, of the parameter's shape.
        k: derivative of the wave number, of the same shape.
    """

    d0: Float[np.ndarray, "..."]
    k: Float[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class CellGradient:
    """How a threshold moves with each cell.

    Attributes:
        eps: with the real part of the permittivity of each cell.
        loss: with its imaginary part.
        pump: with the pump profile.
    """

    eps: Change
    loss: Change
    pump: Change


@dataclass(frozen=True, eq=False)
class DiscGradient:
    """How a threshold moves with the discs.

    Attributes:
        centres: with x and y of each, shape (n, 2).
        radii: with each radius, shape (n,).
        index: with the real index of all discs, shape ().
    """

    centres: Change
    radii: Change
    index: Change


@dataclass(frozen=True)
class _Sides:
    """Left and right solutions and what turns a sensitivity into changes of k and pump (in units of k_a)."""

    left: Complex[np.ndarray, " n"]
    right: Complex[np.ndarray, " n"]
    k: float
    by_k: complex
    by_d0: complex

    def change(self, sensitivity: Complex[np.ndarray, "..."], k_a: float) -> Change:
        determinant = self.by_k.real * self.by_d0.imag - self.by_k.imag * self.by_d0.real
        s = -np.asarray(sensitivity)
        k = (s.real * self.by_d0.imag - s.imag * self.by_d0.real) / determinant
        d0 = (self.by_k.real * s.imag - self.by_k.imag * s.real) / determinant
        return Change(d0, k * k_a)


def _solutions(threshold: Threshold) -> _Sides:
    cavity = threshold.cavity
    o, k, d0 = cavity.operator, threshold.k / cavity.k_a, threshold.d0
    matrix = o.matrix(k, d0)
    start = np.random.default_rng(0).standard_normal(o.size) + 0j
    border = start / np.linalg.norm(start)
    # The bordered matrix is regular; its solution for (0, 1) is the null vector, its transpose's the left one.
    factors = o.bordered(matrix, border, border)
    last = np.zeros(o.size + 1, dtype=complex)
    last[-1] = 1.0
    right = factors.solve(last)[:-1]
    left = factors.solve(last, transposed=True)[:-1]
    right, left = right / np.linalg.norm(right), left / np.linalg.norm(left)
    product = abs(np.vdot(cavity.grid.whole(right).ravel(), threshold.psi.ravel()))
    norms = np.linalg.norm(cavity.grid.whole(right)) * np.linalg.norm(threshold.psi)
    if not product > 0.999 * norms:
        raise InputError(
            "This threshold is degenerate, so that its modes mix at the smallest change and it has no single "
            "derivative; use mirror boundaries to take one of them."
        )
    by_k, by_d0 = complex(left @ o.slope(right, k, d0)), complex(left @ o.by_pump(right, k))
    return _Sides(left, right, k, by_k, by_d0)


def cell_gradient(threshold: Threshold) -> CellGradient:
    """Return how a threshold moves with permittivity, loss and pump of every cell.

    Args:
        threshold: of `Cavity.thresholds`.

    Returns:
        The derivatives, each of the cavity's shape.

    Raises:
        InputError: a degenerate threshold.
    """
    sides = _solutions(threshold)
    return _by_cells(threshold, sides)


def _by_cells(threshold: Threshold, sides: _Sides) -> CellGradient:
    cavity = threshold.cavity
    eps = sides.k**2 * _cell_products(cavity, sides)
    pump = eps * cavity.operator.gain(sides.k) * threshold.d0
    return CellGradient(
        sides.change(eps, cavity.k_a), sides.change(1j * eps, cavity.k_a), sides.change(pump, cavity.k_a)
    )


def _cell_products(cavity: Cavity, sides: _Sides) -> Complex[np.ndarray, "..."]:
    """Left times right solution, integrated over each cell."""
    grid = cavity.grid
    if not isinstance(grid, Line):
        from perolas.laser.salt.two_d import sharpened

        product = (cavity.operator.mass.T @ sides.left) * sides.right
        spread = sharpened(product.reshape(grid.shape))
        return np.asarray(spread[grid.rows, grid.columns])
    cells = np.concatenate([[0.0], np.cumsum(cavity.spacing)]) * cavity.k_a
    cells *= grid.edges[-1] / cells[-1]
    cuts = np.unique(np.concatenate([cells, grid.edges]))
    cuts = cuts[np.append(True, np.diff(cuts) > 1e-13 * cuts[-1])]
    t, w = legendre.leggauss(int(grid.degrees.max()) + 1)
    half = 0.5 * np.diff(cuts)
    at = (cuts[:-1] + half)[:, None] + half[:, None] * t
    left, right = (grid.interpolate(grid.whole(v), at.ravel()).reshape(at.shape) for v in (sides.left, sides.right))
    part = np.sum(left * right * w, axis=1) * half
    middle = cuts[:-1] + half
    return np.asarray(
        np.bincount(np.searchsorted(cells, middle) - 1, part.real, cells.size - 1)
        + 1j * np.bincount(np.searchsorted(cells, middle) - 1, part.imag, cells.size - 1)
    )


def width_gradient(threshold: Threshold) -> Change:
    """Return how a threshold moves with the thickness of each layer of a one-dimensional cavity.

    Args:
        threshold: of a cavity in one dimension.

    Returns:
        The derivatives, shape (c,), one for each cell; all layers behind it move along.

    Raises:
        InputError: two dimensions.
    """
    cavity = threshold.cavity
    grid = cavity.grid
    if not isinstance(grid, Line):
        raise InputError("Layers have a thickness in one dimension; in two, use the gradient of discs.")
    sides = _solutions(threshold)
    o, k = cavity.operator, sides.k
    inner = cavity.eps + o.gain(k) * threshold.d0 * cavity.pump_profile
    edges = np.concatenate([[0.0], np.cumsum(cavity.spacing)]) * cavity.k_a
    edges *= grid.edges[-1] / edges[-1]
    left, right = grid.whole(sides.left), grid.whole(sides.right)
    here = grid.interpolate(left, edges) * grid.interpolate(right, edges)
    # An interface that moves by dx turns what lay behind it into what lies before it.
    moved = np.zeros(edges.size, dtype=complex)
    moved[1:-1] = k**2 * (inner[:-1] - inner[1:]) * here[1:-1]
    moved[-1] = k**2 * inner[-1] * here[-1]
    if cavity.boundaries[1] == "open":
        moved[-1] -= k**2 * cavity.outside[1] * here[-1]
    elif cavity.boundaries[1] == "conductor":
        moved[-1] = _end_slope(grid, left) * _end_slope(grid, right)
    summed = np.cumsum(moved[:0:-1])[::-1]  # of all interfaces behind a layer
    change = sides.change(summed, cavity.k_a)
    return Change(change.d0 * cavity.k_a, change.k * cavity.k_a)


def _end_slope(grid: Line, field: Complex[np.ndarray, " n"]) -> complex:
    from perolas.laser.salt.one_d import lobatto

    degree, start = int(grid.degrees[-1]), int(grid.first[-1])
    _, _, d = lobatto(degree)
    return complex(d[-1] @ field[start : start + degree + 1] * 2.0 / (grid.edges[-1] - grid.edges[-2]))


def disc_gradient(threshold: Threshold, discs: Discs) -> DiscGradient:
    """Return how a threshold moves with place, radius and index of the discs of its cavity.

    Args:
        threshold: of a cavity made by `Discs.cavity`, evenly lit.
        discs: those that made it.

    Returns:
        The derivatives; lengths in the unit of the discs.

    Raises:
        InputError: a degenerate threshold, or a cavity of other discs.
    """
    cavity = threshold.cavity
    if cavity.dimensions != 2 or discs.grid(cavity.spacing) != cavity.eps.shape:
        raise InputError("The cavity was not made of these discs.")
    share = discs.share(cavity.spacing)
    inner, outer = complex(discs.index) ** 2, complex(discs.host_index) ** 2
    if not np.allclose(cavity.eps, outer + (inner - outer) * share, rtol=1e-9):
        raise InputError("The cavity was not made of these discs.")
    cells = cell_gradient(threshold)
    sign = {"discs": 1.0, "host": -1.0, "everywhere": 0.0}[discs.pumped]
    by_share = [
        (inner - outer).real * getattr(cells.eps, name)
        + (inner - outer).imag * getattr(cells.loss, name)
        + sign * getattr(cells.pump, name)
        for name in ("d0", "k")
    ]
    centres, radii = np.zeros((2, len(discs.radii), 2)), np.zeros((2, len(discs.radii)))
    for i, ((x, y), radius) in enumerate(zip(discs.centres, discs.radii, strict=True)):
        one = disc_share(x, y, radius, share.shape, cavity.spacing)
        if one is None:
            continue
        for q in (0, 1):
            window = by_share[q][one.rows, one.columns]
            centres[q, i] = np.sum(window * one.by_x), np.sum(window * one.by_y)
            radii[q, i] = np.sum(window * one.by_radius)
    slope = 2.0 * complex(discs.index)
    index = [
        np.asarray(np.sum(share * (slope.real * getattr(cells.eps, q) + slope.imag * getattr(cells.loss, q))))
        for q in ("d0", "k")
    ]
    return DiscGradient(Change(centres[0], centres[1]), Change(radii[0], radii[1]), Change(index[0], index[1]))
