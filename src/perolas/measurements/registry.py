"""The one list of techniques: name -> where its module is and which options it takes (no jax here).

A technique's module offers, at module level:

- ``fit(observation, **options) -> Estimate``: from an observation to estimates;
- ``simulate(specimen=None, *, seed=0, **options) -> xarray.Dataset``: from a specimen (or the instrument's
  own parameters alone) to an observation;
- ``PARAMETERS``: the parameter table, written once (see `perolas.core.parameter`);
- ``REFERENCES``: keys of the sources it rests on.

Third parties add a technique through the entry-point group ``perolas.techniques``, whose object is a `Technique`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Literal

from perolas.core import check, units
from perolas.core.errors import InputError, one_line


@dataclass(frozen=True)
class Option:
    """One option of a technique, for the command line, study files and docs alike.

    Attributes:
        name: as in Python (`irf_fwhm`); the command line writes it `--irf-fwhm`.
        kind: ``"quantity"`` is text with a unit converted to `unit`; ``"file"`` is a path read as an
            observation; ``"path"`` is one that the technique reads itself; ``"names"`` is a list of names;
            ``"values"`` is a table name -> number.
        help: one line.
        default: value when it is not given.
        unit: unit of a quantity.
        choices: allowed words of a ``"choice"``.
        simulate: whether `simulate` takes it too.
    """

    name: str
    kind: Literal[
        "text", "integer", "number", "flag", "choice", "quantity", "window", "file", "path", "names", "values"
    ]
    help: str
    default: Any = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    simulate: bool = False


COMMON = (
    Option("free", "names", "parameters to fit that are held by default (see the technique's table)", ()),
    Option("fix", "names", "parameters to hold at their start value", ()),
    Option("guess", "values", "start values, as NAME=VALUE in the parameter's unit", {}),
    Option("starts", "integer", "number of starting points to try; the best end is kept", 1),
    Option("seed", "integer", "seed of everything random", 0, simulate=True),
)


@dataclass(frozen=True)
class Technique:
    """A technique as the registry knows it.

    Attributes:
        name: ``"trpl"``.
        module: import string of its module.
        summary: one line.
        axis: name of the axis that a two-column text file of this technique is taken to have, or None.
        units: unit of the signal of such a file.
        options: its own options, without the common ones.
    """

    name: str
    module: str
    summary: str
    axis: str | None
    units: str
    options: tuple[Option, ...]

    def load(self) -> ModuleType:
        """Import and return the technique's module (this imports jax)."""
        return import_module(self.module)

    def all_options(self) -> tuple[Option, ...]:
        """Return the technique's options followed by those common to all techniques."""
        return self.options + COMMON


_BUILT_IN = (
    Technique(
        "trpl",
        "perolas.measurements.trpl",
        "time-resolved photoluminescence: exponentials reconvolved with the instrument response",
        "time_ns",
        "counts",
        (
            Option("irf", "file", "measured instrument response on the same channels"),
            Option(
                "irf_fwhm",
                "quantity",
                "width of a Gaussian response, where none was measured",
                None,
                "ns",
                simulate=True,
            ),
            Option(
                "components", "text", 'number of exponentials, or "auto" to choose by evidence', "auto", simulate=True
            ),
            Option(
                "model",
                "choice",
                "exponentials, or a trapping/detrapping rate model",
                "exponential",
                choices=("exponential", "trap"),
                simulate=True,
            ),
            Option(
                "weights",
                "choice",
                "Poisson likelihood, or none: the unweighted least squares of older programs",
                "poisson",
                choices=("poisson", "none"),
            ),
            Option(
                "period",
                "quantity",
                "time between excitation pulses; decays that outlast it wrap around",
                None,
                "ns",
                simulate=True,
            ),
            Option("window", "window", "part of the time axis to fit", None, "ns"),
            Option("compare", "file", "a second decay: test whether the two differ"),
            Option("counts", "number", "counts expected in the highest bin", 1e4, simulate=True),
            Option("bins", "integer", "number of time bins", 1024, simulate=True),
            Option("bin_width", "quantity", "width of a bin", 0.5, "ns", simulate=True),
        ),
    ),
    Technique(
        "xps",
        "perolas.measurements.xps",
        "core-level photoemission: doublets tied by physics on an active Shirley background",
        "binding_energy_ev",
        "counts",
        (
            Option("level", "text", 'core level described in the parameter file, e.g. "Pb 4f"', "Pb 4f", simulate=True),
            Option(
                "species", "text", 'number of doublets (1 to 3), or "auto" to choose by evidence', "auto", simulate=True
            ),
            Option(
                "background",
                "choice",
                "background under the lines",
                "shirley",
                choices=("shirley", "linear"),
                simulate=True,
            ),
            Option("window", "window", "part of the energy axis to fit", None, "eV"),
            Option("reference_std", "quantity", "standard uncertainty of the energy reference", 0.1, "eV"),
            Option(
                "photon_energy",
                "quantity",
                "photon energy, where the file has kinetic energies and does not say it",
                None,
                "eV",
            ),
            Option(
                "noise",
                "choice",
                "Poisson counts, or a variance estimated from the residuals",
                "auto",
                choices=("auto", "poisson", "estimated"),
            ),
            Option("counts", "number", "counts expected in the highest bin", 1e4, simulate=True),
        ),
    ),
    Technique(
        "peaks",
        "perolas.measurements.peaks",
        "lines of the Voigt family on a background, with an axis calibration that has its own uncertainty",
        None,
        "counts",
        (
            Option("lines", "text", 'number of lines, or "auto" to find them', "auto", simulate=True),
            Option("shape", "choice", "line shape", "voigt", choices=("voigt", "gauss", "lorentz"), simulate=True),
            Option(
                "axis",
                "text",
                "what the first column of a text file is, e.g. raman_shift_cm1, wavelength_nm, energy_ev",
            ),
            Option("laser", "quantity", "laser wavelength: turns a wavelength axis into Raman shifts", None, "nm"),
            Option("window", "window", "part of the axis to fit, in its unit", None, ""),
            Option("background", "integer", "order of the polynomial background", 1, simulate=True),
            Option(
                "resolution",
                "number",
                "full width of the instrument's own line, in the axis unit; widths are freed from it",
                0.0,
                simulate=True,
            ),
            Option("calibration_std", "number", "standard uncertainty of the axis, in its unit", 0.0),
            Option(
                "noise",
                "choice",
                "Poisson counts, or a variance estimated from the residuals",
                "auto",
                choices=("auto", "poisson", "estimated"),
            ),
            Option("counts", "number", "counts expected in the highest bin", 1e4, simulate=True),
        ),
    ),
    Technique(
        "xrd",
        "perolas.measurements.xrd",
        "powder X-ray diffraction: weight fractions, cells and crystallite sizes of named phases",
        "two_theta_deg",
        "counts",
        (
            Option(
                "phases", "names", "phases of the library to look for, e.g. Cs4PbBr6 CsPbBr3 CsBr", (), simulate=True
            ),
            Option("cif", "path", "a structure file, or a folder of them: more phases", simulate=True),
            Option("instrument", "path", "profile of the instrument, as save_instrument wrote it", simulate=True),
            Option("save_instrument", "text", "where to write the profile that this fit found"),
            Option("anode", "text", 'anode of the tube, e.g. "Cu", where the file does not say it', simulate=True),
            Option("wavelength", "quantity", "a single wavelength, instead of a tube's two", None, "nm", simulate=True),
            Option("monochromator", "quantity", "two theta of the monochromator", None, "deg", simulate=True),
            Option("radius", "quantity", "radius of the goniometer", None, "mm", simulate=True),
            Option("window", "window", "part of the two-theta axis to fit", None, "deg"),
            Option("background", "text", 'number of Chebyshev polynomials, or "auto"', "auto"),
            Option("candidates", "flag", "rank phases and structures by evidence first, then fit the best", False),
            Option("texture", "names", "fit a March-Dollase ratio, as PHASE=HKL, e.g. CsPbBr3=001", ()),
            Option("counts", "number", "counts expected at the highest point", 1e4, simulate=True),
            Option("span", "window", "first and last two theta of a simulation", (10.0, 60.0), "deg", simulate=True),
            Option("step", "quantity", "step of a simulation", 0.02, "deg", simulate=True),
        ),
    ),
)


