"""The test that lets a technique in (DESIGN section 3, rule 2): gradient, recovery, pulls, rank, and two controls.

Truth is the measurement that made the data. The quick run draws 200 sets, the full one 1,000.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from inversion.systems import SYSTEMS

from perolas.core.invert import invert, pose
from perolas.core.measurement import simulate
from perolas.core.parameter import write_slots
from perolas.core.solver import LevenbergMarquardt
from perolas.measurements.registry import techniques

NAMES = sorted(SYSTEMS)
QUICK, FULL = 200, 1000


def test_every_technique_has_a_system():
    assert set(techniques()) == set(SYSTEMS)


def fit(system, signal, guess=None, **options):
    return invert(guess or system.truth, signal, free=system.free, fix=system.fix, throw=False, **options)


def true_values(system, measurement):
    """Return the true value of every quantity of a fit: the fit's own arithmetic at the true parameters."""
    problem, _ = pose(measurement, np.round(np.asarray(measurement.expected())), free=system.free, fix=system.fix)
    derived = problem.seen(problem.start()).derived()
    return np.concatenate([problem.start(), np.array(list(derived.values()))])


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_its_finite_difference(name):
    """Truth: central differences of the cost, accurate to about 1e-6 of its largest slope."""
    system = SYSTEMS[name]
    observed = simulate(system.scaled(2000.0), seed=3)["signal"].values
    problem, _ = pose(system.scaled(2100.0), observed, free=system.free, fix=system.fix)
    x = problem.start()
    cost = jax.jit(lambda point: problem.cost(point))
    slope = np.asarray(jax.jit(jax.grad(cost))(x))
    for i, slot in enumerate(problem.free):
        step = 1e-5 * max(abs(float(x[i])), 1e-3)
        ahead, behind = (float(cost(x.at[i].add(s * step))) for s in (1, -1))
        size = max(abs(slope[i]), 1e-6 * abs(ahead) / step, 1e-9)
        assert abs((ahead - behind) / (2 * step) - slope[i]) < 1e-4 * size, slot.name


@pytest.mark.parametrize("name", NAMES)
def test_truth_is_recovered_from_several_starts(name):
    """Truth: noise-free data must give back their own parameters, from starts up to 10 % of them away."""
    system = SYSTEMS[name]
    measurement = system.scaled(1e4)
    signal = np.asarray(measurement.expected())
    truth = true_values(system, measurement)
    problem, _ = pose(measurement, signal, free=system.free, fix=system.fix)
    rng = np.random.default_rng(5)
    for _ in range(4):
        x = np.asarray(problem.start())
        near = x * (1 + 0.1 * rng.uniform(-1, 1, x.size) * np.array([s.field not in POSITIONS for s in problem.free]))
        guess, _ = problem.assemble(jnp.asarray(near))
        estimate = fit(system, signal, guess)
        assert estimate.result == "converged"
        # 1e-3 of a standard error at 1e4 counts: what is left is the solver's own tolerance.
        assert np.all(np.abs(estimate.values - truth) < 1e-3 * estimate.std + 1e-9 * np.abs(truth))


# Starting a line ten per cent of its position away is not a start near the truth; its position is found, not guessed.
POSITIONS = (
    "position_ev", "position", "splitting_ev", "length_nm", "frequency_x_per_nm", "frequency_y_per_nm", "centre_ev",
    "gap_ev", "position_cm1",
)  # fmt: skip


def pulls(name, sets, counts, seed=11):
    system = SYSTEMS[name]
    measurement = system.scaled(counts)
    observed = simulate(measurement, seed=seed, batch=sets)
    estimate = fit(system, observed, measurement)
    good = estimate.result == "converged"
    assert good.mean() > 0.995
    return estimate, ((estimate.values - true_values(system, measurement)) / estimate.std)[good], good


def assert_honest(pull, names):
    n = len(pull)
    mean, std = pull.mean(axis=0), pull.std(axis=0)
    for i, name in enumerate(names):
        assert abs(mean[i]) < 0.1 + 4 / math.sqrt(n), f"{name}: mean pull {mean[i]:.3f}"
        assert abs(std[i] - 1) < 0.05 + 4 / math.sqrt(2 * n), f"{name}: pull spread {std[i]:.3f}"


