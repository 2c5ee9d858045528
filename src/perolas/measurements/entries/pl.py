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
        Option("temperature", "quantity", "of the sample, for the size", 300.0, "K"),
        Option("compare", "file", "a second spectrum taken alike: ratio of the quantum yields"),
        Option("counts", "number", "counts expected in the highest pixel of a simulation", 1e4, simulate=True),
        Option("points", "integer", "pixels of a simulation", 681, simulate=True),
    ),
)
