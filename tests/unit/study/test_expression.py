"""Arithmetic: units, errors, and what it refuses."""

from __future__ import annotations

import math
import time

import pytest

from perolas.core.errors import InputError
from perolas.study.expression import Number, evaluate, names, number, parse, read_number

NUMBERS = {
    "shots": "8.6e7",
    "rate": "1 kHz",
    "a": "5.0 +- 0.1 eV",
    "b": "4.87 ± 0.03 eV",
    "x": 3,
    "laser": "785 nm",
    "shift": "2 cm-1",
    "angle": "30 deg",
    "warm": "20 degC",
}


def look(name: str) -> Number:
    if name not in NUMBERS:
        raise InputError("There is no such number.")
    return read_number(NUMBERS[name], name)


@pytest.mark.parametrize(
    ("text", "unit", "value", "std"),
    [
        ("shots / rate", "h", 8.6e7 / 1e3 / 3600, 0),
        ("a - b", "eV", 0.13, math.hypot(0.1, 0.03)),
        ("a - a", "eV", 0, 0),  # an error that both sides share cancels
        ("a + a", "eV", 10, 0.2),
        ("a / b", "1", 5 / 4.87, 5 / 4.87 * math.hypot(0.1 / 5, 0.03 / 4.87)),
        ("a * x", "meV", 15000, 300),
        ("laser ** 2 * shift", "nm", 785**2 * 2e-7, 0),
        ("sin(angle)", "1", 0.5, 0),
        ("asin(1 / 2)", "deg", 30, 0),
        ("-x ** 2", "1", -9, 0),
        ("sqrt(a * a)", "eV", 5, 0.1),
        ("log(exp(x))", "1", 3, 0),
        ("min(x, 2, 7) + max(1, 2) + abs(-1)", "1", 5, 0),
        ("warm", "K", 293.15, 0),
        ("warm", "degC", 20, 0),
        ("1 / 4", "%", 25, 0),
    ],
)
def test_values(text: str, unit: str, value: float, std: float) -> None:
    got = evaluate(text, look).to(unit)
    assert got.value == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert got.std == pytest.approx(std, rel=1e-9, abs=1e-12)


HOSTILE = [
    "9**9**9",
    "9**9**9**9",
    "__import__('os').system('true')",
    "a.__class__",
    "a.b.c",
    "().__class__",
    "[1][0]",
    "{}",
    "'x' * 9",
    "x if x else x",
    "lambda: 1",
    "(x := 3)",
    "x and x",
    "x < 3",
    "f'{x}'",
    "True",
    "None",
    "1j",
    "x % 2",
    "x // 2",
    "x << 1000000",
    "print(x)",
    "sqrt(x, x)",
    "sqrt(*x)",
    "sqrt(x=3)",
    "min()",
    "(" * 300 + "x" + ")" * 300,
    "-" * 490 + "1",
    "+".join(["x"] * 249),
    "x" * 501,
    "1e999",
    "9" * 400,
    "1/0",
    "0 ** -1",
    "(-1) ** 0.5",
    "sqrt(-1)",
    "log(0)",
    "asin(2)",
    "exp(1e6)",
    "a ** 1000",
    "a ** shots",
    "a ** a",
    "sin(a)",
    "a + shots",
    "min(a, shots)",
    "",
    "   ",
    "\0",
    "x\nx",
    "import os",
    "x;x",
    "await x",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: repr(t[:24]))
def test_hostile(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        evaluate(text, look)
    assert time.monotonic() - start < 1.0
    assert "\n" not in str(caught.value)


def test_names_without_evaluating() -> None:
    assert names("sqrt(a) + other.q * a - -b") == ["a", "other.q", "b"]
    with pytest.raises(InputError, match="more than arithmetic"):
        parse("a[0]")


@pytest.mark.parametrize(
    "text", ["", "eV", "1 2 eV", "1 +- eV", "nan eV", "1e999", "1 nonsense", "1 m**999", True, None, [1], "1" * 200]
)
def test_numbers_that_cannot_be_read(text: object) -> None:
    with pytest.raises(InputError):
        read_number(text, "it")  # type: ignore[arg-type]


def test_a_unit_that_does_not_fit() -> None:
    with pytest.raises(InputError, match="cannot be given"):
        evaluate("a", look).to("nm")


def test_unknown_error_stays_unknown() -> None:
    unknown = number(1.0, {"fit": math.inf}, "ns")
    assert evaluate("q - 2 * q", {"q": unknown}.__getitem__).to("ns").std == math.inf
