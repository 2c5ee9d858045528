"""Curves of converted fraction against time: the constants come back, with honest errors; what curves leave open.

A run in the dark and one under 365 nm at 20 mW/cm2, with errors of 0.02 as Rietveld fits of fractions have. At 20
mW/cm2 most of the surface is open before the reaction ends, so k_s shows; at the paper's 2 mW/cm2 it hardly does.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.invert import invert, pose
from perolas.core.measurement import simulate
from perolas.matter.transformation import Conditions
from perolas.matter.transformation.curves import FractionCurve, fit_curves, open_ended
from perolas.matter.transformation.inference import Point

STD = 0.02
VESSEL = {"lead_umol": 6.67, "volume_ml": 1.0, "water_ul": 125.0}
DARK = Conditions.of(**VESSEL)
BRIGHT = Conditions.of(**VESSEL, wavelength_nm=365.0, irradiance_mw_cm2=20.0)
PLAN = [(float(t), DARK) for t in np.arange(4, 61, 4)] + [(float(t), BRIGHT) for t in np.arange(0.25, 4.6, 0.25)]
TRUTH = {"log10_product": -2.796, "log10_stripping": 0.08, "log10_light": -2.0}
QUICK, FULL = 200, 1000


def points(fractions=None, plan=PLAN):
    values = np.zeros(len(plan)) if fractions is None else fractions
    return [Point(t, float(x), STD, run) for (t, run), x in zip(plan, values, strict=True)]


def model(plan=PLAN, **start):
    return FractionCurve.of(points(plan=plan), **{**TRUTH, **start})


@pytest.fixture(scope="module")
def truth():
    return model()


def true_values(measurement):
    return np.array([*TRUTH.values(), *(float(v) for v in measurement.derived().values())])


def test_gradient_is_its_finite_difference(truth):
    """Truth: central differences of the cost, accurate to about 1e-6 of its largest slope."""
    observed = simulate(truth, seed=3)["signal"].values
    problem, _ = pose(model(log10_product=-2.75, log10_stripping=0.15), observed)
    both = eqx.filter_jit(lambda x, along: jax.jvp(problem.cost, (x,), (along,)))  # value and slope: compiled once
    x = problem.start()
    for along, slot in zip(np.eye(x.size), problem.free, strict=True):
        slope = float(both(x, jnp.asarray(along))[1])
        ahead, behind = (float(both(x + s * 1e-4 * along, jnp.asarray(along))[0]) for s in (1, -1))
        assert abs((ahead - behind) / 2e-4 - slope) < 1e-4 * max(abs(slope), 1.0), slot.name


@pytest.mark.full
def test_truth_is_recovered_from_several_starts(truth):
    """Truth: noise-free fractions give back their own constants, from starts up to a factor 4 away in each."""
    signal = np.asarray(truth.expected())
    rng = np.random.default_rng(5)
    for _ in range(4):
        away = {name: value + rng.uniform(-0.6, 0.6) for name, value in TRUTH.items()}
        estimate = invert(model(**away), signal, free=list(TRUTH))
        assert np.all(np.abs(estimate.values - true_values(truth)) < 1e-3 * estimate.std)


def assert_honest(sets, seed):
    measurement = model()
    observed = simulate(measurement, seed=seed, batch=sets)
    estimate = invert(measurement, observed, throw=False)
    good = estimate.result == "converged"
    assert good.mean() > 0.995
    pull = ((estimate.values - true_values(measurement)) / estimate.std)[good]
    mean, spread, n = pull.mean(axis=0), pull.std(axis=0), len(pull)
    for i, name in enumerate(estimate.names):
        assert abs(mean[i]) < 0.1 + 4 / math.sqrt(n), f"{name}: mean pull {mean[i]:.3f}"
        assert abs(spread[i] - 1) < 0.05 + 4 / math.sqrt(2 * n), f"{name}: pull spread {spread[i]:.3f}"
    freedom = len(PLAN) - 3
    assert abs(np.mean(estimate.chi2_reduced) - 1) < 4 * math.sqrt(2 / (freedom * n))


@pytest.mark.full
def test_pulls():
    assert_honest(QUICK, seed=11)


@pytest.mark.full
def test_pulls_full():
    assert_honest(FULL, seed=12)


@pytest.fixture(scope="module")
def fitted(truth):
    """One data set, fitted without a start."""
    return fit_curves(points(simulate(truth, seed=21)["signal"].values))


@pytest.mark.full
def test_a_fit_needs_no_start(fitted, truth):
    away = (fitted.values - true_values(truth)) / fitted.std
    assert np.all(np.abs(away) < 4), away
    assert not open_ended(fitted)
    assert "log10_seeds = -9" in str(fitted)


@pytest.mark.full
def test_profile_intervals_cover(truth):
    """68 and 95 % of the profile intervals hold the truth; what the deviance at the truth says without searching."""
    observed = simulate(truth, seed=13, batch=QUICK)["signal"].values
    noise = truth.noise
    best = invert(truth, observed, throw=False)
    for name in TRUTH:
        held = invert(truth, observed, fix=(name,), throw=False)
        costs = [np.asarray(jnp.sum(noise.cost(observed, jnp.asarray(e.expected)), axis=-1)) for e in (held, best)]
        rise = 2 * (costs[0] - costs[1])
        for level, limit in ((0.683, 1.0), (0.95, 3.8415)):
            share = np.mean(rise <= limit)
            assert abs(share - level) < 0.03 + 4 * math.sqrt(level * (1 - level) / QUICK), (name, level, share)


def test_dark_curves_alone_leave_the_stripping_rate_open():
    """Truth: with s << 1 only the product k_o k_s is in the equation; and the dark says nothing on light."""
    more_water = Conditions.of(**{**VESSEL, "water_ul": 250.0})
    plan = [(t, DARK) if run is DARK else (12.0 * t, more_water) for t, run in PLAN]
    shy = model(plan=plan, log10_stripping=2.0)  # s = 1e-3 after 60 h
    estimate = fit_curves(points(simulate(shy, seed=4)["signal"].values, plan), free=list(TRUTH), throw=False)
    assert {"log10_stripping", "log10_light"} <= set(open_ended(estimate))
    assert "log10_product" not in open_ended(estimate)
    assert "log10_light has no effect on these data" in estimate.undetermined_sentence
    assert estimate.at_bound.get("log10_stripping", "upper") == "upper"  # no end above; never the lower one
    product = estimate["log10_product"]
    assert product.std < 0.03
    assert abs(product.value - TRUTH["log10_product"]) < 4 * product.std


def test_control_wrong_model_is_noticed():
    """A control that must fail: a first-order reaction has no such curve."""
    exact = np.array([-np.expm1(-t / (20.0 if run is DARK else 1.5)) for t, run in PLAN])
    noisy = exact + STD * np.random.default_rng(6).normal(size=exact.size)
    estimate = fit_curves(points(noisy), throw=False)
    freedom = len(PLAN) - 3
    assert estimate.result != "converged" or float(estimate.chi2_reduced) > 1 + 5 * math.sqrt(2 / freedom)


def test_control_shuffled_fractions_are_noticed(truth):
    shuffled = np.random.default_rng(8).permutation(simulate(truth, seed=7)["signal"].values)
    estimate = fit_curves(points(shuffled), throw=False)
    assert estimate.result != "converged" or float(estimate.chi2_reduced) > 2


def test_points_keep_their_order_and_their_runs():
    """Truth: each run on its own; points given in any order, times that repeat."""
    mixed = [PLAN[i] for i in (20, 3, 16, 3, 25)]
    together = np.asarray(model(plan=mixed).expected())
    whole = np.asarray(model().expected())
    assert np.allclose(together, whole[[20, 3, 16, 3, 25]], atol=1e-9)
    assert np.allclose(model(plan=mixed).times_h, [t for t, _ in mixed])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: fit_curves([]), "There is nothing to fit"),
        (lambda: fit_curves([Point(1.0, math.nan, 0.02, DARK)] * 4), "is not a number"),
        (lambda: fit_curves([Point(1.0, 0.5, 0.0, DARK)] * 4), 'Argument "std of the fraction" must be positive'),
        (lambda: fit_curves([Point(-1.0, 0.5, 0.02, DARK)] * 4), 'Argument "time_h" must be zero or positive'),
        (lambda: fit_curves([Point(0.0, 0.0, 0.02, DARK)] * 4), "at least one point after its beginning"),
        (lambda: fit_curves(points(), log10_moon=1.0), '"log10_moon" is not known'),
    ],
)
def test_bad_input_is_one_sentence(change, sentence):
    with pytest.raises(InputError, match=sentence):
        change()
