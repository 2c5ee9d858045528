"""The wheel, built from the source archive and unpacked elsewhere, runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "perolas"


def python(*arguments: str, folder: Path, path: Path | None = None) -> str:
    """Run Python in `folder`, with `path` before everything else it can import; return what it prints."""
    env = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.full
def test_wheel_runs_elsewhere(tmp_path: Path) -> None:
    # No isolation, so without a network; the wheel is made from the sdist, which is thereby tested too.
    python("-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT), folder=tmp_path)
    (wheel,) = tmp_path.glob("perolas-*-py3-none-any.whl")
    inside = {name.removeprefix("perolas/") for name in zipfile.ZipFile(wheel).namelist()}
    wanted = {
        p.relative_to(SOURCE).as_posix() for p in SOURCE.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    assert wanted <= inside, f"not in the wheel: {sorted(wanted - inside)}"
    assert {".yaml", ".toml", ".j2"} <= {Path(name).suffix for name in inside}

    site = tmp_path / "site"
    python("-m", "pip", "install", "-qq", "--no-deps", "--target", str(site), str(wheel), folder=tmp_path)
    where = python("-c", "import perolas; print(perolas.__file__)", folder=tmp_path, path=site)
    assert Path(where.strip()).is_relative_to(site), "another perolas was imported"

    def perolas(*arguments: str) -> str:
        return python("-m", "perolas", *arguments, folder=tmp_path, path=site)

    assert "simulate" in perolas("--help")
    assert "wdf" in perolas("formats")
    perolas("simulate", "trpl", "--components", "1", "--irf-fwhm", "1 ns", "--bins", "256", "-o", "decay.nc")
    fitted = json.loads(
        perolas("fit", "decay.nc", "--technique", "trpl", "--components", "1", "--irf-fwhm", "1 ns", "--json")
    )
    assert fitted["result"] == "converged"
    assert fitted["quantities"]["tau_mean_amplitude"]["value"] > 0
