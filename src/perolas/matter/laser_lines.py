"""Which wavelengths the usual lasers give."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

_HARMONICS = (1, 2, 3, 4)


@cache
def _table() -> dict[str, dict[str, Any]]:
    import yaml

    path = files("perolas.matter").joinpath("parameters", "lines", "lasers.yaml")
    text = path.read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def laser_named(text: str) -> str | None:
    """Return the kind of laser that a text names, such as ``"Argon laser"``, or None where it is not listed."""
    wanted = " ".join(text.casefold().replace("laser", " ").split()).strip("- ")
    for name, entry in _table().items():
        if wanted in (name, *entry["aliases"]):
            return name
    return None


def source_of(laser: str) -> str:
    """Return the key of the source of a laser's lines."""
    return str(_table()[laser]["source"])


def nearest_nm(laser: str, wavelength_nm: float) -> float:
    """Return the wavelength of a laser that is nearest to one, nm.

    Args:
        laser: as `laser_named` gives it.
        wavelength_nm: what is looked for, nm.

    Returns:
        A line, one of its harmonics where crystals for that belong to the laser, or a wavelength of its range.
    """
    entry = _table()[laser]
    orders = _HARMONICS if entry.get("harmonics") else (1,)
    there = [line / n for line in entry.get("lines", []) for n in orders] + list(entry.get("doubled", []))
    if "range" in entry:
        low, high = entry["range"]
        there += [min(max(wavelength_nm, low / n), high / n) for n in orders]
    return float(min(there, key=lambda x: abs(x - wavelength_nm)))
