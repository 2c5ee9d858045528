"""`perolas run`: a study from its file to its report."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perolas.cli.guard import DONE, FAILED

if TYPE_CHECKING:
    from rich.progress import Progress

    from perolas.study.crew import Crew

_COLOURS = {
    "reproduced": "green",
    "differs": "red",
    "contradictory": "bold red",
    "uninformative": "yellow",
    "undetermined": "yellow",
    "not_covered": "dim",
}


@click.command()
@click.argument("study", required=False)
@click.option("--out", metavar="DIR", help="folder of the results  [default: perolas-out/<id of the study>]")
@click.option("--fresh", is_flag=True, help="do everything anew, whatever the store holds")
@click.option("--figures", is_flag=True, help="also write each figure as PNG")
@click.option(
    "--data", metavar="DIR", help="folder of the data files  [default: $PEROLAS_DATA, or what the study says]"
)
@click.option("--locked", metavar="REPORT", help="make the run of a report (or its folder) again; say what changed")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar='PATH="VALUE"',
    help='what if: another value, e.g. light.wavelength="405 nm"; repeatable (docs/whatif.md)',
)
@click.option("--digitised", metavar="DIR", help="folder of CSV files with curves read off figures (docs/whatif.md)")
@click.option("--templates", is_flag=True, help="write the CSV files that the study could use into that folder")
@click.option("--workers", metavar="N", type=int, help="do the items on N processes (extra: scale)")
@click.option("--scheduler", metavar="ADDRESS", help="or on the workers of a dask scheduler, e.g. tcp://10.0.0.1:8786")
@click.option("--time-limit", metavar="TIME", help='of each item, e.g. "10 min"; runs on a worker')
@click.option("--memory-limit", metavar="SIZE", help='of each item, e.g. "4 GB"; runs on a worker')
@click.option("--json", "as_json", is_flag=True, help="print claims and items as JSON and nothing else")
def run(
    study: str | None,
    out: str | None,
    fresh: bool,
    figures: bool,
    data: str | None,
    locked: str | None,
    changes: tuple[str, ...],
    digitised: str | None,
    templates: bool,
    as_json: bool,
    **crew: Any,
) -> int:
    """Run STUDY, a built-in name or a file, and write report.html, claims.json, estimates.json and data/."""
    from perolas.study.run import run as run_study

    if study is None and locked is None:
        raise click.UsageError("Missing argument 'STUDY': a built-in name or a file (perolas list shows the names).")
    if study is not None and locked is not None:
        raise click.UsageError("Give a study, or the report of a run with --locked, but not both.")
    if changes and locked is not None:
        raise click.UsageError("A locked run brings its own changes: give --set or --locked, but not both.")
    from perolas.study import changes as altered

    wanted: dict[str, Any] = altered.parse(changes)
    before: dict[str, Any] | None = None
    if locked is not None:
        from perolas.study import lock

        before = lock.load(locked)
        wanted = dict(before.get("changes", {}))
        folder = Path(out or f"perolas-out/{_plain_name(before)}-again")
        study, out, fresh = str(lock.unpack(before, folder / "study")), str(folder), True
    assert study is not None
    if templates:
        return _templates(study, digitised)

    where: list[Path] = []

    def report(result: dict[str, Any], folder: Path, *, figures: bool) -> Path:
        from perolas.report.page import write

        where.append(write(result, folder, figures=figures))
        return where[0]

    who = _crew(**crew)
    with _Watch() as watch:
        result = run_study(
            study,
            out,
            fresh=fresh,
            figures=figures,
            data=data,
            progress=watch.step,
            report=report,
            crew=who,
            changes=wanted,
            digitised=digitised,
        )
    failed = [i for i in result["items"] if i["status"] != "done"]
    if before is not None:
        return _compared(before, result, where[0], as_json)
    if as_json:
        shown = {
            "study": result["study"],
            **({"what_if": result["what_if"]} if "what_if" in result else {}),
            "claims": result["claims"],
            "items": [{k: i[k] for k in ("name", "kind", "technique", "status", "error")} for i in result["items"]],
            "audit": result["audit"],
            "warnings": result["warnings"],
            "report": str(where[0]),
        }
        click.echo(json.dumps(shown, indent=1, ensure_ascii=False, allow_nan=False))
    elif "what_if" in result:
        from perolas.cli.whatif import show

        show(result, failed, where[0])
    else:
        _show(result, failed, where[0])
    return FAILED if failed else DONE


def _templates(study: str, folder: str | None) -> int:
    """Write empty CSV files for the curves that a study could use; what is there stays."""
    from perolas.study.templates import write_templates

    if folder is None:
        raise click.UsageError("Say where the templates are to lie: --digitised DIR --templates.")
    for path, words, new in write_templates(study, folder):
        click.echo(f"{'wrote' if new else 'kept '} {path}: {words}")
    return DONE


def _plain_name(locked: dict[str, Any]) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9_-]", "_", str(locked.get("name", "study")))[:80] or "study"


def _compared(before: dict[str, Any], result: dict[str, Any], report: Path, as_json: bool) -> int:
    """Say what changed since a locked run; a changed result is a failure."""
    from perolas.study import lock

    made, came = lock.compare(before, result["lock"])
    if as_json:
        told = {"made_of": made, "results": came, "report": str(report)}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False))
        return FAILED if came else DONE
    for sentence in made:
        click.echo(f"made of: {sentence}")
    for sentence in came:
        click.echo(f"result:  {sentence}")
    same = f"all {len(before['items'])} results and {len(before['claims'])} verdicts are the same"
    click.echo(f"{len(came)} results changed" if came else same)
    click.echo(f"report: {report}")
    return FAILED if came else DONE


def _crew(workers: int | None, scheduler: str | None, time_limit: str | None, memory_limit: str | None) -> Crew | None:
    """Return who does the items; None: this process. A limit needs a process that can be ended."""
    if workers is None and scheduler is None and time_limit is None and memory_limit is None:
        return None
    from perolas.core import check, units
    from perolas.core.errors import InputError
    from perolas.study.crew import Crew
    from perolas.study.limits import Limits

    if workers is not None and not 1 <= workers <= 1024:
        raise InputError(f"The number of workers must lie between 1 and 1024, but is {workers}.")
    limits = Limits(
        None if time_limit is None else check.positive(units.convert(time_limit, "s", "--time-limit"), "--time-limit"),
        None if memory_limit is None else check.positive(_megabytes(memory_limit), "--memory-limit"),
    )
    return Crew((workers or 1) if scheduler is None else workers or 0, scheduler, limits)


def _megabytes(text: str) -> float:
    from perolas.core import units

    return units.convert(text.strip().replace("GiB", "gibibyte").replace("MiB", "mebibyte"), "MB", "--memory-limit")


class _Watch:
    """Progress on standard error: a bar on a terminal, elsewhere a line now and then when it takes long."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None
        self._said = time.monotonic()

    def __enter__(self) -> _Watch:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("preparing", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, name: str, status: str, done: int, total: int) -> None:
        """Show that an item has a new status."""
        if self._bar is not None:
            self._bar.update(self._task, description=name[:24], completed=done, total=total)
        elif status != "running" and time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            click.echo(f"{done} of {total} done ({name})", err=True)


