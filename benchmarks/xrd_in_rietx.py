"""The powder patterns of perolas in rietx: the same structures, tube, profile and background, for a fair comparison.

Anomalous scattering is switched off there (perolas has none) by overrides of zero. Telemetry is switched off, since it
writes into the current folder.
"""

from __future__ import annotations

import os

os.environ["RIETX_TELEMETRY"] = "off"

import numpy as np


def cif_of(found) -> str:
    """Return a crystal of perolas as CIF, U in angstrom squared."""
    a, b, c, *angles = found.cell
    rows = [
        f"data_{found.name}",
        *(f"_cell_length_{n} {10 * v:.8f}" for n, v in zip("abc", (a, b, c), strict=True)),
        *(f"_cell_angle_{n} {v:.6f}" for n, v in zip(("alpha", "beta", "gamma"), angles, strict=True)),
        f"_space_group_name_H-M_alt '{found.space_group.removesuffix(':H')}'",
        "loop_",
        *(f"_atom_site_{n}" for n in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")),
        "_atom_site_U_iso_or_equiv",
    ]
    for i, site in enumerate(found.sites, 1):
        x, y, z = site.position
        rows.append(
            f"{site.element}{i} {site.element} {x:.8f} {y:.8f} {z:.8f} {site.occupancy:.4f} {100 * site.u_iso_nm2:.6f}"
        )
    return "\n".join(rows) + "\n"


def model(crystals, machine, folder, *, polynomials: int):
    """Return structure and instrument of rietx for phases of perolas, everything held, scales of one.

    Args:
        crystals: phases of `perolas.matter.crystal`.
        machine: `perolas.measurements.xrd.Instrument`; no monochromator.
        folder: for the CIF files.
        polynomials: of the background.

    Returns:
        The structure and the instrument.
    """
    import rietx as rx

    phases = []
    for crystal in crystals:
        path = folder / f"{crystal.name}.cif"
        path.write_text(cif_of(crystal))
        phases += rx.Structure.from_cif(path, phase_name=crystal.name).phases
    instrument = rx.Instrument.bragg_brentano(goniometer_radius_mm=machine.radius_mm, ka2_ratio=machine.ka2_ratio)
    elements = sorted({s.element for c in crystals for s in c.sites})
    found = instrument.model_dump()
    found["source"]["dispersion"]["overrides"] = {e: (0.0, 0.0) for e in elements}
    lines = found["source"]["lines"][: len(machine.wavelengths_nm)]
    for line, wavelength in zip(lines, machine.wavelengths_nm, strict=True):
        line["wavelength"]["value"] = 10 * wavelength
    found["source"]["lines"] = lines
    profile = found["profile"]
    for name, value in (
        ("u", machine.caglioti_u), ("v", machine.caglioti_v), ("w", machine.caglioti_w),
        ("x", machine.lorentz_y), ("y", machine.lorentz_x),
    ):  # fmt: skip
        profile[name]["value"] = value
    zero = {**found["background"]["coefficients"][0], "value": 0.0}
    found["background"]["coefficients"] = [dict(zero) for _ in range(polynomials)]
    return rx.Structure(phases=phases), rx.Instrument.model_validate(found)


def pattern(axis, counts):
    """Return a pattern of rietx with the errors of counting."""
    import rietx as rx

    sigma = np.sqrt(np.maximum(counts, 1.0))
    return rx.PatternData(two_theta=axis.tolist(), intensity=counts.tolist(), sigma=sigma.tolist())
