"""Transmission electron microscopy: sizes of nanocrystals from a bright- or dark-field image.

`scene` and `contrast` make an image of a specimen; `find`, `measure` and `judge` go from an image to crystals with
sizes, `selection` says how likely a crystal was to be counted, `model` is the counted histogram that is inverted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.observation import axis_of, is_image, make_image, pixel_nm
from perolas.core.parameter import replace, table
from perolas.core.pixel import parse_scale
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.evidence import choose
from perolas.measurements.tem import words
from perolas.measurements.tem.contrast import mean_free_path_nm
from perolas.measurements.tem.find import View, look, objects
from perolas.measurements.tem.judge import FEWEST, LEAST_PX, check_grey, check_view, doubts, judge, shape_of
from perolas.measurements.tem.means import WeightedMeans, weighted_means
from perolas.measurements.tem.measure import measure
from perolas.measurements.tem.model import BINS, LAWS, Tem, cells_of
from perolas.measurements.tem.picture import overlay
from perolas.measurements.tem.scene import SHAPES, Scene, expected_counts, place
from perolas.measurements.tem.selection import Census, census
from perolas.measurements.tem.spots import spots

__all__ = [
    "PARAMETERS",
    "PARAMETERS_USED",
    "REFERENCES",
    "Tem",
    "WeightedMeans",
    "example",
    "fit",
    "simulate",
    "weighted_means",
]

PARAMETERS = table(Tem)
PARAMETERS_USED = (
    "bright_field.high_voltage",
    "bright_field.aperture",
    "bright_field.contrast_spread",
    "bright_field.grain",
    "bright_field.grain_length",
    "bright_field.calibration",
    "bright_field.boundary",
    "bright_field.miscounted",
)
REFERENCES = ("lenz1954", "miles1974", "chiu2013")

_LENGTHS = ("mean_edge", "std_edge", "volume_mean_edge", "volume_mean_column")
_SHIFTED = ("mean_edge", "volume_mean_edge", "volume_mean_column")
_SMALLEST_NM, _LARGEST_NM = 0.5, 2000.0


def fit(
    observation: xr.Dataset,
    *,
    scale: str | float | None = None,
    scale_error: float | None = None,
    shape: str = "auto",
    law: str = "auto",
    polarity: str = "auto",
    smallest: float | None = None,
    wanted: float = 0.01,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate the size law of nanocrystals from an image, or from a histogram of sizes.

    Args:
        observation: an image; or counts on the axis ``edge_nm``, sizes that somebody measured, each counted alike.
        scale: size of a pixel such as ``"0.5 nm/px"``; it wins over the image's own.
        scale_error: relative standard error of the scale, shared by all sizes; None: the library's.
        shape: ``"cube"``, ``"hexagon"``, ``"sphere"`` or ``"auto"``.
        law: ``"normal"``, ``"lognormal"`` or ``"auto"``: the more likely one.
        polarity: ``"dark"`` or ``"bright"`` crystals, or ``"auto"``.
        smallest: smaller crystals are left out, nm; None: 4 pixels, or 40 % of the typical size.
        wanted: relative standard error of the mean for which the number of crystals is computed.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate, with a picture of what was counted. Where crystals are seen but the contrast allows no sizes, mean
        and standard deviation are undetermined, and a warning says why.

    Raises:
        InputError: no image, no scale, or an image in which nothing can be measured; one sentence.
        FitError: the fit did not converge.
    """
    check.one_of(shape, ("auto", *SHAPES), "The shape")
    check.one_of(law, ("auto", *LAWS), "The size law")
    check.one_of(polarity, ("auto", "dark", "bright"), "The polarity")
    check.positive(wanted, "wanted")
    error = parameter_value("bright_field.calibration") if scale_error is None else scale_error
    check.positive(error, "scale_error", zero=True)
    wishes = _Wishes(law, tuple(free), tuple(fix), dict(guess or {}), starts, seed, wanted, error)
    if not is_image(observation):
        return _of_histogram(observation, "cube" if shape == "auto" else shape, wishes)
    pixel = pixel_nm(observation) if scale is None else parse_scale(scale)
    if pixel is None:
        raise InputError('The image does not say its scale; give it, as in --scale "0.5 nm/px".')
    grey = np.asarray(observation["signal"].values, dtype=np.float64)
    check_grey(grey)
    view = look(grey, {"auto": None, "dark": True, "bright": False}[polarity])
    check_view(view)
    found = measure(view, objects(view))
    shape = shape_of(found) if shape == "auto" else shape
    least = max(LEAST_PX, 0.4 * view.size_px) if smallest is None else max(smallest / pixel, 3.0)
    found, whole, sizes = judge(found, view, shape, least)
    reasons = doubts(whole, sizes, view)
    if reasons:
        return _without_law(grey, view, pixel, reasons)
    typical = float(np.median(sizes)) * pixel
    if not _SMALLEST_NM <= typical <= _LARGEST_NM:
        raise InputError(
            f"With {pixel:g} nm in a pixel the crystals would be {typical:.3g} nm large, which no nanocrystal is; "
            "check the scale."
        )
    blur = float(np.median([f.blur_px for f in whole]))
    counted = census(found, whole, sizes, shape, (grey.shape[0], grey.shape[1]), blur)
    errors = np.array([f.area_std_px for f in whole]) * sizes / (2.0 * np.array([f.area_px for f in whole]))
    model, counts = _histogram(sizes * pixel, float(np.median(errors)) * pixel, least * pixel, shape, counted, pixel)
    best = _fitted(model, counts, wishes)
    best = _with_shared(best, error, parameter_value("bright_field.boundary") * pixel)
    title = f"{len(whole)} crystals measured, {counted.number:.0f} in all"
    return words.with_story(
        dataclasses.replace(best, pictures=(overlay(grey, found, pixel, title),)), view, whole, counted, shape, wishes
    )


