"""The registry's entry for infrared spectra of ligands (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "ftir",
    "perolas.measurements.ftir",
    "infrared bands of ligands: chains, bound carboxylate, free acid, and their coverage",
    "wavenumber_cm1",
    "1",
    (
        Option(
            "quantity",
            "choice",
            "what the signal is; auto: what the file says, else absorbance",
            "auto",
            choices=("auto", "absorbance", "transmittance", "percent"),
        ),
        Option(
            "geometry",
            "choice",
            "through the sample, or attenuated total reflection",
            "transmission",
            choices=("transmission", "atr"),
            simulate=True,
        ),
        Option("vapour", "file", "a spectrum of water vapour to take out as much as is there"),
        Option("mass", "text", 'mass of crystals in the beam, e.g. "0.5 +- 0.05 mg/cm^2"', simulate=True),
        Option("size", "text", 'mean size of the crystals, e.g. "20 +- 2 nm"; with mass, gives the coverage'),
        Option("size_spread", "quantity", "standard deviation of the sizes", 0.0, "nm"),
        Option("phase", "text", "what the crystals are made of", "CsPbBr3"),
        Option("leave_out", "names", "bands that the model does without", ()),
        Option("coverage", "number", "share of covered sites of a simulation without specimen", 0.5, simulate=True),
        Option("free_acid", "number", "free oleic acid of a simulation, nmol/cm^2", 20.0, simulate=True),
        Option("water", "number", "water of a simulation, nmol/cm^2", 0.0, simulate=True),
        Option("noise", "number", "standard deviation of a simulated absorbance", 1e-4, simulate=True),
        Option("step", "quantity", "distance of simulated points", 2.0, "cm-1", simulate=True),
    ),
)
