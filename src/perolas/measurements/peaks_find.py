"""How many lines, and where: start values for `invert` and the evidence behind their number.

Lines are added one at a time where a matched filter (Gaussian templates of many widths) finds most in what is left
over, and all are fitted again by least squares with the analytic derivatives of Faddeeva's function. This search runs
in numpy, because each number of lines would cost the compiled model seconds of compilation; its result is only a start,
and the numbers that are reported come from `invert`.

Their number is chosen by the BIC of an effective number of points (Burnham and Anderson's quasi-likelihood): where the
residuals of the richest model are correlated over c points or k times larger than the counting noise, log-likelihoods
count 1/(c k). A richer model must win by `DECISIVE`. What is small, near a strong line and as smooth as that line is
taken for that line's own shape, which no model knows to a few per cent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.signal import fftconvolve, find_peaks
from scipy.special import gammaln, wofz, xlogy

from perolas.core.units import FWHM_PER_SIGMA
from perolas.measurements.evidence import DECISIVE

Values = NDArray[np.float64]
MOST = 8  # lines that "auto" goes up to
_BLEND = 0.6  # of a width: lines closer than this are one line to us, unless their number is asked for
_SHOULDER = 15.0  # a line without a maximum of its own must win by this much more
_STANDING = 5.0  # times the usual bump: what a line must be higher than
_SATELLITE = 0.06  # of a strong line's height: below this a smooth neighbour is taken for its shape


@dataclass(frozen=True)
class Found:
    """A set of lines that was fitted.

    Attributes:
        position, area, gauss, lorentz: shape (m,), the last two the sample's own widths.
        background: shape (k,).
        expected: shape (n,), in the order of the sorted axis.
        log_likelihood: of the data.
        spread: Pearson's chi-square per degree of freedom; 1 where the noise was taken from the residuals.
        correlation: number of points that one independent residual stands for.
    """

    position: Values
    area: Values
    gauss: Values
    lorentz: Values
    background: Values
    expected: Values
    log_likelihood: float
    spread: float
    correlation: float


class Search:
    """The spectrum, sorted by axis, with what every trial needs."""

    def __init__(
        self, x: Values, y: Values, *, noise: str, variance: Values | None, shape: str, order: int, resolution: float
    ):
        """Sort the points; `noise` is "poisson", "gaussian" (with `variance`) or "estimated"."""
        rising = np.argsort(x)
        self.x, self.y = x[rising], y[rising]
        self.noise, self.shape, self.order = noise, shape, order
        self.step = float(np.median(np.diff(self.x)))
        self.span = float(self.x[-1] - self.x[0])
        self.variance = np.ones_like(self.y) if variance is None else variance[rising]
        self.instrument = float(np.hypot(resolution, 1e-3 * self.step))
        self.powers = np.vander(2 * (self.x - self.x[0]) / self.span - 1, order + 1, increasing=True)

    def weights(self, expected: Values) -> Values:
        """Return one over the standard deviation of each point."""
        if self.noise == "poisson":
            return np.asarray(1.0 / np.sqrt(np.maximum(expected, 1.0)))
        return np.asarray(1.0 / np.sqrt(self.variance))

    def _model(self, p: Values, lines: int) -> tuple[Values, Values]:
        """Return the expected signal and its derivatives, shape (n, parameters).

        `p` holds positions, areas, log widths (Gaussian, then Lorentzian) and the background.
        """
        c, a, g, l = p[: 4 * lines].reshape(4, lines)
        own = np.exp(g) if self.shape != "lorentz" else np.zeros(lines)
        gauss = np.hypot(own, self.instrument)
        lorentz = np.exp(l) if self.shape != "gauss" else np.zeros(lines)
        s = gauss / FWHM_PER_SIGMA
        d = self.x[:, None] - c
        z = (d + 0.5j * lorentz) / (s * np.sqrt(2))
        w = wofz(z)
        dw = -2 * z * w + 2j / np.sqrt(np.pi)
        norm = 1 / (s * np.sqrt(2 * np.pi))
        v = norm * w.real
        slope_x = norm * dw.real / (s * np.sqrt(2))
        slope_s = -(v + norm * (dw * z).real) / s
        slope_l = norm * (dw * 0.5j).real / (s * np.sqrt(2))
        jac = np.concatenate(
            [-a * slope_x, v, a * slope_s / FWHM_PER_SIGMA * own**2 / gauss, a * slope_l * lorentz, self.powers], axis=1
        )
        return v @ a + self.powers @ p[4 * lines :], jac

    def _free(self, lines: int) -> NDArray[np.bool_]:
        free = np.ones(4 * lines + self.order + 1, dtype=bool)
        if self.shape == "lorentz":
            free[2 * lines : 3 * lines] = False
        if self.shape == "gauss":
            free[3 * lines : 4 * lines] = False
        return free

    def fit(self, lines: list[tuple[float, float, float]], background: Values, tries: int = 2) -> Found:
        """Fit lines given as (position, full width, height) together with the background.

        Args:
            lines: start values.
            background: shape (k,), start values.
            tries: rounds of weights, for counts.

        Returns:
            The fitted set, in the order given.
        """
        m = len(lines)
        at = np.array(lines).reshape(m, 3)
        own = np.sqrt(np.maximum(at[:, 1] ** 2 - self.instrument**2, (0.3 * at[:, 1]) ** 2))
        part = 1.0 if self.shape != "voigt" else 0.6
        p = np.concatenate([at[:, 0], at[:, 2] * at[:, 1] * 1.2, np.log(part * own), np.log(part * own), background])
        return self._polish(p, m, tries)

    def _polish(self, p: Values, m: int, tries: int) -> Found:
        free = self._free(m)
        narrow, wide = np.log(1e-3 * self.step), np.log(4 * self.span)
        expected = np.maximum(self.y, 1.0)
        if self.noise == "poisson":
            kernel = np.ones(min(5, self.y.size)) / min(5, self.y.size)
            expected = np.convolve(self.y, kernel, mode="same")
        for _ in range(tries if self.noise == "poisson" else 1):
            weight = self.weights(expected)
            size = np.linalg.norm(self._model(p, m)[1] * weight[:, None], axis=0)[free]
            size = np.where(size > 0, size, 1.0)

            def full(q: Values, scale: Values = size, base: Values = p) -> Values:
                out = base.copy()
                out[free] = q / scale
                out[2 * m : 4 * m] = np.clip(out[2 * m : 4 * m], narrow, wide)
                return out

            def residual(q: Values, weight: Values = weight) -> Values:
                return np.asarray((self._model(full(q), m)[0] - self.y) * weight)

            def slope(q: Values, weight: Values = weight, scale: Values = size) -> Values:
                return np.asarray(self._model(full(q), m)[1][:, free] * weight[:, None] / scale)

            if free.sum() < self.y.size:
                end = least_squares(residual, p[free] * size, slope, method="lm", ftol=1e-7, xtol=1e-7, max_nfev=60)
                p = full(end.x)
            expected = self._model(p, m)[0]
        c, a, g, l = p[: 4 * m].reshape(4, m)
        blank = np.zeros(m)
        return self._judged(
            Found(
                c,
                a,
                np.exp(g) if self.shape != "lorentz" else blank,
                np.exp(l) if self.shape != "gauss" else blank,
                p[4 * m :],
                expected,
                0.0,
                1.0,
                1.0,
            )
        )

    def _judged(self, found: Found) -> Found:
        residual = self.y - found.expected
        n, free = self.y.size, int(self._free(found.position.size).sum())
        z = residual * self.weights(found.expected)
        if self.noise == "poisson":
            mu = np.maximum(found.expected, 1e-30)
            log_likelihood = float(np.sum(xlogy(self.y, mu) - mu - gammaln(self.y + 1)))
        elif self.noise == "gaussian":
            log_likelihood = float(-0.5 * np.sum(z**2 + np.log(2 * np.pi * self.variance)))
        else:
            log_likelihood = float(-0.5 * n * (np.log(2 * np.pi * np.mean(residual**2) + 1e-300) + 1))
        spread = 1.0 if self.noise == "estimated" else float(np.sum(z**2) / max(n - free, 1))
        return replace(found, log_likelihood=log_likelihood, spread=spread, correlation=correlation_length(z, free))

    def without_lines(self) -> Found:
        """Return the background alone, fitted to all points."""
        return self.fit([], self.floor()[1])

    def floor(self) -> tuple[Values, Values]:
        """Return a background that runs below the lines, and its coefficients: a polynomial clipped from above."""
        keep = np.ones(self.y.size, dtype=bool)
        rest = self.y
        for _ in range(30):
            coefficients = np.linalg.lstsq(self.powers[keep], self.y[keep], rcond=None)[0]
            rest = self.y - self.powers @ coefficients
            noise = 1.4826 * np.median(np.abs(rest[keep] - np.median(rest[keep])))
            new = rest < 2.0 * noise
            if new.sum() < max(2 * self.order + 3, self.y.size // 10) or np.array_equal(new, keep):
                break
            keep = new
        return rest, np.asarray(coefficients, dtype=np.float64)

    def candidates(
        self, residual: Values, expected: Values, banned: list[tuple[float, float]]
    ) -> list[tuple[float, float, float]]:
        """Return what a matched filter finds in a residual, best first, as (position, full width, height)."""
        z = residual * self.weights(expected)
        found = []
        n = z.size
        widest = max(0.3 * n, 4.0)
        for width in np.geomspace(2.0, widest, max(2, int(np.ceil(2 * np.log2(widest / 2))) + 1)):
            half = int(min(np.ceil(1.5 * width), (n - 1) // 2))
            kernel = np.exp(-4 * np.log(2) * (np.arange(-half, half + 1) / width) ** 2)
            norm = np.sqrt(np.maximum(fftconvolve(np.ones(n), kernel**2, mode="same"), 1e-12))
            score = fftconvolve(z, kernel, mode="same") / norm
            for i in find_peaks(np.concatenate([[-np.inf], score, [-np.inf]]))[0] - 1:
                height = score[i] / norm[i] / self.weights(expected)[i]
                if not any(abs(self.x[i] - c) < reach for c, reach in banned) and height > 0:
                    found.append((float(score[i]), float(self.x[i]), float(width * self.step), float(height)))
        found.sort(reverse=True)
        distinct: list[tuple[float, float, float]] = []
        for _, c, w, h in found:
            if all(abs(c - c2) > 0.5 * max(w, w2) for c2, w2, _ in distinct):
                distinct.append((c, w, h))
            if len(distinct) == 3:
                break
        return distinct

    def widths(self, found: Found) -> Values:
        """Return each line's full width as observed."""
        gauss = np.hypot(found.gauss, self.instrument)
        return np.asarray(0.5346 * found.lorentz + np.sqrt(0.2166 * found.lorentz**2 + gauss**2))

    def heights(self, found: Found) -> Values:
        """Return each line's height."""
        s = np.hypot(found.gauss, self.instrument) / FWHM_PER_SIGMA
        return np.asarray(found.area * wofz(0.5j * found.lorentz / (s * np.sqrt(2))).real / (s * np.sqrt(2 * np.pi)))

    def grow(self, found: Found, strict: bool, guesses: tuple[float, ...] = ()) -> Found | None:
        """Return the best set with one line more, or a better one of the same size, or None where neither is found."""
        start = [*zip(found.position, self.widths(found), self.heights(found), strict=True)]
        if not start:
            rest, background = self.floor()
            expected = self.powers @ background
        else:
            rest, background, expected = self.y - found.expected, found.background, found.expected
        if guesses:
            c = guesses[0]
            near = [v for v in self.candidates(rest, expected, []) if abs(v[0] - c) < v[1]]
            width = near[0][1] if near else 0.05 * self.span
            height = max(float(rest[np.argmin(np.abs(self.x - c))]), 0.05 * float(np.ptp(self.y)))
            tried = [(c, width, height)]
        else:
            tried = self.candidates(rest, expected, [])
            if start and not strict:  # asked for more lines than stand out: share the widest one
                i = int(np.argmax(self.widths(found)))
                tried.append(
                    (
                        found.position[i] + 0.5 * self.widths(found)[i],
                        self.widths(found)[i],
                        0.5 * self.heights(found)[i],
                    )
                )
        best = None
        for line in tried:
            new = self._extended(found, line, background)
            fits = self.plausible(new) and not (strict and self._is_shape(new))
            if not fits and strict and found.position.size:
                # One line too many may still show the others their places: two lines that were taken for a wide one.
                same = self.pruned(new)
                if self.plausible(same) and not self._is_shape(same) and same.log_likelihood > found.log_likelihood + 5:
                    return same
            if fits and (best is None or new.log_likelihood > best.log_likelihood):
                best = new
                if not strict or new.log_likelihood > found.log_likelihood + 50:
                    break
        return best

    def plausible(self, found: Found) -> bool:
        """Whether the lines go up, lie on the axis and are not wider than twice the spectrum."""
        inside = (found.position > self.x[0] - self.step) & (found.position < self.x[-1] + self.step)
        return bool(np.all(found.area > 0) and np.all(inside) and np.all(self.widths(found) < 2 * self.span))

    def _extended(self, found: Found, line: tuple[float, float, float], background: Values) -> Found:
        """Return the fit that starts from the lines found, as they are, and one more."""
        m = found.position.size
        one = self.fit([line], background, tries=1) if not m else None
        if one is not None and np.all(one.area > 0):
            return self.fit([(one.position[0], self.widths(one)[0], self.heights(one)[0])], one.background)
        own = np.sqrt(max(line[1] ** 2 - self.instrument**2, (0.3 * line[1]) ** 2)) * (
            0.6 if self.shape == "voigt" else 1.0
        )
        tiny = 1e-3 * self.step
        p = np.concatenate(
            [
                np.append(found.position, line[0]),
                np.append(found.area, 1.2 * line[1] * line[2]),
                np.log(np.maximum(np.append(found.gauss, own), tiny)),
                np.log(np.maximum(np.append(found.lorentz, own), tiny)),
                background,
            ]
        )
        return self._polish(p, m + 1, 2)

    def pruned(self, found: Found) -> Found:
        """Return the best fit with one line less: without one of the two least significant, or the widest."""
        significance = self.heights(found) * np.sqrt(self.widths(found))
        drop = {*np.argsort(significance)[:2].tolist(), int(np.argmax(self.widths(found)))}
        tried = [self._without(found, i) for i in sorted(drop)]
        good = [t for t in tried if self.plausible(t)] or tried
        return max(good, key=lambda t: t.log_likelihood)

    def _without(self, found: Found, i: int) -> Found:
        keep = np.arange(found.position.size) != i
        gauss, lorentz = (np.log(np.maximum(w[keep], 1e-3 * self.step)) for w in (found.gauss, found.lorentz))
        p = np.concatenate([found.position[keep], found.area[keep], gauss, lorentz, found.background])
        return self._polish(p, int(keep.sum()), 2)

    def _is_shape(self, found: Found) -> bool:
        """Whether one of the lines is rather the imperfect shape of a strong neighbour."""
        width, height = self.widths(found), self.heights(found)
        for i in range(width.size):
            for j in range(width.size):
                near = abs(found.position[i] - found.position[j]) < 2 * width[j]
                if i != j and near and height[i] < _SATELLITE * height[j] and width[i] > 0.2 * width[j]:
                    return True
        # Wide and faint is background; narrower than a step is noise or a spike.
        wide = (width > 0.25 * self.span) & (height < _SATELLITE * height.max())
        return bool(np.any(wide) or np.any(width < self.step))

    def standing(self, found: Found) -> float:
        """Return how far the faintest line stands above the usual bumps of its own width in what is left over.

        Bumps are judged by their median size, which one misfit does not move; lines wider than a fifteenth of the
        spectrum have too few bumps to be judged by.
        """
        weight = self.weights(found.expected)
        z = (self.y - found.expected) * weight
        least = np.inf
        for c, width, height in zip(found.position, self.widths(found) / self.step, self.heights(found), strict=True):
            if width > z.size / 15:
                continue
            half = int(np.ceil(1.5 * width))
            kernel = np.exp(-4 * np.log(2) * (np.arange(-half, half + 1) / max(width, 1.0)) ** 2)
            norm = float(np.sqrt(np.sum(kernel**2)))
            bumps = float(np.median(np.abs(fftconvolve(z, kernel, mode="same")))) / 0.6745 / norm
            own = height * norm * weight[np.argmin(np.abs(self.x - c))]
            least = min(least, own / max(bumps, 1e-300))
        return float(least)

    def has_shoulder(self, found: Found) -> bool:
        """Whether the lines together have fewer maxima than lines."""
        lines = found.expected - self.powers @ found.background
        return find_peaks(np.concatenate([[-np.inf], lines, [-np.inf]]))[0].size < found.position.size

    def closeness(self, found: Found) -> float:
        """Return the least distance of two lines of like width, in widths of the narrower one (inf without a pair)."""
        order = np.argsort(found.position)
        c, w = found.position[order], self.widths(found)[order]
        narrow, wide = np.minimum(w[1:], w[:-1]), np.maximum(w[1:], w[:-1])
        near = np.where(wide < 4 * narrow, np.diff(c) / narrow, np.inf)
        return float(near.min()) if near.size else np.inf


