"""Lines fitted: what was put in comes out, with errors that hold; bad input is refused in a sentence."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from perolas.core.errors import InputError
from perolas.core.invert import invert, pose
from perolas.core.noise import Gaussian, UnknownGaussian
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.matter.specimen import Specimen
from perolas.measurements import lineshapes, peaks
from perolas.measurements.peaks_model import Peaks

X = np.arange(20.0, 200.0, 0.5)  # the axis of peaks.simulate: one compilation serves most tests


def spectrum(signal, units="arb", axis="raman_shift_cm1", x=X, **options):
    return make_observation(signal, axis, x, units=units, **options)


def one_line(height=1000.0, at=80.0, fwhm=8.0, ground=50.0, x=X):
    return ground + height * np.exp(-4 * np.log(2) * ((x - at) / fwhm) ** 2)


@pytest.mark.full
def test_sample_widths_come_back_freed_from_the_instruments():
    """Truth: the parameters that made the counts; each within 4 of its own standard errors."""
    estimate = peaks.fit(peaks.simulate(resolution=3.0, counts=1e5, seed=1), resolution=3.0)
    found = estimate.quantities
    for i, at in enumerate((63.0, 77.0, 118.0), 1):
        for name, truth in ((f"position_{i}", at), (f"fwhm_gauss_{i}", 5.0), (f"fwhm_lorentz_{i}", 4.0)):
            assert abs(found[name].value - truth) < 4 * found[name].std, name
        assert abs(found[f"fwhm_{i}"].value - float(lineshapes.voigt_fwhm(5.0, 4.0))) < 4 * found[f"fwhm_{i}"].std
    assert found["area_ratio_2"].value == pytest.approx(1 / 2, abs=5 * found["area_ratio_2"].std)
    assert estimate.chi2_reduced == pytest.approx(1, abs=0.3)  # four deviations for 306 degrees of freedom
    assert [r["lines"] for r in estimate.extra["evidence"] if r["chosen"]] == [3]


@pytest.mark.full
def test_widths_with_the_instrument_in_them_are_wider():
    observed = peaks.fit(peaks.simulate(resolution=3.0, counts=1e5, seed=1), lines=3)
    # Analytic: Gaussian widths add in quadrature.
    assert observed["fwhm_gauss_1"].value == pytest.approx(np.hypot(5, 3), abs=4 * observed["fwhm_gauss_1"].std)


def test_units_are_those_of_the_axis_and_signal():
    estimate = peaks.fit(peaks.simulate(seed=2))
    assert {
        n: estimate[n].unit for n in ("position_1", "area_1", "fwhm_1", "height_1", "background_1", "area_ratio_2")
    } == {
        "position_1": "cm-1",
        "area_1": "counts cm-1",
        "fwhm_1": "cm-1",
        "height_1": "counts",
        "background_1": "counts",
        "area_ratio_2": "1",
    }
    assert estimate.fixed["resolution"].unit == "cm-1"
    json.dumps(estimate.to_json(), allow_nan=False)
    assert set(estimate.to_dataset().data_vars) >= {"signal", "expected", "component_line_1", "component_background"}


@pytest.mark.parametrize("shape", ["voigt", "gauss", "lorentz"])
@pytest.mark.parametrize("resolution", [0.0, 2.0])
def test_gradient_is_its_finite_difference(shape, resolution):
    """Truth: central differences of the cost; its rounding (1e-13 of 1e4) over the step leaves 1e-4 of a slope."""
    blank, width = np.zeros(0), np.array([5.0, 7.0])
    model = Peaks(
        position=[60.0, 100.0],
        area=[5e3, 8e3],
        fwhm_gauss=blank if shape == "lorentz" else width,
        fwhm_lorentz=blank if shape == "gauss" else width,
        background=[30.0, 5.0, -3.0],
        resolution=resolution,
        axis_values=X,
    )
    assert model.shape == shape
    signal = np.round(np.asarray(model.expected()) * 1.1)
    problem, _ = pose(model, signal, free=[*("position", "area", "background"), *_width_names(shape)])
    x = problem.start()
    slope = np.asarray(jax.jit(jax.grad(lambda v: problem.cost(v)))(x))
    cost = jax.jit(lambda v: problem.cost(v))
    assert np.all(np.isfinite(slope))
    for i, slot in enumerate(problem.free):
        step = 1e-5 * abs(float(x[i]))
        rise = float(cost(x.at[i].add(step)) - cost(x.at[i].add(-step))) / (2 * step)
        assert rise == pytest.approx(slope[i], rel=1e-4, abs=1e-6), slot.name


def _width_names(shape):
    return [n for n, other in (("fwhm_gauss", "lorentz"), ("fwhm_lorentz", "gauss")) if shape != other]


@pytest.mark.parametrize(("shape", "profile"), [("gauss", lineshapes.gauss), ("lorentz", lineshapes.lorentz)])
def test_pure_shapes_are_their_formula(shape, profile):
    """Truth: the analytic line; the sharpest instrument changes it by less than 1e-6 of its height."""
    blank = np.zeros(0)
    model = Peaks(
        position=[80.0],
        area=[100.0],
        fwhm_gauss=[6.0] if shape == "gauss" else blank,
        fwhm_lorentz=[6.0] if shape == "lorentz" else blank,
        background=[0.0],
        axis_values=X,
    )
    truth = np.asarray(100 * profile(jnp.asarray(X - 80.0), jnp.asarray(6.0)))
    assert np.max(np.abs(np.asarray(model.expected()) - truth)) < 1e-6 * truth.max()
    assert all(np.isfinite(float(v)) for v in model.derived().values())


def test_signals_that_are_no_counts_and_axes_that_fall():
    """Truth: a known line in Gaussian noise; turned round, scaled and shifted below zero it is the same line."""
    y = one_line() + 5 * np.random.default_rng(3).normal(size=X.size)
    rising = peaks.fit(spectrum(y), shape="gauss")
    falling = peaks.fit(spectrum(1e-3 * y[::-1] - 2.0, x=X[::-1]), shape="gauss")
    assert rising["position_1"].value == pytest.approx(80.0, abs=4 * rising["position_1"].std)
    assert rising["fwhm_1"].value == pytest.approx(8.0, abs=4 * rising["fwhm_1"].std)
    assert falling["position_1"].value == pytest.approx(rising["position_1"].value, abs=1e-4)
    assert falling["area_1"].value == pytest.approx(1e-3 * rising["area_1"].value, rel=1e-5)
    assert falling["position_1"].std == pytest.approx(rising["position_1"].std, rel=1e-4)
    assert np.isnan(rising.chi2_reduced)


def test_known_variance_is_used():
    noise = np.full(X.size, 25.0)
    y = one_line() + 5 * np.random.default_rng(4).normal(size=X.size)
    estimate = peaks.fit(spectrum(y, variance=noise), shape="gauss")
    assert isinstance(estimate.problem.measurement.noise, Gaussian)
    assert estimate.chi2_reduced == pytest.approx(1.0, abs=0.3)
    assert isinstance(
        peaks.fit(spectrum(y), noise="estimated", shape="gauss").problem.measurement.noise, UnknownGaussian
    )


def test_noise_alone_has_no_line_and_says_so():
    y = np.random.default_rng(5).poisson(200.0, X.size).astype(float)
    estimate = peaks.fit(spectrum(y, "counts"))
    assert "No line found" in estimate.warnings[0]
    assert list(estimate.quantities) == ["background_1", "background_2"]
    assert estimate["background_1"].value == pytest.approx(200, abs=4 * estimate["background_1"].std)


def test_the_axis_has_an_error_that_all_positions_share():
    observed = peaks.simulate(seed=2)
    plain, shared = peaks.fit(observed), peaks.fit(observed, calibration_std=0.5)
    assert shared["position_1"].std == pytest.approx(np.hypot(plain["position_1"].std, 0.5))
    assert shared.correlation("position_1", "position_3") > 0.99
    assert shared["fwhm_1"].std == pytest.approx(plain["fwhm_1"].std)
    assert any("share an error of the axis of 0.5 cm-1" in n for n in shared.notes)


def test_a_laser_turns_wavelengths_into_raman_shifts():
    """Truth: 1e7 (1/532 - 1/547.1) = 518.80 cm-1."""
    x = np.linspace(540.0, 555.0, 320)
    y = one_line(at=547.1, fwhm=0.5, x=x) + np.random.default_rng(6).normal(size=x.size)
    estimate = peaks.fit(spectrum(y, axis="wavelength_nm", x=x), laser=532.0, shape="gauss")
    assert estimate["position_1"].value == pytest.approx(1e7 * (1 / 532 - 1 / 547.1), abs=0.1)
    assert estimate["position_1"].unit == "cm-1"
    assert any("laser is taken to be at 532 nm" in n for n in estimate.notes)


@pytest.mark.full
def test_lines_come_in_the_order_of_the_axis_also_from_guesses():
    observed = peaks.simulate(seed=2)
    estimate = peaks.fit(observed, lines=3, guess={"position_1": 62.0, "position_2": 78.0, "position_3": 119.0})
    assert [round(estimate[f"position_{i}"].value) for i in (1, 2, 3)] == [63, 77, 118]
    held = peaks.fit(observed, lines=3, guess={"fwhm_lorentz_1": 4.0}, fix=["fwhm_lorentz_1"])
    assert held.fixed["fwhm_lorentz_1"].value == 4.0


def test_a_strained_specimen_moves_its_lines():
    """Truth: w (1 - 3 gamma strain) with gamma 5, 5, 6 (the parameter file): 0.1 % moves 63 cm-1 by -0.945."""
    seen = peaks.example().respond(Specimen.of(strain=1e-3))
    assert np.asarray(seen.position) == pytest.approx([63 * 0.985, 77 * 0.985, 118 * 0.982])
    found = peaks.fit(peaks.simulate(Specimen.of(strain=1e-3), counts=1e5, seed=7))
    assert found["position_1"].value == pytest.approx(63 * 0.985, abs=4 * found["position_1"].std)
    with pytest.raises(InputError, match="three lines on a raman_shift_cm1 axis"):
        Peaks(position=[1.0], area=[1.0], fwhm_gauss=[1.0], fwhm_lorentz=[1.0], background=[0.0]).respond(Specimen.of())
    with pytest.raises(InputError, match="wavelength_nm"):
        dataclasses.replace(peaks.example(), axis_name="wavelength_nm").respond(Specimen.of())


BAD = [
    (dict(axis="wavelenght_nm"), "wavelength_nm"),
    (dict(resolution=-1.0), '"resolution" must be zero or positive'),
    (dict(calibration_std=-0.1), "calibration_std"),
    (dict(window=(500.0, 600.0)), "holds 0 points of data that run from 20 to 199.5"),
    (dict(window=(90.0, 60.0)), "from low to high"),
    (dict(window=(60.0, 62.0)), "at least 8 are needed"),
    (dict(lines="many"), '"lines" must be a number'),
    (dict(lines=0), "from 1 to"),
    (dict(lines=2.5), '"lines"'),
    (dict(background=-1), "order of a polynomial"),
    (dict(shape="voight"), 'did you mean "voigt"'),
    (dict(noise="posson"), 'did you mean "poisson"'),
    (dict(laser=-532.0), "laser"),
    (dict(axis="energy_ev", laser=532.0), "wavelength_nm into Raman shifts"),
    (dict(fix=["positon_1"]), "position_1"),
    (dict(guess={"position_9": 3.0}), "position_9"),
    (dict(lines=3, guess={"area_1": -5.0}), "area_1"),
    (dict(window=(60.0, 64.0), lines=4), "points"),
]


@pytest.mark.parametrize(("options", "sentence"), BAD, ids=[str(sorted(o.items())) for o, _ in BAD])
def test_bad_options_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(InputError) as error:
        peaks.fit(peaks.simulate(seed=2), **options)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_data_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="at least 8 points"):
        peaks.fit(spectrum(np.arange(5.0) ** 2, x=np.arange(5.0)))
    with pytest.raises(InputError, match="whole counts"):
        peaks.fit(spectrum(0.5 + np.arange(X.size)), noise="poisson")
    with pytest.raises(InputError, match="batch"):
        peaks.fit(spectrum(np.ones((2, X.size))))
    with pytest.raises(InputError, match="3 positions need as many"):
        Peaks(position=[1.0, 2.0, 3.0], area=[1.0], fwhm_gauss=[1.0], fwhm_lorentz=[1.0])
    with pytest.raises(InputError, match="counts"):
        peaks.simulate(counts=-3)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_signal_of_one_value_is_refused(value):
    with pytest.raises(InputError, match="one value"):
        peaks.fit(spectrum(np.full(X.size, value), "counts"))


@pytest.mark.full
def test_errors_hold_for_smoothed_data():
    """Truth: a known line under noise smoothed over 9 points: pulls of the position spread by one, not by three.

    The tolerance is wide because the length of the correlation is itself estimated.
    """
    rng = np.random.default_rng(8)
    pulls = []
    for _ in range(60):
        y = one_line(fwhm=20.0) + uniform_filter1d(30 * rng.normal(size=X.size), 9)
        found = peaks.fit(spectrum(y), lines=1, shape="gauss")["position_1"]
        pulls.append((found.value - 80.0) / found.std)
    assert 0.6 < np.std(pulls) < 1.5


@pytest.mark.full
def test_the_example_is_fitted_without_bias_through_fit_itself():
    """Truth: pulls of 100 simulated spectra through search and inversion together."""
    truth = peaks.example()
    pulls = []
    for seed in range(100):
        found = peaks.fit(peaks.simulate(counts=1e4, seed=seed), lines=3)
        pulls.append(
            [
                (found[f"position_{i + 1}"].value - float(truth.position[i])) / found[f"position_{i + 1}"].std
                for i in range(3)
            ]
        )
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.1 + 4 / np.sqrt(100))
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 0.05 + 4 / np.sqrt(200))


def test_registered_parameters_are_those_of_the_library():
    from perolas.matter.parameters_library import library, sources

    assert set(peaks.PARAMETERS_USED) <= set(library())
    assert set(peaks.REFERENCES) <= set(sources())
    assert replace(peaks.example(), resolution=0.0).resolution == 0.0


@pytest.mark.full
def test_a_width_that_is_not_there_ends_on_its_bound():
    # A pure Lorentzian: its Gaussian width adds in squares, so that gradient and Fisher information vanish together.
    x = np.linspace(0.0, 100.0, 201)
    rng = np.random.default_rng(3)
    y = 50.0 * 20.0**2 / 4 / ((x - 48.0) ** 2 + 20.0**2 / 4) + rng.normal(0, 1.0, x.size)
    model = Peaks(
        position=[47.0],
        area=[1500.0],
        fwhm_gauss=[4.0],
        fwhm_lorentz=[18.0],
        background=[0.0],
        axis_values=x,
        noise=UnknownGaussian(),
    )
    for gauss in (4.0, 1e-6, 1e-12):
        start = replace(model, fwhm_gauss=jnp.asarray([gauss]))
        estimate = invert(start, y, free=("position", "area", "fwhm_gauss", "fwhm_lorentz", "background"), throw=False)
        assert estimate.result == "converged", gauss
        assert abs(estimate["fwhm_lorentz_1"].value - 20.0) < 4 * estimate["fwhm_lorentz_1"].std
