r"""Emission against time in water, in light, or in both: readings of the law of ageing, with lamp and replicates.

Equations. With r the non-radiative over the radiative rate at the start, :math:`k_w` the rate at which it grows in the
dark and :math:`k_l` what light adds (:math:`\varphi J` of `perolas.matter.ageing`),

.. math:: K(t) = \frac{1 + r}{1 + r\, e^{x}}, \qquad x = [(e_w k_w + e_l k_l)\, t]^{s},

is the emission kept. The stretch s is 1 in that law. Replicate j is read as

.. math:: y_j(t_i) = A_j\, K(t_i)\, e^{D t_i + \epsilon_i} + b,

with its own scale :math:`A_j`, a drift D of the lamp or detector, the lamp's scatter :math:`\epsilon_i` of the day,
which all replicates share, and light that is not emission.

For r much above 1 this is :math:`e^{-kt}`; for r much below 1 it stays at one and then falls within a few 1/k. While
little is lost only :math:`k r / (1 + r)`, the rate of loss at the start, is determined, not r and k each: how the
series goes on then rests on which of them it is.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter, replace
from perolas.matter.ageing import SHAPED_BY, emission_kept
from perolas.matter.ageing_specimen import PARAMETERS_USED, ratio_of

__all__ = ["PARAMETERS_USED", "SHAPED_BY", "Stability"]

_DERIVED = {
    "rate": Derived("1/d", "rate at which r grows during the series, e_w k_w + e_l k_l"),
    "loss_rate": Derived("1/d", "relative loss of emission in a day at the start, k r / (1 + r) (for a stretch of 1)"),
    "half_time": Derived("d", "time until half of the emission is lost"),
    "quantum_yield": Derived("1", "quantum yield at the start that this law and this course mean, 1 / (1 + r)"),
    "kept_last": Derived("1", "share of the emission that is kept at the last time of the series"),
}


def in_turns(rows: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Return rows of which every other one runs backwards; twice is as before.

    Replicates stand one after the other in a signal. Forwards and back in turns, the line of a fit through them is the
    course and never jumps from the end of one to the start of the next.
    """
    odd = (jnp.arange(rows.shape[0]) % 2 == 1)[:, None]
    return jnp.where(odd, rows[:, ::-1], rows)


class Stability(AbstractMeasurement):
    """A series of emissions, one for each time and replicate.

    Attributes:
        ratio: r at the start.
        dark_rate: k_w, 1/d.
        light_rate: k_l, 1/d.
        stretch: s.
        scale: shape (m,), emission of each replicate at the start.
        drift: D, 1/d.
        lamp: shape (n,) or (0,), logarithm of the lamp's scatter at each time.
        background: light that is not emission.
        time: shape (n,), d.
        dark, light: e_w and e_l of the surroundings.
        noise: of the readings, all replicates one after the other.
        unit: of the emission.
    """

    technique: ClassVar[str] = "stability"
    axis_name: ClassVar[str] = "time_d"
    response_sets: ClassVar[tuple[str, ...]] = ("ratio",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    ratio: Float[Array, ""] = parameter(
        "1", "non-radiative over radiative rate at the start", name="ratio", default=0.3, bounds=(1e-6, 1e4)
    )
    dark_rate: Float[Array, ""] = parameter(
        "1/d", "rate at which r grows in the dark", name="dark_rate", default=0.02, bounds=(0.0, 1e6)
    )
    light_rate: Float[Array, ""] = parameter(
        "1/d", "rate at which r grows by light", name="light_rate", bounds=(0.0, 1e6), free=False
    )
    stretch: Float[Array, ""] = parameter(
        "1", "exponent on the time of the law of ageing", name="stretch", default=1.0, bounds=(0.1, 5.0), free=False
    )
    scale: Float[Array, " m"] = parameter(
        "1", "emission of a replicate at the start, in the unit of the series", name="scale", default=100.0,
        bounds=(0.0, np.inf), vector=True,
    )  # fmt: skip
    drift: Float[Array, ""] = parameter(
        "1/d", "relative drift of lamp and detector in a day", name="drift", bounds=(-100.0, 100.0), free=False
    )
    lamp: Float[Array, " k"] = parameter(
        "1", "logarithm of the lamp's scatter at each time", name="lamp", free=False, vector=True
    )
    background: Float[Array, ""] = parameter(
        "1",
        "light that is not emission, in the unit of the series",
        name="background",
        bounds=(0.0, np.inf),
        free=False,
    )
    time: Float[Array, " n"] = eqx.field(default_factory=lambda: np.linspace(0, 45, 10), converter=jnp.asarray)
    dark: Float[Array, ""] = eqx.field(default=1.0, converter=jnp.asarray)
    light: Float[Array, ""] = eqx.field(default=0.0, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    unit: str = eqx.field(static=True, default="arb")

    @property
    def signal_unit(self) -> str:  # type: ignore[override]
        """Unit of the emission."""
        return self.unit

    @property
    def axis(self) -> Float[Array, " mn"]:
        """Times of all readings, replicate after replicate, every other one backwards, d."""
        return in_turns(jnp.tile(self.time, (self.scale.shape[-1], 1))).ravel()

    @property
    def rate(self) -> Float[Array, ""]:
        """Rate at which r grows during the series, 1/d."""
        return self.dark * self.dark_rate + self.light * self.light_rate

    def kept(self, time_d: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return the share of the emission that is kept at any times.

        Args:
            time_d: any shape, d.

        Returns:
            Of the same shape, from 1 down to 0.
        """
        grown = self.rate * jnp.asarray(time_d)
        some = grown > 0
        exponent = jnp.where(some, jnp.where(some, grown, 1.0) ** self.stretch, 0.0)
        return emission_kept(self.ratio, exponent)

    def _seen(self) -> Float[Array, " mn"]:
        away = self.drift * self.time
        away = away + self.lamp if self.lamp.size else away
        return in_turns(self.scale[:, None] * self.kept(self.time) * jnp.exp(away)).ravel()

    def expected(self) -> Float[Array, " mn"]:
        """Return the expected emission of each replicate at each time, in the order of the axis, shape (m n,)."""
        return self._seen() + self.background

    def components(self) -> dict[str, Float[Array, " mn"]]:
        """Return the emission, and what else is seen."""
        seen = self._seen()
        return {"emission": seen, "background": jnp.full_like(seen, self.background)}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the rate, the loss at the start, the half time, and the share kept at the end."""
        r, rate = self.ratio, self.rate
        return {
            "rate": rate,
            "loss_rate": rate * r / (1.0 + r),
            "half_time": jnp.log((1.0 + 2.0 * r) / r) ** (1.0 / self.stretch) / jnp.maximum(rate, 1e-12),
            "quantum_yield": 1.0 / (1.0 + r),
            "kept_last": self.kept(self.time[-1]),
        }

    def respond(self, state: Any) -> Self:
        """Return the series of a specimen: its r; the rates belong to the surroundings.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with another ratio.
        """
        return replace(self, ratio=jnp.maximum(ratio_of(state), 1e-6))
