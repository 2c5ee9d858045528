"""A picture that belongs to a result: an image with outlines and marks on it, kept beside the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr


@dataclass(frozen=True, eq=False)
class Picture:
    """An image and what was found in it.

    Attributes:
        title: written above.
        image: shape (ny, nx), grey values; the first row is the upper one.
        pixel: edge of a pixel, in `unit`.
        unit: ``"nm"``, ``"1/nm"`` or ``"px"``.
        lines: label -> outlines, shape (n, 2) of x and y in `unit`; a row of NaN ends an outline.
        marks: label -> points, shape (n, 2) of x and y in `unit`.
        centred: whether the origin is the centre of the middle pixel (ny // 2, nx // 2), with y upwards, as in a
            Fourier transform; else it is the upper left corner, with y downwards.
    """

    title: str
    image: np.ndarray
    pixel: float = 1.0
    unit: str = "px"
    lines: Mapping[str, np.ndarray] = field(default_factory=dict)
    marks: Mapping[str, np.ndarray] = field(default_factory=dict)
    centred: bool = False

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Return left, right, bottom and top of the image in `unit`."""
        ny, nx = self.image.shape
        if not self.centred:
            return 0.0, nx * self.pixel, ny * self.pixel, 0.0
        left, top = -(nx // 2 + 0.5) * self.pixel, (ny // 2 + 0.5) * self.pixel
        return left, left + nx * self.pixel, top - ny * self.pixel, top


def put(data: xr.Dataset, pictures: Iterable[Picture]) -> xr.Dataset:
    """Return a dataset with pictures added as variables `picture_1`, `picture_1_line_1`, ...

    Args:
        data: any dataset.
        pictures: those to add.

    Returns:
        A new dataset.
    """
    data = data.copy()
    for k, picture in enumerate(pictures, 1):
        name = f"picture_{k}"
        about = {"units": "1", "title": picture.title, "pixel": float(picture.pixel), "pixel_unit": picture.unit}
        about["centred"] = int(picture.centred)
        image = np.asarray(picture.image, dtype=np.float32)
        data[name] = ((f"{name}_y", f"{name}_x"), image, about)
        for kind, found in (("line", picture.lines), ("mark", picture.marks)):
            for j, (label, points) in enumerate(found.items(), 1):
                part = f"{name}_{kind}_{j}"
                array = np.asarray(points, dtype=np.float32).reshape(-1, 2)
                if array.size:
                    data[part] = ((f"{part}_point", "xy"), array, {"units": picture.unit, "label": label})
    return data


def take(data: xr.Dataset) -> tuple[Picture, ...]:
    """Return the pictures that `put` added to a dataset.

    Args:
        data: any dataset; what is not a picture is passed over.

    Returns:
        The pictures, in their order.
    """
    found = []
    k = 1
    while (name := f"picture_{k}") in data and data[name].ndim == 2:
        about = data[name].attrs
        parts: dict[str, dict[str, np.ndarray]] = {"line": {}, "mark": {}}
        for kind, held in parts.items():
            j = 1
            while (part := f"{name}_{kind}_{j}") in data:
                held[str(data[part].attrs.get("label", j))] = np.asarray(data[part].values, dtype=float)
                j += 1
        found.append(
            Picture(
                str(about.get("title", "")),
                np.asarray(data[name].values, dtype=float),
                float(about.get("pixel", 1.0)),
                str(about.get("pixel_unit", "px")),
                parts["line"],
                parts["mark"],
                bool(about.get("centred", 0)),
            )
        )
        k += 1
    return tuple(found)
