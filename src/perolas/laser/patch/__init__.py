"""A square piece of pumped film, the same for every tier: rays, diffusing light, and waves.

`patch` makes it of a `Question`; `solve` and `ensemble` follow its waves (SALT) film by film, `compare` puts the tiers
side by side.
"""

from perolas.laser.patch.comparison import TIERS, Comparison, Row, compare
from perolas.laser.patch.film import Patch, patch
from perolas.laser.patch.waves import Film, Mean, angle_correlation, area_exponent, ensemble, solve

__all__ = [
    "TIERS",
    "Comparison",
    "Film",
    "Mean",
    "Patch",
    "Row",
    "angle_correlation",
    "area_exponent",
    "compare",
    "ensemble",
    "patch",
    "solve",
]
