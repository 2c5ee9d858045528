"""How probable spots of a Fourier transform are, given a phase: one spacing, a pair with its angle, a whole zone.

Everything is a density in the logarithm of spatial frequencies and in angles, so that phases compare. A spot is off its
plane by (a) the error of its position, (b) the scale of the image, one error for all spots (calibration), (c) what
differs between directions: projector distortion and a cell other than the library's, independent for each spot.

    one spot:   p(ln k) = sum_f W_f N(ln k - ln g_f; (b)^2 + (c)^2 + (a)^2),     W_f ~ sum over the family of visibility
    a pair:     p = sum_{g1, g2} W_g1 W_g2 N_3(ln k1 - ln g1, ln k2 - ln g2, angle - angle_g), the scale integrated out
    more spots: each is p(k3 | g1, g2) = (1 - e) sum_{g in the zone} W_g N_2(k3 - (m k1 + n k2)) + e / (all the range)

with m, n what g needs of g1 and g2, so that the third spot is free of the calibration. Spots may also come from several
crystals; with that probability each is on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.measurements.hrtem.planes import Planes, label

_STRAY = 0.1  # share of further spots that belong to nothing
_SMEAR = 0.2  # how far the planes of an unlisted phase are taken to lie from those of the listed ones, in ln d
_COLLINEAR_RAD = math.radians(5.0)
_MOST_ASSIGNMENTS = 60
_REACH = 5.0  # standard deviations


@dataclass(frozen=True)
class Errors:
    """Relative standard errors of spots.

    Attributes:
        calibration: of the scale, shared by all spots.
        direction: of each spot on its own: distortion and cell.
        position: shape (n,), of each spot's position.
    """

    calibration: float
    direction: float
    position: NDArray[np.float64]

    def single(self, i: int) -> float:
        """Return the relative error of one spot's spacing."""
        return math.hypot(self.calibration, self.direction, float(self.position[i]))


@dataclass(frozen=True)
class Assignment:
    """One reading of the spots.

    Attributes:
        hkl: indices for each spot; None where it belongs to nothing.
        d_nm: spacing of that plane, NaN where there is none.
        forbidden: whether that plane is forbidden.
        zone: direction of the beam, or None for a single plane.
        weight: density, prior weight included.
        deviation: measured over tabulated spacing of the first spot, less one.
    """

    hkl: tuple[tuple[int, int, int] | None, ...]
    d_nm: tuple[float, ...]
    forbidden: tuple[bool, ...]
    zone: tuple[int, int, int] | None
    weight: float
    deviation: float

    @property
    def words(self) -> str:
        """Return the indices as text."""
        parts = [
            "-" if h is None else label(np.array(h)) + ("*" if f else "")
            for h, f in zip(self.hkl, self.forbidden, strict=True)
        ]
        return " ".join(parts)


def gauss(x: NDArray[np.float64] | float, std: float) -> NDArray[np.float64]:
    """Return the normal density."""
    return np.asarray(np.exp(-0.5 * (np.asarray(x) / std) ** 2) / (std * math.sqrt(2.0 * math.pi)))


def single(planes: Planes, weight: NDArray[np.float64], k_per_nm: float, std: float) -> tuple[float, list[Assignment]]:
    """Return the density of one spot's ln k, and the planes that it may be.

    Args:
        planes: of the phase.
        weight: shape (n,), prior of each plane, summing to one.
        k_per_nm: modulus of the spatial frequency.
        std: relative error, all parts together.

    Returns:
        The density, and one assignment for each family within five standard errors, most probable first.
    """
    if not len(planes.d_nm):
        return 0.0, []
    off = -np.log(k_per_nm * planes.d_nm)
    each = weight * gauss(off, std)
    found = []
    for family in np.unique(planes.family[np.abs(off) < _REACH * std]):
        of = np.flatnonzero(planes.family == family)
        i = int(min(of, key=lambda n: (int(np.sum(planes.hkl[n] < 0)), *(-planes.hkl[n]).tolist())))
        hkl = (int(planes.hkl[i, 0]), int(planes.hkl[i, 1]), int(planes.hkl[i, 2]))
        d = float(planes.d_nm[i])
        total = float(each[of].sum())
        found.append(Assignment((hkl,), (d,), (bool(planes.forbidden[i]),), None, total, 1.0 / (k_per_nm * d) - 1.0))
    return float(each.sum()), sorted(found, key=lambda a: -a.weight)


