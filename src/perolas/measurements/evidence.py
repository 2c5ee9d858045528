"""Choosing among models by evidence, and showing the table behind the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perolas.core.errors import FitError
from perolas.core.estimate import Estimate

# A richer model is taken only if it is better by this much in BIC ("strong" on the scale of Kass and Raftery 1995).
DECISIVE = 6.0


def choose(tried: Sequence[Estimate], labels: Sequence[str]) -> tuple[Estimate, list[dict[str, Any]]]:
    """Choose the simplest model that no richer one beats decisively.

    Args:
        tried: estimates of the same data, from simple to rich.
        labels: what to call each.

    Returns:
        The chosen estimate, and one row for each: model, result, free, chi2_reduced, aic, bic, delta_bic, chosen.

    Raises:
        FitError: none of them converged.
    """
    good = [i for i, e in enumerate(tried) if e.result == "converged" and math.isfinite(float(e.bic))]
    if not good:
        raise FitError(f"None of the {len(tried)} models converged; give start values or more starts.")
    best = good[0]
    for i in good[1:]:
        if float(tried[i].bic) < float(tried[best].bic) - DECISIVE:
            best = i
    rows = [
        {
            "model": label,
            "result": e.result,
            "free": e.n_free,
            "chi2_reduced": float(e.chi2_reduced) if np.isfinite(e.chi2_reduced) else None,
            "aic": float(e.aic),
            "bic": float(e.bic),
            "delta_bic": float(e.bic - tried[best].bic),
            "chosen": i == best,
        }
        for i, (e, label) in enumerate(zip(tried, labels, strict=True))
    ]
    return tried[best], rows
