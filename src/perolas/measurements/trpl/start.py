"""Where a fit of a decay starts: a coarse search over shifts, widths and lifetimes, amplitudes by linear algebra."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.optimize import nnls

from perolas.core import check
from perolas.core.parameter import slots, write_slots
from perolas.measurements.trpl.model import Trpl
from perolas.measurements.trpl.record import Record


def start(record: Record, grid: Grid, count: int, rates: bool, guess: Mapping[str, float]) -> Trpl:
    """Return the decay of the grid that is nearest to the data.

    Args:
        record: the decay.
        grid: its coarse search.
        count: number of exponentials.
        rates: whether the trapping model's rates are wanted.
        guess: name -> start value; these win.

    Returns:
        A measurement to start from.

    Raises:
        InputError: a name in `guess` that is not a parameter.
    """
    tau, amplitude = grid.best(count)
    decay = _decay(record, tau, grid.shift, grid.width)
    decay = dataclasses.replace(decay, rates=rates, amplitude=amplitude[1:], background=max(amplitude[0], 1e-3))
    return _with_guess(decay, guess)


def _decay(record: Record, tau: np.ndarray, shift: float, width: float) -> Trpl:
    return Trpl(
        tau_ns=tau, amplitude=np.ones(len(tau)), shift_ns=shift, irf_fwhm_ns=width, irf=record.irf,
        start_ns=record.start, bin_ns=record.step, period_ns=record.period, bins=record.counts.size,
        window=record.window, noise=record.noise,
    )  # fmt: skip


class Grid:
    """A coarse search: which shift (and width) of the response, and which lifetimes, come nearest to the counts.

    Amplitudes and background are linear, so each trial is a small non-negative least-squares problem on a Gram matrix.
    """

    def __init__(self, record: Record) -> None:
        length = record.seen.size * record.step
        self._tau = np.geomspace(0.4 * record.step, 1.5 * (record.period or length), 28)
        self._weight = 1 / np.maximum(record.seen, 1.0)
        self._seen = record.seen
        best = math.inf
        for shift, width in self._responses(record):
            gram, right = self._normal(record, shift, width)
            _, cost = _solve(gram, right)
            if cost < best:
                best, self.shift, self.width, self._gram, self._right = cost, shift, width, gram, right

    @staticmethod
    def _responses(record: Record) -> list[tuple[float, float]]:
        step, counts = record.step, record.counts
        smooth = np.convolve(counts, np.ones(3) / 3, "same")
        if record.irf.size:
            return [(float(k) * step, 0.1) for k in np.linspace(-15, 15, 61)]
        peak = int(np.argmax(smooth))
        floor = np.quantile(counts, 0.05)
        half = int(np.argmax(smooth >= 0.5 * (smooth[peak] + floor)))
        rise = max(peak - half, 1) * step
        widths = [record.irf_fwhm] if record.irf_fwhm else list(np.geomspace(0.7 * step, max(4 * rise, 3 * step), 6))
        edge = record.start + half * step
        return [(edge + f * (w + step), w) for w in widths for f in np.linspace(-1, 1.5, 11)]

    def _normal(self, record: Record, shift: float, width: float) -> tuple[np.ndarray, np.ndarray]:
        decays = np.asarray(_basis(_decay(record, self._tau, shift, width)))
        rows = np.concatenate([np.ones((1, decays.shape[1])), decays])
        return (rows * self._weight) @ rows.T, rows @ (self._weight * self._seen)

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best `count` lifetimes of the grid, and background and amplitudes: pairs are searched in full."""
        sets = list(itertools.combinations(range(self._tau.size), min(count, 2)))
        chosen = min(sets, key=lambda s: self._solve_for(s)[1])
        while len(chosen) < count:  # further ones are added one at a time, then each is moved once to its best place
            chosen = self._improve((*chosen, -1), len(chosen))
            for place in range(len(chosen)):
                chosen = self._improve(chosen, place)
        chosen = tuple(sorted(chosen))
        linear, _ = self._solve_for(chosen)
        amplitude = linear[1:]
        floor = 0.02 * max(float(amplitude.max()), 1e-3)
        return self._tau[list(chosen)], np.concatenate([linear[:1], np.maximum(amplitude, floor)])

    def _improve(self, chosen: tuple[int, ...], place: int) -> tuple[int, ...]:
        rest = chosen[:place] + chosen[place + 1 :]
        trials = [(*rest, k) for k in range(self._tau.size) if k not in rest]
        return min(trials, key=lambda s: self._solve_for(s)[1])

    def _solve_for(self, chosen: tuple[int, ...]) -> tuple[np.ndarray, float]:
        keep = [0, *(k + 1 for k in chosen)]
        return _solve(self._gram[np.ix_(keep, keep)], self._right[keep])


_basis = eqx.filter_jit(lambda decay: decay.unit_decays())


def _solve(gram: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float]:
    """Solve a non-negative least-squares problem given by its normal equations; return it and its cost."""
    size = np.sqrt(np.maximum(np.diagonal(gram), 1e-300))
    lower = np.linalg.cholesky(gram / np.outer(size, size) + 1e-10 * np.eye(size.size))
    target = np.linalg.solve(lower, right / size)
    x, norm = nnls(lower.T, target)
    return x / size, float(norm**2 - target @ target)


def _with_guess(decay: Trpl, guess: Mapping[str, float]) -> Trpl:
    known = {s.name: s for s in slots(decay, "measurement")}
    chosen = {known[check.one_of(n, known, "The parameter")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(decay, chosen) if chosen else decay
