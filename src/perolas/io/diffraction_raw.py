"""Bruker's binary powder patterns (.raw, versions 3 and 4), read by rietx where it is installed.

Versions 1 and 2 are refused: no two descriptions of them agree. rietx switches on a record of what it does; that is
switched off before it is imported.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block
from perolas.io.source import Source

_READ = (b"RAW1.01", b"RAW4.00")
_OLD = (b"RAW2", b"RAW ")


def is_bruker_raw(data: bytes) -> bool:
    """Whether a file begins as Bruker's binary patterns do, old versions included."""
    return data.startswith((*_READ, *_OLD))


def read_bruker_raw(source: Source) -> list[Block]:
    """Read the ranges of a Bruker binary file.

    Args:
        source: the file.

    Returns:
        One block for each range that is a scan of two theta.

    Raises:
        InputError: an old version, a damaged file, another axis, or rietx is not installed.
    """
    if not source.data.startswith(_READ):
        raise InputError(
            "It is a Bruker raw file of version 1 or 2, of which no reliable description exists; export it as brml, as "
            "raw of version 3 or 4, or as two columns."
        )
    os.environ.setdefault("RIETX_TELEMETRY", "off")
    try:
        from rietx.io.formats.bruker_raw import list_bruker_raw_scans
        from rietx.io.formats.bruker_raw import read_bruker_raw as read_with_rietx
    except ImportError:
        raise InputError(
            'Bruker raw files are read by rietx, which is not installed; pip install "perolas[diffraction]", or export '
            "the scan as brml or as two columns."
        ) from None
    try:
        count = len(list_bruker_raw_scans(source.path))
        found: list[Any] = [read_with_rietx(source.path, scan=i) for i in range(min(count, MAX_BLOCKS))]
    except (ValueError, OverflowError, IndexError) as error:
        said = str(error).removeprefix(f"{source.path.name}: ").partition(". ")[0]
        raise InputError(f"It cannot be used: {one_line(said, 200).rstrip('.')}.") from None
    return [_block(i, scan) for i, scan in enumerate(found)]


def _block(index: int, scan: Any) -> Block:
    said = dict(scan.metadata or {})
    first, second = (_nm(said.get(name)) for name in ("wavelength", "wavelength_alpha2"))
    return Block(
        name=f"range {index + 1}",
        axis="two_theta_deg",
        values=np.asarray(scan.two_theta, dtype=float),
        signal=np.asarray(scan.intensity, dtype=float),
        technique="xrd",
        instrument="Bruker",
        conditions={
            "wavelength_nm": first,
            "wavelength2_nm": second,
            "anode": said.get("anode") or None,
            "radius_mm": said.get("goniometer_radius_mm") or None,
            "time_per_step_s": said.get("count_time_s"),
            "temperature_k": said.get("temperature_k"),
        },
    )


def _nm(angstrom: Any) -> float | None:
    if not isinstance(angstrom, int | float) or not np.isfinite(angstrom) or not 0.05 <= angstrom <= 10:
        return None
    return round(float(angstrom) * 0.1, 10)
