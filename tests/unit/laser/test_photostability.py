"""Output over the shots. Targets are the ageing law integrated by hand, and arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser.photostability import LightTest, excitations_above, output_kept, shots_to_half

# r_0 0.06 and 2.24 a day at 3000 excitations a second: numbers such as a test of 9 h gives.
TEST = LightTest(ratio=0.06, light_rate_per_d=2.24, excitations_per_s=3000.0, shading=80.0)


def test_two_photons_make_225_times_as_many_at_15() -> None:
    assert excitations_above(1.0, 1.5, 2) == pytest.approx(2.25)
    assert excitations_above(1.0, 1.5, 1) == pytest.approx(1.5)


def test_readings_differ_by_the_shading() -> None:
    assert TEST.efficiency("thick") == pytest.approx(80.0 * TEST.efficiency("thin"))
    assert TEST.efficiency("thin") == pytest.approx(2.24 / 86400.0 / 3000.0)


def test_output_by_integrating_the_law() -> None:
    # analytic: r' = phi J r step by step, and output linear above a threshold that rises as 1 + r
    kept = output_kept(TEST, 0.4, 8.6e7)
    phi, r, steps = 2.24 / 86400.0 / 3000.0, 0.06, 20000
    for _ in range(steps):
        r *= 1.0 + phi * 0.4 * 2.25 * 8.6e7 / steps
    rise = (1.0 + r) / 1.06
    assert kept.bands["thin"].median == pytest.approx((1.5 / rise - 1.0) / 0.5, rel=1e-4)
    assert kept.curves["thin"][1, -1] == pytest.approx(kept.bands["thin"].median)
    assert kept.curves["thin"][1, 0] == pytest.approx(1.0)
    softer = output_kept(TEST, 0.4, 8.6e7, linear=False)
    assert softer.bands["thin"].median == pytest.approx(1.06 / (1.0 + r), rel=1e-4)


def test_readings_that_disagree_are_undetermined() -> None:
    kept = output_kept(TEST, 0.4, 8.6e7)
    assert kept.bands["thin"].median > 0.8
    assert kept.bands["thick"].median == 0.0
    assert kept.verdict == "undetermined"
    assert "disagree" in kept.sentence


def test_verdicts_where_both_agree() -> None:
    assert output_kept(TEST, 0.4, 1e4).verdict == "intact"
    assert output_kept(TEST, 400.0, 8.6e7).verdict == "lost"
    assert output_kept(TEST, 0.4, 8.6e7, surroundings=(0.0, 0.0)).verdict == "intact"
    wide = output_kept(TEST, np.geomspace(1e-3, 1e3, 200), 8.6e7, surroundings=(0.0, 1.0))
    assert wide.verdict == "undetermined"
    assert wide.to_json()["kept"]["thin"]["low90"] < 0.1


def test_shots_to_half() -> None:
    shots = shots_to_half(TEST, 1.0)
    kept = output_kept(TEST, 1.0 / 2.25, shots, linear=False)
    assert kept.bands["thin"].median == pytest.approx(0.5, rel=1e-9)
    assert shots_to_half(TEST, 1.0, "thick") == pytest.approx(shots / 80.0)
    assert math.isinf(shots_to_half(LightTest(0.06, 0.0, 3000.0, 80.0), 1.0))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: output_kept(TEST, 1.0, 0.0), "shots"),
        (lambda: output_kept(TEST, -1.0, 1.0), "excitations"),
        (lambda: output_kept(TEST, 1.0, 1.0, pump_over_threshold=1.0), "above 1"),
        (lambda: output_kept(TEST, 1.0, 1.0, photons=3), "photons"),
        (lambda: output_kept(TEST, 1.0, 1.0, surroundings=(1.0, 0.0)), "backwards"),
        (lambda: TEST.efficiency("murky"), "reading"),
        (lambda: LightTest(0.06, 2.0, 3000.0, 0.5), "shading"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert sentence in str(error.value)
