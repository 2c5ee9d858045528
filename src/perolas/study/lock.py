"""Locks: all that a run was made of, so that it can be made again and compared: ``lock.json``, and in the report.

A lock holds the study's text, the small text files beside it, the hashes of data files, the versions of what
calculated, each item's seed and what it gave. `load` takes it out of either file, `unpack` makes a study of it again,
`compare` says what changed.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perolas.core.errors import InputError, one_line
from perolas.study import paths, schema, steps, store

FORMAT = 1
MAX_BYTES = 64 * 2**20
_MOST_BESIDE = 256 * 1024
_MARK = re.compile(rb'<script type="application/json" id="perolas-lock">(.*?)</script>', re.DOTALL)


def make(study: schema.Study, root: Path | None, items: list[dict[str, Any]], claims: list[dict[str, Any]]) -> Any:
    """Return the lock of a finished run, JSON-like.

    Args:
        study: the study.
        root: folder of the data files, where there is one.
        items: of the run's results.
        claims: of the run's results.

    Returns:
        The lock.
    """
    beside: dict[str, str] = {}
    for step in study.steps.values():
        for name in steps.kind_of(step).files(step):
            path = paths.beside(study, root, name)
            text = _small_text(path)
            if text is not None:
                beside[name] = text
    rows = {}
    for item in items:
        provenance = item.get("provenance") or {}
        found = item.get("estimate", {}).get("quantities") or item.get("quantities") or {}
        rows[item["name"]] = {
            "status": item["status"],
            "error": item["error"],
            "seed": provenance.get("seed"),
            "files": _hashes(provenance),
            "quantities": {n: [q.get("value"), q.get("std"), q.get("unit", "")] for n, q in found.items()},
            "sha256": store.sha256(store.canonical(found)),
        }
    return store.plain(
        {
            "format": FORMAT,
            "name": study.path.parent.name if study.path.parent.name in schema.builtin_names() else study.path.stem,
            "study": study.path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"),
            "beside": beside,
            "versions": store.versions(),
            "code": store.code_hash(),
            "machine": f"{platform.system()} {platform.machine()}",
            "items": rows,
            "claims": {c["id"]: [c["verdict"], c["role"], *_otherwise(c)] for c in claims},
            **({"changes": study.changes} if study.changes else {}),
        }
    )


def _otherwise(claim: Mapping[str, Any]) -> list[str]:
    """Return the verdict that a claim would have with the changes of a run, where it has one."""
    other = claim.get("what_if")
    return [other["verdict"]] if other else []


def _hashes(provenance: Mapping[str, Any]) -> dict[str, str]:
    found = {str(v["file"]): str(v["sha256"]) for v in (provenance.get("files") or {}).values()}
    if provenance.get("file") and provenance.get("sha256"):
        found[str(provenance["file"])] = str(provenance["sha256"])
    return found


def _small_text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8") if path.stat().st_size <= _MOST_BESIDE else None
    except (OSError, UnicodeDecodeError):
        return None


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a lock out of ``lock.json``, a report, or a folder that holds one of them.

    Args:
        path: the file or folder.

    Returns:
        The lock.

    Raises:
        InputError: there is none in it.
    """
    file = Path(path)
    shown = one_line(file.name or file, 80)
    try:
        if file.is_dir():
            file = next((file / n for n in ("lock.json", "report.html") if (file / n).is_file()), file / "lock.json")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f'"{shown}" cannot be opened: {one_line(error.strerror or error)}.') from None
    if len(data) > MAX_BYTES:
        raise InputError(f'"{shown}" is larger than {MAX_BYTES // 2**20} MiB, more than a lock may be.')
    if file.suffix == ".html":
        found = _MARK.search(data)
        if found is None:
            raise InputError(f'"{shown}" holds no lock: it is not a report of perolas, or an old one.')
        data = found.group(1)
    try:
        lock = json.loads(data)
        if lock["format"] != FORMAT:
            other = one_line(lock["format"], 20)
            raise InputError(f'"{shown}" is a lock of another version of perolas (format {other}).')
        for key, kind in (("study", str), ("beside", dict), ("versions", dict), ("items", dict), ("claims", dict)):
            if not isinstance(lock[key], kind):
                raise TypeError
        if not isinstance(lock.get("changes", {}), dict):
            raise TypeError
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f'"{shown}" is no lock of a run.') from None
    return dict(lock)


def unpack(lock: Mapping[str, Any], folder: Path) -> Path:
    """Write the study of a lock, with the files beside it, into a folder.

    Args:
        lock: from `load`.
        folder: an own one; it is made.

    Returns:
        The study file.

    Raises:
        InputError: a file of the lock would lie outside the folder.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in lock["beside"].items():
        target = paths.inside(folder.resolve(), str(name), "the study")
        store.write_file(target, str(text).encode())
    study = folder / "study.toml"
    store.write_file(study, str(lock["study"]).encode())
    return study


def compare(lock: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Say what differs between a locked run and the same run now.

    Args:
        lock: from `load`.
        now: the new run's lock.

    Returns:
        Sentences on what it was made of, and sentences on what came out.
    """
    made, came = [], []
    for name in sorted({*lock["versions"], *now["versions"]}):
        was, is_ = lock["versions"].get(name, "absent"), now["versions"].get(name, "absent")
        if was != is_:
            made.append(f"{one_line(name, 40)}: {one_line(was, 40)}, now {one_line(is_, 40)}")
    if lock.get("code") != now["code"]:
        made.append("the sources of perolas are others")
    if lock.get("machine") != now["machine"]:
        made.append(f"the machine: {one_line(lock.get('machine'), 60)}, now {now['machine']}")
    for name, was in lock["items"].items():
        is_ = now["items"].get(name)
        if is_ is None:
            came.append(f"{one_line(name, 80)}: gone")
            continue
        for file, sha in (was.get("files") or {}).items():
            if is_["files"].get(file) not in (None, sha):
                made.append(f"the data file {one_line(file, 80)} is another")
        if was.get("status") != is_["status"]:
            came.append(
                f"{name}: {one_line(was.get('status'), 20)}, now {is_['status']} ({one_line(is_['error'], 160)})"
            )
        elif was.get("sha256") != is_["sha256"]:
            came.append(f"{name}: {_largest(was.get('quantities') or {}, is_['quantities'])}")
    for claim, was in lock["claims"].items():
        if now["claims"].get(claim) != was:
            came.append(f"claim {one_line(claim, 80)}: {one_line(was, 60)}, now {now['claims'].get(claim)}")
    return list(dict.fromkeys(made)), came


def _largest(was: Mapping[str, Any], is_: Mapping[str, Any]) -> str:
    """Return the quantity that moved most, in standard errors where it has one."""
    worst, said = -1.0, "its quantities have other names"
    for name in was.keys() & is_.keys():
        try:
            (a, std, unit), b = was[name], is_[name][0]
            moved = abs(float(b) - float(a))
        except (TypeError, ValueError):
            continue
        size = moved / std if std else (math.inf if moved else 0.0)
        if size > worst:
            errors = f", {size:.2g} standard errors" if std and math.isfinite(size) else ""
            worst, said = size, f"{name} was {a:.9g}, now {b:.9g} {'' if unit == '1' else unit}".rstrip() + errors
    return said
