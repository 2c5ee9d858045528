"""Composition: ratios of elements from photoelectron areas (XPS) or X-ray lines (EDS), and the phases they leave open.

`model` has the equation of the lines, `prepare` the door, `phases` the mixtures, `words` what is said about them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.noise import Poisson
from perolas.core.observation import make_observation
from perolas.core.parameter import replace, slots, table, write_slots
from perolas.measurements.composition.model import Composition
from perolas.measurements.composition.phases import unmix
from perolas.measurements.composition.prepare import METHODS, Lines, lines_of, model, stated_factor
from perolas.measurements.composition.words import with_phases, with_recipe, with_story

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Composition", "example", "fit", "simulate", "unmix"]

PARAMETERS = table(Composition)
PARAMETERS_USED: tuple[str, ...] = (
    *(f"xps_sensitivity.{n}" for n in ("Cs 3d", "Pb 4f", "Br 3d")),
    *(f"eds_sensitivity.{n}" for n in ("Cs L", "Pb M", "Br K")),
    "xps.tilt", "xps.attenuation_length", "xps.attenuation_exponent", "xps.share_error", "eds.standardless_error",
    "composition.area_error",
)  # fmt: skip
REFERENCES: tuple[str, ...] = ("scofield1976",)

_USUAL = {"xps": ("Cs 3d", "Pb 4f", "Br 3d"), "eds": ("Cs L", "Pb M", "Br K")}
_PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr", "PbBr2")


def fit(
    observation: xr.Dataset,
    *,
    method: str = "xps",
    phases: Sequence[str] = (),
    recipe: str | None = None,
    factor_error: float | None = None,
    area_error: float | None = None,
    tilt_error: float | None = None,
    overlayer: str | float | None = None,
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate ratios of elements and shares of phases from areas, counts or shares of lines.

    Args:
        observation: values on ``line`` with the names of the lines among its conditions (`perolas.io` reads tables).
        method: ``"xps"`` or ``"eds"``.
        phases: formulas to look for; none: Cs4PbBr6, CsPbBr3, CsBr and PbBr2 where only their elements were measured.
        recipe: file of a recipe (or its TOML text) to compare with.
        factor_error: relative standard error of every sensitivity factor; None: that of the file or of the library.
        area_error: relative standard error of every value; None: that of the file, of counting, or of the library.
        tilt_error: standard deviation of the exponent of the kinetic energy that the lines share; None: the library's.
        overlayer: thickness of an organic overlayer, such as ``"1.5 +- 0.5 nm"``.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: random starts beside the systematic one.
        seed: seed of those.

    Returns:
        The estimate: amounts, atomic shares, ratios, excess of charge, and a share for each phase.

    Raises:
        InputError: data or options that cannot be used.
    """
    check.one_of(method, METHODS, "The method")
    data = lines_of(observation, method, factor_error, area_error, tilt_error, _thickness(overlayer))
    names = tuple(dict.fromkeys(["amount", *data.prior, *free]))
    start = data.start
    if guess:
        known = {s.name: s for s in slots(start, "measurement")}
        values = {known[check.one_of(n, known, "The parameter")]: jnp.asarray(float(v)) for n, v in guess.items()}
        start = write_slots(start, values)
    estimate = invert(
        start, data.values, free=names, fix=fix, prior=data.prior, starts=int(check.positive(starts, "starts")),
        seed=seed, throw=False,
    )  # fmt: skip
    estimate = with_story(_judged(estimate, data), data)
    elements = data.start.elements
    wanted = tuple(phases) or (_PHASES if set(elements) >= {"Cs", "Pb"} and "Br" in elements else ())
    estimate = with_phases(estimate, wanted, elements)
    return with_recipe(estimate, recipe, elements) if recipe else estimate


def _thickness(text: str | float | None) -> tuple[float, float] | None:
    if text is None or text == "":
        return None
    from perolas.matter.written import quantity

    given = quantity(f"{text} nm" if isinstance(text, float | int) else text, ("nm",), "overlayer", zero=True)
    return given.value, given.std


