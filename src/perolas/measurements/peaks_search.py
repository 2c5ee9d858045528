"""Least squares of lines in numpy, and the matched filter that proposes them: the quick half of `peaks_find`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.signal import fftconvolve, find_peaks
from scipy.special import gammaln, wofz, xlogy

from perolas.core.units import FWHM_PER_SIGMA

Values = NDArray[np.float64]
Line = tuple[float, float, float]  # position, full width, height


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
        self._last: tuple[Values, tuple[Values, Values]] = (np.zeros(0), (self.y, self.y))
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
        if np.array_equal(p, self._last[0]):  # the solver asks for the signal and its derivatives one after the other
            return self._last[1]
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
        self._last = (p.copy(), (v @ a + self.powers @ p[4 * lines :], jac))
        return self._last[1]

    def free(self, lines: int) -> NDArray[np.bool_]:
        """Return which parameters of `lines` lines vary, in the order of `_model`."""
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
        free = self.free(m)
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
        n, free = self.y.size, int(self.free(found.position.size).sum())
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

    def candidates(self, residual: Values, expected: Values, most: int = 3) -> list[Line]:
        """Return what a matched filter finds in a residual, best first, each as (position, full width, height)."""
        z = residual * self.weights(expected)
        n, found = z.size, []
        widest = max(0.3 * n, 4.0)
        for width in np.geomspace(2.0, widest, max(2, int(np.ceil(2 * np.log2(widest / 2))) + 1)):
            half = int(min(np.ceil(1.5 * width), (n - 1) // 2))
            kernel = np.exp(-4 * np.log(2) * (np.arange(-half, half + 1) / width) ** 2)
            norm = np.sqrt(np.maximum(fftconvolve(np.ones(n), kernel**2, mode="same"), 1e-12))
            score = fftconvolve(z, kernel, mode="same") / norm
            height = score / norm / self.weights(expected)
            for i in find_peaks(np.concatenate([[-np.inf], score, [-np.inf]]))[0] - 1:
                if height[i] > 0:
                    found.append((float(score[i]), float(self.x[i]), float(width * self.step), float(height[i])))
        found.sort(reverse=True)
        distinct: list[Line] = []
        for _, c, w, h in found:
            if all(abs(c - c2) > 0.5 * max(w, w2) for c2, w2, _ in distinct):
                distinct.append((c, w, h))
            if len(distinct) == most:
                break
        return distinct

    def templates(self, most: int) -> list[Line]:
        """Return lines found one after the other by taking the best Gaussian template off, nothing being fitted."""
        rest, background = self.floor()
        expected, found = self.powers @ background, []
        for _ in range(most):
            best = self.candidates(rest, expected, 1)
            if not best:
                break
            c, w, h = best[0]
            found.append(best[0])
            line = h * np.exp(-4 * np.log(2) * ((self.x - c) / w) ** 2)
            rest, expected = rest - line, expected + line
        return found

    def widths(self, found: Found) -> Values:
        """Return each line's full width as observed."""
        gauss = np.hypot(found.gauss, self.instrument)
        return np.asarray(0.5346 * found.lorentz + np.sqrt(0.2166 * found.lorentz**2 + gauss**2))

    def heights(self, found: Found) -> Values:
        """Return each line's height."""
        s = np.hypot(found.gauss, self.instrument) / FWHM_PER_SIGMA
        return np.asarray(found.area * wofz(0.5j * found.lorentz / (s * np.sqrt(2))).real / (s * np.sqrt(2 * np.pi)))

    def extended(self, found: Found, line: tuple[float, float, float], background: Values) -> Found:
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

    def without(self, found: Found, i: int) -> Found:
        """Return the fit without line `i`, started from the others as they are."""
        keep = np.arange(found.position.size) != i
        gauss, lorentz = (np.log(np.maximum(w[keep], 1e-3 * self.step)) for w in (found.gauss, found.lorentz))
        p = np.concatenate([found.position[keep], found.area[keep], gauss, lorentz, found.background])
        return self._polish(p, int(keep.sum()), 2)


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
