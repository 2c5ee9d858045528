"""Light and matter: refractive indices, absorption, gaps, emission, two-photon absorption, and what filters the light.

Wavelengths are vacuum wavelengths in nm, energies in eV, sizes in nm, absorption coefficients in cm-1 (Napierian: the
light falls as exp(-mu x)), cross-sections in cm2. Every function takes arrays and can be differentiated. Numbers given
from outside are checked and refused with a sentence; inside a traced function nothing raises, and a wavelength that no
table reaches gives NaN.
"""

from __future__ import annotations

from perolas.matter.optics.absorption import (
    absorption_cross_section_cm2,
    excitation_rate_s1,
    intrinsic_absorption_cm1,
    intrinsic_absorption_relative_std,
    local_field_factor,
)
from perolas.matter.optics.filters import light_reaching, solvent_absorption_cm1, vial_transmission
from perolas.matter.optics.gap import band_gap_ev, confinement_ev, emission_energy_ev, emission_fwhm_ev
from perolas.matter.optics.indices import datasets, index_spread, materials, refractive_index
from perolas.matter.optics.two_photon import two_photon_coefficient_cm_gw, two_photon_cross_section_gm

# Names of the library, so that a study can cite what it used.
PARAMETERS_USED = (
    "CsPbBr3.refractive_index.brennan2024",
    "Cs4PbBr6.refractive_index.estimate",
    "toluene.refractive_index.kozma2005",
    "toluene.refractive_index.moutzouris2014",
    "toluene.absorption_coefficient.estimate",
    "borosilicate glass.absorption_coefficient.duran2022",
    "glass.refractive_index_vial",
    "CsPbBr3.band_gap",
    "CsPbBr3.gap_slope",
    "CsPbBr3.gap_phonon_energy",
    "CsPbBr3.electron_mass",
    "CsPbBr3.hole_mass",
    "CsPbBr3.reduced_mass",
    "CsPbBr3.dielectric_constant",
    "CsPbBr3.exciton_binding_energy",
    "CsPbBr3.exciton_bohr_radius",
    "CsPbBr3.linewidth_inhomogeneous",
    "CsPbBr3.linewidth_acoustic",
    "CsPbBr3.linewidth_lo_coupling",
    "CsPbBr3.lo_phonon_energy",
    "CsPbBr3.edge_scatter",
    "CsPbBr3.absorption_shape_error",
    "CsPbBr3.absorption_ultraviolet_error",
    "CsPbBr3.two_photon_coefficient",
    "CsPbBr3.two_photon_cross_section",
    "CsPbBr3.two_photon_size",
    "CsPbBr3.two_photon_exponent",
    "Cs4PbBr6.band_gap",
    "CsPb2Br5.band_gap",
    "CsBr.band_gap",
    "PbBr2.band_gap",
)

__all__ = [
    "PARAMETERS_USED",
    "absorption_cross_section_cm2",
    "band_gap_ev",
    "confinement_ev",
    "datasets",
    "emission_energy_ev",
    "emission_fwhm_ev",
    "excitation_rate_s1",
    "index_spread",
    "intrinsic_absorption_cm1",
    "intrinsic_absorption_relative_std",
    "light_reaching",
    "local_field_factor",
    "materials",
    "refractive_index",
    "solvent_absorption_cm1",
    "two_photon_coefficient_cm_gw",
    "two_photon_cross_section_gm",
    "vial_transmission",
]
