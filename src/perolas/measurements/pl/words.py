"""What an estimate of an emission band says about itself: errors that hold, size, and what not to believe."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from perolas.core.estimate import Estimate, Quantity
from perolas.core.units import HC_EV_NM
from perolas.matter import optics
from perolas.measurements.peaks_search import correlation_length
from perolas.measurements.pl.prepare import RATIO
from perolas.measurements.pl.response import law_std_ev
from perolas.measurements.pl.start import Line

_DEEPEST_EV = 3.2  # above it no nanocrystal of CsPbBr3 emits, so that no size is sought
_CORRELATED = 1.2  # points for one independent residual, from which it is said
_SEEN = 3.0  # standard errors of the area, from which a band is seen


def standardised(found: Estimate) -> np.ndarray:
    """Return residuals over the standard deviation of the noise, along the axis, shape (n,)."""
    model = found.fitted()[0]
    z = (found.signal - found.expected) * np.sqrt(np.asarray(model.noise.weight(found.signal, found.expected)))
    if found.scale_is_estimated:
        z = z / max(math.sqrt(float(np.sum(z**2)) / max(found.n_points - found.n_free, 1)), 1e-300)
    return np.asarray(z[np.argsort(np.asarray(model.axis))])


def misfit(found: Estimate) -> tuple[float, float]:
    """Return how many points one independent residual stands for, and by how much squares exceed the noise.

    Args:
        found: a fit of a band.

    Returns:
        Both 1 where residuals are noise of the size that was assumed.
    """
    z = standardised(found)
    freedom = max(found.n_points - found.n_free, 1)
    excess = float(np.sum(z**2)) / freedom
    beyond = not found.scale_is_estimated and excess > 1 + 4 * math.sqrt(2 / freedom)
    return max(float(correlation_length(z)), 1.0), excess if beyond else 1.0


def with_honest_errors(found: Estimate) -> Estimate:
    """Return the estimate with errors widened by residuals that are correlated or larger than the noise, and units.

    Args:
        found: a fit of a band.

    Returns:
        The estimate, with sentences; ``extra["error_factor"]`` is what its errors were multiplied by.
    """
    model = found.fitted()[0]
    length, excess = misfit(found)
    notes, warnings = list(found.notes), list(found.warnings)
    if excess > 1:
        warnings.append(
            f"The band misses the data by more than the noise (reduced chi-square {excess:.3g}): it is a description, "
            "with errors widened accordingly; a narrower window or another shape may do better."
        )
    if length > _CORRELATED:
        notes.append(
            f"Neighbouring residuals are correlated, {length:.1f} points counting as one (smoothed data, or a misfit); "
            "errors allow for it."
        )
    factor = length * excess
    units = {n: _unit(u, model) for n, u in found.units.items()}
    return dataclasses.replace(
        found, covariance=found.covariance * factor, std=found.std * math.sqrt(factor), units=units,
        notes=tuple(notes), warnings=tuple(warnings), extra={**found.extra, "error_factor": math.sqrt(factor)},
    )  # fmt: skip


def _unit(unit: str, model: Any) -> str:
    """Return the unit that the table's word stands for; "counts nm/eV" times eV are counts nm."""
    signal, axis = model.signal_unit, "nm" if model.axis_name == "wavelength_nm" else "eV"
    made = signal.endswith(" nm/eV")
    if unit == "counts nm":
        return f"{signal[:-6]} nm" if made else f"{signal} {axis}"
    return (signal[:-6] if made else signal) if unit == "counts" else unit


