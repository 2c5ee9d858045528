"""Several measurements of one state: two straight lines whose slopes follow one rate."""

import numpy as np
import pytest
from unit.core.line import Line, State

from perolas.core.errors import InputError
from perolas.core.invert import invert
from perolas.core.joint import Joint, together
from perolas.core.measurement import simulate
from perolas.core.noise import Gaussian, UnknownGaussian


def pair(rate=1.5):
    first = Line(offset=100.0, noise=Gaussian(4.0), points=40)
    second = Line(offset=20.0, noise=Gaussian(np.full(30, 0.25)), points=30)
    return Joint.of({"a": first, "b": second}, State(rate=rate), varied=("rate",))


def test_one_rate_and_two_offsets_by_linear_algebra():
    """Truth: weighted linear least squares of the stacked design matrix."""
    joint = pair()
    signal = simulate(joint, seed=4)["signal"].values
    found = invert(pair(1.0), signal)
    assert found.names == ("rate", "a_offset", "b_offset")
    x = np.concatenate([np.arange(40.0), np.arange(30.0)])
    design = np.stack([2 * x, np.arange(70) < 40, np.arange(70) >= 40], axis=1).astype(float)
    weight = np.where(np.arange(70) < 40, 1 / 4.0, 4.0)
    fisher = design.T @ (weight[:, None] * design)
    exact = np.linalg.solve(fisher, design.T @ (weight * signal))
    np.testing.assert_allclose(found.values, exact, rtol=1e-9)
    np.testing.assert_allclose(found.std, np.sqrt(np.diag(np.linalg.inv(fisher))), rtol=1e-8)
    np.testing.assert_array_equal(joint.part("b", signal), signal[40:])


def test_without_a_specimen_the_members_stay_apart():
    """Truth: the fits of each member alone."""
    a, b = Line(noise=Gaussian(4.0), points=40), Line(noise=Gaussian(1.0), points=30)
    signals = [simulate(a, seed=1)["signal"].values, simulate(b, seed=2)["signal"].values]
    found = invert(Joint.of({"a": a, "b": b}), together(signals))
    for name, line, signal in zip("ab", (a, b), signals, strict=True):
        alone = invert(line, signal)
        assert found[f"{name}_slope"].value == pytest.approx(alone["slope"].value, rel=1e-9)
        assert found[f"{name}_slope"].std == pytest.approx(alone["slope"].std, rel=1e-7)


def test_batches_are_honest():
    joint = pair()
    found = invert(joint, simulate(joint, seed=7, batch=300))
    pull = (found.values - np.array([1.5, 100.0, 20.0])) / found.std
    assert np.all(np.abs(pull.mean(axis=0)) < 4 / np.sqrt(300))
    assert np.all(np.abs(pull.std(axis=0) - 1) < 4 / np.sqrt(600))


def test_what_cannot_be_weighed_is_refused():
    with pytest.raises(InputError, match="variance"):
        Joint.of({"a": Line(noise=UnknownGaussian())})
    with pytest.raises(InputError, match="at least one"):
        Joint.of({})
    with pytest.raises(InputError, match="parameter"):
        Joint.of({"a": Line(noise=Gaussian(1.0))}, State(), varied=("speed",))
