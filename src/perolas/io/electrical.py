"""Traces of a current or of an emission against time, from text: source meters, potentiostats, tables of replicates.

**Currents** (axis ``time_s``). The columns are found by their headers: a time (s, ms, min), a current (A, mA, uA, nA,
pA); index, voltage, resistance and date columns are passed over. Headers stand in one line over the numbers, as source
meters of Keithley's kind write them (``"Time (s)","Current (A)"``, also ``TIME``, ``READING``), or as potentiostats of
CH Instruments' kind do (``Time/sec, Current/A`` after lines such as ``Sample Interval (s) = 0.1``, which are kept as
conditions). Without a header the first two columns are seconds and amperes, and the conditions say that this was
assumed. The signal is in nA.

**Series** (axis ``time_d``). The first column is a time (s, min, h, d, weeks); every further one an emission, which
makes replicates; columns whose headers speak of errors belong to the emission before them. The axis is in days.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from perolas.core.errors import InputError, one_line
from perolas.core.observation import make_observation
from perolas.io.columns import is_error, units_meaning
from perolas.io.detect import detect
from perolas.io.source import Source, open_source
from perolas.io.table import Table, lines_of, read_table

AXES = ("time_s", "time_d")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hrs": 3600.0,
    "hour": 3600.0, "hours": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0, "week": 604800.0,
    "weeks": 604800.0,
}  # fmt: skip
_NANOAMPERES = {"pa": 1e-3, "na": 1.0, "ua": 1e3, "ma": 1e6, "a": 1e9, "amp": 1e9, "amps": 1e9, "ampere": 1e9}
_TIME = re.compile(r"\btime\b|\belapsed\b|\brel(ative)?\s*time\b|^t\b|\bt\s*[/(\[]|\bday|\bhour|\bminute", re.I)
_CURRENT = re.compile(r"current|\breading\b|^i\b|\bi\s*[/(\[]|\b[pnumµ]?a\b", re.I)
_DENSITY = re.compile(r"/\s*cm|cm\s*\^?-?2|density", re.I)
_OTHER = re.compile(r"volt|potential|\bindex\b|\bno\b|\bv\b|\bohm|resist|status|temperature|power", re.I)
_INSTRUMENTS = (r"Instrument Model:\s*(\S+)", r"(CHI\s?\d{3,4}\w?)", r"(Keithley[^\n,;\"]{0,30})", r"(MODEL \d{4}\w?)")
_NOTE = re.compile(r"^\s*([A-Za-z][\w .()/%-]{0,40}?)\s*=\s*(.{1,80}?)\s*$")


def read_trace(
    path: str | Path,
    axis: str,
    *,
    technique: str | None = None,
    columns: Sequence[int] | None = None,
    channel: int | str | None = None,
    max_bytes: int,
) -> xr.Dataset:
    """Read a trace or a series.

    Args:
        path: the file.
        axis: ``"time_s"`` for a current, ``"time_d"`` for an emission.
        technique: recorded in the observation.
        columns: columns to take: (time, signal) or (time, signal, standard error), from 0.
        channel: of several currents, which one, from 0.
        max_bytes: largest file that is loaded, in bytes.

    Returns:
        Current in nA on ``time_s``; or emission of shape (n,) or (replicates, n) on ``time_d``.

    Raises:
        InputError: it cannot be used.
    """
    from perolas.io import reading

    source = open_source(path, max_bytes)
    kind = detect(source)
    if kind.name == "netcdf":
        return reading.read(path, technique=technique, max_bytes=max_bytes)
    if kind.name != "text":
        raise InputError(f"It holds {kind.description}, but a table with times in its first column is needed.")
    table = read_table(lines_of(source.text))
    names = _names(table)
    attrs = {"technique": technique, "format": "text", "source": source.name, "sha256": source.sha256}
    if axis == "time_s":
        return _current(source, table, names, columns, channel, attrs)
    return _series(table, names, columns, attrs)


def _names(table: Table) -> list[str]:
    """Return the words over each column, without lines such as ``Init E (V) = 0``."""
    width = table.rows.shape[1]
    for line in reversed(table.header):
        if "=" in line or not re.search(r"[A-Za-z]", line):
            continue
        for parts in (line.split(table.separator or "\t"), re.split(r"\t|,|;|\s{2,}", line), line.split()):
            fields = [p.strip().strip('"') for p in parts if p.strip() or table.separator]
            if len(fields) == width:
                return fields
        break
    return table.column_names()


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name.lower().replace("µ", "u").replace("μ", "u"))


def _factor(name: str, known: dict[str, float]) -> float | None:
    """Return what turns a column into its standard unit, from the last word of its header that is a unit."""
    for word in reversed(_words(name)):
        if word in known:
            return known[word]
    return None


def _finite(values: np.ndarray) -> np.ndarray:
    bad = ~np.isfinite(values)
    if bad.any():
        raise InputError(f"{int(bad.any(axis=-1).sum())} of its {len(values)} lines hold values that are not numbers; "
                         "remove them.")  # fmt: skip
    return values


def _rising(time: np.ndarray) -> None:
    if np.any(np.diff(time) <= 0):
        first = int(np.argmax(np.diff(time) <= 0)) + 1
        raise InputError(
            f"Its time does not rise: value {first + 1} ({time[first]:g}) is not after {time[first - 1]:g}; "
            "sort the lines, and put replicates into columns of their own."
        )


def _checked_columns(columns: Sequence[int], width: int) -> list[int]:
    chosen = list(columns)
    if len(chosen) not in (2, 3) or not all(isinstance(c, int) and 0 <= c < width for c in chosen):
        raise InputError(f"It has {width} columns, numbered from 0, of which columns={tuple(chosen)} cannot be taken.")
    return chosen


def _current(
    source: Source,
    table: Table,
    names: list[str],
    columns: Sequence[int] | None,
    channel: int | str | None,
    attrs: dict[str, Any],
) -> xr.Dataset:
    rows = table.rows
    error: int | None = None
    if columns is not None:
        at, now, *rest = _checked_columns(columns, rows.shape[1])
        error = rest[0] if rest else None
    elif any(names):
        at, now, error = _by_name(names, channel)
    else:
        if rows.shape[1] != 2:
            raise InputError(
                f"It has {rows.shape[1]} columns and no header that says which is time and which current; "
                "say which to take, columns=(time, current)."
            )
        at, now = 0, 1
    if _DENSITY.search(names[now]):
        raise InputError("Its current is a density (per cm2); multiply by the area of the electrode.")
    seconds, amperes = _factor(names[at], _SECONDS), _factor(names[now], _NANOAMPERES)
    values = _finite(rows[:, [at, now]])
    time = values[:, 0] * (1.0 if seconds is None else seconds)
    _rising(time)
    scale = 1e9 if amperes is None else amperes
    conditions: dict[str, Any] = {k: v for k, v in _notes(table.header).items()}
    if amperes is None:
        conditions["unit_assumed"] = "A"
    variance = None
    if error is not None:
        spread = _finite(rows[:, [error]])[:, 0] * scale
        if np.any(spread <= 0):
            raise InputError("Its errors must be positive numbers; correct those lines or take the column away.")
        variance = spread**2
    instrument = _instrument(source.text[:3000])
    return make_observation(
        values[:, 1] * scale, "time_s", time, units="nA", variance=variance, conditions=conditions,
        instrument=instrument, **attrs,
    )  # fmt: skip


def _by_name(names: list[str], channel: int | str | None) -> tuple[int, int, int | None]:
    times = [i for i, n in enumerate(names) if _TIME.search(n)]
    timed = times or [i for i, n in enumerate(names) if set(_words(n)) & {"s", "sec", "ms", "min"}]
    currents = [
        i
        for i, n in enumerate(names)
        if i not in timed and not is_error(n) and _CURRENT.search(n) and not _OTHER.search(n)
    ]
    listed = ", ".join(one_line(n, 30) or "?" for n in names[:8])
    if not timed:
        raise InputError(
            f"None of its columns ({listed}) is called a time; say which to take, columns=(time, current)."
        )
    if not currents:
        raise InputError(f"None of its columns ({listed}) is called a current; say which to take.")
    if channel is not None:
        text = str(channel)
        if not text.isdigit() or int(text) >= len(currents):
            raise InputError(f"It has {len(currents)} currents, numbered from 0; there is no {one_line(text, 20)}.")
        currents = [currents[int(text)]]
    if len(currents) > 1:
        raise InputError(f"It holds {len(currents)} currents ({listed}); choose one with channel=, from 0.")
    after = currents[0] + 1
    error = after if after < len(names) and is_error(names[after]) else None
    return timed[0], currents[0], error


def _notes(header: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for line in header[:60]:
        match = _NOTE.match(line)
        if match:
            found[one_line(match.group(1), 40)] = one_line(match.group(2), 80)
    return found


def _instrument(text: str) -> str | None:
    for pattern in (
        r"Instrument Model:\s*(\S+)",
        r"(CHI\s?\d{3,4}\w?)",
        r"(Keithley[^\n,;\"]{0,30})",
        r"(MODEL \d{4}\w?)",
    ):
        match = re.search(pattern, text, re.I)
        if match:
            return one_line(match.group(1), 60)
    return None


def _series(table: Table, names: list[str], columns: Sequence[int] | None, attrs: dict[str, Any]) -> xr.Dataset:
    rows = table.rows
    if columns is not None:
        at, *rest = _checked_columns(columns, rows.shape[1])
        pairs = [(rest[0], rest[1] if len(rest) > 1 else None)]
    else:
        at = next((i for i, n in enumerate(names) if _TIME.search(n)), 0)
        pairs = []
        for i, name in enumerate(names):
            if i == at:
                continue
            if is_error(name):
                if not pairs:
                    raise InputError("Its first column after the time holds errors; an emission must come before them.")
                pairs[-1] = (pairs[-1][0], i)
            else:
                pairs.append((i, None))
    if not pairs:
        raise InputError("It has a time but no emission beside it.")
    seconds = _factor(names[at], _SECONDS)
    used = [at, *[c for pair in pairs for c in pair if c is not None]]
    _finite(rows[:, used])
    time = rows[:, at] * (1.0 if seconds is None else seconds / 86400.0)
    _rising(time)
    signal = np.stack([rows[:, i] for i, _ in pairs])
    if np.any(signal < 0):
        raise InputError(
            f"{int(np.sum(signal < 0))} of its emissions are negative; give them without a background taken off, or "
            "leave those lines out."
        )
    with_errors = [e for _, e in pairs if e is not None]
    variance = None
    if with_errors:
        if len(with_errors) != len(pairs):
            raise InputError("Some of its emissions have a column of errors and some have none; give all or none.")
        spread = np.stack([rows[:, e] for e in with_errors])
        if np.any(spread <= 0):
            raise InputError("Its errors must be positive numbers; correct those lines or take the column away.")
        variance = spread**2
    single = len(pairs) == 1
    conditions = {} if seconds is not None else {"time_assumed": "d"}
    unit = "counts" if units_meaning(names[pairs[0][0]]) == "counts" and np.all(signal == np.round(signal)) else "arb"
    return make_observation(
        signal[0] if single else signal, "time_d", time, units=unit,
        variance=None if variance is None else (variance[0] if single else variance), conditions=conditions, **attrs,
    )  # fmt: skip
