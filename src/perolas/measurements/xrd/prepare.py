"""A pattern made ready for a fit: its axis, its noise, its phases; what cannot be used is refused here."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.noise import AbstractNoise, Gaussian, Poisson, UnknownGaussian
from perolas.core.observation import axis_of, validate
from perolas.matter import cif as cif_file
from perolas.matter import crystal
from perolas.matter.crystal import Crystal

_FEWEST = 30  # points
MOST_FILES = 200


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What is fitted.

    Attributes:
        axis: shape (n,), rising two theta in degrees.
        signal: shape (n,) or (batch, n).
        noise: of it.
        weight: like the signal, inverse variance for start values.
        unit: of the signal.
    """

    axis: np.ndarray
    signal: np.ndarray
    noise: AbstractNoise
    weight: np.ndarray
    unit: str


def prepare(observation: xr.Dataset, window: tuple[float, float] | None, *, batch: bool = False) -> Prepared:
    """Return a pattern ready for a fit.

    Args:
        observation: axis ``two_theta_deg``; counts are Poisson, a ``variance`` is used, anything else has one variance
            that the residuals give.
        window: first and last two theta to look at, degrees.
        batch: whether several patterns are wanted.

    Returns:
        The pattern on a rising axis.

    Raises:
        InputError: another axis, too few points, or no signal.
    """
    validate(observation)
    if axis_of(observation) != "two_theta_deg":
        raise InputError(f'A powder pattern needs the axis "two_theta_deg", but this has "{axis_of(observation)}".')
    axis, signal = observation["two_theta_deg"].values, observation["signal"].values
    if signal.ndim == 2 and not batch:
        raise InputError(f"There are {len(signal)} patterns; a fit takes one, fit_series takes several.")
    variance = observation["variance"].values if "variance" in observation else None
    keep = np.ones(axis.size, dtype=bool) if window is None else (axis >= window[0]) & (axis <= window[1])
    keep &= (axis > 0.1) & (axis < 179.9)
    if keep.sum() < _FEWEST:
        raise InputError(f"Only {keep.sum()} points of the pattern lie in the window; at least {_FEWEST} are needed.")
    order = np.argsort(axis[keep])
    axis, signal = axis[keep][order], signal[..., keep][..., order]
    if not np.any(signal > 0):
        raise InputError("The pattern is empty: nothing in it is above zero.")
    if np.ptp(signal) == 0:
        raise InputError("The pattern is flat: every point has the same value.")
    unit = str(observation["signal"].attrs["units"])
    if variance is not None:
        variance = np.broadcast_to(variance, observation["signal"].shape)[..., keep][..., order]
        return Prepared(axis, signal, Gaussian(np.asarray(variance)), 1.0 / variance, unit)
    if unit == "counts":
        return Prepared(axis, signal, Poisson(), 1.0 / np.maximum(signal, 1.0), unit)
    return Prepared(axis, signal, UnknownGaussian(), np.ones_like(signal), unit)


def crystals_of(phases: Sequence[str], cif: str | os.PathLike[str] | Sequence[str] | None) -> list[Crystal]:
    """Return the crystals that are named: phases of the library, and files.

    Args:
        phases: names of `perolas.matter.crystal.phases()`.
        cif: a CIF file, a folder of them, or a list of files.

    Returns:
        The crystals; those of files are named after their file.

    Raises:
        InputError: an unknown phase, or a file that cannot be used.
    """
    found = [crystal.phase(str(name)) for name in dict.fromkeys(phases)]
    for path in _files(cif):
        made = cif_file.read(path)
        label = "".join(c if c.isalnum() or c in "+-" else "-" for c in path.stem)[:40].strip("-") or "phase"
        found.append(dataclasses.replace(made, name=label))
    names = [c.name for c in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f'Two phases are called "{name}"; rename one of the files.')
    return found


def _files(cif: str | os.PathLike[str] | Sequence[str] | None) -> list[Path]:
    if cif is None:
        return []
    given = [cif] if isinstance(cif, str | os.PathLike) else list(cif)
    found: list[Path] = []
    for entry in given:
        path = Path(entry)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() == ".cif")
            if not inside:
                raise InputError(f'The folder "{one_line(path.name, 60)}" holds no CIF file.')
            found.extend(inside)
        else:
            found.append(path)
    if len(found) > MOST_FILES:
        raise InputError(f"There are {len(found)} CIF files, more than the {MOST_FILES} that are read.")
    return found


def miller(text: str) -> tuple[int, int, int]:
    """Return Miller indices from text such as ``"001"``, ``"1-10"`` or ``"1 0 12"``; raises InputError for others."""
    words = text.replace(",", " ").replace(":", " ").split()
    if len(words) == 1:
        words, sign = [], ""
        for c in text.strip():
            if c == "-":
                sign = "-"
            else:
                words.append(sign + c)
                sign = ""
    try:
        found = [int(w) for w in words]
    except ValueError:
        found = []
    if len(found) != 3 or not any(found):
        raise InputError(f'"{one_line(text, 30)}" are no Miller indices; write three whole numbers, such as 001.')
    return found[0], found[1], found[2]


def textures(given: Sequence[str], names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Return phase -> texture axis from words like ``"CsPbBr3=001"``; raises InputError for what is none."""
    found = {}
    for word in given:
        name, equal, indices = word.partition("=")
        if not equal:
            raise InputError(f'A texture is written PHASE=HKL, such as CsPbBr3=001, but is "{one_line(word, 40)}".')
        found[check.one_of(name, names, "The textured phase")] = miller(indices)
    return found
