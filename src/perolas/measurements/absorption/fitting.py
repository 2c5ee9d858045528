r"""The fit: an edge from every place it may have, and errors that hold noise, baseline and window.

*Baseline.* The power of the scattering is fitted with a prior (`absorption.scattering_power`), and so is the weight of
the transitions above the edge (`absorption.upper_weight`): the errors of all else hold what they leave open.

*Window.* The same fit is made in shorter windows. If the model is right, an estimate d from less data differs from
that of all by a variance :math:`\sigma_d^2 - \sigma^2` (Hausman, Econometrica 1978, 46, 1251); the largest squared
difference beyond that is what the choice of the window does, and is added to the variance.

*Correlated residuals.* Where neighbouring residuals agree, points count for less: variances grow by
:math:`\chi^2_\nu (1 + \rho)/(1 - \rho)`, :math:`\rho` being their correlation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.noise import Gaussian
from perolas.core.parameter import expand, replace, slots, write_slots
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.absorption import dielectric
from perolas.measurements.absorption.door import FEWEST, Points
from perolas.measurements.absorption.model import Absorption
from perolas.measurements.absorption.start import Start

Values = NDArray[np.float64]
PRIORS = {
    "scatter_power": "absorption.scattering_power",
    "upper": "absorption.upper_weight",
    "lorentz_share": "absorption.lorentz_share",
    "sech_share": "absorption.sech_share",
    "reference": "absorption.white_reference_reflectance",
}
_OUT = 1e10  # by what the variance of a point outside a window grows
_UPPER_FROM_EV = 0.2  # above the gap: below that the transitions above the edge absorb nothing
# What is left of a window, as shares of the stretch above and below the exciton.
_WINDOWS = {"upper end nearer": (0.65, 1.0), "lower end nearer": (1.0, 0.6), "both nearer": (0.75, 0.75)}
_BY_CHANCE = 4.0  # squared deviations: one in 22 is larger, and three windows are looked at
_NEXT = 2.0  # full widths between the exciton and the end of a window, at least


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What a caller wants: names freed, held, start values, priors and the search.

    Attributes:
        free, fix: names added to what is fitted, and taken out of it.
        guess: start values by name.
        starts, seed: starting points tried, and the seed of those.
    """

    free: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    guess: Mapping[str, float] = dataclasses.field(default_factory=dict)
    starts: int = 1
    seed: int = 0


def model_of(points: Points, start: Start, phases: bool, **settings: Any) -> Absorption:
    """Return the model at a start."""
    gap = start.gap if math.isfinite(start.gap) else 2.4
    height = start.upper_height / start.amplitude if start.amplitude > 0 else 0.0
    return Absorption(
        gap_ev=gap, binding_ev=start.binding, fwhm_ev=start.fwhm, amplitude=start.amplitude,
        upper=float(np.clip(height, -2.0, 5.0)), second=start.second, second_ev=start.second_ev,
        scatter=start.scatter, scatter_power=start.power, offset=start.offset, energy_ev=points.energy,
        noise=Gaussian(np.asarray(points.variance)), kind=points.kind, phases=phases, **settings,
    )  # fmt: skip


def names_to_fit(model: Absorption, wishes: Wishes, edge: bool) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """Return the names that a fit varies, and the priors of those that have one.

    Args:
        model: at its start.
        wishes: of the caller.
        edge: whether an edge is seen (else its gap, binding energy and width are held, and its height is a limit).

    Returns:
        Names, and name -> mean and standard deviation.
    """
    known = slots(model, "measurement")
    names = ["scatter", "scatter_power", "offset", "amplitude"]
    if edge:
        names += ["gap", "binding", "fwhm", "lorentz_share", "sech_share"]
        if float(model.energy_ev[-1]) > float(model.gap_ev) + _UPPER_FROM_EV:
            names.append("upper")
    if model.phases:
        names += ["second", "second_centre", "second_fwhm"]
    if model.kind == "reflectance":
        names.append("reference")
    names += [n for n in expand(wishes.free, known) if n not in names]
    names = [n for n in names if n not in expand(wishes.fix, known)]
    held = {}
    for name, key in PRIORS.items():
        if name in names:
            prior = physical_parameter(key)
            held[name] = (prior.value, prior.std)
    if model.phases and "second_fwhm" in names:
        width = physical_parameter("Cs4PbBr6.exciton_width")
        held["second_fwhm"] = (width.value, width.std)
    return names, held


def with_guess(model: Absorption, guess: Mapping[str, float]) -> Absorption:
    """Return the model with start values by name; raises InputError for a name that it does not have."""
    by_name = {s.name: s for s in slots(model, "measurement")}
    given = {by_name[check.one_of(n, by_name, "The start value")]: np.float64(v) for n, v in guess.items()}
    return write_slots(model, given) if given else model


