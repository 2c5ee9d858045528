"""Analysis of powder patterns: weight fractions, cells, sizes and strains of named phases (equations: `model`).

Quantities of an estimate, with PHASE the name of a phase: ``area_PHASE``, ``crystallite_size_PHASE``,
``cell_a_PHASE`` (and b, c, where symmetry leaves them free), ``cell_angle_beta_PHASE``, ``displacement``,
``background_k``; derived ``weight_fraction_PHASE`` (where there are several), ``cell_volume_PHASE``; added
``detection_limit_PHASE``. Held unless named in `free`: ``microstrain_PHASE``, ``march_PHASE``, ``extra_u_PHASE``,
``zero`` and the instrument's profile (``caglioti_u``, ``caglioti_v``, ``caglioti_w``, ``lorentz_x``, ``lorentz_y``,
``axial``, ``ka2_ratio``).

A standard gives the instrument: fit it with those freed, `save_instrument`, and name the file as `instrument` in the
fits of everything else measured on the same machine.

`prepare` makes the pattern ready, `lines` freezes the reflections, `start` finds where to begin, `words` says how it
went, `candidates` ranks phases, `series` fits many patterns as one batch.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.observation import conditions_of
from perolas.core.parameter import expand, replace, slots, table, write_slots
from perolas.core.solver import LevenbergMarquardt
from perolas.matter.crystal import phase
from perolas.matter.specimen import PHASES
from perolas.measurements.xrd.candidates import rank
from perolas.measurements.xrd.instrument import Instrument, settle
from perolas.measurements.xrd.lines import pattern
from perolas.measurements.xrd.model import PARAMETERS_USED, REFERENCES, Xrd
from perolas.measurements.xrd.prepare import Prepared, crystals_of, prepare, textures
from perolas.measurements.xrd.start import Start, search, with_texture
from perolas.measurements.xrd.words import SIGMAS, unexplained, with_story

__all__ = [
    "PARAMETERS",
    "PARAMETERS_USED",
    "REFERENCES",
    "Instrument",
    "Xrd",
    "example",
    "fit",
    "pattern",
    "simulate",
]

PARAMETERS = table(Xrd)
SOLVER = LevenbergMarquardt(tol=1e-9, chunk=1)  # one pattern fills the cache: more at once are slower
_LEAST_NM = 2.0
_DEFAULT_PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr")


def fit(
    observation: xr.Dataset,
    *,
    phases: Sequence[str] = (),
    cif: str | os.PathLike[str] | Sequence[str] | None = None,
    instrument: str | os.PathLike[str] | Instrument | None = None,
    save_instrument: str | None = None,
    anode: str | None = None,
    wavelength: float | None = None,
    monochromator: float | None = None,
    radius: float | None = None,
    window: tuple[float, float] | None = None,
    background: str | int = "auto",
    texture: Sequence[str] = (),
    candidates: bool = False,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate weight fractions, cells and sizes from a powder pattern.

    Args:
        observation: one pattern, axis ``two_theta_deg``; its conditions may hold wavelength, radius, monochromator.
        phases: names of phases of the library.
        cif: a CIF file, a folder of them, or a list of files; each is one more phase, named after its file.
        instrument: a file written by `save_instrument`, or an `Instrument`.
        save_instrument: where to write the instrument of this fit.
        anode: of the tube, such as ``"Cu"``: K alpha 1 and 2.
        wavelength: a single wavelength in nm.
        monochromator: its angle two theta in degrees.
        radius: of the goniometer, mm.
        window: first and last two theta to look at, degrees.
        background: number of Chebyshev polynomials, or ``"auto"``: by the length of the axis.
        texture: ``"PHASE=HKL"``: the March-Dollase ratio of that phase is fitted too, along that axis.
        candidates: rank `phases` and `cif` first (see `candidates`), then fit the best one alone.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; ``extra`` holds ``foreign_lines``, the ``instrument``, the number of ``lines`` of each phase, and
        ``candidates`` where they were ranked.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge.
    """
    crystals = crystals_of(phases, cif)
    if not crystals:
        raise InputError("Name the phases to look for (phases, from the library) or give their structures (cif).")
    ranked: list[dict[str, Any]] = []
    if candidates:
        ranked = rank(observation, phases=phases, cif=cif, anode=anode, wavelength=wavelength, window=window)
        first = next((c for c in crystals if c.name == ranked[0]["name"]), None)
        if first is None:
            raise InputError("None of the candidates shows in this pattern: a background alone is more probable.")
        crystals = [first]
    data = prepare(observation, window)
    machine, sentence = _machine(observation, instrument, wavelength, anode, monochromator, radius)
    count = polynomials(background, data.axis)
    wanted = textures(texture, [c.name for c in crystals])
    begin = search(crystals, data.axis, data.signal, data.weight, machine, count)
    measurement = pattern(
        crystals, data.axis, machine, reach_deg=reach(begin, machine, data), texture=wanted,
        axial=True if "axial" in free else None, noise=data.noise, **begin.values,
    )  # fmt: skip
    begins = [measurement]
    if wanted:
        sides = (False, True)
        begins = [with_texture(measurement, data.signal, data.weight, wanted, needles=s) for s in sides]
    known = slots(measurement, "measurement")
    names = {s.name for s in known if s.free} | set(expand(free, known)) | {f"march_{n}" for n in wanted}
    held = [c.name for c, seen in zip(crystals, begin.seen, strict=True) if not seen]
    for name in held:
        names -= {s.name for s in known if s.name.endswith(f"_{name}") and s.name != f"area_{name}"}
    options: dict[str, Any] = {"fix": fix, "solver": SOLVER, "starts": starts, "seed": seed}
    begins = [_with_guess(_plain(m, held), guess or {}) for m in begins]
    try:
        estimate = _best(begins, data.signal, {**options, "free": sorted(names)})
        again = [n for n in _doubtful(estimate) if n not in held]
        if again:
            for name in again:
                names -= {s.name for s in known if s.name.endswith(f"_{name}") and s.name != f"area_{name}"}
            held += again
            begins = [_with_guess(_plain(m, again), guess or {}) for m in begins]
            estimate = _best(begins, data.signal, {**options, "free": sorted(names)})
        if estimate.result != "converged":
            raise FitError(f"The xrd fit failed: {estimate.message}")
    except FitError as error:
        raise FitError(unexplained(str(error), begins[0], data)) from None
    notes = [sentence]
    if ranked:
        second = f"; the next, {ranked[1]['name']}, is worse by {ranked[1]['bic']:.0f} in BIC" if ranked[1:] else ""
        notes.append(f"{ranked[0]['name']} is the best of {len(ranked) - 1} candidates{second}: {ranked[0]['verdict']}")
    estimate = with_story(estimate, notes, data.weight, held)
    if ranked:
        estimate = dataclasses.replace(estimate, extra=estimate.extra | {"candidates": ranked})
    if save_instrument is not None:
        Instrument.from_json(estimate.extra["instrument"]).save(save_instrument)
    return estimate


