"""What observations say about a transformation: fits of times and of curves, rivals compared by their evidence.

Two kinds of observation, in any mixture. A `Sighting` is what powder diffraction gives: at one hour the new phase was
not there yet (or the old one not yet gone), at the next it was. It is interval-censored: its likelihood is the
probability that the fraction was below the limit of detection at the first time and above it at the second, the limit
itself being known only within a range. A `Point` is a measured fraction with its error.

The posterior and the evidence come from nested sampling (dynesty), which needs no good start and shows what stays
undetermined. The limits of detection are sampled along with the law's own parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.tables import with_error
from perolas.matter.transformation.conditions import Conditions
from perolas.matter.transformation.rivals import Law, law

EVENTS = ("onset", "completion")
# Prior ranges of the limits of detection, and how sharply a pattern tells one side from the other.
_LIMITS = {"onset_limit": (0.02, 0.10), "completion_limit": (0.95, 0.97)}
_SHARPNESS = {"onset": 0.01, "completion": 0.005}
# A posterior that is nearly as wide as its prior has learnt nothing.
_LEARNT = 0.7
_FLOOR = -1e10


@dataclass(frozen=True)
class Sighting:
    """An event seen between two samples.

    Attributes:
        event: ``"onset"`` (the new phase appears) or ``"completion"`` (the old one is gone).
        after_h: last sample without it.
        by_h: first sample with it; infinity where it was never seen.
        conditions: of the run.
    """

    event: str
    after_h: float
    by_h: float
    conditions: Conditions


@dataclass(frozen=True)
class Point:
    """A measured fraction.

    Attributes:
        time_h: when.
        fraction: converted fraction.
        std: its standard error.
        conditions: of the run.
    """

    time_h: float
    fraction: float
    std: float
    conditions: Conditions


Observed = Sequence[Sighting | Point]


@dataclass(frozen=True)
class Inferred:
    """What was learnt about one law.

    Attributes:
        law: its name.
        log_evidence, log_evidence_std: natural logarithm, and its numerical error.
        samples: name -> posterior draws of equal weight, shape (draws,).
        learnt: name -> width of the posterior over that of the prior (both standard deviations).
        best: values of the best draw.
        best_log_likelihood: there.
    """

    law: str
    log_evidence: float
    log_evidence_std: float
    samples: dict[str, Float[np.ndarray, " d"]]
    learnt: dict[str, float]
    best: dict[str, float]
    best_log_likelihood: float

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Names of what the observations leave as open as it was."""
        return tuple(n for n, share in self.learnt.items() if share > _LEARNT and not n.endswith("_limit"))

    def __str__(self) -> str:
        """Return mean and spread of each parameter, the evidence, and what is not determined."""
        rows = [f"{n:26s} {with_error(float(v.mean()), float(v.std()))}" for n, v in self.samples.items()]
        rows.append(f"{'ln evidence':26s} {with_error(self.log_evidence, self.log_evidence_std)}")
        if self.undetermined:
            rows.append(f"Not determined by these observations: {', '.join(self.undetermined)}.")
        return "\n".join([f"{self.law}:", *rows])


def infer(name: str, observed: Observed, *, live: int = 250, seed: int = 0) -> Inferred:
    """Infer the parameters of a rate law.

    Args:
        name: of the law, one of `rivals.LAWS`.
        observed: sightings and points, of any runs.
        live: live points; the evidence's error falls with their root.
        seed: of the sampler.

    Returns:
        Posterior and evidence.

    Raises:
        InputError: no observations, or one that cannot be.
    """
    import dynesty

    chosen = law(name)
    data = _arrays(observed)
    priors = {**chosen.priors, **{k: v for k, v in _LIMITS.items() if k.split("_")[0] in data.events}}
    names = list(priors)
    low, high = np.array(list(priors.values())).T
    likelihood = _likelihood(chosen, names, data)

    def log_likelihood(x: np.ndarray) -> float:
        found = float(likelihood(jnp.asarray(x)))
        return max(found, _FLOOR) if np.isfinite(found) else _FLOOR

    sampler = dynesty.NestedSampler(
        log_likelihood,
        lambda u: low + u * (high - low),
        len(names),
        nlive=live,
        rstate=np.random.default_rng(seed),
        sample="rwalk",
    )
    sampler.run_nested(print_progress=False, dlogz=0.1)
    results = sampler.results
    draws = results.samples_equal(rstate=np.random.default_rng(seed))
    best = int(np.argmax(results.logl))
    prior_std = (high - low) / np.sqrt(12.0)
    return Inferred(
        name,
        float(results.logz[-1]),
        float(results.logzerr[-1]),
        {n: draws[:, i] for i, n in enumerate(names)},
        {n: float(draws[:, i].std() / prior_std[i]) for i, n in enumerate(names)},
        {n: float(results.samples[best, i]) for i, n in enumerate(names)},
        float(results.logl[best]),
    )


