"""A block is one signal of a file, before it is checked; here is also the one rule of what counts are.

**Counts.** A signal has the unit ``"counts"`` only where it holds whole, non-negative numbers. Where a file or
its reader says counts but the numbers have fractions (an average, a smoothed or scaled signal), the unit becomes
``"arb"``. Negative numbers are refused where events were counted one by one (`Block.counted`, or the caller's own
``units="counts"``), since they prove that something was subtracted; a camera's or a spectrometer's software
subtracts dark frames as a matter of course, so there they make the unit ``"arb"``. (Camera counts are digital
units, whole and non-negative but not photons: their noise needs a gain.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.observation import make_observation

MAX_VALUES = 2**25  # 256 MiB in double precision
MAX_BLOCKS = 10_000  # a map of 100 x 100 points, some seconds


@dataclass(frozen=True)
class Block:
    """One region, channel, frame or spectrum of a file.

    Attributes:
        name: as the file calls it, e.g. ``"Pb 4f"``.
        axis: name of its axis, one of `perolas.core.observation.AXIS_UNITS`.
        values: shape (n,), in the unit of the axis.
        signal: shape (n,) or (batch, n).
        units: unit of the signal as the file says; None where it says nothing.
        counted: events were counted one by one, so a negative number is an error.
        variance: like the signal, in `units` squared, where the file gives errors.
        technique: what this format is made for, where that is plain.
        instrument: as the file names it.
        conditions: what else the file says.
    """

    name: str
    axis: str
    values: NDArray[np.float64]
    signal: NDArray[np.float64]
    units: str | None = "counts"
    counted: bool = False
    variance: NDArray[np.float64] | None = None
    technique: str | None = None
    instrument: str | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)


def signal_units(signal: NDArray[np.float64], units: str | None, counted: bool) -> str:
    """Return the unit that the numbers deserve (see the rule at the top of this module).

    Args:
        signal: any shape, finite.
        units: what is claimed; None claims nothing and is decided by the numbers alone.
        counted: negative numbers are an error.

    Returns:
        ``"counts"``, ``"arb"``, or `units` unchanged where it is another unit.

    Raises:
        InputError: negative counts.
    """
    if units not in (None, "counts"):
        return str(units)
    if counted:
        check.counts(signal)
    whole = bool(np.all(signal >= 0) and np.all(signal == np.floor(signal)))
    return "counts" if whole else "arb"


def build(block: Block, **attrs: Any) -> xr.Dataset:
    """Return the block as a checked observation.

    Args:
        block: what a reader found.
        attrs: format, source, sha256, technique ...

    Returns:
        The observation.

    Raises:
        InputError: its values cannot be used.
    """
    signal = np.asarray(block.signal, dtype=np.float64)
    bad = int(np.sum(~np.isfinite(signal)))
    if bad:
        raise InputError(f"The signal has {bad} values that are not numbers (NaN or infinite); remove them first.")
    instrument = one_line(block.instrument, 120) if block.instrument else None
    return make_observation(
        signal,
        block.axis,
        block.values,
        units=signal_units(signal, block.units, block.counted),
        variance=block.variance,
        conditions={k: v for k, v in block.conditions.items() if v is not None and v != ""},
        **{"instrument": instrument, "region": one_line(block.name, 120) or None, **attrs},
    )


def unique_names(blocks: list[Block]) -> list[str]:
    """Return a name for each block, numbered (``"O 1s #2"``) where several share one."""
    plain = [one_line(b.name, 60) or "unnamed" for b in blocks]
    many = Counter(plain)
    seen: Counter[str] = Counter()
    names = []
    for name in plain:
        seen[name] += 1
        names.append(f"{name} #{seen[name]}" if many[name] > 1 else name)
    return names


def check_count(values: int) -> None:
    """Refuse a file that announces more numbers than fit into memory with room to work; raises InputError."""
    if values > MAX_VALUES:
        raise InputError(f"It holds {values:,} numbers, and {MAX_VALUES:,} are read at most; export fewer spectra.")


def plain_name(name: str) -> str:
    """Return a name as it is compared: ``"Pb 4f"``, ``"Pb4f"`` and ``"pb 4F"`` are one."""
    return "".join(c for c in str(name).casefold() if c.isalnum())


def choose(blocks: list[Block], kind: str, region: str | None, channel: int | str | None) -> Block:
    """Return the one block that was asked for.

    Args:
        blocks: all that the file holds.
        kind: what the format calls them (``"region"``, ``"channel"`` ...).
        region: name of the block, spelled forgivingly.
        channel: its number from 0 in the order of the file, or its name.

    Returns:
        The block.

    Raises:
        InputError: none or several fit; the sentence lists those that there are.
    """
    names = unique_names(blocks)
    listed = ", ".join(names[:12]) + (f", ... (numbered 0 to {len(names) - 1})" if len(names) > 12 else "")
    option = "region" if kind == "region" else "channel"
    if isinstance(channel, str) and channel.lstrip("-").isdigit() and channel not in names:
        channel = int(channel)
    if isinstance(channel, int) and not isinstance(channel, bool):
        by_name = [b for b, n in zip(blocks, names, strict=True) if plain_name(n) == f"{kind}{channel}"]
        if len(by_name) == 1:
            return by_name[0]
        if by_name == [] and 0 <= channel < len(blocks) and not _numbered(names, kind):
            return blocks[channel]
        raise InputError(f"There is no {kind} {channel}; there are {len(names)}: {listed}.")
    wanted = region if region is not None else channel
    if wanted is None:
        if len(blocks) == 1:
            return blocks[0]
        raise InputError(f"It has {len(blocks)} {kind}s: {listed}; choose one with {option}=, or use read_all.")
    exact = [b for b, n in zip(blocks, names, strict=True) if plain_name(n) == plain_name(str(wanted))]
    found = exact or [b for b in blocks if plain_name(b.name) == plain_name(str(wanted))]
    if len(found) == 1:
        return found[0]
    how_many = f"There are {len(found)} {kind}s" if found else f"There is no {kind}"
    raise InputError(f'{how_many} called "{one_line(wanted, 40)}"; there are: {listed}.')


def _numbered(names: list[str], kind: str) -> bool:
    """Whether the blocks carry the instrument's own numbers (detector channels), which then count."""
    return all(plain_name(n).removeprefix(kind).isdigit() and plain_name(n).startswith(kind) for n in names)
