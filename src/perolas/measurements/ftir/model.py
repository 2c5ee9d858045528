r"""Infrared absorbance of ligands: amounts of species on bands of known strength, above a baseline.

Equation. The absorbance (decadic) at wavenumber :math:`\nu` is

.. math:: A(\nu) = \sum_b \frac{\psi_b\, n_{s(b)}\, e^{c_b}}{\ln 10}\, g_b(\nu)\, p(\nu_b)
          + v\, V(\nu) + \text{baseline},

with n the amount of a species in the beam for each area (nmol/cm2), :math:`\psi_b` the integrated Napierian absorption
of a band for one molecule (km/mol, which is 1e5 cm/mol), c the logarithm of its error, g a pseudo-Voigt line of unit
area, V a measured spectrum of water vapour, and a baseline of second order in each window. In attenuated total
reflection p is :math:`1000\,\mathrm{cm}^{-1} / \nu_b`, since the light reaches deeper where it is longer; amounts are
then known up to one factor, and only their ratios mean anything.

Species: the chains (CH stretches and scissor), carboxylate (bound oleate), acid (free, as the dimer), ammonium, water.
Amounts may come out below zero, so that a species that is not there is not reported as a little of it on average.

**Response.** A `Specimen` decides chains, carboxylate and ammonium: coverage times the library's density of ligands,
times the surface that a mass of crystals of its size has. Free acid and water belong to the preparation.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, UnknownGaussian
from perolas.core.parameter import parameter, replace
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.ftir.bands import LIGANDS, OTHERS, band
from perolas.measurements.ftir.surface import surface_of_specimen
from perolas.measurements.lineshapes import pseudo_voigt

PER_NMOL = 1e5 * 1e-9 / math.log(10.0)  # area of a band in cm-1 for 1 km/mol and 1 nmol/cm2
_AVOGADRO = 6.02214076e23
_REFERENCE_CM1 = 1000.0

_DERIVED = {
    "bound_free_ratio": Derived("1", "carboxylate over free acid"),
    "free_share": Derived("1", "free acid over acid and carboxylate together"),
    "heads_per_chain": Derived("1", "acid, carboxylate and ammonium over chains: 1 if nothing else is there"),
    "split": Derived("cm-1", "separation of the asymmetric and the symmetric COO- stretch"),
}  # fmt: skip


class Ftir(AbstractMeasurement):
    """An absorbance spectrum in one or two windows.

    Attributes:
        amount_nmol_cm2: shape (l,), of each of `ligands`.
        other_nmol_cm2: shape (o,), of each of `others`.
        position_cm1: shape (b,), of each of `bands`.
        width_cm1: shape (b,), full width at half maximum.
        correction: shape (b,), c.
        lorentz_share: of every band's shape.
        baseline: shape (3 w,), coefficients of Legendre polynomials, window after window.
        vapour: v.
        wavenumber: shape (n,), cm-1, rising.
        window: shape (n,), number of the window of each point.
        along: shape (n,), place in the window from -1 to 1.
        template: shape (n,), V.
        noise: of the absorbance.
        mass_mg_cm2: mass of crystals in the beam, for the response.
        bands, ligands, others: names; static.
        atr: whether p applies; static.
    """

    technique: ClassVar[str] = "ftir"
    axis_name: ClassVar[str] = "wavenumber_cm1"
    signal_unit: ClassVar[str] = "1"
    response_sets: ClassVar[tuple[str, ...]] = ("amount_nmol_cm2",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    amount_nmol_cm2: Float[Array, " l"] = parameter(
        "nmol/cm^2", "amount in the beam of what belongs to the crystals", name="amount", default=100.0, vector=True
    )
    other_nmol_cm2: Float[Array, " o"] = parameter(
        "nmol/cm^2", "amount in the beam of what does not", name="amount", default=0.0, vector=True
    )
    position_cm1: Float[Array, " b"] = parameter(
        "cm-1", "position of a band", name="position", default=1500.0, bounds=(400.0, 4500.0), vector=True
    )
    width_cm1: Float[Array, " b"] = parameter(
        "cm-1", "full width of a band at half its height", name="width", default=20.0, bounds=(1.0, 400.0), vector=True
    )
    correction: Float[Array, " b"] = parameter(
        "1", "logarithm of a band's true strength over the stated one", name="correction", bounds=(-5.0, 5.0),
        free=False, vector=True,
    )  # fmt: skip
    lorentz_share: Float[Array, ""] = parameter(
        "1", "share of a Lorentzian in every band", name="lorentz_share", default=0.5, bounds=(0.0, 1.0), free=False
    )
    baseline: Float[Array, " w3"] = parameter(
        "1", "coefficient of the baseline", name="baseline", default=0.0, vector=True
    )
    vapour: Float[Array, ""] = parameter(
        "1", "amount of the measured spectrum of water vapour in this one", name="vapour", free=False
    )
    wavenumber: Float[Array, " n"] = eqx.field(default_factory=lambda: np.arange(2), converter=jnp.asarray)
    window: Float[Array, " n"] = eqx.field(default_factory=lambda: np.zeros(2), converter=jnp.asarray)
    along: Float[Array, " n"] = eqx.field(default_factory=lambda: np.zeros(2), converter=jnp.asarray)
    template: Float[Array, " n"] = eqx.field(default_factory=lambda: np.zeros(2), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=UnknownGaussian)
    mass_mg_cm2: Float[Array, ""] = eqx.field(default=0.5, converter=jnp.asarray)
    bands: tuple[str, ...] = eqx.field(static=True, default=())
    ligands: tuple[str, ...] = eqx.field(static=True, default=())
    others: tuple[str, ...] = eqx.field(static=True, default=())
    atr: bool = eqx.field(static=True, default=False)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Names of the components of vectors."""
        return {
            "amount_nmol_cm2": self.ligands, "other_nmol_cm2": self.others, "position_cm1": self.bands,
            "width_cm1": self.bands, "correction": self.bands,
        }  # fmt: skip

    @property
    def axis(self) -> Float[Array, " n"]:
        """The wavenumbers, cm-1."""
        return self.wavenumber

    def amount(self, species: str) -> Float[Array, ""]:
        """Return the amount of a species, nmol/cm2; 0 where it is not in the model."""
        if species in self.ligands:
            return self.amount_nmol_cm2[self.ligands.index(species)]
        return self.other_nmol_cm2[self.others.index(species)] if species in self.others else jnp.zeros(())

    def _bands(self) -> Float[Array, "b n"]:
        """Return the absorbance of each band."""
        known = [band(n) for n in self.bands]
        species = (*self.ligands, *self.others)
        owner = np.array([species.index(k.species) for k in known])
        amounts = jnp.concatenate([self.amount_nmol_cm2, self.other_nmol_cm2])[owner]
        depth = _REFERENCE_CM1 / self.position_cm1 if self.atr else 1.0
        strength = PER_NMOL * jnp.array([k.molecular_strength for k in known])
        area = strength * amounts * jnp.exp(self.correction) * depth
        away = self.wavenumber[None, :] - self.position_cm1[:, None]
        return area[:, None] * pseudo_voigt(away, self.width_cm1[:, None], self.lorentz_share)

    def _rest(self) -> Float[Array, " n"]:
        rows = self.baseline.reshape(-1, 3)[self.window.astype(int)]
        u = self.along
        flat = rows[:, 0] + rows[:, 1] * u + rows[:, 2] * 0.5 * (3.0 * u**2 - 1.0)
        return flat + self.vapour * self.template

    def expected(self) -> Float[Array, " n"]:
        """Return the expected absorbance, shape (n,)."""
        return jnp.sum(self._bands(), axis=0) + self._rest()

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the absorbance of each species, each of shape (n,), and the baseline with what else is there."""
        parts: dict[str, Float[Array, " n"]] = {"baseline": self._rest()}
        for name, line in zip(self.bands, self._bands(), strict=True):
            species = band(name).species
            parts[species] = parts[species] + line if species in parts else line
        return parts

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return ratios of species and the separation of the two COO- stretches."""
        found = {}
        bound, free, chain = self.amount("bound"), self.amount("free"), self.amount("chain")
        if "bound" in self.ligands and "free" in self.others:
            found["bound_free_ratio"] = bound / free
            found["free_share"] = free / (free + bound)
        if {"chain", "bound"} <= set(self.ligands):
            found["heads_per_chain"] = (bound + free + self.amount("ammonium")) / chain
        pair = ("carboxylate_asymmetric", "carboxylate_symmetric")
        if set(pair) <= set(self.bands):
            first, second = (self.position_cm1[self.bands.index(n)] for n in pair)
            found["split"] = first - second
        return found

    def respond(self, state: Any) -> Self:
        """Return the spectrum of a specimen's ligands; free acid and water stay.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with other amounts of chains, carboxylate and ammonium.
        """
        per_nm2 = state.ligand_coverage * parameter_value("ligand.density")
        ligands = per_nm2 * surface_of_specimen(state, self.mass_mg_cm2) / _AVOGADRO * 1e9
        oleate = parameter_value("ligand.oleate_share")
        amounts = {
            "chain": ligands + self.amount("free"), "bound": oleate * ligands, "ammonium": (1.0 - oleate) * ligands,
        }  # fmt: skip
        return replace(self, amount_nmol_cm2=jnp.stack([amounts[n] for n in self.ligands]))


