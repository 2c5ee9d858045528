r"""Ageing of a specimen, whose defects are shallow traps that lose a share of what they catch.

A specimen has the rates of the trapping picture: caught with k_t = `trap_ratio` k_r, given back with k_d, lost with
k_x = `loss_ratio` k_r. Over a whole decay each catch ends in a loss with the chance k_x / (k_d + k_x), so that

.. math:: r = \frac{k_\mathrm{nr}}{k_r} = \frac{k_t}{k_r} \frac{k_x}{k_d + k_x}, \qquad
          \mathrm{PLQY} = \frac{1}{1 + r}

exactly. More traps of the same kind raise `trap_ratio` and with it r by one factor: that is how a specimen ages here.
Its decay is then no longer one exponential, and tau_r / (1 + r) is its amplitude-weighted mean; the mean arrival time
can even grow. A specimen whose traps lose nothing (`loss_ratio` 0) has r = 0 and keeps its emission whatever it holds.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from perolas.core.parameter import replace
from perolas.matter.ageing import aged_ratio
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import Specimen

# The detrapping rate was chosen after the lifetimes of one paper, which makes what rests on it a calibration there.
PARAMETERS_USED = ("CsPbBr3.radiative_rate", "CsPbBr3.detrapping_rate")


def ratio_of(specimen: Specimen) -> Float[Array, ""]:
    """Return r, the non-radiative over the radiative rate of a specimen.

    Args:
        specimen: its `trap_ratio` and `loss_ratio` count.

    Returns:
        r; see the module for the equation.
    """
    back = parameter_value("CsPbBr3.detrapping_rate") / parameter_value("CsPbBr3.radiative_rate")
    return specimen.trap_ratio * specimen.loss_ratio / (back + specimen.loss_ratio)


def with_ratio(specimen: Specimen, ratio: ArrayLike) -> Specimen:
    """Return a specimen that has a given r by what its traps lose; their number stays, or grows to reach r.

    Args:
        specimen: the specimen.
        ratio: r. The traps lose at most half of what they catch; above that there are more of them.

    Returns:
        The specimen with another `loss_ratio` and, where needed, `trap_ratio`.

    Raises:
        InputError: a ratio that is negative or not finite.
    """
    wanted = aged_ratio(ratio, 0.0)
    back = parameter_value("CsPbBr3.detrapping_rate") / parameter_value("CsPbBr3.radiative_rate")
    traps = jnp.maximum(jnp.asarray(specimen.trap_ratio), 2.0 * wanted)
    # r = traps * loss / (back + loss); without traps and with r = 0 there is nothing to lose
    loss = wanted * back / jnp.where(traps > wanted, traps - wanted, 1.0)
    return replace(specimen, trap_ratio=traps, loss_ratio=loss)


def aged(specimen: Specimen, exponent: ArrayLike) -> Specimen:
    """Return a specimen after ageing.

    Args:
        specimen: as it was.
        exponent: log of the growth of r, from `perolas.matter.ageing.growth`.

    Returns:
        The specimen with more traps of the same kind, so that r is larger by the factor exp(exponent).
    """
    return replace(specimen, trap_ratio=aged_ratio(specimen.trap_ratio, exponent))
