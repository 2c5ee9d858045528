"""What a fit of the edge and a Tauc plot get wrong, by binding energy and broadening, on spectra of a known gap.

The spectra are not made by the model that is fitted: the lines are summed one by one, the continuum is added point by
point, and the whole is broadened on a fine grid, by a Gaussian or, to see what a wrong form of the broadening does, by
a Gaussian and a Lorentzian one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perolas.core import check
from perolas.core.observation import make_observation
from perolas.core.units import nm_from_ev

BINDINGS_EV = (0.005, 0.015, 0.035, 0.1)
FWHMS_EV = (0.03, 0.07, 0.12)
_GAP_EV = 2.4
_HEIGHT = 0.3  # absorbance of the step at the gap
_SCATTER = 0.05  # absorbance by scattering at the gap
_REACH_EV = 0.6  # of the spectrum, on either side of the gap
_POINTS = 301
_GRID_EV = 1e-4
_LINES = 60


def known_edge(
    energy_ev: ArrayLike, gap_ev: float, binding_ev: float, fwhm_ev: float, lorentz: float = 0.0
) -> NDArray[np.float64]:
    """Return an Elliott edge over the continuum's step at the gap, broadened on a grid.

    Args:
        energy_ev: shape (n,), photon energies, eV.
        gap_ev: where the continuum begins, eV.
        binding_ev: binding energy of the exciton, eV.
        fwhm_ev: full width of the broadening, eV.
        lorentz: share of that width which is Lorentzian, 0 to below 1; the Gaussian's is chosen so that the whole has
            the width.

    Returns:
        Shape (n,): lines and continuum, without the factor gap / energy.

    Source: Elliott, Phys. Rev. 1957, 108, 1384; the width of a Voigt line by Olivero and Longbothum, J. Quant.
    Spectrosc. Radiat. Transfer 1977, 17, 233.
    """
    from scipy.signal import fftconvolve

    energy = np.asarray(energy_ev, dtype=float)
    reach = 5.0 if lorentz else 5.0 * fwhm_ev
    low, high = float(energy.min() - gap_ev) - reach - 1.0, float(energy.max() - gap_ev) + reach
    x = (np.arange(round(low / _GRID_EV), round(high / _GRID_EV)) + 0.5) * _GRID_EV
    above = np.maximum(x, 1e-12)
    shape = np.where(x > 0, -1.0 / np.expm1(-2.0 * np.pi * np.sqrt(binding_ev / above)), 0.0)
    for n in range(1, _LINES + 1):
        # Shared between two points, so that the line's mean lies where it should.
        place = (-binding_ev / n**2 - x[0]) / _GRID_EV
        i, part = int(np.floor(place)), place - np.floor(place)
        shape[i : i + 2] += 2.0 * binding_ev / n**3 / _GRID_EV * np.array([1.0 - part, part])
    u = np.arange(-round(reach / _GRID_EV), round(reach / _GRID_EV) + 1) * _GRID_EV
    wide = lorentz * fwhm_ev
    narrow = np.sqrt((fwhm_ev - 0.5346 * wide) ** 2 - 0.2166 * wide**2)
    kernel = np.exp(-4.0 * np.log(2.0) * (u / narrow) ** 2)
    kernel /= kernel.sum()
    if lorentz:
        wing = 1.0 / (1.0 + (2.0 * u / wide) ** 2)
        kernel = fftconvolve(kernel, wing / wing.sum(), mode="same")
    padded = np.pad(shape, u.size // 2, mode="edge")
    return np.interp(energy - gap_ev, x, fftconvolve(padded, kernel / kernel.sum(), mode="valid"))


def bias_table(
    bindings_ev: Sequence[float] = BINDINGS_EV,
    fwhms_ev: Sequence[float] = FWHMS_EV,
    *,
    lorentz: float = 0.0,
    noise: float = 1e-3,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return what a fit of the edge and Tauc plots say of a gap of 2.4 eV, over binding energy and broadening.

    The spectrum reaches 0.6 eV to either side of the gap, with a step of 0.3 and scattering of 0.05 that grows with the
    fourth power of the energy.

    Args:
        bindings_ev: binding energies of the exciton, eV.
        fwhms_ev: full widths of the broadening, eV.
        lorentz: share of the width that is Lorentzian, which the fit does not know.
        noise: standard deviation of the absorbance.
        seed: of the noise; each spectrum has its own.

    Returns:
        One row for each pair: ``binding_ev``, ``fwhm_ev``, ``elliott`` and ``elliott_std`` (fitted less true gap and
        its standard error, eV), ``exciton`` and ``exciton_std`` (the same of the exciton's energy), ``tauc`` (mean of
        the direct plots less the true gap, eV), ``tauc_std``, ``tauc_low`` and ``tauc_high`` (their spread and ends);
        NaN where nothing was found.
    """
    from perolas.measurements.absorption import fit

    check.positive(noise, "noise")
    energy = np.linspace(_GAP_EV - _REACH_EV, _GAP_EV + _REACH_EV, _POINTS)
    rows = []
    for i, binding in enumerate(bindings_ev):
        for j, fwhm in enumerate(fwhms_ev):
            edge = known_edge(energy, _GAP_EV, binding, fwhm, lorentz)
            clean = _HEIGHT * _GAP_EV / energy * edge + _SCATTER * (energy / _GAP_EV) ** 4
            signal = clean + noise * np.random.default_rng([seed, i, j]).standard_normal(energy.size)
            spectrum = make_observation(
                signal[::-1], "wavelength_nm", np.asarray(nm_from_ev(energy))[::-1], units="1",
                variance=np.full(energy.size, noise**2), technique="absorption",
            )  # fmt: skip
            found = fit(spectrum, model="edge", window=(0.0, 10.0))
            direct = np.array([r["gap_ev"] for r in found.extra.get("tauc", []) if r["exponent"] == "direct"])
            row = {"binding_ev": float(binding), "fwhm_ev": float(fwhm)}
            for name, key, truth in (("gap", "elliott", _GAP_EV), ("exciton", "exciton", _GAP_EV - binding)):
                seen = name in found.quantities
                row[key] = found[name].value - truth if seen else float("nan")
                row[f"{key}_std"] = found[name].std if seen else float("nan")
            off = direct - _GAP_EV if direct.size > 1 else np.full(2, np.nan)
            row |= {"tauc": float(off.mean()), "tauc_std": float(off.std(ddof=1)), "tauc_low": float(off.min()),
                    "tauc_high": float(off.max())}  # fmt: skip
            rows.append(row)
    return rows


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows of `bias_table` as a table in meV, to be read."""
    head = (
        "| binding energy | full width | edge fitted | exciton fitted | Tauc, direct: mean | Tauc: lowest to highest |"
    )
    lines = [head, "|---|---|---|---|---|---|"]
    for r in rows:
        mev = {k: 1e3 * v for k, v in r.items()}
        lines.append(
            f"| {mev['binding_ev']:.0f} | {mev['fwhm_ev']:.0f} | {mev['elliott']:+.1f} ± {mev['elliott_std']:.1f} "
            f"| {mev['exciton']:+.1f} ± {mev['exciton_std']:.1f} | {mev['tauc']:+.0f} ± {mev['tauc_std']:.0f} "
            f"| {mev['tauc_low']:+.0f} to {mev['tauc_high']:+.0f} |"
        )
    return "\n".join(lines)
