"""Rules between numbers that are more than one equation: the same thing twice, shares, means, times, ranges, order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

from perolas.study.audit.kinds import KINDS
from perolas.study.audit.rules import Case, Found, Outcome, Rule, compare, known, pairs, plain
from perolas.study.audit.said import Said, told
from perolas.study.expression import number
from perolas.study.tables import Statement

_SAME = ("phase", "hkl", "radiation", "level", "component", "compound", "definition", "elements", "keeps", "method")


def _pair(a: Said, b: Said, outcome: Outcome, sentence: str) -> Found:
    return (a.statement.name, b.statement.name), outcome.holds, sentence, outcome.times, outcome.sigma


def alike(a: Statement, b: Statement, keys: tuple[str, ...] = _SAME) -> bool:
    """Tell whether two statements of one subject are about the same thing."""
    return all(getattr(a, key) == getattr(b, key) for key in keys)


def compatible(a: Statement, b: Statement, keys: tuple[str, ...]) -> bool:
    """Tell whether two statements may be about the same thing: nothing that both say is different."""
    return all(not getattr(a, k) or not getattr(b, k) or getattr(a, k) == getattr(b, k) for k in keys)


def _one_value(case: Case) -> Iterator[Found]:
    for kind, rows in case.numbers.items():
        if KINDS[kind].many or KINDS[kind].several:
            continue
        for [a], [b] in pairs(rows):
            if not alike(a.statement, b.statement) or a.number.unit.dimensionality != b.number.unit.dimensionality:
                continue
            word = "agree" if (outcome := _the_same(a, b)).holds else "differ"
            yield _pair(a, b, outcome, f"{_spoken(kind).capitalize()}, {case.subject}: {told(a)} and {told(b)} {word}.")


def _the_same(a: Said, b: Said) -> Outcome:
    """Compare two values of one thing: what rounds to 2 does not round to 3, though both leave 2.5 open."""
    outcome = compare(plain(a), "=", plain(b))
    touch = max(a.low - b.high, b.low - a.high) >= -1e-9 * max(abs(a.number.value), abs(b.number.value))
    apart = touch and (a.half > 0 or b.half > 0) and not (a.number.parts or b.number.parts)
    return replace(outcome, holds=outcome.holds and not apart)


def _spoken(kind: str) -> str:
    return kind.replace("_", " ")


def _in_range(case: Case) -> Iterator[Found]:
    for kind, rows in case.numbers.items():
        entry = KINDS[kind]
        if entry.unit is None or (entry.low == -math.inf and entry.high == math.inf):
            continue
        low, high = (number(x, {}, entry.unit).value if math.isfinite(x) else x for x in (entry.low, entry.high))
        for row in rows:
            for said in row:
                std = 3 * said.number.std
                edge = 1e-9 * abs(said.number.value)
                holds = said.high + std + edge >= low and said.low - std - edge <= high
                if holds and not math.isfinite(high):
                    continue
                limits = f"between {entry.low:g} and {entry.high:g}" if math.isfinite(high) else f"below {entry.low:g}"
                words = ("lies" if holds else "does not lie") if math.isfinite(high) else ("is not" if holds else "is")
                sentence = f"The {_spoken(kind)} {told(said)} {words} {limits}."
                yield (said.statement.name,), holds, sentence, None, None


def _shares(case: Case) -> Iterator[Found]:
    for row in case.numbers.get("shares", []):
        total = sum(s.number.value for s in row)
        half = sum(s.half for s in row)
        std = math.hypot(*(s.number.std for s in row))
        unit = row[0].number.unit
        outcome = compare(known(total, std, unit, half), "=", known(1.0, 0.0, unit))
        name = row[0].statement.name
        sentence = f"The shares {told(row[0])} make up {100 * total:.4g} %."
        yield (name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _mean(taus: list[float], amplitudes: list[float], power: int) -> float:
    """Return sum a tau^power / sum a tau^(power - 1): 1 amplitude-weighted, 2 intensity-weighted."""
    over = sum(a * t**power for a, t in zip(amplitudes, taus, strict=True))
    return over / sum(a * t ** (power - 1) for a, t in zip(amplitudes, taus, strict=True))


_POWERS = {"amplitude": (1,), "intensity": (2,), "": (1, 2)}


def _mean_lifetime(case: Case) -> Iterator[Found]:
    means = case.each("mean_lifetime")
    components, amplitudes = (case.numbers.get(k, []) for k in ("lifetime_components", "lifetime_amplitudes"))
    for mean, taus in product(means, components):
        values = [t.number.value for t in taus]
        names = (mean.statement.name, taus[0].statement.name)
        low, high = min(t.low for t in taus), max(t.high for t in taus)
        std = max(math.hypot(mean.number.std, t.number.std) for t in taus)
        if not amplitudes:
            holds = low - 3 * std <= mean.high and mean.low <= high + 3 * std
            words = "lies among" if holds else "does not lie among"
            yield names, holds, f"The mean {told(mean)} {words} its components, {told(taus[0])}.", None, None
        for weights in amplitudes:
            if len(weights) != len(taus):
                sentence = f"There are {len(taus)} lifetimes ({told(taus[0])}), but {len(weights)} amplitudes."
                yield (*names, weights[0].statement.name), False, sentence, None, None
                continue
            given = [w.number.value for w in weights]
            if any(v <= 0 for v in (*values, *given)):
                continue
            tries = []
            for power in _POWERS[mean.statement.definition]:
                centre, half, error = _mean(values, given, power), 0.0, 0.0
                for i in range(len(taus)):
                    for said, moved in ((taus[i], values), (weights[i], given)):
                        step = 1e-6 * moved[i]
                        shifted = [*moved[:i], moved[i] + step, *moved[i + 1 :]]
                        at = _mean(shifted, given, power) if moved is values else _mean(values, shifted, power)
                        slope = (at - centre) / step
                        half += abs(slope) * said.half
                        error = math.hypot(error, slope * said.number.std)
                tries.append((compare(plain(mean), "=", known(centre, error, mean.number.unit, half)), centre, power))
            best, centre, power = min(tries, key=lambda t: (not t[0].holds, t[0].times or math.inf))
            word = {1: "amplitude", 2: "intensity"}[power]
            mark = "agrees with" if best.holds else "is not"
            weighted = f"the {word}-weighted mean, {centre * 1e9:.4g} ns"
            sentence = f"The mean lifetime {told(mean)} {mark} {weighted}, of {told(taus[0])}."
            yield (*names, weights[0].statement.name), best.holds, sentence, best.times, best.sigma


def _taken(case: Case) -> Iterator[Found]:
    seen = case.each("first_seen")
    for product_ in case.each("product_at"):
        begun = [s for s in seen if s.statement.phase == product_.statement.phase]
        whole = [s for s in case.each("complete_at") if s.statement.phase == product_.statement.phase]
        for other in begun or whole:
            outcome = compare(plain(product_), ">=", plain(other))
            what = "first seen" if begun else "complete"
            word = "is not before" if outcome.holds else "is before"
            phase = product_.statement.phase or "the phase"
            sentence = (
                f"The product {phase} was taken after {told(product_)}, which {word} {phase} is {what}: {told(other)}."
            )
            yield _pair(product_, other, outcome, sentence)
    for sample in case.each("taken_at"):
        for other in seen:
            if alike(sample.statement, other.statement, ("phase", "method")):
                outcome = compare(plain(sample), ">=", plain(other))
                word = "not before" if outcome.holds else "before"
                phase = sample.statement.phase or "The phase"
                sentence = (
                    f"{phase} is said to be in a sample of {told(sample)}, {word} it is first seen, {told(other)}."
                )
                yield _pair(sample, other, outcome, sentence)


def _one_lamp(case: Case) -> Iterator[Found]:
    lit = [s for s in case.each("irradiance") if s.statement.lamp]
    for a, b in pairs(lit):
        if a.statement.lamp.casefold() == b.statement.lamp.casefold() and a.statement.of != b.statement.of:
            outcome = compare(plain(a), "=", plain(b))
            word = "the same" if outcome.holds else "two irradiances"
            yield _pair(a, b, outcome, f"The lamp {a.statement.lamp} gives {told(a)} and {told(b)}: {word}.")


def _rising(case: Case) -> Iterator[Found]:
    for order in case.words.get("rising", []):
        names = [str(v) for v in order.value] if isinstance(order.value, list) else []
        for first, second in pairwise(names):
            if first in case.everything and second in case.everything:
                a, b = case.everything[first][0], case.everything[second][0]
                if a.number.unit.dimensionality != b.number.unit.dimensionality:
                    continue
                outcome = compare(plain(a), "<=", plain(b))
                word = "and is" if outcome.holds else "and is not"
                sentence = f"By {order.where or order.name}, {told(a)} is to be less than {told(b)}, {word}."
                yield (order.name, first, second), outcome.holds, sentence, outcome.times, outcome.sigma


# A rule whose `kinds` is empty looks at the whole study at once.
NUMBER_RULES: tuple[Rule, ...] = (
    Rule("one_value", ("*",), "One thing has one value.", "logic", "disagrees", _one_value),
    Rule("in_range", (), "A quantity lies where it can lie: a share between 0 and 1, a size above 0.", "definition",
         "impossible", _in_range),
    Rule("shares_sum", (), "Shares of a whole add up to 1.", "arithmetic", "impossible", _shares),
    Rule("mean_of_components", ("mean_lifetime", "lifetime_components"),
         "A mean lifetime follows from its components by its definition.",
         "Lakowicz, Principles of Fluorescence Spectroscopy (2006), section 4.1", "disagrees", _mean_lifetime),
    Rule("taken_before_seen", ("first_seen|complete_at", "product_at|taken_at"),
         "A sample holds a phase only once there is some of it.", "order of time", "disagrees", _taken),
    Rule("one_lamp", (), "One lamp has one irradiance, unless the text says what was changed.", "logic", "unexplained",
         _one_lamp),
    Rule("rising", (), "What is said to be larger, sooner or stronger has the number for it.", "logic", "disagrees",
         _rising),
)  # fmt: skip
