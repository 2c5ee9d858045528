"""Steps about powder patterns: "detection_limit", what a planned scan can see, and "series", fractions against time."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.study import expression
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.tables import Name, Stated, Step

_PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr")


class DetectionLimit(Step):
    """A step of kind "detection_limit": from which share on diffraction sees what Cs4PbBr6 turns into.

    Attributes:
        counts: expected at the highest point of the pattern of pure Cs4PbBr6.
        background: of that, as a share.
        size: of the crystallites.
        start, end, step: of the scan.
        march: March-Dollase ratio of CsPbBr3; the fit takes it to be a powder all the same.
        axis: Miller indices of its texture axis.
        keep_salt: whether the CsBr that forms stays with the sample.
        rate_per_s: counts per second at the highest point; the curve is then over the time of the scan.
    """

    kind: Literal["detection_limit"]
    counts: Annotated[float, Field(gt=0, le=1e12)]
    background: Annotated[float, Field(gt=0)] = 0.05
    size: Stated = "20 nm"
    start: Stated = "10 deg"
    end: Stated = "60 deg"
    step: Stated = "0.02 deg"
    march: Annotated[float, Field(ge=0.05, le=10)] = 1.0
    axis: Annotated[list[int], Field(min_length=3, max_length=3)] = [1, 0, 1]
    keep_salt: bool = True
    rate_per_s: Annotated[float, Field(gt=0)] | None = None


class Series(Step):
    """A step of kind "series": fits of several patterns against time.

    Attributes:
        patterns: names of the measurements, each a fit with technique xrd.
        times: of each, rising.
        product: phase whose onset is wanted.
        parent: phase whose completion, the end of it, is wanted.
    """

    kind: Literal["series"]
    patterns: Annotated[list[Name], Field(min_length=2, max_length=500)]
    times: Annotated[list[Stated], Field(min_length=2, max_length=500)]
    product: Annotated[str, Field(max_length=80)] = "CsPbBr3"
    parent: Annotated[str, Field(max_length=80)] = "Cs4PbBr6"


def _in(stated: Stated, name: str, unit: str) -> float:
    try:
        return expression.read_number(stated, name).to(unit).value
    except InputError:
        raise InputError(f'"{name}" must be in {unit}, but is "{one_line(stated, 40)}".') from None


def _scan(step: DetectionLimit) -> dict[str, Any]:
    return {
        "span": (_in(step.start, "start", "deg"), _in(step.end, "end", "deg")),
        "step": _in(step.step, "step", "deg"),
        "background": step.background,
        "size_nm": _in(step.size, "size", "nm"),
    }


def _limits(step: DetectionLimit, look: Look) -> StepResult:
    from perolas.measurements.xrd.detection import Scan, conversion_limits, detection_limit, limit_curve

    scan = Scan(**_scan(step))
    axis = (step.axis[0], step.axis[1], step.axis[2])
    weight = detection_limit("CsPbBr3", counts=step.counts, march=step.march, texture_axis=axis, scan=scan)
    found = conversion_limits(step.counts, march=step.march, texture_axis=axis, scan=scan, keep_salt=step.keep_salt)
    curve = limit_curve(
        textures=[(1.0, axis), *([(step.march, axis)] if step.march != 1 else [])],
        rate_per_s=step.rate_per_s,
        scan=scan,
    )
    meaning = {
        "weight_limit": "weight fraction of CsPbBr3 in Cs4PbBr6 that half of the patterns show",
        "onset_limit": "converted share of the lead from which on half of the patterns show CsPbBr3",
        "completion_limit": "converted share of the lead from which on half of the patterns show no Cs4PbBr6",
    }
    values = {"weight_limit": weight, **found}
    return StepResult({k: Quantity(Written(v, 0.0, "1", {}), meaning[k]) for k, v in values.items()}, curve)


def _limits_code(step: DetectionLimit) -> str:
    scan = ", ".join(f"{k}={v!r}" for k, v in _scan(step).items())
    asked = f"march={step.march!r}, texture_axis={tuple(step.axis)!r}, scan=scan"
    return "\n".join(
        [
            "from perolas.measurements.xrd.detection import Scan, conversion_limits, detection_limit",
            "",
            f"scan = Scan({scan})",
            f'print(detection_limit("CsPbBr3", counts={step.counts!r}, {asked}))',
            f"print(conversion_limits({step.counts!r}, {asked}, keep_salt={step.keep_salt!r}))",
        ]
    )


_ENDS = ("after", "by")


def _series_inputs(step: Series) -> list[str]:
    if len(step.patterns) != len(step.times):
        raise InputError(f'The series "{step.name}" has {len(step.patterns)} patterns for {len(step.times)} times.')
    wanted = (f"{q}_{p}" for p in (step.product, step.parent) for q in ("weight_fraction", "detection_limit"))
    names = list(wanted)
    return [f"{item}.{name}" for item in step.patterns for name in names]


def _series(step: Series, look: Look) -> StepResult:
    import numpy as np
    import xarray as xr

    from perolas.measurements.xrd.series import change

    _series_inputs(step)
    times = check.axis([_in(t, "time", "h") for t in step.times], "times")
    if times[0] > times[-1]:
        raise InputError(f'The times of the series "{step.name}" must rise.')
    fraction, std, seen = {}, {}, {}
    for phase in (step.product, step.parent):
        numbers = [look(f"{item}.weight_fraction_{phase}").to("1") for item in step.patterns]
        limits = [look(f"{item}.detection_limit_{phase}").to("1").value for item in step.patterns]
        fraction[phase] = np.array([n.value for n in numbers])
        std[phase] = np.array([n.std for n in numbers])
        seen[phase] = fraction[phase] > np.array(limits)
    quantities: dict[str, Quantity] = {}
    warnings = []
    for name, interval, meaning in (
        ("onset", change(times, seen[step.product]), f"{step.product} comes to be seen"),
        ("completion", change(times, ~seen[step.parent]), f"{step.parent} is seen no more"),
    ):
        low, high = interval
        if low is None or high is None:
            where = f"after {low:g} h, if ever" if low is not None else f"before {high:g} h"
            warnings.append(f"{meaning[0].upper()}{meaning[1:]} {where}: the series does not hold it.")
            continue
        std_h = (high - low) / math.sqrt(12.0)  # anywhere in the interval alike
        number = Written((low + high) / 2, std_h, "h", {f"{step.name}.{name}": std_h})
        quantities[name] = Quantity(number, f"{meaning}: middle of the interval between two patterns")
        for end, value in zip(_ENDS, interval, strict=True):
            quantities[f"{name}_{end}"] = Quantity(
                Written(float(value or 0.0), 0.0, "h", {}), f"{meaning}: not before" if end == "after" else meaning
            )
    spread = np.array([-1.959964, -0.994458, 0.0, 0.994458, 1.959964])[:, None]
    curve = [np.clip(fraction[p] + spread * np.nan_to_num(std[p], posinf=1.0), 0.0, 1.0) for p in fraction]
    dataset = xr.Dataset(
        {
            "curve": (("run", "percentile", "point"), np.array(curve), {"units": "1"}),
            "at": (("run", "point"), np.tile(times, (len(curve), 1)), {"units": "h"}),
        },
        coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
        attrs={
            "plot": "curves",
            "runs": json.dumps(list(fraction)),
            "x_label": "time (h)",
            "y_label": "weight fraction by X-ray diffraction",
        },
    )
    return StepResult(quantities, dataset, tuple(warnings))


def _series_code(step: Series) -> str:
    return "\n".join(
        [
            "from perolas.measurements.xrd.series import fit_series",
            "",
            f"# patterns: the {len(step.patterns)} observations of this series on one axis, as one batch",
            f"found = fit_series(patterns, {[_in(t, 'time', 'h') for t in step.times]!r}, phases={list(_PHASES)!r})",
            f"print(found.onset({step.product!r}), found.completion({step.parent!r}))",
        ]
    )


register(
    StepKind(
        name="detection_limit",
        model=DetectionLimit,
        inputs=lambda step: [],
        gives=lambda step: ["weight_limit", "onset_limit", "completion_limit"],
        compute=_limits,
        code=_limits_code,
        trace=lambda step, quantity: Trace((), ("Cu.k_alpha1", "Cu.k_alpha2"), True),
        parameters=lambda step: ("Cu.k_alpha1", "Cu.k_alpha2"),
    )
)
register(
    StepKind(
        name="series",
        model=Series,
        inputs=_series_inputs,
        gives=lambda step: [f"{n}{e}" for n in ("onset", "completion") for e in ("", *(f"_{x}" for x in _ENDS))],
        compute=_series,
        code=_series_code,
        trace=lambda step, quantity: Trace(tuple(_series_inputs(step)), (), bool(step.assumes)),
    )
)
