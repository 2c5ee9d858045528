"""Posterior odds over phases and planes for spacings measured in a lattice image.

Prior, all of it stated and varied:

- compounds alike, the phases (structures) of one compound alike among themselves, so that listing a third cell of the
  same compound does not make the compound more probable; or weights that the user gives;
- within a phase, planes by their visibility `|V_g|` (see `planes`), forbidden lines by that of double diffraction,
  between the smallest and the largest spacing that could be seen;
- a tenth for "none of these": a phase whose planes lie anywhere (those of the candidates, smeared by 20 %);
- a fifth for spots of one image to come from several crystals of the phase.

Probabilities of phases are given that it is one of the candidates; that it is none of them is a number of its own.
Sensitivity: the same with all planes alike, with `|V_g|^2`, with no and with strong double diffraction, with finer
planes. A verdict names a phase, or else a compound, where the odds against the other candidates reach the threshold
and an unlisted phase is not likely.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.matter.crystal import Crystal, phase, phases
from perolas.matter.formula import parse
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.hrtem import likelihood
from perolas.measurements.hrtem.likelihood import Assignment, Errors
from perolas.measurements.hrtem.planes import Planes, equivalents, planes_of

THRESHOLD = 20.0
_NONE = "none of these"
_SHOWN = 6
_LEAST = 1e-12


@dataclass(frozen=True)
class Prior:
    """What is taken for granted before the image is looked at.

    Attributes:
        power: a plane weighs `|V_g|` to this power.
        double_diffraction: visibility of forbidden lines, the strongest plane being 1.
        d_min_nm, d_max_nm: the spacings that can be seen.
        none: prior probability that the phase is not among the candidates.
        several: prior probability that the spots of an image come from several crystals.
        weights: phase -> prior weight, 1 where it is not named.
    """

    power: float = 1.0
    double_diffraction: float = 0.05
    d_min_nm: float = 0.2
    d_max_nm: float = 1.2
    none: float = 0.1
    several: float = 0.2
    weights: Mapping[str, float] = field(default_factory=dict)

    def variants(self) -> dict[str, Prior]:
        """Return the other priors that a verdict is held against."""
        return {
            "all planes alike": dataclasses.replace(self, power=0.0),
            "planes as |V|^2": dataclasses.replace(self, power=2.0),
            "no double diffraction": dataclasses.replace(self, double_diffraction=1e-6),
            "double diffraction four times stronger": dataclasses.replace(
                self, double_diffraction=min(4.0 * self.double_diffraction, 1.0)
            ),
            "planes down to 3/4 of the spacing": dataclasses.replace(self, d_min_nm=0.75 * self.d_min_nm),
        }


@dataclass(frozen=True)
class PhaseOdds:
    """One candidate.

    Attributes:
        name, compound: of the phase.
        probability: posterior, given that it is one of the candidates.
        low, high: its range over the priors that were tried.
        readings: how it reads the spots, most probable first, with its share of the phase's probability.
    """

    name: str
    compound: str
    probability: float
    low: float
    high: float
    readings: tuple[tuple[Assignment, float], ...]


@dataclass(frozen=True)
class Odds:
    """Posterior odds of candidates for spacings of a lattice image.

    Attributes:
        spacing_nm: shape (m,), what was measured.
        std_relative: of the scale.
        phases: by falling probability.
        none: posterior probability that it is none of them, but an unlisted phase.
        none_range: its range over the priors that were tried.
        compounds: compound -> (probability, lowest, highest over the priors).
        threshold: odds from which on a verdict names something.
        decided: name of the phase or compound that reaches it, or None.
        level: ``"phase"``, ``"compound"``, ``"none"`` (none of the candidates) or ``"undecidable"``.
        verdict: one or more sentences.
        prior: as text.
        crystals: the candidates by name.
    """

    spacing_nm: tuple[float, ...]
    std_relative: float
    phases: tuple[PhaseOdds, ...]
    none: float
    none_range: tuple[float, float]
    compounds: dict[str, tuple[float, float, float]]
    threshold: float
    decided: str | None
    level: str
    verdict: str
    prior: str
    crystals: Mapping[str, Crystal]

    def probability(self, name: str) -> float:
        """Return the posterior probability of a phase; raises InputError for one that is no candidate."""
        return self._row(name).probability

    def plane_probability(self, name: str, hkl: Sequence[int]) -> float:
        """Return the posterior probability that the first spacing is one plane (or an equivalent) of one phase.

        Args:
            name: of the phase.
            hkl: Miller indices.

        Returns:
            Between 0 and 1; 0 where that plane is too far away.

        Raises:
            InputError: the phase is not among the candidates.
        """
        row = self._row(name)
        wanted = equivalents(self.crystals[name], hkl)
        return row.probability * sum(s for a, s in row.readings if a.hkl[0] in wanted)

    def _row(self, name: str) -> PhaseOdds:
        rows = {p.name: p for p in self.phases}
        return rows[check.one_of(name, rows, "The candidate")]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-like data."""
        return {
            "spacing_nm": list(self.spacing_nm),
            "calibration_std": self.std_relative,
            "threshold": self.threshold,
            "level": self.level,
            "decided": self.decided,
            "verdict": self.verdict,
            "prior": self.prior,
            "compounds": {
                k: {"probability": p, "low": low, "high": high} for k, (p, low, high) in self.compounds.items()
            },
            "none_of_these": {"probability": self.none, "low": self.none_range[0], "high": self.none_range[1]},
            "phases": [
                {
                    "name": p.name,
                    "compound": p.compound,
                    "probability": p.probability,
                    "odds": p.probability / max(1.0 - p.probability, _LEAST),
                    "low": p.low,
                    "high": p.high,
                    "readings": [
                        {
                            "planes": a.words,
                            "d_nm": list(a.d_nm),
                            "forbidden": list(a.forbidden),
                            "zone": None if a.zone is None else list(a.zone),
                            "deviation": a.deviation,
                            "share": s,
                        }
                        for a, s in p.readings[:_SHOWN]
                    ],
                }
                for p in self.phases
            ],
        }

    def __str__(self) -> str:
        """Return the table and the verdict."""
        rows = [
            f"{'phase':22s}{'probability':>12s}{'range':>16s}  planes (deviation); * forbidden, by double diffraction"
        ]
        for p in self.phases:
            if p.high < 1e-6:
                rows.append(f"{p.name:22s}{'< 1e-6':>12s}{'':>16s}  no plane fits")
                continue
            read = "; ".join(f"{a.words} ({100 * a.deviation:+.1f} %)" for a, s in p.readings[:3] if s > 0.02)
            rows.append(f"{p.name:22s}{p.probability:12.3g}{_range(p.low, p.high):>16s}  {read}")
        rows.append(f"({_NONE}: {self.none:.2g}, {_range(*self.none_range)})")
        return "\n".join([*rows, "", self.verdict])


