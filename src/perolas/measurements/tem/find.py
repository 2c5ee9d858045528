"""From grey values to objects: a flat background, a threshold, and pieces where crystals touch.

The background is the brightness where there are no crystals, smoothed over a few crystal sizes; what a crystal takes
away is read as optical density, -ln(I / I_0), so that crystals on top of one another add up. The threshold is at a
third of the typical density. Objects that are not convex are cut at their necks by a watershed of the distance to
their outline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]
Labels = NDArray[np.int32]

THRESHOLD = 0.35  # of the typical density: lower merges neighbours, higher loses thin crystals
_ROUNDS = 5


@dataclass(frozen=True)
class View:
    """An image as optical density of what stands on its background.

    Attributes:
        density: shape (ny, nx), smoothed; positive where a crystal is.
        mask: shape (ny, nx), where there is an object.
        dark: whether crystals are darker than the background.
        level: typical density of an object.
        noise: standard deviation of the smoothed density in the background.
        contrast_to_noise: how far objects stand above the background, in widths of its lower side.
        rough: as `noise`, over distances of a crystal: what the support's own structure looks like at that scale.
        correlation_px: length over which the noise hangs together.
        smooth_px: standard deviation of the smoothing.
        size_px: typical inscribed diameter of an object.
    """

    density: Pixels
    mask: NDArray[np.bool_]
    dark: bool
    level: float
    noise: float
    contrast_to_noise: float
    rough: float
    correlation_px: float
    smooth_px: float
    size_px: float

    def between(self, low: float, high: float, share: float) -> float:
        """Return the density whose intensity lies at a share of the way from that of one to that of the other."""
        if not self.dark:  # their density is linear in the intensity
            return low + share * (high - low)
        return -math.log((1.0 - share) * math.exp(-low) + share * math.exp(-high))


def polarity(grey: Pixels) -> bool:
    """Return whether the objects are darker than what is around them: the sign of the skewness, background taken off.

    Args:
        grey: shape (ny, nx).

    Returns:
        True for dark objects.
    """
    from scipy.ndimage import gaussian_filter

    around = background(grey, np.ones(grey.shape, dtype=bool), min(grey.shape) / 12)
    rest = gaussian_filter(grey - around, 1.5)
    rest = rest - np.median(rest)
    return bool(np.mean(rest**3) < 0)


def background(grey: Pixels, free: NDArray[np.bool_], width: float) -> Pixels:
    """Return the brightness of the free pixels, smoothed over a distance and carried on below the objects.

    Args:
        grey: shape (ny, nx).
        free: shape (ny, nx), which pixels show the background.
        width: standard deviation of the smoothing, pixels.

    Returns:
        Shape (ny, nx).
    """
    from scipy.ndimage import gaussian_filter
    from skimage.transform import downscale_local_mean, resize

    step = max(int(width / 4), 1)
    weight = downscale_local_mean(free.astype(float), (step, step))
    value = downscale_local_mean(np.where(free, grey, 0.0), (step, step))
    near, far = width / step, 4.0 * width / step
    top = gaussian_filter(value, near, mode="nearest") + 1e-3 * gaussian_filter(value, far, mode="nearest")
    below = gaussian_filter(weight, near, mode="nearest") + 1e-3 * gaussian_filter(weight, far, mode="nearest")
    typical = float(np.median(grey[free])) if free.any() else float(np.median(grey))
    small = np.where(below > 1e-7, top / np.maximum(below, 1e-7), typical)
    wide = tuple(n * step for n in small.shape)
    return np.asarray(resize(small, wide, order=1, mode="edge")[: grey.shape[0], : grey.shape[1]], dtype=np.float64)


def look(grey: Pixels, dark: bool | None = None, smooth_px: float = 1.0) -> View:
    """Return the image as density of objects.

    Args:
        grey: shape (ny, nx), grey values or counts.
        dark: whether crystals are darker than the background; None: looked for.
        smooth_px: least smoothing, pixels; noisier images are smoothed more.

    Returns:
        The view; it says what it sees, and not whether that is any good.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter
    from skimage.filters import threshold_otsu

    dark = polarity(grey) if dark is None else dark
    span = float(np.percentile(grey, 99.5) - np.percentile(grey, 0.5)) or 1.0
    floor = max(float(np.percentile(grey, 0.1)), 1e-3 * span)

    def density(values: Pixels, around: Pixels) -> Pixels:
        if not dark:
            return (values - around) / span
        return np.log(np.maximum(around, floor) / np.maximum(values, 0.3 * floor))

    wide = max(min(grey.shape) / 8, 8.0)
    coarse = gaussian_filter(grey, max(2.0, smooth_px))
    free = np.ones(grey.shape, dtype=bool)
    size = wide
    level = 0.0
    for turn in range(_ROUNDS):
        around = background(grey, free, wide)
        seen = density(coarse, around)
        cut = float(threshold_otsu(seen)) if turn < 2 else 0.5 * level
        mask = seen > cut
        if not mask.any() or mask.all():
            break
        level, size = _level_and_size(seen, mask)
        free = ~binary_dilation(seen > 0.35 * level, iterations=3)
        if free.mean() < 0.02:
            free = seen < float(np.quantile(seen, 0.1))
        wide = float(np.clip(2.5 * size, 8.0, min(grey.shape) / 4))
    around = background(grey, free, wide)
    for smooth in sorted({smooth_px, *(s for s in (1.5, 2.0, 3.0) if smooth_px < s <= size / 8)}):
        seen = density(gaussian_filter(grey, smooth), around)
        noise, correlation = _noise(seen, free)
        if level > 10.0 * noise:
            break
    seen = seen - float(np.median(seen[free])) if free.any() else seen
    cut = max(THRESHOLD * level, 3.5 * noise)
    mask = seen > cut
    if mask.any() and not mask.all():
        level, size = _level_and_size(seen, mask)
    rough = float(np.std(gaussian_filter(seen, size / 4)[free])) if free.any() else math.inf
    above = _standing_out(seen, level)
    return View(seen, _tidy(mask, size), dark, level, noise, above, rough, correlation, smooth, size)


