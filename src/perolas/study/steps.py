"""The kinds of step that a study file may have, in one registry; later parts of perolas add theirs with `register`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal

import xarray as xr
from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.picture import Picture
from perolas.study import expression
from perolas.study.expression import Number, Written
from perolas.study.tables import Name, Stated, Step, Table, Text

Look = Callable[[str], Number]


@dataclass(frozen=True)
class Quantity:
    """A result of a step.

    Attributes:
        number: value, error and contributions, in the unit that the study asked for.
        definition: one line.
    """

    number: Written
    definition: str


@dataclass(frozen=True)
class StepResult:
    """What a step gives.

    Attributes:
        quantities: by name.
        dataset: data to keep, or None.
        warnings: sentences for the reader.
        pictures: images to keep.
    """

    quantities: Mapping[str, Quantity]
    dataset: xr.Dataset | None = None
    warnings: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Trace:
    """What one quantity of a step rests on.

    Attributes:
        inputs: the ``"item.quantity"`` of other items.
        parameters: names of the parameters of the library that go in.
        outside: whether numbers or assumptions from elsewhere go in.
    """

    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    outside: bool


@dataclass(frozen=True)
class StepKind:
    """A kind of step.

    Attributes:
        name: as the study file writes it.
        model: its keys.
        inputs: the ``"item.quantity"`` that a step reads.
        gives: the names of its quantities, where they are known before it runs; else None.
        compute: does it; `look` gives the number of an ``"item.quantity"``. A kind that lists `files` gets their
            content as a third argument, path -> bytes.
        code: Python lines that reproduce it.
        trace: what one of its quantities rests on.
        pure: whether it only calculates with what the study states (its claims are then consistency claims).
        parameters: names of all parameters of the library that it uses.
        shaped_by: the claims that the form of its model was chosen knowing, as ``"doi#claim"``; what such a step
            answers about them is a postdiction.
        files: the relative paths of the files that it reads, beside the study file or in the folder of data files.
        references: keys of further sources, for what it uses outside the parameter library; takes files as `compute`.
        measurements: the measurements whose data it reads; `compute` gets their fits, name -> a function that repeats
            one, as a further argument.
        repeats: the simulated measurements that it makes again with other seeds; `compute` and `part` get name -> a
            function of a seed that gives an estimate, as a further argument.
        parts: into how many pieces it falls, which may be done apart, each kept in the store; 0: none.
        part: does one of them: step, its index, and what `compute` takes; gives JSON-like data. `compute` gets the
            list of what the parts gave as its last argument.
        part_recipe: what of the step's own keys decides a part, JSON-like; a part that a longer ensemble shares with
            a shorter one is then done once.
        needs_mb: memory that it takes at least, MB, as far as it can be told beforehand.
        optional: whether its files may be absent; `compute` then raises `OpenError`, and its quantities stay open.
        external: whether it brings data that the paper does not give; what rests on them is an external claim.
    """

    name: str
    model: type[Step]
    inputs: Callable[[Any], list[str]]
    gives: Callable[[Any], list[str] | None]
    compute: Callable[..., StepResult]
    code: Callable[[Any], str]
    trace: Callable[[Any, str], Trace]
    pure: bool = False
    parameters: Callable[[Any], tuple[str, ...]] = lambda step: ()
    shaped_by: Callable[[Any], tuple[str, ...]] = lambda step: ()
    files: Callable[[Any], tuple[str, ...]] = lambda step: ()
    references: Callable[..., tuple[str, ...]] = lambda step, files=None: ()
    measurements: Callable[[Any], tuple[str, ...]] = lambda step: ()
    repeats: Callable[[Any], tuple[str, ...]] = lambda step: ()
    parts: Callable[[Any], int] = lambda step: 0
    part: Callable[..., dict[str, Any]] = lambda step, index, *given: {}
    part_recipe: Callable[[Any, int], Any] = lambda step, index: step.model_dump(mode="json")
    needs_mb: Callable[[Any], float] = lambda step: 0.0
    optional: bool = False
    external: bool = False


class Known(Table):
    """A number from elsewhere: written here with its source, or taken from the parameter library.

    Attributes:
        value: e.g. ``"325.82 g/mol"``.
        source: where it is from.
        parameter: or the name of a parameter of the library.
    """

    value: Stated | None = None
    source: Text = ""
    parameter: Annotated[str, Field(max_length=200)] | None = None


class Result(Table):
    """One quantity of an arithmetic step.

    Attributes:
        expression: over the names of the step and the quantities of others, ``"other.q"``.
        unit: of the result.
        definition: one line.
    """

    expression: Annotated[str, Field(max_length=expression.MAX_LENGTH)]
    unit: Annotated[str, Field(max_length=60)] = "1"
    definition: Text = ""


class Arithmetic(Step):
    """A step of kind "arithmetic".

    Attributes:
        given: numbers that the study itself states.
        known: numbers from elsewhere.
        quantities: what is calculated.
    """

    kind: Literal["arithmetic"]
    given: dict[Name, Stated] = {}
    known: dict[Name, Known] = {}
    quantities: dict[Name, Result]


class Compare(Step):
    """A step of kind "compare": difference, ratio, and how many standard errors lie between.

    Attributes:
        first: an expression, mostly ``"item.quantity"``.
        second: what it is held against.
        unit: of the difference.
        given, known: as for arithmetic.
    """

    kind: Literal["compare"]
    first: Annotated[str, Field(max_length=expression.MAX_LENGTH)]
    second: Annotated[str, Field(max_length=expression.MAX_LENGTH)]
    unit: Annotated[str, Field(max_length=60)] = "1"
    given: dict[Name, Stated] = {}
    known: dict[Name, Known] = {}


def _expressions(step: Arithmetic | Compare) -> list[str]:
    if isinstance(step, Arithmetic):
        return [q.expression for q in step.quantities.values()]
    return [step.first, step.second]


def _own(step: Arithmetic | Compare) -> set[str]:
    return {*step.given, *step.known, *(step.quantities if isinstance(step, Arithmetic) else ())}


def _arithmetic_inputs(step: Arithmetic | Compare) -> list[str]:
    found: list[str] = []
    for text in _expressions(step):
        for name in expression.names(text):
            if "." in name:
                found.append(name)
            else:
                check.one_of(name, _own(step), f'In the step "{step.name}", the number')
    return list(dict.fromkeys(found))


def _numbers(step: Arithmetic | Compare) -> dict[str, Number]:
    """Return the numbers that a step starts from; an error belongs to its step's number of that name."""
    found = {}
    for name, stated in step.given.items():
        found[name] = _rename(expression.read_number(stated, name), f"{step.name}.{name}")
    for name, known in step.known.items():
        if known.parameter is not None:
            found[name] = _from_library(known.parameter)
        elif known.value is not None:
            found[name] = _rename(expression.read_number(known.value, name), f"{step.name}.{name}")
        else:
            raise InputError(f'"{name}" needs a value or a parameter.')
    return found