@pytest.mark.parametrize("name", NAMES)
def test_pulls(name):
    estimate, pull, _ = pulls(name, QUICK // 2 if SYSTEMS[name].dear else QUICK, 1e4)
    assert_honest(pull, estimate.names)


@pytest.mark.full
@pytest.mark.parametrize("counts", [1e3, 1e4, 1e5, 1e6])
@pytest.mark.parametrize("name", NAMES)
def test_pulls_full(name, counts):
    estimate, pull, _ = pulls(name, QUICK if SYSTEMS[name].dear and counts != 1e4 else FULL, counts, seed=12)
    assert_honest(pull, estimate.names)


def coverage(name, sets, counts, parameters=None):
    """Return for each free parameter in which share of the sets its 68 and 95 % profile intervals hold the truth."""
    system = SYSTEMS[name]
    measurement = system.scaled(counts)
    observed = simulate(measurement, seed=13, batch=sets)["signal"].values
    problem, _ = pose(measurement, observed[0], free=system.free, fix=system.fix)
    solver = LevenbergMarquardt(tol=1e-8)
    best = invert(measurement, observed, free=system.free, fix=system.fix, solver=solver, throw=False)
    found = {}
    for slot in problem.free:
        if parameters is not None and slot.name not in parameters:
            continue
        fixed = invert(
            measurement, observed, free=system.free, fix=(*system.fix, slot.name), solver=solver, throw=False
        )
        rise = 2 * (cost(problem, fixed, observed) - cost(problem, best, observed))
        found[slot.name] = (np.mean(rise <= 1.0), np.mean(rise <= 3.8415))
    return found


def cost(problem, estimate, observed):
    noise = problem.measurement.noise
    return np.asarray(jnp.sum(noise.cost(jnp.asarray(observed), jnp.asarray(estimate.expected)), axis=-1))


def assert_covers(found, sets):
    """68.3 and 95.4 % are exact for many counts; 50 counts at the peak may cover up to 3 % otherwise."""
    for name, (one, two) in found.items():
        assert abs(one - 0.683) < 0.03 + 4 * math.sqrt(0.683 * 0.317 / sets), f"{name}: {one:.3f}"
        assert abs(two - 0.95) < 0.03 + 4 * math.sqrt(0.95 * 0.05 / sets), f"{name}: {two:.3f}"


@pytest.mark.full
@pytest.mark.parametrize("counts", [50.0, 200.0])
@pytest.mark.parametrize("name", NAMES)
def test_profile_coverage_full(name, counts):
    few = SYSTEMS[name].dear
    sets = QUICK if few else FULL
    assert_covers(coverage(name, sets, counts, few or None), sets)


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_determined_is_named(name):
    """Two parameters that do the same: freeing an amplitude beside its exact double must be reported, not fitted."""
    system = SYSTEMS[name]
    measurement = system.scaled(1e4)
    signal = simulate(measurement, seed=4)
    # An observation in which nothing depends on the first vector parameter's last element: its strength is zero.
    problem, _ = pose(measurement, signal, free=system.free, fix=system.fix)
    strength = [
        s for s in problem.free if s.field in ("amplitude", "area", "scale", "number", "amount", "other_nmol_cm2")
    ][-1]
    dark = write_slots(measurement, {strength: jnp.asarray(0.0)})
    estimate = invert(dark, simulate(dark, seed=4), free=system.free, fix=(*system.fix, strength.name), throw=False)
    assert estimate.undetermined
    assert estimate.undetermined_sentence.startswith("The data cannot determine everything")


@pytest.mark.parametrize("name", NAMES)
def test_control_wrong_model_is_noticed(name):
    """A control that must fail: data that the model cannot make have a chi-square far above one."""
    system = SYSTEMS[name]
    observed = simulate(system.wrong(1e5), seed=6)
    estimate = fit(system, observed, system.scaled(1e5))
    right = fit(system, simulate(system.scaled(1e5), seed=6), system.scaled(1e5))
    n = estimate.n_points - estimate.n_free
    assert abs(float(right.chi2_reduced) - 1) < 5 * math.sqrt(2 / n)
    assert estimate.result != "converged" or float(estimate.chi2_reduced) > 1 + 5 * math.sqrt(2 / n)


@pytest.mark.parametrize("name", NAMES)
def test_control_shuffled_data_are_noticed(name):
    """The other control: the same counts in another order do not look like the model."""
    system = SYSTEMS[name]
    signal = simulate(system.scaled(1e4), seed=7)["signal"].values
    shuffled = np.random.default_rng(8).permutation(signal)
    estimate = fit(system, shuffled, system.scaled(1e4))
    assert estimate.result != "converged" or float(estimate.chi2_reduced) > 2
