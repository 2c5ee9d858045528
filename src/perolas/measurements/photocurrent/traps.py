r"""Photocurrent with traps that fill and empty: a rate model, solved by diffrax.

With carriers n and filled traps m, both over the number of traps,

.. math:: \dot n = G - \frac{n}{\tau} - k\, n (1 - m), \qquad \dot m = k\, n (1 - m) - e\, m,

G the generation while the light is on, and the current proportional to n. Traps take carriers until they are full,
which delays the rise; afterwards they give them back with e, which makes the tail. What is caught and given back keeps
the steady state at n = G tau whatever the traps do. In each cycle the traps begin as full as the one before left them:
the first rise of a rested film is slower than the later ones, which no sum of fixed exponentials gives.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter, replace
from perolas.measurements.photocurrent.model import with_power
from perolas.measurements.photocurrent.steady import Cell, steady_current_na

_TOLERANCE = 1e-7

_DERIVED = {
    "steady_filling": Derived("1", "share of the traps that is filled in steady light, k n / (k n + e)"),
    "on_off_ratio": Derived("1", "steady current in the light over that in the dark, (I_d + I_ph) / I_d"),
    "responsivity": Derived("A/W", "steady photocurrent over the power of the light on the electrode"),
    "external_efficiency": Derived("1", "electrons in the circuit for each photon on the electrode"),
}


class TrapFilling(AbstractMeasurement):
    """An on/off transient whose times come from traps.

    Attributes:
        amplitude: steady photocurrent, nA.
        dark: dark current at time zero, nA.
        drift: its slope, nA/s.
        carriers: n in steady light, G tau, over the number of traps.
        lifetime_s: tau, of carriers outside the traps, s.
        trapping: k, rate at which a carrier is caught by empty traps, 1/s.
        release: e, rate at which a trap gives its carrier back, 1/s.
        switches: shape (m,), s: light on, off, on, ...
        time: shape (n,), s.
        noise: of the meter.
        cell: electrode and light.
    """

    technique: ClassVar[str] = "photocurrent"
    axis_name: ClassVar[str] = "time_s"
    signal_unit: ClassVar[str] = "nA"
    response_sets: ClassVar[tuple[str, ...]] = ("amplitude",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    amplitude: Float[Array, ""] = parameter("nA", "steady photocurrent", name="amplitude", default=100.0)
    dark: Float[Array, ""] = parameter("nA", "dark current at time zero", name="dark", default=10.0)
    drift: Float[Array, ""] = parameter("nA/s", "slope of the dark current", name="drift")
    carriers: Float[Array, ""] = parameter(
        "1", "carriers in steady light over the number of traps", name="carriers", default=0.5, bounds=(1e-6, 1e6)
    )
    lifetime_s: Float[Array, ""] = parameter(
        "s", "lifetime of carriers outside the traps", name="lifetime", default=1.0, bounds=(1e-6, 1e6)
    )
    trapping: Float[Array, ""] = parameter(
        "1/s", "rate at which empty traps catch a carrier", name="trapping", default=1.0, bounds=(0.0, 1e6)
    )
    release: Float[Array, ""] = parameter(
        "1/s", "rate at which a trap gives its carrier back", name="release", default=0.1, bounds=(0.0, 1e6)
    )
    switches: Float[Array, " m"] = eqx.field(default_factory=lambda: [20.0, 40.0], converter=jnp.asarray)
    time: Float[Array, " n"] = eqx.field(default_factory=lambda: np.arange(0.0, 60.0, 0.1), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    cell: Cell | None = eqx.field(static=True, default=None)

    @property
    def axis(self) -> Float[Array, " n"]:
        """Times of the readings, s."""
        return self.time

    def populations(self) -> Float[Array, "n 2"]:
        """Return carriers over those of steady light, and filled traps over all, at each reading, shape (n, 2)."""
        begin = jnp.minimum(self.time[0], self.switches[0])

        def slopes(t: Any, y: Array, _: Any) -> Array:
            lit = jnp.searchsorted(self.switches, t, side="right") % 2
            caught = self.trapping * y[0] * (1.0 - y[1]) * self.carriers - self.release * y[1]
            return jnp.stack([(lit - y[0]) / self.lifetime_s - caught / self.carriers, caught])

        steps = diffrax.PIDController(rtol=_TOLERANCE, atol=_TOLERANCE)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(slopes),
            diffrax.Kvaerno5(),
            t0=begin,
            t1=self.time[-1],
            dt0=None,
            y0=jnp.zeros(2),
            saveat=diffrax.SaveAt(ts=self.time),
            stepsize_controller=diffrax.ClipStepSizeController(steps, jump_ts=self.switches),
            max_steps=16384,
            throw=False,
            adjoint=diffrax.ForwardMode(),  # a handful of parameters: derivatives go along with the solution
        )
        good = solution.result == diffrax.RESULTS.successful
        return jnp.where(good, solution.ys, jnp.nan)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected current at each reading, nA, shape (n,)."""
        return self.dark + self.drift * self.time + self.amplitude * self.populations()[:, 0]

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return dark current, photocurrent, and the filled traps on the scale of the photocurrent."""
        y = self.populations()
        return {"dark": self.dark + self.drift * self.time, "photo": self.amplitude * y[:, 0]}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return how full the traps are in steady light, the on/off ratio, and what the light's power makes of it."""
        catch = self.trapping * self.carriers
        found = {
            "steady_filling": catch / (catch + self.release),
            "on_off_ratio": (self.dark + self.amplitude) / self.dark,
        }
        return found | with_power(self.amplitude, self.cell)

    def respond(self, state: Any) -> Self:
        """Return the transient of a specimen: its steady photocurrent; lifetime and traps stay as they are."""
        return replace(self, amplitude=steady_current_na(state, self.cell or Cell()))
