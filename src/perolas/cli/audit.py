"""`perolas audit`: do the stated numbers of a study agree?"""

from __future__ import annotations

import json
from typing import Any

import click


@click.command()
@click.argument("study", required=False)
@click.option("--out", metavar="DIR", help="folder of its results  [default: perolas-out/<id of the study>, if there]")
@click.option(
    "--data", metavar="DIR", help="folder of the data files  [default: $PEROLAS_DATA, or what the study says]"
)
@click.option("--all", "everything", is_flag=True, help="also list what agrees")
@click.option("--kinds", is_flag=True, help="list the kinds of statements and nothing else")
@click.option("--rules", is_flag=True, help="list the rules and nothing else")
@click.option("--json", "as_json", is_flag=True, help="print the audit as JSON and nothing else")
def audit(
    study: str | None, out: str | None, data: str | None, everything: bool, kinds: bool, rules: bool, as_json: bool
) -> None:
    """Check the [[stated]] numbers of STUDY, a built-in name or a file, against each other."""
    if kinds or rules:
        _list(kinds)
        return
    if study is None:
        raise click.UsageError("Missing argument 'STUDY': a built-in name or a file.")
    from perolas.study.audit.whole import audit_study

    found = audit_study(study, out, data=data)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from perolas.study.audit.check import sentence

    if not found["counts"]["statements"]:
        click.echo("The study has no [[stated]] tables, so there is nothing to compare.")
        return
    for check in found["contradictions"]:
        click.echo(f"{check['severity']:<12}  {check['sentence']}{_distance(check)}  [{check['rule']}]")
    if everything:
        for check in found["agreements"]:
            click.echo(f"{'agrees':<12}  {check['sentence']}  [{check['rule']}]")
    for open_ in found["not_possible"]:
        click.echo(f"{'not checked':<12}  {open_}")
    click.echo(sentence(found))


def _list(kinds: bool) -> None:
    """Print the vocabulary, or the rules."""
    from perolas.study.audit.check import EVERY_RULE
    from perolas.study.audit.kinds import KINDS

    if kinds:
        rows = [
            (k.name, k.unit or ("words" if k.text else "any unit"), f"{k.meaning}{_needs(k.needs)}")
            for k in KINDS.values()
        ]
    else:
        rows = [(r.name, r.severity, r.says) for r in EVERY_RULE]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for row in rows:
        click.echo(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}")


def _needs(keys: tuple[str, ...]) -> str:
    return f" (needs {', '.join(keys)})" if keys else ""


def _distance(check: dict[str, Any]) -> str:
    from perolas.study.audit.check import distance

    words = distance(check)
    return f" ({words})" if words else ""
