"""Made-up studies for the audit: one with ten contradictions, three without. No number is from a paper.

A row is (name, kind, of, value) and further keys. How the numbers hang together stands beside them.
"""

from __future__ import annotations

from typing import Any

Row = tuple[Any, ...]

# name of the statement that was spoilt -> the rule that has to see it
PLANTED = {
    "energy": "energy_of_power",
    "photon": "photon_energy",
    "q": "quality_of_line",
    "instrument": "linewidth_resolved",
    "weighed": "mass_of_amount",
    "fringe": "spacing_of_phase",
    "cs_3": "doublet",
    "quality_of_film": "shares_sum",
    "tau": "mean_of_components",
    "endurance_abstract": "one_value",
}

SPOILT: list[Row] = [
    # 2.0 mW / 20 Hz = 100 uJ: spoilt to 200 uJ. 200 uJ on pi (1.0 mm)^2 / 4 = 25.5 mJ/cm2; over 5.0 ns 5.1 MW/cm2
    ("power", "average_power", "pump", "2.0 mW"),
    ("rate", "repetition_rate", ["pump", "endurance"], "20 Hz"),
    ("energy", "pulse_energy", "pump", "200 uJ"),
    ("spot", "spot_diameter", "pump", "1.00 mm"),
    ("fluence", "fluence", "pump", "25.5 mJ/cm^2"),
    ("peak", "peak_irradiance", "pump", "5.1 MW/cm^2"),
    ("length", "pulse_length", "pump", "5.0 ns"),
    ("yag", "wavelength", "pump", "355 nm", {"laser": "Nd:YAG"}),
    # 1239.84 / 355 = 3.49 eV: digits turned round
    ("photon", "photon_energy", "pump", "3.94 eV"),
    # 4.8 / 3.2 = 1.5
    ("threshold", "threshold_fluence", "laser", "3.2 mJ/cm^2"),
    ("above", "lasing_fluence", "laser", "4.8 mJ/cm^2"),
    ("over", "times_threshold", "laser", "1.5"),
    # 640 / 0.16 = 4000: a zero is lost; and a spectrometer of 0.5 nm shows no line of 0.16 nm
    ("line", "line_centre", "laser", "640 nm"),
    ("width", "linewidth", "laser", "0.16 nm"),
    ("q", "quality_factor", "laser", "400"),
    ("instrument", "resolution", "laser", "0.5 nm"),
    # 20 Hz x 5 h = 3.6e5
    ("shots", "shots", "endurance", "3.6e5"),
    ("hours", "duration", "endurance", "5 h"),
    # 0.40 mmol x 128.41 g/mol = 51.4 mg: a point moved
    ("cdo", "molar_mass", "cadmium stock", "128.4 g/mol", {"compound": "CdO"}),
    ("dissolved", "amount", "cadmium stock", "0.40 mmol", {"compound": "CdO"}),
    ("weighed", "mass", "cadmium stock", "5.14 mg", {"compound": "CdO"}),
    ("flask", "volume", "cadmium stock", "8.0 mL"),
    ("molarity", "concentration", "cadmium stock", "50 mmol/L"),
    # 0.4296 / sqrt(2) = 0.304 nm and 29.4 degrees, caesium bromide; 0.587 / sqrt(2) = 0.415 nm is the (110) of the
    # cubic perovskite: 0.587 nm is its (100)
    ("salt_d", "d_spacing", "salt", "0.304 nm", {"phase": "CsBr", "hkl": [1, 1, 0]}),
    ("salt_angle", "two_theta", "salt", "29.4 deg", {"phase": "CsBr", "hkl": [1, 1, 0], "radiation": "Cu"}),
    ("fringe", "d_spacing", "shell", "0.587 nm", {"phase": "CsPbBr3_cubic", "hkl": [1, 1, 0]}),
    # caesium 3d is 13.9 eV apart, lead 4f 4.87 eV
    ("cs_5", "core_level", "film", "724.1 eV", {"level": "Cs 3d", "component": "5/2"}),
    ("cs_3", "core_level", "film", "735.0 eV", {"level": "Cs 3d", "component": "3/2"}),
    ("pb_7", "core_level", "film", "138.4 eV", {"level": "Pb 4f", "component": "7/2"}),
    ("pb_5", "core_level", "film", "143.3 eV", {"level": "Pb 4f", "component": "5/2"}),
    # 45 + 35 + 20 = 100; 70 + 40 = 110
    ("phases_of_film", "shares", "film", ["45 %", "35 %", "20 %"]),
    ("quality_of_film", "shares", "bonds of film", ["70 %", "40 %"]),
    # (0.6 x 3 + 0.4 x 12) = 6.6 ns by amplitude, (0.6 x 9 + 0.4 x 144) / 6.6 = 9.5 ns by intensity
    ("taus", "lifetime_components", "decay", ["3.0 ns", "12.0 ns"]),
    ("weights", "lifetime_amplitudes", "decay", ["60 %", "40 %"]),
    ("tau", "mean_lifetime", "decay", "6.6 ns", {"definition": "intensity"}),
    ("endurance_abstract", "duration", "storage in air", "300 d", {"where": "abstract"}),
    ("endurance_text", "duration", "storage in air", "30 d", {"where": "text"}),
    ("sooner", "rising", "order", ["endurance_text", "endurance_abstract"]),
    ("lead_there", "contains", "film", "Pb", {"compound": "CsPbBr3"}),
]

