"""Locked runs: made again from the report alone, and what changed is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.study import lock

Write = Callable[..., Path]
STUDY = (
    '[[measurement]]\nname = "counts"\ntechnique = "toy"\nsimulate = true\n'
    '[[step]]\nname = "sum"\nkind = "arithmetic"\ngiven = { a = "1.5 +- 0.1 eV" }\n[step.quantities]\n'
    'q = { expression = "a * 2", unit = "eV" }\n'
    '[[claim]]\nid = "two"\ntext = "three"\nvalue = 3\nunit = "eV"\ntolerance = 0.5\nquantity = "sum.q"\n'
)


@pytest.fixture
def report(toy: ModuleType, write: Write, tmp_path: Path) -> Path:
    assert main(["run", str(write(STUDY)), "--out", str(tmp_path / "first")]) == 0
    return tmp_path / "first" / "report.html"


@pytest.mark.parametrize("which", ["report.html", "lock.json", ""])
def test_a_report_is_made_again_from_itself(
    report: Path, tmp_path: Path, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.toml").unlink()  # nothing but the report is needed
    capsys.readouterr()
    assert main(["run", "--locked", str(report.parent / which), "--out", str(tmp_path / "again")]) == 0
    told = capsys.readouterr().out
    assert "all 2 results and 1 verdicts are the same" in told
    first, again = (json.loads((d / "lock.json").read_text()) for d in (report.parent, tmp_path / "again"))
    assert first["items"] == again["items"]


def test_what_changed_is_said(report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lock of a machine with another numpy, where a number came out otherwise and a claim was judged otherwise."""
    locked = json.loads((report.parent / "lock.json").read_text())
    locked["versions"]["numpy"] = "1.0"
    locked["items"]["sum"]["quantities"]["q"][0] = 3.4
    locked["items"]["sum"]["sha256"] = "0"
    locked["claims"]["two"] = ["differs", "consistency"]
    (tmp_path / "old.json").write_text(json.dumps(locked))
    capsys.readouterr()
    assert main(["run", "--locked", str(tmp_path / "old.json"), "--out", str(tmp_path / "again")]) == 1
    told = capsys.readouterr().out
    assert "made of: numpy: 1.0, now" in told
    assert "sum: q was 3.4, now 3 eV, 2 standard errors" in told
    assert "claim two" in told
    assert "2 results changed" in told


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no lock"),
        (b"{}", "no lock"),
        (b'{"format": 7}', "another version"),
        (b"\xff\xfe", "no lock"),
        (b'{"format": 1, "study": 3}', "no lock"),
        (b"[" * 100_000, "no lock"),
    ],
)
def test_what_is_no_lock_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        lock.load(path)
    (tmp_path / "x.html").write_bytes(content)
    with pytest.raises(InputError, match="holds no lock"):
        lock.load(tmp_path / "x.html")


def test_a_lock_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    given = {"study": "", "beside": {"../evil.txt": "x"}}
    with pytest.raises(InputError, match="may not go up"):
        lock.unpack(given, tmp_path / "in")
    assert not (tmp_path / "evil.txt").exists()


def test_a_study_and_a_lock_are_not_both_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    assert main(["run", "yang2020", "--locked", "x"]) == 2
