"""A study of another paper, out of its file alone: nothing in the code is about the first paper."""

from __future__ import annotations

from pathlib import Path

from perolas.study import graph, schema

ROOT = Path(__file__).resolve().parents[3]


def test_what_was_seen_of_the_laser_sets_nothing():
    """Its claims about the laser are predictions: no step upstream states a number of theirs."""
    study = schema.load("fan2018")
    roles = graph.roles(study)
    assert {roles[c] for c in ("laser.threshold", "laser.linewidth", "emission.green", "laser.weak")} == {"prediction"}
    assert roles["size"] == "calibration"
    # Both hold a number of the paper against one of the library.
    assert roles["pump.above_gap"] == roles["laser.narrower"] == "prediction"
    assert "471" not in str(study.steps["laser"])


def test_no_machinery_knows_a_paper_by_name():
    """Truth: the source itself. Techniques cite papers as sources; what runs, judges and shows a study names none."""
    for part in ("core", "study", "report", "cli"):
        for file in (ROOT / "src" / "perolas" / part).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            named = [name for name in ("yang2020", "fan2018") if f'"{name}"' in text]
            assert not named, file.name
