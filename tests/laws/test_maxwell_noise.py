"""Spontaneous emission has its size from detailed balance: light in a closed box settles with the atoms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct

from perolas.laser.maxwell_bloch import FourLevel, Grid, Medium, Simulation, Trace, TwoLevel


@pytest.mark.parametrize("levels", [2, 4])
def test_energy_of_each_mode(levels: int) -> None:
    """Atoms that stay at n_upper = 0.2 hold each mode at n_upper/(n_lower - n_upper) photons (Kirchhoff, Einstein).

    In a box between conductors the magnetic energy of each mode is half of hbar omega_a times that number, whichever
    its frequency: the noise is white (equipartition). H half a step from E is larger by 1/cos^2(omega dt/2) on this
    grid. The mean over 3 boxes and 8 modes has an error of about 2 %.
    """
    upper, lower = 0.2, 0.8 if levels == 2 else 0.5
    share = upper / (lower - upper)
    flow = 0.2  # populations are held by fast pumping and decay, and there are many atoms
    kinds = {
        2: TwoLevel(6.0, 2.0, 2.0 * lower, 4e4, 2.0 * upper, dipole=0.02, noise=True),
        4: FourLevel(
            6.0, 4.0, 0.1 / flow, upper / flow, 0.5 / flow, 4e4, flow / 0.2, coupling=0.01,
            populations=(0.5, upper, 0.1), noise=True,
        ),
    }  # fmt: skip
    found = []
    for seed in range(3):
        grid = Grid((24,), 0.1, "conductor")
        simulation = Simulation(grid, Medium(), kinds[levels], seed=seed, detectors=[Trace("h", "Hy", 0.0, 2.4)])
        warm = simulation.run(10_000, every=5_000)
        field = simulation.run(30_000, every=100, start=warm).trace("h")
        energy = 0.5 * np.mean(dct(field, type=2, norm="ortho", axis=1) ** 2, axis=0) * grid.spacing
        mode = np.arange(1, 9)
        phase = np.arcsin(simulation.dt / grid.spacing * np.sin(np.pi * mode / 48))
        found.append(energy[mode] * np.cos(phase) ** 2 / (0.5 * 6.0 * share))
    assert np.mean(found) == pytest.approx(1.0, abs=0.08)


def test_no_noise_without_excited_atoms() -> None:
    """Atoms in their ground state emit nothing: the noise is normally ordered, without the vacuum's half photon."""
    atoms = TwoLevel(6.0, 2.0, 1e-9, 100.0, dipole=0.2, inversion=-1.0, noise=True)
    done = Simulation(Grid((24,), 0.1, "conductor"), Medium(), atoms).run(200)
    assert np.max(np.abs(done.field("Ez"))) == 0.0
