"""Becker & Hickl ``.sdt``, through `sdtfile`.

The package allocates what the block headers declare and unpacks zipped blocks whole, so the chain of headers is
walked first and held against the file's size. Images are summed over their pixels.
"""

from __future__ import annotations

import io
import logging
import zipfile
from typing import Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block, check_count
from perolas.io.source import Source

_MAX_UNPACKED = 256 * 2**20
logging.getLogger("sdtfile").addHandler(logging.NullHandler())


def is_sdt(data: bytes) -> bool:
    """Whether the content has the marks of an SDT header."""
    marked = data[40:42] == b"\xaa\x55" or data[32:34] == b"UU"
    return len(data) >= 42 and marked and b"*IDENTIFICATION" in data[:4096]


def _check(data: bytes) -> None:
    """Walk the headers before anything is allocated."""
    from sdtfile import sdtfile as layout

    if len(data) < 42:
        raise InputError("It is shorter than the header of an sdt file; copy it again.")
    head = np.frombuffer(data, np.dtype(layout.FILE_HEADER).newbyteorder("<"), 1)[0]
    blocks = int(head["no_of_data_blocks"])
    blocks = int(head["reserved1"]) if blocks == 0x7FFF else blocks
    if not 0 < blocks <= MAX_BLOCKS:
        raise InputError(f"It announces {blocks} blocks of data, which cannot be read.")
    kind = layout.BLOCK_HEADER if int(head["revision"]) & 0xF >= 15 else layout.BLOCK_HEADER_OLD
    dtype = np.dtype(kind).newbyteorder("<")
    descriptions, length = int(head["no_of_meas_desc_blocks"]), int(head["meas_desc_block_length"])
    at = int(head["meas_desc_block_offs"])
    if descriptions < 1 or length < 1 or at < 0 or at + descriptions * length > len(data):
        raise InputError("Its measurement descriptions lie outside it; it is cut short or damaged.")
    offset, total = int(head["data_block_offs"]), 0
    for number in range(blocks):
        if not 0 <= offset <= len(data) - dtype.itemsize:
            raise InputError(f"Its block {number} of {blocks} lies outside it; it is cut short or damaged.")
        block = np.frombuffer(data, dtype, 1, offset)[0]
        start, following, size = (int(block[k]) for k in ("data_offs", "next_block_offs", "block_length"))
        if int(block["block_type"]) & 0x1000:
            stop = following if following > start else len(data)
            with zipfile.ZipFile(io.BytesIO(data[start:stop])) as packed:
                size = packed.infolist()[0].file_size
        elif not 0 <= start <= len(data) - size:
            raise InputError(f"Its block {number} announces {size} bytes, more than it holds; it is cut short.")
        total += size
        if total > _MAX_UNPACKED:
            raise InputError(f"Its blocks unpack to more than {_MAX_UNPACKED // 2**20} MiB, which is not read.")
        offset = following


def read_sdt(source: Source) -> list[Block]:
    """Read the decays of an ``.sdt`` file.

    Args:
        source: the file.

    Returns:
        One block per curve, counts on ``time_ns``.

    Raises:
        InputError: cut short, damaged, or without a time axis.
    """
    import sdtfile

    _check(source.data)
    blocks = []
    values = 0
    with source.path.open("rb") as stream, sdtfile.SdtFile(stream) as file:
        for number, (data, times) in enumerate(zip(file.data, file.times, strict=True)):
            image = data.ndim > 2
            summed = data.reshape(-1, data.shape[-1]).sum(axis=0, dtype=np.float64)
            curves = summed[None] if image else np.atleast_2d(data)
            values += curves.size
            check_count(values)
            step = float(times[1] - times[0]) * 1e9 if len(times) > 1 else 0.0
            if not 0 < step < 1e6:
                raise InputError(f"Its block {number} has no time axis (time-to-amplitude range or gain is missing).")
            info = file.block_measure_info(number)
            for i, curve in enumerate(curves):
                blocks.append(
                    Block(
                        name=f"block {number}" + (f" curve {i}" if len(curves) > 1 else ""),
                        axis="time_ns",
                        values=np.asarray(times, dtype=np.float64) * 1e9,
                        signal=curve.astype(np.float64),
                        counted=True,
                        technique="trpl",
                        instrument=f"Becker & Hickl {_text(info, 'mod_ser_no')}".strip(),
                        conditions={
                            "bin_width_ns": step,
                            "collection_time_s": float(info["col_t"]) if "col_t" in info.dtype.names else None,
                            "summed_over_pixels": int(data.size // data.shape[-1]) if image else None,
                        },
                    )
                )
                if len(blocks) > MAX_BLOCKS:
                    raise InputError(f"It holds more than {MAX_BLOCKS} curves, which are not read.")
    return blocks


def _text(info: Any, name: str) -> str:
    value = info[name] if name in (info.dtype.names or ()) else b""
    return one_line(bytes(value).decode("latin-1"), 30)
