r"""Light that diffuses in a scattering medium with gain (Letokhov): threshold of any pumped shape, and critical sizes.

.. math:: \partial W / \partial t = D \nabla^2 W + v [ g(x) - \alpha(x) ] W - W / \tau_\perp ,
          \qquad D = v l_t / d,

W is the density of light, v its speed, l_t the transport mean free path, d the dimension in which it scatters. g is the
gain, :math:`\alpha` absorption (transparency where pumped, reabsorption elsewhere) and :math:`\tau_\perp` loss out of
the plane. On an open face :math:`W + z_e \partial_n W = 0` (Robin), or, as is usual, W = 0 at the distance z_e outside
(extrapolated), with z_e = 2 l_t / 3 in three dimensions, (pi / 4) l_t in two and l_t in one.

With g = kappa f(x), threshold is the smallest kappa that lets some W stand still: a generalised eigenvalue problem,
solved on finite volumes and extrapolated to vanishing cells (Richardson). Nothing here knows the formulas of slab,
sphere, disk and cube, which are the tests.

Sources: Letokhov, Sov. Phys. JETP 1968, 26, 835; Zhu, Pine and Weitz, Phys. Rev. A 1991, 44, 3948 (z_e).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.optimize import brentq
from scipy.sparse import linalg

from perolas.core import check, units
from perolas.core.errors import FitError, InputError

SHAPES = ("slab", "sphere", "disk", "cube")
EDGES = ("extrapolated", "robin", "absorbing")

_EXTRAPOLATION = {1: 1.0, 2: math.pi / 4.0, 3: 2.0 / 3.0}
_DIRECT = 6000  # cells beyond which a factorisation in three dimensions takes longer than conjugate gradients


@dataclass(frozen=True)
class Medium:
    """A scattering medium.

    Attributes:
        transport_um: transport mean free path l_t, um.
        dimensions: in which light scatters: 3, or 2 for a sheet, 1 for a line.
        index: effective refractive index, which sets the speed of light.
    """

    transport_um: float
    dimensions: int = 3
    index: float = 1.8

    def __post_init__(self) -> None:
        check.positive(self.transport_um, "transport mean free path", "um")
        check.positive(self.index, "index")
        if self.dimensions not in _EXTRAPOLATION:
            raise InputError(f"Light scatters in 1, 2 or 3 dimensions, not in {self.dimensions}.")

    @property
    def speed_um_ps(self) -> float:
        """Speed of light in it, um/ps."""
        return units.SPEED_OF_LIGHT_NM_FS / self.index

    @property
    def diffusion_um2_ps(self) -> float:
        """D = v l_t / d, um2/ps."""
        return self.speed_um_ps * self.transport_um / self.dimensions

    @property
    def extrapolation_um(self) -> float:
        """z_e, um."""
        return _EXTRAPOLATION[self.dimensions] * self.transport_um


@dataclass(frozen=True)
class Grid:
    """Finite volumes.

    Attributes:
        points: shape (n, d), middles of the cells (a radius, or Cartesian coordinates from the centre), um.
        volumes: shape (n,), um^d; of a ball or disk without the factor 4 pi or 2 pi.
        outflow: shape (n, n), symmetric: times W and D, what leaves each cell for its neighbours and the edge.
    """

    points: Float[np.ndarray, "n d"]
    volumes: Float[np.ndarray, " n"]
    outflow: sparse.csr_matrix

    @property
    def radius_um(self) -> Float[np.ndarray, " n"]:
        """Distance from the centre, um."""
        return np.linalg.norm(self.points, axis=1)


def radial_grid(faces_um: Float[np.ndarray, " m"], symmetry: int, edge_um: float = 0.0) -> Grid:
    """Return shells around a centre.

    Args:
        faces_um: shape (m,), radii of the faces from 0 outwards, um.
        symmetry: 1 a slab (both sides alike), 2 a disk or long cylinder, 3 a ball.
        edge_um: z_e at the outer face, um; 0 makes it absorbing.

    Returns:
        The grid of m - 1 cells.

    Raises:
        InputError: radii that do not rise from 0, an unknown symmetry, or a negative z_e.
    """
    faces = np.asarray(faces_um, dtype=float)
    if faces.ndim != 1 or faces.size < 3 or faces[0] != 0.0 or not np.all(np.diff(faces) > 0):
        raise InputError("The radii of the faces must rise from 0 and be at least three.")
    if symmetry not in (1, 2, 3):
        raise InputError(f"The symmetry is 1 (slab), 2 (disk) or 3 (ball), not {symmetry}.")
    z = check.positive(edge_um, "extrapolation length", "um", zero=True)
    middles, areas = 0.5 * (faces[1:] + faces[:-1]), faces ** (symmetry - 1)
    volumes = np.diff(faces**symmetry) / symmetry
    between = areas[1:-1] / np.diff(middles)
    diagonal = np.zeros(middles.size)
    diagonal[:-1] += between
    diagonal[1:] += between
    diagonal[-1] += areas[-1] / (faces[-1] - middles[-1] + z)
    matrix = sparse.diags_array([diagonal, -between, -between], offsets=[0, 1, -1])
    return Grid(middles[:, None], volumes, sparse.csr_matrix(matrix))


def box_grid(sides_um: tuple[float, ...], cells: tuple[int, ...], edge_um: float = 0.0) -> Grid:
    """Return the cells of a line, rectangle or box around the origin.

    Args:
        sides_um: one length for each dimension, um.
        cells: along each side.
        edge_um: z_e on every face, um; 0 makes them absorbing.

    Returns:
        The grid; any shape may be pumped in it.

    Raises:
        InputError: other than one to three sides, a side that is not positive, or fewer than two cells on one.
    """
    if not 1 <= len(sides_um) <= 3 or len(cells) != len(sides_um):
        raise InputError("A box has one to three sides, and a number of cells for each.")
    if min(cells) < 2:
        raise InputError("A side needs at least two cells.")
    z = check.positive(edge_um, "extrapolation length", "um", zero=True)
    lines, centres = [], []
    for side, n in zip(sides_um, cells, strict=True):
        h = check.positive(side, "side", "um") / n
        diagonal = np.full(n, 2.0)
        diagonal[[0, -1]] = 1.0 + h / (0.5 * h + z)
        lines.append(sparse.diags_array([diagonal, -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1]) / h**2)
        centres.append((np.arange(n) + 0.5) * h - 0.5 * side)
    matrix = reduce(lambda a, b: sparse.kronsum(b, a), lines)  # the last coordinate runs fastest
    points = np.stack([x.ravel() for x in np.meshgrid(*centres, indexing="ij")], axis=1)
    volume = float(np.prod([side / n for side, n in zip(sides_um, cells, strict=True)]))
    return Grid(points, np.full(len(points), volume), sparse.csr_matrix(matrix * volume))


@dataclass(frozen=True)
class Threshold:
    """The threshold of a pumped region.

    Attributes:
        gain_um: kappa, gain at which light stands still where the profile is 1, 1/um; 1e4 times that in cm-1.
        light: shape (n,), the density of light of the mode, 1 at its highest.
    """

    gain_um: float
    light: Float[np.ndarray, " n"]


def threshold(
    grid: Grid,
    medium: Medium,
    profile: Float[np.ndarray, " n"],
    absorption_um: Float[np.ndarray, " n"] | float = 0.0,
    loss_per_ps: float = 0.0,
) -> Threshold:
    """Return the threshold gain of a pumped region, as the smallest eigenvalue, and its mode.

    Args:
        grid: the region with its edges.
        medium: the scattering medium.
        profile: shape (n,), the gain where kappa is 1, zero or positive; zero where nothing is pumped.
        absorption_um: alpha, shape (n,) or one for all, 1/um.
        loss_per_ps: 1 / tau_perp, loss out of the plane, 1/ps.

    Returns:
        The threshold.

    Raises:
        InputError: a profile that is negative or zero everywhere, or negative absorption or loss.
        FitError: the eigenvalue was not found.
    """
    f = np.asarray(profile, dtype=float)
    if f.shape != grid.volumes.shape or not np.all(np.isfinite(f)) or np.any(f < 0) or not np.any(f > 0):
        raise InputError("The gain profile needs a value for each cell, none negative and not all zero.")
    alpha = np.broadcast_to(np.asarray(absorption_um, dtype=float), f.shape)
    if not np.all(np.isfinite(alpha)) or np.any(alpha < 0):
        raise InputError("Absorption must be zero or positive everywhere.")
    check.positive(loss_per_ps, "loss", "1/ps", zero=True)
    v = medium.speed_um_ps
    keep = sparse.diags_array(grid.volumes * (alpha + loss_per_ps / v))
    away = sparse.csc_matrix(medium.diffusion_um2_ps / v * grid.outflow + keep)
    gain = sparse.csc_matrix(sparse.diags_array(grid.volumes * f))
    start = np.sqrt(grid.volumes) * (f + 1e-3 * f.max())
    inverse = None
    if grid.points.shape[1] == 3 and f.size > _DIRECT:
        inverse = linalg.LinearOperator(away.shape, matvec=lambda b: _by_gradients(away, b), dtype=float)
    try:
        values, vectors = linalg.eigsh(away, k=1, M=gain, sigma=0.0, which="LM", v0=start, OPinv=inverse, tol=1e-12)
    except (linalg.ArpackError, RuntimeError) as error:
        raise FitError(f"The threshold was not found ({error}).") from error
    light = vectors[:, 0] / vectors[np.argmax(np.abs(vectors[:, 0])), 0]
    return Threshold(float(values[0]), light)


def _by_gradients(matrix: sparse.csc_matrix, right: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    found, failed = linalg.cg(matrix, right, rtol=1e-12, maxiter=10_000)
    if failed:
        raise RuntimeError("conjugate gradients did not converge")
    return np.asarray(found)


def shape_threshold_um(shape: str, size_um: float, medium: Medium, edge: str = "extrapolated", cells: int = 0) -> float:
    """Return the threshold gain of a uniformly pumped shape in the open, extrapolated to vanishing cells.

    Args:
        shape: ``"slab"`` (size: thickness), ``"sphere"`` or ``"disk"`` (radius), ``"cube"`` (edge).
        size_um: of it, um.
        medium: the scattering medium.
        edge: ``"extrapolated"`` (W = 0 at z_e outside, gain up to there), ``"robin"`` or ``"absorbing"`` (W = 0).
        cells: along a radius or half a thickness (edge of the cube); 0: 100 (8).

    Returns:
        kappa, 1/um.

    Raises:
        InputError: an unknown shape or edge, or a size that is not positive.
    """
    check.one_of(shape, SHAPES, "The shape")
    check.one_of(edge, EDGES, "The edge")
    size = check.positive(size_um, "size", "um")
    z = medium.extrapolation_um if edge == "robin" else 0.0
    grown = medium.extrapolation_um if edge == "extrapolated" else 0.0

    def at(n: int) -> float:
        if shape == "cube":
            grid = box_grid((size + 2.0 * grown,) * 3, (n,) * 3, z)
        else:
            half = 0.5 * size if shape == "slab" else size
            grid = radial_grid(np.linspace(0.0, half + grown, n + 1), {"slab": 1, "disk": 2, "sphere": 3}[shape], z)
        return threshold(grid, medium, np.ones(grid.volumes.size)).gain_um

    n = cells or (8 if shape == "cube" else 100)
    return (4.0 * at(2 * n) - at(n)) / 3.0  # the error goes with the square of a cell's width


def critical_size_um(
    shape: str, gain_length_um: float, medium: Medium, edge: str = "extrapolated", cells: int = 0
) -> float:
    """Return the size at which a uniformly pumped shape reaches threshold.

    Args:
        shape: as for `shape_threshold_um`.
        gain_length_um: l_g, in which light without scattering grows e-fold, um.
        medium: the scattering medium.
        edge: as for `shape_threshold_um`.
        cells: as for `shape_threshold_um`.

    Returns:
        Thickness, radius or edge, um. Source: Letokhov 1968, for what it means.

    Raises:
        InputError: as for `shape_threshold_um`, or the gain is so high that no size is small enough to matter (sizes
            below a hundredth of the diffusion length).
    """
    wanted = 1.0 / check.positive(gain_length_um, "gain length", "um")
    length = math.sqrt(medium.transport_um * gain_length_um / medium.dimensions)

    def short(log_size: float) -> float:
        return shape_threshold_um(shape, math.exp(log_size), medium, edge, cells) - wanted

    low, high = math.log(0.01 * length), math.log(20.0 * length)
    if short(low) <= 0.0:
        raise InputError(
            f"With a gain length of {gain_length_um:g} um and a transport mean free path of {medium.transport_um:g} um "
            "any size lases in this model: light does not diffuse over so short a way."
        )
    return math.exp(brentq(short, low, high, xtol=1e-7))


def pumped_disk(
    radius_um: float,
    medium: Medium,
    *,
    surroundings_um: float = 0.0,
    edge_um: float = 0.0,
    spot: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]] | None = None,
    cells: int = 200,
) -> tuple[Grid, Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return a round spot in a film: grid, gain profile, and where the surroundings are.

    Args:
        radius_um: of the spot, um.
        medium: the scattering medium.
        surroundings_um: width of the unpumped film around it, um; 0: the spot ends at the edge.
        edge_um: z_e at the outermost edge, um.
        spot: gain against radius (um) if it is not the same everywhere; then the surroundings begin at the radius.
        cells: along the radius.

    Returns:
        Grid, profile of shape (n,), and 1 outside the radius, 0 inside, of shape (n,).

    Raises:
        InputError: a size that is not positive.
    """
    radius = check.positive(radius_um, "spot radius", "um")
    faces = np.linspace(0.0, radius, cells + 1)
    if check.positive(surroundings_um, "width of the surroundings", "um", zero=True) > 0.0:
        ratio, step = 1.02, radius / cells
        count = math.ceil(math.log1p(surroundings_um / step * (ratio - 1.0)) / math.log(ratio))
        outside = np.cumsum(step * ratio ** np.arange(count))
        faces = np.concatenate([faces, radius + outside * surroundings_um / outside[-1]])
    grid = radial_grid(faces, 2, edge_um)
    outside_it = (grid.radius_um > radius).astype(float)
    profile = 1.0 - outside_it if spot is None else np.asarray(spot(grid.radius_um), dtype=float)
    return grid, profile, outside_it


