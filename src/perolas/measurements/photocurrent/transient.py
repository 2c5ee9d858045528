"""A trace inverted: start values, one or two exponentials or traps by evidence, and switch times that were found."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.parameter import replace, slots, write_slots
from perolas.measurements.photocurrent.model import Photocurrent
from perolas.measurements.photocurrent.steady import Cell
from perolas.measurements.photocurrent.trace import Trace, noise_of
from perolas.measurements.photocurrent.traps import TrapFilling

LEVELS = ("amplitude", "dark", "drift")
TWO = ("rise_fast", "rise_slow", "rise_share", "decay_fast", "decay_slow", "decay_share")
ONE = ("rise_fast", "decay_fast")
TRAPS = ("carriers", "lifetime", "trapping", "release")
_SEEN = 4.0  # an amplitude of fewer standard errors is no photocurrent


@dataclasses.dataclass(frozen=True)
class Wishes:
    """The caller's wishes for the fit."""

    cell: Cell | None
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: Mapping[str, float]
    starts: int
    seed: int


def levels(trace: Trace) -> tuple[float, float, float]:
    """Return dark current, steady photocurrent (nA) and the shorter of the lit and dark times (s), roughly."""
    time, current, switches = trace.time, trace.current, trace.switches
    ends = np.append(switches, time[-1])
    lit: list[float] = []
    dark: list[float] = []
    if np.any(time < switches[0]):
        dark.append(float(np.median(current[time < switches[0]])))
    for i in range(switches.size):
        late = (time > ends[i] + 0.7 * (ends[i + 1] - ends[i])) & (time < ends[i + 1])
        if np.any(late):
            (dark if i % 2 else lit).append(float(np.median(current[late])))
    floor = float(np.median(dark)) if dark else float(np.median(current))
    return floor, (float(np.median(lit)) if lit else floor) - floor, float(np.min(np.diff(switches)))


def _base(trace: Trace, wishes: Wishes) -> dict[str, Any]:
    dark, photo, _ = levels(trace)
    return {
        "amplitude": photo,
        "dark": dark,
        "switches": trace.switches,
        "time": trace.time,
        "noise": trace.noise,
        "cell": wishes.cell,
    }


