"""A bright-field image of nanocrystals: where they lie, how dark they are, and what the support and detector add.

Expected counts are dose exp(-sum_i c_i t_i / l) (1 + grain) (1 - clutter), blurred by a Gaussian of the defocus, then
Poisson. t_i is the thickness of crystal i above a point, l the mean free path (`contrast`), c_i a factor about one for
how it happens to diffract. Crystals lie flat in any direction of the plane, and lie anywhere, beyond the edges of the
image too, so that the image cuts some of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError

SHAPES = ("cube", "hexagon", "sphere")
# Circumscribed circle over size: edge of a cube, distance of opposite sides of a hexagon, diameter of a sphere.
REACH = {"cube": math.sqrt(0.5), "hexagon": 1.0 / math.sqrt(3.0), "sphere": 0.5}

Pixels = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """What an image shows and how it is taken.

    Attributes:
        size_nm: mean size: edge of cubes, distance of opposite sides of hexagons, diameter of spheres.
        size_std_nm: its standard deviation.
        size_law: ``"normal"`` or ``"lognormal"``.
        shape: one of `SHAPES`.
        pixels: rows and columns of the image.
        pixel_nm: edge of a pixel.
        particles: expected number of crystals with their centre in the image.
        mean_free_path_nm: of electrons in the crystals.
        contrast_spread: relative standard deviation of c_i.
        overlap: chance that a crystal stays where it would lie on another one; 1: anywhere, 0: never on another.
        dose: electrons expected in a pixel without anything in the beam.
        blur_nm: standard deviation of the blur.
        grain: relative standard deviation of the support's brightness.
        grain_nm: standard deviation of the Gaussian that makes its grain.
        clutter: share of the image under faint spots of dirt.
    """

    size_nm: float = 20.0
    size_std_nm: float = 2.0
    size_law: str = "normal"
    shape: str = "cube"
    pixels: tuple[int, int] = (1024, 1024)
    pixel_nm: float = 0.5
    particles: float = 120.0
    mean_free_path_nm: float = 64.0
    contrast_spread: float = 0.15
    overlap: float = 0.3
    dose: float = 300.0
    blur_nm: float = 0.7
    grain: float = 0.03
    grain_nm: float = 1.0
    clutter: float = 0.02


@dataclass(frozen=True)
class Placed:
    """The crystals of one image.

    Attributes:
        centre_px: shape (n, 2), x and y in pixels from the upper left corner of the image.
        size_nm: shape (n,).
        angle: shape (n,), radians.
        factor: shape (n,), c_i.
    """

    centre_px: Pixels
    size_nm: Pixels
    angle: Pixels
    factor: Pixels

    def inside(self, pixels: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which of them have their centre in an image of so many rows and columns."""
        x, y = self.centre_px.T
        return (x >= 0) & (x < pixels[1]) & (y >= 0) & (y < pixels[0])


def sizes(scene: Scene, count: int, rng: np.random.Generator) -> Pixels:
    """Draw sizes from the scene's law; a normal law is cut at a twentieth of its mean.

    Args:
        scene: whose law.
        count: how many.
        rng: source of chance.

    Returns:
        Shape (count,), nm.
    """
    if scene.size_law == "lognormal":
        width = math.sqrt(math.log1p((scene.size_std_nm / scene.size_nm) ** 2))
        drawn: Pixels = scene.size_nm * np.exp(width * rng.standard_normal(count) - 0.5 * width**2)
        return drawn
    drawn = scene.size_nm + scene.size_std_nm * rng.standard_normal(count)
    while np.any(low := drawn < 0.05 * scene.size_nm):
        drawn[low] = scene.size_nm + scene.size_std_nm * rng.standard_normal(int(low.sum()))
    return drawn


def place(scene: Scene, rng: np.random.Generator) -> Placed:
    """Put crystals into the image and around it.

    Args:
        scene: how many and which.
        rng: source of chance.

    Returns:
        Those that were placed; where none may overlap and there is no room, fewer.

    Raises:
        InputError: more crystals than can be drawn.
    """
    largest = (scene.size_nm + 6.0 * scene.size_std_nm) * 1.2
    margin = largest * REACH[scene.shape] / scene.pixel_nm + 2.0
    ny, nx = scene.pixels
    expected = scene.particles * (ny + 2 * margin) * (nx + 2 * margin) / (ny * nx)
    if expected > 50_000:
        raise InputError(f"{expected:.0f} crystals are more than an image is drawn with; ask for fewer.")
    count = int(rng.poisson(expected))
    found = sizes(scene, count, rng)
    reach = found * REACH[scene.shape] / scene.pixel_nm
    kept: list[int] = []
    centre = np.empty((count, 2))
    for i in range(count):
        for _ in range(60):
            centre[i] = rng.uniform((-margin, -margin), (nx + margin, ny + margin))
            apart = np.hypot(*(centre[kept] - centre[i]).T) if kept else np.empty(0)
            if np.all(apart > 0.95 * (reach[kept] + reach[i])) or rng.uniform() < scene.overlap:
                kept.append(i)
                break
    width = scene.contrast_spread
    factor = np.exp(width * rng.standard_normal(count) - 0.5 * width**2)
    turned = rng.uniform(0, 2 * math.pi, count)
    return Placed(centre[kept], found[kept], turned[kept], factor[kept])


