r"""Amplified spontaneous emission or a random laser? What a series of spectra says, and when it cannot say.

A band that gain narrows (ASE) is smooth; feedback adds peaks as sharp as the spectrometer can see. So each shot is
divided into a smooth envelope (a local polynomial over half the band's width) and what is left, in units of the noise.
Two numbers are asked of what is left, each against the same number from surrogates: shots with the same envelope and
energy, and noise of the same size without any memory, treated in the same way.

- **sharpness**: the mean square of what is left, averaged over a resolution element. Peaks raise it; noise of pixels,
  which knows no resolution, averages out.
- **repeatability**: how much of it two shots have in common. Modes of a static medium come back from shot to shot.

Sharp peaks that come back, and reach a hundredth of the envelope, make a random laser. Sharp peaks that do not may be
modes that change, or ASE spikes (single spontaneous photons that were amplified along a lucky path): undecidable. No
peaks where peaks of a twentieth of the envelope would have been seen: ASE. Otherwise nothing can be said. A pattern of
the pixels' own sensitivities, or fringes of a window, repeat too: divide by a spectrum taken far below threshold first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.measurements.emission.width import noise_of

_SURROGATES = 199
_CONTRAST = 0.05
_LEAST = 0.01  # less than this may be the camera's own pattern, or the envelope not being a polynomial
_FEWEST = 5


@dataclass(frozen=True)
class Verdict:
    """What a series of shots is.

    Attributes:
        kind: ``"random laser"``, ``"ASE"`` or ``"undecidable"``.
        sentence: why.
        contrast: root mean square of the peaks over the envelope, with the noise taken off (0 where it is less).
        detectable: contrast that would have been seen at the level.
        p_sharp, p_repeat: shares of surrogates that are at least as extreme.
        correlation: mean correlation of what is left in two shots, of what can be common.
        level: of false alarms for each question.
    """

    kind: str
    sentence: str
    contrast: float
    detectable: float
    p_sharp: float
    p_repeat: float
    correlation: float
    level: float


def judge(
    wavelength_nm: ArrayLike,
    spectra: ArrayLike,
    element: int = 3,
    baseline: float = 0.0,
    level: float = 0.05,
    seed: int = 0,
    gain: float | None = None,
) -> Verdict:
    """Judge a series of spectra above threshold.

    Args:
        wavelength_nm: shape (n,), equally spaced, nm.
        spectra: shape (shots, n), counts or any unit.
        element: pixels in one resolution element.
        baseline: level without light.
        level: of false alarms.
        seed: of the surrogates.
        gain: electrons for each count, for the shot noise; None: noise is taken from how neighbouring pixels scatter.

    Returns:
        The verdict.

    Raises:
        InputError: fewer than five shots, too few pixels, or shots without light.
    """
    nm, y = check.axis(wavelength_nm, "wavelength"), np.asarray(spectra, dtype=float)
    if y.ndim != 2 or y.shape[0] < _FEWEST or y.shape[1] != nm.size or not np.all(np.isfinite(y)):
        raise InputError(f"A verdict needs at least {_FEWEST} spectra on one wavelength axis, all of them numbers.")
    if not 0 < level < 0.5:
        raise InputError(f"A level of false alarms lies between 0 and 0.5, but is {level:g}.")
    light = y - baseline
    if np.any(light.sum(axis=1) <= 0):
        raise InputError("A spectrum has no light above the baseline; take it out.")
    mean = light.mean(axis=0)
    use, window = _band(mean, element)
    if use.sum() < 8 * element or use.sum() < 24:
        raise InputError(
            f"The band covers {int(use.sum())} pixels, too few to tell peaks from it; use a finer grating."
        )
    span = slice(int(np.argmax(use)), int(np.argmax(use)) + int(use.sum()))
    light = light[:, span]
    whole = np.stack([noise_of(row, float(element)) for row in y])[:, span]
    variance = whole if gain is None else np.maximum(light, 0.0) / gain + whole.min(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    envelope = _envelope(light, window)
    variance = _scaled(light, envelope, variance)
    seen = _numbers(light, window, element, variance)
    # Surrogates: the common shape of the envelopes, which is smoother than each, times each shot's energy.
    common = _envelope(np.mean(light / light.sum(axis=1, keepdims=True), axis=0)[None], window)
    smooth = np.maximum(common * light.sum(axis=1, keepdims=True) * 0.5 + 0.5 * envelope, 0.0)
    drawn_numbers = []
    for _ in range(_SURROGATES):
        drawn = smooth + np.sqrt(variance) * rng.standard_normal(light.shape)
        drawn_numbers.append(_numbers(drawn, window, element, variance)[:2])
    sharp0, repeat0 = np.array(drawn_numbers).T
    p_sharp = (1 + np.count_nonzero(sharp0 >= seen[0])) / (1 + _SURROGATES)
    # Peaks that do not come back have products of their own: what repeats must exceed those too.
    moved = np.array([_shifted(seen[2], element, rng) for _ in range(_SURROGATES)])
    p_repeat = (1 + max(np.count_nonzero(null >= seen[1]) for null in (repeat0, moved))) / (1 + _SURROGATES)
    per_sharp = _per_contrast(envelope, variance, element)
    excess = max(seen[0] - float(sharp0.mean()), 0.0)
    contrast = math.sqrt(excess / per_sharp)
    detectable = math.sqrt(max(float(np.quantile(sharp0, 1 - level)) - float(sharp0.mean()), 0.0) * 2.0 / per_sharp)
    correlation = float(np.clip((seen[1] - float(repeat0.mean())) / max(excess, 1e-300), -1, 1)) if excess > 0 else 0.0
    kind, sentence = _decide(p_sharp, p_repeat, level, contrast, detectable, correlation)
    return Verdict(kind, sentence, contrast, detectable, p_sharp, p_repeat, correlation, level)


def _band(mean: np.ndarray, element: int) -> tuple[np.ndarray, int]:
    """Return which pixels belong to the band (above a fifth of its height), and the window of the envelope."""
    from scipy.ndimage import gaussian_filter1d

    wide = gaussian_filter1d(mean, 4.0 * element, mode="nearest")
    top = int(np.argmax(wide))
    use = np.zeros(mean.size, dtype=bool)
    low = wide < 0.2 * wide[top]
    left = np.flatnonzero(low[:top])
    right = np.flatnonzero(low[top:])
    use[(left[-1] + 1 if left.size else 0) : (top + right[0] if right.size else mean.size)] = True
    window = max(int(0.5 * use.sum()) | 1, 6 * element | 1, 7)
    return use, min(window, (int(use.sum()) - 1) | 1)


def _envelope(light: np.ndarray, window: int) -> np.ndarray:
    from scipy.signal import savgol_filter

    return np.asarray(savgol_filter(light, min(window, light.shape[1] - 1 + light.shape[1] % 2), 4, axis=-1))


def _scaled(light: np.ndarray, envelope: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the variance scaled so that second differences of neighbours have the size that it foretells.

    Light is at least as wide as the spectrometer's line, so that it hardly shows in them.
    """
    rest = light - envelope
    second = rest[:, 1:-1] - 0.5 * (rest[:, :-2] + rest[:, 2:])
    expected = variance[:, 1:-1] + 0.25 * (variance[:, :-2] + variance[:, 2:])
    return np.asarray(variance * max(float(np.mean(second**2 / expected)), 1e-300))


