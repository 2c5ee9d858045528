"""Every format: a file made by the test comes back with the numbers that went in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from unit.io import io_samples as make

from perolas.core.errors import InputError
from perolas.core.observation import axis_of, conditions_of
from perolas.io import formats, read, read_all


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


EXPECTED = {  # axis, first value, step, unit
    "text": ("wavelength_nm", 500, 1, "counts"),
    "horiba": ("time_ns", 0, 0.5, "counts"),
    "witec": ("wavelength_nm", 530, 0.1, "counts"),
    "ocean-optics": ("wavelength_nm", 400, 1, "counts"),
    "perkin-elmer": ("wavelength_nm", 811, -1, "percent"),
    "vamas": ("binding_energy_ev", 140, -0.2, "counts"),
    "wdf": ("raman_shift_cm1", 600, -200 / 11, "counts"),
    "spe": ("wavelength_nm", 500.5, 0.5, "counts"),
    "spe 3": ("wavelength_nm", 500, 0.5, "counts"),
    "ptu": ("time_ns", 0, 1, "counts"),
    "phu": ("time_ns", 0, 1, "counts"),
    "sdt": ("time_ns", 0, 1, "counts"),
    "netcdf": ("time_ns", 0, 1, "counts"),
    "xrdml": ("two_theta_deg", 10, 0.5, "counts"),
    "rasx": ("two_theta_deg", 10, 0.5, "counts"),
    "brml": ("two_theta_deg", 10, 0.5, "counts"),
    "bruker-raw": ("two_theta_deg", 10, 0.5, "counts"),
    "cif": ("two_theta_deg", 10, 0.5, "counts"),
}


@pytest.mark.parametrize("name", make.SAMPLES)
def test_what_was_written_is_read(name: str, tmp_path: Path) -> None:
    file, maker = make.SAMPLES[name]
    dataset = read(put(tmp_path, file, maker()))
    axis, first, step, unit = EXPECTED[name]
    values = dataset[axis].values
    assert axis_of(dataset) == axis
    assert values[:12] == pytest.approx(first + step * np.arange(12), abs=1e-4)  # wdf stores float32
    offset = 0.5 if name == "perkin-elmer" else 0.0
    assert dataset.signal.values[:12] == pytest.approx(make.DECAY + offset)
    assert not dataset.signal.values[12:].any()  # ptu: empty bins up to the next pulse
    assert dataset.signal.attrs["units"] == unit
    assert dataset.attrs["format"] == name.split()[0]
    assert dataset.attrs["source"] == file
    assert len(dataset.attrs["sha256"]) == 64
    assert str(tmp_path) not in str(dataset.attrs)


@pytest.mark.parametrize("name", make.SAMPLES)
def test_content_decides_not_the_extension(name: str, tmp_path: Path) -> None:
    _, maker = make.SAMPLES[name]
    assert read(put(tmp_path, "renamed.xyz", maker())).attrs["format"] == name.split()[0]


def test_ptu_runs_to_the_next_pulse(tmp_path: Path) -> None:
    assert read(put(tmp_path, "a.ptu", make.ptu())).sizes["time_ns"] == 16  # 16 ns between pulses, bins of 1 ns


@pytest.mark.parametrize(
    ("data", "file", "kind"),
    [
        (make.vamas(("wide", "I 3d", "Pb 4f")), "a.vms", "region"),
        (make.wdf(spectra=3), "a.wdf", "spectrum"),
        (make.spe2(frames=3), "a.spe", "frame"),
        (make.spe3(frames=3), "a.spe", "frame"),
        (make.ptu(channels=3), "a.ptu", "channel"),
        (make.phu(curves=3), "a.phu", "channel"),
        (make.sdt(curves=3), "a.sdt", "block"),
    ],
)
def test_several_signals_are_listed_and_chosen(data: bytes, file: str, kind: str, tmp_path: Path) -> None:
    path = put(tmp_path, file, data)
    every = read_all(path)
    assert len(every) == 3
    with pytest.raises(InputError, match=f"has 3 {kind}s: .*choose one with"):
        read(path)
    np.testing.assert_array_equal(read(path, channel=2).signal, every[2].signal)
    np.testing.assert_array_equal(read(path, region=every[1].attrs["region"]).signal, every[1].signal)
    assert len(read_all(path, channel=1)) == 1
    with pytest.raises(InputError, match=f"no {kind} 7"):
        read(path, channel=7)
    with pytest.raises(InputError, match='called "Xe 9z"; there are: '):
        read(path, region="Xe 9z")


@pytest.mark.parametrize("wanted", ["Pb 4f", "Pb4f", "pb 4F", "PB_4F"])
def test_region_names_are_forgiving(wanted: str, tmp_path: Path) -> None:
    path = put(tmp_path, "a.vms", make.vamas(("I 3d", "Pb 4f")))
    assert read(path, region=wanted).attrs["region"] == "Pb 4f"


def test_a_name_used_twice_must_be_told_apart(tmp_path: Path) -> None:
    path = put(tmp_path, "a.vms", make.vamas(("O 1s", "O 1s", "C 1s")))
    with pytest.raises(InputError, match="2 regions called"):
        read(path, region="O 1s")
    assert read(path, region="O 1s #2").attrs["region"] == "O 1s"


def test_vamas_keeps_counts_and_conditions(tmp_path: Path) -> None:
    path = put(tmp_path, "a.vms", make.vamas())
    found = conditions_of(read(path))
    assert found["photon_energy_ev"] == 1486.69
    assert (found["pass_energy_ev"], found["dwell_s"], found["sweeps"]) == (40.0, 0.5, 2)
    assert found["work_function_ev"] == -4.5
    kinetic = read(path, axis="kinetic_energy_ev")
    assert kinetic.kinetic_energy_ev.values[0] == pytest.approx(1346.69)


def test_witec_relative_wavenumbers_are_raman_shifts(tmp_path: Path) -> None:
    assert axis_of(read(put(tmp_path, "a.txt", make.witec(unit="rel. 1/cm")))) == "raman_shift_cm1"


def test_wdf_units(tmp_path: Path) -> None:
    assert axis_of(read(put(tmp_path, "a.wdf", make.wdf(unit=3)))) == "wavelength_nm"
    found = conditions_of(read(put(tmp_path, "b.wdf", make.wdf())))
    assert found["laser_nm"] == pytest.approx(532.0, abs=1e-3)


def test_spe_without_a_unit_stays_on_channels(tmp_path: Path) -> None:
    assert axis_of(read(put(tmp_path, "a.spe", make.spe2(label=b"")))) == "channel"


def test_spe_conditions(tmp_path: Path) -> None:
    assert conditions_of(read(put(tmp_path, "a.spe", make.spe2())))["exposure_s"] == 5.0
    assert conditions_of(read(put(tmp_path, "b.spe", make.spe3(frames=1))))["exposure_s"] == 0.25


def test_smoothed_counts_are_not_counts(tmp_path: Path) -> None:
    for values in (make.DECAY + 0.25, make.DECAY - 5.0):
        path = put(tmp_path, "a.txt", make.ocean(values))
        assert read(path).signal.attrs["units"] == "arb"


def test_netcdf_keeps_what_was_simulated(tmp_path: Path) -> None:
    dataset = read(put(tmp_path, "run.nc", make.netcdf()))
    assert dataset.attrs["seed"] == 7
    assert dataset.attrs["instrument"] == "simulated"
    assert dataset.attrs["technique"] == "trpl"
    assert conditions_of(dataset) == {"a": 1}


def test_list_of_formats() -> None:
    known = {f.name: f for f in formats()}
    pictures = {"tiff", "png", "jpeg", "dm", "tia"}  # test_io_images.py
    infrared = {"opus", "omnic", "jcamp"}  # test_ftir_files.py
    assert {n.split()[0] for n in make.SAMPLES} | pictures | infrared == set(known)
    assert all(f.description and f.package and f.extensions for f in known.values())


def test_import_is_light() -> None:
    code = """
import sys, time
import perolas.core.observation
start = time.perf_counter()
import perolas.io
assert time.perf_counter() - start < 0.2
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"jax", "vamas", "ptufile", "sdtfile", "wdf", "h5py", "h5netcdf"}, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
