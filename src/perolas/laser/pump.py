r"""From a pulse to excitations in each nanocrystal, by one or two photons.

With F the fluence at the nanocrystal and :math:`\Phi = F/h\nu` photons for each area,

.. math:: \langle N \rangle_1 = \sigma_1 \Phi, \qquad
          \langle N \rangle_2 = \tfrac{1}{2} \sigma_2 \Phi^2 \frac{\int I^2 dt}{(\int I dt)^2} .

:math:`\sigma_2` (cm4 s) counts the photons that are taken away, two for each excitation: hence the half. A bulk
coefficient :math:`\beta`, :math:`dI/dx = -\beta I^2`, means :math:`\sigma_2 = \beta h\nu V`. Absorption is far faster
than anything else, so that the nanocrystals of one place hold a Poisson number of excitations. The two-photon
cross-sections of the literature differ 22-fold; what is given here is their median and 90 % band, log-uniform over that
range, with the error of the exponent with which they grow with size.

Sources: Goeppert-Mayer's definition as in Boyd, Nonlinear Optics, 2008, 12.5; Chen et al. 2017 for the size; the
numbers are in `matter/parameters/laser.yaml` and `optics.yaml`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter import optics
from perolas.matter.crystal import phase
from perolas.matter.optics import door
from perolas.matter.parameters_library import parameter_value, physical_parameter

CM4_S_PER_GM = 1e-50  # by definition of the Goeppert-Mayer
# Where the two-photon cross-section may be used: wavelengths it was measured at, and sizes (measured 4.6-11.4 nm).
TWO_PHOTON_NM = (750.0, 850.0)
SIZES_NM = (3.0, 30.0)
_LOW, _HIGH = 5.0, 95.0  # per cent: the ends of a 90 % band

PARAMETERS_USED = (
    "CsPbBr3.two_photon_cross_section_lowest",
    "CsPbBr3.two_photon_cross_section_highest",
    "CsPbBr3.two_photon_size",
    "CsPbBr3.two_photon_exponent",
    "CsPbBr3.two_photon_coefficient",
    "CsPbBr3.band_gap",
    "CsPbBr3.einstein_temperature",
    "objective.group_delay_dispersion",
    "film.refractive_index",
    "silicon.refractive_index.green2008",
    "CsPbBr3.refractive_index.brennan2024",
)


@dataclass(frozen=True)
class Band:
    """A median and the ends of its 90 % band; the ends equal it where nothing is uncertain."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: ArrayLike) -> Band:
        """Return the band of draws, any shape."""
        low, median, high = np.percentile(np.asarray(values, dtype=float), [_LOW, 50.0, _HIGH])
        return Band(float(median), float(low), float(high))

    def times(self, factor: float) -> Band:
        """Return the band of what is proportional to it."""
        return Band(self.median * factor, self.low * factor, self.high * factor)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.median:.4g}"
        return f"{self.median:.3g} (90 % band {self.low:.2g} to {self.high:.2g})"

    def to_json(self) -> dict[str, float]:
        """Return the band as numbers."""
        return {"median": self.median, "low90": self.low, "high90": self.high}


def photon_energy_j(wavelength_nm: ArrayLike) -> Float[Array, "..."]:
    """Return the energy of one photon of a wavelength (nm, any shape), J."""
    return units.ev_from_nm(door.positive(wavelength_nm, "wavelength", "nm")) * units.ELEMENTARY_CHARGE_C


def one_photon_excitations(
    fluence_uj_cm2: ArrayLike, wavelength_nm: ArrayLike, cross_section_cm2: ArrayLike
) -> Float[Array, "..."]:
    """Return the mean number of excitations in a nanocrystal after a pulse, absorbed one photon at a time.

    Args:
        fluence_uj_cm2: at the nanocrystal, any shape, uJ/cm2.
        wavelength_nm: broadcast, nm.
        cross_section_cm2: of absorption, broadcast, cm2.

    Returns:
        Mean number, sigma F / (h nu). Source: definition of the cross-section.

    Raises:
        InputError: a value that is not positive.
    """
    fluence = door.positive(fluence_uj_cm2, "fluence", "uJ/cm^2") * 1e-6
    return door.positive(cross_section_cm2, "cross-section", "cm^2") * fluence / photon_energy_j(wavelength_nm)


