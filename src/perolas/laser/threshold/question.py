"""What is asked, and what is not known: every uncertain number of a pumped film, as a law to draw from.

No unknown is a fit to a measured laser. Each is a number of the library with its error, or a range of which the library
says why it is so wide; whoever knows better gives the number with the question, and it is no unknown any more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser import beams, pump
from perolas.matter.parameters_library import parameter_value, physical_parameter

TIERS = ("rate", "diffusion")
SUBSTRATES = ("silicon", "glass", "fused silica")
SIZES_NM = (8.0, 30.0)  # a box whose levels are known, within the sizes of the cross-sections
TEMPERATURES_K = (50.0, 350.0)
_FLUENCE = ("peak", "mean")

PARAMETERS_USED = (
    "CsPbBr3.two_photon_cross_section_lowest",
    "CsPbBr3.two_photon_cross_section_highest",
    "CsPbBr3.two_photon_size",
    "CsPbBr3.two_photon_exponent",
    "CsPbBr3.electron_mass",
    "CsPbBr3.hole_mass",
    "CsPbBr3.refractive_index.brennan2024",
    "CsPbBr3.auger_lifetime",
    "CsPbBr3.radiative_lifetime_77k",
    "CsPbBr3.radiative_lifetime_300k",
    "CsPbBr3.linewidth_inhomogeneous",
    "CsPbBr3.linewidth_acoustic",
    "CsPbBr3.linewidth_lo_coupling",
    "CsPbBr3.lo_phonon_energy",
    "silicon.refractive_index.green2008",
    "objective.group_delay_dispersion",
    "film.thickness_lowest",
    "film.thickness_highest",
    "film.filling_lowest",
    "film.filling_highest",
    "film.ligand_index",
    "film.transport_lowest",
    "film.transport_highest",
    "film.escape_lowest",
    "film.escape_highest",
    "film.background_loss_lowest",
    "film.background_loss_highest",
    "film.unpumped_share_highest",
    "film.return_share_lowest",
    "film.return_share_highest",
    "spot.diameter_lowest",
    "spot.diameter_highest",
    "pump.relative_error",
    "gain.carrier_heat_highest",
    "gain.strength_error",
    "gain.width_error",
    "gain.ladder_odds",
    "gain.buildup_lowest",
    "gain.buildup_highest",
    "gain.ase_length_lowest",
    "gain.ase_length_highest",
)

Law = Literal["uniform", "log-uniform", "normal", "log-normal", "one of two"]


@dataclass(frozen=True)
class Unknown:
    """A number that is drawn.

    Attributes:
        group: the line of the budget that it counts in.
        law: how it is drawn.
        first: lowest, mean, median, or the lower of two values.
        second: highest, standard deviation (relative for ``"log-normal"``), or the higher of two values.
        odds: of the higher, for ``"one of two"``.
        unit: of the number.
        words: what it is.
    """

    group: str
    law: Law
    first: float
    second: float
    unit: str
    words: str
    odds: float = 0.5

    def at(self, share: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return the quantiles for shares between 0 and 1, shape (n,)."""
        u = np.clip(share, 1e-12, 1.0 - 1e-12)
        if self.law == "uniform":
            return self.first + (self.second - self.first) * u
        if self.law == "log-uniform":
            return self.first * (self.second / self.first) ** u
        if self.law == "normal":
            return self.first + self.second * ndtri(u)
        if self.law == "log-normal":
            return self.first * np.exp(self.second * ndtri(u))
        return np.where(u > 1.0 - self.odds, self.second, self.first)

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.first == self.second or (self.second == 0.0 and "normal" in self.law):
            return f"{self.words}: {self.first:.4g}{unit}"
        middle = {
            "normal": f"{self.first:.4g} +- {self.second:.2g}{unit}",
            "log-normal": f"{self.first:.4g}{unit} within {100 * self.second:.0f} %",
            "one of two": f"{self.first:.4g} or {self.second:.4g}{unit}",
        }
        return f"{self.words}: {middle.get(self.law, f'{self.first:.3g} to {self.second:.3g}{unit}, {self.law}')}"


