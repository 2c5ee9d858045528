r"""What sends light back: how large aggregates, how strong roughness, or which edges a film needs.

Packed grains of 20 nm hardly scatter. What could instead:

- **aggregates**: spheres of many grains with gaps between them (`perolas.laser.film.mean_free_path`);
- **fluctuations** of the film's filling or height, as a random permittivity with correlation
  :math:`\delta^2 \exp(-r^2/l^2)`: to first order (Born, scalar)

  .. math:: \frac{1}{l_s} = \frac{\sqrt{\pi}\, \delta^2 k_0^4 l}{4 k^2} \left(1 - e^{-k^2 l^2}\right);

- **edges** and cracks, which reflect :math:`((n-1)/(n+1))^2` of what meets them.

Sources: Ishimaru, Wave Propagation and Scattering in Random Media, 1978, chapter 16 (random continuum); Born and Wolf,
Principles of Optics, 1.5 (reflection).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perolas.core import check
from perolas.core.errors import InputError
from perolas.laser import film
from perolas.laser.film import MeanFreePath

_SIZES_NM = (5.0, 1000.0)
_CORRELATIONS_NM = (5.0, 5000.0)


def fluctuation_mean_free_path(
    correlation_nm: float, permittivity_std: float, index: float, wavelength_nm: float
) -> MeanFreePath:
    """Return the mean free paths in a medium whose permittivity fluctuates weakly.

    Args:
        correlation_nm: l of the correlation exp(-r^2 / l^2), nm.
        permittivity_std: standard deviation of n^2.
        index: mean index.
        wavelength_nm: vacuum wavelength, nm.

    Returns:
        The mean free paths, to first order. Source: see the module.

    Raises:
        InputError: a value that is not positive, or fluctuations too strong for the first order (l_s below l).
    """
    length = check.positive(correlation_nm, "correlation length", "nm")
    strength = check.positive(permittivity_std, "fluctuation of the permittivity") ** 2
    k0 = 2.0 * math.pi / check.positive(wavelength_nm, "wavelength", "nm")
    k = k0 * check.positive(index, "index")
    z = (k * length) ** 2
    per_nm = math.sqrt(math.pi) * strength * k0**4 * length / (4.0 * k**2) * -math.expm1(-z)
    # mean of 1 - cos over exp(-z (1 - cos) / 2)
    u = z  # its largest exponent is z
    back = (2.0 / z) * (1.0 - (1.0 + u) * math.exp(-u)) / -math.expm1(-u) if z > 1e-4 else 1.0 - z / 6.0
    if 1.0 / per_nm < length:
        raise InputError("Fluctuations as strong as this scatter more than once within their own length.")
    return MeanFreePath(1e-3 / per_nm, 1e-3 / (per_nm * back), 1.0 - back)


def filling_fluctuation(filling: float, share: float, grain_index: float, host_index: float) -> float:
    """Return the standard deviation of the permittivity where the filling varies by a share of itself.

    Args:
        filling: mean volume share of the grains.
        share: relative standard deviation of it.
        grain_index: of the grains.
        host_index: of what is between them.

    Returns:
        d(n^2) / df by Bruggeman's rule, times f and the share.

    Raises:
        InputError: a share or filling that cannot be.
    """
    f = check.positive(filling, "filling")
    by = check.positive(share, "share")
    step = 1e-4
    ends = [film.effective_index(f + s, grain_index, host_index) ** 2 for s in (-step, step)]
    return float((ends[1] - ends[0]).real / (2.0 * step) * f * by)


def edge_reflection(index: float) -> float:
    """Return the share of light that an edge of the film to air sends back, ((n - 1) / (n + 1))^2."""
    n = check.positive(index, "index")
    return ((n - 1.0) / (n + 1.0)) ** 2


def needed_aggregate_nm(
    transport_um: float, filling: float, index: complex, host_index: float, wavelength_nm: float
) -> float | None:
    """Return the least size of packed spheres with which light turns round within a length.

    Args:
        transport_um: the transport mean free path that is wanted, um.
        filling: volume share of the spheres.
        index: n + ik of a sphere, for an aggregate its effective index.
        host_index: of what is between the spheres.
        wavelength_nm: vacuum wavelength, nm.

    Returns:
        Diameter, nm; None where no size up to 1 um does it.

    Raises:
        InputError: as for `perolas.laser.film.mean_free_path`.
    """
    wanted = check.positive(transport_um, "transport mean free path", "um")

    def at(size: float) -> float:
        return film.mean_free_path(size, filling, index, host_index, wavelength_nm).transport_um

    return _least(at, wanted, _SIZES_NM)


def needed_correlation_nm(
    transport_um: float, permittivity_std: float, index: float, wavelength_nm: float
) -> float | None:
    """Return the least correlation length with which light turns round within a length.

    Args:
        transport_um: the transport mean free path that is wanted, um.
        permittivity_std: standard deviation of n^2, e.g. of `filling_fluctuation`.
        index: mean index.
        wavelength_nm: vacuum wavelength, nm.

    Returns:
        l, nm; None where none does it.

    Raises:
        InputError: a value that is not positive.
    """
    wanted = check.positive(transport_um, "transport mean free path", "um")

    def at(length: float) -> float:
        try:
            return fluctuation_mean_free_path(length, permittivity_std, index, wavelength_nm).transport_um
        except InputError:
            return math.inf  # beyond the first order: not claimed

    return _least(at, wanted, _CORRELATIONS_NM)


def _least(at: Callable[[float], float], wanted: float, ends: tuple[float, float]) -> float | None:
    """Return where a length first falls to what is wanted, by a fine walk and halving."""
    sizes = np.geomspace(*ends, 81)
    before = float(sizes[0])
    if at(before) <= wanted:
        return before
    for size in sizes[1:]:
        if at(float(size)) <= wanted:
            low, high = before, float(size)
            for _ in range(40):
                middle = math.sqrt(low * high)
                low, high = (low, middle) if at(middle) <= wanted else (middle, high)
            return high
        before = float(size)
    return None


@dataclass(frozen=True)
class Supply:
    """What feedback within a length needs.

    Attributes:
        length_um: within which light is to be turned round.
        grains_um: transport mean free path of the packed grains alone.
        aggregate_nm: least aggregates, with air between them; None: none.
        correlation_nm: least correlation length of the filling, if it varies by `share` of itself; None: none.
        share: of the filling.
        edge: share of light that an edge to air reflects.
        sentence: that in words.
    """

    length_um: float
    grains_um: float
    aggregate_nm: float | None
    correlation_nm: float | None
    share: float
    edge: float
    sentence: str


def supply(
    length_um: float,
    grain_nm: float,
    filling: float,
    grain_index: float,
    host_index: float,
    wavelength_nm: float,
    share: float = 0.2,
) -> Supply:
    """Return what has to send light back within a length, the packed grains being too small to.

    Args:
        length_um: such as the diameter of a pumped spot, um.
        grain_nm: size of a grain, nm.
        filling: volume share of the grains in the film (and in an aggregate), up to 0.6.
        grain_index: of the grains.
        host_index: of the ligands between them.
        wavelength_nm: vacuum wavelength, nm.
        share: relative standard deviation of the filling.

    Returns:
        The needs.

    Raises:
        InputError: a value that cannot be.
    """
    wanted = check.positive(length_um, "length", "um")
    alone = film.mean_free_path(grain_nm, filling, grain_index, host_index, wavelength_nm).transport_um
    index = film.effective_index(filling, grain_index, host_index).real
    size = needed_aggregate_nm(wanted, 0.5, index, 1.0, wavelength_nm)
    std = filling_fluctuation(filling, share, grain_index, host_index)
    length = needed_correlation_nm(wanted, std, index, wavelength_nm)
    edge = edge_reflection(index)
    if alone <= wanted:
        said = f"The packed grains turn light round within {alone:.3g} um, which is enough."
    else:
        parts = [] if size is None else [f"aggregates of {size:.0f} nm with air between them"]
        if length is not None:
            parts.append(f"a filling that varies by {100 * share:.0f} % over {length:.0f} nm")
        parts.append(f"edges, which reflect {100 * edge:.0f} %")
        said = (
            f"The packed grains of {grain_nm:g} nm turn light round within {alone:.3g} um only; to do so within "
            f"{wanted:.3g} um it takes " + ", or ".join(parts) + "."
        )
    return Supply(wanted, alone, size, length, share, edge, said)