def two_photon_excitations(
    fluence_uj_cm2: ArrayLike,
    wavelength_nm: ArrayLike,
    cross_section_cm4_s: ArrayLike,
    worth_per_fs: ArrayLike,
) -> Float[Array, "..."]:
    """Return the mean number of excitations in a nanocrystal after a pulse, absorbed two photons at a time.

    Args:
        fluence_uj_cm2: at the nanocrystal, any shape, uJ/cm2.
        wavelength_nm: broadcast, nm.
        cross_section_cm4_s: two-photon cross-section, broadcast, cm4 s (1 GM = 1e-50 cm4 s).
        worth_per_fs: of the pulse, see `perolas.laser.beams.two_photon_worth_per_fs`, broadcast, 1/fs.

    Returns:
        Mean number. Source: see the module.

    Raises:
        InputError: a value that is not positive.
    """
    fluence = door.positive(fluence_uj_cm2, "fluence", "uJ/cm^2") * 1e-6
    sigma = door.positive(cross_section_cm4_s, "cross-section", "cm^4 s")
    photons = fluence / photon_energy_j(wavelength_nm)
    return 0.5 * (sigma * photons) * photons * door.positive(worth_per_fs, "worth of the pulse", "1/fs") * 1e15


def order_of(wavelength_nm: float) -> int:
    """Return how many photons it takes to reach the gap of CsPbBr3: 1 or 2.

    Args:
        wavelength_nm: of the pump, nm.

    Returns:
        1 or 2.

    Raises:
        InputError: two photons do not reach the gap.
    """
    energy = units.ev_from_nm(check.positive(wavelength_nm, "wavelength", "nm"))
    gap = parameter_value("CsPbBr3.band_gap")
    if 2.0 * energy < gap:
        raise InputError(
            f"Two photons of {wavelength_nm:g} nm have {2 * energy:.3g} eV, which does not reach the gap of CsPbBr3 "
            f"({gap:g} eV)."
        )
    return 1 if energy >= gap else 2


def one_photon_cross_sections_cm2(
    wavelength_nm: float, size_nm: float, draws: int = 4000, seed: int = 0, medium: str = "toluene"
) -> Float[np.ndarray, " d"]:
    """Return draws of the absorption cross-section of one nanocrystal, cm2, log-normal with its stated error.

    Args:
        wavelength_nm: of the pump, nm.
        size_nm: edge of the nanocrystal, nm.
        draws: how many.
        seed: of the draws.
        medium: around the nanocrystal.

    Returns:
        Shape (d,), cm2.

    Raises:
        InputError: a wavelength without absorption or outside the tables, or a size that is not positive.
    """
    middle = float(optics.absorption_cross_section_cm2("CsPbBr3", wavelength_nm, size_nm, medium))
    spread = float(optics.intrinsic_absorption_relative_std("CsPbBr3", wavelength_nm, medium))
    gap = physical_parameter("CsPbBr3.band_gap")
    if not middle > 0 or units.ev_from_nm(wavelength_nm) < gap.value - 3.0 * gap.std:
        raise InputError(f"CsPbBr3 does not absorb single photons of {wavelength_nm:g} nm; it takes two.")
    return middle * np.exp(spread * np.random.default_rng(seed).standard_normal(draws))


def two_photon_cross_sections_cm4_s(
    size_nm: float, wavelength_nm: float = 800.0, draws: int = 4000, seed: int = 0
) -> Float[np.ndarray, " d"]:
    """Return draws of the two-photon cross-section of one nanocrystal over the range that the literature states.

    Args:
        size_nm: edge of the nanocrystal, nm; within `SIZES_NM`.
        wavelength_nm: of the pump, nm; within `TWO_PHOTON_NM`.
        draws: how many.
        seed: of the draws.

    Returns:
        Shape (d,), cm4 s: log-uniform between lowest and highest, times (size / 9 nm)^(3.3 +- 0.2).

    Raises:
        InputError: a size or wavelength outside the validity.
    """
    low, high = two_photon_range_cm4_s(size_nm, wavelength_nm)
    rng = np.random.default_rng(seed)
    within = np.exp(rng.uniform(math.log(low), math.log(high), draws))
    exponent = physical_parameter("CsPbBr3.two_photon_exponent").std * rng.standard_normal(draws)
    return within * (size_nm / parameter_value("CsPbBr3.two_photon_size")) ** exponent


def two_photon_range_cm4_s(size_nm: float, wavelength_nm: float = 800.0) -> tuple[float, float]:
    """Return the lowest and the highest two-photon cross-section of the literature at a size; see the draws of it."""
    _valid(size_nm, wavelength_nm)
    middle = float(optics.two_photon_cross_section_gm(size_nm, wavelength_nm)) * CM4_S_PER_GM
    at_reference = parameter_value("CsPbBr3.two_photon_cross_section")
    ends = ("lowest", "highest")
    low, high = (parameter_value(f"CsPbBr3.two_photon_cross_section_{end}") for end in ends)
    return middle * low / at_reference, middle * high / at_reference


