"""Fits of every number of species and background that a spectrum might need, through one compiled function.

The model here always has three species and every parameter free; what a variant holds is pinned where it starts by a
prior far narrower than the data could ever be. So zero to three species, with or without a slope, with or without a
free line shape, are one compilation, and all starts of a variant are one batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.noise import AbstractNoise, Gaussian
from perolas.core.solver import LevenbergMarquardt
from perolas.measurements.xps import Xps
from perolas.measurements.xps_levels import Level
from perolas.measurements.xps_start import Scan, Start

SLOTS = 3  # species in the model
STARTS = 8  # starts of every batch: one size, one compilation
_PIN = 1e-7
_NOTHING = 1e-9  # area of a species that is not there, of all there is
_SOLVER = LevenbergMarquardt(tol=1e-9, max_steps=100, chunk=STARTS, threads=1)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Variant:
    """What a model of the spectrum may vary.

    Attributes:
        species: 0 to 3.
        slope: whether the background may slope (always, if it is linear).
        shape: whether the Lorentzian's share is free.
    """

    species: int
    slope: bool = False
    shape: bool = False


@dataclass(frozen=True)
class Outcome:
    """The best fit of a variant.

    Attributes:
        variant: what was free.
        start: its parameters, as a start for further fits.
        slope, lorentz_share, splitting, area_ratio: the others.
        log_likelihood, chi2_reduced: quality; the latter is NaN where the noise was taken from the residuals.
        free: number of parameters, the noise's own included.
        positions_std, fractions, fractions_std: shape (k,), largest species first.
    """

    variant: Variant
    start: Start
    slope: float
    lorentz_share: float
    splitting: float
    area_ratio: float
    log_likelihood: float
    chi2_reduced: float
    free: int
    positions_std: Array
    fractions: Array
    fractions_std: Array

    @property
    def aic(self) -> float:
        """Return Akaike's criterion."""
        return 2 * self.free - 2 * self.log_likelihood

    def bic(self, points: int, dispersion: float = 1.0) -> float:
        """Return Schwarz's criterion, with the log-likelihood divided by `dispersion`."""
        return self.free * math.log(points) - 2 * self.log_likelihood / dispersion


