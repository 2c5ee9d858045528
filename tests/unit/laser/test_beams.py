"""Spots and pulses against integrals, published dispersion of glass and analytic limits."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from scipy.integrate import quad

from perolas.core.errors import InputError
from perolas.laser import beams
from perolas.laser.beams import Spot


@pytest.mark.parametrize("kind", beams.SPOTS)
def test_the_profile_holds_the_energy(kind: str) -> None:
    """Integrating the fluence over the plane gives the energy back."""
    spot = Spot(30.0, kind)
    at = beams.profile(spot)
    whole = quad(lambda r: 2 * math.pi * r * float(at(r)), 0, 15 if spot.is_top_hat else 300, epsabs=1e-12, limit=200)
    assert spot.fluence_uj_cm2(2.0) * whole[0] * 1e-8 == pytest.approx(2.0, rel=1e-8)


@pytest.mark.parametrize(
    ("kind", "radius", "height"),
    [
        ("1/e2 diameter", 15, math.exp(-2)),
        ("1/e2 radius", 30, math.exp(-2)),
        ("fwhm", 15, 0.5),
        ("1/e diameter", 15, math.exp(-1)),
        ("top hat", 14.99, 1.0),
    ],
)
def test_sizes_mean_what_they_are_called(kind: str, radius: float, height: float) -> None:
    assert float(beams.profile(Spot(30.0, kind))(radius)) == pytest.approx(height, rel=1e-12)


def test_mean_is_half_of_the_peak_and_an_ellipse_is_a_product() -> None:
    assert Spot(30.0).fluence_uj_cm2(1.0, "mean") == pytest.approx(Spot(30.0).fluence_uj_cm2(1.0) / 2)
    assert Spot(30.0, "top hat").fluence_uj_cm2(1.0, "mean") == Spot(30.0, "top hat").fluence_uj_cm2(1.0)
    assert Spot(20.0, "fwhm", 45.0).fluence_uj_cm2(1.0) == pytest.approx(Spot(30.0, "fwhm").fluence_uj_cm2(1.0))
    tilted = Spot(30.0, angle_deg=60.0)
    assert tilted.fluence_uj_cm2(1.0) == pytest.approx(Spot(30.0).fluence_uj_cm2(1.0) / 2)
    assert tilted.lit_diameter_um == pytest.approx(60.0)
    # 1 mW at 1 kHz in a round top hat of 1 cm2: 1 uJ/cm2
    assert Spot(1e4 * math.sqrt(4 / math.pi), "top hat").fluence_uj_cm2(1.0) == pytest.approx(1.0)


def _numeric(power, end: float) -> float:
    first = quad(power, -end, end, limit=400)[0]
    return quad(lambda t: power(t) ** 2, -end, end, limit=400)[0] / first**2


def test_worth_of_unchirped_pulses_by_quadrature() -> None:
    gauss = _numeric(lambda t: math.exp(-4 * math.log(2) * (t / 50) ** 2), 400)
    assert float(beams.two_photon_worth_per_fs("gaussian", 50.0)) == pytest.approx(gauss, rel=1e-10)
    wide = 2 * math.acosh(math.sqrt(2))
    sech = _numeric(lambda t: math.cosh(wide * t / 50) ** -2, 800)
    assert float(beams.two_photon_worth_per_fs("sech2", 50.0)) == pytest.approx(sech, rel=1e-8)
    assert float(beams.two_photon_worth_per_fs("square", 50.0)) == pytest.approx(1 / 50)


def test_chirp_of_the_brief() -> None:
    """laser.md, section 1: 2,000-4,000 fs2 turn 50 fs into 122-227 fs, and <N> falls 2.4-4.5 times."""
    assert np.asarray(beams.stretched_fs(50.0, np.array([2000.0, 4000.0]))) == pytest.approx([121.7, 227.4], abs=0.1)
    less = beams.two_photon_worth_per_fs("gaussian", 50.0) / beams.two_photon_worth_per_fs(
        "gaussian", 50.0, np.array([2000.0, -4000.0])
    )
    assert np.asarray(less) == pytest.approx([2.43, 4.55], abs=0.01)


def test_strongly_chirped_sech2_is_its_spectrum() -> None:
    """Far away the pulse is its own power spectrum, sech^2(b w), spread over GDD: worth = b / (3 GDD), analytic."""
    b = math.pi / (4 * math.acosh(math.sqrt(2)))  # for a pulse of length 1
    for relative in (30.0, -99.0, 500.0):
        found = float(beams.two_photon_worth_per_fs("sech2", 10.0, relative * 100.0))
        assert found == pytest.approx(b / 3 / abs(relative) / 10.0, rel=0.4 / relative**2 + 1e-12)


def test_dispersion_of_glass() -> None:
    """36.1 fs2/mm for fused silica and 44.6 for N-BK7 at 800 nm (tables of femtosecond optics; Abramczyk 2005: 36)."""
    assert beams.glass_dispersion_fs2("fused silica", 800.0, 10.0) == pytest.approx(361, abs=1)
    assert beams.glass_dispersion_fs2("glass", 800.0, 10.0) == pytest.approx(446, abs=1.5)


def test_worth_has_gradients() -> None:
    for shape in ("gaussian", "sech2"):

        def worth(gdd: float, shape: str = shape) -> jax.Array:
            return beams.two_photon_worth_per_fs(shape, 50.0, gdd)

        slope = float(jax.grad(worth)(1500.0))
        assert slope == pytest.approx((float(worth(1501.0)) - float(worth(1499.0))) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Spot(0.0), '"spot" must be positive, but is 0 um'),
        (lambda: Spot(30.0, "diameter"), "kind of spot"),
        (lambda: Spot(30.0, angle_deg=90.0), "angle of incidence"),
        (lambda: Spot(30.0).fluence_uj_cm2(-1.0), '"pulse energy" must be positive'),
        (lambda: Spot(30.0).fluence_uj_cm2(1.0, "median"), "The fluence"),
        (lambda: beams.two_photon_worth_per_fs("gaussian", 0.0), '"pulse length" must be positive'),
        (lambda: beams.two_photon_worth_per_fs("lorentz", 50.0), "pulse shape"),
        (lambda: beams.two_photon_worth_per_fs("square", 50.0, 100.0), "no end"),
        (lambda: beams.glass_dispersion_fs2("fused silica", 800.0, -1.0), "thickness"),
        (lambda: beams.profile(Spot(30.0, second_um=40.0)), "ellipse"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
