"""What an estimate of lines has to say about itself: units, errors that hold, and sentences on what to distrust."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from perolas.core.estimate import Estimate
from perolas.core.noise import Poisson
from perolas.core.parameter import Slot
from perolas.measurements.peaks_prepare import Prepared
from perolas.measurements.peaks_search import correlation_length


def with_units(estimate: Estimate, axis_unit: str, signal_unit: str) -> Estimate:
    """Return the estimate with the units of its own axis and signal in place of the table's words.

    Args:
        estimate: of lines.
        axis_unit: e.g. ``"cm-1"``.
        signal_unit: e.g. ``"counts"``.

    Returns:
        The estimate; the slots of its problem have the units too.
    """

    def own(unit: str) -> str:
        """Return the unit that the table's words stand for."""
        x = "channel" if axis_unit == "1" else axis_unit
        known = {"signal unit x axis unit": f"{signal_unit} {x}", "signal unit": signal_unit, "axis unit": axis_unit}
        return known.get(unit, unit)

    def slots(given: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(dataclasses.replace(s, unit=own(s.unit)) for s in given)

    problem = estimate.problem
    problem = type(problem)(
        problem.measurement,
        problem.state,
        problem.signal,
        problem.prior_mean,
        problem.prior_precision,
        slots(problem.free),
        problem.ties,
        slots(problem.known),
    )
    return dataclasses.replace(estimate, units={n: own(u) for n, u in estimate.units.items()}, problem=problem)


def with_honest_errors(estimate: Estimate) -> Estimate:
    """Return the estimate with errors that allow for correlated residuals and for misfit, and with the sentences.

    Each line's quantities get their errors multiplied by the square root of (points that one independent residual
    stands for) x (squared residuals at the line, over what the noise model says), where these exceed one beyond
    chance; the background's by that of the whole spectrum. A Gaussian width near zero acts through its square alone,
    so its error is the distance to the square root of (square + error of the square).

    Args:
        estimate: of lines.

    Returns:
        The estimate; ``extra["error_factor"]`` lists the factor of each line.
    """
    model = estimate.fitted()[0]
    x, residual = np.asarray(model.axis), estimate.signal - estimate.expected
    z = residual * np.sqrt(np.asarray(model.noise.weight(estimate.signal, estimate.expected)))
    freedom = max(estimate.n_points - estimate.n_free, 1)
    if estimate.scale_is_estimated:
        z = z / max(math.sqrt(float(np.sum(z**2)) / freedom), 1e-300)
    rising = np.argsort(x)
    rough = correlation_length(z[rising])
    # Away from misfits: residuals over their own local size.
    local = np.sqrt(uniform_filter1d(z[rising] ** 2, min(25, z.size), mode="nearest"))
    smooth = min(rough, correlation_length(z[rising] / np.maximum(local, 1e-300)))
    excess = _Excess(estimate, z, model)
    overall = excess(np.ones(x.size, dtype=bool))
    lines = int(model.position.shape[-1])
    spreads = [max(overall, excess(_near(model, x, i, estimate))) for i in range(lines)]
    factors = np.array([spread * (rough if spread > 1 else smooth) for spread in spreads])
    ground = overall * (rough if overall > 1 else smooth)
    scale = np.sqrt([_of(name, factors, ground) for name in estimate.names]) * _one_sided(estimate, model)
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    if max(smooth, 1.0) > 1.05:
        notes.append(
            f"Neighbouring residuals are correlated, {smooth:.1f} points counting as one (smoothed data, or a misfit); "
            "all errors allow for it."
        )
    if factors.size and factors.max() > 1.05 * smooth:
        each = ", ".join(f"{math.sqrt(f):.1f}" for f in factors)
        notes.append(f"The errors of the lines are multiplied by {each} for residuals larger than the noise explains.")
    for i, spread in enumerate(spreads):
        near = _near(model, x, i, estimate)
        height = estimate[f"height_{i + 1}"].value
        off = float(np.sqrt(np.mean(residual[near] ** 2))) / height if near.any() and height > 0 else 0.0
        if spread > 2 and off > 0.005:
            warnings.append(
                f"Line {i + 1} does not have the {model.shape} shape: the fit is off by {off:.1%} of its height there "
                "(root mean square), more than the noise; its width and area depend on the shape assumed."
            )
    chi2 = float(estimate.chi2_reduced)
    if math.isfinite(chi2) and chi2 < 1 - 6 * math.sqrt(2 / freedom) and float(np.mean(estimate.expected)) > 5:
        warnings.append(
            f"These counts scatter less than counted events would (reduced chi-square {chi2:.2g}): a camera's count "
            'stands for several electrons, or the data were smoothed; noise="estimated" takes the noise from them.'
        )
    return dataclasses.replace(
        estimate,
        covariance=estimate.covariance * np.outer(scale, scale),
        std=np.where(np.isfinite(estimate.std), estimate.std * scale, estimate.std),
        notes=tuple(notes),
        warnings=tuple(warnings),
        extra=estimate.extra | {"points_per_independent_residual": rough, "error_factor": np.sqrt(factors).tolist()},
    )


def _of(name: str, factors: np.ndarray, ground: float) -> float:
    """Return the variance factor of a quantity: its line's, or the largest of those that it rests on."""
    stem, _, index = name.rpartition("_")
    if stem in ("position", "area", "fwhm_gauss", "fwhm_lorentz", "fwhm", "height"):
        return float(factors[int(index) - 1])
    if stem == "area_ratio":
        return float(max(factors[0], factors[int(index) - 1]))
    return float(max(factors.max(), ground)) if name == "total_area" else ground


def _one_sided(estimate: Estimate, model: Any) -> np.ndarray:
    """Return what the errors of Gaussian widths near zero are to be multiplied by."""
    scale = np.ones(len(estimate.names))
    for i, name in enumerate(estimate.names):
        value, std = estimate.values[i], estimate.std[i]
        if name.startswith("fwhm_gauss_") and np.isfinite(std) and std > value > 0 and model.shape == "voigt":
            scale[i] = (math.sqrt(value**2 + 2 * value * std) - value) / std
    return scale


class _Excess:
    """By how much squared residuals exceed what the noise model says, 1 where chance explains it."""

    def __init__(self, estimate: Estimate, z: np.ndarray, model: Any) -> None:
        counted = isinstance(model.noise, Poisson)
        self.z = z
        self.inverse = 1 / np.maximum(estimate.expected, 0.05) if counted else np.zeros(z.size)
        self.share = 1 - estimate.n_free / max(estimate.n_points, 1)

    def __call__(self, chosen: np.ndarray) -> float:
        freedom = float(chosen.sum()) * self.share
        if freedom < 3:
            return 1.0
        value = float(np.sum(self.z[chosen] ** 2)) / freedom
        scatter = math.sqrt((2 + float(np.mean(self.inverse[chosen]))) / freedom)
        return value if value > 1 + 4 * scatter else 1.0


def _near(model: Any, x: np.ndarray, i: int, estimate: Estimate) -> np.ndarray:
    """Return the points within a width of a line, less those that belong to a much higher one."""
    near = np.abs(x - float(model.position[i])) < observed_width(model, i)
    height = estimate[f"height_{i + 1}"].value
    for j in range(int(model.position.shape[-1])):
        if j != i and estimate[f"height_{j + 1}"].value > 3 * height:
            near &= np.abs(x - float(model.position[j])) > 2 * observed_width(model, j)
    return near


def observed_width(model: Any, i: int) -> float:
    """Return the full width of a line as the instrument shows it, in the axis unit."""
    gauss = float(model.fwhm_gauss[i]) if model.fwhm_gauss.shape[-1] else 0.0
    lorentz = float(model.fwhm_lorentz[i]) if model.fwhm_lorentz.shape[-1] else 0.0
    total = math.hypot(gauss, float(model.resolution))
    return 0.5346 * lorentz + math.sqrt(0.2166 * lorentz**2 + total**2)


def with_cautions(estimate: Estimate, prepared: Prepared) -> Estimate:
    """Return the estimate with warnings about lines that the data cannot really show.

    Args:
        estimate: of lines, in its own units.
        prepared: the points that were fitted.

    Returns:
        The estimate with more warnings.
    """
    model = estimate.fitted()[0]
    x, unit = prepared.x, "" if prepared.unit == "1" else f" {prepared.unit}"
    low, high = max(float(x.min()), prepared.span[0]), min(float(x.max()), prepared.span[1])
    warnings = list(estimate.warnings)
    for i in range(int(model.position.shape[-1])):
        at, width = float(model.position[i]), observed_width(model, i)
        step = float(np.abs(np.gradient(x))[np.argmin(np.abs(x - at))])
        if width < 2 * step:
            warnings.append(
                f"Line {i + 1} at {at:.6g}{unit} is {width / step:.2g} pixels wide, narrower than the sampling can "
                "show; its position, width and area may be off by more than their errors."
            )
        if min(at - low, high - at) < 0.5 * width:
            warnings.append(
                f"Line {i + 1} at {at:.6g}{unit} lies at the edge of the window ({low:.6g} to {high:.6g}{unit}), "
                "so part of it is not seen; widen the window."
            )
        name = f"fwhm_{i + 1}"
        if float(model.resolution) > 0 and estimate[name].value < estimate[name].std:
            warnings.append(
                f"Line {i + 1} is no wider than the instrument's own {float(model.resolution):g}{unit}: "
                "its own width is only known to be small."
            )
    return dataclasses.replace(estimate, warnings=tuple(warnings))
