"""FTIR: bands of ligands, how much of them is bound and how much is free, and what can be said about coverage.

`bands` has the bands and their strengths, `model` the equation, `prepare` the door, `surface` what turns amounts into
a coverage, `words` what is said about the estimate.
"""

from __future__ import annotations

import dataclasses
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
from perolas.core.noise import Gaussian
from perolas.core.observation import make_observation
from perolas.core.parameter import replace, slots, table, write_slots
from perolas.measurements.ftir.bands import NAMES, PARAMETERS_USED, WINDOWS, band
from perolas.measurements.ftir.model import Ftir, model
from perolas.measurements.ftir.prepare import QUANTITIES, Spectrum, spectrum_of
from perolas.measurements.ftir.words import with_coverage, with_story

__all__ = ["PARAMETERS", "PARAMETERS_USED", "REFERENCES", "Ftir", "example", "fit", "simulate"]

PARAMETERS = table(Ftir)
REFERENCES: tuple[str, ...] = ("matrajt2005", "francis1950", "deacon1980")

GEOMETRIES = ("transmission", "atr")
_ROUNDS = 3


def fit(
    observation: xr.Dataset,
    *,
    quantity: str = "auto",
    geometry: str = "transmission",
    vapour: xr.Dataset | None = None,
    mass: str | float | None = None,
    size: str | float | None = None,
    size_spread: float = 0.0,
    phase: str = "CsPbBr3",
    leave_out: Sequence[str] = (),
    free: Sequence[str] = (),
    fix: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
    **_simulation: Any,
) -> Estimate:
    """Estimate amounts of chains, carboxylate, ammonium, free acid and water from an infrared spectrum.

    Args:
        observation: absorbance, or transmittance, of shape (n,) on ``wavenumber_cm1``.
        quantity: what the signal is; ``"auto"`` asks the file.
        geometry: ``"transmission"`` or ``"atr"`` (then only ratios of amounts mean anything).
        vapour: a spectrum of water vapour, of which as much as needed is taken.
        mass: mass of crystals for each area of the beam, such as ``"0.5 +- 0.05 mg/cm^2"``; with `size`, for coverage.
        size: mean edge length or diameter, such as ``"20 +- 2 nm"``.
        size_spread: standard deviation of the sizes, nm.
        phase: what the crystals are made of.
        leave_out: names of bands that the model does without.
        free: names added to what is fitted.
        fix: names taken out of it.
        guess: start values by name.
        starts: random starts beside the systematic one.
        seed: seed of those.

    Returns:
        The estimate; with `bound_per_nm2`, `chains_per_nm2` and `coverage` where mass and size were given.

    Raises:
        InputError: data or options that cannot be used.
    """
    check.one_of(quantity, QUANTITIES, "The quantity")
    check.one_of(geometry, GEOMETRIES, "The geometry")
    for name in leave_out:
        check.one_of(name, NAMES, "The band")
    if (mass is None) != (size is None):
        raise InputError("A coverage needs both: the mass of crystals in the beam (mass) and their size (size).")
    if mass is not None and geometry == "atr":
        raise InputError("Attenuated total reflection does not say how much is in the beam; leave mass and size out.")
    data = spectrum_of(observation, quantity, vapour, tuple(n for n in NAMES if n not in leave_out))
    start = _with_guess(_start(data, geometry == "atr"), guess or {})
    prior = _prior(data)
    names = tuple(dict.fromkeys(["amount", "baseline", *prior, *(["vapour"] if vapour is not None else []), *free]))
    widening, estimate = 1.0, None
    for _ in range(1 if data.stated else _ROUNDS):
        seen = dataclasses.replace(start, noise=Gaussian(jnp.asarray(data.variance * widening)))
        estimate = invert(
            seen, data.absorbance, free=names, fix=fix, prior=prior, starts=int(check.positive(starts, "starts")),
            seed=seed, throw=False,
        )  # fmt: skip
        if data.stated or estimate.result != "converged":
            break
        wider = widening * _excess(estimate)
        if abs(wider / widening - 1.0) < 0.05:
            break
        widening = max(wider, 1.0)
    assert estimate is not None
    estimate = with_story(estimate, data, widening, geometry)
    return (
        with_coverage(estimate, mass, size, size_spread, phase) if mass is not None and size is not None else estimate
    )


def _excess(estimate: Estimate) -> float:
    """Return how much more the residuals vary than the noise, counting that neighbours may share it."""
    rest = (estimate.signal - estimate.expected) / np.sqrt(np.asarray(estimate.problem.measurement.noise.variance))
    chi2 = float(np.sum(rest**2)) / max(estimate.n_points - estimate.n_free, 1)
    shared = float(np.sum(rest[1:] * rest[:-1]) / np.sum(rest**2))
    shared = min(max(shared, 0.0), 0.95)
    return chi2 * (1.0 + shared) / (1.0 - shared)


def _start(data: Spectrum, atr: bool) -> Ftir:
    """Return the model with the amounts that fit best at the library's positions and widths."""
    start = model(data.wavenumber, data.windows, data.bands, template=data.template, atr=atr)
    if not data.bands:
        raise InputError("None of the bands lies in the spectrum; leave fewer of them out.")
    flat = [*(f"amount_{n}" for n in (*start.ligands, *start.others)), *(f"baseline_{i + 1}" for i in
            range(start.baseline.shape[0]))]  # fmt: skip
    known = {s.name: s for s in slots(start, "measurement")}
    dark = write_slots(start, dict.fromkeys((known[n] for n in flat), jnp.asarray(0.0)))
    columns = np.stack([np.asarray(write_slots(dark, {known[n]: jnp.asarray(1.0)}).expected()) for n in flat], axis=1)
    weight = 1.0 / np.sqrt(data.variance)
    size = np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
    found = np.linalg.lstsq(columns / size * weight[:, None], data.absorbance * weight, rcond=1e-9)[0] / size
    return write_slots(dark, {known[n]: jnp.asarray(v) for n, v in zip(flat, found, strict=True)})  # type: ignore[no-any-return]


