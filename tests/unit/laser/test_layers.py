"""Light in a film against Fresnel, Airy and the conservation of energy."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser import layers

SILICON = 3.675 + 0.0054j  # Green 2008, 800 nm


def airy(n: complex, d: float, s: complex, nm: float) -> float:
    """Reflected share as the sum of all beams (Airy), written without matrices."""
    first, second = (1 - n) / (1 + n), (n - s) / (n + s)
    round_trip = cmath.exp(4j * math.pi * n * d / nm)
    return abs((first + second * round_trip) / (1 + first * second * round_trip)) ** 2


@pytest.mark.parametrize("n", [1.0, 1.8, 2.3 + 0.02j, 2.2 + 0.4j])
@pytest.mark.parametrize("d", [10.0, 111.1, 777.0])
def test_reflection_is_that_of_airy(n: complex, d: float) -> None:
    found = layers.film_field(n, d, SILICON, 800.0)
    assert found.reflected == pytest.approx(airy(n, d, SILICON, 800.0), rel=1e-12)


def test_a_quarter_wave_of_the_right_index_does_not_reflect() -> None:
    assert layers.film_field(2.0, 100.0, 4.0, 800.0).reflected == pytest.approx(0.0, abs=1e-28)


def test_what_is_absorbed_is_where_the_light_is() -> None:
    """Poynting: the absorbed share is the integral of 4 pi k / lambda times n |E|^2, with index n + ik."""
    n, nm = 2.2 + 0.1j, 500.0
    found = layers.film_field(n, 600.0, SILICON, nm, 4001)
    heated = np.trapezoid(4 * math.pi * n.imag / nm * found.intensity, found.depth_nm)
    assert found.absorbed == pytest.approx(heated, rel=1e-5)
    assert found.reflected + found.absorbed + found.transmitted == pytest.approx(1.0)


def test_nothing_in_the_way_changes_nothing() -> None:
    found = layers.film_field(1.0, 500.0, 1.0, 800.0)
    assert found.intensity == pytest.approx(np.ones(401))
    assert found.mean(2) == pytest.approx(1.0)


def test_thick_film_on_a_like_substrate_holds_what_enters() -> None:
    """No second face: n |E|^2 is the Fresnel share that enters, everywhere."""
    assert layers.film_field(1.8, 500.0, 1.8, 800.0).intensity == pytest.approx(1 - (0.8 / 2.8) ** 2)


def test_range_over_thickness() -> None:
    low, mean, high = layers.interference_range(1.8, SILICON, 800.0, 300.0, 2000.0, 2)
    assert 0.8 < low < mean < high < 2.0
    one = layers.interference_range(1.8, SILICON, 800.0, 500.0, 500.0, 2)
    assert one[0] == one[2] == pytest.approx(layers.film_field(1.8, 500.0, SILICON, 800.0).mean(2))


def test_no_thickness_is_a_sentence() -> None:
    with pytest.raises(InputError, match='"film thickness" must be positive, but is 0 nm'):
        layers.film_field(1.8, 0.0, SILICON, 800.0)