def _best(begins: list[Xrd], signal: np.ndarray, options: dict[str, Any]) -> Estimate:
    """Return the most likely of the fits from several starts, of those that converged where any did."""
    tried = [invert(m, signal, throw=False, **options) for m in begins]
    good = [e for e in tried if e.result == "converged"]
    return max(good or tried, key=lambda e: float(e.log_likelihood))


def _doubtful(estimate: Estimate) -> list[str]:
    """Return the phases below their limit, and those of hardly a cell's size: noise and background in disguise."""
    found = []
    for slot in estimate.problem.free:
        if slot.group == "crystallite_size":
            name = slot.name.removeprefix("crystallite_size_")
            area = estimate[f"area_{name}"] if f"area_{name}" in estimate.names else None
            faint = area is not None and area.std > 0 and area.value < SIGMAS * area.std
            # Where the fit did not settle, a phase is faint unless it shows: its cell and size would not settle.
            if estimate.result != "converged" and area is not None:
                faint = not area.value >= SIGMAS * area.std
            if faint or estimate[slot.name].value < _LEAST_NM:
                found.append(name)
    return found


def _plain(measurement: Xrd, names: Sequence[str]) -> Xrd:
    """Return the pattern with the named phases at the cell of their structure file and a usual size.

    The search has moved the cell of a phase that is not there to where the noise looks most like it; an area fitted
    there would be too large, and its limit no limit.
    """
    if not names:
        return measurement
    lengths = np.array(measurement.length_nm)
    sizes = np.array(measurement.crystallite_nm)
    shown = [i for i, n in enumerate(measurement.phases) if n not in names]
    for i, name in enumerate(measurement.phases):
        if name in names:
            own = [where for kind, where in measurement.cells[i] if kind == "length"]
            lengths[own] = np.asarray(measurement.reference_length_nm)[own]
            sizes[i] = sizes[shown].mean() if shown else max(float(sizes[i]), 10.0)
    return replace(measurement, length_nm=jnp.asarray(lengths), crystallite_nm=jnp.asarray(sizes))


def _machine(
    observation: xr.Dataset,
    instrument: str | os.PathLike[str] | Instrument | None,
    wavelength: float | None,
    anode: str | None,
    monochromator: float | None,
    radius: float | None,
) -> tuple[Instrument, str]:
    given = instrument if isinstance(instrument, Instrument) or instrument is None else Instrument.load(instrument)
    return settle(conditions_of(observation), given, wavelength, anode, monochromator, radius)


def polynomials(background: str | int, axis: np.ndarray) -> int:
    """Return the number of background polynomials: as given, or one for each 15 degrees and three more."""
    if str(background) == "auto":
        return int(np.clip(3 + (axis[-1] - axis[0]) / 15.0, 3, 12))
    try:
        count = int(background)
    except (TypeError, ValueError):
        count = 0
    if not 1 <= count <= 40:
        raise InputError(f'Option "background" must be "auto" or a number from 1 to 40, but is "{background}".')
    return count


