"""Photoluminescence spectra: emission bands simulated from a specimen and inverted to centre, width and strength.

`model` has the band, `response` what a specimen emits, `convert` the way between wavelength and energy.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate, Quantity
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.observation import axis_of
from perolas.core.parameter import expand, slots, table, write_slots
from perolas.core.units import HC_EV_NM
from perolas.matter import optics
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.peaks_prepare import Prepared, prepare
from perolas.measurements.peaks_search import correlation_length
from perolas.measurements.pl.convert import convert_axis, integral, jacobian
from perolas.measurements.pl.model import EmissionBand
from perolas.measurements.pl.response import band_of, strength_of

__all__ = [
    "PARAMETERS", "PARAMETERS_USED", "REFERENCES", "EmissionBand", "band_of", "convert_axis", "example", "fit",
    "integral", "jacobian", "series", "simulate", "strength_of",
]  # fmt: skip

PARAMETERS = table(EmissionBand)
PARAMETERS_USED = (*optics.PARAMETERS_USED, "CsPbBr3.radiative_rate", "CsPbBr3.detrapping_rate")
REFERENCES: tuple[str, ...] = ()
_DEEPEST = 3.2  # eV: above it no nanocrystal of CsPbBr3 emits, so that no size is sought


def fit(
    observation: xr.Dataset,
    *,
    window: tuple[float, float] | None = None,
    resolution: float = 0.0,
    temperature: float = 300.0,
    compare: xr.Dataset | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate centre, width and area of an emission band.

    Args:
        observation: a spectrum on ``wavelength_nm`` or ``energy_ev``.
        window: part of the axis to fit, in its unit.
        resolution: full width of the instrument's own line, in the axis unit.
        temperature: of the sample in K, for the size.
        compare: a second spectrum, taken alike: the ratio of the areas, and of the yields if both absorb alike.
        free: names added to what is fitted (`fwhm_lorentz`, `slope`, `optical_depth`).
        fix: names taken out of it.
        guess: start values by name.
        starts: starting points tried.
        seed: seed of those.

    Returns:
        The estimate; `size` only where the data determine one.

    Raises:
        InputError: data or options that cannot be used.
        FitError: the fit did not converge.
    """
    check.positive(resolution, "resolution", zero=True)
    check.positive(temperature, "temperature", "K")
    if axis_of(observation) not in ("wavelength_nm", "energy_ev"):
        raise InputError(
            f"An emission spectrum lies on wavelength_nm or energy_ev, but this axis is {axis_of(observation)}."
        )
    points = prepare(
        observation, axis=None, laser=None, window=window, noise="auto", calibration_std=0.0, keep_spikes=True
    )
    if np.any(points.x <= 0):
        raise InputError("The axis holds values that are not positive.")
    start = _start(points, resolution)
    known = slots(start, "measurement")
    by_name = {s.name: s for s in known}
    given = {by_name[check.one_of(n, by_name, "The start value")]: np.float64(v) for n, v in (guess or {}).items()}
    start = write_slots(start, given)
    names = [s.name for s in known if s.free] + list(expand(free, known))
    found = invert(start, points.y, free=names, fix=fix, starts=starts, seed=seed)
    found = dataclasses.replace(found, notes=(*points.notes, *found.notes), warnings=points.warnings)
    found = _with_size(_honest(found), temperature)
    if compare is None:
        return found
    other = fit(compare, window=window, resolution=resolution, temperature=temperature, free=free, fix=fix)
    a, b = found["area"], other["area"]
    ratio = b.value / a.value
    std = abs(ratio) * math.hypot(a.std / a.value, b.std / b.value)
    text = "area of the second spectrum over the first; of the yields if both absorb alike"
    added = {**found.added, "quantum_yield_ratio": Quantity(ratio, std, "1", text)}
    return dataclasses.replace(found, added=added)


