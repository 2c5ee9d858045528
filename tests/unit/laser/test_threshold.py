"""The predicted threshold. Targets are limits with an exact answer, other code of the package that was written apart,
and models whose Sobol indices are known."""

from __future__ import annotations

import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import j0, j1, k0, k1

from perolas.core.errors import InputError
from perolas.laser import diffusion, film, gain, layers, pump
from perolas.laser.beams import two_photon_worth_per_fs
from perolas.laser.threshold import Question, budget, forecast, medium, modes, sweep, thresholds, tiers, unknowns
from perolas.laser.threshold.question import PARAMETERS_USED, drawn
from perolas.matter.parameters_library import physical_parameter

KNOWN = Question(
    size_std_nm=0.0,
    gdd_fs2=0.0,
    fluence_is="peak",
    thickness_nm=1500.0,
    filling=0.5,
    transport_um=5.0,
    spot_um=60.0,
)


@pytest.fixture(scope="module")
def found():
    return forecast(Question(), "rate", 128)


# ------------------------------------------------------------------------------------------------------- the budget


def test_budget_of_an_additive_model_is_exact() -> None:
    # analytic: the variance of sum w u is sum w^2 / 12, so each group has its share, alone and in total
    weights = np.array([3.0, 2.0, 1.0, 0.5])
    lines = budget(lambda u: weights @ u, ["a", "b", "c", "c"], 512).budget
    assert [line.group for line in lines] == ["a", "b", "c"]
    for line, share in zip(lines, np.array([9.0, 4.0, 1.25]) / 14.25, strict=True):
        assert line.alone == pytest.approx(share, abs=0.02)
        assert line.total == pytest.approx(share, abs=0.02)


def test_budget_of_ishigami() -> None:
    # analytic: the indices of Ishigami's function (Saltelli et al., Global Sensitivity Analysis, 2008, 4.5)
    def ishigami(u: np.ndarray) -> np.ndarray:
        x = math.pi * (2.0 * u - 1.0)
        return np.sin(x[0]) + 7.0 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])

    lines = {line.group: line for line in budget(ishigami, ["a", "b", "c"], 2048).budget}
    for name, alone, total in (("a", 0.3139, 0.5576), ("b", 0.4424, 0.4424), ("c", 0.0, 0.2437)):
        assert lines[name].alone == pytest.approx(alone, abs=0.03)
        assert lines[name].total == pytest.approx(total, abs=0.03)


def test_budget_of_a_constant_is_empty() -> None:
    assert all(line.total == 0.0 for line in budget(lambda u: np.ones(u.shape[1]), ["a", "b"], 16).budget)


# ----------------------------------------------------------------------------------------------- films, many at once


def test_modes_are_those_of_one_film() -> None:
    # other code: film.leaky_mode, which follows one film by its own secant iteration
    d, n = np.array([500.0, 800.0, 1000.0, 2000.0, 4000.0]), np.array([1.8, 1.7, 1.8, 1.9, 1.75])
    for polarisation in ("TE", "TM"):
        loss, share = modes.lowest_modes(d, n, 4.14 + 0.03j, 532.0, polarisation)
        for i in range(d.size):
            alone = film.leaky_mode(d[i], n[i], 4.14 + 0.03j, 532.0, polarisation)
            dim = film.leaky_mode(d[i], n[i] + 2e-5j, 4.14 + 0.03j, 532.0, polarisation)
            assert loss[i] == pytest.approx(alone.loss_cm1, rel=1e-8)
            per_index = 4.0 * math.pi / 532e-7 * 2e-5  # absorption of the film itself, cm-1
            assert share[i] == pytest.approx((dim.loss_cm1 - alone.loss_cm1) / per_index, rel=1e-3)


def test_glass_below_guides() -> None:
    # analytic: a film of higher index than both sides loses nothing
    loss, share = modes.lowest_modes(np.array([800.0, 3000.0]), np.array([1.8, 1.8]), 1.46 + 0j, 532.0)
    assert np.all(np.abs(loss) < 1e-6)
    assert np.all((share > 0.9) & (share < 1.2))


