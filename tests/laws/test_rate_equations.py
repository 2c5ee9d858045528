"""Rate equations: the exact steady state, its limits, conservation, and how a pulse behaves."""

from __future__ import annotations

import decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from perolas.core.errors import InputError
from perolas.laser import rate
from perolas.laser.rate import RateModel

PUMPS = np.array([0.01, 0.1, 0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0, 10.0, 100.0])
BETAS = [1e-6, 1e-5, 1e-3, 0.03, 0.5, 1.0]


def by_decimal(p: float, beta: float) -> float:
    """The formula of laser.md, section 2, as printed there, with 60 digits so that cancelling does no harm."""
    with decimal.localcontext() as context:
        context.prec = 60
        p_, b = decimal.Decimal(p), decimal.Decimal(beta)
        return float(((p_ - 1) + ((p_ - 1) ** 2 + 4 * b * p_).sqrt()) / (2 * b))


@pytest.mark.parametrize("beta", BETAS)
def test_steady_state_is_the_exact_one(beta: float) -> None:
    exact = np.array([by_decimal(p, beta) for p in PUMPS])
    assert np.asarray(rate.exact_photons(PUMPS, beta)) == pytest.approx(exact, rel=1e-13)
    model = RateModel(beta=beta)
    found = rate.steady_state(model, PUMPS * model.threshold_pump_per_ps)
    assert np.asarray(found.photons) == pytest.approx(exact, rel=1e-10)
    # photons made equal photons lost
    made = beta * found.carriers * (found.photons + 1) / model.lifetime_ps
    assert np.asarray(made) == pytest.approx(np.asarray(found.photons / model.photon_lifetime_ps), rel=1e-10)


def test_at_threshold_one_over_the_root_of_beta() -> None:
    betas = np.logspace(-6, 0, 13)
    assert np.asarray(rate.exact_photons(1.0, betas)) == pytest.approx(betas**-0.5, rel=1e-14)
    for beta in (1e-6, 1e-2, 1.0):
        model = RateModel(beta=beta)
        assert float(rate.steady_state(model, model.threshold_pump_per_ps).photons) == pytest.approx(
            beta**-0.5, rel=1e-10
        )


@pytest.mark.parametrize(("p", "beta"), [(0.3, 1e-3), (1.0, 1e-2), (3.0, 1e-3), (20.0, 0.3)])
def test_time_ends_in_the_steady_state(p: float, beta: float) -> None:
    model = RateModel(lifetime_ps=50.0, beta=beta)
    course = rate.switched_on(model, p * model.threshold_pump_per_ps, np.linspace(0.0, 3000.0, 4))
    assert float(course.photons[-1]) == pytest.approx(by_decimal(p, beta), rel=1e-7)


def test_whole_equations_against_another_solver() -> None:
    """scipy's Radau, with Auger, transparency and compression at once; then the steady state of the same."""
    model = RateModel(60.0, 0.5, 1e-3, 4e4, 1e-7, 1e-4, 0.7)
    start = 3e5
    times = np.array([0.0, 0.5, 2.0, 5.0, 20.0, 80.0])

    def slope(_: float, y: np.ndarray) -> list[float]:
        h, n, s = y
        stimulated = 1e-3 * (n - 4e4) * s / (1 + 1e-4 * s) / 60.0
        return [-h / 0.7, h / 0.7 - n / 60 - 1e-7 * n * n - stimulated, 1e-3 * n / 60 + stimulated - s / 0.5]

    other = solve_ivp(slope, (0, 80), [start, 0, 0], "Radau", times, rtol=1e-10, atol=1e-6)
    course = rate.after_pulse(model, start, times)
    assert np.asarray(course.carriers) == pytest.approx(other.y[1], rel=1e-6, abs=1e-3)
    assert np.asarray(course.photons) == pytest.approx(other.y[2], rel=1e-6, abs=1e-3)
    pump = 4.0 * float(model.threshold_pump_per_ps)
    steady = rate.steady_state(model, pump)
    y = jnp.array([pump * 0.7, steady.carriers, steady.photons, 0.0, 0.0])
    rest = rate.slopes(0.0, y, (model, jnp.asarray(pump)))
    assert np.asarray(rest[:3]) == pytest.approx(np.zeros(3), abs=1e-9 * pump)


def test_nothing_is_lost_from_the_books() -> None:
    model = RateModel(100.0, 0.5, 1e-3, 2e4, 1e-8, 1e-5, 0.5)
    course = rate.after_pulse(model, 1e6, np.linspace(0.0, 400.0, 200))
    whole = sum(course[1:])
    assert np.asarray(whole) == pytest.approx(1e6, rel=1e-8)


def test_below_threshold_light_follows_spontaneous_emission() -> None:
    """Few carriers: N decays alone, and the mode gets its share beta of the recombination."""
    model = RateModel(100.0, 0.01, 1e-4, cooling_ps=0.01)
    course = rate.after_pulse(model, 10.0, np.linspace(0.0, 1500.0, 50))
    assert float(course.emitted[-1]) == pytest.approx(10.0 * 1e-4, rel=1e-4)
    assert float(course.carriers[10]) == pytest.approx(10.0 * np.exp(-float(course.time_ps[10]) / 100), rel=2e-4)


