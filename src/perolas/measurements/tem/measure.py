"""One object after another: its outline at half of its own density, its size, and the error of that.

The outline is where the smoothed intensity passes the middle between that around the object and that inside it: for a
crystal of even thickness that is its edge, however blurred. Blurred corners lose a little: the contour of a right angle
encloses 0.865 s^2 less than it for a blur of standard deviation s, one of 120 degrees 0.545 s^2. Spheres fade out
towards their edge, so their outline is corrected with the profile of a blurred sphere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from perolas.measurements.tem.find import THRESHOLD, Labels, View

Pixels = NDArray[np.float64]

CUT, WHOLE, TOUCHING, ODD, FAINT, SPOT = "cut", "whole", "touching", "odd", "faint", "spot"
# Area over square of the size, and perimeter over size, of an outline.
AREA = {"cube": 1.0, "hexagon": math.sqrt(3.0) / 2.0, "sphere": math.pi / 4.0}
PERIMETER = {"cube": 4.0, "hexagon": 2.0 * math.sqrt(3.0), "sphere": math.pi}
_CORNER = {"cube": 4 * 0.865, "hexagon": 6 * 0.545, "sphere": 0.0}


@dataclass(frozen=True)
class Found:
    """One object of an image.

    Attributes:
        kind: ``"whole"``, ``"cut"`` by the edge of the image, ``"touching"`` others, ``"odd"``, ``"faint"``, ``"spot"``
        box: rows from, columns from, rows to, columns to, in pixels.
        outline: shape (n, 2), x and y of the outline in pixels.
        area_px: inside the outline.
        area_std_px: its standard error.
        mass: density summed over the object, pixels.
        level: density inside.
        blur_px: standard deviation of the blur of its edge.
        square: strength of the fourfold part of the outline, less that of the fivefold one, which is noise.
        six: the same of the sixfold part.
        aspect: longer over shorter side of the smallest rectangle around the outline.
        solidity: area over that of the convex hull.
        dome: density towards the edge over that in the middle; 1 for a plate, 0.8 for a sphere.
        soft: relative change of the diameter from an outline at 65 to one at 35 % of the density.
    """

    kind: str
    box: tuple[int, int, int, int]
    outline: Pixels
    area_px: float = math.nan
    area_std_px: float = math.nan
    mass: float = 0.0
    level: float = math.nan
    blur_px: float = math.nan
    square: float = math.nan
    six: float = math.nan
    aspect: float = math.nan
    solidity: float = math.nan
    dome: float = math.nan
    soft: float = math.nan


def measure(view: View, marked: Labels) -> list[Found]:
    """Measure every object of an image.

    Args:
        view: from `look`.
        marked: from `objects`.

    Returns:
        One for each number in `marked`, in order.
    """
    from scipy.ndimage import find_objects

    return [_one(view, marked, i, box) for i, box in enumerate(find_objects(marked), 1) if box is not None]


def _one(view: View, marked: Labels, number: int, box: tuple[slice, slice]) -> Found:
    ny, nx = marked.shape
    top, bottom, left, right = box[0].start, box[0].stop, box[1].start, box[1].stop
    corners = (top, left, bottom, right)
    pad = int(4 + 2 * view.smooth_px)
    rows = slice(max(top - pad, 0), min(bottom + pad, ny))
    columns = slice(max(left - pad, 0), min(right + pad, nx))
    patch, labels = view.density[rows, columns], marked[rows, columns]
    own = labels == number
    mass = float(patch[_grown(own, math.ceil(1.5 * view.smooth_px) + 1) & ((labels == 0) | own)].sum())
    origin = np.array([columns.start, rows.start], dtype=float)
    cut = top <= 1 or left <= 1 or bottom >= ny - 1 or right >= nx - 1
    if cut:
        return Found(CUT, corners, _outline_of(own) + origin, float(own.sum()), mass=mass)
    levels = _levels(view, patch, own, labels)
    base, inside, inside_std, base_std = levels
    # Neighbours are taken out, so that no outline runs on into one.
    patch = np.where(_grown((labels > 0) & ~own, 1) & ~own, base, patch)
    contour = _contour(patch, own, view.between(base, inside, 0.5))
    area = 0.0 if contour is None else _area(contour)
    large = own.sum() > 1.2 * view.size_px**2
    # Part of a clump may have an outline of its own, above the threshold that holds the clump together.
    if large and area < 0.65 * own.sum():
        return Found(TOUCHING, corners, _outline_of(own) + origin, float(own.sum()), mass=mass, level=inside - base)
    if contour is None or inside - base < 0.5 * THRESHOLD * view.level:
        return Found(FAINT, corners, _outline_of(own) + origin, float(own.sum()), mass=mass, level=inside - base)
    perimeter = float(np.sum(np.hypot(*np.diff(contour, axis=0).T)))
    slope = _slope(patch, contour)
    step = inside - base
    blur = step / max(slope, 1e-12) / math.sqrt(2 * math.pi)
    # A boundary point moves by noise / slope; points closer than the noise's length move together.
    edge = view.noise / max(slope, 1e-12) * math.sqrt(max(perimeter * view.correlation_px, 1.0))
    common = 0.5 * math.hypot(inside_std, base_std) / max(slope, 1e-12) * perimeter
    wide, narrow = (_contour(patch, own, view.between(base, inside, f)) for f in (0.35, 0.65))
    soft = math.nan if wide is None or narrow is None else math.sqrt(_area(wide) / max(_area(narrow), 1e-9)) - 1.0
    calm = _calm(contour)
    aspect, solidity = _form(calm)
    square, six = _symmetry(calm)
    kind = _kind(patch, own, base, step, view, aspect, solidity)
    if kind == TOUCHING and own.sum() < 0.3 * view.size_px**2:  # noise that happens to be ragged
        kind = FAINT
    return Found(
        kind,
        corners,
        (contour if kind == WHOLE else _outline_of(own)) + origin,
        area,
        math.hypot(edge, common),
        mass,
        step,
        blur,
        square,
        six,
        aspect,
        solidity,
        _dome(patch, contour, area, base),
        soft,
    )


def _grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=by), dtype=bool)


def _levels(view: View, patch: Pixels, own: NDArray[np.bool_], labels: Labels) -> tuple[float, float, float, float]:
    """Return the density around and inside an object, and the standard errors of inside and around."""
    from scipy.ndimage import distance_transform_edt

    deep = distance_transform_edt(own)
    core = deep > min(1.5 * view.smooth_px + 1.5, 0.5 * float(deep.max()))
    away = max(round(2 * view.smooth_px), 2)
    ring = (labels == 0) & ~_grown(labels > 0, away)
    independent = view.correlation_px**2
    base = float(np.median(patch[ring])) if ring.sum() > 4 * independent else 0.0
    base_std = view.noise * min(1.0, math.sqrt(independent / max(ring.sum(), 1)))
    inside = float(np.median(patch[core]))
    inside_std = view.noise * min(1.0, math.sqrt(independent / max(core.sum(), 1)))
    return base, inside, inside_std, base_std


def _contour(patch: Pixels, own: NDArray[np.bool_], level: float) -> Pixels | None:
    """Return the closed contour around most of the object as x and y, or None where there is none."""
    from skimage.measure import find_contours

    best, most = None, 0.0
    y, x = np.nonzero(own)
    middle = np.array([x.mean() + 0.5, y.mean() + 0.5])
    for line in find_contours(patch, level):
        if len(line) < 8 or not np.array_equal(line[0], line[-1]):
            continue
        points = line[:, ::-1] + 0.5
        area = _area(points)
        near = np.all((points.min(axis=0) <= middle) & (middle <= points.max(axis=0)))
        if near and area > most:
            best, most = points, area
    return best


def _area(points: Pixels) -> float:
    x, y = points[:, 0], points[:, 1]
    return 0.5 * abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])))


def _slope(patch: Pixels, contour: Pixels) -> float:
    """Return the median slope of the density across the contour, per pixel."""
    from scipy.ndimage import map_coordinates

    gy, gx = np.gradient(patch)
    steep = map_coordinates(np.hypot(gx, gy), (contour - 0.5).T[::-1], order=1, mode="nearest")
    return float(np.median(steep))


def _calm(contour: Pixels) -> Pixels:
    """Return an outline whose points lie at equal steps, without the jitter of the noise."""
    from scipy.ndimage import uniform_filter1d

    path = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(contour, axis=0).T))])
    even = np.linspace(0.0, path[-1], 121)[:-1]
    points = np.stack([np.interp(even, path, contour[:, k]) for k in (0, 1)], axis=1)
    return np.asarray(uniform_filter1d(points, 7, axis=0, mode="wrap"), dtype=np.float64)


def _form(points: Pixels) -> tuple[float, float]:
    """Return the aspect ratio of the smallest rectangle around an outline, and area over convex hull."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    corners = points[hull.vertices]
    sides = np.diff(np.vstack([corners, corners[:1]]), axis=0)
    angles = np.unique(np.round(np.arctan2(sides[:, 1], sides[:, 0]) % (math.pi / 2), 3))
    turned = np.stack([np.cos(angles), np.sin(angles)]), np.stack([-np.sin(angles), np.cos(angles)])
    width, height = (np.ptp(corners @ t, axis=0) for t in turned)
    best = int(np.argmin(width * height))
    long, short = max(width[best], height[best]), min(width[best], height[best])
    return float(long / short), _area(np.vstack([points, points[:1]])) / float(hull.volume)


