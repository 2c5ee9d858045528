"""A series of emissions inverted: the door, the scatter of its readings, and how far it may be carried on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.noise import AbstractNoise, Gaussian, Poisson, UnknownGaussian
from perolas.core.observation import axis_of
from perolas.core.parameter import replace, slots, write_slots
from perolas.measurements.stability.model import Stability, in_turns

SURROUNDINGS = {"water": (1.0, 0.0), "light": (0.0, 1.0), "both": (1.0, 1.0)}  # e_w, e_l
_LEAST = 4
_POOR = 1e-3
_REACH = (1e-3, 300.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """A series ready to be fitted.

    Attributes:
        time: shape (n,), d.
        emission: shape (m, n), one row for each replicate.
        noise: of all readings in one row, shape (m n,).
        unit: of the emission.
        counted: whether the noise is that of counting.
    """

    time: np.ndarray
    emission: np.ndarray
    noise: AbstractNoise
    unit: str
    counted: bool

    @property
    def readings(self) -> np.ndarray:
        """All readings in the order of the measurement's axis, shape (m n,)."""
        return np.asarray(in_turns(jnp.asarray(self.emission))).ravel()


def series_of(observation: xr.Dataset) -> Series:
    """Check a series and make it ready.

    Args:
        observation: emission of shape (n,), or (replicates, n), against time in days.

    Returns:
        The series, from its earliest time on.

    Raises:
        InputError: anything that cannot be fitted, in one sentence.
    """
    axis = axis_of(observation)
    if axis != "time_d":
        raise InputError(f'A stability series needs a time axis in days (time_d), but this file has "{axis}".')
    emission = np.atleast_2d(np.asarray(observation["signal"].values, dtype=float))
    time = np.asarray(observation["time_d"].values, dtype=float)
    if time[0] > time[-1]:
        raise InputError("The time must rise; sort the readings.")
    if time[0] < 0:
        raise InputError(f"The first time is {time[0]:g} d, before the start; count from the start of the ageing.")
    if time.size < _LEAST:
        raise InputError(f"The series has {time.size} times, too few for a course ({_LEAST} at the least).")
    if np.any(emission < 0):
        raise InputError(
            f"{int(np.sum(emission < 0))} emissions are negative; give them without a background taken off."
        )
    if np.any(emission.max(axis=1) <= 0):
        raise InputError("A replicate shows no emission at all.")
    unit = str(observation["signal"].attrs["units"])
    counted = unit == "counts" and "variance" not in observation
    noise: AbstractNoise = UnknownGaussian()
    if "variance" in observation:
        variance = np.atleast_2d(np.asarray(observation["variance"].values, dtype=float))
        noise = Gaussian(in_turns(jnp.asarray(variance)).ravel())
    elif counted:
        noise = Poisson()
    return Series(time, emission, noise, unit, counted)