def _range(low: float, high: float) -> str:
    return f"{low:.2g}-{high:.2g}"


def crystals(candidates: str | Sequence[str | Crystal] = "all", cif: Any = None) -> list[Crystal]:
    """Return candidates as crystals.

    Args:
        candidates: ``"all"`` phases of the library, or names of some, or crystals.
        cif: a structure file, a folder of them, or a list: further candidates.

    Returns:
        The crystals; at least one.

    Raises:
        InputError: an unknown name, a file that cannot be used, a name that comes twice, or none at all.
    """
    from perolas.measurements.xrd.prepare import crystals_of

    given = [candidates] if isinstance(candidates, str | Crystal) else list(candidates)
    chosen: list[Crystal] = []
    for entry in given:
        if isinstance(entry, Crystal):
            chosen.append(entry)
        else:
            chosen += [phase(n) for n in (phases() if entry == "all" else (entry,))]
    if cif is not None:
        chosen += crystals_of((), cif)
    names = [c.name for c in chosen]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"Two candidates are called {', '.join(twice)}; name each once.")
    if not chosen:
        raise InputError('Name the candidates ("all", or phases of the library) or give their structures (cif).')
    return chosen


def compound_of(crystal: Crystal) -> str:
    """Return the compound of a crystal: its formula with the elements in the order of the library's name."""
    own = parse(crystal.formula).atoms
    for name in phases():
        known = phase(name).formula
        if parse(known).atoms == own:
            return known
    return crystal.formula


def default_prior(**changes: Any) -> Prior:
    """Return the prior with the library's numbers, some of them changed."""
    given = {
        "double_diffraction": parameter_value("hrtem.double_diffraction"),
        "d_min_nm": parameter_value("hrtem.resolution"),
    }
    return Prior(**{**given, **{k: v for k, v in changes.items() if v is not None}})


