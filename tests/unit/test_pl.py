"""Photoluminescence: the way between wavelength and energy, the band of a specimen, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.matter.specimen import Specimen
from perolas.measurements import pl

pytestmark = pytest.mark.full


def test_axis_conversion_keeps_integral_intensities_and_variances():
    """Analytic: photons in a cell do not depend on how its width is counted; the derivative is hc / E^2."""
    nm = np.linspace(450, 650, 401)
    first = make_observation(np.exp(-(((nm - 523) / 12) ** 2)) + 0.1, "wavelength_nm", nm, units="arb",
                             variance=np.full(nm.size, 0.01))  # fmt: skip
    there = pl.convert_axis(first)
    back = pl.convert_axis(there)
    assert abs(pl.integral(there) / pl.integral(first) - 1) < 1e-10
    assert abs(pl.integral(back) / pl.integral(first) - 1) < 1e-10
    np.testing.assert_allclose(back["signal"].values, first["signal"].values, rtol=1e-10)
    np.testing.assert_allclose(back["variance"].values, first["variance"].values, rtol=1e-10)
    exact = nm**2 / 1239.8419843320026
    np.testing.assert_allclose(there["signal"].values / first["signal"].values, exact, rtol=1e-5)
    np.testing.assert_allclose(there["variance"].values / 0.01, exact**2, rtol=1e-5)


def test_band_at_20_nm_is_that_of_the_laws():
    """Parameter file and its sources: 2.37 eV at 300 K; 2.335 +- 0.02 eV, 531 +- 5 nm at 77 K."""
    warm = float(pl.band_of(Specimen.of(size_nm=20, temperature_k=300))[0])
    cold = float(pl.band_of(Specimen.of(size_nm=20, temperature_k=77))[0])
    assert abs(warm - 2.37) < 0.015
    assert abs(cold - 2.335) < 0.02
    assert abs(1239.842 / cold - 531) < 5


def test_emission_grows_with_conversion_and_the_fit_says_that_size_is_unknown():
    specimens = [Specimen.from_conversion(x) for x in (0.25, 1.0)]
    spectra = pl.series(specimens, seed=2, counts=1e5)
    found = pl.fit(spectra.isel(batch=0), compare=spectra.isel(batch=1))
    ratio = found["quantum_yield_ratio"]
    assert abs(ratio.value - 4.0) < 5 * ratio.std  # a quarter of the lead converted, by construction
    assert "size" not in found.added
    assert any("size is not determined" in note for note in found.notes)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="wavelength_nm or energy_ev"):
        pl.fit(make_observation(np.arange(50.0), "time_ns", np.arange(50.0)))
    with pytest.raises(InputError, match="points"):
        pl.simulate(points=3)
