"""Limits of time and memory for one item of a study, watched while it is done."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_EVERY_S = 0.25
OVER = 70  # exit code of a worker that ended itself


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