# A laser of a film under one photon. 1.0 W / 80 MHz = 12.5 nJ ("12 nJ" and "13 nJ" are both what people print).
ONE_PHOTON: list[Row] = [
    ("mean", "average_power", "oscillator", "1.0 W"),
    ("beat", "repetition_rate", "oscillator", "80 MHz"),
    ("pulse_e", "pulse_energy", "oscillator", "13 nJ"),
    ("short", "pulse_length", "oscillator", "120 fs"),
    ("colours", "bandwidth", "oscillator", "8 nm"),  # 0.315 (800 nm)^2 / (c 120 fs) = 5.6 nm
    ("ir", "wavelength", "oscillator", "800 nm", {"laser": "Ti:sapphire"}),
    ("ir_photon", "photon_energy", "oscillator", "1.55 eV"),
    ("power_peak", "peak_power", "oscillator", "0.1 MW"),  # 12.5 nJ / 120 fs = 104 kW
    ("blue", "wavelength", "pump", "400 nm", {"laser": "Ti:sapphire"}),  # doubled
    ("one", "photon_number", "pump", 1),
    ("energy", "pulse_energy", "pump", "2.0 uJ"),
    ("radius", "spot_radius", "pump", "60 um"),  # pi r^2 = 1.13e-4 cm2: 17.7 mJ/cm2, 35.4 at the peak
    ("fluence", "fluence", "pump", "35 mJ/cm^2"),
    ("green", "emission_wavelength", ["pump", "sample"], "524 nm"),
    ("gap", "band_gap", "sample", "2.38 eV"),
    ("edge", "absorption_edge", "sample", "517 nm"),
    ("begin", "threshold_fluence", "laser", "470 uJ/cm^2", {"relation": "~"}),
    ("shown_low", "lasing_fluence", "laser", "471 uJ/cm^2"),
    ("shown_high", "lasing_fluence", "laser", "900 uJ/cm^2"),
    ("over", "times_threshold", "laser", "1.9"),  # 900 / 470 = 1.91; 471 is not meant
    ("line", "line_centre", "laser", "533.2 nm"),
    ("width", "linewidth", "laser", "0.4 nm"),
    ("q", "quality_factor", "laser", "1300", {"relation": "~"}),
    ("stay", "photon_lifetime", "laser", "0.4 ps"),  # 533.2^2 / (2 pi c 0.4 nm) = 0.377 ps
    ("sees", "resolution", "laser", "0.1 nm", {"relation": "<"}),
    ("gain", "gain", "laser", "450 cm^-1"),
    ("loss", "loss", "laser", "30 cm^-1"),
    ("kept", "fraction", "after 1e7 shots", "96 %"),
    ("shots", "shots", "endurance", "1e7", {"relation": ">"}),
    ("often", "repetition_rate", "endurance", "1 kHz"),
    ("hours", "duration", "endurance", "2.8 h"),  # 1e7 / 1 kHz = 2.78 h
    ("fig_a", "condition", "Fig. 2a", "77 K"),
    ("fig_a_again", "condition", "Fig. 2a", "77 K"),
]

