"""Stability: emission against time in water, in light or both, as readings of the law of ageing.

`model` has the law as a measurement, `series` the door, the fit and the band of what is carried on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.core.noise import Poisson
from perolas.core.observation import make_observation
from perolas.core.parameter import table
from perolas.measurements.stability.model import PARAMETERS_USED, SHAPED_BY, Stability, in_turns
from perolas.measurements.stability.series import (
    SURROUNDINGS,
    Series,
    Wishes,
    band_quantity,
    carried_on,
    fit_once,
    known_rate,
    plan_of,
    series_of,
    with_known_noise,
    with_scatter,
)

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "SHAPED_BY", "Stability", "example", "fit", "simulate"]

PARAMETERS = table(Stability)
REFERENCES: tuple[str, ...] = ("yang2020",)


def fit(
    observation: xr.Dataset,
    *,
    surroundings: str = "water",
    until: float | None = None,
    drift: float = 0.0,
    lamp: float = 0.0,
    dark_rate: str | float | None = None,
    excitations: float | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate how fast a sample ages, from its emission against time.

    Args:
        observation: emission of shape (n,), or (replicates, n), on ``time_d``; with ``variance`` where it is known.
        surroundings: ``"water"`` (dark), ``"light"`` (dry), ``"both"``.
        until: time to which the course is carried on, d.
        drift: relative standard deviation of the lamp's drift over the series, as a prior; 0: the lamp is steady.
        lamp: relative standard deviation of the lamp from time to time, shared by replicates; 0: none.
        dark_rate: k_w known from elsewhere, such as ``"0.0207 +- 0.004 1/d"``; in ``"both"`` it parts light from water.
        excitations: excitations of one nanocrystal in a second; the light's efficiency follows.
        free: names added to what is fitted (`stretch`, `background`).
        fix: names taken out of it.
        guess: start values by name.
        starts: random starts beside the systematic ones.
        seed: seed of those.

    Returns:
        The estimate, with `kept_until` and its band where a time was given.

    Raises:
        InputError: data or options that cannot be used.
    """
    check.one_of(surroundings, SURROUNDINGS, "The surroundings")
    series = series_of(observation)
    for name, value in (("drift", drift), ("lamp", lamp)):
        if not 0 <= check.positive(value, name, zero=True) < 1:
            raise InputError(f'Option "{name}" is a relative standard deviation below 1, but is {value:g}.')
    rate = known_rate(dark_rate)
    wishes = Wishes(
        surroundings, rate, drift, lamp, tuple(free), tuple(fix), dict(guess or {}),
        int(check.positive(starts, "starts")), seed,
    )  # fmt: skip
    if lamp > 0 and series.emission.shape[0] < 2 and series.noise.scale_is_estimated:
        raise InputError("The lamp's scatter cannot be told from that of the readings in one replicate without errors.")
    plan = plan_of(series, wishes)
    series = with_known_noise(series, plan, wishes)
    estimate = fit_once(series, plan, wishes)
    estimate, series, scatter = with_scatter(series, plan, wishes, estimate)
    estimate = _with_story(estimate, series, wishes, scatter)
    if excitations is not None:
        estimate = _with_efficiency(estimate, check.positive(excitations, "excitations", "1/s"))
    if until is None:
        return estimate
    last = float(series.time[-1])
    names = tuple(n for n in plan.names if n not in wishes.fix)
    bands = carried_on(series, estimate, names, plan.prior, np.array([check.positive(until, "until", "d")]))
    if not bands:
        return estimate
    added, warnings = {**estimate.added, **band_quantity(bands[0])}, list(estimate.warnings)
    if until > last:
        warnings.append(
            f"{until:.4g} d is {until / max(last, 1e-12):.2g} times the length of the series: what is kept then rests "
            "on the law going on as it was, and the band holds only what the series leaves open within that law, not "
            "another law (loss of whole nanocrystals, recovery, a limit)."
        )
    return dataclasses.replace(estimate, added=added, warnings=tuple(warnings))


