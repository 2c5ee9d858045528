"""No answer of yang2020 moves with the number that it is held against, unless its claim is marked for it.

Each number that the paper claims is found wherever it stands in the study, by its value and unit, and not by what the
study declares about itself. Each such place is then changed: followed through the graph for all of them, and calculated
anew for those that take no time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from perolas.core.errors import InputError
from perolas.matter import parameters_library
from perolas.study import execute, expression, graph, schema, steps, store
from perolas.study.schema import Study
from perolas.study.store import Entry
from perolas.study.tables import Claim

Place = tuple[str | int, ...]
TESTED = ("prediction",)
DOWNGRADED = ("calibration", "postdiction", "consistency", "external")
CHEAP = ("arithmetic", "compare", "recipe", "ageing", "optics", "raman_shift", "mechanisms", "digitised")
SILENT = ("name", "kind", "uses", "assumes", "expect", "note", "text", "definition", "unit", "expression", "technique")
# Dimensionless numbers of claims that are thresholds ("more than none", "below one") and stand everywhere by chance.
TRIVIAL = (0.0, 0.02, 1.0)
# What the paper claims and the forecasts need as what was done or used, not as what came out. A forecast may rest on
# these, as on the wavelength of the laser, but never the answer to the claim itself.
CONDITIONS = {
    "size.parent": "the size of the nanocrystals goes into every forecast about them",
    "size.product": "the same number",
    "dark.complete": "when the last sample in the dark was taken",
    "light365.onset": "when the second sample under light was taken",
    "text.timing": "when the first samples were taken",
    "text.figure1": "the two times of completion, as times of samples",
    "text.raman_laser": "the wavelength that the Raman spectrometer was set to",
    "laser.shots": "24 h is also when a sample was taken",
}


@cache
def study() -> Study:
    loaded = schema.load("yang2020")
    graph.build(loaded)
    return loaded


@cache
def roles() -> Mapping[str, str | None]:
    return graph.roles(study())


def _leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in SILENT:
                yield from _leaves(part, (*place, key))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _leaves(part, (*place, i))
    else:
        yield place, value


@cache
def numbers() -> tuple[tuple[str, Place, Any, expression.Number], ...]:
    """Every number that the study states outside its claims: item, place, as written, as read."""
    raw = tomllib.loads(study().path.read_text(encoding="utf-8"))
    tables = [(t["name"], t) for group in ("step", "measurement") for t in raw[group]]
    tables += [(f"specimen.{name}", t) for name, t in raw["specimen"].items()]
    found = []
    for item, table in tables:
        for place, value in _leaves(table):
            try:
                found.append((item, place, value, expression.read_number(value, "x")))
            except InputError:
                continue  # a name, a switch
    return tuple(found)


def _own(claim: Claim) -> list[tuple[str, Place, Any]]:
    """Where the number of a claim stands in the study."""
    if claim.value is None:
        return []
    wanted = expression.number(claim.value, {}, claim.unit or "1")
    if wanted.unit.dimensionless and abs(wanted.value) in TRIVIAL:
        return []
    return [
        (item, place, value)
        for item, place, value, read in numbers()
        if read.unit == wanted.unit and abs(read.value - wanted.value) <= 1e-6 * abs(wanted.value)
    ]


def _reached(answers: list[str]) -> tuple[set[str], set[str]]:
    """Return the quantities and the specimens that answers rest on, themselves included."""
    seen, specimens, todo = set[str](), set[str](), list(answers)
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        item, _, quantity = place.partition(".")
        if item in study().steps:
            step = study().steps[item]
            kind = steps.kind_of(step)
            todo += [*kind.trace(step, quantity).inputs, *kind.measurements(step), *kind.repeats(step)]
            continue
        measurement = study().measurements[item]
        todo += graph.references(measurement.options)
        if measurement.specimen is not None:
            specimens.add(measurement.specimen)
            todo += graph.references(study().specimens[measurement.specimen].values)
    return seen, specimens


def _names(step: Any, quantity: str) -> set[str]:
    """Return the names of an arithmetic step that one of its quantities is made of."""
    found, todo = set[str](), [quantity]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += expression.names(step.quantities[name].expression) if name in step.quantities else []
    return found


def _moves(item: str, place: Place, answers: list[str]) -> bool:
    """Tell whether a number of an item can move an answer, quantity by quantity where the kind is simple."""
    seen, specimens = _reached(answers)
    if item.startswith("specimen."):
        return item.removeprefix("specimen.") in specimens
    asked = [q.partition(".")[2] for q in seen if q.partition(".")[0] == item]
    step: Any = study().steps.get(item)
    if step is None or not asked:
        return bool(asked)
    if step.kind == "arithmetic":
        return any(str(place[1]) in _names(step, quantity) for quantity in asked)
    if place[0] in ("quantities", "predict"):
        return any(q == place[1] or q.startswith(f"{place[1]}_") for q in asked)
    if step.kind == "transformation" and place[0] == "runs" and place[2] == "at":
        return f"{place[1]}_{place[3]}" in asked
    return True


def test_the_numbers_that_the_paper_claims_are_found() -> None:
    """Without them the other tests would say nothing."""
    found = {claim.id: {item for item, *_ in _own(claim)} for claim in study().claims.values()}
    assert {"transformation", "times", "seeded"} <= found["dark.onset"]
    assert {"laser", "emission", "specimen.product"} <= found["size.product"]
    assert {"shot", "lasing"} <= found["laser.threshold"]
    assert "ageing" in found["stability.water"]
    assert "ageing" in found["stability.light"]
    assert "lasing" in found["laser.centre"]


@pytest.mark.parametrize("claim", study().claims.values(), ids=lambda c: c.id)
def test_no_prediction_moves_with_its_own_number(claim: Claim) -> None:
    moved = [(item, place) for item, place, _ in _own(claim) if _moves(item, place, claim.answers)]
    if moved:
        assert roles()[claim.id] in DOWNGRADED, moved
    if roles()[claim.id] in TESTED:
        assert claim.id not in graph.basis(study(), claim.answers).uses


@pytest.mark.parametrize("claim", study().claims.values(), ids=lambda c: c.id)
def test_a_claimed_number_moves_other_predictions_only_where_that_is_declared(claim: Claim) -> None:
    """Who forecasts from a number of another claim says so with `uses`; what was done needs no excuse, but a reason."""
    for item, place, _ in _own(claim):
        for other in study().claims.values():
            if roles()[other.id] not in TESTED or other.id == claim.id or not _moves(item, place, other.answers):
                continue
            declared = claim.id in graph.basis(study(), other.answers).uses
            assert declared or claim.id in CONDITIONS, (other.id, item, place)


def test_claims_go_into_no_item() -> None:
    """With every claim's value changed, every item is decided by the same numbers as before."""
    raw = tomllib.loads(study().path.read_text(encoding="utf-8"))
    for table in raw["claim"]:
        if "value" in table:
            table["value"] = table["value"] * 1.37 + 0.1
    changed = schema._checked(raw, study().path, study()._lines)
    assert changed.claims != study().claims
    assert (changed.steps, changed.measurements, changed.specimens) == (
        study().steps,
        study().measurements,
        study().specimens,
    )


