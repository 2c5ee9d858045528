"""`Specimen`: the state that every measurement looks at. Immutable; one object simulates every technique."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.core.parameter import parameter, replace, table
from perolas.matter import formula

# Static and always all there, so that a change of fractions never compiles anything anew.
PHASES = ("Cs4PbBr6", "CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic", "CsPb2Br5", "CsBr", "PbBr2")
_LEAD = np.array([formula.parse(name.partition("_")[0]).atoms.get("Pb", 0.0) for name in PHASES])
_MASS_G_MOL = np.array([formula.parse(name.partition("_")[0]).molar_mass_g_mol for name in PHASES])

SIZE_LAWS = ("normal", "lognormal")
SHAPES = ("cube", "sphere")

D_LINE_NM = 589.3  # where the refractive index of the surroundings is given
_TOLUENE_INDEX = 1.495  # there; a test holds it to the parameter library, which takes too long to read on import


class Specimen(eqx.Module):
    """Nanocrystals: what they are made of, how large, how strained, how well covered.

    Attributes:
        fraction: shape (7,), mole fraction of formula units of each of `PHASES`; sums to one.
        size_nm: mean edge length, or diameter of spheres.
        size_std_nm: standard deviation of it.
        strain: isotropic linear strain (tension positive).
        ligand_coverage: share of surface sites that hold a ligand.
        trap_ratio: shallow trapping rate over radiative rate.
        loss_ratio: rate at which trapped carriers are lost, over the radiative rate.
        temperature_k: temperature.
        medium_index: refractive index of the surroundings at 589.3 nm.
        size_law: ``"normal"`` or ``"lognormal"``, of mean `size_nm` and standard deviation `size_std_nm`; static.
        shape: ``"cube"`` or ``"sphere"``; static.
    """

    fraction: Float[Array, " 7"] = parameter(
        "1", "mole fraction of formula units", name="fraction", bounds=(0, 1), free=False, vector=True, labels=PHASES
    )
    size_nm: Float[Array, ""] = parameter(
        "nm", "mean edge length", name="size", default=20.0, bounds=(0.5, 1e5), free=False
    )
    size_std_nm: Float[Array, ""] = parameter(
        "nm", "standard deviation of the edge length", name="size_std", default=2.0, bounds=(0, 1e5), free=False
    )
    strain: Float[Array, ""] = parameter(
        "1", "isotropic linear strain, tension positive", name="strain", bounds=(-0.1, 0.1), free=False
    )
    ligand_coverage: Float[Array, ""] = parameter(
        "1", "share of surface sites that hold a ligand", name="ligand_coverage", default=0.5, bounds=(0, 1), free=False
    )
    trap_ratio: Float[Array, ""] = parameter(
        "1", "shallow trapping rate over radiative rate", name="trap_ratio", default=1.0, bounds=(0, 1e4), free=False
    )
    loss_ratio: Float[Array, ""] = parameter(
        "1", "loss rate of trapped carriers over radiative rate", name="loss_ratio", bounds=(0, 1e4), free=False
    )
    temperature_k: Float[Array, ""] = parameter(
        "K", "temperature", name="temperature", default=300.0, bounds=(1, 2000), free=False
    )
    medium_index: Float[Array, ""] = parameter(
        "1",
        "refractive index of the surroundings at 589 nm",
        name="medium_index",
        default=_TOLUENE_INDEX,
        bounds=(1, 5),
        free=False,
    )
    size_law: str = eqx.field(static=True, kw_only=True, default="normal")
    shape: str = eqx.field(static=True, kw_only=True, default="cube")

    def __check_init__(self) -> None:
        """Refuse a size law or shape that is not known."""
        check.one_of(self.size_law, SIZE_LAWS, "The size law")
        check.one_of(self.shape, SHAPES, "The shape")

    @staticmethod
    def of(phase: str | Mapping[str, float] = "CsPbBr3", **values: Any) -> Specimen:
        """Build a specimen.

        Args:
            phase: one of `PHASES`, or phase -> amount (scaled to a sum of one).
            values: fields by name, in the unit of their suffix, e.g. ``size_nm=15``; `size_law` and `shape` by name.

        Returns:
            The specimen.

        Raises:
            InputError: an unknown phase or field, or a value outside its bounds.
        """
        amounts = {phase: 1.0} if isinstance(phase, str) else dict(phase)
        for name, amount in amounts.items():
            check.one_of(name, PHASES, "The phase")
            check.positive(amount, f"amount of {name}", zero=True)
        total = sum(amounts.values())
        if total <= 0:
            raise InputError("A specimen needs a positive amount of at least one phase.")
        rows = {row.field: row for row in table(Specimen)}
        for name, value in values.items():
            if name in ("size_law", "shape"):
                continue
            row = rows[check.one_of(name, [r for r in (*rows, *_STATIC) if r != "fraction"], "The specimen's field")]
            if not row.lower <= float(value) <= row.upper:
                raise InputError(
                    f'"{name}" must lie between {row.lower:g} and {row.upper:g} {row.unit}, but is {float(value):g}.'
                )
        return Specimen(fraction=np.array([amounts.get(p, 0.0) / total for p in PHASES]), **values)  # type: ignore[call-arg]

    @staticmethod
    def from_conversion(
        converted: ArrayLike,
        parent_size_nm: float = 20.0,
        product_size_nm: float | None = None,
        *,
        keep_salt: bool = True,
        **values: Any,
    ) -> Specimen:
        """Build what Cs4PbBr6 nanocrystals are after a share of their lead has become CsPbBr3 + 3 CsBr.

        Every crystal is taken to be converted alike and to keep its lead, so that its volume goes linearly from that
        of the parent to that of the product.

        Args:
            converted: X, share of the lead that is in CsPbBr3, from 0 to 1; may be traced by jax.
            parent_size_nm: mean edge length at X = 0, nm.
            product_size_nm: mean edge length at X = 1, nm; None for one crystal from one, which the molar volumes of
                the two phases give.
            keep_salt: whether the CsBr stays with the sample (then every atom does) or is washed away.
            values: further fields, as for `of`; by default the relative spread of sizes is a tenth.

        Returns:
            The specimen.

        Raises:
            InputError: X outside 0 to 1, a size that is not positive, or a field as for `of`.
        """
        if not isinstance(converted, jax.core.Tracer) and not 0 <= float(np.asarray(converted)) <= 1:
            raise InputError(f"The converted share must lie between 0 and 1, but is {float(np.asarray(converted)):g}.")
        parent = check.positive(parent_size_nm, "parent size", "nm")
        if product_size_nm is None:
            from perolas.matter import crystal  # reads tables of cells, which little else needs

            volumes = [crystal.phase(name).molar_volume_cm3 for name in ("CsPbBr3", "Cs4PbBr6")]
            product_size_nm = parent * (volumes[0] / volumes[1]) ** (1 / 3)
        product = check.positive(product_size_nm, "product size", "nm")
        base = Specimen.of("Cs4PbBr6", **values)
        x = jnp.asarray(converted, dtype=jnp.float64)
        moles = jnp.zeros(len(PHASES)).at[PHASES.index("Cs4PbBr6")].set(1.0 - x).at[PHASES.index("CsPbBr3")].set(x)
        if keep_salt:
            moles = moles.at[PHASES.index("CsBr")].set(3.0 * x)
        size = jnp.cbrt((1.0 - x) * parent**3 + x * product**3)
        spread = base.size_std_nm if "size_std_nm" in values else 0.1 * size
        return replace(base, fraction=moles / jnp.sum(moles), size_nm=size, size_std_nm=spread)

    @staticmethod
    def from_table(entries: Mapping[str, Any]) -> Specimen:
        """Build a specimen from a table of a study file.

        Args:
            entries: ``phases`` (a name, or name -> amount) and fields by quantity name or field name; values may be
                text with a unit, e.g. ``size = "20 nm"``. `size_law` and `shape` are names; ``medium = "water"`` (a
                material of the optics, or "air") sets `medium_index`.

        Returns:
            The specimen.

        Raises:
            InputError: as for `of`, or a unit that does not fit.
        """
        by_name = {row.name: row for row in table(Specimen)} | {row.field: row for row in table(Specimen)}
        values: dict[str, Any] = {}
        for name, value in entries.items():
            if name == "phases":
                continue
            if name in _STATIC:
                values[name] = str(value)
                continue
            if name == "medium":
                values["medium_index"] = index_of(str(value))
                continue
            row = by_name[
                check.one_of(name, [n for n in (*by_name, *_WORDS) if n != "fraction"], "The specimen's field")
            ]
            values[row.field] = units.convert(value, row.unit, name)
        phases = entries.get("phases", "CsPbBr3")
        if not isinstance(phases, str | Mapping):
            raise InputError('"phases" must be a name or a table of names and amounts.')
        return Specimen.of(phases, **values)

    def phase_fraction(self, name: str) -> Float[Array, ""]:
        """Return the mole fraction of formula units of one of `PHASES`; raises InputError for another name."""
        return self.fraction[..., PHASES.index(check.one_of(name, PHASES, "The phase"))]

    def mass_fractions(self) -> Float[Array, " 7"]:
        """Return the mass fraction of each of `PHASES`, which sums to one."""
        mass = self.fraction * _MASS_G_MOL
        return mass / jnp.sum(mass, axis=-1, keepdims=True)

    def lead_fractions(self) -> Float[Array, " 7"]:
        """Return the share of all lead that is in each of `PHASES`; NaN where there is no lead.

        This, not the mole fraction, is what a transformation counts: CsBr holds none, CsPb2Br5 two for each unit.
        """
        lead = self.fraction * _LEAD
        return lead / jnp.sum(lead, axis=-1, keepdims=True)

    def converted(self) -> Float[Array, ""]:
        """Return X, the share of all lead that is in any of the three forms of CsPbBr3; NaN where there is no lead."""
        shares = self.lead_fractions()
        return shares[..., 1] + shares[..., 2] + shares[..., 3]

    def mean_volume_nm3(self) -> Float[Array, ""]:
        """Return the mean volume of a crystal in nm3, which the spread of sizes makes larger than that of the mean.

        The mean of L^3 is m^3 + 3 m s^2 for a normal law, m^3 (1 + s^2/m^2)^3 for a lognormal one.
        """
        m, s = self.size_nm, self.size_std_nm
        cube = m**3 * (1.0 + (s / m) ** 2) ** 3 if self.size_law == "lognormal" else m**3 + 3.0 * m * s**2
        return cube * (math.pi / 6.0 if self.shape == "sphere" else 1.0)

    def __str__(self) -> str:
        """Return the specimen as one short sentence."""
        parts = [f"{float(f):.0%} {p}" for p, f in zip(PHASES, jnp.asarray(self.fraction), strict=True) if float(f) > 0]
        law = "" if self.size_law == "normal" else f", {self.size_law}"
        length = "diameter" if self.shape == "sphere" else "edge"
        return (
            f"{', '.join(parts)}; {length} {float(self.size_nm):.4g} ± {float(self.size_std_nm):.2g} nm{law}; "
            f"strain {float(self.strain):.2%}; ligands on {float(self.ligand_coverage):.0%} of the surface; "
            f"trap ratio {float(self.trap_ratio):g}; {float(self.temperature_k):g} K; "
            f"surroundings n = {float(self.medium_index):.4g}"
        )


_STATIC = ("size_law", "shape")
_WORDS = ("phases", "medium", *_STATIC)


def index_of(medium: str) -> float:
    """Return the refractive index of a medium at 589.3 nm.

    Args:
        medium: a material of `perolas.matter.optics`, ``"air"`` or ``"vacuum"``.

    Returns:
        Its index; 1 for air.

    Raises:
        InputError: an unknown material.
    """
    if medium in ("air", "vacuum"):
        return 1.0
    from perolas.matter import optics  # which needs this module

    return float(optics.refractive_index(medium, D_LINE_NM).real)


@dataclass(frozen=True)
class Sample:
    """A specimen with its name and history, which stay out of the pytree: a new line of history compiles nothing anew.

    Attributes:
        specimen: what it is now.
        name: what it is called.
        history: what was done to it, one line each, oldest first.
    """

    specimen: Specimen
    name: str = "sample"
    history: tuple[str, ...] = ()

    def after(self, treatment: str, specimen: Specimen) -> Sample:
        """Return the sample after a treatment; this one stays as it is.

        Args:
            treatment: what was done, in words.
            specimen: what it has become.

        Returns:
            The sample with one more line of history.

        Raises:
            InputError: no words.
        """
        if not treatment.strip():
            raise InputError("A treatment needs a few words for the history.")
        return Sample(specimen, self.name, (*self.history, " ".join(treatment.split())))

    def __str__(self) -> str:
        """Return name, state and history as text."""
        lines = [f"{self.name}: {self.specimen}", *(f"  {i}. {line}" for i, line in enumerate(self.history, 1))]
        return "\n".join(lines)
