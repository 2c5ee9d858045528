"""`perolas store`: what a study's folder keeps, whether it is whole, and how to make room."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perolas.study.store import Store

_FOLDER = click.argument("folder", default="perolas-out", metavar="[FOLDER]")
_DAY_S = 86400.0


@click.group()
def store() -> None:
    """Look into the results that runs of studies keep; FOLDER is that of a run, or of several."""


@store.command("ls")
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def list_entries(folder: str, as_json: bool) -> None:
    """List the results of every step: what it is, of which version, how large, how old."""
    rows = [
        {"folder": kept.root.parent.name, "key": key, **kept.about(key)}
        for kept in _stores(folder)
        for key in kept.keys()  # noqa: SIM118 - a method, not a dictionary's
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1, allow_nan=False))
        return
    for row in rows:
        age = (time.time() - row["changed"]) / _DAY_S
        version = row.get("versions", {}).get("perolas", "?")
        what = f"{row.get('item', '?')} ({row.get('kind', '?')})"
        size = _size(row["bytes"])
        click.echo(
            f"{row['key'][:12]}  {row['folder'][:24]:24s}  {what[:40]:40s}  {version:8s} {size:>8s} {age:6.1f} d"
        )
    click.echo(f"{len(rows)} results, {_size(sum(r['bytes'] for r in rows))}")


@store.command()
@click.argument("key")
@_FOLDER
def show(key: str, folder: str) -> None:
    """Print one result as JSON; KEY may be the beginning of it."""
    from perolas.core.errors import InputError, one_line

    found = [(kept, k) for kept in _stores(folder) for k in kept.keys() if k.startswith(key)]  # noqa: SIM118
    if len({k for _, k in found}) != 1:
        how = "no result has" if not found else f"{len(found)} results have"
        raise InputError(f'"{one_line(key, 40)}": {how} a key that begins so.')
    kept, full = found[0]
    entry = kept.get(full)
    if entry is None:
        raise InputError(f"The result {full[:12]} is damaged; a run would do it again.")
    told = {"key": full, "about": kept.about(full), "files": sorted(entry.files), "result": entry.result}
    click.echo(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False))


@store.command()
@_FOLDER
def verify(folder: str) -> None:
    """Check every result against its checksum; exit code 1 if one is damaged."""
    damaged, total = [], 0
    for kept in _stores(folder):
        for key in kept.keys():  # noqa: SIM118
            total += 1
            if kept.get(key) is None:
                damaged.append(f"{kept.root.parent.name}: {key[:12]}")
    for line in damaged:
        click.echo(f"damaged: {line}; a run will do it again")
    click.echo(f"{total - len(damaged)} of {total} results are whole")
    if damaged:
        raise click.exceptions.Exit(1)


@store.command()
@_FOLDER
@click.option("--days", type=float, help="remove what is older than this")
@click.option("--stale", is_flag=True, help="remove what other versions of perolas or its libraries made")
@click.option("--damaged", is_flag=True, help="remove what is not whole")
@click.option("--dry-run", is_flag=True, help="only say what would go")
def prune(folder: str, days: float | None, stale: bool, damaged: bool, dry_run: bool) -> None:
    """Remove results; what a run still needs it makes again."""
    from perolas.core.errors import InputError

    if days is None and not stale and not damaged:
        raise InputError("Say what may go: --days N, --stale or --damaged.")
    if days is not None and not days >= 0:
        raise InputError(f'Argument "days" must be zero or positive, but is {days:g}.')
    gone, room = 0, 0
    for kept in _stores(folder):
        for key in kept.keys():  # noqa: SIM118
            about = kept.about(key)
            if _goes(kept, key, about, days, stale, damaged):
                gone, room = gone + 1, room + about["bytes"]
                if not dry_run:
                    kept.remove(key)
    click.echo(f"{gone} results {'would go' if dry_run else 'removed'}, {_size(room)}")


def _goes(kept: Store, key: str, about: dict[str, Any], days: float | None, stale: bool, damaged: bool) -> bool:
    from perolas.study.store import code_hash, versions

    old = days is not None and time.time() - about["changed"] > days * _DAY_S
    other = stale and (about.get("versions") != versions() or about.get("code") != code_hash())
    return old or other or (damaged and kept.get(key) is None)


def _stores(folder: str) -> list[Store]:
    from perolas.core.errors import InputError, one_line
    from perolas.study.store import Store

    root = Path(folder)
    found = [p for p in [root / "store", *sorted(root.glob("*/store"))] if p.is_dir()]
    if not found:
        raise InputError(f'"{one_line(root.name or folder, 80)}" holds no run of a study.')
    return [Store(path) for path in found]


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
