"""Small valid files of every format, made here from the formats' own descriptions, with numbers known in advance."""

from __future__ import annotations

import io
import struct
import tempfile
import uuid
import zipfile
from pathlib import Path

import numpy as np

DECAY = np.array([0, 3, 40, 30, 20, 12, 8, 5, 3, 2, 1, 0], dtype=np.uint32)


def text() -> bytes:
    return b"Wavelength (nm),Intensity (counts)\n" + b"".join(b"%d,%d\n" % (500 + i, n) for i, n in enumerate(DECAY))


def horiba() -> bytes:
    head = "Item name: Decay\n\nReal time: 3.5\nLive time: 0\nTime calibration: 5.0E-01ns/ch\n\nComment: dye\n\n"
    head += "Chan\tData\n"
    return (head + "".join(f"{i + 1}\t{n}\n" for i, n in enumerate(DECAY))).encode()


def witec(unit: str = "nm", announced: int = 12) -> bytes:
    head = (
        f"//Exported ASCII-File\r\n[Header]\r\nGraphName = spot\r\nSizeGraph = {announced}\r\nXAxisUnit = {unit}\r\n"
        f"DataUnit = CCD cts\r\n\r\n[Data]\r\nX-Axis,spot\r\n{unit},CCD cts\r\n"
    )
    return (head + "".join(f" {530 + 0.1 * i:.6E}, {n:.6E}\r\n" for i, n in enumerate(DECAY))).encode()


def ocean(values: np.ndarray = DECAY) -> bytes:
    head = (
        "Data from USB_0001 Node\n\nDate: Mon\nUser: me\nSpectrometer: USB_0001\nIntegration Time (sec): 1.0E-1\n"
        f"Number of Pixels in Spectrum: {len(values)}\n>>>>>Begin Spectral Data<<<<<\n"
    )
    return (head + "".join(f"{400 + i}\t{n:g}\n" for i, n in enumerate(values))).encode()


def perkin_elmer(quantity: str = "%T") -> bytes:
    head = [
        "PE UV       SUBTECH     SPECTRUM    ASCII       PEDS        4.00",
        "   -1",
        "a.asc",
        "24/02/27",
        "14:48:54.00",
    ]
    head += ["x"] * 6 + ["Lambda 1050", "serial", *["0"] * 5, "#HDR", "-1", "#GR", "nm", quantity, "1.0", "0.0"]
    head += ["811.0", "-1.0", "12", "8", "40", "0", "#DATA"]
    return ("\r\n".join(head) + "\r\n" + "".join(f"{811 - i}.0\t{n}.5\r\n" for i, n in enumerate(DECAY))).encode()


def vamas(names: tuple[str, ...] = ("Pb 4f",), values: np.ndarray = DECAY, transmission: bool = True) -> bytes:
    identifier = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"
    out: list[object] = [identifier, "inst", "machine", "me", "exp", 0, "NORM", "REGULAR", len(names), 0, 0, 0, 0, 0]
    out.append(len(names))
    for name in names:
        out += [name, "film", 2020, 1, 2, 3, 4, 5, 0, 0, "XPS", "Al", 1486.69, 225]
        out += ["1e+037"] * 4 + ["FAT", 40, "1e+037", -4.5] + ["1e+037"] * 5 + [name, "", -1]
        out += ["Kinetic energy", "eV", 1346.69, 0.2, 2 if transmission else 1, "Intensity", "d"]
        out += ["Transmission", "d"] if transmission else []
        out += ["pulse counting", 0.5, 2, 0, "1e+037", "1e+037", "1e+037", 0]
        out += [len(values) * (2 if transmission else 1), values.min(), values.max()] + ([1, 2] if transmission else [])
        for n in values:
            out += [n, 12.5] if transmission else [n]
    return ("\n".join(str(v) for v in [*out, "end of experiment"]) + "\n").encode()


