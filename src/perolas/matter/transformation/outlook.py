"""A forecast in words and numbers: when the product shows, when the parent is gone, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.matter.transformation.forecast import Bench, Calibrated, Unknowns, calibrate
from perolas.matter.transformation.window import window

_BANDS = (2.5, 16.0, 50.0, 84.0, 97.5)
# What may be swept: field of the run, unit.
SWEEPS = {
    "wavelength": ("wavelength_nm", "nm"),
    "irradiance": ("irradiance_mw_cm2", "mW/cm^2"),
    "temperature": ("temperature_k", "K"),
    "water": ("water_ul", "uL"),
}


@dataclass(frozen=True)
class Band:
    """A number that is known as a distribution: percentiles of the draws, infinity meaning never.

    Attributes:
        low95, low68, median, high68, high95: the 2.5th, 16th, 50th, 84th and 97.5th percentile.
        never: share of the draws in which it does not happen at all.
    """

    low95: float
    low68: float
    median: float
    high68: float
    high95: float
    never: float = 0.0

    @staticmethod
    def of(values: Float[np.ndarray, " d"]) -> Band:
        """Build the band of draws."""
        # "inverted_cdf" takes a draw, never a mixture of a number and infinity.
        low95, low68, median, high68, high95 = np.percentile(values, _BANDS, method="inverted_cdf").tolist()
        return Band(low95, low68, median, high68, high95, float(np.mean(~np.isfinite(values))))

    def __str__(self) -> str:
        """Return median and the band that holds 68 % of the draws."""
        if not np.isfinite(self.median):
            return "never" if self.never > 0.975 else f"never in {self.never:.0%} of the cases"
        high = f"{self.high68:.3g}" if np.isfinite(self.high68) else "never"
        tail = f"; never in {self.never:.0%} of the cases" if self.never > 0.005 else ""
        return f"{self.median:.3g} h ({self.low68:.3g} to {high}{tail})"

    def to_json(self) -> dict[str, Any]:
        """Return the band as JSON-like data, null for never."""
        row: dict[str, Any] = {k: None if not np.isfinite(v) else float(v) for k, v in vars(self).items()}
        return row


@dataclass(frozen=True)
class Outlook:
    """What is forecast for one run.

    Attributes:
        bench: the run.
        onset, completion: as diffraction sees them, h.
        times_h: shape (n,).
        fractions: shape (5, n): percentiles of the converted fraction, as in `Band`.
        sentences: what to know about it.
    """

    bench: Bench
    onset: Band
    completion: Band
    times_h: Float[np.ndarray, " n"]
    fractions: Float[np.ndarray, "5 n"]
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the outlook as JSON-like data."""
        return {
            "run": vars(self.bench),
            "quantities": {
                name: {**band.to_json(), "unit": "h", "definition": definition}
                for name, band, definition in (
                    ("onset", self.onset, "first diffraction peak of the product"),
                    ("completion", self.completion, "last diffraction peak of the parent"),
                )
            },
            "curve": {
                "time_h": self.times_h.tolist(),
                "percentiles": list(_BANDS),
                "fraction": self.fractions.tolist(),
            },
            "sentences": list(self.sentences),
        }


def outlook(calibrated: Calibrated, bench: Bench, hours: float, points: int = 97) -> Outlook:
    """Forecast one run.

    Args:
        calibrated: the draws with their constants.
        bench: the run.
        hours: how long it is watched.
        points: of the curve.

    Returns:
        The outlook.

    Raises:
        InputError: a time that is not positive, or a run that cannot be.
    """
    check.positive(hours, "hours", "h")
    times = np.linspace(0.0, hours, points)
    curves = calibrated.curves(bench, times)
    when = calibrated.times(bench)
    onset, completion = Band.of(when["onset"]), Band.of(when["completion"])
    fractions = np.percentile(curves, _BANDS, axis=0)
    return Outlook(bench, onset, completion, times, fractions, _sentences(calibrated, bench, onset, completion, hours))


