"""Steady-state laser theory in two dimensions: the disk against Bessel functions, power against the far field."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import fsolve
from scipy.special import h1vp, hankel1, jv, jvp

from perolas.laser.salt import Cavity
from perolas.laser.salt.shapes import Discs, film_cavity, film_discs

K_A, INDEX = 4.83, 2.0 + 0.01j  # Esterhazy et al., Phys. Rev. A 2014, 90, 023816, fig. 7, gamma_perp = 1
# m: (k, D0), exact Bessel thresholds; the printed values are solved for again below.
THRESHOLDS = {8: (5.37324276, 0.07484907), 7: (4.80866763, 0.07626806), 9: (5.93374738, 0.10775904)}
EVEN = (("mirror", "open"), ("mirror", "open"))  # cos(m phi), m even, in a quarter of the disk
ODD = (("conductor", "open"), ("mirror", "open"))  # sin(m phi - ...), m odd


def bessel(m: int, k: float, d0: float) -> tuple[float, float]:
    """Return the threshold of angular momentum m: the field and its slope go on at the rim."""

    def rim(unknown: np.ndarray) -> list[float]:
        k, d0 = unknown
        n = np.sqrt(INDEX**2 + d0 / (k - K_A + 1j))
        left = (n * jvp(m, n * k) * hankel1(m, k) - jv(m, n * k) * h1vp(m, k)) / abs(hankel1(m, k))
        return [left.real, left.imag]

    root, _, good, said = fsolve(rim, [k, d0], full_output=True, xtol=1e-12)
    assert good == 1, said
    return float(root[0]), float(root[1])


def quarter(cells: int, boundaries: object) -> Cavity:
    return Discs([[0.0, 0.0]], 1.0, (1.04, 1.04), INDEX).cavity(1.04 / cells, K_A, 1.0, boundaries)


@pytest.mark.parametrize("m", THRESHOLDS)
def test_bessel_condition_gives_the_printed_values(m: int) -> None:
    assert bessel(m, *THRESHOLDS[m]) == pytest.approx(THRESHOLDS[m], rel=1e-7)


def errors(cells: int) -> np.ndarray:
    """Relative errors of k and D0 for m = 8, 7, 9."""
    found = [t for walls in (EVEN, ODD) for t in quarter(cells, walls).thresholds(2)]
    rows = []
    for m, start in THRESHOLDS.items():
        k, d0 = bessel(m, *start)
        nearest = min(found, key=lambda t: abs(t.k - k))
        rows.append((nearest.k / k - 1.0, nearest.d0 / d0 - 1.0))
    return np.abs(np.array(rows))


def test_disk_at_25_cells_for_each_wavelength_and_second_order() -> None:
    """25 for each vacuum wavelength, which is only 12 in the disk, and finer."""
    coarse, middle, fine = (errors(n) for n in (20, 40, 60))
    assert coarse[:, 1].max() < 5e-3
    assert coarse[:, 0].max() < 5e-4
    assert middle[:, 1].max() < 5e-4  # 25 for each wavelength in the disk
    order = 0.5 * np.log((coarse**2).mean() / (fine**2).mean()) / np.log(3.0)
    assert order > 1.9


def test_whole_disk_has_pairs() -> None:
    cavity = Discs([[1.04, 1.04]], 1.0, (2.08, 2.08), INDEX).cavity(2.08 / 40, K_A, 1.0)
    found = cavity.thresholds(4)
    for threshold, m in zip(found, (8, 8, 7, 7), strict=True):
        assert threshold.d0 == pytest.approx(THRESHOLDS[m][1], rel=5e-3)
    assert found[2].d0 == pytest.approx(found[3].d0, rel=1e-9)  # the square grid keeps odd pairs degenerate
    one, other = found[2].psi.ravel(), found[3].psi.ravel()
    assert abs(np.vdot(one, other)) < 0.5 * np.linalg.norm(one) * np.linalg.norm(other)


def test_layer_does_not_matter() -> None:
    """The absorbing layer, once and twice as thick, and with more room before it."""
    plain = quarter(20, EVEN).thresholds(1)[0]
    cells = 24
    h = 1.04 / 20
    roomy = Discs([[0.0, 0.0]], 1.0, (cells * h, cells * h), INDEX).cavity(h, K_A, 1.0, EVEN).thresholds(1)[0]
    base = quarter(20, EVEN)
    thick = Cavity(base.eps, base.pump_profile, h, K_A, 1.0, EVEN, resolution=2.0).thresholds(1)[0]
    for other in (roomy, thick):
        assert other.d0 == pytest.approx(plain.d0, rel=2e-5)
        assert other.k == pytest.approx(plain.k, rel=2e-6)


def test_lasing_disk_balances_its_power_and_radiates_as_it_should() -> None:
    """m = 8 in a quarter: the angle dependence is cos^2(8 phi), from the symmetry of the mode."""
    cavity = quarter(28, EVEN)
    first, second = cavity.thresholds(2)
    low, high = cavity.sweep([1.2 * first.d0, 2.0 * first.d0])
    for state in (low, high):
        assert state.result == "converged"
        assert len(state.modes) == 1
        mode = state.modes[0]
        assert mode.k == pytest.approx(first.k, rel=1e-3)
        assert abs(mode.imbalance) < 2e-3
        assert mode.emitted > 0.0
        assert mode.absorbed > 0.0
        assert state.next_d0 > state.d0
    assert second.d0 > first.d0
    angle = np.linspace(0.0, 2.0 * np.pi, 361)
    pattern = high.modes[0].far_field(angle)
    assert pattern / pattern.max() == pytest.approx(np.cos(8 * angle) ** 2, abs=0.02)
    assert pattern[:-1].mean() * 2 * np.pi / 4.0 == pytest.approx(high.modes[0].emitted, rel=1e-3)


def test_one_dimension_in_two() -> None:
    """A strip between two mirrors is the one-dimensional slab; intensities too."""
    cells, h = 80, 0.01
    slab = Cavity([3.0], [1.0], [cells * h], 9.0, 1.0, ("conductor", "open"))
    walls = (("conductor", "open"), ("mirror", "mirror"))
    coarse = Cavity(np.full((3, 40), 3.0), 1.0, 0.02, 9.0, 1.0, walls)
    strip = Cavity(np.full((3, cells), 3.0), 1.0, h, 9.0, 1.0, walls)
    for rough, flat, exact in zip(coarse.thresholds(2), strip.thresholds(2), slab.thresholds(2), strict=True):
        assert flat.k == pytest.approx(exact.k, rel=2e-4)
        assert flat.d0 == pytest.approx(exact.d0, rel=5e-3)
        assert abs(rough.d0 - exact.d0) > 3.0 * abs(flat.d0 - exact.d0)  # second order
    d0 = 1.5 * slab.thresholds(1)[0].d0
    flat_mode, mode = strip.modes(d0).modes[0], slab.modes(d0).modes[0]
    assert np.ptp(np.abs(flat_mode.psi[:, -1])) < 1e-6
    assert flat_mode.intensity == pytest.approx(mode.intensity, rel=1e-2)
    assert abs(flat_mode.psi[0, 40]) ** 2 == pytest.approx(abs(mode.at(40.5 * h)) ** 2, rel=1e-2)


@pytest.mark.full
def test_film_with_several_modes() -> None:
    """A small random film, its pump raised until several modes lase; each balances its power.

    The imbalance falls with the square of the cell: at most 2.7 % of the weakest mode at 20 nm, 1.2 % at 12.5 nm.
    """
    from perolas.laser import packing

    discs = film_discs(packing.sequential(2000.0, 120.0, 0.4, seed=3), 120.0, 2000.0, 2.0)
    cavity = film_cavity(discs, 20.0, 446.9, 11.0)
    first = cavity.thresholds(1)[0].d0
    states = cavity.sweep([1.1 * first, 2.0 * first, 4.0 * first])
    for state in states:
        assert state.result == "converged"
        assert state.next_d0 > state.d0
        for mode in state.modes:
            assert abs(mode.imbalance) < 0.04
    assert len(states[-1].modes) >= len(states[0].modes) >= 1
    assert states[-1].emitted > states[0].emitted
