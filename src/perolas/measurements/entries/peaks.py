"""The registry's entry for lines on a background (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "peaks",
    "perolas.measurements.peaks",
    "lines of the Voigt family on a background, with an axis calibration that has its own uncertainty",
    None,
    "counts",
    (
        Option("lines", "text", 'number of lines, or "auto" to find them', "auto", simulate=True),
        Option("shape", "choice", "line shape", "voigt", choices=("voigt", "gauss", "lorentz"), simulate=True),
        Option(
            "axis",
            "text",
            "what the first column of a text file is, e.g. raman_shift_cm1, wavelength_nm, energy_ev",
        ),
        Option("laser", "quantity", "laser wavelength: turns a wavelength axis into Raman shifts", None, "nm"),
        Option("window", "window", "part of the axis to fit, in its unit", None, ""),
        Option("background", "integer", "order of the polynomial background", 1, simulate=True),
        Option(
            "resolution",
            "number",
            "full width of the instrument's own line, in the axis unit; widths are freed from it",
            0.0,
            simulate=True,
        ),
        Option("calibration_std", "number", "standard uncertainty of the axis, in its unit", 0.0),
        Option(
            "noise",
            "choice",
            "Poisson counts, or a variance estimated from the residuals",
            "auto",
            choices=("auto", "poisson", "estimated"),
        ),
        Option("counts", "number", "counts expected in the highest bin", 1e4, simulate=True),
    ),
)
