"""What a reader must be told about a fit of a pattern: detection limits, foreign lines, what the errors leave out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.signal import find_peaks

from perolas.core.estimate import Estimate, Quantity
from perolas.measurements.xrd.model import Xrd
from perolas.measurements.xrd.prepare import Prepared

SIGMAS = 3.0  # a phase is seen from this many standard errors of its area on
_ONE_SIDED = 1.6449  # 95 % of a normal law
POOR = 1.5  # reduced chi-square from which the errors are too small to be believed
_FOREIGN_SIGMA = 8.0
_FOREIGN_SHARE = 0.01  # of the highest point above the background
MOST_FOREIGN = 20


def with_limits(estimate: Estimate) -> Estimate:
    """Add the detection limit of each phase, and the upper limit of those that stay below it.

    An area is never negative, so a weight fraction at or near zero has no symmetric error. Its upper limit is what
    95 % of such fits would keep above the truth: the fraction and 1.645 standard errors of the area.
    """
    found: Xrd = estimate.fitted()[0]
    if len(found.phases) < 2:
        return estimate
    per_area = np.asarray(found.weight_per_area * found.volumes_nm3())
    total = float(np.sum(per_area * np.asarray(found.area)))
    added = dict(estimate.added)
    for i, name in enumerate(found.phases):
        if f"area_{name}" in estimate.names:
            area = estimate[f"area_{name}"]
            share = float(area.std * per_area[i] / total)
            added[f"detection_limit_{name}"] = Quantity(
                SIGMAS * share, 0.0, "1", "weight fraction at which the area of the phase is three standard errors"
            )
            if area.value < SIGMAS * area.std:
                added[f"upper_limit_{name}"] = Quantity(
                    float(area.value * per_area[i] / total) + _ONE_SIDED * share,
                    0.0,
                    "1",
                    "weight fraction that the phase does not exceed, at 95 % (one-sided)",
                )
    return dataclasses.replace(estimate, added=added)


def foreign_lines(
    axis: np.ndarray, signal: np.ndarray, expected: np.ndarray, weight: np.ndarray, known: np.ndarray, fwhm: np.ndarray
) -> list[dict[str, float]]:
    """Return lines that no phase of the fit explains.

    Args:
        axis: shape (n,), two theta in degrees.
        signal: shape (n,).
        expected: shape (n,).
        weight: shape (n,), inverse variance.
        known: shape (l,), positions of the lines that are explained, degrees.
        fwhm: shape (l,), their full widths.

    Returns:
        For each: two_theta_deg, height, sigma; by falling sigma.
    """
    width = float(np.median(fwhm)) if fwhm.size else 0.2
    step = float(np.median(np.diff(axis)))
    many = max(round(width / step), 1)
    kernel = np.ones(many)
    norm = np.convolve(weight, kernel, "same")
    rest = np.convolve((signal - expected) * weight, kernel, "same") / norm
    top = float(np.max(signal) - np.median(signal))
    # Prominence, not height: where the phases are not all named, the background goes astray.
    peaks, shape = find_peaks(rest, prominence=_FOREIGN_SHARE * top)
    found: list[dict[str, float]] = []
    for i, prominence in zip(peaks, shape["prominences"], strict=True):
        sigma = float(prominence * np.sqrt(norm[i]))
        near = known.size and np.any(np.abs(known - axis[i]) < np.maximum(2.5 * fwhm, 2 * step))
        if sigma > _FOREIGN_SIGMA and not near:
            found.append({"two_theta_deg": float(axis[i]), "height": float(prominence), "sigma": sigma})
    return sorted(found, key=lambda line: -line["sigma"])[:MOST_FOREIGN]


def unexplained(failure: str, start: Xrd, data: Prepared) -> str:
    """Return why a fit failed, and which lines the phases leave over where that is the likely cause.

    Args:
        failure: what the solver says.
        start: the pattern where the fit began, the best of a search.
        data: what was fitted.

    Returns:
        A sentence.
    """
    position, area, fwhm, _ = (np.asarray(p) for p in start.sticks())
    strong = area.reshape(-1) > 1e-3 * float(np.max(area, initial=1e-300))
    expected = np.asarray(start.expected())
    narrow = np.minimum(fwhm.reshape(-1)[strong], 0.3)  # a search for what is not there ends at broad lines
    left = foreign_lines(data.axis, data.signal, expected, data.weight, position.reshape(-1)[strong], narrow)
    poor = float(np.mean(data.weight * (data.signal - expected) ** 2)) > 3 * POOR
    if not left and not poor:
        return failure
    where = ", ".join(f"{line['two_theta_deg']:.2f}" for line in sorted(left[:6], key=lambda f: f["two_theta_deg"]))
    lines = f"; lines near {where} degrees are none of theirs" if left else ""
    return (
        f"The phases named do not describe this pattern, so no fit of it converged{lines}: name other phases, or rank "
        "candidates first."
    )


def with_story(estimate: Estimate, notes: list[str], weight: np.ndarray, held: list[str]) -> Estimate:
    """Add notes, warnings, foreign lines and detection limits to a fit of one pattern."""
    estimate = with_limits(estimate)
    found: Xrd = estimate.fitted()[0]
    position, area, fwhm, _ = (np.asarray(p) for p in found.sticks())
    strong = area.reshape(-1) > 1e-3 * float(np.max(area, initial=1e-300))
    axis = np.asarray(found.axis)
    foreign = foreign_lines(
        axis,
        estimate.signal,
        estimate.expected,
        weight,
        position.reshape(-1)[strong],
        fwhm.reshape(-1)[strong],
    )
    warnings, said = list(estimate.warnings), [*notes, *estimate.notes]
    if held:
        said.append(
            "Too weak for a cell and a size of its own (which would turn into background), so these are held: "
            f"{', '.join(held)}; only the area is fitted, and the detection limit holds for these."
        )
    below = [f"{n} below {estimate[k].value:.2g}" for n in found.phases if (k := f"upper_limit_{n}") in estimate.added]
    if below:
        said.append(f"Not seen: {', '.join(below)} of the weight (95 %).")
    if np.isfinite(estimate.chi2_reduced) and estimate.chi2_reduced > POOR:
        warnings.append(
            f"The model does not describe the counts to their noise (reduced chi-square {estimate.chi2_reduced:.2f}): "
            f"structures, profile or phases differ from the sample's. Errors hold for counting alone; take them "
            f"{np.sqrt(estimate.chi2_reduced):.1f} times larger at least."
        )
    if foreign:
        where = ", ".join(f"{line['two_theta_deg']:.2f}" for line in sorted(foreign, key=lambda f: f["two_theta_deg"]))
        warnings.append(f"Lines that none of the phases explains, near {where} degrees.")
    extra: dict[str, Any] = estimate.extra | {
        "foreign_lines": foreign,
        "instrument": _instrument(found),
        "lines": {name: int(np.sum(np.asarray(found.line_phase) == i)) for i, name in enumerate(found.phases)},
    }
    return dataclasses.replace(estimate, warnings=tuple(warnings), notes=tuple(said), extra=extra)


def _instrument(found: Xrd) -> dict[str, Any]:
    from perolas.measurements.xrd.instrument import Instrument

    names = [f.name for f in dataclasses.fields(Instrument) if f.name != "wavelengths_nm"]
    values = {n: float(getattr(found, n)) for n in names}
    return Instrument(wavelengths_nm=tuple(float(w) for w in found.wavelength_nm), **values).to_json()
