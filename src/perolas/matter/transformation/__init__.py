"""Cs4PbBr6 turning into CsPbBr3 in water, faster under light: bare surfaces open, CsBr leaves through them.

**Model** (bare-surface shrinking core, self-sensitised). s is the share of a crystal's surface that has lost its
ligands and is wet, X the converted share of the lead:

    ds/dt = [k_o + (Phi / l) q F(X)] (1 - s)
    dX/dt = k_s s (1 - X)^(2/3) g(s, X) d(X)

k_o opens the surface in the dark; light opens it too, by Phi ligands for each photon that is absorbed, l ligands for
each lead and q photons sent in for each lead and hour. Only the product absorbs near ultraviolet and blue light, so
the reaction makes its own sensitiser: F is the share of the light that the product absorbs beside parent and solvent,

    F(X) = a_1 X / A (1 - exp(-A)),   A = a_1 X + a_4 (1 - X) + a_s,

with a_1, a_4, a_s the Napierian optical thickness of the vessel if all lead were in the product, in the parent, and
of the solvent. k_s strips CsBr from the open surface of a shrinking core. g is the way to the water under the oil,
in series with it: with t_w the time that lead needs to come to the interface, 1/rate = 1/(k_s s (1-X)^(2/3)) +
t_w / (1 - X). d = 1 - (X c_1 / c_eq)^6 is the distance from equilibrium, c_1 the concentration of CsBr in the water
after full conversion and c_eq where the reaction stops (see `window`): the reaction quotient of three CsBr is c^6.

Solved in sigma = -ln(1 - s) and u = (1 - X)^(1/3), where both equations are smooth:

    dsigma/dt = k_o + (Phi / l) q F,   du/dt = -(k_s / 3) s g d

**Limits.** Dark and s << 1: 3 [1 - (1 - X)^(1/3)] = k_o k_s t^2 / 2, so that times alone give only the product k_o k_s.
s = 1: the plain shrinking core, 3 [1 - (1 - X)^(1/3)] = k_s t. t_w large: first order, X = 1 - exp(-t / t_w).
Without transport the equations separate, and t(u) is an integral: tests/laws/test_transformation_limits.py.

**Where it is from.** Proposed for this package on the times of Yang et al. 2020, whose form was known when the model
was chosen (`SHAPED_BY`); ligand loss as the pivotal step: the stripping literature in `parameters/transformation.yaml`.
"""

from __future__ import annotations

from perolas.matter.transformation.conditions import Conditions
from perolas.matter.transformation.kinetics import Kinetics, conversion, curve, state, time_to

# Claims of a paper that were known when the form of the model was chosen: agreement with them is a postdiction.
SHAPED_BY = tuple(
    f"10.1039/c9na00775j#{claim}" for claim in ("dark.onset", "dark.complete", "light365.onset", "light365.complete")
)
REFERENCES = ("kidger2021", "tsitouras2011", "pitzer1973")

__all__ = ["REFERENCES", "SHAPED_BY", "Conditions", "Kinetics", "conversion", "curve", "state", "time_to"]
