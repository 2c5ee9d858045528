"""A specimen ages as the law says: judged by the rate equations of its traps, solved as a matrix, and by its decay."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.matter.ageing_specimen import aged, ratio_of, with_ratio
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import Specimen
from perolas.measurements import trpl


def quantum_yield(specimen: Specimen) -> float:
    """Return k_r times the integral of the excitons, by the inverse of the matrix of rates."""
    k_r, k_d = parameter_value("CsPbBr3.radiative_rate"), parameter_value("CsPbBr3.detrapping_rate")
    k_t, k_x = float(specimen.trap_ratio) * k_r, float(specimen.loss_ratio) * k_r
    rates = np.array([[k_r + k_t, -k_d], [-k_t, k_d + k_x]])
    return float(k_r * np.linalg.solve(rates, [1.0, 0.0])[0])


@pytest.mark.parametrize(("traps", "loss"), [(1.0, 0.0), (1.667, 0.0157), (0.3, 5.0), (40.0, 0.2)])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 3.0])
def test_the_ratio_is_that_of_the_rate_equations(traps: float, loss: float, exponent: float) -> None:
    first = Specimen.of("CsPbBr3", trap_ratio=traps, loss_ratio=loss)
    later = aged(first, exponent)
    assert quantum_yield(later) == pytest.approx(1 / (1 + float(ratio_of(first)) * np.exp(exponent)), rel=1e-12)


@pytest.mark.parametrize("ratio", [0.0, 0.06, 1.135, 30.0])
def test_a_specimen_takes_a_ratio(ratio: float) -> None:
    for traps in (0.0, 0.8, 1.667):
        specimen = with_ratio(Specimen.of("CsPbBr3", trap_ratio=traps), ratio)
        assert float(ratio_of(specimen)) == pytest.approx(ratio, rel=1e-12)
        assert quantum_yield(specimen) == pytest.approx(1 / (1 + ratio), rel=1e-12)
    with pytest.raises(InputError, match='"ratio" must be zero or positive'):
        with_ratio(specimen, -1.0)


@pytest.mark.full
def test_the_decay_shows_it() -> None:
    """The amplitude-weighted lifetime of a simulated decay falls by the factor by which the emission does."""
    first = with_ratio(Specimen.of("CsPbBr3", trap_ratio=1.0), 0.06)
    later = aged(first, 2.0)
    found = []
    for specimen in (first, later):
        data = trpl.simulate(specimen, counts=2e6, irf_fwhm=0.2, components="2", bins=8192, bin_width=0.25, seed=3)
        quantity = trpl.fit(data, components="2", irf_fwhm=0.2).quantities["tau_mean_amplitude"]
        found.append((quantity.value, quantity.std))
    (before, before_std), (after, after_std) = found
    expected = quantum_yield(later) / quantum_yield(first)
    assert after / before == pytest.approx(expected, abs=4 * np.hypot(after_std / before, before_std / before))


def test_gradient() -> None:
    specimen = with_ratio(Specimen.of("CsPbBr3", trap_ratio=1.0), 0.1)
    slope = jax.grad(lambda g: ratio_of(aged(specimen, g)))(0.7)
    assert float(slope) == pytest.approx(0.1 * np.exp(0.7), rel=1e-12)
