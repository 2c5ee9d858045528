"""A global fit of 20 decays of 4,096 channels (shared rates and response), against lmfit doing the same.

Both minimise the same weighted sum of squares (Gaussian noise of known variance, so that least squares is exact) from
the same start in the same parameters, and give standard errors. The peer is lmfit.minimize with MINPACK's leastsq on a
residual in plain numpy and scipy; it runs once, because it takes that long.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np

DECAYS, BINS, STEP, FWHM, ROUNDS = 20, 4096, 0.5, 1.0, 5
SHARED = ("k_radiative", "k_detrapping", "shift")
OWN = ("amplitude", "background", "trap_ratio", "loss_ratio")


def peer(counts, weight, start_shared, start_own):
    """Return values and standard errors by lmfit, and the seconds and evaluations it took."""
    import lmfit
    from scipy.special import erfcx, ndtr

    edges = np.arange(BINS + 1) * STEP
    sigma = FWHM / np.sqrt(8 * np.log(2))

    def integral(t, tau):
        """The integral of the blurred decay up to t: tau [Phi(z) - exp(s^2/2tau^2 - t/tau) Phi(z - s/tau)]."""
        z = t / sigma
        x = (sigma / tau - z) / np.sqrt(2)
        small = 0.5 * np.exp(-0.5 * z**2) * erfcx(np.maximum(x, -5))
        large = np.exp(np.minimum(0.5 * (sigma / tau) ** 2 - t / tau, 50)) * ndtr(-x * np.sqrt(2))
        return tau * (ndtr(z) - np.where(x > -5, small, large))

    def expected(p):
        k_r, k_d, shift = np.exp(p[0]), np.exp(p[1]), p[2]
        own = np.exp(p[3:].reshape(-1, 4))
        k_t, k_x = own[:, 2] * k_r, own[:, 3] * k_r
        root = np.sqrt((0.5 * (k_r + k_t - k_d - k_x)) ** 2 + k_t * k_d)
        high = 0.5 * (k_r + k_t + k_d + k_x) + root
        low = (k_r * k_d + (k_r + k_t) * k_x) / high
        share = (high - k_d - k_x) / (2 * root)
        t = (edges - shift)[None, :]
        fast, slow = integral(t, 1 / high[:, None]), integral(t, 1 / low[:, None])
        total = share[:, None] * fast + (1 - share)[:, None] * slow
        return own[:, :1] * np.diff(total, axis=1) / STEP + own[:, 1:2]

    p = lmfit.Parameters()
    for i, value in enumerate(np.concatenate([start_shared, start_own.ravel()])):
        p.add(f"p{i}", value=float(value))
    begin = time.perf_counter()
    out = lmfit.minimize(
        lambda q: ((expected(np.array(list(q.valuesdict().values()))) - counts) * weight).ravel(),
        p, method="leastsq", scale_covar=False,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    errors = [v.stderr if v.stderr is not None else np.nan for v in out.params.values()]
    return np.array(list(out.params.valuesdict().values())), np.array(errors), seconds, int(out.nfev)


def run(decays: int = DECAYS, with_peer: bool = True) -> dict[str, object]:
    """Return one row of the table."""
    import jax
    import jax.numpy as jnp

    from perolas.core.noise import Gaussian
    from perolas.measurements.trpl.model import Trpl
    from perolas.measurements.trpl.series import Layout, _covariance, _expected, solve

    layout = Layout(SHARED, OWN)
    rng = np.random.default_rng(1)
    truth_shared = np.array([np.log(0.1), np.log(0.0065), 50.0])
    truth_own = np.log(
        np.stack(
            [
                rng.uniform(2e3, 2e4, decays), rng.uniform(5, 20, decays),
                rng.uniform(0.6, 2.0, decays), rng.uniform(0.004, 0.03, decays),
            ],
            axis=1,
        )
    )  # fmt: skip
    plain = Trpl(tau_ns=[1.0, 2.0], amplitude=[1.0, 1.0], irf_fwhm_ns=FWHM, bin_ns=STEP, bins=BINS)
    mean = np.asarray(
        jax.vmap(lambda v: _expected(plain, layout, jnp.asarray(truth_shared), v))(jnp.asarray(truth_own))
    )
    counts = rng.poisson(mean).astype(float)
    # One variance for each channel, for all decays alike: the mean of what was counted there.
    variance = np.maximum(counts.mean(axis=0), 1.0)
    decay = Trpl(
        tau_ns=[1.0, 2.0], amplitude=[1.0, 1.0], irf_fwhm_ns=FWHM, bin_ns=STEP, bins=BINS,
        noise=Gaussian(jnp.asarray(variance)),
    )  # fmt: skip
    start_shared = truth_shared + np.array([0.2, -0.2, 0.15])
    start_own = truth_own + np.array([0.15, 0.2, -0.2, 0.3]) * rng.choice([-1, 1], truth_own.shape)
    given = (jnp.asarray(counts), jnp.asarray(start_shared), jnp.asarray(start_own))
    begin = time.perf_counter()
    jax.block_until_ready(solve(decay, layout, *given))
    first = time.perf_counter() - begin
    seconds = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        u, v, local, steps, converged = solve(decay, layout, *given)
        covariance = _covariance(jax.tree.map(np.asarray, local))
        seconds.append(time.perf_counter() - begin)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours, std = np.concatenate([u, np.asarray(v).ravel()]), np.sqrt(np.diagonal(covariance))
    row: dict[str, object] = {
        "benchmark": f"trpl, {decays} decays together",
        "ours_us": 1e6 * float(np.median(seconds)),
        "compile_s": first,
        "steps": int(steps),
        "converged": float(bool(converged)),
        "peak_mb": after / 1024,
        "grown_mb": (after - before) / 1024,
    }
    if with_peer:
        weight = 1.0 / np.sqrt(variance)[None, :]
        values, errors, loop, evaluations = peer(counts, weight, start_shared, start_own)
        away = np.abs(ours - values) / std
        row |= {
            "peer": "lmfit",
            "peer_us": 1e6 * loop,
            "peer_evaluations": evaluations,
            "ratio": loop / float(np.median(seconds)),
            "same_within_0.01_sigma": float(np.mean(away < 0.01)),
            "largest_difference_sigma": float(np.max(away)),
            "median_ratio_of_errors": float(np.nanmedian(errors / std)),
            "extreme_ratios_of_errors": [float(np.nanmin(errors / std)), float(np.nanmax(errors / std))],
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decays", type=int, default=DECAYS)
    parser.add_argument("--alone", action="store_true", help="without lmfit")
    given = parser.parse_args()
    json.dump(run(given.decays, not given.alone), sys.stdout)


if __name__ == "__main__":
    main()
