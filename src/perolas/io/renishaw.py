"""Renishaw WiRE ``.wdf``, through the maker's own package `renishaw-wdf`.

Before the package sees a file, its chain of blocks is walked and every declared size is held against the size of
the file: the package trusts them. Property sets, which may be compressed, are not opened.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block, check_count
from perolas.io.source import Source

MAGIC = b"WDF1"
_AXES = {
    "RamanShift": "raman_shift_cm1",
    "Wavenumber": "wavenumber_cm1",
    "Nanometre": "wavelength_nm",
    "ElectronVolt": "energy_ev",
}
_POSITIONS = {"Spatial_X": "x_um", "Spatial_Y": "y_um", "Spatial_Z": "z_um", "ElapsedTime": "elapsed_s"}


def _walk(data: bytes) -> dict[bytes, int]:
    """Return the size of the first block of each kind, having checked the whole chain."""
    sizes: dict[bytes, int] = {}
    position = count = 0
    while position < len(data):
        if position + 16 > len(data):
            raise InputError("It ends in the middle of a block; copy it again from the instrument.")
        kind, _, size = struct.unpack_from("<4sIQ", data, position)
        if size < 16 or position + size > len(data):
            raise InputError(
                f"Its block {one_line(kind.decode('latin-1'), 8)} announces {size} bytes where {len(data) - position} "
                "are left; it is cut short or damaged."
            )
        sizes.setdefault(kind, size)
        position, count = position + size, count + 1
        if count > 10_000:
            raise InputError("It consists of more than 10000 blocks, which no measurement does.")
    return sizes


def read_wdf(source: Source) -> list[Block]:
    """Read the spectra of a ``.wdf`` file.

    Args:
        source: the file.

    Returns:
        One block per spectrum, on the file's own axis (often falling).

    Raises:
        InputError: cut short, damaged, or of a kind that is not read.
    """
    from wdf.wdf import Wdf
    from wdf.wdfenums import WdfBlockId

    if not source.data.startswith(MAGIC) or len(source.data) < 512:
        raise InputError("It does not begin like a Renishaw wdf file, or is cut short.")
    sizes = _walk(source.data)
    for needed in (b"DATA", b"XLST"):
        if needed not in sizes:
            raise InputError(f"It has no {needed.decode()} block; it is cut short or holds no spectrum.")
    file: Any = Wdf()  # type: ignore[no-untyped-call]
    file.open_fd(io.BytesIO(source.data))
    head = file.hdr
    points, spectra = head.npoints, min(head.ncollected, head.nspectra)
    if head.flags_ & 0b1001:  # one axis per spectrum
        raise InputError("It holds an axis per spectrum (multitrack), which is not read; export the spectra singly.")
    if not 2 <= points == head.xlistcount:
        raise InputError(f"It holds {points} points on an axis of {head.xlistcount}: an image, or damaged.")
    if not 1 <= spectra <= MAX_BLOCKS or 16 + 4 * points * spectra > sizes[b"DATA"] or 24 + 4 * points > sizes[b"XLST"]:
        raise InputError(f"It announces {spectra} spectra of {points} points, more than it holds or than is read.")
    check_count(points * spectra)
    x = file.xlist()
    unit = x.units.name
    if unit not in _AXES:
        raise InputError(f'Its axis is in "{one_line(unit, 30)}", which is none of {", ".join(_AXES)}.')
    file.find_section(WdfBlockId.DATA)
    start = file.fd.tell()
    signal = np.frombuffer(source.data, "<f4", points * spectra, start).reshape(spectra, points).astype(np.float64)
    laser = 1e7 / head.laser_wavenumber if head.laser_wavenumber > 0 else None
    common = {"laser_nm": laser, "accumulations": int(head.naccum), "title": one_line(head.title, 100)}
    positions = _positions(file, sizes, head)
    return [
        Block(
            name=f"spectrum {i}",
            axis=_AXES[unit],
            values=np.asarray(x, dtype=np.float64),
            signal=signal[i],
            units="counts" if head.units_ == 6 else "arb",
            technique="raman",
            instrument=f"Renishaw {one_line(head.appname, 40)}".strip(),
            conditions=common | {name: float(values[i]) for name, values in positions.items()},
        )
        for i in range(spectra)
    ]


def _positions(file: Any, sizes: dict[bytes, int], head: Any) -> dict[str, Any]:
    """Return where each spectrum was taken, for maps and series."""
    spectra = head.nspectra
    if spectra < 2 or 20 + head.origincount * (24 + 8 * spectra) > sizes.get(b"ORGN", 0):
        return {}
    found = {}
    for kind, origin in file.origins.items():
        if kind.name in _POSITIONS and origin.dataunit.name in ("Micron", "Seconds"):
            found[_POSITIONS[kind.name]] = origin[0:spectra]
    return found
