"""5,000 Pb 4f spectra (281 points, 7 free parameters) by `invert`, against a loop over lmfit on the same model.

Both minimise the same weighted sum of squares from the same start with the same bounds and give standard errors.
The peer is lmfit.minimize with MINPACK's leastsq, its fastest method here, on a residual written in plain numpy.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np

SPECTRA, LOOPED, ROUNDS, COUNTS = 5000, 100, 5, 1e4


def peer(model, start, signals, weights):
    """Return values and standard errors by lmfit, shape (m, 7), and the seconds it took."""
    import lmfit

    energy = np.asarray(model.axis)
    middle, shirley = energy - 0.5 * (energy[0] + energy[-1]), model.background_kind == "shirley"
    split, ratio, share = float(model.splitting_ev), float(model.area_ratio), float(model.lorentz_share)
    steps = np.diff(energy)

    def expected(p):
        p1, p2, a1, a2, fwhm, base, extra = (float(v) for v in p.valuesdict().values())
        x = (energy - np.array([[p1], [p1 + split], [p2], [p2 + split]])) / fwhm
        square = x * x
        lines = share * (2 / np.pi) / (1 + 4 * square)
        lines += (1 - share) * (2 * np.sqrt(np.log(2) / np.pi)) * np.exp(-4 * np.log(2) * square)
        total = np.array([a1, a1 * ratio, a2, a2 * ratio]) @ lines / (fwhm * (1 + ratio))
        if not shirley:
            return total + base + extra * middle
        step = np.concatenate([[0.0], np.cumsum(0.5 * (total[1:] + total[:-1]) * steps)])
        return total + base + extra * step

    values, errors = [], []
    begin = time.perf_counter()
    for signal, weight in zip(signals, weights, strict=True):
        p = lmfit.Parameters()
        for name, value in start.items():
            p.add(name, value=value, min=0.0 if name.startswith(("area", "fwhm", "shirley")) else -np.inf)
        out = lmfit.minimize(
            lambda p, s=signal, w=weight: (expected(p) - s) * w, p, method="leastsq", scale_covar=False
        )
        values.append(list(out.params.valuesdict().values()))
        errors.append([v.stderr if v.stderr is not None else np.nan for v in out.params.values()])
    return np.array(values), np.array(errors), time.perf_counter() - begin


def run(background: str, spectra: int = SPECTRA, looped: int = LOOPED, poisson: bool = False) -> dict[str, object]:
    """Return one row of the table."""
    import jax.numpy as jnp

    from perolas.core.invert import invert
    from perolas.core.measurement import simulate
    from perolas.core.noise import Gaussian, Poisson
    from perolas.core.parameter import replace
    from perolas.core.solver import LevenbergMarquardt
    from perolas.measurements.xps import example

    truth = example(COUNTS, background)
    signals = simulate(truth, seed=1, batch=spectra)["signal"].values
    variance = np.maximum(signals, 1.0)
    names = ("position_1", "position_2", "area_1", "area_2", "fwhm", "background", "shirley")
    if background == "linear":
        names = (*names[:-1], "slope")
    centre = [138.3, 139.3, 1.1 * float(truth.area[0]), 0.8 * float(truth.area[1]), 1.2, 0.9 * COUNTS / 4]
    start = dict(zip(names, [*centre, 0.02 if background == "shirley" else 0.0], strict=True))
    model = replace(
        truth,
        position_ev=jnp.array([start["position_1"], start["position_2"]]),
        area=jnp.array([start["area_1"], start["area_2"]]),
        fwhm_ev=jnp.asarray(start["fwhm"]),
        background_counts=jnp.asarray(start["background"]),
        shirley=jnp.asarray(start.get("shirley", 0.0)),
    )
    solver = LevenbergMarquardt(tol=1e-6)

    def ours(count: int):
        noise = Poisson() if poisson else Gaussian(jnp.asarray(variance[:count]))
        return invert(
            _with_noise(model, noise), signals[:count], free=model.free_by_default, solver=solver, throw=False
        )

    begin = time.perf_counter()
    ours(solver.chunk + 1)
    first = time.perf_counter() - begin
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    weights, seconds, loops, found_by_peer = 1 / np.sqrt(variance), [], [], []
    if not poisson:
        peer(model, start, signals[:2], weights[:2])  # imports and warms up
    for part in range(ROUNDS):  # in turns, so that other jobs on the machine slow both alike
        begin = time.perf_counter()
        estimate = ours(spectra)
        seconds.append((time.perf_counter() - begin) / spectra)
        if not poisson:
            share = slice(part * looped // ROUNDS, (part + 1) * looped // ROUNDS)
            *found, loop = peer(model, start, signals[share], weights[share])
            found_by_peer.append(found)
            loops.append(loop / (share.stop - share.start))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row: dict[str, object] = {
        "benchmark": f"xps, {background}{', Poisson' if poisson else ''}",
        "ours_us": 1e6 * float(np.median(seconds)),
        "compile_s": first,
        "peak_mb": after / 1024,
        "grown_mb": (after - before) / 1024,
        "converged": float(np.mean(estimate.result == "converged")),
    }
    if not poisson:
        values, errors = (np.concatenate([f[i] for f in found_by_peer]) for i in (0, 1))
        found, std = estimate.values[:looped, :7], estimate.std[:looped, :7]
        away = np.max(np.abs(found - values) / std, axis=1)
        row |= {
            "peer": "lmfit",
            "peer_us": 1e6 * float(np.median(loops)),
            "ratio": float(np.median(loops) / np.median(seconds)),
            "same_within_0.01_sigma": float(np.mean(away < 0.01)),
            "median_difference_sigma": float(np.median(away)),
            "median_ratio_of_errors": float(np.nanmedian(errors / std)),
        }
    return row


def _with_noise(model, noise):
    import equinox as eqx

    return eqx.tree_at(lambda m: m.noise, model, noise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("background", choices=("linear", "shirley"))
    parser.add_argument("--spectra", type=int, default=SPECTRA)
    parser.add_argument("--looped", type=int, default=LOOPED)
    parser.add_argument("--poisson", action="store_true")
    given = parser.parse_args()
    json.dump(run(given.background, given.spectra, given.looped, given.poisson), sys.stdout)


if __name__ == "__main__":
    main()
