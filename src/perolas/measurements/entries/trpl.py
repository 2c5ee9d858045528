"""The registry's entry for time-resolved photoluminescence (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "trpl",
    "perolas.measurements.trpl",
    "time-resolved photoluminescence: exponentials reconvolved with the instrument response",
    "time_ns",
    "counts",
    (
        Option("irf", "file", "measured instrument response on the same channels"),
        Option(
            "irf_fwhm",
            "quantity",
            "width of a Gaussian response, where none was measured",
            None,
            "ns",
            simulate=True,
        ),
        Option("components", "text", 'number of exponentials, or "auto" to choose by evidence', "auto", simulate=True),
        Option(
            "model",
            "choice",
            "exponentials, or a trapping/detrapping rate model",
            "exponential",
            choices=("exponential", "trap"),
            simulate=True,
        ),
        Option(
            "weights",
            "choice",
            "Poisson likelihood, or none: the unweighted least squares of older programs",
            "poisson",
            choices=("poisson", "none"),
        ),
        Option(
            "period",
            "quantity",
            "time between excitation pulses; decays that outlast it wrap around",
            None,
            "ns",
            simulate=True,
        ),
        Option("window", "window", "part of the time axis to fit", None, "ns"),
        Option("compare", "file", "a second decay: test whether the two differ"),
        Option("counts", "number", "counts expected in the highest bin", 1e4, simulate=True),
        Option("bins", "integer", "number of time bins", 1024, simulate=True),
        Option("bin_width", "quantity", "width of a bin", 0.5, "ns", simulate=True),
    ),
)
