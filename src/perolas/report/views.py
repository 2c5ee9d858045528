"""What the page says, in the words and order it says it: plain dictionaries for the template."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from perolas.report import text
from perolas.report.text import as_dict, as_list

# Verdict -> sign, label, what it means. Sign and words carry it; the colour (style.css) only helps.
VERDICTS = {
    "reproduced": ("✓", "reproduced", "the answer lies within the tolerance"),
    "differs": ("✗", "differs", "the answer lies outside the tolerance"),
    "contradictory": ("≠", "contradictory", "the source's own numbers exclude one another"),
    "uninformative": ("↔", "uninformative", "the answer's band is wider than tenfold"),
    "undetermined": ("?", "undetermined", "the data cannot say"),
    "not_covered": ("○", "not covered", "nothing here answers it yet"),
}
ROLES = {
    "prediction": "nothing upstream saw its number",
    "postdiction": "the model's form was chosen knowing it",
    "calibration": "its number set a parameter",
    "consistency": "arithmetic within the source",
    "external": "needs data that the source does not give",
}
STATUS = {"done": ("✓", "done"), "failed": ("✗", "failed"), "skipped": ("–", "skipped")}
_ROW = 4  # quantities of an item that stands in one row
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")


def doi(value: object) -> str:
    """Return a DOI without its resolver, or "" where the text is none."""
    found = _DOI.search(str(value or ""))
    return found.group() if found else ""


def _without_doi(words: str) -> str:
    """Return text without its DOI, which is shown as a link behind it."""
    return re.sub(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?" + _DOI.pattern, "", words).strip(" ,;.")


def summary(study: dict[str, Any], claims: list[dict[str, Any]], items: list[dict[str, Any]]) -> list[str]:
    """Return the opening sentences, with how many claims met which verdict.

    Args:
        study: the study's head.
        claims: views of claims.
        items: views of items.

    Returns:
        Sentences.
    """
    kinds = Counter(i["kind"] for i in items)
    basis = [text.count(kinds[k], k) for k in ("measurement", "step") if kinds[k]]
    lines = [str(study["summary"])] if study.get("summary") else []
    if claims:
        verdicts = Counter(c["verdict"] for c in claims)
        words = [f"{n} {'is' if n == 1 else 'are'} {label(v)}" for v, n in _ordered(verdicts, VERDICTS)]
        words = [w.replace("are differs", "differ").replace("is differs", "differs") for w in words]
        start = (
            f"{text.count(len(claims), 'claim')}, tested with {text.join(basis)}"
            if basis
            else text.count(len(claims), "claim")
        )
        lines.append(f"{start}: {text.join(words)}.")
        predictions = Counter(c["verdict"] for c in claims if c["role"] == "prediction")
        if predictions:
            hold, fail = predictions["reproduced"], predictions["differs"] + predictions["contradictory"]
            total = sum(predictions.values())
            rest = total - hold - fail
            lines.append(
                f"Of {text.count(total, 'prediction')}, {hold} {'holds' if hold == 1 else 'hold'} and {fail} "
                f"{'fails' if fail == 1 else 'fail'}{f'; {rest} cannot be judged' if rest else ''}."
            )
    elif basis:
        lines.append(f"{text.join(basis).capitalize()}; the study states no claims.")
    failed, skipped = (sum(i["status"] == status for i in items) for status in ("failed", "skipped"))
    if failed:
        lines.append(f"{text.count(failed, 'item')} failed{f', and {skipped} could not be done' if skipped else ''}.")
    elif skipped:
        lines.append(f"{text.count(skipped, 'item')} could not be done.")
    return lines


def label(verdict: str) -> str:
    """Return the words for a verdict."""
    return VERDICTS[verdict][1] if verdict in VERDICTS else verdict


def _ordered(found: Counter[str], known: Any) -> list[tuple[str, int]]:
    order = list(known)
    return sorted(found.items(), key=lambda kv: (order.index(kv[0]) if kv[0] in order else len(order), kv[0]))


def bars(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for all claims, and for each role, how many met which verdict."""
    roles = _ordered(Counter(c["role"] for c in claims), ROLES)
    groups = [("all claims", claims)]
    groups += (
        [(role or "no role", [c for c in claims if c["role"] == role]) for role, _ in roles] if len(roles) > 1 else []
    )
    return [
        {
            "name": name,
            "total": len(rows),
            "parts": [
                {"verdict": v, "n": n, "sign": sign(v), "label": label(v)}
                for v, n in _ordered(Counter(c["verdict"] for c in rows), VERDICTS)
            ],
        }
        for name, rows in groups
    ]


def sign(verdict: str) -> str:
    """Return the sign of a verdict."""
    return VERDICTS[verdict][0] if verdict in VERDICTS else "·"


