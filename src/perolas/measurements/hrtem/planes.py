"""Lattice planes of a crystal as an electron microscope sees them: spacings, directions, how visible each is.

    V_g = h^2 / (2 pi m e) / Omega * sum_a o_a f_a(g) exp(-2 pi^2 U_a g^2) exp(2 pi i g.r_a)

is the Fourier coefficient of the crystal's potential, with f the electron scattering factors of neutral atoms
(International Tables C, table 4.3.2.2, as gemmi holds them), o occupancies, U isotropic displacements and Omega the
cell's volume. A plane's visibility is `|V_g|` over the largest one. A line that a screw axis or glide plane forbids, or
that is weak by chance, shows by double diffraction in crystals of more than a few nanometres; it is given a stated,
small visibility instead. What the centring of the lattice forbids is no lattice vector and cannot be made so either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import gemmi
import numpy as np
from numpy.typing import NDArray

from perolas.core.errors import InputError
from perolas.matter.crystal import MAX_REFLECTIONS, Crystal

_ANGSTROM_PER_NM = 10.0
_POTENTIAL_V_A2 = 47.87764  # h^2 / (2 pi m e): turns a scattering amplitude per volume into volts
_GRID = 24  # gemmi writes rotations and translations in twenty-fourths


@dataclass(frozen=True, eq=False)
class Planes:
    """Every lattice vector of a crystal between two spacings, +g and -g both, by falling spacing.

    Attributes:
        crystal: whose they are.
        hkl: shape (n, 3), Miller indices.
        vector_per_nm: shape (n, 3), Cartesian.
        d_nm: shape (n,).
        potential_v: shape (n,), modulus of the Fourier coefficient of the potential, volts.
        forbidden: shape (n,), whether a screw axis or glide plane extinguishes it.
        family: shape (n,), number of its family of symmetric equivalents, from 0.
    """

    crystal: Crystal
    hkl: NDArray[np.int64]
    vector_per_nm: NDArray[np.float64]
    d_nm: NDArray[np.float64]
    potential_v: NDArray[np.float64]
    forbidden: NDArray[np.bool_]
    family: NDArray[np.int64]

    def visibility(self, double_diffraction: float, power: float = 1.0) -> NDArray[np.float64]:
        """Return how visible each plane is, shape (n,).

        Args:
            double_diffraction: visibility of what is forbidden or weaker than this.
            power: of `|V_g|`; 0 makes all planes alike (forbidden ones too).
        """
        top = float(self.potential_v.max(initial=0.0))
        relative = self.potential_v / top if top > 0 else np.zeros_like(self.potential_v)
        return np.asarray(np.maximum(relative, double_diffraction) ** power)


@dataclass(frozen=True)
class Atoms:
    """The atoms of one cell.

    Attributes:
        element: symbols.
        position: shape (n, 3), fractional.
        occupancy: shape (n,).
        u_nm2: shape (n,), isotropic displacement parameters.
    """

    element: tuple[str, ...]
    position: NDArray[np.float64]
    occupancy: NDArray[np.float64]
    u_nm2: NDArray[np.float64]


def atoms_of(crystal: Crystal) -> Atoms:
    """Return every atom of one cell of a crystal, each once."""
    operations = list(gemmi.SpaceGroup(crystal.space_group).operations())
    metric = _direct(crystal)
    rows: list[tuple[str, NDArray[np.float64], float, float]] = []
    for site in crystal.sites:
        images: list[NDArray[np.float64]] = []
        for op in operations:
            made = np.array(op.apply_to_xyz(list(site.position))) % 1.0
            near = (made - np.array(images).reshape(-1, 3) + 0.5) % 1.0 - 0.5
            if not len(images) or np.min(np.linalg.norm(near @ metric, axis=1)) > 0.04:  # nm: it is itself
                images.append(made)
        rows += [(site.element, p, site.occupancy, site.u_iso_nm2) for p in images]
    return Atoms(
        tuple(r[0] for r in rows),
        np.array([r[1] for r in rows]),
        np.array([r[2] for r in rows]),
        np.array([r[3] for r in rows]),
    )


def _direct(crystal: Crystal) -> NDArray[np.float64]:
    """Return the cell's axes as rows, nm."""
    cell = gemmi.UnitCell(*(x * _ANGSTROM_PER_NM for x in crystal.cell[:3]), *crystal.cell[3:])
    return np.asarray(cell.orth.mat.tolist()).T / _ANGSTROM_PER_NM


def reciprocal(crystal: Crystal) -> NDArray[np.float64]:
    """Return the axes of the reciprocal cell as rows, shape (3, 3), 1/nm: g = hkl @ this."""
    return np.asarray(np.linalg.inv(_direct(crystal)).T)