# A synthesis with its characterisation.
SYNTHESIS: list[Row] = [
    ("salt", "mass", "lead stock", "138 mg", {"compound": "PbBr2"}),  # 138 / 367.0 = 0.376 mmol
    ("salt_m", "molar_mass", "lead stock", "367.0 g/mol", {"compound": "PbBr2"}),
    ("salt_n", "amount", "lead stock", "0.376 mmol", {"compound": "PbBr2"}),
    ("oil", "volume", "lead stock", "10 mL"),
    ("molar", "concentration", "lead stock", "0.04 mol/L", {"relation": "~"}),
    ("hot", "set_temperature", "flask", "180 degC"),
    ("hotter", "temperature", "flask", "180 degC"),
    ("before", "stock_concentration", "dilution", "1.2 umol/L"),
    ("drop", "stock_volume", "dilution", "50 uL"),
    ("cuvette", "volume", "dilution", "3.0 mL"),
    ("after", "concentration", "dilution", "20 nmol/L"),  # 1.2 umol/L x 50 uL / 3.0 mL = 20 nmol/L
    ("way", "path_length", "dilution", "1 cm"),
    ("epsilon", "molar_absorption", "dilution", "1.1e7 L/mol/cm"),
    ("dark", "absorbance", "dilution", "0.22"),
    ("through", "transmittance", "dilution", "60 %"),  # 10^-0.22 = 0.603
    ("parent", "parent_size", "exchange", "9.1 nm", {"phase": "CsPbBr3", "keeps": "Pb"}),
    ("child", "product_size", "exchange", "9.0 nm", {"phase": "CsPbBr3", "keeps": "Pb"}),
    (
        "stoich",
        "atomic_ratio",
        "powder",
        ["1.0", "1.08", "2.8"],
        {"compound": "CsPbBr3", "elements": ["Cs", "Pb", "Br"]},
    ),
    ("strip", "reaction", "exchange", "Cs4PbBr6 -> CsPbBr3 + 3 CsBr"),
    ("plane", "d_spacing", "lattice", "0.59 nm", {"phase": "CsPbBr3_cubic", "hkl": [1, 0, 0]}),
    ("angle", "two_theta", "lattice", "15.0 deg", {"phase": "CsPbBr3_cubic", "hkl": [1, 0, 0], "radiation": "Cu"}),
    ("tube", "xray_wavelength", "lattice", "1.5406 angstrom", {"radiation": "Cu"}),
    ("seven", "core_level", "XPS", "138.4 eV", {"level": "Pb 4f", "component": "7/2"}),
    ("five", "core_level", "XPS", "143.2 eV", {"level": "Pb 4f", "component": "5/2"}),
    ("taus", "lifetime_components", "decay", ["2.1 ns", "7.4 ns", "31 ns"]),
    ("weights", "lifetime_amplitudes", "decay", ["0.55", "0.38", "0.07"]),
    # amplitude: 1.155 + 2.812 + 2.17 = 6.137; intensity: (2.4255 + 20.809 + 67.27) / 6.137 = 14.7
    ("tau", "mean_lifetime", "decay", "14.7 ns", {"definition": "intensity"}),
    ("tau_amplitude", "mean_lifetime", "decay", "6.1 ns", {"definition": "amplitude"}),
    ("bright", "quantum_yield", "emission", "78 %"),
    ("live", "mean_lifetime", "emission", "9.4 ns"),
    ("radiates", "radiative_lifetime", "emission", "12 ns"),  # 9.4 / 12 = 0.78
    ("bonds", "shares", "XPS", ["33.3 %", "33.3 %", "33.3 %"]),
    ("smaller", "rising", "order", ["tau_amplitude", "tau"]),
]

# Ageing under a lamp, with a Raman series.
AGEING: list[Row] = [
    ("lamp", "irradiance", "fast ageing", "100 mW/cm^2", {"lamp": "365 nm LED, near"}),
    ("lamp_far", "irradiance", "slow ageing", "5 mW/cm^2", {"lamp": "365 nm LED, far"}),
    ("long", "duration", "fast ageing", "12 h"),
    ("dose", "dose", "fast ageing", "4.3 kJ/cm^2"),  # 0.1 x 43200 = 4320 J/cm2
    ("longer", "duration", "slow ageing", "10 d", {"relation": ">"}),
    ("dose_slow", "dose", "slow ageing", "4.3 kJ/cm^2", {"relation": ">="}),  # 0.005 x 864000 = 4320 J/cm2
    ("first", "before", "emission", "1240"),
    ("last", "after", "emission", "1116"),
    ("lost", "change", "emission", "-10 %"),
    ("ratio", "times", "emission", "0.90"),
    ("first_blue", "first_seen", "dissolution", "2 h", {"phase": "CsPb2Br5", "method": "diffraction"}),
    ("all_blue", "complete_at", "dissolution", "9 h", {"phase": "CsPb2Br5", "method": "diffraction"}),
    ("early", "taken_at", "dissolution", "30 min", {"phase": "CsPb2Br5", "method": "Raman"}),  # sees less of it
    ("end", "product_at", "dissolution", "10 h", {"phase": "CsPb2Br5"}),
    ("laser", "wavelength", "Raman", "633 nm", {"laser": "HeNe"}),
    ("shift", "raman_shift", "Raman", "1582 cm-1"),
    ("scattered", "raman_wavelength", "Raman", "703.4 nm"),  # 1 / (1/633 - 1582 cm-1) = 703.5 nm
    ("salt", "precipitated", "beaker", "CsBr"),
    ("much", "saturation", "beaker", "1.4"),
    ("bath", "set_temperature", "beaker", "60 degC"),
    ("beaker", "temperature", "beaker", "58 degC"),
    ("who", "instrument", "spectra", "spectrometer A"),
    ("who_again", "instrument", "spectra", "Spectrometer A"),
    ("there", "contains", "compound", "Cl", {"compound": "CsPbCl3"}),
    ("stays", "fraction", "storage", "91 +- 3 %"),
    ("stays_again", "fraction", "storage", "95 %"),  # within its error
    ("colour", "wavelength", "lamp", "365 nm"),
    ("colour_energy", "photon_energy", "lamp", "3.4 eV"),
]

CLEAN = {"one photon": ONE_PHOTON, "synthesis": SYNTHESIS, "ageing": AGEING}


def tables(rows: list[Row]) -> list[dict[str, Any]]:
    """Rows as [[stated]] tables."""
    return [{"name": r[0], "kind": r[1], "of": r[2], "value": r[3], **(r[4] if len(r) > 4 else {})} for r in rows]
