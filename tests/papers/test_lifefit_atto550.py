"""A published fit of a real decay: the tutorial of Lifefit (F. Steffen), Atto 550 on DNA with its measured response.

Published, by unweighted least squares: 1.01(1) ns (29 %), 3.89(1) ns (71 %), intensity-weighted mean 3.61(1) ns, shift
0.11 ns. A Poisson fit of the same counts lies at 1.5-1.75 and 4.2-4.35 ns, mean 3.70-3.73 ns (SOURCES.md of the data).
"""

from __future__ import annotations

import pytest

import perolas


@pytest.fixture(scope="module")
def files(data_dir):
    return data_dir / "trpl" / "Atto550_DNA.txt", data_dir / "trpl" / "irf.txt"


def test_unweighted_fit_is_the_published_one(files):
    decay, irf = files
    estimate = perolas.fit(decay, "trpl", irf=irf, components=2, weights="none")
    published = {"tau_1": 1.01, "tau_2": 3.89, "tau_mean_intensity": 3.61, "fraction_1": 0.29, "fraction_2": 0.71}
    for name, value in published.items():
        assert estimate[name].value == pytest.approx(value, abs=0.03)  # three published standard errors
    assert estimate["shift"].value == pytest.approx(0.11, abs=0.02)  # less than a bin; the programs shift differently
    assert "Unweighted least squares" in estimate.notes[1]


def test_poisson_fit_differs_and_says_why(files):
    decay, irf = files
    estimate = perolas.fit(decay, "trpl", irf=irf, components=2)
    assert 1.5 < estimate["tau_1"].value < 1.75
    assert 4.2 < estimate["tau_2"].value < 4.35
    assert 3.70 < estimate["tau_mean_intensity"].value < 3.73
    assert float(estimate.chi2_reduced) > 1.2
    story = " ".join(estimate.warnings + estimate.notes)
    for word in ("instrument response", "2 exponentials are not enough", "unweighted", "support more than 2"):
        assert word in story


def test_dead_bins_are_left_out(files):
    decay, irf = files
    estimate = perolas.fit(decay, "trpl", irf=irf, components=1)
    assert estimate.n_points == 3692  # counted by hand: the first and last counts are in bins 201 and 3894
    assert "dead" in estimate.notes[0]
