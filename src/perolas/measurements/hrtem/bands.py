"""From an image to the fields around its spots: a narrow band of the Fourier transform, moved to zero frequency.

The image is faded out towards its edges (Tukey), so that one spot does not ring into the band of another. The band is
cut square, as wide as the distance to the next spot allows; its inverse transform is the field on a coarse grid, on
which speckle is independent from point to point. Where the fading has left less than half, points are passed over;
elsewhere it is divided out and the variance raised.

Where a crystal ends, the lens has shifted the two beams that make a fringe apart (by the slope of its phase), one
towards each rim, so the fringes' phase runs from one rim to the other and feigns another spacing (Malm and O'Keefe). So
the rim is left out, and what is left of it enters the errors as c / L along k, L being the fringes' length (`rims`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.measurements.hrtem.model import Hrtem, fringes
from perolas.measurements.hrtem.spots import Spot

_FADE = 0.3  # share of an edge over which the image fades in and out
_LEAST = 0.5  # of the fading
_HALVES = (3, 5, 8, 12)  # half widths of bands in bins: few, since each is compiled once
_WIDEST = _HALVES[-1]
_FEWEST_POINTS = 12
_SMOOTH = 1.5  # points of the coarse grid over which an envelope is taken
_INNER = 0.6  # share of the envelope's top above which a point lies inside the crystal
_FILLED = 0.85  # share of the points inside from which on the crystal is taken to fill the picture
_FAR = 1e6  # variance of points that do not count, over that of those that do


@dataclass(frozen=True)
class Bands:
    """The fields around spots.

    Attributes:
        field: shape (s, m, m), complex, in units of the mean of the image; rows downwards.
        variance: shape (s, m, m), of real and imaginary part each.
        middle_per_nm: shape (s, 2), spatial frequency of each band's middle, y upwards.
        x_nm, y_nm: shape (m,), the coarse grid from the middle of the image, y upwards.
    """

    field: NDArray[np.complex128]
    variance: NDArray[np.float64]
    middle_per_nm: NDArray[np.float64]
    x_nm: NDArray[np.float64]
    y_nm: NDArray[np.float64]


def tukey(n: int) -> NDArray[np.float64]:
    """Return a window that rises over the first part, is flat, and falls over the last, shape (n,)."""
    at = (np.arange(n) + 0.5) / n
    edge = np.minimum(at, 1.0 - at) / (_FADE / 2.0)
    return np.asarray(np.where(edge < 1.0, 0.5 - 0.5 * np.cos(np.pi * np.minimum(edge, 1.0)), 1.0))


def cut(image: NDArray[np.float64], spots: tuple[Spot, ...], pixel_nm: float) -> Bands:
    """Cut the bands around spots out of an image's Fourier transform.

    Args:
        image: shape (n, n), mean and slope taken off, in units of its mean.
        spots: which.
        pixel_nm: edge of a pixel.

    Returns:
        The bands.
    """
    n = image.shape[0]
    spectrum = np.fft.fftshift(np.fft.fft2(image * tukey(n)[:, None] * tukey(n)[None, :])) / n**2
    half = _half_width(spots)
    m = 2 * half + 1
    steps = np.arange(-half, half + 1)
    # Point i of the inverse transform lies i / m of the image's edge from its first pixel.
    where = np.arange(m) / m
    window = np.interp(where, (np.arange(n)) / n, tukey(n), period=1.0)
    fade = window[:, None] * window[None, :]
    at = (where * n + 0.5 - n / 2.0) * pixel_nm  # nm from the image's middle, rightwards or downwards
    fields, variances, middles = [], [], []
    for spot in spots:
        kx, ky = round(spot.kx), round(spot.ky)
        rows, columns = (n // 2 - ky + steps) % n, (n // 2 + kx + steps) % n
        band = spectrum[np.ix_(rows, columns)]
        field = np.fft.ifft2(np.fft.ifftshift(band)) * m**2
        # The phase of a wave is counted from the image's middle, pixels from its first one.
        start = np.exp(2j * np.pi * (kx - ky) * (n / 2.0 - 0.5) / n)
        field = field * start
        level = _level(spectrum, n // 2 - ky, n // 2 + kx, half, max(3, min(half, spot.size // 2 + 1)))
        good = fade >= _LEAST
        fields.append(np.where(good, field / np.maximum(fade, _LEAST), 0.0))
        each = 0.5 * level * m**2 / np.maximum(fade, _LEAST) ** 2 / float(np.mean(fade**2))
        variances.append(np.where(good, each, _FAR * each))
        middles.append([kx / (n * pixel_nm), ky / (n * pixel_nm)])
    return Bands(np.array(fields), np.array(variances), np.array(middles), at, -at)


def _half_width(spots: tuple[Spot, ...]) -> int:
    """Return half the width of all bands: as the broadest spot needs, as the nearest neighbours allow."""
    wanted = max((s.size for s in spots), default=_WIDEST) + 1
    room = float(_WIDEST)
    for i, a in enumerate(spots):
        room = min(room, max(abs(a.kx), abs(a.ky)) / 2.0)
        for b in spots[i + 1 :]:
            for sign in (1.0, -1.0):
                room = min(room, max(abs(a.kx - sign * b.kx), abs(a.ky - sign * b.ky)) / 2.0)
    enough = next((h for h in _HALVES if h >= wanted), _WIDEST)
    return max((h for h in _HALVES if h <= min(enough, room)), default=_HALVES[0])


def _level(spectrum: NDArray[np.complex128], y: int, x: int, half: int, inner: int) -> float:
    """Return the mean power of the speckle in a bin around a spot."""
    n = spectrum.shape[0]
    reach = half + 4
    steps = np.arange(-reach, reach + 1)
    patch = np.abs(spectrum[np.ix_((y + steps) % n, (x + steps) % n)]) ** 2
    far = np.maximum(np.abs(steps)[:, None], np.abs(steps)[None, :]) > inner
    return float(np.median(patch[far])) / math.log(2.0)


def start(bands: Bands) -> Hrtem:
    """Return the fringes that the bands show, good enough to begin a fit: frequency, phase, contrast, envelope."""
    count, m, _ = bands.field.shape
    k, amplitude, phase = np.zeros((count, 2)), np.zeros(count), np.zeros(count)
    envelopes = np.zeros((count, m, m))
    x, y = bands.x_nm[None, :], bands.y_nm[:, None]
    step = 1.0 / (m * abs(bands.x_nm[1] - bands.x_nm[0]))  # one bin
    for j in range(count):
        weight = 1.0 / bands.variance[j]
        field, shift = bands.field[j], np.zeros(2)
        envelope = np.ones((m, m))
        for _ in range(3):
            shift = _best_shift(field * envelope * weight, x, y, step, shift)
            turned = field * np.exp(-2j * np.pi * (shift[0] * x + shift[1] * y))
            envelope = _envelope(turned, weight)
        turned = field * np.exp(-2j * np.pi * (shift[0] * x + shift[1] * y))
        mean = np.sum(weight * envelope * turned) / np.sum(weight * envelope**2)
        k[j], amplitude[j], phase[j] = bands.middle_per_nm[j] + shift, 2.0 * abs(mean), np.angle(mean)
        envelopes[j] = envelope
    inside = np.where(_inside(envelopes, bands.variance), bands.variance, _FAR * bands.variance.min())
    variance = np.repeat(inside[:, None], 2, axis=1).reshape(-1)
    return fringes(
        k, amplitude, phase, middle_per_nm=bands.middle_per_nm, x_nm=bands.x_nm, y_nm=bands.y_nm,
        envelope=envelopes, variance=variance,
    )  # fmt: skip


def _inside(envelope: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points lie inside the crystal, away from its rim; shape (s, m, m) as the arguments."""
    from scipy import ndimage

    found = np.zeros(envelope.shape, dtype=bool)
    for j, (e, v) in enumerate(zip(envelope, variance, strict=True)):
        usable = v < v.min() * math.sqrt(_FAR)
        inner = usable & (e > _INNER * np.quantile(e[usable], 0.95))
        smaller = ndimage.binary_erosion(inner | ~usable) & inner
        found[j] = smaller if smaller.sum() >= _FEWEST_POINTS else inner
    return found


