"""Several spectra of one band, such as those of a transformation, fitted with a shape that they share.

Centre, width and slope of the background are fitted once, to the sum of all spectra, which is counted as they are; then
area and background of each, as one batch. Whether they really share a shape is tested: each is fitted again with a
centre and width of its own, and the gain in likelihood is compared with chance.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import AbstractMeasurement
from perolas.core.noise import Gaussian
from perolas.core.observation import axis_of, conditions_of, make_observation
from perolas.core.parameter import replace
from perolas.measurements.pl.fitting import Wishes, fit_points
from perolas.measurements.pl.noise import Scaled
from perolas.measurements.pl.prepare import points_of

Values = NDArray[np.float64]
MAX_SPECTRA = 5000
_DIFFERENT = 0.003  # below this probability of so large a gain by chance, the shapes are said to differ
_SEEN = 3.0


@dataclasses.dataclass(frozen=True)
class Series:
    """What a series of emission spectra says.

    Attributes:
        times: shape (b,), when each was measured, in the caller's unit.
        area: shape (b,), photons of the band.
        std: shape (b,), standard error of each at the shared shape.
        shared: relative standard error of all areas together, from the error of the shape.
        background: shape (b,).
        centre: shape (b,), centre of each spectrum fitted alone, eV; NaN where its band is not seen.
        centre_std: shape (b,), its error.
        fwhm: shape (b,), width of each spectrum fitted alone, eV; NaN where its band is not seen.
        fwhm_std: shape (b,), its error.
        probability: that spectra of one shape would differ as much as these.
        unit: of the areas.
        whole: the fit of the sum, which gave the shape.
    """

    times: Values
    area: Values
    std: Values
    shared: float
    background: Values
    centre: Values
    centre_std: Values
    fwhm: Values
    fwhm_std: Values
    probability: float
    unit: str
    whole: Estimate

    @property
    def same_shape(self) -> bool:
        """Whether one shape explains all spectra."""
        return self.probability >= _DIFFERENT

    def ratio(self, first: int = 0, second: int = -1) -> tuple[float, float]:
        """Return the area of one spectrum over that of another, with its error; the shared error cancels."""
        a, b = self.area[first], self.area[second]
        value = float(b / a) if a else math.nan
        return value, abs(value) * math.hypot(self.std[first] / a, self.std[second] / b) if a and b else math.inf

    def seen_from(self) -> tuple[float | None, float | None]:
        """Return between which two times the band came to be seen for good; None before the first, after the last."""
        there = self.area > _SEEN * self.std
        if not there[-1]:
            return float(self.times[-1]), None
        absent = np.flatnonzero(~there)
        if not absent.size:
            return None, float(self.times[0])
        return float(self.times[absent[-1]]), float(self.times[absent[-1] + 1])

    def to_dataset(self) -> xr.Dataset:
        """Return areas, centres and widths against time, every variable with its unit."""
        data = xr.Dataset(coords={"time": self.times})
        units = {"area": self.unit, "std": self.unit, "centre": "eV", "centre_std": "eV", "fwhm": "eV"}
        for name, unit in (units | {"fwhm_std": "eV"}).items():
            data[name] = ("time", getattr(self, name), {"units": unit})
        data.attrs["shared_relative_std"] = self.shared
        return data

    def curves(self, x_label: str = "time") -> xr.Dataset:
        """Return the areas against time as a report draws them (``plot = "curves"``)."""
        quantiles = np.array([-1.959964, -0.994458, 0.0, 0.994458, 1.959964])[:, None]
        total = np.hypot(self.std, self.shared * self.area)
        return xr.Dataset(
            {
                "curve": (("run", "percentile", "point"), (self.area + quantiles * total)[None], {"units": self.unit}),
                "at": (("run", "point"), self.times[None], {"units": "1"}),
            },
            coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
            attrs={
                "plot": "curves", "runs": json.dumps(["emission"]), "x_label": x_label,
                "y_label": f"area ({self.unit})",
            },
        )  # fmt: skip

    def __str__(self) -> str:
        """Return a table of areas, centres and widths, with what is to be said about the shape."""
        lines = [f"{'time':>10}{'area (' + self.unit + ')':>28}{'centre (eV)':>22}{'width (meV)':>18}"]
        for i, time in enumerate(self.times):
            centre = f"{self.centre[i]:.4f} ± {self.centre_std[i]:.4f}" if np.isfinite(self.centre[i]) else "–"
            width = f"{1e3 * self.fwhm[i]:.1f} ± {1e3 * self.fwhm_std[i]:.1f}" if np.isfinite(self.fwhm[i]) else "–"
            lines.append(f"{time:>10.4g}{f'{self.area[i]:.5g} ± {self.std[i]:.2g}':>28}{centre:>22}{width:>18}")
        lines.append(f"All areas share an error of {self.shared:.2%} from that of the shape.")
        if not self.same_shape:
            lines.append(
                f"Warning: the spectra do not share one shape (probability {self.probability:.1g}); read centre and "
                "width of each, and take the areas as descriptions."
            )
        return "\n".join([*lines, *(f"Warning: {w}" for w in self.whole.warnings)])


def fit_series(
    observation: xr.Dataset,
    times: ArrayLike,
    *,
    window: tuple[float, float] | None = None,
    resolution: float = 0.0,
    sensitivity: xr.Dataset | None = None,
    shape: str = "auto",
    noise: str = "auto",
) -> Series:
    """Fit spectra of one sample with one shape.

    Args:
        observation: shape (batch, n) on ``wavelength_nm`` or ``energy_ev``.
        times: shape (batch,), rising; any unit.
        window: as for `fit`.
        resolution: as for `fit`.
        sensitivity: as for `fit`.
        shape: as for `fit`.
        noise: as for `fit`.

    Returns:
        The series.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit of the sum did not converge.
    """
    signal = np.asarray(observation["signal"].values, dtype=np.float64)
    if signal.ndim != 2 or signal.shape[0] < 2:
        raise InputError("A series has at least two spectra on one axis; fit a single one with fit.")
    if signal.shape[0] > MAX_SPECTRA:
        raise InputError(f"There are {signal.shape[0]} spectra, more than the {MAX_SPECTRA} that are fitted.")
    when = check.axis(times, "times")
    if when.size != signal.shape[0] or when[0] > when[-1]:
        raise InputError(f"There are {signal.shape[0]} spectra, which need as many rising times, not {when.size}.")
    check.positive(resolution, "resolution", zero=True)
    name = axis_of(observation)
    variance = np.asarray(observation["variance"].values) if "variance" in observation else None
    whole_seen = make_observation(
        signal.sum(axis=0), name, observation[name].values, units=str(observation["signal"].attrs["units"]),
        variance=None if variance is None else variance.sum(axis=0), conditions=conditions_of(observation),
    )  # fmt: skip
    points = points_of(whole_seen, window, sensitivity, noise)
    whole = fit_points(points, Wishes(shape, float(resolution), (), (), {}, 1, 0))
    model = whole.fitted()[0]
    at = np.searchsorted(np.sort(observation[name].values), np.asarray(model.axis))
    order = np.argsort(observation[name].values)[at]
    each = signal[:, order]
    laws = _noise_of(model, each, None if variance is None else variance[:, order])
    share = _shares(each, whole)
    guess = replace(
        model, noise=laws, area=float(model.area) * share, background=float(model.background) * np.maximum(share, 1e-3),
        slope=float(model.slope) * np.ones(share.size),
    )  # fmt: skip
    more = [n for n in ("slope",) if float(model.slope) != 0]
    held = invert(guess, each, free=["area", "background", *more], throw=False)
    wide = [n for n in ("fwhm_lorentz",) if n in whole.names]
    begin = replace(held.problem.measurement, area=held.values[:, 0], background=held.values[:, 1])
    loose = invert(begin, each, free=["area", "centre", "fwhm_gauss", *wide, "background", *more], throw=False)
    return _gathered(when, whole, held, loose, 2 + len(wide))


def _noise_of(model: AbstractMeasurement, each: Values, variance: Values | None) -> Any:
    """Return the noise of the single spectra: that of the sum with a variance for each."""
    inner = model.noise.inner if isinstance(model.noise, Scaled) else model.noise
    if not isinstance(inner, Gaussian):
        return model.noise
    scale = np.asarray(model.noise.scale) if isinstance(model.noise, Scaled) else np.ones(each.shape[1])
    own = variance / scale**2 if variance is not None else np.asarray(inner.variance) / each.shape[0]
    own = np.broadcast_to(own, each.shape)
    return Scaled(Gaussian(own), scale) if isinstance(model.noise, Scaled) else Gaussian(own)  # type: ignore[arg-type]


def _shares(each: Values, whole: Estimate) -> Values:
    """Return a guess of the share of each spectrum in the area of the sum: least squares on its shape."""
    band = np.asarray(whole.fitted()[0].components()["band"])
    rows = np.stack([band, np.ones_like(band)], axis=1)
    found = np.linalg.lstsq(rows, each.T, rcond=None)[0][0]
    return np.asarray(np.maximum(found, 1e-4))


def _gathered(when: Values, whole: Estimate, held: Estimate, loose: Estimate, more: int) -> Series:
    """Put both batches together."""
    area, std = held.values[:, 0], held.std[:, 0]
    own = {n: i for i, n in enumerate(loose.names)}
    seen = (loose.result == "converged") & (loose.values[:, 0] > _SEEN * loose.std[:, 0])
    gain = 2.0 * (loose.log_likelihood - held.log_likelihood)
    gain = float(np.sum(np.maximum(gain[seen], 0.0)))
    # The shared shape was fitted to the same data.
    freedom = max(more * (int(seen.sum()) - 1), 1)
    probability = float(chi2.sf(gain, freedom)) if seen.sum() > 1 else 1.0

    def column(name: str) -> tuple[Values, Values]:
        return np.where(seen, loose.values[:, own[name]], np.nan), np.where(seen, loose.std[:, own[name]], np.nan)

    total = float(np.sum(area))
    shape_only = max(whole["area"].std ** 2 - float(np.sum(std**2)), 0.0)
    centre, fwhm = column("centre"), column("fwhm")
    return Series(
        times=when, area=area, std=std, shared=math.sqrt(shape_only) / abs(total) if total else math.inf,
        background=held.values[:, 1], centre=centre[0], centre_std=centre[1], fwhm=fwhm[0], fwhm_std=fwhm[1],
        probability=probability, unit=whole.units["area"], whole=whole,
    )  # fmt: skip
