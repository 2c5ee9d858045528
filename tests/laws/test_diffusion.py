"""Letokhov diffusion with gain: critical sizes, edges, area laws, saturation, against transcendental equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import j0, j1, k0, k1

from perolas.core.errors import InputError
from perolas.laser import diffusion
from perolas.laser.diffusion import Medium
from perolas.laser.diffusion_time import Gain, evolve

BALL = Medium(1.0, 3)
SHEET = Medium(1.0, 2)


@pytest.mark.parametrize(
    ("gain_length", "slab", "slab_z", "sphere_z", "disk"),
    [(100.0, 18.1380, 16.8047, 17.4713, 17.0047), (20.0, 8.1116, 6.7782, 7.4449, 7.6047)],
)
def test_the_table_of_the_brief(gain_length: float, slab: float, slab_z: float, sphere_z: float, disk: float) -> None:
    """laser.md, section 3: l_t = 1 um; the numbers are exact to the digits given there."""
    near = {"rel": 1e-5}
    assert diffusion.critical_size_um("slab", gain_length, BALL, "absorbing") == pytest.approx(slab, **near)
    assert diffusion.critical_size_um("sphere", gain_length, BALL, "absorbing") == pytest.approx(slab, **near)
    assert diffusion.critical_size_um("slab", gain_length, BALL) == pytest.approx(slab_z, **near)
    assert diffusion.critical_size_um("sphere", gain_length, BALL) == pytest.approx(sphere_z, **near)
    assert diffusion.critical_size_um("disk", gain_length, SHEET, "absorbing") == pytest.approx(disk, **near)


@pytest.mark.parametrize("gain_length", [20.0, 100.0])
def test_cube(gain_length: float) -> None:
    root = math.sqrt(gain_length / 3)
    assert diffusion.critical_size_um("cube", gain_length, BALL) == pytest.approx(
        math.pi * math.sqrt(3) * root - 4 / 3, rel=5e-5
    )


def test_cube_with_robin_faces() -> None:
    """The mode is a product: each side is a slab with a third of the gain."""
    k, z = math.sqrt(3 / 20 / 3), 2 / 3
    edge = 2 / k * math.atan(1 / (k * z))
    assert diffusion.critical_size_um("cube", 20.0, BALL, "robin") == pytest.approx(edge, rel=1e-4)


@pytest.mark.parametrize(("gain_length", "slab", "sphere"), [(100.0, 16.8105, 17.448), (20.0, 6.8067, 7.398)])
def test_robin_roots(gain_length: float, slab: float, sphere: float) -> None:
    """tan(kL/2) = 1/(k z) and kR cot kR = 1 - R/z; the numbers are those of laser.md, section 3."""
    k, z = math.sqrt(3 / gain_length), 2 / 3
    exact_slab = 2 / k * math.atan(1 / (k * z))
    exact_sphere = brentq(lambda r: k * r / math.tan(k * r) - 1 + r / z, 0.5 / k, 3.1 / k)
    assert (exact_slab, exact_sphere) == pytest.approx((slab, sphere), abs=6e-4)
    assert diffusion.critical_size_um("slab", gain_length, BALL, "robin") == pytest.approx(exact_slab, rel=1e-5)
    assert diffusion.critical_size_um("sphere", gain_length, BALL, "robin") == pytest.approx(exact_sphere, rel=1e-5)


@pytest.mark.parametrize("gain_length", [20.0, 100.0])
def test_robin_disk(gain_length: float) -> None:
    """k J1(kR) = J0(kR) / z with z = (pi/4) l_t and D = v l_t / 2."""
    k, z = math.sqrt(2 / gain_length), math.pi / 4
    exact = brentq(lambda r: k * j1(k * r) - j0(k * r) / z, 0.1 / k, 2.4 / k)
    assert diffusion.critical_size_um("disk", gain_length, SHEET, "robin") == pytest.approx(exact, rel=1e-5)


def test_medium() -> None:
    assert SHEET.extrapolation_um == pytest.approx(math.pi / 4)
    assert BALL.extrapolation_um == pytest.approx(2 / 3)
    assert Medium(3.0, 3, 2.0).diffusion_um2_ps == pytest.approx(149.896229)


def test_pumped_disk_in_absorbing_surroundings() -> None:
    """J0 inside, K0 outside: k J1(kR) / J0(kR) = q K1(qR) / K0(qR)."""
    radius, alpha = 20.0, 0.01
    d = SHEET.diffusion_um2_ps / SHEET.speed_um_ps
    q = math.sqrt(alpha / d)
    k = brentq(
        lambda k: k * j1(k * radius) / j0(k * radius) - q * k1(q * radius) / k0(q * radius), 1e-4, 2.4048 / radius
    )
    exact = d * k**2 + 0.002  # transparency inside
    law = diffusion.area_law(
        np.pi * radius**2 * np.array([1.0, 2.0]), SHEET, transparency_cm1=20.0, surroundings_cm1=100.0
    )
    assert law.gain_cm1[0] * 1e-4 == pytest.approx(exact, rel=1e-4)


def test_any_shape_in_a_box() -> None:
    """A rectangle by its two sines; a disk cut out of a square grid by J0 with K0 left out: 2 % for its ragged rim."""
    grid = diffusion.box_grid((30.0, 50.0), (60, 100))
    kappa = diffusion.threshold(grid, SHEET, np.ones(6000)).gain_um
    assert kappa == pytest.approx(0.5 * math.pi**2 * (1 / 900 + 1 / 2500), rel=5e-4)
    wide = diffusion.box_grid((60.0, 60.0), (120, 120))
    spot = (wide.radius_um < 12.0).astype(float)
    absorbing = np.where(spot > 0, 0.0, 0.05)
    kappa = diffusion.threshold(wide, SHEET, spot, absorbing).gain_um
    law = diffusion.area_law(np.pi * 144 * np.array([1.0, 2.0]), SHEET, surroundings_cm1=500.0)
    assert kappa == pytest.approx(law.gain_cm1[0] * 1e-4, rel=0.02)
    one = diffusion.box_grid((10.0,), (200,), Medium(0.5, 1).extrapolation_um)
    k = math.sqrt(diffusion.threshold(one, Medium(0.5, 1), np.ones(200)).gain_um / 0.5)
    assert math.tan(k * 5.0) == pytest.approx(1 / (k * 0.5), rel=1e-3)


def test_a_large_box_by_conjugate_gradients() -> None:
    grid = diffusion.box_grid((20.0, 20.0, 20.0), (20, 20, 20))
    kappa = diffusion.threshold(grid, BALL, np.ones(8000)).gain_um
    cells = 4 * math.sin(math.pi / 40) ** 2  # exact for the cells: (2/h)^2 sin^2(pi h / 2 L) with h = 1 um
    ends = kappa / (3 * cells / 3)
    assert ends == pytest.approx(1.0, rel=2e-3)  # absorbing faces lie half a cell away


def test_area_exponents_of_the_two_pumpings() -> None:
    areas = np.geomspace(100.0, 1e5, 4)
    for photons, exponent in ((1, -1.0), (2, -0.5)):
        law = diffusion.area_law(areas, SHEET, photons)
        assert law.exponent == pytest.approx(exponent, abs=1e-6)
        assert law.pump == pytest.approx((areas / areas[0]) ** exponent, rel=1e-6)


@pytest.mark.parametrize(
    "loss", [{"transparency_cm1": 100.0}, {"out_of_plane_cm1": 100.0}, {"surroundings_cm1": 100.0}]
)
def test_exponents_drift_with_any_loss(loss: dict[str, float]) -> None:
    """Every one flattens the law; the first two let it die out over large areas: P = P_tr + c / A."""
    law = diffusion.area_law(np.geomspace(100.0, 1e5, 4), SHEET, 2, **loss)
    assert np.all(law.exponent > -0.5)
    if "surroundings_cm1" not in loss:
        assert np.all(np.diff(law.exponent) > 0)
        assert law.exponent[-1] > -0.1
        c = diffusion.area_law(np.geomspace(100.0, 1e5, 4), SHEET, 2).gain_cm1
        assert law.gain_cm1 == pytest.approx(100.0 + c, rel=1e-6)
        assert law.exponent == pytest.approx(-0.5 * c / (100.0 + c), rel=1e-3)
    else:  # towards -1/2 once the spot is much wider than light reaches into the surroundings
        assert law.exponent[-1] < law.exponent[0]


def test_growth_of_light_by_its_exact_rate() -> None:
    """Slab with fixed gain and absorbing faces: exp((v g - D pi^2 / L^2) t) on a cosine."""
    half, gain = 10.0, 0.02
    grid = diffusion.radial_grid(np.linspace(0, half, 201), 1)
    cosine = np.cos(0.5 * np.pi * grid.radius_um / half)
    medium = Gain(1e-8, 1e12, beta=0.0)
    times = np.array([0.0, 0.5, 1.0])
    found = evolve(grid, BALL, medium, times, carriers=gain / 1e-8, light=1e-9 * cosine)
    rate = BALL.speed_um_ps * gain - BALL.diffusion_um2_ps * (math.pi / 20) ** 2
    grown = found.light[:, 0] / found.light[0, 0]
    assert np.log(grown[1:]) == pytest.approx(rate * times[1:], abs=5e-3)


@pytest.fixture(scope="module")
def lit():
    """A sphere pumped from 0.5 to 3 times its threshold until nothing changes."""
    grid = diffusion.radial_grid(np.linspace(0, 20.0, 61), 3, BALL.extrapolation_um)
    kappa = diffusion.threshold(grid, BALL, np.ones(60)).gain_um
    medium = Gain(1e-7, 200.0, transparency_um3=2e4, beta=1e-5)
    threshold_pump = (kappa / 1e-7 + 2e4) / 200.0
    runs = {
        x: evolve(grid, BALL, medium, [0.0, 3000.0, 4000.0], pump_per_ps=x * threshold_pump)
        for x in (0.5, 0.9, 1.01, 1.02, 3.0)
    }
    return grid, threshold_pump, runs


def test_books_balance_in_time(lit) -> None:
    grid, pump, runs = lit
    for x, run in runs.items():
        held = (run.light + run.carriers) @ grid.volumes
        made = x * pump * grid.volumes.sum() * run.time_ps
        assert held + run.emitted + run.recombined == pytest.approx(made, rel=1e-6)


def test_the_eigenvalue_is_where_light_turns_on(lit) -> None:
    grid, pump, runs = lit
    volume = grid.volumes.sum()
    rates = {x: (run.emitted[-1] - run.emitted[-2]) / 1000.0 / (pump * volume) for x, run in runs.items()}
    assert rates[0.5] < 2e-3
    assert rates[0.9] < 5e-3
    # Just above threshold, by perturbation: the mode phi burns carriers by phi, and its own gain, weighed with phi^2,
    # stays clamped: slope = <phi^2> <phi> / <phi^3> of what is pumped beyond threshold. The rest is unused carriers.
    phi = diffusion.threshold(grid, BALL, np.ones(60)).light
    mean = [np.average(phi**k, weights=grid.volumes) for k in (1, 2, 3)]
    slope = (rates[1.02] - rates[1.01]) / 0.01
    assert slope == pytest.approx(mean[0] * mean[1] / mean[2], rel=0.03)
    steady = runs[3.0]
    assert steady.light[-1] == pytest.approx(steady.light[-2], rel=1e-5)
    # far above, light made equals light that leaves, and most of what is pumped beyond threshold is light
    w, n = steady.light[-1], steady.carriers[-1]
    made = BALL.speed_um_ps * 1e-7 * ((n - 2e4) * w) @ grid.volumes + 1e-5 * n @ grid.volumes / 200.0
    assert made == pytest.approx(rates[3.0] * pump * volume, rel=1e-4)
    assert slope * 2.0 < rates[3.0] < 2.0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Medium(0.0), '"transport mean free path" must be positive'),
        (lambda: Medium(1.0, 4), "1, 2 or 3 dimensions"),
        (lambda: diffusion.critical_size_um("cone", 20.0, BALL), "The shape"),
        (lambda: diffusion.critical_size_um("slab", 0.0, BALL), '"gain length" must be positive'),
        (lambda: diffusion.critical_size_um("slab", 1e-2, BALL), "any size lases"),
        (lambda: diffusion.shape_threshold_um("slab", 5.0, BALL, "open"), "The edge"),
        (lambda: diffusion.radial_grid([0.0, 2.0, 1.0], 2), "must rise from 0"),
        (lambda: diffusion.box_grid((1.0, -1.0), (4, 4)), '"side" must be positive'),
        (lambda: diffusion.threshold(diffusion.box_grid((1.0,), (4,)), BALL, np.zeros(4)), "not all zero"),
        (lambda: diffusion.area_law([1.0, 2.0], SHEET, 3), "not of 3"),
        (lambda: diffusion.area_law([-1.0, 2.0], SHEET), "Areas must be positive"),
        (lambda: diffusion.area_law([1.0, 2.0], SHEET, surroundings_cm1=0.0), "never end"),
        (lambda: Gain(1e-7, 0.0), '"carrier lifetime" must be positive'),
        (lambda: evolve(diffusion.box_grid((1.0,), (4,)), BALL, Gain(1e-7, 1.0), [0.0, 1.0]), "nothing happens"),
        (
            lambda: evolve(diffusion.box_grid((1.0,), (4,)), BALL, Gain(1e-7, 1.0), [0.0, 1.0], light=-1.0),
            "light must be zero or positive",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
