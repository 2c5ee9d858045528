"""The figures that a study asks for: panels of several items side by side, with what the source states marked."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from perolas.core.errors import one_line
from perolas.report import plots, text
from perolas.report.text import as_dict, as_list

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STATED = "#b23a48"
_COLUMNS = 3
Load = Callable[[str, str], "xr.Dataset | None"]  # item, "dataset" or "observation"


def draw(figure: dict[str, Any], load: Load) -> Figure:
    """Draw one figure.

    Args:
        figure: as `perolas.study.figures.found` gives it.
        load: gives a dataset of an item, or None where the item has none.

    Returns:
        A figure of up to three panels in a row, 3.6 by 3.0 inches each.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from perolas.report.figures import STYLE

    panels = as_list(figure.get("panels"))
    columns = min(_COLUMNS, len(panels)) if len(panels) != 4 else 2
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        drawn = Figure(figsize=(3.6 * columns, 3.0 * rows), dpi=150, layout="constrained")
        grid = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            _panel(axes, as_dict(panel), load)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
    return drawn


def png(figure: dict[str, Any], load: Load) -> bytes:
    """Return a figure as the bytes of a PNG file; the same data give the same bytes.

    Args:
        figure: as for `draw`.
        load: as for `draw`.

    Returns:
        The file.
    """
    import matplotlib

    from perolas.report.figures import STYLE

    drawn = draw(figure, load)
    kept = io.BytesIO()
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        drawn.savefig(kept, format="png", metadata={"Software": None})
    return kept.getvalue()


