"""`Estimate`: values with errors, what they mean, how well the model fits, and what the data cannot determine."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.parameter import Slot, read_slot
from perolas.core.picture import Picture, put

# The documented list of results, in the order of the solver's codes.
RESULTS = {
    "converged": "the fit converged.",
    "max_steps": "it had not converged after the largest number of steps; give better start values or more starts.",
    "stalled": "no step in any direction improved it any more although the gradient is not zero; "
    "give better start values or more starts.",
    "not_finite": "the model gave values that are not numbers at the start; give other start values.",
}


@dataclass(frozen=True)
class Quantity:
    """One number of an estimate.

    Attributes:
        value: the number.
        std: its standard error; inf where the data cannot determine it.
        unit: unit of both.
        definition: one line.
    """

    value: float
    std: float
    unit: str
    definition: str


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a fit found. Arrays have the batch in front where a batch was fitted.

    Attributes:
        technique: name of the technique.
        names: free parameters, then derived quantities; the order of `values`, `std` and `covariance`.
        units, definitions: name -> text.
        values, std: shape (..., m).
        covariance: shape (..., m, m), from the Fisher information; directions without information left out.
        result: one of `RESULTS`.
        steps: steps of the solver.
        chi2_reduced: Pearson's chi-square per degree of freedom; NaN where the noise was taken from the residuals.
        log_likelihood: at the solution, complete with constants.
        n_points, n_free: number of points and of free parameters.
        scale_is_estimated: whether the noise was taken from the residuals (it then counts as a parameter).
        signal, expected: shape (..., n), what was observed and what the fit expects.
        null, null_mask, empty: directions and quantities without information.
        problem: the problem that was solved, for profiles and samples.
        starts: how many starting points ended here, of how many.
        warnings, notes: sentences for the reader.
        extra: further results of the technique (tables of evidence, tests), JSON-like.
        added: quantities that a technique adds to those of the fit.
        pictures: images with what was found in them.
    """

    technique: str
    names: tuple[str, ...]
    units: dict[str, str]
    definitions: dict[str, str]
    values: np.ndarray
    std: np.ndarray
    covariance: np.ndarray
    result: Any
    steps: np.ndarray
    chi2_reduced: np.ndarray
    log_likelihood: np.ndarray
    n_points: int
    n_free: int
    scale_is_estimated: bool
    signal: np.ndarray
    expected: np.ndarray
    null: np.ndarray
    null_mask: np.ndarray
    empty: np.ndarray
    problem: Any
    starts: tuple[int, int] = (1, 1)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    added: dict[str, Quantity] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Return () or (batch,)."""
        return self.values.shape[:-1]

    @property
    def message(self) -> str:
        """Return the sentence that belongs to `result`."""
        return RESULTS[self.result] if not self.batch_shape else f"{np.sum(self.result == 'converged')} converged."

    @property
    def aic(self) -> np.ndarray:
        """Return Akaike's criterion, 2k - 2 ln L."""
        return 2.0 * self._k - 2.0 * self.log_likelihood

    @property
    def bic(self) -> np.ndarray:
        """Return Schwarz's criterion, k ln n - 2 ln L."""
        return self._k * math.log(self.n_points) - 2.0 * self.log_likelihood

    @property
    def _k(self) -> int:
        return self.n_free + self.scale_is_estimated

    def __getitem__(self, name: str) -> Quantity:
        """Return a quantity by name; raises InputError for one that is not there."""
        if name in self.added:
            return self.added[name]
        if self.batch_shape:
            raise InputError("This estimate is a batch; take one of it with .element(i) first.")
        index = self.names.index(check.one_of(name, [*self.names, *self.added], "The quantity"))
        return Quantity(float(self.values[index]), float(self.std[index]), self.units[name], self.definitions[name])

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Return every quantity by name: fitted ones first, then derived and added ones."""
        return {name: self[name] for name in [*self.names, *self.added]}

    def correlation(self, first: str, second: str) -> float:
        """Return the correlation coefficient of two quantities of the fit (nan without information)."""
        i, j = (self.names.index(check.one_of(n, self.names, "The quantity")) for n in (first, second))
        scale = math.sqrt(self.covariance[i, i] * self.covariance[j, j])
        return float(self.covariance[i, j] / scale) if scale > 0 else math.nan

    def element(self, index: int) -> Estimate:
        """Return one element of a batch as an estimate of its own (without profiles and samples)."""
        if not self.batch_shape:
            raise InputError("This estimate is not a batch.")
        arrays = {
            f.name: getattr(self, f.name)[index]
            for f in dataclasses.fields(self)
            if isinstance(getattr(self, f.name), np.ndarray) and getattr(self, f.name).shape[:1] == self.batch_shape
        }
        arrays["result"] = str(arrays["result"])
        return dataclasses.replace(self, **arrays, starts=(1, 1))

    def with_shared_error(self, names: tuple[str, ...], std: float) -> Estimate:
        """Return the estimate with an error that moves the named quantities together, such as that of an axis.

        Args:
            names: quantities of the fit.
            std: standard deviation of the shared shift, in their unit.

        Returns:
            The estimate; std and covariance grow, values stay.
        """
        shares = np.array([1.0 if n in names else 0.0 for n in self.names])
        covariance = self.covariance + std**2 * np.outer(shares, shares)
        return dataclasses.replace(self, covariance=covariance, std=np.hypot(self.std, std * shares))

    @property
    def at_bound(self) -> dict[str, str]:
        """Return name -> ``"lower"`` or ``"upper"`` for each free parameter that ended on a bound."""
        found = {}
        for i, slot in enumerate(self.problem.free):
            value = float(self.values[i])
            std = float(np.sqrt(self.covariance[i, i]))
            # An error wider than the bounds says nothing about which of them is near.
            near = min(1e-3 * std, 1e-3 * (slot.upper - slot.lower)) if math.isfinite(std) else 0.0
            near = max(near, 1e-6 * max(abs(value), 1e-12))
            below, above = value - slot.lower, slot.upper - value
            if min(below, above) <= near:
                found[slot.name] = "lower" if below <= above else "upper"
        return found

    @property
    def undetermined(self) -> list[str]:
        """Return the quantities that the data cannot determine: no information, or none beside other parameters."""
        return [name for name, empty in zip(self.names, self.empty, strict=True) if empty]

    @property
    def undetermined_sentence(self) -> str:
        """Return in one sentence what the data cannot determine ("" where there is nothing)."""
        free = [s.name for s in self.problem.free]
        parts = []
        for column in np.flatnonzero(self.null_mask):
            names = [n for n, load in zip(free, self.null[:, column], strict=True) if abs(load) > 0.1]
            if len(names) == 1:
                parts.append(f"{names[0]} has no effect on these data")
            else:
                parts.append(f"only a combination of {', '.join(names[:-1])} and {names[-1]} is determined, not each")
        for name, side in self.at_bound.items():
            if name not in self.undetermined:
                parts.append(f"{name} ended on its {side} bound, so its error is one-sided at best")
        return f"The data cannot determine everything: {'; '.join(parts)}." if parts else ""

    @property
    def fixed(self) -> dict[str, Quantity]:
        """Return the parameters that were held or tied, with the value they had."""
        if self.batch_shape:
            return {}
        measurement, state = self.problem.assemble(self.values[: self.n_free])
        free = {s.name for s in self.problem.free}
        held: list[Slot] = [s for s in self.problem.known if s.name not in free]
        decided = set(self.problem.measurement.response_sets) if state is not None else set()
        return {
            s.name: Quantity(
                float(read_slot(measurement if s.part == "measurement" else state, s)), 0.0, s.unit, s.meaning
            )
            for s in held
            if not (s.part == "measurement" and s.group in decided)
        }

    def fitted(self) -> tuple[Any, Any]:
        """Return measurement and state at the solution."""
        return self.problem.assemble(self.values[: self.n_free])

    def interval(self, name: str, level: float = 0.6827) -> tuple[float, float]:
        """Return the profile-likelihood interval of a free parameter; see `perolas.core.profile.interval`."""
        from perolas.core.profile import interval

        return interval(self, name, level)

    def sample(self, draws: int = 1000, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Return posterior samples by numpyro's NUTS; see `perolas.core.posterior.sample`."""
        from perolas.core.posterior import sample

        return sample(self, draws, seed=seed)

    def to_dataset(self) -> xr.Dataset:
        """Return signal, fit, residual and components on the axis, every variable with its unit, and the pictures."""
        measurement, state = self.problem.measurement, self.problem.state
        if not self.batch_shape:
            measurement, state = self.fitted()
            measurement = measurement if state is None else measurement.respond(state)
        axis, unit = measurement.axis_name, measurement.signal_unit
        dims = ("batch", axis) if self.batch_shape else (axis,)
        from perolas.core.observation import AXIS_UNITS

        data = xr.Dataset(coords={axis: (axis, np.asarray(measurement.axis), {"units": AXIS_UNITS[axis]})})
        data["signal"] = (dims, self.signal, {"units": unit})
        data["expected"] = (dims, self.expected, {"units": unit})
        data["residual"] = (dims, self._residual(measurement), {"units": "1"})
        if not self.batch_shape:
            for name, part in measurement.components().items():
                data[f"component_{name}"] = (dims, np.asarray(part), {"units": unit})
        data.attrs["technique"] = self.technique
        return put(data, self.pictures)

    def _residual(self, measurement: Any) -> np.ndarray:
        """Return the residual in units of the standard deviation that the noise model gives each point."""
        weight = np.asarray(measurement.noise.weight(self.signal, self.expected))
        if self.scale_is_estimated:
            rest = np.sum((self.signal - self.expected) ** 2, axis=-1, keepdims=True)
            weight = weight * max(self.n_points - self.n_free, 1) / np.maximum(rest, 1e-300)
        return (self.signal - self.expected) * np.sqrt(weight)

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as JSON-like data with documented, stable keys; what is not finite becomes None."""
        if self.batch_shape:
            return {"batch": [self.element(i).to_json() for i in range(self.batch_shape[0])]}
        return {
            "technique": self.technique,
            "quantities": {n: _plain(dataclasses.asdict(q)) for n, q in self.quantities.items()},
            "fixed": {
                n: _plain({"value": q.value, "unit": q.unit, "definition": q.definition}) for n, q in self.fixed.items()
            },
            "result": self.result,
            "message": self.message,
            "chi2_reduced": _plain(float(self.chi2_reduced)),
            "log_likelihood": _plain(float(self.log_likelihood)),
            "aic": _plain(float(self.aic)),
            "bic": _plain(float(self.bic)),
            "n_points": self.n_points,
            "n_free": self.n_free,
            "steps": int(self.steps),
            "starts": {"agreeing": self.starts[0], "tried": self.starts[1]},
            "undetermined": self.undetermined,
            "undetermined_sentence": self.undetermined_sentence,
            "at_bound": self.at_bound,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "extra": _plain(self.extra),
        }

    def __str__(self) -> str:
        """Return the table that tells the story."""
        from perolas.core.tables import estimate_text

        return estimate_text(self)


def _plain(value: Any) -> Any:
    """Return JSON-like data with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
