"""Pictures of a microscope: TIFF, PNG and JPEG by Pillow; dm3, dm4, ser and emi by rosettasciio where it is installed.

The scale is taken where a file states a size that a microscope can have; the 72 dots per inch that any program writes
are none. Sizes are looked at before anything is unpacked, so that a small file cannot fill the memory.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import units
from perolas.core.errors import InputError, one_line
from perolas.core.observation import make_image
from perolas.core.pixel import parse_scale
from perolas.io.source import Source

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 2**26  # 8192 x 8192
MAX_FRAMES = 100_000
_COARSEST_NM = 1000.0  # 25,400 dots per inch: no printer, but any electron microscope
_COLOURS = ("red", "green", "blue")
_PIL_FORMATS = {"tiff": ("TIFF",), "png": ("PNG",), "jpeg": ("JPEG", "MPO")}
_MICROSCOPES = {"dm": "digitalmicrograph", "tia": "tia"}


@dataclass(frozen=True)
class Frame:
    """One picture of a file.

    Attributes:
        values: shape (ny, nx).
        pixel_nm: edge of a pixel, or None.
        units: ``"counts"`` or ``"1"``.
        conditions: what else the file says.
        instrument: as the file names it.
    """

    values: NDArray[np.float64]
    pixel_nm: float | None
    units: str = "1"
    conditions: dict[str, Any] = field(default_factory=dict)
    instrument: str | None = None


def is_tiff(data: bytes) -> bool:
    """Whether the content begins as a TIFF file, classic or big."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_dm(data: bytes) -> bool:
    """Whether the content begins as a file of DigitalMicrograph, version 3 or 4."""
    if data[:4] == b"\0\0\0\x03":
        return data[8:12] in (b"\0\0\0\0", b"\0\0\0\x01")
    return data[:4] == b"\0\0\0\x04" and data[12:16] in (b"\0\0\0\0", b"\0\0\0\x01")


def is_tia(data: bytes) -> bool:
    """Whether the content begins as a file of TIA (ser or emi)."""
    return data[:4] == b"II\x97\x01" or (data[:2] == b"JL" and b"<ObjectInfo>" in data)


def read_image(
    source: Source,
    kind: str,
    *,
    scale: str | float | None = None,
    channel: int | str | None = None,
    technique: str | None = None,
) -> xr.Dataset:
    """Read one picture.

    Args:
        source: the file.
        kind: ``"tiff"``, ``"png"``, ``"jpeg"``, ``"dm"`` or ``"tia"``.
        scale: size of a pixel such as ``"0.02 nm/px"``; it wins over what the file says.
        channel: number of the frame from 0 where there are several, or ``"red"``, ``"green"``, ``"blue"``; by default
            colours become grey.
        technique: recorded in the observation.

    Returns:
        An observation that is an image; without a scale where there is none.

    Raises:
        InputError: damaged, too large, several frames and none chosen, or numbers that cannot be used.
    """
    given = None if scale is None else parse_scale(scale)
    found = _ordinary(source, kind, channel) if kind in _PIL_FORMATS else _microscope(source, kind, channel)
    values = found.values
    if values.ndim != 2 or min(values.shape) < 2:
        raise InputError(f"Its picture has {' x '.join(map(str, values.shape))} values, so it is none.")
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise InputError(f"The picture has {bad} values that are not numbers (NaN or infinite).")
    conditions = {k: v for k, v in found.conditions.items() if v not in (None, "")}
    if given is not None:
        conditions["scale_from"] = "given"
    pixel = given if given is not None else found.pixel_nm
    return make_image(
        values,
        pixel,
        units=found.units,
        conditions=conditions,
        instrument=found.instrument,
        technique=technique,
        format=kind,
        source=source.name,
        sha256=source.sha256,
    )


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(
            f"Its picture has {width} x {height} pixels, more than the {MAX_PIXELS:,} that are read; cut out a part."
        )


