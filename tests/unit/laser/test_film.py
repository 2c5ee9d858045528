"""The film: Mie against miepython, hard spheres against their limits, mean free paths, leaky modes."""

from __future__ import annotations

import cmath
import math

import miepython
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser import film

SILICON = 4.143 + 0.0326j  # Green 2008, 532 nm


@pytest.mark.parametrize("diameter", [20.0, 200.0, 1000.0, 8000.0])
@pytest.mark.parametrize("index", [1.5, 2.29 + 0.017j, 1.33, 4.143 + 0.0326j, 0.4 + 2.5j])
@pytest.mark.parametrize("host", [1.0, 1.45])
def test_mie_against_miepython(diameter: float, index: complex, host: float) -> None:
    """Another code, with the other sign of k; to 1e-8 as the issue asks, and usually to 1e-12."""
    ours = film.mie(diameter, index, host, 532.0)
    ext, sca, _, g = miepython.efficiencies(complex(index).conjugate(), diameter, 532.0, n_env=host)
    assert ours.extinction == pytest.approx(ext, rel=1e-8)
    assert ours.scattering == pytest.approx(sca, rel=1e-8)
    assert ours.asymmetry == pytest.approx(g, rel=1e-8, abs=1e-10)


def test_phase_function_adds_up() -> None:
    sphere = film.mie(700.0, 1.9 + 0.01j, 1.0, 532.0)
    mu, weight = np.polynomial.legendre.leggauss(300)
    intensity = sphere.phase(mu)
    x2 = sphere.size_parameter**2
    assert 2 / x2 * np.sum(weight * intensity) == pytest.approx(sphere.scattering, rel=1e-10)
    assert 2 / x2 * np.sum(weight * intensity * mu) / sphere.scattering == pytest.approx(sphere.asymmetry, rel=1e-9)


def test_small_spheres_scatter_as_rayleigh_said() -> None:
    m = 2.29 / 1.45
    sphere = film.mie(2.0, 2.29, 1.45, 532.0)
    contrast = (m * m - 1) / (m * m + 2)
    assert sphere.scattering == pytest.approx(8 / 3 * sphere.size_parameter**4 * contrast**2, rel=1e-3)


@pytest.mark.parametrize("filling", [0.01, 0.3, 0.6])
def test_structure_factor_has_its_limits(filling: float) -> None:
    """Compressibility of Percus and Yevick at q = 0, (1-f)^4 / (1+2f)^2; no order far away."""
    at = film.structure_factor(np.array([0.0, 1e-3, 0.04999, 0.05001, 400.0]), filling)
    zero = (1 - filling) ** 4 / (1 + 2 * filling) ** 2
    assert at[:2] == pytest.approx(zero, rel=1e-5)
    assert at[2] == pytest.approx(at[3], rel=1e-5)  # the series meets the formula
    assert at[4] == pytest.approx(1.0, abs=0.02)


def test_structure_factor_of_few_spheres_is_that_of_their_excluded_volume() -> None:
    """To first order in density g(r) is a step: S = 1 - 24 f (sin y - y cos y) / y^3."""
    f, y = 1e-4, np.linspace(0.3, 20.0, 50)
    first = 1 - 24 * f * (np.sin(y) - y * np.cos(y)) / y**3
    assert film.structure_factor(y, f) == pytest.approx(first, abs=30 * f**2 * 10)


def test_mean_free_paths() -> None:
    """laser.md, section 3: 20 nm grains 90-250 um when isolated, millimetres when packed."""
    alone = film.mean_free_path(20.0, 0.5, 2.29, 1.45, 532.0, packed=False)
    assert 90.0 < alone.scattering_um < 250.0
    sphere = film.mie(20.0, 2.29, 1.45, 532.0)
    density = 0.5 / (math.pi / 6 * 20.0**3)
    by_hand = 1e-3 / (density * sphere.scattering * math.pi * 100.0)
    assert alone.scattering_um == pytest.approx(by_hand, rel=1e-10)
    assert alone.transport_um == pytest.approx(alone.scattering_um / (1 - sphere.asymmetry), rel=1e-9)
    packed = film.mean_free_path(20.0, 0.5, 2.29, 1.45, 532.0)
    assert packed.transport_um > 3000.0
    # grains far smaller than the wavelength see S(0) alone
    assert packed.scattering_um / alone.scattering_um == pytest.approx(2.0**2 / 0.5**4, rel=0.03)
    aggregates = film.mean_free_path(200.0, 0.5, 1.9, 1.0, 532.0)
    assert aggregates.transport_um < 10.0


