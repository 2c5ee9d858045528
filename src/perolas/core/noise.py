"""Noise models: each draws samples and scores them, so that simulating and fitting cannot disagree.

A noise model is a small immutable object. `cost` is minus the log-likelihood up to a constant that does not depend
on the expected signal, which is what a solver needs; `log_likelihood` is complete, which is what evidence needs.
"""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Float

Signal = Float[Array, " n"]

# Below this many expected counts in a bin the Fisher weight 1/mu says nothing that a finite run could see.
_LEAST_COUNTS = 1e-6


class AbstractNoise(eqx.Module):
    """How a measured signal scatters about its expectation."""

    @abstractmethod
    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw a signal with the given expectation."""

    @abstractmethod
    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return each point's share of minus the log-likelihood, up to a constant."""

    @abstractmethod
    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return the derivative of `cost` with respect to the expected signal."""

    @abstractmethod
    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return the Fisher weight: the expected second derivative of `cost`."""

    @abstractmethod
    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the log-likelihood with all its constants."""

    @property
    @abstractmethod
    def scale_is_estimated(self) -> bool:
        """Whether the size of the noise is taken from the residuals (chi-square is then 1 by construction)."""


class Poisson(AbstractNoise):
    """Counted events: the variance is the expectation. `cost` is half the deviance (Baker and Cousins 1984)."""

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw whole counts."""
        return jax.random.poisson(key, jnp.maximum(expected, 0.0)).astype(expected.dtype)

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return half the deviance of each point, mu - y + y ln(y / mu), in a form that loses fewer digits."""
        mu = jnp.maximum(expected, 1e-30)
        some = observed > 0
        y = jnp.where(some, observed, 1.0)
        excess = (mu - y) / y
        return jnp.where(some, y * (excess - jnp.log1p(excess)), mu)

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return 1 - observed/expected."""
        return 1.0 - observed / jnp.maximum(expected, _LEAST_COUNTS)

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return 1/expected."""
        return 1.0 / jnp.maximum(expected, _LEAST_COUNTS)

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the Poisson log-likelihood."""
        mu = jnp.maximum(expected, 1e-30)
        return jnp.sum(xlogy(observed, mu) - mu - gammaln(observed + 1.0))

    @property
    def scale_is_estimated(self) -> bool:
        """Return False: counts know their own variance."""
        return False


class Gaussian(AbstractNoise):
    """Gaussian noise of known variance.

    Attributes:
        variance: scalar or shape (n,), signal unit squared.
    """

    variance: Float[Array, "..."]

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw normal noise of the known variance."""
        return expected + jnp.sqrt(self.variance) * jax.random.normal(key, expected.shape, expected.dtype)

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return half the squared normalised residual."""
        return 0.5 * (observed - expected) ** 2 / self.variance

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return (expected - observed)/variance."""
        return (expected - observed) / self.variance

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return 1/variance."""
        return jnp.broadcast_to(1.0 / self.variance, expected.shape)

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the normal log-likelihood."""
        variance = jnp.broadcast_to(self.variance, observed.shape)
        return -0.5 * jnp.sum((observed - expected) ** 2 / variance + jnp.log(2 * jnp.pi * variance))

    @property
    def scale_is_estimated(self) -> bool:
        """Return False: the variance was given."""
        return False


class UnknownGaussian(AbstractNoise):
    """Gaussian noise of one unknown variance for all points: unweighted least squares.

    The variance is estimated as the residual sum of squares over the degrees of freedom.

    Attributes:
        std: standard deviation used when sampling, in the signal's unit; the fit does not look at it.
    """

    std: Float[Array, ""] = eqx.field(default=1.0, converter=jnp.asarray)

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw normal noise of standard deviation `std`."""
        return expected + self.std * jax.random.normal(key, expected.shape, expected.dtype)

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return half the squared residual."""
        return 0.5 * (observed - expected) ** 2

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return expected - observed."""
        return expected - observed

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return one everywhere."""
        return jnp.ones_like(expected)

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the log-likelihood at the most likely variance, RSS/n."""
        n = observed.size
        return -0.5 * n * (jnp.log(2 * jnp.pi * jnp.mean((observed - expected) ** 2)) + 1.0)

    @property
    def scale_is_estimated(self) -> bool:
        """Return True."""
        return True


class Camera(AbstractNoise):
    """A camera: shot noise of the collected electrons plus readout noise, close to normal above a few counts.

    Attributes:
        gain_e_per_count: electrons for one count.
        readout_counts: standard deviation of the readout, in counts.
    """

    gain_e_per_count: Float[Array, ""] = eqx.field(default=1.0, converter=jnp.asarray)
    readout_counts: Float[Array, ""] = eqx.field(default=3.0, converter=jnp.asarray)

    def _variance(self, expected: Signal) -> Signal:
        return jnp.maximum(expected, 0.0) / self.gain_e_per_count + self.readout_counts**2

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw Poisson electrons and add the readout."""
        shot, read = jax.random.split(key)
        electrons = jax.random.poisson(shot, jnp.maximum(expected, 0.0) * self.gain_e_per_count)
        noise = self.readout_counts * jax.random.normal(read, expected.shape, expected.dtype)
        return electrons.astype(expected.dtype) / self.gain_e_per_count + noise

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return minus the normal log-likelihood with the expectation's own variance."""
        variance = self._variance(expected)
        return 0.5 * ((observed - expected) ** 2 / variance + jnp.log(variance))

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return (mu - y)/v + v'/(2v) (1 - (y - mu)^2/v), v being the variance at the expectation mu."""
        variance, rest = self._variance(expected), observed - expected
        change = jnp.where(expected > 0, 1.0 / self.gain_e_per_count, 0.0)
        return -rest / variance + 0.5 * change / variance * (1 - rest**2 / variance)

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return the Fisher weight 1/v + (v'/v)^2/2 of a normal law whose variance v depends on its mean."""
        variance = self._variance(expected)
        change = jnp.where(expected > 0, 1.0 / self.gain_e_per_count, 0.0)
        return 1.0 / variance + 0.5 * (change / variance) ** 2

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the normal log-likelihood."""
        return -jnp.sum(self.cost(observed, expected)) - 0.5 * observed.size * jnp.log(2 * jnp.pi)

    @property
    def scale_is_estimated(self) -> bool:
        """Return False: gain and readout are known."""
        return False
