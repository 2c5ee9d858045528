r"""One step of the field and of what it moves, in any number of dimensions.

E, p and the poles' P stand at step n; H, their time derivatives and the populations at n - 1/2. A step takes H and the
derivatives to n + 1/2 with E, then P and E to n + 1 with those: leapfrog, second order in space and time.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.laser.maxwell_bloch import atoms as gain
from perolas.laser.maxwell_bloch.cpml import Slab, describe
from perolas.laser.maxwell_bloch.grid import AXES, Grid, curl_terms
from perolas.laser.maxwell_bloch.media import Sampled
from perolas.laser.maxwell_bloch.sources import Driven

State = dict[str, Any]
Fields = dict[str, Array]
Coefficients = dict[str, Float[np.ndarray, "..."]]


class PoleOnGrid(eqx.Module):
    """A pole as the time step uses it; by axis letter of E.

    Attributes:
        keep: factor of the old dP/dt.
        pull: dt omega_0^2 / (1 + gamma dt/2).
        push: dt s / (1 + gamma dt/2).
        bound: whether omega_0 is above 0.
    """

    keep: Float[Array, ""]
    pull: Float[Array, ""]
    push: dict[str, Float[Array, "..."]]
    bound: bool = eqx.field(static=True)


class Model(eqx.Module):
    """All coefficients of a run, in its precision.

    Attributes:
        keep: factor of the old E by axis letter; empty without conductivity.
        respond: what a unit of (curl H - current) adds to E in a step.
        poles: of the background.
        atoms: the gain medium; None without.
        slabs: of the absorber.
        sources: what drives the field.
        key: of the noise; None without.
        grid: the grid.
        dt: time step.
    """

    keep: dict[str, Float[Array, "..."]]
    respond: dict[str, Float[Array, "..."]]
    poles: tuple[PoleOnGrid, ...]
    atoms: gain.Ensemble | None
    slabs: tuple[Slab, ...]
    sources: tuple[Driven, ...]
    key: Array | None
    grid: Grid = eqx.field(static=True)
    dt: float = eqx.field(static=True)


def _shifted(field: Array, axis: int, ahead: bool, periodic: bool) -> Array:
    """The neighbour's value along an axis; zero beyond an edge."""
    if periodic:
        return jnp.roll(field, -1 if ahead else 1, axis)
    widths = [(0, 0, 0)] * field.ndim
    widths[axis] = (-1, 1, 0) if ahead else (1, -1, 0)
    return jax.lax.pad(field, jnp.zeros((), field.dtype), widths)


def difference(grid: Grid, field: Array, axis: int, ahead: bool) -> Array:
    """The difference along an axis, to the next sample or from the one before."""
    other = _shifted(field, axis, ahead, grid.periodic(axis))
    return other - field if ahead else field - other


def to_nodes(grid: Grid, field: Array, letter: str) -> Array:
    """The mean of a component of E at the nodes."""
    axis = AXES.index(letter)
    if axis >= grid.dimension:
        return field
    return 0.5 * (field + _shifted(field, axis, False, grid.periodic(axis)))


def from_nodes(grid: Grid, field: Array, letter: str) -> Array:
    """The mean of what stands at the nodes where a component of E lives; the transpose of `to_nodes`."""
    axis = AXES.index(letter)
    if axis >= grid.dimension:
        return field
    return 0.5 * (field + _shifted(field, axis, True, grid.periodic(axis)))


def magnetic(model: Model, state: State) -> tuple[Fields, Fields]:
    """Return H half a step after E, and the memory of its absorbers."""
    grid, ratio = model.grid, model.dt / model.grid.spacing
    new, memory = {}, {}
    for own in grid.magnetic:
        terms = curl_terms(grid, f"H{own}")
        curl = sum(sign * difference(grid, state["E"][source], axis, True) for source, axis, sign in terms)
        field = state["H"][own] - ratio * curl
        for slab in model.slabs:
            if slab.name == f"H{own}":
                change = slab.cut(difference(grid, state["E"][slab.source], slab.axis, True))
                psi = slab.decay * state["psi"][describe(slab)] + slab.gain * change
                memory[describe(slab)] = psi
                there = (slice(None),) * slab.axis + (slice(slab.start, slab.start + slab.cells),)
                field = field.at[there].add(-ratio * slab.sign * psi)
        new[own] = field
    return new, memory


