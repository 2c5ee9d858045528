"""Steady-state laser theory in one dimension, against transfer matrices, shooting and printed values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve

from perolas.laser.salt import Cavity

# n = 1.2 on a conductor, k_a = 10, gamma_perp = 4: Esterhazy et al., Phys. Rev. A 2014, 90, 023816, fig. 2, and n = 1.5
# on a conductor, k_a = 40, gamma_perp = 4; thresholds from sqrt(eps) cos - i sin = 0, intensities by shooting.
SLAB_THRESHOLDS = [
    (11.53295484, 0.26674747),
    (9.45634156, 0.29190547),
    (13.65571416, 0.35605500),
    (7.45148698, 0.50020352),
    (15.80265031, 0.51522776),
]
SLAB_MODES = [(0.28, 11.53071273, 0.09666115), (0.30, 11.52733253, 0.24692038), (0.33, 11.52236968, 0.48133288)]


def slab(cells: int = 40) -> Cavity:
    return Cavity(np.full(cells, 1.44), 1.0, 1.0 / cells, 10.0, 4.0, ("conductor", "open"))


# Cavities of several kinds: cells' permittivity, pump, widths, k_a, gamma_perp, boundaries, outside.
KINDS = {
    "two-sided slab": ([2.25], [1.0], [1.0], 20.0, 2.0, ("open", "open"), 1.0),
    "with loss": ([4.0 + 0.08j], [1.0], [0.7], 15.0, 1.5, ("open", "open"), 1.0),
    "segments, partly pumped": (
        [2.0, 1.0, 3.1 + 0.02j, 1.0, 2.0],
        [0.0, 0.0, 1.0, 0.3, 0.7],
        [0.31, 0.2, 0.5, 0.17, 0.4],
        18.0,
        1.0,
        ("open", "open"),
        1.0,
    ),
    "mirror and glass": ([3.0, 1.5], [1.0, 0.0], [0.6, 0.5], 12.0, 0.7, ("mirror", "open"), (1.0, 2.25)),
    "different sides": ([5.0], [1.0], [0.5], 25.0, 3.0, ("open", "open"), (1.0, 3.0)),
}


def made(name: str, **changed: float) -> Cavity:
    eps, pump, widths, k_a, gamma, boundaries, outside = KINDS[name]
    return Cavity(eps, pump, widths, k_a, gamma, boundaries, outside, **changed)


def transfer(cavity: Cavity, k: float, d0: float) -> complex:
    """What is left of the right-hand condition when a wave that obeys the left one is carried through all layers."""
    gain = cavity.gamma_perp / (k - cavity.k_a + 1j * cavity.gamma_perp)
    left, right = cavity.boundaries
    if left == "open":
        wave = np.array([1.0, -1j * k * np.sqrt(cavity.outside[0])])
    else:
        wave = np.array([0.0, k]) if left == "conductor" else np.array([1.0, 0.0j])
    for eps, pump, width in zip(cavity.eps, cavity.pump_profile, cavity.spacing, strict=True):
        q = k * np.sqrt(eps + gain * d0 * pump)
        c, s = np.cos(q * width), np.sin(q * width)
        wave = np.array([[c, s / q], [-q * s, c]]) @ wave
    if right == "open":
        return complex(wave[1] - 1j * k * np.sqrt(cavity.outside[1]) * wave[0]) / k
    return complex(wave[0] if right == "conductor" else wave[1] / k)


def transfer_threshold(cavity: Cavity, k: float, d0: float) -> tuple[float, float]:
    def both(unknown: np.ndarray) -> list[float]:
        left = transfer(cavity, *unknown)
        return [left.real, left.imag]

    root, _, good, _ = fsolve(both, [k, d0], full_output=True, xtol=1e-13)
    assert good == 1
    return float(root[0]), float(root[1])


def shot(cavity: Cavity, d0: float, start: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return (k, `|psi|^2` at the right end) of all modes by shooting through the saturable medium, from guesses of it.

    Each mode starts at the left end with a real amplitude; amplitudes and frequencies are such that all leave.
    """
    conductor = cavity.boundaries[0] == "conductor"
    edges = np.concatenate([[0.0], np.cumsum(cavity.spacing)])
    count = len(start)

    def final(unknown: np.ndarray) -> np.ndarray:
        k, amplitude = unknown[:count], unknown[count:]
        gain = cavity.gamma_perp / (k - cavity.k_a + 1j * cavity.gamma_perp)
        psi = np.zeros(count, complex) if conductor else amplitude.astype(complex)
        leaving = 0.0 if cavity.boundaries[0] == "mirror" else -1j * k * np.sqrt(cavity.outside[0])
        slope = k * amplitude + 0j if conductor else leaving * amplitude
        y = np.concatenate([psi, slope])
        for cell, eps in enumerate(cavity.eps):
            pump = cavity.pump_profile[cell]

            def rise(_: float, y: np.ndarray, eps: complex = eps, pump: float = pump) -> np.ndarray:
                holes = np.sum(np.abs(gain) ** 2 * np.abs(y[:count]) ** 2)
                return np.concatenate([y[count:], -(k**2) * (eps + gain * d0 * pump / (1.0 + holes)) * y[:count]])

            y = solve_ivp(rise, edges[cell : cell + 2], y, method="DOP853", rtol=1e-9, atol=1e-12).y[:, -1]
        return np.asarray(y)

    def conditions(unknown: np.ndarray) -> np.ndarray:
        y = final(unknown)
        left = y[count:] / unknown[:count] - 1j * np.sqrt(cavity.outside[1]) * y[:count]
        return np.concatenate([left.real, left.imag])

    guess = np.array([k for k, _ in start] + [a for _, a in start])
    root, _, good, said = fsolve(conditions, guess, full_output=True, xtol=1e-9)
    assert good == 1, said
    return [(float(k), float(abs(p) ** 2)) for k, p in zip(root[:count], final(root)[:count], strict=True)]


