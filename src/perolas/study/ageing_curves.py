"""What two samples keep of their emission, as curves with their error over the times that were tested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from perolas.matter.ageing_calibration import Calibration

_POINTS = 61
_SPREAD = np.array([-1.959964, -0.994458, 0.0, 0.994458, 1.959964])[:, None]
_LABELS = {"dark": "in the dark", "light": "under the light of the light test"}


def kept_curves(found: Calibration, dark_d: float, light_d: float | None) -> xr.Dataset:
    """Return how the emission of both samples falls in the dark, and under the light of the light test.

    Args:
        found: the calibrated law.
        dark_d: how long to look in the dark, d.
        light_d: how long under the light, d; None where there was no light test.

    Returns:
        A dataset that asks to be drawn as curves: per cent of the emission at the start against hours, with bands of
        68 and 95 % by the errors of the observations, to first order.
    """
    import jax
    import jax.numpy as jnp
    import xarray

    from perolas.matter.ageing import emission_kept

    runs, curves, times = [], [], []
    at = jnp.asarray(found.values)
    for where, days in (("dark", dark_d), ("light", light_d)):
        if days is None:
            continue
        t = jnp.linspace(0.0, days, _POINTS)
        for which, sample in enumerate(("better", "other")):

            def kept(p: jax.Array, which: int = which, where: str = where, t: jax.Array = t) -> jax.Array:
                return emission_kept(p[which], (p[2] + p[3] if where == "light" else p[2]) * t)

            slope = np.asarray(jax.jacfwd(kept)(at)) @ found.jacobian * found.observed.std
            std = np.sqrt(np.sum(slope**2, axis=1))
            runs.append(f"{sample}, {_LABELS[where]}")
            curves.append(100.0 * np.clip(np.asarray(kept(at)) + _SPREAD * std, 0.0, 1.0))
            times.append(24.0 * np.asarray(t))
    return xarray.Dataset(
        {
            "curve": (("run", "percentile", "point"), np.array(curves), {"units": "%"}),
            "at": (("run", "point"), np.array(times), {"units": "h"}),
        },
        coords={"percentile": [2.5, 16.0, 50.0, 84.0, 97.5]},
        attrs={
            "plot": "curves", "runs": json.dumps(runs), "x_label": "time (h)",
            "y_label": "emission kept (%)",
        },
    )  # fmt: skip
