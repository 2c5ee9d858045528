"""Cavities at the door, their shapes and units, and how thresholds move with them."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser import packing
from perolas.laser.salt import Cavity, door, gradients, newton, shapes, units
from perolas.laser.salt.cavity import Cavity as SameCavity
from perolas.laser.salt.one_d import lobatto

DISC = shapes.Discs([[0.5, 0.45], [1.3, 0.7]], [0.3, 0.25], (1.8, 1.2), 2.2 + 0.01j, 1.1)


def test_one_name_for_one_thing() -> None:
    assert Cavity is SameCavity


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"pump_profile": np.ones(7)}, "shape"),
        ({"pump_profile": np.full(5, np.nan)}, "not numbers"),
        ({"pump_profile": np.zeros(5)}, "nowhere above zero"),
        ({"pump_profile": np.full(5, 1j)}, "real"),
        ({"pump_profile": "much"}, "array of numbers"),
        ({"eps": [1.0, np.inf, 2.0, 2.0, 2.0]}, "not numbers"),
        ({"eps": np.full(5, 2.0 - 0.1j)}, "gain"),
        ({"eps": []}, "at least one cell"),
        ({"eps": np.ones((2, 2, 2))}, "one or two dimensions"),
        ({"eps": ["a"] * 5}, "array of numbers"),
        ({"eps": 2.0}, "one or two dimensions"),
        ({"spacing": 0.0}, "spacing"),
        ({"spacing": -0.1}, "spacing"),
        ({"spacing": [0.1, 0.1]}, "spacings"),
        ({"spacing": [0.1, 0.1, -0.1, 0.1, 0.1]}, "positive"),
        ({"spacing": np.nan}, "spacing"),
        ({"k_a": -1.0}, "k_a"),
        ({"gamma_perp": 0.0}, "gamma_perp"),
        ({"gamma_perp": np.nan}, "gamma_perp"),
        ({"boundaries": "opne"}, 'did you mean "open"'),
        ({"boundaries": ("open",)}, "form"),
        ({"boundaries": 3}, "form"),
        ({"outside": -1.0}, "positive real part"),
        ({"outside": (1.0, 1.0, 1.0)}, "two ends"),
        ({"resolution": 0.0}, "resolution"),
    ],
)
def test_bad_cavity(changed: dict[str, object], sentence: str) -> None:
    good: dict[str, object] = {"eps": np.full(5, 2.0), "pump_profile": 1.0, "spacing": 0.2, "k_a": 10.0}
    with pytest.raises(InputError, match=sentence):
        Cavity(**{**good, "gamma_perp": 1.0, **changed})


def test_metal_in_a_film_is_refused() -> None:
    discs = shapes.film_discs(packing.sequential(500.0, 100.0, 0.3), 100.0, 500.0, 0.05 + 3.0j)
    with pytest.raises(InputError, match="metal"):
        shapes.film_cavity(discs, 20.0, 450.0, 10.0)


def test_too_little_memory_is_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    cavity = Cavity(np.full((400, 400), 2.0), 1.0, 0.1, 10.0, 1.0)
    monkeypatch.setattr(door, "memory_free", lambda: 1e8)
    with pytest.raises(InputError, match=r"needs about .* GB of memory"):
        cavity.thresholds(1)
    with pytest.raises(InputError, match="more than the"):
        Cavity(np.broadcast_to(2.0, (30_000, 30_000)), 1.0, 0.1, 10.0, 1.0)
    with pytest.raises(InputError, match="too long"):
        Cavity([2.0], [1.0], [1e6], 10.0, 1.0).thresholds(1)


def test_no_resonance_near_the_gain() -> None:
    narrow = Cavity([2.25], [1.0], [1.0], 10.0, 1e-3)
    with pytest.raises(InputError, match="No resonance lies near the gain"):
        narrow.thresholds(1)
    with pytest.raises(InputError, match="No resonance lies near the gain"):
        narrow.modes(1.0)


@pytest.mark.parametrize("d0", [-1.0, np.nan, "x", []])
def test_bad_pump(d0: object) -> None:
    cavity = Cavity([2.25], [1.0], [1.0], 10.0, 1.0)
    with pytest.raises(InputError, match="pump"):
        cavity.sweep(d0)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, -1, 10_000, 2.5])
def test_bad_count(count: int) -> None:
    with pytest.raises(InputError, match="number asked for"):
        Cavity([2.25], [1.0], [1.0], 10.0, 1.0).thresholds(count)


def test_newton_that_does_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    cavity = Cavity([2.25], [1.0], [1.0], 20.0, 2.0)
    first = cavity.thresholds(1)[0].d0
    real = newton.lase
    monkeypatch.setattr("perolas.laser.salt.follow.lase", lambda *a, **k: real(*a, **{**k, "most_steps": 1}))
    state = cavity.modes(3.0 * first)
    assert state.result == "max_steps"
    assert "did not converge" in state.message
    assert state.modes == ()


def test_below_threshold() -> None:
    cavity = Cavity([2.25], [1.0], [1.0], 20.0, 2.0)
    state = cavity.modes(0.0)
    assert state.result == "below_threshold"
    assert state.modes == ()
    assert state.next_d0 == pytest.approx(cavity.thresholds(1)[0].d0)


def test_sweep_keeps_the_order_that_was_asked_for() -> None:
    cavity = Cavity([2.25], [1.0], [1.0], 20.0, 2.0)
    states = cavity.sweep([0.9, 0.1, 0.6])
    assert [s.d0 for s in states] == [0.9, 0.1, 0.6]


def test_units_of_length_do_not_matter() -> None:
    one = Cavity([2.25], [1.0], [1.0], 20.0, 2.0, ("conductor", "open"))
    other = Cavity([2.25], [1.0], [1e3], 20.0e-3, 2.0e-3, ("conductor", "open"))
    a, b = one.modes(0.6), other.modes(0.6)
    for m, n in zip(a.modes, b.modes, strict=True):
        assert n.k == pytest.approx(1e-3 * m.k, rel=1e-9)
        assert n.intensity == pytest.approx(m.intensity, rel=1e-6)
        assert n.emitted == pytest.approx(1e-3 * m.emitted, rel=1e-6)


def test_lobatto_is_exact_for_polynomials() -> None:
    x, w, d = lobatto(7)
    assert w @ x**12 == pytest.approx(2.0 / 13.0, rel=1e-13)  # exact up to degree 2 p - 1
    assert d @ x**5 == pytest.approx(5.0 * x**4, abs=1e-12)


def test_share_of_a_disc_is_its_area() -> None:
    share = shapes.Discs([[0.51, 0.37]], 0.3, (1.0, 1.0), 2.0).share(0.05)
    assert share.sum() * 0.05**2 == pytest.approx(np.pi * 0.09, rel=1e-12)
    # A fine count of points in one cut cell.
    i, j = np.argwhere((share > 0.2) & (share < 0.8))[5]
    u = (np.arange(2000) + 0.5) / 2000 * 0.05
    inside = (u[None, :] + j * 0.05 - 0.51) ** 2 + (u[:, None] + i * 0.05 - 0.37) ** 2 <= 0.09
    assert share[i, j] == pytest.approx(inside.mean(), abs=1e-4)


@pytest.mark.parametrize("name", ["by_x", "by_y", "by_radius"])
def test_share_moves_smoothly(name: str) -> None:
    at = np.array([0.513, 0.371, 0.3])
    step = np.array([name == "by_x", name == "by_y", name == "by_radius"]) * 1e-6
    up, down = (shapes.disc_share(*(at + s * step), (20, 20), 0.05) for s in (1, -1))
    one = shapes.disc_share(*at, (20, 20), 0.05)
    assert one is not None
    assert up is not None
    assert down is not None
    assert (up.area - down.area) / 2e-6 == pytest.approx(getattr(one, name), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([[0.5, 0.5], [0.6, 0.5]], 0.2, (1.0, 1.0), 2.0), "overlap"),
        (([0.5, 0.5], 0.2, (1.0, 1.0), 2.0), "shape"),
        (([[0.5, 0.5]], [0.2, 0.1], (1.0, 1.0), 2.0), "radii"),
        (([[0.5, np.nan]], 0.2, (1.0, 1.0), 2.0), "finite"),
        (([[0.5, 0.5]], -0.2, (1.0, 1.0), 2.0), "positive"),
        (([[0.5, 0.5]], 0.2, (1.0, 1.03), 2.0), "whole cells"),
    ],
)
def test_bad_discs(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        shapes.Discs(*arguments).cavity(0.05, 10.0, 1.0)  # type: ignore[arg-type]


def test_film_keeps_the_filling() -> None:
    centres = packing.sequential(2000.0, 100.0, 0.35, seed=2)
    discs = shapes.film_discs(centres, 100.0, 2000.0, 1.9)
    assert discs.share(20.0).mean() == pytest.approx(0.35, abs=0.003)
    cavity = shapes.film_cavity(discs, 20.0, 532.0, 10.0, spot_nm=800.0)
    assert cavity.k_a == pytest.approx(2 * np.pi / 532.0)
    pump = cavity.pump_profile
    assert pump[40:60, 40:60].mean() == pytest.approx(0.35 * 0.9, abs=0.1)  # near the middle of the spot
    assert pump[:10, :10].mean() < 0.01


def test_units() -> None:
    k = units.wave_number_per_nm(532.0)
    assert units.wavelength_nm(k) == pytest.approx(532.0)
    # The half width spans the wavelengths 527 and 537 nm from side to side.
    gamma = units.gamma_perp_per_nm(532.0, 10.0)
    assert 2 * gamma == pytest.approx(units.wave_number_per_nm(527.0) - units.wave_number_per_nm(537.0))
    assert units.gain_cm1(0.01, 2.0, 532.0) == pytest.approx(1e7 * k * 0.01 / 2.0, rel=1e-4)
    assert units.gain_cm1(units.d0_of_gain(130.0, 1.8, 532.0), 1.8, 532.0) == pytest.approx(130.0, rel=1e-10)
    with pytest.raises(InputError, match="not below"):
        units.gamma_perp_per_nm(500.0, 600.0)


# -- gradients, against central differences ---------------------------------------------------------------------------
LAYERS = {"eps": [2.0, 1.0, 3.1 + 0.02j], "pump_profile": [0.2, 0.0, 1.0], "spacing": [0.31, 0.2, 0.5]}


def line(boundaries: tuple[str, str], **changed: object) -> Cavity:
    return Cavity(**{**LAYERS, **changed}, k_a=18.0, gamma_perp=1.0, boundaries=boundaries)


@pytest.mark.parametrize(
    "boundaries", [("open", "open"), ("conductor", "open"), ("open", "conductor"), ("open", "mirror")]
)
@pytest.mark.parametrize("kind", ["eps", "loss", "pump", "width"])
def test_gradient_in_one_dimension(kind: str, boundaries: tuple[str, str]) -> None:
    threshold = line(boundaries).thresholds(1)[0]
    cells = gradients.cell_gradient(threshold)
    change = {"eps": cells.eps, "loss": cells.loss, "pump": cells.pump}.get(kind) or gradients.width_gradient(threshold)
    field = {"eps": "eps", "loss": "eps", "pump": "pump_profile", "width": "spacing"}[kind]
    step, unit = 1e-5, 1j if kind == "loss" else 1.0
    for i in range(3):
        if kind == "loss" and i < 2:
            continue  # a loss below zero is refused
        moved = []
        for sign in (1, -1):
            values = np.array(LAYERS[field], dtype=complex if field == "eps" else float)
            values[i] += sign * step * unit
            moved.append(line(boundaries, **{field: values}).thresholds(1)[0])
        assert change.d0[i] == pytest.approx((moved[0].d0 - moved[1].d0) / (2 * step), rel=1e-5, abs=1e-8)
        assert change.k[i] == pytest.approx((moved[0].k - moved[1].k) / (2 * step), rel=1e-5, abs=1e-7)


def test_gradient_of_each_cell_sums_to_that_of_the_layer() -> None:
    cells = Cavity(np.full(50, 2.25), 1.0, 0.02, 20.0, 2.0).thresholds(1)[0]
    whole = Cavity([2.25], [1.0], [1.0], 20.0, 2.0).thresholds(1)[0]
    many, one = gradients.cell_gradient(cells), gradients.cell_gradient(whole)
    assert many.eps.d0.sum() == pytest.approx(one.eps.d0[0], rel=1e-9)
    assert many.pump.k.sum() == pytest.approx(one.pump.k[0], rel=1e-7, abs=1e-12)


def disc_threshold(discs: shapes.Discs, near: float | None = None) -> object:
    found = discs.cavity(0.06, 9.0, 1.0).thresholds(2)
    return found[0] if near is None else min(found, key=lambda t: abs(t.k - near))


@pytest.mark.parametrize("kind", ["x", "y", "radius", "index"])
def test_gradient_with_discs(kind: str) -> None:
    threshold = disc_threshold(DISC)
    slope = gradients.disc_gradient(threshold, DISC)  # type: ignore[arg-type]
    step, moved = 1e-5, []
    for sign in (1, -1):
        centres, radii, index = DISC.centres.copy(), DISC.radii.copy(), DISC.index
        if kind in "xy":
            centres[0, "xy".index(kind)] += sign * step
        elif kind == "radius":
            radii[1] += sign * step
        else:
            index = index + sign * step
        moved.append(disc_threshold(shapes.Discs(centres, radii, DISC.size, index, DISC.host_index), threshold.k))  # type: ignore[attr-defined]
    pair = {"x": slope.centres, "y": slope.centres, "radius": slope.radii, "index": slope.index}[kind]
    where = {"x": (0, 0), "y": (0, 1), "radius": 1, "index": ()}[kind]
    assert pair.d0[where] == pytest.approx((moved[0].d0 - moved[1].d0) / (2 * step), rel=1e-5)  # type: ignore[attr-defined]
    assert pair.k[where] == pytest.approx((moved[0].k - moved[1].k) / (2 * step), rel=1e-5)  # type: ignore[attr-defined]


def test_degenerate_threshold_has_no_gradient() -> None:
    cavity = shapes.Discs([[1.0, 1.0]], 0.9, (2.0, 2.0), 2.0).cavity(0.08, 4.83, 1.0)
    pair = [
        t for t in cavity.thresholds(6) if any(abs(t.d0 / o.d0 - 1) < 1e-9 for o in cavity.thresholds(6) if o is not t)
    ]
    assert pair
    with pytest.raises(InputError, match="degenerate"):
        gradients.cell_gradient(pair[0])
