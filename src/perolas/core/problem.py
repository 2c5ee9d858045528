"""An inversion problem in its free parameters: which leaves vary, within which bounds, tied and held how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, observe
from perolas.core.parameter import Slot, read_slot, write_slots

Vector = Float[Array, " p"]
Tie = str | Callable[[Mapping[str, Any]], Any]


class Problem(eqx.Module):
    """One signal, one model, the parameters that vary.

    Attributes:
        measurement: the model; leaves that are not free keep their value.
        state: what is looked at, or None.
        signal: shape (n,), the observed signal.
        prior_mean: shape (p,), centre of the normal prior of each free parameter (0 where there is none).
        prior_precision: shape (p,), its inverse variance (0 where there is none).
        free: the parameters that vary, in the order of every vector here.
        ties: (tied slot, rule); the rule is the name of another parameter or a function of a dict of all of them.
        known: every slot of measurement and state.
    """

    measurement: AbstractMeasurement
    state: Any
    signal: Float[Array, " n"]
    prior_mean: Vector
    prior_precision: Vector
    free: tuple[Slot, ...] = eqx.field(static=True)
    ties: tuple[tuple[Slot, Tie], ...] = eqx.field(static=True)
    known: tuple[Slot, ...] = eqx.field(static=True)

    def start(self) -> Vector:
        """Return the values that the free parameters have now, shape (p,)."""
        return jnp.stack([read_slot(self._part(s), s) for s in self.free])

    def _part(self, slot: Slot) -> Any:
        return self.measurement if slot.part == "measurement" else self.state

    def assemble(self, x: Vector) -> tuple[AbstractMeasurement, Any]:
        """Return measurement and state with the free parameters at `x` and the tied ones following."""
        values: dict[Slot, Any] = {slot: x[i] for i, slot in enumerate(self.free)}
        if self.ties:
            by_name = {s.name: values.get(s, read_slot(self._part(s), s)) for s in self.known}
            for slot, rule in self.ties:
                values[slot] = by_name[rule] if isinstance(rule, str) else rule(by_name)
        measurement, state = self.measurement, self.state
        ours = {s: v for s, v in values.items() if s.part == "measurement"}
        theirs = {s: v for s, v in values.items() if s.part == "state"}
        return (
            write_slots(measurement, ours) if ours else measurement,
            write_slots(state, theirs) if theirs else state,
        )

    def seen(self, x: Vector) -> AbstractMeasurement:
        """Return the measurement as it looks at the state, both at `x`."""
        return observe(*self.assemble(x))

    def expected(self, x: Vector) -> Float[Array, " n"]:
        """Return the expected signal at `x`, shape (n,)."""
        return self.seen(x).expected()

    def prior_cost(self, x: Vector) -> Float[Array, ""]:
        """Return minus the logarithm of the prior at `x`, up to a constant."""
        return 0.5 * jnp.sum(self.prior_precision * (x - self.prior_mean) ** 2)

    def cost(self, x: Vector) -> Float[Array, ""]:
        """Return minus the log-posterior at `x`, up to a constant."""
        return jnp.sum(self.measurement.noise.cost(self.signal, self.expected(x))) + self.prior_cost(x)

    def without(self, name: str, value: Any) -> Problem:
        """Return the problem with one free parameter held at `value` (for profiles)."""
        index = [s.name for s in self.free].index(name)
        x = self.start().at[index].set(value)
        measurement, state = self.assemble(x)
        keep = np.arange(len(self.free)) != index
        return Problem(
            measurement,
            state,
            self.signal,
            self.prior_mean[keep],
            self.prior_precision[keep],
            tuple(s for s in self.free if s.name != name),
            self.ties,
            self.known,
        )


class Bijection(eqx.Module):
    """Maps all of R^p onto the box of the bounds: identity, softplus (one side) or logistic (two sides).

    Attributes:
        lower: shape (p,), -inf where there is none.
        upper: shape (p,), inf where there is none.
        scale: shape (p,), where a one-sided map turns from exponential to linear.
    """

    lower: Vector
    upper: Vector
    scale: Vector
    kinds: tuple[str, ...] = eqx.field(static=True)

    @staticmethod
    def of(free: tuple[Slot, ...], start: Vector) -> Bijection:
        """Build the map for slots and their start values."""
        lower, upper = np.array([s.lower for s in free]), np.array([s.upper for s in free])
        kinds = tuple(
            {(0, 0): "none", (1, 0): "lower", (0, 1): "upper", (1, 1): "both"}[
                (int(np.isfinite(a)), int(np.isfinite(b)))
            ]
            for a, b in zip(lower, upper, strict=True)
        )
        room = jnp.where(jnp.isfinite(lower), start - lower, upper - start)
        scale = jnp.where(jnp.isfinite(room), jnp.maximum(room, 1e-8 * jnp.maximum(1.0, jnp.abs(start))), 1.0)
        return Bijection(jnp.asarray(lower), jnp.asarray(upper), scale, kinds)

    def _is(self, kind: str) -> np.ndarray:
        return np.array([k == kind for k in self.kinds], dtype=bool)

    def forward(self, u: Vector) -> Vector:
        """Return x inside the bounds for u anywhere."""
        low, high = (
            jnp.where(jnp.isfinite(self.lower), self.lower, 0.0),
            jnp.where(jnp.isfinite(self.upper), self.upper, 0.0),
        )
        x = jnp.where(self._is("lower"), low + self.scale * jax.nn.softplus(u), u)
        x = jnp.where(self._is("upper"), high - self.scale * jax.nn.softplus(u), x)
        return jnp.where(self._is("both"), low + (high - low) * jax.nn.sigmoid(u), x)

    def slope(self, u: Vector) -> Vector:
        """Return dx/du, shape (p,)."""
        s = jax.nn.sigmoid(u)
        low, high = (
            jnp.where(jnp.isfinite(self.lower), self.lower, 0.0),
            jnp.where(jnp.isfinite(self.upper), self.upper, 0.0),
        )
        d = jnp.where(self._is("lower"), self.scale * s, 1.0)
        d = jnp.where(self._is("upper"), -self.scale * s, d)
        return jnp.where(self._is("both"), (high - low) * s * (1 - s), d)

    def inverse(self, x: Vector) -> Vector:
        """Return u for x; an x on or outside a bound is taken just inside it."""
        low, high = (
            jnp.where(jnp.isfinite(self.lower), self.lower, 0.0),
            jnp.where(jnp.isfinite(self.upper), self.upper, 0.0),
        )
        room = jnp.where(self._is("upper"), high - x, x - low) / self.scale
        room = jnp.where(room <= 0, 1e-6, room)
        one_sided = room + jnp.log(-jnp.expm1(-room))
        part = (x - low) / jnp.where(self._is("both"), high - low, 1.0)
        part = jnp.where(part <= 0, 1e-6, jnp.where(part >= 1, 1 - 1e-6, part))
        u = jnp.where(self._is("lower") | self._is("upper"), one_sided, x)
        return jnp.where(self._is("both"), jnp.log(part) - jnp.log1p(-part), u)
