"""The model of a Raman spectrum against plain arithmetic, its door, and what it could show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import wofz

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.matter import crystal
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import Specimen
from perolas.measurements import raman
from perolas.measurements.raman.door import laser_offset_cm1, points_of
from perolas.measurements.raman.fitting import lines_of
from perolas.measurements.raman.limits import limits, lorentzian_position_std, planned
from perolas.measurements.raman.model import Raman, expected_of, looking_at, of_phases


def written_out(m: Raman) -> np.ndarray:
    """Return the expected counts by plain numpy and Faddeeva's function."""
    x, laser = np.asarray(m.axis_values), float(m.laser_nm)
    seen = 1e7 / (1e7 / laser - x)
    true = 1e7 / laser - 1e7 / (laser + (seen - laser - float(m.axis_offset_nm)) / (1 + float(m.axis_stretch)))
    kt = 1.380649e-23 * float(m.bose_temperature_k) / (6.62607015e-34 * 2.99792458e10)
    bose = lambda v: 1 / (1 - np.exp(-v / kt))  # noqa: E731
    s = float(m.resolution_cm1) / (2 * np.sqrt(2 * np.log(2)))
    total = np.zeros_like(x)
    for c, area, w in zip(*(np.asarray(v) for v in (m.position_cm1, m.area, m.fwhm_cm1)), strict=True):
        line = wofz((true - c + 0.5j * w) / (s * np.sqrt(2))).real / (s * np.sqrt(2 * np.pi))
        mirror = wofz((true + c + 0.5j * w) / (s * np.sqrt(2))).real / (s * np.sqrt(2 * np.pi))
        total += area * bose(true) / bose(c) * (line - mirror)
    g = float(m.central_width_cm1)
    total += float(m.central) * bose(true) * true / kt * g**2 / (g**2 + true**2)
    t = (2 * x - x[0] - x[-1]) / (x[-1] - x[0])
    total += np.polynomial.polynomial.polyval(t, np.asarray(m.background))
    through = 1 / (1 + np.exp(-(true - float(m.edge_cm1)) * 2 * np.log(9) / float(m.edge_width_cm1)))
    return (through if m.filtered else 1.0) * total + float(m.pedestal)


def test_the_spectrum_is_what_the_equation_says():
    """Truth: the equation in numpy, with Voigt lines and their mirrors by scipy."""
    m = of_phases(
        ("CsPbBr3",), area=1e4, resolution_cm1=3.0, axis_offset_nm=0.1, axis_stretch=1e-3, central=300.0, edge_cm1=70.0,
        edge_width_cm1=15.0, filtered=True, background=[200.0, 30.0, -20.0], pedestal=50.0, bose_temperature_k=150.0,
    )  # fmt: skip
    expected = written_out(m)
    # 1e-4: the mirror lines are Lorentzian in the model.
    np.testing.assert_allclose(np.asarray(expected_of(m)), expected, rtol=1e-4)
    parts = m.components()
    np.testing.assert_allclose(sum(np.asarray(v) for v in parts.values()), np.asarray(expected_of(m)), rtol=1e-12)


def test_an_offset_in_nm_moves_lines_by_more_where_light_is_bluer():
    """Truth: 1e7 dl / l^2 at the scattered light: 3.5 cm-1 for 0.1 nm at 532 nm, 1.6 at 785 nm."""
    for laser in (532.0, 785.0):
        m = of_phases(("CsPbBr3",), laser_nm=laser, axis_offset_nm=0.1)
        seen = 1e7 / (1e7 / laser - np.asarray(m.position_cm1))
        np.testing.assert_allclose(np.asarray(m.position - m.position_cm1), 1e7 * 0.1 / seen**2, rtol=3e-4)
        np.testing.assert_allclose(np.asarray(m.true_shift(m.position)), np.asarray(m.position_cm1), rtol=1e-12)
        assert laser_offset_cm1(laser, 63.0, 0.1) == pytest.approx(float((m.position - m.position_cm1)[0]), rel=1e-9)


