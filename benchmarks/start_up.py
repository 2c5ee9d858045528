"""How long `perolas --help` takes beside a Python that does nothing, each in a process of its own.

`python benchmarks/start_up.py`. Both take turns; the ratio is help over nothing (smaller is better).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time


def main() -> None:
    commands = {"ours_us": ["-m", "perolas", "--help"], "peer_us": ["-c", "pass"]}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(15):
        for name, words in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *words], capture_output=True, check=True)
            seconds[name].append(1e6 * (time.perf_counter() - start))
    median = {name: statistics.median(each) for name, each in seconds.items()}
    found = {"benchmark": "perolas --help", "peer": "python -c pass", "ratio": median["peer_us"] / median["ours_us"]}
    print(json.dumps(found | median))


if __name__ == "__main__":
    main()
