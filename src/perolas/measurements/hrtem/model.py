"""Lattice fringes: what an image holds of a crystal, as the spots of its Fourier transform.

The image of a crystal down a zone axis is a sum of plane waves on the reciprocal lattice of that zone,

    I(r) / <I> = 1 + sum_j a_j e_j(r) cos(2 pi k_j.r + phi_j) + (support, noise),

whatever the thickness and the focus: these decide contrast a_j and phase phi_j (`wave`), not the spatial frequency k_j.
The image around each spot, shifted to zero frequency and cut to a square band, is a complex field on a coarse grid,

    u_j(R) = a_j e_j(R) exp(i (2 pi (k_j - q_j).R + phi_j)) / 2 + noise,

q_j being the middle of the band and e_j the fringes' envelope (where in the image the crystal is, at most 1). Real and
imaginary part of each point are the channels of this measurement. The speckle of an amorphous support is a circular
complex normal law in a narrow band, so the noise is normal, white across the band, and its size is read off beside the
spot. Spacing `d_j = 1 / |k_j|`. Of the two mirror images of a spot the one is taken that lies anticlockwise of the
first spot by less than 180 degrees; angles are counted that way.

Response of a specimen: the spots of its lattice, closer by its strain; contrasts and phases stay.

Validated by tests/inversion and tests/unit/test_hrtem*.py (images of known lattices through a lens).
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Gaussian
from perolas.core.parameter import parameter, replace

REFERENCES = ("itc_c", "williams2009", "kirkland2010", "malm1997")
PARAMETERS_USED = (
    "hrtem.calibration",
    "hrtem.distortion",
    "hrtem.structure",
    "hrtem.double_diffraction",
    "hrtem.resolution",
    "hrtem.rim",
)

_ALL_ANGLES = 4  # with more spots, angles are those with the first
_DERIVED = {
    "d_spacing": Derived("nm", "distance of the lattice planes, 1 / |k|"),
    "angle": Derived("deg", "angle from one spot to the other, anticlockwise"),
}


class Hrtem(AbstractMeasurement):
    """The fields around s spots on a grid of m by m points each. Build one with `fringes` or from an image.

    Vectors have one element for each spot.
    """

    technique: ClassVar[str] = "hrtem"
    axis_name: ClassVar[str] = "channel"
    response_sets: ClassVar[tuple[str, ...]] = ("frequency_x", "frequency_y")
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED
    signal_unit: ClassVar[str] = "1"

    amplitude: Float[Array, " s"] = parameter(
        "1", "contrast of the fringes", name="amplitude", default=0.1, bounds=(0, np.inf), vector=True
    )
    phase_rad: Float[Array, " s"] = parameter("rad", "phase of the fringes at the middle", name="phase", vector=True)
    frequency_x_per_nm: Float[Array, " s"] = parameter(
        "1/nm", "spatial frequency to the right", name="frequency_x", vector=True
    )
    frequency_y_per_nm: Float[Array, " s"] = parameter(
        "1/nm", "spatial frequency upwards", name="frequency_y", vector=True
    )

    middle_x_per_nm: Float[Array, " s"] = eqx.field(kw_only=True, converter=jnp.asarray)
    middle_y_per_nm: Float[Array, " s"] = eqx.field(kw_only=True, converter=jnp.asarray)
    reference_x_per_nm: Float[Array, " s"] = eqx.field(kw_only=True, converter=jnp.asarray)
    reference_y_per_nm: Float[Array, " s"] = eqx.field(kw_only=True, converter=jnp.asarray)
    x_nm: Float[Array, " m"] = eqx.field(kw_only=True, converter=jnp.asarray)
    y_nm: Float[Array, " m"] = eqx.field(kw_only=True, converter=jnp.asarray)
    envelope: Float[Array, "s m m"] = eqx.field(kw_only=True, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(kw_only=True, default_factory=lambda: Gaussian(jnp.asarray(1.0)))

    @property
    def axis(self) -> Float[Array, " n"]:
        """The numbers of the channels, shape (2 s m m,): spot, real and imaginary part, row, column."""
        return jnp.arange(2.0 * self.envelope.size)

    def fields(self) -> Float[Array, "s 2 m m"]:
        """Return the expected fields, real and imaginary part."""
        turn = (self.frequency_x_per_nm - self.middle_x_per_nm)[:, None, None] * self.x_nm[None, None, :]
        turn = turn + (self.frequency_y_per_nm - self.middle_y_per_nm)[:, None, None] * self.y_nm[None, :, None]
        angle = 2.0 * jnp.pi * turn + self.phase_rad[:, None, None]
        size = 0.5 * self.amplitude[:, None, None] * self.envelope
        return jnp.stack([size * jnp.cos(angle), size * jnp.sin(angle)], axis=1)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected fields of all spots as channels, shape (n,)."""
        return self.fields().reshape(-1)

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the fields of each spot alone."""
        parts = self.fields()
        own = jnp.eye(parts.shape[0])
        return {f"spot_{j + 1}": (own[j][:, None, None, None] * parts).reshape(-1) for j in range(parts.shape[0])}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the spacing of each spot and the angles of pairs: of all, or of the first with the others."""
        x, y = self.frequency_x_per_nm, self.frequency_y_per_nm
        count = x.shape[-1]
        spacing = (x**2 + y**2) ** -0.5
        first, second = np.triu_indices(count, 1)
        if count > _ALL_ANGLES:
            first, second = first[: count - 1], second[: count - 1]
        across, along = x[first] * y[second] - y[first] * x[second], x[first] * x[second] + y[first] * y[second]
        angle = jnp.rad2deg(jnp.arctan2(across, along))
        found = {f"d_spacing_{i + 1}": spacing[i] for i in range(count)}
        return found | {f"angle_{i + 1}_{j + 1}": angle[n] for n, (i, j) in enumerate(zip(first, second, strict=True))}

    def respond(self, state: Any) -> Self:
        """Return the fringes of a specimen whose lattice is strained.

        Args:
            state: a `Specimen`; its strain moves every spot.

        Returns:
            This measurement with the spatial frequencies of the specimen.
        """
        stretch = 1.0 + state.strain
        return replace(
            self,
            frequency_x_per_nm=self.reference_x_per_nm / stretch,
            frequency_y_per_nm=self.reference_y_per_nm / stretch,
        )