def _rename(number: Number, source: str) -> Number:
    return Number(number.value, number.unit, dict.fromkeys([source] * bool(number.parts), number.std))


def _from_library(name: str) -> Number:
    from perolas.matter.parameters_library import physical_parameter

    row = physical_parameter(name)
    return expression.number(row.value, {f"parameter {name}": row.std} if row.std else {}, row.unit)


def _compute(step: Arithmetic | Compare, look: Look) -> StepResult:
    numbers = _numbers(step)

    def find(name: str) -> Number:
        if "." in name:
            return look(name)
        if name not in numbers:
            raise InputError(f'"{name}" is used before it is calculated; move it up.')
        return numbers[name]

    if isinstance(step, Compare):
        return StepResult(_compared(step, find))
    results = {}
    for name, wanted in step.quantities.items():
        numbers[name] = expression.evaluate(wanted.expression, find)
        results[name] = Quantity(numbers[name].to(wanted.unit), wanted.definition or wanted.expression)
    return StepResult(results)


def _compared(step: Compare, find: Look) -> dict[str, Quantity]:
    difference = expression.evaluate(f"({step.first}) - ({step.second})", find).to(step.unit)
    found = {"difference": Quantity(difference, f"{step.first} minus {step.second}")}
    if expression.evaluate(step.second, find).value != 0:
        ratio = expression.evaluate(f"({step.first}) / ({step.second})", find)
        found["ratio"] = Quantity(ratio.to("1"), f"{step.first} over {step.second}")
    if difference.std > 0 and math.isfinite(difference.std):
        sigma = Written(difference.value / difference.std, 0.0, "1", {})
        found["sigma"] = Quantity(sigma, "the difference in its standard errors")
    return found