def wdf(spectra: int = 1, unit: int = 1) -> bytes:
    points = len(DECAY)

    def block(kind: bytes, body: bytes) -> bytes:
        return struct.pack("<4sIQ", kind, 0, 16 + len(body)) + body

    head = struct.pack(
        "<4sIQQ16s12xIIIQQIIII24s4HIIQQIf48x32s160s48x32x32x",
        *(b"WDF1", 1, 512, 0, b"u" * 16, 0, 0, points, spectra, spectra, 1, 1, points, 0, b"WiRE", 1, 2, 3, 4, 1, 1),
        *(0, 0, 6, 1e7 / 532.0, b"me", b"title"),
    )
    data = np.concatenate([DECAY + i for i in range(spectra)]).astype("<f4").tobytes()
    axis = np.linspace(600, 400, points).astype("<f4").tobytes()
    return head + block(b"DATA", data) + block(b"YLST", bytes(12)) + block(b"XLST", struct.pack("<II", 1, unit) + axis)


def spe2(frames: int = 1, label: bytes = b"Wavelength [nm]") -> bytes:
    head = bytearray(4100)
    for form, at, value in (
        *(("<f", 10, 5.0), ("<H", 42, len(DECAY)), ("<h", 108, 3), ("<H", 656, 1), ("<i", 1446, frames)),
        *(("<h", 1510, 1), ("<H", 1512, 1), ("<H", 1514, len(DECAY)), ("<H", 1516, 1), ("<f", 1992, 2.2)),
        *(("<I", 2996, 0x1234567), ("<H", 4098, 0x5555), ("<d", 3263, 500.0), ("<d", 3271, 0.5)),
    ):
        struct.pack_into(form, head, at, value)
    head[3018 : 3018 + len(label)] = label
    head[3098:3103] = bytes([1, 4, 4, 1, 2])
    return bytes(head) + b"".join((DECAY + i).astype("<u2").tobytes() for i in range(frames))


def spe3(frames: int = 2, doctype: str = "", wavelengths: str | None = None) -> bytes:
    size = 2 * len(DECAY)
    data = b"".join((DECAY + i).astype("<u2").tobytes() for i in range(frames))
    waves = wavelengths or ",".join(f"{500 + 0.5 * i}" for i in range(len(DECAY)))
    xml = (
        f'{doctype}<SpeFormat version="3.0" xmlns="http://www.princetoninstruments.com/spe/2009"><DataFormat>'
        f'<DataBlock type="Frame" count="{frames}" pixelFormat="MonochromeUnsigned16" size="{size}" stride="{size}">'
        f'<DataBlock type="Region" count="1" width="{len(DECAY)}" height="1" size="{size}" stride="{size}"/>'
        f'</DataBlock></DataFormat><Calibrations><WavelengthMapping><Wavelength xml:space="preserve">{waves}'
        "</Wavelength></WavelengthMapping></Calibrations><ExposureTime>250</ExposureTime></SpeFormat>"
    )
    head = bytearray(4100)
    struct.pack_into("<f", head, 1992, 3.0)
    struct.pack_into("<Q", head, 678, 4100 + len(data))
    struct.pack_into("<H", head, 4098, 0x5555)
    return bytes(head) + data + xml.encode()


