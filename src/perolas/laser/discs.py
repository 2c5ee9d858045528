r"""Light among parallel cylinders (discs in a plane): scattering by one, and the mean free path among many.

The field is along the cylinders (the polarisation in which it stays scalar). One of them scatters

.. math:: E_s = -\sum_n b_n i^n H_n(kr) e^{in\varphi}, \qquad
          Q_{sca} = \frac{2}{x} \sum_n |b_n|^2 , \quad x = \pi d n_h / \lambda ;

among hard discs of number density rho with the structure factor S

.. math:: 1/l_s = \rho \int \frac{d\sigma}{d\theta} S(q)\, d\theta, \qquad
          1/l_t = \rho \int \frac{d\sigma}{d\theta} S(q) (1 - \cos\theta)\, d\theta .

Sources: Bohren and Huffman, Absorption and Scattering of Light by Small Particles, 1983, 8.4 (case I, normal
incidence); Rosenfeld, Phys. Rev. A 1990, 42, 5978 (hard discs; its limits are tested); Fraden and Maret, Phys. Rev.
Lett. 1990, 65, 512.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import h1vp, hankel1, j0, j1, jv, jvp

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser.film import MeanFreePath

_DENSEST = 0.69  # where hard discs freeze
_LARGEST = 200.0


@dataclass(frozen=True)
class Cylinder:
    """How one cylinder scatters.

    Attributes:
        coefficients: `b_0, b_1, ...` of shape (n,); `b_(-n) = b_n`.
        size_parameter: x.
        wave_number: k in the host, 1/nm.
    """

    coefficients: Complex[np.ndarray, " n"]
    size_parameter: float
    wave_number: float

    def amplitude(self, angle: Float[np.ndarray, " m"]) -> Complex[np.ndarray, " m"]:
        """Return T(angle) = b_0 + 2 sum b_n cos(n angle), shape (m,)."""
        n = np.arange(1, self.coefficients.size)
        b = self.coefficients
        return np.asarray(b[0] + 2.0 * np.cos(np.asarray(angle)[..., None] * n) @ b[1:])

    def differential_nm(self, angle: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Return the width that scatters into each radian, ``2 |T|^2 / (pi k)``, shape (m,), nm."""
        return np.asarray(2.0 / (math.pi * self.wave_number) * np.abs(self.amplitude(angle)) ** 2)

    @property
    def scattering_nm(self) -> float:
        """Width that scatters, nm."""
        b = np.abs(self.coefficients) ** 2
        return float(4.0 / self.wave_number * (b[0] + 2.0 * b[1:].sum()))

    @property
    def extinction_nm(self) -> float:
        """Width that takes light away, nm."""
        b = self.coefficients.real
        return float(4.0 / self.wave_number * (b[0] + 2.0 * b[1:].sum()))


def cylinder(diameter_nm: float, index: complex, host_index: float, wavelength_nm: float) -> Cylinder:
    """Return how a cylinder scatters light whose field is along it.

    Args:
        diameter_nm: nm.
        index: n + ik of the cylinder.
        host_index: real index around it.
        wavelength_nm: vacuum wavelength, nm.

    Returns:
        The cylinder. Source: Bohren and Huffman 1983, 8.4.

    Raises:
        InputError: a value that is not positive, or a cylinder too large for the series (x above 200).
    """
    around = check.positive(host_index, "index of the host")
    k = 2.0 * math.pi * around / check.positive(wavelength_nm, "wavelength", "nm")
    x = 0.5 * k * check.positive(diameter_nm, "diameter", "nm")
    if x > _LARGEST:
        raise InputError(f"A cylinder of {diameter_nm:g} nm is too large for the series here (x = {x:.0f} > 200).")
    m = complex(index) / around
    n = np.arange(0, math.ceil(x + 4.05 * x ** (1.0 / 3.0) + 2.0) + 1)
    top = jv(n, m * x) * jvp(n, x) - m * jvp(n, m * x) * jv(n, x)
    bottom = jv(n, m * x) * h1vp(n, x) - m * jvp(n, m * x) * hankel1(n, x)
    return Cylinder(top / bottom, x, k)


def structure_factor(wave_vector_radius: Float[np.ndarray, " m"], filling: float) -> Float[np.ndarray, " m"]:
    """Return the structure factor of hard discs.

    Args:
        wave_vector_radius: q times the radius, shape (m,).
        filling: share of the area, up to 0.69, where they freeze.

    Returns:
        S, shape (m,). Source: Rosenfeld 1990.

    Raises:
        InputError: a filling outside 0 to 0.69.
    """
    f = check.positive(filling, "filling", zero=True)
    if f > _DENSEST:
        raise InputError(f'Argument "filling" must lie between 0 and {_DENSEST:g}, but is {f:g}.')
    x = np.maximum(np.abs(np.asarray(wave_vector_radius, dtype=float)), 1e-6)
    if f < 1e-6:
        return np.ones_like(x)
    chi, g = (1.0 + f) / (1.0 - f) ** 3, (1.0 - f) ** -1.5
    a = (1.0 + (2.0 * f - 1.0) * chi + 2.0 * f * g) / f
    b = ((1.0 - f) * chi - 1.0 - 3.0 * f * g) / f
    return np.asarray(1.0 / (1.0 + 4.0 * f * (a * (j1(x) / x) ** 2 + b * j0(x) * j1(x) / x + g * j1(2.0 * x) / x)))


def mean_free_path(
    diameter_nm: float,
    filling: float,
    index: complex,
    host_index: float,
    wavelength_nm: float,
    packed: bool = True,
) -> MeanFreePath:
    """Return the mean free paths of light among parallel cylinders, its field along them.

    Args:
        diameter_nm: of the cylinders, nm.
        filling: share of the area.
        index: n + ik of the cylinders.
        host_index: real index around them.
        wavelength_nm: vacuum wavelength, nm.
        packed: count the interference of discs that keep their distance; False: as if each stood alone.

    Returns:
        The mean free paths.

    Raises:
        InputError: as for `cylinder` and `structure_factor`, or no cylinders.
    """
    one = cylinder(diameter_nm, index, host_index, wavelength_nm)
    if not filling > 0.0:
        raise InputError("Without cylinders nothing scatters; the filling must be above 0.")
    count = max(512, 16 * one.coefficients.size)
    angle = (np.arange(count) + 0.5) * math.pi / count  # both sides alike
    each = one.differential_nm(angle)
    if packed:
        each = each * structure_factor(one.wave_number * diameter_nm * np.sin(0.5 * angle), filling)
    density = filling / (math.pi / 4.0 * diameter_nm**2)
    total = 2.0 * math.pi * float(each.mean()) * density
    back = 2.0 * math.pi * float((each * (1.0 - np.cos(angle))).mean()) * density
    return MeanFreePath(1e-3 / total, 1e-3 / back, 1.0 - back / total)
