"""Decays of several samples fitted together; definitions of a lifetime; how many counts tell two samples apart."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.matter.specimen import Specimen
from perolas.measurements import trpl
from perolas.measurements.trpl import series, series_power

pytestmark = pytest.mark.full

TRUE = ((1.7, 0.0), (1.7, 0.0157), (0.8, 0.005))  # trap and loss ratios


def decays(pairs=TRUE, seed=0, bins=1024):
    found = []
    for i, (traps, loss) in enumerate(pairs):
        sample = Specimen.of("CsPbBr3", trap_ratio=traps, loss_ratio=loss)
        found.append(trpl.simulate(sample, seed=seed + i, irf_fwhm=4.0, counts=2e4, bins=bins, bin_width=2.0))
    return found


@pytest.fixture(scope="module")
def both():
    return series.fit_together(decays(), kind="both", names=("a", "b", "c"), irf_fwhm=4.0)


def test_shared_and_own_rates_are_recovered(both):
    """Truth: the rates of the simulation (0.1 and 0.0065 1/ns from the library)."""
    truth = {"k_radiative": 0.1, "k_detrapping": 0.0065, "shift": 102.4}
    truth |= {f"trap_ratio_{n}": t for n, (t, _) in zip("abc", TRUE, strict=True)}
    truth |= {"loss_ratio_b": 0.0157, "loss_ratio_c": 0.005, "quantum_yield_b": 0.7512}
    assert both.converged
    assert abs(both.chi2_reduced - 1) < 5 * np.sqrt(2 / (both.n_points - both.n_free))
    for name, value in truth.items():
        assert abs(both[name].value - value) < 4 * both[name].std, name
    assert both["quantum_yield_b"].std < 0.05


def test_a_wrong_mechanism_is_noticed(both):
    """The control that must fail: without loss, and with one trap ratio for all, the same decays fit far worse."""
    traps = series.fit_together(decays(), kind="traps", irf_fwhm=4.0)
    assert traps.bic > both.bic + 100
    assert traps.chi2_reduced > 1 + 5 * np.sqrt(2 / (traps.n_points - traps.n_free))


def test_definitions_of_the_mean_give_different_lifetimes():
    """Truth: without loss sum(a tau) = 1/k_r and the mean arrival is 1/k_r + trap/(k_d); both analytic."""
    found = series_power.mean_lifetimes(1.703)
    assert abs(found["amplitude"] - 10.0) < 1e-9
    assert abs(found["intensity"] - (10.0 + 1.703 / 0.0065)) < 1e-9
    assert abs(found["quantum_yield"] - 1) < 1e-12


def test_either_mechanism_makes_135_of_272_ns():
    """Truth: loss 1/636 1/ns or traps of 1/12 1/ns (parameters of the project's physics notes), here to 3 %."""
    rows = series_power.mechanisms_for(272.0, 135.0)
    for name in ("loss", "traps"):
        assert abs(rows[name]["intensity"] - 135.0) < 1e-6
    assert abs(rows["loss"]["loss_ratio"] * 0.1 * 636 - 1) < 0.03
    assert abs(rows["traps"]["trap_ratio"] * 0.1 * 12 - 1) < 0.03
    assert abs(rows["loss"]["quantum_yield"] - 0.75) < 0.01
    assert rows["traps"]["quantum_yield"] == 1.0


def test_power_of_the_shape_test_is_what_was_asked_for():
    """Truth: a Monte Carlo of the likelihood-ratio statistic at the counts that were returned; 95 % within 4 errors."""
    rows = series_power.mechanisms_for(272.0, 135.0)
    first, second = (series_power.decay_of(rows[n]["trap_ratio"], rows[n]["loss_ratio"]) for n in ("reference", "loss"))
    counts = series_power.counts_to_tell_apart(first, second, sigma=3.0, power=0.95)
    p, q = (np.asarray(d.expected()) for d in (first, second))
    p, q = p / p.sum(), q / q.sum()
    rng = np.random.default_rng(1)
    weight = (p - q) / (p + q)  # the best linear statistic for two samples
    a, b = rng.poisson(counts * p, (2000, p.size)), rng.poisson(counts * q, (2000, q.size))
    statistic = (a - b) @ weight / np.sqrt((a + b) @ weight**2)
    assert abs(np.mean(statistic > 3.0) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000) + 0.01


def test_what_cannot_be_fitted_together_is_refused():
    one, other = decays(TRUE[:1])[0], trpl.simulate(seed=3, bins=512, bin_width=2.0)
    with pytest.raises(InputError, match="at least two samples"):
        series.fit_together([one])
    with pytest.raises(InputError, match="recorded alike"):
        series.fit_together([one, other], irf_fwhm=4.0)
    with pytest.raises(InputError, match="different names"):
        series.fit_together([one, one], names=("a", "a"), irf_fwhm=4.0)
    with pytest.raises(InputError, match="mechanism"):
        series.fit_together([one, one], kind="magic")
    with pytest.raises(InputError, match="time axis"):
        series.fit_together([make_observation(np.ones(64), "energy_ev", np.arange(64.0))] * 2)


@pytest.mark.full
def test_pulls_of_the_global_fit_are_honest():
    """Truth: the simulation; 100 sets, mean 0 and spread 1 within four errors for every rate that has one."""
    names = ("k_radiative", "k_detrapping", "trap_ratio_1", "trap_ratio_2", "loss_ratio_2", "quantum_yield_2")
    wanted = np.array([0.1, 0.0065, 0.8, 1.7, 0.0157, 0.75116])
    pull = []
    for seed in range(100):
        found = series.fit_together(
            decays(((0.8, 0.006), (1.7, 0.0157)), seed=1000 + 10 * seed, bins=512), irf_fwhm=4.0
        )
        assert found.converged
        pull.append([(found[n].value - w) / found[n].std for n, w in zip(names, wanted, strict=True)])
    pull = np.array(pull)
    assert np.all(np.abs(pull.mean(axis=0)) < 4 / np.sqrt(len(pull)))
    assert np.all(np.abs(pull.std(axis=0) - 1) < 4 / np.sqrt(2 * len(pull)))
