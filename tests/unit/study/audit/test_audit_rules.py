"""Each rule with one example that agrees and one that does not; the numbers are worked out by hand beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from perolas.study.audit.check import EVERY_RULE


def s(kind: str, value: Any, **keys: Any) -> dict[str, Any]:
    return {"kind": kind, "value": value, **keys}


CU = {"radiation": "Cu"}
PB = {"level": "Pb 4f"}
CsPbBr3 = {"compound": "CsPbBr3", "elements": ["Cs", "Pb", "Br"]}

# rule -> (statements, one that agrees with them, one that does not)
EXAMPLES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]] = {
    # 5 kHz x 200 s = 1.0e6
    "shots_in_time": (
        [s("repetition_rate", "5 kHz"), s("duration", "200 s")],
        s("shots", "1.0e6"),
        s("shots", "2.0e6"),
    ),
    # 20 mW/cm2 x 600 s = 12 J/cm2
    "dose_in_time": (
        [s("irradiance", "20 mW/cm^2"), s("duration", "10 min")],
        s("dose", "12 J/cm^2"),
        s("dose", "120 J/cm^2"),
    ),
    # 50 uJ/cm2 x 2.0e6 = 100 J/cm2
    "dose_of_shots": (
        [s("fluence", "50 uJ/cm^2"), s("shots", "2.0e6")],
        s("dose", "100 J/cm^2"),
        s("dose", "1.0 J/cm^2"),
    ),
    # 3.0 uJ / 0.020 cm2 = 150 uJ/cm2; 300 at the peak of a Gaussian would do as well
    "fluence_on_area": (
        [s("pulse_energy", "3.0 uJ"), s("spot_area", "0.020 cm^2")],
        s("fluence", "300 uJ/cm^2"),
        s("fluence", "15 uJ/cm^2"),
    ),
    # 1.00 uJ on pi (50 um)^2 = 7.854e-5 cm2: 12.7 mJ/cm2
    "fluence_on_diameter": (
        [s("pulse_energy", "1.00 uJ"), s("spot_diameter", "100.0 um")],
        s("fluence", "12.7 mJ/cm^2"),
        s("fluence", "1.27 mJ/cm^2"),
    ),
    "fluence_on_radius": (
        [s("pulse_energy", "1.00 uJ"), s("spot_radius", "50.0 um")],
        s("fluence", "12.7 mJ/cm^2"),
        s("fluence", "127 mJ/cm^2"),
    ),
    # pi 2^2 / 4 = 3.14; pi d^2 would be 12.6
    "area_of_diameter": ([s("spot_diameter", "2.0 mm")], s("spot_area", "3.14 mm^2"), s("spot_area", "12.6 mm^2")),
    "area_of_radius": ([s("spot_radius", "1.0 mm")], s("spot_area", "3.14 mm^2"), s("spot_area", "6.28 mm^2")),
    "diameter_of_radius": ([s("spot_radius", "40.0 um")], s("spot_diameter", "80 um"), s("spot_diameter", "40.0 um")),
    # 40 mW / 2.0 kHz = 20 uJ
    "energy_of_power": (
        [s("average_power", "40 mW"), s("repetition_rate", "2.0 kHz")],
        s("pulse_energy", "20 uJ"),
        s("pulse_energy", "80 uJ"),
    ),
    # 10.0 mW / 0.50 cm2 = 20 mW/cm2
    "irradiance_of_power": (
        [s("average_power", "10.0 mW"), s("spot_area", "0.50 cm^2")],
        s("irradiance", "20 mW/cm^2"),
        s("irradiance", "5.0 mW/cm^2"),
    ),
    # 50 uJ/cm2 x 1.0 kHz = 50 mW/cm2
    "irradiance_of_pulses": (
        [s("fluence", "50 uJ/cm^2"), s("repetition_rate", "1.0 kHz")],
        s("irradiance", "50 mW/cm^2"),
        s("irradiance", "50 uW/cm^2"),
    ),
    # 532 nm / (2 x 0.80) = 332 nm
    "spot_diffracts": (
        [s("wavelength", "532 nm"), s("numerical_aperture", "0.80")],
        s("spot_diameter", "0.5 um"),
        s("spot_diameter", "0.2 um"),
    ),
    # 1 / 40 MHz = 25 ns
    "decay_in_period": (
        [s("repetition_rate", "40 MHz")],
        s("mean_lifetime", "9 ns"),
        s("mean_lifetime", "140 ns"),
    ),
    "line_after_start": (
        [s("scan_start", "10 deg")],
        s("two_theta", "15 deg", **CU),
        s("two_theta", "7.5 deg", **CU),
    ),
    "line_before_end": (
        [s("scan_end", "50 deg")],
        s("two_theta", "30.4 deg", **CU),
        s("two_theta", "62 deg", **CU),
    ),
    # 1.00 mJ / 100 fs = 10 GW, 9.4 GW for a Gaussian pulse
    "peak_power": (
        [s("pulse_energy", "1.00 mJ"), s("pulse_length", "100 fs")],
        s("peak_power", "9.4 GW"),
        s("peak_power", "1.0 GW"),
    ),
    # 100 uJ/cm2 / 100 fs = 1.0 GW/cm2
    "peak_irradiance": (
        [s("fluence", "100 uJ/cm^2"), s("pulse_length", "100 fs")],
        s("peak_irradiance", "1.0 GW/cm^2"),
        s("peak_irradiance", "10.0 GW/cm^2"),
    ),
    # 1239.84 eV nm / 405 nm = 3.061 eV
    "photon_energy": ([s("wavelength", "405 nm")], s("photon_energy", "3.06 eV"), s("photon_energy", "3.50 eV")),
    # a photon of 532 nm has 3.734e-19 J: 1.00 uJ are 2.68e12
    "photons_of_pulse": (
        [s("wavelength", "532 nm"), s("pulse_energy", "1.00 uJ")],
        s("photons_per_pulse", "2.68e12"),
        s("photons_per_pulse", "2.68e15"),
    ),
    # a photon of 800 nm has 2.483e-19 J: 100 uJ/cm2 are 4.03e14 on a square centimetre
    "photon_fluence": (
        [s("wavelength", "800 nm"), s("fluence", "100.0 uJ/cm^2")],
        s("photon_fluence", "4.03e14 cm^-2"),
        s("photon_fluence", "4.03e12 cm^-2"),
    ),
    # 0.315 (800 nm)^2 / (c 100 fs) = 6.7 nm is the least
    "time_bandwidth": (
        [s("wavelength", "800 nm"), s("pulse_length", "100 fs")],
        s("bandwidth", "10 nm"),
        s("bandwidth", "3.0 nm"),
    ),
    "lasing_above_threshold": (
        [s("threshold_fluence", "100 uJ/cm^2")],
        s("lasing_fluence", "120 uJ/cm^2"),
        s("lasing_fluence", "40 uJ/cm^2"),
    ),
    # 1.5 x 200 = 300
    "times_threshold": (
        [s("threshold_fluence", "200.0 uJ/cm^2"), s("times_threshold", "1.50")],
        s("lasing_fluence", "300 uJ/cm^2"),
        s("lasing_fluence", "450 uJ/cm^2"),
    ),
    # 540 / 0.27 = 2000
    "quality_of_line": (
        [s("line_centre", "540 nm"), s("linewidth", "0.27 nm")],
        s("quality_factor", "2000"),
        s("quality_factor", "200"),
    ),
    # (540 nm)^2 / (2 pi c 0.27 nm) = 2.916e-13 m2 / 0.5086 m2/s = 0.573 ps
    "photon_lifetime_of_line": (
        [s("line_centre", "540 nm"), s("linewidth", "0.27 nm")],
        s("photon_lifetime", "0.57 ps"),
        s("photon_lifetime", "5.7 ps"),
    ),
    # 2000 x 540 nm / (2 pi c) = 1.08e-3 m / 1.884e9 m/s = 0.573 ps
    "photon_lifetime_of_quality": (
        [s("line_centre", "540 nm"), s("quality_factor", "2000")],
        s("photon_lifetime", "0.57 ps"),
        s("photon_lifetime", "0.057 ps"),
    ),
    "linewidth_resolved": ([s("resolution", "0.05 nm")], s("linewidth", "0.20 nm"), s("linewidth", "0.02 nm")),
    # 1239.84 eV nm x 20.0 nm / (520 nm)^2 = 91.7 meV
    "linewidth_as_energy": (
        [s("line_centre", "520 nm"), s("linewidth", "20.0 nm")],
        s("linewidth_energy", "92 meV"),
        s("linewidth_energy", "45 meV"),
    ),
    # 532^2 / (2 x 2.00 x 10000) nm = 7.08 nm, 14.2 nm around a ring
    "mode_spacing": (
        [s("line_centre", "532 nm"), s("refractive_index", "2.00"), s("cavity_length", "10.0 um")],
        s("mode_spacing", "14.2 nm"),
        s("mode_spacing", "0.71 nm"),
    ),
    "gain_beats_loss": ([s("loss", "50 cm^-1")], s("gain", "100 cm^-1"), s("gain", "20 cm^-1")),
    # ln(1 / 0.30) = 1.20; 200/cm x 100 um = 2.0, 50/cm x 100 um = 0.50
    "gain_of_round_trip": (
        [s("reflectivity", "0.30"), s("gain_length", "100 um")],
        s("gain", "200 cm^-1"),
        s("gain", "50 cm^-1"),
    ),
    # the edge at 515 nm is 2.407 eV; 520 nm 2.384 eV; 480 nm 2.583 eV, 0.176 eV above it
    "emission_below_edge": (
        [s("absorption_edge", "515 nm")],
        s("emission_wavelength", "520 nm"),
        s("emission_wavelength", "480 nm"),
    ),
    # 525 nm is 2.36 eV, 470 nm is 2.64 eV
    "emission_below_gap": (
        [s("band_gap", "2.40 eV")],
        s("emission_wavelength", "525 nm"),
        s("emission_wavelength", "470 nm"),
    ),
    # 520 nm is 2.384 eV; two photons of 1030 nm are 2.407 eV, of 1200 nm 2.066 eV
    "photons_suffice": (
        [s("emission_wavelength", "520 nm"), s("photon_number", 2)],
        s("wavelength", "1030 nm"),
        s("wavelength", "1200 nm"),
    ),
    # 8.0 / 20.0 = 0.40
    "yield_of_lifetimes": (
        [s("mean_lifetime", "8.0 ns"), s("radiative_lifetime", "20.0 ns")],
        s("quantum_yield", "40 %"),
        s("quantum_yield", "80 %"),
    ),
    # 1.50e6 x 0.40e-6 x 1.0 = 0.60
    "beer_lambert": (
        [s("molar_absorption", "1.50e6 L/mol/cm"), s("concentration", "0.40 umol/L"), s("path_length", "1.0 cm")],
        s("absorbance", "0.60"),
        s("absorbance", "6.0"),
    ),
    # 10^-1 = 10 %
    "transmittance": ([s("absorbance", "1.00")], s("transmittance", "10 %"), s("transmittance", "50 %")),
    # 1e7 / 532.0 - 1e7 / 536.3 = 150.7 cm-1
    "raman_shift": (
        [s("wavelength", "532.0 nm"), s("raman_wavelength", "536.3 nm")],
        s("raman_shift", "150 cm-1"),
        s("raman_shift", "300 cm-1"),
    ),
    # 2.0 mmol / 10 mL = 0.20 mol/L
    "concentration": (
        [s("amount", "2.0 mmol"), s("volume", "10 mL")],
        s("concentration", "0.20 mol/L"),
        s("concentration", "0.02 mol/L"),
    ),
    # 0.100 mmol x 367.0 g/mol = 36.7 mg (lead bromide)
    "mass_of_amount": (
        [s("amount", "0.100 mmol"), s("molar_mass", "367.0 g/mol", compound="PbBr2")],
        s("mass", "36.7 mg", compound="PbBr2"),
        s("mass", "367 mg", compound="PbBr2"),
    ),
    "mass_concentration": (
        [s("mass", "50 mg"), s("volume", "5.0 mL")],
        s("mass_concentration", "10 mg/mL"),
        s("mass_concentration", "1.0 mg/mL"),
    ),
    # 10.0 mmol/L x 367.0 g/mol = 3.67 g/L
    "mass_of_molar": (
        [s("concentration", "10.0 mmol/L"), s("molar_mass", "367.0 g/mol", compound="PbBr2")],
        s("mass_concentration", "3.67 mg/mL", compound="PbBr2"),
        s("mass_concentration", "36.7 mg/mL", compound="PbBr2"),
    ),
    # 0.89 g/mL x 10 mL = 8.9 g
    "mass_of_volume": ([s("density", "0.89 g/mL"), s("volume", "10 mL")], s("mass", "8.9 g"), s("mass", "6.0 g")),
    # 0.50 mol/L x 1.0 mL = 50 mmol/L x 10 mL
    "dilution": (
        [s("stock_concentration", "0.50 mol/L"), s("stock_volume", "1.0 mL"), s("volume", "10 mL")],
        s("concentration", "50 mmol/L"),
        s("concentration", "5.0 mmol/L"),
    ),
    # 0.512^(1/3) = 0.8
    "size_of_volumes": (
        [s("parent_size", "10.0 nm"), s("volume_ratio", "0.512")],
        s("product_size", "8.0 nm"),
        s("product_size", "10.0 nm"),
    ),
    "heated_by_heater": ([s("set_temperature", "90 degC")], s("temperature", "80 degC"), s("temperature", "120 degC")),
    # 1.50 / 1.20 - 1 = 25 %
    "relative_change": ([s("before", "1.20"), s("after", "1.50")], s("change", "25 %"), s("change", "50 %")),
    "ratio_of_change": ([s("before", "30.0 ns"), s("after", "90.0 ns")], s("times", "3.0"), s("times", "2.0")),
    # 2 x 0.2940 nm x sin(15.19 deg) = 0.1541 nm
    "bragg": (
        [s("two_theta", "30.38 deg", radiation="other"), s("xray_wavelength", "0.15406 nm")],
        s("d_spacing", "0.2940 nm"),
        s("d_spacing", "0.3400 nm"),
    ),
    "seen_before_complete": ([s("complete_at", "5 h")], s("first_seen", "3 h"), s("first_seen", "8 h")),
    "one_value": ([s("fluence", "30 uJ/cm^2")], s("fluence", "30.4 uJ/cm^2"), s("fluence", "300 uJ/cm^2")),
    "in_range": ([], s("quantum_yield", "95 %"), s("quantum_yield", "120 %")),
    "shares_sum": ([], s("shares", ["62 %", "38 %"]), s("shares", ["62 %", "48 %"])),
    # amplitudes 3 : 1 of 4.0 and 20.0 ns: (3 x 4 + 20) / 4 = 8.0 ns, and (3 x 16 + 400) / 32 = 14.0 ns by intensity
    "mean_of_components": (
        [s("lifetime_components", ["4.0 ns", "20.0 ns"]), s("lifetime_amplitudes", ["75 %", "25 %"])],
        s("mean_lifetime", "14 ns", definition="intensity"),
        s("mean_lifetime", "8.0 ns", definition="intensity"),
    ),
    "taken_before_seen": (
        [s("first_seen", "3 h", phase="CsPbBr3")],
        s("product_at", "4 h", phase="CsPbBr3"),
        s("product_at", "20 min", phase="CsPbBr3"),
    ),
    "one_lamp": (
        [s("irradiance", "2 mW/cm^2", lamp="UV", of="synthesis")],
        s("irradiance", "2.1 mW/cm^2", lamp="UV", of="ageing"),
        s("irradiance", "60 mW/cm^2", lamp="UV", of="ageing"),
    ),
    "rising": (
        [
            s("mean_lifetime", "4 ns", of="bare", name="bare"),
            s("mean_lifetime", "9 ns", of="capped", name="capped"),
        ],
        s("rising", ["bare", "capped"]),
        s("rising", ["capped", "bare"]),
    ),
    "one_word": ([s("condition", "in the dark")], s("condition", "In the  dark"), s("condition", "under light")),
    "element_in_compound": (
        [],
        s("contains", "Br", compound="CsPbBr3"),
        s("contains", "I", compound="CsPbBr3"),
    ),
    "reaction_balances": (
        [],
        s("reaction", "Cs4PbBr6 -> CsPbBr3 + 3 CsBr"),
        s("reaction", "Cs4PbBr6 -> CsPbBr3 + 2 CsBr"),
    ),
    "precipitate_saturated": ([s("precipitated", "CsBr")], s("saturation", "150 %"), s("saturation", "3 %")),
    # d(220) of cubic CsPbBr3 at a = 0.587 nm is 0.587 / sqrt(8) = 0.208 nm; the library's cell is within 1 % of that
    "spacing_of_phase": (
        [],
        s("d_spacing", "0.208 nm", phase="CsPbBr3_cubic", hkl=[2, 2, 0]),
        s("d_spacing", "0.294 nm", phase="CsPbBr3_cubic", hkl=[2, 2, 0]),
    ),
    # 2 asin(0.15406 / (2 x 0.587)) = 15.08 deg
    "angle_of_phase": (
        [],
        s("two_theta", "15.1 deg", phase="CsPbBr3_cubic", hkl=[1, 0, 0], **CU),
        s("two_theta", "16.5 deg", phase="CsPbBr3_cubic", hkl=[1, 0, 0], **CU),
    ),
    # 2 asin(0.15406 / (2 x 0.420)) = 21.14 deg
    "bragg_of_tube": (
        [s("d_spacing", "0.420 nm", phase="new")],
        s("two_theta", "21.1 deg", phase="new", **CU),
        s("two_theta", "30.4 deg", phase="new", **CU),
    ),
    # 0.1541 nm is copper's, 0.0709 nm molybdenum's
    "tube": ([], s("xray_wavelength", "0.1541 nm", **CU), s("xray_wavelength", "0.0709 nm", **CU)),
    # 4.87(3) eV
    "doublet": (
        [s("core_level", "138.40 eV", component="7/2", **PB)],
        s("core_level", "143.26 eV", component="5/2", **PB),
        s("core_level", "144.10 eV", component="5/2", **PB),
    ),
    "laser_line": ([], s("wavelength", "633 nm", laser="He-Ne laser"), s("wavelength", "785 nm", laser="argon ion")),
    # 132.905 + 207.2 + 3 x 79.904 = 579.8 g/mol
    "molar_mass_of_formula": (
        [],
        s("molar_mass", "579.8 g/mol", compound="CsPbBr3"),
        s("molar_mass", "597.8 g/mol", compound="CsPbBr3"),
    ),
    "ratio_of_formula": (
        [],
        s("atomic_ratio", [1.0, "1.05", "2.9"], **CsPbBr3),
        s("atomic_ratio", [1.0, "1.0", "1.9"], **CsPbBr3),
    ),
    # 4 + 2 - 6 = 0; 4 + 2 - 5 = +1
    "compound_neutral": (
        [],
        s("contains", "Cs", compound="Cs4PbBr6"),
        s("contains", "Cs", compound="Cs4PbBr5"),
    ),
    # cells of 0.470 nm3 and 0.199 nm3 for each lead atom: (0.199 / 0.470)^(1/3) = 0.751
    "size_of_phases": (
        [s("parent_size", "20.0 nm", phase="Cs4PbBr6")],
        s("product_size", "15.0 nm", phase="CsPbBr3", keeps="Pb"),
        s("product_size", "20.0 nm", phase="CsPbBr3", keeps="Pb"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", EXAMPLES)
def test_a_rule_finds_what_breaks_it_and_nothing_else(rule: str, audit_of: Callable[..., Any]) -> None:
    given, good, bad = EXAMPLES[rule]
    agrees, breaks = audit_of(*given, good), audit_of(*given, bad)
    assert not agrees["contradictions"]
    assert rule in {c["rule"] for c in agrees["agreements"]}
    assert rule in {c["rule"] for c in breaks["contradictions"]}


def test_every_rule_has_an_example() -> None:
    assert {r.name for r in EVERY_RULE} == set(EXAMPLES)


def test_a_relation_that_fails_for_one_of_two_values_is_not_listed_again(audit_of: Callable[..., Any]) -> None:
    """1 kHz x 24 h = 8.64e7: of the two times one fits, so the only contradiction is that there are two."""
    given = [s("shots", "8.6e7"), s("repetition_rate", "1 kHz"), s("duration", "24 h"), s("duration", "160 min")]
    assert [c["rule"] for c in audit_of(*given)["contradictions"]] == ["one_value"]
    # where neither fits, both are listed: 1 kHz x 2 h = 7.2e6
    given[2] = s("duration", "2 h")
    assert len(audit_of(*given)["contradictions"]) == 3


@pytest.mark.parametrize(
    ("first", "second", "differ"),
    [
        ("2 h", "2.4 h", False),  # 2.4 is printed as 2
        ("2 h", "3 h", True),  # nothing is printed as 2 and as 3, though both leave 2.5 open
        ("20 nm", "20.8 nm", False),  # the zero may not be a digit
        ("0.30 nm", "300 pm", False),
        ("1.50 nm", "1.51 nm", True),
        ("1.50 +- 0.01 nm", "1.53 nm", False),  # 0.025 beyond rounding: less than three errors
        ("1.50 +- 0.01 nm", "1.54 nm", True),  # 0.035: more
    ],
)
def test_when_one_thing_has_two_values(first: str, second: str, differ: bool, audit_of: Callable[..., Any]) -> None:
    """By the rules of rounding, worked out beside each."""
    kind = "duration" if first.endswith("h") else "size"
    assert bool(audit_of(s(kind, first), s(kind, second))["contradictions"]) == differ


def test_a_bound_only_contradicts_what_lies_beyond_it(audit_of: Callable[..., Any]) -> None:
    more = s("duration", "24 h", relation=">")
    assert not audit_of(more, s("duration", "40 h"))["contradictions"]
    assert audit_of(more, s("duration", "20 h"))["contradictions"]
    assert not audit_of(s("resolution", "0.1 nm", relation="<"), s("linewidth", "0.05 nm"))["contradictions"]


def test_subjects_keep_things_apart(audit_of: Callable[..., Any]) -> None:
    hours = [s("duration", "24 h", of=["lasing", "Storage "]), s("duration", "2 h", of="film")]
    assert not audit_of(*hours)["contradictions"]
    assert audit_of(*hours, s("duration", "9 h", of="storage"))["contradictions"]


def test_what_is_about_another_plane_or_compound_is_not_compared(audit_of: Callable[..., Any]) -> None:
    assert not audit_of(s("d_spacing", "0.58 nm", hkl=[1, 0, 0]), s("d_spacing", "0.41 nm", hkl=[1, 1, 0]))[
        "contradictions"
    ]
    given = [s("amount", "1.0 mmol", compound="PbBr2"), s("volume", "10.0 mL")]
    found = audit_of(*given, s("concentration", "0.40 mol/L", compound="CsBr"))
    assert "concentration" not in {c["rule"] for c in found["contradictions"]}


def test_one_missing_number_is_named(audit_of: Callable[..., Any]) -> None:
    found = audit_of(s("average_power", "4 mW", of="pump"), s("pulse_energy", "4 uJ", of="pump"))
    assert [x for x in found["not_possible"] if x.startswith("pump: with its repetition rate")]
