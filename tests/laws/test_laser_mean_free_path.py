"""Mean free path among random discs: theory against walkers and against waves that scatter many times.

The waves are exact for cylinders (Foldy and Lax, each cylinder with its multipoles, coupled by Graf's addition theorem)
and were written here for the test alone; the mean of the field over many arrangements falls as exp(-z / 2 l_s).
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import h1vp, hankel1, jv, jvp

from perolas.laser import discs, packing

WAVE_NM, DIAMETER_NM, INDEX = 532.0, 100.0, 1.6


def field_inside(centres: np.ndarray, points: np.ndarray, one: discs.Cylinder, orders: int = 1) -> np.ndarray:
    """Return the field at points, shape (m,), for a plane wave along x among cylinders at centres (n, 2)."""
    k, n = one.wave_number, np.arange(-orders, orders + 1)
    b = one.coefficients[np.abs(n)]
    away = centres[:, None] - centres[None]  # from l (second) to j (first)
    r, angle = np.linalg.norm(away, axis=2), np.arctan2(away[..., 1], away[..., 0])
    np.fill_diagonal(r, 1.0)
    size = n.size
    hankel = {q: hankel1(q, k * r) * np.exp(1j * q * angle) for q in range(-2 * orders, 2 * orders + 1)}
    for each in hankel.values():
        np.fill_diagonal(each, 0.0)
    matrix = np.zeros((len(centres), size, len(centres), size), complex)
    for i, to in enumerate(n):
        for j, source in enumerate(n):
            matrix[:, i, :, j] = b[j] * hankel[source - to]
    unknowns = len(centres) * size
    incident = (np.exp(1j * k * centres[:, 0])[:, None] * 1j**n).ravel()
    c = np.linalg.solve(matrix.reshape(unknowns, unknowns) + np.eye(unknowns), incident).reshape(-1, size)
    off = points[:, None] - centres[None]
    r, angle = np.linalg.norm(off, axis=2), np.arctan2(off[..., 1], off[..., 0])
    total = np.exp(1j * k * points[:, 0])
    for j, q in enumerate(n):
        total = total - (hankel1(q, k * r) * np.exp(1j * q * angle)) @ (b[j] * c[:, j])
    return total


def decay_um(
    filling: float, arrangements: int, depth_nm: float = 3500.0, width_nm: float = 7000.0
) -> tuple[float, float]:
    """Return l_s from the mean field in a slab of discs, and its error from halves of the arrangements, um."""
    one = discs.cylinder(DIAMETER_NM, INDEX, 1.0, WAVE_NM)
    z, y = np.linspace(0.15, 0.85, 15) * depth_nm, np.linspace(-0.2, 0.2, 40) * width_nm
    points = np.stack(np.meshgrid(z, y, indexing="ij"), axis=-1).reshape(-1, 2)
    fields = []
    for seed in range(arrangements):
        everywhere = packing.sequential(width_nm, DIAMETER_NM, filling, 2, seed)
        centres = everywhere[everywhere[:, 0] < depth_nm] - [0.0, 0.5 * width_nm]
        near = np.linalg.norm(points[:, None] - centres[None], axis=2).min(axis=1) < 0.5 * DIAMETER_NM
        fields.append(np.where(near, np.nan, field_inside(centres, points, one)).reshape(z.size, y.size))
    each = np.array(fields)

    def length(some: np.ndarray) -> float:
        mean = np.abs(np.nanmean(some, axis=(0, 2)))
        return -0.5 / np.polyfit(z, np.log(mean), 1)[0] * 1e-3

    parts = [length(np.delete(each, slice(i, None, 5), axis=0)) for i in range(5)]  # jackknife in five
    return length(each), float(np.sqrt(4.0 / 5.0 * np.sum((np.array(parts) - np.mean(parts)) ** 2)))


def test_one_cylinder_between_the_solvers() -> None:
    # analytic: field and slope go through the surface, which is what the coefficients stand for; and one cylinder alone
    # has that field in the multiple scattering too (a plane wave cut after so many orders is right to 1e-7)
    one = discs.cylinder(DIAMETER_NM, INDEX, 1.0, WAVE_NM)
    orders = one.coefficients.size - 1
    n = np.arange(-orders, orders + 1)
    b, x = one.coefficients[np.abs(n)], one.size_parameter
    inside = (jv(n, x) - b * hankel1(n, x)) / jv(n, INDEX * x)
    slope = jvp(n, x) - b * h1vp(n, x)
    np.testing.assert_allclose(slope, INDEX * inside * jvp(n, INDEX * x), rtol=1e-8, atol=1e-14)
    angle = np.linspace(0.0, 2.0 * np.pi, 9)
    rim = 0.5 * DIAMETER_NM * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outside = field_inside(np.zeros((1, 2)), rim, one, orders)
    within = (inside * jv(n, INDEX * x) * 1j**n) @ np.exp(1j * np.outer(n, angle))
    np.testing.assert_allclose(outside, within, rtol=1e-6)


def test_mean_free_path_by_waves() -> None:
    # other code: the exact waves above, few arrangements; the error is that of the arrangements
    found, error = decay_um(0.1, 6)
    theory = discs.mean_free_path(DIAMETER_NM, 0.1, INDEX, 1.0, WAVE_NM)
    assert error < 0.25 * found
    assert abs(found - theory.scattering_um) < 3.0 * error + 0.1 * found


@pytest.mark.full
@pytest.mark.parametrize("filling", [0.05, 0.1])
def test_mean_free_path_by_many_waves(filling: float) -> None:
    # As above with more arrangements. Theory counts the distances that discs keep, but neither waves between neighbours
    # nor the index of the whole: 15 % are allowed for those. As if each disc stood alone it would be off by far more.
    found, error = decay_um(filling, 50)
    theory = discs.mean_free_path(DIAMETER_NM, filling, INDEX, 1.0, WAVE_NM).scattering_um
    alone = discs.mean_free_path(DIAMETER_NM, filling, INDEX, 1.0, WAVE_NM, packed=False).scattering_um
    assert abs(found - theory) < 2.0 * error + 0.15 * theory
    assert abs(found - theory) < abs(found - alone)


def test_mean_free_path_by_a_walk() -> None:
    # other code: walkers that step as exp(-s / l_s) and turn by the phase function with its structure factor spread as
    # <r^2> = 2 l_s l_t n after n >> 1 steps, which is 4 D t with D = v l_t / 2
    filling = 0.4
    theory = discs.mean_free_path(300.0, filling, INDEX, 1.0, WAVE_NM)
    one = discs.cylinder(300.0, INDEX, 1.0, WAVE_NM)
    angle = np.linspace(-np.pi, np.pi, 20001)
    share = one.differential_nm(angle) * discs.structure_factor(
        one.wave_number * 300.0 * np.abs(np.sin(angle / 2)), filling
    )
    total = np.concatenate([[0.0], np.cumsum(0.5 * (share[1:] + share[:-1]))])
    rng = np.random.default_rng(3)
    walkers, steps = 20_000, 400
    place, heading = np.zeros((walkers, 2)), rng.uniform(0.0, 2.0 * np.pi, walkers)
    for _ in range(steps):
        way = rng.exponential(theory.scattering_um, walkers)
        place += way[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        heading += np.interp(rng.uniform(0.0, total[-1], walkers), total, angle)
    square = float(np.mean(np.sum(place**2, axis=1)))
    transport = square / (2.0 * theory.scattering_um * steps)
    assert transport == pytest.approx(theory.transport_um, rel=4.0 / np.sqrt(walkers) + 2.0 / steps)
