"""Run a study: items in the order of what they need, then the claims; results go through the store and back."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from perolas.core import compiled
from perolas.core.errors import InputError, PerolasError, one_line
from perolas.study import claims, execute, figures, graph, lock, paths, schema, store
from perolas.study.audit import check
from perolas.study.graph import Graph
from perolas.study.schema import Study

logger = logging.getLogger("perolas")

Progress = Callable[[str, str, int, int], None]
Report = Callable[..., Path]


class Crew(Protocol):
    """Who does the items of a run."""

    def do(self, work: Work) -> dict[str, dict[str, Any]]:
        """Do all items of a run; return what `Work.do` gives of each, by name."""


def run(
    study: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    fresh: bool = False,
    figures: bool = False,
    data: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
    crew: Crew | None = None,
    changes: Mapping[str, Any] | None = None,
    digitised: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Run a study and write its results.

    Args:
        study: name of a built-in study, or the path of a study file.
        out: folder for `claims.json`, `estimates.json`, `data/` and the store; by default ``perolas-out/<id>``.
        fresh: do everything anew instead of taking what the store has.
        figures: also write figures as PNG (where `report` is given).
        data: folder of the data files.
        progress: called with the name of an item, its status, how many are done and how many there are.
        report: writes the report: called with the returned dictionary, the folder, and ``figures=``.
        crew: who does the items (see `perolas.study.crew`); None: this process, one after the other.
        changes: "what if": other values for what the study states (see `perolas.study.whatif`).
        digitised: folder of digitised curves, for the steps of that kind.

    Returns:
        The results, JSON-like: "study", "items", "claims", "audit", "versions", "warnings", "lock" (see
        docs/contracts.md).

    Raises:
        InputError: the study cannot be used; the sentence names the line.
    """
    if changes:
        from perolas.study import whatif

        return whatif.run(
            study,
            changes,
            out,
            fresh=fresh,
            figures=figures,
            data=data,
            progress=progress,
            report=report,
            crew=crew,
            digitised=digitised,
        )
    loaded = schema.load(study)
    loaded.digitised = None if digitised is None else paths.digitised(digitised)
    dependencies = graph.build(loaded)
    root = paths.data_root(loaded, data)
    paths.check_paths(loaded, root)
    check.look_over(loaded)
    folder = Path(out) if out is not None else Path("perolas-out") / loaded.head.id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        roles = graph.roles(loaded)
        work = Work(loaded, dependencies, store.Store(folder / "store"), root, fresh, progress or _silent)
        items = work.all(crew)
        result = results(loaded, items, judged(loaded, roles, work), work)
        result["lock"] = lock.make(loaded, root, result["items"], result["claims"])
        write(folder, result, work)
        if report is not None:
            report(result, folder, figures=figures)
    except OSError as error:
        name = one_line(Path(error.filename).name, 80) if error.filename else folder.name
        raise InputError(f'"{name}" cannot be written: {one_line(error.strerror or error)}.') from error
    return result


def _silent(name: str, status: str, done: int, total: int) -> None:
    """Report nothing."""


