"""From a crystal's potential to the image of a lens: differentiable in thickness, focus, tilt of the picture, strain.

Projected phase (phase-grating approximation): the electron wave behind a crystal of thickness t is

    psi(r) = exp(i s t (1 + i a) sum_g V_g exp(2 pi i g.r)),    s = 2 pi / (lambda E) (E0 + E) / (2 E0 + E),

the sum running over the zone at right angles to the beam. The lens multiplies its transform by

    T(g) = exp(-i chi) exp(-(pi lambda D g^2)^2 / 2) exp(-(pi alpha (Cs lambda^2 g^3 + z g))^2),
    chi = pi lambda z g^2 + pi Cs lambda^3 g^4 / 2,

z being the defocus (negative: underfocus), D the focal spread, alpha the convergence; the image is `|psi'|^2`. Partial
coherence as an envelope of the wave holds while the direct beam is the strongest.

Valid for thin crystals: propagation inside them is left out, so t must stay well below d^2 / lambda (43 nm for 0.29 nm
and 300 kV, 12 nm for 0.15 nm), and s t V_g below about 1 (some 20 nm of CsPbBr3). Spatial frequencies hold at any
thickness; contrasts beyond it do not.

Source: Kirkland, Advanced Computing in Electron Microscopy, chapters 3 and 5.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from numpy.typing import ArrayLike, NDArray

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter.crystal import Crystal
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.hrtem.planes import planes_of, potentials, reciprocal, scattering_factor

_REST_EV = (units.HC_EV_NM / (2.0 * np.pi)) ** 2 / (2.0 * units.HBAR2_PER_2ME_EV_NM2)
_POTENTIAL_V_NM2 = 4.0 * np.pi * units.HBAR2_PER_2ME_EV_NM2  # h^2 / (2 pi m e)
G_MAX_PER_NM = 15.0
_D_MAX_NM = 50.0


class Lens(NamedTuple):
    """A microscope's imaging.

    Attributes:
        voltage_kv: accelerating voltage.
        defocus_nm: negative for underfocus.
        cs_mm: spherical aberration.
        focal_spread_nm: standard deviation of the defocus.
        convergence_mrad: semi-angle of convergence.
        absorption: imaginary over real part of the potential.
    """

    voltage_kv: ArrayLike
    defocus_nm: ArrayLike
    cs_mm: ArrayLike
    focal_spread_nm: ArrayLike
    convergence_mrad: ArrayLike
    absorption: ArrayLike


class Zone(NamedTuple):
    """The beams of a crystal down a zone axis.

    Attributes:
        g_per_nm: shape (n, 2), in the picture's plane; the longest spacing lies along x.
        potential_v: shape (n,), complex, g = 0 included.
        hkl: shape (n, 3).
    """

    g_per_nm: NDArray[np.float64]
    potential_v: NDArray[np.complex128]
    hkl: NDArray[np.int64]


def lens(defocus_nm: ArrayLike | None = None, **given: ArrayLike) -> Lens:
    """Return a lens with the library's numbers; Scherzer's defocus, -1.2 sqrt(Cs lambda), unless another is given."""
    kv = given.get("voltage_kv", parameter_value("tem.high_voltage"))
    cs = given.get("cs_mm", parameter_value("tem.spherical_aberration"))
    scherzer = -1.2 * jnp.sqrt(jnp.asarray(cs) * 1e6 * wavelength_nm(kv))
    return Lens(
        kv,
        scherzer if defocus_nm is None else defocus_nm,
        cs,
        given.get("focal_spread_nm", parameter_value("tem.focal_spread")),
        given.get("convergence_mrad", parameter_value("tem.convergence")),
        given.get("absorption", parameter_value("tem.absorption")),
    )


def wavelength_nm(voltage_kv: ArrayLike) -> Float[Array, ""]:
    """Return the relativistic wavelength of electrons, nm."""
    energy = 1e3 * jnp.asarray(voltage_kv)
    return units.HC_EV_NM / jnp.sqrt(energy * (energy + 2.0 * _REST_EV))


def interaction_per_v_nm(voltage_kv: ArrayLike) -> Float[Array, ""]:
    """Return the phase by one volt over one nanometre, rad."""
    energy = 1e3 * jnp.asarray(voltage_kv)
    return 2.0 * jnp.pi / (wavelength_nm(voltage_kv) * energy) * (_REST_EV + energy) / (2.0 * _REST_EV + energy)


def transfer(gx: ArrayLike, gy: ArrayLike, of: Lens) -> Complex[Array, "..."]:
    """Return the lens's transfer function of the wave.

    Args:
        gx: spatial frequencies, 1/nm, any shape.
        gy: the same.
        of: the lens.

    Returns:
        Complex, of their common shape.
    """
    wave, z, cs = wavelength_nm(of.voltage_kv), jnp.asarray(of.defocus_nm), 1e6 * jnp.asarray(of.cs_mm)
    squared = jnp.asarray(gx) ** 2 + jnp.asarray(gy) ** 2
    chi = jnp.pi * wave * z * squared + 0.5 * jnp.pi * cs * wave**3 * squared**2
    spread = 0.5 * (jnp.pi * wave * jnp.asarray(of.focal_spread_nm) * squared) ** 2
    # exp(-(pi alpha (Cs lambda^2 g^3 + z g))^2), the bracket squared written without a root, which has no slope at 0
    alpha = 1e-3 * jnp.asarray(of.convergence_mrad)
    source = (jnp.pi * alpha) ** 2 * squared * (cs * wave**2 * squared + z) ** 2
    return jnp.exp(-spread - source) * jnp.exp(-1j * chi)


def zone_of(crystal: Crystal, zone: ArrayLike, g_max_per_nm: float = G_MAX_PER_NM) -> Zone:
    """Return the beams of a crystal down a zone axis.

    Args:
        crystal: the crystal.
        zone: shape (3,), direction of the beam, u v w.
        g_max_per_nm: largest spatial frequency.

    Returns:
        The beams, the direct one first.

    Raises:
        InputError: no direction, or one down which no plane stands.
    """
    axis = np.asarray(zone)
    if axis.shape != (3,) or not np.all(axis == np.round(axis)) or not np.any(axis):
        raise InputError('A zone axis is three whole numbers such as "001", not all zero.')
    check.positive(g_max_per_nm, "g_max_per_nm", "1/nm")
    found = planes_of(crystal, 1.0 / g_max_per_nm, _D_MAX_NM)
    inside = (found.hkl @ axis == 0) & (found.potential_v > 1e-6)
    hkl = found.hkl[inside]
    if np.linalg.matrix_rank(hkl) < 2:
        raise InputError(
            f"Down [{' '.join(str(int(i)) for i in axis)}] of {crystal.name} fewer than two lattice planes stand that "
            f"are wider than {1.0 / g_max_per_nm:.2g} nm; choose a zone of lower indices."
        )
    vector = found.vector_per_nm[inside]
    beam = axis @ np.linalg.inv(reciprocal(crystal)).T
    x = vector[0] / np.linalg.norm(vector[0])
    y = np.cross(beam / np.linalg.norm(beam), x)
    every = np.concatenate([np.zeros((1, 3), dtype=np.int64), hkl])
    flat = np.concatenate([np.zeros((1, 2)), np.stack([vector @ x, vector @ y], axis=1)])
    return Zone(flat, potentials(crystal, every), every)


def projected_potential_v(of: Zone, x_nm: ArrayLike, y_nm: ArrayLike, turn_rad: ArrayLike = 0.0) -> Float[Array, "y x"]:
    """Return the crystal's potential averaged along the beam, V.

    Args:
        of: the beams.
        x_nm: shape (nx,), columns.
        y_nm: shape (ny,), rows, upwards.
        turn_rad: rotation of the crystal in the picture, anticlockwise.

    Returns:
        Shape (ny, nx).
    """
    gx, gy = turned(of.g_per_nm, turn_rad)
    columns = jnp.exp(2j * jnp.pi * jnp.asarray(x_nm)[:, None] * gx)
    rows = jnp.exp(2j * jnp.pi * jnp.asarray(y_nm)[:, None] * gy)
    return jnp.real((rows * jnp.asarray(of.potential_v)) @ columns.T)


def turned(g_per_nm: ArrayLike, turn_rad: ArrayLike) -> tuple[Array, Array]:
    """Return spatial frequencies, shape (n, 2), after a rotation, as x and y."""
    g = jnp.asarray(g_per_nm)
    cosine, sine = jnp.cos(jnp.asarray(turn_rad)), jnp.sin(jnp.asarray(turn_rad))
    return cosine * g[:, 0] - sine * g[:, 1], sine * g[:, 0] + cosine * g[:, 1]


def image_of(phase_rad: Float[Array, "y x"], pixel_nm: float, of: Lens) -> Float[Array, "y x"]:
    """Return the image of a phase object, 1 where there is nothing.

    Args:
        phase_rad: shape (ny, nx).
        pixel_nm: edge of a pixel, nm; the picture is continued periodically.
        of: the lens.

    Returns:
        Intensities, shape (ny, nx).
    """
    ny, nx = phase_rad.shape
    gx, gy = jnp.fft.fftfreq(nx, pixel_nm)[None, :], -jnp.fft.fftfreq(ny, pixel_nm)[:, None]
    wave = jnp.exp((1j - jnp.asarray(of.absorption)) * phase_rad)
    return jnp.abs(jnp.fft.ifft2(jnp.fft.fft2(wave) * transfer(gx, gy, of))) ** 2


def coefficients(of: Zone, thickness_nm: ArrayLike, through: Lens, hkl: ArrayLike) -> Complex[Array, " m"]:
    """Return Fourier coefficients of the image of an endless crystal: contrast a and phase are twice and the argument.

    Args:
        of: the beams.
        thickness_nm: of the crystal.
        through: the lens.
        hkl: shape (m, 3), planes of the zone.

    Returns:
        Shape (m,), over the mean intensity.

    Raises:
        InputError: a plane that is not in the zone.
    """
    basis = _basis(of)
    cell = np.linalg.lstsq(basis.T.astype(float), of.hkl.T.astype(float), rcond=None)[0].T
    index = np.round(cell).astype(int)
    wanted = np.asarray(hkl)
    asked = np.linalg.lstsq(basis.T.astype(float), wanted.T.astype(float), rcond=None)[0].T
    if not np.allclose(asked @ basis, wanted, atol=1e-6) or not np.allclose(asked, np.round(asked), atol=1e-6):
        raise InputError("A plane that was asked for does not stand along this zone axis.")
    asked = np.round(asked).astype(int)
    size = 2 * int(2 * np.abs(index).max() + 1)
    potential = jnp.zeros((size, size), dtype=complex).at[index[:, 0] % size, index[:, 1] % size].set(of.potential_v)
    mean = jnp.real(jnp.fft.ifft2(potential)) * size**2
    phase = interaction_per_v_nm(through.voltage_kv) * jnp.asarray(thickness_nm) * mean
    wave = jnp.fft.fft2(jnp.exp((1j - jnp.asarray(through.absorption)) * phase))
    flat = np.linalg.lstsq(cell, of.g_per_nm, rcond=None)[0]  # the two axes of the zone's lattice
    n = np.fft.fftfreq(size, 1.0 / size)
    g = n[:, None, None] * flat[0] + n[None, :, None] * flat[1]
    image = jnp.abs(jnp.fft.ifft2(wave * transfer(g[..., 0], g[..., 1], through))) ** 2
    found = jnp.fft.fft2(image)
    return found[asked[:, 0] % size, asked[:, 1] % size] / found[0, 0]


def _basis(of: Zone) -> NDArray[np.int64]:
    """Return two indices that make up every plane of a zone with whole numbers."""
    order = np.argsort(np.linalg.norm(of.g_per_nm, axis=1), kind="stable")[1:]
    hkl = of.hkl[order]
    for i in range(min(len(hkl), 40)):
        for j in range(i + 1, min(len(hkl), 40)):
            basis = hkl[[i, j]].astype(float)
            if np.linalg.matrix_rank(basis) < 2:
                continue
            parts = np.linalg.lstsq(basis.T, of.hkl.T.astype(float), rcond=None)[0]
            if np.allclose(parts, np.round(parts), atol=1e-6):
                return np.asarray(hkl[[i, j]])
    raise InputError("The planes of this zone have no common lattice; choose a zone of lower indices.")


def support_filter(nx: int, ny: int, pixel_nm: float, thickness_nm: ArrayLike, voltage_kv: ArrayLike) -> Array:
    """Return what turns white noise into the phase of randomly placed carbon atoms, shape (ny, nx), rad.

    Args:
        nx: columns.
        ny: rows.
        pixel_nm: edge of a pixel, nm.
        thickness_nm: of the film.
        voltage_kv: of the electrons.

    Source: the power spectrum of independent atoms is their areal density times the square of one atom's.
    """
    g = np.hypot(np.fft.fftfreq(nx, pixel_nm)[None, :], np.fft.fftfreq(ny, pixel_nm)[:, None])
    atom = _POTENTIAL_V_NM2 * 0.1 * scattering_factor("C", 0.1 * g)  # V nm^3; the factor is in angstrom
    areal = parameter_value("carbon.atomic_density") * jnp.asarray(thickness_nm)
    return interaction_per_v_nm(voltage_kv) * jnp.asarray(atom) * jnp.sqrt(areal) / pixel_nm
