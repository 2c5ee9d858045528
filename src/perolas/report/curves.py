"""Plots of what a step forecasts: curves with a band, one colour for each run.

A dataset asks for this by its attribute ``plot = "curves"``. It holds ``curve`` with dimensions (run, percentile,
point) and percentiles 2.5, 16, 50, 84, 97.5, ``at`` with (run, point), and the attributes ``runs`` (names, as JSON
text), ``x_label``, ``y_label``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from perolas.report import plots

if TYPE_CHECKING:
    import xarray as xr


def is_curves(dataset: xr.Dataset) -> bool:
    """Tell whether a dataset asks for this kind of plot."""
    return dataset.attrs.get("plot") == "curves" and {"curve", "at"} <= set(dataset.data_vars)


def plot(dataset: xr.Dataset) -> dict[str, Any]:
    """Return a plot as JSON-like data for page.js, with the same keys as `plots.plot`.

    Args:
        dataset: for which `is_curves` holds.

    Returns:
        The plot; time is on a logarithmic axis, because runs of hours and of days stand side by side.
    """
    names = [str(n) for n in json.loads(str(dataset.attrs.get("runs", "[]")))]
    curve, at = np.asarray(dataset["curve"].values, dtype=float), np.asarray(dataset["at"].values, dtype=float)
    arrays: dict[str, list[str]] = {}
    traces: list[dict[str, Any]] = []
    for i, name in enumerate(names[: curve.shape[0]]):
        colour = plots.COLOURS[i % len(plots.COLOURS)]
        dash = plots.DASHES[(i // len(plots.COLOURS)) % len(plots.DASHES)]
        some = at[i] > 0
        arrays[f"x{i}"] = plots.pack(at[i][some], "f8")
        for key, row in (("l", 1), ("h", 3), ("m", 2)):
            arrays[f"{key}{i}"] = plots.pack(curve[i, row][some], "f4")
        red, green, blue = (int(colour[j : j + 2], 16) for j in (1, 3, 5))
        base = {"type": "scatter", "x": f"@x{i}", "mode": "lines", "legendgroup": name}
        edge = base | {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
        traces.append(edge | {"y": f"@l{i}"})
        traces.append(edge | {"y": f"@h{i}", "fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},0.18)"})
        line = {"color": colour, "width": 1.8, "dash": dash}
        traces.append(base | {"y": f"@m{i}", "name": plots.quote(name), "line": line, "hovertemplate": "%{y:.3g}"})
    axis = plots.axis_style()
    low, high = float(at[at > 0].min(initial=1.0)), float(at.max(initial=1.0))
    low = max(low, high / 1e3)
    return {
        "arrays": arrays,
        "data": traces,
        "layout": {
            "xaxis": axis
            | {
                "title": {"text": plots.quote(str(dataset.attrs.get("x_label", ""))), "standoff": 8},
                "type": "log",
                "range": [float(np.log10(low)), float(np.log10(high))],
                "exponentformat": "none",
                "hoverformat": ".3g",
            },
            "yaxis": axis
            | {
                "title": {"text": plots.quote(str(dataset.attrs.get("y_label", ""))), "standoff": 8},
                "type": "linear",
                "automargin": True,
            },
        },
        "ranges": {"linear": [float(np.nanmin(curve)), float(np.nanmax(curve))]},
        "decade_ticks": None,
        "drawn": int(at.size),
        "of": int(at.size),
        "dropped": 0,
    }
