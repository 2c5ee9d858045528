"""Analysis of decays: from a recorded decay and its instrument response to lifetimes, with evidence and warnings.

The model is `perolas.measurements.trpl_model.Trpl`; this file chooses starts, the number of components and the words.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy import stats
from scipy.optimize import nnls

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.noise import AbstractNoise, Poisson, UnknownGaussian
from perolas.core.parameter import replace, table
from perolas.measurements.evidence import choose
from perolas.measurements.trpl_model import PARAMETERS_USED, REFERENCES, Trpl

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Trpl", "example", "fit", "simulate"]

PARAMETERS = table(Trpl)
_MOST = 4  # components that "auto" goes up to


def fit(
    observation: xr.Dataset,
    *,
    irf: xr.Dataset | None = None,
    irf_fwhm: float | None = None,
    components: str | int = "auto",
    model: str = "exponential",
    weights: str = "poisson",
    period: float | None = None,
    window: tuple[float, float] | None = None,
    compare: xr.Dataset | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate lifetimes from a decay.

    Args:
        observation: counts on equal bins (axis ``time_ns``, bin centres or left edges alike).
        irf: measured instrument response on the same bins; or an observation with a variable ``irf``.
        irf_fwhm: full width of a Gaussian response in ns, where none was measured; None: it is fitted.
        components: number of exponentials, or ``"auto"``: up to four, chosen by BIC.
        model: ``"exponential"``, or ``"trap"``: the trapping model's rates are derived from two exponentials.
        weights: ``"poisson"`` or ``"none"`` (unweighted least squares).
        period: time between pulses in ns; None: single pulses.
        window: first and last time in ns to be looked at.
        compare: a second decay with the same response: test whether the two differ.
        free, fix, guess: names added to and taken out of what is fitted, and start values.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra["evidence"]`` holds the table behind the choice, ``extra["comparison"]`` the test.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge.
    """
    record = _record(observation, irf, irf_fwhm, period, window, weights)
    wanted = _components(components, model)
    options = _Options(model, tuple(free), tuple(fix), dict(guess or {}), starts, seed)
    tried: list[Estimate] = []
    for count in wanted:
        tried.append(_fit_once(record, count, options))
        if len(tried) > 1 and not tried[-1].bic < tried[-2].bic:  # more would only cost time
            break
    best, evidence = choose(tried, [f"{n} exponential{'s' * (n > 1)}" for n in wanted[: len(tried)]])
    best = dataclasses.replace(best, extra={"evidence": evidence} if len(tried) > 1 else {})
    best = _with_story(best, record, weights)
    if len(wanted) > 1:
        best = dataclasses.replace(best, notes=(*best.notes, _choice(evidence)))
    elif best.warnings and model == "exponential" and wanted[0] < 6:
        best = _with_richer(best, record, wanted[0], options)
    if model == "trap":
        best = _with_trap_note(best)
    if compare is not None:
        other = fit(
            compare, irf=irf, irf_fwhm=irf_fwhm, components=len(_tau(best)), weights=weights,
            period=period, window=window, free=free, fix=fix, guess=guess, starts=starts, seed=seed,
        )  # fmt: skip
        best = _with_comparison(best, other)
    return best


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    components: str | int = "auto",
    irf_fwhm: float | None = None,
    period: float | None = None,
    counts: float = 1e4,
    bins: int = 1024,
    bin_width: float = 0.5,
    model: str = "exponential",
    parameters: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Simulate a decay of a specimen, or of plain exponentials.

    Args:
        specimen: a `Specimen`; None: `components` exponentials (by default two, at 1/40 and 1/8 of the record).
        seed: seed of the counts.
        components: number of exponentials without a specimen.
        irf_fwhm: full width of the Gaussian response in ns; by default two bins.
        period: time between pulses in ns.
        counts: counts expected in the highest bin.
        bins: number of bins.
        bin_width: width of a bin in ns.
        model: accepted for symmetry with `fit`; a specimen always follows the trapping model.
        parameters: values by field name, e.g. ``{"tau_ns": [3.0, 20.0]}``, for any other decay.

    Returns:
        An observation with the Gaussian width among its conditions.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.positive(counts, "counts")
    check.positive(bin_width, "bin_width", "ns")
    if bins < 16:
        raise InputError(f'Argument "bins" must be at least 16, but is {bins}.')
    count = 2 if components == "auto" or specimen is not None else _components(components, model)[0]
    length = bins * bin_width
    width = 2 * bin_width if irf_fwhm is None else check.positive(irf_fwhm, "irf_fwhm", "ns")
    decay = Trpl(
        tau_ns=length * np.geomspace(1 / 40, 1 / 8, count) if count > 1 else [length / 10],
        amplitude=np.full(count, 1.0),
        shift_ns=length / 20,
        background=max(counts * 1e-3, 0.1),
        irf_fwhm_ns=width,
        bin_ns=bin_width,
        bins=bins,
        period_ns=period,
    )
    decay = replace(decay, **{k: jnp.asarray(v, dtype=float) for k, v in (parameters or {}).items()})
    if specimen is not None:
        decay = decay.respond(specimen)
    peak = float(jnp.max(decay.expected() - decay.background))
    scale = (counts - float(decay.background)) / peak
    decay = replace(decay, amplitude=decay.amplitude * max(scale, 1e-6))
    observation = draw(decay, seed=seed)
    observation.attrs["conditions"] = f'{{"irf_fwhm_ns": {width!r}}}'
    return observation


