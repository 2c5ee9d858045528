"""Damaged files of every format raise the package's own error or read; nothing else, never for long or much memory.

`PEROLAS_FUZZ_SECONDS` makes the last test go on for that many seconds with each format (`make fuzz`).
"""

from __future__ import annotations

import faulthandler
import os
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.io import io_samples as make
from unit.io import test_io_images as images
from unit.io.bounds import bounded
from unit.test_ftir_files import jdx, opus, spa

from perolas.core.errors import PerolasError
from perolas.core.observation import AXIS_UNITS, validate
from perolas.io import read, read_all

FUZZ = settings(
    max_examples=60, deadline=5000, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
FOLDER = tempfile.TemporaryDirectory(prefix="perolas-fuzz-")


SAMPLES = {
    **make.SAMPLES,
    "opus": ("a.0", opus),
    "omnic": ("a.spa", spa),
    "jcamp": ("a.jdx", jdx),
    "tiff": ("a.tif", images.tiff),
    "png": ("a.png", lambda: images.written(images.GREY, "PNG")),
    "jpeg": ("a.jpg", lambda: images.written(images.GREY, "JPEG")),
    "tia": ("a.ser", images.ser),
}
PICTURES = (".tif", ".png", ".jpg", ".ser")


@cache
def original(name: str) -> bytes:
    data: bytes = SAMPLES[name][1]()
    return data


def attempt(file: str, data: bytes, **options: object) -> None:
    path = Path(FOLDER.name) / f"{os.getpid()}-{file}"
    path.write_bytes(data)
    said = f'"{path.name}".'
    try:
        with bounded():
            found = [read(path)] if path.suffix in PICTURES else read_all(path, **options)  # type: ignore[arg-type]
            for dataset in found:
                validate(dataset)
    except PerolasError as error:
        said = str(error)
    assert path.name in said
    assert said.endswith(".")
    assert "\n" not in said


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, overwrite, double or swap some bytes; one kind of damage after another."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        if not out:
            break
        at = int(rng.integers(len(out)))
        match int(rng.integers(7)):
            case 0:
                out = out[:at]
            case 1:
                out[at] = int(rng.integers(256))
            case 2:
                out[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80"])
            case 3:
                out[at : at + 8] = b"\xff" * 8
            case 4:
                out[at:at] = out[at : at + int(rng.integers(1, 40))]
            case 5:
                del out[at : at + int(rng.integers(1, 40))]
            case 6:
                out[at : at + 1] = rng.choice([b"nan", b"-", b"1e999", b",", b"\n", b"9999999999", b"\t", b"."])
    return bytes(out)


@pytest.mark.parametrize("name", sorted(SAMPLES))
@FUZZ
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_file(name: str, seed: int) -> None:
    attempt(SAMPLES[name][0], damage(original(name), np.random.default_rng(seed)))


@pytest.mark.parametrize("name", ["wdf", "spe", "ptu", "phu", "sdt"])
@FUZZ
@given(
    at=st.integers(0, 5000), value=st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f", b"\x01" + b"\0" * 7])
)
def test_damaged_header_of_binary_file(name: str, at: int, value: bytes) -> None:
    data = bytearray(original(name))
    at %= len(data)
    data[at : at + 8] = value[: len(data[at : at + 8])]
    attempt(SAMPLES[name][0], bytes(data))


NUMBERS = st.one_of(
    st.floats(width=32).map(repr), st.integers(-(10**6), 10**6).map(str), st.sampled_from(["", "x", "1,5", "-"])
)


@FUZZ
@given(
    rows=st.lists(st.lists(NUMBERS, min_size=1, max_size=4), max_size=12),
    separator=st.sampled_from(["\t", " ", ",", ";", ", "]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    header=st.sampled_from(["", "nm\tcounts", "# words", "Time (ps);Counts;error", "[Header]\nXAxisUnit = nm\n[Data]"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
    axis=st.sampled_from([None, *AXIS_UNITS]),
)
def test_columns_of_anything(
    rows: list[list[str]], separator: str, newline: str, header: str, encoding: str, axis: str | None
) -> None:
    content = newline.join([header, *(separator.join(r) for r in rows)])
    attempt("a.txt", content.encode(encoding), axis=axis)


@FUZZ
@given(content=st.text(max_size=300))
@example(content="\ufeff")
@example(content="\x85\u2028 1 2")
def test_any_text(content: str) -> None:
    attempt("a.txt", content.encode("utf-8", errors="replace"), axis="time_ns", units="counts")


@FUZZ
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"WDF1", b"PQTTTR\0\0", b"PQHISTO\0", b"\x89HDF\r\n\x1a\n"]),
)
def test_any_bytes(content: bytes, start: bytes) -> None:
    attempt("a.bin", start + content, axis="time_ns")


@FUZZ
@given(
    x=st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30, unique=True).map(sorted),
    comma=st.booleans(),
    separator=st.sampled_from(["\t", ";"]),
    data=st.data(),
)
def test_what_is_written_is_read(x: list[float], comma: bool, separator: str, data: st.DataObject) -> None:
    y = data.draw(st.lists(st.floats(-1e6, 1e6, width=32), min_size=len(x), max_size=len(x)))
    content = "".join(f"{a!r}{separator}{b!r}\n" for a, b in zip(x, y, strict=True))
    path = Path(FOLDER.name) / f"{os.getpid()}-written.txt"
    path.write_text(content.replace(".", ",") if comma else content)
    (dataset,) = read_all(path, axis="channel", units="arb")
    assert dataset.channel.values.tolist() == x
    assert dataset.signal.values.tolist() == y


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_for_long(name: str) -> None:
    seconds = float(os.environ.get("PEROLAS_FUZZ_SECONDS", "2"))
    rng = np.random.default_rng(int(time.time()))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seed = int(rng.integers(2**63))
        faulthandler.dump_traceback_later(30, exit=True)  # nothing else ends a loop in C
        try:
            attempt(SAMPLES[name][0], damage(original(name), np.random.default_rng(seed)))
        except Exception as error:
            raise AssertionError(f"{name} with seed {seed} raised {type(error).__name__}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
