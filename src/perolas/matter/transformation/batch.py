"""Many trajectories at once: chunks of a batch, each solved as one, on as many threads as there are cores.

Chunks are small, and hold runs of like speed, because every element of one takes as many steps as the one that needs
most. They never depend on the number of threads, so results do not either.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from perolas.core import THREADS_ARE_SAFE
from perolas.core.errors import InputError
from perolas.matter.transformation.conditions import Conditions
from perolas.matter.transformation.kinetics import Kinetics, conversion

_CHUNK = 128


def conversions(
    kinetics: Kinetics,
    conditions: Conditions,
    times_h: ArrayLike,
    tolerance: float = 1e-10,
    *,
    chunk: int = _CHUNK,
    threads: int | None = None,
) -> Float[np.ndarray, "b n"]:
    """Return the converted fractions of a batch of runs.

    Args:
        kinetics: the constants; each field is a scalar or has shape (b,).
        conditions: water, light, temperature; likewise.
        times_h: shape (n,), rising, h; the same for all.
        tolerance: of each step, absolute and relative; the error of X is up to about a hundred times as large.
        chunk: elements that are solved together.
        threads: chunks solved at the same time; None: one for each core.

    Returns:
        Shape (b, n); NaN where the solver gave up.

    Raises:
        InputError: fields of different lengths, no field with a batch, or times that do not rise.
    """
    times = np.asarray(times_h, dtype=float)
    if times.ndim != 1 or times.size == 0 or not np.all(np.isfinite(times)) or times[0] < 0:
        raise InputError("The times of a run must be a row of numbers, none of them negative.")
    if times[-1] <= 0 or np.any(np.diff(times) < 0):
        raise InputError("The times of a run must rise and end after 0 h.")
    shapes = {np.shape(leaf) for leaf in jax.tree.leaves((kinetics, conditions))} - {()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise InputError(f"The fields of a batch must be scalars or have one length, but have shapes {sorted(shapes)}.")
    (count,) = shapes.pop()
    full = jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf, dtype=float), (count,)), (kinetics, conditions))
    # Times and tolerance are arguments of the compiled function: others of that number do not compile again.
    every = (jnp.asarray(times), jnp.asarray(tolerance))
    order = np.argsort(_speed(*full), kind="stable")
    like = jax.tree.map(lambda leaf: leaf[order], full)
    return mapped(_conversion, *like, every=every, chunk=chunk, threads=threads)[np.argsort(order)]


def _speed(kinetics: Kinetics, conditions: Conditions) -> Float[np.ndarray, " b"]:
    """Return k_s times the rate at which the surface opens in full light: fast runs need many steps, slow ones few."""
    opening, stripping = kinetics.at(conditions.temperature_k)
    light = kinetics.ligands_per_photon / kinetics.ligands_per_lead * conditions.photons_per_lead_h
    return np.asarray(stripping * (opening + light))


def _conversion(kinetics: Kinetics, conditions: Conditions, every: tuple[Array, Any]) -> Array:
    return conversion(kinetics, conditions, every[0], tolerance=every[1])


def mapped(
    function: Any, *parts: Any, every: Any = None, chunk: int = _CHUNK, threads: int | None = None
) -> np.ndarray:
    """Map a function over the leading axis, a chunk at a time; the last chunk is filled up to the common length.

    Args:
        function: of one element of each part, and of `every` where there is one; a function of a module, not one that
            is made anew for each call, so that it is compiled once.
        parts: pytrees with a leading axis.
        every: what is the same for all elements.
        chunk: elements that are solved together.
        threads: chunks solved at the same time; None: one for each core.

    Returns:
        The results, shape (b, ...).
    """
    parts = jax.tree.map(np.asarray, parts)
    count = jax.tree.leaves(parts)[0].shape[0]
    size = min(chunk, count)

    def solve(first: int) -> np.ndarray:
        index = np.minimum(np.arange(first, first + size), count - 1)
        part = jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), parts)
        return np.asarray(_chunk(function, part, every))[: count - first]

    workers = (threads or os.cpu_count() or 1) if THREADS_ARE_SAFE else 1
    with ThreadPoolExecutor(workers) as pool:
        rows = [solve(0), *pool.map(solve, range(size, count, size))]  # the first one compiles for all
    return np.concatenate(rows)


@eqx.filter_jit
def _chunk(function: Any, parts: tuple[Any, ...], every: Any) -> Array:
    if every is None:
        return jax.vmap(function)(*parts)  # type: ignore[no-any-return]
    return jax.vmap(lambda *part: function(*part, every))(*parts)  # type: ignore[no-any-return]