def _with_guess(start: Ftir, guess: Mapping[str, float]) -> Ftir:
    known = {s.name: s for s in slots(start, "measurement")}
    chosen = {known[check.one_of(n, known, "The parameter")]: jnp.asarray(float(v)) for n, v in guess.items()}
    return write_slots(start, chosen) if chosen else start


def _prior(data: Spectrum) -> dict[str, tuple[float, float]]:
    """Return what is known beforehand of positions, widths and strengths."""
    prior: dict[str, tuple[float, float]] = {}
    for name in data.bands:
        known = band(name)
        prior[f"position_{name}"] = (known.position.value, known.position.std)
        prior[f"width_{name}"] = (known.width.value, known.width.std)
        prior[f"correction_{name}"] = (0.0, known.strength.std / known.strength.value)
    return prior


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    coverage: float = 0.5,
    mass: str | float = 0.5,
    free_acid: float = 20.0,
    water: float = 0.0,
    noise: float = 1e-4,
    step: float = 2.0,
    geometry: str = "transmission",
    quantity: str = "absorbance",
) -> xr.Dataset:
    """Simulate the spectrum of a film of crystals with ligands, from 1340 to 3040 cm-1.

    Args:
        specimen: a `Specimen`; None: 20 nm cubes of CsPbBr3 of the given coverage.
        seed: seed of the noise.
        coverage: share of surface sites with a ligand, without a specimen.
        mass: mass of crystals for each area of the beam, mg/cm2, or text with a unit (an error in it is passed over).
        free_acid: oleic acid that is not bound, nmol/cm2.
        water: water in the film, nmol/cm2.
        noise: standard deviation of the absorbance (or, if that is asked for, of the transmittance).
        step: distance of points, cm-1.
        geometry: ``"transmission"`` or ``"atr"``.
        quantity: ``"absorbance"`` or ``"transmittance"``.

    Returns:
        An observation.

    Raises:
        InputError: numbers that cannot be used.
    """
    from perolas.matter.specimen import Specimen

    check.one_of(geometry, GEOMETRIES, "The geometry")
    check.one_of(quantity, QUANTITIES[1:3], "The quantity")
    for name, value in (("free_acid", free_acid), ("water", water)):
        check.positive(value, name, zero=True)
    if not 0.0 <= coverage <= 1.0:
        raise InputError(f"The coverage must lie between 0 and 1, but is {coverage:g}.")
    if not 0.1 <= check.positive(step, "step", "cm-1") <= 10.0:
        raise InputError(f"The step must lie between 0.1 and 10 cm-1, but is {step:g}.")
    from perolas.matter.written import quantity as read_quantity

    # As for `fit`, an error may stand behind it: what is in the beam is the mean.
    text = mass if isinstance(mass, str) else f"{mass} mg/cm^2"
    grams = check.positive(read_quantity(text, ("mg/cm^2",), "mass").value, "mass", "mg/cm^2")
    wavenumber = np.arange(WINDOWS[1][0], WINDOWS[0][1] + 0.5 * step, step)
    seen = model(
        wavenumber, ((wavenumber[0], wavenumber[-1]),), NAMES, other_nmol_cm2=np.array([free_acid, water]),
        mass_mg_cm2=grams, atr=geometry == "atr", baseline=np.array([0.05, 0.01, 0.005]),
        noise=Gaussian(jnp.asarray(check.positive(noise, "noise") ** 2)),
    )  # fmt: skip
    seen = seen.respond(Specimen.of("CsPbBr3", ligand_coverage=coverage) if specimen is None else specimen)
    conditions = {"quantity": quantity, "geometry": geometry, "mass_mg_cm2": grams}
    if quantity == "absorbance":
        signal = np.asarray(draw(seen, seed=seed)["signal"].values)
    else:
        through = 10.0 ** -np.asarray(seen.expected())
        signal = through + noise * np.random.default_rng(seed).standard_normal(through.size)
    return make_observation(
        signal, "wavenumber_cm1", wavenumber, units="1", technique="ftir", instrument="simulated by perolas", seed=seed,
        conditions=conditions,
    )  # fmt: skip


def example() -> Ftir:
    """Return a spectrum whose answer is known, for the inversion tests: chains, bound oleate and free acid."""
    wavenumber = np.concatenate([np.arange(low, high, 2.5) for low, high in WINDOWS[::-1]])
    bands = ("ch2_asymmetric", "ch2_symmetric", "carboxylate_asymmetric", "carboxylate_symmetric", "carboxylic_co")
    made = model(
        wavenumber, WINDOWS, bands, amount_nmol_cm2=np.array([40.0, 150.0]), other_nmol_cm2=np.array([120.0]),
        baseline=np.array([0.01, 0.002, 0.001, 0.012, -0.002, 0.001]),
    )  # fmt: skip
    size = jnp.max(made.expected()) ** 2 / 1e4
    return replace(made, noise=Gaussian(jnp.full(wavenumber.size, size)))
