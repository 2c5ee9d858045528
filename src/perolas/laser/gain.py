r"""Gain of CsPbBr3 nanocrystals: band filling in a box of any size by default, the exciton ladder of two as a rival.

**Band filling.** A cube of edge L holds electrons and holes in the levels :math:`E_n = \hbar^2 \pi^2 n^2 / (2 m L^2)`,
:math:`n^2 = n_x^2 + n_y^2 + n_z^2`, filled by Fermi's law at temperature T with N of each on average. Light goes
between equal n, so that

.. math:: g(E) = S \sum_n (f_e + f_h - 1)\, G(E - E_g - E_n^e - E_n^h),

with G a Gaussian of the width of the ensemble (a Lorentzian would absorb far below the gap). S is set by the absorption
of the bulk, 0.25 eV above the gap, and the density of levels there. For 20 nm (three Bohr diameters) the levels lie
about kT apart at 77 K; for large boxes they become the bands. Attraction between carriers is left out: it lowers the
gap (give the energy that is seen) and raises absorption at the edge.

**Ladder.** Two degenerate states: an empty nanocrystal absorbs, one with one exciton neither, one with two or more
emits, so that transparency is where the empty are as many as those with two: exp(N) = 2 + N for a Poisson law.

Sources: Bernard and Duraffourg, Phys. Status Solidi 1961, 1, 699 (transparency); Klimov et al., Science 2000, 290, 314
(the ladder); the density of levels in a box is Weyl's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.optimize import brentq

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter import optics
from perolas.matter.optics import door
from perolas.matter.parameters_library import parameter_value

PARAMETERS_USED = (
    "CsPbBr3.electron_mass",
    "CsPbBr3.hole_mass",
    "CsPbBr3.refractive_index.brennan2024",
    "CsPbBr3.auger_lifetime",
)
SIZES_NM = (6.0, 60.0)  # below, confinement is strong and levels are not those of a box; above, the sum is cut too soon
_HIGHEST = 40  # quantum number up to which levels are counted
_ABOVE_GAP_EV = 0.25  # where the strength is taken: above the exciton, below where the bands bend
_TEMPERATURES_K = (4.0, 500.0)


@cache
def _shells() -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return n^2 and how many triples have it."""
    n = np.arange(1, _HIGHEST + 1) ** 2
    squares, counts = np.unique((n[:, None, None] + n[:, None] + n).ravel(), return_counts=True)
    whole = squares <= _HIGHEST**2
    return squares[whole].astype(float), counts[whole].astype(float)


@dataclass(frozen=True)
class Box:
    """A nanocrystal as a gain medium.

    Attributes:
        size_nm: edge, nm; within `SIZES_NM`.
        temperature_k: of the carriers, K.
        gap_ev: energy of the lowest transition; None: `optics.emission_energy_ev` at this size and temperature.
        fwhm_ev: width of one transition in the ensemble; None: `optics.emission_fwhm_ev`.
    """

    size_nm: float = 20.0
    temperature_k: float = 77.0
    gap_ev: float | None = None
    fwhm_ev: float | None = None

    def __post_init__(self) -> None:
        for value, (low, high), name, unit in (
            (self.size_nm, SIZES_NM, "size", "nm"),
            (self.temperature_k, _TEMPERATURES_K, "temperature", "K"),
        ):
            if not low <= value <= high:
                raise InputError(
                    f"Band filling is known for a {name} of {low:g} to {high:g} {unit}, not {value:g} {unit}."
                )
        for given, name in ((self.gap_ev, "gap"), (self.fwhm_ev, "width")):
            if given is not None:
                check.positive(given, name, "eV")

    @property
    def lowest_ev(self) -> float:
        """Energy of the lowest transition, eV."""
        if self.gap_ev is not None:
            return self.gap_ev
        return float(optics.emission_energy_ev(self.temperature_k, self.size_nm))

    @property
    def width_ev(self) -> float:
        """Full width at half maximum of a transition, eV."""
        return float(optics.emission_fwhm_ev(self.temperature_k)) if self.fwhm_ev is None else self.fwhm_ev

    def unit_ev(self, mass: float) -> float:
        """Return hbar^2 pi^2 / (2 m L^2) for a mass in electron masses, eV."""
        return units.HBAR2_PER_2ME_EV_NM2 * math.pi**2 / (mass * self.size_nm**2)

    @property
    def masses(self) -> tuple[float, float]:
        """Masses of electron and hole, in electron masses."""
        return parameter_value("CsPbBr3.electron_mass"), parameter_value("CsPbBr3.hole_mass")