def counts(claims: list[dict[str, Any]], key: str) -> list[tuple[str, int]]:
    """Return how often each verdict or role occurs, in the order of the tables above."""
    return [(k, n) for k, n in _ordered(Counter(c[key] for c in claims), VERDICTS if key == "verdict" else ROLES) if k]


def claim(raw: dict[str, Any], anchors: dict[str, str], taken: set[str]) -> dict[str, Any]:
    """Return one row of the claims table.

    Args:
        raw: the claim as the study engine wrote it.
        anchors: name of an item -> its anchor.
        taken: anchors in use; the row's own is added.

    Returns:
        A view with every key that the template asks for.
    """
    answer, own_unit = as_dict(raw.get("answer")), raw.get("unit")
    verdict = str(raw.get("verdict") or "not_covered")
    value, tolerance = raw.get("value"), raw.get("tolerance")
    claimed = text.number(value) if value is not None else ""
    if text.is_number(value):
        margin = f" ± {text.number(tolerance, 3)}" if text.is_number(tolerance) and tolerance else ""
        shown = text.unit(own_unit)
        claimed = f"{claimed}{margin}" + (("" if shown == "°" else "\u00a0") + shown if shown else "")
        sense = {"<=": "≤", ">=": "≥", "~": "≈"}.get(str(raw.get("relation") or "="), str(raw.get("relation") or "="))
        claimed = claimed if sense == "=" else f"{sense}\u00a0{claimed}"
    found = (
        text.measured(answer["value"], answer.get("std"), answer.get("unit", own_unit), std_known="std" in answer)
        if answer.get("value") is not None
        else ""
    )
    quantity = str(raw.get("quantity") or "")
    sigma = raw.get("sigma")
    return {
        "id": str(raw.get("id") or ""),
        "anchor": text.slug(f"claim-{raw.get('id') or ''}", taken),
        "text": str(raw.get("text") or ""),
        "role": str(raw.get("role") or ""),
        "role_means": ROLES.get(str(raw.get("role") or ""), ""),
        "verdict": verdict,
        "known": verdict if verdict in VERDICTS else "other",
        "sign": sign(verdict),
        "label": label(verdict),
        "means": VERDICTS[verdict][2] if verdict in VERDICTS else "",
        "claimed": claimed,
        "found": found,
        "sigma": "" if not text.is_number(sigma) else f"{text.number(abs(sigma), 2 if abs(sigma) < 100 else 3)}\u202fσ",
        "sentence": str(raw.get("sentence") or ""),
        "quantity": quantity,
        "strip": strip(raw) if answer.get("unit", own_unit) == own_unit else None,
        "items": [n for n in anchors if re.search(rf"(?<![\w.-]){re.escape(n)}\.", quantity)],
        "anchors": anchors,
    }


def strip(raw: dict[str, Any]) -> dict[str, float] | None:
    """Return where claimed band and answer lie on a strip from 0 to 100, or None where either is no number."""
    answer = as_dict(raw.get("answer"))
    value, found = raw.get("value"), answer.get("value")
    if not (text.is_number(value) and text.is_number(found)):
        return None
    given, error = raw.get("tolerance"), answer.get("std")
    tolerance = abs(given) if text.is_number(given) else 0.0
    std = abs(error) if text.is_number(error) else 0.0
    low, high = min(value - tolerance, found - std), max(value + tolerance, found + std)
    room = 0.12 * (high - low) or 1.0

    def at(x: float) -> float:
        return round(100 * (x - low + room) / (high - low + 2 * room), 2)

    return {
        "band": at(value - tolerance),
        "width": round(at(value + tolerance) - at(value - tolerance), 2),
        "claimed": at(value),
        "low": at(found - std),
        "high": at(found + std),
        "found": at(found),
    }


def item(raw: dict[str, Any], anchor: str) -> dict[str, Any]:
    """Return one section of the page, without its plot.

    Args:
        raw: the item as the study engine wrote it.
        anchor: its anchor.

    Returns:
        A view with every key that the template asks for.
    """
    estimate = as_dict(raw.get("estimate"))
    technique = str(raw.get("technique") or estimate.get("technique") or "")
    status = str(raw.get("status") or "done")
    provenance = as_dict(raw.get("provenance"))
    return {
        "name": str(raw.get("name") or "unnamed"),
        "anchor": anchor,
        "kind": str(raw.get("kind") or "measurement"),
        "technique": technique,
        "technique_words": text.TECHNIQUES.get(technique, technique),
        "status": status,
        "status_sign": STATUS.get(status, ("·", status))[0],
        "error": str(raw.get("error") or ""),
        "story": story(estimate),
        "groups": groups(estimate or {"quantities": as_dict(raw.get("quantities"))}),
        "batch": batch(estimate),
        "fixed": [_quantity(n, as_dict(q), held=True) for n, q in as_dict(estimate.get("fixed")).items()],
        "undetermined": str(estimate.get("undetermined_sentence") or ""),
        "warnings": list(dict.fromkeys(map(str, [*as_list(estimate.get("warnings")), *as_list(raw.get("warnings"))]))),
        "notes": [str(n) for n in as_list(estimate.get("notes"))],
        "extra": [t for name, value in as_dict(estimate.get("extra")).items() for t in tables(name, value)],
        "used": [_used(u) for u in as_list(raw.get("parameters_used"))],
        "references": [reference(r) for r in as_list(raw.get("references"))],
        "provenance": [(text.plain(str(k)), flat(v)) for k, v in provenance.items() if v not in (None, "", {}, [])],
        "brief": brief(provenance),
        "code": "\n".join(map(str, as_list(raw.get("code")))).strip("\n"),
    }


