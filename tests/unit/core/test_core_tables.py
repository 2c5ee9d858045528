"""Numbers as people write them."""

import math

import pytest

from perolas.core.tables import with_error


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (3.6123, 0.0142, "3.612 ± 0.014"),
        (10432.0, 251.0, "10432 ± 251"),
        (138.8, 0.1, "138.80 ± 0.10"),
        (1.5e7, 3e5, "(1.500 ± 0.030)e7"),
        (2.5e-6, 1e-7, "(2.50 ± 0.10)e-6"),
        (4.0, 0.0, "4"),
        (4.0, math.inf, "4 ± ∞ (undetermined)"),
        (math.nan, 1.0, "–"),
        (None, None, "–"),
        (0.0, 0.5, "0.00 ± 0.50"),
    ],
)
def test_with_error(value, std, text):
    assert with_error(value, std) == text
