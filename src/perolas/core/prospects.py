"""Which further measurement of a specimen would settle a question best, before it is made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.joint import Joint
from perolas.core.parameter import expand, slots
from perolas.core.sharing import fisher_of, own_names, std_of, with_known_noise


@dataclass(frozen=True)
class Prospect:
    """What a measurement would do for one parameter.

    Attributes:
        measurement: its name.
        std: standard error of the parameter once it is made; inf where it then is still not determined.
        times: how many times its data (counts, time) would be needed for the error that is wanted: below 1 less than
            planned is enough, inf where no amount of it gets there; NaN where no error was asked for.
    """

    measurement: str
    std: float
    times: float


def informations(
    alone: Mapping[str, Estimate], specimen: Any, varied: Iterable[str]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return what each measurement alone says about a specimen, its own unknowns taken out.

    With F the Fisher matrix of one measurement in the specimen's parameters v and its own n, that is
    F_vv - F_vn F_nn^-1 F_nv: information that stays when the nuisances are free.

    Args:
        alone: name -> the estimate of a measurement of that specimen, simulated or real.
        specimen: where the information is asked for.
        varied: names of the specimen's parameters that are not known.

    Returns:
        The names of the parameters, p of them, and for each measurement a matrix of shape (p, p).

    Raises:
        InputError: no measurement, a batch, or a parameter that there is not.
    """
    if not alone:
        raise InputError("There is no measurement to choose from.")
    names = expand(varied, slots(specimen, "state"))
    if not names:
        raise InputError("Name at least one parameter of the specimen that is not known.")
    found = {}
    for name, estimate in alone.items():
        if estimate.batch_shape:
            raise InputError(f'"{name}" is a batch; take one of it with .element(i) first.')
        member = with_known_noise(estimate.fitted()[0], estimate)
        joint = Joint.of({name: member}, specimen, names)
        known = {f"{name}_{n}": std for n, (_, std) in member.law_priors.items()}
        fisher, free = fisher_of(joint, [*names, *own_names(name, member, estimate), *known])
        fisher = fisher + np.diag([known.get(n, math.inf) ** -2.0 for n in free])
        found[name] = _without_nuisances(fisher, [free.index(n) for n in names])
    return names, found


def _without_nuisances(fisher: np.ndarray, wanted: list[int]) -> np.ndarray:
    rest = [i for i in range(len(fisher)) if i not in wanted]
    inner = fisher[np.ix_(rest, rest)]
    size = np.sqrt(np.maximum(np.diagonal(inner), 1e-300))
    inverse = np.linalg.pinv(inner / np.outer(size, size), rcond=1e-12, hermitian=True) / np.outer(size, size)
    across = fisher[np.ix_(wanted, rest)]
    left = fisher[np.ix_(wanted, wanted)] - across @ inverse @ across.T
    # What cancels to rounding is no information.
    weak = np.diagonal(left) <= 1e-9 * np.diagonal(fisher)[wanted]
    left = np.where(weak[:, None] | weak[None, :], 0.0, left)
    return np.asarray(0.5 * (left + left.T))


def prospects(
    names: tuple[str, ...],
    information: Mapping[str, np.ndarray],
    question: str,
    *,
    have: Iterable[str] = (),
    prior: Mapping[str, float] | None = None,
    want: float | None = None,
) -> tuple[float, tuple[Prospect, ...]]:
    """Rank measurements by what they would do for one parameter.

    Args:
        names: the specimen's parameters that are not known.
        information: measurement -> matrix, as `informations` gives them.
        question: the parameter asked about.
        have: measurements that are made already; the others are the candidates.
        prior: parameter -> standard deviation of what is known of it without any measurement.
        want: the standard error wanted, or None.

    Returns:
        The standard error now, and the candidates, best first.

    Raises:
        InputError: an unknown name, no candidate, or an error wanted that is not positive.
    """
    index = names.index(check.one_of(question, names, "The parameter"))
    made = [check.one_of(h, information, "The measurement") for h in have]
    candidates = [n for n in information if n not in made]
    if not candidates:
        raise InputError("Every measurement is made already; there is none to choose from.")
    if want is not None:
        check.positive(want, "the error wanted")
    known = np.zeros((len(names), len(names)))
    for name, std in (prior or {}).items():
        at = names.index(check.one_of(name, names, "The parameter of the prior"))
        known[at, at] += 1.0 / check.positive(std, f"prior of {name}") ** 2
    for name in made:
        known = known + information[name]
    found = [
        Prospect(
            name,
            std_of(known + information[name], index),
            math.nan if want is None else _times(known, information[name], index, want),
        )
        for name in candidates
    ]
    return std_of(known, index), tuple(sorted(found, key=lambda p: (p.std, p.measurement)))


def _times(known: np.ndarray, more: np.ndarray, index: int, want: float) -> float:
    """Return by how much `more` must be multiplied for the error wanted, by bisection in its logarithm."""
    if std_of(known, index) <= want:
        return 0.0
    low, high = -9.0, 9.0
    if not std_of(known + 10.0**high * more, index) <= want:
        return math.inf
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if std_of(known + 10.0**middle * more, index) <= want else (middle, high)
    return float(10.0**high)
