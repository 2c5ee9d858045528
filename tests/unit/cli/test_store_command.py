"""`perolas store`: what is kept, whether it is whole, and how to make room."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from perolas.cli import main
from perolas.study.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kept = Store(tmp_path / "one" / "store")
    for i in range(3):
        about = {"study": "s", "item": f"step{i}", "kind": "arithmetic"}
        kept.put(kept.key({"i": i}), {"quantities": {"x": i}}, {"data.nc": b"\0" * 100}, about)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["store", *arguments]) == code
    shown = capsys.readouterr()
    return shown.out + shown.err


def spoil(folder: Path) -> str:
    kept = Store(folder / "one" / "store")
    key = kept.keys()[0]
    (kept.root / key[:2] / key / "data.nc").write_bytes(b"\1" * 100)
    return key


def test_ls_and_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "ls", str(folder))
    assert "step1 (arithmetic)" in text
    assert "3 results" in text
    rows = json.loads(said(capsys, "ls", str(folder), "--json"))
    shown = json.loads(said(capsys, "show", rows[0]["key"][:20], str(folder)))
    assert shown["about"]["item"] == rows[0]["item"]
    assert shown["files"] == ["data.nc"]
    assert "no result has" in said(capsys, "show", "zz", str(folder), code=2)
    assert "3 results have" in said(capsys, "show", "", str(folder), code=2)


def test_damage_is_found_and_goes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "3 of 3 results are whole" in said(capsys, "verify", str(folder))
    key = spoil(folder)
    text = said(capsys, "verify", str(folder), code=1)
    assert f"damaged: one: {key[:12]}" in text
    assert "2 of 3" in text
    assert "is damaged" in said(capsys, "show", key, str(folder), code=2)
    assert "1 results would go" in said(capsys, "prune", "--damaged", "--dry-run", str(folder))
    assert "1 results removed" in said(capsys, "prune", "--damaged", str(folder))
    assert "2 of 2 results are whole" in said(capsys, "verify", str(folder))


def test_old_and_stale_ones_go(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = Store(folder / "one" / "store")
    old, stale, _ = kept.keys()
    for file in (kept.root / old[:2] / old).iterdir():
        os.utime(file, (time.time() - 10 * 86400,) * 2)
    about = kept.root / stale[:2] / stale / "about.json"
    about.write_text(about.read_text().replace('"perolas": "', '"perolas": "9'))
    assert "0 results would go" in said(capsys, "prune", "--days", "30", "--dry-run", str(folder))
    assert "1 results removed" in said(capsys, "prune", "--days", "5", str(folder))
    assert "1 results removed" in said(capsys, "prune", "--stale", str(folder))
    assert len(kept.keys()) == 1


def test_what_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no run of a study" in said(capsys, "ls", str(folder / "nowhere"), code=2)
    assert "Say what may go" in said(capsys, "prune", str(folder), code=2)
    assert 'Argument "days" must be zero or positive' in said(capsys, "prune", "--days", "-1", str(folder), code=2)
