"""Thresholds against area: exponents with honest errors, laws ranked, spots planned, tables read."""

from __future__ import annotations

import math

import numpy as np
import pytest

import perolas.io as reading
from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.laser import diffusion
from perolas.measurements import emission
from perolas.measurements.emission.area import FIXED, Spots, fit_law, ranked
from perolas.measurements.emission.plan import plan_areas, separations


def drawn(seed, exponent=-0.6, share=0.0, points=6, error=0.1, area_error=0.0, span=(100.0, 1e4)):
    rng = np.random.default_rng(seed)
    area = np.geomspace(*span, points)
    x = np.log(area) - np.log(area).mean()
    true = x + area_error * rng.standard_normal(points)
    threshold = 200.0 * (share + (1 - share) * np.exp(exponent * true)) * np.exp(error * rng.standard_normal(points))
    return Spots(area, threshold, np.full(points, error), np.full(points, area_error))


def table(data, errors=True):
    variance = (data.std * data.threshold) ** 2 if errors else None
    return make_observation(data.threshold, "area_um2", data.area, units="uJ/cm^2", variance=variance)


def assert_pulls(sets, **options):
    pulls = []
    for seed in range(sets):
        found = fit_law(drawn(seed, **options))["exponent"]
        pulls.append((found.value + 0.6) / found.std)
    assert abs(np.mean(pulls)) < 0.1 + 4 / math.sqrt(sets), np.mean(pulls)
    assert abs(np.std(pulls) - 1) < 0.05 + 4 / math.sqrt(2 * sets), np.std(pulls)


def test_pulls():
    assert_pulls(60)


@pytest.mark.full
@pytest.mark.parametrize("area_error", [0.0, 0.2])
def test_pulls_full(area_error):
    assert_pulls(500, area_error=area_error)


def test_the_exponent_is_that_of_a_straight_line_in_logarithms():
    """Truth: numpy's weighted straight line through the logarithms, with its own covariance."""
    data = drawn(3)
    line, covariance = np.polyfit(data.x, np.log(data.threshold), 1, w=1 / data.std, cov="unscaled")
    found = fit_law(data)["exponent"]
    assert found.value == pytest.approx(line[0], abs=1e-6)
    assert found.std == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-6)


LAWS = {**{name: (e, 0.0) for name, e in FIXED.items()}, "A^-m": (-0.8, 0.0), "P_tr + c A^-m": (-1.0, 0.5)}


@pytest.mark.parametrize("name", LAWS)
def test_the_right_law_is_ranked_first(name):
    """Eight spots of 10 % over two decades: planned to succeed nearly always; 19 of 20 are asked for."""
    right = sum(ranked(drawn(s, *LAWS[name], points=8))[0]["model"] == name for s in range(40))
    assert right >= 38


@pytest.mark.parametrize(
    ("points", "error", "span"), [(4, 0.1, (1e3, 1e4)), pytest.param(6, 0.2, (300.0, 3e3), marks=pytest.mark.full)]
)
def test_power_is_what_the_plan_says(points, error, span):
    """Truth: how often a simulated -2/3 has a higher evidence than -1/2, against Phi(sqrt(separation) / 2)."""
    foretold = next(
        d.power for d in separations(np.geomspace(*span, points), error) if (d.holds, d.rival) == ("A^-2/3", "A^-1/2")
    )
    wins = []
    for seed in range(200):
        rows = {r["model"]: r["log_evidence"] for r in ranked(drawn(seed, -2 / 3, 0.0, points, error, span=span))}
        wins.append(rows["A^-2/3"] > rows["A^-1/2"])
    assert 0.6 < foretold < 0.99
    assert np.mean(wins) == pytest.approx(foretold, abs=4 * math.sqrt(foretold * (1 - foretold) / 200))


def test_a_plan_beats_equal_steps():
    """Analytic: two power laws are best told apart with half of the spots at each end."""
    plan = plan_areas(6, 0.2, 100.0, 1e4)
    plain = separations(np.geomspace(100.0, 1e4, 6), 0.2)[0]
    assert plan.weakest.power >= plain.power
    assert plan.areas[0] == pytest.approx(100.0)
    assert plan.areas[-1] == pytest.approx(1e4)
    ends = next(d for d in separations([100.0] * 3 + [1e4] * 3, 0.2) if (d.holds, d.rival) == ("A^-2/3", "A^-1/2"))
    assert ends.separation == pytest.approx((1 / 6) ** 2 * 6 * (0.5 * math.log(100.0)) ** 2 / 0.04)
    assert all(d.separation <= ends.separation * 1.000001 for d in plan.distinctions if d.rival in FIXED and
               d.holds in FIXED and abs(FIXED[d.holds] - FIXED[d.rival]) < 0.17)  # fmt: skip


