"""Many patterns of one sample as one batch: weight fractions against time, with onset and completion.

Cells, sizes and height error are fitted once, to the sum of all patterns; then the areas of the phases and the
background of each pattern, as one batch. A phase is seen where its area is three standard errors above zero, so onset
and completion are intervals between two patterns, as a kinetic model wants them: nobody looked in between.
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
from perolas.measurements.xrd.words import SIGMAS

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
        each: the batch of fits.
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
        return _change(self.times, self._seen(phase))

    def completion(self, parent: str) -> Interval:
        """Return between which two times a phase was seen for the last time and no more; None where it never went."""
        return _change(self.times, ~self._seen(parent))

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


def _change(times: NDArray[np.float64], there: NDArray[np.bool_]) -> Interval:
    """Return the interval in which something became true for good."""
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
    each = invert(guess, data.signal, free=["area", "background"], solver=solver or xrd.SOLVER, throw=False)
    return _series(when, shape, whole, each)


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


def _series(when: np.ndarray, shape: Xrd, whole: Estimate, each: Estimate) -> Series:
    columns = [each.names.index(f"weight_fraction_{n}") for n in shape.phases]
    areas = [each.names.index(f"area_{n}") for n in shape.phases]
    mass = np.asarray(shape.weight_per_area * shape.volumes_nm3())
    total = np.sum(each.values[:, areas] * mass, axis=1, keepdims=True)
    limit = SIGMAS * each.std[:, areas] * mass / total
    converted = _converted(shape, each, areas, mass)
    return Series(when, shape.phases, each.values[:, columns], each.std[:, columns], limit, whole, each, *converted)


def _converted(
    shape: Xrd, each: Estimate, areas: list[int], mass: np.ndarray
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[None, None]:
    """Return the share of the lead that is in CsPbBr3, with its error from the covariance of the two areas."""
    pair = ("Cs4PbBr6", "CsPbBr3")  # one lead in each formula
    if not set(pair) <= set(shape.phases):
        return None, None
    index = [shape.phases.index(n) for n in pair]
    at = [areas[i] for i in index]
    per_area = [mass[i] / crystal.phase(n).molar_mass_g_mol for i, n in zip(index, pair, strict=True)]
    parent, product = (each.values[:, a] * m for a, m in zip(at, per_area, strict=True))
    total = np.maximum(parent + product, 1e-300)
    slope = np.stack([-product * per_area[0], parent * per_area[1]], axis=1) / total[:, None] ** 2
    covariance = each.covariance[:, at][:, :, at]
    return product / total, np.sqrt(np.einsum("bi,bij,bj->b", slope, covariance, slope))
