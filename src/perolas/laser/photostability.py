r"""Output of a laser over its shots: the law of ageing with the dose that each shot brings.

Each excitation of a nanocrystal raises its non-radiative rate by a share :math:`\varphi`
(`perolas.matter.ageing`), so that after n shots of :math:`\langle N \rangle` excitations each
:math:`r = r_0 \exp(\varphi\, n \langle N \rangle)`. At x times threshold a shot makes :math:`x^p` times as many
excitations as at threshold, p photons for each: 2.25 times at 1.5 with two.

A light test in a liquid gives :math:`\varphi J` alone. How many excitations J a nanocrystal had each second hangs on
whether the liquid was thin to the light (J as in free light) or thick (J lower by the share that is shaded): the two
readings of one test. A prediction that comes out otherwise by the other reading is undetermined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.pump import Band
from perolas.matter.ageing import SECONDS_PER_DAY, aged_ratio, lasing_kept

READINGS = ("thin", "thick")
INTACT = 0.95  # of the output; less is a loss that a plot of it over time would show
_HALF = 0.5


@dataclass(frozen=True)
class LightTest:
    """A light test of the same nanocrystals in a liquid.

    Attributes:
        ratio, ratio_std: r_0, non-radiative over radiative rate at the start.
        light_rate_per_d, light_rate_std: growth of log r that the light made, 1/d.
        excitations_per_s: of a nanocrystal that nothing shades, 1/s.
        shading: that over the excitations in the thick reading, at least 1.
    """

    ratio: float
    light_rate_per_d: float
    excitations_per_s: float
    shading: float
    ratio_std: float = 0.0
    light_rate_std: float = 0.0

    def __post_init__(self) -> None:
        for value, name, unit in (
            (self.ratio, "ratio", ""),
            (self.ratio_std, "error of the ratio", ""),
            (self.light_rate_per_d, "light rate", "1/d"),
            (self.light_rate_std, "error of the light rate", "1/d"),
        ):
            check.positive(value, name, unit, zero=True)
        check.positive(self.excitations_per_s, "excitation rate", "1/s")
        if not self.shading >= 1.0:
            raise InputError(f'Argument "shading" must be at least 1, but is {self.shading:g}.')

    def efficiency(self, reading: str, light_rate_per_d: ArrayLike | None = None) -> Float[np.ndarray, "..."]:
        """Return phi, the growth of log r for each excitation, by one reading of the test.

        Args:
            reading: ``"thin"`` or ``"thick"``.
            light_rate_per_d: instead of the test's own, any shape, 1/d.

        Returns:
            phi, of that shape.

        Raises:
            InputError: an unknown reading.
        """
        check.one_of(reading, READINGS, "The reading")
        rate = np.asarray(self.light_rate_per_d if light_rate_per_d is None else light_rate_per_d, dtype=float)
        shaded = self.shading if reading == "thick" else 1.0
        return rate / SECONDS_PER_DAY / (self.excitations_per_s / shaded)


@dataclass(frozen=True)
class Kept:
    """Lasing output after the shots over that at the start.

    Attributes:
        shots: how many.
        pump_over_threshold: x.
        per_shot: excitations of a nanocrystal by one shot.
        draws: reading -> shape (d,), the output kept.
        bands: reading -> median and 90 % band.
        curve_shots: shape (m,).
        curves: reading -> shape (3, m): 5th, 50th and 95th percentile of the output after so many shots.
        verdict: ``"intact"``, ``"lost"``, or ``"undetermined"`` where readings or draws disagree.
        sentence: that in words.
    """

    shots: float
    pump_over_threshold: float
    per_shot: Band
    draws: dict[str, Float[np.ndarray, " d"]]
    bands: dict[str, Band]
    curve_shots: Float[np.ndarray, " m"]
    curves: dict[str, Float[np.ndarray, "3 m"]]
    verdict: str
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return {
            "shots": self.shots,
            "pump_over_threshold": self.pump_over_threshold,
            "excitations_per_shot": self.per_shot.to_json(),
            "kept": {name: band.to_json() for name, band in self.bands.items()},
            "verdict": self.verdict,
            "sentence": self.sentence,
        }


def excitations_above(at_threshold: ArrayLike, pump_over_threshold: float, photons: int) -> Float[np.ndarray, "..."]:
    """Return the excitations of one shot at x times threshold: x^p times those at threshold.

    Args:
        at_threshold: mean number at threshold, any shape.
        pump_over_threshold: x, fluence over that of threshold.
        photons: p, for each excitation, 1 or 2.

    Returns:
        Mean number, of the same shape.

    Raises:
        InputError: a number that is not positive, or an order other than 1 or 2.
    """
    if photons not in (1, 2):
        raise InputError(f"Absorption of 1 or 2 photons is known, not of {photons}.")
    over = check.positive(pump_over_threshold, "pump over threshold")
    n = np.asarray(at_threshold, dtype=float)
    if not np.all(np.isfinite(n)) or np.any(n < 0):
        raise InputError("The excitations at threshold must be zero or positive.")
    return n * over**photons


def output_kept(
    test: LightTest,
    at_threshold: ArrayLike,
    shots: float,
    *,
    pump_over_threshold: float = 1.5,
    photons: int = 2,
    surroundings: tuple[float, float] = (1.0, 1.0),
    linear: bool = True,
    seed: int = 0,
    points: int = 60,
) -> Kept:
    """Return the lasing output over the shots, by both readings of a light test.

    Args:
        test: the light test.
        at_threshold: draws of the excitations of a nanocrystal at threshold, shape (d,), or one number.
        shots: how many.
        pump_over_threshold: x, above 1.
        photons: for each excitation.
        surroundings: lowest and highest effect of an excitation where the laser runs, over that in the test; drawn
            evenly between.
        linear: output linear above threshold (falls to nothing when the threshold has risen to the pump); False: in
            proportion to the emission yield, an upper bound.
        seed: of the draws of the test's numbers.
        points: of the curves.

    Returns:
        What is kept, with a verdict: intact or lost only where both readings say so in 95 % of the draws.

    Raises:
        InputError: a number that cannot be, or a pump at or below threshold.
    """
    number = check.positive(shots, "number of shots")
    low, high = (check.positive(x, "effect of the surroundings", zero=True) for x in surroundings)
    if low > high:
        raise InputError(f"The range of the surroundings runs backwards: {low:g} to {high:g}.")
    n = np.atleast_1d(excitations_above(at_threshold, pump_over_threshold, photons))
    rng = np.random.default_rng(seed)
    ratio = np.maximum(test.ratio + test.ratio_std * rng.standard_normal(n.size), 0.0)
    rate = np.maximum(test.light_rate_per_d + test.light_rate_std * rng.standard_normal(n.size), 0.0)
    effect = rng.uniform(low, high, n.size) if high > low else np.full(n.size, low)
    over = pump_over_threshold if linear else None
    times = number * np.concatenate([[0.0], np.geomspace(1e-4, 1.0, points - 1)])
    draws, bands, curves = {}, {}, {}
    for reading in READINGS:
        each = effect * test.efficiency(reading, rate) * n
        draws[reading] = np.asarray(lasing_kept(ratio, each * number, over))
        bands[reading] = Band.of(draws[reading])
        all_times = np.asarray(lasing_kept(ratio[:, None], each[:, None] * times, over))
        curves[reading] = np.percentile(all_times, [5.0, 50.0, 95.0], axis=0)
    verdict, sentence = _judge(draws, bands)
    return Kept(number, pump_over_threshold, Band.of(n), draws, bands, times, curves, verdict, sentence)


def _judge(draws: dict[str, Float[np.ndarray, " d"]], bands: dict[str, Band]) -> tuple[str, str]:
    shown = ", ".join(f"{name} {bands[name].low:.2g} to {bands[name].high:.2g}" for name in READINGS)
    if all(np.mean(draws[name] >= INTACT) >= 0.95 for name in READINGS):
        return "intact", f"Both readings of the light test leave the output intact ({shown})."
    if all(np.mean(draws[name] <= _HALF) >= 0.95 for name in READINGS):
        return "lost", f"By both readings of the light test more than half of the output is lost ({shown})."
    middle = [bands[name].median for name in READINGS]
    if (middle[0] >= INTACT) != (middle[1] >= INTACT) or abs(middle[0] - middle[1]) > 0.25:
        return "undetermined", f"The readings of the light test disagree on what is kept ({shown}): it is undetermined."
    return "undetermined", f"What is kept is undetermined: the bands are too wide ({shown})."


def shots_to_half(test: LightTest, per_shot: float, reading: str = "thin") -> float:
    """Return after how many shots the emission yield has fallen to half.

    Args:
        test: the light test.
        per_shot: excitations of a nanocrystal by one shot.
        reading: ``"thin"`` or ``"thick"``.

    Returns:
        Shots; infinity where nothing ages.

    Raises:
        InputError: a number that is not positive, or an unknown reading.
    """
    rate = float(test.efficiency(reading)) * check.positive(per_shot, "excitations per shot")
    if rate <= 0.0 or test.ratio <= 0.0:
        return float("inf")
    # 1 + r = 2 (1 + r_0)
    shots = float(np.log((1.0 + 2.0 * test.ratio) / test.ratio) / rate)
    assert float(aged_ratio(test.ratio, rate * shots)) > test.ratio
    return shots
