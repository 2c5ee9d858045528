"""Powder patterns: PANalytical xrdml, Rigaku rasx, Bruker brml, and powder data in CIF.

Small readers of our own: rietx reads these and more, but brings plotting, symmetry libraries and telemetry with it. An
archive is unpacked member by member up to a limit, and XML with a document type or entities is refused.

Wavelengths, the ratio of K alpha 2 to 1 and the goniometer's radius go to the conditions of the observation.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block
from perolas.io.source import Source

_MAX_UNPACKED = 64 * 2**20  # of all parts of an archive together
_MAX_TAGS = 1_000_000
_MAX_POINTS = 1_000_000
_NM_PER = {"angstrom": 0.1, "å": 0.1, "nm": 1.0, "": 0.1}
_ZIP = b"PK\x03\x04"
_RASX = re.compile(r"Data(\d+)/Profile(\d+)\.txt$")
_BRML = re.compile(r"(?:^|/)RawData(\d+)\.xml$")
_POWDER = re.compile(r"^\s*_pd_(?:proc|meas)_\S*2theta", re.MULTILINE | re.IGNORECASE)


def _names(data: bytes) -> list[str]:
    if not data.startswith(_ZIP):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return packed.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return []


def is_rasx(data: bytes) -> bool:
    """Whether a file is an archive with Rigaku profiles."""
    return any(_RASX.search(n) for n in _names(data))


def is_brml(data: bytes) -> bool:
    """Whether a file is an archive with Bruker raw data."""
    return any(_BRML.search(n) for n in _names(data))


def is_xrdml(text: str) -> bool:
    """Whether a text is a PANalytical measurement."""
    return "<xrdMeasurements" in text[:3000]


def is_powder_cif(text: str) -> bool:
    """Whether a text is CIF with powder data, which is more than a structure."""
    return re.search(r"^\s*data_", text, re.MULTILINE) is not None and _POWDER.search(text) is not None


class _Archive:
    """An archive that is unpacked part by part, as long as all of them together stay small."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self._left = _MAX_UNPACKED
        self.names = set(packed.namelist())

    def matching(self, pattern: re.Pattern[str]) -> list[str]:
        """Return the names of the parts that match."""
        return sorted(n for n in self.names if pattern.search(n))

    def part(self, name: str) -> bytes:
        """Return the content of a part."""
        try:
            with self._packed.open(name) as stream:
                data = stream.read(self._left + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError):
            raise InputError(f'Its part "{one_line(name, 60)}" cannot be unpacked; it is damaged.') from None
        self._left -= len(data)
        if self._left < 0:
            raise InputError(f"Its parts unpack to more than {_MAX_UNPACKED // 2**20} MiB, which is not read.")
        return data


def _xml(data: bytes) -> ElementTree.Element:
    # Where the bytes are not plain (UTF-16), a document type could hide from this look; those are refused as well.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\0" in data[:200]:
        raise InputError("Its XML declares a document type or entities, which no instrument writes; refused.")
    if data.count(b"<") > _MAX_TAGS:
        raise InputError(f"Its XML has more than {_MAX_TAGS:,} tags, which is not read; cut out the scans that count.")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise InputError("Its XML is not complete; it is cut short or damaged.") from None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _find(root: ElementTree.Element, *path: str) -> ElementTree.Element | None:
    """Return the first element below that has the given local names one below the other, at any depth."""
    for element in root.iter():
        if _local(element) == path[0]:
            found: ElementTree.Element | None = element
            for name in path[1:]:
                found = next((e for e in found if _local(e) == name), None) if found is not None else None
            if found is not None:
                return found
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and np.isfinite(value) else None


def _numbers(text: str | None, what: str) -> NDArray[np.float64]:
    words = (text or "").replace(",", " ").split()
    if len(words) > _MAX_POINTS:
        raise InputError(f"Its {what} are more than the {_MAX_POINTS} that a pattern has at most.")
    try:
        return np.array([float(w) for w in words])
    except ValueError:
        raise InputError(f"Its {what} are not all numbers; it is damaged.") from None


