"""The analysis of decays: choices, words and refusals. The model itself is tested in laws and inversion."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.matter.specimen import Specimen
from perolas.measurements import trpl


def decay(counts, step=0.5, **extra):
    return make_observation(counts, "time_ns", (np.arange(len(counts)) + 0.5) * step, **extra)


@pytest.fixture(scope="module")
def simulated():
    return trpl.simulate(components=2, irf_fwhm=1.0, counts=2e4, seed=3)


@pytest.mark.full
def test_evidence_finds_the_number_of_exponentials(simulated):
    estimate = trpl.fit(simulated, irf_fwhm=1.0)
    rows = estimate.extra["evidence"]
    assert [r["model"] for r in rows if r["chosen"]] == ["2 exponentials"]
    assert {"aic", "bic", "delta_bic", "chi2_reduced"} <= rows[0].keys()
    assert estimate["tau_1"].value == pytest.approx(12.8, abs=5 * estimate["tau_1"].std)  # 512 ns / 40
    assert estimate["tau_2"].value == pytest.approx(64.0, abs=5 * estimate["tau_2"].std)  # 512 ns / 8


@pytest.mark.full
def test_one_exponential_is_enough_where_there_is_one():
    estimate = trpl.fit(trpl.simulate(components=1, irf_fwhm=1.0, seed=5), irf_fwhm=1.0)
    assert estimate.names.count("tau_2") == 0
    assert estimate["tau_1"].value == pytest.approx(51.2, abs=5 * estimate["tau_1"].std)


@pytest.mark.full
def test_an_unknown_response_width_is_fitted(simulated):
    estimate = trpl.fit(simulated, components=2)
    assert estimate["irf_fwhm"].value == pytest.approx(1.0, abs=5 * estimate["irf_fwhm"].std)


def test_both_means_have_correlated_errors(simulated):
    estimate = trpl.fit(simulated, components=2, irf_fwhm=1.0)
    tau, a = (np.array([estimate[f"{n}_{i}"].value for i in (1, 2)]) for n in ("tau", "amplitude"))
    assert estimate["tau_mean_amplitude"].value == pytest.approx((a @ tau) / a.sum())
    assert estimate["tau_mean_intensity"].value == pytest.approx((a @ tau**2) / (a @ tau))
    # Uncorrelated errors of the lifetimes alone would be several times larger than that of the mean.
    assert estimate["tau_mean_intensity"].std < 0.8 * estimate["tau_2"].std


@pytest.mark.full
def test_trapping_rates_come_back():
    """Truth: the rates that the specimen's response used."""
    specimen = Specimen.of(trap_ratio=1.667)
    data = trpl.simulate(specimen, irf_fwhm=2.0, bin_width=1.0, bins=2048, counts=1e5, seed=1)
    estimate = trpl.fit(data, model="trap", irf_fwhm=2.0)
    for name, truth in (("k_radiative", 0.1), ("k_trapping", 0.1667), ("k_detrapping", 0.0065)):
        q = estimate[name]
        assert q.value == pytest.approx(truth, abs=5 * q.std)
        assert q.std < 0.1 * truth
    assert "cannot tell them apart" in " ".join(estimate.notes)


def test_decays_that_differ_differ_and_equal_ones_do_not(simulated):
    same = trpl.simulate(components=2, irf_fwhm=1.0, counts=2e4, seed=4)
    other = trpl.simulate(components=2, irf_fwhm=1.0, counts=2e4, seed=4, parameters={"tau_ns": [12.8, 70.0]})
    alike = trpl.fit(simulated, components=2, irf_fwhm=1.0, compare=same)
    apart = trpl.fit(simulated, components=2, irf_fwhm=1.0, compare=other)
    assert "cannot be told apart" in alike.notes[-1]
    assert "The two decays differ" in apart.notes[-1]
    assert apart["tau_mean_intensity_difference"].value > 5 * apart["tau_mean_intensity_difference"].std


@pytest.mark.full
def test_a_window_and_a_period_are_kept():
    data = trpl.simulate(
        components=1, irf_fwhm=1.0, bins=256, bin_width=0.5, period=128.0, parameters={"tau_ns": [60.0]}
    )
    estimate = trpl.fit(data, components=1, irf_fwhm=1.0, period=128.0, window=(2.0, 120.0))
    assert estimate.n_points == 236
    assert estimate["tau_1"].value == pytest.approx(60, abs=5 * estimate["tau_1"].std)


@pytest.mark.full
def test_a_response_of_few_counts_is_warned_of(simulated):
    response = np.round(40 * np.exp(-0.5 * ((np.arange(1024) - 51) / 0.85) ** 2))
    irf = decay(response)
    estimate = trpl.fit(simulated, irf=irf, components=2)
    assert any("few beside the decay's" in w for w in estimate.warnings)


def counts(n=64):
    return np.round(1000 * np.exp(-np.arange(n) / 10.0))


@pytest.mark.parametrize(
    ("data", "options", "sentence"),
    [
        (decay(counts() + 0.5, units="arb"), {}, "whole counts"),
        (make_observation(counts(), "wavelength_nm", np.arange(64.0)), {}, "time axis in ns"),
        (make_observation(counts(), "time_ns", np.cumsum(np.linspace(1, 2, 64))), {}, "one width"),
        (make_observation(counts(), "time_ns", -np.arange(64.0)), {}, "that rise"),
        (decay(np.zeros(64)), {}, "too few"),
        (decay(counts()), {"components": "many"}, "from 1 to 6"),
        (decay(counts()), {"components": 3, "model": "trap"}, "two exponentials"),
        (decay(counts()), {"period": 3.0}, "shorter than the record"),
        (decay(counts()), {"window": (0.0, 1.0)}, "16 are needed"),
        (decay(counts()), {"irf": decay(counts(32))}, "32 bins, but the decay has 64"),
        (decay(counts()), {"irf": decay(counts(), step=1.0)}, "bins of 1 ns"),
        (decay(counts()), {"irf": decay(np.zeros(64))}, "empty"),
        (decay(counts()), {"irf": decay(counts()), "irf_fwhm": 1.0}, "not both"),
        (decay(counts()), {"irf_fwhm": -1.0}, "must be positive"),
        (decay(counts()), {"components": 1, "irf_fwhm": 1.0, "guess": {"tau_9": 3}}, "not known"),
    ],
)
def test_bad_input_is_one_sentence(data, options, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        trpl.fit(data, **options)
    assert "\n" not in str(caught.value)
