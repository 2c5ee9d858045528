"""The plot of what a step forecasts: every run is there, with its band, under names that cannot harm the page."""

from __future__ import annotations

import base64
import json

import numpy as np
import xarray as xr

from perolas.report import curves


def sample() -> xr.Dataset:
    at = np.stack([np.linspace(0, 10, 5), np.linspace(0, 50, 5)])
    curve = np.stack([np.linspace(0, 1, 25).reshape(5, 5)] * 2)
    return xr.Dataset(
        {"curve": (("run", "percentile", "point"), curve), "at": (("run", "point"), at)},
        attrs={"plot": "curves", "runs": json.dumps(["dark", "<b>lit</b>"]), "x_label": "time (h)", "y_label": "X"},
    )


def test_every_run_has_a_line_and_a_band():
    drawn = curves.plot(sample())
    lines = [t for t in drawn["data"] if "name" in t]
    assert [t["name"] for t in lines] == ["dark", "&lt;b&gt;lit&lt;/b&gt;"]
    assert len(drawn["data"]) == 6
    kind, text = drawn["arrays"]["m0"]
    median = np.frombuffer(base64.b64decode(text), dtype=f"<{kind}")
    np.testing.assert_allclose(median, sample()["curve"].values[0, 2, 1:], rtol=1e-6)  # time 0 has no logarithm
    assert {"arrays", "data", "layout", "ranges", "drawn", "of", "dropped", "decade_ticks"} == set(drawn)
    json.dumps(drawn, allow_nan=False)


def test_only_datasets_that_ask_for_it():
    assert curves.is_curves(sample())
    assert not curves.is_curves(sample().drop_vars("at"))
    assert not curves.is_curves(xr.Dataset({"signal": ("x", [1.0])}))
