"""What if: a study with other values, held against the same study as it stands.

Both go through one store, so what does not hang on the change is not calculated again. The claims stay those of the
paper and keep their verdicts; beside them stands what the answer would be.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perolas.core.errors import InputError, one_line
from perolas.study import changes as altered
from perolas.study import graph, lock, paths, schema, steps, store
from perolas.study.changes import Change
from perolas.study.run import Crew, Progress, Report, Work, judged, results, write

# Below these a difference is none that anybody could see: of its own standard error, and relative where it has none
# (the iterations of a model end there). It is counted, not listed.
_OF_ERROR = 1e-3
_RELATIVE = 1e-6


def run(
    study: str | os.PathLike[str],
    changes: Mapping[str, Any] | Sequence[str],
    out: str | os.PathLike[str] | None = None,
    *,
    fresh: bool = False,
    figures: bool = False,
    data: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
    crew: Crew | None = None,
    digitised: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Run a study as it stands and with other values, and say what differs.

    Args:
        study: name of a built-in study, or the path of a study file.
        changes: path or knob -> value, or a list of ``path=value`` (see `perolas.study.changes`).
        out: folder of the study's own results; those of this run lie below it, in ``what-if/<change>``.
        fresh: do everything anew instead of taking what the store has.
        figures: also write figures as PNG (where `report` is given).
        data: folder of the data files.
        progress: as for `perolas.study.run.run`.
        report: as for `perolas.study.run.run`.
        crew: who does the items.
        digitised: folder of digitised curves.

    Returns:
        The results of the changed study; "claims" as stated, each that hangs on the change with "what_if"; and
        "what_if": "changes", "differences", "unchanged", "verdicts" (see docs/whatif.md).

    Raises:
        InputError: the study or a change cannot be used.
    """
    asked = dict(changes) if isinstance(changes, Mapping) else altered.parse(changes)
    stated, changed = schema.load(study), schema.load(study, asked)
    stated.digitised = changed.digitised = None if digitised is None else paths.digitised(digitised)
    before_graph, after_graph = graph.build(stated), graph.build(changed)
    root = paths.data_root(stated, data)
    paths.check_paths(changed, root)
    said = _explained(stated, changed, root)
    base = Path(out) if out is not None else Path("perolas-out") / stated.head.id
    folder = base / "what-if" / _slug(changed.changes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = store.Store(base / "store")
        tell = progress or _silent
        before = Work(stated, before_graph, kept, root, fresh, tell)
        before.all(crew)
        after = Work(changed, after_graph, kept, root, fresh, tell)
        after.settled = frozenset(entry.key for entry in before.done.values())
        items = after.all(crew)
        moved = _moved(before, after)
        for item in items:
            item["changed"] = item["name"] in moved
        roles = graph.roles(stated)
        records = _beside(judged(stated, roles, before), changed, roles, after, moved)
        told = compare(before, after, moved, said, records)
        differ = {f"{row['item']}.{row['quantity']}" for row in told["differences"]}
        for record in records:
            if record["what_if"]:
                answers = {record["quantity"], *(record["order"] or [])}
                record["what_if"]["moved"] = bool(answers & differ) or _lost(record, told)
        result = results(changed, items, records, after)
        result["what_if"] = store.plain(told)
        result["lock"] = lock.make(changed, root, result["items"], result["claims"])
        write(folder, result, after)
        text = json.dumps(result["what_if"], indent=1, ensure_ascii=False, allow_nan=False)
        kept.write(folder / "what-if.json", (text + "\n").encode())
        if report is not None:
            report(result, folder, figures=figures)
    except OSError as error:
        name = one_line(Path(error.filename).name, 80) if error.filename else folder.name
        raise InputError(f'"{name}" cannot be written: {one_line(error.strerror or error)}.') from error
    return result


def _silent(name: str, status: str, done: int, total: int) -> None:
    """Report nothing."""


def _slug(changes: Mapping[str, str]) -> str:
    """Return a name for a folder: readable, and another one for other changes."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(f"{k}-{v}" for k, v in changes.items())).strip("-.")
    return f"{words[:50].rstrip('-.')}-{store.sha256(store.canonical(dict(changes)))[:6]}"


def _explained(stated: schema.Study, changed: schema.Study, root: Path | None) -> list[Change]:
    """Return the changes, with what the files say now where one leads into a file; each is tried once."""
    assert changed.applied is not None
    before: dict[str, Any] = {}
    for entry in changed.applied.in_files:
        step = stated.steps[entry.step]
        if len(steps.kind_of(step).files(step)) != 1:
            raise InputError(f'"{entry.path}" leads into a file, but "{entry.step}" does not read just one.')
        content = next(iter(paths.contents(stated, root, step)[0].values()))
        before[entry.path] = altered.stated_in_file(content, entry)
        altered.in_file(content, entry)
    return [
        Change(c.name, c.text, c.about, tuple({**p, "before": before.get(p["path"], p["before"])} for p in c.places))
        for c in changed.applied.changes
    ]


def _moved(before: Work, after: Work) -> set[str]:
    """Return the items whose outcome is another one."""
    return {
        name
        for name in after.status
        if before.status.get(name) != after.status[name]
        or getattr(before.done.get(name), "digest", None) != getattr(after.done.get(name), "digest", None)
    }


def _beside(
    records: list[dict[str, Any]],
    changed: schema.Study,
    roles: dict[str, str | None],
    after: Work,
    moved: set[str],
) -> list[dict[str, Any]]:
    """Return the claims as stated, each that hangs on what changed with its other answer beside it."""
    hang = {c.id for c in changed.claims.values() if {q.partition(".")[0] for q in c.answers} & moved}
    other = {r["id"]: r for r in judged(changed, roles, after, outside=True, only=hang)}
    keys = ("answer", "verdict", "sigma", "sentence")
    return [
        {**r, "what_if": {k: other[r["id"]][k] for k in keys}} if r["id"] in other else {**r, "what_if": None}
        for r in records
    ]


def _lost(record: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Tell whether a claim would have another verdict, or an answer where it has none, or none."""
    other = record["what_if"]
    gone = (record["answer"] is None) != (other["answer"] is None)
    return gone or any(v["id"] == record["id"] for v in told["verdicts"])


def compare(
    before: Work, after: Work, moved: set[str], said: Sequence[Change], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what differs between two runs, JSON-like.

    Args:
        before: the study as it stands.
        after: the changed one.
        moved: the items whose outcome differs.
        said: the changes.
        records: the claims, with "what_if".

    Returns:
        "changes"; "differences": item, quantity, unit, before, before_std, after, after_std, difference, ratio, sigma
        (None where the errors of the two are neither independent nor the same); "unchanged": how many quantities
        stayed, but for what nobody could see; "verdicts": the claims whose verdict would be another; "lost" and
        "found": items that gave something only without, or only with the change.
    """
    rows: list[dict[str, Any]] = []
    unchanged = 0
    claimed = {q for r in records for q in [r["quantity"], *(r["order"] or [])] if q}
    for name in after.status:
        was, now = _quantities(before, name), _quantities(after, name)
        if name not in moved:
            unchanged += len(was)
            continue
        if not (was and now):
            continue  # it is listed whole, as lost or as new
        for quantity in {**was, **now}:
            row = _difference(before, after, f"{name}.{quantity}", was.get(quantity), now.get(quantity), moved)
            if row is None:
                unchanged += 1
            else:
                rows.append({"item": name, "quantity": quantity, "claimed": f"{name}.{quantity}" in claimed, **row})
    verdicts = [
        {"id": r["id"], "role": r["role"], "before": r["verdict"], "after": r["what_if"]["verdict"]}
        for r in records
        if r["what_if"] and r["what_if"]["verdict"] != r["verdict"]
    ]
    return {
        "changes": [
            {"name": c.name, "value": c.text, "text": c.about, "words": c.words, "sets": list(c.places)} for c in said
        ],
        "differences": rows,
        "unchanged": unchanged,
        "items_changed": [n for n in after.status if n in moved],
        "verdicts": verdicts,
        "lost": [n for n in after.status if after.status[n] != "done" and before.status.get(n) == "done"],
        "found": [n for n in after.status if after.status[n] == "done" and before.status.get(n) != "done"],
    }


def _quantities(work: Work, name: str) -> dict[str, Any]:
    if work.status.get(name) != "done":
        return {}
    result = work.done[name].result
    return dict(result.get("quantities") or result.get("estimate", {}).get("quantities", {}))


def _difference(
    before: Work, after: Work, path: str, was: dict[str, Any] | None, now: dict[str, Any] | None, moved: set[str]
) -> dict[str, Any] | None:
    """Return how a quantity differs; None where it does not."""
    a, b = (None if row is None else row["value"] for row in (was, now))
    a_std, b_std = (None if row is None else row["std"] for row in (was, now))
    if was is not None and now is not None and _near(a, b, a_std, b_std) and _near(a_std, b_std, a_std):
        return None
    row: dict[str, Any] = {
        "unit": (now or was or {}).get("unit", "1"),
        "before": a,
        "before_std": a_std,
        "after": b,
        "after_std": b_std,
        "difference": None,
        "ratio": None,
        "sigma": None,
    }
    if a is not None and b is not None:
        row["difference"] = b - a
        row["ratio"] = b / a if a else None
        std = _std_of_difference(before, after, path, moved)
        row["sigma"] = abs(b - a) / std if std else None
    return row


def _near(a: float | None, b: float | None, *errors: float | None) -> bool:
    """Tell whether two numbers are the same but for what nobody could see."""
    if a is None or b is None:
        return a is b
    seen = min([e for e in errors if e], default=0.0)
    return abs(a - b) <= max(_RELATIVE * max(abs(a), abs(b)), _OF_ERROR * seen)


def _std_of_difference(before: Work, after: Work, path: str, moved: set[str]) -> float | None:
    """Return the standard error of the difference, or None where it cannot be told.

    A source of error that both share and that did not change (a parameter of the library, an item upstream) is the
    same unknown number in both, so its contributions subtract; a number that the study states and the change replaces
    is another one. The noise of a simulation or the draws of a model that did change are neither.
    """
    item, _, name = path.partition(".")
    parts = []
    for work in (before, after):
        entry = work.done[item]
        row = _quantities(work, item)[name]
        known = entry.result.get("parts", {}).get(name)
        if row["std"] is None or (not known and row["std"] != 0):
            return None
        parts.append({k: math.inf if v is None else v for k, v in (known or {}).items()})
    was, now = parts
    total = 0.0
    for source in {**was, **now}:
        shared = source in was and source in now
        kind = _shared(before, after, source, moved) if shared else "independent"
        if kind is None:
            return None
        a, b = was.get(source, 0.0), now.get(source, 0.0)
        total += (b - a) ** 2 if kind == "same" else a**2 + b**2
    return math.sqrt(total) if math.isfinite(total) else None


def _shared(before: Work, after: Work, source: str, moved: set[str]) -> str | None:
    """Tell how two errors of the same name stand to each other: "same", "independent", or None: cannot be told."""
    if source.startswith("parameter "):
        return "same"
    owner, _, name = source.partition(".")
    owner = re.split(r"[#\s]", owner, maxsplit=1)[0]
    if owner in after.status and owner not in moved:
        return "same"
    given = [getattr(w.study.steps.get(owner), "given", {}) for w in (before, after)]
    if name and all(isinstance(g, Mapping) and name in g for g in given):
        return "same" if given[0][name] == given[1][name] else "independent"
    return None


def look(result: Mapping[str, Any], quantity: str) -> dict[str, Any] | None:
    """Return the difference of a quantity, ``"item.quantity"``, in the results of `run`; None where it did not move."""
    item, _, name = quantity.partition(".")
    rows = result["what_if"]["differences"]
    return next((r for r in rows if r["item"] == item and r["quantity"] == name), None)
