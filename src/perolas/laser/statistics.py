r"""Statistics of shot series and spectra of random lasers: Levy index, Parisi overlap, mode spacing, loop length.

**Levy index.** For a stable law the empirical characteristic function of standardised data follows
:math:`|\varphi(t)| = \exp(-|c t|^\alpha)` whatever its skewness and place: alpha is the slope of
:math:`\ln(-\ln|\varphi|^2)` against :math:`\ln t` (Koutrouvelis, J. Am. Stat. Assoc. 1980, 75, 918; one step).
alpha = 2 is Gaussian; below 2 the variance of the law is infinite.

**Overlap.** :math:`q_{ab} = \sum_k \Delta_a \Delta_b / \sqrt{\sum_k \Delta_a^2 \sum_k \Delta_b^2}` with
:math:`\Delta_a(k)` the deviation of shot a from the mean spectrum (Ghofraniha et al., Nat. Commun. 2015, 6, 6058). With
independent modes q is narrow about 0; replica symmetry is broken where it is not. What "narrow" means is taken from
surrogates in which the shots are shuffled apart in each resolution element, which is what independence would look like.
A common change of all modes, such as the pump's energy, gives q = 1 and -1 without any of that, so each shot is
divided by its sum first unless that is switched off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import ArrayLike, Float

from perolas.core import check
from perolas.core.errors import InputError

# Mean ratio of neighbouring spacings: Atas et al., Phys. Rev. Lett. 2013, 110, 084101.
RATIO_POISSON = 2.0 * math.log(2.0) - 1.0
RATIO_GOE = 0.5307

_FREQUENCIES = np.linspace(0.1, 1.0, 10)  # of the characteristic function, over the inverse scale of the data
_FEW_SHOTS = 20


@dataclass(frozen=True)
class LevyIndex:
    """alpha of a stable law, with its standard error from resampling."""

    value: float
    std: float

    @property
    def verdict(self) -> str:
        """``"Gaussian"``, ``"Levy"``, or ``"undetermined"`` between them, at two standard errors."""
        if self.std > 0.25:
            return "undetermined"
        return "Gaussian" if self.value + 2.0 * self.std >= 2.0 else "Levy"


def levy_index(intensities: ArrayLike, resamples: int = 200, seed: int = 0) -> LevyIndex:
    """Return the Levy index of a series of intensities.

    Args:
        intensities: shape (n,), one number for each shot (or the deviations of one spectral channel), any unit.
        resamples: of the bootstrap that gives the error.
        seed: of the resampling.

    Returns:
        alpha, at most 2, and its standard error. Source: Koutrouvelis 1980.

    Raises:
        InputError: fewer than 20 shots, values that are not numbers, or all the same.
    """
    x = _finite(intensities, "intensities", 1)
    if x.size < _FEW_SHOTS:
        raise InputError(f"A Levy index needs at least {_FEW_SHOTS} shots, but there are {x.size}.")
    low, middle, high = np.percentile(x, [25, 50, 75])
    if high <= low:
        raise InputError("At least half of the intensities are the same; they have no scale.")
    z = (x - middle) / (0.5 * (high - low))
    waves = np.exp(1j * np.outer(z, _FREQUENCIES))
    value = float(_slope(waves.mean(axis=0)[None])[0])
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(x.size, np.full(x.size, 1.0 / x.size), size=max(int(resamples), 20)) / x.size
    return LevyIndex(min(value, 2.0), float(np.std(_slope(weights @ waves), ddof=1)))


def _slope(characteristic: Float[np.ndarray, "b f"]) -> Float[np.ndarray, " b"]:
    square = np.clip(np.abs(characteristic) ** 2, 1e-12, 1.0 - 1e-12)
    y, t = np.log(-np.log(square)), np.log(_FREQUENCIES)
    weight = _FREQUENCIES  # the lowest frequencies say least about the tail against their noise
    centred = weight * (t - np.average(t, weights=weight))
    return y @ centred / (t @ centred)


@dataclass(frozen=True)
class Overlap:
    """Overlap of the fluctuations of shots.

    Attributes:
        q: shape (n (n - 1) / 2,), overlap of each pair of shots.
        width: root mean square of q, the statistic.
        null: shape (s,), widths of surrogates with independent resolution elements.
        p_value: share of surrogates at least as wide, with the observed one among them.
        q_max: where the distribution of q is highest.
    """

    q: Float[np.ndarray, " p"]
    width: float
    null: Float[np.ndarray, " s"]
    p_value: float
    q_max: float

    def verdict(self, level: float = 0.05) -> str:
        """Return ``"broken"`` or ``"symmetric"`` at a level of false alarms."""
        return "broken" if self.p_value <= level else "symmetric"

    def histogram(self, bins: int = 41) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the middles of bins from -1 to 1 and P(q) there, which integrates to 1."""
        height, edges = np.histogram(self.q, bins, (-1.0, 1.0), density=True)
        return 0.5 * (edges[1:] + edges[:-1]), height


