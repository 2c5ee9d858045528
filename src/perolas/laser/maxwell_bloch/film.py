r"""A film as the other tiers know it, run in time: threshold, lines and spectra of one piece.

The medium, its pump profile and its gain line are those of a `Cavity` of `perolas.laser.salt`, so that both wave
theories see the same numbers: loss becomes a conductivity, D_0 the density of two-level atoms, :math:`N = D_0
\gamma_\perp/(\theta^2 w)`, w the inversion that the pump holds without light. The rate at which populations recover
drops out of SALT; here it is `recovery`, short of that of the real film so that a steady state is reached.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.laser.maxwell_bloch.atoms import TwoLevel
from perolas.laser.maxwell_bloch.detectors import Trace
from perolas.laser.maxwell_bloch.grid import Grid
from perolas.laser.maxwell_bloch.media import Medium
from perolas.laser.maxwell_bloch.ringing import modes_of
from perolas.laser.maxwell_bloch.run import Run, Simulation

if TYPE_CHECKING:
    from perolas.laser.patch import Patch
    from perolas.laser.salt import Cavity

NM_PER_PS = 299_792.458  # light in vacuum
_ABSORBER, _MARGIN = 14, 4  # cells
_HELD = 0.9  # inversion that the pump holds without light
_PROBES = 5  # a row of them, along each diagonal
_LINE = 1e-3  # a line is a peak above this share of the highest
_TRIES = 5  # runs for a threshold
_WAVES = 24  # of the light at the start
_LINEAR = 0.02  # field over that which saturates, below which growth is linear
_FAINT = 1e-5  # field of the start over that which saturates


@dataclass(frozen=True, eq=False)
class Piece:
    """A simulation of a cavity with what is needed to read it.

    Attributes:
        simulation: whose detectors p0, p1 ... lie inside, o0 ... outside of the film.
        probes: names of those inside.
        outer: names of those outside.
        every: steps between samples.
    """

    simulation: Simulation
    probes: tuple[str, ...]
    outer: tuple[str, ...]
    every: int


def piece(cavity: Cavity, d0: float, *, recovery: float, refine: int = 1, precision: str = "mixed") -> Piece:
    """Return the simulation of a two-dimensional cavity at a pump.

    Args:
        cavity: with open boundaries, lengths in any unit.
        d0: its pump D_0.
        recovery: time in which the populations recover without light, in that unit over c.
        refine: number of cells along each side of a cell of the cavity.
        precision: of the run.

    Returns:
        The simulation.

    Raises:
        InputError: one dimension, edges that are not open, gain in the permittivity, too little memory.
    """
    eps, profile = np.asarray(cavity.eps), np.asarray(cavity.pump_profile, float)
    if eps.ndim != 2:
        raise InputError("Films are run in time in two dimensions; build a slab from Grid, Medium and TwoLevel.")
    if any(edge != "open" for edge in np.ravel(np.asarray(cavity.boundaries, dtype=object))):
        raise InputError("Films are run in time with open edges only.")
    if np.any(eps.imag < 0):
        raise InputError("The permittivity of a film must not hold gain; the pump does.")
    outside = complex(np.ravel(np.asarray(cavity.outside))[0])
    spacing, around = float(cavity.spacing) / refine, _ABSORBER + _MARGIN
    fine = np.kron(eps.T, np.ones((refine, refine)))
    pumped = np.pad(np.kron(np.broadcast_to(profile, eps.shape).T, np.ones((refine, refine))), around)
    whole = np.pad(fine, around, constant_values=outside)
    grid = Grid(whole.shape, spacing, "absorber", absorber=_ABSORBER, origin=(-around * spacing,) * 2)
    gpar = 1.0 / check.positive(recovery, "recovery time")
    density = check.positive(d0, "pump D0", zero=True) * cavity.gamma_perp / _HELD * pumped
    atoms = TwoLevel(
        cavity.k_a, cavity.gamma_perp, 0.5 * (1.0 - _HELD) * gpar, density, 0.5 * (1.0 + _HELD) * gpar, inversion=_HELD
    )
    medium = Medium(whole.real, cavity.k_a * whole.imag)
    (width, height), inner, outer = cavity.size, [], []
    for share in (np.arange(_PROBES) + 0.37) / _PROBES:
        inner += [(share * width, share * height), (share * width, (1.0 - 0.9 * share) * height)]
        gap = 2.0 * spacing
        outer += [(share * width, -gap), (share * width, height + gap), (-gap, share * height),
                  (width + gap, share * height)]  # fmt: skip
    detectors = [Trace(f"p{i}", "Ez", at) for i, at in enumerate(inner)]
    detectors += [Trace(f"o{i}", "Ez", at) for i, at in enumerate(outer)]
    made = Simulation(grid, medium, atoms, detectors=detectors, precision=precision)
    every = max(1, int(0.6 / (cavity.k_a * made.dt)))
    return Piece(made, tuple(f"p{i}" for i in range(len(inner))), tuple(f"o{i}" for i in range(len(outer))), every)


def _started(one: Piece, cavity: Cavity, gpar: float, size: float, seed: int) -> dict[str, Any]:
    """Waves of the gain's wavelength in random directions, `size` times what saturates; white noise would linger."""
    grid, rng = one.simulation.grid, np.random.default_rng(seed)
    x, y = np.meshgrid(*grid.coordinates("Ez"), indexing="ij")
    width, height = cavity.size
    k = cavity.k_a * math.sqrt(float(np.mean(np.asarray(cavity.eps).real)))
    field = np.zeros(grid.shape)
    for turn, phase in rng.uniform(0.0, 2.0 * np.pi, (_WAVES, 2)):
        field += np.cos(k * (np.cos(turn) * x + np.sin(turn) * y) + phase)
    inside = np.clip(np.sin(np.pi * x / width), 0.0, None) * np.clip(np.sin(np.pi * y / height), 0.0, None)
    inside *= (x > 0) & (x < width) & (y > 0) & (y < height)
    field *= size * math.sqrt(cavity.gamma_perp * gpar / _WAVES)
    return one.simulation.start(fields={"Ez": field * inside})


