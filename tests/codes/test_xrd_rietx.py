"""Full patterns and refinements against rietx, which refines structures by Rietveld's method (another code).

The same structures, tube, profile and background go to both (benchmarks/xrd_in_rietx.py); anomalous scattering, which
perolas has not, is switched off there. What is left is form factors (both International Tables C, but rietx computes
further digits of its own), and how far from its centre each code follows a line.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from perolas.core.observation import make_observation
from perolas.measurements import xrd

pytestmark = pytest.mark.full  # rietx takes seconds for each fit
PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr")
AXIS = np.arange(10.0, 60.0, 0.025)
FREE = [
    "phases.*.scale", "phases.*.lor_size", "phases.*.cell.*", "instrument.geometry.sample_displacement",
    "instrument.background.*",
]  # fmt: skip


@pytest.fixture
def bridge(monkeypatch, tmp_path):
    """The helper of the benchmarks, in an empty folder and with telemetry off: rietx writes into the current one."""
    if find_spec("rietx") is None:
        if "rietx" in os.environ.get("PEROLAS_REQUIRE", "").split(","):
            pytest.fail("rietx is not installed, and PEROLAS_REQUIRE asks for it")
        pytest.skip("rietx is not installed (it is in the extra test)")
    monkeypatch.setenv("RIETX_TELEMETRY", "off")
    monkeypatch.chdir(tmp_path)
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "xrd_in_rietx.py"
    spec = importlib.util.spec_from_file_location("xrd_in_rietx", path)
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "xrd_in_rietx", made)
    spec.loader.exec_module(made)
    return made


def plan(free):
    import rietx as rx

    return rx.RefinementPlan(stages=[rx.Stage("all", list(free))])


@pytest.mark.parametrize("name", PHASES)
def test_a_pattern_without_noise_is_theirs(name, bridge, tmp_path):
    """Scale fitted, all else held at the same values: within 0.5 % of the highest point everywhere."""
    import rietx as rx

    found = xrd.phase(name)
    made = xrd.pattern([found], AXIS, area=[500.0], crystallite_nm=[20.0], background=[50.0])
    counts = np.asarray(made.expected())
    structure, instrument = bridge.model([found], xrd.Instrument(), tmp_path, polynomials=1)
    refinement = rx.Refinement(structure, instrument, history=False)
    refinement.set_values(
        {"phases.0.lor_size": float(np.rad2deg(0.9 * 0.1540593 / 20.0)), "instrument.background.c0": 50.0}
    )
    result = refinement.fit(bridge.pattern(AXIS, counts), plan=plan(["phases.*.scale"]), telemetry=False)
    assert np.allclose(result.two_theta, AXIS)
    assert np.max(np.abs(np.asarray(result.y_calc) - counts)) < 0.005 * counts.max()


def test_a_mixture_is_refined_alike(bridge, tmp_path):
    """Nineteen parameters free in both: values within a standard error, errors within 20 %.

    rietx inflates its errors for serial correlation; its factor is taken out. The truth is within four errors of both.
    """
    import rietx as rx

    crystals = [xrd.phase(n) for n in PHASES]
    made = xrd.pattern(
        crystals, AXIS, area=[800.0, 600.0, 500.0], crystallite_nm=[20.0] * 3, background=[50.0, 0, 0, 0, 0, 0],
        displacement_mm=0.05,
    )  # fmt: skip
    counts = np.random.default_rng(3).poisson(np.asarray(made.expected())).astype(float)
    structure, instrument = bridge.model(crystals, xrd.Instrument(), tmp_path, polynomials=6)
    refinement = rx.Refinement(structure, instrument, history=False)
    wide = float(np.rad2deg(0.9 * 0.1540593 / 20.0))
    refinement.set_values({f"phases.{i}.lor_size": wide for i in range(3)} | {"instrument.background.c0": 50.0})
    data = bridge.pattern(AXIS, counts)
    refinement.fit(data, plan=plan([FREE[0], FREE[-1]]), telemetry=False)
    result = refinement.fit(data, plan=plan(FREE), telemetry=False)
    inflation = float(result.statistics.esd_inflation or 1.0)
    observation = make_observation(
        counts, "two_theta_deg", AXIS, variance=np.maximum(counts, 1.0), conditions={"anode": "Cu", "radius_mm": 200.0}
    )
    ours = xrd.fit(observation, phases=PHASES, background=6)
    theirs = {}
    for quantity, phase in zip(result.qpa.phases, refinement.fitted_structure.phases, strict=True):
        theirs[f"weight_fraction_{phase.name}"] = (quantity.weight_fraction, quantity.weight_fraction_stderr)
        theirs[f"cell_a_{phase.name}"] = (phase.cell.a.value / 10, phase.cell.a.stderr / 10)
        size = np.rad2deg(0.9 * 0.1540593) / phase.lor_size.value
        theirs[f"crystallite_size_{phase.name}"] = (size, size * phase.lor_size.stderr / phase.lor_size.value)
    truth = {k: float(v) for k, v in made.derived().items() if k.startswith("weight_fraction")}
    for name, (value, std) in theirs.items():
        mine = ours[name]
        assert abs(value - mine.value) < mine.std, name
        assert std / inflation == pytest.approx(mine.std, rel=0.2), name
        if name in truth:
            assert abs(mine.value - truth[name]) < 4 * mine.std
    shift = refinement.fitted_instrument.geometry.sample_displacement
    assert abs(shift.value - ours["displacement"].value) < ours["displacement"].std
    assert not list(tmp_path.rglob(".rietx*"))  # it wrote nothing down
