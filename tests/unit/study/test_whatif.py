"""What if: other values by path or knob, only what hangs on them is done again, and the paper's verdicts stay."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from perolas.cli import main
from perolas.core.errors import InputError
from perolas.study import changes, graph, run, schema, whatif

Write = Callable[..., Path]
STUDY = """
[specimen.film]
size = "20 nm"

[[measurement]]
name = "counts"
technique = "toy"
simulate = true
options = { level = "100 counts" }

[[step]]
name = "lamp"
kind = "arithmetic"
given = { wavelength = "365 nm", irradiance = "2.0 +- 0.1 mW/cm^2" }
[step.known]
planck_light = { value = "1.98644586e-25 J m", source = "h c, CODATA 2018" }
[step.quantities]
photons = { expression = "irradiance * wavelength / planck_light", unit = "1/(s cm^2)" }

[[step]]
name = "dose"
kind = "arithmetic"
given = { time = "5 h" }
quantities = { photons = { expression = "lamp.photons * time", unit = "1/cm^2" } }

[[step]]
name = "other"
kind = "arithmetic"
given = { a = "3 eV" }
quantities = { b = { expression = "2 * a", unit = "eV" } }

[[step]]
name = "mixed"
kind = "arithmetic"
quantities = { c = { expression = "counts.mean * other.b", unit = "counts eV" } }

[[claim]]
id = "photons"
text = "about 3.7e15 photons per second"
value = 3.7e15
unit = "1/(s cm^2)"
tolerance = 1e14
quantity = "lamp.photons"

[[claim]]
id = "other"
text = "six"
value = 6
unit = "eV"
tolerance = 0.1
quantity = "other.b"

