"""Plots as plotly's JSON: data, fit, components and residuals on a shared axis.

Plain dictionaries; plotly's own Python classes take a second to import and add nothing here. Numbers travel as base64
of their bytes, each array once; page.js puts them where ``"@name"`` stands.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from perolas.report import text

if TYPE_CHECKING:
    import xarray as xr

LIMIT = 4200  # points of a trace: a whole histogram of 4096 channels is never thinned
SHOWN_OF_BATCH = 6
INK, FIT, QUIET, GRID, BAND = "#30343b", "#d55e00", "#8a8f98", "#e6e8ec", "rgba(0,114,178,0.08)"
# Okabe and Ito's colours, which people of every colour vision tell apart; the fit has vermillion for itself.
COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6000", "#5b5ea6", "#999999")
DASHES = ("solid", "dash", "dot", "dashdot")
_BACKGROUNDS = ("background", "shirley", "baseline")


@dataclass
class Panel:
    """What a plot shows.

    Attributes:
        axis: name of the axis; `x` its values, shape (n,).
        x_label, y_label: labels with units.
        signal: shape (rows, n); one row unless a batch was fitted.
        expected, residual: same shape, or None.
        components: name -> shape (n,); none for a batch.
        background: the component the others stand on, if they do.
        irf: shape (n,), scaled to the signal, or None.
        log: whether counts are shown on a logarithmic axis.
        reverse: whether the axis runs from right to left.
        rows: which elements of a batch are shown, of how many.
    """

    axis: str
    x: np.ndarray
    x_label: str
    y_label: str
    signal: np.ndarray
    expected: np.ndarray | None = None
    residual: np.ndarray | None = None
    components: dict[str, np.ndarray] = field(default_factory=dict)
    background: str = ""
    irf: np.ndarray | None = None
    log: bool = False
    reverse: bool = False
    rows: tuple[list[int], int] = ([0], 1)


def panel(dataset: xr.Dataset, technique: str = "") -> Panel | None:
    """Take from a dataset what its plot shows.

    Args:
        dataset: as `Estimate.to_dataset` or a reader makes it.
        technique: name of the technique; the dataset's own where it is empty.

    Returns:
        The panel, or None where there is no signal along one axis.
    """
    if "signal" not in dataset or dataset["signal"].ndim not in (1, 2) or dataset["signal"].size == 0:
        return None
    signal = dataset["signal"]
    axis = str(signal.dims[-1])
    if signal.ndim == 2 and str(signal.dims[0]) != "batch":
        return None
    technique = technique or str(dataset.attrs.get("technique", ""))
    total = 1 if signal.ndim == 1 else signal.shape[0]
    rows = sorted({round(i) for i in np.linspace(0, total - 1, min(total, SHOWN_OF_BATCH))})

    def values(name: str) -> np.ndarray | None:
        if name not in dataset or dataset[name].dims != signal.dims:
            return None
        return np.atleast_2d(np.asarray(dataset[name].values, dtype=float))[rows]

    counted = str(signal.attrs.get("units", "")) in ("counts", "count")
    shown = Panel(
        axis,
        np.asarray(dataset[axis].values if axis in dataset.coords else np.arange(signal.shape[-1]), dtype=float),
        text.axis_label(axis, dataset[axis].attrs.get("units") if axis in dataset.coords else None),
        text.signal_label(signal.attrs.get("units")),
        np.atleast_2d(np.asarray(signal.values, dtype=float))[rows],
        values("expected"),
        values("residual"),
        log=technique == "trpl" or axis in ("fluence_uj_cm2", "area_um2") or (axis == "time_ns" and counted),
        reverse=axis == "binding_energy_ev" or axis == "wavenumber_cm1",
        rows=(rows, total),
    )
    if total == 1:
        _add_components(shown, dataset)
    if "irf" in dataset and dataset["irf"].dims == (axis,):
        response = np.asarray(dataset["irf"].values, dtype=float)
        top = _largest(response)
        if top > 0:
            shown.irf = response / top * max(_largest(shown.signal), 1e-300)
    return shown


def _add_components(shown: Panel, dataset: xr.Dataset) -> None:
    for name in dataset.data_vars:
        if str(name).startswith("component_") and dataset[name].dims == (shown.axis,):
            part = np.asarray(dataset[name].values, dtype=float)
            if np.any(np.nan_to_num(part) != 0.0):
                shown.components[str(name).removeprefix("component_")] = part
    found = [n for n in shown.components if n.lower().startswith(_BACKGROUNDS)]
    if found and not shown.log:  # a spectrum's lines stand on its background; decays are shown bare
        shown.background = found[0]
        ground = shown.components[shown.background]
        shown.components = {n: p if n == found[0] else p + ground for n, p in shown.components.items()}


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0


def decimate(series: list[np.ndarray], limit: int = LIMIT) -> np.ndarray:
    """Choose which points to draw so that no extreme of any series is lost.

    Args:
        series: arrays of shape (n,); values that are not finite are never an extreme.
        limit: largest number of points, at least 4.

    Returns:
        Rising indices, all of them where n <= limit; else about half of them evenly spaced, so that the scatter of
        points keeps its look, and the smallest and largest of every series in each of equal stretches, and both ends.
    """
    size = series[0].size
    if size <= limit:
        return np.arange(size)
    stretches = max(1, (limit - 2) // (4 * len(series)))
    edges = np.linspace(0, size, stretches + 1).astype(int)[:-1]
    owner = np.repeat(np.arange(stretches), np.diff(np.append(edges, size)))
    spaced = max(0, limit - 2 - 2 * len(series) * stretches)
    keep = [np.array([0, size - 1]), np.linspace(0, size - 1, spaced).astype(int)]
    for values in series:
        finite = np.isfinite(values)
        for signed in (values, -values):
            ordered = np.lexsort((np.where(finite, signed, np.inf), owner))
            keep.append(ordered[edges])
    return np.unique(np.concatenate(keep))


def pack(values: np.ndarray, kind: str) -> list[str]:
    """Return an array as page.js reads it: kind of number ("f4" or "f8") and base64 of its bytes."""
    return [kind, base64.b64encode(np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()).decode()]


def quote(label: str) -> str:
    """Return text that plotly, which reads some HTML in labels, shows as it is."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plot(shown: Panel) -> dict[str, Any]:
    """Return a plot as JSON-like data for page.js.

    Args:
        shown: what `panel` returned.

    Returns:
        ``arrays`` (name -> kind and base64), ``data`` and ``layout`` for plotly, ``ranges`` of the signal's axis
        (``linear`` and ``log``, where both are possible), and ``drawn``, ``of``: numbers of points.
    """
    series = [a for group in (shown.signal, shown.expected, shown.residual) if group is not None for a in group]
    index = decimate(series)
    arrays = {"x": pack(shown.x[index], "f8")}
    traces: list[dict[str, Any]] = []

    def add(key: str, values: np.ndarray, name: str, **look: Any) -> None:
        arrays[key] = pack(values[index], "f4")
        hover = {} if "hoverinfo" in look else {"hovertemplate": "%{y:.5g}"}
        traces.append({"type": "scatter", "x": "@x", "y": f"@{key}", "name": quote(name)} | hover | look)

    single = shown.rows[1] == 1
    size = 5 if index.size <= 400 else 4 if index.size <= 1500 else 3
    if shown.irf is not None:
        add("irf", shown.irf, "IRF (scaled)", mode="lines", line={"color": QUIET, "width": 1})
    _add_component_traces(shown, add, traces)
    for i, row in enumerate(shown.rows[0]):
        colour = INK if single else COLOURS[i % len(COLOURS)]
        tag = "" if single else f" {row}"
        marker: dict[str, Any] = {"size": size, "color": colour, "opacity": 0.6 if shown.expected is not None else 0.85}
        if index.size <= 400:
            marker |= {"symbol": "circle-open", "size": 6, "opacity": 0.8}
        first: dict[str, Any] = {"mode": "markers", "marker": marker, "legendrank": 1}
        if shown.expected is None and single and index.size > 400:
            first = {"mode": "lines", "line": {"color": INK, "width": 1.2}}
        if not single:
            first["legendgroup"] = f"row{row}"
        add(f"s{row}", shown.signal[i], f"Data{tag}", **first)
        if shown.expected is not None:
            line = {"color": FIT if single else colour, "width": 1.8}
            more = {} if single else {"legendgroup": f"row{row}", "showlegend": False}
            more["legendrank"] = 2
            add(f"e{row}", shown.expected[i], f"Fit{tag}", mode="lines", line=line, **more)
        if shown.residual is not None:
            spots = {"size": max(2, size - 1), "color": colour, "opacity": 0.6}
            more = {} if single else {"legendgroup": f"row{row}"}
            add(f"r{row}", shown.residual[i], f"Residual{tag}", mode="markers", yaxis="y2", marker=spots,
                showlegend=False, **more)  # fmt: skip
            traces[-1]["hovertemplate"] = "%{y:.2f} σ"
    ranges = _ranges(shown)
    return {
        "arrays": arrays,
        "data": traces,
        "layout": _layout(shown),
        "ranges": ranges,
        "decade_ticks": _decade_ticks(ranges),
        "drawn": int(index.size),
        "of": int(shown.x.size),
        "dropped": int(np.sum(shown.signal <= 0)) if shown.log else 0,
    }


