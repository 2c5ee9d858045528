"""Fitting a core level: prepare the data, choose the number of species by evidence, fit, name, and say it in words.

**How many species.** One to three are fitted, each from several starts that the data propose. A species more is taken
only if BIC falls by more than 6 ("strong" evidence, Kass and Raftery 1995), with the log-likelihoods divided by the
reduced chi-square of the best model where that is above one (quasi-likelihood: what is left unexplained is not counting
noise); if it lies where a species of this level can lie; if a free line shape does not explain the same; and, while
even the richer model does not describe the data within their noise, only if it at least halves the chi-square.
A background that slopes as well is allowed beside a Shirley step under the same rule.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.noise import AbstractNoise, Gaussian, Poisson, UnknownGaussian
from perolas.core.observation import axis_of, conditions_of, validate
from perolas.core.parameter import expand, slots, table
from perolas.measurements.xps import Xps
from perolas.measurements.xps_explore import Explorer, Outcome, Variant
from perolas.measurements.xps_levels import Level
from perolas.measurements.xps_names import CHARGING_EV, WORK_FUNCTION_EV, Naming, assign
from perolas.measurements.xps_start import Scan, Start
from perolas.measurements.xps_words import story

DECISIVE = 6.0
_MISFIT = 2.0  # a reduced chi-square above this is no description within the noise
_SUSPECT = 1.2  # above this it is worth trying whether the background slopes
_MARGIN_EV = (5.0, 5.0)  # beyond the lines of the species: charging, and a flat piece of background
_REGION_EV = 14.0  # data no more than this wider than the window are a scan of this level, used whole

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Request:
    """The options of `perolas.measurements.xps.fit`, checked; `species` is 0 for "auto"."""

    level: Level
    species: int
    background: str
    window: tuple[float, float] | None
    reference_std: float
    photon_energy: float | None
    noise: str
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: dict[str, float]
    starts: int
    seed: int


@dataclass
class Choice:
    """What the evidence says.

    Attributes:
        outcomes: the best fit of 0 to 3 species, under the chosen background.
        chosen: number of species.
        slope: whether the background slopes.
        shapes: fits with a free line shape that were needed for the choice, by number of species.
        dispersion: by which the log-likelihoods were divided.
        rejected: number of species -> why the step to it was not taken.
        limits: (species, distance from the main line in eV) -> upper limit (95 %) of its share, beside one species.
        naming: what the chosen species are.
    """

    outcomes: dict[int, Outcome]
    chosen: int
    slope: bool
    shapes: dict[int, Outcome] = field(default_factory=dict)
    dispersion: float = 1.0
    rejected: dict[int, str] = field(default_factory=dict)
    limits: dict[tuple[str, float], float] = field(default_factory=dict)
    naming: Naming | None = None

    def rows(self, points: int) -> list[dict[str, Any]]:
        """Return the table of evidence, one row for each number of species."""
        best = min(o.bic(points) for o in self.outcomes.values())
        least = min(o.bic(points, self.dispersion) for o in self.outcomes.values())
        return [
            {
                "species": n,
                "chi2_reduced": o.chi2_reduced,
                "aic": o.aic,
                "bic": o.bic(points),
                "delta_bic": o.bic(points) - best,
                "delta_bic_scaled": o.bic(points, self.dispersion) - least,
                "chosen": n == self.chosen,
                "rejected": self.rejected.get(n, ""),
            }
            for n, o in sorted(self.outcomes.items())
        ]


def run(observation: xr.Dataset, request: Request) -> Estimate:
    """Fit an observation; see `perolas.measurements.xps.fit` for arguments, result and errors."""
    energy, signal, variance, unit = _prepare(observation, request)
    noise = _noise(signal, variance, unit, request.noise)
    explorer = _explorer(energy, signal, noise, request)
    choice = _choose(explorer, request)
    conditions = conditions_of(observation)
    if choice.chosen == 0:
        return _nothing(explorer, choice, request, unit)
    model, free = _model(explorer, choice, request)
    estimate = invert(model, signal, free=free, fix=request.fix, starts=request.starts, seed=request.seed)
    kinetic = axis_of(observation) != "binding_energy_ev"
    naming = choice.naming = _name(estimate, request, conditions, kinetic)
    if choice.chosen == 1:
        choice.limits = _limits(explorer, choice, naming)
    return _finish(estimate, choice, naming, request, conditions, unit)


def _prepare(observation: xr.Dataset, request: Request) -> tuple[Array, Array, Array | None, str]:
    """Return binding energies, signal, variance (if known) and the signal's unit, cut to the window."""
    validate(observation)
    axis, values = axis_of(observation), observation["signal"].values
    if values.ndim != 1:
        raise InputError("xps fits one spectrum at a time; take one of the batch, or use invert for all of them.")
    energy = np.asarray(observation[axis].values, dtype=np.float64)
    if axis not in ("binding_energy_ev", "kinetic_energy_ev", "energy_ev"):
        raise InputError(f'xps needs an axis of binding or kinetic energies, but this observation has "{axis}".')
    if axis == "kinetic_energy_ev" or (axis == "energy_ev" and request.photon_energy is not None):
        photon = request.photon_energy or conditions_of(observation).get("photon_energy_ev")
        if not photon:
            raise InputError(
                "The energies are kinetic and the file does not give the photon energy; "
                'give it, e.g. photon_energy="1486.69 eV".'
            )
        energy = float(photon) - energy
    inside = _window(energy, request)
    variance = observation["variance"].values[inside] if "variance" in observation else None
    signal = np.asarray(values[inside], dtype=np.float64)
    if float(np.ptp(signal)) == 0.0:
        raise InputError(f"The signal is {signal[0]:g} everywhere; there is nothing to fit.")
    return energy[inside], signal, variance, str(observation["signal"].attrs["units"])


