"""Fits of simulated patterns against the specimens that made them, and bad input: a sentence each."""

from __future__ import annotations

import json

import numpy as np
import pytest

from perolas.core.errors import FitError, InputError
from perolas.core.observation import make_observation
from perolas.matter.specimen import Specimen
from perolas.measurements import xrd
from perolas.measurements.registry import convert_options, technique
from perolas.study import single

PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr")
LAB6 = """data_lab6
_cell_length_a 4.157
_cell_length_b 4.157
_cell_length_c 4.157
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""


@pytest.fixture(scope="module")
def mixture():
    specimen = Specimen.of(dict(zip(PHASES, (0.5, 0.4, 0.3), strict=True)), size_nm=20.0, strain=0.002)
    return specimen, xrd.simulate(specimen, seed=1, span=(11.0, 36.0), step=0.04)


@pytest.fixture(scope="module")
def fitted(mixture):
    return xrd.fit(mixture[1], phases=PHASES)


def test_a_mixture_gives_back_its_specimen(mixture, fitted):
    """The truth is the specimen: within four standard errors each."""
    specimen = mixture[0]
    assert fitted.result == "converged"
    assert abs(float(fitted.chi2_reduced) - 1) < 5 * np.sqrt(2 / fitted.n_points)
    mass = np.asarray(specimen.mass_fractions())
    for name, place in zip(PHASES, (0, 1, 5), strict=True):
        found = fitted[f"weight_fraction_{name}"]
        assert abs(found.value - mass[place]) < 4 * found.std
        size = fitted[f"crystallite_size_{name}"]
        assert abs(size.value - 20.0 * (1 + 6 * 0.01 + 3e-4) / (1 + 3 * 0.01)) < 4 * size.std
    cell = fitted["cell_a_CsBr"]
    assert abs(cell.value - 0.42953 * 1.002) < 4 * cell.std
    assert not fitted.extra["foreign_lines"]
    assert fitted.undetermined == []


def test_names_of_quantities_are_stable(fitted):
    expected = {"displacement", "cell_c_Cs4PbBr6", "cell_b_CsPbBr3", "cell_volume_CsBr", "detection_limit_CsPbBr3"}
    assert expected <= set(fitted.quantities)
    assert json.loads(json.dumps(fitted.to_json()))["extra"]["lines"]["CsBr"] > 1
    assert "microstrain_CsBr" in fitted.fixed
    assert "Wavelength 0.1540593 and 0.1544427 nm" in fitted.notes[0]


@pytest.mark.full
def test_an_absent_phase_is_below_its_limit_and_a_hidden_one_is_foreign(mixture):
    """CsPb2Br5 is not in the sample; in another sample it is, but is not named."""
    found = xrd.fit(mixture[1], phases=(*PHASES, "CsPb2Br5"))
    fraction, limit = found["weight_fraction_CsPb2Br5"].value, found["detection_limit_CsPb2Br5"].value
    assert fraction < limit
    assert limit < 0.02
    pair = xrd.fit(mixture[1], phases=("Cs4PbBr6", "CsPbBr3"))
    assert float(pair.chi2_reduced) > 1.5
    assert any("reduced chi-square" in w for w in pair.warnings)
    single_phase = xrd.simulate(Specimen.of({"CsBr": 1, "CsPb2Br5": 1}), seed=4, span=(11.0, 32.0), step=0.04)
    alone = xrd.fit(single_phase, phases=("CsBr",))
    near = [line["two_theta_deg"] for line in alone.extra["foreign_lines"]]
    # parameters.md, section 1: CsPb2Br5 has lines at 11.60 and 23.99 degrees
    assert any(abs(t - 11.60) < 0.2 for t in near)
    assert any("none of the phases explains" in w for w in alone.warnings)


@pytest.mark.full
def test_texture_is_recovered():
    axis = np.arange(12.0, 46.0, 0.04)
    truth = xrd.pattern(
        [xrd.phase("CsPbBr3_cubic")], axis, area=[400.0], march=[0.6], crystallite_nm=[25.0], background=[30.0],
        texture={"CsPbBr3_cubic": (1, 0, 0)},
    )  # fmt: skip
    counts = np.random.default_rng(3).poisson(np.asarray(truth.expected()))
    data = make_observation(counts, "two_theta_deg", axis, conditions={"anode": "Cu"})
    found = xrd.fit(data, phases=["CsPbBr3_cubic"], texture=["CsPbBr3_cubic=100"])
    march = found["march_CsPbBr3_cubic"]
    assert abs(march.value - 0.6) < 4 * march.std
    assert march.std < 0.02


@pytest.mark.full
def test_an_instrument_goes_to_a_file_and_back(tmp_path, mixture):
    path = tmp_path / "instrument.json"
    machine = xrd.Instrument(caglioti_w=0.01, axial=0.02, radius_mm=173.0)
    machine.save(path)
    assert xrd.Instrument.load(path) == machine
    found = xrd.fit(
        mixture[1], phases=PHASES, instrument=path, fix=["crystallite_size"], save_instrument=tmp_path / "b"
    )
    assert found.fixed["caglioti_w"].value == 0.01
    assert xrd.Instrument.load(tmp_path / "b").radius_mm == 173.0
    for text, sentence in (
        ("no json", "is no JSON"),
        ("[1, 2]", "holds no instrument"),
        ("{}", "holds no instrument"),
        ('{"caglioti_w": "wide"}', "no number"),
        ('{"radius_mm": NaN}', "radius_mm"),
        ('{"wavelengths_nm": [1e9]}', "wavelength must lie between"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=sentence):
            xrd.Instrument.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        xrd.Instrument.load(tmp_path / "absent.json")


def data(counts=None, **conditions):
    axis = np.linspace(20, 40, 401)
    values = np.full(401, 50.0) + np.arange(401) % 3 if counts is None else counts
    return make_observation(values, "two_theta_deg", axis, conditions=conditions)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Name the phases"),
        ({"phases": ["CsPbBr4"]}, 'did you mean "CsPbBr3"'),
        ({"phases": ["CsBr"]}, "does not say the wavelength"),
        ({"phases": ["CsBr"], "anode": "Xx"}, 'The anode "Xx" is not known'),
        ({"phases": ["CsBr"], "wavelength": 5.0}, "wavelength must lie between"),
        ({"phases": ["CsBr"], "wavelength": -0.1}, "must be positive"),
        ({"phases": ["CsBr"], "anode": "Cu", "window": (50.0, 60.0)}, "Only 0 points"),
        ({"phases": ["CsBr"], "anode": "Cu", "window": (22.0, 27.0)}, '"CsBr" has no line between'),
        ({"phases": ["CsBr"], "anode": "Cu", "background": "many"}, "must be"),
        ({"phases": ["CsBr"], "anode": "Cu", "texture": ["CsBr"]}, "PHASE=HKL"),
        ({"phases": ["CsBr"], "anode": "Cu", "texture": ["CsBr=0"]}, "no Miller indices"),
        ({"phases": ["CsBr"], "anode": "Cu", "radius": 0.0}, "must be positive"),
        ({"phases": ["CsBr"], "anode": "Cu", "guess": {"size": 3.0}}, "start value"),
        ({"cif": "nowhere.cif", "anode": "Cu"}, "nowhere.cif"),
    ],
)
def test_bad_options_are_a_sentence(options, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        xrd.fit(data(), **options)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (np.zeros(401), "is empty"),
        (np.full(401, 7.0), "is flat"),
        (np.full((2, 401), 7.0), "There are 2 patterns"),
    ],
)
def test_bad_patterns_are_a_sentence(counts, sentence):
    with pytest.raises(InputError, match=sentence):
        xrd.fit(data(counts, anode="Cu"), phases=["CsBr"])


@pytest.mark.parametrize(("bad", "sentence"), [(np.nan, "not numbers"), (-1.0, "negative")])
def test_counts_that_are_none_are_a_sentence(bad, sentence):
    """Also where somebody changed an observation after it was made."""
    broken = data(anode="Cu")
    broken["signal"].values[7] = bad
    with pytest.raises(InputError, match=sentence):
        xrd.fit(broken, phases=["CsBr"])


def test_other_axes_and_other_files_are_refused(tmp_path):
    other = make_observation(np.arange(50.0), "wavelength_nm", np.arange(50.0) + 1)
    with pytest.raises(InputError, match='needs the axis "two_theta_deg"'):
        xrd.fit(other, phases=["CsBr"], anode="Cu")
    bare = tmp_path / "bare.cif"
    bare.write_text(LAB6)
    with pytest.raises(InputError, match="lists no atoms"):
        xrd.fit(data(anode="Cu"), cif=bare)
    empty = tmp_path / "folder"
    empty.mkdir()
    with pytest.raises(InputError, match="holds no CIF"):
        xrd.fit(data(anode="Cu"), cif=empty)


@pytest.mark.full
def test_a_cif_is_a_phase_named_after_its_file(tmp_path):
    path = tmp_path / "LaB6 (mine).cif"
    path.write_text(LAB6 + "La La 0 0 0\nB B 0.5 0.5 0.2\n")
    made = xrd.simulate(cif=path, seed=2, span=(20.0, 60.0), step=0.05)
    found = xrd.fit(made, cif=path)
    cell = found["cell_a_LaB6--mine"]
    assert abs(cell.value - 0.4157) < 4 * cell.std


@pytest.mark.full
def test_wrong_phases_are_a_sentence():
    """A pattern of sharp foreign lines only: whatever becomes of the fit, the reader is told what is wrong."""
    axis = np.linspace(20.0, 45.0, 501)
    lines = sum(5000 * np.exp(-(((axis - x) / 0.08) ** 2)) for x in (24.6, 33.3, 41.7))
    pattern = make_observation(
        np.random.default_rng(1).poisson(50 + lines), "two_theta_deg", axis, conditions={"anode": "Cu"}
    )
    try:
        said = " ".join(xrd.fit(pattern, phases=["CsBr"]).warnings)
    except FitError as error:
        said = str(error)
    assert "none of the phases explains" in said or "do not describe this pattern" in said
    assert "33.3" in said


def test_options_are_converted_at_the_door():
    found = convert_options(
        technique("xrd"), {"phases": "CsBr, CsPbBr3", "wavelength": "0.71 angstrom", "span": "10 40"}
    )
    assert found == {"phases": ("CsBr", "CsPbBr3"), "wavelength": pytest.approx(0.071), "span": (10.0, 40.0)}
    with pytest.raises(InputError, match="no observation"):
        single.fit(data(anode="Cu"), "xrd", cif=data())


def test_bad_simulations_are_a_sentence():
    for options, sentence in (
        ({"span": (10.0, 190.0)}, "cannot be simulated"),
        ({"step": 1e-9}, "cannot be simulated"),
        ({"counts": -1}, "must be positive"),
        ({"parameters": {"tau": 1}}, "is not known"),
    ):
        with pytest.raises(InputError, match=sentence):
            xrd.simulate(**options)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 8))
def test_a_phase_too_faint_for_a_cell_does_not_stop_the_fit(seed):
    """Truth: 0.04 % by weight, half of its limit; a cell and a size of its own would not settle there."""
    share = 0.001
    amounts = {"Cs4PbBr6": 1 - share, "CsPbBr3": share, "CsBr": 3 * share}
    options = {"phases": ["Cs4PbBr6", "CsPbBr3", "CsBr"], "span": (10, 50), "counts": 1e4}
    found = single.fit(
        single.simulate("xrd", Specimen.of(amounts), seed=seed, **options), "xrd", phases=options["phases"]
    )
    assert found.result == "converged"
    fraction = found["weight_fraction_CsPbBr3"]
    assert abs(fraction.value - 0.00042) < 4 * max(fraction.std, 0.0002)
