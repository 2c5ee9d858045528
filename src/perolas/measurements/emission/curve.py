"""A pump sweep inverted: threshold, beta, scale, background; how many photons; pump jitter; no threshold in sight."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.parameter import replace
from perolas.measurements.emission.model import Emission
from perolas.measurements.emission.prepare import Sweep
from perolas.measurements.emission.start import starts

MAIN = ("threshold", "log10_beta", "scale", "background")
POOR = 1e-3
_JITTERS = (0.002, 0.3)


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the caller wants of a fit: options of `fit`, checked."""

    photons: str = "auto"
    jitter: float | None = None  # None: found where counting noise alone does not suffice
    free: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    guess: Mapping[str, float] = dataclasses.field(default_factory=dict)
    starts: int = 1
    seed: int = 0


def wishes(photons: str | float, jitter: str | float | None, **rest: Any) -> Wishes:
    """Check the options of a fit.

    Args:
        photons: ``"auto"``, or the number of photons absorbed for each excitation.
        jitter: ``"auto"``, None, or the relative standard deviation of each fluence.
        rest: the other fields of `Wishes`.

    Returns:
        The wishes.

    Raises:
        InputError: a value that cannot be used.
    """
    text = str(photons).strip().lower()
    if text != "auto":
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.2 <= value <= 6.0:
            raise InputError(f'Option "photons" must be 1, 2, or "auto", but is "{text[:40]}".')
    spread: float | None = None
    if jitter is not None and str(jitter).strip().lower() != "auto":
        try:
            spread = float(str(jitter).strip().removesuffix("%")) * (0.01 if str(jitter).strip().endswith("%") else 1)
        except ValueError:
            spread = math.nan
        if not 0.0 <= spread <= 0.5:
            raise InputError(f'Option "jitter" must lie between 0 and 0.5, or be "auto", but is "{str(jitter)[:40]}".')
    return Wishes(text, spread, **rest)


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A fit of a sweep with one number of photons.

    Attributes:
        estimate: the fit; where the pump jitters, its covariance holds that, and the jitter is held as fitted.
        exponent: photons absorbed for each excitation, None where that was fitted.
        jitter: relative standard deviation of the pump.
        evidence: logarithm of the likelihood, each point's jitter integrated out.
        chi2: with that of the jitter.
        joint: the fit with the jitter of each point among its parameters.
    """

    estimate: Estimate
    exponent: float | None
    jitter: float
    evidence: float
    chi2: float
    joint: Estimate

    @property
    def freedom(self) -> int:
        """Degrees of freedom."""
        return max(self.estimate.n_points - self.estimate.n_free, 1)

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        e = self.estimate
        return (e.n_free + e.scale_is_estimated) * math.log(e.n_points) - 2.0 * self.evidence

    @property
    def p_value(self) -> float | None:
        """Probability of a chi-square at least as large; None where the noise was taken from the residuals."""
        if self.estimate.scale_is_estimated:
            return None
        from scipy.stats import chi2

        return float(chi2.sf(self.chi2, self.freedom))


def fit_once(sweep: Sweep, exponent: float, options: Wishes, jitter: float, freed: bool = False) -> Candidate:
    """Fit a sweep with one number of photons and one size of the jitter.

    Args:
        sweep: the data.
        exponent: photons absorbed for each excitation, or where that starts.
        options: of the fit.
        jitter: relative standard deviation of each fluence.
        freed: whether the exponent is fitted.

    Returns:
        The best of several starts.
    """
    names = [*MAIN, *options.free, *(["exponent"] if freed else [])]
    tried = [_from(curve, sweep, names, options, jitter) for curve in starts(sweep, exponent, dict(options.guess))]
    good = [t for t in tried if t[0].result == "converged"] or tried
    joint, score = max(good, key=lambda t: t[1] if math.isfinite(t[1]) else -math.inf)
    return _candidate(sweep, joint, score, None if freed or "exponent" in names else exponent, names, options, jitter)


def _from(curve: Emission, sweep: Sweep, names: list[str], options: Wishes, jitter: float) -> tuple[Estimate, float]:
    """Return the fit from one start, and its log-likelihood with the jitter integrated out (Laplace)."""
    prior = None
    if jitter > 0:
        curve, names = replace(curve, jitter=jnp.zeros(sweep.fluence.size)), [*names, "jitter"]
        prior = {"jitter": (0.0, jitter)}
    best = invert(
        curve, sweep.output, free=names, fix=options.fix, prior=prior, starts=options.starts, seed=options.seed,
        throw=False,
    )  # fmt: skip
    return best, float(best.log_likelihood) - _jitter_cost(best, jitter)


def _jitter_cost(estimate: Estimate, jitter: float) -> float:
    if jitter <= 0:
        return 0.0
    curve: Emission = estimate.fitted()[0]
    away = np.asarray(curve.jitter) / jitter
    weight = np.asarray(curve.noise.weight(jnp.asarray(estimate.signal), jnp.asarray(estimate.expected)))
    slope = np.asarray(_slopes(curve))
    return float(0.5 * np.sum(away**2) + 0.5 * np.sum(np.log1p(jitter**2 * weight * slope**2)))


def _slopes(curve: Emission) -> jax.Array:
    """Return the derivative of the output by the logarithm of each fluence, shape (n,)."""
    shape = jnp.ones_like(curve.fluence)
    return jax.jvp(lambda e: replace(curve, jitter=e).expected(), (shape * curve.jitter,), (shape,))[1]


def _candidate(
    sweep: Sweep,
    joint: Estimate,
    score: float,
    exponent: float | None,
    names: list[str],
    options: Wishes,
    jitter: float,
) -> Candidate:
    weight = np.asarray(sweep.noise.weight(jnp.asarray(sweep.output), jnp.asarray(joint.expected)))
    chi2 = float(np.sum(weight * (sweep.output - joint.expected) ** 2))
    if jitter <= 0:
        return Candidate(joint, exponent, 0.0, score, chi2, joint)
    curve: Emission = joint.fitted()[0]
    chi2 += float(np.sum((np.asarray(curve.jitter) / jitter) ** 2))
    # The same minimum with the jitter held as found; errors and quality are those of the joint fit.
    known = replace(curve, jitter=jnp.zeros(0), moved=curve.jitter)
    held = invert(known, sweep.output, free=names, fix=options.fix, throw=False)
    rows = [joint.names.index(n) for n in held.names]
    free = held.n_points - held.n_free
    estimate = dataclasses.replace(
        held,
        values=joint.values[rows],
        std=joint.std[rows],
        covariance=joint.covariance[np.ix_(rows, rows)],
        result=joint.result,
        steps=joint.steps,
        chi2_reduced=np.asarray(chi2 / max(free, 1)),
        log_likelihood=np.asarray(score),
        starts=joint.starts,
    )
    return Candidate(estimate, exponent, jitter, score, chi2, joint)


def likeliest_jitter(sweep: Sweep, exponent: float, options: Wishes, freed: bool = False) -> Candidate:
    """Fit a sweep with the likeliest size of the jitter, by golden section in its logarithm.

    The parameters are integrated out as well (restricted maximum likelihood): otherwise the size would be found too
    small, as a variance is that forgets how many parameters were fitted.
    """
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    low, high = (math.log(v) for v in _JITTERS)
    known: dict[float, Candidate] = {}

    def at(u: float) -> Candidate:
        if u not in known:
            known[u] = fit_once(sweep, exponent, options, math.exp(u), freed)
        return known[u]

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    while high - low > 0.2:  # the evidence is flat within a tenth of the size
        if _restricted(at(left)) >= _restricted(at(right)):
            high, right = right, left
            left = high - ratio * (high - low)
        else:
            low, left = left, right
            right = low + ratio * (high - low)
    return _student(max(known.values(), key=_restricted))


def _student(fit: Candidate) -> Candidate:
    """Widen the errors by how little so many points know of the size of their own scatter (Student's distribution)."""
    more = fit.freedom / max(fit.freedom - 2.0, 1.0)
    e = fit.estimate
    wide = dataclasses.replace(e, std=e.std * math.sqrt(more), covariance=e.covariance * more)
    return dataclasses.replace(fit, estimate=wide)


def _restricted(fit: Candidate) -> float:
    """Return the log-evidence with the parameters integrated out too, up to a constant."""
    count = fit.estimate.n_free
    sign, size = np.linalg.slogdet(fit.estimate.covariance[:count, :count])
    return fit.evidence + 0.5 * float(size) if sign > 0 and math.isfinite(size) else -math.inf


def best_fit(sweep: Sweep, options: Wishes) -> tuple[Candidate, list[Candidate]]:
    """Fit a sweep with one and with two photons, or the number that was asked for, and with jitter where it is needed.

    Args:
        sweep: the data.
        options: of the fit.

    Returns:
        The likeliest fit, and all that were tried.
    """
    freed = "exponent" in options.free
    numbers = [1.0, 2.0] if options.photons == "auto" else [float(options.photons)]
    if "exponent" in options.guess:
        numbers = [float(options.guess["exponent"])]
    tried = [fit_once(sweep, m, options, options.jitter or 0.0, freed) for m in numbers]
    best = _likeliest(tried)
    worth = best.p_value
    if options.jitter is None and worth is not None and worth < POOR:
        tried = [likeliest_jitter(sweep, m, options, freed) for m in numbers]
        best = _likeliest(tried)
    return best, tried


def _likeliest(tried: list[Candidate]) -> Candidate:
    good = [c for c in tried if c.estimate.result == "converged"] or tried
    return max(good, key=lambda c: c.evidence if math.isfinite(c.evidence) else -math.inf)


def check_jitter(sweep: Sweep, options: Wishes) -> None:
    """Refuse a jitter beside a noise that is taken from the residuals, which already holds it."""
    if options.jitter and sweep.noise.scale_is_estimated:
        raise InputError(
            "A pump jitter needs an output of known errors (counts, or a column of errors): without them the scatter "
            "of the points already holds it."
        )
    check.positive(options.starts, "starts")
