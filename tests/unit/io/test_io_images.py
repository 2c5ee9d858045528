"""Pictures: what was written is read, with its scale where a file states one; bad ones are refused with a sentence."""

from __future__ import annotations

import builtins
import io
import os
import struct
import tempfile
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from perolas.core.errors import InputError, PerolasError
from perolas.core.observation import conditions_of, is_image, pixel_nm
from perolas.core.pixel import parse_scale, with_pixel
from perolas.io import formats, read, read_all

GREY = np.arange(12 * 8, dtype=np.uint8).reshape(8, 12)


def written(values: np.ndarray, kind: str, **options: Any) -> bytes:
    kept = io.BytesIO()
    Image.fromarray(values).save(kept, format=kind, **options)
    return kept.getvalue()


def tiff(values: np.ndarray = GREY, tags: dict[int, Any] | None = None, **options: Any) -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in (tags or {}).items():
        info[number] = value
        if isinstance(value, str):
            info.tagtype[number] = 2
    return written(values, "TIFF", tiffinfo=info, **options)


def ser(values: np.ndarray = GREY, pixel_m: float = 2e-10, elements: int = 1) -> bytes:
    """Return a TIA file by the layout that Boothroyd described (version 0x0210)."""
    head = struct.pack("<2sHHIIIII", b"II", 0x0197, 0x0210, 0x4122, 0x4152, elements, elements, 0)
    dimension = struct.pack("<IddIII", elements, 0.0, 1.0, 0, 6, 0)[:-4] + b"Number" + struct.pack("<I", 0)
    start = len(head) + 4 + len(dimension)
    head = head[:-4] + struct.pack("<I", start)
    ny, nx = values.shape
    element = struct.pack("<ddiddiHii", 0.0, pixel_m, 0, 0.0, pixel_m, 0, 2, nx, ny)
    element += values[::-1].astype("<u2").tobytes()  # stored from the lowest row up
    tag = struct.pack("<HHI", 0x4152, 0, 0)
    first = start + 8 * elements
    places = [first + i * (len(element) + len(tag)) for i in range(elements)]
    offsets = b"".join(struct.pack("<I", p) for p in [*places, *(p + len(element) for p in places)])
    return head + struct.pack("<I", 1) + dimension + offsets + (element + tag) * elements


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def refuse(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 400
    assert path.name in said
    assert str(path.parent) not in said
    return said


DEEP = (GREY.astype(np.uint16) + 1) * 500


@pytest.mark.parametrize(
    ("name", "data", "values"),
    [
        ("a.tif", tiff(), GREY),
        ("a.tif", tiff(DEEP), DEEP),
        ("a.tif", tiff(GREY.astype(np.float32) / 7), GREY.astype(np.float32) / 7),
        ("a.tif", tiff(GREY.astype(np.int32) * 1000 - 5), GREY.astype(np.int32) * 1000 - 5),
        ("a.tif", tiff(np.repeat(GREY[..., None], 3, axis=2)), GREY),
        ("a.tif", tiff(compression="tiff_lzw"), GREY),
        ("a.png", written(GREY, "PNG"), GREY),
        ("a.png", written(DEEP, "PNG"), DEEP),
        ("a.jpg", written(np.full((8, 8), 90, np.uint8), "JPEG"), np.full((8, 8), 90)),
        ("renamed.dat", written(GREY, "PNG"), GREY),
    ],
)
def test_what_was_written_is_read(name: str, data: bytes, values: np.ndarray, tmp_path: Path) -> None:
    image = read(put(tmp_path, name, data), technique="tem")
    assert is_image(image)
    assert np.array_equal(image.signal.values, values)
    assert image.signal.attrs["units"] == "1"
    assert pixel_nm(image) is None
    assert image.attrs["source"] == name
    assert image.attrs["technique"] == "tem"
    assert len(read_all(put(tmp_path, name, data))) == 1


def test_colours(tmp_path: Path) -> None:
    colours = np.stack([GREY, GREY[::-1], GREY // 2], axis=2)
    path = put(tmp_path, "a.png", written(colours, "PNG"))
    assert np.allclose(read(path).signal.values, colours @ [0.299, 0.587, 0.114])  # ITU-R 601
    assert np.array_equal(read(path, channel="green").signal.values, GREY[::-1])
    assert "grey picture" in refuse(put(tmp_path, "b.png", written(GREY, "PNG")), channel="red")
    assert 'no channel "4"' in refuse(path, channel=4)


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        (tiff(resolution_unit="cm", x_resolution=2e7, y_resolution=2e7), 0.5),
        (tiff(resolution_unit="inch", x_resolution=2.54e7, y_resolution=2.54e7), 1.0),
        (tiff(tags={270: "ImageJ=1.53t\nunit=nm\nloop=false\n"}, x_resolution=4.0, y_resolution=4.0), 0.25),
        (tiff(tags={270: "ImageJ=1.53t\nunit=\\u00B5m\n"}, x_resolution=4000.0, y_resolution=4000.0), 0.25),
        (tiff(tags={270: "ImageJ=1.53t\nunit=inch\n"}, x_resolution=72.0, y_resolution=72.0), None),
        (tiff(tags={34682: "[Scan]\nPixelWidth=3.5e-10\nPixelHeight=3.5e-10\n"}), 0.35),
        (tiff(tags={34118: "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 1.116 nm\r\n"}), 1.116),
        (tiff(resolution_unit="inch", x_resolution=72.0, y_resolution=72.0), None),  # any program's default
        (tiff(resolution_unit="cm", x_resolution=2e7, y_resolution=1e7), None),  # pixels that are not square
        (written(GREY, "PNG", dpi=(2.54e7, 2.54e7)), 1.0),
        (written(GREY, "PNG", dpi=(72, 72)), None),
    ],
)
def test_scale_is_found(data: bytes, pixel: float | None, tmp_path: Path) -> None:
    path = put(tmp_path, "a.tif", data)
    found = pixel_nm(read(path))
    assert found == (None if pixel is None else pytest.approx(pixel, rel=1e-4))
    given = read(path, scale="0.02 nm/px")
    assert pixel_nm(given) == pytest.approx(0.02)
    assert conditions_of(given)["scale_from"] == "given"


@pytest.mark.parametrize(
    ("text", "pixel"),
    [
        ("0.02 nm/px", 0.02),
        ("0.2 angstrom/pixel", 0.02),
        ("50 px/nm", 0.02),
        ("20 pm per px", 0.02),
        ("0.02", 0.02),
        (0.02, 0.02),
        ("1.5 um/px", 1500.0),
    ],
)
def test_scales_as_people_write_them(text: str | float, pixel: float) -> None:
    assert parse_scale(text) == pytest.approx(pixel, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "nm", "0 nm/px", "-1 nm/px", "nan", "1 kg/px", "1 nm/px/px", "0 px/nm", 1e9, "x" * 999]
)
def test_scales_that_are_none(text: str | float) -> None:
    with pytest.raises(InputError, match="The scale must be the size of a pixel"):
        parse_scale(text)


