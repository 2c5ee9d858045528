"""Films of nanocrystals as pictures and places: random discs and spheres, aggregates, correlated random fields.

**Discs and spheres** that do not overlap: laid down one after the other where there is room (random sequential
addition, up to 0.5 of an area or 0.3 of a volume), or, for discs packed more densely, a lattice that is shaken until it
has forgotten itself (Metropolis). **Aggregates**: discs in which grains are packed. **Random fields**: a Gaussian field
of a given correlation length, cut at the level that leaves the wanted share; cut so, the probability that two places at
a distance with correlation rho are both inside at a share of one half is 1/4 + asin(rho) / 2 pi.

All are periodic, so that no edge spoils a statistic. Sources: Feder, J. Theor. Biol. 1980, 87, 237 (sequential
addition); Metropolis et al., J. Chem. Phys. 1953, 21, 1087 (hard discs); Berk, Phys. Rev. Lett. 1987, 58, 2718 (cut
random fields).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree
from scipy.special import ndtri

from perolas.core import check
from perolas.core.errors import FitError, InputError
from perolas.core.picture import Picture

SEQUENTIAL = {2: 0.5, 3: 0.3}  # shares up to which laying down one after the other ends in reasonable time
DENSEST_DISCS = 0.85  # of the area; a lattice holds 0.907, but melts no more
_MOST = 200_000
_TRIES = 400  # for each disc, on average


def _number(side: float, diameter: float, filling: float, dimensions: int, most: float) -> int:
    check.positive(side, "side", "nm")
    check.positive(diameter, "diameter", "nm")
    check.positive(filling, "filling")
    if filling > most:
        raise InputError(f'Argument "filling" must be at most {most:g} here, but is {filling:g}.')
    if 2.0 * diameter > side:
        raise InputError(f"A side of {side:g} nm has no room for discs of {diameter:g} nm; it needs twice as much.")
    one = math.pi / 4.0 * diameter**2 if dimensions == 2 else math.pi / 6.0 * diameter**3
    count = round(filling * side**dimensions / one)
    if not 1 <= count <= _MOST:
        raise InputError(f"This makes {count} of them; it must be 1 to {_MOST}.")
    return count


def sequential(
    side_nm: float, diameter_nm: float, filling: float, dimensions: int = 2, seed: int = 0
) -> Float[np.ndarray, "n d"]:
    """Return the centres of discs or spheres laid down at random where there is room.

    Args:
        side_nm: of the periodic square or cube, nm.
        diameter_nm: of the discs or spheres, nm.
        filling: share of area or volume; up to 0.5 for discs and 0.3 for spheres.
        dimensions: 2 or 3.
        seed: of the random numbers.

    Returns:
        Shape (n, d), nm, 0 to side.

    Raises:
        InputError: a size, share or number that cannot be.
        FitError: no room was found any more.
    """
    if dimensions not in SEQUENTIAL:
        raise InputError(f"Discs lie in 2 dimensions and spheres in 3, not in {dimensions}.")
    count = _number(side_nm, diameter_nm, filling, dimensions, SEQUENTIAL[dimensions])
    rng = np.random.default_rng(seed)
    placed = np.empty((0, dimensions))
    tried = 0
    while len(placed) < count:
        # A batch: those free of what lies there; of those, each free of the earlier ones of the batch.
        batch = rng.uniform(0.0, side_nm, (max(64, count - len(placed)), dimensions))
        tried += len(batch)
        if tried > _TRIES * count + 10_000:
            raise FitError(f"No room was found for {count - len(placed)} of {count}; lower the filling.")
        if len(placed):
            near, _ = cKDTree(placed, boxsize=side_nm).query(batch)
            batch = batch[near >= diameter_nm]
        clashes = cKDTree(batch, boxsize=side_nm).query_pairs(diameter_nm, output_type="ndarray") if len(batch) else []
        keep = np.ones(len(batch), dtype=bool)
        for i, j in sorted(map(tuple, np.sort(np.asarray(clashes).reshape(-1, 2), axis=1).tolist())):
            if keep[i]:
                keep[j] = False
        placed = np.concatenate([placed, batch[keep]])[:count]
    return placed


def shaken_discs(
    side_nm: float, diameter_nm: float, filling: float, sweeps: int = 200, seed: int = 0
) -> Float[np.ndarray, "n 2"]:
    """Return the centres of hard discs in equilibrium, from a lattice that is shaken.

    Args:
        side_nm: of the periodic square, nm; it is nearly kept, the number of discs being whole.
        diameter_nm: of the discs, nm.
        filling: share of the area, up to 0.85.
        sweeps: moves tried for each disc.
        seed: of the random numbers.

    Returns:
        Shape (n, 2), nm; the square of the number is a whole one, so the filling is right within the rounding.

    Raises:
        InputError: a size, share or number that cannot be.
    """
    count = _number(side_nm, diameter_nm, filling, 2, DENSEST_DISCS)
    rows = max(2, round(math.sqrt(count / (2.0 / math.sqrt(3.0)))) // 2 * 2)
    columns = max(2, round(count / rows))
    cell = np.array([side_nm / columns, side_nm / rows])
    i, j = np.meshgrid(np.arange(columns), np.arange(rows), indexing="xy")
    at = np.stack([(i + 0.5 * (j % 2)) * cell[0], j * cell[1]], axis=-1).reshape(-1, 2)
    closest, _ = cKDTree(at % side_nm, boxsize=side_nm).query(at % side_nm, k=2)
    if closest[:, 1].min() < diameter_nm:
        raise InputError(f"A square of {side_nm:g} nm does not hold the lattice; take a larger one or a lower filling.")
    rng = np.random.default_rng(seed)
    step = 0.5 * max(side_nm * math.sqrt(1.0 / len(at)) - diameter_nm, 0.05 * diameter_nm)
    reach = diameter_nm + 2.0 * math.sqrt(2.0) * step * 4.0
    for sweep in range(sweeps):
        if sweep % 4 == 0:  # neighbours within reach of four sweeps of moves
            at %= side_nm
            tree = cKDTree(at, boxsize=side_nm)
            near = [
                np.array([k for k in row if k != n], dtype=int)
                for n, row in enumerate(tree.query_ball_point(at, reach))
            ]
        for n in rng.permutation(len(at)):
            there = at[n] + step * rng.uniform(-1.0, 1.0, 2)
            away = at[near[n]] - there
            away -= side_nm * np.round(away / side_nm)
            if not np.any(np.einsum("ij,ij->i", away, away) < diameter_nm**2):
                at[n] = there
    return at % side_nm


def aggregates(
    side_nm: float, grain_nm: float, aggregate_nm: float, filling: float, inside: float = 0.5, seed: int = 0
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "m 2"]]:
    """Return grains that have gathered in round aggregates, seen from above.

    Args:
        side_nm: of the periodic square, nm.
        grain_nm: diameter of a grain, nm.
        aggregate_nm: diameter of an aggregate, at least twice that, nm.
        filling: share of the area under aggregates, up to 0.5.
        inside: share of an aggregate's area under grains, up to 0.5.
        seed: of the random numbers.

    Returns:
        Centres of the grains (n, 2) and of the aggregates (m, 2), nm.

    Raises:
        InputError: a size or share that cannot be.
    """
    if aggregate_nm < 2.0 * check.positive(grain_nm, "grain", "nm"):
        raise InputError(f"An aggregate of {aggregate_nm:g} nm must be at least twice as large as its grains.")
    centres = sequential(side_nm, aggregate_nm, filling, 2, seed)
    # All aggregates are cut out of one packing, each at a place of its own.
    width = 4.0 * max(aggregate_nm, 4.0 * grain_nm)
    packing = sequential(width, grain_nm, inside, 2, seed + 1)
    rng = np.random.default_rng(seed + 2)
    found = []
    for centre in centres:
        shifted = (packing - rng.uniform(0.0, width, 2)) % width - 0.5 * width
        within = shifted[np.linalg.norm(shifted, axis=1) <= 0.5 * (aggregate_nm - grain_nm)]
        found.append(centre + within)
    return np.concatenate(found) % side_nm, centres


def random_field(
    shape: tuple[int, ...], pixel_nm: float, correlation_nm: float, seed: int = 0
) -> Float[np.ndarray, "..."]:
    """Return a periodic Gaussian random field of mean 0 and variance 1 with the correlation exp(-r^2 / l^2).

    Args:
        shape: of the field, one to three axes.
        pixel_nm: nm.
        correlation_nm: l, at least two pixels and at most an eighth of the shortest side, nm.
        seed: of the random numbers.

    Returns:
        The field; mean and variance are those of the ensemble, not of each sample.

    Raises:
        InputError: a shape or length that cannot be.
    """
    pixel = check.positive(pixel_nm, "pixel", "nm")
    length = check.positive(correlation_nm, "correlation length", "nm")
    if not 1 <= len(shape) <= 3 or min(shape) < 16 or math.prod(shape) > 2**26:
        raise InputError("A random field has one to three axes of at least 16 pixels, and at most 67 million of them.")
    if not 2.0 * pixel <= length <= min(shape) * pixel / 8.0:
        raise InputError(
            f"The correlation length must lie between {2 * pixel:g} and {min(shape) * pixel / 8:g} nm here, but is "
            f"{length:g} nm."
        )
    axes = [2.0 * math.pi * np.fft.fftfreq(n, pixel) for n in shape]
    square = sum(k**2 for k in np.meshgrid(*axes, indexing="ij"))
    power = np.exp(-0.25 * square * length**2)
    power *= power.size / power.sum()  # the variance is the mean of the power
    white = np.random.default_rng(seed).standard_normal(shape)
    return np.fft.ifftn(np.fft.fftn(white) * np.sqrt(power)).real


def cut(field: Float[np.ndarray, "..."], filling: float) -> Bool[np.ndarray, "..."]:
    """Return where a Gaussian random field lies above the level that leaves a share of it.

    Args:
        field: of `random_field`.
        filling: share, 0 to 1, without its ends.

    Returns:
        True inside; the share is that of the ensemble.

    Raises:
        InputError: a share outside.
    """
    if not 0.0 < filling < 1.0:
        raise InputError(f'Argument "filling" must lie between 0 and 1, but is {filling:g}.')
    return np.asarray(field) > -ndtri(filling)


def discs_in_pixels(
    centres_nm: Float[np.ndarray, "n 2"], diameter_nm: float, side_nm: float, pixels: int
) -> Bool[np.ndarray, "p p"]:
    """Return a periodic square of pixels, True where a disc lies; rows are y, columns x."""
    place = (np.arange(pixels) + 0.5) * side_nm / pixels
    x, y = np.meshgrid(place, place, indexing="xy")
    near, _ = cKDTree(np.asarray(centres_nm) % side_nm, boxsize=side_nm).query(np.stack([x.ravel(), y.ravel()], axis=1))
    return (near <= 0.5 * diameter_nm).reshape(pixels, pixels)


def sem_picture(
    centres_nm: Float[np.ndarray, "n 2"],
    diameter_nm: float,
    side_nm: float,
    pixels: int = 512,
    noise: float = 0.05,
    seed: int = 0,
    title: str = "nanocrystal film",
) -> Picture:
    """Return a picture such as a scanning electron microscope gives of a film.

    Slopes look bright, because more electrons leave a tilted face (1 / cos of the tilt), and a lower layer darker; the
    picture shows the arrangement and is no simulation of a detector.

    Args:
        centres_nm: shape (n, 2), of the grains of the upper layer, nm.
        diameter_nm: of a grain, nm.
        side_nm: of the periodic square, nm.
        pixels: along a side.
        noise: standard deviation, brightest place = 1.
        seed: of the noise.
        title: of the picture.

    Returns:
        The picture, 0 to 1.

    Raises:
        InputError: no pixels, or a size that is not positive.
    """
    if not 16 <= pixels <= 8192:
        raise InputError(f'Argument "pixels" must lie between 16 and 8192, but is {pixels}.')
    side, diameter = check.positive(side_nm, "side", "nm"), check.positive(diameter_nm, "diameter", "nm")
    check.positive(noise, "noise", zero=True)
    place = (np.arange(pixels) + 0.5) * side / pixels
    x, y = np.meshgrid(place, place, indexing="xy")
    points = np.stack([x.ravel(), y.ravel()], axis=1)

    def layer(centres: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " m"]:
        near, _ = cKDTree(np.asarray(centres) % side, boxsize=side).query(points)
        off = np.minimum(near / (0.5 * diameter), 0.98)
        return np.where(near <= 0.5 * diameter, 0.45 / np.sqrt(1.0 - off**2), 0.0)

    upper, lower = layer(centres_nm), layer(np.asarray(centres_nm) + 0.37 * diameter)
    image = np.where(upper > 0, upper, 0.35 * lower + 0.05)
    image = np.clip(image, 0.0, 1.0) + noise * np.random.default_rng(seed).standard_normal(image.size)
    return Picture(title, np.clip(image, 0.0, 1.0).reshape(pixels, pixels), side / pixels, "nm")