def _start(points: Prepared, resolution: float) -> EmissionBand:
    """Return the band that the strongest rise of a smoothed spectrum suggests."""
    order = np.argsort(points.x)
    x, y = points.x[order], points.y[order]
    width = max(3, y.size // 100)
    smooth = np.convolve(np.pad(y, width // 2, mode="edge"), np.ones(width) / width, mode="same")[width // 2 :][
        : y.size
    ]
    ground = float(np.percentile(smooth, 10))
    top = int(np.argmax(smooth))
    high = smooth > ground + 0.5 * (smooth[top] - ground)
    low, end = top, top
    while low > 0 and high[low - 1]:
        low -= 1
    while end < y.size - 1 and high[end + 1]:
        end += 1
    wide = max(float(x[end] - x[low]), 2.0 * float(np.median(np.diff(x))))
    area = (float(smooth[top]) - ground) * wide
    if points.axis_name == "wavelength_nm":
        centre, fwhm = HC_EV_NM / x[top], wide * HC_EV_NM / x[top] ** 2
    else:
        centre, fwhm = x[top], wide
    return EmissionBand(
        area=area, centre_ev=float(centre), fwhm_gauss_ev=float(min(fwhm, 4.0)), background=ground,
        axis_values=points.x,
        resolution=resolution, noise=points.noise, axis_name=points.axis_name, signal_unit=points.signal_unit,
    )  # fmt: skip


def _honest(found: Estimate) -> Estimate:
    """Widen the errors by residuals that are correlated or larger than the noise; say so, and where no band is seen."""
    model = found.fitted()[0]
    z = (found.signal - found.expected) * np.sqrt(np.asarray(model.noise.weight(found.signal, found.expected)))
    z = z[np.argsort(np.asarray(model.axis))]
    freedom = max(found.n_points - found.n_free, 1)
    excess = float(np.sum(z**2)) / freedom
    notes, warnings = list(found.notes), list(found.warnings)
    length = max(float(correlation_length(z)), 1.0)
    factor = length
    if not found.scale_is_estimated and excess > 1 + 4 * math.sqrt(2 / freedom):
        factor *= excess
        warnings.append(
            f"The band misses the data by more than the noise (reduced chi-square {excess:.3g}): it is a description, "
            "with errors widened accordingly; a narrower window or a freed fwhm_lorentz may do better."
        )
    if length > 1.2:
        notes.append(
            f"Neighbouring residuals are correlated, {length:.1f} points counting as one; errors allow for it."
        )
    scale = math.sqrt(factor)
    unit = model.signal_unit
    units = {n: u.replace("counts", unit) if unit != "counts" else u for n, u in found.units.items()}
    found = dataclasses.replace(found, covariance=found.covariance * factor, std=found.std * scale, units=units)
    area = found["area"]
    if not abs(area.value) > 3 * area.std:
        warnings.append("No emission band is seen: its area is within three errors of zero.")
    x = np.asarray(model.axis)
    pixel = float(np.median(np.abs(np.diff(x))))
    wide = found["fwhm_wavelength"].value if model.axis_name == "wavelength_nm" else found["fwhm"].value
    if wide < 5 * pixel:
        warnings.append(
            f"This is a line of {wide / pixel:.1f} pixels, not a band: a laser or an atom; technique peaks suits it."
        )
    if wide > 0.7 * abs(float(x[-1] - x[0])):
        warnings.append("The band is as wide as the window: background and band cannot be told apart.")
    return dataclasses.replace(found, notes=tuple(notes), warnings=tuple(warnings))


def _with_size(found: Estimate, temperature: float) -> Estimate:
    """Add the size that confinement gives, where law and data allow one; otherwise say why not."""
    centre = found["centre"]
    law = physical_parameter("CsPbBr3.emission_energy_300k").std
    error = math.hypot(centre.std, law)
    bulk = float(optics.emission_energy_ev(temperature))
    if not bulk - 3 * error < centre.value < _DEEPEST:
        return found
    grid = np.geomspace(2.0, 100.0, 400)
    energy = np.asarray(optics.emission_energy_ev(temperature, grid))
    size = float(np.exp(np.interp(-centre.value, -energy, np.log(grid))))
    slope = abs(float(jax.grad(lambda s: optics.confinement_ev(s))(size)))
    std = error / slope
    if std < size / 3 and energy[-1] < centre.value < energy[0]:
        text = "edge length that confinement gives, if this is CsPbBr3 at the stated temperature; law of matter.optics"
        return dataclasses.replace(found, added={**found.added, "size": Quantity(size, std, "nm", text)})
    least = float(np.exp(np.interp(-(centre.value + 2 * error), -energy, np.log(grid))))
    note = (
        f"If this is CsPbBr3, its size is not determined: at {size:.0f} nm or so, confinement changes the centre by "
        f"{1e3 * slope:.2g} meV per nm, against {1e3 * error:.2g} meV of uncertainty (mostly of the bulk gap) and a "
        f"width of {1e3 * found['fwhm'].value:.0f} meV; only sizes below {least:.0f} nm are excluded."
    )
    return dataclasses.replace(found, notes=(*found.notes, note))


def _band(counts: float, points: int, resolution: float) -> EmissionBand:
    check.positive(counts, "counts")
    if not 20 <= int(points) <= 200_000:
        raise InputError(f'Argument "points" must lie between 20 and 200000, but is {points}.')
    area = counts * 25.0  # a band of some 20 nm
    return EmissionBand(
        area=area, brightness=area, background=0.01 * counts, resolution=resolution,
        axis_values=np.linspace(450.0, 620.0, int(points)),
    )  # fmt: skip


def simulate(
    specimen: Any = None, *, seed: int = 0, counts: float = 1e4, points: int = 681, resolution: float = 0.0
) -> xr.Dataset:
    """Simulate the emission spectrum of a specimen, in counts against wavelength.

    Args:
        specimen: a `Specimen`; None: 2.37 eV, 90 meV wide.
        seed: seed of the noise.
        counts: about those of the highest pixel if every lead atom were in CsPbBr3 of unit yield.
        points: pixels from 450 to 620 nm.
        resolution: full width of the instrument's own line, nm.

    Returns:
        An observation.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.positive(resolution, "resolution", "nm", zero=True)
    return draw(_band(counts, points, resolution), specimen, seed=seed)


def series(specimens: Sequence[Any], *, seed: int = 0, counts: float = 1e4, points: int = 681) -> xr.Dataset:
    """Simulate the spectra of specimens that follow one another, such as those of a transformation.

    Args:
        specimens: at least one `Specimen`, e.g. of `Specimen.from_conversion`.
        seed: seed of the noise.
        counts: as for `simulate`.
        points: as for `simulate`.

    Returns:
        An observation with the leading dimension ``batch``.

    Raises:
        InputError: no specimens.
    """
    if not len(specimens):
        raise InputError("A series needs at least one specimen.")
    each = [simulate(s, seed=seed + i, counts=counts, points=points) for i, s in enumerate(specimens)]
    return xr.concat(each, dim="batch", combine_attrs="drop_conflicts").transpose("batch", "wavelength_nm")


def example() -> EmissionBand:
    """Return a band whose answer is known, for the inversion tests."""
    return EmissionBand(area=2.5e5, centre_ev=2.37, fwhm_gauss_ev=0.09, background=500.0)
