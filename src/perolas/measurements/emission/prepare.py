"""A pump sweep made ready for a fit: checked, with the noise it deserves, saturated points left out."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.noise import AbstractNoise, Camera, Gaussian, Poisson, UnknownGaussian
from perolas.core.observation import axis_of
from perolas.measurements.emission.noise import Relative

FEWEST = 5
_FULL_SCALES = tuple(float(2**bits - 1) for bits in (8, 10, 12, 14, 16))


@dataclass(frozen=True)
class Sweep:
    """Output against fluence, rising.

    Attributes:
        fluence: shape (n,), uJ/cm^2.
        output: shape (n,), in `unit`.
        noise: of the output.
        unit: of the output.
        left_out: fluences of points that were left out, uJ/cm^2.
        notes, warnings: sentences.
    """

    fluence: np.ndarray
    output: np.ndarray
    noise: AbstractNoise
    unit: str
    left_out: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def weight(self) -> np.ndarray:
        """Return inverse variances of the points as they are, shape (n,), up to a factor."""
        return np.asarray(self.noise.weight(jnp.asarray(self.output), jnp.maximum(jnp.asarray(self.output), 1.0)))


def prepare(
    observation: xr.Dataset,
    noise: str = "auto",
    gain: float | None = None,
    readout: float | None = None,
    saturation: float | None = None,
) -> Sweep:
    """Check a pump sweep and choose its noise.

    Args:
        observation: signal of shape (n,) on the axis ``fluence_uj_cm2``.
        noise: ``"auto"``, ``"poisson"``, ``"relative"`` or ``"constant"``.
        gain: electrons for one count of a camera.
        readout: standard deviation of its readout, in counts.
        saturation: output from which on the detector is full, in the signal's unit.

    Returns:
        The sweep, rising in fluence.

    Raises:
        InputError: it cannot be used.
    """
    if axis_of(observation) != "fluence_uj_cm2":
        raise InputError(
            f"A pump sweep has the axis fluence_uj_cm2, but this one has {axis_of(observation)}; say what the first "
            "column is with its header or --axis."
        )
    if observation["signal"].ndim != 1:
        raise InputError("A pump sweep is one signal against fluence; fit several one after another.")
    fluence = np.asarray(observation["fluence_uj_cm2"].values, dtype=float)
    output = np.asarray(observation["signal"].values, dtype=float)
    if np.any(fluence <= 0):
        raise InputError(
            f"A fluence must be positive, but {np.sum(fluence <= 0)} of {fluence.size} are not (the lowest is "
            f"{fluence.min():g} uJ/cm^2); leave dark measurements out."
        )
    variance = observation["variance"].values if "variance" in observation else None
    order = np.argsort(fluence)
    fluence, output = fluence[order], output[order]
    variance = None if variance is None else np.asarray(variance, dtype=float)[order]
    unit = str(observation["signal"].attrs.get("units", "arb"))
    full, warnings = saturated(output, saturation)
    if full.any():
        if np.sum(~full) < FEWEST:
            raise InputError(
                f"{int(full.sum())} of the {full.size} points are saturated (at {output[full].min():g}) and only "
                f"{int(np.sum(~full))} are left; attenuate the light and measure again."
            )
        warnings = (
            f"The detector was saturated in {int(full.sum())} of {full.size} points (from {fluence[full].min():.4g} "
            f"uJ/cm^2 on, at {output[full].min():g}); they are left out.",
        )
    keep = ~full
    if keep.sum() < FEWEST:
        raise InputError(
            f"A pump sweep needs at least {FEWEST} fluences to show a threshold, but has {int(keep.sum())}."
        )
    left = tuple(float(f) for f in fluence[full])
    variance = None if variance is None else variance[keep]
    fluence, output = fluence[keep], output[keep]
    if np.ptp(output) == 0:
        raise InputError("The output is the same at every fluence; there is nothing to fit.")
    chosen, note = _noise(output, unit, variance, noise, gain, readout)
    return Sweep(fluence, output, chosen, unit, left, note, warnings)


def saturated(output: np.ndarray, level: float | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return which points of a sweep are saturated: at or above a level, or stuck at one highest number.

    Args:
        output: shape (n,), in the order of rising fluence.
        level: from which on the detector is full; None: found where three or more points (two at a converter's full
            scale such as 65535) share the highest value and nothing after the first of them is lower.

    Returns:
        Shape (n,), and nothing to warn of.

    Raises:
        InputError: a level that is not positive.
    """
    if level is not None:
        return output >= check.positive(level, "saturation"), ()
    top = output.max()
    stuck = output == top
    first = int(np.argmax(stuck))
    least = 2 if float(top) in _FULL_SCALES else 3
    return (stuck if stuck.sum() >= least and np.all(stuck[first:]) else np.zeros(output.size, dtype=bool)), ()


def _noise(
    output: np.ndarray, unit: str, variance: np.ndarray | None, kind: str, gain: float | None, readout: float | None
) -> tuple[AbstractNoise, tuple[str, ...]]:
    check.one_of(kind, ("auto", "poisson", "relative", "constant"), 'The value of "noise"')
    if kind == "auto":
        if variance is not None:
            return Gaussian(jnp.asarray(variance)), ()
        kind = "poisson" if unit == "counts" else "relative" if np.all(output > 0) else "constant"
    if kind == "poisson":
        if unit != "counts":
            raise InputError(f'Poisson noise needs an output in counts, but this one is in "{unit}".')
        if gain is None and readout is None:
            return Poisson(), ()
        electrons = 1.0 if gain is None else check.positive(gain, "gain", "electrons for each count")
        read = 0.0 if readout is None else check.positive(readout, "readout", "counts", zero=True)
        return Camera(electrons, max(read, 1e-3)), ()
    if kind == "relative":
        if not np.all(output > 0):
            raise InputError(
                "An error in per cent needs a positive output everywhere; give errors, or --noise constant."
            )
        return Relative(), ("The output has no errors: one of so many per cent is taken from the residuals.",)
    return UnknownGaussian(), (
        "The output has no errors: one for all points is taken from the residuals, so the highest points decide.",
    )
