"""`invert`: from an observed signal back to the parameters of the model that would have made it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from perolas.core import THREADS_ARE_SAFE, check
from perolas.core.ending import Fit, finish, finish_carefully
from perolas.core.errors import FitError, InputError
from perolas.core.estimate import RESULTS, Estimate
from perolas.core.measurement import AbstractMeasurement
from perolas.core.noise import Poisson
from perolas.core.parameter import Slot, expand, leaf_of, read_slot, slots
from perolas.core.problem import Bijection, Problem, Tie
from perolas.core.solver import CONVERGED, LevenbergMarquardt, Minimum, local_model, minimise


def invert(
    measurement: AbstractMeasurement,
    observed: xr.Dataset | Any,
    state: Any = None,
    *,
    free: Iterable[str] | None = None,
    fix: Iterable[str] = (),
    prior: Mapping[str, tuple[float, float]] | None = None,
    ties: Mapping[str, Tie] | None = None,
    solver: LevenbergMarquardt | None = None,
    starts: int = 1,
    seed: int = 0,
    throw: bool = True,
) -> Estimate:
    """Estimate parameters of a measurement (and of the state it looks at) from an observed signal.

    Args:
        measurement: the model; its present parameter values are the guess. A parameter with a leading batch axis
            gives each element of a batch its own guess.
        observed: an observation, or a signal of shape (n,) or (batch, n) on the measurement's axis.
        state: what is looked at (a specimen), or None to fit the instrument's own parameters.
        free: names of what varies (``"tau"``, ``"tau_1"``, a field of the state ...); None: all parameters that the
            table marks as free, less those that the state decides.
        fix: names taken out of `free` again.
        prior: name -> (mean, standard deviation) of a normal prior.
        ties: name -> the name of another parameter that it follows, or a function of a dict of all of them.
        solver: settings; None for the default.
        starts: starting points tried: the guess and random ones around it; the best end is kept.
        seed: seed of those.
        throw: raise if a single fit fails; False: failure is the estimate's `result`. A batch never raises.

    Returns:
        The estimate; with batch axes if the signal has one.

    Raises:
        InputError: names, shapes or values that cannot be used.
        FitError: `throw` and the fit did not converge.
    """
    settings = solver or LevenbergMarquardt()
    problem, batched = pose(measurement, observed, state, free=free, fix=fix, prior=prior, ties=ties)
    key = jax.random.key(seed)
    fit = _run_batch(problem, batched, key, starts, settings) if batched else _solve(problem, key, starts, settings)
    estimate = _estimate(problem, fit, starts)
    if throw and not batched and estimate.result != "converged":
        raise FitError(f"The {measurement.technique} fit failed: {estimate.message}")
    return estimate


def pose(
    measurement: AbstractMeasurement,
    observed: xr.Dataset | Any,
    state: Any = None,
    *,
    free: Iterable[str] | None = None,
    fix: Iterable[str] = (),
    prior: Mapping[str, tuple[float, float]] | None = None,
    ties: Mapping[str, Tie] | None = None,
) -> tuple[Problem, int]:
    """Check the arguments of `invert` and build its problem.

    Args:
        measurement: the model, at the guess.
        observed: as for `invert`.
        state: as for `invert`.
        free: as for `invert`.
        fix: as for `invert`.
        prior: as for `invert`.
        ties: as for `invert`.

    Returns:
        The problem and the size of the batch (0 for a single fit).

    Raises:
        InputError: as for `invert`.
    """
    signal = np.asarray(observed["signal"].values if isinstance(observed, xr.Dataset) else observed, dtype=np.float64)
    if signal.ndim not in (1, 2) or signal.size == 0:
        raise InputError(f"The signal must have shape (n,) or (batch, n), but has {signal.shape}.")
    batch = signal.shape[0] if signal.ndim == 2 else 0
    _check_signal(measurement, signal)
    known = slots(measurement, "measurement", _leading(measurement, batch)) + (
        slots(state, "state", _leading(state, batch)) if state is not None else ()
    )
    names = [s.name for s in known]
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise InputError(f"Measurement and state both have a parameter called {', '.join(twice)}.")
    decided = set(expand(measurement.response_sets, known)) if state is not None else set()
    default = [s.name for s in known if s.free and s.part == "measurement" and s.name not in decided]
    tied = {expand([n], known)[0]: rule for n, rule in (ties or {}).items()}
    for rule in tied.values():
        if isinstance(rule, str):
            check.one_of(rule, names, "The tie's parameter")
    chosen = set(default if free is None else expand(free, known)) - set(expand(fix, known)) - set(tied)
    free_slots = tuple(s for s in known if s.name in chosen)
    if not free_slots:
        raise InputError("Nothing is left to fit: every parameter is held; name at least one as free.")
    mean, precision = np.zeros(len(free_slots)), np.zeros(len(free_slots))
    for name, (centre, std) in (prior or {}).items():
        for each in expand([name], known):
            if each in chosen:
                index = [s.name for s in free_slots].index(each)
                mean[index], precision[index] = centre, 1.0 / check.positive(std, f"prior of {name}") ** 2
    unknown = len(free_slots) - int(np.count_nonzero(precision))  # a prior is one more measured value
    if signal.shape[-1] < unknown:
        raise InputError(f"{signal.shape[-1]} points cannot determine {unknown} parameters; fix some of them.")
    by_name = {s.name: s for s in known}
    problem = Problem(
        measurement,
        state,
        jnp.asarray(signal),
        jnp.asarray(mean),
        jnp.asarray(precision),
        free_slots,
        tuple((by_name[n], rule) for n, rule in tied.items()),
        known,
    )
    _check_start(problem)
    return problem, batch


def _check_signal(measurement: AbstractMeasurement, signal: np.ndarray) -> None:
    if signal.shape[-1] != measurement.axis.shape[-1]:
        raise InputError(
            f"The signal has {signal.shape[-1]} points, but the measurement's axis has {measurement.axis.shape[-1]}."
        )
    if isinstance(measurement.noise, Poisson):
        check.counts(signal, "counts of the signal")
    elif not np.all(np.isfinite(signal)):
        raise InputError(f"The signal has {np.sum(~np.isfinite(signal))} values that are not numbers.")


def _check_start(problem: Problem) -> None:
    for slot in problem.free:
        value = np.asarray(read_slot(problem.measurement if slot.part == "measurement" else problem.state, slot))
        if not np.all(np.isfinite(value)):
            raise InputError(f'The start value of "{slot.name}" is not a number.')
        if np.any(value < slot.lower) or np.any(value > slot.upper):
            worst = value.min() if np.any(value < slot.lower) else value.max()
            raise InputError(
                f'The start value of "{slot.name}" must lie between {slot.lower:g} and {slot.upper:g} {slot.unit}, '
                f"but is {worst:g}."
            )


def _leading(module: Any, batch: int) -> int:
    """Return 1 if the module's vectors carry the batch in front, else 0."""
    return int(batch > 0 and any(_has_batch(module, s, batch) for s in slots(module, "", 0)))


