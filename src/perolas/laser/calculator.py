"""The fluence calculator behind `perolas pump`: every number of a pump, with its band, and what each choice changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.laser import beams, layers, pump
from perolas.laser.beams import Spot
from perolas.laser.pump import Band
from perolas.matter import optics
from perolas.matter.crystal import phase
from perolas.matter.parameters_library import parameter_value, physical_parameter

# Thicknesses over which interference is shown when the film's own is not known, nm.
_UNKNOWN_FILM_NM = (300.0, 2000.0)
# Excitations for each formula unit beyond which nothing here means anything.
_TOO_MANY = 0.01


@dataclass(frozen=True)
class Setup:
    """What is known about a pump and what it hits.

    Attributes:
        fluence_uj_cm2: at the sample, in the sense of `fluence_is`; or give `energy_uj` and `spot`.
        fluence_is: ``"peak"`` or ``"mean"``, what the given fluence is.
        energy_uj: of one pulse at the sample.
        spot: see `Spot`.
        repetition_hz: pulses a second.
        wavelength_nm: of the pump.
        duration_fs: full width at half maximum of the unchirped pulse.
        shape: of the pulse, one of `beams.PULSES`.
        gdd_fs2: group delay dispersion between where the length was measured and the sample.
        size_nm: edge of the nanocrystals.
        photons: 1, 2, or None for what the wavelength takes.
        cross_section: of one nanocrystal of this size, cm2 or cm4 s; None: the literature's.
        medium: around the nanocrystals, for one-photon absorption.
        temperature_k: before a pulse.
        film_um: lateral size of the film, um.
        thickness_nm: of the film; its interference with the substrate is then counted.
        film_index: refractive index of the film; None: `film.refractive_index`.
        substrate: below the film, a material with an index.
        draws, seed: of what is uncertain.
    """

    fluence_uj_cm2: float | None = None
    fluence_is: str = "peak"
    energy_uj: float | None = None
    spot: Spot | None = None
    repetition_hz: float | None = None
    wavelength_nm: float = 800.0
    duration_fs: float = 50.0
    shape: str = "gaussian"
    gdd_fs2: float = 0.0
    size_nm: float = 20.0
    photons: int | None = None
    cross_section: float | None = None
    medium: str = "toluene"
    temperature_k: float = 300.0
    film_um: float | None = None
    thickness_nm: float | None = None
    film_index: float | None = None
    substrate: str = "silicon"
    draws: int = 4000
    seed: int = 0


@dataclass(frozen=True)
class Quantity:
    """One number of the answer: its band, unit and definition."""

    band: Band
    unit: str
    definition: str


@dataclass(frozen=True)
class Effect:
    """What a choice or an unknown does to the excitations: lowest and highest factor on <N>."""

    name: str
    low: float
    high: float
    words: str

    def __str__(self) -> str:
        factor = f"x {self.low:.3g}" if math.isclose(self.low, self.high) else f"x {self.low:.2g} to {self.high:.2g}"
        return f"{self.name}: {factor} ({self.words})"


@dataclass(frozen=True)
class Answer:
    """All numbers of a pump.

    Attributes:
        photons: order of the absorption.
        quantities: by name.
        effects: what each choice changes in <N>.
        sentences: what has to be said.
    """

    photons: int
    quantities: dict[str, Quantity]
    effects: tuple[Effect, ...]
    sentences: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON data."""
        return {
            "photons": self.photons,
            "quantities": {
                name: {**q.band.to_json(), "unit": q.unit, "definition": q.definition}
                for name, q in self.quantities.items()
            },
            "effects": [{"name": e.name, "low": e.low, "high": e.high, "meaning": e.words} for e in self.effects],
            "sentences": list(self.sentences),
            "parameters": pump.parameters_used(),
        }


