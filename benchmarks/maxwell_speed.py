"""Four-level cell-steps per second against MEEP's multilevel atoms: one radiative transition, the same grid, in turns.

`python benchmarks/maxwell_speed.py [--grids 512x512 3000x3000 128x128x128] [--rounds 3] [--only-ours]`. MEEP runs under
the system's Python (`--python`), through `mpirun -np <cores>` where its build knows MPI. It is always in double
precision. Prints one JSON object for each grid: Mcell-steps/s of ours in both precisions and of MEEP, their ratios
(medians over rounds in which they take turns), and ours over the bound that the memory's bandwidth sets. That bound
takes the bytes of a step, every field and population read and written once and each coefficient read, and a triad in
jax on the same cores.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import time

import jax
import jax.numpy as jnp

from perolas.laser.maxwell_bloch import FourLevel, Grid, Medium, Simulation

OMEGA, WIDTH, LIVES, PUMP, COUPLED = 0.3, 0.02, (50.0, 5000.0, 50.0), 1e-4, 1e-4
MEEP = f"""
import sys, time
import meep as mp
mp.verbosity(0)
shape, steps = [int(n) for n in sys.argv[1].split("x")], int(sys.argv[2])
two_pi = 6.283185307179586
along = mp.Vector3(1, 1, 1) if len(shape) == 3 else mp.Vector3(0, 0, 1)
levels = [
    mp.Transition(1, 2, frequency={OMEGA} / two_pi, gamma={WIDTH} / two_pi, sigma_diag=along),
    mp.Transition(3, 2, transition_rate=1 / {LIVES[0]}),
    mp.Transition(2, 1, transition_rate=1 / {LIVES[1]}),
    mp.Transition(1, 0, transition_rate=1 / {LIVES[2]}),
    mp.Transition(0, 3, pumping_rate={PUMP}),
]
atoms = mp.MultilevelAtom(sigma=1, transitions=levels, initial_populations=[1e-3, 0, 0, 0])
simulation = mp.Simulation(
    cell_size=mp.Vector3(*shape), resolution=1, dimensions=len(shape), Courant=0.5,
    default_material=mp.Medium(epsilon=2.0, E_susceptibilities=[atoms]), boundary_layers=[mp.PML(10)],
    sources=[mp.Source(mp.ContinuousSource({OMEGA} / two_pi), component=mp.Ez, center=mp.Vector3())],
)
simulation.init_sim()
simulation.fields.step()
begun, used = time.perf_counter(), time.process_time()
for _ in range(steps):
    simulation.fields.step()
if mp.am_master():
    print("SECONDS", (time.perf_counter() - begun) / steps, (time.process_time() - used) / steps)
"""  # fmt: skip


def bytes_per_cell(dimension: int, size: int) -> int:
    """State read and written, permittivity read, one number for all other coefficients."""
    electric, magnetic = (1, 2) if dimension == 2 else (3, 3)
    return (2 * (electric + magnetic + 2 * electric + 3) + electric) * size


def bandwidth(size: int = 40_000_000, rounds: int = 5) -> float:
    """Bytes a second of a triad in place, single precision: the best of some rounds."""
    a, b = jnp.ones(size, jnp.float32), jnp.ones(size, jnp.float32)
    triad = jax.jit(lambda x, y: 0.5 * x + y, donate_argnums=0)  # in place: new pages would be slower
    a = triad(a, b).block_until_ready()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        a = triad(a, b).block_until_ready()
        taken.append(time.perf_counter() - begun)
    return 12.0 * size / min(taken)


class Ours:
    """One simulation, compiled, that goes on for some steps each time."""

    def __init__(self, shape: tuple[int, ...], precision: str, steps: int) -> None:
        atoms = FourLevel(OMEGA, WIDTH, *LIVES, 1e-3, PUMP, coupling=COUPLED)
        self.steps = steps
        self.simulation = Simulation(Grid(shape, 1.0, "absorber", absorber=10), Medium(2.0), atoms, precision=precision)
        self.state = self.simulation.run(steps, every=steps, start=self.simulation.start(amplitude=1e-3))  # compiles

    def seconds(self) -> tuple[float, float]:
        """Of a step, by the clock and of processor time."""
        begun, used = time.perf_counter(), time.process_time()
        self.state = self.simulation.run(self.steps, every=self.steps, start=self.state)
        return (time.perf_counter() - begun) / self.steps, (time.process_time() - used) / self.steps


def meep_seconds(python: str, shape: tuple[int, ...], steps: int, cores: int) -> tuple[float, float] | None:
    """Of a step of MEEP, by the clock and of the first process's processor time; None where it is absent."""
    command = [python, "-c", MEEP, "x".join(map(str, shape)), str(steps)]
    asked = [python, "-c", "import meep; print('MPI' if meep.with_mpi() else 'one')"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    if said.returncode:
        return None
    if "MPI" in said.stdout and cores > 1 and shutil.which("mpirun"):
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", str(cores), *command]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, used = next(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("SECONDS"))
    return float(wall), float(used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", nargs="+", default=["512x512", "3000x3000", "128x128x128"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--only-ours", action="store_true", help="such as on a machine with a GPU")
    parser.add_argument("--steps", type=float, default=3e7, help="cell-steps of MEEP in a round; ours make as many")
    asked = parser.parse_args()
    for text in asked.grids:
        shape = tuple(int(n) for n in text.split("x"))
        cells = math.prod(shape)
        steps = max(3, int(asked.steps / cells))
        ours = {p: Ours(shape, p, steps) for p in ("single", "double")}
        taken: dict[str, list[float]] = {"single": [], "double": [], "meep": [], "bandwidth": []}
        spent: dict[str, list[float]] = {"single": [], "double": [], "meep": []}
        for _ in range(asked.rounds):
            for precision, one in ours.items():
                wall, used = one.seconds()
                taken[precision].append(wall)
                spent[precision].append(used)
            taken["bandwidth"].append(bandwidth(rounds=3))
            peer = None if asked.only_ours else meep_seconds(asked.python, shape, steps, len(os.sched_getaffinity(0)))
            if peer is not None:
                taken["meep"].append(peer[0])
                alone = meep_seconds(asked.python, shape, steps, 1)
                assert alone is not None
                spent["meep"].append(alone[1])
        result: dict[str, object] = {"benchmark": "maxwell_speed", "grid": text, "device": jax.default_backend()}
        for name in ("single", "double", "meep"):
            if taken[name]:
                result[f"{name}_mcells"] = round(cells / statistics.median(taken[name]) / 1e6, 1)
        for precision in ours:
            if taken["meep"]:
                ratios = [m / o for m, o in zip(taken["meep"], taken[precision], strict=True)]
                result[f"{precision}_over_meep"] = round(statistics.median(ratios), 1)
                used_ratios = [m / o for m, o in zip(spent["meep"], spent[precision], strict=True)]
                result[f"{precision}_cpu_ratio"] = round(statistics.median(used_ratios), 1)
        need = bytes_per_cell(len(shape), 4) * cells
        shares = [need / t / b for t, b in zip(taken["single"], taken["bandwidth"], strict=True)]
        result["bytes_per_cell_step"] = bytes_per_cell(len(shape), 4)
        result["bandwidth_gb_s"] = round(statistics.median(taken["bandwidth"]) / 1e9, 1)
        result["share_of_bandwidth"] = round(statistics.median(shares), 3)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
