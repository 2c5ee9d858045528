"""Raman spectra fitted: simulated ones with a known answer, series, filters, silicon, and files of instruments."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.measurement import simulate as draw
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.io import read
from perolas.matter.specimen import Specimen
from perolas.measurements import raman
from perolas.measurements.raman.model import looking_at, of_phases
from perolas.measurements.raman.series import fit_series

PLACES = "63 77 118"


@pytest.fixture(scope="module")
def drifted():
    """A spectrum whose axis moved by -0.125 nm since an earlier one, compared with it."""
    before = raman.simulate(seed=1, counts=2e4)
    return raman.fit(raman.simulate(seed=2, counts=2e4, drift=-0.125), lines=PLACES, compare=before)


def test_a_drift_is_read_as_one(drifted):
    """Truth: what was simulated: -0.125 nm, 1e7 dl / l^2 = 2.008, 2.004 and 1.991 cm-1; no strain."""
    for i, shift in enumerate((-2.008, -2.004, -1.991)):
        found = drifted[f"shift_{i + 1}"]
        assert abs(found.value - shift) < 4 * found.std
        assert found.std < 0.05
    assert abs(drifted["drift"].value + 0.125) < 4 * drifted["drift"].std
    assert drifted["probability_drift"].value > 0.9
    assert any("do not show a strain" in n or "drift is the better" in n for n in drifted.notes)
    assert [r["hypothesis"] for r in drifted.extra["drift_or_strain"]] == ["nothing", "drift", "strain", "both"]
    assert abs(drifted["ratio_change_2"].value) < 4 * drifted["ratio_change_2"].std


def test_the_estimate_says_what_it_could_have_seen(drifted):
    """Truth: 3.29 sqrt(2) standard errors; the shared error of the axis is in positions alone."""
    assert drifted["shift_limit_1"].value == pytest.approx(3.29 * 2**0.5 * drifted["shift_1"].std / 2**0.5, rel=0.2)
    # 0.03 nm at 785 nm: 0.48 cm-1.
    assert drifted["position_1"].std == pytest.approx(1e7 * 0.03 / 789.6**2, rel=0.02)
    assert drifted.correlation("position_1", "position_2") > 0.99
    assert any("95 %" in n for n in drifted.notes)
    assert drifted["area_ratio_2"].value == pytest.approx(1.54, abs=4 * drifted["area_ratio_2"].std)
    ratio = drifted["area_ratio_2"].value * drifted_bose(drifted)
    assert drifted["reduced_ratio_2"].value == pytest.approx(ratio, rel=1e-6)


def drifted_bose(estimate):
    """Return what turns the ratio of areas into the reduced one: Bose factors and the cube of the light's frequency."""
    first, second = (estimate[f"position_{i}"].value for i in (1, 2))
    n = [1 / (1 - np.exp(-v / (0.695034800 * 300))) for v in (first, second)]
    light = (1e7 / 785.0 - np.array([first, second])) ** 3
    return n[0] / n[1] * light[0] / light[1]


@pytest.mark.full
def test_strain_is_read_as_strain_by_a_series():
    """Truth: 0, 0.1 and 0.2 % of strain: 63, 77 and 118 cm-1 move by -0.945, -1.155 and -2.124 cm-1 for 0.1 %."""
    each = [
        raman.simulate(Specimen.of("CsPbBr3", strain=s), seed=5 + i, counts=2e4) for i, s in enumerate((0, 1e-3, 2e-3))
    ]
    together = make_observation(
        np.stack([e.signal.values for e in each]), "raman_shift_cm1", each[0].raman_shift_cm1.values,
        conditions={"laser_nm": 785},
    )  # fmt: skip
    found = fit_series(together, [0.0, 10.0, 30.0], lines=PLACES)
    expected = np.outer([0.0, 1.0, 2.0], [-0.945, -1.155, -2.124])
    assert np.all(np.abs(found.shift - expected)[1:] < 4 * found.shift_std[1:])
    assert found.judged[-1].probability["drift"] < 1e-3
    assert found.judged[-1].strain["strain"][0] == pytest.approx(0.002, abs=3 * found.judged[-1].strain["strain"][1])
    data, curves = found.to_dataset(), found.curves("time (min)")
    assert data.probability_drift.values[-1] < 1e-3
    assert curves.curve.shape == (3, 5, 3)
    assert "shift of 63.0" in str(found)
    with pytest.raises(InputError, match="as many rising times"):
        fit_series(together, [0.0, 10.0], lines=PLACES)
    with pytest.raises(InputError, match="2 to 60 spectra"):
        fit_series(each[0], [0.0], lines=PLACES)


