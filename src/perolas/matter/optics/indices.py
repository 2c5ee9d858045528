"""Refractive indices n + ik from the tables and formulas of the parameter library, and how far data sets lie apart."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from perolas.core import check
from perolas.matter import parameters_tables
from perolas.matter.optics import door

# Which data set stands for a material unless another is asked for: the one that reaches furthest.
_DEFAULT = {"CsPbBr3": "brennan2024"}
# The three forms of CsPbBr3 differ in tilts that the optics above the gap hardly sees; no separate data are known.
_SAME = {"CsPbBr3_monoclinic": "CsPbBr3", "CsPbBr3_cubic": "CsPbBr3"}
# Toluene: one measurement for the ultraviolet, one for the infrared; from the first to the second in between.
_JOINED = {"toluene": ("kozma2005", "moutzouris2014", 560.0, 640.0)}


def materials() -> tuple[str, ...]:
    """Return the names of the materials with a refractive index."""
    own = dict.fromkeys(t.material for t in parameters_tables.tables().values() if not t.is_absorption)
    return (*own, *_SAME)


def datasets(material: str) -> dict[str, parameters_tables.Table]:
    """Return the sets of refractive indices of a material, the one that is used by default first.

    Args:
        material: one of `materials`.

    Returns:
        Name of the data set -> table.

    Raises:
        InputError: an unknown material.
    """
    name = check.one_of(material, materials(), "The material")
    name = _SAME.get(name, name)
    found = {t.dataset: t for t in parameters_tables.tables().values() if t.material == name and not t.is_absorption}
    first = _DEFAULT.get(name, next(iter(found)))
    return {first: found[first], **found}


def refractive_index(material: str, wavelength_nm: ArrayLike, dataset: str | None = None) -> Complex[Array, "..."]:
    """Return the complex refractive index n + ik; k >= 0 means absorption.

    Tables are interpolated linearly in n and k. Formulas of transparent materials give k = 0; what little a solvent
    absorbs is `solvent_absorption_cm1`. Sources: each data set names its own (`perolas info "<material> refractive
    index"`).

    Args:
        material: one of `materials`, e.g. ``"CsPbBr3"``, ``"toluene"``.
        wavelength_nm: any shape, nm.
        dataset: e.g. ``"ermolaev2023_o"``; by default the widest one.

    Returns:
        The index, of the same shape.

    Raises:
        InputError: an unknown material or data set, or a wavelength outside its range.
    """
    known = datasets(material)
    if dataset is None and material in _JOINED:
        return _joined(material, wavelength_nm)
    name = next(iter(known)) if dataset is None else check.one_of(dataset, known, f"The data set of {material}")
    table = known[name]
    others = [f"{k} reaches {t.range_text}" for k, t in known.items() if k != name]
    advice = f" ({'; '.join(others)})" if others else ""
    nm = door.wavelength(wavelength_nm, *table.range_nm, f"the refractive index of {material} ({name})", advice)
    return _evaluate(table, nm)


def reach_nm(material: str) -> tuple[float, float]:
    """Return the first and last wavelength (nm) that `refractive_index` knows without a data set being named."""
    sets = datasets(material)
    if material in _JOINED:
        short, long = _JOINED[material][:2]
        return sets[short].range_nm[0], sets[long].range_nm[1]
    return next(iter(sets.values())).range_nm


def index_spread(material: str, wavelength_nm: ArrayLike) -> Complex[Array, "..."]:
    """Return the standard uncertainty of n and of k, with what data sets differ by where they overlap.

    For CsPbBr3 two sets belong to the two axes of one crystal, so that their difference is birefringence, which a
    crystal of unknown orientation turns into uncertainty all the same.

    Args:
        material: one of `materials`.
        wavelength_nm: any shape, nm.

    Returns:
        Standard uncertainty of n as the real part, of k as the imaginary part, of the same shape.

    Raises:
        InputError: as for `refractive_index`.
    """
    index = refractive_index(material, wavelength_nm)
    nm = door.array(wavelength_nm)
    sets = datasets(material)
    first = next(iter(sets.values()))
    std_n, std_k = jnp.full(nm.shape, first.std_n), index.imag * first.std_k_relative
    if len(sets) > 1 and material not in _JOINED:
        low = max(t.range_nm[0] for t in sets.values())
        high = min(t.range_nm[1] for t in sets.values())
        every = jnp.stack([_evaluate(t, jnp.clip(nm, low, high)) for t in sets.values()])
        overlap = (nm >= low) & (nm <= high)
        std_n = jnp.where(overlap, jnp.hypot(std_n, jnp.std(every.real, axis=0, ddof=1)), std_n)
        std_k = jnp.where(overlap, jnp.hypot(std_k, jnp.std(every.imag, axis=0, ddof=1)), std_k)
    return std_n + 1j * std_k


def _evaluate(table: parameters_tables.Table, nm: Float[Array, "..."]) -> Complex[Array, "..."]:
    if not table.rows:
        return jnp.sqrt(parameters_tables.permittivity(table, nm, jnp.exp) + 0j)
    x, n, k = np.array(table.rows).T
    return jnp.interp(nm, x, n) + 1j * jnp.interp(nm, x, k)


def _joined(material: str, wavelength_nm: ArrayLike) -> Complex[Array, "..."]:
    short, long, start, end = _JOINED[material]
    sets = datasets(material)
    nm = door.wavelength(wavelength_nm, *reach_nm(material), f"the refractive index of {material}")
    at = jnp.clip((nm - start) / (end - start), 0.0, 1.0)
    share = at**2 * (3.0 - 2.0 * at)  # without a kink
    return (1.0 - share) * _evaluate(sets[short], nm) + share * _evaluate(sets[long], nm)
