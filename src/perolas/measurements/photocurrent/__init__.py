"""Photocurrent: on/off transients of a film, inverted to steady current, times, drift; simulated from a specimen.

`model` has the exponentials, `traps` the rate model, `steady` the current of a specimen, `trace` the door,
`transient` the fits, `words` what is said about them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.measurement import simulate as draw
from perolas.core.noise import Gaussian
from perolas.core.parameter import table
from perolas.measurements.evidence import choose
from perolas.measurements.photocurrent import transient, words
from perolas.measurements.photocurrent.model import Photocurrent
from perolas.measurements.photocurrent.steady import (
    PARAMETERS_USED,
    Cell,
    absorbed_share,
    current_share,
    steady_current_na,
)
from perolas.measurements.photocurrent.trace import trace_of
from perolas.measurements.photocurrent.traps import TrapFilling

__all__ = [
    "PARAMETERS",
    "PARAMETERS_USED",
    "REFERENCES",
    "Cell",
    "Photocurrent",
    "TrapFilling",
    "absorbed_share",
    "current_share",
    "example",
    "fit",
    "simulate",
    "steady_current_na",
]

PARAMETERS = table(Photocurrent)
REFERENCES: tuple[str, ...] = ("yang2020",)
_MODELS = ("auto", "single", "double", "traps")
_NAMES = {"single": "one exponential", "double": "two exponentials", "traps": "traps that fill and empty"}


def fit(
    observation: xr.Dataset,
    *,
    model: str = "auto",
    switches: str = "",
    period: float | None = None,
    first: float | None = None,
    irradiance: float | None = None,
    area: float | None = None,
    wavelength: float = 365.0,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate the steady photocurrent and its times from a trace of several cycles.

    Args:
        observation: current (A, mA, uA, nA ...) against time in s.
        model: ``"single"`` or ``"double"`` exponentials, ``"traps"`` (the rate model), or ``"auto"``: the exponentials
            that the evidence supports.
        switches: times of the switches in s, the first being light on; "" : as recorded, or found in the trace.
        period: time from light on to light on in s, half of it lit.
        first: first time of light on in s, with `period`.
        irradiance: mW/cm^2 on the electrode, for responsivity and efficiency.
        area: illuminated electrode, cm^2.
        wavelength: of the light, nm.
        free: names added to what is fitted (`fading`, `delay`).
        fix: names taken out of it.
        guess: start values by name.
        starts: random starts beside the systematic ones.
        seed: seed of those.

    Returns:
        The estimate; ``extra["evidence"]`` holds the table behind the choice.

    Raises:
        InputError: data or options that cannot be used.
        FitError: no model converged.
    """
    chosen = check.one_of(model, _MODELS, "The model")
    trace = trace_of(observation, switches, period, first)
    if trace.switches.size < 2:
        raise InputError(
            "No switching of the light is seen in this trace; give its times (switches, or period and first), "
            "and the photocurrent or its upper limit follows."
        )
    cell = None
    if irradiance is not None:
        cell = Cell(irradiance, 1.0 if area is None else area, wavelength)
    wishes = transient.Wishes(cell, tuple(free), tuple(fix), dict(guess or {}), check_starts(starts), seed)
    if not transient.is_seen(trace, wishes):
        level, correlation = transient.with_memory(transient.fit_levels(trace, wishes))
        return words.with_story(words.nothing_seen(level), trace, correlation)
    for _ in range(3 if trace.found else 0):
        trace = transient.refined(trace, transient.fit_exponentials(trace, 2, wishes))
    tried = {}
    for name in ("single", "double") if chosen == "auto" else (chosen,):
        if name == "traps":
            tried[name] = transient.fit_traps(trace, wishes)
        else:
            tried[name] = transient.fit_exponentials(trace, 2 if name == "double" else 1, wishes)
    best, rows = choose(list(tried.values()), [_NAMES[n] for n in tried])
    if len(tried) > 1:
        best = dataclasses.replace(best, extra={"evidence": rows}, notes=(words.odds_note(rows),))
    best, correlation = transient.with_memory(best)
    return words.with_story(best, trace, correlation)


def check_starts(starts: int) -> int:
    """Return the number of starts; raises InputError where it is not positive."""
    return int(check.positive(starts, "starts"))


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    model: str = "double",
    cycles: int = 3,
    lit: float = 20.0,
    unlit: float = 20.0,
    interval: float = 0.1,
    noise: float = 0.5,
    amplitude: float = 100.0,
    dark: float = 10.0,
    irradiance: float | None = None,
    area: float | None = None,
    wavelength: float = 365.0,
    thickness: float | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Simulate a trace of a specimen, or of a given steady photocurrent.

    Args:
        specimen: a `Specimen`, which decides the steady photocurrent; None: `amplitude`.
        seed: seed of the noise.
        model: ``"traps"`` for the rate model; anything else means two exponentials.
        cycles: number of cycles; half a dark time comes before the first.
        lit: light on in each cycle, s.
        unlit: light off in each cycle, s.
        interval: time between readings, s.
        noise: standard deviation of a reading, nA.
        amplitude: steady photocurrent without a specimen, nA.
        dark: dark current, nA.
        irradiance: mW/cm^2; None: of the parameter library.
        area: electrode, cm^2; None: of the parameter library.
        wavelength: of the light, nm.
        thickness: of the film, nm; None: of the parameter library.
        parameters: values by field name, e.g. ``{"rise_fast_s": 0.3}``, for anything else.

    Returns:
        An observation with the switch times among its conditions.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.one_of(model, _MODELS, "The model")
    for name, value in (("lit", lit), ("unlit", unlit), ("interval", interval)):
        check.positive(value, name, "s")
    check.positive(noise, "noise", "nA")
    if not 1 <= int(cycles) <= 500:
        raise InputError(f'Argument "cycles" must lie between 1 and 500, but is {cycles}.')
    given = {"irradiance_mw_cm2": irradiance, "area_cm2": area, "thickness_nm": thickness}
    cell = Cell(**{k: v for k, v in given.items() if v is not None}, wavelength_nm=wavelength)
    begin = 0.5 * unlit + (lit + unlit) * np.arange(int(cycles))
    switches = np.stack([begin, begin + lit], axis=1).ravel()
    count = round(float(switches[-1] + unlit) / interval)
    if not 20 <= count <= 1_000_000:
        raise InputError(f"This would be {count} readings; a trace has 20 to 1,000,000.")
    kind = TrapFilling if model == "traps" else Photocurrent
    trace: Any = kind(
        amplitude=amplitude, dark=dark, switches=switches, time=interval * np.arange(count),
        noise=Gaussian(np.full(count, noise**2)), cell=cell, **(parameters or {}),
    )  # fmt: skip
    observation = draw(trace, specimen, seed=seed)
    conditions = {"switches_s": switches.tolist(), "irradiance_mw_cm2": cell.irradiance_mw_cm2}
    observation.attrs["conditions"] = json.dumps(conditions)
    return observation


def example() -> Photocurrent:
    """Return a trace whose answer is known, for the inversion tests: three cycles, a hundredth of noise."""
    time = 0.1 * np.arange(1300)
    return Photocurrent(
        amplitude=100.0, dark=20.0, drift=0.02,
        rise_fast_s=0.8, rise_slow_s=6.0, rise_share=0.6, decay_fast_s=1.2, decay_slow_s=9.0, decay_share=0.6,
        switches=[10.03, 30.03, 50.03, 70.03, 90.03, 110.03], time=time, noise=Gaussian(np.full(time.size, 1.0)),
    )  # fmt: skip
