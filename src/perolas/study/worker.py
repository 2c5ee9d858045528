"""What a worker does: one item of a study, or one part of it, from the store and into the store."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from perolas.core import compiled
from perolas.core.errors import InputError, PerolasError, one_line
from perolas.study import execute, lease, paths, schema, steps, store
from perolas.study.limits import Limits, Watch, needed_mb, too_large

logger = logging.getLogger("perolas")
_WAIT_S = 0.3


@dataclass(frozen=True)
class Order:
    """One piece of work, as text and numbers, so that it can be sent anywhere.

    Attributes:
        study: path of the study file, which the worker sees too, or name of a built-in study.
        sha256: of its content.
        root: folder of the data files, or None.
        store: folder of the store, shared by all.
        name: of the item.
        part: which part of it, or None for the item itself.
        key: under which the result is to lie; another one means other versions.
        upstream: item -> key of all that it rests on.
        run: of the run; a limit that was passed is remembered for this run only.
        time_s, memory_mb: limits, see `perolas.study.limits`.
        changes: what is changed in the study.
        digitised: folder of digitised curves, or None.
    """

    study: str
    sha256: str
    root: str | None
    store: str
    name: str
    part: int | None
    key: str
    upstream: dict[str, str]
    run: str
    time_s: float | None = None
    memory_mb: float | None = None
    changes: dict[str, str] = field(default_factory=dict)
    digitised: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-like data."""
        return asdict(self)


class _Upstream(Mapping[str, store.Entry]):
    """Results that are looked up in the store when they are asked for."""

    def __init__(self, kept: store.Store, keys: Mapping[str, str]) -> None:
        self._kept = kept
        self._keys = keys
        self._found: dict[str, store.Entry] = {}

    def __getitem__(self, name: str) -> store.Entry:
        if name not in self._found:
            entry = self._kept.get(self._keys[name])
            if entry is None:
                raise InputError(f'The result of "{name}" is not in the store that this worker sees.')
            self._found[name] = entry
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Do one piece of work, unless the store has it or somebody is doing it.

    Args:
        order: an `Order` as JSON-like data.

    Returns:
        ``{"status": "done", "error": None}``, or ``"failed"`` and a sentence. The result itself is in the store.
    """
    asked = Order(**order)
    kept = store.Store(Path(asked.store))
    if not kept.root.is_dir():
        return _failed(f'This worker ({socket.gethostname()}) does not see the folder of results "{kept.root.name}".')
    over = kept.root / "leases" / f"{asked.key}.{asked.run}.over"
    try:
        while True:
            if kept.get(asked.key) is not None:
                return {"status": "done", "error": None}
            if over.exists():
                return _failed(over.read_text(encoding="utf-8"))
            held = lease.take(kept.root / "leases", asked.key)
            if held is not None:
                break
            time.sleep(_WAIT_S)
        with held, Watch(Limits(asked.time_s, asked.memory_mb), lambda said: _remember(over, said)):
            if kept.get(asked.key) is None:
                _compute(asked, kept)
        compiled.make_room()
        return {"status": "done", "error": None}
    except OSError as error:
        return _failed(f"The results cannot be written or read: {one_line(error.strerror or error)}.")
    except PerolasError as error:
        return _failed(str(error))
    except Exception as error:  # one item's bug must not cost the others; the worker's log has the traceback
        logger.debug("the item %s failed", asked.name, exc_info=True)
        return _failed(f"An error inside perolas ({type(error).__name__}: {one_line(error, 160)}).")


def _compute(asked: Order, kept: store.Store) -> None:
    study = _study(asked.study, asked.sha256, tuple(sorted(asked.changes.items())))
    study.digitised = None if asked.digitised is None else Path(asked.digitised)
    root = None if asked.root is None else Path(asked.root)
    upstream = _Upstream(kept, asked.upstream)
    said = too_large(_needed(study, asked.name, root), Limits(asked.time_s, asked.memory_mb))
    if said is not None:
        raise InputError(said)
    job = execute.prepare(study, asked.name, upstream, root)
    parts = [kept.key(part.recipe) for part in job.parts]
    key = kept.key(job.recipe) if asked.part is None else parts[asked.part]
    if key != asked.key:
        raise InputError(
            f"This worker ({socket.gethostname()}) has other versions of perolas, its libraries or the data files "
            "than where the study was started; install the same everywhere."
        )
    about = {"study": study.head.id, "item": asked.name, "kind": study.kind_of(asked.name)}
    _journal(kept.root, "begin", asked)
    if asked.part is not None:
        kept.put(key, *job.parts[asked.part].compute(), about)
    elif job.parts:
        entries = [kept.get(k) for k in parts]
        kept.put(key, *job.gather([e for e in entries if e is not None]), about)
    else:
        kept.put(key, *job.compute(), about)
    _journal(kept.root, "end", asked)


def _needed(study: schema.Study, name: str, root: Path | None) -> float:
    """Return about how much memory an item will take, MB; what cannot be told beforehand is watched while it runs."""
    if name in study.steps:
        step = study.steps[name]
        return steps.kind_of(step).needs_mb(step)
    file = study.measurements[name].file
    if file is None or root is None:
        return needed_mb()
    try:
        return needed_mb(paths.inside(root, file).stat().st_size)
    except (OSError, InputError):  # the reader says in a sentence what is wrong with it
        return needed_mb()


@lru_cache(maxsize=4)
def _study(path: str, sha256: str, changes: tuple[tuple[str, str], ...] = ()) -> schema.Study:
    """Return the study; each process loads it once."""
    try:
        same = store.sha256(schema.find(path).read_bytes()) == sha256
    except (OSError, InputError):
        raise InputError(f'This worker ({socket.gethostname()}) does not see "{Path(path).name}".') from None
    if not same:
        raise InputError(f'"{Path(path).name}" changed while the study was running; start it again.')
    return schema.load(path, dict(changes))


def _journal(root: Path, what: str, asked: Order) -> None:
    """Note in a file of this process alone what it does: who did what, and how often, can be seen afterwards."""
    folder = root / "journal"
    folder.mkdir(exist_ok=True)
    line = {"what": what, "item": asked.name, "part": asked.part, "key": asked.key, "time": time.time()}
    with (folder / f"{socket.gethostname()}-{os.getpid()}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _remember(path: Path, sentence: str) -> None:
    path.write_text(sentence, encoding="utf-8")


def _failed(sentence: str) -> dict[str, Any]:
    return {"status": "failed", "error": sentence}