@cache
def _cheap() -> tuple[str, ...]:
    dependencies = graph.build(study())
    return tuple(
        name
        for name in dependencies.order
        if all(n in study().steps and study().steps[n].kind in CHEAP for n in dependencies.upstream([name]))
    )


Known = dict[str, tuple[dict[str, Any], Entry]]


def _calculated(changed: Study, known: Known) -> Known:
    """Run the cheap items for true, as a run would with a store: what is decided by the same is not done again."""
    done: dict[str, Entry] = {}
    found: Known = {}
    for name in _cheap():
        job = execute.prepare(changed, name, done, None)
        recipe, entry = known.get(name, ({}, None))
        if entry is None or recipe != job.recipe:
            result = job.compute()[0]
            entry = Entry("", result, {}, store.sha256(store.canonical(result)))
        done[name] = entry
        found[name] = (job.recipe, entry)
    return found


def _values(known: Known) -> dict[str, float]:
    return {f"{item}.{q}": r["value"] for item, (_, e) in known.items() for q, r in e.result["quantities"].items()}


def _perturbed(value: Any) -> Any:
    if not isinstance(value, str):
        return value * 1.01
    number, _, rest = value.partition(" ")
    return f"{float(number) * 1.01:.12g} {rest}".strip()


def test_true_runs_move_what_the_graph_says_and_no_prediction_by_its_own_number() -> None:
    """Every number of the paper in the steps that take no time, claimed or `given`: changed, and run."""
    first = _calculated(study(), {})
    stated = _values(first)
    owners = {(item, place): c.id for c in study().claims.values() for item, place, _ in _own(c)}
    given = [
        (item, place, value)
        for item, place, value, _ in numbers()
        if item in _cheap() and ((item, place) in owners or place[0] in ("given", "before", "after"))
    ]
    assert len(given) > 40
    moved_claims = set[str]()
    for item, place, value in given:
        path = ".".join(map(str, (item, *place)))
        now = _values(_calculated(schema.load("yang2020", {path: _perturbed(value)}), first))
        for claim in study().claims.values():
            if not claim.answers or any(a not in stated for a in claim.answers):
                continue
            moved = any(stated[a] != now[a] for a in claim.answers if stated[a] is not None)
            assert not moved or _moves(item, place, claim.answers), (path, claim.id)
            if not moved:
                continue
            moved_claims.add(claim.id)
            if owners.get((item, place)) == claim.id:
                assert roles()[claim.id] in DOWNGRADED, (path, claim.id)
            if roles()[claim.id] in TESTED:
                uses = graph.basis(study(), claim.answers).uses
                own = set(study().steps[item].uses) | {owners.get((item, place), "")}
                assert own & uses or own & set(CONDITIONS), (path, claim.id)
    # That something moved shows that a movement would be seen.
    assert {"stability.water", "stability.light", "raman.shift", "raman.ratio"} <= moved_claims
    assert "bandgap" not in moved_claims


