"""`perolas decays`: decays of several samples fitted together, and which mechanism they support."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from perolas.cli.guard import DONE, FAILED

_KINDS = ("all", "traps", "loss", "both")
_MOST_FILES = 500


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--names", help='names of the samples, e.g. "dark,light"; by default those of the files')
@click.option("--irf", metavar="FILE", help="measured instrument response of all")
@click.option("--irf-fwhm", metavar="QUANTITY", help='full width of a Gaussian response, e.g. "0.3 ns"; else fitted')
@click.option("--period", metavar="QUANTITY", help="time between pulses, where light of the pulse before is still seen")
@click.option(
    "--kind",
    default="all",
    show_default=True,
    type=click.Choice(_KINDS),
    help="in what the samples differ: traps, what these lose, both; all: each in turn, weighed",
)
@click.option("--channel", metavar="N", help="channel or curve of the files to take")
@click.option("--json", "as_json", is_flag=True, help="print JSON and nothing else")
def decays(files: tuple[str, ...], **values: Any) -> int:
    """Fit FILES, one decay of each sample, with shared response, radiative and detrapping rate."""
    from perolas.core import units
    from perolas.core.errors import InputError
    from perolas.measurements.trpl import series
    from perolas.study import single

    if not 2 <= len(files) <= _MOST_FILES:
        raise InputError(f"Decays of 2 to {_MOST_FILES} samples are fitted together, but {len(files)} were given.")
    options: dict[str, Any] = {"names": _names(files, values["names"])}
    for name in ("irf_fwhm", "period"):
        if values[name] is not None:
            options[name] = units.convert(values[name], "ns", name)
    hints = {} if values["channel"] is None else {"channel": values["channel"]}
    if values["irf"]:
        options["irf"] = single.read(values["irf"], "trpl")
    found = [single.read(f, "trpl", **hints) for f in files]
    if values["kind"] == "all":
        fits, rows = series.compare_mechanisms(found, **options)
    else:
        fits, rows = {values["kind"]: series.fit_together(found, kind=values["kind"], **options)}, []
    # The most supported of those that converged; a fit that did not is shown, and is what the exit code says.
    good = {name: fit for name, fit in fits.items() if fit.converged}
    best = min(good or fits, key=lambda name: fits[name].bic)
    if values["as_json"]:
        told = {"best": best, "evidence": rows, "fits": {name: fit.to_json() for name, fit in fits.items()}}
        click.echo(json.dumps(_finite(told), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(fits[best])
        for row in rows:
            state = "" if row["converged"] else "; not converged"
            click.echo(
                f"  {row['kind']:<5}  delta BIC {row['delta_bic']:.1f}, chi-square {row['chi2_reduced']:.3f}, "
                f"{row['free']} free{state}"
            )
    return DONE if good else FAILED


def _names(files: tuple[str, ...], given: str | None) -> tuple[str, ...]:
    """Return the names given, or those of the files as far as they differ."""
    if given:
        return tuple(n.strip() for n in given.split(",") if n.strip())
    stems = tuple("".join(c if c.isalnum() else "_" for c in Path(f).stem)[:40] for f in files)
    return stems if len(set(stems)) == len(stems) else ()


def _finite(told: Any) -> Any:
    """Return JSON-like data with None for numbers that are none."""
    if isinstance(told, dict):
        return {k: _finite(v) for k, v in told.items()}
    if isinstance(told, list):
        return [_finite(v) for v in told]
    return None if isinstance(told, float) and (told != told or abs(told) == float("inf")) else told
