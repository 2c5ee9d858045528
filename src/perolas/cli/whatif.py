"""The terminal's view of a run with other values: what differs, and which claims would fare otherwise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


def show(result: dict[str, Any], failed: list[dict[str, Any]], report: Path) -> None:
    """Print the changes, the claims that hang on them, what differs, and where the report is.

    Args:
        result: of `perolas.study.whatif.run`.
        failed: items that gave nothing.
        report: the page.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from perolas.core.tables import with_error
    from perolas.study.differences import change_of, ranked

    def measured(value: float | None, std: float | None, unit: str | None) -> Text:
        return Text(with_error(value, std) + ("" if unit in ("", "1", None) or value is None else f" {unit}"))

    def answered(entry: dict[str, Any]) -> Text:
        found = entry["answer"] or {"value": None, "std": None, "unit": ""}
        return measured(found["value"], found["std"], found["unit"])

    told = result["what_if"]
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False, soft_wrap=False)
    for change in told["changes"]:
        console.print(Text(f"what if: {change['words']}", style="bold"))
    hang = [c for c in result["claims"] if c["what_if"] and c["what_if"]["moved"]]
    still = sum(bool(c["what_if"]) for c in result["claims"]) - len(hang)
    if hang:
        table = Table(title="claims whose answer moves", title_justify="left", pad_edge=False)
        for head in ("claim", "as stated", "what if", "verdict as stated", "it would be"):
            table.add_column(head, overflow="fold")
        for claim in hang:
            verdicts = [claim["verdict"].replace("_", " "), claim["what_if"]["verdict"].replace("_", " ")]
            bold = "bold" if verdicts[0] != verdicts[1] else ""
            table.add_row(
                Text(claim["id"]), answered(claim), answered(claim["what_if"]), verdicts[0], Text(verdicts[1], bold)
            )
        console.print(table)
    rows = ranked(told)
    most = 30
    if rows:
        table = Table(title="what differs", title_justify="left", pad_edge=False)
        for head in ("quantity", "as stated", "what if", "change", "sigma"):
            table.add_column(head, overflow="fold")
        for r in rows[:most]:
            table.add_row(
                Text(f"{r['item']}.{r['quantity']}"),
                measured(r["before"], r["before_std"], r["unit"]),
                measured(r["after"], r["after_std"], r["unit"]),
                change_of(r),
                "" if r["sigma"] is None else f"{r['sigma']:.2g}",
            )
        console.print(table)
    more = f"; {len(rows) - most} more are in what-if.json" if len(rows) > most else ""
    verdicts_changed = len(told["verdicts"])
    click.echo(
        f"{len(rows)} quantities differ{more}; {told['unchanged']} stay as they were; {still} more claims hang on the "
        f"change without moving; {verdicts_changed} of {len(result['claims'])} claims would have another verdict"
    )
    for item in failed:
        console.print(Text(f"{item['name']} {item['status']}: {item['error']}", style="red"))
    click.echo(f"report: {report}")
