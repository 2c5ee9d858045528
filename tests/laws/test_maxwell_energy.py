"""Nothing is lost: what the field gives up is what matter, loss and the outside take; photons and atoms balance."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.laser.maxwell_bloch import Balance, FourLevel, Grid, Medium, Pole, Simulation, Trace, TwoLevel


def closes(balance: dict[str, np.ndarray], dt: float) -> float:
    """What remains of energy + outflow + work + loss, as a share of the largest of them."""
    spent = {k: dt * np.cumsum(balance[k]) for k in ("outflow", "work", "loss")}
    rest = np.diff(balance["energy"]) + dt * sum(balance[k][:-1] for k in spent)
    largest = max(np.max(np.abs(v)) for v in (*spent.values(), balance["energy"]))
    return float(np.max(np.abs(np.cumsum(rest))) / largest)


@pytest.mark.parametrize("kind", ["1d", "tm", "te", pytest.param("3d", marks=pytest.mark.full)])
def test_poynting(kind: str) -> None:
    """With gain that saturates, loss and a dispersive pole at once (the theorem is exact on this grid; brief: 1e-4)."""
    shape = {"1d": (160,), "tm": (44, 40), "te": (40, 44), "3d": (26, 24, 22)}[kind]
    grid = Grid(shape, 0.04, "absorber", "te" if kind == "te" else "tm", 8)
    middle = tuple(n * 0.04 / 2 for n in shape)

    def inside(*x: np.ndarray) -> np.ndarray:
        return (sum((a - m) ** 2 for a, m in zip(x, middle, strict=True)) < 0.3**2) * 1.0

    medium = Medium(lambda *x: 1.0 + 1.2 * inside(*x), lambda *x: 0.05 * inside(*x), (Pole(0.5, 9.0, 0.3, inside),))
    atoms = FourLevel(
        8.0, 1.5, 1.0, 200.0, 5.0, lambda *x: 40.0 * inside(*x), pump=0.02, coupling=0.8, populations=(0.0, 0.5, 0.0)
    )
    box = Balance("box", tuple(0.4 for _ in shape), tuple((n - 10) * 0.04 for n in shape))
    simulation = Simulation(grid, medium, atoms, detectors=[box])
    done = simulation.run(300, start=simulation.start(amplitude=0.5, seed=1))
    balance = done.balance("box")
    for part in ("outflow", "work", "loss"):
        assert np.max(np.abs(np.cumsum(balance[part]))) * simulation.dt > 0.01 * np.max(balance["energy"])
    assert closes(balance, simulation.dt) < 1e-9


def test_the_balance_can_fail() -> None:
    """Without what matter takes, it does not close."""
    grid = Grid((200,), 0.02, absorber=20)
    atoms = TwoLevel(8.0, 0.5, 0.01, 5.0, inversion=0.5)
    simulation = Simulation(grid, Medium(), atoms, detectors=[Balance("box", 0.6, 3.4)])
    balance = simulation.run(500, start=simulation.start(amplitude=0.1)).balance("box")
    assert closes(balance, simulation.dt) < 1e-9
    assert closes({**balance, "work": 0.0 * balance["work"]}, simulation.dt) > 0.05


def test_photons_and_atoms_in_steady_state() -> None:
    """A four-level laser in steady state: each photon that leaves, or is absorbed, was one transition of an atom.

    Transitions by light: atoms that arrive in level 2 less those that leave it on their own (rate equations).
    """
    cells = 200
    inside = (np.arange(260) < cells) * 1.0
    grid = Grid((260,), 1.0 / cells, (("conductor", "absorber"),), absorber=20)
    medium = Medium(1.0 + 3.0 * inside, 0.02 * inside)
    # A long-lived level 1 costs gain and level 3 delays, so that each lifetime matters in the balance.
    atoms = FourLevel(20.0, 6.0, 0.5, 40.0, 1.0, 12.0 * inside, pump=0.01, coupling=6.0)
    simulation = Simulation(grid, medium, atoms, detectors=[Balance("all", 0.0, 1.05), Trace("out", "Ez", 1.02)])
    lit = simulation.run(int(1200.0 / simulation.dt), every=50, start=simulation.start(amplitude=1e-3))
    steady = simulation.run(int(40.0 / simulation.dt), start=lit)
    assert np.max(np.abs(steady.trace("out"))) > 0.05  # it lases
    before, after = (r.populations()[1] for r in (lit, steady))
    balance = steady.balance("all")
    leaving = np.mean(balance["outflow"] + balance["loss"])
    _, n2, n3 = steady.populations()
    density = np.asarray(simulation.model.atoms.density) * grid.spacing
    events = np.sum(density * (n3 / atoms.tau32 - n2 / atoms.tau21)) - np.sum(density * (after - before)) / 40.0
    assert leaving == pytest.approx(atoms.frequency * events, rel=2e-2)
