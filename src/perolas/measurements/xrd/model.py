"""Powder X-ray diffraction: the pattern of any set of crystals in Bragg-Brentano geometry, counted at steps of 2 theta.

Lines. Phase p with cell G_p diffracts at sin(theta) = lambda / (2 d), 1/d^2 = h^T G_p^-1 h, for each wavelength of
the tube (K alpha 1 and, with `ka2_ratio` of its intensity, K alpha 2). Squared structure factors F^2 and
multiplicities m are gemmi's for the coordinates of the structure file and stay as they are; the cell moves only
the lines. The area of a line, in counts deg, is

    A = area_p m F^2 exp(-4 pi^2 U_p / d^2) T LP / (m F^2 LP of the strongest line),
    LP = (1 + cos^2(2 theta_m) cos^2(2 theta)) / (sin^2(theta) cos(theta)),

with theta_m the monochromator's angle, U_p a displacement parameter on top of those of the file, and T the
March-Dollase factor, the mean over the family of (r^2 cos^2 a + sin^2 a / r)^(-3/2), a being the angle to the texture
axis at the reference cell. The observed position is 2 theta + zero - (2 s / R) cos(theta), s being how far the sample's
surface lies too low and R the goniometer's radius.

Widths (full, at half maximum; Thompson-Cox-Hastings pseudo-Voigt):

    Gauss^2 = U tan^2(theta) + V tan(theta) + W + (4 e_p tan(theta))^2,
    Lorentz = X tan(theta) + Y / cos(theta) + K lambda / (L_p cos(theta)),

so that size L_p (volume-weighted column height times K, Scherrer's K = 0.9 unless said otherwise) is Lorentzian and
microstrain e_p Gaussian. Axial divergence follows Finger, Cox and Jephcoat with equal heights (`profile`). Background:
Chebyshev polynomials. Not in the model: anomalous scattering, absorption, microabsorption, extinction, roughness.

Weight fractions (Hill and Howard): w_p ~ S_p (Z M V)_p with S_p the scale of m F^2 LP. They are fractions of the
crystalline phases that were named, whatever amorphous matter there is.

Response of a specimen: mass fractions, the volume-weighted mean size <L^4>/<L^3> of its size law as L_p of every
phase, and cells of the library scaled by 1 + strain. The total area stays as it is.

Beside rietx, which refines structures: here one specimen serves all techniques, patterns are fitted in batches, and
fractions enter joint inversions; coordinates are never refined.

Validated by tests/inversion, tests/unit/test_xrd_model.py (pymatgen's sticks with analytic pseudo-Voigts), and the
certified cell of NIST SRM 660c (tests/papers).
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter, replace
from perolas.matter import lattice
from perolas.measurements.xrd.profile import axial_positions, blocks, safe_gauss, tch

REFERENCES = ("thompson1987", "finger1994", "caglioti1958", "dollase1986", "hill1987", "holzer1997")
PARAMETERS_USED = ("Cu.k_alpha1", "Cu.k_alpha2")

_DERIVED = {
    "weight_fraction": Derived("1", "share of the mass of all named phases, S Z M V / sum(S Z M V)"),
    "cell_volume": Derived("nm3", "volume of the cell"),
}
_POSITIVE = (0.0, np.inf)


class Xrd(AbstractMeasurement):
    """A powder pattern of k phases, in counts at each step. Build one with `perolas.measurements.xrd.pattern`.

    Vectors have one element for each phase, except the lists of cell parameters and of background coefficients.
    """

    technique: ClassVar[str] = "xrd"
    axis_name: ClassVar[str] = "two_theta_deg"
    response_sets: ClassVar[tuple[str, ...]] = ("area", "crystallite_size", "cell")
    keeps_total: ClassVar[tuple[str, ...]] = ("area",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    area: Float[Array, " k"] = parameter(
        "counts deg",
        "area of the strongest line, K alpha 1, without texture",
        name="area",
        default=100.0,
        bounds=_POSITIVE,
        vector=True,
    )
    crystallite_nm: Float[Array, " k"] = parameter(
        "nm",
        "crystallite size (Scherrer), volume-weighted",
        name="crystallite_size",
        default=100.0,
        bounds=(0.5, 1e5),
        vector=True,
    )
    microstrain: Float[Array, " k"] = parameter(
        "1",
        "microstrain e: a Gaussian full width of 4 e tan(theta)",
        name="microstrain",
        bounds=(0, 0.1),
        free=False,
        vector=True,
    )
    march: Float[Array, " k"] = parameter(
        "1",
        "March-Dollase ratio: 1 no texture, below 1 plates lying flat",
        name="march",
        default=1.0,
        bounds=(0.05, 10),
        free=False,
        vector=True,
    )
    extra_u_nm2: Float[Array, " k"] = parameter(
        "nm2",
        "isotropic displacement parameter on top of the structure file's",
        name="extra_u",
        bounds=(-5e-4, 5e-3),
        free=False,
        vector=True,
    )
    length_nm: Float[Array, " q"] = parameter("nm", "cell parameter", name="cell", bounds=(0.05, 50), vector=True)
    angle_deg: Float[Array, " r"] = parameter("deg", "cell angle", name="cell_angle", bounds=(30, 150), vector=True)
    displacement_mm: Float[Array, ""] = parameter(
        "mm", "how far the sample's surface lies too low", name="displacement"
    )
    zero_deg: Float[Array, ""] = parameter("deg", "zero of the two-theta axis", name="zero", free=False)
    caglioti_u: Float[Array, ""] = parameter("deg2", "instrument, Gauss^2 over tan^2", name="caglioti_u", free=False)
    caglioti_v: Float[Array, ""] = parameter("deg2", "instrument, Gauss^2 over tan", name="caglioti_v", free=False)
    caglioti_w: Float[Array, ""] = parameter(
        "deg2", "instrument, Gauss^2 constant", name="caglioti_w", default=0.0036, free=False
    )
    lorentz_x: Float[Array, ""] = parameter(
        "deg", "instrument, Lorentz over tan", name="lorentz_x", bounds=_POSITIVE, free=False
    )
    lorentz_y: Float[Array, ""] = parameter(
        "deg", "instrument, Lorentz times cos", name="lorentz_y", default=0.01, bounds=_POSITIVE, free=False
    )
    axial: Float[Array, ""] = parameter(
        "1", "axial opening H/L of source and slit", name="axial", bounds=(0, 0.1), free=False
    )
    ka2_ratio: Float[Array, ""] = parameter(
        "1", "intensity of K alpha 2 over K alpha 1", name="ka2_ratio", default=0.5, bounds=(0, 1), free=False
    )
    background: Float[Array, " c"] = parameter(
        "counts", "Chebyshev coefficient of the background", name="background", vector=True
    )

    axis_deg: Float[Array, " n"] = eqx.field(kw_only=True, converter=jnp.asarray)
    x_blocks: Float[Array, "b p"] = eqx.field(kw_only=True, converter=jnp.asarray)
    block_lines: Int[Array, "b m"] = eqx.field(kw_only=True, converter=jnp.asarray)
    hkl: Float[Array, "l 3"] = eqx.field(kw_only=True, converter=jnp.asarray)
    line_phase: Int[Array, " l"] = eqx.field(kw_only=True, converter=jnp.asarray)
    strength: Float[Array, " l"] = eqx.field(kw_only=True, converter=jnp.asarray)
    to_axis: Float[Array, "l e"] = eqx.field(kw_only=True, converter=jnp.asarray)
    weight_per_area: Float[Array, " k"] = eqx.field(kw_only=True, converter=jnp.asarray)
    mass_index: Int[Array, " k"] = eqx.field(kw_only=True, converter=jnp.asarray)
    reference_length_nm: Float[Array, " q"] = eqx.field(kw_only=True, converter=jnp.asarray)
    wavelength_nm: Float[Array, " w"] = eqx.field(kw_only=True, converter=jnp.asarray)
    monochromator_deg: Float[Array, ""] = eqx.field(kw_only=True, default=0.0, converter=jnp.asarray)
    radius_mm: Float[Array, ""] = eqx.field(kw_only=True, default=200.0, converter=jnp.asarray)
    shape_factor: Float[Array, ""] = eqx.field(kw_only=True, default=0.9, converter=jnp.asarray)
    axial_u: Float[Array, " m"] = eqx.field(kw_only=True, converter=jnp.asarray)
    axial_weight: Float[Array, " m"] = eqx.field(kw_only=True, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(kw_only=True, default_factory=Poisson)
    phases: tuple[str, ...] = eqx.field(kw_only=True, static=True)
    cells: tuple[tuple[tuple[str, Any], ...], ...] = eqx.field(kw_only=True, static=True)
    texture_axes: tuple[tuple[int, ...], ...] = eqx.field(kw_only=True, static=True, default=())

    @property
    def axis(self) -> Float[Array, " n"]:
        """The diffraction angles two theta, shape (n,), in degrees."""
        return self.axis_deg

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the elements of the vectors, field -> names."""
        lengths: dict[int, str] = {}
        angles: dict[int, str] = {}
        for phase, cell in zip(self.phases, self.cells, strict=True):
            for name, (kind, where) in zip(("a", "b", "c", "alpha", "beta", "gamma"), cell, strict=True):
                if kind == "length":
                    lengths.setdefault(where, f"{name}_{phase}")
                elif kind == "angle":
                    angles.setdefault(where, f"{name}_{phase}")
        per_phase = ("area", "crystallite_nm", "microstrain", "march", "extra_u_nm2")
        return {
            **dict.fromkeys(per_phase, self.phases),
            "length_nm": tuple(lengths.values()),
            "angle_deg": tuple(angles.values()),
        }

    def cell_table(self) -> Float[Array, "k 6"]:
        """Return a, b, c in nm and alpha, beta, gamma in degrees of each phase, shape (k, 6)."""
        rows = []
        for cell in self.cells:
            row = []
            for kind, where in cell:
                source = {"length": self.length_nm, "angle": self.angle_deg}
                row.append(jnp.asarray(where, dtype=float) if kind == "fixed" else source[kind][where])
            rows.append(jnp.stack(row))
        return jnp.stack(rows)

    def sticks(self) -> tuple[Array, Array, Array, Array]:
        """Return the lines without axial divergence: position, area, full width, Lorentz share, each (l, w)."""
        cells = self.cell_table()
        inverse = jnp.stack([jnp.linalg.inv(lattice.metric_tensor(c)) for c in cells])[self.line_phase]
        squared = jnp.einsum("li,lij,lj->l", self.hkl, inverse, self.hkl)[:, None]
        sine = jnp.minimum(0.5 * self.wavelength_nm * jnp.sqrt(squared), 0.99999)
        cosine = jnp.sqrt(1.0 - sine**2)
        tangent = sine / cosine
        two_theta = 2.0 * jnp.arcsin(sine)
        mono = jnp.cos(jnp.deg2rad(self.monochromator_deg)) ** 2
        polarised = (1.0 + mono * jnp.cos(two_theta) ** 2) / (sine**2 * cosine)
        tube = jnp.stack([jnp.asarray(1.0), self.ka2_ratio])[: self.wavelength_nm.shape[0]]
        fall = jnp.exp(-4.0 * jnp.pi**2 * self.extra_u_nm2[self.line_phase] * squared[:, 0])
        of_phase = (self.area[self.line_phase] * self.strength * fall * self._texture())[:, None]
        gauss = safe_gauss(
            self.caglioti_u * tangent**2
            + self.caglioti_v * tangent
            + self.caglioti_w
            + (jnp.rad2deg(4.0 * self.microstrain[self.line_phase])[:, None] * tangent) ** 2
        )
        size = jnp.rad2deg(self.shape_factor * self.wavelength_nm / self.crystallite_nm[self.line_phase][:, None])
        lorentz = self.lorentz_x * tangent + (self.lorentz_y + size) / cosine
        fwhm, share = tch(gauss, lorentz)
        shift = self.zero_deg - jnp.rad2deg(2.0 * self.displacement_mm / self.radius_mm) * cosine
        return jnp.rad2deg(two_theta) + shift, of_phase * polarised * tube, fwhm, share

    def _texture(self) -> Array:
        if self.to_axis.shape[1] == 0:
            return jnp.ones(())
        r = self.march[self.line_phase][:, None]
        there = self.to_axis >= 0  # families differ in size; -1 fills up
        squared = jnp.where(there, self.to_axis, 0.0)
        each = (r**2 * squared + (1.0 - squared) / r) ** -1.5
        return jnp.sum(jnp.where(there, each, 0.0), axis=1) / jnp.sum(there, axis=1)

    def _lines_on_axis(self) -> Float[Array, " n"]:
        position, area, fwhm, share = (part.reshape(-1) for part in self.sticks())
        moved, part = axial_positions(position, self.axial, self.axial_u, self.axial_weight)
        many = self.axial_u.shape[0]
        rows = (moved, area[:, None] * part, jnp.repeat(fwhm, many), jnp.repeat(share, many))
        none = (-1e3, 0.0, 1.0, 0.5)  # the line that is not there, which fills up the table
        padded = [jnp.append(r.reshape(-1), v)[self.block_lines] for r, v in zip(rows, none, strict=True)]
        return blocks(self.x_blocks, *padded).reshape(-1)[: self.axis_deg.shape[0]]

    def _design(self) -> Float[Array, "c n"]:
        low, high = self.axis_deg[0], self.axis_deg[-1]
        x = jnp.clip((2.0 * self.axis_deg - low - high) / (high - low), -1.0, 1.0)
        return jnp.cos(jnp.arange(self.background.shape[-1])[:, None] * jnp.arccos(x))

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal at each step, shape (n,)."""
        total = self._lines_on_axis() + self.background @ self._design()
        return jnp.maximum(total, 1e-6) if isinstance(self.noise, Poisson) else total

    def basis(self) -> Float[Array, "k+c n"]:
        """Return what the signal is linear in: each phase at an area of one, then the background's polynomials."""
        units = jnp.eye(len(self.phases))
        lines = [replace(self, area=unit)._lines_on_axis() for unit in units]
        return jnp.concatenate([jnp.stack(lines), self._design()])

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the lines of each phase, and the background."""
        rows = self.basis()
        parts = {name: self.area[i] * rows[i] for i, name in enumerate(self.phases)}
        return parts | {"background": self.background @ rows[len(self.phases) :]}

    def volumes_nm3(self) -> Float[Array, " k"]:
        """Return the volume of each phase's cell, nm3."""
        return jnp.stack([lattice.cell_volume_nm3(c) for c in self.cell_table()])

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return weight fractions, where there are several phases, and the volumes of the cells."""
        found: dict[str, Float[Array, ""]] = {}
        volumes = self.volumes_nm3()
        if len(self.phases) > 1:
            mass = self.area * self.weight_per_area * volumes
            fractions = mass / jnp.maximum(jnp.sum(mass), 1e-300)
            found.update({f"weight_fraction_{name}": fractions[i] for i, name in enumerate(self.phases)})
        return found | {f"cell_volume_{name}": volumes[i] for i, name in enumerate(self.phases)}

    def respond(self, state: Any) -> Self:
        """Return the pattern of a specimen; the areas of all phases together stay as they are.

        Args:
            state: a `Specimen`. Phases that it does not know are absent.

        Returns:
            This measurement with areas, crystallite sizes and cells of the specimen.
        """
        length = self.reference_length_nm * (1.0 + state.strain)
        strained = replace(self, length_nm=length)
        mass = jnp.append(state.mass_fractions(), 0.0)[self.mass_index]
        area = mass / (self.weight_per_area * strained.volumes_nm3())
        area = jnp.sum(self.area) * area / jnp.maximum(jnp.sum(area), 1e-300)
        size = volume_weighted_nm(state) * jnp.ones(len(self.phases))
        return replace(strained, area=area, crystallite_nm=size)


def volume_weighted_nm(state: Any) -> Float[Array, ""]:
    """Return the volume-weighted mean <L^4> / <L^3> of a specimen's size law, nm, which is what line widths see."""
    m, s = state.size_nm, state.size_std_nm
    if state.size_law == "lognormal":
        return m * (1.0 + (s / m) ** 2) ** 3
    return (m**4 + 6.0 * m**2 * s**2 + 3.0 * s**4) / (m**3 + 3.0 * m * s**2)
