"""What depends on what in a study: the order of work, and the role of each claim, derived from what used what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perolas.core import check
from perolas.core.errors import InputError
from perolas.measurements import registry
from perolas.study import expression, steps
from perolas.study.schema import Study
from perolas.study.tables import Measurement


@dataclass(frozen=True)
class Graph:
    """The dependencies of a study.

    Attributes:
        order: names of all items, each after everything that it needs.
        needs: item -> items whose results it reads.
    """

    order: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]

    def upstream(self, names: list[str]) -> list[str]:
        """Return the items and everything they rest on, in order of work."""
        wanted, todo = set[str](), list(names)
        while todo:
            name = todo.pop()
            if name not in wanted:
                wanted.add(name)
                todo.extend(self.needs[name])
        return [name for name in self.order if name in wanted]


def references(value: Any) -> list[str]:
    """Return what a specimen's value or a measurement's option takes from another item.

    Args:
        value: a plain value, ``{from = "item.quantity"}`` or ``{measurement = "item"}``, or a container of those.

    Returns:
        ``"item.quantity"`` and ``"item"``.
    """
    if isinstance(value, dict):
        if set(value) == {"from"}:
            return [str(value["from"])]
        if set(value) == {"measurement"}:
            return [str(value["measurement"])]
        return [name for part in value.values() for name in references(part)]
    if isinstance(value, list):
        return [name for part in value for name in references(part)]
    return []


def build(study: Study) -> Graph:
    """Return the dependencies of a study, after checking every name in it.

    Args:
        study: the loaded study.

    Returns:
        Its graph.

    Raises:
        InputError: an unknown name, or items that need one another in a circle; the sentence names the line.
    """
    needs: dict[str, tuple[str, ...]] = {}
    for name, measurement in study.measurements.items():
        needs[name] = _measurement_needs(study, measurement)
    for name, step in study.steps.items():
        kind = steps.kind_of(step)
        try:
            inputs = kind.inputs(step)
        except InputError as error:
            study.refuse(f"step {name}", str(error))
        for used in inputs:
            _check_quantity(study, f"step {name}", used)
        for measured in (*kind.measurements(step), *kind.repeats(step)):
            try:
                check.one_of(measured, study.measurements, "The measurement")
            except InputError as error:
                study.refuse(f"step {name}", str(error), "measurements")
        for measured in kind.repeats(step):
            if not study.measurements[measured].simulate:
                study.refuse(f"step {name}", f'"{measured}" is not a simulation, so it cannot be made again.')
        read = (used.split(".")[0] for used in inputs)
        again = (n for m in kind.repeats(step) for n in _measurement_needs(study, study.measurements[m]))
        needs[name] = tuple(dict.fromkeys([*read, *kind.measurements(step), *again]))
    _check_uses(study)
    for claim in study.claims.values():
        for answer in claim.answers:
            key = "quantity" if claim.quantity else "order"
            _check_quantity(study, f"claim {claim.id}", answer, key)
    _check_figures(study)
    return Graph(_sorted(study, needs), needs)


def _measurement_needs(study: Study, measurement: Measurement) -> tuple[str, ...]:
    what = f"measurement {measurement.name}"
    try:
        technique = registry.technique(measurement.technique)
    except InputError as error:
        study.refuse(what, str(error), "technique")
    plain = {k: v for k, v in measurement.options.items() if not references(v)}
    for name in measurement.options:
        try:
            check.known_options([name], [o.name for o in technique.all_options()], technique.name)
            registry.convert_options(technique, {name: plain[name]} if name in plain else {})
        except InputError as error:
            study.refuse(what, str(error), "options", name)
    found = references(measurement.options)
    for name in found:
        if name not in study.measurements:
            study.refuse(what, f'there is no measurement "{name}".', "options")
    if measurement.specimen is not None:
        try:
            check.one_of(measurement.specimen, study.specimens, "The specimen")
        except InputError as error:
            study.refuse(what, str(error), "specimen")
        for used in references(study.specimens[measurement.specimen].values):
            _check_quantity(study, f"specimen {measurement.specimen}", used)
            found.append(used.split(".")[0])
    return tuple(dict.fromkeys(found))


def _check_quantity(study: Study, what: str, used: str, *key: str | int) -> None:
    """Refuse ``"item.quantity"`` of an unknown item, or an unknown quantity where they are known beforehand."""
    item, _, quantity = used.partition(".")
    try:
        check.one_of(item, study.names, "The item")
        known = steps.kind_of(study.steps[item]).gives(study.steps[item]) if item in study.steps else None
        if known is not None or not quantity:
            check.one_of(quantity, known or [], f'The quantity of "{item}"')
    except InputError as error:
        study.refuse(what, str(error), *key)


def _check_figures(study: Study) -> None:
    for figure in study.figures:
        what = f"figure {figure.name}"
        for i, panel in enumerate(figure.panel):
            for quantity in panel.quantities or []:
                _check_quantity(study, what, quantity, "panel", i)
            try:
                for name in panel.items:
                    check.one_of(name, study.names, "The item")
                for name in panel.signals or []:
                    check.one_of(name, study.measurements, "The measurement")
                for said in panel.stated:
                    if said != "":
                        expression.read_number(said, "stated").to(panel.unit)
            except InputError as error:
                study.refuse(what, str(error), "panel", i)


def _check_uses(study: Study) -> None:
    for kind, group in (
        ("specimen", study.specimens),
        ("measurement", study.measurements),
        ("step", study.steps),
    ):
        for name, entry in group.items():
            for claim in entry.uses:
                try:
                    check.one_of(claim, study.claims, "The claim")
                except InputError as error:
                    study.refuse(f"{kind} {name}", str(error), "uses")


def _sorted(study: Study, needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the items in the order of the file, but each after what it needs."""
    done: dict[str, None] = {}
    for root in needs:
        path = [root]  # a stack of our own: a chain of a thousand steps is no reason to overflow Python's
        while path:
            name = path[-1]
            waiting = next((n for n in needs[name] if n not in done), None)
            if waiting is None:
                done[name] = None
                path.pop()
            elif waiting in path:
                circle = " -> ".join([*path[path.index(waiting) :], waiting])
                kind = "step" if waiting in study.steps else "measurement"
                study.refuse(f"{kind} {waiting}", f"these need one another in a circle: {circle}.")
            else:
                path.append(waiting)
    return tuple(done)