def _judged(estimate: Estimate, data: Lines) -> Estimate:
    """Return the estimate with a chi-square that counts the priors: one test for each line beyond the elements."""
    freedom = data.values.size - len(data.start.elements)
    if estimate.result != "converged" or not data.stated or freedom < 1:
        return dataclasses.replace(estimate, chi2_reduced=np.asarray(math.nan))
    rest = float(np.sum((estimate.signal - estimate.expected) ** 2 * np.asarray(
        data.start.noise.weight(jnp.asarray(estimate.signal), jnp.asarray(estimate.expected)))))  # fmt: skip
    for name, (mean, std) in data.prior.items():
        if name in estimate.names:
            rest += ((estimate[name].value - mean) / std) ** 2
    return dataclasses.replace(estimate, chi2_reduced=np.asarray(rest / freedom))


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    method: str = "xps",
    counts: float = 2e4,
    lines: Sequence[str] = (),
    true_tilt: float = 0.0,
    true_overlayer: float = 0.0,
    wrong_factors: bool = False,
) -> xr.Dataset:
    """Simulate the counts of lines of a specimen.

    Args:
        specimen: a `Specimen`; None: as many atoms of each element.
        seed: seed of the counts, and of the factors' errors.
        method: ``"xps"`` or ``"eds"``.
        counts: counts of the strongest line.
        lines: names such as ``"Pb 4f"`` (or ``"Pb_4f"``); none: one line each of Cs, Pb and Br.
        true_tilt: exponent of the kinetic energy (xps).
        true_overlayer: thickness of an organic overlayer (xps), nm.
        wrong_factors: whether the instrument's sensitivities differ from the factors by what these may be wrong.

    Returns:
        An observation in counts.

    Raises:
        InputError: a line without a factor, or numbers that cannot be used.
    """
    check.one_of(method, METHODS, "The method")
    names = tuple(str(n).replace("_", " ") for n in lines) or _USUAL[method]
    known = [stated_factor(n, method) for n in names]
    if len(set(names)) != len(names) or len(names) < 2 or any(k is None for k in known):
        raise InputError(f"At least two different lines with known factors are needed, unlike {', '.join(names)}.")
    factors = np.array([k[0] for k in known if k is not None])
    errors = np.array([k[1] for k in known if k is not None])
    check.positive(true_overlayer, "true_overlayer", "nm", zero=True)
    away = errors * np.random.default_rng(seed).standard_normal(len(names)) if wrong_factors else 0.0 * errors
    real = method == "xps"
    seen = model(names, method, factors, correction=away, tilt=true_tilt if real else 0.0,
                 overlayer_nm=true_overlayer if real else 0.0, noise=Poisson())  # fmt: skip
    if specimen is not None:
        seen = seen.respond(specimen)
    scale = check.positive(counts, "counts") / float(jnp.max(seen.expected()))
    drawn = draw(replace(seen, amount=seen.amount * scale), seed=seed)
    return make_observation(
        drawn["signal"].values, "line", np.asarray(seen.axis), units="counts", technique="composition",
        instrument="simulated by perolas", seed=seed,
        conditions={"quantity": "counts", "lines": list(names), "elements": [n.split()[0] for n in names],
                    "method": method},
    )  # fmt: skip


def example() -> Composition:
    """Return lines whose answer is known, for the inversion tests: CsPbBr3 by seven lines, one with a wrong factor."""
    lines = ("Cs 3d", "Cs 4d", "Pb 4f", "Pb 4d", "Pb 5d", "Br 3d", "Br 3p")
    return model(
        lines, "eds", np.array([1.0, 0.8, 1.5, 1.2, 0.7, 0.5, 0.9]), amount=np.array([1000.0, 1000.0, 3000.0]),
        correction=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1]), noise=Poisson(),
    )  # fmt: skip
