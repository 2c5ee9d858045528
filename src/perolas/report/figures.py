"""Figures for papers: data, fit, components and residuals, drawn by matplotlib without a display."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.report import plots, text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = {
    "font.size": 9.0,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "mathtext.default": "regular",
}


def figure(dataset: xr.Dataset, estimate_json: dict[str, Any] | None, *, title: str = "") -> Figure:
    """Draw data, fit and components, with the residuals below in units of sigma.

    Args:
        dataset: as `Estimate.to_dataset` or a reader makes it.
        estimate_json: the estimate's JSON form, for the technique and chi-square; may be None.
        title: written above.

    Returns:
        A figure of 6.4 by 4.6 inches (3.6 without residuals); pictures come above and make it taller and wider.

    Raises:
        InputError: the dataset has no signal along one axis.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from perolas.report import pictures  # brings xarray

    estimate = text.as_dict(estimate_json)
    shown = plots.panel(dataset, str(estimate.get("technique") or ""))
    images = pictures.pictures_of(dataset)
    if shown is None and not images:
        raise InputError("There is nothing to draw: the dataset has no signal along one axis.")
    both = shown is not None and shown.residual is not None
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        height = 0.0 if shown is None else 4.6 if both else 3.6
        width = 6.4 if len(images) < 2 else 4.2 * len(images)
        drawn = Figure(figsize=(width, height + (5.6 if len(images) else 0.0)), dpi=200, layout="constrained")
        whole: Any = drawn
        if images:
            parts: Any = drawn.subfigures(2, 1, height_ratios=(5.6, height)) if shown is not None else [drawn]
            for axes, image in zip(np.atleast_1d(parts[0].subplots(1, len(images))), images, strict=True):
                pictures.draw(axes, image)
            whole = parts[-1]
        if shown is None:
            if title:
                drawn.suptitle(_literal(one_line(title, 80)))
            return drawn
        if not images:
            drawn.get_layout_engine().set(hspace=0.0, h_pad=0.03)  # type: ignore[union-attr, call-arg]
        if both:
            upper, lower = whole.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3.2, 1)})
        else:
            upper = lower = whole.subplots()
        _draw_signal(upper, shown)
        if both:
            _draw_residual(lower, shown)
        lower.set_xlabel(_literal(shown.x_label))
        _limit_x(lower, shown)
        quality = estimate.get("chi2_reduced")
        if text.is_number(quality):
            upper.set_title(f"χ²/ν = {text.number(quality, 4)}", loc="right", fontsize=8.5, fontweight="normal")
        if title:
            upper.set_title(_literal(one_line(title, 80)))
        if both:
            whole.align_ylabels([upper, lower])
    return drawn


def _literal(words: str) -> str:
    """Return text that matplotlib does not take for mathematics: a sample may be called "$x_1$"."""
    return words.replace("$", r"\$")


def _draw_signal(axes: Axes, shown: plots.Panel) -> None:
    single, dots = shown.rows[1] == 1, 4.5 if shown.x.size <= 400 else 2.5
    if shown.irf is not None:
        axes.plot(shown.x, shown.irf, color=plots.QUIET, lw=0.8, label="IRF (scaled)")
    for i, row in enumerate(shown.rows[0]):
        colour = plots.INK if single else plots.COLOURS[i % len(plots.COLOURS)]
        tag = "" if single else f" {row}"
        axes.plot(
            shown.x, shown.signal[i], ls="", marker="o", ms=dots, mew=0, alpha=0.5, color=colour, label=f"Data{tag}"
        )
    _draw_components(axes, shown)
    if shown.expected is not None:
        for i, _ in enumerate(shown.rows[0]):
            colour = plots.FIT if single else plots.COLOURS[i % len(plots.COLOURS)]
            axes.plot(shown.x, shown.expected[i], color=colour, lw=1.4, label="Fit" if single else None, zorder=5)
    limits = plots.signal_range(shown, shown.log)
    if shown.log and limits:
        axes.set_yscale("log")
    if limits:
        axes.set_ylim(*limits)
    axes.set_ylabel(_literal(shown.y_label))
    handles, labels = axes.get_legend_handles_labels()
    first = [i for word in ("Data", "Fit") for i, found in enumerate(labels) if found == word]
    order = first + [i for i in range(len(labels)) if i not in first]
    ncols = 2 if len(labels) > 6 else 1
    axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="best", ncols=ncols)


def _draw_components(axes: Axes, shown: plots.Panel) -> None:
    ground = shown.components.get(shown.background)
    colours = iter([c for _ in range(len(shown.components) + 1) for c in plots.COLOURS])
    for name, part in shown.components.items():
        if name.lower().startswith("background") or name == shown.background:
            axes.plot(shown.x, part, color=plots.QUIET, lw=1.0, ls="--", label=_literal(text.plain(name)))
            continue
        colour = next(colours)
        axes.plot(shown.x, part, color=colour, lw=1.1, label=_literal(text.plain(name)))
        if ground is not None:
            axes.fill_between(shown.x, ground, part, color=colour, alpha=0.13, lw=0)


def _draw_residual(axes: Axes, shown: plots.Panel) -> None:
    assert shown.residual is not None
    axes.axhspan(-2, 2, color="#0072b2", alpha=0.08, lw=0)
    axes.axhline(0.0, color=plots.QUIET, lw=0.8)
    dots = 3.0 if shown.x.size <= 400 else 1.8
    for i, _ in enumerate(shown.rows[0]):
        colour = plots.INK if shown.rows[1] == 1 else plots.COLOURS[i % len(plots.COLOURS)]
        axes.plot(shown.x, shown.residual[i], ls="", marker="o", ms=dots, mew=0, alpha=0.5, color=colour)
    reach = plots.residual_limit(shown)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("Residual (σ)")


def _limit_x(axes: Axes, shown: plots.Panel) -> None:
    finite = shown.x[np.isfinite(shown.x)]
    if finite.size > 1:
        room = 0.012 * (finite.max() - finite.min())
        ends = (finite.min() - room, finite.max() + room)
        axes.set_xlim(*(ends[::-1] if shown.reverse else ends))


def save(dataset: xr.Dataset, estimate_json: dict[str, Any] | None, path: Path, title: str = "") -> Path:
    """Draw a figure and write it; a file that exists is replaced only by a whole one.

    Args:
        dataset: as for `figure`.
        estimate_json: as for `figure`.
        path: where to; its suffix decides the format (png, pdf, svg).
        title: written above.

    Returns:
        `path`.

    Raises:
        InputError: nothing to draw, or a suffix that is no format.
    """
    import matplotlib

    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    known: dict[str, dict[str, None]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None},
        "svg": {"Date": None},
    }
    if kind not in known:
        raise InputError(
            f'A figure is written as .png, .pdf or .svg, but "{one_line(path.name, 60)}" ends differently.'
        )
    drawn = figure(dataset, estimate_json, title=title)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with matplotlib.rc_context(STYLE | {"svg.hashsalt": "perolas"}):  # type: ignore[arg-type]
            drawn.savefig(part, format=kind, metadata=known[kind])
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