def _code(step: Arithmetic | Compare) -> str:
    """Return Python lines without perolas' study engine: the evaluator alone."""
    lines = ["from perolas.study.expression import evaluate, number, read_number", "", "numbers = {"]
    lines += [f"    {name!r}: read_number({stated!r}, {name!r})," for name, stated in step.given.items()]
    for name, known in step.known.items():
        if known.parameter is None:
            lines.append(f"    {name!r}: read_number({known.value!r}, {name!r}),  # {known.source}".rstrip(" #"))
        else:
            lines.append(f"    # {name!r}: the parameter {known.parameter!r}; see perolas.info({known.parameter!r})")
    for name in _arithmetic_inputs(step):
        lines.append(f"    # {name!r}: the result of that step, as number(value, {{'error': std}}, unit)")
    lines.append("}")
    if isinstance(step, Compare):
        lines.append(f"print(evaluate({f'({step.first}) - ({step.second})'!r}, numbers.__getitem__).to({step.unit!r}))")
        return "\n".join(lines)
    for name, wanted in step.quantities.items():
        lines.append(f"numbers[{name!r}] = evaluate({wanted.expression!r}, numbers.__getitem__)")
        lines.append(f"print({name!r}, numbers[{name!r}].to({wanted.unit!r}))")
    return "\n".join(lines)


def _trace(step: Arithmetic | Compare, quantity: str) -> Trace:
    """Follow a quantity back to the numbers that it is made of."""
    inputs: dict[str, None] = {}
    reached: dict[str, None] = {}
    todo = _expressions(step)
    if isinstance(step, Arithmetic) and quantity in step.quantities:
        todo = [step.quantities[quantity].expression]
    while todo:
        for name in expression.names(todo.pop()):
            if "." in name:
                inputs[name] = None
            elif name not in reached:
                reached[name] = None
                if isinstance(step, Arithmetic) and name in step.quantities:
                    todo.append(step.quantities[name].expression)
    known = [step.known[n] for n in reached if n in step.known]
    parameters = tuple(k.parameter for k in known if k.parameter is not None)
    return Trace(tuple(inputs), parameters, bool(known or step.assumes))


def _library_names(step: Arithmetic | Compare) -> tuple[str, ...]:
    return tuple(k.parameter for k in step.known.values() if k.parameter is not None)


_KINDS: dict[str, StepKind] = {}

# They register their kinds when they are imported; they import this module, so that happens when first asked for.
_MORE = (
    "perolas.study.steps_recipe",
    "perolas.study.steps_ageing",
    "perolas.study.steps_optics",
    "perolas.study.steps_transformation",
    "perolas.study.steps_laser",
    "perolas.study.steps_joint",
    "perolas.study.steps_xrd",
    "perolas.study.steps_spacing",
    "perolas.study.steps_mechanisms",
    "perolas.study.steps_modes",
    "perolas.study.steps_raman",
    "perolas.study.steps_ensemble",
    "perolas.study.steps_digitised",
)


@cache
def _load_all() -> None:
    for module in _MORE:
        import_module(module)


def register(kind: StepKind) -> None:
    """Add a kind of step.

    Args:
        kind: the kind; one of the same name is replaced.
    """
    _KINDS[kind.name] = kind


for _name, _model, _gives in (
    ("arithmetic", Arithmetic, lambda step: list(step.quantities)),
    ("compare", Compare, lambda step: None),
):
    register(
        StepKind(
            name=_name,
            model=_model,
            inputs=_arithmetic_inputs,
            gives=_gives,
            compute=_compute,
            code=_code,
            trace=_trace,
            pure=True,
            parameters=_library_names,
        )
    )


def kinds() -> Iterator[StepKind]:
    """Return every kind of step."""
    _load_all()
    return iter(_KINDS.values())


def kind_of(step: Step) -> StepKind:
    """Return the kind of a step."""
    _load_all()
    return _KINDS[step.kind]


def model_of(table: Mapping[str, Any]) -> type[Step]:
    """Return the model for a table [[step]]; raises InputError where its kind is missing or not known."""
    _load_all()
    if not isinstance(table.get("kind"), str):
        raise InputError(f'A step needs kind = "...", one of: {", ".join(sorted(_KINDS))}.')
    return _KINDS[check.one_of(table["kind"], _KINDS, "The kind of step")].model


def read_step(table: Mapping[str, Any]) -> Step:
    """Return a table [[step]] as the model of its kind.

    Args:
        table: as TOML gives it.

    Returns:
        The step.

    Raises:
        InputError: its kind is not known.
        pydantic.ValidationError: a key is missing, unknown or wrong.
    """
    return model_of(table).model_validate(table)