def test_another_scale_keeps_the_rest(tmp_path: Path) -> None:
    image = read(put(tmp_path, "a.png", written(GREY, "PNG")))
    scaled = with_pixel(image, 0.5)
    assert pixel_nm(scaled) == pytest.approx(0.5)
    assert scaled.attrs["sha256"] == image.attrs["sha256"]
    assert np.array_equal(scaled.signal.values, image.signal.values)


def test_several_frames_need_a_choice(tmp_path: Path) -> None:
    data = tiff(save_all=True, append_images=[Image.fromarray(GREY[::-1].copy()), Image.fromarray(GREY)])
    path = put(tmp_path, "a.tif", data)
    assert "3 frames" in refuse(path)
    assert "--channel" in refuse(path)
    assert np.array_equal(read(path, channel=1).signal.values, GREY[::-1])
    assert np.array_equal(read(path, channel="2").signal.values, GREY)
    assert 'no channel "3"' in refuse(path, channel=3)
    assert 'no channel "-1"' in refuse(path, channel=-1)


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
def test_cut_short_anywhere(kind: str, tmp_path: Path) -> None:
    data = written(GREY, kind)
    name = {"TIFF": "a.tif", "PNG": "a.png", "JPEG": "a.jpg"}[kind]
    for length in sorted({*range(1, 30), *np.linspace(30, len(data) - 20, 30).astype(int).tolist()}):
        said = refuse(put(tmp_path, name, data[:length]))
        assert "cut short" in said or "damaged" in said or "not text" in said or "does not hold" in said, said
    assert "is empty" in refuse(put(tmp_path, name, b""))


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.png", "a.jpg", "a.jpeg", "a.dm3", "a.dm4", "a.ser", "a.emi"])
def test_words_under_every_extension(name: str, tmp_path: Path) -> None:
    assert "does not hold" in refuse(put(tmp_path, name, b"dear reader, this is a letter\n"))


