"""`invert` against linear algebra: for a straight line every number is known in closed form."""

from __future__ import annotations

import json
import math

import jax
import numpy as np
import pytest
from unit.core.line import Line, State

from perolas.core.errors import FitError, InputError
from perolas.core.invert import invert
from perolas.core.measurement import log_likelihood, simulate
from perolas.core.noise import Camera, Gaussian, Poisson, UnknownGaussian
from perolas.core.parameter import table
from perolas.core.solver import LevenbergMarquardt

X = np.arange(50.0)
Y = 100 + 2 * X + np.random.default_rng(1).normal(0, 5, 50)


def weighted(weight):
    """Return solution and covariance of the weighted line by the normal equations (analytic)."""
    design = np.stack([np.ones(50), X], axis=1)
    fisher = design.T @ (design * weight[:, None])
    return np.linalg.solve(fisher, design.T @ (weight * Y)), np.linalg.inv(fisher)


def test_known_variance_is_weighted_least_squares():
    variance = np.linspace(1, 40, 50)
    best, covariance = weighted(1 / variance)
    estimate = invert(Line(noise=Gaussian(variance)), Y)
    assert np.allclose(estimate.values[:2], best, rtol=1e-9)  # float64 through two solvers
    assert np.allclose(estimate.covariance[:2, :2], covariance, rtol=1e-9)
    assert estimate.chi2_reduced == pytest.approx(np.sum((Y - best[0] - best[1] * X) ** 2 / variance) / 48)


def test_unknown_variance_is_ordinary_least_squares():
    best, covariance = weighted(np.ones(50))
    rest = np.sum((Y - best[0] - best[1] * X) ** 2) / 48
    estimate = invert(Line(noise=UnknownGaussian()), Y)
    assert np.allclose(estimate.covariance[:2, :2], covariance * rest, rtol=1e-8)
    assert math.isnan(float(estimate.chi2_reduced))


def test_derived_error_is_the_delta_method():
    estimate = invert(Line(noise=Gaussian(25.0)), Y)
    (a, b), c = estimate.values[:2], estimate.covariance[:2, :2]
    gradient = np.array([-1 / b, a / b**2])  # of -a/b
    assert estimate["crossing"].std == pytest.approx(math.sqrt(gradient @ c @ gradient), rel=1e-9)


def test_poisson_maximum_is_the_root_of_its_score():
    counts = np.random.default_rng(2).poisson(100 + 2 * X).astype(float)
    estimate = invert(Line(), counts)
    rest = 1 - counts / (estimate.values[0] + estimate.values[1] * X)
    assert abs(rest.sum()) < 1e-6  # both components of the score vanish at the maximum
    assert abs((rest * X).sum()) < 1e-4


def test_prior_pulls_with_its_weight():
    """Truth: a normal prior adds its precision to the Fisher information of a Gaussian problem."""
    best, covariance = weighted(np.full(50, 1 / 25))
    precision = np.linalg.inv(covariance)
    joint = precision + np.diag([1 / 4.0, 0.0])
    expected = np.linalg.solve(joint, precision @ best + np.array([80 / 4.0, 0.0]))
    estimate = invert(Line(noise=Gaussian(25.0)), Y, prior={"offset": (80.0, 2.0)})
    assert np.allclose(estimate.values[:2], expected, rtol=1e-9)


def test_profile_of_a_gaussian_is_its_standard_error():
    estimate = invert(Line(noise=Gaussian(25.0)), Y)
    low, high = estimate.interval("offset")
    q = estimate["offset"]
    assert (q.value - low) / q.std == pytest.approx(1, abs=2e-3)  # 68.27 %, and interpolation on a grid
    assert (high - q.value) / q.std == pytest.approx(1, abs=2e-3)


def test_profile_stops_at_a_bound():
    estimate = invert(Line(noise=Gaussian(25.0), offset=200.0), Y, free=["slope", "floor"])
    assert estimate.at_bound == {"floor": "lower"}
    low, high = estimate.interval("floor")
    assert low == 0
    assert high > 0