def parisi_overlap(
    spectra: ArrayLike, element: int = 1, normalise: bool = True, surrogates: int = 199, seed: int = 0
) -> Overlap:
    """Return the Parisi overlap of a series of spectra, and whether it is wider than independent modes would make it.

    Args:
        spectra: shape (shots, channels), counts or any unit.
        element: channels in one resolution element; fluctuations within one are shuffled together.
        normalise: divide each shot by its sum, so that the pump's energy does not count.
        surrogates: number of shuffled series for the null distribution.
        seed: of the shuffling.

    Returns:
        The overlap. Source: Ghofraniha et al. 2015 for q.

    Raises:
        InputError: fewer than 5 shots or than two resolution elements, or shots that do not fluctuate or have no light.
    """
    data = _finite(spectra, "spectra", 2)
    shots, channels = data.shape
    if shots < 5 or not 1 <= element <= channels // 2:
        raise InputError(
            f"An overlap needs at least 5 shots of two resolution elements; there are {shots} shots of {channels} "
            f"channels, {element} to an element."
        )
    if normalise:
        total = data.sum(axis=1, keepdims=True)
        if np.any(total <= 0):
            raise InputError("A shot has no light in it; take it out, or switch normalising off.")
        data = data / total
    if np.ptp(data, axis=0).max() <= 1e-12 * np.abs(data).max():
        raise InputError("All shots are the same; the series does not fluctuate.")
    q = _overlaps(data)
    rng = np.random.default_rng(seed)
    block = np.arange(channels) // element
    null = np.empty(max(int(surrogates), 19))
    for i in range(null.size):
        order = np.argsort(rng.random((shots, block[-1] + 1)), axis=0)
        null[i] = np.sqrt(np.mean(_overlaps(np.take_along_axis(data, order[:, block], axis=0)) ** 2))
    width = float(np.sqrt(np.mean(q**2)))
    p = (1.0 + np.count_nonzero(null >= width)) / (1.0 + null.size)
    height, edges = np.histogram(q, 41, (-1.0, 1.0))
    best = int(np.argmax(height))
    return Overlap(q, width, null, float(p), float(0.5 * (edges[best] + edges[best + 1])))


def _overlaps(data: Float[np.ndarray, "s c"]) -> Float[np.ndarray, " p"]:
    away = data - data.mean(axis=0)
    norm = np.linalg.norm(away, axis=1, keepdims=True)
    unit = away / np.where(norm > 0, norm, 1.0)  # a shot that equals the mean overlaps with none
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)]


@dataclass(frozen=True)
class Spacing:
    """Mean ratio of neighbouring mode spacings, with its standard error; see `RATIO_POISSON` and `RATIO_GOE`."""

    ratio: float
    std: float

    @property
    def verdict(self) -> str:
        """``"Poisson"`` (modes ignore each other), ``"repulsion"`` (as in a random matrix) or ``"undetermined"``."""
        away = (abs(self.ratio - RATIO_POISSON) / self.std, abs(self.ratio - RATIO_GOE) / self.std)
        if min(away) > 2.0 or max(away) < 2.0:
            return "undetermined"
        return "Poisson" if away[0] < away[1] else "repulsion"


