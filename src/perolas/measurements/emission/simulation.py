"""Simulated observations: a sweep as a table, spectra of a sweep, a series of shots, a near-field image."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from perolas.core import check
from perolas.core.errors import InputError
from perolas.core.measurement import simulate as draw
from perolas.core.noise import Camera as CameraNoise
from perolas.core.noise import Poisson
from perolas.core.observation import make_image, make_observation
from perolas.core.parameter import replace
from perolas.measurements.emission.camera import Camera, Light, random_modes, spectrum, steady
from perolas.measurements.emission.model import Emission, stimulated

_PIXELS, _SPAN_NM = 1000, (505.0, 560.0)
_MODES = 12


def simulate(
    specimen: Any = None,
    *,
    seed: int = 0,
    what: str = "curve",
    threshold: float = 250.0,
    beta: float = 0.01,
    exponent: float = 1.0,
    span: tuple[float, float] | None = None,
    fluence: float | None = None,
    points: int = 30,
    counts: float | None = None,
    pump_noise: float = 0.0,
    feedback: float = 0.6,
    memory: float = 1.0,
    resolution: float | None = None,
    gain: float | None = None,
    readout: float | None = None,
    offset: float | None = None,
    light: Light | None = None,
    wavelength_nm: Any = None,
) -> xr.Dataset:
    """Simulate what the camera sees of a pumped film with a known threshold and beta.

    Args:
        specimen: a `Specimen`, whose emission band is taken; None: a band at 530 nm.
        seed: of everything random.
        what: ``"curve"`` (output against fluence), ``"sweep"`` (spectra of it), ``"spectrum"``, ``"shots"`` (a series
            at one fluence) or ``"image"`` (near field).
        threshold: uJ/cm^2.
        beta: spontaneous-emission factor.
        exponent: photons absorbed for each excitation.
        span: first and last fluence of a sweep, uJ/cm^2; None: from 0.15 to 4 thresholds, in equal ratios.
        fluence: of a spectrum, a series or an image, uJ/cm^2; None: 1.5 thresholds.
        points: fluences of a sweep, shots of a series.
        counts: expected at the highest point (pixel) of all, without the offset; None: 1e5 for a curve, 3e4 for pixels.
        pump_noise: relative standard deviation of each fluence.
        feedback: share of the stimulated light in sharp peaks.
        memory: how far peaks repeat from shot to shot: 1 they all stay, 0 each shot has its own.
        resolution: full width of the spectrometer's line, nm.
        gain: electrons for each count.
        readout: standard deviation of the readout, counts; of a curve: with `gain`, a camera's noise.
        offset: counts of a pixel without light.
        light: spectra of the film in place of the usual ones; its modes are kept where it has any.
        wavelength_nm: shape (n,), pixels; None: 1000 from 505 to 560 nm (about the band of a specimen).

    Returns:
        An observation; spectra of a sweep carry ``fluence_uj_cm2`` along the batch.

    Raises:
        InputError: numbers that cannot be used.
    """
    counts = counts if counts is not None else 1e5 if what == "curve" else 3e4
    check.one_of(what, ("curve", "sweep", "spectrum", "shots", "image"), "What is simulated")
    for value, name in ((threshold, "threshold"), (beta, "beta"), (exponent, "exponent"), (counts, "counts")):
        check.positive(value, name)
    check.positive(pump_noise, "pump_noise", zero=True)
    if beta > 1 or not 0 <= feedback <= 1 or not 0 <= memory <= 1 or pump_noise > 0.5:
        raise InputError("beta, feedback and memory are at most 1, and the pump noise at most 0.5.")
    if not 5 <= points <= 100_000:
        raise InputError(f'Argument "points" must be from 5 to 100000, but is {points}.')
    low, high = (0.15 * threshold, 4.0 * threshold) if span is None else span
    if not 0 < low < high:
        raise InputError("The span of fluences must run from low to high, above zero.")
    at = 1.5 * threshold if fluence is None else check.positive(fluence, "fluence", "uJ/cm^2")
    rng = np.random.default_rng(seed)
    known = {"threshold_uj_cm2": threshold, "beta": beta, "exponent": exponent, "pump_noise": pump_noise}
    about: dict[str, Any] = {"technique": "emission", "instrument": "simulated by perolas", "seed": seed}
    if what == "curve":
        noise = Poisson() if gain is None and readout is None else CameraNoise(gain or 1.0, readout or 0.0)
        curve = Emission(
            threshold_uj_cm2=threshold, log10_beta=np.log10(beta), scale=1.0, background=0.0, exponent=exponent,
            jitter=np.zeros(0), fluence=np.geomspace(low, high, points), noise=noise,
        )  # fmt: skip
        scale = counts / float(jnp.max(curve.expected()))
        curve = replace(curve, scale=jnp.asarray(scale), background=jnp.asarray(1e-4 * counts))
        if pump_noise > 0:
            curve = replace(curve, jitter=jnp.asarray(pump_noise * rng.standard_normal(points)))
        made = draw(curve, seed=seed)
        if isinstance(noise, CameraNoise):
            made["signal"] = made["signal"].clip(min=0.0)
        return made.assign_attrs(conditions=json.dumps(known, sort_keys=True))
    usual = Camera()
    camera = dataclasses.replace(
        usual,
        resolution_nm=resolution or usual.resolution_nm,
        gain_e_per_count=gain or usual.gain_e_per_count,
        readout_counts=usual.readout_counts if readout is None else readout,
        offset_counts=usual.offset_counts if offset is None else offset,
    )
    if what == "image":
        image = near_field(at / threshold, beta, exponent, counts, feedback, camera, rng)
        return make_image(image, 250.0, conditions=known | {"fluence_uj_cm2": at}, **about)
    base = light or _light_of(specimen)
    base = dataclasses.replace(base, feedback=feedback)
    if not np.size(base.modes_nm):
        places, strengths = random_modes(base, _MODES, rng)
        base = dataclasses.replace(base, modes_nm=places, strengths=strengths)
    nm = np.linspace(*_SPAN_NM, _PIXELS) + (base.centre_nm - 530.0) if wavelength_nm is None else wavelength_nm
    nm = np.asarray(nm, dtype=float)
    nominal = np.geomspace(low, high, points) if what == "sweep" else np.full(1 if what == "spectrum" else points, at)
    true = nominal * np.exp(pump_noise * rng.standard_normal(nominal.size))
    carriers, mode = steady((true / threshold) ** exponent, beta)
    if what == "shots":
        rows = [spectrum(_remembered(base, memory, rng), nm, n, m, camera) for n, m in zip(carriers, mode, strict=True)]
        expected = np.stack(rows)
    else:
        expected = np.atleast_2d(spectrum(base, nm, carriers, mode, camera))
    seen = camera.expose(expected * counts / expected.max(), rng)
    conditions = known | {
        "resolution_nm": camera.resolution_nm, "gain_e_per_count": camera.gain_e_per_count,
        "readout_counts": camera.readout_counts, "offset_counts": camera.offset_counts,
    }  # fmt: skip
    if what != "sweep":
        conditions["fluence_uj_cm2"] = at
    made = make_observation(
        seen[0] if what == "spectrum" else seen, "wavelength_nm", nm, conditions=conditions, **about
    )
    if what == "sweep":
        made = made.assign_coords(fluence_uj_cm2=("batch", nominal, {"units": "uJ/cm^2"}))
    return made


def _light_of(specimen: Any) -> Light:
    if specimen is None:
        return Light()
    from perolas.core.units import nm_from_ev
    from perolas.matter.optics import gap

    kelvin = float(getattr(specimen, "temperature_k", 300.0))
    energy = float(gap.emission_energy_ev(kelvin, float(specimen.size_nm)))
    centre, width = float(nm_from_ev(energy)), float(gap.emission_fwhm_ev(kelvin))
    width_nm = centre * width / energy
    # Gain stands on the red side of the band, where what is emitted is least absorbed again.
    return Light(centre_nm=centre, width_nm=width_nm, gain_nm=centre + 0.25 * width_nm, gain_width_nm=0.7 * width_nm)


def _remembered(light: Light, memory: float, rng: np.random.Generator) -> Light:
    """Return the light of one shot: each peak stays with the probability `memory`, else it is a new one elsewhere."""
    places, strengths = random_modes(light, int(np.size(light.modes_nm)), rng)
    stays = rng.random(places.size) < memory
    return dataclasses.replace(
        light,
        modes_nm=np.where(stays, light.modes_nm, places),
        strengths=np.where(stays, light.strengths, strengths),
    )


def near_field(
    fluence: float,
    beta: float,
    exponent: float,
    counts: float,
    feedback: float,
    camera: Camera,
    rng: np.random.Generator,
    pixels: int = 128,
    waist_pixels: float = 32.0,
) -> np.ndarray:
    """Return an image of the spot: a Gaussian pump, what each place emits, and the grain of coherent light.

    Args:
        fluence: at the centre, over that of threshold.
        beta: spontaneous-emission factor.
        exponent: photons absorbed for each excitation.
        counts: expected in the brightest pixel, on average over the grain.
        feedback: share of the stimulated light that is coherent and has grain (speckle).
        camera: its noise.
        rng: of grain and noise.
        pixels: of each edge.
        waist_pixels: 1/e^2 radius of the pump.

    Returns:
        Shape (pixels, pixels), counts.
    """
    from scipy.ndimage import gaussian_filter

    y, x = (np.mgrid[:pixels, :pixels] - 0.5 * (pixels - 1)) / waist_pixels
    pump = np.maximum((fluence * np.exp(-2.0 * (x**2 + y**2))) ** exponent, 1e-12)
    mode = np.asarray(stimulated(jnp.asarray(pump), jnp.asarray(beta)))
    field = gaussian_filter(rng.standard_normal((2, pixels, pixels)), (0, 1.5, 1.5))
    grain = np.sum(field**2, axis=0)
    share = feedback * mode / (1.0 + mode)
    light = mode * (1.0 - share + share * grain / grain.mean()) + 0.01 * pump / (1.0 + mode)
    smooth = mode + 0.01 * pump / (1.0 + mode)
    return camera.expose(light * counts / smooth.max(), rng)