def _valid(size_nm: float, wavelength_nm: float) -> None:
    check.positive(size_nm, "size", "nm")
    low, high = TWO_PHOTON_NM
    if not low <= wavelength_nm <= high:
        raise InputError(
            f"The two-photon cross-section is known from {low:g} to {high:g} nm, not at {wavelength_nm:g} nm; "
            "give one of your own."
        )
    low, high = SIZES_NM
    if not low <= size_nm <= high:
        raise InputError(
            f"The two-photon cross-section may be used from {low:g} to {high:g} nm of size (measured 4.6-11.4 nm), "
            f"not at {size_nm:g} nm; give one of your own."
        )


def bulk_two_photon_cross_section_cm4_s(
    size_nm: ArrayLike, wavelength_nm: ArrayLike = 800.0, medium: str | None = None
) -> Float[Array, "..."]:
    """Return what the two-photon coefficient of the bulk means for one nanocrystal: the cross-check of the others.

    Args:
        size_nm: edge of the cube, any shape, nm.
        wavelength_nm: broadcast, nm.
        medium: a liquid or glass around a single nanocrystal, whose screening then counts (intensity inside over
            outside is `|f|^2 n / n_s`, f the local field factor); None: packed, the field inside is that of the film.

    Returns:
        beta h nu V, cm4 s.

    Raises:
        InputError: a size that is not positive, a wavelength outside the tables, an unknown medium.
    """
    volume_cm3 = (door.positive(size_nm, "size", "nm") * 1e-7) ** 3
    beta_cm_w = optics.two_photon_coefficient_cm_gw(wavelength_nm) * 1e-9
    sigma = beta_cm_w * photon_energy_j(wavelength_nm) * volume_cm3
    if medium is None:
        return sigma
    inside = optics.refractive_index("CsPbBr3", wavelength_nm)
    around = optics.refractive_index(medium, wavelength_nm).real
    return sigma * (jnp.abs(optics.local_field_factor(inside, around)) ** 2 * inside.real / around) ** 2


def share_with_at_least(mean: ArrayLike, least: int) -> Float[Array, "..."]:
    """Return the share of nanocrystals with at least so many excitations (Poisson).

    Args:
        mean: mean number, any shape.
        least: 1, 2, ...

    Returns:
        Share, of the same shape.

    Raises:
        InputError: a negative mean, or `least` below 1.
    """
    from jax.scipy.special import gammainc

    if least < 1:
        raise InputError(f'Argument "least" must be at least 1, but is {least}.')
    return gammainc(float(least), door.positive(mean, "mean number", "", zero=True))


def absorbed_j_cm3(excitations: ArrayLike, wavelength_nm: float, photons: int, size_nm: float) -> Float[Array, "..."]:
    """Return the energy that a pulse leaves in a nanocrystal, for its volume, J/cm3.

    Args:
        excitations: mean number in each nanocrystal, any shape.
        wavelength_nm: of the pump, nm.
        photons: for each excitation, 1 or 2.
        size_nm: edge of the cube, nm.

    Returns:
        J/cm3, of the same shape.

    Raises:
        InputError: a value that is not positive.
    """
    volume_cm3 = (check.positive(size_nm, "size", "nm") * 1e-7) ** 3
    energy = photons * photon_energy_j(wavelength_nm)
    return door.positive(excitations, "excitations", "", zero=True) * energy / volume_cm3


def heating_k(heat_j_cm3: float, temperature_k: float) -> float:
    """Return by how much heat warms CsPbBr3 before any of it flows away.

    Args:
        heat_j_cm3: J for each cm3 of crystal.
        temperature_k: before, K.

    Returns:
        Rise in K; five atoms of three Einstein oscillators each (Dulong and Petit's 25 J/(mol K) for each when warm).

    Raises:
        InputError: negative heat, or a temperature below 50 K, where one phonon cannot stand for all.
    """
    heat = check.positive(heat_j_cm3, "heat", "J/cm^3", zero=True)
    if not 50.0 <= temperature_k <= 1000.0:
        raise InputError(f"The heat capacity is known from 50 to 1000 K, not at {temperature_k:g} K.")
    theta = parameter_value("CsPbBr3.einstein_temperature")
    per_cm3 = 15.0 * units.GAS_CONSTANT_KJ_MOL_K * 1e3 / phase("CsPbBr3").molar_volume_cm3  # J/(cm3 K)
    # Enthalpy per_cm3 * theta / (exp(theta / T) - 1), turned round:
    after = theta / math.expm1(theta / temperature_k) + heat / per_cm3
    return theta / math.log1p(theta / after) - temperature_k


def parameters_used() -> list[dict[str, Any]]:
    """Return the numbers that this rests on, each with its source and status."""
    items = [physical_parameter(name) for name in PARAMETERS_USED]
    return [{"name": i.name, "value": i.value, "unit": i.unit, "std": i.std, "status": i.status} for i in items]
