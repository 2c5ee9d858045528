"""Bad files of every format: exactly one sentence, the file's name in it, its folder not."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unit.io import io_samples as make

from perolas.core.errors import InputError
from perolas.io import read, read_all

FORMATS = sorted(make.SAMPLES)


def refuse(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_all(path, **{"axis": "wavelength_nm", **options})  # type: ignore[arg-type]
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 500
    assert path.name in said
    assert str(path.parent) not in said
    return said


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_empty(name: str, tmp_path: Path) -> None:
    assert "is empty" in refuse(put(tmp_path, make.SAMPLES[name][0], b""))


@pytest.mark.parametrize("name", FORMATS)
def test_cut_short_at_any_length(name: str, tmp_path: Path) -> None:
    file, maker = make.SAMPLES[name]
    data = maker()
    text = name in ("text", "horiba", "witec", "ocean-optics", "perkin-elmer")
    whole = read(put(tmp_path, file, data))
    lengths = {*range(1, min(len(data), 60)), *np.linspace(1, len(data) - 1, 80).astype(int).tolist()}
    for length in sorted(lengths):
        path = put(tmp_path, file, data[:length])
        try:
            part = read(path)
        except InputError:
            refuse(path, axis=None)
        else:  # a text without a count of its points may end anywhere; a footer may lack its last bytes
            assert text or length > len(data) - 40, length
            assert part.signal.size <= whole.signal.size


@pytest.mark.parametrize(
    "name", ["witec", "ocean-optics", "perkin-elmer", "vamas", "wdf", "spe", "spe 3", "ptu", "phu", "sdt"]
)
def test_last_points_missing_is_noticed(name: str, tmp_path: Path) -> None:
    file, maker = make.SAMPLES[name]
    data = maker()
    if name in ("witec", "ocean-optics", "perkin-elmer", "vamas"):
        data = b"\n".join(data.splitlines()[:-3]) + b"\n"
    else:
        data = data[:-8]
    refuse(put(tmp_path, file, data), axis=None)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("other", [".vms", ".wdf", ".spe", ".ptu", ".phu", ".sdt", ".nc", ".asc"])
def test_words_under_every_extension(name: str, other: str, tmp_path: Path) -> None:
    said = refuse(put(tmp_path, "a" + other, f"dear {name}, this is a letter\n".encode()))
    assert "does not hold" in said


@pytest.mark.parametrize("name", FORMATS)
def test_noise_under_every_extension(name: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    refuse(put(tmp_path, make.SAMPLES[name][0], noise))
    refuse(put(tmp_path, make.SAMPLES[name][0], make.SAMPLES[name][1]()[:40] + noise))


@pytest.mark.parametrize("name", FORMATS)
def test_wrong_unit(name: str, tmp_path: Path) -> None:
    file, maker = make.SAMPLES[name]
    axis = "kinetic_energy_ev" if name in ("xrdml", "rasx", "brml", "bruker-raw", "cif") else "two_theta_deg"
    assert f'axis="{axis}"' in refuse(put(tmp_path, file, maker()), axis=axis)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("xrdml", b'"2Theta"', b'"Omega"', "without positions of two theta"),
        ("xrdml", b"<endPosition>15.5", b"<endPosition>x", "first and a last two theta"),
        ("xrdml", b"<endPosition>15.5", b"<endPosition>10", "must rise or fall"),
        ("xrdml", b">0 3 40", b">0 x 40", "not all numbers"),
        ("xrdml", b">0 3 40", b">0 nan 40", "not numbers"),
        ("xrdml", b"intensities", b"nothing", "holds no intensities"),
        ("xrdml", b"<xrdMeas", b"<!DOCTYPE a><xrdMeas", "document type or entities"),
        ("bruker-raw", b"RAW4.00", b"RAW2.00", "version 1 or 2"),
        ("bruker-raw", b"RAW4.00", b"RAW 4.0", "version 1 or 2"),
        ("bruker-raw", b"2Theta", b"Theta\0", "cannot be used"),
        ("cif", b"points 12", b"points 13", "not as many points"),
        ("cif", b" 40\n", b" -40\n", "counts cannot be negative"),
        ("cif", b" 40\n", b" ?\n", "not all numbers"),
        ("witec", b"= nm", b"= V", "axis"),
        ("perkin-elmer", b"\r\nnm\r\n", b"\r\nfurlong\r\n", "what its first column is"),
        ("perkin-elmer", b"%T", b"%Z", 'signal is "%Z"'),
        ("vamas", b"Kinetic energy\neV", b"Mass\nu", "not an energy"),
        ("vamas", b"REGULAR", b"IRREGULAR", "scan mode"),
        ("horiba", b"5.0E-01ns/ch", b"5.0E-01V/ch", "no time per channel"),
        ("horiba", b"5.0E-01", b"0", "no time per channel"),
        ("horiba", b"5.0E-01", b"1e999", "no time per channel"),
        ("horiba", b"\n4\t30", b"\n9\t30", "channel numbers"),
        ("horiba", b"\n3\t40", b"\n3\tnan", "1 values that are not numbers"),
        ("horiba", b"\n3\t40", b"\n3\t-40", "counts cannot be negative"),
        ("vamas", b"\n40\n12.5", b"\n-40\n12.5", "counts cannot be negative"),
        ("vamas", b"\n40\n12.5", b"\nnan\n12.5", "not numbers"),
        ("vamas", b"\n1346.69\n0.2", b"\n1346.69\n0", "Pb 4f"),
        ("vamas", b"\n1346.69\n0.2", b"\nnan\n0.2", "Pb 4f"),
        ("vamas", b"\n24\n", b"\n30\n", "cut short"),
        ("ocean-optics", b"\n402\t40", b"\n402\tnan", "not numbers"),
        ("ocean-optics", b"\n402\t40", b"\n401\t40", "must rise or fall"),
        ("text", b"502,40", b"501,40", "must rise or fall"),
        ("text", b"502,40", b"502,nan", "not numbers"),
    ],
)
def test_one_wrong_place(name: str, old: bytes, new: bytes, sentence: str, tmp_path: Path) -> None:
    file, maker = make.SAMPLES[name]
    data = maker()
    assert old in data
    assert sentence.lower() in refuse(put(tmp_path, file, data.replace(old, new)), axis=None).lower()


def test_netcdf_of_something_else(tmp_path: Path) -> None:
    import h5py
    import xarray as xr

    other = xr.Dataset({"temperature": ("x", np.arange(3.0))})
    other.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert 'has no "signal"' in refuse(tmp_path / "a.nc", axis=None)
    other.rename(temperature="signal").to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    assert '"x" is no axis' in refuse(tmp_path / "b.nc", axis=None)
    xr.Dataset({"signal": ("x", np.array(["a", "b"]))}).to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    assert "not of numbers" in refuse(tmp_path / "c.nc", axis=None)
    with h5py.File(tmp_path / "d.nc", "w") as file:  # a terabyte of fill values in a kilobyte
        file.create_dataset("signal", shape=(10**11,), dtype="f8", chunks=(1000,))
    assert "more than any observation has" in refuse(tmp_path / "d.nc", axis=None)


def patch(data: bytes, form: str, at: int, value: float) -> bytes:
    out = bytearray(data)
    struct.pack_into(form, out, at, value)
    return bytes(out)


def test_numbers_that_are_none_in_binary_files(tmp_path: Path) -> None:
    wdf = make.wdf()
    at = wdf.index(b"DATA") + 16
    assert "not numbers" in refuse(put(tmp_path, "a.wdf", patch(wdf, "<f", at, float("nan"))), axis=None)
    axis = wdf.index(b"XLST") + 24
    assert "must rise or fall" in refuse(put(tmp_path, "a.wdf", patch(wdf, "<f", axis, 0.0)), axis=None)
    spe = make.spe2()
    assert "calibration" in refuse(put(tmp_path, "a.spe", patch(spe, "<d", 3263, float("inf"))), axis=None)
    assert "must rise or fall" in refuse(put(tmp_path, "a.spe", patch(spe, "<d", 3271, 0.0)), axis=None)
    assert "calibration" in refuse(put(tmp_path, "a.spe", make.spe3(wavelengths="1,2,x")), axis=None)


SPE, WDF = make.spe2(), make.wdf()
ABSURD: dict[str, Callable[[], tuple[str, bytes]]] = {
    "spe frames": lambda: ("a.spe", patch(SPE, "<i", 1446, 2**31 - 1)),
    "spe no frames": lambda: ("a.spe", patch(SPE, "<i", 1446, -5)),
    "spe width": lambda: ("a.spe", patch(patch(SPE, "<H", 42, 65535), "<H", 656, 65535)),
    "spe type": lambda: ("a.spe", patch(SPE, "<h", 108, 77)),
    "spe footer": lambda: ("a.spe", patch(make.spe3(), "<Q", 678, 2**63)),
    "spe 3 frames": lambda: ("a.spe", make.spe3().replace(b'count="2"', b'count="999999999"')),
    "spe 3 width": lambda: ("a.spe", make.spe3().replace(b'width="12"', b'width="999999999999"')),
    "wdf points": lambda: ("a.wdf", patch(patch(WDF, "<I", 60, 2**32 - 1), "<I", 88, 2**32 - 1)),
    "wdf spectra": lambda: ("a.wdf", patch(patch(WDF, "<Q", 64, 2**62), "<Q", 72, 2**62)),
    "wdf block of no size": lambda: ("a.wdf", patch(WDF, "<Q", 512 + 8, 0)),
    "wdf endless block": lambda: ("a.wdf", patch(WDF, "<Q", 512 + 8, 2**64 - 1)),
    "phu bins": lambda: ("a.phu", tag(make.phu(), b"HistResDscr_HistogramBins", 2**40)),
    "phu curves": lambda: ("a.phu", tag(make.phu(), b"HistoResult_NumberOfCurves", 2**60)),
    "phu offset": lambda: ("a.phu", tag(make.phu(), b"HistResDscr_DataOffset", -4)),
    "ptu records": lambda: ("a.ptu", tag(make.ptu(), b"TTResult_NumberOfRecords", 2**60)),
    "ptu record type": lambda: ("a.ptu", tag(make.ptu(), b"TTResultFormat_TTTRRecType", 12345)),
    "ptu T2": lambda: ("a.ptu", tag(make.ptu(), b"TTResultFormat_TTTRRecType", 0x00010203)),
    "sdt blocks": lambda: ("a.sdt", patch(patch(make.sdt(), "<h", 18, 0x7FFF), "<I", 36, 2**32 - 1)),
    "sdt block length": lambda: ("a.sdt", make.sdt()[: -24 - 4] + struct.pack("<I", 2**32 - 2) + make.sdt()[-24:]),
    "vamas points": lambda: ("a.vms", make.vamas().replace(b"\n24\n", b"\n999999999999\n")),
    "vamas regions": lambda: ("a.vms", make.vamas().replace(b"\n1\nPb 4f", b"\n999999999999\nPb 4f")),
    "many lines": lambda: ("a.txt", b"1 2\n" * 2_500_000),
    "one long line": lambda: ("a.txt", b"1 " * 3_000_000),
    "zeros": lambda: ("a.dat", bytes(5_000_000)),
    "unclosed": lambda: ("a.txt", b'"' * 1_000_000 + b"\n" + b"(" * 1_000_000),
}


def test_a_marker_of_astronomical_number_does_not_hang(tmp_path: Path) -> None:
    start = time.perf_counter()
    read(put(tmp_path, "a.ptu", tag(make.ptu(), b"ImgHdr_Frame", 2**60)))  # ptufile computes 2 to that power
    assert time.perf_counter() - start < 5


def test_a_heap_that_ends_nowhere_does_not_hang(tmp_path: Path) -> None:
    data = make.netcdf()
    at = data.index(b"GCOL") + 48  # size of the second text; HDF5 then walks zeros without end
    said = refuse(put(tmp_path, "a.nc", patch(data, "<Q", at, 0x909)), axis=None)
    assert "damaged where it keeps its text" in said


def tag(data: bytes, name: bytes, value: int) -> bytes:
    return patch(data, "<q", data.index(name) + 40, value)


@pytest.mark.parametrize("case", ABSURD)
def test_absurd_sizes_cost_nothing(case: str, tmp_path: Path) -> None:
    path = put(tmp_path, *ABSURD[case]())
    tracemalloc.start()
    start = time.perf_counter()
    try:
        refuse(path, axis=None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 5
    assert peak < 200e6


def test_zip_bomb_in_sdt(tmp_path: Path) -> None:
    data = make.sdt()
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("data_block", bytes(520 * 2**20))
    start = len(data) - 24 - 22  # the only block's header (22 bytes) and data (24 bytes) end the file
    head = bytearray(data[start : start + 22])
    offset = len(data) - 24
    struct.pack_into("<hiiHhII", head, 0, 0, offset, offset + bomb.stat().st_size, 0x1000, 0, 0, 24)
    said = refuse(put(tmp_path, "a.sdt", data[:start] + bytes(head) + bomb.read_bytes()), axis=None)
    assert "unpack to more than" in said


@pytest.mark.parametrize(
    "doctype",
    ['<!DOCTYPE a [<!ENTITY b "bbb">]>', '<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd">'],
)
def test_footer_with_entities_is_refused(doctype: str, tmp_path: Path) -> None:
    assert "document type or entities" in refuse(put(tmp_path, "a.spe", make.spe3(doctype=doctype)), axis=None)


def test_what_is_no_readable_file(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    assert "is a folder" in refuse(tmp_path / "folder.txt")
    assert "There is no file" in refuse(tmp_path / "absent.txt")
    assert "There is no file" in refuse(tmp_path / "nowhere" / "absent.txt")
    for name in ("a\0b.txt", "x" * 400):
        with pytest.raises(InputError):
            read(tmp_path / name)
    with pytest.raises(InputError):
        read(b"bytes")  # type: ignore[arg-type]
    big = put(tmp_path, "big.txt", b"1 2\n" * 1000)
    assert "more than the" in refuse(big, max_bytes=100)


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert "ordinary file" in refuse(tmp_path / "pipe.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise on Windows")
def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.txt", b"1 2\n2 3\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read anything

        def denied(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", denied)
    assert "may not be read" in refuse(path)


def test_wrong_encoding(tmp_path: Path) -> None:
    utf16 = "Wavelength (nm)\tcounts\n1\t2\n2\t3\n3\t5\n".encode("utf-16")
    assert "cannot be decoded" in refuse(put(tmp_path, "a.txt", utf16[:-1]))
    assert "cannot be decoded" in refuse(put(tmp_path, "a.txt", b"\xef\xbb\xbf1 2\n2 \xff\n"))
    refuse(put(tmp_path, "a.txt", "1 2\n2 3\n".encode("utf-32-be")))
    refuse(put(tmp_path, "a.txt", "1 2\n2 3\n".encode("cp037")))


@pytest.mark.parametrize(
    ("magic", "what"),
    [(b"PK\x03\x04", "ZIP"), (b"\x89PNG\r\n", "PNG"), (b"%PDF-1.7", "PDF"), (b"<?xml version", "XML")],
)
def test_other_well_known_files_are_named(magic: bytes, what: str, tmp_path: Path) -> None:
    assert what in refuse(put(tmp_path, "a.txt", magic + b"abc"))


def test_a_hostile_name_is_shown_safely(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no such names on Windows")
    with pytest.raises(InputError) as caught:
        read(put(tmp_path, "a\x1b[31m\nb.txt", b"x"))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_bad_region_does_not_hide_the_others(tmp_path: Path) -> None:
    data = make.vamas(("I 3d", "Pb 4f")).replace(b"\n40\n12.5", b"\n-40\n12.5", 1)
    path = put(tmp_path, "a.vms", data)
    assert read(path, region="Pb 4f").attrs["region"] == "Pb 4f"
    assert 'in region "I 3d", ' in refuse(path, axis=None)


_CHILD = """
import resource, sys
from pathlib import Path
from perolas.core.errors import InputError
from perolas.io import read_all
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_all(path, axis="wavelength_nm")
    except InputError:
        pass
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak of memory this way")
def test_absurd_sizes_cost_nothing_outside_pythons_books_either(tmp_path: Path) -> None:
    """In a process of its own: what a worker has held before is not these files' doing."""
    for i, case in enumerate(ABSURD):
        name, data = ABSURD[case]()
        put(tmp_path, f"{i}_{name}", data)
    done = subprocess.run([sys.executable, "-c", _CHILD, str(tmp_path)], capture_output=True, text=True, check=True)
    before, after = (int(n) * (1 if sys.platform == "darwin" else 1024) for n in done.stdout.split())
    assert after - before < 0.5e9