def test_above_threshold_the_pulse_is_short_early_and_strong() -> None:
    model = RateModel(300.0, 0.5, 1e-4)
    threshold = float(model.threshold_carriers)
    times = np.linspace(0.0, 600.0, 6001)
    pulses = [rate.emission_pulse(model, rate.after_pulse(model, x * threshold, times)) for x in (0.5, 2.0, 4.0, 8.0)]
    widths, delays = [float(p.width_ps) for p in pulses], [float(p.delay_ps) for p in pulses]
    assert widths == sorted(widths, reverse=True)
    assert delays[1:] == sorted(delays[1:], reverse=True)
    assert widths[0] > 100.0 > 20.0 > widths[1]
    gain = float(pulses[3].photons) / 8 / (float(pulses[0].photons) / 0.5)
    assert gain > 100.0  # photons for each excitation


def test_auger_raises_the_threshold() -> None:
    free = RateModel(beta=1e-3)
    auger = RateModel(beta=1e-3, auger_per_ps=rate.auger_per_ps(100.0, 1e6))
    assert float(auger.threshold_pump_per_ps) > 1.5 * float(free.threshold_pump_per_ps)
    # mean of k (k - 1) / 2 over a Poisson law with mean 3, times 1 / lifetime, for 1e6 nanocrystals
    k = np.arange(60)
    weights = np.exp(-3.0 + k * np.log(3.0) - np.cumsum(np.log(np.maximum(k, 1))))
    direct = 1e6 * np.sum(weights * k * (k - 1) / 2) / 100.0
    assert rate.auger_per_ps(100.0, 1e6) * (3e6) ** 2 == pytest.approx(direct, rel=1e-12)


def test_s_curve_of_two_photons_is_twice_as_steep() -> None:
    model = RateModel(beta=1e-5)
    x = np.array([1e-3, 2e-3])
    for photons in (1, 2):
        s = rate.s_curve(model, x, photons)
        assert float(jnp.log2(s[1] / s[0])) == pytest.approx(photons, rel=1e-2)
    assert float(rate.s_curve(model, 1.0, 2)) == pytest.approx(1e-5**-0.5, rel=1e-9)


def test_gradients_against_finite_differences() -> None:
    def light(x: jax.Array) -> jax.Array:
        model = RateModel(x[0], x[1], x[2], x[3], x[4], x[5])
        return jnp.log(rate.steady_state(model, x[6]).photons)

    at = np.array([300.0, 0.5, 1e-3, 1e5, 1e-9, 1e-5, 6e3])
    slope = jax.grad(light)(at)
    for i, value in enumerate(at):
        step = np.eye(7)[i] * value * 1e-4
        assert float(slope[i]) == pytest.approx(float(light(at + step) - light(at - step)) / (2e-4 * value), rel=1e-5)


@pytest.mark.full
def test_gradients_through_time() -> None:
    times = jnp.linspace(0.0, 30.0, 4)

    def light(x: jax.Array) -> jax.Array:
        return rate.after_pulse(RateModel(x[0], 0.5, x[1]), x[2], times).emitted[-1]

    at = np.array([100.0, 1e-3, 8e5])
    slope = jax.grad(light)(at)
    for i, value in enumerate(at):
        step = np.eye(3)[i] * value * 1e-4
        assert float(slope[i]) == pytest.approx(float(light(at + step) - light(at - step)) / (2e-4 * value), rel=1e-4)


def test_linewidth() -> None:
    """laser.md, section 1: 0.3 nm at 532 nm means 0.50 ps and a gain of 107 (n 1.6) to 133 cm-1 (n 2.0)."""
    lifetime = float(rate.photon_lifetime_ps(0.3, 532.0))
    assert lifetime == pytest.approx(0.50, abs=0.005)
    assert [float(rate.threshold_gain_cm1(lifetime, n)) for n in (1.6, 2.0)] == pytest.approx([107, 133], abs=1)
    model = RateModel(photon_lifetime_ps=lifetime, beta=1e-4)
    p = np.array([1e-4, 0.5, 10.0, 100.0])
    state = rate.steady_state(model, p * model.threshold_pump_per_ps)
    width = np.asarray(rate.linewidth_nm(model, state, 532.0))
    assert width[0] == pytest.approx(0.3, rel=1e-3)
    assert width[1] == pytest.approx(0.3 * 0.5, rel=1e-3)  # 1 - p below threshold
    assert width[2] / width[3] == pytest.approx(99 / 9, rel=1e-3)  # the inverse of the power above (Schawlow, Townes)
    wide = np.asarray(rate.linewidth_nm(model, state, 532.0, henry=2.0))
    assert wide / width == pytest.approx([1, 1, 5, 5])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: RateModel(beta=0.0), '"beta" must be positive'),
        (lambda: RateModel(beta=1.5), "at most 1, but is 1.5"),
        (lambda: RateModel(lifetime_ps=-1.0), '"carrier lifetime" must be positive'),
        (lambda: RateModel(transparency=-1.0), '"transparency" must be zero or positive'),
        (lambda: rate.steady_state(RateModel(), 0.0), '"pump" must be positive'),
        (lambda: rate.exact_photons(-1.0, 0.1), '"pump" must be zero or positive'),
        (lambda: rate.after_pulse(RateModel(), 0.0, [0.0, 1.0]), '"excitations" must be positive'),
        (lambda: rate.after_pulse(RateModel(), 1.0, [0.0, 2.0, 1.0]), "must rise or fall"),
        (lambda: rate.after_pulse(RateModel(), 1.0, [2.0, 1.0]), "must rise from 0"),
        (lambda: rate.s_curve(RateModel(), 1.0, 3), "not of 3"),
        (lambda: rate.auger_per_ps(0.0, 1.0), '"Auger lifetime" must be positive'),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