def smeared(planes: Planes, weight: NDArray[np.float64], k_per_nm: float) -> float:
    """Return the density of ln k for a phase whose planes are like these, but for 20 % of their spacing."""
    return float(np.sum(weight * gauss(np.log(k_per_nm * planes.d_nm), _SMEAR))) if len(planes.d_nm) else 0.0


def angle_between(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the angle between two lines, radians, 0 to pi/2; shape (m,) each."""
    cosine = abs(float(first @ second)) / (np.linalg.norm(first) * np.linalg.norm(second))
    return math.acos(min(cosine, 1.0))


def second_spot(k: NDArray[np.float64]) -> int | None:
    """Return the first spot that does not lie along the same line as spot 0, or None."""
    return next((j for j in range(1, len(k)) if angle_between(k[0], k[j]) > _COLLINEAR_RAD), None)


def zone(
    planes: Planes,
    weight: NDArray[np.float64],
    k: NDArray[np.float64],
    other: int,
    errors: Errors,
    d_range: tuple[float, float],
) -> tuple[float, list[Assignment]]:
    """Return the density of several spots of one crystal, and how they may be indexed.

    Args:
        planes: of the phase.
        weight: shape (n,), prior of each plane, summing to one.
        k: shape (m, 2), spots, 1/nm, the first being the one to start from.
        other: number of the second spot to start from, not collinear with the first.
        errors: of the spots.
        d_range: smallest and largest spacing that was looked for, nm.

    Returns:
        The density in (ln k1, ln k2, angle) times those of further spots in (ln k, azimuth), and assignments.
    """
    k1, k2 = k[0], k[other] * (1.0 if k[0] @ k[other] >= 0 else -1.0)
    angle = angle_between(k1, k2)
    near = [
        np.flatnonzero(np.abs(np.log(np.linalg.norm(v) * planes.d_nm)) < _REACH * errors.single(i))
        for v, i in ((k1, 0), (k2, other))
    ]
    if not near[0].size or not near[1].size:
        return 0.0, []
    g1, g2 = planes.vector_per_nm[near[0]], planes.vector_per_nm[near[1]]
    dot = g1 @ g2.T * np.outer(planes.d_nm[near[0]], planes.d_nm[near[1]])
    off = np.stack(
        np.broadcast_arrays(
            np.log(np.linalg.norm(k1) * planes.d_nm[near[0]])[:, None],
            np.log(np.linalg.norm(k2) * planes.d_nm[near[1]])[None, :],
            angle - np.arccos(np.clip(dot, -1.0, 1.0)),
        ),
        axis=-1,
    )
    own = errors.direction**2 + errors.position[[0, other]] ** 2
    spread = errors.direction**2 + float(np.sum(errors.position[[0, other]] ** 2))
    shared = errors.calibration**2
    covariance = np.array([[own[0] + shared, shared, 0.0], [shared, own[1] + shared, 0.0], [0.0, 0.0, spread]])
    inverse = np.linalg.inv(covariance)
    cost = 0.5 * np.einsum("abi,ij,abj->ab", off, inverse, off)
    top = (2.0 * math.pi) ** -1.5 / math.sqrt(np.linalg.det(covariance))
    # All pairs of planes, both signs of the first (Friedel): the angle is folded, so only those below 90 degrees count.
    density = np.where(dot >= -1e-9, 2.0 * np.outer(weight[near[0]], weight[near[1]]) * top * np.exp(-cost), 0.0)
    density[np.abs(dot) > math.cos(_COLLINEAR_RAD)] = 0.0
    best = np.argsort(-density, axis=None)[:_MOST_ASSIGNMENTS]
    kept = density.reshape(-1)[best]
    rest = [j for j in range(1, len(k)) if j != other]
    scale = float(density.sum()) / max(float(kept.sum()), 1e-300)
    found = []
    total = 0.0
    for flat, value in zip(best, kept, strict=True):
        if value <= 1e-6 * kept[0] or value <= 0:
            continue
        pair = (int(near[0][flat // len(near[1])]), int(near[1][flat % len(near[1])]))
        further, read = _further(planes, weight, pair, (k1, k2), k[rest], errors, rest, d_range)
        total += value * further
        found.append(_assignment(planes, pair, other, rest, read, value * further, k1))
    return scale * total, sorted(found, key=lambda a: -a.weight)


def _further(
    planes: Planes,
    weight: NDArray[np.float64],
    pair: tuple[int, int],
    measured: tuple[NDArray[np.float64], NDArray[np.float64]],
    k: NDArray[np.float64],
    errors: Errors,
    numbers: list[int],
    d_range: tuple[float, float],
) -> tuple[float, list[int | None]]:
    """Return the density of all further spots, given a zone, and the plane of each."""
    if not len(k):
        return 1.0, []
    g1, g2 = planes.vector_per_nm[pair[0]], planes.vector_per_nm[pair[1]]
    normal = np.cross(g1, g2)
    inside = np.abs(planes.vector_per_nm @ normal) < 1e-6 * np.linalg.norm(normal) * np.linalg.norm(g1)
    of_zone = np.flatnonzero(inside)
    share = weight[of_zone] / weight[of_zone].sum()
    basis = np.stack([g1, g2])
    parts = np.linalg.lstsq(basis.T, planes.vector_per_nm[of_zone].T, rcond=None)[0]  # (2, z)
    predicted = parts.T @ np.stack(measured)
    stray = _STRAY / (math.log(d_range[1] / d_range[0]) * math.pi)
    total, read = 1.0, []
    for spot, number in zip(k, numbers, strict=True):
        std = math.sqrt(2.0) * math.hypot(errors.direction, float(errors.position[number]))
        length = np.linalg.norm(predicted, axis=1)
        radial = np.log(np.linalg.norm(spot) / length)
        cosine = predicted @ spot / (length * np.linalg.norm(spot))
        turn = np.arccos(np.clip(cosine, -1.0, 1.0))  # +g and -g are both in the list: either end of the line counts
        each = (1.0 - _STRAY) * 2.0 * share * gauss(radial, std) * gauss(turn, std)
        density = float(each.sum()) + stray
        read.append(int(of_zone[np.argmax(each)]) if each.max() > stray else None)
        total *= density
    return total, read


def _assignment(
    planes: Planes,
    pair: tuple[int, int],
    other: int,
    rest: list[int],
    read: list[int | None],
    weight: float,
    k1: NDArray[np.float64],
) -> Assignment:
    chosen: dict[int, int | None] = {0: pair[0], other: pair[1], **dict(zip(rest, read, strict=True))}
    rows = [chosen[i] for i in sorted(chosen)]
    direction = np.cross(planes.hkl[pair[0]], planes.hkl[pair[1]])
    direction = direction // max(int(np.gcd.reduce(direction)), 1)
    direction = direction * int(np.sign(direction[np.flatnonzero(direction)[0]]))
    sign = int(np.sign(planes.hkl[pair[0]][np.flatnonzero(planes.hkl[pair[0]])[0]]))  # Friedel: all at once
    hkl = [None if i is None else tuple(int(sign * x) for x in planes.hkl[i]) for i in rows]
    return Assignment(
        tuple(None if h is None else (h[0], h[1], h[2]) for h in hkl),
        tuple(math.nan if i is None else float(planes.d_nm[i]) for i in rows),
        tuple(False if i is None else bool(planes.forbidden[i]) for i in rows),
        (int(direction[0]), int(direction[1]), int(direction[2])),
        weight,
        float(1.0 / (np.linalg.norm(k1) * planes.d_nm[pair[0]]) - 1.0),
    )