def calculate(setup: Setup) -> Answer:
    """Return every number of a pump.

    Args:
        setup: what is known.

    Returns:
        The answer; units stand with each quantity.

    Raises:
        InputError: a value that cannot be, too few to know the fluence, a spot larger than the film, or a
            cross-section outside its validity.
    """
    if not 2 <= setup.draws <= 1_000_000:
        raise InputError(f'Argument "draws" must lie between 2 and 1000000, but is {setup.draws}.')
    photons = setup.photons or pump.order_of(setup.wavelength_nm)
    if photons not in (1, 2):
        raise InputError(f"Absorption of 1 or 2 photons is known, not of {photons}.")
    peak, energy = _fluence(setup)
    sigma = _cross_sections(setup, photons)
    unstretched = float(beams.two_photon_worth_per_fs(setup.shape, setup.duration_fs))
    worth = float(beams.two_photon_worth_per_fs(setup.shape, setup.duration_fs, setup.gdd_fs2))
    if photons == 1:
        bare = np.asarray(pump.one_photon_excitations(peak, setup.wavelength_nm, sigma))
    else:
        bare = np.asarray(pump.two_photon_excitations(peak, setup.wavelength_nm, sigma, worth))
    inside = _interference(setup, photons)
    n = bare * (inside[1] if inside is not None and setup.thickness_nm is not None else 1.0)
    found = _light(setup, peak, energy, worth, unstretched)
    found |= _matter(setup, photons, n, sigma)
    if photons == 2:
        bulk = float(pump.bulk_two_photon_cross_section_cm4_s(setup.size_nm, setup.wavelength_nm))
        from_bulk = float(pump.two_photon_excitations(peak, setup.wavelength_nm, bulk, worth)) * float(n[0] / bare[0])
        words = "the same from the two-photon coefficient of the bulk, a cross-check"
        found["excitations_from_bulk"] = Quantity(Band(from_bulk, from_bulk, from_bulk), "1", words)
    return Answer(photons, found, _effects(setup, photons, inside, unstretched), _sentences(setup, photons, found))


def _fluence(setup: Setup) -> tuple[float, float | None]:
    """Return the peak fluence (uJ/cm2) and, where it is known, the energy (uJ)."""
    spot = setup.spot
    top_hat = spot is not None and spot.is_top_hat
    check.one_of(setup.fluence_is, beams.FLUENCES, "The fluence")
    if spot is not None and setup.film_um is not None:
        check.positive(setup.film_um, "film", "um")
        if spot.lit_diameter_um > setup.film_um:
            raise InputError(
                f"The spot is {spot.lit_diameter_um:.4g} um wide and the film only {setup.film_um:.4g} um: part of the "
                "pulse misses the film."
            )
    if setup.fluence_uj_cm2 is not None:
        if setup.energy_uj is not None:
            raise InputError("Give either the fluence or the energy (power and repetition rate) with a spot, not both.")
        given = check.positive(setup.fluence_uj_cm2, "fluence", "uJ/cm^2")
        peak = given * (2.0 if setup.fluence_is == "mean" and not top_hat else 1.0)
        return peak, None if spot is None else peak * spot.effective_area_cm2
    if setup.energy_uj is None or spot is None:
        raise InputError("The fluence needs either --fluence, or a spot with the energy or the power and its rate.")
    return spot.fluence_uj_cm2(setup.energy_uj), setup.energy_uj


def _cross_sections(setup: Setup, photons: int) -> np.ndarray:
    if setup.cross_section is not None:
        unit = "cm^2" if photons == 1 else "cm^4 s"
        return np.full(setup.draws, check.positive(setup.cross_section, "cross-section", unit))
    if photons == 1:
        return pump.one_photon_cross_sections_cm2(
            setup.wavelength_nm, setup.size_nm, setup.draws, setup.seed, setup.medium
        )
    return pump.two_photon_cross_sections_cm4_s(setup.size_nm, setup.wavelength_nm, setup.draws, setup.seed)


def _interference(setup: Setup, photons: int) -> tuple[float, float, float] | None:
    """Return lowest, mean and highest factor on the excitations, or None where a film of any thickness absorbs."""
    if photons == 1 and setup.thickness_nm is None:
        return None
    index = parameter_value("film.refractive_index") if setup.film_index is None else setup.film_index
    index = check.positive(index, "refractive index of the film")
    below = complex(optics.refractive_index(setup.substrate, setup.wavelength_nm))
    if setup.thickness_nm is not None:
        factor = layers.film_field(index, setup.thickness_nm, below, setup.wavelength_nm).mean(photons)
        return factor, factor, factor
    return layers.interference_range(index, below, setup.wavelength_nm, *_UNKNOWN_FILM_NM, photons)