def _symmetry(points: Pixels) -> tuple[float, float]:
    """Return the squared four- and sixfold parts of an outline's radius over its mean, less the fivefold one."""
    away = points - points.mean(axis=0)
    angle, radius = np.arctan2(away[:, 1], away[:, 0]), np.hypot(*away.T)
    order = np.argsort(angle)
    even = np.linspace(-math.pi, math.pi, 181)[:-1]
    around = np.interp(even, angle[order], radius[order], period=2 * math.pi)
    part = np.abs(np.fft.rfft(around / around.mean()) / even.size) ** 2
    return float(part[4] - part[5]), float(part[6] - 0.5 * (part[5] + part[7]))


def _dome(patch: Pixels, contour: Pixels, area: float, base: float) -> float:
    """Return the density at 0.55 to 0.75 of the radius over that within 0.4 of it."""
    centre = contour[:-1].mean(axis=0)
    radius = math.sqrt(area / math.pi)
    y, x = np.indices(patch.shape) + 0.5
    away = np.hypot(x - centre[0], y - centre[1]) / radius
    core, ring = patch[away < 0.4], patch[(away > 0.55) & (away < 0.75)]
    if not core.size or not ring.size:
        return math.nan
    return float((ring.mean() - base) / (core.mean() - base))


def _outline_of(own: NDArray[np.bool_]) -> Pixels:
    """Return the outline of a mask, with the edge of the image as part of it."""
    from skimage.measure import find_contours

    lines = find_contours(np.pad(own, 1).astype(float), 0.5)
    if not lines:
        return np.empty((0, 2))
    return np.asarray(max(lines, key=len)[:, ::-1] - 0.5, dtype=np.float64)


