r"""Steady photocurrent of a film from what it is made of: absorbed photons, and the carriers that are not lost.

.. math:: I_{ph} = e\, \frac{E \lambda}{h c} A\, \eta\, F, \qquad
          F = \frac{\sum_{i \in \mathrm{CsPbBr_3}} v_i \alpha_i}{\sum_i v_i \alpha_i}
              \left(1 - e^{-d \sum_i v_i \alpha_i}\right), \qquad \eta = \frac{\eta_0}{1 + r} .

v_i are volume fractions, :math:`\alpha_i = 4 \pi k_i / \lambda`, d the thickness: F is the share of the photons that is
absorbed in CsPbBr3. Thin (:math:`\alpha d \ll 1`) it is proportional to the converted volume; thick it is that volume's
share of all absorption, which is near one from a few per cent on, because Cs4PbBr6 hardly absorbs at 365 nm. So only
a thin film's current counts the conversion.

r is the non-radiative over the radiative rate: carriers move until they recombine, on average for 1/(k_r (1 + r)), the
time that shallow traps do not change (what is caught and given back moves on). eta_0 holds drift, field, contacts and
light lost on the way, and cancels in ratios of samples that were measured alike. Left out: electrons held by traps that
let holes go round several times (gain), recombination of second order, and damage by the liquid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.matter.ageing_specimen import ratio_of
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import PHASES, Specimen

PARAMETERS_USED = (
    "photocurrent.irradiance",
    "photocurrent.film_thickness",
    "photocurrent.electrode_area",
    "photocurrent.collection_efficiency",
    "CsPbBr3.radiative_rate",
    "CsPbBr3.detrapping_rate",
)
_NA_PER_MW_NM = 1e6 / 1239.841984  # nA for each mW and nm, at one electron for each photon: 1e-3 W * nm / (h c / e)
_PEROVSKITE = tuple(i for i, name in enumerate(PHASES) if name.startswith("CsPbBr3"))


def _default(name: str) -> Any:
    return field(default_factory=lambda: parameter_value(f"photocurrent.{name}"))


@dataclass(frozen=True)
class Cell:
    """Light and electrode of an experiment; by default those of the parameter library.

    Attributes:
        irradiance_mw_cm2: power of the light on the electrode, mW/cm^2.
        area_cm2: illuminated electrode, cm^2.
        wavelength_nm: of the light, nm.
        thickness_nm: of the film, taken as solid, nm.
        efficiency: eta_0, electrons in the circuit for each photon absorbed in CsPbBr3 without losses.
    """

    irradiance_mw_cm2: float = _default("irradiance")
    area_cm2: float = _default("electrode_area")
    wavelength_nm: float = 365.0
    thickness_nm: float = _default("film_thickness")
    efficiency: float = _default("collection_efficiency")

    def __post_init__(self) -> None:
        """Refuse numbers that are not positive."""
        units = {"irradiance_mw_cm2": "mW/cm^2", "area_cm2": "cm^2", "wavelength_nm": "nm", "thickness_nm": "nm"}
        for name in (*units, "efficiency"):
            check.positive(getattr(self, name), name.rsplit("_", 1)[0].removesuffix("_mw"), units.get(name, ""))


@cache
def _absorption(wavelength_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return molar volumes (cm3/mol) and absorption coefficients (1/nm) of all phases, each of shape (7,)."""
    from perolas.matter import crystal, optics

    volumes, alphas = [], []
    known = optics.materials()
    for name in PHASES:
        volumes.append(float(crystal.phase(name).molar_volume_cm3))
        # CsBr, PbBr2 and CsPb2Br5 have no table; beside CsPbBr3 they count as transparent.
        index = optics.refractive_index(name, wavelength_nm) if name in known else None
        alphas.append(0.0 if index is None else 4.0 * np.pi * float(index.imag) / wavelength_nm)
    return np.array(volumes), np.array(alphas)


def absorbed_share(specimen: Any, thickness_nm: float, wavelength_nm: float = 365.0) -> Float[Array, ""]:
    """Return F, the share of the light that is absorbed in CsPbBr3.

    Args:
        specimen: its phases count.
        thickness_nm: of the film, nm; infinite for an opaque one.
        wavelength_nm: of the light, nm.

    Returns:
        From 0 to 1; see the module for the equation (Beer and Lambert, without reflection).
    """
    molar, alpha = _absorption(float(wavelength_nm))
    volume = specimen.fraction * molar
    weight = volume / jnp.sum(volume) * alpha
    total = jnp.maximum(jnp.sum(weight), 1e-30)
    useful = jnp.sum(weight[jnp.array(_PEROVSKITE)])
    return useful / total * -jnp.expm1(-total * thickness_nm)


def current_share(converted: float, wavelength_nm: float = 365.0, thickness_nm: float | None = None) -> float:
    """Return the steady photocurrent of a film over that of the same film, wholly converted.

    Collection, area, irradiance and losses are those of both and cancel.

    Args:
        converted: share of the lead that is in CsPbBr3, 0 to 1; the CsBr stays in the film.
        wavelength_nm: of the light, nm.
        thickness_nm: of the film, nm; None: of the parameter library.

    Returns:
        F(converted) / F(1); see the module for F.

    Raises:
        InputError: a share outside 0 to 1, or a thickness that is not positive.
    """
    known = parameter_value("photocurrent.film_thickness") if thickness_nm is None else thickness_nm
    thickness = check.positive(known, "thickness", "nm")
    now, whole = (absorbed_share(Specimen.from_conversion(x), thickness, wavelength_nm) for x in (converted, 1.0))
    return float(now / whole)


def steady_current_na(specimen: Any, cell: Cell) -> Float[Array, ""]:
    """Return the steady photocurrent of a film of a specimen.

    Args:
        specimen: its phases, trap and loss ratios count.
        cell: light and electrode.

    Returns:
        I_ph in nA; see the module for the equation.
    """
    photons_na = cell.irradiance_mw_cm2 * cell.area_cm2 * cell.wavelength_nm * _NA_PER_MW_NM
    share = absorbed_share(specimen, cell.thickness_nm, cell.wavelength_nm)
    return photons_na * cell.efficiency * share / (1.0 + ratio_of(specimen))
