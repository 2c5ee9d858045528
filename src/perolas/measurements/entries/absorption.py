"""The registry's entry for absorption spectra (no jax here)."""

from perolas.measurements.technique import Option, Technique

_KINDS = ("absorbance", "transmittance", "reflectance")
_MEDIA = ("toluene", "water", "film")

ENTRY = Technique(
    "absorption",
    "perolas.measurements.absorption",
    "absorption: gap, exciton, concentration and phase ratio from absorbance, transmittance or diffuse reflectance",
    "wavelength_nm",
    "1",
    (
        Option("window", "window", "energies to fit (default: around the edge that is found)", None, "eV"),
        Option(
            "kind", "choice", "what was measured (auto: as the file says)", "auto", choices=("auto", *_KINDS),
            simulate=True,
        ),
        Option("scale", "choice", "scale of transmittance and reflectance", "auto",
               choices=("auto", "share", "percent")),
        Option("model", "choice", "one edge of any material, or CsPbBr3 with Cs4PbBr6", "auto",
               choices=("auto", "edge", "phases")),
        Option(
            "medium", "choice", "what is around the nanocrystals (film: a solid)", "auto", choices=("auto", *_MEDIA),
            simulate=True,
        ),
        Option("path", "quantity", "path of the light, for a concentration (default: as the file says)", None, "cm",
               simulate=True),
        Option("port", "number", "share of an integrating sphere's wall that the sample's port takes", 0.0),
        Option("reference", "number", "reflectance of the white reference (default: parameter library)"),
        Option("lead", "quantity", "lead in a simulated sample", 0.05, "mmol/L", simulate=True),
        Option("span", "window", "wavelengths of a simulation", (285.0, 700.0), "nm", simulate=True),
        Option("points", "integer", "points of a simulation", 416, simulate=True),
        Option("noise", "number", "standard deviation of a simulated signal", 1e-3, simulate=True),
        Option("true_gap", "quantity", "gap of a simulation (default: of the specimen)", None, "eV", simulate=True),
        Option("true_binding", "quantity", "exciton binding energy of a simulation", None, "eV", simulate=True),
        Option("true_fwhm", "quantity", "broadening of a simulation", None, "eV", simulate=True),
        Option("true_scatter", "number", "absorbance by scattering of a simulation", 0.02, simulate=True),
        Option("true_scatter_power", "number", "power of the energy of that scattering", 4.0, simulate=True),
    ),
)  # fmt: skip
