"""The kind of step "recipe": the balance of a recipe file becomes quantities; nothing is imported before it is done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from perolas.core.errors import InputError, one_line
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.tables import Step

if TYPE_CHECKING:
    from perolas.matter.recipe import Balance


class RecipeStep(Step):
    """A step of kind "recipe".

    Attributes:
        file: the recipe (see docs/recipe.md), beside the study file or in the folder of data files.
    """

    kind: Literal["recipe"]
    file: Annotated[str, Field(min_length=1, max_length=1000)]


def _balance(step: RecipeStep, files: Mapping[str, bytes]) -> Balance:
    from perolas.matter import recipe

    try:
        text = files[step.file].decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputError(f'"{one_line(step.file, 80)}" is not UTF-8 text.') from None
    return recipe.load(text + "\n").balance()  # with a line's end it is text, not a path


def _compute(step: RecipeStep, look: Look, files: Mapping[str, bytes]) -> StepResult:
    """Carry the recipe out.

    A number of the recipe moves several quantities at once; its balance gives each an error of its own, so that these
    count as independent further on.
    """
    balance = _balance(step, files)
    quantities = {}
    for name, q in balance.quantities().items():
        parts = {f"{step.name}.{name}": q.std} if q.std else {}
        quantities[name] = Quantity(Written(q.value, q.std, q.unit, parts), q.definition)
    return StepResult(quantities, warnings=balance.limiting)


def _references(step: RecipeStep, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the sources of the densities, solubilities and cells that it rests on."""
    from perolas.matter.parameters_library import sources

    keys = [re.split(r"[ ,]", given.source)[0] for given in _balance(step, files).rests_on()]
    return tuple(dict.fromkeys(k for k in keys if k in sources()))


def _code(step: RecipeStep) -> str:
    return f"from perolas.matter import recipe\n\nprint(recipe.load({step.file!r}).balance())"


register(
    StepKind(
        name="recipe",
        model=RecipeStep,
        inputs=lambda step: [],
        gives=lambda step: None,
        compute=_compute,
        code=_code,
        # Molar masses, densities and cells are nobody's claim: numbers from outside, always.
        trace=lambda step, quantity: Trace((), (), True),
        pure=True,
        files=lambda step: (step.file,),
        references=_references,
    )
)
