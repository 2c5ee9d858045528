"""Noise that grows with the signal: errors of so many per cent, known or taken from the residuals."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from perolas.core.noise import AbstractNoise, Signal


class Relative(AbstractNoise):
    """The logarithm of the signal scatters normally about that of its expectation.

    Attributes:
        std: standard deviation of ln(signal), scalar or shape (n,); used for sampling alone where it is not known.
        known: whether `std` is known; else one for all points is taken from the residuals.
    """

    std: Float[Array, "..."] = eqx.field(default=0.05, converter=jnp.asarray)
    known: bool = eqx.field(static=True, default=False)

    def _variance(self) -> Float[Array, "..."]:
        return self.std**2 if self.known else jnp.asarray(1.0)

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw log-normal signals whose median is the expectation."""
        return expected * jnp.exp(self.std * jax.random.normal(key, expected.shape, expected.dtype))

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return half the squared normalised residual of the logarithms."""
        return 0.5 * jnp.log(observed / jnp.maximum(expected, 1e-300)) ** 2 / self._variance()

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return the derivative of `cost`."""
        mu = jnp.maximum(expected, 1e-300)
        return jnp.log(mu / observed) / (mu * self._variance())

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return 1/(expected^2 variance)."""
        return 1.0 / (jnp.maximum(expected, 1e-300) ** 2 * self._variance())

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the log-likelihood, at the most likely variance where it is not known."""
        away = jnp.log(observed / jnp.maximum(expected, 1e-300))
        if self.known:
            variance = jnp.broadcast_to(self._variance(), observed.shape)
            body = jnp.sum(away**2 / variance + jnp.log(2 * jnp.pi * variance))
        else:
            body = observed.size * (jnp.log(2 * jnp.pi * jnp.mean(away**2)) + 1.0)
        return -0.5 * body - jnp.sum(jnp.log(observed))

    @property
    def scale_is_estimated(self) -> bool:
        """Return whether the size of the scatter is taken from the residuals."""
        return not self.known
