r"""The threshold of a pumped film by two tiers, for many draws of what is not known at once.

**rate**: one path of the length L of the spot. Its gain has to make up for what leaves it,

.. math:: (1-x)\,\Gamma f g(N) = \alpha_{leak} + \alpha_{back} + \frac{e}{l_t} + x\,\Gamma f \alpha
          + \frac{1}{L} \ln \frac{1}{R}, \qquad R = r\,(1 - e^{-L/l_t}),

with x the share of the path in film that is not pumped, e the share of scattered light that escapes the film, and R
what comes back into the path after one length.

**diffusion**: a round spot whose excitations fall as its fluence to the power of the order, in film that is pumped
nowhere else. Light walks in the plane; threshold is the fluence at which the least eigenvalue of loss less gain is zero
(Letokhov). It is found by bisection: below threshold the matrix of the finite volumes is positive definite, that is all
its pivots are positive. Where the transport mean free path is not short beside the spot, diffusion would let light out
faster than it flies; l_t is then limited so that no spot loses more than the mean chord of its disk allows.

Both add what build-up within the lifetime of gain takes (`perolas.laser.threshold.medium`); in the diffusion tier as if
the excitations were the same throughout the mode.

Sources: Letokhov, Sov. Phys. JETP 1968, 26, 835; Coldren, Corzine and Mashanovitch, Diode Lasers and Photonic
Integrated Circuits, 2012, chapter 2, for the balance of a mode.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check, units
from perolas.laser import gain, pump
from perolas.laser.threshold import medium, modes
from perolas.laser.threshold.question import TIERS, Question
from perolas.matter import optics
from perolas.matter.parameters_library import parameter_value

_CHUNK = 128  # draws that are solved together; fixed, so that one compilation serves all
_INNER, _OUTER, _HALVINGS = 64, 40, 26
_CHORD = 4.0 / (math.pi * 2.404825557695773**2)  # longest useful l_t over the radius: 2 v / (pi R) of loss
_PER_UM = 1e-4  # cm-1 in 1/um, and um in cm

Column = Float[np.ndarray, " n"]
Draws = dict[str, Float[np.ndarray, " n"]]


class Found(NamedTuple):
    """Thresholds, shape (n,) each.

    Attributes:
        fluence_uj_cm2: as it would be reported.
        excitations: mean number in each nanocrystal at the centre, made by the pulse.
        steady: the same without build-up.
        wavelength_nm: of the light that lases first.
        leakage_cm1, absorption_cm1, scattering_cm1, edge_cm1: losses of the mode (edge: what the path or the spot loses
            besides the others).
        ase_uj_cm2: fluence at which amplified spontaneous emission narrows.
        gain_ps: how long gain lasts from the pulse at threshold.
        cold_nm: width of the mode's line without gain.
        lases: 0 where no excitation up to `medium.MOST` would do; the numbers are then those of that many.
    """

    fluence_uj_cm2: Column
    excitations: Column
    steady: Column
    wavelength_nm: Column
    leakage_cm1: Column
    absorption_cm1: Column
    scattering_cm1: Column
    edge_cm1: Column
    ase_uj_cm2: Column
    gain_ps: Column
    cold_nm: Column
    lases: Column


class _Film(NamedTuple):
    """What one draw's film is to its light: arrays of numpy, and scalars of jax when mapped over."""

    leakage: Any
    confinement: Any
    speed_cm_ps: Any
    refractive: Any
    sigma_ev: Any
    strength: Any
    carrier_k: Any


def film_index(filling: Column, grain: float, host: Column) -> Column:
    """Return the real index of a film by Bruggeman's rule, shape (n,); as `perolas.laser.film.effective_index`."""
    e1, e2 = grain**2, host**2
    b = (3.0 * filling - 1.0) * e1 + (2.0 - 3.0 * filling) * e2
    return np.sqrt(0.25 * (b + np.sqrt(b * b + 8.0 * e1 * e2)))


def index_at_line(question: Question, draws: Draws) -> Column:
    """Return the real index of the films where they emit, shape (n,)."""
    nm = float(units.nm_from_ev(optics.emission_energy_ev(question.temperature_k, question.size_nm)))
    return film_index(draws["filling"], float(optics.refractive_index("CsPbBr3", nm).real), draws["ligand_index"])


