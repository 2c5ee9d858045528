"""Files of infrared spectrometers. Truth: files made here byte by byte from published layouts, read by other codes."""

from __future__ import annotations

import builtins
import struct

import numpy as np
import pytest

from perolas import InputError, io
from perolas.core.observation import conditions_of

X = np.linspace(4000.0, 1000.0, 301)
Y = 0.05 + 0.3 * np.exp(-(((X - 1710.0) / 15.0) ** 2))


def opus(x=X, y=Y, kind=4):
    """Return an OPUS file of one result spectrum: header, directory, parameters of the data, data."""

    def parameter(name, value):
        if isinstance(value, int):
            return name.encode() + b"\0" + struct.pack("<hhi", 0, 2, value)
        if isinstance(value, float):
            return name.encode() + b"\0" + struct.pack("<hhd", 1, 4, value)
        text = value.encode() + b"\0" * (4 - len(value) % 4)
        return name.encode() + b"\0" + struct.pack("<hh", 2, len(text) // 2) + text

    data = np.asarray(y, "<f4").tobytes()
    low, high = float(np.float32(np.min(y))), float(np.float32(np.max(y)))
    status = b"".join(
        parameter(n, v)
        for n, v in {
            "DPF": 1, "NPT": len(x), "FXV": float(x[0]), "LXV": float(x[-1]), "CSF": 1.0, "MXY": high, "MNY": low,
            "DXU": "WN",
        }.items()
    ) + b"END\0" + bytes(8)  # fmt: skip
    status += bytes(-len(status) % 4)
    first = 24 + 12 * 40

    def code(second, third):
        return 3 + (3 << 2) + (second << 4) + (third << 10)

    directory = struct.pack("<3i", code(1, kind), len(status) // 4, first)
    directory += struct.pack("<3i", code(0, kind), len(data) // 4, first + len(status))
    header = b"\n\n\xfe\xfe" + struct.pack("<diii", 920622.0, 24, 40, 2)
    return header + directory.ljust(12 * 40, b"\0") + status + data


def spa(x=X, y=Y, kind=17, unit=1):
    """Return an OMNIC file of one spectrum: title, table of keys, header, data."""
    data = np.asarray(y, "<f4").tobytes()
    start, body = 512, 512 + 400
    head = bytearray(400)
    struct.pack_into("<I", head, 4, len(x))
    head[8], head[12] = unit, kind
    struct.pack_into("<ff", head, 16, x[0], x[-1])
    file = bytearray(start)
    file[:18] = b"Spectral Data File"
    file[30:36] = b"oleate"
    struct.pack_into("<H", file, 294, 2)
    for i, (key, place, size) in enumerate(((2, start, 400), (3, body, len(data)))):
        file[304 + 16 * i] = key
        struct.pack_into("<II", file, 306 + 16 * i, place, size)
    return bytes(file) + bytes(head) + data


def jdx(y=Y, units="ABSORBANCE", x_units="1/CM", points=None):
    lines = ["##TITLE=oleate", "##JCAMP-DX=4.24", "##DATA TYPE=INFRARED SPECTRUM", f"##XUNITS={x_units}"]
    lines += [f"##YUNITS={units}", f"##FIRSTX={X[0]}", f"##LASTX={X[-1]}", "##XFACTOR=1.0", "##YFACTOR=1.0E-6"]
    lines += [f"##NPOINTS={points or len(X)}", "##XYDATA=(X++(Y..Y))"]
    whole = np.round(np.asarray(y) * 1e6).astype(int)
    lines += [f"{X[i]:.1f} " + " ".join(str(v) for v in whole[i : i + 7]) for i in range(0, len(X), 7)]
    return ("\n".join([*lines, "##END="]) + "\n").encode()


@pytest.mark.parametrize(("name", "made"), [("a.0", opus()), ("a.spa", spa()), ("a.jdx", jdx())])
def test_a_spectrum_comes_back(tmp_path, name, made):
    path = tmp_path / name
    path.write_bytes(made)
    seen = io.read(path, technique="ftir", axis="wavenumber_cm1")
    np.testing.assert_allclose(seen["wavenumber_cm1"].values, X, atol=1e-3)
    np.testing.assert_allclose(seen["signal"].values, Y, atol=2e-6)
    assert seen["signal"].attrs["units"] == "1"
    assert conditions_of(seen)["quantity"] == "absorbance"


@pytest.mark.parametrize(
    ("name", "made", "unit"),
    [
        ("t.0", opus(y=10.0**-Y, kind=5), "1"),
        ("t.spa", spa(y=100 * 10.0**-Y, kind=16), "percent"),
        ("t.jdx", jdx(10.0**-Y, "TRANSMITTANCE"), "1"),
    ],
)
def test_transmittance_says_so(tmp_path, name, made, unit):
    path = tmp_path / name
    path.write_bytes(made)
    seen = io.read(path)
    assert seen["signal"].attrs["units"] == unit
    assert "transmittance" in conditions_of(seen)["quantity"]


def test_text_needs_no_package(tmp_path):
    path = tmp_path / "a.dpt"
    path.write_text("\n".join(f"{x:.4f},{y:.6f}" for x, y in zip(X, Y, strict=True)))
    seen = io.read(path, technique="ftir", axis="wavenumber_cm1", units="1")
    np.testing.assert_allclose(seen["signal"].values, Y, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        ("cut.0", opus()[:40], "OPUS|spectrum|absorbance"),
        ("cut2.0", opus()[:700], "."),
        ("single.0", opus(kind=1), "no absorbance"),
        ("head.0", b"\n\n\xfe\xfe", "OPUS"),
        ("cut.spa", spa()[:600], "cut short"),
        ("cut2.spa", spa()[:-400], "cut short"),
        ("wild.spa", spa()[:306] + b"\xff" * 8 + spa()[314:], "cut short"),
        ("single.spa", spa(kind=15), "neither absorbance"),
        ("ifg.spa", spa(unit=2), "cm-1"),
        ("series.srs", b"Spectral Exte File" + bytes(2000), "series"),
        ("cut.jdx", jdx()[:400], "cut short"),
        ("points.jdx", jdx(points=400), "400 points|cut short|read"),
        ("unit.jdx", jdx(x_units="SECONDS"), "wavenumber"),
        ("empty.jdx", b"##TITLE=\n##JCAMP-DX=4.24\n##END=\n", "no spectrum|read"),
        ("nan.jdx", jdx().replace(b"350000", b"nan nan"), "."),
        ("huge.jdx", b"##TITLE=" + b"x" * 300_000 + b"\n##END=\n", "."),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, name, made, said):
    path = tmp_path / name
    path.write_bytes(made)
    with pytest.raises(InputError, match=said) as caught:
        io.read(path, technique="ftir", axis="wavenumber_cm1")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "made", "package"),
    [("a.0", opus(), "brukeropus"), ("a.spa", spa(), "spectrochempy_omnic"), ("a.jdx", jdx(), "jcamp")],
)
def test_an_absent_package_is_named(tmp_path, monkeypatch, name, made, package):
    real = builtins.__import__

    def without(module, *rest, **named):
        if module.split(".")[0] == package:
            raise ImportError(module)
        return real(module, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / name
    path.write_bytes(made)
    with pytest.raises(InputError, match=r"perolas\[infrared\]"):
        io.read(path)
