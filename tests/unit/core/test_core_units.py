"""Units at the door; truth: CODATA and the definition of the units."""

from __future__ import annotations

import math

import pytest
from scipy import constants

from perolas.core import check, units
from perolas.core.errors import InputError


def test_constants_are_codatas():
    assert pytest.approx(constants.h * constants.c / constants.e * 1e9, rel=1e-12) == units.HC_EV_NM
    assert pytest.approx(constants.k / constants.e, rel=1e-12) == units.BOLTZMANN_EV_K


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("254 uJ/cm^2", "uJ/cm^2", 254),
        ("0.254 mJ/cm^2", "uJ/cm^2", 254),
        ("100 ps", "ns", 0.1),
        ("520.5 cm-1", "cm-1", 520.5),
        ("1 kHz", "Hz", 1000),
        (" 3.5e-1 ", "eV", 0.35),
        ("77 K", "K", 77),
        (12, "nm", 12),
    ],
)
def test_convert(text, unit, value):
    assert units.convert(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns",
        "1 lightyear/parsec",
        "1 eV",
        "nan",
        "1e999",
        "1 __import__('os')",
        "9**9**9**9",
        "1 m**999",
        None,
        True,
    ],
)
def test_what_does_not_fit_is_one_sentence(text):
    with pytest.raises(InputError, match=r'Argument "width"|unit'):
        units.convert(text, "ns", "width")


def test_energy_and_wavelength_are_inverse():
    assert units.nm_from_ev(units.ev_from_nm(532.0)) == pytest.approx(532.0, rel=1e-15)
    assert units.raman_shift_cm1(532.0, 532.0) == 0
    assert units.raman_shift_cm1(547.14, 532.0) == pytest.approx(1e7 / 532 - 1e7 / 547.14)


def test_checks_say_what_was_wrong():
    with pytest.raises(InputError, match=r'"irradiance" must be positive, but is -2 mW/cm\^2'):
        check.positive(-2, "irradiance", "mW/cm^2")
    with pytest.raises(InputError, match="turns at value 3"):
        check.axis([1, 2, 2, 3], "time_ns")
    with pytest.raises(InputError, match="not numbers"):
        check.axis([1, math.nan], "time_ns")
    with pytest.raises(InputError, match="negative"):
        check.counts([1, -1])
    assert check.axis([3, 2, 1], "x")[0] == 3


def test_a_shot_is_no_tablespoon():
    """Truth: arithmetic, 8.6e7 / 1000 s; to pint's own registry a shot is a volume."""
    pint = units.registry()
    assert units.convert("8.6e7 shots", "shot") == 8.6e7
    assert (pint.Quantity("8.6e7 shots") / pint.Quantity("1 kHz")).to("h").magnitude == pytest.approx(8.6e4 / 3600)
    with pytest.raises(InputError):
        units.convert("3 shots", "m^3")