def _has_batch(module: Any, slot: Slot, batch: int) -> bool:
    shape = np.shape(leaf_of(module, slot.field))
    return len(shape) == (1 if slot.index is None else 2) and shape[0] == batch


def _axes(problem: Problem, batch: int) -> Problem:
    """Return the in_axes tree: the batch is in front of the signal, of batched parameters and of batched noise."""
    axes = jax.tree.map(lambda _: None, problem)
    found: dict[tuple[str, str], int] = {}
    for slot in problem.known:
        if _has_batch(problem.measurement if slot.part == "measurement" else problem.state, slot, batch):
            found[slot.part, slot.field] = 0
    leaves = list(found)
    noise = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) == 2 else None, problem.measurement.noise)
    axes = eqx.tree_at(lambda p: (p.signal, p.measurement.noise), axes, (0, noise), is_leaf=lambda v: v is None)
    if leaves:
        axes = eqx.tree_at(
            lambda p: [leaf_of(getattr(p, part), field) for part, field in leaves],
            axes,
            [0] * len(leaves),
            is_leaf=lambda v: v is None,
        )
    return axes


def _search(problem: Problem, key: Array, starts: int, settings: LevenbergMarquardt) -> tuple[Minimum, Array]:
    """Return the best end of all starts, and how many starts ended there."""
    first = problem.start()
    if settings.hold_first:
        first = minimise(problem, first, settings, frozenset(settings.hold_first)).x
    if starts == 1:
        return minimise(problem, first, settings), jnp.asarray(1)
    box = Bijection.of(problem.free, first)
    u = box.inverse(first)
    near = local_model(problem, first, box.slope(u))
    reach = 10.0 / jnp.sqrt(jnp.maximum(jnp.diagonal(near.fisher), 1e-300))
    unbounded = np.array([kind == "none" for kind in box.kinds])
    reach = jnp.where(unbounded, jnp.minimum(reach, 0.3 * jnp.abs(u) + 1e-3), 1.0)
    noise = jax.random.normal(key, (starts - 1, first.size))
    points = jnp.concatenate([first[None], jax.vmap(box.forward)(u + reach * noise)])
    ends = jax.vmap(lambda p: minimise(problem, p, settings))(points)
    best = jnp.argmin(jnp.where(jnp.isfinite(ends.cost), ends.cost, jnp.inf))
    agreeing = jnp.sum(ends.cost <= ends.cost[best] + 0.01)
    return jax.tree.map(lambda leaf: leaf[best], ends), agreeing


def _one(problem: Problem, key: Array, starts: int, settings: LevenbergMarquardt) -> Fit:
    end, agreeing = _search(problem, key, starts, settings)
    return finish_carefully(problem, end, agreeing)


