"""The studies that come with perolas: they load, and their plain arithmetic gives what a pocket calculator gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from perolas.study import execute, graph, paths, run, schema, steps
from perolas.study.store import Entry


@pytest.mark.parametrize("name", schema.builtin_names())
def test_builtin_studies_load(name: str) -> None:
    study = schema.load(name)
    assert set(graph.build(study).order) == set(study.names)


def test_the_example_loads(repo_root: Path) -> None:
    study = schema.load(repo_root / "examples" / "real-files" / "study.toml")
    assert len(graph.build(study).order) == len(study.names)


def test_yang2020_hides_no_claim() -> None:
    study = schema.load("yang2020")
    assert len(study.claims) == 43  # rows of the list that the study was written from
    for claim in study.claims.values():
        assert claim.answers or claim.needs or claim.later, claim.id
        assert claim.expected_role, claim.id


@pytest.mark.parametrize(
    ("quantity", "value", "source"),
    [
        ("recipe.Cs_per_Pb", 3.683, "0.8 g / 325.82 g/mol * 2 * 0.6 / 8 over 0.1 mmol"),
        ("recipe.Cs4PbBr6_share_of_Pb", 1 / 3, "2 bromides for each lead, and 6 needed"),
        ("recipe.CsBr_in_water", 0.16, "3 * 33.3 umol / 5 in 125 uL"),
        ("times.speed_up", 9.6, "48 / 5"),
        ("lamps.ratio", 30.0, "60 / 2"),
        ("field.barrier", 58.08, "25.68 meV * ln 9.6"),
        ("recipe.one_to_one_size", 15.02, "20 * (119.94 / 283.15) ** (1 / 3)"),
        ("recipe.parents_per_product", 2.3607, "283.15 / 119.94"),
        ("sizes.parent_of_product", 26.63, "20 * (283.15 / 119.94) ** (1 / 3)"),
        ("spacings.mono_100", 0.58269, "0.5827 sin 89.65"),
        ("spacings.ortho_110", 0.58201, "(0.8207^-2 + 0.8255^-2)^-1/2"),
        ("raman.axis_drift", 0.12473, "785^2 * 2e-7 / (1 - 785e-7 * 76)^2"),
        ("raman.ratio_change", 4.545, "1.61 / 1.54"),
        ("xps_positions.stated", 5.0, "143.5 - 138.5"),
        ("durations.lasing", 23.889, "8.6e7 / 3.6e6"),
        ("lasing.quality", 1773.3, "532 / 0.3"),
        ("lasing.photon_lifetime", 0.5008, "1773.3 * 532 nm / (2 pi c)"),
    ],
)
def test_yang2020_arithmetic(quantity: str, value: float, source: str) -> None:
    study = schema.load("yang2020")
    done: dict[str, Entry] = {}
    for name in graph.build(study).upstream([quantity.split(".")[0]]):
        step = study.steps[name]
        files = paths.contents(study, None, step)
        got = steps.kind_of(step).compute(step, lambda q: execute.look(done, q), *files).quantities
        rows = {k: {"value": q.number.value, "unit": q.number.unit} for k, q in got.items()}
        done[name] = Entry("", {"quantities": rows}, {}, "")
    item, name = quantity.split(".")
    assert done[item].result["quantities"][name]["value"] == pytest.approx(value, rel=2e-4), source


@pytest.mark.full
@pytest.mark.parametrize("name", schema.builtin_names())
def test_builtin_studies_run_whole(name: str, tmp_path: Path) -> None:
    """Nothing fails, and every claim that has a quantity gets a verdict from it."""
    result = run.run(name, tmp_path / "out")
    assert {item["name"]: item["error"] for item in result["items"] if item["status"] != "done"} == {}
    for claim in result["claims"]:
        assert claim["verdict"] != "not_covered" or not (claim["quantity"] or claim["order"]), claim["id"]
