"""Decays against analytic integrals: what the convolution and the bins must add up to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import exponnorm

from perolas.core.units import FWHM_PER_SIGMA
from perolas.measurements.trpl.model import Trpl


def box(centre, bins):
    response = np.zeros(bins)
    response[centre] = 1.0
    return response


@pytest.mark.parametrize("tau", [0.05, 1.0, 30.0, 5e4])
def test_one_bin_response_is_the_double_integral(tau):
    """Truth: numerical double integral of exp(-(t-s)/tau) over the response's bin and each bin."""
    step, bins = 0.5, 64
    decay = Trpl(tau_ns=[tau], amplitude=[1000.0], background=0.0, bin_ns=step, bins=bins, irf=box(10, bins))
    counts = np.asarray(decay.expected())

    def inner(t):
        low, high = 10 * step, min(11 * step, t)
        return tau * (np.exp(-(t - high) / tau) - np.exp(-(t - low) / tau)) if t > low else 0.0

    for k in (9, 10, 11, 15):
        truth = integrate.quad(inner, k * step, (k + 1) * step, epsabs=1e-14)[0] / step * 1000 / step
        assert counts[k] == pytest.approx(
            max(truth, 1e-9), rel=1e-8, abs=1e-9
        )  # quad's own accuracy, the model's floor


@pytest.mark.parametrize("tau", [0.3, 4.0, 50.0])
def test_gaussian_response_is_scipys_exponentially_modified_gaussian(tau):
    """Truth: scipy's cumulative distribution of a Gaussian delayed by an exponential."""
    sigma, step, centre = 0.4, 0.25, 10.0
    decay = Trpl(
        tau_ns=[tau],
        amplitude=[500.0],
        shift_ns=centre,
        background=0.0,
        irf_fwhm_ns=sigma * FWHM_PER_SIGMA,
        bin_ns=step,
        bins=200,
    )
    edges = np.arange(201) * step
    law = exponnorm(tau / sigma, loc=centre, scale=sigma)
    truth = 500 * tau / step * np.diff(law.cdf(edges))
    assert np.allclose(np.asarray(decay.expected()), np.maximum(truth, 1e-9), rtol=1e-7, atol=1e-8)


@pytest.mark.full
def test_a_narrow_histogram_is_a_narrow_gaussian():
    """Both ways to describe the response must meet where it is narrow and the decay slow."""
    tau, step, bins = 40.0, 0.1, 2000
    narrow = Trpl(
        tau_ns=[tau], amplitude=[1e3], shift_ns=20.05, background=0.0, irf_fwhm_ns=0.02, bin_ns=step, bins=bins
    )
    histogram = Trpl(tau_ns=[tau], amplitude=[1e3], background=0.0, bin_ns=step, bins=bins, irf=box(200, bins))
    late = slice(202, None)
    assert np.allclose(np.asarray(narrow.expected())[late], np.asarray(histogram.expected())[late], rtol=1e-5)


def test_a_shift_by_whole_bins_moves_the_decay_and_a_part_of_one_lies_between():
    bins = 300
    response = np.exp(-0.5 * ((np.arange(bins) - 60) / 4.0) ** 2)
    base = dict(tau_ns=[3.0], amplitude=[1e3], background=0.0, bin_ns=0.2, bins=bins, irf=response / response.sum())
    still = np.asarray(Trpl(**base).expected())
    assert np.allclose(np.asarray(Trpl(**base, shift_ns=1.0).expected())[5:], still[:-5], rtol=1e-9, atol=1e-6)
    part = np.asarray(Trpl(**base, shift_ns=0.1).expected())
    middle = 0.5 * (still[1:] + still[:-1])
    assert np.allclose(part[1:], middle, rtol=0.02, atol=2.0)  # half a bin: near the mean of its neighbours


@pytest.mark.parametrize("gaussian", [True, False])
def test_pulses_that_come_back_keep_every_photon(gaussian):
    """With the record as long as the period, each pulse's whole light, a tau / bin, ends somewhere in it."""
    step, bins, tau = 0.5, 200, 60.0
    shape = dict(shift_ns=30.0, irf_fwhm_ns=1.0) if gaussian else dict(irf=box(60, bins))
    decay = Trpl(tau_ns=[tau], amplitude=[10.0], background=0.0, bin_ns=step, bins=bins, period_ns=step * bins, **shape)
    counts = np.asarray(decay.expected())
    assert counts.sum() == pytest.approx(10.0 * tau / step, rel=1e-9)
    assert counts[0] > 0.5  # what is left of the pulses before
    assert counts[0] / counts[-1] == pytest.approx(np.exp(-step / tau), rel=1e-6)  # seamless at the ends


def test_means_of_a_specimen_are_those_of_its_rate_equations():
    """Truth: the rate matrix; the amplitude-weighted mean is the integral of n(t), by solving M x = (1, 0)."""
    from perolas.matter.parameters_library import parameter_value
    from perolas.matter.specimen import Specimen

    k_r, k_d = parameter_value("CsPbBr3.radiative_rate"), parameter_value("CsPbBr3.detrapping_rate")
    for trap, loss in ((1.7, 0.0), (0.5, 0.02), (8.0, 0.001)):
        seen = Trpl(amplitude=[5.0, 5.0], tau_ns=[1.0, 2.0]).respond(Specimen.of(trap_ratio=trap, loss_ratio=loss))
        k_t, k_x = trap * k_r, loss * k_r
        matrix = np.array([[k_r + k_t, -k_d], [-k_t, k_d + k_x]])
        first = np.linalg.solve(matrix, [1.0, 0.0])
        second = np.linalg.solve(matrix, first)
        derived = seen.derived()
        assert float(derived["tau_mean_amplitude"]) == pytest.approx(first[0], rel=1e-10)
        assert float(derived["tau_mean_intensity"]) == pytest.approx(second[0] / first[0], rel=1e-10)
        assert float(np.sum(seen.amplitude)) == pytest.approx(10.0)
