"""Photoluminescence spectra: the way between wavelength and energy, fits on either axis, lines, cameras, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perolas import read
from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.core.units import HC_EV_NM
from perolas.matter.specimen import Specimen
from perolas.measurements import pl
from perolas.measurements.pl.noise import camera_variance
from perolas.measurements.pl.prepare import points_of
from perolas.measurements.pl.start import narrow_lines

PHYSICS = ("area", "centre", "fwhm", "background", "centre_wavelength", "fwhm_wavelength")


@pytest.fixture(scope="module")
def counted():
    return pl.simulate(seed=4)


@pytest.fixture(scope="module")
def found(counted):
    return pl.fit(counted)


def bump(nm, height=1000.0, centre=523.0, width=12.0):
    return height * np.exp(-(((nm - centre) / width) ** 2))


@pytest.mark.parametrize("nm", [np.linspace(450, 650, 401), np.geomspace(650, 450, 97), np.array([500.0, 510, 560])])
def test_axis_conversion_keeps_integral_intensities_and_variances(nm):
    """Analytic: photons in a cell do not depend on how its width is counted; the derivative is hc / E^2."""
    first = make_observation(bump(nm) + 0.1, "wavelength_nm", nm, units="arb", variance=np.full(nm.size, 0.01))
    there = pl.convert_axis(first)
    back = pl.convert_axis(there)
    assert abs(pl.integral(there) / pl.integral(first) - 1) < 1e-10
    assert abs(pl.integral(back) / pl.integral(first) - 1) < 1e-10
    assert back["signal"].attrs["units"] == "arb"
    np.testing.assert_allclose(back["signal"].values, first["signal"].values, rtol=1e-10)
    np.testing.assert_allclose(back["variance"].values, first["variance"].values, rtol=1e-10)
    np.testing.assert_allclose(
        there["variance"].values / 0.01, (there["signal"].values / first["signal"].values) ** 2, rtol=1e-10
    )
    if nm.size > 300:
        exact = nm**2 / HC_EV_NM
        np.testing.assert_allclose(there["signal"].values / first["signal"].values, exact, rtol=1e-5)


def test_counts_are_counts_again_on_the_way_back(counted):
    there = pl.convert_axis(counted)
    assert there["signal"].attrs["units"] == "counts nm/eV"
    np.testing.assert_allclose(
        there["variance"].values, np.maximum(counted["signal"].values, 1.0) * pl.jacobian(counted) ** 2
    )
    back = pl.convert_axis(there)
    assert back["signal"].attrs["units"] == "counts"
    assert "variance" not in back
    np.testing.assert_array_equal(back["signal"].values, counted["signal"].values)


def assert_same_physics(a, b, names=PHYSICS, value=0.01, error=0.01):
    for name in names:
        p, q = a[name], b[name]
        assert abs(p.value - q.value) < value * p.std, name
        assert q.std == pytest.approx(p.std, rel=error), name


def test_a_fit_in_either_unit_gives_the_same_physics(counted, found):
    """Truth: the same photons; 1 % of a standard error is what the solver's tolerance leaves."""
    other = pl.fit(pl.convert_axis(counted))
    assert_same_physics(found, other)
    assert found["area"].unit == other["area"].unit == "counts nm"
    assert float(found.chi2_reduced) == pytest.approx(float(other.chi2_reduced), rel=1e-6)
    for estimate in (found, other):  # and it is the truth
        for name, true in (("area", 2.5e5), ("centre", 2.37), ("fwhm", 0.09), ("background", 100.0)):
            assert abs(estimate[name].value - true) < 4 * estimate[name].std, name


@pytest.mark.full
@pytest.mark.parametrize("counts", [30.0, 300.0, 1e6])
@pytest.mark.parametrize("background", [0.01, 0.5])
def test_either_unit_at_any_height_and_background(counts, background):
    """Few counts and a high background are where weights taken from the data, or a background per eV, would tell."""
    band = pl.EmissionBand(area=25 * counts, background=background * counts, axis_values=np.linspace(450, 620, 500))
    from perolas.core.measurement import simulate

    seen = simulate(band, seed=3)
    a, b = pl.fit(seen), pl.fit(pl.convert_axis(seen))
    assert_same_physics(a, b)
    assert abs(a["area"].value - 25 * counts) < 4 * a["area"].std


@pytest.mark.full
def test_other_peoples_conversions(counted, found):
    """A spectrum converted elsewhere brings a variance at best, and no word of how it was made."""
    made = pl.convert_axis(counted)
    signal, energy = made["signal"].values, made["energy_ev"].values
    known = make_observation(signal, "energy_ev", energy, units="arb", variance=made["variance"].values)
    # Weights from the data draw a fit to low counts: 0.3 standard errors at 100 counts of background.
    fitted = pl.fit(known, shape="gauss")
    for name in ("centre", "fwhm"):
        assert abs(fitted[name].value - found[name].value) < 0.3 * found[name].std, name
        assert fitted[name].std == pytest.approx(found[name].std, rel=0.05), name
    plain = make_observation(counted["signal"].values, "wavelength_nm", counted["wavelength_nm"].values, units="arb")
    assert_same_physics(pl.fit(plain, shape="gauss"), pl.fit(pl.convert_axis(plain), shape="gauss"))