def as_uri(data: bytes) -> str:
    """Return the bytes of a PNG file as ``data:image/png;base64,...``."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _panel(axes: Axes, panel: dict[str, Any], load: Load) -> None:
    if panel.get("title"):
        axes.set_title(_literal(one_line(panel["title"], 60)), fontsize=9.0)
    if panel.get("quantities"):
        shown = _quantities(axes, panel)
    elif panel.get("picture"):
        shown = _picture(axes, panel, load)
    elif panel.get("curves"):
        shown = _curves(axes, panel, load)
    else:
        shown = _signals(axes, panel, load)
    if not shown:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no result", ha="center", va="center", color=plots.QUIET, transform=axes.transAxes)
        return
    _marks(axes, panel)


def _marks(axes: Axes, panel: dict[str, Any]) -> None:
    for mark in as_list(panel.get("marks")):
        at, words = float(mark["at"]), _literal(one_line(mark.get("text", ""), 40))
        if mark.get("along") == "y":
            axes.axhline(at, color=_STATED, lw=0.9, ls=":")
            place: dict[str, Any] = {"xy": (0.02, at), "xycoords": ("axes fraction", "data"), "va": "bottom"}
        else:
            axes.axvline(at, color=_STATED, lw=0.9, ls=":")
            place = {
                "xy": (at, 0.98),
                "xycoords": ("data", "axes fraction"),
                "va": "top",
                "rotation": 90,
                "ha": "right",
            }
        axes.annotate(words, color=_STATED, fontsize=7.0, **place)


def _signals(axes: Axes, panel: dict[str, Any], load: Load) -> bool:
    """Draw signals: on one axis where it is logarithmic, else one above the other, each over its own highest value."""
    names, labels = as_list(panel["signals"]), as_list(panel.get("labels")) or as_list(panel["signals"])
    log = bool(panel.get("log"))
    stacked = len(names) > 1 and not log
    shown, least, most = None, math.inf, 0.0
    for i, (name, label) in enumerate(zip(names, labels, strict=True)):
        data = load(name, "dataset")
        one = None if data is None else plots.panel(data)
        if one is None:
            continue
        shown = one
        inside = _inside(one.x, panel)
        x, y = one.x[inside], one.signal[0][inside]
        low, high = (float(np.nanmin(y)), float(np.nanmax(y))) if stacked else (0.0, 1.0)
        scale, base = 1.0 / (high - low or 1.0), 1.15 * i if stacked else 0.0
        colour = plots.COLOURS[i % len(plots.COLOURS)]
        # One line for many points, dots for few: dots on 4000 channels are a smear.
        look: dict[str, Any] = {"lw": 0.9} if y.size > 300 else {"ls": "", "marker": "o", "ms": 2.5}
        axes.plot(x, base + (y - low) * scale, color=colour, alpha=0.8, mew=0, label=_literal(label), **look)
        if one.expected is not None:
            axes.plot(x, base + (one.expected[0][inside] - low) * scale, color=plots.INK, lw=0.6, dashes=(4, 3))
        if stacked:
            end = (x.min() if one.reverse else x.max(), base + 0.2)
            axes.annotate(_literal(label), end, ha="right", va="bottom", fontsize=7.5, color=colour, fontweight="bold")
        if log:
            limits = plots.signal_range(one, True)
            least, most = min(least, limits[0] if limits else least), max(most, limits[1] if limits else most)
    if shown is None:
        return False
    axes.set_xlabel(_literal(shown.x_label))
    axes.set_ylabel("each over its highest" if stacked else _literal(shown.y_label))
    if stacked:
        axes.set_yticks([])
    elif log and most > 0:
        axes.set_yscale("log")
        axes.set_ylim(least, most)
        _plain_ticks(axes.yaxis, least, most)
    if shown.reverse:
        axes.invert_xaxis()
    _legend(axes, not stacked and (len(names) > 1 or bool(panel.get("labels"))))
    return True


def _plain_ticks(axis: Any, low: float, high: float) -> None:
    """Label a logarithmic axis of few decades with plain numbers, so that labels neither lack nor overlap."""
    from matplotlib.ticker import LogLocator, NullFormatter

    decades = math.log10(high / low) if 0 < low < high else 0.0
    if decades > 2.5:
        return
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if decades < 1.7 else (1.0, 3.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _inside(x: np.ndarray, panel: dict[str, Any]) -> np.ndarray:
    span = panel.get("span")
    if not span:
        return np.isfinite(x)
    found: np.ndarray = (x >= min(span)) & (x <= max(span))
    return found if found.any() else np.isfinite(x)


def _picture(axes: Axes, panel: dict[str, Any], load: Load) -> bool:
    from perolas.report import pictures

    data = load(panel["picture"], "dataset")
    found = () if data is None else pictures.pictures_of(data)
    if not found:
        return False
    title = axes.get_title(loc="left")
    pictures.draw(axes, found[0])
    legend = axes.get_legend()
    if legend is not None:  # names outlines: the item's own section has room for that
        legend.remove()
    axes.set_title(title, fontsize=9.0)
    return True


def _curves(axes: Axes, panel: dict[str, Any], load: Load) -> bool:
    from perolas.report import curves

    data = load(panel["curves"], "dataset")
    if data is None or not curves.is_curves(data):
        return False
    names = [str(n) for n in json.loads(str(data.attrs.get("runs", "[]")))]
    wanted = as_list(panel.get("runs")) or names
    curve, at = np.asarray(data["curve"].values, float), np.asarray(data["at"].values, float)
    low, high = math.inf, 0.0
    for i, name in enumerate(wanted):
        if name not in names:
            continue
        row = names.index(name)
        some = (at[row] > 0) & _inside(at[row], panel)
        x, y = at[row][some], curve[row][:, some]
        colour = plots.COLOURS[i % len(plots.COLOURS)]
        few: dict[str, Any] = {"marker": "o", "ms": 4} if x.size <= 10 else {}
        axes.fill_between(x, y[1], y[3], color=colour, alpha=0.2, lw=0)
        axes.plot(x, y[2], color=colour, lw=1.4, label=_literal(name), **few)
        if x.size:
            low, high = min(low, float(x.min())), max(high, float(x.max()))
    if not high:
        return False
    if high / low > 30.0:
        axes.set_xscale("log")
        axes.set_xlim(max(low, high / 1e3), high)
    if panel.get("log"):
        axes.set_yscale("log")
    axes.set_xlabel(_literal(str(data.attrs.get("x_label", ""))))
    axes.set_ylabel(_literal(str(data.attrs.get("y_label", ""))))
    _legend(axes, len(wanted) > 1)
    return True


def _quantities(axes: Axes, panel: dict[str, Any]) -> bool:
    from matplotlib.ticker import MaxNLocator, NullLocator

    rows = [as_dict(r) for r in as_list(panel.get("numbers"))]
    if not any(text.is_number(r.get("value")) for r in rows):
        return False
    places = np.arange(len(rows))[::-1]
    found, said = "found", "stated"
    for place, row in zip(places, rows, strict=True):
        if text.is_number(row.get("value")):
            value, std = float(row["value"]), float(row.get("std") or 0.0)
            # On a logarithmic axis an error as large as the value would reach to nothing: it ends a decade below.
            below = min(std, 0.9 * value) if panel.get("log") and value > 0 else std
            axes.errorbar(
                [value], [place], xerr=[[below], [std]], fmt="o", ms=5, color=plots.COLOURS[0], capsize=2, label=found
            )
            found = "_"
        if text.is_number(row.get("stated")):
            axes.plot([float(row["stated"])], [place], marker="D", ms=6, mfc="none", mec=_STATED, ls="", label=said)
            said = "_"
    axes.set_yticks(places, [_literal(one_line(r.get("label", ""), 40)) for r in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", which="both", length=0)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(_literal(text.unit(panel.get("unit")) or "1") if panel.get("unit") != "1" else "")
    if panel.get("log"):
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis, *axes.get_xlim())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 5), useOffset=False)
    axes.grid(axis="x", color=plots.GRID, lw=0.6)
    axes.set_axisbelow(True)
    _legend(axes, said == "_")
    return True


def _legend(axes: Axes, wanted: bool) -> None:
    if wanted:
        axes.legend(fontsize=7.0, loc="best")


def _literal(words: str) -> str:
    return str(words).replace("$", r"\$")
