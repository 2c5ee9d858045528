"""The report: one HTML file that holds everything it needs and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perolas.core.errors import one_line
from perolas.report import audit, kept, text, views, what_if

if TYPE_CHECKING:
    import xarray as xr


_MOST_SECTIONS = 120  # of items with a plot of their own: a page of some megabytes


def write(run: dict[str, Any], out: Path, *, figures: bool = False) -> Path:
    """Write a study's results as one self-contained page.

    Args:
        run: what the study engine found: ``study``, ``items``, ``claims``, ``versions``, ``warnings``; keys may lack.
        out: the folder of the run; the datasets that items name are looked for below it.
        figures: whether to write ``figures/<item>.png`` as well.

    Returns:
        The path of ``report.html``. It is replaced only by a whole page, and the same input gives the same bytes; a
        study with claims gets a page of them beside it, ``summary.png``.

    Raises:
        OSError: the folder cannot be written.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    target = out / "report.html"
    part = out / f".report.html.{os.getpid()}.part"
    digest = kept.inputs(run, out)
    if not figures and kept.stands(digest, out):
        return target
    try:
        part.write_bytes(render(run, out, figures=figures).encode("utf-8", "replace"))
        os.replace(part, target)
        if run.get("claims"):
            from perolas.report import summary

            part.write_bytes(summary.png(text.as_dict(run.get("study")), text.as_list(run.get("claims"))))
            os.replace(part, out / "summary.png")
        kept.note(digest, out, ["report.html", *(["summary.png"] if run.get("claims") else [])])
    finally:
        part.unlink(missing_ok=True)
    return target


def render(run: dict[str, Any], out: Path, *, figures: bool = False) -> str:
    """Return the page as text; see `write`."""
    raw_items = [text.as_dict(i) for i in text.as_list(run.get("items"))]
    taken: set[str] = {"claims", "figures", "audit", "top", "warnings", "made", "rest", "what-if"}
    anchors = [text.slug(str(i.get("name") or "unnamed"), taken) for i in raw_items]
    by_name = {str(i.get("name")): a for i, a in zip(raw_items, anchors, strict=True) if i.get("name")}
    claims = [views.claim(text.as_dict(c), by_name, taken) for c in text.as_list(run.get("claims"))]
    whole = _with_section(raw_items, {name for c in claims for name in c["items"]})
    rest = [views.row(raw_items[i], anchors[i]) for i in range(len(raw_items)) if i not in whole]
    if figures:
        for row in rest:
            _plot(raw_items[anchors.index(row["anchor"])], row, out, figures)
    raw_items = [raw_items[i] for i in sorted(whole)]
    items = [views.item(raw, anchors[i]) for raw, i in zip(raw_items, sorted(whole), strict=True)]
    plots_by_anchor = {}
    for raw, item in zip(raw_items, items, strict=True):
        item["plot"], item["plot_note"], item["pictures"] = _plot(raw, item, out, figures)
        item["claims"] = [c for c in claims if item["name"] in c["items"]]
        if item["plot"]:
            plots_by_anchor[item["anchor"]] = item["plot"]
    study = text.as_dict(run.get("study"))
    panels = _figures(run, out, figures)
    scripts = {"page": _asset("page.js")} | ({"plotly": _plotly()} if plots_by_anchor else {})
    return _template().render(
        study={k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in study.items()},
        title=str(study.get("title") or study.get("id") or "Report"),
        doi=views.doi(study.get("doi")),
        summary=views.summary(study, claims, [*items, *rest]),
        bars=views.bars(claims) if claims else [],
        claims=claims,
        what_if=what_if.view(run),
        verdicts=[(v, n, views.sign(v), views.label(v)) for v, n in views.counts(claims, "verdict")],
        roles=views.counts(claims, "role"),
        verdict_key=views.VERDICTS,
        role_key=views.ROLES,
        figures=panels,
        items=items,
        audit=audit.section(run),
        rest=rest,
        warnings=_of_the_run(run),
        versions={str(k): str(v) for k, v in text.as_dict(run.get("versions")).items()},
        style=_asset("style.css"),
        scripts=scripts,
        policy=_policy(scripts),
        lock=run.get("lock"),
        json=_json,
    )


def _with_section(items: list[dict[str, Any]], claimed: set[str]) -> set[int]:
    """Return which items get a section with their plot: all of a few; of many, those that a reader looks for first.

    These are what answers a claim, the steps, what failed, and the first of each technique; the others stand in a
    table, each with its numbers and its data file.
    """
    if len(items) <= _MOST_SECTIONS:
        return set(range(len(items)))
    seen: set[str] = set()
    ranks = []
    for i, item in enumerate(items):
        technique = str(item.get("technique") or "")
        first = bool(technique) and technique not in seen
        seen.add(technique)
        failed = item.get("status") not in (None, "done")
        reasons = (item.get("name") in claimed, failed, not technique, first)
        ranks.append((-next((len(reasons) - k for k, r in enumerate(reasons) if r), 0), i))
    return {i for _, i in sorted(ranks)[:_MOST_SECTIONS]}


