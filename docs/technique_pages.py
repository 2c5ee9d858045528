"""Writes a page for each registered technique from its own tables, so that manual and code cannot disagree."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path

from perolas.measurements.registry import Option, Technique, techniques

FOLDER = Path(__file__).parent / "generated" / "techniques"


def write_all() -> None:
    """Write the pages of all techniques and their index into docs/generated/techniques."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for technique in techniques().values():
        _keep(FOLDER / f"{technique.name}.md", page(technique))
    names = "\n".join(techniques())
    _keep(FOLDER / "index.md", f"# Techniques\n\n{_INTRO}\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n")


_INTRO = (
    "Each page is made from the tables that the code itself uses. Quantity names are stable: study files and programs "
    "may rely on them; elements of a vector are counted from one (`tau_1`, `tau_2`)."
)


def page(technique: Technique) -> str:
    """Return the page of a technique as Markdown.

    Args:
        technique: an entry of the registry.

    Returns:
        What it is, its parameters, derived quantities, options, physical parameters and sources.
    """
    module = technique.load()
    model = type(module.example())
    text = import_module(model.__module__).__doc__ or ""
    parameters = [
        (
            f"`{p.name}`" + (" (each)" if p.vector else ""),
            p.unit,
            _bounds(p.lower, p.upper),
            "yes" if p.free else "held",
            p.meaning,
        )
        for p in module.PARAMETERS
    ]
    derived = [(f"`{name}`", d.unit, d.definition) for name, d in model.derived_table.items()]
    return "\n".join(
        [
            f"# {technique.name}: {technique.summary}\n",
            text.strip() + "\n",
            _table("Parameters", ("quantity", "unit", "bounds", "fitted", "meaning"), parameters),
            _table("Derived quantities", ("quantity", "unit", "definition"), derived),
            _table("Options", ("option", "kind", "default", "meaning"), [_option(o) for o in technique.all_options()]),
            "Physical parameters used: " + (", ".join(f"`{n}`" for n in module.PARAMETERS_USED) or "none") + ".\n",
            "Sources: " + ", ".join(f"`{r}`" for r in module.REFERENCES) + " (`perolas cite` prints them).\n",
        ]
    )


def _option(option: Option) -> tuple[str, ...]:
    kind = " or ".join(f"`{c}`" for c in option.choices) or option.kind + (f" ({option.unit})" if option.unit else "")
    default = "–" if option.default in (None, (), {}) else f"`{option.default}`"
    return f"`--{option.name.replace('_', '-')}`", kind, default, option.help


def _bounds(lower: float, upper: float) -> str:
    if math.isinf(lower) and math.isinf(upper):
        return "any"
    return f"{lower:g} to {upper:g}".replace("inf", "∞")


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return f"## {title}\n\n" + "\n".join(lines) + "\n"


def _keep(path: Path, text: str) -> None:
    """Write only what changed, so that sphinx does not build everything anew."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
