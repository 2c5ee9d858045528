"""The registry's entry for electron micrographs of whole crystals (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "tem",
    "perolas.measurements.tem",
    "TEM image of nanocrystals: size law and number, with edge cuts and overlap corrected for",
    None,
    "1",
    (
        Option("scale", "text", 'size of a pixel, e.g. "0.5 nm/px"; by default what the file says', simulate=True),
        Option("scale_error", "number", "relative standard error of the scale, shared by all sizes"),
        Option("shape", "choice", "of the crystals", "auto", "", ("auto", "cube", "hexagon", "sphere"), simulate=True),
        Option("law", "choice", "size law", "auto", "", ("auto", "normal", "lognormal")),
        Option(
            "polarity", "choice", "crystals darker or brighter than the support", "auto", "", ("auto", "dark", "bright")
        ),
        Option("smallest", "quantity", "smaller objects are no crystals", None, "nm"),
        Option("wanted", "number", "relative error of the mean for which the number needed is computed", 0.01),
        Option("pixels", "integer", "rows, and columns, of a simulated image", 1024, simulate=True),
        Option("particles", "number", "crystals expected in a simulated image", 120.0, simulate=True),
        Option("counts", "number", "electrons in a pixel beside the crystals", 300.0, simulate=True),
        Option("contrast", "number", "share of electrons that a mean crystal takes away", simulate=True),
        Option("voltage", "quantity", "accelerating voltage of a simulated image", None, "kV", simulate=True),
        Option("aperture", "quantity", "semi-angle of the objective aperture", None, "mrad", simulate=True),
        Option("blur", "quantity", "standard deviation of the blur", 0.7, "nm", simulate=True),
        Option("grain", "number", "relative standard deviation of the film's brightness", simulate=True),
        Option("clutter", "number", "share of the image under faint dirt", 0.02, simulate=True),
        Option("overlap", "number", "chance that a crystal stays where it lies on another", 0.3, simulate=True),
    ),
)
