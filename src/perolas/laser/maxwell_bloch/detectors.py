r"""What is read out of a run: traces, running Fourier transforms, flux through surfaces, balances of energy.

Spectra follow :math:`F(\omega) = \int f(t) e^{i\omega t} dt`, fields as exp(-i omega t). The energy that passes a
surface in a pulse is the integral over positive omega of :math:`\mathrm{Re}(E \times H^*)/\pi`, which `Flux` gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch.grid import AXES, Grid
from perolas.laser.maxwell_bloch.step import Model, State, from_nodes, take_step

Position = float | tuple[float, ...]


@dataclass(frozen=True)
class Trace:
    """A component in time.

    Attributes:
        name: of the record.
        component: "Ez" and so on.
        low: coordinates of the point, or of the low corner of a region.
        high: of its high corner; None: a point.
    """

    name: str
    component: str
    low: Position
    high: Position | None = None


@dataclass(frozen=True)
class Spectrum:
    """The running Fourier transform of a component in a region.

    Attributes:
        name: of the record.
        component: "Ez" and so on.
        low: coordinates of the low corner.
        high: of the high corner; None: a point.
        frequencies: angular, shape (f,).
    """

    name: str
    component: str
    low: Position
    high: Position | None
    frequencies: ArrayLike


@dataclass(frozen=True)
class Flux:
    """Energy through a surface for each angular frequency, positive towards larger coordinates.

    Attributes:
        name: of the record.
        low: coordinates of the low corner; one coordinate is the same as that of the high corner.
        high: of the high corner; None in one dimension.
        frequencies: angular, shape (f,).
    """

    name: str
    low: Position
    high: Position | None
    frequencies: ArrayLike


@dataclass(frozen=True)
class Box:
    """Energy out of a box for each angular frequency, and what the far field is made from.

    Attributes:
        name: of the record.
        low: coordinates of the low corner.
        high: of the high corner.
        frequencies: angular, shape (f,).
    """

    name: str
    low: Position
    high: Position
    frequencies: ArrayLike


@dataclass(frozen=True)
class Balance:
    """Energy in a box in time: what the fields hold, what leaves, what matter and loss take.

    Attributes:
        name: of the record.
        low: coordinates of the low corner, outside every absorber.
        high: of the high corner.
    """

    name: str
    low: Position
    high: Position


Detector = Trace | Spectrum | Flux | Box | Balance


class Tap(eqx.Module):
    """Samples of a component in a region, or their mean over two layers.

    Attributes:
        component: "Ez" and so on.
        start: first index along each axis.
        shape: of the region.
        mean: axis along which the sample before is averaged in; None: none.
    """

    component: str = eqx.field(static=True)
    start: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    mean: int | None = eqx.field(static=True, default=None)

    def read(self, fields: dict[str, dict[str, Array]]) -> Array:
        """The samples."""
        field = fields[self.component[0]][self.component[1]]
        here = field[tuple(slice(s, s + n) for s, n in zip(self.start, self.shape, strict=True))]
        if self.mean is None:
            return here
        back = tuple(s - (axis == self.mean) for axis, s in enumerate(self.start))
        before = field[tuple(slice(s, s + n) for s, n in zip(back, self.shape, strict=True))]
        return 0.5 * (here + before)


@dataclass(frozen=True)
class Surface:
    """A plane of nodes: tangential E and H on it, where they live in pairs.

    Attributes:
        axis: of its normal.
        side: sign of what counts as outward.
        pairs: taps of E and of H, the sign of their product in the flux, and the weights of the samples.
    """

    axis: int
    side: int
    pairs: tuple[tuple[Tap, Tap, int, Float[np.ndarray, "..."]], ...]

    @property
    def taps(self) -> tuple[Tap, ...]:
        """All taps, E and H in turn."""
        return tuple(tap for e, h, _, _ in self.pairs for tap in (e, h))


def _span(grid: Grid, axis: int, low: int, high: int, half: bool) -> tuple[int, int, Float[np.ndarray, " n"]]:
    """First index, count and weights of samples between two nodes: halves at the ends for samples on nodes."""
    cells = grid.shape[axis]
    if half:
        return low, max(high - low, 1), np.ones(max(high - low, 1))
    whole = grid.periodic(axis) and low == 0 and high == cells
    count = min(high, cells - 1) - low + 1
    weights = np.ones(count)
    if not whole:
        weights[0] *= 0.5
        if high < cells:
            weights[-1] *= 0.5
    return low, count, weights


def _nodes(grid: Grid, low: Position, high: Position | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The nodes nearest to two corners."""
    found = []
    for corner in (low, low if high is None else high):
        at = (float(corner),) if isinstance(corner, int | float) else tuple(float(x) for x in corner)
        if len(at) != grid.dimension:
            raise InputError(f"A position on this grid has {grid.dimension} coordinates, but {at} has {len(at)}.")
        index = tuple(round((x - zero) / grid.spacing) for x, zero in zip(at, grid.origin, strict=True))
        if any(i < 0 or i > n for i, n in zip(index, grid.shape, strict=True)):
            raise InputError(f"The position {at} of a detector lies outside the grid.")
        found.append(index)
    if any(a > b for a, b in zip(*found, strict=True)):
        raise InputError("The low corner of a detector must not lie above its high one.")
    return found[0], found[1]


