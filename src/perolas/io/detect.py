"""The list of formats and how a file's is found: by its content first, by its extension where that is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perolas.core.errors import InputError, one_line
from perolas.io import (
    becker_hickl,
    diffraction,
    diffraction_raw,
    horiba,
    images,
    infrared,
    picoquant,
    princeton,
    renishaw,
    spectrometers,
)
from perolas.io.source import Source

_VAMAS = "VAMAS Surface Chemical Analysis"
_NETCDF = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Format:
    """A format that perolas reads.

    Attributes:
        name: short name, also the attribute ``format`` of an observation.
        extensions: usual extensions, in small letters with dot.
        description: one line.
        package: what reads it.
        blocks: what several signals in one file are called.
    """

    name: str
    extensions: tuple[str, ...]
    description: str
    package: str
    blocks: str = "block"


TEXT = Format("text", (".txt", ".csv", ".dat", ".xy", ".tsv"), "columns of numbers, any dialect of text", "perolas")

# name, how its content is known; order matters only where one test includes another
_KNOWN: tuple[tuple[Format, Callable[[Source], bool]], ...] = (
    (Format("netcdf", (".nc",), "an observation written by perolas", "h5netcdf"), lambda s: s.data.startswith(_NETCDF)),
    (
        Format("rasx", (".rasx",), "Rigaku SmartLab powder patterns", "perolas", "profile"),
        lambda s: diffraction.is_rasx(s.data),
    ),
    (
        Format("brml", (".brml",), "Bruker DIFFRAC.SUITE powder patterns", "perolas", "scan"),
        lambda s: diffraction.is_brml(s.data),
    ),
    (
        Format("bruker-raw", (".raw",), "Bruker binary powder patterns, versions 3 and 4", "rietx", "range"),
        lambda s: diffraction_raw.is_bruker_raw(s.data),
    ),
    (
        Format("wdf", (".wdf",), "Renishaw WiRE spectra, maps and series", "renishaw-wdf", "spectrum"),
        lambda s: s.data.startswith(renishaw.MAGIC),
    ),
    (
        Format("ptu", (".ptu",), "PicoQuant T3 events, as one decay per channel", "ptufile", "channel"),
        lambda s: s.data.startswith(picoquant.PTU_MAGIC),
    ),
    (
        Format("phu", (".phu",), "PicoQuant histograms", "ptufile", "channel"),
        lambda s: s.data.startswith(picoquant.PHU_MAGIC),
    ),
    (
        Format("spe", (".spe",), "Princeton Instruments WinSpec 2.x and LightField 3 spectra", "perolas", "frame"),
        lambda s: princeton.is_spe(s.data),
    ),
    (
        Format("sdt", (".sdt",), "Becker & Hickl decays", "sdtfile", "block"),
        lambda s: becker_hickl.is_sdt(s.data),
    ),
    (Format("tiff", (".tif", ".tiff"), "grey or colour pictures", "pillow", "frame"), lambda s: images.is_tiff(s.data)),
    (Format("png", (".png",), "grey or colour pictures", "pillow", "frame"), lambda s: s.data.startswith(b"\x89PNG")),
    (
        Format("jpeg", (".jpg", ".jpeg"), "grey or colour pictures", "pillow", "frame"),
        lambda s: s.data.startswith(b"\xff\xd8\xff"),
    ),
    (
        Format("dm", (".dm3", ".dm4"), "pictures of DigitalMicrograph", "rosettasciio (extra: microscopy)", "frame"),
        lambda s: images.is_dm(s.data),
    ),
    (
        Format("tia", (".ser", ".emi"), "pictures of FEI TIA", "rosettasciio (extra: microscopy)", "frame"),
        lambda s: images.is_tia(s.data),
    ),
    (
        Format("opus", (".0", ".1", ".2"), "Bruker OPUS infrared spectra", "brukeropus (extra: infrared)", "spectrum"),
        lambda s: infrared.is_opus(s.data),
    ),
    (
        Format(
            "omnic",
            (".spa", ".spg"),
            "Thermo OMNIC infrared spectra",
            "spectrochempy-omnic (extra: infrared)",
            "spectrum",
        ),
        lambda s: infrared.is_omnic(s.data),
    ),
    (
        Format("jcamp", (".jdx", ".dx", ".jcm"), "JCAMP-DX infrared spectra", "jcamp (extra: infrared)", "spectrum"),
        lambda s: s.is_text and infrared.is_jcamp(s.text),
    ),
    (
        Format("xrdml", (".xrdml",), "PANalytical powder patterns", "perolas", "scan"),
        lambda s: s.is_text and diffraction.is_xrdml(s.text),
    ),
    (
        Format("cif", (".cif",), "powder patterns in CIF", "gemmi", "pattern"),
        lambda s: s.is_text and diffraction.is_powder_cif(s.text),
    ),
    (
        Format("vamas", (".vms",), "VAMAS (ISO 14976) photoemission regions", "vamas", "region"),
        lambda s: s.data[:3000].lstrip(b"\xef\xbb\xbf").startswith(_VAMAS.encode()),
    ),
    (
        Format("witec", (".txt",), "WITec ASCII export", "perolas", "spectrum"),
        lambda s: s.is_text and spectrometers.is_witec(s.text),
    ),
    (
        Format("ocean-optics", (".txt",), "Ocean Optics SpectraSuite and OceanView export", "perolas"),
        lambda s: s.is_text and spectrometers.is_ocean(s.text),
    ),
    (
        Format("perkin-elmer", (".asc",), "PerkinElmer UV WinLab export", "perolas"),
        lambda s: s.is_text and spectrometers.is_perkin_elmer(s.text),
    ),
    (
        Format("horiba", (".txt",), "Horiba DataStation decay or instrument response", "perolas"),
        lambda s: s.is_text and horiba.is_horiba(s.text),
    ),
)

_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive (or an office, rasx or brml file)"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"CDF\x01", "a NetCDF file of version 3, whereas perolas writes version 4"),
    (b"CDF\x02", "a NetCDF file of version 3, whereas perolas writes version 4"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"<?xml", "an XML document"),
    (b"data_", "a CIF file"),
)
_LIST = "the formats that are read are listed by `perolas formats`"


def formats() -> tuple[Format, ...]:
    """Return the formats that can be read, the general text last."""
    return (*(f for f, _ in _KNOWN), TEXT)


def detect(source: Source) -> Format:
    """Return the format of a file.

    Args:
        source: the file.

    Returns:
        Its format, by content; plain text is `TEXT`.

    Raises:
        InputError: another kind of file, or one whose extension promises what its content does not keep.
    """
    for known, fits in _KNOWN:
        if fits(source):
            return known
    for magic, what in _FOREIGN:
        if source.data.startswith(magic):
            raise InputError(f"It is {what}; {_LIST}.")
    for known, _ in _KNOWN:
        if source.extension in known.extensions and source.extension not in TEXT.extensions:
            raise InputError(
                f'It is named "{one_line(source.extension, 10)}" but does not hold {known.description}; '
                "it may be cut short, damaged, or of another program."
            )
    source.text  # noqa: B018 - raises the sentence about what is not text
    if not source.text.strip():
        raise InputError("It is empty but for white space; export the measurement again.")
    return TEXT
