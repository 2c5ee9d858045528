"""An observation is an `xarray.Dataset`: a signal on its axes, every variable with its unit.

Conventions (docs/contracts.md holds the same list for readers of files):

- the data variable ``signal`` is always there; ``variance`` (unit squared) and ``irf`` may be;
- the last dimension is the axis, named with its unit as suffix: ``time_ns``, ``binding_energy_ev``,
  ``kinetic_energy_ev``, ``wavelength_nm``, ``energy_ev``, ``raman_shift_cm1``, ``channel``;
- several signals on one axis have the leading dimension ``batch``;
- an image has the dimensions ``y_nm`` and ``x_nm``, or ``y_px`` and ``x_px`` where its scale is not known;
- counts stay counts: a signal with unit ``counts`` holds whole, non-negative numbers as measured;
- attributes: ``technique``, ``instrument``, ``format``, ``source`` (file name without folder), ``sha256``
  of the file or ``seed`` of the simulation, and ``conditions`` (a JSON object).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError

AXIS_UNITS = {
    "time_ns": "ns",
    "time_s": "s",
    "time_d": "d",
    "binding_energy_ev": "eV",
    "kinetic_energy_ev": "eV",
    "energy_ev": "eV",
    "wavelength_nm": "nm",
    "raman_shift_cm1": "cm-1",
    "wavenumber_cm1": "cm-1",
    "two_theta_deg": "deg",
    "fluence_uj_cm2": "uJ/cm^2",
    "area_um2": "um^2",
    "edge_nm": "nm",
    "channel": "1",
    "line": "1",
}


def make_observation(
    signal: ArrayLike,
    axis_name: str,
    axis_values: ArrayLike,
    *,
    units: str = "counts",
    variance: ArrayLike | None = None,
    extra: Mapping[str, tuple[ArrayLike, str]] | None = None,
    conditions: Mapping[str, Any] | None = None,
    **attrs: Any,
) -> xr.Dataset:
    """Build a checked observation.

    Args:
        signal: shape (n,) or (batch, n), in `units`.
        axis_name: one of `AXIS_UNITS`; its suffix is the unit of `axis_values`.
        axis_values: shape (n,), rising or falling throughout.
        units: unit of the signal, ``"counts"`` where events were counted.
        variance: same shape as the signal, in `units` squared, where it is known.
        extra: further variables on the same axis, name -> (values, unit), e.g. ``irf``.
        conditions: what is known about the measurement (laser, pass energy, sweeps ...); stored as JSON.
        attrs: technique, instrument, format, source, sha256, seed.

    Returns:
        The observation.

    Raises:
        InputError: shapes that do not fit, or values that cannot be used.
    """
    check.one_of(axis_name, AXIS_UNITS, "The axis")
    axis_array = check.axis(axis_values, axis_name)
    signal_array = np.asarray(signal, dtype=np.float64)
    dims = (axis_name,) if signal_array.ndim == 1 else ("batch", axis_name)
    if signal_array.ndim not in (1, 2) or signal_array.shape[-1] != axis_array.size:
        raise InputError(
            f"The signal has shape {signal_array.shape}, which does not fit an axis of {axis_array.size} values."
        )
    dataset = xr.Dataset(
        {"signal": (dims, signal_array, {"units": units})},
        coords={axis_name: (axis_name, axis_array, {"units": AXIS_UNITS[axis_name]})},
    )
    if variance is not None:
        dataset["variance"] = (dims, np.asarray(variance, dtype=np.float64), {"units": f"({units})^2"})
    for name, (values, unit) in (extra or {}).items():
        array = np.asarray(values, dtype=np.float64)
        if array.shape[-1:] != axis_array.shape:
            raise InputError(f'"{name}" has {array.size} values, but the signal has {axis_array.size}.')
        dataset[name] = ((axis_name,) if array.ndim == 1 else dims, array, {"units": unit})
    dataset.attrs.update({k: v for k, v in attrs.items() if v is not None})
    dataset.attrs["conditions"] = json.dumps(dict(conditions or {}), sort_keys=True, default=str)
    return validate(dataset)


def make_image(
    signal: ArrayLike,
    pixel_nm: float | None = None,
    *,
    units: str = "counts",
    conditions: Mapping[str, Any] | None = None,
    **attrs: Any,
) -> xr.Dataset:
    """Build a checked observation that is an image; its first row is the upper one.

    Args:
        signal: shape (ny, nx), in `units`.
        pixel_nm: edge of a (square) pixel in nm; None where the scale is not known.
        units: unit of the signal: ``"counts"`` where electrons were counted, ``"1"`` for grey values.
        conditions: as for `make_observation`.
        attrs: as for `make_observation`.

    Returns:
        The observation, with the pixels' centres as coordinates.

    Raises:
        InputError: not an image, or values that cannot be used.
    """
    array = np.asarray(signal, dtype=np.float64)
    if array.ndim != 2 or min(array.shape) < 2:
        raise InputError(f"An image has rows and columns, at least two of each, but this one has shape {array.shape}.")
    suffix, step = ("px", 1.0) if pixel_nm is None else ("nm", check.positive(pixel_nm, "pixel"))
    dims = (f"y_{suffix}", f"x_{suffix}")
    centres = {d: (d, (np.arange(n) + 0.5) * step, {"units": suffix}) for d, n in zip(dims, array.shape, strict=True)}
    dataset = xr.Dataset({"signal": (dims, array, {"units": units})}, coords=centres)
    dataset.attrs.update({k: v for k, v in attrs.items() if v is not None})
    dataset.attrs["conditions"] = json.dumps(dict(conditions or {}), sort_keys=True, default=str)
    return validate(dataset)


def is_image(dataset: xr.Dataset) -> bool:
    """Tell whether an observation is an image."""
    return "signal" in dataset and dataset["signal"].dims in (("y_nm", "x_nm"), ("y_px", "x_px"))


def pixel_nm(dataset: xr.Dataset) -> float | None:
    """Return the edge of an image's pixel in nm, or None where its scale is not known.

    Raises:
        InputError: the observation is no image.
    """
    if not is_image(dataset):
        raise InputError(f"An image is needed, but the signal lies along {', '.join(map(str, dataset.signal.dims))}.")
    if "x_nm" not in dataset.coords:
        return None
    x = dataset["x_nm"].values
    return float((x[-1] - x[0]) / (x.size - 1))


def validate(dataset: xr.Dataset) -> xr.Dataset:
    """Return `dataset` if it keeps the conventions of this module.

    Args:
        dataset: what claims to be an observation.

    Returns:
        The same dataset.

    Raises:
        InputError: it breaks one of the conventions; the sentence says which.
    """
    if "signal" not in dataset:
        raise InputError('An observation needs a variable "signal", which this one lacks.')
    for name in dataset.variables:
        if name != "batch" and "units" not in dataset[name].attrs:
            raise InputError(f'The variable "{name}" of the observation has no units.')
    signal = dataset["signal"].values
    if signal.size == 0:
        raise InputError("The observation is empty.")
    bad = int(np.sum(~np.isfinite(signal)))
    if bad:
        raise InputError(f"The signal has {bad} values that are not numbers (NaN or infinite); remove them first.")
    check.axis(dataset[axis_of(dataset)].values, axis_of(dataset))
    if dataset["signal"].attrs["units"] == "counts":
        check.counts(signal)
    if "variance" in dataset and not np.all(dataset["variance"].values > 0):
        raise InputError("The variance must be positive everywhere.")
    return dataset


def axis_of(dataset: xr.Dataset) -> str:
    """Return the name of the axis of an observation (its last dimension), e.g. ``"time_ns"``."""
    return str(dataset["signal"].dims[-1])


def conditions_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the conditions of an observation as a dictionary (empty where none were recorded)."""
    loaded = json.loads(dataset.attrs.get("conditions", "{}"))
    return loaded if isinstance(loaded, dict) else {}
