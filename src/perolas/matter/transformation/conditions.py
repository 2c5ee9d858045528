"""Water, light, temperature: from what stands on the bench to the numbers of the rate law."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from perolas.core import check, units
from perolas.core.errors import InputError

Scalar = Float[Array, ""]
_CM3_PER_L = 1e3
# The longest wavelength that a photon may have to count as light here; longer ones reach no table.
PARENT, PRODUCT = "Cs4PbBr6", "CsPbBr3"


def _number(value: float) -> Any:
    return eqx.field(default=value, converter=jnp.asarray)


class Conditions(eqx.Module):
    """Where the transformation runs; every field may carry a leading batch axis where it is mapped over.

    Attributes:
        photons_per_lead_h: q, photons that enter the liquid for each lead atom, 1/h.
        product_thickness: a_1, Napierian optical thickness with all lead in CsPbBr3.
        parent_thickness: a_4, with all lead in Cs4PbBr6.
        solvent_thickness: a_s, of the solvent alone.
        bromide_ratio: CsBr in the water after full conversion over that at equilibrium; 0: no limit.
        transport_h: t_w, time for lead to reach the water; 0: no limit.
        temperature_k: temperature.
    """

    photons_per_lead_h: Scalar = _number(0.0)
    product_thickness: Scalar = _number(0.0)
    parent_thickness: Scalar = _number(0.0)
    solvent_thickness: Scalar = _number(0.0)
    bromide_ratio: Scalar = _number(0.0)
    transport_h: Scalar = _number(0.0)
    temperature_k: Scalar = _number(298.15)

    @staticmethod
    def of(
        *,
        lead_umol: float,
        volume_ml: float,
        water_ul: float | None = None,
        wavelength_nm: float | None = None,
        irradiance_mw_cm2: float = 0.0,
        lit_area_cm2: float = 1.0,
        path_cm: float = 1.0,
        vial: str = "open",
        solvent: str = "toluene",
        temperature_k: float = 298.15,
        transport_h: float = 0.0,
        equilibrium_molar: float | None = None,
    ) -> Conditions:
        """Build the conditions of a vessel.

        Args:
            lead_umol: lead in the vessel, in Cs4PbBr6, umol.
            volume_ml: of the dispersion, mL.
            water_ul: water added, uL; None: so much that it never limits.
            wavelength_nm: of the light; None: dark.
            irradiance_mw_cm2: outside the vessel.
            lit_area_cm2: area of the dispersion that the light falls on.
            path_cm: way of the light through it.
            vial: ``"open"``, ``"quartz"`` or ``"borosilicate"``.
            solvent: ``"toluene"`` or ``"water"``.
            temperature_k: temperature.
            transport_h: time for lead to reach the water; see `transport_time_h`.
            equilibrium_molar: concentration of CsBr at which the reaction stops; None: that of `window`.

        Returns:
            The conditions.

        Raises:
            InputError: a number that cannot be, a wavelength outside the tables, an unknown vial or solvent.
        """
        check.positive(lead_umol, "lead_umol", "umol")
        check.positive(volume_ml, "volume_ml", "mL")
        check.positive(lit_area_cm2, "lit_area_cm2", "cm^2")
        check.positive(path_cm, "path_cm", "cm")
        check.positive(irradiance_mw_cm2, "irradiance", "mW/cm^2", zero=True)
        check.positive(temperature_k, "temperature_k", "K")
        check.positive(transport_h, "transport_h", "h", zero=True)
        ratio = 0.0
        if water_ul is not None:
            if water_ul == 0:
                raise InputError("Without water nothing is transformed: the volume of water must be above 0 uL.")
            check.positive(water_ul, "water", "uL")
            from perolas.matter.transformation.window import equilibrium_molar as at_equilibrium

            limit = at_equilibrium(temperature_k)[0] if equilibrium_molar is None else equilibrium_molar
            ratio = 3.0 * lead_umol / water_ul / check.positive(limit, "equilibrium_molar", "mol/L")
        light = {}
        if wavelength_nm is not None and irradiance_mw_cm2 > 0:
            light = _light(wavelength_nm, irradiance_mw_cm2, lead_umol, volume_ml, lit_area_cm2, path_cm, vial, solvent)
        return Conditions(bromide_ratio=ratio, transport_h=transport_h, temperature_k=temperature_k, **light)


def _light(
    nm: float, irradiance: float, lead_umol: float, volume_ml: float, area: float, path: float, vial: str, solvent: str
) -> dict[str, Any]:
    from perolas.matter import crystal, optics

    thickness = {}
    for phase, name in ((PRODUCT, "product_thickness"), (PARENT, "parent_thickness")):
        per_lead = crystal.phase(phase).molar_volume_cm3  # both hold one lead in their formula
        share = lead_umol * 1e-6 / volume_ml * per_lead
        thickness[name] = optics.intrinsic_absorption_cm1(phase, nm, solvent) * share * path
    inside = irradiance * optics.vial_transmission(vial, nm, inside=solvent)
    return {
        **thickness,
        "solvent_thickness": optics.solvent_absorption_cm1(solvent, nm) * path,
        "photons_per_lead_h": photons_per_lead_h(inside, nm, area, lead_umol),
    }


def photons_per_lead_h(irradiance_mw_cm2: Any, wavelength_nm: Any, area_cm2: Any, lead_umol: Any) -> Scalar:
    """Return q, the photons that enter for each lead atom and hour.

    Args:
        irradiance_mw_cm2: inside the vessel's wall, mW/cm2.
        wavelength_nm: nm.
        area_cm2: lit area, cm2.
        lead_umol: lead in the vessel, umol.

    Returns:
        Photons per lead and hour.
    """
    joule = units.HC_EV_NM / jnp.asarray(wavelength_nm) * units.ELEMENTARY_CHARGE_C
    per_second = jnp.asarray(irradiance_mw_cm2) * 1e-3 * area_cm2 / joule
    return per_second * 3600.0 / (jnp.asarray(lead_umol) * 1e-6 * units.AVOGADRO_PER_MOL)


def transport_time_h(volume_ml: float, interface_cm2: float, film_um: float, size_nm: float = 20.0) -> float:
    """Return the time for crystals to come to the water: diffusion through a still film at the interface.

    t_w = V d / (A D), D = k T / (3 pi eta x) at 25 degC in toluene (Stokes-Einstein). 1 mL over 1 cm2 needs a month
    where all of it stands still, 7 h where it is stirred to within 0.1 mm of the water, and shaken with 125 uL in drops
    of 0.1 mm a quarter of an hour: so a time of hours or less means that the two were mixed.

    Args:
        volume_ml: of the oil, mL.
        interface_cm2: area of the interface; droplets of radius r: 3 times the water's volume over r.
        film_um: thickness of the still film.
        size_nm: of the crystals.

    Returns:
        Hours.

    Raises:
        InputError: a number that is not positive.
    """
    from perolas.matter.parameters_library import parameter_value

    for name, value, unit in (
        ("volume_ml", volume_ml, "mL"),
        ("interface_cm2", interface_cm2, "cm^2"),
        ("film_um", film_um, "um"),
        ("size_nm", size_nm, "nm"),
    ):
        check.positive(value, name, unit)
    thermal_j = units.BOLTZMANN_EV_K * units.ELEMENTARY_CHARGE_C * 298.15
    viscosity_pa_s = parameter_value("toluene.viscosity") * 1e-3
    diffusion_cm2_s = thermal_j / (3 * jnp.pi * viscosity_pa_s * size_nm * 1e-9) * 1e4
    return float(volume_ml * film_um * 1e-4 / (interface_cm2 * diffusion_cm2_s) / 3600.0)