def potentials(crystal: Crystal, hkl: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Return Fourier coefficients of the potential, in volts.

    Args:
        crystal: the crystal.
        hkl: shape (n, 3).

    Returns:
        Shape (n,), complex.

    Source: International Tables C, section 4.3.1; scattering factors table 4.3.2.2.
    """
    atoms = atoms_of(crystal)
    g = np.linalg.norm(hkl @ reciprocal(crystal), axis=1) / _ANGSTROM_PER_NM  # 1/angstrom
    factors = {e: scattering_factor(e, g) for e in set(atoms.element)}
    total = np.zeros(len(hkl), dtype=np.complex128)
    for element, where, occupancy, u in zip(atoms.element, atoms.position, atoms.occupancy, atoms.u_nm2, strict=True):
        fall = np.exp(-2.0 * np.pi**2 * u * _ANGSTROM_PER_NM**2 * g**2)
        total += occupancy * factors[element] * fall * np.exp(2j * np.pi * (hkl @ where))
    return np.asarray(total * _POTENTIAL_V_A2 / (crystal.volume_nm3 * _ANGSTROM_PER_NM**3))


def scattering_factor(element: str, g_per_angstrom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the electron scattering factor of a neutral atom, angstrom.

    Args:
        element: symbol.
        g_per_angstrom: any shape, 1/d.

    Returns:
        The same shape.

    Raises:
        InputError: the table has no such element.
    """
    found = gemmi.Element(element).c4322
    if found is None:
        raise InputError(f"The table of electron scattering factors has no {element}.")
    a, b = np.array(found.a), np.array(found.b)
    squared = (np.asarray(g_per_angstrom, dtype=float) / 2.0) ** 2
    return np.asarray(np.sum(a * np.exp(-b * squared[..., None]), axis=-1))


def planes_of(crystal: Crystal, d_min_nm: float, d_max_nm: float) -> Planes:
    """Return every lattice vector between two spacings.

    Args:
        crystal: the crystal.
        d_min_nm: smallest spacing, nm.
        d_max_nm: largest spacing, nm.

    Returns:
        The planes; empty where the crystal has none there.

    Raises:
        InputError: too many of them.
    """
    # A crystal is hashable but for what its cell was read with; the name alone would confuse two files.
    return _planes(crystal, float(d_min_nm), float(d_max_nm))


@lru_cache(maxsize=64)
def _planes(crystal: Crystal, d_min_nm: float, d_max_nm: float) -> Planes:
    expected = 4.0 / 3.0 * np.pi * crystal.volume_nm3 / d_min_nm**3
    if expected > MAX_REFLECTIONS:
        raise InputError(f"{crystal.name} has about {expected:.0f} planes down to {d_min_nm:g} nm: ask for fewer.")
    axes = _direct(crystal)
    most = np.ceil(np.linalg.norm(axes, axis=1) / d_min_nm).astype(int)
    span = [np.arange(-m, m + 1) for m in most]
    hkl = np.stack(np.meshgrid(*span, indexing="ij"), axis=-1).reshape(-1, 3)
    vector = hkl @ reciprocal(crystal)
    length = np.linalg.norm(vector, axis=1)
    operations = gemmi.SpaceGroup(crystal.space_group).operations()
    centring = np.array(operations.cen_ops) / _GRID
    whole = np.all(np.abs((hkl @ centring.T + 0.5) % 1.0 - 0.5) < 1e-6, axis=1)
    keep = whole & (length > 1.0 / d_max_nm) & (length < 1.0 / d_min_nm)
    order = np.lexsort((*-hkl[keep].T, np.round(length[keep], 9)))
    hkl, vector, length = hkl[keep][order], vector[keep][order], length[keep][order]
    return Planes(
        crystal,
        hkl,
        vector,
        1.0 / length if len(length) else np.zeros(0),
        np.abs(potentials(crystal, hkl)) if len(hkl) else np.zeros(0),
        np.array([operations.is_systematically_absent([int(i) for i in h]) for h in hkl], dtype=bool),
        _families(operations, hkl),
    )


def _families(operations: gemmi.GroupOps, hkl: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the families of equivalents, Friedel pairs included, in the order in which they come."""
    if not len(hkl):
        return np.zeros(0, dtype=np.int64)
    turns = [np.array(op.rot) // _GRID for op in operations.sym_ops]
    images = np.stack([hkl @ t for t in turns] + [-(hkl @ t) for t in turns], axis=1)
    base = 2 * int(np.abs(hkl).max()) * 4 + 1
    code = (images[..., 0] * base + images[..., 1]) * base + images[..., 2]
    leader = code.max(axis=1)
    _, first, family = np.unique(leader, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[family.reshape(-1)])


def equivalents(crystal: Crystal, hkl: Sequence[int]) -> set[tuple[int, int, int]]:
    """Return the indices that symmetry and Friedel's law make equivalent to some, themselves included."""
    index = [int(i) for i in hkl]
    images = [op.apply_to_hkl(index) for op in gemmi.SpaceGroup(crystal.space_group).operations().sym_ops]
    return {(s * h[0], s * h[1], s * h[2]) for h in images for s in (1, -1)}


def label(hkl: NDArray[np.int64]) -> str:
    """Return indices as people write them: ``(1 0 0)`` is ``(100)``, and ``(10 0 -2)`` keeps its spaces."""
    numbers = [int(i) for i in hkl]
    return f"({''.join(map(str, numbers)) if all(0 <= i <= 9 for i in numbers) else ' '.join(map(str, numbers))})"
