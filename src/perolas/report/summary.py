"""One page that shows how every claim of a study stands: verdict, claimed and found value, and how far apart."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from perolas.core.errors import one_line
from perolas.report import plots, text, views

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As in style.css; the sign says it too, for those who see colours otherwise.
COLOURS = {
    "reproduced": "#0072b2", "differs": "#c2410c", "contradictory": "#8b3a75", "uninformative": "#b27800",
    "undetermined": "#6b7280", "not_covered": "#8a8f98",
}  # fmt: skip
_ROW = 0.2  # inches
_MOST = 80


def png(study: dict[str, Any], claims: list[dict[str, Any]]) -> bytes:
    """Return the page as a PNG file; the same claims give the same bytes.

    Args:
        study: the study's head.
        claims: records of claims, as a run gives them; of more than 80 the first 80 are shown.

    Returns:
        The file: 8.3 inches wide, as high as it has claims.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from perolas.report.figures import STYLE

    rows = [views.claim(text.as_dict(c), {}, set()) for c in claims[:_MOST]]
    height = 1.35 + _ROW * len(rows)
    kept = io.BytesIO()
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        drawn = Figure(figsize=(8.3, height), dpi=150)
        axes = drawn.add_axes((0.02, 0.0, 0.96, 1.0))
        axes.set_axis_off()
        axes.set_xlim(0.0, 100.0)
        axes.set_ylim(height, 0.0)  # inches from the top, so that rows are as high as they are drawn
        _head(axes, study, rows)
        for i, row in enumerate(rows):
            _row(axes, row, 1.28 + _ROW * i)
        drawn.savefig(kept, format="png", metadata={"Software": None})
    return kept.getvalue()


def _head(axes: Axes, study: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    axes.text(0, 0.28, _plain(study.get("title") or study.get("id") or "", 100), fontsize=11, fontweight="bold")
    source = " ".join(str(study[k]) for k in ("journal", "year", "doi") if study.get(k))
    axes.text(0, 0.48, _plain(source, 100), fontsize=8, color=plots.QUIET)
    found = Counter(r["known"] for r in rows)
    at, whole = 0.0, max(len(rows), 1)
    for verdict in (*views.VERDICTS, "other"):
        count = found[verdict]
        if count:
            wide = 100.0 * count / whole
            axes.barh(0.74, wide, 0.22, left=at, color=COLOURS.get(verdict, plots.QUIET), lw=0)
            words = f"{views.sign(verdict)} {count}" + (f" {views.label(verdict)}" if wide > 15 else "")
            axes.text(at + 0.5 * wide, 0.74, words, ha="center", va="center", color="white", fontsize=7.5)
            at += wide
    for x, word, side in ((3, "claim", "left"), (27, "role", "left"), (53, "claimed", "right"), (74, "found", "right"),
                          (91, "band: claimed, dot: found", "right"), (100, "distance", "right")):  # fmt: skip
        axes.text(x, 1.1, word, ha=side, fontsize=7, color=plots.QUIET)


def _row(axes: Axes, row: dict[str, Any], y: float) -> None:
    colour = COLOURS.get(row["known"], plots.QUIET)
    axes.text(1, y, row["sign"], color=colour, ha="center", va="center", fontsize=9, fontweight="bold")
    axes.text(3, y, _plain(row["id"], 32), va="center", fontsize=7.5)
    axes.text(27, y, row["role"], va="center", fontsize=7, color=plots.QUIET)
    axes.text(53, y, _plain(row["claimed"], 28), va="center", ha="right", fontsize=7.5)
    axes.text(74, y, _plain(row["found"] or row["label"], 30), va="center", ha="right", fontsize=7.5, color=colour)
    axes.text(100, y, row["sigma"], va="center", ha="right", fontsize=7.5)
    strip = row["strip"]
    if strip:

        def at(part: float) -> float:
            return 76.0 + 0.15 * part

        axes.barh(y, 0.15 * strip["width"], 0.13, left=at(strip["band"]), color="#cfd8e3", lw=0)
        axes.plot([at(strip["claimed"])] * 2, [y - 0.07, y + 0.07], color=plots.INK, lw=0.9)
        axes.plot([at(strip["low"]), at(strip["high"])], [y, y], color=colour, lw=1.0)
        axes.plot([at(strip["found"])], [y], marker="o", ms=3.5, color=colour)
    axes.plot([0, 100], [y + 0.5 * _ROW] * 2, color=plots.GRID, lw=0.5)


def _plain(words: object, most: int) -> str:
    return one_line(words, most).replace("$", r"\$")
