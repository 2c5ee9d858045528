"""Odds over phases and planes: structure factors, likelihoods, priors, and the sentences that they end in."""

from __future__ import annotations

import dataclasses
import itertools
import math

import gemmi
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.matter.crystal import Crystal, phase, phases
from perolas.measurements.hrtem import likelihood
from perolas.measurements.hrtem.planes import label, planes_of, reciprocal
from perolas.measurements.hrtem.verdict import Prior, crystals, default_prior, judge, odds

FIVE = ("CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic", "Cs4PbBr6", "CsBr")


@pytest.mark.parametrize("name", phases())
def test_potentials_are_another_codes(name: str) -> None:
    """Truth: gemmi's structure factors for electrons times h^2 / (2 pi m e) = 47.8776 V angstrom^2 over the volume."""
    crystal = phase(name)
    found = planes_of(crystal, 0.2, 1.2)
    structure = crystal._structure_with_weights()
    calculator = gemmi.StructureFactorCalculatorE(structure.cell)
    index = range(0, len(found.d_nm), 7)
    other = [abs(calculator.calculate_sf_from_small_structure(structure, found.hkl[i].tolist())) for i in index]
    volts = np.array(other) * 47.87764 / (1e3 * crystal.volume_nm3)
    assert np.allclose(found.potential_v[list(index)], volts, atol=2e-6)
    assert np.allclose(found.d_nm[list(index)], [crystal.d_spacing_nm(found.hkl[i]) for i in index])


@pytest.mark.parametrize("name", ["Cs4PbBr6", "CsPbBr3", "CsPbBr3_cubic", "CsPb2Br5"])
def test_allowed_planes_are_those_of_the_powder(name: str) -> None:
    """Truth: the reflections that gemmi lists for a powder; forbidden ones have no potential."""
    crystal = phase(name)
    found = planes_of(crystal, 0.25, 2.0)
    powder = crystal.reflections(0.15406, d_min_nm=0.25)
    allowed = found.family[~found.forbidden]
    assert len(np.unique(allowed)) == len(powder)
    assert len(allowed) == powder.multiplicity.sum()
    assert found.potential_v[found.forbidden].max(initial=0.0) < 1e-9


def test_forbidden_lines_of_the_claim_are_there() -> None:
    """Truth: space group R -3 c: 000l with l = 2n, centring -h + k + l = 3n: c forbids the lattice vector (003)."""
    found = planes_of(phase("Cs4PbBr6"), 0.3, 1.2)
    rows = {tuple(h): (d, f) for h, d, f in zip(found.hkl.tolist(), found.d_nm, found.forbidden, strict=True)}
    assert rows[0, 0, 3][0] == pytest.approx(1.730 / 3)
    assert rows[0, 0, 3][1]
    assert (0, 0, 2) not in rows  # the centring forbids it: no double diffraction makes it
    assert not rows[0, 1, 2][1]
    assert label(np.array([1, 0, 0])) == "(100)"
    assert label(np.array([1, -1, 0])) == "(1 -1 0)"


def test_single_density_is_a_density() -> None:
    """Truth: it integrates to one over ln k, whatever the phase."""
    for name in ("CsBr", "Cs4PbBr6"):
        planes = planes_of(phase(name), 0.2, 1.2)
        weight = planes.visibility(0.05)
        grid = np.linspace(math.log(0.5), math.log(6.0), 6000)
        values = [likelihood.single(planes, weight / weight.sum(), math.exp(v), 0.01)[0] for v in grid]
        assert np.trapezoid(values, grid) == pytest.approx(1.0, abs=1e-3)


