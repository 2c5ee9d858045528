"""Output against pump: the S-curve of a laser, in counts of a detector, inverted to threshold, beta and exponent.

Equations. The steady state of the rate equations with the share beta of spontaneous emission in the mode
(`perolas.laser.rate`; Bjork and Yamamoto 1991) has s photons in it. At the pump p = (F / F_th)^m over that of
threshold, m photons being absorbed for each excitation, with r = sqrt((p - 1)^2 + 4 beta p),

    beta s = 2 beta p / ((1 - p) + r) for p <= 1,    beta s = ((p - 1) + r) / 2 for p > 1,

two forms of one root, each used where it does not cancel. The detector sees

    y = b + A beta s + S p / (1 + beta s),

A the counts gained for each p far above threshold, b what is there without light, S the spontaneous emission outside
the mode that is collected too (its carriers are clamped above threshold; held at zero unless freed, because it and
beta are told apart by the clamping alone). Far below threshold y - b = (A beta + S) p: with S held at zero, beta is the
share of the *collected* spontaneous emission that goes into the mode, and no smaller than the share of all of it.

Pump noise. A point's true fluence is its nominal one times exp(e), e normal with the standard deviation `jitter`. The
e are fitted beside the rest with that as their prior: near a steep threshold a linear error would not do.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter

REFERENCES = ("bjork1991", "atkinson1975", "york1966", "olivero1977")
PARAMETERS_USED: tuple[str, ...] = ()
LEAST_LOG10_BETA = -9.0

_DERIVED = {
    "beta": Derived("1", "share of the collected spontaneous emission that goes into the mode, 10^log10_beta"),
    "photons_at_threshold": Derived("1", "photons in the mode at threshold, beta^(-1/2)"),
    "output_at_threshold": Derived("counts", "expected output at threshold less the background"),
}


def stimulated(pump: Float[Array, "..."], beta: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return beta s, stimulated over spontaneous emission into the mode, in the form that does not cancel.

    Args:
        pump: p over that of threshold, any shape.
        beta: broadcast.

    Returns:
        beta times the exact steady number of photons. Source: Bjork and Yamamoto 1991.
    """
    root = jnp.sqrt((pump - 1.0) ** 2 + 4.0 * beta * pump)
    below = 2.0 * beta * pump / (jnp.maximum(1.0 - pump, 0.0) + root)
    return jnp.where(pump > 1.0, 0.5 * (pump - 1.0 + root), below)


class Emission(AbstractMeasurement):
    """Output of a laser against the fluence of its pump.

    Attributes:
        threshold_uj_cm2: fluence at which gain equals loss, uJ/cm^2.
        log10_beta: decimal logarithm of beta.
        scale: counts gained for each unit of p far above threshold.
        background: counts without light.
        exponent: m, photons absorbed for each excitation.
        spontaneous: counts of spontaneous emission outside the mode, for each p far below threshold.
        jitter: shape (n,) or (0,), ln of the true over the nominal fluence of each point.
        fluence: shape (n,), nominal, uJ/cm^2.
        moved: shape (n,) or (0,), a jitter that is known.
        noise: of the detector.
        unit: of the output.
    """

    technique: ClassVar[str] = "emission"
    axis_name: ClassVar[str] = "fluence_uj_cm2"
    response_sets: ClassVar[tuple[str, ...]] = ()
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    threshold_uj_cm2: Float[Array, ""] = parameter(
        "uJ/cm^2", "fluence at threshold (p = 1)", name="threshold", default=100.0, bounds=(0.0, np.inf)
    )
    log10_beta: Float[Array, ""] = parameter(
        "1",
        "decimal logarithm of the spontaneous-emission factor beta",
        name="log10_beta",
        default=-2.0,
        bounds=(LEAST_LOG10_BETA, 0.0),
    )
    scale: Float[Array, ""] = parameter(
        "counts",
        "output gained for each threshold's worth of pump, far above threshold",
        name="scale",
        default=1000.0,
        bounds=(0.0, np.inf),
    )
    background: Float[Array, ""] = parameter(
        "counts", "output without pump", name="background", default=10.0, bounds=(0.0, np.inf)
    )
    exponent: Float[Array, ""] = parameter(
        "1", "photons absorbed for each excitation", name="exponent", default=1.0, bounds=(0.2, 6.0), free=False
    )
    spontaneous: Float[Array, ""] = parameter(
        "counts",
        "collected spontaneous emission outside the mode, for each threshold's worth of pump below threshold",
        name="spontaneous",
        bounds=(0.0, np.inf),
        free=False,
    )
    jitter: Float[Array, " k"] = parameter(
        "1", "logarithm of true over nominal fluence of each point", name="jitter", free=False, vector=True
    )
    fluence: Float[Array, " n"] = eqx.field(default_factory=lambda: np.geomspace(10, 1000, 40), converter=jnp.asarray)
    moved: Float[Array, " k"] = eqx.field(default_factory=lambda: jnp.zeros(0), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    unit: str = eqx.field(static=True, default="counts")

    @property
    def signal_unit(self) -> str:  # type: ignore[override]
        """Unit of the output."""
        return self.unit

    @property
    def axis(self) -> Float[Array, " n"]:
        """Nominal fluences, uJ/cm^2."""
        return self.fluence

    @property
    def beta(self) -> Float[Array, ""]:
        """The spontaneous-emission factor."""
        return 10.0**self.log10_beta

    def _pump(self) -> Float[Array, " n"]:
        away = jnp.log(self.fluence / self.threshold_uj_cm2)
        for part in (self.jitter, self.moved):
            away = away + part if part.size else away
        return jnp.exp(self.exponent * away)

    def _parts(self) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        pump = self._pump()
        mode = stimulated(pump, self.beta)
        return self.scale * mode, self.spontaneous * pump / (1.0 + mode)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected output at each fluence, shape (n,)."""
        mode, beside = self._parts()
        return jnp.maximum(self.background + mode + beside, 1e-12)

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the mode's light, spontaneous emission beside it, and the background."""
        mode, beside = self._parts()
        return {"background": jnp.full_like(mode, self.background), "mode": mode, "spontaneous": beside}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return beta, the photons and the output at threshold."""
        at = jnp.sqrt(self.beta)
        return {
            "beta": self.beta,
            "photons_at_threshold": 1.0 / at,
            "output_at_threshold": self.scale * at + self.spontaneous / (1.0 + at),
        }

    def respond(self, state: Any) -> Self:
        """Return the curve as it is: a specimen alone does not decide the threshold of its film."""
        return self
