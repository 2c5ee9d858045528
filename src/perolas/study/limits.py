"""Limits of time and memory for one item of a study, watched while it is done."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_EVERY_S = 0.25
OVER = 70  # exit code of a worker that ended itself
FIT_MB = 250.0  # a process with jax and the other libraries before it fits anything
_FILE_TIMES = 30.0  # memory over the size of a file: its text, its numbers, and the columns of a fit


@dataclass(frozen=True)
class Limits:
    """What one item may take.

    Attributes:
        time_s: wall-clock time, s; None: as long as it takes.
        memory_mb: resident memory of its process, MB (1e6 bytes); None: what the machine has.
    """

    time_s: float | None = None
    memory_mb: float | None = None

    def over(self, seconds: float, memory_mb: float) -> str | None:
        """Return a sentence where one of the limits is passed, else None."""
        if self.time_s is not None and seconds > self.time_s:
            return f"It took longer than its limit of {self.time_s:g} s."
        if self.memory_mb is not None and memory_mb > self.memory_mb:
            return f"It needed more memory than its limit of {self.memory_mb:g} MB."
        return None


def needed_mb(file_bytes: int = 0) -> float:
    """Return about how much memory a measurement will take.

    Args:
        file_bytes: size of its file.

    Returns:
        MB (1e6 bytes), the libraries included.
    """
    return FIT_MB + _FILE_TIMES * file_bytes / 1e6


def too_large(needed: float, limits: Limits) -> str | None:
    """Return a sentence where an item is expected to take more memory than its limit, else None."""
    if limits.memory_mb is None or needed <= limits.memory_mb:
        return None
    return f"It was not begun: it would need about {needed:.0f} MB, more than its limit of {limits.memory_mb:g} MB."


class Watch:
    """A context manager that calls `tell` with a sentence and ends the process when a limit is passed.

    Nothing gentler ends a long calculation that is inside compiled code. What was finished before is in the store.
    """

    def __init__(self, limits: Limits, tell: Callable[[str], None]) -> None:
        self._limits = limits
        self._tell = tell
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="perolas-limits", daemon=True)

    def __enter__(self) -> Watch:
        """Begin to watch, if there is anything to watch."""
        if self._limits != Limits():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._end.set()

    def _look(self) -> None:
        begun = time.monotonic()
        while not self._end.wait(_EVERY_S):
            sentence = self._limits.over(time.monotonic() - begun, memory_mb())
            if sentence is not None:
                self._tell(sentence)
                os._exit(OVER)


def memory_mb() -> float:
    """Return the resident memory of this process in MB (1e6 bytes)."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6