def occupation(box: Box, excitations: ArrayLike, mass: float) -> Float[Array, "... n"]:
    """Return how full each level is with so many carriers in the box on average.

    Args:
        box: the nanocrystal.
        excitations: mean number of carriers of this kind, any shape.
        mass: of the carrier, in electron masses.

    Returns:
        Fermi occupations of the levels by rising energy; they can be differentiated.

    Raises:
        InputError: a number that is not positive.
    """
    number = door.positive(excitations, "excitations", "")
    squares, counts = _shells()
    energy = jnp.asarray(box.unit_ev(mass) * (squares - 3.0) / (units.BOLTZMANN_EV_K * box.temperature_k))
    spins = jnp.asarray(2.0 * counts)

    def held(mu: Array) -> Array:
        return jnp.sum(spins * jax.nn.sigmoid(mu - energy))

    def level(n: Array) -> Array:
        target = jax.lax.stop_gradient(n)

        def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = 0.5 * (low + high)
            more = held(middle) > target
            return jnp.where(more, low, middle), jnp.where(more, middle, high)

        start = (jnp.full((), -200.0), energy[-1] + 200.0)
        low, high = jax.lax.fori_loop(0, 80, halve, start)
        mu = jax.lax.stop_gradient(0.5 * (low + high))
        return mu - (held(mu) - n) / jax.lax.stop_gradient(jax.grad(held)(mu))  # carries the gradient

    mu = jax.vmap(level)(number.ravel()).reshape(number.shape)
    return jax.nn.sigmoid(mu[..., None] - energy)


def strength_cm1_ev(box: Box) -> float:
    """Return S, the area under the absorption line of one level, cm-1 eV.

    Args:
        box: the nanocrystal.

    Returns:
        Bulk absorption at 0.25 eV above the gap over the density of levels of a box there.
    """
    photon = parameter_value("CsPbBr3.band_gap") + _ABOVE_GAP_EV
    nm = float(units.nm_from_ev(photon))
    absorption = 4.0 * math.pi * float(optics.refractive_index("CsPbBr3", nm).imag) / (nm * 1e-7)
    unit = sum(box.unit_ev(mass) for mass in box.masses)
    density = math.pi / 4.0 * math.sqrt(_ABOVE_GAP_EV) / unit**1.5  # octant of a sphere of radius sqrt(E / unit)
    return absorption / density