def _axis(first: float, last: float, size: int) -> NDArray[np.float64]:
    return np.linspace(first, last, size)


def read_xrdml(source: Source) -> list[Block]:
    """Read the scans of a PANalytical file.

    Args:
        source: the file.

    Returns:
        One block for each scan, on ``two_theta_deg``.

    Raises:
        InputError: damaged, or a scan without two theta.
    """
    root = _xml(source.data)
    conditions: dict[str, Any] = {}
    wave = _find(root, "usedWavelength")
    if wave is not None:
        for name, key in (("kAlpha1", "wavelength_nm"), ("kAlpha2", "wavelength2_nm")):
            part = _find(wave, name)
            value = _number(part.text) if part is not None else None
            if part is not None and value:
                conditions[key] = round(value * _NM_PER.get(part.get("unit", "").lower(), 0.1), 10)
        ratio = _find(wave, "ratioKAlpha2KAlpha1")
        conditions["ka2_ratio"] = _number(ratio.text) if ratio is not None else None
        if conditions["ka2_ratio"] == 0:
            conditions.pop("wavelength2_nm", None)
    radius = _find(root, "diffractedBeamPath", "radius")
    conditions["radius_mm"] = _number(radius.text) if radius is not None else None
    anode = _find(root, "anodeMaterial")
    conditions["anode"] = anode.text if anode is not None else None
    blocks: list[Block] = []
    for scan in (e for e in root.iter() if _local(e) == "scan"):
        counts = _find(scan, "dataPoints", "intensities")
        counts = counts if counts is not None else _find(scan, "dataPoints", "counts")
        if counts is None:
            continue
        signal = _numbers(counts.text, "intensities")
        where = next(
            (e for e in scan.iter() if _local(e) == "positions" and e.get("axis", "").lower() == "2theta"), None
        )
        if where is None:
            raise InputError("It has a scan without positions of two theta.")
        listed = _find(where, "listPositions")
        if listed is not None:
            values = _numbers(listed.text, "positions")
        else:
            ends = [_find(where, n) for n in ("startPosition", "endPosition")]
            first, last = (_number(e.text) if e is not None else None for e in ends)
            if first is None or last is None:
                raise InputError("It has a scan without a first and a last two theta.")
            values = _axis(first, last, signal.size)
        if values.size != signal.size:
            raise InputError(f"It has {values.size} positions for {signal.size} intensities.")
        time = _find(scan, "commonCountingTime")
        blocks.append(
            Block(
                name=f"scan {len(blocks) + 1}",
                axis="two_theta_deg",
                values=values,
                signal=signal,
                units="counts" if counts.get("unit", "counts") == "counts" else "counts/s",
                technique="xrd",
                instrument="PANalytical",
                conditions={**conditions, "time_per_step_s": _number(time.text) if time is not None else None},
            )
        )
        if len(blocks) > MAX_BLOCKS:
            raise InputError(f"It has more than {MAX_BLOCKS} scans.")
    if not blocks:
        raise InputError("It holds no intensities; the measurement was not run, or the file is damaged.")
    return blocks


def read_rasx(source: Source) -> list[Block]:
    """Read the profiles of a Rigaku archive.

    Args:
        source: the file.

    Returns:
        One block for each profile; the third column, the attenuation, is multiplied in.

    Raises:
        InputError: damaged.
    """
    blocks: list[Block] = []
    with zipfile.ZipFile(io.BytesIO(source.data)) as packed:
        archive = _Archive(packed)
        left = _MAX_POINTS
        for name in archive.matching(_RASX):
            text = archive.part(name).decode("utf-8-sig", "replace")
            lines = [line for line in text.splitlines() if line.strip()]
            left -= len(lines)
            if left < 0:
                raise InputError(f"Its profiles have more than {_MAX_POINTS:,} points together, which is not read.")
            rows = [_numbers(line, "profile's lines") for line in lines]
            if not rows or len({r.size for r in rows}) != 1 or rows[0].size not in (2, 3):
                raise InputError(f'Its profile "{one_line(name, 60)}" has no two or three columns of numbers.')
            table = np.array(rows)
            factor = table[:, 2] if table.shape[1] == 3 else 1.0
            beside = re.sub(r"Profile(\d+)\.txt$", r"MesurementConditions\1.xml", name)
            conditions = _rigaku(_xml(archive.part(beside))) if beside in archive.names else {}
            unit = conditions.pop("unit", "counts")
            blocks.append(
                Block(
                    name=f"profile {len(blocks)}",
                    axis="two_theta_deg",
                    values=table[:, 0],
                    signal=table[:, 1] * factor,
                    units="counts" if unit == "counts" else "counts/s",
                    technique="xrd",
                    instrument="Rigaku",
                    conditions=conditions,
                )
            )
    return blocks


