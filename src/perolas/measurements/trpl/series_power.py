"""Two lifetimes apart: what each definition of the mean gives, and how many counts would tell two samples apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.parameter import replace
from perolas.measurements.trpl.model import Trpl
from perolas.measurements.trpl.series import GlobalFit, exponentials, fit_together, library_rates

DEFINITIONS = {
    "amplitude": "amplitude-weighted mean, sum(a tau) / sum(a): proportional to the quantum yield",
    "intensity": "intensity-weighted mean, sum(a tau^2) / sum(a tau): the mean arrival time",
    "longest": "the longest of the exponentials",
    "one_over_e": "time until the emission has fallen to 1/e of its start",
    "half_light": "time until half of all photons have come, over ln 2",
    "tail": "single exponential through the decay between 10 and 1 % of its start",
}


def mean_lifetimes(trap_ratio: float, loss_ratio: float = 0.0) -> dict[str, float]:
    """Return the lifetime of a sample by every definition in use.

    Args:
        trap_ratio: trapping over radiative rate.
        loss_ratio: loss over radiative rate.

    Returns:
        Name of `DEFINITIONS` -> ns, and ``quantum_yield``.
    """
    rates = library_rates(trap_ratio, loss_ratio)
    tau, share = (np.asarray(x) for x in exponentials(rates))
    back = float(rates["k_detrapping"] / rates["k_radiative"])

    def light(t: float) -> float:
        return float(share @ np.exp(-t / tau))

    def photons_left(t: float) -> float:
        return float((share * tau) @ np.exp(-t / tau) / (share @ tau))

    ten, one = _when(light, 0.1, tau), _when(light, 0.01, tau)
    return {
        "amplitude": float(share @ tau),
        "intensity": float(share @ tau**2 / (share @ tau)),
        "longest": float(tau.max()),
        "one_over_e": _when(light, math.exp(-1.0), tau),
        "half_light": _when(photons_left, 0.5, tau) / math.log(2.0),
        "tail": (one - ten) / math.log(10.0),
        "quantum_yield": 1.0 / (1.0 + trap_ratio * loss_ratio / (back + loss_ratio)),
    }


def _when(falling: Callable[[float], float], level: float, tau: np.ndarray) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda t: falling(t) - level, 0.0, 60.0 * float(tau.max())))


def mechanisms_for(longer_ns: float, shorter_ns: float, definition: str = "intensity") -> dict[str, dict[str, float]]:
    """Return in which ways one sample may have a shorter lifetime than another one without loss.

    Args:
        longer_ns: lifetime of the better sample, ns; it is taken to lose nothing.
        shorter_ns: lifetime of the other, ns.
        definition: of both, ``"intensity"`` or ``"longest"`` (by amplitude a sample without loss has always 1/k_r).

    Returns:
        ``"reference"``, ``"loss"`` (same traps, which lose) and ``"traps"`` (fewer traps, no loss), each with its
        trap_ratio, loss_ratio and every mean lifetime.

    Raises:
        InputError: lifetimes that no ratio gives.
    """
    from scipy.optimize import brentq

    check.one_of(definition, ("intensity", "longest"), "The definition")
    if not shorter_ns < longer_ns:
        raise InputError(f"The shorter lifetime ({shorter_ns:g} ns) must be below the longer one ({longer_ns:g} ns).")

    def solve(wanted: float, of: Callable[[float], float], low: float, high: float) -> float:
        if not (of(low) - wanted) * (of(high) - wanted) < 0:
            raise InputError(f"No ratio gives a lifetime of {wanted:g} ns by this definition.")
        return float(brentq(lambda x: of(x) - wanted, low, high))

    traps = solve(longer_ns, lambda x: mean_lifetimes(x)[definition], 1e-6, 1e3)
    fewer = solve(shorter_ns, lambda x: mean_lifetimes(x)[definition], 1e-6, 1e3)
    loss = solve(shorter_ns, lambda x: mean_lifetimes(traps, x)[definition], 0.0, 1e3)
    rows = {"reference": (traps, 0.0), "loss": (traps, loss), "traps": (fewer, 0.0)}
    return {k: {"trap_ratio": t, "loss_ratio": x, **mean_lifetimes(t, x)} for k, (t, x) in rows.items()}


def decay_of(trap_ratio: float, loss_ratio: float = 0.0, *, setup: Trpl | None = None, counts: float = 1e4) -> Trpl:
    """Return the decay of a sample with so many counts in all its bins.

    Args:
        trap_ratio: trapping over radiative rate.
        loss_ratio: loss over radiative rate.
        setup: bins and response; None: 4096 bins of 0.5 ns, a response of 1 ns, a background of a thousandth.
        counts: all photons of the decay together, without the background.

    Returns:
        The measurement.
    """
    tau, share = exponentials(library_rates(trap_ratio, loss_ratio))
    base = setup or Trpl(
        tau_ns=[1.0, 2.0], amplitude=[1.0, 1.0], shift_ns=50.0, background=1e-3, irf_fwhm_ns=1.0, bin_ns=0.5, bins=4096
    )
    bare = replace(base, tau_ns=tau, amplitude=share, background=jnp.asarray(0.0))
    factor = counts / float(jnp.sum(bare.expected()))
    background = base.background * factor * float(jnp.max(bare.expected()))
    return replace(bare, amplitude=share * factor, background=background)


def counts_to_tell_apart(first: Trpl, second: Trpl, *, sigma: float = 3.0, power: float = 0.95) -> float:
    """Return how many photons each of two decays needs for them to differ in shape by so many sigma.

    The sharpest test there is, the likelihood ratio of the two shapes, needs the fewest; its statistic is normal with a
    shift of sqrt(N D), D the squared distance of the shapes, so N = (sigma + z_power)^2 / D.

    Args:
        first: a decay; only its shape counts.
        second: another, on the same bins.
        sigma: two-sided significance, in standard deviations.
        power: chance that a real difference is found.

    Returns:
        Counts in each decay, background included.

    Raises:
        InputError: different bins, or a power that is not between 0.5 and 1.
    """
    from scipy.stats import norm

    p, q = (np.asarray(d.expected()) for d in (first, second))
    if p.size != q.size:
        raise InputError(f"The two decays have {p.size} and {q.size} bins; they must be recorded alike.")
    if not 0.5 <= power < 1:
        raise InputError(f"The power must lie between 0.5 and 1, but is {power:g}.")
    p, q = p / p.sum(), q / q.sum()
    # N counts each: sum (N p - N q)^2 / (N p + N q) is the noncentrality of the two-sample test.
    distance = float(np.sum((p - q) ** 2 / (p + q)))
    return float((sigma + norm.ppf(power)) ** 2 / distance) if distance > 0 else math.inf


def counts_for_mechanism(
    longer_ns: float = 272.0, shorter_ns: float = 135.0, *, truth: str = "loss", sigma: float = 3.0
) -> dict[str, Any]:
    """Return how many photons in each of two decays tell loss from fewer traps, if both samples share k_r and k_d.

    Decays without noise are made by one mechanism and fitted by the other; the deviance grows with the counts.

    Args:
        longer_ns: intensity-weighted lifetime of the better sample, ns.
        shorter_ns: that of the other, ns.
        truth: ``"loss"`` or ``"traps"``, what made them.
        sigma: standard deviations wanted.

    Returns:
        ``counts`` of each decay, ``deviance_per_count``, and the fit of the other mechanism as ``rival``.

    Raises:
        InputError: an unknown mechanism, or lifetimes that no ratio gives.
    """
    from perolas.core.observation import make_observation

    check.one_of(truth, ("loss", "traps"), "The mechanism")
    rows = mechanisms_for(longer_ns, shorter_ns)
    tried = 1e7
    decays = [decay_of(rows[n]["trap_ratio"], rows[n]["loss_ratio"], counts=tried) for n in ("reference", truth)]
    means = [np.asarray(d.expected()) for d in decays]
    # Rounded to whole counts: far less than their noise would be.
    seen = [make_observation(np.round(m), "time_ns", np.asarray(d.axis)) for m, d in zip(means, decays, strict=True)]
    rival: GlobalFit = fit_together(seen, kind="traps" if truth == "loss" else "loss", irf_fwhm=1.0)
    mean = jnp.asarray(rival.expected)
    deviance = 2.0 * float(jnp.sum(decays[0].noise.cost(jnp.asarray(rival.counts), mean)))
    per_count = deviance / (2.0 * tried)
    return {"counts": sigma**2 / max(2.0 * per_count, 1e-300), "deviance_per_count": per_count, "rival": rival}
