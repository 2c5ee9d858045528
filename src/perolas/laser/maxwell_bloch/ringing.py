r"""Frequencies and rates of a few modes from a short trace, finer than its Fourier transform could tell.

The trace is shifted down by a carrier, averaged and thinned, and its samples are written as a sum of powers
:math:`z_k^j`; a singular-value decomposition of their Hankel matrix finds the z (matrix pencil).

Source: Hua and Sarkar, IEEE Trans. Acoust. 1990, 38, 814.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError

_SAMPLES = 400


@dataclass(frozen=True)
class Ringing:
    """Modes of a trace, strongest first.

    Attributes:
        frequency: angular, shape (k,).
        growth: of the amplitude, for each unit of time; negative where it decays.
        amplitude: complex, at the start of the trace, of exp(-i frequency t).
        residual: what the modes leave of the trace, as a share of it (root of the sum of squares).
    """

    frequency: Float[np.ndarray, " k"]
    growth: Float[np.ndarray, " k"]
    amplitude: Complex[np.ndarray, " k"]
    residual: float


def modes_of(times: ArrayLike, trace: ArrayLike, low: float, high: float, count: int = 2) -> Ringing:
    """Return the modes of a real trace in a band of angular frequency.

    Args:
        times: shape (t,), evenly spaced.
        trace: shape (t,).
        low: lower end of the band, angular.
        high: its upper end.
        count: how many modes are looked for.

    Returns:
        The modes.

    Raises:
        InputError: uneven times, a band that the samples cannot show, or too short a trace.
    """
    t, y = check.axis(times, "time"), np.asarray(trace, float)
    if y.shape != t.shape:
        raise InputError(f"The trace has the shape {y.shape}, but the times have {t.shape}.")
    dt = float((t[-1] - t[0]) / (t.size - 1))
    if np.max(np.abs(np.diff(t) - dt)) > 1e-6 * dt:
        raise InputError("The times of a trace must be evenly spaced.")
    if not 0 < low < high < np.pi / dt:
        raise InputError(f"The band must lie between 0 and {np.pi / dt:g}, and its low end below its high one.")
    carrier, width = 0.5 * (low + high), high - low
    thin = max(1, min(int(np.pi / (width * dt)), t.size // (4 * count + 4)))
    kernel = np.hanning(4 * thin + 3)[1:-1]
    kernel /= kernel.sum()
    base = np.convolve(y * np.exp(1j * carrier * (t - t[0])), kernel, "valid")
    # The filter multiplies each mode by a constant, so its frequency and growth are those of the trace.
    z = base[::thin]
    if z.size > _SAMPLES:
        z = z[:_SAMPLES] if thin * z.size * dt < 0 else z
        skip = -(-z.size // _SAMPLES)
        if np.pi / (skip * thin * dt) > width:
            z, thin = z[::skip], thin * skip
    if z.size < 3 * count + 3:
        raise InputError("The trace is too short for that many modes in that band.")
    scale = float(np.sqrt(np.sum(np.abs(z) ** 2)))
    if scale == 0:
        raise InputError("The trace is zero throughout.")
    z = z[-2 * _SAMPLES :]
    pencil = z.size // 2
    hankel = np.lib.stride_tricks.sliding_window_view(z, pencil + 1)
    right = np.linalg.svd(hankel, full_matrices=False)[2][:count].conj().T
    poles = np.linalg.eigvals(np.linalg.lstsq(right[:-1], right[1:], rcond=None)[0])
    poles = np.conj(poles)
    powers = poles[None, :] ** np.arange(z.size)[:, None]
    weights, *_ = np.linalg.lstsq(powers, z, rcond=None)
    left = np.sqrt(np.sum(np.abs(z - powers @ weights) ** 2)) / np.sqrt(np.sum(np.abs(z) ** 2))
    rate = np.log(poles) / (thin * dt)
    order = np.argsort(-np.abs(weights * poles ** (0.5 * z.size)))
    return Ringing(carrier - rate.imag[order], rate.real[order], weights[order], float(left))
