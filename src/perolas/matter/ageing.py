r"""Ageing in one state variable: the non-radiative rate over the radiative rate, r = k_nr / k_r.

Emission, lifetime and lasing follow from r alone:

.. math:: \mathrm{PLQY} = \frac{1}{1 + r}, \qquad \tau = \frac{\tau_r}{1 + r}, \qquad P_\mathrm{th} \propto 1 + r,

and defects breed defects, in the dark at a rate k_w, with light by a chance phi for each excitation of a nanocrystal:

.. math:: \frac{dr}{dt} = (e_w k_w + e_l\, \varphi J)\, r
          \quad\Rightarrow\quad r(t) = r_0 \exp \int (e_w k_w + e_l\, \varphi J)\, dt .

J is the number of excitations of one nanocrystal in a second; e_w and e_l say how the surroundings compare with those
of the calibration (`ENVIRONMENTS`). A piecewise-constant schedule makes log r piecewise linear, so every result is
closed and exact: 8.6e7 laser shots are one multiplication, for the dose counts and not how it is dealt out.

What the law leaves out: nanocrystals that are lost altogether, a change of the radiative rate or of absorption, an
order of the light's effect other than one, recovery in the dark, and any trap that slows emission without loss (where
there are such traps, a longer lifetime does not prove fewer defects: see `CsPbBr3.detrapping_rate`). It is the
simplest law in which the sample with more defects also decays faster in relative terms; `ageing_calibration` sets its
numbers from observations and says what these leave open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.matter.optics import door

# That one k_w serves both samples, with dr/dt proportional to r, was chosen knowing these numbers.
SHAPED_BY = ("10.1039/c9na00775j#stability.water", "10.1039/c9na00775j#trpl.lifetimes")

SECONDS_PER_DAY = 86400.0
_MOST = 300.0  # exp(300) is darkness; more would overflow and spoil gradients


class Environment(NamedTuple):
    """How fast ageing goes, as factors on the rates of the calibration (in water, room temperature).

    Attributes:
        dark: e_w, on k_w.
        light: e_l, on phi.
    """

    dark: float = 1.0
    light: float = 1.0


# Only "water" has been measured. Without water, or frozen, the dark rate is taken to stop; what light does there is not
# known, and 1 is meant as an upper bound (for CsPbI3 light was found to need water to do harm, so it may be 0).
ENVIRONMENTS = {"water": Environment(1.0, 1.0), "dry": Environment(0.0, 1.0), "77 K": Environment(0.0, 1.0)}


@dataclass(frozen=True)
class Stage:
    """A time during which nothing changes.

    Attributes:
        days: how long, days.
        excitations_per_s: J, excitations of one nanocrystal in a second.
        environment: a name of `ENVIRONMENTS`, or the factors.
    """

    days: float
    excitations_per_s: float = 0.0
    environment: str | Environment = "water"

    @staticmethod
    def shots(
        number: float, excitations_per_shot: float, rate_hz: float, environment: str | Environment = "77 K"
    ) -> Stage:
        """Return the stage that so many laser shots make.

        Args:
            number: of shots.
            excitations_per_shot: mean number of excitations of one nanocrystal by one shot.
            rate_hz: shots in a second, Hz.
            environment: as for a stage.

        Returns:
            The stage; its dose is `number` times `excitations_per_shot` whatever the rate.

        Raises:
            InputError: a number that is negative or not finite, or a rate that is not positive.
        """
        check.positive(number, "number of shots", zero=True)
        check.positive(excitations_per_shot, "excitations per shot", zero=True)
        hz = check.positive(rate_hz, "repetition rate", "Hz")
        return Stage(number / hz / SECONDS_PER_DAY, excitations_per_shot * hz, environment)


class Schedule(eqx.Module):
    """Stages one after the other, as arrays; leading axes, if any, are a batch.

    Attributes:
        days: shape (..., n), duration of each stage, days.
        excitations_per_s: shape (..., n), J of each stage, 1/s.
        dark: shape (..., n), e_w of each stage.
        light: shape (..., n), e_l of each stage.
    """

    days: Float[Array, "... n"]
    excitations_per_s: Float[Array, "... n"]
    dark: Float[Array, "... n"]
    light: Float[Array, "... n"]

    @staticmethod
    def of(stages: Sequence[Stage]) -> Schedule:
        """Build a schedule.

        Args:
            stages: in order of time.

        Returns:
            The schedule.

        Raises:
            InputError: no stage, an unknown environment, or a number that is negative or not finite.
        """
        if not stages:
            raise InputError("A schedule needs at least one stage.")
        rows = []
        for stage in stages:
            where = stage.environment
            if isinstance(where, str):
                where = ENVIRONMENTS[check.one_of(where, ENVIRONMENTS, "The environment")]
            rows.append(
                (
                    check.positive(stage.days, "duration", "d", zero=True),
                    check.positive(stage.excitations_per_s, "excitation rate", "1/s", zero=True),
                    check.positive(where.dark, "factor on the dark rate", zero=True),
                    check.positive(where.light, "factor on the effect of light", zero=True),
                )
            )
        return Schedule(*(jnp.asarray(column) for column in np.array(rows, dtype=np.float64).T))


def growth(
    schedule: Schedule,
    dark_rate_per_d: ArrayLike,
    efficiency: ArrayLike = 0.0,
    time_d: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """Return log(r / r_0) after a schedule, or at times within it; exact.

    Args:
        schedule: n stages.
        dark_rate_per_d: k_w, any shape, 1/d.
        efficiency: phi, the relative growth of r that one excitation brings; broadcast against the rate.
        time_d: times from the start, shape (m,), days; after the end of the schedule nothing changes any more.

    Returns:
        The exponent, of the broadcast shape, with a last axis (m,) where times were given.

    Raises:
        InputError: a rate, efficiency or time that is negative or not finite.
    """
    dark = door.positive(dark_rate_per_d, "dark rate", "1/d", zero=True)[..., None]
    light = door.positive(efficiency, "efficiency", "", zero=True)[..., None]
    rate = schedule.dark * dark + schedule.light * light * schedule.excitations_per_s * SECONDS_PER_DAY
    if time_d is None:
        return jnp.sum(rate * schedule.days, axis=-1)
    time = door.positive(time_d, "time", "d", zero=True)
    start = jnp.cumsum(schedule.days, axis=-1) - schedule.days
    # The share of each stage that has gone by, for each time: shape (..., m, n).
    gone = jnp.clip(time[:, None] - start[..., None, :], 0.0, schedule.days[..., None, :])
    return jnp.sum(rate[..., None, :] * gone, axis=-1)


def aged_ratio(ratio: ArrayLike, exponent: ArrayLike) -> Float[Array, "..."]:
    """Return r = r_0 exp(exponent).

    Args:
        ratio: r_0, any shape.
        exponent: of `growth`, broadcast; above 300 it counts as 300, where all emission is gone.

    Returns:
        r.

    Raises:
        InputError: a ratio that is negative or not finite.
    """
    return door.positive(ratio, "ratio", "", zero=True) * jnp.exp(jnp.minimum(jnp.asarray(exponent), _MOST))


def quantum_yield(ratio: ArrayLike) -> Float[Array, "..."]:
    """Return the emission quantum yield 1 / (1 + r) of any shape of r; raises InputError for a negative r or NaN."""
    return 1.0 / (1.0 + door.positive(ratio, "ratio", "", zero=True))


def lifetime_ns(ratio: ArrayLike, radiative_lifetime_ns: ArrayLike) -> Float[Array, "..."]:
    """Return the lifetime tau_r / (1 + r).

    Args:
        ratio: r, any shape.
        radiative_lifetime_ns: tau_r, broadcast, ns.

    Returns:
        Lifetime in ns.

    Raises:
        InputError: a ratio that is negative, a lifetime that is not positive, or NaN.
    """
    return door.positive(radiative_lifetime_ns, "radiative lifetime", "ns") * quantum_yield(ratio)


def emission_kept(ratio: ArrayLike, exponent: ArrayLike) -> Float[Array, "..."]:
    """Return the emission over that at the start, (1 + r_0) / (1 + r).

    Args:
        ratio: r_0, any shape.
        exponent: of `growth`, broadcast.

    Returns:
        From 1 down to 0.

    Raises:
        InputError: a ratio that is negative or not finite.
    """
    return quantum_yield(aged_ratio(ratio, exponent)) / quantum_yield(ratio)


def lasing_kept(ratio: ArrayLike, exponent: ArrayLike, pump_over_threshold: float | None = None) -> Float[Array, "..."]:
    """Return the lasing output at a fixed pump over that at the start.

    The threshold rises as (1 + r) / (1 + r_0), the share of excitations that can emit having fallen so. To first order
    the output falls by the inverse, far above threshold; at a pump x times the first threshold, output linear above
    threshold gives (x / rise - 1) / (x - 1), and none once the threshold has reached the pump. Stimulated emission
    that outruns the non-radiative rate would lose less: both are then lower bounds.

    Args:
        ratio: r_0, any shape.
        exponent: of `growth`, broadcast.
        pump_over_threshold: x; None for the first order.

    Returns:
        From 1 down to 0.

    Raises:
        InputError: a ratio that is negative, or a pump at or below threshold.
    """
    kept = emission_kept(ratio, exponent)
    if pump_over_threshold is None:
        return kept
    over = check.positive(pump_over_threshold, "pump over threshold")
    if over <= 1.0:
        raise InputError(f'Argument "pump over threshold" must be above 1 for lasing, but is {over:g}.')
    return jnp.maximum((over * kept - 1.0) / (over - 1.0), 0.0)