@pytest.mark.full
def test_shifts_of_a_series_have_honest_errors():
    """Truth: pulls of the shifts of 30 pairs of spectra have mean 0 and spread 1."""
    model = replace(raman.example(), area=raman.example().area * 0.02, background=raman.example().background * 0.02)
    pulls = []
    for seed in range(30):
        two = draw(model, seed=seed, batch=2)
        found = fit_series(two, [0.0, 1.0], lines=PLACES, resolution=2.0, laser=785.0)
        pulls += (found.shift[1] / found.shift_std[1]).tolist()
    assert abs(np.mean(pulls)) < 4 / np.sqrt(90)
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(180)


@pytest.mark.full
def test_a_filter_in_the_spectrum_does_not_bias_the_lines():
    """Truth: the lines of a simulation whose filter cuts at 60 cm-1; without the filter the first is misread."""
    seen = raman.simulate(seed=3, counts=1e5, edge=60.0)
    found = raman.fit(seen, lines=PLACES, edge=60.0, resolution=2.0, calibration=0.0)
    for i, place in enumerate((63.0, 77.0, 118.0)):
        assert abs(found[f"position_{i + 1}"].value - place) < 4 * found[f"position_{i + 1}"].std
    assert abs(found["edge"].value - 60.0) < 4 * found["edge"].std
    blind = raman.fit(seen, lines=PLACES, resolution=2.0, calibration=0.0)
    assert abs(blind["position_1"].value - 63.0) > 4 * found["position_1"].std


@pytest.mark.full
def test_silicon_calibrates_the_axis():
    """Truth: an axis 0.2 nm off, which is 3.2 cm-1 for the lines of the sample."""
    seen = raman.simulate(seed=4, counts=5e4, silicon=True, drift=0.2)
    found = raman.fit(seen, lines="63 77 118 520", silicon=True, resolution=2.0)
    assert found["axis_offset"].value == pytest.approx(0.2, abs=4 * found["axis_offset"].std)
    for i, place in enumerate((63.0, 77.0, 118.0)):
        assert abs(found[f"position_{i + 1}"].value - place) < 4 * found[f"position_{i + 1}"].std
    assert found["position_1"].std < 0.4


@pytest.mark.full
def test_silicon_in_both_spectra_tells_strain_from_drift_beside_silicon():
    """Truth: what was simulated: 0.2 % of strain, and an axis that drifted by 0.1 nm at the same time."""
    before = raman.simulate(Specimen.of("CsPbBr3"), seed=8, counts=2e4, silicon=True)
    after = raman.simulate(Specimen.of("CsPbBr3", strain=2e-3), seed=9, counts=2e4, silicon=True, drift=0.1)
    found = raman.fit(after, lines="63 77 118 520.5", silicon=True, resolution=2.0, compare=before)
    assert found["probability_both"].value > 0.99
    # Both as the axis states them: silicon by 1e7 * 0.1 / 818.4^2 = 1.49 cm-1.
    assert abs(found["shift_4"].value - 1.493) < 4 * found["shift_4"].std + 0.01


