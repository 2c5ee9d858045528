"""The kind of step "spacing": posterior odds over phases and planes for a lattice spacing that a study states."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError
from perolas.matter import crystal
from perolas.study import expression
from perolas.study.expression import Number
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.steps_optics import From
from perolas.study.tables import Name, Stated, Step, Table, Text

if TYPE_CHECKING:
    from perolas.measurements.hrtem.verdict import Odds

_NONE = "none_of_these"


class Plane(Table):
    """A plane whose probability is asked for.

    Attributes:
        phase: of the library.
        hkl: its Miller indices, three whole numbers such as ``[1, 0, 0]``.
        definition: one line.
    """

    phase: Annotated[str, Field(max_length=60)]
    hkl: Annotated[list[int], Field(min_length=3, max_length=3)]
    definition: Text = ""


class Spacing(Step):
    """A step of kind "spacing".

    Attributes:
        spacing: the distance of lattice planes that was measured, or the item that gives it.
        calibration_std: relative standard error of the image's scale; by default the library's.
        candidates: phases of the library that it may be; by default all.
        threshold: odds from which on something counts as decided.
        planes: planes whose spacing, distance from the measured one, and probability are asked for.
    """

    kind: Literal["spacing"]
    spacing: Stated | From
    calibration_std: Stated | None = None
    candidates: list[Annotated[str, Field(max_length=60)]] = []
    threshold: Annotated[float, Field(gt=1, le=1e6)] = 20.0
    planes: dict[Name, Plane] = {}


def _candidates(step: Spacing) -> list[str]:
    return list(step.candidates) or list(crystal.phases())


def _inputs(step: Spacing) -> list[str]:
    names = _candidates(step)
    for name in names:
        check.one_of(name, crystal.phases(), "The candidate")
    if len(set(names)) < len(names):
        raise InputError("A candidate is named twice.")
    for name, plane in step.planes.items():
        check.one_of(plane.phase, names, f'In the plane "{name}", the candidate')
        if not any(plane.hkl):
            raise InputError(f'The plane "{name}" has the indices 0 0 0, which are none.')
        if name in (_NONE, "compound") or name.startswith(("probability_", "compound_")):
            raise InputError(f'"{name}" is a name that this kind of step gives anyway; choose another for the plane.')
    return [step.spacing.item] if isinstance(step.spacing, From) else []


def _compounds(step: Spacing) -> list[str]:
    return list(dict.fromkeys(crystal.phase(n).formula for n in _candidates(step)))


def _gives(step: Spacing) -> list[str]:
    found = [f"probability_{n}" for n in _candidates(step)] + [f"compound_{c}" for c in _compounds(step)] + [_NONE]
    return found + [q for n in step.planes for q in (n, f"{n}_spacing", f"{n}_difference", f"{n}_relative")]


def _measured(step: Spacing, look: Look) -> Number:
    if isinstance(step.spacing, From):
        return look(step.spacing.item)
    read = expression.read_number(step.spacing, "spacing")
    return Number(read.value, read.unit, dict.fromkeys([f"{step.name}.spacing"] * bool(read.parts), read.std))


def _scale(step: Spacing) -> float:
    from perolas.matter.parameters_library import parameter_value

    if step.calibration_std is None:
        return parameter_value("hrtem.calibration")
    return expression.read_number(step.calibration_std, "calibration_std").to("1").value


def _odds(step: Spacing, look: Look) -> Odds:
    from perolas.measurements.hrtem.verdict import odds

    measured = _measured(step, look).to("nm")
    if not (math.isfinite(measured.value) and measured.value > 0):
        raise InputError(f"A lattice spacing is positive, but this one is {measured.value:g} nm.")
    return odds(
        measured.value,
        _scale(step),
        _candidates(step),
        position_std=measured.std / measured.value,
        threshold=step.threshold,
    )


def _compute(step: Spacing, look: Look) -> StepResult:
    from perolas.matter.crystal import phase

    judged = _odds(step, look)
    rows = {p.name: p for p in judged.phases}

    def share(value: float, low: float, high: float, definition: str) -> Quantity:
        """A probability whose error is half of its range over the priors that were tried."""
        half = 0.5 * (high - low)
        made = expression.number(value, {f"{step.name}: prior over planes": half} if half > 0 else {}, "1")
        return Quantity(made.to("1"), definition)

    found = {}
    for name in _candidates(step):
        row = rows[name]
        text = f"probability that the spacing is one of {name}, among the candidates"
        found[f"probability_{name}"] = share(row.probability, row.low, row.high, text)
    for compound in _compounds(step):
        value, low, high = judged.compounds[compound]
        text = f"probability that the spacing is one of {compound} in any of its structures"
        found[f"compound_{compound}"] = share(value, low, high, text)
    text = "probability that it is a phase that is not among the candidates"
    found[_NONE] = share(judged.none, *judged.none_range, text)
    measured = _measured(step, look).to("nm")
    d = measured.value
    parts = {**measured.parts, f"{step.name}: calibration": d * judged.std_relative}
    for name, plane in step.planes.items():
        of = phase(plane.phase)
        tabulated = of.d_spacing_nm(plane.hkl)
        cell = tabulated * max(s / a for s, a in zip(of.cell_std[:3], of.cell[:3], strict=True))
        own = {f"cell of {plane.phase}": cell} if cell > 0 else {}
        value = judged.plane_probability(plane.phase, plane.hkl)
        whole = rows[plane.phase]
        scale = value / whole.probability if whole.probability > 0 else 0.0
        hkl = " ".join(map(str, plane.hkl))
        words = plane.definition or f"probability that the spacing is ({hkl}) of {plane.phase}"
        found[name] = share(value, whole.low * scale, whole.high * scale, words)
        text = f"spacing of ({hkl}) of {plane.phase} in the library"
        found[f"{name}_spacing"] = Quantity(expression.number(tabulated, own, "nm").to("nm"), text)
        off = {**parts, **{k: -v for k, v in own.items()}}
        text = f"measured spacing less that of ({hkl}) of {plane.phase}"
        found[f"{name}_difference"] = Quantity(expression.number(d - tabulated, off, "nm").to("nm"), text)
        relative = {k: 100 * v / tabulated for k, v in off.items()}
        made = expression.number(100 * (d / tabulated - 1), relative, "%")
        found[f"{name}_relative"] = Quantity(made.to("%"), f"{text}, relative")
    return StepResult(found, warnings=(judged.verdict,))


def _code(step: Spacing) -> str:
    """Return lines that do the same without the study engine."""
    given = step.spacing
    if isinstance(given, From):
        spacing = f"spacing_nm = ...  # the result {given.item!r}, in nm"
        own = 0.0
    else:
        read = expression.read_number(given, "spacing").to("nm")
        spacing, own = f"spacing_nm = {read.value!r}", read.std / read.value
    lines = ["from perolas.measurements.hrtem import odds", "", spacing]
    extra = f", position_std={own!r}" if own > 0 else ""
    lines.append(
        f"found = odds(spacing_nm, {_scale(step)!r}, {_candidates(step)!r}, threshold={step.threshold!r}{extra})"
    )
    lines.append("print(found)")
    for name, plane in step.planes.items():
        lines.append(f"print({name!r}, found.plane_probability({plane.phase!r}, {list(plane.hkl)!r}))")
    return "\n".join(lines)


def _parameters(step: Spacing) -> tuple[str, ...]:
    names = ("hrtem.distortion", "hrtem.structure", "hrtem.double_diffraction", "hrtem.resolution")
    return (*names, "hrtem.calibration") if step.calibration_std is None else names


def _trace(step: Spacing, quantity: str) -> Trace:
    return Trace(tuple(_inputs(step)), _parameters(step), True)


def _references(step: Any, files: Any = None) -> tuple[str, ...]:
    sources = [crystal.phase(n).source for n in _candidates(step)]
    return tuple(dict.fromkeys(["itc_c", "williams2009", *(s for s in sources if s != "estimated here")]))


register(
    StepKind(
        name="spacing",
        model=Spacing,
        inputs=_inputs,
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=_trace,
        pure=True,  # it holds what the study states against tables, and predicts nothing
        parameters=_parameters,
        references=_references,
    )
)
