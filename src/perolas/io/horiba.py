"""Horiba DataStation text: one decay or instrument response, with its time calibration in the header.

The channel column counts from 1; the first channel begins at 0 ns.
"""

from __future__ import annotations

import re

import numpy as np

from perolas.core.errors import InputError
from perolas.io.block import Block
from perolas.io.source import Source
from perolas.io.table import lines_of, read_table

_CALIBRATION = re.compile(r"^\s*Time calibration:\s*([-+.\dEe]+)\s*([fpnuµm]?s)\s*/\s*ch", re.IGNORECASE)
_NS = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}


def is_horiba(text: str) -> bool:
    """Whether a text begins like a DataStation export."""
    head = text[:3000].lower()
    return "time calibration:" in head and "item name:" in head


def read_horiba(source: Source) -> list[Block]:
    """Read a DataStation export.

    Args:
        source: the file.

    Returns:
        One block, counts on ``time_ns``.

    Raises:
        InputError: no usable time calibration, or channels that are missing.
    """
    lines = lines_of(source.text)
    match = next((m for m in map(_CALIBRATION.match, lines[:50]) if m), None)
    try:
        step = float(match.group(1)) * _NS[match.group(2).lower()] if match else 0.0
    except ValueError:
        step = 0.0
    if not 0 < step < 1e9:
        raise InputError('Its line "Time calibration:" gives no time per channel; export it again.')
    table = read_table(lines, columns=2)
    channel = table.rows[:, 0]
    if not np.array_equal(channel, np.arange(channel.size) + channel[0]):
        raise InputError("Its channel numbers do not rise by one from line to line; lines are missing or doubled.")
    head = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[:50] if ":" in line)}
    return [
        Block(
            name=head.get("item name", ""),
            axis="time_ns",
            values=(channel - 1) * step,
            signal=table.rows[:, 1],
            counted=True,
            technique="trpl",
            instrument="Horiba DataStation",
            conditions={
                "bin_width_ns": step,
                "real_time_s": _number(head.get("real time")),
                "comment": head.get("comment", "")[:200],
            },
        )
    ]


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
