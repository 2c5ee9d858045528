"""Where a fit of a sweep starts: a grid of thresholds and betas, with scale and background by linear algebra."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.parameter import slots, write_slots
from perolas.measurements.emission.model import Emission, stimulated
from perolas.measurements.emission.prepare import Sweep

_LOG_BETAS = np.arange(-7.0, 0.01, 0.5)
_MOST = 4


class Grid:
    """Chi-squares of a sweep over thresholds and betas.

    Attributes:
        threshold: shape (t,), uJ/cm^2.
        log10_beta: shape (b,).
        linear: shape (t, b, 2), best scale and background, neither negative.
        chi2: shape (t, b), weighted sum of squares.
    """

    def __init__(self, sweep: Sweep, exponent: float, weight: np.ndarray, far: float = 3.0) -> None:
        low, high = sweep.fluence[0], sweep.fluence[-1]
        self.threshold = np.geomspace(low, far * high, max(round(60 * math.log10(far * high / low)), 60))
        self.log10_beta = _LOG_BETAS
        pump = (sweep.fluence / self.threshold[:, None, None]) ** exponent
        shape = np.asarray(stimulated(jnp.asarray(pump), jnp.asarray(10.0 ** _LOG_BETAS[:, None])))
        self.linear, self.chi2 = _solved(shape, sweep.output, weight)


def _solved(shape: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return non-negative (scale, background) of y = scale shape + background, and the weighted sum of squares."""
    ss, s1, one = (shape**2 * w).sum(-1), (shape * w).sum(-1), w.sum()
    sy, y1 = (shape * w * y).sum(-1), (w * y).sum()
    det = ss * one - s1**2
    with np.errstate(divide="ignore", invalid="ignore"):
        scale, floor = (sy * one - s1 * y1) / det, (ss * y1 - s1 * sy) / det
        alone = np.maximum(sy / ss, 0.0)
    bad = ~np.isfinite(scale) | ~np.isfinite(floor)
    negative = bad | (floor < 0)
    scale, floor = np.where(negative, alone, scale), np.where(negative, 0.0, floor)
    flat = scale <= 0
    scale, floor = np.where(flat, 0.0, scale), np.where(flat, max(y1 / one, 0.0), floor)
    left = y - scale[..., None] * shape - floor[..., None]
    return np.stack([scale, floor], axis=-1), (w * left**2).sum(-1)


def starts(sweep: Sweep, exponent: float, guess: Mapping[str, float]) -> list[Emission]:
    """Return up to four curves to start from, the likeliest first.

    Args:
        sweep: what is fitted.
        exponent: photons absorbed for each excitation.
        guess: name -> start value; these win.

    Returns:
        Curves, without jitter.

    Raises:
        InputError: a name in `guess` that is not a parameter.
    """
    high = float(sweep.output.max())
    floor = max(1e-4 * high, float(np.min(np.abs(sweep.output[sweep.output != 0.0]))) * 0.3)
    # By the noise as it is, and by ratios: where the pump jitters, points near a steep threshold are off by factors.
    by_ratio = 1.0 / np.maximum(sweep.output, floor) ** 2
    chosen: list[tuple[float, float, float, float]] = []
    for weight in (sweep.weight(), by_ratio):
        grid = Grid(sweep, exponent, weight)
        for least, most in ((-9, 0), (-9, -4), (-4, -2), (-2, 0)):
            inside = (grid.log10_beta >= least) & (grid.log10_beta <= most)
            chi2 = np.where(inside, grid.chi2, np.inf)
            t, b = np.unravel_index(np.argmin(chi2), chi2.shape)
            scale, ground = grid.linear[t, b]
            chosen.append((float(grid.threshold[t]), float(grid.log10_beta[b]), float(scale), float(ground)))
    unique = list(dict.fromkeys(chosen))
    order = [unique[0], *[c for c in (chosen[4], *unique[1:]) if c != unique[0]]]
    return [_curve(sweep, exponent, c, guess) for c in dict.fromkeys(order)][:_MOST]


def _curve(
    sweep: Sweep, exponent: float, found: tuple[float, float, float, float], guess: Mapping[str, float]
) -> Emission:
    high = float(np.abs(sweep.output).max())
    curve = Emission(
        threshold_uj_cm2=found[0],
        log10_beta=min(found[1], -0.05),
        scale=max(found[2], 1e-6 * high),
        background=max(found[3], 1e-6 * high),
        exponent=exponent,
        jitter=np.zeros(0),
        fluence=sweep.fluence,
        noise=sweep.noise,
        unit=sweep.unit,
    )
    known = {s.name: s for s in slots(curve, "measurement")}
    given = {known[check.one_of(n, known, "The parameter")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(curve, given) if given else curve
