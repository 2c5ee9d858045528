"""Real files of real instruments, against answers that come from elsewhere (named at each test)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perolas.core.observation import axis_of, conditions_of
from perolas.io import read, read_all


def test_horiba_decay_and_response(data_dir: Path) -> None:
    decay = read(data_dir / "trpl" / "Atto550_DNA.txt")
    response = read(data_dir / "trpl" / "irf.txt", technique="trpl")
    # the header: "Time calibration: 2.743484E-02ns/ch", channels 1 to 4096
    assert decay.sizes["time_ns"] == response.sizes["time_ns"] == 4096
    assert decay.time_ns.values[[0, 1, -1]] == pytest.approx([0, 0.02743484, 4095 * 0.02743484])
    assert decay.signal.attrs["units"] == response.signal.attrs["units"] == "counts"
    assert (decay.attrs["region"], response.attrs["region"]) == ("Decay", "IRF")
    lines = (data_dir / "trpl" / "Atto550_DNA.txt").read_text().splitlines()
    assert decay.signal.values.sum() == sum(int(line.split("\t")[1]) for line in lines[10:] if line)


def test_kratos_regions(data_dir: Path) -> None:
    path = data_dir / "xps" / "single_sample.vms"
    regions = read_all(path)
    assert [r.attrs["region"] for r in regions] == ["wide", "I3d", "Pb4f", "O1s", "N1s", "C 1s", "S 2p", "VBM", "SECO"]
    assert all(r.signal.attrs["units"] == "counts" for r in regions)  # not divided by the transmission column
    lead = read(path, region="Pb 4f")
    energy, counts = lead.binding_energy_ev.values, lead.signal.values
    # SOURCES.md: Pb 4f 7/2 has its maximum at 138.8 eV, 5/2 at 143.6 eV; 130 to 150 eV in steps of 0.2 eV
    assert energy[counts.argmax()] == pytest.approx(138.8, abs=0.01)
    upper = energy > 142
    assert energy[upper][counts[upper].argmax()] == pytest.approx(143.6, abs=0.01)
    assert (energy.min(), energy.max(), len(energy)) == pytest.approx((130, 150, 101))
    assert counts.max() == 157183  # the file's own maximum of the region
    found = conditions_of(lead)
    assert (found["pass_energy_ev"], found["sweeps"], found["work_function_ev"]) == (40.0, 2, -4.5)
    assert found["photon_energy_ev"] == 1486.69


def test_angle_resolved_regions_share_names(data_dir: Path) -> None:
    path = data_dir / "xps" / "ARXPS.vms"
    assert len(read_all(path)) == 15
    assert read(path, region="O 1s #5").signal.values.max() == 2362  # the file's own maximum of its 13th block
    assert conditions_of(read(path, channel=14))["sweeps"] == 1


def test_synchrotron_csv(data_dir: Path) -> None:
    dataset = read(data_dir / "xps" / "clean_Au_4f.csv", axis="binding_energy_ev")
    assert axis_of(dataset) == "kinetic_energy_ev"  # "#E_kin, intensity ..., hv=180eV"
    assert conditions_of(dataset)["photon_energy_ev"] == 180.0
    assert dataset.signal.values[:2].tolist() == [9616, 9581]
    assert dataset.signal.attrs["units"] == "counts"


def test_renishaw_spectrum(data_dir: Path) -> None:
    dataset = read(data_dir / "raman" / "sp.wdf")
    shift, signal = dataset.raman_shift_cm1.values, dataset.signal.values
    # the values that another reader of this very file (in Rust) is tested against
    assert (shift[0], shift[1014]) == (2787.514404296875, 1226.2752685546875)
    assert (signal[0], signal[1014]) == (47.092708587646484, 21.815458297729492)
    assert signal.sum() == pytest.approx(107421.227566, abs=1e-6)
    assert dataset.signal.attrs["units"] == "arb"  # the file says counts, but they are averages
    assert conditions_of(dataset)["laser_nm"] == pytest.approx(1e7 / 18788.16015625)


def test_witec_silicon(data_dir: Path) -> None:
    dataset = read(data_dir / "raman" / "Si-wafer-Raman-Spectrum-1.txt")
    assert axis_of(dataset) == "wavelength_nm"
    assert dataset.sizes["wavelength_nm"] == 1600  # SizeGraph
    wavelength, signal = dataset.wavelength_nm.values, dataset.signal.values
    # silicon's 520.5 cm-1 seen from the laser line (saturated, its middle at 532.45 nm)
    laser = wavelength[signal >= 65535].mean()
    line = wavelength[(wavelength > 540) & (wavelength < 560)][signal[(wavelength > 540) & (wavelength < 560)].argmax()]
    assert 1e7 / laser - 1e7 / line == pytest.approx(520.5, abs=8)


def test_headerless_silicon(data_dir: Path) -> None:
    dataset = read(data_dir / "raman" / "Si_spectrum01.txt", axis="raman_shift_cm1", units="counts")
    beside = dataset.where(dataset.raman_shift_cm1 > 100, drop=True)  # of the laser line
    assert beside.raman_shift_cm1.values[beside.signal.values.argmax()] == pytest.approx(520.5, abs=1)
    assert dataset.signal.attrs["units"] == "arb"  # 574.4 is no count


def test_winspec(data_dir: Path) -> None:
    dataset = read(data_dir / "spectrometer" / "1d-1.spe")
    wavelength = dataset.wavelength_nm.values
    # the calibration points that the file itself carries: pixel 1 -> 515.07908, 670.5 -> 535, 1340 -> 554.64485 nm
    assert wavelength[[0, -1]] == pytest.approx([515.0790773100224, 554.644846922672], abs=1e-9)
    assert wavelength[669:671].mean() == pytest.approx(535.0, abs=1e-6)
    # the data as spexread 0.2.2 reads them
    assert dataset.signal.values[:5].tolist() == [283, 231, 230, 220, 222]
    assert (dataset.signal.values.sum(), dataset.signal.values.argmax()) == (326391, 584)
    assert dataset.signal.attrs["units"] == "counts"
    assert conditions_of(dataset)["exposure_s"] == 5.0


def test_ocean_optics(data_dir: Path) -> None:
    dataset = read(data_dir / "spectrometer" / "OOusb4000.txt")
    # as lightr (R) reads it: 3648 points, 178.65 to 888.37 nm, first 0.000 at 178.65, last -12.792
    assert dataset.wavelength_nm.values[[0, -1]].tolist() == [178.65, 888.37]
    assert dataset.signal.values[[0, 3, -1]].tolist() == [0.0, 93.625, -12.792]
    assert dataset.sizes["wavelength_nm"] == 3648
    assert dataset.signal.attrs["units"] == "arb"


def test_perkin_elmer(data_dir: Path) -> None:
    dataset = read(data_dir / "uvvis" / "Sample5926.Probe.Raw.asc")
    # the header: 111 points from 1900 down by 10 nm, highest 1953.805925, lowest -519.417
    assert dataset.wavelength_nm.values == pytest.approx(np.arange(1900, 799, -10))
    assert (dataset.signal.values.max(), dataset.signal.values.min()) == (1953.805925, -519.417)
    assert dataset.signal.attrs["units"] == "percent"
    assert read(data_dir / "uvvis" / "sphere_test01.Probe.Raw.asc").sizes["wavelength_nm"] == 41


@pytest.mark.parametrize("name", ["Fm-3m__CsAgBiBr_2_2-Theta.xy", "MG1-Cu2O-28_bg_subtracted.xy"])
def test_diffraction_columns(name: str, data_dir: Path) -> None:
    dataset = read(data_dir / "xrd" / name, axis="two_theta_deg")
    subtracted = "subtracted" in name
    assert dataset.signal.attrs["units"] == ("arb" if subtracted else "counts")
    assert dataset.two_theta_deg.values[0] == (10 if subtracted else 5)


def test_powder_patterns(data_dir: Path) -> None:
    """Numbers from the files' own text: first and last angles, points, wavelengths (angstrom there)."""
    folder = data_dir / "xrd"
    xrdml = read(folder / "XRD-918-16_10.xrdml")
    assert xrdml.two_theta_deg.values[[0, -1]] == pytest.approx([4.00656514, 69.99936587])
    assert xrdml.signal.values[:3].tolist() == [1305, 1310, 1345]
    found = conditions_of(xrdml)
    assert (found["wavelength_nm"], found["wavelength2_nm"], found["radius_mm"]) == (0.1540598, 0.1544426, 240.0)
    rasx = read(folder / "TwoTheta_scan_powder.rasx")
    assert rasx.two_theta_deg.values[:2] == pytest.approx([10.0, 10.04])
    assert conditions_of(rasx)["wavelength_nm"] == 0.1540593
    assert "wavelength2_nm" not in conditions_of(rasx)  # behind a Ge(220) monochromator, as the file says
    brml = read(folder / "test.brml")
    assert brml.sizes["two_theta_deg"] == 2443
    assert brml.two_theta_deg.values[:2] == pytest.approx([20, 20.0246])
    assert brml.signal.values[:3].tolist() == [1096, 1150, 1159]
    assert conditions_of(brml)["radius_mm"] == 280.0
    cif = read(folder / "nist_srm660c_100a.cif", channel=0)
    assert cif.sizes["two_theta_deg"] == 5332
    assert cif.signal.values[0] == 19.0
    assert cif.variance.values[0] == pytest.approx(1 / 0.103)
    assert conditions_of(cif) == {"anode": "Cu", "monochromator_deg": 26.6, "radius_mm": 217.5}
    for pattern in (xrdml, rasx, brml, cif):
        assert pattern.attrs["technique"] == "xrd"
