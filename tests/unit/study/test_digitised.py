"""Digitised curves: numbers with the errors of reading, open where there is no file, one sentence for a bad one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.study import curve_files, curve_values, graph, run, schema
from perolas.study.curve_values import Window

Write = Callable[..., Path]
STUDY = """
[[step]]
name = "curve"
kind = "digitised"
file = "curve.csv"
about = "Fig. 1"
[step.columns]
energy = { unit = "eV", error = "0 eV" }
signal = { unit = "1", error = 0.05 }
[step.quantities]
top = { of = "position" }
middle = { of = "value", at = "2.35 eV" }
pair = { of = "ratio", at = "2.3 eV", over = "2.4 eV" }
whole = { of = "area", unit = "meV" }

[[step]]
name = "twice"
kind = "arithmetic"
quantities = { t = { expression = "2 * curve.top", unit = "eV" } }

[[claim]]
id = "top"
text = "a peak at 2.33 eV"
value = 2.33
unit = "eV"
tolerance = 0.02
quantity = "twice.t"
expected_role = "external"
"""
UNITS = {"energy": "eV", "signal": "1"}


def _gauss(energy: Any) -> Any:
    return np.exp(-0.5 * ((energy - 2.333) / 0.05) ** 2)


def _csv(points: int = 25, mark: str = ",") -> str:
    energy = 2.1 + 0.02 * np.arange(points)
    return "energy [eV],signal\n" + "".join(
        f"{e:.4f}{mark}{s:.6f}\n" for e, s in zip(energy, _gauss(energy), strict=True)
    )


def _run(write: Write, tmp_path: Path, content: bytes | None, text: str = STUDY) -> dict[str, Any]:
    (tmp_path / "curves").mkdir(exist_ok=True)
    if content is not None:
        (tmp_path / "curves" / "curve.csv").write_bytes(content)
    return run.run(write(text), tmp_path / "out", digitised=tmp_path / "curves")


def _quantities(result: dict[str, Any], item: str = "curve") -> dict[str, Any]:
    return next(i for i in result["items"] if i["name"] == item)["quantities"]


def test_a_curve_gives_its_numbers(write: Write, tmp_path: Path) -> None:
    """A Gauss curve: its centre, its values, and sigma sqrt(2 pi) below it (analytic)."""
    found = _quantities(_run(write, tmp_path, _csv().encode()))
    assert found["top"]["value"] == pytest.approx(2.333, abs=0.001)
    assert found["middle"]["value"] == pytest.approx(np.interp(2.35, [2.34, 2.36], _gauss(np.array([2.34, 2.36]))))
    assert found["pair"]["value"] == pytest.approx(_gauss(2.3) / _gauss(2.4), rel=1e-4)
    assert found["whole"]["value"] == pytest.approx(50 * np.sqrt(2 * np.pi), rel=1e-3)
    # The mean of two points, each read to 0.05; and the root of the sum of squares of 25 trapezia (analytic).
    assert found["middle"]["std"] == pytest.approx(0.05 / np.sqrt(2), rel=0.12)
    assert found["whole"]["std"] == pytest.approx(0.05 * 20 * np.sqrt(23 + 0.5), rel=0.12)


def test_errors_of_one_curve_go_together(write: Write, tmp_path: Path) -> None:
    """What the axis adds to both of two positions leaves their distance alone (analytic)."""
    text = STUDY.replace('error = "0 eV"', 'error = "0 eV", common = "0.1 eV"').replace("error = 0.05", "error = 0")
    text = text.replace(
        "[[claim]]",
        '[[step]]\nname = "gap"\nkind = "arithmetic"\n[step.quantities]\n'
        'd = { expression = "curve.end - curve.top", unit = "eV" }\n\n[[claim]]',
    ).replace('top = { of = "position" }', 'top = { of = "position" }\nend = { of = "onset", share = 0.5 }')
    result = _run(write, tmp_path, _csv().encode(), text)
    assert _quantities(result)["top"]["std"] == pytest.approx(0.1, rel=0.12)
    assert _quantities(result, "gap")["d"]["std"] < 1e-6


def test_errors_are_those_of_repeated_reading() -> None:
    """An exponent read off a hundred noisy plots of one law scatters by what the step says (pulls of about one)."""
    from perolas.study.steps import read_step
    from perolas.study.steps_digitised import _compute

    step = read_step(
        {
            "name": "law",
            "kind": "digitised",
            "file": "a.csv",
            "columns": {"x": {"unit": "um^2", "error": "3 %"}, "y": {"unit": "uJ/cm^2", "error": "3 %"}},
            "quantities": {"n": {"of": "log_slope"}},
        }
    )
    random = np.random.default_rng(3)
    pulls = []
    for _ in range(100):
        x = np.geomspace(100, 3000, 8)
        rows = np.stack([x, 5000 * x ** (-2 / 3)], axis=1) * (1 + 0.03 * random.standard_normal((8, 2)))
        content = "\n".join(f"{a:.8g},{b:.8g}" for a, b in rows).encode()
        number = _compute(step, lambda q: None, {"a.csv": content}).quantities["n"].number  # type: ignore[arg-type, return-value]
        pulls.append((number.value + 2 / 3) / number.std)
    assert abs(np.mean(pulls)) < 0.1 + 4 / np.sqrt(100)
    assert abs(np.std(pulls) - 1) < 0.05 + 4 / np.sqrt(200)
    assert abs(np.mean(np.array(pulls) + 3)) > 0.5  # another exponent would be seen


def test_without_the_file_the_claim_says_what_would_settle_it(write: Write, tmp_path: Path) -> None:
    result = _run(write, tmp_path, None)
    assert {i["name"]: i["status"] for i in result["items"]} == {"curve": "done", "twice": "done"}
    claim = result["claims"][0]
    assert (claim["verdict"], claim["role"]) == ("undetermined", "external")
    for word in ('"curve.csv"', "energy [eV]", "signal [1]", "Fig. 1"):
        assert word in claim["sentence"]
    # With the file it is answered; the store does not hand out what it knew before.
    (tmp_path / "curves" / "curve.csv").write_text(_csv())
    claim = run.run(tmp_path / "study.toml", tmp_path / "out", digitised=tmp_path / "curves")["claims"][0]
    assert claim["answer"]["value"] == pytest.approx(4.666, abs=0.002)
    assert claim["role"] == "external"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"energy,signal\n1,nan\n", 'line 2: "nan" is not a finite'),
        (b"energy,signal\n1,inf\n", "not a finite"),
        (b"energy,signal\n1,1e999\n", "not a finite"),
        (b"energy,signal\n1,x\n", '"x" is not a number'),
        (b"energy,signal\n1\n", "1 values, but 2 columns"),
        (b"wavelength,signal\n1,2\n", 'no column "energy"'),
        (b"energy [nm],signal\n1,2\n", 'in "nm" should be in "eV"'),
        (b"energy [bananas],signal\n1,2\n", "bananas"),
        (b"1,2,3\n", "3 values, but 2 columns"),
        (b"2.1,1\n2.5,2\n2.2,3\n", "must rise or fall"),
        (b"2.1,1\n2.5,2\n2.2,3\n2.6,nan\n", "not a finite"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"energy,signal\n\xe9,2\n", "not UTF-8"),
        (b"\0\0\0", "not text"),
        (b"PK\x03\x04\x00\x00", "not text"),
        (b"energy,signal\n" + b"1,2\n" * 20_001, "more than 20000 lines"),
        (b"1," * 500 + b"\n", "more than 200 columns"),
        (b"#" * (8 * 2**20 + 1), "larger than 8 MiB"),
        (b"2.0,1\n2.1,2\n", "lies outside"),
        (b'"2.0,1\n', 'no column "energy"'),
    ],
)
def test_a_bad_file_is_one_sentence_and_the_rest_runs(
    write: Write, tmp_path: Path, content: bytes, sentence: str
) -> None:
    more = STUDY + '\n[[step]]\nname = "rest"\nkind = "arithmetic"\nquantities = { q = { expression = "1 + 1" } }\n'
    result = _run(write, tmp_path, content, more)
    items = {i["name"]: i for i in result["items"]}
    assert items["rest"]["status"] == "done"
    assert items["curve"]["status"] == "failed"
    assert sentence in items["curve"]["error"]
    assert "\n" not in items["curve"]["error"]
    assert len(items["curve"]["error"]) < 400
    assert result["claims"][0]["verdict"] == "undetermined"


@pytest.mark.parametrize("mark", [",", ";", "\t", "  "])
@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_people_save_them(mark: str, code: str) -> None:
    text = f"# a note\nsignal{mark}energy[meV]\n0.5{mark}2400\n\n0.25{mark}2500\n"
    found = curve_files.read_table(text.encode(code), "a.csv", UNITS)
    assert found is not None
    np.testing.assert_allclose(found["energy"], [2.4, 2.5])
    np.testing.assert_allclose(found["signal"], [0.5, 0.25])


def test_a_decimal_comma_is_read() -> None:
    found = curve_files.read_table(b"2,4;0,5\n2,5;0,25\n", "a.csv", UNITS)
    assert found is not None
    np.testing.assert_allclose(found["energy"], [2.4, 2.5])


def test_numbers_of_curves() -> None:
    """Straight lines, a parabola and a power law (analytic)."""
    x = np.linspace(1.0, 5.0, 41)
    assert curve_values.slope(x, 3 * x - 1, Window()) == pytest.approx(3)
    assert curve_values.log_slope(x, 7 * x**-0.6667, Window()) == pytest.approx(-0.6667)
    assert curve_values.position(x, 4 - (x - 3.217) ** 2, Window()) == pytest.approx(3.217)
    assert curve_values.area(x, 2 * x, Window(start=1.05, end=4.33)) == pytest.approx(4.33**2 - 1.05**2)
    assert curve_values.onset(x, x - 1, Window(share=0.25)) == pytest.approx(2.0)
    assert curve_values.maximum(x, x, Window(end=3.0)) == pytest.approx(3.0)
    with pytest.raises(InputError, match="above zero"):
        curve_values.log_slope(x, x - 2, Window())
    with pytest.raises(InputError, match="begins above"):
        curve_values.onset(x, x * 0 + 1, Window())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('at = "2.35 eV"', 'start = "2.35 eV"', '"at" belongs'),
        ('at = "2.35 eV"', 'at = "2.35 K"', "line"),
        (', unit = "meV"', "", "needs a unit"),
        (', unit = "meV"', ', unit = "kg"', "line"),
        ('of = "position"', 'of = "position", y = "signl"', "signal"),
        ("error = 0.05", "error = -0.05", "error of signal"),
        ("error = 0.05", 'error = "0.1 K"', "line"),
        ('file = "curve.csv"', 'file = "../curve.csv"', "may not go up"),
    ],
)
def test_a_study_that_asks_wrongly_is_refused(write: Write, tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in STUDY
    with pytest.raises(InputError, match=sentence):
        run.run(write(STUDY.replace(old, new)), tmp_path / "out")


def test_templates_are_written_once_and_filled_in(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, folder = str(write(STUDY)), tmp_path / "curves"
    assert main(["run", study, "--digitised", str(folder), "--templates"]) == 0
    told = capsys.readouterr().out
    assert "wrote" in told
    assert "Fig. 1" in told
    path = folder / "curve.csv"
    assert path.read_text().splitlines()[-1] == "energy [eV],signal [1]"
    assert main(["run", study, "--digitised", str(folder), "--out", str(tmp_path / "out")]) == 0  # open, not failed
    path.write_text(path.read_text() + "2.3,1\n")
    assert main(["run", study, "--digitised", str(folder), "--templates"]) == 0
    assert path.read_text().endswith("2.3,1\n")
    assert main(["run", study, "--templates"]) == 2
    assert main(["run", study, "--digitised", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2


def test_a_locked_run_has_the_curves(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(write, tmp_path, _csv().encode())
    lock = json.loads((tmp_path / "out" / "lock.json").read_text())
    assert "curve.csv" in lock["beside"]
    (tmp_path / "curves" / "curve.csv").unlink()
    assert main(["run", "--locked", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == 0
    assert "are the same" in capsys.readouterr().out


def test_yang2020_answers_what_its_figures_would_settle(tmp_path: Path) -> None:
    """Made-up shares in which 365 nm has the least: the order holds; with others it does not."""
    study = schema.load("yang2020")
    graph.build(study)
    roles = graph.roles(study)
    assert roles["xps.oleate"] == roles["hrtem.blackdots"] == "external"
    # The steps alone, in a study of their own: the whole paper takes minutes.
    text = study.path.read_text(encoding="utf-8")
    part = text[text.index('[[step]]\nname = "oleate"') : text.index('[[step]]\nname = "blackdots"')]
    start = text.index('[[claim]]\nid = "xps.oleate"')
    claim = text[start : text.index("[[claim]]", start + 5)]
    path = tmp_path / "study.toml"
    path.write_text('[study]\nid = "part"\ntitle = "part"\n' + part + claim, encoding="utf-8")
    for least, verdict in ((10.0, "reproduced"), (60.0, "differs"), (29.0, "undetermined")):
        rows = f"wavelength [nm],oleate [%]\n0,40\n254,30\n365,{least}\n600,45\n"
        (tmp_path / "xps_oleate.csv").write_text(rows)
        result = run.run(path, tmp_path / "out", digitised=tmp_path)
        assert result["claims"][0]["verdict"] == verdict
