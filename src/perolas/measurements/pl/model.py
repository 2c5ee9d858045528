r"""An emission band: photons per eV, seen on a wavelength or an energy axis.

.. math:: S(E) = \frac{A}{E\text{-width}}\, V(E - E_0; w_G, w_L)\, \frac{1 - e^{-\tau a(E)}}{\tau a(E)}\, R + B,

V a Voigt line of unit area in energy (per nm: times hc / lambda^2), whose Gaussian part the spectrometer widens; the
fraction is self-absorption in a layer of optical depth tau at 2.48 eV (500 nm) that is excited evenly, a(E) the
absorption of CsPbBr3 there over that at 2.48 eV; R the instrument's response. The area A is the same number on
either axis (counts nm per nm, or per eV what a converted spectrum holds).
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter, replace
from perolas.core.units import HC_EV_NM
from perolas.matter.optics import intrinsic_absorption_cm1
from perolas.measurements import lineshapes
from perolas.measurements.pl.response import band_of, strength_of

_REFERENCE_EV = 2.48


class EmissionBand(AbstractMeasurement):
    """One emission band on a linear background.

    Attributes:
        area: photons of the band, signal unit x axis unit.
        centre_ev: maximum of the line before self-absorption, eV.
        fwhm_gauss_ev, fwhm_lorentz_ev: widths of the line, eV.
        background: signal in the middle of the axis.
        slope: change of the background from the middle to the end of the axis.
        optical_depth: tau at 2.48 eV.
        brightness: area of a sample whose lead is all in CsPbBr3 that emits every photon.
        axis_values: shape (n,), nm or eV.
        response: shape (n,), relative response of the instrument.
        resolution: full width of the instrument's own line, in the axis unit.
        noise: of the signal.
        axis_name: ``"wavelength_nm"`` or ``"energy_ev"``.
        signal_unit: of the signal.
    """

    technique: ClassVar[str] = "pl"
    response_sets: ClassVar[tuple[str, ...]] = ("area", "centre_ev", "fwhm_gauss_ev")
    derived_table: ClassVar[dict[str, Derived]] = {
        "fwhm": Derived("eV", "full width of the band without the instrument, before self-absorption"),
        "centre_wavelength": Derived("nm", "hc over the centre in energy; the maximum per nm lies a little below it"),
        "fwhm_wavelength": Derived("nm", "full width in nm, fwhm x hc / centre^2"),
    }

    area: Float[Array, ""] = parameter("counts nm", "photons of the band", name="area", default=1e5)
    centre_ev: Float[Array, ""] = parameter(
        "eV", "centre of the band", name="centre", default=2.37, bounds=(0.05, 12.0)
    )
    fwhm_gauss_ev: Float[Array, ""] = parameter(
        "eV", "Gaussian width of the band", name="fwhm_gauss", default=0.09, bounds=(1e-5, 5.0)
    )
    fwhm_lorentz_ev: Float[Array, ""] = parameter(
        "eV", "Lorentzian width of the band", name="fwhm_lorentz", default=0.0, bounds=(0.0, 5.0), free=False
    )
    background: Float[Array, ""] = parameter("counts", "background in the middle of the axis", name="background")
    slope: Float[Array, ""] = parameter("counts", "background's change from middle to end", name="slope", free=False)
    optical_depth: Float[Array, ""] = parameter(
        "1", "optical depth of the sample at 2.48 eV, for self-absorption", name="optical_depth", bounds=(0, 1e3),
        free=False,
    )  # fmt: skip
    brightness: Float[Array, ""] = parameter(
        "counts nm", "area of a wholly converted sample of unit yield", name="brightness", default=1e5, free=False
    )
    axis_values: Float[Array, " n"] = eqx.field(
        default_factory=lambda: np.linspace(470.0, 590.0, 301), converter=jnp.asarray
    )
    response: Float[Array, "..."] = eqx.field(default=1.0, converter=jnp.asarray)
    resolution: Float[Array, ""] = eqx.field(default=0.0, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    axis_name: str = eqx.field(static=True, default="wavelength_nm")  # type: ignore[misc]
    signal_unit: str = eqx.field(static=True, default="counts")  # type: ignore[misc]

    @property
    def axis(self) -> Float[Array, " n"]:
        """The axis as given."""
        return self.axis_values

    def _band(self) -> Float[Array, " n"]:
        if self.axis_name == "wavelength_nm":
            energy = HC_EV_NM / self.axis_values
            per_axis = energy**2 / HC_EV_NM
            own = self.resolution * self.centre_ev**2 / HC_EV_NM
        else:
            energy, per_axis, own = self.axis_values, jnp.ones_like(self.axis_values), self.resolution
        width = jnp.sqrt(self.fwhm_gauss_ev**2 + own**2)
        line = lineshapes.voigt(energy - self.centre_ev, width, self.fwhm_lorentz_ev)
        nm = jnp.clip(HC_EV_NM / energy, 240.0, 1500.0)
        share = intrinsic_absorption_cm1("CsPbBr3", nm) / intrinsic_absorption_cm1("CsPbBr3", HC_EV_NM / _REFERENCE_EV)
        depth = self.optical_depth * share
        # (1 - exp(-x)) / x without 0 / 0
        small = depth < 1e-4
        safe = jnp.where(small, 1.0, depth)
        leaving = jnp.where(small, 1.0 - 0.5 * depth, -jnp.expm1(-safe) / safe)
        return self.area * line * per_axis * leaving * self.response

    def _background(self) -> Float[Array, " n"]:
        low, high = self.axis_values[0], self.axis_values[-1]
        return self.background + self.slope * (2.0 * self.axis_values - low - high) / (high - low)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        return self._band() + self._background()

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return band and background."""
        return {"band": self._band(), "background": self._background()}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the width, and centre and width in nm."""
        fwhm = lineshapes.voigt_fwhm(self.fwhm_gauss_ev, self.fwhm_lorentz_ev)
        return {
            "fwhm": fwhm,
            "centre_wavelength": HC_EV_NM / self.centre_ev,
            "fwhm_wavelength": fwhm * HC_EV_NM / self.centre_ev**2,
        }

    def respond(self, state: Any) -> Self:
        """Return the band of a specimen: energy and width by temperature and size, area by conversion and yield.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with another area, centre and Gaussian width.
        """
        centre, width = band_of(state)
        return replace(self, centre_ev=centre, fwhm_gauss_ev=width, area=self.brightness * strength_of(state))
