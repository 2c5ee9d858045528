"""Absorption spectra: gap, exciton and amounts from absorbance, transmittance or diffuse reflectance; Tauc beside it.

`edge_shape` has the edge, `dielectric` the n and k of the phases, `scales` what instruments show, `model` the
measurement, `start` and `fitting` the fit and its errors, `tauc` the straight lines, `bias` what both get wrong.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.observation import conditions_of
from perolas.core.parameter import replace, table
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.absorption import dielectric, scales
from perolas.measurements.absorption.door import FEWEST, Points, points_of
from perolas.measurements.absorption.fitting import PRIORS, Wishes, model_of, solve, with_choices
from perolas.measurements.absorption.model import Absorption
from perolas.measurements.absorption.simulation import example, simulate
from perolas.measurements.absorption.start import PARENT, PEROVSKITE, REACH, Start, search
from perolas.measurements.absorption.tauc import tauc_gaps
from perolas.measurements.absorption.words import no_edge, told

__all__ = [
    "PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Absorption", "example", "fit", "scales", "simulate", "tauc_gaps",
]  # fmt: skip

PARAMETERS = table(Absorption)
PARAMETERS_USED = (
    *dielectric.PARAMETERS_USED,
    *PRIORS.values(),
    "absorption.sphere_wall_reflectance",
    "CsPbBr3.band_gap",
    "CsPbBr3.gap_slope",
    "CsPbBr3.gap_phonon_energy",
    "CsPbBr3.linewidth_inhomogeneous",
    "CsPbBr3.linewidth_acoustic",
    "CsPbBr3.linewidth_lo_coupling",
    "CsPbBr3.lo_phonon_energy",
)
REFERENCES: tuple[str, ...] = ("elliott1957", "tauc1966", "kubelka1931", "jacquez1955", "brennan2024", "hens2012")
_AROUND_EV = (0.6, 0.6)  # of an automatic window, below and above the gap
_TOP_EV = 4.25  # beyond it the n and k of Cs4PbBr6 are a guess, and toluene absorbs
_PLAIN = 2000.0  # the same, for an edge that nobody would overlook
_ENOUGH = 40.0  # fall of chi-square, in units of what a point keeps, for an edge with its six numbers


def fit(
    observation: xr.Dataset,
    *,
    window: tuple[float, float] | None = None,
    kind: str = "auto",
    scale: str = "auto",
    model: str = "auto",
    medium: str = "auto",
    path: float | None = None,
    port: float = 0.0,
    reference: float | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate gap, exciton, amounts and background of an absorption spectrum.

    Args:
        observation: a spectrum on ``wavelength_nm`` or ``energy_ev``.
        window: energies to fit, eV; None: around the edge that is found.
        kind: ``"absorbance"``, ``"transmittance"``, ``"reflectance"``, or ``"auto"``: as the file says.
        scale: of transmittance and reflectance: ``"share"``, ``"percent"``, or ``"auto"``.
        model: ``"edge"`` (one edge of any material), ``"phases"`` (CsPbBr3 and Cs4PbBr6), or ``"auto"``.
        medium: around the nanocrystals: ``"toluene"``, ``"water"``, ``"film"`` (a solid), or ``"auto"``.
        path: length of the light's path, cm; None: as the file says; without either only concentration x path is given.
        port: share of an integrating sphere's wall that the sample's port takes (single beam).
        reference: reflectance of the white reference; None: of the parameter library.
        free: names added to what is fitted (`stray`).
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra["errors"]`` says where errors come from, ``extra["tauc"]`` holds the straight lines. A
        spectrum without an edge gives its level and says so.

    Raises:
        InputError: data or options that cannot be used.
    """
    check.one_of(model, ("auto", "edge", "phases"), "The model")
    check.one_of(medium, ("auto", *dielectric.MEDIA), "The medium")
    points = points_of(observation, kind, scale)
    if window is not None:
        points = points.within(*window)
        if points.energy.size < FEWEST:
            raise InputError(
                f"An edge and its background need at least {FEWEST} points, but only {points.energy.size} lie in the "
                f"window from {window[0]:g} to {window[1]:g} eV."
            )
    wishes = Wishes(tuple(free), tuple(fix), dict(guess or {}), int(check.positive(starts, "starts")), seed)
    points, start, phases, windowed = _place(points, model, window is not None)
    settings = _settings(observation, points, start, phases, medium, path, port, reference)
    edge = math.isfinite(start.gap)
    if start.gain < _ENOUGH:
        return _background(points, settings, "scattering and a constant explain these data as well.")
    first = model_of(points, start, phases, **settings)
    found = _solved(first if edge else _held(first), points, wishes, edge)
    if edge and phases and found.result == "converged" and _doubt(found, points):
        edge = False  # Cs4PbBr6 alone: what stands at the edge of CsPbBr3 is a limit
        found = _solved(_held(first), points, wishes, edge)
    if found.result != "converged":
        if start.gain < _PLAIN:
            return _background(points, settings, "no fit of one settles on what may be noise.")
        return dataclasses.replace(found, notes=(*found.notes, *points.notes))
    whole, budget = with_choices(found, points)
    why = _doubt(whole, points) if edge and not phases else ""
    if why:
        return _background(points, settings, why)
    stated = path is not None or "path_cm" in conditions_of(observation)
    return told(whole, points, budget, edge, windowed, stated)