def mode_spacing(positions: ArrayLike) -> Spacing:
    """Return the mean ratio of the smaller to the larger of two neighbouring spacings; no unfolding is needed.

    Args:
        positions: shape (n,), of the peaks of one spectrum, in frequency or wavelength, any order.

    Returns:
        The ratio and its error. Source: Atas et al. 2013.

    Raises:
        InputError: fewer than four peaks, or two at the same place.
    """
    places = np.sort(_finite(positions, "positions", 1))
    if places.size < 4:
        raise InputError(f"Mode spacing needs at least four peaks, but there are {places.size}.")
    gaps = np.diff(places)
    if np.any(gaps <= 0):
        raise InputError("Two peaks stand at the same place.")
    ratios = np.minimum(gaps[1:], gaps[:-1]) / np.maximum(gaps[1:], gaps[:-1])
    # Neighbouring ratios share a spacing: count the covariance of next ones in the error.
    away = ratios - ratios.mean()
    variance = np.mean(away**2) + 2.0 * np.sum(away[1:] * away[:-1]) / ratios.size
    return Spacing(float(ratios.mean()), math.sqrt(max(variance, 0.25 * float(np.mean(away**2))) / ratios.size))


@dataclass(frozen=True)
class Loops:
    """Power Fourier transform of a spectrum.

    Attributes:
        length_um: shape (m,), length of a cavity with this spacing of modes, um; its round trip is twice that.
        power: shape (m,), of the transform, 1 at its highest beyond the background.
        best_um: length of the highest peak, um.
        resolution_um: smallest difference in length that the width of the spectrum can tell, um.
    """

    length_um: Float[np.ndarray, " m"]
    power: Float[np.ndarray, " m"]
    best_um: float
    resolution_um: float


def power_fourier(wavelength_nm: ArrayLike, spectrum: ArrayLike, index: float) -> Loops:
    """Return the power Fourier transform of a spectrum and the length that its peaks stand for.

    Args:
        wavelength_nm: shape (n,), rising or falling, nm.
        spectrum: shape (n,), counts or any unit.
        index: effective refractive index of the medium.

    Returns:
        The transform against length L = pi d / n, d the variable that belongs to k = 2 pi / lambda in cycles: modes of
        a cavity of length L stand pi / (n L) apart. Source: Polson, Raikh and Vardeny, C. R. Phys. 2002, 3, 509.

    Raises:
        InputError: an axis that does not rise or fall, fewer than 16 points, or a spectrum of another length.
    """
    nm = check.axis(wavelength_nm, "wavelength")
    counts = _finite(spectrum, "spectrum", 1)
    check.positive(index, "index")
    if nm.size < 16 or counts.shape != nm.shape or np.any(nm <= 0):
        raise InputError("A power Fourier transform needs at least 16 points, and as many of light as of wavelength.")
    k = 2.0 * math.pi / (nm * 1e-3)
    order = np.argsort(k)
    even = np.linspace(k.min(), k.max(), nm.size)
    light = np.interp(even, k[order], counts[order])
    window = np.hanning(nm.size)
    light = (light - np.average(light, weights=window)) * window
    padded = 8 * nm.size
    power = np.abs(np.fft.rfft(light, padded)) ** 2
    length = math.pi / index * np.fft.rfftfreq(padded, even[1] - even[0])
    resolution = math.pi / index / (even[-1] - even[0])
    beyond = length > 3.0 * resolution  # what varies more slowly is the band itself
    at = int(np.argmax(np.where(beyond, power, 0.0)))
    if power[at] <= 0.0:
        raise InputError("The spectrum is flat; it has no peaks to transform.")
    shift = 0.0
    if 0 < at < power.size - 1:
        left, middle, right = np.log(np.maximum(power[at - 1 : at + 2], 1e-300))
        shift = 0.5 * (left - right) / (left - 2.0 * middle + right) if left - 2.0 * middle + right < 0 else 0.0
    return Loops(length, power / power[at], float(length[at] + shift * length[1]), resolution)


def _finite(values: ArrayLike, name: str, dimensions: int) -> Float[np.ndarray, "..."]:
    array = np.asarray(values, dtype=float)
    if array.ndim != dimensions or array.size == 0:
        raise InputError(f"The {name} must be an array of {dimensions} dimension{'s' if dimensions > 1 else ''}.")
    if not np.all(np.isfinite(array)):
        raise InputError(f"The {name} hold {np.sum(~np.isfinite(array))} values that are not numbers.")
    return array
