"""Levenberg-Marquardt with Fisher scoring: one small solver for least squares and for counted events alike.

Each step solves (A + lambda diag A) d = -g with A the Fisher information and g the gradient of minus the
log-likelihood (for Poisson counts: Laurence and Chromy 2010), in coordinates where the bounds are at infinity.
The damping follows Nielsen (1999). It stands beside optimistix because thousands of small fits run here as one
batch: see docs/decisions/0003-own-levenberg-marquardt.md for the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from perolas.core.linalg import solve_positive
from perolas.core.measurement import WithColumns
from perolas.core.problem import Bijection, Problem, Vector

# Result codes inside a batch, where nothing may raise; `perolas.core.estimate.RESULTS` has their sentences.
CONVERGED, MAX_STEPS, STALLED, NOT_FINITE = 0, 1, 2, 3

# A fit that rounding stops counts as converged if it is within 1.4e-3 standard errors of the minimum; and this many
# steps without progress, longer than the damping needs to find any downhill step, are taken as "stopped".
_CLOSE = 1e-6
# A bounded parameter may come nearer to its bound by at most a factor exp(2) in one step.
_REACH = 2.0
# Nearer than exp(-16) of its scale to a bound is on it; going on would underflow, and there would be no way back.
_EDGE = 16.0
# Pushed to its bound, nearer than exp(-8) of its scale, with less than this to win there (minus log-likelihood, in
# units of the noise): on it too. A width that adds in squares needs this: its Fisher information vanishes as fast as
# its gradient, and promises a gain that is never there.
_NEAR, _NEGLIGIBLE = 8.0, 1e-8
_MOST_IDLE = 15


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Settings of the solver.

    Attributes:
        tol: it stops when the step still to come would lower minus the log-likelihood by less than this; 1e-13 means
            that no parameter is further than 5e-7 of its standard error from the minimum.
        max_steps: it gives up after this many steps.
        chunk: batch elements solved together; about 128 is fastest for small fits.
        threads: chunks solved at the same time; None: one for each core. Results do not depend on it.
        hold_first: names of parameters that stay at their guess until all others have settled. Where several signals
            share them, a nuisance that starts far off would else drag them into another valley.
    """

    tol: float = 1e-13
    max_steps: int = 200
    chunk: int = 128
    threads: int | None = None
    hold_first: tuple[str, ...] = ()


class Local(NamedTuple):
    """The quadratic model of the cost at a point."""

    cost: Float[Array, ""]
    gradient: Vector
    fisher: Float[Array, "p p"]
    rounding: Float[Array, ""]


class Minimum(NamedTuple):
    """Where the solver ended."""

    x: Vector
    cost: Float[Array, ""]
    steps: Int[Array, ""]
    code: Int[Array, ""]


class _State(NamedTuple):
    u: Vector
    local: Local
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    idle: Int[Array, ""]
    steps: Int[Array, ""]
    code: Int[Array, ""]
    done: Array


def jacobian(problem: Problem, x: Vector) -> tuple[Float[Array, " n"], Float[Array, "p n"]]:
    """Return the expected signal and its derivative with respect to each free parameter.

    A measurement may write its derivatives out (`expected_with_columns`); where only its own parameters vary, each on
    its own, those are used as they are.
    """
    if isinstance(problem.measurement, WithColumns) and problem.state is None and not problem.ties:
        seen: Any = problem.seen(x)
        mean, columns = seen.expected_with_columns(frozenset(s.field for s in problem.free))
        if all(s.field in columns for s in problem.free):
            return mean, jnp.stack([columns[s.field][s.index or 0] for s in problem.free])
    mean, push = jax.linearize(problem.expected, x)
    return mean, jax.vmap(push)(jnp.eye(x.size))


def local_model(problem: Problem, x: Vector, slope: Vector) -> Local:
    """Return cost, gradient and Fisher information, the last two in the solver's coordinates.

    Args:
        problem: what is fitted.
        x: shape (p,), inside the bounds.
        slope: shape (p,), dx/du.

    Returns:
        The local model; `rounding` is how much of the cost is float64 noise.
    """
    noise = problem.measurement.noise
    mean, jac = jacobian(problem, x)
    rise = noise.slope(problem.signal, mean)
    gradient = jac @ rise + problem.prior_precision * (x - problem.prior_mean)
    fisher = (jac * noise.weight(problem.signal, mean)) @ jac.T + jnp.diag(problem.prior_precision)
    cost = jnp.sum(noise.cost(problem.signal, mean)) + problem.prior_cost(x)
    rounding = 4 * jnp.finfo(mean.dtype).eps * jnp.sum(jnp.abs(rise * mean))
    return Local(cost, slope * gradient, slope[:, None] * fisher * slope, rounding)


