r"""Shifts of several Raman lines: did nothing move, the axis, the sample, or both?

Given shifts d_i of lines at w_i with covariance C, four hypotheses compete, each with what it allows beforehand:

- *nothing*: d is noise, :math:`d \sim N(0, C)`;
- *drift*: the axis moved by s nm, :math:`d_i = a_i s` with :math:`a_i = 10^7 / \lambda_i^2` and
  :math:`s \sim N(0, \sigma_s^2)`, hence :math:`d \sim N(0, C + \sigma_s^2 a a^T)`;
- *strain*: the sample was strained by e, :math:`d_i = -3 \gamma_i w_i e` with :math:`e \sim N(0, \sigma_e^2)` and
  Grueneisen parameters :math:`\gamma \sim N(\bar\gamma, G)`. At a given e that is
  :math:`N(-3 e\,w\bar\gamma,\; C + 9 e^2\, w G w)`; over e it is integrated by quadrature. With G = 0 the integral is
  :math:`N(0, C + 9 \sigma_e^2\,(w\bar\gamma)(w\bar\gamma)^T)`;
- *both*: the sum of the two.

The evidence of a hypothesis is the probability density that it gave to the shifts seen, before they were seen. A
hypothesis that allows much spreads it thinly: that is its Occam factor, the evidence over the highest likelihood it can
reach. Odds therefore depend on how far axes drift and samples strain (`Prior`), and `DriftOdds.ranges` says how much.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.tables import with_error
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.raman.modes import modes

Values = NDArray[np.float64]
HYPOTHESES = ("nothing", "drift", "strain", "both")
_REACH = 8.0  # prior standard deviations of strain that the quadrature spans
_NODES = 4001
_DECIDED = 20.0  # odds


@dataclasses.dataclass(frozen=True, eq=False)
class Lines:
    """The lines whose shifts were seen.

    Attributes:
        position: shape (m,), cm-1, before the shift.
        grueneisen, grueneisen_std: shape (m,); both zero for a line that the sample's strain does not move (silicon).
        shared: correlation of the errors of the Grueneisen parameters.
        laser_nm: wavelength of the laser.
    """

    position: Values
    grueneisen: Values
    grueneisen_std: Values
    shared: float
    laser_nm: float

    @property
    def per_nm(self) -> Values:
        """How far a line moves when the axis shows a nanometre more, cm-1, shape (m,)."""
        return np.asarray(1e7 / (1e7 / (1e7 / self.laser_nm - self.position)) ** 2)

    @property
    def per_strain(self) -> Values:
        """How far a line moves for a linear strain of one, cm-1, shape (m,)."""
        return np.asarray(-3.0 * self.grueneisen * self.position)

    @property
    def strain_spread(self) -> Values:
        """Covariance of `per_strain`, shape (m, m)."""
        std = 3.0 * self.grueneisen_std * self.position
        found = self.shared * np.outer(std, std)
        np.fill_diagonal(found, std**2)
        return np.asarray(found)


@dataclasses.dataclass(frozen=True)
class Prior:
    """What is allowed before the shifts are seen.

    Attributes:
        drift_nm: standard deviation of how far the axis moves between the spectra.
        strain: standard deviation of the linear strain between them.
    """

    drift_nm: float
    strain: float

    @staticmethod
    def library() -> Prior:
        """Return what the parameter library says."""
        return Prior(parameter_value("raman.axis_drift"), parameter_value("raman.strain_change"))


def lines_of_phase(positions: ArrayLike, phase: str = "CsPbBr3", laser_nm: float = 785.0) -> Lines:
    """Return lines with the Grueneisen parameters of a phase; a line that is not the phase's does not move with strain.

    Args:
        positions: shape (m,), cm-1.
        phase: of the library.
        laser_nm: wavelength of the laser.

    Returns:
        The lines; each takes the parameter of the phase's nearest line within 12 cm-1.
    """
    at = np.atleast_1d(np.asarray(positions, dtype=np.float64))
    known = modes(phase)
    gamma, std = np.zeros(at.size), np.zeros(at.size)
    for i, place in enumerate(at):
        near = min(known, key=lambda m: abs(m.position.value - place))
        if abs(near.position.value - place) <= 12.0:
            gamma[i], std[i] = near.grueneisen.value, near.grueneisen.std
    return Lines(at, gamma, std, parameter_value("raman.grueneisen_shared"), laser_nm)


def log_evidence(
    hypothesis: str, shifts: Values, covariance: Values, lines: Lines, prior: Prior
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Return the log evidence of one hypothesis, and what it makes of drift and strain.

    Args:
        hypothesis: one of `HYPOTHESES`.
        shifts: shape (m,), cm-1.
        covariance: shape (m, m), of the shifts.
        lines: what shifted.
        prior: what is allowed.

    Returns:
        The log of the probability density of the shifts, and ``drift`` (nm) and ``strain`` as (mean, standard
        deviation) where the hypothesis has them.
    """
    drifting = hypothesis in ("drift", "both")
    c = covariance + (prior.drift_nm**2 * np.outer(lines.per_nm, lines.per_nm) if drifting else 0.0)
    if hypothesis in ("nothing", "drift"):
        found = {"drift": _linear(shifts, covariance, lines.per_nm, prior.drift_nm)} if drifting else {}
        return _normal(shifts, c[None])[0], found
    if not np.any(lines.grueneisen_std > 0):
        return _exact(drifting, shifts, covariance, lines, prior)
    e = np.linspace(-_REACH, _REACH, _NODES) * prior.strain
    spread = c[None] + (e**2)[:, None, None] * lines.strain_spread[None]
    log_p = _normal(shifts[None] - e[:, None] * lines.per_strain[None], spread) - 0.5 * (e / prior.strain) ** 2
    log_p -= math.log(prior.strain * math.sqrt(2.0 * math.pi))
    step, top = e[1] - e[0], float(log_p.max())
    weight = np.exp(log_p - top)
    total = float(weight.sum())
    weight /= total
    mean = float(weight @ e)
    found = {"strain": (mean, math.sqrt(max(float(weight @ (e - mean) ** 2), 0.0)))}
    if drifting:  # at each strain the drift is linear; its moments over the strain
        own = covariance[None] + (e**2)[:, None, None] * lines.strain_spread[None]
        rest = shifts[None] - e[:, None] * lines.per_strain[None]
        solved = np.linalg.solve(own, np.broadcast_to(lines.per_nm, rest.shape)[..., None])[..., 0]
        precision = solved @ lines.per_nm + prior.drift_nm**-2
        at = np.sum(solved * rest, axis=1) / precision
        middle = float(weight @ at)
        found["drift"] = middle, math.sqrt(float(weight @ (1.0 / precision + (at - middle) ** 2)))
    return top + math.log(total * step), found


