"""Pump sweeps: threshold, beta and exponent come back with honest errors; the two-line bias; bad sweeps are refused."""

from __future__ import annotations

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.laser import rate
from perolas.measurements import emission
from perolas.measurements.emission import lines
from perolas.measurements.emission.curve import Wishes, fit_once, likeliest_jitter
from perolas.measurements.emission.model import Emission, stimulated
from perolas.measurements.emission.prepare import prepare
from perolas.measurements.emission.words import runs

ONE = Wishes("1")


def curve(beta=1e-2, exponent=1.0, points=14, span=(0.15, 4.0), scale=1e6, background=100.0):
    return Emission(
        threshold_uj_cm2=250.0, log10_beta=math.log10(beta), scale=scale, background=background, exponent=exponent,
        jitter=np.zeros(0), fluence=np.geomspace(250.0 * span[0], 250.0 * span[1], points),
    )  # fmt: skip


def drawn(truth, seed, relative=0.05, jitter=0.0):
    """A sweep with errors of so many per cent, and fluences that are off."""
    rng = np.random.default_rng(seed)
    if jitter:
        truth = replace(truth, jitter=jnp.asarray(jitter * rng.standard_normal(truth.fluence.size)))
    mean = np.asarray(truth.expected())
    signal = mean * (1 + relative * rng.standard_normal(mean.size))
    return make_observation(signal, "fluence_uj_cm2", truth.fluence, units="arb", variance=(relative * mean) ** 2)


@pytest.mark.parametrize("beta", [1e-6, 1e-3, 0.3, 1.0])
def test_the_curve_is_that_of_the_rate_equations(beta):
    """Truth: the exact steady state of `laser.rate`, and s(p = 1) = beta^(-1/2); both to rounding."""
    pump = jnp.asarray([1e-3, 0.1, 0.999, 1.0, 1.001, 3.0, 100.0])
    assert np.allclose(stimulated(pump, jnp.asarray(beta)), beta * rate.exact_photons(pump, beta), rtol=1e-13)
    assert float(stimulated(jnp.asarray(1.0), jnp.asarray(beta))) == pytest.approx(math.sqrt(beta), rel=1e-12)


def assert_honest(truth, sets, relative, jitter, fit=None, room=0.0):
    """|mean| < 0.1 + 4/sqrt(N) and |spread - 1| < 0.05 + 4/sqrt(2N), the rule of tests/inversion; `room` is more."""
    known = {"threshold": 250.0, "log10_beta": float(truth.log10_beta), "scale": float(truth.scale)}
    pulls = []
    for seed in range(sets):
        sweep = prepare(drawn(truth, seed, relative, jitter))
        found = (fit or (lambda s: fit_once(s, float(truth.exponent), ONE, jitter)))(sweep).estimate
        assert found.result == "converged"
        pulls.append([(found[n].value - v) / found[n].std for n, v in known.items()])
    mean, spread = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.all(np.abs(mean) < 0.1 + 4 / math.sqrt(sets)), mean
    assert np.all(np.abs(spread - 1) < 0.05 + room + 4 / math.sqrt(2 * sets)), spread


@pytest.mark.full
def test_pulls_of_few_points_with_jitter():
    """Fourteen points of 5 %, fluences off by 3 %, two photons."""
    assert_honest(curve(1e-4, 2.0, background=1.0), 15, 0.05, 0.03)


@pytest.mark.full
@pytest.mark.parametrize(
    ("beta", "exponent", "points", "jitter"),
    [
        (1e-6, 1.0, 14, 0.0),
        (1e-6, 2.0, 14, 0.05),
        (1e-4, 1.0, 10, 0.03),
        (1e-2, 1.0, 14, 0.0),
        (1e-2, 2.0, 14, 0.05),
        (0.3, 2.0, 14, 0.0),
        (1e-3, 1.0, 8, 0.02),
    ],
)
def test_pulls_full(beta, exponent, points, jitter):
    assert_honest(curve(beta, exponent, points, background=1e4 * beta), 100, 0.05, jitter)


