"""The registry's entry for compositions (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "composition",
    "perolas.measurements.composition",
    "ratios of elements from photoelectron areas or X-ray lines, and the phases that they leave open",
    "line",
    "arb",
    (
        Option("method", "choice", "photoelectrons or X-rays", "xps", choices=("xps", "eds"), simulate=True),
        Option("phases", "names", "phases to look for (formulas); none: those of caesium, lead and bromine", ()),
        Option("recipe", "path", "recipe whose product, and whose pot, the ratios are compared with"),
        Option("factor_error", "number", "relative standard error of every sensitivity factor"),
        Option("area_error", "number", "relative standard error of every area, count or share"),
        Option("tilt_error", "number", "standard deviation of the exponent of the kinetic energy (xps)"),
        Option("overlayer", "text", 'thickness of an organic overlayer (xps), e.g. "1.5 +- 0.5 nm"'),
        Option("counts", "number", "counts of the strongest line of a simulation", 2e4, simulate=True),
        Option("lines", "names", "lines of a simulation, such as Cs_3d Pb_4f Br_3d", (), simulate=True),
        Option("true_tilt", "number", "tilt of a simulation", 0.0, simulate=True),
        Option("true_overlayer", "quantity", "overlayer of a simulation", 0.0, "nm", simulate=True),
        Option(
            "wrong_factors",
            "flag",
            "let a simulation differ from the factors within their errors",
            False,
            simulate=True,
        ),
    ),
)
