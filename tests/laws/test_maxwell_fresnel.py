"""Reflection at a dielectric surface: Fresnel's coefficients at normal and oblique incidence, s and p."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.laser.maxwell_bloch import Current, Flux, Grid, Medium, Simulation, pulse

INDEX = 1.6


def fresnel(omega: np.ndarray, along: float, index: float, polarization: str) -> np.ndarray:
    """Reflectance for a wave vector `along` the surface, from vacuum (Fresnel 1823, any textbook)."""
    k1, k2 = np.sqrt(omega**2 - along**2), np.sqrt(index**2 * omega**2 - along**2)
    if polarization == "te":  # H out of the plane: p
        k1, k2 = k1, k2 / index**2
    return ((k1 - k2) / (k1 + k2)) ** 2


def test_normal_incidence() -> None:
    """Analytic: ((n-1)/(n+1))^2. The grid's error is of second order, 0.5 % of R here."""
    grid = Grid((1200,), 0.01, absorber=30)
    omega = np.linspace(4.0, 7.0, 7)

    def run(index: float) -> tuple[np.ndarray, np.ndarray]:
        eps = lambda x: np.where(x > 6.0, index**2, 1.0)  # noqa: E731
        watched = [Flux("before", 4.0, None, omega), Flux("behind", 8.0, None, omega)]
        lit = Current("Ez", pulse(5.5, 0.5), 2.0)
        done = Simulation(grid, Medium(eps), sources=[lit], detectors=watched).run(5200, every=8)
        return done.flux("before"), done.flux("behind")

    before, behind = run(INDEX)
    whole, _ = run(1.0)
    expected = fresnel(omega, 0.0, INDEX, "tm")
    assert 1.0 - before / whole == pytest.approx(expected, abs=3e-4)
    assert behind / whole == pytest.approx(1.0 - expected, abs=3e-4)


@pytest.mark.parametrize("polarization", ["tm", "te"])
def test_oblique_incidence(polarization: str) -> None:
    """A current that varies as cos(ky y) sends plane waves at sin(theta) = ky/omega: many angles in one run."""
    along = 2.0 * np.pi / 1.2
    omega = np.linspace(6.2, 8.5, 8)  # 58 to 38 degrees: on both sides of Brewster's angle, 58.0 degrees, for p
    grid = Grid((330, 48), 0.025, (("absorber", "absorber"), ("periodic", "periodic")), polarization, absorber=40)
    component = "Ez" if polarization == "tm" else "Ey"
    lines = grid.coordinates(component)
    profile = np.cos(along * lines[1])[None, :]

    def run(index: float) -> np.ndarray:
        eps = lambda x, y: np.where(x > 4.5, index**2, 1.0)  # noqa: E731
        lit = Current(component, pulse(7.3, 1.6), (1.5, 0.0), (1.5, 1.2), profile)
        watched = [Flux("before", (3.0, 0.0), (3.0, 1.2), omega)]
        return Simulation(grid, Medium(eps), sources=[lit], detectors=watched).run(4000, every=6).flux("before")

    reflectance = 1.0 - run(INDEX) / run(1.0)
    # Grid: 30 cells for each wavelength outside, 18 inside; the angle itself is exact, since ky is.
    assert reflectance == pytest.approx(fresnel(omega, along, INDEX, polarization), abs=3e-3)
