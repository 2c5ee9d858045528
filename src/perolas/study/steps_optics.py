"""The kind of step "optics": what `perolas.matter.optics` says, with errors and the parameters that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError
from perolas.study import expression
from perolas.study.expression import Number, Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.tables import Name, Stated, Step, Table, Text

_STEP = 0.1  # of a standard error, for slopes: small enough for the square roots and powers in there


class From(Table):
    """An argument that another item gives.

    Attributes:
        item: ``"item.quantity"``, written as ``{from = "item.quantity"}``.
    """

    item: Annotated[str, Field(alias="from", pattern=r"^[A-Za-z]\w*\.\w+$")]


class Wanted(Table):
    """One quantity of an optics step.

    Attributes:
        of: what is asked for, a name of `FUNCTIONS`.
        unit: of the result; by default the function's own.
        definition: one line.
        phase, medium, shape: names, as the function takes them.
        wavelength, temperature, size, irradiance: quantities, with an error if there is one.
        converted: share of the lead that is in CsPbBr3.
    """

    of: Annotated[str, Field(max_length=60)]
    unit: Annotated[str, Field(max_length=60)] | None = None
    definition: Text = ""
    phase: Annotated[str, Field(max_length=60)] | None = None
    medium: Annotated[str, Field(max_length=60)] | None = None
    shape: Annotated[str, Field(max_length=60)] | None = None
    wavelength: Stated | From | None = None
    temperature: Stated | From | None = None
    size: Stated | From | None = None
    irradiance: Stated | From | None = None
    converted: Stated | From | None = None


class Optics(Step):
    """A step of kind "optics".

    Attributes:
        quantities: what is asked for.
    """

    kind: Literal["optics"]
    quantities: dict[Name, Wanted]


@dataclass(frozen=True)
class Function:
    """A function of the optics, as a step may ask for it.

    Attributes:
        call: keyword arguments -> value in `unit`, or value and an uncertainty of its own that no parameter holds.
        unit: of its value.
        meaning: one line.
        words: arguments that are names.
        needs: quantities without which it has no meaning.
        takes: further quantities.
        parameters: of the library, that move its value (their errors are carried over) or that its data come from.
    """

    call: Callable[..., float | tuple[float, float]]
    unit: str
    meaning: str
    words: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


ARGUMENT_UNITS = {"wavelength": "nm", "temperature": "K", "size": "nm", "irradiance": "mW/cm^2", "converted": "1"}


def _optics(name: str) -> Callable[..., float]:
    """Return a function of the optics with units on the names of its arguments and a plain number as result."""

    def call(**arguments: Any) -> float:
        from perolas.matter import optics

        return float(getattr(optics, name)(**arguments))

    return call


def _absorbing(name: str) -> Callable[..., tuple[float, float]]:
    """The same for absorption, whose error is a function of its own."""

    def call(**arguments: Any) -> tuple[float, float]:
        from perolas.matter import optics

        value = _optics(name)(**arguments)
        light = {k: v for k, v in arguments.items() if k in ("phase", "wavelength_nm", "medium")}
        return value, abs(value) * float(optics.intrinsic_absorption_relative_std(**light))

    return call


def _edge() -> tuple[float, float]:
    from perolas.matter.optics.edge import absorption_edge_ev

    return absorption_edge_ev()


def _wavelength(**arguments: Any) -> float:
    from perolas.core import units

    return float(units.nm_from_ev(_optics("emission_energy_ev")(**arguments)))


def _photocurrent_share(converted_fraction: float, wavelength_nm: float = 365.0) -> float:
    from perolas.measurements.photocurrent import current_share

    # A slope may look a little beyond the ends.
    return current_share(min(max(converted_fraction, 0.0), 1.0), wavelength_nm)


def _two_photon(**arguments: Any) -> float:
    return 1e-50 * _optics("two_photon_cross_section_gm")(**arguments)


def _cspbbr3(*names: str) -> tuple[str, ...]:
    return tuple(f"CsPbBr3.{name}" for name in names)


_CONFINED = _cspbbr3(
    "electron_mass", "hole_mass", "reduced_mass", "dielectric_constant", "exciton_binding_energy", "exciton_bohr_radius"
)
_GAP = (*_cspbbr3("band_gap", "gap_slope", "gap_phonon_energy"), *_CONFINED)
_WIDTH = _cspbbr3("linewidth_inhomogeneous", "linewidth_acoustic", "linewidth_lo_coupling", "lo_phonon_energy")
_TABLE = (
    *_cspbbr3("refractive_index.brennan2024"),
    *("toluene.refractive_index.kozma2005", "toluene.refractive_index.moutzouris2014"),
)
_ABSORPTION = (*_TABLE, *_cspbbr3("edge_scatter", "absorption_shape_error", "absorption_ultraviolet_error"))
_TWO = (*_TABLE, *_cspbbr3("two_photon_cross_section", "two_photon_size", "two_photon_exponent"))

FUNCTIONS = {
    "band_gap": Function(_optics("band_gap_ev"), "eV", "optical gap", ("phase",), (), ("temperature", "size"), _GAP),
    "confinement": Function(_optics("confinement_ev"), "eV", "shift by confinement", (), ("size",), (), _CONFINED),
    "emission_energy": Function(
        _optics("emission_energy_ev"), "eV", "energy of the emission maximum", (), ("temperature",), ("size",), _GAP
    ),
    "emission_wavelength": Function(
        _wavelength, "nm", "wavelength of the emission maximum", (), ("temperature",), ("size",), _GAP
    ),
    "emission_width": Function(
        _optics("emission_fwhm_ev"), "eV", "full width of the emission", (), ("temperature",), (), _WIDTH
    ),
    "absorption_edge": Function(
        _edge, "eV", "steepest rise of the measured absorption of CsPbBr3", parameters=(_TABLE[0], _ABSORPTION[3])
    ),
    "intrinsic_absorption": Function(
        _absorbing("intrinsic_absorption_cm1"),
        "cm-1",
        "absorption coefficient per volume of nanocrystals",
        ("phase", "medium"),
        ("wavelength",),
        (),
        _ABSORPTION,
    ),
    "absorption_cross_section": Function(
        _absorbing("absorption_cross_section_cm2"),
        "cm^2",
        "absorption cross-section of one nanocrystal",
        ("phase", "medium", "shape"),
        ("wavelength", "size"),
        (),
        _ABSORPTION,
    ),
    "excitation_rate": Function(
        _absorbing("excitation_rate_s1"),
        "1/s",
        "excitations of one unshaded nanocrystal in a second",
        ("phase", "medium", "shape"),
        ("wavelength", "size", "irradiance"),
        (),
        _ABSORPTION,
    ),
    "two_photon_cross_section": Function(
        _two_photon,
        "cm^4 s",
        "two-photon absorption cross-section of one nanocrystal (1e-50 cm^4 s are a GM)",
        (),
        ("size",),
        ("wavelength",),
        _TWO,
    ),
    "photocurrent_share": Function(
        _photocurrent_share,
        "1",
        "steady photocurrent of a film over that of the same film wholly converted",
        (),
        ("converted",),
        ("wavelength",),
        ("photocurrent.film_thickness", _TABLE[0], "Cs4PbBr6.refractive_index.estimate"),
    ),
    "two_photon_coefficient": Function(
        _optics("two_photon_coefficient_cm_gw"),
        "cm/GW",
        "two-photon absorption coefficient of the bulk",
        (),
        (),
        ("wavelength",),
        (*_TABLE, "CsPbBr3.two_photon_coefficient"),
    ),
}


def _function(wanted: Wanted) -> Function:
    """Return what is asked for; raises InputError where an argument is unknown to it or missing."""
    found = FUNCTIONS[check.one_of(wanted.of, FUNCTIONS, "The function of the optics")]
    given = [k for k in (*ARGUMENT_UNITS, "phase", "medium", "shape") if getattr(wanted, k) is not None]
    allowed = (*found.words, *found.needs, *found.takes)
    for name in given:
        if name not in allowed:
            raise InputError(f'"{wanted.of}" takes no {name}; it takes {", ".join(allowed) or "nothing"}.')
    for name in (*found.needs, *(["phase"] if "phase" in found.words and wanted.of != "band_gap" else [])):
        if name not in given:
            raise InputError(f'"{wanted.of}" needs {name} = "...".')
    return found


def _arguments(wanted: Wanted) -> Iterator[tuple[str, Stated | From]]:
    for name in ARGUMENT_UNITS:
        value = getattr(wanted, name)
        if value is not None:
            yield name, value


def _inputs(step: Optics) -> list[str]:
    for wanted in step.quantities.values():
        _function(wanted)
    return list(dict.fromkeys(_from(step.quantities.values())))


def _from(all_wanted: Any) -> list[str]:
    return [v.item for wanted in all_wanted for _, v in _arguments(wanted) if isinstance(v, From)]


def _compute(step: Optics, look: Look) -> StepResult:
    return StepResult({name: _quantity(step.name, name, wanted, look) for name, wanted in step.quantities.items()})


def _quantity(step: str, name: str, wanted: Wanted, look: Look) -> Quantity:
    """Evaluate a function, and carry over the errors of its arguments and of the parameters that it reads."""
    from perolas.matter.parameters_library import physical_parameter, shifted
    from perolas.matter.parameters_tables import tables

    function = _function(wanted)
    words = {k: getattr(wanted, k) for k in function.words if getattr(wanted, k) is not None}
    numbers: dict[str, Written] = {}
    for key, given in _arguments(wanted):
        read = look(given.item) if isinstance(given, From) else _renamed(given, key, f"{step}.{name}.{key}")
        numbers[key] = read.to(ARGUMENT_UNITS[key])

    def value(**moved: float) -> float | tuple[float, float]:
        arguments = {f"{k}_{_SUFFIX[k]}": n.value + moved.get(k, 0.0) for k, n in numbers.items()}
        return function.call(**words, **arguments)

    def plain(**moved: float) -> float:
        got = value(**moved)
        return got[0] if isinstance(got, tuple) else got

    at = value()
    parts: dict[str, float] = {}
    if isinstance(at, tuple):
        at, own = at
        parts[f"optics {wanted.of} {' '.join(words.values())}".rstrip()] = own
    for key, n in numbers.items():
        if n.std > 0:
            slope = (plain(**{key: _STEP * n.std}) - plain(**{key: -_STEP * n.std})) / (2 * _STEP * n.std)
            for source, part in n.parts.items():
                parts[source] = parts.get(source, 0.0) + slope * part
    for parameter in _parameters_of(wanted):
        std = 0.0 if parameter in tables() else physical_parameter(parameter).std
        if std:
            ends = []
            for sign in (1.0, -1.0):
                with shifted({parameter: sign * _STEP * std}):
                    ends.append(plain())
            parts[f"parameter {parameter}"] = (ends[0] - ends[1]) / (2 * _STEP)
    found = expression.number(at, {k: v for k, v in parts.items() if v != 0}, function.unit)
    asked = ", ".join([*words.values(), *(f"{n.value:.6g} {n.unit}" for n in numbers.values())])
    text = wanted.definition or f"{function.meaning}{f' ({asked})' if asked else ''}"
    return Quantity(found.to(wanted.unit or function.unit), text)


_SUFFIX = {"wavelength": "nm", "temperature": "k", "size": "nm", "irradiance": "mw_cm2", "converted": "fraction"}


def _renamed(stated: Stated, name: str, source: str) -> Number:
    read = expression.read_number(stated, name)
    return Number(read.value, read.unit, dict.fromkeys([source] * bool(read.parts), read.std))


def _code(step: Optics) -> str:
    """Return lines that do the same without the study engine; they print values, not errors."""
    lines = ["import perolas", "from perolas.core import units", "from perolas.matter import optics"]
    lines += ["from perolas.matter.optics.edge import absorption_edge_ev"]
    if any(wanted.of == "photocurrent_share" for wanted in step.quantities.values()):
        lines += ["from perolas.measurements.photocurrent import current_share"]
    lines += [""]
    for name, wanted in step.quantities.items():
        function = _function(wanted)
        given = [f"{k}={getattr(wanted, k)!r}" for k in function.words if getattr(wanted, k) is not None]
        for key, v in _arguments(wanted):
            unit, argument = ARGUMENT_UNITS[key], f"{key}_{_SUFFIX[key]}"
            if isinstance(v, From):
                variable = v.item.replace(".", "_")
                lines.insert(-1, f"{variable} = ...  # the result {v.item!r}, in {unit}")
                given.append(f"{argument}={variable}")
            else:
                given.append(f"{argument}={expression.read_number(v, key).to(unit).value!r}")
        lines.append(f"print({name!r}, {_TEXTS[wanted.of].format(', '.join(given))}, {function.unit!r})")
    return "\n".join(lines)


_TEXTS = {
    "band_gap": "optics.band_gap_ev({})",
    "confinement": "optics.confinement_ev({})",
    "emission_energy": "optics.emission_energy_ev({})",
    "emission_wavelength": "units.nm_from_ev(optics.emission_energy_ev({}))",
    "emission_width": "optics.emission_fwhm_ev({})",
    "absorption_edge": "absorption_edge_ev({})[0]",
    "intrinsic_absorption": "optics.intrinsic_absorption_cm1({})",
    "absorption_cross_section": "optics.absorption_cross_section_cm2({})",
    "excitation_rate": "optics.excitation_rate_s1({})",
    "two_photon_cross_section": "1e-50 * optics.two_photon_cross_section_gm({})",
    "two_photon_coefficient": "optics.two_photon_coefficient_cm_gw({})",
    "photocurrent_share": "current_share({})",
}


def _trace(step: Optics, quantity: str) -> Trace:
    wanted = step.quantities[quantity]
    return Trace(tuple(_from([wanted])), _parameters_of(wanted), True)


def _parameters_of(wanted: Wanted) -> tuple[str, ...]:
    """Return the parameters that an answer rests on; another phase than CsPbBr3 has a gap and nothing else."""
    found = _function(wanted).parameters
    if wanted.phase == "Cs4PbBr6" and found == _ABSORPTION:
        return ("Cs4PbBr6.refractive_index.estimate", *found[1:])
    if wanted.of == "band_gap" and not (wanted.phase or "CsPbBr3").startswith("CsPbBr3"):
        return (f"{wanted.phase}.band_gap",)
    return found if wanted.size is not None or wanted.of in _SIZELESS else tuple(p for p in found if p not in _CONFINED)


_SIZELESS = tuple(name for name, f in FUNCTIONS.items() if "size" not in f.takes)


def _parameters(step: Optics) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p for wanted in step.quantities.values() for p in _parameters_of(wanted)))


register(
    StepKind(
        name="optics",
        model=Optics,
        inputs=_inputs,
        gives=lambda step: list(step.quantities),
        compute=_compute,
        code=_code,
        trace=_trace,
        parameters=_parameters,
    )
)
