"""The kind of step "ensemble": a simulated measurement made many times, each with a seed of its own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from perolas.core.errors import FitError, InputError, StepError
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.tables import Name, Step

if TYPE_CHECKING:
    from perolas.core.estimate import Estimate

Again = Mapping[str, "Callable[[int], Estimate]"]
_SEVERAL = 0.5  # share of failed repetitions above which nothing is said


class Ensemble(Step):
    """A step of kind "ensemble".

    Attributes:
        measurement: name of a simulated measurement.
        quantities: which of its quantities.
        repeats: how many times.
        seed: from which the seed of each repetition follows.
        chunk: how many are done in one go; the result does not depend on it.
    """

    kind: Literal["ensemble"]
    measurement: Name
    quantities: Annotated[list[Name], Field(min_length=1, max_length=50)]
    repeats: Annotated[int, Field(ge=2, le=1_000_000)]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    chunk: Annotated[int, Field(ge=1, le=10_000)] = 10


def seed_of(step: Ensemble, repetition: int) -> int:
    """Return the seed of a repetition; it depends on nothing but the step's seed, the measurement and the number."""
    text = f"{step.seed}:{step.measurement}:{repetition}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) & 0x7FFFFFFF


def _span(step: Ensemble, index: int) -> range:
    return range(index * step.chunk, min((index + 1) * step.chunk, step.repeats))


def _part(step: Ensemble, index: int, look: Look, again: Again) -> dict[str, Any]:
    """Do one chunk: values and stated errors, with None where a fit failed."""
    rows: list[list[list[float]] | None] = []
    for repetition in _span(step, index):
        try:
            estimate = again[step.measurement](seed_of(step, repetition))
        except FitError:
            rows.append(None)
            continue
        missing = [n for n in step.quantities if n not in estimate.quantities]
        if missing:
            there = ", ".join(sorted(estimate.quantities))
            raise InputError(f'"{step.measurement}" has no quantity "{missing[0]}"; there are: {there}.')
        if estimate.result != "converged":
            rows.append(None)
            continue
        found = [estimate.quantities[n] for n in step.quantities]
        rows.append([[float(q.value), float(q.std)] for q in found])
        units = [q.unit for q in found]
    return {"rows": rows, "units": units if any(r is not None for r in rows) else None}


def _compute(step: Ensemble, look: Look, again: Again, parts: list[dict[str, Any]]) -> StepResult:
    import xarray as xr

    rows = [row for part in parts for row in part["rows"]]
    good = [row for row in rows if row is not None]
    failed = 1.0 - len(good) / len(rows)
    if failed > _SEVERAL or len(good) < 2:
        raise StepError(f"{len(rows) - len(good)} of {len(rows)} repetitions failed, too many to say anything.")
    units = next(part["units"] for part in parts if part["units"] is not None)
    values = np.array([[[math.nan if x is None else x for x in pair] for pair in row] for row in good])
    found: dict[str, Quantity] = {}
    for i, (name, unit) in enumerate(zip(step.quantities, units, strict=True)):
        value, stated = values[:, i, 0], values[:, i, 1]
        n = value.size
        mean, spread = float(np.mean(value)), float(np.std(value, ddof=1))
        source = f"{step.name}.{name}"
        of = f"{name} over {n} repetitions of {step.measurement}"

        def put(key: str, number: float, error: float, unit: str, what: str, source: str = source) -> None:
            parts = {f"{source}_{key}": error} if error > 0 else {}
            found[f"{source.partition('.')[2]}_{key}"] = Quantity(Written(number, error, unit, parts), what)

        put("mean", mean, spread / math.sqrt(n), unit, f"mean of {of}")
        # The error of a standard deviation, from the fourth moment: no normal law is taken for granted.
        fourth = float(np.mean((value - mean) ** 4))
        wobble = math.sqrt(max(fourth - spread**4, 0.0) / n) / (2.0 * spread) if spread > 0 else 0.0
        put("spread", spread, wobble, unit, f"standard deviation of {of}")
        usual = stated[np.isfinite(stated)]
        if usual.size and spread > 0:
            root = float(np.sqrt(np.mean(usual**2)))
            told = f"spread over the error that a fit states (root mean square), of {of}"
            put("spread_over_error", spread / root, wobble / root, "1", told)
    found["failed"] = Quantity(Written(failed, 0.0, "1", {}), "share of the repetitions whose fit failed")
    dataset = xr.Dataset(
        {
            "value": (("repetition", "quantity"), values[:, :, 0]),
            "error": (("repetition", "quantity"), values[:, :, 1]),
        },
        coords={"quantity": list(step.quantities)},
    )
    note = (f"{len(rows) - len(good)} of {len(rows)} repetitions failed and are left out.",) if failed else ()
    return StepResult(found, dataset, note)


def _gives(step: Ensemble) -> list[str] | None:
    return None  # a quantity without stated error has no ratio to it


def _code(step: Ensemble) -> str:
    return "\n".join(
        [
            "from perolas.study.steps_ensemble import Ensemble, seed_of",
            "",
            f"step = Ensemble(**{step.model_dump(mode='json')!r})",
            f"seeds = [seed_of(step, i) for i in range({step.repeats})]",
            f"# {step.measurement}: perolas.simulate and perolas.fit as above, with each of these seeds",
        ]
    )


def _part_recipe(step: Ensemble, index: int) -> Any:
    """Return what decides a chunk: a longer ensemble takes over the chunks of a shorter one."""
    return {
        "kind": step.kind,
        "measurement": step.measurement,
        "quantities": step.quantities,
        "seeds": [seed_of(step, i) for i in _span(step, index)],
    }


register(
    StepKind(
        name="ensemble",
        model=Ensemble,
        inputs=lambda step: [],
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=lambda step, quantity: Trace((), (), False),
        repeats=lambda step: (step.measurement,),
        parts=lambda step: -(-step.repeats // step.chunk),
        part=_part,
        part_recipe=_part_recipe,
        # Rows are kept as JSON lists while they are put together: some 200 bytes for each number and its error.
        needs_mb=lambda step: 200e-6 * step.repeats * len(step.quantities),
    )
)
