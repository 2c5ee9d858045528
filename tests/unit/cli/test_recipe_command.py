"""`perolas recipe`: a balance, JSON and nothing else, one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perolas.cli import main

ROOT = Path(__file__).resolve().parents[3]


def test_builtin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "yang2020"]) == 0
    shown = capsys.readouterr()
    assert "Bromide is limiting" in shown.out
    assert "3.68:1:2" in shown.out
    assert shown.err == ""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "yang2020", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["quantities"]["Cs4PbBr6_concentration"]["value"] == pytest.approx(6.67, abs=0.005)
    assert shown["conservation"] <= 1e-12


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_examples(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", str(path)]) == 0
    assert "is limiting" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("none.toml", None, 'There is no recipe "none.toml"; give a file, or one built in: yang2020.'),
        ("r.toml", b"", '"r.toml" is empty'),
        ("r.toml", b"\xff\xfe", '"r.toml" is not UTF-8 text'),
        (
            "r.toml",
            b'[recipe]\ntitle = "t"\n[[step]]\nadd = "CsBr"\namount = "-1 g"\n',
            "r.toml, line 4: The amount",
        ),
    ],
)
def test_bad_input(
    name: str, data: bytes | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    assert main(["recipe", str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
    assert len(shown.err.strip().splitlines()) == 1