class Work:
    """The items of one run: what is done so far, and what could not be.

    Attributes:
        study, dependencies, store, root, fresh, progress: of the run.
        done: results by item.
        status: "done", "failed" or "skipped" by item.
        settled: keys of results that are taken from the store also where everything is done anew.
    """

    def __init__(
        self, study: Study, dependencies: Graph, kept: store.Store, root: Path | None, fresh: bool, progress: Progress
    ) -> None:
        self.study = study
        self.dependencies = dependencies
        self.store = kept
        self.root = root
        self.fresh = fresh
        self.progress = progress
        self.done: dict[str, store.Entry] = {}
        self.status: dict[str, str] = {}
        self.settled: frozenset[str] = frozenset()

    def all(self, crew: Crew | None) -> list[dict[str, Any]]:
        """Do all items, by a crew or in this process; return what the report shows of each, in their order."""
        found = {name: self.do(name) for name in self.dependencies.order} if crew is None else crew.do(self)
        return [found[name] for name in self.dependencies.order]

    def anew(self, key: str) -> bool:
        """Tell whether a result is to be made again although the store may have it."""
        return self.fresh and key not in self.settled

    def missing(self, name: str) -> list[str]:
        """Return what an item needs and did not get."""
        return [n for n in self.dependencies.needs[name] if self.status[n] != "done"]

    def do(self, name: str, *, error: str | None = None, anew: bool | None = None) -> dict[str, Any]:
        """Do one item, or take it from the store; return what the report shows of it.

        Args:
            name: of the item; all that it needs has been done.
            error: why somebody else could not do it; it is then not tried again.
            anew: whether to do it whatever the store has; None: as the run says.
        """
        count, total = len(self.status), len(self.dependencies.order)
        self.progress(name, "running", count, total)
        item = self._header(name)
        missing = self.missing(name)
        if error is not None:
            item.update(status="failed", error=error)
        elif missing:
            item.update(status="skipped", error=f'It needs "{missing[0]}", which {_became(self.status[missing[0]])}.')
        else:
            try:
                self._compute(name, item, anew)
            except OSError:
                raise  # the store cannot be written: nothing else would be kept either
            except PerolasError as problem:
                item.update(status="failed", error=str(problem))
            except Exception as problem:
                # One item's bug must not cost the others; the log has the traceback.
                logger.debug("the item %s failed", name, exc_info=True)
                kind = type(problem).__name__
                item.update(status="failed", error=f"An error inside perolas ({kind}: {one_line(problem, 160)}).")
        self.status[name] = item["status"]
        self.progress(name, item["status"], count + 1, total)
        compiled.make_room()
        return item

    def _header(self, name: str) -> dict[str, Any]:
        known = self.study.measurements.get(name)
        step = self.study.steps.get(name)
        return {
            "name": name,
            "kind": "measurement" if known else step.kind if step else "",
            "technique": known.technique if known else None,
            "status": "done",
            "error": None,
            "expect": known.expect if known else "",
            "assumes": step.assumes if step else "",
            "uses": list((known or step).uses) if known or step else [],  # type: ignore[union-attr]
            "needs": list(self.dependencies.needs[name]),
            "dataset": None,
            "observation": None,
            "warnings": [],
            "provenance": {},
            "code": "",
            "parameters_used": [],
            "references": [],
        }

    def _compute(self, name: str, item: dict[str, Any], asked: bool | None) -> None:
        job = execute.prepare(self.study, name, self.done, self.root)
        key = self.store.key(job.recipe)
        anew = self.anew(key) if asked is None else asked
        entry = None if anew else self.store.get(key)
        if entry is None:
            about = {"study": self.study.head.id, "item": name, "kind": item["technique"] or item["kind"]}
            made = job.gather([self._part(p, about, anew) for p in job.parts]) if job.parts else job.compute()
            entry = self.store.put(key, *made, about)
        # From here on only what the store gave back counts, so that a resumed run equals an undisturbed one.
        result = entry.result
        item.update(
            provenance={**job.provenance, "versions": store.versions(), "hash": key},
            code=job.code,
            parameters_used=list(job.parameters_used),
            references=list(job.references),
        )
        if "estimate" in result:
            item["estimate"] = result["estimate"]
            item["warnings"] = list(result["estimate"].get("warnings", []))
        else:
            item["quantities"] = result["quantities"]
            item["warnings"] = list(result.get("warnings", []))
        if "data.nc" in entry.files:
            item["dataset"] = f"data/{name}.nc"
        if "observed.nc" in entry.files:
            item["observation"] = f"data/{name}_observed.nc"
        self.done[name] = entry
        outcome = result.get("estimate", {}).get("result", "converged")
        if outcome != "converged":
            item.update(status="failed", error=f"The fit gave no result: {result['estimate'].get('message', outcome)}")

    def _part(self, part: execute.Part, about: dict[str, Any], anew: bool) -> store.Entry:
        key = self.store.key(part.recipe)
        return (None if anew else self.store.get(key)) or self.store.put(key, *part.compute(), about)


def _became(status: str) -> str:
    return "failed" if status == "failed" else "was skipped"


def judged(
    study: Study, roles: dict[str, str | None], work: Work, *, outside: bool = False, only: set[str] | None = None
) -> list[dict[str, Any]]:
    """Return the claims with their verdicts, JSON-like.

    Args:
        study: the study.
        roles: of its claims.
        work: what was done.
        outside: whether what was done rests on other numbers than the paper's own.
        only: the claims that are asked for; None: all.
    """
    good = {name: entry for name, entry in work.done.items() if work.status[name] == "done"}
    records = []
    for claim in study.claims.values():
        if only is not None and claim.id not in only:
            continue
        rests_on = graph.basis(study, claim.answers)
        ground = claims.Ground(
            role=roles[claim.id],
            outside=outside or rests_on.outside,
            assumes=rests_on.assumes,
            look=lambda quantity: _answer(quantity, good, work),
        )
        records.append(claims.record(claim, roles[claim.id], claims.judge(claim, ground)))
    return records


def results(study: Study, items: list[dict[str, Any]], records: list[dict[str, Any]], work: Work) -> dict[str, Any]:
    """Return what a run found, JSON-like: head, items, claims, figures, audit, versions and warnings."""

    def look(quantity: str) -> Any:
        return _answer(quantity, work.done, work)

    found: dict[str, Any] = store.plain(
        {
            "study": study.head.model_dump(mode="json", exclude={"data_root"}),
            "items": items,
            "claims": records,
            "figures": figures.found(study, look),
            "audit": check.audit(study, look),
            "versions": store.versions(),
            "warnings": [f"{item['name']}: {sentence}" for item in items for sentence in item["warnings"]],
        }
    )
    return found


def _answer(quantity: str, good: dict[str, store.Entry], work: Work) -> Any:
    item = quantity.partition(".")[0]
    if work.status[item] != "done":
        raise InputError(f'"{item}" {_became(work.status[item])}.')
    return execute.look(good, quantity)


def write(folder: Path, result: dict[str, Any], work: Work) -> None:
    """Write the files of a study, each whole or not at all."""
    for item in result["items"]:
        for key, file in (("dataset", "data.nc"), ("observation", "observed.nc")):
            if item[key] is not None:
                work.store.write(folder / item[key], work.done[item["name"]].files[file])
    estimates = {
        item["name"]: {
            "kind": item["kind"],
            "status": item["status"],
            "error": item["error"],
            **({"estimate": item["estimate"]} if "estimate" in item else {"quantities": item.get("quantities", {})}),
        }
        for item in result["items"]
    }
    decided = {k: result[k] for k in ("study", "what_if", "claims", "versions") if k in result}
    kept = {"estimates": estimates, "claims": decided, "lock": result["lock"]}
    if result["audit"]["statements"]:
        kept["audit"] = {"study": result["study"], **result["audit"]}
    for name, data in kept.items():
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
        work.store.write(folder / f"{name}.json", (text + "\n").encode())
