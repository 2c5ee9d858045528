"""The image made ready: its scale, its usable part, and what speaks against using it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.observation import is_image, pixel_nm
from perolas.core.pixel import parse_scale

_FEWEST, _MOST = 64, 4096  # pixels along an edge
_FINEST_NM, _COARSEST_NM = 0.001, 0.5
_CLIPPED = 0.05  # share of pixels at one end of the scale from which on an image is called saturated
_CLIPPED_A_LITTLE = 0.005
_NYQUIST = 0.45  # cycles in a pixel up to which spots are looked for


@dataclass(frozen=True)
class Prepared:
    """A square part of an image.

    Attributes:
        contrast: shape (n, n), n even: the image over its mean, less one and less its slope.
        mean: of the image, in its unit.
        pixel_nm: edge of a pixel.
        corner: column and row of its first pixel in the image.
        d_min_nm, d_max_nm: the spacings that it can show.
        warnings: sentences.
        notes: sentences.
    """

    contrast: NDArray[np.float64]
    mean: float
    pixel_nm: float
    corner: tuple[int, int]
    d_min_nm: float
    d_max_nm: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(
    observation: xr.Dataset,
    *,
    scale: str | float | None = None,
    box: str | None = None,
    d_min_nm: float | None = None,
    d_max_nm: float | None = None,
    resolution_nm: float = 0.2,
) -> Prepared:
    """Check an image and take the part that is looked at.

    Args:
        observation: an image.
        scale: size of a pixel, instead of the image's own.
        box: ``"LEFT TOP RIGHT BOTTOM"`` in pixels: the part to look at; None: the middle square.
        d_min_nm: smallest spacing to look for; None: what pixels and microscope allow.
        d_max_nm: largest one; None: 1.2 nm, or an eighth of the part.
        resolution_nm: smallest spacing that is counted on to show.

    Returns:
        The part.

    Raises:
        InputError: no image, no scale, a blank or saturated one, too small a part, or a scale that cannot be right.
    """
    if not is_image(observation):
        raise InputError("hrtem needs an image, with rows and columns; this observation has one axis.")
    values = np.asarray(observation["signal"].values, dtype=float)
    own = pixel_nm(observation)
    pixel = own if scale is None else parse_scale(scale)
    if pixel is None:
        raise InputError('The image has no scale; give the size of a pixel, such as scale = "0.02 nm/px".')
    if not _FINEST_NM <= pixel <= _COARSEST_NM:
        raise InputError(
            f"A pixel of {pixel:g} nm is no lattice image's ({_FINEST_NM:g} to {_COARSEST_NM:g} nm are): check the "
            "scale."
        )
    notes = []
    if own is not None and scale is not None and abs(pixel / own - 1) > 0.01:
        notes.append(f"The scale given, {pixel:.4g} nm per pixel, was used instead of the file's, {own:.4g} nm.")
    part, corner, cropped = _part(values, box)
    if cropped:
        notes.append(cropped)
    warnings = _look(part, counted=observation["signal"].attrs.get("units") == "counts")
    n = part.shape[0]
    mean = float(part.mean())
    if observation["signal"].attrs.get("units") != "counts" and part.min() < 0:
        part = part - part.min()  # grey values may have any zero; the contrast is then in units of the mean above it
        mean = float(part.mean())
    finest = pixel / _NYQUIST
    low = max(finest, 0.75 * resolution_nm) if d_min_nm is None else check.positive(d_min_nm, "d_min", "nm")
    high = min(1.2, n * pixel / 8.0) if d_max_nm is None else check.positive(d_max_nm, "d_max", "nm")
    if low < finest * (1 - 1e-9):
        raise InputError(
            f"Pixels of {pixel:.3g} nm show no spacing below {finest:.3g} nm, so d_min cannot be {low:g} nm."
        )
    if high > n * pixel / 4.0:
        raise InputError(f"A part of {n * pixel:.3g} nm shows no spacing above {n * pixel / 4:.3g} nm; lower d_max.")
    if not low < high:
        raise InputError(
            f"With {n} pixels of {pixel:.3g} nm, spacings from {low:.3g} to {high:.3g} nm could be seen, which is "
            "none; check the scale, or take a larger part."
        )
    return Prepared(_flat(part / mean - 1.0), mean, pixel, corner, low, high, tuple(warnings), tuple(notes))


def _part(values: NDArray[np.float64], box: str | None) -> tuple[NDArray[np.float64], tuple[int, int], str]:
    ny, nx = values.shape
    left, top, right, bottom = 0, 0, nx, ny
    if box is not None:
        try:
            left, top, right, bottom = (int(w) for w in str(box).replace(",", " ").replace("px", " ").split())
        except ValueError:
            raise InputError(
                f'The box must be "LEFT TOP RIGHT BOTTOM" in pixels, but is "{one_line(box, 40)}".'
            ) from None
        if not (0 <= left < right <= nx and 0 <= top < bottom <= ny):
            raise InputError(f"The box {left} {top} {right} {bottom} does not lie in an image of {nx} x {ny} pixels.")
    n = min(right - left, bottom - top, _MOST) // 2 * 2
    if n < _FEWEST:
        raise InputError(
            f"A lattice image needs at least {_FEWEST} x {_FEWEST} pixels; this part has {n} along an edge."
        )
    x, y = left + (right - left - n) // 2, top + (bottom - top - n) // 2
    text = ""
    if n < max(right - left, bottom - top) - 1:
        text = f"The middle {n} x {n} pixels were looked at; box chooses another part."
    return values[y : y + n, x : x + n].copy(), (x, y), text


def _look(part: NDArray[np.float64], *, counted: bool) -> list[str]:
    """Refuse an image that is blank or saturated; return a warning where it is so a little."""
    low, high = float(part.min()), float(part.max())
    if high <= low or float(part.std()) < 1e-9 * max(abs(high), abs(low)):
        raise InputError(f"The image is blank: every pixel is {low:g}.")
    if np.unique(part[:: max(1, part.shape[0] // 256), :: max(1, part.shape[1] // 256)]).size < 4:
        raise InputError("The image has fewer than four grey values: a mask or a drawing, not a micrograph.")
    whole = bool(np.all(part[:64, :64] == np.round(part[:64, :64])))
    few = high - low < 20 and whole  # few counts: many pixels share the lowest value by chance
    ends = [(float(np.mean(part == high)), "brightest")]
    if not (counted and low == 0):  # no electron in a pixel is no clipping
        ends.append((float(np.mean(part == low)), "darkest"))
    for share, end in ends:
        if share > _CLIPPED and not few:
            raise InputError(
                f"The image is saturated: {100 * share:.0f} % of its pixels have the {end} value; "
                "export it again without clipping."
            )
        if share > _CLIPPED_A_LITTLE and not few:
            return [f"{100 * share:.1f} % of the pixels have the {end} value: clipping makes false harmonics of spots."]
    if float(part.mean()) == 0.0:
        raise InputError("The mean of the image is zero; give the image as recorded, not one with its mean taken off.")
    return []


def _flat(contrast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take off the mean and the slope."""
    n = contrast.shape[0]
    u = (np.arange(n) - (n - 1) / 2.0) / n
    across, down = contrast.mean(axis=0) @ u / (u @ u), contrast.mean(axis=1) @ u / (u @ u)
    return np.asarray(contrast - contrast.mean() - across * u[None, :] - down * u[:, None])


