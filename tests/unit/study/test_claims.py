"""The table of verdicts."""

from __future__ import annotations

import math
from typing import Any

import pytest

from perolas.core.errors import InputError
from perolas.study.claims import VERDICTS, Ground, Verdict, judge
from perolas.study.expression import Number, number
from perolas.study.tables import Claim


def ground(numbers: dict[str, tuple[float, float]], role: str = "prediction", **more: Any) -> Ground:
    def look(name: str) -> Number:
        if name not in numbers:
            raise InputError(f'"{name}" failed.')
        value, std = numbers[name]
        return number(value, {name: std} if std else {}, "ns")

    return Ground(role, more.get("outside", False), more.get("assumes", ()), look)


def verdict(answer: float, std: float, role: str = "prediction", outside: bool = False, **claim: Any) -> Verdict:
    settings = {"value": 10.0, "unit": "ns", "tolerance": 1.0, "quantity": "a.q", **claim}
    return judge(Claim(id="c", text="t", **settings), ground({"a.q": (answer, std)}, role, outside=outside))


@pytest.mark.parametrize(
    ("value", "std", "claim", "expected"),
    [
        (10.0, 0.0, {}, "reproduced"),
        (11.0, 0.0, {}, "reproduced"),  # at the edge of the tolerance
        (11.001, 0.0, {}, "differs"),
        (12.0, 0.5, {}, "reproduced"),  # tolerance and two sigma
        (12.1, 0.5, {}, "differs"),
        (10.0, 20.0, {}, "uninformative"),
        (10.0, 4.0, {}, "reproduced"),  # 2.2 to 17.8: eightfold
        (10.0, 4.3, {}, "uninformative"),  # 1.6 to 18.4: more than tenfold
        (1000.0, 400.0, {}, "differs"),  # a wide band may still exclude
        (10.0, math.inf, {}, "undetermined"),
        (0.0, 0.1, {"value": 0.0, "tolerance": 0.5}, "reproduced"),
        (0.0, 9.0, {"value": 0.0, "tolerance": 0.5}, "uninformative"),
        (12.0, 0.5, {"relation": ">"}, "reproduced"),
        (9.0, 0.5, {"relation": ">", "tolerance": None}, "differs"),
        (10.5, 0.5, {"relation": ">", "tolerance": None}, "undetermined"),
        (10.0, 0.0, {"relation": ">", "tolerance": None}, "differs"),
        (10.0, 0.0, {"relation": ">=", "tolerance": None}, "reproduced"),
        (8.0, 0.5, {"relation": "<", "tolerance": None}, "reproduced"),
        (12.0, 0.5, {"relation": "<=", "tolerance": None}, "differs"),
    ],
)
def test_single_numbers(value: float, std: float, claim: dict[str, Any], expected: str) -> None:
    got = verdict(value, std, **claim)
    assert got.verdict == expected, got.sentence
    assert got.sentence.endswith(".")
    assert got.answer is not None
    assert got.answer["std"] == (std if math.isfinite(std) else None)


def test_what_excludes_what() -> None:
    assert verdict(20, 0, role="consistency").verdict == "contradictory"
    assert verdict(20, 0, role="consistency", outside=True).verdict == "differs"
    assert verdict(20, 0, role="calibration").verdict == "differs"
    assert verdict(20, 0, role="consistency", relation="<").verdict == "contradictory"
    far = verdict(20, 3, tolerance=1.0)
    assert far.sigma == pytest.approx((20 - 10 - 1) / 3)
    assert "3 sigma" in far.sentence
    assert "no test" in verdict(10, 0.1, role="calibration").sentence


@pytest.mark.parametrize(
    ("numbers", "role", "expected"),
    [
        ({"a.q": (1, 0.1), "b.q": (2, 0.1), "c.q": (3, 0.1)}, "prediction", "reproduced"),
        ({"a.q": (1, 0.1), "b.q": (1.1, 0.1), "c.q": (3, 0.1)}, "prediction", "undetermined"),
        ({"a.q": (1, 0.1), "b.q": (0.9, 0.1), "c.q": (3, 0.1)}, "prediction", "undetermined"),
        ({"a.q": (1, 0.1), "b.q": (2, 0.1), "c.q": (1, 0.1)}, "prediction", "differs"),
        ({"a.q": (1, 0.1), "b.q": (1.1, 0.1), "c.q": (0, 0.1)}, "prediction", "differs"),
        ({"a.q": (1, 0), "b.q": (1, 0), "c.q": (2, 0)}, "prediction", "differs"),
        ({"a.q": (3, 0), "b.q": (2, 0), "c.q": (4, 0)}, "consistency", "contradictory"),
        ({"a.q": (1, 0.1), "b.q": (2, math.inf), "c.q": (3, 0.1)}, "prediction", "undetermined"),
        ({"a.q": (1, 0.1), "c.q": (3, 0.1)}, "prediction", "undetermined"),
    ],
)
def test_orders(numbers: dict[str, tuple[float, float]], role: str, expected: str) -> None:
    claim = Claim(id="c", text="t", unit="ns", order=["a.q", "b.q", "c.q"])
    got = judge(claim, ground(numbers, role))
    assert got.verdict == expected, got.sentence


def test_an_order_uses_the_correlation_of_its_quantities() -> None:
    shared = {n: number(v, {"common": 5.0}, "ns") for n, v in (("a.q", 1.0), ("a.r", 2.0))}
    claim = Claim(id="c", text="t", unit="ns", order=["a.q", "a.r"])
    assert judge(claim, Ground("prediction", False, (), shared.__getitem__)).verdict == "reproduced"


def test_no_answer() -> None:
    nothing = ground({})
    open_claim = judge(Claim(id="c", text="t", later="the laser"), nothing)
    assert open_claim.verdict == "not_covered"
    assert "the laser" in open_claim.sentence
    external = judge(Claim(id="c", text="t", needs="Table S1"), nothing)
    assert (external.verdict, "Table S1" in external.sentence) == ("undetermined", True)
    failed = judge(Claim(id="c", text="t", value=1, tolerance=1, quantity="a.q"), nothing)
    assert (failed.verdict, "failed" in failed.sentence) == ("undetermined", True)
    assert (
        judge(Claim(id="c", text="t", value=1, unit="eV", tolerance=1, quantity="a.q"), ground({"a.q": (1, 0)})).verdict
        == "undetermined"
    )
    assert {open_claim.verdict, external.verdict} <= set(VERDICTS)


def test_assumptions_are_said() -> None:
    claim = Claim(id="c", text="t", value=10, unit="ns", tolerance=1, quantity="a.q")
    got = judge(claim, ground({"a.q": (20, 0)}, "consistency", outside=True, assumes=("one becomes one",)))
    assert got.verdict == "differs"
    assert "takes for granted: one becomes one." in got.sentence
