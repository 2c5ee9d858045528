"""The kind of step "modes": films of one kind but other disorder, followed as waves above threshold.

Each film is a part of its own. The pump counts from each film's own threshold: how many modes lase together, and how
spectra depend on the angle, are questions about the waves, whatever fluence the threshold is.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from perolas.core import check
from perolas.core.errors import InputError, StepError
from perolas.study import expression
from perolas.study.expression import Written
from perolas.study.steps import Look, Quantity, StepKind, StepResult, Trace, register
from perolas.study.steps_laser import Asked, Laser, question_of
from perolas.study.tables import Stated, Step

_LEAST = 2  # films, without which there is no error


class Modes(Step):
    """A step of kind "modes".

    Attributes:
        ask: what is known about film and pump; what is not is at its median.
        side: of the square of film, e.g. ``"2.5 um"``.
        films: how many, each of another disorder.
        seed: of the first of them.
        pumps: pump D_0 over each film's threshold, rising, each above 1.
        apart: angle between two spectra that are compared, e.g. ``"10 deg"``.
    """

    kind: Literal["modes"]
    ask: Asked = Asked()
    side: Stated
    films: Annotated[int, Field(ge=_LEAST, le=100_000)] = 3
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    pumps: Annotated[list[Annotated[float, Field(gt=1.0, le=100.0)]], Field(min_length=2, max_length=20)] = [
        1.1,
        1.5,
        2.0,
    ]
    apart: Stated = "10 deg"


_WORDS = {
    "peaks_first": ("1", "modes that lase at the lowest pump"),
    "peaks_last": ("1", "modes that lase at the highest pump"),
    "peaks_rise": ("1", "by how many more lase at the highest pump than at the lowest"),
    "angle_correlation": (
        "1",
        "correlation of the spectra at two angles that far apart; 1 where angle changes nothing",
    ),
    "threshold_gain": ("cm-1", "gain of the packed part of the film at the first threshold"),
    "gain_enough": ("%", "share of the films whose threshold the gain of the nanocrystals reaches at this size"),
}


def _laser(step: Modes) -> Laser:
    return Laser(name=step.name, kind="laser", ask=step.ask)


def _checked(step: Modes) -> tuple[float, float]:
    """Return side and angle."""
    if sorted(set(step.pumps)) != list(step.pumps):
        raise InputError(f'The pumps of the step "{step.name}" must rise.')
    side = check.positive(expression.read_number(step.side, "side").to("um").value, "side", "um")
    apart = check.positive(expression.read_number(step.apart, "apart").to("deg").value, "angle", "deg")
    return side, apart


def _inputs(step: Modes) -> list[str]:
    _checked(step)
    return []


def _part(step: Modes, index: int, look: Look) -> dict[str, Any]:
    from perolas.laser import patch

    side, apart = _checked(step)
    one = patch.patch(question_of(_laser(step)), side)
    film = patch.solve(one, step.seed + index, 3, step.pumps)
    return {
        "modes": film.modes.tolist(),
        "gain": float(film.gain_cm1[0]),
        "enough": bool(math.isfinite(film.fluence_uj_cm2[0])),
        "correlation": None if film.patterns.shape[0] < 2 else patch.angle_correlation(film, apart),
        "lines_nm": [lines.tolist() for lines in film.lines_nm],
    }


def _compute(step: Modes, look: Look, parts: list[dict[str, Any]]) -> StepResult:
    from perolas.laser.patch import Mean

    modes = np.array([part["modes"] for part in parts], dtype=float)
    whole = np.all(modes >= 0, axis=1)
    if whole.sum() < _LEAST:
        raise StepError(f"The modes of {len(parts) - int(whole.sum())} of {len(parts)} films were not found.")
    modes = modes[whole]
    alike = [p["correlation"] for p in parts if p["correlation"] is not None]
    means = {
        "peaks_first": Mean.of(modes[:, 0]),
        "peaks_last": Mean.of(modes[:, -1]),
        "peaks_rise": Mean.of(modes[:, -1] - modes[:, 0]),
        "angle_correlation": Mean.of(alike),
        "threshold_gain": Mean.of([p["gain"] for p in parts]),
        "gain_enough": Mean.of([100.0 * p["enough"] for p in parts]),
    }
    found = {name: _quantity(step.name, name, mean) for name, mean in means.items() if mean.count}
    warnings = []
    if not whole.all():
        warnings.append(f"{int((~whole).sum())} of {whole.size} films are left out: their modes were not found.")
    if not all(p["enough"] for p in parts):
        warnings.append(
            "In a piece of film this small the gain of the nanocrystals does not reach every threshold; the modes are "
            "those of a film pumped so hard over its own threshold, which larger spots reach."
        )
    if len(alike) < len(parts):
        warnings.append(f"{len(parts) - len(alike)} films have fewer than two modes, so no correlation of angles.")
    return StepResult(found, _dataset(step, modes), tuple(warnings))


def _quantity(step: str, name: str, mean: Any) -> Quantity:
    unit, words = _WORDS[name]
    # A sample of films that all agree says no more than that fewer than one in so many does not.
    least = 0.0 if mean.std > 0 or name == "gain_enough" else 1.0 / mean.count
    std = max(mean.std, least) if math.isfinite(mean.std) else math.inf
    return Quantity(Written(mean.value, std, unit, {f"{step}.{name}": std} if std else {}), f"{words}: mean of films")


def _dataset(step: Modes, modes: np.ndarray) -> Any:
    import xarray as xr

    levels = [2.5, 16.0, 50.0, 84.0, 97.5]
    curves = np.percentile(modes, levels, axis=0)
    return xr.Dataset(
        {
            "curve": (("run", "percentile", "point"), curves[None], {"units": "1"}),
            "at": (("run", "point"), np.asarray(step.pumps)[None], {"units": "1"}),
        },
        coords={"percentile": levels},
        attrs={
            "plot": "curves", "runs": json.dumps(["films"]), "x_label": "pump over threshold",
            "y_label": "modes that lase",
        },
    )  # fmt: skip


def _parameters(step: Modes) -> tuple[str, ...]:
    from perolas.laser.threshold.prediction import PARAMETERS_USED

    return PARAMETERS_USED


def _part_recipe(step: Modes, index: int) -> Any:
    """Return what decides a film: a longer ensemble takes over the films of a shorter one."""
    asked = step.model_dump(mode="json", include={"ask", "side", "pumps", "apart"})
    return {"kind": step.kind, **asked, "seed": step.seed + index}


def _code(step: Modes) -> str:
    side, apart = _checked(step)
    return "\n".join(
        [
            "from perolas.laser import patch",
            "from perolas.laser.threshold import Question",
            "",
            f"one = patch.patch({question_of(_laser(step))!r}, {side!r})",
            f"for seed in range({step.seed}, {step.seed + step.films}):",
            f"    film = patch.solve(one, seed, 3, {list(step.pumps)!r})",
            f"    print(film.modes, patch.angle_correlation(film, {apart!r}))",
        ]
    )


register(
    StepKind(
        name="modes",
        model=Modes,
        inputs=_inputs,
        gives=lambda step: list(_WORDS),
        compute=_compute,
        code=_code,
        trace=lambda step, quantity: Trace((), _parameters(step), True),
        parameters=_parameters,
        parts=lambda step: step.films,
        part=_part,
        part_recipe=_part_recipe,
        needs_mb=lambda step: 600.0,
    )
)