@dataclass(frozen=True)
class Ring:
    """A ring of the power spectrum.

    Attributes:
        d_nm: spacing at its maximum.
        d_low_nm, d_high_nm: where it has fallen to half.
        contrast: its maximum over the higher of the two valleys beside it.
    """

    d_nm: float
    d_low_nm: float
    d_high_nm: float
    contrast: float


def ring_of(power: NDArray[np.float64], pixel_nm: float, d_min_nm: float, d_max_nm: float) -> Ring | None:
    """Return the strongest ring of a power spectrum, or None where none stands a factor of two above its sides.

    Args:
        power: shape (n, n), zero frequency in the middle.
        pixel_nm: edge of a pixel of the image.
        d_min_nm: smallest spacing looked at.
        d_max_nm: largest one.

    Returns:
        The ring.
    """
    from scipy import ndimage

    n = power.shape[0]
    at = np.arange(n) - n // 2
    radius = np.hypot(at[:, None], at[None, :])
    width = max(1.0, n / 256.0)
    number = np.floor(radius / width).astype(int).ravel()
    last = int(0.5 * n / width)
    sums = np.bincount(number, np.log(np.maximum(power.ravel(), 1e-300)))
    ring = sums[:last] / np.maximum(np.bincount(number)[:last], 1)
    smooth = ndimage.gaussian_filter1d(ring, 2.0, mode="nearest")
    k = (np.arange(last) + 0.5) * width / (n * pixel_nm)
    inside = np.flatnonzero((k > 1.0 / d_max_nm) & (k < 1.0 / d_min_nm))
    tops = [i for i in inside[1:-1] if smooth[i] >= smooth[i - 1] and smooth[i] > smooth[i + 1]]
    if not tops:
        return None
    top = max(tops, key=lambda i: float(smooth[i]))
    below, above = smooth[inside[0] : top + 1], smooth[top : inside[-1] + 1]
    rise = float(smooth[top] - max(below.min(), above.min()))
    if rise < math.log(2.0):
        return None
    half = smooth[top] - math.log(2.0)
    outside = np.flatnonzero(smooth[: top + 1] < half)
    first = int(outside[-1]) + 1 if outside.size else 0
    beyond = np.flatnonzero(smooth[top:] < half)
    end = top + int(beyond[0]) - 1 if beyond.size else last - 1
    curve = smooth[top - 1] - 2 * smooth[top] + smooth[top + 1]
    shift = 0.5 * (smooth[top - 1] - smooth[top + 1]) / curve if curve < 0 else 0.0
    centre = (top + 0.5 + shift) * width / (n * pixel_nm)
    return Ring(float(1.0 / centre), float(1.0 / k[end]), float(1.0 / k[first]), math.exp(rise))
