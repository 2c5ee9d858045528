"""Absorption spectra: an exciton edge from absorbance, transmittance or diffuse reflectance; Tauc for comparison.

`elliott` has the edge, `scales` what instruments show, `model` the measurement, `tauc` the straight lines.
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
from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.noise import Gaussian, UnknownGaussian
from perolas.core.observation import axis_of, conditions_of
from perolas.core.parameter import expand, slots, table, write_slots
from perolas.core.units import HC_EV_NM
from perolas.matter import optics
from perolas.measurements.absorption import scales
from perolas.measurements.absorption.elliott import elliott
from perolas.measurements.absorption.model import KINDS, Edge
from perolas.measurements.absorption.tauc import bias_table, tauc_gaps

__all__ = [
    "PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Edge", "bias_table", "elliott", "example", "fit", "scales",
    "simulate", "tauc_gaps",
]  # fmt: skip

PARAMETERS = table(Edge)
PARAMETERS_USED = optics.PARAMETERS_USED
REFERENCES: tuple[str, ...] = ()
_QUANTITIES = {"%T": "transmittance", "T": "transmittance", "%R": "reflectance", "R": "reflectance"}


def fit(
    observation: xr.Dataset,
    *,
    window: tuple[float, float] | None = None,
    kind: str = "auto",
    port: float = 0.0,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate gap, exciton and background of an absorption edge.

    Args:
        observation: a spectrum on ``wavelength_nm`` or ``energy_ev``; percent or shares.
        window: energies to fit, eV.
        kind: ``"absorbance"``, ``"transmittance"``, ``"reflectance"``, or ``"auto"``: as the file says.
        port: share of an integrating sphere's wall that the sample's port takes (single beam).
        free: names added to what is fitted (`scatter_power`).
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra["tauc"]`` holds the straight lines.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge.
    """
    energy, signal, variance, chosen = _points(observation, window, kind)
    noise = UnknownGaussian() if variance is None else Gaussian(variance)
    first = _start(energy, signal, chosen, noise, port)
    known = slots(first, "measurement")
    by_name = {s.name: s for s in known}
    given = {by_name[check.one_of(n, by_name, "The start value")]: np.float64(v) for n, v in (guess or {}).items()}
    names = [s.name for s in known if s.free] + list(expand(free, known))
    start = write_slots(first, given)
    flat = invert(dataclasses.replace(start, amplitude=0.0), signal, free=["offset"], throw=False)
    found = invert(start, signal, free=names, fix=fix, starts=starts, seed=seed, throw=False)
    if found.result != "converged" or not float(found.bic) < float(flat.bic) - 6.0:
        return _no_edge(flat, signal)
    return _story(found, names, fix)


def _points(
    observation: xr.Dataset, window: tuple[float, float] | None, kind: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str]:
    """Return energies (rising), signal as a share, its variance if known, and the kind of signal."""
    check.one_of(kind, ("auto", *KINDS), "The kind of signal")
    name = axis_of(observation)
    if name not in ("wavelength_nm", "energy_ev") or observation["signal"].ndim != 1:
        raise InputError(
            f"An absorption spectrum is one signal on wavelength_nm or energy_ev, but this axis is {name}."
        )
    x = np.asarray(observation[name].values, dtype=np.float64)
    if np.any(x <= 0):
        raise InputError("The axis holds values that are not positive.")
    energy = HC_EV_NM / x if name == "wavelength_nm" else x
    signal = np.asarray(observation["signal"].values, dtype=np.float64)
    if not np.all(np.isfinite(signal)):
        raise InputError(
            f"The signal has {np.sum(~np.isfinite(signal))} values that are not numbers; remove them first."
        )
    units = str(observation["signal"].attrs.get("units", "1"))
    if units == "counts":
        raise InputError("These are counts; an absorption spectrum is absorbance, transmittance or reflectance.")
    factor = 0.01 if units == "percent" else 1.0
    said = conditions_of(observation)
    auto = str(said.get("kind", _QUANTITIES.get(str(said.get("quantity", "")), "")))
    chosen = kind if kind != "auto" else auto or ("transmittance" if units == "percent" else "absorbance")
    order = np.argsort(energy)
    if window is not None:
        order = order[(energy[order] >= window[0]) & (energy[order] <= window[1])]
    if order.size < 10:
        raise InputError(
            f"An edge and its background need at least 10 points, but only {order.size} are in the window."
        )
    variance = factor**2 * observation["variance"].values[order] if "variance" in observation else None
    return energy[order], factor * signal[order], variance, check.one_of(chosen, KINDS, "The kind of signal")