def _frame_number(channel: int | str | None, frames: int) -> int:
    """Return the number of the frame that was asked for."""
    number = None if channel is None else str(channel).strip()
    if number is None or number.lower() in _COLOURS:
        if frames == 1:
            return 0
        raise InputError(f"It holds {frames} frames; choose one with channel=0 to {frames - 1} (--channel).")
    if not re.fullmatch(r"\d{1,6}", number) or int(number) >= frames:
        many = f"frames 0 to {frames - 1}" if frames > 1 else "one frame, 0"
        raise InputError(
            f'There is no channel "{one_line(channel, 20)}"; there is {many}, and {", ".join(_COLOURS)} in a colour '
            "picture."
        )
    return int(number)


def _ordinary(source: Source, kind: str, channel: int | str | None) -> Frame:
    from PIL import Image, UnidentifiedImageError

    shown = kind.upper()
    try:
        with Image.open(io.BytesIO(source.data), formats=_PIL_FORMATS[kind]) as picture:
            _check_size(*picture.size)
            frames = 1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1))
            if frames > MAX_FRAMES:
                raise InputError(f"It announces {frames} frames.")
            picture.seek(_frame_number(channel, frames))
            _check_size(*picture.size)
            picture.load()
            values, about = _grey(picture, channel)
            pixel, where = _pixel(picture, kind)
            instrument = _instrument(picture) if kind == "tiff" else None
    except Image.DecompressionBombError:
        raise InputError(
            f"Its picture has more than the {MAX_PIXELS:,} pixels that are read; cut out a part."
        ) from None
    except UnidentifiedImageError:
        raise InputError(
            f"It begins like a {shown} image, but is damaged or of a kind that is not read; save it again as grey TIFF."
        ) from None
    except InputError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... on damaged files
        raise InputError(
            f"It is a {shown} image that is cut short, damaged or packed in a way that is not read "
            f"({type(error).__name__}); save it again."
        ) from error
    return Frame(values, pixel, "1", {**about, "scale_from": where}, instrument)


