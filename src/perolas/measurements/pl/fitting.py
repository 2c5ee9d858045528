"""The fit of one emission spectrum: lines left out, a shape chosen by evidence, an energy axis of unknown origin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.errors import FitError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.noise import Gaussian
from perolas.core.parameter import expand, slots, write_slots
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.evidence import choose
from perolas.measurements.peaks_prepare import FEWEST
from perolas.measurements.pl.model import EmissionBand
from perolas.measurements.pl.noise import Scaled
from perolas.measurements.pl.prepare import Points
from perolas.measurements.pl.start import Line, narrow_lines, start_of, without
from perolas.measurements.pl.words import misfit, with_doubts, with_honest_errors

_CORRELATED = 1.2
_BENEATH = 5.0  # standard errors of its area, from which a band beneath lines is taken for one
_AROUND = 15.0  # widths of a line that are fitted with it


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What a fit was asked for.

    Attributes:
        shape: ``"auto"`` or one of `perolas.measurements.pl.model.SHAPES`.
        resolution: full width of the instrument's own line, in the axis unit.
        free, fix: names added to what is fitted, and taken out.
        guess: start values by name.
        starts, seed: starting points tried and their seed.
    """

    shape: str
    resolution: float
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: Mapping[str, float]
    starts: int
    seed: int


def fit_points(points: Points, wishes: Wishes, *, keep_lines: bool = False) -> Estimate:
    """Fit a band to points, beside narrow lines if there are any.

    Args:
        points: of one spectrum.
        wishes: what was asked for.
        keep_lines: take narrow lines for the emission.

    Returns:
        The estimate with its errors and sentences.

    Raises:
        InputError: names or values that cannot be used.
        FitError: no fit converged.
    """
    lines = [] if keep_lines else narrow_lines(points)
    if not lines:
        return with_doubts(with_honest_errors(_chosen(points, wishes)), [], beneath=False)
    rest = only(points, without(points, lines))
    if rest.x.size >= 2 * FEWEST:
        try:
            found = with_honest_errors(_chosen(rest, wishes))
        except FitError:
            found = None
        narrowest = parameter_value("emission.narrowest_band") / 1e3
        if found is not None and found["area"].value > _BENEATH * found["area"].std and found["fwhm"].value > narrowest:
            return with_doubts(found, lines, beneath=True)
    near = np.abs(points.energy_ev - lines[0].energy_ev) < max(_AROUND * lines[0].fwhm_ev, _least(points, lines[0]))
    found = with_honest_errors(_chosen(only(points, near), wishes))
    return with_doubts(found, lines, beneath=False)


def _least(points: Points, line: Line) -> float:
    """Return the distance from a line that holds enough points for a fit, eV."""
    return float(np.sort(np.abs(points.energy_ev - line.energy_ev))[min(2 * FEWEST, points.x.size - 1)])


def only(points: Points, chosen: np.ndarray) -> Points:
    """Return some of the points.

    Args:
        points: shape (n,).
        chosen: shape (n,), which.

    Returns:
        Those.
    """
    response = points.response[chosen] if np.ndim(points.response) else points.response
    return dataclasses.replace(
        points, x=points.x[chosen], y=points.y[chosen], per_nm=points.per_nm[chosen], response=response,
        noise=_part(points.noise, chosen),
    )  # fmt: skip


def _part(noise: Any, chosen: np.ndarray) -> Any:
    if isinstance(noise, Scaled):
        return Scaled(_part(noise.inner, chosen), np.asarray(noise.scale)[chosen])
    if isinstance(noise, Gaussian):
        return Gaussian(jnp.asarray(np.asarray(noise.variance)[chosen]))
    return noise


def _chosen(points: Points, wishes: Wishes) -> Estimate:
    """Fit the plainest model, and richer ones where its residuals are not noise; choose by evidence."""
    shape = wishes.shape if wishes.shape != "auto" else "gauss"
    lorentz = "fwhm_lorentz"
    if lorentz in wishes.free or "fwhm_lorentz_ev" in wishes.free or lorentz in wishes.guess:
        shape = "voigt"
    first = _once(points, wishes, shape, ())
    if wishes.shape != "auto" or shape == "voigt":
        return _or_raise(first)
    length, excess = misfit(first) if first.result == "converged" else (2.0, 2.0)
    if length < _CORRELATED and excess == 1.0:
        return first
    tried, labels = [first], ["Gauss"]
    for label, kind in (("Gauss, slope", "gauss"), ("Voigt, slope", "voigt")):
        if "slope" in wishes.fix or "slope" in wishes.free or points.x.size < 4 * FEWEST:
            break
        tried.append(_once(points, wishes, kind, ("slope",)))
        labels.append(label)
        if tried[-1].result == "converged" and misfit(tried[-1]) == (1.0, 1.0):
            break
    good = [i for i, e in enumerate(tried) if e.result == "converged" and e["area"].value > 0] or range(len(tried))
    found, rows = choose([tried[i] for i in good], [labels[i] for i in good])
    return dataclasses.replace(found, extra={**found.extra, "evidence": rows})


def _or_raise(found: Estimate) -> Estimate:
    if found.result != "converged":
        raise FitError(f"The pl fit failed: {found.message}")
    return found


def _once(points: Points, wishes: Wishes, shape: str, more: Sequence[str]) -> Estimate:
    """Fit one model."""
    start: EmissionBand = dataclasses.replace(
        start_of(points, wishes.resolution, slope="slope" in more or "slope" in wishes.free), shape=shape
    )
    known = slots(start, "measurement")
    names = [s.name for s in known if s.free] + list(expand(wishes.free, known)) + list(more)
    if shape == "voigt" and "fwhm_lorentz" not in wishes.fix:
        names.append("fwhm_lorentz")
        half = 0.5 * float(start.fwhm_gauss_ev)
        start = dataclasses.replace(start, fwhm_lorentz_ev=half, fwhm_gauss_ev=1.5 * half)
    by_name = {s.name: s for s in known}
    given = {by_name[check.one_of(n, by_name, "The start value")]: np.float64(v) for n, v in wishes.guess.items()}
    if "optical_depth" in names and "optical_depth" not in wishes.guess:
        given[by_name["optical_depth"]] = np.float64(0.5)  # at zero its bound holds it
    start = write_slots(start, given)
    found = invert(
        start, points.y, free=list(dict.fromkeys(names)), fix=[n for n in wishes.fix if n not in more],
        starts=wishes.starts, seed=wishes.seed, throw=False,
    )  # fmt: skip
    return dataclasses.replace(found, notes=(*points.notes, *found.notes), warnings=points.warnings)
