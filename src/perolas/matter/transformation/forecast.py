"""Calibrated on two times, everything else predicted: draws from what is not known, each calibrated on its own.

The dark onset fixes k_o and the completion under light fixes Phi, for each draw of what the two times leave open: at
which converted fraction diffraction shows the new phase and loses the old one, the stripping rate k_s, the yield of
the synthesis (which sets the optical density) and the activation energy. A forecast is the spread over the draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.matter.parameters_library import parameter_value
from perolas.matter.transformation.batch import conversions, mapped
from perolas.matter.transformation.conditions import Conditions
from perolas.matter.transformation.kinetics import Kinetics, conversion, time_to

PARAMETERS_USED = (
    "transformation.dark_onset",
    "transformation.light_completion",
    "transformation.onset_limit",
    "transformation.completion_limit",
    "transformation.stripping_rate",
    "transformation.synthesis_yield",
    "transformation.activation_energy",
    "ligand.per_lead_20nm",
)
_FORECAST_TOLERANCE = 1e-8
# A constant is looked for between these.
_BETWEEN = (1e-9, 1e3)


@dataclass(frozen=True)
class Bench:
    """The vessel of a run: what `Conditions.of` needs, before the yield is known.

    Attributes:
        lead_umol: lead in Cs4PbBr6 that the recipe allows, umol.
        volume_ml: of the dispersion.
        water_ul: water added.
        wavelength_nm: of the light; None: dark.
        irradiance_mw_cm2: outside the vessel.
        vial: kind of vial; ``"open"``: lit from above.
        temperature_k: temperature.
        transport_h: time for lead to reach the water.
        seeds: share of the lead that is in the product at the beginning.
        lit_area_cm2: lit area.
        path_cm: way of the light.
    """

    lead_umol: float = 6.67
    volume_ml: float = 1.0
    water_ul: float | None = 125.0
    wavelength_nm: float | None = None
    irradiance_mw_cm2: float = 0.0
    vial: str = "open"
    temperature_k: float = 298.15
    transport_h: float = 0.0
    seeds: float = 0.0
    lit_area_cm2: float = 1.0
    path_cm: float = 1.0

    def conditions_of(self, synthesis_yield: float) -> Conditions:
        """Return the conditions for one yield of the synthesis; raises InputError as `Conditions.of` does."""
        return Conditions.of(
            lead_umol=self.lead_umol * synthesis_yield,
            volume_ml=self.volume_ml,
            water_ul=self.water_ul,
            wavelength_nm=self.wavelength_nm,
            irradiance_mw_cm2=self.irradiance_mw_cm2,
            lit_area_cm2=self.lit_area_cm2,
            path_cm=self.path_cm,
            vial=self.vial,
            temperature_k=self.temperature_k,
            transport_h=self.transport_h,
        )

    def conditions(self, yields: Float[np.ndarray, " d"]) -> Conditions:
        """Return the conditions for each yield of the synthesis; thickness and salt grow with the lead, q falls."""
        full = self.conditions_of(1.0)
        y = jnp.asarray(yields)
        same = jnp.ones_like(y)
        return Conditions(
            photons_per_lead_h=full.photons_per_lead_h / y,
            product_thickness=full.product_thickness * y,
            parent_thickness=full.parent_thickness * y,
            solvent_thickness=full.solvent_thickness * same,
            bromide_ratio=full.bromide_ratio * y,
            transport_h=full.transport_h * same,
            temperature_k=full.temperature_k * same,
        )


@dataclass(frozen=True)
class Unknowns:
    """What the calibration times leave open; every array has shape (draws,).

    Attributes:
        onset_limit, completion_limit: converted fractions at which diffraction changes its mind.
        stripping_h1: k_s.
        synthesis_yield: share of the possible Cs4PbBr6 that is there.
        opening_energy_kj_mol, stripping_energy_kj_mol: activation energies; their sum is what is drawn.
        seeds: share of product at the beginning.
    """

    onset_limit: Float[np.ndarray, " d"]
    completion_limit: Float[np.ndarray, " d"]
    stripping_h1: Float[np.ndarray, " d"]
    synthesis_yield: Float[np.ndarray, " d"]
    opening_energy_kj_mol: Float[np.ndarray, " d"]
    stripping_energy_kj_mol: Float[np.ndarray, " d"]
    seeds: Float[np.ndarray, " d"]

    @staticmethod
    def draw(draws: int = 200, seed: int = 0, seeds: tuple[float, float] | None = None) -> Unknowns:
        """Draw them from the ranges of the parameter library.

        Args:
            draws: how many.
            seed: of the draws.
            seeds: lowest and highest share of product at the beginning, drawn in the logarithm; None: none.

        Returns:
            The draws.

        Raises:
            InputError: no draws, or a range that cannot be.
        """
        if draws < 2:
            raise InputError(f"At least 2 draws are needed for a spread, but {draws} are asked for.")
        if seeds is not None and not 0 < seeds[0] <= seeds[1] < 0.5:
            raise InputError(f"Seeds must be a rising pair between 0 and 0.5, but are {seeds}.")
        rng = np.random.default_rng(seed)
        energy = rng.uniform(25.0, 100.0, draws)
        part = rng.uniform(0.0, 1.0, draws)
        return Unknowns(
            rng.uniform(0.02, 0.10, draws),
            rng.uniform(0.95, 0.97, draws),
            np.exp(rng.uniform(np.log(1.0), np.log(10.0), draws)),
            np.exp(rng.uniform(np.log(0.2), np.log(1.0), draws)),
            part * energy,
            (1 - part) * energy,
            np.zeros(draws) if seeds is None else np.exp(rng.uniform(np.log(seeds[0]), np.log(seeds[1]), draws)),
        )

    def fixed(self, **values: float) -> Unknowns:
        """Return the draws with some of them held at one value, e.g. ``onset_limit=0.05``."""
        check.known_options(values, self.__dataclass_fields__, "unknowns")
        count = self.onset_limit.size
        return replace(self, **{k: np.full(count, float(v)) for k, v in values.items()})


@dataclass(frozen=True)
class Calibrated:
    """Kinetics for each draw, with what they were drawn from.

    Attributes:
        kinetics: batched over the draws.
        unknowns: the draws; those for which no constants fit the times are left out.
        impossible: how many were left out.
    """

    kinetics: Kinetics
    unknowns: Unknowns
    impossible: int

    def curves(self, bench: Bench, times_h: Float[np.ndarray, " n"]) -> Float[np.ndarray, "d n"]:
        """Return the converted fraction of each draw at times, shape (draws, n)."""
        return conversions(*self._batch(bench), times_h, tolerance=_FORECAST_TOLERANCE)

    def times(self, bench: Bench) -> dict[str, Float[np.ndarray, " d"]]:
        """Return onset and completion of each draw as diffraction sees them, h."""
        limits = jnp.stack([self.unknowns.onset_limit, self.unknowns.completion_limit], axis=1)
        found = mapped(_when, *self._batch(bench), limits)
        return {"onset": found[:, 0], "completion": found[:, 1]}

    def _batch(self, bench: Bench) -> tuple[Kinetics, Conditions]:
        kinetics = self.kinetics
        if bench.seeds:
            kinetics = eqx.tree_at(lambda k: k.seeds, kinetics, jnp.full_like(kinetics.seeds, bench.seeds))
        return kinetics, bench.conditions(self.unknowns.synthesis_yield)


def calibrate(
    unknowns: Unknowns,
    dark: Bench | None = None,
    light: Bench | None = None,
    *,
    dark_onset_h: float | None = None,
    light_completion_h: float | None = None,
) -> Calibrated:
    """Find k_o and Phi of each draw from the onset in the dark and the completion under light.

    Args:
        unknowns: the draws.
        dark: the run in the dark; None: that of Yang et al. 2020.
        light: the run under light; None: the same at 365 nm and 2 mW/cm2, lit from above.
        dark_onset_h: onset of the first; None: that of the parameter library.
        light_completion_h: completion of the second; None: that of the parameter library.

    Returns:
        The calibrated draws.

    Raises:
        InputError: times that cannot be.
        FitError: no draw at all can have these times.
    """
    dark = dark or Bench()
    light = light or replace(dark, wavelength_nm=365.0, irradiance_mw_cm2=2.0)
    onset = parameter_value("transformation.dark_onset") if dark_onset_h is None else dark_onset_h
    complete = parameter_value("transformation.light_completion") if light_completion_h is None else light_completion_h
    check.positive(onset, "dark_onset_h", "h")
    check.positive(complete, "light_completion_h", "h")
    count = unknowns.onset_limit.size
    kinetics = Kinetics(
        opening_h1=jnp.ones(count),
        stripping_h1=jnp.asarray(unknowns.stripping_h1),
        ligands_per_photon=jnp.zeros(count),
        ligands_per_lead=jnp.full(count, parameter_value("ligand.per_lead_20nm")),
        seeds=jnp.asarray(unknowns.seeds),
        opening_energy_kj_mol=jnp.asarray(unknowns.opening_energy_kj_mol),
        stripping_energy_kj_mol=jnp.asarray(unknowns.stripping_energy_kj_mol),
        reference_k=jnp.full(count, dark.temperature_k),
    )
    yields = unknowns.synthesis_yield
    opening, fits = _solve(True, kinetics, dark.conditions(yields), onset, unknowns.onset_limit)
    kinetics = eqx.tree_at(lambda k: k.opening_h1, kinetics, jnp.asarray(opening))
    photons, fits_light = _solve(False, kinetics, light.conditions(yields), complete, unknowns.completion_limit)
    kinetics = eqx.tree_at(lambda k: k.ligands_per_photon, kinetics, jnp.asarray(photons))
    keep = fits & fits_light
    if not keep.any():
        raise FitError(
            f"No constants give an onset at {onset:g} h and a completion at {complete:g} h, whatever the rest may be; "
            "check the water, the light and the two times."
        )
    chosen = {k: getattr(unknowns, k)[keep] for k in unknowns.__dataclass_fields__}
    return Calibrated(jax.tree.map(lambda leaf: leaf[keep], kinetics), Unknowns(**chosen), int(count - keep.sum()))


def _solve(
    opening: bool, kinetics: Kinetics, conditions: Conditions, time_h: float, fractions: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], np.ndarray]:
    """Return the constant with which X(time) is a fraction, found by halving, and whether there is one.

    k_o where `opening`, else Phi: one function for both, because compiling it takes longer than running it.
    """
    which = jnp.full(fractions.shape, opening)
    times = jnp.full(fractions.shape, float(time_h))
    found = mapped(_halve, which, times, kinetics, conditions, jnp.asarray(fractions))
    return found, (found > _BETWEEN[0] * 1.01) & (found < _BETWEEN[1] / 1.01)


def _halve(opening: Array, time_h: Array, kinetics: Kinetics, conditions: Conditions, wanted: Array) -> Array:
    times = jnp.stack([jnp.zeros(()), time_h])

    def step(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        at = eqx.tree_at(
            lambda k: (k.opening_h1, k.ligands_per_photon),
            kinetics,
            (
                jnp.where(opening, jnp.exp(middle), kinetics.opening_h1),
                jnp.where(opening, kinetics.ligands_per_photon, jnp.exp(middle)),
            ),
        )
        less = conversion(at, conditions, times, tolerance=_FORECAST_TOLERANCE)[-1] < wanted
        return jnp.where(less, middle, low), jnp.where(less, high, middle)

    ends = (jnp.log(jnp.asarray(_BETWEEN[0])), jnp.log(jnp.asarray(_BETWEEN[1])))
    low, high = jax.lax.fori_loop(0, 36, step, ends)
    return jnp.exp(0.5 * (low + high))


def _when(kinetics: Kinetics, conditions: Conditions, limits: Array) -> Array:
    return time_to(kinetics, conditions, limits)
