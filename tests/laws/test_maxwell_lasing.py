"""The laser slab of one dimension against exact thresholds without and SALT with the rotating-wave approximation.

n = 1.5 between a conductor at 0 and an open end at 1, two levels with omega_a = 40, gamma_perp = 4, gamma_21 = 0.005,
pump 0.0051. D0 = N0 (pump - gamma_21)/(pump + gamma_21)/gamma_perp.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import fsolve

from perolas.laser.maxwell_bloch import Grid, Medium, Run, Simulation, Trace, TwoLevel
from perolas.laser.maxwell_bloch.ringing import Ringing, modes_of

PERP, PAR, DECAY, PUMP = 4.0, 0.0101, 0.005, 0.0051
EXACT = (40.77160326, 0.06148445)  # without the approximation; 40.74761986, 0.06121235 with it


def slab(cells: int, atoms_density: float) -> Simulation:
    total = int(1.1 * cells) + 40
    grid = Grid((total,), 1.0 / cells, (("conductor", "absorber"),), absorber=30)
    inside = (np.arange(total) < cells) * 1.0
    atoms = TwoLevel(40.0, PERP, DECAY, atoms_density * inside, PUMP)
    return Simulation(grid, Medium(1.0 + 1.25 * inside), atoms, detectors=[Trace("out", "Ez", 1.0)])


def seeded(simulation: Simulation, size: float) -> dict[str, object]:
    (x,) = simulation.grid.coordinates("Ez")
    return simulation.start(fields={"Ez": size * np.sin(1.5 * EXACT[0] * x) * (x <= 1.0)})


def ringing(run: Run, after: float) -> Ringing:
    late = run.times > after
    return modes_of(run.times[late], run.trace("out")[late], 39.5, 42.5, 4)


def test_the_exact_thresholds() -> None:
    """The brief's thresholds solve n cot(nk) = i with the Bloch-exact susceptibility: checked here, used below."""

    def mismatch(x: np.ndarray) -> np.ndarray:
        k, d0 = x
        n = np.sqrt(2.25 + 2.0 * 40.0 * PERP * d0 / -(40.0**2 + PERP**2 - k**2 - 2j * PERP * k))
        value = n * np.cos(n * k) - 1j * np.sin(n * k)
        return np.array([value.real, value.imag])

    for k, d0 in (EXACT, (38.92782826, 0.06676451)):
        assert fsolve(mismatch, (k, d0)) == pytest.approx((k, d0), rel=2e-7)


def threshold(cells: int) -> tuple[float, float]:
    """D0 and frequency at which a faint field neither grows nor decays."""
    rows = []
    for d0 in (0.0612, 0.0618):
        simulation = slab(cells, d0 * PERP * PAR / (PUMP - DECAY))
        every = int(0.01 / simulation.dt)
        run = simulation.run(int(40.0 / simulation.dt), every=every, start=seeded(simulation, 1e-6))
        found = ringing(run, 8.0)
        rows.append((d0, found.growth[0], found.frequency[0]))
    (d1, g1, k1), (d2, g2, k2) = rows
    share = -g1 / (g2 - g1)
    return d1 + share * (d2 - d1), k1 + share * (k2 - k1)


def test_threshold_at_400_cells() -> None:
    """At 400 cells the grid's error is 0.15 %; it is second order (next test)."""
    d0, k = threshold(400)
    assert d0 == pytest.approx(EXACT[1], rel=2e-3)
    assert k == pytest.approx(EXACT[0], rel=1e-3)


@pytest.mark.full
def test_threshold_extrapolated() -> None:
    """From 400, 800 and 1,600 cells: within 0.2 % of the exact oscillator's threshold, 0.44 % from the other's."""
    found = np.array([threshold(cells) for cells in (400, 800, 1600)])
    first, second = np.diff(found, axis=0)
    assert first / second == pytest.approx(4.0, rel=0.05)  # second order
    d0, k = found[2] + second / 3.0
    assert d0 == pytest.approx(EXACT[1], rel=2e-5)
    assert k == pytest.approx(EXACT[0], rel=1e-5)
    assert found[1, 1] == pytest.approx(EXACT[0], rel=1e-3)  # at 800 cells


def test_dark_below_bright_above() -> None:
    """N0 = 24 (D0 = 0.0594) lies below threshold, 28 (0.0693) above; at 400 cells."""
    for density, growing in ((24.0, False), (28.0, True)):
        simulation = slab(400, density)
        run = simulation.run(int(40.0 / simulation.dt), every=4, start=seeded(simulation, 1e-4))
        assert (ringing(run, 8.0).growth[0] > 0.0) == growing


@pytest.mark.full
@pytest.mark.parametrize(("cells", "printed"), [(400, 0.2240), (800, 0.2182)])
def test_steady_intensity(cells: int, printed: float) -> None:
    """SALT: |psi(1)|^2 = 0.2246908 at N0 = 28, within 5 %; psi = 2 theta E+/sqrt(gperp gpar), E+ half the peak field.

    Another FDTD code printed 0.2240 and 0.2182; its treatment of the slab's end differs, so 3 % of it is asked for.
    """
    simulation = slab(cells, 28.0)
    run = simulation.run(int(1500.0 / simulation.dt), every=5, start=seeded(simulation, 0.1))
    late = run.times > 1400.0
    intensity = np.max(run.trace("out")[late] ** 2) / (PERP * PAR)
    assert intensity == pytest.approx(0.2246908, rel=0.05)
    assert intensity == pytest.approx(printed, rel=0.03)
    frequency = modes_of(run.times[late], run.trace("out")[late], 39.5, 42.5, 1).frequency[0]
    # SALT at D0 = 0.0693 lies at 40.7428; without its approximation the line is 0.06 % higher, as at threshold.
    assert frequency == pytest.approx(EXACT[0], rel=1e-3)
