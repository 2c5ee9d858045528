"""From the points of a Raman spectrum to the numbers of its lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.optimize import lsq_linear

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.noise import Gaussian, Poisson
from perolas.core.parameter import expand, replace, slots, write_slots
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.peaks_find import MOST, search
from perolas.measurements.peaks_prepare import white_noise
from perolas.measurements.peaks_search import Found, Search
from perolas.measurements.raman.door import Points
from perolas.measurements.raman.model import Raman
from perolas.measurements.raman.modes import PHASES, SILICON, modes

_ROUNDS = 5
_PRUNED = 3
_CLEAR = 3.0  # standard errors of its area
_LEAST = 0.05  # of a width, below which a start value would sit on its bound


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the caller wants of a fit.

    Attributes:
        lines: how many, or None for as many as the evidence supports.
        positions: start positions, cm-1; empty: they are found.
        background: order of the polynomial.
        resolution: full width of the spectrometer, cm-1; None: it is fitted.
        temperature: of the sample, K.
        edge: where a filter cuts, cm-1; None: there is none.
        central: whether there is a central peak.
        silicon: whether one of the lines is that of silicon.
        phase: whose the lines are, or None.
        free, fix, guess, starts, seed: as for every fit.
    """

    lines: int | None
    positions: tuple[float, ...]
    background: int
    resolution: float | None
    temperature: float
    edge: float | None
    central: bool
    silicon: bool
    phase: str | None
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: Mapping[str, float]
    starts: int
    seed: int


def lines_of(written: str | int) -> tuple[int | None, tuple[float, ...]]:
    """Read how many lines there are, or where.

    Args:
        written: ``"auto"``, a number of lines, or positions such as ``"63, 77, 118"``.

    Returns:
        Their number (None: to be found) and their positions (none: to be found), cm-1.

    Raises:
        InputError: something else.
    """
    if isinstance(written, bool):
        raise InputError(f'The lines are "auto", a number, or positions such as "63 77 118", not {written}.')
    words = str(written).replace(",", " ").split()
    if words == ["auto"]:
        return None, ()
    try:
        numbers = [float(w) for w in words]
    except ValueError:
        numbers = []
    if not numbers or not np.all(np.isfinite(numbers)):
        raise InputError(f'The lines are "auto", a number, or positions such as "63 77 118", not "{written!s:.40}".')
    if len(numbers) == 1 and numbers[0] <= 3 * MOST:
        if numbers[0] != int(numbers[0]) or numbers[0] < 1:
            raise InputError(f"The number of lines must be from 1 to {3 * MOST}, but is {written!s:.20}.")
        return int(numbers[0]), ()
    if len(numbers) > 3 * MOST:
        raise InputError(f"There are {len(numbers)} positions, more than the {3 * MOST} lines that are fitted.")
    return len(numbers), tuple(sorted(numbers))


def fit_points(points: Points, wishes: Wishes) -> tuple[Estimate, list[dict[str, Any]]]:
    """Find the lines of a spectrum and fit them.

    Args:
        points: the spectrum.
        wishes: what is known and asked.

    Returns:
        The estimate, with plain statistical errors, and the table behind the number of lines.

    Raises:
        InputError: options that do not fit the data.
    """
    found, evidence = _found(points, wishes)
    estimate = _solved(points, found, wishes)
    left_out: list[float] = []
    # The search takes every line for symmetric and each width for its own; what makes up for that is no line.
    for _ in range(_PRUNED if wishes.lines is None else 0):
        doubtful = _doubtful(estimate, points)
        if not doubtful.any() or doubtful.all():
            break
        left_out += np.sort(found.position)[doubtful].tolist()
        found = _of(estimate, found, ~doubtful)
        estimate = _solved(points, found, wishes)
    if left_out:
        said = ", ".join(f"{v:.4g}" for v in left_out)
        note = f"What looked like a line at {said} cm-1 is explained by the tails of others or the background."
        estimate = dataclasses.replace(estimate, notes=(*estimate.notes, note))
    return estimate, evidence


