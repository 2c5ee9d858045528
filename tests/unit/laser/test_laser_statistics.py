"""Statistics of shots on series whose truth is known: stable laws, symmetric and broken overlap, matrices, combs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from perolas.core.errors import InputError
from perolas.laser import statistics


@pytest.mark.parametrize(("alpha", "skew"), [(2.0, 0.0), (1.6, 0.0), (1.5, 1.0), (1.2, 0.5), (1.0, 0.0)])
def test_levy_index_is_recovered_with_honest_errors(alpha: float, skew: float) -> None:
    """scipy's sampler of stable laws (Chambers, Mallows and Stuck) is the truth; 60 series of 600 shots."""
    rng = np.random.default_rng(3)
    draws = stats.levy_stable.rvs(alpha, skew, size=(60, 600), random_state=rng)
    found = [statistics.levy_index(row, 60, i) for i, row in enumerate(draws)]
    values, errors = np.array([f.value for f in found]), np.array([f.std for f in found])
    if alpha == 2.0:  # at the bound: half of the estimates lie on it
        assert np.mean(values) > 1.93
        assert np.mean([f.verdict == "Gaussian" for f in found]) > 0.9
    else:
        pulls = (values - alpha) / errors
        assert abs(np.mean(pulls)) < 0.1 + 4 / np.sqrt(60)
        assert abs(np.std(pulls) - 1) < 0.05 + 4 / np.sqrt(120)
        assert np.mean([f.verdict == "Levy" for f in found]) > 0.9


def test_levy_index_does_not_see_scale_and_place() -> None:
    x = np.random.default_rng(0).standard_cauchy(500)
    assert statistics.levy_index(1e4 + 37.0 * x).value == pytest.approx(statistics.levy_index(x).value, rel=1e-6)


def independent(shots: int, modes: int, element: int, rng: np.random.Generator) -> np.ndarray:
    """Modes that fluctuate on their own, each as wide as a resolution element."""
    return np.repeat(10.0 + rng.standard_normal((shots, modes)), element, axis=1)


def test_false_alarms_come_at_the_stated_rate() -> None:
    rng = np.random.default_rng(1)
    p = np.array([statistics.parisi_overlap(independent(25, 30, 3, rng), 3, False, 99, i).p_value for i in range(200)])
    alarms = np.mean(p <= 0.05)
    assert abs(alarms - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 200)
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_coupled_modes_break_the_symmetry() -> None:
    """One collective coordinate of random sign carries 80 % of the variance: q gathers at both ends."""
    rng = np.random.default_rng(2)
    direction = rng.standard_normal(60)
    shots = 100 + 2.0 * rng.choice([-1, 1], (40, 1)) * direction + rng.standard_normal((40, 60))
    found = statistics.parisi_overlap(shots, 1, False)
    assert found.verdict() == "broken"
    assert abs(found.q_max) > 0.6
    assert found.width > 3 * found.null.max()
    middles, height = found.histogram()
    assert np.sum(height) * (middles[1] - middles[0]) == pytest.approx(1.0)


def test_jitter_of_the_pump_is_not_mistaken_for_it() -> None:
    rng = np.random.default_rng(5)
    shots = independent(40, 60, 1, rng) * rng.normal(1.0, 0.2, (40, 1))
    assert statistics.parisi_overlap(shots, 1, False).verdict() == "broken"
    assert statistics.parisi_overlap(shots, 1, True).verdict(0.01) == "symmetric"


def test_overlap_of_two_shots_by_hand() -> None:
    """Three pairs of opposite shots along three axes: q is -1 within a pair and 0 otherwise."""
    axes = np.repeat(np.eye(3), 2, axis=0) * np.array([1, -1] * 3)[:, None]
    q = np.sort(statistics.parisi_overlap(axes + 5.0, 1, False, 19).q)
    assert q == pytest.approx([-1.0] * 3 + [0.0] * 12)


def test_spacing_of_independent_levels_and_of_random_matrices() -> None:
    rng = np.random.default_rng(7)
    poisson = [statistics.mode_spacing(np.cumsum(rng.exponential(size=120))) for _ in range(60)]
    matrices = rng.standard_normal((60, 120, 120))
    levels = np.linalg.eigvalsh(matrices + matrices.transpose(0, 2, 1))
    goe = [statistics.mode_spacing(row[20:100]) for row in levels]
    for found, truth in ((poisson, statistics.RATIO_POISSON), (goe, statistics.RATIO_GOE)):
        ratios = np.array([f.ratio for f in found])
        assert ratios.mean() == pytest.approx(truth, abs=4 * ratios.std() / np.sqrt(60))
        pulls = (ratios - truth) / [f.std for f in found]
        assert abs(np.std(pulls) - 1) < 0.05 + 4 / np.sqrt(120)
    assert np.mean([f.verdict == "repulsion" for f in goe]) > 0.7
    assert not any(f.verdict == "repulsion" for f in poisson)


def test_loop_length_of_a_comb() -> None:
    """Modes of a cavity of 20 um and index 1.8 stand lambda^2 / (2 n L) apart, here 3.9 nm at 532 nm."""
    nm = np.linspace(500.0, 570.0, 2001)
    comb = np.exp(-(((nm - 532.0) / 20.0) ** 2)) * (1 + np.cos(2 * 1.8 * 20.0 * 2 * np.pi / (nm * 1e-3))) ** 2
    loops = statistics.power_fourier(nm, comb, 1.8)
    assert loops.best_um == pytest.approx(20.0, abs=0.1)
    assert loops.resolution_um < 1.5
    flipped = statistics.power_fourier(nm[::-1], comb[::-1], 1.8)
    assert flipped.best_um == pytest.approx(loops.best_um, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: statistics.levy_index(np.ones(5)), "at least 20 shots"),
        (lambda: statistics.levy_index(np.ones(50)), "no scale"),
        (lambda: statistics.levy_index(np.full(50, np.nan)), "not numbers"),
        (lambda: statistics.levy_index(np.ones((5, 5))), "array of 1 dimension"),
        (lambda: statistics.parisi_overlap(np.ones((3, 30))), "at least 5 shots"),
        (lambda: statistics.parisi_overlap(np.ones((30, 30))), "does not fluctuate"),
        (lambda: statistics.parisi_overlap(np.zeros((30, 30))), "no light"),
        (lambda: statistics.mode_spacing([1.0, 2.0]), "at least four peaks"),
        (lambda: statistics.mode_spacing([1.0, 2.0, 2.0, 5.0]), "same place"),
        (lambda: statistics.power_fourier(np.arange(1.0, 9.0), np.ones(8), 1.8), "at least 16 points"),
        (lambda: statistics.power_fourier(np.arange(1.0, 33.0), np.ones(32), 1.8), "flat"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
