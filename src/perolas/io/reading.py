"""The two entry points; whatever goes wrong in any reader leaves through here as one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError, PerolasError, one_line
from perolas.core.observation import AXIS_UNITS, axis_of, is_image
from perolas.core.pixel import parse_scale, with_pixel
from perolas.io import (
    becker_hickl,
    diffraction,
    diffraction_raw,
    electrical,
    elements,
    horiba,
    images,
    infrared,
    picoquant,
    princeton,
    renishaw,
    spectrometers,
    sweeps,
    text,
    vms,
)
from perolas.io.block import Block, build, choose, unique_names
from perolas.io.detect import Format, detect
from perolas.io.source import DEFAULT_MAX_BYTES, Source, open_source


def read(
    path: str | Path,
    *,
    technique: str | None = None,
    axis: str | None = None,
    units: str | None = None,
    region: str | None = None,
    channel: int | str | None = None,
    columns: Sequence[int] | None = None,
    scale: str | float | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> xr.Dataset:
    """Read one signal from an instrument's file.

    Args:
        path: the file; its format is found by its content.
        technique: recorded in the observation; by default what the format is made for.
        axis: what the first column of a text file without a telling header is, one of
            `perolas.core.observation.AXIS_UNITS`; a header that names another quantity of the same unit (kinetic
            for binding energy) wins, one of another dimension is an error.
        units: unit of the signal where the file says nothing, e.g. ``"counts"``; see `perolas.io.block` for what
            may be called counts.
        region: name of the region to take, spelled forgivingly (``"Pb4f"`` finds ``"Pb 4f"``).
        channel: number of the channel, frame or spectrum to take, from 0 (detectors: their own number).
        columns: columns of a text file to take: (axis, signal) or (axis, signal, standard error), from 0.
        scale: size of a pixel of a picture, such as ``"0.02 nm/px"``, instead of what the file says.
        max_bytes: largest file that is loaded, in bytes.

    Returns:
        The observation: ``signal`` of shape (n,) in its own unit on its axis; ``variance`` where the file has errors.

    Raises:
        InputError: the file cannot be used, or holds several signals and none was chosen; one sentence.
    """
    with _one_sentence(path):
        if axis in sweeps.AXES and region is None and scale is None:
            return sweeps.read_sweep(
                path, axis, technique=technique, columns=columns, channel=channel, max_bytes=max_bytes
            )
        if axis in electrical.AXES and region is None and scale is None:
            return electrical.read_trace(
                path, axis, technique=technique, columns=columns, channel=channel, max_bytes=max_bytes
            )
        if axis in elements.AXES and region is None and scale is None:
            return elements.read_elements(path, technique=technique, columns=columns, max_bytes=max_bytes)
        source, kind, found = _load(path, technique, axis, units, columns, max_bytes, scale, channel)
        if isinstance(found, xr.Dataset):
            return found
        block = choose(found, kind.blocks, region, channel)
        return _observation(block, source, kind, technique)


def read_all(
    path: str | Path,
    *,
    technique: str | None = None,
    axis: str | None = None,
    units: str | None = None,
    region: str | None = None,
    channel: int | str | None = None,
    columns: Sequence[int] | None = None,
    scale: str | float | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> list[xr.Dataset]:
    """Read every signal of an instrument's file, in its order.

    Args:
        path: as for `read`, and so are the others.
        technique: recorded in the observations.
        axis: what the first column of a text file is.
        units: unit of the signal where the file says nothing.
        region: take only this one.
        channel: take only this one.
        columns: columns of a text file to take.
        scale: size of a pixel of a picture.
        max_bytes: largest file that is loaded, in bytes.

    Returns:
        One observation per region, channel, frame or spectrum; their attribute ``region`` is its name.

    Raises:
        InputError: the file cannot be used; one sentence.
    """
    with _one_sentence(path):
        source, kind, found = _load(path, technique, axis, units, columns, max_bytes, scale, channel)
        if isinstance(found, xr.Dataset):
            return [found]
        if region is not None or channel is not None:
            found = [choose(found, kind.blocks, region, channel)]
        result = []
        for block, name in zip(found, unique_names(found), strict=True):
            try:
                result.append(_observation(block, source, kind, technique))
            except InputError as error:
                if len(found) == 1:
                    raise
                raise InputError(f'In {kind.blocks} "{name}", {_lower(str(error))}') from None
        return result


def _load(
    path: str | Path,
    technique: str | None,
    axis: str | None,
    units: str | None,
    columns: Sequence[int] | None,
    max_bytes: int,
    scale: str | float | None,
    channel: int | str | None,
) -> tuple[Source, Format, list[Block] | xr.Dataset]:
    if axis is not None:
        check.one_of(axis, AXIS_UNITS, "The axis")
    source = open_source(path, max_bytes)
    kind = detect(source)
    chosen = tuple(columns) if columns is not None else None
    found: list[Block] | xr.Dataset
    match kind.name:
        case "netcdf":
            found = _own(source, technique)
            if scale is not None and is_image(found):
                found = with_pixel(found, parse_scale(scale))
        case "vamas":
            found = vms.read_vamas(source, axis)
        case "wdf":
            found = renishaw.read_wdf(source)
        case "spe":
            found = princeton.read_spe(source)
        case "ptu":
            found = picoquant.read_ptu(source)
        case "phu":
            found = picoquant.read_phu(source)
        case "sdt":
            found = becker_hickl.read_sdt(source)
        case "rasx":
            found = diffraction.read_rasx(source)
        case "brml":
            found = diffraction.read_brml(source)
        case "bruker-raw":
            found = diffraction_raw.read_bruker_raw(source)
        case "xrdml":
            found = diffraction.read_xrdml(source)
        case "cif":
            found = diffraction.read_powder_cif(source)
        case "tiff" | "png" | "jpeg" | "dm" | "tia" as picture:
            found = images.read_image(source, picture, scale=scale, channel=channel, technique=technique)
        case "opus":
            found = infrared.read_opus(source)
        case "omnic":
            found = infrared.read_omnic(source)
        case "jcamp":
            found = infrared.read_jcamp(source)
        case "horiba":
            found = horiba.read_horiba(source)
        case "witec":
            found = spectrometers.read_witec(source, None)
        case "ocean-optics":
            found = spectrometers.read_ocean(source)
        case "perkin-elmer":
            found = spectrometers.read_perkin_elmer(source)
        case _:
            found = text.read_text(source, axis, units, chosen)
    if axis is not None and isinstance(found, xr.Dataset) and is_image(found):
        raise InputError(f'It is a picture, but axis="{axis}" was asked for; leave axis out, or give a spectrum.')
    if scale is not None and not (isinstance(found, xr.Dataset) and is_image(found)):
        raise InputError("A scale belongs to a picture, and it is none; leave scale out.")
    if axis is not None:
        name = axis_of(found) if isinstance(found, xr.Dataset) else found[0].axis
        if AXIS_UNITS[name] != AXIS_UNITS[axis]:
            raise InputError(f'Its axis is {name}, but axis="{axis}" was asked for; leave axis out, or convert it.')
    return source, kind, found


def _own(source: Source, technique: str | None) -> xr.Dataset:
    from perolas.io.netcdf import read_netcdf

    dataset = read_netcdf(source)
    dataset.attrs.update({"format": "netcdf", "source": source.name, "sha256": source.sha256})
    if technique is not None:
        dataset.attrs["technique"] = technique
    return dataset


def _observation(block: Block, source: Source, kind: Format, technique: str | None) -> xr.Dataset:
    attrs: dict[str, Any] = {"format": kind.name, "source": source.name, "sha256": source.sha256}
    return build(block, technique=technique or block.technique, **attrs)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() or sentence[1:2] == " " else sentence


@contextmanager
def _one_sentence(path: str | Path) -> Iterator[None]:
    """Turn whatever a reader or a package raises into one sentence with the file's name and nothing of its folder."""
    name = one_line(Path(str(path)).name or "the file", 120)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages, about damage that is reported here
            yield
    except PerolasError as error:
        said = str(error)
        if f'"{name}"' in said:
            raise
        raise InputError(f'Cannot read "{name}": {_lower(said)}') from None
    except MemoryError:
        raise InputError(f'Cannot read "{name}": it announces more data than fits into memory.') from None
    except Exception as error:  # the packages raise anything at all on damaged files
        raise InputError(
            f'Cannot read "{name}": it is cut short or damaged ({type(error).__name__}); copy or export it again.'
        ) from error
