"""Scattering by a dielectric cylinder: efficiency and pattern against the series of Bessel functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import h1vp, hankel1, jv, jvp

from perolas.laser.maxwell_bloch import Box, Grid, IncidentWave, Medium, Simulation, pulse
from perolas.laser.maxwell_bloch.farfield import far_amplitude, far_energy

RADIUS, INDEX = 1.0, 1.7


def coefficients(omega: float, polarization: str) -> tuple[np.ndarray, np.ndarray]:
    """Orders and scattering coefficients (Bohren and Huffman 1983, 8.4), fields as exp(-i omega t)."""
    x = omega * RADIUS
    order = np.arange(-25, 26)
    m, p = (INDEX, 1.0) if polarization == "tm" else (1.0, INDEX)
    top = m * jv(order, x) * jvp(order, INDEX * x) - p * jv(order, INDEX * x) * jvp(order, x)
    low = m * hankel1(order, x) * jvp(order, INDEX * x) - p * jv(order, INDEX * x) * h1vp(order, x)
    return order, -top / low


@pytest.mark.parametrize("polarization", ["tm", "te"])
def test_cylinder(polarization: str) -> None:
    """Scattered energy, its pattern, and the forward amplitude (optical theorem) from one pulse.

    Grid: 20 cells in the radius. Fields along the surface are second order there; across it (TE) the mean of the cells
    is not, which is why TE is allowed 4 %.
    """
    omega = np.array([1.5, 2.0, 2.5, 3.0])
    wave = pulse(2.2, 0.9)
    grid = Grid((120, 120), 0.05, "absorber", polarization, 14, (-3.0, -3.0))
    inside = lambda x, y: np.where(x**2 + y**2 < RADIUS**2, INDEX**2, 1.0)  # noqa: E731
    simulation = Simulation(
        grid,
        Medium(inside, samples=8),
        sources=[IncidentWave(wave)],
        detectors=[Box("out", (-1.7, -1.7), (1.7, 1.7), omega)],
    )
    done = simulation.run(int(45.0 / simulation.dt), every=4)
    times = np.arange(0.0, 20.0, 1e-3)
    incident = 1e-3 * np.exp(1j * np.outer(omega, times)) @ np.asarray(wave(times))
    angles = np.linspace(0.0, 2.0 * np.pi, 361)
    pattern, width = [], []
    for w in omega:
        order, b = coefficients(float(w), polarization)
        amplitude = np.exp(1j * np.outer(angles, order)) @ b
        pattern.append(2.0 / (np.pi * w) * np.abs(amplitude) ** 2)
        width.append(4.0 / w * np.sum(np.abs(b) ** 2))
    near = {"rel": 0.01 if polarization == "tm" else 0.04}
    found = done.flux("out") * np.pi / np.abs(incident) ** 2
    assert found == pytest.approx(np.array(width), **near)
    far = far_energy(done, "out", angles) * np.pi / np.abs(incident[:, None]) ** 2
    assert np.trapezoid(far, angles, axis=1) == pytest.approx(found, rel=3e-3)
    assert np.max(np.abs(far - pattern), axis=1) / np.max(pattern, axis=1) == pytest.approx(0.0, abs=near["rel"])
    # The optical theorem ties the phase of the forward amplitude to the whole scattered energy.
    forward = far_amplitude(done, "out", 0.0)[:, 0] / incident
    extinction = -np.real(np.exp(0.25j * np.pi) * forward) * 2.0 * np.sqrt(2.0 * np.pi / omega)
    assert extinction == pytest.approx(np.array(width), **near)