@pytest.fixture(scope="module")
def answer():
    return emission.fit(table(drawn(1, -1.0, 0.5, error=0.05)))


def test_an_answer_with_transparency(answer):
    assert answer.extra["evidence"][0]["model"] == "P_tr + c A^-m"
    inner = answer.added["exponent_beside_transparency"]
    assert abs(inner.value + 1.0) < 4 * inner.std
    assert "does not describe" in str(answer)
    assert "does not tell a mechanism" in str(answer)
    assert 0 < answer.extra["plan"]["power_planned"] <= 1


def test_thresholds_without_errors():
    found = emission.fit(table(drawn(2, error=0.05), errors=False))
    assert abs(found["exponent"].value + 0.6) < 4 * found["exponent"].std
    assert "taken from the residuals" in str(found)


def test_exponents_of_diffusion_come_back():
    """Truth: Letokhov's sheet with an absorbing edge, -1 for one photon and -1/2 for two (laser.diffusion)."""
    areas = np.geomspace(100.0, 1e5, 4)
    for photons, exponent in ((1, -1.0), (2, -0.5)):
        law = diffusion.area_law(areas, diffusion.Medium(transport_um=1.0, dimensions=2), photons=photons)
        pump = np.asarray(law.pump)
        data = Spots(areas, 100 * pump / pump[0], np.full(4, 0.05), np.zeros(4))
        assert fit_law(data)["exponent"].value == pytest.approx(exponent, abs=0.01)


@pytest.mark.parametrize(
    ("area", "threshold", "words"),
    [([0.0, 1, 2], [1.0, 2, 3], "area must be positive"), ([1.0, 2, 3], [1.0, -2, 3], "threshold must be positive"),
     ([1.0, 2], [1.0, 2], "at least 3")],
)  # fmt: skip
def test_bad_tables_are_refused(area, threshold, words):
    with pytest.raises(InputError, match=words):
        emission.fit(make_observation(threshold, "area_um2", area, units="uJ/cm^2"))


def test_tables_are_read_with_errors_of_both(tmp_path):
    file = tmp_path / "areas.csv"
    file.write_text("area (um2),threshold (mJ/cm2),threshold error,area error\n400,0.2,0.02,20\n100,0.4,0.03,5\n")
    found = reading.read(file, axis="fluence_uj_cm2")
    assert found["area_um2"].values.tolist() == [100.0, 400.0]
    assert found["signal"].values == pytest.approx([400.0, 200.0])
    assert found["variance"].values == pytest.approx([900.0, 400.0])
    assert found["axis_std"].values == pytest.approx([5.0, 20.0])


def test_a_table_without_a_header_is_what_the_model_says(tmp_path):
    from perolas.study import single

    file = tmp_path / "areas.txt"
    data = drawn(0)
    file.write_text("\n".join(f"{a:.6g} {t:.6g}" for a, t in zip(data.area, data.threshold, strict=True)))
    found = single.fit(file, "emission", model="area")
    assert abs(found["exponent"].value + 0.6) < 4 * found["exponent"].std


@pytest.mark.parametrize(
    ("header", "axis", "factor"),
    [("Pump fluence (µJ/cm²)", "fluence_uj_cm2", 1.0), ("fluence[mJ/cm^2]", "fluence_uj_cm2", 1e3),
     ("energy density (J/m2)", "fluence_uj_cm2", 100.0), ("F (nJ cm-2)", "fluence_uj_cm2", 1e-3),
     ("Spot area (µm²)", "area_um2", 1.0), ("area (mm2)", "area_um2", 1e6)],
)  # fmt: skip
def test_headers_say_what_a_column_is(tmp_path, header, axis, factor):
    file = tmp_path / "t.csv"
    file.write_text(f"{header},output\n3,5\n1,4\n2,9\n")
    found = reading.read(file, axis="fluence_uj_cm2")
    assert found[axis].values == pytest.approx([factor, 2 * factor, 3 * factor])
    assert found["signal"].values.tolist() == [4.0, 9.0, 5.0]


@pytest.mark.parametrize(
    ("header", "words"),
    [("pump intensity (GW/cm2)", "no energy per area"), ("Power (mW)", "neither a fluence nor an area"),
     ("pulse energy (nJ)", "neither a fluence"), ("spot diameter (um)", "area of the spot"), ("Time (ns)", "neither")],
)  # fmt: skip
def test_wrong_units_are_refused(tmp_path, header, words):
    file = tmp_path / "t.csv"
    file.write_text(f"{header},output\n3,5\n1,4\n2,9\n")
    with pytest.raises(InputError, match=words):
        reading.read(file, axis="fluence_uj_cm2")
