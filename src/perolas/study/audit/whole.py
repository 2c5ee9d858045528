"""The audit of a study from its file: what its statements need of the run is done first, or taken from the store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perolas.core.errors import InputError
from perolas.study import execute, graph, paths, run, schema, store
from perolas.study.audit import check, said
from perolas.study.expression import Number


def audit_study(
    study: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Audit a study.

    Args:
        study: name of a built-in study, or the path of a study file.
        out: folder of its results, whose store is used; by default ``perolas-out/<id>`` where that is, else none.
        data: folder of the data files.

    Returns:
        What `perolas.study.audit.check.audit` gives, with "study".

    Raises:
        InputError: the study cannot be used; the sentence names the line.
    """
    loaded = schema.load(study)
    check.look_over(loaded)
    needed = [used.partition(".")[0] for s in loaded.statements.values() for used in said.references(s)]
    found = _with_run(loaded, needed, out, data) if needed else check.audit(loaded)
    return {"study": loaded.head.model_dump(mode="json", exclude={"data_root"}), **found}


def _with_run(
    loaded: schema.Study, needed: list[str], out: str | os.PathLike[str] | None, data: str | os.PathLike[str] | None
) -> dict[str, Any]:
    dependencies = graph.build(loaded)
    root = paths.data_root(loaded, data)
    usual = Path("perolas-out") / loaded.head.id
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(out) if out is not None else usual if usual.is_dir() else Path(scratch)
        work = run.Work(loaded, dependencies, store.Store(folder / "store"), root, False, lambda *_: None)
        for name in dependencies.upstream(needed):
            work.do(name)
        return check.audit(loaded, looking(work.done, work.status))


def looking(done: Mapping[str, store.Entry], status: Mapping[str, str]) -> said.Look:
    """Return what looks up a quantity among finished items; it refuses those that did not finish."""

    def look(quantity: str) -> Number:
        item = quantity.partition(".")[0]
        if status.get(item) != "done":
            raise InputError(f'"{item}" gave no result.')
        return execute.look(done, quantity)

    return look