def _add_component_traces(shown: Panel, add: Any, traces: list[dict[str, Any]]) -> None:
    ground = shown.background
    others = [n for n in shown.components if n != ground]
    for i, name in enumerate(others):
        colour = COLOURS[i % len(COLOURS)]
        look: dict[str, Any] = {"color": colour, "width": 1.3}
        fill: dict[str, Any] = {}
        if name.lower().startswith(_BACKGROUNDS):
            look = {"color": QUIET, "width": 1.2, "dash": "dash"}
        elif i >= len(COLOURS):
            look["dash"] = DASHES[(i // len(COLOURS)) % len(DASHES)]
        if ground and len(others) <= 12:
            base = {"type": "scatter", "x": "@x", "y": f"@c_{ground}", "mode": "lines", "line": {"width": 0}}
            traces.append(base | {"showlegend": False, "hoverinfo": "skip", "legendgroup": name})
            red, green, blue = (int(colour[j : j + 2], 16) for j in (1, 3, 5))
            fill = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},0.13)", "legendgroup": name}
        add(f"c_{name}", shown.components[name], text.plain(name), mode="lines", line=look, **fill)
    if ground:
        line = {"color": QUIET, "width": 1.2, "dash": "dash"}
        add(f"c_{ground}", shown.components[ground], text.plain(ground), mode="lines", line=line)


