"""Which measurement would settle a question: straight lines whose slopes follow one rate."""

import math

import numpy as np
import pytest
from unit.core.line import Line, State

from perolas.core.errors import InputError
from perolas.core.invert import invert
from perolas.core.measurement import simulate
from perolas.core.noise import Gaussian
from perolas.core.prospects import informations, prospects

RATE = 1.5


def fitted(points, variance):
    line = Line(offset=100.0, slope=2 * RATE, noise=Gaussian(variance), points=points)
    return invert(line, simulate(line, seed=points)["signal"].values)


@pytest.fixture(scope="module")
def found():
    return informations({"a": fitted(40, 4.0), "b": fitted(30, 1.0)}, State(rate=RATE), ["rate"])


def test_information_is_that_of_a_line_with_unknown_offset(found):
    """Truth: a slope's variance from n equally spaced points is 12 v / (n^3 - n), the offset being free."""
    names, each = found
    assert names == ("rate",)
    assert each["a"][0, 0] == pytest.approx(4 * (40**3 - 40) / 12 / 4.0, rel=1e-9)
    assert each["b"][0, 0] == pytest.approx(4 * (30**3 - 30) / 12 / 1.0, rel=1e-9)


def test_the_better_one_comes_first_and_times_are_as_variances_say(found):
    names, each = found
    now, ranked = prospects(names, each, "rate", want=0.002)
    assert math.isinf(now)
    assert [p.measurement for p in ranked] == ["b", "a"]
    for p in ranked:
        information = each[p.measurement][0, 0]
        assert p.std == pytest.approx(information**-0.5, rel=1e-9)
        assert p.times == pytest.approx(0.002**-2 / information, rel=1e-6)


def test_what_is_known_counts(found):
    names, each = found
    now, (other,) = prospects(names, each, "rate", have=["b"], prior={"rate": 0.01}, want=0.1)
    assert now == pytest.approx((each["b"][0, 0] + 1e4) ** -0.5, rel=1e-9)
    assert other.std == pytest.approx((each["a"][0, 0] + each["b"][0, 0] + 1e4) ** -0.5, rel=1e-9)
    assert other.times == 0.0  # it is known better than that already


def test_no_amount_of_what_is_blind_helps():
    names, each = ("seen", "unseen"), {"a": np.diag([4.0, 0.0]), "b": np.diag([0.0, 1.0])}
    _, ranked = prospects(names, each, "unseen", want=0.5)
    assert [(p.measurement, p.std) for p in ranked] == [("b", 1.0), ("a", math.inf)]
    assert ranked[0].times == pytest.approx(4.0)
    assert math.isinf(ranked[1].times)


def test_bad_use_is_one_sentence(found):
    names, each = found
    for words, sentence in (
        ({"question": "speed"}, "parameter"),
        ({"have": ["c"]}, "measurement"),
        ({"have": ["a", "b"]}, "none to choose"),
        ({"want": -1.0}, "positive"),
        ({"prior": {"rate": 0.0}}, "positive"),
    ):
        with pytest.raises(InputError, match=sentence):
            prospects(names, each, **{"question": "rate", **words})
    with pytest.raises(InputError, match="no measurement"):
        informations({}, State(), ["rate"])
