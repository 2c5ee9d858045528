"""Text: every dialect of the same columns reads the same; headers say what columns are; doubt is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.io import io_samples as make

from perolas.core.errors import InputError
from perolas.core.observation import axis_of
from perolas.io import read

X = 500.5 + np.arange(6) * 0.25
Y = np.array([3.0, 14.0, 159.0, 26.0, 5.0, 0.0])
ROWS = list(zip(X, Y, strict=True))


def lines(separator: str, comma: bool = False, form: str = "{:.2f}") -> str:
    text = "".join(f"{form.format(x)}\x00{y:.0f}\n" for x, y in ROWS)
    return (text.replace(".", ",") if comma else text).replace("\x00", separator)


DIALECTS = {
    "tab": lines("\t"),
    "space": lines(" "),
    "spaces": lines("    "),
    "comma": lines(","),
    "comma and space": lines(", "),
    "semicolon": lines(";"),
    "tab, decimal comma": lines("\t", comma=True),
    "semicolon, decimal comma": lines(";", comma=True),
    "space, decimal comma": lines("  ", comma=True),
    "exponents": lines("\t", form="{:.6E}"),
    "Fortran exponents": lines(" ", form="{:.6E}").replace("E+", "D+"),
    "trailing separator": lines("\t").replace("\n", "\t\n"),
    "leading blanks": "  " + lines("  ").replace("\n", "\n  "),
    "quoted": "".join(f'"{x:.2f}","{y:.0f}"\n' for x, y in ROWS),
    "blank lines": "\n\n" + lines("\t").replace("\n", "\n\n"),
    "hash": "# made by hand\n# 2 columns\n" + lines("\t"),
    "percent": "% made by hand\n" + lines("\t"),
    "slashes": "// made by hand\n" + lines("\t"),
    "semicolon comment": "; made by hand\n" + lines("\t"),
    "exclamation": "! made by hand\n" + lines("\t"),
    "quote comment": '" made by hand\n' + lines("\t"),
    "single quote": "'Id: made by hand, 5 points\n" + lines(" "),
    "words": "made by hand\nsecond line of words\n" + lines("\t"),
    "count line": "6\n" + lines(" "),
    "comment after": lines("\t") + "# the end\n",
    "comment in a line": lines(" ").replace("\n", "  # point\n", 1),
    "comment between": lines("\t").replace("\n", "\n# half\n", 1),
    "trailing text": lines("\t") + "\nmeasured by me\nthe end",
    "no newline at the end": lines("\t").rstrip("\n"),
}
ENCODINGS = {
    "utf-8": "utf-8",
    "BOM": "utf-8-sig",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
def test_dialects(dialect: str, newline: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(DIALECTS[dialect].replace("\n", newline).encode())
    dataset = read(path, axis="wavelength_nm", units="counts")
    assert dataset.wavelength_nm.values == pytest.approx(X, abs=1e-9)
    assert dataset.signal.values == pytest.approx(Y)
    assert dataset.signal.attrs["units"] == "counts"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(("Wavelength (nm)\tµ-PL\n" + lines("\t")).encode(ENCODINGS[encoding]))
    assert read(path).signal.values == pytest.approx(Y)
    path.write_bytes(("Länge in µm, naïve\n" + lines("\t")).encode("latin-1"))
    assert read(path, axis="wavelength_nm").signal.values == pytest.approx(Y)


@pytest.mark.parametrize(
    ("header", "axis", "factor"),
    [
        ("Wavelength (nm)\tCounts", "wavelength_nm", 1),
        ("Wavelength\tCounts", "wavelength_nm", 1),
        ("Wavelength / um\tCounts", "wavelength_nm", 1000),
        ("λ [Å]\tCounts", "wavelength_nm", 0.1),
        ("Raman shift\tCounts", "raman_shift_cm1", 1),
        ("Raman Shift (cm⁻¹)\tInt", "raman_shift_cm1", 1),
        ("Wavenumber [1/cm]\tInt", "wavenumber_cm1", 1),
        ("cm-1\t%T", "wavenumber_cm1", 1),
        ("Binding Energy (eV)\tCounts", "binding_energy_ev", 1),
        ("Kinetic energy\tCounts", "kinetic_energy_ev", 1),
        ("E_kin\tCounts", "kinetic_energy_ev", 1),
        ("Energy (meV)\tCounts", "energy_ev", 1e-3),
        ("Time (ps)\tCounts", "time_ns", 1e-3),
        ("t / ns\tCounts", "time_ns", 1),
        ("delay [µs]\tCounts", "time_ns", 1000),
        ("2Theta\tIntensity", "two_theta_deg", 1),
        ("2θ (deg)\tIntensity", "two_theta_deg", 1),
        ("Channel\tCounts", "channel", 1),
        ("name\tvalue\nns\tcounts", "time_ns", 1),
        ("XUnits = nm\nYUnits = counts", "wavelength_nm", 1),
    ],
)
def test_headers_name_the_axis(header: str, axis: str, factor: float, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(header + "\n" + lines("\t"), encoding="utf-8")
    dataset = read(path)
    assert axis_of(dataset) == axis
    assert dataset[axis].values == pytest.approx(X * factor)


def test_header_axis_and_argument(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Energy (eV)\tCounts\n" + lines("\t"))
    assert axis_of(read(path, axis="binding_energy_ev")) == "binding_energy_ev"  # the header is vague
    path.write_text("Kinetic Energy (eV)\tCounts\n" + lines("\t"))
    assert axis_of(read(path, axis="binding_energy_ev")) == "kinetic_energy_ev"  # it is not
    path.write_text("Wavelength (nm)\tCounts\n" + lines("\t"))
    with pytest.raises(
        InputError, match='header says "Wavelength \\(nm\\)", which is wavelength_nm, but axis="time_ns"'
    ):
        read(path, axis="time_ns")
    path.write_text("Time\tCounts\n" + lines("\t"))
    with pytest.raises(InputError, match="axis=, one of time_ns, "):
        read(path)


def test_third_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(make.csv_with_errors())
    dataset = read(path)
    assert dataset.time_ns.values == pytest.approx(0.5 * np.arange(12))
    assert dataset.variance.values == pytest.approx(make.DECAY + 1.0, rel=1e-3)
    assert dataset.variance.attrs["units"] == "(counts)^2"
    path.write_text("nm,counts,fit\n1,2,3\n2,3,4\n")
    with pytest.raises(InputError, match=r"3 columns \(nm, counts, fit\) .*columns=\(0, 1\)"):
        read(path)
    assert read(path, columns=(0, 1)).signal.values.tolist() == [2, 3]
    assert read(path, columns=[0, 2]).signal.values.tolist() == [3, 4]
    assert read(path, columns=(0, 1, 2)).variance.values.tolist() == [9, 16]
    for wrong in ((0, 3), (0,), (0, -1), (0, 1, 2, 3)):
        with pytest.raises(InputError, match="cannot be taken"):
            read(path, columns=wrong)


@pytest.mark.parametrize(
    ("values", "units", "expected"),
    [
        ("1 2\n2 3\n", None, "counts"),
        ("1 2\n2 3.5\n", None, "arb"),
        ("1 2\n2 -3\n", None, "arb"),
        ("1 2\n2 3.5\n", "counts", "arb"),
        ("1 2\n2 3\n", "percent", "percent"),
        ("nm\tcps\n1\t2\n2\t3\n", "counts", "cps"),
        ("nm\t%T\n1\t2\n2\t3\n", None, "percent"),
        ("nm\tAbsorbance\n1\t2\n2\t3\n", None, "1"),
        ("nm\tcounts\n1\t2\n2\t-3\n", None, "arb"),
    ],
)
def test_units_of_the_signal(values: str, units: str | None, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(values)
    assert read(path, axis="wavelength_nm", units=units).signal.attrs["units"] == expected


def test_falling_axis_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("3 1\n2 5\n1 2\n")
    assert read(path, axis="binding_energy_ev").binding_energy_ev.values.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1 2\n2 3\nx y\n4 5\n", r'Line 3 \("x y"\) has no numbers where the lines before it have 2'.lower()),
        ("1 2\nabc\n4 5\n5 6\n", "line 2"),
        ("1 2\n2 3\n3\n4 5\n", r"line 3 .* has 1 numbers"),
        ("1 2\n2 3\n3\n", "may be cut short"),
        ("1 2\n2 3 4\n4 5\n", "line 2"),
        ("1 2\n1 3\n2 4\n", "must rise or fall"),
        ("1 2\n3 3\n2 4\n", "must rise or fall"),
        ("1 2\n2 nan\n3 4\n", "1 values that are not numbers"),
        ("1 2\n2 inf\n3 4\n", "1 values that are not numbers"),
        ("1 2\nnan 3\n3 4\n", "axis has 1 values that are not numbers"),
        ("1 2\n", "at least two values"),
        ("1\n2\n3\n", "no two columns of numbers"),
        ("hello\n", "no two columns of numbers"),
        ("   \n \n", "empty but for white space"),
        ("1_0 2\n2_0 3\n", "no two columns of numbers"),
        ("1 2\n2 -3\n", "counts cannot be negative"),
        ("a,b\n" * 50, "no two columns"),
        ("1 " * 100 + "\n" + "2 " * 100, "has 100 columns"),
        ("1 2\n2 1e999\n", "not numbers"),
    ],
)
def test_bad_text_is_one_sentence(content: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=f'^Cannot read "a.txt": .*{sentence}'):
        read(path, axis="energy_ev", units="counts")


def test_no_axis_lists_the_names(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 2\n2 3\n")
    with pytest.raises(InputError, match=r"axis=, one of time_ns, .*binding_energy_ev, .*channel"):
        read(path)
    with pytest.raises(InputError, match='"wavelenth_nm" is not known \\(did you mean "wavelength_nm"'):
        read(path, axis="wavelenth_nm")
