"""VAMAS (ISO 14976), through the `vamas` package: XPS and UPS regions.

A region's signal is its first ordinate; further ones (Kratos adds a transmission function) go into no signal, so
that counts stay counts. Binding energy is the source energy minus the kinetic energy of the file, as CasaXPS takes
it: the analyser's work function is already in the kinetic axis of the makers' files, and is kept as a condition.
"""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np

from perolas.core.errors import InputError, one_line
from perolas.io.block import MAX_BLOCKS, Block
from perolas.io.columns import axis_meaning
from perolas.io.source import Source
from perolas.io.table import lines_of

IDENTIFIER = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"
_UNKNOWN = 1e36  # the format writes 1E+37 for "not known"


def read_vamas(source: Source, axis: str | None = None) -> list[Block]:
    """Read the regions of a VAMAS file.

    Args:
        source: the file.
        axis: ``"kinetic_energy_ev"`` to keep kinetic energies; else binding energies where the source is known.

    Returns:
        One block per region.

    Raises:
        InputError: not VAMAS, not regular scans, or numbers that contradict each other.
    """
    import vamas

    lines = lines_of(source.text)
    if lines[0].strip() != IDENTIFIER:
        raise InputError("Its first line is not the one that VAMAS files begin with; export it again as VAMAS.")
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints its warnings
        found = vamas.Vamas("\n".join([IDENTIFIER, *lines[1:]]).encode())
    if found.header.scan_mode != "REGULAR":
        raise InputError(f'Its scan mode is "{one_line(found.header.scan_mode, 30)}"; only REGULAR ones are read.')
    if found.header.num_future_upgrade_experiment_entries or found.header.num_future_upgrade_block_entries:
        raise InputError("It uses extensions of VAMAS that are not read; export it again without them.")
    if not 0 < len(found.blocks) <= MAX_BLOCKS:
        raise InputError(f"It holds {len(found.blocks)} regions, which cannot be.")
    instrument = found.header.instrument_model_identifier
    return [_block(b, instrument, axis) for b in found.blocks]


def _block(region: Any, instrument: str, axis: str | None) -> Block:
    name = region.block_identifier or f"{region.species_label} {region.transition_or_charge_state_label}".strip()
    first = region.corresponding_variables[0]
    signal = np.asarray(first.y_values, dtype=np.float64)
    share = region.num_y_values / max(len(region.corresponding_variables), 1)
    if signal.size != share or region.x_step == 0 or not math.isfinite(region.x_start + region.x_step):
        raise InputError(f'Region "{one_line(name, 40)}" does not hold the {share:g} points that it announces.')
    x = region.x_start + region.x_step * np.arange(signal.size)
    meaning = axis_meaning(f"{region.x_label} {region.x_units}")
    if meaning.axis not in ("kinetic_energy_ev", "binding_energy_ev", "energy_ev"):
        raise InputError(f'Region "{one_line(name, 40)}" has the axis "{one_line(region.x_label, 40)}", not an energy.')
    x = x * meaning.factor
    photon = _known(region.analysis_source_characteristic_energy)
    if meaning.axis == "kinetic_energy_ev" and photon and axis in (None, "binding_energy_ev"):
        x, kind = photon - x, "binding_energy_ev"
    else:
        kind = str(meaning.axis)
    words = f"{first.label} {first.unit}".lower()
    rate = "per s" in words or "/s" in words or "cps" in words or "rate" in words
    return Block(
        name=name,
        axis=kind,
        values=x,
        signal=signal,
        units="cps" if rate else "counts",
        counted=region.signal_mode.lower() == "pulse counting",
        technique="xps",
        instrument=instrument,
        conditions={
            "photon_energy_ev": photon,
            "source": one_line(region.analysis_source_label, 40),
            "pass_energy_ev": _known(region.analyzer_pass_energy_or_retard_ratio_or_mass_res),
            "dwell_s": _known(region.signal_collection_time),
            "sweeps": region.num_scans_to_compile_block,
            "work_function_ev": _known(region.analyzer_work_function_or_acceptance_energy),
            "target_bias_v": _known(region.target_bias),
            "sample": one_line(region.sample_identifier, 60),
            "species": one_line(f"{region.species_label} {region.transition_or_charge_state_label}", 40),
        },
    )


def _known(value: float) -> float | None:
    return float(value) if value is not None and math.isfinite(value) and abs(value) < _UNKNOWN else None
