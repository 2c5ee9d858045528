"""Consistent numbers, however they are rounded, raise no alarm; one that is moved beyond its digits does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from perolas.study.audit.check import constants, kinds_of
from perolas.study.audit.kinds import KINDS
from perolas.study.audit.relations import RELATIONS
from perolas.study.audit.said import half_width
from perolas.study.expression import evaluate, number

PI, C, HC = math.pi, 299792458.0, 1.98644586e-25

# rule -> (kinds of the right side, the left kind, left from right in SI, factors that a text need not name): worked out
# here again, with other words than the code's
EQUATIONS: dict[str, tuple[tuple[str, ...], str, Callable[..., float], tuple[float, ...]]] = {
    "shots_in_time": (("repetition_rate", "duration"), "shots", lambda f, t: f * t, (1,)),
    "dose_in_time": (("irradiance", "duration"), "dose", lambda i, t: i * t, (1,)),
    "fluence_on_area": (("pulse_energy", "spot_area"), "fluence", lambda e, a: e / a, (1, 2)),
    "area_of_diameter": (("spot_diameter",), "spot_area", lambda d: PI * (d / 2) ** 2, (1,)),
    "energy_of_power": (("average_power", "repetition_rate"), "pulse_energy", lambda p, f: p / f, (1,)),
    "photon_energy": (("wavelength",), "photon_energy", lambda w: HC / w, (1,)),
    "quality_of_line": (("line_centre", "linewidth"), "quality_factor", lambda c, w: c / w, (1,)),
    "photon_lifetime_of_line": (
        ("line_centre", "linewidth"), "photon_lifetime", lambda c, w: 1 / (2 * PI * C * w / c**2), (1,)),
    "mode_spacing": (
        ("line_centre", "refractive_index", "cavity_length"), "mode_spacing",
        lambda w, n, x: w * w / n / x / 2, (1, 2)),
    "concentration": (("amount", "volume"), "concentration", lambda n, v: n / v, (1,)),
    "size_of_volumes": (("parent_size", "volume_ratio"), "product_size", lambda d, r: math.cbrt(d**3 * r), (1,)),
}  # fmt: skip

# unit -> in SI
UNITS = {
    "repetition_rate": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6},
    "duration": {"s": 1.0, "min": 60.0, "h": 3600.0},
    "shots": {"": 1.0},
    "irradiance": {"mW/cm^2": 10.0, "W/m^2": 1.0},
    "dose": {"J/cm^2": 1e4, "kJ/m^2": 1e3},
    "pulse_energy": {"uJ": 1e-6, "nJ": 1e-9},
    "spot_area": {"um^2": 1e-12, "mm^2": 1e-6, "cm^2": 1e-4},
    "spot_diameter": {"um": 1e-6, "mm": 1e-3},
    "fluence": {"uJ/cm^2": 1e-2, "mJ/cm^2": 10.0},
    "average_power": {"mW": 1e-3, "W": 1.0},
    "wavelength": {"nm": 1e-9, "um": 1e-6},
    "photon_energy": {"eV": 1.602176634e-19},
    "line_centre": {"nm": 1e-9},
    "linewidth": {"nm": 1e-9, "pm": 1e-12},
    "quality_factor": {"": 1.0},
    "photon_lifetime": {"ps": 1e-12, "fs": 1e-15},
    "refractive_index": {"": 1.0},
    "cavity_length": {"um": 1e-6},
    "mode_spacing": {"nm": 1e-9},
    "amount": {"mmol": 1e-3, "mol": 1.0},
    "volume": {"mL": 1e-6, "L": 1e-3},
    "concentration": {"mol/L": 1e3, "mmol/L": 1.0},
    "parent_size": {"nm": 1e-9},
    "product_size": {"nm": 1e-9, "angstrom": 1e-10},
    "volume_ratio": {"": 1.0},
}


def printed(value: float, digits: int, power: bool) -> str:
    """A number as people print it, with so many digits."""
    if power:
        return f"{value:.{digits - 1}e}"
    size = math.floor(math.log10(abs(value)))
    digits = max(digits, 2) if size >= 1 else digits  # "1000" for 1240 would be a contradiction: nobody prints that
    places = digits - 1 - size
    return f"{value:.{places}f}" if places > 0 else str(round(round(value, places)))


@st.composite
def consistent(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]], float, dict[str, Any]]:
    """A rule, statements that agree, and how far the left one is open relative to its value."""
    rule = draw(st.sampled_from(sorted(EQUATIONS)))
    rights, left, law, factors = EQUATIONS[rule]
    factor = draw(st.sampled_from(factors))
    true = {kind: 10 ** draw(st.floats(-1, 3)) * min(UNITS[kind].values()) for kind in rights}
    true[left] = factor * law(*(true[k] for k in rights))
    stated, open_ = [], 0.0
    for kind, value in true.items():
        unit = draw(st.sampled_from(sorted(UNITS[kind])))
        shown = value / UNITS[kind][unit]
        least = 3 if KINDS[kind].nominal else 1  # "1 kHz" says 1.0 kHz, so 1.3 kHz is printed with its digits
        text = printed(shown, draw(st.integers(least, 5)), draw(st.booleans()) or not 1e-3 < shown < 1e6)
        open_ += half_width(text, nominal=KINDS[kind].nominal) / shown * 3  # no law has a power above 3
        stated.append({"kind": kind, "value": f"{text} {unit}".strip()})
    return rule, stated, open_, {"kind": left, "unit": unit, "value": shown}


HOW = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def _no_alarm(case: Any, audit_of: Callable[..., Any]) -> None:
    rule, stated, _, _ = case
    found = audit_of(*stated)
    assert not [c["sentence"] for c in found["contradictions"]], stated
    assert rule in {c["rule"] for c in found["agreements"]}


def _alarm(case: Any, times: float, audit_of: Callable[..., Any]) -> None:
    rule, stated, open_, last = case
    # beyond everything that digits leave open on both sides, and beyond the factors of 2 that a text need not name
    assume(open_ < 0.6)
    moved = last["value"] * (times if times > 1 else 1.0) * (2.5 + 4 * open_)
    if times < 1:
        moved = last["value"] * times / (2.5 + 4 * open_)
    stated[-1]["value"] = f"{moved:.5e} {last['unit']}".strip()
    assert rule in {c["rule"] for c in audit_of(*stated)["contradictions"]}, stated


@given(case=consistent())
@settings(max_examples=400, **HOW)  # type: ignore[arg-type]
def test_consistent_numbers_raise_no_alarm(case: Any, audit_of: Callable[..., Any]) -> None:
    _no_alarm(case, audit_of)


@given(case=consistent(), times=st.sampled_from([0.5, 2.0]))
@settings(max_examples=200, **HOW)  # type: ignore[arg-type]
def test_a_number_moved_beyond_its_digits_raises_one(case: Any, times: float, audit_of: Callable[..., Any]) -> None:
    _alarm(case, times, audit_of)


@pytest.mark.full
@given(case=consistent())
@settings(max_examples=3000, **HOW)  # type: ignore[arg-type]
def test_thousands_of_consistent_sets_raise_no_alarm(case: Any, audit_of: Callable[..., Any]) -> None:
    _no_alarm(case, audit_of)


@given(value=st.floats(1, 999), std=st.floats(0.001, 0.05), off=st.floats(-2, 2))
@settings(max_examples=80, **HOW)  # type: ignore[arg-type]
def test_explicit_errors_count_three_times(value: float, std: float, off: float, audit_of: Callable[..., Any]) -> None:
    """Two values with an error each: the gap has to exceed 3 sqrt(2) errors, whatever else."""
    error = std * value

    def found(gap: float) -> Any:
        texts = (f"{x:.6e} +- {error:.6e} nm" for x in (value, value + gap * math.sqrt(2) * error))
        return audit_of(*({"kind": "size", "value": t} for t in texts))["contradictions"]

    assert not found(off)
    assert found(3.2)
    assert found(-3.2) or value - 3.2 * math.sqrt(2) * error < 0


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """Any equation of the table, with the left side out of the right one: the formulas have examples of their own."""
    relation = draw(st.sampled_from([r for r in RELATIONS if r.sign == "=" and r.left in KINDS]))
    kinds = [k for k in kinds_of(relation) if k != relation.left]
    true = {k: 10 ** draw(st.floats(-1, 0 if KINDS[k].high == 1 else 3)) for k in kinds}
    known = constants() | {k: number(v, {}, KINDS[k].unit or "1") for k, v in true.items()}
    if relation.name == "raman_shift":
        known["raman_wavelength"] = number(true["wavelength"] * 1.1, {}, "nm")
        true["raman_wavelength"] = true["wavelength"] * 1.1
    left = evaluate(relation.right, known.__getitem__).to(KINDS[relation.left].unit or "1").value
    assume(1e-12 < abs(left) < 1e12 and math.isfinite(left))
    stated = []
    for kind, value in {**true, relation.left: left}.items():
        text = printed(value, draw(st.integers(3 if KINDS[kind].nominal else 1, 5)), True)
        unit = KINDS[kind].unit or "1"
        stated.append({"kind": kind, "value": text if unit == "1" else f"{text} {unit}", "radiation": "other"})
    if any(k in ("molar_mass", "atomic_ratio") for k in (*true, relation.left)):
        stated = [{**row, "compound": "CsPbBr3"} for row in stated]
    return relation.name, stated


@given(case=equations())
@settings(max_examples=200, **HOW)  # type: ignore[arg-type]
def test_no_equation_of_the_table_raises_a_false_alarm(
    case: tuple[str, list[dict[str, Any]]], audit_of: Callable[..., Any]
) -> None:
    rule, stated = case
    found = audit_of(*stated)
    assert rule in {c["rule"] for c in found["agreements"]}, stated
    assert rule not in {c["rule"] for c in found["contradictions"]}, stated


@st.composite
def anything(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Statements of any kind with any number, sensible or not."""
    found = []
    for kind in draw(st.lists(st.sampled_from([k for k in KINDS.values() if not k.text]), min_size=2, max_size=12)):
        numbers = st.sampled_from([0, -1, 1, 1e-300, 1e300, 7.5, -1e-30]) | st.floats(-1e9, 1e9)
        unit = "" if kind.unit in (None, "1") else f" {kind.unit}"
        texts = [f"{draw(numbers):.6g}{unit}" for _ in range(draw(st.integers(1, 3)) if kind.several else 1)]
        keys: dict[str, Any] = {"phase": draw(st.sampled_from(["", "CsPbBr3", "CsBr", "made up"])), "radiation": "Cu"}
        keys |= {"level": "Pb 4f", "component": draw(st.sampled_from(["5/2", "7/2"])), "compound": "CsPbBr3"}
        keys |= {"keeps": "Pb", "laser": "argon", "lamp": "one", "elements": ["Cs", "Pb", "Br"][: len(texts)]}
        keys |= {"hkl": draw(st.sampled_from([None, [1, 0, 0], [40, -3, 7]]))}
        keys |= {"relation": draw(st.sampled_from(["=", "~", "<", ">", "<=", ">="]))}
        found.append({"kind": kind.name, "value": texts if kind.several else texts[0], **keys})
    return found