def test_pump_inside_is_that_of_the_layers() -> None:
    d = np.array([300.0, 777.0, 2100.0])
    for photons, n in ((2, 1.8 + 0j), (1, 1.9 + 0.05j)):
        many = modes.pump_factor(d, np.full(3, n), 3.69 + 0.006j, 800.0, photons, 800)
        alone = [layers.film_field(n, x, 3.69 + 0.006j, 800.0, 4001).mean(photons) for x in d]
        np.testing.assert_allclose(many, alone, rtol=2e-3)


def test_film_index_is_that_of_one_film() -> None:
    many = tiers.film_index(np.array([0.3, 0.6]), 2.29, np.array([1.45, 1.0]))
    for value, f, host in zip(many, (0.3, 0.6), (1.45, 1.0), strict=True):
        assert value == pytest.approx(film.effective_index(f, 2.29, host).real, rel=1e-12)


def table(ladder: float = 0.0, size: float = 20.0, kelvin: float = 77.0) -> medium.Table:
    box = gain.Box(size_nm=size, temperature_k=kelvin)
    width = box.width_ev / 2.354820045
    return medium.table(*map(jnp.asarray, (size, kelvin, width, gain.strength_cm1_ev(box), ladder, [0.14, 0.14])))


@pytest.mark.full
@pytest.mark.parametrize(("size", "kelvin"), [(20.0, 77.0), (12.0, 150.0)])
def test_gain_is_that_of_one_box(size: float, kelvin: float) -> None:
    # other code: gain.gain_cm1, which finds the Fermi levels by bisection for each number
    t, box = table(size=size, kelvin=kelvin), gain.Box(size_nm=size, temperature_k=kelvin)
    light = box.lowest_ev + np.asarray(t.offset_ev)
    numbers = np.array([0.5, 1.5, 3.0, 12.0])
    alone = np.asarray(gain.gain_cm1(box, numbers, light))
    read = np.array([np.interp(numbers, t.excitations, row) for row in np.asarray(t.gain_cm1)]).T
    np.testing.assert_allclose(read, alone, atol=0.01 * np.abs(alone).max())  # the table is linear between points


def test_rungs_are_those_of_the_ladder() -> None:
    t = table(ladder=1.0)
    read = float(jnp.interp(gain.ladder_transparency(), t.excitations, t.gain_cm1[3]))
    assert abs(read) < 0.005 * float(t.absorption_cm1[3])
    assert float(jnp.interp(20.0, t.excitations, t.gain_cm1[3])) == pytest.approx(float(t.absorption_cm1[3]), rel=1e-3)


def test_build_up_by_following_light_in_time() -> None:
    # other solver: carriers decay and light grows, in time, by scipy
    n = np.linspace(0.1, 60.0, 4000)
    g, speed, tau, auger, start = 40.0 * (n - 1.3), 0.0167, 700.0, 100.0, 4.0
    made = float(medium.built_up(*map(jnp.asarray, (n, g, start, speed, tau, auger, 15.0))))

    def slope(_: float, y: np.ndarray) -> list[float]:
        return [-y[0] / tau - 0.5 * y[0] ** 2 / auger, speed * 40.0 * (y[0] - start)]

    def spent(_: float, y: np.ndarray) -> float:
        return float(y[0] - start)

    spent.terminal = True  # type: ignore[attr-defined]
    after = solve_ivp(slope, (0.0, 1e4), [made, 0.0], events=spent, rtol=1e-9)
    assert after.y[1, -1] == pytest.approx(15.0, rel=5e-3)


# ------------------------------------------------------------------------------------------------------------ tiers


def one(question: Question, tier: str = "rate", **given: float) -> tuple[tiers.Found, dict[str, np.ndarray]]:
    """Return the threshold of one film, all unknowns at their medians but those that are given."""
    laws = unknowns(question)
    plain = drawn(laws, np.full((len(laws), 1), 0.5), question)
    plain |= {k: np.array([v]) for k, v in given.items()}
    return tiers.solve(question, plain, tier), plain


