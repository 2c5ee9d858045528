"""`perolas transform`: a forecast in words, as JSON, as a picture; one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perolas.cli import main


def test_words_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "t.png"
    arguments = ["--light", "365 nm, 2 mW/cm2", "--hours", "10", "--draws", "20", "--sweep", "wavelength=365,468"]
    assert main(["transform", *arguments, "-o", str(picture)]) == 0
    shown = capsys.readouterr()
    assert "completion  5 h" in shown.out  # what it was calibrated on
    assert "wavelength 468: onset" in shown.out
    assert "to the power -0.4" in shown.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_of_a_dark_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transform", "--draws", "20", "--json", "--sweep", "water=20,125"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["quantities"]["onset"]["median"] == pytest.approx(8.0, abs=1e-3)
    assert 34 < found["quantities"]["completion"]["median"] < 78  # parameters.md 2.4, over the limits of detection
    assert len(found["curve"]["fraction"]) == 5
    assert [row["water"] for row in found["sweep"]] == [20.0, 125.0]
    assert found["sweep"][0]["completion"]["never"] > found["sweep"][1]["completion"]["never"] == 0


@pytest.mark.full
def test_times_rank_the_laws(capsys: pytest.CaptureFixture[str]) -> None:
    seen = ["onset 1-8 h dark", "completion 8-48 h dark", "onset 20-180 min 365 nm, 2 mW/cm2"]
    seen.append("completion 3-5 h 365 nm, 2 mW/cm2")
    assert main(["transform", "--json", *[a for text in seen for a in ("--seen", text)]]) == 0
    found = {row["law"]: row for row in json.loads(capsys.readouterr().out)["laws"]}
    # parameters.md 2.4: one rate for all of it is ruled out by the ratio of completion to onset.
    assert found["bare surface"]["log_evidence"] - found["first order"]["log_evidence"] > 7
    assert found["bare surface"]["log_evidence"] - found["shrinking core"]["log_evidence"] > 7
    assert "log10_stripping" in found["bare surface"]["undetermined"]


@pytest.mark.full
def test_a_curve_is_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = np.linspace(2.0, 60.0, 30)
    truth = 1e-3  # k_o k_s, 1/h^2; small s: 3 [1 - (1-X)^(1/3)] = k_o k_s t^2 / 2
    fraction = 1 - np.maximum(1 - truth * times**2 / 6, 0.0) ** 3
    noisy = fraction + np.random.default_rng(0).normal(0, 0.02, times.size)
    file = tmp_path / "dark.csv"
    file.write_text("time (h), fraction\n" + "\n".join(f"{t:.3f}, {x:.4f}" for t, x in zip(times, noisy, strict=True)))
    assert main(["transform", "--json", "--curve", f"{file}=dark"]) == 0
    found = json.loads(capsys.readouterr().out)
    product = found["curves"]["quantities"]["log10_product"]
    assert abs(product["value"] - np.log10(truth)) < 4 * product["std"] + 0.02  # s is small, but not nothing
    assert found["laws"][-1]["law"] in ("first order", "shrinking core")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no line with a time and a fraction"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"1, 0.1\n2, NaN\n", 'Line 2 of "c.csv" should hold a time'),
        (b"1, 0.1\n2\n", 'Line 2 of "c.csv" should hold a time'),
        (b"1, 10\n", "a fraction lies between 0 and 1"),
        (b"-1, 0.1\n", "a time is not negative"),
        (b"1, 0.1, -0.01\n", "its error is positive"),
        (None, 'There is no file "c.csv"'),
    ],
)
def test_bad_curves(content: bytes | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / "c.csv").write_bytes(content)
    assert main(["transform", "--curve", f"{tmp_path / 'c.csv'}=dark"]) == 2
    shown = capsys.readouterr().err
    assert sentence in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--water", "0 uL"], 'Argument "water" must be above 0 uL'),
        (["--water", "3 s"], 'Argument "water" must be in uL'),
        (["--light", "365 nm"], 'The light must be "dark" or such as'),
        (["--light", "365 nm, -2 mW/cm^2"], 'Argument "irradiance" must be zero or positive'),
        (["--light", "20 um, 2 mW/cm^2"], "lies outside the range"),
        (["--hours", "-3"], 'Argument "hours" must be positive'),
        (["--lead", "-1 umol"], 'Argument "lead" must be positive'),
        (["--temperature", "500 degC"], "The temperature must leave water and toluene liquid"),
        (["--seeds", "0.7"], "is a share and must be below 0.5"),
        (["--vial", "oak", "--light", "365 nm, 1 mW/cm^2"], 'The vial "oak" is not known'),
        (["--sweep", "moon=1"], 'The condition to sweep "moon" is not known'),
        (["--sweep", "water"], "A sweep is written such as"),
        (["--sweep", "irradiance=1,2"], "A sweep over irradiance needs light"),
        (["--seen", "onset 1-8 dark"], "A sighting is written such as"),
        (["--seen", "onset 8-1 h dark"], "A sighting needs its first time before its second"),
        (["--seen", "onset 1-8 h dark", "-o", "t.png"], '"--output" belongs to a forecast'),
        (["--draws", "1"], 'Argument "draws" must lie between'),
        (["-o", "t.doc"], '"t.doc" must end in .png, .pdf or .svg'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transform", "--draws", "20", *arguments]) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err
