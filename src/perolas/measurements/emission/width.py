"""Full width at half maximum of a measured spectrum, with its error, honest about the spectrometer's own width.

The half maximum is that of the highest feature above the baseline. Noise would raise the maximum, so the spectrum is
first smoothed by a Gaussian of a quarter of the feature's own width, which is taken off again. The size of the noise is
taken from the spectrum itself: how what is left of smoothing scatters, against the level (a + b y, shot noise and
readout of any camera). The error is the scatter of the same number over spectra drawn with that noise.

A line seen through a spectrometer of resolution r with an observed width w was sqrt(w^2 - r^2) wide if it is Gaussian
and narrower if it is Lorentzian; half the difference between the two is part of the error. Where w is not wider than r
beyond its error, only an upper limit is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.units import FWHM_PER_SIGMA

_DRAWS = 100
_SHARE = 0.25  # of the feature's width, for smoothing
_SIGMAS = 2.0
_FEWEST = 8
_VAGUE = 0.3  # relative error from which on a width is none


@dataclass(frozen=True)
class Width:
    """Width of the highest feature of a spectrum.

    Attributes:
        observed, observed_std: as measured, nm.
        value, std: freed from the resolution, nm; NaN where there is only a limit.
        upper: the width is smaller than this at 95 %, nm.
        peak_nm: where its maximum stands.
        resolved: whether it is wider than the resolution.
        height: its maximum above the baseline, in the spectrum's unit.
    """

    observed: float
    observed_std: float
    value: float
    std: float
    upper: float
    peak_nm: float
    resolved: bool
    height: float


def baseline_of(spectrum: np.ndarray, share: float = 0.05) -> tuple[float, float]:
    """Return the level of both ends of a spectrum (the lower one), and its standard error.

    Args:
        spectrum: shape (n,).
        share: of the pixels at each end.

    Returns:
        Level and standard error, in the spectrum's unit.
    """
    count = max(int(share * spectrum.size), 3)
    ends = (spectrum[:count], spectrum[-count:])
    low = min(ends, key=lambda e: float(np.mean(e)))
    return float(np.mean(low)), float(np.std(low, ddof=1) / math.sqrt(count))


def noise_of(spectrum: np.ndarray, width_pixels: float = 5.0) -> np.ndarray:
    """Return the variance of each pixel's noise, from how neighbours scatter: a + b y, neither negative.

    Args:
        spectrum: shape (n,).
        width_pixels: narrowest full width that light can have there (the resolution), in pixels.

    Returns:
        Shape (n,), in the spectrum's unit squared.
    """
    y = np.asarray(spectrum, dtype=float)
    if width_pixels >= 3.0:  # second differences of noise, free of a slope; features are wider than they reach
        rest, gain = y[1:-1] - 0.5 * (y[:-2] + y[2:]), 1.5
    else:
        rest, gain = (y[1:] - y[:-1])[: y.size - 2], 2.0
    level, square = _smooth(y, 5.0)[1:-1], rest**2 / gain
    span = float(np.ptp(level))
    if span <= 0:
        return np.full(y.size, max(float(square.mean()), 1e-300))
    # Medians in bins of the level: peaks that are sharper than they should be do not count as noise.
    order = np.argsort(level)
    bins = np.array_split(order, max(min(y.size // 25, 20), 2))
    x = np.array([level[b].mean() for b in bins])
    v = np.array([np.median(square[b]) / 0.4549 for b in bins])  # the median of chi-square of one degree
    from scipy.optimize import nnls

    weight = 1.0 / np.maximum(v, 1e-3 * v.max() + 1e-300)
    rows = np.stack([np.ones_like(x), np.maximum(x - x.min(), 0.0)], axis=1) * weight[:, None]
    (a, b), _ = nnls(rows, v * weight)
    least = 1e-12 * span**2
    return np.asarray(np.maximum(a + b * np.maximum(_smooth(y, 5.0) - x.min(), 0.0), least))


def _smooth(y: np.ndarray, fwhm_pixels: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(y, max(fwhm_pixels, 1e-3) / FWHM_PER_SIGMA, axis=-1, mode="nearest"))


def width_of(
    wavelength_nm: ArrayLike,
    spectrum: ArrayLike,
    resolution_nm: float = 0.0,
    baseline: float | None = None,
    gain: float | None = None,
    seed: int = 0,
) -> Width:
    """Return the width of the highest feature of a spectrum.

    Args:
        wavelength_nm: shape (n,), nm.
        spectrum: shape (n,), any unit.
        resolution_nm: full width of the spectrometer's own line; 0: not known, nothing is taken off.
        baseline: level without light; None: that of the lower end.
        gain: electrons for each count, for the shot noise; None: the noise is taken from the spectrum alone, which is
            too little where a narrow line has few pixels.
        seed: of the draws that give the error.

    Returns:
        The width.

    Raises:
        InputError: too few pixels, or no feature above the noise.
    """
    nm, y = check.axis(wavelength_nm, "wavelength"), np.asarray(spectrum, dtype=float)
    check.positive(resolution_nm, "resolution", "nm", zero=True)
    if y.shape != nm.shape or nm.size < 4 * _FEWEST or not np.all(np.isfinite(y)):
        raise InputError(f"A width needs a spectrum of at least {4 * _FEWEST} pixels, all of them numbers.")
    if nm[0] > nm[-1]:
        nm, y = nm[::-1], y[::-1]
    step = (nm[-1] - nm[0]) / (nm.size - 1)
    ground, ground_std = baseline_of(y) if baseline is None else (float(baseline), 0.0)
    narrowest = resolution_nm / step if resolution_nm > 0 else 5.0
    variance = noise_of(y, narrowest)
    if gain is not None:
        shot = np.maximum(_smooth(y, 0.5 * narrowest) - ground, 0.0) / check.positive(gain, "gain")
        variance = np.maximum(variance, shot + float(np.min(variance)))
    kernel, smooth = _settled(nm, y - ground, step)
    found = _half_width(nm, smooth)
    if found is None or found[2] < 5.0 * math.sqrt(float(np.median(variance))) * (step / max(kernel, step)) ** 0.5:
        raise InputError("No feature stands out of the noise of the spectrum, so that it has no width.")
    mean = smooth + ground
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_DRAWS):
        noisy = mean + np.sqrt(variance) * rng.standard_normal(nm.size) - ground + ground_std * rng.standard_normal()
        one = _half_width(nm, _smooth(noisy, kernel / step))
        if one is not None:
            drawn.append(one[0])
    std = float(np.std(drawn)) if len(drawn) > 10 else math.inf
    observed = math.sqrt(max(found[0] ** 2 - kernel**2, (0.25 * found[0]) ** 2))
    std *= found[0] / observed
    if not std < _VAGUE * observed:
        raise InputError("The highest feature of the spectrum is too faint for its width to be taken.")
    return _freed(observed, std, resolution_nm, found[1], found[2])


def _settled(nm: np.ndarray, y: np.ndarray, step: float) -> tuple[float, np.ndarray]:
    """Return the width of the kernel that belongs to the feature's own width, and the smoothed spectrum."""
    kernel = 3.0 * step
    smooth = _smooth(y, kernel / step)
    for _ in range(6):
        found = _half_width(nm, smooth)
        if found is None:
            break
        kernel = max(_SHARE * math.sqrt(max(found[0] ** 2 - kernel**2, step**2)), 1e-3 * step)
        smooth = _smooth(y, kernel / step)
    return kernel, smooth


