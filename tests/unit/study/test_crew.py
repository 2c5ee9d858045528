"""Runs on several workers: the same files as on one, also when workers are killed or the connection is cut."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

import perolas
from perolas.core.errors import InputError
from perolas.study.crew import Crew
from perolas.study.limits import OVER, Limits

HEAD = '[study]\nid = "crew"\ntitle = "Work for several"\n'
CHAIN = '[[step]]\nname = "s0"\nkind = "arithmetic"\ngiven = { a = "1.1 +- 0.1 eV" }\n[step.quantities]\nq = { expression = "a", unit = "eV" }\n'  # noqa: E501
for i in range(1, 25):
    CHAIN += f'[[step]]\nname = "s{i}"\nkind = "arithmetic"\n[step.quantities]\n'
    CHAIN += f'q = {{ expression = "s{i - 1}.q * 1.01 + s{i // 2}.q / 7", unit = "eV" }}\n'
CHAIN += '[[step]]\nname = "bad"\nkind = "arithmetic"\n[step.quantities]\nq = { expression = "log(s1.q - s1.q)" }\n'
CHAIN += '[[step]]\nname = "after"\nkind = "arithmetic"\n[step.quantities]\nq = { expression = "bad.q + 1" }\n'
CLAIM = '[[claim]]\nid = "last"\ntext = "t"\nvalue = 1\nunit = "eV"\ntolerance = 1\nquantity = "s24.q"\n'
DECAY = """[specimen.sample]
phases = "CsPbBr3"
trap_ratio = 2.0
[[measurement]]
name = "decay"
technique = "trpl"
simulate = true
specimen = "sample"
options = { irf_fwhm = "1 ns", components = "2", counts = 3000, bins = 512, bin_width = "1 ns" }
"""
MANY = '[[step]]\nname = "many"\nkind = "ensemble"\nmeasurement = "decay"\nquantities = ["tau_1"]\n'
MANY += "repeats = %d\nchunk = 5\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A copy of the package: its sources are part of every hash, and somebody may be editing them right now."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(Path(perolas.__file__).parent, site / "perolas", ignore=shutil.ignore_patterns("__pycache__"))
    return {**os.environ, "PYTHONPATH": str(site)}


def study(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def run(path: Path, out: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perolas", "run", str(path), "--out", str(out), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def results(out: Path) -> dict[str, bytes]:
    found = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    return {name: p.read_bytes() for name, p in found.items() if not name.startswith("store/")}


def journal(out: Path, what: str) -> Counter[str]:
    lines = [json.loads(x) for p in (out / "store" / "journal").glob("*.jsonl") for x in p.read_text().splitlines()]
    return Counter(line["key"] for line in lines if line["what"] == what)


def test_two_workers_make_the_same_files_as_one_process(tmp_path: Path, environment: dict[str, str]) -> None:
    path = study(tmp_path, CHAIN + CLAIM)
    assert run(path, tmp_path / "alone", environment).returncode == 1  # one step is meant to fail
    assert run(path, tmp_path / "crew", environment, "--workers", "2").returncode == 1
    assert results(tmp_path / "crew") == results(tmp_path / "alone")
    assert set(journal(tmp_path / "crew", "begin").values()) == {1}
    again = run(path, tmp_path / "crew", environment, "--workers", "1", "--fresh")
    assert again.returncode == 1
    assert results(tmp_path / "crew") == results(tmp_path / "alone")
    # Anew is anew: all but the two that cannot be done.
    assert sum(journal(tmp_path / "crew", "end").values()) == 2 * 25


@pytest.mark.full
def test_limits_end_an_item_and_spare_the_others(tmp_path: Path, environment: dict[str, str]) -> None:
    path = study(tmp_path, CHAIN + DECAY)
    told = run(path, tmp_path / "time", environment, "--time-limit", "0.6 s", "--json")
    items = {i["name"]: i for i in json.loads(told.stdout)["items"]}
    assert items["decay"]["error"] == "It took longer than its limit of 0.6 s."
    assert items["s24"]["status"] == "done"
    told = run(path, tmp_path / "memory", environment, "--memory-limit", "251 MB", "--json")
    items = {i["name"]: i for i in json.loads(told.stdout)["items"]}
    assert items["decay"]["error"] == "It needed more memory than its limit of 251 MB."
    told = run(path, tmp_path / "less", environment, "--memory-limit", "150 MB", "--json")
    items = {i["name"]: i for i in json.loads(told.stdout)["items"]}
    said = "It was not begun: it would need about 250 MB, more than its limit of 150 MB."
    assert items["decay"]["error"] == said
    assert items["s24"]["status"] == "done"
    # A limit belongs to a run, not to the study.
    assert run(study(tmp_path, DECAY), tmp_path / "time", environment, "--workers", "1").returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--workers", "0"], "between 1 and 1024"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "either a number of workers"),
        (["--scheduler", "nonsense://x"], "is not the address"),
        (["--time-limit", "-1 s"], "--time-limit"),
        (["--memory-limit", "3 K"], "--memory-limit"),
    ],
)
def test_what_makes_no_crew_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], words: list[str], sentence: str
) -> None:
    told = run(study(tmp_path, CHAIN), tmp_path / "out", environment, *words)
    assert told.returncode == 2
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_limits_are_told_apart() -> None:
    assert Limits().over(1e9, 1e9) is None
    assert "longer" in str(Limits(time_s=1.0).over(2.0, 0.0))
    assert "memory" in str(Limits(memory_mb=1.0).over(0.0, 2.0))
    with pytest.raises(InputError):
        Crew(0, None)


def test_a_process_that_passes_a_limit_ends_itself_and_says_why() -> None:
    code = (
        "import time\nfrom perolas.study.limits import Limits, Watch\n"
        "with Watch(Limits(time_s=0.3), print):\n    time.sleep(30)\n"
    )
    told = subprocess.run([sys.executable, "-u", "-c", code], capture_output=True, text=True, timeout=20)
    assert told.returncode == OVER
    assert "longer than its limit of 0.3 s" in told.stdout


class Proxy:
    """Passes bytes between a client and a scheduler, until it is cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target, self.up = target, True
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.door.getsockname()[1]}"
        self.open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            inner, _ = self.door.accept()
            if not self.up:
                inner.close()
                continue
            outer = socket.create_connection(self.target)
            self.open += [inner, outer]
            for a, b in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            s.close()

    def cut(self, seconds: float) -> None:
        self.up = False
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self.up = True


