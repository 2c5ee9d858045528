"""Runs of the Maxwell-Bloch solver: going on, saving, batches, precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch import (
    Box,
    Continuous,
    Current,
    FourLevel,
    Grid,
    Medium,
    PumpPulses,
    Simulation,
    Trace,
    TwoLevel,
    pulse,
    run_batch,
)  # fmt: skip


def laser(precision: str = "double", pump: float = 0.05, seed: int = 0, **more: object) -> Simulation:
    grid = Grid((40, 36), 0.06, "absorber", absorber=8)
    rng = np.random.default_rng(seed)
    eps = 1.0 + 2.0 * (rng.random(grid.shape) < 0.4)
    pumped = pump * np.linspace(0.5, 1.0, 40)[:, None] * np.ones(grid.shape)
    atoms = FourLevel(6.0, 1.0, 0.5, 20.0, 0.5, 10.0, pumped, 0.6, **more)
    watched = [Trace("out", "Ez", (0.8, 1.0)), Box("box", (0.6, 0.6), (1.8, 1.6), [5.5, 6.0])]
    lit = [Current("Ez", pulse(6.0, 1.0), (1.2, 1.0))]
    return Simulation(grid, Medium(eps), atoms, sources=lit, detectors=watched, precision=precision)


def test_a_run_in_parts_is_the_run(tmp_path: Path) -> None:
    """To the last bit, from memory and from a file, noise and running transforms included."""
    simulation = laser(noise=True, extent=1e3)
    whole = simulation.run(300, every=2)
    first = simulation.run(100, every=2)
    second = simulation.run(100, every=2, start=first)
    second.save(tmp_path / "part.npz")
    third = laser(noise=True, extent=1e3).load(tmp_path / "part.npz")
    assert third.steps == 200
    third = simulation.run(100, every=2, start=third)
    assert np.array_equal(whole.field("Ez"), third.field("Ez"))
    assert np.array_equal(whole.trace("out")[100:], third.trace("out"))
    assert np.array_equal(whole.flux("box"), third.flux("box"))
    assert third.times[-1] == pytest.approx(whole.times[-1])


def test_checkpoint_while_running(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulation = laser()
    done = simulation.run(50, checkpoint=tmp_path / "c.npz", progress=lambda a, b: seen.append((a, b)))
    assert seen == [(50, 50)]
    assert np.array_equal(simulation.load(tmp_path / "c.npz").field("Ez"), done.field("Ez"))
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_a_saved_run_of_another_simulation_is_refused(tmp_path: Path) -> None:
    laser().run(10).save(tmp_path / "one.npz")
    with pytest.raises(InputError, match="another simulation"):
        laser(pump=0.06).load(tmp_path / "one.npz")
    (tmp_path / "one.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="cannot be read"):
        laser().load(tmp_path / "one.npz")
    with pytest.raises(InputError, match="cannot be read"):
        laser().load(tmp_path / "none.npz")


def test_a_batch_is_each_alone() -> None:
    """Seeds of disorder and pumps, one of them none at all."""
    several = [laser(pump=p, seed=s) for s, p in ((0, 0.05), (1, 0.05), (0, 0.1), (2, 0.0))]
    batch = run_batch(several, 200, every=2)
    for simulation, run in zip(several, batch, strict=True):
        alone = simulation.run(200, every=2)
        assert run.trace("out") == pytest.approx(alone.trace("out"), rel=1e-9, abs=1e-12)
        assert run.flux("box") == pytest.approx(alone.flux("box"), rel=1e-9, abs=1e-15)
    with pytest.raises(InputError, match="batch"):
        run_batch([laser(), laser(noise=True, extent=1e3)], 10)


@pytest.mark.parametrize("precision", ["single", "mixed"])
def test_single_precision(precision: str) -> None:
    """Its error against double after 1,500 steps of a pumped medium: some 1e-6 of the field."""
    double = laser().run(1500, every=5)
    other = laser(precision).run(1500, every=5)
    size = np.max(np.abs(double.trace("out")))
    error = np.max(np.abs(other.trace("out") - double.trace("out"))) / size
    assert 1e-9 < error < 2e-5
    for a, b in zip(double.populations(), other.populations(), strict=True):
        assert np.max(np.abs(a - b)) < 1e-5


def test_pump_pulses_excite_what_they_should() -> None:
    """Two weak pulses of a two-photon pump leave peak rate times the integral of the squared Gaussian, twice."""
    pulses = PumpPulses(2.0, 8.0, 20.0, photons=2, count=2)
    where = np.zeros(60)
    where[20:40] = 1.0
    atoms = FourLevel(6.0, 1.0, 0.5, 1e6, 0.5, where, 1e-3, 0.6, pulses=pulses)
    simulation = Simulation(Grid((60,), 0.1), Medium(), atoms)
    done = simulation.run(int(45.0 / simulation.dt), every=50)
    expected = 2e-3 * 2.0 * np.sqrt(np.pi / (8.0 * np.log(2.0)))
    assert pulses.excitations == pytest.approx(expected / 2e-3)
    assert done.populations()[1][30] == pytest.approx(expected, rel=2e-3)  # less what has left already, 0.2 %
    assert done.populations()[1][5] == 0.0 or simulation.model.atoms.density[5] == 0.0


def test_saturation() -> None:
    """A steady wave bleaches two levels to -1/(1 + Rabi^2 T1 T2) of the Bloch equations, at resonance (Boyd, 6.3)."""
    theta, perp, decay = 0.3, 1.0, 0.05
    thin = np.zeros(400)
    thin[200] = 1.0
    atoms = TwoLevel(6.0, perp, decay, 1e-3 * thin, dipole=theta)
    lit = Current("Ez", Continuous(6.0, 30.0), 2.0, amplitude=0.5 / 0.05)
    grid, watched = Grid((400,), 0.05, absorber=30), [Trace("e", "Ez", 10.0)]
    simulation = Simulation(grid, Medium(), atoms, sources=[lit], detectors=watched)
    done = simulation.run(int(200.0 / simulation.dt))
    peak = np.max(np.abs(done.trace("e")[-400:]))
    found = done.populations()[0][200]
    # Rabi frequency theta E peak / hbar; rho' = -(gamma_perp + ...) rho + i theta E D, D' = ... (period average).
    expected = -1.0 / (1.0 + (theta * peak) ** 2 / (decay * perp))
    assert found == pytest.approx(expected, abs=0.02)
