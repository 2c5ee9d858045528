"""Many patterns of one sample as one batch: weight fractions against time, with onset and completion.

Cells, sizes and height error are fitted once, to the sum of all patterns; then the areas of the phases, their sizes and
the background of each pattern, as one batch. Sizes change while crystals convert; where a phase is not seen, those
patterns are fitted again with its size held at the common one, since a free size would turn it into background.

A phase is seen where its area is three standard errors above zero, so onset and completion are intervals between two
patterns, as a kinetic model wants them: nobody looked in between.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.noise import Gaussian
from perolas.core.observation import conditions_of, make_observation
from perolas.core.parameter import replace, table
from perolas.core.solver import LevenbergMarquardt
from perolas.matter import crystal
from perolas.measurements import xrd
from perolas.measurements.xrd.model import Xrd
from perolas.measurements.xrd.prepare import prepare
from perolas.measurements.xrd.start import non_negative
from perolas.measurements.xrd.words import POOR, SIGMAS

MAX_PATTERNS = 20_000
_ONE_SIDED = 1.6449  # 95 % of a normal law
Interval = tuple[float | None, float | None]


@dataclasses.dataclass(frozen=True)
class Series:
    """What a series of patterns says.

    Attributes:
        times: shape (b,), when each was measured, in the caller's unit.
        phases: names.
        fraction: shape (b, k), weight fraction.
        std: shape (b, k), standard error of it.
        limit: shape (b, k), weight fraction that would be seen at three standard errors.
        converted: shape (b,), share of the lead of Cs4PbBr6 and CsPbBr3 that is in CsPbBr3, which a kinetic model
            is about; None where one of the two was not named.
        converted_std: shape (b,), its standard error.
        whole: the fit of the sum of all patterns, which gave cells and sizes.
        each: the batch of fits, before those with phases that are not seen were fitted again.
    """

    times: NDArray[np.float64]
    phases: tuple[str, ...]
    fraction: NDArray[np.float64]
    std: NDArray[np.float64]
    limit: NDArray[np.float64]
    whole: Estimate
    each: Estimate
    converted: NDArray[np.float64] | None = None
    converted_std: NDArray[np.float64] | None = None

    @property
    def upper(self) -> NDArray[np.float64]:
        """The weight fraction that each phase does not exceed at 95 % (one-sided), shape (b, k)."""
        return np.minimum(self.fraction + _ONE_SIDED * self.limit / SIGMAS, 1.0)

    def _seen(self, phase: str) -> NDArray[np.bool_]:
        i = self.phases.index(check.one_of(phase, self.phases, "The phase"))
        return np.asarray(self.fraction[:, i] > self.limit[:, i])

    def onset(self, phase: str) -> Interval:
        """Return between which two times a phase came to be seen: None before the first or after the last pattern."""
        return change(self.times, self._seen(phase))

    def completion(self, parent: str) -> Interval:
        """Return between which two times a phase was seen for the last time and no more; None where it never went."""
        return change(self.times, ~self._seen(parent))

    def to_dataset(self) -> xr.Dataset:
        """Return fractions, errors and limits against time, every variable with its unit."""
        dims = ("time", "phase")
        data = xr.Dataset(coords={"time": self.times, "phase": list(self.phases)})
        for name, values in (
            ("fraction", self.fraction),
            ("std", self.std),
            ("limit", self.limit),
            ("upper", self.upper),
        ):
            data[name] = (dims, values, {"units": "1"})
        if self.converted is not None:
            data["converted"] = ("time", self.converted, {"units": "1"})
            data["converted_std"] = ("time", self.converted_std, {"units": "1"})
        return data

    def to_json(self) -> dict[str, Any]:
        """Return the series as JSON-like data; a number that is not finite is None."""

        def plain(values: NDArray[np.float64] | None) -> Any:
            return None if values is None else _listed(values)

        return {
            "times": plain(self.times),
            "phases": list(self.phases),
            "fraction": plain(self.fraction),
            "std": plain(self.std),
            "limit": plain(self.limit),
            "upper": plain(self.upper),
            "converted": plain(self.converted),
            "converted_std": plain(self.converted_std),
            "result": [str(r) for r in np.atleast_1d(self.each.result)],
            "whole": self.whole.to_json(),
        }

    def __str__(self) -> str:
        """Return a table of fractions; a phase that is not seen as its upper limit at 95 %."""
        width = max(16, *(len(p) + 2 for p in self.phases))
        lines = ["time".rjust(10) + "".join(p.rjust(width) for p in self.phases)]
        for i, time in enumerate(self.times):
            cells = [
                f"{f:.4f} ± {s:.4f}" if f > limit else f"< {u:.4f}"
                for f, s, limit, u in zip(self.fraction[i], self.std[i], self.limit[i], self.upper[i], strict=True)
            ]
            lines.append(f"{time:>10.4g}" + "".join(c.rjust(width) for c in cells))
        failed = int(np.sum(np.atleast_1d(self.each.result) != "converged"))
        if failed:
            lines.append(f"{failed} of {self.times.size} fits did not converge.")
        poor = int(np.sum(np.atleast_1d(self.each.chi2_reduced) > POOR))
        if poor:
            lines.append(f"Warning: {poor} of {self.times.size} patterns are not described to their noise.")
        return "\n".join([*lines, *(f"Warning: {w}" for w in self.whole.warnings)])

    def curves(self, x_label: str = "time") -> xr.Dataset:
        """Return the weight fractions against time as a report draws them (``plot = "curves"``), bands by counting."""
        quantiles = np.array([-1.959964, -0.994458, 0.0, 0.994458, 1.959964])[:, None]
        curve = [np.clip(f + quantiles * s, 0.0, 1.0) for f, s in zip(self.fraction.T, self.std.T, strict=True)]
        return xr.Dataset(
            {
                "curve": (("run", "percentile", "point"), np.array(curve), {"units": "1"}),
                "at": (("run", "point"), np.tile(self.times, (len(self.phases), 1)), {"units": "1"}),
            },
            coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
            attrs={
                "plot": "curves",
                "runs": json.dumps(list(self.phases)),
                "x_label": x_label,
                "y_label": "weight fraction",
            },
        )


def _listed(values: Any) -> Any:
    if np.ndim(values):
        return [_listed(v) for v in values]
    return float(values) if np.isfinite(values) else None


def change(times: NDArray[np.float64], there: NDArray[np.bool_]) -> Interval:
    """Return the interval in which something became true for good.

    Args:
        times: shape (n,), rising.
        there: shape (n,), whether it was true.

    Returns:
        The last time at which it was not true and the next one; None before the first or after the last.
    """
    if not there[-1]:
        return float(times[-1]), None
    absent = np.flatnonzero(~there)
    if not absent.size:
        return None, float(times[0])
    last = int(absent[-1])
    return float(times[last]), float(times[last + 1])


def fit_series(
    observation: xr.Dataset,
    times: ArrayLike,
    *,
    phases: Sequence[str] = (),
    cif: str | os.PathLike[str] | Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    sizes: bool = True,
    solver: LevenbergMarquardt | None = None,
    **options: Any,
) -> Series:
    """Fit a series of patterns of one sample.

    Args:
        observation: shape (batch, n), counts or with a variance.
        times: shape (batch,), rising; any unit.
        phases: as for `fit`; at least two with those of `cif`.
        cif: as for `fit`.
        window: as for `fit`.
        sizes: whether each pattern has crystallite sizes of its own; False: those of the sum.
        solver: settings of the batch.
        options: further options of `fit`, for the fit of the sum.

    Returns:
        The series.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit of the sum did not converge.
    """
    data = prepare(observation, window, batch=True)
    if data.signal.ndim != 2:
        raise InputError("A series has several patterns, but this is one; fit it with fit.")
    when = check.axis(times, "times")
    if when.size != len(data.signal) or when[0] > when[-1]:
        raise InputError(f"There are {len(data.signal)} patterns, which need as many rising times, not {when.size}.")
    if when.size > MAX_PATTERNS:
        raise InputError(f"There are {when.size} patterns, more than the {MAX_PATTERNS} that are fitted.")
    variance = np.sum(data.noise.variance, axis=0) if isinstance(data.noise, Gaussian) else None
    whole = xrd.fit(
        make_observation(
            data.signal.sum(axis=0), "two_theta_deg", data.axis, units=data.unit, variance=variance,
            conditions=conditions_of(observation),
        ),
        phases=phases, cif=cif, **options,
    )  # fmt: skip
    shape: Xrd = whole.fitted()[0]
    if len(shape.phases) < 2:
        raise InputError("Fractions need at least two phases; name them.")
    guess = _guesses(replace(shape, noise=data.noise), data.signal, data.weight)
    settings = solver or xrd.SOLVER
    free = ["area", "background"]
    if not sizes:
        each = invert(guess, data.signal, free=free, solver=settings, throw=False)
        return _series(when, shape, whole, each, _Linear.of(shape, each))
    size = dict(zip(shape.phases, np.asarray(shape.crystallite_nm), strict=True))
    prior = {n: (float(v), float(v) / 2) for n, v in size.items()}

    def solve(model: Xrd, signal: np.ndarray, names: Sequence[str]) -> Estimate:
        """Fit with the sizes of some phases free, near the common one within a prior of half of it."""
        grain = [f"crystallite_size_{n}" for n in names]
        wide = {f"crystallite_size_{n}": prior[n] for n in names}
        return invert(model, signal, free=[*free, *grain], prior=wide, solver=settings, throw=False)

    each = solve(guess, data.signal, shape.phases)
    found = _Linear.of(shape, each)
    std = np.sqrt(np.diagonal(found.covariance[:, : len(shape.phases), : len(shape.phases)], axis1=1, axis2=2))
    seen = found.values[:, : len(shape.phases)] > SIGMAS * std
    for pattern in np.unique(seen[~seen.all(axis=1)], axis=0):
        rows = np.flatnonzero((seen == pattern).all(axis=1))
        shown = [n for n, there in zip(shape.phases, pattern, strict=True) if there]
        found.put(rows, _Linear.of(shape, solve(_part(guess, rows), data.signal[rows], shown)))
    return _series(when, shape, whole, each, found)


@dataclasses.dataclass
class _Linear:
    """Areas, then weight fractions of a batch: shape (b, 2k), and their covariance."""

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @staticmethod
    def of(shape: Xrd, each: Estimate) -> _Linear:
        at = [each.names.index(f"{what}_{n}") for what in ("area", "weight_fraction") for n in shape.phases]
        return _Linear(each.values[:, at].copy(), each.covariance[:, at][:, :, at].copy())

    def put(self, rows: np.ndarray, other: _Linear) -> None:
        self.values[rows], self.covariance[rows] = other.values, other.covariance


def _part(guess: Xrd, rows: np.ndarray) -> Xrd:
    """Return some elements of a batch of guesses."""
    vectors = {row.field: getattr(guess, row.field)[rows] for row in table(guess) if row.vector}
    noise = guess.noise
    if isinstance(noise, Gaussian):
        noise = Gaussian(jnp.asarray(noise.variance)[rows])
    return replace(guess, noise=noise, **vectors)  # type: ignore[no-any-return]


def _guesses(shape: Xrd, signal: np.ndarray, weight: np.ndarray) -> Xrd:
    """Return the pattern with areas and background of each of the batch, by linear algebra."""
    rows, count = np.asarray(shape.basis()), len(shape.phases)
    found = [non_negative((rows * w) @ rows.T, rows @ (w * y), count) for y, w in zip(signal, weight, strict=True)]
    linear = np.array([f[0] for f in found])
    least = 0.3 * np.array([f[2] for f in found])
    vectors = {
        row.field: jnp.broadcast_to(getattr(shape, row.field), (len(signal), *getattr(shape, row.field).shape))
        for row in table(shape)
        if row.vector
    }
    vectors |= {"area": jnp.asarray(np.maximum(linear[:, :count], least)), "background": jnp.asarray(linear[:, count:])}
    return replace(shape, **vectors)  # type: ignore[no-any-return]


def _series(when: np.ndarray, shape: Xrd, whole: Estimate, each: Estimate, found: _Linear) -> Series:
    k = len(shape.phases)
    mass = np.asarray(shape.weight_per_area * shape.volumes_nm3())
    std = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    total = np.sum(found.values[:, :k] * mass, axis=1, keepdims=True)
    limit = SIGMAS * std[:, :k] * mass / total
    converted = _converted(shape, found, mass)
    return Series(when, shape.phases, found.values[:, k:], std[:, k:], limit, whole, each, *converted)


def _converted(
    shape: Xrd, found: _Linear, mass: np.ndarray
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[None, None]:
    """Return the share of the lead that is in CsPbBr3, with its error from the covariance of the two areas."""
    pair = ("Cs4PbBr6", "CsPbBr3")  # one lead in each formula
    if not set(pair) <= set(shape.phases):
        return None, None
    at = [shape.phases.index(n) for n in pair]
    per_area = [mass[i] / crystal.phase(n).molar_mass_g_mol for i, n in zip(at, pair, strict=True)]
    parent, product = (found.values[:, a] * m for a, m in zip(at, per_area, strict=True))
    total = np.maximum(parent + product, 1e-300)
    slope = np.stack([-product * per_area[0], parent * per_area[1]], axis=1) / total[:, None] ** 2
    covariance = found.covariance[:, at][:, :, at]
    return product / total, np.sqrt(np.einsum("bi,bij,bj->b", slope, covariance, slope))
