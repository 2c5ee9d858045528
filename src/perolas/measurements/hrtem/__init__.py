"""Lattice images: spots of the Fourier transform, spacings and angles, and odds over phases and planes.

Equations of the fit: `model`. Quantities of an estimate, spots counted from the strongest: ``amplitude_1`` (contrast),
``phase_1``, ``frequency_x_1``, ``frequency_y_1``, derived ``d_spacing_1`` and, where there are several, ``angle_1_2``
(with more than four spots, only those to the first). Spacings and frequencies carry the error of the scale, which
moves them all together; angles do not.

`door` makes the image ready, `spots` finds what stands out of the speckle, `bands` cuts the fields around spots out,
`verdict` judges phases and planes (`planes`, `likelihood`), `wave` and `scene` simulate, `words` and `pictures` tell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.noise import Gaussian
from perolas.core.parameter import replace, slots, table, write_slots
from perolas.core.pixel import parse_scale
from perolas.core.solver import LevenbergMarquardt
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.hrtem import bands, pictures, scene
from perolas.measurements.hrtem.door import Prepared, prepare, ring_of
from perolas.measurements.hrtem.model import PARAMETERS_USED, REFERENCES, Hrtem, fringes
from perolas.measurements.hrtem.spots import Search, search
from perolas.measurements.hrtem.verdict import THRESHOLD, Odds, crystals, default_prior, judge, odds
from perolas.measurements.hrtem.words import with_story

__all__ = [
    "PARAMETERS",
    "PARAMETERS_USED",
    "REFERENCES",
    "Hrtem",
    "Odds",
    "example",
    "fit",
    "fringes",
    "judge",
    "odds",
    "simulate",
]

PARAMETERS = table(Hrtem)
SOLVER = LevenbergMarquardt(tol=1e-10)
_MOST_SPOTS = 16


def fit(
    observation: xr.Dataset,
    *,
    scale: str | float | None = None,
    candidates: Sequence[str] = ("all",),
    cif: Any = None,
    box: str | None = None,
    calibration_std: float | None = None,
    d_min: float | None = None,
    d_max: float | None = None,
    false_alarm: float = 0.01,
    spots: int = 8,
    threshold: float = THRESHOLD,
    double_diffraction: float | None = None,
    prior: Mapping[str, float] | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Find the spots of a lattice image, measure them, and judge what they may be.

    Args:
        observation: an image.
        scale: size of a pixel such as ``"0.02 nm/px"``, instead of the image's own.
        candidates: names of phases of the library, or ``"all"``.
        cif: a structure file, a folder of them, or a list: more candidates.
        box: ``"LEFT TOP RIGHT BOTTOM"`` in pixels: the part to look at; by default the middle square.
        calibration_std: relative standard error of the scale; None: the library's.
        d_min: smallest spacing to look for, nm.
        d_max: largest one, nm.
        false_alarm: probability that an image of speckle alone shows any spot.
        spots: largest number of them.
        threshold: odds from which on a phase is named.
        double_diffraction: visibility of forbidden lines; None: the library's.
        prior: weights of candidates by name.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate. ``extra`` holds ``spots`` (each with its false-alarm probability and the error of its position
        alone), ``odds`` (see `Odds.to_json`), ``ring`` and ``pixel_nm``. Where no spot stands out, its only quantity
        is ``amplitude_1``, the contrast at the place that stands out most, and there are no odds.

    Raises:
        InputError: image or options that cannot be used.
    """
    if not 0 < false_alarm < 1:
        raise InputError(f'Argument "false_alarm" must lie between 0 and 1, but is {false_alarm:g}.')
    if not 1 <= spots <= _MOST_SPOTS:
        raise InputError(f'Argument "spots" must lie between 1 and {_MOST_SPOTS}, but is {spots}.')
    relative = parameter_value("hrtem.calibration") if calibration_std is None else calibration_std
    check.positive(relative, "calibration_std", zero=True)
    chosen = crystals(candidates, cif)
    data = prepare(
        observation, scale=scale, box=box, d_min_nm=d_min, d_max_nm=d_max,
        resolution_nm=parameter_value("hrtem.resolution"),
    )  # fmt: skip
    limits = (data.pixel_nm / data.d_max_nm, data.pixel_nm / data.d_min_nm)
    found = search(data.contrast, *limits, false_alarm=false_alarm, most=spots)
    if not found.spots:
        return _without_spots(data, found, false_alarm)
    field = bands.cut(data.contrast, found.spots, data.pixel_nm)
    begin = _with_guess(bands.start(field), guess or {})
    settings: dict[str, Any] = {"fix": fix, "starts": starts, "seed": seed, "solver": SOLVER, "throw": False}
    if free:
        settings["free"] = sorted({s.name for s in slots(begin, "measurement") if s.free} | set(free))
    signal = bands.channels(field)
    estimate, misfit = _fit_twice(begin, signal, settings)
    alone = _with_rims(estimate, bands.rims(field, begin))
    estimate = _with_scale(alone, relative)
    k = np.array([[estimate[f"frequency_{c}_{i + 1}"].value for c in "xy"] for i in range(len(found.spots))])
    own = np.array([_position_std(alone, i) for i in range(len(found.spots))])
    judged = judge(
        k,
        chosen,
        calibration_std=relative,
        position_std=own,
        threshold=threshold,
        prior=default_prior(
            double_diffraction=double_diffraction, d_min_nm=data.d_min_nm, d_max_nm=data.d_max_nm, weights=prior or {}
        ),
    )
    ring = ring_of(found.power, data.pixel_nm, data.d_min_nm, data.d_max_nm)
    names = [f"{i + 1}: {1 / np.linalg.norm(v):.4f} nm" for i, v in enumerate(k)]
    estimate = dataclasses.replace(
        estimate,
        pictures=(
            pictures.original(data),
            pictures.transform(data, found, k, names),
            pictures.filtered(data, found.spots),
        ),
    )
    return with_story(estimate, data, found, own, misfit, judged, ring)


