"""A simulated absorption spectrum: of a specimen, or of the parameters given."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.measurement import observe
from perolas.core.noise import Gaussian
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.core.units import ev_from_nm
from perolas.measurements.absorption import dielectric
from perolas.measurements.absorption.model import KINDS, Absorption

SPAN_NM = (285.0, 700.0)
_LIMITS_NM = (250.0, 3000.0)
_MOST_POINTS = 100_000


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    kind: str = "absorbance",
    medium: str = "auto",
    path: float | None = None,
    lead: float = 0.05,
    span: tuple[float, float] = SPAN_NM,
    points: int = 416,
    noise: float = 1e-3,
    true_gap: float | None = None,
    true_binding: float | None = None,
    true_fwhm: float | None = None,
    true_scatter: float = 0.02,
    true_scatter_power: float = 4.0,
) -> xr.Dataset:
    """Simulate the absorption spectrum of a specimen, as an instrument gives it against wavelength.

    Args:
        specimen: a `Specimen`, whose phases, size and temperature decide edges and shares; None: CsPbBr3 alone.
        seed: seed of the noise.
        kind: ``"absorbance"`` (also ``"auto"``), ``"transmittance"`` or ``"reflectance"`` (K / S then is what the
            absorbance of `path` and `lead` would be).
        medium: what is around the nanocrystals, or ``"film"``; ``"auto"``: toluene.
        path: length of the light's path, cm; None: 1 cm.
        lead: lead in both phases, mmol/L; of a film, the thickness in micrometres is `path` x `lead` x molar volume.
        span: wavelengths, nm.
        points: number of points.
        noise: standard deviation of the signal.
        true_gap: gap, eV; None: of the specimen or the parameter table.
        true_binding: binding energy, eV; None: likewise.
        true_fwhm: full width of the broadening, eV; None: likewise.
        true_scatter: absorbance by scattering in the middle of the span (in energy).
        true_scatter_power: its power of the energy.

    Returns:
        An observation on ``wavelength_nm`` with its variance.

    Raises:
        InputError: numbers that cannot be used.
    """
    kind = "absorbance" if kind == "auto" else check.one_of(kind, KINDS, "The kind of signal")
    medium = "toluene" if medium == "auto" else check.one_of(medium, dielectric.MEDIA, "The medium")
    path = 1.0 if path is None else path
    for value, name, unit in ((noise, "noise", ""), (path, "path", "cm"), (lead, "lead", "mmol/L")):
        check.positive(value, name, unit)
    check.positive(true_scatter, "scatter", zero=True)
    if not 10 <= int(points) <= _MOST_POINTS:
        raise InputError(f'Argument "points" must lie between 10 and {_MOST_POINTS}, but is {points}.')
    if not _LIMITS_NM[0] <= span[0] < span[1] <= _LIMITS_NM[1]:
        raise InputError(
            f"A spectrum can be simulated from {_LIMITS_NM[0]:g} to {_LIMITS_NM[1]:g} nm, but not from {span[0]:g} to "
            f"{span[1]:g} nm."
        )
    nm = np.linspace(span[0], span[1], int(points))
    material = dielectric.perovskite(medium)
    solid_nm = lead * 1e-6 * material.molar_volume_cm3 * path * 1e7  # mmol/L are 1e-6 mol/cm3
    amplitude = solid_nm * 1e-7 * material.height_cm1 / math.log(10.0)
    model = Absorption(
        amplitude=amplitude, scatter=true_scatter, scatter_power=true_scatter_power, path_cm=path,
        energy_ev=ev_from_nm(nm)[::-1].copy(), kind=kind, phases=specimen is not None, medium=medium,
        noise=Gaussian(np.full(nm.size, noise**2)),
    )  # fmt: skip
    seen: Any = observe(model, specimen)
    given = {"gap_ev": true_gap, "binding_ev": true_binding, "fwhm_ev": true_fwhm}
    wanted = {k: np.float64(check.positive(v, k, "eV")) for k, v in given.items() if v is not None}
    seen = replace(seen, **wanted) if wanted else seen
    clean = np.asarray(seen.expected())[::-1]
    signal = clean + noise * np.random.default_rng(seed).standard_normal(nm.size)
    made = make_observation(
        signal, "wavelength_nm", nm, units="1", variance=np.full(nm.size, noise**2), technique="absorption",
        instrument="simulated by perolas", seed=seed,
    )  # fmt: skip
    made.attrs["conditions"] = json.dumps({"kind": kind, "medium": medium, "path_cm": path})
    return made


def example() -> Absorption:
    """Return a spectrum of both phases whose answer is known, for the inversion tests."""
    energy = np.linspace(2.0, 4.2, 441)
    model = Absorption(
        gap_ev=2.41, binding_ev=0.035, fwhm_ev=0.07, amplitude=0.3, second=0.5, scatter=0.05, offset=0.02,
        energy_ev=energy, phases=True,
    )  # fmt: skip
    return dataclasses.replace(model, noise=Gaussian(np.full(energy.size, 1e-6)))
