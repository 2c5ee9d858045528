r"""What a Raman spectrum could show: the least shift and change of an intensity ratio, from counts and widths.

Cramer and Rao: no unbiased estimate is better than the inverse Fisher matrix of the spectrum's counts. For a Lorentzian
line of full width w and N counts without background the position's part of it gives

.. math:: \sigma = w / \sqrt{2 N},

and background, neighbours, pixels and the spectrometer's own width make it larger: `limits` takes all of them from the
model. Between two spectra alike a difference has :math:`\sqrt 2` of that error, and is found with 95 % certainty, and
not by chance with 95 %, from 3.29 of its errors on (Currie). An axis that may drift adds to a shift, not to a ratio.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np

from perolas.core import check
from perolas.core.parameter import replace, slots
from perolas.core.sharing import fisher_of
from perolas.measurements.raman.model import Raman, expected_of, of_phases
from perolas.measurements.raman.modes import modes

FOUND = 3.29  # standard errors: 1.645 against chance, 1.645 against missing it


@dataclasses.dataclass(frozen=True)
class Limits:
    """What could be found between two spectra alike.

    Attributes:
        position_std: of each line, cm-1, from the counts of one spectrum.
        shift: least shift of each line that would be found, cm-1, the axis standing still.
        shift_with_drift: the same where the axis may drift.
        area_ratio_std: relative standard error of each line's area over that of the first (0 for that one).
        ratio: least relative change of that ratio that would be found.
    """

    position_std: tuple[float, ...]
    shift: tuple[float, ...]
    shift_with_drift: tuple[float, ...]
    area_ratio_std: tuple[float, ...]
    ratio: tuple[float, ...]


def lorentzian_position_std(counts: float, fwhm: float) -> float:
    """Return the least standard error of a Lorentzian line's position: fwhm / sqrt(2 counts).

    Args:
        counts: in the line, without background.
        fwhm: full width, cm-1.

    Returns:
        cm-1.

    Raises:
        InputError: a number that is not positive.

    Source: Fisher information of a Cauchy law's location, 1 / (2 (fwhm/2)^2) for each count.
    """
    return check.positive(fwhm, "fwhm", "cm-1") / math.sqrt(2.0 * check.positive(counts, "counts"))


def limits(model: Raman, free: Iterable[str] | None = None, drift_nm: float = 0.0) -> Limits:
    """Return what two spectra like a model's could show.

    Args:
        model: the spectrum, with its noise.
        free: names of what is not known; None: the table's choice.
        drift_nm: standard deviation of the axis's drift between the two.

    Returns:
        The limits.

    Raises:
        InputError: a name that there is not.
    """
    names = [s.name for s in slots(model, "measurement") if s.free] if free is None else list(free)
    fisher, names = fisher_of(model, names)
    size = np.sqrt(np.maximum(np.diag(fisher), 1e-300))
    covariance = np.linalg.pinv(np.asarray(fisher) / np.outer(size, size)) / np.outer(size, size)
    count = int(model.position_cm1.shape[-1])
    place = [names.index(f"position_{i + 1}") for i in range(count)]
    area = [names.index(f"area_{i + 1}") for i in range(count)]
    std = np.sqrt(np.diag(covariance)[place])
    relative = covariance[np.ix_(area, area)] / np.outer(model.area, model.area)
    ratio = [math.sqrt(max(relative[0, 0] + relative[i, i] - 2.0 * relative[0, i], 0.0)) for i in range(count)]
    laser = float(model.laser_nm)
    per_nm = 1e7 / (1e7 / (1e7 / laser - np.asarray(model.position_cm1))) ** 2
    both = math.sqrt(2.0) * std
    return Limits(
        tuple(std.tolist()), tuple((FOUND * both).tolist()),
        tuple((FOUND * np.hypot(both, per_nm * check.positive(drift_nm, "drift", "nm", zero=True))).tolist()),
        tuple(ratio), tuple(FOUND * math.sqrt(2.0) * r for r in ratio),
    )  # fmt: skip


def planned(
    counts: float, resolution: float = 2.0, *, phase: str = "CsPbBr3", ground: float = 0.1, step: float = 0.5,
    laser_nm: float = 785.0, drift_nm: float = 0.0,
) -> Limits:  # fmt: skip
    """Return what spectra of a phase could show, before they are taken.

    Args:
        counts: in the highest pixel.
        resolution: full width of the spectrometer's own line, cm-1; known.
        phase: whose lines.
        ground: background over the highest line.
        step: distance of points, cm-1.
        laser_nm: wavelength of the laser.
        drift_nm: standard deviation of the axis's drift between two spectra.

    Returns:
        The limits of its lines in rising order.

    Raises:
        InputError: a number that is not positive.
    """
    check.positive(counts, "counts")
    lines = modes(phase)
    model = of_phases(
        (phase,), resolution_cm1=check.positive(resolution, "resolution", "cm-1", zero=True), laser_nm=laser_nm,
        background=np.zeros(3), axis_values=np.arange(max(5.0, lines[0].position.value - 45.0),
                                                      lines[-1].position.value + 60.0, step),
    )  # fmt: skip
    top = float(np.max(expected_of(model)))
    model = replace(model, background=jnp.asarray([check.positive(ground, "ground", zero=True) * top, 0.0, 0.0]))
    factor = counts / float(np.max(expected_of(model)))
    return limits(replace(model, area=model.area * factor, background=model.background * factor), drift_nm=drift_nm)
