r"""A cavity of any permittivity and pump, and what lases in it (steady-state ab-initio laser theory).

.. math:: \left[\nabla^2 + k^2\left(\varepsilon(r) + g(k)\frac{D_0 F(r)}{1 + \sum_\nu \Gamma_\nu |\psi_\nu|^2}\right)
          \right]\psi = 0, \qquad g(k) = \frac{\gamma_\perp}{k - k_a + i\gamma_\perp}, \quad \Gamma_\nu = |g(k_\nu)|^2 ,

with waves that only leave. Fields go as exp(-i w t): loss is a positive imaginary part of the permittivity. Lengths are
in any unit and wave numbers in its inverse; D_0 and the intensities are without unit.

Source: Esterhazy et al., Phys. Rev. A 2014, 90, 023816.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike, Complex

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.salt import door
from perolas.laser.salt.follow import MESSAGES, Follower, Stage
from perolas.laser.salt.newton import holes_of
from perolas.laser.salt.one_d import MOST_NODES, Line, line_operator
from perolas.laser.salt.operator import Factors, Operator
from perolas.laser.salt.resonances import nearest_resonances
from perolas.laser.salt.results import LasingMode, Resonance, SteadyState, Switch, Threshold
from perolas.laser.salt.thresholds import Point, first_guess, lasing_points

if TYPE_CHECKING:
    from perolas.laser.salt.two_d import Plane

FARTHEST = 30.0  # gain half widths: no resonance nearer than that is no resonance near the gain
_MOST_RESONANCES = {1: 480, 2: 240}


@dataclass(frozen=True, eq=False)
class Cavity:
    """A cavity with gain, in one dimension or in two (field along the cylinders, TM).

    Attributes:
        eps: relative permittivity of each cell, (nx,) or (ny, nx); cells are filled evenly, the first from 0 to
            `spacing`. Where an interface cuts a cell, its mean permittivity belongs there (`shapes` does that).
        pump_profile: F of each cell, of the same shape, or one number.
        spacing: size of a cell; in one dimension also one for each.
        k_a: wave number of the centre of the gain.
        gamma_perp: half width of the gain at half maximum, as a wave number.
        boundaries: `open` (waves leave), `conductor` (field zero) or `mirror` (slope zero): (low, high) in one
            dimension, ((x low, x high), (y low, y high)) in two, or one word for all. None: open.
        outside: permittivity beyond open ends; in one dimension also (low, high).
        resolution: factor on the number of elements in one dimension, on the absorbing layer's thickness in two.
    """

    eps: Any
    pump_profile: Any
    spacing: Any
    k_a: float
    gamma_perp: float
    boundaries: Any = None
    outside: Any = 1.0
    resolution: float = 1.0

    def __post_init__(self) -> None:
        """Check everything at the door."""
        shape = np.shape(self.eps)
        if len(shape) == 2:
            door.check_side(shape)
        eps = door.checked_eps(self.eps, metal=len(shape) == 1)
        put = object.__setattr__
        put(self, "eps", eps)
        put(self, "pump_profile", door.checked_pump(self.pump_profile, eps.shape))
        put(self, "spacing", door.checked_spacing(self.spacing, eps.shape))
        put(self, "k_a", check.positive(self.k_a, "k_a"))
        put(self, "gamma_perp", check.positive(self.gamma_perp, "gamma_perp"))
        put(self, "boundaries", door.checked_boundaries(self.boundaries, eps.ndim))
        put(self, "outside", door.checked_outside(self.outside, eps.ndim))
        put(self, "resolution", check.positive(self.resolution, "resolution"))

    @property
    def dimensions(self) -> int:
        """1 or 2."""
        return int(self.eps.ndim)

    @property
    def size(self) -> tuple[float, ...]:
        """Length, or width along x and y."""
        if self.dimensions == 1:
            return (float(self.spacing.sum()),)
        return (self.eps.shape[1] * self.spacing, self.eps.shape[0] * self.spacing)

    @cached_property
    def _made(self) -> tuple[Operator, Line | Plane]:
        gamma = self.gamma_perp / self.k_a
        if self.dimensions == 1:
            widths = self.spacing * self.k_a
            phase = float(np.sum(widths * np.sqrt(np.abs(self.eps)))) * (1.0 + min(3.0 * gamma, 2.0))
            if not 12.0 * self.resolution * phase / np.pi + 4.0 * self.eps.size < MOST_NODES:
                raise InputError(
                    f"A cavity of {phase / (2 * np.pi):.3g} wavelengths and {self.eps.size} cells is too long to "
                    "resolve."
                )
            return line_operator(
                self.eps, self.pump_profile, widths, gamma, self.boundaries, self.outside, self.resolution
            )
        from perolas.laser.salt.two_d import plane_operator

        return plane_operator(
            self.eps,
            self.pump_profile,
            self.spacing * self.k_a,
            gamma,
            self.boundaries,
            self.outside[0],
            self.resolution,
        )

    @property
    def operator(self) -> Operator:
        """The matrices, with `1 / k_a` as the unit of length."""
        return self._made[0]

    @property
    def grid(self) -> Line | Plane:
        """Where the nodes of the matrices lie."""
        return self._made[1]

    @cached_property
    def places(self) -> Any:
        """Where fields are given: x (n,) in one dimension, (x (nx,), y (ny,)) in two."""
        if self.dimensions == 1:
            return self.grid.nodes / self.k_a  # type: ignore[union-attr]
        ny, nx = self.eps.shape
        return (np.arange(nx) + 0.5) * self.spacing, (np.arange(ny) + 0.5) * self.spacing

    def field_at(self, psi: Complex[np.ndarray, " n"], x: ArrayLike) -> Complex[np.ndarray, "..."]:
        """Return a field at places of a one-dimensional cavity.

        Args:
            psi: at `places`, shape (n,).
            x: places, any shape, 0 to the length.

        Returns:
            The field, of the shape of x.

        Raises:
            InputError: a place outside, or a cavity of two dimensions.
        """
        if not isinstance(self.grid, Line):
            raise InputError("A field between the cells is only given in one dimension.")
        at = np.asarray(x, dtype=float)
        length = self.size[0]
        if not np.all((at >= -1e-12 * length) & (at <= (1.0 + 1e-12) * length)):
            raise InputError(f"The cavity reaches from 0 to {length:g}; a place lies outside.")
        return self.grid.interpolate(psi, at.ravel() * self.k_a).reshape(at.shape)

    @cached_property
    def _factors(self) -> Factors:
        return self.operator.factors(1.0)

    @cached_property
    def _memory(self) -> dict[str, Any]:
        return {"resonances": (np.empty(0, complex), np.empty((0, 0), complex), 0), "points": []}

    def _resonances(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        k, fields, asked = self._memory["resonances"]
        if asked < count:
            if self.dimensions == 2:
                door.check_memory(self.operator.size, 4 * count)
            k, fields = nearest_resonances(self.operator, count, self._factors)
            self._memory["resonances"] = (k, fields, count)
        return k[:count], fields[:, :count]

    def _field(self, psi: np.ndarray) -> np.ndarray:
        return self.grid.whole(psi)

    def resonances(self, count: int = 10) -> tuple[Resonance, ...]:
        """Return the passive resonances nearest to the centre of the gain.

        Args:
            count: how many at most.

        Returns:
            The resonances by distance from k_a in the complex plane.

        Raises:
            InputError: fewer than one asked for, or too little memory.
        """
        k, fields = self._resonances(_counted(count, _MOST_RESONANCES[self.dimensions]))
        return tuple(Resonance(complex(q * self.k_a), self._field(f)) for q, f in zip(k, fields.T, strict=True))

    def _points(self, count: int) -> list[Point]:
        """Linear thresholds, at least `count` of them where they exist; sure that none in between is missing."""
        points: list[Point] = self._memory["points"]
        if len(points) >= count or self._memory.get("all", 0) >= count:
            return points
        most = min(_MOST_RESONANCES[self.dimensions], max(2, self.operator.size // 2))
        number = min(most, max(16, 2 * count + 6) if self.dimensions == 1 else max(24, 2 * count + 10))
        while True:
            k, fields = self._resonances(number)
            if k.size == 0 or np.min(np.abs(k.real - 1.0)) > FARTHEST * self.operator.gamma:
                nearest = f"the nearest lies at k = {self.k_a * k[0].real:.6g}" if k.size else "there is none at all"
                raise InputError(
                    f"No resonance lies near the gain at k_a = {self.k_a:g} with half width {self.gamma_perp:g}: "
                    f"{nearest}; change k_a or the cavity."
                )
            starts = [(*first_guess(self.operator, complex(q), f), f) for q, f in zip(k, fields.T, strict=True)]
            points = lasing_points(self.operator, self._factors, starts, count)
            reach = float(np.abs(k - 1.0).max())
            sharp = min((p.d0 / (1.0 + ((p.k - 1.0) / self.operator.gamma) ** 2) for p in points), default=np.inf)
            beyond = sharp * (1.0 + (reach / self.operator.gamma) ** 2)  # what a mode farther out may need at least
            enough = len(points) >= count and points[count - 1].d0 < beyond
            if enough or number >= most or (k.size < number):
                break
            number = min(most, 2 * number)
        self._memory["points"] = points
        self._memory["all"] = count
        return points

    def _linear(self, d0: float) -> list[Point]:
        """Linear thresholds up to a pump, and the first one beyond."""
        count = 3
        while True:
            points = self._points(count)
            if len(points) < count or points[-1].d0 > d0:
                below = sum(p.d0 <= d0 for p in points)
                return points[: below + 1]
            count *= 2

    def thresholds(self, count: int = 5) -> tuple[Threshold, ...]:
        """Return the lowest linear thresholds: where each mode would lase if it were alone.

        Args:
            count: how many at most.

        Returns:
            The thresholds, lowest pump first; both of a degenerate pair.

        Raises:
            InputError: no resonance near the gain, fewer than one asked for, or too little memory.
        """
        points = self._points(_counted(count, _MOST_RESONANCES[self.dimensions] // 2))
        if not points:
            raise InputError("No mode of this cavity can be brought to lase by this pump profile.")
        return tuple(Threshold(p.k * self.k_a, p.d0, self._field(p.psi), p.residual, self) for p in points[:count])

    @cached_property
    def _follower(self) -> Follower:
        return Follower(self.operator, self._factors, self._linear)

    def modes(self, d0: float) -> SteadyState:
        """Return every lasing mode at a pump.

        Args:
            d0: pump D_0.

        Returns:
            The steady state; one that did not converge says so in `result` and `message`.

        Raises:
            InputError: a pump that is negative or no number, no resonance near the gain, or too little memory.
        """
        return self.sweep([d0])[0]

    def sweep(self, d0: Iterable[float]) -> tuple[SteadyState, ...]:
        """Return the lasing modes at several pumps, each followed from the one below it.

        Args:
            d0: pumps D_0, in any order.

        Returns:
            The steady states in the same order.

        Raises:
            InputError: as for `modes`.
        """
        pumps = door.checked_pumps(list(d0) if not np.isscalar(d0) else d0)
        stages: dict[float, Stage] = {}
        stage = self._follower.start()
        for pump in sorted(set(pumps.tolist())):
            reached = self._follower.advance(stage, pump)
            stages[pump] = reached
            if reached.result in ("converged", "undecided", "below_threshold"):
                stage = reached
        made = {pump: self._state(found) for pump, found in stages.items()}
        return tuple(made[pump] for pump in pumps.tolist())

    def switches(self, d0_max: float) -> tuple[Switch, ...]:
        """Return the pumps at which modes go on and off, with all that lase competing.

        Args:
            d0_max: where to stop.

        Returns:
            The switches by rising pump, the first threshold among them.

        Raises:
            InputError: as for `modes`.
        """
        limit = float(door.checked_pumps(d0_max)[0])
        stage = self._follower.start()
        if not stage.d0 < limit:
            return ()
        found = [Switch(stage.d0, stage.quiet[0].k * self.k_a, True, 1)]
        while True:
            after = self._follower.settle(stage.d0 * 1.0001, list(stage.modes))
            if after.result != "converged" or after.d0 >= limit:
                return tuple(found)
            if found and len(after.modes) != found[-1].lasing:
                found[-1] = Switch(found[-1].d0, found[-1].k, found[-1].on, len(after.modes))
            pump, what, stage = self._follower.next_switch(after, limit)
            if what is None or not np.isfinite(pump):
                return tuple(found)
            on = isinstance(what, Point)
            found.append(Switch(pump, what.k * self.k_a, on, len(after.modes) + (1 if on else -1)))

    def _state(self, stage: Stage) -> SteadyState:
        from perolas.laser.salt.power import mode_powers

        holes = holes_of(stage.modes, self.operator.size)
        shown = np.real(self._field(holes.astype(complex)))
        modes = []
        for m in stage.modes if stage.result in ("converged", "undecided") else ():
            psi = m.shape * np.sqrt(m.strength / self.operator.lorentzian(m.k))
            gained, absorbed, emitted, mean = mode_powers(self, psi, m.k, stage.d0, holes)
            modes.append(
                LasingMode(m.k * self.k_a, self._field(psi), mean, gained, absorbed, emitted, stage.d0, shown, self)
            )
        ahead = stage.quiet[0] if stage.quiet else None
        return SteadyState(
            stage.d0,
            tuple(modes),
            ahead.k * self.k_a if ahead else np.nan,
            ahead.d0 if ahead else np.nan,
            stage.result,
            f"At D0 = {stage.d0:g} {MESSAGES[stage.result]}" + (f" {stage.note}" if stage.note else ""),
            stage.residual,
        )


def _counted(count: int, most: int) -> int:
    if not isinstance(count, int | np.integer) or not 1 <= count <= most:
        raise InputError(f"The number asked for must be 1 to {most}, but is {count}.")
    return int(count)
