"""Detection limits against patterns that were really drawn, and mixtures from 0 to 100 % with honest errors."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.invert import invert
from perolas.core.measurement import simulate
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.measurements import xrd
from perolas.measurements.xrd.detection import (
    Scan,
    conversion_limits,
    detection_limit,
    limit_curve,
    limits_of_estimate,
    mass_fractions,
)
from perolas.measurements.xrd.series import fit_series
from perolas.report.curves import is_curves, plot

PHASES = ("Cs4PbBr6", "CsPbBr3", "CsBr")
SCAN = Scan(span=(11.0, 36.0), step=0.05, background=0.3)


def mixed(weights, counts, march=1.0, background=0.3):
    """The expected pattern of weight fractions; `counts` at the highest point of pure Cs4PbBr6."""
    made = xrd.pattern(
        [xrd.phase(n) for n in PHASES], SCAN.axis(), crystallite_nm=[20.0] * 3, polynomials=1,
        texture={"CsPbBr3": (1, 0, 1)}, march=[1.0, march, 1.0], reach_deg=12.0,
    )  # fmt: skip
    mass = np.asarray(made.weight_per_area * made.volumes_nm3())
    scale = (1 - background) * counts / (np.asarray(made.basis())[0].max() / mass[0])
    return replace(made, area=scale * np.asarray(weights) / mass, background=np.array([background * counts]))


@pytest.mark.full
@pytest.mark.parametrize("march", [1.0, 0.5])
def test_half_of_the_patterns_at_the_limit_show_the_phase(march):
    """By another way: 2,000 drawn patterns, areas by weighted linear least squares in numpy, counted above 3 sigma."""
    counts = 1000.0
    limit = detection_limit("CsPbBr3", counts=counts, march=march, scan=SCAN)
    powder = mixed([1.0, 0.0, 0.0], counts)
    x = np.linspace(-1, 1, SCAN.axis().size)
    rows = np.vstack([np.asarray(powder.basis())[:3], np.polynomial.chebyshev.chebvander(x, 3).T])
    shares = {}
    for share in (0.0, limit):
        expected = np.asarray(mixed([1 - share, share, 0.0], counts, march).expected())
        drawn = np.random.default_rng(1).poisson(expected, (2000, expected.size))
        inverse = np.linalg.inv((rows / expected) @ rows.T)
        area = (drawn / expected) @ rows.T @ inverse
        shares[share] = np.mean(area[:, 1] > 3 * math.sqrt(inverse[1, 1]))
    assert shares[0.0] < 0.01  # 0.13 % by the normal law
    # Here the shape of the matrix is known, in the limit it is fitted as well: a little above one half is right.
    assert 0.44 < shares[limit] < 0.66


def test_limits_fall_with_the_root_of_the_counts():
    """Analytic: well below the matrix, the limit goes as counts to the power of minus one half."""
    seen = limit_curve(scan=SCAN, counts=[1e4, 4e4], textures=[(1.0, (1, 0, 1)), (0.5, (1, 0, 1))])
    middle = seen["curve"].sel(percentile=50.0).values
    assert middle[0, 0] / middle[0, 1] == pytest.approx(2.0, rel=0.05)
    assert middle[1, 0] < middle[0, 0]  # cubes lying flat show their strongest lines more plainly
    band = seen["curve"].values[0, :, 0]
    assert np.all(np.diff(band) > 0)  # at a larger share more patterns show it
    assert band[0] / band[2] == pytest.approx((3 - 1.96) / 3, rel=0.05)  # what three sigma and the normal law make
    assert is_curves(seen)
    assert json.loads(seen.attrs["runs"]) == ["powder", "March-Dollase 0.5, axis 1 0 1"]
    assert plot(seen)["layout"]["xaxis"]["title"]["text"].startswith("counts")


def test_converted_shares_follow_from_weights():
    """Mass is conserved: from weights back to the lead by molar masses, worked out here."""
    weights = np.array(mass_fractions(0.3))
    molar = np.array([xrd.phase(n).molar_mass_g_mol for n in PHASES])
    moles = weights / molar
    assert moles[1] / (moles[0] + moles[1]) == pytest.approx(0.3)
    assert moles[2] == pytest.approx(3 * moles[1])
    found = {"quantities": {f"detection_limit_{n}": {"value": v} for n, v in (("CsPbBr3", 0.02), ("Cs4PbBr6", 0.03))}}
    limits = limits_of_estimate(found)
    assert limits["onset_limit"] == pytest.approx(0.02 * molar[0] / molar[1], rel=1e-3)
    assert limits["completion_limit"] == pytest.approx(0.97, abs=1e-3)  # kept salt: the mass never changes


def test_bad_questions_are_a_sentence():
    for call, sentence in (
        (lambda: detection_limit("CsPbBr4", scan=SCAN), 'did you mean "CsPbBr3"'),
        (lambda: detection_limit("CsPbBr3", {"CsPbBr3": 1.0}), "cannot be part of the matrix"),
        (lambda: detection_limit("CsPbBr3", {"CsBr": 0.0}), "matrix is empty"),
        (lambda: detection_limit(march=20.0, scan=SCAN), "March-Dollase"),
        (lambda: limit_curve(counts=[-1.0]), "positive numbers"),
        (lambda: limit_curve(textures=[]), "at least one texture"),
        (lambda: Scan(step=0.0), "must be positive"),
        (lambda: Scan(span=(20.0, 10.0)), "cannot be looked at"),
        (lambda: limits_of_estimate({"quantities": {}}), "holds no detection limit of CsPbBr3"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()


@pytest.mark.full
def test_limits_of_the_conversion():
    """Few counts see less; the limits are those at which the mixtures of a conversion show in drawn patterns."""
    few, many = (conversion_limits(c, scan=SCAN) for c in (300.0, 1e4))
    assert 0 < many["onset_limit"] < few["onset_limit"] < 0.2
    assert 0.8 < few["completion_limit"] < many["completion_limit"] < 1
    with pytest.raises(InputError, match="count for longer"):
        conversion_limits(1.0, scan=SCAN)


@pytest.mark.full
def test_mixtures_from_0_to_100_percent():
    """Fifteen mixtures on the edges and inside the triangle, twenty patterns each: every area, absent phases included.

    Where a phase is there, its fraction has a pull of mean 0 and spread 1. Where it is not, the fraction sits at its
    bound half the time and has no symmetric error, so what is tested is what is said instead: it is called seen in
    0.13 % of the patterns, and the upper limit at 95 % holds.
    """
    steps = [(i / 4, j / 4, 1 - (i + j) / 4) for i in range(5) for j in range(5 - i)]
    truth = np.repeat(np.array(steps), 20, axis=0)
    rng = np.random.default_rng(7)
    cache = {w: np.asarray(mixed(w, 3000.0).expected()) for w in steps}
    counts = np.array([rng.poisson(cache[tuple(w)]) for w in truth])
    data = make_observation(counts, "two_theta_deg", SCAN.axis(), conditions={"anode": "Cu", "radius_mm": 200.0})
    found = fit_series(data, np.arange(len(truth)), phases=PHASES)
    there = (truth > 0) & (truth < 1)
    pull = ((found.fraction - truth) / found.std)[there]
    assert abs(pull.mean()) < 0.1 + 4 / math.sqrt(pull.size)
    assert abs(pull.std() - 1) < 0.05 + 4 / math.sqrt(2 * pull.size)
    absent = truth == 0
    assert np.mean(found.fraction[absent] > found.limit[absent]) < 0.0013 + 4 * math.sqrt(0.0013 / absent.sum())
    for which in (absent, there):
        held = np.mean(truth[which] <= found.upper[which])
        assert held > 0.95 - 4 * math.sqrt(0.05 * 0.95 / which.sum())
    # The converted share of the lead, where both phases are there, with the error that kinetics take.
    both = (truth[:, 0] > 0) & (truth[:, 1] > 0)
    molar = [xrd.phase(n).molar_mass_g_mol for n in PHASES[:2]]
    lead = truth[:, :2] / molar
    share = (found.converted - lead[:, 1] / np.maximum(lead.sum(axis=1), 1e-300)) / found.converted_std
    assert abs(share[both].std() - 1) < 0.05 + 4 / math.sqrt(2 * both.sum())


@pytest.mark.full
def test_mixtures_with_cells_and_sizes_of_their_own():
    """Each pattern fitted whole (areas, cells, sizes, height error, background), no phase below 5 %."""
    rng = np.random.default_rng(11)
    truth = 0.05 + 0.85 * rng.dirichlet(np.ones(3), 100)
    base = mixed([0.4, 0.3, 0.3], 3000.0)
    areas = np.array([np.asarray(mixed(w, 3000.0).area) for w in truth])
    vectors = {row.field: np.asarray(getattr(base, row.field)) for row in xrd.PARAMETERS if row.vector}
    models = replace(base, **({k: np.tile(v, (100, 1)) for k, v in vectors.items()} | {"area": areas}))
    drawn = np.array(
        [simulate(replace(base, area=a), seed=i)["signal"].values for i, a in enumerate(areas)]
    )  # truth is the start: what is tested here is the error, not the search
    found = invert(models, drawn, solver=xrd.SOLVER, throw=False)
    assert np.all(found.result == "converged")
    column = [found.names.index(f"weight_fraction_{n}") for n in PHASES]
    pull = (found.values[:, column] - truth) / found.std[:, column]
    assert np.all(np.abs(pull.mean(axis=0)) < 0.1 + 4 / math.sqrt(100))
    assert np.all(np.abs(pull.std(axis=0) - 1) < 0.05 + 4 / math.sqrt(200))