@pytest.mark.full
def test_a_central_peak_is_fitted_where_it_is_said_to_be():
    seen = raman.simulate(seed=6, counts=5e4, central=True)
    found = raman.fit(seen, lines=PLACES, central=True, resolution=2.0, calibration=0.0)
    assert found["central_width"].value == pytest.approx(20.0, abs=4 * found["central_width"].std)
    assert abs(found["position_1"].value - 63.0) < 4 * found["position_1"].std
    assert 0.8 < float(found.chi2_reduced) < 1.3


@pytest.mark.full
def test_auto_finds_the_three_lines_and_no_more():
    found = raman.fit(raman.simulate(seed=1, counts=2e4))
    at = [found[n].value for n in found.names if n.startswith("position_")]
    assert at == pytest.approx([63.0, 77.0, 118.0], abs=0.1)


@pytest.mark.full
def test_a_joint_fit_may_vary_strain_and_share():
    """Truth: the specimen; two phases give shares of areas that are known."""
    model = replace(of_phases(("CsPbBr3",), area=6e4), background=np.array([500.0]))
    state = Specimen.of("CsPbBr3", strain=2e-3)
    from perolas.core.invert import invert

    seen = draw(looking_at(model, state), seed=7)
    law = {"mode_deviation": (0.0, 1.0), "grueneisen_deviation": (0.0, 1.0), "axis_offset": (0.0, 0.03)}
    found = invert(
        model, seen, Specimen.of("CsPbBr3", strain=1e-3), prior=law,
        free=["strain", "area", "fwhm", "background", *law],
    )  # fmt: skip
    assert abs(found["strain"].value - 2e-3) < 4 * found["strain"].std
    # Lines known to 1 cm-1 and Grueneisen parameters to a half: no better than a third of the strain.
    assert found["strain"].std > 3e-4


def test_silicon_of_a_file_in_shifts(data_dir):
    """Truth: silicon lies at 520.5 cm-1; the file's line is 7.5 cm-1 wide as its spectrometer shows it."""
    seen = read(data_dir / "raman" / "Si_spectrum01.txt", axis="raman_shift_cm1")
    found = raman.fit(seen, window=(420.0, 620.0), lines=1, background=1)
    assert found["position_1"].value == pytest.approx(520.5, abs=max(3 * found["position_1"].std, 1.0))
    assert found["fwhm_observed_1"].value == pytest.approx(7.6, abs=0.4)
    assert any("may be the line of silicon" in n for n in found.notes)


@pytest.mark.full
def test_silicon_of_a_witec_file_in_nanometres(data_dir):
    """Truth: silicon lies at 520.5 cm-1; a filter cuts into the laser's light, so the axis is known to some cm-1."""
    seen = read(data_dir / "raman" / "Si-wafer-Raman-Spectrum-1.txt")
    found = raman.fit(seen)
    strongest = max((n for n in found.names if n.startswith("height_")), key=lambda n: found[n].value)
    position = found[strongest.replace("height", "position")]
    assert abs(position.value - 520.5) < 3 * position.std
    assert 3.0 < position.std < 10.0
    calibrated = raman.fit(seen, laser=532.0, lines=1, window=(400.0, 650.0), silicon=True)
    assert calibrated["position_1"].value == pytest.approx(520.5, abs=0.7)
    # The peak's pixel lies at 530.9 cm-1 for a laser of 532 nm: 10.4 cm-1 too much, 0.31 nm.
    assert calibrated["axis_offset"].value == pytest.approx(0.311, abs=0.02)


@pytest.mark.full
def test_carbon_of_a_renishaw_file(data_dir):
    """Truth: D, G and 2D lines of graphitic carbon at 532 nm, 1340-1350, 1580-1590 and 2660-2700 cm-1."""
    found = raman.fit(read(data_dir / "raman" / "sp.wdf"))
    at = np.array([found[n].value for n in found.names if n.startswith("position_")])
    for low, high in ((1330, 1355), (1578, 1592), (2660, 2700)):
        assert np.any((at > low) & (at < high)), (low, high)
    assert found.fitted()[0].laser_nm == pytest.approx(532.25, abs=0.01)