CLUSTER = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.full
def test_killed_workers_and_a_cut_connection_change_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    """One worker is killed now and then; the connection to the scheduler is cut for ten seconds; 1, 2, 4 workers."""
    import psutil

    path = study(tmp_path, DECAY + MANY % 100 + CHAIN + CLAIM)
    assert run(path, tmp_path / "alone", environment).returncode == 1
    expected = results(tmp_path / "alone")
    for workers in (1, 2, 4):
        out = tmp_path / f"crew{workers}"
        command = [sys.executable, "-m", "perolas", "run", str(path), "--out", str(out), "--workers", str(workers)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        dice, killed = random.Random(workers), 0
        while process.poll() is None:
            time.sleep(8.0)
            # A worker, and not the nanny that starts the next one: those that have begun a piece of work.
            names = {p.stem.rpartition("-")[2] for p in (out / "store" / "journal").glob("*.jsonl")}
            alive = [int(n) for n in names if psutil.pid_exists(int(n))]
            if alive and killed < 5:
                os.kill(dice.choice(alive), signal.SIGKILL)
                killed += 1
        assert killed >= 1
        assert results(out) == expected
        ends, begins = journal(out, "end"), journal(out, "begin")
        assert set(ends.values()) == {1}, "something was done twice"
        assert sum(begins.values()) - sum(ends.values()) <= killed + 1  # the step that fails begins as well
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert cluster.stdout is not None
        host, _, port = cluster.stdout.readline().strip().removeprefix("tcp://").rpartition(":")
        proxy = Proxy((host, int(port)))
        out = tmp_path / "cut"
        command = [sys.executable, "-m", "perolas", "run", str(path), "--out", str(out), "--scheduler", proxy.address]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while not journal(out, "end") and process.poll() is None:
            time.sleep(0.2)
        proxy.cut(10.0)
        _, complaint = process.communicate(timeout=600)
        assert process.returncode == 1, complaint
        assert results(out) == expected
        assert set(journal(out, "end").values()) == {1}, "something was done twice"
    finally:
        cluster.kill()