def _doubtful(estimate: Estimate, points: Points) -> np.ndarray:
    """Return which lines are not clear of zero, off the axis, or wider than what a background is."""
    model = estimate.fitted()[0]
    count = model.position_cm1.shape[-1]
    rest = estimate.signal - estimate.expected
    shared = float(np.sum(rest[1:] * rest[:-1]) / np.sum(rest**2))  # neighbours that do not scatter alone
    factor = _CLEAR * np.sqrt((1.0 + max(shared, 0.0)) / max(1.0 - shared, 0.05))
    area, at = np.asarray(model.area), np.asarray(model.position)
    std = np.array([estimate[f"area_{i + 1}"].std for i in range(count)])
    off = (at < points.x.min()) | (at > points.x.max())
    wide = np.asarray(model.fwhm_cm1) > 0.5 * np.ptp(points.x)
    return np.asarray(~(area > factor * std) | off | wide)


def _of(estimate: Estimate, found: Found, kept: np.ndarray) -> Found:
    """Return a search's result with the lines of a fit, some of them."""
    model = estimate.fitted()[0]
    position, area, fwhm = (np.asarray(v)[kept] for v in (model.position, model.area, model.fwhm_cm1))
    return dataclasses.replace(
        found, position=position, area=area, lorentz=fwhm, gauss=np.full(fwhm.size, float(model.resolution_cm1)),
        background=np.asarray(model.background),
    )  # fmt: skip


def _solved(points: Points, found: Found, wishes: Wishes) -> Estimate:
    start, names, prior = posed(points, found, wishes)
    estimate = None
    for _ in range(_ROUNDS):  # flat valleys, such as a width against the spectrometer's, take many steps
        estimate = invert(start, points.y, free=names, fix=wishes.fix, prior=prior, starts=wishes.starts,
                          seed=wishes.seed, throw=False)  # fmt: skip
        if estimate.result != "max_steps":
            break
        start = estimate.fitted()[0]
    assert estimate is not None
    if estimate.result != "converged":
        estimate = invert(estimate.fitted()[0], points.y, free=names, fix=wishes.fix, prior=prior,
                          starts=max(wishes.starts, 4), seed=wishes.seed, throw=False)  # fmt: skip
    order = np.argsort(np.asarray(estimate.fitted()[0].position_cm1))
    if estimate.result == "converged" and np.any(np.diff(order) < 0) and not wishes.fix and not wishes.silicon:
        model = estimate.fitted()[0]
        fields = ("position_cm1", "area", "fwhm_cm1")
        model = replace(model, **{f: getattr(model, f)[order] for f in fields})
        estimate = invert(model, points.y, free=names, prior=prior, seed=wishes.seed, throw=False)
    return estimate


def _found(points: Points, wishes: Wishes) -> tuple[Found, list[dict[str, Any]]]:
    kind = "poisson" if isinstance(points.noise, Poisson) else "estimated"
    variance = None
    if isinstance(points.noise, Gaussian):
        kind, variance = "gaussian", np.asarray(points.noise.variance)
    y = points.y
    if wishes.edge is not None:  # the search knows no filter: it sees what the filter let through of a flat sample
        seen = points.x > wishes.edge
        if seen.sum() < wishes.background + 8:
            raise InputError(f"The filter's edge at {wishes.edge:g} cm-1 leaves next to nothing of the spectrum.")
        x, y = points.x[seen], y[seen]
        variance = None if variance is None else variance[seen]
    else:
        x = points.x
    if x.size < wishes.background + 8:
        raise InputError(f"{x.size} points are too few for a line on a background of order {wishes.background}.")
    if wishes.positions:
        return _asked_for(x, y, variance, wishes), []
    spectrum = Search(
        x, y, noise=kind, variance=variance, shape="voigt", order=wishes.background,
        resolution=wishes.resolution or 0.0,
    )  # fmt: skip
    return search(spectrum, wishes.lines, ())


