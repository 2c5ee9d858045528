"""Checks at the door: bad input is refused with a sentence before anything is computed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perolas.core.errors import InputError, one_line


def positive(value: float, name: str, unit: str = "", *, zero: bool = False) -> float:
    """Return `value` if it is finite and above zero.

    Args:
        value: the number to look at.
        name: what it is called, for the message.
        unit: its unit, for the message.
        zero: accept zero as well.

    Returns:
        The value as a float.

    Raises:
        InputError: it is not.
    """
    number = float(value)
    if not np.isfinite(number) or number < 0 or (number == 0 and not zero):
        wanted = "zero or positive" if zero else "positive"
        raise InputError(f'Argument "{name}" must be {wanted}, but is {number:g} {unit}'.rstrip() + ".")
    return number


def one_of(value: str, allowed: Iterable[str], name: str) -> str:
    """Return `value` if it is among `allowed`; the message proposes the nearest spelling.

    Args:
        value: what was given.
        allowed: the names that exist.
        name: what is being chosen, for the message.

    Returns:
        The value.

    Raises:
        InputError: it is not among them.
    """
    names = list(allowed)
    if value in names:
        return value
    near = get_close_matches(str(value), names, n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    raise InputError(f'{name} "{one_line(value, 60)}" is not known{hint}; there are: {", ".join(sorted(names))}.')


def axis(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return an axis in rising order-checked form.

    Args:
        values: shape (n,), any unit.
        name: what it is, for the message.

    Returns:
        The values, shape (n,), float64, unchanged in order.

    Raises:
        InputError: fewer than two values, one that is not finite, or neither rising nor falling throughout.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2:
        raise InputError(f'The axis "{name}" must hold at least two values, but holds {array.size}.')
    if not np.all(np.isfinite(array)):
        raise InputError(f'The axis "{name}" has {np.sum(~np.isfinite(array))} values that are not numbers.')
    steps = np.diff(array)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        first = int(np.argmax(steps * np.sign(array[-1] - array[0]) <= 0)) + 1
        raise InputError(
            f'The axis "{name}" must rise or fall throughout, but turns at value {first + 1} ({array[first]:g}).'
        )
    return array


def counts(values: ArrayLike, name: str = "counts") -> NDArray[np.float64]:
    """Return counts as float64 after checking that each is finite and not negative.

    Args:
        values: any shape, counts.
        name: what they are, for the message.

    Returns:
        The same values as float64.

    Raises:
        InputError: a value is negative or not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise InputError(f"The {name} hold {np.sum(~np.isfinite(array))} values that are not numbers.")
    if np.any(array < 0):
        raise InputError(
            f"The {name} hold {np.sum(array < 0)} negative values (the lowest is {array.min():g}); "
            "counts cannot be negative, so give the raw counts, not ones with the background taken off."
        )
    return array


def known_options(given: Collection[str], allowed: Collection[str], what: str) -> None:
    """Refuse options that `what` does not have.

    Args:
        given: names that were given.
        allowed: names that exist.
        what: whose options they are, for the message.

    Raises:
        InputError: one of them is unknown.
    """
    for name in given:
        one_of(name, allowed, f"{what} option")
