"""The threshold of a pumped nanocrystal film, predicted as a distribution, and the budget of its uncertainty.

Nothing here is fitted to a laser: losses, gain and pump come from the library, each with its error or its range.
`Question` says what is known, `forecast` answers.
"""

from perolas.laser.threshold.prediction import Forecast, Point, forecast, s_curves, sweep, thresholds
from perolas.laser.threshold.question import TIERS, Question, unknowns
from perolas.laser.threshold.variance import Share, budget

__all__ = [
    "TIERS",
    "Forecast",
    "Point",
    "Question",
    "Share",
    "budget",
    "forecast",
    "s_curves",
    "sweep",
    "thresholds",
    "unknowns",
]