def fringes(
    frequency_per_nm: Any,
    amplitude: Any,
    phase_rad: Any,
    *,
    middle_per_nm: Any = None,
    x_nm: Any,
    y_nm: Any,
    envelope: Any = None,
    variance: Any = 1.0,
) -> Hrtem:
    """Build the measurement of some spots.

    Args:
        frequency_per_nm: shape (s, 2), x to the right and y upwards.
        amplitude: shape (s,), contrast.
        phase_rad: shape (s,).
        middle_per_nm: shape (s, 2), middles of the bands; None: the spots themselves.
        x_nm: shape (m,), columns of the coarse grid.
        y_nm: shape (m,), its rows.
        envelope: shape (s, m, m); None: 1.
        variance: of real and imaginary part; scalar or shape (2 s m m,).

    Returns:
        The measurement.
    """
    k = np.asarray(frequency_per_nm, dtype=float).reshape(-1, 2)
    middle = k if middle_per_nm is None else np.asarray(middle_per_nm, dtype=float)
    shape = (len(k), np.size(y_nm), np.size(x_nm))
    return Hrtem(
        amplitude=np.asarray(amplitude, dtype=float),
        phase_rad=np.asarray(phase_rad, dtype=float),
        frequency_x_per_nm=k[:, 0],
        frequency_y_per_nm=k[:, 1],
        middle_x_per_nm=middle[:, 0],
        middle_y_per_nm=middle[:, 1],
        reference_x_per_nm=k[:, 0],
        reference_y_per_nm=k[:, 1],
        x_nm=x_nm,
        y_nm=y_nm,
        envelope=np.ones(shape) if envelope is None else envelope,
        noise=Gaussian(jnp.asarray(variance, dtype=float)),
    )
