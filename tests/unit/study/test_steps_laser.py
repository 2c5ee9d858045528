"""The step "laser": its numbers against the forecast and the ageing law, its roles, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser.photostability import LightTest, output_kept
from perolas.laser.threshold import Question, forecast
from perolas.study import expression, graph, schema, steps

SHOTS = {
    "number": "1e7",
    "over": "1.5",
    "ratio": "0.06 +- 0.01",
    "light_rate": "2.2 +- 0.3 d^-1",
    "excitations_per_s": {"from": "lamp.rate"},
    "shading": 80,
    "light_factor": [0, 1],
}
TABLE = {
    "name": "laser",
    "kind": "laser",
    "tiers": ["rate"],
    "draws": 32,
    "ask": {"temperature": "77 K", "size": "20 +- 2 nm", "thickness": "1.5 um"},
    "shots": SHOTS,
}


def look(name: str) -> expression.Number:
    assert name == "lamp.rate"
    return expression.number(3000.0, {}, "1/s")


@pytest.fixture(scope="module")
def done():
    step = steps.read_step(TABLE)
    kind = steps.kind_of(step)
    return step, kind, kind.compute(step, look)


def test_it_is_the_forecast(done) -> None:
    step, kind, result = done
    plain = forecast(Question(thickness_nm=1500.0), "rate", 32)
    low, median, high = np.percentile(plain.draws["threshold"], [2.5, 50.0, 97.5])
    got = {name: q.number for name, q in result.quantities.items()}
    assert got["threshold_low"].value == pytest.approx(low)
    assert got["threshold_median"].value == pytest.approx(median)
    assert got["threshold"].value + 1.96 * got["threshold"].std == pytest.approx(high)
    assert got["width"].value == pytest.approx(high / low)
    assert got["lasing_share"].value == pytest.approx(100.0 * plain.lasing_share)
    assert set(kind.gives(step)) == set(got)
    assert any("fold" in warning for warning in result.warnings)
    totals = {line.group: line.total for line in plain.budget}
    assert got["rate_cross_section"].value == pytest.approx(100.0 * totals["cross-section"])


def test_shots_are_those_of_the_ageing_law(done) -> None:
    _, _, result = done
    plain = forecast(Question(thickness_nm=1500.0), "rate", 32)
    test = LightTest(0.06, 2.2, 3000.0, 80.0, 0.01, 0.3)
    kept = output_kept(test, plain.draws["excitations"], 1e7, surroundings=(0.0, 1.0))
    thin = result.quantities["kept_thin"].number
    low, high = np.percentile(100.0 * kept.draws["thin"], [2.5, 97.5])
    assert thin.value == pytest.approx(0.5 * (low + high))
    per_shot = result.quantities["per_shot"].number.value
    assert per_shot == pytest.approx(2.25 * result.quantities["excitations"].number.value)
    assert kept.verdict == "undetermined"
    assert math.isinf(result.quantities["kept"].number.std)  # so that a claim about it is undetermined
    assert any("light test" in warning for warning in result.warnings)


def test_curves_for_the_report(done) -> None:
    step, kind, result = done
    assert result.dataset is not None
    assert result.dataset.attrs["plot"] == "curves"
    assert json.loads(result.dataset.attrs["runs"]) == ["rate"]
    assert np.all(np.diff(result.dataset["curve"].values[0, 2]) > 0)  # more pump, more light
    assert "forecast(question" in kind.code(step)
    area = steps.read_step({k: v for k, v in TABLE.items() if k != "shots"} | {"shows": "area"})
    curve = kind.compute(area, look).dataset["curve"].values[0]
    assert curve[2, -1] <= curve[2, 0]


def test_roles_in_yang2020() -> None:
    # nothing that was seen of the laser goes into what is said about it
    study = schema.load("yang2020")
    built = graph.build(study)
    for name in ("laser.threshold", "laser.linewidth", "laser.area", "laser.feedback", "laser.ase", "laser.morphology"):
        assert study.claims[name].answers, name
        assert "lasing" not in built.upstream([study.claims[name].answers[0].split(".")[0]])
        assert "shot" not in built.upstream([study.claims[name].answers[0].split(".")[0]])
    kind = steps.kind_of(study.steps["laser"])
    assert kind.trace(study.steps["laser"], "threshold").inputs == ()
    assert "ageing.light_rate" in kind.trace(study.steps["laser"], "kept").inputs


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tiers": ["salt"]}, "tier"),
        ({"tiers": ["rate", "rate"]}, "twice"),
        ({"shows": "angle"}, "what it shows"),
        ({"ask": {"size": "3 K"}}, '"size" must be in nm'),
        ({"ask": {"size": "3 nm"}}, "size of 8 to 30"),
        ({"ask": {"substrate": "gold"}}, "substrate"),
    ],
)
def test_bad_input_is_one_sentence(changes, sentence: str) -> None:
    step = steps.read_step(TABLE | changes)
    with pytest.raises(InputError) as error:
        steps.kind_of(step).compute(step, look)
    assert sentence in str(error.value)
