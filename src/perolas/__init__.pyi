from perolas._version import __version__
from perolas.core.errors import FitError, InputError, PerolasError
from perolas.core.estimate import Estimate
from perolas.core.invert import invert
from perolas.core.joint import Joint
from perolas.core.noise import Gaussian, Poisson
from perolas.core.sharing import join, shares
from perolas.io import formats
from perolas.matter.parameters_library import info
from perolas.matter.specimen import Specimen
from perolas.measurements.peaks import Peaks
from perolas.measurements.registry import technique, techniques
from perolas.measurements.trpl import Trpl
from perolas.measurements.xps import Xps
from perolas.report.whole import run
from perolas.study.single import fit, read, simulate

__all__ = [
    "Estimate",
    "FitError",
    "Gaussian",
    "InputError",
    "Joint",
    "Peaks",
    "PerolasError",
    "Poisson",
    "Specimen",
    "Trpl",
    "Xps",
    "__version__",
    "fit",
    "formats",
    "info",
    "invert",
    "join",
    "read",
    "run",
    "shares",
    "simulate",
    "technique",
    "techniques",
]
