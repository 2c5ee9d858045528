"""The steps about matter: recipes, optics and ageing as quantities, with their errors, roles and sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perolas.core.errors import InputError
from perolas.matter.parameters_library import library, parameter_value, shifted
from perolas.matter.parameters_tables import tables
from perolas.study import graph, schema, sources, steps, steps_optics
from perolas.study.run import run

Write = Callable[..., Path]

RECIPE = """[recipe]
title = "CsPbBr3"

[[step]]
add = "PbBr2"
amount = "0.10(0.01) mmol"

[[step]]
add = "CsBr"
amount = "0.2 mmol"

[[step]]
make = "CsPbBr3"
"""

AGEING = """
[[step]]
name = "a"
kind = "ageing"
{uses}
[step.given]
lifetime_better = "200 ns"
lifetime_other = "100 ns"
kept_better = "90 +- 1 %"
kept_other = "60 %"
dark = "30 d"
kept_in_light = "0.95"
light = "10 h"
{given}
[step.predict]
{predict}
"""


def quantities(path: Path, out: Path, item: str) -> dict[str, Any]:
    result = run(path, out)
    found = next(i for i in result["items"] if i["name"] == item)
    assert found["status"] == "done", found["error"]
    return dict(found["quantities"])


def test_a_recipe_is_its_balance(write: Write, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RECIPE)
    path = write('[[step]]\nname = "r"\nkind = "recipe"\nfile = "r.toml"\n')
    found = quantities(path, tmp_path / "out", "r")
    assert found["CsPbBr3_made"]["value"] == pytest.approx(0.1)  # mmol: lead limits, by hand
    assert found["CsPbBr3_made"]["std"] == pytest.approx(0.01)
    (tmp_path / "r.toml").write_text(RECIPE.replace("0.10(", "0.05("))  # the file is part of the hash
    assert quantities(path, tmp_path / "out", "r")["CsPbBr3_made"]["value"] == pytest.approx(0.05)


def test_a_recipe_is_found_in_the_folder_of_data(write: Write, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "r.toml").write_text(RECIPE)
    path = write('[[step]]\nname = "r"\nkind = "recipe"\nfile = "r.toml"\n')
    assert run(path, tmp_path / "out", data=data)["items"][0]["status"] == "done"
    assert "no file" in run(path, tmp_path / "out")["items"][0]["error"]


@pytest.mark.parametrize("file", ["../r.toml", "/etc/hosts", "a/../../r.toml", "C:/r.toml", "link.toml"])
def test_a_recipe_may_not_leave_its_folder(write: Write, tmp_path: Path, file: str) -> None:
    (tmp_path / "link.toml").symlink_to("/etc/hosts")
    path = write(f'[[step]]\nname = "r"\nkind = "recipe"\nfile = "{file}"\n')
    with pytest.raises(InputError, match=r"study\.toml, line \d+: The path"):
        run(path, tmp_path / "out")


def test_a_broken_recipe_fails_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RECIPE.replace("PbBr2", "Pb(Br2"))
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    path = write("".join(f'[[step]]\nname = "{n}"\nkind = "recipe"\nfile = "{n}.toml"\n' for n in "rb"))
    first, second = run(path, tmp_path / "out")["items"]
    assert first["status"] == "failed"
    assert "recipe, line 5" in first["error"]
    assert "UTF-8" in second["error"]


def test_optics_carries_errors_over(write: Write, tmp_path: Path) -> None:
    path = write(
        """
