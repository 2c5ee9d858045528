"""The kind of step "ageing": what two samples kept of their emission, and what the law of ageing makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError
from perolas.study import expression
from perolas.study.ageing_curves import kept_curves
from perolas.study.expression import Number, Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.steps_optics import From
from perolas.study.tables import Name, Stated, Step, Table, Text

# name in the study -> unit, whether it must be there
GIVEN = {
    "lifetime_better": ("ns", True),
    "lifetime_other": ("ns", True),
    "kept_better": ("1", True),
    "kept_other": ("1", True),
    "dark": ("d", True),
    "kept_in_light": ("1", False),
    "light": ("d", False),
}
QUANTITIES = {
    "ratio_better": ("1", "non-radiative over radiative rate of the better sample at the start"),
    "ratio_other": ("1", "the same of the other sample"),
    "yield_better": ("%", "emission quantum yield of the better sample at the start"),
    "yield_other": ("%", "the same of the other sample"),
    "emission_at_start": ("1", "emission of the better sample over that of the other at the start"),
    "dark_rate": ("1/d", "growth of the non-radiative rate in the dark"),
    "doubling": ("d", "time in which the non-radiative rate doubles in the dark"),
}
LIGHT = {
    "light_rate": ("1/d", "growth that the light of the light test adds"),
    "light_over_dark": ("1", "growth under that light over growth in the dark"),
}


class Dose(Table):
    """Laser shots.

    Attributes:
        shots: how many.
        excitations_per_shot: mean number of excitations of one nanocrystal by one shot.
        spread: factor by which that may be wrong, either way.
        excitations_per_s: of one nanocrystal in the light test, where nothing shades it.
        shading: factor by which shading may have lowered that.
        light_factor: lowest and highest effect of an excitation in these surroundings, over that in the light test.
    """

    shots: Stated
    excitations_per_shot: Stated | From
    spread: Annotated[float, Field(ge=1)] = 1.0
    excitations_per_s: Stated | From
    shading: Annotated[float, Field(ge=1)] = 1.0
    light_factor: Annotated[list[float], Field(min_length=2, max_length=2)] = [1.0, 1.0]


class Predicted(Table):
    """One prediction: a time in the dark, a time under the light of the light test, or a dose.

    Attributes:
        sample: whose.
        dark, light: how long.
        dose: or laser shots; the prediction is then a band.
        definition: one line.
    """

    sample: Literal["better", "other"] = "better"
    dark: Stated | None = None
    light: Stated | None = None
    dose: Dose | None = None
    definition: Text = ""


class Ageing(Step):
    """A step of kind "ageing".

    Attributes:
        given: what was seen; `GIVEN` lists the names.
        predict: what is to be predicted, in per cent of the emission at the start; a dose gives also NAME_low and
            NAME_high.
    """

    kind: Literal["ageing"]
    given: dict[Name, Stated]
    predict: dict[Name, Predicted] = {}


def _checked(step: Ageing) -> None:
    for name in step.given:
        check.one_of(name, GIVEN, "The observation")
    for name, (_, needed) in GIVEN.items():
        if needed and name not in step.given:
            raise InputError(f"An ageing step needs given.{name}; it has {', '.join(step.given) or 'nothing'}.")
    tested = "kept_in_light" in step.given
    for name, wanted in step.predict.items():
        if name in QUANTITIES or name in LIGHT:
            raise InputError(f'"{name}" is the name of a quantity that the step gives anyway; take another.')
        if sum(x is not None for x in (wanted.dark, wanted.light, wanted.dose)) != 1:
            raise InputError(f'The prediction "{name}" needs exactly one of dark, light and dose.')
        if wanted.dark is None and not tested:
            raise InputError(f'The prediction "{name}" needs a light test: given.kept_in_light and given.light.')


def _inputs(step: Ageing) -> list[str]:
    _checked(step)
    return list(dict.fromkeys(name for wanted in step.predict.values() for name in _from(wanted)))


def _from(wanted: Predicted) -> list[str]:
    dose = wanted.dose
    values = () if dose is None else (dose.excitations_per_shot, dose.excitations_per_s)
    return [v.item for v in values if isinstance(v, From)]


def _gives(step: Ageing) -> list[str]:
    bands = [f"{name}_{end}" for name, w in step.predict.items() if w.dose for end in ("low", "high")]
    return [*QUANTITIES, *(LIGHT if "kept_in_light" in step.given else ()), *step.predict, *bands]


def _compute(step: Ageing, look: Look) -> StepResult:
    import jax.numpy as jnp

    from perolas.matter import ageing_calibration as calibration
    from perolas.matter.ageing import emission_kept, quantum_yield

    seen, sources = _observed(step)
    found = calibration.calibrate(seen)
    lit = len(found.values) == 4
    quantities: dict[str, Quantity] = {}

    def add(name: str, unit: str, definition: str, function: Callable[[Any], Any], own: str = "1") -> None:
        value, stds = found.predict(lambda p: jnp.asarray(function(p)))
        parts = {s: float(std) for s, std in zip(sources, stds, strict=True) if std != 0}
        quantities[name] = Quantity(expression.number(value, parts, own).to(unit), definition)

    row: dict[str, tuple[Callable[[Any], Any], str]] = {
        "ratio_better": (lambda p: p[0], "1"),
        "ratio_other": (lambda p: p[1], "1"),
        "yield_better": (lambda p: quantum_yield(p[0]), "1"),
        "yield_other": (lambda p: quantum_yield(p[1]), "1"),
        "emission_at_start": (lambda p: (1.0 + p[1]) / (1.0 + p[0]), "1"),
        "dark_rate": (lambda p: p[2], "1/d"),
        "doubling": (lambda p: jnp.log(2.0) / p[2], "d"),
        "light_rate": (lambda p: p[3], "1/d"),
        "light_over_dark": (lambda p: (p[2] + p[3]) / p[2], "1"),
    }
    for name, (unit, definition) in {**QUANTITIES, **(LIGHT if lit else {})}.items():
        add(name, unit, definition, row[name][0], row[name][1])
    warnings = list(found.undetermined)
    for name, wanted in step.predict.items():
        if wanted.dose is not None:
            band = _band(found, wanted.dose, look, wanted.sample)
            text = wanted.definition or "emission, and to first order lasing output, that is kept after the dose"
            quantities.update(_band_quantities(step.name, name, band, text))
            if not band.informative:
                warnings.append(f"{name}: what is kept lies anywhere in {band}.")
            continue
        days = _number(wanted.dark if wanted.light is None else wanted.light, "d", "time")
        which, light = (0 if wanted.sample == "better" else 1), wanted.light is not None

        def kept(p: Any, which: int = which, light: bool = light, days: float = days) -> Any:
            return emission_kept(p[which], (p[2] + p[3] if light else p[2]) * days)

        where = "under the light of the light test" if light else "in the dark"
        add(name, "%", wanted.definition or f"emission that the {wanted.sample} sample keeps {where}", kept)
    shown = kept_curves(found, seen.dark_d, seen.light_d if lit else None)
    return StepResult(quantities, shown, tuple(warnings))


def _observed(step: Ageing) -> tuple[Any, list[str]]:
    """Return the observations for the calibration, and what their errors are called."""
    from perolas.matter.ageing_calibration import Observed

    numbers = {k: _renamed(step, k).to(GIVEN[k][0]) for k in step.given}
    ratio = expression.evaluate(
        "a / b", {"a": _renamed(step, "lifetime_better"), "b": _renamed(step, "lifetime_other")}.__getitem__
    )
    light = numbers.get("kept_in_light")
    seen = Observed(
        lifetime_ratio=ratio.value,
        kept_better=numbers["kept_better"].value,
        kept_other=numbers["kept_other"].value,
        dark_d=numbers["dark"].value,
        kept_in_light=None if light is None else light.value,
        light_d=numbers["light"].value if "light" in numbers else None,
        lifetime_ratio_std=ratio.std,
        kept_better_std=numbers["kept_better"].std,
        kept_other_std=numbers["kept_other"].std,
        kept_in_light_std=0.0 if light is None else light.std,
    )
    names = ["lifetime_ratio", "kept_better", "kept_other", *(["kept_in_light"] if light else [])]
    return seen, [f"{step.name}.{name}" for name in names]


def _renamed(step: Ageing, name: str) -> Number:
    read = expression.read_number(step.given[name], name)
    return Number(read.value, read.unit, dict.fromkeys([f"{step.name}.{name}"] * bool(read.parts), read.std))


def _number(given: Stated | From | None, unit: str, name: str, look: Look | None = None) -> float:
    if isinstance(given, From):
        assert look is not None  # predictions of a time take no number of another item
        return look(given.item).to(unit).value
    assert given is not None  # _checked() looked
    return expression.read_number(given, name).to(unit).value


def _band(found: Any, dose: Dose, look: Look, sample: str) -> Any:
    """Return the band after a dose: 95 % of r_0 and of the light rate, and the whole range of what is not known."""
    from perolas.matter.ageing_calibration import dose_band, efficiency_range

    which = 0 if sample == "better" else 1
    ratio, rate = found.values[which], found.values[3]
    ratios = [max(ratio + sign * 1.96 * found.std[which], 0.0) for sign in (-1, 1)]
    rates = [max(rate + sign * 1.96 * found.std[3], 0.0) for sign in (-1, 1)]
    bright = _number(dose.excitations_per_s, "1/s", "excitations_per_s", look)
    phi = [efficiency_range(r, (bright / dose.shading, bright))[i] for i, r in enumerate(rates)]
    low, high = sorted(check.positive(f, "light factor", zero=True) for f in dose.light_factor)
    number = _number(dose.shots, "1", "shots") * _number(dose.excitations_per_shot, "1", "excitations_per_shot", look)
    return dose_band(
        (ratios[0], ratios[1]), (low * phi[0], high * phi[1]), (number / dose.spread, number * dose.spread)
    )


def _band_quantities(step: str, name: str, band: Any, text: str) -> dict[str, Quantity]:
    """Return a band as its ends, and as a middle whose 95 % interval it is."""
    middle, half = 50.0 * (band.low + band.high), 50.0 * (band.high - band.low)
    std = half / 1.96 * (1.0 - 1e-9)  # or rounding would put the lower end below zero
    parts = {f"{step}.{name}": std} if std else {}
    low, high = (
        Quantity(Written(100.0 * end, 0.0, "%", {}), f"{text}: {word} end of the band")
        for end, word in ((band.low, "lower"), (band.high, "upper"))
    )
    return {
        name: Quantity(Written(middle, std, "%", parts), f"{text}: middle of the band"),
        f"{name}_low": low,
        f"{name}_high": high,
    }


def _code(step: Ageing) -> str:
    values = {k: expression.read_number(v, k).to(GIVEN[k][0]).value for k, v in step.given.items()}
    light = f", {values['kept_in_light']!r}, {values['light']!r}" if "light" in values else ""
    return "\n".join(
        [
            "from perolas.matter.ageing_calibration import Observed, calibrate",
            "",
            f"ratio = {values['lifetime_better']!r} / {values['lifetime_other']!r}",
            f"seen = Observed(ratio, {values['kept_better']!r}, {values['kept_other']!r}, {values['dark']!r}{light})",
            "found = calibrate(seen)",
            "print(found.names, found.values, found.undetermined)",
        ]
    )


def _trace(step: Ageing, quantity: str) -> Trace:
    base = quantity.removesuffix("_low").removesuffix("_high")
    wanted = step.predict.get(quantity) or step.predict.get(base)
    return Trace(tuple(_from(wanted)) if wanted else (), (), True)


def _shaped_by(step: Ageing) -> tuple[str, ...]:
    from perolas.matter.ageing import SHAPED_BY

    return SHAPED_BY


register(
    StepKind(
        name="ageing",
        model=Ageing,
        inputs=_inputs,
        gives=_gives,
        compute=_compute,
        code=_code,
        trace=_trace,
        shaped_by=_shaped_by,
    )
)
