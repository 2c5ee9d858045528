"""Ageing: the closed form against a solver, against figures worked out by hand, and against what must hold anyway."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.integrate import solve_ivp

from perolas.core.errors import InputError
from perolas.matter import ageing
from perolas.matter.ageing import Environment, Schedule, Stage

STAGES = [
    Stage(2.0, environment="water"),
    Stage(0.3, excitations_per_s=3000.0, environment=Environment(0.5, 1.0)),
    Stage(5.0, excitations_per_s=200.0, environment="dry"),
]


def test_closed_form_against_a_solver() -> None:
    """scipy's DOP853, started anew at each change of the conditions."""
    ratio, rate, efficiency = 0.2, 0.05, 3e-9
    found, start = [ratio], 0.0
    for stage, (dark, light) in zip(STAGES, [(1, 1), (0.5, 1), (0, 1)], strict=True):

        def slope(_: float, r: np.ndarray, k: float = dark * rate, j: float = light * stage.excitations_per_s):
            return (k + efficiency * j * 86400) * r

        solved = solve_ivp(slope, (start, start + stage.days), [found[-1]], "DOP853", rtol=1e-12, atol=1e-14)
        found.append(solved.y[0, -1])
        start += stage.days
    schedule = Schedule.of(STAGES)
    times = jnp.array([0.0, 2.0, 2.3, 7.3])
    exact = ageing.aged_ratio(ratio, ageing.growth(schedule, rate, efficiency, times))
    assert exact == pytest.approx(np.array(found), rel=1e-10)
    assert float(ageing.growth(schedule, rate, efficiency)) == pytest.approx(math.log(found[-1] / ratio), rel=1e-10)


def test_after_the_end_nothing_changes() -> None:
    late = ageing.growth(Schedule.of(STAGES), 0.05, 1e-9, jnp.array([7.3, 700.0]))
    assert late[0] == pytest.approx(late[1])


def test_shots_equal_stepping_through_them() -> None:
    """A thousand shots one by one, and as one stage; the dose counts, not the rate."""
    ratio, chance, per_shot, shots = 0.3, 1e-3, 1.7, 1000
    r = ratio
    for _ in range(shots):
        r *= math.exp(chance * per_shot)
    for hz in (1.0, 1000.0):
        schedule = Schedule.of([Stage.shots(shots, per_shot, hz, Environment(0.0, 1.0))])
        assert float(ageing.aged_ratio(ratio, ageing.growth(schedule, 0.02, chance))) == pytest.approx(r, rel=1e-11)


def test_what_follows_from_the_ratio() -> None:
    assert float(ageing.quantum_yield(1.0)) == 0.5
    assert float(ageing.lifetime_ns(3.0, 400.0)) == 100.0
    # r from 0.25 to 1: the threshold rises by 2 / 1.25 = 1.6
    twice_two = math.log(4.0)
    assert float(ageing.emission_kept(0.25, twice_two)) == pytest.approx(1 / 1.6)
    assert float(ageing.lasing_kept(0.25, twice_two)) == pytest.approx(1 / 1.6)
    assert float(ageing.lasing_kept(0.25, twice_two, 3.2)) == pytest.approx((3.2 / 1.6 - 1) / 2.2)
    assert float(ageing.lasing_kept(0.25, twice_two, 1.5)) == 0.0


def test_gradients_against_finite_differences() -> None:
    schedule = Schedule.of(STAGES)

    def kept(x: jax.Array) -> jax.Array:
        return ageing.emission_kept(x[0], ageing.growth(schedule, x[1], x[2] * 1e-9))

    at = jnp.array([0.2, 0.05, 3.0])
    slope = jax.grad(kept)(at)
    for i, step in enumerate(jnp.eye(3) * 1e-5):
        assert float(slope[i]) == pytest.approx(float((kept(at + step) - kept(at - step)) / 2e-5), rel=1e-7)


def test_the_far_end_is_dark_and_has_a_gradient() -> None:
    assert float(ageing.emission_kept(0.1, 1e6)) < 1e-100
    assert math.isfinite(float(jax.grad(lambda g: ageing.emission_kept(0.1, g))(1e6)))


def test_it_maps_over_rates_ratios_and_schedules() -> None:
    one = Schedule.of(STAGES)
    rates = jnp.linspace(0.0, 0.1, 5)
    times = jnp.linspace(0.0, 8.0, 7)
    together = ageing.growth(one, rates[:, None], jnp.array([0.0, 1e-9, 2e-9]), times)
    assert together.shape == (5, 3, 7)
    assert together[4, 2] == pytest.approx(ageing.growth(one, 0.1, 2e-9, times))
    batch = jax.tree.map(lambda *x: jnp.stack(x), one, one)
    assert jax.vmap(lambda s: ageing.growth(s, 0.05))(batch).shape == (2,)
    assert ageing.growth(batch, 0.05, 0.0, times).shape == (2, 7)


@given(
    st.floats(0, 100), st.floats(0, 10), st.floats(0, 1e-6), st.floats(0, 100), st.floats(0, 1e4), st.floats(1e-3, 100)
)
@settings(max_examples=60, deadline=None)
def test_more_of_anything_never_brings_emission_back(
    ratio: float, rate: float, efficiency: float, days: float, excitations: float, more: float
) -> None:
    def kept(time: float, j: float) -> float:
        return float(ageing.emission_kept(ratio, ageing.growth(Schedule.of([Stage(time, j)]), rate, efficiency)))

    first = kept(days, excitations)
    assert 0 <= first <= 1 + 1e-12
    assert kept(days + more, excitations) <= first + 1e-12
    assert kept(days, excitations + more) <= first + 1e-12


@given(st.floats(1e-3, 10), st.floats(0.01, 5), st.floats(1.01, 20))
@settings(max_examples=60, deadline=None)
def test_the_sample_with_more_defects_loses_more(ratio: float, exponent: float, times: float) -> None:
    assert float(ageing.emission_kept(ratio * times, exponent)) < float(ageing.emission_kept(ratio, exponent))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Schedule.of([Stage(-1.0)]), '"duration" must be zero or positive, but is -1 d'),
        (lambda: Schedule.of([Stage(math.nan)]), "zero or positive"),
        (lambda: Schedule.of([]), "at least one stage"),
        (lambda: Schedule.of([Stage(1, environment="watr")]), 'did you mean "water"'),
        (lambda: Schedule.of([Stage(1, environment=Environment(-1.0))]), "factor on the dark rate"),
        (lambda: Stage.shots(1e7, 1.0, 0.0), '"repetition rate" must be positive'),
        (lambda: ageing.growth(Schedule.of([Stage(1)]), -0.1), '"dark rate" must be zero or positive'),
        (lambda: ageing.growth(Schedule.of([Stage(1)]), 0.1, 0.0, [-1.0]), '"time" must be zero or positive'),
        (lambda: ageing.quantum_yield(math.nan), '"ratio" must be zero or positive'),
        (lambda: ageing.lifetime_ns(1.0, 0.0), '"radiative lifetime" must be positive'),
        (lambda: ageing.lasing_kept(0.1, 1.0, 0.9), "must be above 1 for lasing"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
