"""Pictures of a transformation: the converted fraction with its band, and onset and completion over a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from perolas.report.figures import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from perolas.matter.transformation.outlook import Band, Outlook

_BLUE, _RED = "#2a6f97", "#b23a48"


def draw(found: Outlook, rows: Sequence[tuple[float, Band, Band]] = (), *, label: str = "", title: str = "") -> Figure:
    """Draw X(t) with its 68 and 95 % bands, and beside it a sweep where there is one.

    Args:
        found: the outlook.
        rows: of `outlook.sweep`.
        label: of the sweep's axis.
        title: written above.

    Returns:
        A figure, 6.4 inches wide, 10 with a sweep.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        drawn = Figure(figsize=(10.0 if rows else 6.4, 3.8), dpi=200, layout="constrained")
        panels = drawn.subplots(1, 2 if rows else 1, squeeze=False)[0]
        _curve(panels[0], found)
        panels[0].set_title(title)
        if rows:
            _sweep(panels[1], rows, label)
    return drawn


def _curve(axes: Axes, found: Outlook) -> None:
    t, f = found.times_h, found.fractions
    axes.fill_between(t, f[0], f[4], color=_BLUE, alpha=0.15, linewidth=0, label="95 % of the draws")
    axes.fill_between(t, f[1], f[3], color=_BLUE, alpha=0.3, linewidth=0, label="68 %")
    axes.plot(t, f[2], color=_BLUE, label="median")
    for band, name in ((found.onset, "onset"), (found.completion, "completion")):
        if np.isfinite(band.median) and band.median <= t[-1]:
            axes.axvline(band.median, color=_RED, linewidth=0.8, linestyle=":")
            axes.text(band.median, 1.03, name, color=_RED, fontsize=8, ha="center")
    axes.set_xlim(t[0], t[-1])
    axes.set_ylim(0, 1.1)
    axes.set_xlabel("time (h)")
    axes.set_ylabel("converted fraction of the lead")
    axes.legend(loc="center right")


def _sweep(axes: Axes, rows: Sequence[tuple[float, Band, Band]], label: str) -> None:
    x = np.array([row[0] for row in rows])
    order = np.argsort(x)
    for bands, name, colour in (([r[1] for r in rows], "onset", _BLUE), ([r[2] for r in rows], "completion", _RED)):
        low, median, high = (np.array([getattr(b, k) for b in bands])[order] for k in ("low68", "median", "high68"))
        there = np.isfinite(median)
        top = np.where(np.isfinite(high), high, np.nanmax(np.where(there, median, np.nan)) * 3 if there.any() else 1.0)
        axes.fill_between(x[order][there], low[there], top[there], color=colour, alpha=0.25, linewidth=0)
        axes.plot(x[order][there], median[there], color=colour, marker="o", markersize=3, label=name)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "235" else "")
    axes.set_xlabel(label)
    axes.set_ylabel("time (h)")
    axes.legend()
