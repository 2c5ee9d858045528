"""The step "transformation": its numbers against a plain forecast, shared errors, roles, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.matter.transformation.forecast import Bench, Unknowns, calibrate
from perolas.study import steps

TABLE = {
    "name": "t",
    "kind": "transformation",
    "draws": 40,
    "calibrate": {"dark_onset": "8 h", "light_completion": "5 h", "dark": "dark", "light": "light"},
    "vessel": {"lead": "6.67 umol", "volume": "1 mL", "water": "125 uL"},
    "runs": {
        "dark": {"at": {"hour": "60 min"}},
        "light": {"wavelength": "365 nm", "irradiance": "2 mW/cm^2", "exponent": True},
        "blue": {"wavelength": "468 nm", "irradiance": "20 W/m^2"},
    },
}


def computed(**changes):
    step = steps.read_step({**TABLE, **changes})
    found = steps.kind_of(step)
    return step, found, found.compute(step, lambda name: pytest.fail(f"looked for {name}"))


@pytest.fixture(scope="module")
def done():
    return computed()


def test_it_is_the_forecast(done):
    step, found, result = done
    plain = calibrate(Unknowns.draw(40), Bench(), Bench(wavelength_nm=365.0, irradiance_mw_cm2=2.0))
    when = plain.times(Bench())["completion"]
    got = result.quantities["dark_completion"].number
    assert got.value == pytest.approx(np.median(when), rel=1e-9)
    assert got.std == pytest.approx(np.diff(np.percentile(when, [16, 84]))[0] / 2, rel=0.1)  # the line leaves a little
    assert result.quantities["dark_onset"].number.std == 0  # calibrated to it
    assert result.quantities["dark_onset"].number.value == pytest.approx(8.0, abs=1e-4)
    assert set(found.gives(step)) == set(result.quantities)
    assert result.dataset is not None
    assert result.dataset["curve"].shape == (3, 5, 81)


def test_what_two_runs_share_cancels_in_their_difference(done):
    quantities = done[2].quantities
    a, b = quantities["blue_onset"].number, quantities["light_onset"].number
    names = set(a.parts) | set(b.parts)
    difference = np.sqrt(sum((a.parts.get(n, 0.0) - b.parts.get(n, 0.0)) ** 2 for n in names))
    assert difference < 0.6 * np.hypot(a.std, b.std)


def test_its_form_was_chosen_knowing_the_times(done):
    step, found, _ = done
    assert "10.1039/c9na00775j#dark.complete" in found.shaped_by(step)
    # What the study states itself is no parameter of the library: only claims that it `uses` are calibrated.
    assert "transformation.dark_onset" not in found.trace(step, "dark_completion").parameters


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"calibrate": {**TABLE["calibrate"], "dark": "night"}}, 'the run "night" is not known'),
        ({"hold": {"moon": 1.0}}, "moon"),
        ({"vessel": {"water": "0 uL"}}, "Without water"),
        ({"vessel": {"lead": "-1 umol"}}, "lead"),
        ({"vessel": {"water": "1 s"}}, "water"),
        ({"seeds": [0.1, 0.01]}, "rising pair"),
    ],
)
def test_what_is_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        computed(**changes)


@pytest.mark.full
def test_its_code_runs(done):
    step, found, _ = done
    code = found.code(step).replace("draw(40)", "draw(4)")
    exec(compile(code, "step", "exec"), {})
