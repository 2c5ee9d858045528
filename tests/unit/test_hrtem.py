"""Lattice images: the lens, the speckle, the spots, their spacings, and what is said of images without any.

Shared: 256 x 256 pixels of 0.04 nm and three spots at most, so that few shapes are compiled.
"""

from __future__ import annotations

import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.core.observation import conditions_of, make_image, make_observation
from perolas.core.picture import take
from perolas.matter.crystal import phase
from perolas.matter.specimen import Specimen
from perolas.measurements import hrtem
from perolas.measurements.hrtem import scene, wave
from perolas.measurements.hrtem.spots import independent, power_of, search

SMALL: dict[str, Any] = {"size": 256, "scale": 0.04}


def nearest(name: str, zone: tuple[int, int, int], turn_deg: float, k: np.ndarray) -> np.ndarray:
    """Return the lattice vector of a simulated crystal that lies nearest to a spot."""
    beams = wave.zone_of(phase(name), zone)
    gx, gy = wave.turned(beams.g_per_nm[1:], math.radians(turn_deg))
    g = np.stack([np.asarray(gx), np.asarray(gy)], axis=1)
    return np.asarray(g[np.argmin(np.linalg.norm(g - k, axis=1))])


@pytest.fixture(scope="module")
def cubic() -> Any:
    """Cubic CsPbBr3 along [001], filling the picture; its fit."""
    image = hrtem.simulate(phase="CsPbBr3_cubic", thickness=6.0, turn=20.0, seed=3, **SMALL)
    return image, hrtem.fit(image, spots=3, calibration_std=0.005)


def test_wavelength_and_interaction_are_the_books() -> None:
    """Truth: Kirkland, chapters 2 and 5: 1.9687 pm and 6.526e-4 rad/(V angstrom) at 300 kV; 2.5079 pm at 200 kV."""
    assert float(wave.wavelength_nm(300.0)) == pytest.approx(1.9687e-3, rel=1e-4)
    assert float(wave.wavelength_nm(200.0)) == pytest.approx(2.5079e-3, rel=1e-4)
    assert float(wave.interaction_per_v_nm(300.0)) == pytest.approx(6.526e-3, rel=1e-3)


def test_weak_phase_contrast_is_the_transfer_function() -> None:
    """Truth: a weak phase phi cos(2 pi g x) gives 1 + 2 sin(chi) phi cos(...) through a perfect lens."""
    g, size, pixel = 2.5, 64, 0.05  # eight periods in 3.2 nm
    x = np.arange(size) * pixel
    small = 1e-4 * np.cos(2 * np.pi * g * x)[None, :] * np.ones((size, 1))
    lens = wave.Lens(300.0, -40.0, 1.2, 0.0, 0.0, 0.0)
    image = np.asarray(wave.image_of(jnp.asarray(small), pixel, lens))
    lam = float(wave.wavelength_nm(300.0))
    chi = math.pi * lam * -40.0 * g**2 + 0.5 * math.pi * 1.2e6 * lam**3 * g**4
    seen = 2 * np.mean((image - 1) * np.cos(2 * np.pi * g * x)) / 1e-4
    assert seen == pytest.approx(2 * math.sin(chi), abs=1e-3)


def test_two_routes_to_the_same_image() -> None:
    """Truth: Fourier coefficients of the endless crystal's cell, against the image on a grid that it fits into."""
    crystal, size = phase("CsPbBr3_cubic"), 160
    pixel = 5 * crystal.cell[0] / size
    beams, lens = wave.zone_of(crystal, (0, 0, 1)), wave.lens()
    at = np.arange(size) * pixel
    phase_rad = wave.interaction_per_v_nm(300.0) * 5.0 * wave.projected_potential_v(beams, at, -at)
    grid = np.fft.fft2(np.asarray(wave.image_of(phase_rad, pixel, lens)))
    direct = np.abs(wave.coefficients(beams, 5.0, lens, [[1, 0, 0], [1, 1, 0], [2, 0, 0], [2, 2, 0]]))
    other = np.abs([grid[0, 5], grid[5, 5], grid[0, 10], grid[10, 10]]) / abs(grid[0, 0])
    assert np.allclose(direct, other, rtol=5e-3)


def test_the_image_is_differentiable() -> None:
    """Truth: central differences in thickness, defocus, strain and turn."""
    beams = wave.zone_of(phase("CsPbBr3_cubic"), (0, 0, 1), 8.0)
    weight = jnp.asarray(np.random.default_rng(1).normal(size=(64, 64)))

    def total(p: jax.Array) -> jax.Array:
        lens = wave.lens(p[1])
        image = scene.intensity(
            beams, lens, pixel_nm=0.05, size=64, thickness_nm=p[0], edge_nm=2.0, strain=p[2], turn_rad=p[3]
        )
        return jnp.sum(weight * image)

    at = jnp.array([5.0, -55.0, 0.01, 0.3])
    slope, value = jax.jit(jax.grad(total))(at), jax.jit(total)
    for i, step in enumerate((1e-3, 1e-2, 1e-5, 1e-5)):
        ahead, behind = (float(value(at.at[i].add(s * step))) for s in (1, -1))
        assert (ahead - behind) / (2 * step) == pytest.approx(float(slope[i]), rel=1e-4, abs=1e-5)