def test_one_lossy_mode_by_hand() -> None:
    # analytic: in the ladder g = S (1 - exp(-N) (2 + N)); the loss is the sum of its parts; where light builds up at no
    # cost (in a gain that never decays) threshold is where they meet, and the fluence goes with its root
    found, d = one(KNOWN, ladder=1.0, unpumped=0.0, buildup=1e-6, auger=1e9, lifetime=1e9, polarisation=0.0)
    index = film.effective_index(0.5, 2.29, 1.45).real
    assert index == pytest.approx(float(tiers.index_at_line(KNOWN, d)[0]), rel=5e-3)
    index = float(tiers.index_at_line(KNOWN, d)[0])
    te, share = modes.lowest_modes(np.array([1500.0]), np.array([index]), 4.14 + 0.03j, 531.0)
    back = d["returning"] * (1.0 - math.exp(-60.0 / 5.0))
    loss = te + d["background"] + d["escape"] / 5e-4 + np.log(1.0 / back) / 60e-4
    box = gain.Box(20.0, 77.0)
    strength = gain.strength_cm1_ev(box) / (box.width_ev / 2.354820045 * math.sqrt(2.0 * math.pi))
    pull = float(share[0]) * 0.5 * strength
    n = brentq(lambda x: pull * (1.0 - math.exp(-x) * (2.0 + x)) - float(loss[0]), 0.1, 100.0)
    assert float(found.steady[0]) == pytest.approx(n, rel=0.01)
    inside = layers.film_field(float(tiers.film_index(d["filling"], 2.032, d["ligand_index"])[0]), 1500.0, 3.68, 800.0)
    worth = float(two_photon_worth_per_fs("gaussian", 50.0))
    per = float(pump.two_photon_excitations(1.0, 800.0, float(d["cross_section"][0]), worth)) * inside.mean(2)
    assert float(found.fluence_uj_cm2[0]) == pytest.approx(math.sqrt(n / per), rel=0.02)
    assert float(found.edge_cm1[0]) == pytest.approx(float(np.log(1.0 / back[0]) / 60e-4), rel=1e-9)


def test_what_moves_the_fluence_moves_it_as_it_must() -> None:
    base, d = one(KNOWN)
    at = float(base.fluence_uj_cm2[0])
    four, _ = one(KNOWN, cross_section=4.0 * float(d["cross_section"][0]))
    assert float(four.fluence_uj_cm2[0]) == pytest.approx(at / 2.0, rel=1e-12)  # two photons
    mean, _ = one(replace(KNOWN, fluence_is="mean"))
    assert float(mean.fluence_uj_cm2[0]) == pytest.approx(at / 2.0, rel=1e-12)
    chirped, _ = one(replace(KNOWN, gdd_fs2=3000.0))
    worth = two_photon_worth_per_fs("gaussian", 50.0) / two_photon_worth_per_fs("gaussian", 50.0, 3000.0)
    assert float(chirped.fluence_uj_cm2[0]) == pytest.approx(at * math.sqrt(float(worth)), rel=1e-12)
    worst = {"background": 200.0, "unpumped": 0.5, "returning": 1e-6, "auger": 5.0, "carrier_heat": 200.0}
    for worse in ({k: v} for k, v in worst.items()):
        assert float(one(KNOWN, **worse)[0].fluence_uj_cm2[0]) > at


def test_a_spot_in_absorbing_film_by_bessel() -> None:
    # analytic: a disk with gain g inside and absorption a outside stands still where
    # q J1(qR) / J0(qR) = k K1(kR) / K0(kR), q^2 = 2 g / l_t, k^2 = 2 a / l_t. A gain that is a step in the number of
    # excitations makes a disk out of a Gaussian spot: R^2 = (area / pi order) ln(N / N_step).
    transport, away, step, net = 4.0, 0.02, 1.0, 0.01
    n = np.concatenate([np.linspace(1e-3, step - 1e-6, 50), np.linspace(step + 1e-6, 200.0, 50)])
    g = np.where(n < step, 0.0, net + away)
    area, order = 900.0, 2
    centre = float(tiers.spot_excitations(*map(jnp.asarray, (n, g, away, transport, area)), order))
    q, k = math.sqrt(2.0 * net / transport), math.sqrt(2.0 * away / transport)
    radius = brentq(lambda r: q * j1(q * r) * k0(k * r) - k * k1(k * r) * j0(q * r), 1e-3, 2.4 / q)
    exact = step * math.exp(radius**2 * math.pi * order / area)
    assert math.sqrt(math.log(centre / step)) == pytest.approx(math.sqrt(math.log(exact / step)), rel=0.02)


