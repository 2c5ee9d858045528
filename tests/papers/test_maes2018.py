"""Maes et al., J. Phys. Chem. Lett. 2018, 9 (doi 10.1021/acs.jpclett.8b01065): what CsPbBr3 nanocrystals absorb.

They weighed the lead of nanocrystals of 4 to 11 nm and measured how much light a dispersion takes away; here the same
follows from n and k of a large crystal (Brennan 2024) and the local field of a small sphere, with nothing fitted. The
two numbers are of our library, where they count as unchecked: the abstract was seen, the table was not.
"""

from __future__ import annotations

import pytest

from perolas.matter import optics
from perolas.matter.parameters_library import parameter_value, physical_parameter


@pytest.mark.parametrize("nm", [335, 400])
def test_intrinsic_absorption(nm):
    ours = float(optics.intrinsic_absorption_cm1("CsPbBr3", float(nm)))
    theirs = parameter_value(f"CsPbBr3.intrinsic_absorption_{nm}")
    assert ours == pytest.approx(theirs, rel=0.2)  # the stated uncertainty of n, k and shape
    assert abs(ours / theirs - 1) < 1.1 * float(optics.intrinsic_absorption_relative_std("CsPbBr3", float(nm)))


def test_the_comparison_can_fail():
    # Without the local field, mu would be that of a large crystal, about twice as much.
    index = optics.refractive_index("CsPbBr3", 335.0)
    bulk = float(4 * 3.14159 * index.imag / 335e-7)
    assert abs(bulk / physical_parameter("CsPbBr3.intrinsic_absorption_335").value - 1) > 0.2
