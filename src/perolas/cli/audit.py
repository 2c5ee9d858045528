"""`perolas audit`: do the stated numbers of a study agree?"""

from __future__ import annotations

import json
from typing import Any

import click


@click.command()
@click.argument("study")
@click.option("--out", metavar="DIR", help="folder of its results  [default: perolas-out/<id of the study>, if there]")
@click.option(
    "--data", metavar="DIR", help="folder of the data files  [default: $PEROLAS_DATA, or what the study says]"
)
@click.option("--all", "everything", is_flag=True, help="also list what agrees")
@click.option("--json", "as_json", is_flag=True, help="print the audit as JSON and nothing else")
def audit(study: str, out: str | None, data: str | None, everything: bool, as_json: bool) -> None:
    """Check the [[stated]] numbers of STUDY, a built-in name or a file, against each other."""
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


def _distance(check: dict[str, Any]) -> str:
    from perolas.study.audit.check import distance

    words = distance(check)
    return f" ({words})" if words else ""