def fastest(one: Piece, run: Run, cavity: Cavity, recovery: float, count: int = 8) -> tuple[float, float, float]:
    """Return growth, angular frequency and their uncertainty for the mode that grows fastest.

    Args:
        one: the simulation.
        run: without saturation.
        cavity: whose gain line says where modes are looked for.
        recovery: of the populations.
        count: modes looked for at each probe.

    Returns:
        Growth of the amplitude, frequency, and the median deviation of growth among the probes.
    """
    reach = min(3.0 * cavity.gamma_perp, 0.4 * cavity.k_a)
    gpar = 1.0 / recovery
    bright = np.max(np.abs(np.stack([run.trace(name) for name in one.probes])), axis=0)
    dim = bright < _LINEAR * math.sqrt(cavity.gamma_perp * gpar)
    end = run.times[-1] if np.all(dim) else run.times[int(np.argmin(dim))]  # beyond, the light saturates
    late = (run.times > run.times[0] + 0.4 * (end - run.times[0])) & (run.times <= end)
    found = []
    for name in one.probes:
        times = run.times[late]
        ring = modes_of(times, run.trace(name)[late], cavity.k_a - reach, cavity.k_a + reach, count)
        strength = np.abs(ring.amplitude) * np.exp(0.5 * ring.growth * (times[-1] - times[0]))
        real = (strength > 0.02 * strength.max()) & (np.abs(ring.frequency - cavity.k_a) < reach)
        if np.any(real):
            best = int(np.argmax(np.where(real, ring.growth, -np.inf)))
            found.append((ring.growth[best], ring.frequency[best]))
    if not found:
        raise FitError("No light near the gain line was left in the film; give it a longer time.")
    table = np.array(found)
    growth, omega = np.median(table, axis=0)
    return float(growth), float(omega), float(np.median(np.abs(table[:, 0] - growth)))


