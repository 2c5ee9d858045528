r"""What a specimen emits: energies, widths and strength of its band, from the laws of `perolas.matter`.

*Sizes.* Light is absorbed in proportion to volume, so that a crystal of edge L weighs L^3 in the emission. The size law
is cut into classes; each emits at E(T, L) with the width of the phonons, and the spread of energies within its class.

*Temperature.* The gap's rise with temperature is the library's one law; by Grueneisen, expansion follows the thermal
energy of the same phonons that shift the gap, so that both have one shape and the share of expansion is one number.
Widths are Gamma_0 + sigma T + Gamma_LO n(E_LO). The Urbach energy goes as coth(E_LO / 2kT) (Urbach, Phys. Rev. 1953,
92, 1324; Toyozawa's interaction mode taken to be the LO phonon).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core.units import BOLTZMANN_EV_K, FWHM_PER_SIGMA, HC_EV_NM
from perolas.matter import optics
from perolas.matter.ageing_specimen import ratio_of
from perolas.matter.parameters_library import PhysicalParameter, parameter_value, physical_parameter, shifted

_REFERENCE_K = 300.0
# Cells of the size law in its standard deviations: half a deviation is finer than the width of the phonons at 77 K.
_CELL = 0.5
_PLACES = _CELL * np.arange(-6, 7)
_LEAST_NM = 1.0  # of a size law that reaches down to nothing
ENERGY_PARAMETERS = tuple(
    f"CsPbBr3.{name}"
    for name in (
        "band_gap", "gap_slope", "gap_phonon_energy", "electron_mass", "hole_mass", "reduced_mass",
        "dielectric_constant", "exciton_binding_energy", "exciton_bohr_radius",
    )
)  # fmt: skip
WIDTH_PARAMETERS = tuple(
    f"CsPbBr3.{name}"
    for name in ("linewidth_inhomogeneous", "linewidth_acoustic", "linewidth_lo_coupling", "lo_phonon_energy")
)


class Classes(NamedTuple):
    """Emission of a specimen, by classes of size.

    Attributes:
        centre_ev: mean energy, eV.
        fwhm_ev: full width of each class without its spread of sizes, eV.
        offsets_ev: shape (k,), energy of each class less the mean, eV.
        shares: shape (k,), share of each in the emission; they sum to one.
        cells_ev: shape (k,), full width of a Gaussian of the variance that sizes within the class make, eV.
    """

    centre_ev: Float[Array, ""]
    fwhm_ev: Float[Array, ""]
    offsets_ev: Float[Array, " k"]
    shares: Float[Array, " k"]
    cells_ev: Float[Array, " k"]


def classes_of(specimen: Any) -> Classes:
    """Return what the classes of a specimen's size law emit.

    The width of the phonons is that of ensembles of 20 nm crystals and holds a little of a spread already (5 meV of 75
    for a tenth of 20 nm), which is not taken out.

    Args:
        specimen: temperature, mean size, its spread and law count.

    Returns:
        The classes.
    """
    mean = jnp.asarray(specimen.size_nm, dtype=jnp.float64)
    relative = jnp.maximum(jnp.asarray(specimen.size_std_nm) / mean, 1e-9)
    if specimen.size_law == "lognormal":
        log_std = jnp.sqrt(jnp.log1p(relative**2))
        sizes = mean / jnp.sqrt(1.0 + relative**2) * jnp.exp(log_std * _PLACES)
        steps = sizes * log_std * _CELL
    else:
        sizes = mean * (1.0 + relative * _PLACES)
        steps = mean * relative * _CELL * np.ones(_PLACES.size)
    there = sizes > _LEAST_NM
    sizes = jnp.where(there, sizes, _LEAST_NM)
    weight = jnp.where(there, np.exp(-0.5 * _PLACES**2) * sizes**3, 0.0)
    shares = weight / jnp.sum(weight)
    energy = optics.emission_energy_ev(specimen.temperature_k, sizes)
    slope = jax.vmap(jax.grad(lambda size: jnp.sum(optics.confinement_ev(size))))(sizes)
    cells = FWHM_PER_SIGMA * jnp.abs(slope) * steps / math.sqrt(12.0)  # sizes spread evenly over a class
    centre = jnp.sum(shares * energy)
    return Classes(centre, optics.emission_fwhm_ev(specimen.temperature_k), energy - centre, shares, cells)


def band_of(specimen: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return mean energy and full width of the band of a specimen's CsPbBr3, eV.

    Args:
        specimen: temperature, mean size, its spread and law count.

    Returns:
        Energy and full width at half maximum (of a Gaussian of the same variance), eV.
    """
    found = classes_of(specimen)
    variance = jnp.sum(found.shares * (found.offsets_ev**2 + (found.cells_ev / FWHM_PER_SIGMA) ** 2))
    return found.centre_ev, jnp.sqrt(found.fwhm_ev**2 + FWHM_PER_SIGMA**2 * variance)


def urbach_of(temperature_k: ArrayLike) -> Float[Array, "..."]:
    """Return the Urbach energy of CsPbBr3 at a temperature, eV."""
    half = parameter_value("CsPbBr3.lo_phonon_energy") / 1e3 / (2.0 * BOLTZMANN_EV_K)
    warm = math.tanh(half / _REFERENCE_K)
    return parameter_value("CsPbBr3.urbach_energy") / 1e3 * warm / jnp.tanh(half / jnp.asarray(temperature_k))


