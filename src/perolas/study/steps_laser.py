"""The kind of step "laser": a threshold predicted as a distribution, and what belongs to it.

Each quantity is the middle of the band that holds 95 % of the draws of the tiers asked for, with that band as its 95 %
interval; the tiers are rival models, so their draws count alike.
"""

from __future__ import annotations

import json
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
from perolas.study.tables import Stated, Step, Table

Draws = NDArray[np.float64]
TIERS = ("rate", "diffusion")
SHOWS = ("s_curve", "area")
# key of the question -> unit, field of `perolas.laser.threshold.Question`
_KEYS = {
    "wavelength": ("nm", "wavelength_nm"),
    "pulse": ("fs", "pulse_fs"),
    "temperature": ("K", "temperature_k"),
    "size": ("nm", "size_nm"),
    "gdd": ("fs^2", "gdd_fs2"),
    "thickness": ("nm", "thickness_nm"),
    "filling": ("1", "filling"),
    "transport": ("um", "transport_um"),
    "spot": ("um", "spot_um"),
}
# Of these the lower and upper end and the median are quantities of their own.
_ENDS = ("threshold", "excitations", "linewidth", "area_exponent", "path_over_spot")
_MORE = {
    "lasing_share": ("%", "share of the draws in which the film lases at all"),
    "width": ("1", "upper over lower end of the 95 % band of the threshold; above 10 it is uninformative"),
    "melting": ("K", "melting temperature of CsPbBr3"),
}
_KEPT = {
    "kept": ("%", "lasing output that is kept after the shots, over both readings of the light test"),
    "kept_thin": ("%", "the same, the light test read as optically thin"),
    "kept_thick": ("%", "the same, read as optically thick"),
    "per_shot": ("1", "excitations of a nanocrystal by one shot"),
}


class Asked(Table):
    """The film and its pump; what is not given is not known, and is drawn.

    Attributes:
        wavelength, pulse, temperature, size, gdd, thickness, filling, transport, spot: quantities with their units.
        substrate: ``"silicon"``, ``"glass"`` or ``"fused silica"``.
        fluence_is: ``"peak"`` or ``"mean"``.
    """

    wavelength: Stated | None = None
    pulse: Stated | None = None
    temperature: Stated | None = None
    size: Stated | None = None
    gdd: Stated | None = None
    thickness: Stated | None = None
    filling: Stated | None = None
    transport: Stated | None = None
    spot: Stated | None = None
    substrate: Annotated[str, Field(max_length=40)] | None = None
    fluence_is: Annotated[str, Field(max_length=40)] | None = None


class Shots(Table):
    """A run of shots, for the output that is kept.

    Attributes:
        number: of shots.
        over: fluence over that of threshold.
        ratio: r_0 of the nanocrystals, mostly ``{ from = "ageing.ratio_better" }``.
        light_rate: growth of log r in the light test.
        excitations_per_s: of an unshaded nanocrystal in the light test.
        shading: that over the excitations of one in a thick liquid.
        light_factor: lowest and highest effect of an excitation where the laser runs, over that in the test.
    """

    number: Stated
    over: Stated
    ratio: Stated | From
    light_rate: Stated | From
    excitations_per_s: Stated | From
    shading: Annotated[float, Field(ge=1)] = 1.0
    light_factor: Annotated[list[float], Field(min_length=2, max_length=2)] = [1.0, 1.0]


class Laser(Step):
    """A step of kind "laser".

    Attributes:
        tiers: of the model.
        ask: what is known about film and pump.
        shots: a run of shots, or None.
        draws: of what is not known.
        shows: what is drawn: ``"s_curve"`` or ``"area"``.
    """

    kind: Literal["laser"]
    tiers: Annotated[list[str], Field(min_length=1, max_length=2)] = list(TIERS)
    ask: Asked = Asked()
    shots: Shots | None = None
    draws: Annotated[int, Field(ge=16, le=8192)] = 512
    shows: Annotated[str, Field(max_length=20)] = "s_curve"


def _checked(step: Laser) -> None:
    for tier in step.tiers:
        check.one_of(tier, TIERS, f'In the step "{step.name}", the tier')
    if len(set(step.tiers)) != len(step.tiers):
        raise InputError(f'The step "{step.name}" names a tier twice.')
    check.one_of(step.shows, SHOWS, f'In the step "{step.name}", what it shows')


def _inputs(step: Laser) -> list[str]:
    _checked(step)
    return [] if step.shots is None else list(dict.fromkeys(_from(step.shots)))


def _from(shots: Shots) -> list[str]:
    return [v.item for v in (shots.ratio, shots.light_rate, shots.excitations_per_s) if isinstance(v, From)]


