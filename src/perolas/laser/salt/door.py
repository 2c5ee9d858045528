"""What a cavity may be made of, checked before anything is calculated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from perolas.core import check
from perolas.core.errors import InputError

BOUNDARIES = ("open", "conductor", "mirror")
_LARGEST_SIDE = 20_000


def checked_eps(eps: Any, metal: bool) -> Complex[np.ndarray, "..."]:
    """Return the permittivity as a complex array of one or two dimensions.

    Args:
        eps: array-like.
        metal: whether a negative real part is accepted.

    Returns:
        The array, a copy.

    Raises:
        InputError: not numbers, another number of dimensions, gain or metal among it.
    """
    try:
        array = np.array(eps, dtype=complex)
    except (TypeError, ValueError) as error:
        raise InputError("The permittivity must be an array of numbers.") from error
    if array.ndim not in (1, 2) or array.size == 0:
        raise InputError(
            f"The permittivity must have one or two dimensions and at least one cell, but has the shape {array.shape}."
        )
    bad = int(np.sum(~np.isfinite(array)))
    if bad:
        raise InputError(f"The permittivity has {bad} values that are not numbers.")
    if np.any(array.imag < 0.0):
        raise InputError(
            "The permittivity has a negative imaginary part, which is gain (fields go as exp(-i w t), so that loss is "
            "positive); gain belongs to the pump profile."
        )
    if np.any(array.real <= 0.0) and not metal:
        raise InputError(
            f"The permittivity falls to {array.real.min():g}: metal cannot be resolved on this grid, whose cells mix "
            "both sides of an interface; give dielectrics only."
        )
    if np.any(array == 0.0):
        raise InputError("The permittivity is zero somewhere.")
    return array


def checked_pump(pump: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Return the pump profile as a real array of the permittivity's shape.

    Args:
        pump: array-like, or one number for everywhere.
        shape: of the permittivity.

    Returns:
        The array, a copy.

    Raises:
        InputError: complex, not numbers, of another shape, or nowhere positive.
    """
    try:
        given = np.asarray(pump)
        if np.iscomplexobj(given):
            raise InputError("The pump profile must be real; a complex permittivity holds what does not saturate.")
        array = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("The pump profile must be an array of numbers.") from error
    if array.ndim == 0:
        array = np.full(shape, float(array))
    if array.shape != shape:
        raise InputError(f"The pump profile has the shape {array.shape}, but the permittivity has {shape}.")
    bad = int(np.sum(~np.isfinite(array)))
    if bad:
        raise InputError(f"The pump profile has {bad} values that are not numbers.")
    if not np.any(array > 0.0):
        raise InputError("The pump profile is nowhere above zero, so nothing can lase.")
    return array


