"""What a reader must be told about a fitted sweep, and what is set beside it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.parameter import replace
from perolas.measurements.emission.curve import MAIN, POOR, Candidate, Wishes, fit_once
from perolas.measurements.emission.lines import two_lines
from perolas.measurements.emission.model import LEAST_LOG10_BETA, Emission
from perolas.measurements.emission.prepare import Sweep
from perolas.measurements.emission.start import Grid, starts

_DECISIVE = 6.0  # in BIC
_NO_KINK = 9.21  # chi-square of two parameters at 99 %
_ONE_SIDED = 2.706  # of one parameter, at 95 % on one side
_DRAWS = 200
_SMALL_BETA = 0.1


def no_threshold(best: Candidate, sweep: Sweep) -> bool:
    """Tell whether the sweep ends before the threshold, or looks the same without one: linear in the pump."""
    curve: Emission = best.estimate.fitted()[0]
    # With no point above the threshold, all that is known comes from how the curve bends before it.
    return float(curve.threshold_uj_cm2) > sweep.fluence[-1] or _straight(best, sweep)


def _straight(best: Candidate, sweep: Sweep) -> bool:
    exponent = float(best.estimate.fitted()[0].exponent)
    return 2.0 * (best.evidence - _line(sweep, exponent, best)) < _NO_KINK


def _line(sweep: Sweep, exponent: float, best: Candidate) -> float:
    """Return the log-likelihood of a sweep without a threshold, by reweighted least squares."""
    curve: Emission = best.estimate.fitted()[0]
    power = (sweep.fluence / sweep.fluence[-1]) ** exponent
    expected = np.asarray(best.estimate.expected)
    signal = jnp.asarray(sweep.output)
    for _ in range(30):
        weight = np.asarray(sweep.noise.weight(signal, jnp.asarray(np.maximum(expected, 1e-12))))
        if best.jitter > 0:
            weight = 1.0 / (1.0 / weight + (best.jitter * exponent * expected) ** 2)
        rows = np.stack([power, np.ones_like(power)]) * np.sqrt(weight)
        slope, ground = np.linalg.lstsq(rows.T, sweep.output * np.sqrt(weight), rcond=None)[0]
        if ground < 0:
            slope, ground = float(np.sum(weight * power * sweep.output) / np.sum(weight * power**2)), 0.0
        new = np.maximum(slope * power + ground, 1e-12)
        done = np.allclose(new, expected, rtol=1e-10)
        expected = new
        if done:
            break
    if best.jitter <= 0:
        return float(curve.noise.log_likelihood(signal, jnp.asarray(expected)))
    rest = sweep.output - expected
    return float(-0.5 * np.sum(rest**2 * weight - np.log(weight / (2 * math.pi))))


def lower_bound(sweep: Sweep, best: Candidate) -> float:
    """Return the 95 % lower bound of a threshold that the sweep did not reach, for beta of 0.1 at most, uJ/cm^2."""
    curve: Emission = best.estimate.fitted()[0]
    if not _straight(best, sweep):  # it bends, so that the curve itself tells how far away the threshold is at least
        return float(best.joint.interval("threshold", 0.90)[0])
    expected = jnp.maximum(jnp.asarray(best.estimate.expected), 1e-12)
    weight = np.asarray(sweep.noise.weight(jnp.asarray(sweep.output), expected))
    if best.jitter > 0:
        weight = 1.0 / (1.0 / weight + (best.jitter * float(curve.exponent) * np.asarray(expected)) ** 2)
    grid = Grid(sweep, float(curve.exponent), weight, far=30.0)
    small = grid.chi2[:, 10.0**grid.log10_beta <= _SMALL_BETA * 1.001].min(axis=1)
    size = 1.0
    if sweep.noise.scale_is_estimated:
        size = float(grid.chi2.min()) / max(sweep.fluence.size - 2, 1)
    out = np.flatnonzero(small - grid.chi2.min() > _ONE_SIDED * size)
    # A sweep that lies above its threshold as a whole is straight too: what counts is the far side of what is excluded.
    return float(grid.threshold[min(out.max() + 1, grid.threshold.size - 1)] if out.size else grid.threshold[0])


def without_threshold(estimate: Estimate, tried: list[Candidate], sweep: Sweep, options: Wishes) -> Estimate:
    """Return the estimate of a sweep that does not reach a threshold: a lower bound in its place.

    Args:
        estimate: the best fit, for its notes.
        tried: all fits.
        sweep: the data.
        options: of the fit.

    Returns:
        An estimate whose threshold has that bound for its value and no error: the data cannot determine it.
    """
    least = min(c.bic for c in tried)
    bounds = {c: lower_bound(sweep, c) for c in tried if c.bic < least + _DECISIVE}
    best = min(bounds, key=lambda c: bounds[c])
    bound = bounds[best]
    curve = starts(sweep, float(best.estimate.fitted()[0].exponent), {})[0]
    curve = replace(curve, threshold_uj_cm2=jnp.asarray(bound), log10_beta=jnp.asarray(math.log10(_SMALL_BETA)))
    held = {"threshold": (bound, 1e-9 * bound), "log10_beta": (math.log10(_SMALL_BETA), 1e-9)}
    e = invert(curve, sweep.output, free=MAIN, fix=options.fix, prior=held, throw=False)
    lost = ("threshold", "log10_beta", "scale", *e.names[e.n_free :])
    loads = np.array([1.0 if s.name in lost else 0.0 for s in e.problem.free])
    null, mask = np.eye(e.n_free), np.zeros(e.n_free, dtype=bool)
    null[:, 0], mask[0] = loads / max(float(np.linalg.norm(loads)), 1.0), True
    empty = np.array([n in lost for n in e.names])
    sentence = (
        f"The sweep does not reach a threshold: it ends at {sweep.fluence[-1]:.4g} uJ/cm^2, and the threshold lies "
        f"above {bound:.4g} uJ/cm^2 (lower bound, 95 %, for beta up to {_SMALL_BETA:g}; with a beta near 1 there is "
        "no kink to see), unless the whole sweep lies above it. The value given for the threshold is that bound. "
        "Measure at higher fluences."
    )
    added = {
        "threshold_lower_bound": Quantity(
            bound, 0.0, "uJ/cm^2", f"the threshold is higher than this at 95 %, for beta up to {_SMALL_BETA:g}"
        )
    }
    return dataclasses.replace(
        e,
        std=np.where(empty, np.inf, e.std),
        empty=empty,
        null=null,
        null_mask=mask,
        chi2_reduced=estimate.chi2_reduced,
        added=added,
        notes=estimate.notes,
        warnings=(*estimate.warnings, sentence),
    )


def finish(best: Candidate, tried: list[Candidate], sweep: Sweep, options: Wishes) -> Estimate:
    """Return the estimate with everything that is set beside it.

    Args:
        best: the chosen fit.
        tried: all of them.
        sweep: the data.
        options: of the fit.

    Returns:
        The estimate, with the two-line threshold and its bias, the exponent where it is freed, limits and sentences.
    """
    estimate = dataclasses.replace(
        best.estimate, notes=(*best.estimate.notes, *sweep.notes), warnings=(*best.estimate.warnings, *sweep.warnings)
    )
    if best.jitter > 0:
        estimate = _with_jitter(estimate, best, options)
    extra: dict[str, Any] = {"jitter": best.jitter, "left_out_uj_cm2": list(sweep.left_out)}
    if no_threshold(best, sweep):
        estimate = without_threshold(estimate, tried, sweep, options)
        return dataclasses.replace(estimate, extra=estimate.extra | extra | {"threshold_seen": False})
    estimate = _with_choice(estimate, best, tried)
    estimate = _with_exponent(estimate, best, sweep, options)
    estimate = _with_lines(estimate, best, sweep)
    estimate = _with_limits(estimate, best)
    estimate = _with_quality(estimate, best)
    return dataclasses.replace(estimate, extra=estimate.extra | extra | {"threshold_seen": True})


def _with_jitter(estimate: Estimate, best: Candidate, options: Wishes) -> Estimate:
    if options.jitter:
        text = f"Each point's fluence may be off by {100 * best.jitter:.2g} %, as was said; the errors hold that."
        return dataclasses.replace(estimate, notes=(*estimate.notes, text))
    text = (
        f"The points scatter more than their noise allows; a jitter of {100 * best.jitter:.2g} % of each fluence "
        "explains it best and is in the errors. State the true one with jitter=."
    )
    return dataclasses.replace(estimate, warnings=(*estimate.warnings, text))


def _with_choice(estimate: Estimate, best: Candidate, tried: list[Candidate]) -> Estimate:
    if len(tried) < 2 or best.exponent is None:
        return estimate
    other = next(c for c in tried if c is not best)
    apart = other.bic - best.bic
    rows = [
        {"model": f"{c.exponent:g} photon{'s' * (c.exponent != 1)}", "result": c.estimate.result, "bic": c.bic,
         "threshold": c.estimate["threshold"].value, "chosen": c is best}
        for c in tried if c.exponent is not None
    ]  # fmt: skip
    extra = estimate.extra | {"evidence": rows}
    name = {1.0: "one photon", 2.0: "two photons"}
    text = f"Pumping by {name[best.exponent]} for each excitation is likelier (BIC better by {apart:.1f})"
    if apart >= _DECISIVE:
        return dataclasses.replace(estimate, extra=extra, notes=(*estimate.notes, text + "."))
    there = other.estimate["threshold"].value
    sentence = (
        f"{text}, which is not decisive: with {name[float(other.exponent or 1)]} the threshold would be {there:.4g} "
        "uJ/cm^2. Say which it is with photons=."
    )
    return dataclasses.replace(estimate, extra=extra, warnings=(*estimate.warnings, sentence))


def _with_exponent(estimate: Estimate, best: Candidate, sweep: Sweep, options: Wishes) -> Estimate:
    """Add the exponent as it comes out when it is freed."""
    if best.exponent is None or sweep.fluence.size < 6 or "exponent" in options.fix:
        return estimate
    freed = fit_once(sweep, best.exponent, options, best.jitter, freed=True)
    if freed.estimate.result != "converged":
        return estimate
    q = freed.estimate["exponent"]
    added = estimate.added | {
        "exponent_free": Quantity(q.value, q.std, "1", "photons for each excitation, where the fit is free to choose")
    }
    estimate = dataclasses.replace(estimate, added=added)
    if freed.bic < best.bic - _DECISIVE:
        text = (
            f"An exponent of {q.value:.2f} ± {q.std:.2f} fits decisively better than {best.exponent:g} (BIC by "
            f"{best.bic - freed.bic:.0f}; threshold then {freed.estimate['threshold'].value:.4g} uJ/cm^2): saturation, "
            "heating or a mixture of one and two photons is not in the model. Free it with free=exponent."
        )
        estimate = dataclasses.replace(estimate, warnings=(*estimate.warnings, text))
    return estimate


def _with_lines(estimate: Estimate, best: Candidate, sweep: Sweep) -> Estimate:
    """Add the two-line threshold, its scatter under the noise of these data, and its bias for this curve."""
    curve: Emission = best.estimate.fitted()[0]
    smooth = replace(curve, moved=jnp.zeros(0))
    clean = np.asarray(smooth.expected())
    found = two_lines(sweep.fluence, sweep.output).threshold
    expected = two_lines(sweep.fluence, clean).threshold
    if not math.isfinite(found) or not math.isfinite(expected):
        return dataclasses.replace(estimate, notes=(*estimate.notes, "Two straight lines find no kink in this sweep."))
    rng = np.random.default_rng(0)
    sample = _noisy(smooth, estimate, best.jitter, rng)
    each = np.array([two_lines(sweep.fluence, y).threshold for y in sample])
    std = float(np.nanstd(each))
    true = estimate["threshold"].value
    added = estimate.added | {
        "threshold_two_line": Quantity(
            found, std, "uJ/cm^2", "where two straight lines cross, as is usually done; the error is its scatter alone"
        ),
        "two_line_bias": Quantity(
            expected - true, std / math.sqrt(_DRAWS), "uJ/cm^2", "two-line threshold of the fitted curve less its own"
        ),
    }
    text = (
        f"Two straight lines cross at {found:.4g} uJ/cm^2; on the fitted curve without noise they are off by "
        f"{100 * (expected / true - 1):+.1f} %."
    )
    return dataclasses.replace(estimate, added=added, notes=(*estimate.notes, text))


def _noisy(curve: Emission, estimate: Estimate, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """Draw sweeps like the fitted one, shape (draws, n)."""
    count = int(curve.fluence.size)
    size = 1.0
    if estimate.scale_is_estimated:
        weight = np.asarray(curve.noise.weight(jnp.asarray(estimate.signal), jnp.asarray(estimate.expected)))
        rest = float(np.sum(weight * (estimate.signal - estimate.expected) ** 2))
        size = math.sqrt(rest / max(estimate.n_points - estimate.n_free, 1))
    away = jnp.asarray(jitter * rng.standard_normal((_DRAWS, count)))
    mean = jax.vmap(lambda e: replace(curve, jitter=e).expected())(away)
    variance = size**2 / curve.noise.weight(mean, mean)
    return np.asarray(mean) + np.sqrt(np.asarray(variance)) * rng.standard_normal((_DRAWS, count))


def _with_limits(estimate: Estimate, best: Candidate) -> Estimate:
    """Say how large beta may be where the sweep cannot tell how small it is."""
    if "log10_beta" not in estimate.names[: estimate.n_free]:
        return estimate
    q = estimate["log10_beta"]
    if q.std < 0.5 and q.value > LEAST_LOG10_BETA + 0.5:
        return estimate
    upper = 10.0 ** best.joint.interval("log10_beta", 0.90)[1]
    text = f"beta is not resolved: it is below {upper:.2g} (95 %)."
    added = estimate.added | {"beta_upper_bound": Quantity(upper, 0.0, "1", "beta is smaller than this at 95 %")}
    return dataclasses.replace(estimate, added=added, warnings=(*estimate.warnings, text))


def _with_quality(estimate: Estimate, best: Candidate) -> Estimate:
    warnings = list(estimate.warnings)
    worth = best.p_value
    if worth is not None and worth < POOR:
        warnings.append(
            f"The curve does not describe the sweep (chi-square {best.chi2:.0f} for {best.freedom} degrees of "
            "freedom): saturation, heating, several modes or a drifting pump are not in the model; errors are too "
            "small."
        )
    curve: Emission = best.estimate.fitted()[0]
    away = np.asarray(curve.moved) if best.jitter > 0 else estimate.signal - estimate.expected
    probability = runs(away)
    if probability < POOR:
        warnings.append(
            f"Neighbouring points deviate to the same side (p = {probability:.1g} by their runs): the deviations are "
            "no noise but a shape that the model lacks."
        )
    return dataclasses.replace(
        estimate, warnings=tuple(warnings), extra=estimate.extra | {"p_value": worth, "runs_p_value": probability}
    )


def runs(deviations: np.ndarray) -> float:
    """Return the probability of so few runs of one sign, by Wald and Wolfowitz 1940 (exact).

    Args:
        deviations: shape (n,), in order.

    Returns:
        P(runs <= those seen), given the numbers of each sign; 1 where one sign is missing.
    """
    signs = np.sign(deviations[deviations != 0.0])
    up, down = int(np.sum(signs > 0)), int(np.sum(signs < 0))
    if min(up, down) == 0:
        return 1.0
    seen = 1 + int(np.sum(signs[1:] != signs[:-1]))
    total, log_all = 0.0, _log_choose(up + down, up)
    for r in range(2, seen + 1):
        half, odd = divmod(r, 2)
        if not odd:
            total += 2.0 * math.exp(_log_choose(up - 1, half - 1) + _log_choose(down - 1, half - 1) - log_all)
        else:
            for a, b in ((half, half - 1), (half - 1, half)):
                total += math.exp(_log_choose(up - 1, a) + _log_choose(down - 1, b) - log_all)
    return min(total, 1.0)


def _log_choose(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return float(stats.binom.logpmf(k, n, 0.5) + n * math.log(2.0))