def _gives(step: Laser) -> list[str]:
    from perolas.laser.threshold_names import GROUPS, QUANTITIES

    ends = [f"{name}_{end}" for name in _ENDS for end in ("low", "median", "high")]
    each = [f"{tier}_threshold" for tier in step.tiers]
    lines = [f"{tier}_{group}" for tier in step.tiers for group in GROUPS]
    return [*QUANTITIES, *ends, *_MORE, *each, *lines, *(_KEPT if step.shots else ())]


def question_of(step: Laser) -> Any:
    """Return the question of a step, as `perolas.laser.threshold.Question`."""
    from perolas.laser.threshold import Question

    values: dict[str, Any] = {}
    for key, (unit, field) in _KEYS.items():
        stated = getattr(step.ask, key)
        if stated is None:
            continue
        try:
            number = expression.read_number(stated, key).to(unit)
        except InputError:
            raise InputError(f'"{key}" must be in {unit}, but is "{one_line(str(stated), 40)}".') from None
        values[field] = number.value
        if key == "size":
            values["size_std_nm"] = number.std
    for key in ("substrate", "fluence_is"):
        if getattr(step.ask, key) is not None:
            values[key] = getattr(step.ask, key)
    return Question(**values)


def _compute(step: Laser, look: Look) -> StepResult:
    from perolas.laser import threshold
    from perolas.laser.threshold_names import QUANTITIES, key_of
    from perolas.matter.parameters_library import physical_parameter

    _checked(step)
    question = question_of(step)
    found = {tier: threshold.forecast(question, tier, step.draws) for tier in step.tiers}
    pooled = {name: np.concatenate([f.draws[name] for f in found.values()]) for name in QUANTITIES}
    if "diffusion" in found:
        pooled["area_exponent"] = found["diffusion"].draws["area_exponent"]
    quantities: dict[str, Quantity] = {}
    for name, (unit, text) in QUANTITIES.items():
        _put(quantities, step.name, name, pooled[name], unit, text, name in _ENDS)
    low, high = np.percentile(pooled["threshold"], [2.5, 97.5])
    share = 100.0 * float(np.mean([f.lasing_share for f in found.values()]))
    for name, value in (("lasing_share", share), ("width", float(high / low))):
        quantities[name] = Quantity(Written(value, 0.0, _MORE[name][0], {}), _MORE[name][1])
    row = physical_parameter("CsPbBr3.melting_temperature")
    quantities["melting"] = Quantity(
        Written(row.value, row.std, "K", {f"parameter {row.name}": row.std}), _MORE["melting"][1]
    )
    warnings: list[str] = []
    for tier, one in found.items():
        text = f"threshold fluence by the tier {tier}"
        _put(quantities, step.name, f"{tier}_threshold", one.draws["threshold"], "uJ/cm^2", text, False)
        for line in one.budget:
            words = f"share of {line.group} in the variance of log(threshold), with all interplay, tier {tier}"
            std = 100.0 * line.total_error
            name = f"{tier}_{key_of(line.group)}"
            parts = {f"{step.name}.{name}": std} if std else {}
            quantities[name] = Quantity(Written(100.0 * line.total, std, "%", parts), words)
        warnings += [f"Tier {tier}: {sentence}" for sentence in one.sentences]
    if step.shots is not None:
        warnings.append(_kept(step, quantities, pooled["excitations"], question.order, look))
    return StepResult(quantities, _dataset(step, question, found), tuple(warnings))


def _put(into: dict[str, Quantity], step: str, name: str, draws: Draws, unit: str, text: str, ends: bool) -> None:
    """Add the middle of the 95 % band, and its ends and the median where they are wanted."""
    low, median, high = (float(x) for x in np.percentile(draws, [2.5, 50.0, 97.5]))
    std = (high - low) / 2.0 / 1.96
    into[name] = Quantity(
        Written(0.5 * (low + high), std, unit, {f"{step}.{name}": std} if std else {}),
        f"{text}: middle of the 95 % band",
    )
    if ends:
        for end, value in (("low", low), ("median", median), ("high", high)):
            words = "median" if end == "median" else f"{'lower' if end == 'low' else 'upper'} end of the 95 % band"
            into[f"{name}_{end}"] = Quantity(Written(value, 0.0, unit, {}), f"{text}: {words}")


