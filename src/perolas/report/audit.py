"""The part of the report on what the study states: does it agree with itself?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perolas.report import text

_MEANS = {
    "impossible": "breaks a law of nature, or of counting",
    "disagrees": "the two cannot both hold as written",
    "unexplained": "both may hold, but the text does not say how",
}
_SIGNS = {"impossible": "✗", "disagrees": "≠", "unexplained": "?"}


def section(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows of an audit, or None where the study states nothing.

    Args:
        run: the results of a run.

    Returns:
        "lead" (a sentence), "found" (rows of contradictions), "agree" and "open" (sentences).
    """
    audit = text.as_dict(run.get("audit"))
    if not audit.get("statements"):
        return None
    found = [_row(text.as_dict(c)) for c in text.as_list(audit.get("contradictions"))]
    agree = [str(text.as_dict(c).get("sentence", "")) for c in text.as_list(audit.get("agreements"))]
    n = text.as_dict(audit.get("counts"))
    lead = (
        f"{text.count(int(n.get('statements', 0)), 'statement')} of the text, checked against each other and against "
        f"what is known of matter and light in {text.count(int(n.get('checks', 0)), 'comparison')}: "
        f"{text.count(len(found), 'contradiction')}. What the printed digits leave open is no contradiction."
    )
    open_ = [str(s) for s in text.as_list(audit.get("not_possible"))]
    return {"lead": lead, "found": found, "agree": agree, "open": open_}


def _row(check: dict[str, Any]) -> dict[str, Any]:
    from perolas.study.audit.check import distance

    severity = str(check.get("severity", ""))
    return {
        "severity": severity,
        "sign": _SIGNS.get(severity, "·"),
        "means": _MEANS.get(severity, ""),
        "sentence": str(check.get("sentence", "")),
        "distance": distance(check),
        "rule": str(check.get("rule", "")),
        "source": str(check.get("source", "")),
        "quotes": [str(q) for q in text.as_list(check.get("quotes"))],
        "statements": [str(s) for s in text.as_list(check.get("statements"))],
    }
