"""Which solid is stable at which concentration of CsBr in the water, hence at which volume of water.

    Cs4PbBr6 = CsPbBr3 + 3 CsBr(aq)      stops at c_eq:  dH + 3 (dG_d + 2 R T ln(gamma c)) = 0
    2 CsPbBr3 = CsPb2Br5 + CsBr(aq)      begins below c_2: dH2 + (dG_d + 2 R T ln(gamma c)) = 0

dH are the enthalpies with solid CsBr (the entropies of the solids are neglected), dG_d is that of dissolving CsBr at
its standard state, shifted with temperature by its enthalpy (van 't Hoff), gamma the mean activity coefficient after
Pitzer and Mayorga 1973. CsPbBr3 is what remains between c_2 and c_eq. Molal is taken for molar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from perolas.core import check, units
from perolas.core.errors import InputError
from perolas.matter.parameters_library import physical_parameter

PARAMETERS_USED = (
    "reaction.cs4pbbr6_to_cspbbr3.enthalpy",
    "reaction.cspbbr3_to_cspb2br5.enthalpy",
    "CsBr.dissolution_free_energy",
    "CsBr.dissolution_enthalpy",
    "CsBr.pitzer_beta0",
    "CsBr.pitzer_beta1",
)
_DEBYE_HUCKEL, _B, _ALPHA = 0.391, 1.2, 2.0  # Pitzer's A_phi of water at 298 K and his two fixed constants
_STANDARD_K = 298.15


def activity_coefficient(molal: float) -> float:
    """Return the mean activity coefficient of CsBr in water at 25 degC; `molal` in mol/kg (Pitzer, C neglected)."""
    root = math.sqrt(molal)
    beta0, beta1 = (physical_parameter(f"CsBr.pitzer_{b}").value for b in ("beta0", "beta1"))
    field = -_DEBYE_HUCKEL * (root / (1 + _B * root) + 2 / _B * math.log(1 + _B * root))
    x = _ALPHA * root
    second = 2 * beta0 + (2 * beta1 / x**2 * (1 - math.exp(-x) * (1 + x - x**2 / 2)) if x > 0 else 0.0)
    return math.exp(field + molal * second)


def _concentration(log_activity: float) -> float:
    """Return the molality with gamma m = exp(log_activity); gamma m rises with m, so halving finds it."""
    low, high = 1e-12, 50.0
    for _ in range(100):
        middle = math.sqrt(low * high)
        if math.log(activity_coefficient(middle) * middle) < log_activity:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def _solve(reaction: str, salts: int, temperature_k: float) -> tuple[float, float]:
    """Return the concentration at equilibrium, mol/L, and the standard deviation of its logarithm."""
    enthalpy = physical_parameter(reaction)
    free, heat = physical_parameter("CsBr.dissolution_free_energy"), physical_parameter("CsBr.dissolution_enthalpy")
    ratio = temperature_k / _STANDARD_K
    dissolving = free.value * ratio + heat.value * (1 - ratio)
    scale = 2 * units.GAS_CONSTANT_KJ_MOL_K * temperature_k
    found = _concentration(-(enthalpy.value / salts + dissolving) / scale)
    error = math.hypot(enthalpy.std / salts, free.std) / scale
    above = _concentration(-(enthalpy.value / salts + dissolving) / scale + error)
    return found, abs(math.log(above / found))


def equilibrium_molar(temperature_k: float = _STANDARD_K) -> tuple[float, float]:
    """Return the concentration of CsBr that stops Cs4PbBr6 -> CsPbBr3, and the std of its logarithm."""
    check.positive(temperature_k, "temperature_k", "K")
    return _solve("reaction.cs4pbbr6_to_cspbbr3.enthalpy", 3, temperature_k)


def onset_of_cspb2br5_molar(temperature_k: float = _STANDARD_K) -> tuple[float, float]:
    """Return the concentration of CsBr below which CsPbBr3 goes on to CsPb2Br5, and the std of its logarithm."""
    check.positive(temperature_k, "temperature_k", "K")
    return _solve("reaction.cspbbr3_to_cspb2br5.enthalpy", 1, temperature_k)


@dataclass(frozen=True)
class Window:
    """The volumes of water between which CsPbBr3 is what remains.

    Attributes:
        least_ul, most_ul: below the first the reaction stops short, above the second CsPb2Br5 is stabler.
        least_log_std, most_log_std: standard deviations of their logarithms.
    """

    least_ul: float
    most_ul: float
    least_log_std: float
    most_log_std: float

    def verdict(self, water_ul: float) -> str:
        """Return where a volume of water lies, as one sentence."""
        if not water_ul > 0:
            raise InputError("Without water nothing is transformed: the volume of water must be above 0 uL.")
        low, high = self.least_ul, self.most_ul
        factors = math.exp(self.least_log_std), math.exp(self.most_log_std)
        band = f"{low:.0f} uL (within a factor {factors[0]:.1f}) to {high:.0f} uL ({factors[1]:.1f})"
        if water_ul < low:
            place = "is too little: the salt stops the reaction before its end"
        elif water_ul > high:
            place = "lies above it: CsPb2Br5 is the stabler solid, so CsPbBr3 lasts only as long as it is slow to go on"
        else:
            place = "lies inside"
        return f"CsPbBr3 is the stable product for {band} of water; {water_ul:.0f} uL {place}."


def window(lead_umol: float, temperature_k: float = _STANDARD_K) -> Window:
    """Return the window of water volumes for an amount of lead that all turns into CsPbBr3.

    Args:
        lead_umol: lead in Cs4PbBr6, umol; three CsBr leave for each.
        temperature_k: temperature.

    Returns:
        The window.

    Raises:
        InputError: a number that is not positive.
    """
    salt = 3.0 * check.positive(lead_umol, "lead_umol", "umol")
    stop, stop_std = equilibrium_molar(temperature_k)
    onset, onset_std = onset_of_cspb2br5_molar(temperature_k)
    return Window(salt / stop, salt / onset, stop_std, onset_std)
