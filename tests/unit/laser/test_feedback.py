"""What sends light back. Targets are integrals done numerically, limits, and the functions that are turned round."""

from __future__ import annotations

import math

import pytest
from scipy.integrate import quad

from perolas.core.errors import InputError
from perolas.laser import feedback, film


@pytest.mark.parametrize("length", [3.0, 40.0, 150.0, 600.0])
def test_fluctuations_by_quadrature(length: float) -> None:
    # analytic: 1/l_s = k0^4 / 16 pi^2 times the integral over directions of the spectrum of the permittivity
    k0, index, std = 2.0 * math.pi / 532.0, 1.8, 0.05
    k = k0 * index

    def spectrum(mu: float) -> float:
        q2 = 2.0 * k**2 * (1.0 - mu)
        return std**2 * math.pi**1.5 * length**3 * math.exp(-q2 * length**2 / 4.0)

    total, _ = quad(spectrum, -1.0, 1.0, epsabs=0.0, epsrel=1e-11)
    back, _ = quad(lambda mu: spectrum(mu) * (1.0 - mu), -1.0, 1.0, epsabs=0.0, epsrel=1e-11)
    factor = k0**4 / (16.0 * math.pi**2) * 2.0 * math.pi
    found = feedback.fluctuation_mean_free_path(length, std, index, 532.0)
    assert found.scattering_um == pytest.approx(1e-3 / (factor * total), rel=1e-8)
    assert found.transport_um == pytest.approx(1e-3 / (factor * back), rel=1e-5)


def test_weak_small_spheres_scatter_as_the_fluctuations_that_they_are() -> None:
    # analytic: dilute weak spheres, all alike, are fluctuations; both are k0^4 V^2 de^2 rho / 4 pi when small (scalar).
    # Rayleigh's 8/3 pi for vector light is 2/3 of the scalar 4 pi.
    d, f = 10.0, 1e-3
    de = 2.0 * 1.5 * 0.01
    volume = math.pi / 6.0 * d**3
    scalar = (2.0 * math.pi / 532.0) ** 4 * de**2 * volume * f / (4.0 * math.pi)
    vector = film.mean_free_path(d, f, 1.51, 1.5, 532.0, packed=False)
    assert 1e-3 / vector.scattering_um == pytest.approx(scalar * 2.0 / 3.0, rel=0.02)
    # the same integral of the correlation: pi^1.5 l^3 std^2 = V f de^2
    length = 5.0
    std = math.sqrt(volume * f * de**2 / (math.pi**1.5 * length**3))
    born = feedback.fluctuation_mean_free_path(length, std, 1.5, 532.0)
    assert 1e-3 / born.scattering_um == pytest.approx(scalar, rel=0.02)


def test_what_is_needed_is_just_enough() -> None:
    size = feedback.needed_aggregate_nm(10.0, 0.5, 1.85, 1.0, 532.0)
    assert size is not None
    assert film.mean_free_path(size, 0.5, 1.85, 1.0, 532.0).transport_um == pytest.approx(10.0, rel=1e-3)
    assert film.mean_free_path(0.9 * size, 0.5, 1.85, 1.0, 532.0).transport_um > 10.0
    length = feedback.needed_correlation_nm(50.0, 0.2, 1.85, 532.0)
    assert length is not None
    assert feedback.fluctuation_mean_free_path(length, 0.2, 1.85, 532.0).transport_um == pytest.approx(50.0, rel=1e-3)
    assert feedback.needed_correlation_nm(1e-3, 0.2, 1.85, 532.0) is None


def test_filling_moves_the_permittivity() -> None:
    # analytic: with grains and host nearly alike the rule is linear
    got = feedback.filling_fluctuation(0.5, 0.2, 1.501, 1.5)
    assert got == pytest.approx(0.1 * (1.501**2 - 1.5**2), rel=1e-3)
    assert feedback.edge_reflection(1.5) == pytest.approx(0.04)


def test_grains_of_20_nm_need_help() -> None:
    found = feedback.supply(30.0, 20.0, 0.5, 2.29, 1.45, 532.0)
    assert found.grains_um > 1000.0
    assert found.aggregate_nm is not None
    assert 80.0 < found.aggregate_nm < 200.0
    assert "aggregates" in found.sentence
    assert "edges" in found.sentence
    large = feedback.supply(1e5, 20.0, 0.5, 2.29, 1.45, 532.0)
    assert "enough" in large.sentence


@pytest.mark.parametrize(
    "call",
    [
        lambda: feedback.fluctuation_mean_free_path(-1.0, 0.1, 1.8, 532.0),
        lambda: feedback.fluctuation_mean_free_path(2000.0, 2.0, 1.8, 532.0),
        lambda: feedback.needed_aggregate_nm(0.0, 0.5, 1.8, 1.0, 532.0),
        lambda: feedback.edge_reflection(0.0),
        lambda: feedback.supply(30.0, 20.0, 0.9, 2.29, 1.45, 532.0),
    ],
)
def test_bad_input_is_one_sentence(call) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert "\n" not in str(error.value)
