"""The command line: exit codes, one sentence on standard error, JSON and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from perolas.cli import commands, guard, main
from perolas.cli.options import generated
from perolas.core.errors import FitError, InputError
from perolas.measurements import registry

STUDY = """[study]
id = "tiny"
title = "A tiny [red]study[/red] \\u03c3"
[[step]]
name = "s"
kind = "arithmetic"
given = { shots = "8.6e7", rate = "1 kHz" }
[step.quantities]
hours = { expression = "shots / rate", unit = "h" }
[[claim]]
id = "c"
text = "t"
value = 24
unit = "h"
relation = ">"
quantity = "s.hours"
"""
FAILING = '[[step]]\nname = "bad"\nkind = "arithmetic"\n[step.quantities]\nq = { expression = "1 / (2 - 2)" }\n'


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def one_sentence(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("perolas: ")
    assert "Traceback" not in text
    return lines[0]


def test_run(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["run", str(study), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "contradictory" in shown.out
    assert "[red]study[/red]" in shown.out
    assert shown.out.strip().endswith(f"report: {out / 'report.html'}")
    assert shown.err == ""
    assert (out / "report.html").is_file()


def test_run_json_is_pure(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study.write_text(STUDY + FAILING, encoding="utf-8")
    assert main(["run", str(study), "--out", str(tmp_path / "out"), "--json"]) == 1
    shown = capsys.readouterr()
    data = json.loads(shown.out)
    assert data["claims"][0]["verdict"] == "contradictory"
    assert [i["status"] for i in data["items"]] == ["done", "failed"]
    assert "no finite value" in data["items"][1]["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], 'did you mean "run"'),
        (["run"], "Missing argument"),
        (["run", "yang2021"], 'did you mean "yang2020"'),
        (["run", "yang2020", "--fersh"], "--fresh"),
        (["run", "STUDY", "--data"], "requires an argument"),
        (["fit", "x.txt"], "--technique"),
        (["fit", "x.txt", "--irf", "y.txt"], "belongs to a technique"),
        (["fit", "x.txt", "--technique", "trlp"], 'did you mean "trpl"'),
        (["fit", "x.txt", "--technique", "trpl", "--irf-fwm", "1"], "--irf-fwhm"),
        (["fit", "x.txt", "--technique", "trpl", "--irf-fwhm", "1 eV"], "must be in ns"),
        (["fit", "x.txt", "--technique", "trpl", "--weights", "some"], '"some" is not known'),
        (["fit", "x.txt", "--technique", "trpl", "--guess", "tau"], "guess"),
        (["fit", "x.txt", "--technique", "trpl", "--window", "9 1"], "from low to high"),
        (["fit", "none.txt", "--technique", "trpl"], 'no file "none.txt"'),
        (["fit", "none.txt", "-t", "trpl", "-o", "no/such/folder/x.nc"], "does not exist"),
        (["simulate"], "Missing"),
        (["simulate", "-o", "x.nc"], "TECHNIQUE"),
        (["simulate", "trpl"], "--output"),
        (["simulate", "trpl", "-o", "x.gif"], "must end in"),
        (["simulate", "trpl", "--irf", "x", "-o", "x.nc"], "--irf"),
        (["simulate", "trpl", "--specimen", "none.toml", "-o", "x.nc"], 'no file "none.toml"'),
        (["info", "qqq"], "No parameter fits"),
        (["cite", "none"], "no study"),
        (["formats", "extra"], "unexpected extra argument"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_use(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert words in one_sentence(shown.err)
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["formats"], ["techniques"], ["run", "--help"], ["fit", "-t", "xps", "--help"], ["simulate", "trpl", "--help"]],  # noqa: E501
    ids=" ".join,
)  # fmt: skip
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert len(capsys.readouterr().out) > 10


def test_every_command_has_help_and_every_option_of_a_technique_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(commands) as context:
        for name in commands.list_commands(context):
            assert main([name, "--help"]) == 0
    capsys.readouterr()
    for technique in registry.techniques().values():
        assert main(["fit", "--technique", technique.name, "--help"]) == 0
        shown = capsys.readouterr().out
        for option in technique.all_options():
            assert f"--{option.name.replace('_', '-')}" in shown
        assert {o.name for o in generated(technique, True)} == {o.name for o in technique.all_options() if o.simulate}


@pytest.mark.parametrize("command", ["formats", "techniques"])
def test_lists_as_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_info_and_cite(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "Pb", "4f", "splitting"]) == 0
    assert "4.87" in capsys.readouterr().out
    assert main(["info", "Pb 4f splitting", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unit"] == "eV"
    assert main(["cite", str(study)]) == 0
    assert capsys.readouterr().out.startswith("%")
    study.write_text(
        STUDY.replace('id = "tiny"', 'id = "tiny"\ndoi = "10.1/x"\nyear = 2020\nauthors = ["A, B", "C, D"]')
    )
    assert main(["cite", str(study)]) == 0
    assert "author = {A, B and C, D}" in capsys.readouterr().out


def raising(error: BaseException) -> int:
    def command() -> None:
        raise error

    return guard.guarded(command)


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("platformdirs.user_log_dir", lambda name: str(tmp_path / "log"))
    for error, code in (
        (FitError("It failed."), 1),
        (InputError("It is bad."), 2),
        (click.UsageError("It is wrong."), 2),
        (ZeroDivisionError("a\nbug"), 3),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ):
        assert raising(error) == code
        one_sentence(capsys.readouterr().err)
    assert "ZeroDivisionError: a\nbug" in (tmp_path / "log" / "perolas-error.log").read_text()
    monkeypatch.setenv("PEROLAS_DEBUG", "1")
    assert raising(InputError("It is bad.")) == 2
    assert "Traceback" in capsys.readouterr().err


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}


def test_a_pipe_that_closes_and_a_terminal_without_greek(study: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "perolas"]
    process = subprocess.Popen([*command, "formats"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    done = subprocess.run(
        [*command, "run", str(study), "--out", str(tmp_path / "out")],
        env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C"), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"contradictory" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c(tmp_path: Path) -> None:
    text = STUDY + "".join(
        f'[[step]]\nname = "s{i}"\nkind = "arithmetic"\n[step.quantities]\nq = {{ expression = "{i} + 1" }}\n'
        for i in range(1500)
    )
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    # A test run in the background of a script is started with Ctrl-C ignored, and would hand that on.
    listen = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start = f"{listen}; from perolas.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "run", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "out" / "store").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted" in one_sentence(err)


def test_start_up_loads_nothing_slow() -> None:
    """What takes long to import is imported by the command that needs it; `make bench` has the seconds."""
    look = "import sys; from perolas.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    loaded = set(done.stderr.split())
    assert "click" in loaded
    slow = {"jax", "numpy", "scipy", "xarray", "pint", "matplotlib", "plotly", "pydantic", "h5py", "skimage", "gemmi"}
    assert not slow & loaded


@pytest.mark.full
def test_simulate_then_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text('size = "15 nm"\ntrap_ratio = 1.0\n')
    options = ["--irf-fwhm", "1 ns", "--bins", "256", "--components", "1"]
    assert main(["simulate", "trpl", *options, "--seed", "3", "-o", "decay.nc"]) == 0
    assert main(["simulate", "trpl", "--bins", "256", "--specimen", "s.toml", "-o", "decay.csv"]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "decay.csv").read_text().startswith("time_ns,signal_counts\n")
    fit = ["fit", "decay.nc", "--technique", "trpl", "--components", "1", "--irf-fwhm", "1000 ps"]
    assert main([*fit, "--json", "-o", "fit.nc", "--guess", "tau_1=3", "--fix", "shift, scatter"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["result"] == "converged"
    assert {"shift", "scatter"} <= set(data["fixed"])
    assert (tmp_path / "fit.nc").stat().st_size > 1000
    assert main(["fit", "decay.csv", "--technique", "trpl", "--components", "2"]) in (0, 1)
    assert "tau_1" in capsys.readouterr().out
