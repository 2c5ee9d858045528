"""perolas's own observations, as written by ``dataset.to_netcdf(path, engine="h5netcdf")``.

Only plain numbers and text are taken; sizes are looked at before anything is loaded.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import xarray as xr

from perolas.core.errors import InputError, one_line
from perolas.core.observation import AXIS_UNITS, is_image, validate
from perolas.io.source import Source

MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\0\0\0"
_MAX_VALUES = 50_000_000


def _check_heaps(data: bytes) -> None:
    """Walk the heaps where HDF5 keeps text: they carry no checksum, and on some damage its library loops for ever."""
    at = data.find(_HEAP)
    while at >= 0:
        end = at + int.from_bytes(data[at + 8 : at + 16], "little")
        position, good = at + 16, end <= len(data)
        while good and position + 16 <= end:
            index, _, _, size = struct.unpack_from("<HHIQ", data, position)
            step = size if index == 0 else 16 + (size + 7) // 8 * 8  # object 0 is the free space up to the end
            good = step >= 16 and position + step <= end and (index != 0 or position + step == end)
            position += step
        if not good:
            raise InputError("It is damaged where it keeps its text; copy it again.")
        at = data.find(_HEAP, at + 4)


def _check(data: bytes) -> None:
    """Look at everything the file declares before a number is loaded."""
    import h5py

    _check_heaps(data)
    total = 0
    with h5py.File(io.BytesIO(data), "r") as file:
        dict(file.attrs)
        for name in file:
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise InputError(f'Its part "{one_line(name, 40)}" points into another file or elsewhere; refused.')
            item = file[name]
            if isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                raise InputError(f'Its part "{one_line(name, 40)}" takes its numbers from another file; refused.')
            dict(item.attrs)
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
                raise InputError(
                    f'It is a NetCDF file but not an observation of perolas: "{one_line(name, 40)}" is not of numbers.'
                )
            total += item.size or 0
        if total > _MAX_VALUES:
            raise InputError(f"It announces {total} numbers, more than any observation has.")
        if "signal" not in file:
            raise InputError('It is a NetCDF or HDF5 file but not an observation of perolas: it has no "signal".')


def read_netcdf(source: Source) -> xr.Dataset:
    """Read an observation back.

    Args:
        source: the file.

    Returns:
        The observation as it was written, with its own attributes.

    Raises:
        InputError: no NetCDF file, or not one of an observation.
    """
    _check(source.data)
    with xr.open_dataset(io.BytesIO(source.data), engine="h5netcdf", decode_cf=False) as lazy:
        dataset = lazy.load()
    for variable in dataset.variables.values():
        for name in ("_FillValue", "coordinates"):
            variable.attrs.pop(name, None)
    dataset = dataset.set_coords([n for n in dataset.variables if n in dataset.dims])
    axis = dataset["signal"].dims[-1] if dataset["signal"].dims else None
    known = axis in AXIS_UNITS and axis in dataset.coords
    if is_image(dataset):
        known = all(d in dataset.coords and dataset[d].attrs.get("units") == str(d)[2:] for d in dataset["signal"].dims)
    elif known:
        known = dataset[axis].attrs.get("units") == AXIS_UNITS[str(axis)]
    if not known:
        raise InputError(f'It is a NetCDF file but not an observation of perolas: "{one_line(axis, 40)}" is no axis.')
    for name, value in list(dataset.attrs.items()):
        if isinstance(value, np.generic):
            dataset.attrs[name] = value.item()
    return validate(dataset)
