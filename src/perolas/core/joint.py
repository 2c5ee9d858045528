"""Several measurements of one specimen, inverted together.

A `Joint` is itself a measurement: its signal is those of its members, one after the other, and its noise theirs. With
a specimen, each member looks at it, so that what the specimen decides is one parameter for all of them; what belongs to
an instrument stays with its member and carries the member's name (`xrd_background_1`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.errors import InputError
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise
from perolas.core.parameter import Slot, expand, parameter, replace, slots, table

Signal = Float[Array, " n"]


class JointNoise(AbstractNoise):
    """The noise of each member on its own part of the signal.

    Attributes:
        parts: the members' noises.
        ends: where each part of the signal but the last one ends; static.
    """

    parts: tuple[AbstractNoise, ...]
    ends: tuple[int, ...] = eqx.field(static=True)

    def _each(self, name: str, observed: Signal, expected: Signal) -> list[Array]:
        seen, meant = jnp.split(observed, self.ends), jnp.split(expected, self.ends)
        return [getattr(n, name)(o, e) for n, o, e in zip(self.parts, seen, meant, strict=True)]

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw a signal, each part by its own law."""
        keys = jax.random.split(key, len(self.parts))
        meant = jnp.split(expected, self.ends)
        return jnp.concatenate([n.sample(k, e) for n, k, e in zip(self.parts, keys, meant, strict=True)])

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return each point's share of minus the log-likelihood, up to a constant."""
        return jnp.concatenate(self._each("cost", observed, expected))

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return the derivative of `cost` with respect to the expected signal."""
        return jnp.concatenate(self._each("slope", observed, expected))

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return the Fisher weight."""
        return jnp.concatenate(self._each("weight", observed, expected))

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the sum of the members' log-likelihoods."""
        return jnp.sum(jnp.stack(self._each("log_likelihood", observed, expected)))

    @property
    def scale_is_estimated(self) -> bool:
        """Return False: `Joint` takes no member whose noise is not known."""
        return False


