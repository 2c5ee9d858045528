"""One powder pattern (4,000 points, Cs4PbBr6 + CsPbBr3 + CsBr) against pymatgen's calculator with a profile in numpy.

`frozen`: what a fit repeats, structure factors computed once, cells, sizes and scales anew each time (compiled).
`recomputed`: everything from the crystals on, as pymatgen does each time: reflections, structure factors, tables.

The peer is pymatgen's XRDCalculator (Lorentz-polarisation its own) for each phase and wavelength, and a sum of
pseudo-Voigts in numpy over its lines, on the same axis, as far from each line as ours goes.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time

import numpy as np

PHASES, ROUNDS, REACH_DEG = ("Cs4PbBr6", "CsPbBr3", "CsBr"), 5, 16.0
AXIS = np.linspace(10.0, 60.0, 4000)
SIZE_NM, W_DEG2, LORENTZ_DEG = 20.0, 0.0036, 0.01


def structure_of(found):
    """Return a crystal of perolas as a structure of pymatgen."""
    from pymatgen.core import Lattice, Structure

    a, b, c, *angles = found.cell
    return Structure.from_spacegroup(
        found.space_group.removesuffix(":H").replace(" ", ""),
        Lattice.from_parameters(10 * a, 10 * b, 10 * c, *angles),
        [s.element for s in found.sites],
        [s.position for s in found.sites],
        tol=1e-3,
    )


def peer(structures, factors, wavelengths):
    """Return the pattern, each phase with a highest line of 100 at K alpha 1, by pymatgen and numpy."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    total = np.zeros(AXIS.size)
    for structure, debye in zip(structures, factors, strict=True):
        for wavelength, share in zip(wavelengths, (1.0, 0.5), strict=True):
            lines = XRDCalculator(wavelength=10 * wavelength, debye_waller_factors=debye).get_pattern(
                structure, scaled=False, two_theta_range=(9.0, 61.0)
            )
            theta = np.deg2rad(lines.x / 2)
            g, l = math.sqrt(W_DEG2), LORENTZ_DEG / np.cos(theta)
            l = l + np.rad2deg(0.9 * wavelength / SIZE_NM) / np.cos(theta)
            fwhm = g**5 + 2.69269 * g**4 * l + 2.42843 * g**3 * l**2 + 4.47163 * g**2 * l**3 + 0.07842 * g * l**4 + l**5
            fwhm, q = fwhm**0.2, l / fwhm**0.2
            eta = 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3
            reach = np.maximum(REACH_DEG * (lines.y / lines.y.max()) ** 0.4, 1.0)
            for x, y, w, e, r in zip(lines.x, share * lines.y, fwhm, eta, reach, strict=True):
                low, high = np.searchsorted(AXIS, (x - r, x + r))
                u = ((AXIS[low:high] - x) / w) ** 2
                gauss = (1 - e) * 2 / w * math.sqrt(math.log(2) / math.pi) * np.exp(-4 * math.log(2) * u)
                total[low:high] += y * (e * 2 / (math.pi * w) / (1 + 4 * u) + gauss)
    return total


def run(what: str, repeats: int = 50) -> dict[str, object]:
    """Return one row of the table."""
    import equinox as eqx
    import jax.numpy as jnp

    from perolas.core.parameter import replace
    from perolas.measurements.xrd import Instrument, pattern
    from perolas.measurements.xrd import phase as library_phase

    crystals = [library_phase(n) for n in PHASES]
    machine = Instrument(caglioti_w=W_DEG2, lorentz_y=LORENTZ_DEG)

    def built():
        return pattern(crystals, AXIS, machine, reach_deg=REACH_DEG, polynomials=1, crystallite_nm=np.full(3, SIZE_NM))

    expected = eqx.filter_jit(lambda m: m.expected())
    moving = eqx.filter_jit(lambda m, length, area: replace(m, length_nm=length, area=area).expected())
    begin = time.perf_counter()
    model = built()
    moving(model, model.length_nm, model.area).block_until_ready()
    expected(model).block_until_ready()
    first = time.perf_counter() - begin
    structures = [structure_of(c) for c in crystals]
    factors = [{s.element: 8 * math.pi**2 * 100 * s.u_iso_nm2 for s in c.sites} for c in crystals]
    peer(structures, factors, machine.wavelengths_nm)
    ours, loops, cpu, cpu_loops = [], [], [], []
    for part in range(ROUNDS):
        begin, used = time.perf_counter(), time.process_time()
        for i in range(repeats):
            if what == "frozen":
                length, area = model.length_nm * (1 + 1e-6 * (i + part)), jnp.full(3, 1.0 + i)
                moving(model, length, area).block_until_ready()
            else:
                expected(built()).block_until_ready()
        ours.append((time.perf_counter() - begin) / repeats)
        cpu.append((time.process_time() - used) / repeats)
        begin, used = time.perf_counter(), time.process_time()
        theirs = peer(structures, factors, machine.wavelengths_nm)
        loops.append(time.perf_counter() - begin)
        cpu_loops.append(time.process_time() - used)
    # The same pattern: scales fitted, since pymatgen's strongest line is that of a merged family.
    rows = np.asarray(model.basis())[:3]
    fitted = np.linalg.lstsq(rows.T, theirs, rcond=None)[0] @ rows
    return {
        "benchmark": f"xrd pattern, {what}",
        "ours_us": 1e6 * float(np.median(ours)),
        "peer": "pymatgen + numpy",
        "peer_us": 1e6 * float(np.median(loops)),
        "ratio": float(np.median(loops) / np.median(ours)),
        "cpu_ratio": float(np.median(cpu_loops) / np.median(cpu)),
        "error": float(np.max(np.abs(fitted - theirs)) / np.max(theirs)),
        "compile_s": first,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("frozen", "recomputed"))
    parser.add_argument("--repeats", type=int, default=50)
    given = parser.parse_args()
    json.dump(run(given.what, given.repeats), sys.stdout)


if __name__ == "__main__":
    main()