def _numbers(light: np.ndarray, window: int, element: int, variance: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Return sharpness, repeatability, and what is left of each shot over an element, in units of the noise."""
    from scipy.ndimage import uniform_filter1d

    envelope = _envelope(light, window)
    rest = (light - envelope) / np.sqrt(_scaled(light, envelope, variance))
    coarse = uniform_filter1d(rest, element, axis=-1, mode="nearest") * math.sqrt(element)
    return float(np.mean(coarse**2)), _common(coarse), coarse


def _common(coarse: np.ndarray) -> float:
    """Return the mean product of what is left in two different shots."""
    shots = len(coarse)
    total = coarse.sum(axis=0)
    return float(np.mean((total**2 - np.sum(coarse**2, axis=0)) / (shots * (shots - 1))))


def _shifted(coarse: np.ndarray, element: int, rng: np.random.Generator) -> float:
    """Return the same with each shot moved along by a random number of pixels: peaks that do not come back."""
    shots, count = coarse.shape
    moves = rng.integers(element, max(count - element, element + 1), size=shots)
    index = (np.arange(count) + moves[:, None]) % count
    return _common(np.take_along_axis(coarse, index, axis=1))


def _per_contrast(envelope: np.ndarray, variance: np.ndarray, element: int) -> float:
    """Return by how much the sharpness grows for each unit of squared contrast."""
    return float(np.mean(np.maximum(envelope, 0.0) ** 2 / variance)) * element


def _decide(
    p_sharp: float, p_repeat: float, level: float, contrast: float, detectable: float, correlation: float
) -> tuple[str, str]:
    if p_sharp <= level and contrast < _LEAST and detectable <= _CONTRAST:
        return "ASE", (
            f"Amplified spontaneous emission: what is left beside the band is {100 * contrast:.2g} % of it, no more "
            "than a camera's own pattern."
        )
    seen = f"peaks of {100 * contrast:.2g} % of the envelope (p = {p_sharp:.2g})"
    if p_sharp <= level and p_repeat <= level:
        return "random laser", (
            f"A random laser: {seen} that come back from shot to shot (p = {p_repeat:.2g}, {100 * correlation:.0f} % "
            "of them in common)."
        )
    if p_sharp <= level:
        return "undecidable", (
            f"Undecidable: there are {seen}, but they do not come back from shot to shot (p = {p_repeat:.2g}): "
            "modes that change, or spikes of amplified spontaneous emission."
        )
    if detectable <= _CONTRAST:
        return "ASE", (
            f"Amplified spontaneous emission: no peaks (p = {p_sharp:.2g}), and peaks of {100 * detectable:.2g} % of "
            "the envelope would have been seen."
        )
    return "undecidable", (
        f"Undecidable: no peaks are seen (p = {p_sharp:.2g}), but only peaks above {100 * detectable:.2g} % of the "
        "envelope could have been; more light or more shots are needed."
    )
