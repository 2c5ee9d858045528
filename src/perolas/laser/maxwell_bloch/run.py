"""A simulation and what came of it: compiled chunks, checked in between, kept and taken up again."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from perolas.core import check
from perolas.core.errors import FitError, InputError, one_line
from perolas.laser.maxwell_bloch import atoms as gain
from perolas.laser.maxwell_bloch import cpml, detectors, sources, stability, step
from perolas.laser.maxwell_bloch.grid import Grid
from perolas.laser.maxwell_bloch.media import Medium

PRECISIONS = {"double": (np.float64, np.float64), "single": (np.float32, np.float32), "mixed": (np.float32, np.float64)}
_CHUNK_STEPS = 20_000  # between looks at the state
_MOST_MEMORY = 0.9  # of what is free


class Readout(eqx.Module):
    """What is read at each sample."""

    traces: tuple[detectors.Tap, ...]
    transforms: tuple[detectors.Transform, ...]
    accounts: tuple[detectors.Account, ...]
    names: tuple[str, ...] = eqx.field(static=True)

    def sample(self, model: step.Model, state: step.State) -> dict[str, Any]:
        """The records of one sample."""
        found: dict[str, Any] = {n: t.read(state) for n, t in zip(self.names, self.traces, strict=True)}
        for one in self.accounts:
            found[one.name] = one.read(model, state)
        return found


@partial(jax.jit, static_argnames=("samples", "every"), donate_argnames=("state",))
def _chunk(model: step.Model, readout: Readout, state: Any, samples: int, every: int) -> tuple[Any, Any]:
    """Advance by samples * every steps, reading before each stretch."""

    def stretch(carry: Any, _: None) -> tuple[Any, Any]:
        inner, sums = carry
        records = readout.sample(model, inner)
        sums = tuple(t.add(s, inner, model.dt, every) for t, s in zip(readout.transforms, sums, strict=True))
        inner = jax.lax.fori_loop(0, every, lambda _, s: step.take_step(model, s), inner)
        return (inner, sums), records

    return jax.lax.scan(stretch, state, None, length=samples)


@partial(jax.jit, static_argnames=("samples", "every"), donate_argnames=("state",))
def _chunks(model: step.Model, readout: Readout, state: Any, samples: int, every: int) -> tuple[Any, Any]:
    """The same for a batch: models and states have a leading axis."""
    return jax.vmap(lambda m, s: _chunk(m, readout, s, samples, every))(model, state)


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes:
        simulation: what was run.
        state: at its end, to go on from.
        times: of the samples of this run, shape (t,).
        records: traces and balances by name; a trace has shape (t, region ...).
        sums: the running transforms by name, since the start.
    """

    simulation: Simulation
    state: step.State
    times: Float[np.ndarray, " t"]
    records: dict[str, Any]
    sums: dict[str, tuple[Complex[np.ndarray, "..."], ...]]

    @property
    def steps(self) -> int:
        """Steps since the start."""
        return int(np.ravel(np.asarray(self.state["step"]))[0])

    def trace(self, name: str) -> Float[np.ndarray, "t ..."]:
        """Return a trace, without the axes along which its region is one sample wide."""
        values = np.asarray(self.records[check.one_of(name, self.records, "Record")])
        return values.reshape(values.shape[0], *(n for n in values.shape[1:] if n > 1))

    def balance(self, name: str) -> dict[str, Float[np.ndarray, " t"]]:
        """Return a balance: energy, outflow, work on matter and loss, each shape (t,)."""
        return {k: np.asarray(v) for k, v in self.records[check.one_of(name, self.records, "Record")].items()}

    def spectrum(self, name: str) -> Complex[np.ndarray, "f ..."]:
        """Return a running transform, without the axes along which its region is one sample wide."""
        values = self.sums[check.one_of(name, self.sums, "Record")][0]
        return values.reshape(values.shape[0], *(n for n in values.shape[1:] if n > 1))

    def flux(self, name: str) -> Float[np.ndarray, " f"]:
        """Return the energy through a surface, or out of a box, for each unit of angular frequency."""
        check.one_of(name, self.sums, "Record")
        detector = next(d for d in self.simulation.detectors if d.name == name)
        if not isinstance(detector, detectors.Flux | detectors.Box):
            raise InputError(f'The detector "{name}" is no surface of flux.')
        grid = self.simulation.grid
        return detectors.passed(grid, detectors.surfaces(grid, detector), self.sums[name])

    def field(self, component: str) -> Float[np.ndarray, "..."]:
        """Return a component at the end of the run, shape of the grid."""
        kind, axis = self.simulation.grid.component(component)
        return np.asarray(self.state[kind][axis])

    def populations(self) -> tuple[Float[np.ndarray, "..."], ...]:
        """Return the inversion of two levels, or the shares of levels 1, 2 and 3, at the nodes."""
        return tuple(np.asarray(n) for n in self.state.get("pops", ()))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the state, to be taken up by `Simulation.load` later; a whole file or none is there at any moment.

        Args:
            path: an .npz file.
        """
        _keep(Path(path), self.simulation, self.state, self.sums)


def _flat(tree: Any) -> dict[str, Any]:
    """Leaves by their path in a tree."""
    return {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_flatten_with_path(tree)[0]}


def _keep(path: Path, simulation: Simulation, state: Any, sums: Any) -> None:
    """Write a state to one side and move it into place."""
    arrays: dict[str, Any] = {k: np.asarray(v) for k, v in _flat((state, sums)).items()}
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, fingerprint=np.array(simulation.fingerprint), **arrays)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Simulation:
    """Fields, media, atoms, sources and detectors on one grid, ready to run.

    Args:
        grid: the grid with its edges.
        medium: the passive medium.
        atoms: the gain medium; None without.
        sources: what drives the field.
        detectors: what is read out; their names differ.
        dt: time step; None: the largest that is stable and resolves every rate.
        precision: "double", "single", or "mixed" (fields single, populations double).
        seed: of the noise of spontaneous emission.

    Raises:
        InputError: a time step that is too large, profiles of another shape, a region outside the grid, a grid
            that does not fit into memory.
    """

    def __init__(
        self,
        grid: Grid,
        medium: Medium | None = None,
        atoms: gain.TwoLevel | gain.FourLevel | None = None,
        *,
        sources: Sequence[sources.Source] = (),
        detectors: Sequence[detectors.Detector] = (),
        dt: float | None = None,
        precision: str = "double",
        seed: int = 0,
    ) -> None:
        self.grid, self.medium, self.atoms = grid, medium or Medium(), atoms
        self.detectors = tuple(detectors)
        self.precision = check.one_of(precision, PRECISIONS, "Precision")
        self.bytes_needed = memory_needed(grid, self.medium, atoms, precision)
        _fits(self.bytes_needed)
        names = [d.name for d in self.detectors]
        if len(set(names)) < len(names):
            raise InputError("The names of the detectors must differ.")
        sampled = self.medium.on(grid)
        self.dt = stability.time_step(grid, self.medium, sampled, atoms, dt)
        if atoms is not None and precision == "single":
            stability.single_suffices(atoms, self.dt)
        self.model = _model(self, sampled, tuple(sources), seed)
        self.readout = _readout(self, sampled)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the run depends on."""
        digest = hashlib.sha256(repr((self.grid, self.dt, self.precision)).encode())
        for name, leaf in _flat((self.model, self.readout)).items():
            digest.update(name.encode())
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()

    def start(self, *, amplitude: float = 0.0, seed: int = 0, fields: dict[str, ArrayLike] | None = None) -> step.State:
        """Return a state to start from.

        Args:
            amplitude: standard deviation of random E where it is free, to begin from.
            seed: of it.
            fields: components to begin from, each of the grid's shape.

        Returns:
            The state.

        Raises:
            InputError: a component that is not there, or another shape.
        """
        dtype, kind = PRECISIONS[self.precision]
        pops = () if self.atoms is None else gain.resting(self.atoms, self.grid, np.dtype(kind))
        state = step.at_rest(self.grid, self.model, pops, np.dtype(dtype))
        rng = np.random.default_rng(seed)
        if amplitude:
            for a in self.grid.electric:
                free = np.asarray(jnp.broadcast_to(self.model.respond[a], self.grid.shape)) > 0
                state["E"][a] = jnp.asarray(amplitude * rng.standard_normal(self.grid.shape) * free, dtype)
        for name, values in (fields or {}).items():
            part, axis = self.grid.component(name)
            array = np.asarray(values)
            if array.shape != self.grid.shape:
                raise InputError(f"The field {name} has the shape {array.shape}, but the grid has {self.grid.shape}.")
            state[part][axis] = jnp.asarray(array, dtype)
        return state

    def run(
        self,
        steps: int,
        *,
        every: int = 1,
        start: step.State | Run | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Run:
        """Advance by a number of steps.

        Args:
            steps: how many; rounded up to a multiple of `every`.
            every: steps between samples of the detectors.
            start: a state, or a run to go on from; None: at rest.
            checkpoint: file to which the state is saved after each chunk of steps.
            progress: called with the steps done and those to do.

        Returns:
            The run: its records are those of these steps, its transforms run since the start.

        Raises:
            InputError: no steps, or samples too far apart for a detector's frequencies.
            FitError: fields or populations left the numbers, which smaller steps may cure.
        """
        steps, every = int(steps), int(every)
        if steps < 1 or every < 1:
            raise InputError("A run takes at least one step, and samples lie at least one step apart.")
        self._sampling(every)
        samples = math.ceil(steps / every)
        state, sums = self._begin(start)
        first = int(state["step"])
        carry = jax.tree.map(lambda x: jnp.array(x, copy=True), (state, sums))
        records: list[Any] = []
        done = 0
        while done < samples:
            count = min(max(1, _CHUNK_STEPS // every), samples - done)
            carry, part = _chunk(self.model, self.readout, carry, count, every)
            records.append(jax.tree.map(np.asarray, part))
            done += count
            self._look(carry[0])
            if checkpoint is not None:
                _keep(Path(checkpoint), self, carry[0], self._named(carry[1]))
            if progress is not None:
                progress(done * every, samples * every)
        times = self.dt * (first + every * np.arange(samples))
        joined = jax.tree.map(lambda *parts: np.concatenate(parts), *records)
        return Run(self, carry[0], times, joined, self._named(carry[1]))

    def load(self, path: str | os.PathLike[str]) -> Run:
        """Return a run that was saved, to go on from.

        Args:
            path: what `Run.save` or a checkpoint wrote.

        Returns:
            The run, without records.

        Raises:
            InputError: no such file, or one of another simulation.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise InputError(f"The saved run {one_line(path)} cannot be read ({one_line(error, 80)}).") from None
        if str(arrays.pop("fingerprint", "")) != self.fingerprint:
            raise InputError(f"The saved run {one_line(path)} belongs to another simulation; build the same one again.")
        empty = (self.start(), self._named(self._empty()))
        names, tree = list(_flat(empty)), jax.tree.structure(empty)
        if set(names) != set(arrays):
            raise InputError(f"The saved run {one_line(path)} is incomplete.")
        state, sums = jax.tree.unflatten(tree, [jnp.asarray(arrays[n]) for n in names])
        return Run(self, state, np.empty(0), {}, sums)

    def _empty(self) -> tuple[Any, ...]:
        dtype = np.dtype(PRECISIONS[self.precision][0])
        return tuple(t.empty(dtype) for t in self.readout.transforms)

    def _named(self, sums: tuple[Any, ...]) -> dict[str, Any]:
        return {t.name: tuple(np.asarray(s) for s in one) for t, one in zip(self.readout.transforms, sums, strict=True)}

    def _begin(self, start: step.State | Run | None) -> tuple[step.State, tuple[Any, ...]]:
        if isinstance(start, Run):
            return start.state, tuple(
                tuple(jnp.asarray(s) for s in start.sums[t.name]) for t in self.readout.transforms
            )
        return (self.start() if start is None else start), self._empty()

    def _sampling(self, every: int) -> None:
        for one in self.readout.transforms:
            top = float(one.omega.max())
            if top * self.dt * every > math.pi / 2:
                raise InputError(
                    f'The detector "{one.name}" asks for the frequency {top:g}, for which samples every {every} steps '
                    f"are too far apart; take at most {max(1, int(math.pi / 2 / top / self.dt))}."
                )

    def _look(self, state: step.State) -> None:
        """Refuse a state that is no longer one."""
        sound = all(bool(jnp.all(jnp.isfinite(e))) for e in state["E"].values())
        if "pops" in state:
            low, high = (-1.0, 1.0) if isinstance(self.atoms, gain.TwoLevel) else (0.0, 1.0)
            for n in state["pops"]:
                sound = sound and bool(jnp.all((n > low - 0.01) & (n < high + 0.01)))
        if not sound:
            raise FitError(
                "The fields or populations left what is physical: the light is too strong for this time step; take a "
                "smaller dt."
            )


def run_batch(
    simulations: Sequence[Simulation], steps: int, *, every: int = 1, starts: Sequence[step.State] | None = None
) -> list[Run]:
    """Advance several simulations of one layout together, such as seeds of disorder or pumps.

    Args:
        simulations: they share grid, time step, precision, detectors, and the kind of media, atoms and sources.
        steps: how many.
        every: steps between samples of the detectors.
        starts: a state for each; None: at rest.

    Returns:
        A run for each, as each alone would give.

    Raises:
        InputError: layouts that differ.
    """
    if not simulations:
        raise InputError("A batch needs at least one simulation.")
    head = simulations[0]
    head._sampling(every)
    models = _alike([s.model for s in simulations])
    begins = [s._begin(None if starts is None else starts[i]) for i, s in enumerate(simulations)]
    carry = jax.tree.map(lambda *leaves: jnp.stack(leaves), *begins)
    first = int(begins[0][0]["step"])
    samples = math.ceil(int(steps) / every)
    records, done = [], 0
    while done < samples:
        count = min(max(1, _CHUNK_STEPS // every), samples - done)
        carry, part = _chunks(models, head.readout, carry, count, every)
        records.append(jax.tree.map(np.asarray, part))
        done += count
    joined = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *records)
    found = []
    for i, simulation in enumerate(simulations):
        state, sums = jax.tree.map(lambda x, i=i: x[i], carry)
        simulation._look(state)
        own = jax.tree.map(lambda x, i=i: x[i], joined)
        times = simulation.dt * (first + every * np.arange(samples))
        found.append(Run(simulation, state, times, own, simulation._named(sums)))
    return found


def _alike(models: list[step.Model]) -> step.Model:
    """Stack models; a coefficient that is one number in some is spread out where others have a field."""
    trees: list[Any] = [jax.tree.structure(m) for m in models]
    if any(t != trees[0] for t in trees):
        raise InputError(
            "The simulations of a batch differ in more than their numbers; give them one grid, one time step and the "
            "same kinds of media, atoms, sources and absorbers."
        )

    def stacked(*leaves: Array) -> Array:
        try:
            return jnp.stack(jnp.broadcast_arrays(*leaves))
        except ValueError:
            raise InputError("The simulations of a batch have sources or media of different extent.") from None

    result: step.Model = jax.tree.map(stacked, *models)
    return result


def _model(simulation: Simulation, sampled: Any, given: tuple[sources.Source, ...], seed: int) -> step.Model:
    """The coefficients of a run."""
    grid, dt = simulation.grid, simulation.dt
    dtype = np.dtype(PRECISIONS[simulation.precision][0])
    keep, answer = step.respond(grid, sampled, dt)
    lossy = any(np.any(k != 1.0) for k in keep.values())
    poles = []
    for pole, drives in zip(simulation.medium.poles, sampled.drives, strict=True):
        half = 1.0 + 0.5 * pole.damping * dt
        # The right resonance on the grid of time, and the right permittivity at rest: second order in between.
        square = gain.discrete(pole.frequency, dt)[0]
        share = square / pole.frequency**2 if pole.frequency > 0 else 1.0
        poles.append(
            step.PoleOnGrid(
                jnp.asarray((1.0 - 0.5 * pole.damping * dt) / half, dtype),
                jnp.asarray(dt * square / half, dtype),
                {a: jnp.asarray(dt * share * d / half, dtype) for a, d in drives.items()},
                pole.frequency > 0,
            )
        )
    negative = {a: -r for a, r in answer.items()}
    driven = tuple(d for s in given for d in sources.driven(s, grid, sampled, negative, dtype))
    driven = tuple(
        eqx.tree_at(lambda d: d.waveform, d, jax.tree.map(lambda x: jnp.asarray(x, np.float64), d.waveform))
        for d in driven
    )
    atoms = simulation.atoms
    return step.Model(
        {a: jnp.asarray(k, dtype) for a, k in keep.items()} if lossy else {},
        {a: jnp.asarray(r, dtype) for a, r in answer.items()},
        tuple(poles),
        None if atoms is None else gain.ensemble(atoms, grid, dt, dtype),
        cpml.slabs(grid, dt, dtype),
        driven,
        jax.random.key_data(jax.random.key(seed)) if atoms is not None and atoms.noise else None,
        grid,
        dt,
    )


def _readout(simulation: Simulation, sampled: Any) -> Readout:
    """What is read out."""
    grid = simulation.grid
    traces = [d for d in simulation.detectors if isinstance(d, detectors.Trace)]
    sums = [d for d in simulation.detectors if isinstance(d, detectors.Spectrum | detectors.Flux | detectors.Box)]
    balances = [d for d in simulation.detectors if isinstance(d, detectors.Balance)]
    return Readout(
        tuple(detectors.region(grid, d) for d in traces),
        tuple(detectors.transform(grid, d) for d in sums),
        tuple(detectors.account(grid, d, sampled.permittivity, sampled.conductivity) for d in balances),
        tuple(d.name for d in traces),
    )


def memory_needed(
    grid: Grid, medium: Medium, atoms: gain.TwoLevel | gain.FourLevel | None, precision: str = "double"
) -> int:
    """Return about how many bytes a run takes, without its records.

    Args:
        grid: the grid.
        medium: the passive medium.
        atoms: the gain medium.
        precision: "double", "single" or "mixed".

    Returns:
        Bytes: state and coefficients, and once more the state while a step is made.
    """
    field, population = (np.dtype(kind).itemsize for kind in PRECISIONS[precision])
    electric, magnetic = len(grid.electric), len(grid.magnetic)
    each = electric + magnetic + 2 * electric * len(medium.poles)
    fixed = (2 + len(medium.poles)) * electric
    levels = 0
    if atoms is not None:
        each += 2 * electric
        fixed += 2
        levels = 1 if isinstance(atoms, gain.TwoLevel) else 3
    return math.prod(grid.shape) * ((2 * each + fixed) * field + 2 * levels * population)


def _free_memory() -> int:
    """Bytes that the system could give, 0 where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def _fits(needed: int) -> None:
    """Refuse a run that the memory cannot hold, where the system says how much is free."""
    if jax.default_backend() != "cpu":
        stats = jax.devices()[0].memory_stats() or {}
        free = stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)
    else:
        free = _free_memory()
    if free and needed > _MOST_MEMORY * free:
        raise InputError(
            f"This run needs about {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free; take a coarser or smaller "
            "grid, or single precision."
        )
