"""Band filling in a box against exact sums, Weyl's law and Bernard and Duraffourg; the exciton ladder; gain in time."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.stats import poisson

from perolas.core.errors import InputError
from perolas.laser import gain
from perolas.laser.gain import Box
from perolas.matter import optics

KT_EV_K = 8.617333262e-5
UNIT_EV_NM2 = 0.0380998212 * math.pi**2  # hbar^2 pi^2 / (2 m_e), CODATA


def test_few_carriers_follow_boltzmann() -> None:
    """The partition function of a box is the cube of a sum over one quantum number."""
    box = Box(20.0, 77.0)
    unit = UNIT_EV_NM2 / (0.14 * 400.0) / (KT_EV_K * 77.0)
    n = np.arange(1, 200)
    z = 2 * np.sum(np.exp(-unit * (n**2 - 1))) ** 3
    found = gain.occupation(box, 1e-6, 0.14)
    assert float(found[0]) == pytest.approx(1e-6 / z, rel=1e-6)
    assert float(found[1]) == pytest.approx(1e-6 / z * math.exp(-3 * unit), rel=1e-6)


@pytest.mark.parametrize("number", [1e-3, 1.0, 7.3, 200.0])
def test_occupations_hold_the_number_that_was_asked_for(number: float) -> None:
    full = np.asarray(gain.occupation(Box(20.0, 300.0), number, 0.14))
    held, n = 0.0, 1
    levels = sorted(a * a + b * b + c * c for a in range(1, 41) for b in range(1, 41) for c in range(1, 41))
    for n, f in zip(sorted(set(x for x in levels if x <= 1600)), full, strict=True):
        held += 2 * levels.count(n) * f if f > 1e-9 * number else 0.0
    assert held == pytest.approx(number, rel=1e-6)


def test_transparency_when_cold_is_one_and_when_large_that_of_the_bands() -> None:
    """Cold: the lowest level half full. Large: Fermi's law over Weyl's count (4 pi R^3/3 - 3 pi R^2 + 6 R - 1) / 8."""
    assert gain.transparency(Box(20.0, 4.0)) == pytest.approx(1.0, abs=1e-6)
    unit = UNIT_EV_NM2 / (0.14 * 3600.0) / (KT_EV_K * 300.0)

    def density(r: float) -> float:
        return (4 * math.pi * r * r - 6 * math.pi * r + 6) / 8 / (1 + math.exp(unit * (r * r - 3)))

    bulk = 2 * quad(density, 0.0, 60.0, limit=200)[0]
    assert gain.transparency(Box(60.0, 300.0)) == pytest.approx(bulk, rel=0.01)


def test_absorption_is_that_of_the_bulk_less_the_surface() -> None:
    """0.25 eV above the gap a box of 60 nm absorbs like the table, times the levels that a hard wall takes away."""
    box = Box(60.0, 77.0, gap_ev=2.36)
    photon = 2.36 + 0.25
    nm = 1239.841984 / photon
    table = 4 * math.pi * float(optics.refractive_index("CsPbBr3", nm).imag) / (nm * 1e-7)
    r = math.sqrt(0.25 / (2 * UNIT_EV_NM2 / (0.14 * 3600.0)) + 3)
    surface = (4 * math.pi * r * r - 6 * math.pi * r + 6) / (4 * math.pi * r * r)
    found = -float(gain.gain_cm1(box, 1e-9, photon)[0])
    assert found == pytest.approx(table * surface, rel=0.02)


def test_gain_ends_where_the_chemical_potentials_say() -> None:
    """Bernard and Duraffourg: nothing absorbed or amplified where the photon equals mu_e + mu_h."""
    box = Box(60.0, 77.0, gap_ev=2.36, fwhm_ev=0.003)
    number = 60.0
    f = np.asarray(gain.occupation(box, number, 0.14))
    mu = math.log(f[0] / (1 - f[0])) * KT_EV_K * 77.0  # from the lowest level
    light = np.linspace(2.37, 2.36 + 4 * mu, 4001)
    spectrum = np.asarray(gain.gain_cm1(box, number, light))
    end = light[np.nonzero(spectrum > 0)[0][-1]]
    assert end == pytest.approx(2.36 + 2 * mu, abs=1e-3)


def test_gain_grows_with_excitations_and_turns_positive_at_transparency() -> None:
    box = Box(20.0, 77.0, gap_ev=2.33)
    numbers = gain.transparency(box) * np.array([0.5, 0.98, 1.05, 2.0, 5.0])
    peak, place = gain.peak_gain(box, numbers)
    assert np.all(np.asarray(peak)[:2] < 1e-6 * float(peak[-1]))
    assert np.all(np.diff(np.asarray(peak)[2:]) > 0)
    assert float(peak[2]) > 0
    assert 2.3 < float(place[3]) < 2.4
    warm = gain.peak_gain(Box(20.0, 300.0, gap_ev=2.33), numbers)[0]
    assert float(warm[3]) < float(peak[3])


def test_ladder_by_counting_nanocrystals() -> None:
    n = np.array([0.0, 0.3, 1.146, 4.0])
    counted = poisson.sf(1, n) - poisson.pmf(0, n)
    assert np.asarray(gain.ladder_gain(n)) == pytest.approx(counted, abs=1e-12)
    assert gain.ladder_transparency() == pytest.approx(1.15, abs=0.005)  # as quoted since Klimov 2000
    # both models want about one excitation for a 20 nm nanocrystal at 77 K
    assert gain.transparency(Box(20.0, 77.0)) == pytest.approx(gain.ladder_transparency(), rel=0.2)


def test_gain_lifetime_by_solving_the_decay() -> None:
    def slope(_: float, n: np.ndarray) -> np.ndarray:
        return -n / 700.0 - n**2 / 200.0

    def event(_: float, n: np.ndarray) -> float:
        return float(n[0]) - 1.3

    event.terminal = True  # type: ignore[attr-defined]
    solved = solve_ivp(slope, (0, 1e4), [6.0], events=event, rtol=1e-11, atol=1e-12)
    assert float(gain.gain_lifetime_ps(6.0, 1.3, 700.0, 100.0)) == pytest.approx(solved.t_events[0][0], rel=1e-8)
    assert float(gain.gain_lifetime_ps(1.0, 1.3, 700.0)) == 0.0


def test_two_level_medium_has_the_same_gain() -> None:
    """Im n k for eps = n^2 - i d0: the wave grows at 2 k Im(sqrt(eps))."""
    box = Box(20.0, 77.0)
    medium = gain.two_level(box, 3.0, 1.8, 700.0)
    peak, place = gain.peak_gain(box, 3.0)
    grown = -2 * medium.k_a * np.sqrt(1.8**2 - 1j * medium.d0).imag * 1e4
    assert grown == pytest.approx(float(peak), rel=1e-3)
    assert 2e3 * math.pi / medium.k_a == pytest.approx(1239.841984 / float(place), rel=1e-9)
    assert medium.gamma_par_per_ps == pytest.approx(1 / 700)
    assert 0 < medium.gamma_perp < 0.1 * medium.k_a
    absorbing = gain.two_level(box, 0.5, 1.8, 700.0)
    assert absorbing.d0 <= 0


def test_gradient_against_finite_differences() -> None:
    box = Box(20.0, 77.0)

    def at(n: jax.Array) -> jax.Array:
        return gain.gain_cm1(box, n, 2.34)[..., 0]

    slope = float(jax.grad(at)(2.5))
    assert slope == pytest.approx(float(at(2.501) - at(2.499)) / 2e-3, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Box(100.0), "a size of 6 to 60 nm, not 100 nm"),
        (lambda: Box(20.0, 1.0), "a temperature of 4 to 500 K, not 1 K"),
        (lambda: Box(gap_ev=-2.0), '"gap" must be positive'),
        (lambda: gain.gain_cm1(Box(), 0.0, 2.3), '"excitations" must be positive'),
        (lambda: gain.gain_cm1(Box(), 1.0, -2.3), '"photon energy" must be positive'),
        (lambda: gain.ladder_gain(-1.0), '"excitations" must be zero or positive'),
        (lambda: gain.gain_lifetime_ps(2.0, 1.0, 0.0), '"carrier lifetime" must be positive'),
        (lambda: gain.two_level(Box(), 2.0, 0.0, 700.0), '"index" must be positive'),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
