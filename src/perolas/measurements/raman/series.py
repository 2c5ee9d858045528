"""Raman spectra of one sample over time, fitted together: shared widths, each its own places and intensities.

From the places, with their covariance, follow the shifts since the first spectrum; each set of them is held against
drift of the axis and strain of the sample (`drift`).
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Gaussian, Poisson
from perolas.core.observation import axis_of, conditions_of, make_observation
from perolas.core.parameter import parameter, replace
from perolas.core.tables import with_error
from perolas.measurements.peaks_prepare import white_noise
from perolas.measurements.raman.door import points_of
from perolas.measurements.raman.drift import DriftOdds, Prior, lines_of_phase, odds
from perolas.measurements.raman.fitting import fit_points, wishes_of
from perolas.measurements.raman.model import Raman

MOST_SPECTRA = 60


class RamanSeries(AbstractMeasurement):
    """Spectra on one axis, one after the other.

    Attributes:
        position_cm1, area: shape (t m,), spectrum after spectrum.
        background: shape (t k,).
        fwhm_cm1: shape (m,), shared.
        resolution_cm1: shared.
        base: the model of one spectrum, for what is known.
        noise: of all points.
        spectra: t; static.
    """

    technique: ClassVar[str] = "raman"
    axis_name: ClassVar[str] = "channel"
    response_sets: ClassVar[tuple[str, ...]] = ()
    derived_table: ClassVar[dict[str, Derived]] = {}

    position_cm1: Float[Array, " tm"] = parameter(
        "cm-1", "shift of a line in a spectrum", name="position", default=100.0, bounds=(-5000.0, 5000.0), vector=True
    )
    area: Float[Array, " tm"] = parameter(
        "counts cm-1", "area of a line in a spectrum", name="area", default=1e3, bounds=(0.0, np.inf), vector=True
    )
    background: Float[Array, " tk"] = parameter("counts", "coefficient of a background", name="background", vector=True)
    fwhm_cm1: Float[Array, " m"] = parameter(
        "cm-1", "Lorentzian full width of a line in all spectra", name="fwhm", default=8.0, bounds=(0.0, 2000.0),
        vector=True,
    )  # fmt: skip
    resolution_cm1: Float[Array, ""] = parameter(
        "cm-1", "full width of the spectrometer's own line", name="resolution", bounds=(0.0, 200.0), free=False
    )
    base: Raman = eqx.field(default_factory=Raman)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    spectra: int = eqx.field(static=True, default=1)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Names of the components: line, then spectrum, both counted from one."""
        lines, order = (len(v) // self.spectra for v in (self.position_cm1, self.background))
        named = [f"{i + 1}_{t + 1}" for t in range(self.spectra) for i in range(lines)]
        ground = [f"{i + 1}_{t + 1}" for t in range(self.spectra) for i in range(order)]
        return {"position_cm1": tuple(named), "area": tuple(named), "background": tuple(ground)}

    @property
    def axis(self) -> Float[Array, " tn"]:
        """Numbers of the points, spectrum after spectrum."""
        return jnp.arange(self.spectra * self.base.axis_values.shape[-1], dtype=float)

    def expected(self) -> Float[Array, " tn"]:
        """Return the expected signal of all spectra, shape (t n,)."""

        def one(position: Any, area: Any, background: Any) -> Any:
            seen = replace(
                self.base, position_cm1=position, area=area, background=background, fwhm_cm1=self.fwhm_cm1,
                resolution_cm1=self.resolution_cm1,
            )  # fmt: skip
            return seen.expected()

        shaped = (v.reshape(self.spectra, -1) for v in (self.position_cm1, self.area, self.background))
        return jax.vmap(one)(*shaped).reshape(-1)

    def components(self) -> dict[str, Float[Array, " tn"]]:
        """Return nothing apart: spectra are drawn one by one."""
        return {}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return nothing: shifts and odds are made from places and covariance."""
        return {}

    def respond(self, state: Any) -> Self:
        """Return the series as it is: its places were measured, not made from a specimen."""
        return self


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """What a series of Raman spectra says.

    Attributes:
        times: shape (t,), in the caller's unit.
        position, position_std: shape (t, m), cm-1, from the counts alone.
        shift, shift_std: shape (t, m), since the first spectrum.
        area, area_std: shape (t, m).
        ratio, ratio_std: shape (t, m), areas over that of the first line.
        judged: for each spectrum after the first what its shifts say; empty for lines of unknown Grueneisen parameters.
        estimate: the fit of all spectra.
    """

    times: np.ndarray
    position: np.ndarray
    position_std: np.ndarray
    shift: np.ndarray
    shift_std: np.ndarray
    area: np.ndarray
    area_std: np.ndarray
    ratio: np.ndarray
    ratio_std: np.ndarray
    judged: tuple[DriftOdds, ...]
    estimate: Estimate

    def to_dataset(self) -> xr.Dataset:
        """Return places, shifts, areas, ratios, and the odds against time, every variable with its unit."""
        data = xr.Dataset(coords={"time": self.times, "line": np.arange(self.position.shape[1]) + 1})
        for name, unit in (("position", "cm-1"), ("shift", "cm-1"), ("area", "counts cm-1"), ("ratio", "1")):
            for suffix in ("", "_std"):
                data[name + suffix] = (("time", "line"), getattr(self, name + suffix), {"units": unit})
        for name in ("drift", "strain") if self.judged else ():
            values = [np.nan, *(j.probability[name] for j in self.judged)]
            data[f"probability_{name}"] = ("time", values, {"units": "1"})
        return data

    def curves(self, x_label: str = "time") -> xr.Dataset:
        """Return the shifts against time as a report draws them (``plot = "curves"``)."""
        quantiles = np.array([-1.959964, -0.994458, 0.0, 0.994458, 1.959964])[None, :, None]
        band = self.shift.T[:, None] + quantiles * self.shift_std.T[:, None]
        return xr.Dataset(
            {
                "curve": (("run", "percentile", "point"), band, {"units": "cm-1"}),
                "at": (("run", "point"), np.tile(self.times, (band.shape[0], 1)), {"units": "1"}),
            },
            coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
            attrs={
                "plot": "curves", "runs": json.dumps([f"{v:.0f} cm-1" for v in self.position[0]]), "x_label": x_label,
                "y_label": "shift since the first spectrum (cm-1)",
            },
        )  # fmt: skip

    def __str__(self) -> str:
        """Return a table of shifts and ratios, with what the last shifts say."""
        rows = [f"{'time':>10}  " + "  ".join(f"{f'shift of {v:.1f}':>18}" for v in self.position[0]) + "   ratios"]
        for t, time in enumerate(self.times):
            shifts = "  ".join(
                f"{with_error(v, s) if s > 0 else '0':>18}"
                for v, s in zip(self.shift[t], self.shift_std[t], strict=True)
            )
            ratios = ", ".join(with_error(v, s) for v, s in zip(self.ratio[t, 1:], self.ratio_std[t, 1:], strict=True))
            rows.append(f"{time:>10.4g}  {shifts}   {ratios}")
        if not self.judged:
            return "\n".join(rows)
        last = self.judged[-1]
        return "\n".join([*rows, last.verdict, *([last.turning] if last.turning else []), last.advice])


def fit_series(
    observation: xr.Dataset,
    times: ArrayLike,
    *,
    phase: str | None = None,
    prior: Prior | None = None,
    laser: float | None = None,
    window: tuple[float, float] | None = None,
    noise: str = "auto",
    **options: Any,
) -> Series:
    """Fit spectra of one sample with lines of shared widths.

    Args:
        observation: shape (t, n) on ``raman_shift_cm1`` or ``wavelength_nm``.
        times: shape (t,), rising; any unit.
        phase: whose Grueneisen parameters the odds take; None: CsPbBr3.
        prior: how far axes and strains may move between two spectra; None: the library's.
        laser: as for `perolas.measurements.raman.fit`.
        window: as there.
        noise: as there.
        options: `lines`, `background`, `resolution`, `temperature`, `edge`, `central`, as there.

    Returns:
        The series.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge, or found no line.
    """
    given = {
        "lines": "auto", "background": 2, "resolution": None, "temperature": 300.0, "edge": None, "central": False,
    }  # fmt: skip
    check.known_options(options, given, "series")
    signal = np.asarray(observation["signal"].values, dtype=np.float64)
    if signal.ndim != 2 or not 2 <= signal.shape[0] <= MOST_SPECTRA:
        raise InputError(f"A series has 2 to {MOST_SPECTRA} spectra on one axis; fit a single one with fit.")
    when = check.axis(times, "times")
    if when.size != signal.shape[0] or when[0] > when[-1]:
        raise InputError(f"There are {signal.shape[0]} spectra, which need as many rising times, not {when.size}.")
    name = axis_of(observation)
    units = str(observation["signal"].attrs["units"])
    total = make_observation(
        signal.sum(axis=0), name, observation[name].values, units=units, conditions=conditions_of(observation)
    )
    more = {"silicon": False, "phase": None, "guess": None, "starts": 1, "seed": 0}
    wishes = wishes_of(given | options | more, (), ())
    points = points_of(total, laser=laser, window=window, noise=noise)
    whole, _ = fit_points(points, wishes)
    base = whole.fitted()[0]
    lines = int(base.position_cm1.shape[-1])
    if whole.result != "converged" or not lines:
        raise FitError("The sum of the spectra shows no line that could be followed; give the lines, or a window.")
    used = points.prepared.kept
    if np.all(np.diff(observation[name].values) < 0) and np.all(np.diff(points.x) > 0):
        used = used[::-1]
    each = signal[:, used]
    count = each.shape[0]
    law: AbstractNoise = Poisson()
    if not isinstance(points.noise, Poisson):
        law = Gaussian(jnp.asarray(np.repeat([max(white_noise(y), 1e-12) ** 2 for y in each], each.shape[1])))
    share = np.maximum(each.sum(axis=1) / each.sum(), 1e-6)
    start = RamanSeries(
        position_cm1=np.tile(np.asarray(base.position_cm1), count), area=np.outer(share, base.area).ravel(),
        background=np.outer(share, base.background).ravel(), fwhm_cm1=np.asarray(base.fwhm_cm1),
        resolution_cm1=float(base.resolution_cm1), base=base, noise=law, spectra=count,
    )  # fmt: skip
    free = ["position", "area", "background", "fwhm", *(["resolution"] if wishes.resolution is None else [])]
    estimate = invert(start, each.ravel(), free=free, throw=False)
    if estimate.result == "max_steps":
        estimate = invert(estimate.fitted()[0], each.ravel(), free=free, throw=False)
    if estimate.result != "converged":
        raise FitError(f"The fit of the series failed: {estimate.message}")
    return _gathered(when, estimate, lines, base, phase or "CsPbBr3", prior)


def _gathered(when: np.ndarray, estimate: Estimate, lines: int, base: Raman, phase: str, prior: Prior | None) -> Series:
    count = when.size
    wider = 1.0 if isinstance(estimate.problem.measurement.noise, Poisson) else max(float(estimate.chi2_reduced), 1.0)
    at = {n: i for i, n in enumerate(estimate.names)}
    place = np.array([[at[f"position_{i + 1}_{t + 1}"] for i in range(lines)] for t in range(count)])
    area = np.array([[at[f"area_{i + 1}_{t + 1}"] for i in range(lines)] for t in range(count)])
    covariance = estimate.covariance * wider
    std = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    position, areas = estimate.values[place], estimate.values[area]
    known = lines_of_phase(position[0], phase, float(base.laser_nm))
    judged, shift_std = [], np.zeros((count, lines))
    for t in range(1, count):
        step = np.zeros((lines, covariance.shape[0]))
        step[np.arange(lines), place[t]] = 1.0
        step[np.arange(lines), place[0]] = -1.0
        c = step @ covariance @ step.T
        shift_std[t] = np.sqrt(np.diag(c))
        if np.any(known.grueneisen):
            judged.append(odds(position[t] - position[0], c, known, prior))
    ratio = areas / areas[:, :1]
    relative = np.zeros((count, lines))
    for t in range(count):
        c = covariance[np.ix_(area[t], area[t])] / np.outer(areas[t], areas[t])
        relative[t] = np.sqrt(np.maximum(c[0, 0] + np.diag(c) - 2.0 * c[0], 0.0))
    return Series(
        when, position, std[place], position - position[0], shift_std, areas, std[area], ratio, ratio * relative,
        tuple(judged), estimate,
    )  # fmt: skip
