"""A step that inverts several measurements of one specimen together."""

import pytest

from perolas.core.errors import InputError
from perolas.study import run as engine

STUDY = """[study]
id = "joint"
title = "One specimen, two measurements"
seed = 5
[specimen.sample]
phases = "CsPbBr3"
size = "20 nm"
trap_ratio = 2.0
[[measurement]]
name = "first"
technique = "trpl"
simulate = true
specimen = "sample"
options = { irf_fwhm = "1 ns", components = "2", counts = 3000, bins = 512, bin_width = "1 ns" }
[[measurement]]
name = "second"
technique = "trpl"
simulate = true
specimen = "sample"
options = { irf_fwhm = "1 ns", components = "2", counts = 30000, bins = 512, bin_width = "1 ns" }
[[step]]
name = "both"
kind = "joint"
measurements = ["first", "second"]
specimen = { phases = "CsPbBr3", size = "20 nm" }
vary = ["trap_ratio"]
"""


def run(folder, text):
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return {item["name"]: item for item in engine.run(folder / "study.toml", folder / "out")["items"]}


@pytest.mark.full
def test_two_decays_share_one_specimen(tmp_path):
    step = run(tmp_path, STUDY)["both"]
    assert step["status"] == "done", step["error"]
    q = step["quantities"]
    # Truth: the specimen that both decays were simulated from.
    assert abs(q["trap_ratio"]["value"] - 2.0) < 4 * q["trap_ratio"]["std"] < 0.2
    assert q["agreement"]["value"] > 1e-3
    # Truth: ten times the counts are ten times the information.
    ratio = q["trap_ratio_share_second"]["value"] / q["trap_ratio_share_first"]["value"]
    assert 8 < ratio < 12


def test_unknown_measurements_are_refused_before_any_work(tmp_path):
    with pytest.raises(InputError, match="third"):
        run(tmp_path, STUDY.replace('measurements = ["first", "second"]', 'measurements = ["first", "third"]'))