def odds(
    spacing_nm: float | Sequence[float] = 0.581,
    std_relative: float | None = None,
    candidates: str | Sequence[str | Crystal] = "all",
    *,
    angle_deg: float | None = None,
    cif: Any = None,
    position_std: float = 0.0,
    threshold: float = THRESHOLD,
    prior: Prior | None = None,
) -> Odds:
    """Return posterior odds over phases and planes for a spacing, or for two with the angle between them.

    Args:
        spacing_nm: one spacing, or two, nm.
        std_relative: relative standard error of the scale; None: the library's.
        candidates: ``"all"``, names of phases, or crystals.
        angle_deg: between the two planes, degrees.
        cif: further candidates, see `crystals`.
        position_std: relative standard error of each spacing on its own.
        threshold: odds from which on a verdict names something.
        prior: see `Prior`; None: the library's numbers.

    Returns:
        The odds with their verdict.

    Raises:
        InputError: numbers or names that cannot be used.
    """
    spacings = [check.positive(float(d), "spacing_nm", "nm") for d in np.atleast_1d(np.asarray(spacing_nm, float))]
    if len(spacings) > 2 or (len(spacings) == 2) != (angle_deg is not None):
        raise InputError("Give one spacing, or two with the angle between them (angle_deg).")
    turn = math.radians(angle_deg or 0.0)
    if angle_deg is not None and not 5.0 < angle_deg < 175.0:
        raise InputError(f"The angle must lie between 5 and 175 °, but is {angle_deg:g} °.")
    k = [[1.0 / spacings[0], 0.0]] + [[math.cos(turn) / d, math.sin(turn) / d] for d in spacings[1:]]
    return judge(
        np.array(k),
        crystals(candidates, cif),
        calibration_std=std_relative,
        position_std=np.full(len(k), check.positive(position_std, "position_std", zero=True)),
        threshold=threshold,
        prior=prior,
    )


def judge(
    k_per_nm: ArrayLike,
    candidates: Sequence[Crystal],
    *,
    calibration_std: float | None = None,
    position_std: NDArray[np.float64] | None = None,
    threshold: float = THRESHOLD,
    prior: Prior | None = None,
) -> Odds:
    """Return posterior odds for spots of a Fourier transform.

    Args:
        k_per_nm: shape (m, 2), spots, strongest first, one of each pair.
        candidates: the crystals.
        calibration_std: relative standard error of the scale; None: the library's.
        position_std: shape (m,), relative standard error of each spot's position.
        threshold: odds from which on a verdict names something.
        prior: see `Prior`; None: the library's numbers.

    Returns:
        The odds with their verdict.

    Raises:
        InputError: spots outside the range of the prior, or numbers that cannot be used.
    """
    from perolas.measurements.hrtem.words import verdict_of

    k = np.asarray(k_per_nm, dtype=float)
    chosen = prior or default_prior()
    scale = parameter_value("hrtem.calibration") if calibration_std is None else calibration_std
    check.positive(scale, "calibration_std", zero=True)
    if scale > 0.2:
        raise InputError(f"A scale known to {100 * scale:g} % tells no planes apart; give calibration_std as 0.01.")
    if not threshold > 1:
        raise InputError(f'Argument "threshold" must be above 1, but is {threshold:g}.')
    d = 1.0 / np.linalg.norm(k, axis=1)
    if np.any(d < chosen.d_min_nm) or np.any(d > chosen.d_max_nm):
        low = min(0.9 * float(d.min()), chosen.d_min_nm)
        chosen = dataclasses.replace(chosen, d_min_nm=low, d_max_nm=max(1.1 * float(d.max()), chosen.d_max_nm))
    own = np.zeros(len(k)) if position_std is None else np.asarray(position_std, dtype=float)
    direction = math.hypot(parameter_value("hrtem.distortion"), parameter_value("hrtem.structure"))
    errors = Errors(float(scale), direction, own)
    first = _posterior(k, candidates, errors, chosen)
    others = [_posterior(k, candidates, errors, p) for p in chosen.variants().values()]
    every = [first, *others]
    names = [c.name for c in candidates]
    compounds = {c.name: compound_of(c) for c in candidates}
    rows = []
    for name in names:
        values = [e.probability[name] for e in every]
        rows.append(PhaseOdds(name, compounds[name], values[0], min(values), max(values), first.readings[name]))
    groups = {}
    for compound in dict.fromkeys(compounds.values()):
        sums = [sum(e.probability[n] for n in names if compounds[n] == compound) for e in every]
        groups[compound] = (sums[0], min(sums), max(sums))
    none = [e.none for e in every]
    made = Odds(
        spacing_nm=tuple(float(v) for v in d),
        std_relative=float(scale),
        phases=tuple(sorted(rows, key=lambda r: -r.probability)),
        none=none[0],
        none_range=(min(none), max(none)),
        compounds=dict(sorted(groups.items(), key=lambda kv: -kv[1][0])),
        threshold=float(threshold),
        decided=None,
        level="undecidable",
        verdict="",
        prior=(
            f"compounds alike, {100 * chosen.none:g} % for none of them; planes of {chosen.d_min_nm:.3g}-"
            f"{chosen.d_max_nm:.3g} nm weighted by |V|^{chosen.power:g}, forbidden ones by "
            f"{chosen.double_diffraction:g} of the strongest"
        ),
        crystals={c.name: c for c in candidates},
    )
    level, decided, sentence = verdict_of(made)
    return dataclasses.replace(made, level=level, decided=decided, verdict=sentence)


