"""Tables and dispersion formulas against wavelength (`parameters/tables/*.yaml`), read without numpy or jax.

The formulas are written with plain operators, so that they serve a float here and an array in `perolas.matter.optics`.
"""

from __future__ import annotations

import cmath
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Table:
    """A quantity against wavelength, with all that is known about it.

    Attributes:
        material, dataset: ``"CsPbBr3"``, ``"brennan2024"``.
        meaning, conditions, source, place, status: as for a parameter.
        range_nm: first and last wavelength; measured there, except within `extrapolated_nm`.
        reference_nm: the wavelength at which it is shown unless another is asked for.
        std_n: standard uncertainty of n.
        std_k_relative: relative standard uncertainty of k.
        relative_std: relative standard uncertainty of an absorption coefficient.
        columns, rows: the table, if it is one.
        sellmeier, power, power_squared, oscillators, eps_inf: the formula, if it is one.
    """

    material: str
    dataset: str
    meaning: str
    conditions: str
    source: str
    place: str
    status: str
    range_nm: tuple[float, float]
    reference_nm: float
    extrapolated_nm: tuple[float, float] | None = None
    std_n: float = 0.0
    std_k_relative: float = 0.0
    relative_std: float = 0.0
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[float, ...], ...] = ()
    sellmeier: tuple[tuple[float, float], ...] = ()
    power: tuple[tuple[float, float], ...] = ()
    power_squared: tuple[tuple[float, float], ...] = ()
    oscillators: tuple[tuple[float, float, float], ...] = ()
    eps_inf: float = 1.0

    @property
    def is_absorption(self) -> bool:
        """Tell whether the table is an absorption coefficient, rather than a refractive index."""
        return "absorption_cm1" in self.columns

    @property
    def range_text(self) -> str:
        """Return the range as text, for messages."""
        return f"{self.range_nm[0]:g}-{self.range_nm[1]:g} nm"


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


@cache
def tables() -> dict[str, Table]:
    """Return every table by name, ``"<material>.<quantity>.<dataset>"``, in the order of the files."""
    import yaml

    folder = files("perolas.matter").joinpath("parameters", "tables")
    found = {}
    for file in sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name):
        text = file.read_text(encoding="utf-8")
        entry = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        table = Table(**{key: _tuples(value) for key, value in entry.items()})
        quantity = "absorption_coefficient" if table.is_absorption else "refractive_index"
        found[f"{table.material}.{quantity}.{table.dataset}"] = table
    return found


def permittivity(table: Table, wavelength_nm: Any, exp: Callable[[Any], Any] = cmath.exp) -> Any:
    """Return the relative permittivity that the formula of a table gives.

    Args:
        table: one with a formula.
        wavelength_nm: a number or an array, nm.
        exp: the exponential function for such a value.

    Returns:
        The permittivity, of the same shape; complex for oscillators.
    """
    from perolas.core.units import ev_from_nm

    if table.oscillators:
        energy = ev_from_nm(wavelength_nm)
        eps = table.eps_inf + 0j
        for strength, centre, width in table.oscillators:
            damping = width * exp(-(((energy - centre) / width) ** 2))
            eps = eps + strength * centre**2 / (centre**2 - energy**2 - 1j * damping * energy)
        return eps
    um = wavelength_nm / 1e3
    if table.sellmeier:
        return 1.0 + sum(b * um**2 / (um**2 - c) for b, c in table.sellmeier)
    n = sum(c * um**e for c, e in table.power or table.power_squared)
    return n**2 if table.power else n


def look_up(table: Table, wavelength_nm: float) -> tuple[float, ...]:
    """Return the values of a table at one wavelength: (n, k), or (absorption in cm-1,).

    Args:
        table: any.
        wavelength_nm: within the table's range.

    Returns:
        The values, interpolated: n and k linearly, an absorption coefficient in its logarithm.
    """
    if not table.rows:
        n = cmath.sqrt(permittivity(table, wavelength_nm))
        return n.real, n.imag
    at = min(max(bisect_right(table.rows, (wavelength_nm, math.inf)), 1), len(table.rows) - 1)
    low, high = table.rows[at - 1], table.rows[at]
    share = (wavelength_nm - low[0]) / (high[0] - low[0])
    if table.is_absorption:
        return (low[1] ** (1 - share) * high[1] ** share,)
    return tuple(a + share * (b - a) for a, b in zip(low[1:], high[1:], strict=True))
