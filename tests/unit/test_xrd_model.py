"""The powder pattern against other code and plain arithmetic: pymatgen's sticks, an independent sum, closed forms."""

from __future__ import annotations

import math
import os
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core.parameter import replace, slots
from perolas.matter import crystal
from perolas.matter.specimen import Specimen
from perolas.measurements.xrd import Instrument, pattern
from perolas.measurements.xrd.model import volume_weighted_nm
from perolas.measurements.xrd.prepare import miller
from perolas.measurements.xrd.profile import axial_nodes, axial_positions, blocks, tch

CU_KA1_NM = 0.1540593
AXIS = np.arange(10.0, 60.0, 0.02)
LN2 = math.log(2.0)


def pymatgen_structure(found):
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


def pseudo_voigt(x, fwhm, eta):
    """The textbook formula, of unit area."""
    gauss = 2 / fwhm * math.sqrt(LN2 / math.pi) * np.exp(-4 * LN2 * (x / fwhm) ** 2)
    return eta * 2 / (math.pi * fwhm) / (1 + 4 * (x / fwhm) ** 2) + (1 - eta) * gauss


@pytest.mark.parametrize("name", ["Cs4PbBr6", "CsPbBr3", "CsBr"])
@pytest.mark.full
def test_full_pattern_is_an_independent_sum_of_pymatgens_sticks(name):
    """pymatgen's positions and intensities (Lorentz-polarisation and displacements its own), a plain loop over lines.

    To 0.5 % of the highest point: the form factors of the two codes differ by up to 0.16 % of the strongest line each
    (tests/unit/matter/test_crystal.py), and several lines lie under a point.
    """
    found = crystal.phase(name)
    structure = pymatgen_structure(found)
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    factors = {s.element: 8 * math.pi**2 * 100 * s.u_iso_nm2 for s in found.sites}
    lines = XRDCalculator(wavelength=10 * CU_KA1_NM, debye_waller_factors=factors).get_pattern(
        structure, two_theta_range=(5, 65)
    )
    size, w = 20.0, 0.0036
    total = np.zeros(AXIS.size)
    for two_theta, height in zip(lines.x, lines.y, strict=True):
        theta = math.radians(two_theta / 2)
        g = math.sqrt(w)
        l = math.degrees(0.9 * CU_KA1_NM / (size * math.cos(theta)))
        fwhm = g**5 + 2.69269 * g**4 * l + 2.42843 * g**3 * l**2 + 4.47163 * g**2 * l**3 + 0.07842 * g * l**4 + l**5
        fwhm **= 0.2
        q = l / fwhm
        total += height / 100 * pseudo_voigt(AXIS - two_theta, fwhm, 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3)
    machine = Instrument(wavelengths_nm=(CU_KA1_NM,), caglioti_w=w, lorentz_y=0.0)
    ours = np.asarray(pattern([found], AXIS, machine, area=[1.0], crystallite_nm=[size], polynomials=1).expected())
    assert np.max(np.abs(ours - total)) < 0.005 * total.max()


def test_k_alpha_2_and_shifts_are_where_braggs_law_puts_them():
    machine = Instrument(radius_mm=200.0)
    shifted = pattern([crystal.phase("CsBr")], AXIS, machine, zero_deg=0.05, displacement_mm=0.1)
    position, area, _, _ = (np.asarray(p) for p in shifted.sticks())
    hkl = np.asarray(shifted.hkl)
    for row, h in zip(position, hkl, strict=True):
        d = 0.42953 / math.sqrt(float(h @ h))
        for value, wavelength in zip(row, machine.wavelengths_nm, strict=True):
            theta = math.asin(wavelength / (2 * d))
            moved = math.degrees(2 * theta - 2 * 0.1 / 200.0 * math.cos(theta)) + 0.05
            assert value == pytest.approx(moved, abs=1e-3)  # the library's a of CsBr is rounded here
    ratio = area[:, 1] / area[:, 0]
    assert np.all((ratio > 0.49) & (ratio < 0.5))  # half, less what Lorentz-polarisation falls


def test_every_line_has_its_area():
    """The integral over a wide axis is the sum of all areas: kernels are of unit area."""
    made = pattern(
        [crystal.phase("CsBr")], np.arange(2.0, 178.0, 0.02), crystallite_nm=[50.0], area=[7.0], polynomials=1
    )
    position, area, _, _ = (np.asarray(p) for p in made.sticks())
    inside = area[(position > 5) & (position < 150)].sum()
    assert float(jnp.sum(made.expected())) * 0.02 == pytest.approx(area[position < 178].sum(), rel=0.02)
    assert inside > 0.5 * area.sum()