def _start(energy: np.ndarray, signal: np.ndarray, kind: str, noise: Any, port: float) -> Edge:
    """Return an edge at the steepest rise."""
    if not 0 <= port < 0.5:
        raise InputError(f'Argument "port" must lie between 0 and 0.5, but is {port:g}.')
    if kind == "transmittance":
        optical = np.asarray(scales.absorbance(np.clip(signal, 1e-3, None)))
    elif kind == "reflectance":
        optical = np.asarray(scales.kubelka_munk(np.clip(signal, 1e-3, 1.0)))
    else:
        optical = signal
    width = max(1, energy.size // 60)
    smooth = np.convolve(np.pad(optical, width, mode="edge"), np.ones(2 * width + 1) / (2 * width + 1), mode="valid")
    rise = np.gradient(smooth, energy)
    at = int(np.argmax(rise))
    low = float(np.percentile(smooth, 5))
    return Edge(
        gap_ev=float(energy[at]) + 0.02, amplitude=max(float(np.percentile(smooth, 80)) - low, 1e-3), offset=low,
        energy_ev=energy, noise=noise, kind=kind, sphere=(port, 0.98, 1.0),
    )  # fmt: skip


def _no_edge(flat: Estimate, signal: np.ndarray) -> Estimate:
    """Return the level of a spectrum that shows no edge, with what that means."""
    words = [
        "No absorption edge is seen: a constant explains these data as well, so no gap follows from them; the mean "
        "level is given."
    ]
    if flat.fitted()[0].kind != "absorbance" and (np.any(signal < 0) or np.any(signal > 1.2)):
        share = float(np.mean((signal < 0) | (signal > 1.2)))
        words.append(f"{share:.0%} of the points lie outside 0 to 120 %: noise or the instrument, not the sample.")
    level = Quantity(
        float(signal.mean()), float(signal.std(ddof=1) / math.sqrt(signal.size)), "1", "mean of the signal"
    )
    lost = np.array([n in ("exciton", "exciton_area") for n in flat.names])  # of an edge that is not there
    flat = dataclasses.replace(
        flat,
        values=np.where(lost, np.nan, flat.values),
        std=np.where(lost, np.inf, flat.std),
        empty=flat.empty | lost,
    )
    return dataclasses.replace(flat, warnings=(*flat.warnings, *words), added={"mean_signal": level})


def _story(found: Estimate, names: list[str], fix: Sequence[str]) -> Estimate:
    """Add what fit window and baseline do to the gap, and what Tauc plots would say."""
    model = found.fitted()[0]
    energy = np.asarray(model.energy_ev)
    notes, warnings, extra = list(found.notes), list(found.warnings), dict(found.extra)
    exciton = found["exciton"].value
    others: list[dict[str, Any]] = []
    span = energy[-1] - energy[0]
    trials = {
        "window shorter above": (energy <= energy[-1] - 0.2 * span, 4.0),
        "window shorter below": (energy >= energy[0] + 0.1 * span, 4.0),
        "scattering as E^2": (np.ones(energy.size, dtype=bool), 2.0),
    }
    for label, (near, power) in trials.items():
        noise: Any = model.noise
        if isinstance(noise, Gaussian):
            noise = Gaussian(np.broadcast_to(np.asarray(noise.variance), energy.shape)[near])
        if near.sum() < 10 or not energy[near][0] < exciton < energy[near][-1]:
            continue
        other = dataclasses.replace(model, energy_ev=energy[near], noise=noise, scatter_power=power)
        end = invert(other, found.signal[near], free=names, fix=fix, throw=False)
        if end.result == "converged":
            others.append({"choice": label, "gap": end["gap"].value, "exciton": end["exciton"].value})
    for name in ("gap", "exciton"):
        off = max((abs(o[name] - found[name].value) for o in others), default=0.0)
        total = math.hypot(found[name].std, off)
        text = f"{name} with an error that holds the choice of window and baseline (largest change among them)"
        found = dataclasses.replace(found, added={**found.added, f"{name}_systematic": Quantity(
            found[name].value, total, "eV", text)})  # fmt: skip
    extra["choices"] = others
    if model.kind == "absorbance":
        rows = tauc_gaps(energy, found.signal - np.asarray(model.components()["scattering"]))
        extra["tauc"] = rows
        direct = [r["gap_ev"] for r in rows if r["exponent"] == "direct"]
        if direct:
            warnings.append(
                f"Tauc plots (direct) would give {min(direct):.3f} to {max(direct):.3f} eV by the stretch chosen: they "
                "know no exciton and lie below the gap (see bias_table)."
            )
    if model.kind == "reflectance":
        notes.append("Kubelka-Munk: a thick, diffusing layer, weak absorption, S constant over the edge.")
        if float(found.signal.min()) < 0.2:
            warnings.append("Reflectance below 0.2: Kubelka-Munk is not valid there.")
    if found["fwhm"].value > 3 * found["binding"].value:
        notes.append("The broadening hides the exciton's line: binding energy and gap rest on the model's shape.")
    return dataclasses.replace(found, notes=tuple(notes), warnings=tuple(warnings), extra=extra)


def simulate(
    specimen: Any = None, *, seed: int = 0, kind: str = "absorbance", points: int = 401, noise: float = 1e-3
) -> xr.Dataset:
    """Simulate the absorption edge of a specimen against photon energy, 2.0 to 3.0 eV.

    Args:
        specimen: a `Specimen`, which decides gap and width; None: those of the parameter table.
        seed: seed of the noise.
        kind: what is measured, one of ``"absorbance"``, ``"transmittance"``, ``"reflectance"``.
        points: number of points.
        noise: standard deviation of the signal.

    Returns:
        An observation with its variance.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.one_of(kind, KINDS, "The kind of signal")
    check.positive(noise, "noise")
    if not 10 <= int(points) <= 100_000:
        raise InputError(f'Argument "points" must lie between 10 and 100000, but is {points}.')
    model = Edge(
        scatter=0.05, offset=0.02, energy_ev=np.linspace(2.0, 3.0, int(points)), kind=kind,
        noise=Gaussian(np.full(int(points), noise**2)),
    )  # fmt: skip
    made = draw(model, specimen, seed=seed)
    made.attrs["conditions"] = f'{{"kind": "{kind}"}}'
    return made


def example() -> Edge:
    """Return an edge whose answer is known, for the inversion tests."""
    energy = np.linspace(2.1, 2.9, 321)
    return Edge(scatter=0.05, offset=0.02, energy_ev=energy, noise=Gaussian(np.full(energy.size, 1e-6)))