@dataclasses.dataclass(frozen=True)
class _Wishes:
    """The caller's wishes for the fit."""

    law: str
    free: tuple[str, ...]
    fix: tuple[str, ...]
    guess: dict[str, float]
    starts: int
    seed: int
    wanted: float
    scale_error: float


def _histogram(
    sizes_nm: np.ndarray, error_nm: float, least_nm: float, shape: str, counted: Census, pixel: float
) -> tuple[Tem, np.ndarray]:
    """Return the model at its guess, and the counts in its bins."""
    mean, std = float(np.mean(sizes_nm)), float(np.std(sizes_nm))
    std = max(math.sqrt(max(std**2 - error_nm**2, 0.0)), 0.3 * error_nm, 0.005 * mean)
    reach = 4.5 * math.hypot(std, error_nm)
    low = max(least_nm, min(mean - reach, float(sizes_nm.min()) - error_nm))
    edges = np.linspace(low, max(mean + reach, float(sizes_nm.max()) + error_nm), BINS + 1)
    counts = np.histogram(sizes_nm, edges)[0].astype(float)
    borders = np.asarray(cells_of(edges))
    chance = counted.chance(np.maximum(0.5 * (borders[1:] + borders[:-1]) / pixel, 0.0))
    model = Tem(
        number=float(np.sum(1.0 / np.maximum(counted.chance(sizes_nm / pixel), 1e-6))),
        mean_edge_nm=mean,
        std_edge_nm=std,
        edge_error_nm=error_nm,
        edges_nm=edges,
        chance=chance,
        shape=shape,
    )
    return model, counts


def _fitted(model: Tem, counts: np.ndarray, wishes: _Wishes) -> Estimate:
    """Return the fit of the law that is wanted, or of the more likely one."""
    laws = LAWS if wishes.law == "auto" else (wishes.law,)
    names = {row.name: row.field for row in PARAMETERS}
    tried = []
    for name in laws:
        start = dataclasses.replace(model, law=name)
        for key, value in wishes.guess.items():
            start = replace(start, **{names[check.one_of(key, names, "The parameter")]: np.float64(value)})
        free = ("number", "mean_edge", "std_edge", *wishes.free)
        tried.append(
            invert(start, counts, free=free, fix=wishes.fix, starts=wishes.starts, seed=wishes.seed, throw=False)
        )
    if all(e.result != "converged" for e in tried):
        raise FitError(f"The size law could not be fitted: {tried[0].message}")
    best, evidence = choose(tried, laws)
    if len(tried) > 1:  # both have three parameters: the more likely one, and how much more likely it is
        order = sorted((e for e in tried if e.result == "converged"), key=lambda e: -float(e.log_likelihood))
        best = order[0]
        for row, e in zip(evidence, tried, strict=True):
            row["chosen"] = e is best
            row["delta_bic"] = float(e.bic - best.bic)
    law = tried.index(best)
    return dataclasses.replace(best, extra={"law": laws[law], "evidence": evidence})