def test_speckle_has_the_power_of_its_atoms() -> None:
    """Truth: the variance of a projected potential of independent atoms, the sum of the squared filter."""
    drawn = np.asarray(scene.speckle(jax.random.key(1), 256, 0.04, 3.0, 300.0))
    shaped = np.asarray(wave.support_filter(*drawn.shape, 0.04, 3.0, 300.0))
    assert drawn.var() == pytest.approx(np.mean(shaped**2), rel=0.03)


def test_the_spacings_come_back(cubic: Any) -> None:
    """Truth: the lattice that made the image; at 200 counts to a few 1e-4, within four standard errors of position."""
    _, found = cubic
    assert len(found.extra["spots"]) == 3
    for i, spot in enumerate(found.extra["spots"]):
        k = np.array([found[f"frequency_{c}_{i + 1}"].value for c in "xy"])
        truth = nearest("CsPbBr3_cubic", (0, 0, 1), 20.0, k)
        assert spot["position_std"] < 2e-3
        assert abs(spot["d_nm"] * np.linalg.norm(truth) - 1) < 4 * spot["position_std"]
        assert found[f"d_spacing_{i + 1}"].std == pytest.approx(
            0.005 * spot["d_nm"], rel=0.05
        )  # the scale's half per cent
        expected = np.degrees(np.arctan2(truth[1], truth[0]))
        assert abs((spot["azimuth_deg"] - expected + 90) % 180 - 90) < 0.3
    assert found.correlation("d_spacing_1", "d_spacing_2") > 0.97  # one scale for all
    assert found["angle_1_2"].std < 0.2  # and none for angles
    assert 0.7 < float(found.chi2_reduced) <= 1.05


def test_the_phase_is_named_as_far_as_it_can_be(cubic: Any) -> None:
    _, found = cubic
    told = found.extra["odds"]
    assert told["decided"] in ("CsPbBr3", "CsPbBr3_cubic")
    assert any("CsPbBr3" in n for n in found.notes)
    shares = {p["name"]: p["probability"] for p in told["phases"]}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["Cs4PbBr6"] < 1e-3


def test_pictures_show_the_spots(cubic: Any) -> None:
    _, found = cubic
    image, power, filtered = found.pictures
    assert power.centred
    assert power.unit == "1/nm"
    middle = power.image.shape[0] // 2
    for points in power.marks.values():
        for x, y in points:  # the marked pixel is among the brightest
            column, row = middle + round(x / power.pixel), middle - round(y / power.pixel)
            around = power.image[row - 1 : row + 2, column - 1 : column + 2]
            assert around.max() > np.quantile(power.image, 0.99)
    assert np.corrcoef(image.image.ravel(), filtered.image.ravel())[0, 1] > 0.5
    assert len(take(found.to_dataset())) == 3


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "zone", "edge"), [("CsBr", (0, 0, 1), 8.0), ("Cs4PbBr6", (0, 0, 1), None), ("CsPbBr3", (1, 0, 1), 8.0)]
)
def test_other_phases_are_named(name: str, zone: tuple[int, int, int], edge: float | None) -> None:
    """Truth: the phase that made the image, or its compound."""
    text = "".join(map(str, zone))
    image = hrtem.simulate(phase=name, zone=text, thickness=5.0, edge=edge, turn=7.0, seed=5, **SMALL)
    found = hrtem.fit(image, spots=6)
    assert found.extra["odds"]["decided"] == name, found.notes
    for i, spot in enumerate(found.extra["spots"]):
        k = np.array([found[f"frequency_{c}_{i + 1}"].value for c in "xy"])
        truth = nearest(name, zone, 7.0, k)
        assert abs(spot["d_nm"] * np.linalg.norm(truth) - 1) < 4 * spot["position_std"] + 1e-4


def noise_images(count: int, size: int = 128) -> list[np.ndarray]:
    """Return images without any lattice: white noise, and amorphous carbon through the lens."""
    rng, lens, found = np.random.default_rng(2), wave.lens(), []

    @jax.jit
    def carbon(key: jax.Array) -> jax.Array:
        return wave.image_of(scene.speckle(key, size, 0.05, 4.0, 300.0), 0.05, lens)

    for i in range(count):
        if i % 2:
            found.append(rng.poisson(300.0 * np.asarray(carbon(jax.random.key(i)))[:size, :size]) / 300.0)
        else:
            found.append(rng.normal(1.0, 0.1, (size, size)))
    return found


