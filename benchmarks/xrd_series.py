"""200 powder patterns of three phases fitted as one batch, against rietx started warm with the same free parameters.

Nineteen are free: an area (scale), a crystallite size and the cell of each phase, the height error, six background
polynomials. The peer fits pattern after pattern, each from where the last one ended, in one stage and without its
closing stage, which is its fastest way here. Both minimise the same weighted squares. rietx multiplies its errors by an
inflation of its own (serial correlation); that factor is taken out for `median_ratio_of_errors`, and reported.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xrd_in_rietx

PHASES, PATTERNS, LOOPED, ROUNDS = ("Cs4PbBr6", "CsPbBr3", "CsBr"), 200, 9, 3
AXIS = np.arange(10.0, 60.0, 0.025)
POLYNOMIALS = 6
CELLS = (
    ("cell_a_Cs4PbBr6", "0.cell.a"), ("cell_c_Cs4PbBr6", "0.cell.c"), ("cell_a_CsPbBr3", "1.cell.a"),
    ("cell_b_CsPbBr3", "1.cell.b"), ("cell_c_CsPbBr3", "1.cell.c"), ("cell_a_CsBr", "2.cell.a"),
)  # fmt: skip
FREE = (
    "phases.*.scale", "phases.*.lor_size", "phases.*.cell.*", "instrument.geometry.sample_displacement",
    "instrument.background.*",
)  # fmt: skip


class Peer:
    """rietx, with the state of the last fit as the start of the next."""

    def __init__(self, crystals, machine, folder: Path) -> None:
        import rietx as rx

        structure, instrument = xrd_in_rietx.model(crystals, machine, folder, polynomials=POLYNOMIALS)
        self._rx, self._fit = rx, rx.Refinement(structure, instrument, history=False)
        wide = float(np.rad2deg(0.9 * machine.wavelengths_nm[0] / 20.0))
        self._fit.set_values({f"phases.{i}.lor_size": wide for i in range(3)} | {"instrument.background.c0": 50.0})
        self._wavelength = machine.wavelengths_nm[0]

    def _plan(self, free):
        return self._rx.RefinementPlan(stages=[self._rx.Stage("all", list(free))], closing_window_tol=None)

    def begin(self, signal) -> None:
        """Find scales and background, then everything: the start of the series."""
        data = xrd_in_rietx.pattern(AXIS, signal)
        self._fit.fit(data, plan=self._plan(("phases.*.scale", "instrument.background.*")), telemetry=False)
        self._fit.fit(data, plan=self._plan(FREE), telemetry=False)

    def fit(self, signal):
        """Return values and errors: weight fractions, sizes in nm, cells in nm; and the inflation of the errors."""
        result = self._fit.fit(xrd_in_rietx.pattern(AXIS, signal), plan=self._plan(FREE), telemetry=False)
        phases = self._fit.fitted_structure.phases
        values = [q.weight_fraction for q in result.qpa.phases]
        errors = [q.weight_fraction_stderr for q in result.qpa.phases]
        for phase in phases:
            size = np.rad2deg(0.9 * self._wavelength) / phase.lor_size.value
            values.append(size)
            errors.append(size * phase.lor_size.stderr / phase.lor_size.value)
        for _, path in CELLS:
            found = getattr(phases[int(path[0])].cell, path[-1])
            values.append(found.value / 10)
            errors.append(found.stderr / 10)
        return np.array(values), np.array(errors), float(result.statistics.esd_inflation or 1.0)


def run(patterns: int = PATTERNS, looped: int = LOOPED) -> dict[str, object]:
    """Return one row of the table."""
    import jax.numpy as jnp

    from perolas.core.invert import invert
    from perolas.core.noise import Gaussian
    from perolas.core.parameter import replace
    from perolas.core.solver import LevenbergMarquardt
    from perolas.measurements.xrd import PARAMETERS, Instrument, pattern
    from perolas.measurements.xrd import phase as library_phase

    crystals, machine = [library_phase(n) for n in PHASES], Instrument()
    model = pattern(
        crystals, AXIS, machine, reach_deg=16.0, polynomials=POLYNOMIALS, area=[800.0, 600.0, 500.0],
        crystallite_nm=[20.0] * 3, background=[50.0] + [0.0] * (POLYNOMIALS - 1),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    share = np.linspace(0.2, 0.8, patterns)[:, None]
    areas = 1900.0 * np.concatenate([1 - share, 0.6 * share, 0.4 * share], axis=1)
    signals = np.array(
        [rng.poisson(np.asarray(replace(model, area=jnp.asarray(a)).expected())) for a in areas], dtype=float
    )
    variance = np.maximum(signals, 1.0)
    solver = LevenbergMarquardt(tol=1e-6, chunk=1)
    vectors = {row.field: np.asarray(getattr(model, row.field)) for row in PARAMETERS if row.vector}

    def ours(count: int):
        start = replace(model, **{k: jnp.asarray(np.tile(v, (count, 1))) for k, v in vectors.items()})
        start = replace(start, noise=Gaussian(jnp.asarray(variance[:count])))
        return invert(start, signals[:count], solver=solver, throw=False)

    begin = time.perf_counter()
    ours(solver.chunk + 1)
    first = time.perf_counter() - begin
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, loops, cpu, cpu_loops, theirs = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(crystals, machine, Path(folder))
        peer.begin(signals[0])
        for part in range(ROUNDS):
            begin, used = time.perf_counter(), time.process_time()
            estimate = ours(patterns)
            seconds.append((time.perf_counter() - begin) / patterns)
            cpu.append((time.process_time() - used) / patterns)
            rows = range(part * looped // ROUNDS, (part + 1) * looped // ROUNDS)
            begin, used = time.perf_counter(), time.process_time()
            theirs += [peer.fit(signals[i]) for i in rows]
            loops.append((time.perf_counter() - begin) / len(rows))
            cpu_loops.append((time.process_time() - used) / len(rows))
    names = [
        *(f"weight_fraction_{n}" for n in PHASES), *(f"crystallite_size_{n}" for n in PHASES), *(n for n, _ in CELLS)
    ]  # fmt: skip
    at = [estimate.names.index(n) for n in names]
    found, std = estimate.values[:looped, at], estimate.std[:looped, at]
    values, errors, inflation = (np.array(v) for v in zip(*theirs, strict=True))
    away = np.abs(found - values) / std
    return {
        "benchmark": "xrd series",
        "ours_us": 1e6 * float(np.median(seconds)),
        "peer": "rietx, warm",
        "peer_us": 1e6 * float(np.median(loops)),
        "ratio": float(np.median(loops) / np.median(seconds)),
        "cpu_ratio": float(np.median(cpu_loops) / np.median(cpu)),
        "converged": float(np.mean(estimate.result == "converged")),
        "median_difference_sigma": float(np.median(away)),
        "worst_difference_sigma": float(np.max(away)),
        "median_ratio_of_errors": float(np.median(errors / inflation[:, None] / std)),
        "ratio_of_errors_low": float(np.min(errors / inflation[:, None] / std)),
        "ratio_of_errors_high": float(np.max(errors / inflation[:, None] / std)),
        "peer_inflation": float(np.median(inflation)),
        "compile_s": first,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "grown_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patterns", type=int, default=PATTERNS)
    parser.add_argument("--looped", type=int, default=LOOPED)
    given = parser.parse_args()
    json.dump(run(given.patterns, given.looped), sys.stdout)


if __name__ == "__main__":
    main()
