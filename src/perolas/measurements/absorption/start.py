"""Where to begin: every place of an edge is tried by linear least squares, so that no fit starts in a wrong valley."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from perolas.core.units import FWHM_PER_SIGMA
from perolas.measurements.absorption import dielectric, scales
from perolas.measurements.absorption.door import Points

Values = NDArray[np.float64]
_BINDINGS = (0.01, 0.035, 0.1)
_WIDTHS = (0.03, 0.07, 0.15, 0.3)
_POWERS = (0.5, 2.0, 4.0)
_GRID = np.arange(-2.0, 3.0, 0.002)  # energies about the gap, eV
PEROVSKITE = (2.2, 2.95)  # gaps that CsPbBr3 may have, from bulk to 4 nm and from cold to warm
PARENT = (3.75, 4.1)  # energies of the exciton of Cs4PbBr6
_WILD = 6.0  # standard deviations off its neighbours
REACH = 4.05  # a spectrum up to here shows that exciton whole enough


@dataclass(frozen=True)
class Start:
    """The best place of an edge.

    Attributes:
        gap, binding, fwhm: eV; NaN where nothing rises.
        amplitude, upper_height, second, scatter, offset: heights in absorbance (or K / S).
        power: of the scattering.
        second_ev: energy of the second line.
        gain: by how much chi-square falls against scattering and offset alone, over what each point still keeps.
    """

    gap: float
    binding: float
    fwhm: float
    amplitude: float
    upper_height: float
    second: float
    scatter: float
    offset: float
    power: float
    second_ev: float
    gain: float


def optical_of(points: Points) -> tuple[Values, Values]:
    """Return absorbance (or K / S) and its standard deviation, from any kind of signal."""
    signal, std = points.signal, np.sqrt(points.variance)
    if points.kind == "absorbance":
        return signal, std
    floor = np.maximum(np.maximum(signal, std), 1e-4)
    if points.kind == "transmittance":
        return -np.log10(floor), std / (floor * np.log(10.0))
    share = np.minimum(floor, 0.9999)
    slope = np.abs(share**2 - 1.0) / (2.0 * share**2)
    return np.asarray(scales.kubelka_munk(share)), np.maximum(std, 1e-4) * np.maximum(slope, 1e-2)


def search(points: Points, phases: bool, low: float | None = None, high: float | None = None) -> Start:
    """Return the best place of an edge among a grid of gaps, binding energies, widths and powers of scattering.

    Args:
        points: the spectrum.
        phases: whether a line of Cs4PbBr6 is looked for too.
        low: lowest gap, eV; None: anywhere in the spectrum.
        high: highest gap, eV; None: likewise.

    Returns:
        The start, with the gain in chi-square over no edge at all.
    """
    optical, std = optical_of(_calm(points))
    energy = points.energy
    weight = 1.0 / np.maximum(std, 1e-3 * float(np.ptp(optical)) + 1e-12)
    thin = max(1, energy.size // 400)  # enough for a start
    energy, target, weight = energy[::thin], (optical * weight)[::thin], weight[::thin]
    middle = 0.5 * (energy[0] + energy[-1])
    margin = 0.02 * (energy[-1] - energy[0])
    first = max(energy[0] + margin, low if low is not None else -np.inf)
    last = min(energy[-1] - margin, high if high is not None else np.inf)
    gaps = (
        np.arange(first, last, min(max(0.015, (last - first) / 100), (last - first) / 40))
        if last > first
        else np.array([])
    )
    templates, above = _templates()
    centres = np.linspace(*PARENT, 8)[1:-1] if phases else np.array([np.nan])
    best: tuple[float, tuple[float, ...], Values] = (np.inf, (), np.zeros(0))
    flat = np.inf
    for power in _POWERS:
        base = np.stack([(energy / middle) ** power, np.ones_like(energy)], axis=1) * weight[:, None]
        flat = min(flat, _rest(base, target)[0])
        for centre in centres:
            known = base if np.isnan(centre) else np.column_stack([base, _line(energy, centre) * weight])
            if not np.isnan(centre):
                rest, found = _rest(known, target)
                if rest < best[0] and found[-1] > 0:
                    best = (rest, (np.nan, 0.035, 0.07, power, centre), found)
            basis, _ = np.linalg.qr(known)
            left = target - basis @ (basis.T @ target)
            for gap in gaps:
                for (binding, width), shape in templates.items():
                    edge = np.interp(energy - gap, _GRID, shape) * gap / energy * weight
                    rise = np.interp(energy - gap, _GRID, above) * gap / energy * weight
                    pair = np.stack([edge, rise], axis=1)
                    pair = pair - basis @ (basis.T @ pair)
                    rest = _pair_rest(pair, left)
                    if rest < best[0]:
                        full, found = _rest(np.column_stack([known, edge, rise]), target)
                        if found[known.shape[1]] > 0:
                            best = (full, (gap, binding, width, power, centre), found)
    return _as_start(best, flat, phases, energy.size)


def _calm(points: Points) -> Points:
    """Return the spectrum without its outliers, which a median of five neighbours replaces."""
    from scipy.ndimage import median_filter

    middle = median_filter(points.signal, 5, mode="nearest")
    wild = np.abs(points.signal - middle) > _WILD * np.sqrt(points.variance)
    return replace(points, signal=np.where(wild, middle, points.signal))


def _as_start(best: tuple[float, tuple[float, ...], Values], flat: float, phases: bool, count: int) -> Start:
    rest, where, found = best
    if not where:
        return Start(np.nan, 0.03, 0.07, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 3.95, 0.0)
    gap, binding, width, power, centre = where
    first = 3 if phases else 2
    edge = found[first:] if found.size > first else np.zeros(2)
    each = max(rest, 1e-12 * flat, 1e-300) / max(count - 8, 1)
    return Start(
        gap, binding, width, float(edge[0]), float(edge[1]), float(found[2]) if phases else 0.0, float(found[0]),
        float(found[1]), power, centre if phases else 3.95, (flat - rest) / each,
    )  # fmt: skip


def _rest(columns: Values, target: Values) -> tuple[float, Values]:
    found: Values = np.linalg.lstsq(columns, target, rcond=None)[0].astype(np.float64)
    return float(np.sum((target - columns @ found) ** 2)), found


def _pair_rest(pair: Values, left: Values) -> float:
    """Return the sum of squares that two columns leave; the second may add nothing."""
    a, b, c = pair[:, 0] @ pair[:, 0], pair[:, 0] @ pair[:, 1], pair[:, 1] @ pair[:, 1]
    p, q = pair[:, 0] @ left, pair[:, 1] @ left
    total = float(left @ left)
    det = a * c - b * b
    if det > 1e-9 * a * c:
        return total - float((c * p * p - 2 * b * p * q + a * q * q) / det)
    return total - float(p * p / a) if a > 0 else total


@cache
def _templates() -> tuple[dict[tuple[float, float], Values], Values]:
    """Return broadened edges against the energy above the gap, and what rises above them."""
    spline = dielectric.perovskite("toluene").spline
    nodes = np.arange(spline.shape[1]) * dielectric.STEP
    above = np.interp(_GRID, nodes, spline[0], left=0.0)
    made = {}
    for binding in _BINDINGS:
        height = np.where(_GRID > 0, -1.0 / np.expm1(-2 * np.pi * np.sqrt(binding / np.maximum(_GRID, 1e-9))), 0.0)
        for n in (1, 2, 3):
            at = int(np.argmin(np.abs(_GRID + binding / n**2)))
            height[at] += 2 * binding / n**3 / (_GRID[1] - _GRID[0])
        for width in _WIDTHS:
            made[binding, width] = _smooth(height, width)
    return made, above


def _smooth(shape: Values, width: float) -> Values:
    sigma = width / FWHM_PER_SIGMA
    reach = int(5 * sigma / (_GRID[1] - _GRID[0])) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * (_GRID[1] - _GRID[0]) / sigma) ** 2)
    padded = np.pad(shape, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _line(energy: Values, centre: float) -> Values:
    spline = dielectric.parent("toluene").spline
    rest = np.interp(energy - centre, np.arange(spline.shape[1]) * dielectric.STEP, spline[0], left=0.0)
    return np.exp(-4 * np.log(2) * ((energy - centre) / 0.15) ** 2) + rest
