"""Princeton Instruments SPE: WinSpec 2.x (binary header) and LightField 3 (XML footer).

The layout is that of the maker's "SPE 3.0 File Format Specification" (4100-byte header; offsets below). A small
reader of our own, because the one package kept up (spexread 0.2.2) sizes its memory by what the header declares,
lets XML entities expand, and evaluates the WinSpec polynomial from pixel 0, although the calibration points in such
files (pixel_position, calib_value) fit a first pixel of 1. Here sizes are held against the file before anything is
allocated, and a footer with a DOCTYPE or ENTITY is refused.
"""

from __future__ import annotations

import struct
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block, check_count
from perolas.io.columns import axis_meaning
from perolas.io.source import Source

HEADER = 4100
_TYPES = {0: "<f4", 1: "<i4", 2: "<i2", 3: "<u2", 5: "<f8", 6: "u1", 8: "<u4"}
_PIXELS = {"MonochromeUnsigned16": "<u2", "MonochromeUnsigned32": "<u4", "MonochromeFloating32": "<f4"}
_MAX_FOOTER = 32 * 2**20


def is_spe(data: bytes) -> bool:
    """Whether the content has the marks of an SPE header."""
    return len(data) >= HEADER and (data[4098:4100] == b"UU" or data[2996:3000] == b"\x67\x45\x23\x01")


def read_spe(source: Source) -> list[Block]:
    """Read the frames of an SPE file.

    Args:
        source: the file.

    Returns:
        One block per frame and region of interest; several rows of a frame are a batch.

    Raises:
        InputError: cut short, damaged, or without a usable calibration.
    """
    if len(source.data) < HEADER:
        raise InputError(f"It holds {len(source.data)} bytes, less than the {HEADER} of an SPE header; copy it again.")
    version = struct.unpack_from("<f", source.data, 1992)[0]
    return _lightfield(source.data) if version >= 3 else _winspec(source.data)


def _frames(
    data: bytes, dtype: str, frames: int, offset: int, stride: int, shape: tuple[int, int]
) -> list[NDArray[Any]]:
    size_of = f"{frames} frames of {shape[1]} x {shape[0]} pixels"
    kind = np.dtype(dtype)
    size = kind.itemsize * shape[0] * shape[1]
    if not (0 < frames <= MAX_BLOCKS and shape[0] > 0 and shape[1] > 1 and stride >= size and offset >= HEADER):
        raise InputError(f"Its header announces {size_of}, which cannot be read.")
    if offset + stride * (frames - 1) + size > len(data):
        raise InputError(f"Its header announces {size_of}, more than it holds; it is cut short or damaged.")
    check_count(frames * shape[0] * shape[1])
    return [
        np.frombuffer(data, kind, shape[0] * shape[1], offset + stride * i).reshape(shape).astype(np.float64)
        for i in range(frames)
    ]


def _winspec(data: bytes) -> list[Block]:
    width, height = (struct.unpack_from("<H", data, at)[0] for at in (42, 656))
    kind, frames = struct.unpack_from("<h", data, 108)[0], struct.unpack_from("<i", data, 1446)[0]
    if kind not in _TYPES:
        raise InputError(f"Its header names data type {kind}, which SPE files do not have.")
    stride = np.dtype(_TYPES[kind]).itemsize * width * height
    images = _frames(data, _TYPES[kind], frames, HEADER, stride, (height, width))
    regions = struct.unpack_from("<h", data, 1510)[0]
    start, _, group = struct.unpack_from("<3H", data, 1512)
    if regions > 1:
        raise InputError(f"It holds {regions} regions of interest, which are not read; save them singly.")
    group = max(group, 1)
    pixels = max(start, 1) + np.arange(width) * group + (group - 1) / 2  # WinSpec counts pixels from 1
    axis, values, laser = _winspec_axis(data, pixels)
    conditions = {
        "exposure_s": _finite(struct.unpack_from("<f", data, 10)[0]),
        "detector_temperature_c": _finite(struct.unpack_from("<f", data, 36)[0]),
        "accumulations": struct.unpack_from("<I", data, 668)[0] or None,
        "date": one_line(data[20:30].split(b"\0")[0].decode("latin-1"), 20),
        "laser_nm": laser,
    }
    return _blocks(images, axis, values, conditions, "Princeton Instruments WinSpec")


