"""Numbers, units and names as a journal prints them; nothing here knows HTML."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any, TypeGuard

from perolas.core.tables import with_error

# Name and unit of each axis, for labels: see perolas.core.observation.AXIS_UNITS.
AXES = {
    "time_ns": "Time",
    "time_s": "Time",
    "time_d": "Time",
    "binding_energy_ev": "Binding energy",
    "kinetic_energy_ev": "Kinetic energy",
    "energy_ev": "Photon energy",
    "wavelength_nm": "Wavelength",
    "raman_shift_cm1": "Raman shift",
    "wavenumber_cm1": "Wavenumber",
    "two_theta_deg": "2θ",
    "fluence_uj_cm2": "Fluence",
    "area_um2": "Pumped area",
    "channel": "Channel",
}

TECHNIQUES = {
    "trpl": "time-resolved photoluminescence",
    "xps": "X-ray photoelectron spectroscopy",
    "peaks": "lines on a background",
    "raman": "Raman scattering",
    "pl": "photoluminescence",
    "absorption": "absorption",
    "ftir": "infrared absorption",
    "xrd": "X-ray diffraction",
    "tem": "electron microscopy",
    "hrtem": "lattice images",
    "photocurrent": "photocurrent",
    "emission": "emission",
}

_SUPERSCRIPT = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ELEMENTS = frozenset(
    re.findall(
        "[A-Z][a-z]?",
        "HLiBCNOFNaMgAlSiPSClKCaTiCrMnFeCoNiCuZnGaGeAsSeBrRbSrZrAgCdInSnSbTeICsBaLaEuWPtAuHgPbBi",
    )
)
_FORMULA = re.compile(r"(?<![\w.\-/\\])(?:[A-Z][a-z]?\d{0,2}){2,8}(?![\w\-/\\]|\.\w)")
_MICRO = re.compile(r"(?<![A-Za-zµμ])u(?=(?:J|W|m|s|L|l|g|A|V|M|C|Hz|eV|mol)(?![A-Za-z]))")
_POWER = re.compile(r"(?<=[A-Za-zµ)])\s*(?:\*\*|\^)\s*(?:\(([-+]?\d+)\)|([-+]?\d+))|(?<=[A-Za-zµ])(-\d+)(?![\d.])")
_WORDS = {
    "deg": "°", "degC": "°C", "degree": "°", "angstrom": "Å", "ohm": "Ω", "percent": "%", "dimensionless": "",
    "micrometer": "µm", "electron_volt": "eV",
}  # fmt: skip
_POWER_OF_TEN = re.compile(r"(?<=[\d)])e([-+]?)0*(\d+)")


def superscript(digits: object) -> str:
    """Return e.g. ``"⁻¹"`` for -1."""
    return str(digits).translate(_SUPERSCRIPT)


def unit(text: object) -> str:
    """Return a unit as it is printed: ``"cm-1"`` is cm⁻¹, ``"uJ/cm^2"`` µJ/cm², ``"1"`` nothing.

    Args:
        text: a unit as files and tables write it; None is none.

    Returns:
        The unit; text that is not understood comes back as it is.
    """
    raw = "" if text is None else str(text).strip()
    if raw in ("", "1"):
        return ""
    raw = re.sub(r"[A-Za-z_]+", lambda m: _WORDS.get(m.group(), m.group()), raw)
    raw = _MICRO.sub("µ", raw).replace("μ", "µ")
    raw = _POWER.sub(lambda m: superscript((m.group(1) or m.group(2) or m.group(3)).lstrip("+")), raw)
    single = re.fullmatch(r"1\s*/\s*([^\s/*·]+)", raw)
    if single and not re.search("[⁰¹²³⁴⁵⁶⁷⁸⁹]", single.group(1)):
        return f"{single.group(1)}⁻¹"
    return re.sub(r"\s*\*\s*", "\u202f", raw)


def powers(text: str) -> str:
    """Return text in which ``1.2e-07`` is printed as 1.2×10⁻⁷, and a minus is a minus sign."""
    text = _POWER_OF_TEN.sub(lambda m: f"×10{superscript(m.group(1).replace('+', '') + m.group(2))}", text)
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


def prose(words: object) -> str:
    """Return a sentence with its formulas and units as printed: CsPbBr₃, cm⁻¹, τ², µJ.

    Args:
        words: plain text.

    Returns:
        Plain text; names with underscores, dots or slashes (files, quantities) stay as they are.
    """
    line = powers(str(words))
    line = re.sub(
        r"(?<=[A-Za-zµ)])\^(?:\(([-+−]?\d+)\)|([-+−]?\d+)(?![\d.]*\d))",
        lambda m: superscript((m.group(1) or m.group(2)).replace("−", "-").lstrip("+")),
        line,
    )
    line = re.sub(
        r"\b(cm|nm|ns|ps|s|m|eV|h)-([12])\b(?![-.\w])", lambda m: m.group(1) + superscript(f"-{m.group(2)}"), line
    )
    line = re.sub(r"(?<=\d)(\s?)u(?=(?:J|W|m|s|L|g|A|V)\b)", r"\1µ", line)
    return _FORMULA.sub(_subscript, line)


def _subscript(found: re.Match[str]) -> str:
    symbols = re.findall(r"[A-Z][a-z]?", found.group())
    formula = len(symbols) > 1 and any(c.isdigit() for c in found.group()) and set(symbols) <= _ELEMENTS
    return found.group().translate(_SUBSCRIPT) if formula else found.group()


def number(value: object, digits: int = 6) -> str:
    """Return anything that may stand in a table as text: a number to `digits`, a dash for nothing.

    Args:
        value: number, truth value, text, None, or a list or dictionary of them.
        digits: significant digits of a number.

    Returns:
        The text.
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) < 10**12:
        return powers(str(value))
    if isinstance(value, int | float):
        return powers(f"{value:.{digits}g}") if math.isfinite(value) else "–"
    if isinstance(value, list | tuple):
        return ", ".join(number(v, digits) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {number(v, digits)}" for k, v in value.items())
    return str(value)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number (a truth value is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def measured(value: object, std: object, unit_text: object = "", *, std_known: bool = True) -> str:
    """Return a value with its error and unit, e.g. ``"3.612 ± 0.014 ns"``.

    Args:
        value: the number; anything else is shown as it is.
        std: its standard error; None is an error that is not bounded, or, without `std_known`, one that is not given.
        unit_text: unit of both.
        std_known: whether an absent error means an undetermined one.

    Returns:
        The text.
    """
    shown = unit(unit_text)
    if not is_number(value):
        return number(value)
    if not is_number(std) and not std_known:
        text = number(value)
    else:
        text = powers(with_error(float(value), float(std) if is_number(std) else None))
    if shown == "%" and " ± " in text and not text.endswith("(undetermined)"):
        text = f"({text})"
    if text.endswith(" (undetermined)"):
        return f"{text.removesuffix(' ± ∞ (undetermined)')}{_gap(shown)} (error not bounded)"
    return f"{text}{_gap(shown)}"


def _gap(shown: str) -> str:
    return "" if not shown else shown if shown == "°" else f"\u00a0{shown}"


def axis_label(name: str, unit_text: object) -> str:
    """Return the label of an axis, e.g. ``"Time (ns)"``."""
    words = AXES.get(name) or plain(re.sub(r"_[a-z0-9]+$", "", name) or name)
    shown = unit(unit_text)
    return f"{words} ({shown})" if shown else words


def signal_label(unit_text: object) -> str:
    """Return the label of a signal's axis from its unit."""
    raw = "" if unit_text is None else str(unit_text)
    if raw in ("counts", "count"):
        return "Counts"
    shown = unit(raw)
    return f"Intensity ({shown})" if shown else "Signal"


def plain(name: str) -> str:
    """Return a name with its underscores as spaces and a capital, e.g. ``"Decay 1"``."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def slug(name: str, taken: set[str]) -> str:
    """Return a name that is safe as a file name and as an anchor, and not among `taken` (to which it is added).

    Args:
        name: any text.
        taken: what has been given out; compared without regard to case, as some file systems do.

    Returns:
        Letters, digits and ``-_.`` only, not empty.
    """
    ascii_text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_text).strip("-._")[:60] or "item"
    if base.split(".")[0].upper() in {"CON", "PRN", "AUX", "NUL"} | {
        f"{p}{i}" for p in ("COM", "LPT") for i in range(10)
    }:
        base = f"item-{base}"
    result, count = base, 1
    while result.lower() in taken:
        count += 1
        result = f"{base}-{count}"
    taken.add(result.lower())
    return result


def join(words: list[str]) -> str:
    """Return ``"a, b and c"``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def count(n: int, singular: str, plural: str = "") -> str:
    """Return e.g. ``"1 claim"`` or ``"3 claims"``."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def as_dict(value: Any) -> dict[str, Any]:
    """Return a dictionary, empty where there is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list: empty for None, one element for a lone value."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
