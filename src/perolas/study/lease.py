"""Leases: who is doing an entry of the store right now, so that no two workers do it at once.

A lease is a file that its holder touches every few seconds. One that nobody has touched for a while belongs to a
worker that was killed, and is taken over. It guards against doing work twice, not against wrong results: two that do
the same after all put the same entry in the same place.
"""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

BEAT_S = 2.0
STALE_S = 12.0


class Lease:
    """A lease that is held: a context manager that keeps touching its file and removes it in the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="perolas-lease", daemon=True)

    def __enter__(self) -> Lease:
        """Begin to touch the file."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and give the lease back."""
        self._end.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            try:
                os.utime(self._path)
            except OSError:
                return  # somebody cleared the folder; the work goes on without


def take(folder: Path, key: str) -> Lease | None:
    """Take the lease of an entry.

    Args:
        folder: of the leases, shared by all workers.
        key: of the entry.

    Returns:
        The lease, or None while somebody who is alive holds it.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / key
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        return Lease(path)
    except FileExistsError:
        pass
    try:
        touched = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None  # given back this very moment: ask again
    if _now_ns(folder) - touched < STALE_S * 1e9:
        return None
    # Of several who see the same abandoned lease, the one that makes this file takes it over.
    claim = folder / f"{key}.{touched}"
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return None
    try:
        os.utime(path)
    except FileNotFoundError:
        return None
    finally:
        claim.unlink(missing_ok=True)
    return Lease(path)


def _now_ns(folder: Path) -> int:
    """Return the time of the file system, which several machines share where their clocks differ."""
    probe = folder / f".clock.{uuid.uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime_ns
    finally:
        probe.unlink(missing_ok=True)
