"""What reading any file may take: 5 s, and 1 GiB of memory on top of what the process has."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS = 5.0
BYTES = 2**30


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Let an allocation beyond the bound fail with MemoryError, and assert the time in the end."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    before = resource.getrlimit(resource.RLIMIT_AS)
    if pages is not None:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, before[1]))
    start = time.perf_counter()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.perf_counter() - start < SECONDS