@cache
def techniques() -> dict[str, Technique]:
    """Return every technique by name: those of perolas, then those of installed third parties."""
    found = {t.name: t for t in _BUILT_IN}
    for entry in entry_points(group="perolas.techniques"):
        added = entry.load()
        if isinstance(added, Technique):
            found.setdefault(added.name, added)
    return found


def technique(name: str) -> Technique:
    """Return the technique called `name`.

    Args:
        name: such as ``"trpl"``.

    Returns:
        Its entry.

    Raises:
        InputError: there is none of that name; the message lists those that there are.
    """
    return techniques()[check.one_of(name, techniques(), "The technique")]


def convert_options(chosen: Technique, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check options as written in a study file or on the command line and convert their units.

    Args:
        chosen: the technique.
        given: name -> value as written; quantities may be text with a unit.

    Returns:
        name -> value, in the option's unit; only what was given. Files stay paths.

    Raises:
        InputError: an unknown option or a value that does not fit it.
    """
    table = {o.name: o for o in chosen.all_options()}
    check.known_options(given, table, chosen.name)
    return {name: _convert(table[name], value) for name, value in given.items() if value is not None}


def _convert(option: Option, value: Any) -> Any:
    try:
        match option.kind:
            case "integer":
                if isinstance(value, bool) or float(value) != int(float(value)):
                    raise ValueError
                return int(float(value))
            case "number":
                return units.convert(float(value), option.unit, option.name)
            case "quantity":
                return units.convert(value, option.unit, option.name)
            case "flag":
                if not isinstance(value, bool):
                    raise ValueError
                return value
            case "choice":
                return check.one_of(str(value), option.choices, f'The value of "{option.name}"')
            case "names":
                names = value.replace(",", " ").split() if isinstance(value, str) else value
                return tuple(str(v) for v in names)
            case "values":
                pairs = value if isinstance(value, Mapping) else dict(str(v).split("=", 1) for v in value)
                return {str(k): float(v) for k, v in pairs.items()}
            case "window":
                return _window(option, value)
            case _:
                return str(value)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(f'Option "{option.name}" must be a {option.kind}, but is "{one_line(value, 60)}".') from error


def _window(option: Option, value: Any) -> tuple[float, float]:
    """Read "LOW HIGH", "LOW:HIGH", "LOW-HIGH eV" is not offered: a minus may belong to a number."""
    parts = value.replace(":", " ").replace(",", " ").split() if isinstance(value, str) else list(value)
    if isinstance(value, str) and len(parts) == 3:  # "134 148 eV"
        parts = [f"{parts[0]} {parts[2]}", f"{parts[1]} {parts[2]}"]
    if len(parts) != 2:
        raise ValueError
    low, high = (units.convert(p, option.unit, option.name) for p in parts)
    if not low < high:
        raise InputError(f'Option "{option.name}" must run from low to high, but is {low:g} to {high:g}.')
    return low, high
