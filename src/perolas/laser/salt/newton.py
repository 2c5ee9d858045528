r"""Newton's method for all lasing modes at once.

The unknowns are each mode's shape, frequency, and J, the square of its amplitude times Gamma(k), so that the holes are
:math:`H = \sum_\nu J_\nu |\phi_\nu|^2` and a mode may start from J = 0. Each mode's linear equation, with a column
for its frequency and a row that fixes amplitude and phase of its shape, is factorised alone; that the frequencies be
real fixes all J. What is left, the change of holes by changed shapes, is taken in by a few steps of GMRES, so the work
grows with the number of modes and not with its cube.

Source: Esterhazy et al., Phys. Rev. A 2014, 90, 023816, III (Newton on the nonlinear equations with a real frequency).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from scipy.sparse.linalg import LinearOperator, gmres

from perolas.laser.salt.operator import Operator

TOLERANCE = 1e-11
_STEPS = 15


@dataclass(frozen=True)
class Oscillation:
    """One lasing mode as Newton sees it.

    Attributes:
        k: in units of k_a.
        strength: J, the square of its amplitude times Gamma(k).
        shape: field of largest modulus 1, shape (n,).
    """

    k: float
    strength: float
    shape: Complex[np.ndarray, " n"]


@dataclass(frozen=True)
class Solution:
    """What Newton's method came to.

    Attributes:
        modes: the lasing modes.
        result: `converged`, `max_steps`, `stalled` or `not_finite`.
        residual: largest relative residual.
        steps: taken.
    """

    modes: tuple[Oscillation, ...]
    result: str
    residual: float
    steps: int


def holes_of(modes: tuple[Oscillation, ...] | list[Oscillation], size: int) -> Float[np.ndarray, " n"]:
    """Return H, shape (n,)."""
    total = np.zeros(size)
    for m in modes:
        total += m.strength * np.abs(m.shape) ** 2
    return total


def _residuals(o: Operator, d0: float, modes: list[Oscillation]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    holes = holes_of(modes, o.size)
    parts = np.stack([o.apply(m.shape, m.k, d0, holes) for m in modes])
    scale = [np.linalg.norm(o.mass @ (m.k**2 * o.permittivity(m.k, d0, holes) * m.shape)) for m in modes]
    return holes, parts, np.linalg.norm(parts, axis=1) / np.array(scale)


def lase(
    operator: Operator,
    d0: float,
    start: tuple[Oscillation, ...] | list[Oscillation],
    tolerance: float = TOLERANCE,
    most_steps: int = _STEPS,
) -> Solution:
    """Solve for all given modes at a pump.

    Args:
        operator: the cavity.
        d0: pump.
        start: the modes to begin with; a mode that has just been switched on has strength 0.
        tolerance: of the relative residual.
        most_steps: after which it gives up.

    Returns:
        The solution; a strength below 0 says that the mode does not lase at this pump.
    """
    modes = list(start)
    if not modes:
        return Solution((), "converged", 0.0, 0)
    holes, parts, sizes = _residuals(operator, d0, modes)
    best = float(sizes.max())
    for step in range(most_steps):
        if not np.isfinite(best):
            return Solution(tuple(modes), "not_finite", best, step)
        if best < tolerance:
            return Solution(tuple(modes), "converged", best, step)
        change = _step(operator, d0, modes, holes, parts, max(1e-8, min(1e-3, 0.03 * best)))
        length = 1.0
        for _ in range(8):
            trial = [
                _moved(m, length * dx, length * dk, length * dj) for m, (dx, dk, dj) in zip(modes, change, strict=True)
            ]
            new_holes = holes_of(trial, operator.size)
            if new_holes.min() > -0.9 and all(m.k > 0.0 and np.isfinite(m.strength) for m in trial):
                holes, parts, sizes = _residuals(operator, d0, trial)
                if sizes.max() < 3.0 * max(best, 1e-3):
                    break
            length *= 0.5
        else:
            return Solution(tuple(modes), "stalled", best, step)
        stuck = best < 1e3 * tolerance and sizes.max() > 0.5 * best  # rounding has been reached
        modes, best = trial, float(sizes.max())
        if stuck:
            return Solution(tuple(modes), "converged", best, step + 1)
    return Solution(tuple(modes), "converged" if best < tolerance else "max_steps", best, most_steps)


def _moved(mode: Oscillation, shape: np.ndarray, k: float, strength: float) -> Oscillation:
    moved = mode.shape + shape
    peak = moved[int(np.argmax(np.abs(moved)))]
    if not np.isfinite(peak) or peak == 0.0:
        return Oscillation(np.nan, np.nan, moved)
    return Oscillation(mode.k + k, (mode.strength + strength) * abs(peak) ** 2, moved / peak)


def _step(
    o: Operator, d0: float, modes: list[Oscillation], holes: np.ndarray, parts: np.ndarray, precision: float
) -> list[tuple[np.ndarray, float, float]]:
    """Return the Newton step of each mode: shape, frequency, strength."""
    count, n = len(modes), o.size
    burn = -d0 * o.pump / (1.0 + holes) ** 2
    weight = [m.k**2 * o.gain(m.k) * burn * m.shape for m in modes]
    solvers, columns, pulls = [], [], np.empty((count, count), dtype=complex)
    for i, m in enumerate(modes):
        solver = o.bordered(
            o.matrix(m.k, d0, holes), o.slope(m.shape, m.k, d0, holes), m.shape.conj() / np.linalg.norm(m.shape) ** 2
        )
        right = np.zeros((n + 1, count), dtype=complex)
        for j, other in enumerate(modes):
            right[:n, j] = o.mass @ (weight[i] * np.abs(other.shape) ** 2)
        answer = solver.solve(right)
        solvers.append(solver)
        columns.append(answer[:n])
        pulls[i] = answer[n]
    balance = np.linalg.pinv(pulls.imag, rcond=1e-13)

    def precondition(right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        answers = np.stack([s.solve(np.append(r, 0.0)) for s, r in zip(solvers, right, strict=True)])
        strengths = balance @ answers[:, n].imag
        shapes = np.stack([a[:n] - c @ strengths for a, c in zip(answers, columns, strict=True)])
        return shapes, (answers[:, n] - pulls @ strengths).real, strengths

    def couple(shapes: np.ndarray) -> np.ndarray:
        change = np.zeros(n)
        for m, x in zip(modes, shapes, strict=True):
            change += 2.0 * m.strength * (m.shape.conj() * x).real
        return np.stack([o.mass @ (w * change) for w in weight])

    right = -parts
    if any(m.strength != 0.0 for m in modes):

        def matvec(flat: np.ndarray) -> np.ndarray:
            field = flat.ravel().view(complex).reshape(count, n)
            return (field + couple(precondition(field)[0])).view(float).ravel()

        size = 2 * count * n
        flat, _ = gmres(
            LinearOperator((size, size), matvec=matvec, dtype=float),
            np.ascontiguousarray(right).view(float).ravel(),
            rtol=precision,
            restart=60,
            maxiter=2,
        )
        right = np.ascontiguousarray(flat).view(complex).reshape(count, n)
    shapes, shifts, strengths = precondition(right)
    return [(shapes[i], float(shifts[i]), float(strengths[i])) for i in range(count)]