@given(stated=anything())
@settings(max_examples=60, **HOW)  # type: ignore[arg-type]
def test_any_numbers_end_in_an_audit(stated: list[dict[str, Any]], audit_of: Callable[..., Any]) -> None:
    found = audit_of(*stated)
    assert found["counts"]["statements"] == len(stated)
    json.dumps(found, allow_nan=False)


@pytest.mark.full
@given(stated=anything())
@settings(max_examples=3000, **HOW)  # type: ignore[arg-type]
def test_any_numbers_end_in_an_audit_many_times(stated: list[dict[str, Any]], audit_of: Callable[..., Any]) -> None:
    json.dumps(audit_of(*stated), allow_nan=False)


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("0.3 nm", 0.05),
        ("0.30 nm", 0.005),
        ("8.6e7", 0.05e7),
        ("254 uJ/cm^2", 0.5),
        ("20 nm", 1.0),  # 5 % of it: the zero may be a digit or not
        ("160 min", 5.0),  # half of the last digit that is none
        ("1000", 50.0),
        ("100. nm", 0.5),  # with a point the zeros are digits
        ("5 h", 0.5),
        ("0", 0.5),
        ("-1.50", 0.005),
        ("1E3", 500.0),
    ],
)
def test_what_printed_digits_leave_open(text: str, half: float) -> None:
    """By the rules of rounding: half a unit of the last digit."""
    assert half_width(text) == pytest.approx(half)
    assert half_width(text, about=True) == pytest.approx(2 * half)


@pytest.mark.parametrize("text", ["8.6e7", "8.6×10^7", "8.6 x 10^7", "8.6 · 10^7", "86 x 10^6"])
def test_powers_of_ten_as_papers_print_them(text: str, audit_of: Callable[..., Any]) -> None:
    found = audit_of({"kind": "shots", "value": text}, {"kind": "shots", "value": "8.60e7"})
    assert found["agreements"]
    assert not found["contradictions"]


def test_a_setting_is_meant_as_printed() -> None:
    assert half_width("1 kHz", nominal=True) == pytest.approx(0.02)
    assert half_width("1.000 kHz", nominal=True) == pytest.approx(0.0005)
