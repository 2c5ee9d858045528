"""Sentences about spots and odds: what can be told apart, what cannot, and what rests on the prior."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perolas.core.estimate import Estimate
    from perolas.measurements.hrtem.door import Prepared, Ring
    from perolas.measurements.hrtem.spots import Search
    from perolas.measurements.hrtem.verdict import Odds, PhaseOdds

_POSSIBLE = 0.02  # share of a phase or plane that is worth naming
_EXCLUDED = 1e-3
_DOUBTFUL = 0.25  # with more than this for an unlisted phase, nothing is named


def verdict_of(odds: Odds) -> tuple[str, str | None, str]:
    """Return level, what is decided, and the sentences.

    Args:
        odds: without a verdict yet.

    Returns:
        ``"phase"``, ``"compound"``, ``"none"`` or ``"undecidable"``; the name or None; the sentences.
    """
    needed = odds.threshold / (1.0 + odds.threshold)
    best = odds.phases[0]
    compound, (share, low, high) = next(iter(odds.compounds.items()))
    what = _measured(odds)
    if odds.none >= needed:
        text = f"{what} fits no candidate: odds {_odds(odds.none)} for a phase that is not listed"
        return "none", None, text + _spread(odds.none, *odds.none_range) + "."
    if odds.none <= _DOUBTFUL and best.probability >= needed:
        text = f"{what} is {_reading(best)} of {best.name}: odds {_odds(best.probability)} against the other candidates"
        text += _spread(best.probability, best.low, best.high) + "."
        return "phase", best.name, " ".join([text, *_rivals(odds, best.compound), *_unlisted(odds)])
    if odds.none <= _DOUBTFUL and share >= needed:
        text = f"{what} belongs to {compound}: odds {_odds(share)} against the other candidates"
        parts = [text + _spread(share, low, high) + "."]
        near = [p for p in odds.phases if p.compound == compound and p.probability > _POSSIBLE * share]
        listed = "; ".join(f"{p.name} {_reading(p)} {p.probability:.2f}" for p in near)
        lead = near[0].probability / max(near[1].probability, 1e-12) if len(near) > 1 else math.inf
        parts.append(
            f"Which of its structures it is cannot be decided ({listed}): the best is ahead by {lead:.1f} to 1, "
            f"and {odds.threshold:g} to 1 would be needed."
        )
        return "compound", compound, " ".join([*parts, *_rivals(odds, compound), *_unlisted(odds)])
    listed = "; ".join(f"{p.name} {_reading(p)} {p.probability:.2f}" for p in odds.phases if p.probability > _POSSIBLE)
    text = f"Undecidable: {what[0].lower()}{what[1:]} gives no phase odds of {odds.threshold:g} to 1 ({listed})"
    if share >= needed:
        text = f"Undecidable: {what[0].lower()}{what[1:]} is nearest to {compound}, but fits it badly ({listed})"
    return "undecidable", None, " ".join([text + ".", *_rivals(odds, ""), *_unlisted(odds)])


def _measured(odds: Odds) -> str:
    scale = f"at {100 * odds.std_relative:.2g} % calibration"
    if len(odds.spacing_nm) == 1:
        return f"A spacing of {odds.spacing_nm[0]:.4g} nm, {scale},"
    count = len(odds.spacing_nm)
    return f"The pattern of {count} spots ({', '.join(f'{d:.4g}' for d in odds.spacing_nm[:4])} nm ...), {scale},"


def _reading(phase: PhaseOdds) -> str:
    """Return the planes that a phase reads a spacing as, or its zone."""
    if not phase.readings:
        return "in several crystals"
    first = phase.readings[0][0]
    if first.zone is not None:
        return f"along [{' '.join(map(str, first.zone))}]"
    named = [a for a, s in phase.readings if s > _POSSIBLE][:4]
    return " or ".join(f"forbidden {a.words.rstrip('*')}" if a.forbidden[0] else a.words for a in named)


def _rivals(odds: Odds, decided: str) -> list[str]:
    """Return sentences on the rivals: those that only double diffraction keeps, and those that are out."""
    found = []
    others = [p for p in odds.phases if p.compound != decided]
    for p in others:
        single = [a for a, s in p.readings if s > _POSSIBLE and a.zone is None]
        if p.probability > _EXCLUDED and single and all(a.forbidden[0] for a in single):
            found.append(
                f"{p.name} could show it by double diffraction only, as {_reading(p)}: odds {_odds(p.probability)}"
                f"{_spread(p.probability, p.low, p.high)}."
            )
    gone = [p.name for p in others if p.high < _EXCLUDED]
    if gone:
        found.append(f"{_list(gone)} {'is' if len(gone) == 1 else 'are'} excluded.")
    return found


def _unlisted(odds: Odds) -> list[str]:
    if odds.none < _POSSIBLE:
        return []
    return [f"A phase that is not among the candidates keeps a probability of {odds.none:.2g}."]


def _spread(value: float, low: float, high: float) -> str:
    """Return how far odds move as the prior is varied, where that is more than a factor of 1.5."""
    if _ratio(high) < 1.5 * _ratio(low):
        return ""
    return f" ({_odds(low)} to {_odds(high)} as the prior over planes is varied)"


def _ratio(p: float) -> float:
    return p / max(1.0 - p, 1e-9)


def _odds(p: float) -> str:
    """Return a probability as odds, such as ``35:1`` or ``1:12``."""
    ratio = _ratio(p)
    if ratio >= 1.0:
        return f"{_round(ratio)}:1" if ratio < 1e6 else "above 1e6:1"
    return f"1:{_round(1.0 / max(ratio, 1e-9))}"


def _round(x: float) -> str:
    if x >= 1000:
        return f"{x:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{x:.0f}" if x >= 10 else f"{x:.1f}"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def with_story(
    estimate: Estimate,
    data: Prepared,
    found: Search,
    position_std: Sequence[float] | None,
    misfit: Sequence[float],
    odds: Odds | None,
    ring: Ring | None,
    *,
    outside_nm: Sequence[float] = (),
) -> Estimate:
    """Return an estimate of a lattice image with its tables, notes and warnings.

    Args:
        estimate: of the spots.
        data: the part of the image.
        found: its search.
        position_std: relative error of each spot's position alone; None where there are no spots.
        misfit: reduced chi-square of each spot's field before its variance was raised.
        odds: over phases and planes, or None.
        ring: the strongest ring, or None.
        outside_nm: spacings of spots outside the range looked at.
    """
    notes, warnings = list(data.notes), list(data.warnings)
    extra: dict[str, Any] = {
        "pixel_nm": data.pixel_nm,
        "corner_px": list(data.corner),
        "looked_at_nm": [data.d_min_nm, data.d_max_nm],
        "ring": None if ring is None else dataclasses.asdict(ring),
    }
    if position_std is None:
        chance = 100 * (found.highest.false_alarm if found.highest is not None else 1.0)
        notes.append(
            f"No lattice spots: between {data.d_min_nm:.3g} and {data.d_max_nm:.3g} nm nothing stands out of the "
            f"speckle (what comes nearest happens by chance in {chance:.0f} % of such images): no phase can be named."
        )
        extra["spots"], extra["odds"] = [], None
        if outside_nm:
            listed = ", ".join(f"{d:.3g}" for d in outside_nm)
            warnings.append(
                f"Spots stand outside that range, at {listed} nm: check the scale, or widen d_min and d_max."
            )
    else:
        extra["spots"] = [
            {
                "d_nm": estimate[f"d_spacing_{i + 1}"].value,
                "std_nm": estimate[f"d_spacing_{i + 1}"].std,
                "position_std": float(position_std[i]),
                "azimuth_deg": math.degrees(
                    math.atan2(estimate[f"frequency_y_{i + 1}"].value, estimate[f"frequency_x_{i + 1}"].value)
                ),
                "false_alarm": spot.false_alarm,
                "misfit": misfit[i],
            }
            for i, spot in enumerate(found.spots)
        ]
        count = len(found.spots)
        worst = max(s.false_alarm for s in found.spots)
        notes.append(
            f"{count} {'spot stands' if count == 1 else 'spots stand'} out of the speckle (false-alarm probability at "
            f"most {worst:.1g}); errors of spacings hold the scale's, shared by all, and the position's, "
            f"{100 * min(position_std):.2g} to {100 * max(position_std):.2g} %."
        )
        poor = [i + 1 for i, m in enumerate(misfit) if m > 2.0]
        if poor:
            notes.append(
                f"Spot {', '.join(map(str, poor))}: the field is not that of one plane wave (strain, several crystals "
                "or a sharp outline); its error was raised accordingly."
            )
        if odds is not None:
            extra["odds"] = odds.to_json()
            notes.append(odds.verdict)
            notes.append(f"Prior: {odds.prior}.")
    if ring is not None and position_std is None:
        inside = f"half its height from {ring.d_low_nm:.3g} to {ring.d_high_nm:.3g} nm"
        notes.append(
            f"A ring with its maximum at {ring.d_nm:.3g} nm ({inside}): amorphous or turbostratic matter, or the lens "
            "(a zone that it carries well); not a crystal's spot."
        )
    return dataclasses.replace(
        estimate,
        notes=(*estimate.notes, *notes),
        warnings=(*estimate.warnings, *warnings),
        extra={**estimate.extra, **extra},
    )
