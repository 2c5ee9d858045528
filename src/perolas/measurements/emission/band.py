"""One band on a flat background: what a single spectrum, or the mean of a series of shots, is fitted with."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter
from perolas.measurements.lineshapes import gauss


class Band(AbstractMeasurement):
    """A Gaussian band seen through a spectrometer.

    Attributes:
        area: counts nm (or the signal's unit times nm).
        position_nm: of its maximum.
        width_nm: full width, freed from the resolution.
        background: level beside it.
        wavelength: shape (n,), nm.
        resolution_nm: full width of the spectrometer's own line.
        noise: of the pixels.
        unit: of the signal.
    """

    technique: ClassVar[str] = "emission"
    axis_name: ClassVar[str] = "wavelength_nm"
    response_sets: ClassVar[tuple[str, ...]] = ()
    derived_table: ClassVar[dict[str, Derived]] = {}

    area: Float[Array, ""] = parameter("counts nm", "area of the band", name="area", default=1.0, bounds=(0.0, np.inf))
    position_nm: Float[Array, ""] = parameter("nm", "middle of the band", name="band_position", default=530.0)
    width_nm: Float[Array, ""] = parameter(
        "nm",
        "full width of the band, freed from the resolution",
        name="band_width",
        default=10.0,
        bounds=(0.0, np.inf),
    )
    background: Float[Array, ""] = parameter("counts", "level beside the band", name="background", default=0.0)
    wavelength: Float[Array, " n"] = eqx.field(default_factory=lambda: jnp.zeros(0), converter=jnp.asarray)
    resolution_nm: Float[Array, ""] = eqx.field(default=0.0, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    unit: str = eqx.field(static=True, default="counts")

    @property
    def signal_unit(self) -> str:  # type: ignore[override]
        """Unit of the signal."""
        return self.unit

    @property
    def axis(self) -> Float[Array, " n"]:
        """Wavelengths, nm."""
        return self.wavelength

    def _band(self) -> Float[Array, " n"]:
        width = jnp.sqrt(self.width_nm**2 + self.resolution_nm**2 + 1e-12)
        return self.area * gauss(self.wavelength - self.position_nm, width)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        return self._band() + self.background

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return band and background."""
        return {"background": jnp.full_like(self.wavelength, self.background), "band": self._band()}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return nothing."""
        return {}

    def respond(self, state: Any) -> Self:
        """Return the band as it is."""
        return self
