"""Which unknown makes how much of an uncertainty: Sobol indices of groups of unknowns, by scipy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from perolas.core.errors import InputError

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Share:
    """A line of the budget.

    Attributes:
        group: of unknowns.
        alone: share of the variance that it makes by itself (first-order index).
        total: with all its interplay with others (total index); the budget is ranked by it.
        total_error: half the 68 % interval of `total` by bootstrap.
    """

    group: str
    alone: float
    total: float
    total_error: float

    def __str__(self) -> str:
        return (
            f"{self.group}: {100 * self.total:.0f} +- {100 * self.total_error:.0f} % ({100 * self.alone:.0f} % alone)"
        )


@dataclass(frozen=True)
class Sampled:
    """What the design gave.

    Attributes:
        shares: shape (d, m), of the plain sample, 0 to 1.
        values: shape (m,), of the function there.
        budget: groups by falling total share.
    """

    shares: Float[np.ndarray, "d m"]
    values: Values
    budget: tuple[Share, ...]


def budget(
    function: Callable[[Float[np.ndarray, "d m"]], Values], groups: Sequence[str], base: int, seed: int = 0
) -> Sampled:
    """Return the share of each group of inputs in the variance of a function of independent uniform numbers.

    Args:
        function: takes shares of shape (d, m), 0 to 1, and gives values of shape (m,); called once.
        groups: the group of each of the d inputs; those that are alike are exchanged together.
        base: size of the base sample, a power of two; the function is worked out (groups + 2) times as often.
        seed: of the quasi-random numbers.

    Returns:
        The plain sample (2 base points) and the budget. Sources: Saltelli et al., Comput. Phys. Commun. 2010, 181, 259;
        Jansen, Comput. Phys. Commun. 1999, 117, 35; Jacques et al., Reliab. Eng. Syst. Saf. 2006, 91, 1126 (groups).

    Raises:
        InputError: a base that is no power of two, no inputs, or values that are not finite.
    """
    from scipy import stats
    from scipy.stats import qmc

    if base < 2 or base & (base - 1):
        raise InputError(f"The base sample must be a power of two, but is {base}.")
    if not groups:
        raise InputError("A budget needs at least one input.")
    names, d = list(dict.fromkeys(groups)), len(groups)
    both = qmc.Sobol(2 * d, seed=seed).random(base).T
    a, b = both[:d], both[d:]
    member = np.array([[g == name for g in groups] for name in names])
    exchanged = [np.where(row[:, None], b, a) for row in member]
    points = np.concatenate([a, b, *exchanged], axis=1)
    values = np.asarray(function(points), dtype=float)
    if values.shape != (points.shape[1],) or not np.all(np.isfinite(values)):
        raise InputError("The function of a budget must give one finite value for each point.")
    f_a, f_b, f_ab = values[:base], values[base : 2 * base], values[2 * base :].reshape(len(names), base)
    plain = np.concatenate([a, b], axis=1)
    moved = np.any(f_ab != f_a, axis=1)  # what moves nothing has no share, and would upset the bootstrap
    rows = [Share(name, 0.0, 0.0, 0.0) for name, m in zip(names, moved, strict=True) if not m]
    if not moved.any():
        return Sampled(plain, values[: 2 * base], tuple(rows))
    found = stats.sobol_indices(
        func={"f_A": f_a[None], "f_B": f_b[None], "f_AB": f_ab[moved][:, None]}, n=base, rng=np.random.default_rng(seed)
    )
    boot = found.bootstrap(confidence_level=0.68, n_resamples=200)
    first, total = np.ravel(found.first_order), np.ravel(found.total_order)
    half = 0.5 * np.ravel(boot.total_order.confidence_interval.high - boot.total_order.confidence_interval.low)
    there = [name for name, m in zip(names, moved, strict=True) if m]
    rows += [Share(n, float(f), float(t), float(h)) for n, f, t, h in zip(there, first, total, half, strict=True)]
    return Sampled(plain, values[: 2 * base], tuple(sorted(rows, key=lambda row: -row.total)))
