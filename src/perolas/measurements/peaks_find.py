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

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.signal import fftconvolve, find_peaks

from perolas.measurements.evidence import DECISIVE
from perolas.measurements.peaks_search import Found, Line, Search

MOST = 8  # lines that "auto" goes up to
_BLEND = 0.6  # of a width: lines closer than this are one line to us, unless their number is asked for
_SHOULDER = 15.0  # a line without a maximum of its own must win by this much more
_STANDING = 5.0  # times the usual bump: what a line must be higher than
_SATELLITE = 0.06  # of a strong line's height: below this a smooth neighbour is taken for its shape


def search(spectrum: Search, lines: int | None, guesses: tuple[float, ...] = ()) -> tuple[Found, list[dict[str, Any]]]:
    """Find the lines of a spectrum.

    Args:
        spectrum: the data.
        lines: how many; None: by evidence, up to `MOST`.
        guesses: positions to start from.

    Returns:
        The chosen set, and one row for each number of lines tried: lines, chi2_reduced, aic, bic, delta_bic, chosen.
    """
    tried, last = (_asked_for(spectrum, lines, guesses), None) if lines else _by_evidence(spectrum)
    richest = _trusted(spectrum, tried[:last])
    shares = max(richest.correlation, 1.0) * _spread(spectrum, richest)
    bic = [_bic(spectrum, t, shares) for t in tried]
    blended = [closeness(spectrum, t) < _BLEND for t in tried]
    chosen = len(tried) - 1
    if lines is None:
        asked = [b + _SHOULDER * has_shoulder(spectrum, t) for b, t in zip(bic, tried, strict=True)]
        asked = [np.inf if mixed else b for b, mixed in zip(asked, blended, strict=True)]
        asked = [a if standing(spectrum, t) > _STANDING else np.inf for a, t in zip(asked, tried, strict=True)]
        chosen = next(i for i, b in enumerate(asked) if b <= min(asked) + DECISIVE)
    rows: list[dict[str, Any]] = [
        {
            "lines": t.position.size,
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


def _by_evidence(spectrum: Search) -> tuple[list[Found], int | None]:
    """Return a set for each number of lines worth trying, and how many of them (from the first) gained anything."""
    tried = [spectrum.without_lines()]
    templates = spectrum.templates(MOST)
    missed = replaced = 0
    while (size := tried[-1].position.size) < MOST and replaced < 2 * MOST and missed < 2:
        if size and spectrum.y.size < 4 * (size + 2) + spectrum.order + 1:
            break
        new = _step(spectrum, tried[-1], templates)
        if new is None:
            break
        if new.position.size == size:
            tried[-1] = new
            replaced += 1
            continue
        tried.append(new)
        # Two additions in a row that would not pass even for independent points end the search.
        missed = 0 if _bic(spectrum, new, 1.0) < _bic(spectrum, tried[-2], 1.0) else missed + 1
    # Backwards as well: a set that stopped short of its minimum must not make one line more look better.
    for i in range(len(tried) - 2, 0, -1):
        back = pruned(spectrum, tried[i + 1])
        if (
            back.position.size == tried[i].position.size
            and back.log_likelihood > tried[i].log_likelihood
            and plausible(spectrum, back)
        ):
            tried[i] = back
    return tried, -2 if missed == 2 else None


def _step(spectrum: Search, found: Found, templates: list[Line]) -> Found | None:
    """Return the best set with one line more (or, failing that, several), or a better one of the same size, or None."""
    best = _from_templates(spectrum, found, templates[: found.position.size + 1])
    for i, line in enumerate(_proposed(spectrum, found)):
        new = spectrum.extended(found, line, found.background if found.position.size else spectrum.floor()[1])
        if _fits(spectrum, new):
            if best is None or new.log_likelihood > best.log_likelihood:
                best = new
            if new.log_likelihood > found.log_likelihood + 50:
                break
        elif i == 0 and best is None and found.position.size:
            # One line too many may still show the others their places: two lines that were taken for a wide one.
            same = pruned(spectrum, new)
            if _fits(spectrum, same) and same.log_likelihood > found.log_likelihood + 5:
                return same
    for size in range(found.position.size + 2, len(templates) + 1):  # some lines do nothing until others are there
        best = best or _from_templates(spectrum, found, templates[:size])
    return best


def _fits(spectrum: Search, found: Found) -> bool:
    return plausible(spectrum, found) and not is_shape(spectrum, found)


def _from_templates(spectrum: Search, found: Found, templates: list[Line]) -> Found | None:
    """Return the fit that starts from templates alone, where they are more than there were and it is a better one."""
    if len(templates) <= found.position.size:
        return None
    new = spectrum.fit(templates, spectrum.floor()[1])
    return new if _fits(spectrum, new) and new.log_likelihood > found.log_likelihood else None


def _proposed(spectrum: Search, found: Found) -> list[Line]:
    """Return lines that could be added to a set."""
    if found.position.size:
        return spectrum.candidates(spectrum.y - found.expected, found.expected)
    rest, background = spectrum.floor()
    return spectrum.candidates(rest, spectrum.powers @ background)


def _asked_for(spectrum: Search, lines: int, guesses: tuple[float, ...]) -> list[Found]:
    """Return the background alone and the best set of the number of lines that was asked for."""
    ground = spectrum.without_lines()
    rest, background = spectrum.floor()
    if guesses:
        return [ground, spectrum.fit([_at(spectrum, rest, c) for c in guesses], background)]
    found, _ = _by_evidence(spectrum)
    same = [t for t in found if t.position.size == lines]
    if same:
        best = same[0]
    else:
        best = max((t for t in found if t.position.size < lines), key=lambda t: t.position.size)
        while best.position.size < lines:
            best = _forced(spectrum, best)
    for _ in range(3):  # one line more, taken away again, may lead to a better place
        more = _proposed(spectrum, best)[:1]
        new = pruned(spectrum, spectrum.extended(best, more[0], best.background)) if more else best
        if not plausible(spectrum, new) or new.log_likelihood < best.log_likelihood + 2:
            break
        best = new
    return [ground, best]


def _at(spectrum: Search, rest: np.ndarray, position: float) -> Line:
    """Return a line at a position that was asked for, as high as what is there."""
    near = [v for v in spectrum.candidates(rest, np.maximum(spectrum.y - rest, 1.0)) if abs(v[0] - position) < v[1]]
    height = max(float(rest[np.argmin(np.abs(spectrum.x - position))]), 0.05 * float(np.ptp(spectrum.y)))
    return position, near[0][1] if near else 0.05 * spectrum.span, height


def _forced(spectrum: Search, found: Found) -> Found:
    """Return the set with one line more, wherever it does best, though nothing stands out: it was asked for."""
    tried = _proposed(spectrum, found)
    if found.position.size:
        i = int(np.argmax(spectrum.widths(found)))
        c, w, h = float(found.position[i]), float(spectrum.widths(found)[i]), float(spectrum.heights(found)[i])
        tried.append((c + 0.5 * w, w, 0.5 * h))
    middle = 0.5 * float(spectrum.x[0] + spectrum.x[-1])
    tried.append((middle, 0.1 * spectrum.span, 0.1 * float(np.ptp(spectrum.y))))
    sets = [spectrum.extended(found, line, found.background) for line in tried]
    good = [s for s in sets if plausible(spectrum, s)]
    if good:
        return max(good, key=lambda s: s.log_likelihood)
    new = sets[0]
    least = 1e-6 * float(np.ptp(spectrum.y)) * spectrum.step
    inside = np.clip(new.position, spectrum.x[0], spectrum.x[-1])
    return replace(new, area=np.maximum(np.abs(new.area), least), position=inside)


def pruned(spectrum: Search, found: Found) -> Found:
    """Return the best fit with one line less: without one of the two least significant, or the widest."""
    significance = spectrum.heights(found) * np.sqrt(spectrum.widths(found))
    drop = {*np.argsort(significance)[:2].tolist(), int(np.argmax(spectrum.widths(found)))}
    tried = [spectrum.without(found, i) for i in sorted(drop)]
    good = [t for t in tried if plausible(spectrum, t)] or tried
    return max(good, key=lambda t: t.log_likelihood)


def plausible(spectrum: Search, found: Found) -> bool:
    """Whether the lines go up, lie on the axis and are not wider than twice the spectrum."""
    inside = (found.position > spectrum.x[0] - spectrum.step) & (found.position < spectrum.x[-1] + spectrum.step)
    return bool(np.all(found.area > 0) and np.all(inside) and np.all(spectrum.widths(found) < 2 * spectrum.span))


def is_shape(spectrum: Search, found: Found) -> bool:
    """Whether one of the lines is rather the imperfect shape of a strong neighbour."""
    width, height = spectrum.widths(found), spectrum.heights(found)
    for i in range(width.size):
        for j in range(width.size):
            near = abs(found.position[i] - found.position[j]) < 2 * width[j]
            if i != j and near and height[i] < _SATELLITE * height[j] and width[i] > 0.2 * width[j]:
                return True
    # Wide and faint is background; narrower than a step is noise or a spike.
    wide = (width > 0.25 * spectrum.span) & (height < _SATELLITE * height.max())
    return bool(np.any(wide) or np.any(width < spectrum.step))


def standing(spectrum: Search, found: Found) -> float:
    """Return how far the faintest line stands above the usual bumps of its own width in what is left over.

    Bumps are judged by their median size, which one misfit does not move; lines wider than a fifteenth of the
    spectrum have too few bumps to be judged by.
    """
    weight = spectrum.weights(found.expected)
    z = (spectrum.y - found.expected) * weight
    least = np.inf
    for c, width, height in zip(
        found.position, spectrum.widths(found) / spectrum.step, spectrum.heights(found), strict=True
    ):
        if width > z.size / 15:
            continue
        half = int(np.ceil(1.5 * width))
        kernel = np.exp(-4 * np.log(2) * (np.arange(-half, half + 1) / max(width, 1.0)) ** 2)
        norm = float(np.sqrt(np.sum(kernel**2)))
        bumps = float(np.median(np.abs(fftconvolve(z, kernel, mode="same")))) / 0.6745 / norm
        own = height * norm * weight[np.argmin(np.abs(spectrum.x - c))]
        least = min(least, own / max(bumps, 1e-300))
    return float(least)


def has_shoulder(spectrum: Search, found: Found) -> bool:
    """Whether the lines together have fewer maxima than lines."""
    lines = found.expected - spectrum.powers @ found.background
    return find_peaks(np.concatenate([[-np.inf], lines, [-np.inf]]))[0].size < found.position.size


def closeness(spectrum: Search, found: Found) -> float:
    """Return the least distance of two lines of like width, in widths of the narrower one (inf without a pair)."""
    order = np.argsort(found.position)
    c, w = found.position[order], spectrum.widths(found)[order]
    narrow, wide = np.minimum(w[1:], w[:-1]), np.maximum(w[1:], w[:-1])
    near = np.where(wide < 4 * narrow, np.diff(c) / narrow, np.inf)
    return float(near.min()) if near.size else np.inf


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
    return int(spectrum.free(found.position.size).sum()) + (spectrum.noise == "estimated")


def _bic(spectrum: Search, found: Found, shares: float) -> float:
    points = max(spectrum.y.size / shares, 2.0)
    return float(_size(spectrum, found) * np.log(points) - 2.0 * found.log_likelihood / shares)
