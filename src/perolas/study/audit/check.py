"""The audit of a study: every rule over every set of statements that it can join."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import combinations, product
from typing import Any

from perolas.core import check as door
from perolas.core import units
from perolas.core.errors import InputError, one_line
from perolas.matter import compounds
from perolas.matter.parameters_library import physical_parameter
from perolas.study import expression
from perolas.study.audit import said as statements
from perolas.study.audit.kinds import KINDS
from perolas.study.audit.relations import RELATIONS, Relation
from perolas.study.audit.rules import SEVERITIES, Case, Check, Outcome, Rule, compare
from perolas.study.audit.rules_matter import MATTER_RULES
from perolas.study.audit.rules_numbers import NUMBER_RULES, compatible
from perolas.study.audit.rules_words import WORD_RULES
from perolas.study.audit.said import Look, Said, extent, told
from perolas.study.expression import Number
from perolas.study.schema import Study
from perolas.study.tables import Statement

RULES: tuple[Rule, ...] = (*NUMBER_RULES, *WORD_RULES, *MATTER_RULES)
EVERY_RULE: tuple[Rule | Relation, ...] = (*RULES, *RELATIONS)
MOST = 500  # comparisons by one relation for one subject: as many statements of one kind are a list, not a text


def constants() -> dict[str, Number]:
    """Return the constants that relations may name."""
    margin = physical_parameter("audit.thermal_margin")
    return {
        "pi": expression.number(math.pi, {}, "1"),
        "light_speed": expression.number(299792458.0, {}, "m/s"),
        "planck_light": expression.number(1.98644586e-25, {}, "J m"),
        "thermal": expression.number(margin.value, {}, margin.unit),
        "time_bandwidth": expression.number(physical_parameter("pulse.time_bandwidth_sech2").value, {}, "1"),
    }


_CONSTANTS = ("pi", "light_speed", "planck_light", "thermal", "time_bandwidth")


def kinds_of(relation: Relation) -> tuple[str, ...]:
    """Return the kinds that a relation joins, in their order."""
    names = (*expression.names(relation.left), *expression.names(relation.right))
    return tuple(n for n in dict.fromkeys(names) if n not in _CONSTANTS)


def look_over(study: Study) -> None:
    """Refuse a study with a statement that cannot be read; values that the run gives are left for later.

    Args:
        study: the study.

    Raises:
        InputError: the sentence names the line.
    """
    for statement in study.statements.values():
        what = f"stated {statement.name}"
        try:
            kind = statements.kind_of(statement)
        except InputError as error:
            study.refuse(what, str(error), "kind")
        if statement.hkl is not None and not any(statement.hkl):
            study.refuse(what, "Miller indices are not all zero.", "hkl")
        try:
            if statement.compound:
                compounds.find(statement.compound)
        except InputError as error:
            study.refuse(what, str(error), "compound")
        try:
            if kind.text:
                _look_over_words(study, statement)
            elif not statements.references(statement):
                _same_length(statement, len(statements.read(statement)))
            else:
                _look_over_reference(study, statement)
        except InputError as error:
            study.refuse(what, str(error), "value")


def _same_length(statement: Statement, values: int) -> None:
    if statement.kind == "atomic_ratio" and values != len(statement.elements):
        raise InputError(f'"{statement.name}" has {values} values for {len(statement.elements)} elements.')


def _look_over_reference(study: Study, statement: Statement) -> None:
    if KINDS[statement.kind].several:
        raise InputError(f'A "{statement.kind}" is a list of values, and the run gives one.')
    for used in statements.references(statement):
        item, _, quantity = used.partition(".")
        door.one_of(item, study.names, "The item")
        if not quantity:
            raise InputError(f'"{used}" names an item, but no quantity of it; write "item.quantity".')


def _look_over_words(study: Study, statement: Statement) -> None:
    value = statement.value
    if statement.kind == "rising":
        if not isinstance(value, list) or len(value) < 2:
            raise InputError('"rising" is a list of at least two names of statements.')
        for name in value:
            door.one_of(str(name), study.statements, "The statement")
            if KINDS[study.statements[str(name)].kind].text:
                raise InputError(f'"{name}" is a statement in words, which cannot rise.')
        units = {str(_unit(study.statements[str(n)])) for n in value} - {"None"}
        if len(units) > 1:
            raise InputError(f"What is said to rise is in different units: {', '.join(sorted(units))}.")
    elif not isinstance(value, str) or not value.strip():
        raise InputError(f'A "{statement.kind}" is one text.')
    elif statement.kind in ("reaction", "contains"):
        case = Case("", words={statement.kind: [statement]})
        rule = next(r for r in WORD_RULES if r.name in ("reaction_balances", "element_in_compound")
                    and (r.name == "reaction_balances") == (statement.kind == "reaction"))  # fmt: skip
        list(rule.find(case))


def _unit(statement: Statement) -> Any:
    """Return the dimension of a statement's numbers, or None where the run gives them."""
    return None if statements.references(statement) else statements.read(statement)[0].number.unit.dimensionality


