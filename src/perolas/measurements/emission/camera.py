r"""What a spectrometer with a camera sees of a pumped film: photoluminescence, a narrowed band, sharp peaks.

Carriers n (over those of threshold) and stimulated over spontaneous emission :math:`\beta s` come from
`perolas.laser.rate` or from its exact steady state. Light at wavelength l, for each nm and in units of the mode's
scale,

.. math:: \beta s \, [(1 - f \sigma) B_n(l) + f \sigma \sum_k a_k V(l - l_k)] + S n B_0(l), \quad
          \sigma = \frac{\beta s}{1 + \beta s}

with the band that gain along a path narrows, :math:`B_n \propto B_0 (e^u - 1)/u`, :math:`u = G n g(l)`, G the gain of
the path at threshold (its exponent), g a Gaussian of height one; f the share of stimulated light that feedback puts
into modes l_k; S the spontaneous light beside. The spectrometer adds its own Gaussian width; the camera has an offset,
electrons for each count, readout noise and a full scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.units import FWHM_PER_SIGMA
from perolas.laser.rate import RateModel, Steady
from perolas.measurements.emission.model import stimulated
from perolas.measurements.lineshapes import voigt

_voigt = jax.jit(voigt)


@dataclass(frozen=True)
class Camera:
    """A spectrometer with a camera.

    Attributes:
        resolution_nm: full width of the spectrometer's own (Gaussian) line.
        offset_counts: counts of a pixel without light.
        gain_e_per_count: electrons for each count.
        readout_counts: standard deviation of the readout.
        saturation_counts: full scale.
        numerical_aperture: of the collecting lens, in air.
        transmission: from film to camera.
        quantum_efficiency: electrons for each photon on the camera.
    """

    resolution_nm: float = 0.2
    offset_counts: float = 100.0
    gain_e_per_count: float = 1.0
    readout_counts: float = 3.0
    saturation_counts: float = 65535.0
    numerical_aperture: float = 0.4
    transmission: float = 0.3
    quantum_efficiency: float = 0.7

    def __post_init__(self) -> None:
        """Refuse a camera that cannot be."""
        for name in ("resolution_nm", "gain_e_per_count", "saturation_counts", "transmission", "quantum_efficiency"):
            check.positive(getattr(self, name), name)
        check.positive(self.offset_counts, "offset_counts", zero=True)
        check.positive(self.readout_counts, "readout_counts", zero=True)
        if not 0 < self.numerical_aperture <= 1 or self.transmission > 1 or self.quantum_efficiency > 1:
            raise InputError("Numerical aperture, transmission and quantum efficiency lie above 0 and are at most 1.")

    @property
    def counts_per_photon(self) -> float:
        """Counts for each photon that leaves the film into the full sphere."""
        solid_angle = 0.5 * (1.0 - math.sqrt(1.0 - self.numerical_aperture**2))
        return solid_angle * self.transmission * self.quantum_efficiency / self.gain_e_per_count

    def expose(self, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return counts as read out, whole and cut at the full scale.

        Args:
            light: any shape, expected counts of each pixel without the offset.
            rng: of the noise.

        Returns:
            The same shape.
        """
        electrons = rng.poisson(np.clip(light, 0.0, 1e12 / self.gain_e_per_count) * self.gain_e_per_count)
        counts = electrons / self.gain_e_per_count + self.offset_counts
        counts = counts + self.readout_counts * rng.standard_normal(light.shape)
        return np.clip(np.rint(counts), 0.0, self.saturation_counts)


@dataclass(frozen=True)
class Light:
    """The light of a pumped film.

    Attributes:
        centre_nm, width_nm: of the photoluminescence, full width.
        gain_nm, gain_width_nm: of the gain, full width.
        gain_path: exponent of the gain along the path at threshold; the larger, the narrower the band.
        feedback: share of the stimulated light in sharp peaks, 0 to 1.
        modes_nm: where the peaks stand.
        strengths: of each, any unit.
        mode_width_nm: full width of a peak (Lorentzian).
        spontaneous: light beside the mode for each threshold's worth of pump, over the scale of the mode.
    """

    centre_nm: float = 530.0
    width_nm: float = 18.0
    gain_nm: float = 534.0
    gain_width_nm: float = 12.0
    gain_path: float = 8.0
    feedback: float = 0.0
    modes_nm: np.ndarray = field(default_factory=lambda: np.zeros(0))
    strengths: np.ndarray = field(default_factory=lambda: np.zeros(0))
    mode_width_nm: float = 0.1
    spontaneous: float = 0.0

    def __post_init__(self) -> None:
        """Refuse light that cannot be."""
        for name in ("centre_nm", "width_nm", "gain_nm", "gain_width_nm", "mode_width_nm"):
            check.positive(getattr(self, name), name, "nm")
        if not 0 <= self.feedback <= 1 or self.gain_path < 0 or self.spontaneous < 0:
            raise InputError("Feedback lies between 0 and 1; gain and the light beside are not negative.")
        if np.shape(self.modes_nm) != np.shape(self.strengths):
            raise InputError("Each mode needs a strength.")


