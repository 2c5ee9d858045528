import base64
import io

import numpy as np
from PIL import Image

from perolas.core import picture
from perolas.core.observation import make_image, make_observation
from perolas.core.picture import Picture
from perolas.report import figures, page, pictures

SQUARE = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 1.0]])


def some() -> Picture:
    return Picture("counted: $2_x$", np.random.default_rng(0).random((40, 60)), 0.1, "nm", {"a <b>": SQUARE})


def test_the_page_shows_pictures_beside_plots(tmp_path):
    data = picture.put(make_observation([1.0, 2.0, 3.0], "energy_ev", [1.0, 2.0, 3.0]), [some(), some()])
    (tmp_path / "data").mkdir()
    data.to_netcdf(tmp_path / "data" / "one.nc", engine="h5netcdf")
    make_image(np.ones((8, 8)), 0.1).to_netcdf(tmp_path / "data" / "two.nc", engine="h5netcdf")
    items = [{"name": n, "dataset": f"data/{n}.nc"} for n in ("one", "two")]
    shown = page.render({"items": items}, tmp_path)
    assert shown.count("<img src=") == 3
    assert "there is no plot" not in shown
    assert shown == page.render({"items": items}, tmp_path)  # the same input, the same bytes


def test_a_large_image_is_thinned():
    uri = pictures.data_uri(Picture("", np.random.default_rng(0).random((3000, 3000))))
    raw = base64.b64decode(uri.partition(",")[2])
    assert len(raw) < 2e6
    assert max(Image.open(io.BytesIO(raw)).size) < 1300


def test_figures_hold_pictures_with_and_without_a_signal(tmp_path):
    alone = picture.put(make_image(np.ones((8, 8)), 0.1), [some()])
    both = picture.put(make_observation([1.0, 2.0, 3.0], "energy_ev", [1.0, 2.0, 3.0]), [some(), some()])
    for name, data in (("alone", alone), ("both", both)):
        path = figures.save(data, None, tmp_path / f"{name}.png", title="a $ b")
        assert min(Image.open(path).size) > 500
