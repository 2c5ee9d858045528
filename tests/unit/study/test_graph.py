"""Roles come out of what used what."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from perolas.core.errors import InputError
from perolas.study import graph, schema, steps

Write = Callable[..., Path]

TEXT = """
[[measurement]]
name = "m"
technique = "toy"
simulate = true
{measurement}

[[step]]
name = "s"
kind = "arithmetic"
{step}
given = {{ a = "2 ns" }}
[step.known]
k = {{ value = "3 ns" }}
[step.quantities]
plain = {{ expression = "a", unit = "ns" }}
mixed = {{ expression = "plain * k / k", unit = "ns" }}
fitted = {{ expression = "m.mean * 1" }}

[[claim]]
id = "c.1"
text = "t"
value = 1
unit = "{unit}"
tolerance = 1
quantity = "{quantity}"
{claim}
[[claim]]
id = "other"
text = "t"
"""

EMPTY = {"measurement": "", "step": "", "claim": "", "unit": "ns"}


def role(write: Write, quantity: str, **parts: str) -> str | None:
    parts = {**EMPTY, **parts}
    study = schema.load(write(TEXT.format(quantity=quantity, **parts)))
    graph.build(study)
    return graph.roles(study)["c.1"]


def test_roles(write: Write, toy: ModuleType) -> None:
    assert role(write, "s.plain") == "consistency"
    assert role(write, "s.mixed") == "consistency"
    assert role(write, "m.mean") == "prediction"
    assert role(write, "s.fitted") == "prediction"
    assert role(write, "m.mean", measurement='uses = ["c.1"]') == "calibration"
    assert role(write, "s.fitted", measurement='uses = ["c.1"]') == "calibration"
    assert role(write, "m.mean", measurement='uses = ["other"]') == "prediction"
    assert role(write, "s.plain", step='uses = ["c.1"]') == "calibration"


def test_a_model_shaped_by_the_claim(write: Write, toy: ModuleType) -> None:
    for shaped, expected in (
        ("10.1/TINY#c.1", "postdiction"),
        ("c.1", "postdiction"),
        ("10.1/other#c.1", "prediction"),
        ("10.1/tiny#c.2", "prediction"),
    ):
        toy.SHAPED_BY = (shaped,)  # type: ignore[attr-defined]
        assert role(write, "m.mean") == expected


def test_a_parameter_from_the_paper_is_calibration(write: Write, toy: ModuleType) -> None:
    toy.PARAMETERS_USED = ("CsPbBr3.detrapping_rate",)  # type: ignore[attr-defined]
    assert role(write, "m.mean") == "prediction"
    path = write(TEXT.format(quantity="m.mean", measurement="", step="", claim="", unit="1"))
    path.write_text(path.read_text().replace("10.1/tiny", "https://doi.org/10.1039/C9NA00775J"))
    study = schema.load(path)
    assert graph.roles(study)["c.1"] == "calibration"


def test_expected_role(write: Write, toy: ModuleType) -> None:
    assert role(write, "s.plain", claim='expected_role = "consistency"') == "consistency"
    with pytest.raises(InputError, match=r'line \d+: its role is "consistency".*"prediction" as expected'):
        role(write, "s.plain", claim='expected_role = "prediction"')


def test_outside_numbers_are_followed_quantity_by_quantity(write: Write, toy: ModuleType) -> None:
    study = schema.load(write(TEXT.format(quantity="s.plain", measurement="", step="", claim="", unit="1")))
    graph.build(study)
    assert not graph.basis(study, ["s.plain"]).outside
    assert graph.basis(study, ["s.mixed"]).outside
    assert not graph.basis(study, ["s.fitted"]).pure


def test_a_step_shaped_by_the_claim(write: Write, toy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = steps.kind_of(schema.load(write(TEXT.format(quantity="s.plain", **EMPTY))).steps["s"])
    for shaped, expected in (("10.1/TINY#c.1", "postdiction"), ("10.1/other#c.1", "prediction")):
        model = dataclasses.replace(plain, pure=False, shaped_by=lambda step, shaped=shaped: (shaped,))
        monkeypatch.setitem(steps._KINDS, "arithmetic", model)
        assert role(write, "s.plain") == expected
        assert role(write, "s.plain", step='uses = ["c.1"]') == "calibration"
