"""Rules between words: conditions of figures, elements in formulas, reactions, precipitates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perolas.core.errors import InputError, one_line
from perolas.matter import compounds
from perolas.study.audit.kinds import KINDS
from perolas.study.audit.rules import Case, Found, Rule, compare, known, pairs, plain
from perolas.study.audit.rules_numbers import alike
from perolas.study.audit.said import place_of, words

_ARROW = re.compile(r"->|→|=")
_TERM = re.compile(r"^\s*(\d+(?:\.\d+)?)?\s*(.+?)\s*$")


def _one_word(case: Case) -> Iterator[Found]:
    for kind, statements in case.words.items():
        if KINDS[kind].many:
            continue
        for a, b in pairs(statements):
            if alike(a, b):
                holds = words(a) == words(b)
                word = "agree" if holds else "differ"
                sentence = f"{kind.capitalize()}, {case.subject}: {place_of(a)} and {place_of(b)} {word}."
                yield (a.name, b.name), holds, sentence, None, None


def _contains(case: Case) -> Iterator[Found]:
    for statement in case.words.get("contains", []):
        element, compound = str(statement.value).strip(), compounds.find(statement.compound)
        holds = element in compound.atoms
        word = "holds" if holds else "holds no"
        yield (
            (statement.name,),
            holds,
            f"{statement.compound} {word} {one_line(element, 20)}{_at(statement.where)}.",
            None,
            None,
        )


def _at(where: str) -> str:
    return f" ({one_line(where, 80)})" if where else ""


def _side(text: str) -> dict[str, float]:
    """Return the atoms, and the charge, of one side of a reaction."""
    total: dict[str, float] = {}
    for term in re.split(r"\s+\+\s+", text.strip()):
        match = _TERM.match(term)
        if match is None:
            raise InputError(f'"{one_line(text, 80)}" is not one side of a reaction.')
        many = float(match.group(1) or 1.0)
        compound = compounds.find(match.group(2))
        for what, n in (*compound.atoms.items(), ("charge", float(compound.charge))):
            total[what] = total.get(what, 0.0) + many * n
    return total


def balance(text: str) -> dict[str, float]:
    """Return what a reaction makes of nothing: element (or charge) -> number, without those that balance.

    Args:
        text: such as ``"Cs4PbBr6 -> CsPbBr3 + 3 CsBr"``.

    Returns:
        What the right side has beyond the left.

    Raises:
        InputError: it is not a reaction, or holds something that is not a compound.
    """
    sides = _ARROW.split(text)
    if len(sides) != 2:
        raise InputError(f'A reaction is written as "A + 2 B -> C", but is "{one_line(text, 80)}".')
    left, right = _side(sides[0]), _side(sides[1])
    found = {k: right.get(k, 0.0) - left.get(k, 0.0) for k in (*left, *right)}
    return {k: n for k, n in found.items() if abs(n) > 1e-9}


def _reaction(case: Case) -> Iterator[Found]:
    for statement in case.words.get("reaction", []):
        text = str(statement.value)
        off = balance(text)
        listed = ", ".join(f"{n:+g} {k}" for k, n in off.items())
        end = f"does not balance ({listed} on the right)" if off else "balances"
        yield (statement.name,), not off, f"{one_line(text, 80)} {end}.", None, None


def _precipitated(case: Case) -> Iterator[Found]:
    for statement in case.words.get("precipitated", []):
        for said in case.each("saturation"):
            outcome = compare(plain(said), ">=", known(1.0, 0.0, said.number.unit))
            word = "enough for" if outcome.holds else "too little for"
            sentence = (
                f"The liquid holds {said.shown} of what can dissolve: {word} the precipitate of {place_of(statement)}."
            )
            yield (statement.name, said.statement.name), outcome.holds, sentence, outcome.times, outcome.sigma


WORD_RULES: tuple[Rule, ...] = (
    Rule("one_word", ("*",), "One panel has one condition, one measurement one instrument.", "logic", "disagrees",
         _one_word),
    Rule("element_in_compound", (), "A compound holds the elements of its formula.", "meaning of a formula",
         "impossible", _contains),
    Rule("reaction_balances", (), "A reaction keeps atoms and charge.", "conservation of matter", "impossible",
         _reaction),
    Rule("precipitate_saturated", ("precipitated", "saturation"),
         "A salt stays in solution until the solution is saturated.", "meaning of solubility", "unexplained",
         _precipitated),
)  # fmt: skip