def reach(begin: Start, machine: Instrument, data: Prepared) -> float | None:
    """Return how far lines are computed: so far that what is cut off stays below the noise."""
    size = float(np.min(begin.values["crystallite_nm"]))
    width = np.rad2deg(machine.wavelengths_nm[0] / size) + machine.lorentz_y + machine.lorentz_x + 0.01
    strongest = float(np.max(data.signal)) * float(np.median(np.sqrt(data.weight[data.weight > 0])))
    # A Lorentzian of height s is below a tenth of the noise from sqrt(2.5 s) widths on.
    return float(np.clip(width * np.sqrt(2.5 * max(strongest, 1.0)), 3.0, 60.0))


def _with_guess(measurement: Xrd, guess: Mapping[str, float]) -> Xrd:
    known = {s.name: s for s in slots(measurement, "measurement")}
    chosen = {known[check.one_of(n, known, "The start value")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(measurement, chosen) if chosen else measurement


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    phases: Sequence[str] = (),
    cif: str | os.PathLike[str] | Sequence[str] | None = None,
    instrument: str | os.PathLike[str] | Instrument | None = None,
    anode: str | None = None,
    wavelength: float | None = None,
    monochromator: float | None = None,
    radius: float | None = None,
    counts: float = 1e4,
    span: tuple[float, float] = (10.0, 60.0),
    step: float = 0.02,
    parameters: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Simulate a powder pattern of a specimen, or of equal areas of some phases.

    Args:
        specimen: a `Specimen`: its phases, sizes and strain; None: equal areas of `phases` and of `cif`.
        seed: seed of the counts.
        phases: names of phases; by default those that the specimen holds, or Cs4PbBr6, CsPbBr3 and CsBr.
        cif: structures from files.
        instrument: a file, or an `Instrument`.
        anode: of the tube; copper by default.
        wavelength: a single wavelength in nm.
        monochromator: its angle two theta in degrees.
        radius: of the goniometer, mm.
        counts: counts expected at the highest point.
        span: first and last two theta, degrees.
        step: between points, degrees.
        parameters: values by field name, e.g. ``{"displacement_mm": 0.05}``.

    Returns:
        An observation with wavelength and geometry among its conditions.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.positive(counts, "counts")
    check.positive(step, "step", "°")
    low, high = span
    if not 0 < low < high < 180 or (high - low) / step > 1e5:
        raise InputError(f"A pattern from {low:g} to {high:g} ° in steps of {step:g} ° cannot be simulated.")
    names: Sequence[str] = phases
    if not names and cif is None:
        held = () if specimen is None else np.asarray(specimen.fraction)
        names = [p for p, f in zip(PHASES, held, strict=False) if f > 0] or _DEFAULT_PHASES
    crystals = crystals_of(names, cif)
    start = {} if wavelength is not None or instrument is not None else {"anode": "Cu"}
    given = instrument if isinstance(instrument, Instrument) or instrument is None else Instrument.load(instrument)
    machine, _ = settle(start, given, wavelength, anode, monochromator, radius)
    axis = np.arange(low, high + step / 2, step)
    measurement = pattern(crystals, axis, machine, polynomials=1)
    fields = {row.field for row in PARAMETERS}
    for name in parameters or {}:
        check.one_of(name, fields, "The parameter")
    measurement = replace(measurement, **{k: jnp.asarray(v, dtype=float) for k, v in (parameters or {}).items()})
    if specimen is not None:
        measurement = measurement.respond(specimen)
    dark = max(0.01 * counts, 1.0)
    if "background" not in (parameters or {}):
        measurement = replace(measurement, background=jnp.asarray([dark]))
    peak = float(jnp.max(measurement.expected() - dark))
    measurement = replace(measurement, area=measurement.area * max(counts - dark, 1.0) / max(peak, 1e-30))
    observation = draw(measurement, seed=seed)
    lengths = dict(zip(("wavelength_nm", "wavelength2_nm"), machine.wavelengths_nm, strict=False))
    conditions = {**lengths, "ka2_ratio": machine.ka2_ratio, "monochromator_deg": machine.monochromator_deg}
    observation.attrs["conditions"] = json.dumps({**conditions, "radius_mm": machine.radius_mm}, sort_keys=True)
    return observation


def example() -> Xrd:
    """Return a pattern whose answer is known, for the inversion tests: two cubic phases of nanocrystals."""
    return pattern(
        [phase("CsBr"), phase("CsPbBr3_cubic")],
        np.arange(19.0, 45.0, 0.1),
        background=[12.0, -3.0],
        area=[40.0, 60.0],
        crystallite_nm=[25.0, 18.0],
        displacement_mm=0.02,
    )
