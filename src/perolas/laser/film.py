r"""A film of nanocrystals as a scattering medium: index, mean free path, and what leaks into the substrate.

**Index.** Grains of index n_g at a filling f in a host n_h: Maxwell Garnett (grains in a host) or Bruggeman (both
alike).

**Mean free path.** Spheres of number density rho scatter a share :math:`d\sigma/d\Omega` (Mie) into each direction;
packed spheres interfere, which the structure factor S of hard spheres counts (Percus and Yevick):

.. math:: 1/l_s = \rho \int \frac{d\sigma}{d\Omega} S(q)\, d\Omega, \qquad
          1/l_t = \rho \int \frac{d\sigma}{d\Omega} S(q) (1 - \cos\theta)\, d\Omega .

Grains of 20 nm hardly scatter, and packed they do so even less; feedback needs aggregates, roughness or edges.

**Leakage.** A film on silicon guides nothing: silicon has the higher index. Its modes leak, and the loss is twice the
imaginary part of the mode's wave vector, from :math:`r_{top} r_{bottom} \exp(2 i \kappa d) = 1`.

The Mie series is short and rests on scipy's Bessel functions; miepython, which needs a compiler of its own (numba), is
the referee in the tests. Sources: Bohren and Huffman, Absorption and Scattering of Light by Small Particles, 1983,
chapters 4 and 8; Wertheim, Phys. Rev. Lett. 1963, 10, 321; Fraden and Maret, Phys. Rev. Lett. 1990, 65, 512.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import spherical_jn, spherical_yn

from perolas.core import check
from perolas.core.errors import FitError, InputError

MIXING = ("maxwell garnett", "bruggeman")
POLARISATIONS = ("TE", "TM")
_LARGEST = 200.0  # size parameter up to which the series is summed here
_ANGLES = 400
_PACKED = 0.64  # random close packing of spheres, beyond which hard spheres say nothing


def effective_index(filling: float, grain_index: complex, host_index: complex, rule: str = "bruggeman") -> complex:
    """Return the index of a mixture with grains much smaller than the wavelength.

    Args:
        filling: volume share of the grains, 0 to 1.
        grain_index: n + ik of the grains.
        host_index: n + ik of what is between them.
        rule: ``"maxwell garnett"`` or ``"bruggeman"``.

    Returns:
        n + ik. Source: Bohren and Huffman 1983, 8.5.

    Raises:
        InputError: a filling outside 0 to 1, or an unknown rule.
    """
    check.one_of(rule, MIXING, "The mixing rule")
    f = _share(filling, 1.0)
    grain, host = complex(grain_index) ** 2, complex(host_index) ** 2
    if rule == "maxwell garnett":
        contrast = (grain - host) / (grain + 2.0 * host)
        return cmath.sqrt(host * (1.0 + 2.0 * f * contrast) / (1.0 - f * contrast))
    b = (3.0 * f - 1.0) * grain + (2.0 - 3.0 * f) * host
    root = cmath.sqrt(b * b + 8.0 * grain * host)
    roots = [cmath.sqrt(0.25 * (b + sign * root)) for sign in (1.0, -1.0)]
    return max(roots, key=lambda n: n.real)


def _share(filling: float, most: float) -> float:
    f = check.positive(filling, "filling", zero=True)
    if f > most:
        raise InputError(f'Argument "filling" must lie between 0 and {most:g}, but is {f:g}.')
    return f


@dataclass(frozen=True)
class Scatterer:
    """How one sphere scatters.

    Attributes:
        extinction, scattering: efficiencies, cross-section over pi r^2.
        asymmetry: mean cosine of the scattering angle.
        coefficients: a_n and b_n, shape (2, n).
        size_parameter: x = 2 pi n_host r / lambda.
    """

    extinction: float
    scattering: float
    asymmetry: float
    coefficients: Complex[np.ndarray, "2 n"]
    size_parameter: float

    def phase(self, cosine: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Return the unpolarised intensity, the mean of the squares of S1 and S2, against the cosine of the angle."""
        mu = np.asarray(cosine, dtype=float)
        a, b = self.coefficients
        before, pi = np.zeros_like(mu), np.ones_like(mu)
        s1, s2 = np.zeros(mu.shape, complex), np.zeros(mu.shape, complex)
        for n in range(1, a.size + 1):
            tau = n * mu * pi - (n + 1) * before
            weight = (2 * n + 1) / (n * (n + 1))
            s1 += weight * (a[n - 1] * pi + b[n - 1] * tau)
            s2 += weight * (a[n - 1] * tau + b[n - 1] * pi)
            before, pi = pi, ((2 * n + 1) * mu * pi - (n + 1) * before) / n
        return 0.5 * (np.abs(s1) ** 2 + np.abs(s2) ** 2)


