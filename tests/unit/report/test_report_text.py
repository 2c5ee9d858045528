"""Numbers, units and names as printed."""

from __future__ import annotations

import pytest

from perolas.report import text


@pytest.mark.parametrize(
    ("raw", "printed"),
    [
        ("cm-1", "cm⁻¹"), ("cm^-1", "cm⁻¹"), ("uJ/cm^2", "µJ/cm²"), ("mW/cm**2", "mW/cm²"), ("1", ""), ("", ""),
        (None, ""), ("1/ns", "ns⁻¹"), ("deg", "°"), ("degC", "°C"), ("um", "µm"), ("us", "µs"), ("counts", "counts"),
        ("counts/s", "counts/s"), ("eV", "eV"), ("%", "%"), ("angstrom", "Å"), ("nm^2", "nm²"),
        ("(counts)^2", "(counts)²"),
        ("<b>", "<b>"),
    ],
)  # fmt: skip
def test_units(raw: str | None, printed: str) -> None:
    assert text.unit(raw) == printed


@pytest.mark.parametrize(
    ("value", "std", "unit", "printed"),
    [
        (3.6123, 0.0142, "ns", "3.612 ± 0.014\u00a0ns"),
        (3.2e-8, 1.1e-8, "1/ns", "(3.2 ± 1.1)×10⁻⁸\u00a0ns⁻¹"),
        (-2.0, 0.5, "cm-1", "−2.00 ± 0.50\u00a0cm⁻¹"),
        (0.41, None, "ns", "0.41\u00a0ns (error not bounded)"),
        (12.5, 0.3, "%", "(12.50 ± 0.30)\u00a0%"),
        (None, None, "ns", "–"),
        (float("nan"), 1.0, "ns", "–"),
        (float("inf"), 1.0, "", "–"),
        ("1 < 2", None, "", "1 < 2"),
        (True, None, "", "yes"),
    ],
)
def test_measured(value: object, std: object, unit: str, printed: str) -> None:
    assert text.measured(value, std, unit) == printed


@pytest.mark.parametrize(
    ("plain", "printed"),
    [
        ("CsPbBr3 and Cs4PbBr6.", "CsPbBr₃ and Cs₄PbBr₆."),
        ("CsPbBr3.radiative_rate", "CsPbBr3.radiative_rate"),
        ("file CsPbBr3_H2O.txt", "file CsPbBr3_H2O.txt"),
        ("Fig. S3, Pb 4f 7/2, K2, BIC", "Fig. S3, Pb 4f 7/2, K2, BIC"),
        ("sum(a tau^2) / sum(a tau)", "sum(a tau²) / sum(a tau)"),
        ("from 63 to 61 cm-1", "from 63 to 61 cm⁻¹"),
        ("254 uJ/cm^2, 8.6e7 shots, -2", "254 µJ/cm², 8.6×10⁷ shots, −2"),
        ("A_th^(2/3) ~ k / P_th", "A_th^(2/3) ~ k / P_th"),
        ("sample-2 in 2020-01-03", "sample-2 in 2020-01-03"),
    ],
)
def test_prose(plain: str, printed: str) -> None:
    assert text.prose(plain) == printed


def test_slugs_are_safe_and_differ() -> None:
    taken: set[str] = set()
    made = [text.slug(n, taken) for n in ["a b", "a/b", "../../etc", "", "µ", "CON", "A B", "x" * 500]]
    assert made == ["a-b", "a-b-2", "etc", "item", "item-2", "item-CON", "A-B-3", "x" * 60]
