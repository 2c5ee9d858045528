"""Spectra of a sweep, or of shots: checked, integrated to outputs with errors, and their widths."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.observation import axis_of, conditions_of, make_observation
from perolas.measurements.emission.width import Width, baseline_of, noise_of, width_of

_FULL_SCALES = tuple(float(2**bits - 1) for bits in (10, 12, 14, 16))


@dataclass(frozen=True)
class Spectra:
    """Spectra on one wavelength axis.

    Attributes:
        nm: shape (n,), rising.
        signal: shape (b, n).
        fluence: shape (b,), uJ/cm^2, or None.
        unit: of the signal.
        full: shape (b,), which have saturated pixels.
        gain: electrons for each count, where it is known or counts are taken for electrons; None for other units.
        resolution: full width of the spectrometer's line, nm; 0 where it is not known.
        offset: counts of a pixel without light; None where it is not known.
        warnings: sentences.
    """

    nm: np.ndarray
    signal: np.ndarray
    fluence: np.ndarray | None
    unit: str
    full: np.ndarray
    gain: float | None
    resolution: float
    offset: float | None
    warnings: tuple[str, ...] = ()

    @property
    def element(self) -> int:
        """Pixels in one resolution element (3 where the resolution is not known)."""
        step = (self.nm[-1] - self.nm[0]) / (self.nm.size - 1)
        return max(round(self.resolution / step), 1) if self.resolution > 0 else 3


def fluences_of(observation: xr.Dataset) -> np.ndarray | None:
    """Return the fluence of each spectrum of a batch, shape (batch,), uJ/cm^2, or None where they are not known."""
    if "fluence_uj_cm2" in observation.variables and observation["fluence_uj_cm2"].dims == ("batch",):
        return np.asarray(observation["fluence_uj_cm2"].values, dtype=float)
    known = conditions_of(observation).get("fluence_uj_cm2")
    return np.asarray(known, dtype=float) if isinstance(known, list) else None


def spectra_of(
    observation: xr.Dataset,
    window: tuple[float, float] | None = None,
    saturation: float | None = None,
    resolution: float | None = None,
    gain: float | None = None,
    offset: float | None = None,
) -> Spectra:
    """Check spectra; what the observation's conditions say of the camera counts where nothing else is said.

    Args:
        observation: shape (n,) or (batch, n) on ``wavelength_nm``.
        window: first and last wavelength to look at, nm.
        saturation: counts from which on a pixel is full; None: pixels at a converter's full scale are.
        resolution: full width of the spectrometer's line, nm.
        gain: electrons for each count.
        offset: counts of a pixel without light.

    Returns:
        The spectra.

    Raises:
        InputError: they cannot be used.
    """
    if axis_of(observation) != "wavelength_nm":
        raise InputError(f"Spectra need the axis wavelength_nm, but these have {axis_of(observation)}.")
    said = conditions_of(observation)
    nm, signal = np.asarray(observation["wavelength_nm"].values, float), np.atleast_2d(observation["signal"].values)
    if nm[0] > nm[-1]:
        nm, signal = nm[::-1], signal[:, ::-1]
    if window is not None:
        inside = (nm >= window[0]) & (nm <= window[1])
        if inside.sum() < 32:
            raise InputError(
                f"The window {window[0]:g} to {window[1]:g} nm holds {int(inside.sum())} pixels; 32 are needed."
            )
        nm, signal = nm[inside], signal[:, inside]
    if nm.size < 32:
        raise InputError(f"A spectrum needs at least 32 pixels, but has {nm.size}.")
    unit = str(observation["signal"].attrs.get("units", "arb"))
    gain = said.get("gain_e_per_count") if gain is None else gain
    offset = said.get("offset_counts") if offset is None else offset
    resolution = said.get("resolution_nm", 0.0) if resolution is None else resolution
    full = _full(signal, saturation)
    fluence = fluences_of(observation)
    if fluence is not None:
        if fluence.size != signal.shape[0] or not np.all(np.isfinite(fluence)) or np.any(fluence <= 0):
            raise InputError("Each spectrum needs its own fluence, and it must be positive.")
        order = np.argsort(fluence, kind="stable")
        fluence, signal, full = fluence[order], signal[order], full[order]
    return Spectra(
        nm, signal, fluence, unit, full,
        None if unit != "counts" else 1.0 if gain is None else check.positive(float(gain), "gain"),
        check.positive(float(resolution or 0.0), "resolution", "nm", zero=True),
        None if offset is None else float(offset),
    )  # fmt: skip


def _full(signal: np.ndarray, level: float | None) -> np.ndarray:
    if level is not None:
        return np.asarray((signal >= check.positive(level, "saturation")).any(axis=1))
    top = float(signal.max())
    flat = np.sum(signal == top, axis=1)
    # A converter's full scale, or a flat top in a spectrum: several neighbours with the same highest number.
    if top in _FULL_SCALES:
        return np.asarray(flat >= 1)
    return np.asarray(flat >= 4) if top > 200 else np.zeros(signal.shape[0], dtype=bool)


def outputs(data: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Return the light in each spectrum above its baseline, and the variance of that.

    Args:
        data: the spectra.

    Returns:
        Shapes (b,) and (b,), in the signal's unit (squared).
    """
    total, variance = np.zeros(len(data.signal)), np.zeros(len(data.signal))
    for i, y in enumerate(data.signal):
        ground, std = (data.offset, 0.0) if data.offset is not None else baseline_of(y)
        each = noise_of(y, float(data.element))
        if data.gain is not None:
            each = np.maximum(each, np.maximum(y - ground, 0.0) / data.gain + float(each.min()))
        total[i] = np.sum(y - ground)
        variance[i] = np.sum(each) + (y.size * std) ** 2
    return total, variance