def _fit_twice(begin: Hrtem, signal: NDArray[np.float64], settings: dict[str, Any]) -> tuple[Estimate, list[float]]:
    """Fit, raise the variance of each spot whose field its wave does not describe, and fit again."""
    first = invert(begin, signal, **settings)
    shape = begin.envelope.shape
    variance = np.asarray(begin.noise.variance).reshape(shape[0], -1)  # type: ignore[attr-defined]
    squares = ((first.signal - first.expected).reshape(shape[0], -1)) ** 2 / variance
    counted = variance < 1e3 * variance.min(axis=1, keepdims=True)
    misfit = [float(np.sum(q[c]) / max(int(np.sum(c)) - 4, 1)) for q, c in zip(squares, counted, strict=True)]
    raised = variance * np.maximum(np.array(misfit), 1.0)[:, None]
    second = invert(replace(begin, noise=Gaussian(jnp.asarray(raised.reshape(-1)))), signal, **settings)
    # Points that the fading has left without weight are no data.
    points = int(np.sum(counted))
    share = max(second.n_points - second.n_free, 1) / max(points - second.n_free, 1)
    return dataclasses.replace(second, n_points=points, chi2_reduced=second.chi2_reduced * share), misfit


def _with_scale(estimate: Estimate, relative: float) -> Estimate:
    """Add the error of the scale, which moves all frequencies one way and all spacings the other."""
    sign = [1.0 if n.startswith("frequency") else -1.0 if n.startswith("d_spacing") else 0.0 for n in estimate.names]
    along = relative * np.array(sign) * estimate.values
    covariance = estimate.covariance + np.outer(along, along)
    return dataclasses.replace(estimate, covariance=covariance, std=np.hypot(estimate.std, along))


def _with_rims(estimate: Estimate, length_nm: NDArray[np.float64]) -> Estimate:
    """Add what the rims of a crystal do to a spot's distance from the centre, each spot on its own."""
    covariance = estimate.covariance.copy()
    for i, length in enumerate(length_nm):
        at = [estimate.names.index(f"{n}_{i + 1}") for n in ("frequency_x", "frequency_y", "d_spacing")]
        relative = parameter_value("hrtem.rim") / length * estimate.values[at[2]]
        along = np.array([1.0, 1.0, -1.0]) * relative * estimate.values[at]
        covariance[np.ix_(at, at)] += np.outer(along, along)
    more = np.diagonal(covariance) - np.diagonal(estimate.covariance)
    return dataclasses.replace(estimate, covariance=covariance, std=np.sqrt(estimate.std**2 + more))


def _only(estimate: Estimate, keep: list[int]) -> Estimate:
    index = np.array(keep, dtype=int)
    return dataclasses.replace(
        estimate,
        names=tuple(estimate.names[i] for i in keep),
        values=estimate.values[index],
        std=estimate.std[index],
        covariance=estimate.covariance[np.ix_(index, index)],
        empty=estimate.empty[index],
    )


def _position_std(estimate: Estimate, i: int) -> float:
    """Return the relative error of a spot's spacing by its position alone."""
    q = estimate[f"d_spacing_{i + 1}"]
    return q.std / q.value if np.isfinite(q.std) else 1.0


