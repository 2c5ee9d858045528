"""Relations that are one equation between statements about the same subject: the table of them."""

from __future__ import annotations

from dataclasses import dataclass

ISO_BEAM = "definition (ISO 11145, ISO 11146: lasers, vocabulary and beam widths)"
SI = "definition of the unit or quantity (SI, IUPAC Green Book)"
CODATA = "h c, CODATA 2018, exact by the definition of the SI"


@dataclass(frozen=True)
class Relation:
    """An equation between statements.

    Attributes:
        name: of the rule.
        left, sign, right: expressions of kinds and constants, and how they stand to each other.
        says: the relation in one sentence.
        source: where it is from.
        severity: of a contradiction.
        factors: the right side may be taken so many times: definitions in use that a text need not name.
        slack: relative distance that is no contradiction.
        same: keys in which no two of the statements may differ, where both have them.
    """

    name: str
    left: str
    sign: str
    right: str
    says: str
    source: str
    severity: str = "disagrees"
    factors: tuple[float, ...] = (1.0,)
    slack: float = 0.0
    same: tuple[str, ...] = ("compound", "phase")


MEAN_OR_PEAK = (1.0, 2.0)  # of a Gaussian spot with its area within 1/e^2
SPOT = (1.0, 2.0, 0.6931471805599453)  # mean, peak of a 1/e^2 diameter, peak of a diameter at half maximum (4 ln 2 / 4)
PULSE = (1.0, 0.9394372786996513, 0.8813735870195429)  # flat; Gaussian 2 sqrt(ln 2 / pi); sech^2 ln(1 + sqrt 2)

