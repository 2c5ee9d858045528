"""Posterior samples by numpyro's NUTS, for when a covariance is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.problem import Bijection

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate


def sample(estimate: Estimate, draws: int = 1000, *, seed: int = 0, warmup: int = 500) -> dict[str, np.ndarray]:
    """Draw from the posterior of the free parameters (flat priors inside the bounds, and those that were given).

    Args:
        estimate: of a single signal; the sampler starts at its solution.
        draws: number of samples kept.
        seed: seed of the sampler.
        warmup: samples spent on adapting it.

    Returns:
        Name -> shape (draws,), for free parameters and derived quantities, in their units.

    Raises:
        InputError: a batch, or numbers that are not positive.
    """
    from numpyro.infer import MCMC, NUTS

    if estimate.batch_shape:
        raise InputError("Samples are drawn for single estimates; take one of the batch with .element(i).")
    check.positive(draws, "draws")
    problem = estimate.problem
    best = jnp.asarray(estimate.values[: estimate.n_free])
    box = Bijection.of(problem.free, best)
    centre = box.inverse(best)
    # Whitened with the estimate's own errors, so that the sampler starts with unit scales.
    spread = jnp.asarray(np.sqrt(np.diagonal(estimate.covariance))[: estimate.n_free]) / box.slope(centre)
    spread = jnp.where(jnp.isfinite(spread) & (spread != 0), jnp.clip(jnp.abs(spread), 1e-12, 3.0e6), 1.0)

    def potential(z: jax.Array) -> jax.Array:
        u = centre + spread * z
        x = box.forward(u)
        cost = problem.cost(x)
        if estimate.scale_is_estimated:  # Jeffreys' prior on the unknown variance, integrated out
            cost = 0.5 * estimate.n_points * jnp.log(cost)
        return cost - jnp.sum(jnp.log(jnp.abs(box.slope(u))))

    mcmc = MCMC(NUTS(potential_fn=potential, dense_mass=True), num_warmup=warmup, num_samples=draws, progress_bar=False)
    mcmc.run(jax.random.key(seed), init_params=jnp.zeros_like(best))
    points = jax.vmap(lambda z: box.forward(centre + spread * z))(mcmc.get_samples())
    found = {slot.name: np.asarray(points[:, i]) for i, slot in enumerate(problem.free)}
    derived = jax.vmap(lambda x: problem.seen(x).derived())(points)
    return found | {name: np.asarray(values) for name, values in derived.items()}
