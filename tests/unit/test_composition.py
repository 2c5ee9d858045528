"""Composition: ratios of elements, phases that they leave open, tables of instruments, and the recipe's balance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perolas import read
from perolas.core.errors import InputError
from perolas.matter.specimen import Specimen
from perolas.measurements import composition
from perolas.measurements.composition.prepare import model

PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr", "PbBr2")
ELEMENTS = ("Cs", "Pb", "Br")


@pytest.fixture(scope="module")
def found():
    return composition.fit(composition.simulate(Specimen.of("CsPbBr3"), seed=2, method="eds"), method="eds")


def test_areas_are_amounts_times_factors():
    """Arithmetic: CsPbBr3 with Scofield's 40.22, 22.74 and 2.84 and no tilt gives areas as 40.22 : 22.74 : 8.52."""
    lines = ("Cs 3d", "Pb 4f", "Br 3d")
    area = np.asarray(model(lines, "xps", np.array([40.22, 22.74, 2.84])).respond(Specimen.of("CsPbBr3")).expected())
    np.testing.assert_allclose(area / area[1], [40.22 / 22.74, 1.0, 3 * 2.84 / 22.74], rtol=1e-12)


def test_tilt_and_overlayer_weigh_by_kinetic_energy():
    """Arithmetic: Cs 3d leaves with 761.9 eV and Pb 4f with 1348.3 eV; an overlayer hides the slower ones more."""
    lines = ("Cs 3d", "Pb 4f")
    plain, tilted, hidden = (
        np.asarray(model(lines, "xps", np.ones(2), **more).expected())
        for more in ({}, {"tilt": 0.5}, {"overlayer_nm": 2.0})
    )
    assert (tilted[0] / tilted[1]) / (plain[0] / plain[1]) == pytest.approx(math.sqrt(761.9 / 1348.3), rel=1e-9)
    assert hidden[0] / hidden[1] < plain[0] / plain[1]


def test_salts_are_neutral_and_ratios_come_back(found):
    """Truth: the formula. Any mixture of salts of Cs, Pb and Br is neutral."""
    for name, true in (("ratio_Cs_Pb", 1.0), ("ratio_Br_Pb", 3.0), ("charge_excess", 0.0), ("fraction_Br", 0.6)):
        assert abs(found[name].value - true) < 3 * found[name].std, name
    assert "Each element has one line" in str(found)


def test_what_lead_bromide_mixtures_leave_open():
    """Linear algebra: in atoms every phase is so much CsBr and PbBr2, so three elements leave a ratio of two.

    Ends of what fits exactly, by hand: CsPbBr3 = CsBr + PbBr2 = (Cs4PbBr6 + 3 PbBr2) / 4. At exact atoms of CsPbBr3
    alone, it may be all (1), or none of it: of CsBr + PbBr2 half each, of Cs4PbBr6 + 3 PbBr2 a quarter.
    """
    amounts = np.array([1.0, 1.0, 3.0])
    found = composition.unmix(amounts, 1e-10 * np.eye(3), PHASES, ELEMENTS)
    assert found.rank == 2
    assert found.chi2 < 1e-6
    ends = {"CsPbBr3": (0.0, 1.0), "CsBr": (0.0, 0.5), "Cs4PbBr6": (0.0, 0.25), "PbBr2": (0.0, 0.75)}
    for name, (low, high) in ends.items():
        share = found.share(name)
        assert (share.free_low, share.free_high) == pytest.approx((low, high), abs=2e-3), name
        assert not share.determined
    assert [p for p, _ in found.simplest] == [("CsPbBr3",)]


def test_two_phases_are_determined():
    """Arithmetic: 0.3 Cs4PbBr6 + 0.7 CsPbBr3 hold 1.9 Cs, 1 Pb and 3.9 Br."""
    found = composition.unmix(np.array([1.9, 1.0, 3.9]), np.diag([1e-4, 1e-4, 4e-4]), ("Cs4PbBr6", "CsPbBr3"), ELEMENTS)
    share = found.share("Cs4PbBr6")
    assert share.determined
    assert share.best == pytest.approx(0.3, abs=1e-3)
    draws = np.random.default_rng(1).multivariate_normal([1.9, 1.0, 3.9], np.diag([1e-4, 1e-4, 4e-4]), 40)
    spread = np.std([composition.unmix(d, np.diag([1e-4, 1e-4, 4e-4]), ("Cs4PbBr6", "CsPbBr3"), ELEMENTS)
                     .share("Cs4PbBr6").best for d in draws])  # fmt: skip
    assert share.std == pytest.approx(spread, rel=0.45)  # 4 standard errors of 40 draws