[[step]]
name = "size"
kind = "arithmetic"
given = { a = "10 +- 1 nm" }
quantities = { edge = { expression = "a", unit = "nm" } }
[[step]]
name = "o"
kind = "optics"
[step.quantities]
gap = { of = "band_gap" }
gap_416 = { of = "band_gap", phase = "Cs4PbBr6" }
small = { of = "confinement", size = { from = "size.edge" }, unit = "meV" }
mu = { of = "intrinsic_absorption", phase = "CsPbBr3", wavelength = "335 nm" }
sigma = { of = "absorption_cross_section", phase = "CsPbBr3", wavelength = "335 nm", size = "20 +- 1 nm" }
edge = { of = "absorption_edge" }
"""
    )
    found = quantities(path, tmp_path / "out", "o")
    assert found["gap"]["value"] == pytest.approx(parameter_value("CsPbBr3.band_gap"))
    assert found["gap"]["std"] == pytest.approx(library()["CsPbBr3.band_gap"].std)
    assert found["gap_416"]["std"] == pytest.approx(library()["Cs4PbBr6.band_gap"].std)
    # at 10 nm it falls about as L^-2: 2 * 10 % of it, and the masses on top
    assert found["small"]["std"] > 0.15 * found["small"]["value"]
    # 1.66e5 cm-1: Maes et al. 2018; the cross-section is that times (20 nm)^3, and 5 % of edge are 15 % of volume
    assert found["mu"]["value"] == pytest.approx(1.66e5, rel=0.2)
    assert found["sigma"]["value"] == pytest.approx(found["mu"]["value"] * 8e-18, rel=1e-9)
    relative = found["mu"]["std"] / found["mu"]["value"]
    assert found["sigma"]["std"] / found["sigma"]["value"] == pytest.approx((relative**2 + 0.15**2) ** 0.5, rel=1e-2)
    assert 2.25 < found["edge"]["value"] < 2.40  # the range of gaps in the literature, by the definition used


ARGUMENTS = {
    "phase": "CsPbBr3",
    "wavelength_nm": 640.0,
    "temperature_k": 200.0,
    "size_nm": 8.0,
    "irradiance_mw_cm2": 2.0,
    "converted_fraction": 0.1,
}
ERRORS_ONLY = {"CsPbBr3.edge_scatter", "CsPbBr3.absorption_shape_error", "CsPbBr3.absorption_ultraviolet_error"}


@pytest.mark.parametrize("name", steps_optics.FUNCTIONS)
def test_optics_names_every_parameter_that_moves_it(name: str) -> None:
    """A parameter that is left out would hide a calibration; each one of the library is moved to see."""
    function = steps_optics.FUNCTIONS[name]
    wanted = (*function.words, *function.needs, *function.takes)
    given = {k: v for k, v in ARGUMENTS.items() if any(k.startswith(w) for w in wanted)}
    given["wavelength_nm"] = 640.0 if "two" in name else 400.0
    if "wavelength" not in wanted:
        del given["wavelength_nm"]

    def value() -> float:
        got = function.call(**given)
        return got[0] if isinstance(got, tuple) else got

    at, moving = value(), set()
    for parameter, row in library().items():
        if parameter.startswith(("CsPbBr3", "Cs4PbBr6", "photocurrent")) and parameter not in tables() and row.std:
            with shifted({parameter: 0.1 * row.std}):
                if value() != at:
                    moving.add(parameter)
    listed = {p for p in function.parameters if p not in tables()}
    # the two-photon functions are asked at 640 nm, where the spectrum is not one
    assert moving <= listed
    assert listed - ERRORS_ONLY <= moving


def test_shifts_end(write: Write) -> None:
    before = parameter_value("CsPbBr3.band_gap")
    with shifted({"CsPbBr3.band_gap": 0.1}):
        assert parameter_value("CsPbBr3.band_gap") == pytest.approx(before + 0.1)
    assert parameter_value("CsPbBr3.band_gap") == before
    with pytest.raises(InputError, match="The parameter"), shifted({"CsPbBr3.band_gp": 0.1}):
        pass


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{ of = "bandgap" }', 'did you mean "band_gap"'),
        ('{ of = "confinement" }', '"confinement" needs size'),
        ('{ of = "emission_width", temperature = "77 K", size = "2 nm" }', '"emission_width" takes no size'),
        ('{ of = "intrinsic_absorption", wavelength = "365 nm" }', "needs phase"),
        ('{ of = "band_gap", size = { from = "nothing.a" } }', 'The item "nothing" is not known'),
        ('{ of = "band_gap", sise = "2 nm" }', '"sise" is not known'),
    ],
)
def test_bad_optics_is_refused_with_its_line(write: Write, tmp_path: Path, line: str, sentence: str) -> None:
    path = write(f'[[step]]\nname = "o"\nkind = "optics"\n[step.quantities]\nq = {line}\n')
    with pytest.raises(InputError, match=rf"line \d+: .*{sentence}"):
        run(path, tmp_path / "out")


def test_bad_numbers_of_optics_fail_alone(write: Write, tmp_path: Path) -> None:
    path = write(
        '[[step]]\nname = "o"\nkind = "optics"\n[step.quantities]\nq = { of = "confinement", size = "-2 nm" }\n'
    )
    assert '"size" must be positive' in run(path, tmp_path / "out")["items"][0]["error"]


def test_ageing(write: Write, tmp_path: Path) -> None:
    """By hand: E = (2 * 0.9 - 0.6) / (0.9 * 0.6 * 1) = 20 / 9; r_1 = 0.1 / (2 - 1), r_2 = 0.4 / (4 / 3 - 1)."""
    predict = """