def _asked_for(x: np.ndarray, y: np.ndarray, variance: np.ndarray | None, wishes: Wishes) -> Found:
    """Return lines at the positions that were asked for: the one width that describes the spectrum best."""
    places = np.array(wishes.positions)
    outside = [p for p in wishes.positions if not x.min() <= p <= x.max()]
    if outside:
        raise InputError(
            f"A line was asked for at {outside[0]:g} cm-1, but the spectrum runs from {x.min():.4g} to {x.max():.4g}."
        )
    step, span = float(np.median(np.abs(np.diff(x)))), float(np.ptp(x))
    weight = 1.0 / np.sqrt(np.maximum(y, 1.0) if variance is None else variance)
    ground = np.vander((2.0 * x - x[0] - x[-1]) / abs(x[-1] - x[0]), wishes.background + 1, increasing=True)
    low = np.concatenate([np.zeros(places.size), np.full(ground.shape[1], -np.inf)])
    best: tuple[float, float, np.ndarray] | None = None
    for width in np.geomspace(2.0 * step, max(0.1 * span, 3.0 * step), 8):
        half = 0.5 * width
        lines = half / np.pi / ((x[:, None] - places) ** 2 + half**2)
        matrix = np.concatenate([lines, ground], axis=1) * weight[:, None]
        size = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
        end = lsq_linear(matrix / size, y * weight, bounds=(low, np.inf))
        if best is None or end.cost < best[0]:
            best = float(end.cost), float(width), end.x / size
    assert best is not None
    _, width, found = best
    least = 1e-4 * float(np.ptp(y)) * width + 1e-300
    each = np.full(places.size, width)
    return Found(
        places, np.maximum(found[: places.size], least), 0.3 * each, 0.7 * each, found[places.size :],
        np.zeros(x.size), 0.0, 1.0, 1.0,
    )  # fmt: skip


def posed(
    points: Points, found: Found, wishes: Wishes
) -> tuple[Raman, tuple[str, ...], dict[str, tuple[float, float]]]:
    """Return the model at what was found, what a fit of it varies, and what is known beforehand.

    Args:
        points: the spectrum.
        found: the lines of a search.
        wishes: what is known and asked.

    Returns:
        Model, names, and priors.

    Raises:
        InputError: no line, where one is needed, or a phase that has other lines.
    """
    order = np.argsort(found.position)
    step = float(np.median(np.abs(np.diff(points.x))))
    total = np.maximum(0.5346 * found.lorentz + np.sqrt(0.2166 * found.lorentz**2 + found.gauss**2), 0.2 * step)
    own = 0.0
    if wishes.resolution is None and total.size:
        # The narrowest line that stands clear shows the spectrometer best.
        clear = found.area / total > 0.1 * np.max(found.area / total)
        own = 0.6 * float(np.min(total[clear]))
    width = np.maximum(np.where(total > own, total - 0.6 * own, 0.0), _LEAST * total)[order]
    owner, phases = _owners(found.position[order], wishes.phase)
    law = len(order) if phases else 0
    background = np.zeros(wishes.background + 1)
    background[: found.background.size] = found.background
    model = Raman(
        position_cm1=found.position[order],
        area=np.maximum(found.area[order], 1e-6 * float(np.ptp(points.y)) * step + 1e-300),
        fwhm_cm1=width,
        share=np.ones(len(phases)),
        mode_deviation=np.zeros(law),
        grueneisen_deviation=np.zeros(law),
        resolution_cm1=own if wishes.resolution is None else wishes.resolution,
        edge_cm1=wishes.edge or 0.0,
        edge_width_cm1=max(10.0, 2.0 * step),
        central=0.0,
        background=background,
        bose_temperature_k=wishes.temperature,
        axis_values=points.x,
        laser_nm=points.laser_nm,
        noise=points.noise,
        phases=phases,
        owner=owner if phases else (),
        filtered=wishes.edge is not None,
        signal_unit=points.signal_unit,
    )
    names = [s.name for s in slots(model, "measurement") if s.free]
    prior: dict[str, tuple[float, float]] = {}
    if wishes.resolution is None and order.size:
        names.append("resolution")
    if wishes.edge is not None:
        names += ["edge", "edge_width"]
        # Stated to a few cm-1; how steep it is, is not known.
        prior |= {"edge": (wishes.edge, 20.0), "edge_width": (10.0, 20.0)}
    if wishes.central:
        low = int(np.argmin(np.abs(points.x)))
        height = max(float(points.y[low] - np.median(points.y)), float(np.std(points.y)) * 1e-3)
        at = {s.name: s for s in slots(model, "measurement")}
        model = write_slots(model, {at["central"]: jnp.asarray(height)})
        names += ["central", "central_width"]
    if wishes.silicon:
        model, line = _calibrated(model)
        # Its position is known, the axis is what is fitted; the error of the former is added to both afterwards.
        names = [n for n in names if n != f"position_{line + 1}"] + ["axis_offset"]
    if prior and model.noise.scale_is_estimated:  # a prior weighs only beside noise of a known size
        model = eqx.tree_at(lambda m: m.noise, model, Gaussian(jnp.asarray(max(white_noise(points.y), 1e-12) ** 2)))
    known = slots(model, "measurement")
    by_name = {s.name: s for s in known}
    given = {by_name[check.one_of(n, by_name, "The start value")]: jnp.asarray(float(v))
             for n, v in wishes.guess.items()}  # fmt: skip
    model = write_slots(model, given) if given else model
    return model, (*names, *expand(wishes.free, known)), prior


