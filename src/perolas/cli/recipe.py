"""`perolas recipe`: the balance of a recipe."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import click


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="print the balance as JSON and nothing else")
def recipe(file: str, as_json: bool) -> None:
    """Print the balance of the recipe FILE (TOML), or of a built-in study that has one, such as yang2020."""
    from perolas.matter.recipe import load

    balance = load(_find(file)).balance()
    click.echo(json.dumps(balance.to_json(), indent=1, ensure_ascii=False, allow_nan=False) if as_json else balance)


def _find(file: str) -> Path:
    """Return the file of a recipe; the name of a built-in one comes first, as with studies."""
    from perolas.core.errors import InputError, one_line

    root = files("perolas.study.builtin")
    known = sorted(entry.name for entry in root.iterdir() if (entry / "recipe.toml").is_file())
    if file in known:
        return Path(str(root / file / "recipe.toml"))
    path = Path(file)
    try:
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if exists:
        return path
    raise InputError(
        f'There is no recipe "{one_line(path.name or file, 80)}"; give a file, or one built in: {", ".join(known)}.'
    )
