"""The registry's entry for Raman spectra (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "raman",
    "perolas.measurements.raman",
    "Raman lines: positions, widths and intensities, and whether shifts mean strain or a drifting axis",
    "raman_shift_cm1",
    "counts",
    (
        Option("lines", "text", '"auto", how many, or where: "63 77 118"', "auto"),
        Option("laser", "quantity", "wavelength of the laser; by default the file's", None, "nm", simulate=True),
        Option("window", "window", "part of the axis to fit, in cm-1", None, ""),
        Option("background", "integer", "order of the polynomial background", 2),
        Option(
            "resolution",
            "quantity",
            "full width of the spectrometer's own line; by default it is fitted",
            None,
            "cm-1",
            simulate=True,
        ),
        Option("temperature", "quantity", "of the sample, for the Bose factor", 300.0, "K"),
        Option("edge", "quantity", "where an edge filter lets half of the light through", None, "cm-1", simulate=True),
        Option("central", "flag", "there is a central peak", False, simulate=True),
        Option("silicon", "flag", "the line of silicon is there and calibrates the axis", False, simulate=True),
        Option("calibration", "quantity", "standard error of an axis that no line calibrates", None, "nm"),
        Option("phase", "text", "whose the lines are, for joint fits: CsPbBr3 or Cs4PbBr6", simulate=True),
        Option(
            "noise",
            "choice",
            "counted events, or a variance taken from the residuals",
            "auto",
            choices=("auto", "poisson", "estimated"),
        ),
        Option("compare", "file", "an earlier spectrum taken alike: shifts, and whether the axis or the sample moved"),
        Option("drift", "quantity", "what the axis of a simulation shows too much", 0.0, "nm", simulate=True),
        Option("counts", "number", "counts expected in the highest pixel of a simulation", 1e4, simulate=True),
        Option("ground", "number", "background of a simulation over its highest line", 0.1, simulate=True),
        Option("step", "quantity", "distance of simulated points", 0.5, "cm-1", simulate=True),
    ),
    also=("wavelength_nm",),
)
