"""Rival rate laws against numerical solutions of their own equations."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from perolas.core.errors import InputError
from perolas.matter.transformation import Conditions
from perolas.matter.transformation.rivals import LAWS, avrami, finke_watzky, first_order, law, shrinking_core

TIMES = np.linspace(0.0, 40.0, 81)


def solved(right, start=0.0):
    done = solve_ivp(right, (0, TIMES[-1]), [start], "DOP853", TIMES, rtol=1e-12, atol=1e-14)
    assert done.success
    return done.y[0]


def test_first_order_and_shrinking_core():
    """Truth: dX/dt = k (1 - X), and dX/dt = k (1 - X)^(2/3) until nothing is left."""
    assert np.allclose(first_order(0.2, TIMES), solved(lambda t, x: 0.2 * (1 - x)), atol=1e-10)
    numeric = solved(lambda t, x: 0.06 * np.maximum(1 - x, 0) ** (2 / 3))  # complete at 3/k = 50 h
    assert np.allclose(shrinking_core(0.06, TIMES), numeric, atol=1e-9)
    assert np.all(np.asarray(shrinking_core(1.0, TIMES))[TIMES >= 3] == 1.0)


@pytest.mark.parametrize(("k1", "k2"), [(1e-6, 0.5), (0.01, 0.3), (0.2, 1e-3)])
def test_finke_watzky(k1, k2):
    """Truth: A -> B at k_1 and A + B -> 2 B at k_2, integrated; A and B in units of the first A."""
    numeric = solved(lambda t, b: (k1 + k2 * b) * (1 - b))
    assert np.allclose(finke_watzky(k1, k2, TIMES), numeric, atol=1e-9)


def test_finke_watzky_does_not_overflow():
    """(k_1 + k_2) t of 1e4 is far beyond the exponent that float64 can hold."""
    late = np.asarray(finke_watzky(1e-9, 100.0, jnp.array([0.0, 1e2, 1e6])))
    assert np.all(np.isfinite(late))
    assert late[0] == pytest.approx(0.0, abs=1e-15)
    assert late[2] == 1.0


@pytest.mark.parametrize("n", [0.5, 1.0, 2.27, 7.96])
def test_avrami(n):
    """Truth: X = 1 - exp(-(k t)^n): 1 - 1/e at t = 1/k, first order at n = 1, slope n of ln(-ln(1 - X))."""
    assert float(avrami(0.1, n, 10.0)) == pytest.approx(1 - np.exp(-1), rel=1e-14)
    if n == 1.0:
        assert np.allclose(avrami(0.1, n, TIMES), first_order(0.1, TIMES), rtol=1e-13)
    x = np.asarray(avrami(0.1, n, np.array([8.0, 10.0])))
    assert np.diff(np.log(-np.log1p(-x)))[0] / np.log(10 / 8) == pytest.approx(n, rel=1e-9)
    assert float(avrami(0.1, n, 0.0)) == 0.0


@pytest.mark.parametrize(("function", "expected"), [(first_order, 58.4), (shrinking_core, 37.3)])
def test_ratio_of_times(function, expected):
    """Truth: ln 20 / ln(20/19) = 58.4; [1 - 0.05^(1/3)] / [1 - 0.95^(1/3)] = 37.3; the paper's 48 h / 8 h is 6.0."""
    t = np.linspace(1e-3, 10, 2_000_001)
    x = np.asarray(function(1.0, t))
    late, early = (np.interp(level, x, t) for level in (0.95, 0.05))
    assert late / early == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_every_law_rises_from_nothing_to_all(name):
    """In the middle of its prior, each law gives fractions that start near 0, never fall, and end near 1."""
    one = law(name)
    middle = {key: jnp.asarray(0.5 * (low + high)) for key, (low, high) in one.priors.items()}
    lit = Conditions(photons_per_lead_h=3.0, product_thickness=80.0)
    x = np.asarray(one.fraction(middle, lit, jnp.linspace(0.0, 1e3, 50)))
    assert np.all(np.diff(x) > -1e-7)
    assert -1e-9 <= x[0] < 2e-2
    assert 0.9 < x[-1] <= 1 + 1e-9


def test_light_makes_a_rival_faster():
    values = {"log10_rate": jnp.asarray(-1.0), "log10_light_factor": jnp.asarray(1.0)}
    dark, lit = (
        law("first order").fraction(values, Conditions(photons_per_lead_h=q), jnp.array([1.0])) for q in (0.0, 1.0)
    )
    assert float(dark[0]) == pytest.approx(-np.expm1(-0.1), rel=1e-12)
    assert float(lit[0]) == pytest.approx(-np.expm1(-1.0), rel=1e-12)


def test_unknown_law():
    with pytest.raises(InputError, match='The rate law "avrami" is not known'):
        law("avrami")
