"""The registry's entry for photoluminescence spectra (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "pl",
    "perolas.measurements.pl",
    "photoluminescence: centre, width and strength of an emission band, with the size where the data allow one",
    "wavelength_nm",
    "arb",
    (
        Option("window", "window", "part of the axis to fit, in its unit", None, ""),
        Option("resolution", "number", "full width of the instrument's own line, in the axis unit", 0.0, simulate=True),
        Option("sensitivity", "file", "sensitivity curve of the instrument", simulate=True),
        Option(
            "shape",
            "choice",
            "of the band (auto: the plainest that the evidence supports)",
            "auto",
            choices=("auto", "gauss", "voigt"),
        ),
        Option(
            "noise",
            "choice",
            "of the signal (auto: counts are events unless they scatter otherwise)",
            "auto",
            choices=("auto", "poisson", "estimated"),
        ),
        Option(
            "lines",
            "choice",
            "leave narrow lines (laser, lamp, Raman) out, or keep them as emission",
            "leave",
            choices=("leave", "keep"),
        ),
        Option("temperature", "quantity", "of the sample, for the size", 300.0, "K"),
        Option("compare", "file", "a second spectrum taken alike: ratio of the quantum yields"),
        Option("counts", "number", "counts expected in the highest pixel of a simulation", 1e4, simulate=True),
        Option("points", "integer", "pixels of a simulation", 681, simulate=True),
        Option("optical_depth", "number", "of a simulated sample above its edge (self-absorption)", 0.0, simulate=True),
        Option(
            "axis_of_simulation",
            "choice",
            "a simulation on wavelength_nm, or converted to energy_ev",
            "wavelength",
            choices=("wavelength", "energy"),
            simulate=True,
        ),
    ),
)
