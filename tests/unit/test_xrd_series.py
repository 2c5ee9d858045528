"""A series of simulated patterns along a transformation: fractions, onset and completion against what was put in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.matter.specimen import Specimen
from perolas.measurements import xrd
from perolas.measurements.xrd.series import change, fit_series

pytestmark = pytest.mark.full  # a minute of fits

PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr")
CONVERTED = np.array([0.0, 0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def series():
    axis = np.arange(11.0, 35.0, 0.05)
    base = xrd.pattern([xrd.phase(n) for n in PHASES], axis, area=[100.0] * 3, background=[40.0])
    rng = np.random.default_rng(5)
    states = [Specimen.from_conversion(x, 20.0, 20.0) for x in CONVERTED]
    counts = np.array([rng.poisson(np.asarray(base.respond(s).expected())) for s in states])
    data = make_observation(counts, "two_theta_deg", axis, conditions={"anode": "Cu"})
    truth = np.array([np.asarray(s.mass_fractions())[[0, 1, 5]] for s in states])
    return data, fit_series(data, np.arange(10.0), phases=PHASES), truth


def test_fractions_against_time(series):
    """Pulls of all fractions that are free of the bound have a mean near zero and a spread near one."""
    _, found, truth = series
    assert np.all(found.each.result == "converged")
    middle = slice(3, 7)
    pull = ((found.fraction - truth) / found.std)[middle]
    assert np.all(np.abs(pull) < 4.5)
    assert pull.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * pull.size))
    assert np.all(found.fraction[:3, 1] < found.limit[:3, 1])
    assert found.to_dataset()["fraction"].attrs["units"] == "1"


def test_onset_and_completion_are_intervals(series):
    _, found, _ = series
    assert found.onset("CsPbBr3") == (2.0, 3.0)
    assert found.completion("Cs4PbBr6") == (6.0, 7.0)


def test_what_neverchanges_has_no_end():
    times = np.arange(3.0)
    assert change(times, np.array([True, True, True])) == (None, 0.0)
    assert change(times, np.array([False, False, False])) == (2.0, None)


def test_bad_series_are_a_sentence(series):
    data, found, _ = series
    with pytest.raises(InputError, match="need as many rising times"):
        fit_series(data, np.arange(3.0), phases=PHASES)
    with pytest.raises(InputError, match="this is one"):
        fit_series(data.isel(batch=0), np.arange(10.0), phases=PHASES)
    with pytest.raises(InputError, match='did you mean "CsPbBr3"'):
        found.onset("CsPbBr4")