def checked_spacing(spacing: Any, shape: tuple[int, ...]) -> Float[np.ndarray, " c"] | float:
    """Return the cell size: widths of shape (c,) in one dimension, one number in two.

    Args:
        spacing: one number, or in one dimension one for each cell.
        shape: of the permittivity.

    Returns:
        Widths or width.

    Raises:
        InputError: not positive, not finite, or of another shape.
    """
    try:
        array = np.asarray(spacing, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError("The spacing must be a number.") from error
    if array.ndim == 0:
        width = check.positive(float(array), "spacing")
        return np.full(shape, width) if len(shape) == 1 else width
    if len(shape) == 2:
        raise InputError("In two dimensions the cells are squares; give one spacing.")
    if array.shape != shape:
        raise InputError(f"There are {array.size} spacings for {shape[0]} cells; give one for each, or one for all.")
    if not np.all(np.isfinite(array)) or np.any(array <= 0.0):
        raise InputError("Each spacing must be positive.")
    return array.copy()


def checked_boundaries(boundaries: Any, dimensions: int) -> tuple[Any, ...]:
    """Return the boundaries as (low, high) in one dimension and ((x low, x high), (y low, y high)) in two.

    Args:
        boundaries: None (open all around), one word for all, or the tuples above.
        dimensions: 1 or 2.

    Returns:
        The tuples.

    Raises:
        InputError: an unknown word or another form.
    """
    if boundaries is None:
        boundaries = "open"
    if isinstance(boundaries, str):
        word = check.one_of(boundaries, BOUNDARIES, "boundary")
        return (word, word) if dimensions == 1 else ((word, word), (word, word))
    form = '("conductor", "open")' if dimensions == 1 else '(("open", "open"), ("mirror", "open")) for x and y'
    try:
        pairs = [tuple(boundaries)] if dimensions == 1 else [tuple(pair) for pair in boundaries]
    except TypeError as error:
        raise InputError(f"The boundaries must be one word or of the form {form}.") from error
    if len(pairs) != dimensions or any(len(p) != 2 or any(not isinstance(w, str) for w in p) for p in pairs):
        raise InputError(f"The boundaries must be one word or of the form {form}.")
    checked = [(check.one_of(a, BOUNDARIES, "boundary"), check.one_of(b, BOUNDARIES, "boundary")) for a, b in pairs]
    return checked[0] if dimensions == 1 else tuple(checked)


def checked_outside(outside: Any, dimensions: int) -> tuple[complex, complex]:
    """Return the permittivity beyond both ends (one dimension) or all around, twice (two dimensions).

    Args:
        outside: one number, or two in one dimension.
        dimensions: 1 or 2.

    Returns:
        Two complex numbers.

    Raises:
        InputError: not such numbers, gain, or metal.
    """
    try:
        array = np.atleast_1d(np.asarray(outside, dtype=complex))
    except (TypeError, ValueError) as error:
        raise InputError("The permittivity outside must be a number.") from error
    if array.shape not in ((1,), (2,)) or (dimensions == 2 and array.size == 2):
        raise InputError("The permittivity outside must be one number, or two for the two ends of one dimension.")
    if not np.all(np.isfinite(array)) or np.any(array.real <= 0.0) or np.any(array.imag < 0.0):
        raise InputError("The permittivity outside must have a positive real part, and loss at most.")
    return complex(array[0]), complex(array[-1])


def checked_pumps(d0: Any) -> Float[np.ndarray, " m"]:
    """Return pumps D_0 as an array of shape (m,).

    Args:
        d0: one number or several.

    Returns:
        The array.

    Raises:
        InputError: none, negative, or not finite.
    """
    try:
        array = np.atleast_1d(np.asarray(d0, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError("The pump must be a number.") from error
    if array.ndim != 1 or array.size == 0 or not np.all(np.isfinite(array)) or np.any(array < 0.0):
        raise InputError("Each pump D0 must be a finite number, zero or positive, and there must be at least one.")
    return array


def memory_needed(nodes: int, vectors: int) -> float:
    """Return the bytes that a two-dimensional run takes: factors of nested dissection, and fields.

    Args:
        nodes: unknowns.
        vectors: fields held at the same time.

    Returns:
        Bytes. Source: George, SIAM J. Numer. Anal. 1973, 10, 345 (31/4 n log2 n entries for a square grid), with what
        scipy adds as measured here.
    """
    entries = 7.75 * nodes * math.log2(max(nodes, 2)) * 0.75
    return entries * (16 + 4) * 2.0 + vectors * nodes * 16.0


def memory_free() -> float:
    """Return the bytes that are free, inf where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024.0
    except (OSError, ValueError, IndexError):
        pass
    return math.inf


def check_memory(nodes: int, vectors: int, free: float | None = None) -> None:
    """Refuse a run for which the memory will not do.

    Args:
        nodes: unknowns.
        vectors: fields held at the same time.
        free: bytes; None asks the system.

    Raises:
        InputError: it needs more than is free.
    """
    needed, there = memory_needed(nodes, vectors), memory_free() if free is None else free
    if needed > 0.9 * there:
        raise InputError(
            f"This needs about {needed / 1e9:.1f} GB of memory for {nodes} nodes, but {there / 1e9:.1f} GB are free; "
            "take a larger spacing or a smaller cavity."
        )


def check_side(shape: tuple[int, ...]) -> None:
    """Refuse a two-dimensional cavity of absurd size before any array of it is made."""
    if max(shape) > _LARGEST_SIDE:
        raise InputError(f"A side of {max(shape)} cells is more than the {_LARGEST_SIDE} that can be solved.")
