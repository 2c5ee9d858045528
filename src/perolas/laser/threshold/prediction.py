"""The threshold as a distribution, its budget, and what else follows from the same draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.laser import film, pump, rate
from perolas.laser.pump import Band
from perolas.laser.threshold import tiers
from perolas.laser.threshold.question import PARAMETERS_USED as _UNKNOWNS_USED
from perolas.laser.threshold.question import TIERS, Question, drawn, unknowns
from perolas.laser.threshold.variance import Share, budget
from perolas.laser.threshold_names import QUANTITIES
from perolas.matter import optics
from perolas.matter.parameters_library import parameter_value, physical_parameter

WIDE = 10.0  # a 90 % band whose ends differ by more is called uninformative
SWEEPS = {
    "fluence": ("fluence_uj_cm2", "uJ/cm^2"),
    "area": ("area_um2", "um^2"),
    "temperature": ("temperature_k", "K"),
    "thickness": ("thickness_nm", "nm"),
}
PARAMETERS_USED = (
    *_UNKNOWNS_USED,
    "CsPbBr3.band_gap",
    "CsPbBr3.emission_energy_300k",
    "CsPbBr3.gap_rise_77_300",
    "CsPbBr3.einstein_temperature",
    "CsPbBr3.melting_temperature",
)
_DRAWS = (16, 16384)
_CLOSE = 1.1  # ratio of diameters over which a local exponent is taken, from 1/1.1 to 1.1


@dataclass(frozen=True)
class Forecast:
    """A predicted threshold and what belongs to it.

    Attributes:
        question: what was asked.
        tier: that answered.
        lasing_share: share of the draws that lase at all.
        draws: name of `QUANTITIES` -> shape (n,), of the draws that lase.
        budget: lines by falling share of the variance of the log of the threshold; a film that does not lase counts
            with the fluence that makes as many excitations as the tables hold.
        sentences: what has to be said.
    """

    question: Question
    tier: str
    lasing_share: float
    draws: dict[str, Float[np.ndarray, " n"]]
    budget: tuple[Share, ...]
    sentences: tuple[str, ...] = ()

    def band(self, name: str) -> Band:
        """Return median and 90 % band of a quantity."""
        return Band.of(self.draws[name])

    @property
    def informative(self) -> bool:
        """Tell whether the 90 % band of the threshold is at most tenfold."""
        band = self.band("threshold")
        return band.high <= WIDE * band.low

    def to_json(self) -> dict[str, Any]:
        """Return the forecast as JSON data."""
        return {
            "tier": self.tier,
            "photons": self.question.order,
            "lasing_share": self.lasing_share,
            "informative": self.informative,
            "quantities": {
                name: {**self.band(name).to_json(), "unit": unit, "definition": text}
                for name, (unit, text) in QUANTITIES.items()
            },
            "budget": [vars(line) for line in self.budget],
            "unknowns": [
                {"name": name, "group": law.group, "meaning": str(law)} for name, law in unknowns(self.question).items()
            ],
            "sentences": list(self.sentences),
            "parameters": parameters_used(),
        }


def forecast(question: Question, tier: str = "rate", draws: int = 512, seed: int = 0) -> Forecast:
    """Predict the threshold of a film as a distribution, with the budget of its uncertainty.

    Args:
        question: what is known about film and pump.
        tier: ``"rate"`` or ``"diffusion"``.
        draws: of the unknowns; the next power of two is taken, and the budget needs some eight times as many.
        seed: of the draws.

    Returns:
        The forecast.

    Raises:
        InputError: an unknown tier, a number of draws outside 16 to 16384, a cross-section outside its validity, or a
            film that lases in no draw.
    """
    check.one_of(tier, TIERS, "The tier")
    if not _DRAWS[0] <= draws <= _DRAWS[1]:
        raise InputError(f'Argument "draws" must lie between {_DRAWS[0]} and {_DRAWS[1]}, but is {draws}.')
    base = 2 ** math.ceil(math.log2(draws) - 1.0)
    laws = unknowns(question)
    kept: list[tuple[Float[np.ndarray, "d m"], tiers.Found]] = []

    def log_threshold(shares: Float[np.ndarray, "d m"]) -> Float[np.ndarray, " m"]:
        found = tiers.solve(question, drawn(laws, shares, question), tier)
        kept.append((shares, found))
        return np.log(found.fluence_uj_cm2)

    sampled = budget(log_threshold, [law.group for law in laws.values()], base, seed)
    plain = drawn(laws, sampled.shares, question)
    found = tiers.Found(*(np.asarray(x)[: 2 * base] for x in kept[0][1]))
    lases = found.lases > 0.5
    if not lases.any():
        raise InputError("This film lases in none of the draws, however hard it is pumped; its losses are too high.")
    values = _quantities(question, tier, plain, found, seed)
    lines = tuple(s for s in sampled.budget if s.group != "amplified emission")
    result = Forecast(question, tier, float(np.mean(lases)), {k: v[lases] for k, v in values.items()}, lines)
    return replace(result, sentences=_sentences(result, plain, lases))


def thresholds(question: Question, tier: str = "rate", draws: int = 256, seed: int = 0) -> Float[np.ndarray, " n"]:
    """Return draws of the threshold alone, without budget.

    Args:
        question: what is known.
        tier: ``"rate"`` or ``"diffusion"``.
        draws: of the unknowns, the same for every question with one seed, so that sweeps are smooth.
        seed: of the draws.

    Returns:
        Threshold fluence, uJ/cm2; infinity in draws that do not lase.
    """
    from scipy.stats import qmc

    laws = unknowns(question)
    shares = qmc.Sobol(len(laws), seed=seed).random(2 ** math.ceil(math.log2(max(draws, 2)))).T
    found = tiers.solve(question, drawn(laws, shares, question), tier)
    return np.where(found.lases > 0.5, found.fluence_uj_cm2, np.inf)


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Attributes:
        value: of the condition.
        low, median, high: of the threshold over all draws, uJ/cm2: 5th, 50th and 95th percentile; infinity: no lasing.
        lasing_share: share of the draws that lase.
    """

    value: float
    low: float
    median: float
    high: float
    lasing_share: float

    @staticmethod
    def of(value: float, fluence: Float[np.ndarray, " n"]) -> Point:
        """Return the point of draws."""
        ends = np.percentile(fluence, [5.0, 50.0, 95.0], method="inverted_cdf")  # never half of infinity
        low, median, high = (float(x) for x in ends)
        return Point(value, low, median, high, float(np.mean(np.isfinite(fluence))))

    def __str__(self) -> str:
        words = [f"{x:.3g}" if math.isfinite(x) else "never" for x in (self.low, self.median, self.high)]
        return f"{words[1]} uJ/cm^2 (5 to 95 %: {words[0]} to {words[2]}); lases in {100 * self.lasing_share:.0f} %"

    def to_json(self) -> dict[str, float | None]:
        """Return the point as JSON data, null for never."""
        return {k: v if math.isfinite(v) else None for k, v in vars(self).items()}