@pytest.mark.full
def test_pulls_where_the_jitter_is_found_too():
    """Its size comes from ten degrees of freedom, most of them far from the kink: 0.15 more is allowed."""
    assert_honest(curve(1e-3), 30, 0.01, 0.03, lambda s: likeliest_jitter(s, 1.0, ONE), room=0.15)


@pytest.fixture(scope="module")
def counted():
    """A counted sweep with two-photon pumping, fitted as a user would."""
    observation = emission.simulate(seed=4, exponent=2.0, points=15)
    return emission.fit(observation)


def test_a_fit_tells_the_whole_story(counted):
    """Truth: threshold 250, beta 0.01 and two photons were put in."""
    for name, truth in (("threshold", 250.0), ("log10_beta", -2.0), ("exponent_free", 2.0)):
        assert abs(counted[name].value - truth) < 4 * counted[name].std, name
    assert counted.fixed["exponent"].value == 2.0
    assert [r["model"] for r in counted.extra["evidence"] if r["chosen"]] == ["2 photons"]
    assert counted["beta"].value == pytest.approx(10 ** counted["log10_beta"].value)
    # The two-line threshold is off by what its bias says.
    bias = counted["two_line_bias"].value
    assert abs(counted["threshold_two_line"].value - bias - 250.0) < 4 * counted["threshold_two_line"].std
    assert counted.extra["threshold_seen"]
    assert "Two straight lines" in str(counted)
    json.dumps(counted.to_json(), allow_nan=False)


def best_lines(x, y):
    """The same by brute force: numpy's polynomials at every split, independent of `lines`."""
    found = (np.inf, np.nan)
    for k in range(2, x.size - 1):
        (b, a), (d, c) = np.polyfit(x[:k], y[:k], 1), np.polyfit(x[k:], y[k:], 1)
        cost = np.sum((y[:k] - a - b * x[:k]) ** 2) + np.sum((y[k:] - c - d * x[k:]) ** 2)
        if d > b and x[0] <= (a - c) / (d - b) <= x[-1] and cost < found[0]:
            found = cost, (a - c) / (d - b)
    return found[1]


@pytest.mark.parametrize("photons", [1.0, 2.0])
@pytest.mark.parametrize("beta", [1e-6, 1e-4, 1e-2, 0.1])
def test_two_line_bias(beta, photons):
    """Truth: a two-line fit by numpy's polynomials on the noise-free curve, in the textbook form of the root."""
    x = np.linspace(0.1, 3.0, 30)
    p = x**photons
    y = 0.5 * ((p - 1) + np.sqrt((p - 1) ** 2 + 4 * beta * p))
    # The textbook form loses digits below threshold: 1e-6 is what is left at beta = 1e-6.
    assert lines.bias([beta], photons)[0] == pytest.approx(best_lines(x, y) - 1, abs=1e-6)


def test_two_lines_are_exact_only_where_the_curve_is_two_lines():
    """Analytic: for beta -> 0 and one photon the curve is 0 and p - 1; for beta = 1 it is the line s = p, no kink."""
    assert abs(lines.bias([1e-12])[0]) < 1e-5
    assert math.isnan(lines.bias([1.0])[0])
    assert lines.bias([1e-6], 2.0)[0] > 0.3  # a parabola above threshold: lines miss by a third


def below(top, seed=3, beta=1e-3):
    truth = replace(curve(beta, background=20.0), fluence=jnp.linspace(10.0, top, 15))
    counts = np.random.default_rng(seed).poisson(truth.expected())
    return make_observation(counts, "fluence_uj_cm2", truth.fluence)


@pytest.mark.parametrize("top", [50.0, 150.0])
def test_a_sweep_below_threshold_gives_a_lower_bound(top):
    """Truth: the threshold, 250, was not reached; straight to 50, bent at 150."""
    found = emission.fit(below(top), photons=1)
    bound = found["threshold_lower_bound"].value
    assert 0.9 * top < bound < 250.0
    assert {"threshold", "beta"} <= set(found.undetermined)
    assert math.isinf(found["threshold"].std)
    assert found["threshold"].value == pytest.approx(bound)
    assert "does not reach a threshold" in str(found)
    assert found.result == "converged"
    assert found.to_json()["quantities"]["threshold"]["std"] is None