def test_a_gaussian_spot_by_the_general_eigenproblem() -> None:
    # other code: diffusion.threshold (sparse matrices, ARPACK) with gain in proportion to the excitations
    transport, away, area = 2.0, 0.01, 2000.0
    n = np.linspace(0.0, 400.0, 4001)
    centre = float(tiers.spot_excitations(*map(jnp.asarray, (n + 1e-9, 1e-3 * n, away, transport, area)), 2))
    medium_ = diffusion.Medium(transport, 2)
    grid = diffusion.radial_grid(np.linspace(0.0, 250.0, 2501), 2)
    profile = np.exp(-2.0 * math.pi * grid.radius_um**2 / area)
    kappa = diffusion.threshold(grid, medium_, profile, away).gain_um
    assert 1e-3 * centre == pytest.approx(kappa, rel=5e-3)


def test_area_law_of_the_tier_ends_where_loss_rules() -> None:
    # analytic: the threshold cannot fall below that of a film pumped everywhere, and small spots need more
    fluence = [float(one(KNOWN, "diffusion", spot=x)[0].fluence_uj_cm2[0]) for x in (20.0, 60.0, 180.0, 2000.0, 6000.0)]
    assert fluence == sorted(fluence, reverse=True)
    assert fluence[3] / fluence[4] < 1.03


# -------------------------------------------------------------------------------------------------------- forecasts


def test_no_number_of_the_paper_goes_in() -> None:
    # what the prediction is held against must not be in it
    sources = {physical_parameter(name).source for name in PARAMETERS_USED if "refractive_index." not in name}
    assert "yang2020" not in sources


def test_band_and_budget(found) -> None:
    band = found.band("threshold")
    assert band.low < band.median < band.high
    assert found.informative == (band.high <= 10.0 * band.low)
    assert 0.2 < found.lasing_share <= 1.0
    totals = [line.total for line in found.budget]
    assert totals == sorted(totals, reverse=True)
    assert {"leakage", "reabsorption", "scattering", "chirp", "cross-section"} <= {line.group for line in found.budget}
    data = found.to_json()
    assert data["quantities"]["threshold"]["low90"] == pytest.approx(band.low)
    assert any("fold" in sentence for sentence in found.sentences)


def test_what_is_known_leaves_the_budget(found) -> None:
    known = forecast(replace(KNOWN, cross_section=8e-44), "rate", 128)
    lines = {line.group: line.total for line in known.budget}
    for group in ("cross-section", "spot", "size"):
        assert lines[group] < 1e-9
    narrow, wide = known.band("threshold"), found.band("threshold")
    assert narrow.high / narrow.low < 0.8 * wide.high / wide.low
    assert known.informative


def test_losses_add_up_to_the_gain(found) -> None:
    # analytic: at threshold what leaves the mode is what it takes up; the line without gain is as wide as that
    loss = sum(found.draws[name] for name in ("leakage", "absorption", "scattering", "edge"))
    wide = found.draws["linewidth_cold"] * 2.0 * math.pi / (found.draws["lasing_wavelength"] ** 2 * 1e-7)
    index = loss / wide
    assert np.all((index > 1.4) & (index < 2.2))


def test_amplified_emission_comes_first_on_a_path(found) -> None:
    assert np.mean(found.draws["ase_over_lasing"] < 1.0) > 0.9


