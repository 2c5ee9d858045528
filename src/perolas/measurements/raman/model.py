r"""A Raman spectrum: lines of a sample seen through a filter on an axis that may be off.

Equations. A point that the instrument calls x (cm-1) lies at the wavelength :math:`\lambda_x = 1/(1/\lambda_0 - x)`.
If the axis is off by o (nm) and its dispersion by a share u, the light there has the shift

.. math:: \nu = \frac{1}{\lambda_0} - \frac{1}{\lambda_0 + (\lambda_x - \lambda_0 - o)/(1 + u)},

so that o moves every line by nearly the same :math:`10^7\, o / \lambda_s^2`: 16 cm-1 for a nanometre at 785 nm, 35 at
532 nm. The expected counts are

.. math:: s = t(\nu) \Big[ \sum_i \varphi_i A_i \frac{n(\nu) + 1}{n(\nu_i) + 1}
          \big(V(\nu - \nu_i) - L(\nu + \nu_i)\big)
          + C\, \frac{n(\nu) + 1}{kT/\nu} \frac{w^2}{w^2 + \nu^2} + \text{background} \Big] + \text{pedestal},

with V a Voigt line of unit area (Lorentzian full width of the mode, Gaussian full width of the spectrometer), L the
Lorentzian alone (so far from its centre a Voigt line is one), A the
area of a line as a filter-less instrument would count it, n + 1 the Bose factor of Stokes light, C a central peak (the
relaxation of Debye, of half width w), t = 1/(1 + exp(-(nu - edge)/(0.2276 w_t))) an edge filter that rises from 10 to
90 % over w_t, phi the volume share of the line's phase, and a background that is a polynomial. The antisymmetric pair
of lines is the imaginary part of a susceptibility, which vanishes at zero. Stokes light alone: nothing is asked of the
model below 0.5 cm-1. The Bose factor is not smeared by the spectrometer, which matters within a few of its widths from
the laser alone.

**Response.** A `Specimen` decides temperature, the share of each phase, and the positions: with its linear strain e
:math:`\nu_i = \nu_i^0 (1 - 3 \gamma_i e)`. What the library leaves open of :math:`\nu_i^0` and :math:`\gamma_i` is in
`mode_deviation` and `grueneisen_deviation`, in standard errors of the library; a joint fit varies both, and the offset
of the axis. How strong the lines of a phase are is not known beforehand: areas are the instrument's.
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
from perolas.measurements.lineshapes import lorentz, voigt, voigt_fwhm
from perolas.measurements.raman.modes import MEMBERS, modes

KELVIN_CM1 = 0.695034800  # k/(h c), cm-1 for each kelvin
_RISE = 1.0 / (2.0 * np.log(9.0))  # of a logistic edge: its scale over the distance from 10 to 90 %
_SHARPEST = 1e-3  # of a step: the least Gaussian width, so that a pure Lorentzian has one
_NEAREST_CM1 = 0.5  # nearer to the laser's line nothing is asked of the model

_DERIVED = {
    "fwhm_observed": Derived("cm-1", "full width of the line as the spectrometer shows it"),
    "height": Derived("signal unit", "height of the line above the background, without the filter"),
    "area_ratio": Derived("1", "area of the line over that of the first, without the filter"),
    "reduced_ratio": Derived("1", "the same, after the Bose factor and the cube of the light's frequency"),
}


class Raman(AbstractMeasurement):
    """A Stokes Raman spectrum.

    Attributes:
        position_cm1: shape (m,), true shift of each line.
        area: shape (m,), counts of each line where all of the sample is its phase.
        fwhm_cm1: shape (m,), Lorentzian full width.
        share: shape (p,), volume share of each of `phases`.
        mode_deviation, grueneisen_deviation: shape (m,), or (0,) without `phases`.
        resolution_cm1: Gaussian full width of the spectrometer.
        axis_offset_nm: o.
        axis_stretch: u.
        edge_cm1, edge_width_cm1: half height of the filter, and its rise from 10 to 90 %.
        central: C.
        central_width_cm1: w, half width.
        background: shape (k,), coefficients of 1, t, t^2 ... on the axis scaled to [-1, 1].
        pedestal: counts without light.
        bose_temperature_k: T.
        axis_values: shape (n,), cm-1.
        laser_nm: wavelength of the laser.
        noise: Poisson by default.
        phases: whose lines are decided by a specimen; static.
        owner: for each line the index in `phases` and in the phase's modes, or None; static.
        filtered: whether there is a filter; static.
        signal_unit: of the signal.
    """

    technique: ClassVar[str] = "raman"
    axis_name: ClassVar[str] = "raman_shift_cm1"
    response_sets: ClassVar[tuple[str, ...]] = ("position", "share", "bose_temperature")
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED
    # The last is the library's axis_calibration (a test holds it to it).
    law_priors: ClassVar[dict[str, tuple[float, float]]] = {
        "mode_deviation": (0.0, 1.0), "grueneisen_deviation": (0.0, 1.0), "axis_offset": (0.0, 0.03),
    }  # fmt: skip

    position_cm1: Float[Array, " m"] = parameter(
        "cm-1", "shift of the line", name="position", default=100.0, bounds=(-5000.0, 5000.0), vector=True
    )
    area: Float[Array, " m"] = parameter(
        "signal unit x axis unit", "area of the line, without the filter", name="area", default=1e3,
        bounds=(0.0, np.inf), vector=True,
    )  # fmt: skip
    fwhm_cm1: Float[Array, " m"] = parameter(
        "cm-1", "Lorentzian full width of the line", name="fwhm", default=8.0, bounds=(0.0, 2000.0), vector=True
    )
    share: Float[Array, " p"] = parameter(
        "1", "volume share of the phase", name="share", default=1.0, bounds=(0.0, 1.0), free=False, vector=True
    )
    mode_deviation: Float[Array, " d"] = parameter(
        "1", "what the line lies off the library's, in standard errors", name="mode_deviation", bounds=(-10.0, 10.0),
        free=False, vector=True,
    )  # fmt: skip
    grueneisen_deviation: Float[Array, " d"] = parameter(
        "1", "what its Grueneisen parameter is off the library's, in standard errors", name="grueneisen_deviation",
        bounds=(-10.0, 10.0), free=False, vector=True,
    )  # fmt: skip
    resolution_cm1: Float[Array, ""] = parameter(
        "cm-1", "full width of the spectrometer's own line", name="resolution", bounds=(0.0, 200.0), free=False
    )
    axis_offset_nm: Float[Array, ""] = parameter(
        "nm", "what the axis shows too much", name="axis_offset", bounds=(-20.0, 20.0), free=False
    )
    axis_stretch: Float[Array, ""] = parameter(
        "1", "what the dispersion is off, as a share", name="axis_stretch", bounds=(-0.2, 0.2), free=False
    )
    edge_cm1: Float[Array, ""] = parameter(
        "cm-1", "where the filter lets half of the light through", name="edge", bounds=(-100.0, 1000.0), free=False
    )
    edge_width_cm1: Float[Array, ""] = parameter(
        "cm-1", "from 10 to 90 % of the filter's rise", name="edge_width", default=10.0, bounds=(0.1, 500.0), free=False
    )
    central: Float[Array, ""] = parameter("signal unit", "height of the central peak at zero", name="central",
                                          free=False)  # fmt: skip
    central_width_cm1: Float[Array, ""] = parameter(
        "cm-1", "half width of the central peak", name="central_width", default=20.0, bounds=(0.5, 500.0), free=False
    )
    background: Float[Array, " k"] = parameter(
        "signal unit", "coefficient of the background on the axis scaled to [-1, 1]", name="background", vector=True
    )
    pedestal: Float[Array, ""] = parameter("signal unit", "counts without light", name="pedestal", free=False)
    bose_temperature_k: Float[Array, ""] = parameter(
        "K", "temperature of the sample", name="bose_temperature", default=300.0, bounds=(1.0, 3000.0), free=False
    )
    axis_values: Float[Array, " n"] = eqx.field(
        default_factory=lambda: np.arange(20.0, 180.0, 0.5), converter=jnp.asarray
    )
    laser_nm: Float[Array, ""] = eqx.field(default=785.0, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    phases: tuple[str, ...] = eqx.field(static=True, default=())
    owner: tuple[tuple[int, int] | None, ...] = eqx.field(static=True, default=())
    filtered: bool = eqx.field(static=True, default=False)
    signal_unit: str = eqx.field(static=True, default="counts")  # type: ignore[misc]

    # What the judgement of lines (`perolas.measurements.peaks_judge`) asks of a model.
    shape: ClassVar[str] = "lorentz"

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Names of the components of vectors."""
        return {"share": self.phases}

    @property
    def position(self) -> Float[Array, " m"]:
        """Where the axis shows each line, shape (m,), cm-1."""
        return self.on_axis(self.position_cm1)

    @property
    def fwhm_gauss(self) -> Float[Array, " 0"]:
        """No Gaussian width of the sample's own: shape (0,)."""
        return jnp.zeros(0)

    @property
    def fwhm_lorentz(self) -> Float[Array, " m"]:
        """The widths of the lines, shape (m,), cm-1."""
        return self.fwhm_cm1

    @property
    def resolution(self) -> Float[Array, ""]:
        """Full width of the spectrometer's own line, cm-1."""
        return self.resolution_cm1

    @property
    def axis(self) -> Float[Array, " n"]:
        """The axis as the instrument states it, cm-1."""
        return self.axis_values

    def true_shift(self, stated: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return the shift of the light at what the axis calls `stated`, cm-1."""
        laser = self.laser_nm
        seen = 1e7 / (1e7 / laser - stated)
        return 1e7 / laser - 1e7 / (laser + (seen - laser - self.axis_offset_nm) / (1.0 + self.axis_stretch))

    def on_axis(self, shift: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return what the axis calls light of a shift, cm-1; the inverse of `true_shift`."""
        laser = self.laser_nm
        away = 1e7 / (1e7 / laser - shift) - laser
        return 1e7 / laser - 1e7 / (laser + (1.0 + self.axis_stretch) * away + self.axis_offset_nm)

    def bose(self, shift: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return n + 1 at a shift (cm-1) and the sample's temperature; the shift is not zero."""
        return -1.0 / jnp.expm1(-shift / (KELVIN_CM1 * self.bose_temperature_k))

    def _shares(self) -> Float[Array, " m"]:
        if not self.phases:
            return jnp.ones(self.position_cm1.shape[-1])
        every = jnp.concatenate([self.share, jnp.ones(1)])
        return every[np.array([len(self.phases) if o is None else o[0] for o in self.owner])]

    def _gauss(self) -> Float[Array, ""]:
        step = jnp.abs(self.axis_values[-1] - self.axis_values[0]) / (self.axis_values.shape[-1] - 1)
        return jnp.sqrt(self.resolution_cm1**2 + (_SHARPEST * step) ** 2)

    def _parts(self) -> tuple[Float[Array, "m n"], Float[Array, " n"], Float[Array, " n"], Float[Array, " n"]]:
        """Return lines, central peak, background and the filter's transmission."""
        shift = self.true_shift(self.axis_values)
        v = jnp.maximum(shift, _NEAREST_CM1)
        bose = self.bose(v)
        at, width, gauss = self.position_cm1[:, None], self.fwhm_cm1[:, None], self._gauss()
        pair = voigt(v - at, gauss, width) - lorentz(v + at, width)
        lines = (self._shares() * self.area / self.bose(self.position_cm1))[:, None] * pair * bose
        w = self.central_width_cm1
        central = self.central * bose * v / (KELVIN_CM1 * self.bose_temperature_k) * w**2 / (w**2 + v**2)
        first, last = self.axis_values[0], self.axis_values[-1]
        t = (2.0 * self.axis_values - first - last) / jnp.abs(last - first)
        ground = jnp.zeros_like(t)
        for k in reversed(range(self.background.shape[-1])):
            ground = ground * t + self.background[k]
        through = jax.nn.sigmoid((shift - self.edge_cm1) / (_RISE * self.edge_width_cm1)) if self.filtered else (
            jnp.ones_like(t)
        )  # fmt: skip
        return lines, central, ground, through

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        lines, central, ground, through = self._parts()
        return through * (jnp.sum(lines, axis=0) + central + ground) + self.pedestal

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return each line, ``line_1`` ..., the central peak where there is one, and the background."""
        lines, central, ground, through = self._parts()
        found = {f"line_{i + 1}": through * line for i, line in enumerate(lines)}
        if isinstance(self.central, jax.core.Tracer) or float(self.central) != 0.0:
            found["central"] = through * central
        return found | {"background": through * ground + self.pedestal}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return observed widths, heights, and the areas over that of the first line, as counted and reduced."""
        lines = self.position_cm1.shape[-1]
        if not lines:
            return {}
        gauss, seen = self._gauss(), self._shares() * self.area
        found = {f"fwhm_observed_{i + 1}": w for i, w in enumerate(voigt_fwhm(gauss, self.fwhm_cm1))}
        heights = seen * voigt(jnp.zeros(lines), gauss, self.fwhm_cm1)
        found |= {f"height_{i + 1}": h for i, h in enumerate(heights)}
        reduced = seen / (self.bose(self.position_cm1) * (1e7 / self.laser_nm - self.position_cm1) ** 3)
        for i in range(1, lines):
            found[f"area_ratio_{i + 1}"] = seen[i] / seen[0]
            found[f"reduced_ratio_{i + 1}"] = reduced[i] / reduced[0]
        return found

    def respond(self, state: Any) -> Self:
        """Return the spectrum of a specimen: its strain, temperature and phases; other lines stay.

        Args:
            state: a `Specimen`; its isotropic linear strain (tension positive) moves the lines.

        Returns:
            This measurement with positions, shares and temperature set.

        Raises:
            InputError: none of the lines belongs to a phase that the library knows.

        Source: positions and Grueneisen parameters as in the parameter library.
        """
        if not self.phases:
            raise InputError(
                'None of these lines is said to belong to a phase; give phase="CsPbBr3" (or make the model by '
                "`of_phases`) to look at a specimen."
            )
        from perolas.matter import crystal
        from perolas.matter.specimen import PHASES

        places = list(self.position_cm1)
        for i, owner in enumerate(self.owner):
            if owner is None:
                continue
            known = modes(self.phases[owner[0]])[owner[1]]
            mode = known.position.value + known.position.std * self.mode_deviation[i]
            gamma = known.grueneisen.value + known.grueneisen.std * self.grueneisen_deviation[i]
            places[i] = mode * (1.0 - 3.0 * gamma * state.strain)
        volume = state.fraction * np.array([crystal.phase(n).molar_volume_cm3 for n in PHASES])
        share = [
            jnp.sum(volume[np.array([PHASES.index(n) for n in MEMBERS[phase]])]) / jnp.sum(volume)
            for phase in self.phases
        ]
        return replace(
            self, position_cm1=jnp.stack(places), share=jnp.stack(share), bose_temperature_k=state.temperature_k
        )


@eqx.filter_jit
def expected_of(model: Raman) -> Float[Array, " n"]:
    """Return the expected signal of a model, compiled as one, shape (n,)."""
    return model.expected()


@eqx.filter_jit
def looking_at(model: Raman, state: Any) -> Raman:
    """Return the model as it looks at a specimen, compiled as one."""
    return model.respond(state)


def of_phases(phases: tuple[str, ...], area: float = 1e4, **values: Any) -> Raman:
    """Return the model of the lines that the library knows of some phases.

    Args:
        phases: of `perolas.measurements.raman.modes.PHASES`.
        area: of the first line of each phase, where the sample is all of it.
        values: further fields of `Raman`.

    Returns:
        The model, unstrained.
    """
    lines = [(p, j, mode) for p, phase in enumerate(phases) for j, mode in enumerate(modes(phase))]
    given: dict[str, Any] = {
        "position_cm1": [m.position.value for _, _, m in lines], "area": [area * m.strength for _, _, m in lines],
        "fwhm_cm1": [m.width.value for _, _, m in lines], "share": np.ones(len(phases)),
        "mode_deviation": np.zeros(len(lines)), "grueneisen_deviation": np.zeros(len(lines)),
    }  # fmt: skip
    return Raman(phases=phases, owner=tuple((p, j) for p, j, _ in lines), **{**given, **values})
