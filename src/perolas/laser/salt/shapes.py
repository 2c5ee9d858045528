r"""Cavities from simple shapes: slabs, discs and films of discs, with exact shares of cut cells.

A cell that an outline cuts gets the mean permittivity of its area. For the field along the cylinders that is the right
mean, because the field does not jump. The share of a disc is the exact area of circle and square, so that it moves
smoothly with place and radius, and its derivatives are lengths of arcs and chords.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.salt.cavity import Cavity
from perolas.laser.salt.units import gamma_perp_per_nm, wave_number_per_nm

PUMPED = ("discs", "host", "everywhere")
_MOST_DISCS = 100_000


def slab(
    index: complex,
    length: float,
    k_a: float,
    gamma_perp: float,
    boundaries: Any = ("conductor", "open"),
    outside: Any = 1.0,
) -> Cavity:
    """Return an evenly pumped slab in one dimension.

    Args:
        index: n + ik, k above zero for loss.
        length: of the slab, in any unit.
        k_a: centre of the gain, in its inverse.
        gamma_perp: half width of the gain, as k_a.
        boundaries: of both ends.
        outside: permittivity beyond open ends.

    Returns:
        The cavity.

    Raises:
        InputError: a value that cannot be.
    """
    return Cavity([complex(index) ** 2], [1.0], [length], k_a, gamma_perp, boundaries, outside)


def segments(
    parts: list[tuple[float, complex, float]],
    k_a: float,
    gamma_perp: float,
    boundaries: Any = None,
    outside: Any = 1.0,
) -> Cavity:
    """Return a cavity of layers in one dimension, whose interfaces lie exactly where they are said to be.

    Args:
        parts: (thickness, index n + ik, pump) of each layer, the first at x = 0.
        k_a: centre of the gain.
        gamma_perp: half width of the gain.
        boundaries: of both ends.
        outside: permittivity beyond open ends.

    Returns:
        The cavity, each layer a cell of its own.

    Raises:
        InputError: no layer, or a value that cannot be.
    """
    if not parts or any(len(part) != 3 for part in parts):
        raise InputError("Each layer needs a thickness, an index and a pump, and there must be at least one.")
    widths, index, pump = zip(*parts, strict=True)
    eps = [complex(n) ** 2 for n in index]
    return Cavity(eps, list(pump), list(widths), k_a, gamma_perp, boundaries, outside)


@dataclass(frozen=True, eq=False)
class Share:
    """The share of each cell of a window that a disc covers, with its derivatives.

    Attributes:
        rows: of the window.
        columns: of the window.
        area: share, shape (rows, columns).
        by_x: its derivative by the centre's x.
        by_y: by the centre's y.
        by_radius: by the radius.
    """

    rows: slice
    columns: slice
    area: Float[np.ndarray, "r c"]
    by_x: Float[np.ndarray, "r c"]
    by_y: Float[np.ndarray, "r c"]
    by_radius: Float[np.ndarray, "r c"]


def _corner(x: np.ndarray, y: np.ndarray, r: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Area of a disc about 0 within 0..x, 0..y (odd in both), with its derivatives by x, y and r."""
    a, b = np.minimum(np.abs(x), r), np.minimum(np.abs(y), r)
    sign_x, sign_y = np.sign(x), np.sign(y)
    within = a**2 + b**2 <= r**2
    turn = np.sqrt(np.maximum(r**2 - b**2, 0.0))  # where the arc passes the height b
    arc = np.arcsin(a / r) - np.arcsin(np.minimum(turn / r, 1.0))
    under = 0.5 * (a * np.sqrt(np.maximum(r**2 - a**2, 0.0)) - turn * b) + 0.5 * r**2 * arc
    area = np.where(within, a * b, b * turn + under)
    by_x = np.where(np.abs(x) < r, np.minimum(b, np.sqrt(np.maximum(r**2 - a**2, 0.0))), 0.0)
    by_y = np.where(np.abs(y) < r, np.minimum(a, turn), 0.0)
    by_r = np.where(within, 0.0, r * arc)
    return sign_x * sign_y * area, sign_y * by_x, sign_x * by_y, sign_x * sign_y * by_r


