"""Profile likelihood: intervals that hold where the likelihood is no parabola (few counts, bounds, close lifetimes)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import chi2

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.problem import Problem
from perolas.core.solver import LevenbergMarquardt, minimise

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate

_GRID = 24  # points on each side; the crossing between two is found by interpolation


@eqx.filter_jit
def _costs(problem: Problem, x: Array, name: str, values: Array, settings: LevenbergMarquardt) -> Array:
    """Return the lowest cost with one parameter held at each of the values."""
    index = [s.name for s in problem.free].index(name)
    rest = jnp.delete(x, index, assume_unique_indices=True)

    def at(value: Array) -> Array:
        held = problem.without(name, value)
        return (
            minimise(held, rest, settings).cost
            + 0.5 * problem.prior_precision[index] * (value - problem.prior_mean[index]) ** 2
        )

    return jax.lax.map(at, values, batch_size=8)


def deviance(estimate: Estimate, name: str, values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Return by how much twice minus the log-likelihood rises when a parameter is held away from its best value.

    Args:
        estimate: of a single signal.
        name: a free parameter.
        values: shape (k,), where it is held, in its unit and inside its bounds.

    Returns:
        Shape (k,); zero at the best value. Where the noise was taken from the residuals, the rise of n ln(RSS).

    Raises:
        InputError: a batch, or a name that is not a free parameter.
    """
    if estimate.batch_shape:
        raise InputError("Profiles are taken of single estimates; take one of the batch with .element(i).")
    check.one_of(name, [s.name for s in estimate.problem.free], "The free parameter")
    best = jnp.asarray(estimate.values[: estimate.n_free])
    if estimate.n_free == 1:
        costs = jax.vmap(lambda v: estimate.problem.cost(jnp.atleast_1d(v)))(jnp.asarray(values))
    else:
        costs = _costs(estimate.problem, best, name, jnp.asarray(values), LevenbergMarquardt(tol=1e-8))
    lowest = estimate.problem.cost(best)
    if estimate.scale_is_estimated:
        return np.asarray(estimate.n_points * jnp.log(costs / lowest))
    return np.asarray(2 * (costs - lowest))


def interval(estimate: Estimate, name: str, level: float = 0.6827) -> tuple[float, float]:
    """Return the profile-likelihood interval of a free parameter.

    Args:
        estimate: of a single signal.
        name: a free parameter.
        level: its coverage.

    Returns:
        Lower and upper end; a bound of the parameter where the likelihood does not fall enough before it,
        plus or minus inf where it never does.

    Raises:
        InputError: a batch, an unknown name, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"The level of an interval must lie between 0 and 1, but is {level:g}.")
    slot = next((s for s in estimate.problem.free if s.name == name), None)
    check.one_of(name, [s.name for s in estimate.problem.free], "The free parameter")
    assert slot is not None
    wanted = float(chi2.ppf(level, 1))
    index = estimate.names.index(name)
    value, std = float(estimate.values[index]), float(np.sqrt(estimate.covariance[index, index]))
    step = std if np.isfinite(std) and std > 0 else max(abs(value), 1.0)
    find = partial(_crossing, estimate, name, value, step * np.sqrt(wanted), wanted)
    return find(-1, slot.lower), find(1, slot.upper)


def _crossing(
    estimate: Estimate, name: str, value: float, step: float, wanted: float, side: int, bound: float
) -> float:
    """Return where the deviance first reaches `wanted` on one side; the grid is widened until it does."""
    reach = 2.0
    for _ in range(5):
        end = value + side * reach * step
        limited = (end - bound) * side >= 0
        end = bound if limited else end
        grid = np.linspace(value, end, _GRID + 1)[1:]
        if limited and grid.size:
            grid[-1] = bound - side * 1e-9 * max(abs(bound), step)
        rise = np.concatenate([[0.0], deviance(estimate, name, grid)])
        grid = np.concatenate([[value], grid])
        above = np.flatnonzero(rise >= wanted)
        if above.size:
            k = int(above[0])
            # The square root of the deviance is nearly straight, so interpolate in that.
            low, high = np.sqrt(np.maximum(rise[[k - 1, k]], 0.0))
            return float(grid[k - 1] + (np.sqrt(wanted) - low) / (high - low) * (grid[k] - grid[k - 1]))
        if limited:
            return bound
        reach *= 4
    return side * np.inf