def _plot(
    raw: dict[str, Any], item: dict[str, Any], out: Path, figures: bool
) -> tuple[dict[str, Any] | None, str, list[dict[str, str]]]:
    """Return an item's plot, or None, a sentence on it where one is due, and its pictures."""
    from perolas.report import curves, plots
    from perolas.report.pictures import data_uri, pictures_of

    if not raw.get("dataset"):
        return None, "", []
    dataset = _load(out, str(raw["dataset"]))
    if isinstance(dataset, str):
        return None, dataset, []
    pictures = [{"title": p.title or item["name"], "uri": data_uri(p)} for p in pictures_of(dataset)]
    if curves.is_curves(dataset):
        return curves.plot(dataset), "Lines are medians, bands hold 68 % of the draws.", pictures
    shown = plots.panel(dataset, item["technique"])
    if shown is None:
        none = "" if pictures else "This result has no signal along one axis, so there is no plot of it."
        return None, none, pictures
    if figures:
        from perolas.report.figures import save

        save(dataset, text.as_dict(raw.get("estimate")), out / "figures" / f"{item['anchor']}.png", item["name"])
    drawn = plots.plot(shown)
    notes = []
    if drawn["drawn"] < drawn["of"]:
        notes.append(f"{drawn['drawn']:,} of {drawn['of']:,} points are drawn; no extreme is left out.")
    if drawn["dropped"]:
        notes.append(f"{text.count(drawn['dropped'], 'point')} without counts cannot be shown on the logarithmic axis.")
    if shown.rows[1] > len(shown.rows[0]):
        notes.append(f"{len(shown.rows[0])} of {shown.rows[1]} signals are drawn.")
    if shown.background and len(shown.components) > 1:
        notes.append("Components stand on the background.")
    if shown.residual is not None:
        notes.append("Residuals in units of the standard deviation of each point; the band is ±2σ.")
    return drawn, " ".join(notes), pictures


def _figures(run: dict[str, Any], out: Path, save: bool) -> list[dict[str, str]]:
    """Return the study's own figures as PNG with their words; written to ``figures/`` as well where `save` is set."""
    from perolas.report import panels

    items = {str(i.get("name")): i for i in text.as_list(run.get("items"))}

    def load(name: str, key: str) -> xr.Dataset | None:
        file = text.as_dict(items.get(name)).get(key)
        found = _load(out, str(file)) if file else None
        return None if isinstance(found, str) else found

    shown = []
    for figure in map(text.as_dict, text.as_list(run.get("figures"))):
        data = panels.png(figure, load)
        name = str(figure.get("name") or "figure")
        if save:
            (out / "figures").mkdir(parents=True, exist_ok=True)
            (out / "figures" / f"{text.slug(name, set())}.png").write_bytes(data)
        words = {k: str(figure.get(k) or "") for k in ("title", "text")}
        shown.append(words | {"name": name, "uri": panels.as_uri(data)})
    return shown


def _load(out: Path, name: str) -> xr.Dataset | str:
    """Return a dataset of the run, or a sentence why there is none."""
    import xarray

    path = (out / name).resolve()
    if not path.is_relative_to(out.resolve()):
        return f"The data file {one_line(name, 80)} lies outside the run's folder and was not read."
    try:
        return xarray.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        return f"The data file {one_line(name, 80)} could not be read ({one_line(type(error).__name__, 40)})."


def _json(value: object) -> str:
    """Return JSON that may stand inside a script element."""
    dumped = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(scripts: dict[str, str]) -> str:
    """Return a Content-Security-Policy that runs exactly our scripts and lets nothing be fetched."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts.values()
    )
    rest = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {hashes}; {rest}"


def _asset(name: str) -> str:
    """Return a file of this package, with Unix newlines (the hashes of the policy depend on them)."""
    raw = resources.files("perolas.report").joinpath(name).read_text(encoding="utf-8")
    return raw.replace("\r\n", "\n")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def _template() -> Any:
    import jinja2

    loader = jinja2.FunctionLoader(_asset)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["prose"] = text.prose
    return environment.from_string(_asset("template.html.j2"))


def _of_the_run(run: Mapping[str, Any]) -> list[str]:
    """Return the warnings that belong to no item; an item's own stand in its section, where they are read."""
    own = {
        f"{item.get('name')}: {sentence}"
        for item in text.as_list(run.get("items"))
        for sentence in text.as_list(item.get("warnings"))
    }
    return [str(w) for w in text.as_list(run.get("warnings")) if str(w) not in own]
