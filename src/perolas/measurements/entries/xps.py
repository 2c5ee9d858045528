"""The registry's entry for photoelectron spectroscopy (no jax here)."""

from perolas.measurements.technique import Option, Technique

ENTRY = Technique(
    "xps",
    "perolas.measurements.xps",
    "core-level photoemission: doublets tied by physics on an active Shirley background",
    "binding_energy_ev",
    "counts",
    (
        Option("level", "text", 'core level described in the parameter file, e.g. "Pb 4f"', "Pb 4f", simulate=True),
        Option(
            "species", "text", 'number of doublets (1 to 3), or "auto" to choose by evidence', "auto", simulate=True
        ),
        Option(
            "background",
            "choice",
            "background under the lines",
            "shirley",
            choices=("shirley", "linear"),
            simulate=True,
        ),
        Option("window", "window", "part of the energy axis to fit", None, "eV"),
        Option("reference_std", "quantity", "standard uncertainty of the energy reference", 0.1, "eV"),
        Option(
            "photon_energy",
            "quantity",
            "photon energy, where the file has kinetic energies and does not say it",
            None,
            "eV",
        ),
        Option(
            "noise",
            "choice",
            "Poisson counts, or a variance estimated from the residuals",
            "auto",
            choices=("auto", "poisson", "estimated"),
        ),
        Option("counts", "number", "counts expected in the highest bin", 1e4, simulate=True),
    ),
)
