"""The infrared bands of ligands: which species each belongs to, and what the library says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from perolas.matter.parameters_library import PhysicalParameter, physical_parameter

# Name of the band -> species, and how many of its groups one molecule has (an oleyl chain: 14 CH2, one CH3).
_TABLE = {
    "ch2_asymmetric": ("chain", 14),
    "ch2_symmetric": ("chain", 14),
    "ch3_stretch": ("chain", 1),
    "oleic_alkene_ch": ("chain", 1),
    "ch2_scissor": ("chain", 14),
    "carboxylate_asymmetric": ("bound", 1),
    "carboxylate_symmetric": ("bound", 1),
    "ammonium_nh3_symmetric": ("ammonium", 1),
    "ammonium_nh3_asymmetric": ("ammonium", 1),
    "carboxylic_co": ("free", 1),
    "water_bend": ("water", 1),
}
LIGANDS = ("chain", "bound", "ammonium")  # what a specimen decides
OTHERS = ("free", "water")  # what the washing and the air decide
NAMES = tuple(_TABLE)
WINDOWS = ((2780.0, 3040.0), (1340.0, 1800.0))  # cm-1; nothing of water vapour or CO2 in the first, no CO2 in either

PARAMETERS_USED: tuple[str, ...] = (
    *(f"ftir.{n}" for n in NAMES),
    *(f"ftir.{n}_strength" for n in NAMES),
    *(f"ftir.{n}_width" for n in NAMES),
    "ftir.lorentz_share",
    "ftir.chelating_split",
    "ftir.monodentate_split",
    "ligand.density",
    "ligand.oleate_share",
)


@dataclass(frozen=True)
class Band:
    """A band of a species.

    Attributes:
        name: as in the library, without ``ftir.``.
        species: chain, bound, ammonium, free or water.
        groups: how many groups of a molecule make it.
        position, width: cm-1, with standard deviations.
        strength: for one group, km/mol (Napierian).
    """

    name: str
    species: str
    groups: int
    position: PhysicalParameter
    width: PhysicalParameter
    strength: PhysicalParameter

    @property
    def molecular_strength(self) -> float:
        """Integrated absorption of one molecule, km/mol (Napierian)."""
        return self.groups * self.strength.value


@cache
def band(name: str) -> Band:
    """Return a band by its name, one of `NAMES`."""
    species, groups = _TABLE[name]
    parts = (physical_parameter(f"ftir.{name}{suffix}") for suffix in ("", "_width", "_strength"))
    return Band(name, species, groups, *parts)
