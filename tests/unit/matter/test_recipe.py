"""Recipes: the paper's balance, limiting reagents, treatments, uncertainties, and how it all prints."""

from __future__ import annotations

import json
import math
from importlib.resources import files

import jsonschema
import pytest
import yaml

from perolas.matter import compounds, crystal, formula, recipe
from perolas.matter import parameters_library as lib
from perolas.study.schema import find

HEAD = "[recipe]\ntitle = 'a test'\n"
FOLDER = files("perolas.matter").joinpath("parameters", "structures")


def balance(*steps: str) -> recipe.Balance:
    return recipe.load(HEAD + "".join(f"[[step]]\n{s}\n" for s in steps)).balance()


def numbers(found: recipe.Balance) -> dict[str, float]:
    return {k: q.value for k, q in found.quantities().items()}


@pytest.fixture(scope="module")
def paper() -> recipe.Balance:
    return recipe.load(find("yang2020").with_name("recipe.toml")).balance()


def test_the_papers_numbers(paper):
    """parameters.md, sections 2.1 and 9 (rows 14-16), by hand from the amounts of the paper's Experimental section."""
    q = numbers(paper)
    carbonate = 0.8 / (2 * 132.905 + 12.011 + 3 * 15.999) * 0.6 / 8  # mol
    assert q["added_element_Cs"] == pytest.approx(2e3 * carbonate, rel=1e-4)
    assert (q["Cs_per_Pb"], q["Br_per_Pb"]) == (pytest.approx(3.68, abs=0.005), pytest.approx(2.0, rel=1e-12))
    assert q["Cs4PbBr6_share_of_Pb"] == pytest.approx(1 / 3, rel=1e-12)
    assert q["Cs4PbBr6_concentration"] == pytest.approx(6.67, abs=0.005)
    assert q["CsBr_in_water"] == pytest.approx(0.16, rel=1e-12)
    assert q["CsBr_share_of_saturation"] == pytest.approx(0.03, abs=0.005)
    assert q["one_to_one_size"] == pytest.approx(15.0, abs=0.05)
    assert q["parents_per_product"] == pytest.approx(2.36, abs=0.005)
    assert q["volume_ratio"] == pytest.approx(0.424, abs=5e-4)
    assert 1e3 * q["Pb_left"] == pytest.approx(66.7, abs=0.05)
    assert 1e3 * q["Cs_left"] == pytest.approx(235, abs=0.5)
    assert q["final_CsPbBr3"] * 579.82 == pytest.approx(3.9, abs=0.05)  # mg in 1 mL


def test_the_papers_sentences(paper):
    text = str(paper)
    assert "Bromide is limiting: Cs4PbBr6 takes Cs:Pb:Br = 4:1:6, the pot holds 3.68:1:2" in text
    assert "lead bromide is its only source; at most 33.3 % of the lead" in text
    assert "66.7 umol Pb and 235 umol Cs stay as oleate." in text
    assert "0.16 M, 2.8 % of saturation" in text
    assert "Washed away" in text
    assert "Every atom is accounted for" in text
    assert any(s.startswith("Bromide is limiting") for s in paper.limiting)


def test_json_is_json(paper):
    shown = json.loads(json.dumps(paper.to_json(), allow_nan=False))
    assert shown["quantities"]["CsBr_in_water"]["unit"] == "mol/L"
    assert shown["conservation"] <= 1e-12
    assert {"formula": "Pb^2+", "name": "lead", "where": ""}.items() <= next(
        s for s in shown["removed"] if s["name"] == "lead"
    ).items()
    assert all(math.isfinite(q["std"]) and q["definition"] for q in shown["quantities"].values())


@pytest.mark.parametrize(
    ("cs", "pb", "limiting", "made"),
    [("8 mmol", "2 mmol", "Lead", 2.0), ("1 mmol", "2 mmol", "Caesium", 0.25), ("40 mmol", "1 mmol", "Lead", 1.0)],
)
def test_each_ion_can_be_limiting(cs, pb, limiting, made):
    """By hand: CsBr brings 1 Br, PbBr2 2 of them; 4:1:6 is limited by caesium or lead when both are bromides."""
    found = balance(f'add = "CsBr"\namount = "{cs}"', f'add = "PbBr2"\namount = "{pb}"', 'make = "Cs4PbBr6"')
    assert numbers(found)["Cs4PbBr6_made"] == pytest.approx(made, rel=1e-12)
    # 8 CsBr and 2 PbBr2 are exactly enough of everything; the first ion that is used up is named
    assert found.limiting[0].startswith((limiting, "Caesium") if made == 2.0 else limiting)


