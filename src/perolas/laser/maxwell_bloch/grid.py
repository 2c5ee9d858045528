r"""The Yee grid: which field components there are, where each lives, and what its curl is made of.

Units are natural: c = eps0 = mu0 = hbar = 1, lengths in any unit, times in that unit over c, rates and angular
frequencies in its inverse. E_a lives half a cell along its own axis and on nodes along the others; H_a the other way
round. Cells are counted with the absorber, which lies inside the shape.

Source: Yee, IEEE Trans. Antennas Propag. 1966, 14, 302; Taflove and Hagness, Computational Electrodynamics, 2005.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from perolas.core import check
from perolas.core.errors import InputError

AXES = "xyz"
EDGES = ("conductor", "periodic", "absorber")
_PRESENT = {  # dimension and polarisation: the axes of E and of H
    (1, "tm"): ("z", "y"),
    (2, "tm"): ("z", "xy"),
    (2, "te"): ("xy", "z"),
    (3, "full"): ("xyz", "xyz"),
}


@dataclass(frozen=True)
class Grid:
    """A uniform grid with its edges.

    Attributes:
        shape: number of cells along x, (y, (z)), the absorber included.
        spacing: edge of a cell, in the unit of length.
        boundaries: for each axis the kind of its low and its high edge: "conductor" (perfect), "periodic" (both or
            none) or "absorber" (CPML in front of a conductor); one name stands for all edges.
        polarization: in two dimensions "tm" (E out of the plane) or "te" (H out of the plane).
        absorber: thickness of the absorber, cells.
        origin: coordinates of node (0, 0, 0).
    """

    shape: tuple[int, ...]
    spacing: float
    boundaries: str | tuple[tuple[str, str], ...] = "absorber"
    polarization: str = "tm"
    absorber: int = 12
    origin: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if not 1 <= len(shape) <= 3 or min(shape) < 2:
            raise InputError(f"A grid has one to three axes of at least two cells each, but its shape is {shape}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "spacing", check.positive(self.spacing, "spacing"))
        check.one_of(self.polarization, ("tm", "te", "full"), "Polarization")
        kind = {1: "tm", 3: "full"}.get(len(shape), self.polarization)
        if (len(shape), kind) not in _PRESENT:
            raise InputError('A grid in two dimensions has the polarization "tm" or "te".')
        object.__setattr__(self, "polarization", kind)
        edges = self.boundaries
        pairs = ((edges, edges),) * len(shape) if isinstance(edges, str) else tuple((str(a), str(b)) for a, b in edges)
        if len(pairs) != len(shape):
            raise InputError(f"The grid has {len(shape)} axes, but boundaries for {len(pairs)}.")
        for axis, (pair, cells) in enumerate(zip(pairs, shape, strict=True)):
            for edge in pair:
                check.one_of(edge, EDGES, "Boundary")
            if (pair[0] == "periodic") != (pair[1] == "periodic"):
                raise InputError(f"The axis {AXES[axis]} is periodic at one edge only; make it so at both.")
            if pair.count("absorber") * self.absorber >= cells:
                raise InputError(
                    f"The axis {AXES[axis]} has {cells} cells, which its absorber of {self.absorber} cells for each "
                    "edge fills; make the grid larger."
                )
        if self.absorber < 1:
            raise InputError("The absorber needs at least one cell.")
        object.__setattr__(self, "boundaries", pairs)
        origin = tuple(float(x) for x in self.origin) or (0.0,) * len(shape)
        if len(origin) != len(shape):
            raise InputError(f"The grid has {len(shape)} axes, but its origin has {len(origin)}.")
        object.__setattr__(self, "origin", origin)

    @property
    def dimension(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """The boundaries of each axis, low and high."""
        assert not isinstance(self.boundaries, str)
        return self.boundaries

    @property
    def electric(self) -> str:
        """The axes of the electric components that are present."""
        return _PRESENT[self.dimension, self.polarization][0]

    @property
    def magnetic(self) -> str:
        """The axes of the magnetic components that are present."""
        return _PRESENT[self.dimension, self.polarization][1]

    @property
    def cell_volume(self) -> float:
        """Volume of a cell, a length or an area in fewer dimensions."""
        return self.spacing**self.dimension

    def periodic(self, axis: int) -> bool:
        """Whether an axis is periodic."""
        return self.edges[axis][0] == "periodic"

    def component(self, name: str) -> tuple[str, str]:
        """Return ("E" or "H", axis) of a component such as "Ez".

        Raises:
            InputError: this grid has no such component.
        """
        there = [f"E{a}" for a in self.electric] + [f"H{a}" for a in self.magnetic]
        check.one_of(name, there, "Field component")
        return name[0], name[1]

    def offset(self, name: str) -> tuple[float, ...]:
        """Where a component lives in its cell, in cells from the node, for each axis."""
        kind, own = self.component(name)
        return tuple(0.5 if (AXES[axis] == own) == (kind == "E") else 0.0 for axis in range(self.dimension))

    def coordinates(self, name: str) -> tuple[Float[np.ndarray, " n"], ...]:
        """Return where a component's samples lie along each axis.

        Args:
            name: "Ez", "Hx" and so on, or "cell" for the middle of each cell.

        Returns:
            One array for each axis, in the unit of length.
        """
        offset = (0.5,) * self.dimension if name == "cell" else self.offset(name)
        return tuple(
            zero + self.spacing * (np.arange(cells) + shift)
            for zero, cells, shift in zip(self.origin, self.shape, offset, strict=True)
        )

    def node(self, position: float | tuple[float, ...], name: str) -> tuple[int, ...]:
        """Return the index of a component's sample nearest to a position.

        Raises:
            InputError: the position lies outside the grid.
        """
        at = (position,) if isinstance(position, int | float) else tuple(position)
        if len(at) != self.dimension:
            raise InputError(f"A position on this grid has {self.dimension} coordinates, but {at} has {len(at)}.")
        found = []
        for axis, (x, zero, cells, shift) in enumerate(
            zip(at, self.origin, self.shape, self.offset(name), strict=True)
        ):
            index = (x - zero) / self.spacing
            if not math.isfinite(index) or not -1e-6 <= index <= cells + 1e-6:
                raise InputError(
                    f"The position {x:g} lies outside the grid, whose axis {AXES[axis]} spans "
                    f"{zero:g} to {zero + cells * self.spacing:g}."
                )
            found.append(min(max(math.floor(index - shift + 0.5 + 1e-9), 0), cells - 1))
        return tuple(found)


def curl_terms(grid: Grid, name: str) -> tuple[tuple[str, int, int], ...]:
    """Return what the curl that drives a component consists of.

    Args:
        grid: the grid.
        name: the component that is driven, such as "Hx".

    Returns:
        For each term the axis letter of the other field's component, the axis of the derivative, and the sign.
    """
    kind, own = grid.component(name)
    others = grid.electric if kind == "H" else grid.magnetic
    a = AXES.index(own)
    b, c = (a + 1) % 3, (a + 2) % 3
    terms = ((AXES[c], b, 1), (AXES[b], c, -1))
    return tuple(term for term in terms if term[0] in others and term[1] < grid.dimension)
