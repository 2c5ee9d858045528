"""Verdicts: how the answer to a claim stands to what the paper says, with one sentence that gives the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perolas.core.errors import InputError, OpenError
from perolas.core.tables import with_error
from perolas.study import expression
from perolas.study.expression import Number, Written
from perolas.study.tables import Claim

VERDICTS = ("reproduced", "differs", "uninformative", "contradictory", "undetermined", "not_covered")

WIDE = 10.0  # a 95 % band whose ends differ by more than this factor tells nothing
_CLOSE = 1e-9  # relative: 138.5 - 143.5 in floats is no deviation


@dataclass(frozen=True)
class Verdict:
    """What came out for a claim.

    Attributes:
        verdict: one of `VERDICTS`.
        sentence: why, with the numbers.
        answer: value, std and unit; or None.
        sigma: how far beyond the tolerance, in standard errors; None where there is no error to count in.
    """

    verdict: str
    sentence: str
    answer: dict[str, Any] | None = None
    sigma: float | None = None


@dataclass(frozen=True)
class Ground:
    """What the answer to a claim rests on.

    Attributes:
        role: of the claim.
        outside: whether numbers or assumptions from outside the paper went in.
        assumes: what the steps take for granted.
        look: gives the number of an ``"item.quantity"``; raises InputError with a sentence where there is none.
    """

    role: str | None
    outside: bool
    assumes: tuple[str, ...]
    look: Callable[[str], Number]


def judge(claim: Claim, ground: Ground) -> Verdict:
    """Return the verdict on a claim.

    Args:
        claim: what the paper says.
        ground: what the answer rests on.

    Returns:
        The verdict with its sentence.
    """
    if claim.needs is not None:
        return Verdict("undetermined", f"What the study has cannot settle it; this would: {_stop(claim.needs)}")
    if not claim.answers:
        later = f"; it waits for: {_stop(claim.later)}" if claim.later else "."
        return Verdict("not_covered", f"Nothing in perolas answers this yet{later}")
    try:
        if claim.order:
            found = _judge_order(claim, ground)
        else:
            found = _judge_value(claim, ground)
    except OpenError as error:
        return Verdict("undetermined", f"What the study has cannot settle it; this would: {_stop(str(error))}")
    except InputError as error:
        return Verdict("undetermined", f"There is no answer: {_stop(str(error))}")
    extra = [f"This takes for granted: {_stop(a)}" for a in ground.assumes]
    if ground.role == "calibration" and found.verdict == "reproduced":
        extra.append("Its own number went into the model, so the agreement is no test.")
    return Verdict(found.verdict, " ".join([found.sentence, *extra]), found.answer, found.sigma)


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _show(value: float, std: float, unit: str) -> str:
    number = with_error(value, std) if std else f"{value:.4g}"
    return f"{number}{'' if unit in ('', '1') else f' {unit}'}"


def _stated(value: float, unit: str) -> str:
    return f"{value:.9g}{'' if unit in ('', '1') else f' {unit}'}"


def _judge_value(claim: Claim, ground: Ground) -> Verdict:
    assert claim.quantity is not None  # judge() looked
    assert claim.value is not None  # the schema did
    unit = claim.unit or "1"
    got = ground.look(claim.quantity).to(unit)
    answer = {"value": got.value, "std": got.std if math.isfinite(got.std) else None, "unit": claim.unit or "1"}
    shown, said = _show(got.value, got.std, unit), _stated(claim.value, unit)
    if not math.isfinite(got.std):
        return Verdict("undetermined", f"The data leave {claim.quantity} open, so {said} stays untested.", answer)
    if claim.relation in ("=", "~"):
        return _judge_equal(claim, ground, got, answer, shown, said)
    return _judge_bound(claim, ground, got, answer, shown, said)


def _judge_equal(claim: Claim, ground: Ground, got: Written, answer: dict[str, Any], shown: str, said: str) -> Verdict:
    value, tolerance = float(claim.value or 0.0), float(claim.tolerance or 0.0)
    off = abs(got.value - value)
    sigma = max(0.0, off - tolerance) / got.std if got.std > 0 else None
    allowed = tolerance + 2.0 * got.std
    if off <= allowed + _CLOSE * max(abs(value), abs(got.value)):
        if _too_wide(got, value, tolerance):
            low, high = got.value - 1.96 * got.std, got.value + 1.96 * got.std
            if abs(low) < 1e-6 * abs(high):
                low = 0.0  # what rounding left of a band that starts at nothing
            sentence = (
                f"The answer, {shown}, would agree with {said}, but so would nearly anything: its 95 % band runs from "
                f"{low:.3g} to {high:.3g}."
            )
            return Verdict("uninformative", sentence, answer, sigma)
        within = f"within {_show(allowed, 0.0, got.unit)} of it" if off > _CLOSE * abs(value) else "the same"
        return Verdict("reproduced", f"The answer is {shown}; the paper says {said}, {within}.", answer, sigma)
    ratio = got.value / value if value else 1.0
    times = f" (a factor of {ratio:.3g})" if ratio > WIDE or 0 < ratio < 1 / WIDE else ""
    percent = times or (f" ({100 * (got.value - value) / abs(value):+.3g} %)" if value else "")
    beyond = "beyond the tolerance" if tolerance else "away"
    far = f", {sigma:.3g} sigma {beyond}" if sigma is not None else ""
    numbers = f"{_show(off, 0.0, got.unit)} apart{percent}{far}"
    return _excluded(ground, f"The answer is {shown}; the paper says {said}: {numbers}.", answer, sigma)


def _too_wide(got: Written, value: float, tolerance: float) -> bool:
    """Tell whether a band is too wide to confirm anything: tenfold, or against zero ten times the tolerance."""
    half = 1.96 * got.std
    if half == 0:
        return False
    if value == 0:
        return half > WIDE * tolerance
    low, high = sorted((abs(got.value) - half, abs(got.value) + half))
    return low <= 0 or high / low > WIDE


def _judge_bound(claim: Claim, ground: Ground, got: Written, answer: dict[str, Any], shown: str, said: str) -> Verdict:
    value, tolerance = float(claim.value or 0.0), float(claim.tolerance or 0.0)
    margin = (value - got.value if claim.relation[0] == "<" else got.value - value) + tolerance
    words = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}[claim.relation]
    tie = margin >= 0 if "=" in claim.relation else margin > 0
    sigma = abs(margin) / got.std if got.std > 0 else None
    text = f"The answer is {shown}; it should be {words} {said}"
    if margin >= 2 * got.std and tie:
        return Verdict("reproduced", f"{text}, and is.", answer, None)
    if got.std > 0 and abs(margin) < 2 * got.std:
        return Verdict("undetermined", f"{text}, and its error is too large to tell.", answer, sigma)
    far = f" by {sigma:.3g} sigma" if sigma is not None else ""
    return _excluded(ground, f"{text}, and is not{far}.", answer, sigma)


def _excluded(ground: Ground, sentence: str, answer: dict[str, Any] | None, sigma: float | None) -> Verdict:
    """Return "contradictory" where the paper's own numbers exclude each other, else "differs"."""
    if ground.role == "consistency" and not ground.outside:
        return Verdict("contradictory", f"{sentence} Both sides are the paper's own.", answer, sigma)
    return Verdict("differs", sentence, answer, sigma)