@dataclasses.dataclass(frozen=True)
class Wishes:
    """The caller's wishes for the fit.

    Attributes:
        surroundings: ``"water"``, ``"light"`` or ``"both"``.
        dark_rate: k_w and its standard error, 1/d, where it is known from elsewhere.
        drift: relative standard deviation of the lamp's drift over the whole series.
        lamp: relative standard deviation of the lamp from time to time.
        free, fix, guess, starts, seed: as for every technique.
    """

    surroundings: str
    dark_rate: tuple[float, float] | None
    drift: float
    lamp: float
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: Mapping[str, float]
    starts: int
    seed: int


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What a fit varies, from where, and what is known of it beforehand."""

    start: Stability
    names: tuple[str, ...]
    prior: dict[str, tuple[float, float]]


def plan_of(series: Series, wishes: Wishes) -> Plan:
    """Return the fit that the wishes ask for.

    Args:
        series: the data.
        wishes: of the caller.

    Returns:
        Start, names and priors.

    Raises:
        InputError: a name in `guess` that is not a parameter.
    """
    dark, light = SURROUNDINGS[wishes.surroundings]
    span = float(series.time[-1])
    early = np.median(series.emission[:, : max(series.time.size // 5, 1)], axis=1)
    late = np.median(series.emission[:, -max(series.time.size // 5, 1) :], axis=1)
    share = float(np.clip(np.mean(late / np.maximum(early, 1e-300)), 0.02, 0.98))
    ratio = 0.5
    rate = max(math.log(max(((1.0 + ratio) / share - 1.0) / ratio, 1.01)) / span, 1e-9)
    names, prior = ["ratio", "scale"], {}
    rates = {"dark_rate": rate if dark else 0.0, "light_rate": 0.0}
    if wishes.surroundings == "water":
        names.append("dark_rate")
    else:
        names.append("light_rate")
        known = (wishes.dark_rate or (0.0, 0.0)) if dark else (0.0, 0.0)
        rates = {"dark_rate": known[0], "light_rate": max(rate - known[0], 0.1 * rate)}
    if wishes.dark_rate is not None and dark and wishes.dark_rate[1] > 0:
        prior["dark_rate"] = wishes.dark_rate
        names.append("dark_rate")
        if wishes.surroundings == "water":
            rates["dark_rate"] = max(wishes.dark_rate[0], 1e-9)
    if wishes.drift > 0:
        names.append("drift")
        prior["drift"] = (0.0, wishes.drift / span)
    if wishes.lamp > 0:
        names.append("lamp")
        prior["lamp"] = (0.0, wishes.lamp)
    start = Stability(
        ratio=ratio, scale=early, time=series.time, dark=dark, light=light, noise=series.noise, unit=series.unit,
        lamp=np.zeros(series.time.size if wishes.lamp > 0 else 0), **rates,
    )  # fmt: skip
    known_slots = {s.name: s for s in slots(start, "measurement")}
    chosen = {
        known_slots[check.one_of(n, known_slots, "The parameter")]: jnp.asarray(v) for n, v in wishes.guess.items()
    }
    start = write_slots(start, chosen) if chosen else start
    return Plan(start, (*dict.fromkeys([*names, *wishes.free]),), prior)


def fit_once(series: Series, plan: Plan, wishes: Wishes) -> Estimate:
    """Fit from several ratios, which is what the likelihood may have several ends in; the likeliest one."""
    ends = []
    for ratio in (0.05, 0.5, 5.0) if "ratio" not in wishes.guess else (float(plan.start.ratio),):
        start = replace(plan.start, ratio=jnp.asarray(ratio), noise=series.noise)
        ends.append(
            invert(
                start, series.readings, free=plan.names, fix=wishes.fix, prior=plan.prior, starts=wishes.starts,
                seed=wishes.seed, throw=False,
            )
        )  # fmt: skip
    good = [e for e in ends if e.result == "converged"] or ends
    return max(good, key=lambda e: float(e.log_likelihood) if math.isfinite(float(e.log_likelihood)) else -math.inf)


def with_known_noise(series: Series, plan: Plan, wishes: Wishes) -> Series:
    """Return the series with the size of its noise, where that is unknown and something is known beforehand.

    A prior can only be weighed against readings whose errors are known. They are taken from a fit without drift and
    lamp: from how replicates differ at one time where the lamp scatters, else from all residuals.

    Args:
        series: the data.
        plan: of the fit.
        wishes: of the caller.

    Returns:
        The series, with Gaussian noise of one variance where it had none; else as it was.
    """
    if not plan.prior or not series.noise.scale_is_estimated:
        return series
    names = tuple(
        n for n in plan.names if n not in ("drift", "lamp") and not (n == "dark_rate" and float(plan.start.light))
    )
    bare = Plan(replace(plan.start, lamp=jnp.zeros(0)), names, {})
    fit = fit_once(series, bare, dataclasses.replace(wishes, fix=tuple(n for n in wishes.fix if n in names)))
    rest = np.asarray(in_turns(jnp.asarray(fit.signal - fit.expected).reshape(series.emission.shape)))
    freedom = max(rest.size - fit.n_free, 1)
    if wishes.lamp > 0:
        rest = rest - rest.mean(axis=0)
        freedom = max((rest.shape[0] - 1) * (rest.shape[1] - 1), 1)
    variance = max(float(np.sum(rest**2)) / freedom, 1e-12 * float(series.emission.max()) ** 2)
    return dataclasses.replace(series, noise=Gaussian(jnp.full(series.readings.size, variance)))


def with_scatter(series: Series, plan: Plan, wishes: Wishes, estimate: Estimate) -> tuple[Estimate, Series, float]:
    """Let readings scatter by a relative amount beside counting or the stated errors, where those do not suffice.

    Args:
        series: the data.
        plan: of the fit.
        wishes: of the caller.
        estimate: the fit without it.

    Returns:
        The fit, the series with the noise it was fitted with, and the relative standard deviation (0: none needed).
    """
    if estimate.scale_is_estimated:
        return estimate, series, 0.0
    from scipy.stats import chi2

    free = max(estimate.n_points - estimate.n_free, 1)
    if not float(estimate.chi2_reduced) * free > float(chi2.isf(_POOR, free)):
        return estimate, series, 0.0
    given = np.maximum(estimate.expected, 1.0) if series.counted else np.asarray(series.noise.variance)  # type: ignore[attr-defined]
    best, low, high = estimate, 0.0, 1.0
    widened = series
    for _ in range(18):  # the scatter at which chi-square is what it should be, by halving
        middle = 0.5 * (low + high)
        variance = given + (middle * np.maximum(best.expected, 0.0)) ** 2
        widened = dataclasses.replace(series, noise=Gaussian(jnp.asarray(variance)))
        best = fit_once(widened, plan, wishes)
        low, high = (middle, high) if float(best.chi2_reduced) > 1.0 else (low, middle)
    return best, widened, 0.5 * (low + high)


@dataclasses.dataclass(frozen=True)
class Band:
    """The emission kept at a time, over every ratio that the series allows.

    Attributes:
        time: d.
        middle, low, high: median, 16 % and 84 % quantiles.
    """

    time: float
    middle: float
    low: float
    high: float


def carried_on(series: Series, estimate: Estimate, names: tuple[str, ...], prior: Any, until: np.ndarray) -> list[Band]:
    """Carry a series on to other times, with a band over every ratio r that it allows.

    For each of a grid of ratios all else is fitted anew; the results are weighed by their likelihood, with all orders
    of magnitude of r from 0.001 to 300 taken as equally likely beforehand. Errors from the best fit alone would be far
    too small where r and k are not both determined.

    Args:
        series: the data.
        estimate: the fit.
        names: what it varied.
        prior: its priors.
        until: shape (k,), d.

    Returns:
        One band for each time.
    """
    model: Stability = estimate.fitted()[0]
    others = [n for n in names if n != "ratio"]
    ratios = _ratios(estimate)
    size = ratios.size
    # Each ratio begins where the rate of loss at the middle of the series is the same.
    near = np.exp(np.interp(np.log(ratios), [math.log(1e-3), math.log(300.0)], [3.0, 0.0]))
    vary = "dark_rate" if float(model.light) == 0.0 else "light_rate"
    rows = {n: jnp.tile(getattr(model, n), (size, 1)) for n in ("scale", "lamp")}
    rows[vary] = jnp.asarray(np.maximum(float(model.rate), 1e-6) * near)
    batch = replace(model, ratio=jnp.asarray(ratios), **rows)
    signals = np.tile(series.readings, (size, 1))
    found = invert(batch, signals, free=others, prior=prior, throw=False)
    cost = 0.5 * found.n_points * np.log(np.sum((found.signal - found.expected) ** 2, axis=-1))
    if not found.scale_is_estimated:
        cost = -found.log_likelihood
    for name, (mean, std) in prior.items():
        for i, free in enumerate(found.names[: found.n_free]):
            if free == name or free.rsplit("_", 1)[0] == name:
                cost = cost + 0.5 * ((found.values[:, i] - mean) / std) ** 2
    good = (found.result == "converged") & np.isfinite(cost)
    if not good.any():
        return []
    weight = np.where(good, np.exp(-(np.where(good, cost, np.inf) - cost[good].min())), 0.0)
    weight = weight * np.gradient(np.log(ratios))  # each stands for its stretch of the grid
    column = found.names.index(vary)
    rng = np.random.default_rng(0)
    rates = found.values[:, column, None] + found.std[:, column, None] * rng.standard_normal((size, 200))
    other = float(model.dark * model.dark_rate) if vary == "light_rate" else 0.0
    total = other + np.maximum(np.nan_to_num(rates), 0.0)
    bands = []
    for time in until:
        grown = np.minimum((total * time) ** float(model.stretch), 300.0)
        share = ((1.0 + ratios[:, None]) / (1.0 + ratios[:, None] * np.exp(grown))).ravel()
        order = np.argsort(share)
        level = np.cumsum(np.repeat(weight, 200)[order])
        low, middle, high = share[order][np.searchsorted(level / level[-1], (0.159, 0.5, 0.841))]
        bands.append(Band(float(time), float(middle), float(low), float(high)))
    return bands


def _ratios(estimate: Estimate) -> np.ndarray:
    """Return ratios over all that is possible, and densely where the series determines them, shape (64,)."""
    found = estimate["ratio"]
    middle = float(np.clip(found.value, 1.1 * _REACH[0], 0.9 * _REACH[1]))
    spread = min(found.std / middle, 2.0) if math.isfinite(found.std) else 2.0
    near = middle * np.exp(np.linspace(-4.0, 4.0, 39) * max(spread, 1e-4))
    return np.sort(np.concatenate([np.geomspace(*_REACH, 25), np.clip(near, _REACH[0] * 1.001, _REACH[1] * 0.999)]))


def known_rate(text: str | float | None) -> tuple[float, float] | None:
    """Read a rate such as ``"0.0207 +- 0.004 1/d"``.

    Args:
        text: the rate with its standard error, in 1/d unless it says otherwise, or None.

    Returns:
        Value and standard error in 1/d.

    Raises:
        InputError: it is not a rate.
    """
    if text is None or text == "":
        return None
    from perolas.core import units

    parts = str(text).replace("±", "+-").split("+-")
    try:
        unit = next((u for u in ("1/d", "1/h", "1/min", "1/s") if parts[-1].strip().endswith(u)), "")
        numbers = [float(p.replace(unit, "").strip() if unit else p.strip()) for p in parts]
        values = [units.convert(f"{v} {unit or '1/d'}", "1/d") for v in numbers]
    except (ValueError, InputError):
        values = []
    if len(values) not in (1, 2) or not all(math.isfinite(v) and v >= 0 for v in values):
        raise InputError(f'Option "dark_rate" must be a rate such as "0.02 +- 0.004 1/d", but is "{str(text)[:40]}".')
    return values[0], values[1] if len(values) == 2 else 0.0


def band_quantity(band: Band) -> dict[str, Quantity]:
    """Return a band as quantities: the median with half the band as its error, and both ends."""
    spread = 0.5 * (band.high - band.low)
    return {
        "kept_until": Quantity(band.middle, spread, "1", f"share of the emission kept at {band.time:.4g} d"),
        "kept_until_low": Quantity(band.low, 0.0, "1", f"lower end of the 68 % band at {band.time:.4g} d"),
        "kept_until_high": Quantity(band.high, 0.0, "1", f"upper end of the 68 % band at {band.time:.4g} d"),
    }
