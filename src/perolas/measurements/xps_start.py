"""Start values for core levels from the data alone: linear least squares over a grid of line positions.

At a given position and width everything else in the model is linear, so each grid point costs one small solve. Nothing
here decides anything: the candidates that it proposes are all fitted by `perolas.core.invert`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.core.units import FWHM_PER_SIGMA
from perolas.measurements.xps_levels import Level

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Start:
    """One guess of the model's parameters.

    Attributes:
        positions, areas: shape (k,), eV and counts eV, the largest area first.
        fwhm: eV.
        background, shirley: counts and 1/eV.
    """

    positions: Vector
    areas: Vector
    fwhm: float
    background: float
    shirley: float


@dataclass(frozen=True)
class Scan:
    """Data with the level that is looked for in them.

    Attributes:
        energy: shape (n,), rising, eV.
        signal: shape (n,).
        weight: shape (n,), one over the standard deviation.
        level: the core level.
        active: whether the background has a Shirley step.
    """

    energy: Vector
    signal: Vector
    weight: Vector
    level: Level
    active: bool

    def grid(self) -> Vector:
        """Return the positions that a main line may have: inside the data, its partner too if there is room."""
        low, high = self.level.range_ev
        margin = 6.0
        first = max(self.energy[0] + 0.3, low - margin)
        last = min(self.energy[-1] - 0.3, high - self.level.splitting_ev + margin)
        if self.energy[-1] - self.level.splitting_ev - 0.3 > first:
            last = min(last, self.energy[-1] - self.level.splitting_ev - 0.3)
        return np.linspace(first, max(last, first + 0.1), 161)

    def doublet(self, position: float, fwhm: float) -> Vector:
        """Return one species of unit area, shape (n,)."""
        ratio, total = self.level.area_ratio, np.zeros_like(self.energy)
        for shift, weight in ((0.0, 1.0), (self.level.splitting_ev, ratio)):
            x = self.energy - position - shift
            gauss = np.exp(-0.5 * (x / fwhm * FWHM_PER_SIGMA) ** 2) * FWHM_PER_SIGMA / (fwhm * np.sqrt(2 * np.pi))
            total += weight * (0.7 * gauss + 0.3 * 0.5 * fwhm / np.pi / (x**2 + 0.25 * fwhm**2))
        return total / (1 + ratio)

    def solve(self, positions: Vector, fwhm: float) -> tuple[Start, float]:
        """Return the linear parameters at given positions and width, and the weighted sum of squares left."""
        lines = np.array([self.doublet(p, fwhm) for p in positions])
        middle = self.energy - self.energy.mean()
        flat = np.ones_like(self.energy)
        coefficient, rest = self._least([*lines, flat, middle])
        areas = np.maximum(coefficient[: len(positions)], 0.0)
        shirley, level = 0.0, float(coefficient[len(positions)])
        if self.active and areas.sum() > 0:
            step = self.running(areas @ lines)
            coefficient, rest = self._least([*lines, flat, step])
            areas = np.maximum(coefficient[: len(positions)], 0.0)
            shirley, level = float(max(coefficient[-1], 0.0)), float(coefficient[-2])
        order = np.argsort(-areas, kind="stable")
        return Start(np.asarray(positions)[order], areas[order], fwhm, level, shirley), rest

    def running(self, lines: Vector) -> Vector:
        """Return the integral of lines from the low end of the axis."""
        parts = 0.5 * (lines[1:] + lines[:-1]) * np.diff(self.energy)
        return np.concatenate([[0.0], np.cumsum(parts)])

    def _least(self, columns: list[Vector]) -> tuple[Vector, float]:
        design = np.array(columns).T * self.weight[:, None]
        size = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
        solution, *_ = np.linalg.lstsq(design / size, self.signal * self.weight, rcond=1e-10)
        rest = self.signal * self.weight - design @ (solution / size)
        return solution / size, float(rest @ rest)

    def first(self, count: int) -> list[Start]:
        """Return guesses with one species, best first."""
        found = []
        for factor in (0.7, 1.0, 1.5, 2.2):
            tried = [self.solve(np.array([p]), factor * self.level.fwhm_ev) for p in self.grid()]
            found += _best(tried, 3)
        found.sort(key=lambda item: item[1])
        return [start for start, _ in found[:count]]

    def more(self, base: Start, count: int) -> list[Start]:
        """Return guesses with one species more than `base`, best first.

        Args:
            base: a fit.
            count: how many to return at most.

        Returns:
            Lines added where the residual asks for them, lines split in two, and the distances of known species.
        """
        main, reach = float(base.positions[0]), self.level.reach_ev
        grid = np.linspace(max(main - reach, self.energy[0]), min(main + reach, self.energy[-1]), 121)
        tried = [self.solve(np.append(base.positions, p), base.fwhm) for p in grid]
        tried = [t for t in tried if np.all(t[0].areas > 0)]
        found = [start for start, _ in _best(tried, max(2, count // 2 - 1))]
        for half in (0.3, 0.45):
            split = np.concatenate([[main - half * base.fwhm, main + half * base.fwhm], base.positions[1:]])
            found.append(self.solve(split, 0.85 * base.fwhm)[0])
        known = [s.position_ev for s in self.level.species]
        distances = {round(b - a, 3) for a in known for b in known if a != b}
        found += [self.solve(np.append(base.positions, main + d), base.fwhm)[0] for d in sorted(distances, key=abs)]
        return found[:count]


def _best(tried: list[tuple[Start, float]], count: int) -> list[tuple[Start, float]]:
    """Return the lowest local minima of a scan."""
    rest = np.array([r for _, r in tried])
    if not rest.size:
        return []
    padded = np.concatenate([[np.inf], rest, [np.inf]])
    minima = np.flatnonzero((rest <= padded[:-2]) & (rest <= padded[2:]))
    return [tried[i] for i in sorted(minima, key=lambda i: rest[i])[:count]]