def with_doubts(found: Estimate, lines: list[Line], *, beneath: bool) -> Estimate:
    """Return the estimate with warnings where no band is seen, or where it is none.

    Args:
        found: a fit of a band, with its errors.
        lines: narrow lines of the spectrum.
        beneath: whether the fit is of what lies beneath the lines.

    Returns:
        The estimate.
    """
    model = found.fitted()[0]
    notes, warnings = list(found.notes), list(found.warnings)
    emission = not warnings or not any(RATIO in w for w in warnings)
    area, x = found["area"], np.asarray(model.axis)
    pixel = float(np.median(np.abs(np.diff(x))))
    wide = found["fwhm_wavelength"].value if model.axis_name == "wavelength_nm" else found["fwhm"].value
    if lines:
        each = ", ".join(f"{HC_EV_NM / v.energy_ev:.2f}" for v in lines[:6]) + (" ..." if len(lines) > 6 else "")
        many = f"{len(lines)} narrow line{'s' * (len(lines) > 1)} at {each} nm"
        highest = f"the highest {1e3 * lines[0].fwhm_ev:.2g} meV wide"
        if beneath:
            warnings.append(
                f"{many} ({highest}) cannot be emission bands: a laser, an atom or Raman scattering, which technique "
                "peaks suits. They are left out here, and the band is fitted to what is left."
            )
        else:
            emission = False
            warnings.append(
                f"{many} ({highest}) and no band beneath: the highest line is fitted as if it were one, but it is a "
                "laser, an atom or Raman scattering; technique peaks suits it."
            )
    elif wide < 5 * pixel:
        emission = False
        warnings.append(
            f"This is a line of {wide / pixel:.1f} pixels, not a band: a laser or an atom; technique peaks suits it."
        )
    if not area.value > _SEEN * area.std:
        emission = False
        warnings.append(
            f"No emission band is seen: its area is {area.value:.3g} ± {area.std:.2g} {area.unit}, not clear of zero; "
            "centre and width describe noise."
        )
    elif wide > 0.7 * abs(float(x[-1] - x[0])):
        warnings.append(
            "The band is as wide as the window: background and band cannot be told apart, and a lamp, a detector's "
            "sensitivity or scattered light would look the same."
        )
    if "optical_depth" in found.names:
        notes.append("The optical depth rests on the Stokes shift and Urbach energy held (free or guess them).")
    if float(model.optical_depth) == 0 and found.fixed.get("optical_depth") is not None:
        notes.append("Self-absorption is not in the fit; it shifts centre and area of dense samples (optical_depth).")
    extra = {**found.extra, "is_emission": emission}
    return dataclasses.replace(found, notes=tuple(notes), warnings=tuple(warnings), extra=extra)


def with_size(found: Estimate, temperature_k: float) -> Estimate:
    """Return the estimate with the size that confinement gives, where law and data allow one; otherwise say why not.

    Args:
        found: a fit of a band.
        temperature_k: of the sample, K.

    Returns:
        The estimate, with `size` or a note.
    """
    centre = found["centre"]
    error = math.hypot(centre.std, law_std_ev(temperature_k))
    bulk = float(optics.emission_energy_ev(temperature_k))
    if (
        not found.extra.get("is_emission", True)
        or not math.isfinite(error)
        or not bulk - 3 * error < centre.value < _DEEPEST_EV
    ):
        return found
    grid = np.geomspace(2.0, 100.0, 400)
    energy = np.asarray(optics.emission_energy_ev(temperature_k, grid))

    def at(wanted: float) -> float:
        return float(np.exp(np.interp(-wanted, -energy, np.log(grid))))

    size = at(centre.value)
    error = math.hypot(centre.std, law_std_ev(temperature_k, size))
    slope = abs(float(jax.grad(lambda s: optics.confinement_ev(s))(size)))
    std = error / slope
    low, high = at(centre.value + 2 * error), at(centre.value - 2 * error)
    if std < size / 4 and energy[-1] < centre.value - error and high < 2.0 * size:
        text = (
            "edge length that confinement gives, if this is CsPbBr3 at the stated temperature "
            f"({low:.1f} to {high:.1f} nm at 95 %); volume-weighted"
        )
        return dataclasses.replace(found, added={**found.added, "size": Quantity(size, std, "nm", text)})
    width = found["fwhm"].value
    note = (
        f"If this is CsPbBr3 at {temperature_k:g} K, its size is not determined: around {min(size, 50):.0f} nm "
        f"confinement changes the centre by {1e3 * slope:.2g} meV per nm, against {1e3 * error:.2g} meV of uncertainty "
        f"(mostly of the bulk gap) and a width of {1e3 * width:.0f} meV; only sizes below {low:.0f} nm are excluded."
    )
    return dataclasses.replace(found, notes=(*found.notes, note))


def with_ratio(found: Estimate, other: Estimate, exposures: tuple[float | None, float | None]) -> Estimate:
    """Return the estimate of a first spectrum with the ratio of yields of a second one, taken alike.

    Args:
        found: fit of the first.
        other: fit of the second.
        exposures: of the two, s, where the files say them; they are divided out.

    Returns:
        The estimate with `quantum_yield_ratio`.
    """
    a, b = found["area"], other["area"]
    first, second = exposures
    times = first / second if first and second else 1.0
    ratio = b.value / a.value * times if a.value else math.nan
    std = abs(ratio) * math.hypot(a.std / a.value, b.std / b.value) if a.value and b.value else math.inf
    text = "area of the second spectrum over the first; of the quantum yields if both absorb alike"
    notes = found.notes
    if times != 1.0:
        notes = (*notes, f"The exposures differ ({first:g} and {second:g} s); the ratio is that of areas per second.")
    added = {**found.added, "quantum_yield_ratio": Quantity(ratio, std, "1", text)}
    for name in ("centre", "fwhm"):
        p, q = found[name], other[name]
        shift = Quantity(q.value - p.value, math.hypot(p.std, q.std), "eV", f"{name} of the second less the first")
        added[f"{name}_change"] = shift
    return dataclasses.replace(found, added=added, notes=notes)