def mie(diameter_nm: float, index: complex, host_index: float, wavelength_nm: float) -> Scatterer:
    """Return how a sphere scatters.

    Args:
        diameter_nm: of the sphere, nm.
        index: n + ik of the sphere.
        host_index: real index around it.
        wavelength_nm: vacuum wavelength, nm.

    Returns:
        The scatterer. Source: Bohren and Huffman 1983, 4.3-4.4.

    Raises:
        InputError: a value that is not positive, or a sphere too large for the series (x above 200).
    """
    around = check.positive(host_index, "index of the host")
    radius = 0.5 * check.positive(diameter_nm, "diameter", "nm")
    x = 2.0 * math.pi * around * radius / check.positive(wavelength_nm, "wavelength", "nm")
    if x > _LARGEST:
        raise InputError(f"A sphere of {diameter_nm:g} nm is too large for the Mie series here (x = {x:.0f} > 200).")
    m = complex(index) / around
    n = np.arange(1, math.ceil(x + 4.05 * x ** (1.0 / 3.0) + 2.0) + 1)
    inside, outside = spherical_jn(n, m * x), spherical_jn(n, x)
    hankel = outside + 1j * spherical_yn(n, x)
    d_inside = inside + m * x * spherical_jn(n, m * x, derivative=True)  # derivative of z j(z)
    d_outside = outside + x * spherical_jn(n, x, derivative=True)
    d_hankel = hankel + x * (spherical_jn(n, x, derivative=True) + 1j * spherical_yn(n, x, derivative=True))
    a = (m * m * inside * d_outside - outside * d_inside) / (m * m * inside * d_hankel - hankel * d_inside)
    b = (inside * d_outside - outside * d_inside) / (inside * d_hankel - hankel * d_inside)
    extinction = 2.0 / x**2 * float(np.sum((2 * n + 1) * (a + b).real))
    scattering = 2.0 / x**2 * float(np.sum((2 * n + 1) * (np.abs(a) ** 2 + np.abs(b) ** 2)))
    low = n[:-1]
    forward = np.sum(low * (low + 2) / (low + 1) * (a[:-1] * a[1:].conj() + b[:-1] * b[1:].conj()).real)
    forward += np.sum((2 * n + 1) / (n * (n + 1)) * (a * b.conj()).real)
    return Scatterer(extinction, scattering, 4.0 / x**2 * float(forward) / scattering, np.stack([a, b]), x)


def structure_factor(wave_vector_diameter: Float[np.ndarray, " m"], filling: float) -> Float[np.ndarray, " m"]:
    """Return the structure factor of hard spheres.

    Args:
        wave_vector_diameter: q times the diameter, shape (m,).
        filling: volume share of the spheres, up to 0.64.

    Returns:
        S, shape (m,). Source: Wertheim 1963 (Percus and Yevick).

    Raises:
        InputError: a filling outside 0 to 0.64.
    """
    f = _share(filling, _PACKED)
    y = np.atleast_1d(np.asarray(wave_vector_diameter, dtype=float))
    alpha = (1.0 + 2.0 * f) ** 2 / (1.0 - f) ** 4
    beta = -6.0 * f * (1.0 + 0.5 * f) ** 2 / (1.0 - f) ** 4
    gamma = 0.5 * f * alpha
    z = np.maximum(np.abs(y), 0.05)  # below that by the series
    s, c = np.sin(z), np.cos(z)
    moments = (
        alpha * (s - z * c) / z**3
        + beta * (2.0 * z * s + (2.0 - z**2) * c - 2.0) / z**4
        + gamma * (-(z**4) * c + 4.0 * ((3.0 * z**2 - 6.0) * c + (z**3 - 6.0 * z) * s + 6.0)) / z**6
    )
    near = alpha / 3.0 + beta / 4.0 + gamma / 6.0 - y**2 * (alpha / 30.0 + beta / 36.0 + gamma / 48.0)
    return 1.0 / (1.0 + 24.0 * f * np.where(np.abs(y) < 0.05, near, moments))


@cache
def _nodes(count: int) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    return np.polynomial.legendre.leggauss(count)


@dataclass(frozen=True)
class MeanFreePath:
    """Scattering and transport mean free path, um, and the mean cosine of what is scattered."""

    scattering_um: float
    transport_um: float
    asymmetry: float


