r"""An absorption spectrum as a spectrophotometer shows it: edge, further transitions, a second phase, scattering.

.. math:: D(E) = a \frac{E_g}{E} \left[s(E) + u\, U(E - E_g)\right] + a_4 \left[e^{-4 \ln 2\, (E - E_4)^2 / w_4^2}
          + R(E - E_4)\right] + b \left(\frac{E}{E_0}\right)^p + c .

s is the broadened Elliott edge over the continuum's step at the gap (`edge_shape`); U what absorbs above it, of the
form of the n and k of CsPbBr3 (`dielectric`) with the weight u, 0 for a pure Elliott edge and 1 for that of the n and
k; a_4 the exciton's line of Cs4PbBr6 (314 nm) and R what follows it; b the scattering in the middle of the window
(p = 4 for particles much smaller than the wavelength, less for larger ones); c an offset (reflection, cells that
differ).

D is the absorbance, or K / S for diffuse reflectance. The signal is what was measured: D, 10^-D with a share of stray
light, or the reading of a sphere (`scales`), so that the noise of an intensity stays what it is where D is high. A
spectrum of absorbance is no density: between nm and eV it changes its axis and nothing else.

An amplitude is an amount: :math:`d = a \ln 10 / \mu` is the thickness of the phase if it were pressed solid,
:math:`\mu` its absorption coefficient by n and k; over its molar volume it is the lead on each cm2 of the beam, which
is concentration times path. In diffuse reflectance only the ratio of amounts is known, since S is not.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter, replace
from perolas.core.units import FWHM_PER_SIGMA
from perolas.matter.parameters_library import physical_parameter
from perolas.measurements.absorption import dielectric, scales
from perolas.measurements.absorption.edge_shape import elliott

KINDS = ("absorbance", "transmittance", "reflectance")
_NM_PER_CM = 1e7
_UMOL = 1e6


def _law_priors() -> dict[str, tuple[float, float]]:
    """Return what the laws of a specimen leave open, and what of the instrument has a prior in a fit of its own."""
    keys = {
        "upper": "absorption.upper_weight", "scatter_power": "absorption.scattering_power",
        "lorentz_share": "absorption.lorentz_share", "sech_share": "absorption.sech_share",
        "reference": "absorption.white_reference_reflectance", "second_centre": "Cs4PbBr6.band_gap",
        "second_fwhm": "Cs4PbBr6.exciton_width",
    }  # fmt: skip
    known = {name: (p.value, p.std) for name, p in ((n, physical_parameter(k)) for n, k in keys.items())}
    binding = physical_parameter("CsPbBr3.exciton_binding_energy")  # meV
    strength = math.hypot(dielectric.relative_std("CsPbBr3"), dielectric.relative_std("Cs4PbBr6"))
    known |= {"binding": (binding.value / 1e3, binding.std / 1e3), "strength_ratio": (1.0, strength)}
    # As for the emission (`perolas.measurements.pl`), which rests on the same laws of gap and width.
    return known | {"gap_offset": (0.0, 0.02), "width_factor": (1.0, 0.2)}


_DERIVED = {
    "exciton": Derived("eV", "energy of the lowest exciton, the gap less its binding energy (the optical gap)"),
    "exciton_area": Derived("eV", "area of the lowest exciton line, 2 binding energy x amplitude"),
    "solid": Derived("nm", "thickness of all CsPbBr3 in the beam, pressed solid: amplitude x ln 10 / mu"),
    "column": Derived(
        "umol/cm^2", "lead in CsPbBr3 on each cm2 of the beam, concentration x path: solid / molar volume"
    ),
    "concentration": Derived("mmol/L", "lead in CsPbBr3 over the volume of the path: column / path"),
    "second_solid": Derived("nm", "thickness of all Cs4PbBr6 in the beam, pressed solid"),
    "second_column": Derived("umol/cm^2", "lead in Cs4PbBr6 on each cm2 of the beam"),
    "second_concentration": Derived("mmol/L", "lead in Cs4PbBr6 over the volume of the path"),
    "phase_ratio": Derived("1", "lead in Cs4PbBr6 over lead in CsPbBr3"),
    "converted": Derived("1", "share of the lead of both phases that is in CsPbBr3"),
}


class Absorption(AbstractMeasurement):
    """An absorption spectrum.

    Attributes:
        gap_ev: where the continuum begins, eV.
        binding_ev: exciton binding energy, eV.
        fwhm_ev: full width of the broadening, eV.
        lorentz_share, sech_share: shares of the broadening's area that are Lorentzian and a hyperbolic secant, the
            rest being Gaussian.
        amplitude: absorbance (or K / S) of the continuum's step at the gap.
        upper: u.
        second: absorbance of the exciton of Cs4PbBr6 at its maximum.
        second_ev, second_fwhm_ev: its energy and full width, eV.
        scatter: absorbance by scattering in the middle of the window.
        scatter_power: p.
        offset: constant absorbance.
        stray: share of stray light in the lamp's intensity.
        port, wall, reference: share of the sphere's wall that is the sample's port, reflectance of wall and reference.
        path_cm: length of the light's path in the sample, cm.
        gap_offset_ev: what a specimen's gap lies above the library's law, eV.
        width_factor: width of a specimen's edge over that of the library's law.
        strength_ratio: absorption of Cs4PbBr6 for each lead, over what n and k say of it, in a specimen.
        energy_ev: shape (n,), eV.
        noise: of the signal.
        kind: what was measured, one of `KINDS`; static.
        phases: whether Cs4PbBr6 is in the model; static.
        medium: what is around the nanocrystals, ``"film"`` for a solid, ``""`` for an edge that is not CsPbBr3; static.
    """

    technique: ClassVar[str] = "absorption"
    axis_name: ClassVar[str] = "energy_ev"
    signal_unit: ClassVar[str] = "1"
    response_sets: ClassVar[tuple[str, ...]] = ("gap", "fwhm", "amplitude", "second")
    law_priors: ClassVar[dict[str, tuple[float, float]]] = _law_priors()
    keeps_total: ClassVar[tuple[str, ...]] = ("amplitude", "second")
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    gap_ev: Float[Array, ""] = parameter(
        "eV", "gap: where the continuum begins", name="gap", default=2.4, bounds=(0.1, 12.0)
    )
    binding_ev: Float[Array, ""] = parameter(
        "eV", "binding energy of the exciton", name="binding", default=0.0325, bounds=(1e-4, 2.0)
    )
    fwhm_ev: Float[Array, ""] = parameter(
        "eV", "full width of the broadening", name="fwhm", default=0.07, bounds=(1e-4, 2.0)
    )
    lorentz_share: Float[Array, ""] = parameter(
        "1", "share of the broadening that is Lorentzian instead of Gaussian", name="lorentz_share", bounds=(-0.5, 1.5),
        free=False,
    )  # fmt: skip
    sech_share: Float[Array, ""] = parameter(
        "1", "share of the broadening that is a hyperbolic secant instead of Gaussian", name="sech_share",
        bounds=(-0.5, 1.5), free=False,
    )  # fmt: skip
    amplitude: Float[Array, ""] = parameter(
        "1", "absorbance (or K / S) of the continuum's step at the gap", name="amplitude", default=0.3
    )
    upper: Float[Array, ""] = parameter(
        "1", "absorption by transitions above the edge, over that of the n and k of CsPbBr3", name="upper",
        default=1.0, bounds=(-20.0, 20.0), free=False,
    )  # fmt: skip
    second: Float[Array, ""] = parameter(
        "1", "absorbance (or K / S) of the exciton of Cs4PbBr6 at its maximum", name="second", free=False
    )
    second_ev: Float[Array, ""] = parameter(
        "eV", "energy of the exciton of Cs4PbBr6", name="second_centre", default=3.95, bounds=(3.0, 5.0), free=False
    )
    second_fwhm_ev: Float[Array, ""] = parameter(
        "eV", "full width of that line", name="second_fwhm", default=0.15, bounds=(0.01, 1.0), free=False
    )
    scatter: Float[Array, ""] = parameter("1", "absorbance by scattering in the middle of the window", name="scatter")
    scatter_power: Float[Array, ""] = parameter(
        "1", "power of the photon energy with which scattering grows", name="scatter_power", default=4.0,
        bounds=(0.3, 10.0), free=False,
    )  # fmt: skip
    offset: Float[Array, ""] = parameter("1", "constant absorbance", name="offset")
    stray: Float[Array, ""] = parameter(
        "1", "stray light, over the light of the lamp", name="stray", bounds=(0.0, 0.5), free=False
    )
    port: Float[Array, ""] = parameter(
        "1", "share of an integrating sphere's wall that the sample's port takes (0: double beam)", name="port",
        bounds=(0.0, 0.5), free=False,
    )  # fmt: skip
    wall: Float[Array, ""] = parameter(
        "1", "reflectance of the sphere's wall", name="wall", default=0.98, bounds=(0.5, 1.0), free=False
    )
    reference: Float[Array, ""] = parameter(
        "1", "reflectance of the white reference", name="reference", default=0.99, bounds=(0.3, 1.1), free=False
    )
    path_cm: Float[Array, ""] = parameter(
        "cm", "length of the light's path in the sample", name="path", default=1.0, bounds=(1e-9, 1e3), free=False
    )
    gap_offset_ev: Float[Array, ""] = parameter(
        "eV", "what a specimen's gap lies above the library's law", name="gap_offset", bounds=(-0.5, 0.5), free=False
    )
    width_factor: Float[Array, ""] = parameter(
        "1", "width of a specimen's edge over that of the library's law", name="width_factor", default=1.0,
        bounds=(0.05, 20.0), free=False,
    )  # fmt: skip
    strength_ratio: Float[Array, ""] = parameter(
        "1", "absorption of Cs4PbBr6 for each lead, over what n and k say, in a specimen", name="strength_ratio",
        default=1.0, bounds=(0.05, 20.0), free=False,
    )  # fmt: skip
    energy_ev: Float[Array, " n"] = eqx.field(default_factory=lambda: np.linspace(2.0, 3.0, 201), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    kind: str = eqx.field(static=True, default="absorbance")
    phases: bool = eqx.field(static=True, default=False)
    medium: str = eqx.field(static=True, default="toluene")

    def __check_init__(self) -> None:
        """Refuse an unknown kind of signal or medium."""
        check.one_of(self.kind, KINDS, "The kind of signal")
        check.one_of(self.medium, ("", *dielectric.MEDIA), "The medium")

    @property
    def axis(self) -> Float[Array, " n"]:
        """Photon energies, eV."""
        return self.energy_ev

    def _parts(self) -> dict[str, Float[Array, " n"]]:
        lines, continuum = elliott(
            self.energy_ev, self.gap_ev, self.binding_ev, self.fwhm_ev, self.lorentz_share, self.sech_share
        )
        scale = self.amplitude * self.gap_ev / self.energy_ev
        middle = 0.5 * (self.energy_ev[0] + self.energy_ev[-1])
        above = _pieces(dielectric.perovskite(self.medium or "toluene").spline, self.energy_ev - self.gap_ev)
        parts = {"exciton": scale * lines, "continuum": scale * (continuum + self.upper * above)}
        if self.phases:
            away = self.energy_ev - self.second_ev
            line = jnp.exp(-0.5 * (FWHM_PER_SIGMA * away / self.second_fwhm_ev) ** 2)
            parts["Cs4PbBr6"] = self.second * (line + _pieces(dielectric.parent(self.medium or "toluene").spline, away))
        parts["scattering"] = self.scatter * (self.energy_ev / middle) ** self.scatter_power + self.offset
        return parts

    def background(self) -> Float[Array, " n"]:
        """Return scattering and offset as absorbance (or K / S), shape (n,)."""
        return self._parts()["scattering"]

    def absorbance(self) -> Float[Array, " n"]:
        """Return the absorbance (or K / S) at each energy, shape (n,)."""
        return sum(self._parts().values(), jnp.zeros_like(self.energy_ev))

    def _shown(self, optical: Array) -> Array:
        if self.kind == "reflectance":
            true = scales.diffuse_reflectance(jnp.maximum(optical, 1e-9))
            return scales.sphere_reading(true, self.port, self.wall, self.reference)
        transmitted = scales.with_stray_light(10.0**-optical, self.stray)
        if self.kind == "transmittance":
            return transmitted
        return jnp.where(self.stray > 0, scales.absorbance(transmitted), optical)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,)."""
        return self._shown(self.absorbance())

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return exciton, continuum, Cs4PbBr6 and background of an absorbance; of other signals the background's."""
        parts = self._parts()
        return parts if self.kind == "absorbance" else {"background": self._shown(parts["scattering"])}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the exciton, and the amounts of both phases as far as this kind of signal knows them."""
        found = {"exciton": self.gap_ev - self.binding_ev, "exciton_area": 2.0 * self.binding_ev * self.amplitude}
        if not self.medium:
            return found
        amounts = self._amounts()
        names = ("solid", "second_solid")[: len(amounts)]
        if self.kind != "reflectance":
            for name, (solid, molar) in zip(names, amounts, strict=True):
                found[name] = solid
                column = solid / _NM_PER_CM / molar * _UMOL
                found[name.replace("solid", "column")] = column
                if self.medium != "film":
                    found[name.replace("solid", "concentration")] = column / self.path_cm
        if self.phases:
            lead, other = (solid / molar for solid, molar in amounts)
            found |= {"phase_ratio": other / lead, "converted": lead / (lead + other)}
        return found

    def _amounts(self) -> list[tuple[Any, float]]:
        """Return solid thickness (nm; in units of 1 / S for a reflectance) and molar volume (cm3) of each phase."""
        per = math.log(10.0) if self.kind != "reflectance" else 1.0
        pairs = [(self.amplitude, dielectric.perovskite(self.medium))]
        pairs += [(self.second, dielectric.parent(self.medium))] if self.phases else []
        return [(a * per * _NM_PER_CM / m.height_cm1, m.molar_volume_cm3) for a, m in pairs]

    def respond(self, state: Any) -> Self:
        """Return the spectrum of a specimen: its lead, shared out among the phases, and where their edges lie.

        The lead in the beam is what the amplitudes hold together and belongs to the instrument (path, dilution). The
        library's gap is the optical one, so that the continuum begins a binding energy above it; the width is that of
        the emission, with what the spread of sizes adds. What a specimen does not know stays: the binding energy, the
        transitions above the edge, the place and width of the line of Cs4PbBr6, the scattering of aggregates.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with other gap, width and amplitudes.
        """
        from perolas.measurements.pl.response import band_of

        optical, width = band_of(state)
        medium = self.medium or "toluene"
        both = (dielectric.perovskite(medium), dielectric.parent(medium))
        strength = [m.height_cm1 * m.molar_volume_cm3 for m in both]
        lead = self.amplitude / strength[0] + self.second / strength[1]
        shares = state.lead_fractions()
        return replace(
            self, gap_ev=optical + self.gap_offset_ev + self.binding_ev, fwhm_ev=width * self.width_factor,
            amplitude=lead * state.converted() * strength[0],
            second=lead * shares[..., 0] * strength[1] * self.strength_ratio,
        )  # fmt: skip


def _pieces(spline: np.ndarray, excess_ev: Array) -> Array:
    """Return the value of cubic pieces that begin at zero energy above the edge; zero below, level beyond."""
    step, count = dielectric.STEP, spline.shape[1]
    x = jnp.clip(excess_ev, 0.0, step * count * (1.0 - 1e-12))
    at = jnp.floor(x / step).astype(int)
    t = x - at * step
    c = jnp.asarray(spline)[:, at]
    return c[0] + t * (c[1] + t * (c[2] + t * c[3]))
