"""Figures that a study asks for, and the page of its claims: what is drawn is what was found."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import xarray as xr

from perolas.report import page, panels, summary
from perolas.study.run import run

STUDY = """
[study]
id = "few"
title = "A few numbers, one of which has $ in its name"
[[step]]
name = "s"
kind = "arithmetic"
[step.given]
a = "2.0 +- 0.1 eV"
b = "3 eV"
[step.quantities]
low = { expression = "a", unit = "eV" }
high = { expression = "b", unit = "eV" }
[[measurement]]
name = "m"
technique = "xps"
file = "none.vms"
[[claim]]
id = "c"
text = "low is 2 eV"
value = 2
unit = "eV"
tolerance = 0.1
quantity = "s.low"
[[claim]]
id = "d"
text = "high is below 1 eV"
value = 1
unit = "eV"
relation = "<"
quantity = "s.high"
[[figure]]
name = "one"
title = "Two numbers"
[[figure.panel]]
quantities = ["s.low", "s.high"]
labels = ["low", "high $"]
stated = ["1900 meV", ""]
unit = "eV"
[[figure.panel]]
signals = ["m"]
"""


@pytest.fixture
def found(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY, encoding="utf-8")
    (tmp_path / "none.vms").write_text("no spectrum", encoding="utf-8")
    return run(file, tmp_path / "out", data=tmp_path, report=page.write), tmp_path / "out"


def test_numbers_of_a_panel_are_those_of_the_study(found):
    """Truth: the study's own numbers in the panel's unit."""
    (figure,) = found[0]["figures"]
    low, high = figure["panels"][0]["numbers"]
    assert (low["label"], low["value"], low["std"]) == ("low", pytest.approx(2.0), pytest.approx(0.1))
    assert low["stated"] == pytest.approx(1.9)
    assert (high["value"], high["stated"]) == (pytest.approx(3.0), None)


def test_the_page_has_the_figure_and_a_page_of_claims(found):
    html = (found[1] / "report.html").read_text(encoding="utf-8")
    assert html.count('<figure class="panels">') == 1
    start = html.index('<img src="data:image/png;base64,') + len('<img src="data:image/png;base64,')
    assert base64.b64decode(html[start : html.index('"', start)])[:8] == b"\x89PNG\r\n\x1a\n"
    assert (found[1] / "summary.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_points_and_stated_values_lie_where_the_numbers_are(found):
    """Truth: the numbers of the study; the second panel's measurement failed, and says so."""
    drawn = panels.draw(found[0]["figures"][0], lambda name, key: None)
    first, second = drawn.axes
    points = {tuple(np.round(np.asarray(line.get_xdata(), float), 9)) for line in first.get_lines()}
    assert {(2.0,), (3.0,), (1.9,)} <= points
    assert [t.get_text() for t in second.texts] == ["no result"]


def test_curves_have_their_band_and_marks():
    """Truth: the arrays that go in."""
    at, curve = np.array([[1.0, 10.0, 100.0]]), np.arange(15.0).reshape(1, 5, 3)
    data = xr.Dataset(
        {"curve": (("run", "percentile", "point"), curve), "at": (("run", "point"), at)},
        attrs={"plot": "curves", "runs": json.dumps(["r"]), "x_label": "time (h)", "y_label": "y"},
    )
    panel = {"curves": "s", "runs": [], "marks": [{"at": 5.0, "text": "there", "along": "x"}]}
    (axes,) = panels.draw({"panels": [panel]}, lambda name, key: data).axes
    median = next(line for line in axes.get_lines() if line.get_label() == "r")
    np.testing.assert_array_equal(median.get_ydata(), curve[0, 2])
    assert axes.get_xscale() == "log"
    assert [t.get_text() for t in axes.texts] == ["there"]


def test_signals_are_stacked_each_over_its_highest():
    """Truth: two signals of heights 10 and 1000 are drawn alike, 1.15 apart."""
    x = np.linspace(0.0, 1.0, 11)
    data = {
        name: xr.Dataset({"signal": ("energy_ev", h * x, {"units": "counts"})}, coords={"energy_ev": ("energy_ev", x)})
        for name, h in (("a", 10.0), ("b", 1000.0))
    }
    (axes,) = panels.draw({"panels": [{"signals": ["a", "b"]}]}, lambda name, key: data[name]).axes
    low, high = (line.get_ydata() for line in axes.get_lines())
    np.testing.assert_allclose(low, x, atol=1e-12)
    np.testing.assert_allclose(high, 1.15 + x, atol=1e-12)


def test_the_page_of_claims_is_the_same_bytes_again(found):
    claims, study = found[0]["claims"], found[0]["study"]
    assert summary.png(study, claims) == summary.png(study, claims) == (found[1] / "summary.png").read_bytes()
    assert summary.png(study, claims[:1]) != summary.png(study, claims)


def test_a_page_that_stands_is_not_drawn_again(found):
    """Truth: the file's own time; it is drawn again where it was changed, or where a claim came out otherwise."""
    result, out = found
    before = (out / "report.html").stat().st_mtime_ns
    page.write(result, out)
    assert (out / "report.html").stat().st_mtime_ns == before
    (out / "report.html").write_text("cut", encoding="utf-8")
    page.write(result, out)
    whole = (out / "report.html").read_bytes()
    assert len(whole) > 10_000
    page.write({**result, "claims": result["claims"][:1]}, out)
    assert (out / "report.html").read_bytes() != whole
