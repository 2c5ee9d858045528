"""10,000 transformations over 48 h, all parameters varied, in one batch, against a loop over scipy's fastest solver.

Both reach the same true error: the loosest tolerance of each solver with which no trajectory of a subset is further
than 1e-7 in X from a reference at 1e-13. The peer is the fastest of RK45, DOP853 and LSODA on a right-hand side in
plain Python floats, in the same smooth variables.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from math import exp, expm1, log1p

import numpy as np

TRAJECTORIES, LOOPED, ROUNDS, ERROR = 10_000, 60, 5, 1e-7
HOURS = np.linspace(0.0, 48.0, 25)
CHUNK = 200
METHODS = ("RK45", "DOP853", "LSODA")


def clocks():
    """Return the time on the wall and the processor's time of this process, s."""
    return np.array([time.perf_counter(), time.process_time()])


def draw(count: int):
    """Return kinetics and conditions as dicts of arrays: dark and lit, seeds, transport, little water, warm."""
    rng = np.random.default_rng(1)

    def decades(low: float, high: float):
        return 10 ** rng.uniform(low, high, count)

    kinetics = {
        "opening_h1": decades(-4.0, -2.0),
        "stripping_h1": decades(0.0, 1.0),
        "ligands_per_photon": decades(-3.5, -1.0),
        "ligands_per_lead": rng.uniform(0.3, 0.6, count),
        "seeds": decades(-6.0, -2.0),
        "opening_energy_kj_mol": rng.uniform(10.0, 60.0, count),
        "stripping_energy_kj_mol": rng.uniform(10.0, 60.0, count),
    }
    conditions = {
        "photons_per_lead_h": np.where(rng.uniform(size=count) < 0.5, 0.0, decades(-0.5, 1.0)),
        "product_thickness": decades(0.0, 2.0),
        "parent_thickness": decades(-2.0, 0.5),
        "solvent_thickness": decades(-2.0, 0.5),
        "bromide_ratio": rng.uniform(0.1, 1.2, count),
        "transport_h": decades(-2.0, 0.5),
        "temperature_k": rng.uniform(293.0, 313.0, count),
    }
    return kinetics, conditions


def right_hand_side(k, c):
    """Return d(sigma, u)/dt in plain Python floats, everything constant taken out."""
    less = (1 / c["temperature_k"] - 1 / 298.15) / 8.31446261815324e-3
    opening = k["opening_h1"] * exp(-k["opening_energy_kj_mol"] * less)
    stripping = k["stripping_h1"] * exp(-k["stripping_energy_kj_mol"] * less)
    light = k["ligands_per_photon"] / k["ligands_per_lead"] * c["photons_per_lead_h"]
    a1, a4, rest = c["product_thickness"], c["parent_thickness"], c["solvent_thickness"]
    delay, ratio, third = stripping * c["transport_h"], c["bromide_ratio"], -stripping / 3

    def slopes(_, y):
        sigma, u = y.tolist()
        u = 0.0 if u < 0.0 else (1.0 if u > 1.0 else u)
        x = 1.0 - u * u * u
        s = -expm1(-sigma)
        total = a1 * x + a4 * (1.0 - x) + rest
        left = 1.0 - (ratio * x) ** 6
        way = u / (u + delay * s) if s > 0 else 1.0
        return (
            opening + light * a1 * x * -expm1(-total) / total,
            third * s * way * left if left > 0 else 0.0,
        )

    return slopes


def peer(method: str, tolerance: float, kinetics, conditions, indices):
    """Return X, shape (m, n), and for each trajectory the seconds and the processor's seconds."""
    from scipy.integrate import solve_ivp

    rows = []
    begin = clocks()
    for i in indices:
        k, c = ({n: float(v[i]) for n, v in part.items()} for part in (kinetics, conditions))
        first = [0.0, exp(log1p(-k["seeds"]) / 3)]
        done = solve_ivp(right_hand_side(k, c), (0, HOURS[-1]), first, method, HOURS, rtol=tolerance, atol=tolerance)
        rows.append(1 - np.maximum(done.y[1], 0.0) ** 3)
    return np.array(rows), (clocks() - begin) / len(rows)


def loosest(solve, truth):
    """Return the loosest tolerance, in sixths of a decade, whose worst error is at most ERROR, and that error."""
    for power in np.arange(6.0, 12.1, 1 / 6):
        worst = float(np.max(np.abs(solve(10**-power) - truth)))
        if worst <= ERROR:
            return 10**-power, worst
    raise RuntimeError("No tolerance reaches the wanted error.")


def run(trajectories: int = TRAJECTORIES, looped: int = LOOPED) -> dict[str, object]:
    """Return one row of the table."""
    from perolas.matter.transformation import Conditions, Kinetics
    from perolas.matter.transformation.batch import conversions

    kinetics, conditions = draw(trajectories)
    subset = np.arange(looped)
    truth, _ = peer("DOP853", 1e-13, kinetics, conditions, subset)

    def ours(count: int, tolerance: float):
        k, c = ({n: v[:count] for n, v in part.items()} for part in (kinetics, conditions))
        return conversions(Kinetics(**k), Conditions(**c), HOURS, tolerance, chunk=CHUNK)

    begin = time.perf_counter()
    ours(CHUNK + 1, 1e-8)
    first = time.perf_counter() - begin
    tolerance, error = loosest(lambda tol: ours(max(looped, CHUNK + 1), tol)[:looped], truth)
    rivals = {}
    for method in METHODS:
        found, worst = loosest(lambda tol, m=method: peer(m, tol, kinetics, conditions, subset)[0], truth)
        _, each = peer(method, found, kinetics, conditions, subset)
        rivals[method] = (float(each[1]), found, worst)
    name = min(rivals, key=lambda n: rivals[n][0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, loops = [], []
    for _ in range(ROUNDS):  # in turns, so that other jobs on the machine slow both alike
        begin = clocks()
        all_of_them = ours(trajectories, tolerance)
        seconds.append((clocks() - begin) / trajectories)
        loops.append(peer(name, rivals[name][1], kinetics, conditions, subset)[1])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mine, theirs = np.median(seconds, axis=0), np.median(loops, axis=0)
    return {
        "benchmark": "transformation, 48 h",
        "ours_us": 1e6 * float(mine[0]),
        "peer": f"scipy {name}",
        "peer_us": 1e6 * float(theirs[0]),
        "ratio": float(theirs[0] / mine[0]),
        "cpu_ratio": float(theirs[1] / mine[1]),
        "error": error,
        "peer_error": rivals[name][2],
        "tolerance": tolerance,
        "peers_us": {n: 1e6 * each for n, (each, _, _) in rivals.items()},
        "peers_tolerance": {n: found for n, (_, found, _) in rivals.items()},
        "converged": float(np.mean(np.all(np.isfinite(all_of_them), axis=1))),
        "compile_s": first,
        "peak_mb": after / 1024,
        "grown_mb": (after - before) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trajectories", type=int, default=TRAJECTORIES)
    parser.add_argument("--looped", type=int, default=LOOPED)
    given = parser.parse_args()
    json.dump(run(given.trajectories, given.looped), sys.stdout)


if __name__ == "__main__":
    main()
