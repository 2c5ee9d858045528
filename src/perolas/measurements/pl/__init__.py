"""Photoluminescence spectra: emission bands simulated from a specimen and inverted to centre, width and strength.

`model` has the band, `response` what a specimen emits, `convert` the way between wavelength and energy, `prepare` the
door, `fitting` the fit, `words` what is said about it, `series` several spectra with one shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.measurement import simulate as draw
from perolas.core.observation import axis_of, conditions_of
from perolas.core.parameter import table
from perolas.matter import optics
from perolas.measurements.pl.convert import convert_axis, integral, jacobian
from perolas.measurements.pl.fitting import Wishes, fit_points
from perolas.measurements.pl.model import SHAPES, EmissionBand
from perolas.measurements.pl.prepare import points_of
from perolas.measurements.pl.prepare import sensitivity as sensitivity_at
from perolas.measurements.pl.response import band_of, classes_of, derivation, emission_terms, strength_of
from perolas.measurements.pl.series import Series, fit_series
from perolas.measurements.pl.words import with_ratio, with_size

__all__ = [
    "PARAMETERS", "PARAMETERS_USED", "REFERENCES", "EmissionBand", "Series", "band_of", "classes_of", "convert_axis",
    "derivation", "emission_terms", "example", "fit", "fit_series", "integral", "jacobian", "simulate",
    "simulate_series", "strength_of",
]  # fmt: skip

PARAMETERS = table(EmissionBand)
PARAMETERS_USED = (
    *optics.PARAMETERS_USED,
    "CsPbBr3.urbach_energy",
    "CsPbBr3.stokes_shift",
    "CsPbBr3.gap_expansion_share",
    "CsPbBr3.gap_rise_77_300",
    "CsPbBr3.emission_energy_300k",
    "CsPbBr3.linewidth_law_error",
    "CsPbBr3.confinement_law_error",
    "CsPbBr3.radiative_rate",
    "CsPbBr3.detrapping_rate",
    "emission.narrowest_band",
)
REFERENCES: tuple[str, ...] = ("weideman1994", "fasahat2024")
_MOST_POINTS = 200_000


def fit(
    observation: xr.Dataset,
    *,
    window: tuple[float, float] | None = None,
    resolution: float = 0.0,
    sensitivity: xr.Dataset | None = None,
    shape: str = "auto",
    noise: str = "auto",
    lines: str = "leave",
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
        sensitivity: sensitivity curve of the instrument, on either axis.
        shape: ``"gauss"``, ``"voigt"``, or ``"auto"``: the plainest that the evidence supports, with or without slope.
        noise: ``"poisson"``, ``"estimated"``, or ``"auto"``: counts are events unless they scatter otherwise.
        lines: ``"leave"`` narrow lines (laser, lamp, Raman) out, or ``"keep"`` them as emission.
        temperature: of the sample in K, for the size.
        compare: a second spectrum, taken alike: the ratio of the areas, and of the yields if both absorb alike.
        free: names added to what is fitted (`slope`, `fwhm_lorentz`, `optical_depth`).
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
    kelvin = check.positive(temperature, "temperature", "K")
    check.one_of(shape, ("auto", *SHAPES), "The shape")
    keep = check.one_of(lines, ("leave", "keep"), "The treatment of lines") == "keep"
    wishes = Wishes(
        shape,
        float(resolution),
        tuple(free),
        tuple(fix),
        dict(guess or {}),
        int(check.positive(starts, "starts")),
        seed,
    )

    def one(spectrum: xr.Dataset) -> Estimate:
        points = points_of(spectrum, window, sensitivity, noise)
        if points.certain:
            return fit_points(points, wishes, keep_lines=keep)
        # Nobody says whether this energy axis was made from wavelengths: whichever way explains the data better.
        made = points_of(spectrum, window, sensitivity, noise, view="nm")
        both = [fit_points(p, wishes, keep_lines=keep) for p in (points, made)]
        return max(both, key=lambda e: float(e.log_likelihood) if np.isfinite(e.log_likelihood) else -np.inf)

    found = with_size(one(observation), kelvin)
    if compare is None:
        return found
    if axis_of(compare) != axis_of(observation) or compare["signal"].attrs.get("units") != observation[
        "signal"
    ].attrs.get("units"):
        raise InputError("The spectrum to compare with must have the axis and the unit of the first one.")
    said = [conditions_of(o).get("exposure_s") for o in (observation, compare)]
    known = [float(s) if isinstance(s, int | float) and s > 0 else None for s in said]
    return with_ratio(found, one(compare), (known[0], known[1]))


def _band(
    counts: float, points: int, resolution: float, sensitivity: xr.Dataset | None, optical_depth: float
) -> EmissionBand:
    check.positive(counts, "counts")
    check.positive(resolution, "resolution", "nm", zero=True)
    check.positive(optical_depth, "optical_depth", zero=True)
    if not 20 <= int(points) <= _MOST_POINTS:
        raise InputError(f'Argument "points" must lie between 20 and {_MOST_POINTS}, but is {points}.')
    nm = np.linspace(450.0, 620.0, int(points))
    area = counts * 25.0  # a band of some 20 nm
    return EmissionBand(
        area=area, brightness=area, background=0.01 * counts, resolution=resolution, axis_values=nm,
        response=sensitivity_at(sensitivity, nm), optical_depth=optical_depth,
    )  # fmt: skip


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    counts: float = 1e4,
    points: int = 681,
    resolution: float = 0.0,
    sensitivity: xr.Dataset | None = None,
    optical_depth: float = 0.0,
    axis_of_simulation: str = "wavelength",
) -> xr.Dataset:
    """Simulate the emission spectrum of a specimen, counted by pixels that are even in wavelength.

    Args:
        specimen: a `Specimen`; None: 2.37 eV, 90 meV wide.
        seed: seed of the noise.
        counts: about those of the highest pixel if every lead atom were in CsPbBr3 of unit yield.
        points: pixels from 450 to 620 nm.
        resolution: full width of the instrument's own line, nm.
        sensitivity: sensitivity curve of the instrument, on either axis.
        optical_depth: of the sample above its edge, for self-absorption.
        axis_of_simulation: ``"wavelength"``, in counts, or ``"energy"``: what was counted, converted.

    Returns:
        An observation.

    Raises:
        InputError: numbers that cannot be used.
    """
    check.one_of(axis_of_simulation, ("wavelength", "energy"), "The axis")
    made = draw(_band(counts, points, resolution, sensitivity, optical_depth), specimen, seed=seed)
    return made if axis_of_simulation == "wavelength" else convert_axis(made)


def simulate_series(specimens: Sequence[Any], *, seed: int = 0, counts: float = 1e4, points: int = 681) -> xr.Dataset:
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
