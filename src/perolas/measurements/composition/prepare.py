"""The door of a composition: an observation becomes lines with factors, errors and priors."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.noise import AbstractNoise, Gaussian, Poisson
from perolas.core.observation import axis_of, conditions_of
from perolas.matter.formula import atomic_weight_g_mol
from perolas.matter.parameters_library import library, physical_parameter
from perolas.measurements.composition.model import Composition

METHODS = ("xps", "eds")
_FLOOR = 1e-4  # of the largest value: an element that was not seen still has an error


@dataclasses.dataclass(frozen=True, eq=False)
class Lines:
    """Lines ready to be fitted.

    Attributes:
        values: shape (k,), areas, counts or per cent.
        start: the model at its start.
        prior: name of a parameter -> (mean, standard deviation).
        quantity: what the values are, in words.
        notes: sentences for the reader.
        stated: whether the values came with errors or were counted.
        shares: whether the values are shares in per cent.
    """

    values: np.ndarray
    start: Composition
    prior: dict[str, tuple[float, float]]
    quantity: str
    notes: tuple[str, ...]
    stated: bool
    shares: bool


def names_of(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the elements of lines, each once and in order, and for each line the number of its element."""
    elements = tuple(dict.fromkeys(name.split()[0] for name in lines))
    return elements, tuple(elements.index(name.split()[0]) for name in lines)


def stated_factor(line: str, method: str) -> tuple[float, float] | None:
    """Return the library's sensitivity of a line and its relative error, or None where it has none."""
    name = f"{method}_sensitivity.{line}"
    if name not in library():
        return None
    found = physical_parameter(name)
    return found.value, found.std / found.value


def electrons(line: str) -> tuple[float, float]:
    """Return the kinetic energy of a photoelectron line, eV (1000 where it is not listed), and its attenuation, nm."""
    name = f"xps_energy.{line}"
    energy = physical_parameter(name).value if name in library() else 1000.0
    exponent = physical_parameter("xps.attenuation_exponent").value
    return energy, physical_parameter("xps.attenuation_length").value * (energy / 1000.0) ** exponent


def model(lines: tuple[str, ...], method: str, factors: np.ndarray, shares: bool = False, **values: Any) -> Composition:
    """Return the model of lines.

    Args:
        lines: their names.
        method: ``"xps"`` or ``"eds"``.
        factors: shape (k,), their sensitivities.
        shares: whether shares are given, which no tilt and no overlayer moves.
        values: further fields of `Composition`.

    Returns:
        The model.
    """
    elements, owner = names_of(lines)
    real = method == "xps" and not shares
    pairs = [electrons(n) if real else (1000.0, 1e9) for n in lines]
    given = {"amount": np.ones(len(elements)), "correction": np.zeros(len(lines)), **values}
    return Composition(
        lines=lines, elements=elements, owner=owner, sensitivity=factors, energy_ev=np.array([p[0] for p in pairs]),
        attenuation_nm=np.array([p[1] for p in pairs]), **given,
    )  # fmt: skip


def lines_of(
    observation: xr.Dataset,
    method: str,
    factor_error: float | None,
    area_error: float | None,
    tilt_error: float | None,
    overlayer: tuple[float, float] | None,
) -> Lines:
    """Check an observation and make it ready.

    Args:
        observation: values on ``line``, with the names of the lines among its conditions.
        method: ``"xps"`` or ``"eds"``.
        factor_error: relative standard error of every factor; None: that of the file or of the library.
        area_error: relative standard error of every value; None: that of the file, of counting, or of the library.
        tilt_error: standard deviation of the tilt; None: that of the library.
        overlayer: thickness and its standard error, nm.

    Returns:
        The lines.

    Raises:
        InputError: anything that cannot be used, in one sentence.
    """
    axis = axis_of(observation)
    said = conditions_of(observation)
    if axis != "line" or not isinstance(said.get("lines"), list):
        raise InputError(
            f'A composition needs a table of elements with areas, counts or shares, but this has the axis "{axis}".'
        )
    if observation["signal"].ndim != 1:
        raise InputError("It holds several tables; take one of them.")
    lines = tuple(one_line(n, 40) for n in said["lines"])
    values = np.asarray(observation["signal"].values, dtype=float)
    if len(lines) != values.size or len(set(lines)) != len(lines):
        raise InputError(f"It names {len(set(lines))} different lines for {values.size} values.")
    if np.any(values < 0) or not np.any(values > 0):
        raise InputError("Areas, counts and shares cannot be negative, and some must be positive.")
    quantity = str(said.get("quantity", "counts"))
    shares = quantity.endswith("percent")
    if shares:
        factors, errors, notes = _of_shares(lines, method, quantity, factor_error)
    else:
        factors, errors, notes = _of_areas(lines, method, said, factor_error)
    noise, stated, more = _noise(observation, values, quantity, area_error)
    prior = {f"correction_{n.replace(' ', '_')}": (0.0, float(e)) for n, e in zip(lines, errors, strict=True) if e > 0}
    tilt = physical_parameter("xps.tilt").std if tilt_error is None else check.positive(tilt_error, "tilt", zero=True)
    if method == "xps" and not shares and tilt > 0:
        prior["tilt"] = (0.0, tilt)
    start = model(lines, method, factors, shares, noise=noise, unit=str(observation["signal"].attrs["units"]))
    if overlayer is not None:
        if method != "xps" or shares:
            raise InputError("An overlayer weakens areas of photoelectron lines; shares and X-rays take none.")
        start = dataclasses.replace(start, overlayer_nm=jnp.asarray(overlayer[0]))
        if overlayer[1] > 0:
            prior["overlayer"] = overlayer
    seen = values / np.asarray(start.sensitivity)
    least = _FLOOR * seen.max()
    owner = np.array(start.owner)
    amount = np.array([max(np.mean(seen[owner == i]), least) for i in range(len(start.elements))])
    start = dataclasses.replace(start, amount=jnp.asarray(amount))
    return Lines(values, start, prior, quantity, (*notes, *more), stated, shares)


