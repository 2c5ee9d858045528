"""The laser slab in MEEP: its field after a fixed time, still moving, as both grids are refined.

MEEP's atoms with two levels obey the same Bloch equations. It runs under the system's Python, as distributions pack it.
"""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
from tests.conftest import absent

from perolas.laser.maxwell_bloch import Current, GaussianPulse, Grid, Medium, Simulation, TwoLevel

pytestmark = pytest.mark.full
PYTHON = os.environ.get("PEROLAS_MEEP_PYTHON", "/usr/bin/python3")
OMEGA, PERP, DECAY, PUMP, DENSITY, HELD = 40.0, 4.0, 0.02, 0.05, 28.0, 0.02
TIME, PLACES, SIZE = 3.0, (0.25, 0.5, 0.75, 1.25), 0.1
MEEP = f"""
import sys
import meep as mp
import numpy as np
mp.verbosity(0)
cells, length = int(sys.argv[1]), 2.5
pump = mp.Transition(1, 2, pumping_rate={PUMP}, frequency={OMEGA} / (2 * np.pi), gamma=2 * {PERP} / (2 * np.pi),
                     sigma_diag=mp.Vector3(2 * {OMEGA}, 0, 0))
atoms = mp.MultilevelAtom(sigma=1, transitions=[pump, mp.Transition(2, 1, transition_rate={DECAY})],
                          initial_populations=[{DENSITY} * (1 - {HELD}) / 2, {DENSITY} * (1 + {HELD}) / 2])
slab = mp.Medium(index=1.5, E_susceptibilities=[atoms])
def wave(t):
    return np.exp(-0.5 * ((t - 0.5) / 0.1) ** 2) * np.cos({OMEGA} * (t - 0.5))

simulation = mp.Simulation(
    cell_size=mp.Vector3(0, 0, length), resolution=cells, dimensions=1, Courant=0.5,
    geometry=[mp.Block(mp.Vector3(mp.inf, mp.inf, 1), center=mp.Vector3(0, 0, 0.5 - length / 2), material=slab)],
    boundary_layers=[mp.PML(1.0, side=mp.High)],
    sources=[mp.Source(mp.CustomSource(wave, end_time={TIME}), mp.Ex, center=mp.Vector3(0, 0, 1.1 - length / 2),
                       amplitude={SIZE})],
)
simulation.init_sim()

for _ in range(round({TIME} * 2 * cells)):
    simulation.fields.step()
print("FIELD", *[simulation.get_field_point(mp.Ex, mp.Vector3(0, 0, z - length / 2)).real for z in {PLACES}])
"""


def in_meep(cells: int) -> np.ndarray:
    done = subprocess.run([PYTHON, "-c", MEEP, str(cells)], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("FIELD"))
    return np.array([float(x) for x in line.split()[1:]])


def ours(cells: int, held: float = HELD) -> np.ndarray:
    total = int(1.5 * cells) + 40
    grid = Grid((total,), 1.0 / cells, (("conductor", "absorber"),), absorber=30)
    inside = (np.arange(total) < cells) * 1.0
    atoms = TwoLevel(OMEGA, PERP, DECAY, DENSITY * inside, PUMP, inversion=held)
    source = Current("Ez", GaussianPulse(OMEGA, 0.1, 0.5), 1.1, amplitude=SIZE * cells)  # a sheet: one cell of 1/cells
    simulation = Simulation(grid, Medium(1.0 + 1.25 * inside), atoms, sources=[source], dt=0.5 / cells)
    (x,) = grid.coordinates("Ez")
    run = simulation.run(round(TIME * 2 * cells), every=100)
    return np.interp(PLACES, x, run.field("Ez"))


def test_field_after_a_fixed_time() -> None:
    """Independent truth: another code. The difference falls by three with each halving of the cells."""
    try:
        asked = subprocess.run([PYTHON, "-c", "import meep"], capture_output=True, check=False)
    except OSError:
        absent("meep", f"there is no {PYTHON}")
    if asked.returncode:
        absent("meep", f"MEEP is not installed for {PYTHON} (apt install python3-meep)")
    cells = (200, 400, 800, 1600)
    mine, theirs = [ours(n) for n in cells], [in_meep(n) for n in cells]
    scale = np.linalg.norm(mine[-1])
    apart = np.array([np.linalg.norm(a - b) for a, b in zip(mine, theirs, strict=True)]) / scale
    assert np.all(apart[1:] < 0.5 * apart[:-1]), apart
    assert apart[-1] < 3e-3, apart
    assert np.linalg.norm(ours(400, -HELD) - mine[1]) > 0.1 * scale
