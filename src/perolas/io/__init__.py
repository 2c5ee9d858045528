"""Readers: one file per family of formats; each turns an instrument's file into an Observation.

Nothing in here knows a technique's physics; the rules that all readers keep are in `perolas.io.block`
(what counts are) and `perolas.io.columns` (what an axis is).
"""

from perolas.io.detect import Format, formats
from perolas.io.reading import read, read_all

__all__ = ["Format", "formats", "read", "read_all"]