def minimise(
    problem: Problem, start: Vector, settings: LevenbergMarquardt, held: frozenset[str] = frozenset()
) -> Minimum:
    """Find the minimum nearest downhill from `start`; pure jax, so it can be mapped over a batch.

    Args:
        problem: what is fitted.
        start: shape (p,), in the parameters' units.
        settings: tolerance and step limit.
        held: names of parameters that stay where they start.

    Returns:
        The end point with its result code; nothing raises here.
    """
    box = Bijection.of(problem.free, start)
    bounded = np.array([kind != "none" for kind in box.kinds])
    u0 = box.inverse(start)
    lowest = jnp.where(bounded, jnp.minimum(u0, 0.0) - _EDGE, -jnp.inf)
    highest = jnp.where(np.array([kind == "both" for kind in box.kinds]), jnp.maximum(u0, 0.0) + _EDGE, jnp.inf)
    holds = np.array([slot.name in held for slot in problem.free])
    freedom = max(problem.signal.shape[-1] - len(problem.free), 1)

    def scale_of(cost: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.where(problem.measurement.noise.scale_is_estimated, 2 * cost / freedom, 1.0)

    def at(u: Vector) -> Local:
        local = local_model(problem, box.forward(u), box.slope(u))
        # On its bound and pushed outwards: it stays there, and takes no part in the step until the push turns.
        negligible = jnp.abs(local.gradient) < _NEGLIGIBLE * scale_of(local.cost)
        low = (u <= lowest) | ((u <= lowest + _EDGE - _NEAR) & negligible)
        high = (u >= highest) | ((u >= highest - _EDGE + _NEAR) & negligible)
        outwards = (low & (local.gradient > 0)) | (high & (local.gradient < 0))
        keep = jnp.where(outwards | holds, 0.0, 1.0)
        others = jnp.where(np.eye(u.size, dtype=bool), 1.0, keep[:, None] * keep)
        return local._replace(gradient=keep * local.gradient, fisher=others * local.fisher)

    def body(s: _State) -> _State:
        here = s.local
        ridge = jnp.maximum(jnp.diagonal(here.fisher), 1e-300)
        step = -solve_positive(here.fisher + jnp.diag((s.damping + 1e-14) * ridge), here.gradient)
        # A singular matrix gives NaN: take a short gradient step instead and let the damping grow.
        step = jnp.where(jnp.all(jnp.isfinite(step)), step, -here.gradient / (ridge * (1 + s.damping)))
        promise = 0.5 * jnp.sum(step * (s.damping * ridge * step - here.gradient))
        # Near a bound the map is flat and a long step would end where nothing pulls back: shorten it (see `_REACH`),
        # each on its own, so that one width without a gradient does not hold up all others.
        reach = jnp.where(bounded, _REACH + 0.5 * jnp.abs(s.u), jnp.inf)
        step = jnp.clip(step, -reach, reach)
        gain = -jnp.sum(step * (here.gradient + 0.5 * here.fisher @ step))
        ahead = jnp.clip(s.u + step, lowest, highest)
        there = at(ahead)
        fall = here.cost - there.cost
        finite = jnp.isfinite(there.cost) & jnp.all(jnp.isfinite(there.gradient))
        take = finite & (fall > -here.rounding)
        ratio = jnp.where(finite, fall / jnp.maximum(gain, 1e-300), -1.0)
        scale = scale_of(here.cost)
        small = promise <= jnp.maximum(settings.tol * scale, here.rounding)
        begun = s.steps > 0  # the first pass only looks at the start: compiling the model once instead of twice
        broken = ~begun & ~finite
        done = small & (s.damping <= 1e-2) & begun
        # Where rounding in the model is worse than `rounding` foresees, no step helps any more: do not go on for ever.
        better = take & (
            fall > jnp.maximum(jnp.maximum(settings.tol * scale, here.rounding), 1e-14 * jnp.abs(here.cost))
        )
        idle = jnp.where(better, 0, s.idle + 1)
        stuck = (~take & (s.damping > 1e13)) | (idle >= _MOST_IDLE)
        steps = s.steps + 1
        code = jnp.where(done, CONVERGED, jnp.where(stuck, STALLED, MAX_STEPS))
        code = jnp.where(broken, NOT_FINITE, code)
        shrink = jnp.maximum(1 / 9, 1 - (2 * ratio - 1) ** 3)
        return _State(
            jnp.where(take, ahead, s.u),
            jax.tree.map(lambda new, old: jnp.where(take, new, old), there, here),
            jnp.where(take, jnp.maximum(s.damping * shrink, 1e-14), jnp.maximum(s.damping, 1e-7) * s.growth),
            jnp.where(take, 2.0, jnp.minimum(s.growth * 2, 1e6)),
            idle,
            steps,
            code,
            done | stuck | broken | (steps > settings.max_steps),
        )

    zero = jnp.asarray(0)
    if not problem.free:
        return Minimum(start, problem.cost(start), zero, jnp.asarray(CONVERGED))
    nowhere = Local(jnp.asarray(jnp.inf), jnp.zeros_like(u0), jnp.eye(u0.size), jnp.asarray(0.0))
    state = _State(
        u0, nowhere, jnp.asarray(9e-3), jnp.asarray(2.0), zero, zero, jnp.asarray(MAX_STEPS), jnp.asarray(False)
    )
    end = jax.lax.while_loop(lambda s: ~s.done, body, state)
    ridge = jnp.diag(1e-12 * jnp.maximum(jnp.diagonal(end.local.fisher), 1e-300))
    fall = 0.5 * end.local.gradient @ solve_positive(end.local.fisher + ridge, end.local.gradient)
    close = (end.code == STALLED) & (fall <= _CLOSE * scale_of(end.local.cost))
    return Minimum(box.forward(end.u), end.local.cost, end.steps - 1, jnp.where(close, CONVERGED, end.code))