def solve(model: Absorption, points: Points, wishes: Wishes, edge: bool) -> Estimate:
    """Return the fit of a model from its start."""
    names, prior = names_to_fit(model, wishes, edge)
    if "upper" not in names:
        model = replace(model, upper=np.float64(physical_parameter(PRIORS["upper"]).value if edge else 1.0))
    model = with_guess(model, wishes.guess)
    return invert(model, points.signal, free=names, prior=prior, starts=wishes.starts, seed=wishes.seed, throw=False)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Where the error of an estimate comes from.

    Attributes:
        factor: by what all errors grew for correlated residuals and for misfit.
        rows: one for each quantity: its errors by noise, baseline, window, n and k, and in all.
        windows: one for each shorter window: what the quantities are there.
    """

    factor: float
    rows: list[dict[str, Any]]
    windows: list[dict[str, Any]]


def with_choices(found: Estimate, points: Points) -> tuple[Estimate, Budget]:
    """Return the estimate with errors that hold baseline, window, correlated residuals, and n and k.

    Args:
        found: a fit that converged.
        points: what was fitted.

    Returns:
        The estimate with larger errors, and where they come from.
    """
    factor = _inflation(found, points)
    beyond, windows = _beyond_chance(found, points, factor)
    alone = math.sqrt(factor) * _at_fixed(found, list(PRIORS))
    known = _library_std(found)
    with np.errstate(invalid="ignore"):
        total = np.sqrt(factor * found.std**2 + beyond + known**2)
        baseline = np.sqrt(np.maximum(factor * found.std**2 - alone**2, 0.0))
    rows = [
        {
            "quantity": name, "unit": found.units[name], "noise": float(alone[i]), "baseline": float(baseline[i]),
            "window": math.sqrt(float(beyond[i])), "n_and_k": float(known[i]), "total": float(total[i]),
        }
        for i, name in enumerate(found.names)
    ]  # fmt: skip
    covariance = factor * found.covariance + np.diag(beyond + known**2)
    return dataclasses.replace(found, covariance=covariance, std=total), Budget(factor, rows, windows)


def _beyond_chance(found: Estimate, points: Points, factor: float) -> tuple[Values, list[dict[str, Any]]]:
    """Return the variance that the choice of the window adds to each quantity, and what shorter windows give."""
    model, names = found.fitted()[0], [s.name for s in found.problem.free]
    prior = {
        n: (float(m), float(p) ** -0.5)
        for n, m, p in zip(names, found.problem.prior_mean, found.problem.prior_precision, strict=True)
        if float(p) > 0
    }
    beyond, rows = np.zeros(len(found.names)), []
    for label, near in _windows(found, points):
        # Points outside weigh nothing but stay: another number of points would be compiled anew.
        variance = np.where(near, points.variance, _OUT * points.variance)
        other = dataclasses.replace(model, noise=Gaussian(variance))
        end = invert(other, points.signal, free=names, prior=prior, throw=False)
        good = end.result == "converged"
        rows.append({"window": label, "converged": good, "low_ev": float(points.energy[near][0]),
                     "high_ev": float(points.energy[near][-1])})  # fmt: skip
        if not good:
            continue
        rows[-1] |= {name: float(v) for name, v in zip(end.names, end.values, strict=True)}
        with np.errstate(invalid="ignore"):
            chance = factor * np.maximum(end.std**2 - found.std**2, 0.0)
            off = (end.values - found.values) ** 2 - _BY_CHANCE * chance
        beyond = np.maximum(beyond, np.where(np.isfinite(off), off, 0.0))
    return beyond, rows


def _at_fixed(found: Estimate, fixed: list[str]) -> Values:
    """Return the errors if some parameters were known: the square root of the conditional covariance's diagonal."""
    at = [i for i, n in enumerate(found.names) if n in fixed and np.isfinite(found.std[i]) and found.std[i] > 0]
    variance = np.diag(found.covariance).copy()
    if at:
        across = found.covariance[:, at]
        variance = variance - np.einsum("ij,ji->i", across, np.linalg.pinv(found.covariance[np.ix_(at, at)]) @ across.T)
    keep = np.isin(np.arange(variance.size), at)
    return np.where(keep | ~np.isfinite(found.std), found.std, np.sqrt(np.clip(variance, 0.0, found.std**2)))


def _inflation(found: Estimate, points: Points) -> float:
    """Return by what variances grow for residuals that are correlated or larger than the noise."""
    residual = (found.signal - found.expected) / np.sqrt(points.variance)
    n, k = residual.size, found.n_free
    chi2 = float(np.sum(residual**2)) / max(n - k, 1)
    rho = float(np.sum(residual[1:] * residual[:-1]) / max(float(np.sum(residual**2)), 1e-300))
    worse = max(chi2, 1.0) if chi2 > 1.0 + 3.0 * math.sqrt(2.0 / max(n - k, 1)) or not points.measured else 1.0
    if rho < 3.0 / math.sqrt(n):
        return worse
    rho = min(rho, 1.0 - 4.0 / n)
    return worse * (1.0 + rho) / (1.0 - rho)


def _windows(found: Estimate, points: Points) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return shorter windows, as masks of the points, that still hold what is fitted."""
    model = found.fitted()[0]
    energy = points.energy
    centre = float(model.gap_ev) - float(model.binding_ev)
    width = _NEXT * float(model.fwhm_ev)
    made: list[tuple[str, NDArray[np.bool_]]] = []
    for label, (up, down) in _WINDOWS.items():
        top = centre + up * (energy[-1] - centre)
        if model.phases:
            top = energy[-1]
        bottom = centre - down * (centre - energy[0])
        top, bottom = max(top, min(centre + width, energy[-1])), min(bottom, max(centre - width, energy[0]))
        near = (energy >= bottom) & (energy <= top)
        if FEWEST <= near.sum() < energy.size and not any(np.array_equal(near, m) for _, m in made):
            made.append((label, near))
    return made


def _library_std(found: Estimate) -> Values:
    """Return the standard errors that n and k bring to amounts."""
    model, std = found.fitted()[0], np.zeros(len(found.names))
    if not model.medium:
        return std
    first = dielectric.perovskite(model.medium).relative_std
    other = dielectric.parent(model.medium).relative_std
    both = math.hypot(first, other)
    share = found["converted"].value if "converted" in found.names else 0.0
    relative = {
        "solid": first, "column": first, "concentration": first, "second_solid": other, "second_column": other,
        "second_concentration": other, "phase_ratio": both, "converted": (1.0 - share) * both,
    }  # fmt: skip
    for i, name in enumerate(found.names):
        if name in relative:
            std[i] = abs(float(found.values[i])) * relative[name]
    return std