def _with_shared(estimate: Estimate, scale_error: float, shift_nm: float) -> Estimate:
    """Add the errors that all sizes share: of the scale, in proportion to each length, and of the outline's place."""
    along = np.array(
        [scale_error * v if n in _LENGTHS else 0.0 for n, v in zip(estimate.names, estimate.values, strict=True)]
    )
    covariance = estimate.covariance + np.outer(along, along)
    shared = dataclasses.replace(estimate, covariance=covariance, std=np.hypot(estimate.std, np.abs(along)))
    return shared.with_shared_error(tuple(n for n in _SHIFTED if n in estimate.names), shift_nm)


def _of_histogram(observation: xr.Dataset, shape: str, wishes: _Wishes) -> Estimate:
    """Fit sizes that somebody measured: counts on the axis edge_nm."""
    if "signal" not in observation or axis_of(observation) != "edge_nm":
        raise InputError('tem needs an image, or counts of sizes on the axis "edge_nm".')
    middle = np.asarray(observation["edge_nm"].values, dtype=np.float64)
    counts = np.asarray(observation["signal"].values, dtype=np.float64)
    steps = np.diff(middle)
    if counts.ndim != 1 or middle.size < 4 or np.any(np.abs(steps / steps[0] - 1) > 1e-3) or steps[0] <= 0:
        raise InputError("A histogram of sizes needs at least four equal bins that rise.")
    total = float(check.counts(counts, "counted sizes").sum())
    if total < 12:
        raise InputError(f"{total:.0f} sizes cannot determine a size law; at least 12 are needed.")
    edges = np.append(middle - steps[0] / 2, middle[-1] + steps[0] / 2)
    mean = float(middle @ counts / total)
    std = max(math.sqrt(float(((middle - mean) ** 2) @ counts / total)), 0.3 * float(steps[0]))
    cells = np.asarray(cells_of(edges))
    model = Tem(
        number=total,
        mean_edge_nm=mean,
        std_edge_nm=std,
        edge_error_nm=0.0,
        edges_nm=edges,
        chance=np.ones(cells.size - 1),
        shape=shape,
    )
    best = _with_shared(_fitted(model, counts, wishes), wishes.scale_error, 0.0)
    return words.with_numbers(best, int(total), wishes.wanted)


