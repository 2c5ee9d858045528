"""A piece of film for every tier. Truths: closed forms, and the tiers themselves where they must agree."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.laser import discs, patch
from perolas.laser.salt.units import d0_of_gain, gain_cm1
from perolas.laser.threshold import Question

FILM = Question(transport_um=5.0, thickness_nm=2000.0)


@pytest.fixture(scope="module")
def small():
    return patch.patch(FILM, 1.0)


def film(seed, lines, patterns=None, fluence=(100.0,)):
    lines = np.asarray(lines, dtype=float)
    angle = np.linspace(-90.0, 90.0, 181)
    patterns = np.zeros((0, 181)) if patterns is None else patterns
    one = np.ones(1)
    return patch.Film(
        seed, lines, one, one, np.asarray(fluence), one, one, (lines,), (np.ones(lines.size),), angle, patterns
    )


def test_the_voids_make_the_transport_that_was_asked_for(small):
    made = discs.mean_free_path(small.void_nm, small.void_share, 1.0, small.index, small.wavelength_nm)
    assert made.transport_um == pytest.approx(small.transport_um)
    assert made.transport_um == pytest.approx(5.0, rel=0.1)
    eps = np.asarray(small.cavity(0).eps)
    share = (small.index**2 - eps.real.mean()) / (small.index**2 - 1.0)
    assert share == pytest.approx(small.void_share, abs=0.03)  # a whole number of voids
    # Packed to random close packing beside the voids: the filling that was asked for.
    assert (1.0 - small.void_share) * 0.64 == pytest.approx(small.draws["filling"][0], rel=1e-6)


def test_loss_is_that_of_an_absorbing_medium(small):
    """Light of index n + ik loses 4 pi k / wavelength."""
    kappa = small.permittivity_loss(small.index).imag
    assert 4.0 * math.pi * kappa / (small.wavelength_nm * 1e-7) == pytest.approx(small.loss_cm1)
    assert small.loss_cm1 > 0


def test_gain_excitations_fluence_go_back_and_forth(small):
    gain = 0.5 * float(small.gain_cm1.max())
    n = small.steady(gain)
    assert float(np.interp(n, small.excitations, small.gain_cm1)) == pytest.approx(gain, rel=1e-6)
    assert small.steady(2.0 * float(small.gain_cm1.max())) == math.inf
    assert small.per_fluence * small.fluence(n) ** 2 == pytest.approx(n)  # two photons
    assert small.pulsed(gain) > n
    assert gain_cm1(d0_of_gain(gain, small.index, 530.0), small.index, 530.0) == pytest.approx(gain)


def test_what_cannot_be():
    with pytest.raises(InputError, match=r"squares of 0\.5 to 12 um"):
        patch.patch(FILM, 50.0)
    with pytest.raises(InputError, match="above 1"):
        patch.solve(patch.patch(FILM, 0.5), 0, pumps=(0.5,))
    with pytest.raises(InputError, match="is no tier"):
        patch.compare(patch.patch(FILM, 0.5), tiers=("ray",))
    with pytest.raises(InputError, match="at least two sizes"):
        patch.area_exponent([1.0], [[film(0, [530.0])]])


def test_the_exponent_of_a_power_law_comes_back_with_an_honest_error():
    """Thresholds drawn about area^-0.5 with a scatter of 10 %: pulls over 400 sets."""
    rng, pulls = np.random.default_rng(5), []
    sides = [2.0, 3.0, 4.5]
    for _ in range(400):
        films = [
            [film(i, [530.0], fluence=[1e3 / s * math.exp(0.1 * rng.standard_normal())]) for i in range(8)]
            for s in sides
        ]
        slope, error = patch.area_exponent(sides, films)
        pulls.append((slope + 0.5) / error)
    assert abs(np.mean(pulls)) < 0.2
    assert 0.75 < np.std(pulls) < 1.3  # three sizes of eight films: the errors are themselves uncertain


def test_correlation_of_angles():
    """Patterns that are alike everywhere do not lose it; those of other angles are unlike."""
    angle = np.deg2rad(np.linspace(-90.0, 90.0, 181))
    rng = np.random.default_rng(3)
    speckle = np.abs(np.array([sum(rng.standard_normal() * np.exp(1j * (k * np.sin(angle) + rng.uniform(0, 6.28)))
                                   for k in np.linspace(-60, 60, 41)) for _ in range(6)])) ** 2  # fmt: skip
    one = film(0, np.linspace(528, 532, 6), speckle)
    assert patch.angle_correlation(one, 0.0) == pytest.approx(1.0)
    assert patch.angle_correlation(one, 1.0) > 0.5  # 60 waves: grains of about two degrees
    assert abs(patch.angle_correlation(one, 20.0)) < 0.3
    assert math.isnan(patch.angle_correlation(film(0, [530.0], speckle[:1]), 5.0))


def test_a_spectrum_has_its_lines_where_the_modes_are():
    grid = np.linspace(529.0, 531.0, 2001)
    shown = film(0, [529.5, 530.4]).spectrum(grid)
    assert grid[np.argmax(shown[:1000])] == pytest.approx(529.5, abs=0.002)
    assert grid[1000 + np.argmax(shown[1000:])] == pytest.approx(530.4, abs=0.002)


@pytest.mark.full
def test_tiers_side_by_side(capsys):
    """Waves and diffusing light agree within half on the gain that a square of several mean free paths needs."""
    assert main(["lase", "--compare", "--side", "3 um", "--films", "1", "--transport", "2 um", "--thickness", "2 um",
                 "--json"]) == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    rows = {r["tier"]: r for r in told["tiers"]}
    assert set(rows) == {"rate", "diffusion", "salt"}
    if rows["salt"]["lases"] and rows["diffusion"]["lases"]:
        assert rows["salt"]["gain_cm1"]["value"] == pytest.approx(rows["diffusion"]["gain_cm1"]["value"], rel=0.5)
    assert any("square of 3 um" in s for s in told["sentences"])


def test_options_that_do_not_go_together(capsys):
    assert main(["lase", "--compare", "--sweep", "area=1,2"]) == 2
    assert "belongs to the tiers rate and diffusion" in capsys.readouterr().err
    assert main(["lase", "--tier", "salt", "--films", "0"]) == 2
