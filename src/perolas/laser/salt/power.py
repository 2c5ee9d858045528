r"""The power balance of a lasing mode: what the gain gives is what the material takes and what leaves.

With :math:`\psi` times the conjugate wave equation, :math:`\oint \mathrm{Im}(\psi^* \partial_n \psi)\,ds =
-k^2 \int \mathrm{Im}(\varepsilon + g D_0 F/(1+H))\,|\psi|^2` . The left side is taken from the field outside, in two
dimensions from the far field, so that it judges the absorbing layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Complex, Float

if TYPE_CHECKING:
    from perolas.laser.salt.cavity import Cavity


def mode_powers(
    cavity: Cavity, psi: Complex[np.ndarray, " n"], k: float, d0: float, holes: Float[np.ndarray, " n"]
) -> tuple[float, float, float, float]:
    """Return the powers gained, absorbed and emitted, and the mean intensity over the pumped region.

    Args:
        cavity: the cavity.
        psi: field at the nodes of its operator, shape (n,).
        k: wave number over k_a.
        d0: pump.
        holes: H at the nodes, shape (n,).

    Returns:
        The four; powers as integrals of Im(psi* d psi / dn), in units of `k_a` (one dimension) or of 1 (two).
    """
    o = cavity.operator
    density = np.abs(psi) ** 2
    unit = cavity.k_a if cavity.dimensions == 1 else 1.0
    inside = o.inside
    one = np.ones(o.size) if cavity.dimensions == 1 else o.weight  # eps and pump hold their weight in one dimension
    gain = -(k**2) * d0 * o.gain(k).imag * float(np.sum((o.pump / (1.0 + holes) * density * one)[inside]))
    loss = k**2 * float(np.sum((o.eps.imag * density * one)[inside]))
    mean = float(np.sum((o.pump * density * one)[inside]) / np.sum((o.pump * one)[inside]))
    if cavity.dimensions == 1:
        emitted = k * float(np.sum(o.ends.imag * density))
    else:
        from perolas.laser.salt.farfield import radiated_power

        emitted = radiated_power(cavity, cavity.grid.whole(psi), k * cavity.k_a, d0, cavity.grid.whole(holes).real)
    return unit * gain, unit * loss, unit * emitted, mean
