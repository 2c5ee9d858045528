"""The registry's entry for stability series (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "stability",
    "perolas.measurements.stability",
    "emission against time in water, in light or both: rates of ageing, and how the course goes on",
    "time_d",
    "arb",
    (
        Option(
            "surroundings",
            "choice",
            "where the sample is",
            "water",
            choices=("water", "light", "both"),
            simulate=True,
        ),
        Option("until", "quantity", "time to which the course is carried on, with a band", None, "d"),
        Option("drift", "number", "relative standard deviation of the lamp's drift over the series", 0.0),
        Option("lamp", "number", "relative standard deviation of the lamp from time to time (needs replicates)", 0.0),
        Option("dark_rate", "text", 'rate in the dark known from elsewhere, e.g. "0.0207 +- 0.004 1/d"'),
        Option("excitations", "quantity", "excitations of a nanocrystal in a second, for the efficiency", None, "1/s"),
        Option("span", "quantity", "length of a simulated series", 45.0, "d", simulate=True),
        Option("times", "integer", "readings of a simulated series", 16, simulate=True),
        Option("replicates", "integer", "replicates of a simulated series", 1, simulate=True),
        Option("counts", "number", "counts at the start of a simulated series", 1e4, simulate=True),
        Option("scatter", "number", "relative scatter of simulated readings beside counting", 0.0, simulate=True),
        Option("ratio", "number", "non-radiative over radiative rate, without specimen", 0.3, simulate=True),
        Option("true_dark_rate", "quantity", "rate in the dark of a simulation", 0.02, "1/d", simulate=True),
        Option("true_light_rate", "quantity", "rate by light of a simulation", 2.0, "1/d", simulate=True),
        Option("true_drift", "number", "relative drift of the lamp in a day of a simulation", 0.0, simulate=True),
    ),
)
