"""The registry's entry for powder diffraction (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "xrd",
    "perolas.measurements.xrd",
    "powder X-ray diffraction: weight fractions, cells and crystallite sizes of named phases",
    "two_theta_deg",
    "counts",
    (
        Option("phases", "names", "phases of the library to look for, e.g. Cs4PbBr6 CsPbBr3 CsBr", (), simulate=True),
        Option("cif", "path", "a structure file, or a folder of them: more phases", simulate=True),
        Option("instrument", "path", "profile of the instrument, as save_instrument wrote it", simulate=True),
        Option("save_instrument", "text", "where to write the profile that this fit found"),
        Option("anode", "text", 'anode of the tube, e.g. "Cu", where the file does not say it', simulate=True),
        Option("wavelength", "quantity", "a single wavelength, instead of a tube's two", None, "nm", simulate=True),
        Option("monochromator", "quantity", "two theta of the monochromator", None, "deg", simulate=True),
        Option("radius", "quantity", "radius of the goniometer", None, "mm", simulate=True),
        Option("window", "window", "part of the two-theta axis to fit", None, "deg"),
        Option("background", "text", 'number of Chebyshev polynomials, or "auto"', "auto"),
        Option("candidates", "flag", "rank phases and structures by evidence first, then fit the best", False),
        Option("texture", "names", "fit a March-Dollase ratio, as PHASE=HKL, e.g. CsPbBr3=001", ()),
        Option("counts", "number", "counts expected at the highest point", 1e4, simulate=True),
        Option("span", "window", "first and last two theta of a simulation", (10.0, 60.0), "deg", simulate=True),
        Option("step", "quantity", "step of a simulation", 0.02, "deg", simulate=True),
    ),
)
