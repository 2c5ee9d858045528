"""Files made to eat memory or time, or to reach for other files: read or refused within 5 s and 1 GiB.

Truth: the bound itself. A file just below each limit of a reader is in here too, since that is the dearest one.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from unit.io import io_samples as make
from unit.io.bounds import bounded

from perolas.core.errors import PerolasError
from perolas.core.observation import validate
from perolas.io import read_all


def attempt(path: Path) -> str:
    """Return what is said of a file: how many signals it has, or why it is refused."""
    try:
        with bounded():
            found = read_all(path, axis=None)
            for dataset in found:
                validate(dataset)
            return f"{len(found)} read"
    except PerolasError as error:
        return str(error)


def packed(data: bytes, change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> bytes:
    """Return an archive whose parts are changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            for new, content in change(name, before.read(name)):
                after.writestr(new, content)
    return out.getvalue()


def tags(count: int, deep: bool) -> bytes:
    filling = b"<a>" * (count // 2) + b"</a>" * (count // 2) if deep else b"<a/>" * count
    data: bytes = make.xrdml()
    at = data.index(b">", data.index(b"<xrdMeasurements")) + 1
    return data[:at] + filling + data[at:]


def many_parts(name: str, data: bytes) -> list[tuple[str, bytes]]:
    if "RawData0" not in name:
        return [(name, data)]
    return [(name.replace("RawData0", f"RawData{i}"), data + b" " * 1_000_000) for i in range(300)]


def many_profiles(name: str, data: bytes) -> list[tuple[str, bytes]]:
    if "Profile" not in name:
        return [(name, data)]
    rows = b"\n".join(b"%d 1 1" % k for k in range(200_000))
    return [(name.replace("Data0", f"Data{i}"), rows) for i in range(20)]


def jcamp(lines: int) -> bytes:
    head = b"##TITLE=a\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=1/CM\n##YUNITS=ABSORBANCE\n##XFACTOR=1\n##YFACTOR=1\n"
    return head + b"##XYDATA=(X++(Y..Y))\n" + b"1 1 1 1 1 1 1 1 1 1 1 1 1 1\n" * lines + b"##END=\n"


def spe(width: int, height: int, frames: int) -> bytes:
    data = bytearray(make.spe2()[:4100])
    struct.pack_into("<H", data, 42, width)
    struct.pack_into("<H", data, 656, height)
    struct.pack_into("<i", data, 1446, frames)
    return bytes(data) + bytes(4 * width * height * frames)


def hdf5(build: Callable[[h5py.File], None]) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        build(file)
    return out.getvalue()


def full_of_ones(file: h5py.File) -> None:
    file.create_dataset("signal", (49_000_000,), "f8", chunks=(10**6,), compression="gzip", fillvalue=1.0)


def external(file: h5py.File) -> None:
    file.create_dataset("signal", (16,), "u1", external=[("/etc/hostname", 0, 16)])


def linked(file: h5py.File) -> None:
    file["signal"] = h5py.ExternalLink("/tmp/other.nc", "/signal")


def soft(file: h5py.File) -> None:
    file["signal"] = h5py.SoftLink("/signal")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/tmp/other.nc", "signal", (4,))
    file.create_virtual_dataset("signal", layout)


CASES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "lines": ("a.txt", lambda: b"1 2\n" * 15_000_000, "more than 1000000 lines"),
    "lines below": ("a.txt", lambda: b"".join(b"%d 2\n" % i for i in range(990_000)), "read"),
    "one line": ("a.txt", lambda: b"1" * 60_000_000, "no two columns"),
    "two wide lines": ("a.csv", lambda: b"\n".join([b"1," * 15_000_000] * 2), "no two columns"),
    "tags": ("a.xrdml", lambda: tags(15_000_000, False), "more than 1,000,000 tags"),
    "tags below": ("a.xrdml", lambda: tags(990_000, False), "1 read"),
    "deep below": ("a.xrdml", lambda: tags(990_000, True), "1 read"),
    "parts": ("a.brml", lambda: packed(make.brml(), many_parts), "unpack to more than 64 MiB"),
    "profiles": ("a.rasx", lambda: packed(make.rasx(), many_profiles), "more than 1,000,000 points"),
    "jcamp": ("a.jdx", lambda: jcamp(2_000_000), "more than 8 MiB"),
    "jcamp below": ("a.jdx", lambda: jcamp(290_000), "."),
    "spe": ("a.spe", lambda: spe(65_000, 800, 1), "33,554,432 are read"),
    "spe below": ("a.spe", lambda: spe(33_000, 1000, 1), "1 read"),
    "spe frames": ("a.spe", lambda: spe(2, 1, 20_000), "cannot be read"),
    "netcdf": ("a.nc", lambda: hdf5(full_of_ones), "is no axis"),
    "netcdf file outside": ("a.nc", lambda: hdf5(external), "from another file; refused"),
    "netcdf link": ("a.nc", lambda: hdf5(linked), "into another file or elsewhere; refused"),
    "netcdf link to itself": ("a.nc", lambda: hdf5(soft), "into another file or elsewhere; refused"),
    "netcdf virtual": ("a.nc", lambda: hdf5(virtual), "from another file; refused"),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_hostile_file(case: str, tmp_path: Path) -> None:
    name, build, words = CASES[case]
    (tmp_path / name).write_bytes(build())
    said = attempt(tmp_path / name)
    assert words in said
    assert "\n" not in said


def test_curves_in_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A thousand curves of a million bins that all lie in the same four megabytes."""
    from perolas.io import block

    monkeypatch.setattr(block, "MAX_VALUES", 10)
    (tmp_path / "a.phu").write_bytes(make.phu())
    assert "numbers, and 10 are read at most" in attempt(tmp_path / "a.phu")


def test_many_frames_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.spe").write_bytes(spe(8, 1, 2500))
    names = [d.attrs["region"] for d in read_all(tmp_path / "a.spe")]
    assert len(set(names)) == len(names) == 2500


def test_the_bound_can_fail() -> None:
    with pytest.raises(MemoryError), bounded():
        np.ones(2**28)
