"""Checks of what is given from outside; a value that jax is tracing has no number yet and passes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core.errors import InputError


def array(values: ArrayLike) -> Float[Array, "..."]:
    """Return values as a float64 array, any shape."""
    return jnp.asarray(values, dtype=jnp.float64)


def positive(values: ArrayLike, name: str, unit: str, *, zero: bool = False) -> Float[Array, "..."]:
    """Return values as an array after checking that all are finite and above zero.

    Args:
        values: any shape.
        name: what they are called, for the message.
        unit: their unit, for the message.
        zero: accept zero as well.

    Returns:
        The values, float64.

    Raises:
        InputError: one of them is not.
    """
    if not isinstance(values, jax.core.Tracer):
        given = np.asarray(values, dtype=np.float64)
        bad = given[~(np.isfinite(given) & ((given >= 0) if zero else (given > 0)))]
        if bad.size:
            wanted = "zero or positive" if zero else "positive"
            raise InputError(f'Argument "{name}" must be {wanted}, but is {bad.flat[0]:g} {unit}'.rstrip() + ".")
    return array(values)


def wavelength(values: ArrayLike, low: float, high: float, what: str, advice: str = "") -> Float[Array, "..."]:
    """Return wavelengths as an array after checking that they lie within a range.

    Args:
        values: any shape, nm.
        low: first wavelength of the range, nm.
        high: last wavelength of the range, nm.
        what: whose range it is, for the message.
        advice: a further half sentence for the message.

    Returns:
        The wavelengths, float64; traced ones outside the range become NaN, for nothing may raise there.

    Raises:
        InputError: one of them lies outside.
    """
    nm = positive(values, "wavelength", "nm")
    inside = (nm >= low * (1.0 - 1e-9)) & (nm <= high * (1.0 + 1e-9))  # an end that was converted still is the end
    if not isinstance(nm, jax.core.Tracer) and not bool(jnp.all(inside)):
        bad = float(nm[~inside].ravel()[0])
        raise InputError(f"The wavelength {bad:g} nm lies outside the range of {what}, {low:g}-{high:g} nm{advice}.")
    return jnp.where(inside, nm, jnp.nan)