def _without_law(grey: np.ndarray, view: View, pixel: float, reasons: list[str]) -> Estimate:
    """Return what can be said where sizes cannot: how many spots there are, and why no more; or refuse."""
    seen, turned = (spots(grey, dark) for dark in (view.dark, not view.dark))
    # Noise has as many spots of one sign as of the other.
    if len(seen) < max(FEWEST, 2 * len(turned)):
        raise InputError(f"No size law can be stated: {'; '.join(reasons)}.")
    wide = np.array([2.0 * math.sqrt(f.area_px / math.pi) for f in seen]) * pixel
    edges = np.linspace(0.5 * wide.min(), 1.2 * wide.max(), BINS + 1)
    model = Tem(
        number=float(len(seen)),
        mean_edge_nm=float(wide.mean()),
        std_edge_nm=max(float(wide.std()), 0.1 * float(wide.mean())),
        edges_nm=edges,
        chance=np.ones(cells_of(edges).size - 1),
        shape="sphere",
    )
    counts = np.histogram(wide, edges)[0].astype(float)
    estimate = invert(model, counts, free=("number", "mean_edge", "std_edge"), throw=False)
    return words.undetermined(
        dataclasses.replace(
            estimate, pictures=(overlay(grey, seen, pixel, f"{len(seen)} objects found, none measured"),)
        ),
        reasons,
        len(seen),
    )


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    scale: str | float = 0.5,
    pixels: int = 1024,
    particles: float = 120.0,
    shape: str = "auto",
    counts: float = 300.0,
    contrast: float | None = None,
    voltage: float | None = None,
    aperture: float | None = None,
    blur: float = 0.7,
    grain: float | None = None,
    clutter: float = 0.02,
    overlap: float = 0.3,
) -> xr.Dataset:
    """Simulate a bright-field image of a specimen's crystals.

    Args:
        specimen: a `Specimen`; None: cubes of CsPbBr3 of 20 +- 2 nm.
        seed: seed of everything random.
        scale: size of a pixel, such as ``"0.5 nm/px"``.
        pixels: rows, and columns, of the image.
        particles: crystals expected with their centre in the image.
        shape: ``"cube"``, ``"hexagon"``, ``"sphere"``, or ``"auto"``: the specimen's.
        counts: electrons expected in a pixel without anything in the beam.
        contrast: share of the electrons that a crystal of the mean size takes away; None: from its composition.
        voltage: accelerating voltage, kV; None: the library's.
        aperture: semi-angle of the objective aperture, mrad; None: the library's.
        blur: standard deviation of the blur, nm.
        grain: relative standard deviation of the carbon film's brightness; None: the library's.
        clutter: share of the image under faint spots of dirt.
        overlap: chance that a crystal stays where it would lie on another one, from 0 to 1.

    Returns:
        An image in counts; its conditions hold the number of crystals that were drawn with their centre in it.

    Raises:
        InputError: numbers that cannot be used.
    """
    from perolas.matter.specimen import PHASES, Specimen

    state = Specimen.of("CsPbBr3") if specimen is None else specimen
    check.one_of(shape, ("auto", *SHAPES), "The shape")
    check.positive(counts, "counts")
    check.positive(particles, "particles", zero=True)
    for value, name in ((blur, "blur"), (clutter, "clutter"), (0.0 if grain is None else grain, "grain")):
        check.positive(value, name, zero=True)
    if not 32 <= pixels <= 4096:
        raise InputError(f'Argument "pixels" must lie between 32 and 4096, but is {pixels}.')
    if not 0 <= overlap <= 1 or clutter > 0.5:
        raise InputError(f'"overlap" goes from 0 to 1 and "clutter" to 0.5, but they are {overlap:g} and {clutter:g}.')
    size = float(state.size_nm)
    if contrast is None:
        length = mean_free_path_nm(
            dict(zip(PHASES, np.asarray(state.fraction).tolist(), strict=True)), voltage, aperture
        )
    elif 0 < contrast < 1:
        length = -size / math.log1p(-contrast)
    else:
        raise InputError(f'Argument "contrast" must lie between 0 and 1, but is {contrast:g}.')
    scene = Scene(
        size_nm=size,
        size_std_nm=float(state.size_std_nm),
        size_law=state.size_law,
        shape=state.shape if shape == "auto" else shape,
        pixels=(pixels, pixels),
        pixel_nm=parse_scale(scale),
        particles=particles,
        mean_free_path_nm=length,
        contrast_spread=parameter_value("bright_field.contrast_spread"),
        overlap=overlap,
        dose=counts,
        blur_nm=blur,
        grain=parameter_value("bright_field.grain") if grain is None else grain,
        grain_nm=parameter_value("bright_field.grain_length"),
        clutter=clutter,
    )
    chance = np.random.default_rng(seed)
    placed = place(scene, chance)
    image = chance.poisson(expected_counts(scene, placed, chance))
    about = {
        "crystals": int(placed.inside(scene.pixels).sum()),
        "contrast": -math.expm1(-size / length),
        "shape": scene.shape,
    }
    return make_image(
        image, scene.pixel_nm, technique="tem", instrument="simulated by perolas", seed=seed, conditions=about
    )


def example() -> Tem:
    """Return counted sizes whose answer is known, for the inversion tests: cubes of 20 +- 2 nm, large ones missed."""
    edges = np.linspace(11.0, 29.0, BINS + 1)
    cells = np.asarray(cells_of(edges))
    middle = 0.5 * (cells[1:] + cells[:-1])
    return Tem(
        number=400.0,
        mean_edge_nm=20.0,
        std_edge_nm=2.0,
        edge_error_nm=0.3,
        edges_nm=edges,
        chance=0.9 * np.exp(-((middle / 40.0) ** 2)),
    )
