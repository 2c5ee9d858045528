"""What a fit leaves behind: errors, derived quantities, quality, and what the data cannot determine."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from perolas.core.linalg import inverse_positive, singular_values
from perolas.core.problem import Problem, Vector
from perolas.core.solver import Minimum, jacobian

# Directions in which the (column-scaled) data carry less than this, relative to the best one, are called empty.
_EMPTY = 1e-7
# Errors may be taken from the Fisher matrix, which squares the condition number, as long as no variance is larger than
# this times what it would be with all else known: then at least 8 digits are left.
_WELL_CONDITIONED = 1e6


class Fit(NamedTuple):
    """What one fit leaves behind; under `vmap` every array has the batch in front."""

    x: Vector
    values: Array  # free parameters, then derived quantities
    covariance: Array
    empty: Array  # which of them the data cannot determine
    null: Array  # directions (columns) in scaled parameters, with ...
    null_mask: Array  # ... which columns are empty
    chi2: Array
    log_likelihood: Array
    cost: Array
    steps: Array
    code: Array
    expected: Array
    agreeing: Array


def finish(problem: Problem, end: Minimum, agreeing: Array) -> tuple[Fit, Array]:
    """Compute errors, derived quantities and quality of fit, quickly.

    Args:
        problem: what was fitted.
        end: where the solver ended.
        agreeing: how many starts ended there.

    Returns:
        The fit, and whether the parameters are so entangled that `finish_carefully` has to do it again.
    """
    mean, jac, weight = _end_model(problem, end.x)
    fisher = (jac * weight) @ jac.T + jnp.diag(problem.prior_precision)
    size = jnp.sqrt(jnp.maximum(jnp.diagonal(fisher), 1e-300))
    inverse = inverse_positive(fisher / (size[:, None] * size))
    covariance = inverse / (size[:, None] * size)
    fine = jnp.all(jnp.isfinite(inverse)) & (jnp.max(jnp.diagonal(inverse)) < _WELL_CONDITIONED)
    count = end.x.size
    value, change = _values(problem, end.x)
    return (
        _fit(
            problem,
            end,
            agreeing,
            mean,
            weight,
            value,
            change @ covariance @ change.T,
            jnp.zeros(value.shape, dtype=bool),
            jnp.eye(count),
            jnp.zeros(count, dtype=bool),
        ),
        ~fine,
    )


def finish_carefully(problem: Problem, end: Minimum, agreeing: Array) -> Fit:
    """Compute what `finish` does, to all digits, and find what the data cannot determine; arguments as there."""
    mean, jac, weight = _end_model(problem, end.x)
    rows = jnp.concatenate([(jac * jnp.sqrt(weight)).T, jnp.diag(jnp.sqrt(problem.prior_precision))])
    size = jnp.linalg.norm(rows, axis=0)
    size = jnp.where(size > 0, size, 1.0)
    # Singular values of the tall matrix: they keep the digits that forming the Fisher matrix would square away.
    strength, vectors = singular_values(rows / size)
    null_mask = strength <= _EMPTY * jnp.maximum(strength[0], 1e-300)
    inverse = jnp.where(null_mask, 0.0, 1.0 / jnp.where(null_mask, 1.0, strength))
    value, change = _values(problem, end.x)
    spread = change @ ((vectors * inverse) / size[:, None])
    scaled = change / size
    lost = jnp.linalg.norm((scaled @ vectors) * null_mask, axis=1)
    empty = lost > 0.03 * jnp.maximum(jnp.linalg.norm(scaled, axis=1), 1e-300)
    return _fit(problem, end, agreeing, mean, weight, value, spread @ spread.T, empty, vectors, null_mask)


def _end_model(problem: Problem, x: Vector) -> tuple[Array, Array, Array]:
    mean, jac = jacobian(problem, x)
    return mean, jac, problem.measurement.noise.weight(problem.signal, mean)


def _values(problem: Problem, x: Vector) -> tuple[Float[Array, " q"], Float[Array, "q p"]]:
    """Return free and derived quantities, and their derivatives by the free ones."""

    def values(point: Vector) -> Array:
        derived = problem.seen(point).derived()
        return jnp.concatenate([point, jnp.stack(list(derived.values())) if derived else jnp.zeros(0)])

    return values(x), jax.jacfwd(values)(x)


def _fit(
    problem: Problem,
    end: Minimum,
    agreeing: Array,
    mean: Array,
    weight: Array,
    value: Array,
    covariance: Array,
    empty: Array,
    null: Array,
    null_mask: Array,
) -> Fit:
    noise = problem.measurement.noise
    freedom = max(problem.signal.shape[-1] - len(problem.free), 1)
    chi2 = jnp.sum(weight * (problem.signal - mean) ** 2)
    variance = jnp.where(noise.scale_is_estimated, chi2 / freedom, 1.0)
    return Fit(
        end.x,
        value,
        covariance * variance,
        empty,
        null,
        null_mask,
        jnp.where(noise.scale_is_estimated, jnp.nan, chi2 / freedom),
        noise.log_likelihood(problem.signal, mean),
        end.cost,
        end.steps,
        jnp.where(jnp.all(jnp.isfinite(value)), end.code, 3),
        mean,
        agreeing,
    )