def _of_shares(
    lines: tuple[str, ...], method: str, quantity: str, factor_error: float | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return what turns amounts of atoms into shares, its errors, and what to say about them."""
    name = "xps.share_error" if method == "xps" else "eds.standardless_error"
    error = (
        physical_parameter(name).value
        if factor_error is None
        else check.positive(factor_error, "factor_error", zero=True)
    )
    weights = [atomic_weight_g_mol(n.split()[0]) if quantity.startswith("weight") else 1.0 for n in lines]
    note = f"The factors behind the shares are taken to be good to {error:.0%} each (factor_error)."
    return np.array(weights) / max(weights), np.full(len(lines), error), (note,)


def _of_areas(
    lines: tuple[str, ...], method: str, said: dict[str, Any], factor_error: float | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    own = said.get("factors")
    known = [stated_factor(n, method) for n in lines]
    if own is None:
        absent = [n for n, k in zip(lines, known, strict=True) if k is None]
        if absent:
            have = ", ".join(sorted(n.partition(".")[2] for n in library() if n.startswith(f"{method}_sensitivity.")))
            raise InputError(
                f"No sensitivity factor is known for {', '.join(absent)}; add a column RSF (or Factor) to the table, "
                f"or name lines among {have}."
            )
        factors = np.array([k[0] for k in known if k is not None])
        errors = np.array([k[1] for k in known if k is not None])
    else:
        factors = np.asarray(own, dtype=float)
        if factors.size != len(lines) or not np.all(np.isfinite(factors)) or np.any(factors <= 0):
            raise InputError("Its sensitivity factors must be positive numbers, one for each line.")
        usual = 0.1 if method == "xps" else 0.2
        errors = np.array([k[1] if k is not None else usual for k in known])
        if "factor_errors" in said:
            errors = np.asarray(said["factor_errors"], dtype=float) / factors
    if factor_error is not None:
        errors = np.full(len(lines), check.positive(factor_error, "factor_error", zero=True))
    low, high = float(errors.min()), float(errors.max())
    size = f"{low:.0%}" if high - low < 0.005 else f"{low:.0%} to {high:.0%}"
    whose = "The library's" if own is None else "The file's"
    return factors, errors, (f"{whose} sensitivity factors are taken to be good to {size} each (factor_error).",)


def _noise(
    observation: xr.Dataset, values: np.ndarray, quantity: str, area_error: float | None
) -> tuple[AbstractNoise, bool, tuple[str, ...]]:
    if area_error is not None:
        error = check.positive(area_error, "area_error")
        return Gaussian(jnp.asarray(np.maximum(error * values, _FLOOR * values.max()) ** 2)), True, ()
    if "variance" in observation:
        return Gaussian(jnp.asarray(observation["variance"].values)), True, ()
    if observation["signal"].attrs["units"] == "counts":
        note = "The counts are taken as counted, with no error from a background taken off them (area_error)."
        return Poisson(), True, (note,)
    error = physical_parameter("composition.area_error").value
    spread = np.maximum(error * values, 0.01 * values.max())
    note = f"The file gives no errors of its values; {error:.0%} of each is taken, and 1 % of the largest at the least (area_error)."  # noqa: E501
    return Gaussian(jnp.asarray(spread**2)), False, (note,)
