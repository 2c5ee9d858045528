"""`perolas design`: a ranking, JSON and nothing else, one sentence for what is wrong."""

import json

import pytest

from perolas.cli import main

STUDY = """[study]
id = "plan"
title = "What next?"
[specimen.sample]
phases = "CsPbBr3"
trap_ratio = 2.0
[[measurement]]
name = "short"
technique = "trpl"
simulate = true
specimen = "sample"
options = { irf_fwhm = "1 ns", components = "2", counts = 3000, bins = 512, bin_width = "1 ns" }
[[measurement]]
name = "long"
technique = "trpl"
simulate = true
specimen = "sample"
options = { irf_fwhm = "1 ns", components = "2", counts = 30000, bins = 512, bin_width = "1 ns" }
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "plan.toml").write_text(STUDY, encoding="utf-8")
    return str(tmp_path / "plan.toml")


def test_ten_times_the_counts_rank_first(study, capsys):
    assert main(["design", study, "-q", "trap_ratio", "--want", "0.01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["std_now"] is None
    first, second = found["prospects"]
    assert [first["measurement"], second["measurement"]] == ["long", "short"]
    # Truth: counting errors fall with the square root of the counts.
    assert second["std"] / first["std"] == pytest.approx(10**0.5, rel=0.15)
    assert first["times"] == pytest.approx((first["std"] / 0.01) ** 2, rel=0.01)
    assert main(["design", study, "-q", "trap_ratio", "--have", "short"]) == 0
    assert "long" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-q", "speed"], "speed"),
        (["-q", "trap_ratio", "--have", "never"], "never"),
        (["-q", "trap_ratio", "--want", "3 kg"], "want"),
        (["-q", "trap_ratio", "--prior", "size"], "NAME=STD"),
        (["-q", "trap_ratio", "--specimen", "other"], "other"),
    ],
)
def test_wrong_use_is_one_sentence(study, capsys, words, sentence):
    assert main(["design", study, *words]) == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert "\n" not in said