def ptu(channels: int = 1) -> bytes:
    import ptufile

    image = np.zeros((1, 1, 1, channels, len(DECAY)), dtype=np.uint16)
    for c in range(channels):
        image[0, 0, 0, c] = DECAY * (c + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ptu"
        with ptufile.PtuWriter(path, image.shape, 16e-9, 1e-9, 1e-3) as file:
            file.write(image)
        return path.read_bytes()


def phu(curves: int = 1) -> bytes:
    from ptufile.ptufile import encode_tag

    def header(start: int) -> bytes:
        tags = [encode_tag("File_GUID", f"{{{uuid.UUID(int=1)}}}"), encode_tag("HistoResult_NumberOfCurves", curves)]
        tags.append(encode_tag("MeasDesc_Resolution", 1e-9))
        for i in range(curves):
            tags.append(encode_tag("HistResDscr_DataOffset", start + 4 * len(DECAY) * i, i))
            tags.append(encode_tag("HistResDscr_HistogramBins", len(DECAY), i))
        return b"PQHISTO\0" + b"1.0.00\0\0" + b"".join(tags) + encode_tag("Header_End", None)

    return header(len(header(0))) + b"".join((DECAY * (i + 1)).astype("<u4").tobytes() for i in range(curves))


def sdt(curves: int = 1) -> bytes:
    from sdtfile import sdtfile as layout

    head = np.zeros(1, np.dtype(layout.FILE_HEADER).newbyteorder("<"))
    measure = np.zeros(1, np.dtype(layout.MEASURE_INFO).newbyteorder("<"))
    kind = np.dtype(layout.BLOCK_HEADER_OLD).newbyteorder("<")
    info = b"*IDENTIFICATION\r\n  ID : SPC Setup & Data File\r\n*END\r\n"
    measure["tac_r"], measure["tac_g"], measure["adc_re"] = 12e-9, 1, len(DECAY)
    start = head.nbytes + len(info)
    head["info_offs"], head["info_length"] = head.nbytes, len(info)
    head["meas_desc_block_offs"], head["meas_desc_block_length"] = start, measure.nbytes
    head["no_of_meas_desc_blocks"], head["no_of_data_blocks"] = 1, curves
    head["data_block_offs"], head["header_valid"], head["chksum"] = start + measure.nbytes, 0x5555, 0x55AA
    out = head.tobytes() + info + measure.tobytes()
    for i in range(curves):
        block = np.zeros(1, kind)
        block["data_offs"] = len(out) + kind.itemsize
        block["next_block_offs"] = len(out) + kind.itemsize + 2 * len(DECAY)
        block["block_length"] = 2 * len(DECAY)
        out += block.tobytes() + (DECAY * (i + 1)).astype("<u2").tobytes()
    return out


def netcdf() -> bytes:
    from perolas.core.observation import make_observation

    dataset = make_observation(
        DECAY, "time_ns", np.arange(len(DECAY)), technique="trpl", instrument="simulated", seed=7, conditions={"a": 1}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nc"
        dataset.to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()


def csv_with_errors() -> bytes:
    buffer = io.StringIO()
    buffer.write("time (ps);signal (counts);std\n")
    for i, n in enumerate(DECAY):
        buffer.write(f"{i * 500},0;{n};{np.sqrt(n + 1):.4f}\n".replace(".", ","))
    return buffer.getvalue().encode()


# format name -> (file name, maker); the makers' first axis value and step are in test_io_formats.py
ANGLES = [10 + 0.5 * i for i in range(len(DECAY))]


def xrdml() -> bytes:
    counts = " ".join(str(n) for n in DECAY)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.6"><xrdMeasurement>
<usedWavelength intended="K-Alpha"><kAlpha1 unit="Angstrom">1.540598</kAlpha1>
<kAlpha2 unit="Angstrom">1.544426</kAlpha2>
<ratioKAlpha2KAlpha1>0.5</ratioKAlpha2KAlpha1></usedWavelength>
<diffractedBeamPath><radius unit="mm">240.00</radius></diffractedBeamPath>
<scan><dataPoints><positions axis="2Theta" unit="deg"><startPosition>10</startPosition><endPosition>15.5</endPosition>
</positions><commonCountingTime unit="seconds">3</commonCountingTime>
<intensities unit="counts">{counts}</intensities></dataPoints></scan></xrdMeasurement></xrdMeasurements>""".encode()


def packed(parts: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def rasx() -> bytes:
    rows = "".join(f"{x:.4f}\t{n}\t1\n" for x, n in zip(ANGLES, DECAY, strict=True))
    about = "<Conditions><WavelengthKalpha1>1.540593</WavelengthKalpha1><WaveType>Ka1</WaveType></Conditions>"
    return packed(
        {"Data0/Profile0.txt": "\ufeff" + rows, "Data0/MesurementConditions0.xml": about, "root.xml": "<root/>"}
    )


def brml(points: int = len(DECAY), axis: str = "TwoTheta") -> bytes:
    rows = "".join(f"<Datum>191,1,{x:.4f},{x / 2:.4f},{n}</Datum>" for x, n in zip(ANGLES, DECAY, strict=True))
    axes = f'<ScanAxisInfo AxisId="{axis}"/><ScanAxisInfo AxisId="Theta"/>'
    return packed(
        {
            "Experiment0/RawData0.xml": '<RawData><Radius Unit="mm" Value="280"/><WaveLengthAlpha1 Value="1.5406"/>'
            f"<DataRoutes><DataRoute><MeasurementPoints>{points}</MeasurementPoints>{axes}{rows}</DataRoute></DataRoutes>"
            "</RawData>"
        }
    )


def powder_cif() -> bytes:
    rows = "".join(f"{x} {n}\n" for x, n in zip(ANGLES, DECAY, strict=True))
    head = "data_a\n_diffrn_radiation_wavelength 1.5406\n_pd_meas_number_of_points 12\n"
    return (head + "loop_\n_pd_meas_2theta_scan\n_pd_meas_counts_total\n" + rows).encode()


def bruker_raw(axis: bytes = b"2Theta") -> bytes:
    """Version 4: a preamble, a source record, and one range with the record of its drive (layout as rietx reads it)."""
    head = b"RAW4.00".ljust(61, b"\0")
    waves = struct.pack("<5d", 1.5418, 1.540593, 1.544427, 1.3922, 0.5)
    tube = (b"\0" * 64 + waves + b"\0" * 4 + b"Cu\0\0").ljust(120, b"\0")
    drive = struct.pack("<I", 1) + axis.ljust(24, b"\0") + b"\0" * 20 + struct.pack("<d", float(ANGLES[0]))
    drives = struct.pack("<II", 50, len(drive) + 8) + drive
    step = float(ANGLES[1] - ANGLES[0])
    about = struct.pack("<ddIf", float(ANGLES[0]), step, len(DECAY), 500.0).ljust(28, b"\0")
    about += struct.pack("<ff", 40.0, 40.0).ljust(12, b"\0") + struct.pack("<d", 1.540593)
    about = about.ljust(64, b"\0") + struct.pack("<II", 8, len(drives))
    scan = b"Locked Coupled" if axis == b"2Theta" else axis
    block = struct.pack("<I", 0).ljust(32, b"\0") + scan.ljust(24, b"\0") + b"\0" * 16 + about.ljust(88, b"\0")
    rows = b"".join(struct.pack("<fi", float(n), 1) for n in DECAY)
    return head + struct.pack("<II", 30, len(tube) + 8) + tube + block + drives + rows


SAMPLES = {
    "bruker-raw": ("a.raw", bruker_raw),
    "xrdml": ("a.xrdml", xrdml),
    "rasx": ("a.rasx", rasx),
    "brml": ("a.brml", brml),
    "cif": ("a.cif", powder_cif),
    "text": ("a.csv", text),
    "horiba": ("a.txt", horiba),
    "witec": ("a.txt", witec),
    "ocean-optics": ("a.txt", ocean),
    "perkin-elmer": ("a.asc", perkin_elmer),
    "vamas": ("a.vms", vamas),
    "wdf": ("a.wdf", wdf),
    "spe": ("a.spe", spe2),
    "spe 3": ("a.spe", lambda: spe3(frames=1)),
    "ptu": ("a.ptu", ptu),
    "phu": ("a.phu", phu),
    "sdt": ("a.sdt", sdt),
    "netcdf": ("a.nc", netcdf),
}
