"""The parameter library: every number keeps the schema, and every source exists."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import jsonschema
import numpy as np
import pytest
import yaml

from perolas.core import units
from perolas.core.errors import InputError
from perolas.matter import parameters_library as lib
from perolas.matter import parameters_tables

FOLDER = files("perolas.matter").joinpath("parameters")
TABLES = [f for f in FOLDER.joinpath("tables").iterdir() if f.name.endswith(".yaml")]
FILES = [f for f in FOLDER.iterdir() if f.name.endswith(".yaml") and f.name != "sources.yaml"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_file_keeps_the_schema(file):
    schema = json.loads(FOLDER.joinpath("schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema)


def test_the_schema_refuses_a_number_without_a_source():
    schema = json.loads(FOLDER.joinpath("schema.json").read_text(encoding="utf-8"))
    entry = {
        "value": 1.0,
        "unit": "eV",
        "std": 0.1,
        "meaning": "a made-up number",
        "conditions": "none",
        "status": "checked",
        "place": "nowhere",
    }
    with pytest.raises(jsonschema.ValidationError, match="source"):
        jsonschema.validate({"X.y": entry}, schema)


def test_the_schema_refuses_checked_without_a_place():
    schema = json.loads(FOLDER.joinpath("schema.json").read_text(encoding="utf-8"))
    entry = dict(yaml.safe_load(FOLDER.joinpath("ligands.yaml").read_text(encoding="utf-8"))["ligand.density"])
    del entry["place"]
    jsonschema.validate({"X.y": entry}, schema)
    with pytest.raises(jsonschema.ValidationError, match="place"):
        jsonschema.validate({"X.y": {**entry, "status": "checked"}}, schema)


@pytest.mark.parametrize("name", sorted(lib.library()))
def test_source_and_unit_exist(name):
    item = lib.library()[name]
    assert item.source == "estimated here" or item.source in lib.sources()
    units.pint_unit(item.unit)
    assert item.status in lib.info(name)


@pytest.mark.parametrize("name", sorted(lib.library()))
def test_status_says_what_was_done(name):
    item = lib.library()[name]
    if item.status == "checked":
        assert item.place, "checked, but nobody says where"
        assert item.source != "estimated here" or item.std == 0, "an estimate cannot be checked against its source"
    if item.status == "estimated here" or item.source == "estimated here":
        assert item.place, "estimated, but nobody says how"


@pytest.mark.parametrize("file", TABLES, ids=lambda f: f.name)
def test_table_keeps_the_schema(file):
    schema = json.loads(FOLDER.joinpath("tables", "schema.json").read_text(encoding="utf-8"))
    entry = yaml.safe_load(file.read_text(encoding="utf-8"))
    jsonschema.validate(entry, schema)
    low, high = entry["range_nm"]
    assert low <= entry["reference_nm"] <= high
    if "rows" in entry:
        assert all(len(row) == len(entry["columns"]) for row in entry["rows"])
        nm = [row[0] for row in entry["rows"]]
        assert np.all(np.diff(nm) > 0)
        assert [nm[0], nm[-1]] == [low, high]


def test_the_table_schema_refuses_a_table_without_uncertainty():
    schema = json.loads(FOLDER.joinpath("tables", "schema.json").read_text(encoding="utf-8"))
    entry = yaml.safe_load(FOLDER.joinpath("tables", "water_daimon2007.yaml").read_text(encoding="utf-8"))
    del entry["std_n"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(entry, schema)


@pytest.mark.parametrize("name", sorted(parameters_tables.tables()))
def test_tables_read_the_same_with_and_without_jax(name):
    from perolas.matter import optics

    table = parameters_tables.tables()[name]
    nm = 0.37 * table.range_nm[0] + 0.63 * min(table.range_nm[1], 900.0)
    value = parameters_tables.look_up(table, nm)
    if not table.is_absorption:
        index = complex(optics.refractive_index(table.material, nm, table.dataset))
        assert value == pytest.approx((index.real, index.imag), rel=1e-12, abs=1e-15)
    elif table.material in ("toluene", "water"):
        assert value[0] == pytest.approx(float(optics.solvent_absorption_cm1(table.material, nm)), rel=1e-12)


def test_the_library_does_not_load_jax(tmp_path):
    code = (
        "import sys\nfrom perolas.matter import parameters_library as lib\n"
        "lib.info('CsPbBr3 refractive index at 400 nm')\nassert not {'jax', 'equinox'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("CsPbBr3 band gap", "CsPbBr3.band_gap = 2.360 ± 0.040 eV"),
        ("the bandgap of Cs4PbBr6", "Cs4PbBr6.band_gap = 3.950 ± 0.050 eV"),
        ("refractive index of CsPbBr3 at 400 nm", "CsPbBr3.refractive_index.brennan2024 = 2.205 ± 0.080"),
        ("toluene absorption at 254 nm", "toluene.absorption_coefficient.estimate = 3700 ± 1850 cm-1"),
        ("CsPbBr3 PLQY", "CsPbBr3.quantum_yield = 0.70 ± 0.13"),
        ("exciton binding energy", "CsPbBr3.exciton_binding_energy = 32.5 ± 2.0 meV"),
        ("CsPbBr3 radiative rate", "CsPbBr3.radiative_rate = "),
        ("CsBr dissolution enthalpy", "CsBr.dissolution_enthalpy = 26.91 ± 0.59 kJ/mol"),
    ],
)
def test_info_understands_plain_words(query, first):
    text = lib.info(query)
    assert text.startswith(first)
    assert "source:" in text


def test_info_outside_a_table_is_a_sentence():
    with pytest.raises(InputError, match=r"5000 nm lies outside the table .* which holds"):
        lib.info("water refractive index at 5000 nm")


def test_units_mean_what_they_say():
    # pint reads "GM" as a gigamolar; a unit of the library has to be what pint takes it for.
    for item in lib.library().values():
        assert "GM" not in item.unit
    dimension = units.pint_unit(lib.physical_parameter("CsPbBr3.two_photon_cross_section").unit).dimensionality
    assert dimension == units.pint_unit("m^4 s").dimensionality
    assert units.convert("1 1/(M cm)", "m^2/mol") == pytest.approx(0.1)


def test_names_that_the_transformation_needs():
    needed = (
        "reaction.cs4pbbr6_to_cspbbr3.enthalpy",
        "reaction.cspbbr3_to_cspb2br5.enthalpy",
        "CsBr.dissolution_free_energy",
        "CsBr.dissolution_enthalpy",
        "CsBr.solubility",
        "ligand.per_lead_20nm",
    )
    assert set(needed) <= set(lib.library())


def test_estimates_agree_with_what_they_were_made_from():
    value = lib.parameter_value
    assert value("toluene.concentration") == pytest.approx(867 / 92.14, rel=2e-3)
    assert value("toluene.concentration") * value("toluene.molar_absorption_254") * np.log(10) == pytest.approx(
        3.7e3, rel=0.02
    )
    bohr = 0.0529177 * value("CsPbBr3.dielectric_constant") / value("CsPbBr3.reduced_mass")
    assert bohr == pytest.approx(value("CsPbBr3.exciton_bohr_radius"), rel=0.02)
    binding = 13605.7 * value("CsPbBr3.reduced_mass") / value("CsPbBr3.dielectric_constant") ** 2
    assert binding == pytest.approx(value("CsPbBr3.exciton_binding_energy"), rel=0.02)
    lead_per_cube = 20.0**3 * 1e-21 / 283.0 * 6.02214076e23
    ligands = 6 * 20.0**2 * value("ligand.density")
    assert ligands / lead_per_cube == pytest.approx(value("ligand.per_lead_20nm"), rel=0.02)


def test_info_finds_by_words_and_says_where_from():
    text = lib.info("Pb 4f splitting")
    assert text.startswith("Pb 4f.splitting = 4.870")
    assert "source:" in text


def test_info_of_nonsense_is_a_sentence():
    with pytest.raises(InputError, match="No parameter fits"):
        lib.info("zzzz")


def test_bibtex_has_each_source_once():
    text = lib.bibtex(["yang2020", "estimated here", "yang2020"])
    assert text.count("@article{yang2020,") == 1
    with pytest.raises(InputError, match="source"):
        lib.bibtex(["nobody1999"])
