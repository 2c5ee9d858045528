"""The optical gap of CsPbBr3 as measured refractive indices show it, without a word of what others call its gap."""

from __future__ import annotations

import math

import numpy as np

from perolas.core import units
from perolas.matter.optics.indices import datasets
from perolas.matter.parameters_library import parameter_value

# What the result rests on.
PARAMETERS_USED = ("CsPbBr3.refractive_index.brennan2024", "CsPbBr3.edge_scatter")


def absorption_edge_ev() -> tuple[float, float]:
    """Return the energy at which the absorption of CsPbBr3 rises most steeply, at 300 K, with its uncertainty.

    The absorption coefficient 4 pi k / lambda of the default data set is differentiated between the points of its
    table. "The gap" may also mean the maximum of the exciton, a little above: half the distance to it goes into the
    uncertainty, with the scatter of the edge from sample to sample and half a step of the table.

    Returns:
        Edge and standard uncertainty, eV.
    """
    table = next(iter(datasets("CsPbBr3").values()))
    nm, _, k = np.array(table.rows)[::-1].T
    energy, mu = units.ev_from_nm(nm), k / nm
    near = (energy > 2.0) & (energy < 2.7)  # the exciton and its foot; further up there are other transitions
    energy, mu = energy[near], mu[near]
    slope = np.diff(mu) / np.diff(energy)
    at = int(np.argmax(slope))
    edge = 0.5 * (energy[at] + energy[at + 1])
    step = 0.5 * (energy[at + 1] - energy[at])
    turns = [i for i in range(at, len(mu) - 1) if mu[i] > mu[i + 1]]
    exciton = energy[turns[0]] if turns else edge
    scatter = parameter_value("CsPbBr3.edge_scatter") / 1e3
    return float(edge), math.hypot(0.5 * float(exciton - edge), scatter, float(step))
