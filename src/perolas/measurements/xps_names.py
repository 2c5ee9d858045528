"""Which species the lines of a core level are: a joint assignment with posterior probabilities.

An assignment gives each fitted line a different species of the level's table, or "unknown". For positions p with
fitted covariance C, table positions m with standard uncertainties s, and an energy reference that shifts all lines
together by a normal deviate of standard deviation t,

    p - m ~ Normal(0, C + diag(s^2) + t^2 11')

so that distances between lines, which no charging can change, weigh most. t is the uncertainty of the reference and,
unless the file says that the energies were charge-corrected, 1 eV more (4 eV where the axis came from kinetic energies,
from which an analyser's work function may not have been taken off). "Unknown" spreads a line evenly over 10 eV.
Assignments that contain the species listed first for the level have three times the prior weight of others.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perolas.measurements.xps_levels import Level, Species

DECIDED = 0.9
CHARGING_EV = 1.0
WORK_FUNCTION_EV = 4.0
_SPREAD_EV = 10.0
_PRIOR_FIRST, _PRIOR_UNKNOWN = 3.0, 0.01


@dataclass(frozen=True)
class Naming:
    """What each line is.

    Attributes:
        names: name of each line; "undecided between ..." below a posterior of 0.9, "unknown species" if none fits.
        species: the species of each line where it is decided, else None.
        posterior: of each line's name (of the best where undecided).
        rows: the assignments with the highest posterior: {"species": [...], "posterior": ...}.
        shift_ev: common shift of the best assignment, positive towards higher binding energy.
    """

    names: tuple[str, ...]
    species: tuple[Species | None, ...]
    posterior: tuple[float, ...]
    rows: tuple[dict[str, object], ...]
    shift_ev: float


def assign(level: Level, positions: NDArray[np.float64], covariance: NDArray[np.float64], shift_std: float) -> Naming:
    """Name the lines of a level.

    Args:
        level: the core level with its species.
        positions: shape (k,), fitted main lines, eV.
        covariance: shape (k, k), of the fit alone, eV^2.
        shift_std: standard deviation of a common shift, eV.

    Returns:
        Names with their posterior probabilities.
    """
    count = len(positions)
    options: list[Species | None] = [*level.species, None]
    found = []
    for chosen in itertools.product(options, repeat=count):
        named = [s for s in chosen if s is not None]
        if len({s.name for s in named}) == len(named):
            found.append((chosen, _log_weight(level, chosen, positions, covariance, shift_std)))
    logs = np.array([w for _, w in found])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    order = np.argsort(-weights)
    names, species, posterior = [], [], []
    for i in range(count):
        share: dict[Species | None, float] = {}
        for (chosen, _), weight in zip(found, weights, strict=True):
            share[chosen[i]] = share.get(chosen[i], 0.0) + float(weight)
        ranked = sorted(share.items(), key=lambda item: -item[1])
        best, probability = ranked[0]
        posterior.append(probability)
        if probability >= DECIDED:
            names.append(best.name if best else "unknown species")
            species.append(best)
        else:
            likely = [s.name if s else "an unknown species" for s, p in ranked if p > 0.05][:3]
            names.append("undecided between " + (" and ".join(likely) if len(likely) > 1 else ranked[0][0].name))  # type: ignore[union-attr]
            species.append(None)
    best_chosen = found[order[0]][0]
    away = [p - s.position_ev for p, s in zip(positions, best_chosen, strict=True) if s is not None]
    rows = tuple(
        {"species": [s.name if s else "unknown" for s in found[i][0]], "posterior": float(weights[i])}
        for i in order[:6]
        if weights[i] > 1e-4
    )
    return Naming(tuple(names), tuple(species), tuple(posterior), rows, float(np.mean(away)) if away else 0.0)


def _log_weight(
    level: Level,
    chosen: tuple[Species | None, ...],
    positions: NDArray[np.float64],
    covariance: NDArray[np.float64],
    shift_std: float,
) -> float:
    """Return the logarithm of prior times likelihood of one assignment."""
    known = [i for i, s in enumerate(chosen) if s is not None]
    unknown = len(chosen) - len(known)
    total = unknown * (np.log(_PRIOR_UNKNOWN) - np.log(_SPREAD_EV))
    if any(s is level.species[0] for s in chosen):
        total += np.log(_PRIOR_FIRST)
    if known:
        named = [s for s in chosen if s is not None]
        away = np.array([positions[i] - s.position_ev for i, s in zip(known, named, strict=True)])
        own = np.diag([s.std_ev**2 for s in named])
        matrix = covariance[np.ix_(known, known)] + own + shift_std**2
        _, size = np.linalg.slogdet(2 * np.pi * matrix)
        total += -0.5 * (away @ np.linalg.solve(matrix, away) + size)
    return float(total)