def test_numbers_that_are_none(tmp_path: Path) -> None:
    values = GREY.astype(np.float32)
    values[2, 3] = np.nan
    assert "1 values that are not numbers" in refuse(put(tmp_path, "a.tif", tiff(values)))
    assert "it is none" in refuse(put(tmp_path, "a.png", written(GREY[:1], "PNG")))


def test_a_picture_is_no_spectrum(tmp_path: Path) -> None:
    path = put(tmp_path, "a.png", written(GREY, "PNG"))
    assert "It is a picture".lower() in refuse(path, axis="time_ns").lower()
    text = put(tmp_path, "a.txt", b"1 2\n2 3\n3 4\n")
    assert "scale belongs to a picture" in refuse(text, scale="1 nm/px", axis="time_ns")


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of zeros with a few rows of data, whatever its header announces."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def wide(data: bytes) -> bytes:
    """Return a TIFF whose tag of the width (256) says a hundred million."""
    at = data.index(struct.pack("<H", 256), 8)
    return data[: at + 2] + struct.pack("<HII", 4, 1, 10**8) + data[at + 12 :]


@pytest.mark.parametrize(
    "data",
    [
        bomb(9000, 9000),
        bomb(30000, 30000),
        bomb(2**31 - 1, 2**31 - 1),
        wide(tiff()),
    ],
)
def test_absurd_sizes_cost_nothing(data: bytes, tmp_path: Path) -> None:
    path = put(tmp_path, "a.png", data)
    tracemalloc.start()
    start = time.perf_counter()
    assert "pixels" in refuse(path)
    assert time.perf_counter() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_ser_of_tia(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    image = read(put(tmp_path, "a.ser", ser()))
    assert np.array_equal(image.signal.values, GREY)
    assert pixel_nm(image) == pytest.approx(0.2)
    assert "cut short or damaged" in refuse(put(tmp_path, "b.ser", ser()[:90]))


def test_microscopes_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("rsciio"):
            raise ImportError(name)
        return builtins.__import__(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert "perolas[microscopy]" in refuse(put(tmp_path, "a.ser", ser()))
    dm = b"\0\0\0\x03" + struct.pack(">I", 100) + b"\0\0\0\x01" + bytes(100)
    assert "perolas[microscopy]" in refuse(put(tmp_path, "a.dm3", dm))


def test_damaged_dm(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    dm = b"\0\0\0\x03" + struct.pack(">I", 100) + b"\0\0\0\x01" + bytes(100)
    assert "damaged" in refuse(put(tmp_path, "a.dm3", dm)) or "no picture" in refuse(put(tmp_path, "a.dm3", dm))


def test_formats_are_listed() -> None:
    assert {"tiff", "png", "jpeg", "dm", "tia"} <= {f.name for f in formats()}


@pytest.mark.parametrize("make", [tiff, lambda: written(GREY, "PNG"), lambda: written(GREY, "JPEG"), ser])
def test_fuzz_damage_is_one_sentence(make: Any) -> None:
    rng = np.random.default_rng(4)
    original = make()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{os.getpid()}.bin"
        for _ in range(150):
            data = bytearray(original)
            for _ in range(int(rng.integers(1, 6))):
                at = int(rng.integers(len(data)))
                data[at : at + int(rng.integers(0, 4))] = rng.integers(0, 256, 2, dtype=np.uint8).tobytes()
            path.write_bytes(bytes(data) or b"x")
            start = time.perf_counter()
            said = f'"{path.name}".'
            try:
                read(path)
            except PerolasError as error:
                said = str(error)
            assert said.endswith(".")
            assert path.name in said
            assert time.perf_counter() - start < 5
