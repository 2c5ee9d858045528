"""Maxwell-Bloch in the time domain: finite differences for the field, auxiliary equations for matter.

`Grid`, `Medium` and `TwoLevel` or `FourLevel` atoms make a `Simulation`; its `run` gives a `Run`. Natural units: c,
eps0, mu0 and hbar are 1, lengths in any unit.
"""

from perolas.laser.maxwell_bloch.atoms import FourLevel, PumpPulses, TwoLevel
from perolas.laser.maxwell_bloch.detectors import Balance, Box, Flux, Spectrum, Trace
from perolas.laser.maxwell_bloch.grid import Grid
from perolas.laser.maxwell_bloch.media import Medium, Pole
from perolas.laser.maxwell_bloch.run import Run, Simulation, run_batch
from perolas.laser.maxwell_bloch.sources import Continuous, Current, GaussianPulse, IncidentWave, pulse

__all__ = [
    "Balance", "Box", "Continuous", "Current", "Flux", "FourLevel", "GaussianPulse", "Grid", "IncidentWave", "Medium",
    "Pole", "PumpPulses", "Run", "Simulation", "Spectrum", "Trace", "TwoLevel", "pulse", "run_batch",
]  # fmt: skip
