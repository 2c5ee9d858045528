"""Measured fractions against time, of one run or of several at once, as one forward model for `perolas.core.invert`.

Fitted are the decimal logarithms of the combinations that times determine: k_o k_s (what a dark curve with s << 1 is
made of), Phi k_s (the same under light) and k_s, which only a run in which much of the surface opens can tell. Where
none does, k_s has a lower end and no upper one: `Estimate.interval` shows that, and `open_ended` names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise, Gaussian
from perolas.core.parameter import parameter, replace
from perolas.matter.parameters_library import parameter_value
from perolas.matter.transformation.conditions import Conditions
from perolas.matter.transformation.inference import Point
from perolas.matter.transformation.kinetics import Kinetics, conversion

# A rate with a standard error of more than this many decades is left open.
_OPEN_DECADES = 0.5
# Where a fit looks for its start, in decades.
_START = {
    "log10_product": (-4.5, -3.5, -2.5, -1.5, -0.5),
    "log10_stripping": (-0.25, 0.25, 1.0),
    "log10_light": (-3.5, -2.5, -1.5, -0.5),
}


class FractionCurve(AbstractMeasurement):
    """Converted fractions of several runs with the same kinetics.

    Attributes:
        runs: conditions, batched over the runs.
        grid_h: shape (r, m), times at which each run is solved, rising, h.
        places: for each point the place of its run and time in the flattened grid.
        noise: of the fractions, in the order of the points.
    """

    technique: ClassVar[str] = "fraction curve"
    axis_name: ClassVar[str] = "channel"  # number of the point: times of several runs neither rise nor fall
    response_sets: ClassVar[tuple[str, ...]] = ()
    signal_unit: ClassVar[str] = "1"
    derived_table: ClassVar[dict[str, Derived]] = {
        "opening": Derived("1/h", "k_o = k_o k_s / k_s, rate at which dark water opens the surface"),
        "stripping": Derived("1/h", "k_s, rate at which CsBr leaves an open surface"),
        "ligands_per_photon": Derived("1", "Phi = Phi k_s / k_s, surface sites opened by each absorbed photon"),
    }
    runs: Conditions
    grid_h: Float[Array, "r m"]
    noise: AbstractNoise
    places: tuple[int, ...] = eqx.field(static=True)
    log10_product: Any = parameter(
        "1", "log10 of k_o k_s in 1/h^2", name="log10_product", default=-2.8, bounds=(-10.0, 3.0)
    )
    log10_stripping: Any = parameter(
        "1", "log10 of k_s in 1/h", name="log10_stripping", default=0.5, bounds=(-3.0, 4.0)
    )
    log10_light: Any = parameter("1", "log10 of Phi k_s in 1/h", name="log10_light", default=-2.0, bounds=(-10.0, 4.0))
    log10_seeds: Any = parameter(
        "1",
        "log10 of the share of product at the beginning",
        name="log10_seeds",
        default=-9.0,
        bounds=(-10.0, -0.3),
        free=False,
    )
    ligands_per_lead: float = eqx.field(static=True, default=0.42)

    @staticmethod
    def of(points: Sequence[Point], **start: float) -> FractionCurve:
        """Build the model of measured points.

        Args:
            points: fractions with their errors and the conditions of their runs, in any order.
            start: values of the parameters, e.g. ``log10_stripping=0.5``.

        Returns:
            The measurement, its points in the order given; their fractions are the signal to fit.

        Raises:
            InputError: no points, a value that cannot be, or none after the beginning.
        """
        if not points:
            raise InputError("There is nothing to fit: give at least one point.")
        runs: list[Conditions] = []
        index = []
        for point in points:
            check.positive(point.time_h, "time_h", "h", zero=True)
            check.positive(point.std, "std of the fraction")
            if not np.isfinite(point.fraction):
                raise InputError("A measured fraction is not a number.")
            at = next((i for i, run in enumerate(runs) if eqx.tree_equal(run, point.conditions)), len(runs))
            if at == len(runs):
                runs.append(point.conditions)
            index.append(at)
        rows = [sorted({p.time_h for p, at in zip(points, index, strict=True) if at == i}) for i in range(len(runs))]
        if any(row[-1] == 0 for row in rows):
            raise InputError("A run needs at least one point after its beginning.")
        longest = max(map(len, rows))
        grid = np.array([row + [row[-1]] * (longest - len(row)) for row in rows])
        return FractionCurve(
            runs=jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(v, dtype=float) for v in leaves]), *runs),
            grid_h=jnp.asarray(grid),
            noise=Gaussian(jnp.asarray([p.std**2 for p in points])),
            places=tuple(at * longest + rows[at].index(p.time_h) for p, at in zip(points, index, strict=True)),
            ligands_per_lead=parameter_value("ligand.per_lead_20nm"),
            **start,
        )

    @property
    def kinetics(self) -> Kinetics:
        """The constants that the parameters stand for."""
        return Kinetics(
            opening_h1=10.0 ** (self.log10_product - self.log10_stripping),
            stripping_h1=10.0**self.log10_stripping,
            ligands_per_photon=10.0 ** (self.log10_light - self.log10_stripping),
            ligands_per_lead=self.ligands_per_lead,
            seeds=10.0**self.log10_seeds,
        )

    @property
    def axis(self) -> Float[Array, " n"]:
        """Numbers of the points, shape (n,)."""
        return jnp.arange(len(self.places), dtype=float)

    @property
    def times_h(self) -> Float[Array, " n"]:
        """Times of the points, shape (n,), h."""
        return self.grid_h.reshape(-1)[np.array(self.places)]

    def expected(self) -> Float[Array, " n"]:
        """Return the expected fractions, shape (n,)."""
        kinetics = self.kinetics
        fractions = jax.vmap(lambda run, times: conversion(kinetics, run, times))(self.runs, self.grid_h)
        return fractions.reshape(-1)[np.array(self.places)]

    def respond(self, state: Any) -> Self:
        """Return itself: no state decides these constants."""
        return self

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the expected fractions; they have no parts."""
        return {"converted fraction": self.expected()}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return k_o, k_s and Phi; see `derived_table`."""
        k = self.kinetics
        return {"opening": k.opening_h1, "stripping": k.stripping_h1, "ligands_per_photon": k.ligands_per_photon}

    @property
    def lit(self) -> bool:
        """Whether any of the runs has light."""
        return bool(np.any(np.asarray(self.runs.photons_per_lead_h) > 0))


@eqx.filter_jit
def _costs(measurement: FractionCurve, signal: Array, fields: tuple[str, ...], values: Array) -> Array:
    def cost(x: Array) -> Array:
        seen = replace(measurement, **dict(zip(fields, x, strict=True)))
        return jnp.sum(seen.noise.cost(signal, seen.expected()))

    return jax.vmap(cost)(values)


def start_of(measurement: FractionCurve, fractions: Float[np.ndarray, " n"]) -> FractionCurve:
    """Return the measurement at the best of a coarse grid of rates, shape of `fractions`: (n,)."""
    names = tuple(n for n in _START if n != "log10_light" or measurement.lit)
    values = jnp.asarray(list(product(*(_START[n] for n in names))))
    costs = np.asarray(_costs(measurement, jnp.asarray(fractions), names, values))
    best = values[int(np.nanargmin(costs))]
    return replace(measurement, **dict(zip(names, best, strict=True)))  # type: ignore[no-any-return]


def fit_curves(
    points: Sequence[Point],
    *,
    free: Iterable[str] | None = None,
    starts: int = 1,
    seed: int = 0,
    throw: bool = True,
    **held: float,
) -> Estimate:
    """Fit the constants of the transformation to measured fractions of one or several runs.

    Args:
        points: fractions with their errors and the conditions of their runs.
        free: parameters that vary; None: k_o k_s and k_s, and Phi k_s where a run has light.
        starts: further starting points than the best of a coarse grid; see `perolas.core.invert.invert`.
        seed: of those.
        throw: raise if the fit fails.
        held: values of parameters that do not vary, e.g. ``log10_seeds=-2.5``, or start values of those that do.

    Returns:
        The estimate; see `open_ended` for what the points leave open.

    Raises:
        InputError: points or names that cannot be used.
        FitError: `throw` and the fit did not converge.
    """
    check.known_options(held, [*_START, "log10_seeds"], "fit of curves")
    model = FractionCurve.of(points, **held)
    names = [n for n in _START if n != "log10_light" or model.lit] if free is None else list(free)
    fractions = np.array([p.fraction for p in points])
    return invert(start_of(model, fractions), fractions, free=names, starts=starts, seed=seed, throw=throw)


def open_ended(estimate: Estimate) -> tuple[str, ...]:
    """Return the rates that a fit leaves open by more than half a decade or cannot tell at all."""
    wide = [
        n
        for n in estimate.names
        if n.startswith("log10_") and not estimate.std[estimate.names.index(n)] < _OPEN_DECADES
    ]
    return tuple(dict.fromkeys([*estimate.undetermined, *wide]))
