r"""An emission band: photons per eV, seen on a wavelength or an energy axis.

.. math:: S(E) = A \sum_j p_j\, V(E - E_0 - d_j; w_j, w_L)\, \frac{1 - e^{-\tau a(E)}}{\tau a(E)}\, R\,
          \left[\frac{hc}{\lambda^2}\right] + B,

V a Voigt line of unit area in energy (the bracket where the axis is a wavelength), whose Gaussian part the
spectrometer widens; one line, or for a specimen one for each class j of sizes, with the share p_j of the emission and
the distance d_j. The fraction is what leaves a layer that is excited evenly and absorbs its own light (Beer-Lambert),
with tau the optical depth well above the edge and
:math:`a(E) = 1 / (1 + \exp[(E_0 + s - E) / E_U])`, which is an Urbach tail exp(E / E_U) below the edge; s is the Stokes
shift. R is the sensitivity of the instrument. B, a background and its slope along the wavelength, is what each pixel
counts in the dark: it is constant in nm, and on an energy axis it is multiplied by the Jacobian with all the rest
(`background_per`). The area A is the same number on either axis.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.errors import InputError
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter, replace
from perolas.core.units import FWHM_PER_SIGMA, HC_EV_NM
from perolas.measurements import lineshapes
from perolas.measurements.pl.response import classes_of, strength_of, urbach_of

SHAPES = ("gauss", "voigt")


class EmissionBand(AbstractMeasurement):
    """One emission band on a linear background.

    Attributes:
        area: photons of the band, signal unit x axis unit.
        centre_ev: maximum of the line before self-absorption, eV.
        fwhm_gauss_ev, fwhm_lorentz_ev: widths of the line, eV.
        background: signal in the middle of the axis, per nm where `background_per` says so.
        slope: change of the background from the middle to the long-wave end of the axis.
        optical_depth: tau, well above the edge.
        stokes_ev: what the edge of absorption lies above the centre, eV.
        urbach_ev: energy in which the absorption falls by a factor e below the edge, eV.
        brightness: area of a sample whose lead is all in CsPbBr3 that emits every photon.
        gap_offset_ev: what a specimen's emission lies above the library's law, eV.
        width_factor: width of a specimen's emission over that of the library's law.
        axis_values: shape (n,), nm or eV.
        response: shape (n,) or (), relative sensitivity of the instrument.
        resolution: full width of the instrument's own line, in the axis unit.
        offsets_ev, shares, cells_ev: shape (k,), classes of sizes: distance from the centre, share, full width.
        noise: of the signal.
        axis_name: ``"wavelength_nm"`` or ``"energy_ev"``.
        signal_unit: of the signal.
        background_per: ``"nm"`` or ``"eV"``: along what the background is constant.
        shape: one of `SHAPES`; ``"gauss"`` has no Lorentzian part and is much faster.
    """

    technique: ClassVar[str] = "pl"
    response_sets: ClassVar[tuple[str, ...]] = ("area", "centre_ev", "fwhm_gauss_ev", "urbach_ev")
    law_priors: ClassVar[dict[str, tuple[float, float]]] = {"gap_offset": (0.0, 0.02), "width_factor": (1.0, 0.2)}
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
        "1", "optical depth of the sample above its edge, for self-absorption", name="optical_depth", bounds=(0, 1e3),
        free=False,
    )  # fmt: skip
    # The two defaults are the library's (a test holds them to it).
    stokes_ev: Float[Array, ""] = parameter(
        "eV", "what the edge of absorption lies above the centre", name="stokes", default=0.02, bounds=(-1.0, 3.0),
        free=False,
    )  # fmt: skip
    urbach_ev: Float[Array, ""] = parameter(
        "eV", "energy in which the absorption below the edge falls by e", name="urbach", default=0.014,
        bounds=(1e-4, 1.0), free=False,
    )  # fmt: skip
    brightness: Float[Array, ""] = parameter(
        "counts nm", "area of a wholly converted sample of unit yield", name="brightness", default=1e5, free=False
    )
    gap_offset_ev: Float[Array, ""] = parameter(
        "eV", "what a specimen's emission lies above the library's law", name="gap_offset", bounds=(-0.5, 0.5),
        free=False,
    )  # fmt: skip
    width_factor: Float[Array, ""] = parameter(
        "1", "width of a specimen's emission over that of the library's law", name="width_factor", default=1.0,
        bounds=(0.05, 20.0), free=False,
    )  # fmt: skip
    axis_values: Float[Array, " n"] = eqx.field(
        default_factory=lambda: np.linspace(470.0, 590.0, 301), converter=jnp.asarray
    )
    response: Float[Array, "..."] = eqx.field(default=1.0, converter=jnp.asarray)
    resolution: Float[Array, ""] = eqx.field(default=0.0, converter=jnp.asarray)
    offsets_ev: Float[Array, " k"] = eqx.field(default_factory=lambda: np.zeros(1), converter=jnp.asarray)
    shares: Float[Array, " k"] = eqx.field(default_factory=lambda: np.ones(1), converter=jnp.asarray)
    cells_ev: Float[Array, " k"] = eqx.field(default_factory=lambda: np.zeros(1), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    axis_name: str = eqx.field(static=True, default="wavelength_nm")  # type: ignore[misc]
    signal_unit: str = eqx.field(static=True, default="counts")  # type: ignore[misc]
    background_per: str = eqx.field(static=True, default="nm")
    shape: str = eqx.field(static=True, default="gauss")

    def __check_init__(self) -> None:
        """Refuse a shape or background that there is not, and a Lorentzian part that the shape would leave out."""
        if self.shape not in SHAPES or self.background_per not in ("nm", "eV"):
            raise InputError(f'The shape is one of {", ".join(SHAPES)}, and the background is per "nm" or "eV".')
        lorentz = self.fwhm_lorentz_ev
        if self.shape == "gauss" and not isinstance(lorentz, jax.core.Tracer) and np.any(np.asarray(lorentz) != 0):
            raise InputError('A band with a Lorentzian width needs shape "voigt".')

    @property
    def axis(self) -> Float[Array, " n"]:
        """The axis as given."""
        return self.axis_values

    def energy_ev(self) -> Float[Array, " n"]:
        """Return the photon energy of each point, shape (n,), eV."""
        return HC_EV_NM / self.axis_values if self.axis_name == "wavelength_nm" else self.axis_values

    def leaving(self) -> Float[Array, " n"]:
        """Return the share of the light that the sample does not absorb itself, shape (n,)."""
        above = self.energy_ev() - self.centre_ev - self.stokes_ev
        depth = self.optical_depth * jax.nn.sigmoid(above / self.urbach_ev)
        small = depth < 1e-4  # (1 - exp(-x)) / x without 0 / 0
        safe = jnp.where(small, 1.0, depth)
        return jnp.where(small, 1.0 - 0.5 * depth, -jnp.expm1(-safe) / safe)

    def _band(self) -> Float[Array, " n"]:
        energy = self.energy_ev()
        if self.axis_name == "wavelength_nm":
            per_axis, own = energy**2 / HC_EV_NM, self.resolution * self.centre_ev**2 / HC_EV_NM
        else:
            per_axis, own = jnp.ones_like(energy), self.resolution
        width = jnp.sqrt(self.fwhm_gauss_ev**2 + own**2 + self.cells_ev**2)[:, None]
        away = energy[None, :] - self.centre_ev - self.offsets_ev[:, None]
        if self.shape == "voigt":
            lines = lineshapes.voigt(away, width, self.fwhm_lorentz_ev)
        else:
            lines = lineshapes.gauss(away, width)
        return self.area * (self.shares @ lines) * per_axis * self.leaving() * self.response

    def _background(self) -> Float[Array, " n"]:
        if self.background_per == "nm" and self.axis_name == "energy_ev":
            x = HC_EV_NM / self.axis_values
            per_axis = x**2 / HC_EV_NM
        else:
            x, per_axis = self.axis_values, jnp.ones_like(self.axis_values)
        low, high = jnp.min(x), jnp.max(x)
        return (self.background + self.slope * (2.0 * x - low - high) / (high - low)) * per_axis

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        return self._band() + self._background()

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return band and background."""
        return {"band": self._band(), "background": self._background()}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the width, and centre and width in nm."""
        spread = jnp.sum(self.shares * (self.offsets_ev**2 + (self.cells_ev / FWHM_PER_SIGMA) ** 2))
        gauss = jnp.sqrt(self.fwhm_gauss_ev**2 + FWHM_PER_SIGMA**2 * spread)
        fwhm = gauss if self.shape == "gauss" else lineshapes.voigt_fwhm(gauss, self.fwhm_lorentz_ev)
        return {
            "fwhm": fwhm,
            "centre_wavelength": HC_EV_NM / self.centre_ev,
            "fwhm_wavelength": fwhm * HC_EV_NM / self.centre_ev**2,
        }

    def respond(self, state: Any) -> Self:
        """Return the band of a specimen: energies by temperature and size law, area by conversion and quantum yield.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with another area, centre, width and Urbach energy, and a line for each class of sizes.
        """
        found = classes_of(state)
        return replace(
            self,
            centre_ev=found.centre_ev + self.gap_offset_ev,
            fwhm_gauss_ev=found.fwhm_ev * self.width_factor,
            urbach_ev=urbach_of(state.temperature_k),
            area=self.brightness * strength_of(state),
            offsets_ev=found.offsets_ev,
            shares=found.shares,
            cells_ev=found.cells_ev,
        )
