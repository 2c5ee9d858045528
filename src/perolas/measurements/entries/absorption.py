"""The registry's entry for absorption spectra (no jax here)."""

from perolas.measurements.technique import Option, Technique

_KINDS = ("auto", "absorbance", "transmittance", "reflectance")

ENTRY = Technique(
    "absorption",
    "perolas.measurements.absorption",
    "absorption edge: gap, exciton, broadening and scattering from absorbance, transmittance or reflectance",
    "wavelength_nm",
    "1",
    (
        Option("window", "window", "energies to fit", None, "eV"),
        Option("kind", "choice", "what was measured (auto: as the file says)", "auto", choices=_KINDS),
        Option("port", "number", "share of an integrating sphere's wall that the sample's port takes", 0.0),
        Option("points", "integer", "points of a simulation", 401, simulate=True),
        Option("noise", "number", "standard deviation of a simulated signal", 1e-3, simulate=True),
    ),
)
