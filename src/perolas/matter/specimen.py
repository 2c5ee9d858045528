"""`Specimen`: the state that every measurement looks at. Immutable; one object simulates every technique."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.core.parameter import parameter, table

# Static and always all there, so that a change of fractions never compiles anything anew.
PHASES = ("Cs4PbBr6", "CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic", "CsPb2Br5", "CsBr", "PbBr2")


class Specimen(eqx.Module):
    """Nanocrystals: what they are made of, how large, how strained, how well covered.

    Attributes:
        fraction: shape (7,), mole fraction of formula units of each of `PHASES`; sums to one.
        size_nm: mean edge length.
        size_std_nm: standard deviation of the edge length.
        strain: isotropic linear strain (tension positive).
        ligand_coverage: share of surface sites that hold a ligand.
        trap_ratio: shallow trapping rate over radiative rate.
        loss_ratio: rate at which trapped carriers are lost, over the radiative rate.
        temperature_k: temperature.
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

    @staticmethod
    def of(phase: str | Mapping[str, float] = "CsPbBr3", **values: float) -> Specimen:
        """Build a specimen.

        Args:
            phase: one of `PHASES`, or phase -> amount (scaled to a sum of one).
            values: fields by name, in the unit of their suffix, e.g. ``size_nm=15``.

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
            row = rows[check.one_of(name, [r for r in rows if r != "fraction"], "The specimen's field")]
            if not row.lower <= float(value) <= row.upper:
                raise InputError(
                    f'"{name}" must lie between {row.lower:g} and {row.upper:g} {row.unit}, but is {float(value):g}.'
                )
        return Specimen(fraction=np.array([amounts.get(p, 0.0) / total for p in PHASES]), **values)  # type: ignore[call-arg]

    @staticmethod
    def from_table(entries: Mapping[str, Any]) -> Specimen:
        """Build a specimen from a table of a study file.

        Args:
            entries: ``phases`` (a name, or name -> amount) and fields by quantity name or field name; values may be
                text with a unit, e.g. ``size = "20 nm"``.

        Returns:
            The specimen.

        Raises:
            InputError: as for `of`, or a unit that does not fit.
        """
        by_name = {row.name: row for row in table(Specimen)} | {row.field: row for row in table(Specimen)}
        values = {}
        for name, value in entries.items():
            if name == "phases":
                continue
            row = by_name[
                check.one_of(name, [n for n in by_name if n != "fraction"] + ["phases"], "The specimen's field")
            ]
            values[row.field] = units.convert(value, row.unit, name)
        phases = entries.get("phases", "CsPbBr3")
        if not isinstance(phases, str | Mapping):
            raise InputError('"phases" must be a name or a table of names and amounts.')
        return Specimen.of(phases, **values)

    def __str__(self) -> str:
        """Return the specimen as one short sentence."""
        parts = [f"{float(f):.0%} {p}" for p, f in zip(PHASES, jnp.asarray(self.fraction), strict=True) if float(f) > 0]
        return (
            f"{', '.join(parts)}; edge {float(self.size_nm):g} ± {float(self.size_std_nm):g} nm; "
            f"strain {float(self.strain):.2%}; ligands on {float(self.ligand_coverage):.0%} of the surface; "
            f"trap ratio {float(self.trap_ratio):g}; {float(self.temperature_k):g} K"
        )
