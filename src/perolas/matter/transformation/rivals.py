"""Rival rate laws of a transformation, all in closed form, and the model itself, under one interface.

Each law has parameters with a prior and gives X(t) for a run; what light does in a rival is a factor on its rates.

- first order: X = 1 - exp(-k t)
- shrinking core: 3 [1 - (1 - X)^(1/3)] = k t
- Avrami 1939: X = 1 - exp(-(k t)^n)
- Finke and Watzky 1997, A -> B (k_1), A + B -> 2 B (k_2): X = 1 - (k_1 + k_2) / (k_2 + k_1 exp((k_1 + k_2) t))
- bare surface: `kinetics`

Priors are uniform in log10 over decades that hold what anybody would call possible; n from 0.5 to 8. The evidence
of a law depends on them, which is why they are wide and alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from perolas.core import check
from perolas.matter.parameters_library import parameter_value
from perolas.matter.transformation.conditions import Conditions
from perolas.matter.transformation.kinetics import Kinetics, conversion

Values = Mapping[str, Array]
_INFERENCE_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Law:
    """A rate law.

    Attributes:
        name: as the user says it.
        priors: parameter -> lowest and highest value; names with log10 in front are decimal logarithms, rates in 1/h.
        fraction: (values, conditions, times in h) -> X, shape (n,).
    """

    name: str
    priors: Mapping[str, tuple[float, float]]
    fraction: Callable[[Values, Conditions, Float[Array, " n"]], Float[Array, " n"]]


def first_order(k_h1: ArrayLike, times_h: ArrayLike) -> Array:
    """Return X of a first-order reaction; `k_h1` in 1/h, times in h."""
    return -jnp.expm1(-jnp.asarray(k_h1) * jnp.asarray(times_h))


def shrinking_core(k_h1: ArrayLike, times_h: ArrayLike) -> Array:
    """Return X of a core that shrinks at a constant speed; `k_h1` in 1/h, times in h; complete at t = 3/k."""
    return 1.0 - jnp.maximum(1.0 - jnp.asarray(k_h1) * jnp.asarray(times_h) / 3.0, 0.0) ** 3


def avrami(k_h1: ArrayLike, n: ArrayLike, times_h: ArrayLike) -> Array:
    """Return X after Avrami 1939; `k_h1` in 1/h, times in h."""
    t = jnp.asarray(times_h)
    some = t > 0
    return jnp.where(some, -jnp.expm1(-((jnp.asarray(k_h1) * jnp.where(some, t, 1.0)) ** jnp.asarray(n))), 0.0)


def finke_watzky(k1_h1: ArrayLike, k2_h1: ArrayLike, times_h: ArrayLike) -> Array:
    """Return X after Watzky and Finke 1997; rates in 1/h for a concentration counted in its beginning, times in h."""
    k1, k2 = jnp.asarray(k1_h1), jnp.asarray(k2_h1)
    fall = jnp.exp(-(k1 + k2) * jnp.asarray(times_h))  # multiplied through: nothing overflows at late times
    return 1.0 - (k1 + k2) * fall / (k2 * fall + k1)


def _power(values: Values, name: str) -> Array:
    return 10.0 ** values[f"log10_{name}"]


def _lit(values: Values, conditions: Conditions) -> Array:
    """Return the factor that light puts on a rival's rates, 1 in the dark."""
    return jnp.where(conditions.photons_per_lead_h > 0, _power(values, "light_factor"), 1.0)


def _bare_surface(values: Values, conditions: Conditions, times_h: Array) -> Array:
    kinetics = Kinetics(
        opening_h1=_power(values, "opening"),
        stripping_h1=_power(values, "stripping"),
        ligands_per_photon=_power(values, "ligands_per_photon"),
        ligands_per_lead=jnp.asarray(parameter_value("ligand.per_lead_20nm")),
        seeds=_power(values, "seeds"),
    )
    return conversion(kinetics, conditions, times_h, tolerance=_INFERENCE_TOLERANCE)


_RATE, _LIGHT = (-4.0, 1.5), (0.0, 3.0)
LAWS = {
    law.name: law
    for law in (
        Law(
            "bare surface",
            {
                "log10_opening": (-6.0, 0.0),
                "log10_stripping": (-1.0, 2.0),
                "log10_ligands_per_photon": (-5.0, 0.0),
                "log10_seeds": (-6.0, -1.5),
            },
            _bare_surface,
        ),
        Law(
            "first order",
            {"log10_rate": _RATE, "log10_light_factor": _LIGHT},
            lambda v, c, t: first_order(_power(v, "rate") * _lit(v, c), t),
        ),
        Law(
            "shrinking core",
            {"log10_rate": _RATE, "log10_light_factor": _LIGHT},
            lambda v, c, t: shrinking_core(_power(v, "rate") * _lit(v, c), t),
        ),
        Law(
            "Avrami",
            {"log10_rate": _RATE, "n": (0.5, 8.0), "log10_light_factor": _LIGHT},
            lambda v, c, t: avrami(_power(v, "rate") * _lit(v, c), v["n"], t),
        ),
        Law(
            "Finke-Watzky",
            {"log10_nucleation": (-9.0, 0.0), "log10_growth": _RATE, "log10_light_factor": _LIGHT},
            lambda v, c, t: finke_watzky(_power(v, "nucleation") * _lit(v, c), _power(v, "growth") * _lit(v, c), t),
        ),
    )
}


def law(name: str) -> Law:
    """Return a rate law by name; raises InputError for an unknown one."""
    return LAWS[check.one_of(name, LAWS, "The rate law")]