def thickness_nm(shape: str, size_nm: float, angle: float, x: Pixels, y: Pixels, pixel_nm: float) -> Pixels:
    """Return the thickness of a crystal seen from above; pixels that its outline crosses count in part.

    Args:
        shape: one of `SHAPES`.
        size_nm: its size.
        angle: of its side in the plane, radians.
        x: across, from its centre, nm.
        y: down, from its centre, nm, of a shape that fits that of x.
        pixel_nm: edge of a pixel.

    Returns:
        nm, of the shape that x and y have together.
    """
    if shape == "sphere":
        quarter = 0.25 * pixel_nm
        parts = [(size_nm / 2) ** 2 - (x + i * quarter) ** 2 - (y + j * quarter) ** 2 for i in (-1, 1) for j in (-1, 1)]
        thick: Pixels = sum(2.0 * np.sqrt(np.maximum(p, 0.0)) for p in parts) / 4.0  # type: ignore[assignment]
        return thick
    share = np.ones(np.broadcast_shapes(x.shape, y.shape))
    for side in range(2 if shape == "cube" else 3):
        turn = angle + side * math.pi / (2 if shape == "cube" else 3)
        across = x * math.cos(turn) + y * math.sin(turn)
        # A pixel's width along this direction, so that the covered share is right on average for any angle.
        wide = pixel_nm * max(abs(math.cos(turn)), abs(math.sin(turn)))
        share = share * np.clip((size_nm / 2 - np.abs(across)) / wide + 0.5, 0.0, 1.0)
    return size_nm * share


def expected_counts(scene: Scene, placed: Placed, rng: np.random.Generator) -> Pixels:
    """Return the expected counts of the image, chance of the support included.

    Args:
        scene: how it is taken.
        placed: the crystals.
        rng: source of chance of support and dirt.

    Returns:
        Shape (rows, columns), counts.
    """
    from scipy.ndimage import gaussian_filter

    pad = math.ceil(4 * scene.blur_nm / scene.pixel_nm) + 1
    ny, nx = (n + 2 * pad for n in scene.pixels)
    density = np.zeros((ny, nx))
    step = scene.pixel_nm
    for (cx, cy), size, angle, factor in zip(
        placed.centre_px, placed.size_nm, placed.angle, placed.factor, strict=True
    ):
        reach = size * REACH[scene.shape] / step + 2
        left, right = max(math.floor(cx + pad - reach), 0), min(math.ceil(cx + pad + reach), nx)
        top, bottom = max(math.floor(cy + pad - reach), 0), min(math.ceil(cy + pad + reach), ny)
        if left >= right or top >= bottom:
            continue
        x = ((np.arange(left, right) + 0.5) - (cx + pad))[None, :] * step
        y = ((np.arange(top, bottom) + 0.5) - (cy + pad))[:, None] * step
        thick = thickness_nm(scene.shape, float(size), float(angle), x, y, step)
        density[top:bottom, left:right] += factor * thick / scene.mean_free_path_nm
    film = _grain(scene, (ny, nx), rng) + _clutter(scene, (ny, nx), rng)
    light = scene.dose * np.exp(-density) * np.maximum(1.0 + film, 0.05)
    if scene.blur_nm > 0:
        light = gaussian_filter(light, scene.blur_nm / step, mode="nearest")
    return light[pad : ny - pad, pad : nx - pad]


def _grain(scene: Scene, shape: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Return the grain of the support: smoothed white noise of the given standard deviation."""
    from scipy.ndimage import gaussian_filter

    if scene.grain <= 0:
        return np.zeros(shape)
    rough = gaussian_filter(rng.standard_normal(shape), max(scene.grain_nm / scene.pixel_nm, 0.3), mode="wrap")
    return scene.grain * rough / float(rough.std())


def _clutter(scene: Scene, shape: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Return faint round spots of all sizes up to that of a crystal, up to half as dark as one."""
    ny, nx = shape
    film = np.zeros(shape)
    area, dark = 0.0, 1.0 - math.exp(-scene.size_nm / scene.mean_free_path_nm)
    while area < scene.clutter * ny * nx:
        radius = scene.size_nm / scene.pixel_nm * rng.uniform(0.1, 0.5)
        cx, cy = rng.uniform(0, nx), rng.uniform(0, ny)
        left, right = max(int(cx - 2 * radius), 0), min(int(cx + 2 * radius) + 1, nx)
        top, bottom = max(int(cy - 2 * radius), 0), min(int(cy + 2 * radius) + 1, ny)
        x, y = np.arange(left, right)[None, :] - cx, np.arange(top, bottom)[:, None] - cy
        film[top:bottom, left:right] -= (
            rng.uniform(0.1, 0.5) * dark * np.exp(-0.5 * (x**2 + y**2) / (radius / 1.5) ** 2)
        )
        area += math.pi * radius**2
    return film
