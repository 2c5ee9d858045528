"""`perolas decays`: several decays together, evidence, JSON, one sentence for what is wrong."""

import json

import pytest

from perolas import Specimen
from perolas.cli import main
from perolas.measurements import trpl


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two samples, one with half the traps of the other and no loss, as text."""
    folder = tmp_path_factory.mktemp("decays")
    for i, traps in enumerate((1.7, 0.8)):
        decay = trpl.simulate(Specimen.of("CsPbBr3", trap_ratio=traps), seed=i, irf_fwhm=4.0, counts=2e4, bin_width=2.0)
        rows = zip(decay["time_ns"].values, decay["signal"].values, strict=True)
        text = "time (ns), counts\n" + "\n".join(f"{t:.6g}, {int(n)}" for t, n in rows) + "\n"
        (folder / f"sample{i}.csv").write_text(text, encoding="utf-8")
    return [str(folder / f"sample{i}.csv") for i in range(2)]


def test_both_samples_are_found_again(files, capsys):
    """Truth: the rates of the simulation."""
    assert main(["decays", *files, "--irf-fwhm", "4 ns", "--names", "dark,light", "--kind", "traps", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = told["fits"]["traps"]["quantities"]
    for name, truth in (("trap_ratio_dark", 1.7), ("trap_ratio_light", 0.8)):
        assert abs(found[name]["value"] - truth) < 4 * found[name]["std"]
    assert told["best"] == "traps"
    assert main(["decays", *files, "--irf-fwhm", "4 ns", "--kind", "traps"]) == 0
    assert "trap_ratio_sample1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--names", "one"], "need as many different names"),
        (["--irf-fwhm", "4 eV"], "irf_fwhm"),
    ],
)
def test_what_is_wrong_is_one_sentence(files, capsys, words, sentence):
    assert main(["decays", *files, *words]) == 2
    assert sentence in capsys.readouterr().err


def test_one_decay_is_for_the_technique(files, capsys):
    assert main(["decays", files[0]]) == 2
    assert "2 to 500 samples" in capsys.readouterr().err
