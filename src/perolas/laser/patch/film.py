r"""One piece of film for every tier: the same film, pump and gain as rays, as diffusing light and as waves.

The piece is a square of side L, pumped evenly, from which light gets away at the edges. It is densely packed
nanocrystals with voids; share and size of the voids are chosen so that the film has the wanted filling and transport
mean free path (`perolas.laser.discs`, theory). What a film of finite thickness loses elsewhere, to the substrate, to
absorption that no pump bleaches and to light scattered out of the plane, is one loss everywhere, in cm-1.

Gain is that of one mode of the film, confinement and packing included, as a table over excitations. Waves need a line:
its centre is where the diffusion tier lases, its width that of one level. A pump D_0 of the wave theories is a gain in
cm-1, a gain is a number of excitations, and that a fluence, so that every tier answers in uJ/cm2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.laser import discs, packing
from perolas.laser.threshold import medium, tiers
from perolas.laser.threshold.question import Question, drawn, unknowns
from perolas.matter import optics
from perolas.matter.parameters_library import parameter_value

if TYPE_CHECKING:
    from perolas.laser.salt import Cavity

SIDES_UM = (0.5, 12.0)
DENSEST = 0.64  # random close packing: what is not filled more than that is voids
_VOIDS = (0.03, 0.45)  # share of the area
_DIAMETERS_NM = (40.0, 600.0)
_CELLS = 10.0  # for each wavelength in the film: first thresholds to 0.5 %, by the fourth order of the difference


@dataclass(frozen=True, eq=False)
class Patch:
    """A square of pumped film.

    Attributes:
        question: what was asked.
        draws: every unknown, at its median, shape (1,) each.
        side_um: of the square.
        pixel_nm: side of a cell of the wave tiers.
        index: real index of the packed part, in the film.
        void_nm, void_share: diameter and share of the voids.
        transport_um: mean free path that they make, by theory.
        wanted_transport_um: what was asked for.
        wavelength_nm, fwhm_nm: of the gain line.
        loss_cm1: everywhere, besides the edges.
        excitations: shape (p,), of the table.
        gain_cm1: shape (p,), of light in the packed part, negative below transparency.
        per_fluence: excitations at 1 uJ/cm2 (to the power of the order).
        speed_cm_ps: of light in the film.
    """

    question: Question
    draws: dict[str, Float[np.ndarray, " 1"]]
    side_um: float
    pixel_nm: float
    index: float
    void_nm: float
    void_share: float
    transport_um: float
    wanted_transport_um: float
    wavelength_nm: float
    fwhm_nm: float
    loss_cm1: float
    excitations: Float[np.ndarray, " p"]
    gain_cm1: Float[np.ndarray, " p"]
    per_fluence: float
    speed_cm_ps: float

    def steady(self, gain_cm1: float) -> float:
        """Return the excitations of a gain in the packed part, cm-1; infinity where there is no such gain."""
        return float(medium.at_gain(*map(jnp.asarray, (self.excitations, self.gain_cm1, gain_cm1))))

    def pulsed(self, gain_cm1: float) -> float:
        """Return the excitations that a pulse has to make so that light builds up at a steady threshold gain, cm-1."""
        d = self.draws
        start = self.steady(gain_cm1)
        share = 1.0 - self.void_share
        rest = (start, self.speed_cm_ps, d["lifetime"][0], d["auger"][0], d["buildup"][0])
        return float(medium.built_up(*map(jnp.asarray, (self.excitations, share * self.gain_cm1, *rest))))

    def fluence(self, excitations: float) -> float:
        """Return the fluence that makes so many excitations, uJ/cm2, as it would be reported."""
        return float((excitations / self.per_fluence) ** (1.0 / self.question.order))

    def centres(self, seed: int) -> Float[np.ndarray, "n 2"]:
        """Return the centres of the voids of one film, shape (n, 2), nm, periodic."""
        return packing.shaken_discs(self.side_um * 1e3, self.void_nm, self.void_share, sweeps=60, seed=seed)

    def permittivity_loss(self, index: float) -> complex:
        """Return the index with the loss in its imaginary part."""
        return index + 1j * self.loss_cm1 * self.wavelength_nm * 1e-7 / (4.0 * math.pi)

    def cavity(self, seed: int) -> Cavity:
        """Return one film as a cavity of `perolas.laser.salt`, lengths in nm."""
        from perolas.laser.salt.shapes import film_cavity, film_discs

        made = film_discs(
            self.centres(seed), self.void_nm, self.side_um * 1e3, self.permittivity_loss(1.0),
            self.permittivity_loss(self.index), "host",
        )  # fmt: skip
        return film_cavity(made, self.pixel_nm, self.wavelength_nm, self.fwhm_nm)

    def other_tiers(self) -> dict[str, tiers.Found]:
        """Return what the tiers of rays and of diffusing light say of the same film and spot."""
        spot = 2.0 * self.side_um / math.sqrt(math.pi)
        here = self.draws | {
            "spot": np.array([spot]), "transport": np.array([self.transport_um]), "unpumped": np.zeros(1),
        }  # fmt: skip
        question = replace(self.question, spot_um=spot, film_um=None)
        return {tier: tiers.solve(question, here, tier) for tier in ("rate", "diffusion")}


def patch(question: Question, side_um: float, pixel_nm: float | None = None) -> Patch:
    """Return a square of the film that a question describes, everything unknown at its median.

    Args:
        question: film and pump.
        side_um: of the square, um.
        pixel_nm: side of a cell; by default 10 for each wavelength in the film.

    Returns:
        The piece.

    Raises:
        InputError: a side outside of 0.5 to 12 um, or a film that does not lase at all.
    """
    side = check.positive(side_um, "side", "um")
    if not SIDES_UM[0] <= side <= SIDES_UM[1]:
        raise InputError(f"Waves are followed on squares of {SIDES_UM[0]:g} to {SIDES_UM[1]:g} um, not {side:g} um.")
    laws = unknowns(question)
    draws = drawn(laws, np.full((len(laws), 1), 0.5), question)
    film, per_fluence, lowest = tiers.prepared(question, draws)
    masses = np.array([parameter_value("CsPbBr3.electron_mass"), parameter_value("CsPbBr3.hole_mass")])
    one: dict[str, Any] = {k: v[0] for k, v in draws.items()}
    heat = np.ravel(film.carrier_k)[0]
    numbers = (one["size"], heat, film.sigma_ev[0], film.strength[0], one["ladder"], masses)
    line = medium.table(*map(jnp.asarray, numbers))
    filling = min(one["filling"], DENSEST)
    void_share = float(np.clip(1.0 - filling / DENSEST, *_VOIDS))
    grain = float(optics.refractive_index("CsPbBr3", float(units.nm_from_ev(lowest))).real)
    index = float(tiers.film_index(np.array([DENSEST]), grain, draws["ligand_index"])[0])
    loss = float(film.leakage[0] + one["background"] + one["escape"] / (one["transport"] * 1e-4))
    modal = np.asarray(film.confinement[0]) / one["filling"] * DENSEST * np.asarray(line.gain_cm1)
    # The photon energy that lases first in a spot of this size; where none does, that of the highest gain.
    spot = 2.0 * side / math.sqrt(math.pi)
    light = tiers.solve(replace(question, spot_um=spot, film_um=None), draws | {"spot": np.array([spot])}, "diffusion")
    offsets = np.asarray(line.offset_ev)
    best = int(np.argmin(np.abs(lowest + offsets - float(units.ev_from_nm(light.wavelength_nm[0])))))
    if not light.lases[0]:
        best = int(np.argmax(modal.max(axis=1)))
    energy = lowest + float(offsets[best])
    wavelength = float(units.nm_from_ev(energy))
    fwhm = wavelength**2 / units.HC_EV_NM * float(film.sigma_ev[0]) * units.FWHM_PER_SIGMA
    diameter, reached = _void_nm(one["transport"], void_share, index, wavelength)
    return Patch(
        question, draws, side, _pixel(side, wavelength / index, pixel_nm), index, diameter, void_share, reached,
        float(one["transport"]), wavelength, fwhm, loss, np.asarray(line.excitations), modal[best],
        float(per_fluence[0]), float(film.speed_cm_ps[0]),
    )  # fmt: skip


def _pixel(side_um: float, wave_nm: float, given: float | None) -> float:
    """Return a side of cells of which the square holds a whole number."""
    wanted = wave_nm / _CELLS if given is None else check.positive(given, "pixel", "nm")
    return side_um * 1e3 / max(8, round(side_um * 1e3 / wanted))


def _void_nm(transport_um: float, share: float, index: float, wavelength_nm: float) -> tuple[float, float]:
    """Return the diameter of voids whose transport mean free path comes nearest to what is wanted, and that path."""
    sizes = np.geomspace(*_DIAMETERS_NM, 40)
    paths = np.array([discs.mean_free_path(d, share, 1.0, index, wavelength_nm).transport_um for d in sizes])
    i = int(np.argmin(np.abs(np.log(paths / transport_um))))
    return float(sizes[i]), float(paths[i])
