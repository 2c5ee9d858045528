"""`perolas pump`: a table, JSON and nothing else, one sentence for what is wrong."""

from __future__ import annotations

import json

import pytest

from perolas.cli import main


def test_power_rate_spot(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pump", "--power", "0.9 uW", "--rep", "1 kHz", "--spot", "30 um x 30 um", "--glass", "6 mm"]) == 0
    shown = capsys.readouterr()
    assert "two photons" in shown.out
    assert "fluence_peak           254.6 uJ/cm^2" in shown.out
    assert "chirp: x 0.972 (the 216.972 fs2 given" in shown.out
    assert shown.err == ""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pump", "--fluence", "254 uJ/cm^2", "--cross-section", "1e6 GM", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    n = shown["quantities"]["excitations"]
    assert n["low90"] == n["median"] == n["high90"] == pytest.approx(0.0695, abs=1e-4)
    assert {e["name"] for e in shown["effects"]} >= {"chirp", "fluence definition", "interference"}
    assert all(p["status"] for p in shown["parameters"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fluence", "0 uJ/cm^2"], '"fluence" must be positive, but is 0 uJ/cm^2'),
        (["--fluence", "3 nm"], '"fluence" must be in uJ/cm^2'),
        (["--power", "1 mW", "--spot", "30 um"], "needs a repetition rate"),
        (["--power", "1 mW", "--rep", "0 Hz", "--spot", "30 um"], '"repetition rate" must be positive'),
        (["--power", "1 mW", "--energy", "1 uJ", "--rep", "1 kHz"], "not both"),
        (["--power", "1 mW", "--rep", "1 kHz"], "needs either --fluence"),
        (["--energy", "1 uJ", "--spot", "1 um x 2 um x 3 um"], "The spot must be such as"),
        (["--energy", "1 uJ", "--spot", "6 mm", "--film", "5 mm"], "misses the film"),
        (["--fluence", "3 uJ/cm^2", "--pulse", "-50 fs"], '"pulse length" must be positive'),
        (["--fluence", "3 uJ/cm^2", "--size", "100 nm"], "give one of your own"),
    ],
)
def test_bad_input(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pump", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
    assert len(shown.err.strip().splitlines()) == 1