def _one(value: float) -> Band:
    return Band(value, value, value)


def _light(setup: Setup, peak: float, energy: float | None, worth: float, unstretched: float) -> dict[str, Quantity]:
    rectangular = setup.shape == "square"
    rise = 1.0 if rectangular else math.sqrt(2.0) if setup.shape == "gaussian" else 1.5  # peak power over worth
    top_hat = setup.spot is not None and setup.spot.is_top_hat
    found = {
        "fluence_peak": Quantity(_one(peak), "uJ/cm^2", "at the centre of the spot"),
        "fluence_mean": Quantity(_one(peak / (1.0 if top_hat else 2.0)), "uJ/cm^2", "over the spot (1/e^2 diameter)"),
        "pulse_length": Quantity(
            _one(setup.duration_fs * unstretched / worth), "fs", "at the sample, as two-photon absorption feels it"
        ),
        "intensity_peak": Quantity(_one(peak * worth * rise), "GW/cm^2", "highest power at the centre, for the area"),
        "photons_per_area": Quantity(
            _one(peak * 1e-6 / float(pump.photon_energy_j(setup.wavelength_nm))), "cm^-2", "in one pulse, at the centre"
        ),
    }
    if energy is not None:
        found["pulse_energy"] = Quantity(_one(energy), "uJ", "of one pulse, at the sample")
        if setup.repetition_hz is not None:
            power = energy * check.positive(setup.repetition_hz, "repetition rate", "Hz") * 1e-3
            found["power"] = Quantity(_one(power), "mW", "mean power at the sample")
    return found


def _matter(setup: Setup, photons: int, n: np.ndarray, sigma: np.ndarray) -> dict[str, Quantity]:
    dose = np.asarray(pump.absorbed_j_cm3(n, setup.wavelength_nm, photons, setup.size_nm))
    band = Band.of(dose)
    rise = Band(*(pump.heating_k(x, setup.temperature_k) for x in (band.median, band.low, band.high)))
    per_cm3 = 1.0 / (setup.size_nm * 1e-7) ** 3
    found = {
        "excitations": Quantity(Band.of(n), "1", "mean number in each nanocrystal after one pulse, <N>"),
        "share_excited": Quantity(
            Band.of(pump.share_with_at_least(n, 1)), "1", "nanocrystals with one or more (Poisson)"
        ),
        "share_with_two": Quantity(
            Band.of(pump.share_with_at_least(n, 2)), "1", "nanocrystals with two or more (Poisson)"
        ),
        "density": Quantity(Band.of(n * per_cm3), "cm^-3", "excitations for each volume of nanocrystal"),
        "cross_section": Quantity(
            Band.of(sigma), "cm^2" if photons == 1 else "cm^4 s", "of one nanocrystal, for the pump"
        ),
        "dose": Quantity(band, "J/cm^3", "absorbed in a nanocrystal from one pulse"),
        "heating": Quantity(rise, "K", "rise for one pulse if all of it turns into heat and none flows away"),
    }
    if setup.repetition_hz is not None:
        rate = check.positive(setup.repetition_hz, "repetition rate", "Hz")
        found["excitation_rate"] = Quantity(Band.of(n * rate), "1/s", "excitations of one nanocrystal each second")
    return found


