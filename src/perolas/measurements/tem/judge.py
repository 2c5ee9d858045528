"""Which image can be judged, which shape its crystals have, which objects are crystals, and whether sizes mean much."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError
from perolas.measurements.tem.find import View
from perolas.measurements.tem.measure import FAINT, ODD, TOUCHING, WHOLE, Found, size_px

Pixels = NDArray[np.float64]

FEWEST = 12  # whole crystals for a size law
LEAST_PX = 4.0
_LEAST_CONTRAST = 4.0  # of the typical density over the noise
_LARGEST_NM = 2000.0
# An outline that moves by more than this, from 65 to 35 % of the density, has no place of its own.
SOFTEST = 0.5
ROUGHEST = 0.5


def check_grey(grey: Pixels) -> None:
    """Refuse an image that shows nothing, whatever was in the beam.

    Args:
        grey: shape (ny, nx).

    Raises:
        InputError: blank, saturated, or too small.
    """
    if min(grey.shape) < 32:
        raise InputError(f"The image has {grey.shape[1]} x {grey.shape[0]} pixels; at least 32 x 32 are needed.")
    low, high = float(grey.min()), float(grey.max())
    if high - low <= 1e-9 * max(abs(high), 1e-300):
        raise InputError("The image is blank: all its pixels have the same value.")
    for value, most, word in ((high, 0.1, "brightest"), (low, 0.6, "darkest")):
        share = float(np.mean(grey == value))
        if share > most:
            raise InputError(
                f"The image is saturated: {share:.0%} of its pixels have the {word} value, {value:g}; "
                "use the image as it was recorded, before its contrast was stretched."
            )


def check_view(view: View) -> None:
    """Refuse an image in which nothing stands out.

    Args:
        view: what was seen.

    Raises:
        InputError: no object, or objects no stronger than the noise.
    """
    if not view.mask.any() or not view.contrast_to_noise > _LEAST_CONTRAST:
        ratio = view.contrast_to_noise if view.mask.any() else 0.0
        raise InputError(
            f"No crystals stand out: the contrast is {ratio:.1f} times the noise of the background, and "
            f"{_LEAST_CONTRAST:g} are needed; use a longer exposure, or give the polarity."
        )


def shape_of(found: Sequence[Found]) -> str:
    """Return the shape of the crystals from their mean outline and how their density falls off.

    Args:
        found: objects; whole ones count.

    Returns:
        ``"cube"``, ``"hexagon"`` or ``"sphere"``.
    """
    whole = [f for f in found if f.kind == WHOLE and f.solidity > 0.95]
    if not whole:
        return "cube"
    # A sharp square has 3.9e-3 in the fourfold part, a sharp hexagon 4.6e-4 in the sixfold one, a circle nothing.
    square, six, dome = (float(np.median([getattr(f, n) for f in whole])) for n in ("square", "six", "dome"))
    if square > 7e-4:
        return "cube"
    return "hexagon" if six > 1.5e-4 or dome > 0.93 else "sphere"


def judge(
    found: Sequence[Found], view: View, shape: str, smallest_px: float
) -> tuple[list[Found], list[Found], Pixels]:
    """Tell single crystals from clumps, dirt and noise.

    Args:
        found: objects.
        view: what they were measured in.
        shape: of the crystals.
        smallest_px: smaller objects are none.

    Returns:
        All objects with their kinds, the single whole crystals among them, and the sizes of those in pixels.
    """
    longest, least = {"cube": (1.25, 0.955), "hexagon": (1.35, 0.965), "sphere": (1.3, 0.955)}[shape]
    room = 0.1 if view.size_px < 15 else 0.0  # outlines of few pixels are ragged
    whole = [f for f in found if f.kind == WHOLE]
    if not whole:
        return list(found), [], np.empty(0)
    sizes = np.array([size_px(f, shape, view)[0] for f in whole])
    level = np.array([f.level for f in whole])
    soft = np.array([f.soft for f in whole])
    weight = np.argsort(sizes)[len(sizes) // 2 :]  # dirt is small
    typical, usual = float(np.median(level[weight])), float(np.median(np.nan_to_num(soft[weight], nan=0.0)))
    kinds = []
    for f, size in zip(whole, sizes, strict=True):
        if size < smallest_px:
            kinds.append(FAINT)
        elif f.aspect > longest + room or f.solidity < least - room:
            kinds.append(TOUCHING if f.area_px > 0.5 * float(np.median(sizes[weight])) ** 2 else ODD)
        # Dirt is as soft as a Gaussian, and fainter than a crystal of its size would be.
        elif f.soft > max(2.5 * usual, 0.3) or f.level < 0.5 * typical * min(size / float(np.median(sizes)), 1.0):
            kinds.append(FAINT)
        # Two that lie almost exactly on one another are twice as dark as one of that size.
        elif f.level > 1.7 * typical * max(size / float(np.median(sizes[weight])), 1.0):
            kinds.append(TOUCHING)
        else:
            kinds.append(WHOLE)
    good = np.array([k == WHOLE for k in kinds])
    if good.sum() >= 5:  # one on top of another looks like a larger crystal; none is so far from the rest
        middle = float(np.median(sizes[good]))
        spread = 1.4826 * float(np.median(np.abs(sizes[good] - middle)))
        far = sizes > middle + 4.2 * max(spread, 0.03 * middle)
        kinds = [TOUCHING if f and k == WHOLE else k for f, k in zip(far, kinds, strict=True)]
    named = iter(kinds)
    everything = [dataclasses.replace(f, kind=next(named)) if f.kind == WHOLE else f for f in found]
    chosen = [f for f in everything if f.kind == WHOLE]
    return everything, chosen, np.array([size_px(f, shape, view)[0] for f in chosen])


def doubts(whole: Sequence[Found], sizes_px: Pixels, view: View) -> list[str]:
    """Return why sizes measured in an image mean nothing; nothing where they do.

    Args:
        whole: single whole crystals.
        sizes_px: their sizes.
        view: what they were measured in.

    Returns:
        Parts of a sentence.
    """
    said = []
    if view.size_px > 0.4 * min(view.mask.shape):
        said.append(
            f"what stands out is about {view.size_px:.0f} pixels wide, so that no whole crystals fit into the image"
        )
    if view.rough > ROUGHEST * view.level:
        said.append(
            f"the support's own structure is {view.rough / view.level:.0%} as strong as the crystals, so that no "
            "outline can be told from it"
        )
    if len(whole) < FEWEST:
        said.append(f"only {len(whole)} objects are single whole crystals, and {FEWEST} are needed")
    else:
        soft = float(np.median(np.nan_to_num([f.soft for f in whole])))
        if float(np.median(sizes_px)) < 1.5 * LEAST_PX:
            said.append(
                f"the crystals are only about {float(np.median(sizes_px)):.1f} pixels wide, too few for an "
                "outline; use a higher magnification"
            )
        elif soft > SOFTEST:
            said.append(f"outlines are so soft that sizes change by {soft:.0%} between 65 and 35 % of the contrast")
    return said
