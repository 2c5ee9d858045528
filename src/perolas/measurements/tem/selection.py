"""Which crystals are counted: whole ones inside the image that touch no other; large ones are so less often.

Inside. A crystal of width w in both directions lies wholly inside an image of sides W and H, its centre being in it,
with probability (W - w)(H - w) / (W H) (minus-sampling, Miles 1974); averaged over directions in the plane, <w> is its
perimeter over pi, and <w^2> of a square of edge D is (1 + 2/pi) D^2.

Apart. Of convex crystals at random places and in random directions, N in an image of area F, one of area A and
perimeter P touches none with probability exp(-k h), h = N (A + <A> + P <P> / 2 pi) / F (Boolean model, Chiu 2013).
k = 1 there; where crystals keep their distance or cling together it is other, and is found from how many of all the
crystals are whole and alone.

How many there are in all. Densities add up where crystals lie on one another, so that the density summed over clumps
and over what the edges left, divided by the mean of single crystals (each weighted with one over its chance), is a
number of crystals, whatever their arrangement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.matter.parameters_library import parameter_value
from perolas.measurements.tem.measure import AREA, CUT, PERIMETER, TOUCHING, Found

Sizes = NDArray[np.float64]

# Outlines closer than this many blurs are seen as one.
_GAP = 1.0


@dataclass(frozen=True)
class Chance:
    """The chance of being counted, as a function of size.

    Attributes:
        image_px: rows and columns.
        shape: of the crystals.
        crowding: k N / F, per square pixel.
        mean_area_px: of the crystals.
        mean_perimeter_px: of the crystals.
        gap_px: distance at which two outlines are seen as one.
    """

    image_px: tuple[int, int]
    shape: str
    crowding: float
    mean_area_px: float
    mean_perimeter_px: float
    gap_px: float

    def inside(self, size_px: Sizes) -> Sizes:
        """Return the chance that a crystal of each size lies wholly inside."""
        high, wide = (n - 2.0 for n in self.image_px)  # an object within a pixel of the edge counts as cut
        width = PERIMETER[self.shape] / math.pi * size_px
        square = (1.0 + 2.0 / math.pi) * size_px**2 if self.shape == "cube" else width**2
        return np.maximum(high * wide - (high + wide) * width + square, 0.0) / (self.image_px[0] * self.image_px[1])

    def apart(self, size_px: Sizes) -> Sizes:
        """Return the chance that a crystal of each size touches no other."""
        size = size_px + self.gap_px
        area, perimeter = AREA[self.shape] * size**2, PERIMETER[self.shape] * size
        reach = area + self.mean_area_px + perimeter * self.mean_perimeter_px / (2.0 * math.pi)
        return np.exp(-self.crowding * reach)

    def __call__(self, size_px: Sizes) -> Sizes:
        """Return the chance of being counted for each size."""
        return self.inside(size_px) * self.apart(size_px)


@dataclass(frozen=True)
class Census:
    """How many crystals an image has.

    Attributes:
        number: in all, those cut by the edges and those in clumps included; of the ones with their centre inside.
        std: standard error of it.
        whole: counted singly.
        in_clumps: by their density.
        at_edges: by their density.
        chance: of being counted singly.
    """

    number: float
    std: float
    whole: int
    in_clumps: float
    at_edges: float
    chance: Chance


def census(
    found: Sequence[Found], whole: Sequence[Found], sizes_px: Sizes, shape: str, image_px: tuple[int, int], blur: float
) -> Census:
    """Count all crystals of an image, and find how likely one is to be counted singly.

    Args:
        found: every object.
        whole: those that are single whole crystals.
        sizes_px: their sizes.
        shape: of the crystals.
        image_px: rows and columns.
        blur: standard deviation of the blur of outlines, pixels.

    Returns:
        The census.
    """
    from scipy.optimize import brentq

    mass = np.array([f.mass for f in whole])
    clumps = np.array([f.mass for f in found if f.kind == TOUCHING])
    edges = np.array([f.mass for f in found if f.kind == CUT])
    chance = Chance(image_px, shape, 0.0, 0.0, 0.0, _GAP * blur)
    number = float(len(whole))
    for _ in range(6):
        weight = 1.0 / np.maximum(chance(sizes_px), 0.02)
        weight = weight / weight.sum()
        typical = float(weight @ mass)
        extra = float(clumps.sum() + edges.sum()) / typical
        number = len(whole) + extra
        size = sizes_px + chance.gap_px
        area, perimeter = AREA[shape] * float(weight @ size**2), PERIMETER[shape] * float(weight @ size)
        inside = chance.inside(sizes_px)

        def missing(crowding: float, chance: Chance = chance, inside: Sizes = inside, number: float = number) -> float:
            tried = Chance(image_px, shape, crowding, chance.mean_area_px, chance.mean_perimeter_px, chance.gap_px)
            return float(np.sum(1.0 / np.maximum(inside * tried.apart(sizes_px), 1e-6))) - number

        chance = Chance(image_px, shape, chance.crowding, area, perimeter, chance.gap_px)
        most = 5.0 * number / (image_px[0] * image_px[1])
        lowest, highest = missing(0.0, chance), missing(most, chance)
        crowding = 0.0 if lowest >= 0 else most if highest <= 0 else float(brentq(missing, 0.0, most, args=(chance,)))
        chance = Chance(image_px, shape, crowding, area, perimeter, chance.gap_px)
    spread = float(np.sqrt(weight @ (mass - typical) ** 2)) / typical
    effective = 1.0 / float(np.sum(weight**2))
    # The mean of the single ones (half as much again, because their chances are found from the same few), the scatter
    # of those in clumps and at edges, and cut ones whose centre may be on either side.
    variance = spread**2 * (1.5 * extra**2 / effective + extra) + len(edges) / 12.0
    variance += (parameter_value("bright_field.miscounted") * number) ** 2
    return Census(
        number,
        math.sqrt(variance),
        len(whole),
        float(clumps.sum()) / typical,
        float(edges.sum()) / typical,
        chance,
    )
