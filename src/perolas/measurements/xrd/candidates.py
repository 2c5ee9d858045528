"""Which of several structures a pattern shows: candidates ranked by evidence, as a powder or by their cell alone.

Each candidate is tried on its own, beside a background, on a grid of sizes and small strains of its cell:

- as a powder: one scale, intensities of the structure;
- by its cell alone: one free, non-negative intensity for each of its lines, which is what a textured film leaves.

The noise is unknown here, since no candidate alone is the whole truth, so the evidence is n ln(RSS / n) + k ln n (BIC),
RSS being the weighted sum of squares and k the number of scales or lines and background terms. Where the cell alone
wins and all that it needs are orders of one plane, the sample is textured and says nothing about the structure.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core.errors import InputError
from perolas.core.observation import conditions_of
from perolas.matter.crystal import Crystal
from perolas.measurements.xrd.instrument import Instrument, settle
from perolas.measurements.xrd.prepare import Prepared, crystals_of, prepare
from perolas.measurements.xrd.start import non_negative
from perolas.measurements.xrd.words import foreign_lines

_STRAINS = np.linspace(-0.007, 0.007, 29)  # a height error of 0.1 mm looks like 0.3 % at 15 degrees
_WIDTHS_DEG = (0.07, 0.1, 0.14, 0.2, 0.3, 0.6)
_MOST_LINES = 60
_NEEDED = 0.02  # lines weaker than this, relative to the strongest fitted one, are not counted as needed


def rank(
    observation: xr.Dataset,
    *,
    phases: Sequence[str] = (),
    cif: str | os.PathLike[str] | Sequence[str] | None = None,
    anode: str | None = None,
    wavelength: float | None = None,
    window: tuple[float, float] | None = None,
) -> list[dict[str, Any]]:
    """Rank candidates for what a pattern shows.

    Args:
        observation: one pattern, axis ``two_theta_deg``.
        phases: names of phases of the library.
        cif: a structure file, a folder of them, or a list.
        anode: of the tube, where the file does not say it.
        wavelength: a single wavelength in nm.
        window: first and last two theta to look at, degrees.

    Returns:
        One row for each, best first: ``name``, ``bic`` (relative to the best), ``model`` (``"powder"`` or
        ``"cell only"``), ``strain`` of its cell, ``verdict`` (a sentence), ``lines`` (indices of those
        that are needed), ``foreign_lines`` (that it leaves over).
        A background without any phase is ranked among them as ``"nothing"``.

    Raises:
        InputError: data or options that cannot be used, or no candidate.
    """
    crystals = crystals_of(phases, cif)
    if not crystals:
        raise InputError("Name the candidates (phases, from the library) or give their structures (cif).")
    data = prepare(observation, window)
    machine, _ = settle(conditions_of(observation), None, wavelength, anode, None, None)
    trial = _Trial(data, machine)
    rows: list[dict[str, Any]] = [
        {
            "name": "nothing",
            "bic": trial.nothing,
            "model": "background",
            "strain": 0.0,
            "lines": [],
            "foreign_lines": [],
        }
    ]
    rows += [trial.row(c) for c in crystals]
    best = min(float(r["bic"]) for r in rows)
    for row in rows:
        row["bic"] = float(row["bic"]) - best
        row["verdict"] = _verdict(row)
    return sorted(rows, key=lambda r: float(r["bic"]))


class _Trial:
    """One pattern with its background, on which candidates are tried."""

    def __init__(self, data: Prepared, machine: Instrument) -> None:
        self._axis, self._machine = data.axis, machine
        x = np.clip(2 * (data.axis - data.axis[0]) / np.ptp(data.axis) - 1, -1, 1)
        count = int(np.clip(3 + np.ptp(data.axis) / 10.0, 4, 12))
        self._root = np.sqrt(data.weight)
        self._background = np.cos(np.arange(count)[:, None] * np.arccos(x)) * self._root
        self._signal = data.signal * self._root
        self._square = float(self._signal @ self._signal)
        fitted = np.linalg.lstsq(self._background.T, self._signal, rcond=None)[0]
        rest = self._signal - fitted @ self._background
        self.nothing = self._bic(float(rest @ rest), count)

    def _bic(self, rss: float, free: int) -> float:
        n = self._signal.size
        return n * math.log(max(rss, 1e-12 * self._square) / n) + free * math.log(n)

    def row(self, crystal: Crystal) -> dict[str, Any]:
        """Return how well one candidate does, by the better of its two models."""
        found = crystal.reflections(self._machine.wavelengths_nm[0], two_theta_max=min(self._axis[-1] + 1, 179.0))
        keep = np.flatnonzero((found.two_theta_deg > self._axis[0]) & (found.intensity > 0.1))
        keep = np.sort(keep[np.argsort(-found.intensity[keep])][:_MOST_LINES])
        best: dict[str, Any] = {
            "name": crystal.name, "bic": math.inf, "model": "powder", "strain": 0.0, "lines": [],
        }  # fmt: skip
        if not keep.size:
            return best
        strength, d, hkl = found.intensity[keep] / 100, found.d_nm[keep], found.hkl[keep]
        chosen = (d, _WIDTHS_DEG[0], np.zeros(1))
        for width in _WIDTHS_DEG:
            for strain in _STRAINS:
                shapes = self._shapes(d * (1 + strain), width)
                for model in ("powder", "cell only"):
                    rows = strength[None] @ shapes if model == "powder" else shapes
                    rss, scale = self._fit(rows)
                    # Two more for width and strain.
                    bic = self._bic(rss, len(rows) + len(self._background) + 2)
                    if bic < best["bic"]:
                        needed = scale > _NEEDED * scale.max(initial=1e-300)
                        lines = hkl[needed] if model == "cell only" else hkl
                        best |= {"bic": bic, "model": model, "strain": float(strain)}
                        chosen = (d * (1 + strain), width, scale)
                        best["lines"] = [[int(i) for i in h] for h in lines]
        best["foreign_lines"] = self._foreign(*chosen, strength)
        return best

    def _foreign(self, d: np.ndarray, width: float, scale: np.ndarray, strength: np.ndarray) -> list[dict[str, float]]:
        """Return the lines that a candidate at its best leaves over."""
        shapes = self._shapes(d, width)
        rows = shapes if scale.size == len(shapes) else strength[None] @ shapes
        every = np.concatenate([rows, self._background])
        linear = non_negative(every @ every.T, every @ self._signal, len(rows))[0]
        height = linear[: len(rows)] * (1.0 if scale.size == len(shapes) else strength)
        shown = height > _NEEDED * height.max(initial=1e-300)
        centre = 2 * np.rad2deg(np.arcsin(np.minimum(self._machine.wavelengths_nm[0] / (2 * d[shown]), 1.0)))
        signal, expected = self._signal / self._root, (linear @ every) / self._root
        return foreign_lines(self._axis, signal, expected, self._root**2, centre, np.full(centre.size, width))

    def _fit(self, rows: np.ndarray) -> tuple[float, np.ndarray]:
        every = np.concatenate([rows, self._background])
        linear, cost, _ = non_negative(every @ every.T, every @ self._signal, len(rows))
        return self._square + cost, linear[: len(rows)]

    def _shapes(self, d: np.ndarray, width: float) -> np.ndarray:
        """Return each line of height one with both wavelengths, weighted, shape (lines, n)."""
        total = np.zeros((d.size, self._axis.size))
        for wavelength, share in zip(self._machine.wavelengths_nm, (1.0, self._machine.ka2_ratio), strict=False):
            centre = 2 * np.rad2deg(np.arcsin(np.minimum(wavelength / (2 * d), 1.0)))
            u = (self._axis[None] - centre[:, None]) / width
            total += share * (0.5 / (1 + 4 * u**2) + 0.5 * np.exp(-4 * math.log(2) * u**2))
        return total * self._root


def _verdict(row: dict[str, Any]) -> str:
    if row["model"] == "background":
        return "no phase at all."
    if not math.isfinite(row["bic"]):
        return "no line in the window."
    if row["model"] == "powder":
        return "cell and intensities fit as of a powder."
    indices = np.array(row["lines"]).reshape(-1, 3)
    plane = _common_plane(indices)
    if plane:
        return f"texture: cell only; all lines are orders of ({plane})."
    return "cell only: positions fit, intensities do not."


def _common_plane(indices: np.ndarray) -> str:
    """Return the plane of which all indices are orders, as text; empty where there is none."""
    if not len(indices):
        return ""
    plane = np.abs(indices[0]) // max(int(np.gcd.reduce(np.abs(indices[0]))), 1)
    for h in indices:
        if tuple(np.sort(np.abs(h) // max(int(np.gcd.reduce(np.abs(h))), 1))) != tuple(np.sort(plane)):
            return ""
    return "".join(str(int(i)) for i in plane)
