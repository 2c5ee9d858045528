"""The registry's entry for the photocurrent (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "photocurrent",
    "perolas.measurements.photocurrent",
    "photocurrent of a film, light on and off: steady current, times of rise and decay, dark current and drift",
    "time_s",
    "nA",
    (
        Option(
            "model",
            "choice",
            "one or two exponentials for each edge (auto: by evidence), or traps that fill and empty",
            "auto",
            choices=("auto", "single", "double", "traps"),
            simulate=True,
        ),
        Option("switches", "text", 'times of the switches in s, the first being light on, e.g. "10 30 50 70"', ""),
        Option("period", "quantity", "time from light on to light on, half of it lit", None, "s"),
        Option("first", "quantity", "first time of light on, with period", None, "s"),
        Option("irradiance", "quantity", "light on the electrode", None, "mW/cm^2", simulate=True),
        Option("area", "quantity", "illuminated electrode", None, "cm^2", simulate=True),
        Option("wavelength", "quantity", "of the light", 365.0, "nm", simulate=True),
        Option("thickness", "quantity", "of the film of a simulated specimen", None, "nm", simulate=True),
        Option("cycles", "integer", "cycles of a simulation", 3, simulate=True),
        Option("lit", "quantity", "light on in each simulated cycle", 20.0, "s", simulate=True),
        Option("unlit", "quantity", "light off in each simulated cycle", 20.0, "s", simulate=True),
        Option("interval", "quantity", "time between simulated readings", 0.1, "s", simulate=True),
        Option("noise", "quantity", "standard deviation of a simulated reading", 0.5, "nA", simulate=True),
        Option("amplitude", "quantity", "steady photocurrent without specimen", 100.0, "nA", simulate=True),
        Option("dark", "quantity", "dark current of a simulation", 10.0, "nA", simulate=True),
    ),
)