RELATIONS: tuple[Relation, ...] = (
    # light
    Relation("shots_in_time", "shots", "=", "repetition_rate * duration",
             "The number of shots is the repetition rate times the time.", SI),
    Relation("dose_in_time", "dose", "=", "irradiance * duration", "A dose is the irradiance times the time.", SI),
    Relation("dose_of_shots", "dose", "=", "fluence * shots", "A dose is the fluence times the number of shots.", SI),
    Relation("fluence_on_area", "fluence", "=", "pulse_energy / spot_area",
             "A fluence is the pulse energy over the area (or twice that, at the peak of a Gaussian).", ISO_BEAM,
             factors=MEAN_OR_PEAK),
    Relation("fluence_on_diameter", "fluence", "=", "pulse_energy / (pi * spot_diameter ** 2 / 4)",
             "A fluence is the pulse energy over the area of the spot, by one of the definitions in use.", ISO_BEAM,
             factors=SPOT),
    Relation("fluence_on_radius", "fluence", "=", "pulse_energy / (pi * spot_radius ** 2)",
             "A fluence is the pulse energy over the area of the spot, by one of the definitions in use.", ISO_BEAM,
             factors=SPOT),
    Relation("area_of_diameter", "spot_area", "=", "pi * spot_diameter ** 2 / 4",
             "The area of a round spot is pi d^2 / 4.", "geometry"),
    Relation("area_of_radius", "spot_area", "=", "pi * spot_radius ** 2", "The area of a round spot is pi r^2.",
             "geometry"),
    Relation("diameter_of_radius", "spot_diameter", "=", "2 * spot_radius", "A diameter is two radii.", "geometry"),
    Relation("energy_of_power", "pulse_energy", "=", "average_power / repetition_rate",
             "The energy of a pulse is the mean power over the repetition rate.", ISO_BEAM),
    Relation("irradiance_of_power", "irradiance", "=", "average_power / spot_area",
             "A mean irradiance is the mean power over the area.", ISO_BEAM, factors=MEAN_OR_PEAK),
    Relation("irradiance_of_pulses", "irradiance", "=", "fluence * repetition_rate",
             "The mean irradiance is the fluence times the repetition rate.", ISO_BEAM),
    Relation("spot_diffracts", "spot_diameter", ">=", "wavelength / (2 * numerical_aperture)",
             "No lens focuses below half a wavelength over its numerical aperture.",
             "Born and Wolf, Principles of Optics (1999), section 8.6", "impossible"),
    Relation("peak_power", "peak_power", "=", "pulse_energy / pulse_length",
             "The peak power is the energy over the length of the pulse, times 0.88 to 1 by its shape.", ISO_BEAM,
             factors=PULSE),
    Relation("peak_irradiance", "peak_irradiance", "=", "fluence / pulse_length",
             "The peak irradiance is the fluence over the length of the pulse, times 0.88 to 1 by its shape.", ISO_BEAM,
             factors=PULSE),
    Relation("photon_energy", "photon_energy", "=", "planck_light / wavelength",
             "The energy of a photon is h c over its wavelength.", CODATA),
    Relation("photons_of_pulse", "photons_per_pulse", "=", "pulse_energy * wavelength / planck_light",
             "The photons of a pulse are its energy over that of one photon.", CODATA),
    Relation("photon_fluence", "photon_fluence", "=", "fluence * wavelength / planck_light",
             "A photon fluence is the fluence over the energy of one photon.", CODATA),
    Relation("time_bandwidth", "pulse_length * bandwidth * light_speed / wavelength ** 2", ">=", "time_bandwidth",
             "A pulse of a mode-locked laser is no shorter than its spectrum allows: 0.315 for sech^2, 0.441 Gaussian.",
             "Sala, Kenney-Wallace, Hall, IEEE J. Quantum Electron. 16 (1980) 990, table I", "impossible"),
    # lasing
    Relation("lasing_above_threshold", "lasing_fluence", ">=", "threshold_fluence",
             "A laser lases at its threshold or above it, not below.", "definition of the threshold", "impossible"),
    Relation("times_threshold", "lasing_fluence", "=", "times_threshold * threshold_fluence",
             "The fluence is so many times that of the threshold.", "arithmetic"),
    Relation("quality_of_line", "quality_factor", "=", "line_centre / linewidth",
             "The quality factor is the wavelength over the width of the line.", "Siegman, Lasers (1986), chapter 11"),
    Relation("photon_lifetime_of_line", "photon_lifetime", "=", "line_centre ** 2 / (2 * pi * light_speed * linewidth)",
             "The photon lifetime is lambda^2 / (2 pi c width).", "Siegman, Lasers (1986), chapter 11"),
    Relation("photon_lifetime_of_quality", "photon_lifetime", "=",
             "quality_factor * line_centre / (2 * pi * light_speed)",
             "The photon lifetime is Q lambda / (2 pi c).", "Siegman, Lasers (1986), chapter 11"),
    Relation("linewidth_resolved", "linewidth", ">=", "resolution",
             "A spectrometer shows no line narrower than it resolves.", "definition of the resolution", "impossible"),
    Relation("linewidth_as_energy", "linewidth_energy", "=", "planck_light * linewidth / line_centre ** 2",
             "The width in energy is h c times that in wavelength over the wavelength squared.", CODATA),
    Relation("mode_spacing", "mode_spacing", "=", "line_centre ** 2 / (2 * refractive_index * cavity_length)",
             "Modes are lambda^2 / (2 n L) apart, or twice that around a ring of length L.",
             "Siegman, Lasers (1986), chapter 11", factors=MEAN_OR_PEAK),
    Relation("gain_beats_loss", "gain", ">=", "loss", "A laser needs at least as much gain as loss.",
             "Siegman, Lasers (1986), chapter 11", "impossible"),
    Relation("gain_of_round_trip", "gain * gain_length", ">=", "log(1 / reflectivity)",
             "Gain has to make up for what the mirrors let out: g L >= ln(1/R).", "Siegman, Lasers (1986), chapter 11",
             "impossible"),
    # spectra
    Relation("emission_below_edge", "planck_light / emission_wavelength", "<=",
             "planck_light / absorption_edge + thermal",
             "A sample does not emit above its own absorption edge, but for some thermal energy.",
             "Kennard, Stepanov and van Roosbroeck, Shockley: detailed balance", "impossible"),
    Relation("emission_below_gap", "planck_light / emission_wavelength", "<=", "band_gap + thermal",
             "A sample does not emit above its own gap, but for some thermal energy.",
             "Kennard, Stepanov and van Roosbroeck, Shockley: detailed balance", "impossible"),
    Relation("photons_suffice", "photon_number * planck_light / wavelength", ">=",
             "planck_light / emission_wavelength - thermal",
             "The photons of one excitation together have the energy of what is emitted.", "conservation of energy",
             "impossible"),
    Relation("yield_of_lifetimes", "quantum_yield", "=", "mean_lifetime / radiative_lifetime",
             "The quantum yield is the lifetime over the radiative lifetime.",
             "Lakowicz, Principles of Fluorescence Spectroscopy (2006), section 1.4"),
    Relation("decay_in_period", "mean_lifetime", "<=", "1 / repetition_rate",
             "A decay is over before the next pulse, or it is not the decay of one pulse.",
             "Lakowicz, Principles of Fluorescence Spectroscopy (2006), section 4.3", "unexplained"),
    Relation("beer_lambert", "absorbance", "=", "molar_absorption * concentration * path_length",
             "Absorbance is absorption coefficient times concentration times path.",
             "Beer-Lambert law (IUPAC Gold Book)"),
    Relation("transmittance", "transmittance", "=", "exp(-2.302585092994046 * absorbance)",
             "The transmittance is ten to the minus absorbance.", SI),
    Relation("raman_shift", "raman_shift", "=", "1 / wavelength - 1 / raman_wavelength",
             "A Raman shift is the difference of two wavenumbers.", SI),
    # matter
    Relation("concentration", "concentration", "=", "amount / volume", "A concentration is amount over volume.", SI),
    Relation("mass_of_amount", "mass", "=", "amount * molar_mass", "A mass is the amount times the molar mass.", SI,
             same=("compound",)),
    Relation("mass_concentration", "mass_concentration", "=", "mass / volume",
             "A mass concentration is mass over volume.", SI),
    Relation("mass_of_molar", "mass_concentration", "=", "concentration * molar_mass",
             "A mass concentration is the concentration times the molar mass.", SI),
    Relation("mass_of_volume", "mass", "=", "density * volume", "A mass is the density times the volume.", SI),
    Relation("dilution", "concentration * volume", "=", "stock_concentration * stock_volume",
             "Dilution keeps the amount.", "conservation of matter", "impossible"),
    Relation("size_of_volumes", "product_size", "=", "parent_size * volume_ratio ** (1 / 3)",
             "One particle from one changes its size by the cube root of the volume ratio.", "conservation of matter",
             "impossible", same=()),
    Relation("heated_by_heater", "temperature", "<=", "set_temperature",
             "Nothing is hotter than what heats it.", "second law of thermodynamics", "impossible"),
    Relation("relative_change", "change", "=", "after / before - 1", "The change is after over before, less one.",
             "arithmetic"),
    Relation("ratio_of_change", "times", "=", "after / before", "The factor is after over before.", "arithmetic"),
    Relation("bragg", "2 * d_spacing * sin(two_theta / 2)", "=", "xray_wavelength",
             "Planes diffract at the angle of Bragg's law, lambda = 2 d sin(theta).",
             "International Tables for Crystallography C, section 1.1", slack=0.01, same=("phase", "hkl")),
    Relation("line_after_start", "two_theta", ">=", "scan_start", "A line lies in the range that was scanned.", "logic",
             same=("phase", "radiation")),
    Relation("line_before_end", "two_theta", "<=", "scan_end", "A line lies in the range that was scanned.", "logic",
             same=("phase", "radiation")),
    # times
    Relation("seen_before_complete", "first_seen", "<=", "complete_at",
             "A change is seen to begin before it is complete.", "order of time", "impossible",
             same=("phase", "method")),
)  # fmt: skip
