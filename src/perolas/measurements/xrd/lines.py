"""From crystals to the frozen part of a pattern: reflections, strengths, texture angles, which cell parameters vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gemmi
import numpy as np

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import table
from perolas.matter.crystal import Crystal
from perolas.matter.specimen import PHASES
from perolas.measurements.xrd.instrument import Instrument
from perolas.measurements.xrd.model import Xrd
from perolas.measurements.xrd.profile import axial_nodes, block_table, pad_axis

MAX_LINES = 5_000  # reflections of all phases together
MAX_POINTS = 200_000
_WEAKEST = 1e-4  # lines weaker than this, relative to the strongest of their phase, are left out
_MARGIN_DEG = 1.0  # lines this far outside the axis are kept, since their tails come in
# Which length each of a, b, c is, by crystal system.
_SAME_LENGTHS = {
    "cubic": (0, 0, 0),
    "tetragonal": (0, 0, 2),
    "trigonal": (0, 0, 2),
    "hexagonal": (0, 0, 2),
}
_AXIAL_NODES = 8
_REACH_POWER, _LEAST_REACH_DEG = 0.4, 1.0


def pattern(
    crystals: Sequence[Crystal],
    axis_deg: np.ndarray,
    instrument: Instrument | None = None,
    *,
    reach_deg: float | None = None,
    texture: Mapping[str, tuple[int, int, int]] | None = None,
    polynomials: int = 4,
    axial: bool | None = None,
    noise: AbstractNoise | None = None,
    shape_factor: float = 0.9,
    **values: Any,
) -> Xrd:
    """Build the pattern of some phases on an axis.

    Args:
        crystals: the phases; their names must differ.
        axis_deg: shape (n,), two theta in degrees, rising.
        instrument: tube, goniometer and profile; None: copper with K alpha 2 and a usual laboratory profile.
        reach_deg: how far from its centre the strongest line of a phase is computed, weaker ones less far; None:
            everywhere.
        texture: name of a phase -> Miller indices of its texture axis; without, `march` does nothing.
        polynomials: of the background, one or more; a value for `background` wins.
        axial: whether axial divergence is computed (it costs a factor of eight); None: if the instrument has any.
        noise: Poisson by default.
        shape_factor: Scherrer's K.
        values: parameters by field name, e.g. ``crystallite_nm=[20.0]``.

    Returns:
        The measurement.

    Raises:
        InputError: no phase, a name twice, or more lines than are computed.
    """
    axis = check.axis(axis_deg, "two_theta_deg")
    if axis[0] > axis[-1]:
        raise InputError("The two-theta axis must rise.")
    if not 0 < axis[0] < axis[-1] < 180:
        raise InputError(
            f"The two-theta axis must lie between 0 and 180 °, but runs from {axis[0]:g} to {axis[-1]:g} °."
        )
    if axis.size > MAX_POINTS:
        raise InputError(f"The pattern has {axis.size} points, more than the {MAX_POINTS} that are fitted.")
    names = tuple(c.name for c in crystals)
    if not names:
        raise InputError("Name at least one phase.")
    if len(set(names)) != len(names):
        raise InputError(
            f"Two phases have the same name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}."
        )
    machine = instrument or Instrument()
    rows = [_reflections(c, machine, axis) for c in crystals]
    if sum(len(r[0]) for r in rows) > MAX_LINES:
        raise InputError(
            f"These phases have {sum(len(r[0]) for r in rows)} lines here, more than {MAX_LINES}; fit fewer."
        )
    hkl = np.concatenate([r[0] for r in rows]).reshape(-1, 3)
    of = np.concatenate([np.full(len(r[0]), i) for i, r in enumerate(rows)]).astype(np.int32)
    strength = np.concatenate([r[1] for r in rows])
    wanted = dict(texture or {})
    for name in wanted:
        check.one_of(name, names, "The textured phase")
    angles = [_to_axis(c, r[0], wanted.get(c.name)) for c, r in zip(crystals, rows, strict=True)] if wanted else []
    to_axis = _stacked(angles) if wanted else np.zeros((len(hkl), 0))
    cells, lengths, cell_angles = _cells(crystals)
    bend = machine.axial > 0 if axial is None else axial
    u, weight = axial_nodes(_AXIAL_NODES if bend else 1)
    sub = _centres(crystals, rows, machine.wavelengths_nm)
    reach = np.full(sub.size, np.inf)
    if reach_deg is not None:
        # Lorentz tails of all lines end at like height for the root of their strength; a little more for many of them.
        share = np.repeat(np.concatenate([r[3] for r in rows]), len(machine.wavelengths_nm))
        reach = np.maximum(reach_deg * share**_REACH_POWER, min(_LEAST_REACH_DEG, reach_deg))
    index = block_table(axis, sub, reach)
    many = u.size
    expanded = np.where(index[:, :, None] < sub.size, index[:, :, None] * many + np.arange(many), sub.size * many)
    defaults: dict[str, Any] = {
        row.field: np.full(len(names), row.default)
        for row in table(Xrd)
        if row.field in ("area", "crystallite_nm", "microstrain", "march", "extra_u_nm2")
    }
    defaults |= {"length_nm": lengths, "angle_deg": cell_angles, "background": np.zeros(max(int(polynomials), 1))}
    defaults |= machine.profile()
    values = {k: np.asarray(v, dtype=float) for k, v in values.items()}
    mass = [PHASES.index(n) if n in PHASES else len(PHASES) for n in names]
    return Xrd(
        **(defaults | values),
        axis_deg=axis,
        x_blocks=pad_axis(axis),
        block_lines=expanded.reshape(len(index), -1).astype(np.int32),
        hkl=hkl.astype(float),
        line_phase=of,
        strength=strength,
        to_axis=to_axis,
        weight_per_area=np.array([r[2] for r in rows]),
        mass_index=np.array(mass, dtype=np.int32),
        reference_length_nm=lengths,
        wavelength_nm=np.array(machine.wavelengths_nm),
        monochromator_deg=machine.monochromator_deg,
        radius_mm=machine.radius_mm,
        shape_factor=shape_factor,
        axial_u=u,
        axial_weight=weight,
        noise=noise or Poisson(),
        phases=names,
        cells=cells,
        texture_axes=tuple(tuple(wanted.get(n, ())) for n in names) if wanted else (),
    )


def _reflections(
    crystal: Crystal, machine: Instrument, axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Return indices, m F^2 over m F^2 LP of the strongest, weight for an area of one per nm3, and heights over it."""
    first = machine.wavelengths_nm[0]
    found = crystal.reflections(first, two_theta_max=min(float(axis[-1]) + _MARGIN_DEG, 179.0))
    keep = found.two_theta_deg >= axis[0] - _MARGIN_DEG
    strength = found.multiplicity * found.f_squared
    mono = np.cos(np.deg2rad(machine.monochromator_deg)) ** 2
    angle = np.deg2rad(found.two_theta_deg)
    polarised = (1 + mono * np.cos(angle) ** 2) / (np.sin(angle / 2) ** 2 * np.cos(angle / 2))
    seen = np.where(keep, strength * polarised, 0.0)
    if not seen.size or not seen.max() > 0:
        raise InputError(f'"{crystal.name}" has no line between {axis[0]:g} and {axis[-1]:g} °; leave it out.')
    top = float(seen.max())
    keep &= seen > _WEAKEST * top
    weight = crystal.formula_units * crystal.molar_mass_g_mol / top
    return found.hkl[keep], strength[keep] / top, weight, seen[keep] / top