def test_gain_lasts_as_long_as_the_decay_says(found) -> None:
    laws = unknowns(KNOWN)
    plain = drawn(laws, np.full((len(laws), 1), 0.5), KNOWN)
    got = tiers.solve(KNOWN, plain)
    tau, auger = float(plain["lifetime"][0]), float(plain["auger"][0])
    lasting, _ = quad(lambda n: 1.0 / (n / tau + 0.5 * n**2 / auger), float(got.steady[0]), float(got.excitations[0]))
    assert float(got.gain_ps[0]) == pytest.approx(lasting, rel=1e-6)


def test_one_photon_pumping_needs_far_less() -> None:
    # paper: one-photon thresholds of such films in the literature are 5-500 uJ/cm2 (Yakunin 2015, Fan 2018)
    one_photon = thresholds(replace(KNOWN, wavelength_nm=400.0), "rate", 64)
    two_photon = thresholds(KNOWN, "rate", 64)
    assert 5.0 < np.median(one_photon) < 500.0
    assert np.median(two_photon) > 5.0 * np.median(one_photon)


def test_neighbours_in_the_literature() -> None:
    # paper: random lasing of CsPbBr3 nanocrystals of 9-10 nm at 300 K at 0.8-2.5 mJ/cm2 with two photons of 800 nm (Xu
    # 2016, Wang 2016) and 471 uJ/cm2 with one (Fan 2018); none of them went in
    warm = Question(temperature_k=300.0, size_nm=10.0, size_std_nm=1.0)
    # (the middle of the range counts: the two numbers are of other films)
    for question, seen in ((warm, math.sqrt(800.0 * 2500.0)), (replace(warm, wavelength_nm=400.0), 471.0)):
        draws = thresholds(question, "rate", 128)
        low, high = np.percentile(draws, [5.0, 95.0], method="inverted_cdf")
        assert low < seen < high


def test_exponent_by_two_areas() -> None:
    # the exponent of a forecast is that of thresholds at two areas, draw by draw
    some = forecast(KNOWN, "rate", 32)
    laws = unknowns(KNOWN)
    assert np.all(some.draws["area_exponent"] < 0.0)
    medians = [float(one(KNOWN, spot=x)[0].fluence_uj_cm2[0]) for x in (60.0 / 1.1, 60.0 * 1.1)]
    exponent = math.log(medians[1] / medians[0]) / (4.0 * math.log(1.1))
    low, high = np.percentile(some.draws["area_exponent"], [2.5, 97.5])
    assert low <= exponent <= high
    assert len(laws) == 25


def test_sweeps_go_the_right_way() -> None:
    thin, thick = sweep(KNOWN, "thickness", [600.0, 3000.0], draws=64)
    small, large = sweep(KNOWN, "area", [300.0, 30000.0], draws=64)
    cold, warm = sweep(replace(KNOWN, transport_um=50.0), "temperature", [77.0, 300.0], draws=64)
    for better, worse in ((thick, thin), (large, small), (cold, warm)):
        assert better.lasing_share >= worse.lasing_share
        assert better.low < worse.low
        assert better.median <= worse.median  # infinity where most draws do not lase


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Question(size_nm=4.0), "size"),
        (lambda: Question(temperature_k=10.0), "temperature"),
        (lambda: Question(spot_um=200.0, film_um=100.0), "misses"),
        (lambda: Question(spot_um=-3.0), "spot"),
        (lambda: Question(filling=1.2), "filling"),
        (lambda: Question(substrate="gold"), "substrate"),
        (lambda: Question(fluence_is="total"), "fluence"),
        (lambda: unknowns(Question(wavelength_nm=700.0)), "750 to 850"),
        (lambda: forecast(Question(), "salt"), "tier"),
        (lambda: forecast(Question(), "rate", 3), "draws"),
        (lambda: sweep(Question(), "fluence", [1.0]), "sweep"),
        (lambda: sweep(Question(), "area", [0.0]), "area"),
        (lambda: forecast(replace(KNOWN, thickness_nm=50.0, spot_um=2.0), "rate", 16), "none of the draws"),
        (lambda: budget(lambda u: u[0], ["a"], 100), "power of two"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