def _half_width(nm: np.ndarray, y: np.ndarray) -> tuple[float, float, float] | None:
    """Return width, place and height of the highest feature, interpolated; None where it does not come down."""
    top = int(np.argmax(y))
    if not 1 <= top < y.size - 1 or y[top] <= 0:
        return None
    left, middle, right = y[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    height = middle - 0.25 * (left - right) * shift
    half = 0.5 * height
    below_left, below_right = np.flatnonzero(y[:top] < half), np.flatnonzero(y[top:] < half)
    if not below_left.size or not below_right.size:
        return None
    a, b = int(below_left[-1]), top + int(below_right[0])
    x_left = _crossing(nm, y, a, half)
    x_right = _crossing(nm, y, b - 1, half)
    return float(x_right - x_left), float(nm[top] + shift * (nm[top + 1] - nm[top])), float(height)


def _crossing(nm: np.ndarray, y: np.ndarray, i: int, half: float) -> float:
    """Return where the cubic through four points about pixels i and i + 1 passes half the height."""
    if not 1 <= i <= y.size - 3:
        return float(nm[i] + (half - y[i]) / (y[i + 1] - y[i]) * (nm[i + 1] - nm[i]))
    c = np.polyfit([-1.0, 0.0, 1.0, 2.0], y[i - 1 : i + 3] - half, 3)
    t = float((half - y[i]) / (y[i + 1] - y[i]))
    for _ in range(6):
        slope = np.polyval(np.polyder(c), t)
        if slope == 0:
            break
        t = float(np.clip(t - np.polyval(c, t) / slope, 0.0, 1.0))
    return float(nm[i] + t * (nm[i + 1] - nm[i]))


def _freed(observed: float, std: float, resolution: float, peak: float, height: float) -> Width:
    if resolution <= 0:
        return Width(observed, std, observed, std, observed + 1.645 * std, peak, True, height)
    upper = math.sqrt(max((observed + 1.645 * std) ** 2 - resolution**2, 0.0))
    if observed - resolution < _SIGMAS * std or observed <= resolution:
        # A line that seems narrower than the spectrometer: its limit is that of one as wide.
        least = math.sqrt(max((resolution + 1.645 * std) ** 2 - resolution**2, 0.0))
        return Width(observed, std, math.nan, math.nan, max(upper, least), peak, False, height)
    gauss = math.sqrt(observed**2 - resolution**2)
    # Olivero and Longbothum (1977), solved for the Lorentzian part.
    lorentz = _lorentz(observed, resolution)
    value = 0.5 * (gauss + lorentz)
    total = math.hypot(std * observed / gauss, 0.5 * (gauss - lorentz))
    return Width(observed, std, value, total, upper, peak, True, height)


def _lorentz(observed: float, resolution: float) -> float:
    a, b = 0.5346, 0.2166
    # observed = a L + sqrt(b L^2 + r^2)  ->  (a^2 - b) L^2 - 2 a w L + w^2 - r^2 = 0
    p, q, r = a**2 - b, -2.0 * a * observed, observed**2 - resolution**2
    root = math.sqrt(max(q**2 - 4.0 * p * r, 0.0))
    return 2.0 * r / (-q + root)
