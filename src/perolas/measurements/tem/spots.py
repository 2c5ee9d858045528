"""Where the support is as uneven as the crystals: spots that stand out from what is near them, whatever it is.

The image is filtered by the Laplacian of a Gaussian at scales from that of a pixel to that of a thirtieth of the
image; a spot is a maximum over place and scale that is so many times stronger than the filtered image is within eight
scales around it. Its radius is 2^(1/2) times its scale. That finds spots; their outlines, and so a size law, it does
not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from perolas.measurements.tem.find import background
from perolas.measurements.tem.measure import SPOT, Found

Pixels = NDArray[np.float64]

STRENGTH = 3.0
_LEAST, _STEP = 1.8, 1.25


def spots(grey: Pixels, dark: bool) -> list[Found]:
    """Find spots.

    Args:
        grey: shape (ny, nx).
        dark: whether they are darker than what is around them.

    Returns:
        One for each spot, with a circle for its outline.
    """
    from scipy.ndimage import gaussian_laplace, maximum_filter
    from scipy.spatial import cKDTree

    sign = 1.0 if dark else -1.0
    # Brightness counts by its ratio to what is around it: a spot on thick support is as good as one on thin.
    values = grey - float(np.percentile(grey, 0.5))
    span = max(float(np.percentile(values, 99.5)), 1e-300)
    lit = np.log(np.maximum(values, 0.0) + 0.3 * span)
    most = max(min(grey.shape) / 30, 2.0)
    scales = _LEAST * _STEP ** np.arange(max(math.ceil(math.log(most / _LEAST) / math.log(_STEP)), 2) + 1)
    answers = []
    for scale in scales:
        answer = sign * scale**2 * gaussian_laplace(lit, scale, mode="nearest")
        around = np.sqrt(background(answer**2, np.ones(grey.shape, dtype=bool), 8 * scale))
        # Where nothing is but the noise of the detector, the whole image says how strong that is.
        least = 0.3 * float(np.sqrt(np.mean(answer**2)))
        answers.append(np.stack([answer, answer / np.maximum(around, least)]))
    stack = np.stack([a[0] for a in answers])
    strength = np.stack([a[1] for a in answers])
    top = (stack == maximum_filter(stack, size=3, mode="nearest")) & (strength > STRENGTH)
    top[-1] = False  # a maximum at the largest scale is none
    k, y, x = np.nonzero(top)
    order = np.argsort(-strength[k, y, x])
    k, y, x = k[order], y[order], x[order]
    radius = math.sqrt(2.0) * scales[k]
    places = np.stack([x + 0.5, y + 0.5], axis=1)
    tree = cKDTree(places) if len(places) else None
    kept = np.ones(len(places), dtype=bool)
    for i in range(len(places)):
        if kept[i] and tree is not None:
            for j in tree.query_ball_point(places[i], 2.0 * radius[i]):
                near = float(np.hypot(*(places[i] - places[j]))) < 0.7 * max(radius[i], radius[j])
                if j > i and near:
                    kept[j] = False
    turn = np.linspace(0.0, 2.0 * math.pi, 33)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return [
        Found(
            SPOT,
            (int(c[1] - r), int(c[0] - r), math.ceil(c[1] + r), math.ceil(c[0] + r)),
            c + r * circle,
            math.pi * r**2,
        )
        for c, r in zip(places[kept], radius[kept], strict=True)
    ]
