"""How far light reaches into a metal: a conductor with loss, and a Drude metal below its plasma frequency."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.laser.maxwell_bloch import Current, Grid, Medium, Pole, Simulation, Spectrum, pulse


@pytest.mark.parametrize("metal", ["conductivity", "Drude"])
def test_skin_depth(metal: str) -> None:
    """|E| falls as exp(-Im(k) x) with k = omega sqrt(eps), eps = 1 + i sigma/omega or Drude's (Jackson, 7.5, 8.1)."""
    omega = np.linspace(3.0, 6.0, 7)
    inside = lambda x: (x > 3.0) * 1.0  # noqa: E731
    medium = Medium(conductivity=lambda x: 60.0 * inside(x))
    eps = 1.0 + 60.0j / omega
    if metal == "Drude":
        pole = Pole(100.0, 0.0, 0.5, inside)
        medium, eps = Medium(poles=(pole,)), 1.0 + pole.permittivity(omega)
    grid = Grid((1000,), 0.005, absorber=40)
    watched = [Spectrum("depth", "Ez", 3.05, 3.25, omega)]
    lit = Current("Ez", pulse(4.5, 0.6), 1.5)
    done = Simulation(grid, medium, sources=[lit], detectors=watched).run(3200, every=4)
    field = np.log(np.abs(done.spectrum("depth")))
    found = -np.polyfit(grid.spacing * np.arange(field.shape[1]), field.T, 1)[0]
    assert found == pytest.approx(np.imag(omega * np.sqrt(eps)), rel=2e-3)
    if metal == "conductivity":  # a good conductor: the skin depth is sqrt(2/(omega sigma)), to (omega/sigma)/2
        assert 1.0 / found == pytest.approx(np.sqrt(2.0 / (omega * 60.0)), rel=0.06)