def _level_and_size(seen: Pixels, mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return density and inscribed diameter of the crystal in which half of all the crystals' area is reached.

    Crystals that touch have one density but a deepest point each, so that clusters are not taken for large crystals.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage.morphology import local_maxima

    framed = np.pad(mask, 1)  # the edge of the image is an outline too
    deep = distance_transform_edt(framed)[1:-1, 1:-1]
    peaks = np.nonzero(local_maxima(gaussian_filter(deep, 1.0)) & (deep > 1.0))
    if not peaks[0].size:
        return float(np.mean(seen[mask])), 2.0
    depth = deep[peaks]
    order = np.argsort(depth)
    whole = np.cumsum(depth[order] ** 2)
    size = 2.0 * float(depth[order][np.searchsorted(whole, 0.5 * whole[-1])])
    core = deep > 0.2 * size
    return float(np.median(seen[core] if core.any() else seen[mask])), size


def _noise(seen: Pixels, free: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the standard deviation of the background and the length over which it hangs together."""
    if free.sum() < 100:
        return math.inf, 1.0
    rest = np.where(free, seen - np.median(seen[free]), 0.0)
    limit = 4.0 * 1.4826 * float(np.median(np.abs(rest[free])))
    good = free & (np.abs(rest) < max(limit, 1e-12))
    rest = np.where(good, rest, 0.0)
    variance = float(np.sum(rest**2) / max(good.sum(), 1))
    if variance <= 0:
        return 0.0, 1.0
    length = 1.0
    for lag in range(1, 25):
        pairs = max(float(np.sum(good[:, lag:] & good[:, :-lag])), 1.0)
        share = float(np.sum(rest[:, lag:] * rest[:, :-lag])) / pairs / variance
        if share < 0.05:
            break
        length += 2.0 * share
    return math.sqrt(variance), length


def _standing_out(seen: Pixels, level: float) -> float:
    """Return how far objects stand above the background, in widths of its lower side.

    In an image of nothing but noise the threshold takes the upper side of the noise for objects; the side below the
    most frequent value stays whole, and tells how wide the noise really is.
    """
    from scipy.ndimage import gaussian_filter1d

    low, high = np.percentile(seen, (0.1, 99.9))
    counts, borders = np.histogram(seen, bins=100, range=(low, max(high, low + 1e-12)))
    smooth = gaussian_filter1d(counts.astype(float), 2.0)
    inner = smooth[1:-1]
    peaks = 1 + np.flatnonzero((inner >= smooth[:-2]) & (inner > smooth[2:]) & (inner > 0.1 * smooth.max()))
    first = int(peaks[0]) if peaks.size else int(np.argmax(smooth))
    mode = 0.5 * (borders[first] + borders[first + 1])
    below = seen[seen < mode]
    width = float(np.sqrt(np.mean((below - mode) ** 2))) if below.size else 0.0
    return (level - float(mode)) / max(width, 1e-12)


def _tidy(mask: NDArray[np.bool_], size: float) -> NDArray[np.bool_]:
    """Return the mask without specks and holes."""
    from scipy.ndimage import binary_opening
    from skimage.morphology import remove_small_holes, remove_small_objects

    if size > 12:
        mask = binary_opening(mask, iterations=1)
    small = max(int(0.02 * size**2), 4)
    with_holes = remove_small_objects(mask, max_size=small)
    return np.asarray(remove_small_holes(with_holes, max_size=small), dtype=bool)


def objects(view: View) -> Labels:
    """Return the objects of a view, each with its number from 1.

    Args:
        view: from `look`.

    Returns:
        Shape (ny, nx), 0 for background.
    """
    from skimage.measure import label

    return np.asarray(label(view.mask), dtype=np.int32)


def split(part: NDArray[np.bool_], size_px: float) -> Labels:
    """Cut one object at its necks.

    Args:
        part: shape (ny, nx), where the object is, with a rim of nothing around it.
        size_px: typical diameter of a crystal.

    Returns:
        Shape (ny, nx), the number of the piece from 1, 0 for background.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage.measure import label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    deep = distance_transform_edt(part)
    soft = gaussian_filter(deep, max(0.03 * size_px, 0.7))
    peaks = h_maxima(soft, max(0.03 * size_px, 0.4)).astype(bool) & (deep > 0.2 * size_px)
    marked = label(peaks)
    if marked.max() < 2:
        return part.astype(np.int32)
    return np.asarray(watershed(-soft, marked, mask=part), dtype=np.int32)