def sweep(
    question: Question, what: str, values: Sequence[float], tier: str = "rate", draws: int = 256, seed: int = 0
) -> list[Point]:
    """Return the threshold over one condition, with all else as the question says.

    Args:
        question: what is known.
        what: ``"area"`` (um2), ``"temperature"`` (K) or ``"thickness"`` (nm).
        values: of it.
        tier: as for `thresholds`.
        draws: as for `thresholds`.
        seed: as for `thresholds`.

    Returns:
        A point for each value.

    Raises:
        InputError: an unknown condition, or a value that cannot be.
    """
    check.one_of(what, [name for name in SWEEPS if name != "fluence"], "The condition to sweep")
    points = []
    for value in values:
        there = check.positive(value, what, SWEEPS[what][1])
        change: dict[str, float] = {SWEEPS[what][0]: there}
        if what == "area":
            change = {"spot_um": 2.0 * math.sqrt(there / math.pi)}
        points.append(Point.of(there, thresholds(replace(question, **change), tier, draws, seed)))  # type: ignore[arg-type]
    return points


def s_curves(found: Forecast, fluence_uj_cm2: Float[np.ndarray, " m"], most: int = 200) -> Float[np.ndarray, "d m"]:
    """Return photons in the lasing mode against fluence, for draws that lase.

    Args:
        found: a forecast.
        fluence_uj_cm2: shape (m,), uJ/cm2.
        most: draws that are worked out.

    Returns:
        Shape (d, m), by the rate equations with each draw's threshold and beta.

    Raises:
        InputError: a fluence that is not positive.
    """
    light = np.asarray(fluence_uj_cm2, dtype=float)
    if not np.all(np.isfinite(light)) or np.any(light <= 0):
        raise InputError('Argument "fluence" must be positive everywhere.')
    over = light / found.draws["threshold"][:most, None]
    beta = found.draws["beta"][:most, None]
    return np.asarray(rate.exact_photons(over**found.question.order, beta))