def test_transport_mean_free_path_by_a_random_walk() -> None:
    """20,000 photons among 600 nm aggregates: how far they get along the way they set out is l_t, within 4 errors."""
    theory = film.mean_free_path(600.0, 0.05, 1.9, 1.0, 532.0, packed=False)
    sphere = film.mie(600.0, 1.9, 1.0, 532.0)
    mu = np.linspace(-1, 1, 20001)
    share = np.cumsum(sphere.phase(mu))
    rng = np.random.default_rng(11)
    along = np.ones(20_000)  # cosine to the first direction
    far = rng.exponential(theory.scattering_um, along.size)
    for _ in range(60):
        cosine = np.interp(rng.random(along.size), share / share[-1], mu)
        turn = np.cos(2 * np.pi * rng.random(along.size))
        along = along * cosine + np.sqrt(np.maximum(1 - along**2, 0) * np.maximum(1 - cosine**2, 0)) * turn
        far = far + along * rng.exponential(theory.scattering_um, along.size)
    assert theory.asymmetry > 0.3
    assert np.mean(far) == pytest.approx(theory.transport_um, abs=4 * np.std(far) / np.sqrt(far.size))


def test_effective_index() -> None:
    for rule in film.MIXING:
        assert film.effective_index(0.0, 2.29, 1.45, rule) == pytest.approx(1.45)
        assert film.effective_index(1.0, 2.29, 1.45, rule) == pytest.approx(2.29)
        eps = [(film.effective_index(f, 2.29, 1.45, rule) ** 2).real for f in (0.3, 0.6)]
        for f, e in zip((0.3, 0.6), eps, strict=True):  # Wiener's bounds: layers along and across
            along = f * 2.29**2 + (1 - f) * 1.45**2
            across = 1 / (f / 2.29**2 + (1 - f) / 1.45**2)
            assert across < e < along
    swapped = film.effective_index(0.3, 1.45, 2.29), film.effective_index(0.7, 2.29, 1.45)
    assert swapped[0] == pytest.approx(swapped[1])  # Bruggeman treats both alike
    assert film.effective_index(0.5, 2.29 + 0.02j, 1.45).imag > 0


@pytest.mark.parametrize(("thickness", "loss"), [(500.0, 1240.0), (1000.0, 179.0), (2000.0, 24.0)])
def test_leakage_of_the_brief(thickness: float, loss: float) -> None:
    """laser.md, section 3: TE0 of a film of n = 1.8 on silicon."""
    assert film.leaky_mode(thickness, 1.8, SILICON, 532.0).loss_cm1 == pytest.approx(loss, rel=0.015)


@pytest.mark.parametrize("polarisation", film.POLARISATIONS)
@pytest.mark.parametrize(("thickness", "order"), [(500.0, 0), (1000.0, 0), (1000.0, 1), (2000.0, 0), (2000.0, 3)])
def test_modes_leave_nothing_coming_in(polarisation: str, thickness: float, order: int) -> None:
    """The pole of the reflection by Abeles's matrix, built anew: (m11 + m12 ps) p0 + m21 + m22 ps = 0."""
    mode = film.leaky_mode(thickness, 1.8, SILICON, 532.0, polarisation, order)
    k0 = 2 * math.pi / 532.0
    beta = mode.index

    def across(n: complex) -> complex:
        return cmath.sqrt(n * n - beta * beta)

    power = 2 if polarisation == "TM" else 0
    air = across(1.0)
    air = air if air.imag > 0 else -air
    p, ps = across(1.8) / 1.8**power, across(SILICON) / SILICON**power
    angle = k0 * thickness * across(1.8)
    c, s = cmath.cos(angle), cmath.sin(angle)
    pole = (c - 1j * s / p * ps) * air + (-1j * p * s + c * ps)
    assert abs(pole) < 1e-8 * (abs(c) + abs(s))
    assert mode.loss_cm1 > 0
    assert mode.loss_cm1 == pytest.approx(2 * k0 * beta.imag * 1e7)


def test_higher_modes_leak_more_and_thicker_films_less() -> None:
    losses = [film.leaky_mode(2000.0, 1.8, SILICON, 532.0, "TE", m).loss_cm1 for m in range(4)]
    assert losses == sorted(losses)
    thick = [film.leaky_mode(d, 1.8, SILICON, 532.0).loss_cm1 for d in (1000.0, 2000.0)]
    assert thick[0] / thick[1] == pytest.approx(8.0, rel=0.1)  # d^-3


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: film.mie(0.0, 1.5, 1.0, 532.0), '"diameter" must be positive'),
        (lambda: film.mie(1e5, 1.5, 1.0, 532.0), "too large for the Mie series"),
        (lambda: film.effective_index(1.2, 2.0, 1.0), "between 0 and 1, but is 1.2"),
        (lambda: film.effective_index(0.2, 2.0, 1.0, "lorentz"), "The mixing rule"),
        (lambda: film.structure_factor(np.ones(2), 0.7), "between 0 and 0.64"),
        (lambda: film.mean_free_path(20.0, 0.0, 2.3, 1.0, 532.0), "nothing scatters"),
        (lambda: film.leaky_mode(60.0, 1.8, SILICON, 532.0), "too thin for a TE0 mode"),
        (lambda: film.leaky_mode(1000.0, 1.8, 1.45, 532.0), "otherwise the film guides"),
        (lambda: film.leaky_mode(1000.0, 1.8, SILICON, 532.0, "TEM"), "The polarisation"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