def _kept(step: Laser, into: dict[str, Quantity], excitations: Draws, photons: int, look: Look) -> str:
    """Add what is kept after the shots; return the sentence about it."""
    from perolas.laser.photostability import LightTest, output_kept

    assert step.shots is not None
    shots = step.shots

    def read(given: Stated | From, unit: str, name: str) -> Written:
        return look(given.item).to(unit) if isinstance(given, From) else expression.read_number(given, name).to(unit)

    ratio, rate = read(shots.ratio, "1", "ratio"), read(shots.light_rate, "1/d", "light_rate")
    test = LightTest(
        max(ratio.value, 0.0),
        max(rate.value, 0.0),
        read(shots.excitations_per_s, "1/s", "excitations_per_s").value,
        shots.shading,
        ratio.std,
        rate.std,
    )
    kept = output_kept(
        test,
        excitations,
        read(shots.number, "1", "number").value,
        pump_over_threshold=read(shots.over, "1", "over").value,
        photons=photons,
        surroundings=(shots.light_factor[0], shots.light_factor[1]),
    )
    both = np.concatenate([kept.draws["thin"], kept.draws["thick"]])
    for name, draws in (("kept", both), ("kept_thin", kept.draws["thin"]), ("kept_thick", kept.draws["thick"])):
        _put(into, step.name, name, 100.0 * draws, "%", _KEPT[name][1], False)
    _put(into, step.name, "per_shot", excitations * _over(kept, photons), "1", _KEPT["per_shot"][1], False)
    if kept.verdict == "undetermined":  # then no band stands for both
        middle = into["kept"].number.value
        name = f"{step.name}.kept"
        into["kept"] = Quantity(Written(middle, float("inf"), "%", {name: float("inf")}), _KEPT["kept"][1])
    return kept.sentence


def _over(kept: Any, photons: int) -> float:
    return float(kept.pump_over_threshold**photons)


def _dataset(step: Laser, question: Any, found: dict[str, Any]) -> Any:
    """Return curves for the report: photons against fluence, or threshold against area."""
    import xarray as xr

    from perolas.laser import threshold

    levels = [2.5, 16.0, 50.0, 84.0, 97.5]
    curves, at = [], []
    for tier, one in found.items():
        if step.shows == "s_curve":
            middle = one.band("threshold").median
            x = middle * np.geomspace(0.05, 20.0, 61)
            values = np.log10(threshold.s_curves(one, x))
            curves.append(np.percentile(values, levels, axis=0))
        else:
            x = np.geomspace(30.0, 3e4, 7)
            rows = []
            for area in x:
                there = {"spot_um": 2.0 * float(np.sqrt(area / np.pi))}
                draws = threshold.thresholds(_with(question, there), tier, min(step.draws, 128))
                # what never lases stands at the top, so that the band says so
                most = np.log10(np.max(one.draws["threshold"]))
                rows.append(np.percentile(np.minimum(np.log10(draws), most), levels))
            curves.append(np.array(rows).T)
        at.append(x)
    label = {"s_curve": "fluence (uJ/cm^2)", "area": "area of the spot (um^2)"}[step.shows]
    y = {"s_curve": "log10 of the photons in the mode", "area": "log10 of the threshold in uJ/cm^2"}[step.shows]
    return xr.Dataset(
        {
            "curve": (("run", "percentile", "point"), np.stack(curves), {"units": "1"}),
            "at": (("run", "point"), np.stack(at), {"units": "uJ/cm^2" if step.shows == "s_curve" else "um^2"}),
        },
        coords={"percentile": levels},
        attrs={"plot": "curves", "runs": json.dumps(list(found)), "x_label": label, "y_label": y},
    )


def _with(question: Any, change: dict[str, float]) -> Any:
    from dataclasses import replace

    return replace(question, **change)


def _parameters(step: Laser) -> tuple[str, ...]:
    from perolas.laser.threshold.prediction import PARAMETERS_USED

    return PARAMETERS_USED


def _trace(step: Laser, quantity: str) -> Trace:
    inputs = tuple(_from(step.shots)) if step.shots is not None and quantity in _KEPT else ()
    return Trace(inputs, _parameters(step), True)


def _shaped_by(step: Laser) -> tuple[str, ...]:
    from perolas.matter.ageing import SHAPED_BY

    return SHAPED_BY if step.shots is not None else ()


def _code(step: Laser) -> str:
    lines = ["from perolas.laser.threshold import Question, forecast", "", f"question = {question_of(step)!r}"]
    lines += [f"for tier in {tuple(step.tiers)!r}:", f"    found = forecast(question, tier, {step.draws})"]
    lines += ["    print(tier, found.band('threshold'), 'uJ/cm^2', *found.budget, *found.sentences, sep='\\n  ')"]
    return "\n".join(lines)


register(
    StepKind(
        name="laser",
        model=Laser,
        inputs=_inputs,
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=_trace,
        parameters=_parameters,
        shaped_by=_shaped_by,
    )
)
