"""The kind of step "digitised": numbers out of a curve that a reader took off a figure and saved as CSV.

The file may be absent: the quantities are then open, and whatever needs them says which file would settle it. Errors
are those of reading points off a figure, followed through by drawing the points anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, model_validator

from perolas.core import check
from perolas.core.errors import InputError, OpenError, one_line
from perolas.study import expression
from perolas.study.curve_files import read_table
from perolas.study.curve_values import ANY_ORDER, KINDS, Window
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.tables import Name, Stated, Step, Table, Text

DRAWS = 400
_FAILED = 0.05  # share of draws without a result above which there is no error to give
_ORDER_SLACK = 3.0  # points out of order by less than this many reading errors are sorted
Column = NDArray[np.float64]


class ColumnTable(Table):
    """A column of the file.

    Attributes:
        unit: of its values.
        error: of reading each point: in the unit, or relative (``"3 %"``), or ``"counting"``: the root of the count.
        common: error that all its points share, that of the figure's axis; in the unit, or relative.
        text: what it is.
    """

    unit: Annotated[str, Field(max_length=60)] = "1"
    error: Stated = 0.0
    common: Stated = 0.0
    text: Text = ""


class Asked(Table):
    """A number that is taken from the curve.

    Attributes:
        of: one of value, ratio, maximum, position, area, onset, slope, log_slope.
        x, y: columns; by default the first and the second.
        at: x of the value (or of the ratio's first).
        over: x of the ratio's second.
        start, end: window in x.
        share: of the largest y, at which the onset is.
        unit: of the result; an area or a slope needs one.
        definition: one line.
    """

    of: Literal["value", "ratio", "maximum", "position", "area", "onset", "slope", "log_slope"]
    x: Name | None = None
    y: Name | None = None
    at: Stated | None = None
    over: Stated | None = None
    start: Stated | None = None
    end: Stated | None = None
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    unit: Annotated[str, Field(max_length=60)] | None = None
    definition: Text = ""

    @model_validator(mode="after")
    def _whole(self) -> Asked:
        if (self.of in ("value", "ratio")) != (self.at is not None):
            raise ValueError('"at" belongs to a value or a ratio, and these need it')
        if (self.of == "ratio") != (self.over is not None):
            raise ValueError('"over" belongs to a ratio, and a ratio needs it')
        if self.of in ("area", "slope") and self.unit is None:
            raise ValueError("an area or a slope needs a unit")
        return self


class Digitised(Step):
    """A step of kind "digitised".

    Attributes:
        file: CSV, beside the study file, in the folder of digitised curves or in that of data files; may be absent.
        about: which figure or table it is taken from.
        columns: name -> unit and reading errors.
        quantities: what is taken from it.
    """

    kind: Literal["digitised"]
    file: Annotated[str, Field(min_length=1, max_length=1000)]
    about: Text = ""
    columns: Annotated[dict[Name, ColumnTable], Field(min_length=2, max_length=20)]
    quantities: Annotated[dict[Name, Asked], Field(min_length=1, max_length=100)]


def wanted(step: Digitised) -> str:
    """Return which file with which columns would settle what a step is about."""
    columns = ", ".join(f"{k} [{c.unit}]{f' ({c.text})' if c.text else ''}" for k, c in step.columns.items())
    about = f" from {step.about}" if step.about else ""
    return f'the file "{one_line(step.file, 80)}" in the folder of digitised curves, with the columns {columns}{about}'


def template(step: Digitised) -> str:
    """Return the CSV file that a reader fills in, with notes on what belongs into it."""
    notes = [f"# {step.about or step.name}"]
    notes += [f"# {k}: {c.text or k}, in {c.unit}" for k, c in step.columns.items()]
    return "\n".join([*notes, ",".join(f"{k} [{c.unit}]" for k, c in step.columns.items())]) + "\n"


def _axes(step: Digitised, asked: Asked) -> tuple[str, str]:
    first, second = list(step.columns)[:2]
    return asked.x or first, asked.y or second


def _inputs(step: Digitised) -> list[str]:
    """Return nothing, after a look at what does not need the file: columns, units and windows."""
    for name, asked in step.quantities.items():
        x, y = _axes(step, asked)
        for column in (x, y):
            check.one_of(column, step.columns, f'In the step "{step.name}", "{name}" names the column')
        _window(step, asked)
        _scale(step, asked)
    for name, table in step.columns.items():
        _errors(table, np.ones(1), name)
    return []


def _window(step: Digitised, asked: Asked) -> Window:
    unit = step.columns[_axes(step, asked)[0]].unit

    def read(name: str) -> float | None:
        stated = getattr(asked, name)
        return None if stated is None else expression.read_number(stated, name).to(unit).value

    return Window(read("at"), read("over"), read("start"), read("end"), asked.share)


def _scale(step: Digitised, asked: Asked) -> tuple[float, str]:
    """Return the factor from the columns' units to that of the result, and the latter."""
    x, y = (step.columns[c].unit for c in _axes(step, asked))
    form, usual = {
        "value": ("y", y),
        "maximum": ("y", y),
        "position": ("x", x),
        "onset": ("x", x),
        "area": ("x * y", ""),
        "slope": ("y / x", ""),
    }.get(asked.of, ("1", "1"))
    unit = asked.unit or usual
    ones = {"x": expression.number(1.0, {}, x), "y": expression.number(1.0, {}, y)}
    return expression.evaluate(form, ones.__getitem__).to(unit).value, unit


def _errors(column: ColumnTable, values: Column, name: str) -> tuple[Column, tuple[float, float]]:
    """Return the error of each point, and the common one as shift and as relative."""
    if column.error == "counting":
        each = np.sqrt(np.maximum(values, 1.0))
    else:
        shift, relative = _error(column.error, column.unit, f"error of {name}")
        each = np.hypot(shift, relative * np.abs(values))
    return each, _error(column.common, column.unit, f"common error of {name}")


def _error(stated: Stated, unit: str, name: str) -> tuple[float, float]:
    """Return an error as a shift and as a relative one: per cent, unless the column itself is in per cent."""
    if isinstance(stated, int | float):
        shift, relative = float(stated), 0.0
    elif stated.strip().endswith("%") and unit != "%":
        shift, relative = 0.0, expression.read_number(stated, name).to("1").value
    else:
        shift, relative = expression.read_number(stated, name).to(unit).value, 0.0
    for value in (shift, relative):
        check.positive(value, name, zero=True)
    return shift, relative


def _compute(step: Digitised, look: Look, files: Mapping[str, bytes]) -> StepResult:
    _inputs(step)
    if step.file not in files:
        raise OpenError(f"{wanted(step)}.")
    table = read_table(files[step.file], step.file, {k: c.unit for k, c in step.columns.items()})
    if table is None:
        raise OpenError(f"{wanted(step)}; the file is there, but holds no points yet.")
    errors = {k: _errors(c, table[k], k) for k, c in step.columns.items()}
    for asked in step.quantities.values():
        if asked.of not in ANY_ORDER:
            _ordered(step, table, errors, _axes(step, asked)[0])
    best = {n: _of(step, n, table) for n in step.quantities}
    draws = _drawn(step, table, errors)
    parts = _parts(step, best, draws)
    found = {}
    for name, asked in step.quantities.items():
        factor, unit = _scale(step, asked)
        scaled = {k: v * abs(factor) for k, v in parts[name].items()}
        std = math.hypot(*scaled.values()) if scaled else 0.0
        about = asked.definition or f"{asked.of.replace('_', ' ')} of the digitised curve"
        found[name] = Quantity(Written(best[name] * factor, std, unit, scaled), about)
    dataset = xr.Dataset({k: ("point", v, {"units": step.columns[k].unit}) for k, v in table.items()})
    return StepResult(found, dataset)


def _ordered(step: Digitised, table: Mapping[str, Column], errors: Mapping[str, Any], name: str) -> None:
    """Refuse a curve whose x goes back by more than it can be read."""
    x = table[name]
    step_back = np.diff(x) if x[-1] >= x[0] else -np.diff(x)
    allowed = _ORDER_SLACK * float(np.max(errors[name][0]))
    worst = int(np.argmin(step_back)) if len(x) > 1 else 0
    if len(x) > 1 and step_back[worst] < -allowed:
        raise InputError(
            f'"{one_line(step.file, 80)}": "{name}" must rise or fall throughout, but goes back from {x[worst]:.6g} '
            f"to {x[worst + 1]:.6g} (point {worst + 2})."
        )


def _of(step: Digitised, name: str, table: Mapping[str, Column]) -> float:
    """Return one number of the curve; raises InputError where it has none."""
    asked = step.quantities[name]
    x, y = (table[c] for c in _axes(step, asked))
    order = np.argsort(x, kind="stable")
    try:
        found = KINDS[asked.of](x[order], y[order], _window(step, asked))
    except InputError as error:
        raise InputError(f'"{one_line(step.file, 80)}" gives no "{name}": {error}.') from None
    if not math.isfinite(found):
        raise InputError(f'"{one_line(step.file, 80)}" gives no finite "{name}".')
    return found


def _drawn(step: Digitised, table: Mapping[str, Column], errors: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the numbers of curves drawn anew within the reading errors: (draws, quantities), NaN where there is none.

    Drawing about the points as they were read scatters once more about points that scatter already, which leaves
    slopes, areas and values as wide as they are; it only makes the largest of several points a little larger.
    """
    random = np.random.default_rng(0)
    found = np.full((DRAWS, len(step.quantities)), np.nan)
    for i in range(DRAWS):
        drawn = {}
        for name, (each, (shift, relative)) in errors.items():
            moved = table[name] * (1.0 + relative * random.standard_normal()) + shift * random.standard_normal()
            drawn[name] = moved + each * random.standard_normal(len(moved))
        for k, name in enumerate(step.quantities):
            try:
                found[i, k] = _of(step, name, drawn)
            except InputError:
                continue
    return found


def _parts(step: Digitised, best: Mapping[str, float], draws: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Return each quantity's errors as independent sources that keep how the quantities move together."""
    names = list(step.quantities)
    good = np.isfinite(draws)
    told = [k for k in range(len(names)) if good[:, k].mean() >= 1.0 - _FAILED]
    found: dict[str, dict[str, float]] = {names[k]: {f"{step.name}.{names[k]}": math.inf} for k in range(len(names))}
    if not told:
        return found
    rows = draws[good[:, told].all(axis=1)][:, told]
    if len(rows) < DRAWS // 2:
        return found
    scale = np.maximum(rows.std(axis=0), 1e-300)
    size, vectors = np.linalg.eigh(np.atleast_2d(np.cov((rows - rows.mean(axis=0)) / scale, rowvar=False)))
    factor = vectors * np.sqrt(np.maximum(size, 0.0)) * scale[:, None]
    for row, k in enumerate(told):
        tiny = 1e-12 * max(abs(best[names[k]]), 1e-300)
        found[names[k]] = {f"{step.name}#{j + 1}": float(v) for j, v in enumerate(factor[row]) if abs(v) > tiny}
    return found


def _code(step: Digitised) -> str:
    units = {k: c.unit for k, c in step.columns.items()}
    lines = [
        "from pathlib import Path",
        "",
        "from perolas.study.curve_files import read_table",
        "from perolas.study.curve_values import KINDS, Window",
        "",
        f"points = read_table(Path({step.file!r}).read_bytes(), {step.file!r}, {units!r})",
    ]
    for name, asked in step.quantities.items():
        x, y = _axes(step, asked)
        lines.append(f"print({name!r}, KINDS[{asked.of!r}](points[{x!r}], points[{y!r}], {_window(step, asked)!r}))")
    return "\n".join(lines)


register(
    StepKind(
        name="digitised",
        model=Digitised,
        inputs=_inputs,
        gives=lambda step: list(step.quantities),
        compute=_compute,
        code=_code,
        trace=lambda step, quantity: Trace((), (), False),
        pure=True,
        files=lambda step: (step.file,),
        optional=True,
        external=True,
    )
)
