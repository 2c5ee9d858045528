"""The kind of step "joint": one specimen out of several measurements at once; see `perolas.core.sharing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from perolas.core.errors import InputError, StepError
from perolas.study.expression import Written
from perolas.study.parts import independent_parts
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.tables import Name, Step

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate

Fits = Mapping[str, "Callable[[], Estimate]"]


class JointStep(Step):
    """A step of kind "joint".

    Attributes:
        measurements: names of those that looked at the specimen.
        specimen: what it is thought to be, as in [specimen.NAME]: where the search begins, and what is held.
        vary: the specimen's parameters to be found.
        prior: parameter -> [mean, standard deviation], in the parameter's unit.
    """

    kind: Literal["joint"]
    measurements: Annotated[list[Name], Field(min_length=2, max_length=20)]
    specimen: dict[Name, Any]
    vary: Annotated[list[Name], Field(min_length=1, max_length=40)]
    prior: dict[Name, Annotated[list[float], Field(min_length=2, max_length=2)]] = {}


def _quantities(step: JointStep) -> list[str]:
    names = list(step.vary)
    return [*names, *(f"{v}_share_{m}" for v in names for m in step.measurements), "agreement"]


def _compute(step: JointStep, look: Look, fits: Fits) -> StepResult:
    from perolas.core.sharing import join
    from perolas.matter.specimen import Specimen

    alone = {name: fit() for name, fit in fits.items()}
    for name, estimate in alone.items():
        if estimate.result != "converged":
            raise StepError(f'The fit of "{name}" did not converge, so it cannot be joined.')
    prior = {name: (mean, std) for name, (mean, std) in step.prior.items()}
    found = join(alone, Specimen.from_table(step.specimen), step.vary, prior=prior)
    parts = independent_parts(step.name, found)
    quantities: dict[str, Quantity] = {}
    for name in step.vary:
        if name not in found.names:
            raise InputError(f'"{name}" is a vector; name one of its elements.')
        q = found[name]
        written = Written(q.value, q.std, q.unit, parts.get(name, {}))
        quantities[name] = Quantity(written, f"{q.definition}, from {len(alone)} measurements together")
    for name in step.vary:
        for measured, share in found.extra["shares"][name]["shares"].items():
            what = f"share of the information on {name} that is from {measured}"
            quantities[f"{name}_share_{measured}"] = Quantity(Written(share, 0.0, "1", {}), what)
    likely = found.extra["agreement"]["probability"]
    what = "probability of a disagreement as large as this among measurements of one specimen"
    quantities["agreement"] = Quantity(Written(likely, 0.0, "1", {}), what)
    return StepResult(quantities, warnings=found.warnings)


def _code(step: JointStep) -> str:
    return "\n".join(
        [
            "from perolas import Specimen",
            "from perolas.core.sharing import join",
            "",
            f"# alone: the estimates of {', '.join(step.measurements)}, each from perolas.fit",
            f"print(join(alone, Specimen.from_table({step.specimen!r}), {step.vary!r}))",
        ]
    )


register(
    StepKind(
        name="joint",
        model=JointStep,
        inputs=lambda step: [],
        gives=lambda step: None if step.prior else _quantities(step),
        compute=_compute,
        code=_code,
        trace=lambda step, quantity: Trace((), (), bool(step.prior)),
        measurements=lambda step: tuple(step.measurements),
    )
)