[knob."light.wavelength"]
sets = ["lamp.given.wavelength"]
text = "wavelength of the lamp"
"""


@pytest.fixture
def study(toy: ModuleType, write: Write) -> Path:
    return write(STUDY)


def _rows(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{r['item']}.{r['quantity']}": r for r in result["what_if"]["differences"]}


def test_what_hangs_on_a_change_differs_and_nothing_else(study: Path, tmp_path: Path) -> None:
    """Photons of a given energy go as the wavelength: 730 nm instead of 365 nm is twice as many (analytic)."""
    result = whatif.run(study, {"light.wavelength": "730 nm"}, tmp_path / "out")
    rows = _rows(result)
    assert set(rows) == {"lamp.photons", "dose.photons"}
    assert rows["lamp.photons"]["ratio"] == pytest.approx(2.0, rel=1e-12)
    assert rows["dose.photons"]["before"] == pytest.approx(2e-3 * 365e-9 / 1.98644586e-25 * 18000, rel=1e-9)
    # The irradiance is the same unknown number in both, so the difference has its error once: 20 standard errors.
    assert rows["lamp.photons"]["sigma"] == pytest.approx(20.0, rel=1e-9)
    assert result["what_if"]["unchanged"] == 4  # two of the counts, other.b, mixed.c
    claims = {c["id"]: c for c in result["claims"]}
    assert claims["photons"]["verdict"] == "reproduced"  # the paper's, as stated
    assert claims["photons"]["what_if"]["verdict"] == "differs"
    assert claims["other"]["what_if"] is None
    assert result["what_if"]["verdicts"] == [
        {"id": "photons", "role": "consistency", "before": "reproduced", "after": "differs"}
    ]


def test_what_nobody_could_see_is_no_difference() -> None:
    """A thousandth of an error, or a millionth of a number without one: on either side of these limits."""
    assert whatif._near(1.0, 1.0 + 0.9e-4, 0.1, 0.1)
    assert not whatif._near(1.0, 1.0 + 1.1e-4, 0.1, 0.1)
    assert whatif._near(1.0, 1.0 + 0.9e-6)
    assert not whatif._near(1.0, 1.0 + 1.1e-6)
    assert not whatif._near(1.0, None)


def test_an_item_that_fails_with_the_change_is_lost(study: Path, tmp_path: Path) -> None:
    result = whatif.run(study, {"counts.options.mood": "error"}, tmp_path / "out")
    assert result["what_if"]["lost"] == ["counts", "mixed"]
    assert result["what_if"]["differences"] == []
    claims = {c["id"]: c for c in result["claims"]}
    assert claims["photons"]["what_if"] is None


def test_only_what_is_downstream_is_done_again(
    study: Path, tmp_path: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = []
    real = toy.simulate

    def counted(*given: Any, **options: Any) -> Any:
        simulated.append(options)
        return real(*given, **options)

    monkeypatch.setattr(toy, "simulate", counted)
    run.run(study, tmp_path / "out")
    assert len(simulated) == 1
    whatif.run(study, {"other.a": "4 eV"}, tmp_path / "out")
    assert len(simulated) == 1  # the counts came out of the store
    result = whatif.run(study, {"counts.level": "400 counts"}, tmp_path / "out")
    assert len(simulated) == 2
    assert set(_rows(result)) == {"counts.mean", "counts.twice", "mixed.c"}
    assert _rows(result)["counts.mean"]["sigma"] is None  # one seed: neither independent nor the same
    result = whatif.run(study, {"counts.level": "400 counts"}, tmp_path / "out", fresh=True)
    assert len(simulated) == 4  # once as stated, once changed


def test_the_studys_own_results_stay(study: Path, tmp_path: Path) -> None:
    run.run(study, tmp_path / "out")
    before = {n: (tmp_path / "out" / n).read_bytes() for n in ("claims.json", "estimates.json", "lock.json")}
    result = run.run(study, tmp_path / "out", changes={"other.a": "4 eV"})
    assert before == {n: (tmp_path / "out" / n).read_bytes() for n in before}
    folders = list((tmp_path / "out" / "what-if").iterdir())
    assert len(folders) == 1
    kept = json.loads((folders[0] / "what-if.json").read_text())
    assert kept == result["what_if"]
    assert json.loads((folders[0] / "claims.json").read_text())["what_if"] == kept


def test_an_error_stays_unless_another_is_stated(study: Path) -> None:
    def set_to(text: str) -> object:
        return schema.load(study, {"lamp.irradiance": text}).steps["lamp"].given["irradiance"]  # type: ignore[attr-defined]

    assert set_to("4 mW/cm^2") == "4 +- 0.1 mW/cm^2"
    assert set_to("40 W/m^2") == "40 +- 1 W/m^2"
    assert set_to("4 +- 0 mW/cm^2") == "4 +- 0 mW/cm^2"


def test_sigma_of_two_stated_errors_is_that_of_independent_ones(study: Path, tmp_path: Path) -> None:
    """2.0 +- 0.1 against 2.5 +- 0.2: 0.5 / sqrt(0.1^2 + 0.2^2) (analytic)."""
    result = whatif.run(study, {"lamp.irradiance": "2.5 +- 0.2 mW/cm^2"}, tmp_path / "out")
    assert _rows(result)["lamp.photons"]["sigma"] == pytest.approx(0.5 / math.hypot(0.1, 0.2), rel=1e-9)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("light.wavelenth", "1 nm", 'did you mean "light.wavelength"'),
        ("lamb.wavelength", "1 nm", 'did you mean "lamp"'),
        ("lamp.wavelenth", "1 nm", 'did you mean "lamp.wavelength"'),
        ("lamp.given.wavelenth", "1 nm", 'did you mean "wavelength"'),
        ("lamp.given.power", "1 W", "there is no"),
        ("lamp", "1 nm", "whole item"),
        ("lamp.quantities", "1 nm", "is a table"),
        ("lamp.given.wavelength", "1 K", "another unit"),
        ("lamp.given.wavelength", "blue", "must be a number"),
        ("lamp.kind", "compare", "what the item is"),
        ("photons", "1", "is a claim"),
        ("claim.photons.value", "1", "is a claim"),
        ("study.id", "x", "nothing called"),
        ("specimen.fim.size", "1 nm", 'did you mean "film"'),
        ("counts.options.lvel", "1", 'did you mean "level"'),
        ("counts.options.colour", "1", "With counts.options.colour = 1"),
        ("counts.seed", "blue", "With counts.seed = blue"),
        ("lamp.file.a.b", "1", "does not read"),
        ("lamp.given.wavelength", "x" * 2000, "short text"),
        ("lamp.given.wavelength", "1 nm\nevil = 1", "printable"),
        ("lamp.known.planck_light.value.x", "1", "there is no"),
    ],
)
def test_what_cannot_be_changed_is_one_sentence(
    study: Path, tmp_path: Path, path: str, value: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        whatif.run(study, {path: value}, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert ", line " not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a", "=3", "a=", "a b"])
def test_a_change_is_a_path_and_a_value(text: str) -> None:
    with pytest.raises(InputError, match="is written"):
        changes.parse([text])


def test_a_knob_that_leads_nowhere_is_refused_with_its_line(toy: ModuleType, write: Write) -> None:
    with pytest.raises(InputError, match=r"study\.toml, line \d+: .*lamb"):
        schema.load(write(STUDY.replace('["lamp.given', '["lamb.given')))


def test_a_change_leads_into_a_file_that_a_step_reads(write: Write, tmp_path: Path) -> None:
    """Twice the water takes up twice the salt (analytic: the solubility is for each volume)."""
    recipe = (
        '[recipe]\ntitle = "x"\n[[step]]\nadd = "CsBr"\namount = "10 mmol"\n'
        '[[step]]\nadd = "water"\namount = "125 uL"\n[[step]]\ndissolve = "CsBr"\nin = "water"\n'
    )
    (tmp_path / "recipe.toml").write_text(recipe)
    path = write('[[step]]\nname = "pot"\nkind = "recipe"\nfile = "recipe.toml"\n')
    result = whatif.run(path, ["pot.file.step.1.amount=250 uL"], tmp_path / "out")
    assert result["what_if"]["changes"][0]["sets"][0]["before"] == "125 uL"
    rows = _rows(result)
    assert any(
        r["ratio"] == pytest.approx(2.0, rel=1e-6) or r["ratio"] == pytest.approx(0.5, rel=1e-6) for r in rows.values()
    )
    assert (tmp_path / "recipe.toml").read_text() == recipe


def test_a_locked_run_knows_its_changes(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(study), "--out", str(tmp_path / "out"), "--set", 'light.wavelength="730 nm"']
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "what if: light.wavelength = 730 nm (as stated: 365 nm)" in told
    assert "1 of 2 claims would have another verdict" in told
    report = next((tmp_path / "out" / "what-if").glob("*/report.html"))
    page = report.read_text(encoding="utf-8")
    assert "What if: light.wavelength = 730 nm" in page
    assert 'id="what-if"' in page
    study.unlink()
    assert main(["run", "--locked", str(report), "--out", str(tmp_path / "again")]) == 0
    assert "verdicts are the same" in capsys.readouterr().out
    locked = json.loads((report.parent / "lock.json").read_text())
    locked["changes"] = {"light.wavelength": "500 nm"}
    (tmp_path / "other.json").write_text(json.dumps(locked))
    assert main(["run", "--locked", str(tmp_path / "other.json"), "--out", str(tmp_path / "third")]) == 1


def test_json_has_the_differences(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(study), "--out", str(tmp_path), "--set", "other.a=4 eV", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [r["quantity"] for r in told["what_if"]["differences"]] == ["b", "c"]
    assert main(["run", str(study), "--set", "other.a=4 eV", "--locked", "x"]) == 2


def test_the_knobs_of_yang2020_move_what_they_name() -> None:
    """Every knob is found; none touches the two runs that the transformation is calibrated on, or a number claimed."""
    study = schema.load("yang2020")
    values = {"wavelength": "405 nm", "irradiance": "3 mW/cm^2", "volume": "250 uL", "size": "25 nm", "pulse": "80 fs"}
    values |= {"spot": "100 um", "temperature": "90 K", "thickness": "1.5 um"}
    assert {k.rpartition(".")[2] for k in study.knobs} == set(values)
    for name in study.knobs:
        changed = schema.load("yang2020", {name: values[name.rpartition(".")[2]]})
        graph.build(changed)
        assert changed.steps["transformation"].calibrate == study.steps["transformation"].calibrate  # type: ignore[attr-defined]
        for fixed in ("stated_dark", "stated_light"):
            assert changed.steps["transformation"].runs[fixed] == study.steps["transformation"].runs[fixed]  # type: ignore[attr-defined]