def example() -> Trpl:
    """Return a decay whose answer is known, for the inversion tests: two lifetimes, Gaussian response, Poisson counts."""
    return Trpl(
        tau_ns=[3.0, 20.0], amplitude=[600.0, 300.0], shift_ns=5.0, background=3.0, irf_fwhm_ns=0.6, bin_ns=0.4, bins=256
    )


@dataclasses.dataclass(frozen=True)
class _Record:
    """A decay ready to be fitted."""

    counts: np.ndarray
    seen: np.ndarray  # the bins looked at
    irf: np.ndarray  # sum one, or empty
    irf_fwhm: float | None
    irf_total: float
    start: float
    step: float
    window: tuple[int, int] | None
    live: tuple[int, int]
    period: float | None
    noise: AbstractNoise

    @cached_property
    def grid(self) -> _Grid:
        """The coarse search, done once for all numbers of components."""
        return _Grid(self)


def _record(
    observation: xr.Dataset,
    irf: xr.Dataset | None,
    irf_fwhm: float | None,
    period: float | None,
    window: tuple[float, float] | None,
    weights: str,
) -> _Record:
    if "time_ns" not in observation.coords:
        raise InputError(
            f'A decay needs a time axis in ns, but this file has "{observation["signal"].dims[-1]}"; '
            "name the axis, for example axis=time_ns."
        )
    counts = check.counts(observation["signal"].values, "counts of the decay")
    if counts.ndim != 1:
        raise InputError("This file holds several decays; choose one (channel=).")
    if weights == "poisson" and not np.all(counts == np.round(counts)):
        raise InputError(
            "The decay does not hold whole counts, so the Poisson likelihood does not apply; "
            "use the raw counts, or weights=none for unweighted least squares."
        )
    time = observation["time_ns"].values
    step = float(np.median(np.diff(time)))
    if step <= 0 or np.max(np.abs(np.diff(time) - step)) > 0.01 * abs(step):
        raise InputError("A decay needs time bins of one width that rise; rebin the file first.")
    if counts.sum() < 50:
        raise InputError(f"The decay holds {counts.sum():.0f} counts, too few to estimate a lifetime (50 at the least).")
    response, total = _response(observation, irf, counts.size, step)
    if irf_fwhm is not None:
        check.positive(irf_fwhm, "irf_fwhm", "ns")
        if response.size:
            raise InputError("Give either a measured instrument response or irf_fwhm, not both.")
    if period is not None and check.positive(period, "period", "ns") < counts.size * step * 0.999:
        raise InputError(f"The period of {period:g} ns is shorter than the record of {counts.size * step:g} ns.")
    live = _live(counts)
    cut = None if live == (0, counts.size) else live
    if window is not None:
        first, last = np.clip(np.searchsorted(time, window), *live)
        if last - first < 16:
            raise InputError(f"The window from {window[0]:g} to {window[1]:g} ns holds {last - first} bins; 16 are needed.")
        cut = (int(first), int(last))
    noise = Poisson() if weights == "poisson" else UnknownGaussian()
    seen = counts if cut is None else counts[slice(*cut)]
    return _Record(counts, seen, response, irf_fwhm, total, float(time[0]) - step / 2, step, cut, live, period, noise)


