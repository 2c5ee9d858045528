"""A page that stands already is not drawn again: what went into it, and what came out, are remembered beside it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from perolas.report.text import as_dict, as_list

_NOTE = ".report.json"


def inputs(run: dict[str, Any], out: Path) -> str:
    """Return a digest of all that a page is made from: the run, its data files, and the code that draws.

    Args:
        run: what the study engine found.
        out: the folder of the run.

    Returns:
        Hexadecimal SHA-256.
    """
    found = hashlib.sha256(json.dumps([_code(), run], sort_keys=True, default=str).encode())
    for item in map(as_dict, as_list(run.get("items"))):
        for key in ("dataset", "observation"):
            path = out / str(item.get(key) or "")
            found.update(_digest(path).encode())
    return found.hexdigest()


def stands(digest: str, out: Path) -> bool:
    """Tell whether the files that these inputs make lie there, whole.

    Args:
        digest: of `inputs`.
        out: the folder of the run.
    """
    try:
        note = json.loads((out / _NOTE).read_text(encoding="utf-8"))
        files = note["files"]
        return bool(note["inputs"] == digest and files and all(_digest(out / n) == s for n, s in files.items()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def note(digest: str, out: Path, names: list[str]) -> None:
    """Remember what was made from which inputs.

    Args:
        digest: of `inputs`.
        out: the folder of the run.
        names: of the files made.
    """
    told = {"inputs": digest, "files": {name: _digest(out / name) for name in names}}
    (out / _NOTE).write_text(json.dumps(told) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@cache
def _code() -> list[str]:
    """Return versions of what draws, and a digest of this package's sources."""
    sources = hashlib.sha256()
    for file in sorted(resources.files("perolas.report").iterdir(), key=lambda f: f.name):
        if file.is_file():
            sources.update(file.name.encode() + file.read_bytes())
    found = [sources.hexdigest()]
    for name in ("matplotlib", "plotly", "jinja2", "numpy"):
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("absent")
    return found