def prepared(question: Question, draws: Draws) -> tuple[_Film, Column, float]:
    """Return the films, the excitations for each (uJ/cm2)^order at the reported fluence, and the energy of the line."""
    q, d = question, draws
    lowest = float(optics.emission_energy_ev(q.temperature_k, q.size_nm))
    nm = float(units.nm_from_ev(lowest))
    grain = [float(optics.refractive_index("CsPbBr3", w).real) for w in (nm, q.wavelength_nm)]
    below = [complex(optics.refractive_index(q.substrate, w)) for w in (nm, q.wavelength_nm)]
    index = index_at_line(q, d)
    te, te_share = modes.lowest_modes(d["thickness"], index, below[0], nm, "TE")
    tm, tm_share = modes.lowest_modes(d["thickness"], index, below[0], nm, "TM")
    mix = d["polarisation"]
    sigma = float(optics.emission_fwhm_ev(q.temperature_k)) / units.FWHM_PER_SIGMA * d["width"]
    reference = gain.Box(size_nm=20.0, temperature_k=77.0)
    film = _Film(
        leakage=(1.0 - mix) * te + mix * tm,
        confinement=((1.0 - mix) * te_share + mix * tm_share) * d["filling"],
        speed_cm_ps=units.SPEED_OF_LIGHT_NM_FS * 1e-4 / index,
        refractive=index,
        sigma_ev=sigma,
        strength=gain.strength_cm1_ev(reference) * (20.0 / d["size"]) ** 3 * d["strength"],
        carrier_k=q.temperature_k + d["carrier_heat"],
    )
    at_pump = film_index(d["filling"], grain[1], d["ligand_index"]) + 0j
    if q.order == 1:  # the film takes the pump up on its way
        at_pump = at_pump + 1j * d["filling"] * d["cross_section"] / (d["size"] * 1e-7) ** 3 * (
            q.wavelength_nm * 1e-7 / (4.0 * math.pi)
        )
    inside = modes.pump_factor(d["thickness"], at_pump, below[1], q.wavelength_nm, q.order)
    light = d["energy"] * d["peak_over_reported"] * 1e-6 / float(pump.photon_energy_j(q.wavelength_nm))
    if q.order == 1:
        per_fluence = d["cross_section"] * light * inside
    else:
        per_fluence = 0.5 * (d["cross_section"] * light) * light * d["worth"] * 1e15 * inside
    return film, per_fluence, lowest


def _scattering(d: dict[str, Any]) -> Any:
    """Return the loss by scattering out of the film, cm-1."""
    return d["escape"] / (d["transport"] * _PER_UM)


def _table(film: _Film, d: dict[str, Array], masses: Array) -> medium.Table:
    return medium.table(d["size"], film.carrier_k, film.sigma_ev, film.strength, d["ladder"], masses)


def _first(values: Array) -> tuple[Array, Array]:
    """Return the least of several excitations, the most that there may be where none is finite, and which it is."""
    i = jnp.argmin(values)
    return values[i], i


def _rate(film: _Film, d: dict[str, Array], masses: Array) -> tuple[Array, ...]:
    t = _table(film, d, masses)
    length = d["spot"] * _PER_UM  # cm
    modal, dark = film.confinement * t.gain_cm1, film.confinement * t.absorption_cm1
    back = d["returning"] * -jnp.expm1(-d["spot"] / d["transport"])
    edge = -jnp.log(back) / length
    always = film.leakage + d["background"] + _scattering(d)
    x = d["unpumped"]
    path = (1.0 - x) * modal
    wanted = always + edge + x * dark
    steady = jax.vmap(medium.at_gain, (None, 0, 0))(t.excitations, path, wanted)
    made = jax.vmap(medium.built_up, (None, 0, 0, None, None, None, None))(
        t.excitations, path, steady, film.speed_cm_ps, d["lifetime"], d["auger"], d["buildup"]
    )
    n, i = _first(made)
    ase = _ase(t, modal, always, length, d)
    return n, steady[i], t.offset_ev[i], x * dark[i] + d["background"], edge, wanted[i], ase


def _ase(t: medium.Table, modal: Array, always: Array, length: Array, d: dict[str, Array]) -> Array:
    wanted = always + d["ase_length"] / length
    return jnp.min(jax.vmap(medium.at_gain, (None, 0, None))(t.excitations, modal, wanted))


def _limited_um(d: dict[str, Array]) -> Array:
    """Return the transport mean free path that diffusion may use in a spot, um."""
    longest = _CHORD * 0.5 * d["spot"]
    return d["transport"] / jnp.sqrt(1.0 + (d["transport"] / longest) ** 2)


