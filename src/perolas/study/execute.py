"""One item of a study: what decides its result (the recipe), and how the result is made."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from perolas.core import picture
from perolas.core.errors import InputError, OpenError, StepError
from perolas.measurements import registry
from perolas.measurements.registry import Technique
from perolas.study import graph, paths, single, steps, store
from perolas.study.expression import Number, number
from perolas.study.parts import independent_parts
from perolas.study.schema import Study
from perolas.study.tables import Measurement, Step

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate


Made = tuple[dict[str, Any], dict[str, bytes]]


@dataclass(frozen=True)
class Part:
    """One of the pieces that a large item is made of; each has an entry of its own in the store.

    Attributes:
        recipe, compute: as those of a `Job`.
    """

    recipe: dict[str, Any]
    compute: Callable[[], Made]


@dataclass(frozen=True)
class Job:
    """An item that is ready to be done.

    Attributes:
        recipe: JSON-like; everything besides code and versions that decides the result.
        compute: gives ``result.json`` and further files; may raise a PerolasError with a sentence.
        provenance: where the data are from.
        code: Python lines that reproduce it.
        parameters_used: names of the parameters of the library.
        references: keys of its sources.
        parts: what is to be done first; an item that has parts is made by `gather` and not by `compute`.
        gather: makes the item's result out of those of its parts, in their order.
    """

    recipe: dict[str, Any]
    compute: Callable[[], Made]
    provenance: dict[str, Any]
    code: str
    parameters_used: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    gather: Callable[[Sequence[store.Entry]], Made] = lambda entries: ({}, {})


Results = Mapping[str, store.Entry]


def prepare(study: Study, name: str, done: Results, root: Path | None) -> Job:
    """Return the job for an item.

    Args:
        study: the study.
        name: of the item.
        done: the results of everything that it needs.
        root: folder of the data files.

    Returns:
        The job.

    Raises:
        InputError: something in it cannot be used.
    """
    if name in study.steps:
        return _step_job(study, study.steps[name], done, root)
    return _measurement_job(study, study.measurements[name], done, root)


def look(done: Results, quantity: str) -> Number:
    """Return a quantity of a finished item.

    Args:
        done: results by item.
        quantity: ``"item.quantity"``.

    Returns:
        The number with its error, correlations with others of the same item included.

    Raises:
        InputError: the item has no such quantity, or it has no value.
        OpenError: the study lacks the data for it.
    """
    item, _, name = quantity.partition(".")
    if item not in done:
        raise InputError(f'"{item}" gave no result.')
    left_open = done[item].result.get("open")
    if left_open:
        raise OpenError(left_open)
    found = done[item].result.get("quantities") or done[item].result.get("estimate", {}).get("quantities", {})
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise InputError(f'"{item}" has no quantity "{name}"; there are: {there}.')
    row = found[name]
    if row["value"] is None:
        raise InputError(f'"{quantity}" has no finite value.')
    parts = done[item].result.get("parts", {}).get(name, {})
    return number(row["value"], {k: float("inf") if v is None else v for k, v in parts.items()}, row["unit"] or "1")


def _step_job(study: Study, step: Step, done: Results, root: Path | None) -> Job:
    kind = steps.kind_of(step)
    contents = paths.contents(study, root, step)
    hashes = {name: store.sha256(data) for files in contents for name, data in files.items()}
    inputs = kind.inputs(step)
    measured = kind.measurements(step)
    upstream = {name: done[name].digest for name in [*(used.partition(".")[0] for used in inputs), *measured]}
    fits = [{name: partial(_refit, study.measurements[name], done, root) for name in measured}] if measured else []
    repeated = kind.repeats(step)
    redo = [{name: partial(_again, study, study.measurements[name], done, root) for name in repeated}] * bool(repeated)

    def reading(name: str) -> Number:
        return look(done, name)

    def compute(*found: list[dict[str, Any]]) -> Made:
        try:
            got = kind.compute(step, reading, *contents, *fits, *redo, *found)
        except OpenError as error:  # what is not known yet is no failure; it is passed on, with what would settle it
            blank = {"value": None, "std": None, "unit": "1", "definition": "not known yet"}
            names = dict.fromkeys(kind.gives(step) or [], blank)
            return {"quantities": names, "parts": {}, "warnings": [], "open": str(error)}, {}
        result = {
            "quantities": {
                name: {"value": q.number.value, "std": q.number.std, "unit": q.number.unit, "definition": q.definition}
                for name, q in got.quantities.items()
            },
            "parts": {name: dict(q.number.parts) for name, q in got.quantities.items()},
            "warnings": list(got.warnings),
        }
        if got.dataset is None and not got.pictures:
            return result, {}
        return result, {
            "data.nc": netcdf(picture.put(xr.Dataset() if got.dataset is None else got.dataset, got.pictures))
        }

    recipe = {
        "item": "step",
        "step": step.model_dump(mode="json", exclude={"uses", "assumes"}),
        "upstream": upstream,
        **({"files": hashes} if hashes else {}),
        **({"repeats": {n: _repeated(study, n, done, root) for n in repeated}} if repeated else {}),
    }

    def part(index: int) -> Part:
        def one() -> Made:
            return {"part": kind.part(step, index, reading, *contents, *fits, *redo)}, {}

        # A part depends on the numbers that it is told, not on how many others there are.
        return Part({**recipe, "step": kind.part_recipe(step, index), "part": index}, one)

    parts = tuple(part(i) for i in range(kind.parts(step)))
    parameters = kind.parameters(step)
    references = tuple(dict.fromkeys([*kind.references(step, *contents), *_sources(parameters)]))
    provenance = {"files": {k: {"file": k, "sha256": v} for k, v in hashes.items()}} if hashes else {}
    return Job(
        recipe,
        compute,
        provenance,
        kind.code(step),
        parameters,
        references,
        parts,
        lambda entries: compute([e.result["part"] for e in entries]),
    )


def _measurement_job(study: Study, item: Measurement, done: Results, root: Path | None) -> Job:
    technique = registry.technique(item.technique)
    observed = {
        k: str(v["measurement"]) for k, v in item.options.items() if isinstance(v, dict) and graph.references(v)
    }
    options = registry.convert_options(technique, {k: v for k, v in item.options.items() if k not in observed})
    file_options = {o.name for o in technique.all_options() if o.kind in ("file", "path")}
    files = {k: _file(root, str(v)) for k, v in options.items() if k in file_options}
    hints = {k: getattr(item, k) for k in single.READER_HINTS if getattr(item, k) is not None}
    own = None if item.file is None else _file(root, item.file)
    table = None if item.specimen is None else _specimen_table(study.specimens[item.specimen].values, done)
    seed = _seed(study, item)
    facts = graph.module_facts(item.technique)
    hashes = {k: paths.file_hash(p) for k, p in files.items()}
    own_hash = None if own is None else paths.file_hash(own)
    upstream = {n: done[n].digest for n in graph.references(item.options)}
    recipe = {
        "item": "measurement",
        "name": item.name,
        "technique": item.technique,
        "module": store.module_hash(technique.module),
        "options": {k: v for k, v in options.items() if k not in files},
        "files": hashes,
        "hints": hints,
        "file": None if own is None else {"name": own.name, "sha256": own_hash},
        "specimen": table,
        "seed": seed if item.simulate else None,
        "observed": observed,
        "upstream": upstream,
    }

    def compute() -> Made:
        if own is not None:
            observation = single.read_for(own, technique, options, hints)
        else:
            observation = _simulated(technique, options, table, seed)
        loaded = single.load_files(technique, {**options, **files}, observation)
        loaded.update({k: _observation(done[v]) for k, v in observed.items()})
        estimate = single.fit_converted(observation, technique, loaded)
        result = {"estimate": estimate.to_json(), "parts": independent_parts(item.name, estimate)}
        data = estimate.to_dataset()
        data.attrs = {**observation.attrs, **data.attrs}
        return result, {"data.nc": netcdf(data), "observed.nc": netcdf(observation)}

    provenance = {
        "file": item.file,
        "sha256": own_hash,
        "files": {k: {"file": item.options[k], "sha256": hashes[k]} for k in files},
        "seed": seed if item.simulate else None,
        "specimen": table,
    }
    references = tuple(dict.fromkeys([*facts.references, *_sources(facts.parameters)]))
    return Job(recipe, compute, provenance, _code(item, table, seed, hints), facts.parameters, references)


def _simulated(technique: Technique, options: Mapping[str, Any], table: dict[str, Any] | None, seed: int) -> xr.Dataset:
    taken = {o.name for o in technique.all_options() if o.simulate}
    virtual = {k: v for k, v in options.items() if k in taken and k != "seed"}
    observation: xr.Dataset = technique.load().simulate(_specimen(table), seed=seed, **virtual)
    return observation


def _repeated(study: Study, name: str, done: Results, root: Path | None) -> dict[str, Any]:
    """Return what decides the repetitions of a simulated measurement, besides their seeds."""
    recipe = _measurement_job(study, study.measurements[name], done, root).recipe
    return {k: v for k, v in recipe.items() if k not in ("name", "seed")}


def _again(study: Study, item: Measurement, done: Results, root: Path | None, seed: int) -> Estimate:
    """Simulate a measurement with another seed, and fit it."""
    technique = registry.technique(item.technique)
    observed = {k: str(v["measurement"]) for k, v in item.options.items() if graph.references(v)}
    options = registry.convert_options(technique, {k: v for k, v in item.options.items() if k not in observed})
    table = None if item.specimen is None else _specimen_table(study.specimens[item.specimen].values, done)
    observation = _simulated(technique, options, table, seed)
    files = {o.name for o in technique.all_options() if o.kind in ("file", "path")} & set(options)
    loaded = {**options, **{k: _file(root, str(options[k])) for k in files}}
    loaded = single.load_files(technique, loaded, observation)
    loaded.update({k: _observation(done[v]) for k, v in observed.items()})
    return single.fit_converted(observation, technique, loaded)


def _refit(item: Measurement, done: Results, root: Path | None) -> Estimate:
    """Repeat the fit of a finished measurement, for a step that needs more of it than its numbers."""
    technique = registry.technique(item.technique)
    observed = {k: str(v["measurement"]) for k, v in item.options.items() if graph.references(v)}
    options = registry.convert_options(technique, {k: v for k, v in item.options.items() if k not in observed})
    files = {o.name for o in technique.all_options() if o.kind in ("file", "path")} & set(options)
    observation = _observation(done[item.name])
    loaded = {**options, **{k: _file(root, str(options[k])) for k in files}}
    loaded = single.load_files(technique, loaded, observation)
    loaded.update({k: _observation(done[v]) for k, v in observed.items()})
    return single.fit_converted(observation, technique, loaded)


def _file(root: Path | None, text: str) -> Path:
    if root is None:
        raise InputError("No folder of data files is known: name one with --data or $PEROLAS_DATA.")
    return paths.inside(root, text)


def _seed(study: Study, item: Measurement) -> int:
    """Return the seed of a simulation: its own, or one that follows from the study's seed and the item's name."""
    if item.seed is not None:
        return item.seed
    if isinstance(item.options.get("seed"), int):
        return int(item.options["seed"])
    return int(store.sha256(f"{study.head.seed}:{item.name}")[:8], 16) & 0x7FFFFFFF


def _specimen_table(values: Mapping[str, Any], done: Results) -> dict[str, Any]:
    """Fill in what a specimen takes from other items, as text with a unit."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"from"}:
                item, _, name = str(value["from"]).partition(".")
                look(done, str(value["from"]))  # says in a sentence what is missing
                result = done[item].result
                row = (result.get("quantities") or result["estimate"]["quantities"])[name]
                return row["value"] if row["unit"] in ("", "1") else f"{row['value']!r} {row['unit']}"
            return {k: fill(v) for k, v in value.items()}
        return [fill(v) for v in value] if isinstance(value, list) else value

    return {k: fill(v) for k, v in values.items()}


