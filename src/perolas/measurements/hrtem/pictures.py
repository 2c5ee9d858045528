"""Pictures of a lattice image: its Fourier transform with the spots marked, and what the spots alone make of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from perolas.core.picture import Picture
from perolas.measurements.hrtem.door import Prepared
from perolas.measurements.hrtem.spots import Search, Spot

_MOST_PIXELS = 512  # along an edge of a kept picture


def transform(data: Prepared, found: Search, k_per_nm: NDArray[np.float64], names: list[str]) -> Picture:
    """Return the power spectrum on a logarithmic scale, with the spots and their mirror images marked.

    Args:
        data: the part of the image.
        found: its search.
        k_per_nm: shape (s, 2), the refined spots, y upwards.
        names: one for each spot.
    """
    power = found.power
    n = power.shape[0]
    step = 1.0 / (n * data.pixel_nm)
    reach = int(min(n // 2 - 1, math.ceil(1.15 / (data.d_min_nm * step)), _MOST_PIXELS // 2))
    middle = n // 2
    shown = power[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    marks = {name: np.array([k, -k]) for name, k in zip(names, k_per_nm, strict=True)}
    image = np.log10(np.maximum(shown, np.quantile(shown, 0.01) + 1e-300))
    return Picture("Power spectrum (log scale)", image, step, "1/nm", marks=marks, centred=True)


def filtered(data: Prepared, spots: tuple[Spot, ...]) -> Picture:
    """Return the image that the spots alone make (the inverse transform of what lies in their squares)."""
    n = data.contrast.shape[0]
    spectrum = np.fft.fftshift(np.fft.fft2(data.contrast))
    mask = np.zeros((n, n))
    for spot in spots:
        reach = max(2, spot.size // 2)
        steps = np.arange(-reach, reach + 1)
        soft = np.cos(np.pi * steps / (2 * reach + 2)) ** 2
        for sign in (1, -1):
            rows = (n // 2 - sign * round(spot.ky) + steps) % n
            columns = (n // 2 + sign * round(spot.kx) + steps) % n
            mask[np.ix_(rows, columns)] = np.maximum(mask[np.ix_(rows, columns)], soft[:, None] * soft[None, :])
    image = np.real(np.fft.ifft2(np.fft.ifftshift(spectrum * mask)))
    return Picture("Fourier-filtered image: the spots alone", *_small(image, data.pixel_nm), unit="nm")


def original(data: Prepared) -> Picture:
    """Return the part of the image that was looked at."""
    return Picture("Image (contrast)", *_small(data.contrast, data.pixel_nm), unit="nm")


def _small(image: NDArray[np.float64], pixel_nm: float) -> tuple[NDArray[np.float64], float]:
    """Cut the middle out of a large picture; averaging would wash out what it is kept for."""
    n = image.shape[0]
    if n <= _MOST_PIXELS:
        return image, pixel_nm
    first = (n - _MOST_PIXELS) // 2
    return image[first : first + _MOST_PIXELS, first : first + _MOST_PIXELS], pixel_nm
