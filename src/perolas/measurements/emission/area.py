r"""Threshold against pumped area: the exponent with its error, rival laws ranked by evidence.

.. math:: F_{th}(A) = T \, [\, q + (1 - q) (A / A_0)^{e} \,]

T is the threshold at the reference area A0 (the geometric mean of the areas), e the exponent, and q the share of it
that no area takes away (transparency, loss out of the plane): q = 0 is a power law.

**Evidence** is the probability of the thresholds under a law, its parameters integrated out: the logarithm of T with a
flat prior that all laws share, m = -e uniform between 0 and 2, q uniform between 0 and 1. Errors of threshold and area
are normal in the logarithm; where thresholds have no errors, one of so many per cent is integrated out with the prior
1/sigma. An exponent does not tell a mechanism: see `perolas.laser.diffusion`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.noise import AbstractNoise
from perolas.core.parameter import parameter, replace
from perolas.measurements.emission.noise import Relative

FIXED = {"A^-1": -1.0, "A^-2/3": -2.0 / 3.0, "A^-1/2": -0.5}
LAWS = (*FIXED, "A^-m", "P_tr + c A^-m")
MOST_M = 2.0
_FEWEST = 3
_M = (np.arange(400) + 0.5) * MOST_M / 400
_Q = (np.arange(100) + 0.5) / 100


class AreaLaw(AbstractMeasurement):
    """Threshold against pumped area.

    Attributes:
        threshold_uj_cm2: T, at the reference area.
        exponent: e.
        share: q.
        jitter: shape (n,) or (0,), logarithm of the true over the nominal area of each spot.
        area_um2: shape (n,), nominal.
        moved: shape (n,) or (0,), a jitter that is known.
        reference_um2: A0.
        noise: of the thresholds.
        offset: whether the share is not zero.
    """

    technique: ClassVar[str] = "emission"
    axis_name: ClassVar[str] = "area_um2"
    response_sets: ClassVar[tuple[str, ...]] = ()
    derived_table: ClassVar[dict[str, Derived]] = {
        "transparency": Derived("uJ/cm^2", "threshold of an endless spot, T q"),
    }
    signal_unit: ClassVar[str] = "uJ/cm^2"

    threshold_uj_cm2: Float[Array, ""] = parameter(
        "uJ/cm^2",
        "threshold at the reference area, the geometric mean of those measured",
        name="threshold_at_reference",
        default=100.0,
        bounds=(0.0, np.inf),
    )
    exponent: Float[Array, ""] = parameter(
        "1", "power of the area with which the threshold goes", name="exponent", default=-0.5, bounds=(-6.0, 3.0)
    )
    share: Float[Array, ""] = parameter(
        "1",
        "share of the threshold at the reference area that no area takes away",
        name="transparency_share",
        bounds=(0.0, 1.0),
        free=False,
    )
    jitter: Float[Array, " k"] = parameter(
        "1", "logarithm of true over nominal area of each spot", name="jitter", free=False, vector=True
    )
    area_um2: Float[Array, " n"] = eqx.field(default_factory=lambda: np.geomspace(100, 1e4, 6), converter=jnp.asarray)
    moved: Float[Array, " k"] = eqx.field(default_factory=lambda: jnp.zeros(0), converter=jnp.asarray)
    reference_um2: Float[Array, ""] = eqx.field(default=1000.0, converter=jnp.asarray)
    noise: AbstractNoise = eqx.field(default_factory=Relative)
    offset: bool = eqx.field(static=True, default=False)

    @property
    def axis(self) -> Float[Array, " n"]:
        """Areas, um^2."""
        return self.area_um2

    def expected(self) -> Float[Array, " n"]:
        """Return the expected threshold of each spot, shape (n,), uJ/cm^2."""
        away = jnp.log(self.area_um2 / self.reference_um2)
        for part in (self.jitter, self.moved):
            away = away + part if part.size else away
        return self.threshold_uj_cm2 * (self.share + (1.0 - self.share) * jnp.exp(self.exponent * away))

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return the part that no area takes away."""
        return {"background": jnp.full_like(self.area_um2, self.threshold_uj_cm2 * self.share)}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return the threshold of an endless spot."""
        return {"transparency": self.threshold_uj_cm2 * self.share} if self.offset else {}

    def respond(self, state: Any) -> Self:
        """Return the law as it is."""
        return self


@dataclasses.dataclass(frozen=True)
class Spots:
    """Thresholds of spots, rising in area.

    Attributes:
        area: shape (n,), um^2.
        threshold: shape (n,), uJ/cm^2.
        std: shape (n,), standard error of the logarithm of each threshold; None where they have none.
        area_std: shape (n,), that of each area.
    """

    area: np.ndarray
    threshold: np.ndarray
    std: np.ndarray | None
    area_std: np.ndarray

    @property
    def x(self) -> np.ndarray:
        """Logarithms of the areas over their geometric mean, shape (n,)."""
        x = np.log(self.area)
        return np.asarray(x - x.mean())


def spots(observation: xr.Dataset, area_error: float = 0.0) -> Spots:
    """Check a table of thresholds against areas.

    Args:
        observation: thresholds on the axis ``area_um2``; `variance` where they have errors, ``axis_std`` (um^2) where
            the areas have.
        area_error: relative standard error of the areas, where the table has none.

    Returns:
        The spots.

    Raises:
        InputError: too few, or numbers that cannot be areas and thresholds.
    """
    area = np.asarray(observation["area_um2"].values, dtype=float)
    threshold = np.asarray(observation["signal"].values, dtype=float)
    if threshold.ndim != 1:
        raise InputError("An area law is one threshold for each area.")
    for values, what in ((area, "area"), (threshold, "threshold")):
        if np.any(values <= 0):
            raise InputError(f"Each {what} must be positive, but {int(np.sum(values <= 0))} of {values.size} are not.")
    if area.size < _FEWEST:
        raise InputError(f"An exponent with its error needs at least {_FEWEST} areas, but there are {area.size}.")
    unit = str(observation["signal"].attrs.get("units", ""))
    if unit not in ("uJ/cm^2", "arb", "counts", "1"):
        raise InputError(f'The thresholds must be fluences in uJ/cm^2, but are in "{unit}".')
    std = None
    if "variance" in observation:
        std = np.sqrt(np.asarray(observation["variance"].values, dtype=float)) / threshold
    area_std = np.full(area.size, check.positive(area_error, "area_error", zero=True))
    if "axis_std" in observation:
        area_std = np.asarray(observation["axis_std"].values, dtype=float) / area
    if not np.all(np.isfinite(area_std)) or np.any(area_std < 0) or np.any(area_std > 1):
        raise InputError("The errors of the areas must lie between 0 and 100 %.")
    order = np.argsort(area)
    return Spots(area[order], threshold[order], None if std is None else std[order], area_std[order])


def law(data: Spots, exponent: float = -0.6, share: float = 0.0, offset: bool = False) -> AreaLaw:
    """Return a law to start from, through the middle of the data."""
    level = float(np.exp(np.mean(np.log(data.threshold))))
    noise = Relative() if data.std is None else Relative(jnp.asarray(data.std), known=True)
    return AreaLaw(
        threshold_uj_cm2=level,
        exponent=exponent,
        share=share,
        jitter=np.zeros(0),
        area_um2=data.area,
        reference_um2=float(np.exp(np.mean(np.log(data.area)))),
        noise=noise,
        offset=offset,
    )


def fit_law(
    data: Spots,
    free: Sequence[str] = ("threshold_at_reference", "exponent"),
    fix: Sequence[str] = (),
    start: tuple[float, float] | None = None,
    guess: Mapping[str, float] | None = None,
) -> Estimate:
    """Fit a law to thresholds of spots; errors of the areas are part of it (York 1966: the same minimum).

    Args:
        data: the spots.
        free: names that vary.
        fix: names taken out again.
        start: exponent and share to start from; None: the slope of the logarithms, and no share.
        guess: name -> start value; of the exponent and the share.

    Returns:
        The estimate, areas held as fitted.
    """
    if start is None:
        start = float(np.clip(np.polyfit(data.x, np.log(data.threshold), 1)[0], -5.0, 2.5)), 0.0
    given = dict(guess or {})
    check.known_options(given, ("exponent", "transparency_share", "threshold_at_reference"), "guess")
    share = float(given.get("transparency_share", start[1]))
    offset = share > 0 or "transparency_share" in free
    model = law(data, given.get("exponent", start[0]), max(share, 0.02) if offset else 0.0, offset)
    if "threshold_at_reference" in given:
        model = replace(model, threshold_uj_cm2=jnp.asarray(given["threshold_at_reference"]))
    if not np.any(data.area_std > 0) or data.std is None:
        return invert(model, data.threshold, free=free, fix=fix, throw=False)
    names = [f"jitter_{i + 1}" for i in range(data.area.size) if data.area_std[i] > 0]
    prior = {n: (0.0, float(data.area_std[int(n.split("_")[1]) - 1])) for n in names}
    joint = invert(
        replace(model, jitter=jnp.zeros(data.area.size)), data.threshold, free=[*free, *names], fix=fix, prior=prior,
        throw=False,
    )  # fmt: skip
    found: AreaLaw = joint.fitted()[0]
    known = replace(found, jitter=jnp.zeros(0), moved=found.jitter)
    held = invert(known, data.threshold, free=free, fix=fix, throw=False)
    rows = [joint.names.index(n) for n in held.names]
    rest = np.log(data.threshold / np.asarray(joint.expected)) / data.std
    moved = np.asarray(found.jitter) / np.where(data.area_std > 0, data.area_std, 1.0)
    chi2 = (float(np.sum(rest**2)) + float(np.sum(moved**2))) / max(held.n_points - held.n_free, 1)
    return dataclasses.replace(
        held,
        values=joint.values[rows],
        std=joint.std[rows],
        covariance=joint.covariance[np.ix_(rows, rows)],
        result=joint.result,
        chi2_reduced=np.asarray(chi2),
    )


def ranked(data: Spots) -> list[dict[str, Any]]:
    """Rank the laws by evidence.

    Args:
        data: the spots.

    Returns:
        One row for each law, the likeliest first: `model`, `log_evidence` (up to a constant that all share),
        `probability` (all laws equally likely before), `exponent` and `transparency_share` where the law is likeliest.
    """
    rows: list[dict[str, Any]] = []
    for name in LAWS:
        m = np.array([-FIXED[name]]) if name in FIXED else _M
        q = _Q if name.startswith("P_tr") else np.zeros(1)
        each = _log_likelihood(data, m[:, None], q[None, :])
        top = float(each.max())
        i, j = np.unravel_index(int(np.argmax(each)), each.shape)
        rows.append(
            {
                "model": name,
                "log_evidence": top + math.log(float(np.mean(np.exp(each - top)))),
                "exponent": -float(m[i]),
                "transparency_share": float(q[j]),
            }
        )
    best = max(r["log_evidence"] for r in rows)
    total = sum(math.exp(r["log_evidence"] - best) for r in rows)
    for row in rows:
        row["probability"] = math.exp(row["log_evidence"] - best) / total
    return sorted(rows, key=lambda r: -r["log_evidence"])


def shape(x: np.ndarray, m: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ln(q + (1 - q) exp(-m x)) and its slope by x; m and q broadcast, the points are the last axis."""
    power = (1.0 - q)[..., None] * np.exp(-m[..., None] * x)
    total = q[..., None] + power
    return np.log(total), -m[..., None] * power / total


def _log_likelihood(data: Spots, m: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of a law's m and q, the logarithm of T (and an unknown error) integrated out."""
    m, q = np.broadcast_arrays(m, q)
    curve, slope = shape(data.x, m, q)
    rest = np.log(data.threshold) - curve
    n = data.area.size
    if data.std is None:
        square = np.sum((rest - rest.mean(-1, keepdims=True)) ** 2, axis=-1)
        return np.asarray(-0.5 * (n - 1) * np.log(np.maximum(square, 1e-12 * n)))
    variance = data.std**2 + (slope * data.area_std) ** 2
    weight = 1.0 / variance
    mean = np.sum(weight * rest, axis=-1, keepdims=True) / np.sum(weight, axis=-1, keepdims=True)
    chi2 = np.sum(weight * (rest - mean) ** 2, axis=-1)
    return np.asarray(-0.5 * (chi2 + np.sum(np.log(variance), axis=-1) + np.log(np.sum(weight, axis=-1))))