again = { dark = "30 d" }
lit = { sample = "other", light = "600 min" }
[step.predict.laser.dose]
shots = "1e8"
excitations_per_shot = "0.5"
spread = 10
excitations_per_s = "1000 s^-1"
"""
    found = quantities(write(AGEING.format(uses="", given="", predict=predict)), tmp_path / "out", "a")
    assert found["ratio_better"]["value"] == pytest.approx(0.1)
    assert found["ratio_other"]["value"] == pytest.approx(1.2)
    assert found["emission_at_start"]["value"] == pytest.approx(2.0)
    assert found["again"]["value"] == pytest.approx(90.0)
    assert found["again"]["std"] == pytest.approx(1.0)
    # under light 1.1 / (1 + 0.1 g) = 0.95, so g = 30 / 19; the other keeps 2.2 / (1 + 1.2 g)
    g = (1.1 / 0.95 - 1) / 0.1
    assert found["lit"]["value"] == pytest.approx(100 * 2.2 / (1 + 1.2 * g))
    assert found["laser_low"]["value"] < found["laser"]["value"] < found["laser_high"]["value"]
    half = 1.96 * found["laser"]["std"]
    assert found["laser"]["value"] - half == pytest.approx(found["laser_low"]["value"], abs=1e-6)


CLAIMS = """
[[claim]]
id = "kept"
text = "t"
value = 90
unit = "%"
tolerance = 1
quantity = "a.again"
[[claim]]
id = "other"
text = "t"
order = ["a.lit", "a.again"]
"""


def test_roles_of_ageing(write: Write) -> None:
    predict = 'again = { dark = "30 d" }\nlit = { light = "1 h" }\n'
    for uses, doi, expected in (
        ('uses = ["kept"]', "10.1/tiny", "calibration"),
        ("", "10.1/tiny", "prediction"),
        ("", "10.1039/C9NA00775J", "postdiction"),
    ):
        claims = CLAIMS.replace('"kept"', '"stability.water"')
        text = AGEING.format(uses=uses.replace("kept", "stability.water"), given="", predict=predict) + claims
        path = write(text)
        path.write_text(path.read_text().replace("10.1/tiny", doi))
        study = schema.load(path)
        graph.build(study)
        assert graph.roles(study)["stability.water"] == expected
        assert graph.roles(study)["other"] == "prediction"


@pytest.mark.parametrize(
    ("given", "predict", "sentence"),
    [
        ('kept = "1"', "", 'The observation "kept" is not known'),
        ("", 'ratio_other = { dark = "1 d" }', "gives anyway"),
        ("", "x = { }", "exactly one of dark, light and dose"),
        ("", 'x = { dark = "1 d", light = "1 d" }', "exactly one of dark, light and dose"),
    ],
)
def test_bad_ageing_is_refused_with_its_line(
    write: Write, tmp_path: Path, given: str, predict: str, sentence: str
) -> None:
    path = write(AGEING.format(uses="", given=given, predict=predict))
    with pytest.raises(InputError, match=rf"line \d+: .*{sentence}"):
        run(path, tmp_path / "out")


def test_impossible_ageing_fails_with_a_sentence(write: Write, tmp_path: Path) -> None:
    path = write(AGEING.format(uses="", given="", predict="").replace('"60 %"', '"95 %"'))
    assert "must keep more than the other" in run(path, tmp_path / "out")["items"][0]["error"]


def test_sources_of_a_recipe_and_of_optics_are_cited() -> None:
    text = sources.bibtex("yang2020")
    for key in ("crystran2023", "velazquez2008", "brennan2024", "chen2017"):
        assert f"{{{key}," in text


@pytest.mark.parametrize("item", ["optics", "emission", "ageing"])
def test_the_code_of_a_step_gives_its_numbers(item: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = schema.load("yang2020")
    kind = steps.kind_of(study.steps[item])
    exec(compile(kind.code(study.steps[item]), item, "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert {"optics": "2.3706", "emission": "530.957", "ageing": "0.0207"}[item] in printed
