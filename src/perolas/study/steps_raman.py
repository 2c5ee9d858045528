"""The kind of step "raman_shift": shifts of Raman lines that a study states, and whether they mean drift or strain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError, PerolasError, one_line
from perolas.study import expression
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.steps_optics import From
from perolas.study.tables import Stated, Step

if TYPE_CHECKING:
    from perolas.measurements.raman.drift import DriftOdds

_MOST = 24
_HYPOTHESES = ("nothing", "drift", "strain", "both")


class RamanShift(Step):
    """A step of kind "raman_shift": see `perolas.measurements.raman.drift`.

    Attributes:
        before, after: positions of the lines in both spectra, with their errors.
        laser: wavelength of the laser.
        phase: whose Grueneisen parameters count; a line that is not the phase's is not moved by strain (silicon).
        drift: standard deviation of how far the axis may drift; by default the library's.
        strain: standard deviation of the linear strain; by default the library's.
    """

    kind: Literal["raman_shift"]
    before: Annotated[list[Stated | From], Field(min_length=1, max_length=_MOST)]
    after: Annotated[list[Stated | From], Field(min_length=1, max_length=_MOST)]
    laser: Stated
    phase: Annotated[str, Field(max_length=60)] = "CsPbBr3"
    drift: Stated | None = None
    strain: Stated | None = None


def _read(given: Stated | From, name: str, unit: str, look: Look | None = None) -> Written:
    try:
        if isinstance(given, From):
            assert look is not None
            return look(given.item).to(unit)
        return expression.read_number(given, name).to(unit)
    except PerolasError as error:
        raise InputError(f'"{name}" must be a quantity in {unit}: {one_line(error)}') from None


def _inputs(step: RamanShift) -> list[str]:
    from perolas.measurements.raman.modes import PHASES

    check.one_of(step.phase, PHASES, "The phase")
    if len(step.before) != len(step.after):
        raise InputError(f"There are {len(step.before)} positions before and {len(step.after)} after.")
    return [v.item for v in (*step.before, *step.after) if isinstance(v, From)]


def _gives(step: RamanShift) -> list[str]:
    found = [f"shift_{i + 1}" for i in range(len(step.before))]
    return [*found, "drift", "strain", "drift_over_strain", *(f"probability_{n}" for n in _HYPOTHESES)]


def _numbers(step: RamanShift, look: Look | None) -> tuple[list[float], list[float], list[float]]:
    """Return positions before, shifts, and the standard errors of the latter."""
    places, shifts, errors = [], [], []
    for i, (one, other) in enumerate(zip(step.before, step.after, strict=True)):
        first = _read(one, f"before {i + 1}", "cm-1", look)
        then = _read(other, f"after {i + 1}", "cm-1", look)
        check.positive(first.value, f"before {i + 1}", "cm-1")
        error = math.hypot(first.std, then.std)
        if not error > 0:
            raise InputError(f'Line {i + 1} needs an error, such as "63 +- 0.29 cm-1" for a number rounded to one.')
        places.append(first.value)
        shifts.append(then.value - first.value)
        errors.append(error)
    return places, shifts, errors


def _judged(step: RamanShift, look: Look | None) -> DriftOdds:
    from perolas.measurements.raman.drift import Prior, lines_of_phase, odds

    places, shifts, errors = _numbers(step, look)
    known = Prior.library()
    prior = Prior(
        known.drift_nm if step.drift is None else _read(step.drift, "drift", "nm").value,
        known.strain if step.strain is None else _read(step.strain, "strain", "1").value,
    )
    laser = check.positive(_read(step.laser, "laser", "nm").value, "laser", "nm")
    return odds(shifts, errors, lines_of_phase(places, step.phase, laser), prior)


def _compute(step: RamanShift, look: Look) -> StepResult:
    judged = _judged(step, look)
    found: dict[str, Quantity] = {}

    def put(name: str, value: float, std: float, unit: str, definition: str) -> None:
        found[name] = Quantity(Written(float(value), float(std), unit, {}), definition)

    for i, (value, std) in enumerate(zip(judged.shifts, judged.std, strict=True)):
        put(f"shift_{i + 1}", value, std, "cm-1", f"shift of the line at {judged.positions[i]:g} cm-1")
    put("drift", *judged.drift_best, "nm", "drift of the axis that explains the shifts best")
    put("strain", *judged.strain["strain"], "1", "linear strain that explains the shifts, without drift")
    put("drift_over_strain", judged.drift_over_strain, 0.0, "1", "odds of drift alone against strain alone")
    for name in _HYPOTHESES:
        text = f"probability of: {name}; nothing, drift, strain and both being as likely beforehand"
        put(f"probability_{name}", judged.probability[name], 0.0, "1", text)
    said = tuple(t for t in (judged.verdict, judged.occam, judged.turning, judged.advice) if t)
    return StepResult(found, warnings=said)


def _code(step: RamanShift) -> str:
    lines = ["from perolas.measurements.raman.drift import lines_of_phase, odds", ""]
    if any(isinstance(v, From) for v in (*step.before, *step.after)):
        lines.append("before, shifts, errors = ..., ..., ...  # cm-1, from the items named")
    else:
        places, shifts, errors = _numbers(step, None)
        lines.append(f"before, shifts, errors = {places!r}, {shifts!r}, {errors!r}  # cm-1")
    laser = _read(step.laser, "laser", "nm").value
    lines.append(f"print(odds(shifts, errors, lines_of_phase(before, {step.phase!r}, {laser!r})))")
    return "\n".join(lines)


def _parameters(step: RamanShift) -> tuple[str, ...]:
    from perolas.measurements.raman.modes import PARAMETERS_USED

    known = [n for n in PARAMETERS_USED if n.startswith(f"{step.phase}.") and "width" not in n and "strength" not in n]
    own = [*(["raman.axis_drift"] if step.drift is None else []), *(["raman.strain_change"] * (step.strain is None))]
    return (*known, *own, "raman.grueneisen_shared")


def _trace(step: Any, quantity: str) -> Trace:
    return Trace(tuple(_inputs(step)), _parameters(step), True)


register(
    StepKind(
        name="raman_shift",
        model=RamanShift,
        inputs=_inputs,
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=_trace,
        parameters=_parameters,
    )
)