def signal_range(shown: Panel, log: bool) -> tuple[float, float] | None:
    """Return lowest and highest value of the signal's axis; None for a logarithmic one without positive values.

    Args:
        shown: the panel.
        log: whether the axis is logarithmic.

    Returns:
        The range in the signal's unit.
    """
    drawn = [shown.signal, *([] if shown.expected is None else [shown.expected])]
    values = np.concatenate([d[np.isfinite(d)] for d in drawn])
    if log:
        positive = values[values > 0]
        if not positive.size:
            return None
        data = shown.signal[np.isfinite(shown.signal) & (shown.signal > 0)]
        low = float(data.min()) if data.size else float(positive.min())
        return low / 1.6, float(positive.max()) * 2.0
    if not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return low - 0.7 * room, high + room


def residual_limit(shown: Panel) -> float:
    """Return how far the residuals' axis reaches to both sides, in sigma."""
    if shown.residual is None:
        return 4.0
    finite = np.abs(shown.residual[np.isfinite(shown.residual)])
    return max(4.0, 1.08 * float(finite.max())) if finite.size else 4.0


def _ranges(shown: Panel) -> dict[str, list[float]]:
    found = {}
    for kind in ("linear", "log"):
        limits = signal_range(shown, kind == "log")
        if limits is not None:
            low, high = limits
            found[kind] = [math.log10(low), math.log10(high)] if kind == "log" else [low, high]
    return found


def _decade_ticks(ranges: dict[str, list[float]]) -> int | None:
    """Return 1 for a tick at each decade where there are some, None where plotly should choose."""
    return 1 if "log" in ranges and ranges["log"][1] - ranges["log"][0] > 1.5 else None


def axis_style() -> dict[str, Any]:
    """Return how every axis looks."""
    return {
        "showline": True, "linecolor": "#9aa0a9", "ticks": "outside", "tickcolor": "#9aa0a9", "ticklen": 4,
        "gridcolor": GRID, "zeroline": False, "mirror": "all", "exponentformat": "power", "showexponent": "all",
    }  # fmt: skip


def _layout(shown: Panel) -> dict[str, Any]:
    axis = axis_style()
    finite = shown.x[np.isfinite(shown.x)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = 0.012 * (high - low) or 1.0
    ends = [low - room, high + room]
    bottom = shown.residual is not None
    kind = "log" if shown.log and signal_range(shown, True) else "linear"
    upper = axis | {
        "title": {"text": quote(shown.y_label), "standoff": 8},
        "domain": [0.3, 1.0] if bottom else [0.0, 1.0],
        "type": kind,
        "automargin": True,
    }
    ranges = _ranges(shown)
    if kind in ranges:
        upper["range"] = ranges[kind]
        if kind == "log":
            upper["dtick"] = _decade_ticks(ranges)
    layout: dict[str, Any] = {
        "xaxis": axis
        | {
            "title": {"text": quote(shown.x_label), "standoff": 8},
            "range": ends[::-1] if shown.reverse else ends,
            "anchor": "y2" if bottom else "y",
            "hoverformat": ".6g",
            "exponentformat": "none",
        },
        "yaxis": upper,
    }
    if bottom:
        reach = residual_limit(shown)
        layout["yaxis2"] = axis | {
            "title": {"text": "Residual (σ)", "standoff": 8},
            "domain": [0.0, 0.25],
            "range": [-reach, reach],
            "nticks": 5,
            "automargin": True,
        }
        box = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y2", "layer": "below", "line": {"width": 0}}
        layout["shapes"] = [
            box | {"type": "rect", "y0": -2, "y1": 2, "fillcolor": BAND},
            box | {"type": "line", "y0": 0, "y1": 0, "line": {"color": QUIET, "width": 1}},
        ]
    return layout