def _owners(positions: np.ndarray, phase: str | None) -> tuple[tuple[tuple[int, int] | None, ...], tuple[str, ...]]:
    """Return which line is which mode of a phase: the nearest one, where it is near at all."""
    if phase is None:
        return (None,) * positions.size, ()
    known = modes(check.one_of(phase, PHASES, "The phase"))
    owner: list[tuple[int, int] | None] = [None] * positions.size
    for j, mode in enumerate(known):
        away = np.abs(positions - mode.position.value)
        near = int(np.argmin(away)) if positions.size else -1
        if near >= 0 and away[near] < max(6.0, 3.0 * mode.position.std) and owner[near] is None:
            owner[near] = (0, j)
    if not any(owner):
        places = ", ".join(f"{m.position.value:g}" for m in known)
        raise InputError(f"None of the lines is near those of {phase} ({places} cm-1); leave the phase out.")
    return tuple(owner), (phase,)


def _calibrated(model: Raman) -> tuple[Raman, int]:
    """Return the model whose axis offset puts the silicon line where it belongs, and which line that is."""
    known = physical_parameter(SILICON)
    away = np.abs(np.asarray(model.position_cm1) - known.value)
    if not away.size or away.min() > 25.0:
        raise InputError(
            f"No line was found within 25 cm-1 of that of silicon ({known.value:g} cm-1); is it in the spectrum?"
        )
    line = int(np.argmin(away))
    seen = float(model.position_cm1[line])
    laser = float(model.laser_nm)
    offset = 1e7 / (1e7 / laser - seen) - 1e7 / (1e7 / laser - known.value)
    at = {s.name: s for s in slots(model, "measurement")}
    model = write_slots(model, {at["axis_offset"]: jnp.asarray(offset)})
    places = model.true_shift(jnp.asarray(model.position_cm1))
    places = places.at[line].set(known.value)
    return write_slots(model, {at[f"position_{i + 1}"]: v for i, v in enumerate(places)}), line


def wishes_of(values: Mapping[str, Any], free: Sequence[str], fix: Sequence[str]) -> Wishes:
    """Check options and return them as wishes.

    Args:
        values: those of `perolas.measurements.raman.fit` by name.
        free: names added to what is fitted.
        fix: names taken out.

    Returns:
        The wishes.

    Raises:
        InputError: one that cannot be used.
    """
    count, positions = lines_of(values["lines"])
    order = values["background"]
    if isinstance(order, bool) or int(order) != order or not 0 <= order <= 8:
        raise InputError(f'Argument "background" is the order of a polynomial, 0 to 8, but is {order}.')
    resolution, edge = values["resolution"], values["edge"]
    phase = values["phase"]
    if phase is not None:
        check.one_of(phase, PHASES, "The phase")
    return Wishes(
        count, positions, int(order),
        None if resolution is None else check.positive(resolution, "resolution", "cm-1", zero=True),
        check.positive(values["temperature"], "temperature", "K"),
        None if edge is None else check.positive(edge, "edge", "cm-1"),
        bool(values["central"]), bool(values["silicon"]), phase, tuple(free), tuple(fix), dict(values["guess"] or {}),
        int(check.positive(values["starts"], "starts")), int(values["seed"]),
    )  # fmt: skip
