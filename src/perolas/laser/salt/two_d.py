r"""Two dimensions, the field along the cylinders (TM): finite differences of nine points with an absorbing layer.

Cells are squares, fields live at their centres. In each direction the second difference is joined by Numerov's mass
:math:`N = 1 + \delta^2 / 12`, which makes the error of a smooth medium fourth order: waves keep their speed on coarse
grids. What is given for a cell is its mean; what the difference equation wants is a set of points with the same
moments, so the means are sharpened by :math:`1 - \delta^2 / 24` in each direction. Without that every interface would
be blurred over a cell, which is most of the error of a coarse grid.

Open sides end in a layer in which the coordinate is stretched into the complex plane,
:math:`s(x) = 1 + i\sigma(x)`. A stretch that does not depend on k absorbs just as well at every k, and it keeps the
matrices free of k, so that resonances are a linear problem. Walls that conduct or mirror lie on outer faces of cells.

Sources: Chew and Weedon, Microwave Opt. Technol. Lett. 1994, 7, 599 (stretched coordinates); Singer and Turkel, Comput.
Methods Appl. Mech. Eng. 1998, 163, 343 (nine points); George, SIAM J. Numer. Anal. 1973, 10, 345 (nested dissection).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Complex, Float, Int

from perolas.laser.salt.door import check_memory
from perolas.laser.salt.operator import Operator

_GAP = 0.08  # of a wavelength between the cavity and the layer
_LAYER = 0.8  # of a wavelength
_FEWEST = 10  # cells of the layer
_DEPTH = 8.0  # the field falls by exp(-this) on its way in, and again on its way out
_POWER = 3
_LEAF = 24


@dataclass(frozen=True)
class Plane:
    """Where the cells of a two-dimensional cavity lie among all cells.

    Attributes:
        shape: of all cells, (ny, nx).
        rows: of the cavity among them.
        columns: of the cavity among them.
    """

    shape: tuple[int, int]
    rows: slice
    columns: slice

    def whole(self, psi: Complex[np.ndarray, " n"]) -> Complex[np.ndarray, "ny nx"]:
        """Return a field at the cells of the cavity."""
        return psi.reshape(self.shape)[self.rows, self.columns].copy()


@dataclass(frozen=True)
class _Axis:
    stretch: Complex[np.ndarray, " n"]
    second: sp.csc_matrix  # differences of second order, stretched, as a symmetric matrix
    numerov: sp.csc_matrix
    own: slice


def dissection(ny: int, nx: int) -> Int[np.ndarray, " n"]:
    """Return the order in which cells of a rectangle are eliminated with little fill: halves, then what parts them."""
    found: list[np.ndarray] = []

    def divide(block: np.ndarray) -> None:
        rows, columns = block.shape
        if block.size <= _LEAF:
            found.append(block.ravel())
            return
        if columns >= rows:
            middle = columns // 2
            parts = block[:, :middle], block[:, middle + 1 :], block[:, middle]
        else:
            middle = rows // 2
            parts = block[:middle], block[middle + 1 :], block[middle]
        divide(parts[0])
        divide(parts[1])
        found.append(parts[2].ravel())

    divide(np.arange(ny * nx).reshape(ny, nx))
    return np.concatenate(found)


def _padding(h: float, kind: str, wavelength: float, resolution: float) -> tuple[int, int]:
    """Cells of the gap and of the layer on one side."""
    if kind != "open":
        return 0, 0
    return max(2, math.ceil(_GAP * wavelength / h)), max(_FEWEST, math.ceil(resolution * _LAYER * wavelength / h))


def _axis(cells: int, h: float, ends: tuple[str, str], index: float, resolution: float) -> _Axis:
    wavelength = 2.0 * math.pi / index
    (gap_low, layer_low), (gap_high, layer_high) = (_padding(h, kind, wavelength, resolution) for kind in ends)
    low, high = gap_low + layer_low, gap_high + layer_high
    n = low + cells + high

    def stretched(at: np.ndarray) -> np.ndarray:  # at: in cells from the low face
        sigma = np.zeros(at.size)
        for layer, deep in ((layer_low, layer_low - at), (layer_high, at - (n - layer_high))):
            if layer:
                strength = _DEPTH / index * (_POWER + 1) / (layer * h)
                sigma += strength * (np.clip(deep, 0.0, None) / layer) ** _POWER
        return 1.0 + 1j * sigma

    node, face = stretched(np.arange(n) + 0.5), 1.0 / stretched(np.arange(n + 1.0))
    sign = [1.0 if kind == "mirror" else -1.0 for kind in ends]  # of the field beyond the outer face
    main = -(face[1:] + face[:-1])
    main[0] += sign[0] * face[0]
    main[-1] += sign[1] * face[-1]
    weight = np.full(n, 10.0 / 12.0)
    weight[0] += sign[0] / 12.0
    weight[-1] += sign[1] / 12.0
    second = sp.diags_array([face[1:-1], main, face[1:-1]], offsets=[-1, 0, 1]) / h**2
    twelfth = np.full(n - 1, 1.0 / 12.0)
    numerov = sp.diags_array([twelfth, weight, twelfth], offsets=[-1, 0, 1])
    return _Axis(node, sp.csc_matrix(second), sp.csc_matrix(numerov), slice(low, low + cells))


def sharpened(cells: np.ndarray) -> np.ndarray:
    """Return point values with the moments of cell means, up to the second; beyond the edges the values go on.

    Args:
        cells: means, shape (ny, nx).

    Returns:
        The values, same shape; the map is its own transpose.
    """
    out = cells.copy()
    for axis in (0, 1):
        step = np.diff(cells, axis=axis) / 24.0
        none = np.zeros_like(np.take(cells, [0], axis=axis))
        out = out + np.concatenate([none, step], axis=axis) - np.concatenate([step, none], axis=axis)
    return np.asarray(out)


def plane_operator(
    eps: Complex[np.ndarray, "ny nx"],
    pump: Float[np.ndarray, "ny nx"],
    h: float,
    gamma: float,
    boundaries: tuple[tuple[str, str], tuple[str, str]],
    outside: complex,
    resolution: float = 1.0,
) -> tuple[Operator, Plane]:
    """Return the matrices of a two-dimensional cavity and where its cells lie.

    Args:
        eps: mean permittivity of each cell, shape (ny, nx).
        pump: mean pump profile of each cell, shape (ny, nx).
        h: side of a cell times k_a.
        gamma: gain half width over k_a.
        boundaries: ((x low, x high), (y low, y high)): open, conductor or mirror.
        outside: permittivity all around.
        resolution: factor on the thickness of the absorbing layer.

    Returns:
        The operator and the plane.

    Raises:
        InputError: the factors will not fit into the memory.
    """
    ny, nx = eps.shape
    index = math.sqrt(abs(outside))
    added = [sum(sum(_padding(h, kind, 2.0 * math.pi / index, resolution)) for kind in pair) for pair in boundaries]
    check_memory((nx + added[0]) * (ny + added[1]), 60)
    x = _axis(nx, h, boundaries[0], index, resolution)
    y = _axis(ny, h, boundaries[1], index, resolution)
    shape = (y.stretch.size, x.stretch.size)
    across_x, across_y = x.numerov @ sp.diags_array(x.stretch), y.numerov @ sp.diags_array(y.stretch)
    laplacian = sp.kron(across_y, x.second) + sp.kron(y.second, across_x)
    whole_eps = np.full(shape, outside, dtype=complex)
    whole_pump, inside = np.zeros(shape), np.zeros(shape, dtype=bool)
    whole_eps[y.own, x.own], whole_pump[y.own, x.own], inside[y.own, x.own] = eps, pump, True
    n = shape[0] * shape[1]
    operator = Operator(
        laplacian=sp.csc_matrix(laplacian),
        mass=sp.csc_matrix(sp.kron(across_y, across_x)),
        ends=np.zeros(n, dtype=complex),
        eps=sharpened(whole_eps).ravel(),
        pump=sharpened(whole_pump).ravel(),
        gamma=gamma,
        order=dissection(*shape),
        weight=np.full(n, h**2),
        inside=inside.ravel(),
    )
    return operator, Plane(shape, y.own, x.own)
