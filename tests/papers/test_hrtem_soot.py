"""Soot (Cambridge fringe-mapping example, ucam-ceb-como/HRTEMFringeMapping, MIT): layers of carbon, and no crystal.

The known answer is physical: turbostratic layers 0.34 to 0.40 nm apart, in every direction: a ring. No phase of the
library may be named. The scale, 18.019 pixels for a nanometre, is the authors' own file beside the image.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.io import loadmat

from perolas.measurements import hrtem
from perolas.study.single import read


@pytest.mark.parametrize("box", [None, "0 0 256 256", "128 128 384 384"])
def test_no_crystal_is_claimed_and_the_ring_is_that_of_the_layers(data_dir: Path, box: str | None) -> None:
    per_nm = float(loadmat(data_dir / "tem" / "ExampleImage_px-nm.mat")["px_nm"].item())
    image = read(data_dir / "tem" / "ExampleImage.tif", "hrtem")
    found = hrtem.fit(image, scale=f"{per_nm} px/nm", box=box)
    ring, spots = found.extra["ring"], found.extra["spots"]
    if ring is not None:
        assert 0.33 < ring["d_nm"] < 0.42
    if box is None:
        assert spots == []
        assert ring is not None
        assert "No lattice spots" in found.notes[0]
        return
    # A part may hold a packet of layers that lie one way: spots, at the distance of layers, which name no phase.
    assert all(0.33 < s["d_nm"] < 0.43 for s in spots)
    if spots:
        assert found.extra["odds"]["decided"] is None
