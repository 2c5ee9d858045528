r"""What fills the grid: permittivity, loss, conductors and dispersive poles, cell by cell.

Everything is given for cells, and a field sample sees the mean of the cells around it. For a field along a surface that
is exact to second order, wherever in a cell the surface lies.

Poles are carried by auxiliary equations: Lorentz :math:`\ddot P + \gamma \dot P + \omega_0^2 P = s E` with
:math:`s = \Delta\epsilon\, \omega_0^2`, Drude with :math:`\omega_0 = 0` and :math:`s = \omega_p^2`.

Source: Taflove and Hagness, Computational Electrodynamics, 2005, chapter 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch.grid import AXES, Grid

Profile = ArrayLike | Callable[..., ArrayLike]


def cells_of(grid: Grid, values: Profile, name: str, samples: int = 1) -> Float[np.ndarray, "..."]:
    """Return a profile as one value for each cell.

    Args:
        grid: the grid.
        values: one number, an array of the grid's shape, or a function of the coordinates (x, (y, (z))).
        name: what it is, for messages.
        samples: points along each axis of a cell at which a function is averaged.

    Returns:
        Shape of the grid.

    Raises:
        InputError: another shape, or values that are not finite.
    """
    if callable(values):
        shifts = (np.arange(samples) + 0.5) / samples
        total = np.zeros(grid.shape)
        for which in np.ndindex(*(samples,) * grid.dimension):
            lines = [
                zero + grid.spacing * (np.arange(n) + shifts[i])
                for zero, n, i in zip(grid.origin, grid.shape, which, strict=True)
            ]
            total += np.broadcast_to(np.asarray(values(*np.meshgrid(*lines, indexing="ij")), float), grid.shape)
        array = total / samples**grid.dimension
    else:
        array = np.asarray(values, dtype=np.float64)
        if array.shape not in ((), grid.shape):
            raise InputError(f"The {name} has the shape {array.shape}, but the grid has {grid.shape}.")
        array = np.broadcast_to(array, grid.shape).copy()
    if not np.all(np.isfinite(array)):
        raise InputError(f"The {name} holds {np.sum(~np.isfinite(array))} values that are not numbers.")
    return array


def around(grid: Grid, cells: Float[np.ndarray, "..."], along: str = "") -> Float[np.ndarray, "..."]:
    """Return the mean over the cells around each sample of E along an axis, or around each node.

    Args:
        grid: the grid.
        cells: one value for each cell.
        along: axis letter of the component of E; empty for nodes.

    Returns:
        Shape of the grid. At an edge that is not periodic the cells inside stand for those outside.
    """
    mean = cells
    for axis in range(grid.dimension):
        if AXES[axis] == along:
            continue
        before = np.roll(mean, 1, axis)
        if not grid.periodic(axis):
            first = (slice(None),) * axis + (0,)
            before[first] = mean[first]
        mean = 0.5 * (mean + before)
    return mean


@dataclass(frozen=True)
class Pole:
    """A pole of the permittivity: Lorentz, or Drude where its frequency is 0.

    Attributes:
        strength: Delta-epsilon of a Lorentz pole; of a Drude pole the squared plasma frequency.
        frequency: omega_0, angular.
        damping: gamma.
        where: share of each cell that it fills: a number, an array of the grid's shape, or a function.
    """

    strength: float
    frequency: float = 0.0
    damping: float = 0.0
    where: Profile = 1.0

    def __post_init__(self) -> None:
        check.positive(self.strength, "pole strength")
        check.positive(self.frequency, "pole frequency", zero=True)
        check.positive(self.damping, "pole damping", zero=True)

    @property
    def drive(self) -> float:
        """s, the factor of E in the oscillator's equation."""
        return self.strength * self.frequency**2 if self.frequency > 0 else self.strength

    def permittivity(self, omega: ArrayLike) -> Complex[np.ndarray, "..."]:
        """Its part of the relative permittivity at angular frequencies omega, fields as exp(-i omega t)."""
        w = np.asarray(omega, dtype=complex)
        return np.asarray(self.drive / (self.frequency**2 - w**2 - 1j * self.damping * w))


@dataclass(frozen=True)
class Medium:
    """The passive medium.

    Attributes:
        permittivity: relative, above zero: a number, an array of the grid's shape, or a function of the coordinates.
        conductivity: in units of eps0 c over the unit of length; energy of a wave decays at conductivity/permittivity.
        poles: dispersive poles.
        conductor: share of each cell that is a perfect conductor; samples with half or more are held at zero.
        samples: points along each axis of a cell at which functions are averaged.
    """

    permittivity: Profile = 1.0
    conductivity: Profile = 0.0
    poles: tuple[Pole, ...] = ()
    conductor: Profile = 0.0
    samples: int = 4

    def on(self, grid: Grid) -> Sampled:
        """Return what each component of E sees on a grid.

        Raises:
            InputError: a permittivity that is not above zero, a negative conductivity, or another shape.
        """
        eps = cells_of(grid, self.permittivity, "permittivity", self.samples)
        if np.any(eps <= 0):
            raise InputError(
                f"The permittivity must be above zero, but {np.sum(eps <= 0)} cells hold {eps.min():g} or so; give a "
                "metal as a Drude pole, or as a conductor."
            )
        sigma = cells_of(grid, self.conductivity, "conductivity", self.samples)
        if np.any(sigma < 0):
            raise InputError("The conductivity must not be negative; gain comes from atoms, which saturate.")
        metal = cells_of(grid, self.conductor, "conductor", self.samples)
        drives = [p.drive * cells_of(grid, p.where, "share of a pole", self.samples) for p in self.poles]
        return Sampled(
            {a: around(grid, eps, a) for a in grid.electric},
            {a: around(grid, sigma, a) for a in grid.electric},
            {a: _open(grid, a) * (around(grid, metal, a) < 0.5) for a in grid.electric},
            tuple({a: around(grid, drive, a) for a in grid.electric} for drive in drives),
        )


@dataclass(frozen=True)
class Sampled:
    """A medium where the components of E live, by axis letter.

    Attributes:
        permittivity: relative.
        conductivity: natural units.
        free: 0 where a conductor holds E at zero, else 1.
        drives: of each pole, s.
    """

    permittivity: dict[str, Float[np.ndarray, "..."]]
    conductivity: dict[str, Float[np.ndarray, "..."]]
    free: dict[str, Float[np.ndarray, "..."]]
    drives: tuple[dict[str, Float[np.ndarray, "..."]], ...]


def _open(grid: Grid, along: str) -> Float[np.ndarray, "..."]:
    """0 on the low edge of each axis that is not periodic, for components along that edge."""
    free = np.ones(grid.shape)
    for axis in range(grid.dimension):
        if AXES[axis] != along and not grid.periodic(axis):
            free[(slice(None),) * axis + (0,)] = 0.0
    return free


def leakage(loss_per_length: float, index: float) -> float:
    """Return the conductivity that stands for a loss of power out of the plane of a two-dimensional film.

    Args:
        loss_per_length: power lost for each unit of length travelled, such as a film's leakage into its substrate.
        index: refractive index of the film.

    Returns:
        sigma = n alpha, so that energy decays at alpha c/n.
    """
    return check.positive(index, "index") * check.positive(loss_per_length, "loss", zero=True)
