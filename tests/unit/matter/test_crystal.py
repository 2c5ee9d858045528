"""Crystals against pymatgen (another code), the arithmetic of their cells, and users' own files.

pymatgen is built from the same cells and sites, so that what is compared is the code: symmetry, cell geometry, atomic
masses, form factors, intensities.
"""

from __future__ import annotations

import json
import math
import os
from importlib.resources import files
from importlib.util import find_spec

import jax
import jsonschema
import numpy as np
import pytest
import yaml

from perolas.core.errors import InputError
from perolas.matter import crystal, lattice
from perolas.matter import parameters_library as lib
from perolas.matter.specimen import PHASES

CU_KA1_NM = 0.1540593  # International Tables C, table 4.2.2.1, rounded
FOLDER = files("perolas.matter").joinpath("parameters", "structures")


def in_pymatgen(found: crystal.Crystal):
    if find_spec("pymatgen") is None:
        if "pymatgen" in os.environ.get("PEROLAS_REQUIRE", "").split(","):
            pytest.fail("pymatgen is not installed, and PEROLAS_REQUIRE asks for it")
        pytest.skip("pymatgen is not installed (it is in the extra test)")
    from pymatgen.core import Lattice, Structure

    a, b, c, *angles = found.cell
    return Structure.from_spacegroup(
        found.space_group.removesuffix(":H").replace(" ", "").replace("P12/m1", "P2/m"),
        Lattice.from_parameters(10 * a, 10 * b, 10 * c, *angles),
        [s.element for s in found.sites],
        [s.position for s in found.sites],
        tol=1e-3,
    )


