"""Which phases a composition may be made of: shares with limits, and what a composition cannot tell apart.

Amounts of elements n with covariance C are compared with A p, the atoms that amounts p of phases hold, none below zero:
non-negative least squares in the metric of C. Every phase of Cs, Pb and Br is, in atoms, so much CsBr and so much
PbBr2, so that three elements give one mixing ratio and one test of neutrality, and at most two phases are determined.
What is not determined is not guessed: the share of each phase has the interval of its profile likelihood, which for a
phase that others can stand in for is the whole range that they allow.

Source of the algorithm: Lawson and Hanson's non-negative least squares, as scipy has it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from perolas.core.errors import InputError
from perolas.matter import formula

_ONE, _TWO = 1.0, 3.8415  # rise of chi-square at the ends of 68.3 and 95 % intervals of one parameter


@dataclass(frozen=True)
class Share:
    """What the composition says about one phase.

    Attributes:
        name: of the phase.
        best: its share of the formula units in the best mixture.
        std: standard error, where the share is determined; else inf.
        low68, high68, low95, high95: ends of the intervals of its profile likelihood.
        free_low, free_high: range that fits as well as the best mixture does.
    """

    name: str
    best: float
    std: float
    low68: float
    high68: float
    low95: float
    high95: float
    free_low: float
    free_high: float

    @property
    def determined(self) -> bool:
        """Whether the best mixtures agree on it."""
        return self.free_high - self.free_low < 1e-3

    @property
    def seen(self) -> bool:
        """Whether no mixture without it is within the 95 % interval."""
        return self.low95 > 0


@dataclass(frozen=True)
class Mixture:
    """Phases that explain a composition.

    Attributes:
        shares: one for each phase.
        rank: how many phases the measured elements can tell apart.
        chi2: misfit of the best mixture.
        freedom: elements less rank: the tests that are left.
        simplest: sets of the fewest phases within the 95 % region, with their misfit.
    """

    shares: tuple[Share, ...]
    rank: int
    chi2: float
    freedom: int
    simplest: tuple[tuple[tuple[str, ...], float], ...]

    def share(self, name: str) -> Share:
        """Return the share of a phase; raises InputError for one that was not asked about."""
        for one in self.shares:
            if one.name == name:
                return one
        raise InputError(f'The phase "{name}" was not among those asked about.')


def atoms_of(phases: tuple[str, ...], elements: tuple[str, ...]) -> np.ndarray:
    """Return the atoms of each measured element in a formula unit of each phase.

    Args:
        phases: formulas; what follows an underscore is the name of a structure.
        elements: those that were measured.

    Returns:
        Shape (e, p).

    Raises:
        InputError: a formula that cannot be read, or one that holds none of the elements.
    """
    columns = []
    for name in phases:
        held = formula.parse(name.partition("_")[0]).atoms
        column = [held.get(e, 0.0) for e in elements]
        if not any(column):
            raise InputError(f'The phase "{name}" holds none of the elements that were measured.')
        columns.append(column)
    return np.array(columns).T


def unmix(amounts: np.ndarray, covariance: np.ndarray, phases: tuple[str, ...], elements: tuple[str, ...]) -> Mixture:
    """Return what amounts of elements say about phases.

    Args:
        amounts: shape (e,), of each element.
        covariance: shape (e, e).
        phases: formulas, each once.
        elements: names of the elements.

    Returns:
        The mixture.

    Raises:
        InputError: phases that cannot be used, or a covariance without information.
    """
    if len(set(phases)) != len(phases) or not phases:
        raise InputError("Each phase is named once, and at least one is needed.")
    atoms = atoms_of(phases, elements)
    total = float(np.sum(amounts))
    try:
        root = np.linalg.cholesky(covariance / total**2 + 1e-18 * np.eye(len(amounts)))
    except (np.linalg.LinAlgError, ZeroDivisionError):
        raise InputError("The errors of the amounts are not known, so that phases cannot be judged.") from None
    white, aim = np.linalg.solve(root, atoms), np.linalg.solve(root, amounts / total)
    best, chi2 = _nnls(white, aim)
    scale = np.sum(best) or 1.0
    rank = int(np.linalg.matrix_rank(atoms))
    shares = tuple(_share(white, aim, i, name, chi2, best[i] / scale) for i, name in enumerate(phases))
    shares = tuple(_with_error(s, white, best) for s in shares)
    return Mixture(shares, rank, chi2, len(elements) - rank, _simplest(white, aim, phases, chi2, rank))


def _nnls(white: np.ndarray, aim: np.ndarray) -> tuple[np.ndarray, float]:
    from scipy.optimize import nnls

    size = np.linalg.norm(white, axis=0)
    found, rest = nnls(white / size, aim)
    return found / size, float(rest) ** 2


def _profile(white: np.ndarray, aim: np.ndarray, index: int, share: float) -> float:
    """Return the least misfit at a given share of one phase."""
    others = np.delete(white, index, axis=1)
    if others.shape[1] == 0:
        return _nnls(white, aim)[1] if share == 1.0 else np.inf
    return _nnls(share * white[:, [index]] + (1.0 - share) * others, aim)[1]


def _share(white: np.ndarray, aim: np.ndarray, index: int, name: str, chi2: float, best: float) -> Share:
    if white.shape[1] == 1:
        return Share(name, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    ends = {}
    for rise in (1e-6, _ONE, _TWO):
        ends[rise] = tuple(_end(white, aim, index, best, chi2 + rise * (1.0 + (rise < 1) * chi2), side)
                           for side in (0.0, 1.0))  # fmt: skip
    (free_low, free_high), (low, high), (lowest, highest) = ends.values()
    return Share(name, best, np.inf, low, high, lowest, highest, free_low, free_high)


def _end(white: np.ndarray, aim: np.ndarray, index: int, inside: float, limit: float, side: float) -> float:
    """Return where the misfit, which has one valley in the share, passes a limit on one side of the best share."""
    if _profile(white, aim, index, side) <= limit:
        return side
    outside = side
    for _ in range(40):
        middle = 0.5 * (inside + outside)
        if _profile(white, aim, index, middle) <= limit:
            inside = middle
        else:
            outside = middle
    return 0.5 * (inside + outside)


def _with_error(share: Share, white: np.ndarray, best: np.ndarray) -> Share:
    """Return the share with its standard error: the Gaussian one inside, half the 68 % interval at a bound."""
    from dataclasses import replace

    if not share.determined or white.shape[1] == 1:
        return share
    return replace(share, std=0.5 * (share.high68 - share.low68) if share.best > 1e-9 else share.high68)


def _simplest(
    white: np.ndarray, aim: np.ndarray, phases: tuple[str, ...], chi2: float, rank: int
) -> tuple[tuple[tuple[str, ...], float], ...]:
    for count in range(1, rank + 1):
        found = []
        for chosen in itertools.combinations(range(len(phases)), count):
            misfit = _nnls(white[:, chosen], aim)[1]
            if misfit <= chi2 + _TWO:
                found.append((tuple(phases[i] for i in chosen), misfit))
        if found:
            return tuple(sorted(found, key=lambda pair: pair[1]))
    return ()
