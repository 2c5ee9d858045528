r"""The numbers of the law of `perolas.matter.ageing`, from how two samples kept their emission.

Two samples with one radiative rate and one k_w stand in water in the dark for a time t. The better one keeps the share
F_1 of its emission, the other F_2, and the lifetimes at the start have the ratio R = tau_1 / tau_2 = (1 + r_2) /
(1 + r_1). With E = exp(k_w t), F = (1 + r) / (1 + r E) gives r = (1 - F) / (F E - 1) for each; put into R,

.. math:: E = \frac{R F_1 - F_2}{F_1 F_2 (R - 1)} .

So three observations give three numbers and leave nothing over to test the law with. The better sample, kept in water
under light for a time t_l, keeps F_l, which adds phi J = log[((1 + r_1) / F_l - 1) / r_1] / t_l - k_w.

For R = 272/135, F_1 = 0.92, F_2 = 0.55 after 45 d: E = (1.8536 - 0.55) / (0.506 * 1.0148) = 2.539, k_w = 0.0207 /d,
r_1 = 0.08 / 1.336 = 0.060, r_2 = 0.45 / 0.396 = 1.135 (quantum yields of 94 and 47 %). With F_l = 0.93 after 540 min,
k_w + phi J = 2.26 /d, which is 109 k_w; it puts the better sample at 98.4 % after 160 min of light, and the other at
86.8 % after 160 min and 58.5 % after 540 min.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.matter.ageing import SECONDS_PER_DAY, emission_kept

NAMES = ("ratio_better", "ratio_other", "dark_rate_per_d", "light_rate_per_d")
_NOTHING = 1e-12  # less than this is none: what is left in 1e-100 is no statement
WIDE = 10.0  # a band whose ends differ by more than this factor tells nothing


@dataclass(frozen=True)
class Observed:
    """What was seen; each `_std` is a standard uncertainty.

    Attributes:
        lifetime_ratio: R, lifetime of the better sample over that of the other, at the start.
        kept_better: F_1, share of its emission that the better sample keeps in the dark.
        kept_other: F_2, the same of the other sample.
        dark_d: how long that took, days.
        kept_in_light: F_l, share of its emission that the better sample keeps under light, or None.
        light_d: how long that took, days.
        light_dark_rate: share of k_w that goes on during the light test (1 in water, 0 dry).
    """

    lifetime_ratio: float
    kept_better: float
    kept_other: float
    dark_d: float
    kept_in_light: float | None = None
    light_d: float | None = None
    light_dark_rate: float = 1.0
    lifetime_ratio_std: float = 0.0
    kept_better_std: float = 0.0
    kept_other_std: float = 0.0
    kept_in_light_std: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what the law cannot give; see `calibrate`."""
        check.positive(self.dark_d, "time in the dark", "d")
        check.positive(self.light_dark_rate, "share of the dark rate under light", zero=True)
        for name in ("lifetime_ratio_std", "kept_better_std", "kept_other_std", "kept_in_light_std"):
            check.positive(getattr(self, name), name.replace("_", " "), zero=True)
        if check.positive(self.lifetime_ratio, "lifetime ratio") <= 1:
            raise InputError(
                f"The lifetime of the better sample over that of the other must be above 1, but is "
                f"{self.lifetime_ratio:g}; samples that do not differ fix no initial state."
            )
        for name in ("kept_better", "kept_other", "kept_in_light"):
            share = getattr(self, name)
            if share is not None and not 0 < share < 1:
                raise InputError(
                    f"The share of emission that is kept ({name.replace('_', ' ')}) must lie between 0 and 1, but is "
                    f"{share:g}; this law only ever loses emission."
                )
        if self.kept_other >= self.kept_better:
            raise InputError(
                f"The sample with the longer lifetime must keep more than the other, but keeps {self.kept_better:g} "
                f"against {self.kept_other:g}; no single rate does that."
            )
        if (self.kept_in_light is None) != (self.light_d is None):
            raise InputError("A light test needs both the share that is kept and how long it took.")
        if self.light_d is not None:
            check.positive(self.light_d, "time under light", "d")

    @property
    def vector(self) -> NDArray[np.float64]:
        """R, F_1, F_2 and, where there was a light test, F_l."""
        light = [] if self.kept_in_light is None else [self.kept_in_light]
        return np.array([self.lifetime_ratio, self.kept_better, self.kept_other, *light])

    @property
    def std(self) -> NDArray[np.float64]:
        """Their standard uncertainties."""
        light = [] if self.kept_in_light is None else [self.kept_in_light_std]
        return np.array([self.lifetime_ratio_std, self.kept_better_std, self.kept_other_std, *light])


