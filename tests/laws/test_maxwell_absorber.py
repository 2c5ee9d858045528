"""The absorber against a run so large that nothing has come back from its edge: it reflects less than -60 dB."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.laser.maxwell_bloch import Current, Grid, Medium, Simulation, Trace, pulse


def reflected(shape: tuple[int, ...], polarization: str, eps: float, far: int, steps: int, cells: int = 12) -> float:
    """The largest difference to the large run beside the absorber, as a share of the largest field there, in dB."""
    lead = 0.05
    component = "Ex" if polarization == "te" else "Ez"
    traces = []
    for extra in (0, far):
        size = tuple(n + 2 * extra for n in shape)
        grid = Grid(size, lead, "absorber", polarization, cells, tuple(-extra * lead for _ in shape))
        middle = tuple(0.5 * n * lead for n in shape)
        beside = tuple(n * lead - (cells + 2) * lead for n in shape[:1]) + middle[1:]
        corner = tuple(n * lead - (cells + 2) * lead for n in shape)
        watched = [Trace("side", component, beside), Trace("corner", component, corner)]
        lit = Current(component, pulse(6.0, 0.35), middle)
        done = Simulation(grid, Medium(eps), sources=[lit], detectors=watched).run(steps)
        traces.append((done.trace("side"), done.trace("corner")))
    (side, corner), (far_side, far_corner) = traces
    worst = max(np.max(np.abs(side - far_side)), np.max(np.abs(corner - far_corner)))
    return float(20.0 * np.log10(worst / np.max(np.abs(far_side))))


def test_one_dimension() -> None:
    assert reflected((100,), "tm", 1.0, 300, 300) < -90.0
    assert reflected((100,), "tm", 4.0, 150, 300) < -60.0  # a medium that reaches through the absorber


@pytest.mark.parametrize("polarization", ["tm", "te"])
def test_two_dimensions(polarization: str) -> None:
    """At a side and beside a corner, where light arrives at every angle."""
    assert reflected((60, 60), polarization, 1.0, 70, 180) < -60.0


@pytest.mark.full
def test_three_dimensions() -> None:
    assert reflected((44, 44, 44), "full", 1.0, 30, 120) < -60.0


def test_no_absorber_fails() -> None:
    """The measure sees a bad absorber: of two cells, -60 dB is far away."""
    assert reflected((100,), "tm", 1.0, 300, 300, cells=2) > -40.0


def test_nothing_grows_late() -> None:
    """Long after a pulse the field has died away in every dimension."""
    grid = Grid((50, 50), 0.05)
    lit = Current("Ez", pulse(6.0, 0.35), (1.25, 1.25))
    done = Simulation(grid, sources=[lit], detectors=[Trace("t", "Ez", (1.0, 1.0))]).run(8000, every=4)
    trace = np.abs(done.trace("t"))
    assert np.max(trace[-500:]) < 1e-5 * np.max(trace)
