"""Crystals from a user's own CIF file; parsing and symmetry are gemmi's, the limits and the sentences are here."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import gemmi

from perolas.core.errors import InputError, one_line
from perolas.matter.crystal import _NM_PER_ANGSTROM, Crystal, Site, formula_of

MAX_BYTES = 5_000_000
MAX_SITES = 2_000


def read(path: str | os.PathLike[str]) -> Crystal:
    """Return the first structure of a CIF file.

    Args:
        path: the file, at most 5 MB.

    Returns:
        The crystal; anisotropic displacements become their isotropic equivalents, and the formula is the smallest whole
        one of the cell's contents. The cell's uncertainties are zero.

    Raises:
        InputError: the file cannot be read, is no CIF, or lacks cell, symmetry or sites.
    """
    name = one_line(Path(path).name, 80)
    block = _block(_text(Path(path), name), name)
    try:
        found = gemmi.make_small_structure_from_block(block)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f'"{name}" holds no structure that can be understood: {one_line(error, 120)}.') from None
    cell = found.cell
    numbers = (*(x * _NM_PER_ANGSTROM for x in (cell.a, cell.b, cell.c)), cell.alpha, cell.beta, cell.gamma)
    if not cell.is_crystal() or not all(math.isfinite(x) and x > 0 for x in numbers) or not cell.volume > 0:
        raise InputError(f'"{name}" gives no unit cell.')
    if found.spacegroup is None:
        raise InputError(f'"{name}" gives no space group that is known; write its Hermann-Mauguin symbol.')
    if not found.sites:
        raise InputError(f'"{name}" lists no atoms.')
    if len(found.sites) > MAX_SITES:
        raise InputError(f'"{name}" lists {len(found.sites)} atoms, more than the {MAX_SITES} that are read.')
    sites = tuple(_site(s, cell, name) for s in found.sites)
    crystal = Crystal(
        name=one_line(block.name, 60),
        formula="",
        space_group=found.spacegroup.xhm(),
        cell=numbers,
        cell_std=(0.0,) * 6,
        sites=sites,
        formula_units=1,
        source=name,
        status="unchecked",
        note="a file of the user's",
    )
    formula, units = formula_of(crystal.contents)
    return Crystal(**{**_fields(crystal), "formula": formula, "formula_units": units})


def _fields(crystal: Crystal) -> dict[str, Any]:
    return {name: getattr(crystal, name) for name in crystal.__dataclass_fields__}


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise InputError(f'"{name}" cannot be opened: {one_line(reason)}.') from None
    if len(data) > MAX_BYTES:
        raise InputError(f'"{name}" is larger than {MAX_BYTES // 1_000_000} MB, more than a CIF file may be.')
    if b"\0" in data:
        raise InputError(f'"{name}" is not text.')
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # names of authors in old files; the numbers are ASCII either way


def _block(text: str, name: str) -> gemmi.cif.Block:
    """Return the first block that lists atoms, or the first at all."""
    try:
        document = gemmi.cif.read_string(text)
    except (RuntimeError, ValueError) as error:
        why = one_line(str(error).removeprefix("string:"), 120).rstrip(".")
        raise InputError(f'"{name}" is not a CIF file (line {why}).') from None
    if len(document) == 0:
        raise InputError(f'"{name}" is empty.')
    return next((b for b in document if b.find_loop("_atom_site_fract_x")), document[0])


def _site(site: gemmi.SmallStructure.Site, cell: gemmi.UnitCell, name: str) -> Site:
    if site.element.name == "X":
        raise InputError(f'"{name}": the atom "{one_line(site.label, 40)}" is of no known element.')
    position = (site.fract.x, site.fract.y, site.fract.z)
    if not all(math.isfinite(x) for x in position):
        raise InputError(f'"{name}": the atom "{one_line(site.label, 40)}" has no position.')
    if not 0 < site.occ <= 1:
        raise InputError(f'"{name}": the occupancy of "{one_line(site.label, 40)}" must lie between 0 and 1.')
    u = cell.calculate_u_eq(site.aniso) if site.aniso.nonzero() else site.u_iso
    u = u if math.isfinite(u) and u > 0 else 0.0
    return Site(site.label, site.element.name, position, u * _NM_PER_ANGSTROM**2, site.occ)