def _centres(crystals: Sequence[Crystal], rows: list[Any], wavelengths: tuple[float, ...]) -> np.ndarray:
    centres = []
    for crystal, row in zip(crystals, rows, strict=True):
        d = np.array([crystal.d_spacing_nm(h) for h in row[0]])
        sine = np.minimum(np.array(wavelengths)[None, :] / (2 * d[:, None]), 1.0)
        centres.append(2 * np.rad2deg(np.arcsin(sine)))
    return np.concatenate(centres).reshape(-1)


def _cells(crystals: Sequence[Crystal]) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    """Return for each phase where its six cell parameters come from, and the start values of those that vary."""
    lengths: list[float] = []
    angles: list[float] = []
    cells = []
    for crystal in crystals:
        system = gemmi.SpaceGroup(crystal.space_group).crystal_system_str()
        rhombohedral = crystal.space_group.endswith(":R")
        same = (0, 0, 0) if rhombohedral else _SAME_LENGTHS.get(system, (0, 1, 2))
        cell: list[tuple[str, Any]] = []
        for i, equal in enumerate(same):
            if equal == i:
                lengths.append(crystal.cell[i])
                cell.append(("length", len(lengths) - 1))
            else:
                cell.append(cell[equal])
        for i in (3, 4, 5):
            vary = system == "triclinic" or (system == "monoclinic" and abs(crystal.cell[i] - 90) > 1e-6)
            if rhombohedral and i > 3:
                cell.append(cell[3])
            elif vary or rhombohedral:
                angles.append(crystal.cell[i])
                cell.append(("angle", len(angles) - 1))
            else:
                cell.append(("fixed", float(crystal.cell[i])))
        cells.append(tuple(cell))
    return tuple(cells), np.array(lengths), np.array(angles)


def _to_axis(crystal: Crystal, hkl: np.ndarray, axis: tuple[int, int, int] | None) -> np.ndarray:
    """Return cos^2 of the angle between each member of a family and the texture axis; -1 fills up."""
    if axis is None:
        return np.zeros((len(hkl), 1))
    cell = gemmi.UnitCell(*crystal.cell)
    to_cartesian = np.array(cell.frac.mat.tolist()).T  # reciprocal vectors are rows of the fractionalisation matrix
    members = [np.array(_members(crystal, h)) for h in hkl]
    unit = to_cartesian @ np.array(axis, dtype=float)
    unit /= np.linalg.norm(unit)
    result = np.full((len(hkl), max(len(m) for m in members)), -1.0)
    for row, family in zip(result, members, strict=True):
        vectors = family @ to_cartesian.T
        row[: len(family)] = np.clip((vectors @ unit) ** 2 / np.sum(vectors**2, axis=1), 0.0, 1.0)
    return result


def _members(crystal: Crystal, hkl: np.ndarray) -> list[tuple[int, ...]]:
    operations = gemmi.SpaceGroup(crystal.space_group).operations()
    index = [int(i) for i in hkl]
    found = {tuple(op.apply_to_hkl(index)) for op in operations.sym_ops}
    return sorted(found | {tuple(-i for i in h) for h in found})


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Return the tables on top of one another, filled up to one width."""
    width = max(p.shape[1] for p in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=-1.0) for p in parts])
