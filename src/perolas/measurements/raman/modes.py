"""The Raman lines that the library knows of each phase, with how far strain moves them."""

from __future__ import annotations

from dataclasses import dataclass

from perolas.matter.parameters_library import PhysicalParameter, physical_parameter

# Phase -> for each line: its position, mode Grueneisen parameter, width, and strength over the first (None: 1).
_TABLE: dict[str, tuple[tuple[str, str, str, str | None], ...]] = {
    "CsPbBr3": (
        ("raman_mode_1", "grueneisen_1", "raman_width_1", None),
        ("raman_mode_2", "grueneisen_2", "raman_width_2", "raman_strength_2"),
        ("raman_mode_3", "grueneisen_3", "raman_width_3", "raman_strength_3"),
    ),
    "Cs4PbBr6": (
        ("raman_literature_low", "grueneisen_low", "raman_width_low", None),
        ("raman_literature_high", "grueneisen_high", "raman_width_high", "raman_strength_high"),
    ),
}
PHASES = tuple(_TABLE)
# Members of a specimen that have the lines of each phase.
MEMBERS = {"CsPbBr3": ("CsPbBr3", "CsPbBr3_monoclinic", "CsPbBr3_cubic"), "Cs4PbBr6": ("Cs4PbBr6",)}
SILICON = "Si.raman_line"

PARAMETERS_USED: tuple[str, ...] = (
    *(f"{phase}.{n}" for phase, lines in _TABLE.items() for line in lines for n in line if n),
    SILICON,
    "raman.axis_calibration",
    "raman.axis_drift",
    "raman.strain_change",
    "raman.grueneisen_shared",
)


@dataclass(frozen=True)
class Mode:
    """A Raman line of a phase.

    Attributes:
        phase: whose it is.
        position: without strain, cm-1.
        grueneisen: mode Grueneisen parameter: linear strain e moves the line by -3 e times this times its position.
        width: full width, cm-1.
        strength: intensity over that of the phase's first line.
    """

    phase: str
    position: PhysicalParameter
    grueneisen: PhysicalParameter
    width: PhysicalParameter
    strength: float


def modes(phase: str) -> tuple[Mode, ...]:
    """Return the lines of a phase, one of `PHASES`, in rising order."""
    found = []
    for position, grueneisen, width, strength in _TABLE[phase]:
        known = [physical_parameter(f"{phase}.{n}") for n in (position, grueneisen, width)]
        factor = physical_parameter(f"{phase}.{strength}").value if strength else 1.0
        found.append(Mode(phase, known[0], known[1], known[2], factor))
    return tuple(found)
