r"""The absorber: convolutional perfectly matched layers, whose memory is kept in the slabs at the edges alone.

Each derivative across a slab becomes :math:`\partial f + \psi` with :math:`\psi \leftarrow b \psi + a\, \partial f`.

Source: Roden and Gedney, Microw. Opt. Technol. Lett. 2000, 27, 334.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.laser.maxwell_bloch.grid import AXES, Grid, curl_terms

_ORDER = 4.0  # of the grading of the conductivity
_DECADES = 0.4  # of reflection at normal incidence for each cell of a continuous layer: more would reflect at its steps
_SHIFT = 5e-4  # pole of the layer at its inner edge, as a share of its largest conductivity; far below the light


class Slab(eqx.Module):
    """One slab of one derivative of one component.

    Attributes:
        decay: b, shape (cells along the axis, 1 ...).
        gain: a, likewise.
        name: the component that is driven.
        source: axis letter of the component that is differentiated.
        axis: of the derivative.
        sign: of the term in the curl.
        start: first index along the axis.
        cells: thickness.
    """

    decay: Float[Array, "..."]
    gain: Float[Array, "..."]
    name: str = eqx.field(static=True)
    source: str = eqx.field(static=True)
    axis: int = eqx.field(static=True)
    sign: int = eqx.field(static=True)
    start: int = eqx.field(static=True)
    cells: int = eqx.field(static=True)

    def cut(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        """The part of a field that lies in the slab."""
        return field[(slice(None),) * self.axis + (slice(self.start, self.start + self.cells),)]

    def shape(self, whole: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the slab's memory on a grid of shape `whole`."""
        return (*whole[: self.axis], self.cells, *whole[self.axis + 1 :])


def slabs(grid: Grid, dt: float, dtype: np.dtype) -> tuple[Slab, ...]:
    """Return the slabs of every derivative that meets an absorber.

    Args:
        grid: the grid with its edges.
        dt: time step.
        dtype: of the coefficients.

    Returns:
        The slabs, in a fixed order.
    """
    found = []
    for name in [f"H{a}" for a in grid.magnetic] + [f"E{a}" for a in grid.electric]:
        for source, axis, sign in curl_terms(grid, name):
            for side, edge in enumerate(grid.edges[axis]):
                if edge != "absorber":
                    continue
                found.append(_slab(grid, dt, dtype, name, (source, axis, sign), side))
    return tuple(found)


def _slab(grid: Grid, dt: float, dtype: np.dtype, name: str, term: tuple[str, int, int], side: int) -> Slab:
    """One slab: depth 0 at its inner face, 1 at the outer."""
    source, axis, sign = term
    cells, length = grid.absorber, grid.shape[axis]
    start = 0 if side == 0 else length - cells
    index = np.arange(start, start + cells) + grid.offset(name)[axis]
    depth = (cells - index) / cells if side == 0 else (index - start) / cells
    top = 0.5 * (_ORDER + 1.0) * _DECADES * math.log(10.0) / grid.spacing
    sigma = top * np.clip(depth, 0.0, 1.0) ** _ORDER
    alpha = _SHIFT * top * (1.0 - np.clip(depth, 0.0, 1.0))
    decay = np.exp(-(sigma + alpha) * dt)
    gain = np.where(sigma > 0, sigma * (decay - 1.0) / np.maximum(sigma + alpha, 1e-300), 0.0)
    view = (1,) * axis + (-1,) + (1,) * (grid.dimension - axis - 1)
    return Slab(
        jnp.asarray(decay.reshape(view), dtype), jnp.asarray(gain.reshape(view), dtype), name, source, axis, sign,
        start, cells,
    )  # fmt: skip


def describe(slab: Slab) -> str:
    """A slab's name in a saved state."""
    return f"{slab.name}_{AXES[slab.axis]}_{slab.start}"
