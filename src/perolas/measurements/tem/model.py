"""The sizes counted in an image: a size law seen through the measuring error and the chance of being counted.

Equations. Of N crystals with sizes D of density p(D; m, s), normal or lognormal with mean m and standard deviation s, a
bin between a and b counts N int p(D) q(D) [Phi((b - D) / e) - Phi((a - D) / e)] dD. q(D) is the chance that a crystal
is counted: wholly inside the image and apart from others (`selection`); e is the measuring error. Counts are Poisson.

A powder line sees the volume-weighted mean column. Of moments <D^n> of the law: number-weighted mean <D>,
volume-weighted mean <D^4>/<D^3>; the volume-weighted column is that of cubes (along the edge) and of hexagons (along
their height), and 3/4 of it for spheres.

Response of a specimen: m and s are its size and the standard deviation of it.

Validated by tests/inversion, and tests/unit/test_tem_images.py on simulated images whose crystals are known.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter

LAWS = ("normal", "lognormal")
BINS = 32
_CELLS_PER_BIN = 6
_COLUMN = {"cube": 1.0, "hexagon": 1.0, "sphere": 0.75}

_DERIVED = {
    "relative_std": Derived("1", "std_edge / mean_edge"),
    "volume_mean_edge": Derived("nm", "volume-weighted mean size, <D^4> / <D^3>"),
    "volume_mean_column": Derived("nm", "volume-weighted mean column, which a powder line sees: 3/4 of it for spheres"),
}


class Tem(AbstractMeasurement):
    """Counted sizes of crystals, in bins.

    Attributes:
        number: of crystals that the image has on average, whole or not.
        mean_edge_nm: mean size: edge of cubes, distance of opposite sides of hexagons, diameter of spheres.
        std_edge_nm: its standard deviation.
        edge_error_nm: standard deviation of the measuring error of one crystal.
        magnification: size in the image over true size: what a wrong scale does to all sizes alike. One image cannot
            tell it; a joint inversion varies it within the error of the scale.
        edges_nm: shape (n + 1,), edges of the bins.
        chance: shape (n * 6 + 12,), q at the middle of each cell of the law (`cells_of`).
        noise: Poisson.
        law: ``"normal"`` or ``"lognormal"``; static.
        shape: of the crystals; static.
    """

    technique: ClassVar[str] = "tem"
    axis_name: ClassVar[str] = "edge_nm"
    response_sets: ClassVar[tuple[str, ...]] = ("mean_edge", "std_edge")
    derived_table: ClassVar[dict[str, Derived]] = _DERIVED

    number: Float[Array, ""] = parameter(
        "1", "crystals in an image of this kind, whole or not", name="number", default=100.0, bounds=(0, np.inf)
    )
    mean_edge_nm: Float[Array, ""] = parameter(
        "nm", "number-weighted mean size", name="mean_edge", default=20.0, bounds=(0.1, 1e5)
    )
    std_edge_nm: Float[Array, ""] = parameter(
        "nm", "standard deviation of the size", name="std_edge", default=2.0, bounds=(1e-4, 1e5)
    )
    edge_error_nm: Float[Array, ""] = parameter(
        "nm", "measuring error of one crystal", name="edge_error", default=0.2, bounds=(0, 1e4), free=False
    )
    magnification: Float[Array, ""] = parameter(
        "1", "size in the image over true size", name="magnification", default=1.0, bounds=(0.1, 10), free=False
    )
    edges_nm: Float[Array, " n+1"] = eqx.field(kw_only=True)
    chance: Float[Array, " m"] = eqx.field(kw_only=True)
    noise: AbstractNoise = eqx.field(kw_only=True, default_factory=Poisson)
    law: str = eqx.field(static=True, kw_only=True, default="normal")
    shape: str = eqx.field(static=True, kw_only=True, default="cube")

    @property
    def axis(self) -> Float[Array, " n"]:
        """The middles of the bins, shape (n,)."""
        return 0.5 * (self.edges_nm[1:] + self.edges_nm[:-1])

    def _share(self, size: Float[Array, " k"]) -> Float[Array, " k"]:
        """Return the share of crystals that are smaller in the image."""
        size = size / self.magnification
        if self.law == "normal":
            return norm.cdf((size - self.mean_edge_nm) / self.std_edge_nm)
        width = jnp.sqrt(jnp.log1p((self.std_edge_nm / self.mean_edge_nm) ** 2))
        positive = jnp.maximum(size, 1e-9 * self.mean_edge_nm)
        return norm.cdf((jnp.log(positive / self.mean_edge_nm) + 0.5 * width**2) / width)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected counts, shape (n,)."""
        borders = cells_of(self.edges_nm)
        middle, width = 0.5 * (borders[1:] + borders[:-1]), borders[1:] - borders[:-1]
        # Within a cell the law is taken as even, which blurs as much as an error of width / 12^(1/2).
        blur = jnp.sqrt(self.edge_error_nm**2 + width**2 / 12.0)
        below = norm.cdf((self.edges_nm[:, None] - middle) / blur)
        share = jnp.diff(self._share(borders)) * self.chance
        return self.number * ((below[1:] - below[:-1]) @ share)

    def respond(self, state: Any) -> Self:
        """Return the measurement of a specimen's sizes."""
        return dataclasses.replace(
            self, mean_edge_nm=state.size_nm, std_edge_nm=state.size_std_nm, law=state.size_law
        )  # fmt: skip

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return what would be counted if every crystal were: the law in the same bins."""
        return {"law": self.number * jnp.diff(self._share(self.edges_nm))}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return relative width and volume-weighted means."""
        fourth, third = (moment(self.law, self.mean_edge_nm, self.std_edge_nm, n) for n in (4, 3))
        return {
            "relative_std": self.std_edge_nm / self.mean_edge_nm,
            "volume_mean_edge": fourth / third,
            "volume_mean_column": _COLUMN[self.shape] * fourth / third,
        }


def cells_of(edges_nm: Float[Array, " n+1"]) -> Float[Array, " m+1"]:
    """Return the borders of the cells in which the law is summed: six to a bin, and one bin more on each side.

    Args:
        edges_nm: shape (n + 1,), edges of equal bins.

    Returns:
        Shape (6 n + 13,), nm.
    """
    bins = edges_nm.shape[0] - 1
    step = (edges_nm[-1] - edges_nm[0]) / (bins * _CELLS_PER_BIN)
    return edges_nm[0] + step * jnp.arange(-_CELLS_PER_BIN, (bins + 1) * _CELLS_PER_BIN + 1)


def moment(law: str, mean: Any, std: Any, order: int) -> Any:
    """Return the moment <D^n> of a size law, for n from 1 to 4.

    Args:
        law: ``"normal"`` or ``"lognormal"``.
        mean: of it.
        std: its standard deviation, in the unit of the mean.
        order: n.

    Returns:
        <D^n>; for a lognormal law m^n (1 + s^2/m^2)^(n(n-1)/2).
    """
    if law == "lognormal":
        return mean**order * (1.0 + (std / mean) ** 2) ** (order * (order - 1) // 2)
    return {
        1: mean,
        2: mean**2 + std**2,
        3: mean**3 + 3 * mean * std**2,
        4: mean**4 + 6 * mean**2 * std**2 + 3 * std**4,
    }[order]
