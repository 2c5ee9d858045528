"""Where a fit of a pattern starts: height error, sizes and cells on a grid; areas and background by linear algebra."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.optimize import nnls

from perolas.core.parameter import replace
from perolas.matter.crystal import Crystal
from perolas.measurements.xrd.instrument import Instrument
from perolas.measurements.xrd.lines import pattern
from perolas.measurements.xrd.model import Xrd

_SIZES_NM = (5.0, 12.0, 30.0, 80.0, 300.0)
_HEIGHTS_MM = np.linspace(-0.3, 0.3, 13)
_STRAINS = np.linspace(-0.012, 0.012, 49)
_REACH_DEG = 4.0
_RATIOS = (0.2, 0.35, 0.5, 0.7, 0.88, 1.14, 1.5, 2.2)
_SEEN = 5.0  # a phase whose area is this many standard errors gets cell and size of its own


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a fit starts.

    Attributes:
        values: field -> value.
        seen: whether each phase is plainly there; of the others only the area can be fitted.
        cost: weighted sum of squares, less a constant of the pattern.
        significance: area over its standard error, for each phase.
        area_std: standard error of each area with all else held.
    """

    values: dict[str, np.ndarray]
    seen: tuple[bool, ...]
    cost: float
    significance: np.ndarray
    area_std: np.ndarray


_basis = eqx.filter_jit(lambda measurement: measurement.basis())


def search(
    crystals: Sequence[Crystal],
    axis: np.ndarray,
    signal: np.ndarray,
    weight: np.ndarray,
    instrument: Instrument,
    background: int,
) -> Start:
    """Return start values near the best fit.

    Args:
        crystals: the phases.
        axis: shape (n,), two theta in degrees.
        signal: shape (n,).
        weight: shape (n,), inverse variance.
        instrument: tube, geometry, profile.
        background: number of its polynomials.

    Returns:
        The start.
    """
    measurement = pattern(
        crystals, axis, instrument, reach_deg=_REACH_DEG, polynomials=background, axial=False, displacement_mm=0.0
    )
    return Search(measurement, signal, weight).best()


class Search:
    """A search over height error, one size for all, and a strain for each phase."""

    def __init__(self, measurement: Xrd, signal: np.ndarray, weight: np.ndarray) -> None:
        self._m, self._signal, self._weight = measurement, signal, weight
        self._count = len(measurement.phases)
        self._owner = _owners(measurement)

    def best(self) -> Start:
        """Return the best start that the search finds."""
        phases = self._count
        height, size, strain = 0.0, 12.0, np.zeros(phases)
        for again in range(2):
            height = min(_HEIGHTS_MM, key=lambda h: self._cost(h, size, strain))
            size = min(_SIZES_NM, key=lambda s: self._cost(height, s, strain))
            for i in np.argsort(-self._solve(height, size, strain)[0][:phases]):
                grid = _STRAINS if again == 0 else strain[i] + _STRAINS / 8
                trials = [np.where(np.arange(phases) == i, s, strain) for s in grid]
                strain = min(trials, key=lambda t: self._cost(height, size, t))
        linear, cost, std = self._solve(height, size, strain)
        area = linear[:phases]
        significance = area / std
        floor = np.maximum(area, 0.3 * std)
        values = {
            "area": floor,
            "background": linear[phases:],
            "displacement_mm": np.asarray(height),
            "crystallite_nm": np.full(phases, size),
            "length_nm": np.asarray(self._m.reference_length_nm) * (1 + strain[self._owner]),
        }
        return Start(values, tuple(bool(s > _SEEN) for s in significance), cost, significance, std)

    def _cost(self, height: float, size: float, strain: np.ndarray) -> float:
        return self._solve(height, size, strain)[1]

    def _solve(self, height: float, size: float, strain: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        trial = replace(
            self._m,
            displacement_mm=jnp.asarray(float(height)),
            crystallite_nm=jnp.full(self._count, float(size)),
            length_nm=self._m.reference_length_nm * (1 + strain[self._owner]),
        )
        rows = np.asarray(_basis(trial))
        gram = (rows * self._weight) @ rows.T
        right = rows @ (self._weight * self._signal)
        return non_negative(gram, right, self._count)


def with_texture(
    measurement: Xrd, signal: np.ndarray, weight: np.ndarray, names: Iterable[str], *, needles: bool
) -> Xrd:
    """Return the pattern with March-Dollase ratios of the named phases, and areas, from a coarse search.

    One would be no place to start from: in a cubic crystal every derivative by the ratio is zero there. So there are
    two places, ratios above one (`needles`) and below (plates), and a fit tries both.
    """
    ratios = [r for r in _RATIOS if (r > 1) == needles]
    phases = len(measurement.phases)

    def solved(march: np.ndarray) -> tuple[np.ndarray, float]:
        rows = np.asarray(_basis(replace(measurement, march=jnp.asarray(march))))
        linear, cost, _ = non_negative((rows * weight) @ rows.T, rows @ (weight * signal), phases)
        return linear, cost

    march = np.array(measurement.march)
    for name in names:
        at = np.arange(phases) == measurement.phases.index(name)
        march = min((np.where(at, r, march) for r in ratios), key=lambda m: solved(m)[1])
    linear, _ = solved(march)
    area = np.maximum(linear[:phases], 1e-3 * max(float(linear[:phases].max()), 1e-6))
    return replace(
        measurement, march=jnp.asarray(march), area=jnp.asarray(area), background=jnp.asarray(linear[phases:])
    )


def _owners(measurement: Xrd) -> np.ndarray:
    """Return to which phase each length belongs."""
    owner = np.zeros(measurement.length_nm.shape[-1], dtype=int)
    for phase, cell in enumerate(measurement.cells):
        for kind, where in cell:
            if kind == "length":
                owner[where] = phase
    return owner


def non_negative(gram: np.ndarray, right: np.ndarray, positive: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Solve a least-squares problem given by its normal equations, the first unknowns being zero or positive.

    Args:
        gram: shape (k, k).
        right: shape (k,).
        positive: how many unknowns may not be negative.

    Returns:
        The unknowns, the cost less a constant, and the standard errors of the first ones without the bounds.
    """
    size = np.sqrt(np.maximum(np.diagonal(gram), 1e-300))
    scaled = gram / np.outer(size, size) + 1e-9 * np.eye(size.size)
    target = right / size
    # The free unknowns are eliminated; what is left is a small non-negative problem.
    a, b, c = scaled[:positive, :positive], scaled[:positive, positive:], scaled[positive:, positive:]
    gain = np.linalg.solve(c, np.column_stack([b.T, target[positive:]]))
    reduced = a - b @ gain[:, :-1]
    reduced = 0.5 * (reduced + reduced.T) + 1e-12 * np.eye(positive)
    aim = target[:positive] - b @ gain[:, -1]
    lower = np.linalg.cholesky(reduced)
    first, _ = nnls(lower.T, np.linalg.solve(lower, aim))
    rest = gain[:, -1] - gain[:, :-1] @ first
    fitted = np.concatenate([first, rest])
    cost = float(fitted @ scaled @ fitted - 2 * fitted @ target)
    std = np.sqrt(np.diagonal(np.linalg.inv(reduced))) / size[:positive]
    return fitted / size, cost, std