def false_alarms(count: int, rate: float) -> int:
    images = noise_images(count)
    return sum(bool(search(im - im.mean(), 0.05, 0.33, false_alarm=rate).spots) for im in images)


def test_speckle_shows_no_spots() -> None:
    """Truth: the stated rate; at 10 % of images, 60 of them may show 14 at most (four standard deviations)."""
    assert false_alarms(60, 0.1) <= 6 + 4 * math.sqrt(60 * 0.1 * 0.9)


@pytest.mark.full
def test_speckle_shows_no_spots_full() -> None:
    """At 1 % of 600 images 6 are expected at most; 16 are four standard deviations more."""
    assert false_alarms(600, 0.01) <= 6 + 4 * math.sqrt(6)


def test_neighbouring_bins_of_a_window_depend_on_one_another_as_stated() -> None:
    """Truth: the scatter of the mean power in squares of white noise."""
    power = power_of(np.random.default_rng(4).normal(size=(504, 504)))
    for size in (3, 7):
        means = power.reshape(504, 504)[: 504 // size * size, : 504 // size * size]
        means = means.reshape(504 // size, size, 504 // size, size).mean(axis=(1, 3))
        assert means.mean() ** 2 / means.var() == pytest.approx(independent(size), rel=0.1)


def test_control_no_lattice_no_phase() -> None:
    """A control that must fail: the same pixels in another order hold no lattice, and none is reported."""
    image = hrtem.simulate(phase="CsPbBr3_cubic", thickness=6.0, seed=3, **SMALL)
    shuffled = np.random.default_rng(1).permutation(image["signal"].values.ravel()).reshape(256, 256)
    found = hrtem.fit(make_image(shuffled, 0.04))
    assert found.extra["spots"] == []
    assert found.extra["odds"] is None
    assert "No lattice spots" in found.notes[0]
    assert list(found.quantities) == ["amplitude_1"]
    assert len(found.pictures) == 2
    assert "amplitude_1" in str(found)


def test_control_a_wrong_scale_does_not_fit(cubic: Any) -> None:
    """The other control: with a scale 12 % off, the true phase is not named."""
    image, _ = cubic
    found = hrtem.fit(image, scale="0.0448 nm/px", spots=3, calibration_std=0.005)
    assert found.extra["odds"]["decided"] not in ("CsPbBr3", "CsPbBr3_cubic")
    at = np.arange(128)
    waves = np.random.default_rng(1).poisson(100 + 30 * np.cos(2 * np.pi * at[None, :] / 10.0) * np.ones((128, 1)))
    far = hrtem.fit(make_image(waves, 0.3))  # ten pixels of 0.3 nm are no lattice planes
    assert far.extra["spots"] == []
    assert "check the scale" in " ".join(far.warnings)


def test_a_specimen_is_imaged() -> None:
    """Truth: its most abundant phase, its size, and its strain in every spacing."""
    specimen = Specimen.of({"CsBr": 0.9, "CsPbBr3": 0.1}, size_nm=7.0, strain=0.02)
    image = hrtem.simulate(specimen, turn=5.0, seed=1, **SMALL)
    told = conditions_of(image)
    assert (told["phase"], told["edge_nm"], told["strain"]) == ("CsBr", 7.0, 0.02)
    measured = hrtem.example()
    moved = measured.respond(specimen)
    ratio = np.asarray(moved.derived()["d_spacing_1"]) / np.asarray(measured.derived()["d_spacing_1"])
    assert float(ratio) == pytest.approx(1.02, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: hrtem.fit(make_image(np.full((128, 128), 7.0), 0.02)), "is blank"),
        (lambda: hrtem.fit(make_image(np.random.default_rng(1).poisson(9, (128, 128)))), "has no scale"),
        (lambda: hrtem.fit(make_image(np.random.default_rng(1).poisson(9, (128, 128)), 5.0)), "check the scale"),
        (lambda: hrtem.fit(make_image(np.random.default_rng(1).poisson(9, (32, 32)), 0.02)), "64 x 64"),
        (
            lambda: hrtem.fit(make_image(np.minimum(np.random.default_rng(1).poisson(99, (128, 128)), 99), 0.02)),
            "is saturated",
        ),
        (lambda: hrtem.fit(make_observation(np.ones(9), "channel", np.arange(9.0))), "needs an image"),
        (lambda: hrtem.fit(noisy(), scale="0.02 eV"), "size of a pixel"),
        (lambda: hrtem.fit(noisy(), candidates=("CsPbBr4",)), "did you mean"),
        (lambda: hrtem.fit(noisy(), box="0 0 500 500"), "does not lie"),
        (lambda: hrtem.fit(noisy(), box="a b c"), "LEFT TOP RIGHT BOTTOM"),
        (lambda: hrtem.fit(noisy(), false_alarm=2.0), "between 0 and 1"),
        (lambda: hrtem.fit(noisy(), spots=0), "between 1 and"),
        (lambda: hrtem.fit(noisy(), d_min=0.01), "show no spacing below"),
        (lambda: hrtem.fit(noisy(), d_max=100.0), "shows no spacing above"),
        (lambda: hrtem.fit(noisy(), calibration_std=-1.0), "calibration_std"),
        (lambda: hrtem.simulate(zone="hello"), "zone axis"),
        (lambda: hrtem.simulate(zone="000"), "zone axis"),
        (lambda: hrtem.simulate(phase="CsBr", zone="29 31 37"), "zone of lower indices"),
        (lambda: hrtem.simulate(phase="CsPbBr4"), "did you mean"),
        (lambda: hrtem.simulate(thickness=-1.0), "must be positive"),
        (lambda: hrtem.simulate(scale="0.5 nm/px"), "does not suit"),
        (lambda: hrtem.simulate(size=10), "64 to"),
    ],
)
def test_bad_input_is_one_sentence(call: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


def noisy() -> Any:
    return make_image(np.random.default_rng(1).poisson(50, (128, 128)), 0.04)


def test_the_command_line(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "image.nc")
    simulated = ["simulate", "hrtem", "--phase", "CsBr", "--zone", "001", "--size", "256", "--scale", "0.04 nm/px"]
    assert main([*simulated, "--thickness", "5 nm", "-o", file]) == 0
    capsys.readouterr()
    fit = ["fit", file, "-t", "hrtem", "--spots", "3", "--candidates"]
    assert main([*fit, "all", "--calibration-std", "0.5 %", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["extra"]["odds"]["decided"] == "CsBr"
    assert main([*fit, "CsBrr"]) == 2
    refused = capsys.readouterr().err
    assert "Traceback" not in refused
    assert refused.strip().count("\n") == 0


def pulls(count: int, edge: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return pulls of spacings and angles over images of several phases, thicknesses, foci and doses."""
    rng = np.random.default_rng(7)
    cases = [("CsPbBr3_cubic", (0, 0, 1)), ("Cs4PbBr6", (0, 0, 1)), ("CsBr", (0, 0, 1)), ("CsPbBr3", (1, 0, 1))]
    radial, turned = [], []
    for i in range(count):
        name, zone = cases[i % 4]
        turn = float(rng.uniform(0, 90))
        image = hrtem.simulate(
            phase=name, zone="".join(map(str, zone)), thickness=float(rng.uniform(3, 20)), turn=turn, seed=i,
            defocus=float(rng.uniform(-90, -30)), support=float(rng.uniform(1, 8)),
            counts=float(10 ** rng.uniform(1, 3)), edge=float(rng.uniform(5, 8.5)) if edge else None,
            shape=str(rng.choice(["cube", "sphere"])) if edge else "cube", **SMALL,
        )  # fmt: skip
        found = hrtem.fit(image, spots=3, calibration_std=0.0)
        assert found.extra["spots"], (name, i)
        k = [np.array([found[f"frequency_{c}_{j + 1}"].value for c in "xy"]) for j in range(len(found.extra["spots"]))]
        g = [nearest(name, zone, turn, v) for v in k]
        for j, spot in enumerate(found.extra["spots"]):
            radial.append((spot["d_nm"] * np.linalg.norm(g[j]) - 1) / spot["position_std"])
        for j in range(1, len(k)):
            q = found[f"angle_1_{j + 1}"]
            true = np.degrees(np.arctan2(g[0][0] * g[j][1] - g[0][1] * g[j][0], g[0] @ g[j]))
            turned.append(((q.value - true + 180) % 360 - 180) / q.std)
    return np.array(radial), np.array(turned)


@pytest.mark.full
def test_errors_are_honest_where_the_crystal_fills_the_picture() -> None:
    """Truth: the lattice of each image. Speckle is normal only within a band that is flat, so 0.25 more is allowed."""
    for values in pulls(48, edge=False):
        n = len(values)
        assert abs(values.mean()) < 0.1 + 4 / math.sqrt(n)
        assert abs(values.std() - 1) < 0.3 + 4 / math.sqrt(2 * n), values.std()
        assert np.mean(np.abs(values) > 3) < 0.03


@pytest.mark.full
def test_errors_hold_for_small_crystals() -> None:
    """Truth as above. What the lens does at the rims is a bound more than a normal error, so only coverage is asked."""
    for values in pulls(48, edge=True):
        assert np.mean(np.abs(values) < 1) > 0.6
        assert np.mean(np.abs(values) < 2) > 0.88
        assert np.mean(np.abs(values) < 4) > 0.97
