"""`perolas lase`: a table, JSON and nothing else, a picture, one sentence for what is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from perolas.cli import main

FEW = ["--draws", "32"]


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lase", *FEW, "--fluence", "254 uJ/cm^2", "--sweep", "fluence=100,1000"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("threshold  ")
    for words in ("cross-section: ", "leakage: ", "linewidth", "254 uJ/cm^2 is", "fluence 1000:", "-fold"):
        assert words in shown.out
    assert shown.err == ""


def test_json_sweep_and_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    arguments = ["--json", "--sweep", "thickness=800:3200:3", "--area", "2000 um^2", "--size", "20 nm", "-o"]
    assert main(["lase", *FEW, *arguments, str(picture)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [round(p["value"]) for p in shown["sweep"]["points"]] == [800, 1600, 3200]
    assert shown["quantities"]["threshold"]["unit"] == "uJ/cm^2"
    law = {u["name"]: u["meaning"] for u in shown["unknowns"]}
    assert f"{2 * math.sqrt(2000 / math.pi):.4g} um" in law["spot"]
    assert {row["group"] for row in shown["budget"]} >= {"leakage", "chirp", "cross-section"}
    assert all(p["status"] for p in shown["parameters"])
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fluence", "0 uJ/cm^2"], '"fluence" must be positive, but is 0 uJ/cm^2'),
        (["--fluence", "3 nm"], '"fluence" must be in uJ/cm^2'),
        (["--spot", "6 mm", "--film", "5 mm"], "misses the film"),
        (["--area", "30 mm^2", "--film", "5 mm"], "misses the film"),
        (["--cross-section", "3 nm"], "cross-section"),
        (["--spot", "6 um", "--area", "30 um^2"], "not both"),
        (["--wavelength", "700 nm"], "750 to 850 nm"),
        (["--wavelength", "1200 nm"], "does not reach the gap"),
        (["--size", "100 nm"], "size of 8 to 30 nm"),
        (["--temperature", "4 K"], "temperature of 50 to 350 K"),
        (["--tier", "walk"], "The tier"),
        (["--sweep", "colour=1,2"], "The condition to sweep"),
        (["--sweep", "area=a,b"], "A sweep is written"),
        (["--draws", "1"], '"draws" must lie between'),
        (["-o", "a.txt"], "must end in .png"),
        (["--substrate", "gold"], "The substrate"),
    ],
)
def test_bad_input(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lase", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
    assert len(shown.err.strip().splitlines()) == 1