def _live(counts: np.ndarray) -> tuple[int, int]:
    """Return the bins between which the electronics counted: runs of zeros at the ends that chance cannot explain are dead."""
    filled = np.flatnonzero(counts)
    first, last = int(filled[0]), int(filled[-1]) + 1
    # At the rate of the neighbouring bins, exp(-15) would be the chance of so many empty ones.
    dead_before = first * float(np.mean(counts[first : first + 50])) > 15
    dead_after = (counts.size - last) * float(np.mean(counts[max(last - 50, 0) : last])) > 15
    # The bins at the edges may have been live for part of their width.
    before = first + 1 if dead_before and first < int(np.argmax(counts)) - 20 else 0
    return before, last - 1 if dead_after else counts.size


def _response(observation: xr.Dataset, irf: xr.Dataset | None, size: int, step: float) -> tuple[np.ndarray, float]:
    """Return the measured response with its dark counts taken off and sum one, and its number of counts."""
    if irf is not None:
        values = check.counts(irf["signal"].values, "counts of the instrument response")
        if values.size != size:
            raise InputError(f"The instrument response has {values.size} bins, but the decay has {size}.")
        other = float(np.median(np.diff(irf["time_ns"].values))) if "time_ns" in irf.coords else step
        if abs(other - step) > 0.01 * step:
            raise InputError(f"The instrument response has bins of {other:g} ns, but the decay of {step:g} ns.")
    elif "irf" in observation:
        values = check.counts(observation["irf"].values, "counts of the instrument response")
    else:
        return np.zeros(0), 0.0
    if values.sum() <= 0:
        raise InputError("The instrument response is empty.")
    first, last = _live(values)
    bins = np.arange(size)
    alive = (bins >= first) & (bins < last)
    quiet = alive & (np.abs(bins - int(np.argmax(values))) > max(size // 8, 20))
    dark = float(np.mean(values[quiet])) if quiet.any() else 0.0
    # Only a low, constant level is dark counts. Its mean comes off without clipping at zero, which would leave a bias.
    clean = np.where(alive, values - dark, 0.0) if dark < 0.02 * values.max() else values
    if clean.sum() <= 0:
        raise InputError("The instrument response is empty.")
    return clean / clean.sum(), float(values.sum())


def _components(components: str | int, model: str) -> list[int]:
    if str(components) == "auto":
        return [2] if model == "trap" else list(range(1, _MOST + 1))
    try:
        count = int(components)
    except ValueError:
        count = 0
    if not 1 <= count <= 6:
        raise InputError(f'Option "components" must be "auto" or a number from 1 to 6, but is "{components}".')
    if model == "trap" and count != 2:
        raise InputError("The trapping model has two exponentials; leave components out or set it to 2.")
    return [count]


@dataclasses.dataclass(frozen=True)
class _Options:
    """The caller's wishes for the fit."""

    model: str
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: dict[str, float]
    starts: int
    seed: int


def _fit_once(record: _Record, count: int, wishes: _Options) -> Estimate:
    decay = _start(record, count, wishes.model == "trap", wishes.guess)
    names = ["tau", "amplitude", "shift", "background", *wishes.free]
    if not record.irf.size and record.irf_fwhm is None:
        names.append("irf_fwhm")
    options: dict[str, Any] = {"free": names, "fix": wishes.fix, "starts": wishes.starts, "seed": wishes.seed}
    estimate = invert(decay, record.seen, **options, throw=False)
    order = np.argsort(_tau(estimate))
    if estimate.result == "converged" and not np.all(np.diff(order) > 0):
        measurement, _ = estimate.fitted()
        ordered = replace(measurement, tau_ns=measurement.tau_ns[order], amplitude=measurement.amplitude[order])
        estimate = invert(ordered, record.seen, **(options | {"starts": 1}), throw=False)
    return estimate


def _tau(estimate: Estimate) -> np.ndarray:
    return np.asarray(estimate.fitted()[0].tau_ns)


def _start(record: _Record, count: int, rates: bool, guess: Mapping[str, float]) -> Trpl:
    """Return the decay nearest the data among a grid of shifts and lifetimes, amplitudes by linear least squares."""
    found = record.grid
    tau, amplitude = found.best(count)
    decay = _decay(record, tau, found.shift, found.width)
    decay = dataclasses.replace(decay, rates=rates, amplitude=amplitude[1:], background=max(amplitude[0], 1e-3))
    return _with_guess(decay, guess)


def _decay(record: _Record, tau: np.ndarray, shift: float, width: float) -> Trpl:
    return Trpl(
        tau_ns=tau, amplitude=np.ones(len(tau)), shift_ns=shift, irf_fwhm_ns=width, irf=record.irf, start_ns=record.start,
        bin_ns=record.step, period_ns=record.period, bins=record.counts.size, window=record.window, noise=record.noise,
    )  # fmt: skip


class _Grid:
    """A coarse search: which shift (and width) of the response, and which lifetimes, come nearest to the counts.

    Amplitudes and background are linear, so each trial is a small non-negative least-squares problem on a Gram matrix.
    """

    def __init__(self, record: _Record) -> None:
        length = record.seen.size * record.step
        self._tau = np.geomspace(0.4 * record.step, 1.5 * (record.period or length), 28)
        self._weight = 1 / np.maximum(record.seen, 1.0)
        self._seen = record.seen
        best = math.inf
        for shift, width in self._responses(record):
            gram, right = self._normal(record, shift, width)
            _, cost = _solve(gram, right)
            if cost < best:
                best, self.shift, self.width, self._gram, self._right = cost, shift, width, gram, right

    @staticmethod
    def _responses(record: _Record) -> list[tuple[float, float]]:
        step, counts = record.step, record.counts
        smooth = np.convolve(counts, np.ones(3) / 3, "same")
        if record.irf.size:
            return [(float(k) * step, 0.1) for k in np.linspace(-15, 15, 61)]
        peak = int(np.argmax(smooth))
        floor = np.quantile(counts, 0.05)
        half = int(np.argmax(smooth >= 0.5 * (smooth[peak] + floor)))
        rise = max(peak - half, 1) * step
        widths = [record.irf_fwhm] if record.irf_fwhm else list(np.geomspace(0.7 * step, max(4 * rise, 3 * step), 6))
        edge = record.start + half * step
        return [(edge + f * (w + step), w) for w in widths for f in np.linspace(-1, 1.5, 11)]

    def _normal(self, record: _Record, shift: float, width: float) -> tuple[np.ndarray, np.ndarray]:
        decays = np.asarray(_basis(_decay(record, self._tau, shift, width)))
        rows = np.concatenate([np.ones((1, decays.shape[1])), decays])
        return (rows * self._weight) @ rows.T, rows @ (self._weight * self._seen)

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best `count` lifetimes of the grid, and background and amplitudes: pairs are searched in full."""
        sets = list(itertools.combinations(range(self._tau.size), min(count, 2)))
        chosen = min(sets, key=lambda s: self._solve_for(s)[1])
        while len(chosen) < count:  # further ones are added one at a time, then each is moved once to its best place
            chosen = self._improve((*chosen, -1), len(chosen))
            for place in range(len(chosen)):
                chosen = self._improve(chosen, place)
        chosen = tuple(sorted(chosen))
        linear, _ = self._solve_for(chosen)
        amplitude = linear[1:]
        floor = 0.02 * max(float(amplitude.max()), 1e-3)
        return self._tau[list(chosen)], np.concatenate([linear[:1], np.maximum(amplitude, floor)])

    def _improve(self, chosen: tuple[int, ...], place: int) -> tuple[int, ...]:
        rest = chosen[:place] + chosen[place + 1 :]
        trials = [(*rest, k) for k in range(self._tau.size) if k not in rest]
        return min(trials, key=lambda s: self._solve_for(s)[1])

    def _solve_for(self, chosen: tuple[int, ...]) -> tuple[np.ndarray, float]:
        keep = [0, *(k + 1 for k in chosen)]
        return _solve(self._gram[np.ix_(keep, keep)], self._right[keep])


_basis = eqx.filter_jit(lambda decay: decay.unit_decays())


def _solve(gram: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float]:
    """Solve a non-negative least-squares problem given by its normal equations; return it and its cost."""
    size = np.sqrt(np.maximum(np.diagonal(gram), 1e-300))
    lower = np.linalg.cholesky(gram / np.outer(size, size) + 1e-10 * np.eye(size.size))
    target = np.linalg.solve(lower, right / size)
    x, norm = nnls(lower.T, target)
    return x / size, float(norm**2 - target @ target)


def _with_guess(decay: Trpl, guess: Mapping[str, float]) -> Trpl:
    from perolas.core.parameter import slots, write_slots

    known = {s.name: s for s in slots(decay, "measurement")}
    chosen = {known[check.one_of(n, known, "The parameter")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(decay, chosen) if chosen else decay


def _with_story(estimate: Estimate, record: _Record, weights: str) -> Estimate:
    """Add what a reader must know: quality of the fit, why it may be poor, what the counts support."""
    notes, warnings = list(estimate.notes), list(estimate.warnings)
    mean = np.maximum(estimate.expected, 1e-9)
    freedom = max(estimate.n_points - estimate.n_free, 1)
    grouped, dof = _grouped_chi2(estimate.signal, mean, estimate.n_free)
    quality = float(np.sum((estimate.signal - mean) ** 2 / mean) / freedom)
    extra = dict(estimate.extra)
    extra["counts"] = {"total": float(record.seen.sum()), "peak": float(record.seen.max())}
    chance = float(stats.chi2.sf(grouped, dof)) if dof > 0 else math.nan
    extra["quality"] = {"chi2_reduced_poisson": quality, "chi2_grouped": grouped, "degrees_of_freedom": dof, "p_value": chance}
    if record.live != (0, record.counts.size):
        first, last = record.live
        notes.append(f"Bins before {first} and from {last} on were dead (no counts at all) and are left out.")
    if weights == "none":
        notes.append(
            "Unweighted least squares, as in older programs: the highest bins decide, and the errors assume one noise "
            "for all bins, which counts do not have; the Poisson likelihood (the default) uses every bin as it deserves."
        )
    if chance < 1e-3:
        why = [
            "the instrument response is not the one of this decay (its own counts are noisy, it drifts with time and "
            "depends on colour)" if record.irf.size else "the instrument response is not a Gaussian (measure it)",
            f"{_words(len(_tau(estimate)))} not enough for the true distribution of lifetimes",
            "scattered light or a second pulse is not in the model" if not estimate.problem.measurement.rates else "the rates are not those of one kind of nanocrystal",
        ]
        warnings.append(
            f"The fit does not describe the counts (reduced chi-square {quality:.2f}, {grouped / max(dof, 1):.2f} in grouped bins, "
            f"where 1 is expected): {'; or '.join(why)}. The lifetimes are then a description, and their true errors are "
            f"larger than those printed, which hold for counting noise alone."
        )
        if weights == "poisson":
            notes.append(
                "An unweighted fit of the same decay gives other lifetimes (weights=none), because it looks at the peak, "
                "where the response matters most; how far the two lie apart shows how far the model is from the data."
            )
    if record.irf.size and record.irf_total < 0.1 * record.seen.sum():
        warnings.append(
            f"The instrument response holds {record.irf_total:.0f} counts, few beside the decay's {record.seen.sum():.0f}: "
            "its own noise, which is not in the errors, may dominate."
        )
    tau = _tau(estimate)
    length = record.seen.size * record.step
    if tau.max() > length and record.period is None:
        warnings.append(f"The longest lifetime, {tau.max():.3g} ns, outlasts the record of {length:.3g} ns; it rests on the background.")
    if tau.min() < record.step:
        warnings.append(f"The shortest lifetime, {tau.min():.2g} ns, is less than one bin ({record.step:.2g} ns); it may be scattered light.")
    return dataclasses.replace(estimate, notes=tuple(notes), warnings=tuple(warnings), extra=extra)


def _with_richer(estimate: Estimate, record: _Record, count: int, options: _Options) -> Estimate:
    """Say what the counts support where the number of components was prescribed and does not suffice."""
    counted = dataclasses.replace(record, noise=Poisson())
    rows = [_fit_once(counted, n, options) for n in (count, count + 1)]
    try:
        best, evidence = choose(rows, [f"{n} exponential{'s' * (n > 1)}" for n in (count, count + 1)])
    except FitError:
        return estimate
    gain = evidence[0]["bic"] - evidence[1]["bic"]
    if best is rows[0]:
        text = f"One more exponential would not help (BIC changes by {-gain:.1f}): the cause lies elsewhere."
    else:
        tau = ", ".join(f"{t:.3g}" for t in _tau(best))
        text = (
            f"The counts support more than {count} exponential{'s' * (count > 1)}: with {count + 1} ({tau} ns) the BIC falls by {gain:.0f} and the "
            f"reduced chi-square to {float(best.chi2_reduced):.2f}, with mean lifetimes of "
            f"{best['tau_mean_amplitude'].value:.3f} (amplitude) and {best['tau_mean_intensity'].value:.3f} ns (intensity)."
        )
    return dataclasses.replace(estimate, notes=(*estimate.notes, text), extra=estimate.extra | {"evidence": evidence})


def _words(count: int) -> str:
    return "one exponential is" if count == 1 else f"{count} exponentials are"


def _choice(evidence: list[dict[str, Any]]) -> str:
    chosen = next(row for row in evidence if row["chosen"])
    others = [r for r in evidence if not r["chosen"] and r["delta_bic"] is not None]
    near = min((r["delta_bic"] for r in others), default=math.inf)
    text = f"{chosen['model'].capitalize()} chosen by BIC"
    return f"{text}; the next best is worse by {near:.1f}" + (", which is not decisive." if near < 6 else ".")


def _grouped_chi2(counts: np.ndarray, mean: np.ndarray, n_free: int) -> tuple[float, int]:
    """Return Pearson's chi-square over neighbouring bins merged to at least 10 expected counts, and its freedom."""
    edges = np.unique(np.floor(np.cumsum(mean) / 10.0), return_index=True)[1]
    observed, expected = np.add.reduceat(counts, edges), np.add.reduceat(mean, edges)
    return float(np.sum((observed - expected) ** 2 / expected)), int(edges.size - n_free)


def _with_trap_note(estimate: Estimate) -> Estimate:
    k_t = estimate["k_trapping"]
    if k_t.value <= 0:
        text = "These two exponentials need a negative trapping rate: the trapping model without loss cannot make this decay."
    else:
        text = (
            "Trapping model without loss: its three rates follow one-to-one from the two exponentials, so the decay fits "
            "both equally well and cannot tell them apart; a loss of trapped carriers would need the quantum yield as well."
        )
    return dataclasses.replace(estimate, notes=(*estimate.notes, text))


def _with_comparison(first: Estimate, second: Estimate) -> Estimate:
    """Add the test whether two decays differ: in shape (no model), and in their mean lifetimes."""
    rows, added = [], dict(first.added)
    for name in ("tau_mean_amplitude", "tau_mean_intensity"):
        a, b = first[name], second[name]
        difference, std = b.value - a.value, math.hypot(a.std, b.std)
        sigma = abs(difference) / std if std > 0 else math.nan
        rows.append({"quantity": name, "first": a.value, "second": b.value, "difference": difference, "std": std, "sigma": sigma})
        added[f"{name}_difference"] = Quantity(difference, std, "ns", f"{name} of the second decay less that of the first")
    chi2, dof, chance = _homogeneity(first.signal, second.signal)
    extra = first.extra | {"comparison": rows, "same_shape": {"chi2": chi2, "degrees_of_freedom": dof, "p_value": chance}}
    verdict = "differ" if chance < 0.0027 else "cannot be told apart"
    note = (
        f"The two decays {verdict}: chi-square {chi2:.0f} for {dof} degrees of freedom that both are drawn from one shape "
        f"(p = {chance:.2g}); mean lifetimes differ by {rows[0]['sigma']:.1f} (amplitude) and {rows[1]['sigma']:.1f} (intensity) sigma."
    )
    return dataclasses.replace(first, extra=extra, added=added, notes=(*first.notes, note))


def _homogeneity(first: np.ndarray, second: np.ndarray) -> tuple[float, int, float]:
    """Return chi-square, degrees of freedom and p-value that two histograms share one shape (merged to 20 counts)."""
    if first.size != second.size:
        raise InputError(f"The two decays have {first.size} and {second.size} bins; they must be recorded alike.")
    edges = np.unique(np.floor(np.cumsum(np.minimum(first, second)) / 20.0), return_index=True)[1]
    merged = np.stack([np.add.reduceat(first, edges), np.add.reduceat(second, edges)])
    test = stats.chi2_contingency(merged[:, merged.sum(axis=0) > 0], correction=False)
    return float(test.statistic), int(test.dof), float(test.pvalue)