@dataclass(frozen=True)
class Question:
    """The film and the pump whose threshold is asked for; None is "not known" and is drawn over its whole range.

    Attributes:
        wavelength_nm: of the pump.
        pulse_fs: full width at half maximum of the unchirped pulse.
        temperature_k: of the film.
        size_nm, size_std_nm: edge of the nanocrystals.
        photons: 1, 2 or None for what the wavelength takes.
        gdd_fs2: dispersion on the way to the film.
        fluence_is: ``"peak"`` or ``"mean"``, what the reported fluence is.
        cross_section: of one nanocrystal of that size for the pump, cm2 or cm4 s.
        thickness_nm: of the film.
        filling: volume share of nanocrystals.
        transport_um: transport mean free path.
        spot_um: effective diameter of the spot, 2 sqrt(A / pi) with A energy over peak fluence.
        film_um: lateral size of the film, to check the spot against.
        substrate: one of `SUBSTRATES`.
    """

    wavelength_nm: float = 800.0
    pulse_fs: float = 50.0
    temperature_k: float = 77.0
    size_nm: float = 20.0
    size_std_nm: float = 2.0
    photons: int | None = None
    gdd_fs2: float | None = None
    fluence_is: str | None = None
    cross_section: float | None = None
    thickness_nm: float | None = None
    filling: float | None = None
    transport_um: float | None = None
    spot_um: float | None = None
    film_um: float | None = None
    substrate: str = "silicon"

    def __post_init__(self) -> None:
        check.positive(self.pulse_fs, "pulse length", "fs")
        check.positive(self.size_std_nm, "error of the size", "nm", zero=True)
        for value, (low, high), name, unit in (
            (self.size_nm, SIZES_NM, "size", "nm"),
            (self.temperature_k, TEMPERATURES_K, "temperature", "K"),
        ):
            if not low <= value <= high:
                raise InputError(
                    f"The threshold is known for a {name} of {low:g} to {high:g} {unit}, not {value:g} {unit}."
                )
        for given, name, unit in (
            (self.cross_section, "cross-section", ""),
            (self.thickness_nm, "film thickness", "nm"),
            (self.transport_um, "transport mean free path", "um"),
            (self.spot_um, "spot", "um"),
            (self.film_um, "film", "um"),
            (self.filling, "filling", ""),
        ):
            if given is not None:
                check.positive(given, name, unit)
        if self.filling is not None and self.filling > 1.0:
            raise InputError(f'Argument "filling" is a share and at most 1, but is {self.filling:g}.')
        if self.gdd_fs2 is not None and not math.isfinite(self.gdd_fs2):
            raise InputError('Argument "gdd" must be a finite number.')
        if self.fluence_is is not None:
            check.one_of(self.fluence_is, _FLUENCE, "The fluence")
        if self.film_um is not None and self.spot_um is not None and self.spot_um > self.film_um:
            raise InputError(
                f"The spot is {self.spot_um:.4g} um wide and the film only {self.film_um:.4g} um: part of the pulse "
                "misses the film."
            )
        check.one_of(self.substrate, SUBSTRATES, "The substrate")
        if self.order not in (1, 2):
            raise InputError(f"Absorption of 1 or 2 photons is known, not of {self.photons}.")

    @property
    def order(self) -> int:
        """Photons for each excitation."""
        return pump.order_of(self.wavelength_nm) if self.photons is None else self.photons


def _range(name: str) -> tuple[float, float]:
    return parameter_value(f"{name}_lowest"), parameter_value(f"{name}_highest")


def unknowns(question: Question) -> dict[str, Unknown]:
    """Return everything that goes into the threshold, with the law that it is drawn from.

    Args:
        question: what is known.

    Returns:
        Name -> unknown; a number that the question gives is drawn with no width.

    Raises:
        InputError: a cross-section outside its validity.
    """
    q = question
    error = parameter_value("pump.relative_error")

    def either(given: float | None, otherwise: Unknown) -> Unknown:
        if given is None:
            return otherwise
        return Unknown(otherwise.group, "uniform", given, given, otherwise.unit, otherwise.words)

    def spread(name: str, group: str, law: Law, unit: str, words: str) -> Unknown:
        low, high = _range(name)
        return Unknown(group, law, low, high, unit, words)

    gdd = physical_parameter("objective.group_delay_dispersion")
    auger = physical_parameter("CsPbBr3.auger_lifetime")
    factor = {None: (1.0, 2.0), "peak": (1.0, 1.0), "mean": (2.0, 2.0)}[q.fluence_is]
    found = {
        "cross_section": _cross_section(q),
        "cross_section_exponent": Unknown(
            "cross-section",
            "normal",
            parameter_value("CsPbBr3.two_photon_exponent") if q.order == 2 else 3.0,
            physical_parameter("CsPbBr3.two_photon_exponent").std if q.order == 2 and q.cross_section is None else 0.0,
            "1",
            "power of the size that the cross-section goes with",
        ),
        "size": Unknown("size", "normal", q.size_nm, q.size_std_nm, "nm", "edge of the nanocrystals"),
        "chirp": either(
            q.gdd_fs2,
            Unknown("chirp", "uniform", 0.0, gdd.value + gdd.std, "fs^2", "dispersion, made up for or not"),
        ),
        "pulse_length": Unknown("chirp", "log-normal", q.pulse_fs, error, "fs", "length of the unchirped pulse"),
        "peak_over_reported": Unknown(
            "fluence definition", "one of two", *factor, "1", "fluence at the centre over the reported one"
        ),
        "energy": Unknown("fluence definition", "log-normal", 1.0, error, "1", "energy over that read from the meter"),
        "thickness": either(q.thickness_nm, spread("film.thickness", "leakage", "log-uniform", "nm", "film thickness")),
        "polarisation": Unknown("leakage", "uniform", 0.0, 1.0, "1", "share of the light in TM0, the rest in TE0"),
        "filling": either(q.filling, spread("film.filling", "filling", "uniform", "1", "share of nanocrystals")),
        "ligand_index": Unknown(
            "filling",
            "normal",
            parameter_value("film.ligand_index"),
            physical_parameter("film.ligand_index").std,
            "1",
            "refractive index between the nanocrystals",
        ),
        "unpumped": Unknown(
            "reabsorption",
            "uniform",
            0.0,
            parameter_value("film.unpumped_share_highest"),
            "1",
            "share of a path in film that is not pumped",
        ),
        "background": spread(
            "film.background_loss", "reabsorption", "log-uniform", "cm-1", "absorption that no pump bleaches"
        ),
        "transport": either(
            q.transport_um,
            spread("film.transport", "scattering", "log-uniform", "um", "transport mean free path"),
        ),
        "escape": spread("film.escape", "scattering", "uniform", "1", "share of scattered light that leaves the film"),
        "returning": spread(
            "film.return_share", "feedback", "log-uniform", "1", "share of scattered light that closes a path"
        ),
        "buildup": spread("gain.buildup", "feedback", "uniform", "1", "logarithm of the photons of a spike"),
        "spot": either(
            q.spot_um, spread("spot.diameter", "spot", "log-uniform", "um", "effective diameter of the spot")
        ),
        "ladder": Unknown(
            "gain",
            "one of two",
            0.0,
            1.0,
            "1",
            "filled bands (0) or the ladder of excitons (1)",
            parameter_value("gain.ladder_odds"),
        ),
        "strength": Unknown(
            "gain",
            "log-normal",
            1.0,
            parameter_value("gain.strength_error"),
            "1",
            "strength of a level over the bulk's",
        ),
        "width": Unknown(
            "gain", "log-normal", 1.0, parameter_value("gain.width_error"), "1", "width of a level over the library's"
        ),
        "carrier_heat": Unknown(
            "temperature", "uniform", 0.0, parameter_value("gain.carrier_heat_highest"), "K", "carriers above the film"
        ),
        "auger": Unknown("lifetimes", "log-normal", auger.value, auger.std / auger.value, "ps", "Auger lifetime"),
        "lifetime": _lifetime(q),
        "ase_length": spread("gain.ase_length", "amplified emission", "uniform", "1", "gain times length of its onset"),
    }
    return found