def _kind(
    patch: Pixels, own: NDArray[np.bool_], base: float, step: float, view: View, aspect: float, solidity: float
) -> str:
    """Return whether the object is one crystal, several, or neither."""
    small = view.size_px < 12
    if solidity < (0.85 if small else 0.93) or aspect > 1.45:
        return TOUCHING
    # Two on top of one another: part of the object is much darker than the rest.
    deeper = patch[own] > base + 1.3 * step + 2.0 * view.noise
    if deeper.mean() > 0.05:
        return TOUCHING
    return WHOLE


@cache
def _sphere_table(level: float) -> tuple[Pixels, Pixels]:
    """Return apparent radius over blur, and true radius over apparent radius, of spheres of a density."""
    from scipy.ndimage import gaussian_filter

    apparent, true = [], []
    for radius in (2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 22.0, 40.0):
        blur, scale = 2.0, 2.0  # pixels of the drawing for each blur
        size = math.ceil(radius * scale * 2 + 16 * blur) | 1
        y, x = np.indices((size, size)) - size // 2
        thick = np.sqrt(np.maximum(radius**2 - (x**2 + y**2) / blur**2, 0.0)) / radius
        thick = gaussian_filter(1.0 - np.exp(-level * thick), blur)
        line = thick[size // 2, size // 2 :]
        middle = float(line[np.arange(line.size) < 0.45 * radius * blur].mean()) if radius > 2 else float(line[0])
        at = float(np.interp(-0.5 * middle, -line, np.arange(line.size)))
        apparent.append(at / blur)
        true.append(radius * blur / at)
    return np.array(apparent), np.array(true)


def size_px(found: Found, shape: str, view: View) -> tuple[float, float]:
    """Return the size that an outline stands for.

    Args:
        found: a whole object.
        shape: ``"cube"`` (edge), ``"hexagon"`` (distance of opposite sides) or ``"sphere"`` (diameter).
        view: what it was measured in; its smoothing blurs spheres at least.

    Returns:
        Size and its standard error, in pixels.
    """
    if shape == "sphere":
        radius = math.sqrt(found.area_px / math.pi)
        apparent, true = _sphere_table(round(view.level, 1) + 0.01 if view.dark else 0.01)
        factor = float(np.interp(radius / max(view.smooth_px, 0.5), apparent, true))
        return 2.0 * radius * factor, found.area_std_px / (math.pi * radius) * factor
    area = found.area_px + _CORNER[shape] * min(found.blur_px, 0.2 * math.sqrt(found.area_px)) ** 2
    size = math.sqrt(area / AREA[shape])
    return size, found.area_std_px * size / (2.0 * area)