def _winspec_axis(data: bytes, pixels: NDArray[np.float64]) -> tuple[str, NDArray[np.float64], float | None]:
    """Return the calibrated axis; its unit is what the calibration's own label says ("Wavelength [nm]")."""
    valid, order = data[3098], data[3101]
    meaning = axis_meaning(data[3018:3058].split(b"\0")[0].decode("latin-1"))
    if not valid or meaning.axis in (None, "channel") or not meaning.factor or not 0 < order <= 5:
        return "channel", pixels, None
    coefficients = np.array(struct.unpack_from("<6d", data, 3263))[: order + 1]
    with np.errstate(all="ignore"):
        values = np.polynomial.polynomial.polyval(pixels, coefficients) * meaning.factor
    if not np.all(np.isfinite(values)):
        raise InputError("Its wavelength calibration is not made of numbers; calibrate it again.")
    laser = _finite(struct.unpack_from("<d", data, 3311)[0])
    return str(meaning.axis), values, laser if laser and 100 < laser < 1e5 else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _blocks(
    images: list[NDArray[np.float64]],
    axis: str,
    values: NDArray[np.float64],
    conditions: dict[str, Any],
    maker: str,
    prefix: str = "",
) -> list[Block]:
    return [
        Block(
            name=f"{prefix}frame {i}",
            axis=axis,
            values=values,
            signal=image[0] if image.shape[0] == 1 else image,
            instrument=maker,
            conditions=conditions,
        )
        for i, image in enumerate(images)
    ]


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _footer(data: bytes) -> ElementTree.Element:
    offset = struct.unpack_from("<Q", data, 678)[0]
    if not HEADER <= offset < len(data) or len(data) - offset > _MAX_FOOTER:
        raise InputError("Its XML footer is missing; it is cut short or damaged.")
    try:
        text = data[offset:].decode("utf-8-sig").rstrip("\0")
    except UnicodeDecodeError:
        raise InputError("Its XML footer cannot be decoded; it is damaged.") from None
    if "<!" in text.replace("<!--", ""):
        raise InputError("Its XML footer declares a document type or entities, which no instrument writes; refused.")
    try:
        return ElementTree.fromstring(text)  # no DTD can be in it, so there are no entities to expand
    except ElementTree.ParseError:
        raise InputError("Its XML footer is not complete; it is cut short or damaged.") from None


def _lightfield(data: bytes) -> list[Block]:
    root = _footer(data)
    elements = list(root.iter())
    frame = next((e for e in elements if _local(e) == "DataBlock" and e.get("type") == "Frame"), None)
    if frame is None:
        raise InputError("Its XML footer describes no frames; it is damaged.")
    dtype = _PIXELS.get(frame.get("pixelFormat", ""))
    if dtype is None:
        raise InputError(f'Its pixel format "{one_line(frame.get("pixelFormat"), 40)}" is not known.')
    count, stride = _whole(frame, "count"), _whole(frame, "stride")
    regions = [e for e in frame if _local(e) == "DataBlock" and e.get("type") == "Region"]
    wavelengths = next((e.text or "" for e in elements if _local(e) in ("Wavelength", "WavelengthError")), "")
    known = _wavelengths(wavelengths)
    mappings = {e.get("id"): e for e in elements if _local(e) == "SensorMapping"}
    exposure = next((e.text for e in elements if _local(e) == "ExposureTime" and e.text), None)
    conditions = {"exposure_s": _milli(exposure)}
    blocks, offset = [], HEADER
    for number, region in enumerate(regions):
        shape = (_whole(region, "height"), _whole(region, "width"))
        images = _frames(data, dtype, count, offset, stride, shape)
        links = (region.get("calibrations") or "").split(",")
        mapping = next((mappings[i] for i in links if i in mappings), None)
        axis, values = _region_axis(known, shape[1], mapping)
        prefix = f"ROI {number} " if len(regions) > 1 else ""
        blocks += _blocks(images, axis, values, conditions, "Princeton Instruments LightField", prefix)
        offset += _whole(region, "stride")
    if not 0 < len(blocks) <= MAX_BLOCKS:
        raise InputError(f"It holds {len(blocks)} spectra, which cannot be read.")
    return blocks


def _whole(element: ElementTree.Element, name: str) -> int:
    text = element.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise InputError(f'Its XML footer gives "{one_line(text, 20)}" as a {name}; it is damaged.')
    return int(text)


def _milli(text: str | None) -> float | None:
    try:
        return float(text) / 1e3 if text else None
    except ValueError:
        return None


def _wavelengths(text: str) -> NDArray[np.float64]:
    """Read "532.1,532.2 ..." or the form with errors, "532.1,0.01 532.2,0.01 ..."."""
    try:
        pairs = text.split()
        numbers = [p.split(",")[0] for p in pairs] if len(pairs) > 1 else text.split(",")
        return np.array([float(n) for n in numbers if n.strip()])
    except ValueError:
        raise InputError("Its wavelength calibration is not made of numbers; it is damaged.") from None


def _region_axis(
    known: NDArray[np.float64], width: int, mapping: ElementTree.Element | None
) -> tuple[str, NDArray[np.float64]]:
    """Return the axis of a region: the calibration is of the region, or of the whole sensor."""
    if known.size == width:
        return "wavelength_nm", known
    if known.size and mapping is not None:
        first, binning = _whole(mapping, "x"), max(_whole(mapping, "xBinning"), 1)
        if first + width * binning <= known.size:
            return "wavelength_nm", known[first : first + width * binning].reshape(width, binning).mean(axis=1)
    return "channel", np.arange(width, dtype=np.float64)
