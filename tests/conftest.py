"""What every test may use: the folder of real data, and a compilation cache that outlives the run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import platformdirs
import pytest

from perolas.core.compiled import make_room

ROOT = Path(__file__).resolve().parents[1]


def _jax_cache() -> Path:
    """One folder per kind of processor: code compiled for another one may not run here."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        flags = ""
    kind = hashlib.sha256(flags.encode()).hexdigest()[:12]
    return Path(platformdirs.user_cache_dir("perolas")) / "jax-tests" / kind


# Before jax is imported, here and in every command that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers with two threads each get in each other's way
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_jax_cache()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


def absent(what: str, reason: str) -> NoReturn:
    """Skip the test because `what` is not here, or fail it where PEROLAS_REQUIRE names it."""
    if what in os.environ.get("PEROLAS_REQUIRE", "").split(","):
        pytest.fail(f"{reason} (PEROLAS_REQUIRE asks for {what})", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _room_for_compiled_code() -> Iterator[None]:
    """Forget compiled functions between tests when they have become many."""
    yield
    make_room()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real instrument files: $PEROLAS_DATA, or ../shared/data beside the repository."""
    given = os.environ.get("PEROLAS_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        absent("data", "no real instrument files: set PEROLAS_DATA to their folder")
    return folder.resolve()
