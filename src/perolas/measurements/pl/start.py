"""Where a fit begins: the band that a smoothed spectrum suggests, and narrow lines that lie on it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import find_peaks, peak_widths

from perolas.core.noise import Gaussian, Poisson
from perolas.core.units import FWHM_PER_SIGMA, HC_EV_NM
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.peaks_prepare import white_noise
from perolas.measurements.pl.model import EmissionBand
from perolas.measurements.pl.noise import Scaled
from perolas.measurements.pl.prepare import Points

Values = NDArray[np.float64]
_CLEAR = 8.0  # standard deviations of the noise by which a line stands out
_FEWEST = 20
_WIDTHS = 12
_CENTRES = 60
_AROUND = 101  # points over which the noise is judged


class Line(NamedTuple):
    """A line much narrower than an emission band.

    Attributes:
        energy_ev, fwhm_ev: where it is and its width as seen, eV.
        height: above its surroundings, signal per nm.
        reach: slice of the points, in the order of rising energy, that it covers.
    """

    energy_ev: float
    fwhm_ev: float
    height: float
    reach: slice


def start_of(points: Points, resolution: float, *, slope: bool = False) -> EmissionBand:
    """Return the band of positive area that explains most, on a grid of centres and widths.

    Area and background of each trial follow from linear least squares.

    Args:
        points: to fit.
        resolution: full width of the instrument's own line, in the axis unit.
        slope: let the background have a slope.

    Returns:
        The measurement at the guess.
    """
    order = np.argsort(points.energy_ev)
    energy = points.energy_ev[order]
    nm = HC_EV_NM / energy
    per_nm = points.per_nm[order] if points.background_per == "nm" else points.y[order]
    jacobian = 1.0 / (nm**2 / HC_EV_NM) if points.background_per == "nm" else np.ones_like(energy)
    along = nm if points.background_per == "nm" else energy
    step, span = float(np.median(np.diff(energy))), float(energy[-1] - energy[0])
    weight = _weights(points, per_nm)
    middle = (2.0 * along - along.min() - along.max()) / (along.max() - along.min())
    ground = np.stack([np.ones_like(energy), middle][: 1 + slope], axis=1)
    sensitivity = points.response[order] if np.ndim(points.response) else 1.0
    best: tuple[float, float, float, np.ndarray] = (-1.0, energy[energy.size // 2], 0.1 * span, np.zeros(3))
    plain = _left(ground, per_nm, weight)[0]
    for fwhm in np.geomspace(max(3.0 * step, span / 200.0), 0.8 * span, _WIDTHS):
        for centre in energy[0] + span * np.linspace(0.02, 0.98, int(np.clip(3.0 * span / fwhm, 9, _CENTRES))):
            line = np.exp(-0.5 * ((energy - centre) * FWHM_PER_SIGMA / fwhm) ** 2)
            shape = line * FWHM_PER_SIGMA / (fwhm * math.sqrt(2.0 * math.pi)) * jacobian * sensitivity
            rest, found = _left(np.column_stack([shape, ground]), per_nm, weight)
            if found[0] > 0 and plain - rest > best[0]:
                best = (plain - rest, float(centre), float(fwhm), found)
    _, centre, fwhm, linear = best
    return EmissionBand(
        area=float(linear[0]), centre_ev=float(np.clip(centre, 0.051, 11.9)),
        fwhm_gauss_ev=float(np.clip(fwhm, 2e-5, 4.0)), background=float(linear[1]),
        slope=float(linear[2]) if slope else 0.0, axis_values=points.x, response=points.response,
        resolution=resolution, noise=points.noise, axis_name=points.axis_name, signal_unit=points.signal_unit,
        background_per=points.background_per,
    )  # fmt: skip


def _weights(points: Points, level: Values) -> Values:
    """Return weights for the search, shape (n,), in the order of rising energy."""
    law = points.noise.inner if isinstance(points.noise, Scaled) else points.noise
    if isinstance(law, Gaussian):
        variance = np.broadcast_to(np.asarray(law.variance), level.shape)
        return np.asarray(1.0 / variance[np.argsort(points.energy_ev)])
    return 1.0 / np.maximum(level, 1.0) if isinstance(law, Poisson) else np.ones_like(level)


def _left(rows: np.ndarray, y: Values, weight: Values) -> tuple[float, np.ndarray]:
    """Return the weighted sum of squares that columns leave of a signal, and their factors."""
    heavy = rows * weight[:, None]
    found = np.linalg.lstsq(heavy.T @ rows, heavy.T @ y, rcond=1e-12)[0]
    return float(np.sum(weight * (y - rows @ found) ** 2)), found


def narrow_lines(points: Points) -> list[Line]:
    """Return the lines of a spectrum that are too narrow for an emission band.

    Args:
        points: to fit.

    Returns:
        Lines, the highest first; none where the sampling is too coarse to tell.
    """
    order = np.argsort(points.energy_ev)
    energy, y = points.energy_ev[order], points.per_nm[order]
    limit = parameter_value("emission.narrowest_band") / 1e3
    step = float(np.median(np.diff(energy)))
    if y.size < _FEWEST or step > limit / 3.0:
        return []
    span = min(2 * int(4.0 * limit / step) + 1, (y.size // 2) * 2 - 1)
    ground = median_filter(y, max(span, 3), mode="reflect")
    rest = y - ground
    noise = _local_noise(y, rest)
    floor = np.array([rest.min()])  # so that a line cut by the end of the axis has two sides as well
    padded = np.concatenate([floor, rest / noise, floor])
    tops, _ = find_peaks(padded, height=_CLEAR, prominence=_CLEAR)
    if not tops.size:
        return []
    wide, _, left, right = peak_widths(np.concatenate([floor, rest, floor]), tops, rel_height=0.5)
    tops, left, right = tops - 1, left - 1.0, right - 1.0
    found = []
    for top, pixels, a, b in zip(tops, wide, left, right, strict=True):
        if pixels * step > limit:
            continue
        low, high = int(np.floor(a)), int(np.ceil(b))
        # Wings: until what is left, over three points, is noise; at most twenty widths.
        most = int(20 * max(pixels, 1.0)) + 3
        while low > 0 and top - low < most and np.mean(rest[max(low - 1, 0) : low + 2]) > 2.0 * noise[low]:
            low -= 1
        while high < y.size - 1 and high - top < most and np.mean(rest[high - 1 : high + 2]) > 2.0 * noise[high]:
            high += 1
        more = max(2, int(pixels))
        reach = slice(max(low - more, 0), min(high + more + 1, y.size))
        found.append(Line(float(energy[top]), float(pixels * step), float(rest[top]), reach))
    return sorted(found, key=lambda line: -line.height)


def _local_noise(y: Values, rest: Values) -> Values:
    """Return the noise around each point: from point to point, or what is left above a smooth ground if that is more.

    The second holds where data were smoothed, which makes the first too small.
    """
    rough = np.abs(np.diff(y, 2, prepend=0, append=0)) / np.sqrt(6.0)
    rough[[0, -1]] = rough[[1, -2]]
    around = min(_AROUND, (y.size // 2) * 2 - 1)
    white, ripple = (median_filter(v, around, mode="nearest") / 0.6745 for v in (rough, np.abs(rest)))
    return np.maximum(np.maximum(white, ripple), max(0.1 * white_noise(y), 1e-300))


def without(points: Points, lines: list[Line]) -> NDArray[np.bool_]:
    """Return which points lie outside all lines, shape (n,), in the order of the points."""
    order = np.argsort(points.energy_ev)
    outside = np.ones(points.x.size, dtype=bool)
    for line in lines:
        outside[order[line.reach]] = False
    return outside
