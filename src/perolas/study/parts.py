"""The errors of an estimate as independent sources, which further arithmetic can add up rightly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate


def independent_parts(item: str, estimate: Estimate) -> dict[str, dict[str, float]]:
    """Split the errors of an estimate into independent sources, so that its correlations are kept.

    Args:
        item: what the sources are named after.
        estimate: of a single fit; a batch has none.

    Returns:
        Quantity -> source -> signed contribution, in the quantity's unit.
    """
    if estimate.batch_shape:
        return {}
    found: dict[str, dict[str, float]] = {}
    names = [
        n
        for i, n in enumerate(estimate.names)
        if np.isfinite(estimate.std[i]) and np.all(np.isfinite(np.diagonal(estimate.covariance)[i]))
    ]
    rows = [estimate.names.index(n) for n in names]
    covariance = np.asarray(estimate.covariance)[np.ix_(rows, rows)]
    if names and np.all(np.isfinite(covariance)):
        size, vectors = np.linalg.eigh(covariance)
        factor = vectors * np.sqrt(np.maximum(size, 0.0))
        for i, name in enumerate(names):
            found[name] = {f"{item}#{k + 1}": float(v) for k, v in enumerate(factor[i]) if v != 0}
    for name, quantity in estimate.quantities.items():
        if name not in found and quantity.std != 0:
            found[name] = {f"{item}.{name}": float(quantity.std)}
    return found