def _electric(model: Model, state: State, h: Fields, currents: Fields) -> tuple[Fields, Fields]:
    """E a step later from H between, and the memory of its absorbers."""
    grid, over = model.grid, 1.0 / model.grid.spacing
    new, memory = {}, {}
    for own in grid.electric:
        terms = curl_terms(grid, f"E{own}")
        drive = over * sum(sign * difference(grid, h[source], axis, False) for source, axis, sign in terms)
        if own in currents:
            drive = drive - currents[own]
        old = state["E"][own] * model.keep[own] if own in model.keep else state["E"][own]
        field = old + model.respond[own] * drive
        for slab in model.slabs:
            if slab.name == f"E{own}":
                change = slab.cut(difference(grid, h[slab.source], slab.axis, False))
                psi = slab.decay * state["psi"][describe(slab)] + slab.gain * change
                memory[describe(slab)] = psi
                there = (slice(None),) * slab.axis + (slice(slab.start, slab.start + slab.cells),)
                answer = model.respond[own]
                answer = slab.cut(answer) if answer.ndim else answer
                field = field.at[there].add(over * slab.sign * answer * psi)
        new[own] = field
    return new, memory


def take_step(model: Model, state: State) -> State:
    """Return the state a step later.

    Args:
        model: the coefficients.
        state: E, P at step n; H, derivatives and populations at n - 1/2.

    Returns:
        The state at n + 1 and n + 1/2.
    """
    grid, dt = model.grid, model.dt
    time = state["step"] * dt
    new: State = {"step": state["step"] + 1}
    h, memory = magnetic(model, state)
    new["H"] = h
    currents: dict[str, Array] = {}
    if model.atoms is not None:
        key = None if model.key is None else jax.random.fold_in(model.key, state["step"])
        at_nodes = tuple(to_nodes(grid, state["E"][a], a) for a in grid.electric)
        v, pops = gain.advance(model.atoms, at_nodes, state["p"], state["v"], state["pops"], time, key)
        new["v"], new["pops"] = v, pops
        new["p"] = tuple(p + dt * s for p, s in zip(state["p"], v, strict=True))
        currents = {a: from_nodes(grid, model.atoms.density * s, a) for a, s in zip(grid.electric, v, strict=True)}
    if model.poles:
        moved = [_pole(pole, state["E"], old, dt) for pole, old in zip(model.poles, state["poles"], strict=True)]
        new["poles"] = tuple(moved)
        for pole in moved:
            for a in grid.electric:
                currents[a] = currents[a] + pole["v"][a] if a in currents else pole["v"][a]
    e, more = _electric(model, state, h, currents)
    for source in model.sources:
        e[source.axis] = source.add(e[source.axis], time + 0.5 * dt)
    new["E"] = e
    new["psi"] = {**memory, **more}
    return new


def _pole(pole: PoleOnGrid, field: dict[str, Array], old: State, dt: float) -> State:
    """A pole's polarisation a step later and its derivative half a step later."""
    v = {a: pole.keep * old["v"][a] + pole.push[a] * field[a] for a in field}
    if not pole.bound:
        return {"v": v}
    v = {a: v[a] - pole.pull * old["p"][a] for a in field}
    return {"v": v, "p": {a: old["p"][a] + dt * v[a] for a in field}}


def respond(grid: Grid, medium: Sampled, dt: float) -> tuple[Coefficients, Coefficients]:
    """Return the factor of the old E, and what a unit of drive adds to E in a step; both by axis letter."""
    keep, answer = {}, {}
    for a in grid.electric:
        loss = 0.5 * dt * medium.conductivity[a] / medium.permittivity[a]
        keep[a] = (1.0 - loss) / (1.0 + loss)
        answer[a] = medium.free[a] * dt / medium.permittivity[a] / (1.0 + loss)
    return keep, answer


def at_rest(grid: Grid, model: Model, populations: tuple[Array, ...], dtype: np.dtype) -> State:
    """Return the state without any field."""

    def zeros() -> Array:
        return jnp.zeros(grid.shape, dtype)

    state: State = {
        "step": jnp.zeros((), np.int64),
        "E": {a: zeros() for a in grid.electric},
        "H": {a: zeros() for a in grid.magnetic},
        "psi": {describe(s): jnp.zeros(s.shape(grid.shape), dtype) for s in model.slabs},
    }
    if model.atoms is not None:
        state["p"] = tuple(zeros() for _ in grid.electric)
        state["v"] = tuple(zeros() for _ in grid.electric)
        state["pops"] = populations
    if model.poles:
        state["poles"] = tuple(
            {name: {a: zeros() for a in grid.electric} for name in (("v", "p") if pole.bound else ("v",))}
            for pole in model.poles
        )
    return state
