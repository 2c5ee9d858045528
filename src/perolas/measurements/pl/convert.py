r"""Spectra between wavelength and energy: the axis, the intensities and their variances.

The photons between two wavelengths are those between the two energies, so a spectrum per nm becomes one per eV by
:math:`|d\lambda / dE| = hc / E^2 = \lambda^2 / hc`, and its variance by the square of that. Points alone do not
say what lies between them; so that the integral stays exactly what it is, each point stands for its cell, whose ends
lie half way to its neighbours *in wavelength*, and the Jacobian is that cell's width in nm over its width in eV. For
fine sampling it is the derivative; the cells are carried along, so that going back gives the spectrum one came from.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core.errors import InputError
from perolas.core.observation import axis_of, make_observation
from perolas.core.units import HC_EV_NM

Values = NDArray[np.float64]
_OTHER = {"wavelength_nm": "energy_ev", "energy_ev": "wavelength_nm"}
_UNIT = {"wavelength_nm": "nm", "energy_ev": "eV"}


def cell_edges_nm(observation: xr.Dataset) -> Values:
    """Return the ends of the cells that the points of a spectrum stand for, shape (n + 1,), nm.

    Args:
        observation: a spectrum on ``wavelength_nm`` or ``energy_ev``.

    Returns:
        Ends in nm, in the order of the points, half way between neighbours in wavelength.

    Raises:
        InputError: another axis, fewer than two points, or values that are not positive.
    """
    name = axis_of(observation)
    if name not in _OTHER:
        raise InputError(f"A spectrum on wavelength_nm or energy_ev is needed, but the axis is {name}.")
    x = np.asarray(observation[name].values, dtype=np.float64)
    if x.size < 2 or np.any(x <= 0):
        raise InputError(f"The axis {name} needs at least two values, all positive.")
    nm = x if name == "wavelength_nm" else HC_EV_NM / x
    inner = 0.5 * (nm[1:] + nm[:-1])
    return np.concatenate([[nm[0] - (inner[0] - nm[0])], inner, [nm[-1] + (nm[-1] - inner[-1])]])


def integral(observation: xr.Dataset) -> float:
    """Return the integral of a spectrum over its own axis: the sum of signal times cell, signal unit x axis unit."""
    edges = cell_edges_nm(observation)
    if axis_of(observation) == "energy_ev":
        edges = HC_EV_NM / edges
    return float(np.sum(observation["signal"].values * np.abs(np.diff(edges)), axis=-1).sum())


def jacobian(observation: xr.Dataset) -> Values:
    """Return by what each intensity is multiplied when its spectrum goes to the other axis, shape (n,)."""
    edges = cell_edges_nm(observation)
    ratio = np.abs(np.diff(edges) / np.diff(HC_EV_NM / edges))  # nm per eV
    return ratio if axis_of(observation) == "wavelength_nm" else 1.0 / ratio


def convert_axis(observation: xr.Dataset) -> xr.Dataset:
    """Return a spectrum per nm as one per eV, or the other way, with intensities and variances.

    Args:
        observation: a spectrum on ``wavelength_nm`` or ``energy_ev``; counts become "counts nm/eV", whose variance is
            that of the counts (at least one) times the square of the factor, and become counts again on the way back.

    Returns:
        The spectrum on the other axis, in the order of the points; its integral is the same.

    Raises:
        InputError: as for `cell_edges_nm`.
    """
    name = axis_of(observation)
    factor = jacobian(observation)
    signal = np.asarray(observation["signal"].values, dtype=np.float64) * factor
    units = str(observation["signal"].attrs["units"])
    variance = observation["variance"].values * factor**2 if "variance" in observation else None
    if variance is None and units == "counts":
        variance = np.maximum(observation["signal"].values, 1.0) * factor**2
    other = _OTHER[name]
    back = f" {_UNIT[other]}/{_UNIT[name]}"
    new = units[: -len(back)] if units.endswith(back) else f"{units} {_UNIT[name]}/{_UNIT[other]}"
    if new == "counts":
        whole = np.round(signal)
        if np.all(np.abs(signal - whole) <= 1e-6 * np.maximum(np.abs(whole), 1.0)) and np.all(whole >= 0):
            signal, variance = whole, None  # what was counted knows its variance itself
        else:
            new = "arb"
    attrs = {k: v for k, v in observation.attrs.items() if k != "conditions"}
    made = make_observation(
        signal, other, HC_EV_NM / np.asarray(observation[name].values, dtype=np.float64), units=new,
        variance=variance, **attrs,
    )  # fmt: skip
    made.attrs["conditions"] = observation.attrs.get("conditions", "{}")
    return made