def test_reactions_go_in_order():
    """By hand: 3 A -> half of them, then what is left of B."""
    found = balance(
        'add = "CsBr"\namount = "3 mmol"',
        'add = "PbBr2"\namount = "2 mmol"',
        'react = "CsBr + PbBr2 -> CsPbBr3"\nconversion = 0.5\nname = "first"',
        'react = "CsBr + 2PbBr2 → CsPb2Br5"\nname = "second"',
    )
    q = numbers(found)
    assert q["first_made_CsPbBr3"] == pytest.approx(1.0)
    assert q["second_made_CsPb2Br5"] == pytest.approx(0.5)
    assert q["final_CsBr"] == pytest.approx(1.5)
    assert "final_PbBr2" not in q
    assert found.limiting[1].startswith("Lead bromide is limiting in")


def test_reactions_compete():
    """By hand: one of three parts of the bromide goes one way, two the other; PbBr2 takes part in both."""
    found = balance(
        'add = "CsBr"\namount = "9 mmol"',
        'add = "PbBr2"\namount = "5 mmol"',
        'react = ["CsBr + PbBr2 -> CsPbBr3", "CsBr + 2 PbBr2 -> CsPb2Br5"]\nshares = [1, 2]',
    )
    q = numbers(found)
    assert (q["made_CsPbBr3"], q["made_CsPb2Br5"]) == (pytest.approx(1.0), pytest.approx(2.0))
    assert q["final_CsBr"] == pytest.approx(6.0)
    assert found.limiting[0].startswith("Lead bromide is limiting in")


def test_it_says_what_it_rests_on(paper):
    used = {g.name: g for g in paper.rests_on()}
    assert used["solubility of caesium bromide"].source == "crystran2023, unchecked"
    assert "cell of CsPbBr3" in used
    assert "solubility of caesium bromide: 5.8 ± 1.0 mol/kg (crystran2023, unchecked)" in str(paper)


def test_treatments_by_hand():
    found = balance(
        'add = "CsBr"\namount = "10 mmol"',
        'disperse = "toluene"\nvolume = "10 mL"\nname = "d"',
        'take = "2.5 mL"',
        'add = "water"\namount = "0.1 g"',
        'dissolve = "CsBr"',
    )
    q = numbers(found)
    assert q["d_CsBr_concentration"] == pytest.approx(1000.0)
    assert q["CsBr_share_of_saturation"] == pytest.approx(1.0)
    assert q["final_CsBr_in_water"] == pytest.approx(0.58, rel=1e-12)  # 5.8 mol/kg of 0.1 g
    assert q["final_CsBr"] == pytest.approx(2.5 - 0.58, rel=1e-12)
    assert "stay solid" in found.sentences[-1]
    assert found.aside["CsBr", ""] == pytest.approx(7.5e-3)


def test_amounts_in_every_unit():
    """Analytic: the same 2 mmol five times."""
    mass = formula.parse("PbBr2").molar_mass_g_mol
    water = 18.01528e-3 * 2 / 0.99705
    q = numbers(
        balance(
            'add = "PbBr2"\namount = "2 mmol"',
            f'add = "CsBr"\namount = "{2 * 212.809:.6f} mg"',
            f'add = "PbI2"\namount = "1 mL"\nof = "{2 * (207.2 + 2 * 126.9045):.5f} mg in 1 mL DMF"',
            'add = "CsI"\namount = "4 mL"\nof = "0.5 M"',
            f'add = "H2O"\namount = "{water:.8f} mL"',
        )
    )
    assert mass == pytest.approx(367.01, abs=0.01)
    for name in ("PbBr2", "CsBr", "PbI2", "CsI", "H2O"):
        assert q[f"added_{name}"] == pytest.approx(2.0, rel=3e-5), name


def test_uncertainty_is_propagated():
    """Analytic: relative errors of a product add in quadrature; a limit set by the other reagent has none."""
    found = balance(
        'add = "CsBr"\namount = "1.0(0.1) mL"\nof = "0.80(4) g in 8 mL DMSO"',
        'add = "PbBr2"\namount = "10 mmol"\nstd = 0.5',
        'make = "CsPbBr3"',
    ).quantities()
    assert found["CsPbBr3_made"].std / found["CsPbBr3_made"].value == pytest.approx(math.hypot(0.1, 0.05), rel=1e-9)
    assert found["added_PbBr2"].std == pytest.approx(0.5, rel=1e-9)
    assert found["CsPbBr3_share_of_Cs"].std == pytest.approx(0.0, abs=1e-12)
    per = found["Cs_per_Pb"]
    assert per.std / per.value == pytest.approx(math.hypot(0.1, 0.05, 0.05), rel=5e-3)  # second order in 5 %