def _window(energy: Array, request: Request) -> NDArray[np.bool_]:
    low, high = request.level.range_ev
    have = f"the data run from {energy.min():g} to {energy.max():g} eV"
    if request.window is not None:
        first, last = request.window
    else:
        first, last = low - _MARGIN_EV[0], high + _MARGIN_EV[1]
        if np.ptp(energy) <= last - first + _REGION_EV and energy.min() < high and energy.max() > low:
            first, last = float(energy.min()), float(energy.max())
    inside = (energy >= first - 1e-9) & (energy <= last + 1e-9)
    if energy.max() < low - 1.0 or energy.min() > high + 1.0:
        raise InputError(
            f"{request.level.name} lies at {low:g} to {high:g} eV, but {have}; choose another level or region."
        )
    if np.sum(inside) < 12:
        raise InputError(
            f"Only {np.sum(inside)} points lie between {first:g} and {last:g} eV ({have}); {request.level.name} "
            "needs at least 12."
        )
    return np.asarray(inside)


def _noise(signal: Array, variance: Array | None, unit: str, kind: str) -> AbstractNoise:
    whole = bool(np.all(signal >= 0) and np.all(signal == np.round(signal)))
    if kind == "poisson" or (kind == "auto" and unit == "counts" and whole):
        check.counts(signal)
        if signal.max() < 1.0:
            raise InputError("Poisson noise needs counts, but the signal stays below one.")
        return Poisson()
    if kind == "auto" and variance is not None:
        return Gaussian(variance)
    return UnknownGaussian()


def _explorer(energy: Array, signal: Array, noise: AbstractNoise, request: Request) -> Explorer:
    order = np.argsort(energy)
    if isinstance(noise, Poisson):
        deviation = np.sqrt(np.maximum(signal, 1.0))
    elif isinstance(noise, Gaussian):
        deviation = np.sqrt(np.broadcast_to(np.asarray(noise.variance), signal.shape))
    else:
        deviation = np.full(signal.shape, _scatter(signal[order]))
    weight = 1.0 / deviation
    active = request.background == "shirley"
    known = slots(_blank(energy, request), "measurement")
    freed, held = expand(request.free, known), expand(request.fix, known)
    usual = ("splitting", "area_ratio", "lorentz_share")
    base = {"splitting": request.level.splitting_ev, "area_ratio": request.level.area_ratio, "lorentz_share": 0.3}
    scalars = {row.name for row in table(Xps) if not row.vector}
    fixed = {n: v for n, v in request.guess.items() if n in scalars and (n in held or n in usual)}
    return Explorer(
        energy=energy,
        signal=signal,
        level=request.level,
        background=request.background,
        noise=noise,
        scan=Scan(energy[order], signal[order], weight[order], request.level, active),
        held=base | {n: fixed[n] for n in usual if n in fixed},
        always=frozenset(n for n in usual if n in freed and n not in held),
        never=frozenset(n for n in held if n in scalars),
        fixed=fixed,
        jitter=min(request.starts - 1, 6),
        seed=request.seed,
    )


