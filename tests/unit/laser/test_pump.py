"""Excitations by one and two photons: the brief's numbers, scaling laws, Poisson, heat; bad input as sentences."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from scipy.integrate import quad

from perolas.core.errors import InputError
from perolas.laser import beams, calculator, pump
from perolas.laser.beams import Spot
from perolas.laser.calculator import Setup, calculate

WORTH = float(beams.two_photon_worth_per_fs("gaussian", 50.0))


def two(fluence: float, sigma: float, worth: float = WORTH) -> float:
    return float(pump.two_photon_excitations(fluence, 800.0, sigma, worth))


def test_the_range_of_the_brief() -> None:
    """laser.md, section 1: 0.12 .. 2.6 (Gaussian) and 0.18 .. 3.9 (rectangle) at 254 uJ/cm2, 50 fs, 800 nm, 20 nm."""
    low, high = pump.two_photon_range_cm4_s(20.0)
    assert [two(254.0, low), two(254.0, high)] == pytest.approx([0.12, 2.6], rel=0.04)
    assert [two(254.0, low, 1 / 50), two(254.0, high, 1 / 50)] == pytest.approx([0.18, 3.9], rel=0.03)


def test_the_bulk_contradicts_the_top_of_the_range() -> None:
    """laser.md: 8.6 cm/GW gives 0.12, and the top of the range is 22 times that."""
    bulk = float(pump.bulk_two_photon_cross_section_cm4_s(20.0))
    assert two(254.0, bulk) == pytest.approx(0.12, abs=0.002)
    assert pump.two_photon_range_cm4_s(20.0)[1] / bulk == pytest.approx(22.0, rel=0.02)
    screened = float(pump.bulk_two_photon_cross_section_cm4_s(20.0, 800.0, "toluene"))
    assert 0.5 < screened / bulk < 0.8  # less field inside, but slower light


def test_bulk_by_solving_the_decay_of_light() -> None:
    """dI/dx = -beta I^2 over a thin slab: energy lost, two photons each, shared among the cubes that fill the slab."""
    beta_cm_gw, fluence, nm, edge_cm = 8.6, 254e-6, 800.0, 20e-7
    photon = 6.62607015e-34 * 299792458 / (nm * 1e-9)

    def power(t_fs: float) -> float:  # W/cm2
        return fluence * math.sqrt(4 * math.log(2) / math.pi) / 50e-15 * math.exp(-4 * math.log(2) * (t_fs / 50) ** 2)

    def lost(t_fs: float) -> float:  # exactly: I(L) = I / (1 + beta I L)
        i = power(t_fs)
        return i - i / (1 + beta_cm_gw * 1e-9 * i * edge_cm)

    energy = quad(lost, -300, 300, limit=200)[0] * 1e-15
    excitations = energy / (2 * photon) * edge_cm**2
    bulk = float(pump.bulk_two_photon_cross_section_cm4_s(20.0))
    assert two(254.0, bulk) == pytest.approx(excitations, rel=1e-4)


@given(st.floats(1e-3, 1e4), st.floats(0.1, 10), st.floats(5, 5e3), st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_two_photons_go_with_the_square_of_fluence_and_the_inverse_of_length(
    fluence: float, times: float, length: float, longer: float
) -> None:
    def n(f: float, t: float) -> float:
        return two(f, 1e-43, float(beams.two_photon_worth_per_fs("gaussian", t)))

    first = n(fluence, length)
    assert n(fluence * times, length) == pytest.approx(first * times**2, rel=1e-12)
    assert n(fluence, length * longer) == pytest.approx(first / longer, rel=1e-12)
    one = float(pump.one_photon_excitations(fluence, 400.0, 1e-13))
    assert float(pump.one_photon_excitations(fluence * times, 400.0, 1e-13)) == pytest.approx(one * times, rel=1e-12)


def test_median_and_band_over_the_cross_sections() -> None:
    n = pump.two_photon_excitations(254.0, 800.0, pump.two_photon_cross_sections_cm4_s(20.0), WORTH)
    band = pump.Band.of(n)
    assert band.median == pytest.approx(math.sqrt(0.1163 * 2.617), rel=0.04)  # middle of a log-uniform law
    assert 0.1 < band.low < 0.16
    assert 2.0 < band.high < 2.7
    weak = pump.two_photon_excitations(2.54, 800.0, pump.two_photon_cross_sections_cm4_s(20.0), WORTH)
    assert pump.Band.of(weak).median == pytest.approx(band.median * 1e-4, rel=1e-9)


def test_size_law() -> None:
    """sigma grows with size to the power 3.3 (Chen 2017), and its error vanishes at 9 nm."""
    low = [pump.two_photon_range_cm4_s(size)[0] for size in (9.0, 18.0)]
    assert low[0] == pytest.approx(1.2e-45)
    assert low[1] / low[0] == pytest.approx(2**3.3)
    draws = pump.two_photon_cross_sections_cm4_s(9.0)
    assert draws.min() >= 1.2e-45
    assert draws.max() <= 2.7e-44


def test_one_photon_of_400_nm() -> None:
    """5 uJ/cm2 by hand: 1.007e13 photons/cm2; sigma of a 20 nm cube is 8e-18 cm3 x about 7e4 cm-1 (Maes 2018)."""
    sigma = pump.one_photon_cross_sections_cm2(400.0, 20.0)
    n = pump.Band.of(pump.one_photon_excitations(5.0, 400.0, sigma))
    assert n.median == pytest.approx(1.007e13 * 8e-18 * 7.7e4, rel=0.3)
    assert n.low < n.median < n.high
    assert [pump.order_of(nm) for nm in (400.0, 520.0, 800.0)] == [1, 1, 2]


def test_poisson() -> None:
    mean = np.array([1e-4, 0.3, 2.6, 20.0])
    for least in (1, 2, 5):
        assert np.asarray(pump.share_with_at_least(mean, least)) == pytest.approx(
            stats.poisson.sf(least - 1, mean), rel=1e-9
        )


def test_heat_by_integrating_the_heat_capacity() -> None:
    theta, molar_volume = 120.0, 119.9  # cm3/mol: parameters.md, section 0

    def capacity(t: float) -> float:
        x = theta / t
        return 15 * 8.314462618 * x**2 * math.exp(x) / math.expm1(x) ** 2 / molar_volume

    for start, heat in ((77.0, 5.0), (300.0, 0.3), (300.0, 300.0)):
        rise = pump.heating_k(heat, start)
        assert quad(capacity, start, start + rise)[0] == pytest.approx(heat, rel=3e-3)
    assert capacity(1e4) * molar_volume / 5 == pytest.approx(24.94, abs=0.01)  # Dulong and Petit
    assert pump.heating_k(0.0, 300.0) == pytest.approx(0.0, abs=1e-9)


def test_dose_counts_photons() -> None:
    one_ev_nm3 = 1.602176634e-19 / 1e-21
    dose = float(pump.absorbed_j_cm3(3.0, 800.0, 2, 10.0))
    assert dose == pytest.approx(3 * 2 * 1.5498 / 1000 * one_ev_nm3, rel=1e-4)


def test_gradient_against_finite_differences() -> None:
    def n(x: jax.Array) -> jax.Array:
        worth = beams.two_photon_worth_per_fs("gaussian", x[1], x[2])
        return pump.two_photon_excitations(x[0], 800.0, 1e-43, worth)

    at = np.array([254.0, 50.0, 2000.0])
    slope = jax.grad(n)(at)
    for i, value in enumerate(at):
        step = np.eye(3)[i] * value * 1e-5
        assert float(slope[i]) == pytest.approx(float(n(at + step) - n(at - step)) / (2e-5 * value), rel=1e-7)


def test_the_answer_shows_what_moves_it() -> None:
    answer = calculate(Setup(fluence_uj_cm2=254.0))
    effects = {e.name: e for e in answer.effects}
    assert (1 / effects["chirp"].high, 1 / effects["chirp"].low) == pytest.approx((2.43, 4.55), abs=0.01)
    assert effects["fluence definition"].low == 4.0
    assert 0.8 < effects["interference"].low < 1 < effects["interference"].high < 2.0
    assert effects["pulse shape"].low == pytest.approx(0.885, abs=0.001)
    assert answer.quantities["intensity_peak"].band.median == pytest.approx(0.94 * 254e-6 / 50e-15 * 1e-9, rel=2e-3)
    assert any("wider than tenfold" in s for s in answer.sentences)
    assert any("bulk" in s for s in answer.sentences)


def test_choices_do_what_their_effect_says() -> None:
    plain = calculate(Setup(fluence_uj_cm2=254.0)).quantities["excitations"].band.median
    chirped = calculate(Setup(fluence_uj_cm2=254.0, gdd_fs2=2000.0))
    assert chirped.quantities["excitations"].band.median == pytest.approx(plain / 2.433, rel=1e-3)
    assert chirped.quantities["pulse_length"].band.median == pytest.approx(121.7, abs=0.1)
    mean = calculate(Setup(fluence_uj_cm2=254.0, fluence_is="mean"))
    assert mean.quantities["excitations"].band.median == pytest.approx(4 * plain)
    film = calculate(Setup(fluence_uj_cm2=254.0, thickness_nm=800.0))
    factor = film.effects[-1].low
    assert film.quantities["excitations"].band.median == pytest.approx(factor * plain)


def test_one_photon_of_the_ultraviolet_needs_no_silicon() -> None:
    """A film absorbs it, so that interference in a clear one says little: only shown for a thickness that is given."""
    assert not any(e.name == "interference" for e in calculate(Setup(fluence_uj_cm2=5.0, wavelength_nm=240.0)).effects)
    shown = calculate(Setup(fluence_uj_cm2=5.0, wavelength_nm=355.0, thickness_nm=300.0)).effects
    assert any("taken as clear" in e.words for e in shown)


def test_power_rate_and_spot() -> None:
    """0.1 uW at 1 kHz: 0.1 nJ in a circle of 1/e^2 diameter 30 um; peak 2E / (pi w^2) by hand: 28.29 uJ/cm2."""
    setup = Setup(energy_uj=calculator.energy_uj(1e-4, 1e3), spot=Spot(30.0), repetition_hz=1e3, film_um=5e3)
    found = calculate(setup).quantities
    assert found["fluence_peak"].band.median == pytest.approx(2 * 1e-4 / (math.pi * 15e-4**2))
    assert found["power"].band.median == pytest.approx(1e-4)
    assert found["excitation_rate"].band.median == pytest.approx(1e3 * found["excitations"].band.median)


def test_far_too_much_light_is_said() -> None:
    answer = calculate(Setup(energy_uj=1.0, spot=Spot(30.0)))
    assert any("does not survive" in s for s in answer.sentences)


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        (Setup(), "needs either --fluence"),
        (Setup(fluence_uj_cm2=0.0), '"fluence" must be positive, but is 0'),
        (Setup(fluence_uj_cm2=-2.5), '"fluence" must be positive, but is -2.5'),
        (Setup(fluence_uj_cm2=math.nan), '"fluence" must be positive'),
        (Setup(energy_uj=1.0, spot=Spot(6e3), film_um=5e3), "misses the film"),
        (Setup(fluence_uj_cm2=1.0, energy_uj=1.0, spot=Spot(30.0)), "not both"),
        (Setup(fluence_uj_cm2=1.0, size_nm=50.0), "from 3 to 30 nm of size"),
        (Setup(fluence_uj_cm2=1.0, wavelength_nm=900.0), "from 750 to 850 nm, not at 900 nm"),
        (Setup(fluence_uj_cm2=1.0, wavelength_nm=1300.0), "does not reach the gap"),
        (Setup(fluence_uj_cm2=1.0, wavelength_nm=800.0, photons=1), "it takes two"),
        (Setup(fluence_uj_cm2=1.0, cross_section=-1.0), '"cross-section" must be positive'),
        (Setup(fluence_uj_cm2=1.0, temperature_k=4.0), "50 to 1000 K"),
        (Setup(fluence_uj_cm2=1.0, draws=1), '"draws" must lie'),
        (Setup(fluence_uj_cm2=1.0, substrate="gold"), "The material"),
    ],
)
def test_bad_input_is_one_sentence(setup: Setup, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        calculate(setup)


def test_cross_sections_as_people_write_them() -> None:
    assert calculator.read_cross_section("1e6 GM", 2) == pytest.approx(1e-44)
    assert calculator.read_cross_section("1e-44 cm^4 s", 2) == pytest.approx(1e-44)
    assert calculator.read_cross_section("8e-13 cm^2", 1) == pytest.approx(8e-13)
    with pytest.raises(InputError, match="cross-section"):
        calculator.read_cross_section("8 cm", 2)
