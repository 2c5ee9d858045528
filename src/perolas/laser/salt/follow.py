"""Following the lasing modes with the pump: which are on, which go off, and which comes next.

From one pump to the next, Newton's method starts from the solution before. A mode whose strength falls below zero is
switched off; a quiet mode whose own lasing point, with the holes of the others, lies below the pump is switched on at
strength zero. Both are repeated until neither happens. Where Newton's method fails, the step is halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from perolas.laser.salt.newton import Oscillation, holes_of, lase
from perolas.laser.salt.operator import Factors, Operator
from perolas.laser.salt.thresholds import Point, lasing_points

_LARGEST_FACTOR = 1.6
_SMALLEST_STEP = 1.0 / 256.0  # of the way
_CLOSE = 1e-3  # of the gain width: nearer than that two frequencies beat slowly
MESSAGES = {
    "converged": "every lasing mode converged, and no other mode has enough gain.",
    "below_threshold": "no mode has enough gain.",
    "max_steps": "Newton's method did not converge after its largest number of steps; lower the pump.",
    "stalled": "Newton's method found no step that improves the solution; lower the pump or raise the resolution.",
    "not_finite": "the solution holds values that are not numbers; check the pump and the permittivity.",
    "undecided": "a mode goes on and off without end at this pump; more than one steady state may exist here.",
}


@dataclass(frozen=True)
class Stage:
    """Where the modes are at one pump.

    Attributes:
        d0: pump.
        modes: that lase.
        quiet: lasing points of others, lowest first, those just above the pump.
        result: one of `MESSAGES`.
        residual: largest relative residual of Newton's method.
        note: what else to know, may be empty.
    """

    d0: float
    modes: tuple[Oscillation, ...]
    quiet: tuple[Point, ...]
    result: str
    residual: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Follower:
    """Takes the modes of a cavity from pump to pump.

    Attributes:
        operator: the cavity.
        factors: of A near the gain centre.
        linear: gives every linear threshold up to a pump, and the first one beyond.
    """

    operator: Operator
    factors: Factors
    linear: Callable[[float], list[Point]]

    def quiet(self, d0: float, modes: list[Oscillation]) -> list[Point]:
        """Return the lasing points of the modes that do not lase, the lowest ones, with the holes of those that do."""
        candidates = self.linear(d0)
        holes = holes_of(modes, self.operator.size)
        starts = [(p.k, p.d0, p.psi) for p in candidates]
        shapes = [m.shape for m in modes]
        if not modes:
            return candidates
        points = lasing_points(self.operator, self.factors, starts, len(modes) + 2, holes, shapes)
        return [p for p in points if not any(_is(p, m, d0) for m in modes)]

    def start(self) -> Stage:
        """Return the stage at the first threshold, nothing lasing yet."""
        first = self.linear(0.0)
        return Stage(first[0].d0 if first else np.inf, (), tuple(first), "below_threshold")

    def advance(self, stage: Stage, target: float) -> Stage:
        """Return the stage at another pump."""
        first = self.linear(0.0)
        if not first or target <= first[0].d0:
            return Stage(target, (), tuple(self.quiet(target, [])), "below_threshold")
        if not stage.modes:
            stage = self.start()
        share = 1.0
        while stage.d0 != target:
            most = stage.d0 * (_LARGEST_FACTOR if target > stage.d0 else 1.0 / _LARGEST_FACTOR)
            whole = min(target, most) if target > stage.d0 else max(target, most)
            d0 = whole if share == 1.0 else stage.d0 + share * (whole - stage.d0)
            trial = self.settle(d0, list(stage.modes))
            if trial.result in ("converged", "undecided"):
                stage, share = trial, min(1.0, 2.0 * share)
            elif share > _SMALLEST_STEP:
                share *= 0.5
            else:
                return replace(trial, d0=target)
        return stage

    def settle(self, d0: float, modes: list[Oscillation]) -> Stage:
        """Return the stage at a pump, from modes near to it, some of which may go off and others on."""
        off: list[Oscillation] = []
        for _ in range(40):
            solution = lase(self.operator, d0, modes)
            if solution.result != "converged":
                return Stage(d0, solution.modes, (), solution.result, solution.residual)
            modes = list(solution.modes)
            lowest = min(modes, key=lambda m: m.strength) if modes else None
            if lowest is not None and lowest.strength <= 0.0:
                modes.remove(lowest)
                off.append(lowest)
                continue
            quiet = self.quiet(d0, modes)
            ready = [p for p in quiet if p.d0 < d0 * (1.0 - 1e-9)]
            fresh = [p for p in ready if sum(_is(p, m, None) for m in off) < 2]
            if not fresh:
                result = "undecided" if ready else ("converged" if modes else "below_threshold")
                close = self._close(modes)
                return Stage(d0, tuple(_sorted(modes)), tuple(quiet), result, solution.residual, close)
            new = fresh[0]
            modes = [*modes, Oscillation(new.k, 0.0, new.psi)]
        return Stage(d0, tuple(modes), (), "undecided")

    def _close(self, modes: list[Oscillation]) -> str:
        k = np.sort([m.k for m in modes])
        if k.size > 1 and np.diff(k).min() < _CLOSE * self.operator.gamma:
            return (
                "Two lasing modes have nearly the same frequency, and the inversion would follow their beat: a steady "
                "state holds only if their difference is far above the relaxation rate of the inversion."
            )
        return ""

    def next_switch(self, stage: Stage, limit: float) -> tuple[float, Point | Oscillation | None, Stage]:
        """Return the pump at which the set of modes changes next, and what comes on or goes off there.

        Args:
            stage: where to begin, converged.
            limit: pump beyond which it is not looked for.

        Returns:
            The pump (inf where nothing changes up to the limit), the point of the mode that comes on or the mode that
            goes off, and the stage at that pump, in which nothing has changed yet.
        """
        low, high = stage, None
        f_low, what = self._margin(stage)
        f_high = 0.0
        kept = 0  # how often the same side has been kept (Illinois)
        slope = -1.0 / stage.d0
        for _ in range(60):
            if high is None:
                ahead = low.d0 - 1.02 * f_low / slope
                ahead = float(np.clip(ahead, low.d0 * 1.0001, min(limit, low.d0 * 1.3)))
            else:
                ahead = (low.d0 * f_high - high.d0 * f_low) / (f_high - f_low)
            solution = lase(self.operator, ahead, list(low.modes))
            if solution.result != "converged":
                limit = min(limit, ahead) if ahead - low.d0 < 1e-6 * low.d0 else limit
                high, f_high = None, 0.0
                slope *= 4.0
                if limit == ahead:
                    break
                continue
            modes = list(solution.modes)
            here = Stage(ahead, tuple(modes), tuple(self.quiet(ahead, modes)), "converged", solution.residual)
            f, what = self._margin(here)
            if abs(f) < 1e-10 or (high is not None and high.d0 - low.d0 < 1e-12 * ahead):
                return ahead, what, here
            if f > 0.0:
                if ahead >= limit:
                    return np.inf, None, here
                slope = min((f - f_low) / (ahead - low.d0), -0.02 / ahead)
                low, f_low, kept = here, f, (kept + 1 if kept > 0 else 1)
                f_high *= 0.5 if kept > 1 else 1.0
            else:
                high, f_high, kept = here, f, (kept - 1 if kept < 0 else -1)
                f_low *= 0.5 if kept < -1 else 1.0
        return np.inf, None, low

    def _margin(self, stage: Stage) -> tuple[float, Point | Oscillation | None]:
        """How far a stage is from the next change (below zero: beyond it), and which mode that is."""
        total = sum(abs(m.strength) for m in stage.modes)
        found: list[tuple[float, Point | Oscillation]] = [
            (m.strength / total, m) for m in stage.modes if len(stage.modes) > 1
        ]
        found += [(p.d0 / stage.d0 - 1.0, p) for p in stage.quiet[:1]]
        return min(found, key=lambda pair: pair[0]) if found else (np.inf, None)


def _sorted(modes: list[Oscillation]) -> list[Oscillation]:
    return sorted(modes, key=lambda m: m.k)


def _is(point: Point, mode: Oscillation, d0: float | None) -> bool:
    """Whether a lasing point is that of a mode which lases (at the pump d0, if that is given)."""
    if abs(point.k - mode.k) > (1e-5 if d0 is not None else 1e-2):
        return False
    if d0 is not None and abs(point.d0 - d0) > 1e-4 * d0:
        return False
    product = abs(np.vdot(point.psi, mode.shape)) / np.linalg.norm(point.psi) / np.linalg.norm(mode.shape)
    return bool(product > 0.9)
