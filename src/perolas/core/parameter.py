"""The parameter table: what a field of a measurement or specimen means, written once.

The fit takes bounds and names from it, the command line and the docs their tables, the report its units.
A field is named with its unit (`tau_ns`); the quantity it becomes in an estimate is named without (`tau`),
and elements of a vector are counted from one (`tau_1`, `tau_2`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check


@dataclass(frozen=True)
class Parameter:
    """One row of a parameter table.

    Attributes:
        field: name of the field, with its unit as suffix.
        name: name of the quantity, stable: users and study files rely on it.
        unit: its unit.
        default: value when nothing is known.
        lower: lowest value allowed.
        upper: highest value allowed.
        meaning: one line.
        free: whether a fit varies it unless told otherwise.
        vector: whether there is one for each component.
        labels: names of the components, where they have names; else they are counted from one.
    """

    field: str
    name: str
    unit: str
    default: float
    lower: float
    upper: float
    meaning: str
    free: bool
    vector: bool
    labels: tuple[str, ...] = ()


def parameter(
    unit: str,
    meaning: str,
    *,
    name: str,
    default: float = 0.0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    free: bool = True,
    vector: bool = False,
    labels: tuple[str, ...] = (),
) -> Any:
    """Declare a parameter field of an `equinox.Module`.

    Args:
        unit: its unit, e.g. ``"ns"``.
        meaning: one line for tables.
        name: the quantity's name.
        default: value when nothing is known.
        bounds: lowest and highest value, in `unit`.
        free: whether a fit varies it unless told otherwise.
        vector: whether there is one for each component.
        labels: names of the components, where they have names.

    Returns:
        A dataclass field.
    """
    row = (name, unit, default, bounds[0], bounds[1], meaning, free, vector, labels)
    return eqx.field(
        converter=_as_float,
        kw_only=True,
        default_factory=lambda: [default] if vector else default,
        metadata={"parameter": row},
    )


def _as_float(value: Any) -> Any:
    if isinstance(value, np.ndarray | float | int | list | tuple):
        return jnp.asarray(value, dtype=jnp.float64)
    return value  # a traced array, or whatever jax puts there while it maps over the tree


def table(module: Any) -> tuple[Parameter, ...]:
    """Return the parameter table of an `equinox.Module` class or instance, in the order of its fields."""
    rows = []
    for field in dataclasses.fields(module):
        row = field.metadata.get("parameter")
        if row is not None:
            rows.append(Parameter(field.name, *row))
    return tuple(rows)


@dataclass(frozen=True)
class Slot:
    """One scalar that a fit may vary: an element of a field of the measurement or of the state.

    Attributes:
        part: ``"measurement"`` or ``"state"``.
        field: name of the field there; a path with slashes (``"members/0/area"``) where it is a part of a part.
        index: element of a vector, or None for a scalar.
        name: its name as a quantity, e.g. ``"tau_1"``.
        unit: its unit.
        lower: lowest value.
        upper: highest value.
        meaning: one line.
        free: the table's choice.
        group: name of the whole vector, or the slot's own name.
    """

    part: str
    field: str
    index: int | None
    name: str
    unit: str
    lower: float
    upper: float
    meaning: str
    free: bool
    group: str


def slots(module: Any, part: str, batched: int = 0) -> tuple[Slot, ...]:
    """List every scalar parameter of a module.

    Args:
        module: a measurement or a state.
        part: what to call it in the slots.
        batched: number of leading batch axes that its leaves carry.

    Returns:
        One slot for each scalar, in table order.
    """
    nested = getattr(module, "nested_slots", None)  # a module made of modules says itself what may vary
    if nested is not None:
        return tuple(nested(part, batched))
    found = []
    for row in table(module):
        if not row.vector:
            found.append(
                Slot(part, row.field, None, row.name, row.unit, row.lower, row.upper, row.meaning, row.free, row.name)
            )
            continue
        size = np.shape(getattr(module, row.field))[batched]
        names = row.labels or getattr(module, "labels", {}).get(row.field, ())  # a module may name its own components
        found.extend(
            Slot(
                part,
                row.field,
                i,
                f"{row.name}_{names[i] if i < len(names) else i + 1}",
                row.unit,
                row.lower,
                row.upper,
                row.meaning,
                row.free,
                row.name,
            )
            for i in range(size)
        )
    return tuple(found)


def expand(names: Iterable[str], known: tuple[Slot, ...]) -> tuple[str, ...]:
    """Turn the names a user may write into slot names.

    Args:
        names: a quantity (``"tau_1"``), a whole vector (``"tau"``), or a field (``"tau_ns"``).
        known: every slot there is.

    Returns:
        Slot names, without repeats, in table order.

    Raises:
        InputError: a name that is none of these.
    """
    aliases: dict[str, list[str]] = {}
    for slot in known:
        for alias in {slot.name, slot.group, *([] if "/" in slot.field else [slot.field])}:
            aliases.setdefault(alias, []).append(slot.name)
    wanted: set[str] = set()
    for name in names:
        wanted.update(aliases[check.one_of(name, aliases, "The parameter")])
    return tuple(s.name for s in known if s.name in wanted)


def leaf_of(module: Any, field: str) -> Any:
    """Return a field of a module, or of a part of it where `field` is a path with slashes."""
    for step in field.split("/"):
        module = module[int(step)] if step.isdigit() else getattr(module, step)
    return module


def read_slot(module: Any, slot: Slot) -> Float[Array, "..."]:
    """Return the value of a slot; leading batch axes of the leaf stay in front."""
    leaf = jnp.asarray(leaf_of(module, slot.field))
    return leaf if slot.index is None else leaf[..., slot.index]


def write_slots(module: Any, values: dict[Slot, Any]) -> Any:
    """Return the module with the given slots replaced; works under jit, vmap and differentiation.

    Args:
        module: the measurement or state.
        values: slot -> scalar value (or, for leaves with leading batch axes, an array of that shape).

    Returns:
        A new module.
    """
    by_field: dict[str, dict[int | None, Any]] = {}
    for slot, value in values.items():
        by_field.setdefault(slot.field, {})[slot.index] = value
    leaves = {}
    for field, items in by_field.items():
        if None in items:
            leaves[field] = items[None]
            continue
        old = jnp.asarray(leaf_of(module, field))
        leaves[field] = jnp.stack([jnp.asarray(items.get(i, old[..., i])) for i in range(old.shape[-1])], axis=-1)
    return replace(module, **leaves)


def replace(module: Any, **fields: Any) -> Any:
    """Return `module` with fields replaced, without running its checks again (values may be traced)."""
    names = list(fields)
    return eqx.tree_at(
        lambda m: [leaf_of(m, n) for n in names], module, [fields[n] for n in names], is_leaf=lambda x: x is None
    )