def _effects(
    setup: Setup, photons: int, inside: tuple[float, float, float] | None, unstretched: float
) -> tuple[Effect, ...]:
    effects = []
    if photons == 2 and setup.shape != "square":
        item = physical_parameter("objective.group_delay_dispersion")
        ends = np.array([item.value - item.std, item.value + item.std]) if not setup.gdd_fs2 else setup.gdd_fs2
        worth = np.atleast_1d(np.asarray(beams.two_photon_worth_per_fs(setup.shape, setup.duration_fs, ends)))
        what = f"{np.min(ends):g} to {np.max(ends):g} fs2 of an objective and a window, not counted above"
        if setup.gdd_fs2:
            what = f"the {setup.gdd_fs2:g} fs2 given, counted above"
        effects.append(Effect("chirp", float(worth.min() / unstretched), float(worth.max() / unstretched), what))
        other = "sech2" if setup.shape == "gaussian" else "gaussian"
        ratio = float(beams.two_photon_worth_per_fs(other, setup.duration_fs)) / unstretched
        effects.append(Effect("pulse shape", ratio, ratio, f"{other} of the same length instead of {setup.shape}"))
    if setup.spot is None or not setup.spot.is_top_hat:
        if setup.fluence_uj_cm2 is not None and setup.fluence_is == "peak":
            words = "were the given fluence the mean over the spot instead of its peak"
            effects.append(Effect("fluence definition", 2.0**photons, 2.0**photons, words))
        else:
            words = "at the mean fluence of the spot instead of its peak"
            effects.append(Effect("fluence definition", 0.5**photons, 0.5**photons, words))
    if setup.spot is not None and setup.fluence_uj_cm2 is None:
        own = setup.spot.effective_area_cm2
        others = [
            (own / Spot(setup.spot.size_um, kind, setup.spot.second_um, setup.spot.angle_deg).effective_area_cm2)
            ** photons
            for kind in beams.SPOTS
        ]
        words = f"were the {setup.spot.size_um:g} um meant in another sense: {', '.join(beams.SPOTS)}"
        effects.append(Effect("spot definition", min(others), max(others), words))
    if inside is not None:
        if setup.thickness_nm is not None:
            words = f"in {setup.thickness_nm:g} nm of film on {setup.substrate}, counted above"
            words += "; the film is taken as clear" if photons == 1 else ""
        else:
            low, high = _UNKNOWN_FILM_NM
            words = f"in {low:g} to {high:g} nm of film on {setup.substrate}, not counted above"
        effects.append(Effect("interference", inside[0], inside[2], words))
    return tuple(effects)


def _sentences(setup: Setup, photons: int, found: dict[str, Quantity]) -> tuple[str, ...]:
    said = []
    band = found["excitations"].band
    if band.high > 10.0 * band.low:
        said.append("The band of <N> is wider than tenfold: the cross-sections of the literature do not settle it.")
    if photons == 2 and setup.cross_section is None:
        factor = band.high / found["excitations_from_bulk"].band.median
        said.append(
            f"The top of the band is {factor:.0f} times what the two-photon coefficient of the bulk gives; both stand "
            "in the literature."
        )
    warmer = found["heating"].band.median
    cells = found["density"].band.median / units.AVOGADRO_PER_MOL * phase("CsPbBr3").molar_volume_cm3
    if cells > _TOO_MANY:
        said.append(
            f"That is one excitation for each {1.0 / cells:.2g} formula units: the bands are full long before, and the "
            "crystal does not survive; the numbers only say how far beyond any use this pulse is."
        )
    elif warmer > 10.0:
        said.append(f"Each pulse warms the nanocrystals by about {warmer:.0f} K.")
    if photons == 1 and setup.gdd_fs2:
        said.append("Chirp does not change one-photon absorption.")
    return tuple(said)


def energy_uj(power_mw: float, repetition_hz: float) -> float:
    """Return the energy of one pulse.

    Args:
        power_mw: mean power, mW.
        repetition_hz: pulses a second, Hz.

    Returns:
        uJ.

    Raises:
        InputError: a value that is not positive.
    """
    return check.positive(power_mw, "power", "mW") * 1e3 / check.positive(repetition_hz, "repetition rate", "Hz")


def read_cross_section(text: str, photons: int) -> float:
    """Return a cross-section written by a person: ``"1e6 GM"``, ``"1e-44 cm^4 s"``, ``"8e-13 cm^2"``.

    Args:
        text: the quantity.
        photons: 1 or 2.

    Returns:
        cm2 or cm4 s.

    Raises:
        InputError: it is no such quantity.
    """
    if photons == 2 and text.strip().endswith("GM"):  # which pint would read as a gigamolar
        return units.convert(text.strip()[:-2], "1", "cross-section") * pump.CM4_S_PER_GM
    return units.convert(text, "cm^2" if photons == 1 else "cm^4 s", "cross-section")