def model(
    wavenumber: np.ndarray, windows: tuple[tuple[float, float], ...], bands: tuple[str, ...], **values: Any
) -> Ftir:
    """Return the model of some bands in some windows, at the library's positions and widths.

    Args:
        wavenumber: shape (n,), cm-1, all within the windows.
        windows: low and high end of each, cm-1.
        bands: names; those of one species may be left out.
        values: further fields of `Ftir`.

    Returns:
        The model.
    """
    wavenumber = np.asarray(wavenumber, dtype=float)
    window, along = np.zeros(wavenumber.size), np.zeros(wavenumber.size)
    for i, (low, high) in enumerate(windows):
        inside = (wavenumber >= low) & (wavenumber <= high)
        window[inside] = i
        along[inside] = (2.0 * wavenumber[inside] - low - high) / (high - low)
    known = [band(n) for n in bands]
    held = {k.species for k in known}
    ligands, others = tuple(s for s in LIGANDS if s in held), tuple(s for s in OTHERS if s in held)
    given: dict[str, Any] = {
        "amount_nmol_cm2": np.full(len(ligands), 100.0), "other_nmol_cm2": np.zeros(len(others)),
        "position_cm1": [k.position.value for k in known], "width_cm1": [k.width.value for k in known],
        "correction": np.zeros(len(known)), "lorentz_share": parameter_value("ftir.lorentz_share"),
        "baseline": np.zeros(3 * len(windows)), "template": np.zeros(wavenumber.size),
    }  # fmt: skip
    return Ftir(
        wavenumber=wavenumber, window=window, along=along, bands=bands, ligands=ligands, others=others,
        **{**given, **values},
    )  # fmt: skip
