"""A random film of 5 x 5 um in cells of 20 nm: its resonances near the gain and its ten lowest thresholds.

Seconds by the clock, and of processor time (all threads together), which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import time

from perolas.laser import packing
from perolas.laser.salt.shapes import film_cavity, film_discs


def main() -> None:
    """Time resonances and thresholds of films of different seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--side-nm", type=float, default=5000.0)
    parser.add_argument("--cell-nm", type=float, default=20.0)
    arguments = parser.parse_args()
    for seed in range(arguments.seeds):
        centres = packing.sequential(arguments.side_nm, 120.0, 0.4, seed=seed)
        discs = film_discs(centres, 120.0, arguments.side_nm, 2.0)
        cavity = film_cavity(discs, arguments.cell_nm, 446.9, 11.0)
        begin, cpu = time.perf_counter(), time.process_time()
        passive = cavity.resonances(30)
        middle, cpu_middle = time.perf_counter(), time.process_time()
        thresholds = cavity.thresholds(10)
        end, cpu_end = time.perf_counter(), time.process_time()
        line = {
            "seed": seed,
            "cells": int(cavity.eps.size),
            "resonances": len(passive),
            "resonances_s": round(middle - begin, 2),
            "resonances_cpu_s": round(cpu_middle - cpu, 2),
            "thresholds": len(thresholds),
            "thresholds_s": round(end - middle, 2),
            "thresholds_cpu_s": round(cpu_end - cpu_middle, 2),
            "lowest_d0": [round(t.d0, 5) for t in thresholds],
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