def test_thresholds_of_the_slab() -> None:
    found = slab().thresholds(5)
    for threshold, (k, d0) in zip(found, SLAB_THRESHOLDS, strict=True):
        assert threshold.k == pytest.approx(k, rel=1e-8)
        assert threshold.d0 == pytest.approx(d0, rel=3e-8)  # the printed digits
        assert threshold.residual < 1e-9


def test_single_mode_intensities_of_the_slab() -> None:
    for state, (d0, k, intensity) in zip(slab().sweep([m[0] for m in SLAB_MODES]), SLAB_MODES, strict=True):
        (mode,) = state.modes
        assert state.result == "converged"
        assert state.d0 == d0
        assert mode.k == pytest.approx(k, rel=1e-9)
        assert abs(mode.at(1.0)) ** 2 == pytest.approx(intensity, rel=1e-7)


def test_second_mode_of_the_slab() -> None:
    first, second = slab().switches(0.5)
    assert first.d0 == pytest.approx(0.26674747, rel=1e-7)
    assert 0.37 < second.d0 < 0.38  # Esterhazy et al., fig. 2
    assert second.on
    assert second.lasing == 2
    below, above = slab().sweep([second.d0 - 1e-4, second.d0 + 1e-4])
    assert [len(below.modes), len(above.modes)] == [1, 2]
    # At the switch, the linear threshold of the second mode in the holes of the first is the pump itself.
    assert below.next_d0 > below.d0
    assert below.next_d0 - below.d0 < 1e-4


def test_slab_in_front_of_a_time_domain_run() -> None:
    cavity = Cavity([2.25], [1.0], [1.0], 40.0, 4.0, ("conductor", "open"))
    first, second = cavity.thresholds(2)
    assert (first.k, first.d0) == (pytest.approx(40.74761986, rel=1e-9), pytest.approx(0.06121235, rel=1e-7))
    assert (second.k, second.d0) == (pytest.approx(38.90158161, rel=1e-9), pytest.approx(0.06682515, rel=1e-7))
    one, two = cavity.sweep([0.0650, 0.0693])
    assert abs(one.modes[0].at(1.0)) ** 2 == pytest.approx(0.1039435, rel=1e-6)
    assert abs(two.modes[0].at(1.0)) ** 2 == pytest.approx(0.2246908, rel=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_thresholds_against_transfer_matrices(name: str) -> None:
    cavity = made(name)
    found = cavity.thresholds(4)
    assert len(found) == 4
    for threshold in found:
        k, d0 = transfer_threshold(cavity, threshold.k * (1 + 1e-6), threshold.d0 * (1 + 1e-5))
        assert threshold.k == pytest.approx(k, rel=1e-9)
        assert threshold.d0 == pytest.approx(d0, rel=1e-8)


@pytest.mark.parametrize("name", ["two-sided slab", "segments, partly pumped"])
def test_no_threshold_is_missed(name: str) -> None:
    """From a net of starts, the transfer condition has no root below the highest threshold that was not found."""
    cavity = made(name)
    found = [(t.k, t.d0) for t in cavity.thresholds(4)]
    top = found[-1][1]
    for k in np.linspace(cavity.k_a - 5 * cavity.gamma_perp, cavity.k_a + 5 * cavity.gamma_perp, 31):
        for d0 in (0.3 * top, 0.8 * top):
            root, _, good, _ = fsolve(
                lambda u: [transfer(cavity, *u).real, transfer(cavity, *u).imag], [k, d0], full_output=True
            )
            if good == 1 and root[0] > 0.5 and 1e-3 * top < root[1] < top * (1 - 1e-6):
                assert any(abs(root[0] - k_) < 1e-5 and abs(root[1] - d_) < 1e-5 for k_, d_ in found), root


@pytest.mark.parametrize(
    ("name", "factor", "modes"),
    [
        ("two-sided slab", 1.4, 1),
        ("two-sided slab", 4.0, 2),
        ("with loss", 3.0, 2),
        ("segments, partly pumped", 2.5, 1),
        ("mirror and glass", 6.0, 1),
        ("different sides", 3.0, 1),
    ],
)
def test_modes_against_shooting(name: str, factor: float, modes: int) -> None:
    cavity = made(name)
    d0 = factor * cavity.thresholds(1)[0].d0
    state = cavity.modes(d0)
    assert state.result == "converged"
    assert len(state.modes) == modes
    start = [(m.k * (1 + 1e-7), abs(m.at(0.0)) * (1 + 1e-4)) for m in state.modes]
    for mode, (k, intensity) in zip(state.modes, shot(cavity, d0, start), strict=True):
        assert mode.k == pytest.approx(k, rel=1e-7)
        assert abs(mode.at(cavity.size[0])) ** 2 == pytest.approx(intensity, rel=1e-5)
        assert abs(mode.imbalance) < 1e-9
    # Every other mode has too little gain.
    assert state.next_d0 > d0
