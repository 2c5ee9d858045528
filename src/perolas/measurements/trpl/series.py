r"""Decays of several samples fitted together: one instrument response, shared physics, some numbers for each sample.

Each sample follows the trapping picture of `perolas.measurements.trpl.model`, with the radiative rate k_r and the
detrapping rate k_d shared by all, and its own trapping ratio k_t/k_r, loss ratio k_x/k_r, amplitude and background.
One decay of two exponentials has three numbers for four rates, so alone it cannot tell a loss from fewer traps. N
decays have 3 N numbers for 2 N + 2, which is enough from two samples on, if they truly share both rates and differ in
their traps. (A decay has k_r + k_t, k_t k_d and k_d + k_x; where only the last differs, the others stay two equations
for three unknowns, and the fit says so.) Three mechanisms are compared: the samples differ in their traps and nothing
is lost (``"traps"``), they have the same traps that lose differently (``"loss"``), or both (``"both"``).

The Fisher information of such a fit is an arrow: blocks for each sample, and a border of what they share. Each step
solves it by its Schur complement, so that work and memory grow with the number of samples and not with its square.
Levenberg-Marquardt with Fisher scoring on the Poisson likelihood, in logarithms of positive parameters.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.estimate import Quantity
from perolas.core.parameter import replace
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.trpl.model import Trpl
from perolas.measurements.trpl.record import Record, record_of
from perolas.measurements.trpl.start import Grid

KINDS = ("traps", "loss", "both")
_MAX_STEPS = 100
_UNITS = {"k_radiative": "1/ns", "k_detrapping": "1/ns", "irf_fwhm": "ns", "shift": "ns", "background": "counts",
          "amplitude": "counts", "trap_ratio": "1", "loss_ratio": "1"}  # fmt: skip
_MEANINGS = {
    "k_radiative": "radiative rate, shared by all samples",
    "k_detrapping": "rate at which a trap gives its carrier back, shared by all samples",
    "irf_fwhm": "full width of the Gaussian instrument response, shared",
    "shift": "shift of the instrument response, shared",
    "trap_ratio": "trapping rate over radiative rate",
    "loss_ratio": "rate at which trapped carriers are lost, over the radiative rate",
    "amplitude": "counts per bin at time zero with a perfect instrument",
    "background": "counts in each bin",
    "tau_mean_amplitude": "amplitude-weighted mean lifetime",
    "tau_mean_intensity": "intensity-weighted mean lifetime, the mean arrival time",
    "quantum_yield": "emission quantum yield that these rates mean, 1 / (1 + r)",
}


def exponentials(rates: dict[str, Array]) -> tuple[Array, Array]:
    """Return lifetimes and shares of the two exponentials of the trapping picture.

    Args:
        rates: k_radiative, k_detrapping (1/ns), trap_ratio, loss_ratio; scalars.

    Returns:
        Lifetimes in ns, the shorter first, and their shares of the amplitude, each of shape (2,).
        Source: Chirvony 2017.
    """
    k_r, k_d = rates["k_radiative"], rates["k_detrapping"]
    k_t, k_x = rates["trap_ratio"] * k_r, rates["loss_ratio"] * k_r
    root = jnp.sqrt((0.5 * (k_r + k_t - k_d - k_x)) ** 2 + k_t * k_d)
    high = 0.5 * (k_r + k_t + k_d + k_x) + root
    low = (k_r * k_d + (k_r + k_t) * k_x) / high
    share = (high - k_d - k_x) / (2.0 * root)
    return jnp.stack([1.0 / high, 1.0 / low]), jnp.stack([share, 1.0 - share])


class Layout(NamedTuple):
    """Which parameters are shared, which belong to each sample, and which are held; names, hashable."""

    shared: tuple[str, ...]
    own: tuple[str, ...]


def layout_of(kind: str, gaussian: bool) -> Layout:
    """Return the parameters of a mechanism; `gaussian`: whether the width of the response is fitted."""
    shared = ["k_radiative", "k_detrapping", "shift", *(["irf_fwhm"] if gaussian else [])]
    own = ["amplitude", "background"]
    (shared if kind == "loss" else own).append("trap_ratio")
    if kind != "traps":
        own.append("loss_ratio")
    return Layout(tuple(shared), tuple(own))


def _values(layout: Layout, u: Array, v: Array) -> dict[str, Array]:
    """Return name -> value of one sample from the solver's numbers: logarithms, but for the shift."""
    both = dict(zip((*layout.shared, *layout.own), jnp.concatenate([u, v]), strict=True))
    return {"loss_ratio": jnp.asarray(0.0)} | {n: x if n == "shift" else jnp.exp(x) for n, x in both.items()}