def test_a_specimen_sets_places_shares_and_temperature():
    """Truth: w (1 - 3 g e): -9.45, -11.55 and -21.24 cm-1 for 1 % (g = 5, 5, 6); shares from molar volumes."""
    m = of_phases(("CsPbBr3", "Cs4PbBr6"))
    state = Specimen.of({"CsPbBr3": 1.0, "Cs4PbBr6": 1.0}, strain=0.01, temperature_k=77.0)
    seen = looking_at(m, state)
    np.testing.assert_allclose(np.asarray(seen.position_cm1 - m.position_cm1)[:3], [-9.45, -11.55, -21.24], rtol=1e-9)
    volumes = [crystal.phase(n).molar_volume_cm3 for n in ("CsPbBr3", "Cs4PbBr6")]
    np.testing.assert_allclose(np.asarray(seen.share), np.array(volumes) / sum(volumes), rtol=1e-12)
    assert float(seen.bose_temperature_k) == 77.0
    with pytest.raises(InputError, match="belong to a phase"):
        Raman(position_cm1=[100.0], area=[1.0], fwhm_cm1=[5.0]).respond(state)


def test_the_prior_of_the_axis_is_the_librarys():
    assert Raman.law_priors["axis_offset"] == (0.0, parameter_value("raman.axis_calibration"))


def test_cold_samples_scatter_less_at_low_shifts():
    """Truth: (n + 1) at 63 over that at 118 cm-1 is 1.66 at 300 K and 1.29 at 77 K, by hand."""
    for kelvin, ratio in ((300.0, 1.66), (77.0, 1.29)):
        m = of_phases(("CsPbBr3",), bose_temperature_k=kelvin)
        got = float(m.bose(m.position_cm1[0]) / m.bose(m.position_cm1[2]))
        by_hand = (1 - np.exp(-118 * 1.4388 / kelvin)) / (1 - np.exp(-63 * 1.4388 / kelvin))
        assert got == pytest.approx(by_hand, rel=1e-4)
        assert got == pytest.approx(ratio, abs=0.01)


def test_the_least_error_of_a_lone_line_is_that_of_cramer_and_rao():
    """Truth: w / sqrt(2 N) for a Lorentzian without background, on a fine and wide axis."""
    counts, width = 1e5, 8.0
    m = Raman(
        position_cm1=[1000.0], area=[counts * 0.1], fwhm_cm1=[width], background=[1e-6], resolution_cm1=0.0,
        axis_values=np.arange(700.0, 1300.0, 0.1),
    )  # fmt: skip
    # Counts in the line: its area over the step.
    found = limits(m, ["position", "area", "fwhm"])
    assert lorentzian_position_std(counts, width) == pytest.approx(8.0 / np.sqrt(2e5))
    assert found.position_std[0] == pytest.approx(lorentzian_position_std(counts, width), rel=0.01)
    assert found.shift[0] == pytest.approx(3.29 * np.sqrt(2) * found.position_std[0])


@pytest.mark.full
def test_limits_fall_with_counts_and_rise_with_resolution_and_drift():
    """Truth: errors of counted lines go as one over the square root of the counts."""
    few, many = planned(1e3), planned(1e5)
    np.testing.assert_allclose(np.array(few.shift) / np.array(many.shift), 10.0, rtol=0.02)
    np.testing.assert_allclose(np.array(few.ratio[1:]) / np.array(many.ratio[1:]), 10.0, rtol=0.02)
    assert planned(1e3, 8.0).shift[0] > few.shift[0]
    drifting = planned(1e5, drift_nm=0.05)
    assert drifting.shift_with_drift[0] > 3.29 * 0.05 * 16.0
    assert drifting.ratio == many.ratio


def test_lines_are_read_as_number_or_places():
    assert lines_of("auto") == (None, ())
    assert lines_of(3) == (3, ())
    assert lines_of("118, 63 77") == (3, (63.0, 77.0, 118.0))
    assert lines_of("520.5") == (1, (520.5,))
    for wrong in ("three", "", True, "2.5", "nan 5", -1):
        with pytest.raises(InputError):
            lines_of(wrong)


