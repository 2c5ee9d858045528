"""Films as places and pictures, and light among discs. Targets are analytic limits and counts."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import cKDTree

from perolas.core.errors import FitError, InputError
from perolas.laser import discs, packing


def closest(centres: np.ndarray, side: float) -> float:
    return float(cKDTree(centres, boxsize=side).query(centres, k=2)[0][:, 1].min())


@pytest.mark.parametrize(("dimensions", "filling"), [(2, 0.1), (2, 0.48), (3, 0.25)])
def test_nothing_overlaps_and_the_share_is_right(dimensions: int, filling: float) -> None:
    side, diameter = (600.0, 20.0) if dimensions == 2 else (200.0, 20.0)
    centres = packing.sequential(side, diameter, filling, dimensions, 1)
    one = math.pi / 4.0 * diameter**2 if dimensions == 2 else math.pi / 6.0 * diameter**3
    assert len(centres) * one / side**dimensions == pytest.approx(filling, rel=0.01)
    assert closest(centres, side) >= diameter
    assert centres.min() >= 0.0
    assert centres.max() <= side


def test_first_discs_are_independent() -> None:
    # analytic: of few discs the numbers in a quarter of the square are binomial
    counts = [np.sum(np.all(packing.sequential(1000.0, 5.0, 0.002, 2, s) < 500.0, axis=1)) for s in range(200)]
    n = round(0.002 * 1e6 / (math.pi / 4.0 * 25.0))
    assert np.mean(counts) == pytest.approx(n / 4.0, abs=4.0 * math.sqrt(n * 3.0 / 16.0 / 200.0))
    assert np.var(counts) == pytest.approx(n * 3.0 / 16.0, rel=0.45)


def sampled_factor(centres: np.ndarray, side: float, rings: np.ndarray) -> np.ndarray:
    """Return S at the wave vectors of the periodic square, averaged in rings of |q| side / 2 pi."""
    m = np.arange(-int(rings[-1]), int(rings[-1]) + 1)
    wave = np.exp(2j * np.pi / side * np.outer(centres[:, 0], m))
    other = np.exp(2j * np.pi / side * np.outer(centres[:, 1], m))
    power = np.abs(wave.T @ other) ** 2 / len(centres)
    radius = np.hypot(m[:, None], m[None])
    return np.array([power[(radius >= a) & (radius < b)].mean() for a, b in pairwise(rings)])


@pytest.mark.parametrize("filling", [0.3, 0.55])
def test_structure_factor_of_shaken_discs(filling: float) -> None:
    # theory against a simulation of the discs themselves: Rosenfeld's form is good to some per cent there
    side, diameter = 400.0, 20.0
    rings = np.arange(2.0, 42.0, 4.0)
    many = [sampled_factor(packing.shaken_discs(side, diameter, filling, 120, seed), side, rings) for seed in range(2)]
    middle = 0.5 * (rings[1:] + rings[:-1])
    theory = discs.structure_factor(2.0 * np.pi / side * middle * 0.5 * diameter, filling)
    np.testing.assert_allclose(np.mean(many, axis=0), theory, atol=0.12 + 0.12 * theory.max())


def test_structure_factor_has_its_limits() -> None:
    # analytic: compressibility of hard discs by scaled particles, (1 - f)^3 / (1 + f); far away 1; excluded disc
    for f in (0.05, 0.3, 0.6):
        assert discs.structure_factor(np.array([1e-5]), f)[0] == pytest.approx((1.0 - f) ** 3 / (1.0 + f), rel=1e-6)
        assert discs.structure_factor(np.array([500.0]), f)[0] == pytest.approx(1.0, abs=1e-3)
    from scipy.special import j1

    x = np.array([0.5, 1.5, 3.0])
    first = (1.0 - discs.structure_factor(x, 1e-4)) / 1e-4
    np.testing.assert_allclose(first, 4.0 * j1(2.0 * x) / x, rtol=2e-3)


def test_cylinders_keep_energy_and_have_their_limits() -> None:
    for diameter in (30.0, 300.0, 3000.0):
        one = discs.cylinder(diameter, 1.9, 1.0, 532.0)
        assert one.extinction_nm == pytest.approx(one.scattering_nm, rel=1e-10)
        angle = (np.arange(4000) + 0.5) * 2.0 * np.pi / 4000
        assert 2.0 * np.pi * one.differential_nm(angle).mean() == pytest.approx(one.scattering_nm, rel=1e-9)
    # analytic (van de Hulst): thin, Q = pi^2 x^3 (m^2 - 1)^2 / 8 with the field along it
    thin = discs.cylinder(4.0, 1.9, 1.0, 532.0)
    x = thin.size_parameter
    assert thin.scattering_nm / 4.0 == pytest.approx(math.pi**2 * x**3 * (1.9**2 - 1.0) ** 2 / 8.0, rel=0.01)
    # analytic: thick, twice the shadow, with a share of x^(-2/3)
    thick = discs.cylinder(30000.0, 1.9 + 0.05j, 1.0, 532.0)
    assert thick.extinction_nm / 30000.0 == pytest.approx(2.0, rel=0.05)


def test_packed_small_discs_scatter_less() -> None:
    alone = discs.mean_free_path(20.0, 0.5, 2.29, 1.45, 532.0, packed=False)
    packed = discs.mean_free_path(20.0, 0.5, 2.29, 1.45, 532.0)
    # analytic: small discs interfere by S(0)
    assert alone.scattering_um / packed.scattering_um == pytest.approx(0.5**3 / 1.5, rel=0.05)
    one = discs.cylinder(20.0, 2.29, 1.45, 532.0)
    density = 0.5 / (math.pi / 4.0 * 400.0)
    assert alone.scattering_um == pytest.approx(1e-3 / (density * one.scattering_nm), rel=1e-9)


def test_aggregates_hold_their_grains() -> None:
    grains, centres = packing.aggregates(4000.0, 20.0, 300.0, 0.3, 0.45, 2)
    near, _ = cKDTree(centres, boxsize=4000.0).query(grains)
    assert near.max() <= 140.0 + 1e-9
    assert closest(grains, 4000.0) >= 20.0 - 1e-9
    share = len(grains) * 100.0 / (len(centres) * 140.0**2)  # of the discs in which centres may lie
    assert share == pytest.approx(0.45, rel=0.05)


def test_random_field_has_its_correlation_and_its_share() -> None:
    # analytic: exp(-r^2 / l^2); cut at a half, both inside with probability 1/4 + asin(rho) / 2 pi
    fields = np.array([packing.random_field((256, 256), 4.0, 40.0, s) for s in range(12)])
    assert fields.mean() == pytest.approx(0.0, abs=0.05)
    assert fields.var() == pytest.approx(1.0, abs=0.05)
    inside = packing.cut(fields, 0.5)
    assert packing.cut(fields, 0.3).mean() == pytest.approx(0.3, abs=0.02)
    for shift in (5, 10, 15):
        rho = math.exp(-((4.0 * shift / 40.0) ** 2))
        assert np.mean(fields * np.roll(fields, shift, axis=1)) == pytest.approx(rho, abs=0.04)
        both = np.mean(inside & np.roll(inside, shift, axis=2))
        assert both == pytest.approx(0.25 + math.asin(rho) / (2.0 * math.pi), abs=0.015)


def test_pixels_and_picture() -> None:
    centres = packing.sequential(400.0, 20.0, 0.4, 2, 3)
    assert packing.discs_in_pixels(centres, 20.0, 400.0, 1000).mean() == pytest.approx(0.4, abs=0.01)
    picture = packing.sem_picture(centres, 20.0, 400.0, 256, noise=0.0)
    inside = packing.discs_in_pixels(centres, 20.0, 400.0, 256)
    assert picture.image.shape == (256, 256)
    assert picture.pixel == pytest.approx(400.0 / 256)
    assert picture.image[inside].min() > picture.image[~inside].max() * 0.5
    assert picture.image[inside].mean() > picture.image[~inside].mean()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: packing.sequential(100.0, 20.0, 0.6), "at most 0.5"),
        (lambda: packing.sequential(30.0, 20.0, 0.3), "no room"),
        (lambda: packing.sequential(100.0, 20.0, 0.3, 4), "dimensions"),
        (lambda: packing.sequential(100.0, -20.0, 0.3), "diameter"),
        (lambda: packing.shaken_discs(100.0, 20.0, 0.9), "at most 0.85"),
        (lambda: packing.aggregates(100.0, 20.0, 30.0, 0.3), "twice as large"),
        (lambda: packing.random_field((8, 8), 1.0, 2.0), "16 pixels"),
        (lambda: packing.random_field((64, 64), 1.0, 30.0), "correlation length"),
        (lambda: packing.cut(np.zeros(3), 1.0), "between 0 and 1"),
        (lambda: packing.sem_picture(np.zeros((1, 2)), 20.0, 100.0, 4), "pixels"),
        (lambda: discs.cylinder(1e6, 2.0, 1.0, 532.0), "too large"),
        (lambda: discs.mean_free_path(20.0, 0.0, 2.0, 1.0, 532.0), "nothing scatters"),
        (lambda: discs.structure_factor(np.ones(2), 0.8), "between 0 and 0.69"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises((InputError, FitError)) as error:
        call()
    assert sentence in str(error.value)