def disc_share(x: float, y: float, radius: float, shape: tuple[int, int], spacing: float) -> Share | None:
    """Return the share of each cell that a disc covers; None where it covers none.

    Args:
        x: of its centre; the grid begins at 0.
        y: of its centre.
        radius: of the disc.
        shape: of the grid, (ny, nx).
        spacing: side of a cell.

    Returns:
        The share within the window that the disc touches.
    """
    spans = []
    for middle, count in ((y, shape[0]), (x, shape[1])):
        low = max(0, math.floor((middle - radius) / spacing))
        high = min(count, math.ceil((middle + radius) / spacing))
        if high <= low:
            return None
        spans.append(slice(low, high))
    rows, columns = spans
    at_x = np.arange(columns.start, columns.stop + 1) * spacing - x
    at_y = np.arange(rows.start, rows.stop + 1) * spacing - y
    gx, gy = np.meshgrid(at_x, at_y, indexing="xy")
    area, by_x, by_y, by_r = (
        (q[1:, 1:] - q[:-1, 1:] - q[1:, :-1] + q[:-1, :-1]) / spacing**2 for q in _corner(gx, gy, radius)
    )
    return Share(rows, columns, area, -by_x, -by_y, by_r)


@dataclass(frozen=True, eq=False)
class Discs:
    """Discs in a rectangle, seen along their cylinders.

    Attributes:
        centres: shape (n, 2), x and y from the rectangle's corner; they may lie outside and reach in.
        radii: one for all or one for each, shape (n,).
        size: width and height of the rectangle.
        index: n + ik of the discs.
        host_index: n + ik around them, within the rectangle.
        pumped: where the gain is: discs, host or everywhere.
    """

    centres: Any
    radii: Any
    size: tuple[float, float]
    index: complex
    host_index: complex = 1.0
    pumped: str = "discs"

    def __post_init__(self) -> None:
        """Check sizes and places."""
        put = object.__setattr__
        try:
            centres = np.array(self.centres, dtype=float)
            radii = np.array(self.radii, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError("Centres and radii of discs must be numbers.") from error
        if centres.ndim != 2 or centres.shape[1] != 2 or not 1 <= len(centres) <= _MOST_DISCS:
            raise InputError(f"Centres must have the shape (n, 2), with n from 1 to {_MOST_DISCS}.")
        if radii.ndim == 0:
            radii = np.full(len(centres), float(radii))
        if radii.shape != (len(centres),):
            raise InputError(
                f"There are {radii.size} radii for {len(centres)} discs; give one for each, or one for all."
            )
        if not (np.all(np.isfinite(centres)) and np.all(np.isfinite(radii)) and np.all(radii > 0.0)):
            raise InputError("Centres must be finite and radii positive.")
        put(self, "centres", centres)
        put(self, "radii", radii)
        width, height = self.size
        put(self, "size", (check.positive(width, "width"), check.positive(height, "height")))
        check.one_of(self.pumped, PUMPED, "pumped part")

    def grid(self, spacing: float) -> tuple[int, int]:
        """Return the number of cells (ny, nx) at a spacing; the rectangle must hold whole cells within 1e-6."""
        h = check.positive(spacing, "spacing")
        counts = [side / h for side in self.size]
        if any(abs(c - round(c)) > 1e-6 * c or round(c) < 4 for c in counts):
            raise InputError(
                f"A rectangle of {self.size[0]:g} x {self.size[1]:g} does not hold whole cells of {h:g}, at least "
                "four a side; change the spacing a little."
            )
        return round(counts[1]), round(counts[0])

    def share(self, spacing: float) -> Float[np.ndarray, "ny nx"]:
        """Return the share of each cell that the discs cover.

        Args:
            spacing: side of a cell.

        Returns:
            Shape (ny, nx), 0 to 1.

        Raises:
            InputError: discs that overlap, or a spacing that does not fit.
        """
        total = np.zeros(self.grid(spacing))
        for (x, y), radius in zip(self.centres, self.radii, strict=True):
            one = disc_share(x, y, radius, total.shape, spacing)
            if one is not None:
                total[one.rows, one.columns] += one.area
        if total.max() > 1.0 + 1e-9:
            raise InputError("Some discs overlap; move them apart or make them smaller.")
        return np.clip(total, 0.0, 1.0)

    def cavity(
        self,
        spacing: float,
        k_a: float,
        gamma_perp: float,
        boundaries: Any = None,
        outside: complex | None = None,
        illumination: ArrayLike | None = None,
    ) -> Cavity:
        """Return the cavity that the discs make.

        Args:
            spacing: side of a cell; 25 for each wavelength in the material is a good start.
            k_a: centre of the gain.
            gamma_perp: half width of the gain.
            boundaries: ((x low, x high), (y low, y high)).
            outside: permittivity around the rectangle; None: that of the host.
            illumination: factor on the pump of each cell, shape (ny, nx), e.g. of a spot.

        Returns:
            The cavity.

        Raises:
            InputError: discs that overlap, or a value that cannot be.
        """
        share = self.share(spacing)
        eps = complex(self.host_index) ** 2 * (1.0 - share) + complex(self.index) ** 2 * share
        pump = {"discs": share, "host": 1.0 - share, "everywhere": np.ones_like(share)}[self.pumped]
        if illumination is not None:
            light = np.asarray(illumination, dtype=float)
            if light.shape != pump.shape:
                raise InputError(f"The illumination has the shape {light.shape}, but the grid has {pump.shape}.")
            pump = pump * light
        beyond = complex(self.host_index) ** 2 if outside is None else outside
        return Cavity(eps, pump, spacing, k_a, gamma_perp, boundaries, beyond)


def film_discs(
    centres_nm: Float[np.ndarray, "n 2"],
    diameter_nm: float,
    side_nm: float,
    index: complex,
    host_index: complex = 1.0,
    pumped: str = "discs",
) -> Discs:
    """Return a square piece of a periodic packing as discs, those that the edges cut included.

    Args:
        centres_nm: of `perolas.laser.packing`, shape (n, 2), nm.
        diameter_nm: of the discs, nm.
        side_nm: of the square, nm.
        index: n + ik of the discs.
        host_index: n + ik between them.
        pumped: discs, host or everywhere.

    Returns:
        The discs, lengths in nm.

    Raises:
        InputError: a value that cannot be.
    """
    radius = 0.5 * check.positive(diameter_nm, "diameter", "nm")
    side = check.positive(side_nm, "side", "nm")
    centres = np.asarray(centres_nm, dtype=float)
    if centres.ndim != 2 or centres.shape[1] != 2:
        raise InputError(f"Centres must have the shape (n, 2), but have {centres.shape}.")
    shifts = [np.array([i, j]) * side for i in (-1, 0, 1) for j in (-1, 0, 1)]
    copies = np.concatenate([centres % side + shift for shift in shifts])
    near = np.all((copies > -radius) & (copies < side + radius), axis=1)
    return Discs(copies[near], radius, (side, side), index, host_index, pumped)


def film_cavity(
    discs: Discs,
    pixel_nm: float,
    wavelength_nm: float,
    fwhm_nm: float,
    spot_nm: float | None = None,
    outside: complex | None = None,
) -> Cavity:
    """Return the cavity of a film in physical units: lengths in nm, wave numbers in 1/nm.

    Args:
        discs: of `film_discs`.
        pixel_nm: side of a cell, nm.
        wavelength_nm: vacuum wavelength of the gain's centre, nm.
        fwhm_nm: full width of the gain at half maximum, nm.
        spot_nm: diameter of a Gaussian pump spot at half maximum, in the middle, nm; None: even.
        outside: permittivity around the film; None: that of the host.

    Returns:
        The cavity.

    Raises:
        InputError: metal, discs that overlap, or a value that cannot be.
    """
    light = None
    if spot_nm is not None:
        ny, nx = discs.grid(pixel_nm)
        x = (np.arange(nx) + 0.5) * pixel_nm - 0.5 * discs.size[0]
        y = (np.arange(ny) + 0.5) * pixel_nm - 0.5 * discs.size[1]
        width = check.positive(spot_nm, "spot", "nm")
        light = np.exp(-4.0 * math.log(2.0) * (x[None, :] ** 2 + y[:, None] ** 2) / width**2)
    k_a, gamma = wave_number_per_nm(wavelength_nm), gamma_perp_per_nm(wavelength_nm, fwhm_nm)
    return discs.cavity(pixel_nm, k_a, gamma, None, outside, light)