def test_all_of_an_uncertain_volume_can_be_taken():
    found = balance('add = "toluene"\namount = "1.0(0.1) mL"', 'take = "1 mL"').quantities()
    assert found["final_C7H8"].std > 0


def test_size_is_bookkeeping():
    """Analytic: N parents of edge L and one product of edge P hold the same lead."""
    q = numbers(balance('size = "12 nm"\nfrom = "Cs4PbBr6"\nto = "CsPbBr3"\nproduct = "30 nm"'))
    ratio = crystal.phase("CsPbBr3").molar_volume_cm3 / crystal.phase("Cs4PbBr6").molar_volume_cm3
    assert q["one_to_one_size"] == pytest.approx(12 * ratio ** (1 / 3))
    assert q["parents_per_product"] == pytest.approx(30**3 / (12**3 * ratio))
    q = numbers(balance('size = "10 nm"\nfrom = "CsPb2Br5"\nto = "CsPbBr3"\nkeeps = "Pb"'))
    assert q["volume_ratio"] == pytest.approx(2 * 119.94 / 165.22, rel=1e-4)


def test_own_compounds():
    found = recipe.load(
        HEAD + '[compound."lead soap"]\nformula = "Pb(C18H33O2)2"\n'
        '[compound.GBL]\nformula = "C4H6O2"\ndensity = "1.13(0.01) g/mL"\n'
        '[compound.FABr]\nformula = "CH5N2Br"\nions = {"HC(NH2)2+" = 1, "Br-" = 1}\n'
        '[compound.FAPbBr3]\nformula = "CH5N2PbBr3"\nions = {"HC(NH2)2+" = 1, "Pb^2+" = 1, "Br-" = 3}\n'
        '[[step]]\nadd = "lead soap"\namount = "1 mmol"\n[[step]]\nadd = "GBL"\namount = "1 mL"\n'
        '[[step]]\nadd = "FABr"\namount = "3 mmol"\n[[step]]\nmake = "FAPbBr3"\n'
    ).balance()
    q = found.quantities()
    assert q["CH5N2PbBr3_made"].value == pytest.approx(1.0)
    assert q["added_C4H6O2"].std / q["added_C4H6O2"].value == pytest.approx(0.01 / 1.13)
    assert "2 mmol HC_NH2_2_plus stay as oleate." in found.sentences


def test_nothing_is_lost_by_asking_twice(paper):
    assert paper.quantities() == recipe.load(find("yang2020").with_name("recipe.toml")).balance().quantities()


def test_compounds_keep_their_schema():
    table = yaml.safe_load(FOLDER.joinpath("compounds.yaml").read_text(encoding="utf-8"))
    schema = json.loads(FOLDER.joinpath("compounds.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(table, schema)
    for entry in table["compounds"].values():
        for key in ("density", "solubility"):
            assert key not in entry or entry[key]["source"] in {"estimated here", *lib.sources()}
    table["compounds"]["toluene"]["density"].pop("source")
    with pytest.raises(jsonschema.ValidationError, match="source"):
        jsonschema.validate(table, schema)


@pytest.mark.parametrize(
    ("text", "atoms", "charge"),
    [
        ("Pb(CH3COO)2*3H2O", {"Pb": 1, "C": 4, "H": 12, "O": 7}, 0),
        ("CuSO4·5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}, 0),
        ("CO3^2-", {"C": 1, "O": 3}, -2),
        ("SO₄²⁻", {"S": 1, "O": 4}, -2),
        ("Pb2+", {"Pb": 1}, 2),
        ("NH4+", {"N": 1, "H": 4}, 1),
        ("Br-", {"Br": 1}, -1),
        ("[Pb(H2O)6]^2+", {"Pb": 1, "H": 12, "O": 6}, 2),
        ("CsPbBr1.5Cl1.5", {"Cs": 1, "Pb": 1, "Br": 1.5, "Cl": 1.5}, 0),
    ],
)
def test_formulas(text, atoms, charge):
    read = formula.parse(text)
    assert (read.atoms, read.charge) == (atoms, charge)


def test_salts_fall_into_ions_by_themselves():
    assert compounds.find("Cs3Bi2Br9").ions == {"Cs+": 3, "Bi^3+": 2, "Br-": 9}
    assert compounds.find("C7H8").ions == {}
    assert compounds.find("Cesium Carbonate") is compounds.find("Cs2CO3")
