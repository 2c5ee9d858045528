"""The registry's entry for lattice images (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "hrtem",
    "perolas.measurements.hrtem",
    "lattice images: spots of the Fourier transform, spacings and angles, odds over phases and planes",
    None,
    "counts",
    (
        Option("scale", "text", 'size of a pixel, e.g. "0.02 nm/px"; it wins over the file\'s', simulate=True),
        Option("candidates", "names", "phases of the library that it may be, or all of them", ("all",)),
        Option("cif", "path", "a structure file, or a folder of them: more candidates", simulate=True),
        Option("box", "text", 'part of the image, "LEFT TOP RIGHT BOTTOM" in pixels'),
        Option("calibration_std", "quantity", "relative standard error of the scale, e.g. 1 %", None, "1"),
        Option("d_min", "quantity", "smallest spacing to look for", None, "nm"),
        Option("d_max", "quantity", "largest spacing to look for", None, "nm"),
        Option("false_alarm", "number", "probability that an image of speckle shows any spot", 0.01),
        Option("spots", "integer", "largest number of spots", 8),
        Option("threshold", "number", "odds from which on a phase is named", 20.0),
        Option("double_diffraction", "number", "visibility of forbidden lines, the strongest plane being 1"),
        Option("prior", "values", "weights of candidates, e.g. Cs4PbBr6=3", {}),
        Option("phase", "text", "phase of a simulated crystal", None, simulate=True),
        Option("zone", "text", 'direction of the beam, e.g. "001"', "001", simulate=True),
        Option("thickness", "quantity", "of a simulated crystal along the beam", None, "nm", simulate=True),
        Option("edge", "quantity", "of a simulated crystal across it", None, "nm", simulate=True),
        Option("shape", "choice", "of a simulated crystal", "cube", choices=("cube", "sphere"), simulate=True),
        Option("defocus", "quantity", "negative for underfocus; by default Scherzer's", None, "nm", simulate=True),
        Option("cs", "quantity", "spherical aberration", None, "mm", simulate=True),
        Option("voltage", "quantity", "accelerating voltage", None, "kV", simulate=True),
        Option("size", "integer", "pixels along an edge of a simulation", 512, simulate=True),
        Option("turn", "quantity", "rotation of a simulated crystal, anticlockwise", None, "deg", simulate=True),
        Option("strain", "number", "isotropic strain of a simulated crystal", 0.0, simulate=True),
        Option("support", "quantity", "thickness of the carbon film of a simulation", 3.0, "nm", simulate=True),
        Option("counts", "number", "counts in a pixel of empty space of a simulation", 200.0, simulate=True),
    ),
)
