"""Numbers as people write them: a value with its error to two digits, and the table of an estimate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate


def with_error(value: float | None, std: float | None) -> str:
    """Return e.g. ``"3.612 ± 0.014"``: the error to two digits, the value to the same place.

    Args:
        value: the number; None or not finite is shown as a dash.
        std: its standard error; None: unknown; inf: undetermined.

    Returns:
        The text.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if std is None or not math.isfinite(std):
        return f"{value:.5g} ± ∞ (undetermined)"
    if std <= 1e-12 * abs(value):  # exact, but for rounding
        return f"{value:.6g}"
    largest = max(abs(value), std)
    places = 1 - math.floor(math.log10(std))
    if largest >= 1e6 or largest < 1e-4:
        power = math.floor(math.log10(largest))
        digits = max(0, power + places)
        return f"({value / 10**power:.{digits}f} ± {std / 10**power:.{digits}f})e{power}"
    return f"{value:.{max(0, places)}f} ± {std:.{max(0, places)}f}"


def estimate_text(estimate: Estimate) -> str:
    """Return an estimate as a table with its story: how it was fitted, how well, and what stays open."""
    if estimate.batch_shape:
        good = int((estimate.result == "converged").sum())
        return f"{estimate.technique}: {estimate.batch_shape[0]} fits, {good} converged; see .element(i)"
    chi2 = float(estimate.chi2_reduced)
    silent = "noise taken from the residuals" if estimate.scale_is_estimated else "nothing left to test the fit with"
    quality = f"reduced chi-square {chi2:.3f}" if math.isfinite(chi2) else silent
    lines = [
        f"{estimate.technique}: {estimate.result} after {int(estimate.steps)} steps, {estimate.n_points} points, "
        f"{estimate.n_free} free parameters, {quality}"
    ]
    if estimate.starts[1] > 1:
        lines.append(f"{estimate.starts[0]} of {estimate.starts[1]} starting points ended here")
    width = max(len(n) for n in estimate.quantities)
    for name, q in estimate.quantities.items():
        unit = "" if q.unit == "1" else q.unit
        lines.append(f"  {name:<{width}}  {with_error(q.value, q.std)} {unit}".rstrip())
    held = [f"{n} = {q.value:.6g} {'' if q.unit == '1' else q.unit}".rstrip() for n, q in estimate.fixed.items()]
    if held:
        lines.append(f"  held: {', '.join(held)}")
    lines.extend(estimate.notes)
    lines.extend(f"Warning: {w}" for w in estimate.warnings)
    if estimate.undetermined_sentence:
        lines.append(estimate.undetermined_sentence)
    return "\n".join(lines)