@pytest.mark.full
def test_samples_match_the_covariance():
    estimate = invert(Line(noise=Gaussian(25.0)), Y)
    draws = estimate.sample(1500, seed=3)
    for name in ("offset", "slope", "crossing"):
        q = estimate[name]
        assert draws[name].mean() == pytest.approx(q.value, abs=6 * q.std / math.sqrt(500))  # effective samples
        assert draws[name].std() == pytest.approx(q.std, rel=0.15)


def test_what_does_the_same_is_named():
    estimate = invert(Line(noise=Gaussian(25.0)), Y, free=["offset", "slope", "twin"])
    assert estimate.undetermined == ["offset", "twin", "crossing"]
    assert "offset and twin" in estimate.undetermined_sentence
    assert estimate.to_json()["quantities"]["twin"]["std"] is None


def test_a_state_is_fitted_through_the_response():
    estimate = invert(Line(noise=Gaussian(25.0)), Y, State(), free=["offset", "rate"])
    direct = invert(Line(noise=Gaussian(25.0)), Y)
    assert estimate["rate"].value == pytest.approx(direct["slope"].value / 2, rel=1e-9)
    assert "slope" not in estimate.fixed
    assert invert(Line(noise=Gaussian(25.0)), Y, State()).names[:1] == ("offset",)


def test_ties_follow_names_and_functions():
    measurement = Line(noise=Gaussian(25.0), offset=50.0)
    by_name = invert(measurement, Y, free=["offset", "slope"], ties={"twin": "offset"})
    assert by_name["offset"].value == pytest.approx(invert(measurement, Y, fix=["twin"])["offset"].value / 2)
    by_rule = invert(measurement, Y, free=["offset"], ties={"slope": lambda p: p["offset"] / 50})
    assert by_rule.fixed["slope"].value == pytest.approx(by_rule["offset"].value / 50)


def test_a_batch_equals_its_elements():
    observed = simulate(Line(), seed=5, batch=70)  # more than one chunk, the last one not full
    batch = invert(Line(), observed, solver=LevenbergMarquardt(chunk=32))
    for i in (0, 31, 32, 69):
        alone = invert(Line(), observed["signal"].values[i])
        assert np.allclose(batch.values[i], alone.values, rtol=1e-8)
        assert np.allclose(batch.std[i], alone.std, rtol=1e-6)
    assert str(batch).startswith("line: 70 fits, 70 converged")
    assert len(batch.to_json()["batch"]) == 70


def test_a_batch_takes_a_guess_and_a_variance_for_each():
    observed = simulate(Line(), seed=6, batch=3)["signal"].values
    own = Line(offset=[90.0, 100.0, 110.0], slope=[1.0, 1.0, 1.0], noise=Gaussian(np.maximum(observed, 1.0)))
    batch = invert(own, observed)
    alone = invert(Line(noise=Gaussian(np.maximum(observed[2], 1.0))), observed[2])
    assert np.allclose(batch.values[2], alone.values, rtol=1e-8)


def test_threads_do_not_change_a_bit():
    observed = simulate(Line(), seed=7, batch=100)
    one, two = (invert(Line(), observed, solver=LevenbergMarquardt(chunk=16, threads=n)) for n in (1, 2))
    assert np.array_equal(one.values, two.values)
    assert np.array_equal(one.covariance, two.covariance)


def test_failure_is_a_value_and_raises_only_when_asked():
    solver = LevenbergMarquardt(max_steps=1)
    estimate = invert(Line(offset=1e4), np.round(np.abs(Y)), solver=solver, throw=False)
    assert estimate.result == "max_steps"
    with pytest.raises(FitError, match=r"line fit failed: it had not converged"):
        invert(Line(offset=1e4), np.round(np.abs(Y)), solver=solver)


