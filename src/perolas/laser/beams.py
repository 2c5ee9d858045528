r"""Spots and pulses: from the energy of a pulse to fluence, and how much a pulse is worth to a two-photon process.

A spot is given by one of its usual sizes; its fluence is meant at the centre (peak) unless the mean is asked for. For
the Gaussian :math:`F(r) = F_0 \exp(-2 r^2 / w^2)` with energy E, :math:`F_0 = 2E / (\pi w^2)`; the mean over the
circle of the :math:`1/e^2` diameter is taken as :math:`E / (\pi w^2) = F_0 / 2`, as is usual (86.5 % of the energy
lies within).

What a pulse is worth to two photons is :math:`\int I^2 dt / (\int I dt)^2`, an inverse time. It is 0.664/t for a
Gaussian of full width t at half maximum, 0.588/t for sech^2, 1/t for a rectangle, and falls when the pulse is chirped
(Siegman, Lasers, 1986, chapters 9 and 17; Diels and Rudolph, Ultrashort Laser Pulse Phenomena, 2006, chapter 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter.optics import door, refractive_index

_LN2 = math.log(2.0)
# What a spot's size may mean -> its area in the sense energy / peak fluence, for size 1 (a diameter, but for "radius").
_SPOTS: dict[str, tuple[float, str]] = {
    "1/e2 diameter": (math.pi / 8.0, "Gaussian, full width at 1/e^2 (13.5 %) of the peak; D4sigma is the same"),
    "1/e2 radius": (math.pi / 2.0, "Gaussian, half width at 1/e^2 of the peak (w)"),
    "fwhm": (math.pi / (4.0 * _LN2), "Gaussian, full width at half of the peak"),
    "1/e diameter": (math.pi / 4.0, "Gaussian, full width at 1/e (36.8 %) of the peak"),
    "top hat": (math.pi / 4.0, "the same fluence everywhere in a circle of this diameter"),
}
SPOTS = tuple(_SPOTS)
PULSES = ("gaussian", "sech2", "square")
FLUENCES = ("peak", "mean")


@dataclass(frozen=True)
class Spot:
    """A spot on the sample.

    Attributes:
        size_um: its size, in the sense of `kind`, um.
        kind: one of `SPOTS`.
        second_um: the size along the other axis of an ellipse; None: round.
        angle_deg: angle of incidence, which stretches the spot.
    """

    size_um: float
    kind: str = "1/e2 diameter"
    second_um: float | None = None
    angle_deg: float = 0.0

    def __post_init__(self) -> None:
        check.positive(self.size_um, "spot", "um")
        check.one_of(self.kind, SPOTS, "The kind of spot")
        if self.second_um is not None:
            check.positive(self.second_um, "spot", "um")
        if not 0.0 <= self.angle_deg <= 85.0:
            raise InputError(f"The angle of incidence must lie between 0 and 85 deg, but is {self.angle_deg:g} deg.")

    @property
    def effective_area_cm2(self) -> float:
        """Energy over peak fluence, cm2."""
        other = self.size_um if self.second_um is None else self.second_um
        square_cm2 = self.size_um * other * 1e-8 / math.cos(math.radians(self.angle_deg))
        return _SPOTS[self.kind][0] * square_cm2

    @property
    def is_top_hat(self) -> bool:
        """Tell whether the fluence is the same everywhere."""
        return self.kind == "top hat"

    @property
    def lit_diameter_um(self) -> float:
        """Diameter of the circle that is called the spot: the rim of a top hat, 1/e^2 of a Gaussian (longer axis)."""
        area = _SPOTS[self.kind][0] * max(self.size_um, self.second_um or 0.0) ** 2
        across = math.sqrt(area * (4.0 if self.is_top_hat else 8.0) / math.pi)
        return across / math.cos(math.radians(self.angle_deg))

    def fluence_uj_cm2(self, energy_uj: float, which: str = "peak") -> float:
        """Return the fluence of a pulse.

        Args:
            energy_uj: of the pulse at the sample, uJ.
            which: ``"peak"``, or ``"mean"`` over the spot (half of it for a Gaussian, the same for a top hat).

        Returns:
            uJ/cm2.

        Raises:
            InputError: an energy that is not positive, or an unknown word.
        """
        peak = check.positive(energy_uj, "pulse energy", "uJ") / self.effective_area_cm2
        return peak / self.peak_over(which)

    def peak_over(self, which: str) -> float:
        """Return the peak fluence over the one that `which` names."""
        return 2.0 if check.one_of(which, FLUENCES, "The fluence") == "mean" and not self.is_top_hat else 1.0


def spot_meanings() -> dict[str, str]:
    """Return what each kind of spot means, in words."""
    return {name: words for name, (_, words) in _SPOTS.items()}


def stretched_fs(duration_fs: ArrayLike, gdd_fs2: ArrayLike) -> Float[Array, "..."]:
    """Return the length of a Gaussian pulse after glass: t sqrt(1 + (4 ln2 GDD / t^2)^2).

    Args:
        duration_fs: full width at half maximum before, unchirped, any shape, fs.
        gdd_fs2: group delay dispersion, broadcast, fs2.

    Returns:
        Full width at half maximum, fs. Source: Siegman, Lasers, 1986, eq. 9.24 and following.

    Raises:
        InputError: a length that is not positive.
    """
    t = door.positive(duration_fs, "pulse length", "fs")
    return t * jnp.sqrt(1.0 + (4.0 * _LN2 * door.array(gdd_fs2) / t**2) ** 2)


def glass_dispersion_fs2(material: str, wavelength_nm: float, thickness_mm: float) -> float:
    """Return the group delay dispersion of a plate, from the second derivative of its refractive index.

    Args:
        material: a transparent material of `perolas.matter.optics.materials` with a formula, e.g. ``"fused silica"``.
        wavelength_nm: vacuum wavelength, nm.
        thickness_mm: of the plate, mm.

    Returns:
        GDD in fs2: lambda^3 / (2 pi c^2) d2n/dlambda2 times the thickness.

    Raises:
        InputError: an unknown material, a wavelength outside its range, or a negative thickness.
    """
    refractive_index(material, wavelength_nm)  # checks
    curvature = jax.grad(jax.grad(lambda nm: refractive_index(material, nm).real))(float(wavelength_nm))
    per_nm = wavelength_nm**3 / (2.0 * math.pi * units.SPEED_OF_LIGHT_NM_FS**2) * float(curvature)
    return per_nm * check.positive(thickness_mm, "thickness", "mm", zero=True) * 1e6


def two_photon_worth_per_fs(shape: str, duration_fs: ArrayLike, gdd_fs2: ArrayLike = 0.0) -> Float[Array, "..."]:
    """Return the integral of I^2 over the square of the integral of I.

    Args:
        shape: ``"gaussian"``, ``"sech2"`` or ``"square"``.
        duration_fs: full width at half maximum before any chirp, any shape, fs.
        gdd_fs2: group delay dispersion on the way to the sample, broadcast, fs2.

    Returns:
        1/fs, of the broadcast shape. A chirped sech^2 pulse is worked out by Fourier transform.

    Raises:
        InputError: an unknown shape, a length that is not positive, or a chirped rectangle (its spectrum has no end).
    """
    check.one_of(shape, PULSES, "The pulse shape")
    t, gdd = jnp.broadcast_arrays(door.positive(duration_fs, "pulse length", "fs"), door.array(gdd_fs2))
    if shape == "gaussian":
        return math.sqrt(2.0 * _LN2 / math.pi) / stretched_fs(t, gdd)
    if shape == "square":
        if not isinstance(gdd, jax.core.Tracer) and bool(jnp.any(gdd != 0.0)):
            raise InputError('A chirped pulse must be "gaussian" or "sech2": the spectrum of a rectangle has no end.')
        return 1.0 / t
    ratio = jnp.vectorize(_chirped_sech2)(gdd / t**2)
    return ratio / t


_SECH2_WIDTH = 2.0 * math.acosh(math.sqrt(2.0))  # full width of sech^2(x) at half maximum
_SAMPLES = 16384
_FAR = 100.0  # chirped beyond this, the pulse is its own spectrum to 3e-5


def _chirped_sech2(relative: Float[Array, ""]) -> Float[Array, ""]:
    """Return int I^2 / (int I)^2 of a sech^2 pulse of length 1 after a GDD (in units of length^2)."""
    size = jnp.abs(relative)
    near = jnp.minimum(size, _FAR)
    step = 24.0 * (1.0 + near) / _SAMPLES  # frequencies reach about 10 / length, and each is delayed by GDD times it
    time = (jnp.arange(_SAMPLES) - _SAMPLES // 2) * step
    field = 1.0 / jnp.cosh(jnp.clip(_SECH2_WIDTH * time, -300.0, 300.0))
    omega = 2.0 * jnp.pi * jnp.fft.fftfreq(_SAMPLES) / step
    out = jnp.abs(jnp.fft.ifft(jnp.fft.fft(field) * jnp.exp(0.5j * near * omega**2))) ** 2
    found = jnp.sum(out**2) / (jnp.sum(out) ** 2 * step)
    far = math.pi / (6.0 * _SECH2_WIDTH) / jnp.maximum(size, 1.0)  # from the spectrum sech^2(pi omega / (2 width))
    return jnp.where(size > _FAR, far, found)


def profile(spot: Spot) -> Callable[[ArrayLike], Float[np.ndarray, "..."]]:
    """Return the fluence of a round spot against radius, 1 at the centre.

    Args:
        spot: the spot.

    Returns:
        A function of the radius in um.

    Raises:
        InputError: the spot is an ellipse.
    """
    if spot.second_um not in (None, spot.size_um) or spot.angle_deg:
        raise InputError("The profile against radius is that of a round spot; this one is an ellipse.")
    area_um2 = spot.effective_area_cm2 * 1e8

    def at(radius_um: ArrayLike) -> Float[np.ndarray, "..."]:
        square = np.asarray(radius_um, dtype=float) ** 2 * math.pi / area_um2
        return np.where(square <= 1.0, 1.0, 0.0) if spot.is_top_hat else np.exp(-square)

    return at
