"""Names that a forecast of a threshold gives: its quantities, and the lines of its budget."""

from __future__ import annotations

# name -> unit, meaning
QUANTITIES = {
    "threshold": ("uJ/cm^2", "threshold fluence as it would be reported"),
    "excitations": ("1", "mean number of excitations in each nanocrystal at threshold, <N>"),
    "excitations_steady": ("1", "the same for gain that lasted for ever"),
    "centre": ("nm", "maximum of the spontaneous emission"),
    "lasing_wavelength": ("nm", "light that lases first"),
    "linewidth": ("nm", "width of one lasing line, between the transform limit and the line without gain"),
    "linewidth_cold": ("nm", "width of its mode's line without gain"),
    "linewidth_limit": ("nm", "width that the lifetime of gain allows (transform limit)"),
    "area_exponent": ("1", "d ln(threshold) / d ln(area)"),
    "ase_onset": ("uJ/cm^2", "fluence at which amplified spontaneous emission narrows"),
    "ase_over_lasing": ("1", "that over the threshold of lasing"),
    "gain_lifetime": ("ps", "how long gain lasts at threshold"),
    "leakage": ("cm-1", "loss into the substrate"),
    "absorption": ("cm-1", "loss by absorption that the pump does not bleach"),
    "scattering": ("cm-1", "loss by scattering out of the film"),
    "edge": ("cm-1", "what the path or the spot loses besides"),
    "path_over_spot": ("1", "transport mean free path over the diameter of the spot"),
    "grains_over_spot": ("1", "transport mean free path of the packed grains alone over the diameter of the spot"),
    "beta": ("1", "share of the spontaneous emission in one mode: one over the modes of spot and line"),
    "dose": ("J/cm^3", "absorbed in a nanocrystal from one pulse at threshold"),
    "warmed_to": ("K", "temperature of a nanocrystal after one pulse at 1.5 times threshold, if no heat flows"),
}

# lines of the budget, as parts of names
GROUPS = (
    "cross_section",
    "size",
    "chirp",
    "fluence_definition",
    "leakage",
    "filling",
    "reabsorption",
    "scattering",
    "feedback",
    "spot",
    "gain",
    "temperature",
    "lifetimes",
)


def key_of(group: str) -> str:
    """Return a line of the budget as part of a name: ``"cross-section"`` is ``"cross_section"``."""
    return group.replace("-", "_").replace(" ", "_")