def _quantities(
    question: Question, tier: str, plain: tiers.Draws, found: tiers.Found, seed: int
) -> dict[str, Float[np.ndarray, " n"]]:
    count = found.fluence_uj_cm2.size
    nm, index = found.wavelength_nm, tiers.index_at_line(question, plain)
    small, large = (tiers.solve(question, plain | {"spot": plain["spot"] * f}, tier) for f in (1.0 / _CLOSE, _CLOSE))
    both = small.lases > 0.5  # where the smaller spot does not lase, the slope is that towards the larger one
    first = np.where(both, small.fluence_uj_cm2, found.fluence_uj_cm2)
    span = 2.0 * math.log(_CLOSE) * (1.0 + both)
    limit = 2.0 * math.log(2.0) / math.pi * nm**2 / (units.SPEED_OF_LIGHT_NM_FS * 1e3 * np.maximum(found.gain_ps, 0.01))
    place = (np.arange(count) * 0.6180339887498949) % 1.0  # where a line lies between its limits is not known
    cold = np.maximum(found.cold_nm, limit)
    grains = film.mean_free_path(
        question.size_nm,
        min(float(np.median(plain["filling"])), 0.6),
        float(optics.refractive_index("CsPbBr3", float(np.median(nm))).real),
        parameter_value("film.ligand_index"),
        float(np.median(nm)),
    )
    width_nm = nm**2 / units.HC_EV_NM * float(optics.emission_fwhm_ev(question.temperature_k)) * plain["width"]
    volume = 0.25 * math.pi * (plain["spot"] * 1e3) ** 2 * plain["thickness"]
    modes = 8.0 * math.pi * index**3 * width_nm / nm**4 * volume
    dose = (
        np.asarray(pump.absorbed_j_cm3(found.excitations, question.wavelength_nm, question.order, question.size_nm))
        * (question.size_nm / plain["size"]) ** 3
    )
    heat = [pump.heating_k(1.5**question.order * x, question.temperature_k) for x in dose]
    return {
        "threshold": found.fluence_uj_cm2,
        "excitations": found.excitations,
        "excitations_steady": found.steady,
        "centre": _centres(question, count, seed),
        "lasing_wavelength": nm,
        "linewidth": limit * (cold / limit) ** place,
        "linewidth_cold": found.cold_nm,
        "linewidth_limit": limit,
        "area_exponent": np.log(large.fluence_uj_cm2 / first) / span,
        "ase_onset": found.ase_uj_cm2,
        "ase_over_lasing": found.ase_uj_cm2 / found.fluence_uj_cm2,
        "gain_lifetime": found.gain_ps,
        "leakage": found.leakage_cm1,
        "absorption": found.absorption_cm1,
        "scattering": found.scattering_cm1,
        "edge": found.edge_cm1,
        "path_over_spot": plain["transport"] / plain["spot"],
        "grains_over_spot": grains.transport_um / plain["spot"],
        "beta": np.minimum(1.0 / modes, 1.0),
        "dose": dose,
        "warmed_to": question.temperature_k + np.array(heat),
    }


def _centres(question: Question, count: int, seed: int) -> Float[np.ndarray, " n"]:
    """Return draws of the emission maximum: scatter from sample to sample, and of its rise with temperature."""
    rise = physical_parameter("CsPbBr3.gap_rise_77_300").std * 1e-3 * abs(300.0 - question.temperature_k) / 223.0
    std = math.hypot(physical_parameter("CsPbBr3.emission_energy_300k").std, rise)
    energy = float(optics.emission_energy_ev(question.temperature_k, question.size_nm))
    return units.HC_EV_NM / (energy + std * np.random.default_rng(seed).standard_normal(count))


def _sentences(found: Forecast, plain: tiers.Draws, lases: Float[np.ndarray, " n"]) -> tuple[str, ...]:
    said = []
    band = found.band("threshold")
    factor = band.high / band.low
    if found.informative:
        said.append(f"The 90 % band of the threshold is {factor:.1f}-fold.")
    else:
        said.append(
            f"The 90 % band of the threshold is {factor:.1f}-fold, which is uninformative: what is known about such "
            "films does not predict it."
        )
    if found.lasing_share < 1.0:
        said.append(
            f"In {100 * (1 - found.lasing_share):.0f} % of the draws the film does not lase at any pump; the bands are "
            "those of the others."
        )
    apart = float(np.mean((plain["transport"] > 0.2 * plain["spot"])[lases]))
    if found.tier == "diffusion" and apart > 0.05:
        said.append(
            f"In {100 * apart:.0f} % of them the transport mean free path is over a fifth of the spot, where diffusion "
            "is a guess."
        )
    grains = found.band("grains_over_spot").median
    if grains > 1.0:
        said.append(
            f"Packed grains alone scatter over {grains:.0f} times the spot: feedback needs aggregates, roughness or "
            "edges."
        )
    return tuple(said)


def parameters_used() -> list[dict[str, Any]]:
    """Return the numbers that this rests on, each with its source and status."""
    items = [physical_parameter(name) for name in PARAMETERS_USED]
    return [{"name": i.name, "value": i.value, "unit": i.unit, "std": i.std, "status": i.status} for i in items]
