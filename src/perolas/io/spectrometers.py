"""Text exports of spectrometers: WITec, Ocean Optics (SpectraSuite, OceanView) and PerkinElmer.

Each says in its header how many points it holds, so that a file cut short is found out.
"""

from __future__ import annotations

import re

from perolas.core.errors import InputError, one_line
from perolas.io.block import Block
from perolas.io.columns import settle_axis, units_meaning
from perolas.io.source import Source
from perolas.io.table import lines_of, read_table

_OCEAN_BEGIN = re.compile(r"^>+\s*Begin\b.*Spectral Data", re.IGNORECASE)
_OCEAN_END = re.compile(r"^>+\s*End\b.*Spectral Data", re.IGNORECASE)


def is_witec(text: str) -> bool:
    """Whether a text is a WITec ASCII export."""
    head = text[:4000]
    return "[Header]" in head and ("//Exported ASCII-File" in head or "XAxisUnit" in head)


def is_ocean(text: str) -> bool:
    """Whether a text is an Ocean Optics export."""
    return bool(re.search(r"^>+\s*Begin\b.*Spectral Data", text[:8000], re.IGNORECASE | re.MULTILINE))


def is_perkin_elmer(text: str) -> bool:
    """Whether a text is a PerkinElmer UV WinLab export."""
    return bool(re.match(r"PE (UV|IR|FL)\s+SUBTECH", text))


def _expect(declared: str | None, found: int) -> None:
    if declared and declared.isdigit() and int(declared[:12]) != found:
        raise InputError(f"Its header announces {int(declared[:12])} points, but {found} follow; it may be cut short.")


def _pairs(lines: list[str], mark: str) -> dict[str, str]:
    return {k.strip(): v.strip() for k, v in (line.split(mark, 1) for line in lines if mark in line)}


def read_witec(source: Source, axis: str | None = None) -> list[Block]:
    """Read a WITec export of one or more spectra on one axis.

    Args:
        source: the file.
        axis: the axis asked for; must agree with the file's unit.

    Returns:
        One block per spectrum.

    Raises:
        InputError: no data, fewer points than announced, or an unknown unit.
    """
    lines = lines_of(source.text)
    start = next((i for i, line in enumerate(lines) if line.strip() == "[Data]"), None)
    if start is None:
        raise InputError("It has no [Data] section; export the graph again.")
    head = _pairs(lines[:start], "=")
    table = read_table(lines[start + 1 :])
    _expect(head.get("SizeGraph"), len(table.rows))
    x = table.rows[:, 0]
    unit = head.get("XAxisUnit", "")
    name, factor = settle_axis("Raman shift cm-1" if _is_shift(unit) else unit, axis, float(x.min()), float(x.max()))
    titles = next((line for line in table.header if len(line.split(",")) == table.rows.shape[1]), "").split(",")
    return [
        Block(
            name=titles[i].strip() if i < len(titles) else f"spectrum {i}",
            axis=name,
            values=x * factor,
            signal=table.rows[:, i],
            units=units_meaning(head.get("DataUnit", "")),
            technique="raman",
            instrument="WITec",
            conditions={"graph": head.get("GraphName", "")[:120], "data_unit": head.get("DataUnit", "")[:40]},
        )
        for i in range(1, table.rows.shape[1])
    ]


def _is_shift(unit: str) -> bool:
    return "rel" in unit.lower() and "cm" in unit.lower()


def read_ocean(source: Source) -> list[Block]:
    """Read a SpectraSuite or OceanView export.

    Args:
        source: the file.

    Returns:
        One block on ``wavelength_nm``; the software subtracts and smooths, so its unit is usually ``"arb"``.

    Raises:
        InputError: no data or fewer points than announced.
    """
    lines = lines_of(source.text)
    begin = next(i for i, line in enumerate(lines) if _OCEAN_BEGIN.match(line))
    end = next((i for i, line in enumerate(lines) if _OCEAN_END.match(line)), len(lines))
    head = _pairs(lines[:begin], ":")
    table = read_table(lines[begin + 1 : end], columns=2)
    points = next((v for k, v in head.items() if k.startswith("Number of Pixels")), None)
    _expect(points, len(table.rows))
    keep = ("Integration Time", "Spectra Averaged", "Boxcar", "Scans to average", "Dark Spectrum", "Reference Spectrum")
    conditions = {
        _key(k): one_line(v, 60) for k, v in head.items() if k.startswith(keep) or k.lower().startswith("correct for")
    }
    return [
        Block(
            name="",
            axis="wavelength_nm",
            values=table.rows[:, 0],
            signal=table.rows[:, 1],
            units="counts",
            instrument=f"Ocean Optics {head.get('Spectrometers') or head.get('Spectrometer') or ''}".strip(),
            conditions=conditions,
        )
    ]


def _key(words: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", words.lower()))[:60]


_PE_UNITS = {"%T": "percent", "%R": "percent", "A": "1", "ABS": "1", "R": "1", "T": "1"}


def read_perkin_elmer(source: Source) -> list[Block]:
    """Read a PerkinElmer UV WinLab ``.asc`` export.

    Args:
        source: the file.

    Returns:
        One block; percent of transmission or reflection, or absorbance with unit ``"1"``.

    Raises:
        InputError: no ``#GR`` or ``#DATA`` section, an unknown unit, or fewer points than announced.
    """
    lines = lines_of(source.text)
    marks = [line.strip() for line in lines]
    if "#GR" not in marks or "#DATA" not in marks:
        raise InputError("It has no #GR and #DATA sections; it may be cut short.")
    graph, data = marks.index("#GR"), marks.index("#DATA")
    section = [*marks[graph + 1 : data], *[""] * 8]
    table = read_table(lines[data + 1 :], columns=2)
    _expect(section[6], len(table.rows))
    x = table.rows[:, 0]
    name, factor = settle_axis(section[0], None, float(x.min()), float(x.max()))
    quantity = section[1]
    if quantity.upper() not in _PE_UNITS:
        raise InputError(f'Its signal is "{one_line(quantity, 30)}", which is none of {", ".join(_PE_UNITS)}.')
    return [
        Block(
            name="",
            axis=name,
            values=x * factor,
            signal=table.rows[:, 1],
            units=_PE_UNITS[quantity.upper()],
            technique="absorption",
            instrument=f"PerkinElmer {marks[11]}" if data > 12 else "PerkinElmer",
            conditions={"quantity": quantity, "measured": " ".join(marks[3:5])[:40]},
        )
    ]