@dataclass(frozen=True)
class _Posterior:
    probability: dict[str, float]
    none: float
    readings: dict[str, tuple[tuple[Assignment, float], ...]]


def _posterior(k: NDArray[np.float64], candidates: Sequence[Crystal], errors: Errors, prior: Prior) -> _Posterior:
    length = np.linalg.norm(k, axis=1)
    other = likelihood.second_spot(k)
    share = _shares(candidates, prior)
    turns = 1.0 if other is None else (2.0 / math.pi) / math.pi ** (len(k) - 2)
    used = [0] if other is None else list(range(len(k)))
    joint, smear, readings = {}, {}, {}
    for crystal in candidates:
        planes: Planes = planes_of(crystal, prior.d_min_nm, prior.d_max_nm)
        weight = planes.visibility(prior.double_diffraction, prior.power)
        weight = weight / weight.sum() if weight.size else weight
        alone = [likelihood.single(planes, weight, float(length[i]), errors.single(i)) for i in used]
        apart = float(np.prod([a[0] for a in alone])) * turns
        smear[crystal.name] = float(
            np.prod([likelihood.smeared(planes, weight, float(length[i])) for i in used]) * turns
        )
        if other is None:
            joint[crystal.name], found, together = apart, alone[0][1], apart
        else:
            window = (prior.d_min_nm, prior.d_max_nm)
            together, found = likelihood.zone(planes, weight, k, other, errors, window)
            joint[crystal.name] = (1.0 - prior.several) * together + prior.several * apart
            found = [dataclasses.replace(a, weight=(1.0 - prior.several) * a.weight) for a in found]
            if prior.several * apart > (1.0 - prior.several) * together:
                found = []  # read as several crystals: no one zone
        total = max(joint[crystal.name], 1e-300)
        readings[crystal.name] = _merged([(a, a.weight / total) for a in found], planes)
    unlisted = float(np.mean(list(smear.values())))
    posterior = {n: share[n] * (1.0 - prior.none) * joint[n] for n in joint}
    rest = prior.none * max(unlisted, 1e-300)
    total = sum(posterior.values()) + rest
    inside = max(sum(posterior.values()), 1e-300)
    return _Posterior({n: v / inside for n, v in posterior.items()}, rest / total, readings)


def _merged(found: list[tuple[Assignment, float]], planes: Planes) -> tuple[tuple[Assignment, float], ...]:
    """Put readings together that symmetry makes the same: the same families at the same spots."""
    where = {tuple(int(i) for i in h): int(f) for h, f in zip(planes.hkl, planes.family, strict=True)}
    best: dict[tuple[int, ...], tuple[Assignment, float]] = {}
    for reading, share in found:
        key = tuple(-1 if h is None else where[h] for h in reading.hkl)
        kept = best.get(key)
        best[key] = (reading, share) if kept is None else (kept[0], kept[1] + share)
    return tuple(sorted(best.values(), key=lambda r: -r[1]))


def _shares(candidates: Sequence[Crystal], prior: Prior) -> dict[str, float]:
    """Return the prior of each phase: compounds alike, phases alike within a compound, times the given weights."""
    compound = {c.name: compound_of(c) for c in candidates}
    for name, value in prior.weights.items():
        check.positive(value, f"prior of {check.one_of(name, compound, 'The candidate')}", zero=True)
    members = list(compound.values())
    share = {n: float(prior.weights.get(n, 1.0)) / members.count(c) for n, c in compound.items()}
    total = sum(share.values())
    if total <= 0:
        raise InputError("The prior leaves no candidate: give at least one a positive weight.")
    return {n: v / total for n, v in share.items()}