@dataclass(frozen=True)
class AreaLaw:
    """Threshold against pumped area.

    Attributes:
        area_um2: shape (n,), um2.
        gain_cm1: shape (n,), gain that has to be made above nothing (kappa), cm-1.
        pump: shape (n,), threshold fluence over that of the first area.
        exponent: shape (n,), d ln(pump) / d ln(area) there.
    """

    area_um2: Float[np.ndarray, " n"]
    gain_cm1: Float[np.ndarray, " n"]
    pump: Float[np.ndarray, " n"]
    exponent: Float[np.ndarray, " n"]


def area_law(
    areas_um2: Float[np.ndarray, " n"],
    medium: Medium,
    photons: int = 1,
    *,
    transparency_cm1: float = 0.0,
    out_of_plane_cm1: float = 0.0,
    surroundings_cm1: float | None = None,
    cells: int = 200,
) -> AreaLaw:
    """Return the threshold of round spots of several areas in a film.

    Gain goes with the excitations, and those with the fluence to the power `photons`. With no transparency, no loss out
    of the plane and an edge that absorbs, the exponent is -1 (one photon) or -1/2 (two); anything else makes it drift.

    Args:
        areas_um2: shape (n,), um2.
        medium: of two dimensions for a sheet.
        photons: absorbed for each excitation, 1 or 2.
        transparency_cm1: absorption that the pump has to undo where it falls, cm-1.
        out_of_plane_cm1: loss into substrate and air for each length of way, cm-1.
        surroundings_cm1: absorption of the unpumped film around the spot, cm-1; None: the spot ends at an absorbing
            edge.
        cells: along the radius.

    Returns:
        The law.

    Raises:
        InputError: fewer than two areas, one that is not positive, an order other than 1 or 2, negative losses.
    """
    areas = check.axis(areas_um2, "area")
    if photons not in (1, 2):
        raise InputError(f"Absorption of 1 or 2 photons is known, not of {photons}.")
    if np.any(areas <= 0):
        raise InputError("Areas must be positive.")
    per_um = 1e-4
    loss_ps = check.positive(out_of_plane_cm1, "out-of-plane loss", "cm-1", zero=True) * per_um * medium.speed_um_ps
    inside = check.positive(transparency_cm1, "transparency", "cm-1", zero=True) * per_um
    gains, slopes = [], []
    for area in areas:
        ends = [_spot_gain(area * x, medium, inside, loss_ps, surroundings_cm1, cells) for x in (0.98, 1.0, 1.02)]
        gains.append(ends[1])
        slopes.append(math.log(ends[2] / ends[0]) / math.log(1.02 / 0.98))
    gain = np.array(gains)
    return AreaLaw(areas, gain / per_um, (gain / gain[0]) ** (1.0 / photons), np.array(slopes) / photons)


def _spot_gain(
    area_um2: float, medium: Medium, inside: float, loss_ps: float, surroundings_cm1: float | None, cells: int
) -> float:
    radius = math.sqrt(area_um2 / math.pi)
    width, outside = 0.0, 0.0
    if surroundings_cm1 is not None:
        outside = check.positive(surroundings_cm1, "absorption of the surroundings", "cm-1", zero=True) * 1e-4
        loss = outside + loss_ps / medium.speed_um_ps
        if loss <= 0.0:
            raise InputError(
                "Unpumped surroundings need some absorption or out-of-plane loss; otherwise they never end."
            )
        width = 15.0 * math.sqrt(medium.diffusion_um2_ps / medium.speed_um_ps / loss)

    def at(n: int) -> float:
        grid, profile, around = pumped_disk(radius, medium, surroundings_um=width, cells=n)
        return threshold(grid, medium, profile, np.where(around > 0, outside, inside), loss_ps).gain_um

    return (4.0 * at(cells) - at(cells // 2)) / 3.0
