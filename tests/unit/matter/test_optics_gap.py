"""Gap, emission and width against temperature and size: limits, and the formula's constants integrated anew."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import integrate

from perolas.core import units
from perolas.matter import optics
from perolas.matter.optics import gap
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import PHASES


def test_units_constants_against_scipy():
    from scipy import constants as c

    assert pytest.approx(c.hbar**2 / (2 * c.m_e) / c.e * 1e18, rel=1e-8) == units.HBAR2_PER_2ME_EV_NM2
    assert pytest.approx(c.e / (4 * np.pi * c.epsilon_0) * 1e9, rel=1e-8) == units.COULOMB_EV_NM


def test_coulomb_constant_of_the_cube():
    # <1/r> with 1/r = 2/sqrt(pi) * integral of exp(-t^2 r^2) dt, which falls into three equal one-dimensional parts.
    x, w = np.polynomial.legendre.leggauss(400)
    x, w = (x + 1) / 2, w / 2
    density = w * 2 * np.sin(np.pi * x) ** 2
    square = (x[:, None] - x[None, :]) ** 2

    def one(t):
        return density @ np.exp(-(t**2) * square) @ density

    # Beyond t = 100 the Gaussian is narrow: one(t) -> sqrt(pi) / t * integral of density^2 (1.5).
    value = integrate.quad(lambda t: one(t) ** 3, 0, 100, limit=200)[0] + (np.sqrt(np.pi) * 1.5) ** 3 / (2 * 100**2)
    assert pytest.approx(2 / np.sqrt(np.pi) * value, rel=3e-4) == gap._CUBE_COULOMB


def test_small_crystals_follow_brus():
    kinetic = 3 * np.pi**2 * units.HBAR2_PER_2ME_EV_NM2 / parameter_value("CsPbBr3.reduced_mass")
    for edge, tolerance in ((0.5, 1e-4), (0.1, 1e-6)):
        brus = kinetic / edge**2 - 3.04712 * units.COULOMB_EV_NM / (7.3 * edge) + 0.0325
        assert float(optics.confinement_ev(edge)) == pytest.approx(brus, rel=tolerance)


def test_large_crystals_confine_the_exciton_as_a_whole():
    whole = 3 * np.pi**2 * units.HBAR2_PER_2ME_EV_NM2 / 0.28
    for edge in (100.0, 400.0):
        assert float(optics.confinement_ev(edge)) * edge**2 == pytest.approx(whole, rel=0.1 * (100 / edge) ** 2 + 1e-3)
    assert float(optics.confinement_ev(1e6)) == pytest.approx(0, abs=1e-9)


def test_confinement_falls_throughout():
    shift = np.asarray(optics.confinement_ev(np.geomspace(1, 300, 400)))
    assert np.all(np.diff(shift) < 0)
    assert np.all(shift > 0)


def test_published_sizes():
    # Protesescu 2015: about 2.7 eV at 4 nm, 2.37-2.4 eV at 11.8 nm, seen as unchecked.
    assert float(optics.band_gap_ev(size_nm=4.0)) == pytest.approx(2.7, abs=0.1)
    assert float(optics.band_gap_ev(size_nm=11.8)) == pytest.approx(2.385, abs=0.02)


def test_temperature_shift_flattens():
    slope = jax.grad(optics.band_gap_ev, argnums=1)
    assert float(slope("CsPbBr3", 300.0)) == pytest.approx(parameter_value("CsPbBr3.gap_slope") / 1e3)
    rise = float(optics.band_gap_ev("CsPbBr3", 300.0) - optics.band_gap_ev("CsPbBr3", 77.0))
    assert rise * 1e3 == pytest.approx(parameter_value("CsPbBr3.gap_rise_77_300"), abs=0.5)
    assert float(slope("CsPbBr3", 150.0)) < 0.6 * float(slope("CsPbBr3", 300.0))
    assert float(slope("CsPbBr3", 20.0)) < 1e-8
    # Far above the phonon's energy the shift is linear, as Einstein's oscillator is classical there.
    assert float(slope("CsPbBr3", 4000.0)) == pytest.approx(float(slope("CsPbBr3", 8000.0)), rel=5e-3)


def test_emission_of_twenty_nanometres():
    # parameters.md: 2.37 eV at 300 K, 2.335 eV at 77 K; the paper: 532 nm at 77 K.
    assert float(optics.emission_energy_ev(300.0, 20.0)) == pytest.approx(2.37, abs=0.002)
    cold = float(optics.emission_energy_ev(77.0, 20.0))
    assert cold == pytest.approx(2.335, abs=0.002)
    assert units.nm_from_ev(cold) == pytest.approx(532, abs=2)
    np.testing.assert_allclose(optics.emission_fwhm_ev([300.0, 77.0]), [0.075, 0.030], atol=0.001)


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_has_a_gap(phase):
    assert optics.band_gap_ev(phase, [77.0, 300.0], 20.0).shape == (2,)
    assert 2 < float(optics.band_gap_ev(phase)) < 8