def _blank(energy: Array, request: Request) -> Xps:
    """Return a model with as many species as a user may name, to check names against."""
    count = request.species or 3
    return Xps(
        energy_ev=energy,
        level=request.level.name,
        background_kind=request.background,
        position_ev=[0.0] * count,
        area=[1.0] * count,
    )


def _scatter(signal: Array) -> float:
    """Return the noise of a signal from its second differences, robust against the lines in it."""
    bend = signal[2:] - 2 * signal[1:-1] + signal[:-2]
    found = 1.4826 * float(np.median(np.abs(bend))) / math.sqrt(6.0)
    return max(found, 1e-6 * float(np.ptp(signal)))


def _choose(explorer: Explorer, request: Request) -> Choice:
    points = explorer.signal.size
    linear = explorer.background == "linear"
    first = explorer.scan.first(6)

    def series(slope: bool) -> dict[int, Outcome]:
        found = {1: explorer.fit(Variant(1, slope), first)}
        for n in (2, 3):
            found[n] = explorer.fit(Variant(n, slope), explorer.scan.more(found[n - 1].start, 8))
        return found

    asked = "slope" in explorer.always or "slope" in request.free
    flat = series(linear or asked)
    choice = Choice(flat, 1, linear or asked)
    misfit = min(explorer.misfit(o) for o in flat.values())
    choice.dispersion = max(1.0, misfit)
    if not linear and not asked and "slope" not in request.fix:
        best = min(flat.values(), key=lambda o: o.bic(points, choice.dispersion))
        tried = explorer.fit(Variant(best.variant.species, True), [best.start])
        helps = tried.bic(points, choice.dispersion) < best.bic(points, choice.dispersion)
        if helps or misfit > _SUSPECT or not _plausible(explorer, flat[1]):
            sloped = series(True)
            better = min(explorer.misfit(o) for o in sloped.values())
            scale = max(1.0, min(misfit, better))
            gain = best.bic(points, scale) - min(o.bic(points, scale) for o in sloped.values())
            if gain > DECISIVE and (misfit < _MISFIT or better < 0.5 * misfit):
                choice.outcomes, choice.slope, choice.dispersion = sloped, True, scale
    level = float(np.median(explorer.signal))
    nothing = explorer.fit(Variant(0, True), [Start(np.zeros(0), np.zeros(0), 1.0, level, 0.0)])
    choice.outcomes[0] = nothing
    if request.species:
        choice.chosen = request.species
    elif nothing.bic(points, choice.dispersion) < choice.outcomes[1].bic(
        points, choice.dispersion
    ) + DECISIVE or not _plausible(explorer, choice.outcomes[1]):
        choice.chosen = 0
    else:
        choice.chosen = _count(explorer, choice, request)
    if choice.chosen == 0:
        choice.outcomes = {n: o for n, o in choice.outcomes.items() if n < 2 or not request.species}
    else:
        del choice.outcomes[0]
    return choice


def _plausible(explorer: Explorer, outcome: Outcome) -> bool:
    """Return whether what was found looks like a line at all: in the data, and of a width that lines have."""
    main, width = outcome.start.positions[0], outcome.start.fwhm / explorer.level.fwhm_ev
    return bool(explorer.energy.min() < main < explorer.energy.max() and 0.2 < width < 4.0)


