"""What other techniques see of a size law: number- and volume-weighted means with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perolas.core.errors import InputError
from perolas.core.estimate import Estimate


@dataclass(frozen=True)
class WeightedMeans:
    """Means of one size law, with their common covariance.

    Attributes:
        number_nm: number-weighted mean size, <D>.
        volume_nm: volume-weighted mean size, <D^4>/<D^3>.
        column_nm: volume-weighted mean column, which a powder line sees; 3/4 of `volume_nm` for spheres.
        covariance_nm2: shape (3, 3), of these in this order, the errors that all sizes share included.
    """

    number_nm: float
    volume_nm: float
    column_nm: float
    covariance_nm2: np.ndarray

    @property
    def std_nm(self) -> tuple[float, float, float]:
        """The standard errors of the three."""
        errors = np.sqrt(np.diag(self.covariance_nm2))
        return float(errors[0]), float(errors[1]), float(errors[2])


def weighted_means(estimate: Estimate) -> WeightedMeans:
    """Return the number- and volume-weighted means of a fitted size law.

    Args:
        estimate: of technique tem.

    Returns:
        The means with their covariance.

    Raises:
        InputError: an estimate of another technique, or one without a size law.
    """
    names = ("mean_edge", "volume_mean_edge", "volume_mean_column")
    if estimate.technique != "tem" or any(n not in estimate.names for n in names):
        raise InputError("Weighted means need an estimate of technique tem whose mean and spread were both fitted.")
    if any(n in estimate.undetermined for n in names):
        raise InputError("This image determines no size law, so it has no weighted means.")
    index = [estimate.names.index(n) for n in names]
    number, volume, column = (float(estimate.values[i]) for i in index)
    return WeightedMeans(number, volume, column, np.asarray(estimate.covariance[np.ix_(index, index)]))