@pytest.mark.full
def test_scatter_beyond_counting_is_found_to_be_jitter():
    found = emission.fit(drawn(curve(1e-3), 5, 0.005, 0.03), photons=1, fix=["exponent"])
    assert 0.015 < found.extra["jitter"] < 0.06
    assert "scatter more" in str(found)
    assert abs(found["threshold"].value - 250.0) < 4 * found["threshold"].std


def test_saturated_points_are_left_out():
    full = emission.simulate(seed=1, points=18)
    full["signal"] = full["signal"].clip(max=float(full["signal"][15]))  # the last three stick at one number
    found = emission.fit(full, photons=1, fix=["exponent"])
    assert "saturated" in str(found)
    assert len(found.extra["left_out_uj_cm2"]) == 3
    assert abs(found["threshold"].value - 250.0) < 4 * found["threshold"].std
    full["signal"] = full["signal"].clip(max=20.0)
    with pytest.raises(InputError, match="saturated"):
        emission.fit(full, saturation=20.0)


def sweep(fluence, output, **options):
    return make_observation(output, "fluence_uj_cm2", fluence, **options)


@pytest.mark.parametrize(
    ("observation", "options", "words"),
    [
        (lambda: sweep([0.0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 9]), {}, "must be positive"),
        (lambda: sweep([-1.0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 9]), {}, "must be positive"),
        (lambda: sweep([1.0, 2, 3, 4], [1, 2, 3, 4]), {}, "at least 5"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [7, 7, 7, 7, 7]), {}, "the same|saturated"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1, 2, np.nan, 4, 7]), {}, "not numbers"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1.5, 2, -1, 4, 7], units="arb"), {"noise": "relative"}, "positive output"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1.5, 2, 3, 4, 7], units="arb"), {"noise": "poisson"}, "counts"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1.5, 2, 3, 4, 7], units="arb"), {"jitter": 0.02}, "known errors"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1, 2, 3, 4, 7]), {"photons": "many"}, "photons"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1, 2, 3, 4, 7]), {"jitter": "x"}, "jitter"),
        (lambda: sweep([1.0, 2, 3, 4, 5], [1, 2, 3, 4, 7]), {"model": "area"}, "area_um2"),
        (lambda: make_observation([1, 2], "time_ns", [1, 2]), {}, "Emission takes"),
    ],
)  # fmt: skip
def test_bad_sweeps_are_refused_with_a_sentence(observation, options, words):
    with pytest.raises(InputError, match=words):
        emission.fit(observation(), **options)


def test_runs_of_one_sign():
    """Analytic: of two + and two - the six orders have 2, 2, 3, 3, 4, 4 runs."""
    assert runs(np.array([1.0, 1, -1, -1])) == pytest.approx(2 / 6)
    assert runs(np.array([1.0, -1, -1, 1])) == pytest.approx(4 / 6)
    assert runs(np.array([1.0, -1, 1, -1])) == pytest.approx(1.0)


def test_command_line(tmp_path, capsys):
    """An unsorted table in mJ/cm2 with errors, to JSON and a figure."""
    data = drawn(curve(1e-2), 7)
    order = np.random.default_rng(0).permutation(14)
    columns = (data["fluence_uj_cm2"].values / 1e3, data["signal"].values, data["variance"].values ** 0.5)
    rows = [",".join(repr(float(c[i])) for c in columns) for i in order]
    file, figure = tmp_path / "sweep.csv", tmp_path / "f.png"
    file.write_text("fluence (mJ/cm2),output (a.u.),error\n" + "\n".join(rows))
    given = ["fit", str(file), "--technique", "emission", "--photons", "1", "--fix", "exponent"]
    assert main([*given, "--json", "--figure", str(figure)]) == 0
    found = json.loads(capsys.readouterr().out)["quantities"]
    assert abs(found["threshold"]["value"] - 250.0) < 4 * found["threshold"]["std"]
    assert figure.stat().st_size > 10_000
    file.write_text("power (mW),output\n1,2\n3,4\n")
    assert main(given) == 2
    assert "neither a fluence nor an area" in capsys.readouterr().err