def row(raw: dict[str, Any], anchor: str) -> dict[str, Any]:
    """Return an item as one row of a table, for pages that have too many to show each.

    Args:
        raw: the item as the study engine wrote it.
        anchor: its anchor.

    Returns:
        Name, technique, status, its first quantities and its data file.
    """
    estimate = as_dict(raw.get("estimate"))
    status = str(raw.get("status") or "done")
    found = as_dict(estimate.get("quantities")) or as_dict(raw.get("quantities"))
    shown = [_quantity(n, as_dict(q)) for n, q in list(found.items())[:_ROW]]
    return {
        "name": str(raw.get("name") or "unnamed"),
        "anchor": anchor,
        "technique": str(raw.get("technique") or raw.get("kind") or ""),
        "kind": str(raw.get("kind") or "measurement"),
        "status": status,
        "status_sign": STATUS.get(status, ("·", status))[0],
        "error": str(raw.get("error") or ""),
        "quantities": [f"{q['name']} = {q['value']}" for q in shown],
        "more": max(len(found) - len(shown), 0),
        "data": str(raw.get("dataset") or ""),
    }


def brief(provenance: dict[str, Any]) -> str:
    """Return file, start of its hash, and seed in one line."""
    parts = [str(provenance["file"])] if provenance.get("file") else []
    if provenance.get("sha256"):
        parts.append(f"sha256 {str(provenance['sha256'])[:12]}…")
    if provenance.get("seed") is not None:
        parts.append(f"seed {flat(provenance['seed'])}")
    return " · ".join(parts)


def story(estimate: dict[str, Any]) -> str:
    """Return in one line how the fit went."""
    if "batch" in estimate:
        rows = as_list(estimate["batch"])
        good = sum(as_dict(r).get("result") == "converged" for r in rows)
        return f"{text.count(len(rows), 'fit')}, {good} converged."
    parts = []
    if estimate.get("message"):
        parts.append(text.plain(str(estimate["message"]).rstrip(".")))
    if estimate.get("n_points") is not None:
        parts.append(
            f"{text.count(estimate['n_points'], 'point')}, {text.count(estimate.get('n_free') or 0, 'free parameter')}"
        )
    if "chi2_reduced" in estimate:
        chi2 = estimate["chi2_reduced"]
        parts.append(f"χ²/ν = {text.number(chi2, 4)}" if text.is_number(chi2) else "noise taken from the residuals")
    for key in ("aic", "bic"):
        if text.is_number(estimate.get(key)):
            parts.append(f"{key.upper()} {text.powers(format(estimate[key], '.1f'))}")
    starts = as_dict(estimate.get("starts"))
    if (starts.get("tried") or 1) > 1:
        parts.append(f"{starts.get('agreeing')} of {starts['tried']} starting points agree")
    return " · ".join(parts)