def _count(explorer: Explorer, choice: Choice, request: Request) -> int:
    """Return how many species the evidence supports, noting why each further one was not taken."""
    points, scale = explorer.signal.size, choice.dispersion
    for n in (1, 2):
        here, there = choice.outcomes[n], choice.outcomes[n + 1]
        gain = here.bic(points, scale) - there.bic(points, scale)
        away = there.start.positions - there.start.positions[0]
        closest = min(abs(a - b) for i, a in enumerate(away) for b in away[:i])
        least = int(np.argmin(there.fractions))
        before, after = explorer.misfit(here), explorer.misfit(there)
        if gain <= DECISIVE:
            moves = f"falls by only {gain:.1f}" if gain > 0 else f"rises by {-gain:.1f}"
            choice.rejected[n + 1] = f"BIC {moves}"
        elif np.max(np.abs(away)) > explorer.level.reach_ev:
            far = there.start.positions[int(np.argmax(np.abs(away)))]
            choice.rejected[n + 1] = f"it would lie at {far:.1f} eV, where no species of {explorer.level.name} does"
        elif closest < 0.2 * there.start.fwhm:
            choice.rejected[n + 1] = f"it would lie {closest:.2f} eV from another, well within their width"
        elif there.fractions[least] < 3 * float(there.fractions_std[least]) * math.sqrt(scale):
            choice.rejected[n + 1] = "its area is less than three standard errors"
        elif after > max(_MISFIT, 0.5 * before):
            choice.rejected[n + 1] = (
                f"it only lowers the reduced chi-square from {before:.3g} to {after:.3g}, which is what a line shape "
                "that does not quite fit looks like"
            )
            choice.shapes[n] = explorer.fit(Variant(n, choice.slope, True), [here.start])
        else:
            if "lorentz_share" not in request.fix:
                shape = explorer.fit(Variant(n, choice.slope, True), [here.start])
                usual = abs(shape.start.fwhm / explorer.level.fwhm_ev - 1) < 0.35
                if usual and shape.bic(points, scale) < there.bic(points, scale) + DECISIVE:
                    choice.shapes[n] = shape
                    choice.rejected[n + 1] = (
                        f"lines with a Lorentzian share of {shape.lorentz_share:.2f} explain the same without it"
                    )
                    return n
            continue
        return n
    return 3


def _limits(explorer: Explorer, choice: Choice, naming: Naming) -> dict[tuple[str, float], float]:
    """Return the upper limit (95 %) of the share of each other species: (name, distance in eV) -> share."""
    level, main = explorer.level, choice.outcomes[1].start
    own = next((s for s in level.species if s.name == naming.rows[0]["species"][0]), level.species[0])  # type: ignore[index]
    found = {}
    for other in level.species:
        if other is own:
            continue
        away = other.position_ev - own.position_ev
        positions = np.append(main.positions, main.positions[0] + away)
        if not explorer.energy.min() < positions[1] < explorer.energy.max():
            continue
        start = Start(positions, np.append(main.areas, 0.02 * main.areas), main.fwhm, main.background, main.shirley)
        end = explorer.fit(Variant(2, choice.slope), [start], pinned=(1,))
        small = int(np.argmin(np.abs(end.start.positions - positions[0]) < 1e-3))
        spread = float(end.fractions_std[small]) * math.sqrt(choice.dispersion)
        found[other.name, away] = min(1.0, float(end.fractions[small]) + 1.645 * spread)
    return found


def _model(explorer: Explorer, choice: Choice, request: Request) -> tuple[Xps, tuple[str, ...]]:
    """Return the model at its start and the names of what is free in it."""
    best, start = choice.outcomes[choice.chosen], choice.outcomes[choice.chosen].start
    count = choice.chosen
    values: dict[str, Any] = {
        "position": start.positions.copy(),
        "area": np.maximum(start.areas, 1e-6 * start.areas.max()),
        "fwhm": start.fwhm,
        "background": start.background,
        "shirley": max(start.shirley, 1e-6) if request.background == "shirley" else 0.0,
        "slope": best.slope if choice.slope else explorer.fixed.get("slope", 0.0),
    }
    for name in ("splitting", "area_ratio", "lorentz_share"):  # what was pinned goes back to exactly where it belongs
        values[name] = getattr(best, name) if name in explorer.always else explorer.held[name]
    for name, value in request.guess.items():
        group, _, index = name.rpartition("_")
        if name in ("position", "area"):
            values[name][:] = value
        elif name in values:
            values[name] = value
        elif group in ("position", "area") and index.isdigit() and 0 < int(index) <= count:
            values[group][int(index) - 1] = value
        else:
            elements = [f"{g}_{i + 1}" for g in ("position", "area") for i in range(count)]
            check.one_of(name, [*values, *elements], "The guess")
    fields = {row.name: row.field for row in table(Xps)}
    model = Xps(
        energy_ev=explorer.energy,
        noise=explorer.noise,
        level=explorer.level.name,
        background_kind=request.background,
        **{fields[name]: value for name, value in values.items()},
    )
    extra = ("slope",) if choice.slope else ()
    return model, tuple(dict.fromkeys([*model.free_by_default, *extra, *request.free]))