def test_files_keep_their_schema():
    table = yaml.safe_load(FOLDER.joinpath("phases.yaml").read_text(encoding="utf-8"))
    schema = json.loads(FOLDER.joinpath("phases.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(table, schema)
    assert tuple(table) == PHASES
    for entry in table.values():
        for key in ("cell_source", "sites_source"):
            assert entry[key] == "estimated here" or entry[key] in lib.sources()
    table["CsBr"].pop("cell_source")
    with pytest.raises(jsonschema.ValidationError, match="cell_source"):
        jsonschema.validate(table, schema)


@pytest.mark.parametrize("name", PHASES)
def test_contents_and_density_are_pymatgens(name):
    found = crystal.phase(name)
    other = in_pymatgen(found)
    assert crystal.formula_of(found.contents)[1] == found.formula_units
    assert {k: round(v) for k, v in found.contents.items()} == {
        str(k): round(v) for k, v in other.composition.get_el_amt_dict().items()
    }
    assert found.density_g_cm3 == pytest.approx(float(other.density), rel=5e-5)
    assert found.volume_nm3 == pytest.approx(other.volume / 1000, rel=1e-9)
    assert found.molar_mass_g_mol == pytest.approx(float(other.composition.weight) / found.formula_units, rel=5e-5)


@pytest.mark.parametrize("name", PHASES)
def test_reflections_are_pymatgens(name):
    """d to 2e-6; intensities to 0.2 % of the strongest line and 1 % of themselves.

    The codes agree to 0.16 and 0.8 % at worst. What is left is the form factors: pymatgen has another fit to them
    (electron-scattering tables turned round by Mott-Bethe) than International Tables C. pymatgen merges near lines
    and gives their mean d, hence 2e-5 there.
    """
    found = crystal.phase(name)
    other = in_pymatgen(found)
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    u = {s.element: s.u_iso_nm2 for s in found.sites}  # the same for every site of an element in our table
    assert all(u[s.element] == s.u_iso_nm2 for s in found.sites)
    b_factors = {e: 8 * math.pi**2 * 100 * x for e, x in u.items()}
    pattern = XRDCalculator(wavelength=10 * CU_KA1_NM, debye_waller_factors=b_factors).get_pattern(
        other, two_theta_range=(5, 60)
    )
    ours = found.reflections(CU_KA1_NM, two_theta_max=60)
    sums = np.zeros(len(pattern.x))
    for d, value in zip(10 * ours.d_nm, ours.intensity, strict=True):
        nearest = int(np.argmin(np.abs(np.asarray(pattern.d_hkls) - d)))
        if value > 0.02:
            assert pattern.d_hkls[nearest] == pytest.approx(d, rel=2e-6 if len(pattern.hkls[nearest]) == 1 else 2e-5)
        sums[nearest] += value
    sums *= 100 / sums.max()
    assert np.all(np.abs(sums - pattern.y) < 0.05 + np.minimum(0.15, 0.01 * pattern.y)), np.c_[
        pattern.x, sums, pattern.y
    ]


def test_the_lines_at_15_degrees():
    """parameters.md, section 0: 0.5891 nm at 15.03 and 0.5827 nm at 15.19 degrees; nothing of Cs4PbBr6 near."""
    cell = crystal.phase("CsPbBr3_monoclinic")
    assert cell.d_spacing_nm((1, 0, 0)) == pytest.approx(0.5827, abs=5e-5)
    angles = [float(lattice.two_theta_deg(cell.d_spacing_nm(h), CU_KA1_NM)) for h in ((0, 0, 1), (1, 0, 0))]
    assert angles == pytest.approx([15.03, 15.19], abs=0.005)
    lines = crystal.phase("Cs4PbBr6").reflections(CU_KA1_NM, two_theta_max=40)
    visible = lines.two_theta_deg[lines.intensity > 0.01]
    assert not np.any((visible > 14) & (visible < 18))
    assert visible[:2] == pytest.approx([12.65, 12.89], abs=0.01)
    assert "0.58909" in str(cell.reflections(CU_KA1_NM, two_theta_max=20))


def test_volumes_per_lead():
    """parameters.md, section 0: CsPbBr3 has 0.424(5) of the volume of Cs4PbBr6 for each lead; 20 nm become 15.0 nm."""
    small, large = crystal.phase("CsPbBr3"), crystal.phase("Cs4PbBr6")
    ratio = small.molar_volume_cm3 / large.molar_volume_cm3
    assert ratio == pytest.approx(0.424, abs=5e-4)
    assert 20 * ratio ** (1 / 3) == pytest.approx(15.0, abs=0.05)
    relative = large.molar_volume_std_cm3 / large.molar_volume_cm3
    assert relative == pytest.approx(math.hypot(2 * 0.02 / 13.722, 0.04 / 17.3))  # analytic: a counts twice


@pytest.mark.parametrize("name", PHASES)
def test_lattice_functions_are_gemmis(name):
    found = crystal.phase(name)
    lines = found.reflections(CU_KA1_NM, d_min_nm=0.12)
    d = np.asarray(lattice.d_spacing_nm(lines.hkl, found.cell))
    assert d == pytest.approx(lines.d_nm, rel=1e-12)
    assert float(lattice.cell_volume_nm3(found.cell)) == pytest.approx(found.volume_nm3, rel=1e-12)


def test_d_spacing_is_differentiable_in_a_triclinic_cell():
    cell = np.array([0.58, 0.71, 1.13, 82.0, 97.0, 104.0])
    gradient = jax.grad(lambda c, s: lattice.d_spacing_nm([1, -2, 3], c, s), argnums=(0, 1))(cell, 0.01)
    for i in range(6):
        h = 1e-6 * cell[i]
        up, down = (lattice.d_spacing_nm([1, -2, 3], cell + sign * h * np.eye(6)[i], 0.01) for sign in (1, -1))
        assert float(gradient[0][i]) == pytest.approx(float(up - down) / (2 * h), rel=1e-7)
    assert float(gradient[1]) == pytest.approx(float(lattice.d_spacing_nm([1, -2, 3], cell)), rel=1e-12)


def test_multiplicities_of_a_cube():
    """Analytic: 6, 12, 8, 24 and 48 members of h00, hk0 with h = k, hhh, hk0, hkl."""
    lines = crystal.phase("CsBr").reflections(0.02, d_min_nm=0.11)
    many = {tuple(sorted(map(abs, map(int, h)))): int(n) for h, n in zip(lines.hkl, lines.multiplicity, strict=True)}
    wanted = {(0, 0, 1): 6, (0, 1, 1): 12, (1, 1, 1): 8, (0, 1, 2): 24, (1, 2, 3): 48}
    assert {k: many[k] for k in wanted} == wanted


def test_what_cannot_be_asked_for():
    salt = crystal.phase("CsBr")
    for call, sentence in [
        (lambda: crystal.phase("CsPbBr"), 'did you mean "CsPbBr3"'),
        (lambda: salt.d_spacing_nm((0, 0, 0)), "not all zero"),
        (lambda: salt.d_spacing_nm((0.5, 0, 0)), "three whole numbers"),
        (lambda: salt.reflections(0.154), "exactly one"),
        (lambda: salt.reflections(-0.154, two_theta_max=50), "must be positive"),
        (lambda: salt.reflections(math.nan, two_theta_max=50), "must be positive"),
        (lambda: salt.reflections(0.154, two_theta_max=270), "at most 180"),
        (lambda: salt.reflections(0.001, two_theta_max=180), "ask for fewer"),
    ]:
        with pytest.raises(InputError, match=sentence):
            call()


GOOD = """data_CsBr
_cell_length_a 4.2953
_cell_length_b 4.2953
_cell_length_c 4.2953
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Cs1 0 0 0 0.025
Br1 0.5 0.5 0.5 0.027
"""


def test_own_cif(tmp_path):
    path = tmp_path / "salt.cif"
    path.write_text(GOOD, encoding="utf-8")
    read, known = crystal.from_cif(path), crystal.phase("CsBr")
    assert (read.formula, read.formula_units) == ("CsBr", 1)
    assert read.density_g_cm3 == pytest.approx(known.density_g_cm3, rel=1e-12)
    lines = read.reflections(CU_KA1_NM, two_theta_max=60), known.reflections(CU_KA1_NM, two_theta_max=60)
    assert lines[0].intensity == pytest.approx(lines[1].intensity, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("hello", "not a CIF file"),
        ("data_x\n_cell_length_a 4\n", "no unit cell"),
        (GOOD.replace("'P m -3 m'", "'nonsense'"), "no space group"),
        (GOOD.split("loop_")[0], "lists no atoms"),
        (GOOD.replace("Cs1 0 0 0", "Qq1 0 0 0"), "no known element"),
        (GOOD.replace("Cs1 0 0 0", "Cs1 ? 0 0"), "has no position"),
        (GOOD.replace("length_a 4.2953", "length_a nan"), "no unit cell"),
        ("\0" * 10, "not text"),
        ("#" * 5_000_001, "larger than 5 MB"),
    ],
)
def test_bad_cif_is_a_sentence(text, sentence, tmp_path):
    path = tmp_path / "bad.cif"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence) as caught:
        crystal.from_cif(path)
    assert "\n" not in str(caught.value)


def test_absent_cif_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        crystal.from_cif(tmp_path / "none.cif")
