import io

import numpy as np
import pytest
import xarray as xr

from perolas.core import picture
from perolas.core.errors import InputError
from perolas.core.observation import is_image, make_image, pixel_nm
from perolas.core.picture import Picture


def test_pictures_survive_a_dataset_and_a_file():
    outline = np.array([[0.0, 0.0], [1.0, 2.0], [np.nan, np.nan], [3.0, 1.0]])
    one = Picture("found", np.arange(12.0).reshape(3, 4), 0.5, "nm", {"counted": outline, "cut": np.empty((0, 2))})
    two = Picture("FFT", np.eye(4), 0.1, "1/nm", marks={"spots": np.array([[0.1, 0.2]])}, centred=True)
    kept = io.BytesIO()
    picture.put(xr.Dataset(), (one, two)).to_netcdf(kept, engine="h5netcdf")
    back = picture.take(xr.load_dataset(io.BytesIO(kept.getvalue()), engine="h5netcdf"))
    assert [p.title for p in back] == ["found", "FFT"]
    np.testing.assert_array_equal(back[0].image, one.image)
    np.testing.assert_array_equal(back[0].lines["counted"], outline)
    assert set(back[0].lines) == {"counted"}  # an empty one shows nothing
    assert back[1].marks["spots"].shape == (1, 2)
    assert back[1].centred
    assert back[1].unit == "1/nm"


def test_extents_put_pixels_where_they_are():
    assert Picture("", np.zeros((2, 4)), 0.5).extent == (0.0, 2.0, 1.0, 0.0)
    left, right, bottom, top = Picture("", np.zeros((4, 4)), 1.0, centred=True).extent
    # The centre of pixel (ny // 2, nx // 2) = (2, 2) is the origin.
    assert left + 2.5 == 0.0
    assert top - 2.5 == 0.0
    assert (right, bottom) == (1.5, -1.5)


def test_images_are_observations():
    known = make_image(np.ones((3, 5)), 0.02)
    assert is_image(known)
    assert pixel_nm(known) == pytest.approx(0.02, rel=1e-12)
    assert known["x_nm"].values[0] == pytest.approx(0.01)
    assert pixel_nm(make_image(np.ones((3, 5)), units="1")) is None


@pytest.mark.parametrize(
    ("signal", "pixel", "sentence"),
    [
        (np.ones(5), 0.1, "rows and columns"),
        (np.ones((1, 5)), 0.1, "rows and columns"),
        (np.ones((3, 5)), -0.1, "positive"),
        (np.full((3, 5), np.nan), 0.1, "not numbers"),
        (np.full((3, 5), -1.0), 0.1, "negative"),
    ],
)
def test_bad_images_are_one_sentence(signal, pixel, sentence):
    with pytest.raises(InputError, match=sentence):
        make_image(signal, pixel)
