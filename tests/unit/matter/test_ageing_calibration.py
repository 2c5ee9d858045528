"""The numbers of the law of ageing: by hand, from simulated tests, and with what they leave open."""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.matter.ageing import Schedule, Stage, emission_kept, growth, quantum_yield
from perolas.matter.ageing_calibration import Band, Observed, calibrate, dose_band, efficiency_range

SEEN = Observed(272 / 135, 0.92, 0.55, 45.0, 0.93, 540 / 1440)


def test_against_numbers_worked_out_by_hand() -> None:
    """The docstring of the module has the arithmetic."""
    found = calibrate(SEEN)
    better, other, dark, light = found.values
    assert better == pytest.approx(0.060, abs=5e-4)
    assert other == pytest.approx(1.135, abs=1e-3)
    assert dark == pytest.approx(0.0207, abs=5e-5)
    assert dark + light == pytest.approx(2.26, abs=5e-3)
    assert (dark + light) / dark == pytest.approx(109, abs=0.5)
    assert quantum_yield(found.values[:2]) == pytest.approx([0.94, 0.47], abs=5e-3)
    assert (1 + other) / (1 + better) == pytest.approx(272 / 135, rel=1e-12)  # emission at the start, by the law


def test_it_gives_back_what_it_was_given_and_predicts_the_rest() -> None:
    better, other, dark, light = calibrate(SEEN).values

    def kept(ratio: float, rate: float, days: float) -> float:
        return float(emission_kept(ratio, growth(Schedule.of([Stage(days)]), rate)))

    assert kept(better, dark, 45) == pytest.approx(0.92, rel=1e-12)
    assert kept(other, dark, 45) == pytest.approx(0.55, rel=1e-12)
    assert kept(better, dark + light, 540 / 1440) == pytest.approx(0.93, rel=1e-12)
    assert kept(better, dark + light, 160 / 1440) == pytest.approx(0.984, abs=5e-4)
    assert kept(other, dark + light, 160 / 1440) == pytest.approx(0.868, abs=5e-4)
    assert kept(other, dark + light, 540 / 1440) == pytest.approx(0.585, abs=5e-4)


def test_slopes_against_finite_differences() -> None:
    jacobian = calibrate(SEEN).jacobian
    for j, name in enumerate(("lifetime_ratio", "kept_better", "kept_other", "kept_in_light")):
        ends = [calibrate(dataclasses.replace(SEEN, **{name: getattr(SEEN, name) + s})).values for s in (1e-6, -1e-6)]
        assert jacobian[:, j] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-9)


def test_pulls_over_simulated_tests() -> None:
    """Truth, noise on each observation, calibration: errors must cover; the bounds are those of the design, rule 2."""
    rng = np.random.default_rng(888)
    truth = np.array([0.2, 1.5, 0.03, 1.8])
    exact = np.array([2.5 / 1.2, *(float(emission_kept(r, 0.03 * 40)) for r in truth[:2]), 0.0])
    exact[3] = float(emission_kept(0.2, (0.03 + 1.8) * 0.5))
    std = np.array([0.01, 0.003, 0.003, 0.003])
    number, pulls = 200, []
    for _ in range(number):
        r, f1, f2, fl = exact + std * rng.standard_normal(4)
        found = calibrate(Observed(r, f1, f2, 40.0, fl, 0.5, 1.0, *std))
        pulls.append((found.values - truth) / found.std)
    spread = np.array(pulls)
    assert np.all(np.abs(spread.mean(axis=0)) < 0.1 + 4 / math.sqrt(number))
    assert np.all(np.abs(spread.std(axis=0, ddof=1) - 1) < 0.05 + 4 / math.sqrt(2 * number))


def test_predictions_carry_the_errors_of_the_observations() -> None:
    found = calibrate(dataclasses.replace(SEEN, lifetime_ratio_std=0.05, kept_better_std=0.01, kept_other_std=0.01))
    value, parts = found.predict(lambda p: p[0] * 0 + p[2])
    assert value == pytest.approx(found.values[2])
    assert math.hypot(*parts) == pytest.approx(found.std[2])
    # what was observed itself has the error of its own observation and none of the others
    value, parts = found.predict(lambda p: (1 + p[0]) / (1 + p[0] * jnp.exp(p[2] * 45.0)))
    assert value == pytest.approx(0.92)
    assert parts == pytest.approx([0.0, 0.01, 0.0, 0.0], abs=1e-12)


def test_a_light_test_in_dry_surroundings_leaves_all_to_the_light() -> None:
    dry = calibrate(dataclasses.replace(SEEN, light_dark_rate=0.0)).values
    wet = calibrate(SEEN).values
    assert dry[3] == pytest.approx(wet[3] + wet[2])


def test_the_dose_is_a_band() -> None:
    """8.6e7 shots at 0.26-5.9 excitations; thin: 3.0e3 excitations a second; thick: an eightieth of that."""
    better, _, _, light = calibrate(SEEN).values
    thin = efficiency_range(light, (3.0e3, 3.0e3))
    assert thin[0] == pytest.approx(8.6e-9, rel=0.01)
    band = dose_band((better, better), thin, (2e7, 5e8))
    assert band.high == pytest.approx(0.99, abs=5e-3)
    assert band.low == pytest.approx(0.18, abs=0.02)
    assert band.informative
    thick = efficiency_range(light, (3.0e3 / 80, 3.0e3))
    assert thick[1] == pytest.approx(80 * thick[0])
    wide = dose_band((better, better), thick, (2e7, 5e8))
    assert not wide.informative
    assert "uninformative" in str(wide)
    assert not Band(0.0, 1.0).informative
    assert any("phi" in s for s in calibrate(SEEN).undetermined)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lifetime_ratio": 0.9}, "must be above 1, but is 0.9"),
        ({"lifetime_ratio": math.nan}, '"lifetime ratio" must be positive'),
        ({"kept_better": 1.2}, "must lie between 0 and 1, but is 1.2"),
        ({"kept_in_light": math.nan}, "must lie between 0 and 1, but is nan"),
        ({"kept_other": 0.95}, "must keep more than the other"),
        ({"dark_d": -45.0}, '"time in the dark" must be positive, but is -45 d'),
        ({"light_d": None}, "both the share that is kept and how long"),
        ({"kept_other_std": -0.1}, "zero or positive"),
        ({"light_d": 100.0}, "lost less than the rate in the dark"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        calibrate(dataclasses.replace(SEEN, **change))


def test_bad_ranges_are_one_sentence() -> None:
    with pytest.raises(InputError, match="runs backwards"):
        efficiency_range(2.0, (10.0, 1.0))
    with pytest.raises(InputError, match='"number of excitations"'):
        dose_band((0.1, 0.1), (1e-9, 1e-9), (-1.0, 1.0))
