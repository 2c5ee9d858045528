"""The door of a Raman spectrum: a shift axis, the laser's wavelength with its error, and points that can be trusted."""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise
from perolas.core.observation import axis_of, conditions_of
from perolas.core.units import raman_shift_cm1
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.peaks_prepare import Prepared, prepare

# Lasers that Raman microscopes have, nm.
LASERS = (325.0, 355.0, 405.0, 441.6, 457.0, 473.0, 488.0, 514.5, 532.0, 561.0, 632.8, 638.0, 647.1, 660.0, 785.0,
          830.0, 1064.0)  # fmt: skip
_UNKNOWN = 532.0  # nm, where nobody says it: of the common lasers the one whose axis errors are large
_LOWEST = 5.0  # cm-1: nearer to the laser's line no model of lines means anything
_AMONG = 2.0  # nm from a laser's wavelength at which its light is looked for


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """Points of a Raman spectrum.

    Attributes:
        x: shape (n,), cm-1, as the axis states it.
        y: shape (n,).
        noise: of y.
        signal_unit: of y.
        laser_nm: wavelength of the laser.
        axis_std_cm1: standard error that all positions share, cm-1, in the middle of the axis.
        prepared: the points with what was said about them.
        warnings, notes: sentences for the reader.
    """

    x: np.ndarray
    y: np.ndarray
    noise: AbstractNoise
    signal_unit: str
    laser_nm: float
    axis_std_cm1: float
    prepared: Prepared
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def points_of(
    observation: xr.Dataset,
    *,
    laser: float | None = None,
    window: tuple[float, float] | None = None,
    noise: str = "auto",
    calibration: float | None = None,
) -> Points:
    """Check a spectrum and make it ready.

    Args:
        observation: one spectrum on ``raman_shift_cm1``, ``wavenumber_cm1`` (taken for a shift) or ``wavelength_nm``.
        laser: wavelength of the laser, nm; None: what the file says, or where its own light is in the spectrum.
        window: part of the axis, cm-1.
        noise: ``"auto"``, ``"poisson"`` or ``"estimated"``.
        calibration: standard error of the axis, nm; None: the library's.

    Returns:
        The points.

    Raises:
        InputError: data or options that cannot be used.
    """
    axis = axis_of(observation)
    if axis not in ("raman_shift_cm1", "wavenumber_cm1", "wavelength_nm"):
        raise InputError(
            f'A Raman spectrum needs an axis of shifts (raman_shift_cm1) or wavelengths, but this one has "{axis}"; '
            "say --axis raman_shift_cm1 where its first column is that."
        )
    if observation["signal"].ndim != 1:
        raise InputError("It holds several spectra; choose one, or fit them as a series.")
    if laser is not None:
        check.positive(laser, "laser", "nm")
        if not 200.0 <= laser <= 2000.0:
            raise InputError(f"A Raman laser has 200 to 2000 nm, but {laser:g} nm was given.")
    told = conditions_of(observation).get("laser_nm")
    known = laser if laser is not None else float(told) if isinstance(told, int | float) and told > 0 else None
    std_nm = parameter_value("raman.axis_calibration") if calibration is None else check.positive(
        calibration, "calibration", "nm", zero=True
    )  # fmt: skip
    notes: list[str] = []
    if axis == "wavelength_nm" and known is None:
        known, own_std, sentence = _from_elastic(observation)
        std_nm = float(np.hypot(std_nm, own_std))
        notes.append(sentence)
    ready = prepare(
        observation, axis=None if axis == "wavelength_nm" else "raman_shift_cm1",
        laser=known if axis == "wavelength_nm" else None, window=window, noise=noise, calibration_std=std_nm,
    )  # fmt: skip
    notes += [n for n in ready.notes if not n.startswith("The laser is taken to be")]
    if known is None:
        notes.append(
            f"The laser's wavelength is not known; {_UNKNOWN:g} nm is assumed, which matters for errors of the axis "
            "alone (laser)."
        )
        known = _UNKNOWN
    keep = ready.x > _LOWEST
    if not keep.all():
        ready = _cut(ready, keep)
    middle = float(np.median(ready.x))
    scattered = 1e7 / (1e7 / known - middle)
    return Points(
        ready.x, ready.y, ready.noise, ready.signal_unit, known, 1e7 * std_nm / scattered**2, ready,
        ready.warnings, tuple(notes),
    )  # fmt: skip


def _cut(ready: Prepared, keep: np.ndarray) -> Prepared:
    """Return the points above the laser's line."""
    import equinox as eqx

    if keep.sum() < 8:
        raise InputError(f"Only {keep.sum()} points lie above {_LOWEST:g} cm-1; Stokes light has positive shifts.")
    noise = ready.noise
    if np.ndim(getattr(noise, "variance", 0.0)):
        noise = eqx.tree_at(lambda n: n.variance, noise, np.asarray(noise.variance)[keep])  # type: ignore[attr-defined]
    low = (max(ready.span[0], _LOWEST), ready.span[1])
    return dataclasses.replace(ready, x=ready.x[keep], y=ready.y[keep], kept=ready.kept[keep], noise=noise, span=low)


def _from_elastic(observation: xr.Dataset) -> tuple[float, float, str]:
    """Return the laser's wavelength from its own light in a spectrum, with its error, and a sentence."""
    x = np.asarray(observation["wavelength_nm"].values, dtype=float)
    y = np.asarray(observation["signal"].values, dtype=float)
    floor, top = float(np.median(y)), float(np.max(y))
    best = None
    for nominal in LASERS:
        near = np.abs(x - nominal) < _AMONG
        if near.sum() < 5 or y[near].max() - floor < 0.2 * (top - floor):
            continue
        high = near & (y > floor + 0.5 * (y[near].max() - floor))
        if best is None or y[near].max() > best[2]:
            best = (nominal, x[high], float(y[near].max()))
    if best is None:
        raise InputError(
            "Its axis is a wavelength, and the laser's own light is not in it; give the laser's wavelength (laser) so "
            "that shifts can be told."
        )
    nominal, at, _ = best
    centre = float(0.5 * (at.min() + at.max()))
    std = float(max(np.ptp(at), 1e-3) / np.sqrt(12.0))
    return (
        centre,
        std,
        (
            f"The laser's own light is at {centre:.2f} nm on this axis (a laser of {nominal:g} nm), and is taken for "
            f"its wavelength; a filter that cuts into it may move it by its own width, {np.ptp(at):.2f} nm, and all "
            "positions with it. Give laser, or silicon where a line of it is in the spectrum."
        ),
    )


def laser_offset_cm1(laser_nm: float, shift_cm1: float, offset_nm: float) -> float:
    """Return how far an axis that shows `offset_nm` too much moves a line, cm-1.

    Args:
        laser_nm: wavelength of the laser.
        shift_cm1: true shift of the line.
        offset_nm: what the axis shows too much.

    Returns:
        The shift stated less the true one.
    """
    seen = 1e7 / (1e7 / laser_nm - shift_cm1)
    return float(raman_shift_cm1(seen + offset_nm, laser_nm)) - shift_cm1