def rims(bands: Bands, fitted: Hrtem) -> NDArray[np.float64]:
    """Return the length of fringes along k for each spot, nm, shape (s,): infinite where none ends inside.

    Args:
        bands: the fields.
        fitted: what `start` made of them.
    """
    variance = np.asarray(fitted.noise.variance).reshape(len(bands.field), 2, *bands.field.shape[1:])[:, 0]  # type: ignore[attr-defined]
    lengths, filled = np.full(len(bands.field), np.inf), np.zeros(len(bands.field), dtype=bool)
    for j in range(len(lengths)):
        inside = variance[j] < variance[j].min() * math.sqrt(_FAR)
        usable = bands.variance[j] < bands.variance[j].min() * math.sqrt(_FAR)
        filled[j] = inside.sum() > _FILLED * usable.sum()
        k = bands.middle_per_nm[j] / np.linalg.norm(bands.middle_per_nm[j])
        at = (k[0] * bands.x_nm[None, :] + k[1] * bands.y_nm[:, None])[inside]
        lengths[j] = math.sqrt(12.0) * float(np.std(at)) + abs(bands.x_nm[1] - bands.x_nm[0])
    # Where one set of fringes is seen to end, the crystal ends: the others only hide it, smeared by the lens.
    return np.full(len(lengths), np.inf) if filled.all() else lengths


def _best_shift(
    field: NDArray[np.complex128],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    step: float,
    near: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the frequency at which a field has most power, from a grid that narrows."""
    best = near
    for width, points in ((2.0 * step, 17), (0.25 * step, 9), (0.06 * step, 9)):
        offsets = np.linspace(-width, width, points)
        ex = np.exp(-2j * np.pi * (best[0] + offsets)[:, None] * x.reshape(1, -1))
        ey = np.exp(-2j * np.pi * (best[1] + offsets)[:, None] * y.reshape(1, -1))
        power = np.abs(ey @ field @ ex.T)
        i, j = np.unravel_index(int(np.argmax(power)), power.shape)
        best = best + np.array([offsets[j], offsets[i]])
    return np.asarray(best)


def _envelope(turned: NDArray[np.complex128], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a wave is strong, at most 1, smoothed over a few points."""
    from scipy import ndimage

    counts = (weight > weight.max() / math.sqrt(_FAR)).astype(float)
    total = np.maximum(ndimage.gaussian_filter(counts, _SMOOTH, mode="constant"), 1e-3)
    smooth = ndimage.gaussian_filter(np.where(counts > 0, turned, 0.0), _SMOOTH, mode="constant") / total
    size = np.abs(smooth) * counts
    return np.asarray(size / max(float(size.max()), 1e-300))


def channels(bands: Bands) -> NDArray[np.float64]:
    """Return the fields as the channels of an `Hrtem`, shape (2 s m m,)."""
    return np.stack([bands.field.real, bands.field.imag], axis=1).reshape(-1)