@pytest.mark.full
def test_errors_of_the_whole_fit_are_honest():
    """Pulls of what `fit` returns, door, start and shape included, over 60 spectra: 4 standard errors of each."""
    pulls = []
    for seed in range(60):
        one = pl.fit(pl.simulate(seed=seed, counts=400.0))
        true = {"area": 1e4, "centre": 2.37, "fwhm": 0.09, "background": 4.0}
        pulls.append([(one[n].value - v) / one[n].std for n, v in true.items()])
    mean, std = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.all(np.abs(mean) < 0.1 + 4 / math.sqrt(60)), mean
    assert np.all(np.abs(std - 1) < 0.05 + 4 / math.sqrt(120)), std


@pytest.mark.full
def test_a_camera_is_told_from_counted_events():
    """Truth: 12 electrons a count, an offset of 300 counts and 4 counts of readout; pulls over 40 spectra."""
    pulls = []
    nm = np.linspace(450, 620, 600)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        mean = bump(nm, 400.0, 523.0, 12.0)
        counts = np.round(rng.poisson(mean * 12) / 12 + rng.normal(300.0, 4.0, nm.size))
        gain = camera_variance(counts)[1]
        assert gain < 0.3
        one = pl.fit(make_observation(counts, "wavelength_nm", nm), shape="gauss")
        assert any("as a camera's" in n for n in one.notes)
        pulls.append((one["background"].value - 300.0) / one["background"].std)
    assert abs(np.mean(pulls)) < 0.1 + 4 / math.sqrt(40)
    assert abs(np.std(pulls) - 1) < 0.05 + 4 / math.sqrt(80)
    assert camera_variance(rng.poisson(mean + 50)) is None


def test_size_is_given_only_where_confinement_says_it(found):
    """At 20 nm confinement changes the centre by 1 meV per nm, and the law is good to 15 meV."""
    assert "size" not in found.added
    assert any("size is not determined" in note for note in found.notes)


@pytest.mark.full
def test_small_crystals_give_their_size():
    size = 7.0
    seen = pl.simulate(Specimen.of(size_nm=size, size_std_nm=0.05 * size), seed=6)
    q = pl.fit(seen)["size"]
    assert abs(q.value - size) < 3 * q.std
    assert q.std < size / 4


@pytest.mark.full
def test_yields_compare_and_exposures_are_divided_out():
    """Truth: a quarter of the lead converted, by construction, and three times the exposure."""
    first, second = (pl.simulate(Specimen.from_conversion(x), seed=2, counts=1e5) for x in (0.25, 1.0))
    ratio = pl.fit(first, compare=second)["quantum_yield_ratio"]
    assert abs(ratio.value - 4.0) < 5 * ratio.std
    assert ratio.std < 0.05
    longer = first.assign_attrs(conditions='{"exposure_s": 1.0}'), second.assign_attrs(conditions='{"exposure_s": 3}')
    told = pl.fit(longer[0], compare=longer[1])["quantum_yield_ratio"]
    assert told.value == pytest.approx(ratio.value / 3.0)


@pytest.mark.full
def test_a_sensitivity_curve_is_taken_out():
    nm = np.linspace(400, 700, 61)
    curve = make_observation(0.2 + 0.8 * (nm - 400) / 300, "wavelength_nm", nm, units="1")
    seen = pl.simulate(seed=9, sensitivity=curve, counts=1e5)
    with_it, without = pl.fit(seen, sensitivity=curve), pl.fit(seen)
    assert abs(with_it["centre"].value - 2.37) < 4 * with_it["centre"].std
    assert abs(without["centre"].value - 2.37) > 10 * without["centre"].std
    with pytest.raises(InputError, match="sensitivity curve reaches"):
        pl.fit(seen, sensitivity=curve.isel(wavelength_nm=slice(0, 20)))


def test_lines_are_told_from_bands():
    """A laser of 0.2 nm on a band is a line; noise, steep bands and coarse sampling make none."""
    nm = np.linspace(480, 580, 2001)
    rng = np.random.default_rng(1)
    band = bump(nm, 2000.0)
    laser = 8000.0 * np.exp(-(((nm - 532.0) / 0.12) ** 2))
    with_laser = make_observation(rng.poisson(band + laser + 50), "wavelength_nm", nm)
    lines = narrow_lines(points_of(with_laser, None, None, "auto"))
    assert [round(HC_EV_NM / v.energy_ev) for v in lines] == [532]
    for mean in (band + 50, bump(nm, 1e6) + 10, bump(nm, 300.0, 523.0, 4.0) + 20, 40.0 + 0 * nm):
        plain = make_observation(rng.poisson(mean), "wavelength_nm", nm)
        assert narrow_lines(points_of(plain, None, None, "auto")) == []
        assert narrow_lines(points_of(plain.isel(wavelength_nm=slice(None, None, 40)), None, None, "auto")) == []


