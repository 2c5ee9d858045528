"""Absorption: the Elliott edge against its limits, Kubelka-Munk, Tauc's bias, spectra without an edge, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.measurements import absorption
from perolas.measurements.absorption import scales

pytestmark = pytest.mark.full


def test_elliott_has_its_limits():
    """Analytic: far above the gap the Sommerfeld continuum; the lowest line's area is 2 Eb."""
    energy = np.linspace(2.0, 3.0, 2001)
    lines, continuum = absorption.elliott(energy, 2.4, 0.03, 0.01)
    above = energy > 2.6
    want = 1 / (1 - np.exp(-2 * np.pi * np.sqrt(0.03 / (energy[above] - 2.4))))
    np.testing.assert_allclose(np.asarray(continuum)[above], want, rtol=1e-4)
    assert abs(np.trapezoid(np.asarray(lines), energy) - 0.06 * (1 + 1 / 8 + 1 / 27)) < 1e-6


def test_kubelka_munk_is_its_own_inverse():
    r = np.linspace(0.05, 0.99, 50)
    np.testing.assert_allclose(scales.diffuse_reflectance(scales.kubelka_munk(r)), r, rtol=1e-12)
    np.testing.assert_allclose(scales.sphere_reading(0.99, 0.02), 1.0, rtol=1e-12)


def test_known_gap_is_found_where_tauc_lies_below():
    """Truth: the simulation's own 2.39 eV and 33 meV."""
    found = absorption.fit(absorption.simulate(seed=3))
    for name, truth in (("gap", 2.39), ("binding", 0.033)):
        assert abs(found[name].value - truth) < 4 * found[name].std
    direct = [r["gap_ev"] for r in found.extra["tauc"] if r["exponent"] == "direct"]
    assert max(direct) < 2.357


def test_noise_alone_has_no_edge():
    rng = np.random.default_rng(4)
    noise = make_observation(
        100 + 20 * rng.normal(size=60), "wavelength_nm", np.linspace(800, 1400, 60), units="percent"
    )
    found = absorption.fit(noise)
    assert any("No absorption edge" in w for w in found.warnings)
    assert "gap" not in found.quantities


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="counts"):
        absorption.fit(make_observation(np.arange(50.0), "wavelength_nm", np.linspace(400, 500, 50)))
    with pytest.raises(InputError, match="10 points"):
        absorption.fit(absorption.simulate(), window=(2.0, 2.01))