def _rigaku(root: ElementTree.Element) -> dict[str, Any]:
    def text(name: str) -> str | None:
        part = _find(root, name)
        return part.text if part is not None else None

    first, second = (_number(text(f"WavelengthKalpha{i}")) for i in (1, 2))
    only_first = (text("WaveType") or "").lower() == "ka1"
    return {
        "wavelength_nm": round(first * 0.1, 10) if first else None,
        "wavelength2_nm": round(second * 0.1, 10) if second and not only_first else None,
        "anode": text("TargetName"),
        "unit": (text("IntensityUnit") or "counts").lower(),
    }


def read_brml(source: Source) -> list[Block]:
    """Read the scans of a Bruker archive.

    Args:
        source: the file.

    Returns:
        One block for each route of data, on ``two_theta_deg``.

    Raises:
        InputError: damaged, or a scan without two theta.
    """
    blocks: list[Block] = []
    with zipfile.ZipFile(io.BytesIO(source.data)) as packed:
        archive = _Archive(packed)
        for name in archive.matching(_BRML):
            root = _xml(archive.part(name))
            conditions = _bruker(root)
            for route in (e for e in root.iter() if _local(e) == "DataRoute"):
                block = _route(route, conditions, len(blocks))
                if block is not None:
                    blocks.append(block)
    if not blocks:
        raise InputError("It holds no scan of two theta; the measurement was not run, or the file is damaged.")
    return blocks


def _route(route: ElementTree.Element, conditions: dict[str, Any], index: int) -> Block | None:
    rows = [_numbers(e.text, "data") for e in route.iter() if _local(e) == "Datum"]
    axes = [e.get("AxisId", "") for e in route.iter() if _local(e) == "ScanAxisInfo"]
    if not rows:
        return None
    if "TwoTheta" not in axes:
        raise InputError(f"Its scan is along {one_line(', '.join(axes) or 'nothing', 60)}, not two theta.")
    if len({r.size for r in rows}) != 1 or rows[0].size < len(axes) + 3:
        raise InputError("Its data have lines of different lengths; it is damaged.")
    announced = _find(route, "MeasurementPoints")
    many = _number(announced.text) if announced is not None else None
    if many is not None and many != len(rows):
        raise InputError(f"It announces {many:.0f} points but holds {len(rows)}; it is cut short or damaged.")
    table = np.array(rows)
    time = _find(route, "TimePerStepEffective")
    return Block(
        name=f"scan {index + 1}",
        axis="two_theta_deg",
        values=table[:, 2 + axes.index("TwoTheta")],  # after the time and a flag
        signal=table[:, -1],
        technique="xrd",
        instrument="Bruker",
        conditions={**conditions, "time_per_step_s": _number(time.text) if time is not None else None},
    )


def _bruker(root: ElementTree.Element) -> dict[str, Any]:
    def value(name: str) -> float | None:
        part = _find(root, name)
        return _number(part.get("Value")) if part is not None else None

    first, second, ratio = value("WaveLengthAlpha1"), value("WaveLengthAlpha2"), value("WaveLengthRatio")
    anode = _find(root, "TubeMaterial")
    return {
        "wavelength_nm": round(first * 0.1, 10) if first else None,
        "wavelength2_nm": round(second * 0.1, 10) if second and ratio else None,
        "ka2_ratio": ratio,
        "radius_mm": value("Radius"),
        "anode": anode.text if anode is not None else None,
    }