def _held(model: Absorption) -> Absorption:
    """Return the model with the edge of CsPbBr3 where the library has it, and nothing of it yet."""
    gap = parameter_value("CsPbBr3.band_gap") + parameter_value("CsPbBr3.exciton_binding_energy") / 1e3
    return replace(model, gap_ev=np.float64(gap), binding_ev=np.float64(gap - parameter_value("CsPbBr3.band_gap")),
                   fwhm_ev=np.float64(0.07), upper=np.float64(1.0), amplitude=np.float64(0.0))  # fmt: skip


def _solved(first: Absorption, points: Points, wishes: Wishes, edge: bool) -> Estimate:
    found = solve(first, points, wishes, edge)
    if found.result == "converged":
        return found
    return solve(first, points, dataclasses.replace(wishes, starts=max(6, wishes.starts)), edge)


def _place(points: Points, model: str, given: bool) -> tuple[Points, Start, bool, str]:
    """Return the points to fit, where the edge is, whether Cs4PbBr6 is in the model, and a word on the window."""
    reaches = points.energy[0] < PARENT[0] - 0.2 and points.energy[-1] >= REACH
    if model == "phases" and not reaches:
        raise InputError(
            f"The phases need a spectrum from below {PARENT[0] - 0.2:g} eV to {REACH:g} eV (306 nm), where the exciton "
            f"of Cs4PbBr6 lies; this one runs from {points.energy[0]:.3g} to {points.energy[-1]:.3g} eV."
        )
    if model != "edge" and reaches:
        near = points if given else points.within(points.energy[0], _TOP_EV)
        both = search(near, True, *PEROVSKITE)
        alone = search(near, False)
        known = PEROVSKITE[0] <= alone.gap <= PEROVSKITE[1] or PARENT[0] - 0.1 <= alone.gap <= PARENT[1] + 0.2
        if model == "phases" or (known and both.gain >= alone.gain):
            word = "" if given else f"Fitted up to {near.energy[-1]:.2f} eV, the exciton of Cs4PbBr6 with it."
            return near, both, True, word
    start = search(points, False)
    if given or not math.isfinite(start.gap) or start.gain < _ENOUGH:
        return points, start, False, ""
    near = points.within(start.gap - _AROUND_EV[0], start.gap + _AROUND_EV[1])
    if near.energy.size < max(FEWEST, 25) or near.energy.size == points.energy.size:
        return points, start, False, ""
    word = f"Fitted from {near.energy[0]:.2f} to {near.energy[-1]:.2f} eV, around the edge (window)."
    return near, search(near, False), False, word


def _settings(
    observation: xr.Dataset, points: Points, start: Start, phases: bool, medium: str, path: float | None,
    port: float, reference: float | None,
) -> dict[str, Any]:  # fmt: skip
    said = conditions_of(observation)
    if not 0 <= port < 0.5:
        raise InputError(f'Argument "port" must lie between 0 and 0.5, but is {port:g}.')
    cm = path if path is not None else said.get("path_cm", 1.0)
    chosen = medium if medium != "auto" else str(said.get("medium", "toluene"))
    ours = phases or PEROVSKITE[0] <= start.gap <= PEROVSKITE[1]
    if medium == "auto" and (not ours or chosen not in dielectric.MEDIA):
        chosen = ""
    white = parameter_value("absorption.white_reference_reflectance") if reference is None else reference
    return {
        "medium": chosen,
        "path_cm": check.positive(float(cm), "path", "cm"),
        "port": port,
        "wall": parameter_value("absorption.sphere_wall_reflectance"),
        "reference": check.positive(white, "reference"),
    }


def _doubt(found: Estimate, points: Points) -> str:
    """Return why an edge that was fitted is none, or ""."""
    amplitude, span = found["amplitude"], float(np.ptp(points.energy))
    area = found["exciton_area"]
    seen = max(abs(amplitude.value) / amplitude.std, abs(area.value) / area.std)
    if not seen > 4.0 or amplitude.value <= 0:
        return "what looks like one stands less than four standard errors above the background."
    if found["fwhm"].value > 0.5 * span:
        return "what rises is as wide as the window."
    exciton = found["exciton"]
    if not (points.energy[0] < exciton.value < points.energy[-1]) or exciton.std > 0.25 * span:
        return "what rises has no place within the window."
    return ""


def _background(points: Points, settings: dict[str, Any], why: str) -> Estimate:
    """Return the level of a spectrum without an edge, weighted by what each point's noise is."""
    weight = 1.0 / points.variance
    level = float(np.sum(weight * points.signal) / np.sum(weight))
    excess = float(np.mean(weight * (points.signal - level) ** 2))
    quiet = dataclasses.replace(points, variance=points.variance * max(excess, 1.0))
    optical = {"absorbance": level, "transmittance": -math.log10(max(level, 1e-3))}.get(points.kind, 0.1)
    empty = Start(math.nan, 0.03, 0.07, 0.0, 0.0, 0.0, 0.0, optical, 4.0, 3.95, 0.0)
    model = model_of(quiet, empty, False, **{**settings, "medium": ""})
    return no_edge(invert(model, points.signal, free=["offset"], throw=False), quiet, why)