def spectrum(x: np.ndarray, y: np.ndarray, axis: str = "raman_shift_cm1", **conditions: float):
    return make_observation(y, axis, x, units="counts", conditions=conditions)


def test_a_wavelength_axis_becomes_shifts_by_the_laser_in_the_spectrum():
    """Truth: 1e7 (1/l0 - 1/l); the laser's own light is put at 532.2 nm."""
    x = np.linspace(530.0, 560.0, 600)
    y = np.round(200 + 5e4 * np.exp(-(((x - 532.2) / 0.1) ** 2)) + 500 * np.exp(-(((x - 547.3) / 0.2) ** 2)))
    points = points_of(spectrum(x, y, "wavelength_nm"))
    assert points.laser_nm == pytest.approx(532.2, abs=0.05)
    assert points.x.min() > 5.0
    assert any("laser's own light" in n for n in points.notes)
    told = points_of(spectrum(x, y, "wavelength_nm"), laser=532.0, calibration=0.01)
    assert told.axis_std_cm1 == pytest.approx(1e7 * 0.01 / 546.0**2, rel=0.05)
    lit = x > 540
    with pytest.raises(InputError, match="give the laser"):
        points_of(spectrum(x[lit], y[lit], "wavelength_nm"))


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({"axis": "time_ns"}, {}, "needs an axis of shifts"),
        ({}, {"laser": -5.0}, "laser"),
        ({}, {"laser": 20.0}, "200 to 2000 nm"),
        ({}, {"lines": "63 900"}, "asked for at 900"),
        ({}, {"lines": "many"}, '"auto", a number'),
        ({}, {"background": 12}, "order of a polynomial"),
        ({}, {"temperature": 0.0}, "temperature"),
        ({}, {"resolution": -1.0}, "resolution"),
        ({}, {"edge": 500.0}, "leaves next to nothing"),
        ({}, {"phase": "CsBr"}, "The phase"),
        ({}, {"window": (300.0, 400.0)}, "window"),
        ({}, {"lines": "63", "silicon": True}, "silicon"),
        ({}, {"calibration": -1.0}, "calibration"),
        ({}, {"noise": "pink"}, "noise"),
        ({"flat": True}, {}, "one value"),
    ],
)
def test_what_cannot_be_fitted_is_said(change, options, sentence):
    x = np.arange(20.0, 180.0, 0.5)
    y = np.full(x.size, 7.0) if change.get("flat") else np.round(100 + 500 / (1 + ((x - 63) / 4) ** 2))
    with pytest.raises(InputError, match=sentence):
        raman.fit(spectrum(x, y, change.get("axis", "raman_shift_cm1")), **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"counts": 0.0}, "counts"),
        ({"step": 100.0}, "step"),
        ({"drift": 50.0}, "drift"),
        ({"phase": "PbBr2"}, "The phase"),
        ({"laser": 10.0}, "laser"),
        ({"specimen": Specimen.of("PbBr2")}, "no lines of it"),
    ],
)
def test_what_cannot_be_simulated_is_said(options, sentence):
    with pytest.raises(InputError, match=sentence):
        raman.simulate(**options)


@pytest.mark.full
def test_simulated_drift_moves_silicon_as_well_and_strain_does_not():
    """Truth: the highest pixel near 520.5 cm-1: 0.1 nm is 1.5 cm-1 there at 785 nm."""

    def top(made):
        x, y = made.raman_shift_cm1.values, made.signal.values
        near = np.abs(x - 520.5) < 15
        return float(np.sum(x[near] * (y[near] - y[near].min())) / np.sum(y[near] - y[near].min()))

    plain = top(raman.simulate(silicon=True, counts=1e6))
    assert top(raman.simulate(silicon=True, counts=1e6, drift=0.1)) - plain == pytest.approx(1.50, abs=0.1)
    assert top(raman.simulate(Specimen.of("CsPbBr3", strain=3e-3), silicon=True, counts=1e6)) == pytest.approx(
        plain, abs=0.05
    )
    assert replace(raman.example(), laser_nm=532.0).laser_nm == 532.0
