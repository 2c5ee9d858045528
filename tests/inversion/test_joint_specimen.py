"""One specimen out of several techniques at once: recovered, with honest pulls, better than by the best of them.

Truth is the specimen that made the data. The pulls are over 1,000 sets.
"""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core.invert import invert
from perolas.core.joint import Joint
from perolas.core.measurement import simulate
from perolas.core.parameter import replace
from perolas.core.sharing import shares
from perolas.matter.specimen import Specimen
from perolas.measurements import tem, trpl, xps
from perolas.measurements.xrd import pattern, phase

TRUTH = {"size": 14.0, "size_std": 1.6, "strain": 0.002, "trap_ratio": 1.5, "ligand_coverage": 0.6}
VARIED = tuple(TRUTH)


def specimen(**changed):
    values = TRUTH | changed
    return Specimen.of(
        "CsPbBr3",
        size_nm=values["size"],
        size_std_nm=values["size_std"],
        strain=values["strain"],
        trap_ratio=values["trap_ratio"],
        ligand_coverage=values["ligand_coverage"],
    )


def members(names=("xrd", "tem", "trpl", "xps")):
    line = phase("CsPbBr3")
    lines = pattern([line], np.arange(13.0, 33.0, 0.05), background=[12.0], area=[60.0], crystallite_nm=[18.0])
    crystals = replace(tem.example(), number=jnp.asarray(400.0), edges_nm=jnp.linspace(6.0, 22.0, 33))
    made = {"xrd": lines, "tem": crystals, "trpl": trpl.example(), "xps": xps.example()}
    return {n: made[n] for n in names}


def joint(names=("xrd", "tem", "trpl", "xps"), **changed):
    return Joint.of(members(names), specimen(**changed), varied=VARIED)


def fitted(sets):
    truth = joint()
    return invert(joint(size=13.0, trap_ratio=1.2), simulate(truth, seed=21, batch=sets))


def assert_honest(estimate):
    good = estimate.result == "converged"
    assert good.mean() > 0.99
    for name, value in TRUTH.items():
        i = estimate.names.index(name)
        pull = (estimate.values[good, i] - value) / estimate.std[good, i]
        assert abs(pull.mean()) < 0.1 + 4 / math.sqrt(good.sum()), f"{name}: mean pull {pull.mean():.3f}"
        assert abs(pull.std() - 1) < 0.05 + 4 / math.sqrt(2 * good.sum()), f"{name}: pull spread {pull.std():.3f}"


@pytest.mark.full
def test_the_specimen_comes_back_with_honest_pulls():
    assert_honest(fitted(1000))


@pytest.mark.full
def test_together_beats_the_best_alone_and_shares_tell_why():
    """Truth: the error of a fit that leaves a technique out, from the same data (without noise, so at one point)."""
    whole = joint()
    signal = np.round(np.asarray(whole.expected()))
    best = invert(whole, signal)
    table = {s.parameter: s for s in shares(best)}
    left = tuple(n for n in whole.names if n != "tem")
    without = invert(joint(left), np.concatenate([whole.part(n, signal) for n in left]), throw=False)
    for name in VARIED:
        std, told = without[name].std, table[name].std_without["tem"]
        assert std >= best[name].std * (1 - 1e-3)
        if name != "size_std":  # a line's width alone says little of it, and the rest ends far from the truth
            assert told == pytest.approx(std, rel=0.05), name
    assert table["size"].shares["tem"] + table["size"].shares["xrd"] == pytest.approx(1.0, abs=1e-6)
    assert table["trap_ratio"].shares["trpl"] == pytest.approx(1.0, abs=1e-6)
    assert table["size"].std < min(table["size"].std_without[n] for n in ("xrd", "tem"))
