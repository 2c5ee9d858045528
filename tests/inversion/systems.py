"""Systems that know their answer: one for each registered technique.

A technique without a system here fails the test, so nothing enters the registry untested.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from perolas.core.parameter import replace
from perolas.measurements.registry import technique


@dataclasses.dataclass(frozen=True)
class System:
    """A measurement with known parameters, and how to make it faint, wrong, or look at a specimen.

    Attributes:
        name: the technique.
        scaled: returns the measurement with the given number of counts in its highest bin.
        wrong: returns a measurement whose signal the technique's own model cannot describe.
        fit: names that the fit varies; None: the table's choice.
        fix: names held.
        dear: parameters whose coverage is counted where a fit takes a tenth of a second: a thousand sets are then drawn
            at 1e4 counts alone and 200 elsewhere (100 in the quick tests); empty: all, and a thousand sets everywhere.
    """

    name: str
    scaled: Callable[[float], Any]
    wrong: Callable[[float], Any]
    free: tuple[str, ...] | None = None
    fix: tuple[str, ...] = ()
    dear: tuple[str, ...] = ()

    @property
    def truth(self) -> Any:
        """Return the measurement as the technique itself proposes it."""
        return technique(self.name).load().example()


def _scale(name: str, linear: tuple[str, ...]) -> Callable[[float], Any]:
    """Return a function that scales the fields in which the signal is linear to a number of counts at the peak."""

    def scaled(counts: float) -> Any:
        truth = technique(name).load().example()
        factor = counts / float(jnp.max(truth.expected()))
        return replace(truth, **{field: getattr(truth, field) * factor for field in linear})

    return scaled


def _wrong(name: str, linear: tuple[str, ...], change: Callable[[Any], Any]) -> Callable[[float], Any]:
    return lambda counts: change(_scale(name, linear)(counts))


def _with_a_fourth_line(m: Any) -> Any:
    """Return the spectrum with one more line than the model has, where no other line can take it in."""
    more = {"position": 100.0, "area": 0.3 * m.area[0], "fwhm_gauss": 5.0, "fwhm_lorentz": 4.0}
    return replace(m, **{field: jnp.append(getattr(m, field), value) for field, value in more.items()})


TRPL = ("amplitude", "background", "scatter")
XPS = ("area", "background_counts", "slope")
PEAKS = ("area", "background")
XRD = ("area", "background")
EMISSION = ("scale", "background")
TEM = ("number",)
HRTEM = ("amplitude",)

STABILITY = ("scale", "background")
PL = ("area", "background")
RAMAN = ("area", "background")


def _photocurrent(counts: float) -> Any:
    """Return the trace with a noise of one part in sqrt(counts) of its highest current, as so many counts have."""
    truth = technique("photocurrent").load().example()
    size = jnp.max(truth.expected()) ** 2 / counts
    return eqx.tree_at(lambda m: m.noise.variance, truth, jnp.full_like(truth.noise.variance, size))


def _absorption(counts: float) -> Any:
    """Return the spectrum with a noise of one part in 10 sqrt(counts) of its highest absorbance: 1e-3 for 1e4."""
    truth = technique("absorption").load().example()
    size = jnp.max(truth.expected()) ** 2 / (100.0 * counts)
    return eqx.tree_at(lambda m: m.noise.variance, truth, jnp.full_like(truth.noise.variance, size))


def _ftir(counts: float) -> Any:
    """Return the spectrum with a noise of one part in sqrt(counts) of its highest absorbance."""
    truth = technique("ftir").load().example()
    size = jnp.max(truth.expected()) ** 2 / counts
    return eqx.tree_at(lambda m: m.noise.variance, truth, jnp.full_like(truth.noise.variance, size))


SYSTEMS = {
    # Wrong: light scattered from the laser, which the model has but does not fit by default.
    "trpl": System(
        "trpl", _scale("trpl", TRPL), _wrong("trpl", TRPL, lambda m: replace(m, scatter=3 * jnp.max(m.expected())))
    ),
    # Wrong: the two lines of a doublet further apart than physics allows.
    "xps": System(
        "xps",
        _scale("xps", XPS),
        _wrong("xps", XPS, lambda m: replace(m, splitting_ev=m.splitting_ev + 0.4)),
        fix=("slope",),
    ),
    # Wrong: one of the lines is not in the model that is fitted.
    "peaks": System(
        "peaks",
        _scale("peaks", PEAKS),
        _wrong("peaks", PEAKS, _with_a_fourth_line),
    ),
    # Wrong: the strongest line has twice the intensity that its structure allows.
    "xrd": System(
        "xrd",
        _scale("xrd", XRD),
        _wrong("xrd", XRD, lambda m: replace(m, strength=m.strength.at[jnp.argmax(m.strength)].multiply(2.0))),
    ),
    # Wrong: more photons for each excitation than the fit holds.
    "emission": System(
        "emission",
        _scale("emission", EMISSION),
        _wrong("emission", EMISSION, lambda m: replace(m, exponent=jnp.asarray(1.5))),
    ),
    # Wrong: the smaller crystals are lost, although the model takes them for counted.
    "tem": System(
        "tem", _scale("tem", TEM), _wrong("tem", TEM, lambda m: replace(m, chance=m.chance * (m.chance < 0.68)))
    ),
    # Wrong: one half of the crystal is shifted by half a plane against the other (an antiphase boundary).
    "hrtem": System(
        "hrtem",
        _scale("hrtem", HRTEM),
        _wrong("hrtem", HRTEM, lambda m: replace(m, envelope=m.envelope * jnp.sign(m.x_nm))),
    ),
    # Wrong: the photocurrent fades, which the model has but does not fit by default.
    "photocurrent": System(
        "photocurrent", _photocurrent, lambda counts: replace(_photocurrent(counts), fading=jnp.asarray(0.01))
    ),
    # Wrong: the bands are Lorentzian, which the model has but does not fit by default.
    "ftir": System("ftir", _ftir, lambda counts: replace(_ftir(counts), lorentz_share=jnp.asarray(1.0))),
    # Wrong: one line of caesium is twice as strong as its factor says.
    "composition": System(
        "composition",
        _scale("composition", ("amount",)),
        _wrong("composition", ("amount",), lambda m: replace(m, correction=m.correction.at[1].set(0.7))),
        free=("amount", "correction_Br_3p"),
    ),
    # Wrong: the course is stretched in time, which the model has but does not fit by default.
    "stability": System(
        "stability",
        _scale("stability", STABILITY),
        _wrong("stability", STABILITY, lambda m: replace(m, stretch=jnp.asarray(2.0))),
    ),
    # Wrong: the sample absorbs its own light, which the model has but does not fit by default.
    "pl": System("pl", _scale("pl", PL), _wrong("pl", PL, lambda m: replace(m, optical_depth=jnp.asarray(3.0)))),
    # Wrong: stray light, which the model has but does not fit by default.
    "absorption": System(
        "absorption",
        _absorption,
        lambda counts: replace(_absorption(counts), stray=jnp.asarray(0.05)),
        free=("gap", "binding", "fwhm", "amplitude", "upper", "second", "scatter", "offset"),
        dear=("gap", "binding", "amplitude"),
    ),
    # Wrong: a central peak, which the model has but does not fit by default.
    "raman": System(
        "raman",
        _scale("raman", RAMAN),
        _wrong("raman", RAMAN, lambda m: replace(m, central=0.5 * jnp.max(m.expected()))),
    ),
}
