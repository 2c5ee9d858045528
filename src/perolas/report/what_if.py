"""What the page says of a run with other values: what was changed, which claims would fare otherwise, what differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perolas.report import text
from perolas.report.views import label
from perolas.study.differences import MOST_SHOWN, change_of, ranked


def view(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the template needs of "what_if", or None for a run of a study as it stands.

    Args:
        run: what the study engine found.

    Returns:
        "asked", "sets", "claims", "rows", "more", "unchanged".
    """
    told = text.as_dict(run.get("what_if"))
    if not told:
        return None
    changes = [text.as_dict(c) for c in text.as_list(told.get("changes"))]
    rows = ranked(told)
    return {
        "asked": "; ".join(str(c.get("words")) for c in changes),
        "sets": [
            {"name": str(c.get("name")), "text": str(c.get("text") or ""), **text.as_dict(p)}
            for c in changes
            for p in text.as_list(c.get("sets"))
        ],
        "claims": [
            {
                "id": c.get("id"),
                "before": _answer(c),
                "after": _answer(text.as_dict(c["what_if"])),
                "was": label(str(c.get("verdict"))),
                "now": label(str(text.as_dict(c["what_if"]).get("verdict"))),
                "sentence": str(text.as_dict(c["what_if"]).get("sentence") or ""),
            }
            for c in map(text.as_dict, text.as_list(run.get("claims")))
            if text.as_dict(c.get("what_if")).get("moved")
        ],
        "rows": [
            {
                "name": f"{r['item']}.{r['quantity']}",
                "before": _measured(r, "before"),
                "after": _measured(r, "after"),
                "change": change_of(r),
                "sigma": f"{text.number(r['sigma'], 2)}\u202fσ" if text.is_number(r.get("sigma")) else "",
            }
            for r in rows[:MOST_SHOWN]
        ],
        "more": max(0, len(rows) - MOST_SHOWN),
        "unchanged": told.get("unchanged"),
        "lost": ", ".join(map(str, text.as_list(told.get("lost")))),
    }


def _answer(claim: Mapping[str, Any]) -> str:
    answer = text.as_dict(claim.get("answer"))
    return text.measured(answer["value"], answer.get("std"), answer.get("unit"), std_known=True) if answer else "–"


def _measured(row: Mapping[str, Any], which: str) -> str:
    if row.get(which) is None:
        return "–"
    return text.measured(row[which], row.get(f"{which}_std"), row.get("unit"), std_known=True)