# A single fit runs in milliseconds but takes seconds to compile: leave out the passes that cost most and gain least.
_solve = eqx.filter_jit(_one, compiler_options={"xla_llvm_disable_expensive_passes": True})  # type: ignore[call-overload]


@eqx.filter_jit
def _solve_chunk(
    problem: Problem, axes: Any, keys: Array, starts: int, settings: LevenbergMarquardt
) -> tuple[Fit, Minimum, Array]:
    def one(problem: Problem, key: Array) -> tuple[Fit, Minimum, Array]:
        end, agreeing = _search(problem, jax.random.wrap_key_data(key), starts, settings)
        fit, doubtful = finish(problem, end, agreeing)
        return fit, end, doubtful

    fits, ends, doubtful = eqx.filter_vmap(one, in_axes=(axes, 0))(problem, keys)
    return fits, ends, jnp.any(doubtful)


@eqx.filter_jit
def _finish_chunk(problem: Problem, axes: Any, ends: Minimum, agreeing: Array) -> Fit:
    return eqx.filter_vmap(finish_carefully, in_axes=(axes, 0, 0))(problem, ends, agreeing)  # type: ignore[no-any-return]


def _run_batch(problem: Problem, batch: int, key: Array, starts: int, settings: LevenbergMarquardt) -> Fit:
    """Solve a batch chunk by chunk; the chunks never depend on how many threads work on them."""
    axes = _axes(problem, batch)
    arrays, rest = eqx.partition(problem, jax.tree.map(lambda a: a == 0, axes, is_leaf=lambda v: v is None))
    arrays = jax.tree.map(np.asarray, arrays)
    keys = np.asarray(jax.random.key_data(jax.random.split(key, batch)))
    chunk = min(settings.chunk, batch)

    def solve(first: int) -> Fit:
        index = np.minimum(np.arange(first, first + chunk), batch - 1)  # the last chunk repeats its last element
        part = eqx.combine(jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), arrays), rest)
        fit, ends, doubtful = _solve_chunk(part, axes, jnp.asarray(keys[index]), starts, settings)
        if doubtful:
            fit = _finish_chunk(part, axes, ends, fit.agreeing)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[: batch - first], fit)

    firsts = range(0, batch, chunk)
    threads = (settings.threads or os.cpu_count() or 1) if THREADS_ARE_SAFE else 1
    with ThreadPoolExecutor(threads) as pool:
        parts = [solve(0), *pool.map(solve, firsts[1:])]  # the first one compiles for all
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def _estimate(problem: Problem, fit: Fit, starts: int) -> Estimate:
    seen_one: list[str] = []  # filled while tracing, because jax would sort the keys of a returned dict
    jax.eval_shape(lambda p: seen_one.extend(_first(p).seen(_first(p).start()).derived()), problem)
    names = tuple(s.name for s in problem.free) + tuple(seen_one)
    table = problem.measurement.derived_table
    unit = {s.name: s.unit for s in problem.free} | {n: _row(table, n).unit for n in seen_one}
    meaning = {s.name: s.meaning for s in problem.free} | {n: _row(table, n).definition for n in seen_one}
    plain: Any = jax.tree.map(np.asarray, fit)
    codes = np.vectorize(lambda c: list(RESULTS)[c])(plain.code)
    failed = np.asarray(plain.code != CONVERGED)
    variance = np.diagonal(plain.covariance, axis1=-2, axis2=-1)
    std = np.where(plain.empty, np.inf, np.sqrt(np.maximum(variance, 0.0)))
    std = np.where(failed[..., None] & ~np.isfinite(plain.values), np.nan, std)
    return Estimate(
        technique=problem.measurement.technique,
        names=names,
        units=unit,
        definitions=meaning,
        values=plain.values,
        std=std,
        covariance=plain.covariance,
        result=codes if codes.ndim else str(codes),
        steps=plain.steps,
        chi2_reduced=plain.chi2,
        log_likelihood=plain.log_likelihood,
        n_points=int(problem.signal.shape[-1]),
        n_free=len(problem.free),
        scale_is_estimated=bool(problem.measurement.noise.scale_is_estimated),
        signal=np.asarray(problem.signal),
        expected=plain.expected,
        null=plain.null,
        null_mask=plain.null_mask,
        empty=plain.empty,
        problem=problem,
        starts=(int(plain.agreeing), starts) if codes.ndim == 0 else (0, starts),
    )


def _row(table: Mapping[str, Any], name: str) -> Any:
    while name not in table:  # "fraction_1", "weight_fraction_CsPbBr3_cubic"
        name = name.rsplit("_", 1)[0]
    return table[name]


def _first(problem: Problem) -> Problem:
    """Return the first element of a batched problem (only shapes matter to the caller)."""
    if problem.signal.ndim == 1:
        return problem
    axes = _axes(problem, problem.signal.shape[0])
    return jax.tree.map(
        lambda leaf, axis: leaf if axis is None else leaf[0], problem, axes, is_leaf=lambda v: v is None
    )