def _with_guess(model: Any, guess: Mapping[str, float]) -> Any:
    known = {s.name: s for s in slots(model, "measurement")}
    chosen = {known[check.one_of(n, known, "The parameter")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(model, chosen) if chosen else model


def _best(starts: list[Any], trace: Trace, names: tuple[str, ...], wishes: Wishes) -> Estimate:
    """Return the likeliest end of several starts."""
    own = {s.name for s in slots(starts[0], "measurement")} | {s.group for s in slots(starts[0], "measurement")}
    fix = [n for n in wishes.fix if n in own]
    # Where the noise is taken from the residuals the cost is in nA^2, and a prior must be weighed in the same.
    reach = trace.step / (max(noise_of(trace.current), 1e-300) if trace.noise.scale_is_estimated else 1.0)
    ends = [
        invert(
            _with_guess(model, {k: v for k, v in wishes.guess.items() if k in own}),
            trace.current,
            free=(*names, *wishes.free),
            fix=fix,
            # A found switch time is good to a reading; that all are late alike is the worst case, so it stands for all.
            prior={"delay": (0.0, reach)} if "delay" in names else None,
            starts=wishes.starts,
            seed=wishes.seed,
            throw=False,
        )
        for model in starts
    ]
    good = [e for e in ends if e.result == "converged"] or ends
    return max(good, key=lambda e: float(e.log_likelihood) if math.isfinite(float(e.log_likelihood)) else -math.inf)


def fit_levels(trace: Trace, wishes: Wishes) -> Estimate:
    """Fit dark current, drift and photocurrent alone, with the times held at a twentieth of a cycle."""
    return _best([_held(trace, wishes)], trace, LEVELS, wishes)


def _held(trace: Trace, wishes: Wishes) -> Photocurrent:
    short = levels(trace)[2]
    held = dict.fromkeys(("rise_fast_s", "rise_slow_s", "decay_fast_s", "decay_slow_s"), short / 20)
    return Photocurrent(**_base(trace, wishes), **held)


def is_seen(trace: Trace, wishes: Wishes) -> bool:
    """Whether a photocurrent stands clear of its error, by linear least squares with the times held."""
    photo = np.asarray(_held(trace, wishes).level())
    rows = np.stack([np.ones_like(trace.time), trace.time - trace.time.mean(), photo], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(rows, trace.current, rcond=None)
    if rank < 3:
        return False
    spread = float(np.sum((trace.current - rows @ solution) ** 2)) / (trace.time.size - 3)
    error = math.sqrt(spread * float(np.linalg.inv(rows.T @ rows)[2, 2]))
    return bool(abs(float(solution[2])) > _SEEN * error)


def fit_exponentials(trace: Trace, count: int, wishes: Wishes) -> Estimate:
    """Fit one or two exponentials to rise and decay each.

    Args:
        trace: the data.
        count: 1 or 2.
        wishes: of the caller.

    Returns:
        The likeliest of several starts, the faster exponential first.
    """
    short, step = levels(trace)[2], trace.step
    starts = []
    for rise, decay in itertools.product((0.02, 0.15), repeat=2):
        fast_r, fast_d = max(rise * short, step), max(decay * short, step)
        starts.append(
            Photocurrent(
                **_base(trace, wishes),
                rise_fast_s=fast_r, rise_slow_s=max(6.0 * fast_r, 0.3 * short),
                decay_fast_s=fast_d, decay_slow_s=max(6.0 * fast_d, 0.3 * short),
                rise_share=1.0 if count == 1 else 0.6, decay_share=1.0 if count == 1 else 0.6,
            )
        )  # fmt: skip
    names = (*LEVELS, *(TWO if count == 2 else ONE), *(("delay",) if trace.found else ()))
    best = _best(starts, trace, names, wishes)
    ordered = _ordered(best.fitted()[0]) if count == 2 else None
    if ordered is not None and best.result == "converged":
        best = _best([ordered], trace, names, dataclasses.replace(wishes, guess={}, starts=1))
    return best


def _ordered(model: Photocurrent) -> Photocurrent | None:
    """Return the model with the faster exponential first, or None where it is so."""
    changed: dict[str, Any] = {}
    for edge in ("rise", "decay"):
        fast, slow = getattr(model, f"{edge}_fast_s"), getattr(model, f"{edge}_slow_s")
        if float(fast) > float(slow):
            changed |= {
                f"{edge}_fast_s": slow,
                f"{edge}_slow_s": fast,
                f"{edge}_share": 1.0 - getattr(model, f"{edge}_share"),
            }
    return replace(model, **changed) if changed else None


def fit_traps(trace: Trace, wishes: Wishes) -> Estimate:
    """Fit the model of traps that fill and empty; the likeliest of several starts."""
    short = levels(trace)[2]
    starts = [
        TrapFilling(
            **_base(trace, wishes),
            carriers=carriers,
            lifetime_s=short / 20,
            trapping=10.0 / short,
            release=release / short,
        )
        for carriers, release in ((0.3, 0.5), (3.0, 2.0))
    ]
    plain = dataclasses.replace(wishes, free=(), starts=1)
    return _best(starts, trace, (*LEVELS, *TRAPS), plain)


_cost = eqx.filter_jit(lambda model, current: jnp.sum((model.expected() - current) ** 2))


def refined(trace: Trace, estimate: Estimate) -> Trace:
    """Move each switch time that was found to where the fitted course agrees best.

    Args:
        trace: the data.
        estimate: a fit with the times as they were found.

    Returns:
        The trace with better switch times.
    """
    model = estimate.fitted()[0]
    switches = np.array(trace.switches) + float(model.delay_s)
    model = replace(model, delay_s=jnp.asarray(0.0))
    current = jnp.asarray(trace.current)
    for k in range(min(switches.size, 60)):
        for reach in (1.2, 0.15):
            moves = np.linspace(-reach, reach, 11) * trace.step
            costs = []
            for move in moves:
                tried = switches.copy()
                tried[k] += move
                costs.append(float(_cost(replace(model, switches=jnp.asarray(tried)), current)))
            switches[k] += moves[int(np.argmin(costs))]
    return dataclasses.replace(trace, switches=switches)


def with_memory(estimate: Estimate) -> tuple[Estimate, float]:
    """Widen the errors where neighbouring readings scatter alike, as a process of first order does.

    Args:
        estimate: the fit.

    Returns:
        The estimate and the correlation of neighbouring residuals.
    """
    rest = estimate.signal - estimate.expected
    n = rest.size
    correlation = float(np.sum(rest[1:] * rest[:-1]) / max(float(np.sum(rest**2)), 1e-300)) if n > 2 else 0.0
    if not correlation > 3.0 / math.sqrt(n):
        return estimate, correlation
    wider = (1.0 + correlation) / max(1.0 - correlation, 0.02)
    return dataclasses.replace(
        estimate, covariance=estimate.covariance * wider, std=estimate.std * math.sqrt(wider)
    ), correlation