def _expected(decay: Trpl, layout: Layout, u: Array, v: Array) -> Float[Array, " n"]:
    p = _values(layout, u, v)
    tau, share = exponentials(p)
    fields = {"tau_ns": tau, "amplitude": p["amplitude"] * share, "background": p["background"], "shift_ns": p["shift"]}
    if "irf_fwhm" in p:
        fields["irf_fwhm_ns"] = p["irf_fwhm"]
    return replace(decay, **fields).expected()


class _Local(NamedTuple):
    cost: Array
    g_u: Array
    g_v: Array
    a_uu: Array
    a_uv: Array
    a_vv: Array


@partial(jax.jit, static_argnames=("layout",))
def _cost(decay: Trpl, layout: Layout, counts: Array, u: Array, v: Array) -> Array:
    mean = jax.vmap(lambda own: _expected(decay, layout, u, own))(v)
    return jnp.sum(decay.noise.cost(counts, mean))


def _local(decay: Trpl, layout: Layout, counts: Array, u: Array, v: Array) -> _Local:
    """Return cost, gradient and the blocks of the Fisher information, one sample after the other."""
    size = u.size

    def one(row: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        seen, own = row
        mean, push = jax.linearize(lambda x: _expected(decay, layout, x[:size], x[size:]), jnp.concatenate([u, own]))
        jac = jax.vmap(push)(jnp.eye(size + own.size))
        fisher = (jac * decay.noise.weight(seen, mean)) @ jac.T
        return jnp.sum(decay.noise.cost(seen, mean)), jac @ decay.noise.slope(seen, mean), fisher

    cost, gradient, fisher = jax.lax.map(one, (counts, v))
    return _Local(
        jnp.sum(cost), jnp.sum(gradient[:, :size], axis=0), gradient[:, size:],
        jnp.sum(fisher[:, :size, :size], axis=0), fisher[:, :size, size:], fisher[:, size:, size:],
    )  # fmt: skip


def _arrow(local: _Local, damping: Array) -> tuple[Array, Array]:
    """Solve (A + damping diag A) d = -g by the Schur complement of the samples' blocks."""
    grown = 1.0 + damping + 1e-12
    a_vv = local.a_vv * (1.0 + (grown - 1.0) * jnp.eye(local.a_vv.shape[-1])) + 1e-12 * jnp.eye(local.a_vv.shape[-1])
    a_uu = local.a_uu * (1.0 + (grown - 1.0) * jnp.eye(local.a_uu.shape[-1]))
    right = jnp.concatenate([jnp.swapaxes(local.a_uv, -1, -2), local.g_v[..., None]], axis=-1)
    solved = jnp.linalg.solve(a_vv, right)
    inner, last = solved[..., :-1], solved[..., -1]
    schur = a_uu - jnp.sum(local.a_uv @ inner, axis=0)
    du = -jnp.linalg.solve(schur, local.g_u - jnp.sum(jnp.einsum("nij,nj->ni", local.a_uv, last), axis=0))
    return du, -last - jnp.einsum("nij,j->ni", inner, du)


class _State(NamedTuple):
    u: Array
    v: Array
    local: _Local
    damping: Array
    growth: Array
    steps: Array
    done: Array


@partial(jax.jit, static_argnames=("layout",))
def solve(decay: Trpl, layout: Layout, counts: Array, u: Array, v: Array) -> tuple[Array, Array, _Local, Array, Array]:
    """Find the minimum nearest downhill.

    Args:
        decay: a decay with the samples' bins and response.
        layout: which parameters are shared.
        counts: shape (N, n).
        u: shape (s,), the shared ones at the start, as logarithms but for the shift.
        v: shape (N, q), each sample's own, as logarithms.

    Returns:
        u, v, the local model there, the number of steps, and whether it converged.
    """

    def body(s: _State) -> _State:
        du, dv = _arrow(s.local, s.damping)
        du, dv = jnp.clip(du, -2.0, 2.0), jnp.clip(dv, -2.0, 2.0)
        there = _local(decay, layout, counts, s.u + du, s.v + dv)
        fall = s.local.cost - there.cost
        slope = jnp.sum(du * s.local.g_u) + jnp.sum(dv * s.local.g_v)
        finite = jnp.isfinite(there.cost) & jnp.all(jnp.isfinite(there.g_v)) & jnp.all(jnp.isfinite(du))
        noise = 1e-13 * jnp.abs(s.local.cost) + 1e-12
        take = finite & (fall > -noise)
        done = take & (jnp.abs(slope) < 1e-9 + noise) & (s.damping < 1e-2)
        keep = lambda new, old: jnp.where(take, new, old)  # noqa: E731
        return _State(
            keep(s.u + du, s.u),
            keep(s.v + dv, s.v),
            jax.tree.map(keep, there, s.local),
            jnp.where(take, jnp.maximum(s.damping / 9.0, 1e-12), jnp.maximum(s.damping, 1e-6) * s.growth),
            jnp.where(take, 2.0, s.growth * 2.0),
            s.steps + 1,
            done | (s.damping > 1e12),
        )

    start = _State(
        u,
        v,
        _local(decay, layout, counts, u, v),
        jnp.asarray(1e-3),
        jnp.asarray(2.0),
        jnp.asarray(0),
        jnp.asarray(False),
    )
    end = jax.lax.while_loop(lambda s: ~s.done & (s.steps < _MAX_STEPS), body, start)
    return end.u, end.v, end.local, end.steps, end.done & (end.damping <= 1e12)


@dataclasses.dataclass(frozen=True, eq=False)
class GlobalFit:
    """Decays of several samples fitted together.

    Attributes:
        samples: their names.
        kind: mechanism, one of `KINDS`.
        quantities: shared ones by name, each sample's own as ``name_sample``.
        converged: whether the fit converged.
        steps: of the solver.
        chi2_reduced: Pearson's, per degree of freedom.
        log_likelihood, n_points, n_free: for evidence.
        counts, expected: shape (N, n).
        time: shape (n,), ns.
        undetermined: names whose relative error is above one.
    """

    samples: tuple[str, ...]
    kind: str
    quantities: dict[str, Quantity]
    converged: bool
    steps: int
    chi2_reduced: float
    log_likelihood: float
    n_points: int
    n_free: int
    counts: np.ndarray
    expected: np.ndarray
    time: np.ndarray
    undetermined: tuple[str, ...]

    def __getitem__(self, name: str) -> Quantity:
        """Return a quantity by name; raises InputError for one that is not there."""
        return self.quantities[check.one_of(name, self.quantities, "The quantity")]

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return self.n_free * math.log(self.n_points) - 2.0 * self.log_likelihood

    def to_json(self) -> dict[str, Any]:
        """Return the fit as JSON-like data."""
        return {
            "samples": list(self.samples),
            "kind": self.kind,
            "quantities": {
                n: {k: (None if isinstance(x, float) and not math.isfinite(x) else x) for k, x in vars(q).items()}
                for n, q in self.quantities.items()
            },
            "converged": self.converged,
            "chi2_reduced": self.chi2_reduced,
            "log_likelihood": self.log_likelihood,
            "bic": self.bic,
            "undetermined": list(self.undetermined),
        }

    def __str__(self) -> str:
        """Return a table of all quantities."""
        from perolas.core.tables import with_error

        state = "converged" if self.converged else "not converged"
        head = (
            f"{len(self.samples)} decays together ({self.kind}): {state} after {self.steps} steps, reduced chi-square "
        )
        rows = [f"{head}{self.chi2_reduced:.3f}"]
        width = max(len(n) for n in self.quantities)
        for name, q in self.quantities.items():
            known = math.isfinite(q.std) and q.std < 100.0 * max(abs(q.value), 1e-3)
            shown = with_error(q.value, q.std) if known else "not determined"
            rows.append(f"  {name:<{width}}  {shown} {q.unit if q.unit != '1' else ''}".rstrip())
        if self.undetermined:
            rows.append(f"These decays do not determine {', '.join(self.undetermined)}.")
        return "\n".join(rows)


def fit_together(
    observations: Sequence[xr.Dataset],
    *,
    kind: str = "both",
    names: Sequence[str] = (),
    irf: xr.Dataset | None = None,
    irf_fwhm: float | None = None,
    period: float | None = None,
) -> GlobalFit:
    """Fit decays of several samples together.

    Args:
        observations: decays on the same bins, one for each sample.
        kind: ``"traps"``, ``"loss"`` or ``"both"``: in what the samples differ.
        names: of the samples; by default 1, 2, ...
        irf: measured instrument response of all.
        irf_fwhm: full width of a Gaussian response, ns; None (and no `irf`): it is fitted.
        period: time between pulses, ns.

    Returns:
        The fit, with shared and own rates, both mean lifetimes and the quantum yield of each sample.

    Raises:
        InputError: fewer than two decays, different bins, or data that cannot be used.
    """
    check.one_of(kind, KINDS, "The mechanism")
    records = _records(observations, irf, irf_fwhm, period)
    called = tuple(str(n) for n in names) or tuple(str(i + 1) for i in range(len(records)))
    if len(called) != len(records) or len(set(called)) != len(called):
        raise InputError(f"{len(records)} decays need as many different names, but {len(called)} were given.")
    decay, layout, u, v = _start(records, kind)
    counts = jnp.asarray(np.stack([r.counts for r in records]))
    u, v, local, steps, converged = solve(decay, layout, counts, u, v)
    return _result(decay, layout, counts, (u, v), local, int(steps), bool(converged), called, kind)


def _records(
    observations: Sequence[xr.Dataset], irf: xr.Dataset | None, irf_fwhm: float | None, period: float | None
) -> list[Record]:
    if len(observations) < 2:
        raise InputError("Decays of at least two samples are needed; use the trpl technique for one.")
    records = [record_of(o, irf, irf_fwhm, period, None, "poisson") for o in observations]
    first = records[0]
    for i, other in enumerate(records[1:], 2):
        if other.counts.size != first.counts.size or abs(other.step - first.step) > 1e-6 * first.step:
            raise InputError(
                f"Decay {i} has {other.counts.size} bins of {other.step:g} ns, the first one {first.counts.size} of "
                f"{first.step:g} ns; they must be recorded alike."
            )
    return records


def _start(records: list[Record], kind: str) -> tuple[Trpl, Layout, Array, Array]:
    """Return a decay with the response of all, the layout, and start values from the grid search of each decay."""
    rates, rows, responses = [], [], []
    for record in records:
        grid = Grid(record)
        tau, linear = grid.best(2)
        order = np.argsort(tau)
        tau, a = tau[order], np.maximum(linear[1:][order], 1e-6)
        high, low, share = 1.0 / tau[0], 1.0 / tau[1], a[0] / a.sum()
        back = high - share * (high - low)
        k_r = high * low / back
        rates.append((k_r, back, max((high + low - k_r - back) / k_r, 0.05)))
        rows.append((float(a.sum()), max(float(linear[0]), 0.05)))
        responses.append((grid.shift, grid.width))
    k_r, k_d, trap = (float(np.median(column)) for column in zip(*rates, strict=True))
    shift, width = (float(np.median(column)) for column in zip(*responses, strict=True))
    first = records[0]
    gaussian = not first.irf.size and first.irf_fwhm is None
    layout = layout_of(kind, gaussian)
    values = {"k_radiative": k_r, "k_detrapping": k_d, "shift": shift, "irf_fwhm": width, "trap_ratio": trap}
    decay = Trpl(
        tau_ns=[1.0, 10.0], amplitude=[1.0, 1.0], irf_fwhm_ns=first.irf_fwhm or width, irf=first.irf,
        start_ns=first.start, bin_ns=first.step, period_ns=first.period, bins=first.counts.size,
    )  # fmt: skip
    u = jnp.array([values[n] if n == "shift" else math.log(values[n]) for n in layout.shared])
    own = []
    for (amplitude, background), (_, _, each) in zip(rows, rates, strict=True):
        mine = {"amplitude": amplitude, "background": background, "trap_ratio": each, "loss_ratio": 0.01}
        own.append([math.log(mine[n]) for n in layout.own])
    return decay, layout, u, jnp.array(own)


def _covariance(local: _Local) -> np.ndarray:
    """Return the inverse of the whole Fisher information, shared ones first, shape (s + N q, s + N q)."""
    count, q, s = local.g_v.shape[0], local.g_v.shape[1], local.g_u.size
    whole = np.zeros((s + count * q, s + count * q))
    whole[:s, :s] = local.a_uu
    for i in range(count):
        mine = slice(s + i * q, s + (i + 1) * q)
        whole[:s, mine], whole[mine, :s], whole[mine, mine] = local.a_uv[i], local.a_uv[i].T, local.a_vv[i]
    size = np.sqrt(np.maximum(np.diagonal(whole), 1e-300))
    scaled = whole / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    # What has no information keeps a huge error instead of a wrong small one.
    return np.asarray((vectors / np.maximum(values, 1e-14)) @ vectors.T / np.outer(size, size))


@eqx.filter_jit
def _derived(layout: Layout, u: Array, v: Array) -> Array:
    p = _values(layout, u, v)
    tau, share = exponentials(p)
    back = p["k_detrapping"] / p["k_radiative"]
    ratio = p["trap_ratio"] * p["loss_ratio"] / (back + p["loss_ratio"])
    return jnp.stack([share @ tau, (share @ tau**2) / (share @ tau), 1.0 / (1.0 + ratio)])


def _result(
    decay: Trpl,
    layout: Layout,
    counts: Array,
    ends: tuple[Array, Array],
    local: _Local,
    steps: int,
    converged: bool,
    names: tuple[str, ...],
    kind: str,
) -> GlobalFit:
    u, v = ends
    s, q = u.size, v.shape[1]
    covariance = _covariance(jax.tree.map(np.asarray, local))
    std = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    found: dict[str, Quantity] = {}

    def put(name: str, key: str, x: float, error: float) -> None:
        value = x if name == "shift" else math.exp(x)
        found[key] = Quantity(value, error if name == "shift" else value * error, _UNITS[name], _MEANINGS[name])

    for i, name in enumerate(layout.shared):
        put(name, name, float(u[i]), float(std[i]))
    for i, sample in enumerate(names):
        for j, name in enumerate(layout.own):
            put(name, f"{name}_{sample}", float(v[i, j]), float(std[s + i * q + j]))
        columns = [*range(s), *range(s + i * q, s + (i + 1) * q)]
        value = np.asarray(_derived(layout, u, v[i]))
        slope = np.asarray(jax.jacfwd(lambda x: _derived(layout, x[:s], x[s:]))(jnp.concatenate([u, v[i]])))
        error = np.sqrt(np.maximum(np.diagonal(slope @ covariance[np.ix_(columns, columns)] @ slope.T), 0.0))
        for k, name in enumerate(("tau_mean_amplitude", "tau_mean_intensity", "quantum_yield")):
            unit = "1" if name == "quantum_yield" else "ns"
            found[f"{name}_{sample}"] = Quantity(float(value[k]), float(error[k]), unit, _MEANINGS[name])
    mean = np.asarray(jax.vmap(lambda own: _expected(decay, layout, u, own))(v))
    seen = np.asarray(counts)
    free = s + v.size
    return GlobalFit(
        names, kind, found, converged, steps,
        float(np.sum((seen - mean) ** 2 / mean) / max(seen.size - free, 1)),
        float(decay.noise.log_likelihood(counts, jnp.asarray(mean))),
        int(seen.size), int(free), seen, mean, np.asarray(decay.axis),
        tuple(n for n, x in found.items() if not x.std < abs(x.value) and n != "shift"),
    )  # fmt: skip


def compare_mechanisms(
    observations: Sequence[xr.Dataset], **options: Any
) -> tuple[dict[str, GlobalFit], list[dict[str, Any]]]:
    """Fit every mechanism to the same decays and weigh them.

    Args:
        observations: as for `fit_together`.
        options: as for `fit_together`, without `kind`.

    Returns:
        The fits by mechanism, and one row for each: kind, bic, delta_bic, chi2_reduced, free, converged.

    Raises:
        InputError: as for `fit_together`.
    """
    fits = {kind: fit_together(observations, kind=kind, **options) for kind in KINDS}
    good = [f.bic for f in fits.values() if f.converged] or [math.nan]
    rows = [
        {
            "kind": kind, "bic": f.bic, "delta_bic": f.bic - min(good), "chi2_reduced": f.chi2_reduced,
            "free": f.n_free, "converged": f.converged,
        }
        for kind, f in fits.items()
    ]  # fmt: skip
    return fits, rows


def library_rates(trap_ratio: float, loss_ratio: float = 0.0) -> dict[str, Array]:
    """Return the rates of a sample with the library's radiative and detrapping rates, for `exponentials`."""
    return {
        "k_radiative": jnp.asarray(parameter_value("CsPbBr3.radiative_rate")),
        "k_detrapping": jnp.asarray(parameter_value("CsPbBr3.detrapping_rate")),
        "trap_ratio": jnp.asarray(check.positive(trap_ratio, "trap_ratio", zero=True)),
        "loss_ratio": jnp.asarray(check.positive(loss_ratio, "loss_ratio", zero=True)),
    }