def test_json_has_the_documented_form():
    estimate = invert(Line(noise=Gaussian(25.0)), Y)
    data = json.loads(json.dumps(estimate.to_json(), allow_nan=False))
    assert data["quantities"]["offset"].keys() == {"value", "std", "unit", "definition"}
    assert data["result"] == "converged"
    assert data["undetermined"] == []
    assert data["fixed"]["floor"]["value"] == 0


def test_dataset_and_text_tell_the_story():
    estimate = invert(Line(noise=Gaussian(25.0)), Y, starts=3)
    data = estimate.to_dataset()
    assert set(data) == {"signal", "expected", "residual", "component_line"}
    assert all("units" in data[v].attrs for v in data.variables)
    assert "3 of 3 starting points ended here" in str(estimate)
    assert estimate.correlation("offset", "slope") == pytest.approx(-0.86, abs=0.02)  # -sqrt(3)/2 for a line from zero


def test_shared_error_moves_quantities_together():
    estimate = invert(Line(noise=Gaussian(25.0)), Y)
    wider = estimate.with_shared_error(("offset",), 3.0)
    assert wider["offset"].std == pytest.approx(math.hypot(estimate["offset"].std, 3.0))
    assert wider["slope"].std == estimate["slope"].std


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"observed": np.full(50, -1.0)}, "negative values"),
        ({"observed": np.full(50, np.nan)}, "not numbers"),
        ({"observed": np.ones(49)}, "49 points"),
        ({"observed": np.ones((2, 2, 2))}, "shape"),
        ({"free": ["slop"]}, 'did you mean "slope"'),
        ({"fix": ["offset", "slope"]}, "Nothing is left to fit"),
        ({"prior": {"slope": (0.0, -1.0)}}, "must be positive"),
        ({"ties": {"twin": "of"}}, "is not known"),
    ],
)
def test_bad_input_is_one_sentence(change, sentence):
    arguments = {"measurement": Line(), "observed": np.ones(50)} | change
    with pytest.raises(InputError, match=sentence) as caught:
        invert(**arguments)
    assert "\n" not in str(caught.value)


def test_a_start_outside_its_bounds_is_refused():
    with pytest.raises(InputError, match="must lie between 0 and inf"):
        invert(Line(floor=-1.0), np.ones(50), free=["floor"])


@pytest.mark.parametrize("noise", [Poisson(), Gaussian(9.0), UnknownGaussian(3.0), Camera(2.0, 3.0)])
def test_noise_models_agree_with_themselves(noise):
    """Sampling and scoring must be one law: simulated scores have mean zero and the Fisher weight as variance."""
    line = Line(noise=noise, points=40)
    keys = jax.random.split(jax.random.key(9), 4000)
    observed = np.asarray(jax.vmap(lambda k: noise.sample(k, line.expected()))(keys))
    score = np.asarray(noise.slope(observed, line.expected()))
    weight = np.asarray(noise.weight(observed[0], line.expected())) * (
        9.0 if isinstance(noise, UnknownGaussian) else 1.0
    )
    assert np.all(np.abs(score.mean(axis=0)) < 5 * score.std(axis=0) / math.sqrt(4000))
    assert np.allclose(score.var(axis=0), weight, rtol=0.15)  # 5 sigma of a variance from 4,000 draws is 11 %


def test_log_likelihoods_are_scipys():
    from scipy import stats

    line = Line()
    mean, counts = np.asarray(line.expected()), np.random.default_rng(3).poisson(100, 50)
    assert log_likelihood(line, counts) == pytest.approx(stats.poisson.logpmf(counts, mean).sum(), rel=1e-12)
    line = Line(noise=Gaussian(4.0))
    assert log_likelihood(line, Y) == pytest.approx(stats.norm.logpdf(Y, mean, 2.0).sum(), rel=1e-12)


def test_parameter_table_is_written_once():
    rows = {r.name: r for r in table(Line)}
    assert rows["floor"].lower == 0
    assert rows["offset"].unit == "counts"
