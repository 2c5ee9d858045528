"""Crystals: cell, symmetry and sites, and what follows from them: density, molar volume, reflections, intensities.

Symmetry, form factors (International Tables C, table 6.1.1.4, neutral atoms) and structure factors are gemmi's.
Anomalous scattering is left out, which for Cs, Pb and Br and Cu radiation changes intensities by several per cent.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, cached_property, reduce
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import gemmi
import numpy as np
from numpy.typing import ArrayLike, NDArray

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.units import AVOGADRO_PER_MOL

if TYPE_CHECKING:
    import os

_CELL = ("a", "b", "c", "alpha", "beta", "gamma")
_NM_PER_ANGSTROM = 0.1  # gemmi and crystallographers' files are in angstrom, everything that leaves here in nm
_CM3_PER_NM3 = 1e-21
MAX_REFLECTIONS = 200_000
# What symmetry takes from another parameter, by crystal system.
_SAME = {
    "cubic": {"b": "a", "c": "a"},
    "tetragonal": {"b": "a"},
    "trigonal": {"b": "a"},
    "hexagonal": {"b": "a"},
}


@dataclass(frozen=True)
class Site:
    """One atom of the asymmetric unit.

    Attributes:
        label: name of the site.
        element: symbol.
        position: fractional coordinates.
        u_iso_nm2: isotropic displacement parameter, nm^2.
        occupancy: share of the sites that are filled.
    """

    label: str
    element: str
    position: tuple[float, float, float]
    u_iso_nm2: float = 0.0
    occupancy: float = 1.0


@dataclass(frozen=True)
class Reflections:
    """The reflections of a powder, by falling d.

    Attributes:
        hkl: shape (n, 3), one index of each family.
        multiplicity: shape (n,), members of the family, Friedel pairs counted.
        d_nm: shape (n,), distance of the planes.
        two_theta_deg: shape (n,), diffraction angle.
        f_squared: shape (n,), squared structure factor of the cell, electrons^2, displacements included.
        intensity: shape (n,), multiplicity x Lorentz-polarisation x f_squared, the strongest being 100.
    """

    hkl: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    d_nm: NDArray[np.float64]
    two_theta_deg: NDArray[np.float64]
    f_squared: NDArray[np.float64]
    intensity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.d_nm)

    def __str__(self) -> str:
        """Return a table of the lines that have at least a thousandth of the strongest."""
        rows = ["   h   k   l   mult    d (nm)   2θ (°)       |F|²   I (%)"]
        for i in np.flatnonzero(self.intensity >= 0.1):
            h, k, l = self.hkl[i]
            rows.append(
                f"{h:4d}{k:4d}{l:4d}{self.multiplicity[i]:7d}{self.d_nm[i]:10.5f}{self.two_theta_deg[i]:9.3f}"
                f"{self.f_squared[i]:11.1f}{self.intensity[i]:8.2f}"
            )
        return "\n".join(rows)


@dataclass(frozen=True)
class Crystal:
    """A crystal structure; immutable.

    Attributes:
        name: of the phase.
        formula: of one formula unit.
        space_group: extended Hermann-Mauguin symbol.
        cell: a, b, c in nm and alpha, beta, gamma in degrees.
        cell_std: standard uncertainty of each, in the same units.
        sites: the asymmetric unit.
        formula_units: in the cell (Z).
        temperature_k: at which the cell holds; NaN: not said.
        source: key in `sources.yaml`, "estimated here", or the name of a file.
        status: "checked", "unchecked" or "estimated here".
        note: where in the source, and where the coordinates are from.
    """

    name: str
    formula: str
    space_group: str
    cell: tuple[float, ...]
    cell_std: tuple[float, ...]
    sites: tuple[Site, ...]
    formula_units: int
    temperature_k: float = math.nan
    source: str = ""
    status: str = "unchecked"
    note: str = field(default="", compare=False)

    @cached_property
    def _structure(self) -> gemmi.SmallStructure:
        made = gemmi.SmallStructure()
        made.cell = gemmi.UnitCell(*(x / _NM_PER_ANGSTROM for x in self.cell[:3]), *self.cell[3:])
        made.spacegroup = gemmi.SpaceGroup(self.space_group)
        for site in self.sites:
            atom = gemmi.SmallStructure.Site()
            atom.label, atom.type_symbol, atom.element = site.label, site.element, gemmi.Element(site.element)
            atom.fract = gemmi.Fractional(*site.position)
            atom.occ, atom.u_iso = site.occupancy, site.u_iso_nm2 / _NM_PER_ANGSTROM**2
            made.add_site(atom)
        made.setup_cell_images()
        return made

    @cached_property
    def contents(self) -> dict[str, float]:
        """Return the atoms of one cell: element -> number."""
        found: dict[str, float] = {}
        for atom in self._structure.get_all_unit_cell_sites():
            found[atom.element.name] = found.get(atom.element.name, 0.0) + atom.occ
        return found

    @property
    def molar_mass_g_mol(self) -> float:
        """The mass of one mole of formula units, g/mol."""
        return sum(n * gemmi.Element(e).weight for e, n in self.contents.items()) / self.formula_units

    @property
    def volume_nm3(self) -> float:
        """The volume of the cell, nm^3."""
        return float(self._structure.cell.volume) * _NM_PER_ANGSTROM**3

    @property
    def molar_volume_cm3(self) -> float:
        """The volume of one mole of formula units, cm^3/mol."""
        return self.volume_nm3 / self.formula_units * _CM3_PER_NM3 * AVOGADRO_PER_MOL

    @property
    def molar_volume_std_cm3(self) -> float:
        """The standard uncertainty of `molar_volume_cm3`; parameters that symmetry makes equal move together."""
        same = _SAME.get(gemmi.SpaceGroup(self.space_group).crystal_system_str(), {})
        weights: Counter[str] = Counter(same.get(n, n) for n in "abc")
        relative = [weights[n] * self.cell_std[i] / self.cell[i] for i, n in enumerate("abc")]
        for angle, std in zip(self.cell[3:], self.cell_std[3:], strict=True):  # of one angle V goes as the sine
            relative.append(math.radians(std) / math.tan(math.radians(angle)) if std else 0.0)
        return self.molar_volume_cm3 * math.hypot(*relative)

    @property
    def density_g_cm3(self) -> float:
        """The density of the perfect crystal, g/cm^3."""
        return self.molar_mass_g_mol / self.molar_volume_cm3

    def d_spacing_nm(self, hkl: ArrayLike, strain: float = 0.0) -> float:
        """Return the distance of lattice planes.

        Args:
            hkl: shape (3,), Miller indices.
            strain: isotropic linear strain, tension positive.

        Returns:
            The distance in nm.

        Raises:
            InputError: not three whole numbers, or all zero.
        """
        index = np.asarray(hkl)
        if index.shape != (3,) or not np.all(index == np.round(index)) or not np.any(index):
            raise InputError(f"Miller indices are three whole numbers, not all zero, but are {one_line(hkl, 60)}.")
        d = float(self._structure.cell.calculate_d([int(i) for i in index]))
        return d * _NM_PER_ANGSTROM * (1.0 + strain)

    def reflections(
        self, wavelength_nm: float, *, two_theta_max: float | None = None, d_min_nm: float | None = None
    ) -> Reflections:
        """Return the reflections of a powder of this crystal.

        Args:
            wavelength_nm: of the X-rays, nm.
            two_theta_max: largest diffraction angle, degrees, or
            d_min_nm: smallest distance of planes, nm.

        Returns:
            One row for each family that symmetry does not extinguish.

        Raises:
            InputError: neither or both limits, one out of range, or too many reflections.
        """
        from perolas.matter import lattice

        check.positive(wavelength_nm, "wavelength_nm", "nm")
        if (two_theta_max is None) == (d_min_nm is None):
            raise InputError("Give exactly one of two_theta_max and d_min_nm.")
        if two_theta_max is not None:
            if not 0 < check.positive(two_theta_max, "two_theta_max", "°") <= 180:
                raise InputError(f'Argument "two_theta_max" must be at most 180 °, but is {two_theta_max:g} °.')
            d_min_nm = wavelength_nm / (2.0 * math.sin(math.radians(two_theta_max) / 2.0))
        smallest = max(check.positive(float(d_min_nm or 0.0), "d_min_nm", "nm"), wavelength_nm / 2.0)
        expected = 4.0 / 3.0 * math.pi * self.volume_nm3 / smallest**3
        if expected > MAX_REFLECTIONS:
            raise InputError(f"Down to {smallest:.2g} nm there are about {expected:.0f} reflections: ask for fewer.")
        structure = self._structure
        group = structure.spacegroup
        assert group is not None
        operations = group.operations()
        made = gemmi.make_miller_array(structure.cell, group, smallest / _NM_PER_ANGSTROM * (1 - 1e-12))
        hkl = np.asarray(made).astype(np.int64).reshape(-1, 3)
        calculator = gemmi.StructureFactorCalculatorX(structure.cell)
        weighted = self._structure_with_weights()
        f2 = np.array(
            [abs(calculator.calculate_sf_from_small_structure(weighted, list(map(int, i)))) ** 2 for i in hkl]
        )
        many = np.array([_family(operations, i) for i in hkl], dtype=np.int64)
        d = structure.cell.calculate_d_array(hkl.astype(np.int32)) * _NM_PER_ANGSTROM if len(hkl) else np.zeros(0)
        order = np.argsort(-np.asarray(d), kind="stable")
        hkl, many, d, f2 = hkl[order], many[order], np.asarray(d)[order], f2[order]
        angle = np.asarray(lattice.two_theta_deg(d, wavelength_nm))
        strength = many * f2 * np.asarray(lattice.lorentz_polarisation(angle))
        top = strength[np.isfinite(strength)].max(initial=0.0)
        return Reflections(hkl, many, d, angle, f2, 100.0 * strength / top if top > 0 else strength)

    def _structure_with_weights(self) -> gemmi.SmallStructure:
        """Return the structure with occupancies such that a sum over all operations counts special positions once."""
        made = self._structure
        weighted = gemmi.SmallStructure()
        weighted.cell, weighted.spacegroup = made.cell, made.spacegroup
        for site in made.sites:
            atom = site.clone()
            atom.occ /= 1 + made.cell.is_special_position(site.fract, 0.4)  # images within 0.4 angstrom are itself
            weighted.add_site(atom)
        weighted.setup_cell_images()
        return weighted


def _family(operations: gemmi.GroupOps, hkl: NDArray[np.int64]) -> int:
    """Return how many reflections symmetry and Friedel's law make equivalent to one."""
    index = [int(i) for i in hkl]
    members = {tuple(op.apply_to_hkl(index)) for op in operations.sym_ops}
    return len(members | {(-h, -k, -l) for h, k, l in members})


