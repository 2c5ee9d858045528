"""The picture of what was counted: each object's outline on the image, by kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perolas.core.picture import Picture
from perolas.measurements.tem.measure import CUT, FAINT, ODD, SPOT, TOUCHING, WHOLE, Found

_LABELS = {
    WHOLE: "measured",
    TOUCHING: "touching: counted by density",
    CUT: "cut by the edge: counted by density",
    ODD: "no crystal of this shape: not counted",
    SPOT: "spot: not measured",
    FAINT: "too faint or small: not counted",
}
_MOST_PIXELS = 1024


def overlay(grey: NDArray[np.float64], found: Sequence[Found], pixel_nm: float | None, title: str) -> Picture:
    """Return the image with the outline of every object.

    Args:
        grey: shape (ny, nx).
        found: objects.
        pixel_nm: edge of a pixel, or None.
        title: written above.

    Returns:
        The picture, of at most 1024 pixels a side.
    """
    from skimage.transform import downscale_local_mean

    step = max(-(-max(grey.shape) // _MOST_PIXELS), 1)
    small = downscale_local_mean(grey, (step, step)) if step > 1 else grey
    low, high = np.percentile(small, (0.2, 99.8))
    scale = 1.0 if pixel_nm is None else pixel_nm
    gap = np.full((1, 2), np.nan)
    lines = {}
    for kind, label in _LABELS.items():
        parts = [f.outline * scale for f in found if f.kind == kind and len(f.outline)]
        if parts:
            pieces = [piece for part in parts for piece in (part, gap)]
            lines[f"{label} ({len(parts)})"] = np.concatenate(pieces)
    shown = np.clip((small - low) / max(high - low, 1e-300), 0.0, 1.0)
    return Picture(title, shown, scale * step, "px" if pixel_nm is None else "nm", lines)
