"""The equations of the transformation (see the package) and their solution; pure jax, to be mapped over batches."""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from perolas.core import units
from perolas.matter.transformation.conditions import Conditions

Scalar = Float[Array, ""]

# Local errors of u and sigma. u to 1e-10 is X to 3e-10; times follow as well as X does.
_TOLERANCE = 1e-10
_MOST_STEPS = 4096
# Points of the grid on which a time is looked up: 4 % apart in time over five decades; X between them by the cubic
# that has the right slopes at both ends, which is good to 1e-7.
_GRID, _DECADES = 320, 5.0


def _rate(value: float) -> Any:
    return eqx.field(default=value, converter=jnp.asarray)


class Kinetics(eqx.Module):
    """The constants of the transformation; every field may carry a leading batch axis where it is mapped over.

    Attributes:
        opening_h1: k_o, rate at which dark water opens covered surface, 1/h.
        stripping_h1: k_s, rate at which CsBr leaves an open surface, 1/h.
        ligands_per_photon: Phi, surface sites opened by each absorbed photon.
        ligands_per_lead: l, ligands on the surface for each lead of the crystal.
        seeds: share of the lead that is in the product at the beginning.
        opening_energy_kj_mol: activation energy of k_o.
        stripping_energy_kj_mol: activation energy of k_s.
        reference_k: temperature at which k_o and k_s hold.
    """

    opening_h1: Scalar = _rate(4e-4)
    stripping_h1: Scalar = _rate(4.0)
    ligands_per_photon: Scalar = _rate(0.0)
    ligands_per_lead: Scalar = _rate(0.42)
    seeds: Scalar = _rate(0.0)
    opening_energy_kj_mol: Scalar = _rate(0.0)
    stripping_energy_kj_mol: Scalar = _rate(0.0)
    reference_k: Scalar = _rate(298.15)

    def at(self, temperature_k: ArrayLike) -> tuple[Scalar, Scalar]:
        """Return k_o and k_s at a temperature (Arrhenius), 1/h."""
        less = (1.0 / jnp.asarray(temperature_k) - 1.0 / self.reference_k) / units.GAS_CONSTANT_KJ_MOL_K
        return (
            self.opening_h1 * jnp.exp(-self.opening_energy_kj_mol * less),
            self.stripping_h1 * jnp.exp(-self.stripping_energy_kj_mol * less),
        )


def absorbed_share(fraction: ArrayLike, conditions: Conditions) -> Scalar:
    """Return F, the share of the light that the product absorbs, at a converted fraction."""
    x = jnp.asarray(fraction)
    product = conditions.product_thickness * x
    total = product + conditions.parent_thickness * (1.0 - x) + conditions.solvent_thickness
    some = total > 1e-12
    return product * jnp.where(some, -jnp.expm1(-total) / jnp.where(some, total, 1.0), 1.0)


def slopes(time_h: ArrayLike, y: Float[Array, "2"], both: tuple[Kinetics, Conditions]) -> Float[Array, "2"]:
    """Return d(sigma, u)/dt; see the package for the equations. `time_h` is not used: nothing depends on it."""
    kinetics, conditions = both
    sigma, u = y
    opening, stripping = kinetics.at(conditions.temperature_k)
    core = jnp.clip(u, 0.0, 1.0)  # below zero the crystal is used up; X stays smooth there, being 1 - u^3
    x = 1.0 - core**3
    light = kinetics.ligands_per_photon / kinetics.ligands_per_lead * conditions.photons_per_lead_h
    s = -jnp.expm1(-sigma)
    delay = stripping * s * conditions.transport_h
    way = jnp.where(delay > 0, core / jnp.where(delay > 0, core + delay, 1.0), 1.0)
    left = jnp.maximum(1.0 - (conditions.bromide_ratio * x) ** 6, 0.0)
    return jnp.stack([opening + light * absorbed_share(x, conditions), -stripping / 3.0 * s * way * left])


def state(kinetics: Kinetics, opened: ArrayLike = 0.0) -> Float[Array, "2"]:
    """Return the state (sigma, u) at the beginning: seeds, and a share of the surface that is open already."""
    return jnp.stack([-jnp.log1p(-jnp.asarray(opened, dtype=float)), jnp.cbrt(1.0 - kinetics.seeds)])


