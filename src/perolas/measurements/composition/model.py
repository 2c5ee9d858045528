r"""Composition: areas of photoelectron lines, or counts of X-ray lines, of elements.

Equation. A line k of the element e(k) is expected to give

.. math:: y_k = n_{e(k)}\, S_k\, e^{c_k}\, (E_k / 1\,\mathrm{keV})^{t}\, e^{-d / \lambda_k},
          \qquad \lambda_k = \lambda_1 (E_k / 1\,\mathrm{keV})^{p},

with the amount n of the element, the line's sensitivity factor S for one atom, and three things that a factor leaves
open: its own error c (a logarithm), a tilt t that all lines share (transmission and escape depth, where they were not
taken out of the areas), and an overlayer of thickness d. For X-rays and for shares in per cent t and d are zero.

Each of these is known only with an error, and tilt and overlayer move all lines together; a fit carries them along
with normal priors, so that the ratios have the errors, and the correlations, that the factors leave in them.

**Response.** A `Specimen` shares out the amounts of caesium, lead and bromine as its phases do; how much there is in
all, and every other element, belongs to the instrument.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter, replace
from perolas.matter import formula
from perolas.matter.specimen import PHASES

# Charges of ions in salts of lead and halides: what makes a composition neutral.
CHARGES = {
    "Cs": 1.0,
    "Rb": 1.0,
    "K": 1.0,
    "Na": 1.0,
    "Pb": 2.0,
    "Sn": 2.0,
    "F": -1.0,
    "Cl": -1.0,
    "Br": -1.0,
    "I": -1.0,
}

_DERIVED = {
    "fraction": Derived("1", "share of the atoms that this element has among those that were measured"),
    "ratio": Derived("1", "atoms of the first element for each of the second"),
    "charge_excess": Derived(
        "1",
        "charge of the metal ions over that of the halides, less one: 0 in any salt of them, above 0 where another "
        "anion (oleate) takes their place, below 0 where another cation (an ammonium) does",
    ),
}


@cache
def _stoichiometry(elements: tuple[str, ...]) -> np.ndarray:
    """Return the atoms of each element in a formula unit of each of `PHASES`, shape (7, e)."""
    atoms = [formula.parse(name.partition("_")[0]).atoms for name in PHASES]
    return np.array([[a.get(e, 0.0) for e in elements] for a in atoms])


class Composition(AbstractMeasurement):
    """Areas or counts of lines.

    Attributes:
        amount: shape (e,), n of each of `elements`, in units of area per sensitivity.
        correction: shape (k,), c of each of `lines`.
        tilt: t.
        overlayer_nm: d.
        sensitivity: shape (k,), S.
        energy_ev: shape (k,), E; 1000 where the tilt does not apply.
        attenuation_nm: shape (k,), lambda.
        noise: of the areas.
        lines: their names; static.
        elements: names of the elements; static.
        owner: index into `elements` for each line; static.
        unit: of the signal; static.
    """

    technique: ClassVar[str] = "composition"
    axis_name: ClassVar[str] = "line"
    response_sets: ClassVar[tuple[str, ...]] = ("amount",)
    keeps_total: ClassVar[tuple[str, ...]] = ("amount",)
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    amount: Float[Array, " e"] = parameter(
        "1", "amount of an element: area or counts for a sensitivity of one", name="amount", default=1000.0,
        bounds=(0.0, np.inf), vector=True,
    )  # fmt: skip
    correction: Float[Array, " k"] = parameter(
        "1", "logarithm of a line's true sensitivity over the stated one", name="correction", bounds=(-5.0, 5.0),
        free=False, vector=True,
    )  # fmt: skip
    tilt: Float[Array, ""] = parameter(
        "1", "exponent of the kinetic energy that all lines share", name="tilt", bounds=(-5.0, 5.0), free=False
    )
    overlayer_nm: Float[Array, ""] = parameter(
        "nm", "thickness of an overlayer", name="overlayer", bounds=(0.0, 100.0), free=False
    )
    sensitivity: Float[Array, " k"] = eqx.field(default_factory=lambda: np.ones(2), converter=jnp.asarray)
    energy_ev: Float[Array, " k"] = eqx.field(default_factory=lambda: np.full(2, 1000.0), converter=jnp.asarray)
    attenuation_nm: Float[Array, " k"] = eqx.field(default_factory=lambda: np.full(2, 3.0), converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Poisson)
    lines: tuple[str, ...] = eqx.field(static=True, default=())
    elements: tuple[str, ...] = eqx.field(static=True, default=())
    owner: tuple[int, ...] = eqx.field(static=True, default=())
    unit: str = eqx.field(static=True, default="counts")

    @property
    def signal_unit(self) -> str:  # type: ignore[override]
        """Unit of the areas."""
        return self.unit

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Names of the components of vectors."""
        return {"amount": self.elements, "correction": tuple(n.replace(" ", "_") for n in self.lines)}

    @property
    def axis(self) -> Float[Array, " k"]:
        """Number of each line, from 1."""
        return jnp.arange(1.0, self.sensitivity.shape[-1] + 1.0)

    def expected(self) -> Float[Array, " k"]:
        """Return the expected area of each line, shape (k,)."""
        known = self.sensitivity * jnp.exp(self.correction - self.overlayer_nm / self.attenuation_nm)
        return self.amount[np.array(self.owner)] * known * (self.energy_ev / 1000.0) ** self.tilt

    def components(self) -> dict[str, Float[Array, " k"]]:
        """Return the areas of each element, each of shape (k,), zero at the lines of others."""
        area, owner = self.expected(), np.array(self.owner)
        return {e: jnp.where(owner == i, area, 0.0) for i, e in enumerate(self.elements)}

    @property
    def reference(self) -> str:
        """The element that ratios are taken to: lead, where it was measured, else the first one."""
        return "Pb" if "Pb" in self.elements else self.elements[0]

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return atomic shares, ratios to the reference, and the excess of charge."""
        found = {f"fraction_{e}": self.amount[i] / jnp.sum(self.amount) for i, e in enumerate(self.elements)}
        one = self.amount[self.elements.index(self.reference)]
        for i, e in enumerate(self.elements):
            if e != self.reference:
                found[f"ratio_{e}_{self.reference}"] = self.amount[i] / one
        charge = np.array([CHARGES.get(e, 0.0) for e in self.elements])
        if (charge > 0).any() and (charge < 0).any():
            metals = jnp.sum(self.amount * np.maximum(charge, 0.0))
            found["charge_excess"] = metals / jnp.sum(self.amount * np.maximum(-charge, 0.0)) - 1.0
        return found

    def respond(self, state: Any) -> Self:
        """Return the composition of a specimen; elements that its phases do not hold keep their amounts.

        Args:
            state: a `Specimen`.

        Returns:
            This measurement with other amounts, of the same sum.
        """
        atoms = _stoichiometry(self.elements)
        held = atoms.any(axis=0)
        mean = state.fraction @ atoms
        total = jnp.sum(jnp.where(held, self.amount, 0.0))
        shares = mean / jnp.maximum(jnp.sum(mean), 1e-300)
        return replace(self, amount=jnp.where(held, total * shares, self.amount))