@dataclass(frozen=True)
class Explorer:
    """The data and what the user holds or frees, ready to fit any variant.

    Attributes:
        energy, signal: shape (n,), eV and counts, as measured.
        level, background, noise: of the model.
        scan: the same data for start values.
        held: values of the parameters that are usually held (splitting, area_ratio, lorentz_share).
        always, never: parameters that the user frees, or holds.
        fixed: values at which the user holds scalar parameters.
        jitter: extra random starts.
        seed: of those.
    """

    energy: Array
    signal: Array
    level: Level
    background: str
    noise: AbstractNoise
    scan: Scan
    held: dict[str, float]
    always: frozenset[str]
    never: frozenset[str]
    fixed: dict[str, float]
    jitter: int = 0
    seed: int = 0

    def fit(self, variant: Variant, starts: list[Start], *, pinned: tuple[int, ...] = ()) -> Outcome:
        """Fit a variant from every start and return its best end.

        Args:
            variant: what is free.
            starts: guesses with as many species as the variant; at most `STARTS` are used.
            pinned: species whose position stays where it starts.

        Returns:
            The end with the highest likelihood, or the start itself where nothing converged.
        """
        starts = self._filled(starts, variant.species)
        free, prior, model = self._posed(variant, starts, pinned)
        signal = np.broadcast_to(self.signal, (STARTS, self.signal.size))
        ends = invert(model, signal, free=free, prior=prior, solver=_SOLVER, throw=False)
        scores = [
            float(self.noise.log_likelihood(jnp.asarray(self.signal), jnp.asarray(mean)))
            if np.all(np.isfinite(mean))
            else -math.inf
            for mean in ends.expected
        ]
        best = int(np.argmax(scores))
        return self._outcome(variant, ends.element(best), scores[best], len(pinned))

    def misfit(self, outcome: Outcome) -> float:
        """Return the reduced chi-square, against the scatter of neighbouring points where the noise is unknown."""
        if not math.isnan(outcome.chi2_reduced):
            return outcome.chi2_reduced
        points = self.signal.size
        rest = math.exp(-2 * outcome.log_likelihood / points - 1) / (2 * math.pi)  # of the likelihood's own variance
        return rest * points / max(points - outcome.free, 1) * float(self.scan.weight[0]) ** 2

    def _filled(self, starts: list[Start], species: int) -> list[Start]:
        """Return exactly `STARTS` starts: those given, then scattered copies, then plain ones."""
        starts = starts[: STARTS - min(self.jitter, STARTS - 1)] if self.jitter else starts[:STARTS]
        rng = np.random.default_rng(self.seed)
        base = starts[0]
        while len(starts) < STARTS:
            if len(starts) < STARTS - self.jitter:
                starts = [*starts, base]
                continue
            moved = base.positions + base.fwhm * rng.normal(size=species)
            starts = [*starts, replace(base, positions=moved, fwhm=base.fwhm * math.exp(0.3 * rng.normal()))]
        return starts

    def _posed(
        self, variant: Variant, starts: list[Start], pinned: tuple[int, ...]
    ) -> tuple[list[str], dict[str, tuple[float, float]], Xps]:
        """Return free names, pins as priors, and the model with a batch of starts."""
        count = variant.species
        total = max(float(np.sum(np.abs(self.signal - self.signal.min()))) * self._step(), 1e-300)
        spare = float(self.energy.mean())
        positions = np.full((STARTS, SLOTS), spare)
        areas = np.full((STARTS, SLOTS), _NOTHING * total)
        for row, start in enumerate(starts):
            positions[row, :count] = start.positions
            areas[row, :count] = np.maximum(start.areas, 0.01 * max(start.areas.max(initial=0.0), 1e-3 * total))
        height = max(float(np.ptp(self.signal)), 1e-300)
        prior: dict[str, tuple[float, float]] = {}
        for i in range(count, SLOTS):
            prior[f"position_{i + 1}"] = (spare, _PIN)
            prior[f"area_{i + 1}"] = (_NOTHING * total, _PIN * _NOTHING * total)
        for i in pinned:
            prior[f"position_{i + 1}"] = (float(positions[0, i]), _PIN)
        fwhm = np.array([s.fwhm for s in starts])
        shirley = np.array([max(s.shirley, 1e-4) if count else 0.0 for s in starts])
        free = ["position", "area", "fwhm", "background", "slope", "lorentz_share"]
        values = {"slope": 0.0, **self.held, **self.fixed}
        if count == 0 or "fwhm" in self.never:
            fwhm = np.full(STARTS, self.fixed.get("fwhm", self.level.fwhm_ev))
            prior["fwhm"] = (float(fwhm[0]), _PIN)
        if not variant.slope or "slope" in self.never:
            prior["slope"] = (values["slope"], _PIN * height)
        if not (variant.shape or "lorentz_share" in self.always) or "lorentz_share" in self.never or count == 0:
            prior["lorentz_share"] = (values["lorentz_share"], _PIN)
        if self.level.is_doublet:
            free += ["splitting", "area_ratio"]
            for name in ("splitting", "area_ratio"):
                if name not in self.always or count == 0:
                    prior[name] = (values[name], _PIN)
        if self.background == "shirley":
            free.append("shirley")
            if "shirley" in self.never or count == 0:
                shirley = np.full(STARTS, values.get("shirley", 0.0))
                prior["shirley"] = (float(shirley[0]), _PIN)
        spread = np.ones(STARTS)
        noise = self.noise
        if noise.scale_is_estimated:  # pins need a likelihood with a scale
            noise = Gaussian(jnp.asarray(1.0 / float(self.scan.weight[0]) ** 2))
        model = Xps(
            energy_ev=self.energy,
            noise=noise,
            level=self.level.name,
            background_kind=self.background,
            position_ev=positions,
            area=areas,
            fwhm_ev=fwhm,
            background_counts=np.array([s.background for s in starts]),
            shirley=shirley,
            slope=values["slope"] * spread,
            splitting_ev=values["splitting"] * spread,
            area_ratio=values["area_ratio"] * spread,
            lorentz_share=values["lorentz_share"] * spread,
        )
        return free, prior, model

    def _step(self) -> float:
        return float(np.abs(np.median(np.diff(self.energy))))

    def _outcome(self, variant: Variant, end: Estimate, score: float, pinned: int) -> Outcome:
        count = variant.species
        value = {n: float(v) for n, v in zip(end.names, end.values, strict=True)}
        std = {n: float(v) for n, v in zip(end.names, end.std, strict=True)}
        areas = np.array([value[f"area_{i + 1}"] for i in range(count)])
        order = np.argsort(-areas, kind="stable")

        def vector(source: dict[str, float], name: str) -> Array:
            return np.array([source[f"{name}_{i + 1}"] for i in order], dtype=np.float64)

        free = 2 * count - pinned + (count > 0 and "fwhm" not in self.never) + 1
        free += (variant.slope and "slope" not in self.never) + (variant.shape and count > 0)
        free += self.background == "shirley" and count > 0 and "shirley" not in self.never
        free += len(self.always) if count else 0
        free += self.noise.scale_is_estimated
        shirley = value.get("shirley", 0.0)
        start = Start(vector(value, "position"), areas[order], value["fwhm"], value["background"], shirley)
        weight = np.asarray(self.noise.weight(jnp.asarray(self.signal), jnp.asarray(end.expected)))
        with np.errstate(over="ignore"):
            chi2 = float(np.sum(weight * (self.signal - end.expected) ** 2)) / max(self.signal.size - free, 1)
        return Outcome(
            variant,
            start,
            value["slope"],
            value["lorentz_share"],
            value.get("splitting", self.held["splitting"]),
            value.get("area_ratio", self.held["area_ratio"]),
            score,
            math.nan if self.noise.scale_is_estimated else chi2,
            int(free),
            vector(std, "position"),
            vector(value, "fraction"),
            vector(std, "fraction"),
        )
