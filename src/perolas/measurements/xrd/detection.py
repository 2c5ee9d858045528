"""From which share on a phase shows in a powder pattern: by counts, scan time and texture, before anything is measured.

A fit says that a phase is there where its area is three standard errors above zero. For a scan that is only planned the
standard error follows from the expected pattern m and its derivatives J by everything that the fit determines beside
that area (other areas, cells, sizes, height error, background): F = J^T diag(1/m) J, sigma^2 = (F^-1)_aa. A powder
model sees a textured phase at the area (F^-1 J^T diag(1/m) t)_a, t being its textured pattern, so texture hides or
shows it. Counting errors are normal here, hence the share of patterns that show the phase is

    p = Phi(area seen / sigma - 3),

and with a scan n times longer the area seen over sigma grows by sqrt(n). What counting cannot heal (a wrong structure,
graininess) is not in it: no limit below about 0.1 % should be believed.

Source: Cramer 1946 (information bound); the three sigma are the usual decision limit (Currie 1968), here with the
detection limit at p = 1/2, which is where a kinetic model wants it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.invert import pose
from perolas.core.parameter import replace, slots
from perolas.core.solver import jacobian
from perolas.matter.crystal import phase as library_phase
from perolas.measurements.xrd.instrument import Instrument
from perolas.measurements.xrd.lines import pattern

Floats = NDArray[np.float64]
SIGMAS = 3.0
PERCENTILES = (2.5, 16.0, 50.0, 84.0, 97.5)
_NORMAL = (-1.959964, -0.994458, 0.0, 0.994458, 1.959964)  # quantiles of the normal law at these
_REFERENCE = 1e4  # counts for which everything is computed
# A powder; cubes of CsPbBr3 lying on a face; and needles along that axis.
TEXTURES = ((1.0, (1, 0, 1)), (0.5, (1, 0, 1)), (2.0, (0, 1, 0)))
_SHARES = np.geomspace(1e-4, 0.95, 25)
_REACH_DEG = 16.0


@dataclasses.dataclass(frozen=True)
class Scan:
    """How a pattern is measured.

    Attributes:
        span: first and last two theta, degrees.
        step: degrees.
        background: of the highest point of the pattern without the phase that is looked for.
        size_nm: crystallite size of every phase, nm.
        instrument: tube, goniometer and profile; None: copper and a usual laboratory profile.
    """

    span: tuple[float, float] = (10.0, 60.0)
    step: float = 0.02
    background: float = 0.05
    size_nm: float = 20.0
    instrument: Instrument | None = None

    def __post_init__(self) -> None:
        """Refuse scans that cannot be."""
        low, high = self.span
        check.positive(self.step, "step", "°")
        check.positive(self.size_nm, "size", "nm")
        check.positive(self.background, "background")
        if not 0 < low < high < 180 or not 30 <= (high - low) / self.step <= 1e5:
            raise InputError(f"A scan from {low:g} to {high:g} ° in steps of {self.step:g} ° cannot be looked at.")

    def axis(self) -> Floats:
        """Return its two theta, shape (n,), in degrees."""
        return np.arange(self.span[0], self.span[1] + self.step / 2, self.step)


@dataclasses.dataclass(frozen=True)
class Visibility:
    """How plainly a phase shows along a path of mixtures.

    Attributes:
        share: shape (g,), what the path is written in: a weight fraction, or a share of converted lead.
        significance: shape (g,), its area seen over the standard error, at `_REFERENCE` counts.
    """

    share: Floats
    significance: Floats

    def limit(self, counts: float, sigmas: float = SIGMAS) -> float:
        """Return the share at which the significance reaches `sigmas` at a number of counts; inf where it never does.

        Args:
            counts: expected at the highest point of the pattern without the phase.
            sigmas: standard errors; 3: half of all patterns show it.

        Returns:
            The share, between 0 and 1, or infinity.
        """
        seen = np.maximum.accumulate(self.significance) * math.sqrt(check.positive(counts, "counts") / _REFERENCE)
        if seen[-1] < sigmas:
            return math.inf
        at = int(np.argmax(seen >= sigmas))
        if at == 0:  # below the first share the significance is a straight line through zero
            return float(self.share[0] * sigmas / seen[0])
        rise = math.log(seen[at] / seen[at - 1])
        part = math.log(sigmas / seen[at - 1]) / rise if rise > 0 else 1.0
        return float(self.share[at - 1] * (self.share[at] / self.share[at - 1]) ** part)


def visibility(
    phases: Sequence[str],
    target: str,
    path: Callable[[float], Sequence[float]],
    scan: Scan | None = None,
    *,
    march: float = 1.0,
    texture_axis: tuple[int, int, int] = (1, 0, 1),
) -> Visibility:
    """Compute how plainly a phase shows along a path of mixtures.

    Args:
        phases: names of all phases of the fit.
        target: the one that is looked for.
        path: share between 0 and 1 -> weight fraction of each of the phases; the target's rises with the share.
        scan: how the pattern is measured.
        march: March-Dollase ratio of the target; the fit takes it to be a powder all the same.
        texture_axis: Miller indices of its texture axis.

    Returns:
        The visibility.

    Raises:
        InputError: an unknown phase, or numbers that cannot be used.
    """
    how = scan or Scan()
    names = tuple(phases)
    place = names.index(check.one_of(target, names, "The phase"))
    if not 0.05 <= march <= 10:
        raise InputError(f"A March-Dollase ratio must lie between 0.05 and 10, but is {march:g}.")
    axis = how.axis()
    powder = pattern(
        [library_phase(n) for n in names],
        axis,
        how.instrument,
        reach_deg=_REACH_DEG,
        polynomials=int(np.clip(3 + np.ptp(axis) / 15.0, 3, 12)),
        texture={target: texture_axis},
        crystallite_nm=np.full(len(names), how.size_nm),
    )
    mass = np.asarray(powder.weight_per_area * powder.volumes_nm3())
    without = np.asarray(path(0.0), dtype=float)
    rows = np.asarray(_basis(powder))
    ratios = np.where(np.arange(len(names)) == place, march, 1.0)
    textured = np.asarray(_basis(replace(powder, march=jnp.asarray(ratios))))
    scale = _REFERENCE * (1 - min(how.background, 0.99)) / np.max((without / mass) @ rows[: len(names)])
    flat = np.zeros(powder.background.size)
    flat[0] = how.background * _REFERENCE
    powder = replace(powder, background=jnp.asarray(flat))
    held = [n for i, n in enumerate(names) if not without[i] > 0]
    free = [s.name for s in slots(powder, "measurement") if s.free]
    free = [n for n in free if n.startswith("area_") or not any(n.endswith(f"_{h}") for h in held)]
    at = free.index(f"area_{target}")
    found = []
    for share in _SHARES:
        area = scale * np.asarray(path(float(share)), dtype=float) / mass
        mixture = replace(powder, area=jnp.asarray(area))
        lines = area[place] * textured[place]
        truth = np.asarray(_expected(mixture)) + lines - area[place] * rows[place]
        problem, _ = pose(mixture, np.maximum(truth, 0.0), free=free)
        columns = np.asarray(_jacobian(problem, problem.start()))
        weighted = columns / np.maximum(truth, 1e-6)
        size = np.sqrt(np.maximum(np.sum(weighted * columns, axis=1), 1e-300))
        fisher = (weighted @ columns.T) / np.outer(size, size)
        inverse = np.linalg.pinv(fisher, rcond=1e-13, hermitian=True)
        seen = inverse[at] @ ((weighted @ lines) / size)
        found.append(float(seen / math.sqrt(max(inverse[at, at], 1e-300))))
    return Visibility(_SHARES, np.maximum(np.array(found), 1e-12))


_basis = eqx.filter_jit(lambda measurement: measurement.basis())
_expected = eqx.filter_jit(lambda measurement: measurement.expected())
_jacobian = eqx.filter_jit(lambda problem, x: jacobian(problem, x)[1])


def detection_limit(
    phase: str = "CsPbBr3",
    matrix: Mapping[str, float] | None = None,
    *,
    counts: float = 1e4,
    march: float = 1.0,
    texture_axis: tuple[int, int, int] = (1, 0, 1),
    scan: Scan | None = None,
    sigmas: float = SIGMAS,
) -> float:
    """Return the weight fraction from which on a phase shows in a pattern.

    Args:
        phase: the one that is looked for.
        matrix: name -> parts by weight of what it is in; by default Cs4PbBr6. Parts of zero are fitted too.
        counts: expected at the highest point of the matrix' pattern.
        march: its March-Dollase ratio; the fit takes it to be a powder all the same.
        texture_axis: Miller indices of its texture axis.
        scan: how the pattern is measured.
        sigmas: standard errors from which on it counts as seen.

    Returns:
        The weight fraction; infinity where these counts never show it.

    Raises:
        InputError: names or numbers that cannot be used.
    """
    seen = visibility(*_into(phase, matrix), scan, march=march, texture_axis=texture_axis)
    return seen.limit(counts, check.positive(sigmas, "sigmas"))


def _into(
    phase: str, matrix: Mapping[str, float] | None
) -> tuple[tuple[str, ...], str, Callable[[float], Sequence[float]]]:
    parts = {"Cs4PbBr6": 1.0, "CsBr": 0.0} if matrix is None else {k: float(v) for k, v in matrix.items()}
    if phase in parts:
        raise InputError(f'"{phase}" is looked for, so it cannot be part of the matrix.')
    for name, part in parts.items():
        check.positive(part, f"part of {name}", zero=True)
    total = sum(parts.values())
    if not total > 0:
        raise InputError("The matrix is empty: give at least one phase that is there.")
    return (*parts, phase), phase, lambda share: [*((1 - share) * p / total for p in parts.values()), share]


def limit_curve(
    phase: str = "CsPbBr3",
    matrix: Mapping[str, float] | None = None,
    *,
    counts: ArrayLike | None = None,
    textures: Sequence[tuple[float, tuple[int, int, int]]] = TEXTURES,
    rate_per_s: float | None = None,
    scan: Scan | None = None,
) -> xr.Dataset:
    """Return the detection limit of a phase over counts or scan time, for several textures.

    Args:
        phase: the one that is looked for.
        matrix: as for `detection_limit`.
        counts: at the highest point, shape (n,); by default from 100 to a million.
        textures: March-Dollase ratio and Miller indices of the texture axis of the phase, one curve for each.
        rate_per_s: counts per second at the highest point; the curve is then over the time of the whole scan in min.
        scan: how the pattern is measured.

    Returns:
        A dataset with ``curve`` (run, percentile, point), the weight fraction at which 2.5, 16, 50, 84 and 97.5 % of
        the patterns show the phase, and ``at`` (run, point), the counts or the time; a report draws it.

    Raises:
        InputError: names or numbers that cannot be used.
    """
    how = scan or Scan()
    levels = np.geomspace(1e2, 1e6, 41) if counts is None else np.sort(np.asarray(counts, dtype=float).reshape(-1))
    if not levels.size or not np.all(np.isfinite(levels) & (levels > 0)):
        raise InputError("Counts for a curve must be positive numbers, at least one.")
    if not textures:
        raise InputError("Name at least one texture; the March-Dollase ratio 1 is a powder.")
    at = levels
    if rate_per_s is not None:
        at = levels / check.positive(rate_per_s, "rate", "1/s") * how.axis().size / 60.0
    curves = []
    for ratio, along in textures:
        seen = visibility(*_into(phase, matrix), how, march=float(ratio), texture_axis=along)
        curves.append([[seen.limit(c, SIGMAS + z) for c in levels] for z in _NORMAL])
    words = ["powder" if r == 1 else f"March-Dollase {r:g}, axis {' '.join(map(str, h))}" for r, h in textures]
    curve = np.array(curves)
    return xr.Dataset(
        {
            "curve": (("run", "percentile", "point"), np.where(np.isfinite(curve), curve, np.nan), {"units": "1"}),
            "at": (("run", "point"), np.tile(at, (len(curve), 1)), {"units": "1" if rate_per_s is None else "min"}),
        },
        coords={"percentile": list(PERCENTILES)},
        attrs={
            "plot": "curves",
            "runs": json.dumps(words),
            "x_label": "counts at the highest point" if rate_per_s is None else "time of the scan (min)",
            "y_label": f"weight fraction at which {phase} shows",
        },
    )


def conversion_limits(
    counts: float = 1e4,
    *,
    march: float = 1.0,
    texture_axis: tuple[int, int, int] = (1, 0, 1),
    scan: Scan | None = None,
    keep_salt: bool = True,
) -> dict[str, float]:
    """Return between which converted fractions of the lead a pattern shows both Cs4PbBr6 and CsPbBr3.

    Args:
        counts: expected at the highest point of the pattern of pure Cs4PbBr6, or after full conversion.
        march: March-Dollase ratio of CsPbBr3.
        texture_axis: its texture axis.
        scan: how the patterns are measured.
        keep_salt: whether the CsBr that forms stays with the sample.

    Returns:
        ``onset_limit``, from which on CsPbBr3 shows, and ``completion_limit``, from which on Cs4PbBr6 does not: what
        the model of the transformation takes under these names.

    Raises:
        InputError: numbers that cannot be used, or counts by which nothing shows.
    """
    names = ("Cs4PbBr6", "CsPbBr3", "CsBr")
    onset = visibility(
        names, "CsPbBr3", lambda x: mass_fractions(x, keep_salt), scan, march=march, texture_axis=texture_axis
    ).limit(counts)
    rest = visibility(names, "Cs4PbBr6", lambda y: mass_fractions(1.0 - y, keep_salt), scan, texture_axis=(0, 0, 1))
    return _checked(onset, 1.0 - rest.limit(counts))


def limits_of_estimate(found: Mapping[str, Any], *, keep_salt: bool = True) -> dict[str, float]:
    """Return the limits of `conversion_limits` from the fit of a measured pattern.

    Args:
        found: an estimate in its JSON form, of a fit that named Cs4PbBr6 and CsPbBr3.
        keep_salt: whether the CsBr that forms stays with the sample.

    Returns:
        ``onset_limit`` and ``completion_limit``.

    Raises:
        InputError: no detection limits of these two in it.
    """
    quantities = found.get("quantities") if isinstance(found, Mapping) else None
    limits = []
    for name in ("CsPbBr3", "Cs4PbBr6"):
        row = quantities.get(f"detection_limit_{name}") if isinstance(quantities, Mapping) else None
        value = row.get("value") if isinstance(row, Mapping) else None
        if not isinstance(value, int | float) or not math.isfinite(value) or not value > 0:
            raise InputError(
                f"The estimate holds no detection limit of {name}; fit a pattern with the phases Cs4PbBr6 and CsPbBr3."
            )
        limits.append(float(value))
    shares = np.linspace(0.0, 1.0, 2001)
    weights = np.array([mass_fractions(float(x), keep_salt) for x in shares])
    onset = float(np.interp(limits[0], weights[:, 1], shares, right=np.inf))
    return _checked(onset, float(np.interp(-limits[1], -weights[:, 0], shares, left=-np.inf)))


def mass_fractions(converted: float, keep_salt: bool = True) -> list[float]:
    """Return the weight fractions of Cs4PbBr6, CsPbBr3 and CsBr when a share of the lead is converted."""
    names = ("Cs4PbBr6", "CsPbBr3", "CsBr")
    molar = [library_phase(n).molar_mass_g_mol for n in names]
    grams = np.array([1.0 - converted, converted, 3.0 * converted * keep_salt]) * molar
    return [float(g) for g in grams / grams.sum()]


def _checked(onset: float, completion: float) -> dict[str, float]:
    if not 0 < onset < completion < 1:
        raise InputError(
            "So few counts never show both phases apart, so there is no onset and no completion; count for longer."
        )
    return {"onset_limit": onset, "completion_limit": completion}