_X = ("_pd_meas_2theta_scan", "_pd_proc_2theta_corrected", "_pd_meas_2theta_corrected", "_pd_proc_2theta_scan")
_COUNTED = ("_pd_meas_counts_total",)
_SCALED = ("_pd_proc_intensity_total", "_pd_meas_intensity_total", "_pd_proc_intensity_net")


def read_powder_cif(source: Source) -> list[Block]:
    """Read the patterns of a CIF file.

    Args:
        source: the file.

    Returns:
        One block for each pattern; ``_pd_proc_ls_weight`` becomes the variance. Geometry from other blocks of the file
        goes to the conditions.

    Raises:
        InputError: no CIF, or columns that are not numbers.
    """
    import gemmi

    try:
        document = gemmi.cif.read_string(source.text)
    except (RuntimeError, ValueError) as error:
        why = one_line(str(error).removeprefix("string:"), 100).rstrip(".")
        raise InputError(f"Its CIF is not complete or damaged (line {why}).") from None
    shared = _geometry(document)
    blocks: list[Block] = []
    for part in document:
        intensity = next((n for n in (*_COUNTED, *_SCALED) if part.find_loop(n)), None)
        if intensity is None:
            continue
        signal = _column(part, intensity)
        angle = next((n for n in _X if part.find_loop(n)), None)
        values = _column(part, angle) if angle is not None else _range(part, signal.size)
        announced = _number(
            part.find_value("_pd_proc_number_of_points") or part.find_value("_pd_meas_number_of_points")
        )
        if values.size != signal.size or (announced is not None and announced != signal.size):
            raise InputError("Its pattern has not as many points as it announces; it is cut short or damaged.")
        weight = _column(part, "_pd_proc_ls_weight") if part.find_loop("_pd_proc_ls_weight") else None
        if weight is not None and (weight.size != signal.size or not np.all(weight > 0)):
            weight = None
        blocks.append(
            Block(
                name=part.name,
                axis="two_theta_deg",
                values=values,
                signal=signal,
                units="counts" if intensity in _COUNTED else None,
                counted=intensity in _COUNTED,
                variance=None if weight is None or intensity in _COUNTED else 1.0 / weight,
                technique="xrd",
                conditions=shared,
            )
        )
    if not blocks:
        raise InputError("It is CIF without a powder pattern; give a structure with the option cif instead.")
    return blocks


def _geometry(document: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    keys = {"_diffrn_radiation_wavelength": "wavelength_nm", "_pd_instr_dist_spec/detc": "radius_mm"}
    for part in document:
        for tag, key in keys.items():
            value = _number(part.find_value(tag))
            if value is not None:
                found.setdefault(key, round(value * 0.1, 10) if key == "wavelength_nm" else value)
        kind = re.match(r"['\"]?([A-Z][a-z]?)\s*K", part.find_value("_diffrn_radiation_type") or "")
        if kind:
            found.setdefault("anode", kind.group(1))
        mono = re.search(r"(\d+(?:\.\d+)?) degree", part.find_value("_pd_instr_monochr_post_spec") or "")
        if mono:
            found.setdefault("monochromator_deg", float(mono.group(1)))
    return found


def _column(part: Any, tag: str) -> NDArray[np.float64]:
    words = [w.partition("(")[0] for w in part.find_loop(tag)]
    return _numbers(" ".join(words), "numbers")


def _range(part: Any, size: int) -> NDArray[np.float64]:
    for kind in ("meas", "proc"):
        ends = [_number(part.find_value(f"_pd_{kind}_2theta_range_{end}")) for end in ("min", "max")]
        if ends[0] is not None and ends[1] is not None:
            return _axis(ends[0], ends[1], size)
    raise InputError("Its pattern has no two theta, neither a column nor a range.")
