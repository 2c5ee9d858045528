"""perolas: simulate, measure and test claims about halide-perovskite nanocrystals.

The public names below are imported when they are first used, so that ``import perolas`` stays fast.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from perolas._version import __version__

# float64 by default, also where jax was imported first.
os.environ.setdefault("JAX_ENABLE_X64", "1")
if "jax" in sys.modules:
    sys.modules["jax"].config.update("jax_enable_x64", True)

_WHERE = {
    "Estimate": "perolas.core.estimate:Estimate",
    "FitError": "perolas.core.errors:FitError",
    "Gaussian": "perolas.core.noise:Gaussian",
    "InputError": "perolas.core.errors:InputError",
    "Joint": "perolas.core.joint:Joint",
    "Peaks": "perolas.measurements.peaks:Peaks",
    "PerolasError": "perolas.core.errors:PerolasError",
    "Poisson": "perolas.core.noise:Poisson",
    "Specimen": "perolas.matter.specimen:Specimen",
    "Trpl": "perolas.measurements.trpl:Trpl",
    "Xps": "perolas.measurements.xps:Xps",
    "fit": "perolas.study.single:fit",
    "formats": "perolas.io:formats",
    "info": "perolas.matter.parameters_library:info",
    "invert": "perolas.core.invert:invert",
    "join": "perolas.core.sharing:join",
    "read": "perolas.study.single:read",
    "run": "perolas.report.whole:run",
    "shares": "perolas.core.sharing:shares",
    "simulate": "perolas.study.single:simulate",
    "technique": "perolas.measurements.registry:technique",
    "techniques": "perolas.measurements.registry:techniques",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'perolas' has no attribute {name!r}")
    module, attribute = _WHERE[name].split(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(__all__) | set(globals()))
