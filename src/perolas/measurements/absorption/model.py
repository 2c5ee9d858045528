r"""An absorption edge as a spectrophotometer sees it: exciton, continuum, scattering, offset.

.. math:: D(E) = a \frac{E_g}{E} s(E) + b \left(\frac{E}{E_0}\right)^p + c,

s being the broadened Elliott edge over its step at the gap, b the scattering at the middle of the window (p = 4 for
particles much smaller than the wavelength; less for larger ones), c an offset (reflection, cells that differ). D is
the absorbance, or K / S for diffuse reflectance. The signal is what was measured: D, 10^-D, or the reading of a sphere;
so the noise of an intensity stays Gaussian where the absorbance is high.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter, replace
from perolas.matter import optics
from perolas.measurements.absorption import scales
from perolas.measurements.absorption.elliott import elliott

KINDS = ("absorbance", "transmittance", "reflectance")


class Edge(AbstractMeasurement):
    """An absorption edge.

    Attributes:
        gap_ev: where the continuum begins, eV.
        binding_ev: exciton binding energy, eV.
        fwhm_ev: full width of the Gaussian broadening, eV.
        amplitude: absorbance (or K / S) of the continuum's step at the gap.
        scatter: absorbance by scattering in the middle of the window.
        scatter_power: p.
        offset: constant absorbance.
        energy_ev: shape (n,), eV.
        noise: of the signal.
        kind: what was measured, one of `KINDS`.
        sphere: port share, wall and reference reflectance of an integrating sphere.
    """

    technique: ClassVar[str] = "absorption"
    axis_name: ClassVar[str] = "energy_ev"
    signal_unit: ClassVar[str] = "1"
    response_sets: ClassVar[tuple[str, ...]] = ("gap_ev", "binding_ev", "fwhm_ev")
    derived_table: ClassVar[dict[str, Derived]] = {
        "exciton": Derived("eV", "energy of the lowest exciton, the gap less its binding energy (the optical gap)"),
        "exciton_area": Derived("eV", "area of the lowest exciton line, 2 binding energy x amplitude"),
    }

    gap_ev: Float[Array, ""] = parameter(
        "eV", "gap: where the continuum begins", name="gap", default=2.39, bounds=(0.1, 12.0)
    )
    binding_ev: Float[Array, ""] = parameter(
        "eV", "binding energy of the exciton", name="binding", default=0.033, bounds=(1e-4, 2.0)
    )
    fwhm_ev: Float[Array, ""] = parameter(
        "eV", "full width of the broadening", name="fwhm", default=0.06, bounds=(1e-4, 2.0)
    )
    amplitude: Float[Array, ""] = parameter("1", "absorbance of the continuum's step at the gap", name="amplitude",
                                            default=0.3)  # fmt: skip
    scatter: Float[Array, ""] = parameter("1", "absorbance by scattering in the middle of the window", name="scatter")
    scatter_power: Float[Array, ""] = parameter(
        "1", "power of the photon energy with which scattering grows", name="scatter_power", default=4.0,
        bounds=(-1.0, 8.0), free=False,
    )  # fmt: skip
    offset: Float[Array, ""] = parameter("1", "constant absorbance", name="offset")
    energy_ev: Float[Array, " n"] = eqx.field(default_factory=lambda: np.linspace(2.0, 3.0, 201), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    kind: str = eqx.field(static=True, default="absorbance")
    sphere: tuple[float, float, float] = eqx.field(static=True, default=(0.0, 0.98, 1.0))

    def __check_init__(self) -> None:
        """Refuse an unknown kind of signal."""
        check.one_of(self.kind, KINDS, "The kind of signal")

    @property
    def axis(self) -> Float[Array, " n"]:
        """Photon energies, eV."""
        return self.energy_ev

    def _parts(self) -> dict[str, Float[Array, " n"]]:
        lines, continuum = elliott(self.energy_ev, self.gap_ev, self.binding_ev, self.fwhm_ev)
        scale = self.amplitude * self.gap_ev / self.energy_ev
        middle = 0.5 * (self.energy_ev[0] + self.energy_ev[-1])
        scatter = self.scatter * (self.energy_ev / middle) ** self.scatter_power
        return {"exciton": scale * lines, "continuum": scale * continuum, "scattering": scatter + self.offset}

    def absorbance(self) -> Float[Array, " n"]:
        """Return the absorbance (or K / S) at each energy, shape (n,)."""
        return sum(self._parts().values(), jnp.zeros_like(self.energy_ev))

    def _shown(self, optical: Array) -> Array:
        if self.kind == "absorbance":
            return optical
        if self.kind == "transmittance":
            return 10.0**-optical
        return scales.sphere_reading(scales.diffuse_reflectance(jnp.maximum(optical, 1e-9)), *self.sphere)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        return self._shown(self.absorbance())

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return exciton, continuum and background of an absorbance; of other signals the background's alone."""
        parts = self._parts()
        return parts if self.kind == "absorbance" else {"background": self._shown(parts["scattering"])}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return energy and area of the lowest exciton."""
        return {
            "exciton": self.gap_ev - self.binding_ev,
            "exciton_area": 2.0 * self.binding_ev * self.amplitude,
        }

    def respond(self, state: Any) -> Self:
        """Return the edge of a specimen of CsPbBr3: gap and width from temperature and size.

        The library's gap is the optical one, so that the continuum begins a binding energy above it; the width is
        that of the emission, with what the spread of sizes adds.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with another gap, binding energy and width.
        """
        from perolas.matter.parameters_library import parameter_value
        from perolas.measurements.pl.response import band_of

        optical, width = band_of(state)
        binding = parameter_value("CsPbBr3.exciton_binding_energy") / 1e3
        return replace(self, gap_ev=optical + binding, binding_ev=jnp.asarray(binding), fwhm_ev=width)


def edge_of(specimen: Any) -> Float[Array, ""]:
    """Return the optical gap of a specimen's CsPbBr3 in eV, at its temperature and mean size."""
    return optics.band_gap_ev("CsPbBr3", specimen.temperature_k, specimen.size_nm)
