"""The parameter library: every number keeps the schema, and every source exists."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
import yaml

from perolas.core import units
from perolas.core.errors import InputError
from perolas.matter import parameters_library as lib

FOLDER = files("perolas.matter").joinpath("parameters")
FILES = [f for f in FOLDER.iterdir() if f.name.endswith(".yaml") and f.name != "sources.yaml"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_file_keeps_the_schema(file):
    schema = json.loads(FOLDER.joinpath("schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema)


def test_the_schema_refuses_a_number_without_a_source():
    schema = json.loads(FOLDER.joinpath("schema.json").read_text(encoding="utf-8"))
    entry = {
        "value": 1.0,
        "unit": "eV",
        "std": 0.1,
        "meaning": "a made-up number",
        "conditions": "none",
        "status": "checked",
    }
    with pytest.raises(jsonschema.ValidationError, match="source"):
        jsonschema.validate({"X.y": entry}, schema)


@pytest.mark.parametrize("name", sorted(lib.library()))
def test_source_and_unit_exist(name):
    item = lib.library()[name]
    assert item.source == "estimated here" or item.source in lib.sources()
    units.pint_unit(item.unit)
    assert item.status in lib.info(name)


def test_info_finds_by_words_and_says_where_from():
    text = lib.info("Pb 4f splitting")
    assert text.startswith("Pb 4f.splitting = 4.870")
    assert "source:" in text


def test_info_of_nonsense_is_a_sentence():
    with pytest.raises(InputError, match="No parameter fits"):
        lib.info("zzzz")


def test_bibtex_has_each_source_once():
    text = lib.bibtex(["yang2020", "estimated here", "yang2020"])
    assert text.count("@article{yang2020,") == 1
    with pytest.raises(InputError, match="source"):
        lib.bibtex(["nobody1999"])