def random_modes(light: Light, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return places under the gain and strengths (exponentially distributed) of so many modes."""
    band = min(light.gain_width_nm, light.width_nm) / FWHM_PER_SIGMA / math.sqrt(max(light.gain_path / 2.0, 1.0))
    return np.sort(light.gain_nm + band * rng.standard_normal(count)), rng.exponential(size=count)


def spectrum(
    light: Light, wavelength_nm: ArrayLike, carriers: ArrayLike, mode: ArrayLike, camera: Camera | None = None
) -> np.ndarray:
    """Return the light of each pixel, in units of the mode's scale.

    Args:
        light: of the film.
        wavelength_nm: shape (n,), equally spaced.
        carriers: shape (b,) or scalar, over those of threshold.
        mode: like the carriers, beta s.
        camera: whose resolution blurs it; None: none.

    Returns:
        Shape (b, n), or (n,): its sum is the light that the camera collects.

    Raises:
        InputError: a wavelength axis that does not rise or fall.
    """
    nm = check.axis(wavelength_nm, "wavelength")
    n, stim = np.atleast_1d(np.asarray(carriers, float))[:, None], np.atleast_1d(np.asarray(mode, float))[:, None]
    pixel = np.abs(np.gradient(nm))
    resolution = 1e-6 if camera is None else camera.resolution_nm
    plain = np.exp(-0.5 * ((nm - light.centre_nm) * FWHM_PER_SIGMA / light.width_nm) ** 2)
    gain = light.gain_path * n * np.exp(-0.5 * ((nm - light.gain_nm) * FWHM_PER_SIGMA / light.gain_width_nm) ** 2)
    band = plain * np.where(gain > 1e-9, np.expm1(gain) / np.maximum(gain, 1e-9), 1.0)
    bands = stim * _unit(band, pixel)
    if light.feedback > 0 and np.size(light.modes_nm):
        into = light.feedback * stim / (1.0 + stim)
        away = jnp.asarray(nm - np.asarray(light.modes_nm)[:, None])
        rows = _voigt(away, jnp.asarray(resolution), jnp.asarray(light.mode_width_nm))
        lines = np.asarray(light.strengths, float) @ np.asarray(rows) / max(float(np.sum(light.strengths)), 1e-300)
        bands = bands * (1.0 - into)
        sharp = stim * into * lines * pixel
    else:
        sharp = np.zeros_like(bands)
    bands = bands + light.spontaneous * n * _unit(plain[None], pixel)
    total = (_blurred(bands, nm, resolution) if camera is not None else bands) + sharp
    return total if np.ndim(carriers) else total[0]


def from_rate(
    light: Light, wavelength_nm: ArrayLike, model: RateModel, state: Steady, camera: Camera | None = None
) -> np.ndarray:
    """Return the light of each pixel for steady states of the rate equations; arguments and result as for `spectrum`.

    Args:
        light: of the film.
        wavelength_nm: shape (n,), nm.
        model: the constants.
        state: of `perolas.laser.rate.steady_state`, shape (b,).
        camera: whose resolution blurs it.

    Returns:
        Shape (b, n).
    """
    carriers = np.asarray(state.carriers / model.threshold_carriers)
    return spectrum(light, wavelength_nm, carriers, np.asarray(model.beta * state.photons), camera)


def steady(pump: ArrayLike, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return carriers over those of threshold, and beta s, of the exact steady state at pumps over threshold's."""
    p = jnp.asarray(np.asarray(pump, float))
    mode = np.asarray(stimulated(p, jnp.asarray(beta)))
    return np.asarray(p) / (1.0 + mode), mode


def _unit(shape: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    weighted = shape * pixel
    return np.asarray(weighted / np.maximum(weighted.sum(axis=-1, keepdims=True), 1e-300))


def _blurred(rows: np.ndarray, nm: np.ndarray, resolution_nm: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    step = abs(float(nm[-1] - nm[0])) / (nm.size - 1)
    return np.asarray(gaussian_filter1d(rows, resolution_nm / FWHM_PER_SIGMA / step, axis=-1, mode="nearest"))