def surface(grid: Grid, axis: int, low: tuple[int, ...], high: tuple[int, ...], side: int) -> Surface:
    """Return the surface of nodes between two corners that agree along `axis`.

    Raises:
        InputError: it lies on the edge of the grid.
    """
    if not 1 <= low[axis] < grid.shape[axis]:
        raise InputError("A surface of flux has to lie inside the grid, a cell or more from its edge.")
    pairs = []
    b, c = (axis + 1) % 3, (axis + 2) % 3
    for e, h, sign in ((AXES[b], AXES[c], 1), (AXES[c], AXES[b], -1)):
        if e not in grid.electric or h not in grid.magnetic:
            continue
        start, shape, weights = [], [], np.ones((1,) * grid.dimension)
        for other in range(grid.dimension):
            first, count, weight = low[axis], 1, np.ones(1)
            if other != axis:
                first, count, weight = _span(grid, other, low[other], high[other], grid.offset("E" + e)[other] > 0)
            start.append(first)
            shape.append(count)
            weights = weights * weight.reshape((1,) * other + (-1,) + (1,) * (grid.dimension - other - 1))
        place = (tuple(start), tuple(shape))
        pairs.append((Tap("E" + e, *place), Tap("H" + h, *place, axis), sign, weights))
    return Surface(axis, side, tuple(pairs))


def surfaces(grid: Grid, detector: Flux | Box | Balance) -> tuple[Surface, ...]:
    """Return the surfaces of a detector.

    Raises:
        InputError: no plane, no box, or outside the grid.
    """
    low, high = _nodes(grid, detector.low, detector.high)
    if isinstance(detector, Flux):
        flat = [axis for axis in range(grid.dimension) if low[axis] == high[axis]]
        if len(flat) != 1:
            raise InputError(
                f'The surface of flux "{detector.name}" must be flat along one axis, but is along {len(flat)}.'
            )
        return (surface(grid, flat[0], low, high, 1),)
    found = []
    for axis in range(grid.dimension):
        if grid.periodic(axis) and low[axis] == 0 and high[axis] == grid.shape[axis]:
            continue
        for side, at in ((-1, low[axis]), (1, high[axis])):
            if side < 0 and at == 0 and grid.edges[axis][0] == "conductor":
                continue  # nothing passes a conductor
            if side > 0 and at == grid.shape[axis] and grid.edges[axis][1] == "conductor":
                continue
            corners = (
                (*low[:axis], at, *low[axis + 1 :]),
                (*high[:axis], at, *high[axis + 1 :]),
            )
            found.append(surface(grid, axis, *corners, side))
    return tuple(found)


class Transform(eqx.Module):
    """Running Fourier transforms of taps.

    Attributes:
        name: of the detector.
        omega: angular frequencies, shape (f,).
        taps: what is transformed.
    """

    omega: Float[Array, " f"]
    name: str = eqx.field(static=True)
    taps: tuple[Tap, ...]

    def empty(self, dtype: np.dtype) -> tuple[Array, ...]:
        """Nothing yet."""
        kind = np.complex64 if dtype == np.float32 else np.complex128
        return tuple(jnp.zeros((self.omega.size, *tap.shape), kind) for tap in self.taps)

    def add(self, sums: tuple[Array, ...], state: State, dt: float, every: int) -> tuple[Array, ...]:
        """The sums with this sample; H is half a step older than E."""
        found = []
        for tap, total in zip(self.taps, sums, strict=True):
            time = dt * (state["step"] - (0.5 if tap.component[0] == "H" else 0.0))
            phase = (dt * every * jnp.exp(1j * self.omega * time)).astype(total.dtype)
            found.append(total + jnp.tensordot(phase, tap.read(state), axes=0))
        return tuple(found)


