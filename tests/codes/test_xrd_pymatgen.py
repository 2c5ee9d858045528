"""Sticks of all phases of the library against pymatgen's calculator and pymatgen's structures (another code).

Positions agree to 1e-4 degrees. Intensities agree to 1 % of themselves where the conventions do: pymatgen's calculator
has another fit to the atomic form factors (electron scattering turned round by Mott and Bethe) than International
Tables C, which gemmi has and we use, so weak lines, where large contributions cancel, differ by more. To show that
nothing else does, the same lines are summed over pymatgen's own cell contents with gemmi's form factors: 1e-4.
"""

from __future__ import annotations

import math
import os
from importlib.util import find_spec

import gemmi
import numpy as np
import pytest

from perolas.matter import crystal

CU_KA1_NM = 0.1540593
PHASES = crystal.phases()


def structure_of(found):
    if find_spec("pymatgen") is None:
        if "pymatgen" in os.environ.get("PEROLAS_REQUIRE", "").split(","):
            pytest.fail("pymatgen is not installed, and PEROLAS_REQUIRE asks for it")
        pytest.skip("pymatgen is not installed (it is in the extra test)")
    from pymatgen.core import Lattice, Structure

    a, b, c, *angles = found.cell
    return Structure.from_spacegroup(
        found.space_group.removesuffix(":H").replace(" ", ""),
        Lattice.from_parameters(10 * a, 10 * b, 10 * c, *angles),
        [s.element for s in found.sites],
        [s.position for s in found.sites],
        tol=1e-3,
    )


def test_there_are_seven():
    assert len(PHASES) >= 7


@pytest.mark.parametrize("name", PHASES)
def test_positions_to_1e_minus_4_degrees_and_intensities(name):
    """Every line that pymatgen does not merge with another; the strong ones (5 % and more) to 1 %."""
    found = crystal.phase(name)
    structure = structure_of(found)
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    factors = {s.element: 8 * math.pi**2 * 100 * s.u_iso_nm2 for s in found.sites}
    theirs = XRDCalculator(wavelength=10 * CU_KA1_NM, debye_waller_factors=factors).get_pattern(
        structure, two_theta_range=(5, 60)
    )
    ours = found.reflections(CU_KA1_NM, two_theta_max=60)
    total = np.zeros(len(theirs.x))
    alone = np.array([len(h) == 1 for h in theirs.hkls])
    compared = 0
    for angle, height in zip(ours.two_theta_deg, ours.intensity, strict=True):
        near = int(np.argmin(np.abs(theirs.x - angle)))
        total[near] += height
        if height > 0.05 and alone[near]:
            assert theirs.x[near] == pytest.approx(angle, abs=1e-4)
            compared += 1
    assert compared >= 5
    total *= 100 / total.max()
    strong = theirs.y > 5
    assert np.all(np.abs(total - theirs.y)[strong] < 0.01 * theirs.y[strong])


@pytest.mark.parametrize("name", PHASES)
def test_with_the_same_form_factors_nothing_is_left(name):
    """|F|^2 of every line from pymatgen's cell contents, by a plain sum with International Tables C: to 1e-4."""
    found = crystal.phase(name)
    structure = structure_of(found)
    u = {s.element: 100 * s.u_iso_nm2 for s in found.sites}  # the same for every site of an element in our table
    where = np.array([site.frac_coords for site in structure])
    elements = [str(site.specie) for site in structure]
    ours = found.reflections(CU_KA1_NM, two_theta_max=60)
    squared = []
    for hkl, d in zip(ours.hkl, ours.d_nm, strict=True):
        stol2 = 1 / (20 * d) ** 2
        f = {e: gemmi.Element(e).it92.calculate_sf(stol2) * math.exp(-8 * math.pi**2 * u[e] * stol2) for e in u}
        squared.append(abs(np.sum([f[e] for e in elements] * np.exp(2j * math.pi * (where @ hkl)))) ** 2)
    assert np.allclose(ours.f_squared, squared, rtol=1e-4, atol=1e-6 * max(squared))
