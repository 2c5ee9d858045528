"""Which of a study's measurements would settle a question about its specimen best."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perolas.core import check
from perolas.core.errors import InputError
from perolas.measurements import registry
from perolas.study import graph, schema, single

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate
    from perolas.core.prospects import Prospect
    from perolas.study.schema import Study
    from perolas.study.tables import Measurement

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Design:
    """The answer to a question of what to measure.

    Attributes:
        question: the parameter asked about.
        unit: its unit.
        value: what the specimen has.
        std_now: its standard error by what is known and measured already; inf where that says nothing.
        prospects: the candidates, best first.
        failed: measurement -> why it could not be judged.
    """

    question: str
    unit: str
    value: float
    std_now: float
    prospects: tuple[Prospect, ...]
    failed: dict[str, str]


def design(
    study: str | os.PathLike[str],
    question: str,
    *,
    specimen: str | None = None,
    vary: tuple[str, ...] = (),
    have: tuple[str, ...] = (),
    prior: Mapping[str, float] | None = None,
    want: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Design:
    """Ask which simulated measurement of a study would determine a parameter of its specimen best.

    Each is simulated, fitted alone, and judged by its Fisher information about the specimen, with its own nuisances
    free.

    Args:
        study: a study file, or the name of a built-in study.
        question: the specimen's parameter, e.g. ``"size"``.
        specimen: name of the specimen; None where the study has only one.
        vary: its further parameters that are not known either.
        have: measurements that are made already.
        prior: parameter -> standard deviation of what is known of it beforehand.
        want: the standard error wanted, in the parameter's unit.
        seed: of the simulations.
        progress: called with a measurement's name, how many are done, and how many there are.

    Returns:
        The candidates, ranked.

    Raises:
        InputError: an unknown name, a specimen that depends on results of the study, or nothing to choose from.
    """
    from perolas.core.parameter import read_slot, slots
    from perolas.core.prospects import informations, prospects
    from perolas.matter.specimen import Specimen

    loaded = schema.load(study)
    graph.build(loaded)
    name = _specimen_name(loaded, specimen)
    values = loaded.specimens[name].values
    if graph.references(values):
        raise InputError(f'The specimen "{name}" takes values from other items; write them out to plan with it.')
    known = Specimen.from_table(values)
    slot = {s.name: s for s in slots(known, "state")}[
        check.one_of(question, [s.name for s in slots(known, "state")], "The parameter")
    ]
    candidates = [m for m in loaded.measurements.values() if m.simulate and m.specimen == name]
    if not candidates:
        raise InputError(f'The study simulates no measurement of the specimen "{name}".')
    for each in have:
        check.one_of(each, [m.name for m in candidates], "The measurement")
    alone: dict[str, Estimate] = {}
    failed: dict[str, str] = {}
    for i, item in enumerate(candidates):
        if progress is not None:
            progress(item.name, i, len(candidates))
        try:
            estimate = _fitted(item, known, seed + i)
        except InputError as error:
            failed[item.name] = str(error)
            continue
        if estimate.result == "converged":
            alone[item.name] = estimate
        else:
            failed[item.name] = estimate.message
    names, information = informations(alone, known, (question, *vary))
    now, ranked = prospects(names, information, question, have=have, prior=prior, want=want)
    return Design(question, slot.unit, float(read_slot(known, slot)), now, ranked, failed)


def _specimen_name(study: Study, wanted: str | None) -> str:
    if wanted is not None:
        return check.one_of(wanted, study.specimens, "The specimen")
    if len(study.specimens) != 1:
        there = ", ".join(study.specimens) or "none"
        raise InputError(f"Say which specimen is meant; the study has: {there}.")
    return next(iter(study.specimens))


def _fitted(item: Measurement, specimen: Any, seed: int) -> Estimate:
    technique = registry.technique(item.technique)
    if graph.references(item.options):
        raise InputError("It is compared with another measurement, which planning leaves out.")
    options = registry.convert_options(technique, item.options)
    taken = {o.name for o in technique.all_options() if o.simulate}
    virtual = {k: v for k, v in options.items() if k in taken and k != "seed"}
    observation = technique.load().simulate(specimen, seed=seed, **virtual)
    return single.fit_converted(observation, technique, single.load_files(technique, options, observation))
