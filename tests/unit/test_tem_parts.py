"""Parts of tem against truth from elsewhere: textbook numbers, other formulas, and throws of dice."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.measurements.tem.contrast import cross_section_nm2, mean_free_path_nm, wavelength_nm
from perolas.measurements.tem.model import moment
from perolas.measurements.tem.scene import SHAPES, Scene, place, thickness_nm
from perolas.measurements.tem.selection import Chance


@pytest.mark.parametrize(("voltage", "wave"), [(100, 3.701e-3), (200, 2.508e-3), (300, 1.969e-3)])
def test_wavelengths_of_electrons(voltage, wave):
    """Truth: the table in any textbook of electron microscopy."""
    assert wavelength_nm(voltage) == pytest.approx(wave, rel=3e-4)


@pytest.mark.parametrize("element", ["C", "Br", "Pb"])
def test_cross_section_is_that_of_the_handbook(element):
    """Truth: Egerton's form of Lenz's result, 1.87e-24 m^2 Z^(4/3) (v/c)^-2, for all angles."""
    z = {"C": 6, "Br": 35, "Pb": 82}[element]
    speed2 = 1.0 - 1.0 / (1.0 + 200.0 / 510.99895) ** 2
    assert cross_section_nm2(element, 200.0, 0.0) == pytest.approx(1.87e-24 * 1e18 * z ** (4 / 3) / speed2, rel=5e-3)
    assert cross_section_nm2(element, 200.0, 10.0) < cross_section_nm2(element, 200.0, 0.0)


def test_heavier_and_denser_is_darker():
    paths = [mean_free_path_nm({p: 1.0}) for p in ("CsPbBr3", "Cs4PbBr6")]
    assert paths[0] < paths[1]
    mixed = mean_free_path_nm({"CsPbBr3": 1.0, "Cs4PbBr6": 1.0})
    assert paths[0] < mixed < paths[1]
    assert mean_free_path_nm({"CsPbBr3": 1.0}, 300.0) > paths[0]
    with pytest.raises(InputError, match="voltage"):
        mean_free_path_nm({"CsPbBr3": 1.0}, -1.0)


@pytest.mark.parametrize(("shape", "volume"), [("cube", 1.0), ("hexagon", math.sqrt(3) / 2), ("sphere", math.pi / 6)])
@pytest.mark.parametrize("angle", [0.0, 0.3, 0.7])
def test_volume_of_a_crystal(shape, volume, angle):
    """Truth: the volume of a cube, of a hexagonal prism as high as it is wide, of a sphere."""
    x = (np.arange(200) + 0.5 - 100.3)[None, :] * 0.25
    y = (np.arange(200) + 0.5 - 99.8)[:, None] * 0.25
    thick = thickness_nm(shape, 20.0, angle, x, y, 0.25)
    assert thick.sum() * 0.25**2 == pytest.approx(volume * 20.0**3, rel=4e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_chance_of_lying_inside(shape):
    """Truth: outlines thrown at random into an image; they lie wholly inside as often as minus-sampling says."""
    rng = np.random.default_rng(2)
    size, side, throws = 60.0, 400.0, 100_000
    chance = Chance((400, 400), shape, 0.0, 0.0, 0.0, 0.0)
    corners = {"cube": 4, "hexagon": 6, "sphere": 64}[shape]
    radius = size * {"cube": math.sqrt(0.5), "hexagon": 1 / math.sqrt(3), "sphere": 0.5}[shape]
    turn = rng.uniform(0, 2 * math.pi, throws)[:, None] + 2 * math.pi * np.arange(corners) / corners
    wide, high = radius * np.abs(np.cos(turn)).max(axis=1), radius * np.abs(np.sin(turn)).max(axis=1)
    x, y = rng.uniform(0, side, (2, throws))
    inside = (x > wide + 1) & (x < side - wide - 1) & (y > high + 1) & (y < side - high - 1)
    found = float(chance.inside(np.array([size]))[0])
    assert found == pytest.approx(inside.mean(), abs=2.5 / math.sqrt(throws) + 1e-3)


def test_chance_of_lying_apart():
    """Truth: circles thrown at random; one touches no other as often as exp(-h) says (Boolean model)."""
    rng = np.random.default_rng(3)
    size, side, number = 20.0, 1000.0, 300
    alone = []
    for _ in range(60):
        places = rng.uniform(0, side, (rng.poisson(number), 2))
        away = np.abs(places[:, None] - places)
        away = np.minimum(away, side - away)  # without edges, which have their own test
        apart = np.hypot(away[..., 0], away[..., 1]) + 1e9 * np.eye(len(places))
        alone.append(np.mean(apart.min(axis=1) > size))
    area, perimeter = math.pi * size**2 / 4, math.pi * size
    chance = Chance((1000, 1000), "sphere", number / side**2, area, perimeter, 0.0)
    assert float(chance.apart(np.array([size]))[0]) == pytest.approx(np.mean(alone), abs=0.01)


@pytest.mark.parametrize("law", ["normal", "lognormal"])
def test_moments_of_the_laws(law):
    """Truth: the moments of sizes that were drawn; a million of them."""
    from perolas.measurements.tem.scene import sizes

    drawn = sizes(Scene(size_nm=10.0, size_std_nm=2.0, size_law=law), 1_000_000, np.random.default_rng(1))
    for order in (1, 2, 3, 4):
        assert moment(law, 10.0, 2.0, order) == pytest.approx(np.mean(drawn**order), rel=4e-3)


def test_crystals_lie_as_dense_as_they_should():
    placed = [place(Scene(overlap=1.0), np.random.default_rng(i)).inside((1024, 1024)).sum() for i in range(20)]
    assert np.mean(placed) == pytest.approx(120, abs=4 * math.sqrt(120 / 20))
    made = Scene(overlap=0.0, particles=150.0)
    free = place(made, np.random.default_rng(1))
    away = np.hypot(*(free.centre_px[:, None] - free.centre_px).T) + 1e9 * np.eye(len(free.size_nm))
    reach = free.size_nm / made.pixel_nm * math.sqrt(0.5)
    assert np.all(away > 0.94 * (reach[:, None] + reach))
