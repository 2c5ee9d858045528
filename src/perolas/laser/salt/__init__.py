"""Steady-state ab-initio laser theory (SALT) in one and two dimensions.

`Cavity` holds a permittivity, a pump and a gain line, and offers `resonances`, `thresholds`, `modes`, `sweep` and
`switches`. `shapes` makes cavities of slabs, segments, discs and films; `gradients` says how thresholds move with them.
"""

from perolas.laser.salt.cavity import Cavity
from perolas.laser.salt.results import LasingMode, Resonance, SteadyState, Switch, Threshold

__all__ = ["Cavity", "LasingMode", "Resonance", "SteadyState", "Switch", "Threshold"]
