r"""Lasing points: pump and frequency at which a mode just holds itself, with the others' holes in place.

At a real frequency the equation is a linear eigenproblem for the pump,
:math:`[L + kE + k^2 M \varepsilon]\psi = -D\,k^2 g(k)\,M F/(1+H)\,\psi`; the mode lases where its D is real. All modes
are sought in one small subspace, which begins with the passive resonances and grows until all residuals vanish: in a
large cavity by what one factorisation at the gain centre makes of the residuals, in a small one by inverse iteration.

Sources: Esterhazy et al., Phys. Rev. A 2014, 90, 023816 (thresholds); Voss, BIT 2004, 44, 387 (the subspace).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from perolas.laser.salt.operator import Factors, Operator

TOLERANCE = 1e-10  # of the residual, relative
_ROUGH = 1e-7  # the same in a large cavity, whose grid is far coarser than that
_ROUNDS = 40
_SHARED = 2  # turns of a large cavity that use the common factors
_LARGEST_D0 = 1e6
_CHEAP = 8000  # nodes, up to which a factorisation costs less than what it saves


@dataclass(frozen=True)
class Point:
    """Where a mode just lases.

    Attributes:
        k: in units of k_a.
        d0: pump.
        psi: field at the nodes, largest modulus 1, shape (n,).
        residual: relative.
    """

    k: float
    d0: float
    psi: Complex[np.ndarray, " n"]
    residual: float


@dataclass
class Subspace:
    """An orthonormal basis with the equation projected on it, for given holes."""

    operator: Operator
    holes: Float[np.ndarray, " n"] | float
    basis: Complex[np.ndarray, "n m"]

    def __post_init__(self) -> None:
        """Project the equation on the basis."""
        self.basis = np.linalg.qr(self.basis)[0]
        self.images = self._image(self.basis)
        self.small = [self.basis.conj().T @ image for image in self.images]

    def _image(self, w: np.ndarray) -> list[np.ndarray]:
        o = self.operator
        saturated = (o.pump / (1.0 + self.holes))[:, None]
        return [o.laplacian @ w, o.ends[:, None] * w, o.mass @ (o.eps[:, None] * w), o.mass @ (saturated * w)]

    def extend(self, vectors: Complex[np.ndarray, "n q"]) -> bool:
        """Add directions to the basis; False where they held nothing new."""
        new = vectors / np.linalg.norm(vectors, axis=0)
        for _ in range(3):
            new = new - self.basis @ (self.basis.conj().T @ new)
            left = np.linalg.norm(new, axis=0)
            new = new[:, left > 1e-14] / left[left > 1e-14]
        q, r = np.linalg.qr(new)
        q = q[:, np.abs(np.diag(r)) > 1e-6]
        q = q - self.basis @ (self.basis.conj().T @ q)
        room = self.operator.size - self.basis.shape[1]
        q = np.linalg.qr(q)[0][:, :room]
        if q.shape[1] == 0:
            return False
        images = self._image(q)
        for j, image in enumerate(images):
            corner = np.concatenate([self.small[j], q.conj().T @ self.images[j]])
            self.images[j] = np.concatenate([self.images[j], image], axis=1)
            side = np.concatenate([self.basis.conj().T @ image, q.conj().T @ image])
            self.small[j] = np.concatenate([corner, side], axis=1)
        self.basis = np.concatenate([self.basis, q], axis=1)
        return True

    def pumps(self, k: float) -> tuple[Complex[np.ndarray, " m"], Complex[np.ndarray, "m m"]]:
        """Return the complex pumps at which the projected equation has a solution at k, with the solutions."""
        l0, l1, l2, l3 = self.small
        value, vector = np.linalg.eig(np.linalg.solve(l0 + k * l1 + k**2 * l2, l3))
        with np.errstate(all="ignore"):
            d0 = -1.0 / (value * k**2 * self.operator.gain(k))
        d0[~np.isfinite(d0)] = 1e300
        return d0, vector

    def near(self, k: float, y: Complex[np.ndarray, " m"]) -> tuple[complex, Complex[np.ndarray, " m"]]:
        """Return the pump at k of the solution most like y, with that solution."""
        d0, vector = self.pumps(k)
        likeness = np.abs(vector[: y.size].conj().T @ y)
        best = int(np.argmax(np.where(np.abs(d0) < _LARGEST_D0, likeness, -1.0)))
        return complex(d0[best]), vector[:, best]

    def settle(self, k: float, y: Complex[np.ndarray, " m"], precision: float) -> tuple[float, complex, np.ndarray]:
        """Return k, pump and solution where the pump of the mode y has become real, by secants."""
        reach = 0.5 * max(self.operator.gamma, 0.05)
        d_old, y = self.near(k, y)
        if abs(d_old.imag) < 0.1 * precision * abs(d_old):
            return k, d_old, y
        k_old, k = k, k + 1e-5 * self.operator.gamma
        for _ in range(12):
            d_new, y = self.near(k, y)
            if abs(d_new.imag) < precision * abs(d_new) or k == k_old:
                break
            slope = (d_new.imag - d_old.imag) / (k - k_old)
            move = -d_new.imag / slope if slope else 0.0
            k_old, d_old = k, d_new
            k = max(k + float(np.clip(move, -reach, reach)), 0.02)
        return k, d_new, y


def first_guess(
    operator: Operator, k: complex, psi: Complex[np.ndarray, " n"], holes: object = 0.0
) -> tuple[float, float]:
    """Return k and pump at which a passive resonance would lase if its field stayed as it is; pump inf where never."""
    left = psi  # the matrices are symmetric but for the absorbing layers
    slope = complex(left @ (operator.ends * psi + operator.mass @ (2.0 * k * operator.eps * psi)))
    pumped = complex(left @ (operator.mass @ (operator.pump / (1.0 + np.asarray(holes)) * psi)))
    if abs(pumped) < 1e-12 * abs(slope):
        return k.real, np.inf
    c = -slope / (operator.gamma * k**2 * pumped)
    # Im[c (q - k)(q - 1 + i gamma)] = 0 for real q
    a2, b = c, c * (-k - 1.0 + 1j * operator.gamma)
    roots = np.roots([a2.imag, b.imag, (c * k * (1.0 - 1j * operator.gamma)).imag])
    best = (k.real, np.inf)
    for q in roots[np.abs(roots.imag) < 1e-9].real:
        d0 = (c * (q - k) * (q - 1.0 + 1j * operator.gamma)).real
        if 0.0 < d0 < best[1] and q > 0.0:
            best = (float(q), float(d0))
    return best


def lasing_points(
    operator: Operator,
    factors: Factors,
    starts: list[tuple[float, float, Complex[np.ndarray, " n"]]],
    count: int,
    holes: Float[np.ndarray, " n"] | float = 0.0,
    more: list[Complex[np.ndarray, " n"]] | None = None,
    rounds: int = _ROUNDS,
) -> list[Point]:
    """Return the lasing points of lowest pump.

    Args:
        operator: the cavity.
        factors: of A near the gain centre, by which residuals are turned into directions.
        starts: (k, guessed pump, field) of each candidate; all their fields make the first basis.
        count: how many are wanted.
        holes: H of the modes that lase already, shape (n,).
        more: further fields for the first basis.
        rounds: most enlargements of the subspace.

    Returns:
        The points, lowest pump first, fewer where fewer were found; those not converged have a large residual.
    """
    if not starts:
        return []
    space = Subspace(operator, holes, np.stack([*(psi for _, _, psi in starts), *(more or [])], axis=1))
    open_ = [(k, d0, space.basis.conj().T @ psi) for k, d0, psi in starts]
    points: list[Point | None] = [None] * len(starts)
    guesses = np.array([d0 for _, d0, _ in starts])
    ended = np.zeros(len(starts), dtype=bool)
    visited = np.zeros(len(starts), dtype=bool)
    for turn in range(rounds):
        # Those that may be among the lowest, a rough guess being taken with a margin.
        rank = np.sort(guesses[np.isfinite(guesses)])
        limit = rank[min(count, rank.size) - 1] if rank.size else 0.0
        wanted = ~ended & ((guesses <= (1.3, 1.1, 1.02)[min(turn, 2)] * limit) | (turn == 0))
        if not wanted.any():
            break
        directions = []
        for i in np.flatnonzero(wanted):
            k, _, y = open_[i]
            k, d0, y = space.settle(k, y, 1e-5 if not visited[i] else 1e-12)
            psi = space.basis @ y
            residual = operator.apply(psi, k, d0.real, holes)
            scale = np.linalg.norm(operator.mass @ (k**2 * operator.permittivity(k, d0.real, holes) * psi))
            size = float(np.linalg.norm(residual) / scale)
            open_[i] = (k, d0.real, y)
            visited[i] = True
            guesses[i] = d0.real if d0.real > 0.0 and abs(d0.imag) < 1e-3 * abs(d0) else np.inf
            points[i] = Point(float(k), float(d0.real), psi, size)
            if size < (TOLERANCE if operator.size <= _CHEAP else _ROUGH) or not np.isfinite(guesses[i]):
                ended[i] = True
            elif operator.size <= _CHEAP or turn >= _SHARED:  # a factorisation of its own: inverse iteration
                own = operator.factors(k, d0.real * (1.0 + 1e-9), holes)
                directions.append(own.solve(operator.by_pump(psi, k, holes)))
            elif guesses[i] <= 1.5 * limit or turn > 0:
                directions.append(factors.solve(residual))
        _separate(space, open_, points, ended, visited)
        if directions and not space.extend(np.stack(directions, axis=1)):
            ended[wanted] = True
    found = [
        p for p, done, d0 in zip(points, visited, guesses, strict=True) if p is not None and done and np.isfinite(d0)
    ]
    found.sort(key=lambda p: p.d0)
    kept: list[Point] = []
    for p in found:
        if not any(same_point(p, other) for other in kept):
            kept.append(_polished(p))
    return kept[:count]


def same_point(one: Point, other: Point) -> bool:
    """Return whether two points are one and the same mode."""
    if abs(one.k - other.k) > 1e-6 or abs(one.d0 - other.d0) > 1e-5 * abs(other.d0):
        return False
    product = abs(np.vdot(one.psi, other.psi)) / np.linalg.norm(one.psi) / np.linalg.norm(other.psi)
    return bool(product > 0.95)


def _polished(point: Point) -> Point:
    peak = int(np.argmax(np.abs(point.psi)))
    return replace(point, psi=point.psi / point.psi[peak])


def _separate(
    space: Subspace,
    candidates: list[tuple[float, float, np.ndarray]],
    points: list[Point | None],
    ended: np.ndarray,
    visited: np.ndarray,
) -> None:
    """Give each of two candidates that met in a degenerate pair a field of its own."""
    live = [i for i in np.flatnonzero(visited) if points[i] is not None]
    for a, i in enumerate(live):
        p = points[i]
        twins = [j for j in live[a + 1 :] if p is not None and points[j] is not None and same_point(p, points[j])]  # type: ignore[arg-type]
        if not twins or p is None:
            continue
        d0, vector = space.pumps(p.k)
        pair = np.flatnonzero(np.abs(d0 - p.d0) < 1e-5 * p.d0)
        if pair.size < 2:
            continue
        plane = np.linalg.qr(vector[:, pair])[0]
        own = plane.conj().T @ (space.basis.conj().T @ p.psi)
        others = np.linalg.qr(np.concatenate([own[:, None], np.eye(pair.size)], axis=1))[0][:, 1:]
        for j, other in zip(twins, others.T, strict=False):
            if ended[j]:
                ended[j] = False
            candidates[j] = (p.k, p.d0, plane @ other)
