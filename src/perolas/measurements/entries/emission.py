"""The registry's entry for emission of pumped films (no jax here)."""

from perolas.measurements.technique import Option, Technique

_MODELS = ("auto", "curve", "spectra", "shots", "area")
ENTRY = Technique(
    "emission",
    "perolas.measurements.emission",
    "emission of a pumped film: threshold, beta and slope from a pump sweep; linewidths; thresholds against area",
    "fluence_uj_cm2",
    "counts",
    (
        Option(
            "model",
            "choice",
            "what the file holds: a sweep (table or spectra), a shot series, thresholds against area",
            "auto",
            choices=_MODELS,
        ),
        Option("photons", "text", 'photons absorbed for an excitation: 1, 2, or "auto" to choose by evidence', "auto"),
        Option(
            "noise",
            "choice",
            "of the output: counted, so many per cent, or one for all points",
            "auto",
            choices=("auto", "poisson", "relative", "constant"),
        ),
        Option("jitter", "text", 'relative standard deviation of each fluence, e.g. 0.02; "auto": if needed', "auto"),
        Option("saturation", "number", "counts from which on the detector (a pixel, for spectra) is full"),
        Option("gain", "number", "electrons for one count of the camera", simulate=True),
        Option("readout", "number", "standard deviation of the camera's readout, in counts", simulate=True),
        Option("offset", "number", "counts of the camera without light, in each pixel", simulate=True),
        Option("resolution", "quantity", "full width of the spectrometer's own line", None, "nm", simulate=True),
        Option("window", "window", "part of the spectra to look at", None, "nm"),
        Option("area_error", "number", "relative standard error of each area (or give a column)", 0.0),
        Option(
            "what",
            "choice",
            "what is simulated",
            "curve",
            choices=("curve", "spectrum", "sweep", "shots", "image"),
            simulate=True,
        ),
        Option("threshold", "quantity", "true threshold of a simulation", 250.0, "uJ/cm^2", simulate=True),
        Option("beta", "number", "true spontaneous-emission factor of a simulation", 0.01, simulate=True),
        Option("exponent", "number", "photons for each excitation of a simulation", 1.0, simulate=True),
        Option("span", "window", "first and last fluence of a simulated sweep", None, "uJ/cm^2", simulate=True),
        Option("fluence", "quantity", "fluence of a spectrum, a shot series, an image", None, "uJ/cm^2", simulate=True),
        Option("points", "integer", "fluences of a sweep, or shots of a series", 30, simulate=True),
        Option("counts", "number", "counts expected at the highest point or pixel", simulate=True),
        Option("pump_noise", "number", "relative pump jitter of a simulation", 0.0, simulate=True),
        Option("feedback", "number", "share of the stimulated light in sharp peaks (0: ASE alone)", 0.6, simulate=True),
        Option("memory", "number", "how far peaks repeat from shot to shot, 0 to 1", 1.0, simulate=True),
    ),
)
