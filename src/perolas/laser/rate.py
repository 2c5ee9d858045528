r"""Rate equations of a laser with the spontaneous-emission factor beta, from far below threshold to far above.

With N carriers at the band edge, s photons in the mode and H hot carriers that the pump makes,

.. math::
   \dot H &= P(t) - H/\tau_h \\
   \dot N &= H/\tau_h - N/\tau - A N^2 - \beta (N - N_0)\, g s/\tau \\
   \dot s &= \beta N/\tau + \beta (N - N_0)\, g s/\tau - s/\tau_c, \qquad g = 1/(1 + \epsilon s) .

beta is the share of spontaneous emission that goes into the mode, :math:`\tau_c` the lifetime of a photon in it,
:math:`N_0` transparency, A Auger recombination, :math:`\epsilon` gain compression. Without the last three the steady
state is exact: with :math:`p = P \beta \tau_c`,

.. math:: s = \frac{2p}{(1-p) + \sqrt{(1-p)^2 + 4 \beta p}} \; (p \le 1), \qquad
          s = \frac{(p-1) + \sqrt{(p-1)^2 + 4 \beta p}}{2\beta} \; (p > 1),

two forms of one root, each used where it does not cancel; s(p = 1) = beta^(-1/2).

Sources: Bjork and Yamamoto, IEEE J. Quantum Electron. 1991, 27, 2386; Coldren, Corzine and Mashanovitch, Diode Lasers
and Photonic Integrated Circuits, 2012, chapter 5. The ordinary equations are solved by diffrax (Kidger 2021) with an
implicit method (Kvaerno 2004), because photons live a thousand times shorter than carriers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter.optics import door
from perolas.matter.parameters_library import parameter_value

Scalar = Float[Array, ""]
_TOLERANCE = 1e-9
_MOST_STEPS = 20_000


def _number(value: float) -> Scalar:
    return eqx.field(default=value, converter=jnp.asarray)  # type: ignore[no-any-return]


def _library(name: str, factor: float) -> Scalar:
    """Return a field whose default is a number of the library, times a factor into its unit here."""
    return eqx.field(  # type: ignore[no-any-return]
        default_factory=lambda: jnp.asarray(factor * parameter_value(name)), converter=jnp.asarray
    )


class RateModel(eqx.Module):
    """The constants of the rate equations; a field may carry a leading batch axis where the model is mapped over.

    Attributes:
        lifetime_ps: tau, of a carrier, by all spontaneous emission and loss that is linear in N, ps; by default the
            library's at 77 K.
        photon_lifetime_ps: tau_c, of a photon in the mode, ps.
        beta: share of the linear recombination that emits into the mode, above 0 and up to 1.
        transparency: N_0, carriers at which the mode neither gains nor loses to them.
        auger_per_ps: A, 1/ps; see `auger_per_ps`.
        compression: epsilon, gain compression for each photon.
        cooling_ps: tau_h, time in which hot carriers reach the band edge, ps; by default the library's.
    """

    lifetime_ps: Scalar = _library("CsPbBr3.radiative_lifetime_77k", 1e3)
    photon_lifetime_ps: Scalar = _number(1.0)
    beta: Scalar = _number(1e-3)
    transparency: Scalar = _number(0.0)
    auger_per_ps: Scalar = _number(0.0)
    compression: Scalar = _number(0.0)
    cooling_ps: Scalar = _library("CsPbBr3.carrier_cooling", 1.0)

    def __check_init__(self) -> None:
        """Refuse constants that cannot be."""
        door.positive(self.lifetime_ps, "carrier lifetime", "ps")
        door.positive(self.photon_lifetime_ps, "photon lifetime", "ps")
        door.positive(self.beta, "beta", "")
        door.positive(self.cooling_ps, "cooling time", "ps")
        for value, name in ((self.transparency, "transparency"), (self.auger_per_ps, "Auger rate")):
            door.positive(value, name, "", zero=True)
        door.positive(self.compression, "compression", "", zero=True)
        if not isinstance(self.beta, jax.core.Tracer) and bool(jnp.any(self.beta > 1.0)):
            raise InputError(f'Argument "beta" is a share and at most 1, but is {float(jnp.max(self.beta)):g}.')

    @property
    def threshold_carriers(self) -> Scalar:
        """Carriers at which gain equals loss, N_0 + tau / (beta tau_c)."""
        return self.transparency + self.lifetime_ps / (self.beta * self.photon_lifetime_ps)

    @property
    def threshold_pump_per_ps(self) -> Scalar:
        """Pump that keeps that many carriers while nothing lases, 1/ps; p = 1 of the exact formula."""
        carriers = self.threshold_carriers
        return carriers / self.lifetime_ps + self.auger_per_ps * carriers**2


def auger_per_ps(auger_lifetime_ps: float, nanocrystals: float) -> float:
    """Return A for so many nanocrystals that share the mode, each with a Poisson number n of excitations.

    Args:
        auger_lifetime_ps: of two excitations in one nanocrystal; k of them lose one at k (k - 1) / 2 times its inverse.
        nanocrystals: in reach of the mode.

    Returns:
        1 / (2 nanocrystals lifetime), 1/ps: the mean of k (k - 1) over a Poisson law is n^2.

    Raises:
        InputError: a value that is not positive.
    """
    pair = check.positive(auger_lifetime_ps, "Auger lifetime", "ps")
    return 0.5 / (pair * check.positive(nanocrystals, "number of nanocrystals"))


def exact_photons(pump: ArrayLike, beta: ArrayLike) -> Float[Array, "..."]:
    """Return the exact steady number of photons of the plain equations.

    Args:
        pump: p, over that of threshold, any shape.
        beta: share of spontaneous emission into the mode, broadcast.

    Returns:
        s, in the form that does not cancel on either side of p = 1. Source: Bjork and Yamamoto 1991.

    Raises:
        InputError: a negative pump, or a beta that is not positive.
    """
    p, b = door.positive(pump, "pump", "", zero=True), door.positive(beta, "beta", "")
    root = jnp.sqrt((p - 1.0) ** 2 + 4.0 * b * p)
    below = 2.0 * p / (jnp.maximum(1.0 - p, 0.0) + root)
    return jnp.where(p > 1.0, (p - 1.0 + root) / (2.0 * b), below)


class Steady(NamedTuple):
    """A steady state: carriers at the band edge and photons in the mode, of the shape of the pump."""

    carriers: Float[Array, "..."]
    photons: Float[Array, "..."]


def _carriers(model: RateModel, photons: Scalar) -> Scalar:
    """Return the carriers that keep so many photons steady."""
    into = model.beta / model.lifetime_ps
    stimulated = photons / (1.0 + model.compression * photons)
    return (photons / model.photon_lifetime_ps + into * model.transparency * stimulated) / (into * (1.0 + stimulated))


def _surplus(log_photons: Scalar, model: RateModel, pump: Scalar) -> Scalar:
    """Return what the pump brings beyond what a steady state with so many photons uses up; it falls throughout."""
    s = jnp.exp(log_photons)
    n = _carriers(model, s)
    used = (1.0 - model.beta) * n / model.lifetime_ps + model.auger_per_ps * n**2 + s / model.photon_lifetime_ps
    return 1.0 - used / pump


def _steady(model: RateModel, pump: Scalar) -> Steady:
    held, given = jax.lax.stop_gradient((model, pump))
    top = jnp.log(given * held.photon_lifetime_ps)  # not more than every excitation as a photon

    def find(model: RateModel, pump: Scalar, top: Scalar) -> Scalar:
        def halve(_: int, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
            low, high = ends
            middle = 0.5 * (low + high)
            above = _surplus(middle, model, pump) < 0.0
            return jnp.where(above, low, middle), jnp.where(above, middle, high)

        low, high = jax.lax.fori_loop(0, 64, halve, (top - 100.0, top + 1e-9))
        return 0.5 * (low + high)

    x = jax.lax.stop_gradient(find(held, given, top))
    slope = jax.lax.stop_gradient(jax.grad(_surplus)(x, held, given))
    x = x - _surplus(x, model, pump) / slope  # carries the gradients (implicit function) and the last digits
    s = jnp.exp(x)
    return Steady(_carriers(model, s), s)


@eqx.filter_jit
def _steady_each(model: RateModel, pumps: Float[Array, " n"]) -> Steady:
    return jax.vmap(lambda pump: _steady(model, pump))(pumps)


def steady_state(model: RateModel, pump_per_ps: ArrayLike) -> Steady:
    """Return the steady state of the whole equations, from far below threshold to far above.

    Args:
        model: the constants, without batch axes.
        pump_per_ps: P, carriers made each ps, any shape.

    Returns:
        Carriers and photons, of the shape of the pump; they can be differentiated.

    Raises:
        InputError: a pump that is not positive.
    """
    pump = door.positive(pump_per_ps, "pump", "1/ps")
    flat = _steady_each(model, pump.ravel())
    return Steady(flat.carriers.reshape(pump.shape), flat.photons.reshape(pump.shape))


def s_curve(model: RateModel, fluence: ArrayLike, photons: int = 1) -> Float[Array, "..."]:
    """Return photons in the mode against fluence: the S-curve, on which beta shows as the height of the step.

    Args:
        model: the constants.
        fluence: over that of threshold, any shape.
        photons: absorbed for each excitation, 1 or 2; the pump goes with the fluence to this power.

    Returns:
        Steady photons, of the same shape.

    Raises:
        InputError: a fluence that is not positive, or an order other than 1 or 2.
    """
    if photons not in (1, 2):
        raise InputError(f"Absorption of 1 or 2 photons is known, not of {photons}.")
    pump = door.positive(fluence, "fluence", "") ** photons * model.threshold_pump_per_ps
    return steady_state(model, pump).photons


class Course(NamedTuple):
    """Carriers and light in time after a pulse, or under a pump that is switched on; shapes (t,).

    Attributes:
        time_ps: where it is given, ps.
        hot: hot carriers H.
        carriers: N.
        photons: s, in the mode.
        emitted: photons that have left the mode so far.
        lost: carriers that have recombined otherwise so far; hot + carriers + photons + emitted + lost is conserved.
    """

    time_ps: Float[Array, " t"]
    hot: Float[Array, " t"]
    carriers: Float[Array, " t"]
    photons: Float[Array, " t"]
    emitted: Float[Array, " t"]
    lost: Float[Array, " t"]


def slopes(time_ps: ArrayLike, y: Float[Array, "5"], both: tuple[RateModel, Scalar]) -> Float[Array, "5"]:
    """Return d(H, N, s, emitted, lost)/dt, 1/ps; `both` is the model and a constant pump (1/ps)."""
    m, pump = both
    hot, n, s = y[0], y[1], y[2]
    cooled = hot / m.cooling_ps
    spontaneous = n / m.lifetime_ps
    stimulated = m.beta * (n - m.transparency) * s / (m.lifetime_ps * (1.0 + m.compression * s))
    auger = m.auger_per_ps * n**2
    out = s / m.photon_lifetime_ps
    return jnp.stack(
        [
            pump - cooled,
            cooled - spontaneous - auger - stimulated,
            m.beta * spontaneous + stimulated - out,
            out,
            (1.0 - m.beta) * spontaneous + auger,
        ]
    )


@eqx.filter_jit
def _course(model: RateModel, start: Float[Array, "5"], pump: Scalar, times: Float[Array, " t"]) -> Course:
    scale = jnp.maximum(jnp.sum(start), pump * model.lifetime_ps)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(slopes),
        diffrax.Kvaerno5(),
        0.0,
        times[-1],
        None,
        start,
        args=(model, pump),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=_TOLERANCE, atol=1e-3 * _TOLERANCE * scale),
        max_steps=_MOST_STEPS,
        throw=False,
    )
    y = jnp.where(solution.result == diffrax.RESULTS.successful, solution.ys, jnp.nan)
    return Course(times, *(y[:, i] for i in range(5)))


def after_pulse(model: RateModel, excitations: ArrayLike, times_ps: ArrayLike) -> Course:
    """Return what happens after a pump pulse that is over at once: a pulse of 50 fs beside picoseconds.

    Args:
        model: the constants, without batch axes.
        excitations: made by the pulse, all hot at first.
        times_ps: shape (t,), rising from 0 or later, ps.

    Returns:
        The course; NaN where the solver gave up.

    Raises:
        InputError: excitations that are not positive, or times that do not rise.
    """
    hot = door.positive(excitations, "excitations", "")
    start = jnp.zeros(5).at[0].set(hot)
    return _course(model, start, jnp.zeros(()), _times(times_ps))


def switched_on(model: RateModel, pump_per_ps: ArrayLike, times_ps: ArrayLike) -> Course:
    """Return what happens after a steady pump is switched on; it ends in `steady_state`.

    Args:
        model: the constants, without batch axes.
        pump_per_ps: P, 1/ps.
        times_ps: shape (t,), rising from 0 or later, ps.

    Returns:
        The course; NaN where the solver gave up.

    Raises:
        InputError: a pump that is not positive, or times that do not rise.
    """
    return _course(model, jnp.zeros(5), door.positive(pump_per_ps, "pump", "1/ps"), _times(times_ps))


def _times(times_ps: ArrayLike) -> Float[Array, " t"]:
    if isinstance(times_ps, jax.core.Tracer):
        return times_ps
    times = check.axis(times_ps, "time")  # type: ignore[arg-type]
    if times[0] < 0 or times[-1] < times[0]:
        raise InputError("The times must rise from 0 or later.")
    return jnp.asarray(times)


class EmissionPulse(NamedTuple):
    """The light that leaves after a pulse: shapes () each.

    Attributes:
        photons: that left the mode within the times.
        peak_per_ps: highest rate at which they left, 1/ps.
        delay_ps: when, ps.
        width_ps: full width at half maximum, between the first and the last time above half, ps.
    """

    photons: Scalar
    peak_per_ps: Scalar
    delay_ps: Scalar
    width_ps: Scalar


def emission_pulse(model: RateModel, course: Course) -> EmissionPulse:
    """Return size, delay and width of the emitted pulse, by linear interpolation of a course.

    Args:
        model: the constants.
        course: of `after_pulse`, fine enough to show the pulse.

    Returns:
        The pulse.
    """
    t, rate = course.time_ps, course.photons / model.photon_lifetime_ps
    peak = jnp.argmax(rate)
    half = 0.5 * rate[peak]
    above = rate >= half
    first, last = jnp.argmax(above), rate.size - 1 - jnp.argmax(above[::-1])

    def crossing(i: Array, j: Array) -> Scalar:
        rise = rate[j] - rate[i]
        share = jnp.where(rise == 0.0, 0.0, (half - rate[i]) / jnp.where(rise == 0.0, 1.0, rise))
        return t[i] + jnp.clip(share, 0.0, 1.0) * (t[j] - t[i])

    begin = crossing(jnp.maximum(first - 1, 0), first)
    end = crossing(last, jnp.minimum(last + 1, rate.size - 1))
    return EmissionPulse(course.emitted[-1], rate[peak], t[peak], end - begin)


def linewidth_nm(
    model: RateModel, state: Steady, wavelength_nm: ArrayLike, henry: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """Return an estimate of the width of the mode's line in a steady state.

    Spontaneous photons, beta N / (tau s) for each that is there, blur the phase: the angular width is that rate below
    threshold (at weak pump the bare 1/tau_c) and, above (s > beta^(-1/2)), half of it times 1 + henry^2. It is the
    width of one mode; jitter, heating and a spectrometer add to it.

    Args:
        model: the constants.
        state: of `steady_state`.
        wavelength_nm: of the line, nm.
        henry: linewidth enhancement factor alpha.

    Returns:
        Full width at half maximum, nm, of the shape of the state. Source: Coldren 2012, 5.5; Henry 1982.

    Raises:
        InputError: a wavelength that is not positive.
    """
    nm = door.positive(wavelength_nm, "wavelength", "nm")
    rate_ps = model.beta * state.carriers / (model.lifetime_ps * state.photons)
    lasing = state.photons > model.beta**-0.5
    rate_ps = rate_ps * jnp.where(lasing, 0.5 * (1.0 + jnp.asarray(henry) ** 2), 1.0)
    return rate_ps / (2.0 * math.pi) * nm**2 / (units.SPEED_OF_LIGHT_NM_FS * 1e3)


def photon_lifetime_ps(width_nm: ArrayLike, wavelength_nm: ArrayLike) -> Float[Array, "..."]:
    """Return how long a photon stays in a mode whose cold line is so wide, lambda^2 / (2 pi c width).

    Args:
        width_nm: full width at half maximum, any shape, nm.
        wavelength_nm: broadcast, nm.

    Returns:
        ps.

    Raises:
        InputError: a value that is not positive.
    """
    nm = door.positive(wavelength_nm, "wavelength", "nm")
    width = door.positive(width_nm, "linewidth", "nm")
    return nm**2 / (2.0 * math.pi * units.SPEED_OF_LIGHT_NM_FS * 1e3 * width)


def threshold_gain_cm1(lifetime_ps: ArrayLike, index: ArrayLike) -> Float[Array, "..."]:
    """Return the gain that makes up for the loss of a mode, n / (c tau_c).

    Args:
        lifetime_ps: of a photon in the mode, any shape, ps.
        index: of the medium, broadcast.

    Returns:
        cm-1.

    Raises:
        InputError: a value that is not positive.
    """
    c_cm_ps = units.SPEED_OF_LIGHT_NM_FS * 1e-4
    return door.positive(index, "index", "") / (c_cm_ps * door.positive(lifetime_ps, "photon lifetime", "ps"))
