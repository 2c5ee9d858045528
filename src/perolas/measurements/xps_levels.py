"""Core levels as the parameter files describe them: splitting, area ratio, width, and the species with their lines.

A level is whatever `matter/parameters/xps.yaml` has as ``NAME.fwhm`` with ``NAME.<species>`` lines; ``NAME.splitting``
and ``NAME.area_ratio`` make it a doublet. Nothing here needs jax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from perolas.core import check
from perolas.core.errors import InputError
from perolas.matter.parameters_library import library


@dataclass(frozen=True)
class Species:
    """A chemical species as its main line shows it.

    Attributes:
        name: e.g. ``"lead oleate"``.
        position_ev: binding energy of the main line, eV.
        std_ev: standard uncertainty of that, eV.
        slug: its name in the parameter file and in names of quantities, e.g. ``"lead_oleate"``.
    """

    name: str
    position_ev: float
    std_ev: float
    slug: str


@dataclass(frozen=True)
class Level:
    """A core level.

    Attributes:
        name: e.g. ``"Pb 4f"``.
        splitting_ev: how far the partner lies above the main line, eV; 0 for a single line.
        area_ratio: area of the partner over that of the main line; 0 for a single line.
        fwhm_ev, fwhm_std_ev: usual full width of a line and how far it varies between instruments, eV.
        species: what its lines may stand for, the one expected first in front.
    """

    name: str
    splitting_ev: float
    area_ratio: float
    fwhm_ev: float
    fwhm_std_ev: float
    species: tuple[Species, ...]

    @property
    def is_doublet(self) -> bool:
        """Return whether the level is split."""
        return self.area_ratio > 0

    @property
    def range_ev(self) -> tuple[float, float]:
        """Return the lowest and highest binding energy of a line of this level, partners included, eV."""
        positions = [s.position_ev for s in self.species]
        return min(positions), max(positions) + self.splitting_ev

    @property
    def reach_ev(self) -> float:
        """Return how far two species of this level may plausibly lie apart: 1 eV more than those listed, at least 2."""
        positions = [s.position_ev for s in self.species]
        return max(2.0, max(positions) - min(positions) + 1.0)

    @property
    def line(self) -> str:
        """Return what one species shows: ``"doublet"`` or ``"line"``."""
        return "doublet" if self.is_doublet else "line"


@cache
def levels() -> dict[str, Level]:
    """Return every core level by name.

    Returns:
        name -> level, in the order of the parameter file.
    """
    found = {}
    for name in [n.removesuffix(".fwhm") for n in library() if n.endswith(".fwhm")]:
        rows = {k.removeprefix(f"{name}."): p for k, p in library().items() if k.startswith(f"{name}.")}
        species = tuple(Species(p.species, p.value, p.std, slug) for slug, p in rows.items() if p.species)
        if species:
            splitting, ratio = rows.get("splitting"), rows.get("area_ratio")
            found[name] = Level(
                name,
                splitting.value if splitting else 0.0,
                ratio.value if ratio else 0.0,
                rows["fwhm"].value,
                rows["fwhm"].std,
                species,
            )
    return found


def level(name: str) -> Level:
    """Return a core level by name, spelled with or without the space.

    Args:
        name: e.g. ``"Pb 4f"`` or ``"pb4f"``.

    Returns:
        The level.

    Raises:
        InputError: the parameter file does not describe it; the sentence lists those that it does.
    """
    if not isinstance(name, str):
        raise InputError('The level must be a name such as "Pb 4f".')
    wanted = re.sub(r"\s+", "", name).lower()
    for known in levels():
        if known.replace(" ", "").lower() == wanted:
            return levels()[known]
    return levels()[check.one_of(name, levels(), "The core level")]