def test_pair_density_is_a_density() -> None:
    """Truth: summed on a grid around each pair of families of CsBr, it holds all pairs that are not collinear.

    Angles between {100} and {110}: 90 and 45, 90 and 60 degrees, by hand; a grid of one sigma sums a normal law.
    """
    planes = planes_of(phase("CsBr"), 0.25, 0.6)
    weight = planes.visibility(0.05)
    weight = weight / weight.sum()
    std = 0.01
    errors = likelihood.Errors(0.0, std, np.zeros(2))
    d = {"100": 0.42953, "110": 0.42953 / math.sqrt(2)}
    angles = {("100", "100"): (90,), ("100", "110"): (45, 90), ("110", "100"): (45, 90), ("110", "110"): (60, 90)}
    steps = std * np.arange(-3, 4)
    total = 0.0
    for (first, second), many in angles.items():
        for angle in many:
            for a, b, c in itertools.product(steps, steps, steps):
                if angle == 90 and c > 0:
                    continue  # folded back
                half = 0.5 if angle == 90 and c == 0 else 1.0
                k1, k2, turn = math.exp(a) / d[first], math.exp(b) / d[second], math.radians(angle) + c
                k = np.array([[k1, 0.0], [k2 * math.cos(turn), k2 * math.sin(turn)]])
                total += half * likelihood.zone(planes, weight, k, 1, errors, (0.25, 0.6))[0] * std**3
    cosine = planes.vector_per_nm @ planes.vector_per_nm.T * np.outer(planes.d_nm, planes.d_nm)
    expected = float(np.sum(np.outer(weight, weight) * (np.abs(cosine) < 0.99)))
    assert total == pytest.approx(expected, rel=0.02)  # three sigma hold 99.2 % of three normal laws


def test_the_papers_spacing() -> None:
    """0.581 nm at 1 %: truth by hand: pseudocubic {100} of CsPbBr3 lies 0.2 to 1.4 % off in each of its structures,
    (003) of Cs4PbBr6 0.75 % and forbidden, and nothing of CsBr is wider than 0.43 nm."""
    found = odds(0.581, 0.01, FIVE)
    assert found.level == "compound"
    assert found.decided == "CsPbBr3"
    three = [found.probability(n) for n in FIVE[:3]]
    assert max(three) < 3 * min(three)
    assert max(three) < 0.6
    assert found.probability("CsBr") < 1e-9
    assert 0.001 < found.probability("Cs4PbBr6") < 0.1
    assert "cannot be decided" in found.verdict
    assert "Cs4PbBr6 could show it by double diffraction only, as forbidden (003)" in found.verdict
    assert "CsBr is excluded" in found.verdict
    mono = found.plane_probability("CsPbBr3_monoclinic", (1, 0, 0))
    assert mono == pytest.approx(found.plane_probability("CsPbBr3_monoclinic", (0, 1, 0)), rel=2e-3)  # sin(89.65 deg)
    assert mono < 0.25
    low, high = next(p for p in found.phases if p.name == "Cs4PbBr6").low, found.phases[0].high
    assert low < 1e-4 < high  # without double diffraction Cs4PbBr6 is out; the prior's part is reported
    assert "(003)*" in str(found)


def test_better_calibration_says_more() -> None:
    """Truth: what lies 1 % off loses as the scale is known better; other spacings by hand."""
    wide, narrow = odds(0.5810, 0.03, FIVE), odds(0.5810, 0.0, FIVE)
    assert narrow.probability("CsPbBr3_cubic") < 0.8 * wide.probability("CsPbBr3_cubic")
    assert narrow.probability("Cs4PbBr6") < wide.probability("Cs4PbBr6")
    assert odds(0.42, 0.01).level == "undecidable"
    assert odds(0.70, 0.01).decided == "Cs4PbBr6"
    assert odds(0.70, 0.01).level == "phase"


