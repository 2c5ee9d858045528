"""PicoQuant ``.ptu`` (T3 events, summed to one decay per channel) and ``.phu`` (histograms), through `ptufile`.

A T3 decay runs over the bins between two excitation pulses that the hardware can record, whether or not a photon
fell into the last of them: an empty bin is a measurement too. Images are summed over their pixels.
"""

from __future__ import annotations

import io
import logging
import math
from typing import Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block, check_count
from perolas.io.source import Source

PTU_MAGIC, PHU_MAGIC = b"PQTTTR\0\0", b"PQHISTO\0"
_MAX_BINS = 2**20
logging.getLogger("ptufile").addHandler(logging.NullHandler())  # what it logs about damage becomes our one sentence


def _positive(value: Any, what: str) -> float:
    number = float(value)
    if not (math.isfinite(number) and 0 < number < 1):
        raise InputError(f"Its {what} is {number:g} s, which cannot be.")
    return number


def _conditions(tags: dict[str, Any]) -> dict[str, Any]:
    wanted = {"TTResult_SyncRate": "sync_rate_hz", "MeasDesc_AcquisitionTime": "acquisition_time_ms"}
    found = {name: tags[tag] for tag, name in wanted.items() if isinstance(tags.get(tag), int | float)}
    if isinstance(tags.get("File_Comment"), str):
        found["comment"] = one_line(tags["File_Comment"])
    return found


def _hardware(tags: dict[str, Any]) -> str:
    return f"PicoQuant {one_line(tags.get('HW_Type', ''), 40)}".strip()


def read_ptu(source: Source) -> list[Block]:
    """Read a T3 event file as one decay per detection channel.

    Args:
        source: the file.

    Returns:
        One block per channel that has photons, counts on ``time_ns``.

    Raises:
        InputError: cut short, damaged, or T2 (which has no decay).
    """
    import ptufile

    with ptufile.PtuFile(io.BytesIO(source.data)) as file:
        tags = file.tags
        for name in [n for n in tags if n.startswith("ImgHdr_")]:  # exponents and sizes of an image not wanted here
            del tags[name]
        tags["Measurement_SubMode"] = 1
        announced = tags.get("TTResult_NumberOfRecords", 0)
        held = (len(source.data) - file.record_offset) // 4
        if not isinstance(announced, int) or announced > held or held < 1:
            raise InputError(f"It announces {one_line(announced, 30)} records but holds {held}; it is cut short.")
        if not file.is_t3:
            raise InputError("It holds T2 events, which have no decay after a pulse; export a T3 measurement.")
        step = _positive(file.tcspc_resolution, "time resolution")
        period = float(tags.get("MeasDesc_GlobalResolution", 0.0))
        bins = max(file.number_bins, 2)
        if math.isfinite(period) and step <= period < 1:
            bins = max(bins, min(file.number_bins_in_period, file.number_bins_max))
        if bins > _MAX_BINS:
            raise InputError(f"It announces {bins} time bins, which cannot be.")
        histogram = np.asarray(file.decode_histogram(dtime=bins))
        first = file._info.channels_active_first if file.number_photons else 0
        blocks = [
            Block(
                name=f"channel {first + i}",
                axis="time_ns",
                values=np.arange(bins, dtype=np.float64) * (step * 1e9),
                signal=decay.astype(np.float64),
                counted=True,
                technique="trpl",
                instrument=_hardware(tags),
                conditions=_conditions(tags) | {"bin_width_ns": step * 1e9, "period_ns": period * 1e9},
            )
            for i, decay in enumerate(histogram)
            if decay.any()
        ]
    if not blocks:
        raise InputError("It holds no photons.")
    return blocks


def read_phu(source: Source) -> list[Block]:
    """Read the histograms of a ``.phu`` file.

    Args:
        source: the file.

    Returns:
        One block per curve, counts on ``time_ns``.

    Raises:
        InputError: cut short or damaged.
    """
    import ptufile

    with ptufile.PhuFile(io.BytesIO(source.data)) as file:
        tags = file.tags
    curves = tags.get("HistoResult_NumberOfCurves", 0)
    if not isinstance(curves, int) or not 0 < curves <= MAX_BLOCKS:
        raise InputError(f"It announces {one_line(curves, 30)} curves, which cannot be read.")
    offsets, bins = (_list(tags, name, curves) for name in ("HistResDscr_DataOffset", "HistResDscr_HistogramBins"))
    check_count(sum(max(count, 0) for count in bins))  # all of them may lie in one place
    steps = tags.get("HistResDscr_MDescResolution")
    blocks = []
    for i, (offset, count) in enumerate(zip(offsets, bins, strict=True)):
        if not (0 < count <= _MAX_BINS and offset > 0 and offset + 4 * count <= len(source.data)):
            raise InputError(f"Its curve {i} announces {count} bins, more than it holds; it is cut short or damaged.")
        own = steps[i] if isinstance(steps, list) and i < len(steps) else tags.get("MeasDesc_Resolution", 0.0)
        step = _positive(own, "time resolution") * 1e9
        blocks.append(
            Block(
                name=f"channel {i}",
                axis="time_ns",
                values=np.arange(count, dtype=np.float64) * step,
                signal=np.frombuffer(source.data, "<u4", count, offset).astype(np.float64),
                counted=True,
                technique="trpl",
                instrument=_hardware(tags),
                conditions=_conditions(tags) | {"bin_width_ns": step},
            )
        )
    return blocks


def _list(tags: dict[str, Any], name: str, count: int) -> list[int]:
    values = tags.get(name)
    if not isinstance(values, list) or len(values) != count or not all(isinstance(v, int) for v in values):
        raise InputError(f"It does not say where its {count} curves lie ({name}); it is damaged.")
    return values
