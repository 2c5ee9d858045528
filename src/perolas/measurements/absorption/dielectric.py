r"""What n and k say of the two phases: how strongly they absorb, and the form of it above the edge.

A layer's absorbance is :math:`D = \mu\, d / \ln 10`, d being its thickness if all of the phase were pressed solid and
:math:`\mu` the absorption coefficient of the solid: for nanocrystals in a medium that of small particles with the local
field (`perolas.matter.optics.intrinsic_absorption_cm1`), for a dense film :math:`4\pi k / \lambda`.

CsPbBr3: the height of the continuum at the gap is read off where the coefficient is lowest above the exciton; what
rises above it further up belongs to other transitions, which an Elliott edge does not have. Cs4PbBr6: a line of the
height of the coefficient's maximum, and what rises above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np

from perolas.core import check
from perolas.core.units import nm_from_ev
from perolas.matter.parameters_library import parameter_value

MEDIA = ("toluene", "water", "film")
_STEP_EV = 0.05  # of the splines: the table itself has a point each 0.02 to 0.05 eV
_TOP_EV = 5.1
PARAMETERS_USED = (
    "CsPbBr3.refractive_index.brennan2024",
    "Cs4PbBr6.refractive_index.estimate",
    "CsPbBr3.absorption_shape_error",
    "CsPbBr3.exciton_binding_energy",
    "Cs4PbBr6.band_gap",
    "Cs4PbBr6.exciton_width",
)


@dataclass(frozen=True)
class Material:
    """How one phase absorbs.

    Attributes:
        height_cm1: absorption coefficient that an amplitude of one stands for, cm-1.
        relative_std: its relative standard error.
        molar_volume_cm3: volume of one mole of lead in it, cm3.
        spline: shape (4, m), coefficients of the cubic pieces of the rest, over the height, against the energy above
            the edge or line; each piece is `STEP` wide and the first begins at zero.
    """

    height_cm1: float
    relative_std: float
    molar_volume_cm3: float
    spline: np.ndarray


STEP = _STEP_EV


def coefficient_cm1(phase: str, energy_ev: Any, medium: str = "toluene", dataset: str | None = None) -> np.ndarray:
    """Return the absorption coefficient of a phase, per volume of it.

    Args:
        phase: ``"CsPbBr3"`` or ``"Cs4PbBr6"``.
        energy_ev: photon energies, eV.
        medium: what is around the nanocrystals, or ``"film"`` for the solid itself.
        dataset: of refractive indices; by default the widest one.

    Returns:
        cm-1, of the shape of the energies.

    Raises:
        InputError: an unknown medium, or energies outside the tables.
    """
    from perolas.matter import optics

    nm = np.asarray(nm_from_ev(np.asarray(energy_ev, dtype=float)))
    check.one_of(medium, MEDIA, "The medium")
    with jax.ensure_compile_time_eval():  # also where a model that is being compiled asks for the first time
        index = np.asarray(optics.refractive_index(phase, nm, dataset))
        if medium == "film":
            return 4e7 * np.pi * index.imag / nm
        around = np.asarray(optics.refractive_index(medium, nm)).real
        field = np.abs(np.asarray(optics.local_field_factor(index, around))) ** 2
    return 4e7 * np.pi * index.real * index.imag / (nm * around) * field


@cache
def perovskite(medium: str = "toluene") -> Material:
    """Return how CsPbBr3 absorbs: the continuum's height at the gap, and what rises above it."""
    energy = np.arange(2.2, _TOP_EV, 0.005)
    mu = coefficient_cm1("CsPbBr3", energy, medium)
    near = energy < 2.8
    line = int(np.argmax(np.where(energy < 2.5, mu, 0.0)))
    low = line + int(np.argmin(mu[line:][near[line:]]))
    gap = float(energy[line]) + parameter_value("CsPbBr3.exciton_binding_energy") / 1e3
    height = float(mu[low] * energy[low] / gap)
    rest = np.where(np.arange(energy.size) > low, np.maximum(mu * energy / (height * gap) - 1.0, 0.0), 0.0)
    return Material(height, relative_std("CsPbBr3"), _molar("CsPbBr3"), _spline(energy - gap, rest))


@cache
def parent(medium: str = "toluene") -> Material:
    """Return how Cs4PbBr6 absorbs: the height of its exciton's line, and what rises above it."""
    centre, width = parameter_value("Cs4PbBr6.band_gap"), parameter_value("Cs4PbBr6.exciton_width")
    energy = np.arange(3.5, _TOP_EV, 0.005)
    mu = coefficient_cm1("Cs4PbBr6", energy, medium)
    line = np.abs(energy - centre) < 2.0 * width
    height = float(mu[line].max())
    low = int(np.argmax(energy > centre)) + int(np.argmin(mu[(energy > centre) & (energy < centre + 4.0 * width)]))
    rest = np.where(np.arange(energy.size) > low, np.maximum(mu - mu[low], 0.0) / height, 0.0)
    return Material(height, relative_std("Cs4PbBr6"), _molar("Cs4PbBr6"), _spline(energy - centre, rest))


def relative_std(phase: str) -> float:
    """Return the relative standard error of a phase's absorption coefficient, the same in every medium."""
    from perolas.matter.optics import datasets

    table = next(iter(datasets(phase).values()))
    return float(np.hypot(table.std_k_relative, parameter_value("CsPbBr3.absorption_shape_error")))


def _molar(phase: str) -> float:
    from perolas.matter import crystal

    return float(crystal.phase(phase).molar_volume_cm3)


def _spline(excess: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return monotone cubic pieces through the rest, which begins at zero."""
    from scipy.interpolate import PchipInterpolator

    nodes = np.arange(0.0, float(excess[-1]), _STEP_EV)
    return np.asarray(PchipInterpolator(nodes, np.interp(nodes, excess, rest)).c)[::-1].copy()