def test_what_fits_nothing_is_none_of_them() -> None:
    found = odds(0.9, 0.005, ("CsBr", "CsPbBr3_cubic"))
    assert found.level == "none"
    assert found.decided is None
    assert "fits no candidate" in found.verdict


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("CsBr", (1, 0, 0), (1, 1, 0)),
        ("Cs4PbBr6", (1, 1, 0), (0, 1, 2)),
        ("CsPb2Br5", (0, 0, 2), (1, 1, 0)),
        ("PbBr2", (1, 0, 1), (0, 1, 1)),
    ],
)
def test_pairs_decide(name: str, first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    """Truth: the phase whose planes made the pair; the pairs are those of its own strong, wide planes."""
    crystal = phase(name)
    g = np.array([first, second]) @ reciprocal(crystal)
    length = np.linalg.norm(g, axis=1)
    angle = math.degrees(math.acos(float(g[0] @ g[1] / np.prod(length))))
    found = odds((1.007 / length[0], 1.007 / length[1]), 0.01, angle_deg=angle)
    assert found.decided == name, str(found)


def test_further_spots_decide_more_and_strays_do_not_mislead() -> None:
    """Truth: five spots of CsBr along [001]; one of them moved to nowhere lowers the odds but does not turn them."""
    k = np.array([[1, 0], [0, 1], [1, 1], [2, 0], [1, 2]]) / 0.42953
    position = np.full(5, 1e-3)
    good = judge(k[:3], crystals("all"), calibration_std=0.01, position_std=position[:3])
    assert good.decided == "CsBr"
    k[4] = np.array([1.31, 1.77]) / 0.42953
    stray = judge(k, crystals("all"), calibration_std=0.01, position_std=position)
    assert stray.decided == "CsBr"
    first = stray.phases[0].readings[0][0]
    assert first.hkl[4] is None
    assert first.zone in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    only = judge(k[[0, 3]], crystals("all"), calibration_std=0.01)  # harmonics: one spacing, not two
    assert only.phases[0].readings[0][0].zone is None


def test_the_prior_is_what_it_says() -> None:
    """Truth: odds scale with the weights; compounds alike whatever the number of their structures."""
    plain = odds(0.581, 0.01, FIVE)
    tilted = odds(0.581, 0.01, FIVE, prior=dataclasses.replace(default_prior(), weights={"Cs4PbBr6": 10.0}))
    ratio = [p.probability("Cs4PbBr6") / p.probability("CsPbBr3_cubic") for p in (plain, tilted)]
    assert ratio[1] / ratio[0] == pytest.approx(10.0, rel=1e-6)
    single = odds(0.581, 0.01, ("CsPbBr3_cubic", "Cs4PbBr6"))
    alone = single.probability("CsPbBr3_cubic") / single.probability("Cs4PbBr6")
    beside = plain.probability("CsPbBr3_cubic") / plain.probability("Cs4PbBr6")
    assert alone / beside == pytest.approx(3.0, rel=1e-6)
    none = odds(0.581, 0.01, FIVE, prior=Prior(double_diffraction=1e-9))
    assert none.probability("Cs4PbBr6") < 1e-6


def test_a_structure_of_ones_own_counts_as_its_compound() -> None:
    mine = dataclasses.replace(phase("CsPbBr3_cubic"), name="mine", formula="PbCsBr3")
    found = odds(0.5874, 0.01, [mine, "Cs4PbBr6"])
    assert next(iter(found.compounds)) == "CsPbBr3"
    assert isinstance(found.crystals["mine"], Crystal)
    as_json = found.to_json()
    assert {p["name"] for p in as_json["phases"]} == {"mine", "Cs4PbBr6"}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: odds(-0.5), "must be positive"),
        (lambda: odds(float("nan")), "must be positive"),
        (lambda: odds((0.5, 0.4)), "two with the angle"),
        (lambda: odds(0.5, angle_deg=90.0), "two with the angle"),
        (lambda: odds((0.5, 0.4), angle_deg=1.0), "between 5 and 175"),
        (lambda: odds(0.5, 0.5), "tells no planes apart"),
        (lambda: odds(0.5, -0.1), "zero or positive"),
        (lambda: odds(0.5, 0.01, ["CsPbBr4"]), 'did you mean "CsPbBr3"'),
        (lambda: odds(0.5, 0.01, ["CsBr", "CsBr"]), "name each once"),
        (lambda: odds(0.5, 0.01, []), "Name the candidates"),
        (lambda: odds(0.5, threshold=0.5), "above 1"),
        (lambda: odds(0.5, prior=Prior(weights={"CsBrr": 1.0})), "The candidate"),
        (lambda: odds(0.5, 0.01, ["CsBr"], prior=Prior(weights={"CsBr": 0.0})), "positive weight"),
        (lambda: odds(0.5, cif="nothing.cif"), "nothing.cif"),
    ],
)
def test_bad_input_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
