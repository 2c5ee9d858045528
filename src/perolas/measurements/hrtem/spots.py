"""Spots of a Fourier transform that stand out of the speckle, with a stated rate of false alarms.

The power of speckle in one bin of a windowed transform follows an exponential law about its local mean (a circular
complex normal amplitude); a sum over a square of bins follows a gamma law whose shape is the number of independent bins
in it (the window makes neighbours depend on one another in a known way). The local mean is taken from the median of a
ring around the bin and, where that is more, from the line through the centre on which the bin lies, so that streaks of
edges are no spots; it has an error of its own, so the ratio of both follows an F law. Squares of several sizes are
tried, smallest first, because the spots of small crystals are broad; what is found is taken out before the next. The
smallest probability times the number of independent trials is a spot's false-alarm probability.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIZES = (1, 3, 7, 13)  # bins along an edge of the squares
_MEDIAN = math.log(2.0)  # of an exponential law of mean 1
_MEDIAN_EFFICIENCY = 0.48  # independent values that a median is worth, for each that it is taken from
_SCREEN = 1e-4  # probability below which a place is looked at more closely
_MOST_LOOKED_AT = 400
_WIDEST = 12  # bins that a spot may reach to each side
_LINE_BINS = 20  # length of the line on which a streak would lie
_STREAK = 3.0  # a spot whose square length is more than this times its square width is a streak
_COLLINEAR = 0.05  # tangent of the angle below which two spots are on one line
_RING_BINS = 2  # width of the rings of the first, coarse background
_HANN_CORRELATION = (1.0, 4.0 / 9.0, 1.0 / 36.0)  # of the power in bins 0, 1, 2 apart, along one axis


@dataclass(frozen=True)
class Spot:
    """A spot of the upper half plane.

    Attributes:
        kx, ky: spatial frequency in bins of each axis' own length, y upwards; not refined.
        size: edge of the square that holds it, bins.
        ratio: mean power over that of the speckle, in the smallest square that shows it.
        false_alarm: probability that speckle anywhere in the image does as much.
        noise: mean power of the speckle there.
        power: of the whole spot, above the speckle.
    """

    kx: float
    ky: float
    size: int
    ratio: float
    false_alarm: float
    noise: float
    power: float


@dataclass(frozen=True)
class Search:
    """What was found in an image.

    Attributes:
        spots: strongest first.
        power: shape (ny, nx), windowed power, zero frequency at (ny // 2, nx // 2).
        trials: number of independent trials.
        highest: where no spot is, the place that comes nearest to one.
    """

    spots: tuple[Spot, ...]
    power: NDArray[np.float64]
    trials: float
    highest: Spot | None = None


def hann(n: int) -> NDArray[np.float64]:
    """Return a periodic Hann window of mean square 1, shape (n,)."""
    w = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(n) + 0.5) / n)
    return np.asarray(w / np.sqrt(np.mean(w**2)))


def power_of(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the windowed power spectrum of an image, zero frequency in the middle; white noise gives its variance."""
    ny, nx = image.shape
    spectrum = np.fft.fft2(image * hann(ny)[:, None] * hann(nx)[None, :]) / math.sqrt(nx * ny)
    return np.asarray(np.fft.fftshift(np.abs(spectrum) ** 2))


def independent(size: int) -> float:
    """Return how many independent bins a square of some edge is worth under a Hann window."""
    apart = np.arange(-(size - 1), size)
    pairs = size - np.abs(apart)
    correlation = np.array([_HANN_CORRELATION[abs(i)] if abs(i) < 3 else 0.0 for i in apart])
    return float(size**2 / float(np.sum(pairs * correlation))) ** 2


def search(
    image: NDArray[np.float64],
    k_min_per_px: float,
    k_max_per_px: float,
    *,
    false_alarm: float = 0.01,
    most: int = 12,
) -> Search:
    """Find the spots of an image's Fourier transform.

    Args:
        image: shape (ny, nx), mean and slope taken off.
        k_min_per_px: smallest spatial frequency looked at, cycles in a pixel.
        k_max_per_px: largest one.
        false_alarm: probability with which an image of speckle may show any spot at all.
        most: number of spots kept.

    Returns:
        The search.
    """
    from scipy import ndimage, stats

    power = power_of(image)
    ny, nx = power.shape
    fy, fx = (np.arange(ny) - ny // 2) / ny, (np.arange(nx) - nx // 2) / nx
    radius = np.hypot(fy[:, None], fx[None, :])
    half = (fy[:, None] < 0) | ((fy[:, None] == 0) & (fx[None, :] > 0))  # rows upwards: the upper half plane
    band = half & (radius >= k_min_per_px) & (radius <= k_max_per_px)
    bins = np.hypot(fy[:, None] * ny, fx[None, :] * nx)
    sizes = [s for s in _SIZES if s * 8 < min(nx, ny)]
    # Squares of all sizes overlap, and so do neighbours: this counts more trials than there are.
    trials = float(np.sum(band)) * len(sizes)
    coarse = _rings(power, radius, 1.0 / max(nx, ny))
    # Over its rings the spectrum is flat, however steep the lens makes it; what is left of a slope is local.
    rest, found = power / coarse, []
    highest: Spot | None = None
    for size in sizes:
        worth = independent(size)
        mean = ndimage.uniform_filter(rest, size, mode="wrap") if size > 1 else rest
        ratio = np.where(band & (bins > 1.5 * size + 3.0), mean, 0.0)
        top = ratio == ndimage.maximum_filter(ratio, max(size, 3), mode="wrap")
        rows, columns = np.nonzero(top & (ratio > stats.gamma.isf(_SCREEN, worth) / worth))
        taken = np.zeros(power.shape, dtype=bool)
        for i in np.argsort(-ratio[rows, columns])[:_MOST_LOOKED_AT]:
            y, x = int(rows[i]), int(columns[i])
            if taken[y, x]:
                continue
            here = float(coarse[y, x])
            reach = _reach(rest, y, x, size, 1.0)
            # As it is and made flat: rings that are arcs, and flanks that are steep, each mislead one of the two.
            level, values = max(_local(rest, y, x, size, reach), _local(rest, y, x, size, reach, coarse))
            share = float(mean[y, x]) / level
            chance = float(stats.f.sf(share, 2.0 * worth, 2.0 * values)) * trials
            if chance >= false_alarm:
                if highest is None or chance < highest.false_alarm:
                    highest = Spot(
                        float(x - nx // 2), float(ny // 2 - y), 2 * reach + 1, share, min(chance, 1.0), level, 0.0
                    )
                continue
            kx, ky, total, long = _centre(rest, y, x, reach, level)
            if long > _STREAK:
                continue
            found.append(Spot(kx, ky, 2 * reach + 1, share, max(chance, 1e-300), level * here, total * here))
            for sy, sx in ((y, x), ((2 * (ny // 2) - y) % ny, (2 * (nx // 2) - x) % nx)):
                block = np.ix_(
                    (sy + np.arange(-reach - 2, reach + 3)) % ny, (sx + np.arange(-reach - 2, reach + 3)) % nx
                )
                taken[block] = True
                rest[block] = np.minimum(rest[block], 1.0)  # it must not count again in wider squares
    found.sort(key=lambda spot: -spot.power)
    if highest is None and not found and np.any(band):
        y, x = (int(i) for i in np.unravel_index(int(np.argmax(np.where(band, power / coarse, 0.0))), power.shape))
        share = float(power[y, x] / coarse[y, x])
        highest = Spot(float(x - nx // 2), float(ny // 2 - y), 5, share, 1.0, float(coarse[y, x]), 0.0)
    kept = oriented(tuple(found[:most])) if found else ()
    return Search(kept, power, trials, None if found else highest)


def oriented(spots: tuple[Spot, ...]) -> tuple[Spot, ...]:
    """Return spots with that one of their two mirror images that lies anticlockwise of the first, or along with it."""
    first = spots[0]
    chosen = []
    for spot in spots:
        across = first.kx * spot.ky - first.ky * spot.kx
        along = first.kx * spot.kx + first.ky * spot.ky
        turn = across if abs(across) > _COLLINEAR * abs(along) else along
        chosen.append(spot if turn >= 0 else dataclasses.replace(spot, kx=-spot.kx, ky=-spot.ky))
    return tuple(chosen)


def _reach(power: NDArray[np.float64], y: int, x: int, size: int, level: float) -> int:
    """Return how many bins a spot reaches to each side: until the power has fallen to the speckle, or to 1 %."""
    ny, nx = power.shape
    before = math.inf
    for r in range(size // 2 + 1, _WIDEST + 1):
        patch = power[np.ix_((y + np.arange(-r, r + 1)) % ny, (x + np.arange(-r, r + 1)) % nx)].copy()
        top = float(patch[1:-1, 1:-1].max())
        patch[1:-1, 1:-1] = np.nan
        mean = float(np.nanmean(patch))
        if mean < max(2.0 * level, 0.01 * top) or mean > before:
            return r
        before = mean
    return _WIDEST


def _centre(power: NDArray[np.float64], y: int, x: int, reach: int, level: float) -> tuple[float, float, float, float]:
    """Return a spot's centre of gravity above the speckle, in bins, its power, and how much longer it is than wide.

    Length is along the line to zero frequency, on which the streaks of straight edges lie.
    """
    ny, nx = power.shape
    steps = np.arange(-reach, reach + 1)
    patch = np.maximum(power[np.ix_((y + steps) % ny, (x + steps) % nx)] - level, 0.0)
    total = float(patch.sum())
    weight = patch**2  # the square stays near the top, whatever lies at the edge
    whole = max(float(weight.sum()), 1e-300)
    kx = x - nx // 2 + float((weight.sum(axis=0) @ steps) / whole)
    ky = ny // 2 - y - float((weight.sum(axis=1) @ steps) / whole)
    towards = math.atan2(float(y - ny // 2), float(x - nx // 2))
    dx, dy = steps[None, :] - (kx - x + nx // 2), steps[:, None] - (ny // 2 - y - ky)
    along = (dx * math.cos(towards) + dy * math.sin(towards)) ** 2
    across = (dx * math.sin(towards) - dy * math.cos(towards)) ** 2
    strong = np.maximum(patch - 0.1 * patch.max(), 0.0)
    return kx, ky, total, float(np.sum(strong * along) / max(float(np.sum(strong * across)), 1e-300))


def _rings(power: NDArray[np.float64], radius: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return the background by rings around zero frequency, from their medians."""
    ring = np.floor(radius / (_RING_BINS * step)).astype(int).ravel()
    order = np.argsort(ring, kind="stable")
    starts = np.searchsorted(ring[order], np.arange(ring.max() + 2))
    values = power.ravel()[order]
    medians = np.array([np.median(values[a:b]) if b > a else np.nan for a, b in itertools.pairwise(starts)])
    good = np.isfinite(medians)
    medians = np.interp(np.arange(medians.size), np.flatnonzero(good), medians[good])
    centres = (np.arange(medians.size) + 0.5) * _RING_BINS * step
    logs = np.log(np.maximum(medians / _MEDIAN, 1e-300))
    return np.asarray(np.exp(np.interp(radius, centres, logs)))


def _local(
    power: NDArray[np.float64], y: int, x: int, size: int, reach: int, slope: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Return the mean power of the speckle around a bin, and how many independent values that rests on."""
    ny, nx = power.shape
    inner = max(size // 2, reach) + 2
    outer = max(inner + 6, math.ceil(1.6 * inner))
    steps = np.arange(-inner - _LINE_BINS, inner + _LINE_BINS + 1)
    around = np.ix_((y + steps) % ny, (x + steps) % nx)
    patch = power[around] if slope is None else power[around] * slope[around] / slope[y, x]
    square = np.maximum(np.abs(steps)[:, None], np.abs(steps)[None, :])
    ring = patch[(square >= inner) & (square <= outer)]
    per_value = _MEDIAN_EFFICIENCY * independent(7) / 49.0
    best = (float(np.median(ring)) / _MEDIAN, ring.size * per_value)
    # The line from the centre through the bin, on both sides of it, as wide as the square.
    dy, dx = float(y - ny // 2), float(x - nx // 2)
    along = np.array([dy, dx]) / max(math.hypot(dy, dx), 1e-9)
    towards = steps[:, None] * along[0] + steps[None, :] * along[1]
    across = np.abs(steps[:, None] * along[1] - steps[None, :] * along[0])
    for side in (-1.0, 1.0):
        far = side * towards
        own_side = towards > 2.0 - math.hypot(dy, dx)  # not through the centre to the other side
        strip = patch[own_side & (far >= inner) & (far <= inner + _LINE_BINS) & (across <= max(size, 3) / 2.0)]
        if strip.size < 4:
            continue
        level = float(np.median(strip)) / _MEDIAN
        # A few values scatter widely upwards; they only count as a streak where even their lower end is more.
        if level * (1.0 - 2.0 / math.sqrt(strip.size)) > best[0]:
            best = (level, strip.size * per_value)
    return max(best[0], 1e-300), best[1]
