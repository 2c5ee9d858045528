"""Room for compiled code: Linux grants a process 65,530 memory mappings, and jax crashes beyond."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

# Each compiled function takes several; one fit may compile hundreds.
MOST_MAPPINGS = 25_000


def make_room(most: int = MOST_MAPPINGS) -> bool:
    """Forget compiled functions where they have become many; what is on disk stays and is loaded again when needed.

    Args:
        most: number of memory mappings of this process from which on they are forgotten.

    Returns:
        Whether they were. Where the system does not say how many mappings there are, nothing is done.
    """
    if "jax" not in sys.modules:
        return False
    try:
        mappings = Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:
        return False
    if mappings <= most:
        return False
    sys.modules["jax"].clear_caches()
    gc.collect()
    return True
