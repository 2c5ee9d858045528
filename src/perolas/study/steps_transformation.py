"""The kind of step "transformation": calibrated on two times, it forecasts runs as diffraction would see them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.study import expression
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.steps_optics import From
from perolas.study.tables import Name, Stated, Step, Table, Text

Draws = NDArray[np.float64]
# key of a run -> unit; the names are those of `perolas.matter.transformation.forecast.Bench` without their unit
_UNITS = {
    "lead": "umol",
    "volume": "mL",
    "water": "uL",
    "wavelength": "nm",
    "irradiance": "mW/cm^2",
    "temperature": "K",
    "transport": "h",
    "seeds": "1",
}
_FIELDS = {
    "lead": "lead_umol",
    "volume": "volume_ml",
    "water": "water_ul",
    "wavelength": "wavelength_nm",
    "irradiance": "irradiance_mw_cm2",
    "temperature": "temperature_k",
    "transport": "transport_h",
    "seeds": "seeds",
}
_SEVEN = ("onset_limit", "completion_limit", "stripping_h1", "synthesis_yield", "opening_energy_kj_mol")


class Run(Table):
    """One run; what is not said is taken from the step's `vessel`.

    Attributes:
        lead, volume, water, wavelength, irradiance, temperature, transport, seeds: quantities with their units.
        vial: ``"open"``, ``"quartz"`` or ``"borosilicate"``.
        at: name -> time; the converted fraction then is the quantity RUN_NAME.
        exponent: whether RUN_exponent, the power of irradiance that the completion follows, is wanted.
    """

    lead: Stated | None = None
    volume: Stated | None = None
    water: Stated | None = None
    wavelength: Stated | None = None
    irradiance: Stated | None = None
    temperature: Stated | None = None
    transport: Stated | None = None
    seeds: Stated | None = None
    vial: Annotated[str, Field(max_length=40)] | None = None
    at: dict[Name, Stated] = {}
    exponent: bool = False


class Calibration(Table):
    """The two times that fix the constants.

    Attributes:
        dark_onset: first peak of the product, in the run `dark`.
        light_completion: last peak of the parent, in the run `light`.
        dark, light: names of those runs.
    """

    dark_onset: Stated
    light_completion: Stated
    dark: Name
    light: Name


class Transformation(Step):
    """A step of kind "transformation".

    Attributes:
        calibrate: the two times.
        vessel: what all runs share.
        runs: name -> run; each gives RUN_onset and RUN_completion.
        draws: of what is not known.
        seeds: lowest and highest share of product at the beginning, where there is some.
        hold: unknowns held at one value, e.g. ``{ onset_limit = 0.05 }``, or at that of another item,
            ``{ onset_limit = { from = "scan.onset_limit" } }``.
        watch: limits of detection of the runs that are forecast, where those are watched by another diffractometer
            than the runs that it is calibrated on.
        note: one line for the report.
    """

    kind: Literal["transformation"]
    calibrate: Calibration
    vessel: Run = Run()
    runs: dict[Name, Run]
    draws: Annotated[int, Field(ge=20, le=20_000)] = 256
    seeds: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    hold: dict[Name, float | From] = {}
    watch: dict[Name, float | From] = {}
    note: Text = ""


def _inputs(step: Transformation) -> list[str]:
    for name in (step.calibrate.dark, step.calibrate.light):
        check.one_of(name, step.runs, f'In the step "{step.name}", the run')
    check.known_options(step.hold, _SEVEN, "what is held")
    check.known_options(step.watch, _SEVEN[:2], "what watches")
    return [v.item for v in (*step.hold.values(), *step.watch.values()) if isinstance(v, From)]


def _values(given: dict[str, float | From], look: Look) -> dict[str, float]:
    return {k: look(v.item).to("1").value if isinstance(v, From) else v for k, v in given.items()}


def _gives(step: Transformation) -> list[str]:
    found = []
    for name, run in step.runs.items():
        found += [f"{name}_onset", f"{name}_completion", *(f"{name}_{at}" for at in run.at)]
        found += [f"{name}_exponent"] if run.exponent else []
    return found


def _bench(step: Transformation, run: Run) -> Any:
    from perolas.matter.transformation.forecast import Bench

    values: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        stated = getattr(run, name) if getattr(run, name) is not None else getattr(step.vessel, name)
        if stated is not None:
            values[field] = _number(stated, name, _UNITS[name])
    vial = run.vial or step.vessel.vial
    if vial:
        values["vial"] = vial
    return Bench(**values)


def _number(stated: Stated, name: str, unit: str) -> float:
    read = expression.read_number(stated, name)
    try:
        return read.to(unit).value
    except InputError:
        raise InputError(f'"{name}" must be in {unit}, but is "{one_line(stated, 40)}".') from None


def _hours(stated: Stated, name: str) -> float:
    return check.positive(_number(stated, name, "h"), name, "h")


def _compute(step: Transformation, look: Look) -> StepResult:
    import xarray as xr

    from perolas.matter.transformation.forecast import Unknowns, calibrate
    from perolas.matter.transformation.outlook import local_exponents

    _inputs(step)
    benches = {name: _bench(step, run) for name, run in step.runs.items()}
    pair = None if step.seeds is None else (step.seeds[0], step.seeds[1])
    unknowns = Unknowns.draw(step.draws, 0, pair)
    if step.hold:
        unknowns = unknowns.fixed(**_values(step.hold, look))
    found = calibrate(
        unknowns,
        benches[step.calibrate.dark],
        benches[step.calibrate.light],
        dark_onset_h=_hours(step.calibrate.dark_onset, "dark_onset"),
        light_completion_h=_hours(step.calibrate.light_completion, "light_completion"),
    )
    if step.watch:
        found = replace(found, unknowns=found.unknowns.fixed(**_values(step.watch, look)))
    quantities: dict[str, Quantity] = {}
    curves: dict[str, Any] = {}
    times: dict[str, Any] = {}

    def add(name: str, draws: Draws, unit: str, definition: str) -> None:
        quantities[name] = _quantity(f"{step.name}.{name}", draws, found.unknowns, unit, definition)

    for name, run in step.runs.items():
        when = found.times(benches[name])
        add(f"{name}_onset", when["onset"], "h", f"first peak of CsPbBr3 by diffraction, run {name}")
        add(f"{name}_completion", when["completion"], "h", f"last peak of Cs4PbBr6 by diffraction, run {name}")
        for at, stated in run.at.items():
            hours = _hours(stated, at)
            fraction = found.curves(benches[name], np.array([0.0, hours]))[:, 1]
            add(f"{name}_{at}", fraction, "1", f"converted fraction of the lead after {hours:.3g} h, run {name}")
        if run.exponent:
            exponents = local_exponents(found, benches[name])
            add(f"{name}_exponent", exponents, "1", f"d ln(completion) / d ln(irradiance), run {name}")
        curves[name], times[name] = _curve(found, benches[name], when["completion"])
    dataset = xr.Dataset(
        {
            "curve": (("run", "percentile", "point"), np.stack(list(curves.values())), {"units": "1"}),
            "at": (("run", "point"), np.stack(list(times.values())), {"units": "h"}),
        },
        coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
        attrs={
            "plot": "curves",
            "runs": json.dumps(list(curves)),
            "x_label": "time (h)",
            "y_label": "converted fraction of the lead",
        },
    )
    warnings = [step.note] if step.note else []
    if found.impossible:
        warnings.append(f"{found.impossible} of {step.draws} draws were left out: no constants give the two times.")
    return StepResult(quantities, dataset, tuple(warnings))


def _curve(found: Any, bench: Any, completion: Draws) -> tuple[Draws, Draws]:
    """Return percentiles of the fraction over the time that the run takes."""
    usual = completion[np.isfinite(completion)]
    end = 1.3 * float(np.median(usual)) if usual.size else 48.0
    times = np.linspace(0.0, end, 81)
    return np.percentile(found.curves(bench, times), [2.5, 16, 50, 84, 97.5], axis=0), times


def _quantity(name: str, draws: Draws, unknowns: Any, unit: str, definition: str) -> Quantity:
    """Return draws as a number: the median, and its error shared out over what was drawn.

    Two quantities that hang on the same limit of detection move together; the shares, from a straight line through
    the draws, keep that. What no line explains is the quantity's own.
    """
    never = float(np.mean(~np.isfinite(draws)))
    if never > 0.025:
        middle = float(np.percentile(draws, 50, method="inverted_cdf"))
        if not np.isfinite(middle):
            raise InputError(f"{definition}: never reached in {never:.0%} of the draws.")
        return Quantity(Written(middle, float("inf"), unit, {name: float("inf")}), definition)
    there = np.isfinite(draws)
    middle = float(np.median(draws[there]))
    spread = float(np.diff(np.percentile(draws[there], [16, 84]))[0]) / 2
    total = float(np.std(draws[there]))
    if spread < 1e-5 * abs(middle):  # calibrated to this very number
        return Quantity(Written(middle, 0.0, unit, {}), definition)
    columns = {k: np.log(getattr(unknowns, k)[there] + 1e-9) for k in _SEVEN}
    columns = {k: (v - v.mean()) / v.std() for k, v in columns.items() if v.std() > 1e-9}
    design = np.stack([np.ones(there.sum()), *columns.values()], axis=1)
    slopes, *_ = np.linalg.lstsq(design, draws[there], rcond=None)
    own = float(np.std(draws[there] - design @ slopes))
    scale = spread / total  # the band that holds 68 % counts, not the second moment of a long tail
    prefix = name.split(".")[0]
    parts = {f"{prefix} {k}": float(s) * scale for k, s in zip(columns, slopes[1:], strict=True)}
    parts[name] = own * scale
    return Quantity(Written(middle, float(np.hypot.reduce(list(parts.values()))), unit, parts), definition)


def _parameters(step: Transformation) -> tuple[str, ...]:
    from perolas.matter import optics
    from perolas.matter.transformation import forecast, window

    stated = ("transformation.dark_onset", "transformation.light_completion")  # the study states them itself
    lit = any(_value(step, run, "wavelength") is not None for run in step.runs.values())
    light = [p for p in optics.PARAMETERS_USED if "absorption" in p or "refractive_index" in p] if lit else []
    own = [p for p in forecast.PARAMETERS_USED if p not in stated]
    return (*own, *window.PARAMETERS_USED, *light)


def _value(step: Transformation, run: Run, name: str) -> Any:
    return getattr(run, name) if getattr(run, name) is not None else getattr(step.vessel, name)


def _shaped_by(step: Transformation) -> tuple[str, ...]:
    from perolas.matter.transformation import SHAPED_BY

    return SHAPED_BY


def _references(step: Transformation) -> tuple[str, ...]:
    from perolas.matter.transformation import REFERENCES

    return REFERENCES


def _trace(step: Transformation, quantity: str) -> Trace:
    return Trace(tuple(_inputs(step)), _parameters(step), True)


def _written(given: dict[str, float | From]) -> str:
    """Return keyword arguments as Python; what another item gives is named after it, for the reader to fill in."""
    return ", ".join(f"{k}={v.item.replace('.', '_') if isinstance(v, From) else v!r}" for k, v in given.items())


def _code(step: Transformation) -> str:
    runs = [f"    {name!r}: {_bench(step, run)!r}," for name, run in step.runs.items()]
    onset = _hours(step.calibrate.dark_onset, "dark_onset")
    completion = _hours(step.calibrate.light_completion, "light_completion")
    seeds = "" if step.seeds is None else f", 0, ({step.seeds[0]!r}, {step.seeds[1]!r})"
    held, watched = (_written(given) for given in (step.hold, step.watch))
    return "\n".join(
        [
            *(["import dataclasses", ""] if watched else []),
            "from perolas.matter.transformation.forecast import Bench, Unknowns, calibrate",
            "from perolas.matter.transformation.outlook import outlook",
            "",
            "runs = {",
            *runs,
            "}",
            f"unknowns = Unknowns.draw({step.draws}{seeds}){f'.fixed({held})' if held else ''}",
            f"found = calibrate(unknowns, runs[{step.calibrate.dark!r}], runs[{step.calibrate.light!r}],",
            f"                  dark_onset_h={onset!r}, light_completion_h={completion!r})",
            *([f"found = dataclasses.replace(found, unknowns=found.unknowns.fixed({watched}))"] if watched else []),
            "for name, run in runs.items():",
            "    seen = outlook(found, run, hours=48)",
            "    print(name, 'onset', seen.onset, 'completion', seen.completion)",
        ]
    )


register(
    StepKind(
        name="transformation",
        model=Transformation,
        inputs=_inputs,
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=_trace,
        parameters=_parameters,
        shaped_by=_shaped_by,
        references=_references,
    )
)
