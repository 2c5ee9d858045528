"""What a rule of the audit is, and what it finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, TypeVar

from perolas.study.audit.said import OPEN, Range, Said
from perolas.study.tables import Statement

SEVERITIES = {
    "impossible": "breaks a law of nature, or of counting",
    "disagrees": "two statements cannot both hold as written",
    "unexplained": "both may hold, but the text does not say how",
}
T = TypeVar("T")
MOST_PAIRED = 50
CERTAIN = 3.0  # explicit errors count this many times before two numbers are said to differ


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        rule: name of the rule.
        statements: names of the statements that it compares.
        holds: whether they agree.
        sentence: what was compared, with the numbers.
        severity: of the contradiction: a key of `SEVERITIES`.
        times: how many times as large one side is as the other; None where there are no two positive sides.
        sigma: how far apart, in explicit errors; None where there are none.
        source: of the relation.
    """

    rule: str
    statements: tuple[str, ...]
    holds: bool
    sentence: str
    severity: str
    times: float | None = None
    sigma: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Case:
    """The statements that have one subject in common.

    Attributes:
        subject: what they are about.
        numbers: kind -> one entry for each statement, its numbers.
        words: kind -> statements in words.
        everything: all numbers of the study by statement, for rules that look further than one subject.
    """

    subject: str
    numbers: dict[str, list[list[Said]]] = field(default_factory=dict)
    words: dict[str, list[Statement]] = field(default_factory=dict)
    everything: dict[str, list[Said]] = field(default_factory=dict)

    def each(self, kind: str) -> list[Said]:
        """Return the numbers of a kind that has one number in each statement."""
        return [said[0] for said in self.numbers.get(kind, [])]


@dataclass(frozen=True)
class Rule:
    """A rule that is a function.

    Attributes:
        name: of the rule.
        kinds: what it needs of one subject.
        says: the relation, in one sentence.
        source: where it is from.
        severity: of a contradiction.
        find: yields for a case each comparison as (statements, holds, sentence, times, sigma).
    """

    name: str
    kinds: tuple[str, ...]
    says: str
    source: str
    severity: str
    find: Callable[[Case], Iterator[Found]]


Found = tuple[tuple[str, ...], bool, str, float | None, float | None]


@dataclass(frozen=True)
class Outcome:
    """How two ranges stand to each other.

    Attributes:
        holds: whether the relation can be true.
        times: left over right, or right over left where that is larger than one; None without two positive sides.
        sigma: what is left between the ranges in explicit errors; None without such.
    """

    holds: bool
    times: float | None
    sigma: float | None


def compare(left: Range, relation: str, right: Range, slack: float = 0.0) -> Outcome:
    """Return whether two ranges can stand in a relation.

    Args:
        left: one range.
        right: the other, in the same base unit.
        relation: ``"="``, ``"<="`` or ``">="``.
        slack: how far apart they may be besides, relative to the larger value.

    Returns:
        The outcome: they cannot where the gap between them exceeds three standard deviations of explicit errors.
    """
    above, below = left.low - right.high, right.low - left.high
    gap = {"=": max(above, below), "<=": above, ">=": below}[relation]
    std = math.hypot(left.std, right.std)
    size = max(abs(left.value), abs(right.value))
    gap -= slack * size + 1e-9 * size  # the last digits are those of the calculation
    times = None
    if left.value > 0 and right.value > 0:
        times = max(left.value, right.value) / min(left.value, right.value)
    sigma = gap / std if std > 0 and gap > 0 and math.isfinite(std) else None
    return Outcome(not gap > CERTAIN * std, times, sigma)


def pairs(items: Sequence[T]) -> Iterator[tuple[T, T]]:
    """Yield the pairs of a list; of a long one (a table, not a text) each with the first and with the one before."""
    if len(items) <= MOST_PAIRED:
        yield from combinations(items, 2)
        return
    for i in range(1, len(items)):
        yield items[0], items[i]
        if i > 1:
            yield items[i - 1], items[i]


def plain(said: Said) -> Range:
    """Return the range of a single number."""
    return Range(said.number.value, said.low, said.high, said.number.std, said.number.unit)


def known(value: float, std: float, unit: Any, half: float = 0.0) -> Range:
    """Return the range of a number of the library, in base units."""
    return Range(value, value - half, value + half, std, unit)


def is_open(bound: float, value: float) -> bool:
    """Tell whether an end of a range is that of a "more than" or "less than"."""
    return not math.isfinite(bound) or abs(bound) >= OPEN * abs(value) or abs(bound) <= abs(value) / OPEN