def as_sweep(data: Spectra) -> tuple[xr.Dataset, Spectra, tuple[str, ...]]:
    """Return the outputs of spectra against fluence, without those that are saturated.

    Args:
        data: spectra with their fluences.

    Returns:
        The table, the spectra that were used, and warnings.

    Raises:
        InputError: too many are saturated.
    """
    assert data.fluence is not None
    warnings: tuple[str, ...] = ()
    keep = ~data.full
    if not keep.all():
        if keep.sum() < 5:
            raise InputError(
                f"{int(np.sum(~keep))} of {keep.size} spectra have saturated pixels and only {int(keep.sum())} are "
                "left; attenuate the light or shorten the exposure, and measure again."
            )
        warnings = (
            f"{int(np.sum(~keep))} of {keep.size} spectra have saturated pixels (from {data.fluence[~keep].min():.4g} "
            "uJ/cm^2 on); they are left out.",
        )
    used = dataclasses.replace(data, signal=data.signal[keep], fluence=data.fluence[keep], full=data.full[keep])
    total, variance = outputs(used)
    assert used.fluence is not None
    fluence = used.fluence.copy()
    for i in range(1, fluence.size):  # repeated ones a billionth apart
        fluence[i] = max(fluence[i], fluence[i - 1] * (1.0 + 1e-9))
    table = make_observation(total, "fluence_uj_cm2", fluence, units="arb", variance=variance)
    return table, used, warnings


def widths(data: Spectra) -> list[dict[str, Any]]:
    """Return the width of each spectrum: rows of fluence, peak, observed and freed width with errors, and limits."""
    rows = []
    for i, y in enumerate(data.signal):
        row: dict[str, Any] = {"fluence_uj_cm2": None if data.fluence is None else float(data.fluence[i])}
        try:
            w: Width = width_of(data.nm, y, data.resolution, data.offset, data.gain, seed=i)
        except InputError as error:
            rows.append(row | {"width_nm": None, "std_nm": None, "why": str(error)})
            continue
        value = w.value if math.isfinite(w.value) else None
        rows.append(
            row
            | {"width_nm": value, "std_nm": w.std if value is not None else None, "observed_nm": w.observed,
               "observed_std_nm": w.observed_std, "upper_nm": w.upper, "resolved": w.resolved, "peak_nm": w.peak_nm}
        )  # fmt: skip
    return rows