def _specimen(table: dict[str, Any] | None) -> Any:
    if table is None:
        return None
    from perolas.matter.specimen import Specimen

    return Specimen.from_table(table)


def _observation(entry: store.Entry) -> xr.Dataset:
    """Return the observation of a finished measurement, out of the store."""
    if "observed.nc" not in entry.files:
        raise StepError("The measurement that it is compared with has no observation.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "observed.nc"
        path.write_bytes(entry.files["observed.nc"])
        return single.read(path)


def netcdf(data: xr.Dataset) -> bytes:
    """Return a dataset as NetCDF; equal data give equal bytes (no time of day is in them).

    Args:
        data: the dataset; attributes that NetCDF does not know become text.

    Returns:
        The content of the file.
    """
    data = data.copy()
    data.attrs = {k: _attribute(v) for k, v in data.attrs.items() if v is not None}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.nc"
        data.to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()


def _attribute(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float | np.number) else store.canonical(value)


def _sources(parameters: tuple[str, ...]) -> tuple[str, ...]:
    if not parameters:
        return ()
    from perolas.matter.parameters_library import physical_parameter

    keys = [physical_parameter(name).source for name in parameters]
    return tuple(dict.fromkeys(k for k in keys if k != "estimated here"))


def _code(item: Measurement, table: dict[str, Any] | None, seed: int, hints: Mapping[str, Any]) -> str:
    """Return the lines that do the same by hand, in the folder of the data files."""

    def listed(values: Mapping[str, Any]) -> str:
        return "".join(f", {k}={v!r}" for k, v in values.items())

    plain = {k: v for k, v in item.options.items() if not graph.references(v)}
    lines = ["import perolas", ""]
    if item.file is not None:
        lines.append(f"observed = {item.file!r}")
    else:
        taken = {o.name for o in registry.technique(item.technique).all_options() if o.simulate}
        virtual = {k: v for k, v in plain.items() if k in taken and k != "seed"}
        who = "None"
        if table is not None:
            lines.append(f"specimen = perolas.Specimen.from_table({table!r})")
            who = "specimen"
        lines.append(f"observed = perolas.simulate({item.technique!r}, {who}, seed={seed}{listed(virtual)})")
        hints = {}
    for name, value in item.options.items():
        if graph.references(value):
            lines.append(f"# {name}: the observation of the measurement {graph.references(value)[0]!r}")
    lines.append(f"estimate = perolas.fit(observed, {item.technique!r}{listed(hints)}{listed(plain)})")
    lines.append("print(estimate)")
    return "\n".join(lines)
