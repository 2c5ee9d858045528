"""Made-up changes and damaged curves are taken or refused in one sentence; nothing else."""

from __future__ import annotations

import os
import random
import time
import tomllib
from typing import Any

import pytest

from perolas.core.errors import InputError
from perolas.study import changes, curve_files, graph, schema

SECONDS = float(os.environ.get("PEROLAS_FUZZ_SECONDS", "20"))
VALUES = (
    *("1 nm", "2", "nan", "inf", "1e999", "true", "[1,2]", "{}", "{a=1}", '"x"', "x", "1 +- 2 nm", "1 +- nm", "-5 K"),
    *("9" * 400, "1979-05-27", "0x1F", "", "[[", "1 nm\n", "\u0663 nm", "1 +- inf nm", "12:30:00"),
)
WORDS = (
    "0",
    "-1",
    "99",
    "",
    "..",
    "file",
    '"',
    "[",
    "]",
    "=",
    "\n",
    "\xe9",
    "study",
    "claim",
    "seed",
    "\u0663",
    "\xb2",
)
PIECES = (
    *(b"energy [eV],signal\n", b"1,2\n", b"2;3\n", b"\t", b'"', b"nan", b"\xff\xfe", b"#", b"1e5", b",", b"\n"),
    *(b" ", b"\0", b"[nm]", b"(", b"\r", b"1 2\n"),
)


def _path(raw: dict[str, Any], draw: random.Random) -> str:
    """Walk down the tables of a study, and take a wrong turn now and then."""
    tables = {t["name"]: t for group in ("measurement", "step") for t in raw[group]}
    tables |= {"specimen": raw["specimen"]}
    name = draw.choice(list(tables))
    keys, here = [name], tables[name]
    while isinstance(here, dict | list) and here:
        if draw.random() < 0.15:
            keys.append(draw.choice(WORDS))
            break
        key = draw.choice(list(here)) if isinstance(here, dict) else draw.randrange(len(here))
        keys.append(str(key))
        here = here[key]
    return ".".join(keys)


@pytest.mark.full
def test_fuzz_changes() -> None:
    raw = tomllib.loads(schema.find("yang2020").read_text(encoding="utf-8"))
    refused: list[str] = []
    draw, taken, end = random.Random(1), 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        path = draw.choice(list(raw["knob"])) if draw.random() < 0.1 else _path(raw, draw)
        asked = {path: draw.choice(VALUES)}
        try:
            changes.apply(raw, changes.checked(asked))
            taken += 1
            if draw.random() < 0.05:
                graph.build(schema.load("yang2020", asked))
        except InputError as error:
            refused.append(str(error))
    assert taken > 10
    assert [sentence for sentence in refused if "\n" in sentence] == []


@pytest.mark.full
def test_fuzz_curves() -> None:
    refused: set[str] = set()
    draw, taken, end = random.Random(2), 0, time.monotonic() + SECONDS / 4
    while time.monotonic() < end:
        content = b"".join(draw.choice(PIECES) for _ in range(draw.randrange(1, 12)))
        try:
            taken += curve_files.read_table(content, "a.csv", {"energy": "eV", "signal": "1"}) is not None
        except InputError as error:
            refused.add(str(error))
    assert taken > 10
    assert [sentence for sentence in refused if "\n" in sentence] == []
