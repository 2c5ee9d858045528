"""One specimen out of a powder pattern, sizes, a decay, photoelectrons and an emission spectrum, inverted together.

Five parameters of the specimen (size, its spread, strain, trap ratio, coverage) and what each instrument leaves open,
from data simulated with noise. The first fit holds the compilation; `ours_us` is the median of the fits after it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np

ROUNDS = 3
VARIED = ("size", "size_std", "strain", "trap_ratio", "ligand_coverage")
TRUTH = (14.0, 1.6, 0.002, 1.5, 0.6)


def run(rounds: int = ROUNDS) -> dict[str, object]:
    """Return one row of the table."""
    import jax.numpy as jnp

    from perolas.core.invert import invert
    from perolas.core.joint import Joint
    from perolas.core.measurement import simulate
    from perolas.core.parameter import replace
    from perolas.matter.specimen import Specimen
    from perolas.measurements import pl, tem, trpl, xps
    from perolas.measurements.xrd import pattern, phase

    def specimen(size: float, spread: float, strain: float, traps: float, coverage: float) -> Specimen:
        return Specimen.of(
            "CsPbBr3", size_nm=size, size_std_nm=spread, strain=strain, trap_ratio=traps, ligand_coverage=coverage
        )

    members = {
        "xrd": pattern(
            [phase("CsPbBr3")], np.arange(13.0, 33.0, 0.05), background=[12.0], area=[60.0], crystallite_nm=[18.0]
        ),
        "tem": replace(tem.example(), number=jnp.asarray(400.0), edges_nm=jnp.linspace(6.0, 22.0, 33)),
        "trpl": trpl.example(),
        "xps": xps.example(),
        "pl": pl.EmissionBand(brightness=2.5e5, background=100.0, axis_values=np.linspace(470.0, 590.0, 241)),
    }
    counted = simulate(Joint.of(members, specimen(*TRUTH), varied=VARIED), seed=7, batch=rounds + 1)["signal"].values
    start = Joint.of(members, specimen(13.0, 1.6, 0.002, 1.2, 0.6), varied=VARIED)
    prior = {f"pl_{n}": each for n, each in pl.EmissionBand.law_priors.items()}
    free = [*(s.name for s in start.nested_slots("measurement") if s.free), "pl_brightness", *prior]
    seconds, away, good = [], [], 0
    for counts in counted:
        begin = time.perf_counter()
        found = invert(start, counts, free=free, prior=prior)
        seconds.append(time.perf_counter() - begin)
        good += found.result == "converged"
        away += [abs(found[n].value - t) / found[n].std for n, t in zip(VARIED, TRUTH, strict=True)]
    return {
        "benchmark": "joint, 5 techniques",
        "ours_us": 1e6 * float(np.median(seconds[1:])),
        "compile_s": seconds[0],
        "converged": good / len(seconds),
        "largest_pull": max(away),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="fits after the first one")
    json.dump(run(parser.parse_args().rounds), sys.stdout)


if __name__ == "__main__":
    main()