def _grey(picture: Image.Image, channel: int | str | None) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Return grey values, with what white is and how colours were dealt with."""
    colour = str(channel).lower() if str(channel).lower() in _COLOURS else None
    mode = picture.mode
    if mode in ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        if colour:
            raise InputError(f'It is a grey picture, so there is no channel "{colour}".')
        white: float | None = 255.0
        if mode == "1":
            picture = picture.convert("L")
        elif mode in ("L", "LA"):
            picture = picture.getchannel(0)
        else:
            white = 65535.0 if mode.startswith("I;16") else None
        return np.asarray(picture, dtype=np.float64), {"white": white}
    # ITU-R 601: what the eye sees; equal colours stay what they are.
    planes = np.asarray(picture.convert("RGB"))
    if colour:
        return planes[..., _COLOURS.index(colour)].astype(np.float64), {"white": 255.0, "colour": colour}
    if np.array_equal(planes[..., 0], planes[..., 1]) and np.array_equal(planes[..., 0], planes[..., 2]):
        return planes[..., 0].astype(np.float64), {"white": 255.0}
    grey = planes @ np.array([0.299, 0.587, 0.114])
    return grey, {"white": 255.0, "colour": "grey from three colours"}


def _plausible(pixel_nm: float) -> float | None:
    return pixel_nm if math.isfinite(pixel_nm) and 1e-4 < pixel_nm < _COARSEST_NM else None


def _pixel(picture: Image.Image, kind: str) -> tuple[float | None, str | None]:
    """Return the size of a pixel, and where it was written."""
    if kind == "tiff":
        return _tiff_pixel(dict(picture.tag_v2))  # type: ignore[attr-defined]
    if kind == "png" and "dpi" in picture.info:
        across, down = (float(d) for d in picture.info["dpi"])
        found = _plausible(2.54e7 / across) if across > 0 and abs(down / across - 1) < 0.01 else None
        return found, "PNG resolution" if found else None
    return None, None


def _tiff_pixel(tags: dict[int, Any]) -> tuple[float | None, str | None]:
    for number, pattern, where in (
        (34118, r"(?:Image )?Pixel Size\s*=\s*([-+0-9.eE]+)\s*([a-zµμÅ]+)", "Zeiss metadata"),
        (34682, r"PixelWidth\s*=\s*([-+0-9.eE]+)()", "FEI metadata"),
        (34680, r"PixelWidth\s*=\s*([-+0-9.eE]+)()", "FEI metadata"),
    ):
        match = re.search(pattern, _words(tags.get(number)))
        if match:
            found = _length_nm(match[1], match[2] or "m")
            if found:
                return found, where
    per_unit = _rational(tags.get(282)), _rational(tags.get(283))
    if per_unit[0] is None or per_unit[0] <= 0 or (per_unit[1] and abs(per_unit[1] / per_unit[0] - 1) > 0.01):
        return None, None
    description = _words(tags.get(270))
    unit = re.search(r"^unit=(.+)$", description, re.MULTILINE) if "ImageJ" in description else None
    if unit:
        name = unit[1].strip().encode("ascii", "backslashreplace").decode().replace("\\u00B5", "u")
        found = _length_nm(1.0 / per_unit[0], name.replace("\\u00b5", "u").replace("\\xb5", "u"))
        return found, "ImageJ metadata" if found else None
    length = {2: 2.54e7, 3: 1e7}.get(int(tags.get(296, 2)))
    found = _plausible(length / per_unit[0]) if length else None
    return found, "TIFF resolution" if found else None


def _length_nm(number: str | float, unit: str) -> float | None:
    try:
        return _plausible(units.convert(f"{float(number):.12g} {unit}", "nm"))
    except (InputError, ValueError):
        return None


def _rational(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _words(value: Any) -> str:
    """Return a tag as text, of bounded length."""
    if isinstance(value, tuple):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        value = value[:100_000].decode("latin-1")
    return str(value)[:100_000] if isinstance(value, str) else ""


def _instrument(picture: Image.Image) -> str | None:
    tags = dict(picture.tag_v2)  # type: ignore[attr-defined]
    words = " ".join(_words(tags.get(number)) for number in (271, 272)).strip()
    return one_line(words, 80) or None


def _microscope(source: Source, kind: str, channel: int | str | None) -> Frame:
    """Read a file of DigitalMicrograph or TIA through rosettasciio, which has the licence GPL and so stays optional."""
    from importlib import import_module

    try:
        reader = import_module(f"rsciio.{_MICROSCOPES[kind]}")
    except ImportError:
        raise InputError(
            'It is a file of an electron microscope, which needs one more package: pip install "perolas[microscopy]".'
        ) from None
    try:
        signals = reader.file_reader(str(source.path), lazy=False)
    except MemoryError:
        raise
    except Exception as error:  # it raises anything on damaged files
        raise InputError(
            f"It is cut short or damaged ({type(error).__name__}); copy it again, a .emi with the .ser beside it."
        ) from error
    pictures = [s for s in signals if np.ndim(s["data"]) in (2, 3) and min(np.shape(s["data"])[-2:]) >= 2]
    if not pictures:
        raise InputError("It holds no picture.")
    if len(pictures) > 1:
        chosen, number = pictures[_frame_number(channel, len(pictures))], 0
    else:
        chosen = pictures[0]
        frames = np.shape(chosen["data"])[0] if np.ndim(chosen["data"]) == 3 else 1
        number = _frame_number(channel, frames)
    data = np.asarray(chosen["data"])
    _check_size(data.shape[-1], data.shape[-2])
    if data.dtype.kind not in "iuf":
        raise InputError(f"Its picture is of {one_line(data.dtype, 40)}, and only plain numbers are read.")
    data = np.asarray(data[number] if data.ndim == 3 else data, dtype=np.float64)
    sides = [a for a in chosen.get("axes", []) if a.get("size") in data.shape][-2:]
    sizes = [_length_nm(abs(float(a.get("scale", 0.0))), str(a.get("units", ""))) for a in sides]
    pixel = sizes[-1] if sizes and all(sizes) and abs(sizes[0] / sizes[-1] - 1) < 0.01 else None  # type: ignore[operator]
    about = {"scale_from": "the microscope's file" if pixel else None}
    return Frame(data, pixel, "1", about, "electron microscope")