def roles(study: Study) -> dict[str, str | None]:
    """Derive the role of each claim.

    Args:
        study: the study, whose graph has been built.

    Returns:
        Claim -> role. Where nothing answers a claim there is nothing to derive from: the author's expected role.

    Raises:
        InputError: a role differs from the one that the author expects.
    """
    found: dict[str, str | None] = {}
    for claim in study.claims.values():
        if claim.needs is not None:
            found[claim.id] = "external"
        elif not claim.answers:
            found[claim.id] = claim.expected_role
            continue
        else:
            found[claim.id] = _role(study, claim.id, claim.answers)
        if claim.expected_role not in (None, found[claim.id]):
            study.refuse(
                f"claim {claim.id}",
                f'its role is "{found[claim.id]}" by what used what, not "{claim.expected_role}" as expected.',
                "expected_role",
            )
    return found


@dataclass(frozen=True)
class Basis:
    """What the answers to a claim rest on, followed back quantity by quantity.

    Attributes:
        uses: claims whose numbers went in.
        shaped_by: claims that the form of a model was chosen knowing, as the module or the kind of step says.
        parameters: of the library, that went in.
        pure: whether it is arithmetic throughout.
        outside: whether numbers or assumptions from elsewhere went into the arithmetic.
        assumes: what its steps take for granted.
        external: whether data went in that the paper does not give.
    """

    uses: frozenset[str]
    shaped_by: frozenset[str]
    parameters: tuple[str, ...]
    pure: bool
    outside: bool
    assumes: tuple[str, ...]
    external: bool = False


def basis(study: Study, answers: list[str]) -> Basis:
    """Return what quantities rest on.

    Args:
        study: the study, whose graph has been built (so that every name is known).
        answers: ``"item.quantity"``.

    Returns:
        Their basis.
    """
    uses, shaped, parameters, assumes = set[str](), set[str](), dict[str, None](), dict[str, None]()
    pure, outside, external = True, False, False
    seen, todo = set[str](), list(answers)
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        item, _, quantity = place.partition(".")
        if item in study.steps:
            step = study.steps[item]
            kind = steps.kind_of(step)
            trace = kind.trace(step, quantity)
            todo.extend([*trace.inputs, *kind.measurements(step), *kind.repeats(step)])
            uses.update(step.uses)
            parameters.update(dict.fromkeys(trace.parameters))
            shaped.update(kind.shaped_by(step))
            pure, outside = pure and kind.pure, outside or trace.outside
            external = external or kind.external
            if step.assumes:
                assumes[step.assumes] = None
            continue
        measurement = study.measurements[item]
        pure = False
        uses.update(measurement.uses)
        todo.extend(references(measurement.options))
        facts = module_facts(measurement.technique)
        shaped.update(facts.shaped_by)
        if measurement.simulate:  # a fit of a real file rests on the file; what is simulated comes out of parameters
            parameters.update(dict.fromkeys(facts.parameters))
        if measurement.specimen is not None:
            specimen = study.specimens[measurement.specimen]
            uses.update(specimen.uses)
            todo.extend(references(specimen.values))
    return Basis(frozenset(uses), frozenset(shaped), tuple(parameters), pure, outside, tuple(assumes), external)


def _role(study: Study, claim: str, answers: list[str]) -> str:
    rests_on = basis(study, answers)
    if claim in rests_on.uses or _from_own_paper(study, rests_on.parameters):
        return "calibration"
    if rests_on.external:
        return "external"
    if claim in _plain_ids(set(rests_on.shaped_by), study.head.doi):
        return "postdiction"
    # Arithmetic predicts nothing, also where a handbook number goes in: that takes a model.
    return "consistency" if rests_on.pure else "prediction"


@dataclass(frozen=True)
class ModuleFacts:
    """What a technique's module says about itself: its parameters, its sources, the claims that shaped it."""

    parameters: tuple[str, ...]
    references: tuple[str, ...]
    shaped_by: tuple[str, ...]


def module_facts(technique: str) -> ModuleFacts:
    """Return what the module of a technique declares (this imports it)."""
    module = registry.technique(technique).load()
    return ModuleFacts(
        tuple(getattr(module, "PARAMETERS_USED", ())),
        tuple(getattr(module, "REFERENCES", ())),
        tuple(getattr(module, "SHAPED_BY", ())),
    )


def _plain_ids(shaped: set[str], doi: str) -> set[str]:
    """Return claim ids out of "doi#claim" (of this paper) and plain ids."""
    found = set()
    for entry in shaped:
        paper, mark, claim = entry.rpartition("#")
        if not mark or paper.lower() == doi.lower():
            found.add(claim)
    return found


def _from_own_paper(study: Study, parameters: tuple[str, ...]) -> bool:
    """Tell whether the source of one of the parameters is the study's own paper."""
    if not study.head.doi or not parameters:
        return False
    from perolas.matter.parameters_library import physical_parameter, sources

    own = re.sub(r"^https?://(dx\.)?doi\.org/", "", study.head.doi.lower())
    known = sources()
    return any(known.get(physical_parameter(name).source, {}).get("doi", "").lower() == own for name in parameters)
