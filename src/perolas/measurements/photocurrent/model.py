r"""Current of an illuminated film that is switched on and off, in nA of a meter.

Equations. With the light on since :math:`t_0` and a level L of the photocurrent then (as a share of the steady one),

.. math:: l(t) = 1 - (1 - L) [f e^{-(t-t_0)/\tau_1} + (1-f) e^{-(t-t_0)/\tau_2}],

and with the light off since :math:`t_0`,

.. math:: l(t) = L [g e^{-(t-t_0)/\theta_1} + (1-g) e^{-(t-t_0)/\theta_2}] .

Each cycle begins where the one before it ended. The meter reads

.. math:: I(t) = I_d + D t + I_{ph}\, e^{-\phi (t - t_{on})} l(t),

with the dark current, its slow drift, and a fading of the photocurrent from the first light on (none unless freed).
Only the level is remembered: how it is shared between fast and slow is the same at each switch, which
`perolas.measurements.photocurrent.traps` does not assume.

Response of a specimen: the steady current of `perolas.measurements.photocurrent.steady`, from the light that its
CsPbBr3 absorbs and the share of carriers that is not lost. Times of rise and decay are those of traps between the
electrodes, which a specimen does not decide.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter, replace
from perolas.measurements.photocurrent.steady import Cell, steady_current_na

ELECTRON_VOLT_NM = 1239.841984  # h c / e, exact in the SI

_DERIVED = {
    "rise_mean": Derived("s", "mean time constant of the rise, f tau_1 + (1 - f) tau_2"),
    "decay_mean": Derived("s", "mean time constant of the decay, g theta_1 + (1 - g) theta_2"),
    "on_off_ratio": Derived("1", "steady current in the light over that in the dark, (I_d + I_ph) / I_d"),
    "responsivity": Derived("A/W", "steady photocurrent over the power of the light on the electrode"),
    "external_efficiency": Derived("1", "electrons in the circuit for each photon on the electrode"),
}


def _time(meaning: str, name: str, default: float) -> Any:
    return parameter("s", meaning, name=name, default=default, bounds=(1e-9, 1e9))


class Photocurrent(AbstractMeasurement):
    """An on/off transient of several cycles.

    Attributes:
        amplitude: steady photocurrent I_ph, nA; negative where light lowers the current.
        dark: dark current I_d at time zero, nA.
        drift: slope of the dark current D, nA/s.
        rise_fast_s, rise_slow_s: tau_1 and tau_2, s.
        rise_share: f.
        decay_fast_s, decay_slow_s: theta_1 and theta_2, s.
        decay_share: g.
        fading: relative loss of the photocurrent in a second, 1/s.
        delay_s: by how much all switches come later than `switches` says.
        switches: shape (m,), s: light on, off, on, ...; it is dark before the first.
        time: shape (n,), s.
        noise: of the meter.
        cell: electrode and light, for responsivity and for the response of a specimen.
    """

    technique: ClassVar[str] = "photocurrent"
    axis_name: ClassVar[str] = "time_s"
    signal_unit: ClassVar[str] = "nA"
    response_sets: ClassVar[tuple[str, ...]] = ("amplitude",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    amplitude: Float[Array, ""] = parameter("nA", "steady photocurrent", name="amplitude", default=100.0)
    dark: Float[Array, ""] = parameter("nA", "dark current at time zero", name="dark", default=10.0)
    drift: Float[Array, ""] = parameter("nA/s", "slope of the dark current", name="drift")
    rise_fast_s: Float[Array, ""] = _time("fast time constant of the rise", "rise_fast", 1.0)
    rise_slow_s: Float[Array, ""] = _time("slow time constant of the rise", "rise_slow", 8.0)
    rise_share: Float[Array, ""] = parameter(
        "1", "share of the fast part in the rise", name="rise_share", default=0.7, bounds=(0.0, 1.0)
    )
    decay_fast_s: Float[Array, ""] = _time("fast time constant of the decay", "decay_fast", 1.0)
    decay_slow_s: Float[Array, ""] = _time("slow time constant of the decay", "decay_slow", 8.0)
    decay_share: Float[Array, ""] = parameter(
        "1", "share of the fast part in the decay", name="decay_share", default=0.7, bounds=(0.0, 1.0)
    )
    fading: Float[Array, ""] = parameter(
        "1/s", "relative loss of the photocurrent in a second from the first light on", name="fading",
        bounds=(-1.0, 10.0), free=False,
    )  # fmt: skip
    delay_s: Float[Array, ""] = parameter("s", "by how much all switches come later", name="delay", free=False)
    switches: Float[Array, " m"] = eqx.field(default_factory=lambda: [20.0, 40.0], converter=jnp.asarray)
    time: Float[Array, " n"] = eqx.field(default_factory=lambda: np.arange(0.0, 60.0, 0.1), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    cell: Cell | None = eqx.field(static=True, default=None)

    @property
    def axis(self) -> Float[Array, " n"]:
        """Times of the readings, s."""
        return self.time

    def _left_of_rise(self, elapsed: Array) -> Array:
        f = self.rise_share
        return f * jnp.exp(-elapsed / self.rise_fast_s) + (1.0 - f) * jnp.exp(-elapsed / self.rise_slow_s)

    def _left_of_decay(self, elapsed: Array) -> Array:
        g = self.decay_share
        return g * jnp.exp(-elapsed / self.decay_fast_s) + (1.0 - g) * jnp.exp(-elapsed / self.decay_slow_s)

    def _after(self, lit: Array, level: Array, elapsed: Array) -> Array:
        rise = 1.0 - (1.0 - level) * self._left_of_rise(elapsed)
        return jnp.where(lit, rise, level * self._left_of_decay(elapsed))

    def level(self) -> Float[Array, " n"]:
        """Return the photocurrent at each reading over the steady one, shape (n,)."""
        count = self.switches.shape[-1]
        lit = jnp.arange(count) % 2 == 0

        def step(level: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
            return self._after(row[0], level, row[1]), level

        _, levels = jax.lax.scan(step, jnp.asarray(0.0), (lit[:-1], jnp.diff(self.switches)))
        last = self._after(lit[count - 2], levels[-1], self.switches[-1] - self.switches[-2])
        levels = jnp.append(levels, last)
        now = self.time - self.delay_s
        index = jnp.searchsorted(self.switches, now, side="right") - 1
        begun = jnp.maximum(index, 0)
        elapsed = jnp.where(index >= 0, now - self.switches[begun], 0.0)
        return jnp.where(index >= 0, self._after(lit[begun], levels[begun], elapsed), 0.0)

    def _photo(self) -> Float[Array, " n"]:
        lit_for = jnp.maximum(self.time - self.switches[0] - self.delay_s, 0.0)
        return self.amplitude * jnp.exp(-self.fading * lit_for) * self.level()

    def expected(self) -> Float[Array, " n"]:
        """Return the expected current at each reading, nA, shape (n,)."""
        return self.dark + self.drift * self.time + self._photo()

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return dark current and photocurrent."""
        return {"dark": self.dark + self.drift * self.time, "photo": self._photo()}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return mean times, the on/off ratio, and what the light's power makes of the current where it is known."""
        f, g = self.rise_share, self.decay_share
        found = {
            "rise_mean": f * self.rise_fast_s + (1.0 - f) * self.rise_slow_s,
            "decay_mean": g * self.decay_fast_s + (1.0 - g) * self.decay_slow_s,
            "on_off_ratio": (self.dark + self.amplitude) / self.dark,
        }
        return found | with_power(self.amplitude, self.cell)

    def respond(self, state: Any) -> Self:
        """Return the transient of a specimen: its steady photocurrent; all times stay as they are.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with another amplitude.
        """
        return replace(self, amplitude=steady_current_na(state, self.cell or Cell()))


def with_power(amplitude: Array, cell: Cell | None) -> dict[str, Float[Array, ""]]:
    """Return responsivity (A/W) and external efficiency of a steady photocurrent in nA; nothing without a cell."""
    if cell is None:
        return {}
    responsivity = amplitude * 1e-9 / (cell.irradiance_mw_cm2 * 1e-3 * cell.area_cm2)
    return {
        "responsivity": responsivity,
        "external_efficiency": responsivity * ELECTRON_VOLT_NM / cell.wavelength_nm,
    }
