"""What four times can say: sightings by diffraction, nested sampling, rivals by evidence, and how honest that is.

The paper's times as what they are: the dark sample still without product at 20 min and with it at 8 h, complete by
48 h; the lit one without at 20 min, with it by 3 h, complete by 5 h. The samples between are what the figures show.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from perolas.core.errors import InputError
from perolas.matter.transformation import Conditions
from perolas.matter.transformation.inference import Point, Sighting, compare, infer, table
from perolas.matter.transformation.rivals import law

VESSEL = {"lead_umol": 6.67, "volume_ml": 1.0, "water_ul": 125.0}
DARK = Conditions.of(**VESSEL)
LIT = Conditions.of(**VESSEL, wavelength_nm=365.0, irradiance_mw_cm2=2.0)
PAPER = (
    Sighting("onset", 7.0, 8.0, DARK),
    Sighting("completion", 40.0, 48.0, DARK),
    Sighting("onset", 1.0, 3.0, LIT),
    Sighting("completion", 4.0, 5.0, LIT),
)
LIVE = 100


@pytest.fixture(scope="module")
def model():
    return infer("bare surface", PAPER, live=LIVE)


@pytest.mark.full
def test_times_alone_leave_stripping_and_seeds_open(model):
    assert "log10_stripping" in model.undetermined
    assert "log10_seeds" in model.undetermined
    assert "Not determined by these observations: " in str(model)


def test_times_alone_give_the_product(model):
    """Truth: k_o k_s = 6 [1 - (1 - X)^(1/3)] / t^2, 0.7e-3 to 4e-3 1/h2 for limits of 2 to 10 % and 7 to 8 h."""
    product = model.samples["log10_opening"] + model.samples["log10_stripping"]
    low, high = np.percentile(product, [2.5, 97.5])
    assert high - low < np.log10(3.0) * 2  # to better than a factor 3 either way
    ends = [6 * (1 - np.cbrt(1 - x)) / t**2 for x, t in ((0.02, 8.0), (0.10, 7.0))]
    assert np.log10(ends[0]) - 0.1 < np.median(product) < np.log10(ends[1]) + 0.1
    assert model.samples["log10_stripping"].std() > 0.3  # while neither rate is known to a factor 2


@pytest.mark.full
def test_simple_rivals_lose(model):
    """Truth: t95 / t5 is 58 and 37 for these laws, 6 in the paper: nothing in their priors comes near."""
    others = compare(["first order", "shrinking core"], PAPER, live=LIVE)
    for other in others:
        assert model.log_evidence - other.log_evidence > np.log(1e3), other.law
    shown = table([model, *others])
    assert shown.splitlines()[1].startswith("bare surface")
    assert "1 : " in shown


def shrinking_core_points():
    t = np.array([2.0, 5.0, 9.0, 14.0])
    return [
        Point(float(x), float(1 - (1 - 0.1 * x / 3) ** 3) + e, 0.05, DARK)
        for x, e in zip(t, (0.03, -0.04, 0.02, 0.01), strict=True)
    ]


@pytest.mark.full
def test_evidence_is_the_integral():
    """Truth: a law of one parameter in the dark, its likelihood times its prior integrated by quadrature.

    Light does nothing there, so the second parameter integrates to one.
    """
    points = shrinking_core_points()
    low, high = law("shrinking core").priors["log10_rate"]

    def likelihood(log_rate):
        x = [1 - max(1 - 10**log_rate * p.time_h / 3, 0.0) ** 3 for p in points]
        return np.exp(sum(norm.logpdf(p.fraction, v, p.std) for p, v in zip(points, x, strict=True)))

    area = integrate.quad(likelihood, low, high, points=[-1.2, -1.0, -0.8], epsabs=1e-12, limit=400)[0] / (high - low)
    found = infer("shrinking core", points, live=250)
    assert found.log_evidence_std < 0.25
    assert abs(found.log_evidence - np.log(area)) < 4 * found.log_evidence_std
    # And the posterior: mean and spread of the rate by the same quadrature.
    mean = integrate.quad(lambda r: r * likelihood(r), low, high, points=[-1.2, -1.0, -0.8], limit=400)[0]
    mean /= area * (high - low)
    assert np.mean(found.samples["log10_rate"]) == pytest.approx(mean, abs=0.2 * found.samples["log10_rate"].std())
    assert "log10_light_factor" in found.undetermined
    assert "log10_rate" not in found.undetermined


def simulated_rate(seed):
    """Return the share of the posterior below the true rate: truth from the prior, then sightings of a first order."""
    rng = np.random.default_rng(seed)
    low, high = law("first order").priors["log10_rate"]
    truth = rng.uniform(low, high)
    limits = {"onset": rng.uniform(0.02, 0.10), "completion": rng.uniform(0.95, 0.97)}
    sharp = {"onset": 0.01, "completion": 0.005}
    samples = np.array([0.0, *np.geomspace(0.01, 1e5, 29)])
    x = -np.expm1(-(10**truth) * samples)
    seen = []
    for event, limit in limits.items():
        # A sample shows the event where its fraction passes the limit as sharply as diffraction tells it.
        passed = x > limit + sharp[event] * rng.normal()
        first = int(np.argmax(passed)) if passed.any() else -1
        if first == 0:
            continue
        by = float(samples[first]) if first > 0 else np.inf
        seen.append(Sighting(event, float(samples[first - 1]), by, DARK))
    return truth, infer("first order", seen, live=LIVE, seed=seed).samples["log10_rate"]


def assert_covers(count):
    ranks = np.array([np.mean(draws < truth) for truth, draws in map(simulated_rate, range(count))])
    inside = np.mean(np.abs(ranks - 0.5) < 0.45)
    middle = np.mean(np.abs(ranks - 0.5) < 0.34)
    assert abs(inside - 0.90) <= 4 * np.sqrt(0.9 * 0.1 / count) + 1e-9, ranks
    assert abs(middle - 0.68) <= 4 * np.sqrt(0.68 * 0.32 / count) + 1e-9, ranks
    return ranks


@pytest.mark.full
def test_posteriors_cover_the_truth():
    assert_covers(6)


@pytest.mark.full
def test_posteriors_cover_the_truth_full():
    ranks = assert_covers(100)
    # Uniform ranks: Kolmogorov's distance at 99.9 % of 100.
    steps = np.arange(1, ranks.size + 1) / ranks.size
    assert np.max(np.abs(np.sort(ranks) - steps)) < 1.95 / np.sqrt(ranks.size)


def test_what_was_never_seen_bounds_the_rate():
    """Truth: no onset in 100 h at a limit of at most 10 % means k below about 1e-3 1/h."""
    found = infer("first order", [Sighting("onset", 100.0, np.inf, DARK)], live=LIVE)
    assert np.percentile(found.samples["log10_rate"], 97.5) < np.log10(-np.log1p(-0.13) / 100)
    assert found.samples["log10_rate"].min() < -3.9


@pytest.mark.full
def test_the_law_that_made_the_data_wins():
    """Points of a Finke-Watzky reaction: it and no other law keeps the evidence."""
    from perolas.matter.transformation.rivals import finke_watzky

    rng = np.random.default_rng(3)
    times = np.linspace(2.0, 40.0, 40)
    x = np.asarray(finke_watzky(1e-4, 0.5, times)) + 0.01 * rng.normal(size=times.size)
    points = [Point(float(t), float(v), 0.01, DARK) for t, v in zip(times, x, strict=True)]
    found = compare(["Finke-Watzky", "Avrami", "first order", "shrinking core"], points, live=LIVE)
    assert found[0].law == "Finke-Watzky"
    assert found[0].log_evidence - found[1].log_evidence > 3


@pytest.mark.parametrize(
    ("observed", "sentence"),
    [
        ([], "There is nothing to infer from"),
        ([Sighting("birth", 1.0, 2.0, DARK)], 'The event "birth" is not known'),
        ([Sighting("onset", -1.0, 2.0, DARK)], 'Argument "after_h" must be zero or positive'),
        ([Sighting("onset", 3.0, 2.0, DARK)], "A sighting must lie after 3 h"),
        ([Sighting("onset", 3.0, float("nan"), DARK)], "A sighting must lie after 3 h"),
        ([Point(1.0, float("nan"), 0.02, DARK)], "is not a number"),
        ([Point(1.0, 0.5, -0.02, DARK)], 'Argument "std of the fraction" must be positive'),
        ([Point(float("nan"), 0.5, 0.02, DARK)], 'Argument "time_h" must be zero or positive'),
    ],
)
def test_bad_observations_are_one_sentence(observed, sentence):
    with pytest.raises(InputError, match=sentence):
        infer("first order", observed)