@pytest.mark.full
def test_cut_windows_change_little():
    every = pattern([crystal.phase("CsPbBr3")], AXIS, area=[100.0], crystallite_nm=[20.0])
    near = pattern([crystal.phase("CsPbBr3")], AXIS, area=[100.0], crystallite_nm=[20.0], reach_deg=10.0)
    assert near.block_lines.size < 0.75 * every.block_lines.size
    a, b = np.asarray(every.expected()), np.asarray(near.expected())
    assert np.max(np.abs(a - b)) < 0.01 * a.max()


def test_blocks_know_their_derivatives():
    rng = np.random.default_rng(2)
    x = np.linspace(0, 10, 48).reshape(3, 16)
    args = [jnp.asarray(rng.uniform(low, high, (3, 5))) for low, high in ((0, 10), (1, 3), (0.4, 2), (0, 1))]
    for i in range(4):
        step = 1e-6
        ahead, behind = ([a + (s * step if j == i else 0) for j, a in enumerate(args)] for s in (1, -1))
        numeric = (blocks(x, *ahead) - blocks(x, *behind)) / (2 * step)
        tangents = [jnp.ones_like(a) if j == i else jnp.zeros_like(a) for j, a in enumerate(args)]
        _, analytic = jax.jvp(lambda *a: blocks(x, *a), args, tangents)
        assert np.allclose(analytic, numeric, rtol=1e-6, atol=1e-7)


def test_pseudo_voigt_width_in_its_limits():
    """A Gaussian alone, a Lorentzian alone; between them the Voigt width of Olivero and Longbothum to 1 %."""
    assert np.allclose(tch(jnp.asarray(0.2), jnp.asarray(0.0)), (0.2, 0.0))
    fwhm, share = tch(jnp.asarray(1e-4), jnp.asarray(0.3))
    assert float(fwhm) == pytest.approx(0.3, rel=1e-3)
    assert float(share) == pytest.approx(1.0, abs=1e-3)
    g, l = 0.1, 0.15
    voigt = 0.5346 * l + math.sqrt(0.2166 * l * l + g * g)
    assert float(tch(jnp.asarray(g), jnp.asarray(l))[0]) == pytest.approx(voigt, rel=0.01)


def test_axial_divergence_has_the_mean_of_its_density():
    """Small opening s: rays at u = 2 s have the shift s^2 u^2 2 cot(2 theta), whose mean over 2 (1 - u) is a sixth."""
    u, weight = axial_nodes(8)
    assert weight @ u**2 == pytest.approx(1 / 6)
    position = jnp.asarray([30.0, 60.0, 120.0])
    moved, share = (np.asarray(a) for a in axial_positions(position, jnp.asarray(0.01), u, weight))
    mean = np.sum((moved - np.asarray(position)[:, None]) * share, axis=1)
    expected = -np.rad2deg(0.5 * (2 * 0.01) ** 2 / 6 / np.tan(np.deg2rad(np.asarray(position))))
    assert np.allclose(mean, expected, rtol=0.02)
    assert np.all(mean[:2] < 0)
    assert mean[2] > 0  # beyond 90 degrees the tail lies on the other side


def test_march_dollase_is_its_integral():
    """At r = 0.5 the factor of (00l) lines is r^-3, of lines normal to it r^1.5 (Dollase 1986); its mean is one."""
    made = pattern([crystal.phase("CsPbBr3_monoclinic")], AXIS, texture={"CsPbBr3_monoclinic": (0, 0, 1)}, march=[0.5])
    factor = np.asarray(made._texture())
    hkl = np.asarray(made.hkl)
    standing = factor[(hkl[:, 0] == 0) & (hkl[:, 1] == 0)]
    assert np.allclose(standing, 0.5**-3)
    normal = factor[(hkl[:, 0] == 0) & (hkl[:, 2] == 0)]  # (0k0) is normal to c* here
    assert np.allclose(normal, 0.5**1.5)
    cosine = np.linspace(0, 1, 20001)
    assert np.mean((0.25 * cosine**2 + (1 - cosine**2) / 0.5) ** -1.5) == pytest.approx(1.0, abs=1e-3)


