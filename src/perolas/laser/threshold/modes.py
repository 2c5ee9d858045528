r"""Modes TE0 and TM0 of many films at once: loss into the substrate, and how much of the film's gain they feel.

The condition is that of `perolas.laser.film.leaky_mode`, :math:`r_{top} r_{bottom} \exp(2 i \kappa d) = 1`, solved
by the secant method for every film together. What the film's gain is worth to the mode, its confinement, is the
change of the mode's loss over the change of the film's absorption,
:math:`d(2 \mathrm{Im}\beta) / d(2 k_0 \mathrm{Im} n)`; it includes the mode's longer way.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Complex, Float

_STEPS = 60
_PROBE = 1e-4  # imaginary part of the index that stands for "a little absorption"
_ENOUGH = 1e-8  # of the phase condition

Numbers = Complex[np.ndarray, " n"]


def _wave(medium: complex, beta: Numbers, k0: float) -> Numbers:
    """Return the wave vector across a half-space, leaving it or decaying into it."""
    k = np.sqrt((k0 * medium) ** 2 - beta**2)
    return np.where((k.real > np.abs(k.imag)) | (k.imag > 0), k, -k)


def _mismatch(kappa: Numbers, d: Float[np.ndarray, " n"], n: Numbers, below: complex, k0: float, tm: bool) -> Numbers:
    beta = np.sqrt((k0 * n) ** 2 - kappa**2)
    over, under = _wave(1.0, beta, k0), _wave(below, beta, k0)
    if tm:
        over, under = over * n**2, under * (n / below) ** 2
    # As in film.leaky_mode: -1j keeps the logarithm away from its cut.
    phase = np.log(-(kappa - over) / (kappa + over) * -1j) / 1j + 0.5 * math.pi
    phase = phase + np.log(-(kappa - under) / (kappa + under)) / 1j
    return 2.0 * kappa * d + phase - 2.0 * math.pi


def _solve(
    d: Float[np.ndarray, " n"], n: Numbers, below: complex, k0: float, tm: bool
) -> tuple[Numbers, Float[np.ndarray, " n"]]:
    """Return the effective indices of the lowest modes, and whether each was found."""
    a = 0.8 * math.pi / d * (1.0 + 0.0j)
    b = a * (1.05 - 0.01j)
    with np.errstate(all="ignore"):
        fa, fb = _mismatch(a, d, n, below, k0, tm), _mismatch(b, d, n, below, k0, tm)
        for _ in range(_STEPS):
            step = fb * (b - a) / (fb - fa)
            step = step * np.minimum(1.0, 0.3 * np.abs(b) / (np.abs(step) + 1e-300))
            a, b, fa = b, np.where(np.isfinite(step) & (np.abs(step) > 1e-14 * np.abs(b)), b - step, b), fb
            fb = _mismatch(b, d, n, below, k0, tm)
        index = np.sqrt((k0 * n) ** 2 - b**2) / k0
        return index, (np.abs(fb) < _ENOUGH) & (index.real > 1.0) & (index.real < n.real)


def lowest_modes(
    thickness_nm: Float[np.ndarray, " n"],
    film_index: Float[np.ndarray, " n"],
    substrate_index: complex,
    wavelength_nm: float,
    polarisation: str = "TE",
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return loss and confinement of the lowest mode of many films.

    Args:
        thickness_nm: shape (n,), nm.
        film_index: shape (n,), real.
        substrate_index: n + ik below the films.
        wavelength_nm: vacuum wavelength, nm.
        polarisation: ``"TE"`` or ``"TM"``.

    Returns:
        Loss into the substrate (cm-1) and confinement, shape (n,) each. Where a film holds no mode, light leaves it
        within one passage: the loss is then that of a ray that runs across, and the confinement 1.
    """
    d, n = np.asarray(thickness_nm, dtype=float), np.asarray(film_index, dtype=float)
    below, k0 = complex(substrate_index), 2.0 * math.pi / wavelength_nm
    clear, there = _solve(d, n + 0j, below, k0, polarisation == "TM")
    dim, still = _solve(d, n + 1j * _PROBE, below, k0, polarisation == "TM")
    loss, share, there = 2e7 * k0 * clear.imag, (dim.imag - clear.imag) / _PROBE, there & still
    mirrors = np.abs((n - 1.0) / (n + 1.0) * (n - below) / (n + below)) ** 2
    across = -np.log(mirrors) / (2.0 * d * 1e-7)
    return np.where(there, np.maximum(loss, 0.0), across), np.where(there, share, 1.0)


def pump_factor(
    thickness_nm: Float[np.ndarray, " n"],
    film_index: Complex[np.ndarray, " n"],
    substrate_index: complex,
    wavelength_nm: float,
    photons: int,
    points: int = 96,
) -> Float[np.ndarray, " n"]:
    """Return the mean over the depth of the pump's intensity to the power `photons`, over that of the incident light.

    Args:
        thickness_nm: shape (n,), nm.
        film_index: shape (n,), n + ik.
        substrate_index: n + ik below the films.
        wavelength_nm: of the pump, nm.
        photons: 1 or 2.
        points: depths.

    Returns:
        Shape (n,): the factor on the excitations. The same as `perolas.laser.layers.film_field`, for many films.
    """
    d, n = np.asarray(thickness_nm)[:, None], np.asarray(film_index)[:, None]
    k = 2.0 * math.pi / wavelength_nm
    below = complex(substrate_index)
    delta = k * n * d
    over = 0.5 * (np.cos(delta) - 1j * below / n * np.sin(delta) - 1j * n * np.sin(delta) + below * np.cos(delta))
    phase = delta * (np.arange(points) + 0.5) / points
    field = (np.cos(phase) - 1j * below / n * np.sin(phase)) / over
    return np.mean((n.real * np.abs(field) ** 2) ** photons, axis=1)
