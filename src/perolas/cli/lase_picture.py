"""The picture of `perolas lase`: distribution, budget, S-curve, and a sweep where there is one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from perolas.laser.threshold import Forecast, Point

_BLUE, _RED, _GREY = "#2a6f97", "#b23a48", "#6c757d"


def draw(found: Forecast, curve: tuple[Any, Any], what: str | None = None, points: Sequence[Point] = ()) -> Figure:
    """Draw a forecast.

    Args:
        found: the forecast.
        curve: fluence of shape (m,), and 5th, 50th and 95th percentile of the photons, shape (3, m).
        what: the condition that was swept, or None.
        points: of the sweep.

    Returns:
        A figure of two by two panels, or two by three with a sweep.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from perolas.report.figures import STYLE

    swept = bool(points)
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        drawn = Figure(figsize=(10.6 if swept else 7.6, 6.2), dpi=160, layout="constrained")
        panels = drawn.subplots(2, 3 if swept else 2)
        _distribution(panels[0, 0], found)
        _budget(panels[0, 1], found)
        _curve(panels[1, 0], found, *curve)
        _spectrum(panels[1, 1], found)
        if swept:
            _sweep(panels[0, 2], what or "", points)
            _share(panels[1, 2], what or "", points)
    return drawn


def save(
    path: Path, found: Forecast, curve: tuple[Any, Any], what: str | None = None, points: Sequence[Point] = ()
) -> None:
    """Write the picture of a forecast to a file whose ending says its format; see `draw`."""
    from perolas.core.errors import InputError
    from perolas.study import store

    buffer = io.BytesIO()
    draw(found, curve, what, points).savefig(buffer, format=path.suffix.lower()[1:])
    try:
        store.write_file(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f'"{path.name}" cannot be written: {error.strerror or error}.') from None


def _distribution(axes: Axes, found: Forecast) -> None:
    values, band = found.draws["threshold"], found.band("threshold")
    axes.hist(values, bins=list(np.geomspace(values.min(), values.max() * 1.001, 31)), color=_BLUE, alpha=0.6)
    axes.axvline(band.median, color=_RED, linewidth=1.2, label="median")
    axes.axvspan(band.low, band.high, color=_RED, alpha=0.10, linewidth=0, label="90 %")
    axes.set_xscale("log")
    axes.set_xlabel("threshold (uJ/cm$^2$)")
    axes.set_ylabel("draws")
    axes.set_title(f"Threshold, tier {found.tier}")
    axes.legend()


def _budget(axes: Axes, found: Forecast) -> None:
    lines = [line for line in found.budget if line.total > 0][::-1]
    place = np.arange(len(lines))
    total = np.array([line.total for line in lines])
    error = np.array([line.total_error for line in lines])
    axes.barh(place, 100 * total, xerr=100 * error, color=_BLUE, alpha=0.45, label="with interplay")
    axes.barh(place, [100 * max(line.alone, 0.0) for line in lines], height=0.4, color=_BLUE, label="alone")
    axes.set_yticks(place, [line.group for line in lines])
    axes.tick_params(axis="y", which="minor", left=False, right=False)
    axes.set_xlabel("share of the variance (%)")
    axes.set_title("Budget")
    axes.legend(loc="lower right")


def _curve(axes: Axes, found: Forecast, fluence: Any, photons: Any) -> None:
    axes.fill_between(fluence, photons[0], photons[2], color=_BLUE, alpha=0.2, linewidth=0, label="90 % of the draws")
    axes.plot(fluence, photons[1], color=_BLUE, label="median")
    axes.axvline(found.band("threshold").median, color=_RED, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("fluence (uJ/cm$^2$)")
    axes.set_ylabel("photons in the mode")
    axes.set_title("S-curve")
    axes.legend()


def _spectrum(axes: Axes, found: Forecast) -> None:
    from perolas.core import units
    from perolas.matter import optics

    centre = found.band("centre")
    energy = units.HC_EV_NM / centre.median
    width = float(optics.emission_fwhm_ev(found.question.temperature_k)) * centre.median / energy
    wave = np.linspace(centre.median - 2.5 * width, centre.median + 2.5 * width, 301)
    band = np.exp(-4.0 * np.log(2.0) * ((wave - centre.median) / width) ** 2)
    axes.plot(wave, band, color=_GREY, label="spontaneous")
    axes.axvspan(centre.low, centre.high, color=_GREY, alpha=0.15, linewidth=0, label="its maximum, 90 %")
    lasing = found.draws["lasing_wavelength"]
    heights, edges = np.histogram(lasing, bins=list(np.linspace(wave[0], wave[-1], 41)))
    axes.stairs(heights / max(heights.max(), 1), edges, color=_RED, label="first lasing line")
    axes.set_xlabel("wavelength (nm)")
    axes.set_ylabel("intensity or share (scaled)")
    axes.set_title(f"Emission at {found.question.temperature_k:g} K")
    axes.legend()


def _label(what: str) -> str:
    from perolas.laser.threshold.prediction import SWEEPS

    return f"{what} ({SWEEPS[what][1].replace('um^2', 'um$^2$')})"


def _sweep(axes: Axes, what: str, points: Sequence[Point]) -> None:
    order = sorted(points, key=lambda p: p.value)
    x = np.array([p.value for p in order])
    low, median, high = (np.array([getattr(p, k) for p in order]) for k in ("low", "median", "high"))
    seen = np.concatenate([v[np.isfinite(v)] for v in (low, median, high)])
    top = 2.0 * seen.max() if seen.size else 1.0
    there = np.isfinite(low)
    above = np.where(np.isfinite(high), high, top)
    axes.fill_between(x[there], low[there], above[there], color=_BLUE, alpha=0.2, linewidth=0, label="5 to 95 %")
    some = np.isfinite(median)
    axes.plot(x[some], median[some], color=_BLUE, marker="o", markersize=3, label="median")
    axes.set_yscale("log")
    if what != "temperature":
        axes.set_xscale("log")
    axes.set_xlabel(_label(what))
    axes.set_ylabel("threshold (uJ/cm$^2$)")
    axes.set_title(f"Threshold against {what}")
    axes.legend()


def _share(axes: Axes, what: str, points: Sequence[Point]) -> None:
    order = sorted(points, key=lambda p: p.value)
    axes.plot([p.value for p in order], [100 * p.lasing_share for p in order], color=_RED, marker="o", markersize=3)
    if what != "temperature":
        axes.set_xscale("log")
    axes.set_ylim(0, 105)
    axes.set_xlabel(_label(what))
    axes.set_ylabel("draws that lase (%)")
    axes.set_title("Does it lase at all?")