def _exact(
    drifting: bool, shifts: Values, covariance: Values, lines: Lines, prior: Prior
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Return evidence, strain and drift where the Grueneisen parameters are exact: a linear law with normal priors."""
    names = ["strain", *(["drift"] if drifting else [])]
    columns = np.stack([lines.per_strain, lines.per_nm][: len(names)], axis=1)
    allowed = np.array([prior.strain, prior.drift_nm][: len(names)])
    scaled = columns * allowed
    precision = scaled.T @ np.linalg.solve(covariance, scaled) + np.eye(len(names))
    mean = np.linalg.solve(precision, scaled.T @ np.linalg.solve(covariance, shifts)) * allowed
    std = np.sqrt(np.diag(np.linalg.inv(precision))) * allowed
    log_z = float(_normal(shifts, (covariance + scaled @ scaled.T)[None])[0])
    return log_z, {n: (float(m), float(v)) for n, m, v in zip(names, mean, std, strict=True)}


def _normal(rest: Values, covariance: Values) -> Values:
    """Return the log density of centred normal laws, for each of a stack."""
    rest = np.broadcast_to(rest, covariance.shape[:1] + covariance.shape[1:2])
    root = np.linalg.cholesky(covariance)
    z = np.linalg.solve(root, rest[..., None])[..., 0]
    log_det = 2.0 * np.sum(np.log(np.diagonal(root, axis1=-2, axis2=-1)), axis=-1)
    return np.asarray(-0.5 * (np.sum(z**2, axis=-1) + log_det + rest.shape[-1] * math.log(2.0 * math.pi)))


def _linear(shifts: Values, covariance: Values, column: Values, std: float) -> tuple[float, float]:
    """Return mean and standard deviation of the one coefficient of a linear law with a normal prior."""
    solved = np.linalg.solve(covariance, column)
    precision = float(solved @ column) + (0.0 if math.isinf(std) else std**-2)
    return float(solved @ shifts) / precision, precision**-0.5


@dataclasses.dataclass(frozen=True)
class DriftOdds:
    """What shifts of several lines say.

    Attributes:
        shifts, std: of each line, cm-1.
        positions: of each line, cm-1.
        probability: hypothesis -> probability, all being as likely beforehand.
        log_evidence: hypothesis -> log evidence.
        log_occam: hypothesis -> log of evidence over the highest likelihood that it can reach.
        drift_nm, strain: hypothesis -> (mean, standard deviation).
        drift_over_strain: odds of drift alone against strain alone.
        ranges: the same odds where what is allowed is a third or three times of it: name -> (lowest, highest).
        drift_best: the drift that fits best whatever was allowed, nm, and its standard error.
        turning_nm: standard deviation of the drift below which strain is the likelier; None where there is none.
        silicon_sigma: how far the line of silicon would be seen to move if it were drift, in standard errors of 0.1
            cm-1; None where one of the lines is not moved by strain, and has told already.
    """

    shifts: tuple[float, ...]
    std: tuple[float, ...]
    positions: tuple[float, ...]
    probability: Mapping[str, float]
    log_evidence: Mapping[str, float]
    log_occam: Mapping[str, float]
    drift_nm: Mapping[str, tuple[float, float]]
    strain: Mapping[str, tuple[float, float]]
    drift_over_strain: float
    ranges: Mapping[str, tuple[float, float]]
    silicon_sigma: float | None
    drift_best: tuple[float, float]
    turning_nm: float | None

    @property
    def undecided(self) -> bool:
        """Whether drift and strain explain the shifts about as well, over all priors that were tried."""
        low = min(r[0] for r in self.ranges.values())
        high = max(r[1] for r in self.ranges.values())
        return low < _DECIDED and high > 1.0 / _DECIDED

    @property
    def verdict(self) -> str:
        """What the odds come to, in words."""
        p = self.probability
        seen = ", ".join(f"{with_error(d, s)}" for d, s in zip(self.shifts, self.std, strict=True)) + " cm-1"
        if p["nothing"] > 0.5:
            return f"Shifts of {seen} are no shifts: most likely nothing moved ({p['nothing']:.0%})."
        strain, odds = self.strain["strain"], self.drift_over_strain
        head = (
            f"Shifts of {seen} are explained by {with_error(*self.drift_best)} nm of drift of the axis, or by a "
            f"linear strain of {with_error(100 * strain[0], 100 * strain[1])} %: "
        )
        low, high = (f(r[i] for r in self.ranges.values()) for i, f in ((0, min), (1, max)))
        if self.undecided:
            how = "as well as" if 1 / 3 < odds < 3 else "better than" if odds >= 3 else "less well than"
            said = (
                f"drift explains them {how} strain (odds {odds:.2g}; {low:.1g} to {high:.2g} over what is allowed "
                "beforehand), so they do not show a strain."
            )
        elif odds > 1:
            said = f"drift is the better explanation (odds {odds:.2g}; at least {low:.2g} over what is allowed)."
        else:
            said = f"strain is the better explanation (odds {1 / odds:.2g}; at least {1 / high:.2g})."
        return head + said

    @property
    def occam(self) -> str:
        """What each of drift and strain pays for what it allowed, in words."""
        drift, strain = (math.exp(max(self.log_occam[n], -600.0)) for n in ("drift", "strain"))
        return (
            f"Of the highest likelihood that they could reach, drift keeps {drift:.1g} and strain {strain:.1g}: the "
            "more a hypothesis would have allowed, the less it says by what it explains."
        )

    @property
    def turning(self) -> str:
        """How well the axis would have to be known to hold for strain to win, in words ("" where that is not so)."""
        if self.turning_nm is None:
            return ""
        return (
            f"Strain becomes the likelier of the two only where the axis is known to hold within {self.turning_nm:.2g} "
            "nm (standard deviation)."
        )

    @property
    def advice(self) -> str:
        """What would tell drift from strain, in words."""
        if self.silicon_sigma is None:
            return "One of the lines is not moved by strain, which is what tells the two apart."
        return (
            "A line of silicon (or of a lamp) in both spectra would tell: drift moves it as well, by "
            f"{self.silicon_sigma:.0f} times an error of 0.1 cm-1, strain of the sample does not move it."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each hypothesis, as a table of evidence."""
        return [
            {
                "hypothesis": name,
                "probability": self.probability[name],
                "log_evidence": self.log_evidence[name],
                "log_occam": self.log_occam[name],
                "drift_nm": list(self.drift_nm[name]) if name in self.drift_nm else None,
                "strain": list(self.strain[name]) if name in self.strain else None,
            }
            for name in HYPOTHESES
        ]

    def __str__(self) -> str:
        """Return the table with what it comes to."""
        head = f"{'':<9}{'probability':>12}{'ln evidence':>13}{'ln Occam':>10}{'drift (nm)':>20}{'strain (%)':>18}"
        lines = [head]
        for name in HYPOTHESES:
            drift = with_error(*self.drift_nm[name]) if name in self.drift_nm else "-"
            strain = with_error(*(100 * v for v in self.strain[name])) if name in self.strain else "-"
            lines.append(
                f"{name:<9}{self.probability[name]:>12.3f}{self.log_evidence[name]:>13.2f}"
                f"{self.log_occam[name]:>10.2f}{drift:>20}{strain:>18}"
            )
        lines += [t for t in (self.verdict, self.occam, self.turning, self.advice) if t]
        lines += [
            f"Odds of drift over strain with {what}: {low:.2g} to {high:.2g}." for what, (low, high) in
            self.ranges.items()
        ]  # fmt: skip
        return "\n".join(lines)


def odds(
    shifts: Sequence[float] | ArrayLike,
    std: ArrayLike,
    lines: Lines,
    prior: Prior | None = None,
) -> DriftOdds:
    """Judge shifts of several lines between two spectra.

    Args:
        shifts: shape (m,), cm-1.
        std: standard errors, shape () or (m,), or a covariance, shape (m, m), cm-1.
        lines: what shifted.
        prior: what is allowed; None: the library's.

    Returns:
        The odds.

    Raises:
        InputError: numbers that cannot be used.

    Source: the evidence of linear models with normal priors; see the module.
    """
    d = np.atleast_1d(np.asarray(shifts, dtype=np.float64))
    error = np.asarray(std, dtype=np.float64)
    if d.ndim != 1 or d.size != lines.position.size or not np.all(np.isfinite(d)):
        raise InputError(f"{lines.position.size} lines need as many shifts, but there are {d.size}.")
    c = error if error.ndim == 2 else np.diag(np.broadcast_to(error, d.shape) ** 2)
    if c.shape != (d.size, d.size) or not np.all(np.isfinite(c)) or np.any(np.linalg.eigvalsh(0.5 * (c + c.T)) <= 0):
        raise InputError("Every shift needs a positive standard error (or all a positive definite covariance).")
    if not np.any(lines.grueneisen) and not np.any(lines.grueneisen_std):
        raise InputError("None of the lines is one that strain is known to move, so drift and strain cannot be told.")
    p = prior or Prior.library()
    for name, value in (("drift_nm", p.drift_nm), ("strain", p.strain)):
        check.positive(value, f"prior {name}")
    found = {name: log_evidence(name, d, c, lines, p) for name in HYPOTHESES}
    log_z = {name: float(v[0]) for name, v in found.items()}
    top = max(log_z.values())
    share = {n: math.exp(v - top) for n, v in log_z.items()}
    total = sum(share.values())
    ranges = {
        f"{words} a third or three times as large": _range(d, c, lines, p, field)
        for field, words in (
            ("drift_nm", "drifts"),
            ("strain", "strains"),
            ("spread", "errors of Grueneisen parameters"),
        )
    }
    best = {n: _highest(n, d, c, lines) for n in HYPOTHESES}
    still = bool(np.any((lines.grueneisen == 0) & (lines.grueneisen_std == 0)))
    moved = abs(found["drift"][1]["drift"][0]) * float(
        Lines(np.array([520.5]), np.zeros(1), np.zeros(1), 0.0, lines.laser_nm).per_nm[0]
    )
    return DriftOdds(
        tuple(d.tolist()), tuple(np.sqrt(np.diag(c)).tolist()), tuple(lines.position.tolist()),
        {n: v / total for n, v in share.items()}, log_z, {n: log_z[n] - best[n] for n in HYPOTHESES},
        {n: v[1]["drift"] for n, v in found.items() if "drift" in v[1]},
        {n: v[1]["strain"] for n, v in found.items() if "strain" in v[1]},
        _odds(log_z["drift"] - log_z["strain"]), ranges, None if still else moved / 0.1,
        _linear(d, c, lines.per_nm, math.inf), _turning(d, c, lines, p, log_z["strain"]),
    )  # fmt: skip


def _turning(d: Values, c: Values, lines: Lines, prior: Prior, strain: float) -> float | None:
    """Return the standard deviation of drifts at which drift and strain are as likely, below the one allowed."""

    def ahead(std: float) -> float:
        return log_evidence("drift", d, c, lines, dataclasses.replace(prior, drift_nm=std))[0] - strain

    low, high = 1e-6 * prior.drift_nm, prior.drift_nm
    if not (ahead(low) < 0.0 < ahead(high)):
        return None
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if ahead(middle) < 0.0 else (low, middle)
    return high


def _odds(log_ratio: float) -> float:
    """Return odds from their logarithm, kept within what a float can hold."""
    return math.exp(min(max(log_ratio, -600.0), 600.0))


def _range(d: Values, c: Values, lines: Lines, prior: Prior, field: str) -> tuple[float, float]:
    """Return the lowest and highest odds of drift over strain where one allowance is a third or three times of it."""
    tried = []
    for factor in (1.0 / 3.0, 1.0, 3.0):
        use, own = prior, lines
        if field == "spread":
            own = dataclasses.replace(lines, grueneisen_std=lines.grueneisen_std * factor)
        else:
            use = dataclasses.replace(prior, **{field: getattr(prior, field) * factor})
        tried.append(_odds(log_evidence("drift", d, c, own, use)[0] - log_evidence("strain", d, c, own, use)[0]))
    return min(tried), max(tried)


def _highest(hypothesis: str, d: Values, c: Values, lines: Lines) -> float:
    """Return the highest log likelihood that drift and strain can reach, Grueneisen parameters being as they may."""
    columns = []
    if hypothesis in ("drift", "both"):
        columns.append(lines.per_nm)
    if hypothesis in ("strain", "both") and np.any(lines.grueneisen != 0):
        if np.any(lines.grueneisen_std > 0):  # whatever a free parameter for each line can do
            columns += list(np.eye(d.size)[(lines.grueneisen_std > 0)])
        else:
            columns.append(lines.per_strain)
    root = np.linalg.cholesky(c)
    rest = np.linalg.solve(root, d)
    if columns:
        matrix = np.linalg.solve(root, np.stack(columns, axis=1))
        rest = rest - matrix @ np.linalg.lstsq(matrix, rest, rcond=None)[0]
    log_det = 2.0 * float(np.sum(np.log(np.diag(root))))
    return -0.5 * (float(rest @ rest) + log_det + d.size * math.log(2.0 * math.pi))
