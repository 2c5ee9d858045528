r"""Diffusing light and carriers in time, with saturation: what Letokhov's instability grows into.

.. math::
   \partial_t W &= D \nabla^2 W - W/\tau_\perp + v \sigma (n - n_0) W + \beta n/\tau \\
   \partial_t n &= P(x) - n/\tau - v \sigma (n - n_0) W ,

W photons and n carriers for each volume. The gain sigma (n - n_0) falls as carriers are used up, so that above
threshold the light settles where gain and loss balance. Method of lines on the grid of `diffusion`, solved by scipy's
implicit BDF with the sparse Jacobian written out.

Source: Letokhov 1968; Wiersma and Lagendijk, Phys. Rev. E 1996, 54, 4256, for the coupled equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy import sparse
from scipy.integrate import solve_ivp

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.laser.diffusion import Grid, Medium


@dataclass(frozen=True)
class Gain:
    """The gain medium.

    Attributes:
        cross_section_um2: sigma of stimulated emission, um2.
        lifetime_ps: tau of a carrier, ps.
        transparency_um3: n_0, carriers for each um3 (um2 in a sheet).
        beta: share of spontaneous emission that stays as diffusing light in the band of the gain.
        loss_per_ps: 1 / tau_perp, loss of light out of the plane, 1/ps.
    """

    cross_section_um2: float
    lifetime_ps: float
    transparency_um3: float = 0.0
    beta: float = 1e-3
    loss_per_ps: float = 0.0

    def __post_init__(self) -> None:
        check.positive(self.cross_section_um2, "gain cross-section", "um^2")
        check.positive(self.lifetime_ps, "carrier lifetime", "ps")
        check.positive(self.transparency_um3, "transparency", "um^-3", zero=True)
        check.positive(self.beta, "beta", zero=True)
        check.positive(self.loss_per_ps, "loss", "1/ps", zero=True)
        if self.beta > 1.0:
            raise InputError(f'Argument "beta" is a share and at most 1, but is {self.beta:g}.')


@dataclass(frozen=True)
class Evolution:
    """Light and carriers in time and space; totals are over the grid's volumes.

    Attributes:
        time_ps: shape (t,), ps.
        light: W, shape (t, n), photons for each volume.
        carriers: n, shape (t, n), for each volume.
        emitted: shape (t,), photons that have left so far, by the edge or out of the plane.
        recombined: shape (t,), carriers that were lost otherwise so far.
    """

    time_ps: Float[np.ndarray, " t"]
    light: Float[np.ndarray, "t n"]
    carriers: Float[np.ndarray, "t n"]
    emitted: Float[np.ndarray, " t"]
    recombined: Float[np.ndarray, " t"]


def evolve(
    grid: Grid,
    medium: Medium,
    gain: Gain,
    times_ps: ArrayLike,
    *,
    pump_per_ps: ArrayLike = 0.0,
    carriers: ArrayLike = 0.0,
    light: ArrayLike = 0.0,
    tolerance: float = 1e-8,
) -> Evolution:
    """Return light and carriers in time.

    Args:
        grid: the film or body with its edges.
        medium: in which light diffuses.
        gain: the gain medium.
        times_ps: shape (t,), rising from 0 or later, ps.
        pump_per_ps: P, shape (n,) or one for all, carriers for each volume and ps.
        carriers: n at time 0, shape (n,) or one for all: what a short pulse has made.
        light: W at time 0, shape (n,) or one for all.
        tolerance: relative, of each step.

    Returns:
        The evolution.

    Raises:
        InputError: negative pump, carriers or light, nothing at all to begin with, or times that do not rise.
        FitError: the solver gave up.
    """
    times = check.axis(times_ps, "time")
    if times[0] < 0 or times[-1] < times[0]:
        raise InputError("The times must rise from 0 or later.")
    cells = grid.volumes.size
    pump, n0, w0 = (
        _field(values, name, cells)
        for values, name in ((pump_per_ps, "pump"), (carriers, "carriers"), (light, "light"))
    )
    if not (pump.any() or n0.any() or w0.any()):
        raise InputError("Without pump, carriers or light nothing happens.")
    v, volumes = medium.speed_um_ps, grid.volumes
    flow = medium.diffusion_um2_ps * grid.outflow
    out = np.asarray(flow.sum(axis=0)).ravel() + gain.loss_per_ps * volumes  # what leaves neither stays nor moves on
    spread = sparse.diags_array(1.0 / volumes) @ flow + gain.loss_per_ps * sparse.eye_array(cells)
    coupling = v * gain.cross_section_um2

    def slope(_: float, y: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        w, n = y[:cells], y[cells : 2 * cells]
        stimulated = coupling * (n - gain.transparency_um3) * w
        spontaneous = n / gain.lifetime_ps
        return np.concatenate(
            [
                stimulated + gain.beta * spontaneous - spread @ w,
                pump - spontaneous - stimulated,
                [out @ w, (1.0 - gain.beta) * (volumes @ spontaneous)],
            ]
        )

    def jacobian(_: float, y: Float[np.ndarray, " m"]) -> sparse.csc_matrix:
        w, n = y[:cells], y[cells : 2 * cells]
        by_light, by_carriers = coupling * (n - gain.transparency_um3), coupling * w
        rate = 1.0 / gain.lifetime_ps
        blocks = [
            [sparse.diags_array(by_light) - spread, sparse.diags_array(by_carriers + gain.beta * rate), None],
            [sparse.diags_array(-by_light), sparse.diags_array(-by_carriers - rate), None],
            [sparse.csr_array(out[None, :]), None, None],
            [None, sparse.csr_array((1.0 - gain.beta) * rate * volumes[None, :]), sparse.csr_array((1, 2))],
        ]
        return sparse.csc_matrix(sparse.block_array(blocks))

    scale = max(float(np.max(x)) for x in (n0, w0, pump * gain.lifetime_ps))
    faint = min(float(w0.max()), scale) if w0.any() else 1e-3 * scale  # light that starts weak has to be followed
    found = solve_ivp(
        slope,
        (0.0, float(times[-1])),
        np.concatenate([w0, n0, np.zeros(2)]),
        "BDF",
        times,
        jac=jacobian,
        rtol=tolerance,
        atol=1e-3 * tolerance * np.repeat([faint, scale, scale], [cells, cells, 2]),
    )
    if not found.success:
        raise FitError(f"The equations of light and carriers could not be solved ({found.message}).")
    y = found.y.T
    return Evolution(times, y[:, :cells], y[:, cells : 2 * cells], y[:, -2], y[:, -1])


def _field(values: ArrayLike, name: str, cells: int) -> Float[np.ndarray, " n"]:
    field = np.asarray(values, dtype=float)
    if field.shape not in ((), (cells,)):
        raise InputError(f"The {name} need one value, or one for each of the {cells} cells.")
    if not np.all(np.isfinite(field)) or np.any(field < 0):
        raise InputError(f"The {name} must be zero or positive everywhere.")
    return np.broadcast_to(field, (cells,)).copy()
