"""Size laws from simulated images: their crystals are known, so that what is found can be held against what was put in.

The scenes here differ from one another in density, contrast, noise, scale and shape; one setting serves them all.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import conditions_of, make_image, pixel_nm
from perolas.matter.specimen import Specimen
from perolas.measurements import tem
from perolas.measurements.tem.scene import Placed, Scene, expected_counts, place


@cache
def taken(seed: int = 1, **scene):
    """Return a scene, its crystals and its image."""
    made = Scene(**scene)
    chance = np.random.default_rng(seed)
    placed = place(made, chance)
    return made, placed, make_image(chance.poisson(expected_counts(made, placed, chance)), made.pixel_nm)


@cache
def fitted(seed: int = 1, **scene):
    return tem.fit(taken(seed, **scene)[2], scale_error=0.0)


SCENES = {
    "plain": {},
    "dense": {"particles": 80.0},
    "weak": {"mean_free_path_nm": 150.0, "grain": 0.02},
    "large pixels": {"pixel_nm": 1.0, "pixels": (640, 640), "particles": 160.0},
    "spheres": {"shape": "sphere"},
}
SMALL = {"pixels": (640, 640), "particles": 50.0}


@pytest.mark.parametrize("name", SCENES)
def test_mean_and_number(name):
    """Truth: what was drawn. The mean within 3 % and its own error, the number within 5 % and its own error."""
    scene = {**SMALL, **SCENES[name]}
    made, placed, _ = taken(4, **scene)
    found = fitted(4, **scene)
    mean, number = found["mean_edge"], found["particles"]
    true = placed.inside(made.pixels).sum()
    assert found.extra["image"]["shape"] == made.shape
    assert found.extra["image"]["polarity"] == "dark"
    assert abs(mean.value / made.size_nm - 1) < 0.03
    assert abs(mean.value - made.size_nm) < 3 * mean.std
    assert abs(number.value - true) < max(0.05 * true, 3 * number.std)
    assert abs(found["std_edge"].value - made.size_std_nm) < 3.5 * found["std_edge"].std
    assert 0.2 * true < found["counted"].value < true


def test_a_single_crystal_is_measured_with_its_error():
    """Truth: the crystals of one image; each size differs from its own by its own error, and none by much."""
    from perolas.measurements.tem.find import look, objects
    from perolas.measurements.tem.judge import judge
    from perolas.measurements.tem.measure import measure, size_px

    made, placed, image = taken(4, **SMALL)
    view = look(image.signal.values)
    _, whole, _ = judge(measure(view, objects(view)), view, "cube", 10.0)
    pulls = []
    for one in whole:
        apart = np.hypot(*(placed.centre_px - one.outline[:-1].mean(axis=0)).T)
        true = placed.size_nm[np.argmin(apart)] / made.pixel_nm
        size, error = size_px(one, "cube", view)
        if apart.min() < 3:  # two that lie on one another have their middle elsewhere
            pulls.append((size - true) / error)
    assert len(pulls) > 0.9 * len(whole)
    assert abs(np.median(pulls)) < 0.7  # 0.1 pixel, which is the shared error
    assert 0.6 < 1.4826 * np.median(np.abs(pulls - np.median(pulls))) < 1.5


def test_seed_and_specimen_decide_the_image():
    one = tem.simulate(Specimen.of("CsPbBr3", size_nm=15.0, size_std_nm=1.5), seed=3, pixels=256, particles=20)
    same = tem.simulate(Specimen.of("CsPbBr3", size_nm=15.0, size_std_nm=1.5), seed=3, pixels=256, particles=20)
    other = tem.simulate(Specimen.of("CsPbBr3", size_nm=15.0, size_std_nm=1.5), seed=4, pixels=256, particles=20)
    assert np.array_equal(one.signal.values, same.signal.values)
    assert not np.array_equal(one.signal.values, other.signal.values)
    assert one.signal.attrs["units"] == "counts"
    assert pixel_nm(one) == pytest.approx(0.5)
    assert conditions_of(one)["shape"] == "cube"
    heavier = conditions_of(tem.simulate(Specimen.of("CsPbBr3"), pixels=64))["contrast"]
    assert conditions_of(tem.simulate(Specimen.of("Cs4PbBr6"), pixels=64))["contrast"] < heavier


def test_darkness_is_that_of_the_mean_free_path():
    """Truth: Lambert-Beer, exp(-t / l), in the middle of one cube without noise."""
    made = Scene(pixels=(64, 64), blur_nm=0.0, grain=0.0, clutter=0.0, mean_free_path_nm=50.0)
    one = Placed(np.array([[32.0, 32.0]]), np.array([20.0]), np.array([0.3]), np.array([1.0]))
    light = expected_counts(made, one, np.random.default_rng(0))
    assert light[32, 32] / light[2, 2] == pytest.approx(np.exp(-20 / 50), rel=1e-12)
    # All of it: the area of the square times the density, to the part of a pixel that an edge covers.
    assert -np.log(light / 300.0).sum() == pytest.approx((20 / 0.5) ** 2 * 20 / 50, rel=0.01)


def test_bright_crystals_are_known_as_such():
    _, _, image = taken(4, **SMALL)
    turned = make_image(600.0 - image.signal.values, 0.5, units="1")
    found = tem.fit(turned, scale_error=0.0)
    assert found.extra["image"]["polarity"] == "bright"
    assert found["mean_edge"].value == pytest.approx(fitted(4, **SMALL)["mean_edge"].value, rel=0.02)


def test_the_scale_moves_all_sizes_together():
    _, _, image = taken(4, **SMALL)
    alone = fitted(4, **SMALL)
    given = tem.fit(image, scale="1.0 nm/px", scale_error=0.05)
    assert given["mean_edge"].value == pytest.approx(2 * alone["mean_edge"].value, rel=1e-3)
    assert given["mean_edge"].std == pytest.approx(
        np.hypot(2 * alone["mean_edge"].std, 0.05 * given["mean_edge"].value), rel=0.01
    )
    assert given.correlation("mean_edge", "volume_mean_edge") > 0.98
    assert any("that of the scale" in note for note in given.notes)


def test_what_was_counted_is_drawn():
    found = fitted(4, **SMALL)
    (drawn,) = found.pictures
    measured = next(lines for label, lines in drawn.lines.items() if label.startswith("measured"))
    assert int(np.isnan(measured[:, 0]).sum()) == found["counted"].value
    assert np.nanmax(measured) < 640 * 0.5
    assert drawn.unit == "nm"


def test_weighted_means_are_those_of_the_law():
    """Truth: moments of a normal law, <D^4>/<D^3> = (m^4 + 6 m^2 s^2 + 3 s^4) / (m^3 + 3 m s^2)."""
    found = fitted(4, **SMALL)
    m, s = found["mean_edge"].value, found["std_edge"].value
    means = tem.weighted_means(found)
    if found.extra["law"] == "normal":
        assert means.volume_nm == pytest.approx((m**4 + 6 * m**2 * s**2 + 3 * s**4) / (m**3 + 3 * m * s**2), rel=1e-12)
    else:
        assert means.volume_nm == pytest.approx(m * (1 + s**2 / m**2) ** 3, rel=1e-12)
    assert means.number_nm == m
    assert means.column_nm == means.volume_nm  # cubes
    assert means.std_nm[0] == pytest.approx(found["mean_edge"].std)
    assert np.all(np.linalg.eigvalsh(means.covariance_nm2) > -1e-12)


def test_more_crystals_are_asked_for_by_their_width():
    """Truth: the error of a mean of n is s / n^(1/2)."""
    found = tem.fit(taken(4, **SMALL)[2], wanted=0.005)
    ratio = found["std_edge"].value / found["mean_edge"].value
    assert found["needed"].value == pytest.approx((ratio / 0.005) ** 2)


def test_a_histogram_of_sizes_is_fitted_too():
    from perolas.core.measurement import simulate as draw
    from perolas.core.parameter import replace

    truth = replace(tem.example(), chance=np.ones_like(np.asarray(tem.example().chance)))
    found = tem.fit(draw(truth, seed=2), scale_error=0.0)
    assert abs(found["mean_edge"].value - 20.0) < 3 * found["mean_edge"].std
    assert found["counted"].value == pytest.approx(400, abs=80)


def refuse(signal, **options):
    with pytest.raises(InputError) as caught:
        tem.fit(make_image(signal, options.pop("pixel", 0.5), units="1"), **options)
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    return said


def test_images_that_show_nothing():
    noise = np.random.default_rng(1).normal(200, 10, (256, 256))
    picture = taken(4, **SMALL)[2].signal.values
    assert "blank" in refuse(np.full((64, 64), 7.0))
    assert "saturated" in refuse(np.minimum(picture, 260.0))
    assert "saturated" in refuse(np.where(picture > 250, 1.0, 0.0))
    assert "32 x 32" in refuse(noise[:20])
    assert "scale" in refuse(picture, pixel=None)
    assert any(word in refuse(noise) for word in ("size law", "stand out"))
    smooth = np.random.default_rng(2).poisson(200 + np.linspace(0, 100, 256)[None, :] + np.zeros((256, 1)))
    refuse(smooth.astype(float))


def test_scales_that_cannot_be():
    picture = taken(4, **SMALL)[2].signal.values
    assert "check the scale" in refuse(picture, scale="500 nm/px")
    assert "check the scale" in refuse(picture, scale="0.0005 nm/px")
    with pytest.raises(InputError, match="must be the size of a pixel"):
        tem.fit(taken(4, **SMALL)[2], scale="big")
    crop = picture[100:140, 100:140]
    assert any(word in refuse(crop) for word in ("size law", "stand out"))


def test_crystals_of_three_pixels_are_refused():
    made = Scene(pixels=(256, 256), pixel_nm=7.0, particles=300.0, blur_nm=3.0, overlap=0.0, grain=0.0)
    chance = np.random.default_rng(3)
    image = make_image(chance.poisson(expected_counts(made, place(made, chance), chance)), 7.0)
    found = tem.fit(image)
    assert {"mean_edge", "std_edge", "volume_mean_edge"} <= set(found.undetermined)
    assert "pixels wide" in found.warnings[0]
    assert found["number"].value > 100
    with pytest.raises(InputError, match="no size law"):
        tem.weighted_means(found)


def test_bad_options():
    image = taken(4, **SMALL)[2]
    for options in (
        {"shape": "pyramid"},
        {"law": "gamma"},
        {"polarity": "grey"},
        {"wanted": 0.0},
        {"scale_error": -1.0},
    ):
        with pytest.raises(InputError):
            tem.fit(image, **options)
    for options in (
        {"pixels": 8},
        {"overlap": 2.0},
        {"contrast": 1.5},
        {"counts": 0},
        {"scale": "x"},
        {"particles": 1e9},
    ):
        with pytest.raises(InputError):
            tem.simulate(**options)
    from perolas.core.observation import make_observation

    with pytest.raises(InputError, match="edge_nm"):
        tem.fit(make_observation([1.0, 2.0, 3.0], "time_ns", [1.0, 2.0, 3.0]))


# Kinds of images that one setting must serve.
KINDS = {
    "plain": {},
    "any overlap": {"overlap": 1.0},
    "no overlap": {"overlap": 0.0, "particles": 150.0},
    "crowded": {"particles": 220.0},
    "few electrons": {"dose": 40.0},
    "rough support": {"grain": 0.05},
    "much dirt": {"clutter": 0.06},
    "narrow law": {"size_std_nm": 1.0},
    "broad law": {"size_law": "lognormal", "size_std_nm": 3.5},
    "small crystals": {"size_nm": 12.0, "size_std_nm": 1.4, "particles": 250.0},
    "coarse": {"pixel_nm": 0.8, "particles": 250.0},
    "spheres": {"shape": "sphere"},
}


@pytest.mark.full
@pytest.mark.parametrize("name", KINDS)
def test_pulls_over_many_images(name):
    """Truth: what was drawn. Means within 3 %, numbers within 5 % on average; errors that are honest or too large."""
    scene = KINDS[name]
    shift, pull, count, count_pull = [], [], [], []
    for seed in range(8):
        chance = np.random.default_rng(500 + seed)
        made = Scene(**scene)
        placed = place(made, chance)
        image = make_image(chance.poisson(expected_counts(made, placed, chance)), made.pixel_nm)
        found = tem.fit(image, scale_error=0.0)
        mean, number = found["mean_edge"], found["particles"]
        true = placed.inside(made.pixels).sum()
        shift.append(mean.value / made.size_nm - 1)
        pull.append((mean.value - made.size_nm) / mean.std)
        count.append(number.value / true - 1)
        count_pull.append((number.value - true) / number.std)
    assert abs(np.mean(shift)) < 0.03
    assert abs(np.mean(count)) < 0.05
    # 8 images: the mean of honest pulls scatters by 0.35, their spread by 0.25.
    assert abs(np.mean(pull)) < 1.2
    assert np.std(pull) < 1.8
    assert abs(np.mean(count_pull)) < 1.5
    assert np.std(count_pull) < 1.9