def _nothing(explorer: Explorer, choice: Choice, request: Request, unit: str) -> Estimate:
    """Return the upper limit of the area where the level is not found."""
    species = request.level.species[0]
    total = max(float(np.std(explorer.signal)), 1e-12) * request.level.fwhm_ev
    model = Xps(
        energy_ev=explorer.energy,
        noise=explorer.noise,
        level=request.level.name,
        background_kind="linear",
        position_ev=[species.position_ev],
        area=[total],
        fwhm_ev=request.level.fwhm_ev,
        background_counts=choice.outcomes[0].start.background,
        shirley=0.0,
        slope=choice.outcomes[0].slope,
        splitting_ev=request.level.splitting_ev,
        area_ratio=request.level.area_ratio,
    )
    estimate = invert(model, explorer.signal, free=("area", "background", "slope"), throw=False)
    area = estimate["area_1"]
    limit = max(area.value, 0.0) + 1.645 * area.std
    sentence = (
        f"No {request.level.name} signal was found between {explorer.energy.min():.1f} and "
        f"{explorer.energy.max():.1f} eV; a {request.level.line} at {species.position_ev:g} eV would have an area "
        f"below {limit:.3g} {unit if unit != '1' else ''} eV (95 %).".replace("  ", " ")
    )
    extra = {
        "detected": False,
        "evidence": choice.rows(explorer.signal.size),
        "assignment": [],
        "species": [],
        "area_limit_95": limit,
    }
    return _with_unit(dataclasses.replace(estimate, warnings=(sentence,), extra=extra), unit)


def _name(estimate: Estimate, request: Request, conditions: dict[str, Any], kinetic: bool) -> Naming:
    """Name the species; kinetic energies may lack the analyser's work function as well."""
    count = estimate.problem.measurement.area.shape[-1]
    quantities = estimate.quantities | estimate.fixed
    positions = np.array([quantities[f"position_{i + 1}"].value for i in range(count)])
    covariance = np.zeros((count, count))
    place = {n: i for i, n in enumerate(estimate.names)}
    index = [place.get(f"position_{i + 1}", -1) for i in range(count)]
    for a in range(count):
        for b in range(count):
            if min(index[a], index[b]) >= 0:
                covariance[a, b] = estimate.covariance[index[a], index[b]]
    corrected = conditions.get("charge_corrected") is True
    shift = request.reference_std if corrected else math.hypot(request.reference_std, CHARGING_EV)
    shift = shift if corrected or not kinetic else math.hypot(shift, WORK_FUNCTION_EV)
    return assign(request.level, positions, np.nan_to_num(covariance), max(shift, 1e-3))


def _finish(
    estimate: Estimate, choice: Choice, naming: Naming, request: Request, conditions: dict[str, Any], unit: str
) -> Estimate:
    shared = tuple(n for n in estimate.names if n.startswith("position_"))
    estimate = estimate.with_shared_error(shared, request.reference_std)
    count = choice.chosen
    quantities = estimate.quantities | estimate.fixed
    listed, added = [], {}
    for i in range(count):
        position, fraction = quantities[f"position_{i + 1}"], quantities[f"fraction_{i + 1}"]
        listed.append(
            {
                "index": i + 1,
                "name": naming.names[i],
                "posterior": naming.posterior[i],
                "position": position.value,
                "fraction": fraction.value,
            }
        )
        species = naming.species[i]
        if species is not None:
            for what, source in (("position", position), ("fraction", fraction)):
                definition = f"{what}_{i + 1}, which is {species.name}"
                added[f"{what}_{species.slug}"] = Quantity(source.value, source.std, source.unit, definition)
    evidence = choice.rows(estimate.n_points)
    notes, warnings = story(estimate, choice, naming, request, conditions.get("charge_corrected") is True)
    extra = {
        "detected": True,
        "evidence": evidence,
        "assignment": list(naming.rows),
        "species": listed,
        "dispersion": choice.dispersion,
        "share_limits_95": {name: share for (name, _), share in choice.limits.items()},
    }
    estimate = dataclasses.replace(
        estimate, notes=notes, warnings=estimate.warnings + warnings, extra=extra, added=estimate.added | added
    )
    return _with_unit(estimate, unit)


def _with_unit(estimate: Estimate, unit: str) -> Estimate:
    """Return the estimate with the observation's own unit where the table says counts."""
    if unit == "counts":
        return estimate
    plain = {"counts": "1", "counts eV": "eV", "counts/eV": "1/eV"} if unit in ("", "1") else {}
    units = {n: plain.get(u, u.replace("counts", unit)) for n, u in estimate.units.items()}
    return dataclasses.replace(estimate, units=units)
