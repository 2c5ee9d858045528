"""Lines on a background: the forward model behind Raman and photoluminescence spectra.

Equations. With d = x - x_i the expected signal at a pixel is

    s(x) = sum_i A_i V(d; sqrt(g_i^2 + r^2), l_i) + sum_k b_k t^k,   t = x scaled to [-1, 1],

V is the Voigt function of unit area (Gaussian full width sqrt(g^2 + r^2), Lorentzian full width l), A_i the area in
signal units times the axis unit, and r the full width of the instrument's own (Gaussian) line, which is known. The
widths g_i and l_i therefore belong to the sample: they are freed from the instrument's. Without Lorentzian widths the
lines are Gaussian; without Gaussian widths they are Lorentzian, seen through the instrument alone. The signal is
taken at the middle of each pixel, which is right to 1 % for lines wider than two pixels.

Derived. Full width of the sample's own line: 0.5346 l + sqrt(0.2166 l^2 + g^2) (Olivero and Longbothum 1977, to
0.02 %); height above the background as seen through the instrument: A V(0); sum of the areas, and areas over the first.

Response of a specimen. The three Raman modes w_i of the perovskite move with isotropic linear strain e as
w_i (1 - 3 gamma_i e), with mode Grueneisen parameters gamma_i (parameters CsPbBr3.raman_mode_i, .grueneisen_i).

The axis has an uncertainty of its own, common to all lines: see `perolas.measurements.peaks.fit`.

Validated by tests/inversion (pulls), tests/unit/test_lineshapes.py (scipy's Voigt), tests/unit/test_peaks*.py.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.observation import AXIS_UNITS
from perolas.core.parameter import parameter, replace
from perolas.matter.parameters_library import parameter_value
from perolas.measurements import lineshapes

REFERENCES = ("weideman1994", "baker1984", "yang2020")
PARAMETERS_USED = tuple(f"CsPbBr3.{what}_{i}" for what in ("raman_mode", "grueneisen") for i in (1, 2, 3))
SHAPES = ("voigt", "gauss", "lorentz")

_DERIVED = {
    "fwhm": Derived("axis unit", "full width of the sample's own line, 0.5346 l + sqrt(0.2166 l^2 + g^2)"),
    "height": Derived("signal unit", "height of the line above the background, as seen through the instrument"),
    "area_ratio": Derived("1", "area of the line over that of the first"),
    "total_area": Derived("signal unit x axis unit", "sum of the areas of all lines"),
}
# The instrument's width is never below this share of a pixel: a Lorentzian is then right to 1e-8 of its height.
_SHARPEST = 1e-3


class Peaks(AbstractMeasurement):
    """Lines of the Voigt family on a polynomial background, on any axis.

    Attributes:
        position: shape (m,), centres of the lines, axis unit.
        area: shape (m,), areas, signal unit x axis unit.
        fwhm_gauss: shape (m,), Gaussian full widths of the sample; shape (0,) for Lorentzian lines.
        fwhm_lorentz: shape (m,), Lorentzian full widths of the sample; shape (0,) for Gaussian lines.
        background: shape (k,), coefficients of 1, t, t^2 ... on the axis scaled to [-1, 1].
        resolution: full width of the instrument's own Gaussian line, axis unit; known.
        axis_values: shape (n,), the axis, rising or falling.
        noise: Poisson by default.
        axis_name: one of `AXIS_UNITS`.
        signal_unit: unit of the signal.
    """

    technique: ClassVar[str] = "peaks"
    response_sets: ClassVar[tuple[str, ...]] = ("position",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    position: Float[Array, " m"] = parameter("axis unit", "centre of the line", name="position", vector=True)
    area: Float[Array, " m"] = parameter(
        "signal unit x axis unit", "area of the line", name="area", default=1e3, bounds=(0, np.inf), vector=True
    )
    fwhm_gauss: Float[Array, " m"] = parameter(
        "axis unit",
        "Gaussian full width of the sample's own line",
        name="fwhm_gauss",
        default=1.0,
        bounds=(0, np.inf),
        vector=True,
    )
    fwhm_lorentz: Float[Array, " m"] = parameter(
        "axis unit",
        "Lorentzian full width of the sample's own line",
        name="fwhm_lorentz",
        default=1.0,
        bounds=(0, np.inf),
        vector=True,
    )
    background: Float[Array, " k"] = parameter(
        "signal unit", "coefficient of the background on the axis scaled to [-1, 1]", name="background", vector=True
    )
    resolution: Float[Array, ""] = parameter(
        "axis unit", "full width of the instrument's own line", name="resolution", bounds=(0, np.inf), free=False
    )
    axis_values: Float[Array, " n"] = eqx.field(default_factory=lambda: np.linspace(-1, 1, 101), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    # Class variables of other techniques; lines can be looked for on any axis.
    axis_name: str = eqx.field(static=True, default="raman_shift_cm1")  # type: ignore[misc]
    signal_unit: str = eqx.field(static=True, default="counts")  # type: ignore[misc]

    def __check_init__(self) -> None:
        check.one_of(self.axis_name, AXIS_UNITS, "The axis")
        lines = np.shape(self.position)[-1]
        widths = {np.shape(w)[-1] for w in (self.fwhm_gauss, self.fwhm_lorentz)}
        if np.shape(self.area)[-1] != lines or not widths <= {0, lines} or (lines and widths == {0}):
            raise InputError(
                f"{lines} positions need as many areas and widths, but there are {np.shape(self.area)[-1]} areas, "
                f"{np.shape(self.fwhm_gauss)[-1]} Gaussian and {np.shape(self.fwhm_lorentz)[-1]} Lorentzian widths."
            )

    @property
    def shape(self) -> str:
        """Return ``"voigt"``, ``"gauss"`` or ``"lorentz"``: which widths there are."""
        if not self.fwhm_lorentz.shape[-1] and self.position.shape[-1]:
            return "gauss"
        return "voigt" if self.fwhm_gauss.shape[-1] else "lorentz"

    @property
    def axis(self) -> Float[Array, " n"]:
        """The axis as given, in the unit of `axis_name`."""
        return self.axis_values

    def _profile(self, distance: Array) -> Array:
        """Return the unit-area profile of each line; distance of shape (m, n)."""
        sharpest = _SHARPEST * jnp.median(jnp.abs(jnp.diff(self.axis_values)))
        own = self.fwhm_gauss[:, None] if self.fwhm_gauss.shape[-1] else 0.0
        total = jnp.sqrt(own**2 + self.resolution**2 + sharpest**2)
        if self.shape == "gauss":
            return lineshapes.gauss(distance, total)
        return lineshapes.voigt(distance, total, self.fwhm_lorentz[:, None])

    def _lines(self) -> Float[Array, "m n"]:
        return self.area[:, None] * self._profile(self.axis_values - self.position[:, None])

    def _background(self) -> Float[Array, " n"]:
        low, high = jnp.min(self.axis_values), jnp.max(self.axis_values)
        t = (2 * self.axis_values - low - high) / (high - low)
        total = jnp.zeros_like(t)
        for k in reversed(range(self.background.shape[-1])):
            total = total * t + self.background[k]
        return total

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        return self._background() + (jnp.sum(self._lines(), axis=0) if self.position.shape[-1] else 0.0)

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return each line, ``line_1`` ..., and the background."""
        lines = self._lines() if self.position.shape[-1] else ()
        return {f"line_{i + 1}": line for i, line in enumerate(lines)} | {"background": self._background()}

    def widths(self) -> Float[Array, " m"]:
        """Return the full width of each line of the sample, shape (m,)."""
        if self.shape == "gauss":
            return self.fwhm_gauss
        if self.shape == "lorentz":
            return self.fwhm_lorentz
        return lineshapes.voigt_fwhm(self.fwhm_gauss, self.fwhm_lorentz)

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the widths and heights of the lines, their areas over the first, and the sum of the areas."""
        lines = self.position.shape[-1]
        if not lines:
            return {}
        heights = self.area * self._profile(jnp.zeros((lines, 1)))[:, 0]
        found = {f"fwhm_{i + 1}": w for i, w in enumerate(self.widths())}
        found |= {f"height_{i + 1}": h for i, h in enumerate(heights)}
        found |= {f"area_ratio_{i + 1}": self.area[i] / self.area[0] for i in range(1, lines)}
        return found | {"total_area": jnp.sum(self.area)}

    def respond(self, state: Any) -> Self:
        """Return the Raman lines where the strain of a specimen puts them.

        Args:
            state: a `Specimen`; its isotropic linear strain (tension positive) moves the three modes.

        Returns:
            This measurement with its three positions set.

        Raises:
            InputError: the axis is no Raman shift, or there are not three lines.

        Source: modes of Yang 2020, Grueneisen parameters as in the parameter files.
        """
        if self.axis_name != "raman_shift_cm1" or self.position.shape[-1] != 3:
            raise InputError(
                "A specimen is known by its three Raman modes, so it needs three lines on a raman_shift_cm1 axis, "
                f"but there are {self.position.shape[-1]} on {self.axis_name}."
            )
        modes = jnp.asarray([parameter_value(f"CsPbBr3.raman_mode_{i}") for i in (1, 2, 3)])
        gamma = jnp.asarray([parameter_value(f"CsPbBr3.grueneisen_{i}") for i in (1, 2, 3)])
        return replace(self, position=modes * (1 - 3 * gamma * state.strain))
