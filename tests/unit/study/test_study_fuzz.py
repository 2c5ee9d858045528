"""Damaged study files are refused in one sentence or can be run; nothing else, never for long or much memory.

`PEROLAS_FUZZ_SECONDS` makes the last test go on for that many seconds (`make fuzz`).
"""

from __future__ import annotations

import json
import os
import random
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.io.bounds import bounded

from perolas.core.errors import PerolasError
from perolas.study import graph, paths, run, schema

FUZZ = settings(max_examples=60, deadline=None, derandomize=True, database=None)
# Every kind of table with every kind of value in it; what is computed takes milliseconds.
SMALL = """
[study]
id = "small"
title = "Small"
seed = 3
[specimen.a]
edge_nm = {{ from = "s.q" }}
phases = {{ CsPbBr3 = 1.0 }}
[[measurement]]
name = "m"
technique = "trpl"
simulate = true
specimen = "a"
[[step]]
name = "s"
kind = "arithmetic"
given = {{ a = "1.1 +- 0.1 eV", b = 2, c = "5 nm", d = "1 eV" }}
[step.quantities]
q = {{ expression = "exp(a / d) * b ** 2 * c", unit = "nm" }}
[[step]]
name = "t"
kind = "arithmetic"
[step.quantities]
q = {{ expression = "s.q * 2 + sqrt(s.q * s.q)", unit = "nm" }}
[[claim]]
id = "c"
text = "t"
value = 60
unit = "nm"
tolerance = 10
quantity = "t.q"
[[claim]]
id = "d"
text = "t"
order = ["s.q", "t.q"]
""".replace("{{", "{").replace("}}", "}")
WHOLE = (Path(str(schema.find("yang2020")))).read_text(encoding="utf-8")
ODD: list[Any] = [
    0, -1, 2**31, 2**63 - 1, 1e308, float("nan"), float("inf"), "", "x", "a.b", "s.q", "../../etc/passwd",
    "/etc/passwd",
    "1 eV", "1e999 nm", "-3 nm", "nan s", "9**9**9**9", "exp(exp(exp(9)))", "__import__('os')", "(" * 500, "<script>",
    "é\u202e", "a" * 3000, [], {}, True, [[[]]], {"from": "s.q"}, {"from": "t.q"}, {"measurement": "m"},
    [1, "x"], ["s.q"] * 3,
]  # fmt: skip


def toml(value: Any) -> str:
    """Return a value as TOML writes it in a line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f")
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return repr(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for k, v in children for p in [(*path, k), *places(v, (*path, k))]]


def changed(text: str, rng: random.Random) -> str:
    """Return a study with a few of its values replaced, taken away, doubled or given to another key."""
    table = tomllib.loads(text)
    for _ in range(rng.randint(1, 4)):
        path = rng.choice(places(table))
        holder = table
        for key in path[:-1]:
            holder = holder[key]
        last = path[-1]
        match rng.randrange(5):
            case 0 | 1:
                holder[last] = rng.choice(ODD)
            case 2:
                del holder[last]
            case 3:
                other = rng.choice(places(table))
                found: Any = table
                for key in other:
                    found = found[key]
                holder[last] = json.loads(json.dumps(found))
            case 4 if isinstance(holder, list):
                holder.append(holder[last])
            case _:
                holder[rng.choice(["kind", "name", "unit", "value", "file", "zzz", "from"])] = holder[last]
    return "".join(f"{json.dumps(k)} = {toml(v)}\n" for k, v in table.items())


def damaged(text: str, rng: random.Random) -> bytes:
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(4)] = rng.choice(
            [b"", b'"', b"[", b"]]", b"=", b"\n", b"\xff", b"9e9", b"{a=", b"''"]
        )
    return bytes(data)


def attempt(folder: Path, data: bytes, *, whole: bool) -> None:
    """Load a study and, where it is small, do its arithmetic and its claims."""
    path = folder / "study.toml"
    path.write_bytes(data)
    try:
        with bounded():
            loaded = schema.load(path)
            graph.build(loaded)
            graph.roles(loaded)
            paths.check_paths(loaded, None)
            if not whole and not loaded.measurements:
                run.run(path, folder / "out")
    except PerolasError as error:
        said = str(error)
        assert said.endswith(".")
        assert "\n" not in said
        assert str(folder) not in said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


ARITHMETIC = SMALL.replace(SMALL[SMALL.index("[specimen.a]") : SMALL.index("[[step]]")], "")


@FUZZ
@given(seed=st.integers(0, 2**32 - 1))
def test_changed_study(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    attempt(folder, changed(rng.choice([SMALL, ARITHMETIC]), rng).encode(), whole=False)


@FUZZ
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_study(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    attempt(folder, damaged(rng.choice([SMALL, ARITHMETIC]), rng), whole=False)


def test_the_undamaged_ones_load(folder: Path) -> None:
    """Else the fuzzing would see one message only."""
    for text in (SMALL, ARITHMETIC, WHOLE):
        path = folder / "study.toml"
        path.write_text(text, encoding="utf-8")
        graph.build(schema.load(path))
    path.write_text(ARITHMETIC, encoding="utf-8")
    assert {i["status"] for i in run.run(path, folder / "good")["items"]} == {"done"}


@pytest.mark.full
def test_fuzz_study_for_long(folder: Path) -> None:
    rng = random.Random(time.time())
    end = time.monotonic() + float(os.environ.get("PEROLAS_FUZZ_SECONDS", "2"))
    while time.monotonic() < end:
        seed = rng.getrandbits(64)
        own = random.Random(seed)
        text = own.choice([SMALL, ARITHMETIC, ARITHMETIC, WHOLE])
        data = changed(text, own).encode() if own.random() < 0.7 else damaged(text, own)
        try:
            attempt(folder, data, whole=text is WHOLE)
        except Exception as error:
            raise AssertionError(f"seed {seed} raised {type(error).__name__}") from error