@pytest.mark.full
def test_a_laser_on_the_band_does_not_move_it():
    nm = np.linspace(480, 580, 1001)
    rng = np.random.default_rng(2)
    truth = pl.EmissionBand(area=5e4, centre_ev=2.36, fwhm_gauss_ev=0.08, background=50.0, axis_values=nm)
    laser = 8000.0 * np.exp(-(((nm - 532.0) / 0.12) ** 2))
    seen = make_observation(rng.poisson(np.asarray(truth.expected()) + laser), "wavelength_nm", nm)
    fitted = pl.fit(seen)
    assert any("1 narrow line at 532" in w for w in fitted.warnings)
    for name, true in (("centre", 2.36), ("fwhm", 0.08), ("area", 5e4)):
        assert abs(fitted[name].value - true) < 4 * fitted[name].std, name


@pytest.mark.full
def test_a_camera_file_of_raman_lines(data_dir):
    """1d-1.spe: a doubled Nd laser at 532.47 nm with silicon's line at 547.54 nm (its 520 cm-1), and no emission."""
    fitted = pl.fit(read(data_dir / "spectrometer" / "1d-1.spe"))
    told = next(w for w in fitted.warnings if "narrow lines at" in w)
    assert "532.47" in told
    assert "547.5" in told
    assert fitted["area"].value < 1000  # what is left is a hundred counts nm, against 10,000 counts of laser


@pytest.mark.full
def test_a_reflectance_is_not_taken_for_emission(data_dir):
    """OOusb4000.txt was divided by a reference; its broad hump is described, and said to be none."""
    fitted = pl.fit(read(data_dir / "spectrometer" / "OOusb4000.txt"))
    assert any("not emission" in w for w in fitted.warnings)
    assert "size" not in fitted.added
    assert 380 < fitted["centre_wavelength"].value < 580  # where the curve is highest, by eye
    assert fitted["centre_wavelength"].std > 5


@pytest.mark.full
def test_noise_alone_is_no_band():
    nm = np.linspace(450, 620, 400)
    fitted = pl.fit(make_observation(np.random.default_rng(3).poisson(50.0, 400), "wavelength_nm", nm))
    assert any("No emission band is seen" in w for w in fitted.warnings)


@pytest.mark.full
def test_a_series_shares_its_shape():
    """Truth: lead converted to 0.1 ... 1, by construction; and one spectrum that moves is noticed."""
    shares = [0.05, 0.1, 0.3, 0.6, 1.0]
    seen = pl.simulate_series([Specimen.from_conversion(x, product_size_nm=20.0) for x in shares], seed=3)
    series = pl.fit_series(seen, [0, 1, 2, 3, 5])
    for i, x in enumerate(shares):
        assert abs(series.area[i] - 2.5e5 * x) < 4 * math.hypot(series.std[i], series.shared * series.area[i])
    assert series.same_shape
    ratio, std = series.ratio(1, 4)
    assert abs(ratio - 10.0) < 4 * std
    assert series.seen_from() == (None, 0.0)
    assert "share an error" in str(series)
    moved = seen.copy(deep=True)
    moved["signal"][2] = pl.simulate(Specimen.from_conversion(0.3, product_size_nm=11.0), seed=8)["signal"]
    assert not pl.fit_series(moved, [0, 1, 2, 3, 5]).same_shape
    other = pl.fit_series(pl.convert_axis(seen), [0, 1, 2, 3, 5])
    np.testing.assert_allclose(other.area, series.area, atol=0.02 * series.std.min(), rtol=1e-4)


def test_bad_input_is_refused(counted):
    nm = counted["wavelength_nm"].values
    with pytest.raises(InputError, match="wavelength_nm or energy_ev"):
        pl.fit(make_observation(np.arange(50.0), "time_ns", np.arange(50.0)))
    with pytest.raises(InputError, match="not positive"):
        pl.fit(make_observation(np.arange(50.0), "wavelength_nm", np.arange(50.0)))
    with pytest.raises(InputError, match="batch"):
        pl.fit(make_observation(np.ones((2, nm.size)), "wavelength_nm", nm))
    with pytest.raises(InputError, match="one value"):
        pl.fit(make_observation(np.ones(nm.size), "wavelength_nm", nm))
    with pytest.raises(InputError, match="window"):
        pl.fit(counted, window=(600.0, 500.0))
    with pytest.raises(InputError, match="points of data"):
        pl.fit(counted, window=(700.0, 800.0))
    with pytest.raises(InputError, match="shape"):
        pl.fit(counted, shape="lorentz")
    with pytest.raises(InputError, match="start value"):
        pl.fit(counted, guess={"centroid": 2.0})
    with pytest.raises(InputError, match="points"):
        pl.simulate(points=3)
    with pytest.raises(InputError, match="at least two spectra"):
        pl.fit_series(counted, [0.0])
    with pytest.raises(InputError, match="rising times"):
        pl.fit_series(make_observation(np.ones((2, nm.size)) + nm, "wavelength_nm", nm), [0.0, 1.0, 2.0])
    with pytest.raises(InputError, match="voigt"):
        pl.EmissionBand(fwhm_lorentz_ev=0.01)
    with pytest.raises(InputError, match="axis and the unit"):
        pl.fit(counted, compare=pl.convert_axis(counted))