def spot_excitations(
    excitations: Array, gain_um: Array, always_um: Array, transport_um: Array, area_um2: Array, order: int
) -> Array:
    """Return the excitations at the centre of a Gaussian spot at which light in the plane around it stands still.

    Args:
        excitations: shape (p,), rising.
        gain_um: shape (p,), gain of the mode with so many, 1/um; below transparency negative.
        always_um: loss everywhere, 1/um.
        transport_um: l_t, um.
        area_um2: of the spot, energy over peak fluence, um2.
        order: photons for each excitation; they fall as exp(-order pi r^2 / area).

    Returns:
        Excitations; infinity where those of the table do not suffice.
    """
    radius = jnp.sqrt(area_um2 / math.pi)
    half = 0.5 * transport_um  # D / v in two dimensions
    away = 12.0 * jnp.sqrt(half / (always_um + jnp.maximum(-gain_um[0], 0.0)))
    inner = 2.0 * radius * jnp.linspace(0.0, 1.0, _INNER + 1)
    outer = 2.0 * radius + away * jnp.linspace(0.0, 1.0, _OUTER + 1)[1:] ** 2
    faces = jnp.concatenate([inner, outer])
    middles = 0.5 * (faces[1:] + faces[:-1])
    volumes = 0.5 * jnp.diff(faces**2)
    between = half * faces[1:-1] / jnp.diff(middles)
    last = half * faces[-1] / (faces[-1] - middles[-1])
    spread = jnp.concatenate([between, last[None]]) + jnp.concatenate([jnp.zeros(1), between])
    coupling = jnp.concatenate([jnp.zeros(1), between**2])
    profile = jnp.exp(-order * middles**2 / radius**2)

    def below(centre: Array) -> Array:
        local = jnp.interp(centre * profile, excitations, gain_um)
        diagonal = spread + volumes * (always_um - local)

        def pivot(carry: tuple[Array, Array], row: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            before, fine = carry
            now = row[0] - row[1] / before
            fine = fine & (now > 0.0)
            return (jnp.where(fine, now, 1.0), fine), None

        (_, fine), _ = jax.lax.scan(pivot, (jnp.ones(()), jnp.asarray(True)), (diagonal, coupling))
        return fine

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = jnp.sqrt(low * high)
        fine = below(middle)
        return jnp.where(fine, middle, low), jnp.where(fine, high, middle)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (excitations[0], excitations[-1]))
    return jnp.where(below(excitations[-1]), jnp.inf, jnp.sqrt(low * high))


def _diffusion(film: _Film, d: dict[str, Array], masses: Array, order: int) -> tuple[Array, ...]:
    t = _table(film, d, masses)
    modal = film.confinement * t.gain_cm1
    always = film.leakage + d["background"] + _scattering(d)
    area = 0.25 * math.pi * d["spot"] ** 2
    transport = _limited_um(d)
    steady = jax.vmap(spot_excitations, (None, 0, None, None, None, None))(
        t.excitations, modal * _PER_UM, always * _PER_UM, transport, area, order
    )
    made = jax.vmap(medium.built_up, (None, 0, 0, None, None, None, None))(
        t.excitations, modal, steady, film.speed_cm_ps, d["lifetime"], d["auger"], d["buildup"]
    )
    n, i = _first(made)
    at_centre = jnp.interp(jnp.where(jnp.isfinite(steady[i]), steady[i], medium.MOST), t.excitations, modal[i])
    ase = _ase(t, modal, always, d["spot"] * _PER_UM, d)
    return n, steady[i], t.offset_ev[i], d["background"], at_centre - always, at_centre, ase


@eqx.filter_jit
def _chunk(tier: str, order: int, film: _Film, d: dict[str, Array], masses: Array) -> tuple[Array, ...]:
    if tier == "rate":
        return jax.vmap(lambda f, x: _rate(f, x, masses))(film, d)
    return jax.vmap(lambda f, x: _diffusion(f, x, masses, order))(film, d)


def solve(question: Question, draws: Draws, tier: str = "rate") -> Found:
    """Return the thresholds of draws.

    Args:
        question: what is known.
        draws: of `perolas.laser.threshold.question.drawn`.
        tier: ``"rate"`` or ``"diffusion"``.

    Returns:
        The thresholds, shape (n,) each.

    Raises:
        InputError: an unknown tier.
    """
    check.one_of(tier, TIERS, "The tier")
    film, per_fluence, lowest = prepared(question, draws)
    masses = jnp.asarray([parameter_value("CsPbBr3.electron_mass"), parameter_value("CsPbBr3.hole_mass")])
    d, count = draws, per_fluence.size
    parts = []
    for start in range(0, count, _CHUNK):
        rows = np.minimum(np.arange(start, start + _CHUNK), count - 1)
        piece = jax.tree.map(lambda x, rows=rows: x[rows], (film, d))
        parts.append(_chunk(tier, question.order, piece[0], piece[1], masses))
    n, steady, offset, absorbed, edge, total, ase = (
        np.concatenate(column)[:count] for column in zip(*parts, strict=True)
    )
    lases = np.isfinite(n) & (n <= medium.MOST)
    n, steady, ase = (np.minimum(x, medium.MOST) for x in (n, steady, ase))
    nm = units.HC_EV_NM / (lowest + offset)

    def fluence(excitations: Column) -> Column:
        return (excitations / per_fluence) ** (1.0 / question.order)

    a, b = 1.0 / d["lifetime"], 0.5 / d["auger"]
    lasting = np.log(n * (a + b * steady) / (steady * (a + b * n))) / a
    return Found(
        fluence(n),
        n,
        steady,
        nm,
        film.leakage,
        absorbed,
        _scattering(d),
        edge,
        fluence(ase),
        lasting,
        nm**2 * 1e-7 * total / (2.0 * math.pi * film.refractive),
        lases.astype(float),
    )