@dataclass(frozen=True, eq=False)
class FilmRun:
    """What a film does in time.

    Attributes:
        seed: of its disorder.
        threshold_d0: pump at which the first mode neither grows nor decays, with its error.
        threshold_error: from the probes' disagreement.
        threshold_nm: its vacuum wavelength.
        gain_cm1: of the packed part at threshold.
        fluence_uj_cm2: of the threshold, build-up within the lifetime of gain included.
        pumps: shape (p,), over that threshold.
        wavelength_nm: shape (w,), of the spectra.
        spectra: shape (p, w), power that leaves, arbitrary unit.
        lines_nm: for each pump the wavelengths of its lines, strongest first.
        resolution_nm: of the spectra, and of two lines.
        grid_shift: share by which the grid makes frequencies too low, an estimate.
        cell_steps: made in all.
        seconds: that they took.
    """

    seed: int
    threshold_d0: float
    threshold_error: float
    threshold_nm: float
    gain_cm1: float
    fluence_uj_cm2: float
    pumps: Float[np.ndarray, " p"]
    wavelength_nm: Float[np.ndarray, " w"]
    spectra: Float[np.ndarray, "p w"]
    lines_nm: tuple[Float[np.ndarray, " m"], ...]
    resolution_nm: float
    grid_shift: float
    cell_steps: float
    seconds: float

    @property
    def modes(self) -> Float[np.ndarray, " p"]:
        """Number of lines at each pump."""
        return np.array([float(len(lines)) for lines in self.lines_nm])