def _sentences(calibrated: Calibrated, bench: Bench, onset: Band, completion: Band, hours: float) -> tuple[str, ...]:
    found = [
        "The bands are the spread over the limits of detection, stripping rate, yield and activation energy, each "
        "calibrated on the onset in the dark and the completion under 365 nm."
    ]
    if calibrated.impossible:
        found.append(f"{calibrated.impossible} draws were left out: no constants give them the two times.")
    if completion.median > hours and onset.median <= hours:
        found.append(f"After {hours:g} h it is more likely than not still incomplete.")
    if onset.median > hours:
        found.append(f"Within {hours:g} h diffraction will more likely than not see nothing.")
    if bench.water_ul is not None:
        median_yield = float(np.median(calibrated.unknowns.synthesis_yield))
        found.append(window(bench.lead_umol * median_yield, bench.temperature_k).verdict(bench.water_ul))
    if bench.transport_h == 0:
        found.append("Oil and water are taken to be mixed well; --transport says how long lead needs to the water.")
    if bench.temperature_k != 298.15:
        found.append("Temperature acts through an activation energy of 25 to 100 kJ/mol, which nobody has measured.")
    return tuple(found)


def sweep(calibrated: Calibrated, bench: Bench, what: str, values: Sequence[float]) -> list[tuple[float, Band, Band]]:
    """Forecast onset and completion over one condition.

    Args:
        calibrated: the draws with their constants.
        bench: the run.
        what: ``"wavelength"``, ``"irradiance"``, ``"temperature"`` or ``"water"``.
        values: of it, in nm, mW/cm2, K or uL.

    Returns:
        (value, onset, completion) for each.

    Raises:
        InputError: an unknown condition, no values, or a wavelength without light.
    """
    field = SWEEPS[check.one_of(what, SWEEPS, "The condition to sweep")][0]
    if not len(values):
        raise InputError("A sweep needs at least one value.")
    if what == "irradiance" and bench.wavelength_nm is None:
        raise InputError("A sweep over irradiance needs light: give its wavelength.")
    if what == "wavelength" and not bench.irradiance_mw_cm2 > 0:
        raise InputError("A sweep over wavelength needs light: give its irradiance.")
    rows = []
    for value in values:
        when = calibrated.times(replace(bench, **{field: float(value)}))  # type: ignore[arg-type]
        rows.append((float(value), Band.of(when["onset"]), Band.of(when["completion"])))
    return rows


def by_limits(bench: Bench, onsets: Sequence[float], completions: Sequence[float], draws: int = 40) -> list[list[Band]]:
    """Forecast the completion for given limits of detection, calibrated anew for each pair.

    Args:
        bench: the run.
        onsets: converted fractions at which the new phase shows.
        completions: converted fractions at which the old phase is gone.
        draws: of what else is not known.

    Returns:
        A row for each onset, a band for each completion.

    Raises:
        InputError: a limit that is not a share, or a run that cannot be.
    """
    for limit in (*onsets, *completions):
        if not 0 < limit < 1:
            raise InputError(f"A limit of detection must lie between 0 and 1, but is {limit:g}.")
    unknowns = Unknowns.draw(draws)
    return [
        [
            Band.of(calibrate(unknowns.fixed(onset_limit=a, completion_limit=b)).times(bench)["completion"])
            for b in completions
        ]
        for a in onsets
    ]


def local_exponents(calibrated: Calibrated, bench: Bench, factor: float = 2.0) -> Float[np.ndarray, " d"]:
    """Return the local exponent of the completion time against irradiance, d ln t / d ln I, of each draw.

    Args:
        calibrated: the draws with their constants.
        bench: the run, lit.
        factor: irradiances a factor above and below are compared.

    Returns:
        Shape (draws,): -1/2 where light opens the surface and s stays small, 0 where stripping or the dark rules.

    Raises:
        InputError: a run in the dark, or a factor of 1 or less.
    """
    if bench.wavelength_nm is None or not bench.irradiance_mw_cm2 > 0:
        raise InputError("The exponent of the irradiance needs light.")
    if not factor > 1:
        raise InputError(f'Argument "factor" must be above 1, but is {factor:g}.')
    low, high = (
        calibrated.times(replace(bench, irradiance_mw_cm2=bench.irradiance_mw_cm2 * f))["completion"]
        for f in (1 / factor, factor)
    )
    return np.asarray(np.log(high / low) / (2 * np.log(factor)))
