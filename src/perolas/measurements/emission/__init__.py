"""Emission of a pumped film: threshold, beta and slope from a pump sweep; what the camera sees; area laws; verdicts.

`model` has the S-curve, `curve` inverts it, `lines` is the usual two-line threshold and its bias, `words` says how it
went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core.estimate import Estimate
from perolas.core.measurement import simulate as draw
from perolas.core.parameter import table
from perolas.measurements.emission.curve import best_fit, check_jitter, wishes
from perolas.measurements.emission.model import PARAMETERS_USED, REFERENCES, Emission
from perolas.measurements.emission.prepare import prepare
from perolas.measurements.emission.words import finish

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Emission", "example", "fit"]

PARAMETERS = table(Emission)


def fit(
    observation: xr.Dataset,
    *,
    model: str = "auto",
    photons: str | float = "auto",
    noise: str = "auto",
    jitter: str | float | None = "auto",
    saturation: float | None = None,
    gain: float | None = None,
    readout: float | None = None,
    offset: float | None = None,
    resolution: float | None = None,
    window: tuple[float, float] | None = None,
    area_error: float = 0.0,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
) -> Estimate:
    """X."""
    sweep = prepare(observation, noise, gain, readout, saturation)
    options = wishes(
        photons, jitter, free=tuple(free), fix=tuple(fix), guess=dict(guess or {}), starts=starts, seed=seed
    )
    check_jitter(sweep, options)
    best, tried = best_fit(sweep, options)
    return finish(best, tried, sweep, options)


def simulate(specimen: Any = None, *, seed: int = 0, **options: Any) -> xr.Dataset:
    """X."""
    return draw(example(), seed=seed)


def example() -> Emission:
    """Return a curve whose answer is known, for the inversion tests."""
    return Emission(
        threshold_uj_cm2=250.0,
        log10_beta=-1.5,
        scale=3e3,
        background=30.0,
        exponent=1.0,
        jitter=np.zeros(0),
        fluence=np.geomspace(25.0, 1000.0, 60),
    )