def curve(
    kinetics: Kinetics,
    conditions: Conditions,
    times_h: Float[Array, " n"],
    start: Float[Array, "2"] | None = None,
    tolerance: float = _TOLERANCE,
) -> Float[Array, "n 2"]:
    """Return (sigma, u) at times.

    Args:
        kinetics: the constants.
        conditions: water, light, temperature.
        times_h: shape (n,), rising, h; the first may be 0.
        start: state at time 0; None: that of the seeds, covered.
        tolerance: of each step, absolute and relative.

    Returns:
        Shape (n, 2); NaN where the solver gave up.
    """
    first = state(kinetics) if start is None else start
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(slopes),
        diffrax.Tsit5(),
        0.0,
        times_h[-1],
        None,
        first,
        args=(kinetics, conditions),
        saveat=diffrax.SaveAt(ts=times_h),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=_MOST_STEPS,
        adjoint=diffrax.ForwardMode(),  # a handful of parameters: derivatives go along with the solution
        throw=False,
    )
    return jnp.where(solution.result == diffrax.RESULTS.successful, solution.ys, jnp.nan)


def conversion(
    kinetics: Kinetics,
    conditions: Conditions,
    times_h: Float[Array, " n"],
    start: Float[Array, "2"] | None = None,
    tolerance: float = _TOLERANCE,
) -> Float[Array, " n"]:
    """Return the converted fraction X at times; arguments as for `curve`."""
    return 1.0 - jnp.maximum(curve(kinetics, conditions, times_h, start, tolerance)[:, 1], 0.0) ** 3


def horizon_h(kinetics: Kinetics, conditions: Conditions) -> Scalar:
    """Return a time by which the reaction is over, if it ends at all: what the dark alone would need."""
    opening, stripping = kinetics.at(conditions.temperature_k)
    dark = jnp.sqrt(6.0 / (opening * stripping)) + 6.0 / stripping
    return 1.5 * dark + 8.0 * conditions.transport_h


def time_to(kinetics: Kinetics, conditions: Conditions, fractions: Float[Array, " m"]) -> Float[Array, " m"]:
    """Return when converted fractions are reached.

    Args:
        kinetics: the constants.
        conditions: water, light, temperature.
        fractions: shape (m,), between 0 and 1.

    Returns:
        Hours, shape (m,); infinite where a fraction is never reached (too little water), 0 below the seeds.
    """
    end = horizon_h(kinetics, conditions)
    grid = end * jnp.concatenate([jnp.zeros(1), jnp.logspace(-_DECADES, 0.0, _GRID)])
    path = curve(kinetics, conditions, grid)
    u = path[:, 1]
    rate = jax.vmap(lambda y: slopes(0.0, y, (kinetics, conditions))[1])(path)

    def when(fraction: Scalar) -> Scalar:
        wanted = jnp.cbrt(1.0 - fraction)
        i = jnp.clip(jnp.sum(u > wanted), 1, grid.size - 1)
        width = grid[i] - grid[i - 1]
        a, b, c, d = u[i - 1], width * rate[i - 1], u[i], width * rate[i]

        def cubic(z: Scalar) -> Scalar:
            return a + z * (b + z * ((3.0 * (c - a) - 2.0 * b - d) + z * (2.0 * (a - c) + b + d)))

        def halve(_: int, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
            low, high = ends
            middle = 0.5 * (low + high)
            above = cubic(middle) > wanted
            return jnp.where(above, middle, low), jnp.where(above, high, middle)

        low, high = jax.lax.fori_loop(0, 50, halve, (jnp.zeros(()), jnp.ones(())))
        z = jax.lax.stop_gradient(0.5 * (low + high))
        z = z - (cubic(z) - wanted) / jnp.minimum(
            jax.lax.stop_gradient(jax.grad(cubic)(z)), -1e-300
        )  # carries gradients
        found = grid[i - 1] + z * width
        return jnp.where(wanted >= u[0], 0.0, jnp.where(u[-1] > wanted, jnp.inf, found))

    return jax.vmap(when)(fractions)
