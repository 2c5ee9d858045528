"""The bench in numbers: photons, optical thickness, salt; the thermodynamic window; what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.matter.transformation import Conditions
from perolas.matter.transformation.conditions import photons_per_lead_h, transport_time_h
from perolas.matter.transformation.window import (
    activity_coefficient,
    equilibrium_molar,
    onset_of_cspb2br5_molar,
    window,
)

VESSEL = {"lead_umol": 6.67, "volume_ml": 1.0, "water_ul": 125.0}
LIGHT = {"wavelength_nm": 365.0, "irradiance_mw_cm2": 2.0}
# SI 2019, exact.
H, C, AVOGADRO, R = 6.62607015e-34, 2.99792458e8, 6.02214076e23, 8.314462618e-3


@pytest.mark.parametrize(("nm", "flux"), [(365, 3.67e15), (468, 4.71e15), (254, 2.56e15), (600, 6.04e15)])
def test_photons_of_two_milliwatts(nm, flux):
    """Truth: 2 mW/cm2 over h c / wavelength; the three digits of parameters.md 2.5."""
    exact = 2e-3 * nm * 1e-9 / (H * C)
    assert exact == pytest.approx(flux, rel=2e-3)
    per_lead = float(photons_per_lead_h(2.0, nm, 1.0, 6.67))
    assert per_lead == pytest.approx(exact * 3600 / (6.67e-6 * AVOGADRO), rel=1e-9)


@pytest.mark.parametrize(("hours", "photons"), [(1 / 3, 1.10), (3.0, 9.9), (5.0, 16.5)])
def test_photons_for_each_lead(hours, photons):
    """Truth: parameters.md 2.5, 1 mL lit through 1 cm2, before the surface; at 20 umol a third of them."""
    sent = float(photons_per_lead_h(2.0, 365.0, 1.0, 6.67)) * hours
    assert sent == pytest.approx(photons, rel=6e-3)
    assert float(photons_per_lead_h(2.0, 365.0, 1.0, 20.0)) * hours == pytest.approx(sent * 6.67 / 20, rel=1e-12)
    # Into an open vessel goes what toluene does not reflect: ((n - 1)/(n + 1))^2 = 4.4 % at n = 1.53 (Fresnel).
    inside = float(Conditions.of(**VESSEL, **LIGHT).photons_per_lead_h) * hours
    assert inside / sent == pytest.approx(0.956, abs=0.006)


def test_thickness_of_the_vessel():
    """Truth: parameters.md 2.4, Napierian 82 for all lead in CsPbBr3, from an n, k table and a local field; 5 %."""
    lit = Conditions.of(**VESSEL, **LIGHT)
    assert float(lit.product_thickness) == pytest.approx(82.0, rel=0.05)
    assert float(lit.parent_thickness) < 0.01 * float(lit.product_thickness)
    assert float(lit.solvent_thickness) < 0.1
    thin = Conditions.of(**{**VESSEL, "volume_ml": 2.0}, **LIGHT, path_cm=0.5)
    assert float(thin.product_thickness) == pytest.approx(float(lit.product_thickness) / 4, rel=1e-12)


def test_salt_in_the_water():
    """Truth: three CsBr for each lead: 20 umol in 125 uL is 0.16 M (parameters.md 2.1)."""
    salty = Conditions.of(**VESSEL, equilibrium_molar=0.5)
    assert float(salty.bromide_ratio) == pytest.approx(3 * 6.67 / 125 / 0.5, rel=1e-12)
    assert pytest.approx(0.16, abs=5e-4) == 3 * 6.67 / 125
    assert float(Conditions.of(**{**VESSEL, "water_ul": None}).bromide_ratio) == 0.0


def test_dark_is_dark():
    dark, off = Conditions.of(**VESSEL), Conditions.of(**VESSEL, wavelength_nm=365.0, irradiance_mw_cm2=0.0)
    for conditions in (dark, off):
        assert float(conditions.photons_per_lead_h) == 0.0
    glass = Conditions.of(**VESSEL, wavelength_nm=254.0, irradiance_mw_cm2=2.0, vial="borosilicate")
    assert float(glass.photons_per_lead_h) < 0.02 * float(photons_per_lead_h(2.0, 254.0, 1.0, 6.67))


def test_way_to_the_water():
    """Truth: Stokes-Einstein by hand, D = k T / (3 pi eta x) = 3.9e-11 m2/s for 20 nm in 0.56 mPa s."""
    diffusion = 1.380649e-23 * 298.15 / (3 * math.pi * 0.56e-3 * 20e-9)
    by_hand = 1e-6 * 100e-6 / (1e-4 * diffusion) / 3600
    assert transport_time_h(1.0, 1.0, 100.0) == pytest.approx(by_hand, rel=1e-6)
    assert by_hand == pytest.approx(7.1, rel=0.01)
    assert transport_time_h(1.0, 1.0, 1e4) == pytest.approx(30 * 24, rel=0.02)  # the whole centimetre still: a month
    drops = 3 * 0.125 / 0.01  # 125 uL in drops of 0.1 mm radius, cm2
    assert 5 / 60 < transport_time_h(1.0, drops, 100.0) < 20 / 60


def test_dilute_salt_follows_debye_and_hueckel():
    """Truth: ln gamma = -3 A_phi sqrt(m) as m goes to 0 (analytic limit of Pitzer's equation)."""
    for molal in (1e-8, 1e-6):
        assert math.log(activity_coefficient(molal)) / math.sqrt(molal) == pytest.approx(-3 * 0.391, rel=3e-3)
    assert activity_coefficient(1e-12) == pytest.approx(1.0, abs=2e-6)


@pytest.mark.parametrize(("molal", "gamma"), [(0.1, 0.754), (0.5, 0.603), (1.0, 0.538)])
def test_activity_of_cesium_bromide(molal, gamma):
    """Robinson and Stokes, Electrolyte Solutions: from memory, UNCHECKED, so this bounds errors and proves no digit.

    1.5 %: for CsCl the same book, from memory, lies 0.7 % above Hamer and Wu's 0.751 at 0.1 m (CRC Handbook).
    """
    assert activity_coefficient(molal) == pytest.approx(gamma, rel=0.015)


def test_window_of_concentrations():
    """Truth: parameters.md 2.2, c_eq 0.13 to 0.57 M over enthalpies, here with ideal solution to real; 0.1 to 0.3 M."""
    stop, stop_error = equilibrium_molar()
    onset, onset_error = onset_of_cspb2br5_molar()
    assert 0.13 < stop < 0.9
    assert 0.1 < onset < 0.3
    assert onset < stop
    assert 0.2 < stop_error < 1.5  # "uncertain x2-3"
    assert 0.2 < onset_error < 2.0


def test_at_equilibrium_the_free_energy_is_zero():
    """Truth: dH + 3 (dG_d + 2 R T ln(gamma c)) = 0 written out with the library's numbers."""
    from perolas.matter.parameters_library import parameter_value

    stop, _ = equilibrium_molar()
    activity = 2 * R * 298.15 * math.log(activity_coefficient(stop) * stop)
    dissolving = parameter_value("CsBr.dissolution_free_energy")
    assert parameter_value("reaction.cs4pbbr6_to_cspbbr3.enthalpy") + 3 * (dissolving + activity) == pytest.approx(
        0.0, abs=1e-6
    )


def test_window_of_volumes():
    found = window(6.67)
    assert found.least_ul == pytest.approx(3 * 6.67 / equilibrium_molar()[0], rel=1e-12)
    assert found.least_ul < found.most_ul
    assert "too little" in found.verdict(0.5 * found.least_ul)
    assert "lies inside" in found.verdict(math.sqrt(found.least_ul * found.most_ul))
    assert "CsPb2Br5 is the stabler" in found.verdict(2 * found.most_ul)
    assert np.isclose(window(13.34).most_ul, 2 * found.most_ul)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lead_umol": -1.0}, 'Argument "lead_umol" must be positive, but is -1 umol'),
        ({"lead_umol": math.nan}, 'Argument "lead_umol" must be positive, but is nan'),
        ({"volume_ml": 0.0}, 'Argument "volume_ml" must be positive'),
        ({"water_ul": 0.0}, "Without water nothing is transformed"),
        ({"water_ul": -5.0}, 'Argument "water" must be positive, but is -5 uL'),
        ({"temperature_k": -3.0}, 'Argument "temperature_k" must be positive'),
        ({"transport_h": -1.0}, 'Argument "transport_h" must be zero or positive'),
        ({"equilibrium_molar": 0.0}, 'Argument "equilibrium_molar" must be positive'),
        ({**LIGHT, "irradiance_mw_cm2": -2.0}, 'Argument "irradiance" must be zero or positive, but is -2 mW/cm'),
        ({**LIGHT, "irradiance_mw_cm2": math.nan}, 'Argument "irradiance" must be zero or positive, but is nan'),
        ({**LIGHT, "wavelength_nm": 50.0}, "lies outside the range"),
        ({**LIGHT, "wavelength_nm": 2e4}, "lies outside the range"),
        ({**LIGHT, "wavelength_nm": math.nan}, "nan"),
        ({**LIGHT, "vial": "oak"}, '"oak" is not known'),
        ({**LIGHT, "solvent": "honey"}, '"honey" is not known'),
    ],
)
def test_bad_conditions_are_one_sentence(change, sentence):
    with pytest.raises(InputError, match=sentence.replace("^", r"\^")) as caught:
        Conditions.of(**{**VESSEL, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: transport_time_h(1.0, 0.0, 100.0),
        lambda: transport_time_h(1.0, 1.0, math.nan),
        lambda: equilibrium_molar(-1.0),
        lambda: onset_of_cspb2br5_molar(0.0),
        lambda: window(0.0),
        lambda: window(6.67).verdict(0.0),
        lambda: window(6.67).verdict(math.nan),
    ],
)
def test_bad_numbers_are_refused(call):
    with pytest.raises(InputError):
        call()