def mean_free_path(
    diameter_nm: float,
    filling: float,
    index: complex,
    host_index: float,
    wavelength_nm: float,
    packed: bool = True,
) -> MeanFreePath:
    """Return the mean free paths of a film of spheres (for a cube: the sphere of the same volume).

    Args:
        diameter_nm: of the spheres, nm: grains, or aggregates of them with their own effective index.
        filling: volume share of the spheres.
        index: n + ik of the spheres.
        host_index: real index around them.
        wavelength_nm: vacuum wavelength, nm.
        packed: count the interference of packed spheres; False: as if each stood alone.

    Returns:
        The mean free paths. Source: Fraden and Maret 1990.

    Raises:
        InputError: as for `mie` and `structure_factor`, or no spheres.
    """
    f = _share(filling, _PACKED)
    if f == 0.0:
        raise InputError("Without spheres nothing scatters; the filling must be above 0.")
    sphere = mie(diameter_nm, index, host_index, wavelength_nm)
    nodes, weights = _nodes(max(_ANGLES, 4 * math.ceil(sphere.size_parameter)))
    k = 2.0 * math.pi * host_index / wavelength_nm
    q = 2.0 * k * np.sqrt(0.5 * (1.0 - nodes))
    differential = sphere.phase(nodes) / k**2  # nm2 for each steradian
    if packed:
        differential = differential * structure_factor(q * diameter_nm, f)
    density = f / (math.pi / 6.0 * diameter_nm**3)
    total = 2.0 * math.pi * float(np.sum(weights * differential)) * density
    back = 2.0 * math.pi * float(np.sum(weights * differential * (1.0 - nodes))) * density
    return MeanFreePath(1e-3 / total, 1e-3 / back, 1.0 - back / total)


@dataclass(frozen=True)
class LeakyMode:
    """A mode of a film: its effective index (complex) and its loss, cm-1."""

    index: complex
    loss_cm1: float


def leaky_mode(
    thickness_nm: float,
    film_index: complex,
    substrate_index: complex,
    wavelength_nm: float,
    polarisation: str = "TE",
    order: int = 0,
) -> LeakyMode:
    """Return a mode of a film between air and a substrate of higher index, into which it leaks.

    Args:
        thickness_nm: of the film, nm.
        film_index: n + ik of the film; with k = 0 the loss is that of leakage alone.
        substrate_index: n + ik of the substrate, n above that of the film.
        wavelength_nm: vacuum wavelength, nm.
        polarisation: ``"TE"`` or ``"TM"``.
        order: 0, 1, ...

    Returns:
        The mode, decaying in air and leaving into the substrate.

    Raises:
        InputError: a value that cannot be, a substrate that does not draw light, or an order that the film is too thin
            for.
        FitError: the mode was not found.
    """
    check.one_of(polarisation, POLARISATIONS, "The polarisation")
    d = check.positive(thickness_nm, "film thickness", "nm")
    k0 = 2.0 * math.pi / check.positive(wavelength_nm, "wavelength", "nm")
    n, below = complex(film_index), complex(substrate_index)
    if below.real <= n.real:
        raise InputError("The substrate must have a higher index than the film; otherwise the film guides.")

    def wave(medium: complex, beta: complex) -> complex:  # across the film: leaving (real part) or decaying
        k = cmath.sqrt((k0 * medium) ** 2 - beta**2)
        return k if k.real > abs(k.imag) or k.imag > 0 else -k

    def mismatch(kappa: complex) -> complex:
        beta = cmath.sqrt((k0 * n) ** 2 - kappa**2)
        over, under = wave(1.0, beta), wave(below, beta)
        share = (n**2, (n / below) ** 2) if polarisation == "TM" else (1.0, 1.0)
        top = (kappa - over * share[0]) / (kappa + over * share[0])
        bottom = (kappa - under * share[1]) / (kappa + under * share[1])
        # Both faces turn the field by about pi; -1j keeps the logarithm away from its cut.
        phase = cmath.log(-top * -1j) / 1j + 0.5 * math.pi + cmath.log(-bottom) / 1j
        return 2.0 * kappa * d + phase - 2.0 * math.pi * (order + 1)

    first = complex(math.pi * (order + 0.8) / d, 0.0)
    if first.real * (order + 0.5) / (order + 0.8) >= k0 * math.sqrt(max(n.real**2 - 1.0, 0.0)):
        raise InputError(f"A film of {thickness_nm:g} nm is too thin for a {polarisation}{order} mode.")
    a, b = first, 1.05 * first - 1e-2j * first.real
    fa, fb = mismatch(a), mismatch(b)
    for _ in range(100):
        if abs(b - a) < 1e-13 * abs(b) or fb == fa:
            break
        a, b, fa = b, b - fb * (b - a) / (fb - fa), fb
        fb = mismatch(b)
    found = cmath.sqrt((k0 * n) ** 2 - b**2) / k0
    if abs(fb) > 1e-8 or not 1.0 < found.real < n.real:
        raise FitError(
            f"The {polarisation}{order} mode of a film of {thickness_nm:g} nm was not found; it may be too thin."
        )
    return LeakyMode(found, 2.0 * k0 * found.imag * 1e7)
