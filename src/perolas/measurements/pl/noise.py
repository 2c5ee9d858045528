"""Noise of spectra: that of another axis, and that of a camera whose count is no photon."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.optimize import nnls

from perolas.core.noise import AbstractNoise

Signal = Float[Array, " n"]
Values = NDArray[np.float64]

_FEWEST = 60  # points: fewer cannot say how counts scatter
_BINS = 12


class Scaled(AbstractNoise):
    """The noise of a signal that was multiplied, point by point, by known numbers.

    A count times the Jacobian is no count any more, but it still knows what it was: this keeps the law of the counts.

    Attributes:
        inner: the noise before.
        scale: shape (n,), by what each point was multiplied.
    """

    inner: AbstractNoise
    scale: Float[Array, " n"] = eqx.field(converter=jnp.asarray)

    def sample(self, key: Array, expected: Signal) -> Signal:
        """Draw from the law before, and multiply."""
        return self.inner.sample(key, expected / self.scale) * self.scale

    def cost(self, observed: Signal, expected: Signal) -> Float[Array, " n"]:
        """Return each point's share of minus the log-likelihood, up to a constant."""
        return self.inner.cost(observed / self.scale, expected / self.scale)

    def slope(self, observed: Signal, expected: Signal) -> Signal:
        """Return the derivative of `cost` with respect to the expected signal."""
        return self.inner.slope(observed / self.scale, expected / self.scale) / self.scale

    def weight(self, observed: Signal, expected: Signal) -> Signal:
        """Return the Fisher weight."""
        return self.inner.weight(observed / self.scale, expected / self.scale) / self.scale**2

    def log_likelihood(self, observed: Signal, expected: Signal) -> Float[Array, ""]:
        """Return the log-likelihood of the scaled signal, as a density."""
        inner = self.inner.log_likelihood(observed / self.scale, expected / self.scale)
        return inner - jnp.sum(jnp.log(jnp.broadcast_to(self.scale, observed.shape)))

    @property
    def scale_is_estimated(self) -> bool:
        """Return what the noise before says."""
        return self.inner.scale_is_estimated


def camera_variance(counts: Any) -> tuple[Values, float] | None:
    """Return the variance of counts that do not scatter as counted events do, or None where they do.

    A camera's count stands for several electrons or for a part of one, and an offset of hundreds of counts has the
    noise of the readout alone. The scatter from point to point, from second differences, is compared with the
    square root of the counts; where they differ beyond chance, variance = a level + b is fitted to it.

    Args:
        counts: shape (n,), along the axis.

    Returns:
        Variance of each point and a, or None.
    """
    y = np.asarray(counts, dtype=np.float64)
    if y.size < _FEWEST or np.median(y) < 5.0:
        return None
    level = uniform_filter1d(median_filter(y, 5, mode="nearest"), 9, mode="nearest")
    level = np.maximum(level, 1.0)
    rough = np.diff(y, 2) ** 2 / 6.0
    at = level[1:-1]
    ratio = _robust(rough / at)
    # 2.3: what the median of squared, correlated differences scatters more than a plain variance does.
    if abs(np.log(max(ratio, 1e-12))) < max(0.25, 5.0 * 2.3 * np.sqrt(2.0 / y.size)):
        return None
    parts = [p for p in np.array_split(np.argsort(at), _BINS) if p.size >= 5]
    seen = np.array([_robust(rough[p]) for p in parts])
    mean = np.array([np.mean(at[p]) for p in parts])
    trust = np.sqrt([p.size for p in parts]) / np.maximum(seen, 1e-12)
    rows = np.stack([mean, np.ones_like(mean)], axis=1)
    gain, floor = nnls(rows * trust[:, None], seen * trust)[0]
    return np.maximum(gain * level + floor, 1e-6 * max(float(np.max(seen)), 1e-12)), float(gain)


def _robust(squares: Values) -> float:
    """Return the variance that the median of squared normal deviates stands for."""
    return float(np.median(squares)) / 0.4549
