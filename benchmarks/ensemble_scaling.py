"""Weak scaling of an ensemble of laser thresholds: as many seeds for each worker, on one and on two workers.

`--seeds` are simulated and fitted for each worker, in parts of about a second. The overhead of a part is the time that
workers spend between the end of one part and the beginning of the next, from the journal that they keep, over the
time in parts. The first part of a worker compiles and is left out. Memory is that of the process that the user starts
(client and scheduler), after a fifth and at the end of the run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

STUDY = """[study]
id = "scaling"
title = "Thresholds of many disordered films"
[[measurement]]
name = "sweep"
technique = "emission"
simulate = true
options = {{ jitter = 0.05 }}
[[step]]
name = "many"
kind = "ensemble"
measurement = "sweep"
quantities = ["threshold"]
repeats = {repeats}
chunk = {chunk}
"""
ENVIRONMENT = {**os.environ, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OMP_NUM_THREADS": "1"}


def run(workers: int, seeds: int, chunk: int, folder: Path) -> dict[str, float]:
    """Return time and overhead of one run."""
    folder.mkdir()
    study = folder / "study.toml"
    study.write_text(STUDY.format(repeats=seeds * workers, chunk=chunk))
    command = [sys.executable, "-m", "perolas", "run", str(study), "--out", str(folder / "out")]
    memory: list[tuple[float, float]] = []
    begin = time.monotonic()
    process = subprocess.Popen(
        [*command, "--workers", str(workers), "--json"], env=ENVIRONMENT, stdout=subprocess.DEVNULL
    )

    def watch() -> None:
        while process.poll() is None:
            try:
                memory.append((time.monotonic() - begin, psutil.Process(process.pid).memory_info().rss / 1e6))
            except psutil.Error:
                return
            time.sleep(0.5)

    thread = threading.Thread(target=watch)
    thread.start()
    process.wait()
    thread.join()
    whole = time.monotonic() - begin
    if process.returncode:
        raise SystemExit("the run failed")
    busy = between = 0.0
    first = last = None
    for path in (folder / "out" / "store" / "journal").glob("*.jsonl"):
        lines = [json.loads(x) for x in path.read_text().splitlines()]
        lines = [x for x in lines if x["part"] is not None]
        spans = [(a["time"], b["time"]) for a, b in zip(lines[::2], lines[1::2], strict=True)]
        if len(spans) < 3:
            continue
        first = min(first or spans[0][1], spans[0][1])
        last = max(last or 0.0, spans[-1][1])
        busy += sum(b - a for a, b in spans[1:])
        between += sum(after[0] - before[1] for before, after in itertools.pairwise(spans))
    parts = seeds * workers / chunk
    middle = [m for t, m in memory if t < whole * 0.9]
    return {
        "seconds": whole, "working_s": (last or 0.0) - (first or 0.0), "part_s": busy / max(parts - workers, 1),
        "overhead": between / busy, "memory_fifth_mb": middle[len(middle) // 5], "memory_end_mb": middle[-1],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="for each worker")
    parser.add_argument("--chunk", type=int, default=5, help="seeds in a part")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one = run(1, asked.seeds, asked.chunk, Path(folder) / "one")
        two = run(2, asked.seeds, asked.chunk, Path(folder) / "two")
    print(
        json.dumps(
            {
                "benchmark": f"ensemble of {2 * asked.seeds} thresholds on 2 workers",
                "peer": f"{asked.seeds} on 1",
                "weak_scaling": one["working_s"] / two["working_s"],
                "overhead": max(one["overhead"], two["overhead"]),
                "grown_mb": two["memory_end_mb"] - two["memory_fifth_mb"],
                "peak_mb": max(two["memory_fifth_mb"], two["memory_end_mb"]),
                "one": one,
                "two": two,
            }
        )
    )


if __name__ == "__main__":
    main()