def compare(names: Sequence[str], observed: Observed, *, live: int = 250, seed: int = 0) -> list[Inferred]:
    """Infer several laws and return them by falling evidence; arguments as for `infer`."""
    return sorted((infer(n, observed, live=live, seed=seed) for n in names), key=lambda found: -found.log_evidence)


def table(found: Sequence[Inferred]) -> str:
    """Return a comparison as text: the evidence of each law relative to the best, and how often it is outbid."""
    best = found[0].log_evidence
    rows = ["rate law          ln evidence   against the best   best ln likelihood"]
    for one in found:
        odds = np.exp(min(best - one.log_evidence, 700.0))
        against = "" if one is found[0] else f"1 : {odds:.3g}"
        rows.append(
            f"{one.law:17s} {one.log_evidence:8.2f} ± {one.log_evidence_std:.2f}   {against:15s}   "
            f"{one.best_log_likelihood:8.2f}"
        )
    return "\n".join(rows)


@dataclass(frozen=True)
class _Data:
    runs: Conditions  # batched over runs
    times: Float[np.ndarray, "r n"]  # what each run is asked for, rising
    sightings: tuple[tuple[int, str, int, int], ...]  # run, event, index of the first and second time (-1: never)
    points: tuple[tuple[int, int, float, float], ...]  # run, index, fraction, std

    @property
    def events(self) -> set[str]:
        return {event for _, event, _, _ in self.sightings}


def _arrays(observed: Observed) -> _Data:
    if not observed:
        raise InputError("There is nothing to infer from: give at least one sighting or one point.")
    for one in observed:
        if isinstance(one, Sighting):
            check.one_of(one.event, EVENTS, "The event")
            check.positive(one.after_h, "after_h", "h", zero=True)
            if not one.by_h > one.after_h:
                raise InputError(f"A sighting must lie after {one.after_h:g} h, but is said to be by {one.by_h:g} h.")
        else:
            check.positive(one.time_h, "time_h", "h", zero=True)
            check.positive(one.std, "std of the fraction")
            if not np.isfinite(one.fraction):
                raise InputError("A measured fraction is not a number.")
    runs: list[Conditions] = []
    index = []
    for one in observed:
        for i, run in enumerate(runs):
            if eqx.tree_equal(run, one.conditions):
                index.append(i)
                break
        else:
            runs.append(one.conditions)
            index.append(len(runs) - 1)
    asked: list[set[float]] = [{0.0} for _ in runs]
    for i, one in zip(index, observed, strict=True):
        wanted = [one.after_h, one.by_h] if isinstance(one, Sighting) else [one.time_h]
        asked[i].update(float(t) for t in wanted if np.isfinite(t))
    longest = max(len(times) for times in asked)
    rows = [sorted(times) for times in asked]
    # Shorter runs are filled up behind their end; a run that is asked for nothing but the beginning lasts an hour.
    filled = [row + [max(row[-1], 1.0) * (1 + 1e-3 * (j + 1)) for j in range(longest - len(row))] for row in rows]
    sightings, points = [], []
    for i, one in zip(index, observed, strict=True):
        if isinstance(one, Sighting):
            last = rows[i].index(one.by_h) if np.isfinite(one.by_h) else -1
            sightings.append((i, one.event, rows[i].index(one.after_h), last))
        else:
            points.append((i, rows[i].index(one.time_h), one.fraction, one.std))
    batch = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf, dtype=float) for leaf in leaves]), *runs)
    return _Data(batch, np.array(filled), tuple(sightings), tuple(points))


def _likelihood(chosen: Law, names: list[str], data: _Data) -> Any:
    times = jnp.asarray(data.times)

    @jax.jit
    def log_likelihood(x: Float[Array, " p"]) -> Float[Array, ""]:
        values = dict(zip(names, x, strict=True))
        fractions = jax.vmap(lambda c, t: chosen.fraction(values, c, t))(data.runs, times)
        total = jnp.zeros(())
        for run, event, before, after in data.sightings:
            limit, sharp = values[f"{event}_limit"], _SHARPNESS[event]
            seen = norm.cdf((fractions[run, after] - limit) / sharp) if after >= 0 else jnp.ones(())
            already = norm.cdf((fractions[run, before] - limit) / sharp)
            total += jnp.log(jnp.maximum(seen - already, 1e-300))
        for run, at, fraction, std in data.points:
            total += norm.logpdf(fraction, fractions[run, at], std)
        return total

    return log_likelihood
