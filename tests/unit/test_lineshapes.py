"""Line shapes against scipy (another code) and against their analytic integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import voigt_profile

import perolas  # noqa: F401  (turns float64 on)
from perolas.measurements import lineshapes


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.3, 1.0, 10.0, 100.0])
def test_voigt_is_scipys_voigt_profile(ratio):
    x = np.linspace(-50, 50, 4001)
    ours = np.asarray(lineshapes.voigt(jnp.asarray(x), 1.0, ratio))
    theirs = voigt_profile(x, 1.0 / lineshapes.FWHM_PER_SIGMA, ratio / 2)
    assert np.max(np.abs(ours - theirs)) < 1e-9 * theirs.max()  # the accuracy that the module states


@pytest.mark.parametrize("ratio", [0.01, 1.0, 30.0])
def test_voigt_width_is_the_half_maximum(ratio):
    half = float(lineshapes.voigt_fwhm(1.0, ratio)) / 2
    top, side = lineshapes.voigt(jnp.array([0.0, half]), 1.0, ratio)
    assert side / top == pytest.approx(0.5, abs=3e-4)  # Olivero and Longbothum state 0.02 % of the width


def test_voigt_gradient_is_its_finite_difference():
    value = lambda w: lineshapes.voigt(jnp.array(0.4), w, 0.7)  # noqa: E731
    step = 1e-5
    assert jax.grad(value)(1.1) == pytest.approx(float(value(1.1 + step) - value(1.1 - step)) / (2 * step), rel=1e-7)


@pytest.mark.parametrize("flip", [1, -1])
def test_running_integral_runs_from_the_low_end(flip):
    x = np.linspace(0, 2, 401)[::flip]
    found = np.asarray(lineshapes.running_integral(jnp.asarray(2 * x), jnp.asarray(x)))
    assert np.allclose(found, x**2, atol=1e-12)  # analytic: the integral of 2x from 0