def strength_of(specimen: Any) -> Float[Array, ""]:
    """Return what a specimen emits over what it would if all its lead were in CsPbBr3 that emits every photon.

    Light that CsPbBr3 alone absorbs, and little of it (an optically thin sample): share of the lead in CsPbBr3 times
    quantum yield 1 / (1 + r), r being the non-radiative ratio of the traps.

    Args:
        specimen: phases, `trap_ratio` and `loss_ratio` count.

    Returns:
        A share, 0 to 1.
    """
    return specimen.converted() / (1.0 + ratio_of(specimen))


class Term(NamedTuple):
    """One term of the emission energy.

    Attributes:
        name: what it is.
        value_ev, std_ev: the term and its standard error, eV.
        parameters: names of the library that it rests on.
    """

    name: str
    value_ev: float
    std_ev: float
    parameters: tuple[str, ...]


def emission_terms(temperature_k: float = _REFERENCE_K, size_nm: float = 20.0) -> tuple[Term, ...]:
    """Return where the emission energy comes from: bulk gap at 300 K, thermal expansion, phonons, confinement.

    Args:
        temperature_k: temperature, K.
        size_nm: edge length, nm.

    Returns:
        Terms that add up to `optics.emission_energy_ev`, and that sum, each with the error of its parameters.

    Raises:
        InputError: a temperature or size that is not positive.
    """
    share = physical_parameter("CsPbBr3.gap_expansion_share")
    thermal = ("CsPbBr3.gap_slope", "CsPbBr3.gap_phonon_energy")
    confined = ENERGY_PARAMETERS[3:]

    def shift() -> float:
        return float(optics.band_gap_ev("CsPbBr3", temperature_k) - optics.band_gap_ev("CsPbBr3", _REFERENCE_K))

    def confinement() -> float:
        return float(optics.confinement_ev(size_nm))

    gap, rise, rise_std = physical_parameter("CsPbBr3.band_gap"), shift(), _std_of(shift, thermal)
    expansion_std = math.hypot(share.value * rise_std, share.std * rise)
    phonons_std = math.hypot((1.0 - share.value) * rise_std, share.std * rise)
    confinement_std = _std_of(confinement, confined)
    total = gap.value + rise + confinement()
    return (
        Term("bulk gap at 300 K", gap.value, gap.std, ("CsPbBr3.band_gap",)),
        Term("thermal expansion", share.value * rise, expansion_std, (*thermal, share.name)),
        Term("phonons", (1.0 - share.value) * rise, phonons_std, (*thermal, share.name)),
        Term("confinement", confinement(), confinement_std, confined),
        Term("emission", total, law_std_ev(temperature_k, size_nm), ENERGY_PARAMETERS),
    )


def _std_of(value: Any, names: tuple[str, ...]) -> float:
    """Return the error that parameters bring to a value: each moved by its standard error."""
    middle, squares = value(), 0.0
    for name in names:
        with shifted({name: physical_parameter(name).std}):
            squares += (value() - middle) ** 2
    return math.sqrt(squares)


def law_std_ev(temperature_k: float = _REFERENCE_K, size_nm: float = 20.0) -> float:
    """Return the standard error of the emission energy that the law gives for a size, eV.

    That of the emission of 20 nm crystals at 300 K, which is better known than the bulk gap; the share of the error of
    the gap's rise from 77 K that belongs to this temperature; and, for small crystals, that of the law of confinement
    between its two limits.

    Args:
        temperature_k: temperature, K.
        size_nm: edge length, nm.

    Returns:
        The error, eV.
    """
    warm, cold = (float(optics.band_gap_ev("CsPbBr3", t)) for t in (_REFERENCE_K, 77.0))
    rise = physical_parameter("CsPbBr3.gap_rise_77_300").std / 1e3
    share = (float(optics.band_gap_ev("CsPbBr3", temperature_k)) - warm) / (cold - warm)
    strong = 1.0 / (1.0 + (size_nm / (2.0 * parameter_value("CsPbBr3.exciton_bohr_radius"))) ** 4)
    between = 4.0 * strong * (1.0 - strong) * parameter_value("CsPbBr3.confinement_law_error") / 1e3
    return math.hypot(physical_parameter("CsPbBr3.emission_energy_300k").std, rise * share, between)


def derivation(temperature_k: float = _REFERENCE_K, size_nm: float = 20.0) -> str:
    """Return the emission energy of a size and temperature as a table: each term, and each number with its source.

    Args:
        temperature_k: temperature, K.
        size_nm: edge length, nm.

    Returns:
        Lines of text.

    Raises:
        InputError: a temperature or size that is not positive.
    """
    terms = emission_terms(temperature_k, size_nm)
    energy, std = terms[-1].value_ev, terms[-1].std_ev
    lines = [f"Emission of CsPbBr3, {size_nm:g} nm, {temperature_k:g} K:"]
    for term in terms:
        lines.append(f"  {term.name:<20}{1e3 * term.value_ev:10.1f} ± {1e3 * term.std_ev:.1f} meV")
    lines.append(f"  {'wavelength':<20}{HC_EV_NM / energy:10.1f} ± {HC_EV_NM / energy**2 * std:.1f} nm")
    lines.append("from")
    for name in dict.fromkeys(n for term in terms for n in term.parameters):
        lines.append("  " + _line(physical_parameter(name)))
    ruling = ("CsPbBr3.emission_energy_300k", "CsPbBr3.gap_rise_77_300", "CsPbBr3.confinement_law_error")
    lines.append("The error of the sum is that of")
    lines += ["  " + _line(physical_parameter(name)) for name in ruling]
    return "\n".join(lines)


def _line(item: PhysicalParameter) -> str:
    unit = "" if item.unit == "1" else f" {item.unit}"
    place = f": {item.place}" if item.place else ""
    return f"{item.name} = {item.value:g} ± {item.std:g}{unit} ({item.source}, {item.status}{place})"
