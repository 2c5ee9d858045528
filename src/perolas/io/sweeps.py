"""Pump sweeps and area laws: a table with a fluence or an area in its first column, or a folder of spectra.

**Tables.** Two columns are fluence (or area) and output; a header names them and their units (``fluence (mJ/cm2)``).
Further columns are taken where their names say that they are errors, of the output or of the first column. A table of a
wavelength and several spectra has the fluences in its header. Rows may come in any order; a fluence that comes twice
is kept twice, a billionth of itself apart, so that the axis rises.

**Folders.** Each file is a spectrum. Its fluence stands in its name (``120uJ.txt``, ``sweep_0.25mJcm2.csv``), or in a
listing in the same folder with a line for each file (``name, fluence``). Without either it is a series of shots.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import units
from perolas.core.errors import InputError, one_line
from perolas.core.observation import AXIS_UNITS, axis_of, conditions_of, make_observation
from perolas.io.block import signal_units
from perolas.io.columns import axis_meaning, is_error, units_meaning
from perolas.io.detect import detect
from perolas.io.source import Source, open_source
from perolas.io.table import Table, lines_of, read_table

AXES = ("fluence_uj_cm2", "area_um2")
_MOST_FILES = 5000
_PER_AREA = re.compile(r"(?<![a-z])(n|u|m|k)?j\s*(?:/|_|per|\s|\*|·)?\s*\(?(c|m|u)?m\s*\^?\s*(?:2|²|-2|⁻²|\*\*2)", re.I)
_AREA = re.compile(r"(?<![a-z])(n|u|m|c)?m\s*(?:\^|\*\*)?\s*(?:2|²)", re.I)
_FLUENCE_WORDS = re.compile(r"fluence|energy\s*density|pump|excitation", re.I)
_AREA_WORDS = re.compile(r"\barea|spot", re.I)
_FOREIGN = re.compile(
    r"wavelength|\b(nm|ev|pj|nj|uj|mj|j|mw|uw|nw|w|kw|gw|tw|ns|ps|s|deg|k|cm-1)\b|photon energy|time|temperature", re.I
)
_IN_NAME = re.compile(r"(?<![\d.])(\d+(?:[.,p]\d+)?)\s*[_-]?\s*(n|u|µ|μ|m)j(?=\s*(?:/|per|_)?\s*cm|[^a-z]|$)", re.I)
_NUMERIC = re.compile(r"\d+(?:[.,]\d+)?")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def read_sweep(
    path: str | Path,
    axis: str,
    *,
    technique: str | None = None,
    columns: Sequence[int] | None = None,
    channel: int | str | None = None,
    max_bytes: int,
) -> xr.Dataset:
    """Read a sweep: a folder of spectra, a table, or an observation of perolas.

    Args:
        path: the folder or file.
        axis: what the first column of a table without a header is, one of `AXES`.
        technique: recorded in the observation.
        columns: columns of a table to take: (axis, output) or (axis, output, standard error), from 0.
        channel: frame of an instrument's file; None: all of them.
        max_bytes: largest file that is loaded, in bytes.

    Returns:
        Output on the axis; or spectra of shape (batch, n) with a coordinate ``fluence_uj_cm2`` where it is known.

    Raises:
        InputError: it cannot be used.
    """
    from perolas.io import reading

    folder = Path(path)
    if folder.is_dir():
        return _folder(folder, technique, max_bytes)
    source = open_source(path, max_bytes)
    kind = detect(source)
    if kind.name == "netcdf":
        return reading.read(path, technique=technique, max_bytes=max_bytes)
    if kind.name != "text":
        found = reading.read_all(path, technique=technique, channel=channel, max_bytes=max_bytes)
        return found[0] if len(found) == 1 else _stack(found, None, technique, source.name)
    attrs = {"technique": technique, "format": "text", "source": source.name, "sha256": source.sha256}
    return _table(source, axis, columns, attrs)


def _table(source: Source, axis: str, columns: Sequence[int] | None, attrs: dict[str, Any]) -> xr.Dataset:
    table = read_table(lines_of(source.text))
    names = table.column_names()
    first = names[columns[0] if columns else 0]
    found, factor, assumed = _first_axis(first, axis)
    if columns is None and len(names) > 2 and found == "wavelength_nm":
        return _matrix(table, names, attrs)
    x, y, y_std, x_std = _chosen(table, names, columns)
    values = table.rows[:, x] * factor
    bad = ~np.isfinite(table.rows[:, [x, y]]).all(axis=1)
    if bad.any():
        raise InputError(f"{int(bad.sum())} of its {bad.size} lines hold values that are not numbers; remove them.")
    scale = _output_scale(names[y], found)
    order = np.argsort(values, kind="stable")
    rows = table.rows[order]
    output = rows[:, y] * scale
    unit = "uJ/cm^2" if found == "area_um2" else signal_units(output, units_meaning(names[y]), counted=False)
    extra = {}
    if x_std is not None:
        extra["axis_std"] = (np.abs(rows[:, x_std]) * factor, AXIS_UNITS[found])
    variance = None
    if y_std is not None:
        error = rows[:, y_std] * scale
        if not np.all(np.isfinite(error)) or np.any(error <= 0):
            raise InputError("Its errors must be positive numbers; correct those lines or take the column away.")
        variance = error**2
    return make_observation(
        output, found, _apart(values[order]), units=unit, variance=variance, extra=extra,
        conditions={"axis_assumed": True} if assumed else {}, **attrs,
    )  # fmt: skip


def _apart(values: np.ndarray) -> np.ndarray:
    """Move values that come several times a billionth apart, so that the axis rises."""
    moved = values.astype(float).copy()
    for i in range(1, moved.size):
        least = moved[i - 1] + 1e-9 * abs(moved[i - 1])
        if moved[i] < least:
            moved[i] = least if least > moved[i - 1] else moved[i - 1] + 1e-12
    return moved


def _first_axis(header: str, asked: str) -> tuple[str, float, bool]:
    """Return what the first column is, the factor into its unit, and whether nothing said so."""
    text = header.replace("µ", "u").replace("μ", "u")
    if not text.strip():
        return asked, 1.0, True
    if re.search(r"diameter|radius|waist", text, re.I):
        raise InputError(f'Its first column is "{one_line(header, 40)}"; convert it to the area of the spot in um2.')
    density = _PER_AREA.search(text)
    if density:
        unit = f"{(density[1] or '').lower()}J/{(density[2] or '').lower()}m^2"
        return "fluence_uj_cm2", units.convert(f"1 {unit}", "uJ/cm^2"), False
    if _FLUENCE_WORDS.search(text):
        other = _FOREIGN.search(text)
        if other or re.search(r"(?<![a-z])(n|u|m)?j(?![a-z])", text, re.I):
            raise InputError(
                f'Its first column is "{one_line(header, 40)}", which is no energy per area; divide by the area of the '
                "spot (`perolas pump` does it) and say so in the header, such as fluence (uJ/cm2)."
            )
        return "fluence_uj_cm2", 1.0, False
    area = _AREA.search(text)
    if area:
        return "area_um2", units.convert(f"1 {(area[1] or '').lower()}m^2", "um^2"), False
    if _AREA_WORDS.search(text):
        return "area_um2", 1.0, False
    said = axis_meaning(text)
    if said.axis == "wavelength_nm":
        return "wavelength_nm", said.factor or 1.0, False
    if said.axis is not None or _FOREIGN.search(text):
        raise InputError(
            f'Its first column is "{one_line(header, 40)}", which is neither a fluence nor an area; name the column '
            "with its unit, such as fluence (uJ/cm2) or area (um2), and convert the numbers."
        )
    return asked, 1.0, True


def _output_scale(header: str, axis: str) -> float:
    if axis != "area_um2":
        return 1.0
    density = _PER_AREA.search(header.replace("µ", "u").replace("μ", "u"))
    if density is None:
        if re.search(r"\b(m|u|n)?w\b", header, re.I):
            raise InputError(f'Its thresholds are "{one_line(header, 40)}"; convert them to a fluence in uJ/cm2.')
        return 1.0
    return units.convert(f"1 {(density[1] or '').lower()}J/{(density[2] or '').lower()}m^2", "uJ/cm^2")


def _chosen(table: Table, names: list[str], columns: Sequence[int] | None) -> tuple[int, int, int | None, int | None]:
    """Return the columns of axis and output, and of their errors: output first."""
    width = table.rows.shape[1]
    if columns is not None:
        if len(columns) not in (2, 3) or not all(isinstance(c, int) and 0 <= c < width for c in columns):
            raise InputError(f"It has {width} columns, numbered from 0; name two or three of them.")
        return columns[0], columns[1], columns[2] if len(columns) == 3 else None, None
    errors = [i for i in range(1, width) if is_error(names[i].replace("_", " "))]
    plain = [i for i in range(1, width) if i not in errors]
    of_axis = [i for i in errors if i == 1 or (i < min(plain, default=1)) or _shares_word(names[i], names[0])]
    of_output = [i for i in errors if i not in of_axis]
    if len(plain) != 1 or len(of_axis) > 1 or len(of_output) > 1:
        called = ", ".join(one_line(n, 30) or "?" for n in names[:8])
        raise InputError(
            f"It has {width} columns ({called}), of which one must be the output; name columns of errors as such "
            "(output_error), and take the others away."
        )
    return 0, plain[0], of_output[0] if of_output else None, of_axis[0] if of_axis else None


def _shares_word(name: str, axis: str) -> bool:
    words = {w for w in re.findall(r"[a-z]{4,}", axis.lower())}
    return bool(words & set(re.findall(r"[a-z]{4,}", name.lower())))


def _matrix(table: Table, names: list[str], attrs: dict[str, Any]) -> xr.Dataset:
    """Return a table of a wavelength and several spectra, whose header has the fluences."""
    fluence = [_of_header(n) for n in names[1:]]
    if any(f is None for f in fluence):
        raise InputError(
            "It has a wavelength and several spectra, but the header does not give the fluence of each; write the "
            "fluences over the columns, such as 120 uJ/cm2."
        )
    if not np.all(np.isfinite(table.rows)):
        raise InputError("It holds values that are not numbers; remove those lines.")
    meaning = axis_meaning(names[0])
    order = np.argsort([f for f in fluence if f is not None], kind="stable")
    signal = table.rows[:, 1:].T[order]
    made = make_observation(
        signal, "wavelength_nm", table.rows[:, 0] * (meaning.factor or 1.0),
        units=signal_units(signal, None, counted=False), **attrs,
    )  # fmt: skip
    return with_fluence(made, np.array([f for f in fluence if f is not None])[order])


def _of_header(name: str) -> float | None:
    text = name.replace("µ", "u").replace("μ", "u")
    number = _NUMBER.search(text)
    if number is None:
        return None
    density = _PER_AREA.search(text[number.end() :])
    factor = 1.0
    if density:
        factor = units.convert(f"1 {(density[1] or '').lower()}J/{(density[2] or '').lower()}m^2", "uJ/cm^2")
    elif prefix := re.match(r"\s*(n|u|m)j", text[number.end() :], re.I):
        factor = {"n": 1e-3, "u": 1.0, "m": 1e3}[prefix[1].lower()]
    return float(number.group()) * factor


def with_fluence(spectra: xr.Dataset, fluence_uj_cm2: np.ndarray) -> xr.Dataset:
    """Return spectra with the fluence of each as a coordinate of the batch.

    Args:
        spectra: shape (batch, n).
        fluence_uj_cm2: shape (batch,), uJ/cm^2.

    Returns:
        A new observation.
    """
    values = np.asarray(fluence_uj_cm2, dtype=float)
    return spectra.assign_coords(fluence_uj_cm2=("batch", values, {"units": "uJ/cm^2"}))


def _folder(folder: Path, technique: str | None, max_bytes: int) -> xr.Dataset:
    from perolas.io import reading

    files = sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))
    if not files:
        raise InputError(f'"{one_line(folder.name, 80)}" holds no files.')
    if len(files) > _MOST_FILES:
        raise InputError(f"The folder holds {len(files)} files, more than the {_MOST_FILES} that are read.")
    listing, table = _listing(files, max_bytes)
    if table is not None:
        files = [f for f in files if f.name in table]
        fluence: list[float | None] = [table[f.name] for f in files]
    else:
        files = [f for f in files if f != listing]
        fluence = [_of_name(f.stem) for f in files]
        if all(v is None for v in fluence) and all(_NUMERIC.fullmatch(f.stem) for f in files):
            fluence = [float(f.stem.replace(",", ".")) for f in files]
    missing = [f.name for f, v in zip(files, fluence, strict=True) if v is None]
    if missing and len(missing) < len(files):
        raise InputError(
            f'The name of "{one_line(missing[0], 60)}" has no fluence such as 120uJ in it, unlike others in the '
            "folder; rename it, take it out, or add a listing of names and fluences."
        )
    spectra = [reading.read(f, axis="wavelength_nm", technique=technique, max_bytes=max_bytes) for f in files]
    return _stack(spectra, None if missing else np.array(fluence, dtype=float), technique, folder.name)


def _of_name(stem: str) -> float | None:
    found = _IN_NAME.search(stem)
    if found is None:
        return None
    factor = {"n": 1e-3, "m": 1e3}.get(found[2].lower(), 1.0)
    return float(found[1].lower().replace(",", ".").replace("p", ".")) * factor


def _listing(files: list[Path], max_bytes: int) -> tuple[Path | None, dict[str, float] | None]:
    """Return the file that lists others with a fluence each, and what it says."""
    names = {f.name for f in files} | {f.stem for f in files}
    by_stem = {f.stem: f.name for f in files} | {f.name: f.name for f in files}
    for file in files:
        if file.suffix.lower() not in (".csv", ".txt", ".tsv", ".dat") or file.stat().st_size > 2**20:
            continue
        source = open_source(file, max_bytes)
        if not source.is_text:
            continue
        found: dict[str, float] = {}
        factor = 1.0
        for line in lines_of(source.text):
            fields = [p.strip().strip('"') for p in re.split(r"[\t;,]|\s{2,}", line.strip()) if p.strip()]
            if len(fields) == 1:
                fields = line.split()
            if len(fields) >= 2 and fields[0] in names and fields[0] != file.name:
                value = _of_header(fields[1])
                if value is None or not np.isfinite(value):
                    raise InputError(f'The listing gives no fluence for "{one_line(fields[0], 60)}".')
                found[by_stem[fields[0]]] = value * factor
            elif not found and (density := _PER_AREA.search(line.replace("µ", "u"))):
                factor = units.convert(f"1 {(density[1] or '').lower()}J/{(density[2] or '').lower()}m^2", "uJ/cm^2")
        if len(found) >= 2:
            return file, found
    return None, None


def _stack(spectra: list[xr.Dataset], fluence: np.ndarray | None, technique: str | None, name: str) -> xr.Dataset:
    """Return spectra as one observation; they must share their axis."""
    first = axis_of(spectra[0])
    axis = spectra[0][first].values
    for k, one in enumerate(spectra):
        same = axis_of(one) == first and one[first].shape == axis.shape
        if not same or not np.allclose(one[first].values, axis, rtol=1e-7, atol=1e-6):
            label = str(one.attrs.get("source", k + 1))
            raise InputError(f'"{one_line(label, 60)}" has another axis than the first spectrum; record them alike.')
    order = np.arange(len(spectra)) if fluence is None else np.argsort(fluence, kind="stable")
    signal = np.stack([spectra[i]["signal"].values for i in order])
    counted = all(s["signal"].attrs["units"] == "counts" for s in spectra)
    made = make_observation(
        signal, first, axis, units="counts" if counted else "arb", technique=technique, source=one_line(name, 80),
        conditions=conditions_of(spectra[0]),
    )  # fmt: skip
    return made if fluence is None else with_fluence(made, fluence[order])