def test_cells_are_tied_by_symmetry():
    made = pattern([crystal.phase(p) for p in ("Cs4PbBr6", "CsPbBr3_monoclinic", "CsBr", "CsPbBr3")], AXIS)
    names = [s.name for s in slots(made, "measurement") if s.group in ("cell", "cell_angle")]
    assert names == [
        "cell_a_Cs4PbBr6", "cell_c_Cs4PbBr6",
        "cell_a_CsPbBr3_monoclinic", "cell_b_CsPbBr3_monoclinic", "cell_c_CsPbBr3_monoclinic",
        "cell_a_CsBr", "cell_a_CsPbBr3", "cell_b_CsPbBr3", "cell_c_CsPbBr3",
        "cell_angle_beta_CsPbBr3_monoclinic",
    ]  # fmt: skip
    for row, name in zip(np.asarray(made.cell_table()), made.phases, strict=True):
        assert np.allclose(row, crystal.phase(name).cell)
    assert np.allclose(made.volumes_nm3(), [crystal.phase(n).volume_nm3 for n in made.phases])


def test_a_specimen_gives_back_its_mass_fractions():
    specimen = Specimen.of({"Cs4PbBr6": 0.5, "CsPbBr3": 0.3, "CsBr": 0.9}, size_nm=15.0, size_std_nm=3.0, strain=0.004)
    made = pattern([crystal.phase(p) for p in ("CsBr", "Cs4PbBr6", "CsPbBr3")], AXIS, area=[10.0, 20.0, 30.0])
    seen = made.respond(specimen)
    derived = seen.derived()
    mass = np.asarray(specimen.mass_fractions())
    for name, place in (("CsBr", 5), ("Cs4PbBr6", 0), ("CsPbBr3", 1)):
        assert float(derived[f"weight_fraction_{name}"]) == pytest.approx(mass[place], rel=1e-9)
    assert float(jnp.sum(seen.area)) == pytest.approx(60.0)
    assert np.allclose(seen.length_nm, np.asarray(made.length_nm) * 1.004)
    # Moments of a normal law by sampling; of a lognormal one in closed form.
    sizes = np.random.default_rng(1).normal(15.0, 3.0, 400_000)
    assert float(seen.crystallite_nm[0]) == pytest.approx(np.mean(sizes**4) / np.mean(sizes**3), rel=3e-3)
    law = Specimen.of("CsBr", size_nm=15.0, size_std_nm=3.0, size_law="lognormal")
    assert float(volume_weighted_nm(law)) == pytest.approx(15.0 * (1 + 0.04) ** 3)


def test_intensities_follow_hill_and_howard():
    """Two phases in equal masses: areas go as m F^2 LP / V^2 over density, worked out here from the reflections."""
    names = ("CsBr", "CsPbBr3_cubic")
    made = pattern([crystal.phase(n) for n in names], AXIS, Instrument(wavelengths_nm=(CU_KA1_NM,)), area=[1.0, 1.0])
    fractions = made.derived()
    scale = []
    for name in names:
        found = crystal.phase(name)
        lines = found.reflections(CU_KA1_NM, two_theta_max=60.0)
        theta = np.deg2rad(lines.two_theta_deg / 2)
        each = lines.multiplicity * lines.f_squared
        each = each * (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta)) / found.volume_nm3**2
        scale.append(found.density_g_cm3 / each[lines.two_theta_deg > 9].max())  # mass for an area of one
    expected = scale[0] / sum(scale)
    assert float(fractions["weight_fraction_CsBr"]) == pytest.approx(expected, rel=1e-6)


def test_widths_follow_scherrer_and_stokes_wilson():
    machine = Instrument(wavelengths_nm=(CU_KA1_NM,), caglioti_w=1e-8, lorentz_y=0.0)
    made = pattern([crystal.phase("CsBr")], AXIS, machine, crystallite_nm=[10.0])
    position, _, fwhm, share = (np.asarray(p)[:, 0] for p in made.sticks())
    assert np.allclose(fwhm, np.rad2deg(0.9 * CU_KA1_NM / (10.0 * np.cos(np.deg2rad(position / 2)))), rtol=1e-3)
    assert np.all(share > 0.99)
    strained = replace(made, crystallite_nm=jnp.asarray([1e5]), microstrain=jnp.asarray([0.005]))
    _, _, fwhm, share = (np.asarray(p)[:, 0] for p in strained.sticks())
    assert np.allclose(fwhm, np.rad2deg(4 * 0.005 * np.tan(np.deg2rad(position / 2))), rtol=2e-3)
    assert np.all(share < 0.01)


@pytest.mark.parametrize(("text", "indices"), [("001", (0, 0, 1)), ("1-10", (1, -1, 0)), ("1 0 12", (1, 0, 12))])
def test_miller_indices_are_read(text, indices):
    assert miller(text) == indices
