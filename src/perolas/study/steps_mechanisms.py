"""The kind of step "mechanisms": two stated lifetimes, in which ways the samples may differ, and how to tell."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np

from perolas.core import check
from perolas.core.errors import InputError, PerolasError, one_line
from perolas.study import expression
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.steps_optics import From
from perolas.study.tables import Stated, Step

_RIVALS = ("loss", "traps")
_MEANS = ("amplitude", "intensity", "longest", "one_over_e", "half_light", "tail")
_WHAT = {"loss": "a loss of trapped carriers", "traps": "fewer traps, without loss"}
_PAIRS = (("reference", "loss"), ("reference", "traps"), ("loss", "traps"))


class Mechanisms(Step):
    """A step of kind "mechanisms": see `perolas.measurements.trpl.series_power`.

    Attributes:
        longer: lifetime of the better sample, taken to lose nothing.
        shorter: lifetime of the other.
        mean: which mean both are, ``"intensity"`` or ``"longest"``.
        sigma: how clearly the samples are to be told apart.
    """

    kind: Literal["mechanisms"]
    longer: Stated | From
    shorter: Stated | From
    mean: Literal["intensity", "longest"] = "intensity"
    sigma: float = 3.0


def _ns(given: Stated | From, name: str, look: Look | None = None) -> float:
    try:
        if isinstance(given, From):
            assert look is not None
            read: Any = look(given.item)
        else:
            read = expression.read_number(given, name)
        return check.positive(read.to("ns").value, name, "ns")
    except PerolasError as error:
        raise InputError(f'"{name}" must be a time: {one_line(error)}') from None


def _gives(step: Mechanisms) -> list[str]:
    found = []
    for rival in _RIVALS:
        found += [f"{rival}_trap_ratio", f"{rival}_loss_ratio", f"{rival}_quantum_yield"]
        found += [f"{rival}_{mean}_ratio" for mean in _MEANS]
    return [*found, *(f"counts_{a}_{b}" for a, b in _PAIRS)]


def _compute(step: Mechanisms, look: Look) -> StepResult:
    import xarray as xr

    from perolas.measurements.trpl import series_power

    longer, shorter = _ns(step.longer, "longer", look), _ns(step.shorter, "shorter", look)
    check.positive(step.sigma, "sigma")
    rows = series_power.mechanisms_for(longer, shorter, step.mean)
    found: dict[str, Quantity] = {}

    def put(name: str, value: float, definition: str) -> None:
        found[name] = Quantity(Written(float(value), 0.0, "1", {}), definition)

    for rival in _RIVALS:
        row, first = rows[rival], rows["reference"]
        what = f"the shorter lifetime by {_WHAT[rival]}"
        put(f"{rival}_trap_ratio", row["trap_ratio"], f"{what}: trapping over radiative rate")
        put(f"{rival}_loss_ratio", row["loss_ratio"], f"{what}: loss over radiative rate")
        put(f"{rival}_quantum_yield", row["quantum_yield"], f"{what}: quantum yield")
        for mean in _MEANS:
            text = f"{what}: longer over shorter as {series_power.DEFINITIONS[mean].partition(':')[0]}"
            put(f"{rival}_{mean}_ratio", first[mean] / row[mean], text)
    decays = {k: series_power.decay_of(row["trap_ratio"], row["loss_ratio"]) for k, row in rows.items()}
    for a, b in _PAIRS:
        needed = series_power.counts_to_tell_apart(decays[a], decays[b], sigma=step.sigma)
        text = f"photons in each decay that tell {a} from {b} at {step.sigma:g} sigma (power 95 %)"
        put(f"counts_{a}_{b}", needed, text)
    time = np.asarray(decays["reference"].axis)
    start = float(decays["reference"].shift_ns)
    seen = (time > start + 2.0) & (time < start + 4.0 * longer)
    curves = np.stack([np.asarray(d.expected())[seen] / float(np.max(d.expected())) for d in decays.values()])
    dataset = xr.Dataset(
        {
            "curve": (("run", "percentile", "point"), np.repeat(curves[:, None], 5, axis=1), {"units": "1"}),
            "at": (("run", "point"), np.tile(time[seen] - start, (3, 1)), {"units": "ns"}),
        },
        coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
        attrs={
            "plot": "curves",
            "runs": json.dumps([f"{longer:g} ns", f"{shorter:g} ns by loss", f"{shorter:g} ns by fewer traps"]),
            "x_label": "time (ns)",
            "y_label": "emission over its highest",
        },
    )
    note = (
        f"One lifetime each does not say why they differ: {shorter:g} ns comes from {_WHAT['loss']} (quantum yield "
        f"{rows['loss']['quantum_yield']:.2f}) and from {_WHAT['traps']} (1.00) alike."
    )
    return StepResult(found, dataset, (note,))


def _inputs(step: Mechanisms) -> list[str]:
    return [v.item for v in (step.longer, step.shorter) if isinstance(v, From)]


def _code(step: Mechanisms) -> str:
    def written(given: Any, name: str) -> str:
        return given.item.replace(".", "_") if isinstance(given, From) else repr(_ns(given, name))

    times = f"{written(step.longer, 'longer')}, {written(step.shorter, 'shorter')}"
    lines = ["from perolas.measurements.trpl.series_power import mechanisms_for", ""]
    return "\n".join([*lines, f"print(mechanisms_for({times}, {step.mean!r}))  # ns"])


def _parameters(step: Mechanisms) -> tuple[str, ...]:
    from perolas.measurements.trpl.model import PARAMETERS_USED

    return PARAMETERS_USED


register(
    StepKind(
        name="mechanisms",
        model=Mechanisms,
        inputs=_inputs,
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=lambda step, quantity: Trace(tuple(_inputs(step)), _parameters(step), True),
        parameters=_parameters,
    )
)
