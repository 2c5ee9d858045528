"""Time-resolved photoluminescence: a sum of exponentials, seen through the instrument, counted in bins.

Equations. The sample emits f(t) = sum_i (a_i / D) exp(-t / tau_i) for t > 0, with a_i in counts per bin of width D.
The instrument response is a histogram on the same bins (each bin taken as uniform) or a Gaussian; it is normalised
to one, and moved by a shift. Expected counts are the integral of response * f over each bin, plus a constant
background, plus scattered light that has the response's own shape. With pulses every P ns, what is left of earlier
pulses is added as a geometric series, exp(-P/tau) / (1 - exp(-P/tau)).

For a histogram the convolution is exact for the kernel h_m = (tau^2 / D) r^(m-1) (1 - r)^2, r = exp(-D / tau), m >= 1,
and h_0 = tau (1 - (1 - r) tau / D), and is done by FFT. A shift by a fraction of a bin uses Keys' cubic, which is
smooth in the shift. For a Gaussian the integral is analytic (exponentially modified Gaussian).

Response of a specimen. Band-edge excitons n decay radiatively (k_r), are trapped (k_t = trap_ratio k_r) and come back
(k_d); trapped carriers are lost with k_x = loss_ratio k_r: n' = -(k_r + k_t) n + k_d T, T' = k_t n - (k_d + k_x) T.
The emission is a sum of two exponentials whose rates are the eigenvalues of that matrix.

Two mean lifetimes, which differ up to twentyfold: amplitude-weighted, sum a tau / sum a (proportional to the quantum
yield), and intensity-weighted, sum a tau^2 / sum a tau (the mean arrival time).

Validated by tests/inversion, tests/laws/test_trpl_integrals.py (analytic integrals), and the published fit of
Lifefit's tutorial data (tests/papers).
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter, replace
from perolas.core.units import FWHM_PER_SIGMA
from perolas.matter.parameters_library import parameter_value

REFERENCES = ("laurence2010", "baker1984", "chirvony2017")
PARAMETERS_USED = ("CsPbBr3.radiative_rate", "CsPbBr3.detrapping_rate")

_DERIVED = {
    "tau_mean_amplitude": Derived("ns", "amplitude-weighted mean lifetime, sum(a tau) / sum(a)"),
    "tau_mean_intensity": Derived("ns", "intensity-weighted mean lifetime, sum(a tau^2) / sum(a tau)"),
    "fraction": Derived("1", "share of the amplitude, a_i / sum(a)"),
    "intensity_fraction": Derived("1", "share of the emitted light, a_i tau_i / sum(a tau)"),
    "k_radiative": Derived("1/ns", "radiative rate of the trapping model without loss, l+ l- / k_detrapping"),
    "k_trapping": Derived("1/ns", "trapping rate of the trapping model without loss, l+ + l- - k_r - k_d"),
    "k_detrapping": Derived("1/ns", "detrapping rate of the trapping model without loss, l+ - f+ (l+ - l-)"),
}


class Trpl(AbstractMeasurement):
    """A decay: exponentials reconvolved with an instrument response, in counts for each bin.

    Attributes:
        tau_ns: shape (k,), lifetimes.
        amplitude: shape (k,), counts per bin that each would have at time zero with a perfect instrument.
        shift_ns: by how much the response is moved; for a Gaussian its centre.
        background: counts in each bin.
        scatter: counts of scattered light in all bins together.
        irf_fwhm_ns: width of the Gaussian response; unused with a measured one.
        start_ns: left edge of the first bin.
        bin_ns: width of a bin.
        irf: shape (n,), measured response with sum one; shape (0,) for a Gaussian.
        noise: Poisson by default.
        bins: number of bins of the whole record.
        window: first bin and one past the last bin that are looked at.
        period_ns: time between pulses; None for single pulses.
        rates: whether the trapping model's rates are derived as well (two components).
    """

    technique: ClassVar[str] = "trpl"
    axis_name: ClassVar[str] = "time_ns"
    response_sets: ClassVar[tuple[str, ...]] = ("tau", "amplitude")
    keeps_total: ClassVar[tuple[str, ...]] = ("amplitude",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    tau_ns: Float[Array, " k"] = parameter(
        "ns", "lifetime", name="tau", default=10.0, bounds=(1e-6, np.inf), vector=True
    )
    amplitude: Float[Array, " k"] = parameter(
        "counts",
        "counts per bin at time zero with a perfect instrument",
        name="amplitude",
        default=1e3,
        bounds=(0, np.inf),
        vector=True,
    )
    shift_ns: Float[Array, ""] = parameter("ns", "shift of the instrument response", name="shift")
    background: Float[Array, ""] = parameter(
        "counts", "background in each bin", name="background", default=1.0, bounds=(0, np.inf)
    )
    scatter: Float[Array, ""] = parameter(
        "counts", "scattered light in all bins together", name="scatter", bounds=(0, np.inf), free=False
    )
    irf_fwhm_ns: Float[Array, ""] = parameter(
        "ns",
        "full width of a Gaussian instrument response",
        name="irf_fwhm",
        default=0.1,
        bounds=(1e-6, np.inf),
        free=False,
    )
    start_ns: Float[Array, ""] = eqx.field(default=0.0, converter=jnp.asarray)
    bin_ns: Float[Array, ""] = eqx.field(default=0.1, converter=jnp.asarray)
    irf: Float[Array, " n"] = eqx.field(default_factory=lambda: jnp.zeros(0), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    bins: int = eqx.field(static=True, default=1024)
    window: tuple[int, int] | None = eqx.field(static=True, default=None)
    period_ns: float | None = eqx.field(static=True, default=None)
    rates: bool = eqx.field(static=True, default=False)

    def _cut(self, record: Array) -> Array:
        return record if self.window is None else record[self.window[0] : self.window[1]]

    @property
    def axis(self) -> Float[Array, " n"]:
        """Centres of the bins looked at, in ns."""
        return self._cut(self.start_ns + (jnp.arange(self.bins) + 0.5) * self.bin_ns)

    def _decays(self) -> Float[Array, "k n"]:
        """Return each component's counts in every bin of the record."""
        return self.amplitude[:, None] * (self._through_histogram() if self.irf.size else self._through_gaussian())

    def unit_decays(self) -> Float[Array, "k n"]:
        """Return each lifetime's decay of amplitude one, in the bins looked at, shape (k, n)."""
        decays = self._through_histogram() if self.irf.size else self._through_gaussian()
        return jnp.stack([self._cut(d) for d in decays])

    def _through_histogram(self) -> Float[Array, "k n"]:
        step, tau = self.bin_ns, self.tau_ns[:, None]
        earliest = 0 if self.period_ns is None else -(self.bins - 1)
        lag = jnp.arange(earliest, self.bins)
        lost = -jnp.expm1(-step / tau)  # 1 - r
        weight = lost**2 * tau**2 / step
        later = jnp.where(lag > 0, jnp.exp(-(jnp.maximum(lag, 1) - 1) * step / tau) * weight, 0.0)
        kernel = jnp.where(lag == 0, tau * (1 - lost * tau / step), later)
        if self.period_ns is not None:  # what is left of earlier pulses reaches every bin, also those before the pulse
            left = jnp.exp(-(self.period_ns + (lag - 1) * step) / tau)
            kernel = kernel + left * weight / -jnp.expm1(-self.period_ns / tau)
        size = _fast_length(2 * self.bins - 1 - earliest)
        spectrum = jnp.fft.rfft(kernel / step, size) * jnp.fft.rfft(self._moved_irf(), size)
        return jnp.fft.irfft(spectrum, size)[:, -earliest : self.bins - earliest]

    def _moved_irf(self) -> Float[Array, " n"]:
        """Return the response moved by `shift_ns`, by Keys' cubic interpolation between bins."""
        move = self.shift_ns / self.bin_ns
        whole = jnp.floor(move)
        f = move - whole
        source = jnp.arange(self.bins) - whole.astype(int) - 1
        taps = jnp.stack([source - 1, source, source + 1, source + 2])  # f = 0 lands on source + 1
        s = 1 - f
        weights = 0.5 * jnp.stack(
            [-s + 2 * s**2 - s**3, 2 - 5 * s**2 + 3 * s**3, s + 4 * s**2 - 3 * s**3, -(s**2) + s**3]
        )
        inside = (taps >= 0) & (taps < self.bins)
        values = jnp.where(inside, self.irf[jnp.clip(taps, 0, self.bins - 1)], 0.0)
        return weights @ values

    def _edges(self) -> Float[Array, " n+1"]:
        return self.start_ns + jnp.arange(self.bins + 1) * self.bin_ns - self.shift_ns

    def _through_gaussian(self) -> Float[Array, "k n"]:
        sigma, tau = self.irf_fwhm_ns / FWHM_PER_SIGMA, self.tau_ns[:, None]
        edge = self._edges()
        # tau [Phi(z) - exp(s^2/2tau^2 - t/tau) Phi(z - s/tau)] is the integral of the decay up to t.
        exponent = 0.5 * (sigma / tau) ** 2 - edge / tau
        decayed = jnp.exp(exponent + log_ndtr(edge / sigma - sigma / tau))
        total = tau * (jnp.exp(log_ndtr(edge / sigma)) - decayed)
        if self.period_ns is not None:
            total -= tau * jnp.exp(exponent - self.period_ns / tau) / -jnp.expm1(-self.period_ns / tau)
        return jnp.diff(total, axis=1) / self.bin_ns

    def _scattered(self) -> Float[Array, " n"]:
        if self.irf.size:
            return self.scatter * self._moved_irf()
        return self.scatter * jnp.diff(jnp.exp(log_ndtr(self._edges() * FWHM_PER_SIGMA / self.irf_fwhm_ns)))

    def expected(self) -> Float[Array, " n"]:
        """Return the expected counts in each bin looked at, shape (n,)."""
        total = jnp.sum(self._decays(), axis=0) + self._scattered() + self.background
        return jnp.maximum(self._cut(total), 1e-9)  # the FFT and Keys' cubic may dip below zero by rounding

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return each exponential, the background and, where there is any, the scattered light."""
        parts = {f"decay_{i + 1}": self._cut(d) for i, d in enumerate(self._decays())}
        parts["background"] = jnp.full_like(parts["decay_1"], self.background)
        return parts | {"scatter": self._cut(self._scattered())}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return both mean lifetimes, the shares, and the trapping model's rates where asked for."""
        a, tau = self.amplitude, self.tau_ns
        found = {
            "tau_mean_amplitude": jnp.sum(a * tau) / jnp.sum(a),
            "tau_mean_intensity": jnp.sum(a * tau**2) / jnp.sum(a * tau),
        }
        for i in range(a.shape[-1] if a.shape[-1] > 1 else 0):
            found[f"fraction_{i + 1}"] = a[i] / jnp.sum(a)
            found[f"intensity_fraction_{i + 1}"] = a[i] * tau[i] / jnp.sum(a * tau)
        if self.rates and a.shape[-1] == 2:
            fast = jnp.argmin(tau)
            high, low, share = 1 / tau[fast], 1 / tau[1 - fast], a[fast] / jnp.sum(a)
            back = high - share * (high - low)
            found["k_radiative"] = high * low / back
            found["k_trapping"] = high + low - found["k_radiative"] - back
            found["k_detrapping"] = back
        return found

    def respond(self, state: Any) -> Self:
        """Return the decay of a specimen; the counts of all its exponentials together stay as they are.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with two exponentials.

        Source: the trapping/detrapping picture of Chirvony 2017.
        """
        k_r = parameter_value("CsPbBr3.radiative_rate")
        k_d = parameter_value("CsPbBr3.detrapping_rate")
        k_t, k_x = state.trap_ratio * k_r, state.loss_ratio * k_r
        half_sum = 0.5 * (k_r + k_t + k_d + k_x)
        # The discriminant in a form that cannot cancel: ((kr + kt - kd - kx)/2)^2 + kt kd.
        root = jnp.sqrt((0.5 * (k_r + k_t - k_d - k_x)) ** 2 + k_t * k_d)
        high = half_sum + root
        low = (k_r * k_d + (k_r + k_t) * k_x) / high  # the product of the eigenvalues is the determinant
        share = (high - k_d - k_x) / (2 * root)
        return replace(
            self,
            tau_ns=jnp.stack([1 / high, 1 / low]),
            amplitude=jnp.sum(self.amplitude) * jnp.stack([share, 1 - share]),
        )


def _fast_length(least: int) -> int:
    """Return the next length that the FFT likes (a product of 2, 3 and 5)."""
    size = least
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1
