"""The differences of a "what if" in the order in which a reader wants them, and in words; for terminal and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 60


def ranked(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the differences: what answers a claim first, then by how much they changed in their errors, then the rest.

    Args:
        told: "what_if" of the results.

    Returns:
        The rows of "differences", sorted.
    """
    rows = list(told.get("differences") or [])
    return sorted(rows, key=lambda r: (not r["claimed"], -_size(r)))


def _size(row: Mapping[str, Any]) -> float:
    if row["difference"] is None:
        return -1.0  # there without the change, or with it, but not both
    scale = row["before_std"] or row["after_std"] or abs(row["before"]) or abs(row["after"])
    return float(abs(row["difference"]) / scale) if scale else 0.0


def change_of(row: Mapping[str, Any]) -> str:
    """Return a difference in words: a ratio where the change is large or the zero is a true one, else a difference.

    Args:
        row: of "differences".

    Returns:
        E.g. ``"x 2.3"`` or ``"+0.012 eV"``.
    """
    if row["difference"] is None:
        return "gone" if row["after"] is None else "new"
    if row["ratio"] is not None and row["ratio"] > 0 and not 0.8 < row["ratio"] < 1.25:
        return f"\u00d7 {row['ratio']:.3g}"
    unit = "" if row["unit"] in ("", "1", None) else f" {row['unit']}"
    return f"{row['difference']:+.3g}{unit}"