def audit(study: Study, look: Look | None = None) -> dict[str, Any]:
    """Check what a study states against itself and against what the library knows.

    Args:
        study: the study.
        look: gives the number of an ``"item.quantity"`` of the run; raises InputError where there is none.

    Returns:
        JSON-like: "statements", "contradictions", "agreements", "not_possible", "counts" (see docs/contracts.md).

    Raises:
        InputError: a statement cannot be read; the sentence names the line.
    """
    look_over(study)
    everything: dict[str, list[Said]] = {}
    missing: list[str] = []
    for name, statement in study.statements.items():
        if KINDS[statement.kind].text:
            continue
        try:
            everything[name] = statements.read(statement, look)
        except InputError as error:
            missing.append(f"{name}: {error}")
    checks, missed = _all(study, everything)
    found = [c for c in checks if not c.holds]
    shown = _without_echoes(found, checks)
    return {
        "statements": [_row(s) for s in study.statements.values()],
        "contradictions": [_record(c, study) for c in shown],
        "agreements": [_record(c, study) for c in checks if c.holds],
        "not_possible": [*missing, *missed, *_nearly(study, everything)],
        "counts": {
            "statements": len(study.statements),
            "checks": len(checks),
            "contradictions": len(shown),
            **{s: sum(c.severity == s for c in shown) for s in SEVERITIES},
        },
    }


def sentence(result: Mapping[str, Any]) -> str:
    """Return the line that a terminal shows of an audit."""
    n = result["counts"]
    words = [f"{n[k]} {k}" for k in (*SEVERITIES,) if n[k]]
    split = f" ({', '.join(words)})" if words else ""
    counted = (f"{n[k]} {k if n[k] != 1 else k[:-1]}" for k in ("statements", "checks", "contradictions"))
    return f"audit: {', '.join(counted)}{split}"


def distance(check: Mapping[str, Any]) -> str:
    """Return how far apart the two sides of a check are, in words: in errors, times or per cent; or nothing."""
    words = []
    times = check.get("times")
    if times is not None and times > 1.0:
        words.append(f"a factor of {times:.3g}" if times >= 2 else f"{100 * (times - 1):.2g} % apart")
    if check.get("sigma"):
        words.append(f"{check['sigma']:.3g} sigma beyond rounding")
    return ", ".join(words)


def _row(statement: Statement) -> dict[str, Any]:
    given = statement.model_dump(mode="json", exclude_defaults=True)
    return {**given, "of": [statement.of] if isinstance(statement.of, str) else list(statement.of)}


def _record(check: Check, study: Study) -> dict[str, Any]:
    row = asdict(check)
    row["statements"] = list(check.statements)
    row["quotes"] = [study.statements[n].text for n in check.statements if study.statements[n].text]
    for key in ("times", "sigma"):
        if row[key] is not None and not math.isfinite(row[key]):
            row[key] = None
    return row


def _cases(study: Study, everything: dict[str, list[Said]]) -> list[Case]:
    found: dict[str, Case] = {}
    for name, statement in study.statements.items():
        for subject, written in statements.subjects(statement).items():
            _put(found.setdefault(subject, Case(written, everything=everything)), statement, everything.get(name))
    return list(found.values())


def _whole(study: Study, everything: dict[str, list[Said]]) -> Case:
    case = Case("the study", everything=everything)
    for name, statement in study.statements.items():
        _put(case, statement, everything.get(name))
    return case


def _put(case: Case, statement: Statement, numbers: list[Said] | None) -> None:
    if KINDS[statement.kind].text:
        case.words.setdefault(statement.kind, []).append(statement)
    elif numbers:
        case.numbers.setdefault(statement.kind, []).append(numbers)


def _all(study: Study, everything: dict[str, list[Said]]) -> tuple[list[Check], list[str]]:
    """Return every comparison, each once, and what could not be compared."""
    missed: list[str] = []
    found: dict[tuple[str, frozenset[str], str], Check] = {}
    cases, whole, known = _cases(study, everything), _whole(study, everything), constants()
    for rule in RULES:
        for case in cases if rule.kinds else [whole]:
            try:
                for names, holds, words, times, sigma in rule.find(case):
                    check = Check(rule.name, names, holds, words, rule.severity, times, sigma, rule.source)
                    key = words if not rule.kinds else ""
                    found.setdefault((rule.name, frozenset(names), key), check)
            except (InputError, ArithmeticError) as error:  # numbers beyond all measure; the other rules go on
                missed.append(f"{case.subject}, {rule.name}: {one_line(error)}")
    for relation in RELATIONS:
        needed = kinds_of(relation)
        for case in cases:
            for check in _related(relation, needed, case, known):
                found.setdefault((relation.name, frozenset(check.statements), ""), check)
    return list(found.values()), missed


