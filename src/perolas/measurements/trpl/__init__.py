"""Analysis of decays: from a recorded decay and its instrument response to lifetimes, with evidence and warnings.

`model` has the equations, `record` makes the data ready, `start` finds where to begin, `words` says how it went.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.noise import Poisson
from perolas.core.parameter import replace, table
from perolas.measurements.evidence import choose
from perolas.measurements.trpl.model import PARAMETERS_USED, REFERENCES, Trpl
from perolas.measurements.trpl.record import Record, record_of
from perolas.measurements.trpl.start import Grid, start
from perolas.measurements.trpl.words import choice, lifetimes, with_comparison, with_story, with_trap_note

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
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra["evidence"]`` holds the table behind the choice, ``extra["comparison"]`` the test.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge.
    """
    record = record_of(observation, irf, irf_fwhm, period, window, weights)
    wanted = _components(components, model)
    grid = Grid(record)
    options = Wishes(model, tuple(free), tuple(fix), dict(guess or {}), starts, seed)
    tried: list[Estimate] = []
    for count in wanted:
        tried.append(_fit_once(record, grid, count, options))
        if len(tried) > 1 and not tried[-1].bic < tried[-2].bic:  # more would only cost time
            break
    best, evidence = choose(tried, [f"{n} exponential{'s' * (n > 1)}" for n in wanted[: len(tried)]])
    best = dataclasses.replace(best, extra={"evidence": evidence} if len(tried) > 1 else {})
    best = with_story(best, record, weights)
    if len(wanted) > 1:
        best = dataclasses.replace(best, notes=(*best.notes, choice(evidence)))
    elif best.warnings and model == "exponential" and wanted[0] < 6:
        best = _with_richer(best, record, grid, wanted[0], options)
    if model == "trap":
        best = with_trap_note(best)
    if compare is not None:
        other = fit(
            compare, irf=irf, irf_fwhm=irf_fwhm, components=len(lifetimes(best)), weights=weights, period=period,
            window=window, free=free, fix=fix, guess=guess, starts=starts, seed=seed,
        )  # fmt: skip
        best = with_comparison(best, other)
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
    """Return a decay whose answer is known, for the inversion tests: two lifetimes and a Gaussian response."""
    return Trpl(
        tau_ns=[3.0, 20.0],
        amplitude=[600.0, 300.0],
        shift_ns=5.0,
        background=3.0,
        irf_fwhm_ns=0.6,
        bin_ns=0.4,
        bins=256,
    )


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
class Wishes:
    """The caller's wishes for the fit."""

    model: str
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: dict[str, float]
    starts: int
    seed: int


def _fit_once(record: Record, grid: Grid, count: int, wishes: Wishes) -> Estimate:
    decay = start(record, grid, count, wishes.model == "trap", wishes.guess)
    names = ["tau", "amplitude", "shift", "background", *wishes.free]
    if not record.irf.size and record.irf_fwhm is None:
        names.append("irf_fwhm")
    options: dict[str, Any] = {"free": names, "fix": wishes.fix, "starts": wishes.starts, "seed": wishes.seed}
    estimate = invert(decay, record.seen, **options, throw=False)
    order = np.argsort(lifetimes(estimate))
    if estimate.result == "converged" and not np.all(np.diff(order) > 0):
        measurement, _ = estimate.fitted()
        ordered = replace(measurement, tau_ns=measurement.tau_ns[order], amplitude=measurement.amplitude[order])
        estimate = invert(ordered, record.seen, **(options | {"starts": 1}), throw=False)
    return estimate


def _with_richer(estimate: Estimate, record: Record, grid: Grid, count: int, options: Wishes) -> Estimate:
    """Say what the counts support where the number of components was prescribed and does not suffice."""
    counted = dataclasses.replace(record, noise=Poisson())
    rows = [_fit_once(counted, grid, n, options) for n in (count, count + 1)]
    try:
        best, evidence = choose(rows, [f"{n} exponential{'s' * (n > 1)}" for n in (count, count + 1)])
    except FitError:
        return estimate
    gain = evidence[0]["bic"] - evidence[1]["bic"]
    if best is rows[0]:
        text = f"One more exponential would not help (BIC changes by {-gain:.1f}): the cause lies elsewhere."
    else:
        tau = ", ".join(f"{t:.3g}" for t in lifetimes(best))
        text = (
            f"The counts support more than {count} exponential{'s' * (count > 1)}: with {count + 1} ({tau} ns) the BIC "
            f"falls by {gain:.0f} and the reduced chi-square to {float(best.chi2_reduced):.2f}, with mean lifetimes of "
            f"{best['tau_mean_amplitude'].value:.3f} (amplitude) and {best['tau_mean_intensity'].value:.3f} ns "
            "(intensity)."
        )
    return dataclasses.replace(estimate, notes=(*estimate.notes, text), extra=estimate.extra | {"evidence": evidence})
