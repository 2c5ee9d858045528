"""A random film in time against SALT: the same cavity, threshold and lines from two wave theories.

SALT makes the rotating-wave approximation (a shift of gamma_perp^2 in the squared resonance) and has a grid of fourth
order; the time domain has neither. At 26 cells for each vacuum wavelength they agree to a percent in the pump where one
mode leads clearly, and to a thousandth in the wavelength.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.laser import packing
from perolas.laser.maxwell_bloch.film import film_run, piece
from perolas.laser.salt import Cavity
from perolas.laser.salt.shapes import film_cavity, film_discs

SIDE, VOID = 1200.0, 200.0


def cavity(seed: int, side: float = SIDE, pixel: float = 20.0) -> Cavity:
    centres = packing.shaken_discs(side, VOID, 0.35, sweeps=60, seed=seed)
    discs = film_discs(centres, VOID, side, 1.0 + 0.0005j, 1.9 + 0.0005j, "host")
    return film_cavity(discs, pixel, 530.0, 10.0, outside=1.0)


def patch(made: Cavity) -> SimpleNamespace:
    """A patch whose gain is one excitation for each cm-1."""
    return SimpleNamespace(
        cavity=lambda _: made, index=1.9, wavelength_nm=530.0, pulsed=lambda g: g, fluence=lambda n: n
    )


@pytest.mark.full
def test_a_film_lases_where_salt_says() -> None:
    """Independent truth: the threshold of SALT, another equation on another grid."""
    made = cavity(1)
    truth = made.thresholds(1)[0]
    found = film_run(patch(made), 1, (1.4,), span_ps=3.0, threshold_span_ps=0.6)
    assert found.threshold_d0 == pytest.approx(truth.d0, rel=0.01)
    assert found.threshold_nm == pytest.approx(2.0 * np.pi / truth.k, rel=2e-3)
    assert abs(found.lines_nm[0][0] - found.threshold_nm) < found.resolution_nm
    assert found.fluence_uj_cm2 == pytest.approx(found.gain_cm1)


@pytest.mark.full
@pytest.mark.parametrize("seed", [2, 3])
def test_further_films(seed: int) -> None:
    """Frequencies lie within the grid's error of SALT's.

    The pump is held to 5 %, not 1 %: in film 2 two modes have thresholds 8 % apart (0.258 and 0.279), which 0.6 ps do
    not tell from each other, and the time domain finds 0.269.
    """
    made = cavity(seed)
    truth = made.thresholds(3)
    found = film_run(patch(made), seed, (), threshold_span_ps=0.6)
    shift = np.array([2.0 * np.pi / t.k / found.threshold_nm - 1.0 for t in truth[:3]])
    nearest = int(np.argmin(np.abs(shift)))
    assert abs(shift[nearest]) < found.grid_shift
    assert found.threshold_d0 == pytest.approx(truth[nearest].d0, rel=0.05)


def test_loss_is_that_of_the_permittivity() -> None:
    """By hand: conductivity = k_a Im eps, and the density of atoms makes D0 at the inversion that the pump holds."""
    made = cavity(1, 400.0)
    one = piece(made, 0.2, recovery=1e4).simulation
    middle = tuple(n // 2 for n in one.grid.shape)
    assert np.asarray(one.medium.conductivity)[middle] == pytest.approx(made.k_a * made.eps.imag[10, 10], rel=1e-3)
    atoms = one.atoms
    assert atoms is not None
    assert np.max(np.asarray(atoms.density)) * atoms.inversion / made.gamma_perp == pytest.approx(0.2, rel=1e-12)


def test_bad_films() -> None:
    slab = Cavity([2.25], [1.0], [1.0], 40.0, 4.0, ("conductor", "open"))
    with pytest.raises(InputError, match="two dimensions"):
        piece(slab, 0.1, recovery=10.0)
    with pytest.raises(InputError, match="over the threshold"):
        film_run(patch(cavity(1)), 1, (-1.0,))