class Joint(AbstractMeasurement):
    """Measurements of one specimen as one measurement. Build one with `Joint.of`.

    Attributes:
        members: the measurements.
        scale: shape (m,), by how much the total is larger that a member keeps when a specimen shares it out among
            its lines (`keeps_total`: the fields that make it up); it belongs to the instrument.
        specimen: what they all look at, or None: then each keeps its own parameters.
        names: what they are called; static.
        varied: names of the specimen's parameters that a fit varies unless told otherwise; static.
    """

    technique: ClassVar[str] = "joint"
    axis_name: ClassVar[str] = "channel"
    response_sets: ClassVar[tuple[str, ...]] = ()
    derived_table: ClassVar[dict[str, Derived]] = {}

    scale: Float[Array, " m"] = parameter(
        "1", "total of the measurement over that of its start", name="scale", default=1.0, bounds=(0, 1e6), vector=True
    )
    members: tuple[AbstractMeasurement, ...] = eqx.field(kw_only=True)
    specimen: Any = eqx.field(kw_only=True)
    noise: AbstractNoise = eqx.field(kw_only=True)
    names: tuple[str, ...] = eqx.field(kw_only=True, static=True)
    varied: tuple[str, ...] = eqx.field(kw_only=True, static=True)

    @staticmethod
    def of(members: Mapping[str, AbstractMeasurement], specimen: Any = None, varied: tuple[str, ...] = ()) -> Joint:
        """Build a joint measurement.

        Args:
            members: name -> measurement.
            specimen: what they look at, or None.
            varied: names of its parameters that a fit varies unless told otherwise.

        Returns:
            The measurement.

        Raises:
            InputError: no member, one whose noise is taken from its residuals, or a parameter that there is not.
        """
        if not members:
            raise InputError("A joint measurement needs at least one member.")
        for name, member in members.items():
            if member.noise.scale_is_estimated:
                raise InputError(
                    f'The size of the noise of "{name}" is not known, so it cannot be weighed against the others; '
                    "give its variance."
                )
        known = slots(specimen, "state") if specimen is not None else ()
        chosen = expand(varied, known) if varied else ()
        sizes = [int(m.axis.shape[-1]) for m in members.values()]
        ends = tuple(int(e) for e in np.cumsum(sizes)[:-1])
        noise = JointNoise(tuple(m.noise for m in members.values()), ends)
        return Joint(
            scale=jnp.ones(len(members)),
            members=tuple(members.values()),
            specimen=specimen,
            noise=noise,
            names=tuple(members),
            varied=chosen,
        )

    def nested_slots(self, part: str, batched: int = 0) -> list[Slot]:
        """List what may vary: the specimen's parameters, then each member's own, less those the specimen decides."""
        found = []
        if self.specimen is not None:
            for slot in slots(self.specimen, part, batched):
                found.append(changed(slot, field=f"specimen/{slot.field}", free=slot.name in self.varied))
        for i, (name, member) in enumerate(zip(self.names, self.members, strict=True)):
            own = slots(member, part, batched)
            decided = set(expand(member.response_sets, own)) if self.specimen is not None else set()
            for slot in own:
                if slot.name not in decided:
                    path, called = f"members/{i}/{slot.field}", f"{name}_{slot.name}"
                    found.append(changed(slot, field=path, name=called, group=f"{name}_{slot.group}"))
            if self._kept(member):
                row = next(r for r in table(self) if r.field == "scale")
                called = f"{name}_scale"
                found.append(
                    Slot(part, "scale", i, called, row.unit, row.lower, row.upper, row.meaning, row.free, called)
                )
        return found

    def _kept(self, member: AbstractMeasurement) -> tuple[str, ...]:
        """Return the fields whose total a member keeps under the specimen's response."""
        return () if self.specimen is None else member.keeps_total

    def seen(self) -> tuple[AbstractMeasurement, ...]:
        """Return the members as they look at the specimen."""
        if self.specimen is None:
            return self.members
        found = []
        for i, member in enumerate(self.members):
            kept = {field: getattr(member, field) * self.scale[i] for field in self._kept(member)}
            found.append((replace(member, **kept) if kept else member).respond(self.specimen))
        return tuple(found)

    def part(self, name: str, values: Any) -> Any:
        """Return one member's part of a signal.

        Args:
            name: of the member.
            values: shape (..., n), on the axis of the joint measurement.

        Returns:
            Shape (..., m).
        """
        edges = [0, *np.cumsum([m.axis.shape[-1] for m in self.members])]
        i = self.names.index(name)
        return values[..., edges[i] : edges[i + 1]]

    @property
    def axis(self) -> Float[Array, " n"]:
        """A running number, shape (n,): the members have axes of their own."""
        return jnp.arange(float(sum(m.axis.shape[-1] for m in self.members)))

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signals one after the other, shape (n,)."""
        return jnp.concatenate([m.expected() for m in self.seen()])

    def respond(self, state: Any) -> Self:
        """Return this measurement with its members looking at another specimen."""
        return eqx.tree_at(lambda j: j.specimen, self, state, is_leaf=lambda v: v is None)

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return each member's signal, zero where the others' are."""
        found, start, size = {}, 0, int(self.axis.shape[0])
        for name, member in zip(self.names, self.seen(), strict=True):
            mean = member.expected()
            found[name] = jnp.zeros(size).at[start : start + mean.shape[0]].set(mean)
            start += mean.shape[0]
        return found

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return nothing: what the members derive belongs to fits of their own."""
        return {}


def together(signals: Any) -> Float[np.ndarray, "... n"]:
    """Return the signals of several observations one after the other, as `Joint` expects them.

    Args:
        signals: observations or arrays, in the order of the members.

    Returns:
        Shape (n,), or (batch, n).
    """
    arrays = [np.asarray(s["signal"].values if hasattr(s, "data_vars") else s, dtype=np.float64) for s in signals]
    return np.concatenate(arrays, axis=-1)
