"""Simulated lattice images: a crystal on amorphous carbon, through a lens, as counts of a camera."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.observation import make_image
from perolas.matter.crystal import Crystal, phase
from perolas.matter.specimen import PHASES
from perolas.measurements.hrtem import wave
from perolas.measurements.hrtem.wave import Lens, Zone

_MARGIN_NM = 2.0  # around the picture, for what the lens carries in and for the periodic continuation
_MOST_PIXELS = 4096
_EDGE_NM = 0.15  # over which a crystal's edge fades
_SHAPES = ("cube", "sphere")


def intensity(
    zone: Zone,
    through: Lens,
    *,
    pixel_nm: float,
    size: int,
    thickness_nm: Any,
    edge_nm: Any = math.inf,
    shape: str = "cube",
    turn_rad: Any = 0.0,
    strain: Any = 0.0,
    speckle: Any = 0.0,
    shift_nm: tuple[float, float] = (0.0, 0.0),
) -> Float[Array, "y x"]:
    """Return the expected image of a crystal on a support, 1 in empty space; differentiable in what is continuous.

    Args:
        zone: the crystal's beams.
        through: the lens.
        pixel_nm: edge of a pixel.
        size: rows and columns.
        thickness_nm: of the crystal along the beam (a sphere: in its middle).
        edge_nm: edge or diameter across the beam; infinite: the crystal fills the picture.
        shape: ``"cube"`` (a square, turned with the lattice) or ``"sphere"``.
        turn_rad: rotation of the crystal in the picture, anticlockwise.
        strain: isotropic linear strain.
        speckle: phase of the support on the grid with its margin, see `padded`, or 0.
        shift_nm: of the crystal's middle from the picture's.

    Returns:
        Shape (size, size); first row uppermost.
    """
    count, margin = padded(size, pixel_nm)
    at = (np.arange(count) - margin + 0.5 - size / 2) * pixel_nm
    x, y = jnp.asarray(at - shift_nm[0]), jnp.asarray(-at - shift_nm[1])
    stretched = zone._replace(g_per_nm=jnp.asarray(zone.g_per_nm) / (1.0 + jnp.asarray(strain)))  # type: ignore[arg-type]
    phase_rad = wave.interaction_per_v_nm(through.voltage_kv) * wave.projected_potential_v(stretched, x, y, turn_rad)
    phase_rad = phase_rad * jnp.asarray(thickness_nm) * _thickness(x, y, edge_nm, shape, turn_rad)
    seen = wave.image_of(phase_rad + speckle, pixel_nm, through)
    return seen[margin : margin + size, margin : margin + size]


def padded(size: int, pixel_nm: float) -> tuple[int, int]:
    """Return how many pixels the calculation has along an edge, and how many of them are margin on each side."""
    margin = math.ceil(_MARGIN_NM / pixel_nm)
    return size + 2 * margin, margin


def _thickness(x: Array, y: Array, edge_nm: Any, shape: str, turn_rad: Any) -> Array:
    """Return the thickness relative to that in the middle, shape (ny, nx)."""
    cosine, sine = jnp.cos(turn_rad), jnp.sin(turn_rad)
    across = cosine * x[None, :] + sine * y[:, None]
    along = -sine * x[None, :] + cosine * y[:, None]
    if shape == "sphere":
        return jnp.sqrt(jnp.maximum(1.0 - (across**2 + along**2) / (edge_nm / 2.0) ** 2, 1e-12))
    inside = [jax.nn.sigmoid((edge_nm / 2.0 - jnp.abs(v)) / (_EDGE_NM / 4.0)) for v in (across, along)]
    return inside[0] * inside[1]


def speckle(key: Array, size: int, pixel_nm: float, support_nm: Any, voltage_kv: Any) -> Float[Array, "p p"]:
    """Draw the phase of an amorphous carbon film, with its margin; shape as `padded` says."""
    count, _ = padded(size, pixel_nm)
    white = jax.random.normal(key, (count, count))
    shaped = wave.support_filter(count, count, pixel_nm, support_nm, voltage_kv)
    return jnp.real(jnp.fft.ifft2(jnp.fft.fft2(white) * shaped))


@partial(jax.jit, static_argnames=("pixel_nm", "size", "shape", "shift_nm"))
def _draw(
    key: Array, zone: Zone, through: Lens, counts: Any, support_nm: Any, *, pixel_nm: float, size: int, **crystal: Any
) -> tuple[Array, Array]:
    film, shot = jax.random.split(key)
    grain = speckle(film, size, pixel_nm, support_nm, through.voltage_kv)
    mean = counts * intensity(zone, through, pixel_nm=pixel_nm, size=size, speckle=grain, **crystal)
    return mean, jax.random.poisson(shot, jnp.maximum(mean, 0.0)).astype(float)


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    phase_name: str | Crystal | None = None,
    zone: str = "001",
    thickness: float | None = None,
    edge: float | None = None,
    shape: str = "cube",
    defocus: float | None = None,
    cs: float | None = None,
    voltage: float | None = None,
    pixel: float = 0.02,
    size: int = 512,
    turn: float = 0.0,
    strain: float = 0.0,
    support: float = 3.0,
    counts: float = 200.0,
) -> xr.Dataset:
    """Simulate a lattice image.

    Args:
        specimen: its most abundant phase, size, shape and strain, where they are not given.
        seed: of support and counts.
        phase_name: phase of the library, or a crystal.
        zone: direction of the beam, such as ``"001"`` or ``"1 -1 0"``.
        thickness: along the beam, nm; by default the specimen's size, or 10.
        edge: of the crystal across the beam, nm; by default the specimen's size, or it fills the picture.
        shape: ``"cube"`` or ``"sphere"``.
        defocus: nm, negative for underfocus; by default Scherzer's.
        cs: spherical aberration, mm.
        voltage: kV.
        pixel: edge of a pixel, nm.
        size: rows and columns.
        turn: rotation of the crystal in the picture, degrees, anticlockwise.
        strain: isotropic linear strain.
        support: thickness of the amorphous carbon film, nm.
        counts: expected in a pixel of empty space.

    Returns:
        An image in counts, with what made it among its conditions.

    Raises:
        InputError: numbers or names that cannot be used.
    """
    name: str | Crystal | None = phase_name
    if specimen is not None:
        name = name if name is not None else PHASES[int(np.argmax(np.asarray(specimen.fraction)))]
        thickness = float(specimen.size_nm) if thickness is None else thickness
        edge = float(specimen.size_nm) if edge is None else edge
        shape, strain = specimen.shape, strain + float(specimen.strain)
    crystal = name if isinstance(name, Crystal) else phase(name or "CsPbBr3")
    thickness = 10.0 if thickness is None else thickness
    check.one_of(shape, _SHAPES, "The shape")
    for what, value in (("thickness", thickness), ("pixel", pixel), ("counts", counts)):
        check.positive(value, what)
    check.positive(support, "support", "nm", zero=True)
    if edge is not None:
        check.positive(edge, "edge", "nm")
    if not 64 <= size <= _MOST_PIXELS:
        raise InputError(f"A lattice image is simulated with 64 to {_MOST_PIXELS} pixels along an edge, not {size}.")
    if padded(size, pixel)[0] > 2 * _MOST_PIXELS or pixel > 0.1:
        raise InputError(f"A pixel of {pixel:g} nm does not suit a lattice image; 0.01 to 0.05 nm do.")
    if counts > 1e9 or thickness > 1e4 or abs(strain) > 0.2:
        raise InputError("Counts above 1e9, thicknesses above 10 um or strains above 0.2 cannot be simulated.")
    axis = direction(zone)
    limit = min(wave.G_MAX_PER_NM, 0.45 / pixel)
    beams = wave.zone_of(crystal, axis, limit)
    given = {"cs_mm": cs, "voltage_kv": voltage}
    through = wave.lens(defocus, **{k: v for k, v in given.items() if v is not None})
    _, image = _draw(
        jax.random.key(seed), beams, through, counts, support, pixel_nm=pixel, size=size, thickness_nm=thickness,
        edge_nm=math.inf if edge is None else edge, shape=shape, turn_rad=math.radians(turn), strain=strain,
    )  # fmt: skip
    conditions = {
        "phase": crystal.name, "zone": [int(i) for i in axis], "thickness_nm": thickness, "edge_nm": edge,
        "defocus_nm": float(through.defocus_nm), "cs_mm": float(through.cs_mm), "strain": strain, "turn_deg": turn,
        "voltage_kv": float(through.voltage_kv), "support_nm": support, "counts": counts,
    }  # fmt: skip
    return make_image(
        np.asarray(image), pixel, technique="hrtem", instrument="simulated by perolas", seed=seed, conditions=conditions
    )


def direction(text: str) -> np.ndarray:
    """Return a zone axis from text such as ``"001"``, ``"1-10"``, ``"[1 -1 0]"``; raises InputError for others."""
    inside = str(text).strip().strip("[]<>()")
    parts = inside.replace(",", " ").split() if re.search(r"[ ,]", inside) else re.findall(r"-?\d", inside)
    if len(parts) != 3 or not all(re.fullmatch(r"-?\d{1,2}", p) for p in parts) or not any(int(p) for p in parts):
        raise InputError(f'A zone axis is three whole numbers such as "001" or "1 -1 0", not "{one_line(text, 40)}".')
    if not re.search(r"[ ,]", inside) and "".join(parts) != inside:
        raise InputError(f'A zone axis is three whole numbers such as "001" or "1 -1 0", not "{one_line(text, 40)}".')
    return np.array([int(p) for p in parts])