def test_no_mixture_of_salts_makes_an_excess_of_metal():
    """Oleate or carbonate instead of halide: CsPbBr3 with a third of its bromine gone is no mixture of salts."""
    found = composition.unmix(np.array([1.0, 1.0, 2.0]), 1e-4 * np.eye(3), PHASES, ELEMENTS)
    assert found.chi2 > 100


def test_wrong_factors_are_in_the_errors():
    """Pulls over instruments whose sensitivities differ from the factors by what these may be wrong."""
    true = {"ratio_Cs_Pb": 1.0, "ratio_Br_Pb": 3.0}
    pulls = []
    for seed in range(60):
        seen = composition.simulate(Specimen.of("CsPbBr3"), seed=seed, method="eds", wrong_factors=True)
        one = composition.fit(seen, method="eds", phases=["CsPbBr3"])
        # The logarithm, because a factor's error is one.
        pulls.append([math.log(one[n].value / t) / (one[n].std / one[n].value) for n, t in true.items()])
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.1 + 4 / math.sqrt(60))
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 0.05 + 4 / math.sqrt(120))


TABLES = {
    "survey.csv": "Name,Position,Area,RSF\nCs 3d,724.5,40220,40.22\nPb 4f,138.4,22740,22.74\nBr 3d,68.2,8520,2.84\n",
    "eds.txt": "Element\tLine\tAtomic %\tError\nCs\tL\t20.0\t0.4\nPb\tM\t20.0\t0.5\nBr\tL\t60.0\t1.0\n",
    "weight.csv": "Element;Weight %\nCs;22,91\nPb;35,73\nBr;41,36\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_instruments(tmp_path, name):
    """Truth: numbers of CsPbBr3, by Scofield's factors, by atoms, and by mass (132.905, 207.2 and 79.904 g/mol)."""
    path = tmp_path / name
    path.write_text(TABLES[name])
    found = composition.fit(read(path, technique="composition"), method="xps" if "survey" in name else "eds")
    assert found["ratio_Cs_Pb"].value == pytest.approx(1.0, rel=2e-3)
    assert found["ratio_Br_Pb"].value == pytest.approx(3.0, rel=2e-3)


def test_against_the_mass_balance(tmp_path):
    """Truth by hand: 0.1 mmol PbBr2 with 0.12 mmol Cs of which 0.1 go into CsPbBr3; the pot has Cs/Pb = 1.2."""
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[recipe]\ntitle = "a"\nsource = "made up"\n\n'
        '[[step]]\nadd = "PbBr2"\namount = "0.1 mmol"\n\n[[step]]\nadd = "CsBr"\namount = "0.12 mmol"\n\n'
        '[[step]]\nreact = "CsBr + PbBr2 -> CsPbBr3"\n\n[[step]]\nadd = "water"\namount = "1 mL"\n\n'
        '[[step]]\ndissolve = "CsBr"\nin = "water"\n'
    )
    seen = composition.simulate(Specimen.of("CsPbBr3"), seed=2, method="eds")
    found = composition.fit(seen, method="eds", recipe=str(path))
    assert found["recipe_pot_Cs_Pb"].value == pytest.approx(1.2, rel=1e-6)
    assert found["recipe_product_Cs_Pb"].value == pytest.approx(1.0, rel=1e-6)
    assert abs(found["recipe_product_difference_Cs_Pb"].value) < 3 * found["recipe_product_difference_Cs_Pb"].std
    assert "agrees with the recipe's product" in str(found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "auger"}, "method"),
        ({"method": "eds", "phases": ["Xx2"]}, "Xx2|formula|element"),
        ({"method": "eds", "phases": ["NaCl"]}, "holds none"),
        ({"method": "eds", "overlayer": "1 nm"}, "overlayer"),
        ({"method": "eds", "area_error": -0.1}, "area_error"),
    ],
)
def test_bad_options_are_one_sentence(options, said):
    seen = composition.simulate(seed=1, method="eds")
    with pytest.raises(InputError, match=rf"(?i){said}") as refused:
        composition.fit(seen, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Element,Area\nPb,-3\nBr,4\n", "negative"),
        ("Element,Area\nPb,nan\nBr,4\n", "."),
        ("Element,Area\nPb,3\nPb,4\n", "."),
        ("a,b\n1,2\n", "no table of elements"),
    ],
)
def test_bad_tables_are_one_sentence(tmp_path, text, said):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as refused:
        composition.fit(read(path, technique="composition"), factor_error=0.1, method="eds")
    assert "\n" not in str(refused.value)