def correlation_length(z: Values, free: int = 0) -> float:
    """Return how many points one independent residual stands for, 1 + 2 sum of autocorrelations (Sokal's window).

    Args:
        z: shape (n,), residuals in standard deviations, along the axis.
        free: parameters fitted, which make residuals of white noise look anticorrelated.

    Returns:
        1 for white noise.
    """
    n = z.size
    z = z - z.mean()
    power = float(z @ z)
    if n < 8 or power <= 0:
        return 1.0
    spectrum = np.abs(np.fft.rfft(z, 2 * n)) ** 2
    rho = np.fft.irfft(spectrum)[: n // 2] / power
    if rho[1] < 3.0 / np.sqrt(n):
        return 1.0
    total = 1.0
    for lag in range(1, rho.size):
        if rho[lag] < 2.0 / np.sqrt(n) or lag > 6 * total:
            break
        total += 2 * float(rho[lag]) * (1 - lag / n)
    return float(min(max(total, 1.0), n / 4))


def search(spectrum: Search, lines: int | None, guesses: tuple[float, ...] = ()) -> tuple[Found, list[dict[str, Any]]]:
    """Find the lines of a spectrum.

    Args:
        spectrum: the data.
        lines: how many; None: by evidence, up to `MOST`.
        guesses: positions to start from.

    Returns:
        The chosen set, and one row for each number of lines tried: lines, chi2_reduced, aic, bic, delta_bic, chosen.
    """
    tried = [spectrum.without_lines()]
    strict = lines is None
    missed = 0
    while len(tried) <= (MOST if lines is None else lines):
        new = spectrum.grow(tried[-1], strict, guesses[len(tried) - 1 : len(tried)])
        if new is None and not strict:
            step = spectrum.span / (lines or 1)
            height = 0.1 * float(np.ptp(spectrum.y)) + 1e-300
            new = spectrum._extended(
                tried[-1], (spectrum.x[0] + (len(tried) - 0.5) * step, 0.3 * step, height), tried[-1].background
            )
            new = replace(new, area=np.maximum(np.abs(new.area), 1e-6 * height * step))
            new = replace(new, position=np.clip(new.position, spectrum.x[0], spectrum.x[-1]))
        if new is None:
            break
        if new.position.size < len(tried):
            tried[-1] = new
            continue
        tried.append(new)
        if strict:
            # Two additions in a row that would not pass even for independent points end the search.
            missed = 0 if _bic(spectrum, new, 1.0) < _bic(spectrum, tried[-2], 1.0) else missed + 1
            if missed == 2 or spectrum.y.size < 4 * (len(tried) + 1) + spectrum.order + 1:
                break
    if strict:  # backwards as well: a set that stopped short of its minimum must not make one line more look better
        for i in range(len(tried) - 2, 0, -1):
            back = spectrum.pruned(tried[i + 1])
            if back.log_likelihood > tried[i].log_likelihood and spectrum.plausible(back):
                tried[i] = back
    richest = _trusted(spectrum, tried if missed < 2 else tried[:-2])
    shares = max(richest.correlation, 1.0) * _spread(spectrum, richest)
    bic = [_bic(spectrum, t, shares) for t in tried]
    near = [spectrum.closeness(t) for t in tried]
    blended = [c < _BLEND for c in near]
    chosen = len(tried) - 1
    if lines is None:
        asked = [b + _SHOULDER * spectrum.has_shoulder(t) for b, t in zip(bic, tried, strict=True)]
        asked = [np.inf if mixed else b for b, mixed in zip(asked, blended, strict=True)]
        asked = [a if spectrum.standing(t) > _STANDING else np.inf for a, t in zip(asked, tried, strict=True)]
        chosen = next(i for i, b in enumerate(asked) if b <= min(asked) + DECISIVE)
    rows: list[dict[str, Any]] = [
        {
            "lines": i,
            "chi2_reduced": t.spread if spectrum.noise != "estimated" else None,
            "aic": 2.0 * _size(spectrum, t) - 2.0 * t.log_likelihood / shares,
            "bic": b,
            "delta_bic": b - bic[chosen],
            "chosen": i == chosen,
            "blended": blended[i],
            "points_per_independent_residual": shares,
        }
        for i, (t, b) in enumerate(zip(tried, bic, strict=True))
    ]
    return tried[chosen], rows


def _trusted(spectrum: Search, tried: list[Found]) -> Found:
    """Return the richest set that leaves residuals to judge noise by: six independent ones for each parameter."""
    for found in reversed(tried[1:]):
        if found.correlation < 1.5 or 6 * _size(spectrum, found) <= spectrum.y.size / found.correlation:
            return found
    return tried[min(1, len(tried) - 1)]


def _spread(spectrum: Search, found: Found) -> float:
    """Return the spread of the residuals, or 1 where it is one within its own scatter."""
    inverse = np.mean(1 / np.maximum(found.expected, 0.05)) if spectrum.noise == "poisson" else 0.0
    scatter = 5 * float(np.sqrt((2 + inverse) / spectrum.y.size))
    return 1.0 if abs(found.spread - 1) < scatter else max(found.spread, 0.02)


def _size(spectrum: Search, found: Found) -> int:
    return int(spectrum._free(found.position.size).sum()) + (spectrum.noise == "estimated")


def _bic(spectrum: Search, found: Found, shares: float) -> float:
    points = max(spectrum.y.size / shares, 2.0)
    return float(_size(spectrum, found) * np.log(points) - 2.0 * found.log_likelihood / shares)