def groups(estimate: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the quantities: fitted ones, then derived ones, where the order they were written in still tells."""
    quantities, doubtful = as_dict(estimate.get("quantities")), set(as_list(estimate.get("undetermined")))
    bounds = as_dict(estimate.get("at_bound"))
    rows = []
    for name, q in quantities.items():
        row = _quantity(name, as_dict(q))
        row["mark"] = "undetermined" if name in doubtful else f"on its {bounds[name]} bound" if name in bounds else ""
        rows.append(row)
    free = estimate.get("n_free")
    names = list(quantities)
    if isinstance(free, int) and 0 < free < len(rows) and names != sorted(names):
        return [("Fitted", rows[:free]), ("Derived", rows[free:])]
    return [("", rows)] if rows else []


def _quantity(name: str, q: dict[str, Any], *, held: bool = False) -> dict[str, Any]:
    known = "std" in q and not held
    return {
        "name": name,
        "value": text.measured(q.get("value"), q.get("std"), q.get("unit"), std_known=known),
        "definition": str(q.get("definition") or ""),
        "source": str(q.get("source") or ""),
        "mark": "",
    }


def batch(estimate: dict[str, Any]) -> dict[str, Any] | None:
    """Return a batch as one table, a row for each element; None where there is no batch."""
    rows = [as_dict(r) for r in as_list(estimate.get("batch"))]
    if not rows:
        return None
    first = as_dict(rows[0].get("quantities"))
    head = [
        "",
        *(
            f"{n} ({text.unit(as_dict(q).get('unit'))})" if text.unit(as_dict(q).get("unit")) else n
            for n, q in first.items()
        ),
        "χ²/ν",
        "result",
    ]
    body = []
    for i, row in enumerate(rows):
        found = as_dict(row.get("quantities"))
        cells = [text.measured(as_dict(found.get(n)).get("value"), as_dict(found.get(n)).get("std")) for n in first]
        body.append([str(i), *cells, text.number(row.get("chi2_reduced"), 4), str(row.get("result") or "–")])
    return {"head": head, "rows": body}


def tables(name: str, value: Any) -> list[dict[str, Any]]:
    """Return a technique's further results as tables, whatever their shape.

    Args:
        name: its key, which becomes the title.
        value: a list of flat dictionaries, a dictionary of scalars, of dictionaries, or anything else.

    Returns:
        Tables with ``title``, ``head`` (may be empty), ``rows`` (lists of text) and ``chosen`` (rows to emphasise).
    """
    title = text.plain(name)
    rows = (
        [as_dict(r) for r in value]
        if isinstance(value, list) and value and all(isinstance(r, dict) for r in value)
        else []
    )
    if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
        rows = [{"": k, **v} for k, v in value.items()]
    if rows and all(not isinstance(v, dict) for r in rows for v in r.values()):
        head = list(dict.fromkeys(k for r in rows for k in r))
        return [
            {
                "title": title,
                "head": [str(h).replace("_", " ") for h in head],
                "rows": [[text.number(r.get(h), 7) for h in head] for r in rows],
                "chosen": [bool(r.get("chosen") or r.get("best") or r.get("selected")) for r in rows],
            }
        ]
    if isinstance(value, dict) and value:
        simple = {
            k: v
            for k, v in value.items()
            if not isinstance(v, dict) and not (isinstance(v, list) and any(isinstance(e, dict) for e in v))
        }
        found = [_pairs(title, simple)] if simple else []
        return found + [t for k, v in value.items() if k not in simple for t in tables(f"{name}: {k}", v)]
    return [] if value in (None, [], {}, "") else [_pairs("", {name: value})]


def _pairs(title: str, values: dict[str, Any]) -> dict[str, Any]:
    rows = [[str(k).replace("_", " "), flat(v, 7)] for k, v in values.items()]
    return {"title": title, "head": [], "rows": rows, "chosen": [False] * len(rows)}


def flat(value: Any, digits: int = 15) -> str:
    """Return anything as one line, text as it is and numbers in full."""
    return text.number(value, digits)


def _from_library(name: str) -> dict[str, Any]:
    """Return a parameter as the page shows it; only its name where the library no longer has it."""
    from perolas.matter.parameters_library import library, sources

    found = library().get(name)
    if found is None:
        return {"name": name}
    entry = sources().get(found.source, {})
    who = f"{entry['author'].split(',')[0]} {entry['year']}" if entry else found.source
    known = {"value": found.value, "std": found.std or None, "unit": found.unit} if found.unit != "table" else {}
    return {
        "name": name,
        **known,
        "source": f"{who} ({found.status})" if found.status != found.source else who,
        "doi": entry.get("doi"),
        "meaning": found.meaning,
    }


def _used(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict):
        raw = _from_library(str(raw))
    source = flat(raw.get("source")) if raw.get("source") is not None else ""
    return {
        "name": str(raw.get("name") or ""),
        "value": text.measured(raw["value"], raw.get("std", raw.get("uncertainty")), raw.get("unit"), std_known=False)
        if raw.get("value") is not None
        else "",
        "source": _without_doi(source),
        "doi": doi(raw.get("doi") or source),
        "meaning": str(raw.get("meaning") or raw.get("definition") or ""),
    }


def reference(raw: Any) -> dict[str, str]:
    """Return a reference as one line and its DOI."""
    if not isinstance(raw, dict):
        return {"text": _without_doi(str(raw)), "doi": doi(raw)}
    place = " ".join(str(raw[k]) for k in ("journal", "publisher", "volume", "pages") if raw.get(k))
    year = f"({raw['year']})" if raw.get("year") else ""
    author = str(raw.get("author") or raw.get("authors") or "").replace(" and ", "; ")
    parts = [author, str(raw.get("title") or ""), f"{place} {year}".strip()]
    line = ". ".join(p for p in parts if p) or str(raw.get("key") or raw.get("text") or "")
    return {"text": line, "doi": doi(raw.get("doi"))}
