"""Pictures of a result: images with outlines and marks, as PNG for the page and as panels of a figure."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from perolas.core import picture
from perolas.core.observation import is_image, pixel_nm
from perolas.core.picture import Picture
from perolas.report import plots

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Larger images are thinned to about this many pixels along their longer side: a page shows no more.
SHOWN = 1200
_SHORT_LABEL = 26


def pictures_of(dataset: xr.Dataset) -> tuple[Picture, ...]:
    """Return the pictures that a dataset carries; an image that is itself the signal is one.

    Args:
        dataset: of an estimate, an observation or a step.

    Returns:
        The pictures, in the order in which they are shown.
    """
    found = picture.take(dataset)
    if found or not is_image(dataset):
        return found
    scale = pixel_nm(dataset)
    image = np.asarray(dataset["signal"].values, dtype=float)
    return (Picture("", image, 1.0 if scale is None else scale, "px" if scale is None else "nm"),)


def draw(axes: Axes, shown: Picture) -> None:
    """Draw a picture with its outlines, marks and axes in its unit.

    Args:
        axes: where to.
        shown: the picture.
    """
    step = max(1, -(-max(shown.image.shape) // SHOWN))
    image = shown.image[::step, ::step]
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, (0.5, 99.5)) if finite.size else (0.0, 1.0)
    axes.imshow(
        image, cmap="gray", vmin=low, vmax=high if high > low else low + 1.0, extent=shown.extent, interpolation="none"
    )
    for i, (label, points) in enumerate(shown.lines.items()):
        axes.plot(points[:, 0], points[:, 1], color=_colour(i), lw=0.9, label=_literal(label))
    for i, (label, points) in enumerate(shown.marks.items(), len(shown.lines)):
        style = {"ls": "", "marker": "o", "ms": 9, "mfc": "none", "mew": 1.1, "mec": _colour(i)}
        axes.plot(points[:, 0], points[:, 1], label=_literal(label), **style)  # type: ignore[arg-type]
    left, right, bottom, top = shown.extent
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xlabel(shown.unit)
    axes.set_ylabel(shown.unit)
    if shown.title:
        axes.set_title(_literal(shown.title), fontsize=9.0)
    if shown.lines or shown.marks:
        from matplotlib.transforms import ScaledTranslation

        words = max(len(label) for label in (*shown.lines, *shown.marks))
        columns = 2 if words <= _SHORT_LABEL else 1  # a legend wider than the image would make the image small
        below = axes.transAxes + ScaledTranslation(0.0, -36 / 72, axes.figure.dpi_scale_trans)
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, 0.0),
            bbox_transform=below,
            ncols=columns,
            borderaxespad=0.0,
            fontsize=7.5,
        )


def _colour(index: int) -> str:
    return str(plots.COLOURS[index % len(plots.COLOURS)])


def _literal(words: str) -> str:
    return words.replace("$", r"\$")


def data_uri(shown: Picture) -> str:
    """Return a picture as PNG that may stand in a page; the same picture gives the same bytes.

    Args:
        shown: the picture.

    Returns:
        ``data:image/png;base64,...``
    """
    import matplotlib
    from matplotlib.figure import Figure

    from perolas.report.figures import STYLE

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        ny, nx = shown.image.shape
        room = 0.9 + 0.2 * (len(shown.lines) + len(shown.marks))  # title, axis, legend
        drawn = Figure(figsize=(4.6, min(max(4.1 * ny / nx, 1.6), 8.0) + room), dpi=130, layout="constrained")
        draw(drawn.subplots(), shown)
        kept = io.BytesIO()
        drawn.savefig(kept, format="png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.06)
    return "data:image/png;base64," + base64.b64encode(kept.getvalue()).decode()
