"""Infrared spectra: JCAMP-DX, Bruker OPUS and Thermo OMNIC, each read by a package of its own (extra: infrared).

Absorbance keeps the unit ``"1"``; transmittance is ``"1"`` or ``"percent"`` and says so in the conditions. Single-beam
spectra and interferograms are refused, since they hold the instrument and not the sample alone.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
from typing import Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block
from perolas.io.source import Source

_OPUS = b"\x0a\x0a\xfe\xfe"
_OMNIC, _SERIES = b"Spectral Data File", b"Spectral Exte File"
_MAX_JCAMP = 8 * 2**20  # bytes; the package that reads it takes half a second and 40 MB for each MiB
_FIRST_KEY, _HEADER = 304, 208  # bytes: where the table of a file begins; how far a header's text is from its start
_EXTRA = 'pip install "perolas[infrared]", or export the spectrum as two columns of text'
_UNITS = {"absorbance": "1", "transmittance": "1", "percent transmittance": "percent"}


def is_jcamp(text: str) -> bool:
    """Whether a text is a JCAMP-DX file."""
    return bool(re.match(r"\s*##\s*title\s*=", text[:2000], re.IGNORECASE)) and "##" in text[2:]


def is_opus(data: bytes) -> bool:
    """Whether a file begins as Bruker OPUS files do."""
    return data.startswith(_OPUS)


def is_omnic(data: bytes) -> bool:
    """Whether a file begins as Thermo OMNIC spectra (.spa) and groups of them (.spg) do."""
    return data.startswith((_OMNIC, _SERIES))


def read_jcamp(source: Source) -> list[Block]:
    """Read a JCAMP-DX file with one spectrum, or several in blocks.

    Args:
        source: the file.

    Returns:
        One block for each spectrum against wavenumber.

    Raises:
        InputError: it cannot be read, is cut short, or holds something else; or jcamp is not installed.
    """
    try:
        import jcamp
    except ImportError:
        raise InputError(f"JCAMP-DX files are read by jcamp, which is not installed; {_EXTRA}.") from None
    if len(source.data) > _MAX_JCAMP:
        raise InputError(f"It has more than {_MAX_JCAMP // 2**20} MiB, and JCAMP-DX is read up to that; split it.")
    lines = source.text.splitlines()
    if not any(re.match(r"\s*##\s*end\s*=", line, re.IGNORECASE) for line in lines[-50:]):
        raise InputError("It has no ##END= line; it may be cut short.")
    with _any_failure("JCAMP-DX"), contextlib.redirect_stdout(io.StringIO()):
        found: dict[str, Any] = jcamp.read([line + "\n" for line in lines])
    parts = found.get("children") or [found]
    blocks = [_jcamp_block(i, part) for i, part in enumerate(parts[:MAX_BLOCKS])]
    return blocks


def _jcamp_block(index: int, part: dict[str, Any]) -> Block:
    x, y = np.asarray(part.get("x", []), dtype=float), np.asarray(part.get("y", []), dtype=float)
    if x.size < 2 or x.size != y.size:
        raise InputError("It holds no spectrum of two points or more.")
    announced = part.get("npoints")
    if isinstance(announced, int | float) and int(announced) != x.size:
        raise InputError(f"Its header announces {int(announced)} points, but {x.size} follow; it may be cut short.")
    unit = str(part.get("xunits", "")).lower().strip()
    if "micro" in unit or unit in ("um", "µm"):
        x = 1e4 / x
    elif "nano" in unit or unit == "nm":
        x = 1e7 / x
    elif not re.search(r"1/cm|cm-1|cm\^-1|wavenumber", unit):
        raise InputError(f'Its abscissa is in "{one_line(unit, 30)}", which is no wavenumber and no wavelength.')
    raman = "raman" in str(part.get("data type", "")).lower()
    quantity = _quantity(str(part.get("yunits", "")), y)
    return Block(
        name=one_line(part.get("title", f"spectrum {index}"), 80),
        axis="raman_shift_cm1" if raman else "wavenumber_cm1",
        values=x,
        signal=y,
        units=_UNITS.get(quantity, "arb"),
        technique=None if raman else "ftir",
        instrument=one_line(part.get("spectrometer/data system", part.get("origin", "")), 80) or None,
        conditions={"quantity": quantity, "data_type": one_line(part.get("data type", ""), 60)},
    )


def _quantity(text: str, signal: np.ndarray) -> str:
    lower = text.lower()
    if "absorb" in lower:
        return "absorbance"
    if "trans" in lower or lower.strip() in ("%t", "t"):
        return "percent transmittance" if "%" in lower or float(np.nanmax(signal)) > 2.0 else "transmittance"
    return one_line(lower, 40)


def read_opus(source: Source) -> list[Block]:
    """Read the absorbance, or the transmittance, of a Bruker OPUS file.

    Args:
        source: the file.

    Returns:
        One block for each.

    Raises:
        InputError: it is damaged or holds neither; or brukeropus is not installed.
    """
    try:
        from brukeropus import read_opus as read
    except ImportError:
        raise InputError(f"OPUS files are read by brukeropus, which is not installed; {_EXTRA}.") from None
    with _any_failure("OPUS"), contextlib.redirect_stdout(io.StringIO()):
        file: Any = read(str(source.path))
        keys = [k for k in getattr(file, "data_keys", []) if k in ("a", "t", "atr", "ra")]
        found = [(k, getattr(file, k)) for k in keys]
        parts = [(k, np.asarray(d.x, dtype=float), np.asarray(d.y, dtype=float)) for k, d in found]
    if not parts:
        listed = ", ".join(sorted(getattr(file, "data_keys", []))) or "nothing that can be read"
        raise InputError(
            f"It holds no absorbance and no transmittance, only {one_line(listed, 80)}; compute one in OPUS."
        )
    names = {"a": "absorbance", "atr": "absorbance", "t": "transmittance", "ra": "Raman intensity"}
    return [
        Block(
            name=names[k], axis="raman_shift_cm1" if k == "ra" else "wavenumber_cm1", values=x, signal=y,
            units="arb" if k == "ra" else "1", technique=None if k == "ra" else "ftir", instrument="Bruker",
            conditions={"quantity": names[k]},
        )
        for k, x, y in parts
    ]  # fmt: skip


def read_omnic(source: Source) -> list[Block]:
    """Read a Thermo OMNIC spectrum (.spa) or group of spectra (.spg).

    Args:
        source: the file.

    Returns:
        One block for each spectrum.

    Raises:
        InputError: it is damaged or no absorbance and no transmittance; or spectrochempy-omnic is not installed.
    """
    try:
        from spectrochempy_omnic import OMNICReader
    except ImportError:
        raise InputError(f"OMNIC files are read by spectrochempy-omnic, which is not installed; {_EXTRA}.") from None
    if source.data.startswith(_SERIES):
        raise InputError("It is an OMNIC series, not a spectrum; save the spectra that are meant as .spa or .spg.")
    _whole(source.data)
    suffix = ".spg" if source.extension == ".spg" else ".spa"
    with _any_failure("OMNIC"), contextlib.redirect_stdout(io.StringIO()):
        found: Any = OMNICReader(source.data + bytes(4096), suffix=suffix)  # it reads text up to the next zero
        x = np.asarray(found.x, dtype=float)
        rows = np.atleast_2d(np.asarray(found.data, dtype=float))
        titles = [str(v) for v in np.ravel(found.y_labels[1] if len(found.y_labels) > 1 else [])]
        unit, what = str(found.x_units), f"{found.title} {found.units}".lower()
    if "cm" not in unit:
        raise InputError(f'Its abscissa is in "{one_line(unit, 30)}", not in cm-1.')
    quantity = "percent transmittance" if "transmittance" in what and "percent" in what else _quantity(what, rows)
    if quantity not in _UNITS:
        raise InputError(f'Its signal is "{one_line(what, 40)}", which is neither absorbance nor transmittance.')
    return [
        Block(
            name=titles[i] if i < len(titles) else f"spectrum {i}", axis="wavenumber_cm1", values=x, signal=row,
            units=_UNITS[quantity], technique="ftir", instrument="Thermo OMNIC", conditions={"quantity": quantity},
        )
        for i, row in enumerate(rows[:MAX_BLOCKS])
    ]  # fmt: skip


def _whole(data: bytes) -> None:
    """Refuse an OMNIC file whose table points beyond its end, on which the package that reads it would never end."""
    place, seen = _FIRST_KEY, 0
    while place + 16 <= len(data) and data[place] not in (0, 1):
        start, size = struct.unpack_from("<II", data, place + 2)
        ends = {2: start + _HEADER + 4, 3: start + size}.get(data[place], 0)
        if ends > len(data):
            raise InputError("Its table points beyond its end; it may be cut short.")
        seen += data[place] in (2, 3)
        place += 16
    if place + 16 > len(data) or seen < 2:
        raise InputError("It holds no spectrum; it may be cut short.")


class _any_failure(contextlib.AbstractContextManager["_any_failure"]):  # noqa: N801 - reads as a phrase
    """Whatever a package raises at a damaged file becomes one sentence."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.quiet = warnings.catch_warnings()

    def __enter__(self) -> _any_failure:
        self.quiet.__enter__()
        warnings.simplefilter("ignore")
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.quiet.__exit__(kind, error, trace)
        if isinstance(error, Exception) and not isinstance(error, InputError):
            said = one_line(error, 100).rstrip(".") or type(error).__name__
            raise InputError(f"It is no {self.kind} file that can be read ({said}); it may be damaged.") from None