@dataclass(frozen=True)
class Calibration:
    """The numbers of the law.

    Attributes:
        observed: what they come from.
        names: of the values: `NAMES`, without the last where there was no light test.
        values: r_1, r_2, k_w in 1/d, phi J of the light test in 1/d.
        jacobian: d values / d observations, for errors by source.
        undetermined: sentences on what stays open.
    """

    observed: Observed
    names: tuple[str, ...]
    values: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    undetermined: tuple[str, ...]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the values, by linear propagation of independent observations."""
        scaled = self.jacobian * self.observed.std
        return np.asarray(scaled @ scaled.T)

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard errors of the values."""
        return np.sqrt(np.diagonal(self.covariance))

    def predict(self, function: Callable[[Float[Array, " p"]], Float[Array, ""]]) -> tuple[float, NDArray[np.float64]]:
        """Return what follows from the values, with its error by source.

        Args:
            function: of `values`, jax-differentiable, to a number.

        Returns:
            The number, and the signed standard contribution of each observation, in the order of `Observed.vector`;
            their root sum of squares is the standard error.
        """
        at = jnp.asarray(self.values)
        slope = np.asarray(jax.grad(function)(at))
        return float(function(at)), slope @ self.jacobian * self.observed.std


def solve(observed: Float[Array, " q"], dark_d: float, light_d: float, light_dark_rate: float) -> Float[Array, " p"]:
    """Return r_1, r_2, k_w (and phi J) of R, F_1, F_2 (and F_l); pure jax, see the module for the equations."""
    lifetimes, better, other = observed[0], observed[1], observed[2]
    grown = (lifetimes * better - other) / (better * other * (lifetimes - 1.0))
    rate = jnp.log(grown) / dark_d
    first = (1.0 - better) / (better * grown - 1.0)
    second = (1.0 - other) / (other * grown - 1.0)
    if observed.shape[0] == 3:
        return jnp.stack([first, second, rate])
    total = jnp.log(((1.0 + first) / observed[3] - 1.0) / first) / light_d
    return jnp.stack([first, second, rate, total - light_dark_rate * rate])


def calibrate(observed: Observed) -> Calibration:
    """Set the numbers of the law from observations.

    Args:
        observed: what was seen; building it refuses what the law cannot give.

    Returns:
        The calibration.

    Raises:
        InputError: the light test lost less than the dark rate alone would take.
    """

    def values(x: Float[Array, " q"]) -> Float[Array, " p"]:
        return solve(x, observed.dark_d, observed.light_d or 1.0, observed.light_dark_rate)

    at = jnp.asarray(observed.vector)
    found = np.asarray(values(at))
    if len(found) == 4 and found[3] < 0:
        raise InputError(
            "The sample under light lost less than the rate in the dark alone would take; the two tests do not fit."
        )
    open_ = [
        "As many numbers as observations: the law itself is not tested by them.",
        "Whether the samples share one radiative rate is taken for granted; the quantum yields would show it.",
    ]
    if len(found) == 4:
        open_.append(
            "Only phi J is determined, not phi: the excitation rate of the light test needs its irradiance, path and "
            "concentration."
        )
        open_.append("That light acts in proportion to its dose, and in water alone, is not tested by one time.")
    return Calibration(observed, NAMES[: len(found)], found, np.asarray(jax.jacfwd(values)(at)), tuple(open_))


def efficiency_range(light_rate_per_d: float, excitations_per_s: tuple[float, float]) -> tuple[float, float]:
    """Return the range of phi that a light test leaves, for a range of its excitation rate.

    Args:
        light_rate_per_d: phi J, 1/d.
        excitations_per_s: lowest and highest J that the test may have had, 1/s.

    Returns:
        Lowest and highest phi.

    Raises:
        InputError: a rate that is not positive, or a range that runs backwards.
    """
    low, high = (check.positive(j, "excitation rate", "1/s") for j in excitations_per_s)
    if low > high:
        raise InputError(f"The range of the excitation rate runs backwards: {low:g} to {high:g} 1/s.")
    rate = check.positive(light_rate_per_d, "light rate", "1/d", zero=True) / SECONDS_PER_DAY
    return rate / high, rate / low


@dataclass(frozen=True)
class Band:
    """A range that a prediction may lie in.

    Attributes:
        low, high: its ends.
    """

    low: float
    high: float

    @property
    def informative(self) -> bool:
        """Whether the ends differ by no more than tenfold."""
        return self.low > 0 and self.high / self.low <= WIDE

    def __str__(self) -> str:
        """Return the band in words."""
        text = f"{self.low:.2g} to {self.high:.2g}"
        return text if self.informative else f"{text}: uninformative, wider than tenfold"


def dose_band(ratio: tuple[float, float], efficiency: tuple[float, float], excitations: tuple[float, float]) -> Band:
    """Return the band of the emission (or, to first order, lasing output) that is kept after a dose.

    Args:
        ratio: lowest and highest r_0.
        efficiency: lowest and highest phi.
        excitations: lowest and highest dose, excitations of one nanocrystal.

    Returns:
        The band; what is kept falls with each of the three.

    Raises:
        InputError: a number that is negative or not finite.
    """
    ends = []
    for i in (0, 1):
        phi = check.positive(efficiency[i], "efficiency", zero=True)
        dose = check.positive(excitations[i], "number of excitations", zero=True)
        ends.append(float(emission_kept(ratio[i], phi * dose)))
    return Band(*(end if end > _NOTHING else 0.0 for end in sorted(ends)))
