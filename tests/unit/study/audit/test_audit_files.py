"""The audit from a study file: what is refused, what the run and the command line give, what waits for the run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.report.page import render
from perolas.study import run, schema
from perolas.study.audit import check
from perolas.study.audit.whole import audit_study

STATED = '[[stated]]\nname = "{name}"\nkind = "{kind}"\nof = "pump"\nvalue = {value}\n'


def stated(name: str, kind: str, value: str, more: str = "") -> str:
    return STATED.format(name=name, kind=kind, value=value) + more + "\n"


GOOD = stated("rate", "repetition_rate", '"1 kHz"')
# 10 mW / 1 kHz = 10 uJ
RUN = """
[[step]]
name = "pump"
kind = "arithmetic"
given = { power = "10 mW", rate = "1 kHz" }
[step.quantities]
energy = { expression = "power / rate", unit = "uJ", definition = "energy of a pulse" }
nothing = { expression = "power / (rate - rate)", unit = "1", definition = "not finite" }

"""


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (stated("a", "fluense", '"1 uJ/cm^2"'), 8, '"fluense" is not known .did you mean "fluence"'),
        (stated("a", "fluence", '"1 uJ/cm"'), 10, 'A "fluence" is in "uJ/cm.2"'),
        (stated("a", "fluence", '"1 florin"'), 10, '"florin" is not known'),
        (stated("a", "fluence", "nan"), 10, "finite"),
        (stated("a", "fluence", "inf"), 10, "finite"),
        (stated("a", "fluence", '"1e400 uJ/cm^2"'), 10, "finite"),
        (stated("a", "fluence", "1" + "0" * 400), 10, "too large"),
        (stated("a", "fluence", '""'), 10, "must be a number"),
        (stated("a", "fluence", "true"), 10, "a value is a number"),
        (stated("a", "fluence", "[]"), 10, "one value"),
        (stated("a", "shares", "[]"), 10, "empty list"),
        (stated("a", "shares", '"50 %"'), 10, "list of values"),
        (stated("a", "fluence", '{ of = "x" }'), 10, "item.quantity"),
        (stated("a", "fluence", '{ from = "nobody.q" }'), 10, '"nobody" is not known'),
        (stated("a", "condition", "3"), 10, "one text"),
        (stated("a", "rising", '["a", "b"]'), 10, "not known|cannot rise"),
        (stated("a", "reaction", '"water makes gold"'), 10, "A reaction is written"),
        (stated("a", "contains", '"Br"'), 8, 'needs the key "compound"'),
        (stated("a", "contains", '"Br"', 'compound = "Xx2"\n'), 11, "Xx"),
        (stated("a", "two_theta", '"15 deg"'), 8, 'needs the key "radiation"'),
        (stated("a", "fluence", '"1 uJ/cm^2"', 'wher = "p. 3"\n'), 11, '"wher" is not known.*did you mean "where"'),
        (stated("a", "fluence", '"1 uJ/cm^2"', 'relation = "!="\n'), 11, "relation"),
        (stated("a", "fluence", '"1 uJ/cm^2"', "hkl = [1, 0]\n"), 11, "hkl"),
        (stated("a", "d_spacing", '"1 nm"', "hkl = [0, 0, 0]\n"), 11, "not all zero"),
        ('[[stated]]\nname = "a"\nkind = "shots"\nof = []\nvalue = 3\n', 9, "what the statement is about"),
        ('[[stated]]\nname = "a"\nkind = "shots"\nof = " "\nvalue = 3\n', 9, "what the statement is about"),
        (GOOD + GOOD, 13, 'the name "rate" was already given on line 7'),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(
    text: str, line: int, says: str, write: Callable[..., Path]
) -> None:
    path = write("\n" + text)
    with pytest.raises(InputError) as error:
        check.audit(schema.load(path))
    assert re.search(rf"line {line}: .*({says})", str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_refuses_it_before_anything_is_done(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(RUN + stated("a", "fluence", '"1 s"'))
    with pytest.raises(InputError, match=r"study.toml, line \d+"):
        run.run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_audits_its_own_results(write: Callable[..., Path], tmp_path: Path) -> None:
    text = RUN.replace(
        'nothing = { expression = "power / (rate - rate)", unit = "1", definition = "not finite" }\n', ""
    )
    text += stated("wrong", "pulse_energy", '"20 uJ"') + stated("by_run", "pulse_energy", '{ from = "pump.energy" }')
    result = run.run(write(text), tmp_path / "out")
    [found] = result["audit"]["contradictions"]
    assert (found["rule"], found["statements"], found["times"]) == ("one_value", ["wrong", "by_run"], pytest.approx(2))
    kept = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert {k: v for k, v in kept.items() if k != "study"} == result["audit"]
    page = render(result, tmp_path / "out")
    assert "Do the stated numbers agree?" in page
    assert re.search(r"20 .J and 10 .J", page)
    # the same from the file alone: with the store, and without
    assert audit_study(write(text), tmp_path / "out") == kept
    assert audit_study(write(text))["contradictions"] == result["audit"]["contradictions"]


def test_what_the_run_does_not_give_is_said(write: Callable[..., Path], tmp_path: Path) -> None:
    text = RUN + GOOD + stated("by_run", "pulse_energy", '{ from = "pump.energy" }')
    result = run.run(write(text), tmp_path / "out")["audit"]
    assert not result["contradictions"]
    assert [s for s in result["not_possible"] if s.startswith("by_run:")]


def test_a_study_that_states_nothing_is_as_before(write: Callable[..., Path], tmp_path: Path) -> None:
    result = run.run(write(""), tmp_path / "out")
    assert result["audit"]["counts"]["statements"] == 0
    assert not (tmp_path / "out" / "audit.json").exists()
    assert "Do the stated numbers agree?" not in render(result, tmp_path / "out")


def test_the_command(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(GOOD + stated("power", "average_power", '"10 mW"') + stated("energy", "pulse_energy", '"1.0 uJ"'))
    assert main(["audit", str(path)]) == 0
    out = capsys.readouterr().out
    assert "a factor of 10" in out
    assert "audit: 3 statements, 1 check, 1 contradiction (1 disagrees)" in out
    assert main(["audit", "--json", str(path)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["contradictions"][0]["rule"] == "energy_of_power"
    assert main(["audit", "--kinds"]) == 0
    assert "threshold_fluence" in capsys.readouterr().out
    assert main(["audit", "--rules"]) == 0
    assert "One thing has one value." in capsys.readouterr().out
    assert main(["audit"]) == 2
    assert main(["audit", "yang2O20"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_markup_of_a_hostile_file_stays_text(write: Callable[..., Path], tmp_path: Path) -> None:
    where = 'where = "<script>alert(1)</script>\\u001b[31m"\n'
    text = stated("a", "duration", '"1 h"', where) + stated("b", "duration", '"9 h"')
    result = run.run(write(text), tmp_path / "out")
    assert "<script>alert" not in render(result, tmp_path / "out")
    assert "\x1b" not in result["audit"]["contradictions"][0]["sentence"]