def _without_spots(data: Prepared, found: Search, false_alarm: float) -> Estimate:
    """Return an estimate that says that there are no spots, with the contrast where one might have been."""
    highest = found.highest
    if highest is None:
        raise InputError("There is nothing to see in this image: its power spectrum is empty between d_min and d_max.")
    field = bands.cut(data.contrast, (highest,), data.pixel_nm)
    begin = bands.start(field)
    estimate, misfit = _fit_twice(
        begin, bands.channels(field), {"free": ["amplitude"], "solver": SOLVER, "throw": False}
    )
    estimate = _only(estimate, [0])
    estimate = dataclasses.replace(
        estimate,
        definitions=estimate.definitions
        | {"amplitude_1": "contrast at the place that stands out most; speckle alone does as much"},
        pictures=(pictures.original(data), pictures.transform(data, found, np.zeros((0, 2)), [])),
    )
    elsewhere = search(data.contrast, 8.0 / data.contrast.shape[0], 0.45, false_alarm=false_alarm, most=3)
    outside = [data.pixel_nm / np.hypot(s.kx, s.ky) * data.contrast.shape[0] for s in elsewhere.spots]
    ring = ring_of(found.power, data.pixel_nm, data.d_min_nm, data.d_max_nm)
    return with_story(estimate, data, found, None, misfit, None, ring, outside_nm=outside)


def _with_guess(measurement: Hrtem, guess: Mapping[str, float]) -> Hrtem:
    known = {s.name: s for s in slots(measurement, "measurement")}
    given = {known[check.one_of(n, known, "The start value")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(measurement, given) if given else measurement


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    phase: str | None = None,
    cif: Any = None,
    zone: str = "001",
    thickness: float | None = None,
    edge: float | None = None,
    shape: str = "cube",
    defocus: float | None = None,
    cs: float | None = None,
    voltage: float | None = None,
    scale: str | float = 0.02,
    size: int = 512,
    turn: float | None = None,
    strain: float = 0.0,
    support: float = 3.0,
    counts: float = 200.0,
) -> xr.Dataset:
    """Simulate a lattice image; see `scene.simulate` for what it takes.

    Args:
        specimen: a `Specimen`: its most abundant phase, size, shape and strain, where they are not given.
        seed: of support and counts.
        phase: phase of the library; CsPbBr3 where nothing says otherwise.
        cif: one structure file instead of it.
        zone: direction of the beam, such as ``"001"``.
        thickness: along the beam, nm.
        edge: of the crystal across the beam, nm; by default it fills the picture.
        shape: ``"cube"`` or ``"sphere"``.
        defocus: nm, negative for underfocus.
        cs: spherical aberration, mm.
        voltage: kV.
        scale: size of a pixel, nm, or text such as ``"0.02 nm/px"``.
        size: pixels along an edge.
        turn: rotation of the crystal in the picture, degrees.
        strain: isotropic linear strain.
        support: thickness of the amorphous carbon film, nm.
        counts: expected in a pixel of empty space.

    Returns:
        An image in counts.

    Raises:
        InputError: numbers or names that cannot be used.
    """
    name: Any = phase
    if cif is not None:
        if phase is not None:
            raise InputError("Give a phase or a structure file (cif), not both.")
        given = crystals((), cif)
        if len(given) > 1:
            raise InputError("A lattice image shows one structure; name a single file.")
        name = given[0]
    return scene.simulate(
        specimen, seed=seed, phase_name=name, zone=zone, thickness=thickness, edge=edge, shape=shape, defocus=defocus,
        cs=cs, voltage=voltage, pixel=parse_scale(scale), size=size, turn=turn or 0.0, strain=strain, support=support,
        counts=counts,
    )  # fmt: skip


def example() -> Hrtem:
    """Return fringes whose answer is known, for the inversion tests: three spots of cubic CsPbBr3 along [001]."""
    k = 1.0 / 0.5874
    m, edge = 9, 10.24
    at = (np.arange(m) / m - 0.5) * edge
    here = np.exp(-0.5 * (at[:, None] ** 2 + at[None, :] ** 2) / 3.5**2)
    return fringes(
        [[k, 0.0], [0.0, k], [k, k]],
        [200.0, 160.0, 240.0],
        [0.4, -0.9, 1.7],
        middle_per_nm=[[k + 0.03, -0.02], [0.01, k - 0.04], [k - 0.02, k + 0.03]],
        x_nm=at,
        y_nm=-at,
        envelope=np.broadcast_to(here, (3, m, m)),
    )