def _show(result: dict[str, Any], failed: list[dict[str, Any]], report: Path) -> None:
    """Print the claims with their verdicts, what failed, and where the report is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 140, highlight=False, soft_wrap=False)
    if result["claims"]:
        # A file that somebody sends may hold anything: Text() shows it, markup would act on it.
        table = Table(title=Text(result["study"]["title"]), title_justify="left", pad_edge=False)
        table.add_column("claim", overflow="fold")
        table.add_column("paper", overflow="fold")
        table.add_column("answer", overflow="fold")
        table.add_column("verdict")
        table.add_column("role")
        for claim in result["claims"]:
            table.add_row(
                Text(claim["id"]),
                Text(_paper(claim)),
                Text(_answer(claim)),
                Text(claim["verdict"].replace("_", " "), style=_COLOURS.get(claim["verdict"], "")),
                Text(claim["role"] or "–"),
            )
        console.print(table)
        counts = Counter(c["verdict"].replace("_", " ") for c in result["claims"])
        console.print(Text(", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())))
    if result["audit"]["statements"]:
        from perolas.study.audit.check import sentence

        console.print(Text(sentence(result["audit"])))
    for item in failed:
        console.print(Text(f"{item['name']} {item['status']}: {item['error']}", style="red"))
    click.echo(f"report: {report}")


def _paper(claim: dict[str, Any]) -> str:
    if claim["value"] is None:
        return "order" if claim["order"] else "–"
    sign = "" if claim["relation"] == "=" else f"{claim['relation']} "
    unit = "" if claim["unit"] in ("", "1") else f" {claim['unit']}"
    return f"{sign}{claim['value']:.6g}{unit}"


def _answer(claim: dict[str, Any]) -> str:
    from perolas.core.tables import with_error

    answer = claim["answer"]
    if answer is None:
        return "–"
    unit = "" if answer["unit"] in ("", "1") else f" {answer['unit']}"
    return with_error(answer["value"], answer["std"]) + unit
