"""Which measurement determines what: two straight lines whose slopes follow one rate."""

import pytest
from unit.core.line import Line, State

from perolas.core.errors import InputError
from perolas.core.invert import invert
from perolas.core.joint import Joint
from perolas.core.measurement import simulate
from perolas.core.noise import Gaussian, UnknownGaussian
from perolas.core.sharing import join, shares


def lines(rate=1.5, **second):
    first = Line(offset=100.0, slope=2 * rate, noise=Gaussian(4.0), points=40)
    return {"a": first, "b": Line(**{"offset": 20.0, "slope": 2 * rate, "noise": Gaussian(1.0), "points": 30} | second)}


def alone(members):
    return {n: invert(m, simulate(m, seed=i)["signal"].values) for i, (n, m) in enumerate(members.items())}


def test_join_starts_from_each_alone_and_shares_by_information():
    """Truth: a slope's variance from n equally spaced points is 12 v / (n^3 - n); information adds up."""
    found = join(alone(lines()), State(rate=1.0), ["rate"])
    information = {"a": 4 * (40**3 - 40) / 12 / 4.0, "b": 4 * (30**3 - 30) / 12 / 1.0}
    whole = sum(information.values())
    assert found["rate"].std == pytest.approx(whole**-0.5, rel=1e-6)
    (rate,) = shares(found)
    for name, each in information.items():
        assert rate.shares[name] == pytest.approx(each / whole, rel=1e-6)
        assert rate.std_without[name] == pytest.approx((whole - each) ** -0.5, rel=1e-6)
    assert found.extra["agreement"]["freedom"] == 1
    assert not found.warnings


def test_shares_without_one_are_those_of_a_fit_without_it():
    joint = Joint.of(lines(), State(rate=1.5), varied=("rate",))
    found = invert(joint, simulate(joint, seed=4)["signal"].values)
    only = Joint.of({"a": lines()["a"]}, State(rate=1.5), varied=("rate",))
    left = invert(only, simulate(only, seed=5)["signal"].values)
    assert shares(found)[0].std_without["b"] == pytest.approx(left["rate"].std, rel=1e-6)


def test_a_prior_is_a_source_like_any_other():
    found = join(alone(lines()), State(rate=1.0), ["rate"], prior={"rate": (1.5, 1e-4)})
    assert found.extra["shares"]["rate"]["shares"]["prior"] > 0.9
    assert sum(found.extra["shares"]["rate"]["shares"].values()) == pytest.approx(1.0)


def test_measurements_that_disagree_are_called_that():
    found = join(alone(lines(slope=3.3)), State(rate=1.0), ["rate"])
    assert "disagree" in found.warnings[0]
    # Truth: one measurement more than there are rates, so chi-square of one degree of freedom under agreement.
    assert found.extra["agreement"]["probability"] < 1e-6


def test_noise_taken_from_residuals_is_weighed_by_them():
    members = lines(noise=UnknownGaussian(1.0))
    found = join(alone(members), State(rate=1.0), ["rate"])
    known = join(alone(lines()), State(rate=1.0), ["rate"])
    # Truth: the same noise, its size known to 13 % from 28 degrees of freedom.
    assert found["rate"].std == pytest.approx(known["rate"].std, rel=0.3)


def test_bad_use_is_one_sentence():
    one = alone(lines())
    with pytest.raises(InputError, match="at least two"):
        join({"a": one["a"]}, State(), ["rate"])
    with pytest.raises(InputError, match="parameter"):
        join(one, State(), ["speed"])
    with pytest.raises(InputError, match="at least one parameter"):
        join(one, State(), [])
    with pytest.raises(InputError, match="joint estimate"):
        shares(one["a"])
    batch = invert(lines()["a"], simulate(lines()["a"], seed=1, batch=3)["signal"].values)
    with pytest.raises(InputError, match="single fit"):
        join(one | {"b": batch}, State(), ["rate"])
