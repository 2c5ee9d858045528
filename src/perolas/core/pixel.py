"""The scale of an image as people write it, and an image given another one."""

from __future__ import annotations

import re

import xarray as xr

from perolas.core import check, units
from perolas.core.errors import InputError, one_line
from perolas.core.observation import conditions_of, make_image

_PER_PIXEL = re.compile(r"\s*(/|per)\s*(px|pixels?)\s*$", re.IGNORECASE)
_PIXELS_PER = re.compile(r"^\s*([-+0-9.eE]+)\s*(?:px|pixels?)\s*(?:/|per)\s*(.+)$", re.IGNORECASE)
_SMALLEST_NM, _LARGEST_NM = 1e-5, 1e5


def parse_scale(scale: str | float) -> float:
    """Read the scale of an image.

    Args:
        scale: ``"0.02 nm/px"``, ``"0.2 angstrom/pixel"``, ``"50 px/nm"``, or a number in nm for each pixel.

    Returns:
        The edge of a pixel in nm.

    Raises:
        InputError: no length for each pixel, or one that no micrograph has.
    """
    text = str(scale).strip()
    inverse = _PIXELS_PER.match(text)
    try:
        if inverse:
            count = check.positive(float(inverse[1]), "scale")
            pixel = units.convert(f"1 {inverse[2]}", "nm", "scale") / count
        else:
            short = _PER_PIXEL.sub("", text)
            pixel = units.convert(short if isinstance(scale, str) else float(scale), "nm", "scale")
        good = _SMALLEST_NM <= pixel <= _LARGEST_NM
    except (InputError, ValueError):
        good = False
    if not good:
        raise InputError(
            f'The scale must be the size of a pixel such as "0.02 nm/px", between {_SMALLEST_NM:g} and '
            f'{_LARGEST_NM:g} nm, but is "{one_line(scale, 40)}".'
        )
    return pixel


def with_pixel(image: xr.Dataset, pixel_nm: float) -> xr.Dataset:
    """Return an image with another scale.

    Args:
        image: an observation that is an image.
        pixel_nm: edge of a pixel, nm.

    Returns:
        The same image, its axes in nm.

    Raises:
        InputError: no image, or a scale that is not positive.
    """
    signal = image["signal"]
    attrs = {str(k): v for k, v in image.attrs.items() if k != "conditions"}
    return make_image(signal.values, pixel_nm, units=signal.attrs["units"], conditions=conditions_of(image), **attrs)