def test_no_prediction_rests_on_a_parameter_out_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    known = parameters_library.sources()
    tested = [c for c in study().claims.values() if roles()[c.id] in TESTED]
    assert len(tested) > 10
    for claim in tested:
        for name in graph.basis(study(), claim.answers).parameters:
            source = parameters_library.physical_parameter(name).source
            assert known.get(source, {}).get("doi", "").lower() != study().head.doi, (claim.id, name)
    # Were one of its sources the paper itself, each claim would be a calibration.
    for claim in tested:
        parameters = graph.basis(study(), claim.answers).parameters
        if not parameters:
            continue
        source = parameters_library.physical_parameter(parameters[0]).source
        forged = {**known, source: {**known.get(source, {}), "doi": study().head.doi}}
        with monkeypatch.context() as patch:
            patch.setattr(parameters_library, "sources", lambda forged=forged: forged)
            assert graph._role(study(), claim.id, claim.answers) == "calibration"
            with pytest.raises(InputError, match="its role is"):
                graph.roles(study())


def test_a_prediction_fed_with_its_own_number_is_found_out() -> None:
    """The test can fail: the threshold's own number, put where the forecast of the threshold would take it."""
    claim = study().claims["laser.centre"]
    assert not any(_moves(item, place, claim.answers) for item, place, _ in _own(claim))
    assert _moves("emission", ("quantities", "cold", "size"), claim.answers)
    assert not _moves("emission", ("quantities", "warm", "size"), claim.answers)
    assert not _moves("shot", ("given", "threshold"), study().claims["laser.threshold"].answers)
    assert _moves("laser", ("ask", "size"), study().claims["laser.threshold"].answers)
