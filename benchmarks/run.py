"""Run every benchmark, each in a process of its own, and print one table.

`python benchmarks/run.py [--quick]`. Times are medians over rounds in which ours and the peer's loop take turns on the
same cores, after compiling. `cpu_ratio` compares processor time instead: ours may use several cores at once, the loop
only one, so an idle machine shows more than this in `ratio`. Memory is the peak of the whole process, which holds jax,
the peer and the data.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCHMARKS = (
    ("xps_batch.py", "linear"),
    ("xps_batch.py", "shirley"),
    ("xps_batch.py", "shirley", "--poisson"),
    ("transformation_batch.py",),
    ("xrd_pattern.py", "frozen"),
    ("xrd_pattern.py", "recomputed"),
    ("xrd_series.py",),
    ("trpl_global.py",),
    ("joint_specimen.py",),
    ("start_up.py",),
)
WHAT = {"xps_batch.py": "--spectra", "transformation_batch.py": "--trajectories"}  # what a batch holds
COLUMNS = (
    ("benchmark", "{}"),
    ("ours_us", "{:.0f} µs"),
    ("peer", "{}"),
    ("peer_us", "{:.0f} µs"),
    ("ratio", "{:.1f}x"),
    ("cpu_ratio", "{:.1f}x"),
    ("error", "{:.0e}"),
    ("same_within_0.01_sigma", "{:.0%}"),
    ("converged", "{:.0%}"),
    ("compile_s", "{:.1f} s"),
    ("peak_mb", "{:.0f} MB"),
    ("grown_mb", "{:.0f} MB"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth to a fifth of each batch")
    quick = parser.parse_args().quick
    rows = [[name for name, _ in COLUMNS]]
    for script, *options in BENCHMARKS:
        size = [WHAT[script], "1000", "--looped", "20"] if quick and script in WHAT else []
        if quick and script == "xrd_series.py":
            size = ["--patterns", "40", "--looped", "3"]
        done = subprocess.run(
            [sys.executable, str(HERE / script), *options, *size], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"{script} {' '.join(options)} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return 1
        result = json.loads(done.stdout.splitlines()[-1])
        rows.append([form.format(result[name]) if name in result else "" for name, form in COLUMNS])
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