def _related(relation: Relation, needed: tuple[str, ...], case: Case, known: dict[str, Number]) -> list[Check]:
    rows = [case.each(kind) for kind in needed]
    if not all(rows) or math.prod(len(r) for r in rows) > MOST:
        return []
    found: list[tuple[frozenset[str], Check]] = []
    for chosen in product(*rows):
        pairs = combinations((s.statement for s in chosen), 2)
        if not all(compatible(a, b, relation.same) for a, b in pairs):
            continue
        given = dict(zip(needed, chosen, strict=True))
        try:
            outcome, value = _holds(relation, given, known)
        except InputError:  # no finite value, or an unfit unit of a kind that takes any
            continue
        listed = ", ".join(f"{kind.replace('_', ' ')} {told(s)}" for kind, s in given.items())
        verdict = "agree" if outcome.holds else "do not agree"
        words = f"{relation.says} For {case.subject}: {listed} {verdict}{value}."
        names = tuple(s.statement.name for s in chosen)
        check = Check(relation.name, names, outcome.holds, words, relation.severity, outcome.times, outcome.sigma,
                      relation.source)  # fmt: skip
        found.append((frozenset(s.statement.name for s in chosen if not KINDS[s.statement.kind].many), check))
    if relation.sign == "=":  # of several fluences, one is the one that an equation means
        met = {rest for rest, check in found if check.holds}
        found = [(rest, check) for rest, check in found if check.holds or rest not in met]
    return [check for _, check in found]


def _holds(relation: Relation, given: dict[str, Said], known: dict[str, Number]) -> tuple[Outcome, str]:
    """Return how the sides stand to each other by the kindest of the factors, and the numbers in words."""
    tries = []
    for factor in relation.factors:
        right = relation.right if factor == 1.0 else f"{factor!r} * ({relation.right})"
        a, b = extent(relation.left, given, known), extent(right, given, known)
        if a.unit.dimensionality != b.unit.dimensionality:
            raise InputError("The two sides have different units.")
        tries.append((compare(a, relation.sign, b, relation.slack), a, b))
    best, a, b = min(tries, key=lambda t: (not t[0].holds, t[0].times or math.inf))
    if a.unit == units.registry().kelvin:
        best = replace(best, times=None)  # 120 degC is not 1.2 times as hot as 100 degC
    kind = KINDS.get(relation.left)
    unit = kind.unit if kind and kind.unit else _unit_for(a.unit)
    left, other = (f"{Number(x.value, x.unit).to(unit).value:.3g}{'' if unit == '1' else f' {unit}'}" for x in (a, b))
    sign = {"=": "it would be", ">=": "it should be at least", "<=": "it should be at most"}[relation.sign]
    what = "stated" if kind else "on one side"
    return best, f" ({left} {what}, {sign} {other})"


def _unit_for(unit: Any) -> str:
    """Return a unit that people read, for the side of an equation that is no kind of its own."""
    names = ("1", "eV", "nm", "mol", "cm^-1")
    fits = (n for n in names if units.pint_unit(n).dimensionality == unit.dimensionality)
    return next(fits, f"{unit:~}" or "1")


def _without_echoes(found: list[Check], checks: list[Check]) -> list[Check]:
    """Drop what only repeats that two statements of one thing differ: the relation holds with the other of the two."""
    pairs = {frozenset(c.statements) for c in found if c.rule == "one_value"}
    good = {(c.rule, frozenset(c.statements)) for c in checks if c.holds}

    def echoes(check: Check) -> bool:
        if check.rule in ("one_value", "one_word"):
            return False
        names = frozenset(check.statements)
        for pair in pairs:
            for mine in pair & names:
                other = next(iter(pair - {mine}))
                if (check.rule, names - {mine} | {other}) in good:
                    return True
        return False

    return [c for c in found if not echoes(c)]


def _nearly(study: Study, everything: dict[str, list[Said]]) -> list[str]:
    """Say which relation lacks a single number of a subject that states all the others."""
    found: dict[str, None] = {}
    for case in _cases(study, everything):
        for relation in RELATIONS:
            needed = kinds_of(relation)
            lacking = [k for k in needed if not case.each(k)]
            if len(needed) >= 3 and len(lacking) == 1 and relation.source != "arithmetic":
                words = lacking[0].replace("_", " ")
                found[f"{case.subject}: with its {words} this could be checked: {relation.says}"] = None
    return list(found)