@cache
def _table() -> dict[str, dict[str, Any]]:
    import yaml

    path = files("perolas.matter").joinpath("parameters", "structures", "phases.yaml")
    text = path.read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def phases() -> tuple[str, ...]:
    """Return the names of the phases whose structure is known."""
    return tuple(_table())


@cache
def phase(name: str) -> Crystal:
    """Return the structure of a phase.

    Args:
        name: one of `phases()`, such as ``"Cs4PbBr6"``.

    Returns:
        The crystal.

    Raises:
        InputError: an unknown name.
    """
    entry = _table()[check.one_of(name, _table(), "The phase")]
    given = entry["cell"]
    same = _SAME.get(gemmi.SpaceGroup(entry["space_group"]).crystal_system_str(), {})
    angles = {"alpha": 90.0, "beta": 90.0, "gamma": 120.0 if entry["space_group"].endswith(":H") else 90.0}
    rows = [given.get(n) or given.get(same.get(n, "")) or {"value": angles[n], "std": 0.0} for n in _CELL]
    scale = [_NM_PER_ANGSTROM] * 3 + [1.0] * 3
    return Crystal(
        name=name,
        formula=entry["formula"],
        space_group=entry["space_group"],
        cell=tuple(r["value"] * s for r, s in zip(rows, scale, strict=True)),
        cell_std=tuple(r["std"] * s for r, s in zip(rows, scale, strict=True)),
        sites=tuple(
            Site(
                s["label"],
                s["element"],
                (float(s["position"][0]), float(s["position"][1]), float(s["position"][2])),
                s["u_iso"] * _NM_PER_ANGSTROM**2,
                s.get("occupancy", 1.0),
            )
            for s in entry["sites"]
        ),
        formula_units=entry["formula_units"],
        temperature_k=float(entry["temperature_k"]),
        source=entry["cell_source"],
        status=entry["cell_status"],
        note="; ".join(filter(None, [entry.get("cell_place"), f"coordinates: {entry['sites_place']}"])),
    )


def from_cif(path: str | os.PathLike[str]) -> Crystal:
    """Return the first structure of a CIF file; see `perolas.matter.cif.read`."""
    from perolas.matter import cif

    return cif.read(path)


def formula_of(contents: dict[str, float]) -> tuple[str, int]:
    """Return formula and number of formula units of a cell's contents; Z is 1 where occupancies are broken."""
    counts = {e: round(n, 4) for e, n in contents.items()}
    whole = all(abs(n - round(n)) < 1e-3 for n in counts.values())
    units = reduce(math.gcd, (round(n) for n in counts.values())) if whole else 1
    units = max(units, 1)
    return "".join(f"{e}{'' if n / units == 1 else f'{n / units:g}'}" for e, n in counts.items()), units