def gain_cm1(box: Box, excitations: ArrayLike, photon_ev: ArrayLike) -> Float[Array, "... e"]:
    """Return the material gain of solid CsPbBr3 cut into such boxes; negative where it absorbs.

    Args:
        box: the nanocrystal.
        excitations: mean number in each, any shape; 0 is not allowed, 1e-9 is.
        photon_ev: shape (e,), energies of the light, eV.

    Returns:
        cm-1, of the shape of the excitations and one more axis for the energies. In a film it counts with the filling.

    Raises:
        InputError: a value that is not positive.
    """
    light = jnp.atleast_1d(door.positive(photon_ev, "photon energy", "eV"))
    squares, counts = _shells()
    electron, hole = box.masses
    inverted = occupation(box, excitations, electron) + occupation(box, excitations, hole) - 1.0
    lines = box.lowest_ev + (box.unit_ev(electron) + box.unit_ev(hole)) * (jnp.asarray(squares) - 3.0)
    sigma = box.width_ev / units.FWHM_PER_SIGMA
    shape = jnp.exp(-0.5 * ((light - lines[:, None]) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
    return strength_cm1_ev(box) * (inverted * jnp.asarray(counts)) @ shape


def peak_gain(box: Box, excitations: ArrayLike) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return the highest gain and the photon energy where it is.

    Args:
        box: the nanocrystal.
        excitations: mean number in each, any shape.

    Returns:
        Gain (cm-1; near 0 below transparency) and energy (eV), of the same shape.

    Raises:
        InputError: a number that is not positive.
    """
    light = jnp.linspace(box.lowest_ev - 3.0 * box.width_ev, box.lowest_ev + 0.8, 1601)
    spectrum = gain_cm1(box, excitations, light)
    return jnp.max(spectrum, axis=-1), light[jnp.argmax(spectrum, axis=-1)]


def transparency(box: Box) -> float:
    """Return the excitations in each nanocrystal at which light at the gap is neither absorbed nor amplified.

    Args:
        box: the nanocrystal.

    Returns:
        Mean number at which the occupations of the lowest levels add up to 1 (Bernard and Duraffourg); 1 when cold.
    """
    electron, hole = box.masses

    def inversion(log_n: float) -> float:
        n = math.exp(log_n)
        return float(occupation(box, n, electron)[0] + occupation(box, n, hole)[0]) - 1.0

    return math.exp(brentq(inversion, math.log(0.1), math.log(1e5), xtol=1e-12))


def ladder_gain(excitations: ArrayLike) -> Float[Array, "..."]:
    """Return the gain of the exciton ladder over the absorption of empty nanocrystals, at the line.

    Args:
        excitations: Poisson mean, any shape.

    Returns:
        Share with two or more less the share of the empty, -1 to 1. Source: Klimov 2000.

    Raises:
        InputError: a negative number.
    """
    n = door.positive(excitations, "excitations", "", zero=True)
    return 1.0 - jnp.exp(-n) * (2.0 + n)


def ladder_transparency() -> float:
    """Return the Poisson mean at which the ladder is transparent, the root of exp(N) = 2 + N: 1.146."""
    return float(brentq(lambda n: math.exp(n) - 2.0 - n, 0.5, 2.0, xtol=1e-14))


def gain_lifetime_ps(
    excitations: ArrayLike, transparent: ArrayLike, lifetime_ps: ArrayLike, auger_lifetime_ps: ArrayLike | None = None
) -> Float[Array, "..."]:
    """Return how long gain lasts while carriers recombine, dn/dt = -n / tau - n^2 / (2 tau_A).

    Args:
        excitations: in each nanocrystal at first, any shape.
        transparent: at transparency, broadcast.
        lifetime_ps: tau, of a single excitation, broadcast, ps.
        auger_lifetime_ps: tau_A, of a pair, broadcast, ps; None: the library's.

    Returns:
        ps until n has fallen to transparency; 0 where it never was above.

    Raises:
        InputError: a value that is not positive.
    """
    pair = parameter_value("CsPbBr3.auger_lifetime") if auger_lifetime_ps is None else auger_lifetime_ps
    n, end = door.positive(excitations, "excitations", ""), door.positive(transparent, "transparency", "")
    a = 1.0 / door.positive(lifetime_ps, "carrier lifetime", "ps")
    b = 0.5 / door.positive(pair, "Auger lifetime", "ps")
    return jnp.maximum(jnp.log(n * (a + b * end) / (end * (a + b * n))) / a, 0.0)


@dataclass(frozen=True)
class TwoLevel:
    """What the SALT and Maxwell-Bloch tiers need, c = 1, lengths in um.

    Attributes:
        k_a: wave number of the line, 1/um.
        gamma_perp: half width at half maximum in wave number, 1/um.
        gamma_par_per_ps: inverse lifetime of the inversion, 1/ps.
        d0: inversion that makes the gain: Im eps = -d0 at the line.
    """

    k_a: float
    gamma_perp: float
    gamma_par_per_ps: float
    d0: float


def two_level(box: Box, excitations: float, index: float, lifetime_ps: float) -> TwoLevel:
    """Return the two-level medium with the same peak gain, place and width.

    Args:
        box: the nanocrystal.
        excitations: mean number in each.
        index: of the medium.
        lifetime_ps: of a carrier, ps.

    Returns:
        The parameters; gain = k d0 / n at the line.

    Raises:
        InputError: a value that is not positive.
    """
    gain, energy = (float(x) for x in peak_gain(box, check.positive(excitations, "excitations")))
    per_um = 2.0 * math.pi / (units.HC_EV_NM * 1e-3)  # wave number for each eV
    light = jnp.linspace(energy - 3.0 * box.width_ev, energy + 0.5, 4001)
    spectrum = np.asarray(gain_cm1(box, excitations, light))
    above = np.asarray(light)[spectrum >= 0.5 * gain] if gain > 0 else np.array([0.0, box.width_ev])
    k_a = energy * per_um
    d0 = gain * 1e-4 * check.positive(index, "index") / k_a
    return TwoLevel(
        k_a, 0.5 * float(np.ptp(above)) * per_um, 1.0 / check.positive(lifetime_ps, "carrier lifetime", "ps"), d0
    )