def _judge_order(claim: Claim, ground: Ground) -> Verdict:
    names = claim.order or []
    numbers = [ground.look(name) for name in names]
    unit = claim.unit or f"{numbers[0].unit:~}" or "1"
    written = [n.to(unit) for n in numbers]
    listed = " < ".join(f"{name} ({_show(w.value, w.std, unit)})" for name, w in zip(names, written, strict=True))
    worst: tuple[float, str, str] | None = None
    unsure = False
    for i in range(len(names) - 1):
        step = expression.evaluate("b - a", {"a": numbers[i], "b": numbers[i + 1]}.__getitem__).to(unit)
        if not math.isfinite(step.std):
            return Verdict("undetermined", f"The data leave one of {listed} open.")
        if step.value > 0 and step.value >= 2 * step.std:
            continue
        if step.std > 0 and abs(step.value) < 2 * step.std:
            unsure = True
        elif worst is None or step.value < worst[0]:
            worst = (step.value, names[i], names[i + 1])
            sigma = abs(step.value) / step.std if step.std > 0 else None
    if worst is not None:
        return _excluded(ground, f"It should be {listed}, but {worst[2]} is not above {worst[1]}.", None, sigma)
    if unsure:
        return Verdict("undetermined", f"It should be {listed}; the errors are too large to tell.")
    return Verdict("reproduced", f"It is {listed}.")


def record(claim: Claim, role: str | None, verdict: Verdict) -> dict[str, Any]:
    """Return a claim with its verdict as JSON-like data; the keys are documented and stable."""
    found: Mapping[str, Any] = {
        "id": claim.id,
        "text": claim.text,
        "value": claim.value,
        "unit": claim.unit,
        "tolerance": claim.tolerance,
        "relation": claim.relation,
        "quantity": claim.quantity,
        "order": claim.order,
        "needs": claim.needs,
        "later": claim.later,
        "answer": verdict.answer,
        "role": role,
        "verdict": verdict.verdict,
        "sigma": verdict.sigma,
        "sentence": verdict.sentence,
    }
    return dict(found)
