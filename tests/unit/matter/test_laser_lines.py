"""The lines of lasers: the table keeps its schema, and a laser is found by the names that people write."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
import yaml

from perolas.matter import laser_lines
from perolas.matter.parameters_library import sources

FOLDER = files("perolas.matter").joinpath("parameters", "lines")
TABLE = yaml.safe_load(FOLDER.joinpath("lasers.yaml").read_text(encoding="utf-8"))


def test_the_table_keeps_its_schema() -> None:
    jsonschema.validate(TABLE, json.loads(FOLDER.joinpath("schema.json").read_text(encoding="utf-8")))
    assert {entry["source"] for entry in TABLE.values()} <= set(sources())


# Textbook lines: the strongest of Ar+, the red of He-Ne, the doubled Nd:YAG; 785 nm is a diode laser's, far from Ar+.
@pytest.mark.parametrize(
    ("name", "asked", "nearest"),
    [
        ("argon laser", 514.0, 514.5),
        ("Ar+", 488.0, 488.0),
        ("Argon-ion laser", 785.0, 528.7),
        ("HeNe", 633.0, 632.8),
        ("Nd:YAG laser", 532.0, 532.05),
        ("Nd-YAG", 355.0, 354.7),
        ("Ti:sapphire", 812.0, 812.0),
        ("Ti:sapphire", 400.0, 400.0),
        ("Ti-sapphire", 1300.0, 1180.0),
    ],
)
def test_the_nearest_line(name: str, asked: float, nearest: float) -> None:
    laser = laser_lines.laser_named(name)
    assert laser is not None
    assert laser_lines.nearest_nm(laser, asked) == pytest.approx(nearest, abs=0.05)
    assert laser_lines.source_of(laser) in sources()


def test_what_is_not_listed_is_none() -> None:
    assert laser_lines.laser_named("diode laser") is None
    assert laser_lines.laser_named("") is None
