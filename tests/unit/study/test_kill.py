"""A run that is killed at any moment and started again ends with the same files, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import perolas
from perolas.study import store

STEPS = 250


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A copy of the package: its sources are part of every hash, and somebody may be editing them right now."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(Path(perolas.__file__).parent, site / "perolas", ignore=shutil.ignore_patterns("__pycache__"))
    return {**os.environ, "PYTHONPATH": str(site)}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many cheap steps in one chain, so that a run takes seconds and has hundreds of moments to be killed at."""
    path = tmp_path_factory.mktemp("kill") / "study.toml"
    text = '[study]\nid = "many"\ntitle = "Many steps"\n'
    text += '[[step]]\nname = "s0"\nkind = "arithmetic"\ngiven = { a = "1.1 +- 0.1 eV" }\n[step.quantities]\nq = { expression = "a", unit = "eV" }\n'  # noqa: E501
    for i in range(1, STEPS):
        text += f'[[step]]\nname = "s{i}"\nkind = "arithmetic"\n[step.quantities]\n'
        text += f'q = {{ expression = "s{i - 1}.q * 1.01 + s{i // 2}.q / 7", unit = "eV" }}\n'
    text += f'[[claim]]\nid = "last"\ntext = "t"\nvalue = 1\nunit = "eV"\ntolerance = 1\nquantity = "s{STEPS - 1}.q"\n'
    path.write_text(text)
    return path


def command(study: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "perolas", "run", str(study), "--out", str(out)]


def results(out: Path) -> dict[str, bytes]:
    """Every file but the store, whose half-written entries are its own business, and hidden notes."""
    found = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    return {name: p.read_bytes() for name, p in found.items() if not name.startswith(("store/", "."))}


@pytest.fixture(scope="module")
def undisturbed(
    study: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], float]:
    out = tmp_path_factory.mktemp("undisturbed")
    start = time.monotonic()
    subprocess.run(command(study, out), env=environment, check=True, capture_output=True)
    return results(out), time.monotonic() - start


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.full)])
def test_killed_and_resumed(
    study: Path, environment: dict[str, str], undisturbed: tuple[dict[str, bytes], float], tmp_path: Path, kills: int
) -> None:
    """Kill runs in one folder again and again; where one gets through, compare it and begin in a new folder."""
    expected, seconds = undisturbed
    assert {"claims.json", "estimates.json", "report.html"} <= set(expected)
    moments = random.Random(kills)
    landed = finished = 0
    out = tmp_path / "0"
    while landed < kills or not finished:
        process = subprocess.Popen(command(study, out), env=environment, stdout=subprocess.DEVNULL)
        # Wait until it works, then kill it somewhere in what is left, the writing of the report included.
        while process.poll() is None and not (out / "store").exists():
            time.sleep(0.005)
        if landed < kills:
            time.sleep(moments.uniform(0.0, 0.6 * seconds))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                landed += 1
        done = process.wait() == 0
        whole = results(out)
        assert [n for n, d in whole.items() if expected[n] != d] == [], "a file was there in part"
        kept = store.Store(out / "store")
        assert [k for k in kept.keys() if kept.get(k) is None] == []  # noqa: SIM118
        if done:
            assert sorted(whole) == sorted(expected)
            finished += 1
            out = tmp_path / str(finished)
    assert landed == kills