def threshold(
    cavity: Cavity, seed: int = 0, *, span: float, recovery: float, refine: int = 1, precision: str = "mixed",
    guess: float | None = None,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return the pump at which a film's first mode neither grows nor decays, by secants on its growth.

    Args:
        cavity: the film.
        seed: of the light it begins with.
        span: time of each run, unit of length over c.
        recovery: of the populations, likewise.
        refine: cells along each side of a cell of the cavity.
        precision: of the run.
        guess: D_0 near it; None: from the gain that a crossing of the film needs.

    Returns:
        D_0, its error, the angular frequency, and the cell-steps made.

    Raises:
        FitError: growth does not rise with the pump, or no light was left to measure.
    """
    work = 0.0
    points: list[tuple[float, float, float, float]] = []

    def at(d0: float) -> tuple[float, float, float]:
        nonlocal work
        one = piece(cavity, d0, recovery=recovery, refine=refine, precision=precision)
        steps = int(span / one.simulation.dt)
        start = _started(one, cavity, 1.0 / recovery, _FAINT, seed)
        run = one.simulation.run(steps, every=one.every, start=start)
        work += steps * math.prod(one.simulation.grid.shape)
        return fastest(one, run, cavity, recovery)

    index2 = float(np.mean(np.asarray(cavity.eps).real))
    per_d0 = 0.5 * cavity.k_a / index2  # growth for each D_0 of a plane wave at the centre of the line
    first = guess if guess is not None else 2.0 * math.sqrt(index2) / (cavity.k_a * min(cavity.size))
    d0 = first
    for _ in range(_TRIES):
        points.append((d0, *at(d0)))
        if len(points) > 2 and abs(points[-1][1]) < max(points[-1][3], 2e-3 * per_d0 * d0):
            break
        slope = per_d0
        if len(points) > 1:
            a, b = sorted(points, key=lambda p: abs(p[1]))[:2]
            measured = (b[1] - a[1]) / (b[0] - a[0])
            slope = measured if measured > 0.1 * per_d0 else per_d0
        best = min(points, key=lambda p: abs(p[1]))
        d0 = float(np.clip(best[0] - best[1] / slope, 0.3 * best[0], 3.0 * best[0]))
    near = sorted(points, key=lambda p: abs(p[1]))[:2]
    (d1, g1, k1, s1), (d2, g2, k2, _) = near
    if g1 == g2 or (g2 - g1) / (d2 - d1) <= 0:
        raise FitError("The threshold of the film was not found; give it a longer time.")
    slope = (g2 - g1) / (d2 - d1)
    value = d1 - g1 / slope
    error = s1 / slope + 0.1 * abs(g1 / slope)
    return value, error, k1 + (k2 - k1) * (value - d1) / (d2 - d1), work


def spectrum(one: Piece, run: Run, after: float, omega: Float[np.ndarray, " w"]) -> Float[np.ndarray, " w"]:
    """Return the power spectrum of what leaves, summed over the places outside.

    Args:
        one: the simulation.
        run: of it.
        after: time from which it counts.
        omega: angular frequencies, shape (w,).

    Returns:
        Shape (w,), arbitrary unit, through a Hann window.
    """
    late = run.times > after
    traces = np.stack([run.trace(name)[late] for name in one.outer]).astype(np.float64)
    size = 1 << math.ceil(math.log2(8 * traces.shape[1]))
    power = np.sum(np.abs(np.fft.rfft(traces * np.hanning(traces.shape[1]), size)) ** 2, axis=0)
    step = one.every * one.simulation.dt
    return np.interp(omega, 2.0 * np.pi * np.fft.rfftfreq(size, step), power)


def _lines(nm: Float[np.ndarray, " w"], power: Float[np.ndarray, " w"], apart_nm: float) -> Float[np.ndarray, " m"]:
    """Wavelengths of the peaks, strongest first, no two closer than can be told apart."""
    tops = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:]) & (power[1:-1] > _LINE * power.max()))
    kept: list[float] = []
    for i in sorted(tops + 1, key=lambda i: -power[i]):
        if all(abs(nm[i] - other) > apart_nm for other in kept):
            kept.append(float(nm[i]))
    return np.array(kept)


def film_run(
    patch: Patch,
    seed: int = 0,
    pumps: Sequence[float] = (1.5, 3.0),
    *,
    span_ps: float = 6.0,
    threshold_span_ps: float = 1.5,
    recovery_ps: float = 0.5,
    refine: int = 1,
    precision: str = "mixed",
    guess_d0: float | None = None,
) -> FilmRun:
    """Run one film in time: its threshold from the growth of faint light, then its spectra at pumps above.

    Args:
        patch: film, gain and pump.
        seed: of its disorder, and of the light it begins with.
        pumps: over its threshold, each above 0; none: the threshold alone.
        span_ps: time at each pump; its last three quarters are Fourier transformed, so 18 ps resolve 0.1 nm at 530 nm.
        threshold_span_ps: time of each of the three to five runs for the threshold.
        recovery_ps: of the populations without light.
        refine: cells along each side of a cell of the patch.
        precision: "single", "mixed" or "double".
        guess_d0: D_0 near the threshold, such as SALT's; None: from the gain that a crossing of the film needs.

    Returns:
        Threshold, lines and spectra.

    Raises:
        InputError: a pump or a time that cannot be, or too little memory.
        FitError: the threshold was not found.
    """
    from perolas.laser.salt.units import gain_cm1

    if any(not (math.isfinite(p) and p > 0) for p in pumps):
        raise InputError("Pumps are given over the threshold, each above 0.")
    span = check.positive(span_ps, "time", "ps") * NM_PER_PS
    short = check.positive(threshold_span_ps, "time for the threshold", "ps") * NM_PER_PS
    recovery = check.positive(recovery_ps, "recovery time", "ps") * NM_PER_PS
    begun, cavity = time.perf_counter(), patch.cavity(seed)
    d0, error, omega, work = threshold(
        cavity, seed, span=short, recovery=recovery, refine=refine, precision=precision, guess=guess_d0
    )
    gain = gain_cm1(d0, patch.index, patch.wavelength_nm)
    pulsed = patch.pulsed(gain)
    reach = min(3.0 * cavity.gamma_perp, 0.4 * cavity.k_a)
    kept = 0.75 * span
    resolution = 1.44 * patch.wavelength_nm**2 / kept  # FWHM of a Hann window's power: 1.44 bins
    nm = np.linspace(
        2.0 * np.pi / (cavity.k_a + reach),
        2.0 * np.pi / (cavity.k_a - reach),
        max(64, int(4 * reach / np.pi * kept)),
    )
    spectra = []
    for pump in pumps:
        one = piece(cavity, pump * d0, recovery=recovery, refine=refine, precision=precision)
        steps = int(span / one.simulation.dt)
        start = _started(one, cavity, 1.0 / recovery, 1e-2, seed)
        run = one.simulation.run(steps, every=one.every, start=start)
        work += steps * math.prod(one.simulation.grid.shape)
        spectra.append(spectrum(one, run, span - kept, 2.0 * np.pi / nm))
    phase = patch.index * cavity.k_a * float(cavity.spacing) / refine
    return FilmRun(
        seed, d0, error, 2.0 * np.pi / omega, gain, patch.fluence(pulsed) if math.isfinite(pulsed) else math.inf,
        np.asarray(pumps, float), nm, np.array(spectra).reshape(len(spectra), nm.size),
        tuple(_lines(nm, s, resolution) for s in spectra), resolution, phase**2 / 32.0, work,
        time.perf_counter() - begun,
    )  # fmt: skip
