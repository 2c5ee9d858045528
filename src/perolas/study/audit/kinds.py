"""The vocabulary of the audit: which kinds of statements there are, and in which unit each is shown."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Kind:
    """A kind of statement.

    Attributes:
        name: the word that a study file writes.
        unit: in which it is shown, and to which its unit has to fit; None: any unit.
        meaning: one line.
        low, high: what its value cannot leave, in `unit`.
        nominal: a setting of an instrument: "1 kHz" is meant to be 1.0 kHz.
        many: several different values for one subject are no contradiction.
        text: words instead of a number.
        several: a list of numbers instead of one.
        needs: further keys that it has to have.
    """

    name: str
    unit: str | None
    meaning: str
    low: float = 0.0
    high: float = inf
    nominal: bool = False
    many: bool = False
    text: bool = False
    several: bool = False
    needs: tuple[str, ...] = ()


def _number(name: str, unit: str | None, meaning: str, *, low: float = 0.0, high: float = inf, **how: bool) -> Kind:
    return Kind(name, unit, meaning, low, high, how.get("nominal", False), how.get("many", False))


_LIGHT = (
    _number("wavelength", "nm", "vacuum wavelength of a laser or lamp", nominal=True),
    _number("photon_energy", "eV", "energy of one photon"),
    _number("bandwidth", "nm", "full spectral width of a pulse at half maximum"),
    _number("pulse_length", "fs", "full width of a pulse at half maximum"),
    _number("repetition_rate", "Hz", "pulses per second", nominal=True),
    _number("shots", "1", "number of pulses"),
    _number("duration", "s", "how long something went on"),
    _number("average_power", "mW", "mean power of a beam"),
    _number("peak_power", "kW", "power at the peak of a pulse"),
    _number("pulse_energy", "uJ", "energy of one pulse"),
    _number("spot_area", "um^2", "area that a beam lights"),
    _number("spot_diameter", "um", "diameter of a round spot"),
    _number("spot_radius", "um", "radius of a round spot"),
    _number("fluence", "uJ/cm^2", "energy of one pulse on an area"),
    _number("numerical_aperture", "1", "of the lens that focuses", high=1.8),
    _number("irradiance", "mW/cm^2", "mean power on an area"),
    _number("peak_irradiance", "GW/cm^2", "power on an area at the peak of a pulse"),
    _number("dose", "J/cm^2", "energy on an area over a whole exposure"),
    _number("photon_fluence", "cm^-2", "photons of one pulse on an area"),
    _number("photons_per_pulse", "1", "photons of one pulse"),
    _number("photon_number", "1", "photons that one excitation takes", low=1, nominal=True),
)
_LASER = (
    _number("threshold_fluence", "uJ/cm^2", "pulse fluence at which lasing begins"),
    _number("lasing_fluence", "uJ/cm^2", "pulse fluence at which lasing, or a lasing line, is shown", many=True),
    _number("times_threshold", "1", "fluence over that of the threshold"),
    _number("linewidth", "nm", "full width of a line at half maximum"),
    _number("linewidth_energy", "meV", "the same as an energy"),
    _number("line_centre", "nm", "wavelength of a line"),
    _number("resolution", "nm", "what the spectrometer resolves"),
    _number("quality_factor", "1", "wavelength over width of a cavity's mode"),
    _number("photon_lifetime", "ps", "how long light stays in a cavity"),
    _number("mode_spacing", "nm", "distance of neighbouring modes"),
    _number("cavity_length", "um", "length of the cavity, or way around a ring"),
    _number("refractive_index", "1", "index seen by the mode (of the group, for a spacing of modes)"),
    _number("gain", "cm^-1", "gain of the material, for the power", low=-inf),
    _number("loss", "cm^-1", "loss for the power"),
    _number("gain_length", "um", "length over which there is gain"),
    _number("reflectivity", "1", "share of the power that a mirror reflects, both alike", high=1),
)
_SPECTRA = (
    _number("emission_wavelength", "nm", "maximum of an emission band"),
    _number("absorption_edge", "nm", "wavelength of the absorption edge"),
    _number("band_gap", "eV", "gap of the material"),
    _number("quantum_yield", "1", "photons out for each absorbed", high=1),
    Kind("lifetime_components", "ns", "time constants of a decay", several=True),
    Kind("lifetime_amplitudes", "1", "amplitudes of the same components, in their order", several=True),
    _number("mean_lifetime", "ns", "mean of them; `definition` says which"),
    _number("radiative_lifetime", "ns", "lifetime without losses"),
    _number("absorbance", "1", "decadic absorbance", low=-inf),
    _number("transmittance", "1", "share of light that passes", high=1),
    _number("molar_absorption", "L/mol/cm", "decadic molar absorption coefficient"),
    _number("path_length", "cm", "way of the light through the sample"),
    _number("raman_shift", "cm-1", "distance of a Raman line from the laser", low=-inf),
    _number("raman_wavelength", "nm", "wavelength of a Raman line"),
    Kind("core_level", "eV", "binding energy of one line of a doublet", needs=("level", "component")),
)
_MATTER = (
    _number("amount", "mol", "amount of a substance"),
    _number("volume", "mL", "volume"),
    _number("mass", "mg", "mass"),
    _number("concentration", "mol/L", "amount in a volume"),
    _number("mass_concentration", "mg/mL", "mass in a volume"),
    _number("density", "g/mL", "mass of a volume of the pure substance"),
    _number("stock_concentration", "mol/L", "concentration before dilution"),
    _number("stock_volume", "mL", "volume taken of what was diluted"),
    Kind("molar_mass", "g/mol", "mass of a mole", needs=("compound",)),
    Kind("atomic_ratio", "1", "atoms of `elements` to each other", several=True, needs=("compound", "elements")),
    _number("parent_size", "nm", "edge or diameter of a particle before it turns into another"),
    _number("product_size", "nm", "the same of what comes out, one particle from one"),
    _number("volume_ratio", "1", "volume of the product over that of its parent"),
    _number("size", "nm", "mean edge or diameter of particles"),
    _number("saturation", "1", "concentration over the solubility"),
    _number("temperature", "K", "temperature reached"),
    _number("set_temperature", "K", "temperature that the heater is set to"),
    _number("fraction", "1", "a share of something", high=1),
    Kind("shares", "1", "shares that are said to make up the whole", high=1, several=True),
    _number("before", None, "something before a change", low=-inf),
    _number("after", None, "the same after it", low=-inf),
    _number("change", "1", "relative change of it", low=-inf),
    _number("times", "1", "how many times as large it became", low=-inf),
    Kind("d_spacing", "nm", "distance of lattice planes"),
    Kind("two_theta", "deg", "diffraction angle", high=180, needs=("radiation",)),
    _number("scan_start", "deg", "where a scan begins (2 theta)", high=180),
    _number("scan_end", "deg", "where a scan ends (2 theta)", high=180),
    Kind("xray_wavelength", "nm", "wavelength of X-rays", nominal=True),
)
_TIMES = (
    _number("first_seen", "h", "time after which a phase is first seen", low=-inf),
    _number("complete_at", "h", "time after which the change is complete", low=-inf),
    _number("taken_at", "h", "time after which a sample said to hold the phase was taken", low=-inf, many=True),
    _number("product_at", "h", "time after which a sample called the finished product was taken", low=-inf, many=True),
)
_WORDS = (
    Kind("condition", None, "under which condition something was made or taken", text=True),
    Kind("shows", None, "what a figure shows", text=True),
    Kind("presence", None, "whether something is there: none, some", text=True),
    Kind("instrument", None, "with what it was measured", text=True),
    Kind("contains", None, "an element that a compound is said to hold", text=True, many=True, needs=("compound",)),
    Kind("precipitated", None, "a substance seen as a precipitate", text=True, many=True),
    Kind("reaction", None, "a reaction, such as A + 2 B -> C", text=True, many=True),
    Kind("rising", None, "names of statements, from what is said to be least to what is said to be most", text=True,
         several=True, many=True),
)  # fmt: skip

KINDS: dict[str, Kind] = {k.name: k for k in (*_LIGHT, *_LASER, *_SPECTRA, *_MATTER, *_TIMES, *_WORDS)}