def _cross_section(q: Question) -> Unknown:
    unit = "cm^2" if q.order == 1 else "cm^4 s"
    words = "cross-section of one nanocrystal for the pump"
    if q.cross_section is not None:
        return Unknown("cross-section", "uniform", q.cross_section, q.cross_section, unit, words)
    if q.order == 2:
        return Unknown(
            "cross-section", "log-uniform", *pump.two_photon_range_cm4_s(q.size_nm, q.wavelength_nm), unit, words
        )
    draws = pump.one_photon_cross_sections_cm2(q.wavelength_nm, q.size_nm, 2001)
    return Unknown("cross-section", "log-normal", float(np.median(draws)), float(np.std(np.log(draws))), unit, words)


def _lifetime(q: Question) -> Unknown:
    cold, warm = (physical_parameter(f"CsPbBr3.radiative_lifetime_{t}k") for t in ("77", "300"))
    share = min(max((q.temperature_k - 77.0) / 223.0, 0.0), 1.0)
    value = cold.value ** (1.0 - share) * warm.value**share
    relative = (1.0 - share) * cold.std / cold.value + share * warm.std / warm.value
    return Unknown("lifetimes", "log-normal", 1e3 * value, relative, "ps", "lifetime of a single excitation")


# No share of it may stray to where a law no longer means anything: a size of 0, a negative dispersion.
_FLOORS = {"size": 0.3, "cross_section_exponent": 0.3, "ligand_index": 0.7}


def drawn(
    laws: Mapping[str, Unknown], shares: Float[np.ndarray, "d n"], question: Question
) -> dict[str, Float[np.ndarray, " n"]]:
    """Return the numbers that belong to shares, and those that follow from them.

    Args:
        laws: of `unknowns`.
        shares: shape (d, n), one row for each law, 0 to 1.
        question: what is known.

    Returns:
        Name -> shape (n,); `cross_section` is that of the drawn size, `worth` (1/fs) that of the drawn pulse.

    Raises:
        InputError: another number of rows than laws.
    """
    rows = np.asarray(shares, dtype=float)
    if rows.ndim != 2 or rows.shape[0] != len(laws):
        raise InputError(f"There are {len(laws)} unknowns, so the shares need as many rows, not {rows.shape}.")
    found = {name: law.at(row) for (name, law), row in zip(laws.items(), rows, strict=True)}
    for name, least in _FLOORS.items():
        found[name] = np.maximum(found[name], least * laws[name].first)
    relative = found["size"] / question.size_nm
    found["cross_section"] = found["cross_section"] * relative ** found["cross_section_exponent"]
    if question.order == 2 and question.cross_section is None:
        # the error of the exponent counts from the size that was measured to the one that is asked for
        off = found["cross_section_exponent"] - laws["cross_section_exponent"].first
        found["cross_section"] *= (question.size_nm / parameter_value("CsPbBr3.two_photon_size")) ** off
    found["worth"] = np.asarray(beams.two_photon_worth_per_fs("gaussian", found["pulse_length"], found["chirp"]))
    return found