class Account(eqx.Module):
    """A balance as the run keeps it.

    Attributes:
        name: of the detector.
        weights: of the samples of each component that lie in the box.
        permittivity: by axis letter of E.
        conductivity: by axis letter of E.
        faces: taps of E and H, sign and weights of each face.
    """

    weights: dict[str, Float[Array, "..."]]
    permittivity: dict[str, Float[Array, "..."]]
    conductivity: dict[str, Float[Array, "..."]]
    faces: tuple[tuple[Tap, Tap, Float[Array, "..."]], ...]
    name: str = eqx.field(static=True)

    def read(self, model: Model, state: State) -> dict[str, Array]:
        """Energy at this step; outflow, work and loss half a step later (each for a unit of time)."""
        grid = model.grid
        after = take_step(model, state)
        middle = {a: 0.5 * (state["E"][a] + after["E"][a]) for a in grid.electric}
        volume = grid.cell_volume
        energy, work, loss = jnp.zeros(()), jnp.zeros(()), jnp.zeros(())
        for a in grid.magnetic:
            energy += 0.5 * jnp.sum(self.weights["H" + a] * state["H"][a] * after["H"][a])
        for a in grid.electric:
            energy += 0.5 * jnp.sum(self.weights["E" + a] * self.permittivity[a] * state["E"][a] ** 2)
            loss += jnp.sum(self.weights["E" + a] * self.conductivity[a] * middle[a] ** 2)
        for i, a in enumerate(grid.electric):
            current = jnp.zeros(())
            if model.atoms is not None:
                current = from_nodes(grid, model.atoms.density * after["v"][i], a)
            for pole in after.get("poles", ()):
                current = current + pole["v"][a]
            work += jnp.sum(self.weights["E" + a] * middle[a] * current)
        fields = {"E": middle, "H": after["H"]}
        out = sum((jnp.sum(w * e.read(fields) * h.read(fields)) for e, h, w in self.faces), jnp.zeros(()))
        scale = grid.spacing ** (grid.dimension - 1)
        return {"energy": energy * volume, "outflow": out * scale, "work": work * volume, "loss": loss * volume}


def account(grid: Grid, detector: Balance, permittivity: dict[str, Any], conductivity: dict[str, Any]) -> Account:
    """Return a balance as the run keeps it.

    Raises:
        InputError: the box reaches into an absorber.
    """
    low, high = _nodes(grid, detector.low, detector.high)
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        first, last = grid.edges[axis]
        if (first == "absorber" and a < grid.absorber) or (last == "absorber" and b > grid.shape[axis] - grid.absorber):
            raise InputError(
                f'The balance "{detector.name}" reaches into the absorber; its energy is not counted there.'
            )
    weights = {}
    for name in [f"E{a}" for a in grid.electric] + [f"H{a}" for a in grid.magnetic]:
        whole = np.ones((1,) * grid.dimension)
        for axis in range(grid.dimension):
            line = np.zeros(grid.shape[axis])
            start, count, share = _span(grid, axis, low[axis], high[axis], grid.offset(name)[axis] > 0)
            line[start : start + count] = share
            whole = whole * line.reshape((1,) * axis + (-1,) + (1,) * (grid.dimension - axis - 1))
        weights[name] = jnp.asarray(whole)
    faces = tuple(
        (e, h, jnp.asarray(face.side * sign * share))
        for face in surfaces(grid, detector)
        for e, h, sign, share in face.pairs
    )
    to = {k: jnp.asarray(v) for k, v in permittivity.items()}
    return Account(weights, to, {k: jnp.asarray(v) for k, v in conductivity.items()}, faces, detector.name)


def transform(grid: Grid, detector: Spectrum | Flux | Box) -> Transform:
    """Return the running transforms of a detector.

    Raises:
        InputError: frequencies that are not positive numbers, or a region outside the grid.
    """
    omega = np.atleast_1d(np.asarray(detector.frequencies, float))
    if omega.ndim != 1 or not np.all(np.isfinite(omega)) or np.any(omega <= 0):
        raise InputError(f'The frequencies of the detector "{detector.name}" must be positive numbers.')
    if isinstance(detector, Spectrum):
        return Transform(jnp.asarray(omega), detector.name, (region(grid, detector),))
    taps = tuple(tap for face in surfaces(grid, detector) for tap in face.taps)
    return Transform(jnp.asarray(omega), detector.name, taps)


def region(grid: Grid, detector: Trace | Spectrum) -> Tap:
    """Return the samples of a trace or a spectrum.

    Raises:
        InputError: outside the grid, or a component that it lacks.
    """
    low = grid.node(detector.low, detector.component)
    high = low if detector.high is None else grid.node(detector.high, detector.component)
    shape = tuple(b - a + 1 for a, b in zip(low, high, strict=True))
    if min(shape) < 1:
        raise InputError("The low corner of a detector must not lie above its high one.")
    return Tap(detector.component, low, shape)


def passed(
    grid: Grid, faces: tuple[Surface, ...], sums: tuple[Complex[np.ndarray, "..."], ...]
) -> Float[np.ndarray, " f"]:
    """Return the energy that passed the surfaces for each unit of angular frequency.

    Args:
        grid: the grid.
        faces: the surfaces.
        sums: the transforms of their taps, E and H in turn.

    Returns:
        Shape (f,), for each length or area that the grid lacks.
    """
    total = np.zeros(np.shape(sums[0])[0])
    at = 0
    for face in faces:
        for _, _, sign, weights in face.pairs:
            e, h = np.asarray(sums[at]), np.asarray(sums[at + 1])
            total += face.side * sign * np.sum(weights * np.real(e * np.conj(h)), axis=tuple(range(1, e.ndim)))
            at += 2
    return np.asarray(total * grid.spacing ** (grid.dimension - 1) / np.pi)