def _with_story(estimate: Estimate, series: Series, wishes: Wishes, scatter: float) -> Estimate:
    notes, warnings, added = list(estimate.notes), list(estimate.warnings), dict(estimate.added)
    count = series.emission.shape[0]
    if scatter > 0:
        error = scatter / math.sqrt(2.0 * max(series.readings.size - estimate.n_free, 1))
        meaning = "relative scatter of the readings beside counting or stated errors"
        added["scatter"] = Quantity(scatter, error, "1", meaning)
        notes.append(
            f"Counting or the stated errors alone do not explain the scatter; {scatter:.2%} of each reading is added, "
            f"found from the residuals."
        )
    if count > 1:
        notes.append(f"{count} replicates, each with its own scale, share one course.")
    if wishes.drift == 0:
        notes.append("The lamp is taken as steady; a drift would be taken for ageing (give its size: drift).")
    if wishes.surroundings == "both" and wishes.dark_rate is None:
        notes.append("light_rate holds what water and light do together; give dark_rate to part them.")
    ratio, rate = estimate["ratio"], estimate["rate"]
    if estimate.result == "converged" and (not math.isfinite(ratio.std) or ratio.std > 0.5 * ratio.value):
        loss = estimate["loss_rate"]
        notes.append(
            f"This course does not determine r and k each ({ratio.value:.3g} ± {ratio.std:.2g} and {rate.value:.3g} ± "
            f"{rate.std:.2g} 1/d): what it determines is the rate of loss at the start, {loss.value:.3g} ± "
            f"{loss.std:.2g} 1/d; the quantum yield of the fresh sample would settle it."
        )
    falling = float(estimate["kept_last"].value)
    if estimate.result == "converged" and 1.0 - falling < 3.0 * estimate["kept_last"].std:
        warnings.append("No loss stands clear of the scatter of this series.")
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings), added=added)


def _with_efficiency(estimate: Estimate, excitations: float) -> Estimate:
    from perolas.matter.ageing import SECONDS_PER_DAY

    if "light_rate" not in estimate.names:
        raise InputError('The efficiency of light needs a series in light (surroundings "light" or "both").')
    rate = estimate["light_rate"]
    per = 1.0 / (excitations * SECONDS_PER_DAY)
    found = Quantity(rate.value * per, rate.std * per, "1", "relative growth of r that one excitation brings, phi")
    return dataclasses.replace(estimate, added={**estimate.added, "efficiency": found})


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    surroundings: str = "water",
    span: float = 45.0,
    times: int = 16,
    replicates: int = 1,
    counts: float = 1e4,
    scatter: float = 0.0,
    ratio: float = 0.3,
    true_dark_rate: float = 0.02,
    true_light_rate: float = 2.0,
    true_drift: float = 0.0,
) -> xr.Dataset:
    """Simulate a series of a specimen, or of a given ratio r.

    Args:
        specimen: a `Specimen`, whose traps decide r; None: `ratio`.
        seed: seed of counts and scatter.
        surroundings: ``"water"``, ``"light"`` or ``"both"``.
        span: length of the series, d.
        times: number of readings, from 0 to `span`.
        replicates: number of replicates.
        counts: counts at the start.
        scatter: relative standard deviation of each reading beside counting.
        ratio: r at the start without a specimen.
        true_dark_rate: k_w, 1/d.
        true_light_rate: k_l, 1/d.
        true_drift: relative drift of the lamp in a day, 1/d.

    Returns:
        An observation in counts.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.one_of(surroundings, SURROUNDINGS, "The surroundings")
    check.positive(span, "span", "d")
    check.positive(counts, "counts")
    for name, value in (("scatter", scatter), ("dark rate", true_dark_rate), ("light rate", true_light_rate)):
        check.positive(value, name, zero=True)
    if not (_MOST_TIMES >= times >= 2 and 1 <= replicates <= 64):
        raise InputError(f"{times} times and {replicates} replicates cannot be simulated (2 to 100,000; 1 to 64).")
    dark, light = SURROUNDINGS[surroundings]
    model = Stability(
        ratio=ratio, dark_rate=true_dark_rate, light_rate=true_light_rate, drift=true_drift, unit="counts",
        scale=np.full(replicates, counts), time=np.linspace(0.0, span, times), dark=dark, light=light, noise=Poisson(),
    )  # fmt: skip
    if specimen is not None:
        model = model.respond(specimen)
    rng = np.random.default_rng(seed)
    away = np.exp(scatter * rng.standard_normal((replicates, times)))
    mean = np.asarray(in_turns(model.expected().reshape(replicates, times))) * away
    signal = rng.poisson(mean).astype(float)
    return make_observation(
        signal[0] if replicates == 1 else signal, "time_d", np.asarray(model.time), units="counts",
        technique="stability", instrument="simulated by perolas", seed=seed, conditions={"surroundings": surroundings},
    )  # fmt: skip


_MOST_TIMES = 100_000


def example() -> Stability:
    """Return a series whose answer is known, for the inversion tests: emission that falls to a twentieth."""
    return Stability(
        ratio=0.3, dark_rate=0.1, scale=[1000.0], time=np.linspace(0.0, 42.0, 120), noise=Poisson(), unit="counts"
    )
